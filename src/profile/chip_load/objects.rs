//! The things on a chip: applications, files, data objects, PINs, keys, key sets, states.

use std::collections::{BTreeMap, BTreeSet};

use cert::{Hash, KeyAlgorithm};
use zeroize::Zeroizing;

use super::{Checked, Loader};
use crate::chip::{Detail, KeyRules, Object, PinRules, RsaPadding, SignatureForm};
use crate::chip_file::{AttributeFile, Attributes, ChipFile, KeyFile, PinFile, Text};
use crate::command::MAX_CONTENT;
use crate::issuer_channel::ChannelProfile;
use crate::placed::Placed;
use crate::record::is_record_variable;
use crate::sort::Sort;
use crate::value::Value;
use crate::vocabulary::ObjectKind;

/// What a file's or a data object's content is made of.
const CONTENT_HINT: &str = "content is made of document.…, holder.…, prepared.…, chip.…, key.NAME.reference, key.NAME.bits, key.NAME.spki, key.NAME.id, certificate.NAME, pin.NAME.reference; of a curve key.NAME.public and .oid, of RSA key.NAME.modulus and .exponent";

/// Every thing on a chip, by kind and name.
pub(super) type Objects = BTreeMap<(ObjectKind, String), Object>;

/// Proves the things on a chip, kind after kind.
pub(super) struct ObjectLoader<'a, 's> {
    loader: &'a Loader<'s>,
    file: &'a ChipFile,
    taken: &'a BTreeSet<String>,
    objects: Objects,
}

impl<'a, 's> ObjectLoader<'a, 's> {
    /// Returns the things of a file.
    pub(super) fn load(
        loader: &'a Loader<'s>,
        file: &'a ChipFile,
        channel: &ChannelProfile,
        taken: &'a BTreeSet<String>,
    ) -> Checked<Objects> {
        let mut this = Self {
            loader,
            file,
            taken,
            objects: BTreeMap::new(),
        };
        this.applications()?;
        this.files()?;
        this.data()?;
        this.pins()?;
        this.keys()?;
        this.key_sets(channel)?;
        this.states()?;
        Ok(this.objects)
    }

    fn add(&mut self, kind: ObjectKind, object: Object) {
        self.objects.insert((kind, object.name.clone()), object);
    }

    fn application(&self, name: &Text) -> Checked<String> {
        match self.file.applications.contains_key(name.get_ref()) {
            true => Ok(name.get_ref().clone()),
            false => self.loader.unknown(
                name.span(),
                "no application is named",
                name.get_ref(),
                self.file.applications.keys().map(String::as_str),
            ),
        }
    }

    fn wanted_key(&self, key: &Option<Text>) -> Checked<Option<String>> {
        match key {
            Some(key) if !self.file.keys.contains_key(key.get_ref()) => self.loader.unknown(
                key.span(),
                "no key is named",
                key.get_ref(),
                self.file.keys.keys().map(String::as_str),
            ),
            key => Ok(key.as_ref().map(|key| key.get_ref().clone())),
        }
    }

    fn pin(&self, name: &Text) -> Checked<&PinFile> {
        match self.file.pins.get(name.get_ref()) {
            Some(pin) => Ok(pin.get_ref()),
            None => self.loader.unknown(
                name.span(),
                "no PIN is named",
                name.get_ref(),
                self.file.pins.keys().map(String::as_str),
            ),
        }
    }

    fn content(&self, text: &Text) -> Checked<crate::template::Template> {
        self.loader.template_of(
            text,
            &|variable| {
                let is_known = is_record_variable(variable)
                    || variable == "chip.serial"
                    || self.taken.contains(variable)
                    || object_variable(self.file, variable);
                is_known.then(|| Sort::of(variable))
            },
            CONTENT_HINT,
        )
    }

