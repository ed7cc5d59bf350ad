//! Between bytes and commands: the class byte, chains, and answers in pieces
//! (ISO/IEC 7816-4 §5.3, §5.4), as far as a product has them.

use card::{Command, Response, Status};
use zeroize::Zeroizing;

/// Class bit: more of the chain follows.
const CHAINED: u8 = 0x10;
/// Most bytes of a short answer.
const SHORT: usize = 256;
/// Most bytes that leave at once where a buffer's length has one byte.
const PIECE: usize = 255;
/// What a chip that is still owed something answers to anything else: 6900.
const NOT_ALLOWED: Status = Status::new(0x6900);

/// How a product's commands and answers travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// Whether it takes extended commands; else they get 6700.
    pub extended: bool,
    /// Which commands may come in a chain.
    pub chaining: Chaining,
    /// What becomes of an answer that does not fit.
    pub excess: Excess,
}

/// Which commands may come in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chaining {
    /// Every one. A stranger in a chain gets 6883, and the chain is forgotten.
    Any,
    /// These instructions; another one with the chaining bit gets 6884. A stranger in a
    /// chain gets 6883, and the chain is forgotten.
    Only(&'static [u8]),
    /// These instructions. Another one gets 6884; one of them that does not belong to the
    /// chain gets 6900. The chain waits for its end, or for a selection.
    Of(&'static [u8]),
    /// None: 6884.
    None,
    /// The applet sees the class bit and joins what it wants to: each piece of a chain may
    /// have secure messaging, or an answer, of its own.
    Applet,
}

/// What becomes of an answer that is longer than Le.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Le bytes leave, the rest waits for GET RESPONSE; another command discards it.
    Kept,
    /// Up to 256 bytes leave whatever Le says (extended: up to Le), the rest waits for GET
    /// RESPONSE with its exact length; another command gets 6900 until it is fetched.
    Owed,
    /// Up to 255 bytes leave at a time, extended or not, and no more than Le, if there is
    /// one; the rest waits for GET RESPONSE with any Le; another command discards it.
    Pieces,
    /// Up to 256 bytes leave whatever Le says (extended: up to Le); there is no GET
    /// RESPONSE, so that more is 6F00.
    Lost,
}

/// The form of a command's length fields (ISO/IEC 7816-4 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Short,
    Extended,
}

impl Form {
    /// Tells the form from a command's bytes: an extended Lc or Le begins with 00.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [_, _, _, _, 0, _, _, ..] => Self::Extended,
            _ => Self::Short,
        }
    }
}

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

/// Reads a class byte for an applet, which sees it: only what no applet of a card without
/// logical channels gets is refused. Returns whether more of a chain follows.
pub(crate) fn applet_class(cla: u8) -> Result<bool, Status> {
    match cla {
        // Reserved, and no class at all.
        0x20..=0x3F | 0xFF => return Err(Status::CLASS_NOT_SUPPORTED),
        // Logical channels 4 to 19.
        _ if cla & 0x40 != 0 => return Err(Status::CHANNEL_NOT_SUPPORTED),
        // Applets' own classes.
        0xA0..=0xBF => return Ok(false),
        _ => {}
    }
    if cla & 0x03 != 0 {
        return Err(Status::CHANNEL_NOT_SUPPORTED);
    }
    Ok(cla & CHAINED != 0)
}

/// A chain that is not complete yet.
struct Chain {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
}

/// What is left of an answer.
struct Rest {
    data: Vec<u8>,
    status: Status,
}

/// A chip's line: chains that come in, answers that leave in pieces.
pub(crate) struct Line {
    rules: Transmission,
    /// Longest command data, joined.
    limit: usize,
    chain: Option<Chain>,
    rest: Option<Rest>,
}

impl Line {
    pub(crate) fn new(rules: Transmission, limit: usize) -> Self {
        Self {
            rules,
            limit,
            chain: None,
            rest: None,
        }
    }

