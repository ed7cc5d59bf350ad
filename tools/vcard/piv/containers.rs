//! What the card holds: GET DATA and PUT DATA (*SP 800-73-4 Part 2 §3.1.2, §3.3.1*), on whole
//! data objects (*Part 1 §3*).

use card::tlv::{self, Tlv};
use card::{Command, Status};

use super::{AID, Outcome, Piv};
use crate::applet::{Answer, Work};
use crate::command::parameters;
use crate::objects::object;
use crate::secret::Secret;

/// Memory for the data objects' contents, bytes. A facial image alone may have 12 710.
const ROOM: usize = 32_768;
/// Tag of the discovery object, the only one that is not read as `53`.
const DISCOVERY: &[u8] = &[0x7E];

/// Who may read a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Anyone,
    /// Whoever verified the PIN.
    Holder,
}

/// Returns the tag of a container of this card as a number, and who may read it.
fn container(tag: &[u8]) -> Option<(u32, Reader)> {
    let &[0x5F, high, low] = tag else {
        return None;
    };
    let reader = match (high, low) {
        // Fingerprints, facial image, printed information.
        (0xC1, 0x03 | 0x08 | 0x09) => Reader::Holder,
        // Certificates, CHUID, security object, capabilities, key history, and the
        // certificates of the retired keys 82 to 8C.
        (0xC1, 0x01 | 0x02 | 0x05..=0x07 | 0x0A..=0x17) => Reader::Anyone,
        // The YubiKey manager's data, and the attestation certificate.
        (0xFF, 0x00 | 0x01) => Reader::Anyone,
        _ => return None,
    };
    Some((u32::from_be_bytes([0x00, 0x5F, high, low]), reader))
}

/// Parses the tag list `5C` that data begins with, and returns what follows it.
fn tag_list(data: &[u8]) -> Result<(&[u8], &[u8]), Status> {
    match tlv::parse(data) {
        Ok((Tlv { tag, value }, rest)) if tag.value() == 0x5C => Ok((value, rest)),
        _ => Err(Status::WRONG_DATA),
    }
}

/// Returns the discovery object (*SP 800-73-4 Part 1 §3.3.2*): the PIV PIN and no other.
fn discovery() -> Vec<u8> {
    object::<0x7E>(&[object::<0x4F>(AID), object::<0x5F2F>(&[0x40, 0x00])].concat())
}

impl Piv {
    /// `00 CB 3F FF  5C L <tag>  00`.
    pub(super) fn get_data(&self, command: &Command) -> Outcome {
        parameters(command, 0x3F, 0xFF)?;
        let (tag, rest) = tag_list(command.data())?;
        if !rest.is_empty() {
            return Err(Status::WRONG_DATA);
        }
        if tag == DISCOVERY {
            return Ok(discovery().into());
        }
        let (number, reader) = container(tag).ok_or(Status::FILE_NOT_FOUND)?;
        // Whether it is there is the holder's to know as well.
        if reader == Reader::Holder && !self.session.verified {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let content = self.memory.objects.get(&number);
        let content = content.ok_or(Status::FILE_NOT_FOUND)?;
        Ok(object::<0x53>(content.bytes()).into())
    }

    /// `00 DB 3F FF  5C 03 <tag>  53 L <content>`; an empty content deletes.
    pub(super) fn put_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x3F, 0xFF)?;
        let (tag, rest) = tag_list(command.data())?;
        self.managed()?;
        let (number, _) = container(tag).ok_or(Status::FUNCTION_NOT_SUPPORTED)?;
        let content = super::single(rest, 0x53)?;
        if content.is_empty() {
            self.memory.objects.remove(&number);
            work.written += 1;
            return Ok(Answer::done());
        }
        let others = self.memory.objects.iter();
        let others = others.filter(|(other, _)| **other != number);
        let taken: usize = others.map(|(_, content)| content.bytes().len()).sum();
        if taken + content.len() > ROOM {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        self.memory.objects.insert(number, Secret::new(content));
        work.written += content.len();
        Ok(Answer::done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_those_of_the_standard() {
        assert_eq!(
            container(&[0x5F, 0xC1, 0x02]),
            Some((0x5F_C102, Reader::Anyone))
        );
        assert_eq!(
            container(&[0x5F, 0xC1, 0x09]),
            Some((0x5F_C109, Reader::Holder))
        );
        for unknown in [
            &[0x5F, 0xC1, 0x00][..],
            &[0x5F, 0xC1, 0x04],
            &[0x5F, 0xC1, 0x18],
            &[0x5F, 0xC1, 0x22],
            &[0x5F, 0xFF, 0x02],
            &[0x7F, 0x61],
            &[],
        ] {
            assert_eq!(container(unknown), None, "{unknown:02X?}");
        }
    }
}
