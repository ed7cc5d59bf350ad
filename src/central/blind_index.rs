//! Finding people among what is encrypted: by digests of what is looked for, which nobody makes
//! without the token.
//!
//! ```text
//!   field, value as it is compared ─► AES-CMAC under a key of the token ─► 16 bytes in blind_index
//! ```
//!
//! A digest says nothing of its value, but whoever may use the key finds out whether a value that
//! they know is there: that is what search is. The key never leaves the token, unlike one for HMAC
//! that the host would have to hold: personal codes are few enough to be all tried.

use api::Actor;
use audit::Control;
use document::life_cycle::{ApplicationState, DocumentState};
use document::{Act, Holder, Kind, PersonalCode, application_is_over, transliterate};
use hsm::{HsmError, Token};
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Row};
use zeroize::Zeroizing;

use crate::accounts::authorise;
use crate::cells::bound;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result};
use crate::many_rows::{runs, tuples};
use crate::scribe::Deed;
use crate::statements::{assembled, sql};

/// The most applications that one search shows.
pub(crate) const MOST_FOUND: usize = 100;

/// The longest text that is looked for, in bytes.
const LONGEST: usize = 256;

/// The fields of the index.
mod field {
    pub(super) const CODE: &str = "personal-code";
    pub(super) const NAME: &str = "name";
    pub(super) const SURNAME: &str = "surname";
    pub(super) const BIRTH: &str = "birth-date";
}

/// Whom to look for: all that is given must fit.
#[derive(Clone, Default)]
pub struct PersonQuery {
    /// The personal code, with its hyphen or without.
    pub code: Option<String>,
    /// All names, in any order; case and marks do not matter.
    pub name: Option<String>,
    /// The surname alone.
    pub surname: Option<String>,
    /// The date of birth. It narrows another search, and is none alone.
    pub birth_date: Option<Date>,
}

/// An application of somebody who was looked for, without what it says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundApplication {
    /// Its reference.
    pub application: String,
    /// The kind of document.
    pub kind: Kind,
    /// Its state.
    pub state: ApplicationState,
    /// The number of its document, where it has one.
    pub number: Option<String>,
    /// The state of its document, where there is one.
    pub document: Option<DocumentState>,
}

