//! Applies attributes through all stages.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Path};

use crate::expand::{self, Work};
use crate::parse::args::{JobArgs, WorkflowArgs};
use crate::parse::asset_args::{self, AssetArgs};
use crate::parse::function::Function;
use crate::parse::kind::{self, Kind};
use crate::parse::place::Block;
use crate::validate::Role;
use crate::{fallback, validate};

/// Applies `#[job(args)]`.
pub(crate) fn job(args: TokenStream, item: TokenStream, block: Option<Block>) -> TokenStream {
    let variants = match fallback::variants(item) {
        Ok(variants) => variants,
        Err(item) => return item,
    };
    if let Err(error) = validate::place(&variants, block, Role::Job) {
        return fallback::item(&variants, &error);
    }
    let (args, mistake) = JobArgs::parse(args);
    variants.into_iter().map(|function| job_of(function, &args, mistake.as_ref())).collect()
}

/// Makes a job of a function.
fn job_of(function: Function, args: &JobArgs, mistake: Option<&syn::Error>) -> TokenStream {
    let kinds = kind::of_all(&function.params.list);
    match validate::job(&function, &kinds, &args.options) {
        Ok(()) => {
            // The function is valid, and so are uses of the job.
            let mistake = mistake.map(|mistake| fallback::error(&function, mistake));
            let work = Work { function, kinds, krate: args.krate(), role: Role::Job };
            let job = expand::job(&work, args);
            quote!(#job #mistake)
        }
        Err(error) => fallback::job(&function, &kinds, mistake.unwrap_or(&error)),
    }
}

/// Applies `#[asset(args)]`.
pub(crate) fn asset(args: TokenStream, item: TokenStream, block: Option<Block>) -> TokenStream {
    let variants = match fallback::variants(item) {
        Ok(variants) => variants,
        Err(item) => return item,
    };
    if let Err(error) = validate::place(&variants, block, Role::Asset) {
        return fallback::item(&variants, &error);
    }
    let (args, mistake) = AssetArgs::parse(args);
    let assets = variants.into_iter().map(|function| asset_of(function, &args, mistake.as_ref()));
    assets.collect()
}

/// Makes an asset of a function.
fn asset_of(function: Function, args: &AssetArgs, mistake: Option<&syn::Error>) -> TokenStream {
    let kinds = kind::of_all(&function.params.list);
    let named = match &args.name {
        Some(_) => Ok(()),
        None => {
            asset_args::word(LitStr::new(&function.name.unraw().to_string(), function.name.span()))
                .map(drop)
        }
    };
    let checked =
        named.and_then(|()| validate::asset(&function, &kinds, args.partitions.is_some()));
    match mistake.cloned().map_or(checked, Err) {
        Ok(()) => {
            let work = Work { function, kinds, krate: args.krate(), role: Role::Asset };
            expand::asset(&work, args)
        }
        Err(error) => fallback::workflow(&function, &error),
    }
}

/// Applies `#[register_workflow(args)]`.
pub(crate) fn workflow(args: TokenStream, item: TokenStream, block: Option<Block>) -> TokenStream {
    let (args, mistake) = WorkflowArgs::parse(args);
    if let Some(path) = &args.job {
        return by_path(path, &args, mistake, &item);
    }
    let variants = match (fallback::variants(item.clone()), &mistake) {
        (Ok(variants), _) => variants,
        (Err(item), None) => return item,
        // The mistake may be in the option that lets the item be no function.
        (Err(_), Some(mistake)) => {
            let mistake = mistake.to_compile_error();
            return quote!(#item #mistake);
        }
    };
    if let Err(error) = validate::place(&variants, block, Role::Workflow) {
        return fallback::item(&variants, &error);
    }
    let workflows = variants.into_iter().map(|mut function| match function.take_attribute("job") {
        Some(job) => stacked(function, &job, &args, mistake.clone()),
        None => workflow_of(function, &args, mistake.clone()),
    });
    workflows.collect()
}

/// Makes a workflow of a function.
fn workflow_of(
    function: Function,
    args: &WorkflowArgs,
    mistake: Option<syn::Error>,
) -> TokenStream {
    let kinds = kind::of_all(&function.params.list);
    let checked = validate::workflow(&function, &kinds, &args.options);
    match mistake.map_or(checked, Err) {
        Ok(()) => {
            let work = Work { function, kinds, krate: args.krate(), role: Role::Workflow };
            expand::workflow(&work, args)
        }
        Err(error) => fallback::workflow(&function, &error),
    }
}

/// Makes a job of a function with `#[job]` below the attribute, and a workflow of that job. A
/// function that draws is a workflow as it is.
fn stacked(
    function: Function,
    job: &Attribute,
    args: &WorkflowArgs,
    mistake: Option<syn::Error>,
) -> TokenStream {
    let kinds = kind::of_all(&function.params.list);
    let checked = validate::stacked(&kinds, job, &args.options);
    let mistake = mistake.or(checked.err());
    if matches!(kinds.first(), Some(Kind::Flow)) {
        return workflow_of(function, args, mistake);
    }
    let (job_args, job_mistake) = JobArgs::parse(attribute_arguments(job));
    let checked = validate::workflow(&function, &kinds, &args.options);
    let entry = match mistake.map_or(checked, Err) {
        Ok(()) => {
            let work = Work {
                function: function.clone(),
                kinds,
                krate: args.krate(),
                role: Role::Workflow,
            };
            expand::workflow_of_job(&work, args)
        }
        Err(error) => fallback::error(&function, &error),
    };
    let job = job_of(function, &job_args, job_mistake.as_ref());
    quote!(#job #entry)
}

/// The arguments of an attribute; none if it has another form than `#[name(..)]`.
fn attribute_arguments(attribute: &Attribute) -> TokenStream {
    attribute.meta.require_list().map(|list| list.tokens.clone()).unwrap_or_default()
}

/// Registers the function with this path. The item with the attribute is not changed.
fn by_path(
    path: &Path,
    args: &WorkflowArgs,
    mistake: Option<syn::Error>,
    item: &TokenStream,
) -> TokenStream {
    let checked = validate::by_path(path, item, &args.options);
    let entry = match mistake.map_or(checked, Err) {
        Ok(()) => expand::workflow_at(path, args, item),
        Err(error) => error.to_compile_error(),
    };
    quote!(#item #entry)
}
