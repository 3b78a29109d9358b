//! `list`: lists registered workflows and jobs.

mod policies;
mod rows;

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use workflow_core::registry::{self, Listing};

use crate::failure::{Failure, Outcome};
use crate::output::{self, HEADING, styled};

use rows::{JobRow, Section, WorkflowRow};

/// List the workflows and jobs that are registered in this program
///
/// Multiple filters must all match. A job without a domain is shared by all domains, so --domain lists
/// it, too. Jobs have no project or tag, so these filters hide them.
#[derive(Debug, Args)]
#[command(alias = "list_workflows", after_help = EXAMPLES)]
pub(crate) struct ListArguments {
    /// Only workflows and jobs of this business domain, and shared jobs
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only workflows of this project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only workflows with this tag; repeat to require several tags
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// List only workflows
    #[arg(long)]
    workflows_only: bool,
    /// List only jobs
    #[arg(
        long,
        visible_alias = "activities-only",
        conflicts_with_all = ["workflows_only", "project", "tag"]
    )]
    jobs_only: bool,
    /// Show all details: input and its schema, task queue, schedule, retries and timeouts, source
    /// location
    #[arg(long)]
    detailed: bool,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  workflow list
  workflow list --domain booking --tag nightly
  workflow list --domain booking --activities-only
  workflow list --jobs-only --detailed
  workflow list -f json | jq -r '.[] | select(.kind == \"workflow\") | .name'";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Readable tables
    #[default]
    Table,
    /// JSON array; all workflows have the same keys, and so do all jobs
    Json,
}

/// A workflow or job in the JSON output.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Row {
    Workflow(Box<WorkflowRow>),
    Job(Box<JobRow>),
}

pub(crate) fn list(args: &ListArguments) -> Result<Outcome, Failure> {
    let workflows = args.workflows()?;
    let jobs = args.jobs()?;
    if let Format::Json = args.format {
        let workflows = workflows.into_iter().map(|row| Row::Workflow(Box::new(row)));
        let jobs = jobs.into_iter().map(|row| Row::Job(Box::new(row)));
        let rows: Vec<_> = workflows.chain(jobs).collect();
        output::print_json(&rows)?;
        return Ok(Outcome::Success);
    }
    if workflows.is_empty() && jobs.is_empty() {
        output::message(args.nothing()?);
        return Ok(Outcome::Success);
    }
    let mut sections = Vec::new();
    if args.detailed {
        sections.extend(workflows.iter().map(WorkflowRow::details));
        sections.extend(jobs.iter().map(JobRow::details));
    } else {
        sections.extend((!workflows.is_empty()).then(|| rows::workflows(&workflows)));
        sections.extend((!jobs.is_empty()).then(|| rows::jobs(&jobs)));
    }
    output::print(|out| write(out, sections))?;
    Ok(Outcome::Success)
}

/// Writes sections with an empty line between them.
fn write(out: &mut dyn Write, sections: Vec<Section>) -> io::Result<()> {
    for (number, Section { title, table }) in sections.into_iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        if let Some(title) = title {
            writeln!(out, "{}", styled(HEADING, title))?;
        }
        output::write_table(out, table)?;
    }
    Ok(())
}

impl ListArguments {
    fn workflows(&self) -> Result<Vec<WorkflowRow>, Failure> {
        if self.jobs_only {
            return Ok(Vec::new());
        }
        let mut listing: Listing = registry::list()?;
        if let Some(domain) = &self.domain {
            listing = listing.domain(domain);
        }
        if let Some(project) = &self.project {
            listing = listing.project(project);
        }
        for tag in &self.tag {
            listing = listing.tag(tag);
        }
        Ok(listing.iter().map(WorkflowRow::from).collect())
    }

    /// The jobs of the domain, and shared ones, unless the domain is unknown.
    fn jobs(&self) -> Result<Vec<JobRow>, Failure> {
        if self.workflows_only || self.project.is_some() || !self.tag.is_empty() {
            return Ok(Vec::new());
        }
        let Some(domain) = &self.domain else {
            return Ok(registry::jobs().map(JobRow::from).collect());
        };
        if !domains()?.contains(domain) {
            return Ok(Vec::new());
        }
        Ok(registry::jobs().filter(|job| job.serves(domain)).map(JobRow::from).collect())
    }

    /// The message for an empty list.
    fn nothing(&self) -> Result<String, Failure> {
        let (workflows, jobs) = (registry::list()?.len(), registry::jobs().len());
        if workflows + jobs == 0 {
            return Ok("this program has no registered workflows or jobs".to_owned());
        }
        let domains = domains()?;
        let unknown = self.domain.as_ref().filter(|domain| !domains.contains(*domain));
        if let Some(domain) = unknown {
            return Ok(unknown_domain(domain, &domains));
        }
        let known = match self.jobs_only {
            true => output::count(jobs, "registered job"),
            false => output::count(workflows, "registered workflow"),
        };
        Ok(format!("no match among {known}; use `list` without filters to show all"))
    }
}

/// The message for a domain that is not one of the known.
pub(super) fn unknown_domain(domain: &str, known: &BTreeSet<String>) -> String {
    let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let cure = if known.is_empty() { "there are none".to_owned() } else { format!("use {known}") };
    format!("no registered workflow or job has the domain `{domain}`; {cure}")
}

/// The domains of the registered workflows and jobs.
pub(super) fn domains() -> Result<BTreeSet<String>, Failure> {
    let listing = registry::list()?;
    let of_workflows = listing.iter().filter_map(|entry| entry.domain().map(str::to_owned));
    let of_jobs = registry::jobs().filter_map(|job| job.domain.map(str::to_owned));
    Ok(of_workflows.chain(of_jobs).collect())
}
