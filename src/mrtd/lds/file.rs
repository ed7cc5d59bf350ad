//! Which files there are, and how they are called.

use std::fmt;

use card::tlv::Tag;

/// The application identifier of the LDS application (*ICAO 9303-10 §4.1*).
pub const LDS_APPLICATION: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

/// The longest file that is read, in bytes: four times what profiles allow a data group.
pub const MAX_FILE: usize = 262_144;

/// What a file dump may append to the name of a file.
const SUFFIXES: [&str; 6] = ["bin", "dat", "raw", "der", "tlv", "ef"];

/// Declares data groups, so that number and tag stand side by side once.
macro_rules! groups {
    ($( $(#[$meta:meta])* $name:ident = $number:literal, $tag:literal; )+) => {
        /// A data group (*ICAO 9303-10 §4.7, Table 38*).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Group {
            $( $(#[$meta])* $name = $number, )+
        }

        impl Group {
            /// All data groups by number.
            pub const ALL: [Self; 16] = [ $( Self::$name, )+ ];

            /// Returns the tag of the file's outer object: `61` for DG1.
            #[must_use]
            pub const fn tag(self) -> Tag {
                match self { $( Self::$name => Tag::known::<$tag>(), )+ }
            }
        }
    };
}

groups! {
    /// The machine-readable zone.
    Dg1 = 1, 0x61;
    /// The face.
    Dg2 = 2, 0x75;
    /// Fingerprints, behind extended access control.
    Dg3 = 3, 0x63;
    /// Irises, behind extended access control.
    Dg4 = 4, 0x76;
    /// The portrait as it is displayed.
    Dg5 = 5, 0x65;
    /// Reserved.
    Dg6 = 6, 0x66;
    /// The signature as it is displayed.
    Dg7 = 7, 0x67;
    /// Data features; not defined.
    Dg8 = 8, 0x68;
    /// Structure features; not defined.
    Dg9 = 9, 0x69;
    /// Substance features; not defined.
    Dg10 = 10, 0x6A;
    /// Additional personal details.
    Dg11 = 11, 0x6B;
    /// Additional document details.
    Dg12 = 12, 0x6C;
    /// Optional details, the issuer's own.
    Dg13 = 13, 0x6D;
    /// Security options.
    Dg14 = 14, 0x6E;
    /// The public key of active authentication.
    Dg15 = 15, 0x6F;
    /// Persons to notify.
    Dg16 = 16, 0x70;
}

impl Group {
    /// Returns the number, 1 to 16.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Returns the data group of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.number() == number)
    }

    /// Returns the data group whose file has this outer tag.
    #[must_use]
    pub fn from_tag(tag: Tag) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.tag() == tag)
    }

    /// Says whether every document has it: DG1 and DG2.
    #[must_use]
    pub const fn is_mandatory(self) -> bool {
        matches!(self, Self::Dg1 | Self::Dg2)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DG{}", self.number())
    }
}

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Application {
    /// In the master file, readable before any application is selected.
    MasterFile,
    /// In the LDS application, [`LDS_APPLICATION`].
    Lds,
}

/// An elementary file of a travel document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum File {
    /// EF.COM: versions and the list of data groups.
    Com,
    /// EF.DG1 to EF.DG16.
    Dg(Group),
    /// EF.SOD: the signed hashes.
    Sod,
    /// EF.CVCA: references of the certification authorities that terminals are trusted by.
    Cvca,
    /// EF.CardAccess: how PACE is run.
    CardAccess,
    /// EF.CardSecurity: the same and more, signed.
    CardSecurity,
    /// EF.ATR/INFO: what the chip can.
    AtrInfo,
    /// EF.DIR: which applications there are.
    Dir,
}

