//! Records what passes through a channel: headers and lengths, never data.

use card::{Channel, ChannelError};

/// One command and its answer, without their data: it may hold PINs, keys, personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// CLA INS P1 P2, as far as the command has them.
    pub header: Vec<u8>,
    /// The command's length in bytes.
    pub sent: usize,
    /// The answer's length in bytes, with its status word.
    pub received: usize,
    /// SW1 SW2, if there was an answer.
    pub status: Option<[u8; 2]>,
}

/// A channel that records every exchange.
pub struct Recorder<C> {
    inner: C,
    exchanges: Vec<Exchange>,
}

impl<C: Channel> Recorder<C> {
    /// Records what passes through `inner`.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            exchanges: Vec::new(),
        }
    }

    /// Returns what was recorded.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }
}

impl<C: Channel> Channel for Recorder<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.inner.transmit(command);
        let header = command.get(..4).unwrap_or(command).to_vec();
        let given = answer.as_deref().unwrap_or_default();
        let status = given.last_chunk().copied();
        self.exchanges.push(Exchange {
            header,
            sent: command.len(),
            received: given.len(),
            status,
        });
        answer
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.inner.reset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Channel for Fixed {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
            Ok(vec![0x31, 0x32, 0x90, 0x00])
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            Ok(vec![0x3B, 0x00])
        }
    }

    #[test]
    fn a_record_has_headers_and_lengths_and_no_data() {
        let mut recorder = Recorder::new(Fixed);
        recorder
            .transmit(b"\x00\x20\x00\x01\x04\x37\x37\x37\x37")
            .unwrap();
        let expected = Exchange {
            header: vec![0x00, 0x20, 0x00, 0x01],
            sent: 9,
            received: 4,
            status: Some([0x90, 0x00]),
        };
        assert_eq!(recorder.exchanges(), [expected]);
        assert!(
            !format!("{:?}", recorder.exchanges()).contains("55"),
            "no data byte 37 hex = 55 is shown"
        );
    }
}
