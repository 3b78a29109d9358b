//! The catalog, on SQLite and on PostgreSQL.

mod codes;
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

/// Makes a test of each scenario for each database.
macro_rules! on_both {
    ($($room:ident :: $scenario:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $scenario() {
                pollster::block_on(async {
                    crate::catalog::$room::$scenario(crate::catalog::support::sqlite().await).await;
                });
            })*
        }
        mod postgres {
            $(#[test]
            fn $scenario() {
                pollster::block_on(async {
                    crate::catalog::$room::$scenario(crate::catalog::support::postgres().await).await;
                });
            })*
        }
    };
}

on_both! {
    codes::workflows_have_these_codes,
    codes::tokens_have_these_codes,
    codes::runs_have_these_codes,
    codes::exports_have_these_codes,
    naming::what_is_not_active_begins_no_run,
    seeing::a_user_sees_the_pages_of_many,
    seeing::owners_may_change_behind_the_store,
    versions::a_file_is_replaced_and_kept,
    versions::files_that_others_wrote_are_kept,
    listing::what_others_added_is_found,
    pages::runs_of_other_applications_are_reported,
    pages::numbers_of_other_applications_are_read,
    managing::what_others_added_twice_is_ambiguous,
    keeping::old_runs_are_pruned,
    keeping::runs_age_from_their_end,
    keeping::folders_go_with_their_runs,
    keeping::one_process_prunes_in_a_period,
    keeping::a_bad_import_leaves_nothing,
    keeping::a_damaged_event_is_described,
    keeping::an_export_comes_back,
    schema::every_column_of_the_document_is_there,
    schema::older_workflows_and_keys_get_owners_and_scopes,
    schema::queries_of_the_document_run,
    schema::a_run_shows_in_its_tables,
    schema::plain_inserts_of_the_document_are_taken,
    schema::a_status_that_is_none_hides_nothing,
    schema::times_of_other_programs_are_in_order,
    schema::tables_of_a_framework_are_taken_over,
    schema::tenants_share_the_public_schema,
    waiting::waits_of_older_runs_are_backfilled,
    waiting::imported_runs_stand_where_their_events_say,
}

/// What the public suite asks of every catalog.
mod suite {
    use workflow_store::testing::Catalogs;

    use crate::catalog::support::Place;

    fn of(place: Place) -> Catalogs {
        Catalogs::new(place.store.clone(), place.other.clone()).keep(place)
    }

    mod sqlite {
        workflow_store::catalog_conformance!(async {
            super::of(crate::catalog::support::sqlite().await)
        });
    }

    mod postgres {
        workflow_store::catalog_conformance!(async {
            super::of(crate::catalog::support::postgres().await)
        });
    }
}
