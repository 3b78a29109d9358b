//! The event triggers in the metadata of a workflow: what starts its runs, beside people and times.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::flow_control::duration;
use crate::json;

/// An event that starts runs of a workflow: an entry of `triggers` in its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventTrigger {
    /// A signed request.
    Webhook(WebhookTrigger),
    /// The end of a run of another workflow.
    After(AfterTrigger),
    /// The end of a run that has made an asset.
    Asset(AssetTrigger),
    /// A file that has arrived in a watched folder.
    File(FileTrigger),
}

/// A signed request that starts a run: the key `webhook` of a trigger.
///
/// ```
/// use workflow_core::definition::{EventTrigger, Metadata};
///
/// let metadata: Metadata = r#"{ "triggers": [
///     { "webhook": { "name": "push", "signature": "github", "secret": "SHOP" } }
/// ] }"#.parse()?;
/// assert!(matches!(&metadata.triggers()[0], EventTrigger::Webhook(push) if push.name == "push"));
/// # Ok::<(), workflow_core::definition::MetadataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhookTrigger {
    /// The name, which is part of the path: 1 to 64 lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// How requests are signed.
    pub signature: SignatureScheme,
    /// The name of the secret: 1 to 64 capital letters, digits and `_`. The secret itself is never
    /// in metadata: the server has it in its environment.
    pub secret: String,
}

/// How the requests of a webhook are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignatureScheme {
    /// `X-Hub-Signature-256`, as GitHub sends it: HMAC-SHA256 of the body.
    Github,
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks:
    /// HMAC-SHA256 of ID, timestamp and body.
    Standard,
}

/// The end of a run of another workflow, which starts a run: the key `after` of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AfterTrigger {
    /// The name of the other workflow.
    pub workflow: String,
    /// Which ends count. Default: those of runs that completed.
    #[serde(default)]
    pub on: RunEnd,
}

/// The end of a run that has made an asset, which starts a run: the key `asset` of a trigger.
///
/// The run starts once for all partitions that the other one has made, however that one ended. Values
/// that checks refused do not count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AssetTrigger {
    /// The name of the asset.
    pub name: String,
}

/// A file that has arrived, which starts a run: the key `file` of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileTrigger {
    /// The name of a folder that the server watches, and the pattern of the files in it, such as
    /// `inbox/*.csv`. `*` and `?` do not match `/`; `**` matches folders below each other.
    pub path: String,
    /// How long a file must stay unchanged before it counts as complete: at most a day. Default: 2 s.
    #[serde(default = "default_settle", deserialize_with = "duration")]
    pub settle: Duration,
}

