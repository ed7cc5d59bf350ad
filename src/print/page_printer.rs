//! Printers of paper: letters, lists, proofs and labels, wherever nothing on it is secret.
//!
//! A PIN letter is none of these: a printer of pages may keep a job on its disk. It goes to an
//! [`EnvelopePrinter`](crate::EnvelopePrinter).

mod error;

use crate::face::Raster;

pub use error::{PageError, SpoiledCause};

/// A printer of pages.
pub trait PagePrinter {
    /// Returns where it is, as people write it.
    fn name(&self) -> &str;

    /// Asks how it is. Nothing is printed.
    ///
    /// # Errors
    /// [`PageError::Unreachable`], [`PageError::NoPrinter`].
    fn look(&mut self) -> Result<PagePrinterState, PageError>;

    /// Prints a job, once, and returns when the printer says that it is done.
    ///
    /// # Errors
    /// [`PageError`]; [`PageError::may_be_on_paper`] says whether any of it may be.
    fn print(&mut self, job: &PageJob<'_>) -> Result<PageReceipt, PageError>;
}

/// A job.
#[derive(Clone, Copy, Debug)]
pub struct PageJob<'a> {
    /// What people find it by: 1 to 64 of A-Z, a-z, 0-9, `-`, `_` and `.`, not beginning with a
    /// full stop.
    pub name: &'a str,
    /// What is printed.
    pub content: PageContent<'a>,
}

/// What is printed.
#[derive(Clone, Copy)]
pub enum PageContent<'a> {
    /// A PDF.
    Pdf(&'a [u8]),
    /// A label of one bit a dot, and its dots an inch.
    Label(&'a Raster, u16),
}

impl PageContent<'_> {
    /// Returns what people call it.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Pdf(_) => "a PDF",
            Self::Label(..) => "a label",
        }
    }
}

impl std::fmt::Debug for PageContent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl PageJob<'_> {
    /// Demands a name that means nothing to a file system or a printer.
    pub(crate) fn check_name(&self) -> Result<(), PageError> {
        let fits = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
        match (1..=64).contains(&self.name.len())
            && !self.name.starts_with('.')
            && self.name.bytes().all(fits)
        {
            true => Ok(()),
            false => Err(PageError::Name),
        }
    }
}

/// How a printer of pages is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagePrinterState {
    /// What it is, in its maker's words.
    pub model: String,
    /// Whether it takes a job now.
    pub ready: bool,
    /// What it says of itself.
    pub conditions: Vec<String>,
}

/// The printer said that the job is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageReceipt {
    /// Where it was printed, or the file it became.
    pub place: String,
    /// The printer's number of the job, where it has one.
    pub job: Option<i32>,
}
