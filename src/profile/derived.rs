//! What follows from a key that the chip made, and from its certificate, as templates name it.

use cert::{Certificate, PublicKey, PublicKeyError};

use crate::value::{Value, Variables};

/// Sets what follows from the public key of the key pair `name`: `key.NAME.public` (the
/// uncompressed point) or `key.NAME.modulus` and `key.NAME.exponent`, `key.NAME.spki` (DER), and
/// `key.NAME.id` (SHA-1 of the public key's bits, *RFC 5280 §4.2.1.2*).
///
/// # Errors
/// [`PublicKeyError`] for a key of another kind.
pub fn set_public_key(
    variables: &mut Variables,
    name: &str,
    key: &PublicKey,
) -> Result<(), PublicKeyError> {
    let (spki, id) = (key.to_spki_der()?, key.key_identifier()?);
    let mut set = |part: &str, bytes: &[u8]| {
        variables.set(format!("key.{name}.{part}"), Value::bytes(bytes));
    };
    if let Some(point) = key.point() {
        set("public", point);
    }
    if let Some(rsa) = key.rsa() {
        set("modulus", rsa.modulus());
        set("exponent", rsa.exponent());
    }
    set("spki", &spki);
    set("id", &id);
    Ok(())
}

/// Sets what follows from the certificate for the key pair `name`: `certificate.NAME` (DER), and
/// its `issuer`, `subject` and `serial` as DER, as PKCS#15 directories hold them.
pub fn set_certificate(variables: &mut Variables, name: &str, certificate: &Certificate) {
    let mut set = |part: &str, bytes: &[u8]| {
        variables.set(format!("certificate.{name}{part}"), Value::bytes(bytes));
    };
    set("", certificate.as_der());
    set(".issuer", certificate.issuer().as_der());
    set(".subject", certificate.subject().as_der());
    set(".serial", certificate.serial_der());
}
