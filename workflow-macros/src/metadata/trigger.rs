//! Checks of the event triggers of a workflow. `workflow_core` reads them by the same rules.

use super::flow_control::{Known, is_duration, is_text, option, options, required};
use crate::metadata::{Entry, Json, Node};

/// The most triggers of a workflow.
const MOST: usize = 32;

const NAME: &str = "1 to 64 lower-case letters, digits, `-` and `_`";
const SECRET: &str =
    "the name of a secret: 1 to 64 capital letters, digits and `_`, never the secret itself";

const WEBHOOK: &[Known] = &[
    required(option("name", NAME, is_webhook_name)),
    required(option("signature", "one of \"github\" and \"standard\"", is_signature)),
    required(option("secret", SECRET, is_secret_name)),
];
const AFTER: &[Known] = &[
    required(option("workflow", "the name of a workflow", is_filled)),
    option("on", "one of \"succeeded\", \"failed\" and \"finished\"", is_end),
];
const ASSET: &[Known] = &[required(option("name", "the name of an asset", is_filled))];
const FILE: &[Known] = &[
    required(option(
        "path",
        "the name of a watched folder and a pattern in it, such as \"inbox/*.csv\", without `.`, \
         `..` and `\\`",
        is_path,
    )),
    option("settle", "a duration such as \"2s\"", is_duration),
];

const KINDS: &str = "write `{ \"webhook\": { .. } }`, `{ \"after\": { .. } }`, `{ \"asset\": { .. } }` \
                     or `{ \"file\": { .. } }`";

/// Checks the entry `triggers`.
pub(super) fn check(entry: &Entry) -> syn::Result<()> {
    let Json::List(triggers) = &entry.value.json else {
        let found = entry.value.json.describe();
        let message = format!(
            "`triggers` is {found}; it must be a list such as \
             `[{{ \"after\": {{ \"workflow\": \"ingest\" }} }}]`"
        );
        return Err(syn::Error::new(entry.value.span, message));
    };
    for (index, trigger) in triggers.iter().enumerate() {
        if index >= MOST {
            let message = format!("a workflow has at most {MOST} triggers");
            return Err(syn::Error::new(trigger.span, message));
        }
        one(trigger)?;
        if let Some(earlier) = triggers[..index].iter().find(|other| repeats(other, trigger)) {
            let mut error = syn::Error::new(
                trigger.span,
                "an earlier trigger is for the same events; remove one of them, or give a webhook \
                 another name",
            );
            error.combine(syn::Error::new(earlier.span, "the earlier one"));
            return Err(error);
        }
    }
    Ok(())
}

fn one(trigger: &Node) -> syn::Result<()> {
    let fail = |span, message: String| Err(syn::Error::new(span, message));
    let Json::Object(entries) = &trigger.json else {
        return fail(trigger.span, format!("a trigger is an object with one key; {KINDS}"));
    };
    let [kind] = entries.as_slice() else {
        return fail(trigger.span, format!("a trigger is an object with one key; {KINDS}"));
    };
    let known = match kind.key.as_str() {
        "webhook" => WEBHOOK,
        "after" => AFTER,
        "asset" => ASSET,
        "file" => FILE,
        other => return fail(kind.span, format!("`{other}` is not a kind of trigger; {KINDS}")),
    };
    options(kind, known)
}

/// Whether the same event would start two runs.
fn repeats(earlier: &Node, trigger: &Node) -> bool {
    let (earlier, trigger) = (identity(earlier), identity(trigger));
    earlier.is_some() && earlier == trigger
}

/// The kind of a trigger, and the text that names its events.
fn identity(trigger: &Node) -> Option<(&str, &str)> {
    let Json::Object(entries) = &trigger.json else { return None };
    let kind = entries.first()?;
    let Json::Object(options) = &kind.value.json else { return None };
    let key = match kind.key.as_str() {
        "after" => "workflow",
        "file" => "path",
        _ => "name",
    };
    let named = options.iter().find(|option| option.key == key)?;
    match &named.value.json {
        Json::Text(text) => Some((&kind.key, text)),
        _ => None,
    }
}

fn is_text_that(json: &Json, fits: impl Fn(&str) -> bool) -> bool {
    matches!(json, Json::Text(text) if fits(text))
}

fn is_webhook_name(json: &Json) -> bool {
    is_name(json, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn is_secret_name(json: &Json) -> bool {
    is_name(json, |byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

fn is_name(json: &Json, fits: fn(u8) -> bool) -> bool {
    is_text_that(json, |text| (1..=64).contains(&text.len()) && text.bytes().all(fits))
}

fn is_signature(json: &Json) -> bool {
    is_text_that(json, |text| matches!(text, "github" | "standard"))
}

fn is_end(json: &Json) -> bool {
    is_text_that(json, |text| matches!(text, "succeeded" | "failed" | "finished"))
}

fn is_filled(json: &Json) -> bool {
    is_text(json) && !is_text_that(json, str::is_empty)
}

fn is_path(json: &Json) -> bool {
    is_text_that(json, |path| {
        let parts: Vec<&str> = path.split('/').collect();
        path.len() <= 1024
            && parts.len() >= 2
            && !path.contains('\\')
            && !parts.iter().any(|part| matches!(*part, "" | "." | ".."))
            && !parts[0].contains(['*', '?', '[', ']'])
    })
}
