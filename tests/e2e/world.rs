//! What the tests share: the program, and one run of the demo that several tests look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

/// The program under test.
pub(crate) fn zimogs() -> Command {
    Command::new(env!("CARGO_BIN_EXE_zimogs"))
}

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command; panics with all that it said when it fails.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Returns what a command printed, as text.
pub(crate) fn text(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// Returns what a command printed, as JSON.
pub(crate) fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&run(command).stdout).unwrap()
}

/// What a run of the program left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Demands an exit code.
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The verdict on one check of `card verify --json`.
    pub(crate) fn verdict(&self, check: &str) -> String {
        let report = self.json();
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|found| found["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no check \"{check}\" in {report:#}"));
        found["verdict"].as_str().unwrap().to_owned()
    }
}

/// The chip maker's transport master key in the runs that are searched for it.
pub(crate) const CANARY: [u8; 16] =
    *b"\x9E\x37\x79\xB9\x7F\x4A\x7C\x15\xF3\x9C\xC0\x60\x5C\xED\xC8\x34";

/// A finished run of the demo.
pub(crate) struct Demo {
    _folder: tempfile::TempDir,
    /// The profiles that are laid over the shipped ones when it is asked anything.
    profiles: PathBuf,
    /// What it wrote.
    pub(crate) data: PathBuf,
    /// What it printed.
    pub(crate) report: Value,
}

impl Demo {
    /// Runs the demo with these profiles over the shipped ones, and these options.
    pub(crate) fn with_profiles(profiles: PathBuf, options: &[&str]) -> Self {
        let over = ["--profiles", profiles.to_str().unwrap()];
        let ran = Self::run(&[&over, options].concat());
        Self { profiles, ..ran }
    }

    /// Runs the demo with these options besides.
    pub(crate) fn run(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let report = json(
            zimogs()
                .env("CANARY_TRANSPORT_KEY", hex::encode(CANARY))
                .args(["demo", "--exit-when-done", "--json", "--data"])
                .arg(&data)
                .args(options),
        );
        Self {
            _folder: folder,
            profiles: project("tests/profiles"),
            data,
            report,
        }
    }

    /// What lies in a folder that a test made otherwise.
    pub(crate) fn at(data: PathBuf) -> Self {
        Self {
            _folder: tempfile::tempdir().unwrap(),
            profiles: project("tests/profiles"),
            data,
            report: Value::Null,
        }
    }

    /// The program, on this installation with its profiles: those for judges, unless it has others.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command.args(arguments);
        command.arg("--profiles").arg(&self.profiles);
        command
    }

    /// `zimogs central` on this installation.
    pub(crate) fn central(&self, arguments: &[&str]) -> Command {
        let arguments = [&["central"], arguments].concat();
        let mut command = self.command(&arguments);
        command.arg("--data").arg(&self.data);
        command
    }

    /// Every file of the exported log, one after the other.
    pub(crate) fn log(&self) -> String {
        let out = tempfile::tempdir().unwrap();
        let export = out.path().join("log");
        run(self
            .command(&["audit", "export", "--out", export.to_str().unwrap()])
            .arg("--data")
            .arg(&self.data));
        let mut found = String::new();
        let mut folders = vec![export];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap())),
                }
            }
        }
        found
    }

    /// The documents.
    pub(crate) fn documents(&self) -> &[Value] {
        self.report["documents"].as_array().unwrap()
    }

    /// The n-th document that has certificates.
    pub(crate) fn with_certificates(&self, n: usize) -> &Value {
        let has = |document: &&Value| {
            document["certificates"]
                .as_array()
                .is_some_and(|list| list.len() == 2)
        };
        self.documents().iter().filter(has).nth(n).unwrap()
    }
}

/// Every sample on the shipped profiles.
pub(crate) static SAMPLES: LazyLock<Demo> = LazyLock::new(|| Demo::run(&[]));

/// Some samples on the chip that OpenSC knows, with PINs of twelve digits and a known transport
/// key.
pub(crate) static JUDGED: LazyLock<Demo> = LazyLock::new(judged);

/// Runs the demo for judges, for a test that wants its folder for itself.
pub(crate) fn judged() -> Demo {
    let profiles = project("tests/profiles");
    Demo::run(&[
        "--documents",
        "6",
        "--product",
        "esteid-2018",
        "--profiles",
        profiles.to_str().unwrap(),
        "--transport-key-env",
        "CANARY_TRANSPORT_KEY",
    ])
}
