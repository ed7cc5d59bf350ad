//! A farm in which OpenSC's tools judge chips, for the library's own tests.

use std::path::Path;
use std::process::Command;

use crate::farm::Farm;
use crate::missing;

/// Starts a farm; `None` where this machine lacks something, which is said.
pub(crate) fn farm(folder: &Path, readers: usize) -> Option<Farm> {
    for tool in ["opensc-tool", "pkcs15-init", "pkcs15-tool", "pkcs11-tool"] {
        if Command::new(tool).arg("--version").output().is_err() {
            missing::program(tool);
            return None;
        }
    }
    let Some(program) = Farm::program_beside_current() else {
        missing::program("the program vcard (cargo build -p vcard)");
        return None;
    };
    match Farm::start(&program, folder, readers) {
        Ok(farm) => Some(farm),
        Err(error) if error.is_lack() => {
            missing::program(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}
