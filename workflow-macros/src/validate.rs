//! Checks which functions the attributes support. Each error names a cure.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, GenericParam, Path, Type};

use crate::parse::function::{Function, Param};
use crate::parse::kind::{Kind, borrows, last_segment, peel};
use crate::parse::options::Options;
use crate::parse::place::Block;

/// How many inputs a job may have.
const MAX_INPUTS: usize = 12;

/// The attribute of a function, for messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Job,
    Workflow,
    Asset,
}

impl Role {
    fn noun(self) -> &'static str {
        match self {
            Self::Job => "a job",
            Self::Workflow => "a workflow",
            Self::Asset => "an asset",
        }
    }
}

/// Checks that the attribute can add items beside the function.
pub(crate) fn place(variants: &[Function], block: Option<Block>, role: Role) -> syn::Result<()> {
    let (Some(block), Some(function)) = (block, variants.first()) else { return Ok(()) };
    if function.params.receiver.is_some() {
        // Has its own error, which is more helpful.
        return Ok(());
    }
    let (noun, name) = (role.noun(), &function.name);
    let (holder, block) = match block {
        Block::Impl => ("an `impl` block", "block"),
        Block::Trait => ("a trait", "trait"),
    };
    let (makes, implement) = match role {
        Role::Job => ("a type and a function of the same name", "`Job` for the type"),
        Role::Workflow => ("an entry for the registry", "`Workflow` for the type"),
        Role::Asset => ("an entry for the registry", "the function outside of it"),
    };
    fail(
        name.span(),
        format!(
            "{noun} is a free function: the attribute makes {makes}, which {holder} cannot hold; \
             move `{name}` out of the {block}, or implement {implement}"
        ),
    )
}

/// Checks a function with `#[job]` on it.
pub(crate) fn job(function: &Function, kinds: &[Kind], options: &Options) -> syn::Result<()> {
    signature(function, Role::Job)?;
    for attribute in &function.attributes {
        let last = attribute.path().segments.last();
        let message = match last.map(|last| last.ident.to_string()).as_deref() {
            Some("job") => "a function can have only one `#[job]`; remove this one",
            Some("register_workflow") => "write `#[register_workflow]` above `#[job]`",
            _ => continue,
        };
        return fail(attribute.path().span(), message);
    }
    for (param, kind) in function.params.list.iter().zip(kinds) {
        match kind {
            Kind::Flow => fail(
                param.kind.span(),
                "a job cannot draw a graph; use `#[register_workflow]` for that",
            )?,
            Kind::Handle(inner) => fail(param.kind.span(), handle_hint(inner))?,
            _ => parameter(param, kind, Role::Job)?,
        }
    }
    contexts(function, kinds)?;
    if let Some(param) = inputs(function, kinds).nth(MAX_INPUTS) {
        let message =
            format!("a job has at most {MAX_INPUTS} inputs; put some of them into a struct");
        return fail(param.kind.span(), message);
    }
    if let Some(queue) = &options.task_queue
        && kinds.iter().any(|kind| matches!(kind, Kind::Context(context) if context.of_workflow))
    {
        let message = "a function with a `WorkflowContext` only waits for the jobs that it runs; \
                       set `task_queue` on those";
        return fail(queue.span(), message);
    }
    match (options.inline, function.asyncness) {
        (Some(span), Some(_)) => fail(
            span,
            "`inline` is for functions that are not async; an async job never uses a thread",
        ),
        _ => returned(function, Role::Job),
    }
}

fn handle_hint(inner: &Type) -> String {
    let inner = inner.to_token_stream();
    format!("a job receives values, not handles; take `{inner}` or `&{inner}`{OTHER_TYPE}")
}

/// The cure for a type of the host with the name of a type that the macros recognize.
const OTHER_TYPE: &str = " (a type of your own: import it under another name)";

/// Checks a function with `#[register_workflow]` on it.
pub(crate) fn workflow(function: &Function, kinds: &[Kind], options: &Options) -> syn::Result<()> {
    signature(function, Role::Workflow)?;
    let draws = matches!(kinds.first(), Some(Kind::Flow));
    if draws {
        graph(function, kinds, options)?;
    }
    for (param, kind) in function.params.list.iter().zip(kinds).skip(usize::from(draws)) {
        match kind {
            Kind::Flow => fail(param.kind.span(), "`flow: &mut Flow` must be the first parameter")?,
            Kind::Handle(inner) if !draws => fail(param.kind.span(), undrawn_hint(inner))?,
            Kind::Each(inner) => {
                let inner = inner.to_token_stream();
                let message =
                    format!("a workflow has one input; take `&[{inner}]` instead of `Each`");
                fail(param.kind.span(), message)?;
            }
            kind => {
                parameter(param, kind, Role::Workflow)?;
                workflow_input(param, kind)?;
            }
        }
    }
    contexts(function, kinds)?;
    if let Some(param) = inputs(function, kinds).nth(1) {
        let message = "a workflow has one input; put several into a struct or a tuple";
        return fail(param.kind.span(), message);
    }
    returned(function, Role::Workflow)
}

