//! The units for systemd, judged by systemd itself, and the readiness that they wait for.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::missing;
use crate::world::{run, zimogs};

/// The most that `systemd-analyze security` may find exposed, times ten.
const EXPOSED: &str = "15";

fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd");
    let files = std::fs::read_dir(folder).unwrap();
    let mut units: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    units.sort();
    assert!(units.len() >= 5, "{units:?}");
    units
}

/// Has systemd judge something; none where it is not here.
fn analyze(arguments: &[&str], units: &[PathBuf]) -> Option<(bool, String)> {
    let judged = Command::new("systemd-analyze")
        .args(arguments)
        .args(units)
        .output();
    let Ok(judged) = judged else {
        missing::program("systemd-analyze");
        return None;
    };
    let said = [judged.stdout, judged.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Some((judged.status.success(), said))
}

#[test]
fn every_unit_is_what_systemd_reads_and_exposes_little() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_zimogs");
    let mut copies = Vec::new();
    for unit in units() {
        // The program is here, not where a package puts it: a unit without one is refused.
        let text = std::fs::read_to_string(&unit).unwrap();
        let copy = folder.path().join(unit.file_name().unwrap());
        std::fs::write(&copy, text.replace("/usr/bin/zimogs", program)).unwrap();
        copies.push(copy);
    }
    let Some((sound, said)) = analyze(&["verify", "--man=no"], &copies) else {
        return;
    };
    assert!(sound && said.is_empty(), "{said}");
    let is_service = |unit: &&PathBuf| unit.extension().is_some_and(|kind| kind == "service");
    for service in copies.iter().filter(is_service) {
        let threshold = format!("--threshold={EXPOSED}");
        let judge = ["security", "--offline=true", "--no-pager", &threshold];
        let (sound, said) = analyze(&judge, std::slice::from_ref(service)).unwrap();
        assert!(sound, "{}: {said}", service.display());
    }
}

/// What a timer starts, and what its service does, are one: no unit names another that is not there.
#[test]
fn units_name_commands_that_are_there() {
    for unit in units() {
        let text = std::fs::read_to_string(&unit).unwrap();
        for line in text.lines().filter(|line| line.starts_with("ExecStart=")) {
            let from = line.find("zimogs ").unwrap();
            let command: Vec<_> = line[from..].split_whitespace().skip(1).take(2).collect();
            run(zimogs().args(command).arg("--help"));
        }
        if unit.extension().is_some_and(|kind| kind == "timer") {
            assert!(
                unit.with_extension("service").exists(),
                "{}",
                unit.display()
            );
        }
    }
}

#[test]
fn the_service_says_when_it_is_ready_and_ends_when_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut demo = zimogs();
    demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
    run(demo.arg("--data").arg(&data));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let mut serve = zimogs();
    serve.args(["central", "serve", "--json", "--listen", "127.0.0.1:0"]);
    serve
        .args(["--metrics", "127.0.0.1:0", "--data"])
        .arg(&data);
    let mut serving = serve
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let heard = || {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let ready = heard();
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    // It listens by then, and tells its figures.
    let out = serving.stdout.take().unwrap();
    let mut out = serde_json::Deserializer::from_reader(out).into_iter::<serde_json::Value>();
    let told = out.next().unwrap().unwrap();
    let metrics = told["metrics"].as_str().unwrap();
    let mut scrape = std::net::TcpStream::connect(metrics).unwrap();
    std::io::Write::write_all(&mut scrape, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut scrape, &mut text).unwrap();
    assert!(text.contains("zimogs_stock_blanks{"), "{text}");

    let told = Command::new("kill")
        .args(["-TERM", &serving.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    let stopping = heard();
    assert!(
        stopping.lines().any(|line| line == "STOPPING=1"),
        "{stopping}"
    );
    assert!(serving.wait().unwrap().success());
}
