//! What is tried on the model and on the store: each act with the verdict that the model has on it
//! before the store is asked, and what the model has after it.

use api::Actor;
use document::life_cycle::{ApplicationState, BlankState, DocumentState};
use document::{OfficeCode, Role};
use jiff::SignedDuration;

use super::house::{PRODUCT, delivered, receipt, sample, unbooked};
use super::model::World;
use super::model_books::{Blank, Make, Paper, Paperwork, is, witnesses};
use crate::{DeliveredBlank, Delivery, Handling, Receipt};

pub(super) const PLACES: [&str; 2] = ["CENTRAL", "RIGA-1"];
pub(super) const OFFICES: [&str; 2] = ["RIGA-1", "LIEPAJA"];
pub(super) const STATIONS: [&str; 2] = ["station-1", "station-2"];
pub(super) const SLOTS: [&str; 2] = ["a", "b"];

use DocumentState as Doc;

/// The acts, each with how often it is tried.
pub(super) const ACTS: [(Act, u32); 61] = [
    (Act::Import, 14),
    (Act::ImportAgain, 1),
    (Act::Approve, 14),
    (Act::Reject, 1),
    (Act::Withdraw, 1),
    (Act::Cancel, 1),
    (Act::Deliver, 7),
    (Act::Handle, 6),
    (Act::Lease, 3),
    (Act::Claim, 7),
    (Act::Report, 3),
    (Act::ReportOddly, 2),
    (Act::Produce, 22),
    (Act::MakeCard, 6),
    (Act::Pass, 18),
    (Act::Fail, 2),
    (Act::Hold, 2),
    (Act::Concede, 3),
    (Act::OpenParcel, 3),
    (Act::Pack, 12),
    (Act::Unpack, 2),
    (Act::Seal, 8),
    (Act::Reopen, 1),
    (Act::Discard, 1),
    (Act::Send, 8),
    (Act::Receive, 8),
    (Act::ArriveLate, 4),
    (Act::LoseParcel, 1),
    (Act::HandOver, 14),
    (Act::Suspend, 6),
    (Act::Resume, 5),
    (Act::Lost, 1),
    (Act::Stolen, 1),
    (Act::Revoke, 2),
    (Act::TakeBack, 5),
    (Act::Destroy, 5),
    (Act::Damaged, 2),
    (Act::Missing, 2),
    (Act::GiveUp, 3),
    (Act::Wait, 3),
    (Act::Expire, 1),
    (Act::Tidy, 1),
    (Act::Reopened, 1),
    (Act::Void, 1),
    (Act::Print, 5),
    (Act::Printed, 5),
    (Act::NotPrinted, 1),
    (Act::SendLetter, 5),
    (Act::DeliverLetter, 4),
    (Act::DestroyLetter, 2),
    (Act::NewPins, 3),
    (Act::SendPackage, 12),
    (Act::SignIn, 6),
    (Act::UseSession, 6),
    (Act::Lock, 1),
    (Act::Unlock, 2),
    (Act::Count, 2),
    (Act::CloseDay, 4),
    (Act::FindIncident, 3),
    (Act::ExplainIncident, 4),
    (Act::CloseIncident, 4),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Import,
    ImportAgain,
    Approve,
    Reject,
    Withdraw,
    Cancel,
    Deliver,
    Handle,
    Lease,
    Claim,
    Report,
    ReportOddly,
    Produce,
    MakeCard,
    Pass,
    Fail,
    Hold,
    Concede,
    OpenParcel,
    Pack,
    Unpack,
    Seal,
    Reopen,
    Discard,
    Send,
    Receive,
    ArriveLate,
    LoseParcel,
    HandOver,
    Suspend,
    Resume,
    Lost,
    Stolen,
    Revoke,
    TakeBack,
    Destroy,
    Damaged,
    Missing,
    GiveUp,
    Wait,
    Expire,
    Tidy,
    Reopened,
    Void,
    Print,
    Printed,
    NotPrinted,
    SendLetter,
    DeliverLetter,
    DestroyLetter,
    NewPins,
    SendPackage,
    SignIn,
    UseSession,
    Lock,
    Unlock,
    Count,
    CloseDay,
    FindIncident,
    ExplainIncident,
    CloseIncident,
}

