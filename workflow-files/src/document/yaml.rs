//! YAML 1.2 with the core schema and merge keys: builds a tree from the parser's events.

mod mistake;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, options};
use serde_json::Number;

use self::mistake::Mistake;
use super::{Findings, Key, Node, SourceText, Span, Value, drop_repeated_keys};
use crate::bounds::file::{ALIASED_BYTES, ALIASED_VALUES, VALUES};
use crate::bounds::{self, NESTING};
use workflow_core::json;

/// The merge key.
const MERGE: &str = "<<";

pub(super) fn parse(source: &Arc<SourceText>, findings: &mut Findings) -> Option<Node> {
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut tree = Tree {
        findings,
        stack: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        copied: (0, 0),
        root: None,
        is_damaged: false,
    };
    let mut read = 0;
    for event in Parser::new_from_str_with_options(source.text(), options) {
        let (event, span) = match event {
            Ok((event, at)) => (event, span_of(&at)),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(0);
                let open = tree.stack.last().map(|open| open.start);
                let Mistake { span, message, help } =
                    Mistake::new(error.kind(), source, at, read, open);
                tree.findings.error(span, format!("invalid YAML: {message}")).help(help);
                return None;
            }
        };
        read = span.end as usize;
        if let Err(Stop) = tree.take(event, span) {
            return None;
        }
    }
    if tree.is_damaged {
        return None;
    }
    let empty = Node { span: Span::default(), value: Value::Null };
    Some(tree.root.unwrap_or(empty))
}

fn span_of(span: &granit_parser::Span) -> Span {
    Span::new(span.start.byte_offset().unwrap_or(0), span.end.byte_offset().unwrap_or(0))
}

/// The rest of the text is not worth reading.
struct Stop;

struct Tree<'f> {
    findings: &'f mut Findings,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// The values and bytes of text that aliases have copied.
    copied: (usize, usize),
    root: Option<Node>,
    /// Whether a value is missing, which has been reported.
    is_damaged: bool,
}

/// A list or a map that is still open.
struct Open {
    start: Span,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// `next` is the purpose of the next value; without one, a key comes next.
    Map {
        entries: Vec<(Key, Node)>,
        next: Option<Next>,
        merges: Vec<Node>,
    },
}

