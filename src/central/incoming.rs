//! An application that comes in, as it is to be stored: sealed under keys that were drawn for it, and
//! with the digests of its holder.

use document::{Application, DataClass};
use zeroize::Zeroizing;

use crate::blind_index::Digest;
use crate::central::Central;
use crate::data_keys::DrawnKey;
use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::personal::SealedApplication;

/// The classes of data that an application has.
const CLASSES: [DataClass; 2] = [DataClass::Identity, DataClass::Biometrics];

/// A sealed application that is not stored yet.
pub(crate) struct Incoming {
    pub(crate) sealed: SealedApplication,
    /// The keys of its identity and of its biometrics.
    pub(crate) keys: [DrawnKey; 2],
    /// What its holder is found by.
    pub(crate) digests: Vec<Digest>,
}

impl Central {
    /// Seals an application before the transaction that stores it; none where that is left to the
    /// transaction (see [`Protection::draw_ahead`](crate::protection::Protection::draw_ahead)).
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for one that cannot be written down.
    pub(crate) async fn seal_ahead(&self, application: &Application) -> Result<Option<Incoming>> {
        let digests = self.holder_digests(&application.holder);
        let reference = application.reference.as_str();
        let drawn = self.protection().draw_ahead(reference, CLASSES, digests);
        drawn
            .await
            .map(|(keys, digests)| self.incoming(application, keys, digests))
            .transpose()
    }

    /// Seals an application under the wrapping keys that are in use now.
    ///
    /// # Errors
    /// The token's failures, and the database's.
    pub(crate) async fn seal_incoming(
        &self,
        tx: &mut Connection,
        application: &Application,
    ) -> Result<Incoming> {
        let digests = self.holder_digests(&application.holder);
        let reference = application.reference.as_str();
        let drawn = self.protection().draw_keys(tx, reference, CLASSES, digests);
        let (keys, digests) = drawn.await?;
        self.incoming(application, keys, digests)
    }

    fn incoming(
        &self,
        application: &Application,
        keys: [DrawnKey; 2],
        digests: Vec<Digest>,
    ) -> Result<Incoming> {
        let content = application
            .to_json()
            .map(Zeroizing::new)
            .map_err(|_| CentralError::invalid("the application cannot be written down"))?;
        let reference = application.reference.as_str();
        let sealed =
            self.seal_application(reference, &content, keys.each_ref().map(|it| &it.key))?;
        Ok(Incoming {
            sealed,
            keys,
            digests,
        })
    }
}
