//! The font that charts are lettered with: Open Sans, compiled in (`fonts/README.md`).

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

static FACE: LazyLock<Face<'static>> = LazyLock::new(|| {
    Face::parse(include_bytes!("../fonts/OpenSans-Regular.ttf"), 0).expect("the font that is compiled in is one")
});

/// Stands for characters that the font does not have.
const UNKNOWN: char = '?';

/// The width of a line of text, in pixels, at `size` pixels.
pub(crate) fn width(text: &str, size: f32) -> f32 {
    glyphs(text).map(|glyph| advance(glyph) * scale(size)).sum()
}

/// Gives the outlines of a line of text to `pen`, one glyph after another; `x` and `y` are where its base line begins.
pub(crate) fn outline(text: &str, size: f32, x: f32, y: f32, pen: &mut impl OutlineBuilder) {
    let scale = scale(size);
    let mut x = x;
    for glyph in glyphs(text) {
        // A space has no outline.
        let _ = FACE.outline_glyph(glyph, &mut Placed { pen, scale, x, y });
        x += advance(glyph) * scale;
    }
}

fn glyphs(text: &str) -> impl Iterator<Item = GlyphId> {
    text.chars().filter_map(|c| FACE.glyph_index(c).or_else(|| FACE.glyph_index(UNKNOWN)))
}

fn advance(glyph: GlyphId) -> f32 {
    f32::from(FACE.glyph_hor_advance(glyph).unwrap_or_default())
}

fn scale(size: f32) -> f32 {
    size / f32::from(FACE.units_per_em())
}

/// Puts a glyph in its place: a font counts upwards and in units of its own.
struct Placed<'p, P> {
    pen: &'p mut P,
    scale: f32,
    x: f32,
    y: f32,
}

impl<P> Placed<'_, P> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (x.mul_add(self.scale, self.x), y.mul_add(-self.scale, self.y))
    }
}

impl<P: OutlineBuilder> OutlineBuilder for Placed<'_, P> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.curve_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_europe_are_there() {
        for c in "ABCxyz 0123456789,.%–·−…äöüßñçéèøåłőșğ€ΑΩαωАЯабвя".chars() {
            assert!(FACE.glyph_index(c).is_some(), "{c}");
        }
    }

    #[test]
    fn a_character_that_is_not_there_is_shown_as_a_question() {
        assert!((width("検", 12.0) - width("?", 12.0)).abs() < f32::EPSILON);
        assert!(width("Searches", 24.0) > 1.9 * width("Searches", 12.0));
    }
}
