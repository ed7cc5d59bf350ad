//! The files of travel chips: prepared with the document, and finished once a chip's keys are
//! known. Every hash is computed here, over what is in this store's own record; a station gives
//! nothing but public keys.
//!
//! ```text
//!   application ─► prepared files ──────────────┐
//!   public keys of a claimed chip ─► DG14, DG15 ┴► security object ─► document signer ─► EF.SOD
//!                                                                      counted first
//! ```

use std::collections::BTreeMap;

use api::{Actor, SignLdsGrant, SignLdsRequest};
use audit::Control;
use document::{Application, DataClass, Prepared, Record};
use hsm::RandomSource;
use profile::{Applied, DocumentLds, DocumentProfile, Plan, Verb};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::blanks::{BookedChip, chip_serial};
use crate::central::{Central, wanted};
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::personal::{decoded, encoded, signed_cell, written};
use crate::protection::open;
use crate::scribe::Deed;
use crate::statements::sql;
use crate::travel;

impl Central {
    /// Makes the files of a document's travel chip that need no key of it; none where it has no
    /// such chip.
    pub(crate) fn prepared_files(
        &self,
        profile: &DocumentProfile,
        record: &Record,
        application: &Application,
    ) -> Result<BTreeMap<String, Prepared>> {
        let Some(lds) = of_travel(profile) else {
            return Ok(BTreeMap::new());
        };
        let mut random = [0; 16];
        self.token().fill(&mut random)?;
        let applied = Applied {
            portrait: &application.portrait,
            fingerprints: &application.fingerprints,
            signature: application.signature.as_ref(),
            trust_point: self.travel().trust_point(),
            random: &random,
        };
        lds.prepare(record, &applied)
            .map_err(|error| CentralError::refused(error.to_string()))
    }

    /// Demands that somebody signs a document now, before a blank is begun for it.
    pub(crate) async fn check_signer(
        &self,
        tx: &mut Connection,
        profile: &DocumentProfile,
        record: &Record,
    ) -> Result<()> {
        let Some(lds) = of_travel(profile) else {
            return Ok(());
        };
        let conventions = lds.conventions(record.kind);
        let conventions = conventions.map_err(|error| CentralError::refused(error.to_string()))?;
        let mut used = travel::used(tx).await?;
        let signers = self.travel();
        signers
            .take(&mut used, self.now(), &conventions.code)
            .map(drop)
    }

