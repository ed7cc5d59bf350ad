//! People at the door, in the model: passwords, the delays after wrong ones, sessions, locks.

use std::collections::BTreeMap;

use document::Role;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::house::{House, actor};
use super::model::World;
use super::model_acts::desk;
use super::model_books::is;
use crate::{CentralError, Enrolled, Enrolment, SessionToken, SignedIn, Visit};

/// Who comes: clerks, and nobody of those who act otherwise.
const VISITORS: [&str; 2] = ["visitor", "viola"];

const SOURCES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

const PASSWORD: &str = "zila pogas kaste";

/// *docs/operation.md*: a session ends when it is not used for so long, and after a shift.
const IDLE: SignedDuration = SignedDuration::from_mins(15);
const SHIFT: SignedDuration = SignedDuration::from_hours(12);

/// How many sessions somebody has at once.
const AT_ONCE: usize = 8;

/// After how many failures an account waits, and a source does.
const FREE: [u32; 2] = [5, 20];

struct Opened {
    token: SessionToken,
    who: usize,
    opened: Timestamp,
    used: Timestamp,
    ended: bool,
}

/// Who tried what, from where.
#[derive(Default)]
pub(super) struct Door {
    /// Failures, and the moment of the last, by whose they are.
    failures: BTreeMap<String, (u32, Timestamp)>,
    /// When somebody came in from a source last.
    familiar: BTreeMap<(usize, usize), Timestamp>,
    locked: [bool; 2],
    sessions: Vec<Opened>,
}

fn visit(source: &str) -> Visit {
    Visit {
        source: source.into(),
        station: None,
    }
}

impl Door {
    pub(super) async fn new(house: &House) -> Self {
        let (central, administrator) = (&house.central, actor("administrator"));
        for name in VISITORS {
            let added = central.add_account(&administrator, name, &[Role::Clerk]);
            added.await.unwrap();
            let code = central.issue_code(&administrator, name).await.unwrap();
            let enrolment = Enrolment {
                account: name.into(),
                code: code.code,
                password: Zeroizing::new(PASSWORD.into()),
                factor: None,
            };
            let enrolled = central.enrol(&visit("192.0.2.9"), &enrolment).await;
            assert!(matches!(enrolled, Ok(Enrolled::Whole)));
        }
        Self::default()
    }

    /// Returns whose failures an attempt counts among: the account's or the account's from a source
    /// that is familiar, and the source's.
    fn counted(&self, who: usize, source: usize, now: Timestamp) -> [String; 2] {
        let month = SignedDuration::from_hours(24 * 30);
        let last = self.familiar.get(&(who, source));
        let is_familiar = last.is_some_and(|last| now.duration_since(*last) < month);
        let whose = match is_familiar {
            true => format!("{who} from {source}"),
            false => format!("{who}"),
        };
        [whose, format!("source {source}")]
    }

    fn forget(&mut self, now: Timestamp) {
        self.failures.retain(|whose, (_, last)| {
            let days = if whose.starts_with("source") { 1 } else { 90 };
            now.duration_since(*last) <= SignedDuration::from_hours(24 * days)
        });
    }

    fn must_wait(&self, counted: &[String; 2], now: Timestamp) -> bool {
        counted.iter().zip(FREE).any(|(whose, free)| {
            self.failures.get(whose).is_some_and(|(failures, last)| {
                let Some(more) = failures.checked_sub(free) else {
                    return false;
                };
                let delay = SignedDuration::from_secs((1_i64 << more.min(20)).min(900));
                *last + delay > now
            })
        })
    }

    fn take_back(&mut self, whose: &str) {
        if let Some((failures, _)) = self.failures.get_mut(whose) {
            *failures = failures.saturating_sub(1);
        }
    }

    fn is_live(&self, session: &Opened, now: Timestamp) -> bool {
        !session.ended
            && !self.locked[session.who]
            && now < session.opened + SHIFT
            && now.duration_since(session.used) < IDLE
    }
}

impl World {
    /// Somebody comes to the door: some wrong passwords, as a rule the right one after them.
    pub(super) async fn sign_in(&mut self) {
        let pause = [0, 1, 40, 20 * 60][self.throw(4)];
        self.wait(SignedDuration::from_secs(pause)).await;
        let (who, source) = (self.throw(2), self.throw(2));
        let wrong = [0, 0, 1, 4, 7][self.throw(5)];
        for _ in 0..wrong {
            self.try_password(who, source, "pavisam kas cits").await;
        }
        if self.throw(5) > 0 {
            self.try_password(who, source, PASSWORD).await;
        }
    }

