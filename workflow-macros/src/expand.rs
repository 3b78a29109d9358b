//! Writes what the attributes stand for. All that is generated has the hygiene of a macro
//! (`mixed_site`), so that no local name in it can meet a name of the host.

mod body;
mod job;
mod settings;
mod workflow;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Type};

pub(crate) use job::job;
pub(crate) use workflow::workflow;

use crate::parse::function::Function;
use crate::parse::kind::{Context, Kind, last_segment, types};

/// A function with its parameters judged.
pub(crate) struct Work {
    pub(crate) function: Function,
    /// What each parameter is to be given, in order.
    pub(crate) kinds: Vec<Kind>,
    /// The path of the core crate.
    pub(crate) krate: TokenStream,
}

/// A parameter that is an input.
struct Input<'a> {
    /// A name for generated code.
    local: Ident,
    kind: &'a Kind,
}

impl Work {
    fn private(&self) -> TokenStream {
        let krate = &self.krate;
        quote_spanned!(Span::mixed_site()=> #krate::__private)
    }

    fn context(&self) -> Option<Context> {
        self.kinds.iter().find_map(|kind| match kind {
            Kind::Context(context) => Some(*context),
            _ => None,
        })
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let inputs =
            self.kinds.iter().filter(|kind| !matches!(kind, Kind::Context(_) | Kind::Flow));
        let named = |(index, kind)| Input { local: local("input", index), kind };
        inputs.enumerate().map(named).collect()
    }

    /// The arguments of a call, where `context` is an expression for the context by value and
    /// `inputs` are expressions for the rest.
    fn arguments(&self, context: &TokenStream, inputs: &[TokenStream]) -> TokenStream {
        let mut inputs = inputs.iter();
        let arguments = self.kinds.iter().map(|kind| match kind {
            Kind::Context(Context { by_reference: true, .. }) => {
                quote_spanned!(Span::mixed_site()=> &#context)
            }
            Kind::Context(_) => context.clone(),
            _ => inputs.next().cloned().unwrap_or_default(),
        });
        quote_spanned!(Span::mixed_site()=> #(#arguments),*)
    }

    /// The type of the context.
    fn context_type(&self) -> Option<TokenStream> {
        let private = self.private();
        let context = self.context()?;
        let name = if context.of_workflow { "WorkflowContext" } else { "JobContext" };
        let name = Ident::new(name, Span::mixed_site());
        Some(quote_spanned!(Span::mixed_site()=> #private::#name))
    }

    /// Whether the function says that it can fail.
    fn fallible(&self) -> bool {
        self.function
            .output
            .as_ref()
            .and_then(last_segment)
            .is_some_and(|segment| segment.ident == "Result")
    }

    /// The type that the function returns.
    fn returned(&self) -> TokenStream {
        match &self.function.output {
            Some(kind) => quote_spanned!(Span::mixed_site()=> #kind),
            None => quote_spanned!(Span::mixed_site()=> ()),
        }
    }

    /// The type that the job leaves for others.
    fn output(&self) -> TokenStream {
        let private = self.private();
        let returned = self.returned();
        if !self.fallible() {
            return returned;
        }
        // Where both types are written, the compiler has one trait less to complain about.
        if let Some([output, _]) = self.function.output.as_ref().and_then(two_types) {
            return quote_spanned!(Span::mixed_site()=> #output);
        }
        let span = self.output_span();
        quote_spanned!(span=> <#returned as #private::IntoJobResult>::Output)
    }

    /// The associated type for an output, at the place of the return type, which is what an error
    /// about it would be about.
    fn output_item(&self, output: &TokenStream) -> TokenStream {
        quote_spanned!(self.output_span()=> type Output = #output;)
    }

    fn output_span(&self) -> Span {
        let span = self.function.output.as_ref().map_or_else(Span::mixed_site, Spanned::span);
        span.resolved_at(Span::mixed_site())
    }

    /// The description of a type.
    fn type_of(&self, kind: &TokenStream) -> TokenStream {
        let (krate, site) = (&self.krate, Span::mixed_site());
        // What a type can do is found out by method resolution, which is blind to lifetimes: a
        // `&'static str` would be taken for one that deserialises for any lifetime.
        if has_lifetime(kind.clone()) {
            return quote_spanned!(site=> #krate::__private::Type::opaque::<#kind>());
        }
        quote_spanned!(site=> #krate::__type_of!(#kind))
    }

    /// The kind of a parameter as a type, which the traits of binding go by.
    fn kind(&self, kind: &Kind) -> TokenStream {
        let private = self.private();
        let site = Span::mixed_site();
        match kind {
            Kind::Each(inner) => quote_spanned!(site=> #private::EachOf<#inner>),
            Kind::Opt(inner) => quote_spanned!(site=> #private::Opt<#inner>),
            Kind::Ref(inner) => quote_spanned!(site=> #private::Ref<#inner>),
            Kind::Val(inner) | Kind::Handle(inner) => quote_spanned!(site=> #private::Val<#inner>),
            Kind::Context(_) | Kind::Flow | Kind::Mut => TokenStream::new(),
        }
    }

    /// Where the attribute stands.
    fn location(&self) -> TokenStream {
        let private = self.private();
        quote_spanned! {Span::mixed_site()=>
            #private::Location::new(::core::file!(), ::core::line!(), ::core::column!())
        }
    }

    /// Items that come and go with the function.
    fn conditions(&self) -> Vec<Attribute> {
        self.function.attributes_named("cfg")
    }

    /// Leaves an entry for the registry, in a scope of its own.
    fn submit(&self, entry: &TokenStream) -> TokenStream {
        let private = self.private();
        let conditions = self.conditions();
        quote_spanned! {Span::mixed_site()=>
            #(#conditions)*
            #[allow(deprecated, unknown_lints, clippy::all, clippy::pedantic, clippy::nursery)]
            const _: () = {
                #private::inventory::submit! { #entry }
            };
        }
    }
}

/// A local name for generated code.
fn local(stem: &str, index: usize) -> Ident {
    format_ident!("{stem}_{index}", span = Span::mixed_site())
}

/// The types in `Result<T, E>`.
fn two_types(kind: &Type) -> Option<[&Type; 2]> {
    types(last_segment(kind)?).collect::<Vec<_>>().try_into().ok()
}

/// The type between the angle brackets of `Handle<T>`, also inside a `Result`.
fn handled(kind: &Type) -> Option<&Type> {
    let segment = last_segment(kind)?;
    let inner = types(segment).next()?;
    match segment.ident.to_string().as_str() {
        "Handle" => Some(inner),
        "Result" => handled(inner),
        _ => None,
    }
}

fn has_lifetime(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Punct(punct) => punct.as_char() == '\'',
        proc_macro2::TokenTree::Group(group) => has_lifetime(group.stream()),
        _ => false,
    })
}
