//! Applets over a real pcscd, judged by programs that do not know that the card is virtual. Where
//! one of them is missing, the test says so and passes, except in `tools/test`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "gids/judges.rs"]
mod gids;
#[path = "../../tests/missing/missing.rs"]
mod missing;
#[path = "openpgp/judges.rs"]
mod openpgp;
#[path = "piv/judges.rs"]
mod piv;

use std::path::{Path, PathBuf};
use std::process::Command;

use vcard::farm::Farm;
use vcard::{Chip, ChipNumber, FileStore, Product, TransportMasterKey};

/// A farm with one card, and a folder for what the tools write.
struct Desk {
    farm: Farm,
    folder: tempfile::TempDir,
}

impl Desk {
    /// Starts one with a blank of a product; `None` where this machine lacks something, which is
    /// said.
    fn with(product: &str, tools: &[&str]) -> Option<Self> {
        for tool in tools {
            if Command::new(tool).arg("--version").output().is_err() {
                missing::program(tool);
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_vcard"));
        let farm = match Farm::start(program, &folder.path().join("farm"), 1) {
            Ok(farm) => farm,
            Err(error) if error.is_lack() => {
                missing::program(&error.to_string());
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let state = folder.path().join("card.json");
        let key = TransportMasterKey::new([0x55; 16]);
        let number = ChipNumber::new([0, 1], [0, 0, 0, 1]);
        let product = Product::find(product).unwrap();
        Chip::blank(product, number, &key, FileStore::create(&state).unwrap()).unwrap();
        farm.client().unwrap().insert(0, &state, None).unwrap();
        Some(Self { farm, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs a tool in the folder; returns whether it was content, and all that it said.
    fn run(&self, tool: &str, arguments: &str) -> (bool, String) {
        let output = Command::new("timeout")
            .args(["60", tool])
            .args(arguments.split_whitespace())
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            // What OpenSC remembers of other cards is no judge of this one.
            .env("XDG_CACHE_HOME", self.folder.path())
            .env("GNUPGHOME", self.path("gnupg"))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }

    fn good(&self, tool: &str, arguments: &str) -> String {
        let (content, said) = self.run(tool, arguments);
        assert!(content, "{tool} {arguments}: {said}");
        said
    }

    fn refused(&self, tool: &str, arguments: &str) -> String {
        let (content, said) = self.run(tool, arguments);
        assert!(!content, "{tool} {arguments}: {said}");
        said
    }
}
