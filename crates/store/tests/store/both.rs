//! A store of its own for each test, on either database, and what the tests put into it.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{
    BookingEventKind, By, Category, DeliveryRef, NewBookingEvent, NewDelivery, Party, Price, Snapshot, Store,
    StoreConfig, content_hash,
};
use testkit::{Database, janitor};
use uuid::Uuid;

/// Defines a test twice: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($(async fn $name:ident($world:ident) $body:block)+) => {
        $(async fn $name($world: &$crate::both::World) $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(&$crate::both::World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(&$crate::both::World::postgres().await).await;
            }
        })+
    };
}
pub(crate) use on_both;

/// A migrated store in a database of its own.
pub struct World {
    pub store: Store,
    pub url: String,
    pub database: Option<Database>,
}

impl World {
    pub async fn sqlite() -> Self {
        let world = Self::empty_sqlite().await;
        world.store.migrate().await.unwrap();
        world
    }

    pub async fn postgres() -> Self {
        let world = Self::empty_postgres().await;
        world.store.migrate().await.unwrap();
        world
    }

    pub async fn empty_sqlite() -> Self {
        let folder: PathBuf = janitor::scratch_dir("store");
        Self::open(format!("sqlite:{}", folder.join("store.db").display()), None).await
    }

    pub async fn empty_postgres() -> Self {
        let database = Database::create().await;
        Self::open(database.url().to_owned(), Some(database)).await
    }

    async fn open(url: String, database: Option<Database>) -> Self {
        let store = Store::open(&StoreConfig::new(&url)).await.unwrap();
        Self { store, url, database }
    }

    /// A second store on the same database, as another process would have it.
    pub async fn another(&self) -> Store {
        Store::open(&StoreConfig::new(&self.url)).await.unwrap()
    }

    /// Writes a mail under `key`.
    pub async fn mail(&self, key: &str) -> DeliveryRef {
        self.store.insert_deliveries(&[mail(key)], at(0)).await.unwrap().remove(0)
    }
}

/// `seconds` after the tests' epoch.
pub fn at(seconds: i64) -> Timestamp {
    let epoch: Timestamp = "2027-03-01T09:00:00Z".parse().unwrap();
    epoch + SignedDuration::from_secs(seconds)
}

/// A person at the command line.
pub fn by() -> By<'static> {
    By::person(fresh_id(), "command line")
}

/// An id made from a number.
pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// An id that no other call has given.
pub fn fresh_id() -> Uuid {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    id(NEXT.fetch_add(1, Ordering::Relaxed).into())
}

pub fn party(id: &str, name: &str, timezone: &str) -> Party {
    Party {
        id: id.to_owned(),
        name: name.to_owned(),
        email: format!("{id}@people.test"),
        timezone: timezone.to_owned(),
        locale: Some("en-GB".to_owned()),
    }
}

pub fn snapshot() -> Snapshot {
    Snapshot {
        service: "Piano, beginners".to_owned(),
        starts_at: at(86_400),
        duration_minutes: 45,
        location: Some("Łódź, ul. Piotrkowska 1".to_owned()),
        url: None,
        price: Some(Price { amount: "45.00".to_owned(), currency: "USD".to_owned() }),
        student: party("zoe", "Zoë Ångström", "America/New_York"),
        instructor: party("jose", "José Nuñez", "Europe/Madrid"),
        reason: None,
        cancelled_by: None,
        reminders: Some(vec!["24h".to_owned(), "1h".to_owned()]),
    }
}

pub fn event(booking_id: &str, version: i64, event: BookingEventKind, snapshot: Snapshot) -> NewBookingEvent {
    NewBookingEvent {
        booking_id: booking_id.to_owned(),
        version,
        event,
        content_hash: content_hash(event, &snapshot),
        snapshot,
        job_id: fresh_id(),
    }
}

pub fn mail(key: &str) -> NewDelivery {
    NewDelivery {
        recipient_name: Some("Zoë Ångström".to_owned()),
        data: json!({"service": "Piano", "n": 1}),
        job_id: fresh_id(),
        deadline: Some(at(3600)),
        ..NewDelivery::new(fresh_id(), key, Category::Booking, "booking_confirmed", "bookings", "Zoe@People.test")
    }
}
