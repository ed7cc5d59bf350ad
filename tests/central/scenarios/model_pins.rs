//! PIN letters in the model: printed once, sent another way than the card, void with it, replaced by
//! new PINs.

use api::{BlankEnd, Centre};
use document::Role;
use document::life_cycle::{DocumentState as Doc, EnvelopeState as Letter, ParcelState};

use super::bench::{bare_report, personalize, report, untouched};
use super::model::World;
use super::model_acts::{Act, at, desk};
use super::model_books::{PinLetter, is, witnesses};

const ALIVE: [Letter; 5] = [
    Letter::Ready,
    Letter::Printing,
    Letter::Printed,
    Letter::Dispatched,
    Letter::Delivered,
];

impl World {
    /// Notes the letter of the PINs that a chip was just given.
    pub(super) async fn new_letter(&mut self, paper: usize) {
        let central = self.central();
        let mut tx = central.read().await.unwrap();
        let serial: String =
            sqlx::query_scalar("SELECT serial FROM envelope ORDER BY serial DESC LIMIT 1")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
        let number = self.number_of(paper).unwrap();
        self.books.papers[paper].letters.push(PinLetter {
            serial,
            number,
            state: Letter::Ready,
            way: None,
        });
    }

    /// A letter that is mostly in this state.
    fn pick_letter(&mut self, state: Letter) -> Option<(usize, usize)> {
        let likely = self.throw(6) > 0;
        let mut fit = Vec::new();
        for (paper, one) in self.books.papers.iter().enumerate() {
            for (letter, one) in one.letters.iter().enumerate() {
                if !likely || one.state == state {
                    fit.push((paper, letter));
                }
            }
        }
        match fit.len() {
            0 => None,
            many => Some(fit[self.throw(many)]),
        }
    }

    pub(super) async fn print(&mut self) {
        let Some((paper, _)) = self.pick_letter(Letter::Ready) else {
            return;
        };
        let Some(number) = self.number_of(paper) else {
            return;
        };
        let who = self.who(&[Role::EnvelopeClerk]);
        let letters = self.books.papers[paper].letters.iter();
        let alive = letters
            .enumerate()
            .find(|(_, one)| one.number == number && ALIVE.contains(&one.state));
        let alive = alive.map(|(at, one)| (at, one.state));
        let is_ready = alive.is_some_and(|(_, state)| state == Letter::Ready);
        let may = is(who, &[Role::EnvelopeClerk]) && is_ready;
        let done = self.central().print_envelope(&desk(who), &number).await;
        if self.judge(may, &done.map(drop), &[who, &number])
            && let Some((at, _)) = alive
        {
            self.books.papers[paper].letters[at].state = Letter::Printing;
        }
    }

    pub(super) async fn move_letter(&mut self, act: Act) {
        let (from, to) = match act {
            Act::Printed => (Letter::Printing, Letter::Printed),
            Act::NotPrinted => (Letter::Printing, Letter::Ready),
            Act::SendLetter => (Letter::Printed, Letter::Dispatched),
            Act::DeliverLetter => (Letter::Dispatched, Letter::Delivered),
            _ => (Letter::Void, Letter::Destroyed),
        };
        let Some((paper, letter)) = self.pick_letter(from) else {
            return;
        };
        let (who, witness) = (
            self.who(&[Role::EnvelopeClerk]),
            self.who(&[Role::StockKeeper]),
        );
        let parcel = self.books.papers[paper]
            .document
            .as_ref()
            .and_then(|one| one.parcel)
            .map(|at| self.books.parcels[at].clone());
        let way = match &parcel {
            Some(parcel) if self.throw(2) == 0 => format!("w-{}", parcel.serial),
            _ => "post".to_owned(),
        };
        let one = self.books.papers[paper].letters[letter].clone();
        let is_present = self.number_of(paper).as_ref() == Some(&one.number);
        // The parcel of this card went this way.
        let with_card = is_present
            && way != "post"
            && parcel.is_some_and(|parcel| {
                !matches!(parcel.state, ParcelState::Open | ParcelState::Sealed)
            });
        let fits = match act {
            Act::SendLetter => one.state == from && !with_card,
            Act::DestroyLetter => {
                let on_paper = [
                    Letter::Printing,
                    Letter::Printed,
                    Letter::Dispatched,
                    Letter::Void,
                ];
                on_paper.contains(&one.state) && witnesses(witness, who)
            }
            _ => one.state == from,
        };
        let may = is(who, &[Role::EnvelopeClerk]) && fits;
        let (by, serial, central) = (desk(who), one.serial.as_str(), self.central());
        let done = match act {
            Act::Printed => central.envelope_printed(&by, serial).await,
            Act::NotPrinted => central.envelope_not_printed(&by, serial, "off").await,
            Act::SendLetter => central.dispatch_envelope(&by, serial, &way).await,
            Act::DeliverLetter => central.deliver_envelope(&by, serial).await,
            _ => central.destroy_envelope(&by, serial, witness, "torn").await,
        };
        if self.judge(may, &done, &[who, witness, &way, &format!("{one:?}")]) {
            let one = &mut self.books.papers[paper].letters[letter];
            one.state = to;
            if act == Act::SendLetter {
                one.way = Some(way);
            }
        }
    }

    /// A finished card gets new PINs, or it is begun and left.
    pub(super) async fn new_pins(&mut self) {
        const MADE: [Doc; 4] = [
            Doc::Personalized,
            Doc::QualityPassed,
            Doc::AtOffice,
            Doc::HandedOver,
        ];
        let Some((paper, _)) = self.pick_letter(Letter::Delivered) else {
            return;
        };
        let Some(number) = self.number_of(paper) else {
            return;
        };
        // The chip is worked on as this operator.
        let who = ["operator", self.who(&[Role::Operator])][usize::from(self.throw(3) == 0)];
        let is_made = self
            .books
            .state(paper)
            .is_some_and(|state| MADE.contains(&state));
        let may = is(who, &[Role::Operator]) && is_made;
        let by = at("station-1", who);
        let central = self.central();
        let given = central.lease_new_pins(&by, &number, "letter lost").await;
        let lease = given.as_ref().ok().cloned();
        let document = format!("{:?}", self.books.papers[paper].document);
        if !self.judge(may, &given.map(drop), &[who, &number, &document]) {
            return;
        }
        let (lease, station) = (lease.unwrap(), "station-1");
        let sequence = self.books.reports.get(station).copied().unwrap_or_default() + 1;
        let serial = self.books.document(paper).blank.clone().unwrap();
        let is_whole = who == "operator" && self.throw(3) > 0;
        let sent = if is_whole {
            let chip = self.chips.remove(&serial).unwrap();
            let run = personalize(self.house(), &lease, chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
            let sent = report(&lease, sequence, &run, BlankEnd::Personalized);
            self.chips.insert(serial, run.chip);
            sent
        } else {
            bare_report(&lease, sequence, untouched())
        };
        self.central().report(&by, &sent).await.unwrap();
        self.books.reports.insert(station, sequence);
        self.sent.insert(station, sent);
        if is_whole {
            self.books.papers[paper].annul(false);
            self.new_letter(paper).await;
        }
    }
}
