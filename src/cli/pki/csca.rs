//! `zimogs pki csca`: the embedded country signing CA.

use std::path::PathBuf;
use std::sync::Arc;

use cert::Certificate;
use cert::request::Request;
use clap::{Args, Subcommand};
use hsm::Token;
use jiff::{SignedDuration, Timestamp};
use pki::country::{CountryAuthority, CountryProfile, RevokedSigner};
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::{NewKey, OfficerChoice, TokenChoice};
use crate::cli::output;
use crate::cli::pki::begun::Begun;
use crate::cli::pki::country;
use crate::cli::pki::csca_book::{Folder, Issued};

/// The embedded country signing CA.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a CSCA: its key in the token, by two officers, and its certificate. Cut off, the same
    /// command goes on. Example:
    /// zimogs pki csca init --csca csca --kind p384 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Init(Init),
    /// Goes over to a new key: a new certificate, and a link from the old key to the new. Example:
    /// zimogs pki csca renew --csca csca --kind p384 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Renew(Renew),
    /// Issues the certificate of a signer from its request. Example:
    /// zimogs pki csca issue ds-1.p10 --csca csca --profile ds --out ds-1.cer --token token.toml
    Issue(Issue),
    /// Signs a new revocation list, also where nothing is revoked. Example:
    /// zimogs pki csca crl --csca csca --out csca-7.crl --revoke 4a1f… --token token.toml
    Crl(Crl),
    /// Shows its certificates and what it issued. Example:
    /// zimogs pki csca show --csca csca
    Show(Show),
}

/// A new CSCA.
#[derive(Args)]
pub(crate) struct Init {
    #[command(flatten)]
    new: NewCsca,
    /// The key's label; those of later keys get a number.
    #[arg(long, default_value = "csca")]
    label: String,
}

/// A new key of a CSCA.
#[derive(Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    new: NewCsca,
}

#[derive(Args)]
struct NewCsca {
    /// The CSCA's folder.
    #[arg(long, value_name = "FOLDER")]
    csca: PathBuf,
    /// Which key is made.
    #[arg(long)]
    kind: NewKey,
    /// The certificate profile: a file, or the shipped one.
    #[arg(long, value_name = "PROFILE", default_value = "csca")]
    profile: String,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// A certificate to be issued.
#[derive(Args)]
pub(crate) struct Issue {
    /// The request, PKCS#10 in DER.
    request: PathBuf,
    /// The CSCA's folder.
    #[arg(long, value_name = "FOLDER")]
    csca: PathBuf,
    /// The certificate profile: a file, or `ds` or `master-list-signer` as shipped.
    #[arg(long, value_name = "PROFILE", default_value = "ds")]
    profile: String,
    /// Where the certificate goes, DER.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    token: TokenChoice,
}

/// A revocation list.
#[derive(Args)]
pub(crate) struct Crl {
    /// The CSCA's folder.
    #[arg(long, value_name = "FOLDER")]
    csca: PathBuf,
    /// Where the list goes, DER.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A certificate that is revoked from now on, by its serial number in hexadecimal. There is no
    /// way back. May be repeated.
    #[arg(long, value_name = "SERIAL")]
    revoke: Vec<String>,
    /// In how many days the next list comes at the latest.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..=90))]
    days: u8,
    #[command(flatten)]
    token: TokenChoice,
}

/// Which CSCA.
#[derive(Args)]
pub(crate) struct Show {
    /// The CSCA's folder.
    #[arg(long, value_name = "FOLDER")]
    csca: PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Init(options) => init(options),
        Command::Renew(options) => renew(&options.new),
        Command::Issue(options) => issue(options),
        Command::Crl(options) => crl(options),
        Command::Show(options) => show(options),
    }
}

