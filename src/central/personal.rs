//! What is personal of an application and its document: how it is taken apart, sealed and opened.
//!
//! ```text
//!   application ─┬─ names, code, birth, … ─► application.content    identity
//!                └─ images ────────────────► biometric_data.images  biometrics
//!   record ──────┬─ whose, until when ─────► document.record        record
//!                ├─ subjects ──────────────► document.subjects      record
//!                └─ files of its chip ─────► biometric_data.files   biometrics
//!   signed files of one chip ──────────────► signed_lds.files       biometrics
//! ```

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use document::{Application, DataClass, Prepared, Record, Reference};
use jiff::civil::Date;
use sqlx::Row;
use zeroize::Zeroizing;

use crate::application_parts::{join, split};
use crate::cells::{Cell, DataKey};
use crate::central::Central;
use crate::database::Connection;
use crate::documents::{Document, Subjects};
use crate::error::{CentralError, Result};
use crate::protection::{erased, open};
use crate::statements::sql;

/// A record with its subjects, as the columns of a document take them.
pub(crate) struct SealedRecord {
    pub(crate) record: String,
    pub(crate) subjects: String,
}

/// An application as it is stored.
pub(crate) struct SealedApplication {
    /// Empty once it was erased.
    pub(crate) content: Vec<u8>,
    /// None once they were erased.
    pub(crate) images: Option<Vec<u8>>,
}

/// The classes of data that a whole application has.
const WHOLE: [DataClass; 2] = [DataClass::Identity, DataClass::Biometrics];

impl SealedApplication {
    /// Opens it whole, JSON with its images, under the keys of its [`WHOLE`].
    fn open(
        &self,
        reference: &str,
        [of_identity, of_images]: &[DataKey; 2],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let images = self.images.as_ref();
        let images = images.ok_or_else(|| erased(DataClass::Biometrics))?;
        let identity = open(of_identity, &content_cell(reference), &self.content)?;
        let images = open(of_images, &biometric_cell(reference, "images"), images)?;
        Ok(join(&identity, &images))
    }
}

/// Judges an application, JSON, as of a day.
fn judged(whole: &[u8], day: Date) -> Result<Application> {
    Application::parse(whole, day).map_err(|faults| CentralError::Application { faults })
}

/// Returns the place of an application's content.
pub(crate) fn content_cell(reference: &str) -> Cell<'_> {
    Cell {
        class: DataClass::Identity,
        subject: reference,
        table: "application",
        column: "content",
        row: reference,
    }
}

/// Returns the place of an application's images, or of the files of its document's chip.
pub(crate) fn biometric_cell<'a>(reference: &'a str, column: &'static str) -> Cell<'a> {
    Cell {
        class: DataClass::Biometrics,
        subject: reference,
        table: "biometric_data",
        column,
        row: reference,
    }
}

/// Returns the place of a column of a document.
pub(crate) fn document_cell<'a>(
    application: &'a str,
    document: &'a str,
    column: &'static str,
) -> Cell<'a> {
    Cell {
        class: DataClass::Record,
        subject: application,
        table: "document",
        column,
        row: document,
    }
}

/// Returns the place of the signed files of a chip; the row is `LEASE/CHIP`.
pub(crate) fn signed_cell<'a>(application: &'a str, row: &'a str) -> Cell<'a> {
    Cell {
        class: DataClass::Biometrics,
        subject: application,
        table: "signed_lds",
        column: "files",
        row,
    }
}

impl Central {
    /// Seals an application that came in: what `application.content` holds of it, and what
    /// `biometric_data.images` does. `keys` are those of its identity and of its biometrics.
    pub(crate) fn seal_application(
        &self,
        reference: &str,
        content: &[u8],
        [of_identity, of_images]: [&DataKey; 2],
    ) -> Result<SealedApplication> {
        let (identity, images) =
            split(content).ok_or_else(|| CentralError::damaged("an application"))?;
        let protection = self.protection();
        let content = protection.seal(of_identity, &content_cell(reference), &identity)?;
        let images = protection.seal(of_images, &biometric_cell(reference, "images"), &images)?;
        Ok(SealedApplication {
            content,
            images: Some(images),
        })
    }

    /// Opens what an application says of its holder, JSON without the images.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it was erased.
    pub(crate) async fn open_identity(
        &self,
        tx: &mut Connection,
        reference: &str,
        content: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let key = self
            .protection()
            .key(tx, reference, DataClass::Identity)
            .await?;
        open(&key, &content_cell(reference), content)
    }

