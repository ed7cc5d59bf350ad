//! The chips that can be made: a table. A new variant of the same OS is one more row.

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
    /// Memory for files, PINs and keys, bytes.
    pub memory: usize,
    /// Longest command data field, bytes, chained or extended.
    pub command_data: usize,
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
];

/// What the products share: one silicon, one operating system.
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