/// A field and a value as it is compared.
type Entry = (&'static str, Zeroizing<String>);

/// A field and the digest of its value.
pub(crate) type Digest = (&'static str, [u8; 16]);

impl PersonQuery {
    fn entries(&self) -> Result<Vec<Entry>> {
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > LONGEST);
        if [&self.code, &self.name, &self.surname]
            .into_iter()
            .any(too_long)
        {
            return Err(CentralError::invalid(format!(
                "what is looked for has at most {LONGEST} bytes"
            )));
        }
        let mut entries = Vec::new();
        if let Some(code) = &self.code {
            // The fault is told without the code.
            let code = PersonalCode::parse(code)
                .map_err(|error| CentralError::invalid(format!("the personal code: {error}")))?;
            entries.push((field::CODE, Zeroizing::new(code.digits())));
        }
        if let Some(name) = &self.name {
            entries.push((field::NAME, compared(&[name])));
        }
        if let Some(surname) = &self.surname {
            entries.push((field::SURNAME, compared(&[surname])));
        }
        if entries.iter().any(|(_, value)| value.is_empty()) {
            return Err(CentralError::invalid("a name has letters"));
        }
        if entries.is_empty() {
            return Err(CentralError::invalid(
                "look for a personal code, a name or a surname; a date of birth narrows it",
            ));
        }
        let birth = self.birth_date.map(|date| Zeroizing::new(date.to_string()));
        entries.extend(birth.map(|date| (field::BIRTH, date)));
        Ok(entries)
    }
}

impl Central {
    /// Finds the applications of a person. Whoever looked, and for which fields, is in the log; what
    /// they looked for is there as a digest that only the token makes.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see applications, and where more than a hundred
    /// fit; [`CentralError::Invalid`] where nothing is looked for.
    pub async fn search(
        &self,
        actor: &Actor,
        query: &PersonQuery,
    ) -> Result<Vec<FoundApplication>> {
        let deed = Deed::new(
            "application.searched",
            Control::PERSONAL_DATA,
            "application",
            "search",
        );
        let result = retried!(self.try_search(actor, &deed, query));
        self.settle(actor, &deed, result).await
    }

    async fn try_search(
        &self,
        actor: &Actor,
        deed: &Deed,
        query: &PersonQuery,
    ) -> Result<Vec<FoundApplication>> {
        let entries = query.entries()?;
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ViewApplication).await?;
        let digests = self.digests(&entries).await?;
        let mut statement = sqlx::query(AssertSqlSafe(search(digests.len())));
        for (field, digest) in &digests {
            statement = statement.bind(*field).bind(&digest[..]);
        }
        let rows = statement.fetch_all(&mut *tx).await?;
        if rows.len() > MOST_FOUND {
            return Err(CentralError::refused(format!(
                "more than {MOST_FOUND} applications fit; narrow it by a date of birth"
            )));
        }
        let found: Vec<_> = rows.iter().map(found).collect::<Result<_>>()?;
        let fields: Vec<_> = digests.iter().map(|(field, _)| *field).collect();
        let deed = deed
            .clone()
            .with("fields", fields.join(" "))
            .with("digest", self.search_digest(&entries).await?)
            .with("found", found.len());
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Returns what the log has of a search: the same for the same, and in no row of the index.
    async fn search_digest(&self, entries: &[Entry]) -> Result<String> {
        let mut all = Zeroizing::new(bound(["zimogs search 1"]));
        for (field, value) in entries {
            all.extend(Zeroizing::new(bound([*field, value.as_str()])).iter());
        }
        let label = self.protection().index.clone();
        let digest = self
            .protection()
            .blocking(move |token| token.keyed_digest(&label, &all))
            .await?;
        Ok(hex::encode(digest))
    }

    /// Puts a holder into the index.
    pub(crate) async fn index_holder(
        &self,
        tx: &mut Connection,
        reference: &str,
        holder: &Holder,
    ) -> Result<()> {
        let work = self.holder_digests(holder);
        let digests = self.protection().blocking(work).await?;
        store_digests(tx, reference, &digests).await
    }

    /// Returns the token's work that makes the digests of a holder.
    pub(crate) fn holder_digests(
        &self,
        holder: &Holder,
    ) -> impl FnOnce(&Token) -> std::result::Result<Vec<Digest>, HsmError> + Send + 'static + use<>
    {
        let (surname, given) = (holder.surname.as_str(), holder.given_names.as_str());
        let entries = [
            (field::CODE, Zeroizing::new(holder.personal_code.digits())),
            (field::NAME, compared(&[surname, given])),
            (field::SURNAME, compared(&[surname])),
            (field::BIRTH, Zeroizing::new(holder.birth_date.to_string())),
        ];
        self.digest_work(&entries)
    }

    async fn digests(&self, entries: &[Entry]) -> Result<Vec<Digest>> {
        self.protection().blocking(self.digest_work(entries)).await
    }

    /// Returns the token's work that makes the digests of entries.
    fn digest_work(
        &self,
        entries: &[Entry],
    ) -> impl FnOnce(&Token) -> std::result::Result<Vec<Digest>, HsmError> + Send + 'static + use<>
    {
        let label = self.protection().index.clone();
        let inputs: Vec<_> = entries
            .iter()
            .map(|(field, value)| {
                let input = Zeroizing::new(bound(["zimogs index 1", *field, value.as_str()]));
                (*field, input)
            })
            .collect();
        move |token| {
            let digest = |(field, input): &(&'static str, Zeroizing<Vec<u8>>)| {
                Ok((*field, token.keyed_digest(&label, input)?))
            };
            inputs.iter().map(digest).collect()
        }
    }
}

/// Returns the search for applications that fit so many entries.
fn search(entries: usize) -> String {
    let conditions: Vec<_> = (0..entries)
        .map(|at| {
            let (field, digest) = (2 * at + 1, 2 * at + 2);
            format!("EXISTS (SELECT 1 FROM blind_index i WHERE i.application = a.reference AND i.field = ${field} AND i.digest = ${digest})")
        })
        .collect();
    // The first is what the index is asked for; the others narrow it.
    format!(
        "SELECT a.reference, a.kind, a.state, d.number, d.state AS document FROM application a
         LEFT JOIN document d ON d.application = a.reference
         WHERE a.reference IN (SELECT application FROM blind_index WHERE field = $1 AND digest = $2) AND {}
         ORDER BY a.entered DESC, a.reference LIMIT {}",
        conditions.join(" AND "),
        MOST_FOUND + 1
    )
}

fn new_digests(digests: usize) -> String {
    format!(
        "INSERT INTO blind_index (application, field, digest) VALUES {} ON CONFLICT DO NOTHING",
        tuples(digests, 3)
    )
}

assembled!(search => |_| vec![search(1), search(2)]);
assembled!(new_digests => |_| vec![new_digests(1), new_digests(2)]);

/// Writes digests of an application's holder into the index.
pub(crate) async fn store_digests(
    tx: &mut Connection,
    reference: &str,
    digests: &[Digest],
) -> Result<()> {
    for run in runs(digests) {
        let mut statement = sqlx::query(AssertSqlSafe(new_digests(run.len())));
        for (field, digest) in run {
            statement = statement.bind(reference).bind(*field).bind(&digest[..]);
        }
        statement.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Returns the references of the applications of the person with this code for a document of this
/// kind that are not over: received, approved or in production. In the order in which they came.
///
/// # Errors
/// The token's failures, and the database's.
pub(crate) async fn in_work(
    tx: &mut Connection,
    central: &Central,
    personal_code: &PersonalCode,
    kind: Kind,
) -> Result<Vec<String>> {
    let code = (field::CODE, Zeroizing::new(personal_code.digits()));
    let digests = central.digests(&[code]).await?;
    let Some((field, digest)) = digests.first() else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query(sql!("SELECT a.reference, a.state FROM blind_index i JOIN application a ON a.reference = i.application
         WHERE i.field = $1 AND i.digest = $2 AND a.kind = $3 ORDER BY a.entered, a.reference"))
    .bind(*field)
    .bind(&digest[..])
    .bind(kind.name())
    .fetch_all(tx)
    .await?;
    let mut references = Vec::new();
    for row in &rows {
        let state: String = row.get("state");
        let state: ApplicationState = parsed("an application's state", &state)?;
        if !application_is_over(state) {
            references.push(row.get("reference"));
        }
    }
    Ok(references)
}

/// Takes an application out of the index.
pub(crate) async fn forget(tx: &mut Connection, reference: &str) -> Result<()> {
    sqlx::query(sql!("DELETE FROM blind_index WHERE application = $1"))
        .bind(reference)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns names as they are compared: words in capitals without marks, in the order of the
/// alphabet, each once.
fn compared(names: &[&str]) -> Zeroizing<String> {
    let mut words: Vec<Zeroizing<String>> = names
        .iter()
        .flat_map(|name| name.split(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(|word| Zeroizing::new(transliterate(word).unwrap_or_else(|| word.to_uppercase())))
        .collect();
    words.sort_by(|one, other| one.as_str().cmp(other));
    words.dedup_by(|one, other| one.as_str() == other.as_str());
    let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
    Zeroizing::new(words.join(" "))
}

fn found(row: &DbRow) -> Result<FoundApplication> {
    let text = |column| row.get::<String, _>(column);
    let document: Option<String> = row.get("document");
    Ok(FoundApplication {
        application: text("reference"),
        kind: parsed("a document's kind", &text("kind"))?,
        state: parsed("an application's state", &text("state"))?,
        number: row.get("number"),
        document: document
            .map(|state| parsed("a document's state", &state))
            .transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_order_case_and_marks() {
        let one = compared(&["Bērziņš-Kalniņš", "Jānis Ādams"]);
        assert_eq!(*one, "ADAMS BERZINS JANIS KALNINS");
        assert_eq!(one, compared(&["janis adams kalnins BERZINS"]));
        assert_ne!(one, compared(&["Jānis Bērziņš"]));
        assert!(compared(&["-", " ' "]).is_empty());
    }

    #[test]
    fn something_is_looked_for() {
        let query = |code: Option<&str>, name: Option<&str>| PersonQuery {
            code: code.map(str::to_owned),
            name: name.map(str::to_owned),
            ..PersonQuery::default()
        };
        assert!(query(None, None).entries().is_err());
        assert!(query(None, Some("--")).entries().is_err());
        assert!(query(None, Some(&"a".repeat(257))).entries().is_err());
        let wrong = query(Some("990199-99999"), None).entries().unwrap_err();
        assert!(!wrong.to_string().contains("99999"));
        let entries = query(Some("120190-12347"), Some("Anna")).entries().unwrap();
        assert_eq!(entries.len(), 2);
        let birth = PersonQuery {
            birth_date: Some(jiff::civil::date(1990, 1, 12)),
            ..PersonQuery::default()
        };
        assert!(birth.entries().is_err());
    }
}
