//! The conformance suite of stores that [enforce limits](workflow_core::store::Store::enforces_limits).

mod concurrency;
mod fairness;
mod fixtures;
mod timing;

use super::store::Stores;

super::suite! {
    $ flow_control_conformance, flow_control, Stores;
    concurrency::runs_with_limits_begin_without_an_owner,
    concurrency::the_limit_holds_for_each_key,
    concurrency::a_freed_slot_goes_to_the_first_that_waits,
    concurrency::claims_by_id_keep_the_limit,
    concurrency::slots_survive_releases_and_deaths,
    concurrency::an_evicted_run_keeps_its_slot,
    concurrency::a_waiting_run_that_ends_frees_the_way,
    concurrency::a_higher_limit_lets_waiting_runs_begin,
    concurrency::workflows_share_no_limit,
    concurrency::skipped_requests_get_the_oldest_run,
    concurrency::refused_runs_are_recorded_as_cancelled,
    concurrency::new_runs_cancel_the_oldest_ones,
    concurrency::child_runs_keep_the_limit,
    concurrency::concurrent_claims_never_exceed_the_limit,
    concurrency::concurrent_requests_begin_one_run,
    concurrency::runs_beyond_the_limit_hide_nobody,
    timing::a_rate_lets_runs_begin_evenly,
    timing::rates_and_slots_hold_together,
    timing::a_run_that_has_begun_needs_no_second_turn,
    timing::debounced_requests_replace_the_input,
    timing::a_repeated_request_finds_its_run_although_the_input_was_replaced,
    timing::debounce_ends_after_the_longest_delay,
    timing::a_debounced_run_can_be_cancelled,
    fairness::keys_take_turns,
    fairness::a_small_key_waits_as_if_it_were_alone,
    fairness::weights_share_in_proportion,
    fairness::runs_without_a_key_go_on,
    fairness::a_busy_key_is_not_starved,
}
