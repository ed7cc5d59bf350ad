//! Stations and desks in the model: leases, claims, reports, and what is made.

use api::{BlankEnd, Centre, ClaimRequest, LeaseId};
use document::life_cycle::{BlankState, DocumentState as Doc, LeaseState};
use document::{Calendar, Priority, Role};

use super::bench::{bare_report, personalize, report};
use super::house::{PRODUCT, request};
use super::model::World;
use super::model_acts::{SLOTS, STATIONS, at, desk};
use super::model_books::{Lease, Make, Paper, TERM, is, witnesses};
use crate::DeskEnd;

impl World {
    pub(super) async fn lease(&mut self) {
        let (mut station, slot) = (STATIONS[self.throw(2)], SLOTS[self.throw(2)]);
        let mut who = self.who(&[Role::Operator]);
        // Who makes cards on real chips.
        if self.throw(2) == 0 {
            (station, who) = (STATIONS[0], "operator");
        }
        self.expire_leases().await;
        let open = self.books.leases.iter().position(|lease| {
            (lease.station, lease.slot, lease.state) == (station, slot, LeaseState::Open)
        });
        let calendar = Calendar::default();
        let due = |paper: &Paper| {
            let priority = match paper.is_urgent {
                true => Priority::Urgent,
                false => Priority::Normal,
            };
            let day = calendar.day_of(paper.entered);
            calendar.due(day, priority).unwrap().to_string()
        };
        // One that nobody was heard of under is given back to the queue for the next person at the slot.
        let is_unheard = open.is_some_and(|open| {
            let lease = &self.books.leases[open];
            lease.operator != who && lease.blank.is_none()
        });
        let is_own = |open: usize| self.books.leases[open].operator == who;
        let may = is(who, &[Role::Operator]) && (is_unheard || open.is_none_or(is_own));
        let by = at(station, who);
        let central = self.central();
        let given = central.lease(&by, &request(slot, &[PRODUCT])).await;
        let lease = given.as_ref().ok().cloned().flatten();
        if !self.judge(may, &given.map(drop), &[who, station, slot]) {
            return;
        }
        let open = open.filter(|_| !is_unheard).or_else(|| {
            if let Some(open) = open {
                self.books.leases[open].state = LeaseState::Released;
                let (paper, now) = (self.books.leases[open].paper, self.now());
                self.books.go(paper, Doc::Queued, now);
            }
            None
        });
        match (open, self.books.first_card(due)) {
            (Some(open), _) => assert_eq!(Some(self.lease_ids[open]), lease.map(|one| one.id)),
            (None, None) => assert!(lease.is_none()),
            (None, Some(first)) => {
                let lease = lease.expect("a document waits");
                let number = lease.record.number.to_string();
                assert_eq!(Some(&number), self.books.document(first).number.as_ref());
                let now = self.now();
                self.books.go(first, Doc::AtStation, now);
                self.books.leases.push(Lease {
                    paper: first,
                    blank: None,
                    state: LeaseState::Open,
                    expires: now + TERM,
                    station,
                    slot,
                    operator: who,
                    begun: false,
                });
                self.lease_ids.push(lease.id);
                self.given.push(lease);
            }
        }
    }

    pub(super) async fn claim(&mut self) {
        let Some(at_lease) = self.pick_lease() else {
            return;
        };
        let lease = self.books.leases[at_lease].clone();
        let wanted = [BlankState::InStock, BlankState::Loaded];
        let likely = self.throw(4) > 0;
        let serial = self.pick_blank(|blank| {
            blank.make == Make::Card && (!likely || wanted.contains(&blank.state))
        });
        let Some(serial) = serial else {
            return;
        };
        let who = self.operator_of(&lease);
        let blank = self.books.blanks[&serial].clone();
        let is_free = match blank.state {
            BlankState::InStock => true,
            BlankState::Loaded => blank.slot == Some((lease.station, lease.slot)),
            _ => false,
        };
        let fits = match &lease.blank {
            None => is_free,
            Some(bound) => *bound == serial,
        };
        let is_open = lease.state == LeaseState::Open && lease.expires > self.now();
        let may = is(who, &[Role::Operator]) && who == lease.operator && is_open && fits;
        let claim = ClaimRequest {
            lease: self.lease_ids[at_lease],
            chip: self.chip_serial(&serial),
            beside: Vec::new(),
            printed: None,
        };
        let central = self.central();
        let done = central.claim(&at(lease.station, who), &claim).await;
        let what = format!("{lease:?} {blank:?}");
        if self.judge(may, &done, &[who, &serial, &what]) {
            let expires = self.now() + TERM;
            let lease = &mut self.books.leases[at_lease];
            (lease.expires, lease.blank) = (expires, Some(serial.clone()));
            let paper = lease.paper;
            let blank = self.books.blanks.get_mut(&serial).unwrap();
            (blank.state, blank.slot) = (BlankState::AtStation, None);
            self.books.document(paper).blank = Some(serial);
        }
    }

