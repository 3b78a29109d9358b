//! Expressions in `${{ .. }}`: Jinja over the input of the run and the jobs that ended before.
//! minijinja evaluates them, with a limit on steps. They only read values.

mod compare;
#[cfg(test)]
mod hostile;
mod list_filters;
mod names;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};
use serde_json::Value as Json;

use crate::bounds;

/// The cure for an invalid expression.
pub(super) const EXAMPLE: &str = "write for example `${{ jobs.count.outputs.rows > 0 }}`";

/// The most steps that the evaluation of an expression may take.
const FUEL: u64 = 10_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    compare::add_to(&mut environment);
    list_filters::add_to(&mut environment);
    environment
});

/// An expression as in `${{ .. }}`, and the jobs that it reads.
///
/// The language is Jinja. Texts and numbers are not compared with each other. Length, nesting and
/// steps are bounded, so that an expression of a stranger cannot stop the program.
///
/// ```
/// use serde_json::json;
/// use workflow_files::Expression;
///
/// let expression = Expression::parse("price * quantity if price > 0 else 0")?;
/// assert!(expression.names().eq(["price", "quantity"]));
/// let compiled = expression.compile()?;
/// assert_eq!(compiled.evaluate(&json!({ "price": 2, "quantity": 3 }))?, json!(6));
/// assert!(Expression::parse("price *").is_err());
/// # Ok::<_, workflow_files::ExpressionError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    code: String,
    reads: Vec<JobRead>,
}

/// A part of an expression that reads a result of a job: `jobs.count.outputs.rows`.
#[derive(Debug, Clone)]
pub(crate) struct JobRead {
    /// The job's name.
    pub(crate) job: String,
    /// Its text in the expression.
    pub(crate) written: String,
    /// The names that follow the job, two levels deep: `outputs`, `rows`.
    pub(crate) steps: Vec<Step>,
}

/// One name after a job.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Its range in the text.
    pub(crate) place: Range<usize>,
}

impl Expression {
    /// Checks an expression. Names of jobs may hold dashes: `jobs.train-model.outputs.rows`; any
    /// name can stand in brackets: `jobs["train model"]`.
    ///
    /// # Errors
    ///
    /// Fails for an expression that is invalid, has more than 64 KiB or 400 operators, nests more than
    /// 24 levels deep, or names a function, filter or test that does not exist.
    pub fn parse(source: &str) -> Result<Self, ExpressionError> {
        let expression = Self::checked(source).map_err(ExpressionError)?;
        match expression.unknown_words() {
            None => Ok(expression),
            Some(unknown) => Err(ExpressionError(unknown)),
        }
    }

    /// Checks an expression whose unknown names are reported with their places.
    pub(super) fn checked(source: &str) -> Result<Self, String> {
        let source = source.trim();
        // The library recurses in its parser, its compiler and its destructors.
        bounds::expression(source)
            .map_err(|error| format!("`{}` is too large: {error}", beginning(source)))?;
        let (code, reads) = name_jobs(source)?;
        ENVIRONMENT.compile_expression(&code).map_err(|error| {
            format!("`{}` is not a valid expression: {}", beginning(source), reason(&error))
        })?;
        let code = compare::as_calls(&code);
        ENVIRONMENT.compile_expression(&code).map_err(|error| {
            format!("`{}` is nested too deeply: {}", beginning(source), reason(&error))
        })?;
        Ok(Self { source: source.to_owned(), code, reads })
    }

    /// Checks the expression of a `when`, with or without `${{ .. }}` around all of it.
    pub(crate) fn condition(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let inside = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
        let source = inside.unwrap_or(text);
        if source.contains("${{") {
            return Err(
                "`when` must be one expression; put all of it into one `${{ .. }}`".to_owned()
            );
        }
        Self::checked(source)
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The names of the jobs that the expression reads.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = &String> {
        self.reads.iter().map(|read| &read.job)
    }

    /// The results of jobs that the expression reads.
    pub(crate) fn reads(&self) -> &[JobRead] {
        &self.reads
    }

    /// The names whose values the expression reads, without what follows a dot; in order.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let compiled = ENVIRONMENT.compile_expression(&self.code);
        // It was compiled when it was checked.
        let names = compiled.map(|it| it.undeclared_variables(false)).unwrap_or_default();
        let names: BTreeSet<_> = names.into_iter().filter(|name| !compare::is_own(name)).collect();
        names.into_iter()
    }

    /// Compiles the expression, to evaluate it often.
    ///
    /// # Errors
    ///
    /// Only in the unlikely case that the library refuses what it accepted before.
    pub fn compile(&self) -> Result<CompiledExpression<'_>, ExpressionError> {
        let failed = |error| ExpressionError(format!("`{}`: {}", self.source, reason(&error)));
        let code = ENVIRONMENT.compile_expression(&self.code).map_err(failed)?;
        Ok(CompiledExpression { source: &self.source, code })
    }

    /// Evaluates the expression, given `{"input": .., "jobs": {name: {"status": .., "outputs":
    /// {..}}}}`.
    pub(crate) fn evaluate(&self, known: &Json) -> Result<Json, String> {
        Ok(self.compile()?.evaluate(known)?)
    }
}

