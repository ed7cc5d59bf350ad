//! A session with a card as readable text, with its secrets hidden.
//!
//! ```text
//! # POWER_ON                          also # POWER_OFF, # RESET
//! # any other comment                 kept as a note
//! > 00a4040c07a0000002471001          a command as sent
//! < 9000   # 0.37 ms                  its answer, and how long it took
//! > 0020000108 [8]                    a command with 8 hidden bytes after 5 known ones
//! < 63c2   # 1.20 ms, two tries left  a remark may follow the time, or stand alone
//! > 00db3fff00012c [300] 0000         hidden bytes between known ones
//! ```
//!
//! Bytes are pairs of hexadecimal digits in either case; `[n]` stands for n bytes, 1 to
//! 65 546, that are not shown. Spaces may stand between bytes. Empty lines are skipped. An
//! answer without a command before it since the card was powered is kept as
//! [`Event::Unasked`]: some recorders note there what the card said by itself.

mod veil;
mod veiled;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

pub use veil::{Rule, Side, Veil};
pub use veiled::Veiled;

/// Most lines of a trace.
const LINES: usize = 1_000_000;
const POWER_ON: &str = "POWER_ON";
const POWER_OFF: &str = "POWER_OFF";
const RESET: &str = "RESET";

/// Says what is wrong with a trace, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("trace line {line}: {fault}")]
pub struct TraceError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: TraceFault,
}

/// Says what is wrong with a line of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceFault {
    /// The line begins with none of the three signs.
    #[error("begins with {0:?}; a line begins with `>`, `<` or `#`")]
    Sign(char),
    /// A character is no hexadecimal digit.
    #[error("{character:?} in column {column} is no hexadecimal digit")]
    Digit {
        /// The character.
        character: char,
        /// Its column in characters, from 1.
        column: usize,
    },
    /// A byte has one digit.
    #[error("a byte in column {column} has one digit")]
    Half {
        /// Its column in characters, from 1.
        column: usize,
    },
    /// A run of hidden bytes is not of the form `[n]`.
    #[error("hidden bytes in column {column} are written [n], n from 1 to 65546")]
    Hidden {
        /// Its column in characters, from 1.
        column: usize,
    },
    /// There are more bytes than an APDU has.
    #[error("more than 65546 bytes; no APDU is so long")]
    TooLong,
    /// A command has no byte.
    #[error("command without a byte")]
    Empty,
    /// There are too many lines.
    #[error("more than 1000000 lines")]
    Lines,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The card was powered.
    PowerOn,
    /// The card was powered off.
    PowerOff,
    /// The card was reset while powered.
    Reset,
    /// A comment.
    Note(String),
    /// A command was sent.
    Command(Veiled),
    /// The latest command was answered.
    Response(Answer),
    /// Something is noted as an answer that no command asked for.
    Unasked(Answer),
}

/// An answer as noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The bytes, status word included; none where the card gave none.
    pub bytes: Veiled,
    /// How long it took, in whole microseconds.
    pub time: Option<Duration>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    number: usize,
    event: Event,
    remark: Option<String>,
}

impl Line {
    /// Returns its number in the file, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Returns what happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Returns the remark behind the bytes.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }
}

/// A session with a card. Read with [`str::parse`], written with [`ToString`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<Line>,
    /// Whether the latest command is still without its answer.
    waiting: bool,
}

impl Trace {
    /// Returns the lines in their order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Adds that the card was powered.
    pub fn power_on(&mut self) {
        self.add(Event::PowerOn, None);
    }

    /// Adds that the card was powered off.
    pub fn power_off(&mut self) {
        self.add(Event::PowerOff, None);
    }

    /// Adds that the card was reset while powered.
    pub fn reset(&mut self) {
        self.add(Event::Reset, None);
    }

