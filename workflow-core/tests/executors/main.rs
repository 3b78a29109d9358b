//! One suite of scenarios, run under every executor: tokio with many threads and with one, smol,
//! no runtime but `block_on`, and a plain thread that waits.

mod abandoned;
mod blocking;
#[path = "../support/broken_store.rs"]
mod broken_store;
mod everywhere;
mod fanout;
mod flows;
mod gauge;
mod given_back;
mod hostile;
mod lending;
mod limits;
mod line;
mod ordering;
mod places;
mod printing;
mod scopes;
mod shutdown;
mod stopping;
mod storm;
mod support;
mod timing;

use workflow_core::engine::{Clock as _, ManualClock};

/// Runs one scenario under one executor.
macro_rules! executors {
    ($($room:ident :: $scenario:ident),* $(,)?) => {
        mod tokio_multi_thread {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$room::$scenario().await;
            })*
        }

        mod tokio_current_thread {
            $(#[tokio::test(flavor = "current_thread")]
            async fn $scenario() {
                super::$room::$scenario().await;
            })*
        }

        mod smol {
            $(#[test]
            fn $scenario() {
                ::smol::block_on(super::$room::$scenario());
            })*
        }

        mod no_runtime {
            $(#[test]
            fn $scenario() {
                futures::executor::block_on(super::$room::$scenario());
            })*
        }
    };
}

