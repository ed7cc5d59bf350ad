//! Many rows by few statements: each statement is a way to a server and back, and its text is kept
//! prepared. So that few texts do for any number of rows, rows go in runs of 64, 32, 16, 8, 4, 2 and 1.

use std::fmt::Write as _;

/// The longest run, in rows.
const LONGEST: usize = 64;

/// Cuts rows into runs, each of a power of two.
pub(crate) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = rows.len().checked_ilog2().map(|power| 1 << power)?;
        let (run, left) = rows.split_at_checked(LONGEST.min(length))?;
        rows = left;
        Some(run)
    })
}

/// Returns `($1, $2), ($3, $4)` for two rows of two columns.
pub(crate) fn tuples(rows: usize, columns: usize) -> String {
    let mut text = String::new();
    for number in 0..rows * columns {
        let before = match (number % columns, number) {
            (0, 0) => "(",
            (0, _) => "), (",
            _ => ", ",
        };
        // Nothing fails that writes into a string.
        let _ = write!(text, "{before}${}", number + 1);
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_powers_of_two() {
        let rows: Vec<_> = (0..203).collect();
        let lengths: Vec<_> = runs(&rows).map(<[_]>::len).collect();
        assert_eq!(lengths, [64, 64, 64, 8, 2, 1]);
        assert_eq!(runs(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(runs::<u8>(&[]).count(), 0);
    }

    #[test]
    fn columns_are_numbered_through() {
        assert_eq!(tuples(1, 1), "($1)");
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
