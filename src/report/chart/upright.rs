//! Panels whose bars stand.

use super::svg::{self, Svg};
use super::{Panel, WIDTH, head, scaled, steps, width};
use crate::table::grouped;

/// From the left edge to the bars.
const LEFT: u32 = 84;
/// From the bars to the right edge.
const RIGHT: u32 = 24;
/// How high the highest bar may be.
const HEIGHT: u32 = 150;
/// From a panel's top to the highest bar: its title, and a value that goes upwards.
const HEAD: u32 = 66;
/// From the bars' foot to the next panel: their names.
const FOOT: u32 = 54;
/// The widest bar.
const WIDEST: u32 = 56;
/// The narrowest bar that a value stands at.
const READABLE: u32 = 11;

/// Draws a panel, and returns where the next one begins.
pub(super) fn draw(drawn: &mut Svg, panel: &Panel, top: u32) -> u32 {
    head(drawn, panel, top);
    let foot = top + HEAD + HEIGHT;
    let steps = steps(panel.largest());
    let most = steps.last().copied().unwrap_or(1);
    for step in &steps {
        let y = foot * 10 - scaled(*step, most, HEIGHT);
        let colour = if *step == 0 { "#52606d" } else { "#dfe5eb" };
        drawn.line(colour, 1, (LEFT * 10, y), ((WIDTH - RIGHT) * 10, y));
        drawn.text(svg::STEP, LEFT - 8, y / 10 + 4, &grouped(*step));
    }
    let categories = u32::try_from(panel.categories.len())
        .unwrap_or(u32::MAX)
        .max(1);
    let series = u32::try_from(panel.series.len()).unwrap_or(1).max(1);
    // In tenths of a unit.
    let slot = (WIDTH - LEFT - RIGHT) * 10 / categories;
    let bar = (slot * 8 / 10 / series).clamp(1, WIDEST * 10);
    let longest = panel.categories.iter().map(|name| width(name, 12)).max();
    let every = (longest.unwrap_or(0) + 8)
        .div_ceil((slot / 10).max(1))
        .max(1);
    let mut x = LEFT * 10;
    for (place, category) in panel.categories.iter().enumerate() {
        let first = x + slot.saturating_sub(bar * series) / 2;
        for (at, series, value) in panel.bars(place) {
            let left = first + bar * u32::try_from(at).unwrap_or(0);
            let height = scaled(value, most, HEIGHT);
            let says = format!("{category}: {} {}", series.name, grouped(value));
            drawn.bar(
                series.style,
                (left, foot * 10 - height),
                (bar * 94 / 100, height),
                Some(&says),
            );
            let (middle, above) = (left + bar / 2, foot * 10 - height);
            let shown = grouped(value);
            if value == 0 && panel.series.len() == 1 && panel.categories.len() > 8 {
                // A distribution has many empty places.
            } else if width(&shown, 11) * 10 <= bar {
                drawn.text(svg::VALUE, middle / 10, above / 10 - 5, &shown);
            } else if bar >= READABLE * 10 {
                drawn.upwards(svg::VALUE, middle + 40, above - 50, &shown);
            }
        }
        if u32::try_from(place).unwrap_or(0).is_multiple_of(every) {
            drawn.text(svg::CENTRED, (x + slot / 2) / 10, foot + 18, category);
        }
        x += slot;
        if let Some(mark) = panel.mark.as_ref().filter(|mark| mark.after == place) {
            drawn.line("#9c3d10", 2, (x, (foot - HEIGHT - 14) * 10), (x, foot * 10));
            drawn.text(svg::MARK, x / 10 + 6, foot - HEIGHT - 4, &mark.label);
        }
    }
    if let Some(axis) = &panel.axis {
        drawn.text(svg::AXIS, (LEFT + WIDTH - RIGHT) / 2, foot + 36, axis);
    }
    foot + FOOT
}