    fn applications(&mut self) -> Checked<()> {
        for (name, raw) in &self.file.applications {
            let raw = raw.get_ref();
            let mut values = BTreeMap::new();
            match (&raw.aid, &raw.within) {
                (Some(aid), _) if !(5..=16).contains(&self.loader.hexadecimal(aid)?.len()) => {
                    return self.loader.fault(
                        aid.span(),
                        "an application identifier has 5 to 16 bytes",
                        "ISO/IEC 7816-4 §12.2.3",
                    );
                }
                _ => {}
            }
            if let Some(aid) = &raw.aid {
                values.insert(
                    "application.aid".into(),
                    Value::bytes(self.loader.hexadecimal(aid)?),
                );
            }
            self.loader
                .attributes(&raw.attributes, ObjectKind::Application, &mut values)?;
            let within = raw
                .within
                .as_ref()
                .map(|name| self.application(name))
                .transpose()?;
            self.ends(name, raw.within.as_ref())?;
            self.add(
                ObjectKind::Application,
                Object {
                    name: name.clone(),
                    title: name.clone(),
                    application: name.clone(),
                    variant: raw.variant.clone(),
                    key: self.wanted_key(&raw.key)?,
                    without_key: self.wanted_key(&raw.without_key)?,
                    optional: false,
                    detail: Detail::Application { within },
                    values,
                },
            );
        }
        Ok(())
    }

    /// An application inside another, inside another, ends at one that is selected.
    fn ends(&self, name: &str, within: Option<&Text>) -> Checked<()> {
        let mut outer = within;
        for _ in 0..=self.file.applications.len() {
            let Some(text) = outer else {
                return Ok(());
            };
            outer = self
                .file
                .applications
                .get(text.get_ref())
                .and_then(|application| application.get_ref().within.as_ref());
        }
        self.loader.fault(
            within.map_or(0..0, Placed::span),
            format!("application \"{name}\" is inside itself"),
            "one of them is selected by its AID, and is inside none",
        )
    }

    fn files(&mut self) -> Checked<()> {
        let mut places = Places::default();
        for (name, raw) in &self.file.files {
            let raw = raw.get_ref();
            let home = self.application(&raw.application)?;
            let id = self.loader.hexadecimal(&raw.id)?;
            if id.len() != 2 {
                return self.loader.fault(
                    raw.id.span(),
                    "a file identifier has two bytes",
                    "ISO/IEC 7816-4 §7.3.1; a data object has its own table, [data.…]",
                );
            }
            let place = (home.clone(), id.clone(), None);
            if let Some(other) = places.take(place, name, (&raw.key, &raw.without_key)) {
                return self.loader.fault(
                    raw.id.span(),
                    format!(
                        "files \"{other}\" and \"{name}\" have the same identifier in \"{home}\""
                    ),
                    "one would be written over the other",
                );
            }
            let content = self.content(&raw.content)?;
            let size = raw.size.as_ref().map(|size| *size.get_ref());
            if let Some(placed) = raw
                .size
                .as_ref()
                .filter(|size| !(1..=MAX_CONTENT).contains(size.get_ref()))
            {
                return self.loader.fault(
                    placed.span(),
                    format!("a file of {} bytes", placed.get_ref()),
                    format!("from 1 to {MAX_CONTENT}"),
                );
            }
            let least = content.least_length();
            if least > size.unwrap_or(MAX_CONTENT) {
                return self.loader.fault(
                    raw.content.span(),
                    format!(
                        "the content has at least {least} bytes, its file {}",
                        size.unwrap_or(MAX_CONTENT)
                    ),
                    "raise the file's \"size\", or shorten the content",
                );
            }
            let mut values = BTreeMap::from([("file.id".to_owned(), Value::bytes(id))]);
            self.loader
                .attributes(&raw.attributes, ObjectKind::File, &mut values)?;
            self.add(
                ObjectKind::File,
                Object {
                    name: name.clone(),
                    title: name.clone(),
                    application: home,
                    variant: raw.variant.clone(),
                    key: self.wanted_key(&raw.key)?,
                    without_key: self.wanted_key(&raw.without_key)?,
                    optional: raw.optional,
                    detail: Detail::File { content, size },
                    values,
                },
            );
        }
        Ok(())
    }

