//! The attributes of `workflow-core`: [`#[job]`](macro@job) and
//! [`#[register_workflow]`](macro@register_workflow).
//!
//! Hosts use them through `workflow_core`, which re-exports both. The crate works in stages:
//! `parse` parses the attribute and the function, `metadata` parses JSON, `validate` checks,
//! `expand` generates code, and `fallback` prevents one mistake from causing many errors. It knows
//! the interface of `workflow_core::__private`, but not how that works.

mod apply;
mod expand;
mod fallback;
mod literal;
mod metadata;
mod parse;
mod validate;

use proc_macro::{Span, TokenStream};

use parse::place;

/// Makes a job from a function.
///
/// The function can then be called in two ways, which the arguments decide. Called with values, it
/// runs. Called with handles, it returns a `Call`: a job of a graph, which reads its arguments once
/// they exist.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn extract() -> Vec<u64> {
///     vec![1, 2, 3]
/// }
///
/// #[job(retry(maximum_attempts = 3, initial_interval = "200ms"), start_to_close = "30s")]
/// async fn total(numbers: &[u64], offset: u64) -> Result<u64, JobError> {
///     Ok(numbers.iter().sum::<u64>() + offset)
/// }
///
/// fn draw(flow: &mut Flow) {
///     let numbers = flow.job(extract());
///     let total = flow.job(total(numbers, 10)); // a constant where the parameter is owned
///     flow.output(total);
/// }
///
/// # fn main() -> Result<(), JobError> {
/// // A unit test calls the function as if there were no attribute.
/// let sum = futures::executor::block_on(total(&[1, 2], 10))?;
/// assert_eq!(sum, 13);
/// # draw(&mut Flow::new());
/// # Ok(())
/// # }
/// ```
///
/// # Functions
///
/// A job is a free `fn` or `async fn` without generics, anywhere but in an `impl` block: in a
/// module, in a function body, in the output of a macro. An `async fn` is polled where the run
/// executes. A plain `fn` may block: it is called on a thread for blocking work, unless `inline`
/// marks it as quick.
///
/// It has at most 12 inputs, some of which may depend on a `#[cfg(..)]`. The type of a parameter,
/// as written, decides what it receives:
///
/// | parameter | receives | a call takes |
/// |---|---|---|
/// | `&T` | the value in place; also `&str` of a `String`, `&[T]` of a `Vec<T>` | `Handle<T>`, or `&T` to run |
/// | `T` | a clone | `Handle<T>`, or a `T`: a constant beside handles, else to run |
/// | `Option<&T>` | `None` if its job did not complete | `Handle<T>`, or `Option<&T>` to run |
/// | `Each<'_, T>` | any number of values | a list of `Handle<T>`, or an `Each` to run |
/// | `State<T>` | the engine's `T`, set with `Engine::builder().state(..)`; no input | nothing, but at least one handle |
/// | `Config<T>` | the workflow's configuration, read as `T` by the crate `workflow-config`; no input | nothing, but at least one handle |
/// | `JobContext`, `WorkflowContext`, or `&` of one | the context of the attempt; no input | nothing |
///
/// The names `Each`, `Option`, `State`, `Config`, `JobContext` and `WorkflowContext` must be those of these
/// types; other types may have any name. A context, a handle or state under another name is an
/// error.
///
/// Values pass between threads and may outlive the job that made them, so types must own their
/// contents: `Vec<String>`, not `Vec<&str>`.
///
/// A job whose return type is a [`Result`] can fail. Its output is the value inside, and its error
/// is any type that `?` converts to a `JobError`. The type decides, not its name: an alias such as
/// `std::io::Result<T>`, `anyhow::Result<T>` or your own is a `Result`, too, and your own enum
/// named `Result` is not. Any other return type is the output itself.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn summary(ctx: &JobContext, parts: Each<'_, u64>, title: Option<&str>) -> String {
///     let title = title.unwrap_or("untitled");
///     format!("{title}: {} in attempt {}", parts.iter().sum::<u64>(), ctx.attempt())
/// }
///
/// // A job without inputs always returns a call; awaited, it runs.
/// #[job]
/// fn answer() -> u64 {
///     42
/// }
///
/// # fn main() -> Result<(), JobError> {
/// // A direct call gets a context detached from any run.
/// assert_eq!(summary(Each::from(&[1, 2][..]), Some("sum")), "sum: 3 in attempt 1");
/// // `call` is the original function, with the context among its parameters.
/// let ctx = JobContext::detached();
/// assert_eq!(summary::call(&ctx, Each::from(&[][..]), None), "untitled: 0 in attempt 1");
/// assert_eq!(answer::call(), 42);
/// assert_eq!(futures::executor::block_on(async { answer().await })?, 42);
/// # Ok(())
/// # }
/// ```
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = ".."` | the job's name: 1 to 200 printable characters | the function's name |
/// | `domain = ".."` | the business domain whose workflows use the job, for lists | none: all domains share the job |
/// | `retry(..)` | when and how often to retry, see below | one attempt |
/// | `start_to_close = "30s"` | the timeout of one attempt | no limit |
/// | `schedule_to_close = "5m"` | the timeout of all attempts with the waits between them | no limit |
/// | `heartbeat = "5s"` | the longest time between two calls of `JobContext::heartbeat` | no limit |
/// | `grace = "5s"`, `grace` | how long the job may clean up when it is cancelled; without a value, as long as the engine's `cancel_grace` | none: it is dropped at once |
/// | `priority = -1` | among jobs that are ready, the highest starts first | 0 |
/// | `limit = "db"`, `limits = ["db", "gpu"]` | named limits that the job counts against: of the engine, of the workflow, or of this machine | none |
/// | `task_queue = "gpu"` | the task queue whose workers execute the job: `Call::task_queue` | the process of the run |
/// | `inline` | the function is quick and does not block: no thread for it | a plain `fn` gets a thread |
/// | `crate = some::path` | where `workflow_core` is found | `::workflow_core` |
///
/// In `retry(..)`, the names and defaults are those of `RetryPolicy`:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `maximum_attempts = 3` | the number of attempts; 0 for no limit; required | |
/// | `initial_interval = "1s"` | the wait after the first failed attempt | 1 s |
/// | `backoff_coefficient = 2.0` | the factor from each wait to the next; at least 1 | 2 |
/// | `maximum_interval = "1m"` | the longest wait | 100 times the initial interval |
/// | `jitter = 0.1` | the share of a wait by which it is shortened at random, 0 to 1 | 0.2 |
/// | `non_retryable_errors = ["ParseIntError"]` | error types that end the job at once | none |
///
/// Durations are strings such as `"200ms"`, `"1h 30m"` or, in ISO 8601, `"PT90M"`. Options of a
/// `Call` override those of the attribute for one job of a graph.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job(
///     name = "read page",
///     retry(
///         maximum_attempts = 5,
///         initial_interval = "200ms",
///         backoff_coefficient = 1.5,
///         maximum_interval = "1m",
///         jitter = 0.1,
///         non_retryable_errors = ["ParseIntError"],
///     ),
///     start_to_close = "30s",
///     schedule_to_close = "1h 30m",
///     heartbeat = "5s",
///     priority = -1,
///     limits = ["db", "network"],
/// )]
/// async fn read_page(ctx: &JobContext, page: String) -> Result<u32, std::num::ParseIntError> {
///     ctx.heartbeat();
///     page.trim().parse()
/// }
/// # assert_eq!(futures::executor::block_on(read_page("3".to_owned())), Ok(3));
/// ```
///
/// # Generated items
///
/// For `fn load`: the function `load`, generic over its arguments; a type `load` without values,
/// which has `load::call`, the original function, `load::draw`, which describes a job even when no
/// argument is a handle, and `load::replaced_by`, which makes an engine call a closure in place of
/// the function (`EngineBuilder::replace`); and an entry in the registry, where
/// `registry::job("load")` finds the job, described by the first paragraph of its documentation.
/// Documentation goes to the function `load`, all other
/// attributes and those of parameters to `load::call`. The type has the visibility of the function,
/// so the function's output must have it, too.
#[proc_macro_attribute]
pub fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    apply::job(args.into(), item.into(), place::block(Span::call_site())).into()
}