    /// Adds a comment. Line ends become spaces; a comment that reads as an event is quoted.
    pub fn note(&mut self, text: &str) {
        let mut text = one_line(text);
        if [POWER_ON, POWER_OFF, RESET].contains(&text.as_str()) {
            text = format!("\"{text}\"");
        }
        self.add(Event::Note(text), None);
    }

    /// Adds a command, with a remark if that is not empty. A command without a byte is none
    /// and is not added.
    pub fn command(&mut self, bytes: Veiled, remark: &str) {
        if !bytes.is_empty() {
            self.add(Event::Command(bytes), kept(remark, false));
        }
    }

    /// Adds an answer, with a remark if that is not empty. The time is cut to microseconds.
    pub fn response(&mut self, bytes: Veiled, time: Option<Duration>, remark: &str) {
        let time = time.map(|time| {
            Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(MOST_MICROS))
                .min(Duration::from_micros(MOST_MICROS))
        });
        let remark = kept(remark, time.is_some());
        self.answer(Answer { bytes, time }, remark);
    }

    fn answer(&mut self, answer: Answer, remark: Option<String>) {
        let event = if self.waiting {
            Event::Response(answer)
        } else {
            Event::Unasked(answer)
        };
        self.add(event, remark);
    }

    fn add(&mut self, event: Event, remark: Option<String>) {
        let number = self.lines.last().map_or(1, |line| line.number + 1);
        self.add_at(number, event, remark);
    }

    fn add_at(&mut self, number: usize, event: Event, remark: Option<String>) {
        self.waiting = match event {
            Event::Note(_) => self.waiting,
            Event::Command(_) => true,
            _ => false,
        };
        self.lines.push(Line {
            number,
            event,
            remark,
        });
    }
}

impl FromStr for Trace {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut trace = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let at = |fault| TraceError {
                line: number,
                fault,
            };
            if number > LINES {
                return Err(at(TraceFault::Lines));
            }
            let line = line.trim();
            let Some(sign) = line.chars().next() else {
                continue;
            };
            let rest = line.get(sign.len_utf8()..).unwrap_or_default();
            if sign == '#' {
                trace.add_at(number, comment(rest.trim()), None);
                continue;
            }
            let (bytes, tail) = match rest.split_once('#') {
                Some((bytes, tail)) => (bytes, Some(tail.trim())),
                None => (rest, None),
            };
            match sign {
                '>' => {
                    let bytes = Veiled::parse(bytes, 2).map_err(at)?;
                    if bytes.is_empty() {
                        return Err(at(TraceFault::Empty));
                    }
                    let remark = tail.filter(|text| !text.is_empty()).map(str::to_owned);
                    trace.add_at(number, Event::Command(bytes), remark);
                }
                '<' => {
                    let bytes = Veiled::parse(bytes, 2).map_err(at)?;
                    let (time, remark) = tail.map_or((None, None), time_and_remark);
                    let answer = Answer { bytes, time };
                    let event = if trace.waiting {
                        Event::Response(answer)
                    } else {
                        Event::Unasked(answer)
                    };
                    trace.add_at(number, event, remark);
                }
                other => return Err(at(TraceFault::Sign(other))),
            }
        }
        Ok(trace)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = match &self.event {
            Event::PowerOn => return write!(f, "# {POWER_ON}"),
            Event::PowerOff => return write!(f, "# {POWER_OFF}"),
            Event::Reset => return write!(f, "# {RESET}"),
            Event::Note(text) if text.is_empty() => return f.write_str("#"),
            Event::Note(text) => return write!(f, "# {text}"),
            Event::Command(bytes) => {
                write!(f, "> {bytes}")?;
                None
            }
            Event::Response(Answer { bytes, time }) | Event::Unasked(Answer { bytes, time }) => {
                f.write_str("<")?;
                if !bytes.is_empty() {
                    write!(f, " {bytes}")?;
                }
                *time
            }
        };
        let Some(time) = time else {
            return match &self.remark {
                Some(remark) => write!(f, "   # {remark}"),
                None => Ok(()),
            };
        };
        let micros = time.as_micros();
        let (whole, part) = (micros / 1000, micros % 1000);
        if part % 10 == 0 {
            write!(f, "   # {whole}.{:02} ms", part / 10)?;
        } else {
            write!(f, "   # {whole}.{part:03} ms")?;
        }
        match &self.remark {
            Some(remark) => write!(f, ", {remark}"),
            None => Ok(()),
        }
    }
}

