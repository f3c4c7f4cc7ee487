//! The scheduler over a real store (SQLite and Postgres) and a real queue, by a clock that the tests move.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod downtime;
mod fragile;
mod overlaps;
mod stage;
mod told;
mod week;

/// Defines a test twice: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($stage:ident) $body:block)+) => {
        $(async fn $name($stage: &crate::stage::Stage) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(&crate::stage::Stage::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(&crate::stage::Stage::postgres().await).await;
            }
        })+
    };
}
pub(crate) use on_both;
