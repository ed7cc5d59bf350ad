//! The thread that holds a card: what it is asked it does, however long the service takes.

use std::sync::mpsc::{Receiver, Sender};

use card::ChannelError;
use card::atr::Protocol;
use pcsc::{Disposition, Protocols};
use zeroize::{Zeroize, Zeroizing};

use crate::error::channel_error;
use crate::grip::{Grip, Held};
use crate::t0;

/// The longest answer: 65 536 bytes of data and a status word.
const ANSWER: usize = 65_538;
/// The status word of a command that was carried out.
const DONE: [u8; 2] = [0x90, 0x00];

/// What the hand is asked to do.
pub(crate) enum Ask {
    /// Send a command and return its answer.
    Transmit(Zeroizing<Vec<u8>>),
    /// Send a command to the reader's driver and return its answer.
    Control(u32, Vec<u8>),
    /// Reset the card and return its answer to reset.
    Reset,
}

/// What the hand tells. It may be a decrypted secret.
pub(crate) type Told = Result<Zeroizing<Vec<u8>>, ChannelError>;

/// A card that is held, and how it is spoken to.
pub(crate) struct Hand<G> {
    grip: G,
    reader: String,
    answer: Zeroizing<Vec<u8>>,
    is_t0: bool,
}

impl<G: Grip> Hand<G> {
    pub(crate) fn new(grip: G, reader: &str) -> Result<(Self, Held), ChannelError> {
        let mut hand = Self {
            grip,
            reader: reader.to_owned(),
            answer: Zeroizing::new(vec![0; ANSWER]),
            is_t0: false,
        };
        let held = hand.look()?;
        hand.is_t0 = held.protocol == Some(Protocol::T0);
        Ok((hand, held))
    }

    /// Does what it is asked until nobody asks any more, or nobody hears it. Then it lets go.
    pub(crate) fn serve(mut self, asks: &Receiver<Ask>, told: &Sender<Told>) {
        for ask in asks {
            let done = match ask {
                Ask::Transmit(command) => self.transmit(&command),
                Ask::Control(code, data) => self.control(code, &data),
                Ask::Reset => self.reset().map(Zeroizing::new),
            };
            if told.send(done).is_err() {
                break;
            }
        }
    }

    fn look(&self) -> Result<Held, ChannelError> {
        let held = self.grip.look();
        held.map_err(|error| channel_error(&self.reader, "reading the answer to reset", error))
    }

    fn transmit(&mut self, command: &[u8]) -> Told {
        if !self.is_t0 {
            return self.send(command);
        }
        let answer = self.send(&Zeroizing::new(t0::tpdu(command)))?;
        match t0::fetch(command) {
            Some(fetch) if **answer == DONE => self.fetch(fetch, answer),
            _ => Ok(answer),
        }
    }

    /// Asks for the answer of a command that was done without announcing one; `done` where
    /// there is none.
    fn fetch(&mut self, mut fetch: [u8; 5], done: Zeroizing<Vec<u8>>) -> Told {
        let mut found = self.send(&fetch)?;
        if let [0x6C, length] = found[..] {
            fetch[4] = length;
            found = self.send(&fetch)?;
        }
        match found[..] {
            // 6985, 6D00, 6A86, 6F00…: nothing to fetch, each card in its words.
            [first, _] if first != 0x61 => Ok(done),
            _ => Ok(found),
        }
    }

    fn send(&mut self, command: &[u8]) -> Told {
        let length = self
            .grip
            .transmit(command, &mut self.answer)
            .map_err(|error| channel_error(&self.reader, "sending a command", error))?;
        let used = self.answer.get_mut(..length).unwrap_or_default();
        let answer = Zeroizing::new(used.to_vec());
        used.zeroize();
        // A card that is torn out in the middle may end in success without an answer.
        if answer.is_empty() {
            Err(ChannelError::Removed)
        } else {
            Ok(answer)
        }
    }

