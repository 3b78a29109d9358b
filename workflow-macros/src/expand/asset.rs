//! The code of an asset: the trait for its type, and an entry for the registry.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{LitStr, Type};
use workflow_cron::Period;

use super::job::optional;
use super::settings::duration;
use super::{Work, local};
use crate::parse::asset_args::{AssetArgs, CheckArg, CodeVersion, PartitionsArg};
use crate::parse::kind::{Kind, last_segment, peel, types};

/// The code of an asset. The function stays as it is, with its output redirected to its job.
pub(crate) fn asset(work: &Work, args: &AssetArgs) -> TokenStream {
    let (site, private) = (Span::mixed_site(), work.private());
    let function = work.printing().renamed(&work.function.attributes, &work.function.name);
    let conditions = work.conditions();
    let Returned { value, .. } = Returned::of(work.function.output.as_ref());
    let name = name(work, args);
    let is_partitioned = args.partitions.is_some();
    let entry = entry(work, args, &name);
    let span = value.span().resolved_at(site);
    let implementation = quote_spanned! {span=>
        #(#conditions)*
        impl #private::asset::Asset for #value {
            const NAME: &'static ::core::primitive::str = #name;
            const IS_PARTITIONED: ::core::primitive::bool = #is_partitioned;
        }
    };
    quote_spanned! {site=>
        #function

        #implementation

        #(#conditions)*
        const _: () = {
            #entry
        };
    }
}

/// What the function returns.
struct Returned {
    value: Type,
    may_fail: bool,
}

impl Returned {
    /// The type inside of a `Result`, or the type. The attribute implements a trait for it, so it
    /// must see it.
    fn of(output: Option<&Type>) -> Self {
        let unit = || syn::parse_quote!(());
        let Some(output) = output else { return Self { value: unit(), may_fail: false } };
        match last_segment(output).filter(|last| last.ident == "Result") {
            Some(last) => {
                let value = types(last).next().cloned().unwrap_or_else(unit);
                Self { value, may_fail: true }
            }
            None => Self { value: output.clone(), may_fail: false },
        }
    }
}

fn name(work: &Work, args: &AssetArgs) -> String {
    let own = || work.function.name.unraw().to_string();
    args.name.as_ref().map_or_else(own, LitStr::value)
}