fn default_settle() -> Duration {
    Duration::from_secs(2)
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEnd {
    /// It completed.
    #[default]
    Succeeded,
    /// It failed.
    Failed,
    /// It completed, failed or was cancelled.
    Finished,
}

/// Why a trigger in the metadata of a workflow is invalid: the field, what is wrong, and the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`triggers[{index}]`: {reason}")]
pub struct TriggerError {
    /// The index in the list.
    index: usize,
    reason: String,
}

/// The most triggers of a workflow.
const MOST: usize = 32;

impl EventTrigger {
    /// Reads the list in the metadata.
    pub(super) fn read(list: &[Json]) -> Result<Vec<Self>, TriggerError> {
        let mut triggers = Vec::new();
        for (index, json) in list.iter().enumerate() {
            let fail = |reason: String| TriggerError { index, reason };
            if index >= MOST {
                return Err(fail(format!("a workflow has at most {MOST} triggers")));
            }
            let trigger = Self::read_one(json).map_err(fail)?;
            if triggers.iter().any(|earlier| trigger.repeats(earlier)) {
                return Err(fail(trigger.repetition()));
            }
            triggers.push(trigger);
        }
        Ok(triggers)
    }

    fn read_one(json: &Json) -> Result<Self, String> {
        let kinds = "write `{ \"webhook\": { .. } }`, `{ \"after\": { .. } }`, \
                     `{ \"asset\": { .. } }` or `{ \"file\": { .. } }`";
        let only = json.as_object().filter(|object| object.len() == 1);
        let Some((kind, options)) = only.and_then(|object| object.iter().next()) else {
            return Err(format!("a trigger is an object with one key; {kinds}"));
        };
        let Json::Object(options) = options else {
            return Err(format!("`{kind}` must be an object; {kinds}"));
        };
        match kind.as_str() {
            "webhook" => {
                let webhook: WebhookTrigger = part(kind, options)?;
                webhook.check()?;
                Ok(Self::Webhook(webhook))
            }
            "after" => {
                let after: AfterTrigger = part(kind, options)?;
                if after.workflow.is_empty() {
                    return Err("`after.workflow` is empty; name a workflow".to_owned());
                }
                Ok(Self::After(after))
            }
            "asset" => {
                let asset: AssetTrigger = part(kind, options)?;
                if asset.name.is_empty() {
                    return Err("`asset.name` is empty; name an asset".to_owned());
                }
                Ok(Self::Asset(asset))
            }
            "file" => {
                let file: FileTrigger = part(kind, options)?;
                file.check()?;
                Ok(Self::File(file))
            }
            _ => Err(format!("`{kind}` is not a kind of trigger; {kinds}")),
        }
    }

    /// Whether the same event would start two runs.
    fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Webhook(one), Self::Webhook(other)) => one.name == other.name,
            (Self::After(one), Self::After(other)) => one.workflow == other.workflow,
            (Self::Asset(one), Self::Asset(other)) => one == other,
            (Self::File(one), Self::File(other)) => one.path == other.path,
            _ => false,
        }
    }

    fn repetition(&self) -> String {
        match self {
            Self::Webhook(WebhookTrigger { name, .. }) => {
                format!("the webhook `{name}` exists already; choose another name")
            }
            Self::After(AfterTrigger { workflow, .. }) => format!(
                "an earlier trigger names `{workflow}`, too; write one with `\"on\": \"finished\"`"
            ),
            Self::Asset(AssetTrigger { name }) => {
                format!("an earlier trigger names the asset `{name}`, too; remove one of them")
            }
            Self::File(FileTrigger { path, .. }) => {
                format!("an earlier trigger has the path `{path}`, too; remove one of them")
            }
        }
    }
}

impl WebhookTrigger {
    fn check(&self) -> Result<(), String> {
        let is_one = |text: &str, fits: fn(u8) -> bool| {
            (1..=64).contains(&text.len()) && text.bytes().all(fits)
        };
        let in_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if !is_one(&self.name, in_name) {
            let wanted = "1 to 64 lower-case letters, digits, `-` and `_`";
            return Err(format!("`webhook.name`: `{}` must be {wanted}", self.name));
        }
        let in_secret = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        if !is_one(&self.secret, in_secret) {
            // It may be the secret itself.
            let wanted = "the name of a secret: 1 to 64 capital letters, digits and `_`";
            return Err(format!("`webhook.secret` must be {wanted}, never the secret itself"));
        }
        Ok(())
    }
}

impl FileTrigger {
    fn check(&self) -> Result<(), String> {
        let Self { path, settle } = self;
        let fail = |why: &str| Err(format!("`file.path`: `{path}` {why}"));
        if path.len() > LONGEST_PATH {
            return fail("is too long; write at most 1024 bytes");
        }
        let parts: Vec<&str> = path.split('/').collect();
        if path.contains('\\') || parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return fail(
                "must be the name of a watched folder and a pattern in it, such as `inbox/*.csv`, \
                 without `.`, `..` and `\\`",
            );
        }
        if parts.len() < 2 || parts[0].contains(['*', '?', '[', ']']) {
            return fail("must begin with the name of a watched folder, such as `inbox/`");
        }
        if *settle > LONGEST_SETTLE {
            return Err("`file.settle` is longer than a day; shorten it".to_owned());
        }
        Ok(())
    }
}

/// The longest path of a pattern, in bytes.
const LONGEST_PATH: usize = 1024;

/// The longest time for which a file must stay unchanged.
const LONGEST_SETTLE: Duration = Duration::from_secs(24 * 3600);

