//! The functions that a template may call: a closed set, each pure and bounded.

use std::io::Write;

use card::cipher::{self, CipherError, Key, KeyAlgorithm};
use card::tlv::{self, Tag};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::error::RenderError;
use crate::template::{Argument, Template, kind, lookup};
use crate::value::{Scope, Value};

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A template: bytes.
    Template,
    /// One variable that holds a number.
    NumberOf,
    /// One variable that holds text, or bytes of text.
    TextOf,
    /// A number in decimal digits.
    Number,
    /// One byte in hexadecimal.
    Byte,
}

macro_rules! functions {
    ($($name:literal $variant:ident ($($kind:ident),*) $doc:literal;)*) => {
        /// The functions a template may call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function {
            $(#[doc = $doc] $variant,)*
        }

        impl Function {
            /// Every function: its name, its arguments, and what it does.
            pub const ALL: &'static [(&'static str, Self, &'static [Kind], &'static str)] = &[
                $(($name, Self::$variant, &[$(Kind::$kind),*], $doc),)*
            ];
        }
    };
}

functions! {
    "u8" U8 (NumberOf) "`u8(number)`: one byte.";
    "u16" U16 (NumberOf) "`u16(number)`: two bytes, big-endian.";
    "u24" U24 (NumberOf) "`u24(number)`: three bytes, big-endian.";
    "u32" U32 (NumberOf) "`u32(number)`: four bytes, big-endian.";
    "u16le" U16Le (NumberOf) "`u16le(number)`: two bytes, little-endian.";
    "u32le" U32Le (NumberOf) "`u32le(number)`: four bytes, little-endian.";
    "size8" Size8 (Template) "`size8(bytes)`: how many bytes, as one byte.";
    "size16" Size16 (Template) "`size16(bytes)`: how many bytes, as two bytes, big-endian.";
    "size16le" Size16Le (Template) "`size16le(bytes)`: how many bytes, as two bytes, little-endian.";
    "size32le" Size32Le (Template) "`size32le(bytes)`: how many bytes, as four bytes, little-endian.";
    "ascii" Ascii (TextOf) "`ascii(text)`: seven-bit text.";
    "utf8" Utf8 (TextOf) "`utf8(text)`: text in UTF-8.";
    "transliterate" Transliterate (TextOf) "`transliterate(text)`: Latin letters without their marks, as ASCII (ICAO 9303-3 §6).";
    "utf16le" Utf16Le (TextOf) "`utf16le(text)`: text in UTF-16, little-endian.";
    "utf16" Utf16 (TextOf) "`utf16(text)`: text in UTF-16, big-endian.";
    "yymmdd" Yymmdd (TextOf) "`yymmdd(date)`: a date as six digits of text.";
    "unix_time" UnixTime (TextOf) "`unix_time(date)`: seconds since 1970 at the day's begin, UTC, as four bytes.";
    "ddmmyyyy" Ddmmyyyy (TextOf) "`ddmmyyyy(date)`: a date as eight digits of text, day first.";
    "bcd" Bcd (Template) "`bcd(digits)`: two digits of text in each byte, an odd count filled with F on the right.";
    "hex_text" HexText (Template) "`hex_text(bytes)`: two hexadecimal digits of text for each byte.";
    "hex_bytes" HexBytes (TextOf) "`hex_bytes(text)`: the bytes that hexadecimal text names, as in `chip.serial`.";
    "pad" Pad (Template, Number, Byte) "`pad(bytes, length, byte)`: filled on the right.";
    "left_pad" LeftPad (Template, Number, Byte) "`left_pad(bytes, length, byte)`: filled on the left.";
    "iso_pad" IsoPad (Template, Number) "`iso_pad(bytes, block)`: 80 and as many 00 as fill the last block (ISO/IEC 7816-4 padding).";
    "pin_block" PinBlock (Template) "`pin_block(digits)`: ISO 9564-1 format 2: 2 and the length, the digits, filled with F to eight bytes.";
    "slice" Slice (Template, Number, Number) "`slice(bytes, from, length)`.";
    "from" From (Template, Number) "`from(bytes, start)`: all but the first `start` bytes.";
    "rest" Rest (Template, Number) "`rest(bytes, start)`: all but the first `start` bytes; empty past the end.";
    "part" Part (Template, Number, Number) "`part(bytes, index, size)`: the part with this index, from 0, of bytes cut into parts of `size`; empty past the end.";
    "reverse" Reverse (Template) "`reverse(bytes)`: the last byte first.";
    "tlv" Tlv (Template, Template) "`tlv(tag, value)`: a BER-TLV object whose tag is computed.";
    "sha1" Sha1 (Template) "`sha1(bytes)`.";
    "sha224" Sha224 (Template) "`sha224(bytes)`.";
    "sha256" Sha256 (Template) "`sha256(bytes)`.";
    "sha384" Sha384 (Template) "`sha384(bytes)`.";
    "sha512" Sha512 (Template) "`sha512(bytes)`.";
    "gzip" Gzip (Template) "`gzip(bytes)`: compressed, RFC 1952, without name and time.";
    "zlib" Zlib (Template) "`zlib(bytes)`: compressed, RFC 1950.";
    "deflate" Deflate (Template) "`deflate(bytes)`: compressed, RFC 1951.";
    "aes_ecb" AesEcb (Template, Template) "`aes_ecb(key, blocks)`: encrypted block by block.";
    "aes_ecb_decrypt" AesEcbDecrypt (Template, Template) "`aes_ecb_decrypt(key, blocks)`.";
    "aes_cbc" AesCbc (Template, Template) "`aes_cbc(key, blocks)`: chained, from a null block.";
    "aes_cbc_decrypt" AesCbcDecrypt (Template, Template) "`aes_cbc_decrypt(key, blocks)`.";
    "aes_cmac" AesCmac (Template, Template) "`aes_cmac(key, bytes)`: 16 bytes (NIST SP 800-38B).";
    "des3_ecb" Des3Ecb (Template, Template) "`des3_ecb(key, blocks)`: encrypted block by block.";
    "des3_ecb_decrypt" Des3EcbDecrypt (Template, Template) "`des3_ecb_decrypt(key, blocks)`.";
    "des3_cbc" Des3Cbc (Template, Template) "`des3_cbc(key, blocks)`: chained, from a null block.";
    "des3_cbc_decrypt" Des3CbcDecrypt (Template, Template) "`des3_cbc_decrypt(key, blocks)`.";
    "retail_mac" RetailMac (Template, Template) "`retail_mac(key, bytes)`: 8 bytes (ISO/IEC 9797-1 algorithm 3, padding method 2).";
    "kcv_aes" KcvAes (Template) "`kcv_aes(key)`: three bytes (GlobalPlatform 2.3 §B.6).";
    "kcv_des3" KcvDes3 (Template) "`kcv_des3(key)`: three bytes (GlobalPlatform 2.3 §B.6).";
    "point_x" PointX (Template) "`point_x(point)`: the x coordinate of an uncompressed point.";
    "point_y" PointY (Template) "`point_y(point)`: the y coordinate of an uncompressed point.";
    "point_compressed" PointCompressed (Template) "`point_compressed(point)`: 02 or 03 and the x coordinate.";
}

