//! Alerts over a real store (SQLite and Postgres) and a real queue, by a clock that the tests move: what becomes of
//! incidents, who is told of them and when, and that nobody is muted without a message, whoever dies in between.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod crash;
mod gathered;
mod hook;
mod hostile;
mod killed;
mod life;
mod mails;
mod posts;
mod rivals;
mod stage;
mod storm;
mod timing;
mod unsent;
mod waits;

/// Defines a test twice: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($stage:ident) $body:block)+) => {
        $(async fn $name($stage: &mut crate::stage::Stage) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(&mut crate::stage::Stage::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(&mut crate::stage::Stage::postgres().await).await;
            }
        })+
    };
}
pub(crate) use on_both;
