//! The arguments of `#[asset(..)]`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Lit, LitStr, Path, Token, bracketed, parenthesized, token};
use workflow_cron::{Period, PeriodError, Periods};

use super::args::{CRATE_PATH, core_crate, find_crate};
use super::keys::Keys;
use super::options::{Options, comma, equals, path, text};
use crate::literal;

/// The arguments of `#[asset(..)]`.
#[derive(Default)]
pub(crate) struct AssetArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) code_version: Option<CodeVersion>,
    pub(crate) partitions: Option<PartitionsArg>,
    pub(crate) freshness: Option<Duration>,
    pub(crate) checks: Vec<CheckArg>,
    pub(crate) options: Options,
    krate: Option<Path>,
}

/// `code_version = ..`.
pub(crate) enum CodeVersion {
    Text(LitStr),
    /// A constant of type `&'static str`, such as `include_str!(..)`. The compiler checks it.
    Constant(TokenStream),
}

/// `partitions = ..`.
pub(crate) enum PartitionsArg {
    Periods { period: Period, first: LitStr, timezone: Option<LitStr> },
    Keys(Vec<LitStr>),
}

/// A check: the path of a function.
pub(crate) struct CheckArg {
    pub(crate) path: Path,
    pub(crate) is_blocking: bool,
}

const ASSET: &str = "\
    name code_version partitions freshness checks retry start_to_close schedule_to_close heartbeat \
    grace priority limit limits crate";

/// What the option `partitions` needs.
const PARTITIONS: &str = "`partitions` needs periods or keys: `partitions = daily(\"2026-01-01\")`, \
                          or `hourly`, `weekly`, `monthly`, or `partitions = [\"eu\", \"us\"]`";

impl AssetArgs {
    /// Parses all valid arguments, and collects errors.
    pub(crate) fn parse(tokens: TokenStream) -> (Self, Option<syn::Error>) {
        let mut args = Self { krate: find_crate(tokens.clone()), ..Self::default() };
        let error = (|input: ParseStream<'_>| args.read(input)).parse2(tokens).err();
        (args, error)
    }

    fn read(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let mut keys = Keys::new(ASSET, &[("limit", "limits")]);
        while !input.is_empty() {
            let (key, main) = keys.next(input)?;
            match main.as_str() {
                "name" => self.name = Some(word(text(&key, input, "\"orders\"")?)?),
                "code_version" => self.code_version = Some(code_version(&key, input)?),
                "partitions" => self.partitions = Some(partitions(&key, input)?),
                "freshness" => self.freshness = Some(age(&text(&key, input, "\"1d\"")?)?),
                "checks" => self.checks = checks(&key, input)?,
                "crate" => self.krate = Some(path(&key, input, CRATE_PATH)?),
                main => {
                    self.options.read(&key, main, input)?;
                }
            }
            comma(input)?;
        }
        Ok(())
    }

    /// The path of the core crate.
    pub(crate) fn krate(&self) -> TokenStream {
        core_crate(self.krate.as_ref())
    }
}

fn code_version(key: &Ident, input: ParseStream<'_>) -> syn::Result<CodeVersion> {
    let is_constant = input.peek(Token![=]) && !input.peek2(Lit) && input.peek2(Ident::peek_any);
    if !is_constant {
        let version = text(key, input, "\"2\"")?;
        literal::name(&version)?;
        return Ok(CodeVersion::Text(version));
    }
    input.parse::<Token![=]>()?;
    let mut constant = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        constant.extend([input.parse::<TokenTree>()?]);
    }
    Ok(CodeVersion::Constant(constant))
}

/// Reads an age, which may be in days of 24 hours.
fn age(literal: &LitStr) -> syn::Result<Duration> {
    let span = literal.value().parse::<Span>().ok();
    let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    match age.filter(|age| age.is_positive()).map(Duration::try_from) {
        Some(Ok(age)) => Ok(age),
        _ => literal::duration(literal),
    }
}

