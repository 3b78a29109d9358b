//! Flow control in files.

use std::time::Duration;

use workflow_core::Workflow as _;
use workflow_core::flow_control::{Concurrency, Debounce, Fairness, OnConflict, RateLimit};

use crate::{sound, wrong};

const JOBS: &str = "jobs:\n  - name: boil\n    command: kettle\n";

#[test]
fn all_parts_are_read() {
    let text = format!(
        "name: tea\n\
         concurrency: {{ key: '${{{{ input.pot }}}}', limit: 2, on_conflict: cancel_running }}\n\
         rate_limit: {{ limit: 200, per: 1s }}\n\
         debounce: {{ key: '${{{{ input.cup }}}}', delay: 500ms, max_delay: 1m }}\n\
         fairness: {{ key: '${{{{ input.guest }}}}', weight: 3 }}\n{JOBS}"
    );
    let file = sound("tea.yaml", &text);
    let control = file.metadata().flow_control().expect("there").clone();
    let concurrency = Concurrency::new(2).key("${{ input.pot }}");
    assert_eq!(control.concurrency, Some(concurrency.on_conflict(OnConflict::CancelRunning)));
    assert_eq!(control.rate_limit, Some(RateLimit::new(200, Duration::from_secs(1))));
    let debounce = Debounce::new(Duration::from_millis(500)).key("${{ input.cup }}");
    assert_eq!(control.debounce, Some(debounce.max_delay(Duration::from_secs(60))));
    assert_eq!(control.fairness, Some(Fairness::new("${{ input.guest }}").weight(3)));

    let file = sound("tea.yaml", &format!("name: tea\nsingleton: true\n{JOBS}"));
    let control = file.metadata().flow_control().expect("there");
    assert_eq!(control.concurrency, Some(Concurrency::singleton()));
}

#[test]
fn mistakes_have_a_place_and_a_cure() {
    let parts = [
        ("concurrency: { limit: 0 }", "`limit` is 0"),
        ("concurrency: { limit: 1, key: '${{ jobs.a }}' }", "only the input has values"),
        ("concurrency: { limit: 1, on_conflict: wait }", "`wait` is not an action on conflict"),
        ("concurrency: { key: a }", "needs `limit`"),
        ("rate_limit: { limit: 1, per: 0s }", "`per` must be from 1 ms"),
        ("rate_limit: { limit: 1, per: soon }", "`soon` is not a duration"),
        ("debounce: { delay: 5s, max_delay: 1s }", "`max_delay` is shorter"),
        ("fairness: { key: a, weight: 0 }", "`weight` must be"),
        ("fairness: { keys: a }", "no field `keys`"),
        ("singleton: often", "expected `true` or `false`"),
    ];
    for (part, message) in parts {
        let told = wrong(&format!("name: tea\n{part}\n{JOBS}"));
        let first = told.iter().next().expect("reported");
        assert_eq!(first.line(), Some(2), "{told}");
        let text = told.to_string();
        assert!(text.contains(message), "{part}: {text}");
        let has_cure = message.starts_with("expected") || first.help().is_some();
        assert!(has_cure, "{text}");
    }
    let both = format!("name: tea\nsingleton: true\nconcurrency: {{ limit: 2 }}\n{JOBS}");
    assert!(wrong(&both).to_string().contains("remove it or `concurrency`"));
}
