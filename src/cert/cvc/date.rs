//! Dates: six digits, one a byte, YYMMDD of this century (*TR-03110-3 §D.2.1.3*).

use jiff::civil::Date;

use crate::cvc::error::CvcError;
use crate::cvc::object::Object;

const CENTURY: i16 = 2000;

/// Reads the date of an object.
pub(crate) fn read(bytes: &[u8], object: Object) -> Result<Date, CvcError> {
    let fault = CvcError::Date {
        object: object.name(),
    };
    let &[y1, y2, m1, m2, d1, d2] = bytes else {
        return Err(fault);
    };
    let number = |tens: u8, ones: u8| match (tens, ones) {
        (0..=9, 0..=9) => i8::try_from(tens * 10 + ones).ok(),
        _ => None,
    };
    let (year, month, day) = (number(y1, y2), number(m1, m2), number(d1, d2));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return Err(fault);
    };
    Date::new(CENTURY + i16::from(year), month, day).map_err(|_| fault)
}

/// Writes a date of the years 2000 to 2099; none of another.
pub(crate) fn write(date: Date) -> Option<[u8; 6]> {
    let year = u8::try_from(date.year() - CENTURY)
        .ok()
        .filter(|year| *year < 100)?;
    let month = u8::try_from(date.month()).ok()?;
    let day = u8::try_from(date.day()).ok()?;
    Some([
        year / 10,
        year % 10,
        month / 10,
        month % 10,
        day / 10,
        day % 10,
    ])
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{read, write};
    use crate::cvc::object::EFFECTIVE;

    #[test]
    fn dates_are_unpacked_digits() {
        assert_eq!(write(date(2010, 3, 24)), Some([1, 0, 0, 3, 2, 4]));
        assert_eq!(read(&[9, 9, 1, 2, 3, 1], EFFECTIVE), Ok(date(2099, 12, 31)));
        assert_eq!(write(date(2100, 1, 1)), None);
        assert_eq!(write(date(1999, 12, 31)), None);
        for wrong in [
            &[1, 0, 0, 3, 2][..],
            &[1, 0, 0, 3, 2, 10],
            &[1, 0, 1, 3, 2, 4],
            &[1, 0, 0, 2, 3, 0],
            b"100324",
        ] {
            assert!(read(wrong, EFFECTIVE).is_err(), "{wrong:?}");
        }
    }
}
