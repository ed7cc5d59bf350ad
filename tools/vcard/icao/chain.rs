//! Pieces of one command: the certificate that does not fit into a short one, each piece with
//! secure messaging of its own (ISO/IEC 7816-4 §5.3.3).

use card::Status;
use zeroize::Zeroizing;

use super::document::{Document, PERFORM_SECURITY_OPERATION, Request};

/// Class bit: more of the chain follows.
pub(super) const CHAINED: u8 = 0x10;
/// Longest chain of a certificate, bytes.
const LONGEST: usize = 2048;

/// Pieces so far.
pub(super) struct Chain {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
}

/// What a command is in a chain.
pub(super) enum Joined {
    /// It is none of one.
    Whole,
    /// More follows.
    Piece,
    /// The last one: all data.
    Chain(Zeroizing<Vec<u8>>),
}

impl Document {
    /// Puts the pieces of a certificate together.
    pub(super) fn join(&mut self, request: &Request<'_>) -> Result<Joined, Status> {
        let cla = request.cla & !CHAINED;
        let header = [cla, request.ins, request.p1, request.p2];
        let earlier = self.chain.take();
        if earlier.is_none() && !request.is_chained() {
            return Ok(Joined::Whole);
        }
        if earlier.as_ref().is_some_and(|chain| chain.header != header) {
            return Err(Status::LAST_OF_CHAIN_EXPECTED);
        }
        if request.ins != PERFORM_SECURITY_OPERATION {
            return Err(Status::CHAINING_NOT_SUPPORTED);
        }
        let mut data = earlier.map(|chain| chain.data).unwrap_or_default();
        if data.len() + request.data.len() > LONGEST {
            return Err(Status::WRONG_LENGTH);
        }
        data.extend_from_slice(request.data);
        if request.is_chained() {
            self.chain = Some(Chain { header, data });
            return Ok(Joined::Piece);
        }
        Ok(Joined::Chain(data))
    }
}
