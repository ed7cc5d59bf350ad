//! Reports over several months and offices, against a diary that the test keeps, and against the log.

use std::collections::BTreeMap;

use audit::{Entry, Outcome, Trust, verify_export_with};
use document::{Calendar, Kind};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use report::{By, Cell, Language, Plan, Report, Span, Tally};
use serde_json::Value;

use super::house::{House, actor, is_refused, operator, receipt, sample, with_adapted_house};
use super::life::read_folder;
use crate::{Config, DeliveredBlank, Delivery, DeskEnd};

/// Citizens and permit holders get paper here: no chip slows the months down.
fn paper(config: &mut Config) {
    let paper = "format = 1\nname = \"paper\"\ntitle = \"Paper\"\nkinds = [\"id-card\", \"residence-permit\"]\narticle = \"paper\"\n";
    config.documents.put("paper", paper);
    let card = config.documents.text("eid-card").unwrap();
    let card = card.replacen("[\"id-card\", \"alien-id-card\"]", "[\"alien-id-card\"]", 1);
    config.documents.put("eid-card", card);
}

/// An office in which documents are made one after another.
struct Months<'a> {
    house: &'a House,
    blanks: usize,
    applications: usize,
}

impl Months<'_> {
    /// Goes on to noon of a day.
    fn go(&self, day: Date) {
        let noon: Timestamp = format!("{day}T10:00:00Z").parse().unwrap();
        let now = self.house.central.now();
        assert!(noon > now, "time goes on");
        self.house.clock.pass(noon.duration_since(now));
    }

    async fn receive(&mut self, count: usize) {
        let blanks = (self.blanks..self.blanks + count).map(|at| DeliveredBlank {
            serial: format!("P-{at:05}"),
            article: Some("paper".into()),
            number: None,
            chips: Vec::new(),
        });
        let delivery = Delivery {
            reference: format!("D-{}", self.blanks),
            blanks: blanks.collect(),
        };
        let keeper = actor("keeper");
        let central = &self.house.central;
        let receipt = receipt(count);
        let received = central.receive_blanks(&keeper, &delivery, &receipt).await;
        received.unwrap();
    }

    /// Takes in and approves an application; returns its reference.
    async fn apply(&mut self, kind: Kind, office: &str, priority: &str) -> String {
        let name = match kind {
            Kind::ResidencePermit => "26-residence-permit",
            _ => "01-adult",
        };
        let mut application: Value =
            serde_json::from_slice(&sample(&format!("applications/{name}"))).unwrap();
        self.applications += 1;
        let reference = format!("APP-C-{:05}", self.applications);
        application["reference"] = reference.clone().into();
        application["office"] = office.into();
        application["priority"] = priority.into();
        let bytes = serde_json::to_vec(&application).unwrap();
        let central = &self.house.central;
        central.import(&actor("clerk"), &bytes).await.unwrap();
        central
            .approve(&actor("approver"), &reference)
            .await
            .unwrap();
        reference
    }

    /// Makes the document of an application, and returns its number.
    async fn make(&mut self, application: &str, end: DeskEnd) -> String {
        let serial = format!("P-{:05}", self.blanks);
        self.blanks += 1;
        let central = &self.house.central;
        let number = central
            .produce(&operator(), application, &serial, &end)
            .await;
        number.unwrap().to_string()
    }

    async fn pass(&self, number: &str) {
        let central = &self.house.central;
        central
            .pass_quality(&actor("quality"), number)
            .await
            .unwrap();
    }

    async fn hand_over(&self, number: &str) {
        let central = &self.house.central;
        central.hand_over(&actor("clerk"), number).await.unwrap();
    }

    /// A whole life on one day but for the application.
    async fn issue(&mut self, application: &str) {
        let number = self.make(application, DeskEnd::Made).await;
        self.pass(&number).await;
        self.hand_over(&number).await;
    }
}

fn jammed() -> DeskEnd {
    DeskEnd::Spoiled {
        cause: "the printer jammed".into(),
    }
}

