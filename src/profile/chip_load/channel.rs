//! The issuer's channel and its key sets.

use std::collections::{BTreeMap, BTreeSet};

use card::gp::{ChannelOptions, Diversification, SecurityLevel};

use super::{Checked, Loader};
use crate::chip_file::{ChannelFile, ChipFile, CommandFile, KeySetFile, Text};
use crate::issuer_channel::{Challenge, ChannelProfile, Cipher, KeySet, KeySource, Protocol};
use crate::placed::Placed;
use crate::sort::Sort;
use crate::value::{Value, Variables};
use crate::vocabulary::Dialect;

/// The key that a proof shows without giving it away.
const KEY: &str = "channel.key";

/// The most random bytes that a host gives.
const MAX_HOST: usize = 64;

/// How a key set opens its channel, as the file says it.
struct Asked<'f> {
    protocol: &'f Text,
    level: Option<&'f Text>,
    host: Option<&'f Placed<usize>>,
    i: Option<&'f Placed<u8>>,
    proof: Option<&'f Text>,
    answer: Option<&'f Text>,
    /// Whether the key set says all of it.
    by_itself: bool,
}

impl<'f> Asked<'f> {
    /// A set that names its protocol says all by itself; another differs in what it says.
    fn of(channel: &'f ChannelFile, set: &'f KeySetFile) -> Self {
        let own = Self {
            protocol: set.protocol.as_ref().unwrap_or(&channel.protocol),
            level: set.level.as_ref(),
            host: set.host.as_ref(),
            i: set.i.as_ref(),
            proof: set.proof.as_ref(),
            answer: set.answer.as_ref(),
            by_itself: set.protocol.is_some(),
        };
        if own.by_itself {
            return own;
        }
        Self {
            level: own.level.or(channel.level.as_ref()),
            host: own.host.or(channel.host.as_ref()),
            i: own.i.or(channel.i.as_ref()),
            proof: own.proof.or(channel.proof.as_ref()),
            answer: own.answer.or(channel.answer.as_ref()),
            ..own
        }
    }
}

