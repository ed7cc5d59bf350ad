//! Where authorities have certificates, brought to where the books have them: at once after an
//! act, and by a sweep for what was not to be had then.

use std::collections::BTreeSet;
use std::time::Duration;

use api::Actor;
use audit::Control;
use document::life_cycle::{CertificateEvent, CertificateState, RevocationReason};
use document::{Act, four_eyes};
use jiff::{SignedDuration, Timestamp};
use pki::{Answer, AuthorityError, CertificateAuthority, Exchange, Misissued, Status, Verdict};
use sqlx::Row;

use crate::accounts::{Person, authorise};
use crate::applications::check_cause;
use crate::cells::DataKey;
use crate::central::Central;
use crate::certificate_rows::{Ordered, Standing};
use crate::contention::retried;
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::pages::no_place;
use crate::possession::prove_possession;
use crate::scribe::Deed;
use crate::statements::sql;

/// More certificates than a document has.
const BATCH: i64 = 256;

/// How long an act waits for authorities to hear of it.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The longest time between two tries.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many certificates are now where the books have them.
    pub settled: u64,
    /// How many are not: their authority was not to be had, or a person is needed.
    pub left: u64,
}

/// How many certificates the embedded authority issued, by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issued {
    /// On hold.
    pub on_hold: u64,
    /// In use.
    pub good: u64,
    /// Revoked.
    pub revoked: u64,
}

/// A certificate whose authority has it elsewhere than the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// This house's name of the order.
    pub order: String,
    /// The document number that it was ordered under.
    pub number: String,
    /// The key's name in the chip profile.
    pub key: String,
    /// The authority's name.
    pub authority: String,
    /// Its serial number in hexadecimal, if it was issued.
    pub serial: Option<String>,
    /// Where the books have it.
    pub state: CertificateState,
    /// Where the authority has it: `none`, `on-hold`, `good` or `revoked`.
    pub standing: String,
    /// How often the authority was asked in vain.
    pub tries: u32,
    /// When it is asked again.
    pub next_try: Timestamp,
    /// What went wrong last.
    pub trouble: Option<String>,
}

impl Unsettled {
    /// Returns where it stands in the list.
    pub fn place(&self) -> String {
        format!("{} {}", self.next_try.as_millisecond(), self.order)
    }
}

impl Central {
    /// Tells the authorities of everything that they have not taken yet, and asks after what was
    /// given up before they answered: a certificate that nobody holds is revoked. Work that failed
    /// lately waits for its turn.
    ///
    /// # Errors
    /// The database's failures; an authority's are noted with the certificate.
    pub async fn sweep_certificates(&self) -> Result<Swept> {
        self.sweep(self.now()).await
    }

    /// As [`Central::sweep_certificates`], once for each certificate and without waiting for its
    /// turn: for a person who knows that an authority is there again.
    ///
    /// # Errors
    /// As [`Central::sweep_certificates`].
    pub async fn sweep_certificates_now(&self) -> Result<Swept> {
        self.sweep(Timestamp::MAX).await
    }

    /// Settles what is due until then, each once. An authority that is away is not asked again for
    /// the next certificate: it would hold up the others.
    async fn sweep(&self, due: Timestamp) -> Result<Swept> {
        let mut reader = self.read().await?;
        let work = Ordered::unsettled(&mut reader, None, due, i64::MAX).await?;
        reader.commit().await?;
        let (mut swept, mut away) = (Swept::default(), BTreeSet::new());
        for ordered in work {
            if away.contains(&ordered.authority) {
                continue;
            }
            let authority = ordered.authority.clone();
            match self.settle_or_note(ordered).await? {
                true => swept.settled += 1,
                false => {
                    away.insert(authority);
                }
            }
        }
        swept.left = Ordered::count_unsettled(&mut *self.read().await?).await?;
        Ok(swept)
    }

