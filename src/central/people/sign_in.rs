//! Signing in: the password, then the second factor.

use std::fmt;

use api::Actor;
use audit::{Control, Outcome};
use document::needs_second_factor;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::accounts::{Person, check_name, roles_of};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::card;
use crate::people::factor::{FactorProof, Judged, SecondFactor, StoredFactor};
use crate::people::lock_out::Counted;
use crate::people::password::normalized;
use crate::people::session::{Session, SessionToken};
use crate::people::token::{digest_of, new_token};
use crate::scribe::Deed;
use crate::statements::sql;

/// The station's name in entries where a person signs in without one.
const NO_STATION: &str = "none";

/// How long a second factor may take.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// How often it may be shown for one password.
pub(crate) const TRIES: i64 = 3;

/// Where somebody comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The address of the peer, at most 64 bytes.
    pub source: String,
    /// The station, by its certificate; none for a browser without one.
    pub station: Option<String>,
}

impl Visit {
    /// Returns a person as one who acts from here.
    pub fn actor(&self, person: &str) -> Actor {
        Actor {
            station: self
                .station
                .clone()
                .unwrap_or_else(|| NO_STATION.to_owned()),
            person: person.to_owned(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if let Some(station) = &self.station {
            check_name("a station", station)?;
        }
        if self.source.len() > 64 {
            return Err(CentralError::invalid("the source's address is too long"));
        }
        Ok(())
    }
}

/// How far somebody got with a password.
#[derive(Clone)]
pub enum SignedIn {
    /// In: the account has no second factor, and its roles need none.
    Session(SessionToken, Session),
    /// The second factor is still to be shown.
    SecondFactor {
        /// What stands for the password meanwhile.
        ticket: SessionToken,
        /// Which factor.
        factor: SecondFactor,
        /// What a card signs.
        challenge: String,
        /// Until when.
        expires: Timestamp,
    },
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session(..) => "SignedIn::Session(…)",
            Self::SecondFactor { .. } => "SignedIn::SecondFactor(…)",
        })
    }
}

/// What is known of who tries.
#[derive(PartialEq)]
struct Known {
    person: Person,
    password: Option<String>,
    factor: Option<StoredFactor>,
    locked: bool,
    needs_factor: bool,
}

impl Known {
    async fn load(tx: &mut Connection, name: &str) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            "SELECT a.id, a.name, a.locked, c.password, c.totp, c.card FROM account a
             LEFT JOIN credential c ON c.account = a.id WHERE a.name = $1"
        ))
        .bind(name)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let id: String = row.get("id");
        let roles = roles_of(tx, &id).await?;
        Ok(Some(Self {
            person: Person {
                id,
                name: row.get("name"),
            },
            password: row.get("password"),
            factor: StoredFactor::read(row.get("totp"), row.get("card"))?,
            locked: row.get::<Option<i64>, _>("locked").is_some(),
            needs_factor: roles.iter().any(|role| needs_second_factor(*role)),
        }))
    }

    /// Says why not even a right password lets this account in.
    fn bar(&self) -> Option<&'static str> {
        if self.locked {
            Some("the account is locked")
        } else if self.needs_factor && self.factor.is_none() {
            Some("its roles need a second factor, and it has none")
        } else {
            None
        }
    }
}

impl Central {
    /// Judges a password.
    ///
    /// Whatever is wrong, the answer is the same, and so is the time it takes; the audit log says
    /// what it was, without the name that was tried where nobody has it: people type passwords
    /// into name fields.
    ///
    /// # Errors
    /// [`CentralError::SignIn`]; [`CentralError::TooSoon`] after too many failures.
    pub async fn sign_in(&self, visit: &Visit, name: &str, password: &str) -> Result<SignedIn> {
        visit.check()?;
        let name = normal_name(name);
        let now = self.now();
        let (known, counted) = retried!(async {
            let mut tx = self.write().await?;
            let known = Known::load(&mut tx, &name).await?;
            let id = known.as_ref().map(|known| known.person.id.clone());
            let counted = Counted::begin(&mut tx, visit, id.as_deref(), &name, now).await?;
            tx.commit().await?;
            Ok((known, counted))
        })?;

        let hash = known.as_ref().and_then(|known| known.password.clone());
        let without = hash.is_none();
        let fits = match normalized(password) {
            Some(password) => self.passwords().verify(password, hash).await?,
            None => false,
        };
        let Some(known) = known else {
            return Err(self.not_in(visit, None, "there is no such account").await);
        };
        let bar = match (fits, without) {
            (true, _) => known.bar(),
            (false, true) => Some("the account has no password yet"),
            (false, false) => Some("the password is wrong"),
        };
        if let Some(why) = bar {
            return Err(self.not_in(visit, Some(&known.person.id), why).await);
        }
        match retried!(self.let_in(visit, &name, &known, &counted, now))? {
            Some(signed_in) => Ok(signed_in),
            None => {
                let why = "the account changed while the password was judged";
                Err(self.not_in(visit, Some(&known.person.id), why).await)
            }
        }
    }

