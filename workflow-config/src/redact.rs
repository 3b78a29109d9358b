//! Removes secrets from messages of other code.

use super::secret::MASK;
use super::setting::{Kind, Setting};

/// The secrets of a tree.
pub(super) struct Redaction<'t>(Vec<&'t str>);

impl<'t> Redaction<'t> {
    pub(super) fn of(tree: &'t Setting) -> Self {
        let mut secrets = Vec::new();
        collect(tree, &mut secrets);
        // A secret may contain another: the longer one goes first.
        secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Self(secrets)
    }

    /// Masks the secrets in a text, both plain and as written by `Debug`.
    pub(super) fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            let written = secret.escape_debug().to_string();
            text.replace(*secret, MASK).replace(&written, MASK)
        })
    }
}

fn collect<'t>(setting: &'t Setting, secrets: &mut Vec<&'t str>) {
    match &setting.kind {
        Kind::List(items) => items.iter().for_each(|item| collect(item, secrets)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, secrets)),
        Kind::Text(text) if setting.secret && !text.is_empty() => secrets.push(text),
        _ => {}
    }
    if let Some(text) = setting.written.as_deref().filter(|text| !text.is_empty())
        && setting.secret
    {
        secrets.push(text);
    }
}
