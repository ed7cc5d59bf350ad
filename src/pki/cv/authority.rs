//! An authority that certifies: a CVCA, or a document verifier.

use cert::cvc::{
    Chat, CvCertificate, CvContent, CvRequest, Holder, HolderReference, Parameters, Right, Role,
    Strength,
};
use jiff::civil::Date;

use crate::cv::error::{CvFolderError, CvIssueError};
use crate::cv::folder::CvFolder;
use crate::cv::grant::{CvGrant, CvTerm, CvVoucher, TermError};
use crate::cv::key::CvKey;

/// An authority with its key and its verified certificate.
#[derive(Clone, Debug)]
pub struct CvAuthority {
    holder: Holder,
    key: CvKey,
}

/// What a CVCA with a new key gives out.
#[derive(Clone, Debug)]
pub struct CvRenewal {
    /// The new key by itself: for document verifiers, new chips, other countries.
    pub root: CvCertificate,
    /// The new key by the one before: chips in the field learn it so.
    pub link: CvCertificate,
}

impl CvAuthority {
    /// Makes the first certificate of a CVCA for inspection systems, signed by itself.
    ///
    /// # Errors
    /// [`CvIssueError`].
    pub fn create(
        key: &CvKey,
        holder: &HolderReference,
        rights: &[Right],
        term: CvTerm,
    ) -> Result<CvCertificate, CvIssueError> {
        term.check(Role::Cvca)?;
        let chat = Chat::inspection(Role::Cvca, rights);
        self_signed(key, holder, &chat, term)
    }

    /// Takes a verified certificate that certifies others, and its key.
    ///
    /// # Errors
    /// [`CvIssueError::OtherKey`]; [`CvIssueError::Role`] for a terminal's certificate.
    pub fn new(holder: Holder, key: CvKey) -> Result<Self, CvIssueError> {
        let certificate = holder.certificate();
        if certificate.role() == Role::Terminal {
            let role = Role::Terminal;
            return Err(CvIssueError::Role { issuer: role, role });
        }
        if holder.key() != key.public() {
            return Err(CvIssueError::OtherKey {
                holder: certificate.holder().clone(),
            });
        }
        Ok(Self { holder, key })
    }

    /// Returns the authority's certificate.
    pub fn certificate(&self) -> &CvCertificate {
        self.holder.certificate()
    }

    /// Certifies a CVCA's next key, by itself and by this one. The reference is the next one.
    ///
    /// # Errors
    /// [`CvIssueError`].
    pub fn renew(
        &self,
        next: &CvKey,
        rights: &[Right],
        term: CvTerm,
    ) -> Result<CvRenewal, CvIssueError> {
        let own = self.certificate();
        if own.role() != Role::Cvca {
            return Err(CvIssueError::Role {
                issuer: own.role(),
                role: Role::Cvca,
            });
        }
        term.check(Role::Cvca)?;
        if next.public().key() == self.key.public().key() {
            return Err(CvIssueError::ReusedKey {
                holder: own.holder().successor()?,
                earlier: own.holder().clone(),
            });
        }
        self.holds_on(term.from)?;
        let holder = own.holder().successor()?;
        let chat = Chat::inspection(Role::Cvca, rights);
        let root = self_signed(next, &holder, &chat, term)?;
        let link = self.sign(&holder, next.public_key(Parameters::Included)?, &chat, term)?;
        self.holder
            .accepts(link.clone(), term.from)
            .map_err(CvIssueError::Own)?;
        Ok(CvRenewal { root, link })
    }