    /// Forgets what is under way.
    pub(crate) fn clear(&mut self) {
        self.chain = None;
        self.rest = None;
    }

    /// Says whether part of an answer waits for GET RESPONSE.
    pub(crate) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Another command than GET RESPONSE comes: the rest is discarded, or insisted on.
    fn move_on(&mut self) -> Result<(), Status> {
        if self.rest.is_some() && self.rules.excess == Excess::Owed {
            return Err(NOT_ALLOWED);
        }
        self.rest = None;
        Ok(())
    }

    /// A command was refused before anybody saw it: it discards the rest all the same, but
    /// not one that is insisted on.
    pub(crate) fn pass_over(&mut self) {
        let _ = self.move_on();
    }

    /// Refuses a form that the product does not take.
    pub(crate) fn accept(&self, form: Form) -> Result<(), Status> {
        if form == Form::Extended && !self.rules.extended {
            return Err(Status::WRONG_LENGTH);
        }
        Ok(())
    }

    /// Adds a command to the chain before it; it discards what waits of an answer, or is
    /// refused for it. `Ok(None)`: the chain goes on.
    pub(crate) fn link(
        &mut self,
        command: Command,
        chained: bool,
    ) -> Result<Option<Command>, Status> {
        if self.rules.chaining == Chaining::Applet {
            self.move_on()?;
            return Ok(Some(command));
        }
        let cla = if chained {
            command.cla() & !CHAINED
        } else {
            command.cla()
        };
        let whole = command.with_cla(cla);
        self.belongs(&whole, chained)?;
        self.move_on()?;
        let so_far = self.chain.take().map(|earlier| earlier.data);
        let so_far = so_far.unwrap_or_default();
        if so_far.len() + whole.data().len() > self.limit {
            return Err(Status::WRONG_LENGTH);
        }
        if !chained && so_far.is_empty() {
            return Ok(Some(whole));
        }
        let data = [&so_far[..], whole.data()].concat();
        if chained {
            self.chain = Some(Chain {
                header: whole.header(),
                data: data.into(),
            });
            return Ok(None);
        }
        Ok(Some(whole.with_data(data)))
    }

    /// Wants a command to be one that may come in a chain, where it is in one, and to belong
    /// to the chain that is under way.
    fn belongs(&mut self, whole: &Command, chained: bool) -> Result<(), Status> {
        let earlier = self.chain.as_ref().map(|chain| chain.header);
        if !chained && earlier.is_none() {
            return Ok(());
        }
        let stranger = earlier.is_some_and(|header| header != whole.header());
        match self.rules.chaining {
            Chaining::Any | Chaining::Only(_) if stranger => {
                self.chain = None;
                Err(Status::LAST_OF_CHAIN_EXPECTED)
            }
            Chaining::Any => Ok(()),
            Chaining::Only(known) | Chaining::Of(known) if known.contains(&whole.ins()) => {
                if stranger {
                    Err(NOT_ALLOWED)
                } else {
                    Ok(())
                }
            }
            Chaining::Only(_) | Chaining::Of(_) | Chaining::None | Chaining::Applet => {
                Err(Status::CHAINING_NOT_SUPPORTED)
            }
        }
    }

    /// Cuts an answer to what may leave at once; the rest waits for GET RESPONSE.
    /// `correct`: a short Le that is too small is corrected (6Cxx) rather than served in part.
    pub(crate) fn deliver(
        &mut self,
        mut data: Vec<u8>,
        status: Status,
        le: Option<u32>,
        correct: bool,
    ) -> Response {
        let asked = le.map_or(0, |le| usize::try_from(le).unwrap_or(usize::MAX));
        let wanted = match self.rules.excess {
            Excess::Kept => asked,
            Excess::Pieces if asked == 0 => PIECE,
            Excess::Pieces => asked.min(PIECE),
            Excess::Owed | Excess::Lost => asked.max(SHORT),
        };
        if data.len() <= wanted || data.is_empty() {
            return Response::new(data, status);
        }
        if self.rules.excess == Excess::Lost {
            return Response::new([], Status::UNKNOWN);
        }
        if correct && wanted > 0 && data.len() <= SHORT {
            return Response::new([], Status::new(0x6C00 | short(data.len())));
        }
        let left = data.split_off(wanted);
        let more = Status::new(0x6100 | short(left.len()));
        self.rest = Some(Rest { data: left, status });
        Response::new(data, more)
    }