/// An [`Expression`] that is ready to be evaluated.
#[derive(Debug)]
pub struct CompiledExpression<'e> {
    source: &'e str,
    code: minijinja::Expression<'e, 'e>,
}

impl CompiledExpression<'_> {
    /// Evaluates the expression with the values of an object, by their names.
    ///
    /// # Errors
    ///
    /// Fails when there is no value: for an unknown name, an operation that does not fit its values,
    /// or a number that is infinite; and when the value is larger than 16 MiB or took more than
    /// 10,000 steps.
    pub fn evaluate(&self, known: &Json) -> Result<Json, ExpressionError> {
        let failed = |reason: &str| {
            ExpressionError(format!("`{}` has no value: {reason}", beginning(self.source)))
        };
        let value = self.code.eval(minijinja::value::Serde(known));
        let value = value.map_err(|error| failed(&reason(&error)))?;
        if value.is_undefined() {
            return Err(match input_name(self.source) {
                Some(name) => ExpressionError(format!(
                    "the run has no input `{name}`; pass it with --param {name}=VALUE"
                )),
                None => failed("nothing has that name"),
            });
        }
        bounds::serialized(&value)
            .and_then(|()| if is_finite(&value) { Ok(()) } else { Err(INFINITE.to_owned()) })
            .and_then(|()| serde_json::to_value(&value).map_err(|error| error.to_string()))
            .and_then(|json| bounds::value(&json).map(|()| json).map_err(|error| error.to_string()))
            .map_err(|reason| failed(&reason))
    }
}

/// The name of the input, if the expression reads one and nothing else.
fn input_name(source: &str) -> Option<&str> {
    let name = source.trim().strip_prefix("input.")?;
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    (is_name && !name.is_empty()).then_some(name)
}

const INFINITE: &str = "a number is infinite or the result of an impossible operation";

/// Whether all numbers in a value are finite: others have no JSON, and would become null.
fn is_finite(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).is_ok_and(f64::is_finite),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().is_ok_and(|mut items| items.all(|item| is_finite(&item)))
        }
        ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
            keys.all(|key| value.get_item(&key).is_ok_and(|item| is_finite(&item)))
        }),
        _ => true,
    }
}

/// Why an expression is invalid, or has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(String);

impl From<ExpressionError> for String {
    fn from(error: ExpressionError) -> Self {
        error.0
    }
}

/// Whether a value counts as true, as in Jinja: not null, false, 0, or empty.
///
/// # Errors
///
/// Fails for a text that is not empty but means false to people: `False`, `no`, `0.00`.
pub(crate) fn holds(expression: &Expression, value: &Json) -> Result<bool, String> {
    if let Json::String(text) = value
        && is_like_false(text)
    {
        let source = beginning(&expression.source);
        return Err(format!(
            "`{source}` is the text {text:?}, which would count as true; compare it: \
             `{source} == \"true\"`"
        ));
    }
    Ok(is_true(value))
}

fn is_like_false(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    matches!(&*text, "false" | "no" | "off" | "none" | "null") || text.parse() == Ok(0.0_f64)
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

/// The beginning of an expression, enough to recognize it.
pub(super) fn beginning(source: &str) -> Cow<'_, str> {
    match source.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}...", &source[..end])),
        None => Cow::Borrowed(source),
    }
}

fn reason(error: &minijinja::Error) -> String {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    if reason.starts_with("unexpected end of input") {
        return "it ends too early".to_owned();
    }
    // The text is shown with the expression, which has no name of its own.
    reason.replace(" (in <expression>:1)", "")
}

/// Puts each name after `jobs.` into brackets, and lists what is read.
fn name_jobs(source: &str) -> Result<(String, Vec<JobRead>), String> {
    let mut code = String::with_capacity(source.len() + 8);
    let mut reads = Vec::new();
    let mut rest = source;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        if matches!(letter, '"' | '\'') {
            let length = quoted(rest, letter).ok_or("a string is not closed")?;
            code.push_str(&rest[..length]);
            rest = &rest[length..];
            before = letter;
            continue;
        }
        let is_word = before.is_alphanumeric() || matches!(before, '_' | '.');
        if !is_word && let Some(after) = rest.strip_prefix("jobs") {
            let (job, length) = job_name(after)?;
            code.push_str("jobs[");
            code.push_str(&Json::from(job.as_str()).to_string());
            code.push(']');
            let (steps, end) = steps(rest, "jobs".len() + length);
            reads.push(JobRead { job, written: rest[..end].to_owned(), steps });
            rest = &after[length..];
            before = ']';
            continue;
        }
        code.push(letter);
        rest = &rest[letter.len_utf8()..];
        before = letter;
    }
    Ok((code, reads))
}

