//! `zimogs pki masterlist`: master lists of country signing certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cert::cms::{MAX_SIGNED_DATA, SignedData};
use cert::{
    AttributeType, Certificate, CountryPathError, CountryQuestion, CountryRole, CountryVerifier,
    MasterList, PathError, Revocation,
};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use pki::country::MessageSigner;
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::TokenChoice;
use crate::cli::output;
use crate::cli::pki::country::{self, Trust};

/// Master lists.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Signs a master list of certificates. Example:
    /// zimogs pki masterlist make csca.cer NL.cer DE.cer --label lists --signer lists.cer --trust csca.cer --out list.ml --token token.toml
    Make(Make),
    /// Verifies who signed a master list. Example:
    /// zimogs pki masterlist verify NL.mls --trust CSCA_NL.cer
    Verify(Verify),
    /// Shows what is on a master list, whoever signed it. Example:
    /// zimogs pki masterlist show NL.mls
    Show(Show),
}

/// A new list.
#[derive(Args)]
pub(crate) struct Make {
    /// The certificates that go on it, DER or PEM.
    #[arg(required = true)]
    certificates: Vec<PathBuf>,
    /// The label of the signer's key.
    #[arg(long)]
    label: String,
    /// The signer's certificate, DER or PEM.
    #[arg(long, value_name = "FILE")]
    signer: PathBuf,
    /// Where the list goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    token: TokenChoice,
}

/// A list to be verified.
#[derive(Args)]
pub(crate) struct Verify {
    /// The list.
    list: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// As of when; now, if it is left out. Example: 2021-12-08T00:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// A list to be shown.
#[derive(Args)]
pub(crate) struct Show {
    /// The list.
    list: PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Make(options) => make(options),
        Command::Verify(options) => verify(options),
        Command::Show(options) => show(options),
    }
}

fn make(options: &Make) -> Result<(), Failure> {
    files::be_free(&options.out)?;
    let at = Timestamp::from_second(Timestamp::now().as_second()).or_fail(Kind::Failed)?;
    let trusted = options.trust.read(at)?;
    let mut all: Vec<Certificate> = Vec::new();
    for path in &options.certificates {
        all.extend(country::certificates(path)?);
    }
    if let Some(other) = all.iter().find(|certificate| !certificate.extensions().ca) {
        let fault = format!(
            "certificate {} is no country signing one",
            other.serial_hex()
        );
        return Err(Failure::new(Kind::Refused, fault));
    }
    let own = country::certificates(&options.signer)?.into_iter().next();
    let own = own.ok_or_else(|| Failure::new(Kind::Usage, "the signer's file is empty"))?;
    let token = options.token.place()?.open()?;
    let key = Arc::new(country::signer(&token, &options.label)?);
    let signer =
        MessageSigner::new(own, trusted.anchors, trusted.links, key).or_fail(Kind::Refused)?;
    let der = signer.sign_master_list(&all, at).or_fail(Kind::Refused)?;
    files::write_new(&options.out, &der)?;
    match options.token.json {
        true => output::json(&json!({ "file": options.out, "certificates": all.len() })),
        false => output::line(&format!(
            "{}: {} certificates",
            options.out.display(),
            all.len()
        )),
    }
}

fn read(path: &std::path::Path) -> Result<(SignedData, MasterList), Failure> {
    let message =
        SignedData::parse(&files::read(path, MAX_SIGNED_DATA)?).or_fail(Kind::Integrity)?;
    let list = MasterList::of(&message).or_fail(Kind::Integrity)?;
    Ok((message, list))
}

fn verify(options: &Verify) -> Result<(), Failure> {
    let at = options.at.unwrap_or_else(Timestamp::now);
    let trusted = options.trust.read(at)?;
    let (message, list) = read(&options.list)?;
    // Where the message does not bring its signer's certificate, nobody else does.
    let signers = message.verify(&trusted.links).or_fail(Kind::Integrity)?;
    let verifier = CountryVerifier {
        anchors: &trusted.anchors,
        links: &trusted.links,
        lists: &trusted.lists,
    };
    let mut told = Vec::new();
    for signer in &signers {
        let question = CountryQuestion {
            role: CountryRole::MasterListSigner,
            at,
            signed_at: signer.info.signing_time(),
            document_type: None,
        };
        let path = verifier.verify(signer.certificate, &question);
        let path = path.map_err(|error| untrusted(&error))?;
        told.push((signer, path.revocation));
    }
    if options.json {
        let signers: Vec<_> = told
            .iter()
            .map(|(signer, revocation)| {
                json!({
                    "subject": signer.certificate.subject().to_string(),
                    "serial": signer.certificate.serial_hex(),
                    "signed_at": signer.info.signing_time(),
                    "revocation": name(*revocation),
                })
            })
            .collect();
        return output::json(&json!({
            "verified": true, "signers": signers, "certificates": list.certificates().len(),
            "unread": list.unread().len(),
        }));
    }
    for (signer, revocation) in told {
        let when = signer.info.signing_time();
        let when = when.map_or("at no time that it says".to_owned(), |at| {
            format!("at {at}")
        });
        output::line(&format!(
            "signed by {}, serial {}, {when}; revocation: {}",
            signer.certificate.subject(),
            signer.certificate.serial_hex(),
            name(revocation)
        ))?;
    }
    output::line(&format!(
        "{} certificates, {} that do not read",
        list.certificates().len(),
        list.unread().len()
    ))
}

/// Nobody trusted vouches for the signer: that is open. All else is wrong.
fn untrusted(error: &CountryPathError) -> Failure {
    match error {
        CountryPathError::Path(PathError::IssuerUnknown { .. }) => Failure::of(Kind::Failed, error)
            .with_hint("name the country signing certificate of the list's signer: --trust FILE"),
        _ => Failure::of(Kind::Integrity, error),
    }
}

fn name(revocation: Revocation) -> &'static str {
    match revocation {
        Revocation::Unknown => "unknown, no list was given",
        Revocation::Good { .. } => "not revoked",
    }
}

fn show(options: &Show) -> Result<(), Failure> {
    let (_, list) = read(&options.list)?;
    if options.json {
        let shown: Vec<_> = list
            .certificates()
            .iter()
            .map(|certificate| {
                json!({
                    "subject": certificate.subject().to_string(),
                    "serial": certificate.serial_hex(),
                    "not_before": certificate.validity().not_before,
                    "not_after": certificate.validity().not_after,
                    "self_issued": certificate.is_self_issued(),
                })
            })
            .collect();
        return output::json(&json!({ "certificates": shown, "unread": list.unread().len() }));
    }
    let mut countries: BTreeMap<String, usize> = BTreeMap::new();
    for certificate in list.certificates() {
        let country = certificate
            .subject()
            .get(AttributeType::Country)
            .unwrap_or("?");
        let shown: String = country.chars().filter(char::is_ascii_alphabetic).collect();
        *countries.entry(shown.to_ascii_uppercase()).or_default() += 1;
    }
    for (country, count) in &countries {
        output::line(&format!("{country} {count}"))?;
    }
    for unread in list.unread() {
        output::line(&format!("certificate {}: {}", unread.place, unread.error))?;
    }
    output::line(&format!(
        "{} certificates of {} countries; who signed it was not looked at: zimogs pki masterlist verify",
        list.certificates().len(),
        countries.len()
    ))
}
