//! Whole stories: a chip is personalized through the issuer's channel, then inspected by a
//! reader that is written here with openssl alone.

mod arbitrary;
mod authority;
mod border;
mod desk;
mod entitled;
mod genuine;
mod issuing;
mod pace;
mod reader;
mod refusals;
mod whole;