    /// Lets somebody in whose password was right, or asks for the second factor. None where the
    /// account is not what was judged any more.
    async fn let_in(
        &self,
        visit: &Visit,
        name: &str,
        known: &Known,
        counted: &Counted,
        now: Timestamp,
    ) -> Result<Option<SignedIn>> {
        let mut tx = self.write().await?;
        // Judging takes a while, in which the account may have got another password or been locked.
        let again = Known::load(&mut tx, name).await?;
        if again.as_ref() != Some(known) {
            return Ok(None);
        }
        let Some(factor) = &known.factor else {
            counted.succeeded(&mut tx, now).await?;
            let (token, session) = self
                .open_session(&mut tx, &known.person, visit, "none")
                .await?;
            self.record_sign_in(&mut tx, &session).await?;
            tx.commit().await?;
            return Ok(Some(SignedIn::Session(token, session)));
        };
        counted.was_right(&mut tx).await?;
        let (token, challenge) = (new_token()?, self.new_challenge()?);
        let expires = now + PATIENCE;
        sqlx::query(sql!("DELETE FROM sign_in WHERE expires < $1"))
            .bind(stored(now))
            .execute(&mut *tx)
            .await?;
        sqlx::query(sql!("INSERT INTO sign_in (ticket, purpose, account, station, challenge, expires, tries) VALUES ($1, 'sign-in', $2, $3, $4, $5, 0)"))
            .bind(digest_of(&token).ok_or(CentralError::Random)?)
            .bind(&known.person.id)
            .bind(&visit.station)
            .bind(&challenge)
            .bind(stored(expires))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(SignedIn::SecondFactor {
            ticket: SessionToken(token),
            factor: factor.kind(),
            challenge,
            expires,
        }))
    }

    /// Judges the second factor, and opens the session.
    ///
    /// # Errors
    /// As [`Central::sign_in`]; [`CentralError::NoSession`] for a ticket that expired, was used,
    /// or was shown with three wrong factors: the password comes first again.
    pub async fn second_factor(
        &self,
        visit: &Visit,
        ticket: &str,
        proof: FactorProof,
    ) -> Result<(SessionToken, Session)> {
        visit.check()?;
        let now = self.now();
        let (begun, counted, row, own) = retried!(async {
            let mut tx = self.write().await?;
            let begun = Begun::take_try(&mut tx, "sign-in", visit, ticket, now).await?;
            let counted = Counted::begin(&mut tx, visit, Some(&begun.account), "", now).await?;
            let row = sqlx::query(sql!("SELECT a.name, a.locked, c.totp, c.card, c.totp_step FROM account a JOIN credential c ON c.account = a.id WHERE a.id = $1"))
            .bind(&begun.account)
            .fetch_one(&mut *tx)
            .await?;
            let own = match &proof {
                FactorProof::Card { certificate, .. } => {
                    own_card(&mut tx, certificate, now).await?
                }
                FactorProof::Totp(_) => None,
            };
            tx.commit().await?;
            Ok((begun, counted, row, own))
        })?;

        let factor =
            StoredFactor::read(row.get("totp"), row.get("card"))?.ok_or(CentralError::NoSession)?;
        let judged = match own {
            Some(why) => Judged::Wrong(why),
            None => {
                self.judge_factor(
                    &begun.account,
                    &factor,
                    row.get("totp_step"),
                    &begun.challenge,
                    proof,
                    now,
                )
                .await?
            }
        };
        let step = match judged {
            Judged::Proved(step) => step,
            Judged::Wrong(why) => return Err(self.not_in(visit, Some(&begun.account), why).await),
        };
        if row.get::<Option<i64>, _>("locked").is_some() {
            return Err(CentralError::NoSession);
        }
        let person = Person {
            id: begun.account.clone(),
            name: row.get("name"),
        };
        let opened = retried!(async {
            let mut tx = self.write().await?;
            if !begun.finish(&mut tx).await? {
                return Err(CentralError::NoSession);
            }
            if let Some(step) = step
                && !take_step(&mut tx, &begun.account, step).await?
            {
                return Ok(None);
            }
            counted.succeeded(&mut tx, now).await?;
            let opened = self
                .open_session(&mut tx, &person, visit, factor.kind().name())
                .await?;
            self.record_sign_in(&mut tx, &opened.1).await?;
            tx.commit().await?;
            Ok(Some(opened))
        })?;
        match opened {
            Some(opened) => Ok(opened),
            None => {
                let why = "the code was used meanwhile";
                Err(self.not_in(visit, Some(&begun.account), why).await)
            }
        }
    }

    /// Returns what a card signs: for this installation and this occasion only.
    pub(crate) fn new_challenge(&self) -> Result<String> {
        let nonce = new_token()?;
        Ok(format!(
            "zimogs sign-in\n{}\n{}\n",
            self.audit_key().name(),
            &*nonce
        ))
    }

    async fn record_sign_in(
        &self,
        tx: &mut crate::database::Write,
        session: &Session,
    ) -> Result<()> {
        let deed = Deed::new(
            "session.opened",
            Control::AUTHENTICATION,
            "session",
            &session.id,
        )
        .with("account", format!("person/{}", session.account))
        .with("factor", &session.factor);
        self.record(tx, Some(&session.actor), &deed).await
    }

    /// Notes a failed attempt, and returns what is said of it. Nobody is named as who acts: that
    /// is just what was not proved.
    pub(crate) async fn not_in(
        &self,
        visit: &Visit,
        account: Option<&str>,
        why: &'static str,
    ) -> CentralError {
        let deed = Deed::new(
            "session.opened",
            Control::AUTHENTICATION,
            "account",
            format!("person/{}", account.unwrap_or("unknown")),
        );
        tracing::warn!(source = visit.source, why, "a sign-in was refused");
        match retried!(self.note_refusal(visit, &deed, why)) {
            Ok(()) => CentralError::SignIn,
            Err(error) => error,
        }
    }

    pub(crate) async fn note_refusal(&self, visit: &Visit, deed: &Deed, why: &str) -> Result<()> {
        let mut tx = self.write().await?;
        // No account has this name, so that the entry names nobody.
        let nobody = visit.actor("");
        self.scribe()
            .write(&mut tx, Some(&nobody), deed, Outcome::Refused, Some(why))
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Returns a name as accounts have it.
pub(crate) fn normal_name(name: &str) -> Zeroizing<String> {
    Zeroizing::new(
        name.trim()
            .chars()
            .take(65)
            .collect::<String>()
            .to_lowercase(),
    )
}

/// Says what is against a card whose key was certified here. It is known by the key: what else the
/// shown certificate says, nobody has signed.
pub(crate) async fn own_card(
    tx: &mut Connection,
    certificate: &[u8],
    now: Timestamp,
) -> Result<Option<&'static str>> {
    // One that does not read is refused by whoever judges it.
    let Ok(key) = card::digest_of(certificate, now) else {
        return Ok(None);
    };
    let row = sqlx::query(sql!(
        "SELECT state, not_after FROM certificate WHERE public_key = $1"
    ))
    .bind(key)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let not_after: Option<i64> = row.get("not_after");
    let has_expired = not_after.is_none_or(|not_after| not_after < stored(now));
    let is_active = row.get::<&str, _>("state") == "active" && !has_expired;
    Ok((!is_active).then_some("the card's certificate is not active"))
}

