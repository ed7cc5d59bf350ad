//! Documents in the model, after they were made.

use document::Role;
use document::life_cycle::{
    ApplicationState, BlankState, DocumentState as Doc, ParcelState, RevocationCause,
};
use jiff::SignedDuration;

use super::model::World;
use super::model_acts::{Act, desk};
use super::model_books::{is, witnesses};
use crate::CentralError;

impl World {
    /// What is done with a document that is made.
    pub(super) async fn move_document(&mut self, act: Act) {
        const IN_USE: &[Doc] = &[Doc::HandedOver, Doc::Suspended];
        const MADE: &[Doc] = &[Doc::Personalized, Doc::QualityPassed, Doc::QualityFailed];
        let from: &[Doc] = match act {
            Act::Pass => &[Doc::Personalized],
            Act::Hold => &[Doc::Personalized, Doc::QualityPassed],
            Act::Fail => MADE,
            Act::Concede => &[Doc::QualityFailed],
            Act::HandOver => &[Doc::AtOffice, Doc::QualityPassed],
            Act::Suspend => &[Doc::HandedOver],
            Act::Resume => &[Doc::Suspended],
            Act::Lost | Act::Stolen | Act::Revoke => IN_USE,
            Act::Destroy => &[Doc::Returned],
            Act::ArriveLate => &[Doc::Dispatched],
            Act::Damaged => &[Doc::Dispatched, Doc::AtOffice],
            Act::Missing => &[
                Doc::Personalized,
                Doc::QualityPassed,
                Doc::QualityFailed,
                Doc::Dispatched,
                Doc::AtOffice,
            ],
            Act::Cancel => &[
                Doc::Queued,
                Doc::Personalized,
                Doc::QualityPassed,
                Doc::QualityFailed,
                Doc::AtOffice,
            ],
            _ => &[
                Doc::QualityPassed,
                Doc::AtOffice,
                Doc::HandedOver,
                Doc::Suspended,
                Doc::Lost,
                Doc::Stolen,
                Doc::Revoked,
                Doc::Expired,
            ],
        };
        let roles: &[Role] = match act {
            Act::Pass | Act::Fail | Act::Hold => &[Role::Quality],
            Act::Concede => &[Role::SecurityOfficer],
            Act::HandOver | Act::Resume | Act::TakeBack | Act::ArriveLate => &[Role::Clerk],
            Act::Destroy => &[Role::StockKeeper],
            Act::Cancel => &[Role::Approver, Role::SecurityOfficer],
            Act::Damaged | Act::Missing => &[Role::Clerk, Role::Quality, Role::SecurityOfficer],
            _ => &[Role::Clerk, Role::SecurityOfficer],
        };
        let Some(paper) = self.pick_paper(from) else {
            return;
        };
        let (who, witness) = (self.who(roles), self.who(&[Role::Auditor]));
        let cause = RevocationCause::ALL[self.throw(RevocationCause::ALL.len())];
        let document = self.books.document(paper).clone();
        let parcel = document.parcel.map(|at| self.books.parcels[at].clone());
        let was_counted = parcel
            .as_ref()
            .is_some_and(|one| one.state == ParcelState::Received);
        let is_dispatched = document.state == Doc::Dispatched;
        let waited =
            self.now().duration_since(document.since) > SignedDuration::from_hours(24 * 190);
        let fits = match act {
            Act::Pass | Act::Fail | Act::Hold | Act::Concede => document.operator != Some(who),
            Act::Resume => document.suspended_by != Some(who),
            Act::HandOver => !self.books.papers[paper].has_lost_its_pins(),
            Act::Destroy => witnesses(witness, who),
            Act::ArriveLate => {
                was_counted && parcel.as_ref().is_some_and(|one| !one.hands.contains(who))
            }
            Act::Damaged => !is_dispatched || was_counted,
            Act::Missing => {
                let is_open = parcel
                    .as_ref()
                    .is_some_and(|one| one.state == ParcelState::Open);
                witnesses(witness, who) && (!is_dispatched || was_counted || is_open)
            }
            Act::TakeBack => !document.state.is_before_hand_over() || waited,
            _ => true,
        };
        let by_reference = act == Act::Cancel;
        let number = match document.number.clone() {
            Some(number) => number,
            None if by_reference => String::new(),
            None => return,
        };
        let may = is(who, roles) && from.contains(&document.state) && fits;
        let (by, central) = (desk(who), self.central());
        let reference = self.books.papers[paper].reference.clone();
        let mut new = None;
        let done = match act {
            Act::Pass => central.pass_quality(&by, &number).await,
            Act::Hold => central.hold_quality(&by, &number, "smudged").await,
            Act::Concede => central.concede(&by, &number, "smudged", "none").await,
            Act::Fail => kept(&mut new, central.fail_quality(&by, &number, "torn").await),
            Act::HandOver => central.hand_over(&by, &number).await,
            Act::Suspend => central.suspend(&by, &number, "lost?").await.map(drop),
            Act::Resume => central.resume(&by, &number, "found").await.map(drop),
            Act::Lost => central.report_lost(&by, &number, "lost").await.map(drop),
            Act::Stolen => central.report_stolen(&by, &number, "gone").await.map(drop),
            Act::Revoke => {
                let done = central.revoke_document(&by, &number, cause, "so").await;
                done.map(drop)
            }
            Act::TakeBack => central.take_back(&by, &number, "back").await.map(drop),
            Act::Destroy => central.destroy_document(&by, &number, witness).await,
            Act::ArriveLate => central.arrive_late(&by, &number).await,
            Act::Damaged => kept(
                &mut new,
                central.document_damaged(&by, &number, "bent").await,
            ),
            Act::Missing => {
                let done = central
                    .document_missing(&by, &number, witness, "gone")
                    .await;
                kept(&mut new, done)
            }
            _ => central.cancel_document(&by, &reference, "unwanted").await,
        };
        let what = format!("{document:?} {parcel:?}");
        if !self.judge(may, &done, &[who, witness, &reference, &what]) {
            return;
        }
        let now = self.now();
        let next = match act {
            Act::Pass | Act::Concede => Doc::QualityPassed,
            Act::Hold => Doc::QualityFailed,
            Act::HandOver | Act::Resume => Doc::HandedOver,
            Act::Suspend => Doc::Suspended,
            Act::Lost => Doc::Lost,
            Act::Stolen => Doc::Stolen,
            Act::Revoke => Doc::Revoked,
            Act::TakeBack => Doc::Returned,
            Act::Destroy => Doc::Destroyed,
            Act::ArriveLate => Doc::AtOffice,
            Act::Cancel => Doc::Cancelled,
            _ => Doc::Queued,
        };
        if next == Doc::Queued {
            let blank = match act {
                Act::Missing => BlankState::Missing,
                _ => BlankState::Spoiled,
            };
            if let Some(parcel) = document.parcel {
                self.books.parcels[parcel].content.remove(&paper);
            }
            self.books.start_again(paper, blank, new, now);
            return;
        }
        self.books.go(paper, next, now);
        let papers = &mut self.books.papers;
        match next {
            Doc::Cancelled => papers[paper].annul(false),
            Doc::Lost | Doc::Stolen | Doc::Revoked | Doc::Returned => {
                let is_collected = document.was_handed_over;
                papers[paper].annul(is_collected);
            }
            _ => {}
        }
        match act {
            Act::HandOver => {
                papers[paper].application = ApplicationState::Completed;
                self.books.document(paper).was_handed_over = true;
            }
            Act::Cancel => papers[paper].application = ApplicationState::Withdrawn,
            Act::TakeBack if !document.was_handed_over => {
                papers[paper].application = ApplicationState::Withdrawn;
            }
            Act::Suspend => self.books.document(paper).suspended_by = Some(who),
            Act::ArriveLate => self.books.document(paper).parcel = None,
            _ => {}
        }
        let ended = match act {
            Act::Cancel => BlankState::Spoiled,
            Act::Destroy => BlankState::Destroyed,
            _ => return,
        };
        if let Some(serial) = document.blank {
            self.books.blanks.get_mut(&serial).unwrap().state = ended;
        }
    }
}

/// Keeps the number under which a document goes on.
fn kept(
    new: &mut Option<String>,
    done: Result<Option<document::DocumentNumber>, CentralError>,
) -> Result<(), CentralError> {
    done.map(|number| *new = number.map(|number| number.to_string()))
}
