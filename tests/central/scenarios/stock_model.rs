//! Random commands against a reference model: whatever is done with blanks, in whatever order, the
//! accounts are those of the model, and nothing is done that the model does not allow.

use std::collections::BTreeMap;

use api::{BlankEnd, Centre, Lease};
use document::life_cycle::BlankState::{
    self, AtStation, Destroyed, InStock, InTransit, Loaded, Missing, Personalized, Received,
    Returned, SentBack, Spoiled,
};
use document::{OfficeCode, Role};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::bench::{bare_report, spoiled, untouched};
use super::house::{House, PRODUCT, actor, operator, receipt, sample, with_adapted_house};
use super::two_chips::EID_CARD;
use crate::{
    Config, CountEnd, Counted, DeliveredBlank, DeliveredChip, Delivery, DeskEnd, Handling, Receipt,
    StockCount,
};

/// How many commands are tried.
const COMMANDS: usize = 300;
const PLACES: [&str; 3] = ["CENTRAL", "RIGA-1", "LIEPAJA"];
const KEEPERS: [&str; 2] = ["keeper", "relief"];
const SLOTS: [&str; 2] = ["a", "b"];

/// What is tried. Numbers choose among what there is: most commands do not fit their blank, and
/// must then change nothing.
#[derive(Clone, Debug)]
enum Command {
    Deliver {
        blanks: u8,
        counted: u8,
        place: u8,
        chips: bool,
    },
    Accept {
        delivery: u8,
    },
    Handle {
        kind: u8,
        blank: u16,
        by: u8,
        place: u8,
        slot: u8,
    },
    Claim {
        blank: u16,
    },
    EndLease {
        whole: bool,
    },
    Produce {
        blank: u16,
        whole: bool,
    },
    Judge {
        blank: u16,
    },
    Count {
        place: u8,
        off: bool,
    },
    Close {
        place: u8,
    },
    Wait,
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (1..6_u8, 0..6_u8, 0..3_u8, any::<bool>())
            .prop_map(|(blanks, counted, place, chips)| Command::Deliver { blanks, counted, place, chips }),
        1 => any::<u8>().prop_map(|delivery| Command::Accept { delivery }),
        12 => (0..10_u8, any::<u16>(), 0..2_u8, 0..3_u8, 0..2_u8)
            .prop_map(|(kind, blank, by, place, slot)| Command::Handle { kind, blank, by, place, slot }),
        4 => any::<u16>().prop_map(|blank| Command::Claim { blank }),
        3 => any::<bool>().prop_map(|whole| Command::EndLease { whole }),
        3 => (any::<u16>(), any::<bool>()).prop_map(|(blank, whole)| Command::Produce { blank, whole }),
        2 => any::<u16>().prop_map(|blank| Command::Judge { blank }),
        2 => (0..3_u8, any::<bool>()).prop_map(|(place, off)| Command::Count { place, off }),
        1 => (0..3_u8).prop_map(|place| Command::Close { place }),
        1 => Just(Command::Wait),
    ]
}

/// A blank as the model has it.
#[derive(Clone, Debug)]
struct Blank {
    state: BlankState,
    place: &'static str,
    item: &'static str,
    delivery: usize,
    slot: Option<&'static str>,
    sender: Option<&'static str>,
    /// The number of the document that it carries, or carried.
    carried: Option<String>,
}

struct Model {
    blanks: BTreeMap<String, Blank>,
    deliveries: Vec<(String, bool)>,
    lease: Option<(Lease, String)>,
    reports: u64,
    applications: u32,
    made: u32,
}

fn chip(serial: &str) -> String {
    format!("{:0>16}", serial.trim_start_matches("M-"))
}

impl Model {
    fn pick(&self, index: u16) -> Option<String> {
        let at = usize::from(index) % self.blanks.len().max(1);
        self.blanks.keys().nth(at).cloned()
    }

    /// The balances: place, item and account.
    fn balances(&self) -> BTreeMap<(String, String, BlankState), u64> {
        let mut sums = BTreeMap::new();
        for blank in self.blanks.values() {
            let name = (blank.place.to_owned(), blank.item.to_owned(), blank.state);
            *sums.entry(name).or_default() += 1;
        }
        sums
    }