impl World {
    /// Tries an act. Whether it is done must be what the model says.
    pub(super) async fn attempt(&mut self, act: Act) {
        match act {
            Act::Import | Act::ImportAgain => self.import(act == Act::ImportAgain).await,
            Act::Approve => self.approve().await,
            Act::Reject | Act::Withdraw => self.end_application(act == Act::Reject).await,
            Act::Deliver => self.deliver().await,
            Act::Handle => self.handle().await,
            Act::Lease => self.lease().await,
            Act::Claim => self.claim().await,
            Act::Report => self.report().await,
            Act::ReportOddly => self.report_oddly().await,
            Act::Produce => self.produce().await,
            Act::MakeCard => self.make_card().await,
            Act::OpenParcel => self.open_parcel().await,
            Act::Pack => self.pack().await,
            Act::Unpack => self.unpack().await,
            Act::Seal | Act::Reopen | Act::Discard | Act::Send => self.move_parcel(act).await,
            Act::Receive => self.receive().await,
            Act::LoseParcel => self.lose_parcel().await,
            Act::GiveUp => self.give_up().await,
            Act::Wait => {
                let minutes = [1, 6, 11, 60 * 24, 60 * 24 * 3][self.throw(5)];
                self.wait(SignedDuration::from_mins(minutes)).await;
            }
            Act::Expire => {
                let expired = self.central().expire_documents().await.unwrap();
                let expected = self.expire_model().await;
                assert_eq!(expired, expected);
            }
            Act::Tidy => {
                self.central().sequence().await.unwrap();
                self.central().sweep_certificates().await.unwrap();
                self.central().erase().await.unwrap();
            }
            Act::Reopened => self.reopen().await,
            Act::Void => self.void().await,
            Act::Print => self.print().await,
            Act::Printed
            | Act::NotPrinted
            | Act::SendLetter
            | Act::DeliverLetter
            | Act::DestroyLetter => self.move_letter(act).await,
            Act::NewPins => self.new_pins().await,
            Act::SendPackage => self.send_package().await,
            Act::SignIn => self.sign_in().await,
            Act::UseSession => self.use_session().await,
            Act::Lock | Act::Unlock => self.lock(act == Act::Lock).await,
            Act::Count | Act::CloseDay => self.count(act == Act::CloseDay).await,
            Act::FindIncident => self.report_incident().await,
            Act::ExplainIncident | Act::CloseIncident => {
                self.settle_incident(act == Act::CloseIncident).await;
            }
            _ => self.move_document(act).await,
        }
    }

    async fn import(&mut self, again: bool) {
        let make = Make::ALL[self.throw(3)];
        let name = ["01-adult", "09-alien", "27-repressed-person"][make as usize];
        let known = self.books.papers.len();
        let place = match again && known > 0 {
            true => self.throw(known),
            false => known,
        };
        let (office, is_urgent) = (OFFICES[self.throw(2)], self.throw(4) == 0);
        let reference = format!("APP-MODEL-{place:05}");
        let mut value: serde_json::Value =
            serde_json::from_slice(&sample(&format!("applications/{name}"))).unwrap();
        value["reference"] = reference.clone().into();
        value["office"] = office.into();
        value["priority"] = if is_urgent { "urgent" } else { "normal" }.into();
        let who = self.who(&[Role::Clerk]);
        let may = is(who, &[Role::Clerk]) && place == known;
        let content = serde_json::to_vec(&value).unwrap();
        let done = self.central().import(&desk(who), &content).await;
        if self.judge(may, &done.map(drop), &[who, &reference]) {
            let entered = self.now();
            self.books.papers.push(Paper {
                reference,
                make,
                holder: name,
                office,
                is_urgent,
                entered_by: who,
                entered,
                application: ApplicationState::Received,
                document: None,
                letters: Vec::new(),
            });
        }
    }

