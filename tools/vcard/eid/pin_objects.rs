//! PIN objects: PUT DATA makes one, GET DATA tells of one (ISO/IEC 7816-4 §11.4).

use card::tlv::{self, Tag};
use card::{Command, Status};

use crate::command::parameters;
use crate::eid::access::{AccessRule, Mode};
use crate::eid::state::Pin;
use crate::eid::turn::{Outcome, Reply, Turn};
use crate::objects::{Objects, object};

/// Bytes of every PIN field.
pub(crate) const FIELD: usize = 12;
/// Tag `BF81rr` of the PIN object with number `rr`.
const PIN_OBJECT: u32 = 0x00BF_8100;

/// `00 CB 3F FF  4D 08 70 06 BF81rr 02 A080`.
pub(crate) fn get_data(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    parameters(command, 0x3F, 0xFF)?;
    // An extended header list (§8.5.1 of the 2013 edition): A0 80 means "A0, the whole of it".
    let [0x4D, 0x08, 0x70, 0x06, 0xBF, 0x81, number, 0x02, 0xA0, 0x80] = *command.data() else {
        return Err(Status::WRONG_DATA);
    };
    let index = turn
        .visible_pin(number)
        .ok_or(Status::REFERENCE_NOT_FOUND)?;
    let pin = turn.state.pins.get(index).ok_or(Status::UNKNOWN)?;
    if !pin.rule.allows(Mode::Read, turn) {
        return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
    }
    let rules = [
        object::<0x8C>(pin.rule.as_bytes()),
        object::<0x9C>(pin.contactless.as_bytes()),
    ];
    let about = [
        object::<0x9A>(&[pin.max]),
        object::<0x9B>(&[pin.left]),
        object::<0xA1>(&rules.concat()),
    ];
    let tag = Tag::new(PIN_OBJECT | u32::from(number)).map_err(|_| Status::WRONG_DATA)?;
    let answer = tlv::encode(tag, &object::<0xA0>(&about.concat()));
    Ok(object::<0x70>(&answer).into())
}

/// `00 DB 3F FF  70 { BF81rr { A0 { 9A, 80, 81, A1 { 8C, 9C } } } }`, in the current DF.
pub(crate) fn put_data(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.personalizing()?;
    parameters(command, 0x3F, 0xFF)?;
    let content = Objects::single(command.data(), 0x70)?;
    let (tag, _) = Tag::parse(content).map_err(|_| Status::WRONG_DATA)?;
    let number = match tag.value() {
        value @ 0x00BF_8101..=0x00BF_810F => (value & 0x0F) as u8,
        _ => return Err(Status::WRONG_DATA),
    };
    let pin = parse(
        turn.volatile.directory,
        number,
        Objects::single(content, tag.value())?,
    )?;
    let same = |other: &Pin| (other.home, other.number) == (pin.home, pin.number);
    if turn.state.pins.iter().any(same) {
        return Err(Status::NAME_EXISTS);
    }
    turn.room(64)?;
    turn.state.pins.push(pin);
    Ok(Reply::done())
}

fn parse(home: usize, number: u8, object: &[u8]) -> Result<Pin, Status> {
    let about = Objects::parse(Objects::single(object, 0xA0)?, &[0x9A, 0x80, 0x81, 0xA1])?;
    let rules = Objects::parse(about.need(0xA1)?, &[0x8C, 0x9C])?;
    let (max, minimum) = (about.byte(0x9A)?, about.byte(0x80)?);
    let stored = usize::from(about.byte(0x81)?);
    if !matches!(max, 1..=15) || !matches!(minimum, 4..=12) || stored != FIELD {
        return Err(Status::WRONG_DATA);
    }
    let rule = |tag| {
        let bytes = rules.need(tag)?;
        // A PIN's access modes are proprietary ones: b8 says so. Six bytes keep the place of
        // the tries in GET DATA's answer where middleware looks for it.
        match bytes {
            [mode, _, _, _, _, _] if mode & 0x80 != 0 => AccessRule::parse(bytes),
            _ => Err(Status::WRONG_DATA),
        }
    };
    Ok(Pin {
        home,
        number,
        max,
        left: max,
        minimum,
        rule: rule(0x8C)?,
        contactless: rule(0x9C)?,
        value: None,
    })
}
