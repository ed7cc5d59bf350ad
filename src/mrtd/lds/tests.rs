//! What holds for all files.
