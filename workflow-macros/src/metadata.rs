//! JSON as Rust tokens, after `metadata =`. Each value has its span, so that errors are shown
//! there.

mod flow_control;
pub(crate) mod known_keys;
mod schedule;
mod text;
mod trigger;

use proc_macro2::{Ident, Span};
use serde_json::{Map, Number, Value};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Lit, LitStr, Token, braced, bracketed, parenthesized, token};

/// A value with its span.
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) json: Json,
}

/// A JSON value.
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

/// A key with its value.
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The span of the key.
    pub(crate) span: Span,
    pub(crate) value: Node,
}

/// Parses `= { .. }`, or the same object as a string, `= "{ .. }"`.
pub(crate) fn object(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Entry>> {
    let example = "`metadata = { \"owner\": \"web\" }`";
    if input.parse::<Token![=]>().is_err() {
        return Err(syn::Error::new(
            key.span(),
            format!("`metadata` needs a JSON object: {example}"),
        ));
    }
    let node = match input.fork().parse::<LitStr>() {
        Ok(_) => text::parse(&input.parse::<LitStr>()?)?,
        Err(_) => input.parse::<Node>()?,
    };
    match node.json {
        Json::Object(entries) => Ok(entries),
        other => {
            let found = other.describe();
            let message = format!("`metadata` is {found}; it must be a JSON object: {example}");
            Err(syn::Error::new(node.span, message))
        }
    }
}

/// Reads `key = value` as an entry of the metadata.
pub(crate) fn shorthand(key: &Ident, input: ParseStream<'_>) -> syn::Result<Entry> {
    if input.parse::<Token![=]>().is_err() {
        let message = format!("`{key}` needs a value: `{key} = \"..\"`");
        return Err(syn::Error::new(key.span(), message));
    }
    let value = input.parse()?;
    Ok(Entry { key: key.unraw().to_string(), span: key.span(), value })
}

/// Reads the schedule or a part of the flow control as an entry of the metadata:
/// `key(name = value, ..)`, `key` for true, or `key = value`.
pub(crate) fn with_options(key: &Ident, input: ParseStream<'_>) -> syn::Result<Entry> {
    let name = key.unraw().to_string();
    let span = key.span();
    if input.peek(Token![=]) {
        return shorthand(key, input);
    }
    if !input.peek(token::Paren) {
        if name != "singleton" {
            let message = format!("`{name}` needs options in brackets, such as {}", example(&name));
            return Err(syn::Error::new(span, message));
        }
        let value = Node { span, json: Json::Bool(true) };
        return Ok(Entry { key: name, span, value });
    }
    let content;
    parenthesized!(content in input);
    let mut options: Vec<Entry> = Vec::new();
    while !content.is_empty() {
        let option = content.call(Ident::parse_any)?;
        let entry = shorthand(&option, &content)?;
        if options.iter().any(|other| other.key == entry.key) {
            let message = format!("`{option}` is given twice");
            return Err(syn::Error::new(option.span(), message));
        }
        options.push(entry);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    let value = Node { span, json: Json::Object(options) };
    Ok(Entry { key: name, span, value })
}

fn example(part: &str) -> &'static str {
    match part {
        "concurrency" => "`concurrency(key = \"${{ input.customer }}\", limit = 1)`",
        "rate_limit" => "`rate_limit(limit = 200, per = \"1s\")`",
        "schedule" => "`schedule(cron = \"0 3 * * *\", overlap = \"skip\")`",
        "debounce" => "`debounce(key = \"${{ input.page }}\", delay = \"5s\")`",
        _ => "`fairness(key = \"${{ input.tenant }}\")`",
    }
}

/// The entries as the text of one JSON object.
pub(crate) fn to_text(entries: &[Entry]) -> String {
    Value::Object(map(entries)).to_string()
}

fn map(entries: &[Entry]) -> Map<String, Value> {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
}

impl Node {
    fn to_value(&self) -> Value {
        match &self.json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.clone()),
            Json::Text(text) => Value::String(text.clone()),
            Json::List(list) => list.iter().map(Self::to_value).collect(),
            Json::Object(entries) => Value::Object(map(entries)),
        }
    }
}

impl Json {
    /// What the value is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// The error for anything that is not JSON.
const JSON_ONLY: &str = "expected JSON: a \"string\", a number, `true`, `false`, `null`, a list or an object; \
     Rust expressions are not evaluated";

impl Parse for Node {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let span = input.span();
        let json = if input.peek(token::Brace) {
            Json::Object(members(input)?)
        } else if input.peek(token::Bracket) {
            Json::List(elements(input)?)
        } else if input.peek(Token![-]) || input.peek(Lit) {
            literal(input)?
        } else if input.peek(Ident::peek_any) && input.call(Ident::parse_any)? == "null" {
            Json::Null
        } else {
            return Err(syn::Error::new(span, JSON_ONLY));
        };
        if input.is_empty() || input.peek(Token![,]) {
            return Ok(Self { span, json });
        }
        Err(input.error(JSON_ONLY))
    }
}

fn literal(input: ParseStream<'_>) -> syn::Result<Json> {
    let span = input.span();
    let no_json = || syn::Error::new(span, JSON_ONLY);
    let minus = input.parse::<Option<Token![-]>>()?.is_some();
    let literal = input.parse::<Lit>().map_err(|_| no_json())?;
    let json = match literal {
        Lit::Int(_) | Lit::Float(_) => {
            let sign = if minus { "-" } else { "" };
            let text = format!("{sign}{}", quote::ToTokens::to_token_stream(&literal));
            let number = serde_json::from_str(&text);
            let wrong = |_| syn::Error::new(span, format!("`{text}` is not a number in JSON"));
            let number = number.map_err(wrong)?;
            if text::is_long_integer(&text) {
                return Err(syn::Error::new(span, text::long_integer(&text)));
            }
            return Ok(Json::Number(number));
        }
        Lit::Bool(value) => Json::Bool(value.value),
        Lit::Str(text) if text.suffix().is_empty() => Json::Text(text.value()),
        _ => return Err(no_json()),
    };
    if minus { Err(no_json()) } else { Ok(json) }
}

fn elements(input: ParseStream<'_>) -> syn::Result<Vec<Node>> {
    let content;
    bracketed!(content in input);
    let mut list = Vec::new();
    while !content.is_empty() {
        list.push(content.parse()?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(list)
}

fn members(input: ParseStream<'_>) -> syn::Result<Vec<Entry>> {
    let content;
    braced!(content in input);
    let mut members: Vec<Entry> = Vec::new();
    while !content.is_empty() {
        let Ok(key) = content.parse::<LitStr>() else {
            return Err(content.error("a key must be a string in double quotes, as in JSON"));
        };
        if members.iter().any(|other| other.key == key.value()) {
            return Err(syn::Error::new(
                key.span(),
                format!("the key {:?} is given twice", key.value()),
            ));
        }
        if content.parse::<Token![:]>().is_err() {
            return Err(content.error("expected `:` and a value, as in JSON"));
        }
        let value = content.parse()?;
        members.push(Entry { key: key.value(), span: key.span(), value });
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(members)
}
