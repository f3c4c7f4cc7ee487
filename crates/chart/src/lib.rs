//! Charts: a few series of figures become a picture, for a mail or for a page.
//!
//! 1. [`Chart`] is what is shown: labels, series, what kind of figures they are. It is checked when it is made or read, and
//!    goes through JSON unchanged, so that whoever keeps one can draw it again later.
//! 2. `scale` finds round numbers for the axis; `layout` puts lines, bars and words in their places.
//! 3. [`png`] draws them for mails, which show no other kind of picture everywhere: twice as fine as it is shown, in a font
//!    that is compiled in, on white, so that it is read on a dark page too. [`svg`] writes them for pages of our own, whose
//!    style sheet gives the colours.
//! 4. [`number`] writes figures as people read them, in charts and beside them; [`words`] tells a chart to those who do not
//!    see it.
//!
//! No I/O, no clock, no chance: the same chart is the same bytes on every machine.

mod font;
mod layout;
mod model;
pub mod number;
mod png;
mod scale;
mod svg;
mod words;

pub use layout::Size;
pub use model::{Chart, ChartError, Format, Series, Style};
pub use png::png;
pub use svg::svg;
pub use words::words;
