//! What is said to a printer and what it says, in its job language; no I/O.
//!
//! *HP Printer Job Language Technical Reference Manual*, 10th edition: commands are lines that begin
//! with `@PJL`, between universal exit sequences; what the printer says ends with a form feed.
//!
//! ```text
//!   hello ──► ECHO, INFO STATUS                       is it a printer, is it ready
//!   begin ──► JOB, one copy, nothing kept ── PDF ── end ──► EOJ
//!                                     USTATUS JOB, START … END, RESULT=OK
//! ```

/// The universal exit sequence (*chapter 4*).
pub(crate) const EXIT: &[u8] = b"\x1B%-12345X";
/// Ends what the printer says (*chapter 2*).
const FORM_FEED: u8 = 0x0C;
/// The longest message that is taken from a printer.
const LONGEST: usize = 2048;
/// The most messages that are taken in one job: page, paper and panel report now and then.
const MOST: usize = 10_000;

/// Returns what asks a printer for its state. Its echo tells what was said before this.
pub(crate) fn hello(word: &str) -> Vec<u8> {
    let mut bytes = EXIT.to_vec();
    bytes.extend_from_slice(b"@PJL \r\n@PJL USTATUSOFF\r\n");
    bytes.extend_from_slice(format!("@PJL ECHO {word}\r\n@PJL INFO STATUS\r\n").as_bytes());
    bytes
}

/// Returns what begins a job: its state is reported, it is printed once, kept nowhere, and a page
/// that jams is not printed again by itself (*chapters 5, 6 and 7*).
pub(crate) fn begin(name: &str) -> Vec<u8> {
    let mut bytes = format!(
        "@PJL USTATUS JOB = ON\r\n@PJL USTATUS DEVICE = ON\r\n@PJL JOB NAME = \"{name}\"\r\n"
    )
    .into_bytes();
    for set in ["COPIES = 1", "HOLD = OFF", "JAMRECOVERY = OFF"] {
        bytes.extend_from_slice(format!("@PJL SET {set}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"@PJL ENTER LANGUAGE = PDF\r\n");
    bytes
}

/// Returns what ends a job. The report of its end comes when the page is in the output bin.
pub(crate) fn end(name: &str) -> Vec<u8> {
    let mut bytes = EXIT.to_vec();
    bytes.extend_from_slice(format!("@PJL \r\n@PJL EOJ NAME = \"{name}\"\r\n").as_bytes());
    bytes.extend_from_slice(EXIT);
    bytes
}

/// What a printer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The word that it was given (`ECHO`).
    Echo(String),
    /// How it is, asked or not (`INFO STATUS`, `USTATUS DEVICE`).
    Device(Device),
    /// A job begins.
    Started(String),
    /// A job's last page is in the output bin, or it was cancelled.
    Ended {
        /// The job's name.
        name: String,
        /// How many pages it had, where the printer counts.
        pages: Option<u32>,
        /// How it ended, where the printer says so.
        result: Option<String>,
    },
    /// Something that is of no use here.
    Other,
}

/// How a printer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its status code (*appendix D*).
    pub code: u32,
    /// What its panel shows.
    pub display: String,
    /// Whether it takes data; nothing where it does not say.
    pub online: Option<bool>,
}

impl Device {
    /// Returns whether a letter may be sent: ready (10001), or warming up (10003). Low toner
    /// (10006) is not ready: a PIN that cannot be read is a spent envelope.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.code, 10_001 | 10_003) && self.online != Some(false)
    }

    /// Returns whether it has stopped until somebody comes: it is offline, or asks for a hand or
    /// paper, or paper jams (40xxx, 41xxx, 42xxx), or is broken (50xxx).
    pub(crate) fn has_stopped(&self) -> bool {
        self.online == Some(false) || (40_000..60_000).contains(&self.code)
    }
}

/// A printer that says what no printer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the printer says is not of its job language, or does not end")]
pub struct Gibberish;

/// Gathers what a printer says into messages.
#[derive(Debug, Default)]
pub struct Ear {
    heard: Vec<u8>,
    messages: usize,
}

impl Ear {
    /// Takes bytes, and returns the messages that are whole now.
    ///
    /// # Errors
    /// [`Gibberish`]: too long, too many, or no text.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<Vec<Said>, Gibberish> {
        let mut said = Vec::new();
        for byte in bytes {
            match byte {
                &FORM_FEED => {
                    self.messages += 1;
                    if self.messages > MOST {
                        return Err(Gibberish);
                    }
                    said.push(message(&self.heard));
                    self.heard.clear();
                }
                _ if self.heard.len() == LONGEST => return Err(Gibberish),
                b'\r' | b'\n' | b'\t' | 0x20..=0x7E | 0x80.. => self.heard.push(*byte),
                _ => return Err(Gibberish),
            }
        }
        Ok(said)
    }
}

