//! A session with the card in a reader, recorded where somebody wants that.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use card::trace::Veil;
use card::{Channel, ChannelError};
use clap::Args;
use profile::ChipProfile;
use reader::Recorder;

use crate::cli::failure::{Failure, Kind};

/// Whether and how the session is recorded.
#[derive(Args)]
pub(crate) struct TraceOption {
    /// Record the session as readable text, with PINs and keys hidden.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Hide nothing in the trace: for cards with throw-away secrets.
    #[arg(long, requires = "trace")]
    unmask: bool,
    /// Confirm that secrets may stand in the trace.
    #[arg(long, requires = "unmask")]
    yes: bool,
}

/// A session. What was recorded is written when it ends, however it ends.
pub(crate) struct Session {
    link: Link,
}

/// A connection, or one whose PINs are entered on the reader's pad.
type Line = Box<dyn Channel>;

enum Link {
    Plain(Line),
    /// The recorder leaves when the trace is written.
    Recorded(Option<Recorder<Line>>, File, PathBuf),
}

impl TraceOption {
    /// Begins the session; the trace's file is made before any command is sent. The chip profile
    /// says what else is secret.
    pub(crate) fn begin(
        &self,
        connection: impl Channel + 'static,
        chip: Option<&ChipProfile>,
    ) -> Result<Session, Failure> {
        let connection: Line = Box::new(connection);
        let Some(path) = &self.trace else {
            return Ok(Session {
                link: Link::Plain(connection),
            });
        };
        if self.unmask && !self.yes {
            let fault = format!(
                "--unmask writes every PIN and key of this session into {} as it is: whoever reads the file has them, and can use the card",
                path.display()
            );
            return Err(Failure::new(Kind::Refused, fault)
                .with_hint("leave --unmask away; or add --yes where all secrets are throw-away"));
        }
        let mut options = OpenOptions::new();
        // It holds what the card says: the holder's data among it.
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        let file = file.open(path).map_err(|error| {
            let fault = format!("the trace {} cannot be written: {error}", path.display());
            Failure::new(Kind::Usage, fault)
        })?;
        let veil = match (self.unmask, chip) {
            (true, _) => Veil::nothing(),
            (false, Some(chip)) => chip.veil(),
            (false, None) => Veil::default(),
        };
        let mut recorder = Recorder::with_veil(connection, veil);
        recorder.note(&format!("zimogs {}", env!("CARGO_PKG_VERSION")));
        if let Some(chip) = chip {
            recorder.note(&format!("chip profile {}", chip.name));
        }
        Ok(Session {
            link: Link::Recorded(Some(recorder), file, path.clone()),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Link::Recorded(recorder, file, path) = &mut self.link
            && let Some(recorder) = recorder.take()
        {
            let (connection, trace) = recorder.finish();
            drop(connection);
            let written = write!(file, "{trace}").and_then(|()| file.sync_all());
            if let Err(error) = written {
                tracing::error!("the trace {} is not whole: {error}", path.display());
            }
        }
    }
}

impl Session {
    fn channel(&mut self) -> Result<&mut dyn Channel, ChannelError> {
        match &mut self.link {
            Link::Plain(connection) => Ok(connection),
            Link::Recorded(Some(recorder), ..) => Ok(recorder),
            Link::Recorded(None, ..) => Err(ChannelError::Removed),
        }
    }
}

impl Channel for Session {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.channel()?.transmit(command)
    }

    fn atr(&self) -> &[u8] {
        match &self.link {
            Link::Plain(connection) => connection.atr(),
            Link::Recorded(recorder, ..) => recorder.as_ref().map_or(&[], |one| one.atr()),
        }
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.channel()?.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        if let Ok(channel) = self.channel() {
            channel.set_patience(patience);
        }
    }
}
