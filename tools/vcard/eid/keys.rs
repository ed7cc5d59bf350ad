//! GENERATE ASYMMETRIC KEY PAIR (ISO/IEC 7816-8 §11.2): the private key is made here and
//! never leaves.

use card::{Command, Status};

use crate::applet::broken;
use crate::curve::Curve;
use crate::eid::access::{AccessRule, Mode};
use crate::eid::state::{KeyPair, MF, Usage};
use crate::eid::turn::{Outcome, Turn};
use crate::objects::{Objects, object};

/// `00 47 80 00  AC { 80, 84, 95, 8C }` makes a pair, `00 47 81 00  AC { 84 }` reads the
/// public key again. Both in the current DF, both answer `7F49 { 86 <04 ‖ X ‖ Y> }`.
pub(crate) fn generate(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let public = match (command.p1(), command.p2()) {
        (0x80, 0x00) => make(turn, command)?,
        (0x81, 0x00) => read(turn, command)?,
        _ => return Err(Status::WRONG_P1_P2),
    };
    Ok(object::<0x7F49>(&object::<0x86>(&public)).into())
}

fn make(turn: &mut Turn<'_>, command: &Command) -> Result<Vec<u8>, Status> {
    turn.session()?;
    let home = turn.volatile.directory;
    if home == MF {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    let template = Objects::single(command.data(), 0xAC)?;
    let template = Objects::parse(template, &[0x80, 0x84, 0x95, 0x8C])?;
    let curve = Curve::from_number(template.byte(0x80)?).ok_or(Status::WRONG_DATA)?;
    let reference = template.byte(0x84)?;
    let usage = match template.byte(0x95)? {
        0x40 => Usage::Authentication,
        0x80 => Usage::Signature,
        _ => return Err(Status::WRONG_DATA),
    };
    let rule = AccessRule::parse(template.need(0x8C)?)?;
    let place = place(turn, reference);
    if !turn.open_for_personalization() {
        let key = place.and_then(|place| turn.state.keys.get(place));
        let key = key.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        // A new key in an issued card keeps its old key's use and rule.
        let same = (key.usage, &key.rule) == (usage, &rule);
        if !same || !key.rule.allows(Mode::Update, turn) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
    }
    if place.is_none() {
        turn.room(192)?;
    }
    let (private, public) = curve.generate().map_err(broken)?;
    let pair = KeyPair {
        home,
        reference,
        curve,
        usage,
        rule,
        private,
        public: public.clone(),
    };
    match place.and_then(|place| turn.state.keys.get_mut(place)) {
        Some(old) => *old = pair,
        None => turn.state.keys.push(pair),
    }
    turn.volatile.environment = None;
    turn.work.key = Some(curve.work());
    turn.work.written += 192;
    Ok(public)
}

fn read(turn: &Turn<'_>, command: &Command) -> Result<Vec<u8>, Status> {
    let template = Objects::single(command.data(), 0xAC)?;
    let reference = Objects::parse(template, &[0x84])?.byte(0x84)?;
    let key = find(turn, reference)?;
    let issuer_at_work = turn.open_for_personalization() && turn.session().is_ok();
    if issuer_at_work || key.rule.allows(Mode::Read, turn) {
        Ok(key.public.clone())
    } else {
        Err(Status::SECURITY_STATUS_NOT_SATISFIED)
    }
}

fn place(turn: &Turn<'_>, reference: u8) -> Option<usize> {
    let home = turn.volatile.directory;
    let mut keys = turn.state.keys.iter();
    keys.position(|key| (key.home, key.reference) == (home, reference))
}

/// Finds a key of the current DF.
pub(crate) fn find<'a>(turn: &'a Turn<'_>, reference: u8) -> Result<&'a KeyPair, Status> {
    let place = place(turn, reference);
    let key = place.and_then(|place| turn.state.keys.get(place));
    key.ok_or(Status::REFERENCE_NOT_FOUND)
}
