//! Lists of words, and what a misspelled word may mean.

use workflow_core::id::nearest;

/// Whether a text is a name of letters, digits and `_`, as variables and parameters have.
pub(crate) fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Whether a list, in which blanks separate the words, contains this word.
pub(crate) fn is_one_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// The help for an unknown word: the known one that is most like it, or else other advice.
pub(crate) fn did_you_mean<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    nearest(unknown, known).map_or_else(otherwise, |near| format!("did you mean `{near}`?"))
}
