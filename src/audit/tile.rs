//! The names of the files that a log is published as (*C2SP tlog-tiles*).

use std::{fmt, str::FromStr};

use crate::{Hash, decimal, tree::MAX_SIZE};

/// The hashes of a full tile, and the entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Each level of tiles covers eight levels of the tree.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// Eight levels of tiles hold every tree up to the limit of 2^62 entries.
const LEVELS: u8 = 8;
/// The path of the signed checkpoint in a published log.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// What a published file of a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Entries, each with its length before it (two bytes, big-endian).
    Entries,
    /// Tree hashes. At level 0 they are leaf hashes; at each level above, a hash stands for a full
    /// tile of the level below.
    Hashes {
        /// The level, 0 to 7.
        level: u8,
    },
}

/// One published file of a log, full or partial. Displays and parses as its path:
/// `tile/0/x001/067`, `tile/1/000.p/17`, `tile/entries/003`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its position among its kind, from 0.
    pub index: u64,
    /// The number of its hashes or entries, 1 to 256. Below 256 the tile is partial.
    pub width: u16,
}

/// Says that a path names no file of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path names no tile: tile/LEVEL/INDEX or tile/entries/INDEX, as x001/234 and .p/WIDTH")]
pub struct TilePathError;

impl Tile {
    pub(crate) const fn entries(index: u64, width: u16) -> Self {
        Self {
            kind: TileKind::Entries,
            index,
            width,
        }
    }

    pub(crate) const fn hashes(level: u8, index: u64, width: u16) -> Self {
        Self {
            kind: TileKind::Hashes { level },
            index,
            width,
        }
    }

    /// Lists the partial tiles of hashes of a log of `size` entries, from the highest level, that
    /// is, from left to right along the tree's right edge. Together they are the whole tree.
    pub(crate) fn edge(size: u64) -> Vec<Self> {
        (0..LEVELS)
            .rev()
            .filter_map(|level| {
                let hashes = size >> (TILE_HEIGHT * level);
                let width = (hashes % u64::from(TILE_WIDTH)) as u16;
                (width != 0).then(|| Self::hashes(level, hashes >> TILE_HEIGHT, width))
            })
            .collect()
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries")?,
            TileKind::Hashes { level } => write!(f, "tile/{level}")?,
        }
        // Groups of three digits keep folders small; the x keeps a folder from being a file too.
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        while let Some(group) = groups.pop() {
            let mark = if groups.is_empty() { "" } else { "x" };
            write!(f, "/{mark}{group:03}")?;
        }
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let parse = || {
            let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let kind = match kind {
                "entries" => TileKind::Entries,
                level => TileKind::Hashes {
                    level: u8::try_from(decimal::parse(level)?).ok()?,
                },
            };
            let (groups, width) = match rest.split_once(".p/") {
                Some((groups, width)) => (groups, u16::try_from(decimal::parse(width)?).ok()?),
                None => (rest, TILE_WIDTH),
            };
            let mut index: u64 = 0;
            for group in groups.split('/') {
                let digits = group.strip_prefix('x').unwrap_or(group);
                if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
            }
            Some(Self { kind, index, width })
        };
        // Printing it again settles everything that is a matter of spelling: where the x stands,
        // leading groups of zeros, a width of 256.
        parse()
            .filter(|tile: &Self| tile.width > 0 && tile.index <= MAX_SIZE)
            .filter(|tile| !matches!(tile.kind, TileKind::Hashes { level: LEVELS.. }))
            .filter(|tile| tile.to_string() == path)
            .ok_or(TilePathError)
    }
}

/// Folds the hashes of a full tile into the hash that stands for it one level above.
pub(crate) fn full_tile_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let pairs = row.chunks_exact(2);
        row = pairs
            .filter_map(|pair| match pair {
                [left, right] => Some(Hash::of_node(left, right)),
                _ => None,
            })
            .collect();
    }
    row.first().copied().unwrap_or(Hash::EMPTY_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let print = |tile: Tile| tile.to_string();
        let index = 1_234_067;
        assert_eq!(print(Tile::hashes(0, index, 256)), "tile/0/x001/x234/067");
        assert_eq!(print(Tile::hashes(2, 0, 1)), "tile/2/000.p/1");
        assert_eq!(print(Tile::entries(999, 256)), "tile/entries/999");
        assert_eq!(print(Tile::entries(1000, 7)), "tile/entries/x001/000.p/7");
        let big = Tile::hashes(0, MAX_SIZE, 256);
        for tile in [Tile::hashes(7, index, 255), Tile::entries(5, 256), big] {
            assert_eq!(print(tile).parse(), Ok(tile));
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for bad in [
            "",
            "checkpoint",
            "tile/0",
            "tile/8/000",
            "tile/00/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/entries/../000",
            "/tile/0/000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(bad.parse::<Tile>(), Err(TilePathError), "{bad}");
        }
    }

    #[test]
    fn the_edge_of_70_000_entries_is_that_of_the_specification() {
        let edge = [
            Tile::hashes(2, 0, 1),
            Tile::hashes(1, 1, 17),
            Tile::hashes(0, 273, 112),
        ];
        assert_eq!(Tile::edge(70_000), edge);
        assert_eq!(Tile::edge(256), [Tile::hashes(1, 0, 1)]);
        assert_eq!(Tile::edge(0), []);
        assert_eq!(Tile::edge(MAX_SIZE), [Tile::hashes(7, 0, 64)]);
    }
}
