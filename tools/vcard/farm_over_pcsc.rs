//! The farm with a real pcscd, judged by OpenSC's tools and by the PC/SC library.
//! Without pcscd, vpcd or namespaces the test says so and passes, except in
//! `tools/test`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "../../tests/missing/missing.rs"]
mod missing;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use vcard::farm::{Client, ClientError, Farm};
use vcard::{
    Chip, ChipNumber, Circumstances, Fault, FaultKind, FileStore, Pace, Product, ReaderBuffer,
    Timing, TransportMasterKey,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vcard");

fn blank(folder: &Path, product: &str, serial: u8) -> PathBuf {
    let path = folder.join(format!("{product}-{serial}.json"));
    let key = TransportMasterKey::new([0x55; 16]);
    let number = ChipNumber::new([0, 1], [0, 0, 0, serial]);
    let product = Product::find(product).unwrap();
    Chip::blank(product, number, &key, FileStore::create(&path).unwrap()).unwrap();
    path
}

/// Starts a farm; `None` where this machine lacks something, which is said.
fn start(folder: &Path, readers: usize) -> Option<Farm> {
    match Farm::start(Path::new(PROGRAM), folder, readers) {
        Ok(farm) => Some(farm),
        Err(error) if error.is_lack() => {
            missing::program(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn tool(farm: &Farm, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["10", "opensc-tool"])
        .args(arguments)
        .env("PCSCLITE_CSOCK_NAME", farm.pcsc())
        .output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("no opensc-tool: {error}"),
    }
}

fn running(folder: &Path) -> bool {
    let needle = folder.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(&needle))
}

#[test]
fn a_farm_lives_and_dies() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("farm");
    let began = Instant::now();
    let Some(farm) = start(&place, 2) else {
        return;
    };
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        farm.readers(),
        ["zimogs slot 1 00 00", "zimogs slot 2 00 00"]
    );
    let latvian = blank(folder.path(), "lateid-v2", 1);
    let estonian = blank(folder.path(), "esteid-2018", 2);
    let mut client = farm.client().unwrap();
    client.insert(0, &latvian, None).unwrap();
    client.insert(1, &estonian, None).unwrap();
    assert!(matches!(
        client.insert(0, &estonian, None),
        Err(ClientError::Refused(_))
    ));
    assert!(matches!(
        client.insert(7, &estonian, None),
        Err(ClientError::Refused(_))
    ));
    let status = client.status().unwrap();
    assert_eq!(
        status[1].chip.as_deref(),
        Some(estonian.canonicalize().unwrap().as_path())
    );

    if Command::new("opensc-tool")
        .arg("--version")
        .output()
        .is_ok()
    {
        let atr = tool(&farm, &["-r", "zimogs slot 1 00 00", "-a"]);
        let expected = "3b:db:96:00:80:b1:fe:45:1f:83:00:12:42:8f:53:65:49:44:0f:90:00:20";
        assert_eq!(atr.trim(), expected);
        let name = tool(&farm, &["-r", "zimogs slot 2 00 00", "-n"]);
        assert!(name.contains("EstEID 2018"), "{name}");
    } else {
        missing::program("opensc-tool");
    }

    client.remove(0).unwrap();
    assert!(matches!(client.remove(0), Err(ClientError::Refused(_))));
    assert_eq!(client.status().unwrap()[0].chip, None);
    let fault = Fault {
        at: 1,
        kind: FaultKind::RemoveBefore,
    };
    client.insert(0, &latvian, Some(fault)).unwrap();

    // A second farm does not meet the first.
    let other = Farm::start(Path::new(PROGRAM), &folder.path().join("other"), 1).unwrap();
    assert_eq!(other.readers(), ["zimogs slot 1 00 00"]);
    drop(other);

    drop(client);
    drop(farm);
    assert!(!running(&place), "something stays behind");
    assert!(!place.join("farm.sock").exists() && !place.join("drivers").exists());
}