/// Checks a function with `#[asset]` on it.
pub(crate) fn asset(function: &Function, kinds: &[Kind], is_partitioned: bool) -> syn::Result<()> {
    signature(function, Role::Asset)?;
    let names = ["asset", "job", "register_workflow"];
    for attribute in &function.attributes {
        let last = attribute.path().segments.last();
        if last.is_some_and(|last| names.iter().any(|name| last.ident == name)) {
            let message = "a function is an asset, a job or a workflow; remove the other attributes, \
                           and call the function where it is needed";
            return fail(attribute.path().span(), message);
        }
    }
    for (param, kind) in function.params.list.iter().zip(kinds) {
        asset_parameter(param, kind, is_partitioned)?;
    }
    contexts(function, kinds)?;
    match &function.output {
        None => {
            let message = "an asset is what the function returns; return a type of your own";
            fail(function.name.span(), message)
        }
        Some(_) => returned(function, Role::Asset),
    }
}

fn asset_parameter(param: &Param, kind: &Kind, is_partitioned: bool) -> syn::Result<()> {
    let span = param.kind.span();
    let named = kind.value().and_then(last_segment);
    let is = |name: &str| named.is_some_and(|last| last.ident == name);
    if is("Partition") && !is_partitioned {
        let message = "the asset has no partitions; add `partitions = ..` to the attribute, or \
                       remove the parameter";
        return fail(span, message);
    }
    match kind {
        Kind::Flow | Kind::Handle(_) | Kind::Each(_) | Kind::Opt(_) => {
            let message = "an asset reads other assets: take `&T`, or `All<T>` for all partitions";
            fail(span, message)
        }
        Kind::Val(value) if !is("Partition") && !is("All") => {
            let value = value.to_token_stream();
            fail(span, format!("an asset reads other assets by reference; take `&{value}`"))
        }
        Kind::Context(context) if context.of_workflow => {
            fail(span, "an asset is made by a job; take a `JobContext`")
        }
        _ => parameter(param, kind, Role::Asset),
    }
}

/// Checks a function with `#[job]` below `#[register_workflow]`.
pub(crate) fn stacked(kinds: &[Kind], job: &Attribute, options: &Options) -> syn::Result<()> {
    let draws = matches!(kinds.first(), Some(Kind::Flow));
    if let (true, Ok(list)) = (draws, job.meta.require_list()) {
        let message = "a function that draws a graph has no options of a job; set them on its jobs";
        return fail(list.tokens.span(), message);
    }
    match &options.first {
        Some(option) if !draws => {
            fail(option.span(), format!("`{option}` is an option of the job; move it to `#[job]`"))
        }
        _ => Ok(()),
    }
}

/// Checks `job = path` and the item with the attribute.
pub(crate) fn by_path(path: &Path, item: &TokenStream, options: &Options) -> syn::Result<()> {
    if syn::parse2::<Function>(item.clone()).is_ok() {
        let message = "`job` names a function, but the attribute is on another function; remove \
                       `job`, or move the attribute to an item such as `use jobs::nightly;`";
        return fail(path.span(), message);
    }
    no_options(options)
}

/// Checks that a workflow with a graph has no options of a job.
fn no_options(options: &Options) -> syn::Result<()> {
    match &options.first {
        None => Ok(()),
        Some(option) => {
            let message =
                format!("`{option}` is for workflows without a graph; set it on the jobs");
            fail(option.span(), message)
        }
    }
}

fn undrawn_hint(inner: &Type) -> String {
    let inner = inner.to_token_stream();
    format!(
        "only a function that draws a graph takes handles; take `{inner}`, \
         or `flow: &mut Flow` as the first parameter{OTHER_TYPE}"
    )
}

/// Checks functions that draw graphs.
fn graph(function: &Function, kinds: &[Kind], options: &Options) -> syn::Result<()> {
    if let Some(token) = function.asyncness {
        return fail(
            token.span,
            "a function that draws a graph cannot be async; remove `async` and wait inside of jobs",
        );
    }
    no_options(options)?;
    for (param, kind) in function.params.list.iter().zip(kinds) {
        match kind {
            Kind::Context(_) => {
                let message = "a function that draws a graph has no context, because nothing runs yet; use it in a job";
                fail(param.kind.span(), message)?;
            }
            Kind::Provided(_) => {
                let message = "a function that draws a graph has no state and no configuration, because \
                               nothing runs yet; use it in a job";
                fail(param.kind.span(), message)?;
            }
            Kind::Opt(_) => fail(param.kind.span(), "take the input as `&T`, `T` or `Handle<T>`")?,
            _ => {}
        }
    }
    Ok(())
}

fn workflow_input(param: &Param, kind: &Kind) -> syn::Result<()> {
    let (Kind::Ref(value) | Kind::Opt(value)) = kind else { return Ok(()) };
    match peel(value) {
        Type::TraitObject(_) => {
            let message = "an input must be a type that can be owned; take a struct or an enum \
                           instead of the trait object";
            fail(param.kind.span(), message)
        }
        _ => Ok(()),
    }
}