fn init(options: &Init) -> Result<(), Failure> {
    let (new, label) = (&options.new, &options.label);
    let profile = country::profile(&new.profile)?;
    country::allow(&profile, new.kind)?;
    let state = new.csca.join("state.json");
    if state.exists()
        && let Some(begun) = Begun::written(new.mark(), label)?
    {
        return end(new, &Folder::open(&new.csca)?, begun);
    }
    files::be_free(&state)?;
    let (begun, token) = new.key(label)?;
    let folder = Folder::create(&new.csca, label)?;
    let signer = Arc::new(country::signer(&token, label)?);
    let made = CountryAuthority::create(&profile, signer, Arc::new(token), Timestamp::now())
        .or_fail(Kind::Failed)?;
    keep(new, &folder, begun, made.certificate(), None)
}

fn renew(new: &NewCsca) -> Result<(), Failure> {
    let profile = country::profile(&new.profile)?;
    country::allow(&profile, new.kind)?;
    let mut folder = Folder::open(&new.csca)?;
    let last = folder.state.keys.last().cloned().unwrap_or_default();
    if let Some(begun) = Begun::written(new.mark(), &last)? {
        return end(new, &folder, begun);
    }
    let first = folder.state.keys.first().cloned().unwrap_or_default();
    let label = format!("{first}-{}", folder.state.keys.len() + 1);
    let (begun, token) = new.key(&label)?;
    let old = folder.authority(&token)?;
    let signer = Arc::new(country::signer(&token, &label)?);
    let renewed = old
        .renew(&profile, signer, Timestamp::now())
        .or_fail(Kind::Refused)?;
    folder.state.keys.push(label);
    keep(
        new,
        &folder,
        begun,
        renewed.authority.certificate(),
        Some(&renewed.link),
    )
}

impl NewCsca {
    /// Makes the key, by two officers, or goes on with the one that was made.
    fn key(&self, label: &str) -> Result<(Begun, Token), Failure> {
        let keepers = (&self.token, &self.officers);
        Begun::key(self.mark(), keepers, self.kind, label)
    }

    /// The file that says which key was begun.
    fn mark(&self) -> PathBuf {
        self.csca.join("begun")
    }
}

/// Writes a new certificate, and the link to it, and then that it is the one that signs.
fn keep(
    new: &NewCsca,
    folder: &Folder,
    begun: Begun,
    certificate: &Certificate,
    link: Option<&Certificate>,
) -> Result<(), Failure> {
    let number = folder.state.keys.len();
    let profile = country::profile_text(&new.profile)?;
    let toml = folder.file(&format!("csca-{number}.toml"));
    begun.write(&toml, profile.as_bytes())?;
    let file = folder.file(&format!("csca-{number}.cer"));
    begun.write(&file, certificate.as_der())?;
    if let Some(link) = link {
        begun.write(&folder.file(&format!("link-{number}.cer")), link.as_der())?;
    }
    folder.keep()?;
    end(new, folder, begun)
}

/// Ends the making of the newest key, and says what was made.
fn end(new: &NewCsca, folder: &Folder, begun: Begun) -> Result<(), Failure> {
    let number = folder.state.keys.len();
    let file = folder.file(&format!("csca-{number}.cer"));
    let certificate = folder.certificate(number)?;
    let link_file = folder.file(&format!("link-{number}.cer"));
    let link = match number {
        1 => None,
        _ => country::certificates(&link_file)?.into_iter().next(),
    };
    begun.end()?;
    if new.token.json {
        return output::json(&json!({
            "certificate": file,
            "link": link.as_ref().map(|_| &link_file),
            "serial": certificate.serial_hex(),
            "not_after": certificate.validity().not_after,
        }));
    }
    output::line(&format!("{}: {}", file.display(), told(&certificate)))?;
    match &link {
        Some(link) => output::line(&format!("{}: {}", link_file.display(), told(link))),
        None => Ok(()),
    }
}

/// Says whose a certificate is, and how long it holds.
pub(super) fn told(certificate: &Certificate) -> String {
    let key = certificate
        .extensions()
        .private_key_usage
        .unwrap_or_default();
    let key = key.not_after.map_or(String::new(), |until| {
        format!(", its key signs until {until}")
    });
    format!(
        "{}, serial {}, until {}{key}",
        certificate.subject(),
        certificate.serial_hex(),
        certificate.validity().not_after
    )
}