    fn data(&mut self) -> Checked<()> {
        // Where several stand under one number, their variants tell them apart.
        let mut places = Places::default();
        for (name, raw) in &self.file.data {
            let raw = raw.get_ref();
            let home = self.application(&raw.application)?;
            let id = self.loader.hexadecimal(&raw.id)?;
            if !(1..=8).contains(&id.len()) {
                return self.loader.fault(
                    raw.id.span(),
                    "the number of a data object has 1 to 8 bytes",
                    "for example its tag: \"5FC102\"",
                );
            }
            let place = (home.clone(), id.clone(), raw.variant.clone());
            if let Some(other) = places.take(place, name, (&raw.key, &raw.without_key)) {
                return self.loader.fault(
                    raw.id.span(),
                    format!(
                        "data objects \"{other}\" and \"{name}\" have the same number in \"{home}\""
                    ),
                    "one would be written over the other",
                );
            }
            let content = self.content(&raw.content)?;
            let least = content.least_length();
            if least > MAX_CONTENT {
                return self.loader.fault(
                    raw.content.span(),
                    format!("the content has at least {least} bytes, a data object {MAX_CONTENT}"),
                    "shorten the content, or split it over several data objects",
                );
            }
            let mut values = BTreeMap::from([("data.id".to_owned(), Value::bytes(id))]);
            self.loader
                .attributes(&raw.attributes, ObjectKind::Data, &mut values)?;
            self.add(
                ObjectKind::Data,
                Object {
                    name: name.clone(),
                    title: name.clone(),
                    application: home,
                    variant: raw.variant.clone(),
                    key: self.wanted_key(&raw.key)?,
                    without_key: self.wanted_key(&raw.without_key)?,
                    optional: raw.optional,
                    detail: Detail::Data { content },
                    values,
                },
            );
        }
        Ok(())
    }

    fn pins(&mut self) -> Checked<()> {
        let mut references = BTreeMap::new();
        for (name, raw) in &self.file.pins {
            let raw_span = raw.span();
            let raw = raw.get_ref();
            let rules = self.pin_rules(raw)?;
            if let Some(puk) = raw.puk.as_ref().filter(|puk| puk.get_ref() == name) {
                return self.loader.fault(
                    puk.span(),
                    format!("PIN \"{name}\" is its own PUK"),
                    "name the PIN that unblocks it, or leave \"puk\" out",
                );
            }
            let home = self.application(&raw.application)?;
            let taken = raw.reference.and_then(|reference| {
                let other = references.insert((home.clone(), reference), name.clone());
                other.map(|other| (other, reference))
            });
            if let Some((other, reference)) = taken {
                return self.loader.fault(
                    raw_span,
                    format!(
                        "PINs \"{other}\" and \"{name}\" have the same reference {reference:02X}"
                    ),
                    "a wrong try at one would count at the other",
                );
            }
            let mut values = BTreeMap::new();
            let fields = [
                ("tries", rules.tries),
                ("minimum", rules.minimum),
                ("stored", rules.stored),
            ];
            let reference = raw.reference.map(|reference| ("reference", reference));
            for (field, number) in fields.into_iter().chain(reference) {
                values.insert(format!("pin.{field}"), Value::Number(u64::from(number)));
            }
            self.loader
                .attributes(&raw.attributes, ObjectKind::Pin, &mut values)?;
            self.add(
                ObjectKind::Pin,
                Object {
                    name: name.clone(),
                    title: raw.title.clone(),
                    application: home,
                    variant: raw.variant.clone(),
                    key: self.wanted_key(&raw.key)?,
                    without_key: self.wanted_key(&raw.without_key)?,
                    optional: false,
                    detail: Detail::Pin(rules),
                    values,
                },
            );
        }
        Ok(())
    }

