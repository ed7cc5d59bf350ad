//! What a terminal shows to a chip.

use cert::cvc::{CvCertificate, Holder, Role};
use jiff::civil::Date;

use crate::cv::error::CvFolderError;
use crate::cv::folder::CvFolder;
use crate::cv::trust::CvTrustError;

/// Why a folder has nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvTerminalError {
    /// It has no terminal's certificate.
    #[error("the folder has no certificate of a terminal")]
    None,
    /// The latest certificate is not accepted.
    #[error(transparent)]
    Trust(#[from] CvTrustError),
}

impl From<CvFolderError> for CvTerminalError {
    fn from(error: CvFolderError) -> Self {
        Self::Trust(error.into())
    }
}

/// A terminal with the certificates by which chips come to accept it.
#[derive(Clone, Debug)]
pub struct CvTerminal {
    /// The terminal, verified: its reference is its key's, its rights are those of its whole
    /// chain.
    pub holder: Holder,
    /// The document verifiers above it and every link, in no particular order: which of them a
    /// chip needs depends on how far the chip has come.
    pub above: Vec<CvCertificate>,
}

impl CvFolder {
    /// Returns the terminal that this folder is for, by its latest certificate that is accepted on
    /// a day.
    ///
    /// # Errors
    /// [`CvTerminalError`]: what keeps the latest certificate from being accepted.
    pub fn terminal(&self, day: Date) -> Result<CvTerminal, CvTerminalError> {
        let own = self.own()?.into_iter();
        let terminals = own.filter(|own| own.role() == Role::Terminal);
        let mut fault = CvTerminalError::None;
        for certificate in terminals.rev() {
            match self.judge(&certificate, day) {
                Ok(holder) => return Ok(self.with_above(holder)?),
                Err(CvTrustError::Folder(error)) => return Err(error.into()),
                Err(error) if matches!(fault, CvTerminalError::None) => fault = error.into(),
                Err(_) => {}
            }
        }
        Err(fault)
    }

    fn with_above(&self, holder: Holder) -> Result<CvTerminal, CvFolderError> {
        let issuer = holder.certificate().issuer();
        let mut above = self.chain()?;
        above.retain(|above| above.is_link() || above.holder() == issuer);
        Ok(CvTerminal { holder, above })
    }
}