fn part<T: serde::de::DeserializeOwned>(
    kind: &str,
    options: &Map<String, Json>,
) -> Result<T, String> {
    json::from_value(Json::Object(options.clone())).map_err(|error| format!("`{kind}`: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(triggers: Json) -> Result<Vec<EventTrigger>, String> {
        let list = triggers.as_array().expect("a list");
        EventTrigger::read(list).map_err(|error| error.to_string())
    }

    #[test]
    fn triggers_are_read_with_their_defaults() {
        let triggers = json!([
            { "webhook": { "name": "push", "signature": "github", "secret": "SHOP" } },
            { "webhook": { "name": "paid", "signature": "standard", "secret": "SHOP" } },
            { "after": { "workflow": "ingest" } },
            { "after": { "workflow": "export", "on": "finished" } },
            { "file": { "path": "inbox/*.csv" } },
            { "file": { "path": "inbox/**/*.json", "settle": "1m" } },
        ]);
        let triggers = read(triggers).expect("valid");
        let EventTrigger::After(after) = &triggers[2] else { panic!("the third one") };
        assert_eq!(after.on, RunEnd::Succeeded);
        let EventTrigger::After(after) = &triggers[3] else { panic!("the fourth one") };
        assert_eq!(after.on, RunEnd::Finished);
        let EventTrigger::File(file) = &triggers[4] else { panic!("the fifth one") };
        assert_eq!(file.settle, Duration::from_secs(2));
        let EventTrigger::File(file) = &triggers[5] else { panic!("the sixth one") };
        assert_eq!(file.settle, Duration::from_secs(60));
    }

    #[test]
    fn an_invalid_trigger_is_named_with_the_cure() {
        let webhook = |name: &str, secret: &str| json!({ "webhook": { "name": name, "signature": "github", "secret": secret } });
        let text = |trigger| {
            let asset = json!({ "asset": { "name": "orders" } });
            read(json!([asset, webhook("a", "A"), trigger])).expect_err("invalid")
        };
        for (trigger, said) in [
            (json!("webhook"), "`triggers[2]`: a trigger is an object with one key"),
            (json!({ "after": {}, "webhook": {} }), "one key"),
            (json!({ "after": "ingest" }), "`after` must be an object"),
            (json!({ "files": {} }), "`files` is not a kind of trigger; write"),
            (json!({ "after": {} }), "`after`: the field `workflow` is missing"),
            (json!({ "after": { "workflow": "" } }), "is empty"),
            (json!({ "after": { "workflow": "b", "on": "done" } }), "on"),
            (json!({ "file": {} }), "`file`: the field `path` is missing"),
            (json!({ "file": { "path": "a/*.csv", "settle": "soon" } }), "not a duration"),
            (json!({ "file": { "path": "a/*.csv", "settle": "25h" } }), "longer than a day"),
            (json!({ "file": { "path": "*.csv" } }), "must begin with the name of a watched"),
            (json!({ "file": { "path": "in*/a.csv" } }), "must begin with the name of a watched"),
            (json!({ "file": { "path": "/etc/*" } }), "without `.`, `..` and"),
            (json!({ "file": { "path": "in/../../etc/*" } }), "without `.`, `..` and"),
            (json!({ "file": { "path": "in//a" } }), "without `.`, `..` and"),
            (json!({ "asset": {} }), "`asset`: the field `name` is missing"),
            (json!({ "asset": { "name": "" } }), "`asset.name` is empty; name an asset"),
            (json!({ "asset": { "name": "b", "each": 1 } }), "each"),
            (json!({ "asset": { "name": "orders" } }), "names the asset `orders`, too; remove"),
            (json!({ "webhook": { "name": "b", "secret": "A" } }), "signature"),
            (webhook("Push it", "A"), "`webhook.name`: `Push it` must be 1 to 64 lower-case"),
            (webhook("a", "B"), "the webhook `a` exists already"),
        ] {
            let found = text(trigger);
            assert!(found.contains(said), "{found}");
        }
        let leaked = text(webhook("b", "whsec_aGVsbG8="));
        assert!(
            leaked.contains("never the secret itself") && !leaked.contains("whsec"),
            "{leaked}"
        );
    }
}
