//! `zimogs pki ds`: document signers. The country signing CA is another authority: requests go to
//! it and certificates come back as files.

use std::fs::File;
use std::path::{Path, PathBuf};

use cert::CountryVerifier;
use cert::request::{Request, RequestInfo};
use clap::{Args, Subcommand};
use hsm::Signer;
use jiff::{SignedDuration, Timestamp};
use pki::country::{DocumentSigners, Expected, SignerEntry, examine};
use serde_json::json;

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::{NewKey, OfficerChoice, TokenChoice};
use crate::cli::output;
use crate::cli::pki::begun::Begun;
use crate::cli::pki::country::{self, Trust};
use crate::cli::pki::csca::told;

/// The book of signers, in their folder.
const BOOK: &str = "book.json";

/// Document signers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a signer's key in the token, by two officers, and its request. Cut off, the same command
    /// goes on. Example:
    /// zimogs pki ds request ds-1 --signers signers --kind p256 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Request(NewSigner),
    /// Takes in the certificate that the country signing CA sent, once all of it is in order. Example:
    /// zimogs pki ds import ds-1 ds-1.cer --signers signers --trust csca.cer --most 100000 --token token.toml
    Import(Import),
    /// Lists the signers, and says whether a new one is wanted. Example:
    /// zimogs pki ds list --signers signers
    List(List),
}

/// A new signer.
#[derive(Args)]
pub(crate) struct NewSigner {
    /// The label of its key; the request is LABEL.p10 in the folder.
    label: String,
    /// The folder of the signers.
    #[arg(long, value_name = "FOLDER")]
    signers: PathBuf,
    /// Which key is made.
    #[arg(long)]
    kind: NewKey,
    /// The certificate profile: a file, or a shipped one.
    #[arg(long, value_name = "PROFILE", default_value = "ds")]
    profile: String,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// A certificate that came.
#[derive(Args)]
pub(crate) struct Import {
    /// The label of the signer's key.
    label: String,
    /// The certificate, DER or PEM.
    certificate: PathBuf,
    /// The folder of the signers, with the request in it.
    #[arg(long, value_name = "FOLDER")]
    signers: PathBuf,
    /// The most documents that it is to sign.
    #[arg(long)]
    most: u64,
    /// The certificate profile: a file, or a shipped one.
    #[arg(long, value_name = "PROFILE", default_value = "ds")]
    profile: String,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    token: TokenChoice,
}

/// Which signers.
#[derive(Args)]
pub(crate) struct List {
    /// The folder of the signers.
    #[arg(long, value_name = "FOLDER")]
    signers: PathBuf,
    /// How many days the country signing CA needs for a certificate.
    #[arg(long, default_value_t = 21)]
    lead: u16,
    /// How many documents must be left to be signed then.
    #[arg(long, default_value_t = 1000)]
    reserve: u64,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Request(options) => request(options),
        Command::Import(options) => import(options),
        Command::List(options) => list(options),
    }
}

fn request(options: &NewSigner) -> Result<(), Failure> {
    let label = &options.label;
    let profile = country::profile(&options.profile)?;
    country::allow(&profile, options.kind)?;
    let file = file(&options.signers, label, "p10")?;
    std::fs::create_dir_all(&options.signers).or_fail(Kind::Failed)?;
    let mark = self::file(&options.signers, label, "begun")?;
    if file.exists()
        && let Some(begun) = Begun::written(mark.clone(), label)?
    {
        begun.end()?;
        return tell_request(options, &file);
    }
    files::be_free(&file)?;
    let keepers = (&options.token, &options.officers);
    let (begun, token) = Begun::key(mark, keepers, options.kind, label)?;
    let signer = country::signer(&token, label)?;
    let key = country::public_key(&signer)?;
    let subject = profile.subject().or_fail(Kind::Usage)?;
    let algorithm = pki::country::signature_algorithm(&signer).or_fail(Kind::Refused)?;
    let info = RequestInfo::for_key(&subject, &key, algorithm).or_fail(Kind::Failed)?;
    let signature = signer.sign(info.to_be_signed()).or_fail(Kind::Device)?;
    let der = info.assemble(&signature).or_fail(Kind::Device)?;
    Request::parse_and_verify(&der).or_fail(Kind::Device)?;
    begun.write(&file, &der)?;
    begun.end()?;
    tell_request(options, &file)
}

fn tell_request(options: &NewSigner, file: &Path) -> Result<(), Failure> {
    match options.token.json {
        true => output::json(&json!({ "request": file, "label": options.label })),
        false => output::line(&format!(
            "{}: send it to the country signing CA",
            file.display()
        )),
    }
}