/// Longest time in microseconds: eleven days and a half.
const MOST_MICROS: u64 = 999_999_999_999;

fn comment(text: &str) -> Event {
    match text {
        POWER_ON => Event::PowerOn,
        POWER_OFF => Event::PowerOff,
        RESET => Event::Reset,
        text => Event::Note(text.to_owned()),
    }
}

/// Reads what follows the bytes: `0.42 ms`, `0.42 ms, remark`, or a remark alone.
fn time_and_remark(text: &str) -> (Option<Duration>, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (number, remark) = match text.split_once(" ms") {
        Some((number, "")) => (number, None),
        Some((number, rest)) => match rest.strip_prefix(',') {
            Some(remark) => (number, some(remark.trim())),
            None => return (None, some(text)),
        },
        None => return (None, some(text)),
    };
    match milliseconds(number) {
        Some(time) => (Some(time), remark),
        None => (None, some(text)),
    }
}

/// Reads a decimal number of milliseconds with up to three places.
fn milliseconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 9) || !digits(part, 3) {
        return None;
    }
    let micros = format!("{whole}{part:0<3}").parse().ok()?;
    Some(Duration::from_micros(micros))
}

/// Returns the text on one line, without spaces around it.
fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    spaced.trim().to_owned()
}

/// Returns a remark as it is kept: quoted where it would be read as a time.
fn kept(remark: &str, timed: bool) -> Option<String> {
    let remark = one_line(remark);
    if remark.is_empty() {
        return None;
    }
    let ambiguous = !timed && time_and_remark(&remark).0.is_some();
    Some(if ambiguous {
        format!("\"{remark}\"")
    } else {
        remark
    })
}

