//! A chip as a reader sees it: in the clear, through the holder's own door, by the commands that
//! its profile spells. It writes nothing.

use card::gp::{self, Cplc, KeyInfo, get_data, initialize_update, parse_key_information};
use card::{Channel, ExchangeError, Limits, Response, Status, exchange};
use profile::{
    ChipProfile, Detail, Dialect, KeyRules, Object, ObjectKind, PinValues, Position, RenderError,
    Rendered, Renderer, Taken, Value, Variables,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::action::Random;
use crate::executor::host_challenge;
use crate::step::signing_values;

/// The longest file that READ BINARY reaches by offset (*ISO/IEC 7816-4 §11.2.2*: 15 bits).
const LONGEST_FILE: usize = 0x8000;

/// Why something could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The chip refused a command.
    #[error("the chip answered {meaning} to {header} ({what})")]
    Refused {
        /// What was being done.
        what: String,
        /// CLA INS P1 P2 in hexadecimal.
        header: String,
        /// The status word.
        status: Status,
        /// What it means on this chip.
        meaning: String,
    },
    /// The answer lacks what the profile takes out of it.
    #[error("the chip's answer ({what}) has no \"{result}\" where the profile looks for it")]
    NoResult {
        /// What was being done.
        what: String,
        /// The result.
        result: String,
    },
    /// The profile has no command for this.
    #[error("the chip profile does not say how to {operation}")]
    Unspoken {
        /// The operation.
        operation: Dialect,
    },
    /// A file has no end.
    #[error("file \"{file}\" does not end within {LONGEST_FILE} bytes")]
    Endless {
        /// The file.
        file: String,
    },
    /// The card or its reader failed.
    #[error("the card could not be reached ({what})")]
    Card {
        /// What was being done.
        what: String,
        /// What happened.
        #[source]
        source: ExchangeError,
    },
    /// A template of the profile cannot be rendered.
    #[error("the profile cannot spell \"{what}\"")]
    Render {
        /// What was being done.
        what: String,
        /// Why.
        #[source]
        source: RenderError,
    },
}

impl InspectError {
    /// Returns the status word with which the chip refused, if it did.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Returns whether there is no such thing on the chip.
    pub fn is_absent(&self) -> bool {
        let absent = [Status::FILE_NOT_FOUND, Status::REFERENCE_NOT_FOUND];
        self.status().is_some_and(|status| absent.contains(&status))
    }

    /// Returns whether the chip wants a right that was not proved first.
    pub fn is_closed(&self) -> bool {
        self.status() == Some(Status::SECURITY_STATUS_NOT_SATISFIED)
    }

    /// Returns whether the card or its reader failed, so that nothing more can be read.
    pub fn is_device(&self) -> bool {
        matches!(self, Self::Card { .. })
    }
}

/// What an issuer security domain says of its chip to anybody; nothing where it does not.
#[derive(Clone, Debug, Default)]
pub struct Domain {
    /// The production life-cycle data, `9F7F`.
    pub cplc: Option<Cplc>,
    /// The keys of the secure channel, `00E0`.
    pub keys: Option<Vec<KeyInfo>>,
}

impl Domain {
    /// Asks the chip, of whatever product. Nothing is changed, no attempt is used.
    ///
    /// # Errors
    /// [`ExchangeError`] where the card or its reader fails.
    pub fn ask(channel: &mut dyn Channel, limits: &Limits) -> Result<Self, ExchangeError> {
        // SELECT without an AID: the issuer security domain (GP 2.3 §11.9.2.3).
        if !exchange(channel, &gp::select(&[]), limits)?
            .status()
            .is_ok()
        {
            return Ok(Self::default());
        }
        let mut ask = |tag| {
            exchange(channel, &get_data(tag), limits)
                .map(|answer| answer.status().is_ok().then(|| answer.into_data()))
        };
        let (cplc, keys) = (ask(0x9F7F)?, ask(0x00E0)?);
        Ok(Self {
            cplc: cplc.and_then(|data| Cplc::parse(&data).ok()),
            keys: keys.and_then(|data| parse_key_information(&data).ok()),
        })
    }

