//! The driver: a job is made first, gets its document then, and is followed to its end.

use std::thread;
use std::time::{Duration, Instant};

use super::address::IppAddress;
use super::exchange::{Exchange, Failed, NotConnected};
use super::message::{IppMessage, Request};
use crate::page_printer::{
    PageContent, PageError, PageJob, PagePrinter, PagePrinterState, PageReceipt, SpoiledCause,
};

/// Operations (*RFC 8011 §5.4.15*).
const CREATE_JOB: u16 = 0x0005;
const SEND_DOCUMENT: u16 = 0x0006;
const CANCEL_JOB: u16 = 0x0008;
const GET_JOB_ATTRIBUTES: u16 = 0x0009;
const GET_PRINTER_ATTRIBUTES: u16 = 0x000B;
/// It has another job in work (*appendix B.1.5.8*).
const BUSY: u16 = 0x0507;
/// States of a printer (*§5.4.11*).
const STOPPED: i32 = 5;
/// States of a job (*§5.3.7*).
const CANCELLED: i32 = 7;
const ABORTED: i32 = 8;
const COMPLETED: i32 = 9;
/// The format of a PDF.
const PDF: &str = "application/pdf";
/// Whose jobs these are.
const USER: &str = "zimogs";
/// How long is waited between two questions, the first and the longest time.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IppPatience {
    /// For an answer.
    pub answer: Duration,
    /// For the job to be done, from its document on.
    pub paper: Duration,
}

impl Default for IppPatience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(20),
            paper: Duration::from_secs(300),
        }
    }
}

/// A printer of the Internet Printing Protocol.
///
/// It keeps a runtime of its own: it is not for use inside another one.
pub struct IppPrinter {
    address: IppAddress,
    name: String,
    patience: IppPatience,
    /// Keyword of the paper, as `iso_a4_210x297mm` (*PWG 5101.1*).
    media: String,
    exchange: Exchange,
    id: i32,
}

impl IppPrinter {
    /// Makes a printer at an address. Over TLS its certificate, or its issuer's, is one of
    /// `trusted`, DER. Nothing is sent.
    ///
    /// # Errors
    /// [`PageError::Unreachable`] where there is no such host, or a certificate is none.
    pub fn new(
        address: IppAddress,
        trusted: &[Vec<u8>],
        media: &str,
        patience: IppPatience,
    ) -> Result<Self, PageError> {
        let exchange = Exchange::new(&address, trusted, patience.answer);
        let name = address.to_string();
        let exchange = exchange.map_err(|source| PageError::Unreachable {
            printer: name.clone(),
            source,
        })?;
        Ok(Self {
            address,
            name,
            patience,
            media: media.to_owned(),
            exchange,
            id: 0,
        })
    }

    fn request(&mut self, operation: u16) -> Request {
        self.id = self.id.wrapping_add(1).max(1);
        Request::new(operation, self.id, &self.address.to_string())
            .name("requesting-user-name", USER)
    }

    fn ask(&self, request: Request, document: &[u8]) -> Result<IppMessage, Failed> {
        let answer = self.exchange.ask(request.end(), document)?;
        match answer.id == self.id {
            true => Ok(answer),
            false => Err(format!("it answers the request {}", answer.id).into()),
        }
    }

    /// Says why a question that prints nothing has no answer.
    fn unanswered(&self, source: Failed) -> PageError {
        let printer = self.name.clone();
        match source.is::<NotConnected>() {
            true => PageError::Unreachable { printer, source },
            false => PageError::NoPrinter { printer, source },
        }
    }

    fn printer(&mut self) -> Result<IppMessage, PageError> {
        let request = self.request(GET_PRINTER_ATTRIBUTES).keywords(
            "requested-attributes",
            &[
                "printer-make-and-model",
                "printer-state",
                "printer-state-reasons",
                "printer-is-accepting-jobs",
                "document-format-supported",
            ],
        );
        let answer = self
            .ask(request, &[])
            .map_err(|source| self.unanswered(source))?;
        match answer.is_successful() && answer.integer("printer-state").is_some() {
            true => Ok(answer),
            false => Err(PageError::NoPrinter {
                printer: self.name.clone(),
                source: format!("it answers the status {:04X}", answer.code).into(),
            }),
        }
    }

    /// Makes a job without a document: nothing is printed of it.
    fn create(&mut self, name: &str) -> Result<i32, PageError> {
        let request = self
            .request(CREATE_JOB)
            .name("job-name", name)
            // What is not supported refuses the job, and is not printed otherwise.
            .boolean("ipp-attribute-fidelity", true)
            .job()
            .integer("copies", 1)
            .keywords("media", &[&self.media])
            .keywords("sides", &["one-sided"]);
        let answer = self
            .ask(request, &[])
            .map_err(|source| self.unanswered(source))?;
        let said = said(&answer);
        match (answer.is_successful(), answer.integer("job-id")) {
            (true, Some(job)) => Ok(job),
            _ if answer.code == BUSY => Err(PageError::NotReady {
                printer: self.name.clone(),
                conditions: vec![said],
            }),
            _ => Err(PageError::Refused {
                printer: self.name.clone(),
                said,
            }),
        }
    }

