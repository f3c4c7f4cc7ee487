//! A chart as PNG, for mails.
//!
//! It is drawn at twice the size that it is shown at, for screens of that fineness, on an opaque white ground: mail programs
//! in the dark change colours of pages as they like, but leave pictures alone.

use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};
use ttf_parser::OutlineBuilder;

use crate::font;
use crate::layout::{Anchor, KEY, Shape, Size, TEXT, layout};
use crate::model::{Chart, Style};

/// Pixels of the picture for one of the page.
const FINENESS: f32 = 2.0;

/// The colours of the series: strong for what it is about, quiet for what it is compared with.
const SERIES: [(u8, u8, u8); 4] = [(0x1d, 0x4e, 0xd8), (0x9a, 0xab, 0xc2), (0xd9, 0x77, 0x06), (0x0f, 0x76, 0x6e)];
const RULE: (u8, u8, u8) = (0xe3, 0xe8, 0xef);
const ZERO: (u8, u8, u8) = (0xb4, 0xbf, 0xcd);
const WORDS: (u8, u8, u8) = (0x4b, 0x5a, 0x6b);
/// How much of the colour an area has.
const TINT: u8 = 26;

/// The picture of a chart, twice as fine as `size`. The same chart and size always give the same bytes.
#[must_use]
pub fn png(chart: &Chart, size: Size) -> Vec<u8> {
    let (width, height) = (u32::from(size.width.max(1)) * 2, u32::from(size.height.max(1)) * 2);
    let mut sheet = Sheet {
        pixels: Pixmap::new(width, height).expect("neither side is zero, and both are small"),
        bars: chart.style() == Style::Bars,
    };
    sheet.pixels.fill(Color::WHITE);
    for shape in layout(chart, size).shapes {
        sheet.draw(shape);
    }
    encode(&sheet.pixels)
}

struct Sheet {
    pixels: Pixmap,
    bars: bool,
}

impl Sheet {
    fn draw(&mut self, shape: Shape) {
        match shape {
            Shape::Rule { y, from, to, zero } => {
                let colour = if zero { ZERO } else { RULE };
                self.fill(rect(from, y - 0.5, to - from, 1.0), ink(colour, 255));
            }
            Shape::Text { x, y, anchor, text } => self.text(&text, x, y, anchor),
            Shape::Key { series, x, y } => {
                let (top, height) = if self.bars { (y - 5.0, 10.0) } else { (y - 1.5, 3.0) };
                self.fill(rect(x, top, KEY, height), ink(colour(series), 255));
            }
            Shape::Line { series, points } => {
                let width = if series == 0 { 2.75 } else { 2.0 };
                let stroke =
                    Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
                if let Some(path) = through(&points, None) {
                    self.pixels.stroke_path(&path, &ink(colour(series), 255), &stroke, fine(), None);
                }
            }
            Shape::Area { series, points, floor } => {
                self.fill(through(&points, Some(floor)), ink(colour(series), TINT))
            }
            Shape::Dot { series, x, y } => {
                let radius = if series == 0 { 3.5 } else { 2.5 };
                self.fill(PathBuilder::from_circle(x, y, radius), ink(colour(series), 255));
            }
            Shape::Bar { series, x, y, width, height } => {
                self.fill(rect(x, y, width, height), ink(colour(series), 255));
            }
        }
    }

    fn text(&mut self, text: &str, x: f32, y: f32, anchor: Anchor) {
        let x = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - font::width(text, TEXT) / 2.0,
            Anchor::End => x - font::width(text, TEXT),
        };
        let mut pen = Pen(PathBuilder::new());
        font::outline(text, TEXT, x, y, &mut pen);
        self.fill(pen.0.finish(), ink(WORDS, 255));
    }

    fn fill(&mut self, path: Option<Path>, ink: Paint<'_>) {
        if let Some(path) = path {
            self.pixels.fill_path(&path, &ink, FillRule::Winding, fine(), None);
        }
    }
}

/// A line through points; down to the floor and back, where there is one.
fn through(points: &[(f32, f32)], floor: Option<f32>) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first.0, first.1);
    for (x, y) in rest {
        path.line_to(*x, *y);
    }
    if let Some(floor) = floor {
        path.line_to(rest.last().unwrap_or(first).0, floor);
        path.line_to(first.0, floor);
        path.close();
    }
    path.finish()
}

fn rect(x: f32, y: f32, width: f32, height: f32) -> Option<Path> {
    Rect::from_xywh(x, y, width, height).map(PathBuilder::from_rect)
}

fn colour(series: usize) -> (u8, u8, u8) {
    SERIES[series % SERIES.len()]
}

fn ink((red, green, blue): (u8, u8, u8), alpha: u8) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(red, green, blue, alpha);
    paint
}

fn fine() -> Transform {
    Transform::from_scale(FINENESS, FINENESS)
}

struct Pen(PathBuilder);

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// Without its alpha, which is full everywhere: three quarters of the bytes.
fn encode(pixels: &Pixmap) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let colours: Vec<u8> = pixels.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let mut writer = encoder.write_header().expect("writing into memory cannot fail");
    writer.write_image_data(&colours).expect("the picture has as many pixels as it says");
    writer.finish().expect("writing into memory cannot fail");
    file
}
