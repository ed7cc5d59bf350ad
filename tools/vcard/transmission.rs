//! Between bytes and commands: the class byte, chains, and answers in pieces
//! (ISO/IEC 7816-4 §5.3, §5.4).

use card::{Command, Response, Status};

/// Class bit: more of the chain follows.
const CHAINED: u8 = 0x10;

/// What the class byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// GlobalPlatform's class 8x rather than the interindustry 0x.
    pub(crate) proprietary: bool,
    pub(crate) secured: bool,
    pub(crate) chained: bool,
}

impl Class {
    /// Reads a class byte; refuses what this chip does not have.
    pub(crate) fn parse(cla: u8) -> Result<Self, Status> {
        match cla {
            // First interindustry values and GlobalPlatform's: 000x xxxx and 100x xxxx.
            _ if cla & 0x60 == 0 => {}
            // Further interindustry values: logical channels 4 to 19. FF is no class.
            _ if cla & 0x40 != 0 && cla != 0xFF => return Err(Status::CHANNEL_NOT_SUPPORTED),
            _ => return Err(Status::CLASS_NOT_SUPPORTED),
        }
        if cla & 0x03 != 0 {
            return Err(Status::CHANNEL_NOT_SUPPORTED);
        }
        if cla & 0x08 != 0 {
            return Err(Status::SECURE_MESSAGING_NOT_SUPPORTED);
        }
        Ok(Self {
            proprietary: cla & 0x80 != 0,
            secured: cla & 0x04 != 0,
            chained: cla & CHAINED != 0,
        })
    }
}

/// A chain that is not complete yet.
pub(crate) struct Chain {
    header: [u8; 4],
    data: zeroize::Zeroizing<Vec<u8>>,
}

/// Adds a command to the chain before it. `Ok(None)`: the chain goes on.
pub(crate) fn link(
    chain: &mut Option<Chain>,
    command: Command,
    class: Class,
    limit: usize,
) -> Result<Option<Command>, Status> {
    let whole = command.with_cla_unchained();
    let so_far = match chain.take() {
        Some(earlier) if earlier.header != whole.header() => {
            return Err(Status::LAST_OF_CHAIN_EXPECTED);
        }
        Some(earlier) => earlier.data,
        None => zeroize::Zeroizing::default(),
    };
    if so_far.len() + whole.data().len() > limit {
        return Err(Status::WRONG_LENGTH);
    }
    if !class.chained && so_far.is_empty() {
        return Ok(Some(whole));
    }
    let data = [&so_far[..], whole.data()].concat();
    if class.chained {
        *chain = Some(Chain {
            header: whole.header(),
            data: data.into(),
        });
        return Ok(None);
    }
    Ok(Some(whole.with_data(data)))
}

trait Unchained {
    fn with_cla_unchained(self) -> Self;
}

impl Unchained for Command {
    fn with_cla_unchained(self) -> Self {
        let cla = self.cla() & !CHAINED;
        self.with_cla(cla)
    }
}

/// What is left of an answer.
pub(crate) struct Rest {
    data: Vec<u8>,
    status: Status,
}

/// Cuts an answer to what Le asks for; the rest waits for GET RESPONSE.
/// `correct`: a short Le that is too small is corrected (6Cxx) rather than served in part.
pub(crate) fn deliver(
    rest: &mut Option<Rest>,
    mut data: Vec<u8>,
    status: Status,
    le: Option<u32>,
    correct: bool,
) -> Response {
    let wanted = le.map_or(0, |le| usize::try_from(le).unwrap_or(usize::MAX));
    if data.len() <= wanted || data.is_empty() {
        return Response::new(data, status);
    }
    if correct && wanted > 0 && data.len() <= 256 {
        return Response::new([], Status::new(0x6C00 | short(data.len())));
    }
    let left = data.split_off(wanted);
    let more = Status::new(0x6100 | short(left.len()));
    *rest = Some(Rest { data: left, status });
    Response::new(data, more)
}

