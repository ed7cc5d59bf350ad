//! Which commands of a chip carry secrets, and which use up one of a secret's tries: told by their
//! headers, since the data may be sealed where they pass.

use card::trace::{Rule, Side, Veil};

use crate::chip::{ChipProfile, Detail, Object};
use crate::command_template::CommandTemplate;
use crate::issuer_channel::Challenge;
use crate::value::{Nested, Scope, Value};
use crate::vocabulary::{Dialect, ObjectKind};

/// Class bits for chaining, secure messaging and logical channels are not compared, only whether
/// the class is the industry's or the maker's.
const ANY_CLASS: [u8; 4] = [0x80, 0xFF, 0xFF, 0xFF];

/// A command that presents a secret to the chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presentation {
    /// The secret's name, such as `pin/pin1` or `keys/management`.
    pub secret: String,
    /// How many failures in a row lock it, where the profile knows.
    pub tries: Option<u8>,
    header: [u8; 4],
    /// The data of commands with the same header that only ask for a challenge.
    asking: Vec<Vec<u8>>,
}

impl Presentation {
    /// Returns whether a command, as it passes to the card, is this one.
    pub fn fits(&self, command: &[u8]) -> bool {
        let header = self.header.iter().zip(ANY_CLASS).zip(command);
        let asks = |data: &Vec<u8>| command.get(5..).is_some_and(|rest| rest.starts_with(data));
        command.len() >= 4
            && header.clone().all(|((a, mask), b)| (a ^ b) & mask == 0)
            && !self.asking.iter().any(asks)
    }
}

/// Stands for whatever a header might name besides the object: zeros of every kind.
struct Anything;

impl Scope for Anything {
    fn value(&self, _: &str) -> Option<Value> {
        Some(Value::Number(0))
    }
}

fn header(command: &CommandTemplate, object: &Object) -> Option<[u8; 4]> {
    let rendered = command.header.render(&Nested(object, &Anything)).ok()?;
    rendered.as_slice().try_into().ok()
}

impl ChipProfile {
    /// Returns what hides the secrets of a recorded session with this chip: what is secret on
    /// every chip, and the commands by which this one is given PINs and keys.
    pub fn veil(&self) -> Veil {
        Veil::default().with(self.secret_commands())
    }

    /// Returns whether a command carries a PIN or a key, or a proof that follows from nothing the
    /// chip gave: that is the same each time, and as good as the key.
    pub(crate) fn is_secret(
        &self,
        operation: Dialect,
        command: &CommandTemplate,
        object: &Object,
    ) -> bool {
        let proves_by_heart = || {
            let set = self.channel.keys.get(&object.name);
            let challenge = set.and_then(|set| set.protocol.challenge());
            command.mentions("channel.proof") && !challenge.is_some_and(Challenge::is_fresh)
        };
        operation.is_secret() || (operation == Dialect::OpenChannel && proves_by_heart())
    }

    fn secret_commands(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (operation, ..) in Dialect::ALL {
            for object in self.objects(operation.object()) {
                let commands = self.commands(*operation, object).into_iter();
                for command in commands.filter(|one| self.is_secret(*operation, one, object)) {
                    // What cannot be told from others is hidden with them.
                    let (header, mask) = match header(command, object) {
                        Some(header) => (header, ANY_CLASS),
                        None => ([0; 4], [0; 4]),
                    };
                    let rule = Rule {
                        header,
                        mask,
                        side: Side::Command,
                    };
                    if !rules.contains(&rule) {
                        rules.push(rule);
                    }
                }
            }
        }
        rules
    }

    /// Returns the commands that present a PIN or a key to the chip, so that a wrong one uses a
    /// try. Those of a GlobalPlatform channel are not among them: they are the same on every chip.
    pub fn presentations(&self) -> Vec<Presentation> {
        let mut found = Vec::new();
        for pin in self.objects(ObjectKind::Pin) {
            let Detail::Pin(rules) = &pin.detail else {
                continue;
            };
            let puk = rules.puk.as_ref();
            let puk = puk.and_then(|name| self.object(ObjectKind::Pin, name));
            self.present(
                &mut found,
                Dialect::VerifyPin,
                pin,
                pin,
                &["pin.value", "pin.digits"],
            );
            let current = ["pin.current", "pin.current_digits"];
            self.present(&mut found, Dialect::ChangePin, pin, pin, &current);
            if let Some(puk) = puk {
                let names = ["pin.puk", "pin.puk_digits"];
                self.present(&mut found, Dialect::SetPin, pin, puk, &names);
                self.present(&mut found, Dialect::ResetPin, pin, puk, &names);
                self.present(&mut found, Dialect::UnblockPin, pin, puk, &names);
            }
        }
        for set in self.objects(ObjectKind::KeySet) {
            if self.channel.protocol(&set.name).challenge().is_some() {
                let names = ["channel.proof"];
                self.present(&mut found, Dialect::OpenChannel, set, set, &names);
            }
        }
        found
    }

    /// Adds the commands of an operation on `object` that name one of `variables`, and so present
    /// `secret`.
    fn present(
        &self,
        found: &mut Vec<Presentation>,
        operation: Dialect,
        object: &Object,
        secret: &Object,
        variables: &[&str],
    ) {
        let (kind, tries) = match &secret.detail {
            Detail::Pin(rules) => ("pin", Some(rules.tries)),
            _ => {
                let set = self.channel.keys.get(&secret.name);
                ("keys", set.and_then(|set| set.tries))
            }
        };
        let commands = self.commands(operation, object);
        let asking = commands.iter().filter_map(|command| {
            let presents = variables.iter().any(|name| command.mentions(name));
            let data = command.data.as_ref().filter(|_| !presents)?;
            let data = data.render(object).ok()?;
            (!data.is_empty()).then(|| data.to_vec())
        });
        let asking: Vec<_> = asking.collect();
        for command in commands {
            let presents = variables.iter().any(|name| command.mentions(name));
            if let (true, Some(header)) = (presents, header(command, object)) {
                found.push(Presentation {
                    secret: format!("{kind}/{}", secret.name),
                    tries,
                    header,
                    asking: asking.clone(),
                });
            }
        }
    }
}

#[cfg(test)]
#[path = "../../tests/profile/guarded.rs"]
mod tests;
