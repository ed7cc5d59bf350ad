//! Whole stories: a chip is personalized through the issuer's channel, then inspected by a
//! reader that is written here with openssl alone.

mod desk;
mod pace;
mod reader;
