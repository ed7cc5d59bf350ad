//! What was stored before personal data was encrypted: it is encrypted when the store opens, once,
//! and the file is written anew without it.

use document::{DataClass, Holder};
use hsm::{HsmError, MasterKeySize};
use serde_json::{Map, Value};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::application_parts::wipe;
use crate::cells::is_sealed;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write};
use crate::error::{CentralError, Result};
use crate::personal::{biometric_cell, document_cell, encoded, signed_cell, store_images, written};
use crate::statements::sql;

mod certificates;

/// How many rows are encrypted in one transaction.
const BATCH: i64 = 64;

impl Central {
    /// Makes what personal data is kept under, or demands that it is there; encrypts what an earlier
    /// version stored in the clear.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where keys are missing under which data lies.
    pub(crate) async fn ready_protection(&self) -> Result<()> {
        self.ready_index_key().await?;
        self.ready_wrapping_keys().await?;
        let mut encrypted = 0;
        encrypted += self.encrypt_applications().await?;
        encrypted += self.encrypt_documents().await?;
        encrypted += self.encrypt_signed_files().await?;
        encrypted += self.encrypt_certificates().await?;
        encrypted += self.encrypt_register().await?;
        if encrypted > 0 {
            tracing::info!(encrypted, "personal data was encrypted in place");
            self.database().compact().await?;
        }
        Ok(())
    }

    /// Makes the key of the index where nothing was indexed yet.
    async fn ready_index_key(&self) -> Result<()> {
        let label = self.protection().index.clone();
        let asked = label.clone();
        let found = self
            .protection()
            .blocking(move |token| match token.key_attributes(&asked) {
                Err(HsmError::KeyNotFound { .. }) => Ok(false),
                found => found.map(|_| true),
            })
            .await?;
        if found {
            return Ok(());
        }
        let indexed: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM blind_index"))
            .fetch_one(&mut *self.read().await?)
            .await?;
        if indexed > 0 {
            return Err(CentralError::Setup {
                reason: format!(
                    "key \"{label}\" is not in the token, and people are found by it: restore the token's backup"
                ),
            });
        }
        self.protection()
            .blocking(move |token| {
                match token.generate_master_key(&label, MasterKeySize::Aes256) {
                    // Another program makes it at the same time.
                    Err(HsmError::KeyExists { .. }) => Ok(()),
                    made => made,
                }
            })
            .await
    }

    async fn encrypt_applications(&self) -> Result<u64> {
        let (mut after, mut encrypted) = (String::new(), 0);
        while let Some((last, some)) = retried!(self.encrypt_next_applications(&after))? {
            after = last;
            encrypted += some;
        }
        Ok(encrypted)
    }

