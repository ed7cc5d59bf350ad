//! Parcels in the model: packed, sealed, sent, counted in by another, lost.

use document::Role;
use document::life_cycle::{BlankState, DocumentState as Doc, ParcelState};

use super::model::World;
use super::model_acts::{Act, OFFICES, desk};
use super::model_books::{Parcel, is, witnesses};

impl World {
    pub(super) async fn open_parcel(&mut self) {
        let (who, office) = (self.who(&[Role::Quality]), OFFICES[self.throw(2)]);
        let done = self.central().open_parcel(&desk(who), office).await;
        let serial = done.as_ref().ok().cloned();
        if self.judge(is(who, &[Role::Quality]), &done.map(drop), &[who]) {
            self.books.parcels.push(Parcel {
                serial: serial.unwrap(),
                office,
                state: ParcelState::Open,
                content: Default::default(),
                hands: Default::default(),
            });
        }
    }

    pub(super) async fn pack(&mut self) {
        let Some(paper) = self.pick_paper(&[Doc::QualityPassed]) else {
            return;
        };
        let office = self.books.papers[paper].office;
        let likely = self.throw(6) > 0;
        let parcel = self
            .pick_parcel(|one| !likely || (one.state == ParcelState::Open && one.office == office));
        let (Some(parcel), Some(number)) = (parcel, self.number_of(paper)) else {
            return;
        };
        let who = self.who(&[Role::Quality]);
        let one = self.books.parcels[parcel].clone();
        let may = is(who, &[Role::Quality])
            && self.books.state(paper) == Some(Doc::QualityPassed)
            && one.state == ParcelState::Open
            && one.office == office;
        let done = self.central().pack(&desk(who), &one.serial, &number).await;
        if self.judge(may, &done, &[who, &number, &format!("{one:?}")]) {
            let now = self.now();
            self.books.go(paper, Doc::Dispatched, now);
            self.books.document(paper).parcel = Some(parcel);
            self.books.parcels[parcel].content.insert(paper);
            self.books.parcels[parcel].hands.insert(who);
        }
    }

    pub(super) async fn unpack(&mut self) {
        let Some(paper) = self.pick_paper(&[Doc::Dispatched]) else {
            return;
        };
        let own = self.books.document(paper).parcel;
        let any = self.pick_parcel(|_| true);
        let (Some(parcel), Some(number)) = (own.or(any), self.number_of(paper)) else {
            return;
        };
        let who = self.who(&[Role::Quality]);
        let one = self.books.parcels[parcel].clone();
        let may = is(who, &[Role::Quality])
            && one.state == ParcelState::Open
            && one.content.contains(&paper);
        let done = self
            .central()
            .unpack(&desk(who), &one.serial, &number)
            .await;
        if self.judge(may, &done, &[who, &number, &format!("{one:?}")]) {
            let now = self.now();
            self.books.go(paper, Doc::QualityPassed, now);
            self.books.document(paper).parcel = None;
            self.books.parcels[parcel].content.remove(&paper);
            self.books.parcels[parcel].hands.insert(who);
        }
    }

    fn content_of(&self, parcel: usize) -> Vec<String> {
        let content = self.books.parcels[parcel].content.iter();
        content.filter_map(|&paper| self.number_of(paper)).collect()
    }

    pub(super) async fn move_parcel(&mut self, act: Act) {
        let from = match act {
            Act::Seal | Act::Discard => ParcelState::Open,
            _ => ParcelState::Sealed,
        };
        let Some(parcel) = self.pick_parcel_in(from) else {
            return;
        };
        let (who, witness) = (self.who(&[Role::Quality]), self.who(&[Role::Clerk]));
        let one = self.books.parcels[parcel].clone();
        let mut counted = self.content_of(parcel);
        if act == Act::Seal && self.throw(5) == 0 {
            counted.push("XA9999999".to_owned());
        }
        let is_right = counted.len() == one.content.len();
        let fits = match act {
            Act::Seal => is_right && !counted.is_empty(),
            Act::Discard => one.content.is_empty(),
            Act::Reopen => witnesses(witness, who),
            // No letter of a card in it goes this way.
            Act::Send => one.content.iter().all(|&paper| {
                let way = format!("w-{}", one.serial);
                let letters = self.books.papers[paper].letters.iter();
                letters
                    .filter(|letter| letter.way.as_ref() == Some(&way))
                    .count()
                    == 0
            }),
            _ => true,
        };
        let may = is(who, &[Role::Quality]) && one.state == from && fits;
        let (by, serial, central) = (desk(who), one.serial.as_str(), self.central());
        let done = match act {
            Act::Seal => central.seal_parcel(&by, serial, &counted).await.map(drop),
            Act::Discard => central.discard_parcel(&by, serial, "empty").await,
            Act::Reopen => central.reopen_parcel(&by, serial, witness, "late").await,
            _ => {
                central
                    .send_parcel(&by, serial, &format!("W-{serial}"))
                    .await
            }
        };
        if self.judge(may, &done, &[who, witness, &format!("{one:?} {counted:?}")]) {
            let one = &mut self.books.parcels[parcel];
            one.hands.insert(who);
            one.state = match act {
                Act::Seal => ParcelState::Sealed,
                Act::Discard => ParcelState::Discarded,
                Act::Reopen => ParcelState::Open,
                _ => ParcelState::UnderWay,
            };
        }
    }

    pub(super) async fn receive(&mut self) {
        let Some(parcel) = self.pick_parcel_in(ParcelState::UnderWay) else {
            return;
        };
        let who = self.who(&[Role::Clerk]);
        let one = self.books.parcels[parcel].clone();
        let mut there: Vec<usize> = one.content.iter().copied().collect();
        if self.throw(3) == 0 {
            there.pop();
        }
        let counted: Vec<_> = there.iter().filter_map(|&at| self.number_of(at)).collect();
        let may = is(who, &[Role::Clerk])
            && one.state == ParcelState::UnderWay
            && !one.hands.contains(who);
        let central = self.central();
        let done = central
            .receive_parcel(&desk(who), &one.serial, &counted)
            .await;
        if self.judge(may, &done.map(drop), &[who, &format!("{one:?}")]) {
            let now = self.now();
            for paper in there {
                self.books.go(paper, Doc::AtOffice, now);
                self.books.document(paper).parcel = None;
            }
            let one = &mut self.books.parcels[parcel];
            one.state = ParcelState::Received;
            one.content.clear();
        }
    }

    pub(super) async fn lose_parcel(&mut self) {
        let Some(parcel) = self.pick_parcel_in(ParcelState::UnderWay) else {
            return;
        };
        let roles = [Role::Clerk, Role::Quality, Role::SecurityOfficer];
        let (who, witness) = (self.who(&roles), self.who(&roles));
        let one = self.books.parcels[parcel].clone();
        let may = is(who, &roles) && witnesses(witness, who) && one.state == ParcelState::UnderWay;
        let central = self.central();
        let done = central
            .lose_parcel(&desk(who), &one.serial, witness, "sunk")
            .await;
        if self.judge(may, &done.map(drop), &[who, witness, &format!("{one:?}")]) {
            let now = self.now();
            for paper in one.content {
                let new = self.stored_number(paper).await;
                self.books.start_again(paper, BlankState::Missing, new, now);
            }
            let one = &mut self.books.parcels[parcel];
            one.state = ParcelState::Lost;
            one.content.clear();
        }
    }
}
