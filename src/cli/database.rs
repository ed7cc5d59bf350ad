//! Where the books of an installation are, as `installation.toml` says it.
//!
//! ```text
//! [database]                       # nothing of it: SQLite, in the installation's folder
//! url = "postgres:///zimogs?host=/run/postgresql&user=zimogs"
//! password_file = "database.password"
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use central::{DatabaseSource, PostgresAddress};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind};

/// The file of the books where nothing else is said.
const FILE: &str = "central.db";

/// The longest password that is read, in bytes.
const LONGEST: u64 = 1_024;

/// A database of a PostgreSQL server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    url: String,
    /// The file of the password alone, where the server wants one.
    password_file: Option<PathBuf>,
}

impl Part {
    /// Names a database by its URL, and the file of its password.
    pub(crate) fn new(url: String, password_file: Option<PathBuf>) -> Self {
        Self { url, password_file }
    }

    /// Takes the paths as they are seen from a folder.
    pub(crate) fn seen_from(&mut self, folder: &Path) {
        if let Some(file) = &mut self.password_file {
            *file = folder.join(&*file);
        }
    }
}

/// Returns where the books of the installation in this folder are.
pub(crate) fn source(part: Option<&Part>, folder: &Path) -> Result<DatabaseSource, Failure> {
    let Some(part) = part else {
        return Ok(DatabaseSource::Sqlite(folder.join(FILE)));
    };
    let password = part.password_file.as_ref();
    let password = password.map(|file| password_of(&folder.join(file)));
    let password = password.transpose()?;
    let address = PostgresAddress::parse(&part.url, password.as_ref().map(|text| text.as_str()));
    Ok(DatabaseSource::Postgres(address.map_err(Failure::from)?))
}

/// Reads a password: the first line of a file that nobody else reads.
fn password_of(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let fault = |reason: &str| {
        let fault = format!("the database's password file {}: {reason}", path.display());
        Failure::new(Kind::Usage, fault)
    };
    let found = fs::metadata(path).map_err(|error| fault(&error.to_string()))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(fault("others may read it").with_hint("chmod 600 it, and change the password"));
    }
    if !found.is_file() || found.len() > LONGEST {
        return Err(fault("it is no file of one password"));
    }
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| fault(&error.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(fault("it is empty")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_comes_from_a_file_of_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let part: Part = toml::from_str(
            "url = \"postgres://zimogs@localhost/zimogs\"\npassword_file = \"secret\"\n",
        )
        .unwrap();
        let secret = folder.path().join("secret");
        assert!(source(Some(&part), folder.path()).is_err(), "there is none");
        fs::write(&secret, "sesam öffne dich\n").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
        let open = source(Some(&part), folder.path()).unwrap_err();
        let open = format!("{open:?}");
        assert!(open.contains("others may read it"), "{open}");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let found = source(Some(&part), folder.path()).unwrap();
        assert!(!format!("{found:?}").contains("sesam"));
        fs::write(&secret, "\n").unwrap();
        assert!(source(Some(&part), folder.path()).is_err(), "it is empty");
    }

    #[test]
    fn without_a_word_it_is_a_file_of_the_folder() {
        let DatabaseSource::Sqlite(file) = source(None, Path::new("/var/lib/zimogs")).unwrap()
        else {
            panic!("it is a server");
        };
        assert_eq!(file, Path::new("/var/lib/zimogs/central.db"));
    }
}