impl Function {
    /// Returns the function of that name and its arguments.
    pub(crate) fn named(name: &str) -> Option<(Self, &'static [Kind])> {
        Self::ALL
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|(_, function, kinds, _)| (*function, *kinds))
    }

    /// Returns whether nobody can tell the argument with this index from what comes out: the key
    /// of a cipher or a MAC, and what is hashed.
    pub(crate) fn hides(self, index: usize) -> bool {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 | Self::Sha384 | Self::Sha512 => true,
            _ if self.has_key() => index == 0,
            _ => false,
        }
    }

    /// Returns whether its first argument is a key.
    fn has_key(self) -> bool {
        matches!(
            self,
            Self::AesEcb
                | Self::AesEcbDecrypt
                | Self::AesCbc
                | Self::AesCbcDecrypt
                | Self::AesCmac
                | Self::Des3Ecb
                | Self::Des3EcbDecrypt
                | Self::Des3Cbc
                | Self::Des3CbcDecrypt
                | Self::RetailMac
                | Self::KcvAes
                | Self::KcvDes3
        )
    }

    /// Returns bytes that the function takes as the argument with this index, whatever the
    /// others are; nothing where that depends on them.
    fn stand_in(self, index: usize) -> Option<Vec<u8>> {
        match self {
            Self::Tlv if index == 0 => Some(vec![0x80]),
            // A key of sixteen bytes, or whole blocks of any cipher.
            _ if self.has_key() => Some((0..16).collect()),
            Self::Tlv | Self::IsoPad | Self::Part => Some(Vec::new()),
            _ => None,
        }
    }

    /// Returns how many bytes the function gives, where that is always as many.
    pub(crate) fn width(self) -> Option<usize> {
        match self {
            Self::U8 | Self::Size8 => Some(1),
            Self::U16 | Self::U16Le | Self::Size16 | Self::Size16Le => Some(2),
            Self::U24 => Some(3),
            Self::U32 | Self::U32Le | Self::Size32Le => Some(4),
            Self::Sha1 => Some(20),
            Self::Sha224 => Some(28),
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
            _ => None,
        }
    }

    /// Returns the fewest bytes that the function gives with these arguments.
    pub(crate) fn least_length(self, arguments: &[Argument]) -> usize {
        let number = |index: usize| match arguments.get(index) {
            Some(Argument::Number(number)) => *number,
            _ => 0,
        };
        let of = |index: usize| match arguments.get(index) {
            Some(Argument::Template(template)) => template.least_length(),
            _ => 0,
        };
        match self {
            Self::Pad | Self::LeftPad => number(1),
            Self::IsoPad => (of(0) + 1).next_multiple_of(number(1).max(1)),
            Self::Slice => number(2),
            Self::From | Self::Rest => of(0).saturating_sub(number(1)),
            Self::HexText => 2 * of(0),
            Self::Bcd => of(0).div_ceil(2),
            Self::Reverse => of(0),
            Self::AesEcb
            | Self::AesEcbDecrypt
            | Self::AesCbc
            | Self::AesCbcDecrypt
            | Self::Des3Ecb
            | Self::Des3EcbDecrypt
            | Self::Des3Cbc
            | Self::Des3CbcDecrypt => of(1),
            Self::PinBlock | Self::RetailMac => 8,
            Self::AesCmac => 16,
            Self::KcvAes | Self::KcvDes3 => 3,
            // At least a tag and a length.
            Self::Tlv => 2 + of(1),
            _ => self.width().unwrap_or(0),
        }
    }

    /// Returns how the function is called, as in `pad(bytes, length, byte)`.
    pub(crate) fn usage(self) -> &'static str {
        let row = Self::ALL.iter().find(|(_, function, ..)| *function == self);
        row.and_then(|(.., what)| what.split('`').nth(1))
            .unwrap_or_default()
    }

    /// Returns the function's name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, function, ..)| *function == self)
            .map_or("", |(name, ..)| name)
    }
}

