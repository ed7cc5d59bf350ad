//! Records what passes through a channel, as a readable trace with its secrets hidden.

use std::time::{Duration, Instant};

use card::trace::{Trace, Veil};
use card::{Channel, ChannelError, Status};

/// A channel that records every command and answer. What the veil hides is never copied.
pub struct Recorder<C> {
    inner: C,
    veil: Veil,
    trace: Trace,
}

impl<C: Channel> Recorder<C> {
    /// Records what passes through `inner`, secrets hidden ([`Veil::default`]).
    pub fn new(inner: C) -> Self {
        Self::with_veil(inner, Veil::default())
    }

    /// Records what passes through `inner`, hiding what `veil` says. The trace begins with
    /// the card being powered, and its answer to reset as a note.
    pub fn with_veil(inner: C, veil: Veil) -> Self {
        let mut trace = Trace::default();
        trace.power_on();
        note_atr(&mut trace, inner.atr());
        Self { inner, veil, trace }
    }

    /// Adds a comment to the record.
    pub fn note(&mut self, text: &str) {
        self.trace.note(text);
    }

    /// Returns what was recorded so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Ends the record and returns the channel and the trace, the card powered off at its end.
    pub fn finish(mut self) -> (C, Trace) {
        self.trace.power_off();
        (self.inner, self.trace)
    }
}

fn note_atr(trace: &mut Trace, atr: &[u8]) {
    trace.note(&format!("ATR {}", hex::encode_upper(atr)));
}

/// Returns what is worth saying of an answer: the meaning of a status that is not `9000`.
fn remark(answer: &[u8]) -> &'static str {
    match answer.last_chunk().map(|word| u16::from_be_bytes(*word)) {
        Some(0x9000) => "",
        Some(word) => Status::new(word).meaning(),
        None => "no status word",
    }
}

impl<C: Channel> Channel for Recorder<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.trace.command(self.veil.command(command), "");
        let began = Instant::now();
        match self.inner.transmit(command) {
            Ok(answer) => {
                let took = began.elapsed();
                let shown = self.veil.response(command, &answer);
                self.trace.response(shown, Some(took), remark(&answer));
                Ok(answer)
            }
            Err(error) => {
                self.trace.note(&format!("no answer: {error}"));
                Err(error)
            }
        }
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.trace.reset();
        match self.inner.reset() {
            Ok(atr) => {
                note_atr(&mut self.trace, &atr);
                Ok(atr)
            }
            Err(error) => {
                self.trace.note(&format!("no answer to reset: {error}"));
                Err(error)
            }
        }
    }

    fn set_patience(&mut self, patience: Duration) {
        self.inner.set_patience(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Channel for Fixed {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            match command.get(1) {
                Some(0x20) => Ok(vec![0x63, 0xC2]),
                Some(0xB0) => Ok(vec![0x31, 0x32, 0x90, 0x00]),
                _ => Err(ChannelError::Removed),
            }
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            Ok(vec![0x3B, 0x00])
        }
    }

    /// Returns the text without times.
    fn text(trace: &Trace) -> String {
        let line = |line: &str| match line.split_once("   # ") {
            Some((bytes, time)) => match time.split_once(", ") {
                Some((_, remark)) => format!("{bytes} # {remark}\n"),
                None => format!("{bytes}\n"),
            },
            None => format!("{line}\n"),
        };
        trace.to_string().lines().map(line).collect()
    }

    #[test]
    fn a_session_is_readable_and_hides_its_secrets() {
        let mut recorder = Recorder::new(Fixed);
        recorder.note("a wrong PIN");
        recorder
            .transmit(b"\x00\x20\x00\x01\x04\x37\x37\x37\x37")
            .unwrap();
        recorder.transmit(&[0, 0xB0, 0, 0, 2]).unwrap();
        recorder.reset().unwrap();
        recorder.transmit(&[0, 0, 0, 0]).unwrap_err();
        let (_, trace) = recorder.finish();
        let expected = "\
# POWER_ON
# ATR 3B00
# a wrong PIN
> 0020000104 [4]
< 63c2 # verification failed, tries left in the last digit
> 00b0000002
< 31329000
# RESET
# ATR 3B00
> 00000000
# no answer: card removed; put the same card back to go on
# POWER_OFF
";
        assert_eq!(text(&trace), expected);
        assert_eq!(trace.to_string().parse::<Trace>().unwrap(), trace);
        assert!(!format!("{trace:?}").contains("37373737"));
    }
}
