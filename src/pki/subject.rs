//! Subject names: a profile's template and a holder's data.

use std::fmt;

use cert::{AttributeType, DistinguishedName, NameError};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::vocabulary::AttributeName;

/// Why a holder cannot be named as the profile has it. No value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The template asks for data that the holder does not have.
    #[error("subject attribute {attribute} needs {variable}, which the holder does not have")]
    Missing {
        /// The attribute.
        attribute: AttributeType,
        /// The variable, as the template names it.
        variable: &'static str,
    },
    /// The attributes do not make a name.
    #[error("the subject cannot be named")]
    Name(#[source] NameError),
}

/// A holder's data, as far as certificates show it: in capitals with diacritics, as on the
/// document, and the document's number. Wiped when dropped, not shown by `Debug`.
#[derive(Clone)]
pub struct Holder {
    country: Zeroizing<String>,
    surname: Zeroizing<String>,
    given_names: Zeroizing<String>,
    personal_code: Zeroizing<String>,
    document_number: Zeroizing<String>,
}

impl Holder {
    /// Returns the data of a holder.
    ///
    /// `country` is the two-letter code of the state that gave the personal code, `personal_code`
    /// the code as it is written (`NNNNNN-NNNNN` in Latvia), `document_number` the number of the
    /// document that has the key. A value may be empty, where the profile does not ask for it.
    pub fn new(
        country: impl Into<String>,
        surname: impl Into<String>,
        given_names: impl Into<String>,
        personal_code: impl Into<String>,
        document_number: impl Into<String>,
    ) -> Self {
        Self {
            country: Zeroizing::new(country.into()),
            surname: Zeroizing::new(surname.into()),
            given_names: Zeroizing::new(given_names.into()),
            personal_code: Zeroizing::new(personal_code.into()),
            document_number: Zeroizing::new(document_number.into()),
        }
    }

    fn value(&self, variable: Variable) -> &str {
        match variable {
            Variable::Country => &self.country,
            Variable::Surname => &self.surname,
            Variable::GivenNames => &self.given_names,
            Variable::PersonalCode => &self.personal_code,
            Variable::DocumentNumber => &self.document_number,
        }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(..)")
    }
}

/// A variable of a subject template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    Country,
    Surname,
    GivenNames,
    PersonalCode,
    DocumentNumber,
}

impl Variable {
    const ALL: [Self; 5] = [
        Self::Country,
        Self::Surname,
        Self::GivenNames,
        Self::PersonalCode,
        Self::DocumentNumber,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Surname => "surname",
            Self::GivenNames => "given_names",
            Self::PersonalCode => "personal_code",
            Self::DocumentNumber => "document_number",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// The value of one attribute: text with variables in braces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(Vec<Piece>);

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (plain, braced) = rest.split_once('{').unwrap_or((rest, ""));
            if plain.contains('}') {
                return Err(format!("{text:?} has a brace that was not opened"));
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            if plain.len() == rest.len() {
                break;
            }
            let (name, after) = braced
                .split_once('}')
                .ok_or_else(|| format!("{text:?} has a brace that is not closed"))?;
            let known = Variable::ALL.into_iter().find(|v| v.name() == name);
            let variable = known.ok_or_else(|| {
                let names = Variable::ALL.map(Variable::name).join(", ");
                format!("{text:?} names the variable {name:?}; there are {names}")
            })?;
            pieces.push(Piece::Variable(variable));
            rest = after;
        }
        if pieces.is_empty() {
            return Err("a subject attribute has no value".to_owned());
        }
        Ok(Self(pieces))
    }
}

impl Template {
    /// Returns whether a value could be this template filled in.
    fn fits(&self, value: &str) -> bool {
        fn rest_fits(pieces: &[Piece], value: &str) -> bool {
            match pieces.split_first() {
                None => value.is_empty(),
                Some((Piece::Text(text), rest)) => value
                    .strip_prefix(text.as_str())
                    .is_some_and(|value| rest_fits(rest, value)),
                Some((Piece::Variable(_), rest)) => value
                    .char_indices()
                    .skip(1)
                    .map(|(at, _)| at)
                    .chain((!value.is_empty()).then_some(value.len()))
                    .any(|at| value.get(at..).is_some_and(|value| rest_fits(rest, value))),
            }
        }
        rest_fits(&self.0, value)
    }
}

