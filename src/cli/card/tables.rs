//! Tables as `zimogs card` prints them: a line under the head, none between the rows.

use comfy_table::presets::NOTHING;
use comfy_table::{Table, TableComponent};

/// Returns an empty table with a head.
pub(crate) fn headed<const N: usize>(head: [&str; N]) -> Table {
    let mut table = plain();
    table
        .set_header(head)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─');
    table
}

/// Returns an empty table without a head.
pub(crate) fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table
}