    /// Returns whether there are keys of this version; nothing where the chip does not say.
    pub fn has_version(&self, version: u8) -> Option<bool> {
        let keys = self.keys.as_ref()?;
        Some(keys.iter().any(|key| key.version == version))
    }
}

/// What a chip says it is, beside what its profile says it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The chip's serial number, in hexadecimal; nothing where it has none of its own.
    pub serial: Option<String>,
    /// The version of its operating system, in hexadecimal, where it says one.
    pub os: Option<String>,
    /// What is not as the profile expects: then it is another product.
    pub differences: Vec<Difference>,
}

/// Something that is not as the profile expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: String,
    /// What the chip says, in hexadecimal.
    pub found: String,
    /// What the profile says, in hexadecimal.
    pub expected: String,
}

/// How a chip took a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAnswer {
    /// It is right.
    Accepted,
    /// It is wrong; so many tries are left.
    Wrong(u8),
    /// It is blocked.
    Blocked,
}

/// Reads a chip through a channel that nobody else uses meanwhile.
pub struct Inspector<'a> {
    chip: &'a ChipProfile,
    channel: &'a mut dyn Channel,
    limits: Limits,
    position: Position,
    /// The application that was selected by its identifier.
    root: Option<String>,
    /// What the identification took.
    known: Variables,
}

impl<'a> Inspector<'a> {
    /// Makes an inspector of a chip.
    pub fn new(chip: &'a ChipProfile, channel: &'a mut dyn Channel) -> Self {
        Self {
            chip,
            limits: chip.limits,
            channel,
            position: Position::default(),
            root: None,
            known: Variables::default(),
        }
    }

    /// Keeps to what chip and reader take together.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns what an issuer security domain says of the chip.
    ///
    /// # Errors
    /// [`InspectError::Card`].
    pub fn domain(&mut self) -> Result<Domain, InspectError> {
        self.lost();
        Domain::ask(self.channel, &self.limits).map_err(|source| InspectError::Card {
            what: "ask the security domain".into(),
            source,
        })
    }

    /// Asks the chip what it is.
    ///
    /// # Errors
    /// [`InspectError`] where it does not answer the profile's commands: then it is surely
    /// another product.
    pub fn identify(&mut self) -> Result<Identity, InspectError> {
        const WHAT: &str = "identify";
        let spell = |source| InspectError::Render {
            what: WHAT.into(),
            source,
        };
        self.lost();
        let identify = &self.chip.identify;
        let atr = self.channel.atr().to_vec();
        let mut differences = Vec::new();
        if !identify.may_answer(&atr) {
            differences.push(Difference {
                what: "the answer to reset".into(),
                found: hex::encode_upper(atr),
                expected: identify.answers(),
            });
        }
        let mut found = Variables::default();
        for command in &identify.commands {
            let rendered = command.render(&found, &self.limits).map_err(spell)?;
            for (name, value) in self.results(WHAT, &rendered)? {
                found.set(name, Value::Bytes(value));
            }
        }
        for expectation in &identify.expect {
            let value = expectation.value.render(&found).map_err(spell)?;
            if !expectation.holds(&value) {
                differences.push(Difference {
                    what: expectation.what.clone(),
                    found: hex::encode_upper(&value[..]),
                    expected: expectation.expected(),
                });
            }
        }
        let text = |template: &Option<profile::Template>| {
            let rendered = template.as_ref().map(|template| template.render(&found));
            let rendered = rendered.transpose().map_err(spell)?;
            Ok(rendered.map(|bytes| hex::encode_upper(&bytes[..])))
        };
        let (serial, os) = (text(&identify.serial)?, text(&identify.os)?);
        if let Some(serial) = &serial {
            found.set("chip.serial", Value::text(serial.clone()));
        }
        self.known = found;
        Ok(Identity {
            serial,
            os,
            differences,
        })
    }

    /// Returns what the identification took, for the contents that rest on it.
    pub fn known(&self) -> &Variables {
        &self.known
    }

