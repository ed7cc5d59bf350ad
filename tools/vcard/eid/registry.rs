//! What the issuer security domain tells of the card: GET DATA (GP §11.3), GET STATUS
//! (GP §11.4).

use card::{Command, Status};

use crate::command::no_data;
use crate::eid::state::ISD_AID;
use crate::eid::turn::{Outcome, Turn};
use crate::identity::{ChipSerial, cplc};
use crate::objects::{Objects, object};
use crate::scp::Scp;

/// Privileges of the issuer security domain: security domain, card lock, card terminate,
/// card reset, CVM management, and those of a final application's registry (GP §11.1.2).
const ISD_PRIVILEGES: [u8; 3] = [0x9E, 0xFE, 0x80];

/// `80 CA <tag>`, also `00 CA`.
pub(crate) fn get_data(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    no_data(command)?;
    let state = &turn.state;
    let serial = ChipSerial::of(turn.product, state.number);
    let answer = match u16::from_be_bytes([command.p1(), command.p2()]) {
        0x9F7F => object::<0x9F7F>(&cplc(turn.product, state.number)),
        0x0042 => object::<0x42>(turn.product.issuer),
        0x0045 => object::<0x45>(serial.as_bytes()),
        0x0066 => object::<0x66>(&card_recognition(state.scp)),
        0x00E0 => {
            // GP §11.3.3.1, Amendment D §7.2 table 7-12.
            let [kind, length] = state.scp.key_type();
            let entries = state.key_sets.iter().flat_map(|set| {
                (1..=3).map(move |id| object::<0xC0>(&[id, set.version, kind, length]))
            });
            object::<0xE0>(&entries.collect::<Vec<_>>().concat())
        }
        0x00C1 => {
            let default = state.key_sets.first();
            let counter = default.ok_or(Status::REFERENCE_NOT_FOUND)?.counter;
            match (state.scp.is_scp02(), counter.to_be_bytes()) {
                (true, [_, _, counter @ ..]) => object::<0xC1>(&counter),
                (false, [_, counter @ ..]) => object::<0xC1>(&counter),
            }
        }
        _ => return Err(Status::REFERENCE_NOT_FOUND),
    };
    Ok(answer.into())
}

/// Card recognition data (GP §H.2): GP 2.3, cards identified by CIN, the secure channel.
fn card_recognition(scp: Scp) -> Vec<u8> {
    let arc = |tail: &[u8]| [&[0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B], tail].concat();
    let identifier = |tail: &[u8]| object::<0x06>(&arc(tail));
    let [protocol, i] = scp.bytes();
    object::<0x73>(
        &[
            identifier(&[1]),
            object::<0x60>(&identifier(&[2, 2, 3])),
            object::<0x63>(&identifier(&[3])),
            object::<0x64>(&identifier(&[4, protocol, i])),
        ]
        .concat(),
    )
}

/// `80 F2 <80 | 40> <00 | 02>  4F L <AID or its beginning>`.
pub(crate) fn get_status(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.session()?;
    let searched = Objects::parse(command.data(), &[0x4F])?.need(0x4F)?;
    let tagged = match command.p2() {
        0x00 => false,
        0x02 => true,
        _ => return Err(Status::WRONG_P1_P2),
    };
    let (aid, state, privileges) = match command.p1() {
        0x80 => (&ISD_AID[..], turn.state.card as u8, ISD_PRIVILEGES),
        0x40 => (
            turn.product.application,
            turn.state.application as u8,
            [0; 3],
        ),
        // Load files and modules: none that the card shows.
        0x20 | 0x10 => return Err(Status::REFERENCE_NOT_FOUND),
        _ => return Err(Status::WRONG_P1_P2),
    };
    if !aid.starts_with(searched) {
        return Err(Status::REFERENCE_NOT_FOUND);
    }
    let [short_privileges, ..] = privileges;
    let entry = if tagged {
        object::<0xE3>(
            &[
                object::<0x4F>(aid),
                object::<0x9F70>(&[state]),
                object::<0xC5>(&privileges),
            ]
            .concat(),
        )
    } else {
        let length = u8::try_from(aid.len()).unwrap_or_default();
        [&[length], aid, &[state, short_privileges]].concat()
    };
    Ok(entry.into())
}
