//! What opens a chip, as somebody types it: the printed zone, or the number on the front.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use document::mrz::Mrz;
use jiff::civil::Date;
use mrtd::inspection::{AccessKey, AccessKeyError};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::terminal;

/// The longest zone with its line ends, and room for blanks.
const LONGEST: u64 = 512;

/// The key, once. Without any option it is asked for.
#[derive(Args)]
#[group(id = "access-key", multiple = false)]
pub(crate) struct KeyOptions {
    /// The machine readable zone, or NUMBER,BIRTH,EXPIRY with dates as YYMMDD. Without a value it is
    /// asked for at the terminal and not shown. A value stands in the list of processes, for all on
    /// this machine to see.
    #[arg(long, value_name = "ZONE", num_args = 0..=1)]
    mrz: Option<Option<String>>,
    /// A file with the same; - is standard input.
    #[arg(long, value_name = "FILE")]
    mrz_file: Option<PathBuf>,
    /// The card access number, for chips with PACE.
    #[arg(long, value_name = "NUMBER")]
    can: Option<String>,
}

impl KeyOptions {
    /// Returns the key, asking for it where no option gives it.
    pub(crate) fn read(&self) -> Result<Given, Failure> {
        if let Some(number) = &self.can {
            let key = AccessKey::of_number(number.trim()).or_fail(Kind::Usage)?;
            return Ok(Given { key, zone: None });
        }
        if let Some(Some(text)) = &self.mrz {
            return parse(text);
        }
        if let Some(path) = &self.mrz_file {
            return parse(&file(path)?);
        }
        let asked = "Document number, birth and expiry (NUMBER,YYMMDD,YYMMDD), or a whole zone: ";
        let typed = terminal::hidden(asked).map_err(|error| {
            Failure::new(Kind::Usage, format!("nobody is here to be asked: {error}"))
                .with_hint("--mrz-file FILE, or --mrz-file - for standard input, or --can NUMBER")
        })?;
        parse(std::str::from_utf8(&typed).unwrap_or_default())
    }
}

/// What somebody gave to open a chip.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// The key.
    pub(crate) key: AccessKey,
    /// The printed zone, where it was given whole.
    pub(crate) zone: Option<Mrz>,
}

fn file(path: &std::path::Path) -> Result<Zeroizing<String>, Failure> {
    // Of its full size from the beginning: no copy stays behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    let read = if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(LONGEST)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let fault = format!("{} cannot be read: {error}", path.display());
        Failure::new(Kind::Usage, fault)
    })?;
    Ok(text)
}

/// Reads a zone, three fields, or the characters that the keys are derived from.
fn parse(text: &str) -> Result<Given, Failure> {
    let text = text.trim();
    let is_separator = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '+');
    let fields: Vec<_> = text
        .split(is_separator)
        .filter(|field| !field.is_empty())
        .collect();
    let zone = Mrz::read(text);
    let key = match (&zone, fields.as_slice()) {
        (Ok(zone), _) => AccessKey::of_zone(zone),
        (Err(_), [_, birth, expiry]) if [birth, expiry].iter().any(|date| day(date).len() != 6) => {
            let fault = "a date of birth or expiry is no YYMMDD";
            return Err(Failure::new(Kind::Usage, fault).with_hint("for example 900302"));
        }
        (Err(_), [number, birth, expiry]) => {
            let number = Zeroizing::new(number.to_ascii_uppercase());
            AccessKey::of_fields(&number, &day(birth), &day(expiry))
        }
        (Err(_), [information]) => access::MrzInformation::new(information)
            .map(AccessKey::Zone)
            .map_err(AccessKeyError::from),
        (Err(error), _) => {
            return Err(Failure::of(Kind::Usage, error)
                .with_hint("give the zone's lines, or NUMBER,YYMMDD,YYMMDD"));
        }
    };
    let key = key.map_err(|error| {
        Failure::of(Kind::Usage, &error).with_hint("give the zone's lines, or NUMBER,YYMMDD,YYMMDD")
    })?;
    let zone = zone.ok();
    Ok(Given { key, zone })
}

/// Takes a day as 1990-03-02 too.
fn day(text: &str) -> Zeroizing<String> {
    match text.parse::<Date>() {
        Ok(day) if text.contains('-') => Zeroizing::new(day.strftime("%y%m%d").to_string()),
        _ => Zeroizing::new(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_in_many_spellings() {
        let zone = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
            L898902C36UTO7408122F1204159ZE184226B<<<<<10\n";
        let key = parse(zone).unwrap().key;
        for other in [
            "L898902C3,740812,120415",
            "l898902c3 740812 120415\n",
            "L898902C3+1974-08-12+2012-04-15",
            "L898902C3674081221204159",
            &zone.replace('\n', ""),
        ] {
            assert_eq!(parse(other).unwrap().key, key, "{other}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_repeated() {
        for text in [
            "",
            "L898902C3",
            "L898902C3,740812",
            "L898902C3,740812,12041",
            "L898902C3,740812,120415,1",
            "P<UTOERIKSSON<<ANNA",
        ] {
            let failure = parse(text).unwrap_err();
            assert!(
                !failure.message().contains("898902"),
                "{}",
                failure.message()
            );
            assert!(!failure.message().contains("ERIKSSON"));
        }
    }
}
