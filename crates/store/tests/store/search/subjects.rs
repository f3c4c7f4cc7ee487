//! What is kept of somebody's searches, and taking it out.

use store::{InteractionKind, NewSearch, QuerySort, SearchRules, SubjectOf};
use uuid::Uuid;

use super::{HOUR, click, hour, ingest, interaction, number, roll, search, stranger, t};
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
        world.store.settle_searches(&SearchRules::default(), crate::both::fresh_id, t(91), || false).await.unwrap();
        roll(&world.store, t(95)).await;

        let kept = world.store.export_search_subject("u1", SubjectOf::Either).await.unwrap();
        assert_eq!(kept.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), [uuid, "mine-2"]);
        assert_eq!(kept[0].filters.as_deref(), Some("{\"online\":true}"));
        assert_eq!(kept[0].network, Some(Uuid::from_u128(7)));
        assert_eq!(kept[0].interactions.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["c1", "b1"]);
        assert_eq!(kept[0].interactions[0].position, Some(2));

        let erased = world.store.erase_search_subject("u1", SubjectOf::Either, t(100)).await.unwrap();
        assert_eq!((erased.searches, erased.interactions), (2, 2));
        assert_eq!(world.store.export_search_subject("u1", SubjectOf::Either).await.unwrap(), []);
        let others = world.store.export_search_subject("u2", SubjectOf::Either).await.unwrap();
        assert_eq!((others.len(), others[0].interactions.len()), (1, 1));
        assert_eq!(hour(world, t(0)).await.searches, 4, "what was counted names nobody, and stays");
        let again = world.store.erase_search_subject("u1", SubjectOf::Either, t(101)).await.unwrap();
        assert_eq!((again.searches, again.interactions), (0, 0));
    }

    async fn what_waited_in_a_queue_when_a_subject_was_erased_is_not_written(world) {
        world.store.erase_search_subject("u1", SubjectOf::Either, t(100)).await.unwrap();
        let batch = [search("before", t(99), "a"), search("after", t(101), "b"), stranger("c", t(50), "d")];
        let written = ingest(&world.store, &batch, &[], t(110)).await;
        assert_eq!((written.searches, written.erased), (2, 1));
        let kept = world.store.export_search_subject("u1", SubjectOf::Either).await.unwrap();
        assert_eq!(kept.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["after"]);
    }

    async fn what_a_clock_that_is_ahead_has_dated_into_the_time_after_is_erased_too(world) {
        ingest(&world.store, &[search("ahead", t(300), "x")], &[], t(90)).await;
        let erased = world.store.erase_search_subject("u1", SubjectOf::Either, t(100)).await.unwrap();
        assert_eq!(erased.searches, 1);
        // The same out of a queue, and one that came after.
        assert_eq!(ingest(&world.store, &[search("queued", t(300), "x")], &[], t(95)).await.erased, 1);
        assert_eq!(ingest(&world.store, &[search("later", t(300), "x")], &[], t(110)).await.searches, 1);
    }

    async fn interactions_that_wait_for_a_search_that_was_erased_go_with_it(world) {
        let waiting = "SELECT COUNT(*) FROM search_interactions";
        ingest(&world.store, &[], &[click("first", "mine", t(51), 1), click("else", "other", t(51), 1)], t(52)).await;
        world.store.erase_search_subject("u1", SubjectOf::Either, t(60)).await.unwrap();
        let batch = [click("same", "mine", t(53), 1)];
        let written = ingest(&world.store, &[search("mine", t(50), "x")], &batch, t(70)).await;
        assert_eq!((written.erased, written.interactions), (1, 0));
        assert_eq!(number(world, waiting).await, 1, "of somebody else");
        // And those that wait when the search is there already.
        ingest(&world.store, &[], &[click("early", "new", t(81), 1)], t(82)).await;
        ingest(&world.store, &[search("new", t(80), "x")], &[], t(83)).await;
        let erased = world.store.erase_search_subject("u1", SubjectOf::Either, t(90)).await.unwrap();
        assert_eq!((erased.searches, erased.interactions, number(world, waiting).await), (1, 1, 1));
    }

    async fn a_user_and_a_guests_session_of_the_same_name_are_two(world) {
        let guest = NewSearch { subject: Some("7".to_owned()), guest: true, ..search("guest", t(61), "x") };
        let user = NewSearch { subject: Some("7".to_owned()), ..search("user", t(60), "x") };
        ingest(&world.store, &[guest, user], &[], t(70)).await;
        roll(&world.store, t(70)).await;
        assert_eq!(hour(world, t(0)).await.unique_searchers, Some(2));
        let ids = async |of| {
            let kept = world.store.export_search_subject("7", of).await.unwrap();
            kept.into_iter().map(|search| search.id).collect::<Vec<_>>()
        };
        assert_eq!((ids(SubjectOf::User).await, ids(SubjectOf::Guest).await), (vec!["user".to_owned()], vec!["guest".to_owned()]));
        assert_eq!(ids(SubjectOf::Either).await.len(), 2);
        world.store.erase_search_subject("7", SubjectOf::User, t(80)).await.unwrap();
        assert_eq!(ids(SubjectOf::Either).await, ["guest"]);
    }

    async fn an_address_that_was_typed_is_not_in_what_stays(world) {
        ingest(&world.store, &[search("a", t(50), "write to ana@example.com"), search("b", t(55), "+49 170 1234567")], &[], t(60)).await;
        roll(&world.store, t(60)).await;
        assert_eq!(world.store.export_search_subject("u1", SubjectOf::User).await.unwrap()[0].query, "write to ana@example.com");
        world.store.erase_search_subject("u1", SubjectOf::User, t(70)).await.unwrap();
        let counted = world.store.search_queries(QuerySort::Popular, t(0), t(HOUR), 10, t(70)).await.unwrap();
        assert_eq!(counted.iter().map(|query| query.query.as_str()).collect::<Vec<_>>(), ["write to •", "•"]);
    }

    async fn an_erasure_is_repeated_for_what_was_written_at_its_very_moment(world) {
        ingest(&world.store, &[search("a", t(50), "x"), search("b", t(200), "x")], &[], t(210)).await;
        // As if the mark had been set after the batch had looked for it, and before it was written.
        world.store.erase_search_subject("u1", SubjectOf::Either, t(10)).await.unwrap();
        world.store.erase_search_subject("u1", SubjectOf::Either, t(40)).await.unwrap();
        assert_eq!(world.store.repeat_search_erasures(t(0)).await.unwrap(), 0);
        assert_eq!(world.store.export_search_subject("u1", SubjectOf::Either).await.unwrap().len(), 2);
        world.store.erase_search_subject("u1", SubjectOf::Either, t(100)).await.unwrap();
        assert_eq!(world.store.repeat_search_erasures(t(HOUR)).await.unwrap(), 0, "only the recent ones");
        assert_eq!(world.store.export_search_subject("u1", SubjectOf::Either).await.unwrap().len(), 1);
    }
}
