//! Replaces variables and secrets in the values of files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::environment::Environment;
use super::path::Path;
use super::place::{Layer, Place};
use super::setting::{Kind, Setting};
use super::stamp::Stamp;
use super::template::{self, Fallback, Malformed, Part, Reference};
use workflow_core::error_text::io_reason;
use workflow_files::document::{Diagnostics, Findings, Span};

/// The largest file with a secret, in bytes.
const MAX_SECRET: u64 = 1 << 20;

pub(super) struct Expansion<'e> {
    environment: &'e Environment,
    secrets: PathBuf,
    /// The variables that were read, with their values.
    pub(super) used: BTreeMap<String, Option<OsString>>,
    /// The files of secrets that were read.
    pub(super) stamps: Vec<Stamp>,
    pub(super) found: Diagnostics,
}

/// A text with its references replaced.
#[derive(Default)]
struct Substituted {
    text: String,
    variables: Vec<String>,
    is_secret: bool,
}

/// A mistake in a reference; the range is in the text around it.
struct SubstitutionError {
    message: String,
    help: String,
    range: std::ops::Range<usize>,
}

impl<'e> Expansion<'e> {
    pub(super) fn new(environment: &'e Environment, secrets: PathBuf) -> Self {
        let (used, found) = (BTreeMap::new(), Diagnostics::default());
        Self { environment, secrets, used, stamps: Vec::new(), found }
    }