    fn pin_rules(&self, raw: &PinFile) -> Checked<PinRules> {
        let (tries, minimum, stored) = (
            *raw.tries.get_ref(),
            *raw.minimum.get_ref(),
            *raw.stored.get_ref(),
        );
        if !(1..=15).contains(&tries) {
            return self.loader.fault(
                raw.tries.span(),
                "a try counter is from 1 to 15",
                "ISO/IEC 7816-4 status 63CX",
            );
        }
        if minimum < 4 || minimum > stored {
            return self.loader.fault(
                raw.minimum.span(),
                format!("the shortest value is {minimum} of at most {stored} digits"),
                "at least 4, and not more than \"stored\"",
            );
        }
        let default = match &raw.default {
            None => None,
            Some(text) => {
                let digits = text.get_ref().as_bytes();
                let fits = digits.len() <= usize::from(stored)
                    && !digits.is_empty()
                    && digits.iter().all(u8::is_ascii_graphic);
                if !fits {
                    return self.loader.fault(
                        text.span(),
                        "this is no value that the PIN can have",
                        format!("1 to {stored} characters, as a person would type them"),
                    );
                }
                Some(Zeroizing::new(digits.to_vec()))
            }
        };
        if let Some(puk) = &raw.puk {
            self.pin(puk)?;
        }
        Ok(PinRules {
            tries,
            minimum,
            stored,
            fill: raw.fill,
            global: raw.global,
            default,
            issuer: raw.issuer.as_ref().map(|master| master.get_ref().clone()),
            puk: raw.puk.as_ref().map(|puk| puk.get_ref().clone()),
            changed_by_holder: raw.changed_by_holder,
        })
    }

    fn keys(&mut self) -> Checked<()> {
        let mut references = BTreeMap::new();
        for (name, raw) in &self.file.keys {
            let raw_span = raw.span();
            let raw = raw.get_ref();
            let rules = self.key_rules(raw)?;
            let home = self.application(&raw.application)?;
            if let Some(other) = references.insert((home.clone(), raw.reference), name.clone()) {
                return self.loader.fault(
                    raw_span,
                    format!(
                        "keys \"{other}\" and \"{name}\" have the same reference {:02X}",
                        raw.reference
                    ),
                    "one would be made over the other",
                );
            }
            let mut values = BTreeMap::from([
                (
                    "key.reference".to_owned(),
                    Value::Number(u64::from(raw.reference)),
                ),
                ("key.bits".to_owned(), Value::Number(rules.bits())),
            ]);
            if let Some(pin) = &raw.pin
                && let Some(reference) = self.pin(pin)?.reference
            {
                values.insert("key.pin".to_owned(), Value::Number(u64::from(reference)));
            }
            if let Some(domain) = rules.algorithm.domain_parameters() {
                for (field, bytes) in [
                    ("p", domain.p),
                    ("a", domain.a),
                    ("b", domain.b),
                    ("g", domain.g),
                    ("n", domain.n),
                    ("h", domain.h),
                ] {
                    values.insert(format!("key.{field}"), Value::bytes(bytes));
                }
            }
            if let Some(oid) = rules.algorithm.curve_oid() {
                values.insert("key.oid".to_owned(), Value::bytes(oid.as_bytes()));
            }
            self.loader
                .attributes(&raw.attributes, ObjectKind::Key, &mut values)?;
            self.add(
                ObjectKind::Key,
                Object {
                    name: name.clone(),
                    title: name.clone(),
                    application: home,
                    variant: raw.variant.clone(),
                    key: Some(name.clone()),
                    without_key: None,
                    optional: false,
                    detail: Detail::Key(rules),
                    values,
                },
            );
        }
        Ok(())
    }

