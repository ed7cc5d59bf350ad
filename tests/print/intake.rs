//! Scanner and feeder on pty pairs: one end is the device, the other the program's.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use serialport::{SerialPort, TTYPort};

use super::*;
use crate::card_printer::Bin;
use crate::intake::{Feeder, FeederError, LineFeeder, LineFeederTexts, ScanFault, ScannerSettings};
use crate::link::{LinkAddress, SerialSettings};

/// A pty: the device's end, and the path of ours, which is held so that the program's end comes and
/// goes.
fn pair() -> (TTYPort, LinkAddress, File) {
    let (device, ours) = TTYPort::pair().unwrap();
    let path = PathBuf::from(ours.name().unwrap());
    // Unlike a port, a file keeps nobody else out.
    let held = File::options().read(true).write(true).open(&path).unwrap();
    (device, LinkAddress::Serial(path), held)
}

fn settings() -> ScannerSettings {
    ScannerSettings {
        quiet: Duration::from_millis(100),
        ..ScannerSettings::default()
    }
}

fn scanner() -> (TTYPort, Scanner, File) {
    let (device, address, held) = pair();
    let scanner = Scanner::new(address, settings());
    (device, scanner, held)
}

/// How long is waited for what comes.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn what_was_scanned_before_is_of_another_blank() {
    let (mut device, mut scanner, _held) = scanner();
    device.write_all(b"LV-0009\r\n").unwrap();
    scanner.arm().unwrap();
    device.write_all(b"LV-0001\r\n").unwrap();
    assert_eq!(scanner.read(SOON).unwrap().as_str(), "LV-0001");
}

#[test]
fn one_code_is_one_blank() {
    let (mut device, mut scanner, _held) = scanner();
    let mut read = |bytes: &[u8]| {
        scanner.arm().unwrap();
        device.write_all(bytes).unwrap();
        scanner.read(Duration::from_secs(2))
    };
    // The same code again is the same blank.
    assert_eq!(read(b"LV-0001\rLV-0001\r").unwrap().as_str(), "LV-0001");
    let error = read(b"LV-0001\rLV-0002\r").unwrap_err();
    assert!(matches!(error, ScanError::Two(..)), "{error}");
    let error = read(b"LV-0001\rLV-00").unwrap_err();
    assert!(
        matches!(error, ScanError::Fault(ScanFault::NoSerial)),
        "{error}"
    );
    let error = read(b"4006381333931*\r").unwrap_err();
    assert!(
        matches!(error, ScanError::Fault(ScanFault::NoSerial)),
        "{error}"
    );
    let error = read(&[0x80, 0xFF]).unwrap_err();
    assert!(
        matches!(error, ScanError::Fault(ScanFault::NoText(0x80))),
        "{error}"
    );
    let error = read(b"").unwrap_err();
    assert!(matches!(error, ScanError::Nothing), "{error}");
}

#[test]
fn a_scanner_that_is_unplugged_is_gone_and_comes_back() {
    let (device, mut scanner, held) = scanner();
    scanner.arm().unwrap();
    drop((device, held));
    let error = scanner.read(SOON).unwrap_err();
    assert!(matches!(error, ScanError::Gone { .. }), "{error}");
    let error = scanner.arm().unwrap_err();
    assert!(matches!(error, ScanError::Gone { .. }), "{error}");
    // Not armed: nothing is read by accident.
    let error = scanner.read(SOON).unwrap_err();
    assert!(matches!(error, ScanError::Gone { .. }), "{error}");
    let (mut device, address, _held) = pair();
    let mut scanner = Scanner::new(address, settings());
    scanner.arm().unwrap();
    device.write_all(b"LV-0001\r").unwrap();
    assert_eq!(scanner.read(SOON).unwrap().as_str(), "LV-0001");
}

fn texts() -> LineFeederTexts {
    LineFeederTexts {
        feed: "F".into(),
        fed: "OK".into(),
        empty: "EMPTY".into(),
        jam: "JAM".into(),
        good: "G".into(),
        reject: "R".into(),
        out: "OUT".into(),
    }
}

#[test]
fn a_feeder_says_what_came_of_each_order() {
    for (out, answer, expected, doubtful) in [
        (None, Some("OK\r\n"), "", false),
        (None, Some("EMPTY\r\n"), "is empty", false),
        (None, Some("JAM\r\n"), "jams", true),
        (None, Some("WHAT\r\n"), "\"WHAT\"", true),
        (None, Some("\u{7F}"), "was lost", true),
        (None, None, "was lost", true),
        (Some(Bin::Good), Some("OUT\r\n"), "", false),
        (Some(Bin::Reject), Some("OUT\r\n"), "", false),
        // That a blank lies there is no answer to an order that it goes.
        (Some(Bin::Good), Some("OK\r\n"), "\"OK\"", true),
        (Some(Bin::Reject), Some("JAM\r\n"), "jams", true),
        (Some(Bin::Good), None, "was lost", true),
    ] {
        let (mut device, address, _held) = pair();
        let patience = Duration::from_secs(if answer.is_some() { 20 } else { 1 });
        let mut feeder = LineFeeder::new(address, SerialSettings::default(), texts(), patience);
        let machine = std::thread::spawn(move || {
            device.set_timeout(SOON).unwrap();
            let mut order = [0; 2];
            device.read_exact(&mut order).unwrap();
            let expected = match out {
                None => b"F\r",
                Some(Bin::Good) => b"G\r",
                Some(Bin::Reject) => b"R\r",
            };
            assert_eq!(&order, expected);
            if let Some(answer) = answer {
                device.write_all(answer.as_bytes()).unwrap();
            }
            // It stays plugged.
            device
        });
        let fed = match out {
            None => feeder.feed(),
            Some(bin) => feeder.eject(bin),
        };
        let _device = machine.join().unwrap();
        match fed {
            Ok(()) => assert_eq!(expected, ""),
            Err(error) => {
                assert!(
                    !expected.is_empty() && error.to_string().contains(expected),
                    "{error}"
                );
                assert_eq!(error.is_doubtful(), doubtful, "{error}");
            }
        }
    }
    let none = LinkAddress::Serial("/dev/none".into());
    let mut feeder = LineFeeder::new(none, SerialSettings::default(), texts(), SOON);
    let error = feeder.look().unwrap_err();
    assert!(matches!(error, FeederError::Unreachable { .. }), "{error}");
    let error = feeder.feed().unwrap_err();
    assert!(matches!(error, FeederError::Unreachable { .. }), "{error}");
    assert!(!error.is_doubtful());
}
