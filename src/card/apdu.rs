//! Command and response APDUs (*ISO/IEC 7816-4 §5.1 to §5.3*).
//!
//! Data fields carry PINs, keys and personal data. `Debug` of both types, and
//! [`Masked`] for bytes as sent, therefore show the header and the lengths and never a
//! data byte: this is the rule for every trace of the product.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::status::Status;

/// Largest data field of a short command, in bytes.
const SHORT_DATA: usize = 0xFF;
/// Largest expected length of a short command, in bytes.
const SHORT_LE: u32 = 0x100;
/// Largest data field of an extended command, in bytes.
const EXTENDED_DATA: usize = 0xFFFF;
/// Largest expected length of an extended command, in bytes.
const EXTENDED_LE: u32 = 0x1_0000;

/// Says what is wrong with an APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApduError {
    /// The data field is longer than an extended command holds.
    #[error("command data field of {0} bytes; an APDU holds at most 65535")]
    DataLength(usize),
    /// The expected length is outside 1 to 65 536.
    #[error("expected response length {0} is outside 1 to 65536")]
    Le(u32),
    /// The bytes form none of the seven cases of a command.
    #[error("{0} bytes with these length fields form no command APDU (ISO/IEC 7816-4 §5.2)")]
    Malformed(usize),
    /// A response has no room for its two status bytes.
    #[error("response of {0} bytes has no status word")]
    ResponseLength(usize),
}

/// A command APDU: header, data field and expected response length.
///
/// The length fields' form (short or extended) is not part of the value; [`Self::encode`]
/// picks the short one where it fits. Data is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    le: Option<u32>,
}

impl Command {
    /// Returns a command without data field and without expected length (case 1).
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self::from_header([cla, ins, p1, p2])
    }

    /// Returns a command with the header CLA INS P1 P2, without data and Le (case 1).
    pub fn from_header(header: [u8; 4]) -> Self {
        Self {
            header,
            data: Zeroizing::default(),
            le: None,
        }
    }

    /// Sets the data field; [`Self::encode`] refuses more than 65 535 bytes. Empty data is
    /// no data field.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = Zeroizing::new(data.into());
        self
    }

    /// Sets the expected response length in bytes, 1 to 65 536: 256 is the short `00`,
    /// 65 536 the extended `0000`. [`Self::encode`] refuses other values.
    #[must_use]
    pub fn with_le(mut self, le: u32) -> Self {
        self.le = Some(le);
        self
    }

    /// Removes the expected response length.
    #[must_use]
    pub fn without_le(mut self) -> Self {
        self.le = None;
        self
    }

    /// Replaces the class byte.
    #[must_use]
    pub fn with_cla(mut self, cla: u8) -> Self {
        let [_, ins, p1, p2] = self.header;
        self.header = [cla, ins, p1, p2];
        self
    }

    /// Returns the class byte.
    pub fn cla(&self) -> u8 {
        self.header[0]
    }

    /// Returns the instruction byte.
    pub fn ins(&self) -> u8 {
        self.header[1]
    }

    /// Returns the first parameter byte.
    pub fn p1(&self) -> u8 {
        self.header[2]
    }

    /// Returns the second parameter byte.
    pub fn p2(&self) -> u8 {
        self.header[3]
    }

    /// Returns CLA INS P1 P2.
    pub fn header(&self) -> [u8; 4] {
        self.header
    }

    /// Returns the data field, empty where there is none.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the expected response length in bytes, `None` where no Le field is sent.
    pub fn le(&self) -> Option<u32> {
        self.le
    }

    /// Says whether the class byte announces secure messaging (*ISO/IEC 7816-4 §5.4.1*; *GP
    /// Card Specification 2.3 §11.1.4*).
    pub fn is_secured(&self) -> bool {
        let cla = self.cla();
        let bits = if cla & 0x40 == 0 { 0x0C } else { 0x20 };
        cla & bits != 0
    }

    /// Says whether data or expected length need the extended form.
    pub fn needs_extended(&self) -> bool {
        self.data.len() > SHORT_DATA || self.le.is_some_and(|le| le > SHORT_LE)
    }

    /// Returns the command as sent: short form where data (255) and Le (256) fit, else
    /// extended (*ISO/IEC 7816-4 §5.2*).
    ///
    /// # Errors
    /// [`ApduError::DataLength`] above 65 535 bytes, [`ApduError::Le`] outside 1 to 65 536.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, ApduError> {
        let length = self.data.len();
        if length > EXTENDED_DATA {
            return Err(ApduError::DataLength(length));
        }
        if let Some(le) = self.le
            && !(1..=EXTENDED_LE).contains(&le)
        {
            return Err(ApduError::Le(le));
        }
        // Sized beforehand: a growing vector would leave unwiped copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + 9));
        bytes.extend_from_slice(&self.header);
        if self.needs_extended() {
            bytes.push(0);
            if length > 0 {
                bytes.extend_from_slice(&low_two_bytes(length));
                bytes.extend_from_slice(&self.data);
            }
            if let Some(le) = self.le {
                bytes.extend_from_slice(&low_two_bytes(le as usize));
            }
        } else {
            if length > 0 {
                bytes.push(low_byte(length));
                bytes.extend_from_slice(&self.data);
            }
            if let Some(le) = self.le {
                bytes.push(low_byte(le as usize));
            }
        }
        Ok(bytes)
    }

    /// Parses a command in any of the cases 1, 2S, 3S, 4S, 2E, 3E and 4E. Strict: no byte
    /// may be missing or left over.
    ///
    /// # Errors
    /// [`ApduError::Malformed`] with the number of bytes seen.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let malformed = ApduError::Malformed(bytes.len());
        let (&header, body) = bytes.split_first_chunk::<4>().ok_or(malformed)?;
        let command = Self::from_header(header);
        match *body {
            [] => Ok(command),
            [le] => Ok(command.with_le(expected(u32::from(le), SHORT_LE))),
            [0, high, low] => {
                let le = u32::from(u16::from_be_bytes([high, low]));
                Ok(command.with_le(expected(le, EXTENDED_LE)))
            }
            [0, high, low, ref rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                match rest.split_at_checked(length) {
                    Some((data, tail)) if length > 0 => match *tail {
                        [] => Ok(command.with_data(data)),
                        [high, low] => {
                            let le = u32::from(u16::from_be_bytes([high, low]));
                            Ok(command.with_data(data).with_le(expected(le, EXTENDED_LE)))
                        }
                        _ => Err(malformed),
                    },
                    _ => Err(malformed),
                }
            }
            [length, ref rest @ ..] => match rest.split_at_checked(usize::from(length)) {
                Some((data, tail)) if length > 0 => match *tail {
                    [] => Ok(command.with_data(data)),
                    [le] => Ok(command
                        .with_data(data)
                        .with_le(expected(u32::from(le), SHORT_LE))),
                    _ => Err(malformed),
                },
                _ => Err(malformed),
            },
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [cla, ins, p1, p2] = self.header;
        write!(f, "{cla:02X}{ins:02X}{p1:02X}{p2:02X}")?;
        if !self.data.is_empty() {
            write!(f, " Lc {}", self.data.len())?;
        }
        match self.le {
            Some(le) => write!(f, " Le {le}"),
            None => Ok(()),
        }
    }
}

