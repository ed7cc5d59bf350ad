//! What an administrator does with accounts.

use std::fmt;

use api::Actor;
use audit::Control;
use document::{Act, Role, compatible, needs_second_factor};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::accounts::{Person, authorise, insert_roles, roles_of};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::base32;
use crate::people::enrolment::code_digest;
use crate::people::factor::{SecondFactor, StoredFactor};
use crate::people::lock_out::unlock;
use crate::people::session::end_all;
use crate::people::token::random;
use crate::scribe::Deed;
use crate::statements::sql;

/// How long an enrolment code holds.
const CODE_HOLDS: SignedDuration = SignedDuration::from_hours(72);

/// An enrolment code: 100 random bits, shown once to the administrator who hands it over.
#[derive(Clone)]
pub struct EnrolmentCode {
    /// Four groups of five letters and digits.
    pub code: Zeroizing<String>,
    /// Until when it holds.
    pub expires: Timestamp,
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(…)")
    }
}

/// An account as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDetails {
    /// Its identity, as the audit log knows it.
    pub id: String,
    /// The name.
    pub name: String,
    /// The roles.
    pub roles: Vec<Role>,
    /// When it was added.
    pub added: Timestamp,
    /// Since when an administrator has it locked.
    pub locked: Option<Timestamp>,
    /// When its password was set; none before the enrolment.
    pub password_set: Option<Timestamp>,
    /// Its second factor.
    pub factor: Option<SecondFactor>,
    /// Whether its roles need one.
    pub needs_factor: bool,
    /// Until when an enrolment code holds that was not used yet.
    pub code_expires: Option<Timestamp>,
}

/// Checks that one person may have these roles together.
pub(crate) fn check_roles(roles: &[Role]) -> Result<()> {
    if roles.is_empty() {
        return Err(CentralError::invalid("an account needs at least one role"));
    }
    for one in roles {
        if let Some(other) = roles.iter().find(|other| !compatible(*one, **other)) {
            return Err(CentralError::refused(format!(
                "one person must not be both {one} and {other}"
            )));
        }
    }
    Ok(())
}

fn deed(action: &'static str, person: Option<&Person>) -> Deed {
    let id = person.map_or("unknown", |person| &person.id);
    Deed::new(
        action,
        Control::ACCESS_RIGHTS,
        "account",
        format!("person/{id}"),
    )
}

impl Central {
    /// Issues a one-time code by which a person sets password and second factor. An older code
    /// of the account does not serve any more; its password does until the new one is set.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, and for one's own account:
    /// another administrator issues that one; [`CentralError::NotFound`].
    pub async fn issue_code(&self, actor: &Actor, name: &str) -> Result<EnrolmentCode> {
        let person = self.find_person(name).await?;
        let deed = deed("account.code-issued", person.as_ref());
        let result = retried!(self.try_issue_code(actor, &deed, name));
        self.settle(actor, &deed, result).await
    }

    async fn try_issue_code(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
    ) -> Result<EnrolmentCode> {
        let letters = base32::encode(&random::<13>()?[..]);
        let groups: Vec<&str> = [0, 5, 10, 15]
            .iter()
            .filter_map(|start| letters.get(*start..start + 5))
            .collect();
        let code = Zeroizing::new(groups.join("-"));
        let mut tx = self.write().await?;
        let administrator = authorise(&mut tx, actor, Act::ManagePeople).await?;
        let person = Person::named(&mut tx, name).await?;
        let enrolled: Option<Option<String>> =
            sqlx::query_scalar(sql!("SELECT password FROM credential WHERE account = $1"))
                .bind(&person.id)
                .fetch_optional(&mut *tx)
                .await?;
        // The first administrator has nobody else; later a code for oneself would make a stolen
        // session a lasting one.
        if administrator.id == person.id && enrolled.flatten().is_some() {
            return Err(CentralError::refused(
                "nobody issues a code for their own account; another administrator does",
            ));
        }
        let expires = self.now() + CODE_HOLDS;
        sqlx::query(sql!("INSERT INTO credential (account, code, code_expires) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE SET code = excluded.code, code_expires = excluded.code_expires"))
        .bind(&person.id)
        .bind(code_digest(&code))
        .bind(stored(expires))
        .execute(&mut *tx)
        .await?;
        // An enrolment that was begun with the older code is not finished with this one.
        sqlx::query(sql!(
            "DELETE FROM sign_in WHERE account = $1 AND purpose = 'enrolment'"
        ))
        .bind(&person.id)
        .execute(&mut *tx)
        .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(EnrolmentCode { code, expires })
    }

    /// Gives an account other roles. All its sessions end.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, for roles that one person
    /// must not hold together, and for one's own account; [`CentralError::Invalid`] for none;
    /// [`CentralError::NotFound`].
    pub async fn set_roles(&self, actor: &Actor, name: &str, roles: &[Role]) -> Result<()> {
        let listed: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let person = self.find_person(name).await?;
        let deed = deed("account.roles-set", person.as_ref()).with("roles", listed.join(" "));
        let result = retried!(self.try_set_roles(actor, &deed, name, roles));
        self.settle(actor, &deed, result).await
    }