    fn counts(&self, place: &str) -> Vec<Counted> {
        let lie_there = [Received, InStock, Loaded, AtStation, Returned, Spoiled];
        let here = self.balances().into_iter();
        let here = here.filter(|((at, _, state), _)| at == place && lie_there.contains(state));
        here.map(|((_, item, state), blanks)| Counted {
            item,
            state,
            blanks,
        })
        .collect()
    }
}

/// What the model has come of a handling: the account after it, or nothing where it is refused.
fn allowed(blank: &Blank, kind: u8, by: &str, place: &str) -> Option<BlankState> {
    match (kind, blank.state) {
        (0, InStock) if blank.place != place => Some(InTransit),
        (1, InTransit) if blank.sender != Some(by) => Some(InStock),
        (2, InStock) => Some(Loaded),
        (3, Loaded) => Some(InStock),
        (4, Returned) => Some(InStock),
        (5, Received | InStock | Loaded | Returned) => Some(Spoiled),
        (6, Received | InStock) => Some(SentBack),
        (6, Spoiled) if blank.carried.is_none() => Some(SentBack),
        (7, Received | InStock | InTransit | Loaded | Spoiled | Returned) => Some(Missing),
        (8, Missing) => Some(Spoiled),
        (9, Spoiled) => Some(Destroyed),
        _ => None,
    }
}

fn handling(kind: u8, place: &str, slot: &str) -> Handling {
    let (witness, cause) = ("quality".to_owned(), "a case".to_owned());
    match kind {
        0 => Handling::Send {
            to: OfficeCode::parse(place).unwrap(),
        },
        1 => Handling::TakeIn,
        2 => Handling::Load {
            station: "station-1".into(),
            slot: slot.into(),
        },
        3 => Handling::Unload,
        4 => Handling::Restock,
        5 => Handling::Spoil { cause },
        6 => Handling::SendBack { witness, cause },
        7 => Handling::ReportMissing { cause },
        8 => Handling::Find { witness, cause },
        _ => Handling::Destroy { witness, cause },
    }
}

/// Enters and approves an application of this sample under a reference of its own.
async fn approved(house: &House, model: &mut Model, name: &str) -> String {
    model.applications += 1;
    let content = sample(&format!("applications/{name}"));
    let mut value: serde_json::Value = serde_json::from_slice(&content).unwrap();
    value["reference"] = format!("APP-MODEL-{:05}", model.applications).into();
    let content = serde_json::to_vec(&value).unwrap();
    let central = &house.central;
    let reference = central.import(&actor("clerk"), &content).await.unwrap();
    let reference = reference.to_string();
    central
        .approve(&actor("approver"), &reference)
        .await
        .unwrap();
    reference
}

async fn deliver(house: &House, model: &mut Model, command: &Command) {
    let &Command::Deliver {
        blanks,
        counted,
        place,
        chips,
    } = command
    else {
        return;
    };
    let place = PLACES[usize::from(place)];
    let serials: Vec<_> = (0..blanks)
        .map(|_| {
            model.made += 1;
            format!("M-{:05}", model.made)
        })
        .collect();
    let blank = |serial: &String| match chips {
        true => DeliveredBlank::of_chips(serial, vec![DeliveredChip::new(PRODUCT, chip(serial))]),
        false => DeliveredBlank {
            serial: serial.clone(),
            article: Some("booklet".into()),
            number: None,
            chips: Vec::new(),
        },
    };
    let reference = format!("D-{}", model.deliveries.len());
    let delivery = Delivery {
        reference: reference.clone(),
        blanks: serials.iter().map(blank).collect(),
    };
    // Most are counted right.
    let counted = if counted < 5 {
        usize::from(blanks)
    } else {
        usize::from(blanks) + 1
    };
    let receipt = Receipt {
        place: OfficeCode::parse(place).unwrap(),
        ..receipt(counted)
    };
    let received = house
        .central
        .receive_blanks(&actor("keeper"), &delivery, &receipt)
        .await;
    let agrees = counted == usize::from(blanks);
    assert_eq!(received.unwrap().incident.is_none(), agrees);
    for serial in serials {
        let blank = Blank {
            state: if agrees { InStock } else { Received },
            place,
            item: if chips { PRODUCT } else { "booklet" },
            delivery: model.deliveries.len(),
            slot: None,
            sender: None,
            carried: None,
        };
        model.blanks.insert(serial, blank);
    }
    model.deliveries.push((reference, agrees));
}

