//! dbt-core with DuckDB, run by workflows. dbt is fetched once into the target folder.

#![cfg(unix)]

mod crash;
mod life;
mod scripted;
mod support;
mod wrong;
