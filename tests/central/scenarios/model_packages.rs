//! What a register sends, in the model: packages in their order, each judged once, entry by entry.

use api::ANSWER_TYPE;
use document::life_cycle::ApplicationState;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::house::{House, sample};
use super::model::World;
use super::model_books::{Make, Paper};
use super::registers::{FakeRegister, opened};

/// The people whose applications come, by their samples. The first one's are typed in too.
const HOLDERS: [&str; 4] = ["01-adult", "05-nineteen", "06-twenty", "18-fingerprints"];

/// Who enters what a register sends: nobody who decides on it.
const SOURCE: &str = "source/population-register";

/// A register's system, and what it was answered.
pub(super) struct Sender {
    register: FakeRegister,
    /// Somebody who signs in its name, with a key that nobody admitted.
    stranger: FakeRegister,
    /// Until when its key counts.
    until: Timestamp,
    next: u64,
    /// What was admitted, with the answer.
    answered: Vec<(Value, Vec<u8>)>,
    applications: usize,
}

impl Sender {
    pub(super) async fn new(house: &House) -> Self {
        let register = FakeRegister::new("population-register", 7);
        Self {
            register: register.admitted(house).await,
            stranger: FakeRegister::new("population-register", 8),
            until: house.central.now() + SignedDuration::from_hours(24 * 365),
            next: 1,
            answered: Vec::new(),
            applications: 0,
        }
    }
}

impl World {
    /// Sends a package, or one again, or one that is not its turn's or not the register's.
    pub(super) async fn send_package(&mut self) {
        let dice = self.throw(8);
        let again = match self.sender.answered.len() {
            many if many > 0 && dice == 0 && self.now() < self.sender.until => {
                Some(self.throw(many))
            }
            _ => None,
        };
        if let Some(at) = again {
            let (payload, answer) = self.sender.answered[at].clone();
            let said = self.answer(&payload, false).await;
            if said != answer {
                self.fail("the same package was answered otherwise");
            }
            return;
        }
        let counts = self.now() < self.sender.until;
        let is_strange = dice == 1;
        let sequence = match dice {
            2 => self.sender.next + 1,
            3 => self.sender.next.saturating_sub(1).max(1),
            _ => self.sender.next,
        };
        let is_admitted = counts && !is_strange && sequence == self.sender.next;
        let mut entries = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..1 + self.throw(3) {
            let (entry, is_taken) = self.entry(is_admitted);
            entries.push(entry);
            expected.push(if is_taken { "taken" } else { "refused" });
        }
        let payload = self.sender.register.package(sequence, json!(entries));
        if self.sender.answered.iter().any(|(old, _)| *old == payload) {
            // Told twice in the same words: it is the same package.
            return;
        }
        let bytes = self.answer(&payload, is_strange).await;
        let said = opened(self.house(), &bytes, ANSWER_TYPE).await;
        let state = match expected.iter().filter(|one| **one == "taken").count() {
            _ if !is_admitted => "not-admitted",
            0 => "refused",
            many if many == expected.len() => "taken",
            _ => "partly",
        };
        let found: Vec<_> = said["applications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["state"].as_str().unwrap())
            .collect();
        let is_so = said["state"] == state && (!is_admitted || found == expected);
        self.note(&format!("package {sequence}: {payload}"));
        if !is_so {
            self.fail(&format!(
                "the model says {state} {expected:?}, and the store {said}"
            ));
        }
        if is_admitted {
            self.sender.next += 1;
            self.sender.answered.push((payload, bytes));
        }
    }

    async fn answer(&self, payload: &Value, is_strange: bool) -> Vec<u8> {
        let signer = match is_strange {
            true => &self.sender.stranger,
            false => &self.sender.register,
        };
        let bytes = signer.signed(payload);
        let name = signer.name.as_str();
        self.central().take_package(name, &bytes).await.unwrap()
    }

    /// Makes an entry, and says whether it is taken; where its package is admitted, the model takes it.
    fn entry(&mut self, is_admitted: bool) -> (Value, bool) {
        let kind = self.throw(6);
        let own: Vec<usize> = (0..self.books.papers.len())
            .filter(|&at| self.books.papers[at].entered_by == SOURCE)
            .collect();
        let old = match own.len() {
            0 => None,
            many => Some(own[self.throw(many)]),
        };
        let is_open =
            old.is_some_and(|old| self.books.papers[old].application == ApplicationState::Received);
        let (action, old) = match (kind, old) {
            (0, Some(old)) => {
                let reference = &self.books.papers[old].reference;
                let entry = json!({"action": "withdraw", "reference": reference, "cause": "moved"});
                let is_taken = is_open;
                if is_taken && is_admitted {
                    self.books.papers[old].application = ApplicationState::Withdrawn;
                }
                return (entry, is_taken);
            }
            (1, Some(old)) => ("replace", Some(old)),
            _ => ("new", None),
        };
        // A reference that another application has, now and then.
        let known = self.throw(12) == 0 && !self.books.papers.is_empty();
        let reference = match known {
            true => {
                let at = self.throw(self.books.papers.len());
                self.books.papers[at].reference.clone()
            }
            false => {
                self.sender.applications += 1;
                format!("APP-REG-{:05}", self.sender.applications)
            }
        };
        let holder = HOLDERS[self.throw(HOLDERS.len())];
        let (office, is_urgent) = ("RIGA-1", self.throw(4) == 0);
        let mut application: Value =
            serde_json::from_slice(&sample(&format!("applications/{holder}"))).unwrap();
        application["reference"] = json!(reference);
        application["office"] = json!(office);
        application["priority"] = json!(if is_urgent { "urgent" } else { "normal" });
        let mut entry = json!({"action": action, "application": application});
        if let Some(old) = old {
            entry["reference"] = json!(self.books.papers[old].reference);
        }
        let in_work = [
            ApplicationState::Received,
            ApplicationState::Approved,
            ApplicationState::InProduction,
        ];
        let papers = self.books.papers.iter().enumerate();
        let mut others = papers.filter(|(at, one)| {
            Some(*at) != old
                && one.make == Make::Booklet
                && one.holder == holder
                && in_work.contains(&one.application)
        });
        let is_taken = !known && others.next().is_none() && (old.is_none() || is_open);
        if is_taken && is_admitted {
            if let Some(old) = old {
                self.books.papers[old].application = ApplicationState::Superseded;
            }
            let entered = self.now();
            self.books.papers.push(Paper {
                reference,
                make: Make::Booklet,
                holder,
                office,
                is_urgent,
                entered_by: SOURCE,
                entered,
                application: ApplicationState::Received,
                document: None,
                letters: Vec::new(),
            });
        }
        (entry, is_taken)
    }
}
