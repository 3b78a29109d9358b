//! The options of jobs, and parsers for lists of `key = value`.

use std::time::Duration;

use proc_macro2::{Ident, Span};
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Lit, LitStr, Token, bracketed, parenthesized, token};

use super::keys::Keys;
use crate::literal;

/// The options of a job, in `#[job]` and `#[register_workflow]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) retry: Option<Retry>,
    pub(crate) start_to_close: Option<Duration>,
    pub(crate) schedule_to_close: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) grace: Option<Grace>,
    pub(crate) priority: Option<i32>,
    pub(crate) limits: Vec<String>,
    pub(crate) task_queue: Option<LitStr>,
    /// The span of `inline`.
    pub(crate) inline: Option<Span>,
    /// The first option of a job, with its span.
    pub(crate) first: Option<Ident>,
}

/// `grace = ".."`, or `grace` alone.
#[derive(Clone, Copy)]
pub(crate) enum Grace {
    Engine,
    For(Duration),
}

/// `retry(..)`.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) maximum_attempts: u32,
    pub(crate) initial_interval: Option<Duration>,
    pub(crate) backoff_coefficient: Option<f64>,
    pub(crate) maximum_interval: Option<Duration>,
    pub(crate) jitter: Option<f64>,
    pub(crate) non_retryable_errors: Vec<String>,
}

impl Options {
    /// Parses the value of an option of jobs; returns `false` for other keys.
    pub(crate) fn read(
        &mut self,
        key: &Ident,
        main: &str,
        input: ParseStream<'_>,
    ) -> syn::Result<bool> {
        match main {
            "retry" => self.retry = Some(retry(key, input)?),
            "start_to_close" => self.start_to_close = Some(duration(key, input)?),
            "schedule_to_close" => self.schedule_to_close = Some(duration(key, input)?),
            "heartbeat" => self.heartbeat = Some(duration(key, input)?),
            "grace" if input.peek(Token![=]) => {
                self.grace = Some(Grace::For(duration(key, input)?));
            }
            "grace" => self.grace = Some(Grace::Engine),
            "priority" => self.priority = Some(priority(key, input)?),
            "limits" => self.limits = limits(key, input)?,
            "task_queue" => {
                let queue = text(key, input, "\"gpu\"")?;
                literal::name(&queue)?;
                self.task_queue = Some(queue);
            }
            "inline" => {
                if input.peek(Token![=]) || input.peek(token::Paren) {
                    return Err(input.error("`inline` has no value; remove it"));
                }
                self.inline = Some(key.span());
            }
            _ => return Ok(false),
        }
        self.first.get_or_insert_with(|| key.clone());
        Ok(true)
    }
}

const RETRY: &str = "\
    maximum_attempts initial_interval backoff_coefficient maximum_interval jitter \
    non_retryable_errors";

fn retry(key: &Ident, input: ParseStream<'_>) -> syn::Result<Retry> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(
            key.span(),
            "`retry` needs a list: `retry(maximum_attempts = 3)`",
        ));
    }
    let list;
    let parentheses = parenthesized!(list in input);
    let mut keys = Keys::new(RETRY, &[]);
    let mut retry = Retry::default();
    let mut attempts = None;
    while !list.is_empty() {
        let (key, main) = keys.next(&list)?;
        match main.as_str() {
            "maximum_attempts" => attempts = Some(maximum_attempts(&key, &list)?),
            "initial_interval" => retry.initial_interval = Some(duration(&key, &list)?),
            "maximum_interval" => retry.maximum_interval = Some(duration(&key, &list)?),
            "backoff_coefficient" => {
                let range = (1.0..=f64::MAX, "a number of at least 1");
                retry.backoff_coefficient = Some(number(&key, &list, range)?);
            }
            "jitter" => {
                retry.jitter = Some(number(&key, &list, (0.0..=1.0, "a number from 0 to 1"))?)
            }
            _ => retry.non_retryable_errors = texts(&key, &list)?,
        }
        comma(&list)?;
    }
    retry.maximum_attempts = attempts.ok_or_else(|| {
        let message = "`retry` needs `maximum_attempts`: the number of attempts, or 0 for no limit";
        syn::Error::new(parentheses.span.join(), message)
    })?;
    Ok(retry)
}

/// Reads the comma after an item, unless the list is over.
pub(crate) fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    match input.parse::<Token![,]>() {
        Ok(_) => Ok(()),
        Err(_) => Err(input.error("expected `,` before the next option")),
    }
}

