//! A private folder for SoftHSM2's tokens.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that holds SoftHSM2's tokens and the configuration file that points at it.
///
/// SoftHSM2 learns its folder from the environment when the module starts, and a process cannot
/// safely change its own environment: hence whoever wants a private folder prepares it, then
/// starts the program that is to use it, itself again for instance, by [`SoftHsmFolder::apply`].
#[derive(Clone, Debug)]
pub struct SoftHsmFolder {
    configuration: PathBuf,
}

impl SoftHsmFolder {
    /// The environment variable that SoftHSM2 reads when it starts.
    pub const VARIABLE: &str = "SOFTHSM2_CONF";

    /// Makes `folder` ready: `softhsm2.conf` and `tokens/` in it, for this user only.
    ///
    /// A folder that was prepared before keeps its tokens; its configuration file is written anew
    /// where the folder was moved.
    ///
    /// # Errors
    /// Any input or output error; a path with a line break in it is refused.
    pub fn prepare(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let folder = folder.canonicalize()?;
        let tokens = folder.join("tokens");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&tokens)?;
        let tokens = tokens
            .to_str()
            .filter(|path| !path.contains(['\n', '\r', '#', '=']))
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the token folder's path has a character that softhsm2.conf cannot hold",
                )
            })?;
        let configuration = folder.join("softhsm2.conf");
        let text = format!(
            "directories.tokendir = {tokens}\n\
             objectstore.backend = file\n\
             log.level = ERROR\n\
             slots.removable = false\n"
        );
        if fs::read_to_string(&configuration).is_ok_and(|there| there == text) {
            return Ok(Self { configuration });
        }
        // Written beside and renamed, so that a process that starts meanwhile reads a whole file;
        // under a name of its own, so that two that prepare at once do not meet.
        let beside = folder.join(format!("softhsm2.conf.{}", std::process::id()));
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &configuration)?;
        Ok(Self { configuration })
    }

    /// Returns the path of the configuration file: the value that the variable must have.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// Sets the variable for a program that is about to be started.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(Self::VARIABLE, &self.configuration)
    }

    /// Returns whether `value`, the variable's value in this process, already points here.
    pub fn is_named_by(&self, value: Option<&OsStr>) -> bool {
        value.is_some_and(|value| Path::new(value) == self.configuration)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::SoftHsmFolder;

    #[test]
    fn folder_is_private_and_kept() {
        let parent = tempfile::tempdir().unwrap();
        let folder = SoftHsmFolder::prepare(&parent.path().join("keys")).unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let root = folder.configuration().parent().unwrap();
        assert_eq!(mode(root), 0o700);
        assert_eq!(mode(&root.join("tokens")), 0o700);
        assert_eq!(mode(folder.configuration()), 0o600);
        std::fs::write(root.join("tokens/kept"), b"x").unwrap();
        let again = SoftHsmFolder::prepare(root).unwrap();
        assert!(root.join("tokens/kept").exists());
        assert!(again.is_named_by(Some(folder.configuration().as_os_str())));
        assert!(!again.is_named_by(None));
    }

    #[test]
    fn unwritable_path_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        assert!(SoftHsmFolder::prepare(&parent.path().join("a\nlog.level = DEBUG")).is_err());
    }
}
