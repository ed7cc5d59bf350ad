//! What the applet does and refuses, seen from its host; expectations are the manual's, and
//! openssl judges what the applet computes.

mod card;
mod files;
mod keys;
mod opensc;
mod pins;

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::Public;

use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::product::Product;
use crate::store::Memory;
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

const SELECT: &str = "00A404000CF276A288BCFBA69D34F3100100";
const PUK: &str = "31323334353637383132333435363738";
/// 4711, padded.
const PIN: &str = "34373131000000000000000000000000";
/// The domain parameters of P-256, as OpenSC sends them.
const P256: &str = "8120FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF\
    8220FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC\
    83205AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B\
    8441046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
    4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5\
    8520FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551870200 01";

/// A chip and its host.
struct Host {
    chip: Chip,
}

impl Host {
    /// Takes a blank, with the applet selected.
    fn blank(product: &str) -> Self {
        let mut host = Self::unselected(product);
        host.expect(SELECT, 0x9000);
        host
    }

    fn unselected(product: &str) -> Self {
        let number = ChipNumber::new([0x12, 0x34], [1, 2, 3, 4]);
        let keys = TransportMasterKey::new([0x55; 16]);
        let product = Product::find(product).unwrap();
        let chip = Chip::blank(product, number, &keys, Memory).unwrap();
        Self { chip }
    }

    /// Takes a chip with PUK and PIN, the PIN verified.
    fn activated(product: &str) -> Self {
        let mut host = Self::blank(product);
        host.expect(&format!("0024010210{PUK}"), 0x9000);
        host.expect("002401010434373131", 0x9000);
        host.verify();
        host
    }

    fn verify(&mut self) {
        self.expect(&format!("0020000110{PIN}"), 0x9000);
    }

    /// Sends one APDU and checks its status word.
    #[track_caller]
    fn expect(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let mut answer = self.chip.process(&unhex(hex));
        let word: [u8; 2] = answer.split_off(answer.len() - 2).try_into().unwrap();
        assert_eq!(hex::encode_upper(word), format!("{status:04X}"), "{hex}");
        answer
    }

    /// Makes an EC key on P-256 and returns its public key.
    fn key(&mut self, reference: u8) -> Vec<u8> {
        self.expect(&format!("002241000680 01EC8401{reference:02X}"), 0x9000);
        let data = P256.replace(' ', "");
        let answer = if self.chip.product().transmission.extended {
            self.expect(&format!("004600000000CF{data}0000"), 0x9000)
        } else {
            let mut answer = self.expect(&format!("00460000CF{data}00"), 0x6117);
            answer.extend(self.expect("00C0000017", 0x9000));
            answer
        };
        assert_eq!(answer[..5], [0x7F, 0x49, 0x82, 0x01, 0x12]);
        assert_eq!(answer[5..5 + 0xCB], unhex(&data)[..0xCB]);
        assert_eq!(answer[answer.len() - 4..], [0x87, 0x02, 0x00, 0x01]);
        answer[5 + 0xCB + 2..answer.len() - 4].to_vec()
    }
}

fn public(point: &[u8]) -> EcKey<Public> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, point, &mut context).unwrap();
    EcKey::from_public_key(&group, &point).unwrap()
}
