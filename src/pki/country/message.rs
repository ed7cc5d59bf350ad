//! Signing EF.SOD, EF.CardSecurity and master lists.

use std::fmt;
use std::sync::{Arc, OnceLock};

use cert::cms::{
    CSCA_MASTER_LIST, LDS_SECURITY_OBJECT, Message, SECURITY_OBJECT, SignedData, SignerNaming,
};
use cert::{
    Certificate, CountryPathError, CountryQuestion, CountryRole, CountryVerifier, KeptPath,
    MasterList, PublicKey, SignatureAlgorithm,
};
use hsm::Signer;
use jiff::Timestamp;
use spki::ObjectIdentifier;

use crate::country::error::MessageError;
use crate::embedded::IssueError;
use crate::to_be_signed::certificate_algorithm;

/// A signer's certificate, its key, and the chain by which both are judged.
///
/// Whatever it signs is read back and verified with the whole chain before it is given out: a
/// document with a wrong EF.SOD is found at the border only, years later. The signatures of the
/// chain, which do not change, are verified for the first message; dates and purposes for each.
pub struct MessageSigner {
    certificate: Certificate,
    anchors: Vec<Certificate>,
    links: Vec<Certificate>,
    signer: Arc<dyn Signer>,
    algorithm: SignatureAlgorithm,
    /// The first chain that held.
    chain: OnceLock<KeptPath>,
}

/// What is signed.
struct Content<'a> {
    kind: ObjectIdentifier,
    content: &'a [u8],
    others: &'a [Certificate],
    naming: SignerNaming,
    question: CountryQuestion<'a>,
}

impl MessageSigner {
    /// Puts a certificate to its key. `anchors` are the CSCA certificates that vouch for it, `links`
    /// those between.
    ///
    /// # Errors
    /// [`MessageError::Mismatch`], [`MessageError::Key`].
    pub fn new(
        certificate: Certificate,
        anchors: Vec<Certificate>,
        links: Vec<Certificate>,
        signer: Arc<dyn Signer>,
    ) -> Result<Self, MessageError> {
        let key = PublicKey::from_spki_der(signer.public_key_spki_der());
        if !key.is_ok_and(|key| certificate.matches(&key)) {
            return Err(MessageError::Mismatch {
                serial: certificate.serial_hex(),
            });
        }
        let algorithm =
            certificate_algorithm(&*signer).map_err(|error| MessageError::Key(error.into()))?;
        Ok(Self {
            certificate,
            anchors,
            links,
            signer,
            algorithm,
            chain: OnceLock::new(),
        })
    }

    /// Returns the signer's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns EF.SOD, tag 77 and all, around a security object in DER (*ICAO 9303-10 §4.6.2*).
    /// `document_type` is the type in the document's MRZ: `P`, `ID`.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn sign_document(
        &self,
        security_object: &[u8],
        document_type: &str,
        at: Timestamp,
    ) -> Result<Vec<u8>, MessageError> {
        let (_, file) = self.sign(&Content {
            kind: LDS_SECURITY_OBJECT,
            content: security_object,
            others: &[],
            naming: SignerNaming::IssuerAndSerial,
            question: question(CountryRole::DocumentSigner, at, Some(document_type)),
        })?;
        Ok(file)
    }

    /// Returns EF.CardSecurity around its `SecurityInfos` in DER (*ICAO 9303-11 §9.2.11*).
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn sign_card_security(
        &self,
        security_infos: &[u8],
        document_type: &str,
        at: Timestamp,
    ) -> Result<Vec<u8>, MessageError> {
        let (message, _) = self.sign(&Content {
            kind: SECURITY_OBJECT,
            content: security_infos,
            others: &[],
            naming: SignerNaming::IssuerAndSerial,
            question: question(CountryRole::DocumentSigner, at, Some(document_type)),
        })?;
        Ok(message)
    }

    /// Returns a master list of these certificates (*ICAO 9303-12 §9*). The signer's CSCA goes with
    /// it, and the signer is named by its key identifier.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn sign_master_list(
        &self,
        certificates: &[Certificate],
        at: Timestamp,
    ) -> Result<Vec<u8>, MessageError> {
        let content = MasterList::encode(certificates).map_err(MessageError::List)?;
        let question = question(CountryRole::MasterListSigner, at, None);
        let path = self.verifier().verify(&self.certificate, &question);
        let path = path.map_err(MessageError::Path)?.certificates;
        let issuer = path.get(1).map(|issuer| (*issuer).clone());
        let (message, _) = self.sign(&Content {
            kind: CSCA_MASTER_LIST,
            content: &content,
            others: issuer.as_slice(),
            naming: SignerNaming::SubjectKey,
            question,
        })?;
        Ok(message)
    }

    fn verifier(&self) -> CountryVerifier<'_> {
        CountryVerifier {
            anchors: &self.anchors,
            links: &self.links,
            lists: &[],
        }
    }

    /// Judges the chain for one message.
    fn judge(&self, question: &CountryQuestion<'_>) -> Result<(), CountryPathError> {
        if let Some(Ok(())) = self.chain.get().map(|chain| chain.judge(question)) {
            return Ok(());
        }
        // There may be another.
        let chain = self.verifier().keep(&self.certificate, question)?;
        self.chain.get_or_init(|| chain);
        Ok(())
    }

    /// Signs, verifies, and returns the message and the message in tag 77.
    fn sign(&self, what: &Content<'_>) -> Result<(Vec<u8>, Vec<u8>), MessageError> {
        self.judge(&what.question).map_err(MessageError::Path)?;
        let unsigned = Message {
            content_type: what.kind,
            content: what.content,
            signer: &self.certificate,
            others: what.others,
            naming: what.naming,
            algorithm: self.algorithm,
            signing_time: what.question.signed_at,
        }
        .prepare()
        .map_err(MessageError::Build)?;
        let signature = self.signer.sign(unsigned.to_be_signed());
        let signature =
            signature.map_err(|error| MessageError::Key(IssueError::Token(error).into()))?;
        let message = unsigned.assemble(&signature).map_err(MessageError::Build)?;
        let file = unsigned
            .assemble_ef_sod(&signature)
            .map_err(MessageError::Build)?;
        let read = SignedData::parse(&message).map_err(MessageError::Unreadable)?;
        let signers = read.verify(&[]).map_err(MessageError::WrongSignature)?;
        let is_own = signers
            .iter()
            .all(|one| *one.certificate == self.certificate);
        if !is_own || read.content() != what.content || read.content_type() != what.kind {
            return Err(MessageError::WrongContent);
        }
        Ok((message, file))
    }
}

impl fmt::Debug for MessageSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageSigner({:?})", self.certificate)
    }
}

fn question(role: CountryRole, at: Timestamp, kind: Option<&str>) -> CountryQuestion<'_> {
    CountryQuestion {
        role,
        at,
        signed_at: Some(at),
        document_type: kind,
    }
}