#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Trace {
        text.parse().unwrap()
    }

    const SAMPLE: &str = "\
# POWER_ON
< f276a288bcfba69d34f310019000   # 96.62 ms
# ---- pkcs15-init ----
> 00a404000cf276a288bcfba69d34f3100100   # by name
< 0006069000   # 1.10 ms
> 0020000108 [8]
# the reader beeps
< 63c2   # 0.123 ms, two tries left
> 00db3fff00012c [300] 0000
< [2] 9000   # nobody looked at the clock
> 00b0000000
# RESET
<
# POWER_OFF
#
";

    #[test]
    fn a_sample_is_read_and_written_to_the_byte() {
        let trace = parse(SAMPLE);
        assert_eq!(trace.to_string(), SAMPLE);
        let event = |line: usize| trace.lines()[line - 1].event().clone();
        assert!(matches!(event(2), Event::Unasked(_)));
        assert!(matches!(event(13), Event::Unasked(_)));
        let Event::Command(verify) = event(6) else {
            panic!("a command")
        };
        assert_eq!(verify.header(), Some([0x00, 0x20, 0x00, 0x01]));
        assert_eq!((verify.len(), verify.hidden()), (13, 8));
        assert_eq!(verify.known(), None);
        let Event::Response(answer) = event(8) else {
            panic!("an answer")
        };
        assert_eq!(answer.time, Some(Duration::from_micros(123)));
        assert_eq!(trace.lines()[7].remark(), Some("two tries left"));
    }

    #[test]
    fn other_spellings_are_the_same_trace() {
        let other = "\u{20}\r\n>  00 A4 04 00 # x\r\n\r\n<90 00 # 12 ms\n";
        let trace = parse(other);
        assert_eq!(trace.to_string(), "> 00a40400   # x\n< 9000   # 12.00 ms\n");
        assert_eq!(trace.lines()[1].number(), 4);
    }

    #[test]
    fn every_fault_has_its_line_and_error() {
        use TraceFault::*;
        for (text, line, fault) in [
            ("# x\n= 00", 2, Sign('=')),
            ("é 00", 1, Sign('é')),
            (
                "> 00a4zz",
                1,
                Digit {
                    character: 'z',
                    column: 7,
                },
            ),
            ("> 00 a\n", 1, Half { column: 6 }),
            ("> 00a [4]", 1, Half { column: 5 }),
            ("> 00 [", 1, Hidden { column: 6 }),
            ("> 00 [0]", 1, Hidden { column: 6 }),
            ("> 00 []", 1, Hidden { column: 6 }),
            ("> 00 [-1]", 1, Hidden { column: 6 }),
            ("> 00 [99999999999999999999]", 1, Hidden { column: 6 }),
            ("> [65546] 00", 1, TooLong),
            (">  # nothing", 1, Empty),
        ] {
            let error = text.parse::<Trace>().unwrap_err();
            assert_eq!(error, TraceError { line, fault }, "{text}");
        }
        let many = "#\n".repeat(LINES + 1);
        assert_eq!(many.parse::<Trace>().unwrap_err().fault, Lines);
    }

    #[test]
    fn what_reads_as_something_else_is_quoted() {
        let mut trace = Trace::default();
        trace.note("RESET");
        trace.note("one\ntwo");
        trace.command(Veiled::clear(&[0, 1, 2, 3]), "");
        trace.response(Veiled::clear(&[0x90, 0]), None, "12 ms");
        let expected = "# \"RESET\"\n# one two\n> 00010203\n< 9000   # \"12 ms\"\n";
        assert_eq!(trace.to_string(), expected);
        assert_eq!(parse(expected), trace);
    }

    #[test]
    fn recorded_sessions_are_read_and_written_to_the_byte() {
        let Some(folder) = missing::recordings() else {
            return;
        };
        let traces: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "trace"))
            .collect();
        assert!(!traces.is_empty(), "a folder of recorded sessions");
        for path in traces {
            let text = std::fs::read_to_string(&path).unwrap();
            let trace: Trace = text
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(trace.to_string(), text, "{}", path.display());
        }
    }

    fn veiled(least: usize) -> impl Strategy<Value = Veiled> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 1..20).prop_map(Ok),
            (1_usize..500).prop_map(Err),
        ];
        prop::collection::vec(piece, least..4).prop_map(|pieces| {
            let mut bytes = Veiled::default();
            for piece in pieces {
                match piece {
                    Ok(clear) => bytes.show(&clear),
                    Err(hidden) => bytes.hide(hidden),
                }
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn traces_survive_their_text(
            steps in prop::collection::vec(
                (0_u8..6, veiled(1), veiled(0), any::<Option<u32>>(), "\\PC{0,12}|12 ms|RESET"),
                0..20,
            ),
        ) {
            let mut trace = Trace::default();
            for (kind, command, answer, micros, text) in steps {
                match kind {
                    0 => trace.power_on(),
                    1 => trace.power_off(),
                    2 => trace.reset(),
                    3 => trace.note(&text),
                    4 => trace.command(command, &text),
                    _ => {
                        let time = micros.map(|micros| Duration::from_micros(micros.into()));
                        trace.response(answer, time, &text);
                    }
                }
            }
            let again: Trace = trace.to_string().parse().unwrap();
            prop_assert_eq!(again, trace);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "([><#] ?[0-9a-f\\[\\]. ms#]{0,20}\n|\\PC{0,9}\n){0,6}") {
            if let Ok(trace) = text.parse::<Trace>() {
                let again: Trace = trace.to_string().parse().unwrap();
                prop_assert_eq!(again.to_string(), trace.to_string());
            }
        }
    }
}
