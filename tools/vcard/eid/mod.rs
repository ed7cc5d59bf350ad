//! The eID chips' operating system: an issuer security domain with SCP03 or SCP02 and an eID
//! application, which share one memory and one idea of a command's turn. The Java Cards have
//! its security domain, with no eID application beside it.

mod access;
mod authentication;
mod files;
mod instructions;
mod key_sets;
mod keys;
mod life_cycle;
mod os;
mod pin_objects;
mod pins;
mod registry;
#[cfg(test)]
pub(crate) mod scenarios;
mod scp02;
mod scp03;
mod select;
pub(crate) mod session;
mod signing;
pub(crate) mod state;
pub(crate) mod turn;

pub(crate) use os::Os;
