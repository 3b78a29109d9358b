//! The expansion of `#[job]`: a function that dispatches on its arguments, a marker type with the
//! original function, and an entry for the registry.

mod later;
mod now;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use super::body::{Place, Readers};
use super::{Work, local};
use crate::parse::args::JobArgs;
use crate::parse::kind::Kind;

/// All items of a job.
pub(crate) fn job(work: &Work, args: &JobArgs) -> TokenStream {
    let job = Job { work, args };
    let marker = job.marker();
    let function = if work.inputs().is_empty() { job.bare() } else { job.dispatching() };
    let entry = work.submit(None, &job.entry());
    quote!(#marker #function #entry)
}

struct Job<'a> {
    work: &'a Work,
    args: &'a JobArgs,
}

impl Job<'_> {
    fn ident(&self) -> &Ident {
        &self.work.function.name
    }

    fn name(&self) -> String {
        let own = || self.ident().unraw().to_string();
        self.args.name.as_ref().map_or_else(own, syn::LitStr::value)
    }

    /// The type with the original function.
    fn marker(&self) -> TokenStream {
        let function = &self.work.function;
        let (ident, visibility) = (self.ident(), &function.visibility);
        let conditions = self.work.conditions();
        let note =
            format!("The job [`{ident}`](fn@{ident}): `{ident}::call` is the original function.");
        let site = Span::mixed_site();
        let fallible = self.work.fallible_item();
        let (private, fake, name) = (self.work.private(), self.work.fake_type(), self.name());
        let call = self.work.printing().renamed(
            &function.attributes_but(&["doc", "cfg", "deprecated"]),
            &Ident::new("call", site),
        );
        quote_spanned! {site=>
            #(#conditions)*
            #[doc = #note]
            #[allow(
                non_camel_case_types, missing_debug_implementations, missing_copy_implementations,
                unreachable_pub, unknown_lints, clippy::all, clippy::pedantic, clippy::exhaustive_enums
            )]
            #visibility enum #ident {}

            #(#conditions)*
            impl #ident {
                #fallible

                /// The original function.
                #[allow(
                    unreachable_pub, unknown_lints, clippy::missing_errors_doc, clippy::missing_panics_doc,
                    clippy::missing_const_for_fn
                )]
                #call

                /// Replaces the function in an engine, for tests: a closure of the
                /// function's inputs, which returns what the function returns.
                #[allow(dead_code, unreachable_pub, unknown_lints, clippy::type_complexity)]
                #visibility fn replaced_by(
                    closure: impl #fake + 'static,
                ) -> #private::Replacement {
                    let __closure: ::std::boxed::Box<dyn #fake> = ::std::boxed::Box::new(closure);
                    #private::Replacement::new::<Self, _>(#name, __closure)
                }
            }
        }
    }

    /// Attributes of the function that callers see.
    fn public_attributes(&self) -> TokenStream {
        let function = &self.work.function;
        let attributes = ["cfg", "doc", "deprecated"].map(|name| function.attributes_named(name));
        let documented = !attributes[1].is_empty();
        let signature = documented.then(|| {
            let text = format!("\n# Signature\n\n```text\n{}\n```", function.signature());
            quote!(#[doc = #text])
        });
        let attributes = attributes.iter().flatten();
        quote!(#(#attributes)* #signature)
    }

    /// The call that is drawn into a graph, after its inputs were bound.
    fn drawn(&self) -> TokenStream {
        let work = self.work;
        let (private, ident, name) = (work.private(), self.ident(), self.name());
        let site = Span::mixed_site();
        let callee = quote_spanned!(site=> #ident::call);
        let place = if self.args.options.inline.is_some() { Place::Inline } else { Place::Thread };
        let body = work.body(&callee, place, Readers::Cloned);
        let output = work.type_of(&work.output());
        let settings = work.settings(&self.args.options);
        let parameters = self.counted_parameters();
        let call = work.requiring(quote_spanned! {site=>
            #private::Call::new(#name, #output, __body, __inputs) #parameters #settings
        });
        quote_spanned! {site=>
            let __body = #body;
            #call
        }
    }

    /// The function of a job without inputs.
    fn bare(&self) -> TokenStream {
        let (private, output) = (self.work.private(), self.work.output());
        let (attributes, drawn) = (self.public_attributes(), self.drawn());
        let (visibility, ident) = (&self.work.function.visibility, self.ident());
        let conditions = self.work.conditions();
        quote_spanned! {Span::mixed_site()=>
            #attributes
            #visibility fn #ident() -> #private::Call<#output> {
                #ident::draw()
            }

            #(#conditions)*
            impl #ident {
                /// A call of the job, to be drawn into a graph.
                #[allow(unreachable_pub)]
                #visibility fn draw() -> #private::Call<#output> {
                    let __inputs = #private::Inputs::new();
                    #drawn
                }
            }
        }
    }

    /// The function of a job with inputs, and what it does with values and with handles.
    fn dispatching(&self) -> TokenStream {
        let work = self.work;
        let private = work.private();
        let site = Span::mixed_site();
        let (ident, visibility) = (self.ident(), &work.function.visibility);
        let attributes = self.public_attributes();
        let inputs = work.inputs();
        let types = self.type_parameters();
        let kinds: Vec<_> = inputs.iter().map(|input| work.kind(input.kind)).collect();
        let names = self.argument_names();
        let modes = types.iter().zip(&kinds).map(
            |(argument, kind)| quote_spanned!(site=> <#argument as #private::Arg<#kind>>::Mode),
        );
        let mode = modes.reduce(|one, other| quote_spanned!(site=> #private::Both<#one, #other>));
        let packed = quote_spanned!(site=> <#mode as #private::Mode>::Pack<(#(#types,)*)>);
        let from_engine =
            work.provided().next().map(|_| quote_spanned!(site=> #mode: #private::FromEngine,));
        let (now, later) = (self.now(), self.later());
        quote_spanned! {site=>
            #attributes
            #[allow(unknown_lints, clippy::too_many_arguments, clippy::type_complexity)]
            #visibility fn #ident<#(#types),*>(#(#names: #types),*)
                -> <#ident as #private::Invoke<#packed>>::Output
            where
                #(#types: #private::Arg<#kinds>,)*
                #from_engine
                #ident: #private::Invoke<#packed>,
            {
                <#ident as #private::Invoke<#packed>>::invoke(<#mode as #private::Mode>::pack((#(#names,)*)))
            }
            #now
            #later
        }
    }

    fn type_parameters(&self) -> Vec<Ident> {
        let count = self.work.inputs().len();
        (0..count).map(|index| format_ident!("__A{index}", span = Span::mixed_site())).collect()
    }

    /// The names of the arguments, as callers see them.
    fn argument_names(&self) -> Vec<Ident> {
        let params = self.work.function.params.list.iter().zip(&self.work.kinds);
        let inputs = params.filter(|(_, kind)| kind.is_input());
        let named = inputs.enumerate().map(|(index, (param, _))| match &param.name {
            Some(name) => format_ident!("{name}", span = name.span()),
            None => local("argument", index),
        });
        named.collect()
    }

    /// The entry for the registry.
    fn entry(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, name, location) = (work.private(), self.name(), work.location());
        let output = work.type_of(&work.output());
        let domain = optional(self.args.domain.as_ref().map(syn::LitStr::value));
        let description = optional(work.function.summary());
        let settings = work.settings(&self.args.options);
        let (inputs, add) = self.by_name().unwrap_or_else(|| {
            let none = quote_spanned!(site=> ::core::option::Option::None);
            (none.clone(), quote_spanned!(site=> |_, _| #none))
        });
        quote_spanned! {site=>
            #private::JobEntry {
                name: #name,
                domain: #domain,
                description: #description,
                location: #location,
                module: ::core::module_path!(),
                inputs: #inputs,
                output: || #output,
                options: || #private::options_of(|__call| __call #settings),
                add: #add,
            }
        }
    }

    /// What is known of the parameters' types; nothing of a job without parameters, or of one that
    /// takes any number of inputs.
    fn parameters(&self) -> Option<Vec<TokenStream>> {
        let work = self.work;
        let owned =
            work.inputs().iter().map(|input| work.owned(input.kind)).collect::<Option<Vec<_>>>();
        let types = owned?.iter().map(|kind| work.type_of(kind)).collect::<Vec<_>>();
        (!types.is_empty()).then_some(types)
    }

    /// What each argument of a call stands for, and of which type it is.
    fn counted_parameters(&self) -> Option<TokenStream> {
        let work = self.work;
        let (private, site) = (work.private(), Span::mixed_site());
        let inputs = work.inputs();
        let parameters = inputs.iter().zip(self.type_parameters()).map(|(input, argument)| {
            let kind = work.kind(input.kind);
            let owned = match input.kind {
                Kind::Each(inner) => Some(inner.to_token_stream()),
                other => work.owned(other),
            };
            let described = match owned.map(|owned| work.type_of(&owned)) {
                Some(known) => quote_spanned!(site=> ::core::option::Option::Some(#known)),
                None => quote_spanned!(site=> ::core::option::Option::None),
            };
            quote_spanned!(site=> (<#argument as #private::Bind<#kind>>::COUNT, #described))
        });
        let parameters: Vec<_> = parameters.collect();
        (!parameters.is_empty())
            .then(|| quote_spanned!(site=> .parameters(|| ::std::vec![#(#parameters),*])))
    }

    /// The inputs, and how the job is added when they come one by one; none when they cannot.
    fn by_name(&self) -> Option<(TokenStream, TokenStream)> {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, ident) = (work.private(), self.ident());
        let inputs = work.inputs();
        let owned: Option<Vec<_>> = inputs.iter().map(|input| work.owned(input.kind)).collect();
        let owned = owned?;
        let locals: Vec<_> = inputs.iter().map(|input| &input.local).collect();
        let names = self.argument_names().into_iter().map(|name| name.unraw().to_string());
        let types = self.parameters().unwrap_or_default();
        let list = quote_spanned! {site=>
            ::core::option::Option::Some(|| ::std::vec![#((#names, #types)),*])
        };
        let add = quote_spanned! {site=>
            |__flow, __inputs| {
                let [#(#locals),*] = __inputs else { return ::core::option::Option::None };
                let __call = #ident(#(#private::Erased::typed::<#owned>(*#locals)?),*);
                #private::add_erased(__flow, __call)
            }
        };
        Some((list, add))
    }
}

/// The literal as an `Option<&'static str>`.
pub(super) fn optional(text: Option<String>) -> TokenStream {
    let site = Span::mixed_site();
    match text {
        Some(text) => quote_spanned!(site=> ::core::option::Option::Some(#text)),
        None => quote_spanned!(site=> ::core::option::Option::None),
    }
}
