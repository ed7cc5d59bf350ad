//! A holder's PINs at the counter: looked at, changed, blocked, unblocked, over real PC/SC; the
//! software that people use such cards with says which PIN is right afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use print::{
    EnvelopeLetter, EnvelopePrinter, LetterPin, Patience, PjlPrinter, SheetKind, SheetLayout,
};
use serde_json::{Value, json};
use vcard::ReaderBuffer;
use vprinter::VirtualPrinter;

use crate::bench::Bench;
use crate::missing;
use crate::world::{Ran, zimogs};

/// A holder's card in a reader.
struct Holder {
    bench: Bench,
    pins: BTreeMap<String, String>,
}

impl Holder {
    fn of(chip: &str, document: &str) -> Self {
        let mut bench = Bench::new();
        let blank = bench.blank(chip);
        bench.insert(&blank, ReaderBuffer::default(), None);
        let number = "XA0000001";
        bench.make(chip, document, number, &[]).ends(0);
        let told = bench.card(&["envelope", number, "--trial", "trial"]);
        let told = told.ends(0);
        let pins = told.out.lines().filter_map(|line| line.split_once(' '));
        let pins = pins.map(|(name, pin)| (name.to_owned(), pin.trim().to_owned()));
        Self {
            pins: pins.collect(),
            bench,
        }
    }

    fn own(&self, name: &str) -> &str {
        &self.pins[name]
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command
            .args(["card", "pin"])
            .args(arguments)
            .current_dir(self.bench.path(""))
            .env("PCSCLITE_CSOCK_NAME", self.bench.farm.pcsc())
            .env("ZIMOGS_STATE", self.bench.path("state"));
        command
    }

