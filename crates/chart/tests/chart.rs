//! The pictures themselves, decoded: how large they are, what colours they have and where.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use chart::{Chart, Format, Series, Size, Style, png};

const WHITE: [u8; 3] = [255, 255, 255];
const BLUE: [u8; 3] = [0x1d, 0x4e, 0xd8];
const QUIET: [u8; 3] = [0x9a, 0xab, 0xc2];

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn of(chart: &Chart, size: Size) -> Self {
        let bytes = png(chart, size);
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (::png::ColorType::Rgb, ::png::BitDepth::Eight));
        let pixels = data.as_chunks::<3>().0.to_vec();
        Self { width: info.width as usize, height: info.height as usize, pixels }
    }

    fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    /// Whether a colour is anywhere in the columns from `from` to `to`, as shares of the width, below the legend.
    fn has(&self, colour: [u8; 3], from: f64, to: f64) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let column = |share: f64| (self.width as f64 * share) as usize;
        (60..self.height).any(|y| (column(from)..column(to)).any(|x| self.pixels[y * self.width + x] == colour))
    }
}

fn week(style: Style, now: [Option<f64>; 7], before: [Option<f64>; 7]) -> Chart {
    let labels = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(str::to_owned).to_vec();
    let series = vec![
        Series { name: "This week".to_owned(), values: now.to_vec() },
        Series { name: "The week before".to_owned(), values: before.to_vec() },
    ];
    Chart::new(style, Format::Count, labels, series).unwrap()
}

fn full() -> Chart {
    week(
        Style::Lines,
        [1690.0, 1812.0, 1921.0, 1877.0, 1744.0, 1602.0, 1834.0].map(Some),
        [1588.0, 1640.0, 1702.0, 1695.0, 1660.0, 1571.0, 1678.0].map(Some),
    )
}

#[test]
fn it_is_twice_as_fine_as_it_is_shown_and_small_enough_for_a_mail() {
    for style in [Style::Lines, Style::Bars] {
        let chart = Chart::new(style, Format::Count, full().labels().to_vec(), full().series().to_vec()).unwrap();
        let picture = Picture::of(&chart, Size::MAIL);
        assert_eq!((picture.width, picture.height), (960, 416));
        assert!(png(&chart, Size::MAIL).len() < 60 << 10, "{}", png(&chart, Size::MAIL).len());
    }
}

#[test]
fn both_series_are_there_in_their_colours_on_white() {
    let picture = Picture::of(&full(), Size::MAIL);
    assert!(picture.count(BLUE) > 2_000 && picture.count(QUIET) > 1_000);
    assert!(picture.count(WHITE) * 5 > picture.pixels.len(), "around the area, which is tinted, it is white");
    assert_eq!(picture.pixels[0], WHITE);
}

#[test]
fn a_gap_is_empty_and_what_is_known_is_not() {
    let some = Some(5.0);
    let gap = [some, some, None, None, None, some, some];
    for style in [Style::Lines, Style::Bars] {
        let picture = Picture::of(&week(style, gap, [None; 7]), Size::MAIL);
        assert!(picture.has(BLUE, 0.05, 0.3) && picture.has(BLUE, 0.75, 1.0), "{style:?}");
        assert!(!picture.has(BLUE, 0.35, 0.7), "{style:?}");
        assert!(!picture.has(QUIET, 0.0, 1.0), "{style:?}: nothing is known of the week before");
    }
}

#[test]
fn the_same_chart_is_the_same_bytes_also_after_it_was_kept_as_json() {
    let kept: Chart = serde_json::from_str(&serde_json::to_string(&full()).unwrap()).unwrap();
    assert_eq!(png(&full(), Size::MAIL), png(&kept, Size::MAIL));
    let other = week(Style::Lines, [Some(1.0); 7], [None; 7]);
    assert_ne!(png(&other, Size::MAIL), png(&full(), Size::MAIL));
}

#[test]
fn it_can_be_drawn_at_any_size_and_of_any_values() {
    for size in [Size { width: 1, height: 1 }, Size { width: 0, height: 900 }, Size { width: 2000, height: 40 }] {
        for values in [[Some(0.0); 7], [Some(1e300); 7], [None; 7], [Some(f64::MIN_POSITIVE); 7]] {
            let chart = week(Style::Bars, values, values);
            assert!(png(&chart, size).starts_with(b"\x89PNG"));
            assert!(chart::svg(&chart, size, "a chart").ends_with("</svg>"));
        }
    }
}