    /// Makes the files that hold a travel chip's keys, and signs its security object.
    pub(crate) async fn sign_chip_lds(
        &self,
        actor: &Actor,
        request: &SignLdsRequest,
    ) -> Result<SignLdsGrant> {
        let deed = Deed::new("lds.signed", Control::CRYPTOGRAPHY, "lease", request.lease);
        let result = retried!(self.try_sign_lds(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_sign_lds(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &SignLdsRequest,
    ) -> Result<SignLdsGrant> {
        let mut tx = self.write().await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        held.check_personalizes()?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        let keys = digest(&request.keys);
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("chip", &chip.serial)
            .with("keys", hex::encode(keys));
        if let Some(signed) = Signed::find(&mut tx, &held, &chip).await? {
            if signed.keys[..] != keys {
                return Err(CentralError::refused(
                    "the files of this chip were signed with other keys under this lease; report the blank as spoiled",
                ));
            }
            self.record(&mut tx, Some(actor), &deed.named("lds.given-again"))
                .await?;
            let document = Document::load(&mut tx, &held.document).await?;
            let files = self
                .open_signed(&mut tx, &document.application, &signed)
                .await?;
            tx.commit().await?;
            return Ok(SignLdsGrant { files });
        }

        let document = Document::load(&mut tx, &held.document).await?;
        let profile = self.document_profile(document.kind)?;
        let none = || CentralError::refused("this chip has no files of a travel document");
        let lds = wanted(profile, &chip.product).and_then(|wanted| wanted.lds.as_ref());
        let lds = lds.ok_or_else(none)?;
        let record = self.open_record(&mut tx, &document).await?;
        let plan = self.plan(profile, &chip.product, &record)?;
        check_imported(&mut tx, (&held, &chip), &plan, &request.keys).await?;
        let made = lds.with_keys(&plan.chip, &record, &request.keys);
        let made = made.map_err(|error| CentralError::refused(error.to_string()))?;
        let now = self.now();
        let mut used = travel::used(&mut tx).await?;
        let signer = self.travel().take(&mut used, now, &made.document_type)?;
        travel::count(&mut tx, &used, signer.serial()).await?;
        let object = Sha256::digest(&made.security_object);
        let serial = signer.serial().to_owned();
        let signed = self.blocking(move || signer.sign(made, now)).await?;
        let files = signed.map_err(|source| CentralError::Signing {
            source: Box::new(source),
        })?;
        let signed = Signed {
            row: signed_row(&held, &chip),
            keys: keys.to_vec(),
            files: self
                .seal_signed(
                    &mut tx,
                    &document.application,
                    &signed_row(&held, &chip),
                    &files,
                )
                .await?,
        };
        signed
            .store(&mut tx, (&held, &chip), &serial, stored(now))
            .await?;
        let deed = deed
            .with("signer", &serial)
            .with("security-object", hex::encode(object));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(SignLdsGrant { files })
    }

    /// Seals the signed files of a chip.
    async fn seal_signed(
        &self,
        tx: &mut Connection,
        application: &str,
        row: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<String> {
        let files: BTreeMap<_, _> = files
            .iter()
            .map(|(name, file)| (name, hex::encode(file)))
            .collect();
        let text = written(&files, "the signed files of a chip")?;
        let key = self
            .protection()
            .key(tx, application, DataClass::Biometrics)
            .await?;
        let sealed = self
            .protection()
            .seal(&key, &signed_cell(application, row), &text)?;
        Ok(encoded(&sealed))
    }

    /// Opens the signed files of a chip.
    async fn open_signed(
        &self,
        tx: &mut Connection,
        application: &str,
        signed: &Signed,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let damaged = || CentralError::damaged("the signed files of a chip");
        let key = self
            .protection()
            .key(tx, application, DataClass::Biometrics)
            .await?;
        let cell = signed_cell(application, &signed.row);
        let text = open(&key, &cell, &decoded(&signed.files)?)?;
        let files: BTreeMap<String, String> =
            serde_json::from_slice(&text).map_err(|_| damaged())?;
        files
            .into_iter()
            .map(|(name, file)| Ok((name, hex::decode(file).map_err(|_| damaged())?)))
            .collect()
    }

    /// Makes the files of a document's travel chip anew, under the number that its record has now.
    pub(crate) async fn prepare_again(
        &self,
        tx: &mut Write,
        document: &Document,
        record: &mut Record,
    ) -> Result<()> {
        let profile = self.document_profile(document.kind)?;
        if of_travel(profile).is_none() {
            return Ok(());
        }
        let application = self
            .as_of(tx, &document.application, document.issued)
            .await?;
        record.prepared = self.prepared_files(profile, record, &application)?;
        Ok(())
    }
}

/// Returns what a document's travel chip holds, where it has one.
fn of_travel(profile: &DocumentProfile) -> Option<&DocumentLds> {
    profile.chips.iter().find_map(|chip| chip.lds.as_ref())
}

/// Demands that the public keys of those that were made here are theirs.
async fn check_imported(
    tx: &mut Connection,
    (held, chip): (&Held, &BookedChip),
    plan: &Plan,
    keys: &BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
    for step in steps.filter(|step| step.verb == Verb::ImportKey) {
        let Some(key) = keys.get(&step.object) else {
            continue;
        };
        let public: Option<Vec<u8>> = sqlx::query_scalar(sql!(
            "SELECT public FROM imported_key WHERE lease = $1 AND chip = $2 AND key_name = $3"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(&step.object)
        .fetch_optional(&mut *tx)
        .await?;
        if public.as_deref() != Some(&Sha256::digest(key)[..]) {
            return Err(CentralError::refused(format!(
                "key \"{}\" is not the one that was made here for this chip",
                step.object
            )));
        }
    }
    Ok(())
}

/// Writes down the public halves of key pairs that were made here for a chip.
///
/// Refused where the chip's files were signed: they name the keys before these, and a chip that got
/// others could not prove itself by them.
pub(crate) async fn note_imported(
    tx: &mut Connection,
    (held, chip): (&Held, &BookedChip),
    publics: &BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    if !publics.is_empty() && Signed::find(tx, held, chip).await?.is_some() {
        return Err(CentralError::refused(
            "the files of this chip were signed with the keys that were made for it before; report the blank as spoiled",
        ));
    }
    for (name, spki) in publics {
        sqlx::query(sql!(
            "INSERT INTO imported_key (lease, chip, key_name, public) VALUES ($1, $2, $3, $4)
             ON CONFLICT (lease, chip, key_name) DO UPDATE SET public = excluded.public"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(name)
        .bind(&Sha256::digest(spki)[..])
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Demands that the files of a travel chip were signed under a lease: without them it is none.
pub(crate) async fn check_signed(
    tx: &mut Connection,
    (held, chip): (&Held, &BookedChip),
    plan: &Plan,
) -> Result<()> {
    if plan.lds.is_none() || Signed::find(tx, held, chip).await?.is_some() {
        return Ok(());
    }
    Err(CentralError::refused(format!(
        "nothing was signed for chip {}: it is no travel document",
        chip.serial
    )))
}

/// What was made of a chip's keys, as it is stored.
struct Signed {
    /// `LEASE/CHIP`.
    row: String,
    keys: Vec<u8>,
    /// Sealed; empty once they were erased.
    files: String,
}

fn signed_row(held: &Held, chip: &BookedChip) -> String {
    format!("{}/{}", held.id, chip.serial)
}

impl Signed {
    async fn find(tx: &mut Connection, held: &Held, chip: &BookedChip) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            "SELECT keys, files FROM signed_lds WHERE lease = $1 AND chip = $2"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .fetch_optional(tx)
        .await?;
        Ok(row.map(|row| Self {
            row: signed_row(held, chip),
            keys: row.get("keys"),
            files: row.get("files"),
        }))
    }

    async fn store(
        &self,
        tx: &mut Connection,
        (held, chip): (&Held, &BookedChip),
        signer: &str,
        signed: i64,
    ) -> Result<()> {
        sqlx::query(sql!("INSERT INTO signed_lds (lease, chip, document, number, keys, signer, files, signed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(&held.document)
        .bind(&held.number)
        .bind(&self.keys[..])
        .bind(signer)
        .bind(&self.files)
        .bind(signed)
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Returns the digest of keys and their names, each with its length.
fn digest(keys: &BTreeMap<String, Vec<u8>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in keys.iter().flat_map(|(name, key)| [name.as_bytes(), key]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