    fn key_rules(&self, raw: &KeyFile) -> Checked<KeyRules> {
        let algorithm = self.loader.algorithm(&raw.algorithm)?;
        if let Some(pin) = &raw.pin {
            self.pin(pin)?;
        }
        let is_rsa = algorithm.curve().is_none();
        let hash = match &raw.hash {
            None => algorithm.hash(),
            Some(text) => {
                let known = [
                    ("sha1", Hash::Sha1),
                    ("sha256", Hash::Sha256),
                    ("sha384", Hash::Sha384),
                    ("sha512", Hash::Sha512),
                ];
                match known.iter().find(|(name, _)| name == text.get_ref()) {
                    Some((_, hash)) => *hash,
                    None => {
                        return self.loader.unknown(
                            text.span(),
                            "no hash is named",
                            text.get_ref(),
                            known.iter().map(|(name, _)| *name),
                        );
                    }
                }
            }
        };
        let form = match raw
            .signature
            .as_ref()
            .map(|text| (text, text.get_ref().as_str()))
        {
            None | Some((_, "raw")) => SignatureForm::Raw,
            Some((text, "der")) if is_rsa => {
                return self.loader.fault(
                    text.span(),
                    "a signature by RSA is one block",
                    "leave \"signature\" out",
                );
            }
            Some((_, "der")) => SignatureForm::Der,
            Some((text, other)) => {
                return self.loader.unknown(
                    text.span(),
                    "no form of a signature is named",
                    other,
                    ["raw", "der"].into_iter(),
                );
            }
        };
        let padding = match raw
            .padding
            .as_ref()
            .map(|text| (text, text.get_ref().as_str()))
        {
            None => RsaPadding::Pkcs1,
            Some((text, _)) if !is_rsa => {
                return self.loader.fault(
                    text.span(),
                    "only RSA pads what it signs",
                    "leave \"padding\" out",
                );
            }
            Some((_, "pkcs1")) => RsaPadding::Pkcs1,
            Some((_, "pss")) => RsaPadding::Pss,
            Some((text, other)) => {
                return self.loader.unknown(
                    text.span(),
                    "no padding is named",
                    other,
                    ["pkcs1", "pss"].into_iter(),
                );
            }
        };
        if raw.consent && raw.pin.is_none() {
            return self.loader.fault(
                raw.algorithm.span(),
                "a key with consent has a PIN",
                "name it: pin = \"…\", or leave \"consent\" out",
            );
        }
        Ok(KeyRules {
            algorithm,
            pin: raw.pin.as_ref().map(|pin| pin.get_ref().clone()),
            consent: raw.consent,
            hash,
            form,
            padding,
        })
    }

    fn key_sets(&mut self, channel: &ChannelProfile) -> Checked<()> {
        let Some(file) = &self.file.channel else {
            return Ok(());
        };
        for (name, set) in &channel.keys {
            let Some(raw) = file.keys.get(name) else {
                continue;
            };
            let raw = raw.get_ref();
            let mut values = BTreeMap::from([(
                "key_set.version".to_owned(),
                Value::Number(u64::from(set.version)),
            )]);
            self.loader
                .attributes(&raw.attributes, ObjectKind::KeySet, &mut values)?;
            self.add(
                ObjectKind::KeySet,
                Object {
                    name: name.clone(),
                    title: match set.version {
                        0 => format!("{name} key"),
                        version => format!("{name} keys, version {version:02X}"),
                    },
                    application: String::new(),
                    variant: raw.variant.clone(),
                    key: None,
                    without_key: None,
                    optional: false,
                    detail: Detail::KeySet,
                    values,
                },
            );
        }
        Ok(())
    }

    fn states(&mut self) -> Checked<()> {
        for (name, raw) in &self.file.states {
            let raw = raw.get_ref();
            let mut values = BTreeMap::new();
            self.loader
                .attributes(&raw.attributes, ObjectKind::State, &mut values)?;
            self.add(
                ObjectKind::State,
                Object {
                    name: name.clone(),
                    title: raw.title.clone(),
                    application: String::new(),
                    variant: raw.variant.clone(),
                    key: None,
                    without_key: None,
                    optional: false,
                    detail: Detail::State {
                        reversible: raw.reversible,
                    },
                    values,
                },
            );
        }
        Ok(())
    }
}

