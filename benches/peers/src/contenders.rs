//! The list of contenders, one file each.

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

/// The minimum work of any engine. Busy work is compared with it.
pub static FLOOR: &dyn Contender = &sequential::Sequential;

/// The contender that all others are compared with.
pub static BASELINE: &dyn Contender = &tokio::Tokio;
