//! The settings on the call of a job.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::LitStr;
use syn::spanned::Spanned;

use super::Work;
use crate::parse::options::{Grace, Options, Retry};
use crate::validate::Role;

impl Work {
    /// The settings of a call.
    pub(super) fn settings(&self, options: &Options) -> TokenStream {
        let site = Span::mixed_site();
        let context = self.context().map(|context| {
            let container = context.of_workflow.then(|| quote_spanned!(site=> .container()));
            quote_spanned!(site=> .takes_context() #container)
        });
        let options = self.options(options);
        quote_spanned!(site=> #context #options)
    }

    /// The call, which says which parameters the engine must provide.
    pub(super) fn requiring(&self, call: TokenStream) -> TokenStream {
        let private = self.private();
        let job = match self.role {
            Role::Job => {
                let name = &self.function.name;
                quote_spanned! {Span::mixed_site()=>
                    ::core::option::Option::Some(::core::any::TypeId::of::<#name>())
                }
            }
            Role::Workflow | Role::Asset => {
                quote_spanned!(Span::mixed_site()=> ::core::option::Option::None)
            }
        };
        self.provided().fold(call, |call, kind| {
            let span = kind.span().resolved_at(Span::mixed_site());
            quote_spanned!(span=> <#kind as #private::ProvidedParameter>::require(#call, #job))
        })
    }

    fn options(&self, options: &Options) -> TokenStream {
        let site = Span::mixed_site();
        let retry = options.retry.as_ref().map(|retry| {
            let policy = self.retry(retry);
            quote_spanned!(site=> .retry(#policy))
        });
        let timeouts = [
            ("start_to_close", options.start_to_close),
            ("schedule_to_close", options.schedule_to_close),
            ("heartbeat", options.heartbeat),
        ];
        let timeouts = timeouts.into_iter().filter_map(|(name, limit)| {
            let (name, limit) = (Ident::new(name, site), duration(limit?));
            Some(quote_spanned!(site=> .#name(#limit)))
        });
        let grace = options.grace.map(|grace| match grace {
            Grace::Engine => quote_spanned!(site=> .default_grace()),
            Grace::For(period) => {
                let period = duration(period);
                quote_spanned!(site=> .grace(#period))
            }
        });
        let priority = options.priority.filter(|priority| *priority != 0);
        let priority = priority.map(|priority| quote_spanned!(site=> .priority(#priority)));
        let limits = &options.limits;
        let queue = options.task_queue.as_ref().map(LitStr::value);
        let queue = queue.map(|queue| quote_spanned!(site=> .task_queue(#queue)));
        quote_spanned! {site=>
            #retry #(#timeouts)* #grace #priority #(.limit(#limits))* #queue
        }
    }

    fn retry(&self, retry: &Retry) -> TokenStream {
        let private = self.private();
        let site = Span::mixed_site();
        let attempts = retry.maximum_attempts;
        let initial = retry.initial_interval.map(duration);
        let initial = initial.map(|wait| quote_spanned!(site=> .initial_interval(#wait)));
        let maximum = retry.maximum_interval.map(duration);
        let maximum = maximum.map(|wait| quote_spanned!(site=> .maximum_interval(#wait)));
        let backoff = retry.backoff_coefficient;
        let backoff = backoff.map(|factor| quote_spanned!(site=> .backoff_coefficient(#factor)));
        let jitter = retry.jitter.map(|share| quote_spanned!(site=> .jitter(#share)));
        let errors = &retry.non_retryable_errors;
        quote_spanned! {site=>
            #private::RetryPolicy::attempts(#attempts) #initial #backoff #maximum #jitter
            #(.non_retryable(#errors))*
        }
    }
}

pub(super) fn duration(duration: std::time::Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote_spanned!(Span::mixed_site()=> ::core::time::Duration::new(#seconds, #nanoseconds))
}
