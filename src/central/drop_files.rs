//! The files of a drop folder: written whole or not at all, read within bounds, claimed before they
//! are moved.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use document::MAX_PACKAGE_BYTES;
use sha2::{Digest, Sha256};

use crate::error::{CentralError, Result};

/// Longest name of a package's file.
const MAX_NAME: usize = 100;

/// How the name of a claimed file ends. It begins with a dot, so that nobody takes it for a package.
const CLAIMED: &str = ".claimed";

/// Tells whether a file is a package by its name. What begins with a dot is still being written.
pub(crate) fn is_package(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= MAX_NAME
        && name.ends_with(".json")
        && !name.starts_with('.')
        && name.bytes().all(allowed)
}

/// Tells whether a file is a package that was filed: its name is longer than it came with.
pub(crate) fn is_filed(name: &str) -> bool {
    name.ends_with(".json") && !name.starts_with('.')
}

/// Returns a package's name without its ending, and that name with what tells its bytes from others'.
pub(crate) fn labels<'a>(name: &'a str, bytes: &[u8]) -> (&'a str, String) {
    let digest = hex::encode(Sha256::digest(bytes));
    let stem = name.strip_suffix(".json").unwrap_or(name);
    let label = format!("{stem}-{}", digest.get(..16).unwrap_or_default());
    (stem, label)
}

/// Takes a file that was judged out of its sender's reach, and returns where it is now; none where
/// the sender put another one under its name meanwhile, which stays.
pub(crate) fn claim(inbox: &Path, name: &str, judged: &[u8]) -> Result<Option<PathBuf>> {
    let (path, claimed) = (inbox.join(name), inbox.join(format!(".{name}{CLAIMED}")));
    match fs::rename(&path, &claimed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        moved => at(&path, moved)?,
    }
    let found = read_whole(&claimed)?;
    if found.is_some_and(|(bytes, _)| bytes == judged) {
        return Ok(Some(claimed));
    }
    give_back(inbox)?;
    Ok(None)
}

/// Gives the files back that a pass claimed and did not file: under their names, or beside another
/// one that was put there since.
pub(crate) fn give_back(inbox: &Path) -> Result<()> {
    for claimed in names(inbox)? {
        let name = claimed
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(CLAIMED));
        let Some(name) = name else {
            continue;
        };
        let claimed = inbox.join(&claimed);
        let Some((bytes, _)) = read_whole(&claimed)? else {
            continue;
        };
        let (_, label) = labels(name, &bytes);
        for name in [name, &format!("{label}.json")] {
            match fs::hard_link(&claimed, inbox.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                given => {
                    at(&claimed, given)?;
                    break;
                }
            }
        }
        // Its second name tells its bytes: what is there under it is the same.
        at(&claimed, fs::remove_file(&claimed))?;
    }
    Ok(())
}

/// Writes a file whole under a name that nobody reads yet.
pub(crate) fn write_part(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let part = folder.join(format!(".{name}.part"));
    let write = || {
        let mut file = private()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    at(&part, write())?;
    Ok(part)
}

/// Gives a written file the name under which it is read.
pub(crate) fn give_name(part: &Path, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(name);
    at(&path, fs::rename(part, &path))?;
    at(folder, sync(folder))
}

/// Reads a file of at most a package's bytes, and one more that tells that it is longer; none for
/// what is no plain file, or is gone.
pub(crate) fn read_whole(path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>> {
    let read = || -> io::Result<_> {
        if !fs::symlink_metadata(path)?.is_file() {
            return Ok(None);
        }
        let file = File::open(path)?;
        let modified = file.metadata()?.modified()?;
        let mut bytes = Vec::new();
        file.take(MAX_PACKAGE_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(Some((bytes, modified)))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => at(path, read),
    }
}

/// Returns the names in a folder that are text.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in at(folder, fs::read_dir(folder))? {
        let entry = at(folder, entry)?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Makes a folder for this user and group: the register's transfer may run as another user.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o770).create(folder);
    at(folder, made)
}

pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o640);
    options
}

/// Brings a folder's names to disk.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(crate) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|source| CentralError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(inbox: &Path) -> Vec<(String, Vec<u8>)> {
        let read = |name: String| (name.clone(), fs::read(inbox.join(&name)).unwrap());
        names(inbox).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn only_what_was_judged_is_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path();
        fs::write(inbox.join("a.json"), b"judged").unwrap();
        let claimed = claim(inbox, "a.json", b"judged").unwrap().unwrap();
        assert_eq!(
            content(inbox),
            [(".a.json.claimed".to_owned(), b"judged".to_vec())]
        );
        fs::remove_file(claimed).unwrap();
        assert_eq!(claim(inbox, "a.json", b"judged").unwrap(), None);
        // Another one came under its name while it was judged.
        fs::write(inbox.join("a.json"), b"another").unwrap();
        assert_eq!(claim(inbox, "a.json", b"judged").unwrap(), None);
        assert_eq!(content(inbox), [("a.json".to_owned(), b"another".to_vec())]);
    }

    #[test]
    fn what_was_claimed_is_given_back_beside_what_came_since() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path();
        fs::write(inbox.join(".a.json.claimed"), b"first").unwrap();
        give_back(inbox).unwrap();
        assert_eq!(content(inbox), [("a.json".to_owned(), b"first".to_vec())]);
        for _ in 0..2 {
            fs::write(inbox.join(".a.json.claimed"), b"second").unwrap();
            give_back(inbox).unwrap();
        }
        let (_, label) = labels("a.json", b"second");
        let wanted = [
            (format!("{label}.json"), b"second".to_vec()),
            ("a.json".to_owned(), b"first".to_vec()),
        ];
        assert_eq!(content(inbox), wanted);
        assert!(is_package(&wanted[0].0));
    }
}