    pub(super) async fn report(&mut self) {
        let Some(at_lease) = self.pick_lease() else {
            return;
        };
        let who = self.who(&[Role::Operator]);
        let end = [
            BlankEnd::Personalized,
            BlankEnd::Spoiled {
                cause: "torn".into(),
            },
            BlankEnd::Untouched {
                cause: "wrong".into(),
            },
        ];
        let end = end[self.throw(3)].clone();
        let station = self.books.leases[at_lease].station;
        let sequence = self.books.reports.get(station).copied().unwrap_or_default() + 1;
        let sent = bare_report(&self.given[at_lease], sequence, end.clone());
        let done = self.central().report(&at(station, who), &sent).await;
        let what = format!("{:?} {end:?}", self.books.leases[at_lease]);
        if self.judge(is(who, &[Role::Operator]), &done, &[who, &what]) {
            self.sent.insert(station, sent);
            self.books.reports.insert(station, sequence);
            self.reported(at_lease, &end).await;
        }
    }

    /// What a report of a station that made nothing comes to: nobody believes that it made anything.
    pub(super) async fn reported(&mut self, at_lease: usize, end: &BlankEnd) {
        let now = self.now();
        let lease = self.books.leases[at_lease].clone();
        if !matches!(lease.state, LeaseState::Open | LeaseState::Expired) {
            return;
        }
        let untouched = matches!(end, BlankEnd::Untouched { .. }) && !lease.begun;
        let Some(serial) = lease.blank else {
            // No blank was bound: the document is as it was.
            self.books.leases[at_lease].state = match untouched {
                true => LeaseState::Released,
                false => LeaseState::Spoiled,
            };
            self.books.go(lease.paper, Doc::Queued, now);
            return;
        };
        if untouched {
            self.books.leases[at_lease].state = LeaseState::Released;
            self.books.go(lease.paper, Doc::Queued, now);
            self.books.document(lease.paper).blank = None;
            self.books.blanks.get_mut(&serial).unwrap().state = BlankState::Returned;
        } else {
            self.books.leases[at_lease].state = LeaseState::Spoiled;
            let new = self.stored_number(lease.paper).await;
            self.books
                .start_again(lease.paper, BlankState::Spoiled, new, now);
        }
    }

    /// Reports that are no report: of another station's lease, with a gap, forked, and a repeated
    /// one, which changes nothing.
    pub(super) async fn report_oddly(&mut self) {
        let Some(at_lease) = self.pick_lease() else {
            return;
        };
        let who = self.who(&[Role::Operator]);
        let station = self.books.leases[at_lease].station;
        let other = STATIONS[usize::from(station == STATIONS[0])];
        let last = self.books.reports.get(station).copied().unwrap_or_default();
        let last_there = self.books.reports.get(other).copied().unwrap_or_default();
        let end = BlankEnd::Spoiled {
            cause: "another".into(),
        };
        let kind = self.throw(4);
        let given = &self.given[at_lease];
        let (station, sent, may) = match kind {
            0 => (other, bare_report(given, last_there + 1, end), false),
            1 => (station, bare_report(given, last + 2, end), false),
            2 if last > 0 => (station, bare_report(given, last, end), false),
            _ => match self.sent.get(station) {
                Some(sent) => (station, sent.clone(), true),
                None => return,
            },
        };
        let may = may && is(who, &[Role::Operator]);
        let done = self.central().report(&at(station, who), &sent).await;
        self.judge(may, &done, &[who, station]);
    }

    /// A document and a blank that mostly fit each other.
    fn pick_sheet(&mut self) -> Option<(usize, String)> {
        let mut fits = Vec::new();
        for (at, paper) in self.books.papers.iter().enumerate() {
            let is_queued = self.books.state(at) == Some(Doc::Queued);
            let fit = self.books.blanks.iter().filter(|(_, blank)| {
                paper.make != Make::Card
                    && blank.make == paper.make
                    && blank.state == BlankState::InStock
            });
            if is_queued {
                fits.extend(fit.map(|(serial, _)| (at, serial.clone())));
            }
        }
        if !fits.is_empty() && self.throw(8) > 0 {
            let at = self.throw(fits.len());
            return Some(fits.swap_remove(at));
        }
        let paper = self.pick_paper(&[Doc::Queued])?;
        Some((paper, self.pick_blank(|_| true)?))
    }

