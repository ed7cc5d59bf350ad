//! Files that hold a secret: for their owner alone, or not at all.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind};

/// More bytes than any secret here has.
const LONGEST: u64 = 8192;

/// Reads a file that holds a `what`. One that others can read is refused.
pub(crate) fn read(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        let fault = format!("{what} file {shown} cannot be read: {error}");
        Failure::new(Kind::Usage, fault)
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let fault = format!("{what} file {shown} can be read by others");
        return Err(Failure::new(Kind::Refused, fault).with_hint(format!("chmod 600 {shown}")));
    }
    // Of its full size from the beginning: no copy stays behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST).unwrap_or(0)));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    match text.trim().is_empty() {
        true => Err(Failure::new(
            Kind::Usage,
            format!("{what} file {shown} is empty"),
        )),
        false => Ok(text),
    }
}