async fn accept(house: &House, model: &mut Model, index: u8) {
    let at = usize::from(index) % model.deliveries.len().max(1);
    let Some((reference, accepted)) = model.deliveries.get(at).cloned() else {
        return;
    };
    let set_apart = |blank: &&mut Blank| blank.delivery == at && blank.state == Received;
    let left = model.blanks.values_mut().filter(set_apart).count();
    let central = &house.central;
    let done = central
        .accept_delivery(&actor("keeper"), &reference, "quality", left)
        .await;
    assert_eq!(done.is_ok(), !accepted, "{done:?}");
    for blank in model.blanks.values_mut().filter(set_apart) {
        blank.state = InStock;
    }
    model.deliveries[at].1 = true;
}

/// Takes a lease and claims a blank of chips for it.
async fn claim(house: &House, model: &mut Model, index: u16) {
    let Some(serial) = model.pick(index) else {
        return;
    };
    if model.lease.is_some() || model.blanks[&serial].item != PRODUCT {
        return;
    }
    if house
        .number("SELECT count(*) FROM document WHERE state = 'queued' AND kind = 'alien-id-card'")
        .await
        == 0
    {
        approved(house, model, "09-alien").await;
    }
    let lease = house.lease("a").await.unwrap();
    let claimed = house.claim(&lease, &chip(&serial)).await;
    let blank = model.blanks.get_mut(&serial).unwrap();
    let fits = match blank.state {
        InStock => true,
        Loaded => blank.slot == Some("a"),
        _ => false,
    };
    assert_eq!(claimed.is_ok(), fits, "{serial} {blank:?}: {claimed:?}");
    if fits {
        (blank.state, blank.slot) = (AtStation, None);
        model.lease = Some((lease, serial));
    } else {
        report(house, model, &lease, untouched()).await;
    }
}

async fn report(house: &House, model: &mut Model, lease: &Lease, end: BlankEnd) {
    model.reports += 1;
    let report = bare_report(lease, model.reports, end);
    house.central.report(&operator(), &report).await.unwrap();
}

async fn produce(house: &House, model: &mut Model, index: u16, whole: bool) {
    let Some(serial) = model.pick(index) else {
        return;
    };
    let reference = approved(house, model, "01-adult").await;
    let end = match whole {
        true => DeskEnd::Made,
        false => DeskEnd::Spoiled {
            cause: "the ink ran".into(),
        },
    };
    let done = house
        .central
        .produce(&operator(), &reference, &serial, &end)
        .await;
    let blank = model.blanks.get_mut(&serial).unwrap();
    let fits = blank.item == "booklet" && blank.state == InStock;
    assert_eq!(done.is_ok(), fits, "{serial} {blank:?}: {done:?}");
    if let Ok(number) = done {
        blank.state = if whole { Personalized } else { Spoiled };
        blank.carried = Some(number.to_string());
    }
}

