//! A channel whose PINs are entered on the reader's own keys.

use std::time::Duration;

use card::{Channel, ChannelError};
use zeroize::Zeroizing;

use crate::connection::LOOKING;
use crate::pin_pad::{Asked, Features, PinEntry, PinPadFault, Properties};

/// `CM_IOCTL_GET_FEATURE_REQUEST` (*PC/SC part 10 §2.2*).
const GET_FEATURE_REQUEST: u32 = 3400;
/// How long the reader may take: three entries of up to half a minute for each of their first and
/// next keys, and the card's own work.
const ENTERING: Duration = Duration::from_secs(300);

/// A card in a reader that takes orders itself.
pub trait Control {
    /// Sends a control command to the reader's driver and returns its answer.
    ///
    /// # Errors
    /// [`ChannelError`], also where the driver has no such command.
    fn control(&mut self, code: u32, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError>;
}

/// A reader's pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinPad {
    features: Features,
    properties: Properties,
}

impl PinPad {
    /// Asks a reader for its pad; nothing where it has none, or says what makes no sense.
    ///
    /// # Errors
    /// [`ChannelError`] where the card is gone or the reader does not answer.
    pub fn ask(reader: &mut impl Control) -> Result<Option<Self>, ChannelError> {
        let code = feature_request();
        // A driver without control commands refuses each in its own words.
        let features = match reader.control(code, &[]) {
            Err(ChannelError::Device { .. }) => return Ok(None),
            answer => answer?,
        };
        let Ok(features) = Features::parse(&features) else {
            return Ok(None);
        };
        if features.verify.is_none() && features.modify.is_none() {
            return Ok(None);
        }
        let properties = match features.properties.map(|code| reader.control(code, &[])) {
            None | Some(Err(ChannelError::Device { .. })) => Properties::default(),
            Some(answer) => Properties::parse(&answer?).unwrap_or_default(),
        };
        Ok(Some(Self {
            features,
            properties,
        }))
    }

    /// Returns whether it asks for a PIN to be presented.
    pub fn verifies(&self) -> bool {
        self.features.verify.is_some()
    }

    /// Returns whether it asks for a PIN's new value, and the one before.
    pub fn modifies(&self) -> bool {
        self.features.modify.is_some()
    }

    fn code(&self, asked: Asked) -> Option<u32> {
        match asked {
            Asked::Verify(_) => self.features.verify,
            Asked::Modify { .. } => self.features.modify,
        }
    }
}

/// Returns the control code of `CM_IOCTL_GET_FEATURE_REQUEST` on this system.
pub(crate) fn feature_request() -> u32 {
    // Control codes have 32 bits everywhere, whatever the type that carries them.
    u32::try_from(pcsc::ctl_code(GET_FEATURE_REQUEST.into())).unwrap_or_default()
}

/// A channel in which some commands are not sent as they are: the reader asks for their PINs and
/// sends them. What stands for a PIN in such a command goes nowhere.
pub struct OnPad<C> {
    inner: C,
    /// The entries, each with its control code and structure.
    entries: Vec<(PinEntry, u32, Vec<u8>)>,
    patience: Duration,
}

impl<C: Channel + Control> OnPad<C> {
    /// Has these commands done by the reader's pad.
    ///
    /// # Errors
    /// [`PinPadFault`] where the pad cannot do one of them.
    pub fn new(inner: C, pad: &PinPad, entries: Vec<PinEntry>) -> Result<Self, (C, PinPadFault)> {
        let ready = |entry: PinEntry| {
            let entry = entry.within(&pad.properties)?;
            let code = pad.code(entry.asked()).ok_or(PinPadFault::Refused)?;
            let structure = entry.encode(pad.properties.display);
            Ok((entry, code, structure))
        };
        let entries: Result<Vec<_>, _> = entries.into_iter().map(ready).collect();
        match entries {
            Ok(entries) => Ok(Self {
                inner,
                entries,
                patience: LOOKING,
            }),
            Err(fault) => Err((inner, fault)),
        }
    }

    fn enter(&mut self, code: u32, structure: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.inner.set_patience(ENTERING);
        let answer = self.inner.control(code, structure);
        self.inner.set_patience(self.patience);
        let answer = answer?;
        let fault = match answer[..] {
            [first, second] => PinPadFault::of([first, second]),
            _ => Some(PinPadFault::Answer(answer.len())),
        };
        match fault {
            None => Ok(answer.to_vec()),
            Some(fault) => Err(ChannelError::Device {
                context: fault.to_string(),
                source: Some(Box::new(fault)),
            }),
        }
    }
}

impl<C: Channel + Control> Channel for OnPad<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let found = self.entries.iter().find(|(entry, ..)| entry.fits(command));
        match found.map(|(_, code, structure)| (*code, structure.clone())) {
            Some((code, structure)) => self.enter(code, &structure),
            None => self.inner.transmit(command),
        }
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.inner.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
        self.inner.set_patience(patience);
    }
}

#[cfg(test)]
#[path = "../../tests/reader/on_pad.rs"]
mod tests;
