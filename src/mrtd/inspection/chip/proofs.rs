//! What a chip proves: that it has the keys that its files name, and that it knows the terminal.

use access::{
    ActiveAuthentication, ActiveAuthenticationError, ActiveAuthenticationKey,
    ChipAuthenticationChoice, ChipAuthenticationChoiceError, ChipAuthenticationError, EphemeralKey,
    FileError, MappedChipKey, Secured, SecuredError, SecurityInfos, TerminalAuthentication,
    TerminalAuthenticationError, TerminalBinding, TerminalVersion, TrustPointsError,
    authenticate_chip, converse, read_trust_points,
};
use card::{Channel, Command, ExchangeError};
use cert::cms::SignedData;

use super::opening::SessionNames;
use super::{Found, Halt, Reading, Terminal, told};
use crate::inspection::check::{Check, CheckName, Verdict};
use crate::lds::{CardSecurity, Dg14, Dg15, File, Group};

/// The session, whatever is below it.
type Session<'c> = Secured<&'c mut dyn Channel>;

/// Judges what chip authentication mapping gave, by the keys in EF.CardSecurity.
pub(super) fn mapping(mapped: Option<&MappedChipKey>, found: &mut Found) {
    let Some(mapped) = mapped else { return };
    let name = CheckName::ChipAuthenticationMapping;
    if found.checks.iter().any(|check| check.name == name) {
        return;
    }
    let infos = found.lds.get(File::CardSecurity).and_then(|file| {
        let file = CardSecurity::parse(file).ok()?;
        let message = SignedData::parse(file.cms()).ok()?;
        SecurityInfos::parse(message.content()).ok()
    });
    let Some(infos) = infos else {
        let why = "EF.CardSecurity, which names the key, is not there or does not read";
        found.checks.push(Check::failed(name, why));
        return;
    };
    let keys: Vec<_> = infos
        .chip_authentication_keys()
        .filter_map(|key| key.key().ok())
        .collect();
    let mut why = "EF.CardSecurity names no key".to_owned();
    for key in &keys {
        match mapped.verify(key) {
            Ok(()) => {
                let told = "the chip has the key in EF.CardSecurity";
                found.checks.push(Check::passed(name, told));
                return;
            }
            Err(error) => why = told(&error),
        }
    }
    found.checks.push(Check::failed(name, why));
}

/// Returns what DG14 says.
pub(super) fn infos(found: &Found) -> Option<SecurityInfos> {
    let dg14 = Dg14::parse(found.lds.get(Group::Dg14)?).ok()?;
    SecurityInfos::parse(dg14.security_infos()).ok()
}

/// Runs chip authentication, and terminal authentication after it; says whether the terminal has
/// its rights. Where the chip has no chip authentication and chip authentication mapping has proved
/// it, PACE's keys stand for those of chip authentication (*ICAO 9303-11 §7.1.2*).
pub(super) fn chip_and_terminal(
    session: &mut Session<'_>,
    reading: &mut Reading<'_>,
    found: &mut Found,
    names: &SessionNames,
) -> Result<bool, Halt> {
    let key = if found.is_copy {
        None
    } else {
        let ephemeral = authenticate(session, reading, found)?;
        let mapped = || is_mapped(found).then(|| names.terminal.clone());
        ephemeral
            .map(|ephemeral| ephemeral.compressed().to_vec())
            .or_else(mapped)
    };
    let Some(terminal) = reading.terminal else {
        return Ok(false);
    };
    let name = CheckName::TerminalAuthentication;
    let Some(key) = key else {
        let why = "the chip did not prove itself, on which it rests";
        found.checks.retain(|check| check.name != name);
        found.checks.push(Check::unknown(name, why));
        return Ok(false);
    };
    let binding = TerminalBinding {
        chip: names.chip.to_vec(),
        key,
        version: TerminalVersion::One,
    };
    let (check, is_taken) = match show(session, &terminal, binding, found)? {
        Ok(()) => (Check::passed(name, "the chip took the terminal"), true),
        // It is the terminal that was refused: the document may be right.
        Err(why) => (Check::unknown(name, why), false),
    };
    found.checks.push(check);
    Ok(is_taken)
}

/// Says whether chip authentication mapping has proved the chip.
fn is_mapped(found: &Found) -> bool {
    let name = CheckName::ChipAuthenticationMapping;
    let mut checks = found.checks.iter();
    checks.any(|check| check.name == name && check.verdict == Verdict::Passed)
}

