//! Checks of the schedule of a workflow. `workflow_core` checks durations.

use workflow_cron::{Cron, Overlap};

use super::flow_control::{is_duration, unknown};
use crate::metadata::{Entry, Json};

/// The options of a schedule.
const OPTIONS: [&str; 5] = ["cron", "timezone", "overlap", "catch_up", "jitter"];

/// Checks the entry `schedule`: a cron expression, or an object of options.
pub(super) fn check(entry: &Entry) -> syn::Result<()> {
    match &entry.value.json {
        Json::Text(_) => cron(entry),
        Json::Object(options) => {
            options.iter().try_for_each(option)?;
            if options.iter().any(|option| option.key == "cron") {
                return Ok(());
            }
            let message = "`schedule` needs `cron`, a cron expression such as \"0 3 * * *\"";
            Err(syn::Error::new(entry.span, message))
        }
        other => {
            let found = other.describe();
            let message =
                format!("`schedule` is {found}; it must be a cron expression or an object");
            Err(syn::Error::new(entry.value.span, message))
        }
    }
}

fn option(option: &Entry) -> syn::Result<()> {
    let fail = |message: String| Err(syn::Error::new(option.value.span, message));
    match (option.key.as_str(), &option.value.json) {
        ("cron", Json::Text(_)) => cron(option),
        ("timezone", Json::Text(_)) => Ok(()),
        ("overlap", Json::Text(text)) => {
            text.parse::<Overlap>().map(drop).or_else(|error| fail(error.to_string()))
        }
        ("cron" | "timezone" | "overlap", other) => {
            fail(format!("`{}` is {}; it must be a string", option.key, other.describe()))
        }
        ("catch_up" | "jitter", length) if is_duration(length) => Ok(()),
        ("catch_up" | "jitter", _) => {
            fail(format!("`{}` must be a duration such as \"30s\"", option.key))
        }
        _ => Err(unknown("schedule", option, OPTIONS.into_iter())),
    }
}

fn cron(entry: &Entry) -> syn::Result<()> {
    let Json::Text(text) = &entry.value.json else { return Ok(()) };
    Cron::parse(text).map(drop).map_err(|why| syn::Error::new(entry.value.span, why))
}
