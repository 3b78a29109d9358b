//! Why a store refuses a request, in plain words and without secrets.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use object_store::Error;
use ureq::http::StatusCode;
use workflow_config::Secret;

use super::connector::METADATA;
use crate::source::http::Masks;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the server answers {status}")]
    Status { status: StatusCode, excerpt: String },
    #[error("there are no credentials")]
    NoCredentials,
    #[error("{0}")]
    Other(String),
}

impl Refusal {
    pub(super) fn other(reason: impl Into<String>) -> Self {
        Self::Other(reason.into())
    }
}

/// Explains failures of a store, and hides its secrets.
#[derive(Debug)]
pub(super) struct Failures(Masks);

/// What the names of options with secrets contain. Others, such as regions, may be parts of words.
const SECRET: [&str; 4] = ["key", "secret", "token", "password"];

const NO_CREDENTIALS: &str = "there are no credentials; set `access_key_id` and \
    `secret_access_key` in `storage` or the variables of the cloud, such as AWS_ACCESS_KEY_ID, or \
    `skip_signature: \"true\"` for public objects";

impl Failures {
    pub(super) fn new(storage: &BTreeMap<String, Secret>) -> Self {
        let is_secret = |name: &str| SECRET.iter().any(|word| name.contains(word));
        let secrets = storage.iter().filter(|(name, _)| is_secret(name));
        Self(Masks::new(secrets.map(|(_, value)| value.expose().clone())))
    }

    pub(super) fn explain(&self, error: &Error) -> String {
        match refusal(error) {
            Some(Refusal::NoCredentials) => NO_CREDENTIALS.to_owned(),
            Some(Refusal::Other(reason)) => self.0.apply(reason),
            Some(Refusal::Status { status, excerpt }) => self.of_status(*status, excerpt),
            None => match error {
                Error::NotSupported { .. } => {
                    "the server sends no parts of objects, which this source needs".to_owned()
                }
                Error::Generic { source, .. } => {
                    let text = source.to_string();
                    let is_metadata = METADATA.iter().any(|path| text.contains(path));
                    if is_metadata { NO_CREDENTIALS.to_owned() } else { self.0.apply(&text) }
                }
                other => self.0.apply(&other.to_string()),
            },
        }
    }

    fn of_status(&self, status: StatusCode, excerpt: &str) -> String {
        let code = element(excerpt, "Code");
        let said = match (code, element(excerpt, "Message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => excerpt.to_owned(),
        };
        let said = self.0.excerpt(&said);
        let said = if said.is_empty() { said } else { format!(" (`{said}`)") };
        let cure = match (status.as_u16(), code) {
            (404, Some("NoSuchBucket")) => "; the bucket of `path` does not exist",
            (404 | 410, _) => "; the object of `path` does not exist",
            (401 | 403, _) => {
                "; check the credentials in `storage` or the environment, and what they may read"
            }
            (412, _) => "; the object was changed while it was read, so run again",
            (300..=399, _) => "; check `path`, and `region` and `endpoint` in `storage`",
            (408 | 425 | 429 | 500..=599, _) => "; run again later",
            _ => "",
        };
        format!("the server answers {status}{said}{cure}")
    }
}

fn refusal(error: &Error) -> Option<&Refusal> {
    let mut cause: &(dyn StdError + 'static) = error;
    loop {
        if let Some(refusal) = cause.downcast_ref() {
            return Some(refusal);
        }
        cause = cause.source()?;
    }
}

/// The text of an element of XML.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}