fn import(options: &Import) -> Result<(), Failure> {
    let label = &options.label;
    let profile = country::profile(&options.profile)?;
    let own = file(&options.signers, label, "p10")?;
    let request =
        Request::parse_and_verify(&files::read(&own, files::SHORT)?).or_fail(Kind::Integrity)?;
    let kept = file(&options.signers, label, "cer")?;
    let certificate = country::certificates(&options.certificate)?;
    let [certificate] = &certificate[..] else {
        let fault = format!("{} is not one certificate", options.certificate.display());
        return Err(Failure::new(Kind::Usage, fault));
    };
    // An import that was cut short is gone on with.
    let is_kept = std::fs::read(&kept).is_ok_and(|old| old == certificate.as_der());
    if !is_kept {
        files::be_free(&kept)?;
    }
    let token = options.token.place()?.open()?;
    let key = country::public_key(&country::signer(&token, label)?)?;
    if key != *request.public_key() {
        let fault = format!("{} is not of the key {label} in the token", own.display());
        return Err(Failure::new(Kind::Integrity, fault));
    }
    let at = Timestamp::now();
    let trusted = options.trust.read(at)?;
    let expected = Expected {
        profile: &profile,
        key: &key,
        verifier: CountryVerifier {
            anchors: &trusted.anchors,
            links: &trusted.links,
            lists: &trusted.lists,
        },
        at,
    };
    let faults = examine(certificate, &expected);
    if !faults.is_empty() {
        let faults: Vec<_> = faults
            .iter()
            .map(|fault| format!("\n  {}", Failure::of(Kind::Refused, fault).message()))
            .collect();
        let fault = format!("the certificate is not to be used:{}", faults.concat());
        return Err(Failure::new(Kind::Refused, fault)
            .with_hint("send the request again, and say what is wrong"));
    }
    let validity = certificate.validity();
    let period = certificate
        .extensions()
        .private_key_usage
        .unwrap_or_default();
    let _turn = turn(&options.signers)?;
    let mut book = book(&options.signers)?;
    book.add(SignerEntry {
        label: label.clone(),
        serial: certificate.serial_hex(),
        from: period.not_before.unwrap_or(validity.not_before),
        until: period.not_after.unwrap_or(validity.not_after),
        most: options.most,
        used: 0,
        document_types: profile.document_types().to_vec(),
    })
    .or_fail(Kind::Refused)?;
    if !is_kept {
        files::write_new(&kept, certificate.as_der())?;
    }
    let text = serde_json::to_string_pretty(&book).or_fail(Kind::Failed)?;
    write_whole(&options.signers.join(BOOK), text.as_bytes()).or_fail(Kind::Failed)?;
    match options.token.json {
        true => output::json(&json!({ "certificate": kept, "label": label })),
        false => output::line(&format!("{}: {}", kept.display(), told(certificate))),
    }
}

fn list(options: &List) -> Result<(), Failure> {
    let book = book(&options.signers)?;
    let at = Timestamp::now();
    let lead = SignedDuration::from_hours(24 * i64::from(options.lead));
    let mut types: Vec<_> = book
        .entries()
        .iter()
        .flat_map(|one| &one.document_types)
        .collect();
    types.sort_unstable();
    types.dedup();
    let is_wanted = types.is_empty()
        || types
            .iter()
            .any(|kind| book.is_wanted(at, lead, options.reserve, kind));
    if options.json {
        return output::json(&json!({ "signers": book, "wanted": is_wanted }));
    }
    for one in book.entries() {
        let kind = one.document_types.first().map_or("", String::as_str);
        let state = one
            .unfit(at, kind)
            .map_or("signs".to_owned(), |unfit| unfit.to_string());
        output::line(&format!(
            "{}: {state}, {} of {}, {} to {}, {}",
            one.label,
            one.used,
            one.most,
            one.from,
            one.until,
            one.document_types.join(" ")
        ))?;
    }
    match is_wanted {
        true => output::line("a new signer is wanted: zimogs pki ds request"),
        false => Ok(()),
    }
}

/// Returns a signer's file. A label is a name, and no path.
fn file(folder: &Path, label: &str, ending: &str) -> Result<PathBuf, Failure> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if label.is_empty() || label == "book" || !label.bytes().all(is_name) {
        let fault = format!("{label:?} is no label of a signer: letters, digits, - and _");
        return Err(Failure::new(Kind::Usage, fault));
    }
    Ok(folder.join(format!("{label}.{ending}")))
}

fn book(folder: &Path) -> Result<DocumentSigners, Failure> {
    let path = folder.join(BOOK);
    if !path.exists() {
        return Ok(DocumentSigners::default());
    }
    serde_json::from_slice(&files::read(&path, files::SHORT)?)
        .map_err(|_| Failure::new(Kind::Integrity, format!("{} does not read", path.display())))
}

fn turn(folder: &Path) -> Result<File, Failure> {
    let file = File::create(folder.join("lock")).or_fail(Kind::Failed)?;
    file.lock().or_fail(Kind::Failed)?;
    Ok(file)
}
