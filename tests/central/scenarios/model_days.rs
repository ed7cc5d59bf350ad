//! Counts, closed days and incidents, in the model.

use std::collections::BTreeMap;

use document::life_cycle::{BlankState as B, IncidentKind, IncidentState};
use document::{OfficeCode, Role};
use jiff::civil::Date;
use sqlx::Row;

use super::model::World;
use super::model_acts::{PLACES, desk};
use super::model_books::{Make, Who, is, witnesses};
use crate::{CountEnd, Counted, StockCount};

/// Who may say what an incident is.
const WITNESSES: [Role; 7] = [
    Role::Clerk,
    Role::Approver,
    Role::Operator,
    Role::Quality,
    Role::StockKeeper,
    Role::EnvelopeClerk,
    Role::SecurityOfficer,
];

#[derive(Clone, Debug)]
struct Incident {
    about: (String, String, String),
    state: IncidentState,
    explained_by: Option<Who>,
}

/// The days that are closed, and the incidents in the order of their numbers.
#[derive(Default)]
pub(super) struct Days {
    closed: BTreeMap<&'static str, Date>,
    incidents: Vec<Incident>,
}

impl World {
    /// Counts what lies at a place; with a day's close, before a witness.
    pub(super) async fn count(&mut self, closes: bool) {
        let place = PLACES[self.throw(2)];
        let (who, witness) = (self.who(&[Role::StockKeeper]), self.who(&[Role::Quality]));
        let code = OfficeCode::parse(place).unwrap();
        let mut counted = self.lying_at(place);
        let is_off = self.throw(5) == 0;
        if is_off {
            match counted.first_mut() {
                Some(line) => line.blanks += 1,
                None => counted.push(Counted {
                    item: "booklet".into(),
                    state: B::InStock,
                    blanks: 1,
                }),
            }
        }
        let central = self.central();
        let today = central.today();
        let is_open = self.days.closed.get(place).is_none_or(|last| *last < today);
        let may =
            is(who, &[Role::StockKeeper]) && (!closes || (witnesses(witness, who) && is_open));
        let done = match closes {
            true => {
                central
                    .close_day(
                        &desk(who),
                        &code,
                        today,
                        witness,
                        StockCount::of_blanks(&counted),
                    )
                    .await
            }
            false => {
                central
                    .count_place(&desk(who), &code, StockCount::of_blanks(&counted))
                    .await
            }
        };
        let what = format!("{counted:?}");
        let end = done.as_ref().ok().cloned();
        if !self.judge(may, &done.map(drop), &[who, witness, place, &what]) {
            return;
        }
        match end {
            Some(CountEnd::Agrees) if !is_off => {
                if closes {
                    self.days.closed.insert(place, today);
                }
            }
            Some(CountEnd::Differs { differences, .. }) if is_off => {
                assert_eq!(differences.len(), 1, "{differences:?}");
                assert_eq!(differences[0].counted, differences[0].booked + 1);
            }
            other => self.fail(&format!("off {is_off}, and the store says {other:?}")),
        }
    }

    /// Returns what lies at a place, as somebody counts it.
    fn lying_at(&self, place: &str) -> Vec<Counted> {
        let mut counts: BTreeMap<(&str, B), u64> = BTreeMap::new();
        for blank in self.books.blanks.values() {
            let lies = [
                B::Received,
                B::InStock,
                B::Loaded,
                B::AtStation,
                B::Returned,
                B::Spoiled,
            ];
            if blank.place == place && lies.contains(&blank.state) {
                let item = match blank.make {
                    Make::Booklet => "booklet",
                    Make::Card => super::house::PRODUCT,
                    Make::Sheet => "sheet",
                };
                *counts.entry((item, blank.state)).or_default() += 1;
            }
        }
        let counts = counts.into_iter();
        let line = |((item, state), blanks): ((&str, B), u64)| Counted {
            item: item.to_owned(),
            state,
            blanks,
        };
        counts.map(line).collect()
    }

