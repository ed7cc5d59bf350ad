//! Enrolment: a person sets password and second factor with a one-time code.
//!
//! The code holds until the enrolment is whole, and nothing of the old credentials changes before.

use std::fmt;

use audit::{Control, Outcome};
use document::needs_second_factor;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::accounts::roles_of;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::card;
use crate::people::factor::{FactorProof, Judged, StoredFactor};
use crate::people::lock_out::{Counted, forget_sources};
use crate::people::password::chosen;
use crate::people::session::{SessionToken, end_all};
use crate::people::sign_in::{Begun, Visit, normal_name, own_card};
use crate::people::token::{digest_of, new_token};
use crate::people::totp::{Shared, TotpAlgorithm};
use crate::scribe::Deed;
use crate::statements::sql;

/// How long a second factor may take to be confirmed.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// The second factor that somebody sets up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewFactor {
    /// An app.
    Totp(TotpAlgorithm),
    /// A card, by its authentication certificate, DER.
    Card(Vec<u8>),
}

/// What somebody enrols with.
#[derive(Clone)]
pub struct Enrolment {
    /// The account's name.
    pub account: String,
    /// The code that an administrator gave.
    pub code: Zeroizing<String>,
    /// The password that the person chose.
    pub password: Zeroizing<String>,
    /// The second factor; none where no role needs one.
    pub factor: Option<NewFactor>,
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enrolment(…)")
    }
}

