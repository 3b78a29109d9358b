//! The expansion of `#[register_workflow]`: the unchanged function, and an entry for the registry.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Path};

use super::Work;
use super::body::{Place, Readers};
use crate::metadata::known_keys::project_hint;
use crate::metadata::{self, Entry};
use crate::parse::args::WorkflowArgs;
use crate::parse::kind::Kind;

/// The function and the items of the workflow.
pub(crate) fn workflow(work: &Work, args: &WorkflowArgs) -> TokenStream {
    let function = &work.function;
    let item = work.printing().renamed(&function.attributes, &function.name);
    let workflow = Workflow { work, args };
    let entry = work.submit(work.fallible_item(), &workflow.entry());
    let hints = args.metadata.iter().filter_map(hint);
    quote!(#item #entry #(#hints)*)
}

/// The items of the workflow of a job, which is the function with `#[job]` on it.
pub(crate) fn workflow_of_job(work: &Work, args: &WorkflowArgs) -> TokenStream {
    let workflow = Workflow { work, args };
    let entry = work.submit(work.fallible_item(), &workflow.entry_with(&workflow.draw_job()));
    let hints = args.metadata.iter().filter_map(hint);
    quote!(#entry #(#hints)*)
}

/// The items of the workflow that the function with this path draws.
pub(crate) fn workflow_at(path: &Path, args: &WorkflowArgs, item: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let krate = args.krate();
    let private = quote_spanned!(site=> #krate::__private);
    let last = path.segments.last().map(|last| last.ident.unraw().to_string());
    let name = args.name.as_ref().map_or_else(|| last.unwrap_or_default(), syn::LitStr::value);
    let metadata = metadata::to_text(&args.metadata);
    let conditions = conditions(item);
    let hints = args.metadata.iter().filter_map(hint);
    // Of the path, because an error about the function would be about the path.
    let span = path.span().resolved_at(site);
    let input = quote_spanned!(span=> #private::input_of(&#path));
    let draw = quote_spanned!(span=> #private::draw_by(&#path, __flow));
    quote_spanned! {site=>
        #(#conditions)*
        const _: () = {
            #private::inventory::submit! {
                #private::WorkflowEntry {
                    name: #name,
                    metadata: #metadata,
                    location: #private::Location::new(
                        ::core::file!(), ::core::line!(), ::core::column!()
                    ),
                    module: ::core::module_path!(),
                    input: #input,
                    output: ::core::option::Option::None,
                    draw: #private::Draw::Once(|__flow: &mut #private::Flow| #draw),
                }
            }
        };
        #(#hints)*
    }
}

/// The `#[cfg(..)]` of an item.
fn conditions(item: &TokenStream) -> Vec<Attribute> {
    let parse = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<TokenStream>()?;
        Ok(attributes)
    };
    let attributes = parse.parse2(item.clone()).unwrap_or_default();
    attributes.into_iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// A warning about an entry of the metadata: the use of a deprecated item, the only warning that a
/// macro can cause.
fn hint(entry: &Entry) -> Option<TokenStream> {
    let message = project_hint(entry)?;
    let span = entry.value.span;
    let used = Ident::new("project", span);
    let made = Ident::new("project", span);
    Some(quote! {
        const _: () = {
            #[deprecated(note = #message)]
            #[allow(non_upper_case_globals)]
            const #made: () = ();
            #used
        };
    })
}

struct Workflow<'a> {
    work: &'a Work,
    args: &'a WorkflowArgs,
}

impl Workflow<'_> {
    fn name(&self) -> String {
        let own = || self.work.function.name.unraw().to_string();
        self.args.name.as_ref().map_or_else(own, syn::LitStr::value)
    }

    fn draws(&self) -> bool {
        matches!(self.work.kinds.first(), Some(Kind::Flow))
    }

    fn entry(&self) -> TokenStream {
        let draw = if self.draws() { self.draw_graph() } else { self.draw_function() };
        self.entry_with(&draw)
    }

    fn entry_with(&self, draw: &TokenStream) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, name, location) = (work.private(), self.name(), work.location());
        let metadata = metadata::to_text(&self.args.metadata);
        let input = match self.input().map(|kind| work.type_of(&kind)) {
            Some(kind) => quote_spanned!(site=> ::core::option::Option::Some(|| #kind)),
            None => quote_spanned!(site=> ::core::option::Option::None),
        };
        let output = self.output();
        quote_spanned! {site=>
            #private::WorkflowEntry {
                name: #name,
                metadata: #metadata,
                location: #location,
                module: ::core::module_path!(),
                input: #input,
                output: #output,
                draw: #draw,
            }
        }
    }

    fn input(&self) -> Option<TokenStream> {
        self.work.owned(self.work.inputs().first()?.kind)
    }

    /// The type of the output, if it is known before the graph is drawn.
    fn output(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let private = work.private();
        let returned = work.output();
        if !self.draws() {
            let kind = work.type_of(&returned);
            return quote_spanned!(site=> ::core::option::Option::Some(|| #kind));
        }
        let handle = work.probe("HANDLE", &returned);
        let value = quote_spanned!(site=> <#returned as #private::GraphReturn<#handle>>::Value);
        let kind = work.type_of(&value);
        quote_spanned! {site=>
            match #handle {
                true => ::core::option::Option::Some(|| #kind),
                false => ::core::option::Option::None,
            }
        }
    }

    /// A function that draws is called when its workflow is planned.
    fn draw_graph(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let private = work.private();
        let inputs = work.inputs();
        let Some(kind) = inputs.first().map(|input| input.kind) else {
            let finish = self.finish(&quote_spanned!(site=> __flow));
            return quote_spanned!(site=> #private::Draw::Once(|__flow: &mut #private::Flow| #finish));
        };
        let Kind::Handle(inner) = kind else { return self.draw_per_input(kind) };
        let described = work.type_of(&inner.to_token_stream());
        let finish = self.finish(&quote_spanned!(site=> __flow, __input));
        quote_spanned! {site=>
            #private::Draw::Once(|__flow: &mut #private::Flow| {
                let __input = #private::Flow::input(__flow, #described);
                #finish
            })
        }
    }

    /// A function that draws what its input asks for.
    fn draw_per_input(&self, kind: &Kind) -> TokenStream {
        let site = Span::mixed_site();
        let private = self.work.private();
        let owned = self.work.owned(kind);
        let argument = match kind {
            Kind::Ref(inner) => quote_spanned! {site=>
                <#owned as ::core::borrow::Borrow<#inner>>::borrow(__input)
            },
            _ => {
                let span = kind.value().map_or(site, |kind| kind.span().resolved_at(site));
                quote_spanned!(span=> <#owned as ::core::clone::Clone>::clone(__input))
            }
        };
        let finish = self.finish(&quote_spanned!(site=> __flow, #argument));
        quote_spanned! {site=>
            #private::Draw::PerInput(|__flow: &mut #private::Flow, __input| {
                let ::core::option::Option::Some(__input) = __input.downcast_ref::<#owned>() else {
                    return ::core::result::Result::Err(#private::JobError::terminal(
                        "the input has another type than the workflow's",
                    ));
                };
                #finish
            })
        }
    }

    /// Calls the function that draws, and sets its output.
    fn finish(&self, arguments: &TokenStream) -> TokenStream {
        let (private, ident) = (self.work.private(), &self.work.function.name);
        let span = self.work.output_span();
        quote_spanned!(span=> #private::OutputOf::finish(#ident(#arguments), __flow))
    }

    /// A graph of the job that the function is.
    fn draw_job(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, ident) = (work.private(), &work.function.name);
        let inputs = work.inputs().into_iter().map(|input| {
            let owned = work.owned(input.kind);
            let described = work.type_of(&owned.clone().unwrap_or_default());
            quote_spanned!(site=> #private::Flow::input::<#owned>(__flow, #described))
        });
        let inputs: Vec<_> = inputs.collect();
        quote_spanned! {site=>
            #private::Draw::Once(|__flow: &mut #private::Flow| {
                let __call = #ident::draw(#(#inputs),*);
                let __output = #private::Flow::job(__flow, __call);
                #private::OutputOf::finish(__output, __flow)
            })
        }
    }

    /// Any other function is a graph of one job.
    fn draw_function(&self) -> TokenStream {
        let work = self.work;
        let site = Span::mixed_site();
        let (private, ident, name) = (work.private(), &work.function.name, self.name());
        let bind = work.inputs().into_iter().map(|input| {
            let (local, kind, owned) =
                (&input.local, work.kind(input.kind), work.owned(input.kind));
            let described = work.type_of(&owned.clone().unwrap_or_default());
            quote_spanned! {site=>
                let #local = #private::Flow::input::<#owned>(__flow, #described);
                let #local = #private::Bind::<#kind>::bind(#local, &mut __inputs);
            }
        });
        let bind: TokenStream = bind.collect();
        let mutable = (!bind.is_empty()).then(|| quote_spanned!(site=> mut));
        let body = work.body(&quote_spanned!(site=> #ident), Place::Thread, Readers::Copied);
        let (kind, output) = (work.output(), work.type_of(&work.output()));
        let settings = work.settings(&self.args.options);
        let call = work.requiring(quote_spanned! {site=>
            #private::Call::<#kind>::new(#name, #output, __body, __inputs) #settings
        });
        quote_spanned! {site=>
            #private::Draw::Once(|__flow: &mut #private::Flow| {
                let #mutable __inputs = #private::Inputs::new();
                #bind
                let __body = #body;
                let __call = #call;
                let __output = #private::Flow::job(__flow, __call);
                #private::OutputOf::finish(__output, __flow)
            })
        }
    }
}