/// A cipher over whole blocks under a key.
type BlockCipher = fn(&Key, &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError>;

/// The arguments of one call, and where their variables stand.
struct Call<'a> {
    function: Function,
    arguments: &'a [Argument],
    scope: &'a dyn Scope,
}

impl Call<'_> {
    fn wrong(&self, fault: impl Into<String>) -> RenderError {
        RenderError::Function {
            function: self.function.name(),
            fault: fault.into(),
        }
    }

    fn bytes(&self, index: usize) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        match self.arguments.get(index) {
            Some(Argument::Template(template)) => template.render(self.scope),
            _ => Err(self.wrong("an argument is missing")),
        }
    }

    fn number(&self, index: usize) -> usize {
        match self.arguments.get(index) {
            Some(Argument::Number(number)) => *number,
            _ => 0,
        }
    }

    fn byte(&self, index: usize) -> u8 {
        match self.arguments.get(index) {
            Some(Argument::Byte(byte)) => *byte,
            _ => 0,
        }
    }

    fn variable(&self) -> Result<(&str, Value), RenderError> {
        let name = match self.arguments.first() {
            Some(Argument::Template(template)) => template.single_variable(),
            _ => None,
        };
        let name = name.ok_or_else(|| self.wrong("takes one variable"))?;
        Ok((name, lookup(self.scope, name)?))
    }

    /// Returns a number as its last `width` bytes, if no more are needed.
    fn counted(&self, number: u64, width: usize) -> Result<Vec<u8>, RenderError> {
        let bytes = number.to_be_bytes();
        let (above, kept) = bytes.split_at(bytes.len() - width);
        if above.iter().any(|byte| *byte != 0) {
            return Err(self.wrong(format!("{number} does not fit into {width} bytes")));
        }
        Ok(kept.to_vec())
    }

    fn number_of(&self, width: usize) -> Result<Vec<u8>, RenderError> {
        match self.variable()? {
            (_, Value::Number(number)) => self.counted(number, width),
            (name, _) => Err(kind(name, "not a number", "a number")),
        }
    }

    fn text(&self) -> Result<Zeroizing<String>, RenderError> {
        match self.variable()? {
            (_, Value::Text(text)) => Ok(text),
            (name, Value::Bytes(bytes)) => String::from_utf8(bytes.to_vec())
                .map(Zeroizing::new)
                .map_err(|_| kind(name, "not text", "text")),
            (name, Value::Number(_)) => Err(kind(name, "a number", "text")),
        }
    }

    /// Returns the year, month and day of a date that is written `YYYYMMDD`.
    fn date(&self) -> Result<(Zeroizing<String>, [std::ops::Range<usize>; 3]), RenderError> {
        let text = self.text()?;
        if text.len() != 8 || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(self.wrong("takes a date, as document.expires is one"));
        }
        Ok((text, [0..4, 4..6, 6..8]))
    }

    fn filled(&self, to_the_right: bool) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        let value = self.bytes(0)?;
        let length = self.number(1);
        let Some(missing) = length.checked_sub(value.len()) else {
            return Err(self.wrong(format!("{} bytes do not fit into {length}", value.len())));
        };
        let filling = vec![self.byte(2); missing];
        Ok(Zeroizing::new(if to_the_right {
            [&value[..], &filling[..]].concat()
        } else {
            [&filling[..], &value[..]].concat()
        }))
    }

    fn digits(&self) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        let digits = self.bytes(0)?;
        match digits.iter().all(u8::is_ascii_digit) {
            true => Ok(digits),
            false => Err(self.wrong("takes digits of text")),
        }
    }

    fn key(&self) -> Result<Key, RenderError> {
        Key::new(&self.bytes(0)?).map_err(|error| self.wrong(error.to_string()))
    }

    /// Runs a cipher over the second argument under the key that is the first.
    fn cipher(&self, run: BlockCipher) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        run(&self.key()?, &self.bytes(1)?).map_err(|error| self.wrong(error.to_string()))
    }

    fn kcv(&self, algorithm: KeyAlgorithm) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        cipher::kcv(&self.key()?, algorithm)
            .map(|kcv| Zeroizing::new(kcv.to_vec()))
            .map_err(|error| self.wrong(error.to_string()))
    }

    /// Returns the coordinates of an uncompressed point.
    fn point(&self) -> Result<(Zeroizing<Vec<u8>>, usize), RenderError> {
        let point = self.bytes(0)?;
        match point.split_first() {
            Some((0x04, rest)) if !rest.is_empty() && rest.len() % 2 == 0 => {
                let field = rest.len() / 2;
                Ok((point, field))
            }
            _ => Err(self.wrong("takes an uncompressed point, 04 ‖ x ‖ y")),
        }
    }
}

