//! What is kept of somebody's searches, and taking it out.

use store::{InteractionKind, NewSearch, SearchRules};
use uuid::Uuid;

use super::{HOUR, click, hour, ingest, interaction, roll, search, stranger, t};
use crate::both::on_both;

on_both! {
    async fn a_subject_can_read_all_that_is_kept_and_have_it_taken_out(world) {
        let uuid = "01983b5c-7f1e-7a00-9c1f-2f6d8e1b4a77";
        let mine = [
            NewSearch {
                filters: Some("{\"online\":true}".to_owned()),
                referrer: Some("https://a.test/b".to_owned()),
                network: Some(Uuid::from_u128(7)),
                ..search(uuid, t(60), "piano")
            },
            search("mine-2", t(70), "violin"),
        ];
        let other = NewSearch { subject: Some("u2".to_owned()), ..search("other", t(80), "oboe") };
        let done = [
            click("c1", uuid, t(61), 2),
            interaction("b1", uuid, t(62), InteractionKind::Book),
            click("c2", "other", t(81), 1),
        ];
        ingest(&world.store, &mine, &done, t(90)).await;
        ingest(&world.store, &[other, stranger("nobody", t(85), "harp")], &[], t(90)).await;
        world.store.settle_searches(&SearchRules::default(), crate::both::fresh_id(), t(91)).await.unwrap();
        roll(&world.store, t(95)).await;

        let kept = world.store.export_search_subject("u1").await.unwrap();
        assert_eq!(kept.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [uuid, "mine-2"]);
        assert_eq!(kept[0].filters.as_deref(), Some("{\"online\":true}"));
        assert_eq!(kept[0].network, Some(Uuid::from_u128(7)));
        assert_eq!(kept[0].interactions.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["c1", "b1"]);
        assert_eq!(kept[0].interactions[0].position, Some(2));

        let erased = world.store.erase_search_subject("u1", t(100)).await.unwrap();
        assert_eq!((erased.searches, erased.interactions), (2, 2));
        assert_eq!(world.store.export_search_subject("u1").await.unwrap(), []);
        let others = world.store.export_search_subject("u2").await.unwrap();
        assert_eq!((others.len(), others[0].interactions.len()), (1, 1));
        assert_eq!(hour(world, t(0)).await.searches, 4, "what was counted names nobody, and stays");
        let again = world.store.erase_search_subject("u1", t(101)).await.unwrap();
        assert_eq!((again.searches, again.interactions), (0, 0));
    }

    async fn what_waited_in_a_queue_when_a_subject_was_erased_is_not_written(world) {
        world.store.erase_search_subject("u1", t(100)).await.unwrap();
        let batch = [search("before", t(99), "a"), search("after", t(101), "b"), stranger("c", t(50), "d")];
        let written = ingest(&world.store, &batch, &[], t(110)).await;
        assert_eq!((written.searches, written.erased), (2, 1));
        let kept = world.store.export_search_subject("u1").await.unwrap();
        assert_eq!(kept.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["after"]);
    }

    async fn an_erasure_is_repeated_for_what_was_written_at_its_very_moment(world) {
        ingest(&world.store, &[search("a", t(50), "x"), search("b", t(200), "x")], &[], t(210)).await;
        // As if the mark had been set after the batch had looked for it, and before it was written.
        world.store.erase_search_subject("u1", t(10)).await.unwrap();
        world.store.erase_search_subject("u1", t(40)).await.unwrap();
        assert_eq!(world.store.repeat_search_erasures(t(0)).await.unwrap(), 0);
        assert_eq!(world.store.export_search_subject("u1").await.unwrap().len(), 2);
        world.store.erase_search_subject("u1", t(100)).await.unwrap();
        assert_eq!(world.store.repeat_search_erasures(t(HOUR)).await.unwrap(), 0, "only the recent ones");
        assert_eq!(world.store.export_search_subject("u1").await.unwrap().len(), 1);
    }
}