impl File {
    /// All files, in the order of [`Ord`].
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut files = vec![Self::Com];
        files.extend(Group::ALL.map(Self::Dg));
        files.extend([
            Self::Sod,
            Self::Cvca,
            Self::CardAccess,
            Self::CardSecurity,
            Self::AtrInfo,
            Self::Dir,
        ]);
        files
    }

    /// Returns the file identifier (*ICAO 9303-10 Table 38; TR-03110-3 §A.1.2 for EF.CVCA*).
    #[must_use]
    pub const fn identifier(self) -> u16 {
        match self {
            Self::Com => 0x011E,
            Self::Dg(group) => 0x0100 | group.number() as u16,
            Self::Sod | Self::CardSecurity => 0x011D,
            Self::Cvca | Self::CardAccess => 0x011C,
            Self::AtrInfo => 0x2F01,
            Self::Dir => 0x2F00,
        }
    }

    /// Returns the short file identifier, 1 to 30.
    #[must_use]
    pub const fn short_identifier(self) -> u8 {
        match self {
            Self::Com | Self::Dir => 0x1E,
            Self::Dg(group) => group.number(),
            Self::Sod | Self::CardSecurity => 0x1D,
            Self::Cvca | Self::CardAccess => 0x1C,
            Self::AtrInfo => 0x01,
        }
    }

    /// Returns where the file stands; identifiers are unique only within that.
    #[must_use]
    pub const fn application(self) -> Application {
        match self {
            Self::Com | Self::Dg(_) | Self::Sod | Self::Cvca => Application::Lds,
            Self::CardAccess | Self::CardSecurity | Self::AtrInfo | Self::Dir => {
                Application::MasterFile
            }
        }
    }

    /// Returns the tag of the one object that is the whole file; none for EF.CVCA, EF.ATR/INFO and
    /// EF.DIR, which are sequences of objects.
    #[must_use]
    pub const fn tag(self) -> Option<Tag> {
        match self {
            Self::Com => Some(Tag::known::<0x60>()),
            Self::Dg(group) => Some(group.tag()),
            Self::Sod => Some(Tag::known::<0x77>()),
            // A SET of SecurityInfos, and a ContentInfo, in DER.
            Self::CardAccess => Some(Tag::known::<0x31>()),
            Self::CardSecurity => Some(Tag::known::<0x30>()),
            Self::Cvca | Self::AtrInfo | Self::Dir => None,
        }
    }

    /// Returns the file that such a name stands for in a folder, as readers and data sets name
    /// them: `EF_COM.bin`, `EF.SOD`, `Datagroup1.bin`, `DG01.bin`, `dg14`, `EF.CardAccess`. Case,
    /// dots, dashes, underscores and spaces make no difference.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        // No name of a file is this long; it is not worth copying.
        if name.len() > 64 || !name.is_ascii() {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let stem = match name.rsplit_once('.') {
            Some((stem, suffix)) if SUFFIXES.contains(&suffix) => stem,
            _ => &name,
        };
        let plain: String = stem
            .chars()
            .filter(|letter| !matches!(letter, '.' | '-' | '_' | ' ' | '/'))
            .collect();
        let plain = plain.strip_prefix("ef").unwrap_or(&plain);
        let group = plain
            .strip_prefix("datagroup")
            .or_else(|| plain.strip_prefix("dg"));
        match (plain, group) {
            ("com", _) => Some(Self::Com),
            ("sod", _) => Some(Self::Sod),
            ("cvca", _) => Some(Self::Cvca),
            ("cardaccess", _) => Some(Self::CardAccess),
            ("cardsecurity", _) => Some(Self::CardSecurity),
            ("atrinfo" | "atr", _) => Some(Self::AtrInfo),
            ("dir", _) => Some(Self::Dir),
            (_, Some(digits))
                if matches!(digits.len(), 1 | 2)
                    && digits.bytes().all(|digit| digit.is_ascii_digit()) =>
            {
                let number = digits.parse().ok()?;
                Group::from_number(number).map(Self::Dg)
            }
            _ => None,
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Com => f.write_str("EF.COM"),
            Self::Dg(group) => write!(f, "EF.{group}"),
            Self::Sod => f.write_str("EF.SOD"),
            Self::Cvca => f.write_str("EF.CVCA"),
            Self::CardAccess => f.write_str("EF.CardAccess"),
            Self::CardSecurity => f.write_str("EF.CardSecurity"),
            Self::AtrInfo => f.write_str("EF.ATR/INFO"),
            Self::Dir => f.write_str("EF.DIR"),
        }
    }
}

