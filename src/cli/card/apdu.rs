//! `zimogs card apdu`: commands as they are, for whoever tries a chip by hand.

use std::io::BufRead;
use std::process::ExitCode;

use card::{Channel, Response, Status};
use clap::Args;
use reader::MAKING;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::card::place::Place;
use crate::cli::card::session::TraceOption;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER and their relatives (*ISO/IEC 7816-4
/// §11.6*): their data are somebody's PIN, and are never shown.
const SECRET_DATA: [u8; 6] = [0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D];

/// Options of `card apdu`.
#[derive(Args)]
pub(crate) struct Apdu {
    #[command(flatten)]
    place: Place,
    /// Commands in hexadecimal, blanks allowed; `-` reads them from standard input, one a line,
    /// so that a PIN stands in no list of processes.
    #[arg(required = true, value_name = "HEX")]
    commands: Vec<String>,
    /// Go on after a command that the card refused. Without it the rest is not sent.
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// One command and its answer. Fields may be added, never renamed.
#[derive(Serialize)]
pub(crate) struct Exchange {
    /// The command in hexadecimal, without data that may be a PIN.
    command: String,
    /// How many bytes of it are not shown.
    hidden: usize,
    /// The answer's data in hexadecimal.
    data: String,
    /// The status word in hexadecimal.
    status: String,
    /// What it means.
    meaning: &'static str,
}

/// Sends the commands.
pub(crate) fn run(options: &Apdu) -> Result<ExitCode, Failure> {
    let commands = read(&options.commands, &mut std::io::stdin().lock())?;
    let mut connection = options.place.connect()?;
    // What a command lets the card do is not known here.
    connection.set_patience(MAKING);
    let mut channel = options.trace.begin(connection, None)?;
    let mut exchanges = Vec::new();
    let mut refused = false;
    for (place, command) in commands.iter().enumerate() {
        if refused && !options.keep_going {
            let rest = commands.len() - place;
            if !options.json {
                output::line(&format!(
                    "{rest} more not sent; --keep-going sends them anyway"
                ))?;
            }
            break;
        }
        let answer = Zeroizing::new(channel.transmit(command).or_fail(Kind::Device)?);
        let response = Response::parse(&answer).or_fail(Kind::Device)?;
        let exchange = Exchange::new(command, &response);
        refused |= !is_good(response.status());
        if !options.json {
            output::line(&exchange.text())?;
        }
        exchanges.push(exchange);
    }
    if options.json {
        output::json(&exchanges)?;
    }
    Ok(if refused {
        ExitCode::from(Kind::Failed as u8)
    } else {
        ExitCode::SUCCESS
    })
}

fn is_good(status: Status) -> bool {
    status.is_ok() || status.more_available().is_some()
}

/// Reads the commands. What cannot be read is named by its place: it may hold a PIN.
pub(crate) fn read(
    arguments: &[String],
    input: &mut dyn BufRead,
) -> Result<Vec<Zeroizing<Vec<u8>>>, Failure> {
    let mut texts = Vec::new();
    for argument in arguments {
        if argument == "-" {
            for line in input.lines() {
                let line = Zeroizing::new(line.or_fail(Kind::Usage)?);
                if !line.trim().is_empty() {
                    texts.push(line);
                }
            }
        } else {
            texts.push(Zeroizing::new(argument.clone()));
        }
    }
    let parse = |(place, text): (usize, &Zeroizing<String>)| {
        let digits: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        match hex::decode(digits.as_bytes()) {
            Ok(command) if command.len() >= 4 => Ok(Zeroizing::new(command)),
            _ => Err(Failure::new(
                Kind::Usage,
                format!(
                    "command {} is not at least 4 bytes in hexadecimal",
                    place + 1
                ),
            )
            .with_hint("for example 00A4040000")),
        }
    };
    texts.iter().enumerate().map(parse).collect()
}

impl Exchange {
    pub(crate) fn new(command: &[u8], response: &Response) -> Self {
        let secret = command.get(1).is_some_and(|ins| SECRET_DATA.contains(ins));
        let shown = if secret {
            command.len().min(4)
        } else {
            command.len()
        };
        let status = response.status();
        Self {
            command: hex::encode_upper(command.get(..shown).unwrap_or_default()),
            hidden: command.len() - shown,
            data: hex::encode_upper(response.data()),
            status: format!("{:04X}", status.value()),
            meaning: status.meaning(),
        }
    }

    /// Returns whether the card did what it was told.
    pub(crate) fn is_good(&self) -> bool {
        self.status == "9000" || self.status.starts_with("61")
    }

    pub(crate) fn text(&self) -> String {
        let hidden = match self.hidden {
            0 => String::new(),
            hidden => format!(" and {hidden} bytes that are not shown"),
        };
        let data = if self.data.is_empty() {
            String::new()
        } else {
            format!("{}\n  ", self.data)
        };
        format!(
            "> {}{hidden}\n< {data}{} {}",
            self.command, self.status, self.meaning
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_never_shown() {
        let answer = Response::parse(&[0x63, 0xC2]).unwrap();
        for ins in SECRET_DATA {
            for cla in [0x00, 0x10, 0x04, 0x84] {
                let command = [&[cla, ins, 0x00, 0x01, 0x04][..], b"7409"].concat();
                let exchange = Exchange::new(&command, &answer);
                let shown = [exchange.text(), serde_json::to_string(&exchange).unwrap()].concat();
                assert!(
                    !shown.contains("37343039") && !shown.contains("7409"),
                    "{shown}"
                );
                assert_eq!(exchange.hidden, 5);
            }
        }
        let select = Exchange::new(&[0x00, 0xA4, 0x04, 0x00, 0x00], &answer);
        assert_eq!((select.command.as_str(), select.hidden), ("00A4040000", 0));
    }

    #[test]
    fn commands_come_from_arguments_and_from_standard_input() {
        let mut input: &[u8] = b"00 A4 0400 00\n\n80CA9F7F00\n";
        let commands = read(&["00B0000000".into(), "-".into()], &mut input).unwrap();
        let shown: Vec<_> = commands
            .iter()
            .map(|command| hex::encode_upper(&command[..]))
            .collect();
        assert_eq!(shown, ["00B0000000", "00A4040000", "80CA9F7F00"]);
    }

    #[test]
    fn what_is_no_command_is_named_by_its_place() {
        for wrong in ["0020000104373430", "00200001 0437343039g", "002000"] {
            let error = read(&["00A4040000".into(), format!("{wrong}z")], &mut &b""[..]);
            let error = format!("{:?}", error.unwrap_err());
            assert!(
                error.contains("command 2") && !error.contains("3734"),
                "{error}"
            );
        }
    }
}
