//! A chip in front of whoever tests it, without a card around it.

use card::Command;

use crate::applet::{Applet, Entropy, Work};
use crate::eid::scenarios::host::Host;
use crate::icao::document::{AID, Build, Document};
use crate::icao::memory::Memory;
use crate::vectors::unhex;

/// What the applet is built with here.
pub(super) const BUILD: Build = Build { answer: 4096 };
/// Bytes for files.
const ROOM: usize = 100_000;

/// An answer: data and status word.
pub(super) type Answer = (Vec<u8>, u16);

/// A chip, its random source, and what the last command cost.
pub(super) struct Desk {
    pub(super) chip: Document,
    pub(super) entropy: Entropy,
    pub(super) work: Work,
    /// The whole card, where the chip is not taken alone.
    card: Option<Host>,
}

/// MRZ information of ICAO Doc 9303-11 App. G: T22000129, birth 640812, expiry 101031.
pub(super) const ZONE: &str = "621B 0409 543232303030313239 0406 363430383132 0406 313031303331";
/// The card access number 123456.
pub(super) const NUMBER: &str = "313233343536";
/// PACEInfo of the suites in these tests.
pub(super) const GENERIC: (&str, &str) = ("04007F00070202040202", "0D");
pub(super) const INTEGRATED: (&str, &str) = ("04007F00070202040402", "0D");
pub(super) const MAPPED: (&str, &str) = ("04007F00070202040602", "0D");

impl Desk {
    /// Takes a blank.
    pub(super) fn blank() -> Self {
        Self::of(Document::new(BUILD, ROOM, Memory::default()))
    }

    fn of(chip: Document) -> Self {
        Self {
            chip,
            entropy: Entropy::default(),
            work: Work::default(),
            card: None,
        }
    }

    /// Takes a whole card.
    pub(super) fn with(card: Host) -> Self {
        let card = Some(card);
        Self {
            card,
            ..Self::blank()
        }
    }

    /// Cuts the power and lets the chip wake from its memory.
    pub(super) fn woken(&self) -> Self {
        let memory = self.chip.memory().unwrap();
        let memory = serde_json::from_value(memory).unwrap();
        Self::of(Document::new(BUILD, ROOM, memory))
    }

    /// Sends a command as it is.
    pub(super) fn transmit(&mut self, command: &Command) -> Answer {
        if let Some(card) = &mut self.card {
            return card.send(&command.encode().unwrap());
        }
        self.work = Work::default();
        let by_name =
            command.header().starts_with(&[0x00, 0xA4, 0x04]) && self.chip.is_named(command.data());
        let outcome = if by_name {
            self.chip.select(command)
        } else {
            self.chip
                .process(command, &mut self.entropy, &mut self.work)
        };
        match outcome {
            Ok(answer) => (answer.data, answer.status.value()),
            Err(status) => (Vec::new(), status.value()),
        }
    }

    /// Sends a command in plain.
    #[track_caller]
    pub(super) fn expect(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let (data, got) = self.transmit(&Command::parse(&unhex(hex)).unwrap());
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"), "{hex}");
        data
    }

    /// Sends a command through the issuer's channel.
    pub(super) fn issue(&mut self, header: &str, data: &[u8], confidential: bool) -> Answer {
        self.work = Work::default();
        let header = unhex(header).try_into().unwrap();
        let command = Command::from_header(header).with_data(data).with_le(256);
        let (entropy, work) = (&mut self.entropy, &mut self.work);
        let outcome = self
            .chip
            .process_for_issuer(&command, confidential, entropy, work);
        match outcome {
            Ok(answer) => (answer.data, answer.status.value()),
            Err(status) => (Vec::new(), status.value()),
        }
    }

    /// Sends a command through the issuer's encrypted channel and checks its status word.
    #[track_caller]
    pub(super) fn issued(&mut self, header: &str, data: &str, status: u16) -> Vec<u8> {
        let (data, got) = self.issue(header, &unhex(data), true);
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"), "{header}");
        data
    }

    /// Enters the application, as the issuer.
    pub(super) fn enter(&mut self) {
        self.issued("00A4040C", &hex::encode(AID), 0x9000);
    }

    /// Creates and writes a file in the current directory.
    #[track_caller]
    pub(super) fn write(&mut self, id: u16, condition: u8, content: &[u8]) {
        let size = content.len() as u32;
        let fcp = format!("62118003{size:06X}8201018302{id:04X}8C0201{condition:02X}");
        let fcp = fcp.replacen("6211", "6210", 1);
        self.issued("00E00000", &fcp, 0x9000);
        for (index, piece) in content.chunks(200).enumerate() {
            let offset = index * 200;
            let (data, header) = if offset < 0x8000 {
                (piece.to_vec(), format!("00D6{offset:04X}"))
            } else {
                let offset = [&[0x54, 0x02][..], &(offset as u16).to_be_bytes()].concat();
                let length = piece.len() as u8;
                let field = [&[0x53, 0x81, length][..], piece].concat();
                ([offset, field].concat(), "00D70000".to_owned())
            };
            assert_eq!(
                self.issue(&header, &data, true),
                (vec![], 0x9000),
                "{header}"
            );
        }
    }

    /// Offers PACE in these ways, and says so in EF.CardAccess.
    pub(super) fn offer(&mut self, suites: &[(&str, &str)]) {
        let offered: String = suites
            .iter()
            .map(|(protocol, number)| format!("E00F 800A{protocol} 8401{number}"))
            .collect();
        self.issued("00DA0111", &offered, 0x9000);
        let told: String = suites
            .iter()
            .map(|(protocol, number)| format!("3012 060A{protocol} 020102 0201{number}"))
            .collect();
        let told = unhex(&told);
        let access = [&[0x31, told.len() as u8][..], &told].concat();
        self.issued("00A4000C", "3F00", 0x9000);
        self.write(0x011C, 0x00, &access);
    }

    /// Personalizes a document with DG1, DG2, EF.COM and EF.SOD, and both passwords.
    pub(super) fn personalized(suites: &[(&str, &str)]) -> Self {
        let mut desk = Self::blank();
        desk.issued("00DA0101", ZONE, 0x9000);
        desk.issued("00DA0102", NUMBER, 0x9000);
        desk.issued("00DA0110", "01", 0x9000);
        desk.offer(suites);
        desk.enter();
        desk.write(
            0x011E,
            0x41,
            &unhex("60145F0104303130375F36063034303030305C026175"),
        );
        desk.write(0x0101, 0x41, &[0x61; 93]);
        desk.write(0x0102, 0x41, &face());
        desk.write(0x011D, 0x41, &[0x77; 300]);
        desk
    }

    /// Locks the chip, and cuts its power.
    #[track_caller]
    pub(super) fn lock(&mut self) {
        self.issued("80F0400F", &hex::encode(AID), 0x9000);
        *self = self.woken();
    }
}

/// A file of more than 32 KiB.
pub(super) fn face() -> Vec<u8> {
    (0..40_000u32).map(|at| (at % 251) as u8).collect()
}
