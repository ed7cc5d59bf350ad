//! Dates and times in data groups: digits, or packed digits as older documents have them.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::error::LdsFault;

/// A date `yyyymmdd` whose month and day may be `00` and year `0000`, where they are not known
/// (*ICAO 9303-10 Table 72, note*). `Debug` does not show it, for it may be a date of birth.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LdsDate([u8; 8]);

impl LdsDate {
    /// Reads eight digits, with `00` and `0000` for what is not known.
    ///
    /// # Errors
    /// [`LdsFault::Date`].
    pub fn parse(digits: &[u8]) -> Result<Self, LdsFault> {
        let digits: [u8; 8] = digits.try_into().map_err(|_| LdsFault::Date)?;
        let date = Self(digits);
        let (year, month, day) = date.parts().ok_or(LdsFault::Date)?;
        // What is not known limits nothing: in an unknown year there may be a 29 February, and an
        // unknown month may have 31 days.
        let year = if year == 0 { 2000 } else { year };
        Date::new(year, month.max(1), day.max(1)).map_err(|_| LdsFault::Date)?;
        Ok(date)
    }

    /// Returns the day; none where a part of it is not known.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        match self.parts()? {
            (0, _, _) => None,
            (year, month, day) => Date::new(year, month, day).ok(),
        }
    }

    /// Returns the eight digits.
    #[must_use]
    pub fn digits(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads eight digits, or four bytes of packed digits; says which.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Form), LdsFault> {
        let (mut digits, form) = unpack::<8>(bytes)?;
        let date = Self::parse(&digits);
        digits.zeroize();
        Ok((date?, form))
    }

    fn parts(&self) -> Option<(i16, i8, i8)> {
        let [y1, y2, y3, y4, m1, m2, d1, d2] = &self.0;
        let year = number(&[*y1, *y2, *y3, *y4])?;
        let month = i8::try_from(number(&[*m1, *m2])?).ok()?;
        let day = i8::try_from(number(&[*d1, *d2])?).ok()?;
        Some((year, month, day))
    }
}

impl TryFrom<Date> for LdsDate {
    type Error = LdsFault;

    fn try_from(date: Date) -> Result<Self, LdsFault> {
        let digits = Zeroizing::new(date.strftime("%Y%m%d").to_string());
        Self::parse(digits.as_bytes())
    }
}

impl fmt::Debug for LdsDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LdsDate(…)")
    }
}

/// A date and time of day `yyyymmddhhmmss`, of the machine that personalized the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LdsTime(DateTime);

impl LdsTime {
    /// Returns this date and time, to the second.
    ///
    /// # Errors
    /// [`LdsFault::Date`] for years that have no four digits.
    pub fn new(time: DateTime) -> Result<Self, LdsFault> {
        Self::parse(time.strftime("%Y%m%d%H%M%S").to_string().as_bytes())
    }

    /// Reads fourteen digits.
    ///
    /// # Errors
    /// [`LdsFault::Date`].
    pub fn parse(digits: &[u8]) -> Result<Self, LdsFault> {
        let (date, time) = digits.split_at_checked(8).ok_or(LdsFault::Date)?;
        let date = LdsDate::parse(date)?.date().ok_or(LdsFault::Date)?;
        let two = |at: usize| {
            let digits = time.get(at..at + 2)?;
            i8::try_from(number(digits)?).ok()
        };
        let time = match (time.len(), two(0), two(2), two(4)) {
            (6, Some(hour), Some(minute), Some(second)) => Time::new(hour, minute, second, 0),
            _ => return Err(LdsFault::Date),
        };
        Ok(Self(date.to_datetime(time.map_err(|_| LdsFault::Date)?)))
    }

    /// Returns the date and time.
    #[must_use]
    pub fn time(self) -> DateTime {
        self.0
    }

    /// Returns the fourteen digits.
    #[must_use]
    pub fn digits(self) -> String {
        self.0.strftime("%Y%m%d%H%M%S").to_string()
    }