    /// Makes the place current where an object lives, or the place itself.
    ///
    /// # Errors
    /// [`InspectError::is_absent`] where there is none.
    pub fn go_to(&mut self, operation: Dialect, object: &Object) -> Result<(), InspectError> {
        let root = self.root_of(object);
        if self.root.as_deref() != Some(root.name.as_str()) {
            self.lost();
            self.run(Dialect::Select, &root, &[])?;
            self.position.selected(&root.name);
            self.root = Some(root.name);
        }
        if let Some(place) = self.position.enters(self.chip, operation, object).cloned() {
            self.run(Dialect::Enter, &place, &[])?;
            self.position.entered(&place.name);
        }
        Ok(())
    }

    /// Reads a whole file or data object, however long it is.
    ///
    /// # Errors
    /// [`InspectError`].
    pub fn read(&mut self, object: &Object) -> Result<Zeroizing<Vec<u8>>, InspectError> {
        let what = format!("read {} {}", kind(object).word(), object.name);
        let operation = reading(object);
        self.go_to(operation, object)?;
        let renderer = Renderer::new(self.chip, &self.limits, None);
        if self.chip.speaks(Dialect::SelectFile, object) && kind(object) == ObjectKind::File {
            self.run(Dialect::SelectFile, object, &[])?;
        }
        let step = renderer.reading_step();
        // Reserved whole, so that growing leaves no copy of what may be personal data.
        let mut content = Zeroizing::new(Vec::with_capacity(LONGEST_FILE));
        while content.len() < LONGEST_FILE {
            let spell = |source| InspectError::Render {
                what: what.clone(),
                source,
            };
            let rendered = renderer
                .read_from(object, content.len(), step, &self.known)
                .map_err(spell)?;
            if rendered.is_empty() {
                return Err(InspectError::Unspoken { operation });
            }
            let mut came = 0;
            let mut asked = 0;
            for rendered in rendered {
                asked += rendered.command.le().unwrap_or(0) as usize;
                let answer = self.transmit(&what, &rendered)?;
                match answer.status() {
                    // The file's length is a multiple of the step.
                    Status::WRONG_PARAMETERS if !content.is_empty() => return Ok(content),
                    Status::END_OF_FILE => {}
                    status if rendered.accepts(status) => {}
                    status => return Err(self.refused(&what, &rendered, status)),
                }
                let taken = rendered
                    .results(&answer)
                    .map_err(|result| InspectError::NoResult {
                        what: what.clone(),
                        result,
                    })?;
                let part = taken.get("content").map(|part| &part[..]);
                let part = part.unwrap_or(answer.data());
                came += part.len();
                content.extend_from_slice(part);
            }
            if !self.chip.reads_in_parts(object) || came < asked.min(step) {
                return Ok(content);
            }
        }
        Err(InspectError::Endless {
            file: object.name.clone(),
        })
    }

    /// Reads how many tries a PIN has left. It uses none.
    ///
    /// # Errors
    /// [`InspectError`].
    pub fn tries(&mut self, pin: &Object) -> Result<u8, InspectError> {
        self.go_to(Dialect::ReadTries, pin)?;
        let result = self.result(Dialect::ReadTries, pin, &[], "tries")?;
        match result[..] {
            [tries] => Ok(tries),
            _ => Err(InspectError::NoResult {
                what: format!("read the tries of {}", pin.title),
                result: "tries".into(),
            }),
        }
    }

