//! The driver before a real IPP Everywhere printer, in clear and over TLS; and before what is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::missing;

/// Names the folder of the printer to the test that runs beside it.
const FOLDER: &str = "ZIMOGS_IPPEVE";
const MEDIA: &str = "iso_a4_210x297mm";
/// A page by hand, after *ISO 32000-1 §7.5*: what the printer's engine gets is these bytes.
const PAGE: &[u8] = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n%%EOF\n";

fn patience() -> IppPatience {
    IppPatience {
        answer: Duration::from_secs(20),
        paper: Duration::from_secs(60),
    }
}

fn printer(address: &str, trusted: &[Vec<u8>]) -> IppPrinter {
    IppPrinter::new(address.parse().unwrap(), trusted, MEDIA, patience()).unwrap()
}

fn job(name: &str) -> PageJob<'_> {
    PageJob {
        name,
        content: PageContent::Pdf(PAGE),
    }
}

#[test]
fn a_job_is_followed_to_its_end_on_a_real_printer() {
    for program in ["ippeveprinter", "avahi-daemon", "dbus-daemon", "unshare"] {
        let found = ["/usr/bin", "/usr/sbin"].map(|folder| Path::new(folder).join(program));
        if !found.iter().any(|path| path.is_file()) {
            return missing::program(program);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/print/ippeve.sh");
    let output = Command::new("timeout")
        .args(["120", "unshare", "-rmnpf", "sh", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "ipp::driver::tests::beside_the_printer",
        ])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("Operation not permitted") && said.contains("unshare") {
        return missing::program("the right to namespaces of one's own");
    }
    let log = std::fs::read_to_string(folder.path().join("printer.log")).unwrap_or_default();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{said}\n{log}");
    assert!(told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "another test runs it beside a printer"]
fn beside_the_printer() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let paper = |name: &str| std::fs::read(folder.join("paper").join(format!("{name}.pdf")));
    let mut clear = printer("ipp://localhost:8631/ipp/print", &[]);
    let state = clear.look().unwrap();
    assert!(state.ready, "{state:?}");

    let receipt = clear.print(&job("list-1")).unwrap();
    assert!(receipt.job.is_some());
    assert_eq!(paper("list-1").unwrap(), PAGE);

    // The engine fails: the printer gives the job up, and says so.
    let error = clear.print(&job("torn-1")).unwrap_err();
    assert!(error.may_be_on_paper(), "{error}");
    let PageError::Spoiled { cause, .. } = &error else {
        panic!("{error}")
    };
    assert!(matches!(cause, SpoiledCause::Aborted(_)), "{cause}");
    assert!(paper("torn-1").is_err());

    // A paper that it does not have refuses the job.
    let mut large = IppPrinter::new(
        "ipp://localhost:8631/ipp/print".parse().unwrap(),
        &[],
        "iso_a0_841x1189mm",
        patience(),
    )
    .unwrap();
    let error = large.print(&job("list-2")).unwrap_err();
    assert!(matches!(error, PageError::Refused { .. }), "{error}");
    assert!(!error.may_be_on_paper());

    // Over TLS: nobody trusts a printer by itself.
    let error = printer("ipps://localhost:8631/ipp/print", &[])
        .look()
        .unwrap_err();
    let PageError::Unreachable { source, .. } = &error else {
        panic!("{error}")
    };
    assert!(source.to_string().contains("UnknownIssuer"), "{source}");
    let pem = folder.join("keys").join("localhost.crt");
    let der = Command::new("openssl")
        .args(["x509", "-outform", "der", "-in"])
        .arg(&pem)
        .output()
        .unwrap();
    assert!(der.status.success(), "{der:?}");
    let mut secure = printer("ipps://localhost:8631/ipp/print", &[der.stdout]);
    secure.print(&job("list-3")).unwrap();
    assert_eq!(paper("list-3").unwrap(), PAGE);

    // It never ends: the job is cancelled, and the printer's words are told.
    let mut hasty = IppPrinter::new(
        "ipp://localhost:8631/ipp/print".parse().unwrap(),
        &[],
        MEDIA,
        IppPatience {
            paper: Duration::from_secs(2),
            ..patience()
        },
    )
    .unwrap();
    let error = hasty.print(&job("stuck-1")).unwrap_err();
    let PageError::Spoiled { cause, .. } = &error else {
        panic!("{error}")
    };
    let SpoiledCause::Late(reasons) = cause else {
        panic!("{cause}")
    };
    assert!(
        reasons.iter().any(|reason| reason.contains("media-jam")),
        "{reasons:?}"
    );

    // The printer's own books, as another program reads them.
    let books = Command::new("ipptool")
        .args(["-c", "ipp://localhost:8631/ipp/print"])
        .arg("get-completed-jobs.test")
        .output()
        .unwrap();
    let books = String::from_utf8(books.stdout).unwrap();
    for (name, state) in [
        ("list-1", "completed"),
        ("torn-1", "aborted"),
        ("list-3", "completed"),
    ] {
        let mut jobs = books.lines();
        let ended = |job: &str| job.contains(name) && job.contains(state);
        assert!(jobs.any(ended), "{name} is not {state}:\n{books}");
    }
    assert!(!books.contains("list-2"), "{books}");

    // Its engine still hangs: another job is not taken, and is not on paper.
    let error = clear.print(&job("list-4")).unwrap_err();
    assert!(matches!(error, PageError::NotReady { .. }), "{error}");
}

/// What answers one request so, and is gone.
fn stranger(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 4096];
        let _ = stream.read(&mut bytes);
        let _ = stream.write_all(answer);
    });
    format!("ipp://{address}/ipp/print")
}

#[test]
fn what_is_no_printer_gets_nothing() {
    for answer in [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".as_slice(),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 2\r\n\r\n\x02\x00",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\nContent-Length: 9\r\n\r\n\x02\x00\x00\x00\x00\x00\x00\x09\x03",
        b"SSH-2.0-stranger\r\n",
        b"",
    ] {
        let error = printer(&stranger(answer), &[]).print(&job("list")).unwrap_err();
        assert!(matches!(error, PageError::NoPrinter { .. }), "{error}");
        assert!(!error.may_be_on_paper());
    }
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = printer(&format!("ipp://{port}/"), &[]).look().unwrap_err();
    assert!(matches!(error, PageError::Unreachable { .. }), "{error}");
    let far = "ipp://192.0.2.1/ipp/print".parse().unwrap();
    let error = IppPrinter::new(far, &[], MEDIA, patience()).err().unwrap();
    let PageError::Unreachable { source, .. } = &error else {
        panic!("{error}")
    };
    assert!(source.to_string().contains("in the clear"), "{source}");
}
