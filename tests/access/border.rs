//! A border of our own making: CVCA, document verifiers and terminals by the embedded EAC PKI, their
//! keys in memory, on any day.

use std::error::Error;
use std::sync::Arc;

use cert::cvc::{Chat, CvCertificate, Holder, HolderReference, Right, Role, Strength};
use hsm::{HsmError, SignatureAlgorithm, Signer};
use jiff::civil::{Date, date};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::RsaPssSaltlen;
use pki::{CvAuthority, CvFolder, CvGrant, CvKey, CvTerm, CvVoucher};
use tempfile::TempDir;

use crate::{TerminalCertificates, TerminalKey};

/// The first day of the first CVCA.
pub(crate) const START: Date = date(2026, 1, 5);

/// A kind of key, which a whole border has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    P256,
    P384,
    Brainpool256,
    Rsa,
}

struct Soft {
    key: PKey<Private>,
    spki: Vec<u8>,
    kind: Kind,
}

impl Signer for Soft {
    fn algorithm(&self) -> SignatureAlgorithm {
        match self.kind {
            Kind::P256 => SignatureAlgorithm::EcdsaP256Sha256,
            Kind::P384 => SignatureAlgorithm::EcdsaP384Sha384,
            Kind::Brainpool256 => SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256,
            Kind::Rsa => SignatureAlgorithm::RsaPssSha256,
        }
    }

    fn public_key_spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        let digest = match self.kind {
            Kind::P384 => MessageDigest::sha384(),
            Kind::P256 | Kind::Brainpool256 | Kind::Rsa => MessageDigest::sha256(),
        };
        let mut signer = openssl::sign::Signer::new(digest, &self.key).unwrap();
        if let Kind::Rsa = self.kind {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            let salt = RsaPssSaltlen::DIGEST_LENGTH;
            signer.set_rsa_pss_saltlen(salt).unwrap();
        }
        Ok(signer.sign_oneshot_to_vec(message).unwrap())
    }
}

fn key(kind: Kind) -> CvKey {
    let on = |curve| {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    };
    let key = match kind {
        Kind::P256 => on(Nid::X9_62_PRIME256V1),
        Kind::P384 => on(Nid::SECP384R1),
        Kind::Brainpool256 => on(Nid::BRAINPOOL_P256R1),
        Kind::Rsa => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
    };
    let spki = key.public_key_to_der().unwrap();
    CvKey::new(Arc::new(Soft { key, spki, kind })).unwrap()
}

fn term(from: Date, days: u16) -> CvTerm {
    CvTerm::days(from, days).unwrap()
}

/// An authority with its register: a CVCA, or a document verifier.
pub(crate) struct Issuer {
    kind: Kind,
    holder: Holder,
    authority: CvAuthority,
    register: CvFolder,
    _folder: TempDir,
}

impl Issuer {
    fn new(kind: Kind, holder: Holder, key: CvKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            kind,
            authority: CvAuthority::new(holder.clone(), key).unwrap(),
            holder,
            register: CvFolder::open(folder.path()).unwrap(),
            _folder: folder,
        }
    }

    /// Makes a CVCA that lasts two years from a day on.
    pub(crate) fn cvca(kind: Kind, name: &str, from: Date) -> Self {
        let own = key(kind);
        let name = HolderReference::first(name).unwrap();
        let root = CvAuthority::create(&own, &name, &Right::ALL, term(from, 730)).unwrap();
        Self::new(kind, Holder::of_root(root, Strength::Current).unwrap(), own)
    }

    /// Makes a CVCA's next key; returns it with the link to it.
    pub(crate) fn renewed(&self, kind: Kind, from: Date) -> (Self, CvCertificate) {
        let next = key(kind);
        let renewal = self.authority.renew(&next, &Right::ALL, term(from, 730));
        let renewal = renewal.unwrap();
        let root = Holder::of_root(renewal.root, Strength::Current).unwrap();
        (Self::new(kind, root, next), renewal.link)
    }

    pub(crate) fn certificate(&self) -> &CvCertificate {
        self.authority.certificate()
    }

    fn certify(&self, name: &str, chat: Chat, term: CvTerm) -> (CvCertificate, CvKey) {
        let own = key(self.kind);
        let asked = own.request(&name.parse().unwrap(), None).unwrap();
        let grant = CvGrant {
            chat,
            term,
            voucher: CvVoucher::Person,
        };
        let issued = self.authority.issue(&asked, &grant, &self.register);
        (issued.unwrap(), own)
    }

    /// Certifies a document verifier for twelve weeks: of the CVCA's country, or of another.
    pub(crate) fn verifier(&self, name: &str, from: Date) -> Self {
        let own = self.certificate().holder().country();
        let role = match name.as_bytes().starts_with(own) {
            true => Role::DomesticVerifier,
            false => Role::ForeignVerifier,
        };
        let chat = Chat::inspection(role, &Right::ALL);
        let (certificate, key) = self.certify(name, chat, term(from, 84));
        let holder = self.holder.accepts(certificate, from).unwrap();
        Self::new(self.kind, holder, key)
    }

    /// Certifies a terminal for four weeks.
    pub(crate) fn terminal(&self, name: &str, rights: &[Right], from: Date) -> Terminal {
        let chat = Chat::inspection(Role::Terminal, rights);
        let (certificate, key) = self.certify(name, chat, term(from, 28));
        Terminal {
            chain: vec![certificate, self.certificate().clone()],
            key: Box::new(Held(key)),
        }
    }
}

/// A terminal with its certificates and its key.
pub(crate) struct Terminal {
    pub(crate) chain: Vec<CvCertificate>,
    pub(crate) key: Box<dyn TerminalKey>,
}

impl Terminal {
    /// Gives it link certificates too.
    pub(crate) fn with(mut self, links: &[&CvCertificate]) -> Self {
        self.chain.extend(links.iter().copied().cloned());
        self
    }

    pub(crate) fn certificates(&self) -> TerminalCertificates {
        TerminalCertificates::new(self.chain.clone()).unwrap()
    }
}

/// A key of the EAC PKI, as terminal authentication asks for it.
struct Held(CvKey);

impl TerminalKey for Held {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.sign(message)?)
    }
}