/// Runs chip authentication and returns the terminal's key of it.
fn authenticate(
    session: &mut Session<'_>,
    reading: &mut Reading<'_>,
    found: &mut Found,
) -> Result<Option<EphemeralKey>, Halt> {
    let name = CheckName::ChipAuthentication;
    let Some(infos) = infos(found) else {
        return Ok(None);
    };
    let choice = match ChipAuthenticationChoice::best(&infos, 1) {
        Ok(choice) => choice,
        Err(ChipAuthenticationChoiceError::None(_)) => return Ok(None),
        Err(error) => {
            found.checks.push(Check::unknown(name, told(&error)));
            return Ok(None);
        }
    };
    let ephemeral =
        EphemeralKey::generate(choice.key().parameters(), reading.random).map_err(Halt::Crypto)?;
    // Changes nothing, and is answered under the new keys.
    let [high, low] = File::Com.identifier().to_be_bytes();
    let probe = Command::new(0x00, 0xA4, 0x02, 0x0C).with_data([high, low]);
    let error = match authenticate_chip(session, &choice, &ephemeral, &probe) {
        Ok(_) => {
            let told = format!(
                "the chip has the key in EF.DG14, on {}",
                choice.key().parameters()
            );
            found.checks.push(Check::passed(name, told));
            return Ok(Some(ephemeral));
        }
        Err(error) => error,
    };
    match error {
        ChipAuthenticationError::Exchange(error)
        | ChipAuthenticationError::Secured(SecuredError::Exchange(error)) => {
            // Also a session that broke: what the chip has instead of the key, nobody knows.
            match Halt::of(error) {
                Halt::Session(why) => refuse(found, name, why),
                halt => return Err(halt),
            }
        }
        ChipAuthenticationError::Crypto(error) => return Err(Halt::Crypto(error)),
        error => refuse(found, name, told(&error)),
    }
    Err(Halt::Session("after chip authentication failed".to_owned()))
}

/// Notes that the chip is a copy.
fn refuse(found: &mut Found, name: CheckName, why: String) {
    found.checks.push(Check::failed(name, why));
    found.is_copy = true;
}

/// Shows the chip who reads it. The inner error is why the chip does not take the terminal.
fn show(
    session: &mut Session<'_>,
    terminal: &Terminal<'_>,
    binding: TerminalBinding,
    found: &Found,
) -> Result<Result<(), String>, Halt> {
    let limits = session.limits();
    let infos = infos(found).unwrap_or_default();
    let trusted = match read_trust_points(session, &limits, &infos) {
        Ok(trusted) => trusted,
        Err(TrustPointsError::File(FileError::Exchange(error))) => return Err(Halt::of(error)),
        Err(error) => return Ok(Err(told(&error))),
    };
    let start =
        TerminalAuthentication::start(terminal.certificates, &trusted, binding, terminal.key);
    match start.and_then(|start| converse(session, &limits, start)) {
        Ok(()) => Ok(Ok(())),
        // A certificate or signature too long for chip and reader was not sent.
        Err(TerminalAuthenticationError::Exchange(error @ ExchangeError::TooLong { .. })) => {
            Ok(Err(told(&error)))
        }
        Err(TerminalAuthenticationError::Exchange(error)) => Err(Halt::of(error)),
        Err(error) => Ok(Err(told(&error))),
    }
}

/// Runs active authentication where DG15 has a key.
pub(super) fn active(
    session: &mut Session<'_>,
    reading: &mut Reading<'_>,
    found: &mut Found,
) -> Result<(), Halt> {
    let name = CheckName::ActiveAuthentication;
    let Some(key) = found.lds.get(Group::Dg15).and_then(|file| {
        let dg15 = Dg15::parse(file).ok()?;
        ActiveAuthenticationKey::from_spki_der(dg15.spki()).ok()
    }) else {
        return Ok(());
    };
    let infos = infos(found);
    let said = infos
        .as_ref()
        .and_then(SecurityInfos::active_authentication);
    let limits = session.limits();
    let outcome = ActiveAuthentication::start(&key, said, reading.random)
        .and_then(|start| converse(session, &limits, start));
    let check = match outcome {
        Ok(signed) => {
            found.signed_challenge = Some(signed);
            Check::passed(name, "the chip has the key in EF.DG15")
        }
        Err(ActiveAuthenticationError::Exchange(error)) => return Err(Halt::of(error)),
        Err(ActiveAuthenticationError::Crypto(error)) => return Err(Halt::Crypto(error)),
        Err(error @ ActiveAuthenticationError::NoAlgorithm) => Check::unknown(name, told(&error)),
        Err(error) => Check::failed(name, told(&error)),
    };
    found.checks.push(check);
    Ok(())
}
