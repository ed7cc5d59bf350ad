//! What was drawn before, and happens at its time.

/// What happens later, without anything more that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// A station is started again.
    Start(usize),
    /// It is connected again.
    Connect(usize),
    /// The centre is up again.
    Up,
    /// The weather is fair again.
    Clear,
    /// Somebody takes the shift.
    Take(usize, usize),
    /// A slot works again.
    Work(usize, usize),
    /// The blank in a slot is taken out, and the next one put in.
    Change(usize, usize),
    /// A dead station's leases are taken from it, and its cards carried to others.
    Carry(usize),
    /// A dead station comes back.
    ComeBack(usize),
    /// The centre is lost, and restored from its copy.
    Restore,
    /// Two persons end what a restoration began.
    Reconcile,
}
