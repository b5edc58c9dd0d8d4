//! The suite that every store must pass, one file a topic.
//!
//! [`store_conformance!`](crate::store_conformance) makes a test of each case. A case gets a new, empty
//! [`Database`], and opens as many handles on it as it needs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are the bodies of tests")]

pub mod cancel;
pub mod cleanup;
mod database;
pub mod delete;
pub mod due;
pub mod hand_back;
pub mod heartbeat;
pub mod import;
pub mod lease;
pub mod mirror;
pub mod open;
pub mod page;
pub mod record;
pub mod result;
mod story;
pub mod submit;
pub mod waiting;

pub use database::Database;

/// One test for each case of the suite. `fresh` is an expression that makes a new, empty
/// [`Database`]; it may await.
#[macro_export]
macro_rules! store_conformance {
    (fresh = $fresh:expr) => {
        $crate::store_conformance! { @cases $fresh;
            cancel [
                a_wish_for_an_unknown_job_finds_nothing,
                a_queued_run_is_cancelled_at_once,
                a_running_run_is_asked_of_its_worker,
                a_run_that_has_ended_is_left_alone,
                a_redelivery_after_the_wish_finds_the_job_cancelled,
                an_attempt_handed_back_after_the_wish_is_not_tried_again,
                a_result_reported_after_the_wish_counts,
                wishes_and_starts_at_once_leave_one_truth,
                a_running_run_whose_worker_is_dead_ends_as_its_user_wished,
                a_running_run_whose_worker_lives_is_left_to_it,
            ]
            cleanup [
                a_run_is_unsettled_until_its_containers_end_is_known,
                a_run_that_ended_just_now_is_left_alone_and_no_more_come_than_asked_for,
            ]
            delete [
                a_run_that_has_ended_goes_with_all_that_hangs_on_it,
                a_run_that_has_not_ended_stays,
                an_unknown_run_is_not_found,
            ]
            due [
                a_fresh_run_is_due_after_the_grace_and_not_before,
                a_published_run_is_not_due,
                a_publication_of_an_old_dispatch_is_passed_over,
                due_runs_come_oldest_first_and_no_more_than_asked_for,
                a_message_holds_what_a_worker_needs,
                an_unknown_or_ended_run_has_no_message,
                runs_of_a_generation_kept_alive_by_others_are_left_to_them,
                a_queued_run_of_a_dead_generation_gets_its_next_dispatch,
                a_running_attempt_of_a_dead_generation_is_spent_and_fenced,
                a_run_lost_with_its_last_attempt_ends,
                a_cancelled_run_of_a_dead_generation_is_not_dispatched_again,
                a_backoff_outlives_its_generation,
                two_schedulers_at_once_take_a_run_back_once,
            ]
            hand_back [
                it_spends_an_attempt_and_waits,
                a_drain_spends_none_and_need_not_wait,
                a_drain_leaves_earlier_silent_attempts_spent,
                with_no_attempt_left_the_run_fails_with_the_reason,
                an_attempt_handed_back_says_no_more_but_its_cleanup,
                the_time_to_live_goes_on,
                numbers_never_repeat,
            ]
            heartbeat [
                a_worker_is_known_as_it_last_described_itself,
                a_worker_that_fell_silent_is_not_listed,
                the_current_attempt_may_go_on,
                an_attempt_that_nobody_heard_of_yet_may_go_on,
                attempts_of_unknown_jobs_are_stopped,
                a_superseded_attempt_is_stopped,
                a_cancelled_jobs_attempt_is_stopped_as_cancelled,
                an_attempt_that_said_its_end_may_clear_up,
                an_attempt_lost_with_its_bus_is_stopped,
            ]
            import [
                an_imported_record_comes_back_in_its_imported_form,
                a_full_record_is_imported_whole,
                an_id_that_is_taken_stays_as_it_is,
                a_run_that_has_not_ended_is_not_imported,
                nothing_happens_to_an_imported_run_any_more,
                an_imported_runs_container_is_no_longer_waited_for,
                imports_at_once_take_a_record_over_once,
            ]
            lease [
                a_lease_has_one_holder,
                of_many_that_want_a_lease_at_once_one_gets_it,
                a_holder_renews_its_lease,
                a_lease_that_ran_out_is_free,
                a_lease_given_up_is_free,
                nobody_gives_up_anothers_lease,
            ]
            mirror [
                a_run_is_to_be_mirrored_from_its_end_until_it_is,
                runs_to_mirror_come_oldest_first_and_no_more_than_asked_for,
                runs_of_a_live_generation_are_left_to_it,
                runs_under_way_tell_of_their_steps,
            ]
            open [
                handles_that_open_a_new_database_at_once_all_succeed,
                what_one_handle_wrote_another_reads,
                a_database_that_is_there_answers,
            ]
            page [
                runs_come_newest_first,
                runs_of_one_time_are_ordered_by_id,
                a_page_walked_by_key_while_runs_arrive_misses_none_and_repeats_none,
                a_status_is_filtered_on_every_page,
                an_offset_skips,
                a_page_has_at_least_one_and_at_most_two_hundred_runs,
                each_run_has_its_own_steps_and_artifacts,
                runs_are_counted_by_status,
            ]
            record [
                an_event_of_an_unknown_job_is_refused,
                a_start_makes_a_run_running,
                an_event_given_twice_counts_once,
                the_same_events_recorded_by_two_handles_at_once_count_once,
                a_stale_attempts_events_are_refused,
                a_later_attempt_replaces_a_silent_one,
                an_attempt_whose_start_was_lost_is_started_by_what_it_says,
                a_batch_is_applied_and_answered_in_order,
                batches_that_cross_do_not_block_each_other,
                steps_are_ordered_by_index,
                artifacts_are_ordered_by_path,
                a_step_comes_back_as_it_was_given,
                nul_characters_in_output_are_replaced,
                numbers_beyond_the_databases_range_are_cut,
                the_longest_artifact_path_is_kept,
            ]
            result [
                terminal_states_never_change,
                a_result_before_what_it_announces_is_early_and_changes_nothing,
                gaps_are_accepted_when_they_must_be,
                a_result_may_come_in_one_batch_with_what_it_announces,
                rows_that_come_after_an_accepted_gap_are_kept,
                only_the_reporting_attempts_rows_count,
                a_container_is_pending_until_it_is_cleaned_up,
                a_job_that_had_no_container_has_nothing_to_clean_up,
                a_container_told_of_late_is_not_unclean_again,
                a_result_that_is_none_is_a_failure,
            ]
            submit [
                an_accepted_run_is_queued,
                of_concurrent_submissions_of_one_id_exactly_one_is_created,
                the_same_id_with_the_same_spec_is_the_existing_run,
                the_same_id_with_another_spec_is_taken,
                nul_characters_in_a_spec_are_replaced_and_known_again,
                of_several_runs_each_is_accepted_for_itself,
                several_runs_accepted_by_several_at_once_are_each_new_once,
            ]
            waiting [
                with_no_worker_the_pool_is_named,
                a_pool_whose_slots_are_busy_is_full,
                a_draining_worker_takes_nothing,
                a_free_slot_is_waited_for_in_words,
                a_backoff_says_until_when,
                only_queued_runs_wait,
            ]
        }
    };
    (@cases $fresh:expr; $($topic:ident [$($case:ident,)*])*) => {
        $(mod $topic {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::store::conformance::$topic::$case($fresh).await;
                }
            )*
        })*
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_macro() {
        let listed = include_str!("mod.rs");
        for topic in [
            include_str!("cancel.rs"),
            include_str!("delete.rs"),
            include_str!("due.rs"),
            include_str!("hand_back.rs"),
            include_str!("heartbeat.rs"),
            include_str!("import.rs"),
            include_str!("lease.rs"),
            include_str!("cleanup.rs"),
            include_str!("mirror.rs"),
            include_str!("open.rs"),
            include_str!("page.rs"),
            include_str!("record.rs"),
            include_str!("result.rs"),
            include_str!("submit.rs"),
            include_str!("waiting.rs"),
        ] {
            for line in topic.lines().filter_map(|l| l.strip_prefix("pub async fn ")) {
                let case = line.split('(').next().unwrap();
                assert!(listed.contains(&format!("{case},\n")), "{case} is run by nobody");
            }
        }
    }
}
