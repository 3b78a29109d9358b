//! The function of an attribute, parsed by hand: `syn` without its `full` feature has no `ItemFn`,
//! and the body does not matter.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Generics, Lit, Token, Type, Visibility, WhereClause};

/// A parsed function.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `const`, `async`, `unsafe` and `extern "C"`, in the order in which they were written.
    pub(crate) qualifiers: TokenStream,
    pub(crate) asyncness: Option<Token![async]>,
    /// The first qualifier that jobs and workflows cannot have.
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

/// Whether one of these words is among the tokens, at any depth.
fn mentions(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), words),
        TokenTree::Ident(ident) => words.iter().any(|word| ident == word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Appends tokens in a spelling that is the same for every version of the compiler.
fn flatten(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                flatten(group.stream(), text);
                text.push_str(close);
            }
            other => text.push_str(&other.to_token_stream().to_string()),
        }
        text.push(' ');
    }
}

/// The parameters of a function.
#[derive(Clone, Default)]
pub(crate) struct Params {
    /// `self` in any form.
    pub(crate) receiver: Option<Span>,
    /// `...`.
    pub(crate) variadic: Option<Span>,
    pub(crate) list: Vec<Param>,
}

/// One parameter that has a type.
#[derive(Clone)]
pub(crate) struct Param {
    /// The conditions of the parameter, from its `#[cfg(..)]`.
    conditions: Vec<TokenStream>,
    /// The parameter without these conditions.
    tokens: TokenStream,
    /// The name, if the pattern is one.
    pub(crate) name: Option<Ident>,
    pub(crate) kind: Type,
}

impl Function {
    /// The function under another name and visibility, with these attributes; the rest unchanged.
    pub(crate) fn renamed(&self, attributes: &[Attribute], name: &Ident) -> TokenStream {
        let Self { visibility, qualifiers, generics, parameters, arrow, .. } = self;
        let Self { output, where_clause, body, .. } = self;
        quote! {
            #(#attributes)*
            #visibility #qualifiers fn #name #generics #parameters #arrow #output #where_clause #body
        }
    }

    /// The function with items at the beginning of its body, if that has one of these words in it.
    pub(crate) fn beginning_with(&self, items: &TokenStream, words: &[&str]) -> Self {
        let TokenTree::Group(body) = &self.body else { return self.clone() };
        if !mentions(body.stream(), words) {
            return self.clone();
        }
        let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
        // Attributes inside of the body, `#![..]`, come before everything else.
        let is_mark = |token: Option<&TokenTree>, mark| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark);
        let mut begin = 0;
        while is_mark(tokens.get(begin), '#') && is_mark(tokens.get(begin + 1), '!') {
            begin += 3;
        }
        let (before, after) = tokens.split_at(begin.min(tokens.len()));
        let mut group = Group::new(body.delimiter(), quote!(#(#before)* #items #(#after)*));
        group.set_span(body.span());
        Self { body: TokenTree::Group(group), ..self.clone() }
    }

    /// The attributes of this name.
    pub(crate) fn attributes_named(&self, name: &str) -> Vec<Attribute> {
        self.attributes.iter().filter(|attr| attr.path().is_ident(name)).cloned().collect()
    }

    /// Removes the first attribute of this name, written with any path.
    pub(crate) fn take_attribute(&mut self, name: &str) -> Option<Attribute> {
        let is_named =
            |attr: &Attribute| attr.path().segments.last().is_some_and(|last| last.ident == name);
        let index = self.attributes.iter().position(is_named)?;
        Some(self.attributes.remove(index))
    }

    /// The first paragraph of the documentation, on one line.
    pub(crate) fn summary(&self) -> Option<String> {
        let docs = self.attributes_named("doc");
        let lines =
            docs.iter().filter_map(|attr| match &attr.meta.require_name_value().ok()?.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            });
        // A block comment is one attribute with several lines.
        let text = lines.collect::<Vec<_>>().join("\n");
        let lines = text.lines().map(|line| line.trim().trim_start_matches("* ").trim());
        let paragraph =
            lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        let summary = paragraph.collect::<Vec<_>>().join(" ");
        (!summary.is_empty()).then_some(summary)
    }

    /// The attributes of other names.
    pub(crate) fn attributes_but(&self, names: &[&str]) -> Vec<Attribute> {
        let other = |attr: &&Attribute| !names.iter().any(|name| attr.path().is_ident(name));
        self.attributes.iter().filter(other).cloned().collect()
    }

