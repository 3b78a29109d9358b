//! The conformance suite of [`Store`].

mod appending;
mod assets;
mod beginning;
mod clocks;
mod downstream;
mod driving;
mod evicting;
mod files;
pub(crate) mod fixtures;
mod queueing;
mod scheduling;
mod sending;
mod tasks;
mod workers;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use workflow_core::store::Store;

/// A store under test, seen from two processes.
#[non_exhaustive]
pub struct Stores {
    /// The store.
    pub one: Arc<dyn Store>,
    /// The same store, opened by another process; or the same handle if other processes are
    /// impossible.
    pub other: Arc<dyn Store>,
    /// Sets an offset, in microseconds, of the store's clock for leases.
    set_clock: Box<dyn Fn(i64)>,
    /// Values that must live as long.
    kept: Box<dyn Any>,
}

impl Stores {
    /// Creates a store under test from two handles on one empty store, whose clock cannot be set.
    pub fn new(one: Arc<dyn Store>, other: Arc<dyn Store>) -> Self {
        Self { one, other, set_clock: Box::new(|_| {}), kept: Box::new(()) }
    }

    /// Sets how to change the offset, in microseconds, of the store's clock for leases. Default: it
    /// cannot be changed, and the scenarios with wrong clocks use a correct one.
    #[must_use]
    pub fn clock(mut self, set: impl Fn(i64) + 'static) -> Self {
        self.set_clock = Box::new(set);
        self
    }

    /// Sets the offset of the store's clock.
    pub(crate) fn set_time(&self, micros: i64) {
        (self.set_clock)(micros);
    }

    /// Keeps a value, such as a temporary folder, until the scenario ends.
    #[must_use]
    pub fn keep(mut self, thing: impl Any) -> Self {
        self.kept = Box::new((self.kept, thing));
        self
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

super::suite! {
    $ store_conformance, store, Stores;
    beginning::a_run_is_kept_as_it_began,
    beginning::an_idempotency_key_has_one_run,
    beginning::a_key_is_for_one_request,
    beginning::a_key_is_looked_up_within_its_scope,
    beginning::a_key_of_a_retry_is_for_the_run_that_it_repeats,
    beginning::a_text_that_is_no_key_is_refused,
    beginning::a_repeated_input_may_be_spelled_otherwise,
    beginning::an_id_is_taken_once,
    beginning::a_refused_beginning_leaves_nothing,
    beginning::one_key_under_contention,
    beginning::one_request_of_many_has_the_key,
    beginning::keys_in_any_order_are_no_circle,
    beginning::numbers_come_back_to_the_last_bit,
    beginning::texts_of_all_kinds_come_back,
    appending::events_come_back_in_pages,
    appending::persisted_values_come_back_in_pages,
    appending::events_must_follow,
    appending::a_status_changes_legally_or_not_at_all,
    appending::refused_events_harm_no_neighbour,
    appending::large_outputs_come_back,
    appending::an_unknown_run_takes_no_events,
    driving::a_run_without_owner_is_claimed,
    driving::one_of_many_claims_wins,
    driving::the_dead_are_taken_over_and_fenced,
    driving::renewing_keeps_runs,
    driving::released_runs_can_be_claimed,
    driving::orphans_come_in_pages,
    driving::finished_runs_are_not_abandoned,
    driving::a_slow_owner_that_nobody_replaced_goes_on,
    driving::held_leases_are_counted,
    driving::a_blocked_run_says_why_until_it_goes_on,
    driving::runs_inside_of_a_run_are_found,
    queueing::queued_runs_are_claimed_by_priority_and_age,
    queueing::a_worker_claims_from_its_queues_only,
    queueing::queues_of_higher_priority_come_first,
    queueing::excepted_workflows_are_left_to_others,
    queueing::released_runs_wait_in_their_queues_again,
    queueing::runs_of_the_dead_return_to_their_queues,
    queueing::a_late_owner_keeps_runs_that_nobody_claimed,
    queueing::a_death_that_a_clock_took_back_is_noticed_again,
    queueing::blocked_and_child_runs_are_stranded,
    queueing::recorded_runs_wait_unless_their_events_block_them,
    queueing::concurrent_claims_share_the_queued_runs,
    evicting::an_evicted_run_waits_in_no_queue,
    evicting::a_time_puts_an_evicted_run_into_its_queue,
    evicting::messages_wake_evicted_runs,
    evicting::a_message_that_the_engine_lacks_prevents_eviction,
    evicting::a_claimed_run_sleeps_no_more,
    evicting::woken_runs_come_first,
    evicting::child_runs_are_evicted_with_their_parent,
    evicting::the_end_of_a_child_run_wakes_its_parent,
    evicting::no_message_is_lost_to_an_eviction,
    evicting::an_evicted_run_is_woken_once,
    clocks::no_lease_is_held_longer_than_its_length,
    clocks::a_jump_ends_nobody_that_is_alive,
    clocks::a_jump_keeps_nobody_that_is_dead,
    clocks::a_lease_far_ahead_is_judged_by_its_heartbeats,
    clocks::an_owner_that_renews_at_the_last_moment_keeps_its_runs,
    downstream::ended_runs_wait_until_they_are_handled,
    downstream::only_runs_that_end_after_the_link_wait,
    downstream::child_runs_do_not_wait,
    downstream::runs_that_made_an_asset_wait_once,
    downstream::child_runs_that_made_an_asset_wait,
    files::handled_files_are_remembered_until_they_are_forgotten,
    scheduling::the_cursor_of_a_schedule_moves_forward,
    scheduling::a_changed_schedule_begins_anew,
    scheduling::a_schedule_pauses_and_resumes,
    scheduling::concurrent_schedulers_share_one_cursor,
    assets::a_record_comes_back_as_it_was,
    assets::the_last_record_that_was_not_refused_is_current,
    assets::the_newest_record_of_a_partition_may_be_refused,
    assets::partitions_come_in_pages_in_the_order_of_their_bytes,
    assets::the_history_of_an_asset_comes_in_pages,
    assets::concurrent_runs_record_their_partitions,
    sending::messages_reach_their_run,
    sending::an_inbox_has_what_an_owner_drives,
    sending::numbers_appear_in_order,
    sending::finished_runs_take_no_messages,
    sending::another_programs_run_takes_no_signals,
    sending::signals_have_bounds,
    tasks::a_task_is_opened_once,
    tasks::only_the_owner_of_the_run_opens_its_tasks,
    tasks::tasks_are_claimed_by_queue_priority_and_age,
    tasks::an_answer_stays_until_its_attempt_is_recorded,
    tasks::a_retry_is_another_task,
    tasks::the_tasks_of_a_dead_worker_wait_again,
    tasks::persisted_values_outlive_the_worker,
    tasks::output_is_read_once_and_in_order,
    tasks::a_stop_reaches_the_worker,
    tasks::a_stopped_task_without_a_worker_ends_at_once,
    tasks::tasks_end_with_their_run,
    tasks::concurrent_claims_share_the_tasks,
    tasks::backlogs_count_waiting_jobs,
    tasks::tasks_are_announced,
    workers::workers_are_known_by_their_latest_report,
    workers::a_worker_without_heartbeats_is_listed_as_dead,
    workers::backlogs_count_the_waiting_runs_of_each_queue,
}
