//! Removes secrets from messages of other code.

use super::secret::MASK;
use super::setting::{Kind, Setting};

/// The secrets of a tree, but for those of fewer than 4 bytes.
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

/// Shorter texts are words, or parts of them, by chance.
const SHORTEST: usize = 4;

fn collect<'t>(setting: &'t Setting, secrets: &mut Vec<&'t str>) {
    match &setting.kind {
        Kind::List(items) => items.iter().for_each(|item| collect(item, secrets)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, secrets)),
        Kind::Text(text) if setting.secret.is_set() && text.len() >= SHORTEST => secrets.push(text),
        _ => {}
    }
    if let Some(text) = setting.written.as_deref().filter(|text| text.len() >= SHORTEST)
        && setting.secret.is_set()
    {
        secrets.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::*;

    #[test]
    fn secrets_are_masked_in_messages() {
        let tree = |secret: &str| {
            let setting = Setting::from_json(secret.into(), &Place::defaults());
            setting.conceal();
            setting
        };
        let masked = |secret: &str, text: &str| Redaction::of(&tree(secret)).apply(text);
        assert_eq!(masked("a", "have a word"), "have a word");
        assert_eq!(masked("hunter2", "xhunter2x \"hunter2\""), "x***x \"***\"");
        assert_eq!(masked("abc\"", "\"abc\\\"\" and abc\""), "\"***\" and ***");
    }
}
