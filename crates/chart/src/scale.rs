//! The vertical axis: from zero, in a few round steps, to at least the greatest figure.
//!
//! Always from zero: an axis that begins near the figures makes a small change look like a collapse.

use crate::model::Format;

/// About so many steps.
const STEPS: f64 = 4.0;
/// What a step may be, times a power of ten.
const ROUND: [f64; 5] = [1.0, 2.0, 2.5, 5.0, 10.0];

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The distance of two marks.
    pub(crate) step: f64,
    /// How many steps there are, from 1.
    pub(crate) steps: u32,
}

impl Scale {
    /// The axis for figures up to `greatest`.
    pub(crate) fn new(greatest: f64, format: Format) -> Self {
        let smallest = match format {
            Format::Count => 1.0,
            Format::Percent => 0.001,
            Format::Decimal => 0.01,
        };
        if greatest < smallest {
            return Self { step: smallest, steps: 1 };
        }
        let raw = greatest / STEPS;
        let power = 10_f64.powf(raw.log10().floor());
        // A hair above, so that what is round stays what it is.
        let fits = |factor: &&f64| *factor * power * (1.0 + 1e-9) >= raw;
        let step = ROUND.iter().find(fits).copied().unwrap_or(10.0) * power;
        let step = if format == Format::Count { step.ceil() } else { step }.max(smallest);
        let steps = (greatest / step - 1e-9).ceil().clamp(1.0, 2.0 * STEPS);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 8")]
        Self { step, steps: steps as u32 }
    }

    /// The figure at the upper end.
    pub(crate) fn top(self) -> f64 {
        self.step * f64::from(self.steps)
    }

    /// The marks, from zero up.
    pub(crate) fn marks(self) -> impl Iterator<Item = f64> {
        (0..=self.steps).map(move |n| self.step * f64::from(n))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks(greatest: f64, format: Format) -> Vec<f64> {
        Scale::new(greatest, format).marks().collect()
    }

    #[test]
    fn steps_are_round() {
        assert_eq!(marks(1921.0, Format::Count), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(marks(3.0, Format::Count), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(marks(0.0, Format::Count), [0.0, 1.0]);
        assert_eq!(marks(1.0, Format::Percent), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(marks(2.0, Format::Decimal), [0.0, 0.5, 1.0, 1.5, 2.0]);
    }

    proptest! {
        #[test]
        fn every_figure_is_within_the_axis_and_no_axis_is_much_too_high(greatest in 0.0_f64..1e15, percent: bool) {
            let format = if percent { Format::Percent } else { Format::Count };
            let scale = Scale::new(greatest, format);
            prop_assert!(scale.top() >= greatest * (1.0 - 1e-6));
            prop_assert!(scale.steps <= 8 && (scale.top() <= greatest * 2.0 || scale.steps == 1));
            prop_assert!(format == Format::Percent || scale.step.fract() == 0.0);
        }
    }
}
