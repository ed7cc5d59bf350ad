//! Which certificates a chip is sent: the way from its trust point to the terminal.

use cert::cvc::{CvCertificate, HolderReference, Role};
use thiserror::Error;

/// Most certificates that a terminal has.
pub const MAX_TERMINAL_CERTIFICATES: usize = 256;

/// Says why certificates are not a terminal's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TerminalCertificatesError {
    /// None is a terminal's, or several are.
    #[error("{0} of the certificates are a terminal's; one must be")]
    Terminals(usize),
    /// More than any terminal needs.
    #[error("{0} certificates; a terminal has at most {MAX_TERMINAL_CERTIFICATES}")]
    TooMany(usize),
}

/// A terminal's certificate, and those between the authorities and it: document verifiers, links.
#[derive(Clone, Debug)]
pub struct TerminalCertificates {
    terminal: CvCertificate,
    others: Vec<CvCertificate>,
}

impl TerminalCertificates {
    /// Takes the certificates in any order. Whether they hold, the chip says; what they are worth
    /// here, [`cert::cvc::verify_chain`].
    ///
    /// # Errors
    /// [`TerminalCertificatesError`].
    pub fn new(
        certificates: impl IntoIterator<Item = CvCertificate>,
    ) -> Result<Self, TerminalCertificatesError> {
        let (mut terminals, others): (Vec<_>, Vec<_>) = certificates
            .into_iter()
            .partition(|certificate| certificate.role() == Role::Terminal);
        if others.len() >= MAX_TERMINAL_CERTIFICATES {
            return Err(TerminalCertificatesError::TooMany(
                others.len() + terminals.len(),
            ));
        }
        let found = terminals.len();
        match terminals.pop() {
            Some(terminal) if found == 1 => Ok(Self { terminal, others }),
            _ => Err(TerminalCertificatesError::Terminals(found)),
        }
    }

    /// Returns the terminal's certificate.
    pub fn terminal(&self) -> &CvCertificate {
        &self.terminal
    }

    /// Returns the certificates to send, in their order: the shortest way from one of the chip's
    /// trust points. Nothing, where none leads there.
    pub fn path(&self, trusted: &[HolderReference]) -> Vec<&CvCertificate> {
        // From the terminal upwards, every certificate at most once; with each, the one below it.
        let mut reached: Vec<(&CvCertificate, Option<usize>)> = vec![(&self.terminal, None)];
        let mut at = 0;
        while let Some(&(certificate, _)) = reached.get(at) {
            if trusted.contains(certificate.issuer()) {
                let below = |&(_, below): &(&CvCertificate, Option<usize>)| {
                    below.and_then(|below| reached.get(below))
                };
                let way = std::iter::successors(reached.get(at), |step| below(step));
                return way.map(|(certificate, _)| *certificate).collect();
            }
            let issuers = self.others.iter().filter(|other| {
                other.holder() == certificate.issuer()
                    && !other.is_self_issued()
                    && reached.iter().all(|(seen, _)| seen != other)
            });
            let found: Vec<_> = issuers.map(|issuer| (issuer, Some(at))).collect();
            reached.extend(found);
            at += 1;
        }
        Vec::new()
    }
}
