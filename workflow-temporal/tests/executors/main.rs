//! Scenarios of the engine's suite, `workflow-core/tests/executors`, on a real Temporal server.
//!
//! The files are the same. Their `support::run` is another one here.
//!
//! Scenarios that stay in process:
//!
//! | scenarios | why |
//! |---|---|
//! | `timing` | A clock by hand decides them, and time on Temporal is that of the server. `tests/temporal/flows.rs` has retries and all timeouts with short times |
//! | `stopping::dropping_the_future_cancels` | A run on Temporal does not belong to the program that started it |
//! | `stopping::waits_of_a_context_end_in_a_grace_period` | A job that waits for a signal is no running attempt there |
//! | limits of engines, `line`, `lending`, `places`, `scopes`, `storm` | A permit that another run holds cannot be replayed; slots of workers replace these limits |
//! | `shutdown`, `abandoned`, `blocking` | Of engines that drive runs themselves. `tests/temporal/crash.rs` has workers that stop |
//! | `printing`, subscribers to events | Subscribers are in the process of the run. What jobs print is in its log |
//! | stores, `hostile`, `everywhere` | Of the process in which everything happens |
//! | 1,000 jobs and more at once | Temporal limits a workflow to 2,000 pending activities |

#[path = "../../../workflow-core/tests/support/broken_store.rs"]
mod broken_store;
#[expect(dead_code, reason = "scenarios that need a handle or ten thousand jobs stay in process")]
#[path = "../../../workflow-core/tests/executors/fanout.rs"]
mod fanout;
#[expect(dead_code, reason = "scenarios that need a handle stay in process")]
#[path = "../../../workflow-core/tests/executors/flows.rs"]
mod flows;
#[path = "../../../workflow-core/tests/executors/gauge.rs"]
mod gauge;
#[expect(dead_code, reason = "limits of engines and of stores stay in process")]
#[path = "../../../workflow-core/tests/executors/limits.rs"]
mod limits;
#[expect(dead_code, reason = "scenarios that need a handle or a thousand jobs stay in process")]
#[path = "../../../workflow-core/tests/executors/ordering.rs"]
mod ordering;
#[expect(dead_code, reason = "scenarios of the process of the run stay there")]
#[path = "../../../workflow-core/tests/executors/stopping.rs"]
mod stopping;
mod support;

/// Runs scenarios on Temporal.
macro_rules! on_temporal {
    ($($room:ident :: $scenario:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $room::$scenario().await;
        })*
    };
}

on_temporal! {
    flows::a_function_is_a_workflow,
    flows::a_graph_passes_typed_values,
    flows::a_function_calls_jobs,
    flows::repeated_calls_get_numbered_names,
    flows::a_workflow_is_a_job_of_another,
    flows::a_condition_skips_or_runs_a_job,
    flows::an_optional_input_may_be_missing,
    flows::output_of_another_shape_goes_through_json,
    flows::the_input_shapes_the_graph,
    flows::compensations_run_newest_first,
    flows::any_error_is_a_job_error,
    flows::an_alias_of_a_result_fails,
    flows::a_panic_is_the_jobs_failure,
    fanout::a_map_keeps_the_order,
    fanout::a_map_respects_its_concurrency,
    fanout::a_map_may_be_empty,
    fanout::a_failing_element_fails_the_map,
    fanout::maps_nest,
    fanout::an_element_differs_from_a_job_of_the_same_name,
    fanout::an_element_cannot_wait_for_jobs,
    ordering::an_edge_orders_without_a_value,
    ordering::a_group_orders_like_its_edges,
    ordering::a_fan_in_runs_once,
    ordering::branches_do_not_share_a_context,
    ordering::a_busy_job_does_not_starve_others,
    ordering::a_blocking_job_does_not_stall_others,
    stopping::cancel_starts_the_grace_period,
    stopping::cancel_drops_jobs_that_ignore_it,
    stopping::cancel_drops_jobs_without_grace,
    stopping::completing_within_the_grace_period_of_a_cancelled_run_counts,
    stopping::jobs_of_a_function_end_with_its_timeout,
    stopping::a_thread_that_ignores_its_grace_period_is_abandoned,
    stopping::cancel_abandons_a_thread_that_ignores_it,
    stopping::jobs_that_always_run_run_after_a_cancel,
    stopping::stop_on_failure,
    stopping::a_cancelled_run_reports_its_progress,
    limits::a_run_respects_max_parallel,
    limits::jobs_of_higher_priority_start_first,
}
