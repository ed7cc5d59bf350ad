//! The chips that can be made: a table. A new variant of the same OS is one more row; a new
//! applet is one more row, one kind, and one arm where it starts.

use crate::applet::Applet;
use crate::eid::state::MAIN_AID;
use crate::gids;
use crate::icao;
use crate::isoapplet;
use crate::mrtd;
use crate::openpgp;
use crate::piv;
use crate::scp::Scp;
use crate::transmission::{Chaining, Excess, Transmission};

/// A chip product: what its blanks have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Short name, as on the command line.
    pub id: &'static str,
    /// Answer to reset.
    pub atr: &'static [u8],
    /// CPLC: IC fabricator.
    pub fabricator: [u8; 2],
    /// CPLC: IC type.
    pub ic_type: [u8; 2],
    /// CPLC: operating system identifier.
    pub os: [u8; 2],
    /// CPLC: operating system release date, `YDDD`.
    pub os_date: [u8; 2],
    /// CPLC: operating system release level.
    pub os_level: [u8; 2],
    /// CPLC: IC fabrication date, `YDDD`.
    pub fabrication_date: [u8; 2],
    /// Issuer identification number (GET DATA 0042).
    pub issuer: &'static [u8],
    /// Memory for files, PINs and keys, bytes. An applet may reserve less for itself.
    pub memory: usize,
    /// Longest command data field, bytes, chained or extended.
    pub command_data: usize,
    /// How its commands and answers travel.
    pub transmission: Transmission,
    /// The secure channel of its security domain.
    pub scp: Scp,
    /// AID of its application.
    pub application: &'static [u8],
    /// What runs on it.
    pub(crate) software: Software,
}

/// What runs on a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    /// The eID chips' operating system.
    Eid,
    /// A Java Card with this applet.
    JavaCard(AppletKind),
}

/// The applets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppletKind {
    /// A Generic Identity Device.
    Gids,
    /// A modern travel document.
    Icao(icao::Build),
    /// IsoApplet, a PKCS#15 card.
    IsoApplet(isoapplet::Build),
    /// An ICAO passport.
    Mrtd,
    /// An OpenPGP card application.
    OpenPgp,
    /// A PIV Card Application.
    Piv,
}

impl AppletKind {
    /// Starts the applet on a card with so many bytes for it: with this memory, or as
    /// installed.
    pub(crate) fn start(
        self,
        room: usize,
        memory: Option<serde_json::Value>,
    ) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
        match self {
            Self::Gids => gids::start(memory),
            Self::Icao(build) => icao::start(build, room, memory),
            Self::IsoApplet(build) => isoapplet::start(build, room, memory),
            Self::Mrtd => memory.map_or_else(|| Ok(mrtd::blank()), mrtd::wake),
            Self::OpenPgp => openpgp::start(memory),
            Self::Piv => piv::start(memory),
        }
    }
}

/// Every product, in no particular order.
pub const PRODUCTS: &[Product] = &[
    Product {
        id: "lateid-v2",
        atr: &[
            0x3B, 0xDB, 0x96, 0x00, 0x80, 0xB1, 0xFE, 0x45, 0x1F, 0x83, 0x00, 0x12, 0x42, 0x8F,
            0x53, 0x65, 0x49, 0x44, 0x0F, 0x90, 0x00, 0x20,
        ],
        os_level: [0x03, 0x02],
        issuer: &[0x04, 0x28, 0x00, 0x01],
        ..OS
    },
    Product {
        id: "esteid-2018",
        atr: &[
            0x3B, 0xDB, 0x96, 0x00, 0x80, 0xB1, 0xFE, 0x45, 0x1F, 0x83, 0x00, 0x12, 0x23, 0x3F,
            0x53, 0x65, 0x49, 0x44, 0x0F, 0x90, 0x00, 0xF1,
        ],
        os_level: [0x03, 0x01],
        issuer: &[0x02, 0x33, 0x00, 0x01],
        ..OS
    },
    Product {
        id: "isoapplet-v0",
        software: isoapplet(isoapplet::Version::V0, false),
        ..ISOAPPLET_V0
    },
    Product {
        id: "isoapplet-v0-import",
        software: isoapplet(isoapplet::Version::V0, true),
        ..ISOAPPLET_V0
    },
    Product {
        id: "isoapplet-v1",
        software: isoapplet(isoapplet::Version::V1, false),
        ..ISOAPPLET_V1
    },
    Product {
        id: "isoapplet-v1-import",
        software: isoapplet(isoapplet::Version::V1, true),
        ..ISOAPPLET_V1
    },
    Product {
        id: "gids",
        application: gids::AID,
        transmission: Transmission {
            extended: false,
            // PERFORM SECURITY OPERATION, GENERATE ASYMMETRIC KEY PAIR, PUT DATA.
            chaining: Chaining::Of(&[0x2A, 0x47, 0xDB]),
            excess: Excess::Kept,
        },
        software: Software::JavaCard(AppletKind::Gids),
        ..J3R180
    },
    Product {
        id: "icao-lds",
        command_data: 4096,
        software: Software::JavaCard(AppletKind::Icao(icao::Build { answer: 4096 })),
        ..ICAO_LDS
    },
    Product {
        id: "icao-lds-short",
        // The card capabilities without extended length.
        atr: &[
            0x3B, 0x88, 0x80, 0x01, 0x80, 0x73, 0x96, 0x21, 0x80, 0x82, 0x90, 0x00, 0xDF,
        ],
        transmission: Transmission {
            extended: false,
            ..ICAO_LDS.transmission
        },
        software: Software::JavaCard(AppletKind::Icao(icao::Build { answer: 223 })),
        ..ICAO_LDS
    },
    Product {
        id: "mrtd-applet",
        application: mrtd::AID,
        transmission: Transmission {
            extended: true,
            chaining: Chaining::None,
            excess: Excess::Lost,
        },
        software: Software::JavaCard(AppletKind::Mrtd),
        ..J3R180
    },
    Product {
        id: "openpgp",
        application: openpgp::AID,
        command_data: openpgp::LONGEST_DATA,
        software: Software::JavaCard(AppletKind::OpenPgp),
        ..J3R180
    },
    Product {
        id: "piv",
        application: piv::AID,
        transmission: Transmission {
            extended: true,
            // GENERAL AUTHENTICATE, PUT DATA, IMPORT ASYMMETRIC KEY.
            chaining: Chaining::Only(&[0x87, 0xDB, 0xFE]),
            excess: Excess::Pieces,
        },
        software: Software::JavaCard(AppletKind::Piv),
        ..J3R180
    },
];

