//! SET STATUS (GP §11.10): the card's and the application's life cycle.

use card::{Command, Status};

use crate::eid::state::{ApplicationState, CardState, ISD_AID};
use crate::eid::turn::{Outcome, Reply, Turn};
use crate::product::Software;

/// `80 F0 80 <state>` for the card, `80 F0 40 <state> <AID>` for the application.
pub(crate) fn set_status(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.session()?;
    let aid = command.data();
    match command.p1() {
        0x80 if aid.is_empty() || aid == ISD_AID => {
            turn.state.card = next_card_state(turn.state.card, command.p2())?;
        }
        0x40 if aid == turn.product.application => {
            let next = match command.p2() {
                0x07 => ApplicationState::Selectable,
                0x0F => ApplicationState::Personalized,
                _ => return Err(Status::WRONG_DATA),
            };
            if (turn.state.application, next)
                != (ApplicationState::Selectable, ApplicationState::Personalized)
            {
                return Err(Status::CONDITIONS_NOT_SATISFIED);
            }
            // An applet's personalization is its own affair, not the domain's.
            if turn.product.software != Software::Eid {
                return Err(Status::CONDITIONS_NOT_SATISFIED);
            }
            turn.state.application = next;
        }
        0x80 | 0x40 => return Err(Status::REFERENCE_NOT_FOUND),
        _ => return Err(Status::WRONG_P1_P2),
    }
    Ok(Reply::done())
}

/// Card life cycle (GP §5.1.1): forward one step, between SECURED and CARD_LOCKED, or to
/// the end from anywhere.
fn next_card_state(now: CardState, wanted: u8) -> Result<CardState, Status> {
    use CardState::{Initialized, Locked, OpReady, Secured, Terminated};
    let next = [OpReady, Initialized, Secured, Locked, Terminated]
        .into_iter()
        .find(|state| *state as u8 == wanted)
        .ok_or(Status::WRONG_DATA)?;
    match (now, next) {
        (OpReady, Initialized)
        | (Initialized, Secured)
        | (Secured, Locked)
        | (Locked, Secured)
        | (_, Terminated) => Ok(next),
        _ => Err(Status::CONDITIONS_NOT_SATISFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_goes_one_way() {
        use CardState::*;
        assert_eq!(next_card_state(OpReady, 0x07), Ok(Initialized));
        assert_eq!(next_card_state(Initialized, 0x0F), Ok(Secured));
        assert_eq!(next_card_state(Secured, 0x7F), Ok(Locked));
        assert_eq!(next_card_state(Locked, 0x0F), Ok(Secured));
        assert_eq!(next_card_state(Secured, 0xFF), Ok(Terminated));
        for (now, wanted) in [(OpReady, 0x0F), (Secured, 0x07), (Initialized, 0x7F)] {
            let refused = next_card_state(now, wanted).unwrap_err();
            assert_eq!(refused, Status::CONDITIONS_NOT_SATISFIED);
        }
        assert_eq!(next_card_state(Secured, 0x83), Err(Status::WRONG_DATA));
    }
}
