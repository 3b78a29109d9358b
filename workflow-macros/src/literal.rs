//! Names and durations in literals of attributes; suggestions for misspelled words.

use std::time::Duration;

use jiff::SignedDuration;
use syn::LitStr;

/// The longest name, in characters.
const MAX_NAME: usize = 200;

/// Checks the name of a job, a workflow or a limit.
pub(crate) fn name(literal: &LitStr) -> syn::Result<()> {
    let name = literal.value();
    let length = name.chars().count();
    let problem = if length == 0 {
        format!("a name is empty; give it 1 to {MAX_NAME} characters")
    } else if length > MAX_NAME {
        format!("this name has {length} characters; the limit is {MAX_NAME}")
    } else if name.chars().any(char::is_control) {
        "this name contains a control character; use printable text".to_owned()
    } else if name.trim() != name {
        "this name starts or ends with white space; remove it".to_owned()
    } else {
        return Ok(());
    };
    Err(syn::Error::new(literal.span(), problem))
}

/// Reads a duration such as `"200ms"`, `"1h 30m"` or `"PT90M"`.
pub(crate) fn duration(literal: &LitStr) -> syn::Result<Duration> {
    let text = literal.value();
    let fail = |message: String| syn::Error::new(literal.span(), message);
    let duration: SignedDuration = text.parse().map_err(|_| {
        fail(format!(
            "{text:?} is not a duration; write it like \"200ms\", \"1h 30m\" or \"PT90M\""
        ))
    })?;
    if !duration.is_positive() {
        return Err(fail(format!("the duration {text:?} must be greater than zero")));
    }
    Duration::try_from(duration).map_err(|error| fail(error.to_string()))
}

/// The nearest known word, if one is near enough.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let limit = word.chars().count() / 3 + 1;
    let distances = known.map(|known| (strsim::levenshtein(word, known), known));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    fn read(text: &str) -> Result<Duration, String> {
        duration(&LitStr::new(text, Span::call_site())).map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_friendly_or_iso() {
        assert_eq!(read("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(read("1h 30m"), read("PT90M"));
        for wrong in ["", "soon", "0s", "-1s", "1 month"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn near_words_are_found() {
        let near = |word| nearest(word, "retry name".split(' '));
        assert_eq!(near("retries"), Some("retry"));
        assert_eq!(near("nmae"), Some("name"));
        assert_eq!(near("colour"), None);
    }
}