impl Loader<'_> {
    pub(super) fn channel(&self, file: &ChipFile) -> Checked<ChannelProfile> {
        let mut keys = BTreeMap::new();
        let Some(channel) = &file.channel else {
            return Ok(ChannelProfile { keys });
        };
        for (name, set) in &channel.keys {
            keys.insert(name.clone(), self.key_set(file, channel, set)?);
        }
        if keys.is_empty() {
            return self.fault(
                channel.protocol.span(),
                "the channel has no key set",
                "write [channel.keys.issuer]",
            );
        }
        Ok(ChannelProfile { keys })
    }

    fn protocol(&self, file: &ChipFile, asked: &Asked<'_>, cipher: Cipher) -> Checked<Protocol> {
        let protocol = match asked.protocol.get_ref().as_str() {
            "scp02" => Protocol::Scp02 {
                level: self.level(asked, false)?,
                i: self.parameter(asked)?,
            },
            "scp03" => Protocol::Scp03 {
                level: self.level(asked, true)?,
                host: self.scp03_challenge(asked)?,
            },
            "challenge" => Protocol::Challenge(self.challenge(file, asked, cipher)?),
            other => {
                let known = ["scp02", "scp03", "challenge"];
                return self.unknown(
                    asked.protocol.span(),
                    "no channel protocol is named",
                    other,
                    known.into_iter(),
                );
            }
        };
        for (name, text) in [("proof", asked.proof), ("answer", asked.answer)] {
            if let Some(text) = text.filter(|_| protocol.is_global_platform()) {
                return self.fault(
                    text.span(),
                    format!("\"{name}\" is for protocol \"challenge\""),
                    "GlobalPlatform's channels prove their keys by themselves",
                );
            }
        }
        Ok(protocol)
    }

    fn level(&self, asked: &Asked<'_>, has_response_encryption: bool) -> Checked<SecurityLevel> {
        const HINT: &str = "write level = \"c-mac c-enc r-mac\"";
        let Some(text) = asked.level else {
            let what = match asked.by_itself {
                true => "a key set that says its protocol says its level too",
                false => "the channel has no level",
            };
            return self.fault(asked.protocol.span(), what, HINT);
        };
        let mut words: Vec<_> = text.get_ref().split_whitespace().collect();
        words.sort_unstable();
        // GP Amendment D §7.1.2, table 7-3: what EXTERNAL AUTHENTICATE can ask for. Responses
        // are encrypted by SCP03 alone.
        match words.as_slice() {
            ["c-mac"] => Ok(SecurityLevel::MAC),
            ["c-enc", "c-mac"] => Ok(SecurityLevel::ENC_MAC),
            ["c-mac", "r-mac"] => Ok(SecurityLevel::MAC_RMAC),
            ["c-enc", "c-mac", "r-mac"] => Ok(SecurityLevel::ENC_MAC_RMAC),
            ["c-enc", "c-mac", "r-enc", "r-mac"] if has_response_encryption => {
                Ok(SecurityLevel::FULL)
            }
            _ => self.fault(
                text.span(),
                format!(
                    "\"{}\" is no security level of {}",
                    text.get_ref(),
                    asked.protocol.get_ref()
                ),
                HINT,
            ),
        }
    }

    /// The parameter "i" of SCP02, which no chip says in its answer.
    fn parameter(&self, asked: &Asked<'_>) -> Checked<u8> {
        let protocol = ChannelOptions::SCP02_DEFAULT.protocol();
        let Some(i) = asked.i else {
            return Ok(ChannelOptions::SCP02_DEFAULT.i());
        };
        match ChannelOptions::new(protocol, *i.get_ref()) {
            Ok(options) => Ok(options.i()),
            Err(_) => self.fault(
                i.span(),
                format!("SCP02 with i = {:#04X} is not spoken", i.get_ref()),
                "only explicit initiation is: 0x15 and 0x55 are common",
            ),
        }
    }

    fn scp03_challenge(&self, asked: &Asked<'_>) -> Checked<usize> {
        match asked.host.map(|host| (host, *host.get_ref())) {
            None => Ok(8),
            Some((_, length @ (8 | 16))) => Ok(length),
            Some((placed, length)) => self.fault(
                placed.span(),
                format!("SCP03 has no challenge of {length} bytes"),
                "8, or 16 for a chip in S16 mode",
            ),
        }
    }

    fn challenge(&self, file: &ChipFile, asked: &Asked<'_>, cipher: Cipher) -> Checked<Challenge> {
        if let Some(level) = asked.level {
            return self.fault(
                level.span(),
                "a channel by challenge has no level: its commands stay in the clear",
                "leave \"level\" out",
            );
        }
        let host = asked.host.map_or(0, |host| *host.get_ref());
        if let Some(placed) = asked.host.filter(|_| host > MAX_HOST) {
            return self.fault(
                placed.span(),
                format!("the host gives {host} random bytes"),
                format!("at most {MAX_HOST}"),
            );
        }
        let commands = file
            .operations
            .iter()
            .find(|(name, _)| name.get_ref() == Dialect::OpenChannel.name())
            .map_or(&[][..], |(_, commands)| commands);
        let taken: BTreeSet<&str> = commands
            .iter()
            .flat_map(|command: &CommandFile| command.take.keys())
            .map(|name| name.get_ref().as_str())
            .collect();
        // How long these are is known already; what the chip says is not.
        let mut known = Variables::default();
        known.set("channel.host", Value::bytes(vec![0; host]));
        known.set(KEY, Value::bytes(vec![0; cipher.length()]));
        let hint = "known are channel.host, channel.key, and what open_channel's commands take";
        let template = |text: &Text| {
            let template = self.template_of(
                text,
                &|name| {
                    let own = ["channel.host", KEY].contains(&name);
                    (own || taken.contains(name)).then_some(Sort::Bytes)
                },
                hint,
            )?;
            if let Some((span, error)) = template.failing(&known) {
                let start = self.sources.inside(text.span()) + span.start;
                return self.fault(
                    start..start,
                    format!("with a \"host\" of {host} bytes this never succeeds: {error}"),
                    "correct it; a key set that writes its own \"protocol\" takes nothing over from [channel]",
                );
            }
            match template.bare(KEY) {
                None => Ok(template),
                Some(span) => {
                    let start = self.sources.inside(text.span()) + span.start;
                    self.fault(
                        start..start,
                        format!("\"{KEY}\" itself would pass in the clear"),
                        "let it be the key of a cipher or a MAC, or hash it: aes_ecb(channel.key, …)",
                    )
                }
            }
        };
        let Some(proof) = asked.proof else {
            return self.fault(
                asked.protocol.span(),
                "the channel has no proof",
                "for example proof = \"des3_ecb(channel.key, channel.challenge)\"",
            );
        };
        let answer = asked.answer.map(template).transpose()?;
        if let Some(text) = asked.answer.filter(|_| !taken.contains("channel.answer")) {
            return self.fault(
                text.span(),
                "no command of open_channel takes \"channel.answer\"",
                "take it where the chip's proof stands",
            );
        }
        Ok(Challenge {
            host,
            proof: template(proof)?,
            answer,
        })
    }

    fn key_set(
        &self,
        file: &ChipFile,
        channel: &ChannelFile,
        set: &Placed<KeySetFile>,
    ) -> Checked<KeySet> {
        let span = set.span();
        let set = set.get_ref();
        let asked = Asked::of(channel, set);
        let cipher = self.cipher(asked.protocol.get_ref(), set)?;
        let protocol = self.protocol(file, &asked, cipher)?;
        let version = match (&set.version, protocol.is_global_platform()) {
            (Some(version), true) if matches!(*version.get_ref(), 0x01..=0x7F | 0xFF) => {
                *version.get_ref()
            }
            (Some(version), true) => {
                return self.fault(
                    version.span(),
                    "no key version of GlobalPlatform is this number",
                    "0x01 to 0x7F, or 0xFF for the maker's first keys",
                );
            }
            (None, true) => {
                return self.fault(
                    span,
                    "a key set of GlobalPlatform has a version",
                    "write version = 0x01, or 0xFF for the maker's first keys",
                );
            }
            (version, false) => version.as_ref().map_or(0, |version| *version.get_ref()),
        };
        let source = match (&set.diversification, &set.known) {
            (Some(how), None) => KeySource::Diversified(self.diversification(how)?),
            (None, Some(known)) => KeySource::Known(self.known_key(known, cipher)?),
            (Some(_), Some(known)) => {
                return self.fault(
                    known.span(),
                    "a key that all the world knows is not diversified",
                    "leave \"known\" or \"diversification\" out",
                );
            }
            (None, None) => {
                return self.fault(
                    span,
                    "where the keys of this set come from is not said",
                    "write diversification = \"kdf3\", or known = \"…\" for a maker's public key",
                );
            }
        };
        let context = match &set.context {
            // The centre computes it from the serial number in its books: no station gets a key
            // for another chip by claiming to hold it.
            Some(text) => {
                let context = self.template_of(
                    text,
                    &|name| (name == "chip.serial").then_some(Sort::Text),
                    "it follows from chip.serial alone, for example \"hex_bytes(chip.serial)\"",
                )?;
                if !context.mentions("chip.serial") {
                    return self.fault(
                        text.span(),
                        "diversified so, all chips would have the same keys",
                        "name the serial number: hex_bytes(chip.serial)",
                    );
                }
                Some(context)
            }
            None => None,
        };
        let single = matches!(
            &source,
            KeySource::Diversified(Diversification::EmvCps11 | Diversification::Visa2)
        );
        if let Some(how) = set
            .diversification
            .as_ref()
            .filter(|_| single && !protocol.is_global_platform())
        {
            return self.fault(
                how.span(),
                format!(
                    "\"{}\" makes the three keys of a security domain, no single key",
                    how.get_ref()
                ),
                "\"kdf3\" and \"none\" do",
            );
        }
        let needs_context =
            matches!(&source, KeySource::Diversified(how) if *how != Diversification::None);
        if needs_context && context.is_none() && !protocol.is_global_platform() {
            return self.fault(
                span,
                "what these keys are diversified with is not said",
                "write context = \"hex_bytes(chip.serial)\"",
            );
        }
        Ok(KeySet {
            protocol,
            version,
            source,
            cipher,
            context,
            tries: set.tries,
        })
    }

    fn cipher(&self, protocol: &str, set: &KeySetFile) -> Checked<Cipher> {
        const KNOWN: [(&str, Cipher); 4] = [
            ("aes-128", Cipher::Aes(128)),
            ("aes-192", Cipher::Aes(192)),
            ("aes-256", Cipher::Aes(256)),
            ("des3", Cipher::Des3),
        ];
        let default = match protocol {
            "scp02" => Cipher::Des3,
            _ => Cipher::Aes(128),
        };
        let Some(text) = &set.cipher else {
            return Ok(default);
        };
        let found = KNOWN
            .iter()
            .find(|(name, _)| *name == text.get_ref())
            .map(|(_, cipher)| *cipher);
        let Some(cipher) = found else {
            return self.unknown(
                text.span(),
                "no cipher is named",
                text.get_ref(),
                KNOWN.iter().map(|(name, _)| *name),
            );
        };
        let fits = match protocol {
            "scp02" => cipher == Cipher::Des3,
            "scp03" => cipher != Cipher::Des3,
            _ => true,
        };
        match fits {
            true => Ok(cipher),
            false => self.fault(
                text.span(),
                format!("{protocol} has no keys of {}", text.get_ref()),
                "scp02 has des3, scp03 has aes",
            ),
        }
    }

    fn diversification(&self, text: &Text) -> Checked<Diversification> {
        match Diversification::named(text.get_ref()) {
            Some(how) => Ok(how),
            None => self.unknown(
                text.span(),
                "no diversification is named",
                text.get_ref(),
                Diversification::ALL.iter().map(|how| how.name()),
            ),
        }
    }

    fn known_key(&self, text: &Text, cipher: Cipher) -> Checked<zeroize::Zeroizing<Vec<u8>>> {
        let key = zeroize::Zeroizing::new(self.hexadecimal(text)?);
        let lengths: &[usize] = match cipher {
            Cipher::Aes(128) => &[16],
            Cipher::Aes(192) => &[24],
            Cipher::Aes(_) => &[32],
            Cipher::Des3 => &[16, 24],
        };
        match lengths.contains(&key.len()) {
            true => Ok(key),
            false => self.fault(
                text.span(),
                format!("a key of {} bytes", key.len()),
                format!("this cipher has {} bytes", lengths[0]),
            ),
        }
    }
}
