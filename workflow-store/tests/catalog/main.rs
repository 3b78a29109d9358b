//! The catalog, on SQLite and on PostgreSQL.

#[path = "../cluster/mod.rs"]
mod cluster;
mod figures;
mod keeping;
mod listing;
mod managing;
mod schema;
mod support;

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
    managing::a_workflow_is_found_by_id_slug_and_name,
    managing::an_ambiguous_name_lists_its_candidates,
    managing::metadata_is_replaced_or_merged,
    managing::bad_values_are_refused,
    managing::deleting_takes_the_runs_along,
    listing::every_filter_finds,
    listing::pages_are_stable_under_inserts,
    listing::what_others_added_is_found,
    figures::runs_are_counted_under_concurrency,
    figures::runs_are_listed_with_their_jobs,
    figures::durations_are_known_without_events,
    keeping::old_runs_are_pruned,
    keeping::one_process_prunes_in_a_period,
    keeping::a_pruner_goes_on_until_it_is_dropped,
    keeping::an_export_comes_back,
    keeping::a_bad_import_leaves_nothing,
    schema::every_column_of_the_document_is_there,
    schema::queries_of_the_document_run,
    schema::a_run_shows_in_its_tables,
}
