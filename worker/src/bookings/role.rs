//! The two people of a booking.

use std::fmt;

use store::{Booking, CancelledBy, Party};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Who takes the lesson.
    Student,
    /// Who gives it.
    Instructor,
}

impl Role {
    /// Both, in the order in which they are written to.
    pub const BOTH: [Self; 2] = [Self::Student, Self::Instructor];

    /// As it stands in keys and in names of templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Instructor => "instructor",
        }
    }

    /// The person in this role.
    #[must_use]
    pub fn of(self, booking: &Booking) -> &Party {
        match self {
            Self::Student => &booking.student,
            Self::Instructor => &booking.instructor,
        }
    }

    /// Whether this person called the booking off.
    #[must_use]
    pub fn cancelled(self, by: Option<CancelledBy>) -> bool {
        matches!(
            (self, by),
            (Self::Student, Some(CancelledBy::Student)) | (Self::Instructor, Some(CancelledBy::Instructor))
        )
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