    async fn approve(&mut self) {
        let Some(at) = self.pick_application() else {
            return;
        };
        let who = self.who(&[Role::Approver]);
        let paper = self.books.papers[at].clone();
        let may = is(who, &[Role::Approver])
            && paper.application == ApplicationState::Received
            && paper.entered_by != who;
        let done = self.central().approve(&desk(who), &paper.reference).await;
        let number = done.as_ref().ok().copied().flatten();
        if self.judge(may, &done.map(drop), &[who, &paper.reference]) {
            let number = number.map(|number| number.to_string());
            assert_eq!(number.is_some(), paper.make != Make::Sheet);
            if let Some(number) = &number {
                assert!(self.books.numbers.insert(number.clone()), "{number}");
            }
            self.books.documents += 1;
            let (order, since) = (self.books.documents, self.now());
            let paper = &mut self.books.papers[at];
            paper.application = ApplicationState::InProduction;
            paper.document = Some(Paperwork {
                state: Doc::Queued,
                number,
                order,
                since,
                operator: None,
                suspended_by: None,
                blank: None,
                parcel: None,
                was_handed_over: false,
            });
        }
    }

    async fn end_application(&mut self, rejects: bool) {
        let Some(at) = self.pick_application() else {
            return;
        };
        let role = if rejects { Role::Approver } else { Role::Clerk };
        let who = self.who(&[role]);
        let paper = self.books.papers[at].clone();
        let is_open = paper.application == ApplicationState::Received;
        let may = is(who, &[role]) && is_open && (!rejects || paper.entered_by != who);
        let (by, reference) = (desk(who), paper.reference.as_str());
        let done = match rejects {
            true => self.central().reject(&by, reference, "no").await,
            false => {
                let central = self.central();
                central.withdraw_application(&by, reference, "no").await
            }
        };
        if self.judge(may, &done, &[who, reference]) {
            self.books.papers[at].application = match rejects {
                true => ApplicationState::Refused,
                false => ApplicationState::Withdrawn,
            };
        }
    }

    async fn deliver(&mut self) {
        let stock = |make: &Make| {
            let blanks = self.books.blanks.values();
            let there = |blank: &&Blank| blank.make == *make && blank.state == BlankState::InStock;
            blanks.filter(there).count()
        };
        let least = Make::ALL.into_iter().min_by_key(stock).unwrap();
        let make = [least, Make::ALL[self.throw(3)]][usize::from(self.throw(4) == 0)];
        let (who, witness) = (self.who(&[Role::StockKeeper]), self.who(&[Role::Quality]));
        let many = 1 + self.throw(4);
        let counts = self.throw(6) > 0;
        let place = PLACES[self.throw(2)];
        self.delivered += 1;
        let mut blanks = Vec::new();
        let mut booked = Vec::new();
        for at in 0..many {
            let serial = format!("M-{:05}-{at}", self.delivered);
            let own_number =
                (make == Make::Sheet).then(|| format!("XD{:07}", self.delivered * 10 + at));
            let chips = match make {
                Make::Card => {
                    let chip = unbooked();
                    let listed = delivered(PRODUCT, &chip);
                    self.chips.insert(serial.clone(), chip);
                    vec![listed]
                }
                _ => Vec::new(),
            };
            let article = ["booklet", "", "sheet"][make as usize];
            blanks.push(DeliveredBlank {
                serial: serial.clone(),
                article: (make != Make::Card).then(|| article.into()),
                number: own_number.as_ref().map(|number| number.parse().unwrap()),
                chips,
            });
            booked.push((serial, own_number));
        }
        let delivery = Delivery {
            reference: format!("D-{}", self.delivered),
            blanks,
        };
        let receipt = Receipt {
            place: OfficeCode::parse(place).unwrap(),
            witness: witness.into(),
            ..receipt(if counts { many } else { many + 1 })
        };
        let may = is(who, &[Role::StockKeeper]) && witnesses(witness, who);
        let central = self.central();
        let done = central
            .receive_blanks(&desk(who), &delivery, &receipt)
            .await;
        if self.judge(may, &done.map(drop), &[who, witness]) {
            let state = match counts {
                true => BlankState::InStock,
                false => BlankState::Received,
            };
            for (serial, own_number) in booked {
                let blank = Blank {
                    make,
                    state,
                    place,
                    slot: None,
                    sender: None,
                    carried: false,
                    own_number,
                };
                self.books.blanks.insert(serial, blank);
            }
        }
    }

