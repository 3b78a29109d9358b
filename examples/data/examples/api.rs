//! The API of Source X on 127.0.0.1:9100, or on the address that is given.
//!
//! ```console
//! $ cargo run --example api
//! $ WORKFLOW_MY_WORKFLOW__SOURCE__TYPE=api cargo run -- run my_workflow
//! ```

#![expect(clippy::print_stderr, reason = "a program for people")]

#[expect(dead_code, reason = "the tests start it in a thread")]
#[path = "../tests/support/api.rs"]
mod api;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let routes = api::router(api::Source::new(api::records(250), 0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await?;
        eprintln!(
            "serving http://{}/data, with the token `{}`",
            listener.local_addr()?,
            api::TOKEN
        );
        axum::serve(listener, routes).await?;
        Ok(())
    })
}
