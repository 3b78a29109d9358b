//! A job called with values runs its function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::Job;
use crate::expand::Input;
use crate::parse::kind::Kind;

impl Job<'_> {
    /// Called with values, the function runs.
    pub(super) fn now(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, ident) = (work.private(), self.ident());
        let conditions = work.conditions();
        let inputs = work.inputs();
        let mut borrowed = Vec::new();
        let (mut elements, mut values) = (Vec::new(), Vec::new());
        for (Input { local, kind }, argument) in inputs.iter().zip(self.type_parameters()) {
            let (element, value) = self.now_input(kind, local, &argument);
            elements.push(element);
            values.push(value);
            if let Kind::Ref(inner) | Kind::Opt(inner) = kind {
                let sync =
                    work.function.asyncness.map(|_| quote_spanned!(site=> + ::core::marker::Sync));
                borrowed.push(
                    quote_spanned!(site=> #argument: ?::core::marker::Sized + ::core::borrow::Borrow<#inner> #sync),
                );
            }
        }
        let borrows =
            inputs.iter().any(|input| !matches!(input.kind, Kind::Val(_) | Kind::Handle(_)));
        let lifetime = borrows.then(|| quote_spanned!(site=> '__a,));
        let (output, mut invoke) = self.now_call(&values, borrows);
        // Such a parameter comes from an engine: the function requires a handle, so this is never called.
        if work.provided().next().is_some() {
            invoke = quote_spanned!(site=> ::core::unreachable!());
        }
        let output = work.output_item(&output);
        let locals = inputs.iter().map(|input| &input.local);
        quote_spanned! {site=>
            #(#conditions)*
            impl<#lifetime #(#borrowed),*> #private::Invoke<#private::NowArgs<(#(#elements,)*)>> for #ident {
                #output

                fn invoke(
                    #private::NowArgs((#(#locals,)*)): #private::NowArgs<(#(#elements,)*)>,
                ) -> Self::Output {
                    #invoke
                }
            }
        }
    }

    /// The type of a value argument, and its conversion for the function.
    fn now_input(
        &self,
        kind: &Kind,
        local: &Ident,
        argument: &Ident,
    ) -> (TokenStream, TokenStream) {
        let site = Span::mixed_site();
        let private = self.work.private();
        match kind {
            Kind::Ref(inner) => (
                quote_spanned!(site=> &'__a #argument),
                quote_spanned!(site=> <#argument as ::core::borrow::Borrow<#inner>>::borrow(#local)),
            ),
            Kind::Opt(inner) => (
                quote_spanned!(site=> ::core::option::Option<&'__a #argument>),
                quote_spanned!(site=> ::core::option::Option::map(#local, <#argument as ::core::borrow::Borrow<#inner>>::borrow)),
            ),
            Kind::Each(inner) => {
                (quote_spanned!(site=> #private::Each<'__a, #inner>), quote_spanned!(site=> #local))
            }
            other => {
                let kind = other.value();
                (quote_spanned!(site=> #kind), quote_spanned!(site=> #local))
            }
        }
    }

    fn now_call(&self, values: &[TokenStream], borrows: bool) -> (TokenStream, TokenStream) {
        let work = self.work;
        let site = Span::mixed_site();
        let (ident, returned) = (self.ident(), work.returned());
        let context = work.make_context(None);
        let arguments = work.arguments(&quote_spanned!(site=> __context), values);
        if work.function.asyncness.is_none() {
            return (returned, quote_spanned!(site=> #context #ident::call(#arguments)));
        }
        let lifetime = if borrows { "'__a" } else { "'static" };
        let lifetime = syn::Lifetime::new(lifetime, site);
        let output = quote_spanned! {site=>
            ::core::pin::Pin<::std::boxed::Box<
                dyn ::core::future::Future<Output = #returned> + ::core::marker::Send + #lifetime
            >>
        };
        let invoke = quote_spanned! {site=>
            ::std::boxed::Box::pin(async move { #context #ident::call(#arguments).await })
        };
        (output, invoke)
    }
}
