//! The list of contenders; each has a file of its own.

mod async_dag;
mod body;
mod boxed;
mod dagrs;
mod dagx;
mod fixed_arity;
mod operese_dagx;
mod ours;
mod rayon;
mod sequential;
mod shared;
mod tokio;

use crate::contender::Contender;

/// All contenders in the order of the tables. A new one is added here, and nowhere else.
pub static ALL: &[&dyn Contender] = &[
    FLOOR,
    &boxed::Boxed,
    &shared::Shared,
    BASELINE,
    &rayon::Rayon,
    &async_dag::AsyncDag,
    &operese_dagx::OpereseDagx,
    &dagx::Dagx,
    &dagrs::Dagrs,
    &ours::COARSE,
    &ours::EXACT,
    &ours::NAMED,
];

/// The least any engine has to do; busy work is compared to it.
pub static FLOOR: &dyn Contender = &sequential::Sequential;

/// The contender all others are compared to.
pub static BASELINE: &dyn Contender = &tokio::Tokio;
