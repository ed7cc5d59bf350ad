use card::ChannelError;
use proptest::prelude::*;

use super::*;

/// A chip with one file, 0101, which answers as its manners are.
struct Chip {
    file: Vec<u8>,
    manners: Manners,
    commands: usize,
}

#[derive(Clone, Copy, Debug)]
struct Manners {
    /// Most bytes that it gives at once.
    most: usize,
    /// What it says to a length past its file's end: the rest, with this status, or an error.
    past_end: u16,
}

impl Chip {
    fn new(file: Vec<u8>, manners: Manners) -> Self {
        let commands = 0;
        Self {
            file,
            manners,
            commands,
        }
    }

    fn respond(&self, command: &Command) -> (Vec<u8>, u16) {
        let le = command.le().unwrap_or_default() as usize;
        let (offset, frame) = match (command.ins(), command.p1()) {
            (0xA4, 0x02) if command.data() == [1, 1] => return (vec![], 0x9000),
            (0xA4, _) => return (vec![], 0x6A82),
            (0xB0, 0x81) => (0, false),
            (0xB0, 0x80..) => return (vec![], 0x6A82),
            (0xB0, p1) => (usize::from(u16::from_be_bytes([p1, command.p2()])), false),
            (0xB1, 0) => {
                let object = tlv::parse(command.data()).unwrap().0;
                assert_eq!(object.tag, OFFSET);
                let offset = object
                    .value
                    .iter()
                    .fold(0, |at, byte| at << 8 | usize::from(*byte));
                (offset, true)
            }
            _ => return (vec![], 0x6D00),
        };
        let wanted = if frame {
            le - if le > 0x101 {
                4
            } else if le > 0x81 {
                3
            } else {
                2
            }
        } else {
            le
        };
        let rest = self.file.get(offset..).unwrap_or_default();
        let past = wanted > rest.len() && wanted < 256;
        let status = if past { self.manners.past_end } else { 0x9000 };
        let data = match status {
            0x9000 | 0x6282 => rest[..rest.len().min(wanted).min(self.manners.most)].to_vec(),
            _ => vec![],
        };
        match frame {
            true if !data.is_empty() => (tlv::encode(DISCRETIONARY, &data), status),
            _ => (data, status),
        }
    }
}

impl Channel for Chip {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.commands += 1;
        let (mut answer, status) = self.respond(&Command::parse(command).unwrap());
        answer.extend(status.to_be_bytes());
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(vec![])
    }
}

const POLITE: Manners = Manners {
    most: usize::MAX,
    past_end: 0x9000,
};

fn file(length: usize) -> Vec<u8> {
    let value: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    tlv::encode(Tag::known::<0x75>(), &value)
}

fn extended(response: usize) -> Limits {
    Limits {
        response,
        extended: true,
        ..Limits::default()
    }
}

#[test]
fn a_file_takes_the_fewest_commands() {
    for (length, limits, commands) in [
        (20, Limits::default(), 1),
        (253, Limits::default(), 1),
        (254, Limits::default(), 2),
        (5000, extended(65_536), 1),
        (40_000, extended(65_536), 1),
        (70_000, extended(65_536), 2),
        (40_000, extended(16_384), 3),
    ] {
        let wanted = file(length);
        // What stands behind the object is not the file's.
        let mut chip = Chip::new([&wanted[..], &[0xFF; 9]].concat(), POLITE);
        let read = read_file(&mut chip, &limits, FileName::Short(1), 100_000).unwrap();
        assert_eq!(*read, wanted);
        assert_eq!(chip.commands, commands, "{length}");
        let read = read_file(&mut chip, &limits, FileName::Identifier(0x0101), 100_000);
        assert_eq!(*read.unwrap(), wanted);
        assert_eq!(chip.commands, 2 * commands + 1);
    }
}

#[test]
fn a_file_of_several_objects_is_read_to_its_end() {
    // EF.CVCA: two references and filler (ICAO 9303-11 appendix K.2).
    let mut content = hex::decode("420B5554435643413030303032420B5554435643413030303031").unwrap();
    content.resize(36, 0);
    for past_end in [0x9000, 0x6282, 0x6700, 0x6B00] {
        for most in [10, 36, 100] {
            let mut chip = Chip::new(content.clone(), Manners { past_end, ..POLITE });
            let read = read_start(&mut chip, &Limits::default(), FileName::Short(1), most).unwrap();
            let wanted = &content[..most.min(36)];
            assert_eq!(*read, wanted, "{past_end:04X} {most}");
        }
    }
}

#[test]
fn the_smallest_files_are_read_from_a_chip_that_refuses_lengths_past_the_end() {
    for past_end in [0x6700, 0x6B00] {
        for length in 0..10 {
            let wanted = file(length);
            let mut chip = Chip::new(wanted.clone(), Manners { past_end, ..POLITE });
            let read = read_file(&mut chip, &Limits::default(), FileName::Short(1), 300).unwrap();
            assert_eq!(*read, wanted, "{past_end:04X} {length}");
        }
    }
}

#[test]
fn what_a_chip_does_not_have_or_give_is_named() {
    let read = |file: Vec<u8>, name, most| {
        read_file(&mut Chip::new(file, POLITE), &Limits::default(), name, most).unwrap_err()
    };
    for name in [
        FileName::Short(2),
        FileName::Identifier(0x0102),
        FileName::Short(0),
        FileName::Short(31),
    ] {
        assert!(matches!(read(file(9), name, 99), FileError::NotFound(named) if named == name));
    }
    let name = FileName::Short(1);
    assert!(matches!(
        read(file(300), name, 300),
        FileError::TooLong {
            length: 304,
            most: 300,
            ..
        }
    ));
    for bad in [
        vec![],
        vec![0; 20],
        vec![0x75],
        vec![0x75, 0x84, 0, 0, 0, 1, 7],
        vec![0x75, 0x80, 1],
    ] {
        assert!(matches!(read(bad, name, 300), FileError::NoObject(_)));
    }
    for length in [300, 40_000] {
        let mut short = file(length);
        short.truncate(short.len() - 5);
        assert!(matches!(
            read(short, name, 50_000),
            FileError::Truncated { .. }
        ));
    }
    // One byte at a time: no chip, but somebody who wastes time.
    let most = 1;
    let mut chip = Chip::new(file(60_000), Manners { most, ..POLITE });
    let error = read_file(&mut chip, &Limits::default(), name, 100_000).unwrap_err();
    assert!(matches!(error, FileError::NoObject(_)));
    let mut chip = Chip::new(file(60_000), Manners { most: 9, ..POLITE });
    let error = read_file(&mut chip, &Limits::default(), name, 100_000).unwrap_err();
    assert!(matches!(error, FileError::Stalling(_)));
    assert!(chip.commands < 4000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_are_read_whole_from_chips_of_all_manners(
        length in prop_oneof![0usize..9, 0usize..1000, 30_000usize..36_000, 60_000usize..70_000],
        most in prop_oneof![Just(usize::MAX), 24usize..300],
        past_end in prop::sample::select(vec![0x9000u16, 0x6282, 0x6700, 0x6B00]),
        response in prop_oneof![20usize..257, 300usize..70_000],
        extended in any::<bool>(),
    ) {
        let wanted = file(length);
        let limits = Limits { response, extended, ..Limits::default() };
        let mut chip = Chip::new(wanted.clone(), Manners { most, past_end });
        let read = read_file(&mut chip, &limits, FileName::Short(1), 0x2_0000).unwrap();
        prop_assert_eq!(&*read, &wanted);
    }
}
