//! `zimogs pki cvca | dv | is`: who may read fingerprints, from the state to the terminal.

mod cvca;
mod import;
mod issue;
pub(crate) mod key;
pub(crate) mod place;
mod request;
mod show;

use cert::cvc::Role;
use clap::Subcommand;

use crate::cli::failure::Failure;

/// How a folder and its keys belong together, for `--help`.
const FOLDER: &str = "\
The folder keeps what the holder has (own, requests), trusts (trusted, chain) and gave out (issued);
nothing in it is written over. Its keys are in a token, labelled with their references. What makes a
key takes two officers, as zimogs hsm generate does. docs/eac.md shows a whole border.";

/// The country verifying certification authority: whom the chips trust.
#[derive(Subcommand)]
#[command(after_help = FOLDER)]
pub(crate) enum Cvca {
    /// Makes its first key and certificate. Example:
    /// zimogs pki cvca init --folder cvca --holder LVCVCA --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Init(cvca::Init),
    /// Makes its next key, certified by itself and by the one before. Example:
    /// zimogs pki cvca renew --folder cvca --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Renew(cvca::Renew),
    /// Certifies a document verifier: of its country or of another. Example:
    /// zimogs pki cvca issue LVDVLV00001.cvreq --folder cvca --in-person 5A1F…09 --out LVDVLV00001.cvcert --token token.toml
    Issue(issue::Issue),
    /// Shows certificates and requests, and judges their signatures. Example:
    /// zimogs pki cvca show --folder cvca LVDVLV00001.cvreq
    Show(show::Show),
}

/// A document verifier: who certifies a country's terminals for a while.
#[derive(Subcommand)]
#[command(after_help = FOLDER)]
pub(crate) enum Dv {
    /// Makes its next key, and asks a CVCA for a certificate. Example:
    /// zimogs pki dv request --folder dv --holder LVDVLV --authority LVCVCA00001 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Request(request::Request),
    /// Takes in what came back: its certificate, a CVCA to trust, links. Example:
    /// zimogs pki dv import --folder dv LVCVCA00001.cvcert LVDVLV00001.cvcert --trust
    Import(import::Import),
    /// Certifies a terminal. Example:
    /// zimogs pki dv issue LVIS00001.cvreq --folder dv --in-person 77B0…1C --token token.toml
    Issue(issue::Issue),
    /// Shows certificates and requests, and judges their signatures. Example:
    /// zimogs pki dv show --folder dv
    Show(show::Show),
}

/// An inspection system: the terminal itself.
#[derive(Subcommand)]
#[command(after_help = FOLDER)]
pub(crate) enum Is {
    /// Makes its next key, and asks a document verifier for a certificate. Example:
    /// zimogs pki is request --folder is --holder LVIS --authority LVDVLV00001 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Request(request::Request),
    /// Takes in what came back: its certificate and those above it. Example:
    /// zimogs pki is import --folder is LVCVCA00001.cvcert LVDVLV00001.cvcert LVIS00001.cvcert --trust
    Import(import::Import),
    /// Shows certificates and requests, and judges their signatures. Example:
    /// zimogs pki is show --folder is
    Show(show::Show),
}

/// Runs a command of the CVCA.
pub(crate) fn cvca(command: &Cvca) -> Result<(), Failure> {
    match command {
        Cvca::Init(options) => cvca::init(options),
        Cvca::Renew(options) => cvca::renew(options),
        Cvca::Issue(options) => issue::run(options, Role::Cvca),
        Cvca::Show(options) => show::run(options),
    }
}

/// Runs a command of a document verifier.
pub(crate) fn dv(command: &Dv) -> Result<(), Failure> {
    match command {
        Dv::Request(options) => request::run(options),
        Dv::Import(options) => import::run(options, false),
        Dv::Issue(options) => issue::run(options, Role::DomesticVerifier),
        Dv::Show(options) => show::run(options),
    }
}

/// Runs a command of an inspection system.
pub(crate) fn is(command: &Is) -> Result<(), Failure> {
    match command {
        Is::Request(options) => request::run(options),
        Is::Import(options) => import::run(options, true),
        Is::Show(options) => show::run(options),
    }
}
