//! Loaded PKCS#11 modules: each is loaded and started once in a process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Pkcs11Error, RvError};

use crate::config::TokenConfig;
use crate::error::HsmError;

/// The modules of this process. PKCS#11 counts a module's state per process, not per caller, so
/// that a second `C_Initialize` is an error and a `C_Finalize` would close everybody's sessions.
static MODULES: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);

/// Returns the first of the configured modules that exists, started, and its path.
pub(crate) fn load(config: &TokenConfig) -> Result<(PathBuf, Pkcs11), HsmError> {
    let found = config
        .modules()
        .iter()
        // The same library under two names must not be started twice.
        .find_map(|path| path.canonicalize().ok());
    let Some(path) = found else {
        return Err(HsmError::ModuleMissing {
            kind: config.name().to_owned(),
            tried: config.modules().to_vec(),
        });
    };
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let modules = modules.get_or_insert_default();
    if let Some(module) = modules.get(&path) {
        return Ok((path, module.clone()));
    }
    let unusable = |source| HsmError::ModuleUnusable {
        path: path.clone(),
        source,
    };
    let module = Pkcs11::new(&path).map_err(unusable)?;
    start(&module).map_err(unusable)?;
    modules.insert(path.clone(), module.clone());
    Ok((path, module))
}

/// Starts a module, unless it is started: another library of this process may have done so, or may
/// have ended it.
pub(crate) fn start(module: &Pkcs11) -> Result<(), Pkcs11Error> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(source) => Err(source),
    }
}
