//! How often a secret of a card may still be tried: a ledger of authentication attempts,
//! so that no program locks a card by trying.
//!
//! ```text
//!   intend ──► (refused: the attempt could lock)        nothing was sent
//!      │
//!      ▼ written down before the command goes out
//!   the attempt ──► settle: accepted │ refused, n left │ unknown
//!      └ never settled (crash, card gone): counts as failed
//! ```
//!
//! The ledger holds names and numbers, never a secret. A store must make [`AttemptStore::intend`]
//! one durable act: of two programs that both have one failure left, one is refused.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One secret of one card.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Guarded {
    /// What tells the card from all others, such as product and serial number.
    pub card: String,
    /// The secret's name on the card, such as `pin/1` or `keys/30`.
    pub secret: String,
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of card {}", self.secret, self.card)
    }
}

/// How many attempts are allowed while the card does not say how many are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Failures after which no more is tried. Many cards lock at the third.
    pub failures: u32,
    /// The card's own limit as its profile knows it: tries from a success to the lock.
    pub limit: Option<u32>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            failures: 2,
            limit: None,
        }
    }
}

impl Budget {
    /// Returns how many failures are allowed: never so many that one more locks.
    pub fn allowed(&self) -> u32 {
        self.limit.map_or(self.failures, |limit| {
            self.failures.min(limit.saturating_sub(1))
        })
    }
}

/// Why an attempt is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Exhausting {
    /// The card says that it is locked.
    #[error("{what} is blocked; unblock it, nothing is to be tried")]
    Blocked {
        /// The secret.
        what: Guarded,
    },
    /// A failure would lock.
    #[error(
        "one try left for {what}: a failure would lock it; find the right value, then force the attempt"
    )]
    LastTry {
        /// The secret.
        what: Guarded,
    },
    /// Too many failed while nobody knows how many are left.
    #[error(
        "{failed} of {allowed} allowed failures for {what} are used up and the tries left are unknown; find the right value, then force the attempt"
    )]
    Budget {
        /// The secret.
        what: Guarded,
        /// Failures since the last success, attempts without a known end among them.
        failed: u32,
        /// Failures allowed.
        allowed: u32,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The card accepted the secret.
    Accepted,
    /// The card refused it.
    Refused {
        /// The tries left, where the card says so (`63Cx`).
        left: Option<u8>,
    },
    /// Nobody knows: no answer, or one that says neither. Counts as failed.
    Unknown,
}

/// What is known of one secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Settled failures since the last success.
    pub failed: u32,
    /// Attempts that were begun and never settled, since the last success.
    pub pending: u32,
    /// The tries left when the card last said so.
    pub told: Option<u8>,
    /// Settled failures without a number from the card, since it last said one.
    pub since: u32,
}

impl Account {
    /// Returns the failures since the last success; an attempt without a known end is one.
    pub fn failures(&self) -> u32 {
        self.failed.saturating_add(self.pending)
    }

    /// Returns the fewest tries that may be left, where the card ever said so since the
    /// last success.
    pub fn left(&self) -> Option<u32> {
        let used = self.since.saturating_add(self.pending);
        self.told.map(|told| u32::from(told).saturating_sub(used))
    }

    /// Says whether one more attempt cannot lock.
    ///
    /// # Errors
    /// [`Exhausting`]: blocked, one try left, or the budget used up while the number left
    /// is unknown.
    pub fn may_try(&self, what: &Guarded, budget: &Budget) -> Result<(), Exhausting> {
        let what = || what.clone();
        match self.left() {
            _ if self.told == Some(0) => Err(Exhausting::Blocked { what: what() }),
            Some(0 | 1) => Err(Exhausting::LastTry { what: what() }),
            Some(_) => Ok(()),
            None if self.failures() >= budget.allowed() => Err(Exhausting::Budget {
                what: what(),
                failed: self.failures(),
                allowed: budget.allowed(),
            }),
            None => Ok(()),
        }
    }

    /// Counts an attempt that is about to be made.
    pub fn intend(&mut self) {
        self.pending = self.pending.saturating_add(1);
    }

    /// Counts the end of an attempt.
    pub fn settle(&mut self, outcome: Outcome) {
        let failed = self.failed.saturating_add(1);
        let pending = self.pending.saturating_sub(1);
        *self = match outcome {
            Outcome::Accepted => Self::default(),
            // The card's word covers the attempts before, those without a known end too.
            Outcome::Refused { left: Some(left) } => Self {
                failed: failed.saturating_add(pending),
                pending: 0,
                told: Some(left),
                since: 0,
            },
            Outcome::Refused { left: None } | Outcome::Unknown => Self {
                failed,
                pending,
                told: self.told,
                since: self.since.saturating_add(1),
            },
        };
    }

