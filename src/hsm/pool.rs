//! A bounded pool of logged-in sessions to one token.
//!
//! A session serves one thread at a time. Login belongs to the token, not to the session, and ends
//! when the last session closes; so a session is checked, and logged in where needed, when it is
//! opened, and the pool keeps what it has opened.
//!
//! What is lost is got again once in a call: a session, the login, the token's slot, the module
//! itself. Where that fails, the call says so, and a later one tries anew.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;

use crate::error::{HsmError, device};
use crate::handle::Handles;
use crate::module;
use crate::secret::Secret;
use crate::token::{TokenInfo, find_token};
use crate::usage::Usage;

pub(crate) struct SessionPool {
    module: Pkcs11,
    /// Where the token was last; another slot after a restart, perhaps.
    slot: Mutex<Slot>,
    info: TokenInfo,
    pin: Secret,
    max: usize,
    /// The key handles found so far: they mean nothing after a restart, or another key.
    handles: Handles,
    usage: Usage,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    lent: usize,
}

/// Counts a session as lent for as long as it lives, panics included.
struct Loan<'a>(&'a SessionPool);

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.lock().lent -= 1;
        self.0.freed.notify_one();
    }
}

impl SessionPool {
    pub(crate) fn new(
        module: Pkcs11,
        slot: Slot,
        info: TokenInfo,
        pin: Secret,
        max: usize,
    ) -> Self {
        Self {
            module,
            slot: Mutex::new(slot),
            info,
            pin,
            max,
            handles: Handles::default(),
            usage: Usage::default(),
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    pub(crate) fn handles(&self) -> &Handles {
        &self.handles
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn pin(&self) -> &Secret {
        &self.pin
    }

    /// Opens the first session and has the token judge the PIN.
    ///
    /// A login that somebody else in this process left behind is ended first: under it, any PIN
    /// would seem right.
    pub(crate) fn prove_pin(&self) -> Result<(), HsmError> {
        let open = device("open a session");
        let slot = *self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.module.open_rw_session(slot).map_err(open)?;
        if state_of(&session)? == SessionState::RwUser {
            session.logout().map_err(device("log out"))?;
        }
        self.log_in(&session).map_err(device("log in"))?;
        self.lock().idle.push(session);
        Ok(())
    }

    /// Runs `act` on a logged-in session; once more on a new one where the session was lost.
    pub(crate) fn run<T>(
        &self,
        mut act: impl FnMut(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        let begun = Instant::now();
        let first = self.run_once(&mut act, false);
        let ended = match first {
            Err(error) if session_lost(&error) => {
                self.handles.forget();
                self.lock().idle.clear();
                self.run_once(&mut act, true)
            }
            settled => settled,
        };
        self.usage.count(begun, &ended);
        ended
    }

    fn run_once<T>(
        &self,
        act: &mut impl FnMut(&Session) -> Result<T, HsmError>,
        fresh: bool,
    ) -> Result<T, HsmError> {
        let (loan, idle) = self.borrow();
        let session = match idle {
            Some(session) if !fresh => session,
            _ => self.open()?,
        };
        let outcome = act(&session);
        // After the device's refusal an operation may still be active in the session: such a
        // session is closed and not lent again.
        if !matches!(outcome, Err(HsmError::Device { .. })) {
            self.lock().idle.push(session);
        }
        drop(loan);
        outcome
    }

    fn borrow(&self) -> (Loan<'_>, Option<Session>) {
        let mut state = self
            .freed
            .wait_while(self.lock(), |state| state.lent >= self.max)
            .unwrap_or_else(PoisonError::into_inner);
        state.lent += 1;
        (Loan(self), state.idle.pop())
    }

    fn open(&self) -> Result<Session, HsmError> {
        let slot = *self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match self.open_at(slot) {
            Err(error) if token_lost(&error) => self.open_at(self.find_again()?),
            settled => settled,
        }
    }

    /// Finds the token where it is now; the module is started where somebody ended it.
    fn find_again(&self) -> Result<Slot, HsmError> {
        module::start(&self.module).map_err(|source| HsmError::ModuleUnusable {
            path: self.info.module.clone(),
            source,
        })?;
        let path = self.info.module.clone();
        let (slot, info) = find_token(&self.module, path, &self.info.label)?;
        if info != self.info {
            // Another token under the same label has other keys.
            return Err(HsmError::TokenNotFound {
                label: self.info.label.clone(),
                found: vec![info.label],
            });
        }
        // Before any session is there in which an old handle could be another key's.
        self.handles.forget();
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
        Ok(slot)
    }

    fn open_at(&self, slot: Slot) -> Result<Session, HsmError> {
        let open = device("open a session");
        let session = self.module.open_rw_session(slot).map_err(open)?;
        if state_of(&session)? != SessionState::RwUser {
            match self.log_in(&session) {
                // Another thread was quicker.
                Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(source) => return Err(device("log in")(source)),
            }
        }
        Ok(session)
    }

    fn log_in(&self, session: &Session) -> Result<(), Pkcs11Error> {
        let pin = self.pin.to_auth_pin();
        self.handles
            .log_in(|| session.login(UserType::User, Some(&pin)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the session's login state.
pub(crate) fn state_of(session: &Session) -> Result<SessionState, HsmError> {
    let info = session.get_session_info();
    Ok(info.map_err(device("describe a session"))?.session_state())
}

/// Tells whether the session, its login or the key handles of its time are gone, so that nothing
/// was done and the same call on a new session is right.
fn session_lost(error: &HsmError) -> bool {
    let gone = |code: &RvError| {
        matches!(
            code,
            RvError::SessionHandleInvalid
                | RvError::SessionClosed
                | RvError::UserNotLoggedIn
                | RvError::ObjectHandleInvalid
                | RvError::KeyHandleInvalid
        )
    };
    token_lost(error) || code_of(error).is_some_and(gone)
}

/// Tells whether the token is not where it was: a card pulled, a network HSM's client restarted,
/// the module ended by another library of this process.
fn token_lost(error: &HsmError) -> bool {
    let gone = |code: &RvError| {
        matches!(
            code,
            RvError::DeviceRemoved
                | RvError::TokenNotPresent
                | RvError::TokenNotRecognized
                | RvError::SlotIdInvalid
                | RvError::CryptokiNotInitialized
        )
    };
    code_of(error).is_some_and(gone)
}

fn code_of(error: &HsmError) -> Option<&RvError> {
    match error {
        HsmError::Device {
            source: Pkcs11Error::Pkcs11(code, _),
            ..
        } => Some(code),
        _ => None,
    }
}

#[cfg(test)]
#[path = "../../tests/hsm/pool.rs"]
mod tests;
