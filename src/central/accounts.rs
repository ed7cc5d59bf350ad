//! Accounts: who there is, what they are there for, and whether they may.
//!
//! Here an account's name is believed; that it is the person is proved in [`crate::people`].

use api::Actor;
use audit::Control;
use document::{Act, Role, four_eyes, may};
use sqlx::Row;
use uuid::Uuid;

use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, parsed, stored};
use crate::error::{CentralError, Result};
use crate::expected;
use crate::people::check_roles;
use crate::scribe::Deed;
use crate::second_persons::Presence;
use crate::statements::sql;

/// The longest name of an account or a station.
const MAX_NAME: usize = 64;

/// How the name of a source's account begins. No person's name has a slash.
pub(crate) const SOURCE: &str = "source/";

/// A person who may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name, in lower case.
    pub name: String,
    /// The roles.
    pub roles: Vec<Role>,
}

/// A person whose right to the act at hand was judged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    /// The account's identity: how tables and the audit log know the person.
    pub(crate) id: String,
    /// The account's name.
    pub(crate) name: String,
}

impl Person {
    /// Finds a person who is a witness of the act at hand: by the account's name, whatever their
    /// rights, unless it is locked. Over the interface they have confirmed it.
    pub(crate) async fn witness(
        tx: &mut Connection,
        presence: &Presence,
        name: &str,
    ) -> Result<Self> {
        let person = Self::unlocked(tx, name).await?;
        presence.attends(tx, &person).await?;
        Ok(person)
    }

    /// Finds a person who can be a witness: by the account's name, whatever their rights, unless it
    /// is locked.
    pub(crate) async fn unlocked(tx: &mut Connection, name: &str) -> Result<Self> {
        let person = Self::named(tx, name).await?;
        let locked: Option<i64> =
            sqlx::query_scalar(sql!("SELECT locked FROM account WHERE id = $1"))
                .bind(&person.id)
                .fetch_one(tx)
                .await?;
        match locked {
            None => Ok(person),
            Some(_) => Err(CentralError::refused(
                "the account of the witness is locked; name another person",
            )),
        }
    }

    /// Finds a person by the account's name, whatever their rights.
    pub(crate) async fn named(tx: &mut Connection, name: &str) -> Result<Self> {
        let name = name.to_lowercase();
        let id: Option<String> = sqlx::query_scalar(sql!("SELECT id FROM account WHERE name = $1"))
            .bind(&name)
            .fetch_optional(tx)
            .await?;
        match id {
            Some(id) => Ok(Self { id, name }),
            None => Err(CentralError::NotFound {
                what: "account of this name".into(),
            }),
        }
    }
}

/// Demands that an account can have this name.
///
/// # Errors
/// [`CentralError::Invalid`] for one that none can have.
pub fn check_account_name(name: &str) -> Result<()> {
    check_name("an account", &name.to_lowercase())
}

impl Central {
    /// Tells whether there is any account yet: without one, nobody may do anything.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn has_accounts(&self) -> Result<bool> {
        let mut tx = self.read().await?;
        let accounts: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM account"))
            .fetch_one(&mut *tx)
            .await?;
        Ok(accounts > 0)
    }

    /// Makes the very first account: an administrator, who then adds the others.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] once there is any account; [`CentralError::Invalid`] for a name
    /// that no account can have.
    pub async fn found(&self, administrator: &Actor) -> Result<()> {
        let deed = Deed::new(
            "account.founded",
            Control::PRIVILEGED_ACCESS,
            "installation",
            "central",
        );
        let result = retried!(self.try_found(administrator, &deed));
        self.settle(administrator, &deed, result).await
    }

    async fn try_found(&self, administrator: &Actor, deed: &Deed) -> Result<()> {
        check_name("a station", &administrator.station)?;
        let mut tx = self.write().await?;
        let accounts: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM account"))
            .fetch_one(&mut *tx)
            .await?;
        if accounts > 0 {
            return Err(CentralError::conflict(
                "there are accounts already; an administrator adds more",
            ));
        }
        self.insert_account(&mut tx, &administrator.person, &[Role::Administrator])
            .await?;
        self.record(&mut tx, Some(administrator), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds a person with roles.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, and for roles that one
    /// person must not hold together; [`CentralError::Conflict`] for a name that is taken;
    /// [`CentralError::Invalid`] for one that no account can have.
    pub async fn add_account(&self, actor: &Actor, name: &str, roles: &[Role]) -> Result<()> {
        let listed: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let deed = Deed::new("account.added", Control::ACCESS_RIGHTS, "account", "new")
            .with("roles", listed.join(" "));
        let result = retried!(self.try_add_account(actor, &deed, name, roles));
        self.settle(actor, &deed, result).await
    }

    async fn try_add_account(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &str,
        roles: &[Role],
    ) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        check_roles(roles)?;
        let taken: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM account WHERE name = $1"))
            .bind(name.to_lowercase())
            .fetch_one(&mut *tx)
            .await?;
        if taken > 0 {
            return Err(CentralError::conflict(
                "an account of this name is there already",
            ));
        }
        let id = self.insert_account(&mut tx, name, roles).await?;
        let deed = deed.clone().about(format!("person/{id}"));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn insert_account(
        &self,
        tx: &mut Connection,
        name: &str,
        roles: &[Role],
    ) -> Result<String> {
        let name = name.to_lowercase();
        check_name("an account", &name)?;
        let id = Uuid::now_v7().to_string();
        sqlx::query(sql!(
            "INSERT INTO account (id, name, added) VALUES ($1, $2, $3)"
        ))
        .bind(&id)
        .bind(name)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        insert_roles(tx, &id, roles).await?;
        Ok(id)
    }

    /// Returns every account, by name.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator.
    pub async fn accounts(&self, actor: &Actor) -> Result<Vec<Account>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        let rows = sqlx::query(sql!(
            "SELECT name, role FROM account JOIN account_role ON account = id ORDER BY name, role"
        ))
        .fetch_all(&mut *tx)
        .await?;
        let mut accounts: Vec<Account> = Vec::new();
        for row in rows {
            let (name, role): (String, Role) =
                (row.get("name"), parsed("a role", row.get("role"))?);
            match accounts.last_mut().filter(|last| last.name == name) {
                Some(last) => last.roles.push(role),
                None => accounts.push(Account {
                    name,
                    roles: vec![role],
                }),
            }
        }
        Ok(accounts)
    }
}

