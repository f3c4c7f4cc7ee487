//! What happens on the day of the demonstration: who books what, and what becomes of it.

use std::time::Duration;

use jiff::Timestamp;
use job::clock::{after, from_ms};
use store::{BookingEventKind, CancelledBy, Party, Price, Snapshot};

const HOUR: Duration = Duration::from_secs(3600);

/// Students: name, address, zone, language.
const STUDENTS: [(&str, &str, &str, &str); 8] = [
    ("Zoë Lindström", "zoe.lindstrom@example.com", "Europe/Stockholm", "sv"),
    ("Lukas Brandt", "lukas.brandt@example.com", "Europe/Berlin", "de"),
    ("Mariana Costa", "mariana.costa@example.com", "America/Sao_Paulo", "pt-BR"),
    ("Emily Carter", "emily.carter@example.com", "America/New_York", "en-US"),
    ("Haruto Sato", "haruto.sato@example.com", "Asia/Tokyo", "ja"),
    ("Lucía Fernández", "lucia.fernandez@example.com", "Europe/Madrid", "es"),
    ("Oliver Hughes", "oliver.hughes@example.com", "Europe/London", "en-GB"),
    ("Aditi Rao", "aditi.rao@example.com", "Asia/Kolkata", "en-IN"),
];

/// Name, address, zone, language, what they teach, what it costs.
type Instructor = (&'static str, &'static str, &'static str, &'static str, &'static str, (&'static str, &'static str));

/// The instructors.
const INSTRUCTORS: [Instructor; 4] = [
    (
        "José Álvarez",
        "jose.alvarez@example.com",
        "America/New_York",
        "es-US",
        "Spanish conversation, B1",
        ("45.00", "USD"),
    ),
    ("Anna Weber", "anna.weber@example.com", "Europe/Vienna", "de-AT", "German for beginners", ("38.00", "EUR")),
    ("Grace Kim", "grace.kim@example.com", "America/Vancouver", "en-CA", "Calculus, first year", ("60.00", "CAD")),
    ("Tom Hartley", "tom.hartley@example.com", "Europe/London", "en-GB", "Guitar, fingerstyle", ("30.00", "GBP")),
];

/// Something that happens, so long after the day began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// How far into the day.
    pub at: Duration,
    /// To which booking.
    pub booking_id: String,
    /// Its version.
    pub version: i64,
    /// What.
    pub event: BookingEventKind,
    /// The booking after it.
    pub snapshot: Snapshot,
}

/// The whole day, in its order.
#[must_use]
pub fn of(began: Timestamp) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for n in 0..24_u32 {
        let booked = HOUR / 2 * n + HOUR / 4;
        // Some lessons are the same day, some the next: those are reminded of a day ahead.
        let ahead = if n % 3 == 0 { HOUR * 25 + HOUR / 2 } else { HOUR * (3 + n % 4) };
        let starts = booked + ahead;
        let snapshot = lesson(n, on_the_half_hour(after(began, starts)));
        let mut telling = Telling { began, n, version: 0, snapshot, scenes: &mut scenes };
        telling.tell(booked, BookingEventKind::Confirmed);
        match n % 6 {
            1 => {
                telling.snapshot.starts_at = after(telling.snapshot.starts_at, HOUR * 2);
                telling.snapshot.reason = Some("The train is late: two hours later, please".to_owned());
                telling.tell(booked + HOUR, BookingEventKind::Rescheduled);
                telling.snapshot.reason = None;
                telling.tell(starts + HOUR * 3, BookingEventKind::Completed);
            }
            2 => {
                telling.snapshot.cancelled_by = Some(CancelledBy::Student);
                telling.snapshot.reason = Some("I caught a cold".to_owned());
                telling.tell(booked + HOUR * 2, BookingEventKind::Cancelled);
            }
            4 => {
                telling.snapshot.cancelled_by = Some(CancelledBy::Instructor);
                telling.tell(booked + HOUR / 2, BookingEventKind::Cancelled);
            }
            5 => telling.tell(starts + HOUR, BookingEventKind::NoShow),
            _ => telling.tell(starts + HOUR, BookingEventKind::Completed),
        }
    }
    scenes.retain(|scene| scene.at < HOUR * 24);
    scenes.sort_by_key(|scene| scene.at);
    scenes
}

/// One booking, being told of.
struct Telling<'s> {
    began: Timestamp,
    n: u32,
    version: i64,
    snapshot: Snapshot,
    scenes: &'s mut Vec<Scene>,
}

impl Telling<'_> {
    fn tell(&mut self, at: Duration, event: BookingEventKind) {
        self.version += 1;
        let day = self.began.strftime("%m%d");
        self.scenes.push(Scene {
            at,
            booking_id: format!("demo_{day}_{:02}", self.n + 1),
            version: self.version,
            event,
            snapshot: self.snapshot.clone(),
        });
    }
}

/// As lessons begin: on the half hour before.
fn on_the_half_hour(at: Timestamp) -> Timestamp {
    const HALF: i64 = 30 * 60 * 1000;
    from_ms(at.as_millisecond() / HALF * HALF)
}

fn lesson(n: u32, starts_at: Timestamp) -> Snapshot {
    let n = n as usize;
    let party = |id: String, name: &str, email: &str, timezone: &str, locale: &str| Party {
        id,
        name: name.to_owned(),
        email: email.to_owned(),
        timezone: timezone.to_owned(),
        locale: Some(locale.to_owned()),
    };
    let (student, instructor) = (STUDENTS[n % STUDENTS.len()], INSTRUCTORS[n / 2 % INSTRUCTORS.len()]);
    let (amount, currency) = instructor.5;
    Snapshot {
        service: instructor.4.to_owned(),
        starts_at,
        duration_minutes: if n.is_multiple_of(2) { 60 } else { 45 },
        location: (n % 5 == 3).then(|| "Music school, room 4".to_owned()),
        url: (n % 5 != 3).then(|| format!("https://meet.example.com/l/{n:02}-q2zd")),
        price: Some(Price { amount: amount.to_owned(), currency: currency.to_owned() }),
        student: party(format!("st_{n}"), student.0, student.1, student.2, student.3),
        instructor: party(format!("in_{}", n / 2 % 4), instructor.0, instructor.1, instructor.2, instructor.3),
        reason: None,
        cancelled_by: None,
        reminders: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_in_order_and_has_something_of_everything() {
        let began: Timestamp = "2026-11-25T06:00:00Z".parse().unwrap();
        let day = of(began);
        assert!(day.is_sorted_by_key(|scene| scene.at));
        for event in [
            BookingEventKind::Confirmed,
            BookingEventKind::Rescheduled,
            BookingEventKind::Cancelled,
            BookingEventKind::Completed,
            BookingEventKind::NoShow,
        ] {
            assert!(day.iter().any(|scene| scene.event == event), "{event}");
        }
        for scene in &day {
            let earlier = day.iter().filter(|other| other.booking_id == scene.booking_id && other.at < scene.at);
            assert_eq!(earlier.count() as i64 + 1, scene.version, "{scene:?}");
        }
    }
}