/// One attribute of a profile's subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubjectAttribute {
    pub(crate) attribute: AttributeName,
    pub(crate) value: Template,
}

impl SubjectAttribute {
    pub(crate) fn uses(&self, variable: Variable) -> bool {
        self.value.0.contains(&Piece::Variable(variable))
    }

    /// Returns whether the template, as it is written, begins so.
    pub(crate) fn begins(&self, text: &str) -> bool {
        let pieces = self.value.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(variable) => format!("{{{}}}", variable.name()),
        });
        pieces.collect::<String>().starts_with(text)
    }

    pub(crate) fn is_fixed(&self) -> bool {
        Variable::ALL
            .into_iter()
            .all(|variable| !self.uses(variable))
    }

    /// Returns the attribute's value for a holder.
    ///
    /// A common name that gets too long loses given names from the end, and then characters
    /// (*RFC 5280 Appendix A.1* allows 64; a passport's surname and given names may have 69). The
    /// full names stand in SN and GN.
    fn render(&self, holder: Option<&Holder>) -> Result<String, SubjectError> {
        let kind = self.attribute.kind();
        let given = holder.map_or("", |holder| holder.value(Variable::GivenNames));
        let mut given: Vec<&str> = given.split(' ').collect();
        let mut text = self.fill(holder, &given.join(" "))?;
        if kind != AttributeType::CommonName {
            return Ok(text);
        }
        let fits = |text: &str| text.chars().count() <= kind.max_length();
        while !fits(&text) && given.len() > 1 {
            given.pop();
            text = self.fill(holder, &given.join(" "))?;
        }
        if !fits(&text) {
            text = text.chars().take(kind.max_length()).collect();
        }
        Ok(text.trim_end().to_owned())
    }

    fn fill(&self, holder: Option<&Holder>, given_names: &str) -> Result<String, SubjectError> {
        let mut text = String::new();
        for piece in &self.value.0 {
            let value = match piece {
                Piece::Text(plain) => plain,
                Piece::Variable(Variable::GivenNames) => given_names,
                Piece::Variable(variable) => holder.map_or("", |holder| holder.value(*variable)),
            };
            if let (Piece::Variable(variable), "") = (piece, value) {
                return Err(SubjectError::Missing {
                    attribute: self.attribute.kind(),
                    variable: variable.name(),
                });
            }
            text.push_str(value);
        }
        Ok(text)
    }
}

/// Checks that a name could be one that the attributes make: these attributes in this order, each
/// with the template's own text around values that are not empty. Returns what differs.
pub(crate) fn check(
    attributes: &[SubjectAttribute],
    name: &DistinguishedName,
) -> Result<(), String> {
    let found = name.attributes();
    if found.len() != attributes.len() {
        return Err(format!(
            "it has {} attributes, not {}",
            found.len(),
            attributes.len()
        ));
    }
    for (wanted, found) in attributes.iter().zip(found) {
        let kind = wanted.attribute.kind();
        if found.kind != kind {
            return Err(format!("{} stands in the place of {kind}", found.kind));
        }
        // A common name that was cut to its length has lost its end.
        let is_cut =
            kind == AttributeType::CommonName && found.value.chars().count() == kind.max_length();
        if !is_cut && !wanted.value.fits(&found.value) {
            return Err(format!("{kind} has not the profile's form"));
        }
    }
    Ok(())
}

/// Returns the name that the attributes make for a holder, or for nobody in particular.
pub(crate) fn subject(
    attributes: &[SubjectAttribute],
    holder: Option<&Holder>,
) -> Result<DistinguishedName, SubjectError> {
    let mut builder = DistinguishedName::builder();
    for attribute in attributes {
        builder = builder.with(attribute.attribute.kind(), attribute.render(holder)?);
    }
    builder.build().map_err(SubjectError::Name)
}