impl From<Group> for File {
    fn from(group: Group) -> Self {
        Self::Dg(group)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{File, Group};

    #[test]
    fn identifiers_are_unique_in_their_application() {
        let files = File::all();
        let unique = |of: &dyn Fn(&File) -> (bool, u16)| {
            files.iter().map(of).collect::<HashSet<_>>().len() == files.len()
        };
        let place = |file: &File| file.application() == super::Application::Lds;
        assert!(unique(&|file| (place(file), file.identifier())));
        assert!(unique(&|file| (
            place(file),
            u16::from(file.short_identifier())
        )));
        assert!(files.is_sorted());
        assert_eq!(files.len(), 23);
    }

    #[test]
    fn the_table_of_the_standard() {
        // ICAO 9303-10, Table 38.
        let tags = [
            "61", "75", "63", "76", "65", "66", "67", "68", "69", "6A", "6B", "6C", "6D", "6E",
            "6F", "70",
        ];
        for (index, (group, tag)) in Group::ALL.into_iter().zip(tags).enumerate() {
            let file = File::Dg(group);
            assert_eq!(usize::from(group.number()), index + 1);
            assert_eq!(usize::from(file.short_identifier()), index + 1);
            assert_eq!(usize::from(file.identifier()), 0x0101 + index);
            assert_eq!(group.tag().to_string(), tag);
            assert_eq!(Group::from_tag(group.tag()), Some(group));
        }
        assert_eq!(Group::from_number(0), None);
        assert_eq!(Group::from_number(17), None);
    }

    #[test]
    fn names_in_folders() {
        for (name, file) in [
            ("EF_COM.bin", File::Com),
            ("EF.COM", File::Com),
            ("com.BIN", File::Com),
            ("EF_SOD.bin", File::Sod),
            ("sod", File::Sod),
            ("Datagroup1.bin", File::Dg(Group::Dg1)),
            ("DataGroup16.bin", File::Dg(Group::Dg16)),
            ("dg1.bin", File::Dg(Group::Dg1)),
            ("DG01.bin", File::Dg(Group::Dg1)),
            ("EF.DG14", File::Dg(Group::Dg14)),
            ("ef_dg15.dat", File::Dg(Group::Dg15)),
            ("Data_Group_7.bin", File::Dg(Group::Dg7)),
            ("EF.CardAccess", File::CardAccess),
            ("EF_CARDACCESS.bin", File::CardAccess),
            ("CardSecurity.der", File::CardSecurity),
            ("EF.ATR/INFO", File::AtrInfo),
            ("EF_ATR_INFO.bin", File::AtrInfo),
            ("EF.DIR", File::Dir),
            ("EF.CVCA", File::Cvca),
        ] {
            assert_eq!(File::from_file_name(name), Some(file), "{name}");
            assert_eq!(File::from_file_name(&file.to_string()), Some(file));
        }
        for name in [
            "",
            "dg",
            "dg0.bin",
            "dg17.bin",
            "dg001.bin",
            "dg+1",
            "DG14_pk.bin",
            "DG14_sk.pkcs8",
            "EF_SOD_etsi_tr103200.bin",
            "dsc_de_0130846f2b3e.cer",
            "portrait.jpg",
            "dg1.json",
            "ef",
            "dg１",
        ] {
            assert_eq!(File::from_file_name(name), None, "{name}");
        }
    }
}
