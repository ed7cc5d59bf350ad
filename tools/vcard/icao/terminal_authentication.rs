//! Terminal Authentication, versions 1 and 2 (ICAO Doc 9303-11 §7.1; BSI TR-03110-2 §3.3, -3
//! §3.3): certificates from a trust point down, then the terminal's signature.

use card::Status;

use super::certificates::{Certificate, PublicKey, Role, holder};
use super::chip_authentication::Prepared;
use super::document::{Document, Outcome, Request, Way};
use crate::applet::Work;
use crate::objects::Objects;

/// Bytes of a trust point in memory.
const TRUST_POINT: usize = 512;
/// Longest compressed key that a terminal announces, bytes.
const LONGEST_KEY: usize = 66;

/// A certificate's holder, verified in this session.
struct Holder {
    reference: Vec<u8>,
    key: PublicKey,
    /// What it and all above it are entitled to.
    rights: u8,
    role: Role,
}

/// What MSE:Set AT named.
struct Claim {
    /// The compressed key that version 2 announces.
    announced: Option<Vec<u8>>,
}

/// What a session's inspection has come to.
pub(super) struct Inspection {
    /// What the terminal may at most be entitled to.
    limit: u8,
    /// The terminal's compressed key of chip authentication, after it.
    genuine: Option<Vec<u8>>,
    /// What chip authentication was prepared with.
    pub(super) prepared: Option<Prepared>,
    /// The reference that MSE:Set DST chose.
    issuer: Option<Vec<u8>>,
    verifier: Option<Holder>,
    terminal: Option<Holder>,
    claim: Option<Claim>,
    /// The compressed key that a proved terminal announced: version 2.
    announced: Option<Vec<u8>>,
    rights: u8,
}

impl Inspection {
    /// Begins; the terminal said that it wants no more than this.
    pub(super) fn restricted(wanted: Option<u8>) -> Self {
        Self {
            limit: wanted.unwrap_or(0xFF),
            genuine: None,
            prepared: None,
            issuer: None,
            verifier: None,
            terminal: None,
            claim: None,
            announced: None,
            rights: 0,
        }
    }

    /// Says whether the terminal is entitled to this.
    pub(super) fn entitles(&self, right: u8) -> bool {
        self.genuine.is_some() && self.rights & right == right
    }

    /// Notes that the chip proved itself to who has this key. What the terminal proved before
    /// is over, unless it announced that key then.
    pub(super) fn chip_is_genuine(&mut self, terminal: Vec<u8>) {
        if self.announced.as_ref() != Some(&terminal) {
            self.rights = 0;
        }
        self.claim = None;
        self.announced = None;
        self.genuine = Some(terminal);
    }

    /// Returns the key that the terminal announced: version 2.
    pub(super) fn announced(&self) -> Option<&[u8]> {
        self.announced.as_deref()
    }
}

/// Reads the template in which a terminal says what it wants.
pub(super) fn inspection_template(template: &[u8]) -> Result<u8, Status> {
    match holder(template)? {
        (Role::Terminal, rights) => Ok(rights),
        _ => Err(Status::WRONG_DATA),
    }
}

impl Document {
    fn inspection(&mut self) -> Result<&mut Inspection, Status> {
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        Ok(&mut session.inspection)
    }

