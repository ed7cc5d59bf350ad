//! The operating system's random source, as the executor takes it.

/// Returns a source of random bytes.
pub(crate) fn system() -> perso::Random {
    Box::new(|bytes| {
        // The kernel's generator fails only on a broken system; no challenge may be guessable.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    })
}
