//! Effects are counted once by key.

use store::Effect;

use crate::both::on_both;

on_both! {
    async fn a_job_that_runs_three_times_acts_once(world) {
        assert_eq!(world.store.get_effect("k").await.unwrap(), None);
        for run in 1..=3 {
            assert_eq!(world.store.record_effect("k").await.unwrap(), Effect { runs: run, effects: 1 });
        }
        assert_eq!(world.store.get_effect("k").await.unwrap(), Some(Effect { runs: 3, effects: 1 }));
        assert_eq!(world.store.get_effect("other").await.unwrap(), None);
    }

    async fn runs_at_the_same_time_are_all_counted(world) {
        let runs = (0..64).map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.record_effect("k").await.unwrap() })
        });
        for run in runs.collect::<Vec<_>>() {
            run.await.unwrap();
        }
        assert_eq!(world.store.get_effect("k").await.unwrap(), Some(Effect { runs: 64, effects: 1 }));
    }
}
