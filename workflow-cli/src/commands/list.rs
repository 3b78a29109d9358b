//! `list`: lists registered workflows and jobs.

mod rows;

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use workflow_core::registry::{self, Listing};

use crate::failure::{Failure, Outcome};
use crate::output::{self, HEADING, styled};

use rows::{JobRow, Section, WorkflowRow};

/// List the workflows and jobs that are registered in this program
///
/// Multiple filters must all match. Jobs have no domain, project or tag, so a filter hides them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArguments {
    /// Only workflows of this business domain
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
    #[arg(long, conflicts_with_all = ["workflows_only", "domain", "project", "tag"])]
    jobs_only: bool,
    /// Show all details: owner, schedule, source location, input and its schema
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
    Job(JobRow),
}

pub(crate) fn list(args: &ListArguments) -> Result<Outcome, Failure> {
    let workflows = args.workflows()?;
    let jobs = args.jobs();
    if let Format::Json = args.format {
        let workflows = workflows.into_iter().map(|row| Row::Workflow(Box::new(row)));
        let rows: Vec<_> = workflows.chain(jobs.into_iter().map(Row::Job)).collect();
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
    fn is_filtered(&self) -> bool {
        self.domain.is_some() || self.project.is_some() || !self.tag.is_empty()
    }

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

    fn jobs(&self) -> Vec<JobRow> {
        if self.workflows_only || self.is_filtered() {
            return Vec::new();
        }
        registry::jobs().map(JobRow::from).collect()
    }

    /// The message for an empty list.
    fn nothing(&self) -> Result<String, Failure> {
        let known = registry::list()?.len();
        Ok(if self.is_filtered() && known > 0 {
            format!(
                "no match among {known} registered workflows; use `list` without filters to show all"
            )
        } else {
            "this program has no registered workflows or jobs".to_owned()
        })
    }
}
