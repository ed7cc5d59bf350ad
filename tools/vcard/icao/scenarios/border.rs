//! A border and a document that trusts it; what a reader does behind an open session.

use openssl::nid::Nid;

use super::authority::{CVCA, Party, say};
use super::desk::{Desk, GENERIC};
use super::reader::{Reader, Tunnel, at, decode, encode, group, object, pair, times, x};
use crate::vectors::unhex;

/// Chip authentication with AES-128 on brainpoolP256r1.
pub(super) const AES: &str = "04007F00070202030202";
pub(super) const NID: Nid = Nid::BRAINPOOL_P256R1;

/// A document with fingerprints, a key of chip authentication (reference 02, every cipher) and
/// a trust point; returns it locked, with the key.
pub(super) fn guarded(trusted: &[u8]) -> (Desk, Vec<u8>) {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x0103, 0xE1, &[0x63; 500]);
    desk.write(0x0104, 0xE2, &[0x76; 20]);
    desk.write(0x010E, 0x41, &[0x6E; 40]);
    let key = "AC0C 80010D 840102 950102 8B010F";
    let public = at(&desk.issued("00478000", key, 0x9000), &[0x7F49, 0x86]);
    desk.issued("00DA0120", &hex::encode(object("7F21", trusted)), 0x9000);
    desk.lock();
    (desk, public)
}

pub(super) fn pace(desk: Desk) -> Reader {
    Reader::pace(desk, GENERIC.0, 0x0D, NID, true)
}

impl Reader {
    /// Runs chip authentication of version 1; the reader's key is the next thing proved with.
    #[track_caller]
    pub(super) fn authenticate_chip(&mut self, public: &[u8]) {
        let group = group(NID);
        let (private, own) = pair(&group);
        let own = encode(&group, &own);
        self.expect("002241A4", &format!("800A{AES}840102"), 0x9000);
        let (data, status) = self.send("00860000", &object("7C", &object("80", &own)), Some(0));
        assert_eq!((data, status), (unhex("7C00"), 0x9000));
        let shared = times(&group, &decode(&group, public), &private);
        self.tunnel = Tunnel::new(2, &x(&encode(&group, &shared)));
        self.own = x(&own);
    }

    /// Brings a certificate; returns the status word.
    pub(super) fn bring(&mut self, authority: &str, certificate: &[u8]) -> u16 {
        let reference = object("83", authority.as_bytes());
        let (_, status) = self.send("002281B6", &reference, None);
        if status != 0x9000 {
            return status;
        }
        self.send("002A00BE", certificate, None).1
    }

    /// Proves the terminal; returns the status word.
    pub(super) fn prove(&mut self, reference: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> u16 {
        let reference = object("83", reference.as_bytes());
        let (_, status) = self.send("002281A4", &reference, None);
        if status != 0x9000 {
            return status;
        }
        let (challenge, status) = self.send("00840000", &[], Some(8));
        assert_eq!((challenge.len(), status), (8, 0x9000));
        let message = [&self.chip[..], &challenge, &self.own].concat();
        self.send("00820000", &sign(&message), None).1
    }

    /// Brings a whole chain and proves the terminal at its end.
    #[track_caller]
    pub(super) fn inspect(&mut self, border: &Border) -> u16 {
        let Border {
            cvca,
            verifier,
            terminal,
            ..
        } = border;
        assert_eq!(self.bring(&cvca.reference, &border.for_verifier), 0x9000);
        let status = self.bring(&verifier.reference, &border.for_terminal);
        assert_eq!(status, 0x9000);
        self.prove(&terminal.reference, &|message| terminal.sign(message))
    }

    #[track_caller]
    pub(super) fn reads_fingerprints(&mut self, status: u16) {
        self.expect("00A4020C", "0103", 0x9000);
        let (data, got) = self.send("00B00000", &[], Some(0x80));
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"));
        assert_eq!(
            data,
            if status == 0x9000 {
                vec![0x63; 128]
            } else {
                vec![]
            }
        );
    }
}

/// A border that a chip trusts.
pub(super) struct Border {
    pub(super) cvca: Party,
    pub(super) verifier: Party,
    pub(super) terminal: Party,
    pub(super) trusted: Vec<u8>,
    pub(super) for_verifier: Vec<u8>,
    pub(super) for_terminal: Vec<u8>,
}

impl Border {
    pub(super) fn new(verifier_role: u8, terminal_role: u8) -> Self {
        let cvca = Party::new("LVCVCA00001");
        let verifier = Party::new("LVDVLV00001");
        let terminal = Party::new("LVISLV00001");
        let trusted = cvca.certify(&cvca, &say(CVCA, "260101", "290101"));
        let for_verifier = cvca.certify(&verifier, &say(verifier_role, "260201", "260801"));
        let role = say(terminal_role, "260301", "260401");
        let for_terminal = verifier.certify(&terminal, &role);
        Self {
            cvca,
            verifier,
            terminal,
            trusted,
            for_verifier,
            for_terminal,
        }
    }
}
