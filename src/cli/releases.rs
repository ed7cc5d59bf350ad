//! The files of releases (`releases/chips/NAME.release`, beside it `documents/`, `certificates/`,
//! `printers/` and `sheets/`) and the list of those who may release.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use profile::{ProfileKind, ReleaseShelf, Releasers};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;

/// The folder of the releases, beside those of the profiles.
pub(crate) const FOLDER: &str = "releases";
/// The ending of a release's file.
const ENDING: &str = "release";

/// Puts the releases of a folder on a shelf; a folder that is missing has none.
pub(crate) fn lay_over(shelf: &mut ReleaseShelf, folder: &Path) -> Result<(), Failure> {
    for kind in ProfileKind::ALL {
        let folder = folder.join(kind.folder());
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&folder, &error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            {
                shelf.put(kind, name, read(&path)?);
            }
        }
    }
    Ok(())
}

/// Reads a list of releasers.
pub(crate) fn releasers(path: &Path) -> Result<Releasers, Failure> {
    let text = String::from_utf8(read(path)?).map_err(|_| {
        let fault = format!("{} is no text", path.display());
        Failure::new(Kind::Usage, fault)
    })?;
    Releasers::parse(&text).map_err(|error| {
        Failure::of(Kind::Usage, &error).with_hint(format!(
            "{}: one verifier key a line, as zimogs profile sign --new-key prints it",
            path.display()
        ))
    })
}

/// Reads a file that is not long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read(path, files::SHORT)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let fault = format!("{} cannot be read: {error}", path.display());
    Failure::new(Kind::Usage, fault)
}

/// Writes a release, whole or not at all; its folder is made where it is missing.
pub(crate) fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        // Everybody may read a release.
        let everybody = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(everybody)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        let fault = format!("{} cannot be written: {error}", path.display());
        Failure::new(Kind::Failed, fault)
    })
}

/// Reads the release that a file holds, if it is there.
pub(crate) fn existing(path: &Path) -> Result<Option<profile::Release>, Failure> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let release = profile::Release::parse(&read(path)?).or_fail(Kind::Integrity);
    release
        .map(Some)
        .map_err(|failure| failure.with_hint(format!("get the right {} again", path.display())))
}
