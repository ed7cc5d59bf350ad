//! An inspection of a chip with fingerprints, step by step.

use card::{Command, Limits};
use cert::cvc::{HolderReference, Right};
use vcard::InProcess;

use crate::border::Terminal;
use crate::issuer::{CAN, Issued, NUMBER, Offer, content, fingerprints, mrz};
use crate::{
    BasicAccess, ChipAuthenticationChoice, EphemeralKey, FileError, FileName, LDS1, PaceChoice,
    Password, Secured, SecurityInfos, SystemRandom, TerminalAuthentication,
    TerminalAuthenticationError, TerminalBinding, TerminalKey, TerminalVersion, authenticate_chip,
    converse, read_file, read_trust_points, select_application,
};

/// Generic mapping with AES-128 on brainpoolP256r1.
pub(crate) const GENERIC: &[Offer] = &[(2, 2, 13)];
pub(crate) const MAPPED: &[Offer] = &[(6, 2, 13)];

pub(crate) const FINGERPRINTS: &[Right] = &[Right::ReadFingerprints];

/// A short command holds no certificate: it comes in a chain.
pub(crate) const SHORT: Limits = Limits {
    command: 255,
    response: 256,
    extended: false,
    chaining: true,
    total: 100_000,
};

/// An inspection under way.
pub(crate) struct Inspection<'a> {
    pub(crate) session: Secured<&'a mut InProcess>,
    pub(crate) trusted: Vec<HolderReference>,
    pub(crate) binding: TerminalBinding,
}

/// How a chip is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Pace,
    Basic,
}

impl Inspection<'_> {
    fn infos(&mut self) -> SecurityInfos {
        let inside = self.session.limits();
        let file = read_file(&mut self.session, &inside, FileName::Short(0x0E), 4096).unwrap();
        SecurityInfos::parse(content(&file)).unwrap()
    }

    /// Runs chip authentication of version 1; its key is what terminal authentication signs.
    pub(crate) fn authenticate_chip(&mut self) {
        let infos = self.infos();
        let choice = ChipAuthenticationChoice::best(&infos, 1).unwrap();
        let key = EphemeralKey::generate(choice.key().parameters(), &mut SystemRandom).unwrap();
        let probe = Command::new(0, 0xA4, 0x02, 0x0C).with_data([0x01, 0x0E]);
        authenticate_chip(&mut self.session, &choice, &key, &probe).unwrap();
        self.binding.key = key.compressed().to_vec();
        let inside = self.session.limits();
        self.trusted = read_trust_points(&mut self.session, &inside, &infos).unwrap();
    }

    pub(crate) fn prove_with(
        &mut self,
        terminal: &Terminal,
        key: &dyn TerminalKey,
    ) -> Result<(), TerminalAuthenticationError> {
        let inside = self.session.limits();
        let (binding, certificates) = (self.binding.clone(), terminal.certificates());
        let start = TerminalAuthentication::start(&certificates, &self.trusted, binding, key)?;
        converse(&mut self.session, &inside, start)
    }

    pub(crate) fn prove(&mut self, terminal: &Terminal) -> Result<(), TerminalAuthenticationError> {
        self.prove_with(terminal, &*terminal.key)
    }

    #[track_caller]
    pub(crate) fn reads(&mut self) {
        let inside = self.session.limits();
        let file = read_file(&mut self.session, &inside, FileName::Short(0x03), 9999).unwrap();
        assert_eq!(*file, fingerprints());
    }

    #[track_caller]
    pub(crate) fn reads_nothing(&mut self) {
        let inside = self.session.limits();
        let refused = read_file(&mut self.session, &inside, FileName::Short(0x03), 9999);
        assert!(matches!(refused, Err(FileError::NotAllowed(_))));
    }
}

/// Opens a chip anew, as at a border: nothing of before is left.
pub(crate) fn open(chip: &mut Issued, door: Door) -> Inspection<'_> {
    let access = chip.card_access();
    let (messaging, id) = match door {
        Door::Pace => {
            let choice = PaceChoice::best(&access).unwrap();
            let outcome = chip.pace(&choice, &Password::can(CAN).unwrap()).unwrap();
            (outcome.messaging, outcome.chip_id)
        }
        Door::Basic => {
            select_application(&mut chip.channel, &chip.limits, &LDS1).unwrap();
            let mrz = mrz(NUMBER);
            let start = BasicAccess::start(&mrz, &mut SystemRandom).unwrap();
            let messaging = converse(&mut chip.channel, &chip.limits, start).unwrap();
            (messaging, mrz.document_number().to_vec())
        }
    };
    let limits = chip.limits;
    let mut session = Secured::new(&mut chip.channel, messaging, limits);
    if let Door::Pace = door {
        let inside = session.limits();
        select_application(&mut session, &inside, &LDS1).unwrap();
    }
    Inspection {
        session,
        trusted: Vec::new(),
        binding: TerminalBinding {
            chip: id,
            key: Vec::new(),
            version: TerminalVersion::One,
        },
    }
}

/// Opens a chip and has it prove itself.
pub(crate) fn inspect(chip: &mut Issued) -> Inspection<'_> {
    let mut inspection = open(chip, Door::Pace);
    inspection.authenticate_chip();
    inspection
}
