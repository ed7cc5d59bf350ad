//! A vault with a token and two officers, and the terminal at which its ceremonies are held.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Ran, json, run, text, zimogs};

/// A vault: a folder with a token, two officers and a protocol.
pub(crate) struct Vault {
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) const OFFICERS: [&str; 2] = ["anna", "juris"];

impl Vault {
    pub(crate) fn new() -> Self {
        let vault = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for person in OFFICERS {
            let key = vault.path(&format!("{person}.pem"));
            let line = text(
                zimogs()
                    .args(["profile", "sign", "--as", person, "--new-key"])
                    .arg(key),
            );
            let list = vault.path("officers.txt");
            let before = fs::read_to_string(&list).unwrap_or_default();
            fs::write(list, before + &line).unwrap();
        }
        vault.token_file("token.toml", "softhsm");
        let init = ["hsm", "init", "--so-pin-file", "so-pin"];
        run(&mut vault.officers_do(&init));
        vault
    }

    pub(crate) fn token_file(&self, name: &str, tokens: &str) {
        let text = format!(
            "label = \"vault\"\npin_file = \"pin\"\ntokens = \"{tokens}\"\n\
             officers = \"officers.txt\"\nprotocol = \"protocol\"\n"
        );
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command without officers.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command
            .args(arguments)
            .args(["--token", "token.toml"])
            .current_dir(self.folder.path());
        command
    }

    /// A command that both officers sign.
    pub(crate) fn officers_do(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        for person in OFFICERS {
            command.args(["--officer", &format!("{person}={person}.pem")]);
        }
        command
    }

    pub(crate) fn ran(command: &mut Command) -> Ran {
        Ran::of(command.stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn pkcs11_tool(&self, arguments: &[&str]) -> Output {
        let module = "/usr/lib/softhsm/libsofthsm2.so";
        let pin = fs::read_to_string(self.path("pin")).unwrap();
        Command::new("pkcs11-tool")
            .env("SOFTHSM2_CONF", self.path("softhsm/softhsm2.conf"))
            .args(["--module", module, "--token-label", "vault", "--login"])
            .args(["--pin", pin.trim()])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What pkcs11-tool lists.
    pub(crate) fn objects(&self) -> String {
        String::from_utf8(self.pkcs11_tool(&["--list-objects"]).stdout).unwrap()
    }

    /// The command that verifies the protocol.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command
            .args(["hsm", "ceremony", "verify", "protocol"])
            .args(["--officers", "officers.txt"])
            .args(arguments)
            .current_dir(self.folder.path());
        command
    }

    pub(crate) fn protocol(&self) -> Value {
        json(&mut self.verify(&["--json"]))
    }

    pub(crate) fn kcv(&self, label: &str) -> String {
        text(&mut self.command(&["hsm", "kcv", label]))
            .trim()
            .to_owned()
    }

    /// Begins to split a new key among custodians, of whom two are needed.
    pub(crate) fn splitting(
        &self,
        label: &str,
        kind: &str,
        role: &str,
        custodians: &[&str],
    ) -> Stage {
        let mut arguments = vec!["hsm", "ceremony", "split", kind, "--label", label];
        arguments.extend(["--as", role, "--threshold", "2"]);
        for custodian in custodians {
            arguments.extend(["--custodian", custodian]);
        }
        Stage::new(&self.officers_do(&arguments))
    }

    /// Splits a new key among three custodians, of whom two are needed; returns their papers.
    pub(crate) fn split(&self, label: &str, kind: &str, role: &str) -> Vec<Vec<String>> {
        let custodians = ["ilze", "zane", "peteris"];
        let mut stage = self.splitting(label, kind, role, &custodians);
        let papers = custodians.map(|custodian| stage.write_down(custodian));
        let (code, seen) = stage.end();
        assert_eq!(code, 0, "{seen}");
        papers.to_vec()
    }
}

/// A terminal at which the program runs, and the people in front of it.
pub(crate) struct Stage {
    child: std::process::Child,
    pub(crate) keyboard: std::process::ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
    /// How much of what was seen has been read.
    read: usize,
}

impl Stage {
    /// Starts a command at a terminal of its own: util-linux's `script` makes one.
    pub(crate) fn new(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap()));
        // `exec`: a shell that stays dies of Ctrl-C itself, and its end hides the command's.
        let line = format!("exec {}", quoted.collect::<Vec<_>>().join(" "));
        let mut child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
            read: 0,
        }
    }

    /// Waits until the screen shows a text, and returns what came before it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                let before = self.seen[self.read..self.read + at].to_owned();
                self.read += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("no {text:?} ({error}); the screen shows {:?}", self.seen),
            }
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
        self.keyboard.flush().unwrap();
    }

    /// A custodian comes, writes the share down, and types its end. Returns the paper.
    pub(crate) fn write_down(&mut self, custodian: &str) -> Vec<String> {
        self.until(&format!("{custodian}: your share of the key comes now."));
        self.until("Press Enter");
        self.type_line("");
        self.until("bring the key back.");
        let shown = self.until("Write it down");
        let lines = shown
            .lines()
            .filter_map(|line| line.trim().split_once("   "));
        let paper: Vec<String> = lines.map(|(_, line)| line.to_owned()).collect();
        self.until("last six characters of what you wrote: ");
        self.type_line("QQQQQQ");
        self.until("These are not the last six.");
        self.until("last six characters of what you wrote: ");
        let letters = paper.concat().replace(' ', "");
        self.type_line(&letters[letters.len() - 6..].to_lowercase());
        paper
    }

    /// A custodian comes and types a share.
    pub(crate) fn bring(&mut self, custodian: &str, paper: &[String]) {
        self.until(&format!(
            "{custodian}: your share of the key is needed now."
        ));
        self.until("Press Enter");
        self.type_line("");
        self.type_paper(paper);
    }

    pub(crate) fn type_paper(&mut self, paper: &[String]) {
        for (line, number) in paper.iter().zip(1..) {
            self.until(&format!("  {number}   "));
            self.type_line(&line.to_lowercase());
        }
    }

    /// Waits for the end; returns the exit code and all that was on the screen.
    pub(crate) fn end(mut self) -> (i32, String) {
        drop(self.keyboard);
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_secs(60)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (self.child.wait().unwrap().code().unwrap(), self.seen)
    }
}

/// The same command where there is no terminal, also if the tests run at one.
pub(crate) fn without_terminal(command: &Command) -> Command {
    let mut apart = Command::new("setsid");
    apart
        .arg("--wait")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    apart
}
