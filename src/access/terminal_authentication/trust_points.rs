//! Whose certificates a chip accepts: EF.CVCA (*TR-03110-3 §A.6.2.3*).

use card::{Channel, Limits};
use cert::cvc::{CvcError, EfCvca, HolderReference};
use thiserror::Error;

use crate::files::{FileError, FileName, read_start};
use crate::security_infos::{FileId, SecurityInfos};

/// Where EF.CVCA is, unless the chip says otherwise.
const EF_CVCA: u16 = 0x011C;
/// Bytes of EF.CVCA.
const LENGTH: usize = 36;

/// Says why a chip's trust points are not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustPointsError {
    /// EF.CVCA is not read.
    #[error(transparent)]
    File(#[from] FileError),
    /// EF.CVCA names nobody.
    #[error("EF.CVCA is malformed")]
    Malformed(#[from] CvcError),
}

/// Reads the names of the chip's trust points, the most recent first, out of EF.CVCA of the
/// application that is selected. `infos` are those of DG14, which may say where the file is
/// (*ICAO 9303-11 §9.2.8*).
///
/// # Errors
/// [`TrustPointsError`]; [`FileError::NotFound`] in it where the chip has no terminal
/// authentication.
pub fn read_trust_points(
    channel: &mut dyn Channel,
    limits: &Limits,
    infos: &SecurityInfos,
) -> Result<Vec<HolderReference>, TrustPointsError> {
    let mut said = infos.terminal_authentication();
    let place = said.find_map(|info| info.ef_cvca);
    let file = place.map_or(EF_CVCA, |FileId { file, .. }| file);
    let file = read_start(channel, limits, FileName::Identifier(file), LENGTH)?;
    Ok(EfCvca::parse(&file)?.references().cloned().collect())
}