    async fn try_set_roles(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        roles: &[Role],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let person = self.of_another(&mut tx, actor, name).await?;
        check_roles(roles)?;
        let before = roles_of(&mut tx, &person.id).await?;
        sqlx::query(sql!("DELETE FROM account_role WHERE account = $1"))
            .bind(&person.id)
            .execute(&mut *tx)
            .await?;
        insert_roles(&mut tx, &person.id, roles).await?;
        let ended = end_all(&mut tx, &person.id, self.now()).await?;
        let before: Vec<_> = before.iter().map(|role| role.name()).collect();
        let deed = deed
            .clone()
            .with("before", before.join(" "))
            .with("sessions", ended);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Locks an account: nobody signs in to it, all its sessions end, and nothing is done in its
    /// name.
    ///
    /// # Errors
    /// As [`Central::set_roles`]; [`CentralError::Conflict`] where it is locked already.
    pub async fn lock_account(&self, actor: &Actor, name: &str, cause: &str) -> Result<()> {
        let person = self.find_person(name).await?;
        let deed = deed("account.locked", person.as_ref());
        let result = retried!(self.try_lock_account(actor, &deed, name, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_lock_account(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = self.of_another(&mut tx, actor, name).await?;
        let done = sqlx::query(sql!(
            "UPDATE account SET locked = $1, lock_cause = $2 WHERE id = $3 AND locked IS NULL"
        ))
        .bind(stored(self.now()))
        .bind(cause)
        .bind(&person.id)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(CentralError::conflict("the account is locked already"));
        }
        let ended = end_all(&mut tx, &person.id, self.now()).await?;
        let deed = deed.clone().with("sessions", ended);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Unlocks an account, and forgets its failed attempts.
    ///
    /// # Errors
    /// As [`Central::set_roles`].
    pub async fn unlock_account(&self, actor: &Actor, name: &str) -> Result<()> {
        let person = self.find_person(name).await?;
        let deed = deed("account.unlocked", person.as_ref());
        let result = retried!(self.try_unlock(actor, &deed, name));
        self.settle(actor, &deed, result).await
    }

    async fn try_unlock(&self, actor: &Actor, deed: &Deed, name: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let person = self.of_another(&mut tx, actor, name).await?;
        sqlx::query(sql!(
            "UPDATE account SET locked = NULL, lock_cause = NULL WHERE id = $1"
        ))
        .bind(&person.id)
        .execute(&mut *tx)
        .await?;
        unlock(&mut tx, &person.id).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns an account.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::NotFound`].
    pub async fn account(&self, actor: &Actor, name: &str) -> Result<AccountDetails> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        let person = Person::named(&mut tx, name).await?;
        details(&mut tx, &person.id).await
    }

    /// Returns up to `limit` accounts whose names come after `after`, by name.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator.
    pub async fn accounts_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AccountDetails>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        let ids: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT id FROM account WHERE name > $1 ORDER BY name LIMIT $2"
        ))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut accounts = Vec::new();
        for id in ids {
            accounts.push(details(&mut tx, &id).await?);
        }
        Ok(accounts)
    }

    async fn find_person(&self, name: &str) -> Result<Option<Person>> {
        match Person::named(&mut *self.read().await?, name).await {
            Ok(person) => Ok(Some(person)),
            Err(CentralError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Finds an account that an administrator may change: not their own, so that somebody is
    /// always left who gives rights.
    async fn of_another(&self, tx: &mut Write, actor: &Actor, name: &str) -> Result<Person> {
        let administrator = authorise(tx, actor, Act::ManagePeople).await?;
        let person = Person::named(tx, name).await?;
        if administrator.id == person.id {
            return Err(CentralError::refused(
                "nobody changes their own account; another administrator does",
            ));
        }
        Ok(person)
    }
}

/// Loads an account.
pub(crate) async fn details(tx: &mut Connection, id: &str) -> Result<AccountDetails> {
    let row = sqlx::query(sql!(
        "SELECT a.id, a.name, a.added, a.locked, c.password_set, c.totp, c.card, c.code_expires
         FROM account a LEFT JOIN credential c ON c.account = a.id WHERE a.id = $1"
    ))
    .bind(id)
    .fetch_one(&mut *tx)
    .await?;
    let roles = roles_of(tx, id).await?;
    let at = |column| {
        let at: Option<i64> = row.get(column);
        at.map(moment).transpose()
    };
    Ok(AccountDetails {
        id: row.get("id"),
        name: row.get("name"),
        needs_factor: roles.iter().any(|role| needs_second_factor(*role)),
        roles,
        added: moment(row.get("added"))?,
        locked: at("locked")?,
        password_set: at("password_set")?,
        factor: StoredFactor::read(row.get("totp"), row.get("card"))?.map(|factor| factor.kind()),
        code_expires: at("code_expires")?,
    })
}
