//! Draws a few charts into a folder, to be looked at: `cargo run -p chart --example gallery -- /tmp/charts`.

use chart::{Chart, Format, Series, Size, Style};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).ok_or("a folder is expected")?);
    std::fs::create_dir_all(&folder)?;
    for (name, chart) in charts()? {
        std::fs::write(folder.join(format!("{name}.png")), chart::png(&chart, Size::MAIL))?;
        std::fs::write(folder.join(format!("{name}.svg")), chart::svg(&chart, Size::MAIL, name))?;
    }
    Ok(())
}

fn charts() -> Result<Vec<(&'static str, Chart)>, chart::ChartError> {
    let week = ["Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22"].map(str::to_owned).to_vec();
    let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}:00")).collect();
    let days: Vec<String> = (0..90).map(|day| format!("{} Nov", day % 30 + 1)).collect();
    let series = |name: &str, values: Vec<Option<f64>>| Series { name: name.to_owned(), values };
    let now = [1690.0, 1812.0, 1921.0, 1877.0, 1744.0, 1602.0, 1834.0].map(Some).to_vec();
    let before = [1588.0, 1640.0, 1702.0, 1695.0, 1660.0, 1571.0, 1678.0].map(Some).to_vec();
    let rate = vec![Some(0.061), Some(0.055), None, Some(0.072), Some(0.081), None, Some(0.048)];
    let wave = |n: u32, high: f64| (f64::from(n) / 4.0).sin().mul_add(high / 3.0, high / 2.0).round();
    let day = |high: f64| (0..24).map(|n| Some(wave(n, high))).collect::<Vec<_>>();
    let kinds = ["Lesson", "Tutor", "Course", "Event"];
    let four = kinds.iter().zip([9.0, 7.0, 4.0, 2.0]).map(|(name, high)| series(name, day(high))).collect();
    Ok(vec![
        (
            "week",
            Chart::new(
                Style::Lines,
                Format::Count,
                week.clone(),
                vec![series("This week", now), series("The week before", before)],
            )?,
        ),
        ("gaps", Chart::new(Style::Lines, Format::Percent, week.clone(), vec![series("Without a result", rate)])?),
        (
            "day",
            Chart::new(
                Style::Bars,
                Format::Count,
                hours.clone(),
                vec![series("Tuesday", day(180.0)), series("Monday", day(150.0))],
            )?,
        ),
        ("kinds", Chart::new(Style::Lines, Format::Decimal, hours, four)?),
        (
            "quarter",
            Chart::new(
                Style::Lines,
                Format::Count,
                days,
                vec![series("Searches", (0..90).map(|n| Some(wave(n, 2.4e6))).collect())],
            )?,
        ),
        ("nothing", Chart::new(Style::Lines, Format::Count, week, vec![series("This week", vec![None; 7])])?),
    ])
}
