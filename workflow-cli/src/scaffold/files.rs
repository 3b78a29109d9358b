//! The files of the templates, which are part of the program.

use super::Template;

/// The path of a file in its template, and its text.
type Part = (&'static str, &'static str);

macro_rules! parts {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/", $folder, "/", $path)))),*]
    };
}

/// The files of a template.
pub(super) fn of(template: Template) -> &'static [Part] {
    match template {
        Template::Data => DATA,
        Template::Service | Template::Library => RUST,
        Template::Yaml => YAML,
    }
}

pub(super) const DATA: &[Part] = parts!["data":
    ".gitignore.liquid",
    "Cargo.toml.liquid",
    "README.md",
    "config.test.yaml",
    "config.yaml",
    "dbt/.dbtignore",
    "dbt/dbt_project.yml",
    "dbt/models/{{crate_name}}_by_day.sql",
    "dbt/profiles.yml",
    "dbt/schema.yml",
    "dbt/sources.yml",
    "evidence/components/Freshness.svelte",
    "evidence/evidence.config.yaml",
    "evidence/package.json",
    "evidence/pages/index.md",
    "evidence/sources/tables/connection.yaml",
    "evidence/sources/tables/{{crate_name}}.sql",
    "src/assets.rs",
    "src/ingestion.rs",
    "src/lib.rs",
    "src/main.rs",
    "src/transform.rs",
    "src/workflow.rs",
    "tests/ingestion.rs",
    "tests/integration.rs",
    "tests/transform.rs",
    "tests/workflow.rs",
];

pub(super) const RUST: &[Part] = parts!["rust":
    ".gitignore.liquid",
    "Cargo.toml.liquid",
    "README.md",
    "src/lib.rs",
    "src/main.rs",
    "src/workflow.rs",
    "tests/workflow.rs",
];

pub(super) const YAML: &[Part] = parts!["yaml":
    "README.md",
    "{{crate_name}}.yaml",
];
