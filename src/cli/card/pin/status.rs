//! `zimogs card pin status`: the PINs of a chip, and their tries.

use std::process::ExitCode;

use card::Status;
use clap::Args;
use perso::{InspectError, Inspector};
use profile::{ChipProfile, Dialect, Object, PinRules};
use reader::PinPad;
use serde::Serialize;

use crate::cli::card::pin::known::{self, Known, Which};
use crate::cli::card::tables;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card pin status`.
#[derive(Args)]
pub(crate) struct Look {
    #[command(flatten)]
    which: Which,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// The PINs. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    reader: String,
    product: String,
    serial: Option<String>,
    /// Whether the reader asks for PINs on its own keys.
    pin_pad: bool,
    pins: Vec<Pin>,
}

/// One PIN.
#[derive(Serialize)]
struct Pin {
    name: String,
    title: String,
    /// Whether it is on the chip at all: a young holder's card has none.
    present: bool,
    /// Tries left; nothing where the chip does not say.
    left: Option<u8>,
    of: u8,
    /// Whether it is blocked; nothing where the chip does not say.
    blocked: Option<bool>,
    /// Whether its holder must still change it; nothing where the chip does not say.
    transport: Option<bool>,
    /// Whether its holder can change it.
    can_change: bool,
    /// The PIN that unblocks it.
    unblocked_by: Option<String>,
    /// What else is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Looks at the PINs.
pub(crate) fn run(options: &Look) -> Result<ExitCode, Failure> {
    let Known {
        chip,
        serial,
        mut connection,
    } = options.which.find()?;
    let pin_pad = PinPad::ask(&mut connection).or_fail(Kind::Device)?;
    let reader = connection.reader().to_owned();
    let mut inspector = Inspector::new(&chip, &mut connection);
    inspector.identify().or_fail(Kind::Device)?;
    let mut pins = Vec::new();
    for (pin, rules) in known::pins(&chip) {
        pins.push(Pin::look(&chip, &mut inspector, pin, rules)?);
    }
    let report = Report {
        reader,
        product: chip.name.clone(),
        serial,
        pin_pad: pin_pad.is_some_and(|pad| pad.modifies()),
        pins,
    };
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Pin {
    fn look(
        chip: &ChipProfile,
        inspector: &mut Inspector<'_>,
        pin: &Object,
        rules: &PinRules,
    ) -> Result<Self, Failure> {
        let puk = rules.puk.as_ref();
        let mut found = Self {
            name: pin.name.clone(),
            title: pin.title.clone(),
            present: true,
            left: None,
            of: rules.tries,
            blocked: None,
            transport: None,
            can_change: chip.speaks(Dialect::ChangePin, pin),
            unblocked_by: puk
                .filter(|_| chip.speaks(Dialect::UnblockPin, pin))
                .cloned(),
            note: None,
        };
        match inspector.tries(pin) {
            Ok(left) => found.left = Some(left),
            Err(error) if error.is_device() => return Err(Failure::of(Kind::Device, &error)),
            Err(error) if error.status() == Some(Status::AUTHENTICATION_BLOCKED) => {
                found.left = Some(0);
            }
            Err(error) if error.is_absent() => found.present = false,
            Err(InspectError::Unspoken { .. }) => {}
            Err(error) => found.note = Some(error.to_string()),
        }
        found.blocked = found.left.map(|left| left == 0);
        if found.present {
            found.transport = match inspector.was_changed(pin) {
                Ok(changed) => Some(!changed),
                Err(error) if error.is_device() => return Err(Failure::of(Kind::Device, &error)),
                Err(_) => None,
            };
        }
        Ok(found)
    }

    fn state(&self) -> String {
        if !self.present {
            return "not on this chip".to_owned();
        }
        let mut state = match &self.note {
            Some(note) => note.clone(),
            None => known::tries_text(self.left, self.of),
        };
        if self.transport == Some(true) {
            state.push_str("; a transport PIN: its holder must change it first");
        }
        state
    }

    fn means(&self) -> String {
        let change = self.can_change.then(|| "changed by its holder".to_owned());
        let unblock = self.unblocked_by.iter();
        let unblock = unblock.map(|puk| format!("unblocked by {puk}"));
        let means: Vec<_> = change.into_iter().chain(unblock).collect();
        means.join(", ")
    }
}

impl Report {
    fn text(&self) -> String {
        let mut table = tables::headed(["PIN", "name", "state", "can be"]);
        for pin in &self.pins {
            table.add_row([&pin.title, &pin.name, &pin.state(), &pin.means()]);
        }
        let serial = self.serial.as_deref().unwrap_or("-");
        let pad = match self.pin_pad {
            true => "; the reader has a PIN pad",
            false => "",
        };
        format!("{table}\n{} {serial} in {}{pad}", self.product, self.reader)
    }
}