fn digits_to_bcd(digits: &[u8]) -> Zeroizing<Vec<u8>> {
    let nibble = |digit: Option<&u8>| digit.map_or(0x0F, |digit| digit & 0x0F);
    Zeroizing::new(
        digits
            .chunks(2)
            .map(|pair| nibble(pair.first()) << 4 | nibble(pair.get(1)))
            .collect(),
    )
}

/// Calls a function.
pub(crate) fn call(
    function: Function,
    arguments: &[Argument],
    scope: &dyn Scope,
) -> Result<Zeroizing<Vec<u8>>, RenderError> {
    let call = Call {
        function,
        arguments,
        scope,
    };
    let plain = |bytes: Vec<u8>| Ok(Zeroizing::new(bytes));
    let reversed = |mut bytes: Vec<u8>| {
        bytes.reverse();
        Ok(Zeroizing::new(bytes))
    };
    match function {
        Function::U8 => plain(call.number_of(1)?),
        Function::U16 => plain(call.number_of(2)?),
        Function::U24 => plain(call.number_of(3)?),
        Function::U32 => plain(call.number_of(4)?),
        Function::U16Le => reversed(call.number_of(2)?),
        Function::U32Le => reversed(call.number_of(4)?),
        Function::Size8 => plain(call.counted(call.bytes(0)?.len() as u64, 1)?),
        Function::Size16 => plain(call.counted(call.bytes(0)?.len() as u64, 2)?),
        Function::Size16Le => reversed(call.counted(call.bytes(0)?.len() as u64, 2)?),
        Function::Size32Le => reversed(call.counted(call.bytes(0)?.len() as u64, 4)?),
        Function::Ascii => {
            let text = call.text()?;
            match text.is_ascii() {
                true => plain(text.as_bytes().to_vec()),
                false => Err(call.wrong("the text has letters outside ASCII")),
            }
        }
        Function::Utf8 => plain(call.text()?.as_bytes().to_vec()),
        Function::Utf16 => plain(
            call.text()?
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect(),
        ),
        Function::Transliterate => match document::transliterate(&call.text()?) {
            Some(plain_text) => plain(plain_text.into_bytes()),
            None => Err(call.wrong("the text has letters of another script")),
        },
        Function::Utf16Le => plain(
            call.text()?
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
        ),
        Function::UnixTime => {
            let (text, _) = call.date()?;
            let day =
                Date::strptime("%Y%m%d", text.as_str()).and_then(|day| day.to_zoned(TimeZone::UTC));
            let seconds = day.ok().map(|day| day.timestamp().as_second());
            let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let seconds = seconds.ok_or_else(|| call.wrong("takes a date since 1970"))?;
            plain(call.counted(seconds, 4)?)
        }
        Function::Yymmdd => {
            let (text, _) = call.date()?;
            plain(text.as_bytes()[2..].to_vec())
        }
        Function::Ddmmyyyy => {
            let (text, [year, month, day]) = call.date()?;
            let text = text.as_bytes();
            plain([&text[day], &text[month], &text[year]].concat())
        }
        Function::Bcd => Ok(digits_to_bcd(&call.digits()?)),
        Function::HexText => plain(hex::encode_upper(&call.bytes(0)?[..]).into_bytes()),
        Function::HexBytes => match hex::decode(call.text()?.as_bytes()) {
            Ok(bytes) => plain(bytes),
            Err(_) => Err(call.wrong("the text is not hexadecimal")),
        },
        Function::Pad => call.filled(true),
        Function::LeftPad => call.filled(false),
        Function::IsoPad => {
            let mut value = call.bytes(0)?;
            let block = call.number(1);
            if !(1..=256).contains(&block) {
                return Err(call.wrong("a block has 1 to 256 bytes"));
            }
            let length = (value.len() + 1).next_multiple_of(block);
            value.push(0x80);
            value.resize(length, 0);
            Ok(value)
        }
        Function::PinBlock => {
            let digits = call.digits()?;
            if !(4..=12).contains(&digits.len()) {
                return Err(call.wrong("takes 4 to 12 digits (ISO 9564-1)"));
            }
            let mut block = Zeroizing::new(vec![0x20 | digits.len() as u8]);
            block.extend_from_slice(&digits_to_bcd(&digits));
            block.resize(8, 0xFF);
            Ok(block)
        }
        Function::Slice => {
            let value = call.bytes(0)?;
            let from = call.number(1);
            let slice = from
                .checked_add(call.number(2))
                .and_then(|end| value.get(from..end));
            match slice {
                Some(slice) => plain(slice.to_vec()),
                None => Err(call.wrong(format!("the value has only {} bytes", value.len()))),
            }
        }
        Function::From => {
            let value = call.bytes(0)?;
            match value.get(call.number(1)..) {
                Some(rest) => plain(rest.to_vec()),
                None => Err(call.wrong(format!("the value has only {} bytes", value.len()))),
            }
        }
        Function::Rest => {
            let value = call.bytes(0)?;
            plain(value.get(call.number(1)..).unwrap_or_default().to_vec())
        }
        Function::Part => {
            let value = call.bytes(0)?;
            let size = call.number(2);
            if size == 0 {
                return Err(call.wrong("a part has at least one byte"));
            }
            plain(
                value
                    .chunks(size)
                    .nth(call.number(1))
                    .unwrap_or_default()
                    .to_vec(),
            )
        }
        Function::Reverse => reversed(call.bytes(0)?.to_vec()),
        Function::Tlv => {
            let tag = call.bytes(0)?;
            let value = call.bytes(1)?;
            match Tag::parse(&tag) {
                Ok((tag, [])) => plain(tlv::encode(tag, &value)),
                _ => Err(call.wrong("the first argument is not one BER-TLV tag")),
            }
        }
        Function::Sha1 => plain(Sha1::digest(&call.bytes(0)?[..]).to_vec()),
        Function::Sha224 => plain(Sha224::digest(&call.bytes(0)?[..]).to_vec()),
        Function::Sha256 => plain(Sha256::digest(&call.bytes(0)?[..]).to_vec()),
        Function::Sha384 => plain(Sha384::digest(&call.bytes(0)?[..]).to_vec()),
        Function::Sha512 => plain(Sha512::digest(&call.bytes(0)?[..]).to_vec()),
        Function::Gzip => {
            let mut out = GzEncoder::new(Vec::new(), Compression::best());
            packed(&call, out.write_all(&call.bytes(0)?))?;
            packed(&call, out.finish()).map(Zeroizing::new)
        }
        Function::Zlib => {
            let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
            packed(&call, out.write_all(&call.bytes(0)?))?;
            packed(&call, out.finish()).map(Zeroizing::new)
        }
        Function::Deflate => {
            let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
            packed(&call, out.write_all(&call.bytes(0)?))?;
            packed(&call, out.finish()).map(Zeroizing::new)
        }
        Function::AesEcb => call.cipher(cipher::aes_ecb_encrypt),
        Function::AesEcbDecrypt => call.cipher(cipher::aes_ecb_decrypt),
        Function::AesCbc => call.cipher(cipher::aes_cbc_encrypt),
        Function::AesCbcDecrypt => call.cipher(cipher::aes_cbc_decrypt),
        Function::AesCmac => plain(cipher::aes_cmac(&call.key()?, &call.bytes(1)?).to_vec()),
        Function::Des3Ecb => call.cipher(cipher::des3_ecb_encrypt),
        Function::Des3EcbDecrypt => call.cipher(cipher::des3_ecb_decrypt),
        Function::Des3Cbc => call.cipher(cipher::des3_cbc_encrypt),
        Function::Des3CbcDecrypt => call.cipher(cipher::des3_cbc_decrypt),
        Function::RetailMac => cipher::retail_mac(&call.key()?, &call.bytes(1)?)
            .map(|mac| Zeroizing::new(mac.to_vec()))
            .map_err(|error| call.wrong(error.to_string())),
        Function::KcvAes => call.kcv(KeyAlgorithm::Aes),
        Function::KcvDes3 => call.kcv(KeyAlgorithm::TripleDes),
        Function::PointX => {
            let (point, field) = call.point()?;
            plain(point[1..=field].to_vec())
        }
        Function::PointY => {
            let (point, field) = call.point()?;
            plain(point[1 + field..].to_vec())
        }
        Function::PointCompressed => {
            let (point, field) = call.point()?;
            // SEC 1 §2.3.3: 02 for an even y, 03 for an odd one.
            let parity = 0x02 | (point[2 * field] & 1);
            plain([&[parity], &point[1..=field]].concat())
        }
    }
}