fn inputs<'a>(function: &'a Function, kinds: &'a [Kind]) -> impl Iterator<Item = &'a Param> {
    let params = function.params.list.iter().zip(kinds);
    let inputs = params.filter(|(_, kind)| kind.is_input());
    inputs.map(|(param, _)| param)
}

/// Checks everything but the types.
fn signature(function: &Function, role: Role) -> syn::Result<()> {
    let noun = role.noun();
    if let Some(span) = function.params.receiver {
        let cure = match role {
            Role::Job => "take what it needs as parameters, or implement `Job` for the type",
            Role::Workflow => "take what it needs as input, or implement `Workflow` for the type",
            Role::Asset => "take what it needs as parameters",
        };
        return fail(span, format!("{noun} must be a free function without `self`; {cure}"));
    }
    if let Some((span, what)) = function.unfit {
        return fail(
            span,
            format!("{noun} cannot be `{what}`; remove it, or call such a function inside"),
        );
    }
    match function.generics.params.first() {
        Some(param @ GenericParam::Lifetime(_)) => {
            let cure = "omit them, as in `&T` and `Each<'_, T>`";
            return fail(param.span(), format!("{noun} cannot name lifetimes; {cure}"));
        }
        Some(param) => {
            let cure = "use a concrete type, and call a generic function inside";
            return fail(param.span(), format!("{noun} cannot be generic; {cure}"));
        }
        None => {}
    }
    match function.params.variadic {
        Some(span) => fail(span, format!("{noun} has a fixed number of parameters; remove `...`")),
        None => Ok(()),
    }
}

/// Checks the type of one parameter.
fn parameter(param: &Param, kind: &Kind, role: Role) -> syn::Result<()> {
    let noun = role.noun();
    let span = param.kind.span();
    if let Kind::Mut = kind {
        let flow = match role {
            Role::Job | Role::Asset => "",
            Role::Workflow => "; to draw a graph, write the type as `&mut Flow`",
        };
        let message = format!(
            "{noun} cannot change its input, which others may read; take `&T`, or `mut name: T`{flow}"
        );
        return fail(span, message);
    }
    if let Kind::Provided(provided) = kind {
        return self::provided(provided, noun);
    }
    if let Kind::Misplaced = kind {
        let message = "take application state by value, as `State<T>`, and configuration as \
                       `Config<T>`; both are cheap to clone";
        return fail(span, message);
    }
    let Some(value) = kind.value() else { return Ok(()) };
    if let Some(span) = find_impl(value.to_token_stream()) {
        return fail(span, format!("{noun} cannot take `impl Trait`; write a concrete type"));
    }
    if borrows(value) {
        let message = "an input outlives the job that made it, so it cannot hold references; \
                       use an owned type inside";
        return fail(span, message);
    }
    let flow = role == Role::Workflow
        && matches!(kind, Kind::Val(_))
        && last_segment(value).is_some_and(|last| last.ident == "Flow");
    if flow {
        let message = format!("a function that draws a graph takes `flow: &mut Flow`{OTHER_TYPE}");
        return fail(span, message);
    }
    Ok(())
}

/// Checks the type of a parameter that the engine provides.
fn provided(kind: &Type, noun: &str) -> syn::Result<()> {
    if let Some(span) = find_impl(kind.to_token_stream()) {
        return fail(span, format!("{noun} cannot take `impl Trait`; write a concrete type"));
    }
    if borrows(kind) {
        let message = "application state and configuration outlive every run, so they cannot hold \
                       references; use an owned type inside";
        return fail(kind.span(), message);
    }
    Ok(())
}

fn contexts(function: &Function, kinds: &[Kind]) -> syn::Result<()> {
    let params = function.params.list.iter().zip(kinds);
    let mut contexts = params.filter(|(_, kind)| matches!(kind, Kind::Context(_)));
    match contexts.nth(1) {
        Some((param, _)) => fail(param.kind.span(), "one context is enough; remove this one"),
        None => Ok(()),
    }
}

fn returned(function: &Function, role: Role) -> syn::Result<()> {
    let Some(kind) = &function.output else { return Ok(()) };
    let noun = role.noun();
    if let Type::Never(never) = peel(kind) {
        let message = format!(
            "{noun} has an output, which `!` cannot be the type of; \
             return `std::convert::Infallible`, or a `Result`"
        );
        return fail(never.span(), message);
    }
    if let Some(span) = find_impl(kind.to_token_stream()) {
        return fail(span, format!("{noun} cannot return `impl Trait`; write a concrete type"));
    }
    if borrows(kind) {
        let message = format!(
            "{noun} cannot return references, because its output outlives it; return an owned value"
        );
        return fail(kind.span(), message);
    }
    Ok(())
}

fn find_impl(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "impl" => Some(ident.span()),
        TokenTree::Group(group) => find_impl(group.stream()),
        _ => None,
    })
}

fn fail(span: Span, message: impl std::fmt::Display) -> syn::Result<()> {
    Err(syn::Error::new(span, message))
}
