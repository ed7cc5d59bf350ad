//! The border's own rights: an inspection system as `zimogs pki is` keeps one.

use std::error::Error;
use std::path::PathBuf;

use access::{TerminalCertificates, TerminalKey};
use clap::Args;
use hsm::Token;
use mrtd::inspection::Terminal;
use pki::{CvFolder, CvKey, CvTerminalError};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::TokenChoice;
use crate::cli::pki::cv::key::key_of;
use crate::cli::pki::cv::place::{of_folder, of_trust, today};

/// Which terminal reads.
#[derive(Args)]
pub(crate) struct TerminalOptions {
    /// The folder of an inspection system with rights, as `zimogs pki is` keeps it: to read
    /// fingerprints.
    #[arg(long = "is", value_name = "FOLDER", requires = "is_token")]
    is_folder: Option<PathBuf>,
    /// The file that describes the token with its key: `zimogs hsm --help` shows the form.
    #[arg(long = "token", value_name = "FILE", requires = "is_folder")]
    is_token: Option<PathBuf>,
}

/// A terminal with its key in a token.
pub(crate) struct InspectionSystem {
    certificates: TerminalCertificates,
    key: InToken,
}

/// A key that signs in its token.
struct InToken(CvKey);

impl TerminalKey for InToken {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.sign(message)?)
    }
}

impl TerminalOptions {
    /// Opens folder and token; the program may start itself again in here.
    pub(crate) fn open(&self) -> Result<Option<InspectionSystem>, Failure> {
        let (Some(folder), Some(token)) = (&self.is_folder, &self.is_token) else {
            return Ok(None);
        };
        // Looking makes nothing.
        if !folder.is_dir() {
            let fault = format!("{} is no folder", folder.display());
            return Err(Failure::new(Kind::Usage, fault));
        }
        let token = TokenChoice::of_file(token.clone()).place()?.open()?;
        let folder = CvFolder::open(folder).map_err(|error| of_folder(&error))?;
        InspectionSystem::new(&folder, &token).map(Some)
    }
}

impl InspectionSystem {
    /// Takes a folder's terminal, by its latest certificate that holds today, and its key.
    pub(crate) fn new(folder: &CvFolder, token: &Token) -> Result<Self, Failure> {
        let terminal = folder.terminal(today()).map_err(|error| match error {
            CvTerminalError::Trust(error) => of_trust(&error),
            error => Failure::of(Kind::Refused, &error)
                .with_hint("zimogs pki is request asks for one, zimogs pki is import takes it in"),
        })?;
        let own = terminal.holder.certificate().clone();
        let key = key_of(token, &own)?;
        let all = terminal.above.into_iter().chain([own]);
        Ok(Self {
            certificates: TerminalCertificates::new(all).or_fail(Kind::Failed)?,
            key: InToken(key),
        })
    }

    /// Returns it as a chip meets it.
    pub(crate) fn terminal(&self) -> Terminal<'_> {
        Terminal {
            certificates: &self.certificates,
            key: &self.key,
        }
    }
}