/// The purpose of a value of a map.
enum Next {
    Entry(Key),
    /// The entries of others: `<<: *others`.
    Merge,
    /// None: its key is invalid, which has been reported.
    Nothing,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().and_then(|tag| tag.core_suffix()) == Some("str");
                if let Some(tag) = tag.filter(|tag| tag.is_custom()) {
                    self.foreign_tag(span, &tag.original());
                }
                let plain = style == ScalarStyle::Plain && !is_text;
                if plain && text == MERGE && self.begins_merge() {
                    return Ok(());
                }
                let value = if plain { resolve(&text) } else { Value::Text(text.into()) };
                self.place(Node { span, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(span, anchor, Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let kind = Kind::Map { entries: Vec::new(), next: None, merges: Vec::new() };
                self.open(span, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                self.findings
                    .error(span, format!("no anchor `&{name}` before this alias"))
                    .help("define the anchor further up, or put the text in quotes");
                self.is_damaged = true;
                self.place(Node { span, value: Value::Null }, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                self.findings
                    .error(span, "a second document starts here")
                    .help("a file may contain only one document");
                Err(Stop)
            }
            _ => Ok(()),
        }
    }

    fn foreign_tag(&mut self, span: Span, tag: &str) {
        self.findings.error(span, format!("the tag `{tag}` is not supported")).help("remove it");
    }

    fn open(&mut self, start: Span, anchor: usize, kind: Kind) -> Result<(), Stop> {
        if self.stack.len() >= NESTING {
            let error = bounds::nested(0..0);
            self.findings.error(start, error.message()).help(error.help());
            return Err(Stop);
        }
        self.stack.push(Open { start, anchor, kind });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Stop> {
        let Some(Open { start, anchor, kind }) = self.stack.pop() else { return Ok(()) };
        // In a large file, the spare capacity of many short lists and maps would add up.
        let value = match kind {
            Kind::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            Kind::Map { mut entries, merges, .. } => {
                drop_repeated_keys(&mut entries, self.findings);
                self.merge(&mut entries, merges);
                entries.shrink_to_fit();
                Value::Map(entries)
            }
        };
        // A block ends where the next token begins; its text ends at its last line.
        let inside = self.findings.source().slice(Span { start: start.start, end: end.end });
        let span = Span { start: start.start, end: start.start + inside.trim_end().len() as u32 };
        self.place(Node { span, value }, anchor)
    }

    /// Handles `<<` as a key. In quotes it is a normal key.
    fn begins_merge(&mut self) -> bool {
        let Some(Open { kind: Kind::Map { next: next @ None, .. }, .. }) = self.stack.last_mut()
        else {
            return false;
        };
        *next = Some(Next::Merge);
        true
    }

    /// Adds the entries of `<<: *others`, which those of the map itself override.
    fn merge(&mut self, entries: &mut Vec<(Key, Node)>, merges: Vec<Node>) {
        if merges.is_empty() {
            return;
        }
        let mut known: HashSet<Box<str>> =
            entries.iter().map(|(key, _)| key.text.clone()).collect();
        for node in merges {
            let maps = match node.value {
                Value::List(items) => items,
                value => vec![Node { span: node.span, value }],
            };
            for map in maps {
                let Value::Map(others) = map.value else {
                    self.findings
                        .error(map.span, "`<<` needs a map, or a list of maps")
                        .help("write `<<: *name`, with `&name` before a map");
                    continue;
                };
                entries
                    .extend(others.into_iter().filter(|(key, _)| known.insert(key.text.clone())));
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            self.findings.error(span, "this alias is inside of its own anchor");
            return Err(Stop);
        };
        let (nodes, bytes) = node.size();
        self.count_copy(nodes, bytes, span)?;
        let node = self.anchors[&anchor].clone();
        self.place(node, 0)
    }

    fn count_copy(&mut self, nodes: usize, bytes: usize, span: Span) -> Result<(), Stop> {
        self.copied.0 += nodes;
        self.copied.1 += bytes;
        let what = match self.copied {
            (values, _) if values > ALIASED_VALUES => format!("{ALIASED_VALUES} values"),
            (_, bytes) if bytes > ALIASED_BYTES => format!("{ALIASED_BYTES} bytes of text"),
            _ => return Ok(()),
        };
        self.findings
            .error(span, format!("anchors and aliases copy more than {what}"))
            .label("the limit is exceeded here")
            .help("use `parameters` to make many jobs from one, or a smaller anchor");
        Err(Stop)
    }

    fn check_size(&mut self, span: Span) -> Result<(), Stop> {
        if self.nodes <= VALUES {
            return Ok(());
        }
        self.findings
            .error(span, format!("the file has more than {VALUES} values"))
            .label("the limit is exceeded here")
            .help("split it into several files");
        Err(Stop)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        self.check_size(node.span)?;
        if anchor != 0 {
            let (nodes, bytes) = node.size();
            self.count_copy(nodes, bytes, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { entries, next, merges }) => match next.take() {
                Some(Next::Entry(key)) => entries.push((key, node)),
                Some(Next::Merge) => merges.push(node),
                Some(Next::Nothing) => {}
                None => {
                    *next = Some(key_of(node, self.findings).map_or(Next::Nothing, Next::Entry))
                }
            },
        }
        Ok(())
    }
}

fn key_of(node: Node, findings: &mut Findings) -> Option<Key> {
    let text = match node.value {
        Value::Text(text) => text,
        Value::List(_) | Value::Map(_) => {
            findings
                .error(node.span, format!("{} cannot be a key", node.kind()))
                .help("put it in quotes if it is meant as text");
            return None;
        }
        _ => findings.source().slice(node.span).into(),
    };
    Some(Key { text, span: node.span })
}

/// The core schema of YAML 1.2 (chapter 10.3.2); infinities and NaN, which JSON lacks, stay text.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    match number(text) {
        Some(number) => Value::Number(number),
        None => Value::Text(text.into()),
    }
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().find(|byte| !matches!(byte, b'-' | b'+' | b'.'))?;
    if !first.is_ascii_digit() {
        return None;
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    let of_numbers =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    // Numbers that do not fit into 64 bits stay text, too.
    digits.bytes().all(of_numbers).then(|| json::number(digits).ok()).flatten()
}