    /// Tells the authorities of what an act changed. What they do not take at once, the sweep will
    /// tell them: the act was done, and whoever did it does not wait for an authority that is away.
    pub(crate) async fn settle_document(&self, document: &str) {
        let settled = async {
            let now = self.now();
            let mut reader = self.read().await?;
            let work = Ordered::unsettled(&mut reader, Some(document), now, BATCH).await?;
            reader.commit().await?;
            for ordered in work {
                self.settle_or_note(ordered).await?;
            }
            Ok::<_, CentralError>(())
        };
        match tokio::time::timeout(AT_ONCE, settled).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = error.chain(), "certificates are left to the sweep");
            }
            Err(_) => tracing::warn!("certificates are left to the sweep: their authority is slow"),
        }
    }

    /// Settles one certificate; what cannot be done for it alone, as for one whose authority is no
    /// more in the installation, holds up no other.
    async fn settle_or_note(&self, ordered: Ordered) -> Result<bool> {
        let mut noted = ordered.clone();
        match self.settle_one(ordered).await {
            Err(
                error @ (CentralError::Database(_)
                | CentralError::Busy { .. }
                | CentralError::Ending),
            ) => Err(error),
            Err(error) => {
                let trouble = AuthorityError::Unanswered {
                    reason: error.chain(),
                };
                self.note_trouble(&mut noted, &trouble).await?;
                Ok(false)
            }
            settled => settled,
        }
    }

    /// Settles one certificate. Returns whether it is settled now; either way it is not asked again
    /// at once.
    async fn settle_one(&self, ordered: Ordered) -> Result<bool> {
        let Some(_turn) = self.turns().take(&ordered.id) else {
            // Whoever has the turn settles it; until then it waits.
            let mut waiting = ordered;
            self.note_trouble(&mut waiting, &busy()).await?;
            return Ok(false);
        };
        let mut tx = self.read().await?;
        let mut ordered = Ordered::load(&mut tx, &ordered.id).await?;
        let key = self.order_key(&mut tx, &ordered).await?;
        tx.commit().await?;
        if ordered.state == CertificateState::InDoubt && !self.ask_after(&mut ordered, &key).await?
        {
            return Ok(false);
        }
        self.move_at_authority(&mut ordered, &key).await
    }

    /// Asks an authority what became of a request that was given up before it answered. Returns
    /// whether that is known now.
    async fn ask_after(&self, ordered: &mut Ordered, key: &DataKey) -> Result<bool> {
        if !ordered.is_sent {
            // The authority never heard of it, and does not now.
            retried!(self.abandon_unsent(ordered))?;
            return Ok(true);
        }
        let authority = self.authorities().get(&ordered.authority)?;
        let order = self.order_again(ordered, key).await?;
        let exchange = ordered.exchange(key)?;
        let answer = authority.submit(&order, &exchange, self.now()).await;
        let event = match answer {
            Ok(Answer::Issued(certificate)) => {
                let judged = pki::judge(&order, &certificate, authority.chain(), self.now());
                if let Err(fault @ Misissued::Key { .. }) = judged {
                    let foreign = AuthorityError::Foreign {
                        reason: fault.to_string(),
                    };
                    self.note_trouble(ordered, &foreign).await?;
                    return Ok(false);
                }
                ordered.take_certificate(self.protection(), key, &certificate)?;
                ordered.standing = match authority.promises().issues_on_hold {
                    true => Standing::OnHold,
                    false => Standing::Good,
                };
                CertificateEvent::Revoke(RevocationReason::Superseded)
            }
            Ok(Answer::Waiting { exchange, .. }) => {
                ordered.take_exchange(self.protection(), key, &exchange)?;
                retried!(self.keep_exchange(ordered))?;
                let waiting = AuthorityError::Unanswered {
                    reason: "it takes its time".into(),
                };
                self.note_trouble(ordered, &waiting).await?;
                return Ok(false);
            }
            Err(error) if error.issued_nothing() => CertificateEvent::Abandon,
            // Of one that is astray, or that its connector does not know, only a person finds out
            // more, by another way.
            Err(error) => {
                self.note_trouble(ordered, &error).await?;
                return Ok(false);
            }
        };
        retried!(self.store_answer(ordered, event))?;
        Ok(true)
    }

    /// Gives up an order of which no authority heard.
    async fn abandon_unsent(&self, ordered: &mut Ordered) -> Result<()> {
        let mut tx = self.write().await?;
        // Another instance may have been quicker.
        *ordered = Ordered::load(&mut tx, &ordered.id).await?;
        ordered.state = advance(ordered.state, CertificateEvent::Abandon)?;
        ordered.store_state(&mut tx, self.now()).await?;
        self.record(&mut tx, None, &ordered.deed("certificate.abandoned"))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores what an authority answered about an order in doubt.
    async fn store_answer(&self, ordered: &mut Ordered, event: CertificateEvent) -> Result<()> {
        let mut tx = self.write().await?;
        let state = Ordered::load(&mut tx, &ordered.id).await?.state;
        ordered.state = advance(state, event)?;
        ordered.store_issued(&mut tx, self.now()).await?;
        let action = match ordered.state {
            CertificateState::Abandoned => "certificate.abandoned",
            _ => "certificate.orphan-found",
        };
        self.record(&mut tx, None, &ordered.deed(action)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes the order of a certificate again, from the books.
    async fn order_again(&self, ordered: &Ordered, key: &DataKey) -> Result<pki::CertificateOrder> {
        let mut tx = self.read().await?;
        let (request, product) = ordered.request(&mut tx, key).await?;
        let document = Document::load(&mut tx, &ordered.document).await?;
        let mut record = self.open_record(&mut tx, &document).await?;
        // The document may have another number by now.
        record.number = ordered
            .number
            .parse()
            .map_err(|_| CentralError::damaged("a document's number"))?;
        let proved = prove_possession(self.chip(&product)?, &ordered.key, &request)?;
        self.certificate_profiles()
            .order(&ordered.profile, &proved, &request, &record)
    }

    /// Brings the authority to where the books have a certificate: accepts or rejects it, puts it
    /// on hold, releases or revokes it. Returns whether it is there.
    pub(crate) async fn move_at_authority(
        &self,
        ordered: &mut Ordered,
        key: &DataKey,
    ) -> Result<bool> {
        let Some((wanted, certificate)) = ordered.wanted().zip(ordered.certificate(key)?) else {
            return Ok(true);
        };
        let exchange = ordered.exchange(key)?;
        let authority = self.authorities().get(&ordered.authority)?;
        let before = (ordered.standing, ordered.is_concluded);
        let moved = self
            .try_move(&*authority, ordered, (&exchange, &certificate), wanted)
            .await;
        if (ordered.standing, ordered.is_concluded) != before {
            retried!(self.store_settled(ordered, before.0))?;
        }
        match moved {
            Ok(()) => Ok(true),
            Err(error) => {
                self.note_trouble(ordered, &error).await?;
                Ok(false)
            }
        }
    }

    /// Stores where an authority has a certificate by now.
    async fn store_settled(&self, ordered: &Ordered, before: Standing) -> Result<()> {
        let mut tx = self.write().await?;
        ordered.store_standing(&mut tx).await?;
        if ordered.standing != before {
            let deed = ordered
                .deed("certificate.settled")
                .with("authority", &ordered.authority);
            self.record(&mut tx, None, &deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn try_move(
        &self,
        authority: &dyn CertificateAuthority,
        ordered: &mut Ordered,
        (exchange, certificate): (&Exchange, &cert::Certificate),
        wanted: Status,
    ) -> Result<(), AuthorityError> {
        let is_wanted = !matches!(wanted, Status::Revoked(_));
        if !ordered.is_concluded {
            let verdict = match is_wanted {
                true => Verdict::Accepted,
                false => Verdict::Rejected,
            };
            match authority
                .conclude(exchange, certificate, verdict, self.now())
                .await
            {
                Ok(()) => {
                    ordered.is_concluded = true;
                    if !is_wanted && authority.promises().withdraws_unconfirmed {
                        ordered.standing = Standing::Revoked;
                    }
                }
                // Whatever the exchange came to: a revocation needs none.
                Err(AuthorityError::Lost { .. } | AuthorityError::Refused { .. }) if !is_wanted => {
                    ordered.is_concluded = true;
                }
                Err(error) => return Err(error),
            }
        }
        if ordered.standing != Standing::of(wanted) {
            authority
                .set_status(certificate, wanted, self.now())
                .await?;
            ordered.standing = Standing::of(wanted);
        }
        Ok(())
    }

    /// Notes that an authority was asked in vain, and when it is asked again: after ever longer
    /// pauses.
    pub(crate) async fn note_trouble(
        &self,
        ordered: &mut Ordered,
        error: &AuthorityError,
    ) -> Result<()> {
        let pause = SignedDuration::from_secs(1_i64 << ordered.tries.clamp(1, 12)).min(LONGEST);
        let next = self.now().checked_add(pause).unwrap_or(Timestamp::MAX);
        tracing::warn!(
            order = ordered.id,
            authority = ordered.authority,
            tries = ordered.tries,
            what = error.kind(),
            "a certificate is not settled with its authority"
        );
        ordered.tries = ordered.tries.saturating_add(1);
        let said = error.to_string();
        retried!(self.keep_trouble(ordered, &said, next))
    }

    async fn keep_trouble(&self, ordered: &Ordered, said: &str, next: Timestamp) -> Result<()> {
        let mut tx = self.write().await?;
        ordered.store_trouble(&mut tx, said, next).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Says that somebody found out by another way what became of a request that its authority
    /// cannot be asked about again, and that nothing usable is left of it: nothing was issued, or
    /// what was is revoked there.
    ///
    /// Two people say it: the witness is another account.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and for one's own witness;
    /// [`CentralError::Conflict`] for one that is not in doubt, or whose authority has not been
    /// asked again yet; [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn clear_doubt(
        &self,
        actor: &Actor,
        order: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new(
            "certificate.doubt-cleared",
            Control::CRYPTOGRAPHY,
            "certificate-order",
            order,
        );
        let result = retried!(self.try_clear(actor, &deed, order, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_clear(
        &self,
        actor: &Actor,
        deed: &Deed,
        order: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ClearCertificate).await?;
        let witness = Person::witness(&mut tx, self.presence(), witness).await?;
        four_eyes(&person.name, &witness.name).map_err(|_| {
            CentralError::refused("two people clear a certificate of doubt; name another person")
        })?;
        let mut ordered =
            Ordered::find(&mut tx, order)
                .await?
                .ok_or_else(|| CentralError::NotFound {
                    what: "certificate on order of this name".into(),
                })?;
        if ordered.state != CertificateState::InDoubt {
            return Err(CentralError::conflict(format!(
                "this certificate is {}, not in doubt",
                ordered.state
            )));
        }
        if ordered.tries == 0 {
            return Err(CentralError::conflict(
                "its authority was not asked again yet; sweep first",
            ));
        }
        ordered.state = advance(ordered.state, CertificateEvent::Abandon)?;
        ordered.store_state(&mut tx, self.now()).await?;
        let deed = deed
            .clone()
            .with("witness", &witness.id)
            .with("document", &ordered.number)
            .with("key", &ordered.key)
            .with("authority", &ordered.authority)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns how many certificates the embedded authority issued, to whomever.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn issued_by_authority(&self, actor: &Actor) -> Result<Issued> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT CASE WHEN status LIKE 'revoked%' THEN 'revoked' ELSE status END AS standing, count(*) AS many
             FROM authority_register GROUP BY standing"))
        .fetch_all(&mut *tx)
        .await?;
        let of = |standing: &str| {
            let row = rows
                .iter()
                .find(|row| row.get::<&str, _>("standing") == standing);
            row.map_or(0, |row| row.get::<i64, _>("many").unsigned_abs())
        };
        Ok(Issued {
            on_hold: of("on-hold"),
            good: of("good"),
            revoked: of("revoked"),
        })
    }

    /// Returns the certificates that are not settled with their authorities, at most `limit` behind this
    /// place: in the order in which their authorities are asked again. One that is asked in vain
    /// meanwhile comes once more.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports; [`CentralError::Invalid`] for what is no
    /// [`Unsettled::place`].
    pub async fn unsettled_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Unsettled>> {
        let (moment, order) = match after.split_once(' ') {
            _ if after.is_empty() => (i64::MIN, ""),
            Some((moment, order)) => (moment.parse().map_err(|_| no_place())?, order),
            None => return Err(no_place()),
        };
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        Ordered::unsettled_after(&mut tx, (moment, order), limit).await
    }
}

fn busy() -> AuthorityError {
    AuthorityError::Unanswered {
        reason: "somebody else is asking just now".into(),
    }
}
