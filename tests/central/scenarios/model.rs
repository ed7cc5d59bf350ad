//! Random acts by random people against a reference model, on two instances of one store: the model
//! says before each whether it is done, the books must then be the model's, and every so often
//! everything must hold that must hold of the books as a whole.
//!
//! `ZIMOGS_MODEL_CASES` says how many lives of an installation are tried (default: 2),
//! `ZIMOGS_MODEL_ACTS` how many acts each has, `ZIMOGS_MODEL_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use api::{ApiError, LeaseId, Report};
use document::Role;
use document::life_cycle::{ApplicationState, DocumentState, LeaseState, ParcelState};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use vcard::Chip;

use super::house::{House, actor, with_adapted_house};
use super::model_acts::{ACTS, Act};
use super::model_books::{Blank, Books, Lease, PEOPLE, Parcel, Who, is};
use super::model_days::Days;
use super::model_packages::Sender;
use super::model_people::Door;
use super::two_chips::EID_CARD;
use crate::{Central, CentralError, Config};

/// How many acts a life has where nobody says otherwise.
const LENGTH: usize = 250;

/// After how many acts the books are audited.
const AUDITED: usize = 25;

/// Acts after a long time: what begins anew is left out.
const LATE: [Act; 19] = [
    Act::Report,
    Act::Pass,
    Act::Fail,
    Act::Hold,
    Act::Concede,
    Act::Pack,
    Act::Seal,
    Act::Send,
    Act::Receive,
    Act::ArriveLate,
    Act::HandOver,
    Act::Suspend,
    Act::Resume,
    Act::Revoke,
    Act::TakeBack,
    Act::TakeBack,
    Act::Destroy,
    Act::Damaged,
    Act::GiveUp,
];

/// A model, the store, and what happened until now.
pub(super) struct World {
    pub(super) books: Books,
    houses: Vec<House>,
    /// Which instance is asked.
    asked: usize,
    name: String,
    dice: u64,
    trail: Vec<String>,
    act: String,
    pub(super) lease_ids: Vec<LeaseId>,
    pub(super) given: Vec<api::Lease>,
    /// The last report of each station.
    pub(super) sent: BTreeMap<&'static str, Report>,
    pub(super) chips: BTreeMap<String, Chip>,
    chip_serials: BTreeMap<String, String>,
    pub(super) delivered: usize,
    pub(super) cards: usize,
    pub(super) is_void: BTreeSet<u32>,
    reached: BTreeSet<String>,
    pub(super) sender: Sender,
    pub(super) door: Door,
    pub(super) days: Days,
}

/// An error that says no, and none that says that something is broken.
pub(super) trait Refusal: Debug {
    fn is_refusal(&self) -> bool;
}

impl Refusal for CentralError {
    fn is_refusal(&self) -> bool {
        self.outcome() == Some(audit::Outcome::Refused)
    }
}

impl Refusal for ApiError {
    fn is_refusal(&self) -> bool {
        !matches!(self, Self::Unavailable { .. } | Self::WrongKeys)
    }
}

impl World {
    async fn new(house: &House, name: &str, seed: u64) -> Self {
        let first = house.elsewhere(name).await;
        let (central, administrator) = (&first.central, actor("administrator"));
        let known = central.accounts(&administrator).await.unwrap();
        for (name, roles) in PEOPLE {
            if !roles.is_empty() && known.iter().all(|one| one.name != name) {
                let added = central.add_account(&administrator, name, roles).await;
                added.unwrap();
            }
        }
        let code = document::OfficeCode::parse("RIGA-1").unwrap();
        central
            .add_place(&administrator, &code, "Riga")
            .await
            .unwrap();
        let sender = Sender::new(&first).await;
        let door = Door::new(&first).await;
        let second = first.beside().await;
        Self {
            books: Books::default(),
            houses: vec![first, second],
            asked: 0,
            name: name.to_owned(),
            dice: seed | 1,
            trail: Vec::new(),
            act: String::new(),
            lease_ids: Vec::new(),
            given: Vec::new(),
            sent: BTreeMap::new(),
            chips: BTreeMap::new(),
            chip_serials: BTreeMap::new(),
            delivered: 0,
            cards: 0,
            is_void: BTreeSet::new(),
            reached: BTreeSet::new(),
            sender,
            door,
            days: Days::default(),
        }
    }

