//! What is hidden in a trace.

use super::Veiled;

/// Which bytes a rule hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The data field of the command.
    Command,
    /// The data field of the answer.
    Response,
    /// Both.
    Both,
}

/// Hides the data of the commands whose header fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// CLA INS P1 P2 of the command.
    pub header: [u8; 4],
    /// Which bits of the header must fit: a byte `FF` must be the same, `00` may be any.
    pub mask: [u8; 4],
    /// What is hidden.
    pub side: Side,
}

impl Rule {
    const fn new(header: [u8; 4], mask: [u8; 4], side: Side) -> Self {
        Self { header, mask, side }
    }

    fn fits(&self, command: &[u8]) -> bool {
        let header = self.header.iter().zip(&self.mask);
        // A command cut short fits as far as it goes: rather too much is hidden.
        header
            .zip(command)
            .all(|((header, mask), byte)| (header ^ byte) & mask == 0)
    }

    fn hides(&self, response: bool) -> bool {
        match self.side {
            Side::Command => !response,
            Side::Response => response,
            Side::Both => true,
        }
    }
}

/// The instructions whose data are secret by what they are. Class bits for chaining, secure
/// messaging and logical channels never matter; a bit of the class is compared only where
/// the instruction means something else in the other kind of class.
const SECRETS: &[Rule] = &[
    // VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, and DISABLE and ENABLE
    // VERIFICATION REQUIREMENT, in both forms (ISO/IEC 7816-4 §11.6).
    Rule::new([0, 0x20, 0, 0], [0, 0xFE, 0, 0], Side::Command),
    Rule::new([0, 0x24, 0, 0], [0, 0xFE, 0, 0], Side::Command),
    Rule::new([0, 0x26, 0, 0], [0, 0xFE, 0, 0], Side::Command),
    Rule::new([0, 0x28, 0, 0], [0, 0xFE, 0, 0], Side::Command),
    Rule::new([0, 0x2C, 0, 0], [0, 0xFE, 0, 0], Side::Command),
    // ENVELOPE holds a whole command.
    Rule::new([0, 0xC2, 0, 0], [0, 0xFE, 0, 0], Side::Both),
    // PUT DATA of an OpenPGP card's resetting code and AES key.
    Rule::new(
        [0, 0xDA, 0x00, 0xD3],
        [0x80, 0xFF, 0xFF, 0xFF],
        Side::Command,
    ),
    Rule::new(
        [0, 0xDA, 0x00, 0xD5],
        [0x80, 0xFF, 0xFF, 0xFF],
        Side::Command,
    ),
    // PUT KEY (GP Card Specification §11.8).
    Rule::new([0x80, 0xD8, 0, 0], [0x80, 0xFF, 0, 0], Side::Command),
    // PERFORM SECURITY OPERATION: DECIPHER answers plain data (ISO/IEC 7816-8 §5.6).
    Rule::new([0, 0x2A, 0x80, 0], [0, 0xFE, 0xFF, 0], Side::Response),
    // GENERAL AUTHENTICATE with a PIV key management key, 9D or a retired one (82 to 95),
    // answers a shared secret or a decrypted key (SP 800-73-4 part 2 §3.2.4).
    Rule::new([0, 0x86, 0, 0x9D], [0x80, 0xFE, 0, 0xFF], Side::Response),
    Rule::new([0, 0x86, 0, 0x80], [0x80, 0xFE, 0, 0xF0], Side::Response),
    Rule::new([0, 0x86, 0, 0x90], [0x80, 0xFE, 0, 0xF8], Side::Response),
    // SET MANAGEMENT KEY and IMPORT ASYMMETRIC KEY, which PIV cards add to the standard.
    Rule::new([0, 0xFF, 0, 0], [0x80, 0xFF, 0, 0], Side::Command),
    Rule::new([0, 0xFE, 0, 0], [0x80, 0xFF, 0, 0], Side::Command),
];

/// PUT DATA under the file that is selected: of an object, which a tag list names first, or of
/// a key that is imported, in whatever template the card has for that (*ISO/IEC 7816-4
/// §11.4.3*).
const PUT_DATA: Rule = Rule::new([0, 0xDB, 0x3F, 0xFF], [0, 0xFF, 0xFF, 0xFF], Side::Command);
/// The tag of a tag list.
const TAG_LIST: u8 = 0x5C;
/// CLA bit of a chain that goes on (*ISO/IEC 7816-4 §5.4.1*).
const CHAINED: u8 = 0x10;
/// INS of GET RESPONSE.
const GET_RESPONSE: u8 = 0xC0;

/// Decides which bytes of a session are hidden. Headers, length fields and status words
/// are always shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veil {
    rules: Vec<Rule>,
    /// Whether keys that PUT DATA imports are hidden.
    hides_imports: bool,
    /// Whether the piece of a PUT DATA whose answer is awaited was shown.
    piece: Option<bool>,
    /// Whether the chain that the card awaits more of is shown.
    chain: Option<bool>,
    /// Whether the command that GET RESPONSE belongs to has a secret answer.
    fetching_secret: bool,
}

