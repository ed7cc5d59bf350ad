//! The audit log as files that others' tools can check (*C2SP tlog-tiles*).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use api::Actor;
use audit::{CHECKPOINT_PATH, Control, ExportFile, Exporter, Hash};
use document::Act;
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::contention::retried;
use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;

/// How many entries are read at once: a full bundle.
const PAGE: i64 = 256;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditExport {
    /// The number of entries.
    pub entries: u64,
    /// The number of files.
    pub files: usize,
    /// The root over the entries, as it was signed.
    pub root: Hash,
}

impl Central {
    /// Writes the log into a folder, which is made where there is none: entries and hashes as
    /// tiles, and the signed checkpoint last, so that an export that was cut off has none. An
    /// earlier export of the same log in this folder is brought up to date.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor may read the log; [`CentralError::Damaged`]
    /// where the entries are not those that were signed; [`CentralError::File`].
    pub async fn export_audit(&self, actor: &Actor, folder: &Path) -> Result<AuditExport> {
        let deed = Deed::new("audit.exported", Control::LOGGING, "log", "audit");
        let result = self.try_export(actor, &deed, folder).await;
        self.settle(actor, &deed, result).await
    }

    async fn note_export(&self, actor: &Actor, deed: &Deed) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ReadAuditLog).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn try_export(&self, actor: &Actor, deed: &Deed, folder: &Path) -> Result<AuditExport> {
        // The export's own entry is in it.
        retried!(self.note_export(actor, deed))?;
        self.sequence().await?;

        let mut tx = self.read().await?;
        let checkpoint = self.last_checkpoint(&mut tx).await?;
        let checkpoint =
            checkpoint.ok_or_else(|| CentralError::damaged("an audit log without checkpoint"))?;
        let (size, root) = (checkpoint.checkpoint().size, checkpoint.checkpoint().root);
        let stale = folder.join(CHECKPOINT_PATH);
        self.blocking(move || match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CentralError::File {
                path: stale,
                source: error,
            }),
            _ => Ok(()),
        })
        .await??;
        let mut exporter = Exporter::new();
        let mut files = 0;
        let mut next = 0_i64;
        while next.unsigned_abs() < size {
            let mut ready = Vec::new();
            for entry in page(&mut tx, next).await? {
                if next.unsigned_abs() == size {
                    break;
                }
                ready.extend(
                    exporter
                        .push(&entry)
                        .map_err(|_| CentralError::damaged("an audit entry"))?,
                );
                next += 1;
            }
            files += self.write_files(folder, ready).await?;
        }
        let rest = exporter
            .finish(&checkpoint)
            .map_err(|error| CentralError::damaged(error.to_string()))?;
        files += self.write_files(folder, rest).await?;
        Ok(AuditExport {
            entries: size,
            files,
            root,
        })
    }

    async fn write_files(&self, folder: &Path, files: Vec<ExportFile>) -> Result<usize> {
        let (count, folder) = (files.len(), folder.to_owned());
        self.blocking(move || {
            files
                .into_iter()
                .try_for_each(|file| write_file(&folder, &file))
        })
        .await??;
        Ok(count)
    }
}

async fn page(tx: &mut Connection, from: i64) -> Result<Vec<Vec<u8>>> {
    let rows = sqlx::query(sql!(
        "SELECT leaf, entry FROM audit_entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2"
    ))
    .bind(from)
    .bind(PAGE)
    .fetch_all(tx)
    .await?;
    let mut entries = Vec::new();
    for (expected, row) in (from..).zip(&rows) {
        if row.get::<i64, _>("leaf") != expected {
            return Err(CentralError::damaged("an audit entry is missing"));
        }
        entries.push(row.get("entry"));
    }
    if entries.is_empty() {
        return Err(CentralError::damaged(
            "audit entries are missing at the end",
        ));
    }
    Ok(entries)
}

fn write_file(folder: &Path, file: &ExportFile) -> Result<()> {
    let path: PathBuf = folder.join(&file.path);
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, &file.bytes)
    };
    write().map_err(|source| CentralError::File {
        path: path.clone(),
        source,
    })
}
