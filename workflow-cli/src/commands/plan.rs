//! `plan`: shows which jobs would run, in what order.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_core::graph::Graph;
use workflow_core::run::InputError;
use workflow_core::workflow::Plan;
use workflow_core::{RunError, Workflow};

use crate::args::{InputArguments, Keys, Target, input};
use crate::failure::{Failure, Outcome};
use crate::output::{self, DIM, HEADING, count, styled};

/// Show which jobs would run, in what order, without running them
///
/// Groups jobs in waves. The jobs of a wave depend only on earlier waves, so they can run at the
/// same time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArguments {
    /// Registered workflow or workflow file; `-` reads standard input
    #[arg(value_name = "NAME|FILE")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    /// Print the graph instead of the waves
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "format")]
    graph: Option<GraphFormat>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  workflow plan etl
  workflow plan etl.yaml
  workflow plan etl --graph tree
  workflow plan etl --graph dot | dot -Tsvg > etl.svg
  workflow plan etl -f json | jq '.waves | length'";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GraphFormat {
    /// Indented tree
    Tree,
    /// Mermaid flowchart, for Markdown
    Mermaid,
    /// DOT language, for Graphviz
    Dot,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Readable waves, with large groups of jobs on one line
    #[default]
    Text,
    /// All jobs of all waves as one JSON document
    Json,
}

pub(crate) fn plan(args: &PlanArguments) -> Result<Outcome, Failure> {
    let (workflow, entries) = match Target::find(&args.workflow)? {
        Target::Registered(entry) => (entry.workflow(), None),
        Target::File(file) | Target::Stored(file, _) => {
            let entries = file.entries().map(|(name, jobs)| (name.to_owned(), jobs));
            let entries: Vec<Entry> = entries.collect();
            (Arc::from(file as Box<dyn Workflow>), Some(entries))
        }
    };
    let plan = plan_for(&*workflow, args.input.json(workflow.input())?)?;
    let graph = plan.graph();
    match (args.graph, args.format) {
        (Some(graph_format), _) => {
            let text = match graph_format {
                GraphFormat::Tree => graph.tree(),
                GraphFormat::Mermaid => graph.mermaid(),
                GraphFormat::Dot => graph.dot(),
            };
            output::print(|out| out.write_all(text.as_bytes()))?;
        }
        (None, Format::Json) => {
            output::print_json(&document(&*workflow, graph, entries.as_deref()))?;
        }
        (None, Format::Text) => {
            let mut text = text(workflow.name().as_str(), &graph.waves());
            text.push_str(&expansion(&entries.unwrap_or_default()));
            output::print(|out| out.write_all(text.as_bytes()))?;
        }
    }
    Ok(Outcome::Success)
}

/// Plans the workflow for this input. Without an input, the graph must not depend on it.
fn plan_for(workflow: &dyn Workflow, input: Option<Json>) -> Result<Arc<Plan>, Failure> {
    let name = || workflow.name().to_string();
    let value = match (workflow.input(), input) {
        (Some(kind), Some(json)) => Some(kind.read(json).map_err(|error| RunError::Input {
            workflow: name(),
            error: InputError::Shape(error),
        })?),
        (_, None) => None,
        (None, Some(json)) => {
            input::check(workflow, Some(&json), Keys::Parameters)?;
            None
        }
    };
    workflow.plan(value.as_deref()).map_err(|error| {
        // If a required input is missing, that is the likelier cause.
        match (&value, input::check(workflow, None, Keys::Parameters)) {
            (None, Err(missing)) => missing,
            _ => RunError::Plan { workflow: name(), error }.into(),
        }
    })
}

/// A job entry of a file, and the number of jobs it expands to.
type Entry = (String, usize);

fn document(workflow: &dyn Workflow, graph: &Graph, entries: Option<&[Entry]>) -> Json {
    let entry = |(name, jobs): &Entry| json!({ "name": name, "jobs": jobs });
    let entries = entries.map(|entries| entries.iter().map(entry).collect::<Vec<_>>());
    json!({
        "workflow": workflow.name().as_str(),
        "jobs": graph.len(),
        "waves": graph.waves(),
        "entries": entries,
    })
}

