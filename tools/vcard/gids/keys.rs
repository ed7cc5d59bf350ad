//! Key files: what may be done with a key is said by the control reference templates in the
//! file's parameters; MANAGE SECURITY ENVIRONMENT chooses one of them.

use card::{Command, Status};

use super::files::{Content, File, GENERATE, Material, READ, USE, WRITE};
use super::{DATA_INVALID, Gids, Outcome, admin, first, objects, one_byte, rsa, single, wanted};
use crate::applet::{Answer, KeyWork, Work};
use crate::command::parameters;
use crate::rsa::BITS;
use crate::secret::Secret;

/// RSA-2048 as an algorithm reference; its high digit is the mechanism.
const RSA_2048: u8 = 0x07;
/// The algorithm reference under which an administrator's key is chosen.
const TRIPLE_DES: u8 = 0x02;

/// What PERFORM SECURITY OPERATION works with.
#[derive(Clone, Copy)]
pub(super) struct Environment {
    key: u8,
    algorithm: u8,
}

impl File {
    /// Says whether one of the file's templates has this tag and this algorithm reference.
    fn serves(&self, template: u8, algorithm: u8) -> bool {
        let templates = self.parameter(0xA5).and_then(|value| objects(value).ok());
        templates.unwrap_or_default().iter().any(|found| {
            let parameters = objects(found.value).unwrap_or_default();
            found.tag.value() == u32::from(template) && one_byte(&parameters, 0x80) == Ok(algorithm)
        })
    }
}

impl Gids {
    /// Returns the key file B0xx of a key reference.
    pub(super) fn key_file(&self, key: u8) -> Result<&File, Status> {
        let file = self.file(u16::from_be_bytes([0xB0, key]));
        let file = file.filter(|file| matches!(file.content, Content::Key(_)));
        file.ok_or(DATA_INVALID)
    }

    /// Puts a key into its file.
    fn keep(&mut self, key: u8, material: Material) {
        let id = u16::from_be_bytes([0xB0, key]);
        if let Some(file) = self.file_mut(id) {
            file.content = Content::Key(Some(material));
        }
    }

    /// Returns `7F49 { 81 <modulus>, 82 <exponent> }` of a key.
    pub(super) fn public_key(&self, key: u8) -> Result<Vec<u8>, Status> {
        let file = self.key_file(key)?;
        self.allowed(file, READ)?;
        match &file.content {
            Content::Key(Some(Material::Rsa(private))) => rsa::public(private),
            _ => Err(Status::REFERENCE_NOT_FOUND),
        }
    }

    /// `00 47 00 00  AC { 80 01 07, 83 01 <key> }`.
    pub(super) fn generate(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        let template = objects(single(command.data(), 0xAC)?)?;
        let key = one_byte(&template, 0x83)?;
        let algorithm = one_byte(&template, 0x80)?;
        self.allowed(self.key_file(key)?, GENERATE)?;
        if algorithm != RSA_2048 {
            return Err(Status::FUNCTION_NOT_SUPPORTED);
        }
        let private = rsa::generate()?;
        self.room(private.bytes().len())?;
        let public = rsa::public(&private)?;
        work.written += private.bytes().len();
        work.key = Some(KeyWork::Rsa(BITS));
        self.keep(key, Material::Rsa(private));
        Ok(wanted(command, public))
    }

    /// `00 DB 3F FF  70 { 84 01 <key>, A5 { 83 <kind>, 84 <0>, 87 <value> } }`.
    pub(super) fn import(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let template = objects(single(command.data(), 0x70)?)?;
        let key = one_byte(&template, 0x84)?;
        self.allowed(self.key_file(key)?, WRITE)?;
        let given = objects(first(&template, 0xA5).ok_or(DATA_INVALID)?)?;
        // Under which key the value is encrypted: none.
        if first(&given, 0x84).is_some() && one_byte(&given, 0x84)? != 0x00 {
            return Err(Status::FUNCTION_NOT_SUPPORTED);
        }
        let kind = first(&given, 0x83).map_or(Ok(0x01), |_| one_byte(&given, 0x83))?;
        let value = first(&given, 0x87).ok_or(DATA_INVALID)?;
        let material = match kind {
            0x01 if value.len() == admin::KEY => Material::TripleDes(Secret::new(value)),
            0x02 => Material::Rsa(rsa::import(value)?),
            _ => return Err(DATA_INVALID),
        };
        self.room(value.len())?;
        work.written += value.len();
        self.keep(key, material);
        Ok(Answer::done())
    }

    /// `00 22 41 <B6 or B8>  80 01 <algorithm> 84 01 <key>`, or `00 22 <81 or C1> A4
    /// 83 01 <key>` for the administrator's.
    pub(super) fn manage_security_environment(&mut self, command: &Command) -> Outcome {
        let given = objects(command.data())?;
        let (algorithm, key) = match command.p1() {
            0x41 => (one_byte(&given, 0x80)?, one_byte(&given, 0x84)?),
            0x81 | 0xC1 => (TRIPLE_DES, one_byte(&given, 0x83)?),
            _ => return Err(Status::FUNCTION_NOT_SUPPORTED),
        };
        let file = self.key_file(key)?;
        if !file.serves(command.p2(), algorithm) {
            return Err(DATA_INVALID);
        }
        self.allowed(file, USE)?;
        if command.p1() == 0x41 {
            self.session.administrator_key = None;
            self.session.environment = Some(Environment { key, algorithm });
        } else {
            self.session.administrator_key = Some(key);
            self.session.environment = None;
        }
        Ok(Answer::done())
    }

    /// `00 2A 9E 9A <data>` signs, `00 2A 80 86 <cryptogram>` deciphers.
    pub(super) fn perform_security_operation(
        &mut self,
        command: &Command,
        work: &mut Work,
    ) -> Outcome {
        let signs = match (command.p1(), command.p2()) {
            (0x9E, 0x9A) => true,
            (0x80, 0x86) => false,
            _ => return Err(Status::WRONG_P1_P2),
        };
        let environment = self.session.environment;
        let Environment { key, algorithm } = environment.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let file = self.key_file(key);
        let file = file.map_err(|_| Status::CONDITIONS_NOT_SATISFIED)?;
        self.allowed(file, USE)?;
        let Content::Key(Some(Material::Rsa(private))) = &file.content else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let data = command.data();
        let answer = match (signs, algorithm & 0xF0) {
            (true, 0x10) => wanted(command, rsa::sign_raw(private, data)?),
            (true, 0x50) => wanted(command, rsa::sign(private, data)?),
            (true, _) => return Err(Status::CONDITIONS_NOT_SATISFIED),
            (false, mechanism) => {
                let padding = rsa::padding(mechanism).ok_or(Status::FUNCTION_NOT_SUPPORTED)?;
                rsa::decipher(private, padding, data)?.into()
            }
        };
        work.signed = Some(KeyWork::Rsa(BITS));
        Ok(answer)
    }
}
