//! A virtual printer refuses what a real one would not print, and what the manual does not have.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: a failure here is a failed test"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use vprinter::{Trouble, VirtualPrinter};

const EXIT: &str = "\x1B%-12345X";

/// A page that is sound, written by hand after ISO 32000-1 §7.5.
fn page() -> String {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>",
    ];
    let mut text = "%PDF-1.4\n".to_owned();
    let mut table = "xref\n0 4\n0000000000 65535 f \n".to_owned();
    for (number, object) in (1..).zip(objects) {
        table += &format!("{:010} 00000 n \n", text.len());
        text += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let start = text.len();
    format!("{text}{table}trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n")
}

fn job(data: &str) -> String {
    format!(
        "{EXIT}@PJL \r\n@PJL USTATUS JOB = ON\r\n@PJL USTATUS DEVICE = ON\r\n@PJL JOB NAME = \"E-1\"\r\n\
         @PJL ENTER LANGUAGE = PDF\r\n{data}{EXIT}@PJL \r\n@PJL EOJ NAME = \"E-1\"\r\n{EXIT}"
    )
}

/// Sends this, and returns what came back, how many papers came, and the faults.
fn send(text: &str, troubles: &[Trouble]) -> (String, usize, Vec<String>) {
    let folder = std::env::temp_dir().join(format!("vprinter-{}-{:p}", std::process::id(), text));
    let printer = VirtualPrinter::start(&folder, troubles).unwrap();
    let mut stream = TcpStream::connect(printer.address().strip_prefix("tcp://").unwrap()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut said = Vec::new();
    // A printer that has enough of it hangs up.
    let _ = stream.read_to_end(&mut said);
    let papers = printer.paper().unwrap().len();
    let faults = printer.stop();
    std::fs::remove_dir_all(&folder).unwrap();
    (String::from_utf8(said).unwrap(), papers, faults)
}

#[test]
fn a_sound_job_is_printed_and_reported_as_the_manual_says() {
    let (said, papers, faults) = send(&job(&page()), &[]);
    assert_eq!(
        said,
        "@PJL USTATUS JOB\r\nSTART\r\nNAME=\"E-1\"\r\n\x0C\
         @PJL USTATUS JOB\r\nEND\r\nNAME=\"E-1\"\r\nPAGES=1\r\nRESULT=OK\r\n\x0C"
    );
    assert_eq!((papers, faults), (1, Vec::new()));
}

#[test]
fn what_is_wrong_is_not_printed() {
    let sound = page();
    // As long as what it stands for, so that the table stays right.
    let two = sound.replace("/MediaBox [0 0 10 10]", &format!("{:<21}", "/Type /Page"));
    for (text, fault) in [
        (job("no page"), "%PDF-"),
        (job(&sound.replace("%%EOF", "")), "%%EOF"),
        (
            job(&sound.replace("startxref\n", "startxref\n1")),
            "startxref",
        ),
        (job(&two), "3 pages"),
        (sound.clone(), "universal exit sequence"),
        (
            job(&sound).replace("@PJL JOB NAME = \"E-1\"\r\n", ""),
            "not a command here",
        ),
        (
            job(&sound).replace("EOJ NAME = \"E-1\"", "EOJ NAME = \"E-2\""),
            "another name",
        ),
        (
            job(&sound).replace("DEVICE = ON", "DEVICE = ON\r\n@PJL FSDELETE"),
            "not a command here",
        ),
        (
            job(&sound).replace("LANGUAGE = PDF", "LANGUAGE = PCL"),
            "not a command here",
        ),
        (job(&sound).replace("JOB = ON\r\n", "JOB = ON\n"), "CR LF"),
        (
            job(&sound).replace("@PJL EOJ", "@PJL COMMENT"),
            "inside a job",
        ),
        (format!("{EXIT}{}", "@PJL".repeat(500)), "does not end"),
    ] {
        let (_, papers, faults) = send(&text, &[]);
        let told = faults.iter().any(|found| found.contains(fault));
        assert!(told, "{fault}: {faults:?}");
        // A stray command outside a job does not spoil the job.
        let spoils = !text.contains("FSDELETE");
        assert_eq!(papers, usize::from(!spoils), "{fault}");
    }
}

/// Why a letter says JAMRECOVERY = OFF: else a jam is a second paper.
#[test]
fn a_jam_prints_again_unless_it_is_told_not_to() {
    let (said, papers, _) = send(&job(&page()), &[Trouble::Jam]);
    assert!(said.contains("CODE=42011"), "{said}");
    assert_eq!(papers, 1);
    let off = job(&page()).replace("@PJL ENTER", "@PJL SET JAMRECOVERY = OFF\r\n@PJL ENTER");
    assert_eq!(send(&off, &[Trouble::Jam]).1, 0);
}

#[test]
fn the_program_says_its_address_and_ends_with_its_standard_input() {
    let folder = std::env::temp_dir().join(format!("vprinter-{}", std::process::id()));
    let mut process = Command::new(env!("CARGO_BIN_EXE_vprinter"))
        .args(["--out", folder.to_str().unwrap(), "--trouble", "jam"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdin.take());
    let mut said = String::new();
    let mut output = process.stdout.take().unwrap();
    output.read_to_string(&mut said).unwrap();
    assert!(process.wait().unwrap().success());
    assert!(
        said.starts_with("{\"ready\":true,\"address\":\"tcp://127.0.0.1:"),
        "{said}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