    /// Reads fourteen digits, or seven bytes of packed digits; says which.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Form), LdsFault> {
        let (digits, form) = unpack::<14>(bytes)?;
        Ok((Self::parse(&digits)?, form))
    }
}

/// How digits stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A byte each.
    Characters,
    /// Two in a byte.
    Packed,
}

/// Returns N digits as characters.
fn unpack<const N: usize>(bytes: &[u8]) -> Result<([u8; N], Form), LdsFault> {
    if let Ok(digits) = bytes.try_into() {
        return Ok((digits, Form::Characters));
    }
    if bytes.len() * 2 != N {
        let expected = if N == 8 { "8 or 4" } else { "14 or 7" };
        return Err(LdsFault::Length {
            length: bytes.len(),
            expected,
        });
    }
    let mut digits = [0; N];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        // A half above nine becomes a character after "9", and is refused as such.
        pair.copy_from_slice(&[b'0' + (byte >> 4), b'0' + (byte & 0x0F)]);
    }
    Ok((digits, Form::Packed))
}

/// Returns the number that at most four digits say.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |sum: i16, digit| {
        let digit = digit.is_ascii_digit().then(|| i16::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, datetime};
    use proptest::prelude::*;

    use super::{Form, LdsDate, LdsTime};
    use crate::lds::LdsFault;

    #[test]
    fn characters_and_packed_digits() {
        let read = LdsDate::read(b"20210915").unwrap();
        assert_eq!(read.0.date(), Some(date(2021, 9, 15)));
        assert_eq!(read.1, Form::Characters);
        let packed = LdsDate::read(&[0x20, 0x21, 0x09, 0x15]).unwrap();
        assert_eq!(packed, (read.0, Form::Packed));
        let time = LdsTime::read(b"20171115013612").unwrap().0;
        assert_eq!(time.time(), datetime(2017, 11, 15, 1, 36, 12, 0));
        let packed = LdsTime::read(&[0x20, 0x17, 0x11, 0x15, 0x01, 0x36, 0x12]).unwrap();
        assert_eq!(packed, (time, Form::Packed));
    }

    #[test]
    fn unknown_parts_are_zeros() {
        for digits in [
            b"19600000",
            b"19600400",
            b"00000000",
            b"00000229",
            b"19600031",
        ] {
            let date = LdsDate::parse(digits).unwrap();
            assert_eq!((date.date(), date.digits()), (None, digits));
        }
        for digits in [
            &b"20230229"[..],
            b"20231301",
            b"20230931",
            b"2023 101",
            b"202301",
            b"",
            b"99990000x",
        ] {
            assert_eq!(LdsDate::parse(digits), Err(LdsFault::Date));
        }
        assert!(LdsDate::read(&[0x20, 0x2A, 0x01, 0x01]).is_err());
        assert!(LdsDate::read(b"20231").is_err());
        for digits in [
            &b"20230101240000"[..],
            b"20230001000000",
            b"2023010100000",
            b"",
        ] {
            assert_eq!(LdsTime::parse(digits), Err(LdsFault::Date));
        }
        assert_eq!(
            format!("{:?}", LdsDate::parse(b"19600000")),
            "Ok(LdsDate(…))"
        );
    }

    proptest! {
        #[test]
        fn days_there_and_back(year in 1i16..=9999, day in 1i16..=365) {
            let day = date(year, 1, 1).checked_add(jiff::Span::new().days(day - 1)).unwrap();
            let written = LdsDate::try_from(day).unwrap();
            prop_assert_eq!(written.date(), Some(day));
            prop_assert_eq!(&LdsDate::read(written.digits()).unwrap().0, &written);
            let time = LdsTime::new(day.at(23, 59, 1, 5)).unwrap();
            prop_assert_eq!(LdsTime::read(time.digits().as_bytes()).unwrap().0, time);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            let _ = LdsDate::read(&bytes);
            let _ = LdsTime::read(&bytes);
        }
    }
}