impl Default for Veil {
    /// Hides what is secret by its instruction: PINs, keys, deciphered data.
    fn default() -> Self {
        Self {
            hides_imports: true,
            ..Self::of(SECRETS.to_vec())
        }
    }
}

impl Veil {
    fn of(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            hides_imports: false,
            piece: None,
            chain: None,
            fetching_secret: false,
        }
    }

    /// Hides every data field, of commands and answers.
    pub fn everything() -> Self {
        Self::of(vec![Rule::new([0; 4], [0; 4], Side::Both)])
    }

    /// Hides nothing: for cards with throw-away secrets only.
    pub fn nothing() -> Self {
        Self::of(Vec::new())
    }

    /// Adds what else is secret on a certain chip.
    #[must_use]
    pub fn with(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    fn hides(&self, command: &[u8], response: bool) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.hides(response) && rule.fits(command))
    }

    /// Says whether a command imports a key, or a piece of one. The pieces of a chain are what
    /// its first one is, as long as the card takes them.
    fn imports(&mut self, command: &[u8]) -> bool {
        let chain = self.chain.take();
        self.piece = None;
        if !self.hides_imports || !PUT_DATA.fits(command) {
            return false;
        }
        let (before, data) = data_field(command);
        let names = || before > 4 && data > 0 && command.get(before) == Some(&TAG_LIST);
        let shown = chain.unwrap_or_else(names);
        if command.first().is_some_and(|cla| cla & CHAINED != 0) {
            self.piece = Some(shown);
        }
        !shown
    }

    /// Returns a command as it may be shown. Of a malformed one that is to be hidden,
    /// everything behind the header is. Every command of a session must pass here in its order.
    pub fn command(&mut self, command: &[u8]) -> Veiled {
        if !self.imports(command) && !self.hides(command, false) {
            return Veiled::clear(command);
        }
        let (before, hidden) = data_field(command);
        let mut veiled = Veiled::clear(command.get(..before).unwrap_or_default());
        veiled.hide(hidden);
        veiled.show(command.get(before + hidden..).unwrap_or_default());
        veiled
    }

    /// Returns the answer to `command` as it may be shown. The answers to GET RESPONSE are
    /// shown as those of the command before them, so every answer of a session must pass
    /// here in its order.
    pub fn response(&mut self, command: &[u8], response: &[u8]) -> Veiled {
        let piece = self.piece.take();
        self.chain = piece.filter(|_| response == [0x90, 0x00]);
        if command.get(1) != Some(&GET_RESPONSE) {
            self.fetching_secret = self.hides(command, true);
        } else if self.hides(command, true) {
            self.fetching_secret = true;
        }
        if !self.fetching_secret {
            return Veiled::clear(response);
        }
        let data = response.len().saturating_sub(2);
        let mut veiled = Veiled::default();
        veiled.hide(data);
        veiled.show(response.get(data..).unwrap_or_default());
        veiled
    }
}

