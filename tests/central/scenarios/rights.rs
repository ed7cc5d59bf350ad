//! Who may do what: each act with every role.

use std::collections::BTreeMap;

use api::{
    ApiError, BlankEnd, Centre, CertifyRequest, ChannelOpening, ChannelRequest, ClaimRequest,
    ConfirmRequest, LeaseId, ProveRequest, PutKeyRequest, SealRequest, SignLdsRequest,
};
use audit::Outcome;
use document::Role;
use document::life_cycle::{IncidentKind, RevocationCause};

use super::house::{actor, is_conflict, is_refused, receipt, request, sample, with_house};
use crate::{
    Central, CentralError, DeliveredBlank, DeliveredChip, Delivery, DeskEnd, Handling, NewSeries,
    NewSource, PrintJob, RibbonHandling, StockCount,
};

/// A station's request, of openssl's.
const PKCS10: &[u8] = include_bytes!("../../vectors/stations/request.der");

const PEOPLE: [&str; 9] = [
    "clerk",
    "approver",
    "operator",
    "quality",
    "keeper",
    "envelopes",
    "officer",
    "auditor",
    "administrator",
];

/// How an act ended for whoever tried it: `true` where the right to it was missing.
fn right_missing(text: Option<String>) -> bool {
    text.is_some_and(|text| text.contains("the right to"))
}

fn of<T>(result: Result<T, CentralError>) -> bool {
    right_missing(result.err().map(|error| error.to_string()))
}

async fn handled(central: &Central, who: &api::Actor, handling: &Handling) -> bool {
    let blanks = ["B-0".to_owned()];
    of(central.handle_blanks(who, &blanks, handling).await)
}

async fn handled_ribbon(central: &Central, who: &api::Actor, handling: &RibbonHandling) -> bool {
    let ribbons = ["R-0".to_owned()];
    of(central.handle_ribbons(who, &ribbons, handling).await)
}

fn at<T>(result: Result<T, ApiError>) -> bool {
    right_missing(result.err().map(|error| error.to_string()))
}

