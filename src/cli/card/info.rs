//! `zimogs card info`: what the chip in a reader is.

use std::process::ExitCode;

use card::gp::{Cplc, CplcDate, KeyInfo, KeyKind};
use card::{Channel, Limits};
use clap::Args;
use perso::{Domain, Identity, InspectError, Inspector};
use profile::{ChipProfile, Detail, ObjectKind};
use reader::Capabilities;
use serde::Serialize;

use crate::cli::card::place::Place;
use crate::cli::card::profiles::{self, More};
use crate::cli::card::recognition::{self, Spoken};
use crate::cli::card::state::StateOption;
use crate::cli::card::tables;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card info`.
#[derive(Args)]
pub(crate) struct Info {
    #[command(flatten)]
    place: Place,
    /// The chip profile that it should be: a file, or the name of a shipped one. Without it every
    /// profile that its answer to reset fits is tried.
    #[arg(long)]
    chip: Option<String>,
    #[command(flatten)]
    more: More,
    #[command(flatten)]
    state: StateOption,
    /// Measure anew what card and reader carry, instead of trusting what was measured before.
    #[arg(long)]
    fresh: bool,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What the chip is. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    reader: String,
    atr: String,
    /// The chip profile that it fits; nothing when it fits none.
    product: Option<String>,
    title: Option<String>,
    serial: Option<String>,
    os: Option<String>,
    /// Why it does not fit the profile that was named.
    differences: Vec<String>,
    /// `blank`, `in-use`, `half-way` (the maker's keys beside the issuer's) or `unknown`.
    state: &'static str,
    /// What card and reader carry together.
    carries: Carries,
    cplc: Option<Vec<Field>>,
    keys: Option<Vec<Key>>,
    /// Which secure channels the issuer's domain says it speaks; nothing where it does not say.
    channels: Option<Vec<Spoken>>,
    pins: Vec<Pin>,
    /// What the chip says otherwise than its profile, though it fits.
    warnings: Vec<String>,
}

/// What card and reader carry together, as it was measured.
#[derive(Default, Serialize)]
struct Carries {
    /// `T=0`, `T=1`, `T=CL`; nothing where nobody tells.
    protocol: Option<String>,
    /// Whether a command of extended length passed.
    extended: bool,
    /// Most data bytes of a command that passed.
    command: usize,
    /// Most data bytes of an answer that passed.
    response: Option<usize>,
    /// Whether the card takes chains; nothing where that cannot be seen.
    chaining: Option<bool>,
}

/// One field of the production life-cycle data.
#[derive(Serialize)]
struct Field {
    name: &'static str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
}

/// One key of the issuer's secure channel.
#[derive(Serialize)]
pub(crate) struct Key {
    version: String,
    id: u8,
    kind: String,
    bytes: u16,
    /// The chip profile's name of the key set.
    set: Option<String>,
}

/// One PIN.
#[derive(Serialize)]
struct Pin {
    name: String,
    title: String,
    /// Tries left; nothing where the chip does not say.
    left: Option<u8>,
    of: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Looks at the chip.
pub(crate) fn run(options: &Info) -> Result<ExitCode, Failure> {
    let named = options.chip.as_deref().map(profiles::chip).transpose()?;
    let mut connection = options.place.connect()?;
    let reader = connection.reader().to_owned();
    let atr = connection.atr().to_vec();
    let mut report = Report {
        reader,
        atr: hex::encode_upper(&atr),
        product: None,
        title: None,
        serial: None,
        os: None,
        differences: Vec::new(),
        state: "unknown",
        carries: Carries::default(),
        cplc: None,
        keys: None,
        channels: None,
        pins: Vec::new(),
        warnings: Vec::new(),
    };
    let domain = Domain::ask(&mut connection, &Limits::default()).or_fail(Kind::Device)?;
    report.cplc = domain.cplc.as_ref().map(fields);
    let recognition = recognition::ask(&mut connection, &Limits::default())?;
    let only_named = named.is_some();
    let candidates = match named {
        Some(chip) => vec![chip],
        None => options
            .more
            .chips()?
            .into_iter()
            .filter(|chip| chip.identify.may_answer(&atr))
            .collect(),
    };
    let mut fits = None;
    for chip in &candidates {
        let mut inspector = Inspector::new(chip, &mut connection);
        match identity(&mut inspector)? {
            Ok(identity) if identity.differences.is_empty() => {
                report.product = Some(chip.name.clone());
                report.title = Some(chip.title.clone());
                report.serial = identity.serial;
                report.os = identity.os;
                report.pins = pins(chip, &mut inspector)?;
                fits = Some(chip);
                break;
            }
            Ok(other) => report
                .differences
                .extend(other.differences.iter().map(|difference| {
                    let perso::Difference {
                        what,
                        found,
                        expected,
                    } = difference;
                    format!(
                        "no \"{}\": {what} is {found}, expected {expected}",
                        chip.name
                    )
                })),
            Err(error) => report
                .differences
                .push(format!("no \"{}\": {error}", chip.name)),
        }
    }
    // Last, since it resets the card. Of an unknown product nothing beyond short commands is tried.
    let (product, limits) = match fits {
        Some(chip) => (chip.name.as_str(), chip.limits),
        None => ("", Limits::default()),
    };
    report.carries = Carries::of(&options.state.open()?.capabilities(
        &mut connection,
        product,
        &limits,
        options.fresh,
    )?);
    report.state = fits.map_or("unknown", |chip| state(chip, &domain));
    let sets = fits.map(|chip| chip.channel.of_global_platform());
    let mut sets = sets.into_iter().flatten();
    let contradiction = sets.find_map(|(_, set)| recognition.contradicts(&set.protocol));
    report.warnings.extend(contradiction);
    report.channels = recognition.spoken;
    report.keys = domain
        .keys
        .map(|keys| keys.iter().map(|key| Key::of(key, fits)).collect());
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    // Only who named a profile asked a question that has a wrong answer.
    Ok(if only_named && fits.is_none() {
        ExitCode::from(Kind::Failed as u8)
    } else {
        ExitCode::SUCCESS
    })
}

impl Carries {
    fn of(found: &Capabilities) -> Self {
        Self {
            protocol: found.protocol.map(|protocol| protocol.to_string()),
            extended: found.extended,
            command: found.command,
            response: found.response,
            chaining: found.chaining,
        }
    }

    fn text(&self) -> String {
        format!(
            "{}, {} commands up to {} bytes{}{}",
            self.protocol.as_deref().unwrap_or("protocol not known"),
            if self.extended { "extended" } else { "short" },
            self.command,
            self.response
                .map(|response| format!(", answers up to {response}"))
                .unwrap_or_default(),
            match self.chaining {
                Some(true) => ", chains",
                // Which commands come in chains is the profile's to say: this was one of them.
                Some(false) | None => "",
            }
        )
    }
}

/// Asks for the identity; only a card that cannot be reached ends the command.
fn identity(inspector: &mut Inspector<'_>) -> Result<Result<Identity, InspectError>, Failure> {
    match inspector.identify() {
        Err(error) if error.is_device() => Err(Failure::of(Kind::Device, &error)),
        answer => Ok(answer),
    }
}

fn pins(chip: &ChipProfile, inspector: &mut Inspector<'_>) -> Result<Vec<Pin>, Failure> {
    let mut pins = Vec::new();
    for object in chip.objects(ObjectKind::Pin) {
        let Detail::Pin(rules) = &object.detail else {
            continue;
        };
        let (left, note) = match inspector.tries(object) {
            Ok(left) => (Some(left), None),
            Err(error) if error.is_device() => return Err(Failure::of(Kind::Device, &error)),
            Err(error) if error.is_absent() => (None, Some("not on the chip".to_owned())),
            Err(error) => (None, Some(error.to_string())),
        };
        pins.push(Pin {
            name: object.name.clone(),
            title: object.title.clone(),
            left,
            of: rules.tries,
            note,
        });
    }
    Ok(pins)
}

fn state(chip: &ChipProfile, domain: &Domain) -> &'static str {
    // Of other sets nothing but an attempt would tell, and a card counts those.
    let channel = &chip.channel;
    let sets = channel.of_global_platform();
    let (makers, others): (Vec<_>, Vec<_>) = sets.partition(|(name, _)| channel.is_makers(name));
    let makers = makers.first();
    let makers = makers.and_then(|(_, set)| domain.has_version(set.version));
    let mut others = others.into_iter();
    let issuers = others.any(|(_, set)| domain.has_version(set.version) == Some(true));
    match (makers, issuers) {
        (Some(true), false) => "blank",
        (Some(true), true) => "half-way",
        (Some(false), _) => "in-use",
        (None, _) => "unknown",
    }
}

fn fields(cplc: &Cplc) -> Vec<Field> {
    let bytes = |name, value: &[u8]| Field {
        name,
        value: hex::encode_upper(value),
        date: None,
    };
    let date = |name, value: CplcDate| Field {
        name,
        value: hex::encode_upper(value.bytes()),
        // Zeros are a date that nobody wrote.
        date: value
            .year_digit_and_day()
            .map(|(year, day)| format!("day {day} of a year that ends in {year}")),
    };
    vec![
        bytes("IC fabricator", &cplc.ic_fabricator),
        bytes("IC type", &cplc.ic_type),
        bytes("operating system", &cplc.operating_system),
        date("operating system release date", cplc.operating_system_date),
        bytes(
            "operating system release level",
            &cplc.operating_system_level,
        ),
        date("IC fabrication date", cplc.ic_fabrication_date),
        bytes("IC serial number", &cplc.ic_serial_number),
        bytes("IC batch", &cplc.ic_batch),
        bytes("module fabricator", &cplc.module_fabricator),
        date("module packaging date", cplc.module_packaging_date),
        bytes("card manufacturer", &cplc.card_manufacturer),
        date("embedding date", cplc.embedding_date),
        bytes("pre-personalizer", &cplc.pre_personalizer),
        date("pre-personalization date", cplc.pre_personalization_date),
        bytes(
            "pre-personalization equipment",
            &cplc.pre_personalization_equipment,
        ),
        bytes("personalizer", &cplc.personalizer),
        date("personalization date", cplc.personalization_date),
        bytes("personalization equipment", &cplc.personalization_equipment),
    ]
}

fn kind(kind: KeyKind) -> String {
    match kind {
        KeyKind::Des => "DES".into(),
        KeyKind::TripleDesCbc => "Triple DES".into(),
        KeyKind::Aes => "AES".into(),
        KeyKind::RsaPublic => "RSA public".into(),
        KeyKind::EcPublic => "EC public".into(),
        other => format!("{other:?}"),
    }
}

impl Key {
    pub(crate) fn of(key: &KeyInfo, chip: Option<&ChipProfile>) -> Self {
        let set = chip.and_then(|chip| {
            chip.channel
                .keys
                .iter()
                .find(|(_, set)| set.version == key.version)
        });
        Self {
            version: format!("{:02X}", key.version),
            id: key.id,
            kind: kind(key.kind),
            bytes: key.length,
            set: set.map(|(name, _)| name.clone()),
        }
    }

    /// Returns a row of a table: version, id, kind, bytes, key set.
    pub(crate) fn row(&self) -> [String; 5] {
        [
            self.version.clone(),
            self.id.to_string(),
            self.kind.clone(),
            self.bytes.to_string(),
            self.set.clone().unwrap_or_default(),
        ]
    }
}

impl Report {
    fn text(&self) -> String {
        let state = match self.state {
            "blank" => "blank: it holds its maker's keys",
            "in-use" => "in use: its maker's keys are gone",
            "half-way" => "half-way: it holds its maker's keys beside others",
            _ => "unknown: it does not say which keys it holds, or no profile says which are whose",
        };
        let mut table = tables::plain();
        table.add_row(["reader", &self.reader]);
        table.add_row(["answer to reset", &self.atr]);
        let product = match (&self.product, &self.title) {
            (Some(name), Some(title)) => format!("{name}: {title}"),
            _ => "fits no profile".to_owned(),
        };
        table.add_row(["product", &product]);
        for difference in self.differences.iter().filter(|_| self.product.is_none()) {
            table.add_row(["", difference]);
        }
        table.add_row(["chip serial", self.serial.as_deref().unwrap_or("-")]);
        table.add_row(["operating system", self.os.as_deref().unwrap_or("-")]);
        table.add_row(["state", state]);
        table.add_row(["card and reader", &self.carries.text()]);
        for channel in self.channels.iter().flatten() {
            table.add_row(["secure channel", &channel.text()]);
        }
        for warning in &self.warnings {
            table.add_row(["mind", warning]);
        }
        for key in self.keys.iter().flatten() {
            let set = key
                .set
                .as_ref()
                .map(|set| format!(" ({set})"))
                .unwrap_or_default();
            let text = format!(
                "version {}{set}, id {}, {}, {} bytes",
                key.version, key.id, key.kind, key.bytes
            );
            table.add_row(["key", &text]);
        }
        for pin in &self.pins {
            let text = match (pin.left, &pin.note) {
                (Some(left), _) => format!("{left} of {} tries left", pin.of),
                (None, note) => note.clone().unwrap_or_default(),
            };
            table.add_row([&pin.title, &text]);
        }
        for field in self.cplc.iter().flatten() {
            let text = match &field.date {
                Some(date) => format!("{} ({date})", field.value),
                None => field.value.clone(),
            };
            table.add_row([&format!("CPLC {}", field.name), &text]);
        }
        table.to_string()
    }
}
