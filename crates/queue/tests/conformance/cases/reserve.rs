//! Idempotency keys.

use queue::Reservation;

use crate::stage::*;

const PAYLOAD: [u8; 32] = [7; 32];

pub async fn a_key_reserves_the_first_id_for_a_day(s: &Stage) {
    let (first, second) = (s.job().id, s.job().id);
    let reserve = |id| s.broker.reserve("key-1 POST /v1/jobs", "abc", PAYLOAD, id);
    assert_eq!(reserve(first).await.unwrap(), Reservation::New);
    assert_eq!(reserve(second).await.unwrap(), Reservation::Same(first));
    assert_eq!(reserve(first).await.unwrap(), Reservation::Same(first));
    s.clock.advance(DAY - SECOND);
    s.maintain().await;
    assert_eq!(reserve(second).await.unwrap(), Reservation::Same(first));
    s.clock.advance(SECOND);
    assert_eq!(reserve(second).await.unwrap(), Reservation::New);
    s.maintain().await;
    assert_eq!(reserve(first).await.unwrap(), Reservation::Same(second));
}

pub async fn another_payload_is_a_conflict(s: &Stage) {
    let id = s.job().id;
    assert_eq!(s.broker.reserve("scope", "k", PAYLOAD, id).await.unwrap(), Reservation::New);
    let mut other = PAYLOAD;
    other[31] = 0;
    assert_eq!(s.broker.reserve("scope", "k", other, id).await.unwrap(), Reservation::Conflict);
    assert_eq!(s.broker.reserve("scope", "k", PAYLOAD, s.job().id).await.unwrap(), Reservation::Same(id));
}

pub async fn another_scope_or_key_is_another_slot(s: &Stage) {
    for (scope, key) in [("a", "k"), ("b", "k"), ("a", "K"), ("a", "ключ 🎻"), ("", "ak"), ("ak", "")] {
        let answer = s.broker.reserve(scope, key, PAYLOAD, s.job().id).await.unwrap();
        assert_eq!(answer, Reservation::New, "{scope:?} {key:?}");
    }
}
