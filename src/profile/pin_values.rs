//! The values of PINs, as operations name them.

use zeroize::Zeroizing;

use crate::chip::{Detail, Object};
use crate::error::RenderError;
use crate::value::Value;

/// The values of a PIN, of its value before and of its PUK, as the operations on PINs name them.
#[derive(Clone, Copy)]
pub struct PinValues<'a> {
    /// The digits that are set or presented.
    pub digits: &'a [u8],
    /// The digits before, where they are known.
    pub current: Option<&'a [u8]>,
    /// The PUK and its digits, where they are known.
    pub puk: Option<(&'a Object, &'a [u8])>,
}

impl<'a> PinValues<'a> {
    /// Takes the digits alone.
    pub fn of(digits: &'a [u8]) -> Self {
        Self {
            digits,
            current: None,
            puk: None,
        }
    }

    /// Returns the variables of an operation on `pin`.
    ///
    /// # Errors
    /// [`RenderError::Function`] when a value is longer than its field.
    pub fn variables(&self, pin: &Object) -> Result<Vec<(&'static str, Value)>, RenderError> {
        let mut values = vec![
            ("pin.value", pin_field(pin, self.digits)?),
            ("pin.digits", Value::bytes(self.digits)),
        ];
        if let Some(current) = self.current {
            values.push(("pin.current", pin_field(pin, current)?));
            values.push(("pin.current_digits", Value::bytes(current)));
        }
        if let Some((puk, digits)) = self.puk {
            values.push(("pin.puk", pin_field(puk, digits)?));
            values.push(("pin.puk_digits", Value::bytes(digits)));
        }
        Ok(values)
    }
}

/// Returns a PIN value as its field stands in a command: ASCII digits, filled to its length
/// where the chip wants that.
fn pin_field(object: &Object, digits: &[u8]) -> Result<Value, RenderError> {
    let Detail::Pin(rules) = &object.detail else {
        return Err(RenderError::Unset {
            name: "pin.value".into(),
        });
    };
    let stored = usize::from(rules.stored);
    if digits.len() > stored {
        return Err(RenderError::Function {
            function: "pin",
            fault: format!("the value is longer than {stored} digits"),
        });
    }
    let mut field = Zeroizing::new(Vec::with_capacity(stored));
    field.extend_from_slice(digits);
    if let Some(fill) = rules.fill {
        field.resize(stored, fill);
    }
    Ok(Value::Bytes(field))
}
