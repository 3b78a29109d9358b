//! Fallbacks for items that an attribute cannot be applied to: the item stays unchanged, and
//! placeholders replace the generated items, so that one mistake causes one error.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parse;

use crate::parse::function::Function;
use crate::parse::kind::Kind;

/// Parses the item in all its variants, or returns it with the error.
pub(crate) fn variants(item: TokenStream) -> Result<Vec<Function>, TokenStream> {
    let function = syn::parse::Parser::parse2(Function::parse, item.clone());
    function.and_then(Function::variants).map_err(|error| {
        let error = error.to_compile_error();
        // A function without a body is already an error.
        let bodiless = matches!(item.clone().into_iter().last(), Some(TokenTree::Punct(_)));
        let named_fn = |token| matches!(token, TokenTree::Ident(ident) if ident == "fn");
        let item =
            if bodiless && item.clone().into_iter().any(named_fn) { None } else { Some(item) };
        quote!(#item #error)
    })
}

/// A function, or its variants, without the effect of the attribute.
pub(crate) fn item(variants: &[Function], error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    let items = variants.iter().map(|function| {
        let mut attributes = function.attributes.clone();
        // Otherwise it would be unused.
        attributes.push(syn::parse_quote!(#[allow(dead_code)]));
        function.renamed(&attributes, &function.name)
    });
    quote!(#(#items)* #error)
}

/// An invalid job. The return type of its function contains the error, so that the compiler does
/// not check uses of it.
pub(crate) fn job(function: &Function, kinds: &[Kind], error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    if function.params.receiver.is_some() || function.params.variadic.is_some() {
        let item = function.renamed(&function.attributes, &function.name);
        return quote!(#item #error);
    }
    let site = Span::mixed_site();
    let (ident, visibility) = (&function.name, &function.visibility);
    let attributes =
        function.attributes_but(&["doc", "cfg", "deprecated", "job", "register_workflow"]);
    let call = function.renamed(&attributes, &Ident::new("call", site));
    let conditions = function.attributes_named("cfg");
    let inputs = kinds.iter().filter(|kind| kind.is_input() || matches!(kind, Kind::Flow)).count();
    let types: Vec<_> = (0..inputs).map(|index| format_ident!("__A{index}", span = site)).collect();
    quote_spanned! {site=>
        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #visibility enum #ident {}

        #(#conditions)*
        #[allow(dead_code, missing_docs)]
        impl #ident {
            #call

            #visibility fn draw<#(#types),*>(#(_: #types),*) -> [(); #error] {
                loop {}
            }
        }

        #(#conditions)*
        #[doc(hidden)]
        #[allow(dead_code)]
        #visibility fn #ident<#(#types),*>(#(_: #types),*) -> [(); #error] {
            loop {}
        }
    }
}

/// The error, unless `#[cfg(..)]` removes the function.
pub(crate) fn error(function: &Function, error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    let conditions = function.attributes_named("cfg");
    // An `impl` block cannot contain the item with the conditions.
    if conditions.is_empty() || function.params.receiver.is_some() {
        return error;
    }
    quote_spanned!(Span::mixed_site()=> #(#conditions)* const _: () = { #error };)
}

/// An invalid workflow: a function that is not registered.
pub(crate) fn workflow(function: &Function, error: &syn::Error) -> TokenStream {
    let error = self::error(function, error);
    let mut attributes = function.attributes.clone();
    if function.params.receiver.is_none() {
        // Otherwise it would be unused.
        attributes.push(syn::parse_quote!(#[allow(dead_code)]));
    }
    let item = function.renamed(&attributes, &function.name);
    quote!(#item #error)
}