fn issue(options: &Issue) -> Result<(), Failure> {
    let profile: CountryProfile = country::profile(&options.profile)?;
    let request = Request::parse_and_verify(&files::read(&options.request, files::SHORT)?)
        .or_fail(Kind::Refused)?;
    files::be_free(&options.out)?;
    let token = options.token.place()?.open()?;
    let mut folder = Folder::open(&options.csca)?;
    let authority = folder.authority(&token)?;
    let made = authority
        .issue(&profile, &request, Timestamp::now())
        .or_fail(Kind::Refused)?;
    folder.state.issued.push(Issued {
        serial: made.serial_hex(),
        profile: profile.name().to_owned(),
        from: made.validity().not_before,
        until: made.validity().not_after,
        revoked: None,
    });
    folder.keep()?;
    files::write_new(&options.out, made.as_der())?;
    match options.token.json {
        true => output::json(&json!({
            "certificate": options.out,
            "serial": made.serial_hex(),
            "not_after": made.validity().not_after,
        })),
        false => output::line(&format!("{}: {}", options.out.display(), told(&made))),
    }
}

fn crl(options: &Crl) -> Result<(), Failure> {
    files::be_free(&options.out)?;
    let token = options.token.place()?.open()?;
    let mut folder = Folder::open(&options.csca)?;
    let authority = folder.authority(&token)?;
    let at = Timestamp::from_second(Timestamp::now().as_second()).or_fail(Kind::Failed)?;
    for serial in &options.revoke {
        let mut issued = folder.state.issued.iter_mut();
        let found = issued.find(|one| one.serial.eq_ignore_ascii_case(serial));
        let found = found.ok_or_else(|| {
            let fault = format!("this CSCA issued no certificate {serial}");
            Failure::new(Kind::Refused, fault).with_hint("zimogs pki csca show lists them")
        })?;
        found.revoked.get_or_insert(at);
    }
    folder.state.list += 1;
    // A revocation is written down before anybody is told.
    folder.keep()?;
    let mut revoked = Vec::new();
    for one in &folder.state.issued {
        if let Some(since) = one.revoked {
            revoked.push(RevokedSigner {
                serial: hex::decode(&one.serial).or_fail(Kind::Integrity)?,
                since,
            });
        }
    }
    let next = at + SignedDuration::from_hours(24 * i64::from(options.days));
    let der = authority
        .crl(&revoked, at, next, folder.state.list)
        .or_fail(Kind::Failed)?;
    files::write_new(&options.out, &der)?;
    let (shown, number) = (options.out.display(), folder.state.list);
    match options.token.json {
        true => output::json(&json!({
            "file": options.out, "number": number, "revoked": revoked.len(), "next_update": next,
        })),
        false => output::line(&format!(
            "{shown}: list {number}, {} revoked, the next before {next}",
            revoked.len()
        )),
    }
}

fn show(options: &Show) -> Result<(), Failure> {
    let folder = Folder::open(&options.csca)?;
    let numbers = 1..=folder.state.keys.len();
    let certificates: Vec<_> = numbers
        .map(|number| folder.certificate(number))
        .collect::<Result<_, _>>()?;
    if options.json {
        let shown: Vec<_> = certificates
            .iter()
            .zip(&folder.state.keys)
            .map(|(certificate, label)| {
                json!({
                    "label": label,
                    "subject": certificate.subject().to_string(),
                    "serial": certificate.serial_hex(),
                    "not_before": certificate.validity().not_before,
                    "not_after": certificate.validity().not_after,
                })
            })
            .collect();
        return output::json(&json!({
            "certificates": shown,
            "issued": folder.state.issued,
            "last_list": folder.state.list,
        }));
    }
    for (certificate, label) in certificates.iter().zip(&folder.state.keys) {
        output::line(&format!("key {label}: {}", told(certificate)))?;
    }
    for one in &folder.state.issued {
        let state = one
            .revoked
            .map_or("in use".to_owned(), |since| format!("revoked {since}"));
        let (profile, serial) = (&one.profile, &one.serial);
        output::line(&format!(
            "issued {profile} {serial}, until {}, {state}",
            one.until
        ))?;
    }
    output::line(&format!("last revocation list: {}", folder.state.list))
}
