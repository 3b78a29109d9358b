//! `Config<T>` as a parameter of jobs.

use workflow_core::prelude::*;
use workflow_core::{Engine, RunError, registry};

use super::*;

#[derive(Deserialize)]
struct Prices {
    discount: u64,
}

impl Rules for Prices {
    fn check(&self, violations: &mut Violations) {
        if self.discount > 9 {
            violations.add("discount", "must be 9 or less");
        }
    }
}

#[job]
fn price(amount: u64, config: Config<Prices>) -> (String, u64) {
    (config.name().to_owned(), amount - config.discount)
}

#[register_workflow(name = "config_of_jobs")]
fn of_jobs(flow: &mut Flow, amount: Handle<u64>) -> Handle<(String, u64)> {
    flow.job(price(amount))
}

/// A function that is a workflow, which takes its configuration itself.
#[register_workflow(name = "config_of_functions")]
fn of_functions(config: Config<Prices>) -> u64 {
    config.discount
}

fn engine(folder: &Folder) -> Engine {
    Engine::builder().state(folder.loader()).build()
}

#[test]
fn jobs_have_the_configuration_of_their_workflow() {
    let folder = Folder::new("jobs")
        .file("config_of_jobs/config.yaml", "discount: 2")
        .file("config_of_functions/config.yaml", "discount: 3");
    let engine = engine(&folder);
    let report = engine.run("config_of_jobs").input(10_u64).wait().expect("it runs");
    let (name, price) = report.output::<(String, u64)>().expect("an output");
    assert_eq!((name.as_str(), price), ("config_of_jobs", 8));
    let report = engine.run("config_of_functions").wait().expect("it runs");
    assert_eq!(report.output::<u64>().expect("an output"), 3);
}