pub(super) fn equals(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    match input.parse::<Token![=]>() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(syn::Error::new(key.span(), format!("`{key}` needs a value: `{key} = {example}`")))
        }
    }
}

/// Reads `= "text"`.
pub(crate) fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    equals(key, input, example)?;
    match input.parse::<Lit>() {
        Ok(Lit::Str(text)) => Ok(text),
        Ok(other) => Err(syn::Error::new(
            other.span(),
            format!("`{key}` needs a string literal: `{key} = {example}`"),
        )),
        Err(error) => Err(syn::Error::new(
            error.span(),
            format!("`{key}` needs a string literal: `{key} = {example}`"),
        )),
    }
}

/// Reads `= some::path`: what it must be, with an example.
pub(crate) fn path(
    key: &Ident,
    input: ParseStream<'_>,
    (wanted, example): (&str, &str),
) -> syn::Result<syn::Path> {
    equals(key, input, example)?;
    input.call(syn::Path::parse_mod_style).map_err(|error| {
        let message = format!("`{key}` needs {wanted}: `{key} = {example}`");
        syn::Error::new(error.span(), message)
    })
}

fn duration(key: &Ident, input: ParseStream<'_>) -> syn::Result<Duration> {
    literal::duration(&text(key, input, "\"30s\"")?)
}

fn maximum_attempts(key: &Ident, input: ParseStream<'_>) -> syn::Result<u32> {
    equals(key, input, "3")?;
    let wanted = "`maximum_attempts` needs an integer, 0 for no limit: `maximum_attempts = 3`";
    match input.parse::<Lit>() {
        Ok(Lit::Int(number)) if number.suffix().is_empty() => {
            number.base10_parse().map_err(|_| syn::Error::new(number.span(), wanted))
        }
        Ok(other) => Err(syn::Error::new(other.span(), wanted)),
        Err(error) => Err(syn::Error::new(error.span(), wanted)),
    }
}

fn priority(key: &Ident, input: ParseStream<'_>) -> syn::Result<i32> {
    equals(key, input, "-1")?;
    let span = input.span();
    let wanted = || syn::Error::new(span, "`priority` needs a 32-bit integer: `priority = -1`");
    let minus: Option<Token![-]> = input.parse()?;
    let Ok(Lit::Int(number)) = input.parse::<Lit>() else { return Err(wanted()) };
    let sign = if minus.is_some() { "-" } else { "" };
    if !number.suffix().is_empty() {
        return Err(wanted());
    }
    format!("{sign}{}", number.base10_digits()).parse().map_err(|_| wanted())
}

fn number(
    key: &Ident,
    input: ParseStream<'_>,
    (range, wanted): (std::ops::RangeInclusive<f64>, &str),
) -> syn::Result<f64> {
    equals(key, input, "1.0")?;
    let span = input.span();
    let wanted = || syn::Error::new(span, format!("`{key}` needs {wanted}"));
    let minus: Option<Token![-]> = input.parse()?;
    let value = match input.parse::<Lit>() {
        Ok(Lit::Int(number)) if number.suffix().is_empty() => number.base10_parse::<f64>(),
        Ok(Lit::Float(number)) if number.suffix().is_empty() => number.base10_parse::<f64>(),
        _ => return Err(wanted()),
    };
    let value = value.map_err(|_| wanted())?;
    let value = if minus.is_some() { -value } else { value };
    if range.contains(&value) { Ok(value) } else { Err(wanted()) }
}

/// Reads `limit = "a"` or `limits = ["a", "b"]`.
fn limits(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<String>> {
    if key == "limits" {
        return texts(key, input);
    }
    let limit = text(key, input, "\"database\"")?;
    literal::name(&limit)?;
    Ok(vec![limit.value()])
}

fn texts(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<String>> {
    equals(key, input, "[\"..\"]")?;
    let wanted = format!("`{key}` needs a list of strings: `{key} = [\"..\"]`");
    if !input.peek(token::Bracket) {
        return Err(input.error(wanted));
    }
    let list;
    bracketed!(list in input);
    let texts = Punctuated::<Lit, Token![,]>::parse_terminated(&list)
        .map_err(|error| syn::Error::new(error.span(), &wanted))?;
    let mut read = Vec::new();
    for text in texts {
        let Lit::Str(text) = text else { return Err(syn::Error::new(text.span(), wanted)) };
        literal::name(&text)?;
        if read.contains(&text.value()) {
            return Err(syn::Error::new(
                text.span(),
                format!("{:?} is listed twice", text.value()),
            ));
        }
        read.push(text.value());
    }
    Ok(read)
}
