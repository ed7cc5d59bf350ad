//! The budget of a shipped chip, counted command by command.

use card::attempts::{Exhausting, Ledger};
use profile::Shelf;

use super::*;

/// Answers what it is told, and counts.
struct Chip {
    says: Vec<u8>,
    sent: usize,
}

impl Channel for Chip {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.sent += 1;
        match command.get(1) {
            Some(0x50) => {
                let mut answer = vec![0; 29];
                answer[VERSION] = 0x01;
                answer.extend([0x90, 0x00]);
                Ok(answer)
            }
            _ => Ok(self.says.clone()),
        }
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(Vec::new())
    }
}

fn budgeted(says: [u8; 2], force: bool) -> Budgeted<Chip, Ledger> {
    let mut shelf = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    shelf.put("lateid-v2", text);
    let chip = ChipProfile::load(&shelf, "lateid-v2").unwrap();
    let inner = Chip {
        says: says.to_vec(),
        sent: 0,
    };
    Budgeted::new(inner, Ledger::default(), &chip, Some("00"), force)
}

const UPDATE: &[u8] = b"\x80\x50\x01\x00\x0812345678\x00";
const AUTHENTICATE: &[u8] = b"\x84\x82\x13\x00\x101234567812345678";
const VERIFY: &[u8] = b"\x00\x20\x00\x01\x041234";

#[test]
fn keys_are_tried_twice_and_not_a_third() {
    let mut channel = budgeted([0x63, 0x00], false);
    for _ in 0..2 {
        channel.transmit(UPDATE).unwrap();
        channel.transmit(AUTHENTICATE).unwrap();
    }
    channel.transmit(UPDATE).unwrap();
    let sent = channel.inner.sent;
    channel.transmit(AUTHENTICATE).unwrap_err();
    assert_eq!(channel.inner.sent, sent, "nothing was sent");
    assert!(matches!(
        channel.take_refusal(),
        Some(AttemptError::Exhausting(Exhausting::Budget { .. }))
    ));
    assert!(channel.take_refusal().is_none());
}

#[test]
fn a_pins_last_try_is_not_used_unless_forced() {
    let mut channel = budgeted([0x63, 0xC1], false);
    channel.transmit(VERIFY).unwrap();
    channel.transmit(VERIFY).unwrap_err();
    channel.learn_pin("pin1", 3).unwrap();
    channel.transmit(VERIFY).unwrap();
    // Asking for the tries is no attempt.
    channel.transmit(&VERIFY[..4]).unwrap();

    let mut forced = budgeted([0x63, 0xC1], true);
    for _ in 0..3 {
        forced.transmit(VERIFY).unwrap();
    }
}

#[test]
fn a_success_clears_the_account() {
    let mut channel = budgeted([0x90, 0x00], false);
    for _ in 0..9 {
        channel.transmit(UPDATE).unwrap();
        channel.transmit(AUTHENTICATE).unwrap();
        channel.transmit(VERIFY).unwrap();
    }
    let entries = channel.store.entries().unwrap();
    assert!(entries.iter().all(|entry| entry.account.failures() == 0));
    let names: Vec<_> = entries.iter().map(|entry| &entry.what.secret).collect();
    assert_eq!(names, ["keys/01", "pin/pin1"]);
}

/// A chip over T=0: what it has to say comes with GET RESPONSE.
struct InPieces(Chip);

impl Channel for InPieces {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match command.get(1) {
            Some(0x50) => Ok(vec![0x61, 29]),
            Some(0xC0) => self.0.transmit(UPDATE),
            _ => self.0.transmit(command),
        }
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(Vec::new())
    }
}

#[test]
fn keys_are_counted_where_the_challenge_comes_in_pieces() {
    let whole = budgeted([0x63, 0x00], false);
    let mut channel = Budgeted {
        inner: InPieces(whole.inner),
        store: whole.store,
        card: whole.card,
        presentations: whole.presentations,
        versions: whole.versions,
        challenge: None,
        challenged: None,
        force: false,
        refused: None,
    };
    let mut refused = false;
    for _ in 0..4 {
        channel.transmit(UPDATE).unwrap();
        channel.transmit(b"\x00\xC0\x00\x00\x1D").unwrap();
        refused |= channel.transmit(AUTHENTICATE).is_err();
    }
    assert!(refused, "an attempt too many was made");
}

#[test]
fn the_cards_own_word_is_taken() {
    // Another station used two of three tries; this one knows nothing of them.
    let mut channel = budgeted([0x63, 0xC1], false);
    channel.transmit(&VERIFY[..4]).unwrap();
    channel.transmit(VERIFY).unwrap_err();
    assert!(matches!(
        channel.take_refusal(),
        Some(AttemptError::Exhausting(Exhausting::LastTry { .. }))
    ));
}

#[test]
fn a_chip_is_counted_for_from_when_it_is_known() {
    let mut channel = budgeted([0x63, 0xC1], false);
    channel.transmit(VERIFY).unwrap();
    let mut documents = Shelf::default();
    let text = include_str!("../profiles/one-chip/eid-card.toml");
    documents.put("eid-card", text);
    let document = profile::DocumentProfile::load(&documents, "eid-card").unwrap();
    let mut chips = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    chips.put("lateid-v2", text);
    let chip = ChipProfile::load(&chips, "lateid-v2").unwrap();
    let record = serde_json::from_str(profile::SPECIMEN).unwrap();
    let plan = Plan::new(chip.into(), &document.name, &document.chips[0], &record).unwrap();
    // The plan makes this PIN: what was tried on chip 00 before was another one.
    channel.identified("00", &plan).unwrap();
    channel.transmit(VERIFY).unwrap();
    // Chip 01 has an account of its own.
    channel.identified("01", &plan).unwrap();
    channel.transmit(VERIFY).unwrap();
    let entries = channel.store.entries().unwrap();
    let cards: std::collections::BTreeSet<_> =
        entries.iter().map(|entry| &*entry.what.card).collect();
    assert_eq!(cards.len(), 2);
}

#[test]
fn what_another_station_told_counts_and_one_attempt_more() {
    let channel = budgeted([0x90, 0x00], false);
    let chip = {
        let mut shelf = Shelf::default();
        let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
        shelf.put("lateid-v2", text);
        ChipProfile::load(&shelf, "lateid-v2").unwrap()
    };
    let told = BTreeMap::from([
        (
            key(1),
            Account {
                failed: 1,
                ..Account::default()
            },
        ),
        (
            "pin/pin1".to_owned(),
            Account {
                failed: 1,
                told: Some(2),
                ..Account::default()
            },
        ),
    ]);
    let mut ledger = Ledger::default();
    take_over(&mut ledger, &chip, "00", &told).unwrap();
    let known: BTreeMap<_, _> = accounts(&mut ledger, &chip, "00")
        .unwrap()
        .into_iter()
        .map(|(what, account)| (what.secret, account))
        .collect();
    assert_eq!(known[&key(1)].failures(), 2);
    assert_eq!(known["pin/pin1"].left(), Some(1));
    // Of what nothing was told, one attempt may have been under way.
    let others = known
        .iter()
        .filter(|(secret, _)| !told.contains_key(*secret));
    assert!(others.clone().count() > 0);
    assert!(others.clone().all(|(_, account)| account.failures() == 1));

    // So the keys are not tried here, and the PIN is not either.
    let mut elsewhere = Budgeted::new(channel.inner, ledger, &chip, Some("00"), false);
    elsewhere.transmit(UPDATE).unwrap();
    elsewhere.transmit(AUTHENTICATE).unwrap_err();
    elsewhere.transmit(VERIFY).unwrap_err();
}
