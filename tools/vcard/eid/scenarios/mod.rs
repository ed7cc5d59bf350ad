//! The chip as its users meet it: right orders work, wrong ones are refused.

mod channel;
mod domain;
mod files;
pub(crate) mod host;
mod keys;
mod life;
mod opensc;
mod personalized;
mod pins;
mod protocols;
mod tearing;
mod transcript;
