//! A job called with handles describes a job of a graph.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::Job;
use crate::parse::kind::Kind;

impl Job<'_> {
    /// Called with handles, the function describes a job.
    pub(super) fn later(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, ident, drawn) = (work.private(), self.ident(), self.drawn());
        let conditions = work.conditions();
        let inputs = work.inputs();
        let locals: Vec<_> = inputs.iter().map(|input| &input.local).collect();
        let types = self.type_parameters();
        let visibility = &work.function.visibility;
        let bounds: Vec<_> = inputs.iter().zip(&types).map(|(input, argument)| {
            let kind = work.kind(input.kind);
            let out = self.read_type(input.kind);
            quote_spanned! {site=>
                #argument: #private::Bind<#kind, Reader: for<'__s> #private::Reader<#kind, Out<'__s> = #out>>
            }
        }).collect();
        let kinds = inputs.iter().map(|input| work.kind(input.kind));
        let output = work.output();
        let item = work.output_item(&quote_spanned!(site=> #private::Call<#output>));
        quote_spanned! {site=>
            #(#conditions)*
            impl<#(#types),*> #private::Invoke<#private::LaterArgs<(#(#types,)*)>> for #ident
            where
                #(#bounds,)*
            {
                #item

                fn invoke(
                    #private::LaterArgs((#(#locals,)*)): #private::LaterArgs<(#(#types,)*)>,
                ) -> Self::Output {
                    #ident::draw(#(#locals),*)
                }
            }

            #(#conditions)*
            impl #ident {
                /// A call of the job, to be drawn into a graph, even when no argument is a handle.
                #[allow(unreachable_pub, unknown_lints, clippy::too_many_arguments)]
                #visibility fn draw<#(#types),*>(#(#locals: #types),*) -> #private::Call<#output>
                where
                    #(#bounds,)*
                {
                    let mut __inputs = #private::Inputs::new();
                    #(let #locals = #private::Bind::<#kinds>::bind(#locals, &mut __inputs);)*
                    #drawn
                }
            }
        }
    }

    /// What a parameter of this kind receives.
    fn read_type(&self, kind: &Kind) -> TokenStream {
        let site = Span::mixed_site();
        let private = self.work.private();
        match kind {
            Kind::Each(inner) => quote_spanned!(site=> #private::Each<'__s, #inner>),
            Kind::Opt(inner) => quote_spanned!(site=> ::core::option::Option<&'__s #inner>),
            Kind::Ref(inner) => quote_spanned!(site=> &'__s #inner),
            other => {
                let kind = other.value();
                quote_spanned!(site=> #kind)
            }
        }
    }
}