executors! {
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
    flows::a_started_run_needs_no_caller,
    fanout::a_map_keeps_the_order,
    fanout::a_map_respects_its_concurrency,
    fanout::a_map_may_be_empty,
    fanout::a_failing_element_fails_the_map,
    fanout::maps_nest,
    fanout::an_element_differs_from_a_job_of_the_same_name,
    fanout::an_element_cannot_wait_for_jobs,
    fanout::an_element_with_an_unknown_limit_fails,
    fanout::ten_thousand_inputs_arrive,
    ordering::an_edge_orders_without_a_value,
    ordering::a_group_orders_like_its_edges,
    ordering::a_fan_in_runs_once,
    ordering::branches_do_not_share_a_context,
    ordering::a_busy_job_does_not_starve_others,
    ordering::a_blocking_job_does_not_stall_others,
    ordering::a_blocking_job_may_wait_for_another,
    ordering::late_subscribers_receive_all_events,
    ordering::a_long_chain_needs_no_stack,
    printing::what_a_job_prints_is_an_event,
    printing::output_is_seen_while_the_job_works,
    printing::a_job_prints_the_output_of_its_child_run,
    printing::a_store_gets_no_output,
    printing::a_slow_subscriber_learns_how_much_it_missed,
    printing::without_a_backlog_nothing_is_shown,
    blocking::wait_is_refused_where_it_would_deadlock,
    blocking::join_is_refused_where_it_would_deadlock,
    blocking::blocking_is_allowed_on_blocking_threads,
    blocking::a_job_blocks_on_its_own_thread_only,
    blocking::a_blocked_worker_does_not_stall_other_runs,
    blocking::a_plain_function_may_use_any_executor,
    blocking::a_started_job_may_block_on_an_executor,
    timing::ten_thousand_sleepers,
    timing::a_job_that_waits_for_a_retry_ends_with_its_last_error,
    timing::a_flaky_job_is_retried,
    timing::start_to_close_ends_an_attempt,
    timing::a_timeout_ends_whatever_a_job_awaits,
    timing::a_grace_period_follows_a_timeout,
    timing::completing_within_the_grace_period_is_still_a_timeout,
    timing::an_output_that_comes_too_late_is_discarded,
    timing::an_output_of_a_child_that_comes_too_late_is_discarded,
    timing::schedule_to_close_ends_all_attempts,
    timing::a_job_without_heartbeats_times_out,
    timing::a_heartbeat_keeps_a_job_alive,
    timing::a_run_timeout_ends_the_run,
    timing::sleep_follows_the_clock,
    timing::time_waits_for_jobs_that_yield,
    timing::time_waits_for_runs_in_the_background,
    timing::time_waits_for_functions,
    timing::time_waits_for_tasks_of_jobs,
    timing::a_function_may_wait_for_the_clock,
    timing::time_moves_while_a_job_waits_for_a_sleeping_job,
    timing::one_clock_serves_many_runs,
    stopping::cancel_starts_the_grace_period,
    stopping::cancel_drops_jobs_that_ignore_it,
    stopping::cancel_drops_jobs_without_grace,
    stopping::completing_within_the_grace_period_of_a_cancelled_run_counts,
    stopping::waits_of_a_context_end_in_a_grace_period,
    stopping::jobs_of_a_function_end_with_its_timeout,
    stopping::a_thread_that_ignores_its_grace_period_is_abandoned,
    stopping::cancel_abandons_a_thread_that_ignores_it,
    stopping::dropping_the_future_cancels,
    stopping::jobs_that_always_run_run_after_a_cancel,
    stopping::stop_on_failure,
    stopping::a_cancelled_run_reports_its_progress,
    limits::a_run_respects_max_parallel,
    limits::an_engine_respects_max_parallel,
    limits::a_named_limit_is_shared_by_runs,
    limits::to_builder_copies_an_engine,
    limits::an_unknown_limit_is_an_error,
    limits::jobs_of_higher_priority_start_first,
    limits::events_reach_the_store_before_subscribers,
    limits::a_broken_store_stops_the_run,
    everywhere::faults_at_every_point_leak_nothing,
    shutdown::shutdown_waits_for_running_jobs_and_starts_none,
    shutdown::a_job_that_outlasts_the_shutdown_restarts_elsewhere,
    shutdown::shutdown_does_not_wait_for_sleeping_jobs,
    shutdown::shutdown_cancels_runs_without_a_store,
    shutdown::an_engine_that_is_shut_down_refuses_runs,
    shutdown::shutdown_stops_awaited_runs,
    hostile::an_error_that_cannot_be_displayed_is_a_panic,
    hostile::an_endless_error_text_is_truncated,
    hostile::an_error_that_cannot_be_displayed_is_retried,
    hostile::a_panic_payload_that_panics_when_dropped_is_contained,
    hostile::an_error_that_panics_when_dropped_is_contained,
    hostile::outputs_that_panic_when_dropped_are_contained,
    hostile::inputs_that_panic_when_dropped_are_contained,
    hostile::an_output_that_panics_when_written_fails_its_job,
    hostile::an_input_that_panics_is_refused,
    hostile::a_value_that_panics_when_cloned_fails_its_reader,
    hostile::a_condition_that_panics_fails_its_job,
    hostile::a_future_that_panics_when_dropped_is_cancelled,
    hostile::a_workflow_that_panics_is_refused,
    hostile::a_waker_that_panics_is_contained,
    hostile::a_clock_that_panics_fails_the_run,
    hostile::a_sleep_that_panics_is_replaced,
    abandoned::a_context_that_outlives_its_run_starts_no_jobs,
    abandoned::a_context_that_outlives_its_attempt_starts_no_jobs,
    abandoned::a_detached_context_runs_jobs,
    abandoned::endless_recursion_of_workflows_fails,
    abandoned::a_run_that_awaits_itself_fails,
    abandoned::a_deep_chain_is_cancelled_at_once,
    abandoned::jobs_may_join_runs_that_they_start,
    places::a_failed_map_releases_all_permits,
    places::a_dropped_call_releases_its_permit,
    places::a_cancelled_job_leaves_the_queue_for_permits,
    places::a_job_that_times_out_leaves_the_queue_for_permits,
    given_back::jobs_that_wait_for_signals_hold_no_place,
    given_back::a_woken_job_waits_for_its_place_but_not_to_be_cancelled,
    given_back::a_job_that_also_waits_for_something_else_keeps_its_place,
    lending::a_parent_lends_its_permit_to_its_children,
    lending::a_job_lends_its_permit_to_its_child_run,
    lending::a_child_that_needs_more_permits_than_its_parent_holds_fails,
    line::a_job_that_needs_many_permits_is_not_overtaken,
    line::priority_orders_the_queue_for_permits,
    line::no_job_waits_forever_for_permits,
    scopes::limits_of_a_workflow_hold_across_engines,
    scopes::versions_that_differ_share_the_smallest_limit,
    scopes::a_child_workflow_has_the_limits_of_its_parents,
    scopes::engines_share_the_machine,
    scopes::an_unknown_limit_always_fails,
    storm::all_permits_are_free_in_the_end,
}

#[test]
fn a_manual_clock_stands_still_without_waiters() {
    assert_eq!(ManualClock::new().now(), std::time::Duration::ZERO);
}