/// IsoApplet 0.6.
const ISOAPPLET_V0: Product = Product {
    application: isoapplet::AID,
    transmission: Transmission {
        extended: false,
        // PERFORM SECURITY OPERATION, GENERATE ASYMMETRIC KEY PAIR, PUT DATA.
        chaining: Chaining::Of(&[0x2A, 0x46, 0xDB]),
        excess: Excess::Owed,
    },
    ..J2A080
};

/// IsoApplet 1.0.
const ISOAPPLET_V1: Product = Product {
    application: isoapplet::AID,
    transmission: Transmission {
        extended: true,
        chaining: Chaining::None,
        excess: Excess::Lost,
    },
    ..J3R180
};

const fn isoapplet(version: isoapplet::Version, import: bool) -> Software {
    Software::JavaCard(AppletKind::IsoApplet(isoapplet::Build { version, import }))
}

/// A contactless Java Card of travel documents. Its answer to reset is what a reader makes of
/// the card's historical bytes (PC/SC part 3 §3.1.3.2.3.1): card capabilities, and a status
/// indicator (ISO/IEC 7816-4 §12.1.1).
const ICAO_LDS: Product = Product {
    atr: &[
        0x3B, 0x88, 0x80, 0x01, 0x80, 0x73, 0x96, 0x21, 0xC0, 0x82, 0x90, 0x00, 0x9F,
    ],
    application: icao::AID,
    transmission: Transmission {
        extended: true,
        chaining: Chaining::Applet,
        excess: Excess::Kept,
    },
    issuer: &[0x47, 0x90, 0x00, 0x03],
    ..J3R180
};

/// A Java Card 2.2.2 of 2008 to 2012, 80 kB, of which applets leave 64.
const J2A080: Product = Product {
    atr: &[
        0x3B, 0xF8, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x45, 0x4A, 0x43, 0x4F, 0x50, 0x76, 0x32,
        0x34, 0x31, 0xB7,
    ],
    fabricator: [0x47, 0x90],
    ic_type: [0x50, 0x40],
    os: [0x47, 0x91],
    os_date: [0x81, 0x02],
    os_level: [0x31, 0x00],
    fabrication_date: [0x03, 0x15],
    issuer: &[0x47, 0x90, 0x00, 0x01],
    scp: Scp::SCP02_I15,
    memory: 65_536,
    command_data: 32_767,
    ..OS
};

/// A Java Card 3.0.5 of 2019, 180 kB, of which applets leave 160.
const J3R180: Product = Product {
    atr: &[
        0x3B, 0xD5, 0x18, 0xFF, 0x81, 0x91, 0xFE, 0x1F, 0xC3, 0x80, 0x73, 0xC8, 0x21, 0x10, 0x0A,
    ],
    fabricator: [0x47, 0x90],
    ic_type: [0xD3, 0x21],
    os: [0x47, 0x00],
    os_date: [0x00, 0x00],
    os_level: [0x00, 0x00],
    fabrication_date: [0x91, 0x22],
    issuer: &[0x47, 0x90, 0x00, 0x02],
    memory: 163_840,
    command_data: 32_767,
    ..OS
};

/// What the eID products share: one silicon, one operating system.
const OS: Product = Product {
    id: "",
    atr: &[],
    fabricator: [0x40, 0x90],
    ic_type: [0x78, 0x61],
    os: [0x7A, 0x67],
    os_date: [0x63, 0x51],
    os_level: [0x00, 0x00],
    fabrication_date: [0x64, 0x12],
    issuer: &[],
    memory: 49_152,
    command_data: 4096,
    transmission: Transmission {
        extended: true,
        chaining: Chaining::Any,
        excess: Excess::Kept,
    },
    scp: Scp::SCP03_I70,
    application: &MAIN_AID,
    software: Software::Eid,
};

impl Product {
    /// Returns the product of that name.
    pub fn find(id: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_to_reset_ends_in_its_check_byte() {
        // ISO/IEC 7816-3 §8.2.5: the exclusive or of T0 to TCK is null.
        for product in PRODUCTS {
            let check = product.atr[1..].iter().fold(0, |sum, byte| sum ^ byte);
            assert_eq!(check, 0, "{}", product.id);
        }
    }

    #[test]
    fn products_are_told_apart() {
        assert_eq!(Product::find("lateid-v2"), Some(&PRODUCTS[0]));
        assert_ne!(PRODUCTS[0].atr, PRODUCTS[1].atr);
        assert_ne!(PRODUCTS[0].os_level, PRODUCTS[1].os_level);
        assert_eq!(Product::find("other"), None);
    }
}