#[test]
fn slots_have_their_own_chips_and_circumstances() {
    let folder = tempfile::tempdir().unwrap();
    let Some(farm) = start(&folder.path().join("farm"), 2) else {
        return;
    };
    if Command::new("opensc-tool").arg("-v").output().is_err() {
        missing::program("opensc-tool");
        return;
    }
    let recording = folder.path().join("session.trace");
    std::fs::write(&recording, "> 0084000004\n< 112233449000   # 1 ms\n").unwrap();
    let circumstances = Circumstances {
        pace: Some(Pace {
            class: Timing::find("j3r180").unwrap(),
            waits: true,
        }),
        buffer: ReaderBuffer {
            command: Some(24),
            answer: Some(12),
        },
        ..Circumstances::default()
    };
    let mut client = farm.client().unwrap();
    let new = blank(folder.path(), "isoapplet-v1", 1);
    let missing = folder.path().join("missing.trace");
    let refused = client.insert_under(0, &new, Circumstances::default(), Some(&missing));
    assert!(matches!(refused, Err(ClientError::Refused(_))));
    client
        .insert_under(0, &new, circumstances, Some(&recording))
        .unwrap();
    client
        .insert(1, &blank(folder.path(), "lateid-v2", 2), None)
        .unwrap();

    let select = "00:A4:04:0C:0C:F2:76:A2:88:BC:FB:A6:9D:34:F3:10:01";
    let send = |commands: &[&str]| {
        let head = ["-r", "zimogs slot 1 00 00", "-c", "default", "-s", select];
        let rest = commands.iter().flat_map(|command| ["-s", command]);
        tool(&farm, &head.into_iter().chain(rest).collect::<Vec<_>>())
    };
    let said = send(&["00:84:00:00:04"]);
    assert!(said.contains("11 22 33 44"), "{said}");
    // Answers of more than ten bytes do not fit this reader, nor commands of more than 24.
    assert!(!send(&["00:84:00:00:0B"]).contains("SW1=0x90, SW2=0x00):\n"));
    assert!(send(&["00:84:00:00:0A"]).contains("SW1=0x90, SW2=0x00):\n"));
    let long = format!("00:20:00:01:10{}", ":31".repeat(20));
    assert!(!send(&[&long]).contains("SW1=0x63"));
    let atr = tool(&farm, &["-r", "zimogs slot 2 00 00", "-a"]);
    assert!(atr.starts_with("3b:db:96"), "{atr}");
}

/// Sixteen chips of four kinds in one pcscd: each answers in its own reader.
#[test]
fn sixteen_readers_serve_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(farm) = start(&folder.path().join("farm"), 16) else {
        return;
    };
    if Command::new("opensc-tool").arg("-v").output().is_err() {
        missing::program("opensc-tool");
        return;
    }
    let mut client = farm.client().unwrap();
    let products = ["lateid-v2", "isoapplet-v0", "piv", "mrtd-applet"];
    for (slot, product) in (0..16u8).zip(products.iter().cycle()) {
        let chip = blank(folder.path(), product, slot);
        client.insert(usize::from(slot), &chip, None).unwrap();
    }
    assert_eq!(farm.readers().len(), 16);
    for (slot, reader) in (0..16u8).zip(farm.readers()) {
        // The issuer security domain and its CPLC, in rows of sixteen bytes.
        let commands = ["-s", "00A4040008A00000015100000000", "-s", "80CA9F7F2D"];
        let said = tool(
            &farm,
            &[&["-r", reader, "-c", "default"], &commands[..]].concat(),
        );
        // The second row begins with the rest of the number; the batch follows.
        let row = format!("\n00 00 {slot:02X} 00 01 ");
        assert!(said.contains(&row), "{reader}: {said}");
    }
}

#[test]
fn stopping_over_the_socket_ends_the_farm() {
    let folder = tempfile::tempdir().unwrap();
    let Some(farm) = start(folder.path(), 1) else {
        return;
    };
    let mut client = Client::connect(&folder.path().join("farm.sock")).unwrap();
    client.stop().unwrap();
    drop(farm);
    assert!(!running(folder.path()), "something stays behind");
}

#[test]
fn too_many_readers_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Farm::start(Path::new(PROGRAM), folder.path(), 17).unwrap_err();
    assert!(
        refused.to_string().contains("17 readers") || refused.to_string().contains("permitted")
    );
}