/// Tries every act of the store as one person, and lists those that the person has a right to.
async fn tried(central: &Central, person: &str, folder: &std::path::Path) -> Vec<&'static str> {
    let who = actor(person);
    let lease = LeaseId(uuid::Uuid::nil());
    let number = "XA0000009";
    let opening = ChannelOpening {
        key_set: "issuer".into(),
        host_challenge: vec![0; 8],
        answers: [("initialize_update".into(), vec![0; 32])].into(),
    };
    let channel = ChannelRequest {
        lease,
        chip: "00".into(),
        opening: opening.clone(),
    };
    let delivery = Delivery {
        reference: "D-0".into(),
        blanks: vec![DeliveredBlank::of_chips(
            "B-0",
            vec![DeliveredChip::new("lateid-v2", "zz")],
        )],
    };
    let put = PutKeyRequest {
        lease,
        chip: "00".into(),
        opening: opening.clone(),
        new: "issuer".into(),
        adds: false,
    };
    let certify = CertifyRequest {
        lease,
        chip: "00".into(),
        key: "k".into(),
        profile: "p".into(),
        request: Vec::new(),
    };
    let prove = ProveRequest {
        lease,
        chip: "00".into(),
        key: "k".into(),
        signature: Vec::new(),
    };
    let claim = ClaimRequest {
        lease,
        chip: "00".into(),
        beside: Vec::new(),
        printed: None,
    };
    let sign = SignLdsRequest {
        lease,
        chip: "00".into(),
        keys: BTreeMap::new(),
    };
    let job = PrintJob {
        serial: "PE0000009".into(),
        number: number.parse().unwrap(),
        holder: Default::default(),
        office: document::OfficeCode::parse("RIGA-1").unwrap(),
        pins: Vec::new(),
        sealed: Vec::new(),
        context: Vec::new(),
    };
    let confirm = ConfirmRequest {
        lease,
        chip: "00".into(),
        stage: "s".into(),
        answers: Vec::new(),
    };
    let report = api::Report {
        lease,
        sequence: 1,
        number: None,
        end: BlankEnd::Personalized,
        chips: Vec::new(),
        milliseconds: 0,
        journal: Vec::new(),
    };
    let act = api::StationAct {
        sequence: 1,
        at: central.now(),
        person: person.to_owned(),
        act: api::StationAct::SLOT_PAUSED.to_owned(),
        slot: None,
    };
    let hello = api::Hello {
        acknowledged: 0,
        last: 9,
        in_work: 0,
        epoch: None,
    };
    let request = request("s", &["lateid-v2"]);
    let (witness, cause) = ("auditor".to_owned(), "no".to_owned());
    let destroy = Handling::Destroy {
        witness: witness.clone(),
        cause: cause.clone(),
    };
    let miss = Handling::ReportMissing {
        cause: cause.clone(),
    };
    let miss_ribbon = RibbonHandling::ReportMissing {
        witness: witness.clone(),
        cause: cause.clone(),
    };
    let destroy_ribbon = RibbonHandling::Destroy {
        witness: witness.clone(),
        cause: cause.clone(),
    };
    let find = Handling::Find { witness, cause };
    let office = document::OfficeCode::parse("NOWHERE").unwrap();
    let day = jiff::civil::date(2026, 11, 19);
    let new_series = NewSeries {
        prefix: "PA".into(),
        first: 1,
        last: 1,
        kinds: Vec::new(),
    };
    let some = number.parse().unwrap();
    let now = central.now();
    let source = NewSource {
        name: document::SourceName::parse("none").unwrap(),
        register: document::Source::PopulationRegister,
        kinds: Vec::new(),
        offices: Vec::new(),
    };
    let missing = [
        ("add_account", of(central.add_account(&who, "", &[]).await)),
        ("accounts", of(central.accounts(&who).await)),
        (
            "import",
            of(central.import(&who, &sample("applications/01-adult")).await),
        ),
        ("approve", of(central.approve(&who, "APP-0").await)),
        ("reject", of(central.reject(&who, "APP-0", "no").await)),
        (
            "receive_blanks",
            of(central
                .receive_blanks(&who, &delivery, &receipt(delivery.blanks.len()))
                .await),
        ),
        (
            "produce",
            of(central.produce(&who, "APP-0", "B-0", &DeskEnd::Made).await),
        ),
        (
            "restock",
            of(central
                .handle_blanks(&who, &["00".into()], &Handling::Restock)
                .await),
        ),
        (
            "accept_delivery",
            of(central.accept_delivery(&who, "D-0", "auditor", 0).await),
        ),
        ("move", handled(central, &who, &Handling::TakeIn).await),
        ("destroy", handled(central, &who, &destroy).await),
        ("find", handled(central, &who, &find).await),
        ("miss", handled(central, &who, &miss).await),
        (
            "count_place",
            of(central
                .count_place(&who, &office, StockCount::default())
                .await),
        ),
        (
            "close_day",
            of(central
                .close_day(&who, &office, day, "auditor", StockCount::default())
                .await),
        ),
        (
            "add_place",
            of(central.add_place(&who, &office, "a place").await),
        ),
        ("places", of(central.places(&who).await)),
        ("days", of(central.days(&who).await)),
        ("stock", of(central.stock(&who).await)),
        (
            "deliveries_after",
            of(central.deliveries_after(&who, "", 1).await),
        ),
        ("check_stock", of(central.check_stock(&who).await)),
        (
            "receive_ribbons",
            of(central
                .receive_ribbons(&who, &["R-0".into()], "ymcko", &office)
                .await),
        ),
        (
            "take_in_ribbon",
            handled_ribbon(central, &who, &RibbonHandling::TakeIn).await,
        ),
        (
            "unload_ribbon",
            handled_ribbon(central, &who, &RibbonHandling::Unload).await,
        ),
        (
            "miss_ribbon",
            handled_ribbon(central, &who, &miss_ribbon).await,
        ),
        (
            "destroy_ribbon",
            handled_ribbon(central, &who, &destroy_ribbon).await,
        ),
        (
            "ribbons_after",
            of(central.ribbons_after(&who, true, "", 1).await),
        ),
        ("ribbon", of(central.ribbon(&who, "R-0").await)),
        ("ribbon_accounts", of(central.ribbon_accounts(&who).await)),
        ("ribbon_figures", of(central.ribbon_figures(&who).await)),
        ("series", of(central.series(&who).await)),
        ("check_numbers", of(central.check_numbers(&who).await)),
        (
            "open_series",
            of(central.open_series(&who, &new_series, "auditor").await),
        ),
        (
            "close_series",
            of(central.close_series(&who, "XZ", "auditor", "no").await),
        ),
        (
            "void_numbers",
            of(central
                .void_numbers(&who, (some, some), "auditor", "no")
                .await),
        ),
        ("pass_quality", of(central.pass_quality(&who, number).await)),
        (
            "fail_quality",
            of(central.fail_quality(&who, number, "no").await),
        ),
        ("hand_over", of(central.hand_over(&who, number).await)),
        ("hold", of(central.hold_quality(&who, number, "no").await)),
        (
            "concede",
            of(central.concede(&who, number, "no", "no").await),
        ),
        ("pack", of(central.pack(&who, "PA9", number).await)),
        ("unpack", of(central.unpack(&who, "PA9", number).await)),
        (
            "seal_parcel",
            of(central.seal_parcel(&who, "PA9", &[]).await),
        ),
        (
            "reopen_parcel",
            of(central.reopen_parcel(&who, "PA9", "auditor-2", "no").await),
        ),
        (
            "discard_parcel",
            of(central.discard_parcel(&who, "PA9", "no").await),
        ),
        (
            "send_parcel",
            of(central.send_parcel(&who, "PA9", "post").await),
        ),
        (
            "receive_parcel",
            of(central.receive_parcel(&who, "PA9", &[]).await),
        ),
        (
            "lose_parcel",
            of(central.lose_parcel(&who, "PA9", "auditor-2", "no").await),
        ),
        ("arrive_late", of(central.arrive_late(&who, number).await)),
        ("suspend", of(central.suspend(&who, number, "no").await)),
        ("resume", of(central.resume(&who, number, "no").await)),
        ("lost", of(central.report_lost(&who, number, "no").await)),
        (
            "stolen",
            of(central.report_stolen(&who, number, "no").await),
        ),
        (
            "revoke_document",
            of(central
                .revoke_document(&who, number, RevocationCause::Replaced, "no")
                .await),
        ),
        ("take_back", of(central.take_back(&who, number, "no").await)),
        (
            "destroy_document",
            of(central.destroy_document(&who, number, "auditor-2").await),
        ),
        (
            "damaged",
            of(central.document_damaged(&who, number, "no").await),
        ),
        (
            "missing",
            of(central
                .document_missing(&who, number, "auditor-2", "no")
                .await),
        ),
        (
            "give_up_lease",
            of(central.give_up_lease(&who, lease, "auditor-2", "no").await),
        ),
        (
            "move_lease",
            of(central.move_lease(&who, lease, "auditor-2", "no").await),
        ),
        (
            "cancel",
            of(central.cancel_document(&who, "APP-0", "no").await),
        ),
        ("leases_after", of(central.leases_after(&who, "", 1).await)),
        (
            "begin_reconciliation",
            of(central
                .begin_reconciliation(&who, "auditor-2", None, 0)
                .await),
        ),
        (
            "end_reconciliation",
            of(central
                .end_reconciliation(&who, "auditor-2", &Default::default(), "no")
                .await),
        ),
        ("reconciliation", of(central.reconciliation(&who).await)),
        (
            "parcels_after",
            of(central.parcels_after(&who, true, "", 1).await),
        ),
        (
            "parcel_content",
            of(central.parcel_content(&who, "PA9", &office).await),
        ),
        (
            "print_envelope",
            of(central.print_envelope(&who, number).await),
        ),
        ("open_envelope", of(central.open_envelope(&who, &job).await)),
        (
            "envelope_printed",
            of(central.envelope_printed(&who, "PE0000009").await),
        ),
        (
            "envelope_not_printed",
            of(central.envelope_not_printed(&who, "PE0000009", "no").await),
        ),
        (
            "dispatch_envelope",
            of(central.dispatch_envelope(&who, "PE0000009", "post").await),
        ),
        (
            "deliver_envelope",
            of(central.deliver_envelope(&who, "PE0000009").await),
        ),
        (
            "destroy_envelope",
            of(central
                .destroy_envelope(&who, "PE0000009", "clerk", "no")
                .await),
        ),
        (
            "envelopes_after",
            of(central.envelopes_after(&who, None, "", 1).await),
        ),
        (
            "ask_station",
            of(central.ask_station(&who, "s", None, PKCS10).await),
        ),
        (
            "confirm_station",
            of(central.confirm_station(&who, "s", "00").await),
        ),
        (
            "suspend_station",
            of(central.suspend_station(&who, "s", "no").await),
        ),
        (
            "resume_station",
            of(central.resume_station(&who, "s", "no").await),
        ),
        (
            "remove_station",
            of(central.remove_station(&who, "s", "no").await),
        ),
        ("stations", of(central.stations(&who).await)),
        (
            "unsettled",
            of(central.unsettled_after(&who, "", 200).await),
        ),
        (
            "clear_doubt",
            of(central.clear_doubt(&who, "0", "clerk", "no").await),
        ),
        ("issued", of(central.issued_by_authority(&who).await)),
        ("publish", of(central.begin_publishing(&who).await)),
        (
            "export_audit",
            of(central.export_audit(&who, &folder.join(person)).await),
        ),
        (
            "report_incident",
            of(central
                .report_incident(&who, IncidentKind::Other, "blank/B-0", "no")
                .await),
        ),
        (
            "explain_incident",
            of(central.explain_incident(&who, 9_999, "no").await),
        ),
        (
            "close_incident",
            of(central.close_incident(&who, 9_999).await),
        ),
        (
            "incidents_after",
            of(central.incidents_after(&who, false, 0, 1).await),
        ),
        (
            "document_lines_after",
            of(central.document_lines_after(&who, "", 1).await),
        ),
        ("certificates", of(central.certificates(&who, number).await)),
        ("journal", of(central.journal(&who, number).await)),
        ("blanks", of(central.blanks(&who).await)),
        ("numbers", of(central.numbers(&who).await)),
        ("hello", at(central.hello(&who, &hello).await)),
        ("lease", at(central.lease(&who, &request).await)),
        ("claim", at(central.claim(&who, &claim).await)),
        (
            "open_channel",
            at(central.open_channel(&who, &channel).await),
        ),
        ("put_keys", at(central.put_keys(&who, &put).await)),
        ("certify", at(central.certify(&who, &certify).await)),
        ("prove", at(central.prove(&who, &prove).await)),
        ("sign_lds", at(central.sign_lds(&who, &sign).await)),
        (
            "seal",
            at(central
                .seal(
                    &who,
                    &SealRequest {
                        lease,
                        chip: "00".into(),
                        stage: "s".into(),
                        opening: Some(opening),
                        carries: api::Carries::default(),
                        pins: BTreeMap::new(),
                    },
                )
                .await),
        ),
        ("confirm", at(central.confirm(&who, &confirm).await)),
        ("report", at(central.report(&who, &report).await)),
        ("act", at(central.act(&who, &act).await)),
        ("add_source", of(central.add_source(&who, &source).await)),
        (
            "propose_source_key",
            of(central
                .propose_source_key(&who, &source.name, &[], (now, now))
                .await),
        ),
        (
            "admit_source_key",
            of(central.admit_source_key(&who, "none").await),
        ),
        (
            "withdraw_source_key",
            of(central.withdraw_source_key(&who, "none", "no").await),
        ),
        (
            "remove_source",
            of(central.remove_source(&who, &source.name, "no").await),
        ),
        ("sources", of(central.sources(&who).await)),
    ];
    missing
        .into_iter()
        .filter(|(_, missing)| !missing)
        .map(|(act, _)| act)
        .collect()
}

