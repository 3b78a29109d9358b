//! Enums of words, declared once by `choice!`.

use super::wrong_type;
use crate::document::{Findings, Node, Value};
use workflow_core::id::nearest;

/// Declares an enum of the file format: its words are read, written, checked and described from it.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $vis:vis enum $name:ident, $what:literal {
        $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $crate::document::Choice for $name {
            fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::document::Read for $name {
            const WANTED: &'static str = $what;

            fn read(
                node: &$crate::document::Node,
                findings: &mut $crate::document::Findings,
            ) -> Option<Self> {
                let words = [$(($word, Self::$variant)),+];
                $crate::document::word(node, $what, &words, findings)
            }

            fn schema(_: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}

/// An enum of words.
pub(crate) trait Choice {
    /// The word, as files have it.
    fn as_str(&self) -> &'static str;
}

/// Reads one of several words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let Value::Text(text) = &node.value else {
        wrong_type(node, what, findings);
        return None;
    };
    let found = words.iter().find(|(word, _)| **word == **text);
    if found.is_none() {
        let names = || words.iter().map(|(word, _)| *word);
        let all = names().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let help = match nearest(text, names()) {
            Some(near) => format!("did you mean `{near}`? Choose one of {all}"),
            None => format!("choose one of {all}"),
        };
        findings.error(node.span, format!("`{text}` is not {what}")).help(help);
    }
    found.map(|(_, value)| *value)
}

pub(crate) use choice;
