//! What `~HS` is answered with; no I/O.

use thiserror::Error;

/// Begins and ends a line of the answer.
const STX: u8 = 0x02;
const ETX: u8 = 0x03;
/// The longest line that is taken.
const LONGEST: usize = 128;

/// How a label printer is (*`~HS`, strings 1 and 2*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZplStatus {
    /// No labels are left.
    pub paper_out: bool,
    /// It waits for a person.
    pub paused: bool,
    /// Labels that it has received and not begun.
    pub waiting: u32,
    /// A label is coming in.
    pub partial: bool,
    /// Its head is open.
    pub head_up: bool,
    /// No ribbon is left.
    pub ribbon_out: bool,
    /// Labels of the one in work that are not printed yet.
    pub remaining: u32,
}

impl ZplStatus {
    /// Tells whether it has nothing in work.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.waiting == 0 && self.remaining == 0 && !self.partial
    }

    /// Returns what stands in its way.
    #[must_use]
    pub fn conditions(&self) -> Vec<String> {
        let all = [
            (self.paper_out, "paper-out"),
            (self.paused, "paused"),
            (self.head_up, "head-up"),
            (self.ribbon_out, "ribbon-out"),
        ];
        let found = all.into_iter().filter(|(is_so, _)| *is_so);
        found.map(|(_, name)| name.to_owned()).collect()
    }
}

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what the printer says is no host status")]
pub struct ZplGarbled;

/// Gathers what comes into a status.
#[derive(Debug, Default)]
pub struct ZplEar {
    line: Option<String>,
    lines: Vec<String>,
}

impl ZplEar {
    /// Takes bytes, and returns a status when its third line has come.
    ///
    /// # Errors
    /// [`ZplGarbled`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<ZplStatus>, ZplGarbled> {
        let mut status = None;
        for byte in bytes {
            match (*byte, &mut self.line) {
                (STX, line @ None) => *line = Some(String::new()),
                (ETX, Some(_)) => self.lines.extend(self.line.take()),
                (b'\r' | b'\n', None) => {}
                (0x20..=0x7E, Some(line)) if line.len() < LONGEST => line.push(char::from(*byte)),
                _ => return Err(ZplGarbled),
            }
            if let [first, second, _] = self.lines.as_slice() {
                status = Some(read(first, second)?);
                self.lines.clear();
            }
        }
        Ok(status)
    }
}

fn read(first: &str, second: &str) -> Result<ZplStatus, ZplGarbled> {
    let first = Fields(first.split(',').collect());
    let second = Fields(second.split(',').collect());
    if first.0.len() < 12 || second.0.len() < 9 {
        return Err(ZplGarbled);
    }
    Ok(ZplStatus {
        paper_out: first.flag(1)?,
        paused: first.flag(2)?,
        waiting: first.number(4)?,
        partial: first.flag(7)?,
        head_up: second.flag(2)?,
        ribbon_out: second.flag(3)?,
        remaining: second.number(8)?,
    })
}

struct Fields<'a>(Vec<&'a str>);

impl Fields<'_> {
    fn number(&self, at: usize) -> Result<u32, ZplGarbled> {
        let field = self.0.get(at).and_then(|field| field.trim().parse().ok());
        field.ok_or(ZplGarbled)
    }

    fn flag(&self, at: usize) -> Result<bool, ZplGarbled> {
        match self.number(at)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ZplGarbled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: &str = "\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\
                        \x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n";

    fn all(text: &str, piece: usize) -> Result<Option<ZplStatus>, ZplGarbled> {
        let mut ear = ZplEar::default();
        let mut last = None;
        for piece in text.as_bytes().chunks(piece) {
            last = ear.take(piece)?.or(last);
        }
        Ok(last)
    }

    #[test]
    fn a_status_is_read_however_it_is_cut() {
        for piece in [1, 7, 200] {
            let status = all(IDLE, piece).unwrap().unwrap();
            assert_eq!(status, ZplStatus::default());
            assert!(status.is_idle());
        }
        let busy = IDLE
            .replace("030,0,0,1245,000", "030,1,1,1245,002")
            .replace("\x02000,0,0,0", "\x02000,0,1,1")
            .replace("00000000", "00000003");
        let status = all(&busy, 5).unwrap().unwrap();
        assert!(!status.is_idle());
        assert_eq!((status.waiting, status.remaining), (2, 3));
        assert_eq!(
            status.conditions(),
            ["paper-out", "paused", "head-up", "ribbon-out"]
        );
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for text in [
            "HTTP/1.1 400 Bad Request",
            "\x02030,2,0,1245,000,0,0,0,000,0,0,0\x03\x02000,0,0,0,0,2,4,0,0,1,0\x03\x021,0\x03",
            "\x02030\x03\x02000\x03\x02\x03",
            "\x02\x02",
        ] {
            assert_eq!(all(text, 3), Err(ZplGarbled), "{text:?}");
        }
        assert_eq!(all(&IDLE[..60], 9), Ok(None));
    }
}
