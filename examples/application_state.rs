//! Application state: jobs receive a connection pool and settings from their engine, and each test
//! has its own.
//!
//! ```sh
//! cargo run --example application_state
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::Mutex;

use workflow_core::prelude::*;

/// A stand-in for a database connection pool.
#[derive(Default)]
struct Pool {
    rows: Mutex<Vec<String>>,
}

impl Pool {
    async fn insert(&self, row: String) -> Result<usize, JobError> {
        let mut rows = self.rows.lock().map_err(|_| JobError::terminal("the pool is broken"))?;
        rows.push(row);
        Ok(rows.len())
    }
}

struct Settings {
    currency: &'static str,
}

// State parameters may be in any position. Calls omit them: `price(amount)`.
#[job]
fn price(settings: State<Settings>, amount: u64) -> String {
    format!("{amount} {}", settings.currency)
}

#[job]
async fn save(order: &str, db: State<Pool>) -> Result<usize, JobError> {
    db.insert(order.to_owned()).await
}

#[register_workflow(name = "order")]
fn order(flow: &mut Flow, amount: Handle<u64>) -> Handle<usize> {
    let price = flow.job(price(amount));
    flow.job(save(price))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine =
        |currency| Engine::builder().state(Pool::default()).state(Settings { currency }).build();
    let (shop, test) = (engine("EUR"), engine("XTS"));
    for amount in [5_u64, 7] {
        let orders: usize = shop.run("order").input(amount).wait()?.output()?;
        println!("the shop has {orders} orders");
    }
    // Engines of the same program do not share state.
    let orders: usize = test.run("order").input(1_u64).wait()?.output()?;
    println!("the test has {orders} order");
    assert_eq!(orders, 1);

    // Without the state, the run does not start.
    let forgetful = Engine::builder().state(Settings { currency: "EUR" }).build();
    let refused = forgetful.run("order").input(1_u64).wait().err().ok_or("it has no pool")?;
    println!("{refused}");

    // A unit test passes the state explicitly.
    let text = price::call(State::new(Settings { currency: "EUR" }), 3);
    assert_eq!(text, "3 EUR");
    Ok(())
}
