//! New PINs for a card that is made already: at a counter, over real PC/SC, from the paper of one
//! letter to the paper of the next.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use vcard::farm::Farm;
use vcard::{Fault, FaultKind};
use vprinter::VirtualPrinter;

use crate::missing;
use crate::world::{Demo, Ran, zimogs};

/// An office: an installation with one finished document, a reader, an envelope printer.
struct Office {
    demo: Demo,
    farm: Farm,
    folder: tempfile::TempDir,
    printer: VirtualPrinter,
    number: String,
}

impl Office {
    fn new() -> Self {
        let demo = Demo::run(&["--documents", "1"]);
        let folder = tempfile::tempdir().unwrap();
        let program = Farm::program_beside_current().expect("the vcard program");
        let farm = Farm::start(&program, &folder.path().join("farm"), 1).unwrap();
        let printer = VirtualPrinter::start(&folder.path().join("paper"), &[]).unwrap();
        let number = demo.with_certificates(0)["number"].as_str().unwrap();
        Self {
            number: number.to_owned(),
            demo,
            farm,
            folder,
            printer,
        }
    }

    /// The contact chip of a card, which is its second.
    fn card(&self, place: usize) -> PathBuf {
        self.demo.data.join(format!("cards/{place:05}-2.json"))
    }

    fn insert(&self, chip: &Path, fault: Option<Fault>) {
        let mut client = self.farm.client().unwrap();
        // The first time there is none.
        let _ = client.remove(0);
        client.insert(0, chip, fault).unwrap();
    }

    /// Runs `zimogs central …` on the installation, with the reader at hand.
    fn central(&self, arguments: &[&str]) -> Ran {
        let mut command = zimogs();
        command
            .arg("central")
            .args(arguments)
            .args(["--json", "--data"])
            .arg(&self.demo.data)
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            .env("ZIMOGS_STATE", self.folder.path().join("state"));
        Ran::of(command.output().unwrap())
    }

    /// Ends the program while it sets the PINs, on a chip that has stopped answering.
    fn kill_while_it_sets(&self) {
        let mut process = zimogs()
            .args(["central", "new-pins", &self.number])
            .args(["--cause", "letter lost", "--data"])
            .arg(&self.demo.data)
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            .env("ZIMOGS_STATE", self.folder.path().join("state"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while self.envelopes()[0].1 != "sealed" {
            assert!(process.try_wait().unwrap().is_none(), "it did not wait");
        }
        process.kill().unwrap();
        assert!(!process.wait().unwrap().success());
    }

    fn renew(&self, more: &[&str]) -> Ran {
        let arguments = ["new-pins", &self.number, "--cause", "letter lost"];
        self.central(&[&arguments[..], more].concat())
    }

    /// Prints the document's letter.
    fn print(&self) -> Ran {
        let address = self.printer.address();
        self.central(&["envelope", "print", &self.number, "--printer", &address])
    }

    /// Reads a PIN from the last paper; nothing where the page cannot be read on this machine.
    fn read(&self, title: &str) -> Option<String> {
        let paper = self.printer.paper().unwrap().pop().unwrap();
        let Ok(text) = fs::read_to_string(paper.with_extension("txt")) else {
            missing::program("pdftotext");
            return None;
        };
        let mut lines = text.lines().map(str::split_whitespace);
        let mut words = lines.find(|words| words.clone().next() == Some(title))?;
        words.nth(1).map(str::to_owned)
    }

    fn envelopes(&self) -> Vec<(String, String)> {
        let listed = self.central(&["envelope", "list"]).ends(0).json();
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        // The newest first.
        let lines = listed.as_array().unwrap().iter().rev();
        lines
            .map(|line| (text(line, "envelope"), text(line, "state")))
            .collect()
    }

    /// Unblocks PIN1 by a PUK, as a holder would at a counter: the chip says whether it is its own.
    fn unblocks(&self, puk: &str) -> i32 {
        let mut process = zimogs()
            .args([
                "card",
                "pin",
                "unblock",
                "--pin",
                "pin1",
                "--stdin",
                "--last-try",
            ])
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            .env("ZIMOGS_STATE", self.folder.path().join("counter"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        writeln!(input, "{puk}\n739184").unwrap();
        drop(input);
        Ran::of(process.wait_with_output().unwrap()).code
    }
}

#[test]
fn a_lost_letter_is_followed_by_another_whose_pins_are_the_cards() {
    let office = Office::new();
    office.print().ends(0);
    let old = office.read("PUK");

    // No card, another card, no right to it: nothing changes.
    office.renew(&[]).ends(3);
    office.insert(&office.card(2), None);
    let other = office.renew(&[]).ends(4);
    assert!(other.err.contains("as it was before"), "{}", other.err);
    assert_eq!(other.json()["set"], false);
    office.insert(&office.card(1), None);
    let refused = office.renew(&["--as", "envelope-clerk"]).ends(4);
    assert!(refused.err.contains("operator"), "{}", refused.err);
    assert_eq!(office.envelopes()[0].1, "printed");

    // Torn out while its PINs are set: no letter until it is done again.
    let torn = Fault {
        at: 9,
        kind: FaultKind::RemoveAfter,
    };
    office.insert(&office.card(1), Some(torn));
    let cut = office.renew(&[]).ends(3);
    assert!(cut.err.contains("do this again"), "{}", cut.err);
    assert_eq!(cut.json()["set"], false);
    office.print().ends(4);

    // Killed there: its journal is settled by the next one, which begins anew.
    let mute = Fault {
        at: 9,
        kind: FaultKind::Mute,
    };
    office.insert(&office.card(1), Some(mute));
    office.kill_while_it_sets();
    office.print().ends(4);

    office.insert(&office.card(1), None);
    let trace = office.folder.path().join("session.trace");
    let done = office
        .renew(&["--trace", trace.to_str().unwrap()])
        .ends(0)
        .json();
    assert_eq!((&done["set"], &done["fault"]), (&true.into(), &Value::Null));
    assert_eq!(done["product"], "lateid-v2");
    let states: Vec<_> = office
        .envelopes()
        .into_iter()
        .map(|(_, state)| state)
        .collect();
    assert_eq!(states, ["ready", "destroyed", "destroyed", "void"]);
    office.print().ends(0);
    office.print().ends(4);

    if let Some((old, new)) = old.zip(office.read("PUK")) {
        assert_ne!(old, new);
        assert_eq!(office.unblocks(&old), 1, "the old PUK is wrong");
        assert_eq!(office.unblocks(&new), 0, "the new one is the card's");
        let trace = fs::read_to_string(trace).unwrap();
        assert!(!trace.contains(&hex::encode(&new)), "in the trace");
    }
    // The document is what it was, and the journal of both attempts is with the centre.
    let documents = office.central(&["documents"]).ends(0).json();
    assert_eq!(documents[0]["state"], "personalized");
    assert_eq!(office.printer.paper().unwrap().len(), 2);
}
