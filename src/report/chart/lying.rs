//! Panels whose bars lie: their names are long.

use super::svg::{self, Svg};
use super::{Panel, WIDTH, head, scaled, shortened};
use crate::table::grouped;

/// From the left edge to the bars.
const LEFT: u32 = 350;
/// From the longest bar to the right edge: its value.
const RIGHT: u32 = 110;
/// How high a bar is.
const BAR: u32 = 16;
/// Between two categories.
const GAP: u32 = 10;
/// From a panel's top to the first bar.
const HEAD: u32 = 34;

/// Draws a panel, and returns where the next one begins.
pub(super) fn draw(drawn: &mut Svg, panel: &Panel, top: u32) -> u32 {
    head(drawn, panel, top);
    let most = panel.largest();
    let mut y = top + HEAD;
    let begin = y;
    for (place, category) in panel.categories.iter().enumerate() {
        let height = BAR * u32::try_from(panel.series.len()).unwrap_or(1);
        drawn.text(
            svg::ENDING,
            LEFT - 10,
            y + height / 2 + 4,
            &shortened(category),
        );
        for (at, series, value) in panel.bars(place) {
            let above = y + BAR * u32::try_from(at).unwrap_or(0);
            let length = scaled(value, most, WIDTH - LEFT - RIGHT);
            let says = format!("{category}: {} {}", series.name, grouped(value));
            drawn.bar(
                series.style,
                (LEFT * 10, above * 10),
                (length, BAR * 10 - 15),
                Some(&says),
            );
            let beside = LEFT + length / 10 + 6;
            drawn.text(svg::BESIDE, beside, above + 12, &grouped(value));
        }
        y += height + GAP;
    }
    drawn.line("#52606d", 1, (LEFT * 10, begin * 10), (LEFT * 10, y * 10));
    y + 24
}
