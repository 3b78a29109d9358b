//! The keys of a list of `key = value`.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;

use crate::literal;

/// The keys of a list: the known and the given ones.
pub(crate) struct Keys {
    /// With blanks between them.
    known: &'static str,
    /// Other names of a key.
    aliases: &'static [(&'static str, &'static str)],
    /// The given keys: the main name, and the written one.
    seen: Vec<(String, String)>,
}

impl Keys {
    pub(crate) fn new(
        known: &'static str,
        aliases: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { known, aliases, seen: Vec::new() }
    }

    /// Reads the next key, and gives it with its main name.
    pub(crate) fn next(&mut self, input: ParseStream<'_>) -> syn::Result<(Ident, String)> {
        let ident = match input.peek(syn::Ident::peek_any) {
            true => input.call(Ident::parse_any)?,
            false => return Err(input.error(format!("expected an option: {}", self.list()))),
        };
        let text = ident.unraw().to_string();
        if !self.known().any(|known| known == text) {
            return Err(syn::Error::new(ident.span(), self.unknown(&text)));
        }
        let alias = self.aliases.iter().find(|(alias, _)| *alias == text);
        let main = alias.map_or(text.as_str(), |(_, main)| main).to_owned();
        if let Some((_, earlier)) = self.seen.iter().find(|(other, _)| *other == main) {
            let message = match *earlier == text {
                true => format!("`{text}` is given twice"),
                false => format!("`{text}` is the same as `{earlier}`, which is given already"),
            };
            return Err(syn::Error::new(ident.span(), message));
        }
        self.seen.push((main.clone(), text));
        Ok((ident, main))
    }

    fn known(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.known.split(' ')
    }

    fn list(&self) -> String {
        let quoted: Vec<String> = self.known().map(|key| format!("`{key}`")).collect();
        quoted.join(", ")
    }

    fn unknown(&self, text: &str) -> String {
        let nearest = literal::nearest(text, self.known());
        let hint = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("unknown option `{text}`{hint}\nthe options are {}", self.list())
    }
}