/// Returns where the data field of a command begins and how long it is; everything behind
/// the header where the length fields lie (*ISO/IEC 7816-4 §5.2*).
fn data_field(command: &[u8]) -> (usize, usize) {
    let length = command.len();
    let whole = (length.min(4), length.saturating_sub(4));
    let (before, data, le) = match *command {
        // Cases 1, 2S and 2E have no data.
        [_, _, _, _] | [_, _, _, _, _] | [_, _, _, _, 0, _, _] => return (length, 0),
        [_, _, _, _, 0, high, low, ..] => (7, usize::from(u16::from_be_bytes([high, low])), 2),
        [_, _, _, _, lc, ..] => (5, usize::from(lc), 1),
        _ => return whole,
    };
    let end = before + data;
    if data > 0 && (end == length || end + le == length) {
        (before, data)
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Command;

    fn shown(command: &str) -> String {
        let command = hex::decode(command).unwrap();
        Veil::default().command(&command).to_string()
    }

    #[test]
    fn secrets_are_hidden_by_their_instruction() {
        for (command, expected) in [
            ("002000010831323334FFFFFFFF", "0020000108 [8]"),
            ("0020000108313233343132333400", "0020000108 [8] 00"),
            ("00200001", "00200001"),
            ("0020000100", "0020000100"),
            ("0C20000103AABBCC00", "0c20000103 [3] 00"),
            ("1024010102AABB", "1024010102 [2]"),
            ("00240001000002AABB", "00240001000002 [2]"),
            ("00240001000002AABB0000", "00240001000002 [2] 0000"),
            ("002C008002AABB", "002c008002 [2]"),
            ("80D8008102AABB00", "80d8008102 [2] 00"),
            ("84D8008102AABB00", "84d8008102 [2] 00"),
            ("00D8008102AABB00", "00d8008102aabb00"),
            ("00FFFFFF02AABB", "00ffffff02 [2]"),
            ("00FE079A02AABB", "00fe079a02 [2]"),
            // Keys of IsoApplet, GIDS and OpenPGP cards; and objects.
            ("00DB3FFF024D00", "00db3fff02 [2]"),
            ("00DB3FFF02700000", "00db3fff02 [2] 00"),
            ("00DB3FFF0000024D00", "00db3fff000002 [2]"),
            ("0CDB3FFF02AABB", "0cdb3fff02 [2]"),
            ("00DB3FFF035C0153", "00db3fff035c0153"),
            ("00DB3FFF095C0153", "00db3fff [4]"),
            ("00DA00D302AABB", "00da00d302 [2]"),
            ("00DA00D502AABB", "00da00d502 [2]"),
            ("00DA005E02AABB", "00da005e02aabb"),
            // An Lc that lies hides all that follows.
            ("0020000109AABB", "00200001 [3]"),
            ("002000010000", "00200001 [2]"),
            ("002000", "002000"),
            // A challenge's answer is no secret.
            ("0082000002AABB", "0082000002aabb"),
        ] {
            assert_eq!(shown(command), expected);
        }
    }

    #[test]
    fn the_pieces_of_a_chain_are_what_its_first_one_is() {
        let object = ["10DB3FFF025C01", "10DB3FFF024D00", "00DB3FFF01AA"];
        let key = ["10DB3FFF024D00", "10DB3FFF025C01", "00DB3FFF015C"];
        let play = |pieces: [&str; 3], answers: [&[u8]; 3]| -> Vec<bool> {
            let mut veil = Veil::default();
            let see = |(piece, answer): (&str, &[u8])| {
                let piece = hex::decode(piece).unwrap();
                let is_shown = veil.command(&piece).known().is_some();
                // Nothing comes back where the answer is empty.
                if !answer.is_empty() {
                    veil.response(&piece, answer);
                }
                is_shown
            };
            pieces.into_iter().zip(answers).map(see).collect()
        };
        let done: [&[u8]; 3] = [&[0x90, 0x00]; 3];
        assert_eq!(play(object, done), [true; 3]);
        assert_eq!(play(key, done), [false; 3]);
        // A chain that the card has not taken is none: what follows is judged by itself.
        for broken in [&[0x69, 0x85][..], &[]] {
            let answers = [broken, &[0x90, 0x00], &[0x90, 0x00]];
            assert_eq!(play(object, answers), [true, false, false]);
        }
    }

    #[test]
    fn secret_answers_are_hidden_to_their_last_piece() {
        let mut veil = Veil::default();
        let decipher = [0x00, 0x2A, 0x80, 0x86, 0x01, 0xAA];
        let get_response = [0x00, 0xC0, 0x00, 0x00, 0x02];
        let mut see = |command: &[u8], answer: &[u8]| veil.response(command, answer).to_string();
        assert_eq!(see(&decipher, &[0xAA, 0x61, 0x02]), "[1] 6102");
        assert_eq!(see(&get_response, &[0xBB, 0x61, 0x01]), "[1] 6101");
        assert_eq!(see(&get_response, &[0xCC, 0x90, 0x00]), "[1] 9000");
        assert_eq!(see(&[0, 0xB0, 0, 0, 2], &[0xDD, 0x61, 0x01]), "dd6101");
        assert_eq!(see(&get_response, &[0xEE, 0x90, 0x00]), "ee9000");
        let derive = |key| [0x00, 0x87, 0x11, key];
        for (key, expected) in [(0x9D, "[1] 9000"), (0x95, "[1] 9000"), (0x9A, "aa9000")] {
            assert_eq!(see(&derive(key), &[0xAA, 0x90, 0x00]), expected);
        }
    }

    #[test]
    fn a_profile_adds_rules_and_a_veil_may_hide_all_or_nothing() {
        let put = hex::decode("00DA006202AABB").unwrap();
        let mut veil = Veil::default().with([Rule {
            header: [0x00, 0xDA, 0x00, 0x60],
            mask: [0x00, 0xFF, 0xFF, 0xFC],
            side: Side::Command,
        }]);
        assert_eq!(veil.command(&put).to_string(), "00da006202 [2]");
        let mut all = Veil::everything();
        assert_eq!(all.command(&put).to_string(), "00da006202 [2]");
        assert_eq!(all.response(&put, &[1, 0x90, 0]).to_string(), "[1] 9000");
        let verify = hex::decode("0020000101AA").unwrap();
        assert_eq!(Veil::nothing().command(&verify).known(), Some(&verify[..]));
    }

    proptest! {
        #[test]
        fn no_data_byte_of_a_secret_is_shown(
            data in prop::collection::vec(Just(0xA5_u8), 1..600),
            le in prop::option::of(1_u32..70_000),
            cut in 0_usize..700,
        ) {
            let mut command = Command::new(0x00, 0x20, 0, 1).with_data(data);
            if let Some(le) = le {
                command = command.with_le(le.min(0x1_0000));
            }
            let bytes = command.encode().unwrap();
            let bytes = bytes.get(..cut).unwrap_or(&bytes);
            let veiled = Veil::default().command(bytes);
            prop_assert_eq!(veiled.len(), bytes.len());
            // Only length fields may be A5: one byte, never two.
            prop_assert!(!veiled.to_string().contains("a5a5"));
        }
    }
}
