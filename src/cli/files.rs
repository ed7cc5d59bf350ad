//! Files that a command reads, never cut short, and files that it makes, never over another.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::cli::failure::{Failure, Kind};

/// More than a certificate, a request or a command's own notes have, in bytes.
pub(crate) const SHORT: usize = 1 << 20;

/// Reads a file of at most so many bytes; a longer one is refused.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let mut bytes = Vec::new();
    // One byte more tells a file that is too long.
    File::open(path)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::new(Kind::Usage, format!("{shown} cannot be read: {error}")))?;
    if bytes.len() > most {
        let fault = format!("{shown} is longer than {most} bytes, which no such file is");
        return Err(Failure::new(Kind::Usage, fault));
    }
    Ok(bytes)
}

/// Reads a TOML file; what is wrong with it is told with its place.
pub(crate) fn toml<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let shown = path.display();
    let fault = |reason: String| Failure::new(Kind::Usage, format!("{shown}: {reason}"));
    let bytes = read(path, SHORT)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| fault(error.to_string()))?;
    ::toml::from_str(text).map_err(|error| fault(error.to_string().trim_end().to_owned()))
}

/// Writes a new file, on disk when this returns; one that is there stays as it is.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    pki::write_new(path, bytes).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => taken(path),
        _ => {
            let fault = format!("{} cannot be written: {error}", path.display());
            Failure::new(Kind::Failed, fault)
        }
    })
}

/// Refuses a name that is taken: before a key is made, or anything else is done for the file.
pub(crate) fn be_free(path: &Path) -> Result<(), Failure> {
    match path.exists() {
        true => Err(taken(path)),
        false => Ok(()),
    }
}

fn taken(path: &Path) -> Failure {
    let fault = format!("{} is there already", path.display());
    Failure::new(Kind::Refused, fault).with_hint("nothing is written over; name another file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.mls");
        std::fs::write(&path, vec![0x30; SHORT + 1]).unwrap();
        assert!(read(&path, SHORT).is_err());
        assert_eq!(read(&path, SHORT + 1).unwrap().len(), SHORT + 1);
    }
}
