//! The things on a chip: applications, files, PINs, keys, key sets, states.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Checked, Loader, known};
use crate::chip::{ChannelProfile, Curve, Detail, Object, PinRules};
use crate::chip_file::{AttributeFile, ChipFile, Text};
use crate::record::VARIABLES;
use crate::value::Value;
use crate::vocabulary::ObjectKind;

/// Every thing on a chip, by kind and name.
pub(super) type Objects = BTreeMap<(ObjectKind, String), Object>;

/// Proves the things on a chip, kind after kind.
pub(super) struct ObjectLoader<'a, 's> {
    loader: &'a Loader<'s>,
    file: &'a ChipFile,
    objects: Objects,
}

impl<'a, 's> ObjectLoader<'a, 's> {
    /// Returns the things of a file.
    pub(super) fn load(
        loader: &'a Loader<'s>,
        file: &'a ChipFile,
        channel: &ChannelProfile,
    ) -> Checked<Objects> {
        let mut this = Self {
            loader,
            file,
            objects: BTreeMap::new(),
        };
        this.applications()?;
        this.files()?;
        this.pins()?;
        this.keys()?;
        this.key_sets(channel);
        this.states()?;
        Ok(this.objects)
    }

    fn add(&mut self, kind: ObjectKind, object: Object) {
        self.objects.insert((kind, object.name.clone()), object);
    }

    fn application(&self, name: &Text) -> Checked<String> {
        match self.file.applications.contains_key(name.get_ref()) {
            true => Ok(name.get_ref().clone()),
            false => self.loader.fault(
                name.span(),
                format!("no application is named \"{}\"", name.get_ref()),
                known(self.file.applications.keys()),
            ),
        }
    }

    fn wanted_key(&self, key: &Option<Text>) -> Checked<Option<String>> {
        match key {
            Some(key) if !self.file.keys.contains_key(key.get_ref()) => self.loader.fault(
                key.span(),
                format!("no key is named \"{}\"", key.get_ref()),
                known(self.file.keys.keys()),
            ),
            key => Ok(key.as_ref().map(|key| key.get_ref().clone())),
        }
    }

    fn applications(&mut self) -> Checked<()> {
        for (name, raw) in &self.file.applications {
            let raw_span = raw.span();
            let raw = raw.get_ref();
            let mut values = BTreeMap::new();
            match (&raw.aid, &raw.within) {
                (None, None) => {
                    return self.loader.fault(
                        raw_span,
                        format!(
                            "application \"{name}\" has no \"aid\" and is not \"within\" another"
                        ),
                        "how is it selected?",
                    );
                }
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
            self.add(
                ObjectKind::Application,
                Object {
                    name: name.clone(),
                    title: name.clone(),
                    application: name.clone(),
                    variant: raw.variant.clone(),
                    key: self.wanted_key(&raw.key)?,
                    detail: Detail::Application { within },
                    values,
                },
            );
        }

        Ok(())
    }

    fn files(&mut self) -> Checked<()> {
        let mut ids: BTreeMap<(String, Vec<u8>), String> = BTreeMap::new();
        for (name, raw) in &self.file.files {
            let raw = raw.get_ref();
            let home = self.application(&raw.application)?;
            let id = self.loader.hexadecimal(&raw.id)?;
            if id.len() != 2 {
                return self
                    .loader
                    .fault(raw.id.span(), "a file identifier has two bytes", "");
            }
            if let Some(other) = ids.insert((home.clone(), id.clone()), name.clone()) {
                return self.loader.fault(
                    raw.id.span(),
                    format!(
                        "files \"{other}\" and \"{name}\" have the same identifier in \"{home}\""
                    ),
                    "",
                );
            }
            let content = self.loader.template_of(
                &raw.content,
                &|variable| VARIABLES.contains(&variable) || variable == "chip.serial" || key_variable(self.file, variable),
                "a file's content is made of document.…, holder.…, key.NAME.reference, key.NAME.public, certificate.NAME",
            )?;
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
                    detail: Detail::File { content },
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
            let rules = PinRules {
                tries: *raw.tries.get_ref(),
                minimum: *raw.minimum.get_ref(),
                stored: *raw.stored.get_ref(),
                fill: raw.fill,
                global: raw.global,
            };
            if !(1..=15).contains(&rules.tries) {
                return self.loader.fault(
                    raw.tries.span(),
                    "a try counter is from 1 to 15",
                    "ISO/IEC 7816-4 status 63CX",
                );
            }
            if rules.minimum < 4 || rules.minimum > rules.stored {
                return self.loader.fault(
                    raw.minimum.span(),
                    format!(
                        "the shortest value is {} of at most {} digits",
                        rules.minimum, rules.stored
                    ),
                    "at least 4, and not more than \"stored\"",
                );
            }
            let home = self.application(&raw.application)?;
            if let Some(other) = references.insert((home.clone(), raw.reference), name.clone()) {
                return self.loader.fault(
                    raw_span,
                    format!(
                        "PINs \"{other}\" and \"{name}\" have the same reference {:02X}",
                        raw.reference
                    ),
                    "",
                );
            }
            let mut values = BTreeMap::new();
            for (field, number) in [
                ("reference", raw.reference),
                ("tries", rules.tries),
                ("minimum", rules.minimum),
                ("stored", rules.stored),
            ] {
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
                    detail: Detail::Pin(rules),
                    values,
                },
            );
        }

        Ok(())
    }