    /// Runs `zimogs card pin` with these lines on its standard input. None of them is shown, and
    /// none stands in the trace.
    fn pin(&self, arguments: &[&str], lines: &[&str]) -> Ran {
        let trace = ["--stdin", "--trace", "session.trace"];
        let mut process = self
            .command(&[arguments, &trace[..]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        for line in lines {
            // What is refused before is not read.
            let _ = writeln!(input, "{line}");
        }
        drop(input);
        let ran = Ran::of(process.wait_with_output().unwrap());
        let trace = fs::read_to_string(self.bench.path("session.trace")).unwrap_or_default();
        for line in lines {
            // Shorter digits stand in other numbers by chance.
            let [out, err, trace] = [&ran.out, &ran.err, &trace].map(|text| text.to_lowercase());
            let shows = |text: &str, least| line.len() >= least && text.contains(line);
            assert!(
                !shows(&out, 6) && !shows(&err, 6) && !shows(&trace, 8),
                "shown"
            );
            let coded = hex::encode(line);
            assert!(line.len() < 4 || !trace.contains(&coded), "in the trace");
        }
        ran
    }

    fn status(&self) -> Value {
        let ran = Ran::of(self.command(&["status", "--json"]).output().unwrap());
        ran.ends(0).json()
    }

    fn left(&self, name: &str) -> Value {
        let status = self.status();
        let pins = status["pins"].as_array().unwrap();
        let pin = pins.iter().find(|pin| pin["name"] == name).unwrap();
        pin["left"].clone()
    }

    fn judge(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("XDG_CACHE_HOME", self.bench.path("cache"))
            .env("PCSCLITE_CSOCK_NAME", self.bench.farm.pcsc());
        Ran::of(command.output().unwrap())
    }
}

#[test]
fn a_holder_changes_blocks_and_unblocks_the_pins_of_an_eid() {
    let holder = Holder::of("lateid-v2", "id-card");
    let (pin1, pin2, puk) = (holder.own("pin1"), holder.own("pin2"), holder.own("puk"));
    let status = holder.status();
    assert_eq!(status["product"], "lateid-v2");
    assert_eq!(status["pin_pad"], false);
    for pin in status["pins"].as_array().unwrap() {
        let tries = (&pin["left"], &pin["of"], &pin["blocked"]);
        assert_eq!(tries, (&json!(3), &json!(3), &json!(false)), "{pin}");
        let unblocked = if pin["name"] == "puk" {
            Value::Null
        } else {
            json!("puk")
        };
        assert_eq!(
            (&pin["can_change"], &pin["unblocked_by"]),
            (&json!(true), &unblocked)
        );
    }

    // Which PIN is not said; no PIN of that name; one that nothing unblocks.
    holder.pin(&["change"], &[pin1, "739184"]).ends(2);
    holder
        .pin(&["change", "--pin", "pin9"], &[pin1, "739184"])
        .ends(2);
    holder
        .pin(&["unblock", "--pin", "puk"], &[pin1, "739184"])
        .ends(4);

    // Refused before anything is sent.
    for (new, fault) in [
        ("123", "a PIN of 3 digits"),
        ("7391845062738", "a PIN of 13 digits"),
        ("73918a", "decimal digits only"),
        ("1234", "go up or down by one"),
        ("7373", "repeated"),
        ("2580", "very many people"),
        (pin1, "that was given"),
    ] {
        let refused = holder
            .pin(&["change", "--pin", "pin1"], &[pin1, new])
            .ends(2);
        assert!(refused.err.contains(fault), "{new}: {}", refused.err);
        assert!(refused.err.contains("nothing was tried"), "{}", refused.err);
    }
    holder
        .pin(&["change", "--pin", "pin1"], &["12x4", "739184"])
        .ends(2);
    holder.pin(&["change", "--pin", "pin1"], &[pin1]).ends(2);
    // PIN2 has six digits at least.
    holder
        .pin(&["change", "--pin", "pin2"], &[pin2, "7391"])
        .ends(2);
    assert_eq!(holder.left("pin1"), 3, "none of these was a try");

    // Changed; the old one is wrong afterwards, and costs a try.
    let changed = holder.pin(
        &["change", "--pin", "pin1", "--json"],
        &[pin1, "739184062715"],
    );
    let changed = changed.ends(0).json();
    assert_eq!(
        (&changed["done"], &changed["entered"], &changed["presented"]),
        (&json!(true), &json!("stdin"), &json!("pin1"))
    );
    let wrong = holder.pin(&["change", "--pin", "pin1", "--json"], &[pin1, "506273"]);
    let wrong = wrong.ends(1).json();
    assert_eq!(
        (&wrong["done"], &wrong["left_before"], &wrong["left_after"]),
        (&json!(false), &json!(3), &json!(2))
    );
    let wrong = holder
        .pin(&["change", "--pin", "pin1"], &[pin1, "506273"])
        .ends(1);
    assert!(wrong.err.contains("1 of 3 tries left"), "{}", wrong.err);

    // The last try is refused, unless it is wanted; then it blocks.
    let last = holder.pin(&["change", "--pin", "pin1"], &["739184062715", "506273"]);
    assert!(last.ends(4).err.contains("--last-try"));
    let blocked = holder.pin(
        &["change", "--pin", "pin1", "--last-try"],
        &[pin1, "506273"],
    );
    let blocked = blocked.ends(1);
    assert!(blocked.err.contains("blocked"), "{}", blocked.err);
    assert!(
        blocked.err.contains("this is the last try"),
        "{}",
        blocked.err
    );
    assert_eq!(holder.left("pin1"), 0);
    let refused = holder
        .pin(&["change", "--pin", "pin1"], &["739184062715", "506273"])
        .ends(4);
    assert!(
        refused.err.contains("zimogs card pin unblock --pin pin1"),
        "{}",
        refused.err
    );

    // A wrong PUK costs one of its own tries; the right one unblocks.
    let wrong = holder
        .pin(&["unblock", "--pin", "pin1"], &["918273645", "506273"])
        .ends(1);
    assert!(
        wrong.err.contains("PUK is wrong; 2 of 3 tries left"),
        "{}",
        wrong.err
    );
    assert_eq!(
        (holder.left("pin1"), holder.left("puk")),
        (json!(0), json!(2))
    );
    holder
        .pin(&["unblock", "--pin", "pin1"], &[puk, "506273"])
        .ends(0);
    assert_eq!(
        (holder.left("pin1"), holder.left("puk")),
        (json!(3), json!(3))
    );
    holder
        .pin(&["change", "--pin", "pin1"], &["506273", "628401"])
        .ends(0);

    // PIN2 lives in an application of its own.
    holder
        .pin(&["change", "--pin", "pin2"], &[pin2, "940617"])
        .ends(0);
    holder
        .pin(&["unblock", "--pin", "pin2"], &[puk, "061749"])
        .ends(0);
    // The PUK itself is the holder's to change.
    holder
        .pin(&["change", "--pin", "puk"], &[puk, "84026173"])
        .ends(0);
    holder
        .pin(&["unblock", "--pin", "pin2"], &["84026173", "940618"])
        .ends(0);

    // The trace shows what was done and no PIN.
    let trace = fs::read_to_string(holder.bench.path("session.trace")).unwrap();
    assert!(trace.contains("> 002c008518 [24]"), "{trace}");
}

#[test]
fn piv_and_opensc_software_take_the_new_pin_alone() {
    let holder = Holder::of("piv", "piv-card");
    let (pin, puk) = (holder.own("pin1"), holder.own("puk"));
    let takes = |holder: &Holder, pin: &str| {
        let verify = ["-r", "slot 1", "-a", "verify-pin", "-P", pin];
        holder.judge("yubico-piv-tool", &verify).code == 0
    };
    // One PIN and its PUK: the PIN is meant.
    holder.pin(&["change"], &[pin, "739184"]).ends(0);
    assert!(takes(&holder, "739184") && !takes(&holder, pin));
    holder.pin(&["unblock"], &[puk, "50627384"]).ends(0);
    assert!(takes(&holder, "50627384") && !takes(&holder, "739184"));
    drop(holder);

    let holder = Holder::of("isoapplet-v0", "isoapplet-card");
    let (pin, puk) = (holder.own("pin1"), holder.own("puk"));
    let takes = |holder: &Holder, pin: &str| {
        let verify = ["--verify-pin", "--auth-id", "ff", "--pin", pin];
        holder.judge("pkcs15-tool", &verify).code == 0
    };
    holder.pin(&["change"], &[pin, "739184"]).ends(0);
    assert!(takes(&holder, "739184") && !takes(&holder, pin));
    // This chip does not say how many tries its PUK has.
    let wrong = holder.pin(&["unblock", "--json"], &["918273645", "506273"]);
    assert_eq!(wrong.ends(1).json()["left_before"], Value::Null);
    holder.pin(&["unblock"], &[puk, "506273"]).ends(0);
    assert!(takes(&holder, "506273") && !takes(&holder, "739184"));
}

/// A terminal, by util-linux's `script`.
struct Terminal {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
    shown: String,
}

impl Terminal {
    /// Waits for a prompt and types an answer.
    fn answer(&mut self, prompt: &str, answer: &str) {
        let mut byte = [0];
        while !self.shown.ends_with(prompt) {
            let read = self.output.read(&mut byte).unwrap();
            assert!(read > 0, "no \"{prompt}\" in {}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
        writeln!(self.input, "{answer}").unwrap();
    }

    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        let code = self.process.wait().unwrap().code().unwrap();
        (code, self.shown + &String::from_utf8(rest).unwrap())
    }
}

impl Holder {
    fn terminal(&self, arguments: &str) -> Terminal {
        let command = format!("{} card pin {arguments}", env!("CARGO_BIN_EXE_zimogs"));
        let mut process = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(self.bench.path(""))
            .env("PCSCLITE_CSOCK_NAME", self.bench.farm.pcsc())
            .env("ZIMOGS_STATE", self.bench.path("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Terminal {
            input: process.stdin.take().unwrap(),
            output: process.stdout.take().unwrap(),
            process,
            shown: String::new(),
        }
    }
}

#[test]
fn a_terminal_shows_no_digit() {
    let holder = Holder::of("piv", "piv-card");
    let pin = holder.own("pin1");
    let mut terminal = holder.terminal("change");
    terminal.answer("\nPIN: ", pin);
    terminal.answer("new PIN: ", "739184");
    terminal.answer("new PIN again: ", "739185");
    let (code, shown) = terminal.end();
    assert_eq!(code, 2, "{shown}");
    assert!(
        shown.contains("the two entries of the new PIN differ"),
        "{shown}"
    );

    let mut terminal = holder.terminal("change");
    terminal.answer("\nPIN: ", pin);
    terminal.answer("new PIN: ", "739184");
    terminal.answer("new PIN again: ", "739184");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("PIN: 5 of 5 tries left"), "{shown}");
    assert!(shown.contains("PIN is changed"), "{shown}");
    assert!(!shown.contains(pin) && !shown.contains("739184"), "{shown}");

    // Nothing is sent where it is cancelled.
    let mut terminal = holder.terminal("change");
    terminal.answer("\nPIN: ", "73918\x03");
    let (code, shown) = terminal.end();
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("cancelled"), "{shown}");
    assert_eq!(holder.left("pin1"), 5);

    // Neither a terminal nor a program that says so.
    let nobody = holder.command(&["change"]).stdin(Stdio::null()).output();
    let nobody = Ran::of(nobody.unwrap()).ends(2);
    assert!(nobody.err.contains("--stdin"), "{}", nobody.err);
}

/// From the sealed envelope to the paper, and from the paper back to the card.
#[test]
fn the_pin_on_the_paper_is_the_cards() {
    let holder = Holder::of("lateid-v2", "id-card");
    let titles = [("pin1", "PIN1"), ("pin2", "PIN2"), ("puk", "PUK")];
    let letter = EnvelopeLetter {
        serial: "E-2026-000001".into(),
        document: document::DocumentNumber::parse("XA0000001").unwrap(),
        lines: vec!["Anna Izdomāta".to_owned(), "Rīga".to_owned()].into(),
        pins: titles
            .map(|(name, title)| LetterPin {
                title: title.into(),
                digits: holder.own(name).as_bytes().to_vec().into(),
                must_change: false,
            })
            .into(),
    };
    let virtual_printer = VirtualPrinter::start(&holder.bench.path("paper"), &[]).unwrap();
    let address = virtual_printer.address().parse().unwrap();
    let mut printer = PjlPrinter::new(address, Patience::default());
    let text = include_str!("../../firmware-profiles/sheets/pin-envelope.svg");
    let layout = SheetLayout::parse(SheetKind::PinEnvelope, text).unwrap();
    printer.print(letter.render(&layout).unwrap()).unwrap();
    let papers = virtual_printer.paper().unwrap();
    let Ok(text) = fs::read_to_string(papers[0].with_extension("txt")) else {
        missing::program("pdftotext");
        return;
    };
    let read = |title: &str| {
        let mut lines = text.lines().map(str::split_whitespace);
        let mut words = lines
            .find(|words| words.clone().next() == Some(title))
            .unwrap();
        words.nth(1).unwrap().to_owned()
    };
    holder
        .pin(&["change", "--pin", "pin1"], &[&read("PIN1"), "739184"])
        .ends(0);
    holder
        .pin(&["change", "--pin", "pin2"], &[&read("PIN2"), "739184"])
        .ends(0);
    holder
        .pin(&["unblock", "--pin", "pin1"], &[&read("PUK"), "506273"])
        .ends(0);
    assert_eq!(virtual_printer.stop(), [""; 0]);
}
