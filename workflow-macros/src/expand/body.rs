//! The body of a job: reads the inputs, calls the function, stores the output.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::{Input, Work, local};

/// Where a function runs that is not async.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a thread for blocking work.
    Thread,
    /// On the thread that executes the run.
    Inline,
}

/// How a body uses the readers of its inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Of any kind, so that each attempt takes clones.
    Cloned,
    /// Of a kind that is copied by being used.
    Copied,
}

impl Work {
    /// The body that calls `callee`. Readers are locals that are named after their inputs.
    pub(super) fn body(&self, callee: &TokenStream, place: Place, readers: Readers) -> TokenStream {
        let private = self.private();
        let site = Span::mixed_site();
        if self.function.asyncness.is_none() {
            let work = self.attempt(callee, &quote_spanned!(site=> __scope), None);
            let place = match place {
                Place::Thread => "blocking",
                Place::Inline => "inline",
            };
            let place = Ident::new(place, site);
            return quote_spanned! {site=>
                #private::Body::#place(move |__scope: &#private::AttemptIo| { #work })
            };
        }
        let dot_await = quote_spanned!(site=> .await);
        let work = self.attempt(callee, &quote_spanned!(site=> &__scope), Some(dot_await));
        let locals = self.inputs().into_iter().map(|input| input.local);
        let clones = locals
            .map(|local| quote_spanned!(site=> let #local = ::core::clone::Clone::clone(&#local);));
        let clones = clones.filter(|_| readers == Readers::Cloned);
        quote_spanned! {site=>
            #private::Body::future(move |__scope: #private::AttemptIo| {
                #(#clones)*
                async move { #work }
            })
        }
    }

    /// One attempt, with `scope` being an expression for a reference to it.
    fn attempt(
        &self,
        callee: &TokenStream,
        scope: &TokenStream,
        dot_await: Option<TokenStream>,
    ) -> TokenStream {
        let private = self.private();
        let site = Span::mixed_site();
        let inputs = self.inputs();
        let values: Vec<Ident> = (0..inputs.len()).map(|index| local("value", index)).collect();
        let reads = inputs.iter().zip(&values).map(|(Input { local, kind }, value)| {
            let kind = self.kind(kind);
            quote_spanned!(site=> let #value = #private::Reader::<#kind>::read(&#local, #scope)?;)
        });
        let context = self.make_context(Some(scope));
        let provided = self.make_provided(scope);
        let replacement = self.fake(scope);
        let values: Vec<_> = values.iter().map(|value| quote_spanned!(site=> #value)).collect();
        let arguments = self.arguments(&quote_spanned!(site=> __context), &values);
        let call = quote_spanned!(site=> #callee(#arguments)#dot_await);
        let (prepare, call) = match replacement {
            // What the engine provides, and the context, are only for the function.
            Some(fake) => {
                let call = quote_spanned! {site=>
                    match #fake {
                        ::core::option::Option::None => {
                            #provided
                            #context
                            #call
                        }
                        ::core::option::Option::Some(__fake) => __fake(#(#values),*),
                    }
                };
                (TokenStream::new(), call)
            }
            None => (quote_spanned!(site=> #provided #context), call),
        };
        let output = if self.may_fail() {
            let fallible = self.fallible();
            // The place is that of the return type, which is what an error would be about.
            let output = quote_spanned!(self.output_span()=> __result?);
            quote_spanned! {site=>
                let __result = #private::JobReturn::<#fallible>::into_result(#call);
                let __output = #output;
            }
        } else {
            quote_spanned!(site=> let __output = #call;)
        };
        quote_spanned! {site=>
            #(#reads)*
            #prepare
            #output
            #private::AttemptIo::put(#scope, __output)
        }
    }
}