    /// `22 81 B6  83 <reference>`: whose key verifies the next certificate.
    pub(super) fn choose_issuer(&mut self, request: &Request<'_>) -> Outcome {
        let reference = Objects::single(request.data, 0x83)?.to_vec();
        let trusted = self.memory.trust.find(&reference).is_some();
        let inspection = self.inspection()?;
        let verifier = inspection.verifier.as_ref();
        let known = verifier.is_some_and(|holder| holder.reference == reference);
        inspection.issuer = None;
        if !trusted && !known {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        inspection.issuer = Some(reference);
        Ok(Vec::new())
    }

    /// `2A 00 BE  7F4E ‖ 5F37`.
    pub(super) fn verify_certificate(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        if request.p1p2() != 0x00BE {
            return Err(Status::WRONG_P1_P2);
        }
        if request.way != Way::Session {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let issuer = self.inspection()?.issuer.take();
        let issuer = issuer.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let certificate = Certificate::read(request.data)?;
        // Nobody links to itself: an old root would come to the front again.
        if certificate.authority != issuer || certificate.holder == issuer {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        let trust = &self.memory.trust;
        if let Some(point) = trust.find(&issuer) {
            let (point, expired) = (point.clone(), trust.has_expired(point));
            let key = self.judge(&certificate, &point.key)?;
            return match certificate.role {
                // An expired trust point still links to the next (TR-03110-3 §2.5.1).
                Role::Cvca => {
                    work.written += TRUST_POINT;
                    self.memory.trust.link(&certificate, key);
                    Ok(Vec::new())
                }
                Role::DomesticVerifier | Role::ForeignVerifier if !expired => {
                    self.learn_day(&certificate, work);
                    let rights = point.rights & certificate.rights;
                    self.inspection()?.verifier = Some(taken(&certificate, key, rights));
                    Ok(Vec::new())
                }
                _ => Err(Status::AUTHENTICATION_FAILED),
            };
        }
        let verifier = self.inspection()?.verifier.as_ref();
        let verifier = verifier.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let (rights, role, key) = (verifier.rights, verifier.role, verifier.key.clone());
        let key = self.judge(&certificate, &key)?;
        if certificate.role != Role::Terminal {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        // A foreign verifier's clock is not believed.
        if role == Role::DomesticVerifier {
            self.learn_day(&certificate, work);
        }
        let rights = rights & certificate.rights;
        self.inspection()?.terminal = Some(taken(&certificate, key, rights));
        Ok(Vec::new())
    }

    /// Verifies a certificate's signature, and its time; a link certificate may be late.
    fn judge(
        &self,
        certificate: &Certificate<'_>,
        issuer: &PublicKey,
    ) -> Result<PublicKey, Status> {
        let key = certificate.verified(issuer)?;
        let key = key.ok_or(Status::AUTHENTICATION_FAILED)?;
        let late = self.memory.trust.is_past(&certificate.expires);
        if late && certificate.role != Role::Cvca {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        Ok(key)
    }

    fn learn_day(&mut self, certificate: &Certificate<'_>, work: &mut Work) {
        self.memory.trust.advance(certificate.effective);
        work.written += certificate.effective.len();
    }

    /// `22 81 A4  83 <reference>`; in version 2 `80 <protocol> 83 <reference> 91 <key>`.
    pub(super) fn choose_terminal(&mut self, request: &Request<'_>) -> Outcome {
        let objects = Objects::parse(request.data, &[0x80, 0x83, 0x91])?;
        let reference = objects.need(0x83)?;
        let by_pace = self.session.as_ref().is_some_and(|session| session.by_pace);
        self.challenge = None;
        let inspection = self.inspection()?;
        inspection.claim = None;
        let terminal = inspection.terminal.as_ref();
        let terminal = terminal.filter(|holder| holder.reference == reference);
        let terminal = terminal.ok_or(Status::REFERENCE_NOT_FOUND)?;
        let announced = match (objects.get(0x80), objects.get(0x91)) {
            (None, None) if inspection.genuine.is_some() => None,
            // Version 2 goes before chip authentication, and wants PACE.
            (Some(protocol), Some(key)) if by_pace && inspection.genuine.is_none() => {
                let fits = (1..=LONGEST_KEY).contains(&key.len());
                if !fits || !terminal.key.is_of(protocol) {
                    return Err(Status::WRONG_DATA);
                }
                Some(key.to_vec())
            }
            (None, None) | (Some(_), Some(_)) => return Err(Status::CONDITIONS_NOT_SATISFIED),
            _ => return Err(Status::WRONG_DATA),
        };
        inspection.claim = Some(Claim { announced });
        Ok(Vec::new())
    }

    /// Says whether GET CHALLENGE belongs to terminal authentication now.
    pub(super) fn expects_challenge(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.inspection.claim.is_some())
    }

    /// `82 00 00  <signature>` over the chip's identifier, the challenge and the terminal's
    /// compressed key.
    pub(super) fn authenticate_terminal(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        // One challenge, one attempt.
        let challenge = self.challenge.take();
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        let inspection = &mut session.inspection;
        let (Some(claim), Some(challenge)) = (inspection.claim.take(), challenge) else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        // What an earlier proof gave ends with the next attempt.
        inspection.rights = 0;
        let terminal = inspection.terminal.as_ref().ok_or(Status::UNKNOWN)?;
        let key = claim.announced.as_ref().or(inspection.genuine.as_ref());
        let key = key.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let message = [&session.identifier, &challenge[..], key].concat();
        work.signed = terminal.key.work();
        if !terminal.key.verifies(&message, request.data) {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        inspection.rights = terminal.rights & inspection.limit;
        inspection.announced = claim.announced;
        Ok(Vec::new())
    }
}

fn taken(certificate: &Certificate<'_>, key: PublicKey, rights: u8) -> Holder {
    Holder {
        reference: certificate.holder.to_vec(),
        key,
        rights,
        role: certificate.role,
    }
}