    /// Takes the card's own word for how many tries are left, without an attempt. It covers
    /// every attempt made before, those without a known end too.
    pub fn learn(&mut self, left: u8) {
        *self = Self {
            failed: self.failures(),
            pending: 0,
            told: Some(left),
            since: 0,
        };
    }
}

/// Why an attempt may not begin or could not be written down.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// It could lock the card.
    #[error(transparent)]
    Exhausting(#[from] Exhausting),
    /// The ledger cannot be read or written: nothing may be tried.
    #[error("ledger of attempts: {context}")]
    Store {
        /// What was being done, in lower case.
        context: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// One line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which secret of which card.
    #[serde(flatten)]
    pub what: Guarded,
    /// What is known of it.
    #[serde(flatten)]
    pub account: Account,
}

/// Where attempts are kept. Every method that changes something returns when the change is
/// durable, and two programs that share a store see each other's changes.
pub trait AttemptStore {
    /// Returns what is known of a secret; nothing yet is [`Account::default`].
    ///
    /// # Errors
    /// [`AttemptError::Store`].
    fn account(&mut self, what: &Guarded) -> Result<Account, AttemptError>;

    /// Writes an attempt down before it is made, unless it could lock and `force` is not
    /// set. Whoever called it settles it with [`Self::settle`].
    ///
    /// # Errors
    /// [`AttemptError::Exhausting`], and nothing is written; [`AttemptError::Store`].
    fn intend(&mut self, what: &Guarded, budget: &Budget, force: bool) -> Result<(), AttemptError>;

    /// Writes down how an attempt ended.
    ///
    /// # Errors
    /// [`AttemptError::Store`]; then the attempt still counts as failed.
    fn settle(&mut self, what: &Guarded, outcome: Outcome) -> Result<(), AttemptError>;

    /// Writes down how many tries the card says are left, see [`Account::learn`].
    ///
    /// # Errors
    /// [`AttemptError::Store`].
    fn learn(&mut self, what: &Guarded, left: u8) -> Result<(), AttemptError>;

    /// Returns every line, by card and secret.
    ///
    /// # Errors
    /// [`AttemptError::Store`].
    fn entries(&mut self) -> Result<Vec<Entry>, AttemptError>;
}

/// A ledger in memory, for a card that lives no longer than the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    accounts: BTreeMap<Guarded, Account>,
}

impl Ledger {
    fn at(&mut self, what: &Guarded) -> &mut Account {
        self.accounts.entry(what.clone()).or_default()
    }
}

impl AttemptStore for Ledger {
    fn account(&mut self, what: &Guarded) -> Result<Account, AttemptError> {
        Ok(self.accounts.get(what).copied().unwrap_or_default())
    }

    fn intend(&mut self, what: &Guarded, budget: &Budget, force: bool) -> Result<(), AttemptError> {
        if !force {
            self.account(what)?.may_try(what, budget)?;
        }
        self.at(what).intend();
        Ok(())
    }

    fn settle(&mut self, what: &Guarded, outcome: Outcome) -> Result<(), AttemptError> {
        self.at(what).settle(outcome);
        Ok(())
    }

    fn learn(&mut self, what: &Guarded, left: u8) -> Result<(), AttemptError> {
        self.at(what).learn(left);
        Ok(())
    }

