//! What the value of one of the holder's PINs is: how long, what is weak, and for how long it is
//! meant.

use std::fmt;

use card::{PinPolicy, WeakRule};
use document::Holder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chip_file::Text;
use crate::chip_load::{Checked, Loader};
use crate::placed::Placed;

/// One PIN of the holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentPin {
    /// For how long its value is meant.
    pub kind: PinKind,
    /// Which values it may have, before anything is known of the holder.
    pub policy: PinPolicy,
}

/// For how long the value of a PIN is meant that is printed for its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinKind {
    /// The holder may keep it.
    #[default]
    Holder,
    /// The holder must change it before the first use.
    Transport,
}

impl PinKind {
    /// Every kind with its name in a file.
    pub const ALL: &'static [(Self, &'static str)] =
        &[(Self::Holder, "holder"), (Self::Transport, "transport")];
}

impl fmt::Display for PinKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Self::ALL.iter();
        let found = all.find(|(kind, _)| kind == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

/// What the value of one PIN is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentPinFile {
    /// How many digits it has, 4 to 12.
    digits: Placed<u8>,
    /// `holder`, or `transport` for one that its holder must change before the first use.
    kind: Option<Text>,
    /// The rules by which a value is weak, and not made; all of them by default.
    weak: Option<Placed<Vec<Text>>>,
}

impl DocumentPinFile {
    /// Proves what the file says.
    pub(crate) fn load(self, loader: &Loader<'_>) -> Checked<DocumentPin> {
        let Ok(mut policy) = PinPolicy::digits(*self.digits.get_ref()) else {
            return loader.fault(
                self.digits.span(),
                format!("a PIN of {} digits", self.digits.get_ref()),
                "from 4 to 12",
            );
        };
        let mut kind = PinKind::default();
        if let Some(text) = &self.kind {
            let mut all = PinKind::ALL.iter();
            match all.find(|(_, name)| name == text.get_ref()) {
                Some((found, _)) => kind = *found,
                None => {
                    return loader.unknown(
                        text.span(),
                        "there is no kind of PIN",
                        text.get_ref(),
                        PinKind::ALL.iter().map(|(_, name)| *name),
                    );
                }
            }
        }
        if let Some(names) = &self.weak {
            let mut rules = Vec::new();
            for text in names.get_ref() {
                let Some(rule) = WeakRule::named(text.get_ref()) else {
                    return loader.unknown(
                        text.span(),
                        "there is no rule for weak PINs",
                        text.get_ref(),
                        WeakRule::ALL.iter().map(|(_, name, _)| *name),
                    );
                };
                if rules.contains(&rule) {
                    return loader.fault(
                        text.span(),
                        format!(
                            "the rule \"{}\" for weak PINs stands here twice",
                            rule.name()
                        ),
                        "leave one of them out",
                    );
                }
                rules.push(rule);
            }
            if rules.is_empty() {
                return loader.fault(
                    names.span(),
                    "no value of this PIN is weak: 0000 would be printed",
                    "leave \"weak\" out for all rules, or name those that are wanted",
                );
            }
            policy = policy.refusing(&rules);
        }
        Ok(DocumentPin { kind, policy })
    }
}

/// Returns the digit strings that are a holder's own, and well known: four digits in a row of one
/// are no part of the holder's PINs.
pub(crate) fn own_numbers(holder: &Holder) -> Vec<String> {
    let born = holder.birth_date;
    let mut own: Vec<_> = ["%d%m%Y", "%Y%m%d", "%d%m%y", "%y%m%d", "%m%d%Y"]
        .map(|form| born.strftime(form).to_string())
        .into();
    own.push(holder.personal_code.digits());
    own
}
