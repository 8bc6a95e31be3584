//! Weights over time as a drawing: one chart for each split, a line for each variant.

use std::fmt::{self, Write as _};

use engine::plan::SplitPlan;
use engine::policy::Split;

use super::course::{self, Course, shares};

/// Colours that people who see colours differently tell apart, too (Okabe and Ito).
const COLORS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const WIDTH: u32 = 760;
/// The area of the lines.
const LEFT: u32 = 60;
const PLOT_WIDTH: u32 = 560;
const TOP: u32 = 40;
const PLOT_HEIGHT: u32 = 200;
/// A chart with its title and the times below it.
const CHART: u32 = 300;

/// Draws all splits, one below the other. Names are of letters, digits and `._-`, so nothing needs escaping.
pub(super) fn draw(course: &Course) -> String {
    let height = CHART.saturating_mul(u32::try_from(course.splits.len()).unwrap_or(u32::MAX));
    let mut svg = String::new();
    // Writing into a text cannot fail.
    let written = write_svg(course, height, &mut svg);
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    svg
}

fn write_svg(course: &Course, height: u32, svg: &mut String) -> fmt::Result {
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">"#
    )?;
    writeln!(svg, r#"<rect width="100%" height="100%" fill="white"/>"#)?;
    for (index, (split, prepared)) in (0_u32..).zip(&course.splits) {
        writeln!(svg, r#"<g transform="translate(0 {})">"#, index.saturating_mul(CHART))?;
        write_axes(course, &split.name, svg)?;
        write_lines(course, split, prepared, svg)?;
        writeln!(svg, "</g>")?;
    }
    writeln!(svg, "</svg>")
}

fn write_axes(course: &Course, name: &str, svg: &mut String) -> fmt::Result {
    writeln!(svg, r#"<text x="{LEFT}" y="24" font-size="15" font-weight="bold">{name}</text>"#)?;
    let right = LEFT.saturating_add(PLOT_WIDTH);
    for quarter in 0..=4_u32 {
        let share = f64::from(quarter) / 4.0;
        let y = y_of(share);
        writeln!(
            svg,
            r##"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#dddddd"/><text x="{}" y="{:.1}" text-anchor="end">{}%</text>"##,
            LEFT.saturating_sub(8),
            y + 4.0,
            quarter.saturating_mul(25),
        )?;
    }
    for third in 0..=3_u32 {
        let x = f64::from(LEFT) + f64::from(PLOT_WIDTH) * f64::from(third) / 3.0;
        let at = course::moment(moment(course, third, 3)).to_string();
        let (date, time) = at.split_once('T').unwrap_or((&at, ""));
        let bottom = y_of(0.0);
        writeln!(
            svg,
            r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{date}<tspan x="{x:.1}" dy="15">{time}</tspan></text>"#,
            bottom + 18.0,
        )?;
    }
    Ok(())
}

fn write_lines(
    course: &Course,
    split: &Split,
    prepared: &SplitPlan,
    svg: &mut String,
) -> fmt::Result {
    // One point for each unit of width: steps are upright at that, and lines are lines.
    let points: Vec<(u32, Vec<f64>)> =
        (0..=PLOT_WIDTH).map(|x| (x, shares(prepared, moment(course, x, PLOT_WIDTH)))).collect();
    for (index, variant) in split.variants.iter().enumerate() {
        let color = COLORS.iter().cycle().nth(index).copied().unwrap_or("black");
        let share = |(_, shares): &(u32, Vec<f64>)| shares.get(index).copied().unwrap_or_default();
        write!(svg, r#"<polyline fill="none" stroke="{color}" stroke-width="2" points=""#)?;
        let mut before = f64::NAN;
        for (number, point) in points.iter().enumerate() {
            let (x, y) = (LEFT.saturating_add(point.0), y_of(share(point)));
            // A level line needs its ends alone.
            let next = points.get(number.saturating_add(1)).map(|next| y_of(share(next)));
            if y != before || next != Some(y) {
                write!(svg, "{x},{y:.1} ")?;
            }
            before = y;
        }
        writeln!(svg, r#""/>"#)?;
        let y = u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(18).saturating_add(TOP);
        let x = LEFT.saturating_add(PLOT_WIDTH).saturating_add(16);
        writeln!(
            svg,
            r#"<rect x="{x}" y="{y}" width="12" height="12" fill="{color}"/><text x="{}" y="{}">{}</text>"#,
            x.saturating_add(18),
            y.saturating_add(10),
            variant.name,
        )?;
    }
    Ok(())
}

fn y_of(share: f64) -> f64 {
    f64::from(TOP) + f64::from(PLOT_HEIGHT) * (1.0 - share)
}

/// The moment at a part of the way.
fn moment(course: &Course, part: u32, of: u32) -> u64 {
    let span = u128::from(course.to.saturating_sub(course.from));
    let passed = span.saturating_mul(part.into()).checked_div(of.into()).unwrap_or_default();
    course.from.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
}