/// Registers a function as a workflow.
///
/// The function is not changed. A program finds the workflow by its name, in any linked crate.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn shout(text: &str) -> String {
///     text.to_uppercase()
/// }
///
/// // Draws a graph, once.
/// #[register_workflow(name = "greet", description = "Greets loudly", tags = ["demo"])]
/// fn greet(flow: &mut Flow, name: Handle<String>) -> Handle<String> {
///     flow.job(shout(name))
/// }
///
/// // Is a graph of one job.
/// #[register_workflow(name = "count", retry(maximum_attempts = 3))]
/// async fn count(text: &str) -> Result<usize, JobError> {
///     Ok(text.len())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let greeting: String = registry::run("greet").input("Ada").wait()?.output()?;
/// assert_eq!(greeting, "ADA");
/// let length: usize = registry::run("count").input("Ada").wait()?.output()?;
/// assert_eq!(length, 3);
/// # Ok(())
/// # }
/// ```
///
/// # Functions
///
/// A free function without generics, outside of `impl` blocks. Its first parameter decides the kind
/// of workflow:
///
/// | function | the workflow |
/// |---|---|
/// | `fn f(flow: &mut Flow)` | the graph that `f` draws |
/// | `fn f(flow: &mut Flow, input: Handle<T>)` | the same, with an input that jobs read |
/// | `fn f(flow: &mut Flow, input: &T)`, or `T` | a separate graph for every input |
/// | `fn f(input: &T)`, or `T`; with or without `async` | one job that calls `f` |
///
/// A function that draws returns nothing, the `Handle` of the workflow's output, or a `Result` of
/// either, also as an alias. It can be called with any `Flow` to draw its graph there. Any other
/// function may take a `JobContext` or a `WorkflowContext`, and any `State<T>`, besides its input,
/// in the forms that [`#[job]`](macro@job) describes, and returns what a job can return.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn square(number: u64) -> u64 {
///     number * number
/// }
///
/// #[job]
/// fn sum(numbers: Each<'_, u64>) -> u64 {
///     numbers.iter().sum()
/// }
///
/// #[register_workflow]
/// fn squares(flow: &mut Flow, numbers: &[u64]) -> Result<Handle<u64>, JobError> {
///     let mut squared = Vec::new();
///     for number in numbers {
///         let number = flow.value(*number);
///         squared.push(flow.job(square(number)));
///     }
///     Ok(flow.job(sum(squared)))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sum: u64 = registry::run("squares").input(vec![1_u64, 2, 3]).wait()?.output()?;
/// assert_eq!(sum, 14);
/// # Ok(())
/// # }
/// ```
///
/// # Above a job, and for a function elsewhere
///
/// Above `#[job]`, the attribute also registers a workflow of that one job, with the options of the
/// job. A function that draws is a workflow as it is, so `#[job]` adds nothing there. With `job`, the
/// attribute registers a function that draws without an input or with a `Handle`, and stands on any
/// other item, such as the `use` of the function.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "double it")]
/// #[job(retry(maximum_attempts = 3))]
/// fn double(number: &u64) -> u64 {
///     number * 2
/// }
///
/// mod jobs {
///     use workflow_core::prelude::*;
///
///     pub fn nightly(flow: &mut Flow) -> Handle<u64> {
///         let number = flow.value(2_u64);
///         flow.job(super::double(number))
///     }
/// }
///
/// #[register_workflow(workflow_id = "nightly", job = jobs::nightly, description = "Doubles two")]
/// use jobs::nightly;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let four: u64 = registry::run("double it").input(2).wait()?.output()?;
/// assert_eq!(four, registry::run("nightly").wait()?.output::<u64>()?);
/// nightly(&mut Flow::new());
/// # Ok(())
/// # }
/// ```
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = ".."`, or `workflow_id` | the name: 1 to 200 printable characters, unique in the program | the function's name |
/// | `job = path::to::function` | the function that draws the graph, when the attribute is on another item | the function with the attribute |
/// | `metadata = { .. }` | the metadata of the workflow, as a JSON object | `{}` |
/// | `description`, `owner`, `schedule`, `tags`, `project`, `domain`, `version` | the same keys of `metadata`, for short | |
/// | `concurrency(key = "..", limit = 1, on_conflict = "queue")`, `singleton` | the most runs at once, by a key | no limit |
/// | `rate_limit(key = "..", limit = 200, per = "1s")` | the most runs that begin in a period, by a key | no limit |
/// | `debounce(key = "..", delay = "5s", max_delay = "1m")` | lets requests in quick succession share a run | |
/// | `fairness(key = "..", weight = 1)` | lets the runs of different keys take turns | oldest first |
/// | `retry(..)`, `start_to_close`, `schedule_to_close`, `heartbeat`, `grace`, `limit`, `limits` | as for [`#[job]`](macro@job); not for functions that draw | |
/// | `crate = some::path` | where `workflow_core` is found | `::workflow_core` |
///
/// # Metadata
///
/// Plain JSON, checked at compile time: keys are unique in an object, `tags` is a list of strings,
/// `schedule` is a cron expression of five fields (six with seconds) that is due at some time, or an
/// object with `cron` and options: `schedule(cron = "0 3 * * *", timezone = "Europe/Berlin",
/// overlap = "skip", catch_up = "6h", jitter = "30s")`. The other keys named above are strings.
/// All other keys are free. A comma may follow the last entry. The object can also be a string. A
/// `project` that is not in lower case with dashes causes a warning.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(
///     name = "nightly report",
///     schedule = "0 3 * * *",
///     metadata = {
///         "owner": "web",
///         "project": "web-shop",
///         "tags": ["report", "nightly"],
///         "budget": { "seconds": 90.5, "hard": true, "previous": null },
///     },
/// )]
/// fn nightly() {}
///
/// #[register_workflow(metadata = r#"{ "owner": "web" }"#)]
/// fn hourly() {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let entry = registry::get("nightly report")?;
/// assert_eq!(entry.schedule(), Some("0 3 * * *"));
/// assert_eq!(entry.metadata().at("budget.hard"), Some(&true.into()));
/// assert_eq!(registry::get("hourly")?.metadata().owner(), Some("web"));
/// # Ok(())
/// # }
/// ```
#[proc_macro_attribute]
pub fn register_workflow(args: TokenStream, item: TokenStream) -> TokenStream {
    apply::workflow(args.into(), item.into(), place::block(Span::call_site())).into()
}

