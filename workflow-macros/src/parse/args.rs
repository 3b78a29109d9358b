//! The arguments of the attributes.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{LitStr, Path};

use super::keys::Keys;
use super::options::{Options, comma, path, text};
use crate::literal;
use crate::metadata::{self, Entry};

/// What the option `crate` needs, and an example.
pub(super) const CRATE_PATH: (&str, &str) =
    ("the path of the `workflow-core` crate", "my_facade::workflow_core");
/// What the option `job` needs, and an example.
const JOB_PATH: (&str, &str) = ("the path of a function that draws a graph", "jobs::nightly");

/// The arguments of `#[job(..)]`.
#[derive(Default)]
pub(crate) struct JobArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) domain: Option<LitStr>,
    pub(crate) options: Options,
    krate: Option<Path>,
}

const JOB: &str = "\
    name domain retry start_to_close schedule_to_close heartbeat grace priority limit limits \
    task_queue inline crate";

impl JobArgs {
    /// Parses all valid arguments, and collects errors.
    pub(crate) fn parse(tokens: TokenStream) -> (Self, Option<syn::Error>) {
        let mut args = Self { krate: find_crate(tokens.clone()), ..Self::default() };
        let error = (|input: ParseStream<'_>| args.read(input)).parse2(tokens).err();
        (args, error)
    }

    fn read(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let mut keys = Keys::new(JOB, &[("limit", "limits")]);
        while !input.is_empty() {
            let (key, main) = keys.next(input)?;
            match main.as_str() {
                "name" => self.name = Some(name(&key, "\"greet\"", input)?),
                "domain" => self.domain = Some(name(&key, "\"booking\"", input)?),
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

/// The arguments of `#[register_workflow(..)]`.
#[derive(Default)]
pub(crate) struct WorkflowArgs {
    pub(crate) name: Option<LitStr>,
    /// The function that draws the workflow, if it is not the item with the attribute.
    pub(crate) job: Option<Path>,
    pub(crate) metadata: Vec<Entry>,
    pub(crate) options: Options,
    krate: Option<Path>,
}

const WORKFLOW: &str = "\
    name workflow_id job metadata description owner schedule tags project domain version retry \
    start_to_close schedule_to_close heartbeat grace limit limits concurrency rate_limit debounce \
    singleton fairness crate";

impl WorkflowArgs {
    /// Parses all valid arguments, and collects errors.
    pub(crate) fn parse(tokens: TokenStream) -> (Self, Option<syn::Error>) {
        let mut args = Self { krate: find_crate(tokens.clone()), ..Self::default() };
        let error = (|input: ParseStream<'_>| args.read(input)).parse2(tokens).err();
        (args, error)
    }

    fn read(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let mut keys = Keys::new(WORKFLOW, &[("workflow_id", "name"), ("limit", "limits")]);
        while !input.is_empty() {
            let (key, main) = keys.next(input)?;
            match main.as_str() {
                "name" => self.name = Some(name(&key, "\"greet\"", input)?),
                "job" => self.job = Some(path(&key, input, JOB_PATH)?),
                "crate" => self.krate = Some(path(&key, input, CRATE_PATH)?),
                "metadata" => {
                    for entry in metadata::object(&key, input)? {
                        self.say(entry)?;
                    }
                }
                "schedule" | "concurrency" | "rate_limit" | "debounce" | "singleton"
                | "fairness" => {
                    self.say(metadata::with_options(&key, input)?)?;
                }
                main if self.options.read(&key, main, input)? => {}
                _ => self.say(metadata::shorthand(&key, input)?)?,
            }
            comma(input)?;
        }
        Ok(())
    }

    fn say(&mut self, entry: Entry) -> syn::Result<()> {
        if self.metadata.iter().any(|other| other.key == entry.key) {
            let message = format!(
                "`{key}` is given twice: as an option and in `metadata`; remove one",
                key = entry.key
            );
            return Err(syn::Error::new(entry.span, message));
        }
        metadata::known_keys::entry(&entry)?;
        self.metadata.push(entry);
        Ok(())
    }

    /// The path of the core crate.
    pub(crate) fn krate(&self) -> TokenStream {
        core_crate(self.krate.as_ref())
    }
}

fn name(key: &Ident, example: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let name = text(key, input, example)?;
    literal::name(&name)?;
    Ok(name)
}

pub(super) fn core_crate(given: Option<&Path>) -> TokenStream {
    match given {
        Some(path) => quote!(#path),
        None => quote!(::workflow_core),
    }
}

/// Looks ahead for `crate = path`, so that code generated beside an error does not fail, too.
pub(super) fn find_crate(tokens: TokenStream) -> Option<Path> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        let is_key = matches!(&token, TokenTree::Ident(ident) if ident == "crate");
        let is_equals =
            |token| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '=');
        if is_key && is_equals(tokens.next()) {
            let path =
                |token: &TokenTree| !matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
            let path: TokenStream = tokens.take_while(path).collect();
            return Path::parse_mod_style.parse2(path).ok();
        }
    }
    None
}
