//! Hides secrets in what a server or a library says, and in URLs.

use url::Url;

/// The secrets of a source.
#[derive(Debug)]
pub(in crate::source) struct Masks(Vec<String>);

/// What is shown in place of a secret.
const MASK: &str = "***";

/// The longest excerpt of a response in an error, in characters.
const LONGEST: usize = 200;

impl Masks {
    /// Hides these texts.
    pub(in crate::source) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets = secrets.into_iter().flat_map(spellings);
        let mut masks: Vec<_> = secrets.filter(|text| !text.is_empty()).collect();
        // A secret may contain another: the longer one goes first.
        masks.sort_unstable_by_key(|mask| std::cmp::Reverse(mask.len()));
        masks.dedup();
        Self(masks)
    }

    /// Hides the secrets in a text.
    pub(in crate::source) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }

    /// The start of a response, on one line.
    pub(in crate::source) fn excerpt(&self, text: &str) -> String {
        let words: Vec<_> = text.split_whitespace().collect();
        let line = self.apply(&words.join(" "));
        let mut short: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        if line.chars().count() > LONGEST {
            short.push_str("..");
        }
        short
    }

    /// A URL without the values of its parameters, except those that the source numbers itself.
    pub(in crate::source) fn url(&self, url: &Url, numbered: &[String]) -> String {
        let pairs = url.query_pairs().map(|(name, value)| {
            let is_shown = numbered.iter().any(|known| *known == name);
            format!("{name}={}", if is_shown { &value } else { MASK })
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        let query = if query.is_empty() { query } else { format!("?{query}") };
        format!("{}{}{query}", url.origin().ascii_serialization(), self.apply(url.path()))
    }
}

/// A secret as a server may repeat it: as it is, in JSON, and in a URL.
fn spellings(secret: String) -> [String; 3] {
    let json = serde_json::Value::from(secret.as_str()).to_string();
    let json = json.trim_matches('"').to_owned();
    let url = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [secret, json, url]
}