/// The name after `jobs`, and how much of the text it takes.
fn job_name(after: &str) -> Result<(String, usize), String> {
    if let Some(name) = after.strip_prefix('.') {
        let of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
        let length = name.find(|letter| !of_name(letter)).unwrap_or(name.len());
        if length > 0 {
            return Ok((name[..length].to_owned(), length + 1));
        }
    }
    let quote = after.strip_prefix('[').and_then(|inside| inside.chars().next());
    if let Some(quote @ ('"' | '\'')) = quote
        && let Some(length) = quoted(&after[1..], quote)
        && after[1 + length..].starts_with(']')
    {
        return Ok((after[2..length].to_owned(), length + 2));
    }
    Err("`jobs` must be followed by the name of a job: `jobs.extract` or `jobs[\"extract\"]`"
        .to_owned())
}

/// The first two of the names that follow from here on, and where they end.
fn steps(text: &str, from: usize) -> (Vec<Step>, usize) {
    let mut steps = Vec::new();
    let mut end = from;
    while steps.len() < 2
        && let Some(place) = step(&text[end..])
    {
        let close = if text[end..].starts_with('[') { 2 } else { 0 };
        let place = end + place.start..end + place.end;
        end = place.end + close;
        // A name that is called is a method, not an output.
        if text[end..].starts_with('(') {
            break;
        }
        steps.push(Step { name: text[place.clone()].to_owned(), place });
    }
    (steps, end)
}

/// Where the name is in the `.name` or `["name"]` that the text begins with.
fn step(text: &str) -> Option<Range<usize>> {
    if let Some(name) = text.strip_prefix('.') {
        let of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = name.find(|letter| !of_name(letter)).unwrap_or(name.len());
        return (length > 0).then_some(1..1 + length);
    }
    let inside = text.strip_prefix('[')?;
    let quote = inside.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
    let length = quoted(inside, quote)?;
    let is_whole = inside[length..].starts_with(']') && !inside[..length].contains('\\');
    is_whole.then_some(2..length)
}

/// The length of the quoted string at the beginning of the text.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(source: &str) -> Result<Json, String> {
        let known = json!({
            "input": { "n": 3 },
            "jobs": { "count-rows": { "status": "completed", "outputs": { "rows": "12" } } },
        });
        Expression::checked(source)?.evaluate(&known)
    }

    #[test]
    fn values_of_jobs_and_of_the_input_are_read() {
        assert_eq!(value("input.n + 1"), Ok(json!(4)));
        assert_eq!(value("jobs.count-rows.outputs.rows"), Ok(json!("12")));
        assert_eq!(value("jobs['count-rows'].status == 'completed'"), Ok(json!(true)));
        assert_eq!(
            value("jobs.count-rows.outputs.rows | int > 10 and input.n in [3, 4]"),
            Ok(json!(true))
        );
    }

    #[test]
    fn numbers_without_json_are_errors() {
        for source in [
            "1e308 * 10",
            "-1e308 * input.n * 4",
            "[1e308 * 10]",
            "{'a': [1e308 * 10]}",
            "{1: 1e308 * 10}",
            "'nan' | float",
        ] {
            let told = value(source).expect_err(source);
            assert!(told.contains("a number is infinite"), "{source}: {told}");
        }
        assert_eq!(value("[none, 1e308, {'a': none}]"), Ok(json!([null, 1e308, { "a": null }])));
    }

    #[test]
    fn the_jobs_that_an_expression_reads_are_known() {
        let source = "jobs.a.outputs.x ~ jobs[\"b c\"].status ~ 'jobs.no' ~ input.jobs";
        let expression = Expression::checked(source).expect("an expression");
        assert!(expression.jobs().eq(["a", "b c"]), "{expression:?}");
    }

    #[test]
    fn the_outputs_that_an_expression_reads_are_known() {
        let source = "jobs.a.outputs.x.y ~ jobs['b'][\"outputs\"]['c d'] ~ jobs.e.outputs.items()";
        let expression = Expression::checked(source).expect("an expression");
        let reads = expression.reads().iter().map(|read| {
            let steps = read.steps.iter().map(|step| {
                assert_eq!(read.written[step.place.clone()], step.name);
                step.name.as_str()
            });
            format!("{}: {}", read.written, steps.collect::<Vec<_>>().join(", "))
        });
        let expected = [
            "jobs.a.outputs.x: outputs, x",
            "jobs['b'][\"outputs\"]['c d']: outputs, c d",
            "jobs.e.outputs.items: outputs",
        ];
        assert_eq!(reads.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn expressions_without_a_value_are_errors() {
        assert!(Expression::checked("1 +").is_err());
        assert!(Expression::checked("jobs").is_err());
        assert!(Expression::checked("'x").is_err());
        let missing = value("jobs.count-rows.outputs.lines").expect_err("there are none");
        assert!(missing.contains("jobs.count-rows.outputs.lines"), "{missing}");
        assert!(value("range(100000) | list | length").is_err());
    }
}