    fn keys(&mut self) -> Checked<()> {
        let mut references = BTreeMap::new();
        for (name, raw) in &self.file.keys {
            let raw_span = raw.span();
            let raw = raw.get_ref();
            let Some(pin) = self.file.pins.get(raw.pin.get_ref()) else {
                return self.loader.fault(
                    raw.pin.span(),
                    format!("no PIN is named \"{}\"", raw.pin.get_ref()),
                    known(self.file.pins.keys()),
                );
            };
            let curve = match raw.curve.get_ref().as_str() {
                "p256" => Curve::P256,
                "p384" => Curve::P384,
                other => {
                    return self.loader.fault(
                        raw.curve.span(),
                        format!("curve \"{other}\" is not known"),
                        "known are \"p256\", \"p384\"",
                    );
                }
            };
            let home = self.application(&raw.application)?;
            if let Some(other) = references.insert((home.clone(), raw.reference), name.clone()) {
                return self.loader.fault(
                    raw_span,
                    format!(
                        "keys \"{other}\" and \"{name}\" have the same reference {:02X}",
                        raw.reference
                    ),
                    "",
                );
            }
            let mut values = BTreeMap::from([
                (
                    "key.reference".to_owned(),
                    Value::Number(u64::from(raw.reference)),
                ),
                (
                    "key.pin".to_owned(),
                    Value::Number(u64::from(pin.get_ref().reference)),
                ),
            ]);
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
                    detail: Detail::Key {
                        curve,
                        pin: raw.pin.get_ref().clone(),
                    },
                    values,
                },
            );
        }

        Ok(())
    }

    fn key_sets(&mut self, channel: &ChannelProfile) {
        for (name, set) in &channel.keys {
            self.add(
                ObjectKind::KeySet,
                Object {
                    name: name.clone(),
                    title: format!("{name} keys, version {:02X}", set.version),
                    application: String::new(),
                    variant: None,
                    key: None,
                    detail: Detail::KeySet,
                    values: BTreeMap::from([(
                        "key_set.version".to_owned(),
                        Value::Number(u64::from(set.version)),
                    )]),
                },
            );
        }
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
                    detail: Detail::State,
                    values,
                },
            );
        }
        Ok(())
    }
}

impl Loader<'_> {
    fn attributes(
        &self,
        attributes: &BTreeMap<Text, Spanned<AttributeFile>>,
        kind: ObjectKind,
        values: &mut BTreeMap<String, Value>,
    ) -> Checked<()> {
        for (name, value) in attributes {
            let key = format!("{}.{}", kind.word(), name.get_ref());
            let bytes = match value.get_ref() {
                AttributeFile::Number(number) => Value::Number(u64::from(*number)),
                AttributeFile::Hex(text) => match hex::decode(text) {
                    Ok(bytes) => Value::bytes(bytes),
                    Err(_) => {
                        return self.fault(
                            value.span(),
                            format!("\"{text}\" is not hexadecimal"),
                            "an attribute is hexadecimal text or a number",
                        );
                    }
                },
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

/// Returns whether a variable is one that a key of this file gives.
fn key_variable(file: &ChipFile, variable: &str) -> bool {
    let name = match variable.split_once('.') {
        Some(("certificate", name)) => name,
        Some(("key", rest)) => match rest.split_once('.') {
            Some((name, "reference" | "public")) => name,
            _ => return false,
        },
        _ => return false,
    };
    file.keys.contains_key(name)
}
