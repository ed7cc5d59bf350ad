//! Where a verification gets the files of an export from: the caller does the I/O.

use std::collections::BTreeMap;

/// What went wrong while reading, in the reader's own words.
pub type ReadFault = Box<dyn std::error::Error + Send + Sync>;

/// Says why there is no content.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("the file is not there")]
    Missing,
    /// The file is longer than was asked for.
    #[error("the file is longer than it may be")]
    TooLong,
    /// The file could not be read. This is no verdict on the log.
    #[error("the file could not be read")]
    Failed(#[source] ReadFault),
}

/// Reads the files of an export.
pub trait ExportReader {
    /// Returns the whole content of the file at `path`: relative, with slashes, as in
    /// `tile/0/x001/067`. The paths come from the verification, never from the export.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::TooLong`] without reading further once `longest` bytes are
    /// exceeded, so that a hostile export cannot fill the memory.
    fn read(&mut self, path: &str, longest: usize) -> Result<Vec<u8>, ReadError>;
}

/// An export in memory: content by path.
impl ExportReader for BTreeMap<String, Vec<u8>> {
    fn read(&mut self, path: &str, longest: usize) -> Result<Vec<u8>, ReadError> {
        let bytes = self.get(path).ok_or(ReadError::Missing)?;
        if bytes.len() > longest {
            return Err(ReadError::TooLong);
        }
        Ok(bytes.clone())
    }
}