/// Marks a code's time step as used.
pub(crate) async fn take_step(tx: &mut Connection, account: &str, step: i64) -> Result<bool> {
    let done = sqlx::query(sql!("UPDATE credential SET totp_step = $1 WHERE account = $2 AND (totp_step IS NULL OR totp_step < $1)"))
    .bind(step)
    .bind(account)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What was begun and waits for its second factor.
pub(crate) struct Begun {
    ticket: Vec<u8>,
    pub(crate) account: String,
    pub(crate) challenge: String,
    pub(crate) password: Option<String>,
    pub(crate) totp: Option<Vec<u8>>,
    pub(crate) card: Option<Vec<u8>>,
}

impl Begun {
    /// Finds it by its ticket, and uses one try of it.
    pub(crate) async fn take_try(
        tx: &mut Connection,
        purpose: &str,
        visit: &Visit,
        ticket: &str,
        now: Timestamp,
    ) -> Result<Self> {
        let ticket = digest_of(ticket).ok_or(CentralError::NoSession)?;
        let row = sqlx::query(sql!(
            "UPDATE sign_in SET tries = tries + 1 WHERE ticket = $1 AND purpose = $2 AND tries < $3
             RETURNING account, station, challenge, expires, password, totp, card"
        ))
        .bind(&ticket)
        .bind(purpose)
        .bind(TRIES)
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or(CentralError::NoSession)?;
        let here = row.get::<Option<String>, _>("station") == visit.station;
        if !here || moment(row.get("expires"))? <= now {
            return Err(CentralError::NoSession);
        }
        Ok(Self {
            ticket,
            account: row.get("account"),
            challenge: row.get("challenge"),
            password: row.get("password"),
            totp: row.get("totp"),
            card: row.get("card"),
        })
    }

    /// Takes it away: a ticket and its challenge serve once.
    pub(crate) async fn finish(&self, tx: &mut Connection) -> Result<bool> {
        let done = sqlx::query(sql!("DELETE FROM sign_in WHERE ticket = $1"))
            .bind(&self.ticket)
            .execute(tx)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
