//! The runner over a real queue: what becomes of jobs that succeed, fail, panic, hang, are cancelled, or are in the way
//! of a shutdown. Each case runs over SQLite and over a real Redis.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

mod bookings;
mod cases;
mod domain;
mod gate;
mod hands;
mod heartbeats;
mod held;
mod lacking;
mod mails;
mod relays;
mod search;
mod search_report;
mod silences;
mod slow_relays;
mod stage;
mod turns;
mod vitals;
mod wire;

macro_rules! on_both {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::cases::$case(&crate::stage::Stage::sqlite().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let redis = testkit::Redis::start().await;
                crate::cases::$case(&crate::stage::Stage::redis(&redis.url()).await).await;
            })*
        }
    };
}

on_both! {
    a_job_runs_and_leaves_its_result
    a_failure_is_retried_and_its_errors_are_kept
    a_panic_is_a_retry_and_its_neighbours_finish
    a_job_out_of_attempts_is_dead_with_the_reason
    a_job_that_takes_too_long_is_dropped_and_retried
    a_running_job_is_cancelled_within_a_second
    an_unknown_kind_waits_its_grace_and_is_dead
    arguments_that_no_longer_parse_are_dead_at_once
    a_queues_own_limit_holds
    the_concurrency_of_the_process_holds
    a_delayed_job_runs_when_it_is_due_and_not_before
    a_paused_queue_rests_and_goes_on_when_resumed
    a_shutdown_gives_back_what_still_runs_uncharged
    a_shutdown_waits_for_what_soon_ends
    an_effect_is_had_once
    a_thousand_jobs_of_three_queues_all_finish
    a_row_whose_job_was_lost_is_swept_up_once
    a_row_ends_with_its_job_and_comes_back_when_that_is_redriven
    a_row_keeps_the_last_words_of_its_dead_job
    a_row_whose_job_says_done_gets_one_new_job
    one_sweep_goes_on_until_everything_lost_is_back
}