    pub(super) fn house(&self) -> &House {
        &self.houses[self.asked]
    }

    pub(super) fn central(&self) -> Central {
        self.house().central.clone()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.house().central.now()
    }

    /// Marsaglia's xorshift.
    pub(super) fn throw(&mut self, below: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from((self.dice >> 8) % u64::try_from(below).unwrap()).unwrap()
    }

    fn likely(&mut self) -> bool {
        self.throw(8) > 0
    }

    fn one_of(&mut self, all: Vec<usize>) -> Option<usize> {
        match all.len() {
            0 => None,
            many => Some(all[self.throw(many)]),
        }
    }

    /// Somebody who mostly has one of these roles.
    pub(super) fn who(&mut self, roles: &[Role]) -> Who {
        let any: Vec<Who> = PEOPLE.iter().map(|(name, _)| *name).collect();
        let fit: Vec<Who> = any.iter().copied().filter(|who| is(who, roles)).collect();
        match self.likely() {
            true => fit[self.throw(fit.len())],
            false => any[self.throw(any.len())],
        }
    }

    pub(super) fn operator_of(&mut self, lease: &Lease) -> Who {
        match self.likely() {
            true => lease.operator,
            false => self.who(&[Role::Operator]),
        }
    }

    pub(super) fn pick_application(&mut self) -> Option<usize> {
        let papers = self.books.papers.iter().enumerate();
        let open = papers.filter(|(_, one)| one.application == ApplicationState::Received);
        let open = open.map(|(at, _)| at).collect();
        match self.likely() {
            true => self.one_of(open),
            false => self.one_of((0..self.books.papers.len()).collect()),
        }
    }

    /// A document that is mostly in one of these states.
    pub(super) fn pick_paper(&mut self, states: &[DocumentState]) -> Option<usize> {
        let likely = self.likely();
        let all = (0..self.books.papers.len()).filter(|&at| match self.books.state(at) {
            Some(state) => !likely || states.contains(&state),
            None => false,
        });
        let all = all.collect();
        self.one_of(all)
    }

    pub(super) fn pick_blank(&mut self, fits: impl Fn(&Blank) -> bool) -> Option<String> {
        let all = self.books.blanks.iter().filter(|(_, blank)| fits(blank));
        let all: Vec<String> = all.map(|(serial, _)| serial.clone()).collect();
        match all.len() {
            0 => None,
            many => Some(all[self.throw(many)].clone()),
        }
    }

    pub(super) fn pick_lease(&mut self) -> Option<usize> {
        let likely = self.likely();
        let leases = self.books.leases.iter().enumerate();
        let live = [LeaseState::Open, LeaseState::Expired];
        let fit = leases.filter(|(_, one)| !likely || live.contains(&one.state));
        let fit = fit.map(|(at, _)| at).collect();
        self.one_of(fit)
    }

    pub(super) fn pick_parcel(&mut self, fits: impl Fn(&Parcel) -> bool) -> Option<usize> {
        let parcels = self.books.parcels.iter().enumerate();
        let all = parcels.filter(|(_, one)| fits(one));
        let all = all.map(|(at, _)| at).collect();
        self.one_of(all)
    }

    pub(super) fn pick_parcel_in(&mut self, state: ParcelState) -> Option<usize> {
        let likely = self.likely();
        self.pick_parcel(|one| !likely || (one.state == state && !one.content.is_empty()))
    }

    pub(super) fn number_of(&self, paper: usize) -> Option<String> {
        let document = self.books.papers[paper].document.as_ref();
        document.and_then(|one| one.number.clone())
    }

    /// Returns the number that a document has in the store.
    pub(super) async fn stored_number(&self, paper: usize) -> Option<String> {
        let central = self.central();
        let mut tx = central.read().await.unwrap();
        sqlx::query_scalar("SELECT number FROM document WHERE application = $1")
            .bind(&self.books.papers[paper].reference)
            .fetch_one(&mut *tx)
            .await
            .unwrap()
    }

    pub(super) fn chip_serial(&self, blank: &str) -> String {
        let known = self.chip_serials.get(blank).cloned();
        known.unwrap_or_else(|| self.chips[blank].serial().to_string())
    }

    pub(super) async fn wait(&mut self, time: SignedDuration) {
        self.house().clock.pass(time);
        self.trail.push(format!("{time:#} later"));
        self.expire_leases().await;
    }