    /// Returns whether the chip opens a channel of GlobalPlatform for a key set: it is asked for a
    /// challenge, which is not answered, so that no attempt is used.
    ///
    /// # Errors
    /// [`InspectError`] where the chip says neither yes nor that it has no such version (`6A88`,
    /// *GP Amendment D §7.1.1*).
    pub fn takes_keys(&mut self, name: &str) -> Result<bool, InspectError> {
        let chip = self.chip;
        let set = chip.channel.keys.get(name);
        let version = set.map_or(0, |set| set.version);
        let what = format!("ask for key version {version:02X}");
        self.lost();
        // Where a stage opens a channel under it; else the issuer security domain, which is the
        // one that is selected without a name (GP 2.3 §11.9.2.3).
        let selects = match chip.channel_home(name) {
            Some(home) => self.render(Dialect::Select, home, &[])?,
            None => vec![Rendered::plain(gp::select(&[]))],
        };
        for select in &selects {
            self.send(&what, select)?;
        }
        // Which challenge does not matter: nobody answers it.
        let mut zeros: Random = Box::new(|bytes| bytes.fill(0));
        let host = host_challenge(chip.channel.protocol(name), &mut zeros);
        let host = host.unwrap_or_else(|_| [0; 8].into());
        let ask = Rendered::plain(initialize_update(version, &host));
        match self.send(&what, &ask) {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(Status::REFERENCE_NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Presents a PIN, and uses a try when it is wrong.
    ///
    /// # Errors
    /// [`InspectError`] where the chip answers neither yes nor no.
    pub fn verify_pin(&mut self, pin: &Object, digits: &[u8]) -> Result<PinAnswer, InspectError> {
        self.go_to(Dialect::VerifyPin, pin)?;
        let values = spelled(Dialect::VerifyPin, pin, PinValues::of(digits))?;
        self.present(Dialect::VerifyPin, pin, &values)
    }

    /// Gives a PIN another value by the one before, and uses a try when that is wrong.
    ///
    /// # Errors
    /// [`InspectError`] where the chip answers neither yes nor no, or does not take the new value.
    pub fn change_pin(
        &mut self,
        pin: &Object,
        current: &[u8],
        new: &[u8],
    ) -> Result<PinAnswer, InspectError> {
        let values = PinValues {
            current: Some(current),
            ..PinValues::of(new)
        };
        self.go_to(Dialect::ChangePin, pin)?;
        let values = spelled(Dialect::ChangePin, pin, values)?;
        self.present(Dialect::ChangePin, pin, &values)
    }

    /// Gives a PIN a new value and its tries back by its PUK, and uses a try of the PUK when that
    /// is wrong.
    ///
    /// # Errors
    /// [`InspectError`] where the chip answers neither yes nor no, or does not take the new value.
    pub fn unblock_pin(
        &mut self,
        pin: &Object,
        (puk, digits): (&Object, &[u8]),
        new: &[u8],
    ) -> Result<PinAnswer, InspectError> {
        let values = PinValues {
            puk: Some((puk, digits)),
            ..PinValues::of(new)
        };
        self.go_to(Dialect::UnblockPin, pin)?;
        let values = spelled(Dialect::UnblockPin, pin, values)?;
        self.present(Dialect::UnblockPin, pin, &values)
    }

    /// Reads whether the holder has changed a PIN since it was issued.
    ///
    /// # Errors
    /// [`InspectError`]; [`InspectError::Unspoken`] where the chip does not say.
    pub fn was_changed(&mut self, pin: &Object) -> Result<bool, InspectError> {
        self.go_to(Dialect::ReadChanged, pin)?;
        let result = self.result(Dialect::ReadChanged, pin, &[], "changed")?;
        match result[..] {
            [byte] => Ok(byte != 0),
            _ => Err(InspectError::NoResult {
                what: format!("read whether {} was changed", pin.title),
                result: "changed".into(),
            }),
        }
    }

    /// Sends an operation that presents a secret, and reads how the chip took it.
    fn present(
        &mut self,
        operation: Dialect,
        pin: &Object,
        values: &[(&str, Value)],
    ) -> Result<PinAnswer, InspectError> {
        match self.run(operation, pin, values) {
            Ok(()) => Ok(PinAnswer::Accepted),
            Err(InspectError::Refused { status, .. }) if status.tries_left().is_some() => {
                Ok(PinAnswer::Wrong(status.tries_left().unwrap_or(0)))
            }
            Err(error) if error.status() == Some(Status::AUTHENTICATION_BLOCKED) => {
                Ok(PinAnswer::Blocked)
            }
            Err(error) => Err(error),
        }
    }

    /// Has the chip sign a message; the key's PIN must have been presented. The signature comes
    /// as the chip gives it.
    ///
    /// # Errors
    /// [`InspectError`].
    pub fn sign(
        &mut self,
        key: &Object,
        rules: &KeyRules,
        message: &[u8],
        random: &mut Random,
    ) -> Result<Zeroizing<Vec<u8>>, InspectError> {
        self.go_to(Dialect::Sign, key)?;
        let values = signing_values(rules, message, random).unwrap_or_default();
        self.result(Dialect::Sign, key, &values, "signature")
    }

    fn lost(&mut self) {
        self.position.lost();
        self.root = None;
    }

    /// Returns the application, selected by its identifier, in which an object lives.
    fn root_of(&self, object: &Object) -> Object {
        let mut place = object.clone();
        // Profiles are proved to have no circle; the bound is for whoever changes that.
        for _ in 0..16 {
            let next = match &place.detail {
                Detail::Application { within: None } => break,
                Detail::Application { within: Some(name) } => name,
                _ => &place.application,
            };
            match self.chip.object(ObjectKind::Application, next) {
                Some(next) => place = next.clone(),
                None => break,
            }
        }
        place
    }

    fn render(
        &self,
        operation: Dialect,
        object: &Object,
        values: &[(&str, Value)],
    ) -> Result<Vec<Rendered>, InspectError> {
        let commands = Renderer::new(self.chip, &self.limits, None)
            .operation_in(operation, object, values, &self.known)
            .map_err(|source| InspectError::Render {
                what: format!("{operation} {}", object.name),
                source,
            })?;
        if commands.is_empty() {
            return Err(InspectError::Unspoken { operation });
        }
        Ok(commands)
    }

    /// Sends an operation's commands.
    fn run(
        &mut self,
        operation: Dialect,
        object: &Object,
        values: &[(&str, Value)],
    ) -> Result<(), InspectError> {
        let what = format!("{operation} {}", object.name);
        for rendered in self.render(operation, object, values)? {
            self.send(&what, &rendered)?;
        }
        Ok(())
    }

    fn result(
        &mut self,
        operation: Dialect,
        object: &Object,
        values: &[(&str, Value)],
        result: &str,
    ) -> Result<Zeroizing<Vec<u8>>, InspectError> {
        let what = format!("{operation} {}", object.name);
        let mut found = None;
        for rendered in self.render(operation, object, values)? {
            found = self.results(&what, &rendered)?.remove(result).or(found);
        }
        found.ok_or_else(|| InspectError::NoResult {
            what,
            result: result.to_owned(),
        })
    }

    /// Sends a command and takes the results out of its answer.
    fn results(&mut self, what: &str, rendered: &Rendered) -> Result<Taken, InspectError> {
        let answer = self.send(what, rendered)?;
        rendered
            .results(&answer)
            .map_err(|result| InspectError::NoResult {
                what: what.to_owned(),
                result,
            })
    }

    fn send(&mut self, what: &str, rendered: &Rendered) -> Result<Response, InspectError> {
        let answer = self.transmit(what, rendered)?;
        if rendered.accepts(answer.status()) {
            Ok(answer)
        } else {
            Err(self.refused(what, rendered, answer.status()))
        }
    }

    fn transmit(&mut self, what: &str, rendered: &Rendered) -> Result<Response, InspectError> {
        exchange(self.channel, &rendered.command, &self.limits).map_err(|source| {
            InspectError::Card {
                what: what.to_owned(),
                source,
            }
        })
    }

    fn refused(&self, what: &str, rendered: &Rendered, status: Status) -> InspectError {
        InspectError::Refused {
            what: what.to_owned(),
            header: hex::encode_upper(rendered.command.header()),
            status,
            meaning: self.chip.meaning(status),
        }
    }
}

/// Returns the values of an operation on a PIN, as its commands name them.
fn spelled(
    operation: Dialect,
    pin: &Object,
    values: PinValues<'_>,
) -> Result<Vec<(&'static str, Value)>, InspectError> {
    values
        .variables(pin)
        .map_err(|source| InspectError::Render {
            what: format!("{operation} {}", pin.name),
            source,
        })
}

/// Returns whether an object is a file or a data object.
fn kind(object: &Object) -> ObjectKind {
    match object.detail {
        Detail::Data { .. } => ObjectKind::Data,
        _ => ObjectKind::File,
    }
}

/// Returns the operation by which an object is read.
fn reading(object: &Object) -> Dialect {
    match kind(object) {
        ObjectKind::Data => Dialect::GetData,
        _ => Dialect::ReadFile,
    }
}