impl Loader<'_> {
    /// Returns the key algorithm that a file names.
    pub(super) fn algorithm(&self, text: &Text) -> Checked<KeyAlgorithm> {
        match KeyAlgorithm::named(text.get_ref()) {
            Some(algorithm) => Ok(algorithm),
            None => self.unknown(
                text.span(),
                "no key algorithm is named",
                text.get_ref(),
                KeyAlgorithm::ALL.iter().map(|algorithm| algorithm.name()),
            ),
        }
    }

    fn attributes(
        &self,
        attributes: &Attributes,
        kind: ObjectKind,
        values: &mut BTreeMap<String, Value>,
    ) -> Checked<()> {
        for (name, value) in attributes {
            let key = format!("{}.{}", kind.word(), name.get_ref());
            let bytes = match value.get_ref() {
                AttributeFile::Number(number) => Value::Number(u64::from(*number)),
                AttributeFile::Hex(text) => {
                    Value::bytes(self.hexadecimal(&Placed::new(value.span(), text.clone()))?)
                }
            };
            if values.insert(key, bytes).is_some() {
                return self.fault(
                    name.span(),
                    format!("\"{}\" is already a field of this object", name.get_ref()),
                    "choose another name",
                );
            }
        }
        Ok(())
    }
}

/// Returns whether a variable is one that a key or a PIN of this file gives.
/// Where files and data objects stand. Two may stand in one place where no holder gets both.
#[derive(Default)]
struct Places<'f>(BTreeMap<Place, Vec<(&'f str, Holders<'f>)>>);

/// Application, number and variant.
type Place = (String, Vec<u8>, Option<String>);

/// The holder's key without which, and the one with which, an object is not wanted.
type Holders<'f> = (Option<&'f str>, Option<&'f str>);

impl<'f> Places<'f> {
    /// Takes a place; returns who has it already.
    fn take(
        &mut self,
        place: Place,
        name: &'f str,
        (key, without_key): (&'f Option<Text>, &'f Option<Text>),
    ) -> Option<&'f str> {
        let of = |text: &'f Option<Text>| text.as_ref().map(|text| text.get_ref().as_str());
        let own = (of(key), of(without_key));
        let excludes = |(with, without): Holders<'_>, other: Holders<'_>| {
            (with.is_some() && with == other.1) || (without.is_some() && without == other.0)
        };
        let there = self.0.entry(place).or_default();
        let other = there.iter().find(|(_, other)| !excludes(own, *other));
        let other = other.map(|(name, _)| *name);
        there.push((name, own));
        other
    }
}

fn object_variable(file: &ChipFile, variable: &str) -> bool {
    let mut parts = variable.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("certificate"), Some(name), None, None) => file.keys.contains_key(name),
        (Some("certificate"), Some(name), Some("issuer" | "subject" | "serial"), None) => {
            file.keys.contains_key(name)
        }
        (Some("key"), Some(name), Some(part), None) => {
            let has = |key: &Placed<KeyFile>| {
                // One that is not known is told where it stands.
                let algorithm = KeyAlgorithm::named(key.get_ref().algorithm.get_ref());
                let is_rsa = algorithm.map(|algorithm| algorithm.curve().is_none());
                match part {
                    "public" | "oid" => is_rsa != Some(true),
                    "modulus" | "exponent" => is_rsa != Some(false),
                    part => ["reference", "bits", "spki", "id"].contains(&part),
                }
            };
            file.keys.get(name).is_some_and(has)
        }
        (Some("pin"), Some(name), Some("reference"), None) => {
            let pin = file.pins.get(name);
            pin.is_some_and(|pin| pin.get_ref().reference.is_some())
        }
        _ => false,
    }
}
