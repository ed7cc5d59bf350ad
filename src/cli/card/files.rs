//! `zimogs card files`: what is on a chip, as anybody sees it.

use std::process::ExitCode;

use card::tlv;
use clap::Args;
use perso::{InspectError, Inspector};
use profile::{ChipProfile, Detail, Dialect, Object, ObjectKind, Scope, Value};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::card::channel::identify;
use crate::cli::card::place::Place;
use crate::cli::card::session::TraceOption;
use crate::cli::card::state::StateOption;
use crate::cli::card::{profiles, tables};
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// How deep a tree of TLV is followed.
const DEEPEST: usize = 12;
/// How many bytes of a value stand in a tree.
const VALUE: usize = 24;

/// Options of `card files`.
#[derive(Args)]
pub(crate) struct Files {
    #[command(flatten)]
    place: Place,
    /// The chip profile: a file, or the name of a shipped one.
    #[arg(long)]
    chip: String,
    /// Show the first bytes of what can be read; 64 where no number is given. Personal data may be
    /// among them.
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "64")]
    show: Option<usize>,
    /// Show what can be read as a tree of BER-TLV.
    #[arg(long)]
    tlv: bool,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// One thing on the chip. Fields may be added, never renamed.
#[derive(Serialize)]
struct Line {
    /// `application`, `file` or `data`.
    kind: &'static str,
    name: String,
    /// Its identifier in hexadecimal.
    id: String,
    application: String,
    /// `readable`, `present` (an application), `closed`, `absent`, `unknown`.
    state: &'static str,
    /// How many bytes were read.
    size: Option<usize>,
    /// What the chip said instead.
    reason: Option<String>,
    /// The first bytes in hexadecimal, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    /// The tree, a line an object, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    tree: Option<Vec<String>>,
}

/// Walks the chip.
pub(crate) fn run(options: &Files) -> Result<ExitCode, Failure> {
    let chip = profiles::chip(&options.chip)?;
    let state = options.state.open()?;
    let mut connection = options.place.connect()?;
    let limits = state.limits(&mut connection, &chip)?;
    let mut session = options.trace.begin(connection, Some(&chip))?;
    identify(&chip, &mut session, &limits)?;
    let mut inspector = Inspector::new(&chip, &mut session).within(limits);
    // What the contents rest on is known from the identification.
    unless_device(inspector.identify())?.ok();
    let mut lines = Vec::new();
    for application in chip.objects(ObjectKind::Application) {
        let there = unless_device(inspector.go_to(Dialect::Enter, application))?;
        lines.push(Line::of("application", application, there.map(|()| None)));
        for (kind, word) in [(ObjectKind::File, "file"), (ObjectKind::Data, "data")] {
            for object in living_in(&chip, kind, application) {
                let content = unless_device(inspector.read(object))?;
                let line = Line::of(word, object, content.map(Some));
                lines.push(line);
            }
        }
    }
    if options.json {
        let lines = lines.into_iter().map(|line| line.shown(options));
        output::json(&lines.map(|(line, _)| line).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&text(lines, options))?;
    Ok(ExitCode::SUCCESS)
}

fn unless_device<T>(result: Result<T, InspectError>) -> Result<Result<T, InspectError>, Failure> {
    match result {
        Err(error) if error.is_device() => Err(Failure::of(Kind::Device, &error)),
        other => Ok(other),
    }
}

fn living_in<'a>(
    chip: &'a ChipProfile,
    kind: ObjectKind,
    application: &'a Object,
) -> impl Iterator<Item = &'a Object> {
    chip.objects(kind)
        .filter(move |object| object.application == application.name)
}

/// A thing, and what was read of it.
type Seen = (Line, Option<Zeroizing<Vec<u8>>>);

impl Line {
    fn of(
        kind: &'static str,
        object: &Object,
        seen: Result<Option<Zeroizing<Vec<u8>>>, InspectError>,
    ) -> Seen {
        let id = match object.detail {
            Detail::Application { .. } => ["application.aid", "application.id"],
            Detail::Data { .. } => ["data.id", "data.tag"],
            _ => ["file.id", "file.tag"],
        };
        let id = id.iter().find_map(|name| match object.value(name)? {
            Value::Bytes(bytes) => Some(hex::encode_upper(&bytes[..])),
            _ => None,
        });
        let mut line = Self {
            kind,
            name: object.name.clone(),
            id: id.unwrap_or_default(),
            application: object.application.clone(),
            state: "present",
            size: None,
            reason: None,
            shown: None,
            tree: None,
        };
        let content = match seen {
            Ok(content) => content,
            Err(error) => {
                line.state = match &error {
                    error if error.is_absent() => "absent",
                    error if error.is_closed() => "closed",
                    _ => "unknown",
                };
                line.reason = Some(error.to_string());
                None
            }
        };
        if let Some(content) = &content {
            line.state = "readable";
            line.size = Some(content.len());
        }
        (line, content)
    }
}

