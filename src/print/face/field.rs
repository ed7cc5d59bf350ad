//! What a layout may ask for: a closed set of fields, each of one type.

/// Declares a fieldless enum whose values have one name each, as layouts write it.
macro_rules! fields {
    ($(#[$meta:meta])* enum $name:ident { $( $(#[$of:meta])* $variant:ident = $text:literal, )+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$of])* $variant, )+
        }

        impl $name {
            /// Every field, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),+ ];

            /// Returns its name, as layouts write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text ),+ }
            }

            /// Returns the field of a name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|field| field.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

fields! {
    /// A text on a face or a label.
    enum TextField {
        /// The Latvian title of the kind of document.
        TitleLatvian = "document.title-lv",
        /// Its English title.
        TitleEnglish = "document.title-en",
        /// The document code of the machine readable zone: one letter or two.
        Code = "document.code",
        /// The document's number.
        Number = "document.number",
        /// The day of issue, as `21.03.2026`.
        Issued = "document.issued",
        /// The date of expiry, written like it.
        Expires = "document.expires",
        /// The authority that issues.
        Authority = "document.authority",
        /// The holder's surname.
        Surname = "holder.surname",
        /// The holder's given names.
        GivenNames = "holder.given-names",
        /// The holder's personal code.
        PersonalCode = "holder.personal-code",
        /// The holder's date of birth.
        BirthDate = "holder.birth-date",
        /// The holder's sex in both languages: `S / F`, `V / M` or `X`.
        Sex = "holder.sex",
        /// The code of the holder's nationality, three letters.
        Nationality = "holder.nationality",
        /// The holder's place of birth, where the register has one.
        BirthPlace = "holder.birth-place",
        /// The number of a parcel.
        Parcel = "parcel.number",
        /// Where it was packed.
        ParcelFrom = "parcel.from",
        /// The office that it goes to.
        ParcelTo = "parcel.to",
        /// How many documents are in it.
        ParcelDocuments = "parcel.documents",
        /// The day on which it was closed.
        ParcelSealed = "parcel.sealed",
        /// The consignment's number of whoever carries it.
        ParcelWay = "parcel.way",
        /// The serial number of a PIN envelope.
        EnvelopeNumber = "envelope.number",
        /// The holder's name and address, line by line.
        EnvelopeAddress = "envelope.address",
        /// An asterisk, where a PIN of the letter must be changed before the first use.
        EnvelopeTransport = "envelope.transport",
        /// What the holder calls a PIN.
        PinTitle = "pin.title",
        /// A PIN: four to twelve digits.
        PinDigits = "pin.digits",
        /// An asterisk, where this PIN must be changed before the first use.
        PinTransport = "pin.transport",
        /// Which row of a list it is, from 1.
        Row = "row.number",
        /// Which page of how many: `2/4`.
        Page = "sheet.page",
        /// `PARAUGS  SPECIMEN`, where a document is a test's.
        Specimen = "sheet.specimen",
    }
}

fields! {
    /// A picture on a face.
    enum PictureField {
        /// The holder's portrait.
        Portrait = "holder.portrait",
        /// The holder's signature, where one was given.
        Signature = "holder.signature",
    }
}

/// The name of the machine readable zone, as layouts write it.
pub(crate) const ZONE: &str = "document.mrz";

impl TextField {
    /// Tells whether it stands on faces and labels.
    pub(crate) fn is_of_face(&self) -> bool {
        let (group, _) = self.name().split_once('.').unwrap_or_default();
        matches!(group, "document" | "holder" | "parcel")
    }
}

/// Returns the name of every field, for whoever wrote one that there is not; `belongs` tells which
/// texts there are.
pub(crate) fn names(belongs: &dyn Fn(&TextField) -> bool) -> impl Iterator<Item = &'static str> {
    let texts = TextField::ALL.iter().filter(|field| belongs(field));
    let pictures = PictureField::ALL.iter().map(|field| field.name());
    texts
        .map(|field| field.name())
        .chain(pictures)
        .chain([ZONE])
}
