//! What a token is for: written into it once, and read back whenever it is opened.

use cryptoki::object::{Attribute, AttributeType, ObjectClass};

use crate::error::{HsmError, device};
use crate::inventory::value_of;
use crate::token::Token;

/// The label of the data object that says what a token is for.
const LABEL: &[u8] = b"zimogs environment";

impl Token {
    /// Returns what the token was bound to, if it was ([`Token::bind`]).
    ///
    /// # Errors
    /// [`HsmError::Device`]; [`HsmError::Answer`] where it is bound twice, or to what is no text.
    pub fn bound_to(&self) -> Result<Option<String>, HsmError> {
        let unclear = HsmError::Answer {
            operation: "say what it is bound to",
            reason: "more than one object, or no text",
        };
        let values = self.with_session(|session| {
            let template = [
                Attribute::Class(ObjectClass::DATA),
                Attribute::Token(true),
                Attribute::Label(LABEL.to_vec()),
            ];
            let found = session
                .find_objects(&template)
                .map_err(device("search for what it is bound to"))?;
            let values = found
                .into_iter()
                .map(|object| value_of(session, object, AttributeType::Value));
            values.collect::<Result<Vec<_>, _>>()
        })?;
        match values.as_slice() {
            [] => Ok(None),
            [value] => String::from_utf8(value.clone())
                .map(Some)
                .map_err(|_| unclear),
            _ => Err(unclear),
        }
    }

    /// Binds the token, for good: to an environment, say, so that the keys of a test never serve in
    /// production. Binding it to the same again changes nothing.
    ///
    /// # Errors
    /// [`HsmError::BoundOtherwise`], or the device's failure.
    pub fn bind(&self, environment: &str) -> Result<(), HsmError> {
        self.alone(|| match self.bound_to()? {
            Some(bound) if bound == environment => Ok(()),
            Some(bound) => Err(HsmError::BoundOtherwise {
                token: self.info().label.clone(),
                bound,
            }),
            None => self.with_session(|session| {
                let template = [
                    Attribute::Class(ObjectClass::DATA),
                    Attribute::Token(true),
                    Attribute::Private(true),
                    Attribute::Modifiable(false),
                    Attribute::Application(b"zimogs".to_vec()),
                    Attribute::Label(LABEL.to_vec()),
                    Attribute::Value(environment.as_bytes().to_vec()),
                ];
                session
                    .create_object(&template)
                    .map(drop)
                    .map_err(device("bind it"))
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use crate::error::HsmError;
    use crate::test_support::{PIN, token, with_private_tokens};

    #[test]
    fn a_token_is_bound_once() {
        with_private_tokens("binding::tests::a_token_is_bound_once", || {
            let (token, other) = (token("bound"), token("free"));
            assert_eq!(token.bound_to().unwrap(), None);
            token.bind("test").unwrap();
            token.bind("test").unwrap();
            assert_eq!(token.bound_to().unwrap().as_deref(), Some("test"));
            assert!(matches!(
                token.bind("production"),
                Err(HsmError::BoundOtherwise { bound, .. }) if bound == "test"
            ));
            assert_eq!(other.bound_to().unwrap(), None);
            // OpenSC sees it too.
            let list = Command::new("pkcs11-tool")
                .args(["--module", token.info().module.to_str().unwrap()])
                .args(["--token-label", "bound", "--login", "--pin", PIN])
                .args(["--list-objects", "--type", "data"])
                .output()
                .unwrap();
            let list = String::from_utf8(list.stdout).unwrap();
            assert!(list.contains("zimogs environment"), "{list}");
        });
    }
}
