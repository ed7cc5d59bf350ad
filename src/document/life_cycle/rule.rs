//! What belongs to a transition besides its states.

use super::Guard;
use crate::role::{Act, Role, may};

/// What a transition demands, and what it leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What must hold, besides the state.
    pub guards: &'static [Guard],
    /// The acts of which one person needs one right; none where the store does it by itself, at a
    /// time that has come or as the consequence of another transition.
    pub acts: &'static [Act],
    /// The actions under which the audit log has it: every one of a list is its evidence on one of
    /// its ways.
    pub evidence: &'static [&'static str],
}

impl Rule {
    /// Returns who may do it: every role that carries one of the rights, in the order of roles. No
    /// role is the store itself.
    #[must_use]
    pub fn roles(self) -> Vec<Role> {
        let able = |role: &&Role| self.acts.iter().any(|&act| may(**role, act));
        Role::ALL.iter().filter(able).copied().collect()
    }

    /// Returns why one person alone is not enough for it, in a few words; none where one is.
    #[must_use]
    pub fn second_person(self) -> Option<&'static str> {
        self.guards.iter().find_map(|guard| guard.second_person())
    }
}
