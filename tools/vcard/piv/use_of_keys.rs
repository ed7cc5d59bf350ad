//! GENERAL AUTHENTICATE (*SP 800-73-4 Part 2 §3.2.4*): one command for the management key,
//! for signatures and for key agreement.

use card::{Command, Status};

use super::key_pair::Algorithm;
use super::management::REFERENCE;
use super::slots::PinPolicy;
use super::{Outcome, Piv, objects, single};
use crate::applet::{Entropy, Work};
use crate::objects::object;

/// The dynamic authentication template `7C` (*Part 2 table 7*): what is given, and the one
/// object that is sent empty, because its value is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Template<'a> {
    pub(super) wanted: Option<u32>,
    pub(super) witness: Option<&'a [u8]>,
    pub(super) challenge: Option<&'a [u8]>,
    pub(super) response: Option<&'a [u8]>,
    pub(super) exponent: Option<&'a [u8]>,
}

impl<'a> Template<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Status> {
        let mut template = Self::default();
        for object in objects(single(data, 0x7C)?)? {
            let tag = object.tag.value();
            let place = match tag {
                0x80 => &mut template.witness,
                0x81 => &mut template.challenge,
                0x82 => &mut template.response,
                0x85 => &mut template.exponent,
                _ => return Err(Status::WRONG_DATA),
            };
            let again = if object.value.is_empty() && tag != 0x85 {
                template.wanted.replace(tag).is_some()
            } else {
                place.replace(object.value).is_some()
            };
            if again {
                return Err(Status::WRONG_DATA);
            }
        }
        Ok(template)
    }
}

impl Piv {
    /// `00 87 <algorithm> <key reference>  7C { … }  00`.
    pub(super) fn general_authenticate(
        &mut self,
        command: &Command,
        just_verified: bool,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        let (algorithm, reference) = (command.p1(), command.p2());
        if reference == REFERENCE {
            return self.authenticate(command, entropy);
        }
        let slot = self.memory.slot(reference)?;
        let allowed = match slot.policy {
            PinPolicy::Never => true,
            PinPolicy::Once => self.session.verified,
            PinPolicy::Always => self.session.verified && just_verified,
        };
        if !allowed {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let template = Template::parse(command.data())?;
        let key = slot.key.as_ref();
        let key = key.filter(|key| Some(key.algorithm()) == Algorithm::from_number(algorithm));
        let key = key.ok_or(Status::WRONG_P1_P2)?;
        let result = match template {
            Template {
                wanted: Some(0x82),
                challenge: Some(data),
                witness: None,
                response: None,
                exponent: None,
            } => object::<0x82>(&key.sign(data)?),
            Template {
                wanted: Some(0x82),
                exponent: Some(point),
                witness: None,
                response: None,
                challenge: None,
            } => object::<0x82>(key.agree(point)?.bytes()),
            _ => return Err(Status::WRONG_DATA),
        };
        work.signed = Some(key.algorithm().work());
        Ok(object::<0x7C>(&result).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_wanted_and_none_comes_twice() {
        let parse = |text: &str| {
            let data = crate::vectors::unhex(text);
            Template::parse(&data).map(|template| template.wanted)
        };
        assert_eq!(parse("7C 06 8200 8102 0102"), Ok(Some(0x82)));
        assert_eq!(parse("7C 04 8102 0102"), Ok(None));
        for wrong in [
            "7C 04 8200 8100",
            "7C 06 8101 01 8101 02",
            "7C 02 8300",
            "7D 02 8100",
            "7C 02 8100 00",
            "7C 05 8100",
            "",
        ] {
            assert_eq!(parse(wrong), Err(Status::WRONG_DATA), "{wrong}");
        }
    }
}
