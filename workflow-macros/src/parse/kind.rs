//! The kinds of types, by their tokens: macros see no more.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, PathSegment, Type, TypeReference};

use super::function::Param;

/// The kind of a parameter.
pub(crate) enum Kind {
    /// The context of the attempt; no input.
    Context(Context),
    /// `State<T>` or `Config<T>`, which the engine provides; no input.
    Provided(Type),
    /// `&mut Flow`.
    Flow,
    /// `Handle<T>`.
    Handle(Type),
    /// `Each<'_, T>`.
    Each(Type),
    /// `Option<&T>`.
    Opt(Type),
    /// `&T`.
    Ref(Type),
    /// `T`.
    Val(Type),
    /// `&State<T>` and similar: a provided parameter in an unsupported form.
    Misplaced,
    /// `&mut T`, which is not supported.
    Mut,
}

/// A parameter of type `JobContext` or `WorkflowContext`.
pub(crate) struct Context {
    /// The type, without the reference.
    pub(crate) kind: Type,
    pub(crate) of_workflow: bool,
    pub(crate) by_reference: bool,
}

/// The kinds of all parameters.
pub(crate) fn of_all(params: &[Param]) -> Vec<Kind> {
    params.iter().map(|param| Kind::of(&param.kind)).collect()
}

impl Kind {
    /// Determines the kind of a parameter.
    pub(crate) fn of(kind: &Type) -> Self {
        let kind = peel(kind);
        if is_provided(kind) {
            return Self::Provided(kind.clone());
        }
        if holds_provided(kind) {
            return Self::Misplaced;
        }
        if let Type::Reference(reference) = kind {
            return Self::of_reference(reference, kind);
        }
        if let Some(context) = context(kind, false) {
            return Self::Context(context);
        }
        match last_segment(kind) {
            Some(segment) if segment.ident == "Each" => match types(segment).next() {
                Some(inner) => Self::Each(inner.clone()),
                None => Self::Val(kind.clone()),
            },
            Some(segment) if segment.ident == "Handle" => match types(segment).next() {
                Some(inner) => Self::Handle(inner.clone()),
                None => Self::Val(kind.clone()),
            },
            Some(segment) if segment.ident == "Option" => match types(segment).next().map(peel) {
                Some(Type::Reference(inner)) if inner.mutability.is_some() => Self::Mut,
                Some(Type::Reference(inner)) if !is_static(inner) => {
                    Self::Opt((*inner.elem).clone())
                }
                _ => Self::Val(kind.clone()),
            },
            _ => Self::Val(kind.clone()),
        }
    }

    fn of_reference(reference: &TypeReference, whole: &Type) -> Self {
        let inner = peel(&reference.elem);
        if reference.mutability.is_some() {
            let flow = last_segment(inner).is_some_and(|segment| segment.ident == "Flow");
            return if flow { Self::Flow } else { Self::Mut };
        }
        if let Some(context) = context(inner, true) {
            return Self::Context(context);
        }
        if is_static(reference) { Self::Val(whole.clone()) } else { Self::Ref(inner.clone()) }
    }

    /// The type of the value behind an input of this kind, without the reference.
    pub(crate) fn value(&self) -> Option<&Type> {
        match self {
            Self::Handle(kind)
            | Self::Each(kind)
            | Self::Opt(kind)
            | Self::Ref(kind)
            | Self::Val(kind) => Some(kind),
            Self::Context(_) | Self::Provided(_) | Self::Flow | Self::Misplaced | Self::Mut => None,
        }
    }

    /// Whether it is an argument of a call.
    pub(crate) fn is_input(&self) -> bool {
        !matches!(self, Self::Context(_) | Self::Provided(_) | Self::Misplaced | Self::Flow)
    }
}

/// Whether the type is written as `State<T>` or `Config<T>`.
pub(crate) fn is_provided(kind: &Type) -> bool {
    last_segment(kind)
        .filter(|segment| ["State", "Config"].iter().any(|name| segment.ident == name))
        .is_some_and(|segment| types(segment).next().is_some())
}

/// Whether there is a provided parameter behind a reference, or inside of another type that the macros know.
fn holds_provided(kind: &Type) -> bool {
    match peel(kind) {
        Type::Reference(reference) => {
            is_provided(&reference.elem) || holds_provided(&reference.elem)
        }
        Type::Path(_) => last_segment(kind)
            .filter(|last| ["Option", "Each", "Handle"].iter().any(|name| last.ident == name))
            .is_some_and(|last| {
                types(last).any(|inner| is_provided(inner) || holds_provided(inner))
            }),
        _ => false,
    }
}

fn context(kind: &Type, by_reference: bool) -> Option<Context> {
    let of_workflow = match last_segment(kind)?.ident.to_string().as_str() {
        "JobContext" => false,
        "WorkflowContext" => true,
        _ => return None,
    };
    Some(Context { kind: kind.clone(), of_workflow, by_reference })
}

/// The type without the invisible or visible parentheses around it.
pub(crate) fn peel(kind: &Type) -> &Type {
    match kind {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

/// The last segment of a path.
pub(crate) fn last_segment(kind: &Type) -> Option<&PathSegment> {
    match peel(kind) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The types between the angle brackets.
pub(crate) fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    })
}

fn is_static(reference: &TypeReference) -> bool {
    reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
}

/// Whether values of the type borrow from something that may end before the run does.
pub(crate) fn borrows(kind: &Type) -> bool {
    borrows_tokens(kind.to_token_stream())
}

fn borrows_tokens(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    let mut before_arguments = false;
    while let Some(token) = tokens.next() {
        let mut function = false;
        match token {
            // A reference whose lifetime is named is judged by the name, which comes next.
            TokenTree::Punct(punct) if punct.as_char() == '&' && !named(tokens.peek()) => {
                return true;
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = tokens.next().map(|name| name.to_string());
                if name.as_deref() != Some("static") {
                    return true;
                }
            }
            // `for<'a> ..` and the arguments of functions borrow nothing themselves.
            TokenTree::Ident(ident) if ident == "for" => return false,
            TokenTree::Ident(ident) => {
                function = ["fn", "Fn", "FnMut", "FnOnce"].iter().any(|name| ident == name);
            }
            TokenTree::Group(group) if !before_arguments && borrows_tokens(group.stream()) => {
                return true;
            }
            _ => {}
        }
        before_arguments = function;
    }
    false
}

/// Whether a lifetime comes next.
fn named(next: Option<&TokenTree>) -> bool {
    matches!(next, Some(TokenTree::Punct(punct)) if punct.as_char() == '\'')
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_str;

    #[test]
    fn only_types_with_references_borrow() -> syn::Result<()> {
        for text in ["Vec<u8>", "&'static str", "fn(&str) -> u8", "Box<dyn Fn(&str) + 'static>"] {
            assert!(!borrows(&parse_str(text)?), "{text}");
        }
        for text in ["&str", "Vec<&str>", "Cow<'_, str>", "(u8, &u8)", "Box<dyn Fn() -> &'a u8>"] {
            assert!(borrows(&parse_str(text)?), "{text}");
        }
        Ok(())
    }
}