    async fn handle(&mut self) {
        use BlankState as B;
        let Some(serial) = self.pick_blank(|_| true) else {
            return;
        };
        let kind = self.throw(10);
        let roles: &[Role] = match kind {
            7 => &[Role::StockKeeper, Role::Operator, Role::Quality],
            _ => &[Role::StockKeeper],
        };
        let (who, witness) = (self.who(roles), self.who(&[Role::Quality]));
        let (to, slot) = (PLACES[self.throw(2)], SLOTS[self.throw(2)]);
        let station = STATIONS[self.throw(2)];
        let (cause, seen) = ("a case".to_owned(), witness.to_owned());
        let blank = self.books.blanks[&serial].clone();
        let next = match (kind, blank.state) {
            (0, B::InStock) if blank.place != to => Some(B::InTransit),
            (1, B::InTransit) if blank.sender != Some(who) => Some(B::InStock),
            (2, B::InStock) => Some(B::Loaded),
            (3, B::Loaded) | (4, B::Returned) => Some(B::InStock),
            (5, B::Received | B::InStock | B::Loaded | B::Returned) => Some(B::Spoiled),
            (6, B::Received | B::InStock) => Some(B::SentBack),
            (6, B::Spoiled) if !blank.carried => Some(B::SentBack),
            (7, B::Received | B::InStock | B::InTransit | B::Loaded | B::Spoiled | B::Returned) => {
                Some(B::Missing)
            }
            (8, B::Missing) => Some(B::Spoiled),
            (9, B::Spoiled) => Some(B::Destroyed),
            _ => None,
        };
        let handling = match kind {
            0 => Handling::Send {
                to: OfficeCode::parse(to).unwrap(),
            },
            1 => Handling::TakeIn,
            2 => Handling::Load {
                station: station.into(),
                slot: slot.into(),
            },
            3 => Handling::Unload,
            4 => Handling::Restock,
            5 => Handling::Spoil { cause },
            6 => Handling::SendBack {
                witness: seen,
                cause,
            },
            7 => Handling::ReportMissing { cause },
            8 => Handling::Find {
                witness: seen,
                cause,
            },
            _ => Handling::Destroy {
                witness: seen,
                cause,
            },
        };
        let is_witnessed = !matches!(kind, 6 | 8 | 9) || witnesses(witness, who);
        let may = is(who, roles) && next.is_some() && is_witnessed;
        let central = self.central();
        let done = central
            .handle_blanks(&desk(who), std::slice::from_ref(&serial), &handling)
            .await;
        let what = format!("{handling:?} {blank:?}");
        if self.judge(may, &done.map(drop), &[who, &serial, &what])
            && let Some(next) = next
        {
            let booked = self.books.blanks.get_mut(&serial).unwrap();
            booked.state = next;
            booked.slot = (next == B::Loaded).then_some((station, slot));
            if next == B::InTransit {
                (booked.place, booked.sender) = (to, Some(who));
            }
        }
    }

    /// Two people void some numbers that the series has not come to.
    async fn void(&mut self) {
        let central = self.central();
        let administrator = desk("administrator");
        let line = central.series(&administrator).await.unwrap();
        let Some(next) = line.first().and_then(|line| line.next.clone()) else {
            return;
        };
        let place: u32 = next[2..].parse::<u32>().unwrap() + u32::try_from(self.throw(3)).unwrap();
        let (from, to) = (format!("XA{place:07}"), format!("XA{:07}", place + 1));
        if self.is_void.contains(&place) || self.is_void.contains(&(place + 1)) {
            return;
        }
        let (who, witness) = (
            self.who(&[Role::Administrator]),
            self.who(&[Role::SecurityOfficer]),
        );
        let may = is(who, &[Role::Administrator]) && witnesses(witness, who);
        let central = self.central();
        let range = (from.parse().unwrap(), to.parse().unwrap());
        let done = central
            .void_numbers(&desk(who), range, witness, "on lost paper")
            .await;
        if self.judge(may, &done.map(drop), &[who, witness, &from]) {
            self.is_void.extend([place, place + 1]);
            // Nobody gets them.
            self.books.numbers.extend([from, to]);
        }
    }
}

pub(super) fn desk(who: &str) -> Actor {
    at("desk-1", who)
}

pub(super) fn at(station: &str, who: &str) -> Actor {
    Actor {
        station: station.into(),
        person: who.into(),
    }
}