    /// Certifies the key of a request, and enters the certificate into the folder's register.
    ///
    /// # Errors
    /// [`CvIssueError`]; nothing is given out then.
    pub fn issue(
        &self,
        request: &CvRequest,
        grant: &CvGrant,
        folder: &CvFolder,
    ) -> Result<CvCertificate, CvIssueError> {
        request
            .verify(Strength::Current)
            .map_err(CvIssueError::Possession)?;
        self.check_request(request)?;
        self.check_grant(request, grant)?;
        let issued = folder.issued()?;
        check_new(request, &issued)?;
        self.check_voucher(request, grant, &issued)?;
        let key = request
            .public_key()
            .resolve(None)
            .map_err(|_| CvIssueError::KeyKind {
                holder: request.holder().clone(),
            })?;
        let public_key =
            cert::cvc::CvPublicKey::new(key.key(), key.algorithm(), Parameters::Inherited)
                .map_err(|_| CvIssueError::KeyKind {
                    holder: request.holder().clone(),
                })?;
        let certificate = self.sign(request.holder(), public_key, &grant.chat, grant.term)?;
        // As everybody will judge it.
        let judged = self.holder.accepts(certificate.clone(), grant.term.from);
        judged.map_err(CvIssueError::Own)?;
        match folder.enter(&certificate) {
            Ok(_) => Ok(certificate),
            Err(CvFolderError::There { .. }) => Err(CvIssueError::Reused {
                holder: request.holder().clone(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn holds_on(&self, day: Date) -> Result<(), CvIssueError> {
        let own = self.certificate();
        match own.holds_on(day) {
            true => Ok(()),
            false => Err(CvIssueError::Own(cert::cvc::ChainError::Expired {
                holder: own.holder().clone(),
                on: own.expiration(),
            })),
        }
    }

    fn check_request(&self, request: &CvRequest) -> Result<(), CvIssueError> {
        let own = self.certificate().holder();
        if let Some(asked) = request.authority().filter(|asked| *asked != own) {
            return Err(CvIssueError::Addressed {
                asked: asked.clone(),
                own: own.clone(),
            });
        }
        if !request.extensions().is_empty() {
            return Err(CvIssueError::Extensions);
        }
        let resolved = request.public_key().resolve(None);
        let same = resolved.is_ok_and(|key| {
            let mine = self.key.public();
            key.algorithm() == mine.algorithm() && key.key().algorithm() == mine.key().algorithm()
        });
        match same {
            true => Ok(()),
            false => Err(CvIssueError::KeyKind {
                holder: request.holder().clone(),
            }),
        }
    }

    fn check_grant(&self, request: &CvRequest, grant: &CvGrant) -> Result<(), CvIssueError> {
        let own = self.certificate();
        let (issuer, role) = (own.role(), grant.chat.role());
        let allowed = match issuer {
            Role::Cvca => role.is_verifier(),
            Role::DomesticVerifier | Role::ForeignVerifier => role == Role::Terminal,
            Role::Terminal => false,
        };
        if !allowed {
            return Err(CvIssueError::Role { issuer, role });
        }
        let same = request.holder().country() == own.holder().country();
        if role.is_verifier() && same != (role == Role::DomesticVerifier) {
            return Err(CvIssueError::Country {
                holder: request.holder().clone(),
                issuer: own.holder().clone(),
                role,
                same,
            });
        }
        if !grant.chat.is_within(self.holder.authorization()) {
            return Err(CvIssueError::Rights {
                holder: request.holder().clone(),
                issuer: own.holder().clone(),
            });
        }
        let CvTerm { from, to } = grant.term;
        grant.term.check(role)?;
        self.holds_on(from)?;
        if to > own.expiration() {
            return Err(TermError::Outlives {
                until: own.expiration(),
                to,
            }
            .into());
        }
        Ok(())
    }

    fn check_voucher(
        &self,
        request: &CvRequest,
        grant: &CvGrant,
        issued: &[CvCertificate],
    ) -> Result<(), CvIssueError> {
        let holder = request.holder();
        let outer = match (&grant.voucher, request.outer()) {
            (CvVoucher::Person, None) => return Ok(()),
            (_, Some(outer)) => outer,
            (_, None) => {
                return Err(CvIssueError::NotVouched {
                    holder: holder.clone(),
                });
            }
        };
        let signer = outer.signer.clone();
        let unknown = || CvIssueError::Voucher {
            signer: signer.clone(),
            holder: holder.clone(),
        };
        let key = match &grant.voucher {
            CvVoucher::Authority(authority) => {
                let theirs = authority.certificate();
                let fits = *theirs.holder() == signer
                    && theirs.role() == Role::Cvca
                    && theirs.holds_on(grant.term.from)
                    && signer.country() == holder.country();
                fits.then(|| authority.key().clone()).ok_or_else(unknown)?
            }
            // A person vouches beside an outer signature, and not for a false one.
            CvVoucher::EarlierKey | CvVoucher::Person => {
                let earlier = issued.iter().find(|earlier| *earlier.holder() == signer);
                let earlier = earlier.filter(|earlier| {
                    signer.holder() == holder.holder() && earlier.holds_on(grant.term.from)
                });
                earlier
                    .and_then(|earlier| {
                        earlier.public_key().resolve(self.key.public().curve()).ok()
                    })
                    .ok_or_else(unknown)?
            }
        };
        request
            .verify_outer(&key, Strength::Current)
            .map_err(|source| CvIssueError::FalseVoucher { signer, source })
    }

    fn sign(
        &self,
        holder: &HolderReference,
        public_key: cert::cvc::CvPublicKey,
        chat: &Chat,
        term: CvTerm,
    ) -> Result<CvCertificate, CvIssueError> {
        Ok(self.key.issue(&CvContent {
            issuer: self.certificate().holder().clone(),
            holder: holder.clone(),
            public_key,
            chat: chat.clone(),
            effective: term.from,
            expiration: term.to,
            extensions: Vec::new(),
        })?)
    }
}

fn self_signed(
    key: &CvKey,
    holder: &HolderReference,
    chat: &Chat,
    term: CvTerm,
) -> Result<CvCertificate, CvIssueError> {
    Ok(key.issue(&CvContent {
        issuer: holder.clone(),
        holder: holder.clone(),
        public_key: key.public_key(Parameters::Included)?,
        chat: chat.clone(),
        effective: term.from,
        expiration: term.to,
        extensions: Vec::new(),
    })?)
}

/// Demands that neither reference nor key was certified before, and that sequence numbers of a
/// holder only go up.
fn check_new(request: &CvRequest, issued: &[CvCertificate]) -> Result<(), CvIssueError> {
    let holder = request.holder();
    let key = request.public_key().resolve(None).ok();
    for earlier in issued {
        let before = earlier.holder();
        if before == holder {
            return Err(CvIssueError::Reused {
                holder: holder.clone(),
            });
        }
        if earlier
            .public_key()
            .resolve(request.public_key().curve())
            .ok()
            == key
        {
            return Err(CvIssueError::ReusedKey {
                holder: holder.clone(),
                earlier: before.clone(),
            });
        }
        let counted =
            |reference: &HolderReference| reference.sequence().iter().all(u8::is_ascii_digit);
        if before.holder() == holder.holder()
            && counted(before)
            && counted(holder)
            && before.sequence() > holder.sequence()
        {
            return Err(CvIssueError::NotNext {
                holder: holder.clone(),
                last: before.clone(),
            });
        }
    }
    Ok(())
}
