//! A reader with a PIN pad, as strict as a driver of the USB CCID class: what it is asked it reads
//! by the layout of PC/SC part 10 and refuses where a field is wrong or missing. The fingers on its
//! keys are the test's.

use std::collections::VecDeque;

use card::{Channel, ChannelError};

use zeroize::Zeroizing;

use super::Control;

/// The reader's own codes; another driver has others.
const VERIFY: u32 = 0x4233_0006;
const MODIFY: u32 = 0x4233_0007;
const PROPERTIES: u32 = 0x4233_0012;

/// What somebody does at the pad for one command.
#[derive(Clone, Debug)]
pub(crate) enum Fingers {
    /// Types these, one after another: the PIN; or the one before, the new one, and it again.
    Type(Vec<&'static str>),
    /// Presses the red key.
    Cancel,
    /// Goes away.
    Nothing,
}

/// The reader and the card in it.
pub(crate) struct Driver<C> {
    card: C,
    /// What its answer to the request for features says.
    pub(crate) features: Vec<u8>,
    /// What its properties say.
    pub(crate) properties: Vec<u8>,
    fingers: VecDeque<Fingers>,
    /// Every control code it was sent.
    pub(crate) codes: Vec<u32>,
    /// Every command that came by the ordinary way.
    pub(crate) plain: Vec<Vec<u8>>,
}

impl<C: Channel> Driver<C> {
    pub(crate) fn new(card: C, fingers: Vec<Fingers>) -> Self {
        let mut features = Vec::new();
        for (tag, code) in [(0x06, VERIFY), (0x07, MODIFY), (0x12, PROPERTIES)] {
            features.extend([tag, 4]);
            features.extend(code.to_be_bytes());
        }
        Self {
            card,
            features,
            // No display, 4 to 12 digits.
            properties: vec![0x01, 2, 0, 0, 0x06, 1, 4, 0x07, 1, 12],
            fingers: fingers.into(),
            codes: Vec::new(),
            plain: Vec::new(),
        }
    }

    fn enter(&mut self, structure: &Structure) -> Result<Vec<u8>, ChannelError> {
        let typed = match self.fingers.pop_front() {
            Some(Fingers::Type(typed)) => typed,
            Some(Fingers::Cancel) => return Ok(vec![0x64, 0x01]),
            Some(Fingers::Nothing) | None => return Ok(vec![0x64, 0x00]),
        };
        let (least, most) = structure.digits;
        let fits = |pin: &&str| (least..=most).contains(&pin.len());
        if !typed.iter().all(fits) {
            return Ok(vec![0x64, 0x03]);
        }
        let mut command = structure.command.clone();
        match (&typed[..], &structure.offsets[..]) {
            ([pin], [offset]) => structure.put(&mut command, *offset, pin),
            ([old, new, again], [first, second]) => {
                if new != again {
                    return Ok(vec![0x64, 0x02]);
                }
                structure.put(&mut command, *first, old);
                structure.put(&mut command, *second, new);
            }
            other => panic!("typed {other:?}"),
        }
        self.card.transmit(&command)
    }
}

impl<C: Channel> Control for Driver<C> {
    fn control(&mut self, code: u32, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        self.codes.push(code);
        let unknown = || ChannelError::Device {
            context: "the driver has no such command".into(),
            source: None,
        };
        let answer = match code {
            // What a Linux service calls CM_IOCTL_GET_FEATURE_REQUEST.
            0x4200_0D48 if data.is_empty() => Ok(self.features.clone()),
            PROPERTIES if data.is_empty() => Ok(self.properties.clone()),
            VERIFY | MODIFY => match Structure::read(data, code == MODIFY) {
                Some(structure) => self.enter(&structure),
                None => Ok(vec![0x6B, 0x80]),
            },
            _ => Err(unknown()),
        };
        answer.map(Zeroizing::new)
    }
}

impl<C: Channel> Channel for Driver<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.plain.push(command.to_vec());
        self.card.transmit(command)
    }

    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.card.reset()
    }
}

/// `PIN_VERIFY_STRUCTURE` or `PIN_MODIFY_STRUCTURE` as the driver reads it.
struct Structure {
    /// Bytes of the field that the digits are put into; 0 where they have none.
    block: usize,
    digits: (usize, usize),
    /// Where the PINs stand in the data.
    offsets: Vec<usize>,
    command: Vec<u8>,
}

impl Structure {
    fn read(bytes: &[u8], modifies: bool) -> Option<Self> {
        let (fixed, command) = bytes.split_at_checked(if modifies { 24 } else { 19 })?;
        let (mut fields, length) = fixed.split_at_checked(fixed.len() - 4)?;
        let mut take = |count: usize| {
            let (taken, rest) = fields.split_at_checked(count)?;
            fields = rest;
            Some(taken.to_vec())
        };
        let times = take(2)?;
        let format = take(1)?[0];
        let block = take(1)?[0];
        let length_format = take(1)?[0];
        let offsets = if modifies { take(2)? } else { Vec::new() };
        let extra = take(2)?;
        let confirm = if modifies { take(1)?[0] } else { 0 };
        let validation = take(1)?[0];
        let messages = take(1)?[0];
        let _language = take(2)?;
        let indices = take(if modifies { 3 } else { 1 })?;
        let prologue = take(3)?;
        let said = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (least, most) = (usize::from(extra[1]), usize::from(extra[0]));
        let position = usize::from((format >> 3) & 0x0F);
        let offsets: Vec<usize> = match modifies {
            true => offsets.into_iter().map(usize::from).collect(),
            false => vec![position],
        };
        let is_sound = times.iter().all(|seconds| *seconds > 0)
            // Bytes, left-justified, ASCII; the length of the PIN stands nowhere.
            && format & 0x87 == 0x82
            && block & 0xF0 == 0
            && length_format == 0
            && (!modifies || position == 0)
            && least > 0
            && least <= most
            && (!modifies || confirm == 0x03)
            && validation == 0x02
            && messages == 0
            && indices == if modifies { vec![0, 1, 2] } else { vec![0] }
            && prologue == [0, 0, 0]
            && said == command.len();
        let block = usize::from(block & 0x0F);
        let data = command.get(5..).unwrap_or_default();
        let has_lc = command
            .get(4)
            .is_none_or(|lc| usize::from(*lc) == data.len());
        let fits = offsets.iter().all(|offset| offset + block <= data.len());
        (is_sound && command.len() >= 4 && has_lc && fits && most <= block.max(12)).then(|| Self {
            block,
            digits: (least, most),
            offsets,
            command: command.to_vec(),
        })
    }

    /// Puts the digits into the command, left-justified; what filled the field stays behind them.
    fn put(&self, command: &mut Vec<u8>, offset: usize, pin: &str) {
        if self.block == 0 {
            command.truncate(4);
            command.push(u8::try_from(pin.len()).unwrap());
            command.extend_from_slice(pin.as_bytes());
            return;
        }
        let place = 5 + offset;
        command[place..place + pin.len()].copy_from_slice(pin.as_bytes());
    }
}