/// A response APDU: data field and status word. Data is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    data: Zeroizing<Vec<u8>>,
    status: Status,
}

impl Response {
    /// Returns a response with this data field, empty for none, and this status word.
    pub fn new(data: impl Into<Vec<u8>>, status: Status) -> Self {
        Self {
            data: Zeroizing::new(data.into()),
            status,
        }
    }

    /// Returns the data field, empty where there is none.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the status word.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Parses data field ‖ SW1 ‖ SW2.
    ///
    /// # Errors
    /// [`ApduError::ResponseLength`] for fewer than two bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApduError> {
        let (data, &status) = bytes
            .split_last_chunk::<2>()
            .ok_or(ApduError::ResponseLength(bytes.len()))?;
        Ok(Self::new(data, Status::new(u16::from_be_bytes(status))))
    }

    /// Returns data field ‖ SW1 ‖ SW2.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.data.len() + 2));
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(&self.status.value().to_be_bytes());
        bytes
    }

    /// Gives up the response and returns its data field.
    pub fn into_data(self) -> Zeroizing<Vec<u8>> {
        self.data
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.data.is_empty() {
            write!(f, "Lr {} ", self.data.len())?;
        }
        write!(f, "{}", self.status)
    }
}

/// An APDU in bytes, displayed by header, lengths and status word only; what is not an
/// APDU is displayed by its length.
#[derive(Clone, Copy)]
pub enum Masked<'a> {
    /// A command as sent.
    Command(&'a [u8]),
    /// A response as received.
    Response(&'a [u8]),
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Command(bytes) => match Command::parse(bytes) {
                Ok(command) => write!(f, "{command:?}"),
                Err(_) => write!(f, "{} bytes that form no command", bytes.len()),
            },
            Self::Response(bytes) => match Response::parse(bytes) {
                Ok(response) => write!(f, "{response:?}"),
                Err(_) => write!(f, "{} bytes that form no response", bytes.len()),
            },
        }
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads a length field in which zero stands for the maximum.
fn expected(field: u32, maximum: u32) -> u32 {
    if field == 0 { maximum } else { field }
}

fn low_byte(length: usize) -> u8 {
    (length & 0xFF) as u8
}

fn low_two_bytes(length: usize) -> [u8; 2] {
    [low_byte(length >> 8), low_byte(length)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_seven_cases_are_coded_as_the_standard_says() {
        let base = || Command::new(0x00, 0xB0, 0x01, 0x02);
        let long = vec![0x5A; 256];
        let cases: [(Command, String); 9] = [
            (base(), "00B00102".into()),
            (base().with_le(16), "00B0010210".into()),
            (base().with_le(256), "00B0010200".into()),
            (base().with_data([1, 2]), "00B00102020102".into()),
            (
                base().with_data([1, 2]).with_le(256),
                "00B0010202010200".into(),
            ),
            (base().with_le(257), "00B00102000101".into()),
            (base().with_le(65536), "00B00102000000".into()),
            (
                base().with_data(long.clone()),
                format!("00B00102000100{}", "5A".repeat(256)),
            ),
            (
                base().with_data([1, 2]).with_le(65536),
                "00B0010200000201020000".into(),
            ),
        ];
        for (command, expected) in cases {
            let bytes = command.encode().unwrap();
            assert_eq!(hex::encode_upper(&*bytes), expected);
            assert_eq!(Command::parse(&bytes).unwrap(), command);
        }
    }

    #[test]
    fn commands_recorded_on_the_wire_are_read_and_written_back() {
        let text = include_str!("../../tests/vectors/iso7816/recorded.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        for row in file["commands"].as_array().unwrap() {
            let sent = hex::decode(row["command"].as_str().unwrap()).unwrap();
            let command = Command::parse(&sent).unwrap();
            assert_eq!(*command.encode().unwrap(), sent);
            let case = match (command.data().is_empty(), command.le()) {
                (true, None) => "1",
                (true, Some(_)) => "2",
                (false, None) => "3",
                (false, Some(_)) => "4",
            };
            assert!(row["case"].as_str().unwrap().starts_with(case), "{row}");
        }
    }

    #[test]
    fn impossible_commands_are_refused() {
        let command = || Command::new(0, 0, 0, 0);
        assert_eq!(command().with_le(0).encode(), Err(ApduError::Le(0)));
        assert_eq!(command().with_le(65537).encode(), Err(ApduError::Le(65537)));
        assert_eq!(
            command().with_data(vec![0; 65536]).encode(),
            Err(ApduError::DataLength(65536))
        );
        for bad in [
            "",
            "00",
            "00A404",
            "00A4040000FF", // extended, cut in its length field
            "00A4040002AA",
            "00A4040002AABBCCDD", // Lc too large, bytes left over
            "00A40400000000AA",
            "00A40400000001", // the second is case 2E: see below
            "00A40400000002AABBCC",
            "00A40400000002AA",
        ] {
            let bytes = hex::decode(bad).unwrap();
            let parsed = Command::parse(&bytes);
            if bad == "00A40400000001" {
                assert_eq!(parsed.unwrap().le(), Some(1));
            } else {
                assert_eq!(parsed, Err(ApduError::Malformed(bytes.len())), "{bad}");
            }
        }
        assert_eq!(Response::parse(&[0x90]), Err(ApduError::ResponseLength(1)));
    }

    #[test]
    fn traces_never_show_data() {
        let verify = Command::new(0x00, 0x20, 0x00, 0x01).with_data(*b"\x31\x32\x33\x34");
        assert_eq!(format!("{verify:?}"), "00200001 Lc 4");
        let bytes = verify.encode().unwrap();
        assert_eq!(Masked::Command(&bytes).to_string(), "00200001 Lc 4");
        assert_eq!(
            format!("{:?}", Masked::Command(&bytes[..6])),
            "6 bytes that form no command"
        );
        let response = Response::new(*b"secret", Status::OK);
        assert_eq!(format!("{response:?}"), "Lr 6 9000 (done)");
        assert_eq!(
            Masked::Response(b"\x69\x82").to_string(),
            "6982 (security status not satisfied)"
        );
        assert_eq!(
            Masked::Response(b"x").to_string(),
            "1 bytes that form no response"
        );
    }

    proptest! {
        // A failure is printed; a file of it would land in the workspace's folder of crates.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn commands_survive_the_wire(
            header: [u8; 4],
            // Few long ones: wiping is slow without optimization.
            data in prop_oneof![
                30 => prop::collection::vec(any::<u8>(), 0..300),
                1 => (65530usize..=65535, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
            ],
            le in prop::option::of(prop_oneof![1u32..=300, 65530u32..=65536]),
        ) {
            let mut command = Command::from_header(header).with_data(data);
            if let Some(le) = le {
                command = command.with_le(le);
            }
            let bytes = command.encode().unwrap();
            prop_assert_eq!(Command::parse(&bytes).unwrap(), command);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_parse_to_something_equal(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(command) = Command::parse(&bytes) {
                let again = Command::parse(&command.encode().unwrap()).unwrap();
                prop_assert_eq!(again, command);
            }
            if let Ok(response) = Response::parse(&bytes) {
                prop_assert_eq!(&*response.encode(), &bytes);
            }
        }
    }
}
