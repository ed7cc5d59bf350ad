use super::*;
use crate::testing::{Scripted, bytes, vectors};

fn example() -> (serde_json::Value, MrzInformation, Scripted) {
    let file = vectors("icao9303-11/bac.json");
    let information = MrzInformation::new(file["mrz_information"].as_str().unwrap()).unwrap();
    let random = Scripted::new([bytes(&file["RND_IFD"]), bytes(&file["K_IFD"])]);
    (file, information, random)
}

fn answered(challenge: &[u8], proof: &[u8]) -> Result<SecureMessaging, BasicAccessError> {
    let (_, information, mut random) = example();
    let (_, stage) = BasicAccess::start(&information, &mut random)?;
    let Turn::Send(_, stage) = stage.answer(&Response::parse(challenge).unwrap())? else {
        panic!("no second command");
    };
    match stage.answer(&Response::parse(proof).unwrap())? {
        Turn::Done(messaging) => Ok(messaging),
        Turn::Send(..) => panic!("a third command"),
    }
}

#[test]
fn the_worked_example_comes_out_byte_for_byte() {
    let (file, information, mut random) = example();
    let keys = access_keys(&information).unwrap();
    assert_eq!(keys.encryption.as_bytes(), bytes(&file["K_enc"]));
    assert_eq!(keys.authentication.as_bytes(), bytes(&file["K_mac"]));
    let (command, stage) = BasicAccess::start(&information, &mut random).unwrap();
    let challenge = &file["get_challenge"];
    assert_eq!(*command.encode().unwrap(), bytes(&challenge["command"]));
    let response = Response::parse(&bytes(&challenge["response"])).unwrap();
    let Turn::Send(command, stage) = stage.answer(&response).unwrap() else {
        panic!("no second command");
    };
    let proof = &file["external_authenticate"];
    assert_eq!(*command.encode().unwrap(), bytes(&proof["command"]));
    let response = Response::parse(&bytes(&proof["response"])).unwrap();
    let Turn::Done(mut messaging) = stage.answer(&response).unwrap() else {
        panic!("a third command");
    };
    for step in file["secure_messaging"].as_array().unwrap() {
        let command = Command::parse(&bytes(&step["plain_command"])).unwrap();
        let wrapped = messaging.wrap(&command).unwrap();
        assert_eq!(
            *wrapped.encode().unwrap(),
            bytes(&step["command"]["protected"])
        );
        let response = Response::parse(&bytes(&step["response"]["protected"])).unwrap();
        let opened = messaging.unwrap(&response).unwrap();
        assert_eq!(*opened.encode(), bytes(&step["plain_response"]));
    }
}

#[test]
fn a_chip_that_does_not_prove_itself_is_refused() {
    let file = example().0;
    let challenge = bytes(&file["get_challenge"]["response"]);
    let proof = bytes(&file["external_authenticate"]["response"]);
    assert!(answered(&challenge, &proof).is_ok());
    for place in 0..proof.len() - 2 {
        let mut forged = proof.clone();
        forged[place] ^= 1;
        let error = answered(&challenge, &forged).unwrap_err();
        assert!(matches!(error, BasicAccessError::NotProved), "{place}");
    }
    // A right MAC over the chip's proof for another challenge.
    let mut other = challenge.clone();
    other[0] ^= 1;
    let error = answered(&other, &proof).unwrap_err();
    assert!(matches!(error, BasicAccessError::NotProved));
}

#[test]
fn refusals_and_wrong_lengths_are_named() {
    let file = example().0;
    let challenge = bytes(&file["get_challenge"]["response"]);
    let error = |challenge: &[u8], proof: &[u8]| answered(challenge, proof).unwrap_err();
    assert!(matches!(
        error(&[0x69, 0x82], &[]),
        BasicAccessError::NoChallenge(_)
    ));
    assert!(matches!(
        error(&[7, 0x90, 0], &[]),
        BasicAccessError::Length {
            expected: 8,
            actual: 1
        }
    ));
    assert!(matches!(
        error(&challenge, &[0x63, 0]),
        BasicAccessError::Refused(_)
    ));
    assert!(matches!(
        error(&challenge, &[0x90, 0]),
        BasicAccessError::Length {
            expected: 40,
            actual: 0
        }
    ));
}
