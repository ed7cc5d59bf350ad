//! Judging a certificate by what a folder trusts.

use cert::cvc::{ChainError, CvCertificate, Holder, Role, Strength, verify_chain};
use jiff::civil::Date;

use crate::cv::error::CvFolderError;
use crate::cv::folder::CvFolder;

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvTrustError {
    /// No certificates lead from a trusted CVCA to it.
    #[error("no certificates here lead from a trusted CVCA to {holder}, which {issuer} issued")]
    NoPath {
        /// The holder.
        holder: cert::cvc::HolderReference,
        /// Its issuer.
        issuer: cert::cvc::HolderReference,
    },
    /// A certificate on the way does not hold.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The folder does not serve.
    #[error(transparent)]
    Folder(#[from] CvFolderError),
}

impl CvFolder {
    /// Verifies a certificate as of a day, from a CVCA that is trusted here over links and
    /// document verifiers that are here.
    ///
    /// # Errors
    /// [`CvTrustError`].
    pub fn judge(&self, certificate: &CvCertificate, day: Date) -> Result<Holder, CvTrustError> {
        let roots = self.trusted()?;
        let mut between = self.chain()?;
        between.extend(self.own()?);
        if let Some(root) = roots.iter().find(|root| *root == certificate) {
            return Ok(Holder::of_root(root.clone(), Strength::Current)?);
        }
        // From the certificate upwards, each at most once; with each, the one below it.
        let mut reached: Vec<(&CvCertificate, Option<usize>)> = vec![(certificate, None)];
        let mut refused = None;
        let mut at = 0;
        while let Some(&(step, _)) = reached.get(at) {
            for root in roots.iter().filter(|root| root.holder() == step.issuer()) {
                let below = |&(_, below): &(&CvCertificate, Option<usize>)| {
                    below.and_then(|below| reached.get(below))
                };
                let way = std::iter::successors(reached.get(at), |step| below(step));
                let way: Vec<_> = way.map(|(certificate, _)| (*certificate).clone()).collect();
                let judged = Holder::of_root(root.clone(), Strength::Current)
                    .and_then(|root| verify_chain(&root, &way, day));
                match judged {
                    Ok(holder) => return Ok(holder),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            let issuers = between.iter().filter(|other| {
                other.holder() == step.issuer()
                    && !other.is_self_issued()
                    && other.role() != Role::Terminal
                    && reached.iter().all(|(seen, _)| seen != other)
            });
            let found: Vec<_> = issuers.map(|issuer| (issuer, Some(at))).collect();
            reached.extend(found);
            at += 1;
        }
        Err(refused.map_or_else(
            || CvTrustError::NoPath {
                holder: certificate.holder().clone(),
                issuer: certificate.issuer().clone(),
            },
            CvTrustError::Chain,
        ))
    }
}
