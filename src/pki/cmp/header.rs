//! `PKIHeader` (*RFC 9810 §5.1.1*; EXPLICIT TAGS).

use cert::DistinguishedName;
use der::asn1::{Any, GeneralizedTime, OctetString};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};

/// `cmp2000`.
pub(crate) const VERSION_2: u8 = 2;
/// `cmp2021`.
pub(crate) const VERSION_3: u8 = 3;

/// `id-it-implicitConfirm` (*§5.1.1.1*).
pub(crate) const IMPLICIT_CONFIRM: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.4.13");
/// `id-it-confirmWaitTime` (*§5.1.1.2*).
pub(crate) const CONFIRM_WAIT_TIME: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.4.14");
/// `id-it-caCerts` (*§5.3.19.14*).
pub(crate) const CA_CERTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.4.17");
/// `id-it-certProfile` (*§5.1.1.4*).
pub(crate) const CERT_PROFILE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.4.21");

/// `InfoTypeAndValue`, and `AttributeTypeAndValue` of CRMF.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct InfoTypeAndValue {
    pub(crate) info_type: ObjectIdentifier,
    #[asn1(optional = "true")]
    pub(crate) info_value: Option<Any>,
}

/// `PKIHeader`.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct Header {
    pub(crate) pvno: u8,
    /// A `GeneralName`.
    pub(crate) sender: Any,
    /// A `GeneralName`.
    pub(crate) recipient: Any,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) message_time: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) protection_alg: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) sender_kid: Option<OctetString>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) recip_kid: Option<OctetString>,
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) transaction_id: Option<OctetString>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) sender_nonce: Option<OctetString>,
    #[asn1(context_specific = "6", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) recip_nonce: Option<OctetString>,
    #[asn1(context_specific = "7", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) free_text: Option<Vec<String>>,
    #[asn1(context_specific = "8", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) general_info: Option<Vec<InfoTypeAndValue>>,
}

impl Header {
    /// Returns a header between these two; nothing else is set.
    pub(crate) fn new(sender: Any, recipient: Any) -> Self {
        Self {
            pvno: VERSION_2,
            sender,
            recipient,
            message_time: None,
            protection_alg: None,
            sender_kid: None,
            recip_kid: None,
            transaction_id: None,
            sender_nonce: None,
            recip_nonce: None,
            free_text: None,
            general_info: None,
        }
    }

    /// Returns the name in `sender`, if it is a directory name that reads.
    pub(crate) fn sender_name(&self) -> Option<DistinguishedName> {
        directory_name(&self.sender)
    }

    /// Returns the transaction's name; empty where there is none.
    pub(crate) fn transaction(&self) -> &[u8] {
        bytes(self.transaction_id.as_ref())
    }

    /// Returns the sender's nonce; empty where there is none.
    pub(crate) fn nonce(&self) -> &[u8] {
        bytes(self.sender_nonce.as_ref())
    }

    /// Returns the nonce of the message that this one answers; empty where there is none.
    pub(crate) fn answered_nonce(&self) -> &[u8] {
        bytes(self.recip_nonce.as_ref())
    }

    /// Returns the key identifier of the sender; empty where there is none.
    pub(crate) fn key_identifier(&self) -> &[u8] {
        bytes(self.sender_kid.as_ref())
    }

    /// Returns when the message was made, if it says so.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let since = self.message_time.as_ref()?.to_unix_duration();
        Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok()
    }

    /// Returns the information of a type, if it is there.
    pub(crate) fn info(&self, kind: ObjectIdentifier) -> Option<&InfoTypeAndValue> {
        let mut all = self.general_info.iter().flatten();
        all.find(|info| info.info_type == kind)
    }

    /// Returns whether implicit confirmation is asked for or granted.
    pub(crate) fn is_implicitly_confirmed(&self) -> bool {
        self.info(IMPLICIT_CONFIRM).is_some()
    }

    /// Returns the certificate profile that is named, if one is (*§5.1.1.4*).
    ///
    /// # Errors
    /// [`der::Error`] where there are none or several: each request needs one, and there is one
    /// request.
    pub(crate) fn cert_profile(&self) -> der::Result<Option<String>> {
        let Some(info) = self.info(CERT_PROFILE) else {
            return Ok(None);
        };
        let wrong = || der::Error::from(Tag::Sequence.value_error());
        let value = info.info_value.as_ref().ok_or_else(wrong)?;
        let [name] =
            <[String; 1]>::try_from(value.decode_as::<Vec<String>>()?).map_err(|_| wrong())?;
        Ok(Some(name))
    }

    /// Adds information.
    pub(crate) fn inform(&mut self, info_type: ObjectIdentifier, info_value: Any) {
        self.general_info
            .get_or_insert_default()
            .push(InfoTypeAndValue {
                info_type,
                info_value: Some(info_value),
            });
    }
}

fn bytes(octets: Option<&OctetString>) -> &[u8] {
    octets.map_or(&[], OctetString::as_bytes)
}

/// Returns a time to the second, if it can be written.
pub(crate) fn generalized_time(at: Timestamp) -> Option<GeneralizedTime> {
    let seconds = u64::try_from(at.as_second()).ok()?;
    GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds)).ok()
}

/// The tag of `directoryName` in a `GeneralName`.
const DIRECTORY_NAME: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(4),
};

/// Returns a name as a `GeneralName`.
pub(crate) fn general_name(name: &DistinguishedName) -> der::Result<Any> {
    Any::new(DIRECTORY_NAME, name.as_der())
}

/// Returns the `GeneralName` of somebody whose name does not matter: the empty directory name, the
/// "NULL-DN" (*§5.1.1*).
pub(crate) fn nobody() -> der::Result<Any> {
    Any::new(DIRECTORY_NAME, [0x30, 0x00])
}

/// Returns the name in a `GeneralName`, if it is a directory name that reads.
pub(crate) fn directory_name(general: &Any) -> Option<DistinguishedName> {
    if general.tag() != DIRECTORY_NAME {
        return None;
    }
    DistinguishedName::from_der(general.value()).ok()
}

/// Returns a value as `ANY`.
pub(crate) fn any(value: &impl Encode) -> der::Result<Any> {
    Any::from_der(&value.to_der()?)
}