#[cfg(test)]
mod tests {
    use cert::{AttributeType, DistinguishedName};

    use super::{Holder, SubjectAttribute, SubjectError, Template, check, subject};
    use crate::vocabulary::AttributeName;

    fn cn() -> SubjectAttribute {
        SubjectAttribute {
            attribute: AttributeName::Cn,
            value: Template::try_from("{given_names} {surname}".to_owned()).unwrap(),
        }
    }

    #[test]
    fn common_names_are_cut_by_whole_given_names() {
        let surname = "Š".repeat(32);
        let cases = [
            ("ANDRIS", format!("ANDRIS {surname}")),
            // 13 + 12 + 9 letters and two blanks: 36, with the surname 69.
            (
                "ALEKSANDRINA KONSTANTINASA MARGARITA",
                format!("ALEKSANDRINA KONSTANTINASA {surname}"),
            ),
        ];
        for (given, expected) in cases {
            let holder = Holder::new("LV", surname.clone(), given, "121282-88882", "XA0000001");
            let name = subject(&[cn()], Some(&holder)).unwrap();
            let made = name.get(AttributeType::CommonName).unwrap();
            assert_eq!(made, expected);
            assert!(made.chars().count() <= 64);
        }
        let endless = Holder::new("LV", "B", "A".repeat(70), "121282-88882", "XA0000001");
        let name = subject(&[cn()], Some(&endless)).unwrap();
        assert_eq!(name.get(AttributeType::CommonName).unwrap(), "A".repeat(64));
    }

    #[test]
    fn a_name_is_known_as_the_templates_own() {
        let serial = SubjectAttribute {
            attribute: AttributeName::SerialNumber,
            value: Template::try_from("PNO{country}-{personal_code}".to_owned()).unwrap(),
        };
        let template = [cn(), serial];
        let name = |cn: &str, number: &str| {
            DistinguishedName::builder()
                .with(AttributeType::CommonName, cn)
                .with(AttributeType::SerialNumber, number)
                .build()
                .unwrap()
        };
        let good = "PNOLV-121282-88882";
        assert_eq!(check(&template, &name("ANDRIS PARAUDZIŅŠ", good)), Ok(()));
        assert_eq!(check(&template, &name(&"A".repeat(64), good)), Ok(()));
        for (cn, number, fault) in [
            ("ANDRIS", good, "common name"),
            ("A B", "PASLV-121282-88882", "serial number"),
            ("A B", "PNOLV-", "serial number"),
            ("A B", "PNO-1", "serial number"),
        ] {
            let told = check(&template, &name(cn, number)).unwrap_err();
            assert!(
                told.to_lowercase().contains(fault) || told.contains("has not"),
                "{told}"
            );
            assert!(!told.contains(number), "{told}");
        }
        let short = DistinguishedName::builder()
            .with(AttributeType::SerialNumber, good)
            .build()
            .unwrap();
        assert!(check(&template, &short).is_err());
        let turned = [template[1].clone(), template[0].clone()];
        assert!(check(&turned, &name("A B", good)).is_err());
    }

    #[test]
    fn missing_data_is_named() {
        let nameless = Holder::new("LV", "", "ANDRIS", "121282-88882", "XA0000001");
        let missing = subject(&[cn()], Some(&nameless)).unwrap_err();
        assert_eq!(
            missing,
            SubjectError::Missing {
                attribute: AttributeType::CommonName,
                variable: "surname",
            }
        );
        assert!(subject(&[cn()], None).is_err());
    }

    #[test]
    fn templates_are_judged_when_read() {
        for (bad, fault) in [
            ("{surnam}", "surname"),
            ("{surname", "not closed"),
            ("surname}", "not opened"),
            ("", "no value"),
        ] {
            let error = Template::try_from(bad.to_owned()).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
        assert_eq!(
            format!("{:?}", Holder::new("LV", "A", "B", "C", "D")),
            "Holder(..)"
        );
    }
}
