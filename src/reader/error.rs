//! What can go wrong on the way to a card, before there is a channel.

use card::ChannelError;
use thiserror::Error;

/// Why the readers cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// There is no PC/SC service.
    #[error(
        "the smart card service does not run; start pcscd (systemctl start pcscd), or set PCSCLITE_CSOCK_NAME to its socket"
    )]
    NoService,
    /// There is no reader at all.
    #[error("no reader is plugged in; connect one and look with `zimogs card list`")]
    NoReaders,
    /// There is no reader of this name.
    #[error("no reader is named \"{name}\"; there are: {}", known.join(", "))]
    UnknownReader {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Several readers fit the name.
    #[error("\"{name}\" fits several readers: {}; write more of the name", fits.join(", "))]
    AmbiguousReader {
        /// The name that was asked for.
        name: String,
        /// The readers that it fits.
        fits: Vec<String>,
    },
    /// No card came in time.
    #[error("no card came into reader \"{reader}\" within {seconds} s")]
    NoCardCame {
        /// The reader.
        reader: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The card in the reader cannot be used.
    #[error(transparent)]
    Card(#[from] ChannelError),
    /// The service failed.
    #[error("the smart card service failed while {context}")]
    Service {
        /// What was being done.
        context: &'static str,
        /// What it said.
        #[source]
        source: pcsc::Error,
    },
}

impl ReaderError {
    /// Names what the service said while `context`.
    pub(crate) fn service(context: &'static str, source: pcsc::Error) -> Self {
        match source {
            // The last one where it ends while it is asked.
            pcsc::Error::NoService | pcsc::Error::ServiceStopped | pcsc::Error::CommError => {
                Self::NoService
            }
            pcsc::Error::NoReadersAvailable => Self::NoReaders,
            source => Self::Service { context, source },
        }
    }
}

/// Names what the service said of the card in `reader` while `context`.
pub(crate) fn channel_error(reader: &str, context: &str, source: pcsc::Error) -> ChannelError {
    let reader = reader.to_owned();
    match source {
        pcsc::Error::RemovedCard => ChannelError::Removed,
        pcsc::Error::ResetCard => ChannelError::Reset,
        pcsc::Error::NoSmartcard => ChannelError::NoCard { reader },
        pcsc::Error::UnknownReader | pcsc::Error::ReaderUnavailable => {
            ChannelError::NoReader { name: reader }
        }
        pcsc::Error::SharingViolation => ChannelError::Shared { reader },
        pcsc::Error::UnresponsiveCard | pcsc::Error::UnpoweredCard | pcsc::Error::ProtoMismatch => {
            ChannelError::Unresponsive { reader }
        }
        source => ChannelError::Device {
            context: format!("{context} (reader \"{reader}\")"),
            source: Some(Box::new(source)),
        },
    }
}
