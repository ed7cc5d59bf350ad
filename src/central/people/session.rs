//! Sessions: for how long a sign-in is believed, and where.

use std::fmt;

use api::Actor;
use audit::Control;
use document::{Act, Role};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::accounts::{Person, authorise, roles_of};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::sign_in::Visit;
use crate::people::token::{digest_of, new_token};
use crate::scribe::Deed;
use crate::statements::sql;

/// A session ends when nothing was done in it for so long.
const IDLE: SignedDuration = SignedDuration::from_mins(15);

/// And at the latest after a shift.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// How exactly its last use is written down: not every request writes.
const GRAIN: SignedDuration = SignedDuration::from_secs(30);

/// The most sessions of an account at once; the oldest ends where there are more.
const MOST: usize = 8;

/// How long ended sessions are kept in the table; the audit log keeps them for good.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What lets somebody in until it ends. Shown to whom it is for, never in a log.
#[derive(Clone)]
pub struct SessionToken(pub(crate) Zeroizing<String>);

impl SessionToken {
    /// Shows it to whom it is for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

/// A session that holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its identity, which lets nobody in.
    pub id: String,
    /// Who acts in it, and where.
    pub actor: Actor,
    /// The account's identity, as the audit log knows it.
    pub account: String,
    /// The roles of the account now.
    pub roles: Vec<Role>,
    /// The second factor it was opened with: `none`, `totp` or `card`.
    pub factor: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// Its identity.
    pub id: String,
    /// The account's name.
    pub account: String,
    /// The station it is bound to.
    pub station: Option<String>,
    /// The second factor it was opened with.
    pub factor: String,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was used last, within half a minute.
    pub used: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
}

impl Central {
    /// Opens a session for a person who proved who they are.
    pub(crate) async fn open_session(
        &self,
        tx: &mut Connection,
        person: &Person,
        visit: &Visit,
        factor: &str,
    ) -> Result<(SessionToken, Session)> {
        let now = self.now();
        sqlx::query(sql!("DELETE FROM session WHERE expires < $1"))
            .bind(stored(now - KEPT))
            .execute(&mut *tx)
            .await?;
        let open: Vec<String> = sqlx::query_scalar(sql!("SELECT id FROM session WHERE account = $1 AND ended IS NULL AND expires > $2 AND used > $3 ORDER BY opened DESC, id DESC"))
        .bind(&person.id)
        .bind(stored(now))
        .bind(stored(now - IDLE))
        .fetch_all(&mut *tx)
        .await?;
        for old in open.iter().skip(MOST - 1) {
            sqlx::query(sql!("UPDATE session SET ended = $1 WHERE id = $2"))
                .bind(stored(now))
                .bind(old)
                .execute(&mut *tx)
                .await?;
        }
        let token = new_token()?;
        let digest = digest_of(&token).ok_or(CentralError::Random)?;
        let session = Session {
            id: Uuid::now_v7().to_string(),
            actor: visit.actor(&person.name),
            account: person.id.clone(),
            roles: roles_of(tx, &person.id).await?,
            factor: factor.to_owned(),
            opened: now,
            expires: now + LONGEST,
        };
        sqlx::query(sql!("INSERT INTO session (token, id, account, station, factor, opened, used, expires) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)"))
        .bind(digest)
        .bind(&session.id)
        .bind(&session.account)
        .bind(&visit.station)
        .bind(factor)
        .bind(stored(now))
        .bind(stored(session.expires))
        .execute(tx)
        .await?;
        Ok((SessionToken(token), session))
    }

