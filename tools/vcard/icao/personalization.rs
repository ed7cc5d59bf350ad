//! What only the issuer's channel may do, until the chip is locked.

use card::{Status, tlv};

use super::certificates::{Certificate, day};
use super::document::{AID, Document, Outcome, Request, Way};
use super::files::{CARD_ACCESS, CARD_SECURITY, Place, Rule, Wanted};
use super::memory::Zone;
use super::pace::{Mapping, Suite};
use super::reading::read_offset;
use crate::applet::{Entropy, Work};
use crate::inspection::basic_access::mrz_information;
use crate::objects::Objects;
use crate::secret::Secret;

/// Digits of a card access number.
const ACCESS_NUMBER: usize = 6;
/// Most ways in which PACE is offered.
const MOST_SUITES: usize = 8;

impl Document {
    /// Answers what only the issuer may send; `None` where anybody may.
    pub(super) fn personalize(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Option<Outcome> {
        let outcome = match (request.cla, request.ins) {
            (0x00, 0xE0) => self.create_file(request, work),
            (0x00, 0xD6) => self.update_binary(request, work),
            (0x00, 0xD7) => self.update_binary_odd(request, work),
            (0x00, 0xDA) => self.put_data(request, work),
            (0x00, 0xDB) => self.import_key(request, work),
            (0x00, 0x46 | 0x47) => self.key_pair(request, entropy, work),
            (0x80, 0xF0) => self.lock(request, work),
            (0x00, _) => return None,
            _ => Err(Status::CLASS_NOT_SUPPORTED),
        };
        Some(outcome)
    }

    /// `E0 00 00  62 { 80 <size> 82 01 83 <id> [88 <short id>] 8C 01 <condition> }`, in the
    /// current directory. The new file is selected.
    fn create_file(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        request.no_parameters()?;
        self.memory.open()?;
        let wrong = Status::WRONG_DATA;
        let template = Objects::single(request.data, 0x62)?;
        let objects = Objects::parse(template, &[0x80, 0x82, 0x83, 0x88, 0x8C])?;
        let size = objects.need(0x80)?;
        if !matches!(size.len(), 2 | 3) || objects.byte(0x82)? != 0x01 {
            return Err(wrong);
        }
        let size = size
            .iter()
            .fold(0, |size, byte| size << 8 | usize::from(*byte));
        let id = u16::from_be_bytes(objects.array(0x83)?);
        let short = match objects.get(0x88) {
            None => id.to_be_bytes()[1] & 0x1F,
            Some(&[short]) if short & 0x07 == 0 => short >> 3,
            Some(_) => return Err(wrong),
        };
        let directory = self.directory;
        let place = Place { directory, id };
        let rule = Rule::parse(objects.need(0x8C)?).ok_or(wrong)?;
        let wanted = Wanted {
            place,
            short,
            size,
            rule,
        };
        self.memory.files.create(&wanted, self.room)?;
        self.selected = Some(place);
        work.written += size;
        Ok(Vec::new())
    }

    /// `D6 <offset> <data>`, into the selected file.
    fn update_binary(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        self.memory.open()?;
        if request.p1 & 0x80 != 0 {
            return Err(Status::WRONG_P1_P2);
        }
        self.write(usize::from(request.p1p2()), request.data, work)
    }

    /// `D7 00 00  54 <offset> 53 <data>`, into the selected file.
    fn update_binary_odd(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        self.memory.open()?;
        request.no_parameters()?;
        let objects = tlv::parse_all(request.data).map_err(|_| Status::WRONG_DATA)?;
        let [offset, data] = &objects[..] else {
            return Err(Status::WRONG_DATA);
        };
        if data.tag.value() != 0x53 {
            return Err(Status::WRONG_DATA);
        }
        self.write(read_offset(offset)?, data.value, work)
    }

    fn write(&mut self, offset: usize, data: &[u8], work: &mut Work) -> Outcome {
        if data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let place = self.current()?;
        self.memory.files.write(place, offset, data)?;
        work.written += data.len();
        Ok(Vec::new())
    }

    /// `DA 01 <object>`.
    fn put_data(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        self.memory.open()?;
        let wrong = Status::WRONG_DATA;
        match request.p1p2() {
            0x0101 => {
                confidential(request)?;
                let (information, number) = mrz_information(request.data).map_err(|_| wrong)?;
                self.memory.zone = Some(Zone::new(&information, number));
            }
            0x0102 => {
                confidential(request)?;
                let digits = request.data.iter().all(u8::is_ascii_digit);
                if !digits || request.data.len() != ACCESS_NUMBER {
                    return Err(wrong);
                }
                self.memory.number = Some(Secret::new(request.data));
            }
            0x0110 => match request.data {
                [offered @ (0x00 | 0x01)] => self.memory.basic_access = *offered == 0x01,
                _ => return Err(wrong),
            },
            0x0111 => self.memory.suites = suites(request.data)?,
            0x0120 => {
                let certificate = Objects::single(request.data, 0x7F21)?;
                self.memory.trust.begin(&Certificate::read(certificate)?)?;
            }
            0x0121 => self.memory.trust.set(day(request.data).ok_or(wrong)?),
            _ => return Err(Status::WRONG_P1_P2),
        }
        work.written += request.data.len();
        Ok(Vec::new())
    }

    /// `DB 3F FF  7F48 {…}`.
    fn import_key(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        self.memory.open()?;
        if request.p1p2() != 0x3FFF {
            return Err(Status::WRONG_P1_P2);
        }
        confidential(request)?;
        self.memory.keys.import(request.data, work)
    }

    /// `47 80 00` generates, `47 81 00` reads the public key; `46` does the same without a
    /// public key in the answer of a generation.
    fn key_pair(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        match request.p1p2() {
            0x8000 => {
                self.memory.open()?;
                let public = self.memory.keys.generate(request.data, entropy, work)?;
                Ok(if request.ins == 0x46 {
                    Vec::new()
                } else {
                    public
                })
            }
            0x8100 => self.memory.keys.read(request.data),
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    /// `80 F0 40 0F  <name>`: the application is personalized, for ever.
    fn lock(&mut self, request: &Request<'_>, work: &mut Work) -> Outcome {
        if request.p1p2() != 0x400F {
            return Err(Status::WRONG_P1_P2);
        }
        if request.data != AID {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.memory.open()?;
        if !self.is_consistent() {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        self.memory.locked = true;
        work.written += 1;
        Ok(Vec::new())
    }

    /// Says whether the chip could be inspected as its files promise.
    fn is_consistent(&self) -> bool {
        let memory = &self.memory;
        let has = |id| memory.files.has(Place::in_application(id));
        // A way in, and the files that every document has.
        let basic = memory.basic_access && memory.zone.is_some();
        let pace = !memory.suites.is_empty() && (memory.zone.is_some() || memory.number.is_some());
        let readable = basic || pace;
        let offered = !memory.basic_access || memory.zone.is_some();
        let files = [0x0101, 0x011D, 0x011E].into_iter().all(has);
        // EF.CardAccess says how PACE is done, EF.CardSecurity which key mapping proves.
        let access = memory.files.content(CARD_ACCESS).unwrap_or_default();
        let told = memory.suites.iter().all(|suite| {
            let information = suite.information();
            access
                .windows(information.len())
                .any(|window| window == information)
        });
        let mapped = memory.suites.iter().all(|suite| {
            suite.mapping != Mapping::ChipAuthentication
                || memory.keys.for_mapping(suite.curve).is_some() && memory.files.has(CARD_SECURITY)
        });
        // DG15 and the key of active authentication, DG14 and those of chip authentication.
        let active = memory.keys.active().is_some() == has(0x010F);
        let chip = memory.keys.of_chip().next().is_some();
        let chip = !chip || has(0x010E);
        // What terminal authentication guards, somebody must be able to read.
        let guarded = memory
            .files
            .places()
            .any(|place| matches!(memory.files.rule(place), Some(Rule::Entitled(_))));
        let proves = memory.keys.of_chip().next().is_some()
            || memory
                .suites
                .iter()
                .any(|suite| suite.mapping == Mapping::ChipAuthentication);
        let guard = !guarded || proves && memory.trust.is_whole();
        let dated = !memory.trust.has_points() || memory.trust.is_whole();
        readable && offered && files && told && mapped && active && chip && guard && dated
    }
}

/// Wants a channel that encrypts commands.
fn confidential(request: &Request<'_>) -> Result<(), Status> {
    match request.way {
        Way::Issuer { confidential: true } => Ok(()),
        _ => Err(Status::SECURITY_STATUS_NOT_SATISFIED),
    }
}

/// Reads `E0 { 80 <protocol> 84 <parameters> }…`.
fn suites(data: &[u8]) -> Result<Vec<Suite>, Status> {
    let wrong = Status::WRONG_DATA;
    let templates = tlv::parse_all(data).map_err(|_| wrong)?;
    if templates.len() > MOST_SUITES {
        return Err(wrong);
    }
    let mut suites = Vec::new();
    for template in templates {
        if template.tag.value() != 0xE0 {
            return Err(wrong);
        }
        let objects = Objects::parse(template.value, &[0x80, 0x84])?;
        let suite = Suite::new(objects.need(0x80)?, objects.byte(0x84)?).ok_or(wrong)?;
        if suites.contains(&suite) {
            return Err(wrong);
        }
        suites.push(suite);
    }
    Ok(suites)
}