/// Checks a name or a key, which is a part of paths.
pub(crate) fn word(literal: LitStr) -> syn::Result<LitStr> {
    let text = literal.value();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    let problem = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_WORD {
        "it has more than 90 characters"
    } else if !text.chars().all(is_plain) {
        "it names a folder, so it may contain only letters and digits of ASCII, `_`, `-` and `.`"
    } else if text.starts_with('.') || text.ends_with('.') {
        "it names a folder, so it cannot start or end with `.`"
    } else {
        return Ok(literal);
    };
    Err(syn::Error::new(literal.span(), format!("invalid name {text:?}: {problem}")))
}

/// The longest name or key: both together, with brackets, name a job.
const MAX_WORD: usize = 90;

fn partitions(key: &Ident, input: ParseStream<'_>) -> syn::Result<PartitionsArg> {
    equals(key, input, "daily(\"2026-01-01\")")?;
    if input.peek(token::Bracket) {
        return keyed(input);
    }
    let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), PARTITIONS))?;
    let period = match name.to_string().as_str() {
        "hourly" => Period::Hour,
        "daily" => Period::Day,
        "weekly" => Period::Week,
        "monthly" => Period::Month,
        _ => return Err(syn::Error::new(name.span(), PARTITIONS)),
    };
    let example = period.example();
    let wanted = format!("`{name}` needs the first period: `{name}(\"{example}\")`");
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(name.span(), wanted));
    }
    let list;
    parenthesized!(list in input);
    let first: LitStr = list.parse().map_err(|error| syn::Error::new(error.span(), &wanted))?;
    let mut timezone = None;
    comma(&list)?;
    if !list.is_empty() {
        let mut keys = Keys::new("timezone", &[]);
        let (key, _) = keys.next(&list)?;
        timezone = Some(text(&key, &list, "\"Europe/Berlin\"")?);
        comma(&list)?;
    }
    if !list.is_empty() {
        return Err(list.error("expected `)`"));
    }
    if let Err(error) = Periods::new(period, &first.value(), None) {
        return Err(syn::Error::new(first.span(), error));
    }
    if let (Period::Hour, Some(zone)) = (period, &timezone) {
        return Err(syn::Error::new(zone.span(), PeriodError::HourOfZone));
    }
    Ok(PartitionsArg::Periods { period, first, timezone })
}

fn keyed(input: ParseStream<'_>) -> syn::Result<PartitionsArg> {
    let list;
    let brackets = bracketed!(list in input);
    let parsed = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)
        .map_err(|error| syn::Error::new(error.span(), PARTITIONS))?;
    let mut keys: Vec<LitStr> = Vec::new();
    for key in parsed {
        let key = word(key)?;
        if keys.iter().any(|other| other.value() == key.value()) {
            return Err(syn::Error::new(key.span(), format!("{:?} is listed twice", key.value())));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        let message =
            "an asset without partitions has no option `partitions`; remove it, or list keys";
        return Err(syn::Error::new(brackets.span.join(), message));
    }
    Ok(PartitionsArg::Keys(keys))
}

/// What the option `checks` needs.
const CHECKS: &str = "`checks` needs lists of functions: \
                      `checks(block = [has_rows], warn = [is_recent])`";

fn checks(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<CheckArg>> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(key.span(), CHECKS));
    }
    let list;
    parenthesized!(list in input);
    let mut keys = Keys::new("block warn", &[]);
    let mut checks = Vec::new();
    while !list.is_empty() {
        let (key, main) = keys.next(&list)?;
        let is_blocking = main == "block";
        equals(&key, &list, "[has_rows]")?;
        if !list.peek(token::Bracket) {
            return Err(list.error(CHECKS));
        }
        let functions;
        bracketed!(functions in list);
        while !functions.is_empty() {
            let path = Path::parse_mod_style(&functions)
                .map_err(|error| syn::Error::new(error.span(), CHECKS))?;
            checks.push(CheckArg { path, is_blocking });
            comma(&functions)?;
        }
        comma(&list)?;
    }
    Ok(checks)
}