    /// Returns the session of a token, if it holds here and now.
    ///
    /// A token that is used at another station than it was opened at ends: somebody else has it.
    ///
    /// # Errors
    /// [`CentralError::NoSession`].
    pub async fn session(&self, token: &str, visit: &Visit) -> Result<Session> {
        let digest = digest_of(token).ok_or(CentralError::NoSession)?;
        let now = self.now();
        let mut tx = self.read().await?;
        let row = sqlx::query(sql!("SELECT s.id, s.account, s.station, s.factor, s.opened, s.used, s.expires, s.ended, a.name, a.locked
             FROM session s JOIN account a ON a.id = s.account WHERE s.token = $1"))
        .bind(&digest)
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or(CentralError::NoSession)?;
        let used = moment(row.get("used"))?;
        let holds = row.get::<Option<i64>, _>("ended").is_none()
            && row.get::<Option<i64>, _>("locked").is_none()
            && moment(row.get("expires"))? > now
            && now.duration_since(used) < IDLE;
        if !holds {
            return Err(CentralError::NoSession);
        }
        let name: String = row.get("name");
        let session = Session {
            id: row.get("id"),
            actor: visit.actor(&name),
            account: row.get("account"),
            roles: roles_of(&mut tx, row.get("account")).await?,
            factor: row.get("factor"),
            opened: moment(row.get("opened"))?,
            expires: moment(row.get("expires"))?,
        };
        drop(tx);
        if row.get::<Option<String>, _>("station") != visit.station {
            retried!(self.end_strayed(&session))?;
            return Err(CentralError::NoSession);
        }
        if now.duration_since(used) >= GRAIN {
            retried!(async {
                let mut tx = self.write().await?;
                sqlx::query(sql!(
                    "UPDATE session SET used = $1 WHERE token = $2 AND used < $1"
                ))
                .bind(stored(now))
                .bind(&digest)
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
                Ok(())
            })?;
        }
        Ok(session)
    }

    async fn end_strayed(&self, session: &Session) -> Result<()> {
        let deed =
            about("session.strayed", session).with("why", "its token was shown at another station");
        let mut tx = self.write().await?;
        if end(&mut tx, &session.id, self.now()).await? {
            self.record(&mut tx, Some(&session.actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a session at its person's wish.
    ///
    /// # Errors
    /// The database's failures; one that ended before is no failure.
    pub async fn sign_out(&self, session: &Session) -> Result<()> {
        retried!(async {
            let mut tx = self.write().await?;
            if end(&mut tx, &session.id, self.now()).await? {
                let deed = about("session.ended", session);
                self.record(&mut tx, Some(&session.actor), &deed).await?;
            }
            tx.commit().await?;
            Ok(())
        })
    }

    /// Returns the sessions that hold now, by account and age.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator.
    pub async fn sessions(&self, actor: &Actor) -> Result<Vec<SessionLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        let now = self.now();
        let rows = sqlx::query(sql!("SELECT s.id, a.name, s.station, s.factor, s.opened, s.used, s.expires FROM session s JOIN account a ON a.id = s.account
             WHERE s.ended IS NULL AND s.expires > $1 AND s.used > $2 ORDER BY a.name, s.opened, s.id"))
        .bind(stored(now))
        .bind(stored(now - IDLE))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            Ok(SessionLine {
                id: row.get("id"),
                account: row.get("name"),
                station: row.get("station"),
                factor: row.get("factor"),
                opened: moment(row.get("opened"))?,
                used: moment(row.get("used"))?,
                expires: moment(row.get("expires"))?,
            })
        };
        rows.iter().map(line).collect()
    }

    /// Ends somebody's session.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::NotFound`]
    /// for one that does not hold.
    pub async fn end_session(&self, actor: &Actor, id: &str) -> Result<()> {
        let deed = Deed::new("session.ended", Control::ACCESS_RIGHTS, "session", id);
        let result = retried!(self.try_end_session(actor, &deed, id));
        self.settle(actor, &deed, result).await
    }

    async fn try_end_session(&self, actor: &Actor, deed: &Deed, id: &str) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        if !end(&mut tx, id, self.now()).await? {
            return Err(CentralError::NotFound {
                what: "session of this identity".to_owned(),
            });
        }
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn about(action: &'static str, session: &Session) -> Deed {
    Deed::new(action, Control::AUTHENTICATION, "session", &session.id)
        .with("account", format!("person/{}", session.account))
}

async fn end(tx: &mut Connection, id: &str, now: Timestamp) -> Result<bool> {
    let done = sqlx::query(sql!(
        "UPDATE session SET ended = $1 WHERE id = $2 AND ended IS NULL"
    ))
    .bind(stored(now))
    .bind(id)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of an account, and what was begun of any. Returns how many there were.
pub(crate) async fn end_all(tx: &mut Connection, account: &str, now: Timestamp) -> Result<u64> {
    sqlx::query(sql!("DELETE FROM sign_in WHERE account = $1"))
        .bind(account)
        .execute(&mut *tx)
        .await?;
    let done = sqlx::query(sql!(
        "UPDATE session SET ended = $1 WHERE account = $2 AND ended IS NULL"
    ))
    .bind(stored(now))
    .bind(account)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}
