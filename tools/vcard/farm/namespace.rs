//! From outside to inside: the same program again, in mount, network and process namespaces
//! of its own. When the outer process goes, for whatever reason, the pipe to the inner one
//! closes and the inner one ends; with it, being first in its namespace, everything there.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use thiserror::Error;

/// The namespaces: mounts, because pcscd's socket folder is fixed; network, because vpcd
/// listens on all interfaces; processes, so that nothing stays behind.
const NAMESPACES: [&str; 5] = [
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--kill-child=SIGKILL",
];

/// Says why the farm cannot enter its namespaces.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The system lacks a program.
    #[error("{0} not found; install the package that has it ({1})")]
    Missing(&'static str, &'static str),
    /// The kernel or its policy refused.
    #[error("namespaces not permitted ({0}); run as root, or allow unprivileged user namespaces")]
    NotPermitted(String),
    /// A process could not be started or waited for.
    #[error("cannot run {0}")]
    Run(PathBuf, #[source] io::Error),
}

/// Runs the inner process until it ends or this process's standard input closes; returns
/// how it ended.
///
/// # Errors
/// [`NamespaceError`], with what to do about it.
pub fn enter(folder: &Path, readers: usize) -> Result<ExitStatus, NamespaceError> {
    let user = permitted()?;
    let own = std::env::current_exe().map_err(|e| NamespaceError::Run("vcard".into(), e))?;
    let mut inner = Command::new("unshare")
        .args(user)
        .args(NAMESPACES)
        .arg("--")
        .arg(&own)
        .arg("farm-inside")
        .arg("--dir")
        .arg(folder)
        .arg("--readers")
        .arg(readers.to_string())
        // The farm's own client must find the farm's own pcscd.
        .env_remove("PCSCLITE_CSOCK_NAME")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| NamespaceError::Run("unshare".into(), error))?;
    end_with_standard_input(&mut inner);
    inner
        .wait()
        .map_err(|error| NamespaceError::Run(own, error))
}

/// Closes the pipe to the inner process when our own standard input closes.
fn end_with_standard_input(inner: &mut Child) {
    let pipe = inner.stdin.take();
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut ignored = [0; 256];
        while matches!(input.read(&mut ignored), Ok(1..)) {}
        drop(pipe);
    });
}

/// Finds out how namespaces may be made here: as they are, or as root of a user namespace.
fn permitted() -> Result<&'static [&'static str], NamespaceError> {
    let mut refused = String::new();
    for user in [&[][..], &["--map-root-user"]] {
        let tried = Command::new("unshare")
            .args(user)
            .args(NAMESPACES)
            .args(["--", "true"])
            .stdin(Stdio::null())
            .output();
        match tried {
            Ok(output) if output.status.success() => return Ok(user),
            Ok(output) => refused = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(NamespaceError::Missing("unshare", "util-linux"));
            }
            Err(error) => return Err(NamespaceError::Run("unshare".into(), error)),
        }
    }
    Err(NamespaceError::NotPermitted(refused))
}