    pub(super) async fn produce(&mut self) {
        let Some((paper, serial)) = self.pick_sheet() else {
            return;
        };
        let make = self.books.papers[paper].make;
        let who = self.who(&[Role::Operator]);
        let whole = self.throw(4) > 0;
        let blank = self.books.blanks[&serial].clone();
        let may = is(who, &[Role::Operator])
            && make != Make::Card
            && self.books.state(paper) == Some(Doc::Queued)
            && blank.make == make
            && blank.state == BlankState::InStock;
        let end = match whole {
            true => DeskEnd::Made,
            false => DeskEnd::Spoiled {
                cause: "ink".into(),
            },
        };
        let reference = self.books.papers[paper].reference.clone();
        let central = self.central();
        let done = central.produce(&desk(who), &reference, &serial, &end).await;
        let number = done.as_ref().ok().map(ToString::to_string);
        let what = format!("{blank:?} {:?}", self.books.papers[paper]);
        if !self.judge(may, &done.map(drop), &[who, &reference, &what]) {
            return;
        }
        let (number, now) = (number.unwrap(), self.now());
        match &blank.own_number {
            Some(own) => {
                assert_eq!(number, *own);
                assert!(self.books.numbers.insert(number.clone()), "{number}");
            }
            None => assert_eq!(Some(&number), self.books.document(paper).number.as_ref()),
        }
        self.books.document(paper).blank = Some(serial.clone());
        if whole {
            let booked = self.books.blanks.get_mut(&serial).unwrap();
            (booked.state, booked.carried) = (BlankState::Personalized, true);
            self.books.go(paper, Doc::Personalized, now);
            let document = self.books.document(paper);
            (document.number, document.operator) = (Some(number), Some(who));
        } else {
            let new = self.stored_number(paper).await;
            self.books.start_again(paper, BlankState::Spoiled, new, now);
        }
    }

    /// Has a station make the card of a lease that it was given, on a real chip.
    pub(super) async fn make_card(&mut self) {
        let found = (0..self.books.leases.len()).find(|&at| {
            let lease = &self.books.leases[at];
            let is_own = lease.operator == "operator" && lease.station == "station-1";
            is_own && lease.state == LeaseState::Open && lease.expires > self.now()
        });
        let Some(at_lease) = found else {
            return self.lease().await;
        };
        let (paper, bound) = {
            let lease = &self.books.leases[at_lease];
            (lease.paper, lease.blank.clone())
        };
        let serial = bound.or_else(|| {
            self.pick_blank(|blank| blank.make == Make::Card && blank.state == BlankState::InStock)
        });
        let Some(serial) = serial else {
            return;
        };
        let chip = self.chips.remove(&serial).unwrap();
        let lease = self.given[at_lease].clone();
        let run = personalize(self.house(), &lease, chip, Vec::new()).await;
        assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
        let station = "station-1";
        let sequence = self.books.reports.get(station).copied().unwrap_or_default() + 1;
        let sent = report(&lease, sequence, &run, BlankEnd::Personalized);
        let done = self.central().report(&at(station, "operator"), &sent).await;
        done.unwrap();
        self.books.reports.insert(station, sequence);
        self.sent.insert(station, sent);
        let now = self.now();
        self.books.leases[at_lease].state = LeaseState::Completed;
        self.books.leases[at_lease].blank = Some(serial.clone());
        let blank = self.books.blanks.get_mut(&serial).unwrap();
        (blank.state, blank.carried, blank.slot) = (BlankState::Personalized, true, None);
        self.books.go(paper, Doc::Personalized, now);
        let document = self.books.document(paper);
        (document.blank, document.operator) = (Some(serial.clone()), Some("operator"));
        self.chips.insert(serial, run.chip);
        self.new_letter(paper).await;
        self.cards += 1;
    }

    pub(super) async fn give_up(&mut self) {
        let Some(at_lease) = self.pick_lease() else {
            return;
        };
        self.expire_leases().await;
        let (who, witness) = (self.who(&[Role::SecurityOfficer]), self.who(&[Role::Clerk]));
        let lease = self.books.leases[at_lease].clone();
        let may = is(who, &[Role::SecurityOfficer])
            && witnesses(witness, who)
            && lease.state == LeaseState::Expired;
        let id: LeaseId = self.lease_ids[at_lease];
        let central = self.central();
        let done = central
            .give_up_lease(&desk(who), id, witness, "burnt")
            .await;
        let new = done.as_ref().ok().copied().flatten();
        if self.judge(may, &done.map(drop), &[who, witness, &format!("{lease:?}")]) {
            let now = self.now();
            self.books.leases[at_lease].state = LeaseState::Lost;
            let new = new.map(|new| new.to_string());
            self.books
                .start_again(lease.paper, BlankState::Missing, new, now);
        }
    }
}
