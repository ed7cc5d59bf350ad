//! The rows of a list: one below the other, page by page.

/// Where rows stand, in mm from the upper edge. The layout draws the first of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rows {
    /// The upper edge of the first row of the first page.
    pub(super) top: f32,
    /// The height of a row.
    pub(super) step: f32,
    /// Where they end on a page that others follow.
    pub(super) bottom: f32,
    /// The upper edge of the first row of each further page.
    pub(super) next: f32,
    /// Where they end on the last page.
    pub(super) last: f32,
}

/// The rows of one page: which, and the upper edge of the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) top: f32,
}

impl Rows {
    /// Returns how many rows have room. A hair is added, since heights are sums of decimals.
    pub(super) fn room(&self, top: f32, bottom: f32) -> usize {
        ((bottom - top) / self.step + 0.001).max(0.0) as usize
    }

    /// Divides so many rows among pages: each takes what fits, and the list ends on the first page
    /// on which all that is left stands above what the last page has below.
    pub(super) fn pages(&self, count: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut from = 0;
        loop {
            let top = if runs.is_empty() { self.top } else { self.next };
            if count - from <= self.room(top, self.last) {
                let to = count;
                runs.push(Run { from, to, top });
                return runs;
            }
            let to = count.min(from + self.room(top, self.bottom).max(1));
            runs.push(Run { from, to, top });
            from = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_on_one_page_and_the_last_page_has_room_for_what_is_below() {
        let rows = Rows {
            top: 84.0,
            step: 5.5,
            bottom: 271.0,
            next: 31.0,
            last: 221.0,
        };
        for count in 0..300 {
            let pages = rows.pages(count);
            let mut next = 0;
            for (at, run) in pages.iter().enumerate() {
                assert_eq!(run.from, next);
                next = run.to;
                let is_last = at + 1 == pages.len();
                let bottom = if is_last { rows.last } else { rows.bottom };
                let end = run.top + rows.step * (run.to - run.from) as f32;
                assert!(end <= bottom + 0.01, "{count}: {run:?}");
                assert_eq!(run.top, if at == 0 { rows.top } else { rows.next });
            }
            assert_eq!(next, count);
        }
        assert_eq!(
            [24, 25, 34, 35].map(|count| rows.pages(count).len()),
            [1, 2, 2, 2]
        );
    }
}
