//! Bytes of which some are not known yet: which, is found by varying what stands for them.

use serde::Serialize;

use crate::explain::stand_in::StandIn;

/// A run of bytes of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// As they will be sent, in hexadecimal.
    Known(String),
    /// What follows from something that is not known yet.
    StandIn {
        /// Its name.
        name: String,
        /// How many bytes, as far as that is known.
        bytes: usize,
    },
    /// A PIN or a key, or what follows from one.
    Secret {
        /// Its name.
        name: String,
        /// How many bytes.
        bytes: usize,
    },
}

/// Which stand-in each byte of something follows from.
pub(super) struct Marks<'a> {
    of: Vec<Option<&'a StandIn>>,
}

impl<'a> Marks<'a> {
    /// Begins with bytes that all are known.
    pub(super) fn new(length: usize) -> Self {
        Self {
            of: vec![None; length],
        }
    }

    /// Notes the bytes that changed when `cause` was varied. A secret goes before what is none.
    pub(super) fn compare(&mut self, base: &[u8], varied: &[u8], cause: &'a StandIn) {
        for (place, mark) in self.of.iter_mut().enumerate() {
            let changed = base.get(place) != varied.get(place);
            let free = mark.is_none_or(|earlier| cause.secret && !earlier.secret);
            if changed && free {
                *mark = Some(cause);
            }
        }
    }

    /// Returns the bytes in pieces.
    pub(super) fn pieces(&self, base: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let marked: Vec<_> = self.of.iter().zip(base).collect();
        for run in marked.chunk_by(|(a, _), (b, _)| name(a) == name(b)) {
            let bytes = run.len();
            pieces.push(match run.first() {
                Some((Some(cause), _)) if cause.secret => Piece::Secret {
                    name: cause.name.clone(),
                    bytes,
                },
                Some((Some(cause), _)) => Piece::StandIn {
                    name: cause.name.clone(),
                    bytes,
                },
                _ => Piece::Known(run.iter().map(|(_, byte)| format!("{byte:02X}")).collect()),
            });
        }
        pieces
    }

    /// Returns the bytes in hexadecimal, `..` for those that are not known.
    pub(super) fn text(&self, base: &[u8]) -> String {
        let bytes = self.of.iter().zip(base);
        bytes
            .map(|(mark, byte)| match mark {
                None => format!("{byte:02X}"),
                Some(_) => "..".to_owned(),
            })
            .collect()
    }
}

fn name<'a>(mark: &&Option<&'a StandIn>) -> Option<&'a str> {
    mark.map(|cause| cause.name.as_str())
}