#[test]
fn every_act_is_one_roles_business() {
    with_house(
        "scenarios::rights::every_act_is_one_roles_business",
        async |house| {
            let looks = [
                "document_lines_after",
                "certificates",
                "journal",
                "leases_after",
                "parcels_after",
                "parcel_content",
            ];
            let reports = [
                "blanks",
                "numbers",
                "incidents_after",
                "reconciliation",
                "places",
                "days",
                "stock",
                "deliveries_after",
                "check_stock",
                "ribbons_after",
                "ribbon",
                "ribbon_accounts",
                "ribbon_figures",
                "series",
                "sources",
                "check_numbers",
                "envelopes_after",
                "unsettled",
                "issued",
            ];
            let packs = [
                "pack",
                "unpack",
                "seal_parcel",
                "reopen_parcel",
                "discard_parcel",
                "send_parcel",
            ];
            let mishaps = ["damaged", "missing", "lose_parcel"];
            let ends = ["suspend", "lost", "stolen", "revoke_document"];
            let tells = ["report_incident", "explain_incident"];
            for person in PEOPLE {
                let may = tried(&house.central, person, house.folder.path()).await;
                let expected: Vec<&str> = match person {
                    "clerk" => [
                        &[
                            "import",
                            "hand_over",
                            "receive_parcel",
                            "arrive_late",
                            "take_back",
                            "resume",
                        ][..],
                        &ends,
                        &mishaps,
                        &looks,
                    ]
                    .concat(),
                    "approver" => [&["approve", "reject", "cancel"][..], &looks].concat(),
                    "operator" => [
                        &looks[..],
                        &[
                            "hello",
                            "lease",
                            "claim",
                            "open_channel",
                            "put_keys",
                            "certify",
                            "prove",
                            "sign_lds",
                            "seal",
                            "confirm",
                            "report",
                            "act",
                            "produce",
                            "miss",
                            "unload_ribbon",
                            "miss_ribbon",
                        ],
                    ]
                    .concat(),
                    "quality" => [
                        &[
                            "pass_quality",
                            "fail_quality",
                            "hold",
                            "miss",
                            "miss_ribbon",
                        ][..],
                        &packs,
                        &mishaps,
                        &looks,
                        &reports,
                    ]
                    .concat(),
                    "keeper" => [
                        &[
                            "receive_blanks",
                            "accept_delivery",
                            "restock",
                            "move",
                            "destroy",
                            "destroy_document",
                            "find",
                            "miss",
                            "count_place",
                            "close_day",
                            "receive_ribbons",
                            "take_in_ribbon",
                            "unload_ribbon",
                            "miss_ribbon",
                            "destroy_ribbon",
                        ][..],
                        &looks,
                        &reports,
                    ]
                    .concat(),
                    "envelopes" => [
                        &[
                            "print_envelope",
                            "open_envelope",
                            "envelope_printed",
                            "envelope_not_printed",
                            "dispatch_envelope",
                            "deliver_envelope",
                            "destroy_envelope",
                            "envelopes_after",
                        ][..],
                        &looks,
                    ]
                    .concat(),
                    "officer" => [
                        &[
                            "export_audit",
                            "clear_doubt",
                            "publish",
                            "close_incident",
                            "concede",
                            "give_up_lease",
                            "move_lease",
                            "cancel",
                            "begin_reconciliation",
                            "end_reconciliation",
                        ][..],
                        &ends,
                        &mishaps,
                        &["confirm_station", "suspend_station", "resume_station"],
                        &["stations"],
                        &["admit_source_key", "withdraw_source_key", "remove_source"],
                        &looks,
                        &reports,
                    ]
                    .concat(),
                    "auditor" => [&["export_audit"][..], &looks, &reports].concat(),
                    _ => [
                        &["add_account", "accounts", "ask_station", "remove_station"][..],
                        &["suspend_station", "stations"],
                        &["add_place", "open_series", "close_series", "void_numbers"],
                        &["add_source", "propose_source_key", "withdraw_source_key"],
                        &["remove_source"],
                        &reports,
                    ]
                    .concat(),
                };
                let mut expected = expected;
                if !["auditor", "administrator"].contains(&person) {
                    expected.extend(tells);
                }
                let mut may = may;
                expected.sort_unstable();
                may.sort_unstable();
                assert_eq!(may, expected, "{person}");
            }
            let nobody = actor("nobody");
            assert!(is_refused(&house.central.approve(&nobody, "APP-0").await));
            let unnamed = house
                .entries()
                .await
                .into_iter()
                .rfind(|entry| entry.outcome == Outcome::Refused)
                .unwrap();
            assert_eq!(unnamed.actor.person.unwrap().as_str(), "person/unknown");
            let mut odd = actor("clerk");
            odd.station = "Desk 1".into();
            assert!(matches!(
                house.central.hand_over(&odd, "XA0000009").await,
                Err(CentralError::Invalid { .. })
            ));
        },
    );
}

#[test]
fn roles_that_do_not_go_together_are_not_given() {
    with_house(
        "scenarios::rights::roles_that_do_not_go_together_are_not_given",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            assert!(is_conflict(&central.found(&actor("usurper")).await));
            for roles in [
                &[Role::Operator, Role::Quality][..],
                &[Role::Auditor, Role::Clerk],
                &[Role::EnvelopeClerk, Role::Operator],
            ] {
                assert!(is_refused(
                    &central.add_account(&administrator, "janus", roles).await
                ));
            }
            assert!(is_conflict(
                &central
                    .add_account(&administrator, "Clerk", &[Role::Clerk])
                    .await
            ));
            for name in ["", "a b", "Ā", &"x".repeat(65)] {
                assert!(matches!(
                    central
                        .add_account(&administrator, name, &[Role::Clerk])
                        .await,
                    Err(CentralError::Invalid { .. })
                ));
            }
            assert!(matches!(
                central.add_account(&administrator, "idle", &[]).await,
                Err(CentralError::Invalid { .. })
            ));
            assert_eq!(central.accounts(&administrator).await.unwrap().len(), 9);
        },
    );
}
