//! The shapes of a graph: fan-out, fan-in, a diamond, constants, order without a value.
//!
//! Edges are typed values: a job that receives the handle of another job depends on it. Jobs can still
//! be called as functions.
//!
//! ```sh
//! cargo run --example typed_graph
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use workflow_core::prelude::*;

#[job]
async fn readings() -> Vec<f64> {
    vec![18.5, 21.0, 23.5]
}

#[job]
async fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[job]
async fn hottest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

// Three inputs: two outputs of other jobs, and a unit.
#[job]
async fn describe(mean: &f64, hottest: &f64, unit: &str) -> String {
    format!("{mean} {unit} on average, {hottest} {unit} at most")
}

#[job]
async fn translate(text: &str, language: String) -> String {
    format!("[{language}] {text}")
}

#[job]
async fn announce(texts: Each<'_, String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[job]
async fn tidy_up() {}

#[register_workflow(name = "weather")]
fn weather(flow: &mut Flow) -> Handle<String> {
    // A diamond: two jobs read the output of one job, and a fourth reads both outputs.
    let readings = flow.job(readings());
    let mean = flow.job(mean(readings));
    let hottest = flow.job(hottest(readings));
    let unit = flow.value("degrees");
    let text = flow.job(describe(mean, hottest, unit));

    // Fan-out with a constant next to the handle, and fan-in of any number of values.
    let languages = ["de", "fr", "en"];
    let texts = languages.map(|to| flow.job(translate(text, to.to_owned()).name(to)));
    let all = flow.job(announce(texts));

    // Order without a value.
    flow.job(tidy_up().after(all));
    all
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = registry::run("weather").await?;
    println!("{}\n{report}", report.graph().tree());
    println!("{}", report.output_ref::<String>()?);

    // Called with values, a job is an ordinary function.
    assert_eq!(mean(&[1.0, 2.0]).await, 1.5);
    assert_eq!(report.graph().len(), 9);
    assert!(report.output::<String>()?.starts_with("[de] 21 degrees on average, 23.5 degrees"));
    Ok(())
}