/// Answers GET RESPONSE `00C00000 Le`.
pub(crate) fn get_response(rest: &mut Option<Rest>, command: &Command) -> Response {
    let refuse = |status| Response::new([], status);
    let Some(waiting) = rest.take() else {
        return refuse(Status::CONDITIONS_NOT_SATISFIED);
    };
    let Some(le) = command.le().filter(|_| command.data().is_empty()) else {
        return refuse(Status::WRONG_LENGTH);
    };
    if (command.p1(), command.p2()) != (0, 0) {
        return refuse(Status::WRONG_P1_P2);
    }
    let left = waiting.data.len();
    if le != 256 && le < 256 && left < le as usize {
        *rest = Some(waiting);
        return refuse(Status::new(0x6C00 | short(left)));
    }
    deliver(rest, waiting.data, waiting.status, Some(le), false)
}

/// Returns SW2 for so many bytes: 00 for 256 or more.
fn short(length: usize) -> u16 {
    u16::try_from(length).ok().filter(|n| *n < 256).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::unhex;

    fn piece(hex: &str) -> Command {
        Command::parse(&unhex(hex)).unwrap()
    }

    #[test]
    fn classes_that_the_chip_lacks_are_named() {
        let status = |cla| Class::parse(cla).unwrap_err().value();
        assert_eq!(status(0x01), 0x6881);
        assert_eq!(status(0x83), 0x6881);
        assert_eq!(status(0x40), 0x6881);
        assert_eq!(status(0x0C), 0x6882);
        assert_eq!(status(0x08), 0x6882);
        assert_eq!(status(0x20), 0x6E00);
        assert_eq!(status(0xA0), 0x6E00);
        assert_eq!(status(0xFF), 0x6E00);
        for cla in [0x00, 0x04, 0x10, 0x14, 0x80, 0x84, 0x90, 0x94] {
            assert!(Class::parse(cla).is_ok(), "{cla:02X}");
        }
    }

    #[test]
    fn a_chain_is_joined_and_a_stranger_breaks_it() {
        let mut chain = None;
        let mut add = |hex: &str| {
            let command = piece(hex);
            let class = Class::parse(command.cla()).unwrap();
            link(&mut chain, command, class, 6)
        };
        assert_eq!(add("10DB3FFF021122"), Ok(None));
        assert_eq!(add("00DB3FFF013300"), Ok(Some(piece("00DB3FFF0311223300"))));
        assert_eq!(add("10DB3FFF021122"), Ok(None));
        assert_eq!(add("00B0000000"), Err(Status::LAST_OF_CHAIN_EXPECTED));
        assert_eq!(add("00B0000000"), Ok(Some(piece("00B0000000"))));
        assert_eq!(add("10DB3FFF0411223344"), Ok(None));
        assert_eq!(add("00DB3FFF03112233"), Err(Status::WRONG_LENGTH));
    }

    #[test]
    fn long_answers_come_in_pieces() {
        let mut rest = None;
        let data: Vec<u8> = (0..=255).chain(0..50).collect();
        let first = deliver(&mut rest, data.clone(), Status::OK, Some(256), false);
        assert_eq!(
            (first.data(), first.status().value()),
            (&data[..256], 0x6132)
        );
        let wrong = get_response(&mut rest, &piece("00C0000040"));
        assert_eq!(wrong.status().value(), 0x6C32);
        let part = get_response(&mut rest, &piece("00C0000020"));
        assert_eq!((part.data().len(), part.status().value()), (32, 0x6112));
        let last = get_response(&mut rest, &piece("00C0000012"));
        assert_eq!((last.data(), last.status()), (&data[288..], Status::OK));
        let none = get_response(&mut rest, &piece("00C0000012"));
        assert_eq!(none.status(), Status::CONDITIONS_NOT_SATISFIED);
    }

    #[test]
    fn no_le_gets_no_data_yet() {
        let mut rest = None;
        let answer = deliver(&mut rest, vec![1, 2, 3], Status::END_OF_FILE, None, false);
        assert_eq!((answer.data().len(), answer.status().value()), (0, 0x6103));
        let whole = get_response(&mut rest, &piece("00C0000000"));
        assert_eq!(
            (whole.data(), whole.status()),
            (&[1, 2, 3][..], Status::END_OF_FILE)
        );
    }

    #[test]
    fn a_small_le_is_corrected_where_asked() {
        let mut rest = None;
        let answer = deliver(&mut rest, vec![0; 45], Status::OK, Some(4), true);
        assert_eq!(answer.status().value(), 0x6C2D);
        assert!(rest.is_none());
    }
}
