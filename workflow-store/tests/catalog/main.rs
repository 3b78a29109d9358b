//! The catalog, on SQLite and on PostgreSQL.

mod accounts;
mod figures;
mod keeping;
mod listing;
mod managing;
mod naming;
mod pages;
mod schema;
mod seeing;
mod support;
mod versions;
mod waiting;

use test_postgres as cluster;

/// Makes a test of each scenario for each database.
macro_rules! on_both {
    ($($room:ident :: $scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $scenario() {
                pollster::block_on(async {
                    crate::$room::$scenario(crate::support::sqlite().await).await;
                });
            })*
        }
        mod postgres {
            $(#[test]
            fn $scenario() {
                pollster::block_on(async {
                    crate::$room::$scenario(crate::support::postgres().await).await;
                });
            })*
        }
    };
}

on_both! {
    managing::a_workflow_is_found_by_id_name_and_slug,
    managing::what_others_added_twice_is_ambiguous,
    managing::metadata_is_replaced_or_merged,
    managing::bad_values_are_refused,
    managing::deleting_takes_the_runs_along,
    naming::every_spelling_opens_what_it_names,
    naming::a_name_means_the_callers_own_first,
    naming::whoever_is_nobody_finds_everybodys,
    naming::a_name_is_unique_for_its_owner,
    naming::staff_give_workflows_away,
    naming::two_unicode_forms_are_one_name,
    naming::a_slug_is_like_nothing_else,
    naming::a_slug_is_made_under_contention,
    naming::a_run_joins_what_has_its_owner_and_source,
    naming::a_row_follows_its_file_until_somebody_writes_it,
    naming::a_file_that_ran_is_created_in_its_place,
    naming::the_owner_of_a_deleted_account_keeps_nothing_from_others,
    naming::nobody_elses_workflow_is_pruned_by_its_name,
    naming::what_is_not_active_begins_no_run,
    naming::a_workflow_that_is_code_keeps_its_name,
    naming::a_slug_that_is_asked_for_is_like_nothing_else,
    naming::a_run_is_found_by_number_prefix_and_as_the_latest,
    versions::a_file_is_replaced_and_kept,
    versions::what_follows_a_file_follows_the_new_one,
    versions::runs_keep_the_file_that_they_began_with,
    versions::files_that_others_wrote_are_kept,
    versions::no_version_is_lost_under_contention,
    listing::every_filter_finds,
    listing::pages_are_stable_under_inserts,
    listing::every_order_can_be_turned_round,
    listing::what_others_added_is_found,
    figures::runs_are_counted_under_concurrency,
    figures::runs_are_listed_with_their_jobs,
    figures::durations_are_known_without_events,
    keeping::old_runs_are_pruned,
    keeping::runs_age_from_their_end,
    keeping::folders_go_with_their_runs,
    keeping::one_process_prunes_in_a_period,
    keeping::a_pruner_goes_on_until_it_is_dropped,
    keeping::an_export_comes_back,
    keeping::a_bad_import_leaves_nothing,
    accounts::users_are_added_changed_and_deleted,
    accounts::tokens_are_good_until_they_are_not,
    accounts::sessions_end,
    accounts::a_user_has_an_account_and_nobody_elses,
    seeing::a_user_sees_their_workflows_and_the_registered,
    seeing::a_user_sees_the_pages_of_many,
    seeing::a_user_changes_what_is_theirs,
    seeing::a_user_sees_the_runs_of_theirs_and_their_own,
    seeing::a_user_sends_to_what_is_seen,
    seeing::a_user_begins_runs_of_what_is_seen,
    seeing::a_number_says_which_of_a_name,
    seeing::owners_may_change_behind_the_store,
    seeing::what_is_announced_is_there_before_it_runs,
    pages::the_last_runs_of_many_workflows,
    pages::runs_and_workflows_are_found_by_more,
    pages::runs_over_time_and_by_status,
    pages::molecules_and_atoms_are_counted,
    pages::what_no_engine_drives_is_reported,
    pages::runs_of_other_applications_are_reported,
    pages::numbers_of_other_applications_are_read,
    pages::an_engine_has_its_catalog_behind_it,
    schema::every_column_of_the_document_is_there,
    schema::what_was_before_gets_owners_and_scopes,
    schema::queries_of_the_document_run,
    schema::a_run_shows_in_its_tables,
    schema::plain_inserts_of_the_document_are_taken,
    schema::a_status_that_is_none_hides_nothing,
    schema::times_of_other_programs_are_in_order,
    schema::tables_of_a_framework_are_taken_over,
    schema::tenants_share_the_public_schema,
    waiting::what_older_runs_wait_for_is_told,
    waiting::imported_runs_stand_where_their_events_say,
}
