//! The function under an attribute, read by hand: `syn` without its `full` feature has no
//! `ItemFn`, and the body is none of our business.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Generics, Lit, Token, Type, Visibility, WhereClause};

/// A function as it was written.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `const`, `async`, `unsafe` and `extern "C"`, in the order in which they were written.
    pub(crate) qualifiers: TokenStream,
    pub(crate) asyncness: Option<Token![async]>,
    /// The first qualifier that no job and no workflow may have, and what it is.
    pub(crate) unfit: Option<(Span, &'static str)>,
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    parameters: Group,
    pub(crate) params: Params,
    arrow: Option<Token![->]>,
    pub(crate) output: Option<Type>,
    where_clause: Option<WhereClause>,
    body: TokenTree,
}

/// The parameters of a function.
#[derive(Default)]
pub(crate) struct Params {
    /// `self` in any form.
    pub(crate) receiver: Option<Span>,
    /// `...`.
    pub(crate) variadic: Option<Span>,
    pub(crate) list: Vec<Param>,
}

/// One parameter that has a type.
pub(crate) struct Param {
    /// The name, if the pattern is one.
    pub(crate) name: Option<Ident>,
    pub(crate) kind: Type,
}

impl Function {
    /// The function under another name and visibility, with these attributes; the rest unchanged.
    pub(crate) fn renamed(&self, attributes: &[Attribute], name: &Ident) -> TokenStream {
        let Self { visibility, qualifiers, generics, parameters, arrow, .. } = self;
        let Self { output, where_clause, body, .. } = self;
        quote::quote! {
            #(#attributes)*
            #visibility #qualifiers fn #name #generics #parameters #arrow #output #where_clause #body
        }
    }

    /// The attributes of this name.
    pub(crate) fn attributes_named(&self, name: &str) -> Vec<Attribute> {
        self.attributes.iter().filter(|attr| attr.path().is_ident(name)).cloned().collect()
    }

    /// The attributes of other names.
    pub(crate) fn attributes_but(&self, names: &[&str]) -> Vec<Attribute> {
        let other = |attr: &&Attribute| !names.iter().any(|name| attr.path().is_ident(name));
        self.attributes.iter().filter(other).cloned().collect()
    }

    /// The signature, for the documentation.
    pub(crate) fn signature(&self) -> TokenStream {
        let Self { qualifiers, name, parameters, arrow, output, .. } = self;
        quote::quote!(#qualifiers fn #name #parameters #arrow #output)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let Qualifiers { tokens, asyncness, unfit } = input.parse()?;
        input.parse::<Token![fn]>()?;
        let name = input.call(Ident::parse_any)?;
        let generics = input.parse()?;
        let parameters = group(input, Delimiter::Parenthesis)?;
        let arrow: Option<Token![->]> = input.parse()?;
        let output = arrow.is_some().then(|| input.parse()).transpose()?;
        let where_clause = input.parse()?;
        let body = TokenTree::Group(group(input, Delimiter::Brace)?);
        let params = Params::parse.parse2(parameters.stream())?;
        Ok(Self {
            attributes,
            visibility,
            qualifiers: tokens,
            asyncness,
            unfit,
            name,
            generics,
            parameters,
            params,
            arrow,
            output,
            where_clause,
            body,
        })
    }
}

/// What stands before `fn`.
#[derive(Default)]
struct Qualifiers {
    tokens: TokenStream,
    asyncness: Option<Token![async]>,
    unfit: Option<(Span, &'static str)>,
}

impl Parse for Qualifiers {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut qualifiers = Self::default();
        while !input.peek(Token![fn]) {
            let span = input.span();
            if input.peek(Token![async]) {
                let token: Token![async] = input.parse()?;
                token.to_tokens(&mut qualifiers.tokens);
                qualifiers.asyncness = Some(token);
                continue;
            }
            let what = if input.peek(Token![const]) {
                "const"
            } else if input.peek(Token![unsafe]) {
                "unsafe"
            } else if input.peek(Token![extern]) {
                "extern"
            } else {
                return Err(input.error("expected a function: `fn name(..) { .. }`"));
            };
            input.call(Ident::parse_any)?.to_tokens(&mut qualifiers.tokens);
            if what == "extern" && input.peek(Lit) {
                input.parse::<Lit>()?.to_tokens(&mut qualifiers.tokens);
            }
            qualifiers.unfit.get_or_insert((span, what));
        }
        Ok(qualifiers)
    }
}

/// A group in these delimiters, also when a macro passed it on inside invisible ones.
fn group(input: ParseStream<'_>, delimiter: Delimiter) -> syn::Result<Group> {
    let wanted = match delimiter {
        Delimiter::Parenthesis => "expected the function's parameters in parentheses",
        _ => "expected the function's body in braces",
    };
    input.step(|cursor| match cursor.token_tree() {
        Some((TokenTree::Group(group), rest)) => match inside(group, delimiter) {
            Some(group) => Ok((group, rest)),
            None => Err(cursor.error(wanted)),
        },
        _ => Err(cursor.error(wanted)),
    })
}

fn inside(group: Group, delimiter: Delimiter) -> Option<Group> {
    if group.delimiter() == delimiter {
        return Some(group);
    }
    let mut tokens = group.stream().into_iter();
    match (group.delimiter(), tokens.next(), tokens.next()) {
        (Delimiter::None, Some(TokenTree::Group(group)), None) => inside(group, delimiter),
        _ => None,
    }
}

impl Params {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut params = Self::default();
        while !input.is_empty() {
            params.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(params)
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        input.call(Attribute::parse_outer)?;
        let span = input.span();
        if input.peek(Token![...]) {
            input.parse::<Token![...]>()?;
            self.variadic = Some(span);
            return Ok(());
        }
        let pattern = pattern(input)?;
        if pattern.clone().into_iter().any(|token| is_word(&token, "self")) {
            self.receiver = Some(span);
            if input.peek(Token![:]) {
                input.parse::<Token![:]>()?;
                input.parse::<Type>()?;
            }
            return Ok(());
        }
        input.parse::<Token![:]>()?;
        if input.peek(Token![...]) {
            self.variadic = Some(input.span());
            input.parse::<Token![...]>()?;
            return Ok(());
        }
        let kind = input.parse()?;
        self.list.push(Param { name: name_of(&pattern), kind });
        Ok(())
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Everything up to the colon that a type follows. The colons of a path come in pairs.
fn pattern(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut pattern = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.peek(Token![::]) {
            input.parse::<Token![::]>()?.to_tokens(&mut pattern);
        } else if input.peek(Token![:]) {
            break;
        } else {
            pattern.extend([input.parse::<TokenTree>()?]);
        }
    }
    Ok(pattern)
}

/// The name in `name`, `mut name` and `_name`; none in `_` and in patterns.
fn name_of(pattern: &TokenStream) -> Option<Ident> {
    let mut words = Vec::new();
    for token in pattern.clone() {
        match token {
            TokenTree::Ident(ident) if ident == "mut" && words.is_empty() => {}
            TokenTree::Ident(ident) if ident != "_" => words.push(ident),
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                words.push(name_of(&group.stream())?);
            }
            _ => return None,
        }
    }
    (words.len() == 1).then(|| words.remove(0))
}