    async fn try_password(&mut self, who: usize, source: usize, password: &str) {
        let now = self.now();
        let door = &mut self.door;
        door.forget(now);
        let counted = door.counted(who, source, now);
        let expected = if door.must_wait(&counted, now) {
            "wait"
        } else {
            for whose in &counted {
                let entry = door.failures.entry(whose.clone()).or_insert((0, now));
                *entry = (entry.0 + 1, now);
            }
            match password == PASSWORD && !door.locked[who] {
                true => "in",
                false => "not in",
            }
        };
        let (name, from) = (VISITORS[who], visit(SOURCES[source]));
        let done = self.central().sign_in(&from, name, password).await;
        let found = match &done {
            Ok(SignedIn::Session(..)) => "in",
            Err(CentralError::SignIn) => "not in",
            Err(CentralError::TooSoon { .. }) => "wait",
            _ => "something else",
        };
        self.note(&format!("{name} from {source}: {found}"));
        if found != expected {
            self.fail(&format!("the model says {expected}, and the store {found}"));
        }
        let Ok(SignedIn::Session(token, _)) = done else {
            return;
        };
        let door = &mut self.door;
        counted.iter().for_each(|whose| door.take_back(whose));
        door.failures.remove(&counted[0]);
        door.familiar.insert((who, source), now);
        let sessions = door.sessions.iter().enumerate().rev();
        let live = sessions.filter(|(_, one)| one.who == who && door.is_live(one, now));
        let over: Vec<usize> = live.skip(AT_ONCE - 1).map(|(at, _)| at).collect();
        for at in over {
            door.sessions[at].ended = true;
        }
        door.sessions.push(Opened {
            token,
            who,
            opened: now,
            used: now,
            ended: false,
        });
    }

    /// Somebody goes on with a session, at another source now and then, or ends it.
    pub(super) async fn use_session(&mut self) {
        if self.door.sessions.is_empty() {
            return;
        }
        // As a rule one of the last.
        let many = self.door.sessions.len();
        let at = many - 1 - self.throw(many.min(12));
        let pause = [0, 20, 40, 14 * 60, 16 * 60][self.throw(5)];
        self.wait(SignedDuration::from_secs(pause)).await;
        let now = self.now();
        let source = SOURCES[self.throw(2)];
        let is_elsewhere = self.throw(8) == 0;
        let from = Visit {
            station: is_elsewhere.then(|| "station-1".into()),
            ..visit(source)
        };
        let session = &self.door.sessions[at];
        let is_live = self.door.is_live(session, now);
        let token = session.token.expose().to_owned();
        let found = self.central().session(&token, &from).await;
        self.note(&format!(
            "session {at}, live {is_live}, elsewhere {is_elsewhere}"
        ));
        if found.is_ok() != (is_live && !is_elsewhere) {
            self.fail(&format!("the store says {:?}", found.map(drop)));
        }
        let session = &mut self.door.sessions[at];
        if is_live && is_elsewhere {
            // Somebody else has it.
            session.ended = true;
        } else if is_live && now.duration_since(session.used) >= SignedDuration::from_secs(30) {
            session.used = now;
        }
        if let Ok(open) = found
            && self.throw(4) == 0
        {
            self.central().sign_out(&open).await.unwrap();
            self.door.sessions[at].ended = true;
        }
    }

    /// An administrator locks somebody out, or lets them in again.
    pub(super) async fn lock(&mut self, locks: bool) {
        let (who, by) = (self.throw(2), self.who(&[Role::Administrator]));
        let is_right = is(by, &[Role::Administrator]);
        let may = is_right && !(locks && self.door.locked[who]);
        let (central, name) = (self.central(), VISITORS[who]);
        let done = match locks {
            true => central.lock_account(&desk(by), name, "left").await,
            false => central.unlock_account(&desk(by), name).await,
        };
        if !self.judge(may, &done, &[by, name]) {
            return;
        }
        let door = &mut self.door;
        door.locked[who] = locks;
        if locks {
            let own = door.sessions.iter_mut().filter(|one| one.who == who);
            own.for_each(|one| one.ended = true);
        } else {
            let of_source = format!("{who} from ");
            door.failures
                .retain(|whose, _| *whose != format!("{who}") && !whose.starts_with(&of_source));
        }
    }
}
