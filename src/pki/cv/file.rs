//! Files that are written whole, and never over another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes a new file: whole or not at all, on disk when this returns, and never over one that is
/// there.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where a file has that name; any other where it cannot be
/// written.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = write_beside(&beside, path, bytes);
    // What a crash leaves beside is no certificate by its name, and in nobody's way.
    let removed = fs::remove_file(&beside);
    written?;
    removed?;
    match path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn write_beside(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A link, unlike a renaming, fails where the name is taken.
    fs::hard_link(beside, path)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::write_new;

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_new(&path, b"first").unwrap();
        assert_eq!(
            write_new(&path, b"other").unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_new(&folder.path().join("none/file"), b"first").is_err());
    }
}
