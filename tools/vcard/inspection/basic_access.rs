//! Basic Access Control (ICAO Doc 9303-11 §4.3): what the MRZ opens, and the chip's part of the
//! mutual authentication.

use card::Status;
use card::tlv;
use openssl::sha::sha1;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Keys, MAC};
use super::messaging::Messaging;
use crate::applet::{Entropy, broken};
use crate::secret::same;

/// Bytes of the cryptogram: RND ‖ RND ‖ K.
const CRYPTOGRAM: usize = 32;
/// Data of EXTERNAL AUTHENTICATE, and of its answer: the cryptogram and its MAC.
pub(crate) const AUTHENTICATION: usize = CRYPTOGRAM + MAC;
const IV: [u8; 8] = [0; 8];

/// Shortest and longest document number, characters: an MRZ fills it up to nine, and TD1
/// carries thirteen more in its optional data (ICAO Doc 9303-5 §4.2.2.1).
const NUMBER: std::ops::RangeInclusive<usize> = 9..=22;

/// Characters of a date.
const DATE: usize = 6;

/// A character that no MRZ has: the applet's own word.
const NO_MRZ_CHARACTER: Status = Status::new(0x6D04);

/// Reads `62 L { 04 <document number> 04 <birth> 04 <expiry> }`; returns the MRZ information,
/// each field with its check digit (ICAO Doc 9303-11 §4.3.2), and how many bytes of it are
/// the number's.
pub(crate) fn mrz_information(data: &[u8]) -> Result<(Zeroizing<Vec<u8>>, usize), Status> {
    let outer = tlv::parse_all(data).map_err(|_| Status::WRONG_DATA)?;
    let [outer] = &outer[..] else {
        return Err(Status::WRONG_DATA);
    };
    let parts = tlv::parse_all(outer.value).map_err(|_| Status::WRONG_DATA)?;
    let [number, birth, expiry] = &parts[..] else {
        return Err(Status::WRONG_DATA);
    };
    let lengths = NUMBER.contains(&number.value.len())
        && birth.value.len() == DATE
        && expiry.value.len() == DATE;
    if outer.tag.value() != 0x62 || parts.iter().any(|part| part.tag.value() != 0x04) || !lengths {
        return Err(Status::WRONG_DATA);
    }
    let mut information = Zeroizing::new(Vec::with_capacity(2 * DATE + NUMBER.end() + 3));
    for part in &parts {
        information.extend_from_slice(part.value);
        information.push(check_digit(part.value)?);
    }
    Ok((information, number.value.len() + 1))
}

/// Computes the check digit over a field of the MRZ (ICAO Doc 9303-3 §4.9).
fn check_digit(field: &[u8]) -> Result<u8, Status> {
    let mut sum = 0u32;
    for (character, weight) in field.iter().zip([7, 3, 1].into_iter().cycle()) {
        let value = match character {
            b'<' => 0,
            b'0'..=b'9' => character - b'0',
            b'A'..=b'Z' => character - b'A' + 10,
            _ => return Err(NO_MRZ_CHARACTER),
        };
        sum += u32::from(value) * weight;
    }
    Ok(b'0' + (sum % 10) as u8)
}

/// Derives the document basic access keys of MRZ information (ICAO Doc 9303-11 §9.7.2).
pub(crate) fn document_keys(information: &[u8]) -> Keys {
    let hash = Zeroizing::new(sha1(information));
    Keys::derive(Cipher::TripleDes, hash.get(..16).unwrap_or_default())
}

/// Answers EXTERNAL AUTHENTICATE (ICAO Doc 9303-11 §4.3.3): E.IC ‖ M.IC, and the session;
/// `None` where the reader does not know the MRZ, or answers another challenge.
pub(crate) fn answer(
    keys: &Keys,
    challenge: &[u8; 8],
    data: &[u8; AUTHENTICATION],
    entropy: &mut Entropy,
) -> Result<Option<(Vec<u8>, Messaging)>, Status> {
    let Some(opened) = open(keys, data)? else {
        return Ok(None);
    };
    let (random, key) = opened.split_at(16);
    let (reader, own) = random.split_at(8);
    if !same(own, challenge) {
        return Ok(None);
    }
    let mut chip = Zeroizing::new([0; 16]);
    entropy.draw(&mut chip[..])?;
    let plain = Zeroizing::new([own, reader, &chip[..]].concat());
    let cipher = Cipher::TripleDes;
    let mut answer = cipher.encrypt(&keys.enc, &IV, &plain).map_err(broken)?;
    answer.extend(keys.mac(&answer).map_err(broken)?);

    let mut seed = Zeroizing::new([0; 16]);
    for (byte, (reader, chip)) in seed.iter_mut().zip(key.iter().zip(chip.iter())) {
        *byte = reader ^ chip;
    }
    let halves = own.iter().skip(4).chain(reader.iter().skip(4));
    let counter = halves.fold(0, |counter, byte| counter << 8 | u128::from(*byte));
    let session = Messaging::new(Keys::derive(cipher, &seed[..]), counter);
    Ok(Some((answer, session)))
}

