//! Finding keys by their labels.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::Function;
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};

use crate::attributes::KeyAttributes;
use crate::error::{HsmError, device};
use crate::inventory::{KeyKind, kind_of};
use crate::pool::state_of;

/// Which object of a key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyClass {
    Private,
    Public,
    Secret,
}

impl KeyClass {
    pub(crate) const ALL: [Self; 3] = [Self::Private, Self::Public, Self::Secret];

    pub(crate) fn object_class(self) -> ObjectClass {
        match self {
            Self::Private => ObjectClass::PRIVATE_KEY,
            Self::Public => ObjectClass::PUBLIC_KEY,
            Self::Secret => ObjectClass::SECRET_KEY,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Private => "private key",
            Self::Public => "public key",
            Self::Secret => "secret key",
        }
    }
}

/// The handles found so far: a search goes through the whole token, a handle stays good until the
/// token is restarted.
#[derive(Default)]
pub(crate) struct Handles {
    found: Mutex<HashMap<(KeyClass, String), ObjectHandle>>,
    secrets: Mutex<HashMap<String, SecretKey>>,
    /// How often this pool has logged in; held while it does.
    logins: Mutex<u64>,
}

/// A secret key with what does not change as long as it is: its kind and length never do, and what
/// cannot leave a token never can again (*PKCS#11*, `CKA_SENSITIVE` and `CKA_EXTRACTABLE`).
#[derive(Clone, Copy)]
pub(crate) struct SecretKey {
    pub(crate) handle: ObjectHandle,
    pub(crate) kind: KeyKind,
    /// Whether its attributes let it leave the token.
    pub(crate) can_leave: bool,
}

impl Handles {
    pub(crate) fn forget(&self) {
        let held = self.found.lock();
        held.unwrap_or_else(PoisonError::into_inner).clear();
        let held = self.secrets.lock();
        held.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs a login: a search that may have looked before it and found nothing is not believed.
    pub(crate) fn log_in<E>(&self, login: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        login()?;
        *logins += 1;
        Ok(())
    }

    fn logins(&self) -> u64 {
        *self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the token's keys of this class and label.
    ///
    /// Without a login a token hides its private keys instead of refusing the search. So nothing is
    /// said to be absent unless the login that stands now stood before the search.
    pub(crate) fn find(
        &self,
        session: &Session,
        class: KeyClass,
        label: &str,
    ) -> Result<Vec<ObjectHandle>, HsmError> {
        let template = [
            Attribute::Class(class.object_class()),
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        let logins = self.logins();
        let found = session
            .find_objects(&template)
            .map_err(device("search for a key"))?;
        // In this order: who logs in after the state was asked does not make the search truer.
        if found.is_empty()
            && (state_of(session)? != SessionState::RwUser || self.logins() != logins)
        {
            let lost = Pkcs11Error::Pkcs11(RvError::UserNotLoggedIn, Function::FindObjects);
            return Err(device("search for a key")(lost));
        }
        Ok(found)
    }

    /// Returns the one secret key of this label.
    pub(crate) fn secret(
        &self,
        session: &Session,
        token: &str,
        label: &str,
    ) -> Result<SecretKey, HsmError> {
        let known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = known.get(label) {
            return Ok(*key);
        }
        drop(known);
        let handle = self.get(session, token, KeyClass::Secret, label)?;
        let key = SecretKey {
            handle,
            kind: kind_of(session, handle)?,
            can_leave: KeyAttributes::read(session, handle)?.fault().is_some(),
        };
        let mut known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(label.to_owned(), key);
        Ok(key)
    }

    /// Returns the one key of this class and label.
    pub(crate) fn get(
        &self,
        session: &Session,
        token: &str,
        class: KeyClass,
        label: &str,
    ) -> Result<ObjectHandle, HsmError> {
        let key = (class, label.to_owned());
        let known = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .copied();
        if let Some(handle) = known {
            return Ok(handle);
        }
        let handle = match self.find(session, class, label)?.as_slice() {
            [handle] => *handle,
            [] => {
                return Err(HsmError::KeyNotFound {
                    token: token.to_owned(),
                    label: label.to_owned(),
                    kind: class.name(),
                });
            }
            _ => {
                return Err(HsmError::KeyAmbiguous {
                    token: token.to_owned(),
                    label: label.to_owned(),
                });
            }
        };
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, handle);
        Ok(handle)
    }
}