    /// Opens an application whole, JSON with its images.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where some of it was erased.
    pub(crate) async fn open_whole(
        &self,
        tx: &mut Connection,
        reference: &str,
        sealed: &SealedApplication,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let keys = self.protection().keys(tx, reference, WHOLE).await?;
        sealed.open(reference, &keys)
    }

    /// Opens an application whole, as it was approved, and judges it as of a day.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where some of it was erased; [`CentralError::Application`] where it
    /// is valid no more.
    pub(crate) async fn open_application(
        &self,
        tx: &mut Connection,
        reference: &str,
        sealed: &SealedApplication,
        day: Date,
    ) -> Result<Application> {
        judged(&self.open_whole(tx, reference, sealed).await?, day)
    }

    /// Opens an application whole and judges it as of a day, as [`Central::open_application`] does,
    /// and returns the key of its document's record with it, which is made where there is none.
    pub(crate) async fn open_to_prepare(
        &self,
        tx: &mut Connection,
        reference: &str,
        sealed: &SealedApplication,
        day: Date,
    ) -> Result<(Application, DataKey)> {
        let (keys, of_record) = self
            .protection()
            .keys_and_made(tx, reference, WHOLE, DataClass::Record, self.now())
            .await?;
        Ok((judged(&sealed.open(reference, &keys)?, day)?, of_record))
    }

    /// Seals a record and the subjects of its certificates, in hexadecimal by the key's name, under
    /// the key of the application's records. The files of the travel chip go beside it.
    pub(crate) async fn seal_record(
        &self,
        tx: &mut Connection,
        (application, document): (&Reference, &str),
        key: &DataKey,
        record: &Record,
        subjects: &BTreeMap<String, String>,
    ) -> Result<SealedRecord> {
        let application = application.as_str();
        self.seal_files(tx, application, &record.prepared).await?;
        Ok(SealedRecord {
            record: self.sealed_record(key, (application, document), record)?,
            subjects: self.sealed_subjects(key, (application, document), subjects)?,
        })
    }