/// The secret of an app. It is shown once and cannot be asked for again.
#[derive(Clone)]
pub struct TotpSecret {
    /// In base32, to type.
    pub typed: Zeroizing<String>,
    /// As `otpauth` address, for a picture.
    pub address: Zeroizing<String>,
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

/// How far an enrolment is.
#[derive(Clone, Debug)]
pub enum Enrolled {
    /// The password is set; there is no second factor.
    Whole,
    /// The second factor is still to be proved.
    Confirm {
        /// What stands for the code meanwhile.
        ticket: SessionToken,
        /// The app's secret, where it is an app.
        totp: Option<TotpSecret>,
        /// What a card signs.
        challenge: String,
        /// Until when.
        expires: Timestamp,
    },
}

/// Whose enrolment it is.
struct Enrolling {
    account: String,
    name: String,
    needs_factor: bool,
    /// The digest of the code that it was begun with.
    code: Vec<u8>,
}

impl Central {
    /// Begins an enrolment; without a second factor it is whole at once.
    ///
    /// # Errors
    /// [`CentralError::SignIn`] where there is no such account, or the code is not its own,
    /// expired or used; [`CentralError::Invalid`] for a password that is guessed too easily, or a
    /// card that proves no holder; [`CentralError::Refused`] where a second factor is needed;
    /// [`CentralError::TooSoon`].
    pub async fn enrol(&self, visit: &Visit, enrolment: &Enrolment) -> Result<Enrolled> {
        visit.check()?;
        let now = self.now();
        let enrolling = self.check_code(visit, enrolment, now).await?;
        if enrolling.needs_factor && enrolment.factor.is_none() {
            return Err(CentralError::refused(
                "the roles of this account need a second factor; choose an app or a card",
            ));
        }
        let alone = enrolment.factor.is_none();
        let password = chosen(&enrolment.password, &enrolling.name, alone)?;
        let password = self.passwords().hash(password).await?;
        let Some(factor) = &enrolment.factor else {
            retried!(async {
                let mut tx = self.write().await?;
                still_good(&mut tx, &enrolling).await?;
                self.make_whole(&mut tx, visit, &enrolling.account, &password, None, None)
                    .await?;
                tx.commit().await?;
                Ok(())
            })?;
            return Ok(Enrolled::Whole);
        };
        let (mut sealed, mut digest, mut shown) = (None, None, None);
        match factor {
            NewFactor::Totp(algorithm) => {
                let shared = Shared::generate(*algorithm)?;
                sealed = Some(self.seal_shared(&enrolling.account, &shared).await?);
                shown = Some(TotpSecret {
                    typed: shared.typed(),
                    address: shared.address(&enrolling.name, self.environment()),
                });
            }
            NewFactor::Card(certificate) => {
                digest = Some(card::digest_of(certificate, now).map_err(CentralError::invalid)?);
            }
        }
        let (ticket, challenge) = (new_token()?, self.new_challenge()?);
        let expires = now + PATIENCE;
        retried!(async {
            let mut tx = self.write().await?;
            still_good(&mut tx, &enrolling).await?;
            sqlx::query(sql!(
                "DELETE FROM sign_in WHERE account = $1 AND purpose = 'enrolment'"
            ))
            .bind(&enrolling.account)
            .execute(&mut *tx)
            .await?;
            sqlx::query(sql!("INSERT INTO sign_in (ticket, purpose, account, station, challenge, expires, tries, password, totp, card)
             VALUES ($1, 'enrolment', $2, $3, $4, $5, 0, $6, $7, $8)"))
        .bind(digest_of(&ticket).ok_or(CentralError::Random)?)
        .bind(&enrolling.account)
        .bind(&visit.station)
        .bind(&challenge)
        .bind(stored(expires))
        .bind(&password)
        .bind(&sealed)
        .bind(&digest)
        .execute(&mut *tx)
        .await?;
            tx.commit().await?;
            Ok(())
        })?;
        Ok(Enrolled::Confirm {
            ticket: SessionToken(ticket),
            totp: shown,
            challenge,
            expires,
        })
    }

    /// Proves the new second factor, which makes the enrolment whole: the code is used up, and all
    /// sessions of the account end.
    ///
    /// # Errors
    /// [`CentralError::SignIn`] for a wrong proof; [`CentralError::NoSession`] for a ticket that
    /// expired, or was shown with three wrong proofs: begin again with the same code.
    pub async fn confirm_enrolment(
        &self,
        visit: &Visit,
        ticket: &str,
        proof: FactorProof,
    ) -> Result<()> {
        visit.check()?;
        let now = self.now();
        let (begun, own) = retried!(async {
            let mut tx = self.write().await?;
            let begun = Begun::take_try(&mut tx, "enrolment", visit, ticket, now).await?;
            let own = match &proof {
                FactorProof::Card { certificate, .. } => {
                    own_card(&mut tx, certificate, now).await?
                }
                FactorProof::Totp(_) => None,
            };
            tx.commit().await?;
            Ok((begun, own))
        })?;
        let (Some(password), Some(factor)) = (
            begun.password.as_deref(),
            StoredFactor::read(begun.totp.clone(), begun.card.clone())?,
        ) else {
            return Err(CentralError::damaged("an enrolment"));
        };
        let judged = match own {
            Some(why) => Judged::Wrong(why),
            None => {
                self.judge_factor(&begun.account, &factor, None, &begun.challenge, proof, now)
                    .await?
            }
        };
        let step = match judged {
            Judged::Proved(step) => step,
            Judged::Wrong(why) => {
                let deed = deed(&begun.account);
                retried!(self.note_refusal(visit, &deed, why))?;
                return Err(CentralError::SignIn);
            }
        };
        retried!(async {
            let mut tx = self.write().await?;
            if !begun.finish(&mut tx).await? {
                return Err(CentralError::NoSession);
            }
            self.make_whole(
                &mut tx,
                visit,
                &begun.account,
                password,
                Some(&factor),
                step,
            )
            .await?;
            tx.commit().await?;
            Ok(())
        })
    }

    async fn check_code(
        &self,
        visit: &Visit,
        enrolment: &Enrolment,
        now: Timestamp,
    ) -> Result<Enrolling> {
        let judged = retried!(self.try_code(visit, enrolment, now))?;
        let (id, why) = match judged {
            Ok(enrolling) => return Ok(enrolling),
            Err(refused) => refused,
        };
        let deed = deed(id.as_deref().unwrap_or("unknown"));
        tracing::warn!(source = visit.source, why, "an enrolment was refused");
        retried!(self.note_refusal(visit, &deed, why))?;
        Err(CentralError::SignIn)
    }

    /// Counts an attempt and judges its code; one that is refused is told with its account, where
    /// there is one.
    async fn try_code(
        &self,
        visit: &Visit,
        enrolment: &Enrolment,
        now: Timestamp,
    ) -> Result<std::result::Result<Enrolling, (Option<String>, &'static str)>> {
        let name = normal_name(&enrolment.account);
        let mut tx = self.write().await?;
        let row = sqlx::query(sql!(
            "SELECT a.id, a.name, a.locked, c.code, c.code_expires FROM account a
             LEFT JOIN credential c ON c.account = a.id WHERE a.name = $1"
        ))
        .bind(name.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let id: Option<String> = row.as_ref().map(|row| row.get("id"));
        let counted = Counted::begin(&mut tx, visit, id.as_deref(), &name, now).await?;
        let why = match &row {
            None => Some("there is no such account"),
            Some(row) => {
                let known: Option<Vec<u8>> = row.get("code");
                let expires: Option<i64> = row.get("code_expires");
                let fits = known.is_some_and(|known| {
                    bool::from(known.ct_eq(code_digest(&enrolment.code).as_slice()))
                });
                if row.get::<Option<i64>, _>("locked").is_some() {
                    Some("the account is locked")
                } else if !fits {
                    Some("the enrolment code is wrong, or was used")
                } else if expires.map(moment).transpose()?.is_none_or(|at| at <= now) {
                    Some("the enrolment code has expired")
                } else {
                    None
                }
            }
        };
        if why.is_none() {
            counted.was_right(&mut tx).await?;
        }
        let (None, Some(row)) = (why, row) else {
            tx.commit().await?;
            return Ok(Err((id, why.unwrap_or("there is no such account"))));
        };
        let account: String = row.get("id");
        let roles = roles_of(&mut tx, &account).await?;
        tx.commit().await?;
        Ok(Ok(Enrolling {
            account,
            name: row.get("name"),
            needs_factor: roles.iter().any(|role| needs_second_factor(*role)),
            code: row.get("code"),
        }))
    }

    /// Puts the new credentials in the place of the old ones.
    async fn make_whole(
        &self,
        tx: &mut Write,
        visit: &Visit,
        account: &str,
        password: &str,
        factor: Option<&StoredFactor>,
        step: Option<i64>,
    ) -> Result<()> {
        let now = self.now();
        let (totp, card) = match factor {
            None => (None, None),
            Some(StoredFactor::Totp(sealed)) => (Some(sealed), None),
            Some(StoredFactor::Card(digest)) => (None, Some(digest)),
        };
        // The code may have been used, or replaced, since it was looked at.
        let done = sqlx::query(sql!("UPDATE credential SET password = $1, password_set = $2, totp = $3, totp_step = $4, card = $5, code = NULL, code_expires = NULL
             WHERE account = $6 AND code IS NOT NULL AND code_expires > $2"))
        .bind(password)
        .bind(stored(now))
        .bind(totp)
        .bind(step)
        .bind(card)
        .bind(account)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(CentralError::SignIn);
        }
        let ended = end_all(tx, account, now).await?;
        forget_sources(tx, account).await?;
        let name: String = sqlx::query_scalar(sql!("SELECT name FROM account WHERE id = $1"))
            .bind(account)
            .fetch_one(&mut **tx)
            .await?;
        let kind = factor.map_or("none", |factor| factor.kind().name());
        let deed = deed(account).with("factor", kind).with("sessions", ended);
        self.scribe()
            .write(tx, Some(&visit.actor(&name)), &deed, Outcome::Done, None)
            .await
    }
}

fn deed(account: &str) -> Deed {
    Deed::new(
        "account.enrolled",
        Control::AUTHENTICATION_INFORMATION,
        "account",
        format!("person/{account}"),
    )
}

/// Demands that the code with which an enrolment was begun was neither used nor replaced since.
async fn still_good(tx: &mut Connection, enrolling: &Enrolling) -> Result<()> {
    let code: Option<Vec<u8>> =
        sqlx::query_scalar(sql!("SELECT code FROM credential WHERE account = $1"))
            .bind(&enrolling.account)
            .fetch_optional(tx)
            .await?
            .flatten();
    match code.is_some_and(|code| code == enrolling.code) {
        true => Ok(()),
        false => Err(CentralError::SignIn),
    }
}

/// Returns what is stored of a code, however it was typed.
pub(crate) fn code_digest(code: &str) -> Vec<u8> {
    let typed: Zeroizing<String> = Zeroizing::new(
        code.chars()
            .filter(char::is_ascii_alphanumeric)
            .take(64)
            .map(|letter| letter.to_ascii_uppercase())
            .collect(),
    );
    Sha256::digest(typed.as_bytes()).to_vec()
}
