//! A folder instead of a printer: PDF and PNG files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::page_printer::{
    PageContent, PageError, PageJob, PagePrinter, PagePrinterState, PageReceipt,
};

/// How many files of one name there are at most.
const MOST: usize = 1000;

/// A folder into which jobs go as files, for their owner alone: they may show a person. None is
/// written over: a second one of the same name is `NAME-2`.
#[derive(Clone, Debug)]
pub struct FolderPrinter {
    folder: PathBuf,
    name: String,
}

impl FolderPrinter {
    /// Takes a folder that is there.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            name: format!("folder:{}", folder.display()),
        }
    }

    fn write(&self, job: &PageJob<'_>, ending: &str, bytes: &[u8]) -> Result<PathBuf, PageError> {
        let failed = |path: &Path, source| PageError::File {
            path: path.display().to_string(),
            source,
        };
        let draft = self.folder.join(format!(".{}.{ending}.wet", job.name));
        let written = write_whole(&draft, bytes);
        let mut done = Err(io::ErrorKind::AlreadyExists.into());
        if let Err(error) = written {
            let _ = std::fs::remove_file(&draft);
            return Err(failed(&draft, error));
        }
        let mut path = self.folder.join(format!("{}.{ending}", job.name));
        for copy in 2..MOST {
            // Unlike a rename, a link is never laid over what is there.
            done = std::fs::hard_link(&draft, &path);
            match &done {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = self.folder.join(format!("{}-{copy}.{ending}", job.name));
                }
                _ => break,
            }
        }
        let _ = std::fs::remove_file(&draft);
        done.map_err(|error| failed(&path, error))?;
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed(&self.folder, error))?;
        Ok(path)
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    // One that is there was left by a run that was killed.
    let _ = std::fs::remove_file(path);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

impl PagePrinter for FolderPrinter {
    fn name(&self) -> &str {
        &self.name
    }

    fn look(&mut self) -> Result<PagePrinterState, PageError> {
        let found = std::fs::metadata(&self.folder);
        let metadata = found.map_err(|error| PageError::Unreachable {
            printer: self.name.clone(),
            source: error.into(),
        })?;
        let mut conditions = Vec::new();
        if !metadata.is_dir() {
            conditions.push("it is no folder".to_owned());
        }
        Ok(PagePrinterState {
            model: "folder".into(),
            ready: conditions.is_empty(),
            conditions,
        })
    }

    fn print(&mut self, job: &PageJob<'_>) -> Result<PageReceipt, PageError> {
        job.check_name()?;
        let state = self.look()?;
        if !state.ready {
            return Err(PageError::NotReady {
                printer: self.name.clone(),
                conditions: state.conditions,
            });
        }
        let path = match job.content {
            PageContent::Pdf(bytes) => self.write(job, "pdf", bytes)?,
            PageContent::Label(raster, dots) => self.write(job, "png", &raster.png(dots))?,
        };
        Ok(PageReceipt {
            place: path.display().to_string(),
            job: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn job(name: &str) -> PageJob<'_> {
        PageJob {
            name,
            content: PageContent::Pdf(b"%PDF-1.7"),
        }
    }

    #[test]
    fn nothing_is_written_over_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut printer = FolderPrinter::new(folder.path());
        for name in ["list.pdf", "list-2.pdf", "list-3.pdf"] {
            let receipt = printer.print(&job("list")).unwrap();
            let path = folder.path().join(name);
            assert_eq!(receipt.place, path.display().to_string());
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_name_that_leads_elsewhere_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut printer = FolderPrinter::new(folder.path());
        for name in ["", "../list", "a/b", ".list", "list\n", &"a".repeat(65)] {
            let error = printer.print(&job(name)).unwrap_err();
            assert!(matches!(error, PageError::Name), "{name:?}: {error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut none = FolderPrinter::new(&folder.path().join("none"));
        let error = none.print(&job("list")).unwrap_err();
        assert!(matches!(error, PageError::Unreachable { .. }), "{error}");
    }
}
