//! The conformance suite of [`Catalog`] with its [`Accounts`](crate::Accounts).

mod accounts;
mod figures;
#[doc(hidden)]
pub mod fixtures;
mod keeping;
mod listing;
mod managing;
mod naming;
mod pages;
mod seeing;
mod versions;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::catalog::Catalog;

/// A catalog under test, seen from two processes.
#[non_exhaustive]
pub struct Catalogs {
    /// The store.
    pub store: Arc<dyn Catalog>,
    /// The same store, opened by another process; or the same handle if other processes are
    /// impossible.
    pub other: Arc<dyn Catalog>,
    /// Values that must live as long.
    kept: Box<dyn Any>,
}

impl Catalogs {
    /// Creates a catalog under test from two handles on one empty store.
    pub fn new(store: Arc<dyn Catalog>, other: Arc<dyn Catalog>) -> Self {
        Self { store, other, kept: Box::new(()) }
    }

    /// Keeps a value, such as a temporary folder, until the scenario ends.
    #[must_use]
    pub fn keep(mut self, thing: impl Any) -> Self {
        self.kept = Box::new((self.kept, thing));
        self
    }
}

impl fmt::Debug for Catalogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogs").finish_non_exhaustive()
    }
}

super::suite! {
    $ catalog_conformance, catalog, Catalogs;
    accounts::users_are_added_changed_and_deleted,
    accounts::tokens_are_good_until_they_are_not,
    accounts::sessions_end,
    accounts::a_user_has_an_account_and_nobody_elses,
    figures::runs_are_counted_under_concurrency,
    figures::runs_are_listed_with_their_jobs,
    figures::durations_are_known_without_events,
    naming::every_spelling_opens_what_it_names,
    naming::a_name_means_the_callers_own_first,
    naming::an_anonymous_viewer_finds_workflows_of_all_owners,
    naming::a_name_is_unique_for_its_owner,
    naming::staff_give_workflows_away,
    naming::two_unicode_forms_are_one_name,
    naming::slugs_differ_from_names_slugs_and_ids,
    naming::a_slug_is_made_under_contention,
    naming::a_run_joins_what_has_its_owner_and_source,
    naming::a_row_follows_its_file_until_somebody_writes_it,
    naming::a_file_that_ran_is_created_in_its_place,
    naming::the_owner_of_a_deleted_account_keeps_nothing_from_others,
    naming::pruning_by_name_spares_other_owners,
    naming::a_workflow_that_is_code_keeps_its_name,
    naming::a_slug_that_is_asked_for_is_like_nothing_else,
    naming::a_run_is_found_by_number_prefix_and_as_the_latest,
    seeing::a_user_sees_their_workflows_and_the_registered,
    seeing::a_user_changes_what_is_theirs,
    seeing::a_user_sees_the_runs_of_theirs_and_their_own,
    seeing::a_user_sends_to_what_is_seen,
    seeing::a_user_begins_runs_of_what_is_seen,
    seeing::a_number_says_which_of_a_name,
    seeing::registered_workflows_exist_before_their_first_run,
    versions::what_follows_a_file_follows_the_new_one,
    versions::runs_keep_the_file_that_they_began_with,
    versions::no_version_is_lost_under_contention,
    listing::every_filter_finds,
    listing::pages_are_stable_under_inserts,
    listing::every_order_can_be_turned_round,
    pages::the_last_runs_of_many_workflows,
    pages::runs_and_workflows_are_found_by_more,
    pages::runs_over_time_and_by_status,
    pages::molecules_and_atoms_are_counted,
    pages::external_runs_take_status_reports,
    managing::a_workflow_is_found_by_id_name_and_slug,
    managing::metadata_is_replaced_or_merged,
    managing::bad_values_are_refused,
    managing::deleting_takes_the_runs_along,
    keeping::a_pruner_goes_on_until_it_is_dropped,
    keeping::records_of_assets_go_with_their_runs_except_for_the_newest,
}