/// The target of the trace of what is judged.
const JUDGED: &str = "central::judged";

/// Judges whether the actor may do an act, as of now and in this transaction.
pub(crate) async fn authorise(tx: &mut Write, actor: &Actor, act: Act) -> Result<Person> {
    // For tests: what an act judges is what its operation announces.
    tracing::trace!(target: JUDGED, right = act.name());
    check_name("a station", &actor.station)?;
    let name = actor.person.to_lowercase();
    let rows = sqlx::query(sql!(
        "SELECT id, role, locked FROM account JOIN account_role ON account = id WHERE name = $1"
    ))
    .bind(&name)
    .fetch_all(&mut **tx)
    .await?;
    let Some(first) = rows.first() else {
        return Err(CentralError::refused(
            "there is no such account; an administrator can add it",
        ));
    };
    if first.get::<Option<i64>, _>("locked").is_some() {
        return Err(CentralError::refused(
            "the account is locked; an administrator can unlock it",
        ));
    }
    let id: String = first.get("id");
    tx.remember(&name, &id);
    for row in &rows {
        if may(parsed("a role", row.get("role"))?, act) {
            // What the caller saw is compared only for who may see it.
            expected::check(tx).await?;
            return Ok(Person { id, name });
        }
    }
    let able: Vec<_> = Role::ALL
        .iter()
        .filter(|role| may(**role, act))
        .map(|role| role.name())
        .collect();
    Err(CentralError::refused(format!(
        "the right to {act} is with: {}",
        able.join(", ")
    )))
}

/// Returns the roles of an account.
pub(crate) async fn roles_of(tx: &mut Connection, id: &str) -> Result<Vec<Role>> {
    let roles: Vec<String> = sqlx::query_scalar(sql!(
        "SELECT role FROM account_role WHERE account = $1 ORDER BY role"
    ))
    .bind(id)
    .fetch_all(tx)
    .await?;
    roles.iter().map(|role| parsed("a role", role)).collect()
}

/// Gives an account roles.
pub(crate) async fn insert_roles(tx: &mut Connection, id: &str, roles: &[Role]) -> Result<()> {
    for role in roles {
        sqlx::query(sql!(
            "INSERT INTO account_role (account, role) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        ))
        .bind(id)
        .bind(role.name())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Finds the second person that an act wants beside the one who acts.
pub(crate) async fn second_person(
    tx: &mut Connection,
    presence: &Presence,
    person: &Person,
    witness: &str,
) -> Result<Person> {
    let witness = Person::witness(tx, presence, witness).await?;
    four_eyes(&person.name, &witness.name)
        .map_err(|_| CentralError::refused("this takes two persons; name another one"))?;
    Ok(witness)
}

/// Returns how the audit log knows an account.
pub(crate) async fn known_as(tx: &mut Write, person: &str) -> Result<String> {
    // A source is no person, and its name no secret.
    if person.starts_with(SOURCE) {
        return Ok(person.to_owned());
    }
    let name = person.to_lowercase();
    if let Some(id) = tx.remembered(&name) {
        return Ok(format!("person/{id}"));
    }
    let id: Option<String> = sqlx::query_scalar(sql!("SELECT id FROM account WHERE name = $1"))
        .bind(&name)
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(id) = &id {
        tx.remember(&name, id);
    }
    Ok(format!("person/{}", id.as_deref().unwrap_or("unknown")))
}

/// Returns an account's name.
pub(crate) async fn name_of(tx: &mut Connection, id: &str) -> Result<String> {
    let name = sqlx::query_scalar(sql!("SELECT name FROM account WHERE id = $1"))
        .bind(id)
        .fetch_optional(tx)
        .await?;
    name.ok_or_else(|| CentralError::damaged("an account that is referred to"))
}

/// Checks the name of an account or a station.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(CentralError::invalid(format!(
            "the name of {what} has 1 to {MAX_NAME} of a-z 0-9 . _ -"
        )))
    }
}
