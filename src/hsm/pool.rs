//! A bounded pool of logged-in sessions to one token.
//!
//! A session serves one thread at a time. Login belongs to the token, not to the session, and ends
//! when the last session closes; so a session is checked, and logged in where needed, when it is
//! opened, and the pool keeps what it has opened.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;

use crate::error::{HsmError, device};
use crate::secret::Secret;

pub(crate) struct SessionPool {
    module: Pkcs11,
    slot: Slot,
    pin: Secret,
    max: usize,
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
    pub(crate) fn new(module: Pkcs11, slot: Slot, pin: Secret, max: usize) -> Self {
        Self {
            module,
            slot,
            pin,
            max,
            state: Mutex::default(),
            freed: Condvar::new(),
        }
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
        let session = self.module.open_rw_session(self.slot).map_err(open)?;
        if state_of(&session)? == SessionState::RwUser {
            session.logout().map_err(device("log out"))?;
        }
        session
            .login(UserType::User, Some(&self.pin.to_auth_pin()))
            .map_err(device("log in"))?;
        self.lock().idle.push(session);
        Ok(())
    }

    /// Runs `act` on a logged-in session; once more on a new one where the session was lost.
    ///
    /// `lost` is called before the second try: object handles of a lost session mean nothing.
    pub(crate) fn run<T>(
        &self,
        mut act: impl FnMut(&Session) -> Result<T, HsmError>,
        lost: impl FnOnce(),
    ) -> Result<T, HsmError> {
        let first = self.run_once(&mut act, false);
        match first {
            Err(error) if session_lost(&error) => {
                self.lock().idle.clear();
                lost();
                self.run_once(&mut act, true)
            }
            settled => settled,
        }
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
        let open = device("open a session");
        let session = self.module.open_rw_session(self.slot).map_err(open)?;
        if state_of(&session)? != SessionState::RwUser {
            match session.login(UserType::User, Some(&self.pin.to_auth_pin())) {
                // Another thread was quicker.
                Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(source) => return Err(device("log in")(source)),
            }
        }
        Ok(session)
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
    let HsmError::Device {
        source: Pkcs11Error::Pkcs11(code, _),
        ..
    } = error
    else {
        return false;
    };
    matches!(
        code,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
    )
}