    /// Ends the leases whose time has passed, as every act does that looks for one.
    pub(super) async fn expire_leases(&mut self) {
        let central = self.central();
        let mut tx = central.write().await.unwrap();
        central.expire_leases(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let now = self.now();
        self.books.expire(now);
    }

    /// How many documents must have expired: of those in use, whose last day is over.
    pub(super) async fn expire_model(&mut self) -> u64 {
        let central = self.central();
        let today = central.today().to_string();
        let mut tx = central.read().await.unwrap();
        let rows = sqlx::query("SELECT application FROM document WHERE expires < $1")
            .bind(&today)
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        let over: BTreeSet<String> = rows.iter().map(|row| row.get("application")).collect();
        let (now, mut many) = (self.now(), 0);
        for at in 0..self.books.papers.len() {
            let in_use = [
                Some(DocumentState::HandedOver),
                Some(DocumentState::Suspended),
            ];
            let is_over = over.contains(&self.books.papers[at].reference);
            if is_over && in_use.contains(&self.books.state(at)) {
                self.books.go(at, DocumentState::Expired, now);
                self.books.papers[at].annul(true);
                many += 1;
            }
        }
        many
    }

    /// One of the instances ends and starts again.
    pub(super) async fn reopen(&mut self) {
        let at = self.asked;
        self.houses[at].central.close().await;
        self.houses[at] = self.houses[1 - at].beside().await;
    }

    /// Notes what was tried, and demands that the store said what the model says.
    pub(super) fn judge<E: Refusal>(
        &mut self,
        may: bool,
        done: &Result<(), E>,
        what: &[&str],
    ) -> bool {
        self.trail.push(format!("{} {what:?}: {done:?}", self.act));
        if done.is_ok() != may {
            self.fail(&format!("the model says {may}, and the store {done:?}"));
        }
        if let Err(error) = done
            && !error.is_refusal()
        {
            self.fail(&format!("{error:?} is no refusal"));
        }
        may
    }

    /// Notes what was tried.
    pub(super) fn note(&mut self, what: &str) {
        self.trail.push(format!("{} {what}", self.act));
    }

    pub(super) fn fail(&self, what: &str) -> ! {
        let from = self.trail.len().saturating_sub(60);
        let trail = self.trail[from..].join("\n");
        panic!("{}: {what}, after\n{trail}", self.name);
    }

    /// Demands that the books are the model's.
    async fn compare(&mut self) {
        let central = self.central();
        let mut tx = central.read().await.unwrap();
        let mut found = Vec::new();
        for sql in [
            "SELECT 'application ' || reference AS what, state, '' AS more FROM application ORDER BY reference",
            "SELECT 'document ' || application AS what, state, COALESCE(number, '') AS more FROM document ORDER BY application",
            "SELECT 'blank ' || serial AS what, state, place AS more FROM blank ORDER BY serial",
            "SELECT 'lease ' || id AS what, state, COALESCE(blank, '') AS more FROM lease WHERE slot NOT IN ('desk', 'new-pins') ORDER BY id",
            "SELECT 'parcel ' || serial AS what, state, office AS more FROM parcel ORDER BY serial",
            "SELECT 'envelope ' || serial AS what, state, number AS more FROM envelope ORDER BY serial",
        ] {
            let rows = sqlx::query(sql).fetch_all(&mut *tx).await.unwrap();
            found.extend(rows.iter().map(|row| {
                let text = |column| row.get::<String, _>(column);
                format!("{} {} {}", text("what"), text("state"), text("more"))
            }));
        }
        drop(tx);
        let mut expected = Vec::new();
        for paper in &self.books.papers {
            expected.push(format!(
                "application {} {} ",
                paper.reference, paper.application
            ));
            if let Some(document) = &paper.document {
                let number = document.number.clone().unwrap_or_default();
                let (reference, state) = (&paper.reference, document.state);
                expected.push(format!("document {reference} {state} {number}"));
            }
        }
        for letter in self.books.papers.iter().flat_map(|paper| &paper.letters) {
            let (serial, number) = (&letter.serial, &letter.number);
            expected.push(format!("envelope {serial} {} {number}", letter.state));
        }
        for (serial, blank) in &self.books.blanks {
            expected.push(format!("blank {serial} {} {}", blank.state, blank.place));
        }
        for (lease, id) in self.books.leases.iter().zip(&self.lease_ids) {
            let blank = lease.blank.clone().unwrap_or_default();
            expected.push(format!("lease {id} {} {blank}", lease.state));
        }
        for parcel in &self.books.parcels {
            expected.push(format!(
                "parcel {} {} {}",
                parcel.serial, parcel.state, parcel.office
            ));
        }
        let (found, expected) = (
            found.into_iter().collect::<BTreeSet<_>>(),
            expected.into_iter().collect::<BTreeSet<_>>(),
        );
        if found != expected {
            let more: Vec<_> = found.difference(&expected).collect();
            let less: Vec<_> = expected.difference(&found).collect();
            self.fail(&format!("the store has {more:?}, and the model {less:?}"));
        }
        let states = self.books.papers.iter().enumerate();
        let states: Vec<_> = states.filter_map(|(at, _)| self.books.state(at)).collect();
        self.reached
            .extend(states.iter().map(|state| state.to_string()));
    }

    async fn audit(&self) {
        let audit = self.central().audit_books(&actor("auditor")).await.unwrap();
        if !audit.is_sound() {
            self.fail(&format!("the books do not hold: {:#?}", audit.faults()));
        }
    }

    async fn step(&mut self, act: Act) {
        self.asked = self.throw(2);
        self.act = format!("{act:?}");
        for (serial, chip) in &self.chips {
            if !self.chip_serials.contains_key(serial) {
                let number = chip.serial().to_string();
                self.chip_serials.insert(serial.clone(), number);
            }
        }
        self.attempt(act).await;
        self.compare().await;
        self.compare_incidents().await;
    }

    async fn live(&mut self, acts: usize) {
        let weights: u32 = ACTS.iter().map(|(_, weight)| weight).sum();
        for step in 0..acts {
            let mut at = self.throw(usize::try_from(weights).unwrap());
            let act = ACTS.iter().find(|(_, weight)| {
                let weight = usize::try_from(*weight).unwrap();
                let is_it = at < weight;
                at = at.saturating_sub(weight);
                is_it
            });
            self.step(act.unwrap().0).await;
            if step % AUDITED == 0 {
                self.audit().await;
            }
        }
        self.audit().await;
        // Nobody comes for half a year, and biometrics are erased meanwhile; then everything expires.
        for days in [30, 70, 100, 365 * 11] {
            self.wait(SignedDuration::from_hours(24 * days)).await;
            for act in [Act::Tidy, Act::Expire, Act::Tidy] {
                self.step(act).await;
            }
            for _ in 0..acts / 8 {
                let act = LATE[self.throw(LATE.len())];
                self.step(act).await;
            }
            self.audit().await;
        }
    }
}

/// Booklets without a chip, numbered sheets, and chip cards.
fn three_makes(config: &mut Config) {
    let booklet = "format = 1\nname = \"booklet\"\ntitle = \"A booklet\"\nkinds = [\"id-card\"]\narticle = \"booklet\"\n";
    config.documents.put("booklet", booklet);
    let sheet = "format = 1\nname = \"sheet\"\ntitle = \"A sheet\"\nkinds = [\"repressed-person-certificate\"]\narticle = \"sheet\"\nnumber = \"blank\"\n";
    config.documents.put("sheet", sheet);
    let card = EID_CARD.replacen("[\"id-card\", \"alien-id-card\"]", "[\"alien-id-card\"]", 1);
    config.documents.put("eid-card", card);
}

fn told(name: &str, otherwise: usize) -> usize {
    let told = std::env::var(name).ok().and_then(|text| text.parse().ok());
    told.unwrap_or(otherwise)
}

#[test]
fn whatever_anybody_does_the_books_are_the_models() {
    with_adapted_house(
        "scenarios::model::whatever_anybody_does_the_books_are_the_models",
        three_makes,
        async |house| {
            let first = told("ZIMOGS_MODEL_SEED", 1);
            let mut reached = BTreeSet::new();
            for case in first..first + told("ZIMOGS_MODEL_CASES", 2) {
                let seed = u64::try_from(case)
                    .unwrap()
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut world = World::new(&house, &format!("life-{case}"), seed).await;
                world.live(told("ZIMOGS_MODEL_ACTS", LENGTH)).await;
                reached.append(&mut world.reached);
                for one in &world.houses {
                    one.central.close().await;
                }
            }
            assert!(reached.len() > 10, "{reached:?}");
        },
    );
}
