//! Any script with any value: a value is in the script as a variable or as an integer, or refused,
//! and what is refused does not depend on the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow_files::interpolated;

/// Stands for no integer, and for nothing that a fuzzer would write into a script.
const VALUE: &str = "a[$(touch PWNED)]\u{1F980}";

fuzz_target!(|text: &str| {
    let parts: Vec<&str> = text.split('@').collect();
    for shell_is_bash in [true, false] {
        let integer = interpolated(&parts, "-5", shell_is_bash).expect("an integer may stand");
        assert!(integer.1.iter().all(|(_, value)| value == "-5"));
        let Some((script, variables)) = interpolated(&parts, VALUE, shell_is_bash) else {
            continue;
        };
        assert_eq!(script, integer.0, "the text depends on the value");
        assert!(text.contains('\u{1F980}') || !script.contains('\u{1F980}'));
        assert_eq!(variables.len(), parts.len() - 1);
        for (name, value) in &variables {
            assert_eq!(value, VALUE);
            assert!(script.contains(&format!("${{{name}}}")));
        }
        // What any shell takes so, bash does, too.
        assert!(shell_is_bash || interpolated(&parts, VALUE, true).is_some());
    }
});
