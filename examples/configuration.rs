//! Typed configuration files next to workflows: layers, variables, secrets, and the diagnostics for an
//! invalid value.
//!
//! ```sh
//! cargo run --example configuration
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

#[path = "workflows/bread_prices/config.rs"]
mod bread_prices;
#[path = "workflows/tide_tables/config.rs"]
mod tide_tables;

use bread_prices::BreadPrices;
use tide_tables::TideTables;
use workflow_config::{ConfigError, Loader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `workflow_config::load("bread_prices")` reads all of this from the process. It is explicit
    // here, so that the example works the same everywhere.
    let loader =
        Loader::new().dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).environment([
            ("MARKET_TOKEN", "s3cret"),
            ("WORKFLOW_BREAD_PRICES__OUTPUT__TABLE", "bread"),
        ]);
    bread(&loader)?;
    tides(&loader)?;
    Ok(())
}

fn bread(loader: &Loader) -> Result<(), ConfigError> {
    let BreadPrices { source, processing, output, schedule } = loader.load("bread_prices")?;
    println!("{} from {}, with the token {}", source.name, source.api.url, source.api.token);
    println!("{} at a time into {}", processing.batch_size, output.table);
    println!("at {} ({})", schedule.cron, schedule.timezone);
    assert_eq!(source.api.token.expose(), "s3cret");

    println!("\nwhere each value comes from:");
    for entry in loader.open("bread_prices")?.entries() {
        println!("  {} = {}, {}", entry.path, entry.value, entry.origin);
    }

    let wrong = loader.clone().set("processing.batch_size", 0).set("source.api.url", "ftp://x");
    let error = wrong.load::<BreadPrices>("bread_prices").err();
    println!("\nrules that do not hold: {}", error.expect("two are violated"));
    Ok(())
}

fn tides(loader: &Loader) -> Result<(), ConfigError> {
    // A type without validation rules states that.
    let tides: TideTables = loader.open("tide_tables")?.read_without_rules()?;
    let parameters = tides.ingestion.parameters;
    println!("\n{}: {} at a time", tides.workflow.name, parameters.batch_size);
    println!("{} retries at most", parameters.max_retries);
    for stage in tides.transformation.stages {
        println!("  {}: {:?}", stage.name, stage.options);
    }

    let draft = loader.clone().profile("draft").open("tide_tables")?;
    let error = draft.read_without_rules::<TideTables>().err().expect("`R` is no integer");
    println!("\nin the draft, {error}");
    assert!(error.to_string().contains("expected an integer"));
    Ok(())
}