    /// The variants of the function, one for each result of the conditions on its parameters, with
    /// the conditions moved to the function. An attribute sees parameters that the compiler may
    /// still remove, and the generated code depends on their number.
    ///
    /// # Errors
    ///
    /// Fails when there are too many variants.
    pub(crate) fn variants(self) -> syn::Result<Vec<Self>> {
        let mut conditions: Vec<&TokenStream> = Vec::new();
        for condition in self.params.list.iter().flat_map(|param| &param.conditions) {
            if !conditions.iter().any(|known| same(known, condition)) {
                conditions.push(condition);
            }
        }
        match conditions.get(MAX_CONDITIONS) {
            None if conditions.is_empty() => return Ok(vec![self]),
            None => {}
            Some(condition) => {
                let message = format!(
                    "the parameters have more than {MAX_CONDITIONS} different conditions; put \
                     some of the parameters into a struct, whose fields may have them"
                );
                return Err(syn::Error::new(condition.span(), message));
            }
        }
        let ways = 0..1_u32 << conditions.len();
        Ok(ways.map(|way| self.variant(&conditions, |index| way >> index & 1 == 1)).collect())
    }

    /// The variant in which the conditions have these results.
    fn variant(&self, conditions: &[&TokenStream], holds: impl Fn(usize) -> bool) -> Self {
        let mut variant = self.clone();
        let given = |condition: &TokenStream| {
            conditions.iter().position(|known| same(known, condition)).is_none_or(&holds)
        };
        variant.params.list.retain(|param| param.conditions.iter().all(given));
        let list = variant.params.list.iter().map(|param| &param.tokens);
        let mut parameters = Group::new(Delimiter::Parenthesis, quote!(#(#list),*));
        parameters.set_span(self.parameters.span());
        variant.parameters = parameters;
        for (index, condition) in conditions.iter().enumerate() {
            variant.attributes.push(match holds(index) {
                true => syn::parse_quote!(#[cfg(#condition)]),
                false => syn::parse_quote!(#[cfg(not(#condition))]),
            });
        }
        variant
    }

    /// The code of the function as a text that does not depend on layout, comments and attributes.
    pub(crate) fn code(&self) -> String {
        let Self { qualifiers, parameters, arrow, output, body, .. } = self;
        let mut text = String::new();
        flatten(quote!(#qualifiers #parameters #arrow #output #body), &mut text);
        text
    }

    /// The signature, for the documentation.
    pub(crate) fn signature(&self) -> TokenStream {
        let Self { qualifiers, name, parameters, arrow, output, .. } = self;
        quote!(#qualifiers fn #name #parameters #arrow #output)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (conditions, mut attributes) = conditional(input.call(Attribute::parse_outer)?)?;
        attributes
            .extend(conditions.iter().map(|cfg| -> Attribute { syn::parse_quote!(#[cfg(#cfg)]) }));
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

/// The qualifiers before `fn`.
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
        let (conditions, attributes) = conditional(input.call(Attribute::parse_outer)?)?;
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
        let kind: Type = input.parse()?;
        let tokens = quote!(#(#attributes)* #pattern: #kind);
        self.list.push(Param { conditions, tokens, name: name_of(&pattern), kind });
        Ok(())
    }
}

/// The most different conditions on parameters of a function. Each one doubles the generated code.
const MAX_CONDITIONS: usize = 4;

fn same(one: &TokenStream, other: &TokenStream) -> bool {
    one.to_string() == other.to_string()
}

/// Separates `#[cfg(..)]` from other attributes.
fn conditional(attributes: Vec<Attribute>) -> syn::Result<(Vec<TokenStream>, Vec<Attribute>)> {
    let (mut conditions, mut others) = (Vec::new(), Vec::new());
    for attribute in attributes {
        if attribute.path().is_ident("cfg") {
            conditions.push(attribute.parse_args()?);
        } else if attribute.path().is_ident("cfg_attr") {
            let mut parts = split(attribute.parse_args()?).into_iter();
            let given = parts.next().unwrap_or_default();
            let (inner, rest): (Vec<_>, Vec<_>) = parts.partition(|part| condition(part).is_some());
            conditions.extend(
                inner.iter().filter_map(condition).map(|inner| quote!(any(not(#given), #inner))),
            );
            if inner.is_empty() {
                others.push(attribute);
            } else if !rest.is_empty() {
                others.push(syn::parse_quote!(#[cfg_attr(#given, #(#rest),*)]));
            }
        } else {
            others.push(attribute);
        }
    }
    Ok((conditions, others))
}

/// The condition in `cfg(condition)`.
fn condition(attribute: &TokenStream) -> Option<TokenStream> {
    let mut tokens = attribute.clone().into_iter();
    match (tokens.next(), tokens.next(), tokens.next()) {
        (Some(word), Some(TokenTree::Group(group)), None) if is_word(&word, "cfg") => {
            Some(group.stream())
        }
        _ => None,
    }
}

/// The tokens between commas.
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => {
                parts.push(TokenStream::new())
            }
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
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
