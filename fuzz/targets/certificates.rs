//! Certificates, requests, lists and signed messages.

pub(crate) fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = cert::Certificate::parse(bytes) {
        let _ = certificate.verify_signature(certificate.public_key());
    }
}

pub(crate) fn request(bytes: &[u8]) {
    let strict = cert::request::Request::parse_and_verify(bytes);
    let lax = cert::request::Request::parse_and_verify_allowing_sha1(bytes);
    assert!(
        strict.is_err() || strict == lax,
        "what is accepted without SHA-1 is accepted with it"
    );
}

pub(crate) fn crl(bytes: &[u8]) {
    let _ = cert::UnverifiedCrl::parse(bytes.to_vec());
}

pub(crate) fn cvc(bytes: &[u8]) {
    use cert::cvc::{CvCertificate, CvContent, CvRequest, EfCvca, Holder, Strength};
    if let Ok(certificate) = CvCertificate::parse(bytes) {
        let content = CvContent {
            issuer: certificate.issuer().clone(),
            holder: certificate.holder().clone(),
            public_key: certificate.public_key().clone(),
            chat: certificate.chat().clone(),
            effective: certificate.effective(),
            expiration: certificate.expiration(),
            extensions: certificate.extensions().to_vec(),
        };
        assert!(
            content.body().is_ok_and(|body| body == certificate.body()),
            "there is one spelling of a certificate"
        );
        let _ = Holder::of_root(certificate, Strength::Legacy);
    }
    if let Ok(request) = CvRequest::parse(bytes) {
        let _ = request.verify(Strength::Legacy);
    }
    if let Ok(file) = EfCvca::parse(bytes) {
        assert!(
            EfCvca::parse(&file.to_bytes()).is_ok_and(|again| again == file),
            "a file of references survives its encoding"
        );
    }
}

/// A signed message as it comes in a file, and as it lies on a chip.
pub(crate) fn cms(bytes: &[u8]) {
    use cert::cms::SignedData;
    for read in [SignedData::parse(bytes), SignedData::parse_ef_sod(bytes)] {
        let Ok(message) = read else {
            continue;
        };
        let strict = message.verify(&[]);
        assert!(
            strict.is_err() || strict == message.verify_allowing_sha1(&[]),
            "what is accepted without SHA-1 is accepted with it"
        );
    }
}

pub(crate) fn master_list(bytes: &[u8]) {
    if let Ok(list) = cert::MasterList::parse(bytes)
        && list.unread().is_empty()
    {
        let again = cert::MasterList::encode(list.certificates())
            .and_then(|der| cert::MasterList::parse(&der));
        assert!(again.is_ok_and(|again| {
            let mut certificates = again.certificates().iter();
            certificates.all(|one| list.certificates().contains(one))
        }));
    }
}

pub(crate) fn ocsp(bytes: &[u8]) {
    if let Ok(request) = cert::ocsp::OcspRequest::parse(bytes) {
        let again = request
            .to_der()
            .and_then(|der| cert::ocsp::OcspRequest::parse(&der));
        assert!(
            again.is_ok_and(|again| again == request),
            "what is asked survives its encoding"
        );
    }
    let _ = cert::ocsp::OcspResponse::parse(bytes);
}

/// An EST server's answer, and the operator's file about it.
pub(crate) fn est(bytes: &[u8]) {
    if let Ok(certificates) = cert::certs_only(bytes) {
        assert!(!certificates.is_empty(), "no message without a certificate");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pki::EstConfig::parse(text);
    }
}

pub(crate) fn public_key(bytes: &[u8]) {
    if let Ok(key) = cert::PublicKey::from_spki_der(bytes) {
        let again = key
            .to_spki_der()
            .and_then(|der| cert::PublicKey::from_spki_der(&der));
        assert!(
            again.is_ok_and(|again| again == key),
            "a key survives its encoding"
        );
        let _ = key.key_identifier();
        if let Some(algorithm) = key.algorithm() {
            let _ = key.verify(algorithm.signature_algorithm(), b"message", bytes);
        }
    }
    let (modulus, exponent) = bytes.split_at(bytes.len().saturating_sub(3));
    let _ = cert::PublicKey::from_rsa(modulus, exponent);
    for curve in cert::Curve::ALL {
        let _ = cert::PublicKey::from_point(curve, bytes);
        if let Ok(signature) = cert::EcdsaSignature::from_der(curve, bytes) {
            assert!(
                signature.to_der().is_ok_and(|again| again == bytes),
                "there is one DER spelling of a signature"
            );
        }
    }
}

pub(crate) fn cmp_message(bytes: &[u8]) {
    let Ok(message) = pki::CmpMessage::parse(bytes) else {
        return;
    };
    let again = message.to_der().expect("what was read is written");
    assert!(
        pki::CmpMessage::parse(&again).is_ok_and(|read| read.to_der().ok() == Some(again)),
        "a message survives its encoding"
    );
}
