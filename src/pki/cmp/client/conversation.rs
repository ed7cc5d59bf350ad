//! One message there, and its answer, once it is the authority's.

use std::fmt;
use std::sync::Arc;

use cert::{Certificate, PathVerifier};
use der::asn1::OctetString;
use jiff::{SignedDuration, Timestamp};

use super::CmpAuthority;
use crate::authority::AuthorityError;
use crate::cmp::body::Body;
use crate::cmp::header::{Header, general_name, nobody};
use crate::cmp::identity::{CMC_CA, CMC_RA};
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::{Credential, ProtectionError};

impl CmpAuthority {
    /// Returns a header with a fresh nonce: of a new transaction, or of one that goes on and
    /// answers a nonce.
    pub(super) fn header(
        &self,
        transaction: Option<&Header>,
        answers: Option<&OctetString>,
    ) -> Result<Header, AuthorityError> {
        let issuing = self.chain.last().map(Certificate::subject);
        let recipient = issuing
            .map_or_else(nobody, general_name)
            .map_err(encoding)?;
        let mut header = Header::new(self.credential.sender().map_err(encoding)?, recipient);
        header.sender_nonce = Some(self.fresh()?);
        header.transaction_id = match transaction {
            Some(earlier) => earlier.transaction_id.clone(),
            None => Some(self.fresh()?),
        };
        header.recip_nonce = answers
            .filter(|nonce| !nonce.as_bytes().is_empty())
            .cloned();
        Ok(header)
    }

    pub(super) fn fresh(&self) -> Result<OctetString, AuthorityError> {
        let mut bytes = [0; 16];
        self.random
            .fill(&mut bytes)
            .map_err(ProtectionError::Token)
            .map_err(|error| not_protected(&error))?;
        OctetString::new(bytes).map_err(encoding)
    }

    /// Protects a message beside the async threads: the token may be slow.
    pub(super) async fn protected(
        &self,
        header: Header,
        body: Body,
    ) -> Result<CmpMessage, AuthorityError> {
        let (credential, random) = (self.credential.clone(), Arc::clone(&self.random));
        let work = move || credential.protect(header, body, &*random);
        let made = tokio::task::spawn_blocking(work).await;
        let made = made.map_err(|_| AuthorityError::Unanswered {
            reason: "the program is ending".into(),
        })?;
        made.map_err(|error| not_protected(&error))
    }

    /// Sends a message, and returns the answer once it is the authority's to this one.
    pub(super) async fn ask(
        &self,
        profile: &str,
        message: &CmpMessage,
        at: Timestamp,
    ) -> Result<CmpMessage, AuthorityError> {
        let url = self
            .config
            .endpoint(Some(profile))
            .map_err(|_| AuthorityError::Exchange)?;
        let sent = message.to_der().map_err(encoding)?;
        let came = self.transport.send(url, sent).await?;
        let answer = CmpMessage::parse(&came).map_err(|error| foreign(error.to_string()))?;
        self.check(message, &answer, at)?;
        Ok(answer)
    }

    /// Checks that an answer is the authority's, and to this message (*RFC 9483 §3.5*).
    pub(super) fn check(
        &self,
        sent: &CmpMessage,
        answer: &CmpMessage,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        if answer.is_mac_protected() {
            let Credential::Mac(secret) = &self.credential else {
                return Err(foreign("a MAC, and there is no shared secret"));
            };
            answer
                .verify_mac(secret)
                .map_err(|error| unproved(answer, &error))?;
        } else {
            self.check_signer(answer, at)?;
        }
        if answer.header.transaction() != sent.header.transaction() {
            return Err(foreign("it is of another transaction"));
        }
        if answer.header.answered_nonce() != sent.header.nonce() {
            return Err(foreign(
                "it answers another message: recipNonce is not ours",
            ));
        }
        if let Some(time) = answer.header.time() {
            let most = SignedDuration::from_secs(self.config.clocks_seconds.into());
            if at.duration_since(time).abs() > most {
                return Err(foreign(format!(
                    "it says that it was made at {time}, and it is {at} here; compare the clocks"
                )));
            }
        }
        Ok(())
    }

    /// Checks that an answer is signed by whom the authority lets answer: a certificate that is
    /// named in the configuration, or one that the chain vouches for as an authority's own. A
    /// holder's certificate has the same chain, and must not answer for it.
    pub(super) fn check_signer(
        &self,
        answer: &CmpMessage,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        let beside = answer.certificates();
        let verify = |signer: &Certificate| {
            answer
                .verify_signature(signer)
                .map_err(|error| unproved(answer, &error))
        };
        if !self.responders.is_empty() {
            let sender = answer.header.sender_name();
            let mut named = self.responders.iter();
            let signer = named.find(|known| match beside.first() {
                Some(own) => own == *known,
                // One that is signed by itself may be left out.
                None => sender.as_ref() == Some(known.subject()),
            });
            let Some(signer) = signer else {
                return Err(unproved(answer, &"its signer is none of the responders"));
            };
            if !signer.validity().contains(at) {
                return Err(foreign("its signer's certificate does not hold now"));
            }
            return verify(signer);
        }
        let sender = answer.header.sender_name();
        let mut own = self.chain.iter();
        let signer = match beside.first() {
            Some(signer) => signer,
            None => own
                .find(|known| sender.as_ref() == Some(known.subject()))
                .ok_or_else(|| unproved(answer, &"its signer is not known"))?,
        };
        let purposes = &signer.extensions().extended_key_usage;
        let may =
            self.chain.contains(signer) || purposes.contains(&CMC_CA) || purposes.contains(&CMC_RA);
        if !may {
            return Err(unproved(
                answer,
                &"its signer may not answer for the authority",
            ));
        }
        verify(signer)?;
        let (anchors, between) = self.chain.split_at(1);
        let intermediates: Vec<Certificate> = between.iter().chain(&beside).cloned().collect();
        let verifier = PathVerifier {
            anchors,
            intermediates: &intermediates,
        };
        let path = verifier.verify(signer, at);
        path.map_err(|error| foreign(format!("its signer is not trusted: {error}")))?;
        Ok(())
    }
}

pub(super) fn foreign(reason: impl Into<String>) -> AuthorityError {
    AuthorityError::Foreign {
        reason: reason.into(),
    }
}

/// Returns why an answer proves nothing, with what it says if it is an error: anybody could have
/// said it, and a person may still want to read it.
pub(super) fn unproved(answer: &CmpMessage, why: &dyn fmt::Display) -> AuthorityError {
    match &answer.body {
        Body::Error(content) => foreign(format!("{why}; it says: {}", content.status)),
        _ => foreign(why.to_string()),
    }
}

/// In theory only: what is written here was made here.
pub(super) fn encoding(_: der::Error) -> AuthorityError {
    AuthorityError::Refused {
        reason: "the request does not encode".into(),
    }
}

pub(super) fn not_protected(error: &ProtectionError) -> AuthorityError {
    AuthorityError::Unanswered {
        reason: format!("the request was not made: {error}"),
    }
}
