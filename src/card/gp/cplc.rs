//! Card production life cycle data, tag `9F7F`: who made a chip, when, and its serial
//! number. The layout of the 42 bytes is that of Open Platform, GlobalPlatform's ancestor;
//! makers still follow it.

use std::fmt;

use super::DataError;

const NAME: &str = "CPLC";
const TAG: [u8; 2] = [0x9F, 0x7F];
const LENGTH: usize = 42;

/// A date as makers write it into CPLC: last digit of the year and day of the year, four
/// digits in two bytes. Many makers write zeros, or something else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CplcDate([u8; 2]);

impl CplcDate {
    /// Returns the two bytes.
    pub fn bytes(self) -> [u8; 2] {
        self.0
    }

    /// Returns the last digit of the year and the day of the year, 1 to 366; `None` where
    /// the bytes are no such date.
    pub fn year_digit_and_day(self) -> Option<(u8, u16)> {
        let [a, b] = self.0;
        let digits = [a >> 4, a & 0x0F, b >> 4, b & 0x0F];
        if digits.iter().any(|&digit| digit > 9) {
            return None;
        }
        let [year, hundreds, tens, ones] = digits.map(u16::from);
        let day = hundreds * 100 + tens * 10 + ones;
        (1..=366)
            .contains(&day)
            .then_some((year.to_be_bytes()[1], day))
    }
}

impl fmt::Debug for CplcDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}{:02X}", self.0[0], self.0[1])
    }
}

fn unknown_form(length: usize) -> DataError {
    DataError::Length { what: NAME, length }
}

/// The bytes not yet taken.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DataError> {
        let (&field, rest) = self
            .0
            .split_first_chunk()
            .ok_or(unknown_form(self.0.len()))?;
        self.0 = rest;
        Ok(field)
    }
}

/// The fields of CPLC, in the order of the card.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "the fields' names are all that the layout says of them"
)]
pub struct Cplc {
    pub ic_fabricator: [u8; 2],
    pub ic_type: [u8; 2],
    pub operating_system: [u8; 2],
    pub operating_system_date: CplcDate,
    pub operating_system_level: [u8; 2],
    pub ic_fabrication_date: CplcDate,
    pub ic_serial_number: [u8; 4],
    pub ic_batch: [u8; 2],
    pub module_fabricator: [u8; 2],
    pub module_packaging_date: CplcDate,
    pub card_manufacturer: [u8; 2],
    pub embedding_date: CplcDate,
    pub pre_personalizer: [u8; 2],
    pub pre_personalization_date: CplcDate,
    pub pre_personalization_equipment: [u8; 4],
    pub personalizer: [u8; 2],
    pub personalization_date: CplcDate,
    pub personalization_equipment: [u8; 4],
}

impl Cplc {
    /// Parses the response to GET DATA `9F7F`: the 42 bytes, or the data object `9F7F` with
    /// them, both of which cards send.
    ///
    /// # Errors
    /// [`DataError::Length`] for any other length or tag.
    pub fn parse(data: &[u8]) -> Result<Self, DataError> {
        let value = match data.strip_prefix(&TAG) {
            Some([length, value @ ..]) if usize::from(*length) == LENGTH => value,
            _ => data,
        };
        if value.len() != LENGTH {
            return Err(unknown_form(data.len()));
        }
        let mut fields = Fields(value);
        Ok(Self {
            ic_fabricator: fields.take()?,
            ic_type: fields.take()?,
            operating_system: fields.take()?,
            operating_system_date: CplcDate(fields.take()?),
            operating_system_level: fields.take()?,
            ic_fabrication_date: CplcDate(fields.take()?),
            ic_serial_number: fields.take()?,
            ic_batch: fields.take()?,
            module_fabricator: fields.take()?,
            module_packaging_date: CplcDate(fields.take()?),
            card_manufacturer: fields.take()?,
            embedding_date: CplcDate(fields.take()?),
            pre_personalizer: fields.take()?,
            pre_personalization_date: CplcDate(fields.take()?),
            pre_personalization_equipment: fields.take()?,
            personalizer: fields.take()?,
            personalization_date: CplcDate(fields.take()?),
            personalization_equipment: fields.take()?,
        })
    }

    /// Returns the chip's serial: IC fabricator, type, batch and serial number, twenty
    /// upper-case hexadecimal digits. The serial number alone repeats between batches.
    pub fn serial(&self) -> String {
        hex::encode_upper(
            [
                &self.ic_fabricator[..],
                &self.ic_type,
                &self.ic_batch,
                &self.ic_serial_number,
            ]
            .concat(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte of the value is its own offset, so that a misplaced field shows.
    fn numbered() -> Vec<u8> {
        (0..42).collect()
    }

    #[test]
    fn fields_stand_where_the_layout_says() {
        let cplc = Cplc::parse(&numbered()).unwrap();
        assert_eq!(cplc.ic_fabricator, [0, 1]);
        assert_eq!(cplc.ic_serial_number, [12, 13, 14, 15]);
        assert_eq!(cplc.ic_batch, [16, 17]);
        assert_eq!(cplc.pre_personalization_equipment, [30, 31, 32, 33]);
        assert_eq!(cplc.personalization_equipment, [38, 39, 40, 41]);
        assert_eq!(cplc.serial(), "0001020310110C0D0E0F");
        let object = [&[0x9F, 0x7F, 0x2A][..], &numbered()].concat();
        assert_eq!(Cplc::parse(&object).unwrap(), cplc);
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in (0..60).filter(|&length| length != 42) {
            let error = Cplc::parse(&vec![0x9F; length]).unwrap_err();
            assert_eq!(
                error,
                DataError::Length {
                    what: "CPLC",
                    length
                }
            );
        }
        let lying = [&[0x9F, 0x7F, 0x2B][..], &numbered()].concat();
        assert!(Cplc::parse(&lying).is_err());
    }

    #[test]
    fn dates_are_read_where_they_are_dates() {
        assert_eq!(CplcDate([0x63, 0x66]).year_digit_and_day(), Some((6, 366)));
        for bad in [[0x00, 0x00], [0x63, 0x67], [0x6A, 0x01], [0xFF, 0xFF]] {
            assert_eq!(CplcDate(bad).year_digit_and_day(), None);
        }
    }
}