/// Three months: what is expected below is this diary's.
async fn three_months(house: &House) {
    let mut office = Months {
        house,
        blanks: 0,
        applications: 0,
    };
    office.receive(40).await;
    // Friday 20 November. Urgent is due on Tuesday, normal on 4 December.
    let urgent = office.apply(Kind::IdCard, "RIGA-1", "urgent").await;
    let normal = office.apply(Kind::IdCard, "RIGA-1", "normal").await;
    let late = office
        .apply(Kind::ResidencePermit, "LIEPAJA", "urgent")
        .await;
    let given_up = office.apply(Kind::IdCard, "LIEPAJA", "normal").await;
    office.go(date(2026, 11, 24));
    office.issue(&urgent).await;
    office.go(date(2026, 11, 25));
    office.issue(&late).await;
    // A blank spoils at the desk, the next document fails, the third passes in December.
    office.go(date(2026, 11, 30));
    office.make(&normal, jammed()).await;
    let failed = office.make(&normal, DeskEnd::Made).await;
    let central = &house.central;
    let judge = actor("quality");
    central
        .fail_quality(&judge, &failed, "the portrait is blurred")
        .await
        .unwrap();
    office.go(date(2026, 12, 4));
    let made = office.make(&normal, DeskEnd::Made).await;
    office.pass(&made).await;
    // It is fetched after New Year: issued in January, ready in December.
    office.go(date(2027, 1, 4));
    office.hand_over(&made).await;
    for _ in 0..3 {
        let permit = office
            .apply(Kind::ResidencePermit, "RIGA-1", "normal")
            .await;
        office.issue(&permit).await;
    }
    // In Riga it is the first of February, in UTC still January.
    house.clock.pass(
        "2027-01-31T22:30:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .duration_since(central.now()),
    );
    let night = office.apply(Kind::IdCard, "LIEPAJA", "urgent").await;
    office.issue(&night).await;
    let waits = central.waiting(&actor("auditor")).await.unwrap();
    assert_eq!(waits.len(), 1, "{given_up} alone is not made");
    assert_eq!((waits[0].documents, waits[0].overdue), (1, 1));
    assert_eq!(waits[0].oldest, Some(date(2026, 11, 20)));
    assert_eq!(waits[0].first_due, Some(date(2026, 12, 4)));
}

fn span() -> Span {
    Span::new(date(2026, 11, 1), date(2027, 2, 28)).unwrap()
}

/// Returns the rows of a table, as programs read them.
fn rows(report: &Report, table: &str) -> Vec<Vec<String>> {
    let table = report.table(Some(table)).unwrap();
    let row = |cells: &Vec<Cell>| cells.iter().map(Cell::plain).collect();
    table.rows.iter().map(row).collect()
}

fn issued(tallies: &[Tally], month: &str) -> u64 {
    let of_month = tallies.iter().filter(|tally| tally.month == month);
    of_month.map(|tally| tally.issued).sum()
}

#[test]
fn three_months_are_counted_as_they_were() {
    with_adapted_house(
        "scenarios::counting::three_months_are_counted_as_they_were",
        paper,
        async |house| {
            three_months(&house).await;
            let (central, auditor) = (&house.central, actor("auditor"));
            let calendar = Calendar::default();
            let english = Language::English;

            let plan: Plan = serde_json::from_value(serde_json::json!({
                "format": 1,
                "groups": [{ "name": "cards", "title": "Cards", "title_lv": "Kartes",
                    "kinds": ["id-card"], "planned": { "2026": 2, "2027": 4 }, "elsewhere": { "2026": 7 } }],
            }))
            .unwrap();
            let tallies = central.tallies(&auditor, span()).await.unwrap();
            let by = |by| report::kpi(&tallies, &plan, &calendar, span(), by, english);
            let offices = rows(&by(By::Office), "issued");
            // office, group, ordered, made, issued, elsewhere, planned, of plan, cancelled
            assert_eq!(
                offices,
                [
                    ["LIEPAJA", "cards", "2", "1", "1", "0", "", "", "0"],
                    [
                        "LIEPAJA",
                        "residence-permit",
                        "1",
                        "1",
                        "1",
                        "0",
                        "",
                        "",
                        "0"
                    ],
                    ["LIEPAJA", "total", "3", "2", "2", "0", "", "", "0"],
                    ["RIGA-1", "cards", "2", "3", "2", "0", "", "", "0"],
                    [
                        "RIGA-1",
                        "residence-permit",
                        "3",
                        "3",
                        "3",
                        "0",
                        "",
                        "",
                        "0"
                    ],
                    ["RIGA-1", "total", "5", "6", "5", "0", "", "", "0"],
                ]
            );
            // Whole years: what was issued elsewhere counts with them.
            let years = Span::new(date(2026, 1, 1), date(2027, 12, 31)).unwrap();
            let yearly = report::kpi(&tallies, &plan, &calendar, years, By::Year, english);
            assert_eq!(
                rows(&yearly, "issued"),
                [
                    ["2026", "cards", "3", "3", "1", "7", "2", "4.0000", "0"],
                    ["2026", "residence-permit", "1", "1", "1", "0", "", "", "0"],
                    ["2026", "total", "4", "4", "2", "7", "2", "4.5000", "0"],
                    ["2027", "cards", "1", "1", "2", "0", "4", "0.5000", "0"],
                    ["2027", "residence-permit", "3", "3", "3", "0", "", "", "0"],
                    ["2027", "total", "4", "4", "5", "0", "4", "1.2500", "0"],
                ]
            );
            assert_eq!(issued(&tallies, "2026-11"), 2);
            assert_eq!(issued(&tallies, "2026-12"), 0);
            assert_eq!(issued(&tallies, "2027-01"), 4);
            assert_eq!(
                issued(&tallies, "2027-02"),
                1,
                "the first of February in Riga"
            );

            let delays = central.delays(&auditor, span(), By::Kind).await.unwrap();
            let waiting = central.waiting(&auditor).await.unwrap();
            let turnaround =
                report::turnaround(&delays, &waiting, &calendar, span(), By::Kind, english);
            // kind, priority, documents, within, share, median, p90, p99, longest
            assert_eq!(
                rows(&turnaround, "turnaround"),
                [
                    ["id-card", "urgent", "2", "2", "1.0000", "0", "2", "2", "2"],
                    [
                        "id-card", "normal", "1", "1", "1.0000", "10", "10", "10", "10"
                    ],
                    [
                        "residence-permit",
                        "urgent",
                        "1",
                        "0",
                        "0.0000",
                        "3",
                        "3",
                        "3",
                        "3"
                    ],
                    [
                        "residence-permit",
                        "normal",
                        "3",
                        "3",
                        "1.0000",
                        "0",
                        "0",
                        "0",
                        "0"
                    ],
                    ["total", "urgent", "3", "2", "0.6667", "2", "3", "3", "3"],
                    ["total", "normal", "4", "4", "1.0000", "0", "10", "10", "10"],
                ]
            );

            let figures = central
                .quality_figures(&auditor, span(), By::Month)
                .await
                .unwrap();
            let quality = report::quality(&figures, span(), By::Month, english);
            // month, made, passed, first pass, conceded, failed, spoiled, yield, first-pass yield
            assert_eq!(
                rows(&quality, "quality"),
                [
                    ["2026-11", "3", "2", "2", "0", "1", "2", "0.5000", "1.0000"],
                    ["2026-12", "1", "1", "0", "0", "0", "0", "1.0000", "0.0000"],
                    ["2027-01", "3", "3", "3", "0", "0", "0", "1.0000", "1.0000"],
                    ["2027-02", "1", "1", "1", "0", "0", "0", "1.0000", "1.0000"],
                    ["total", "8", "7", "6", "0", "1", "2", "0.7778", "0.8571"],
                ]
            );
            assert_eq!(
                rows(&quality, "causes"),
                [
                    ["the portrait is blurred", "1"],
                    ["the printer jammed", "1"]
                ]
            );

            let stock = central.stock_figures(&auditor).await.unwrap();
            assert_eq!(
                rows(&report::stock(&stock, &[], english), "stock"),
                [
                    ["paper", "in-stock", "31"],
                    ["paper", "personalized", "7"],
                    ["paper", "spoiled", "2"],
                ]
            );
            let numbers = central.number_figures(&auditor).await.unwrap();
            assert_eq!(
                rows(&report::numbers(&numbers, english), "numbers"),
                [
                    ["XA", "allotted", "1"],
                    ["XA", "issued", "7"],
                    ["XA", "spoiled", "2"]
                ]
            );
        },
    );
}

