//! One suite for both backends: what a broker promises, case by case, with a virtual clock.
//!
//! 1. [`backend`] opens a backend: SQLite in memory, SQLite in a file, a real Redis.
//! 2. [`stage`] sets a fresh, empty broker up for one case and speaks for it.
//! 3. `cases` holds the rules, a file a topic. The list below runs every one of them on every backend:
//!    `redis::finish::a_stale_lease_changes_nothing_and_harms_no_neighbour`.
//! 4. [`property`] drives random operations against a small [`model`] of the state machine.
//! 5. [`durability`] is about files only.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod backend;
mod cases;
mod durability;
mod model;
mod property;
mod stage;

/// The cases of the list as tests of one backend.
macro_rules! on {
    ($name:ident, $backend:expr; $($topic:ident { $($case:ident)* })*) => {
        mod $name {
            $(mod $topic {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        let stage = crate::stage::Stage::set($backend).await;
                        crate::cases::$topic::$case(&stage).await;
                    }
                )*
            })*
        }
    };
}

macro_rules! on_every_backend {
    ($($cases:tt)*) => {
        on!(sqlite_in_memory, crate::backend::SqliteInMemory::new(); $($cases)*);
        on!(sqlite_in_a_file, crate::backend::SqliteInAFile::new(); $($cases)*);
        on!(redis, crate::backend::InRedis::new().await; $($cases)*);
    };
}