/// Returns the chip's key material K.IC out of its answer to EXTERNAL AUTHENTICATE; `None`
/// where these are not the keys it was made with.
pub(crate) fn chip_key(keys: &Keys, answer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let opened = open(keys, answer.try_into().ok()?).ok()??;
    opened.get(16..).map(|key| Zeroizing::new(key.to_vec()))
}

/// Opens a cryptogram whose MAC is right.
fn open(keys: &Keys, data: &[u8; AUTHENTICATION]) -> Result<Option<Zeroizing<Vec<u8>>>, Status> {
    let (cryptogram, mac) = data.split_at(CRYPTOGRAM);
    if !keys.verifies(cryptogram, mac).map_err(broken)? {
        return Ok(None);
    }
    let opened = Cipher::TripleDes.decrypt(&keys.enc, &IV, cryptogram);
    opened.map(Some).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::load;

    fn field(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).unwrap();
        [&[0x04, length], text.as_bytes()].concat()
    }

    fn put(number: &str, birth: &str, expiry: &str) -> Vec<u8> {
        let inner = [field(number), field(birth), field(expiry)].concat();
        [&[0x62, u8::try_from(inner.len()).unwrap()], &inner[..]].concat()
    }

    #[test]
    fn the_keys_of_appendix_d() {
        let vector = load("icao9303-11/bac.json");
        let information = vector.text("mrz_information");
        let (number, birth, expiry) = (
            &information[..9],
            &information[10..16],
            &information[17..23],
        );
        let (read, length) = mrz_information(&put(number, birth, expiry)).unwrap();
        assert_eq!(read[..], *information.as_bytes());
        assert_eq!(length, 10);
        let keys = document_keys(&read);
        assert_eq!(keys.enc.bytes(), vector.bytes("K_enc"));
        assert_eq!(keys.mac.bytes(), vector.bytes("K_mac"));
    }

    #[test]
    fn the_authentication_of_appendix_d() {
        let vector = load("icao9303-11/bac.json");
        let (read, _) = mrz_information(&put("L898902C<", "690806", "940623")).unwrap();
        let keys = document_keys(&read);
        let challenge = vector.bytes("RND_IC").try_into().unwrap();
        let command = vector.row("external_authenticate").bytes("command");
        let mut entropy = Entropy::default();
        entropy.foresee(&vector.bytes("K_IC"));
        let data = command[5..45].try_into().unwrap();
        let given = answer(&keys, &challenge, data, &mut entropy).unwrap();
        let (answer, session) = given.unwrap();
        let expected = vector.row("external_authenticate").bytes("response");
        assert_eq!(answer, expected[..40]);
        let (session, counter) = session.into_parts();
        assert_eq!(session.enc.bytes(), vector.bytes("KS_enc"));
        assert_eq!(session.mac.bytes(), vector.bytes("KS_mac"));
        assert_eq!(counter.to_be_bytes()[8..], vector.bytes("SSC"));
        assert_eq!(**chip_key(&keys, &answer).unwrap(), vector.bytes("K_IC"));
    }

    #[test]
    fn the_check_digits_of_doc_9303() {
        // Doc 9303-3 App. A to Part 3: "520727" has 3, "AB2134<<<" has 5.
        assert_eq!(check_digit(b"520727"), Ok(b'3'));
        assert_eq!(check_digit(b"AB2134<<<"), Ok(b'5'));
    }

    #[test]
    fn other_mrz_data_is_refused() {
        let wrong = Some(Status::WRONG_DATA);
        let refused = |data: &[u8]| mrz_information(data).err();
        assert_eq!(refused(&put("L898902C", "690806", "940623")), wrong);
        assert_eq!(refused(&put(&"A".repeat(23), "690806", "940623")), wrong);
        assert_eq!(refused(&put("L898902C<", "69080", "940623")), wrong);
        assert_eq!(refused(&put("L898902C<", "690806", "9406236")), wrong);
        assert_eq!(
            refused(&[field("L898902C<"), field("690806")].concat()),
            wrong
        );
        assert_eq!(refused(&[]), wrong);
        let mut other = put("L898902C<", "690806", "940623");
        other[0] = 0x63;
        assert_eq!(refused(&other), wrong);
        let small = put("l898902c<", "690806", "940623");
        assert_eq!(refused(&small), Some(NO_MRZ_CHARACTER));
        assert!(mrz_information(&put("D23145890734<<<<<<<<<<", "340712", "950712")).is_ok());
        assert!(mrz_information(&put("L898902C<", "69<<<<", "940623")).is_ok());
    }
}