/// The entry for the registry, and what it needs.
fn entry(work: &Work, args: &AssetArgs, name: &str) -> TokenStream {
    let (site, private, location) = (Span::mixed_site(), work.private(), work.location());
    let version = code_version(work, args);
    let description = optional(work.function.summary());
    let partitions = partitions(work, args.partitions.as_ref());
    let freshness = match args.freshness.map(duration) {
        Some(freshness) => quote_spanned!(site=> ::core::option::Option::Some(#freshness)),
        None => quote_spanned!(site=> ::core::option::Option::None),
    };
    let inputs = inputs(work, args.partitions.is_some());
    let names = inputs.iter().map(|(name, _)| name);
    let constants = inputs.iter().map(|(_, constant)| constant);
    let checks = args.checks.iter().map(|check| {
        let (name, blocks) = (check_name(check), check.is_blocking);
        quote_spanned!(site=> (#name, #blocks))
    });
    let blocks = work.function.asyncness.is_none();
    let settings = work.settings(&args.options);
    let options = work.requiring(quote_spanned!(site=> __call #settings));
    let make = make(work, args);
    quote_spanned! {site=>
        #(#constants)*

        fn __options(
            __call: #private::Call<#private::asset::StepOutcome>,
        ) -> #private::Call<#private::asset::StepOutcome> {
            #options
        }

        #make

        #private::inventory::submit! {
            #private::asset::AssetEntry {
                name: #name,
                description: #description,
                location: #location,
                module: ::core::module_path!(),
                code_version: #version,
                partitions: #partitions,
                freshness: #freshness,
                inputs: &[#(#names.declared),*],
                checks: &[#(#checks),*],
                blocks: #blocks,
                options: __options,
                make: __make,
            }
        }
    }
}

/// The given version, or a hash of the tokens of the function.
fn code_version(work: &Work, args: &AssetArgs) -> TokenStream {
    let text = match &args.code_version {
        Some(CodeVersion::Constant(constant)) => return constant.clone(),
        Some(CodeVersion::Text(version)) => version.value(),
        None => {
            let code = work.function.code();
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, code.as_bytes()).to_string()
        }
    };
    quote_spanned!(Span::mixed_site()=> #text)
}

fn partitions(work: &Work, partitions: Option<&PartitionsArg>) -> TokenStream {
    let (site, private) = (Span::mixed_site(), work.private());
    let declared = quote_spanned!(site=> #private::asset::DeclaredPartitions);
    match partitions {
        None => quote_spanned!(site=> #declared::None),
        Some(PartitionsArg::Keys(keys)) => quote_spanned!(site=> #declared::Keys(&[#(#keys),*])),
        Some(PartitionsArg::Periods { period, first, timezone }) => {
            let period = match period {
                Period::Hour => quote_spanned!(site=> Hour),
                Period::Day => quote_spanned!(site=> Day),
                Period::Week => quote_spanned!(site=> Week),
                Period::Month => quote_spanned!(site=> Month),
            };
            let timezone = optional(timezone.as_ref().map(LitStr::value));
            quote_spanned! {site=>
                #declared::Periods {
                    period: #private::asset::Period::#period,
                    first: #first,
                    timezone: #timezone,
                }
            }
        }
    }
}

/// What a parameter of an asset is.
enum Parameter<'a> {
    Partition,
    All(&'a Type),
    One(&'a Type),
}

impl<'a> Parameter<'a> {
    /// `None` for a context and state, which are no inputs.
    fn of(kind: &'a Kind) -> Option<Self> {
        let value = kind.value()?;
        let named = last_segment(value);
        Some(match named {
            Some(last) if last.ident == "Partition" => Self::Partition,
            Some(last) if last.ident == "All" => match types(last).next() {
                Some(inner) => Self::All(inner),
                None => Self::One(value),
            },
            _ => Self::One(peel(value)),
        })
    }
}

/// A constant for each input, with its name. Whether its type is an asset, and fits, is checked there.
fn inputs(work: &Work, is_partitioned: bool) -> Vec<(Ident, TokenStream)> {
    let private = work.private();
    let parameters = work.kinds.iter().filter(|kind| kind.is_input()).map(Parameter::of);
    let inputs = parameters.enumerate().filter_map(|(index, parameter)| {
        let parameter = parameter?;
        let (Parameter::All(kind) | Parameter::One(kind)) = parameter else { return None };
        let (span, input) = (kind.span().resolved_at(Span::mixed_site()), constant(index));
        let made = match parameter {
            Parameter::All(_) => quote_spanned!(span=> #private::asset::all::<#kind>()),
            _ => quote_spanned!(span=> #private::asset::one::<#kind>(#is_partitioned)),
        };
        let item = quote_spanned!(span=> const #input: #private::asset::Input<#kind> = #made;);
        Some((input, item))
    });
    inputs.collect()
}

/// The name of the constant for an input.
fn constant(index: usize) -> Ident {
    format_ident!("__INPUT{index}", span = Span::mixed_site())
}

/// The function that reads the inputs, calls the function, and stores its value.
fn make(work: &Work, args: &AssetArgs) -> TokenStream {
    let (site, private) = (Span::mixed_site(), work.private());
    let mut reads = TokenStream::new();
    let mut arguments = Vec::new();
    for (index, kind) in work.kinds.iter().filter(|kind| kind.is_input()).enumerate() {
        let (input, constant) = (local("input", index), constant(index));
        let read = match Parameter::of(kind) {
            Some(Parameter::All(_)) => quote_spanned!(site=> __making.all(&#constant).await?),
            Some(Parameter::One(_)) => quote_spanned!(site=> __making.input(&#constant).await?),
            _ => quote_spanned!(site=> ::core::clone::Clone::clone(__making.partition())),
        };
        reads.extend(quote_spanned!(site=> let #input = #read;));
        let reference = matches!(kind, Kind::Ref(_)).then(|| quote_spanned!(site=> &));
        arguments.push(quote_spanned!(site=> #reference #input));
    }
    let scope = quote_spanned!(site=> __making.io());
    let (provided, context) = (work.make_provided(&scope), work.make_context(Some(&scope)));
    let arguments = work.arguments(&quote_spanned!(site=> __context), &arguments);
    let function = &work.function.name;
    let wait = work.function.asyncness.map(|_| quote_spanned!(site=> .await));
    let Returned { value, may_fail } = Returned::of(work.function.output.as_ref());
    let ends = may_fail.then(|| quote_spanned!(site=> ?));
    let checks = args.checks.iter().map(|check| self::check(work, check, &value));
    quote_spanned! {site=>
        fn __make(
            __making: #private::asset::Making,
        ) -> #private::BoxFuture<
            'static,
            ::core::result::Result<#private::asset::StepOutcome, #private::JobError>,
        > {
            ::std::boxed::Box::pin(async move {
                #reads
                #provided
                #context
                let __value = #function(#arguments) #wait #ends;
                __making.finish::<#value>(__value, &[#(#checks),*]).await
            })
        }
    }
}

fn check_name(check: &CheckArg) -> String {
    let last = check.path.segments.last();
    last.map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}

fn check(work: &Work, check: &CheckArg, value: &Type) -> TokenStream {
    let (site, private) = (Span::mixed_site(), work.private());
    let (name, is_blocking, path) = (check_name(check), check.is_blocking, &check.path);
    let span = path.span().resolved_at(site);
    let call = quote_spanned!(span=> #path(__value));
    quote_spanned! {site=>
        #private::asset::Check::<#value> {
            name: #name,
            is_blocking: #is_blocking,
            run: |__value| {
                ::core::result::Result::map_err(#call, |__problem| {
                    ::std::string::ToString::to_string(&__problem)
                })
            },
        }
    }
}