    /// Seals the record of a document anew.
    pub(crate) async fn update_record(
        &self,
        tx: &mut Connection,
        document: &Document,
        record: &Record,
    ) -> Result<()> {
        let application = &document.application;
        let key = self
            .protection()
            .key(tx, application, DataClass::Record)
            .await?;
        self.seal_files(tx, application, &record.prepared).await?;
        let record = self.sealed_record(&key, (application, &document.id), record)?;
        sqlx::query(sql!("UPDATE document SET record = $1 WHERE id = $2"))
            .bind(record)
            .bind(&document.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Seals other subjects of a document's certificates, in hexadecimal by the key's name.
    pub(crate) async fn update_subjects(
        &self,
        tx: &mut Connection,
        document: &Document,
        subjects: &BTreeMap<String, String>,
    ) -> Result<()> {
        let application = &document.application;
        let key = self
            .protection()
            .key(tx, application, DataClass::Record)
            .await?;
        let subjects = self.sealed_subjects(&key, (application, &document.id), subjects)?;
        sqlx::query(sql!("UPDATE document SET subjects = $1 WHERE id = $2"))
            .bind(subjects)
            .bind(&document.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Opens the record of a document, with the files of its travel chip as long as there are any.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it was erased, or where files were that the document still
    /// needs.
    pub(crate) async fn open_record(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<Record> {
        let application = &document.application;
        let mut record = self.open_bare_record(tx, document).await?;
        if record.prepared.is_empty() {
            return Ok(record);
        }
        match self.open_files(tx, application).await? {
            Some(files) if files.keys().eq(record.prepared.keys()) => record.prepared = files,
            Some(_) => return Err(CentralError::damaged("the files of a travel chip")),
            None if document.state.is_before_hand_over() => {
                return Err(erased(DataClass::Biometrics));
            }
            // Its holder has it; nothing that is left to do needs them.
            None => record.prepared = BTreeMap::new(),
        }
        Ok(record)
    }

    /// Opens the record of a document; the files of its travel chip are there by name, and empty.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it was erased.
    pub(crate) async fn open_bare_record(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<Record> {
        let application = &document.application;
        let key = self
            .protection()
            .key(tx, application, DataClass::Record)
            .await?;
        let cell = document_cell(application, &document.id, "record");
        let damaged = || CentralError::damaged("a document's record");
        let text = open(&key, &cell, &decoded(&document.record)?)?;
        let record: Record = serde_json::from_slice(&text).map_err(|_| damaged())?;
        if record.number != document.number() {
            return Err(CentralError::damaged(
                "a document's record has another number",
            ));
        }
        Ok(record)
    }

    /// Tells whether the biometrics of an application are still kept.
    pub(crate) async fn has_biometrics(
        &self,
        tx: &mut Connection,
        application: &str,
    ) -> Result<bool> {
        let kept: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM biometric_data WHERE application = $1"
        ))
        .bind(application)
        .fetch_one(tx)
        .await?;
        Ok(kept > 0)
    }

    /// Opens the subjects of a document's certificates.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where they were erased.
    pub(crate) async fn open_subjects(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<Subjects> {
        let application = &document.application;
        let key = self
            .protection()
            .key(tx, application, DataClass::Record)
            .await?;
        let cell = document_cell(application, &document.id, "subjects");
        let damaged = || CentralError::damaged("a document's subjects");
        let text = open(&key, &cell, &decoded(&document.subjects)?)?;
        let subjects: BTreeMap<String, String> =
            serde_json::from_slice(&text).map_err(|_| damaged())?;
        let decode =
            |(key, subject): (String, String)| hex::decode(subject).map(|subject| (key, subject));
        let subjects: std::result::Result<Subjects, _> = subjects.into_iter().map(decode).collect();
        subjects.map_err(|_| damaged())
    }

    fn sealed_record(
        &self,
        key: &DataKey,
        (application, document): (&str, &str),
        record: &Record,
    ) -> Result<String> {
        let mut bare = record.clone();
        // Their names stay, so that it is known that there were any.
        for file in bare.prepared.values_mut() {
            *file = Prepared::new(Vec::new());
        }
        let text = written(&bare, "a document's record")?;
        let cell = document_cell(application, document, "record");
        Ok(encoded(&self.protection().seal(key, &cell, &text)?))
    }

    fn sealed_subjects(
        &self,
        key: &DataKey,
        (application, document): (&str, &str),
        subjects: &BTreeMap<String, String>,
    ) -> Result<String> {
        let text = written(subjects, "a document's subjects")?;
        let cell = document_cell(application, document, "subjects");
        Ok(encoded(&self.protection().seal(key, &cell, &text)?))
    }

    async fn seal_files(
        &self,
        tx: &mut Connection,
        application: &str,
        files: &BTreeMap<String, Prepared>,
    ) -> Result<()> {
        // What was opened without its files, because they were erased, is sealed without them.
        if files.values().all(|file| file.as_slice().is_empty()) {
            return Ok(());
        }
        let key = self
            .protection()
            .key(tx, application, DataClass::Biometrics)
            .await?;
        let text = written(files, "the files of a travel chip")?;
        let cell = biometric_cell(application, "files");
        sqlx::query(sql!(
            "UPDATE biometric_data SET files = $1 WHERE application = $2"
        ))
        .bind(self.protection().seal(&key, &cell, &text)?)
        .bind(application)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Opens the files of a travel chip; none where they were erased.
    async fn open_files(
        &self,
        tx: &mut Connection,
        application: &str,
    ) -> Result<Option<BTreeMap<String, Prepared>>> {
        let row = sqlx::query(sql!(
            "SELECT files FROM biometric_data WHERE application = $1"
        ))
        .bind(application)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let damaged = || CentralError::damaged("the files of a travel chip");
        let files: Option<Vec<u8>> = row.get("files");
        let files = files.ok_or_else(damaged)?;
        let key = self
            .protection()
            .key(tx, application, DataClass::Biometrics)
            .await?;
        let text = open(&key, &biometric_cell(application, "files"), &files)?;
        serde_json::from_slice(&text).map_err(|_| damaged())
    }
}

/// Stores the sealed images of an application, whose row is there.
pub(crate) async fn store_images(
    tx: &mut Connection,
    reference: &str,
    images: Option<&[u8]>,
) -> Result<()> {
    sqlx::query(sql!(
        "INSERT INTO biometric_data (application, images) VALUES ($1, $2)"
    ))
    .bind(reference)
    .bind(images)
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes a value down as JSON, in memory that is wiped.
pub(crate) fn written(value: &impl serde::Serialize, what: &str) -> Result<Zeroizing<Vec<u8>>> {
    let text = serde_json::to_vec(value).map_err(|_| CentralError::damaged(what))?;
    Ok(Zeroizing::new(text))
}

/// Returns a sealed value as a column of text holds it.
pub(crate) fn encoded(sealed: &[u8]) -> String {
    STANDARD.encode(sealed)
}

/// Reads a sealed value from a column of text; an erased one is empty.
pub(crate) fn decoded(text: &str) -> Result<Vec<u8>> {
    let damaged = |_| CentralError::damaged("an encrypted value");
    STANDARD.decode(text).map_err(damaged)
}