/// Makes an asset of the value that a function returns.
///
/// The function is not changed. Its return type implements `Asset`, so other assets can take it as a
/// parameter. The workflow `assets` makes the asset when it is not current.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use workflow_core::asset::{All, Partition, asset};
/// use workflow_core::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct RawOrders(Vec<u64>);
///
/// #[derive(Serialize, Deserialize)]
/// struct Orders(Vec<u64>);
///
/// #[derive(Serialize, Deserialize)]
/// struct Revenue(u64);
///
/// /// The orders of a day, as the shop sent them.
/// #[asset(partitions = daily("2026-01-01"), retry(maximum_attempts = 3))]
/// async fn raw_orders(day: &Partition) -> Result<RawOrders, JobError> {
///     println!("orders of {day}");
///     Ok(RawOrders(vec![30, 0, 12]))
/// }
///
/// #[asset(partitions = daily("2026-01-01"), checks(block = [has_rows], warn = [has_many]))]
/// fn orders(raw: &RawOrders) -> Orders {
///     Orders(raw.0.iter().copied().filter(|price| *price > 0).collect())
/// }
///
/// fn has_rows(orders: &Orders) -> Result<(), String> {
///     if orders.0.is_empty() { Err("no orders".to_owned()) } else { Ok(()) }
/// }
///
/// fn has_many(orders: &Orders) -> Result<(), String> {
///     if orders.0.len() < 10 { Err(format!("{} orders", orders.0.len())) } else { Ok(()) }
/// }
///
/// #[asset(freshness = "1d")]
/// fn revenue(days: All<Orders>) -> Revenue {
///     Revenue(days.values().flat_map(|orders| &orders.0).sum())
/// }
///
/// // A unit test calls the function.
/// assert_eq!(orders(&RawOrders(vec![1, 0])).0, [1]);
/// ```
///
/// # Functions
///
/// A free `fn` or `async fn` without generics. A plain `fn` may block. It returns a type of its own
/// crate, or a `Result` of it, written as `Result<T, E>` or with a path to an alias of that name. The
/// type implements `Serialize` and `Deserialize`, or `AssetValue`.
///
/// | parameter | receives |
/// |---|---|
/// | `&T` | the value of the asset `T`: of the same partition, if `T` has partitions |
/// | `All<T>`, `&All<T>` | the values of all partitions of `T` that lie within the own partition |
/// | `Partition`, `&Partition` | the partition that is made |
/// | `State<T>`, `JobContext`, `&JobContext` | as for [`#[job]`](macro@job) |
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `name = ".."` | the name: up to 90 letters, digits, `_`, `-` and `.` | the function's name |
/// | `partitions = daily("2026-01-01")` | a partition for each day from this one on, in UTC; also `hourly("2026-01-01T00")`, `weekly("2026-01-05")`, `monthly("2026-01")` | none |
/// | `partitions = daily("2026-01-01", timezone = "Europe/Berlin")` | the same in a time zone; not for hours | UTC |
/// | `partitions = ["eu", "us"]` | a partition for each key | none |
/// | `freshness = "1d"` | the age from which a value counts as overdue | none |
/// | `checks(block = [f], warn = [g])` | functions `fn(&T) -> Result<(), E>`, where `E` can be displayed, that check each value | none |
/// | `code_version = ".."` | the version of the function: a value that another version made is made again. Also a constant `&'static str`, such as `include_str!("prices.rs")`; a long one is hashed | a hash of the function's tokens |
/// | `retry(..)`, `start_to_close`, `schedule_to_close`, `heartbeat`, `grace`, `priority`, `limit`, `limits` | as for [`#[job]`](macro@job) | |
/// | `crate = some::path` | where `workflow_core` is found | `::workflow_core` |
///
/// The hash does not contain functions and types that the function uses. After a change of those,
/// set or change `code_version`, or make the asset again by force. With `include_str!` of a file,
/// each change of the file is another version.
#[proc_macro_attribute]
pub fn asset(args: TokenStream, item: TokenStream) -> TokenStream {
    apply::asset(args.into(), item.into(), place::block(Span::call_site())).into()
}