#[test]
fn a_mistake_prevents_the_run_and_has_its_line() {
    let folder = Folder::new("jobs_mistake")
        .file("config_of_jobs/config.yaml", "# Ours.\ndiscount: R")
        .file("config_of_functions/config.yaml", "discount: 10");
    let engine = engine(&folder);
    let error = engine.run("config_of_jobs").input(10_u64).wait().expect_err("refused");
    assert!(matches!(&error, RunError::Parameter { job, .. } if job == "price"), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("workflow `config_of_jobs`: job `price`: invalid"), "{text}");
    assert!(text.contains("config.yaml:2:11"), "{text}");
    let error = engine.run("config_of_functions").wait().expect_err("refused");
    assert!(error.to_string().contains("must be 9 or less"), "{error}");

    // A host finds the same when it starts, and a person by name.
    let problems = folder.loader().validate_declared().expect_err("mistakes");
    let names: Vec<_> = problems
        .iter()
        .filter_map(|problem| match problem {
            ConfigError::Invalid { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .filter(|name| name.starts_with("config_of_"))
        .collect();
    assert_eq!(names, ["config_of_functions", "config_of_jobs"]);
    let problem = folder.loader().validate("config_of_jobs").expect_err("a mistake");
    assert!(problem.to_string().contains("config.yaml:2:11"), "{problem}");
}

#[test]
fn a_missing_configuration_prevents_the_run() {
    let error = engine(&Folder::new("jobs_missing")).run("config_of_functions").wait();
    let text = error.expect_err("refused").to_string();
    assert!(text.contains("has no configuration"), "{text}");
}

#[test]
fn a_replaced_job_needs_no_configuration() {
    let engine = Engine::builder()
        .state(Folder::new("jobs_replaced").loader())
        .replace(price::replaced_by(|amount| (String::new(), amount)))
        .build();
    let report = engine.run("config_of_jobs").input(10_u64).wait().expect("it runs");
    assert_eq!(report.output::<(String, u64)>().expect("an output").1, 10);
}

#[test]
fn a_unit_test_passes_the_configuration() {
    let config = Config::from_json("prices", serde_json::json!({ "discount": 1 }));
    let config = config.and_then(|config| config.typed()).expect("it fits");
    let (_, price) = price::call(5, config);
    assert_eq!(price, 4);
}

#[register_workflow(
    name = "config_of_metadata",
    metadata = { "owner": "data", "description": "Of the code", "schedule": "0 3 * * *" }
)]
fn of_metadata() {}

/// A name that no folder can have, and so no configuration.
#[register_workflow(name = "config_of_jobs/nested", metadata = { "schedule": "0 3 * * *" })]
fn nested() {}

#[test]
fn configurations_describe_their_workflows() {
    let text = "workflow:\n  name: Metadata\n  description: Of the file\n  schedule: 30 4 * * *\n\
                schedule: {timezone: Europe/Berlin, jitter: 5m}\n";
    let folder = Folder::new("described").file("config_of_metadata/config.yaml", text);
    let loader = folder
        .loader()
        .environment([("WORKFLOW_CONFIG_OF_METADATA__WORKFLOW__DESCRIPTION", "Of the process")]);
    loader.describe_registered().expect("all configurations are valid");
    let entry = registry::get("config_of_metadata").expect("it is registered");
    let metadata = entry.metadata();
    assert_eq!(metadata.at("title"), Some(&"Metadata".into()));
    assert_eq!(metadata.description(), Some("Of the process"));
    assert_eq!((metadata.owner(), metadata.schedule()), (Some("data"), Some("30 4 * * *")));
    assert_eq!(metadata.timezone(), Some("Europe/Berlin"));
    assert_eq!(metadata.schedule_policy().jitter, Duration::from_secs(300));
    let origins = workflow_config::metadata_origins("config_of_metadata");
    let origin = |key: &str| origins[key].to_string();
    assert!(origin("title").ends_with("config.yaml:2:9"), "{}", origin("title"));
    assert!(origin("schedule").ends_with("config.yaml:4:13"), "{}", origin("schedule"));
    assert!(origin("description").starts_with("environment variable"), "{}", origin("description"));
    assert_eq!(entry.workflow().plan(None).expect("a plan").graph().len(), 1);
}

/// Another name than the mistakes below, because a workflow is described once.
#[register_workflow(name = "config_of_four_mistakes", metadata = { "schedule": "0 3 * * *" })]
fn of_four_mistakes() {}

#[test]
fn all_mistakes_of_a_schedule_are_told_at_once() {
    let text = "schedule:\n  cron: 61 * * * *\n  timezone: Europe/Berln\n  overlap: maybe\n  \
                catch_up: 1 fortnight\n";
    let folder = Folder::new("four_mistakes").file("config_of_four_mistakes/config.yaml", text);
    let error = folder.loader().validate("config_of_four_mistakes").expect_err("mistakes");
    let text = error.to_string();
    for (line, path) in (2..).zip(["cron", "timezone", "overlap", "catch_up"]) {
        assert!(text.contains(&format!("config.yaml:{line}:")), "{text}");
        assert!(text.contains(&format!("error: `schedule.{path}`: ")), "{text}");
    }
    assert!(!text.contains("metadata"), "{text}");
}

#[register_workflow(name = "config_of_mistaken_metadata", metadata = { "schedule": "0 3 * * *" })]
fn of_mistaken_metadata() {}

#[test]
fn a_mistaken_schedule_has_its_line_and_changes_nothing() {
    for (text, place) in [
        ("workflow: {schedule: 0 25 * * *}", "config.yaml:1:22"),
        ("schedule:\n  cron: 0 0 * * *\n  overlap: maybe", "config.yaml:3:12"),
        ("schedule: {cron: [1]}", "config.yaml:1:18"),
        (
            "schedule: {timezone: Berlin}",
            "`Berlin` is not a time zone; did you mean `Europe/Berlin`?",
        ),
    ] {
        let folder =
            Folder::new("described_mistake").file("config_of_mistaken_metadata/config.yaml", text);
        let problems = folder.loader().describe_registered().expect_err("a mistake");
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.len() == 1 && problems[0].contains(place), "{problems:?}");
        let validated = folder.loader().validate("config_of_mistaken_metadata");
        assert_eq!(validated.expect_err("a mistake").to_string(), problems[0]);
        let entry = registry::get("config_of_mistaken_metadata").expect("it is registered");
        assert_eq!(entry.schedule(), Some("0 3 * * *"));
    }
}
