//! A folder with the files of a travel document, as somebody read them.

use std::fs::{self, File as DiskFile};
use std::io::Read;
use std::path::Path;

use mrtd::inspection::{Unread, UnreadCause};
use mrtd::lds::{File, Lds, LdsError, LdsFault, MAX_FILE};

use crate::cli::failure::{Failure, Kind};

/// The most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 4096;

/// What was found.
pub(crate) struct Folder {
    /// The files of the document.
    pub(crate) lds: Lds,
    /// Those that are past the bounds of any file, or do not read.
    pub(crate) unread: Vec<Unread>,
    /// The names of everything else.
    pub(crate) ignored: Vec<String>,
}

/// Reads a folder. Nothing is read that cannot be a file of a document, and of these not more than
/// one can have.
pub(crate) fn read(path: &Path) -> Result<Folder, Failure> {
    let shown = path.display();
    let fault = |why: String| Failure::new(Kind::Usage, format!("{shown}: {why}"));
    let entries = fs::read_dir(path).map_err(|error| fault(error.to_string()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| fault(error.to_string()))?;
        names.push(entry.file_name());
        if names.len() > MAX_ENTRIES {
            let why = format!("more than {MAX_ENTRIES} entries; this is no document's folder");
            return Err(fault(why));
        }
    }
    names.sort();
    let mut folder = Folder {
        lds: Lds::new(),
        unread: Vec::new(),
        ignored: Vec::new(),
    };
    let mut taken: Vec<(File, String)> = Vec::new();
    for name in names {
        let entry = path.join(&name);
        // A name from outside must not steer a terminal.
        let name = name.to_string_lossy().escape_debug().to_string();
        let is_file = fs::metadata(&entry).is_ok_and(|found| found.is_file());
        let Some(file) = File::from_file_name(&name).filter(|_| is_file) else {
            folder.ignored.push(name);
            continue;
        };
        if let Some((_, other)) = taken.iter().find(|(other, _)| *other == file) {
            let why = format!("{other} and {name} are both {file}; which one is meant?");
            return Err(fault(why).with_hint("leave one of them in the folder"));
        }
        folder.take(file, &entry);
        taken.push((file, name));
    }
    if taken.is_empty() {
        let why = format!("{shown} holds no file of a travel document");
        return Err(Failure::new(Kind::Failed, why)
            .with_hint("name them EF_COM.bin, EF_SOD.bin, Datagroup1.bin, dg2.bin…"));
    }
    Ok(folder)
}

impl Folder {
    fn take(&mut self, file: File, path: &Path) {
        let cause = match bounded(path) {
            Ok((bytes, _)) if bytes.len() <= MAX_FILE => match self.lds.insert(file, bytes) {
                Ok(()) => return,
                Err(error) => UnreadCause::Bound(error),
            },
            Ok((bytes, length)) => UnreadCause::Bound(LdsError {
                file,
                tag: None,
                fault: LdsFault::TooLong {
                    length: length.max(bytes.len()),
                    limit: MAX_FILE,
                },
            }),
            Err(error) => UnreadCause::Failed(format!("{file} does not read: {error}")),
        };
        self.unread.push(Unread { file, cause });
    }
}

/// Returns a file's bytes, one too many at most, and its length.
fn bounded(path: &Path) -> std::io::Result<(Vec<u8>, usize)> {
    let file = DiskFile::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    // Of its full size from the beginning: it is somebody's data, and no copy stays behind.
    let mut bytes = Vec::with_capacity(length.min(MAX_FILE) + 1);
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, length))
}