    /// Sends the document, and waits for the job's end.
    fn follow(&mut self, job: i32, pdf: &[u8]) -> Result<(), SpoiledCause> {
        let until = Instant::now() + self.patience.paper;
        let request = self
            .request(SEND_DOCUMENT)
            .integer("job-id", job)
            .media_type("document-format", PDF)
            .boolean("last-document", true);
        let answer = self.ask(request, pdf);
        match answer {
            Ok(answer) if answer.is_successful() => {}
            Ok(answer) => {
                self.cancel(job);
                return Err(SpoiledCause::Aborted(vec![said(&answer)]));
            }
            // It may have taken all of it: its state says.
            Err(source) => {
                let state = self.job(job);
                self.cancel(job);
                return match state {
                    Ok((COMPLETED, _)) => Ok(()),
                    _ => Err(SpoiledCause::Lost(source)),
                };
            }
        }
        let mut pause = FIRST;
        loop {
            let (state, reasons) = match self.job(job) {
                Ok(found) => found,
                Err(source) => {
                    self.cancel(job);
                    return Err(SpoiledCause::Lost(source));
                }
            };
            match state {
                COMPLETED => return Ok(()),
                ABORTED => return Err(SpoiledCause::Aborted(reasons)),
                CANCELLED => return Err(SpoiledCause::Cancelled(reasons)),
                _ if Instant::now() >= until => {
                    let reasons = match self.printer() {
                        Ok(printer) => conditions(&printer),
                        Err(_) => reasons,
                    };
                    self.cancel(job);
                    return Err(SpoiledCause::Late(reasons));
                }
                // Printing, or waiting for somebody to bring paper.
                _ => thread::park_timeout(pause),
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Asks how a job is.
    fn job(&mut self, job: i32) -> Result<(i32, Vec<String>), Failed> {
        let request = self
            .request(GET_JOB_ATTRIBUTES)
            .integer("job-id", job)
            .keywords("requested-attributes", &["job-state", "job-state-reasons"]);
        let answer = self.ask(request, &[])?;
        let state = answer.integer("job-state");
        let state = state
            .filter(|_| answer.is_successful())
            .ok_or_else(|| said(&answer))?;
        let reasons = answer.texts("job-state-reasons").map(str::to_owned);
        Ok((state, reasons.collect()))
    }

    /// Cancels a job that nobody waits for any more, so that it is not printed tomorrow.
    fn cancel(&mut self, job: i32) {
        let request = self.request(CANCEL_JOB).integer("job-id", job);
        // Where this fails too, the error says that what comes out is to be destroyed.
        let _ = self.ask(request, &[]);
    }
}

impl PagePrinter for IppPrinter {
    fn name(&self) -> &str {
        &self.name
    }

    fn look(&mut self) -> Result<PagePrinterState, PageError> {
        let printer = self.printer()?;
        let state = printer.integer("printer-state");
        let accepts = printer.boolean("printer-is-accepting-jobs") != Some(false);
        let model = printer.texts("printer-make-and-model").next();
        Ok(PagePrinterState {
            model: model.unwrap_or("unknown").to_owned(),
            ready: accepts && state != Some(STOPPED),
            conditions: conditions(&printer),
        })
    }

    fn print(&mut self, job: &PageJob<'_>) -> Result<PageReceipt, PageError> {
        job.check_name()?;
        let content = |content: &str| PageError::Content {
            printer: self.name.clone(),
            content: content.to_owned(),
        };
        let PageContent::Pdf(pdf) = job.content else {
            return Err(content(job.content.kind()));
        };
        let printer = self.printer()?;
        let accepts = printer.boolean("printer-is-accepting-jobs") != Some(false);
        if !accepts || printer.integer("printer-state") == Some(STOPPED) {
            return Err(PageError::NotReady {
                printer: self.name.clone(),
                conditions: conditions(&printer),
            });
        }
        let mut formats = printer.texts("document-format-supported");
        if !formats.any(|format| format == PDF) {
            return Err(PageError::Content {
                printer: self.name.clone(),
                content: PDF.to_owned(),
            });
        }
        let number = self.create(job.name)?;
        let followed = self.follow(number, pdf);
        followed.map_err(|cause| PageError::Spoiled {
            printer: self.name.clone(),
            job: number.to_string(),
            cause,
        })?;
        Ok(PageReceipt {
            place: self.name.clone(),
            job: Some(number),
        })
    }
}

/// Returns what a printer says of itself, but that there is nothing to say.
fn conditions(printer: &IppMessage) -> Vec<String> {
    let reasons = printer.texts("printer-state-reasons");
    let told = reasons.filter(|reason| *reason != "none");
    told.map(str::to_owned).collect()
}

/// Says what an answer says.
fn said(answer: &IppMessage) -> String {
    let text = answer.texts("status-message").next().unwrap_or_default();
    format!("{:04X} {text}", answer.code).trim_end().to_owned()
}

#[cfg(test)]
#[path = "../../../tests/print/ipp.rs"]
mod tests;
