//! The driver: a label is sent, and the printer asked until it has nothing in work.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use super::label::label;
use super::status::{ZplEar, ZplStatus};
use crate::address::Address;
use crate::link::{Link, LinkAddress, SerialSettings};
use crate::page_printer::{
    PageContent, PageError, PageJob, PagePrinter, PagePrinterState, PageReceipt, SpoiledCause,
};

/// How long is waited between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZplPatience {
    /// For the connection and for an answer. A printer without paper or ribbon, or with an open
    /// head, gives none.
    pub answer: Duration,
    /// For the label to be printed.
    pub paper: Duration,
}

impl Default for ZplPatience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            paper: Duration::from_secs(60),
        }
    }
}

/// A label printer at a TCP port.
#[derive(Clone, Debug)]
pub struct ZplPrinter {
    address: LinkAddress,
    name: String,
    resolution: u16,
    patience: ZplPatience,
}

impl ZplPrinter {
    /// Makes a printer of so many dots an inch at an address. Nothing is sent.
    pub fn new(address: Address, resolution: u16, patience: ZplPatience) -> Self {
        let address = LinkAddress::Tcp(address);
        Self {
            name: address.to_string(),
            address,
            resolution,
            patience,
        }
    }

    fn connect(&self) -> Result<Box<dyn Link>, PageError> {
        let opened = self
            .address
            .open(SerialSettings::default(), self.patience.answer);
        opened.map_err(|error| PageError::Unreachable {
            printer: self.name.clone(),
            source: error.into(),
        })
    }

    fn status(&self, link: &mut dyn Link) -> io::Result<ZplStatus> {
        let until = Instant::now() + self.patience.answer;
        link.send(b"~HS\r\n", until)?;
        let mut ear = ZplEar::default();
        let mut bytes = [0; 256];
        loop {
            let read = link.receive(&mut bytes, until)?;
            let heard = ear.take(bytes.get(..read).unwrap_or_default());
            let heard = heard.map_err(|fault| io::Error::new(ErrorKind::InvalidData, fault))?;
            if let Some(status) = heard {
                return Ok(status);
            }
        }
    }

    /// Asks a printer to which nothing was sent yet.
    fn first_status(&self, link: &mut dyn Link) -> Result<ZplStatus, PageError> {
        let printer = self.name.clone();
        self.status(link).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => PageError::NotReady {
                printer,
                conditions: vec!["silent: paper or ribbon out, or its head is open".into()],
            },
            _ => PageError::NoPrinter {
                printer,
                source: error.into(),
            },
        })
    }

    /// Waits until nothing is in work.
    fn follow(&self, link: &mut dyn Link) -> Result<(), SpoiledCause> {
        let until = Instant::now() + self.patience.paper;
        loop {
            let status = match self.status(link) {
                Ok(status) => status,
                Err(error) => return Err(SpoiledCause::Lost(error.into())),
            };
            let conditions = status.conditions();
            if !conditions.is_empty() {
                return Err(SpoiledCause::Aborted(conditions));
            }
            if status.is_idle() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(SpoiledCause::Late(vec!["labels are in work".into()]));
            }
            thread::park_timeout(PAUSE);
        }
    }
}

impl PagePrinter for ZplPrinter {
    fn name(&self) -> &str {
        &self.name
    }

    fn look(&mut self) -> Result<PagePrinterState, PageError> {
        let mut link = self.connect()?;
        let conditions = match self.first_status(&mut *link) {
            Ok(status) => status.conditions(),
            Err(PageError::NotReady { conditions, .. }) => conditions,
            Err(error) => return Err(error),
        };
        Ok(PagePrinterState {
            model: "label printer (ZPL)".into(),
            ready: conditions.is_empty(),
            conditions,
        })
    }

    fn print(&mut self, job: &PageJob<'_>) -> Result<PageReceipt, PageError> {
        job.check_name()?;
        let content = |content: String| PageError::Content {
            printer: self.name.clone(),
            content,
        };
        let PageContent::Label(raster, dots) = job.content else {
            return Err(content(job.content.kind().to_owned()));
        };
        if dots != self.resolution {
            let found = format!("{dots} dots an inch, but {}", self.resolution);
            return Err(content(found));
        }
        let text = label(raster);
        let text = text.ok_or_else(|| content("such a picture as a label".to_owned()))?;
        let mut link = self.connect()?;
        let status = self.first_status(&mut *link)?;
        if !status.conditions().is_empty() || !status.is_idle() {
            let mut conditions = status.conditions();
            if !status.is_idle() {
                conditions.push("labels are in work".into());
            }
            return Err(PageError::NotReady {
                printer: self.name.clone(),
                conditions,
            });
        }
        let until = Instant::now() + self.patience.paper;
        let sent = link
            .send(text.as_bytes(), until)
            .map_err(|error| SpoiledCause::Lost(error.into()));
        let done = sent.and_then(|()| self.follow(&mut *link));
        done.map_err(|cause| PageError::Spoiled {
            printer: self.name.clone(),
            job: job.name.to_owned(),
            cause,
        })?;
        Ok(PageReceipt {
            place: self.name.clone(),
            job: None,
        })
    }
}

#[cfg(test)]
#[path = "../../../tests/print/zpl.rs"]
mod tests;
