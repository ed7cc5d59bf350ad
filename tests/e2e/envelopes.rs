//! PIN envelopes from the store to the paper, and what becomes of paper.

use vprinter::{Trouble, VirtualPrinter};

use crate::world::judged;

/// One envelope after another through everything that happens to paper.
#[test]
fn an_envelope_is_printed_once_whatever_the_printer_does() {
    let demo = judged();
    let paper = tempfile::tempdir().unwrap();
    let printer = VirtualPrinter::start(&paper.path().join("good"), &[Trouble::Offline]).unwrap();
    // Only a letter jams: that it is asked how it is does nothing.
    let jams = [Trouble::Jam, Trouble::Jam];
    let jamming = VirtualPrinter::start(&paper.path().join("jammed"), &jams).unwrap();
    let (good, bad) = (printer.address(), jamming.address());
    let (first, second) = (demo.with_certificates(1), demo.with_certificates(2));
    let (first, second) = (
        first["number"].as_str().unwrap(),
        second["number"].as_str().unwrap(),
    );
    let print = |number: &str, address: &str| {
        let arguments = ["envelope", "print", number, "--printer", address, "--json"];
        let ran = demo.central(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        (ran.status.code().unwrap(), said)
    };
    let states = || {
        let listed = demo
            .central(&["envelope", "list", "--json"])
            .output()
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let state = |number: &str| {
            let mut lines = listed.as_array().unwrap().iter();
            let line = lines.find(|line| line["number"] == number).unwrap();
            (
                line["state"].as_str().unwrap().to_owned(),
                line["envelope"].as_str().unwrap().to_owned(),
            )
        };
        [state(first), state(second)]
    };
    // Off: no PIN leaves its envelope.
    assert_eq!(print(first, &good).0, 3);
    assert_eq!(states()[0].0, "ready");
    assert_eq!(print(first, &good).0, 0);
    assert_eq!(states()[0].0, "printed");
    let (code, said) = print(first, &good);
    assert_eq!(code, 4, "never twice: {said}");
    // Jammed: the paper is looked for and destroyed before a witness, and not printed again.
    let (code, said) = print(second, &bad);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("envelope destroy"), "{said}");
    let serial = states()[1].1.clone();
    assert_eq!(states()[1].0, "printing");
    assert_eq!(print(second, &bad).0, 4);
    let destroy = |witness: &str| {
        let arguments = [
            "envelope",
            "destroy",
            &serial,
            "--witness",
            witness,
            "--cause",
            "jam",
        ];
        demo.central(&arguments).status().unwrap().code()
    };
    assert_eq!(
        destroy("envelope-clerk"),
        Some(4),
        "nobody is their own witness"
    );
    assert_eq!(destroy("quality"), Some(0));
    assert_eq!(states()[1].0, "destroyed");
    let sent = demo
        .central(&[
            "envelope",
            "dispatch",
            &states()[0].1,
            "--way",
            "RR123456785LV",
        ])
        .status();
    assert_eq!(sent.unwrap().code(), Some(0));
    let delivered = demo
        .central(&["envelope", "deliver", &states()[0].1])
        .status();
    assert_eq!(delivered.unwrap().code(), Some(0));
    assert_eq!(states()[0].0, "delivered");
    assert_eq!(printer.paper().unwrap().len(), 1);
}
