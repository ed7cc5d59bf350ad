//! What holds for all files: published ones read, malformed ones do not, and all agree.

mod agreement;
mod malformed;
mod published;
mod round_trips;
