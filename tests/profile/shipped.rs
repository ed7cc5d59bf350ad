//! The profiles that are shipped, and faults planted into them.

use std::sync::Arc;

use document::Purpose;

use crate::{ChipProfile, Dialect, DocumentProfile, Plan, ProfileError, Shelf, Verb};

const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
const EID_CARD: &str = include_str!("../../firmware-profiles/documents/eid-card.toml");

fn shelf(name: &str, text: &str) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.put(name, text);
    shelf
}

fn chip() -> ChipProfile {
    ChipProfile::load(&shelf("lateid-v2", LATEID), "lateid-v2")
        .unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn record(age: i16, certificates: bool) -> document::Record {
    let born = 2026 - age;
    let json = format!(
        r#"{{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{{"surname":"Izdomāta","given_names":"Anna","personal_code":"32{born:04}-12347","birth_date":"{born}-03-02","sex":"F","nationality":"LVA"}},"certificates":{certificates}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

fn plan(age: i16) -> Plan {
    plan_of(&record(age, true))
}

fn plan_of(record: &document::Record) -> Plan {
    let document = DocumentProfile::load(&shelf("eid-card", EID_CARD), "eid-card")
        .unwrap_or_else(|error| panic!("{error}"));
    Plan::new(Arc::new(chip()), &document.name, &document.chips[0], record).unwrap()
}

#[test]
fn a_document_may_say_that_a_pin_is_to_be_changed_and_what_is_weak() {
    let text = EID_CARD.replacen(
        "[chips.pins.pin1]\ndigits = 4",
        "[chips.pins.pin1]\ndigits = 5\nkind = \"transport\"\nweak = [\"run\"]",
        1,
    );
    let document = DocumentProfile::load(&shelf("eid-card", &text), "eid-card").unwrap();
    let record = record(30, true);
    let wanted = &document.chips[0];
    let plan = Plan::new(Arc::new(chip()), &document.name, wanted, &record).unwrap();
    let pin = &plan.pin_demands["pin1"];
    assert_eq!(pin.kind, crate::PinKind::Transport);
    assert_eq!(plan.pin_demands["puk"].kind, crate::PinKind::Holder);
    let (_, policy) = &plan.pin_policies(&record.holder)[0];
    assert_eq!(policy.judge(b"12345"), Err(card::PinFault::Run));
    // The rule about the holder's own numbers is not among those that are named.
    assert_eq!(policy.judge(b"02031"), Ok(()));
    let explained = crate::Explanation::of(&plan, &crate::variables(&record), &plan.chip.limits);
    let pin = &explained.pins[0];
    assert_eq!(
        (pin.title.as_str(), pin.digits, pin.kind, &pin.weak[..]),
        ("PIN1", 5, crate::PinKind::Transport, &["run"][..])
    );
    assert_eq!((pin.tries, pin.unblocked_by.as_deref()), (3, Some("puk")));
}

#[test]
fn an_adult_gets_keys_and_pins_and_a_child_does_not() {
    let adult = plan(30);
    assert_eq!(adult.keys.len(), 2);
    assert_eq!(
        adult
            .pins
            .iter()
            .map(|(name, _, digits)| (name.as_str(), *digits))
            .collect::<Vec<_>>(),
        [("pin1", 4), ("pin2", 6), ("puk", 8)]
    );
    // Born on 1996-03-02, personal code 321996-12347.
    let policies = adult.pin_policies(&record(30, true).holder);
    let names: Vec<_> = policies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["pin1", "pin2", "puk"]);
    let [(_, pin1), (_, pin2), (_, puk)] = &policies[..] else {
        panic!("{names:?}")
    };
    for weak in ["0203", "9603", "3219", "9612", "2347", "1111", "2345"] {
        assert!(pin1.judge(weak.as_bytes()).is_err(), "{weak}");
    }
    assert_eq!(pin1.judge(b"7391"), Ok(()));
    assert_eq!(pin2.judge(b"020396"), Err(card::PinFault::Holder));
    assert_eq!(puk.judge(b"73960302"), Err(card::PinFault::Holder));
    assert_eq!(puk.judge(b"84026173"), Ok(()));
    assert!(adult.stages.iter().any(|stage| stage.sealed));
    for age in [0, 13] {
        let child = plan(age);
        assert!(child.keys.is_empty() && child.pins.is_empty());
        let verbs: Vec<_> = child
            .stages
            .iter()
            .flat_map(|stage| &stage.steps)
            .map(|step| step.name())
            .collect();
        let expected = [
            "replace_keys issuer",
            "check_refused transport",
            "write_file document_number",
            "check_file document_number",
            "set_state personalized",
            "set_state secured",
            "check_file document_number",
        ];
        assert_eq!(verbs, expected);
    }
    assert_eq!(plan(14).keys.len(), 2);
    assert!(
        plan_of(&record(30, false)).keys.is_empty(),
        "who did not agree gets no certificates"
    );
}

/// Every PIN that the personalization sets, once, by the command that the finished chip takes;
/// nothing else is done.
#[test]
fn a_finished_chip_gets_new_pins_by_stages_of_their_own() {
    let document = DocumentProfile::load(&shelf("eid-card", EID_CARD), "eid-card").unwrap();
    let renewing = |chip: ChipProfile, record: &document::Record| {
        let (chip, wanted) = (Arc::new(chip), &document.chips[0]);
        Plan::of(Purpose::NewPins, chip, &document.name, wanted, record)
    };
    let record = record(30, true);
    let plan = renewing(chip(), &record).unwrap();
    let steps: Vec<_> = plan.stages.iter().flat_map(|stage| &stage.steps).collect();
    let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
    assert_eq!(
        names,
        [
            "check_file document_number",
            "set_holder_pin pin1",
            "set_holder_pin puk",
            "set_holder_pin pin2",
            "check_tries pin1",
            "check_tries puk",
            "check_tries pin2",
        ]
    );
    let setting = steps.iter().filter_map(|step| step.operation);
    assert_eq!(setting.collect::<Vec<_>>(), [Dialect::ResetPin; 3]);
    assert_eq!(plan.keys, []);
    let policies = |plan: &Plan| {
        let policies = plan.pin_policies(&record.holder).into_iter();
        policies
            .map(|(name, policy)| (name, policy.length()))
            .collect::<Vec<_>>()
    };
    assert_eq!(policies(&plan), policies(&plan_of(&record)));
    let personalizing = plan_of(&record);
    let names = |plan: &Plan| -> Vec<String> {
        plan.stages.iter().map(|stage| stage.name.clone()).collect()
    };
    assert!(
        names(&personalizing)
            .iter()
            .all(|name| !names(&plan).contains(name))
    );
    assert_eq!(plan.purpose, Purpose::NewPins);

    // Who has no PINs gets no others; what the chip cannot, nobody gets.
    let error = renewing(chip(), &self::record(13, true)).unwrap_err();
    assert!(error.to_string().contains("no PINs on the chip"), "{error}");
    let until = LATEID.find("# --- later").unwrap();
    let without = ChipProfile::load(&shelf("lateid-v2", &LATEID[..until]), "lateid-v2");
    let error = renewing(without.unwrap(), &record).unwrap_err();
    assert!(error.to_string().contains("gets no new PINs"), "{error}");
}

#[test]
fn personal_data_comes_after_the_makers_keys_are_gone() {
    let plan = plan(30);
    let steps: Vec<_> = plan.stages.iter().flat_map(|stage| &stage.steps).collect();
    let place = |verb| steps.iter().position(|step| step.verb == verb).unwrap();
    assert!(place(Verb::ReplaceKeys) < place(Verb::CheckRefused));
    assert!(place(Verb::CheckRefused) < place(Verb::WriteFile));
    let verified = steps
        .iter()
        .rposition(|step| step.verb == Verb::CheckKey)
        .unwrap();
    assert!(verified < place(Verb::SetHolderPin));
}

/// Each planted fault is found where it was planted.
#[test]
fn faults_are_found_with_line_and_column() {
    for (from, to, at, word) in [
        ("format = 1", "format = 9", "9", "format 9 is not known"),
        (
            "application = \"signature\"\nkey = \"signature\"\nreference = 0x85",
            "application = \"nowhere\"\nkey = \"signature\"\nreference = 0x85",
            "\"nowhere\"",
            "no application is named",
        ),
        (
            "data = \"application.aid\"",
            "data = \"application.aidd\"",
            "application.aidd",
            "is not known here",
        ),
        (
            "data = \"application.aid\"",
            "data = \"62 { application.aid\"",
            "\"\n\n[[operations.enter]]\nfor = \"root\"",
            "ends before",
        ),
        (
            "[[operations.select]]",
            "[[operations.choose]]",
            "choose",
            "no operation \"choose\"",
        ),
        (
            "\"replace_keys issuer\"",
            "\"replace_keys issuers\"",
            "\"replace_keys issuers\"",
            "no key_set is named",
        ),
        (
            "\"create_pin pin1\"",
            "\"make_pin pin1\"",
            "\"make_pin pin1\"",
            "there is no verb",
        ),
        ("command = 255", "command = 300", "300", "not a length"),
        (
            "level = \"c-mac c-enc r-mac\"",
            "level = \"c-enc\"",
            "\"c-enc\"",
            "no security level",
        ),
        (
            "title = \"PIN1\"",
            "titel = \"PIN1\"",
            "titel",
            "unknown field",
        ),
        (
            "id = \"7001\"",
            "id = \"5031\"",
            "\"5031\"\ncontent = \"A0",
            "same identifier",
        ),
        (
            "take = { public = \"7F49/86\" }",
            "",
            "generate_key",
            "takes no \"public\"",
        ),
    ] {
        assert!(LATEID.contains(from), "{from}");
        let text = LATEID.replacen(from, to, 1);
        let error = ChipProfile::load(&shelf("lateid-v2", &text), "lateid-v2").expect_err(to);
        let ProfileError::Invalid { place, fault, .. } = &error else {
            panic!("{error}")
        };
        assert!(fault.contains(word), "{to}: {error}");
        let offset = text
            .lines()
            .take(place.line - 1)
            .map(|line| line.len() + 1)
            .sum::<usize>();
        let found = &text[offset..]
            .chars()
            .skip(place.column - 1)
            .collect::<String>();
        assert!(
            found.starts_with(at),
            "{error}: stands at {:?}",
            found.chars().take(40).collect::<String>()
        );
    }
}

#[test]
fn a_variant_says_only_what_differs() {
    let mut shelf = shelf("lateid-v2", LATEID);
    shelf.put(
        "variant",
        "extends = \"lateid-v2\"\nname = \"variant\"\n[keys.authentication]\nreference = 0x81\n",
    );
    let variant = ChipProfile::load(&shelf, "variant").unwrap();
    assert_eq!(variant.name, "variant");
    assert_ne!(variant.digest, chip().digest);
    let reference = |chip: &ChipProfile| {
        use crate::Scope;
        chip.object(crate::ObjectKind::Key, "authentication")
            .unwrap()
            .value("key.reference")
    };
    assert_eq!(reference(&variant), Some(crate::Value::Number(0x81)));
    assert_eq!(reference(&chip()), Some(crate::Value::Number(0x82)));
}
