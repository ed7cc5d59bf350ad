//! The escape command language, strictly: `ESC` command `;` parameters `CR`.

/// Begins a command; may be left out right behind a CR.
const ESC: u8 = 0x1B;
/// Ends it.
const CR: u8 = 0x0D;
/// The longest command without data.
const LONGEST: usize = 96;
/// The most data of a compressed panel.
const MOST: usize = 1024 * 1024;
/// Dots of a panel.
pub(super) const WIDTH: usize = 648;
pub(super) const HEIGHT: usize = 1016;

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A command: its name, and its parameters.
    Command {
        name: String,
        parameters: Vec<String>,
    },
    /// A panel.
    Panel(Panel),
    /// Something that is neither; a strict printer says why.
    Wrong(String),
}

/// A panel that was downloaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panel {
    pub(super) letter: char,
    pub(super) levels: u32,
    pub(super) compressed: bool,
    pub(super) data: Vec<u8>,
}

/// Takes bytes, gives commands.
#[derive(Debug, Default)]
pub(super) struct Language {
    waiting: Vec<u8>,
    /// A CR came last: ESC may be left out.
    behind_cr: bool,
}

impl Language {
    /// Takes what came.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Returns the next command that is whole.
    pub(super) fn next(&mut self) -> Option<Heard> {
        // A maker's driver pads what it sends with 00.
        let padding = self.waiting.iter().take_while(|byte| **byte == 0).count();
        self.waiting.drain(..padding);
        let first = *self.waiting.first()?;
        if first != ESC && !self.behind_cr {
            return self.skip("a command that does not begin with ESC");
        }
        let start = usize::from(first == ESC);
        let rest = self.waiting.get(start..)?;
        if rest.starts_with(b"Db") {
            match download(rest) {
                Download::Unfinished => return None,
                Download::Wrong(why) => return self.skip(&why),
                Download::Not => {}
                Download::Panel(panel, length) => {
                    self.waiting.drain(..start + length);
                    self.behind_cr = true;
                    return Some(Heard::Panel(panel));
                }
            }
        }
        let Some(end) = rest.iter().position(|byte| *byte == CR) else {
            let is_endless = rest.len() > LONGEST;
            return is_endless.then(|| self.forget("a command without an end"));
        };
        let text = rest.get(..end)?.to_vec();
        self.waiting.drain(..=start + end);
        self.behind_cr = true;
        let text = match String::from_utf8(text) {
            Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text,
            _ => return Some(Heard::Wrong("a command that is no text".into())),
        };
        let mut parts = text.split(';').map(str::to_owned);
        Some(Heard::Command {
            name: parts.next().unwrap_or_default(),
            parameters: parts.collect(),
        })
    }

    /// Skips to behind the next CR.
    fn skip(&mut self, why: &str) -> Option<Heard> {
        let Some(end) = self.waiting.iter().position(|byte| *byte == CR) else {
            let is_endless = self.waiting.len() > LONGEST;
            return is_endless.then(|| self.forget(why));
        };
        self.waiting.drain(..=end);
        self.behind_cr = true;
        Some(Heard::Wrong(why.to_owned()))
    }

    fn forget(&mut self, why: &str) -> Heard {
        self.waiting.clear();
        self.behind_cr = false;
        Heard::Wrong(why.to_owned())
    }
}

enum Download {
    Unfinished,
    Not,
    Wrong(String),
    /// A panel, and how long it and its CR are.
    Panel(Panel, usize),
}

/// Reads `Db;p;lv;data CR` or `Dbc;p;lv;n;data CR`.
fn download(bytes: &[u8]) -> Download {
    let head = bytes.get(..bytes.len().min(32)).unwrap_or_default();
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut fields = head.splitn(5, ';');
    let compressed = match fields.next() {
        Some("Db") => false,
        Some("Dbc") => true,
        _ if head.contains([';', '\r']) => return Download::Not,
        _ => return Download::Unfinished,
    };
    let mut counted = if compressed { 4 } else { 3 };
    if head.matches(';').count() < counted {
        return match head.len() < 32 && !head.contains('\r') {
            true => Download::Unfinished,
            false => Download::Wrong("a panel without levels or length".into()),
        };
    }
    let letter = fields.next().unwrap_or_default();
    let levels = fields.next().unwrap_or_default();
    let (Some(letter), Ok(levels)) = (single(letter), levels.parse::<u32>()) else {
        return Download::Wrong("a panel that is none of y, m, c, k, o".into());
    };
    let known = match letter {
        'k' | 'o' => levels == 2,
        _ => matches!(levels, 32 | 64 | 128),
    };
    if !known {
        return Download::Wrong(format!("{levels} levels of the panel {letter}"));
    }
    let length = match (compressed, fields.next()) {
        (true, Some(length)) => match length.parse() {
            Ok(length) if length <= MOST => length,
            _ => return Download::Wrong("no length of compressed data".into()),
        },
        _ => WIDTH * HEIGHT * levels.trailing_zeros() as usize / 8,
    };
    let mut start = 0;
    while counted > 0 {
        match bytes.get(start) {
            Some(b';') => counted -= 1,
            Some(_) => {}
            None => return Download::Unfinished,
        }
        start += 1;
    }
    let Some(data) = bytes.get(start..start + length) else {
        return Download::Unfinished;
    };
    match bytes.get(start + length) {
        None => Download::Unfinished,
        Some(&CR) => {
            let panel = Panel {
                letter,
                levels,
                compressed,
                data: data.to_vec(),
            };
            Download::Panel(panel, start + length + 1)
        }
        Some(_) => Download::Wrong(format!("more than {length} bytes in the panel {letter}")),
    }
}

fn single(text: &str) -> Option<char> {
    let mut letters = text.chars();
    let letter = letters.next().filter(|letter| "ymcko".contains(*letter));
    letter.filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Vec<Heard> {
        let mut language = Language::default();
        let mut heard = Vec::new();
        for piece in bytes.chunks(piece) {
            language.take(piece);
            heard.extend(std::iter::from_fn(|| language.next()));
        }
        heard
    }

    fn command(name: &str, parameters: &[&str]) -> Heard {
        Heard::Command {
            name: name.into(),
            parameters: parameters.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn commands_are_heard_however_they_are_cut() {
        let bytes = b"\x1BPem;18\r\x1BSs\rSi\r\x1BDbc;k;2;3;\r\x1B\x00\r\x1BSe\r";
        for piece in [1, 2, 5, 100] {
            let panel = Panel {
                letter: 'k',
                levels: 2,
                compressed: true,
                data: vec![0x0D, 0x1B, 0],
            };
            assert_eq!(
                all(bytes, piece),
                [
                    command("Pem", &["18"]),
                    command("Ss", &[]),
                    command("Si", &[]),
                    Heard::Panel(panel),
                    command("Se", &[]),
                ]
            );
        }
    }

    #[test]
    fn what_is_no_command_is_wrong() {
        for bytes in [
            b"Ss\r".as_slice(),
            b"\x1BS\xFF\r",
            b"\x1BDb;x;2;\r",
            b"\x1BDb;y;2;\r",
            b"\x1BDb;k;32;\r",
            b"\x1BDbc;k;2;2;abc\r",
            b"\x1BDbc;k;2;99999999;abc\r",
            &[ESC; 300],
        ] {
            let heard = all(bytes, 7);
            assert!(
                matches!(heard.first(), Some(Heard::Wrong(_))),
                "{bytes:?}: {heard:?}"
            );
        }
    }
}