    /// Somebody finds something.
    pub(super) async fn report_incident(&mut self) {
        let who = self.who(&WITNESSES);
        let kind = IncidentKind::ALL[self.throw(IncidentKind::ALL.len())];
        let subject = ["place/RIGA-1", "blank/M-00001-0"][self.throw(2)];
        let text = ["the door was open", "a seal is broken"][self.throw(2)];
        let about = (kind.to_string(), subject.to_owned(), text.to_owned());
        // The same finding is one incident as long as that is not closed.
        let incidents = self.days.incidents.iter();
        let known = incidents
            .enumerate()
            .find(|(_, one)| one.about == about && one.state != IncidentState::Closed)
            .map(|(at, _)| at);
        let place = known.unwrap_or(self.days.incidents.len());
        let may = is(who, &WITNESSES);
        let central = self.central();
        let done = central
            .report_incident(&desk(who), kind, subject, text)
            .await;
        let number = done.as_ref().ok().copied();
        if !self.judge(may, &done.map(drop), &[who, subject, text]) {
            return;
        }
        assert_eq!(number, i64::try_from(place + 1).ok());
        if known.is_none() {
            self.days.incidents.push(Incident {
                about,
                state: IncidentState::Open,
                explained_by: None,
            });
        }
    }

    /// Somebody explains an incident, or agrees with what another said.
    pub(super) async fn settle_incident(&mut self, closes: bool) {
        let wanted = match closes {
            true => IncidentState::Explained,
            false => IncidentState::Open,
        };
        let likely = self.throw(8) > 0;
        let incidents = self.days.incidents.iter().enumerate();
        let fit: Vec<usize> = incidents
            .filter(|(_, one)| !likely || one.state == wanted)
            .map(|(at, _)| at)
            .collect();
        if fit.is_empty() {
            return;
        }
        let at = fit[self.throw(fit.len())];
        // What one officer explains another must agree with, and there is one here.
        let roles: &[Role] = match closes {
            true => &[Role::SecurityOfficer],
            false => &WITNESSES,
        };
        let who = self.who(roles);
        let incident = self.days.incidents[at].clone();
        let fits = match closes {
            true => {
                incident.state == IncidentState::Explained && incident.explained_by != Some(who)
            }
            false => incident.state != IncidentState::Closed,
        };
        let number = i64::try_from(at + 1).unwrap();
        let central = self.central();
        let done = match closes {
            true => central.close_incident(&desk(who), number).await,
            false => {
                central
                    .explain_incident(&desk(who), number, "it was so")
                    .await
            }
        };
        let what = format!("{number} {incident:?}");
        if self.judge(is(who, roles) && fits, &done, &[who, &what]) {
            let incident = &mut self.days.incidents[at];
            match closes {
                true => incident.state = IncidentState::Closed,
                false => {
                    incident.state = IncidentState::Explained;
                    incident.explained_by = Some(who);
                }
            }
        }
    }

    /// Demands that the incidents are the model's; those that other acts opened are open.
    pub(super) async fn compare_incidents(&mut self) {
        let central = self.central();
        let mut tx = central.read().await.unwrap();
        let rows =
            sqlx::query("SELECT number, kind, subject, text, state FROM incident ORDER BY number")
                .fetch_all(&mut *tx)
                .await
                .unwrap();
        drop(tx);
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(row.get::<i64, _>("number"), i64::try_from(at + 1).unwrap());
            let state: &str = row.get("state");
            match self.days.incidents.get(at) {
                Some(known) if known.state.name() != state => {
                    let known = known.clone();
                    self.fail(&format!("{known:?} is {state} in the store"));
                }
                Some(_) => {}
                None => {
                    assert_eq!(state, IncidentState::Open.name());
                    self.days.incidents.push(Incident {
                        about: (row.get("kind"), row.get("subject"), row.get("text")),
                        state: IncidentState::Open,
                        explained_by: None,
                    });
                }
            }
        }
        if rows.len() != self.days.incidents.len() {
            self.fail("an incident is gone");
        }
    }
}
