//! The chip's usual tool on the same virtual reader: OpenSC creates an IsoApplet card with one
//! P-256 key pair and one certificate, and its own log of the wire is counted.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};

use crate::fewest::Fewest;

/// OpenSC 0.23 on IsoApplet 0.6, recorded on the wire, one reading of the public key among it:
/// for where OpenSC is not here to be measured.
pub(crate) const RECORDED: Fewest = Fewest {
    commands: 251,
    bytes: 10_824,
};

const PIN: &str = "471147";
const PUK: &str = "1234567812345678";

/// Says whether OpenSC is here.
pub(crate) fn is_here() -> bool {
    let tool = |name| Command::new(name).arg("--version").output().is_ok();
    tool("pkcs15-init") && tool("pkcs15-tool")
}

/// Has OpenSC make a card of the blank in the only reader of the farm.
pub(crate) fn personalize(pcsc: &Path, folder: &Path) -> Result<Fewest, Box<dyn Error>> {
    let tools = Tools { pcsc, folder };
    let codes = ["--pin", PIN, "--so-pin", PIN];
    let create = [
        "--create-pkcs15",
        "--label",
        "measured",
        "--so-pin",
        PIN,
        "--so-puk",
        PUK,
    ];
    let created = tools.counted("pkcs15-init", &create)?;
    let key = ["--generate-key", "ec:prime256v1", "--key-usage", "sign"];
    let id = ["--auth-id", "ff", "--id", "01"];
    let made = tools.counted("pkcs15-init", &[&key[..], &id, &codes].concat())?;
    let output = tools.run("pkcs15-tool", &["--read-public-key", "01"])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pem = text.find("-----BEGIN").and_then(|at| text.get(at..));
    let public = PKey::public_key_from_pem(pem.ok_or("no public key")?.as_bytes())?;
    fs::write(
        folder.join("certificate.pem"),
        certificate(&public)?.to_pem()?,
    )?;
    let store = ["--store-certificate", "certificate.pem", "--id", "01"];
    let stored = tools.counted("pkcs15-init", &[&store[..], &codes].concat())?;
    let all = [created, made, stored];
    Ok(Fewest {
        commands: all.iter().map(|one| one.commands).sum(),
        bytes: all.iter().map(|one| one.bytes).sum(),
    })
}

/// OpenSC's tools, in a folder, at a farm.
struct Tools<'a> {
    pcsc: &'a Path,
    folder: &'a Path,
}

impl Tools<'_> {
    /// Runs a tool and counts its log.
    fn counted(&self, tool: &str, arguments: &[&str]) -> Result<Fewest, Box<dyn Error>> {
        let output = self.run(tool, arguments)?;
        counted(&String::from_utf8_lossy(&output.stderr))
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
        let output = Command::new(tool)
            .args(arguments)
            .current_dir(self.folder)
            .env("PCSCLITE_CSOCK_NAME", self.pcsc)
            // What it remembers of other cards would spare it commands.
            .env("XDG_CACHE_HOME", self.folder)
            // The level at which the log has every command, those with a PIN among them.
            .env("OPENSC_DEBUG", "9")
            .output()?;
        if output.status.success() {
            return Ok(output);
        }
        // The whole log would drown the reason, which comes last.
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let why = log.lines().last().unwrap_or_default();
        Err(format!("{tool} failed: {why}").into())
    }
}

/// Counts what passed the reader: `Outgoing APDU (5 bytes):`, `Incoming APDU (2 bytes):`.
fn counted(log: &str) -> Result<Fewest, Box<dyn Error>> {
    let mut sum = Fewest::default();
    for line in log.lines() {
        let Some((before, after)) = line.split_once(" APDU (") else {
            continue;
        };
        let Some((bytes, _)) = after.split_once(" bytes)") else {
            continue;
        };
        sum.commands += usize::from(before.ends_with("Outgoing"));
        sum.bytes += bytes.parse::<usize>()?;
    }
    match sum.commands {
        0 => Err("OpenSC's log has no command".into()),
        _ => Ok(sum),
    }
}

/// A certificate for the card's key, of the usual size.
fn certificate(public: &PKey<Public>) -> Result<X509, Box<dyn Error>> {
    let issuer = PKey::from_rsa(Rsa::generate(2048)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, "MEASURED,CARD")?;
    let name = name.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(public)?;
    builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::days_from_now(30)?.as_ref())?;
    builder.sign(&issuer, MessageDigest::sha256())?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_counted() {
        let log = "\
            P:7; T:0x7 [pkcs15-init] reader-pcsc.c:323:pcsc_transmit: reader 'a'\n\
            Outgoing APDU (14 bytes):\n00 A4 04 00\n\
            Incoming APDU (2 bytes):\n6A 82 j.\n\
            Outgoing APDU (5 bytes):\n00 C0 00 00 08\n\
            Incoming APDU (10 bytes):\n";
        let sum = Fewest {
            commands: 2,
            bytes: 31,
        };
        assert_eq!(counted(log).unwrap(), sum);
        assert!(counted("nothing").is_err());
    }
}