/// The entries that expand to several jobs or none.
fn expansion(entries: &[Entry]) -> String {
    let expanded: Vec<_> = entries.iter().filter(|(_, jobs)| *jobs != 1).collect();
    let mut text = String::new();
    if !expanded.is_empty() {
        let _ = writeln!(text, "\n{}", styled(HEADING, "expanded from"));
    }
    let width = expanded.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, jobs) in expanded {
        let _ = writeln!(text, "  {name:width$}  {}", styled(DIM, count(*jobs, "job")));
    }
    text
}

/// The waves as text.
fn text(name: &str, waves: &[Vec<&str>]) -> String {
    let jobs: usize = waves.iter().map(Vec::len).sum();
    let mut text = format!(
        "{}: {} in {}\n",
        styled(HEADING, name),
        count(jobs, "job"),
        count(waves.len(), "wave")
    );
    let width = waves.len().to_string().len();
    for (number, wave) in waves.iter().enumerate() {
        for (line, set) in sets(wave).iter().enumerate() {
            let number = if line == 0 { (number + 1).to_string() } else { String::new() };
            let number = styled(DIM, format_args!("{number:>width$}"));
            let _ = writeln!(text, "  {number}  {}", describe(set));
        }
    }
    text
}

/// Groups the jobs of a wave whose names differ only in numbers, if there are many of them.
fn sets<'a>(wave: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut sets: Vec<Vec<&str>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for name in wave {
        let place = *places.entry(shape(name)).or_insert_with(|| {
            sets.push(Vec::new());
            sets.len() - 1
        });
        sets[place].push(*name);
    }
    let few = |set: Vec<&'a str>| -> Vec<Vec<&'a str>> {
        if set.len() < MANY { set.into_iter().map(|name| vec![name]).collect() } else { vec![set] }
    };
    sets.into_iter().flat_map(few).collect()
}

/// The number of jobs from which they are shown as a range.
const MANY: usize = 4;

/// The name with each number replaced by `0`.
fn shape(name: &str) -> String {
    let mut shape = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '0'..='9' if shape.ends_with('0') => {}
            '0'..='9' => shape.push('0'),
            other => shape.push(other),
        }
    }
    shape
}

fn describe(set: &[&str]) -> String {
    match set {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [first, .., last] => {
            let jobs = styled(DIM, format_args!("({})", count(set.len(), "job")));
            format!("{first} .. {} {jobs}", &last[shared(first, last)..])
        }
    }
}

/// The length of the common prefix of two names, without the digits before the difference.
fn shared(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    let same = pairs.take_while(|(one, other)| one == other).count();
    let digits = one.as_bytes()[..same].iter().rev().take_while(|byte| byte.is_ascii_digit());
    same - digits.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(wave: &[&str]) -> Vec<String> {
        let plain = |set: &Vec<&str>| crate::output::plain_text(&describe(set));
        sets(wave).iter().map(plain).collect()
    }

    #[test]
    fn a_few_jobs_are_listed() {
        assert_eq!(described(&["a1", "b", "a2", "a3"]), ["a1", "a2", "a3", "b"]);
    }

    #[test]
    fn many_jobs_are_a_range() {
        let names: Vec<_> = (0..1000).map(|number| format!("stage1_process_{number:03}")).collect();
        let mut names: Vec<_> = names.iter().map(String::as_str).collect();
        names.insert(500, "größe");
        assert_eq!(described(&names), ["stage1_process_000 .. 999 (1000 jobs)", "größe"]);
    }

    #[test]
    fn a_range_with_two_numbers_starts_at_the_first() {
        let names = ["t_9_x1", "t_9_x2", "t_10_x1", "t_10_x2"];
        assert_eq!(described(&names), ["t_9_x1 .. 10_x2 (4 jobs)"]);
        let names = ["ä1é0", "ä1é1", "ä1é2", "ä1é3"];
        assert_eq!(described(&names), ["ä1é0 .. 3 (4 jobs)"]);
    }
}