    /// Answers GET RESPONSE `00C00000 Le`.
    pub(crate) fn get_response(&mut self, command: &Command) -> Response {
        let refuse = |status| Response::new([], status);
        let Some(waiting) = self.rest.take() else {
            return refuse(Status::CONDITIONS_NOT_SATISFIED);
        };
        let left = waiting.data.len();
        let next = left.min(SHORT);
        if self.rules.excess == Excess::Owed && command.le() != u32::try_from(next).ok() {
            self.rest = Some(waiting);
            return refuse(Status::new(0x6C00 | short(next)));
        }
        let Some(le) = command.le().filter(|_| command.data().is_empty()) else {
            return refuse(Status::WRONG_LENGTH);
        };
        if (command.p1(), command.p2()) != (0, 0) {
            return refuse(Status::WRONG_P1_P2);
        }
        let exact = self.rules.excess != Excess::Pieces;
        if exact && le < 256 && left < le as usize {
            self.rest = Some(waiting);
            return refuse(Status::new(0x6C00 | short(left)));
        }
        self.deliver(waiting.data, waiting.status, Some(le), false)
    }
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

    const KEPT: Transmission = Transmission {
        extended: true,
        chaining: Chaining::Any,
        excess: Excess::Kept,
    };

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
        let mut line = Line::new(KEPT, 6);
        let mut add = |hex: &str| {
            let command = piece(hex);
            let chained = Class::parse(command.cla()).unwrap().chained;
            line.link(command, chained)
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
    fn a_stranger_frees_the_line_of_few_instructions() {
        let rules = Transmission {
            chaining: Chaining::Only(&[0x87, 0xDB]),
            ..KEPT
        };
        let mut line = Line::new(rules, 600);
        for stranger in ["00CB3FFF00", "0087119A021122", "10DB3FFE021122"] {
            assert_eq!(line.link(piece("10DB3FFF021122"), true), Ok(None));
            let chained = stranger.starts_with('1');
            let refused = line.link(piece(stranger), chained);
            assert_eq!(refused, Err(Status::LAST_OF_CHAIN_EXPECTED), "{stranger}");
            let next = line.link(piece("00CB3FFF00"), false);
            assert_eq!(next, Ok(Some(piece("00CB3FFF00"))));
        }
        let refused = line.link(piece("10CB3FFF021122"), true);
        assert_eq!(refused, Err(Status::CHAINING_NOT_SUPPORTED));
    }

    #[test]
    fn a_piece_of_a_chain_discards_the_rest_or_is_refused_for_it() {
        let mut line = Line::new(KEPT, 600);
        line.deliver(vec![0; 300], Status::OK, Some(256), false);
        assert_eq!(line.link(piece("10DB3FFF021122"), true), Ok(None));
        assert!(!line.has_rest());
        let owed = Transmission {
            extended: false,
            chaining: Chaining::Of(&[0x2A]),
            excess: Excess::Owed,
        };
        let mut line = Line::new(owed, 600);
        line.deliver(vec![0; 279], Status::OK, Some(1), false);
        let refused = line.link(piece("10DB3FFF021122"), true);
        assert_eq!(refused, Err(Status::CHAINING_NOT_SUPPORTED));
        let refused = line.link(piece("102A9E9A021122"), true);
        assert_eq!(refused, Err(NOT_ALLOWED));
        line.get_response(&piece("00C0000017"));
        let whole = line.link(piece("002A9E9A0133"), false);
        assert_eq!(whole, Ok(Some(piece("002A9E9A0133"))));
    }

    #[test]
    fn long_answers_come_in_pieces() {
        let mut line = Line::new(KEPT, 6);
        let data: Vec<u8> = (0..=255).chain(0..50).collect();
        let first = line.deliver(data.clone(), Status::OK, Some(256), false);
        assert_eq!(
            (first.data(), first.status().value()),
            (&data[..256], 0x6132)
        );
        let wrong = line.get_response(&piece("00C0000040"));
        assert_eq!(wrong.status().value(), 0x6C32);
        let part = line.get_response(&piece("00C0000020"));
        assert_eq!((part.data().len(), part.status().value()), (32, 0x6112));
        let last = line.get_response(&piece("00C0000012"));
        assert_eq!((last.data(), last.status()), (&data[288..], Status::OK));
        let none = line.get_response(&piece("00C0000012"));
        assert_eq!(none.status(), Status::CONDITIONS_NOT_SATISFIED);
    }

    #[test]
    fn no_le_gets_no_data_yet() {
        let mut line = Line::new(KEPT, 6);
        let answer = line.deliver(vec![1, 2, 3], Status::END_OF_FILE, None, false);
        assert_eq!((answer.data().len(), answer.status().value()), (0, 0x6103));
        let whole = line.get_response(&piece("00C0000000"));
        assert_eq!(
            (whole.data(), whole.status()),
            (&[1, 2, 3][..], Status::END_OF_FILE)
        );
    }

    #[test]
    fn a_small_le_is_corrected_where_asked() {
        let mut line = Line::new(KEPT, 6);
        let answer = line.deliver(vec![0; 45], Status::OK, Some(4), true);
        assert_eq!(answer.status().value(), 0x6C2D);
        assert!(!line.has_rest());
    }

    #[test]
    fn an_owed_answer_is_insisted_on() {
        let rules = Transmission {
            extended: false,
            chaining: Chaining::Of(&[0x46]),
            excess: Excess::Owed,
        };
        let mut line = Line::new(rules, 600);
        let first = line.deliver(vec![7; 279], Status::OK, Some(1), false);
        assert_eq!((first.data().len(), first.status().value()), (256, 0x6117));
        assert_eq!(line.move_on(), Err(NOT_ALLOWED));
        let wrong = line.get_response(&piece("00C0000000"));
        assert_eq!(wrong.status().value(), 0x6C17);
        let last = line.get_response(&piece("00C0000017"));
        assert_eq!((last.data().len(), last.status()), (23, Status::OK));
        assert_eq!(line.move_on(), Ok(()));
        assert_eq!(line.accept(Form::Extended), Err(Status::WRONG_LENGTH));
    }

    #[test]
    fn a_chain_of_few_instructions_waits_for_its_end() {
        let rules = Transmission {
            chaining: Chaining::Of(&[0x46, 0xDB]),
            ..KEPT
        };
        let mut line = Line::new(rules, 600);
        let refused = line.link(piece("10D60000021122"), true);
        assert_eq!(refused, Err(Status::CHAINING_NOT_SUPPORTED));
        assert_eq!(line.link(piece("10460000021122"), true), Ok(None));
        let refused = line.link(piece("00DB3FFF021122"), false);
        assert_eq!(refused, Err(NOT_ALLOWED));
        let whole = line.link(piece("004600000133"), false);
        assert_eq!(whole, Ok(Some(piece("0046000003112233"))));
        let lost = Transmission {
            excess: Excess::Lost,
            chaining: Chaining::None,
            ..KEPT
        };
        let mut line = Line::new(lost, 600);
        let answer = line.deliver(vec![0; 279], Status::OK, Some(256), false);
        assert_eq!(answer.status(), Status::UNKNOWN);
        let answer = line.deliver(vec![0; 279], Status::OK, Some(65_536), false);
        assert_eq!(answer.data().len(), 279);
    }
}