#[test]
fn a_months_figures_follow_from_the_log_alone() {
    with_adapted_house(
        "scenarios::counting::a_months_figures_follow_from_the_log_alone",
        paper,
        async |house| {
            three_months(&house).await;
            let (central, auditor) = (&house.central, actor("auditor"));
            central.sequence().await.unwrap();
            let folder = house.folder.path().join("export");
            std::fs::create_dir(&folder).unwrap();
            central.export_audit(&auditor, &folder).await.unwrap();
            let mut files = read_folder(&folder);
            let mut counted: BTreeMap<String, u64> = BTreeMap::new();
            let trust = Trust {
                log: central.audit_key(),
                witnesses: &[],
            };
            verify_export_with(&mut files, trust, |_, bytes| {
                let entry = Entry::decode(bytes).unwrap();
                if entry.action.as_str() == "document.handed-over" && entry.outcome == Outcome::Done
                {
                    let at: Timestamp = entry.time.as_str().parse().unwrap();
                    // Riga is two hours before UTC in these months.
                    let day = (at + SignedDuration::from_hours(2)).to_string();
                    *counted.entry(day[..7].to_owned()).or_default() += 1;
                }
            })
            .unwrap();
            let tallies = central.tallies(&auditor, span()).await.unwrap();
            for month in span().months() {
                let logged = counted.get(&month).copied().unwrap_or_default();
                assert_eq!(issued(&tallies, &month), logged, "{month}");
            }
            assert_eq!(counted.values().sum::<u64>(), 7);
        },
    );
}

#[test]
fn reports_are_for_those_who_have_the_right() {
    with_adapted_house(
        "scenarios::counting::reports_are_for_those_who_have_the_right",
        paper,
        async |house| {
            let central = &house.central;
            for (person, may) in [
                ("auditor", true),
                ("quality", true),
                ("keeper", true),
                ("officer", true),
                ("administrator", true),
                ("clerk", false),
                ("approver", false),
                ("operator", false),
                ("envelopes", false),
                ("nobody", false),
            ] {
                let who = actor(person);
                let refused = [
                    is_refused(&central.tallies(&who, span()).await),
                    is_refused(&central.delays(&who, span(), By::Year).await),
                    is_refused(&central.waiting(&who).await),
                    is_refused(&central.quality_figures(&who, span(), By::Office).await),
                    is_refused(&central.stock_figures(&who).await),
                    is_refused(&central.number_figures(&who).await),
                ];
                assert_eq!(refused, [!may; 6], "{person}");
            }
        },
    );
}