/// Adds what was asked for to a thing.
trait Shown {
    fn shown(self, options: &Files) -> Seen;
}

impl Shown for Seen {
    fn shown(self, options: &Files) -> Seen {
        let (mut line, content) = self;
        if let Some(content) = &content {
            line.shown = options.show.map(|most| {
                let first = content.get(..most.min(content.len()));
                hex::encode_upper(first.unwrap_or_default())
            });
            line.tree = options.tlv.then(|| tree(content));
        }
        (line, content)
    }
}

fn text(lines: Vec<Seen>, options: &Files) -> String {
    let mut table = tables::headed(["", "name", "id", "state", "bytes", ""]);
    let mut below = String::new();
    for seen in lines {
        let (line, content) = seen.shown(options);
        let indent = if line.kind == "application" { "" } else { "  " };
        table.add_row([
            format!("{indent}{}", line.kind),
            line.name.clone(),
            line.id.clone(),
            line.state.to_owned(),
            line.size.map(|size| size.to_string()).unwrap_or_default(),
            line.reason.clone().unwrap_or_default(),
        ]);
        let Some(content) = content else { continue };
        if options.show.is_some() || options.tlv {
            below.push_str(&format!("\n\n{} {}", line.kind, line.name));
        }
        if let Some(most) = options.show {
            let first = content.get(..most.min(content.len())).unwrap_or_default();
            below.push_str(&dump(first));
            if content.len() > first.len() {
                below.push_str(&format!("\n  … {} more", content.len() - first.len()));
            }
        }
        for object in line.tree.iter().flatten() {
            below.push_str(&format!("\n  {object}"));
        }
    }
    format!("{table}{below}")
}

/// Returns bytes as offset, hexadecimal and letters, sixteen a line.
fn dump(bytes: &[u8]) -> String {
    let line = |(place, line): (usize, &[u8])| {
        let hex: Vec<_> = line.iter().map(|byte| format!("{byte:02X}")).collect();
        let letter = |byte: &u8| match byte {
            0x20..=0x7E => char::from(*byte),
            _ => '.',
        };
        let letters: String = line.iter().map(letter).collect();
        format!("\n  {:04X}  {:<47}  {letters}", place * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

/// Returns BER-TLV a line an object, or what is wrong with it.
fn tree(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    branch(bytes, 0, &mut lines);
    lines
}

fn branch(bytes: &[u8], depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    if depth >= DEEPEST {
        return lines.push(format!("{indent}… deeper"));
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (object, behind) = match tlv::parse(rest) {
            Ok(parsed) => parsed,
            // A file is often longer than what stands in it.
            Err(_) if rest.iter().all(|byte| *byte == 0x00 || *byte == 0xFF) => {
                return lines.push(format!("{indent}{} bytes of filling", rest.len()));
            }
            Err(error) => {
                return lines.push(format!(
                    "{indent}{} bytes that are no BER-TLV: {error}",
                    rest.len()
                ));
            }
        };
        rest = behind;
        let head = format!("{indent}{} [{}]", object.tag, object.value.len());
        if object.tag.is_constructed() {
            lines.push(head);
            branch(object.value, depth + 1, lines);
            continue;
        }
        let shown = object.value.get(..VALUE.min(object.value.len()));
        let more = if object.value.len() > VALUE {
            "…"
        } else {
            ""
        };
        let shown = hex::encode_upper(shown.unwrap_or_default());
        lines.push(format!("{head} {shown}{more}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_followed_and_a_broken_one_said() {
        let bytes = hex::decode("700604020102050081020A0B0000").unwrap();
        assert_eq!(
            tree(&bytes),
            [
                "70 [6]",
                "  04 [2] 0102",
                "  05 [0] ",
                "81 [2] 0A0B",
                "2 bytes of filling"
            ]
        );
        assert!(tree(&[0x30, 0x05, 0x01])[0].contains("no BER-TLV"));
        let deep = (0..40).fold(Vec::new(), |inner, _| {
            tlv::encode(tlv::Tag::new(0x30).unwrap(), &inner)
        });
        assert!(tree(&deep).len() <= DEEPEST + 2);
    }

    #[test]
    fn a_dump_has_offset_bytes_and_letters() {
        let text = dump(b"XA0000001 \x00\xFF23456789");
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "  0000  58 41 30 30 30 30 30 30 31 20 00 FF 32 33 34 35  XA0000001 ..2345",
                "  0010  36 37 38 39                                      6789",
            ]
        );
    }
}