on_every_backend! {
    enqueue {
        a_new_job_is_available_and_reads_back_as_it_was_written
        a_job_for_later_is_scheduled_until_then
        a_job_for_a_time_that_has_passed_is_due_now
        the_same_id_again_is_a_duplicate_and_changes_nothing
        a_duplicate_does_not_fail_its_neighbours
        the_same_id_twice_in_one_call_is_written_once
        no_jobs_at_all_are_fine
        more_jobs_than_a_batch_of_several_queues_are_answered_in_order
        a_long_payload_comes_back_whole
    }
    unique {
        a_key_is_held_while_its_job_lives
        a_key_of_another_queue_is_another_key
        a_key_is_free_when_its_job_has_ended
        a_key_holds_for_a_while_after_every_kind_of_end
        a_key_twice_in_one_call_goes_to_the_first
        an_id_that_is_known_is_told_before_a_key_that_is_held
        a_key_with_signs_of_every_script_is_a_key
        a_once_id_stays_a_duplicate_after_its_job_was_trimmed
        a_once_id_that_was_a_duplicate_of_another_job_stays_one
    }
    order {
        jobs_come_by_priority_then_due_time_then_id
        scheduled_jobs_come_in_the_order_of_their_due_times
        a_retried_job_stands_behind_those_that_were_due_before
    }
    lease {
        a_lease_raises_the_attempt_and_carries_the_job
        no_more_are_leased_than_were_asked_for
        an_answer_is_bounded_by_bytes_too
        an_unknown_queue_leases_nothing
        a_queue_leases_only_its_own_jobs
        a_paused_queue_leases_nothing_but_takes_what_was_finished
        a_job_whose_time_has_passed_expires_instead
        the_next_due_time_is_told_when_none_is_left_to_lease
        one_exchange_finishes_and_then_leases
        no_job_is_leased_twice
        more_than_a_batch_is_refused
    }
    finish {
        a_completed_job_keeps_its_result
        a_retry_waits_for_its_delay_and_keeps_its_error
        a_retry_without_delay_is_due_at_once
        the_broker_does_not_count_attempts_for_the_caller
        a_snooze_gives_the_attempt_back_and_keeps_its_reason
        a_job_that_no_worker_knows_remembers_since_when
        a_released_job_stands_where_it_stood_and_pays_nothing
        a_dead_job_keeps_its_error
        a_job_ends_cancelled_or_expired_by_its_own_word
        a_stale_lease_changes_nothing_and_harms_no_neighbour
        a_lease_finishes_its_job_only_once
        the_same_lease_twice_in_one_call_counts_once
        a_lease_is_stale_once_the_job_was_leased_again
        only_the_last_errors_are_kept
        a_long_error_is_cut_between_two_characters
        no_finishes_at_all_are_fine
        every_kind_of_end_goes_together_in_one_call
    }
    extend {
        a_lease_is_renewed_for_another_lease_time
        a_lost_lease_is_told_among_renewed_ones
        no_leases_at_all_are_fine
        an_expired_lease_that_nobody_reaped_is_renewed
        an_expired_lease_that_nobody_reaped_still_finishes
    }
    reap {
        a_lost_workers_job_goes_back_to_its_place_uncharged
        a_lost_worker_can_neither_renew_nor_finish
        a_renewed_lease_is_not_reaped
        the_first_housekeeping_takes_nothing_from_anybody
        after_a_silence_nobody_is_reaped_for_one_lease
        a_lost_job_that_was_to_be_cancelled_is_cancelled
        many_lost_jobs_all_come_back
    }
    suspects {
        a_job_with_two_losses_waits_apart
        an_idle_worker_gets_a_suspect_alone
        one_worker_makes_room_and_the_others_go_on
        the_chosen_worker_is_replaced_when_it_stays_away
        a_worker_without_a_number_is_never_chosen
        a_job_lost_while_it_ran_alone_is_dead
        a_suspect_that_ends_well_has_ended_well
        a_suspect_that_is_given_back_is_still_leased_alone
        a_suspect_that_is_snoozed_or_retried_is_still_leased_alone
        a_waiting_suspect_can_be_cancelled
        poison_buries_none_of_its_neighbours
    }
    maintain {
        due_jobs_become_available
        a_step_is_bounded_and_says_that_there_is_more
        completed_jobs_are_trimmed_by_count
        completed_jobs_are_trimmed_by_age
        other_ended_jobs_are_trimmed_by_count_each
        other_ended_jobs_are_trimmed_by_age
        housekeeping_of_an_unknown_queue_does_nothing
    }
    cancel {
        a_waiting_job_is_cancelled_at_once
        a_running_job_is_asked_to_stop
        a_job_that_completes_before_it_hears_of_it_is_completed
        a_job_that_would_go_back_to_wait_is_cancelled
        an_ended_job_cannot_be_cancelled
        an_unknown_job_is_not_found
    }
    redrive {
        an_ended_job_is_available_again_from_the_start
        its_expiry_is_lifted
        a_job_that_has_not_ended_badly_is_left_alone
        its_unique_key_is_taken_again
        a_key_that_another_job_holds_stops_it
        a_suspect_past_is_forgiven
    }
    list {
        an_empty_queue_has_an_empty_list
        jobs_are_listed_newest_first_within_each_state
        filters_narrow_by_state_queue_and_kind
        a_rare_kind_is_found_among_many_others
        pages_show_each_job_once_and_in_order
        several_queues_are_listed_as_one
        many_that_completed_at_the_same_time_are_each_listed_once
        jobs_that_move_between_pages_hide_and_repeat_no_other
        the_last_job_of_a_page_may_leave
        what_no_list_gave_out_is_no_cursor
        a_limit_out_of_range_is_refused
    }
    stats {
        every_known_queue_is_counted_by_state
        the_oldest_due_job_tells_its_age
        a_pause_is_shown_and_lifted
        a_job_that_was_never_there_is_none
    }
    unreadable {
        broken_bytes_are_leased_with_the_reason_among_good_jobs
        a_record_cut_off_anywhere_harms_no_neighbour
        a_newer_version_can_wait_and_come_back
        an_unreadable_job_is_shown_and_can_be_operated_on
    }
    reserve {
        a_key_reserves_the_first_id_for_a_day
        another_payload_is_a_conflict
        another_scope_or_key_is_another_slot
    }
    wake {
        a_wait_ends_when_another_handle_enqueues
        a_wait_ends_when_a_job_is_given_back
        a_wait_ends_when_a_queue_is_resumed
        a_wait_ends_by_itself
        a_healthy_broker_answers_a_ping
    }
}

// Answers of the other backends cannot be lost.
on! { redis_alone, crate::backend::InRedis::new().await;
    disown {
        what_an_unheard_answer_leased_is_given_back_uncharged
        a_suspect_that_is_given_back_is_still_leased_alone
        renewals_under_way_hide_nothing_from_it
    }
}