    /// Encrypts the next ones after a reference; returns the last one's, and how many it were.
    async fn encrypt_next_applications(&self, after: &str) -> Result<Option<(String, u64)>> {
        let mut encrypted = 0;
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!("SELECT a.reference, a.content FROM application a
                 WHERE a.reference > $1 AND length(a.content) > 0
                   AND NOT EXISTS (SELECT 1 FROM data_key k WHERE k.subject = a.reference AND k.class = 'identity')
                 ORDER BY a.reference LIMIT $2"))
            .bind(after)
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        for row in &rows {
            let (reference, content): (String, Vec<u8>) =
                (row.get("reference"), row.get("content"));
            if !is_sealed(&content) {
                self.encrypt_application(&mut tx, &reference, &content)
                    .await?;
                encrypted += 1;
            }
        }
        tx.commit().await?;
        Ok(Some((last.get("reference"), encrypted)))
    }

    async fn encrypt_application(
        &self,
        tx: &mut Write,
        reference: &str,
        content: &[u8],
    ) -> Result<()> {
        let damaged = || CentralError::damaged("an application");
        let mut fields: Value = serde_json::from_slice(content).map_err(|_| damaged())?;
        let office = fields.get("office").and_then(Value::as_str);
        let office = office.ok_or_else(damaged)?.to_owned();
        let holder = fields.get_mut("holder").map(Value::take);
        let holder: Option<Holder> = holder.and_then(|it| serde_json::from_value(it).ok());
        wipe(&mut fields);
        let classes = [DataClass::Identity, DataClass::Biometrics];
        let (protection, now) = (self.protection(), self.now());
        let [of_identity, of_images] = protection.make_keys(tx, reference, classes, now).await?;
        let sealed = self.seal_application(reference, content, [&of_identity, &of_images])?;
        sqlx::query(sql!(
            "UPDATE application SET content = $1, office = $2 WHERE reference = $3"
        ))
        .bind(sealed.content)
        .bind(office)
        .bind(reference)
        .execute(&mut **tx)
        .await?;
        store_images(tx, reference, sealed.images.as_deref()).await?;
        match holder {
            Some(holder) => self.index_holder(tx, reference, &holder).await,
            None => Err(damaged()),
        }
    }

    async fn encrypt_documents(&self) -> Result<u64> {
        let (mut after, mut encrypted) = (String::new(), 0);
        while let Some((last, some)) = retried!(self.encrypt_next_documents(&after))? {
            after = last;
            encrypted += some;
        }
        Ok(encrypted)
    }

    /// As for applications, by the documents' identities.
    async fn encrypt_next_documents(&self, after: &str) -> Result<Option<(String, u64)>> {
        let mut encrypted = 0;
        let mut tx = self.write().await?;
        // What is sealed is base64, and never begins so.
        let rows = sqlx::query(sql!(
            "SELECT id, application, record, subjects FROM document
                 WHERE id > $1 AND record LIKE '{%' ORDER BY id LIMIT $2"
        ))
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        for row in &rows {
            let text = |column| row.get::<String, _>(column);
            let (id, application) = (text("id"), text("application"));
            self.encrypt_document(
                &mut tx,
                (&application, &id),
                &text("record"),
                &text("subjects"),
            )
            .await?;
            encrypted += 1;
        }
        tx.commit().await?;
        Ok(Some((last.get("id"), encrypted)))
    }

    async fn encrypt_document(
        &self,
        tx: &mut Write,
        (application, id): (&str, &str),
        record: &str,
        subjects: &str,
    ) -> Result<()> {
        let damaged = |_| CentralError::damaged("a document's record");
        let mut record: Map<String, Value> = serde_json::from_str(record).map_err(damaged)?;
        let mut names = Map::new();
        if let Some(Value::Object(files)) = record.remove("prepared") {
            names.extend(files.keys().map(|name| (name.clone(), "".into())));
            let mut files = Value::Object(files);
            let text = written(&files, "the files of a travel chip")?;
            wipe(&mut files);
            let key = self.biometrics_key(tx, application).await?;
            let cell = biometric_cell(application, "files");
            sqlx::query(sql!(
                "UPDATE biometric_data SET files = $1 WHERE application = $2"
            ))
            .bind(self.protection().seal(&key, &cell, &text)?)
            .bind(application)
            .execute(&mut **tx)
            .await?;
        }
        if !names.is_empty() {
            record.insert("prepared".into(), Value::Object(names));
        }
        let mut record = Value::Object(record);
        let text = written(&record, "a document's record")?;
        wipe(&mut record);
        let (protection, now) = (self.protection(), self.now());
        let key = protection
            .key_or_made(tx, application, DataClass::Record, now)
            .await?;
        let record = protection.seal(&key, &document_cell(application, id, "record"), &text)?;
        let cell = document_cell(application, id, "subjects");
        let subjects = protection.seal(&key, &cell, subjects.as_bytes())?;
        sqlx::query(sql!(
            "UPDATE document SET record = $1, subjects = $2 WHERE id = $3"
        ))
        .bind(encoded(&record))
        .bind(encoded(&subjects))
        .bind(id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Returns the key of an application's biometrics, which has a row for them then.
    async fn biometrics_key(
        &self,
        tx: &mut Connection,
        application: &str,
    ) -> Result<crate::cells::DataKey> {
        let (protection, now) = (self.protection(), self.now());
        if let Some(key) = protection
            .find_key(tx, application, DataClass::Biometrics)
            .await?
        {
            return Ok(key);
        }
        let [key] = protection
            .make_keys(tx, application, [DataClass::Biometrics], now)
            .await?;
        let images = protection.seal(&key, &biometric_cell(application, "images"), b"{}")?;
        store_images(tx, application, Some(&images)).await?;
        Ok(key)
    }

    async fn encrypt_signed_files(&self) -> Result<u64> {
        let mut encrypted = 0;
        loop {
            let some = retried!(self.encrypt_next_signed_files())?;
            if some == 0 {
                return Ok(encrypted);
            }
            encrypted += some;
        }
    }

    async fn encrypt_next_signed_files(&self) -> Result<u64> {
        let mut encrypted = 0;
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!("SELECT s.lease, s.chip, s.files, d.application FROM signed_lds s
                 JOIN document d ON d.id = s.document WHERE s.files LIKE '{%' ORDER BY s.lease, s.chip LIMIT $1"))
            .bind(BATCH)
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            let text = |column| row.get::<String, _>(column);
            let (lease, chip, application) = (text("lease"), text("chip"), text("application"));
            let key = self.biometrics_key(&mut tx, &application).await?;
            let place = format!("{lease}/{chip}");
            let cell = signed_cell(&application, &place);
            let files = Zeroizing::new(text("files"));
            let sealed = self.protection().seal(&key, &cell, files.as_bytes())?;
            sqlx::query(sql!(
                "UPDATE signed_lds SET files = $1 WHERE lease = $2 AND chip = $3"
            ))
            .bind(encoded(&sealed))
            .bind(&lease)
            .bind(&chip)
            .execute(&mut *tx)
            .await?;
            encrypted += 1;
        }
        tx.commit().await?;
        Ok(encrypted)
    }
}
