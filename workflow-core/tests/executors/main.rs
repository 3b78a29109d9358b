//! One suite of scenarios, run under every executor: tokio with many threads and with one, smol,
//! no runtime but `block_on`, and a plain thread that waits.

mod abandoned;
mod blocking;
#[path = "../support/broken_store.rs"]
mod broken_store;
mod everywhere;
mod fanout;
mod flows;
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
    flows::a_function_runs_jobs_as_it_goes,
    flows::calls_have_names_of_their_own,
    flows::a_workflow_is_a_job_of_another,
    flows::a_condition_decides,
    flows::an_optional_input_may_be_missing,
    flows::output_of_another_shape_goes_through_json,
    flows::the_input_may_draw_the_graph,
    flows::undo_runs_newest_first,
    flows::any_error_is_a_job_error,
    flows::an_alias_of_a_result_fails,
    flows::a_panic_is_the_jobs_failure,
    flows::a_started_run_goes_on_by_itself,
    fanout::a_map_keeps_the_order,
    fanout::a_map_keeps_to_its_limit,
    fanout::a_map_may_be_empty,
    fanout::a_failing_element_fails_the_map,
    fanout::maps_nest,
    fanout::an_element_is_told_from_a_job_with_its_name,
    fanout::an_element_has_nothing_to_wait_for,
    fanout::an_element_names_only_limits_that_there_are,
    fanout::ten_thousand_inputs_arrive,
    ordering::an_edge_orders_without_a_value,
    ordering::a_group_orders_like_its_edges,
    ordering::a_fan_in_runs_once,
    ordering::branches_do_not_share_a_context,
    ordering::a_busy_job_does_not_starve_others,
    ordering::a_blocking_job_does_not_stall_others,
    ordering::a_blocking_job_may_wait_for_another,
    ordering::late_subscribers_hear_everything,
    ordering::a_long_chain_needs_no_stack,
    printing::what_a_job_prints_is_an_event,
    printing::output_is_seen_while_the_job_works,
    printing::a_job_prints_what_the_run_inside_of_it_prints,
    printing::a_store_gets_no_output,
    printing::a_slow_subscriber_is_told_what_it_missed,
    printing::without_a_backlog_nothing_is_shown,
    blocking::wait_is_refused_where_nothing_else_would_go_on,
    blocking::join_is_refused_where_nothing_else_would_go_on,
    blocking::blocking_is_legal_on_threads_for_it,
    blocking::a_job_blocks_on_its_own_thread_only,
    blocking::a_worker_that_waits_holds_nothing_up,
    blocking::a_plain_function_does_not_see_who_waits,
    blocking::what_is_started_may_block_on_an_executor,
    timing::ten_thousand_sleepers,
    timing::a_flaky_job_is_retried,
    timing::an_attempt_has_its_time,
    timing::a_timeout_ends_whatever_a_job_awaits,
    timing::a_grace_period_follows_a_timeout,
    timing::what_completes_in_its_grace_period_has_timed_out,
    timing::an_output_that_comes_too_late_is_discarded,
    timing::an_output_of_a_child_that_comes_too_late_is_discarded,
    timing::all_attempts_have_their_time,
    timing::a_silent_job_is_stopped,
    timing::a_heartbeat_keeps_a_job_alive,
    timing::a_run_has_its_time,
    timing::sleep_follows_the_clock,
    timing::time_waits_for_jobs_that_yield,
    timing::time_waits_for_runs_in_the_background,
    timing::time_waits_for_functions,
    timing::time_waits_for_tasks_of_jobs,
    timing::a_function_may_wait_for_the_clock,
    timing::time_comes_for_who_waits_in_vain,
    timing::one_clock_has_many_runs,
    stopping::cancel_asks_first,
    stopping::cancel_drops_who_does_not_listen,
    stopping::cancel_drops_who_asked_for_no_grace,
    stopping::what_completes_in_its_grace_period_of_a_cancelled_run_has_completed,
    stopping::what_is_awaited_ends_at_once_in_a_grace_period,
    stopping::jobs_of_a_function_end_with_its_time,
    stopping::a_thread_is_asked_and_left_behind,
    stopping::cancel_leaves_a_deaf_thread_behind,
    stopping::dropping_the_future_cancels,
    stopping::what_must_always_run_runs,
    stopping::stop_on_failure,
    stopping::a_cancelled_run_says_how_far_it_came,
    limits::a_run_keeps_to_max_parallel,
    limits::an_engine_keeps_to_max_parallel,
    limits::a_named_limit_is_shared_by_runs,
    limits::an_engine_can_begin_as_another,
    limits::an_unknown_limit_is_an_error,
    limits::priority_decides_who_is_first,
    limits::a_store_hears_before_anyone,
    limits::a_broken_store_stops_the_run,
    everywhere::harm_at_every_point_leaves_nothing_behind,
    shutdown::a_running_job_has_its_time_and_none_begins,
    shutdown::a_job_that_takes_too_long_begins_again_elsewhere,
    shutdown::who_merely_waits_is_not_waited_for,
    shutdown::a_run_without_a_store_is_cancelled_and_cleans_up,
    shutdown::an_engine_that_is_shut_down_takes_no_runs,
    shutdown::a_run_that_is_awaited_is_stopped_where_it_is_driven,
    hostile::an_error_that_cannot_be_shown_is_a_panic,
    hostile::an_error_without_end_is_cut_off,
    hostile::an_error_that_cannot_be_shown_is_retried,
    hostile::a_payload_that_panics_does_no_harm,
    hostile::an_error_that_panics_when_dropped_does_no_harm,
    hostile::outputs_that_panic_when_dropped_do_no_harm,
    hostile::inputs_that_panic_when_dropped_do_no_harm,
    hostile::an_output_that_panics_when_written_fails_its_job,
    hostile::an_input_that_panics_is_refused,
    hostile::a_value_that_panics_when_cloned_fails_who_takes_it,
    hostile::a_condition_that_panics_fails_its_job,
    hostile::a_future_that_panics_when_dropped_is_cancelled,
    hostile::a_workflow_that_panics_is_refused,
    hostile::a_waker_that_panics_does_no_harm,
    hostile::a_clock_that_panics_fails_the_run,
    hostile::a_sleep_that_panics_is_replaced,
    abandoned::a_context_that_outlives_its_run_runs_nothing,
    abandoned::a_context_that_outlives_its_attempt_runs_nothing,
    abandoned::a_detached_context_runs_jobs,
    abandoned::workflows_that_call_each_other_without_end_fail,
    abandoned::a_run_that_awaits_itself_fails,
    abandoned::a_deep_chain_is_cancelled_at_once,
    abandoned::jobs_may_join_runs_that_they_start,
    places::a_failed_map_gives_all_places_back,
    places::a_dropped_call_gives_its_place_back,
    places::who_is_cancelled_in_line_leaves_it,
    places::who_runs_out_of_time_in_line_leaves_it,
    lending::a_parent_lends_its_place_to_its_children,
    lending::a_job_lends_its_place_to_the_run_inside_of_it,
    lending::a_child_that_needs_more_than_its_parent_holds_is_refused,
    line::a_wide_job_is_not_passed_over,
    line::priority_holds_in_the_line_for_places,
    line::no_job_is_passed_over_for_ever,
    scopes::a_workflow_has_its_limits_in_every_engine,
    scopes::the_smallest_size_holds_while_versions_differ,
    scopes::a_workflow_has_the_limits_of_those_around_it,
    scopes::engines_share_the_machine,
    scopes::an_unknown_limit_is_never_passed_over,
    storm::all_places_are_free_in_the_end,
}

#[test]
fn a_clock_that_nobody_waits_for_stands_still() {
    assert_eq!(ManualClock::new().now(), std::time::Duration::ZERO);
}
