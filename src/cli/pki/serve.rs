//! `zimogs pki ca serve`: the embedded authority over HTTP.
//!
//! ```text
//!   POST /, GET /BASE64     OCSP                 GET /ca.cer, /ca.crl
//!   POST /.well-known/cmp   CMP, for the clients that a file names
//!
//!   now and then: a new list, the responder's certificate renewed, what was not confirmed revoked
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use central::Central;
use clap::Args;
use hsm::Token;
use jiff::Timestamp;
use pki::{
    CmpRole, CmpServer, CmpServerConfig, OcspResponder, Published, SigningIdentity,
    validation_router,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::card::pem;
use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// What is served, and where.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one, which is told.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The file that describes the CMP endpoint and its clients; without it there is none.
    #[arg(long, value_name = "FILE")]
    cmp: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// How often what is published is looked after.
const ROUND: Duration = Duration::from_secs(60);
/// How often a new revocation list is signed.
const LIST: Duration = Duration::from_secs(3600);
/// How long an answer over OCSP may be kept.
const TERM: Duration = Duration::from_secs(3600);
/// The labels of the keys that answer, in the token.
const OCSP_KEY: &str = "ocsp";
const CMP_KEY: &str = "cmp";
/// The certificate profile of the responder.
const RESPONDER: &str = "pilot-ocsp";
/// How long the certificate that signs CMP answers holds, in years.
const CMP_YEARS: u8 = 10;

/// Serves until it is told to stop.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    options
        .place
        .with_central("security-officer", async |central, actor| {
            central.begin_publishing(&actor).await?;
            let folder = options.place.installation()?.folder().to_owned();
            let token = options.place.token()?;
            let responder = responder(central, &token)?;
            let published = Published::default();
            published.put(central.crl().await?);
            let clock = Arc::new(Timestamp::now);
            let mut routes: Router =
                validation_router(responder.clone(), published.clone(), clock.clone());
            let cmp = match &options.cmp {
                Some(file) => Some(cmp(central, &token, &folder, file)?),
                None => None,
            };
            if let Some(cmp) = &cmp {
                routes = routes.merge(Arc::clone(cmp).router(Timestamp::now));
            }
            let listener = TcpListener::bind(options.listen).await.map_err(|error| {
                let fault = format!("cannot listen at {}: {error}", options.listen);
                Failure::new(Kind::Failed, fault).with_hint("name another address: --listen")
            })?;
            let address = listener.local_addr().or_fail(Kind::Failed)?;
            match options.place.json() {
                true => output::json(&json!({ "listening": address }))?,
                false => output::line(&format!(
                    "the embedded authority answers at http://{address}; Ctrl-C stops it"
                ))?,
            }
            let care = care(central, &token, &responder, &published, cmp.as_deref());
            let serving = axum::serve(listener, routes).with_graceful_shutdown(stop());
            tokio::select! {
                served = serving => served.or_fail(Kind::Failed),
                () = care => Ok(()),
            }
        })
}

/// Waits until the program is told to stop.
pub(crate) async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Looks after what is served, for ever. What fails is told and tried again in the next round:
/// relying parties still get answers.
async fn care(
    central: &Central,
    token: &Token,
    responder: &OcspResponder,
    published: &Published,
    cmp: Option<&CmpServer>,
) {
    let mut listed = Instant::now();
    loop {
        tokio::time::sleep(ROUND).await;
        if let Err(failure) = round(central, token, responder, published, cmp, &mut listed).await {
            failure.show();
        }
    }
}

async fn round(
    central: &Central,
    token: &Token,
    responder: &OcspResponder,
    published: &Published,
    cmp: Option<&CmpServer>,
    listed: &mut Instant,
) -> Result<(), Failure> {
    // First what relying parties need.
    let validity = responder.certificate().validity();
    let half = validity.not_before + validity.not_after.duration_since(validity.not_before) / 2;
    if Timestamp::now() >= half {
        let renewed = appoint(central, token)?;
        responder.renew(renewed).or_fail(Kind::Failed)?;
    }
    if let Some(cmp) = cmp {
        cmp.sweep(Timestamp::now()).await.or_fail(Kind::Failed)?;
    }
    let settled = central.sweep_certificates().await?.settled;
    if listed.elapsed() >= LIST || settled > 0 {
        published.put(central.crl().await?);
        *listed = Instant::now();
    }
    central.sequence().await?;
    Ok(())
}

fn appoint(central: &Central, token: &Token) -> Result<cert::Certificate, Failure> {
    let signer = signer(token, OCSP_KEY)?;
    let profile = central.certificate_profile(RESPONDER)?;
    let authority = central.embedded_authority();
    let made = authority.ca().appoint(&profile, &signer, Timestamp::now());
    made.or_fail(Kind::Failed)
}

fn responder(central: &Central, token: &Token) -> Result<OcspResponder, Failure> {
    let certificate = appoint(central, token)?;
    let authority = central.embedded_authority();
    let signer = Arc::new(signer(token, OCSP_KEY)?);
    OcspResponder::new((**authority).clone(), certificate, signer, TERM).or_fail(Kind::Failed)
}

fn signer(token: &Token, label: &str) -> Result<hsm::TokenSigner, Failure> {
    token.signer(label).map_err(|error| {
        Failure::of(Kind::Device, &error).with_hint(format!(
            "two officers make it: zimogs hsm generate {label} --kind p384 …"
        ))
    })
}

/// Opens the CMP endpoint; the certificate that signs its answers is made at the first time, and
/// stands in the installation for its clients.
fn cmp(
    central: &Central,
    token: &Token,
    folder: &Path,
    file: &Path,
) -> Result<Arc<CmpServer>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let fault = format!("cannot read {}: {error}", file.display());
        Failure::new(Kind::Usage, fault)
    })?;
    let config = CmpServerConfig::parse(&text).or_fail(Kind::Usage)?;
    // Asked for first, to be told why one may not be issued by.
    for name in &config.profiles {
        central.certificate_profile(name)?;
    }
    let policy = config
        .policy(|name| central.certificate_profile(name).ok())
        .or_fail(Kind::Usage)?;
    let clients = config
        .clients(file.parent().unwrap_or(Path::new(".")))
        .or_fail(Kind::Usage)?;
    let server = CmpServer::new(
        (**central.embedded_authority()).clone(),
        identity(central, token, &folder.join("cmp.der"))?,
        clients,
        policy,
        central.cmp_confirmations(),
        Arc::new(token.clone()),
    );
    server.map(Arc::new).or_fail(Kind::Usage)
}

fn identity(central: &Central, token: &Token, path: &Path) -> Result<SigningIdentity, Failure> {
    let signer = Arc::new(signer(token, CMP_KEY)?);
    if path.exists() {
        let mut found = pem::read(path)?.into_iter();
        let own = found.next().ok_or_else(|| {
            Failure::new(
                Kind::Integrity,
                format!("{} holds no certificate", path.display()),
            )
        })?;
        return SigningIdentity::new(signer, own, Vec::new()).or_fail(Kind::Integrity);
    }
    let subject = central.embedded_authority().certificate().subject().clone();
    let made = SigningIdentity::create(
        signer,
        token,
        &subject,
        CmpRole::Authority,
        Timestamp::now(),
        CMP_YEARS,
    )
    .or_fail(Kind::Failed)?;
    pem::save(path, made.certificate().as_der()).or_fail(Kind::Failed)?;
    Ok(made)
}