/// Returns why a call fails by those of its arguments that are known, whatever the others are.
pub(crate) fn failing(
    function: Function,
    arguments: &[Argument],
    scope: &dyn Scope,
) -> Option<RenderError> {
    let known = |template: &Template| {
        let mut names = template.variables().into_iter();
        names.all(|(name, _)| scope.value(name).is_some())
    };
    let tried = arguments.iter().enumerate();
    let tried: Option<Vec<_>> = tried
        .map(|(index, argument)| match argument {
            Argument::Template(template) if !known(template) => {
                let bytes = function.stand_in(index)?;
                Some(Argument::Template(Template::literal(&bytes)))
            }
            argument => Some(argument.clone()),
        })
        .collect();
    call(function, &tried?, scope).err()
}

/// A compressor writes into memory, which does not fail; the type says that it could.
fn packed<T>(call: &Call<'_>, result: std::io::Result<T>) -> Result<T, RenderError> {
    result.map_err(|error| call.wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::template::Template;
    use crate::value::Variables;

    fn scope() -> Variables {
        let mut scope = Variables::default();
        scope.set("file.size", Value::Number(0x0102));
        scope.set("holder.birth_date", Value::text("19821231"));
        scope.set("holder.surname", Value::text("BĒRZIŅŠ"));
        scope.set("chip.serial", Value::text("0A0B"));
        scope.set("pin.digits", Value::bytes(*b"12345"));
        scope.set("long", Value::bytes(vec![7; 5000]));
        scope
    }

    fn render(text: &str) -> Result<Vec<u8>, String> {
        let template = Template::parse(text).map_err(|fault| fault.fault)?;
        let rendered = template.render(&scope());
        rendered
            .map(|bytes| bytes.to_vec())
            .map_err(|error| error.to_string())
    }

    fn hex_of(text: &str) -> String {
        hex::encode_upper(render(text).unwrap())
    }

    #[test]
    fn numbers_and_sizes_come_in_every_width() {
        for (text, bytes) in [
            ("u16(file.size)", "0102"),
            ("u24(file.size)", "000102"),
            ("u32(file.size)", "00000102"),
            ("u16le(file.size)", "0201"),
            ("u32le(file.size)", "02010000"),
            ("size8('abc')", "03"),
            ("size16(long)", "1388"),
            ("size16le(long)", "8813"),
            ("size32le('a')", "01000000"),
        ] {
            assert_eq!(hex_of(text), bytes, "{text}");
        }
        assert!(
            render("u8(file.size)")
                .unwrap_err()
                .contains("258 does not fit")
        );
        assert!(render("size8(long)").is_err());
    }

    #[test]
    fn text_and_dates_become_bytes() {
        for (text, bytes) in [
            ("yymmdd(holder.birth_date)", &b"821231"[..]),
            ("ddmmyyyy(holder.birth_date)", b"31121982"),
            ("utf8(holder.surname)", "BĒRZIŅŠ".as_bytes()),
            ("transliterate(holder.surname)", b"BERZINS"),
            // 31 December 1982: date -u -d 1982-12-31 +%s is 410140800.
            (
                "unix_time(holder.birth_date)",
                &410_140_800u32.to_be_bytes(),
            ),
            ("hex_text(0A FF)", b"0AFF"),
            ("hex_bytes(chip.serial)", &[0x0A, 0x0B]),
            ("bcd(yymmdd(holder.birth_date))", &[0x82, 0x12, 0x31]),
            ("bcd(pin.digits)", &[0x12, 0x34, 0x5F]),
            // ISO 9564-1 §9.3.3: control 2, length 5.
            (
                "pin_block(pin.digits)",
                &[0x25, 0x12, 0x34, 0x5F, 0xFF, 0xFF, 0xFF, 0xFF],
            ),
            ("iso_pad('ab', 4)", &[0x61, 0x62, 0x80, 0x00]),
            ("iso_pad('abcd', 4)", b"abcd\x80\0\0\0"),
            ("part('abcde', 1, 2)", b"cd"),
            ("part('abcde', 2, 2)", b"e"),
            ("part('abcde', 3, 2)", b""),
            ("from('abcde', 3)", b"de"),
            ("reverse('abc')", b"cba"),
        ] {
            assert_eq!(render(text).unwrap(), bytes, "{text}");
        }
        assert_eq!(
            &render("utf16(holder.surname)").unwrap()[..4],
            [0, b'B', 0x01, 0x12]
        );
        assert_eq!(
            &render("utf16le(holder.surname)").unwrap()[..4],
            [b'B', 0, 0x12, 0x01]
        );
        for (date, seconds) in [
            ("19700101", 0),
            ("20000301", 951_868_800),
            ("20261122", 1_795_305_600_u32),
        ] {
            let mut scope = Variables::default();
            scope.set("document.issued", Value::text(date));
            let template = Template::parse("unix_time(document.issued)").unwrap();
            assert_eq!(
                template.render(&scope).unwrap()[..],
                seconds.to_be_bytes(),
                "{date}"
            );
        }
        assert!(
            render("ascii(holder.surname)")
                .unwrap_err()
                .contains("outside ASCII")
        );
        assert!(
            render("yymmdd(holder.surname)")
                .unwrap_err()
                .contains("date")
        );
        assert!(render("bcd('12a')").unwrap_err().contains("digits"));
        assert!(render("part('ab', 0, 0)").is_err());
    }

    #[test]
    fn a_point_gives_its_coordinates() {
        // SEC 2 §2.4.2: the base point of P-256; its y is odd.
        let g = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
        assert_eq!(
            hex_of(&format!("point_compressed({g})")),
            "036B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296"
        );
        assert_eq!(hex_of(&format!("04 point_x({g}) point_y({g})")), g);
        assert!(
            render("point_x(02 00)")
                .unwrap_err()
                .contains("uncompressed")
        );
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let content = vec![7; 5000];
        let read = |mut reader: Box<dyn Read>| {
            let mut out = Vec::new();
            reader.read_to_end(&mut out).unwrap();
            out
        };
        let gzip = render("gzip(long)").unwrap();
        assert!(gzip.len() < 100 && gzip.starts_with(&[0x1F, 0x8B]));
        // RFC 1952 §2.3.1: no time, so that the same content gives the same bytes.
        assert_eq!(gzip[4..8], [0; 4]);
        assert_eq!(
            read(Box::new(flate2::read::GzDecoder::new(&gzip[..]))),
            content
        );
        let zlib = render("zlib(long)").unwrap();
        assert_eq!(
            read(Box::new(flate2::read::ZlibDecoder::new(&zlib[..]))),
            content
        );
        let deflate = render("deflate(long)").unwrap();
        assert_eq!(zlib[2..zlib.len() - 4], deflate[..]);
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-4 examples: the hashes of "abc" begin so.
        for (name, start) in [
            ("sha1", "A9993E36"),
            ("sha224", "23097D22"),
            ("sha256", "BA7816BF"),
            ("sha384", "CB00753F"),
            ("sha512", "DDAF35A1"),
        ] {
            assert!(
                hex_of(&format!("{name}('abc')")).starts_with(start),
                "{name}"
            );
        }
    }
}
