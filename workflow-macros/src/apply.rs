//! Applies attributes through all stages.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{self, Work};
use crate::parse::args::{JobArgs, WorkflowArgs};
use crate::parse::kind;
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
    let jobs = variants.into_iter().map(|function| {
        let kinds = kind::of_all(&function.params.list);
        match validate::job(&function, &kinds, &args.options) {
            Ok(()) => {
                // The function is valid, and so are uses of the job.
                let mistake = mistake.as_ref().map(|mistake| fallback::error(&function, mistake));
                let job = expand::job(
                    &Work { function, kinds, krate: args.krate(), role: Role::Job },
                    &args,
                );
                quote!(#job #mistake)
            }
            Err(error) => fallback::job(&function, &kinds, mistake.as_ref().unwrap_or(&error)),
        }
    });
    jobs.collect()
}

/// Applies `#[register_workflow(args)]`.
pub(crate) fn workflow(args: TokenStream, item: TokenStream, block: Option<Block>) -> TokenStream {
    let variants = match fallback::variants(item) {
        Ok(variants) => variants,
        Err(item) => return item,
    };
    if let Err(error) = validate::place(&variants, block, Role::Workflow) {
        return fallback::item(&variants, &error);
    }
    let (args, mistake) = WorkflowArgs::parse(args);
    let workflows = variants.into_iter().map(|function| {
        let kinds = kind::of_all(&function.params.list);
        let checked = validate::workflow(&function, &kinds, &args.options);
        match mistake.clone().map_or(checked, Err) {
            Ok(()) => expand::workflow(
                &Work { function, kinds, krate: args.krate(), role: Role::Workflow },
                &args,
            ),
            Err(error) => fallback::workflow(&function, &error),
        }
    });
    workflows.collect()
}