    fn entries(&mut self) -> Result<Vec<Entry>, AttemptError> {
        let line = |(what, account): (&Guarded, &Account)| Entry {
            what: what.clone(),
            account: *account,
        };
        Ok(self.accounts.iter().map(line).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pin() -> Guarded {
        Guarded {
            card: "chip-a 0001".into(),
            secret: "pin/1".into(),
        }
    }

    fn refused(ledger: &mut Ledger, budget: &Budget) -> Exhausting {
        match ledger.intend(&pin(), budget, false).unwrap_err() {
            AttemptError::Exhausting(why) => why,
            error => panic!("{error}"),
        }
    }

    #[test]
    fn an_unknown_counter_is_tried_twice() {
        let (mut ledger, budget) = (Ledger::default(), Budget::default());
        for _ in 0..2 {
            ledger.intend(&pin(), &budget, false).unwrap();
            let outcome = Outcome::Refused { left: None };
            ledger.settle(&pin(), outcome).unwrap();
        }
        let why = refused(&mut ledger, &budget);
        assert!(matches!(
            why,
            Exhausting::Budget {
                failed: 2,
                allowed: 2,
                ..
            }
        ));
        ledger.intend(&pin(), &budget, true).unwrap();
        ledger.settle(&pin(), Outcome::Accepted).unwrap();
        assert_eq!(ledger.account(&pin()).unwrap(), Account::default());
    }

    #[test]
    fn a_crash_between_intent_and_end_counts() {
        let mut ledger = Ledger::default();
        let budget = Budget {
            limit: Some(3),
            ..Budget::default()
        };
        ledger.intend(&pin(), &budget, false).unwrap();
        ledger.intend(&pin(), &budget, false).unwrap();
        let why = refused(&mut ledger, &budget);
        assert!(matches!(
            why,
            Exhausting::Budget {
                failed: 2,
                allowed: 2,
                ..
            }
        ));
        assert!(why.to_string().contains("pin/1 of card chip-a 0001"));
    }

    #[test]
    fn the_cards_word_goes_before_every_guess() {
        let (mut ledger, budget) = (Ledger::default(), Budget::default());
        for _ in 0..2 {
            ledger.intend(&pin(), &budget, false).unwrap();
        }
        ledger.learn(&pin(), 8).unwrap();
        ledger.intend(&pin(), &budget, false).unwrap();
        let outcome = Outcome::Refused { left: Some(2) };
        ledger.settle(&pin(), outcome).unwrap();
        ledger.intend(&pin(), &budget, false).unwrap();
        // Two were left and one was begun without an end.
        let why = refused(&mut ledger, &budget);
        assert!(matches!(why, Exhausting::LastTry { .. }));
        ledger.settle(&pin(), Outcome::Unknown).unwrap();
        assert!(matches!(
            refused(&mut ledger, &budget),
            Exhausting::LastTry { .. }
        ));
        ledger.learn(&pin(), 0).unwrap();
        assert!(matches!(
            refused(&mut ledger, &budget),
            Exhausting::Blocked { .. }
        ));
    }

    #[test]
    fn the_cards_word_after_an_attempt_covers_those_before_it() {
        let (mut ledger, budget) = (Ledger::default(), Budget::default());
        ledger.learn(&pin(), 5).unwrap();
        for _ in 0..2 {
            ledger.intend(&pin(), &budget, false).unwrap();
        }
        let outcome = Outcome::Refused { left: Some(3) };
        ledger.settle(&pin(), outcome).unwrap();
        let account = ledger.account(&pin()).unwrap();
        assert_eq!((account.left(), account.failures()), (Some(3), 2));
        ledger.intend(&pin(), &budget, false).unwrap();
    }

    #[test]
    fn a_line_is_names_and_numbers() {
        let mut ledger = Ledger::default();
        ledger.learn(&pin(), 3).unwrap();
        let text = serde_json::to_string(&ledger.entries().unwrap()).unwrap();
        let expected = r#"[{"card":"chip-a 0001","secret":"pin/1","failed":0,"pending":0,"told":3,"since":0}]"#;
        assert_eq!(text, expected);
        let again: Vec<Entry> = serde_json::from_str(&text).unwrap();
        assert_eq!(again, ledger.entries().unwrap());
    }

    /// What may happen to a card and its ledger.
    #[derive(Debug, Clone, Copy)]
    enum Move {
        Attempt {
            right: bool,
            heard: bool,
            says: bool,
        },
        Ask,
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let attempt = any::<[bool; 3]>().prop_map(|[right, heard, says]| Move::Attempt {
            right,
            heard,
            says,
        });
        prop::collection::vec(prop_oneof![4 => attempt, 1 => Just(Move::Ask)], 0..60)
    }

    proptest! {
        /// A card whose limit the profile knows is never locked without force, whatever is
        /// lost on the way.
        #[test]
        fn no_card_is_locked(limit in 2_u8..8, moves in moves()) {
            let mut ledger = Ledger::default();
            let budget = Budget { limit: Some(u32::from(limit)), ..Budget::default() };
            let mut left = limit;
            for step in moves {
                match step {
                    Move::Ask => ledger.learn(&pin(), left).unwrap(),
                    Move::Attempt { right, heard, says } => {
                        if ledger.intend(&pin(), &budget, false).is_err() {
                            continue;
                        }
                        left = if right { limit } else { left - 1 };
                        prop_assert!(left > 0);
                        if heard {
                            let outcome = if right {
                                Outcome::Accepted
                            } else {
                                Outcome::Refused { left: says.then_some(left) }
                            };
                            ledger.settle(&pin(), outcome).unwrap();
                        }
                    }
                }
            }
        }
    }
}
