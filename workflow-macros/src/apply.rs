//! The way of an attribute through the stages.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{self, Work};
use crate::parse::args::{JobArgs, WorkflowArgs};
use crate::parse::kind;
use crate::{fallback, validate};

/// Applies `#[job(args)]`.
pub(crate) fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    let function = match fallback::function(item) {
        Ok(function) => function,
        Err(item) => return item,
    };
    let kinds = kind::of_all(&function.params.list);
    let (args, mistake) = JobArgs::parse(args);
    match (mistake, validate::function::job(&function, &kinds, &args.options)) {
        (None, Ok(())) => expand::job(&Work { function, kinds, krate: args.krate() }, &args),
        // The function is fine, and so is what others do with the job.
        (Some(mistake), Ok(())) => {
            let mistake = mistake.to_compile_error();
            let job = expand::job(&Work { function, kinds, krate: args.krate() }, &args);
            quote!(#job #mistake)
        }
        (Some(error), Err(_)) | (None, Err(error)) => fallback::job(&function, &kinds, &error),
    }
}

/// Applies `#[register_workflow(args)]`.
pub(crate) fn workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    let function = match fallback::function(item) {
        Ok(function) => function,
        Err(item) => return item,
    };
    let kinds = kind::of_all(&function.params.list);
    let (args, mistake) = WorkflowArgs::parse(args);
    let checked = validate::function::workflow(&function, &kinds, &args.options);
    match mistake.map_or(checked, Err) {
        Ok(()) => expand::workflow(&Work { function, kinds, krate: args.krate() }, &args),
        Err(error) => fallback::workflow(&function, &error),
    }
}