/// Reads one message.
fn message(bytes: &[u8]) -> Said {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(head) = lines.next().and_then(|line| line.strip_prefix("@PJL")) else {
        return Said::Other;
    };
    let head = head.trim();
    if let Some(word) = head.strip_prefix("ECHO ") {
        return Said::Echo(word.trim().to_owned());
    }
    let lines: Vec<&str> = lines.collect();
    let value = |name: &str| {
        let mut pairs = lines.iter().filter_map(|line| line.split_once('='));
        let found = pairs.find(|(found, _)| found.trim() == name);
        found.map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    match head {
        "INFO STATUS" | "USTATUS DEVICE" => {
            match value("CODE").and_then(|code| code.parse().ok()) {
                None => Said::Other,
                Some(code) => Said::Device(Device {
                    code,
                    display: value("DISPLAY").unwrap_or_default(),
                    online: value("ONLINE").map(|online| online == "TRUE"),
                }),
            }
        }
        "USTATUS JOB" => {
            let name = value("NAME").unwrap_or_default();
            match lines.first() {
                Some(&"START") => Said::Started(name),
                Some(&"END") => Said::Ended {
                    name,
                    pages: value("PAGES").and_then(|pages| pages.parse().ok()),
                    result: value("RESULT"),
                },
                Some(&"CANCELED") => Said::Ended {
                    name,
                    pages: None,
                    result: Some("CANCELED".to_owned()),
                },
                _ => Said::Other,
            }
        }
        _ => Said::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(text: &str) -> Vec<Said> {
        Ear::default().hear(text.as_bytes()).unwrap()
    }

    /// The examples of the manual: chapter 5 "End of Job Notification", chapter 7 "INFO STATUS".
    #[test]
    fn the_manuals_examples_are_read() {
        let said = heard(
            "@PJL USTATUS JOB\r\nSTART\r\nNAME=\"Monitoring Job\"\r\n\x0C\
             @PJL USTATUS JOB\r\nEND\r\nNAME=\"job name\"\r\nPAGES=123\r\nID=346\r\nRESULT=OK\r\n\x0C\
             @PJL INFO STATUS\r\nCODE=10001\r\nDISPLAY=\"00 READY\"\r\nONLINE=TRUE\r\n\x0C\
             @PJL ECHO 12:07:54.5 07-26-92\r\n\x0C",
        );
        let expected = [
            Said::Started("Monitoring Job".into()),
            Said::Ended {
                name: "job name".into(),
                pages: Some(123),
                result: Some("OK".into()),
            },
            Said::Device(Device {
                code: 10_001,
                display: "00 READY".into(),
                online: Some(true),
            }),
            Said::Echo("12:07:54.5 07-26-92".into()),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn which_state_lets_a_letter_be_printed() {
        let device = |code, online| Device {
            code,
            display: String::new(),
            online,
        };
        for (code, online, ready, stopped) in [
            (10_001, Some(true), true, false),
            (10_001, None, true, false),
            (10_003, Some(true), true, false),
            (10_001, Some(false), false, true),
            (10_002, Some(false), false, true),
            (10_006, Some(true), false, false),
            (10_023, Some(true), false, false),
            (40_021, Some(false), false, true),
            (41_104, None, false, true),
            (42_011, Some(false), false, true),
            (50_004, Some(false), false, true),
        ] {
            let device = device(code, online);
            let found = (device.is_ready(), device.has_stopped());
            assert_eq!(found, (ready, stopped), "{device:?}");
        }
    }

    #[test]
    fn messages_come_in_pieces_and_what_is_none_is_refused() {
        let mut ear = Ear::default();
        assert_eq!(ear.hear(b"@PJL ECHO E-").unwrap(), []);
        assert_eq!(ear.hear(b"1\r\n").unwrap(), []);
        assert_eq!(ear.hear(b"\x0C@PJL").unwrap(), [Said::Echo("E-1".into())]);
        assert_eq!(Ear::default().hear(&[0]), Err(Gibberish));
        assert_eq!(Ear::default().hear(&[b'A'; LONGEST + 1]), Err(Gibberish));
        assert_eq!(Ear::default().hear(&[FORM_FEED; MOST + 1]), Err(Gibberish));
        for other in [
            "@PJL INFO STATUS\r\nCODE=x\x0C",
            "HTTP/1.1 400\r\n\x0C",
            "@PJL\x0C",
            "\x0C",
        ] {
            assert_eq!(heard(other), [Said::Other], "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_heard_or_refused(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let mut ear = Ear::default();
            for piece in pieces {
                if ear.hear(&piece).is_err() {
                    break;
                }
                prop_assert!(ear.heard.len() <= LONGEST);
            }
        }
    }
}
