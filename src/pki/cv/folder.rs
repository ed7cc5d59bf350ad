//! The folder of one holder: its certificates, its requests, and what it issued.
//!
//! ```text
//!   own/       LVDVLV00001.by.LVCVCA00001.cvcert    its own certificates
//!   requests/  LVDVLV00001.cvreq                    its own requests
//!   trusted/   LVCVCA00001.cvcert                   CVCA certificates that a person trusted
//!   chain/     LVCVCA00002.by.LVCVCA00001.cvcert    links, document verifiers: verified
//!   issued/    LVIS00001.cvcert                     the register: one file a reference, for ever
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cert::cvc::{CvCertificate, CvRequest, HolderReference, MAX_CVC};

use crate::cv::error::CvFolderError;
use crate::cv::file::write_new;

const OWN: &str = "own";
const REQUESTS: &str = "requests";
const TRUSTED: &str = "trusted";
const CHAIN: &str = "chain";
const ISSUED: &str = "issued";
const CERTIFICATE: &str = "cvcert";
const REQUEST: &str = "cvreq";

/// The folder of a CVCA, a document verifier or a terminal.
#[derive(Clone, Debug)]
pub struct CvFolder {
    root: PathBuf,
}

impl CvFolder {
    /// Opens a folder; what is missing in it is made.
    ///
    /// # Errors
    /// [`CvFolderError::File`].
    pub fn open(root: &Path) -> Result<Self, CvFolderError> {
        for part in [OWN, REQUESTS, TRUSTED, CHAIN, ISSUED] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(|source| CvFolderError::File { path, source })?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Returns its own certificates, the latest last: by day of issue, then by reference.
    ///
    /// # Errors
    /// [`CvFolderError`].
    pub fn own(&self) -> Result<Vec<CvCertificate>, CvFolderError> {
        self.certificates(OWN)
    }

    /// Returns the CVCA certificates that are trusted.
    ///
    /// # Errors
    /// [`CvFolderError`].
    pub fn trusted(&self) -> Result<Vec<CvCertificate>, CvFolderError> {
        self.certificates(TRUSTED)
    }

    /// Returns what stands between the trusted and its own: links and document verifiers.
    ///
    /// # Errors
    /// [`CvFolderError`].
    pub fn chain(&self) -> Result<Vec<CvCertificate>, CvFolderError> {
        self.certificates(CHAIN)
    }

    /// Returns what it issued to others.
    ///
    /// # Errors
    /// [`CvFolderError`].
    pub fn issued(&self) -> Result<Vec<CvCertificate>, CvFolderError> {
        self.certificates(ISSUED)
    }

    /// Returns its requests, by reference.
    ///
    /// # Errors
    /// [`CvFolderError`].
    pub fn requests(&self) -> Result<Vec<CvRequest>, CvFolderError> {
        let files = self.files(REQUESTS, REQUEST)?;
        let read = files.into_iter().map(|(path, bytes)| {
            CvRequest::parse(&bytes).map_err(|source| CvFolderError::Damaged { path, source })
        });
        read.collect()
    }

    /// Keeps a certificate of its own.
    ///
    /// # Errors
    /// [`CvFolderError::There`] where it has one of this reference by this issuer.
    pub fn keep_own(&self, certificate: &CvCertificate) -> Result<PathBuf, CvFolderError> {
        self.write(OWN, &by_issuer(certificate), certificate.as_der())
    }

    /// Keeps a CVCA certificate that a person trusts.
    ///
    /// # Errors
    /// [`CvFolderError::There`].
    pub fn keep_trusted(&self, certificate: &CvCertificate) -> Result<PathBuf, CvFolderError> {
        self.write(TRUSTED, &by_issuer(certificate), certificate.as_der())
    }

    /// Keeps a certificate between a trusted one and its own, which was verified.
    ///
    /// # Errors
    /// [`CvFolderError::There`].
    pub fn keep_chain(&self, certificate: &CvCertificate) -> Result<PathBuf, CvFolderError> {
        self.write(CHAIN, &by_issuer(certificate), certificate.as_der())
    }

    /// Keeps a request of its own.
    ///
    /// # Errors
    /// [`CvFolderError::There`] where it asked for this reference before.
    pub fn keep_request(&self, request: &CvRequest) -> Result<PathBuf, CvFolderError> {
        let name = format!("{}.{REQUEST}", file_name(request.holder()));
        self.write(REQUESTS, &name, request.as_der())
    }

    /// Enters a certificate into the register of what was issued.
    ///
    /// # Errors
    /// [`CvFolderError::There`] where its reference was ever given out: also by another program at
    /// the same moment.
    pub fn enter(&self, certificate: &CvCertificate) -> Result<PathBuf, CvFolderError> {
        self.write(ISSUED, &issued_name(certificate), certificate.as_der())
    }

    fn write(&self, part: &str, name: &str, bytes: &[u8]) -> Result<PathBuf, CvFolderError> {
        let path = self.root.join(part).join(name);
        match write_new(&path, bytes) {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(CvFolderError::There { path })
            }
            Err(source) => Err(CvFolderError::File { path, source }),
        }
    }

    fn certificates(&self, part: &str) -> Result<Vec<CvCertificate>, CvFolderError> {
        let mut found = Vec::new();
        for (path, bytes) in self.files(part, CERTIFICATE)? {
            let certificate =
                CvCertificate::parse(&bytes).map_err(|source| CvFolderError::Damaged {
                    path: path.clone(),
                    source,
                })?;
            let expected = match part {
                ISSUED => issued_name(&certificate),
                _ => by_issuer(&certificate),
            };
            // A register in which files change places would forget what was given out.
            if path
                .file_name()
                .is_none_or(|name| name != expected.as_str())
            {
                let holder = certificate.holder().clone();
                return Err(CvFolderError::Misplaced { path, holder });
            }
            found.push(certificate);
        }
        found.sort_by_key(|certificate| (certificate.effective(), certificate.holder().clone()));
        Ok(found)
    }

    /// Returns the files of a part with this ending, in the order of their names.
    fn files(&self, part: &str, ending: &str) -> Result<Vec<(PathBuf, Vec<u8>)>, CvFolderError> {
        let folder = self.root.join(part);
        let unusable = |path: &Path, source| CvFolderError::File {
            path: path.to_owned(),
            source,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|source| unusable(&folder, source))? {
            let path = entry.map_err(|source| unusable(&folder, source))?.path();
            if path.extension().is_none_or(|found| found != ending) {
                continue;
            }
            let length = fs::metadata(&path)
                .map_err(|source| unusable(&path, source))?
                .len();
            let bytes = match usize::try_from(length) {
                Ok(0..=MAX_CVC) => fs::read(&path).map_err(|source| unusable(&path, source))?,
                _ => return Err(unusable(&path, ErrorKind::FileTooLarge.into())),
            };
            files.push((path, bytes));
        }
        files.sort();
        Ok(files)
    }
}

fn issued_name(certificate: &CvCertificate) -> String {
    format!("{}.{CERTIFICATE}", file_name(certificate.holder()))
}

fn by_issuer(certificate: &CvCertificate) -> String {
    match certificate.is_self_issued() {
        true => issued_name(certificate),
        false => format!(
            "{}.by.{}.{CERTIFICATE}",
            file_name(certificate.holder()),
            file_name(certificate.issuer())
        ),
    }
}

/// Returns a reference as part of a file's name: whatever its bytes, one name for each.
fn file_name(reference: &HolderReference) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    let letters = reference.as_bytes().iter().map(|byte| match plain(byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    letters.collect()
}