    /// Asks the reader's driver: what it answers may be empty.
    fn control(&mut self, code: u32, data: &[u8]) -> Told {
        let length = self
            .grip
            .control(code, data, &mut self.answer)
            .map_err(|error| channel_error(&self.reader, "asking the reader's driver", error))?;
        let used = self.answer.get_mut(..length).unwrap_or_default();
        let answer = Zeroizing::new(used.to_vec());
        used.zeroize();
        Ok(answer)
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        let protocols = match self.is_t0 {
            true => Protocols::T0,
            false => Protocols::T1,
        };
        // A card or reader that hangs after a failed command may heed its power only.
        self.grip
            .reconnect(protocols, Disposition::ResetCard)
            .or_else(|error| match error {
                pcsc::Error::NoSmartcard | pcsc::Error::SharingViolation => Err(error),
                _ => self.grip.reconnect(protocols, Disposition::UnpowerCard),
            })
            .map_err(|error| channel_error(&self.reader, "resetting the card", error))?;
        Ok(self.look()?.atr)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A card that answers by a script and demands what it is sent.
    struct Scripted {
        protocol: Protocol,
        script: VecDeque<(&'static str, &'static str)>,
    }

    impl Grip for Scripted {
        fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error> {
            let (expected, says) = self.script.pop_front().expect("one command too many");
            assert_eq!(hex::encode_upper(command), expected);
            let says = hex::decode(says).unwrap();
            answer[..says.len()].copy_from_slice(&says);
            Ok(says.len())
        }

        fn control(&mut self, code: u32, _: &[u8], _: &mut [u8]) -> Result<usize, pcsc::Error> {
            panic!("no command {code:08X} to the driver was expected");
        }

        fn reconnect(&mut self, _: Protocols, _: Disposition) -> Result<(), pcsc::Error> {
            Ok(())
        }

        fn look(&self) -> Result<Held, pcsc::Error> {
            Ok(Held {
                atr: vec![0x3B, 0x00],
                protocol: Some(self.protocol),
            })
        }
    }

    fn play(
        protocol: Protocol,
        command: &str,
        script: &[(&'static str, &'static str)],
    ) -> Result<String, ChannelError> {
        let grip = Scripted {
            protocol,
            script: script.iter().copied().collect(),
        };
        let (mut hand, _) = Hand::new(grip, "scripted").unwrap();
        let answer = hand.transmit(&hex::decode(command).unwrap());
        assert!(hand.grip.script.is_empty(), "{command}");
        assert!(hand.answer.iter().all(|byte| *byte == 0), "not wiped");
        answer.map(|answer| hex::encode_upper(&*answer))
    }

    /// A card that heeds no reset, or is not there, or is another program's.
    struct Deaf {
        /// What a reset ends with.
        reset: pcsc::Error,
        /// What it was told, in order.
        told: Vec<Disposition>,
    }

    impl Grip for Deaf {
        fn transmit(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize, pcsc::Error> {
            Err(pcsc::Error::NotTransacted)
        }

        fn control(&mut self, _: u32, _: &[u8], _: &mut [u8]) -> Result<usize, pcsc::Error> {
            Err(pcsc::Error::NotTransacted)
        }

        fn reconnect(&mut self, _: Protocols, how: Disposition) -> Result<(), pcsc::Error> {
            self.told.push(how);
            match how {
                Disposition::ResetCard => Err(self.reset),
                _ => Ok(()),
            }
        }

        fn look(&self) -> Result<Held, pcsc::Error> {
            Ok(Held {
                atr: vec![0x3B, 0x80],
                protocol: Some(Protocol::T1),
            })
        }
    }

    #[test]
    fn a_card_that_heeds_no_reset_is_powered_anew() {
        let reset = |error| {
            let deaf = Deaf {
                reset: error,
                told: Vec::new(),
            };
            let (mut hand, _) = Hand::new(deaf, "deaf").unwrap();
            let answer = hand.reset();
            let powered = hand.grip.told.contains(&Disposition::UnpowerCard);
            (answer, powered)
        };
        for hung in [pcsc::Error::UnresponsiveCard, pcsc::Error::NotTransacted] {
            let (answer, powered) = reset(hung);
            assert_eq!((answer.unwrap(), powered), (vec![0x3B, 0x80], true));
        }
        // Nothing to power, or nothing of ours.
        for theirs in [pcsc::Error::NoSmartcard, pcsc::Error::SharingViolation] {
            let (answer, powered) = reset(theirs);
            assert!(answer.is_err() && !powered, "{theirs}");
        }
    }

    #[test]
    fn an_answer_that_t0_announces_by_9000_is_fetched() {
        let select = "00A40400023F0000";
        let sent = ("00A40400023F00", "9000");
        let fetch = "00C0000000";
        for (then, expected) in [
            (&[(fetch, "6F009000")][..], "6F009000"),
            (&[(fetch, "6C02"), ("00C0000002", "AABB9000")], "AABB9000"),
            (&[(fetch, "AA6101")], "AA6101"),
            (&[(fetch, "6102")], "6102"),
            // Nothing to fetch, each card in its words.
            (&[(fetch, "6D00")], "9000"),
            (&[(fetch, "6985")], "9000"),
            (&[(fetch, "6F00")], "9000"),
            (&[(fetch, "6A86")], "9000"),
            (&[(fetch, "9000")], "9000"),
            (&[(fetch, "6C02"), ("00C0000002", "6985")], "9000"),
        ] {
            let script = [&[sent], then].concat();
            let answer = play(Protocol::T0, select, &script).unwrap();
            assert_eq!(answer, expected, "{then:?}");
        }
    }

    #[test]
    fn nothing_is_fetched_unasked() {
        for (command, sent, answer) in [
            // Announced, refused, or with its answer.
            ("00A40400023F0000", "00A40400023F00", "6102"),
            ("00A40400023F0000", "00A40400023F00", "6A82"),
            ("00A40400023F0000", "00A40400023F00", "AA9000"),
            // Without Le, or without data.
            ("00D600000211AA", "00D600000211AA", "9000"),
            ("00B0000010", "00B0000010", "9000"),
            // Inside a chain or a secure channel it would come between.
            ("10DB3FFF0211AA00", "10DB3FFF0211AA", "9000"),
            ("84E280000211AA00", "84E280000211AA", "9000"),
        ] {
            assert_eq!(
                play(Protocol::T0, command, &[(sent, answer)]).unwrap(),
                answer
            );
        }
        let select = "00A40400023F0000";
        let answer = play(Protocol::T1, select, &[(select, "9000")]).unwrap();
        assert_eq!(answer, "9000");
    }

    #[test]
    fn an_empty_answer_is_a_card_torn_out() {
        let torn = play(Protocol::T1, "00B0000010", &[("00B0000010", "")]);
        assert!(matches!(torn, Err(ChannelError::Removed)));
    }
}