async fn run(house: &House, model: &mut Model, command: &Command) {
    let central = &house.central;
    match command {
        Command::Deliver { .. } => deliver(house, model, command).await,
        Command::Accept { delivery } => accept(house, model, *delivery).await,
        &Command::Handle {
            kind,
            blank,
            by,
            place,
            slot,
        } => {
            let Some(serial) = model.pick(blank) else {
                return;
            };
            let by = KEEPERS[usize::from(by)];
            let (place, slot) = (PLACES[usize::from(place)], SLOTS[usize::from(slot)]);
            let blank = model.blanks.get_mut(&serial).unwrap();
            let expected = allowed(blank, kind, by, place);
            let what = handling(kind, place, slot);
            let done = central.handle_blanks(&actor(by), &[serial], &what).await;
            assert_eq!(done.is_ok(), expected.is_some(), "{blank:?}: {done:?}");
            if let Some(state) = expected {
                blank.state = state;
                blank.slot = (state == Loaded).then_some(slot);
                if state == InTransit {
                    (blank.place, blank.sender) = (place, Some(by));
                }
            }
        }
        Command::Claim { blank } => claim(house, model, *blank).await,
        Command::EndLease { whole } => {
            let Some((lease, serial)) = model.lease.take() else {
                return;
            };
            let end = if *whole { untouched() } else { spoiled() };
            report(house, model, &lease, end).await;
            let blank = model.blanks.get_mut(&serial).unwrap();
            if *whole {
                blank.state = Returned;
            } else {
                (blank.state, blank.carried) = (Spoiled, Some(lease.record.number.to_string()));
            }
        }
        Command::Produce { blank, whole } => produce(house, model, *blank, *whole).await,
        Command::Judge { blank } => {
            let Some(serial) = model.pick(*blank) else {
                return;
            };
            let blank = model.blanks.get_mut(&serial).unwrap();
            if blank.state == Personalized {
                let number = blank.carried.clone().unwrap();
                let failed = central
                    .fail_quality(&actor("quality"), &number, "crooked")
                    .await;
                failed.unwrap();
                blank.state = Spoiled;
            }
        }
        Command::Count { place, off } => {
            let place = PLACES[usize::from(*place)];
            let mut counts = model.counts(place);
            let is_off = *off && !counts.is_empty();
            if is_off {
                counts[0].blanks += 1;
            }
            let code = OfficeCode::parse(place).unwrap();
            let counts = StockCount::of_blanks(&counts);
            let end = central.count_place(&actor("keeper"), &code, counts).await;
            assert_eq!(end.unwrap() != CountEnd::Agrees, is_off);
        }
        Command::Close { place } => {
            let place = PLACES[usize::from(*place)];
            let code = OfficeCode::parse(place).unwrap();
            let today = central.today();
            let counts = model.counts(place);
            let end = central
                .close_day(
                    &actor("keeper"),
                    &code,
                    today,
                    "relief",
                    StockCount::of_blanks(&counts),
                )
                .await;
            // Closed once a day; what moved since is the next day's.
            if let Ok(end) = end {
                assert_eq!(end, CountEnd::Agrees, "{place} {today}");
            }
        }
        Command::Wait => house.clock.pass(SignedDuration::from_mins(7 * 60)),
    }
}

fn booklets_and_cards(config: &mut Config) {
    let booklet = "format = 1\nname = \"booklet\"\ntitle = \"A booklet\"\nkinds = [\"id-card\"]\narticle = \"booklet\"\n";
    config.documents.put("booklet", booklet);
    let card = EID_CARD.replacen("[\"id-card\", \"alien-id-card\"]", "[\"alien-id-card\"]", 1);
    config.documents.put("eid-card", card);
}

#[test]
fn the_accounts_are_those_of_the_model_whatever_is_done() {
    with_adapted_house(
        "scenarios::stock_model::the_accounts_are_those_of_the_model_whatever_is_done",
        booklets_and_cards,
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            let roles = [Role::StockKeeper];
            let added = central.add_account(&administrator, "relief", &roles).await;
            added.unwrap();
            for place in PLACES {
                let code = OfficeCode::parse(place).unwrap();
                central
                    .add_place(&administrator, &code, place)
                    .await
                    .unwrap();
            }
            let mut model = Model {
                blanks: BTreeMap::new(),
                deliveries: Vec::new(),
                lease: None,
                reports: 0,
                applications: 0,
                made: 0,
            };
            let mut runner = TestRunner::deterministic();
            let mut reached = std::collections::BTreeSet::new();
            let commands = proptest::collection::vec(command(), COMMANDS);
            let commands = commands.new_tree(&mut runner).unwrap().current();
            for (step, command) in commands.iter().enumerate() {
                // A lease that is left open too long is ended by its report alone.
                if matches!(command, Command::Wait) && model.lease.is_some() {
                    continue;
                }
                run(&house, &mut model, command).await;
                let books = central.stock(&actor("auditor")).await.unwrap();
                let books: BTreeMap<_, _> = books
                    .into_iter()
                    .map(|line| ((line.place.to_string(), line.item, line.state), line.blanks))
                    .collect();
                assert_eq!(books, model.balances(), "after {step}: {command:?}");
                reached.extend(model.blanks.values().map(|blank| blank.state));
            }
            let check = central.check_stock(&actor("auditor")).await.unwrap();
            assert_eq!(check.differences, Vec::<String>::new());
            assert_eq!(check.blanks, model.blanks.len() as u64);
            let numbers = central.check_numbers(&actor("auditor")).await.unwrap();
            assert_eq!(numbers.faults, Vec::<String>::new());
            for blank in central.blanks(&actor("auditor")).await.unwrap() {
                assert_eq!(blank.state, model.blanks[&blank.serial].state);
            }
            assert_eq!(reached.len(), BlankState::ALL.len(), "{reached:?}");
        },
    );
}
