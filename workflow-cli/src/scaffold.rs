//! Templates of new workflows: a template and its parameters make files. Reads and writes nothing.
//!
//! The templates are folders that `cargo generate` can use, too. So they are limited to what its
//! language and minijinja have in common, and the keys have no dashes.

mod files;
mod name;

use std::path::PathBuf;

use clap::ValueEnum;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

pub(crate) use name::Name;

/// What a new workflow consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A pipeline: source, stages, table, with dbt models and a dashboard
    #[default]
    Data,
    /// A program with a workflow of jobs
    Service,
    /// A package with a workflow of jobs, for a program that exists
    Library,
    /// A workflow file with commands
    Yaml,
}

/// Where a pipeline reads its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// An HTTP API
    Api,
    /// Files: CSV, JSON, Parquet
    File,
    /// PostgreSQL or SQLite
    Database,
    /// Generated records
    #[default]
    Mock,
}

/// Where Cargo finds the crates of the workflow library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Library {
    /// The folder of a checkout.
    Path(String),
    /// The address of a Git repository.
    Git(String),
    /// A version in the registry.
    Version(String),
}

/// What a template is told.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    pub(crate) name: Name,
    pub(crate) source: Source,
    pub(crate) library: Library,
    /// Whether the package has a program of its own.
    pub(crate) has_program: bool,
    /// The way from the folder of the package to the one in which its program runs: nothing, or
    /// `../../`.
    pub(crate) root: &'a str,
}

/// A file of a new workflow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Relative to the new folder.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Programs of this path are left out of packages without a program.
const PROGRAM: &str = "src/main.rs";

/// Makes the files of a new workflow.
///
/// # Errors
///
/// Fails if a template of this program is invalid.
pub(crate) fn render(
    template: Template,
    parameters: &Parameters<'_>,
) -> Result<Vec<File>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("upcase", |text: String| text.to_uppercase());
    let Parameters { name, source, library, has_program, root } = parameters;
    let (location, library) = match library {
        Library::Path(path) => ("path", path),
        Library::Git(address) => ("git", address),
        Library::Version(version) => ("version", version),
    };
    let source = source.to_possible_value().map(|value| value.get_name().to_owned());
    let crate_name = name.as_crate();
    let values = context! { crate_name, source, location, library, has_program, root => *root };
    let files = files::of(template).iter();
    let files = files.filter(|(path, _)| *has_program || *path != PROGRAM);
    let files = files.map(|(path, text)| {
        let path = environment.render_str(path, &values)?;
        let path = path.strip_suffix(".liquid").unwrap_or(&path);
        Ok(File { path: path.into(), text: environment.render_str(text, &values)? })
    });
    files.collect()
}

#[cfg(test)]
mod tests;