    /// Replaces every variable in the tree. Values of other layers than files are not changed, and
    /// neither are the contents of variables: only the text of the file is a template.
    pub(super) fn expand(&mut self, setting: &mut Setting, path: &Path<'_>) {
        match &mut setting.kind {
            Kind::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.expand(item, &Path::Index(path, index));
                }
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    self.expand(value, &Path::Key(path, &key.text));
                }
            }
            Kind::Text(text) if setting.place.layer == Layer::File && text.contains("${") => {
                match self.value(text, &setting.place) {
                    Ok(value) => {
                        let is_secret = setting.secret.is_set() || value.secret.is_set();
                        *setting = Setting { secret: is_secret.into(), ..value };
                    }
                    Err(all) => {
                        for error in all {
                            self.report(&setting.place, text, error, path);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The value of a text: YAML if it is a single variable, otherwise a string; with a secret in
    /// it, a secret string.
    fn value(&mut self, text: &str, place: &Place) -> Result<Setting, Vec<SubstitutionError>> {
        let parts = template::parse(text).map_err(|wrong| vec![wrong.into()])?;
        let substituted = self.substitute(&parts)?;
        let is_whole = matches!(*parts, [Part::Reference(_)]) && !substituted.is_secret;
        let setting = if is_whole {
            Setting::from_text(&substituted.text, place)
        } else {
            Setting::new(Kind::Text(substituted.text.into()), place.clone())
        };
        let variables =
            (!substituted.variables.is_empty()).then(|| substituted.variables.join("`, `"));
        let variables = variables.map(String::into_boxed_str);
        Ok(Setting { variables, secret: substituted.is_secret.into(), ..setting })
    }

    fn substitute(&mut self, parts: &[Part<'_>]) -> Result<Substituted, Vec<SubstitutionError>> {
        let mut substituted = Substituted::default();
        let mut all = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => substituted.text.push_str(text),
                Part::Reference(reference) => match self.resolve(reference) {
                    Ok(inner) => {
                        substituted.text.push_str(&inner.text);
                        substituted.variables.extend(inner.variables);
                        substituted.is_secret |= inner.is_secret;
                    }
                    Err(error) => all.extend(error),
                },
            }
        }
        if all.is_empty() { Ok(substituted) } else { Err(all) }
    }

    fn resolve(
        &mut self,
        reference: &Reference<'_>,
    ) -> Result<Substituted, Vec<SubstitutionError>> {
        let name = reference.name;
        let is_secret = reference.kind == template::Kind::Secret;
        let value = if is_secret { self.secret(name) } else { self.variable(name) };
        let wrong = |message| vec![SubstitutionError::new(reference, message, String::new())];
        let value = value.map_err(wrong)?;
        let value = value.filter(|value| reference.fallback == Fallback::None || !value.is_empty());
        match (value, reference.fallback) {
            (Some(text), _) => {
                Ok(Substituted { text, variables: vec![name.to_owned()], is_secret })
            }
            (None, Fallback::Default(default)) => {
                let substituted = self.default(default, reference)?;
                Ok(Substituted { is_secret: substituted.is_secret || is_secret, ..substituted })
            }
            (None, Fallback::Message(message)) => {
                let thing = if is_secret { "the secret" } else { "the environment variable" };
                let message = if message.is_empty() { "it is required" } else { message };
                Err(wrong(format!("{thing} `{name}` is unset or empty:  {message}")))
            }
            (None, Fallback::None) => Err(vec![self.unset(reference)]),
        }
    }

    fn default(
        &mut self,
        text: &str,
        reference: &Reference<'_>,
    ) -> Result<Substituted, Vec<SubstitutionError>> {
        // A default ends where its reference does, before the brace.
        let start = reference.range.end - 1 - text.len();
        let shift = |error: SubstitutionError| {
            let range = error.range.start + start..error.range.end + start;
            SubstitutionError { range, ..error }
        };
        let parts = template::parse(text).map_err(|wrong| vec![shift(wrong.into())])?;
        self.substitute(&parts).map_err(|all| all.into_iter().map(shift).collect())
    }

    fn unset(&self, reference: &Reference<'_>) -> SubstitutionError {
        let name = reference.name;
        let (message, help) = match reference.kind {
            template::Kind::Variable => (
                format!("the environment variable `{name}` is not set"),
                format!("set it, or give it a default: `${{{name}:-..}}`"),
            ),
            template::Kind::Secret => (
                format!("the secret `{name}` is not set"),
                format!(
                    "write it to the file `{}`, or set the environment variable `{name}`",
                    self.secrets.join(name).display()
                ),
            ),
        };
        SubstitutionError::new(reference, message, help)
    }

    fn variable(&mut self, name: &str) -> Result<Option<String>, String> {
        let value = self.environment.get(name);
        self.used.insert(name.to_owned(), value.map(ToOwned::to_owned));
        let text = value.map(|value| {
            let text = value.to_str().map(str::to_owned);
            text.ok_or_else(|| format!("the environment variable `{name}` is not UTF-8 text"))
        });
        text.transpose()
    }

    fn secret(&mut self, name: &str) -> Result<Option<String>, String> {
        let path = self.secrets.join(name);
        self.stamps.push(Stamp::of(&path));
        match read_secret(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.variable(name),
            Err(error) => {
                let (path, reason) = (path.display(), io_reason(&error));
                Err(format!("cannot read the secret `{path}`: {reason}"))
            }
        }
    }

    fn report(&mut self, place: &Place, text: &str, error: SubstitutionError, path: &Path<'_>) {
        let span = place_of(place, text, &error.range);
        let mut findings = Findings::new(&place.source);
        let diagnostic = findings.error(span, error.message).path(path.to_string());
        if !error.help.is_empty() {
            diagnostic.help(error.help);
        }
        self.found.append(findings.finish());
    }
}

impl SubstitutionError {
    fn new(reference: &Reference<'_>, message: String, help: String) -> Self {
        Self { message, help, range: reference.range.clone() }
    }
}

impl From<Malformed> for SubstitutionError {
    fn from(wrong: Malformed) -> Self {
        Self { message: wrong.message, help: wrong.help.to_owned(), range: wrong.range }
    }
}

fn read_secret(path: &std::path::Path) -> io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_SECRET {
        let message = format!("it has {length} bytes; the limit is {MAX_SECRET}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut text = std::fs::read_to_string(path)?;
    let without_break = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
    if let Some(length) = without_break.map(str::len) {
        text.truncate(length);
    }
    Ok(text)
}

/// The place of a part of a text: exact if the text is literal in the file.
fn place_of(place: &Place, text: &str, range: &std::ops::Range<usize>) -> Span {
    let written = place.source.slice(place.span);
    let inside = written.strip_prefix(['"', '\'']).unwrap_or(written);
    if inside.starts_with(text) {
        let start = place.span.start as usize + (written.len() - inside.len());
        return Span::new(start + range.start, start + range.end);
    }
    place.source.find(place.span, &text[range.clone()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::setting::Secrets;
    use super::*;
    use workflow_files::document::{Format, SourceText};

    /// A file that holds one text, written as JSON, and what became of it.
    fn expanded(text: &str, environment: &Environment) -> (Setting, Diagnostics) {
        let source = SourceText::new("config.yaml", serde_json::json!(text).to_string());
        let node = source.parse(Format::Yaml, &mut Findings::new(&source)).expect("YAML");
        let mut setting = Setting::from_node(node, &source);
        let mut expansion = Expansion::new(environment, PathBuf::from("no/such/folder"));
        expansion.expand(&mut setting, &Path::Root);
        (setting, expansion.found)
    }

    #[test]
    fn values_of_variables_are_not_expanded_again() {
        let environment = Environment::new([("A", "${B} $${B}"), ("B", "secret")]);
        let (setting, found) = expanded("x ${A} ${C:-${A}}", &environment);
        assert!(found.is_empty());
        assert_eq!(setting.to_json(Secrets::Exposed), json!("x ${B} $${B} ${B} $${B}"));
        assert_eq!(setting.variables.as_deref(), Some("A`, `A"));
    }

    #[test]
    fn a_value_with_a_secret_is_a_secret_string() {
        let environment = Environment::new([("PORT", "8080")]);
        for (text, exposed) in [
            ("${secret:PORT}", "8080"),
            ("a${secret:PORT}b", "a8080b"),
            ("${A:-${secret:PORT}}", "8080"),
            ("${secret:NONE:-7}", "7"),
        ] {
            let (setting, _) = expanded(text, &environment);
            assert_eq!(setting.to_json(Secrets::Exposed), json!(exposed));
            assert_eq!(setting.to_json(Secrets::Masked), json!("***"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_never_panics_and_says_where(text in r"(\$|\{|\}|:-|:\?|secret:|[ABé \n/.]){0,24}") {
            let environment = Environment::new([("A", "${B}é"), ("B", "")]);
            let (_, found) = expanded(&text, &environment);
            for problem in found.iter() {
                prop_assert!(problem.line() == Some(1) && problem.to_string().contains("^"));
            }
        }

        #[test]
        fn what_is_escaped_comes_back(text in r"[\$\{\}:\-A-Cé]{0,30}") {
            let (setting, found) = expanded(&template::escape(&text), &Environment::default());
            prop_assert!(found.is_empty());
            prop_assert_eq!(setting.to_json(Secrets::Exposed), json!(text));
        }
    }
}
