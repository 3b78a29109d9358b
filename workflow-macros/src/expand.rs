//! Generates code. All of it has the hygiene of a macro (`mixed_site`), so that its local names
//! cannot collide with names of the host.

mod asset;
mod body;
mod job;
mod settings;
mod workflow;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Type};

pub(crate) use asset::asset;
pub(crate) use job::job;
pub(crate) use workflow::{workflow, workflow_at, workflow_of_job};

use crate::parse::function::Function;
use crate::parse::kind::{Context, Kind, peel};
use crate::validate::Role;

/// A function with the kinds of its parameters.
pub(crate) struct Work {
    pub(crate) function: Function,
    /// The kinds of the parameters, in order.
    pub(crate) kinds: Vec<Kind>,
    /// The path of the core crate.
    pub(crate) krate: TokenStream,
    pub(crate) role: Role,
}

/// The macros that print.
const PRINTING: [&str; 4] = ["print", "println", "eprint", "eprintln"];

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

    /// The function, with its output redirected to the job. The names are the host's own, like
    /// `println!`.
    fn printing(&self) -> Function {
        let krate = &self.krate;
        let names = PRINTING.map(|name| Ident::new(name, Span::call_site()));
        let items = quote_spanned! {Span::mixed_site()=>
            #[allow(unused_imports)]
            use #krate::printing::{#(#names),*};
        };
        self.function.beginning_with(&items, &PRINTING)
    }

    fn context(&self) -> Option<&Context> {
        self.kinds.iter().find_map(|kind| match kind {
            Kind::Context(context) => Some(context),
            _ => None,
        })
    }

    fn inputs(&self) -> Vec<Input<'_>> {
        let inputs = self.kinds.iter().filter(|kind| kind.is_input());
        let named = |(index, kind)| Input { local: local("input", index), kind };
        inputs.enumerate().map(named).collect()
    }

    /// The types of the parameters that the engine provides.
    fn provided(&self) -> impl Iterator<Item = &Type> {
        self.kinds.iter().filter_map(|kind| match kind {
            Kind::Provided(kind) => Some(kind),
            _ => None,
        })
    }

    /// Makes the parameters that the engine provides, from a scope.
    fn make_provided(&self, scope: &TokenStream) -> TokenStream {
        let private = self.private();
        let made = self.provided().enumerate().map(|(index, kind)| {
            let local = local("provided", index);
            let span = kind.span().resolved_at(Span::mixed_site());
            let made = quote_spanned!(span=> <#kind as #private::ProvidedParameter>::of(#scope)?);
            quote_spanned!(Span::mixed_site()=> let #local = #made;)
        });
        made.collect()
    }

    /// The type of a closure that replaces the function of a job.
    fn fake_type(&self) -> TokenStream {
        let (site, returned) = (Span::mixed_site(), self.returned());
        let params = self.function.params.list.iter().zip(&self.kinds);
        let types = params.filter(|(_, kind)| kind.is_input()).map(|(param, _)| &param.kind);
        quote_spanned! {site=>
            ::core::ops::Fn(#(#types),*) -> #returned + ::core::marker::Send + ::core::marker::Sync
        }
    }

    /// Looks up a closure that replaces the function of a job.
    fn fake(&self, scope: &TokenStream) -> Option<TokenStream> {
        let (private, site) = (self.private(), Span::mixed_site());
        let (name, fake) = (&self.function.name, self.fake_type());
        (self.role == Role::Job).then(|| {
            quote_spanned! {site=>
                #private::AttemptIo::replacement::<#name, ::std::boxed::Box<dyn #fake>>(#scope)
            }
        })
    }

    /// The arguments of a call, where `context` is an expression for the context by value and
    /// `inputs` are expressions for the rest.
    fn arguments(&self, context: &TokenStream, inputs: &[TokenStream]) -> TokenStream {
        let (mut inputs, mut provided) = (inputs.iter(), 0..);
        let arguments = self.kinds.iter().map(|kind| match kind {
            Kind::Context(Context { by_reference: true, .. }) => {
                quote_spanned!(Span::mixed_site()=> &#context)
            }
            Kind::Context(_) => context.clone(),
            Kind::Provided(_) => {
                local("provided", provided.next().unwrap_or(0)).into_token_stream()
            }
            _ => inputs.next().cloned().unwrap_or_default(),
        });
        quote_spanned!(Span::mixed_site()=> #(#arguments),*)
    }

    /// Makes the context, if the function takes one: from a scope, or detached from any run.
    fn make_context(&self, scope: Option<&TokenStream>) -> Option<TokenStream> {
        let private = self.private();
        let kind = &self.context()?.kind;
        let span = kind.span().resolved_at(Span::mixed_site());
        let made = match scope {
            Some(scope) => quote_spanned!(span=> <#kind as #private::AttemptContext>::of(#scope)),
            None => quote_spanned!(span=> <#kind as #private::AttemptContext>::outside()),
        };
        Some(quote_spanned!(Span::mixed_site()=> let __context = #made;))
    }

    /// The type that the function returns.
    fn returned(&self) -> TokenStream {
        match &self.function.output {
            Some(kind) => quote_spanned!(Span::mixed_site()=> #kind),
            None => quote_spanned!(Span::mixed_site()=> ()),
        }
    }

    /// Whether the function may return a `Result`: a name may be an alias of one.
    fn may_fail(&self) -> bool {
        self.function.output.as_ref().is_some_and(is_named)
    }

    /// Whether the function returns a `Result`, as a constant that the compiler knows: an
    /// associated one of the job's type, or one beside the entry of a workflow.
    fn fallible(&self) -> TokenStream {
        let site = Span::mixed_site();
        match self.role {
            Role::Job => {
                let name = &self.function.name;
                quote_spanned!(site=> { #name::__FALLIBLE })
            }
            Role::Workflow | Role::Asset => quote_spanned!(site=> { __FALLIBLE }),
        }
    }

    /// The item for that constant, if it is needed.
    fn fallible_item(&self) -> Option<TokenStream> {
        let fallible = self.may_fail().then(|| self.probe("FALLIBLE", &self.returned()));
        let site = Span::mixed_site();
        fallible.map(|fallible| {
            quote_spanned!(site=> const __FALLIBLE: ::core::primitive::bool = #fallible;)
        })
    }

    /// What the function returns, without the `Result` around it if there is one.
    fn output(&self) -> TokenStream {
        let private = self.private();
        let returned = self.returned();
        if !self.may_fail() {
            return returned;
        }
        let fallible = self.fallible();
        let span = self.output_span();
        quote_spanned!(span=> <#returned as #private::JobReturn<#fallible>>::Output)
    }

    /// A constant about a type, in its own block.
    fn probe(&self, constant: &str, kind: &TokenStream) -> TokenStream {
        let private = self.private();
        let constant = Ident::new(constant, Span::mixed_site());
        quote_spanned! {Span::mixed_site()=> {
            #[allow(unused_imports)]
            use #private::AnyType as _;
            #private::Probe::<#kind>::#constant
        }}
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
        // The capabilities of a type are found by method resolution, which ignores lifetimes: a
        // `&'static str` would count as deserializable for any lifetime.
        if has_lifetime(kind.clone()) {
            return quote_spanned!(site=> #krate::__private::Type::opaque::<#kind>());
        }
        quote_spanned!(site=> #krate::__type_of!(#kind))
    }

    /// The kind of a parameter as a type, for the binding traits.
    fn kind(&self, kind: &Kind) -> TokenStream {
        let private = self.private();
        let site = Span::mixed_site();
        match kind {
            Kind::Each(inner) => quote_spanned!(site=> #private::EachOf<#inner>),
            Kind::Opt(inner) => quote_spanned!(site=> #private::Opt<#inner>),
            Kind::Ref(inner) => quote_spanned!(site=> #private::Ref<#inner>),
            Kind::Val(inner) | Kind::Handle(inner) => quote_spanned!(site=> #private::Val<#inner>),
            Kind::Context(_) | Kind::Provided(_) | Kind::Flow | Kind::Misplaced | Kind::Mut => {
                TokenStream::new()
            }
        }
    }

    /// The position of the attribute.
    fn location(&self) -> TokenStream {
        let private = self.private();
        quote_spanned! {Span::mixed_site()=>
            #private::Location::new(::core::file!(), ::core::line!(), ::core::column!())
        }
    }

    /// The `#[cfg(..)]` of the function, for generated items.
    fn conditions(&self) -> Vec<Attribute> {
        self.function.attributes_named("cfg")
    }

    /// The owned type of an input; `None` if it is unknown or may have several values.
    fn owned(&self, kind: &Kind) -> Option<TokenStream> {
        let kind = match kind {
            Kind::Val(kind) | Kind::Handle(kind) => return Some(kind.to_token_stream()),
            Kind::Ref(kind) | Kind::Opt(kind) => kind,
            _ => return None,
        };
        match peel(kind) {
            Type::TraitObject(_) => None,
            Type::Path(_) | Type::Macro(_) | Type::Slice(_) => {
                let private = self.private();
                let span = kind.span().resolved_at(Span::mixed_site());
                Some(quote_spanned!(span=> <#kind as #private::Ownable>::Owned))
            }
            other => Some(other.to_token_stream()),
        }
    }

    /// Checks parameters whose types are recognized by name: rejects them under another name, and
    /// handles in unsupported positions.
    fn check_inputs(&self) -> Option<TokenStream> {
        let site = Span::mixed_site();
        let checks = self.kinds.iter().filter_map(|kind| {
            let (Kind::Val(kind) | Kind::Ref(kind) | Kind::Opt(kind)) = kind else { return None };
            let span = kind.span().resolved_at(site);
            let misread = self.probe("MISREAD", &kind.to_token_stream());
            // The panic has the span of the type that it is about.
            let panic = quote_spanned!(span=> ::core::panic!("{}", __message));
            is_named(kind).then(|| {
                quote_spanned! {site=>
                    match #misread {
                        ::core::option::Option::None => (),
                        ::core::option::Option::Some(__message) => #panic,
                    }
                }
            })
        });
        let checks: Vec<_> = checks.collect();
        (!checks.is_empty()).then(|| quote_spanned!(site=> const _: () = { #(#checks)* };))
    }

    /// Submits an entry to the registry, in its own scope.
    fn submit(&self, constant: Option<TokenStream>, entry: &TokenStream) -> TokenStream {
        let private = self.private();
        let checks = self.check_inputs();
        let conditions = self.conditions();
        quote_spanned! {Span::mixed_site()=>
            #(#conditions)*
            #[allow(deprecated, unknown_lints, clippy::all, clippy::pedantic, clippy::nursery)]
            const _: () = {
                #checks
                #constant
                #private::inventory::submit! { #entry }
            };
        }
    }
}

/// A local name for generated code. Hygiene separates it from locals of the host; the underscores
/// separate it from constants and statics, which a pattern would match.
fn local(stem: &str, index: usize) -> Ident {
    format_ident!("__{stem}_{index}", span = Span::mixed_site())
}

/// Whether the type is a name, which may be an alias.
fn is_named(kind: &Type) -> bool {
    matches!(peel(kind), Type::Path(_) | Type::Macro(_))
}

fn has_lifetime(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Punct(punct) => punct.as_char() == '\'',
        proc_macro2::TokenTree::Group(group) => has_lifetime(group.stream()),
        _ => false,
    })
}
