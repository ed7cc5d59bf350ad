//! Key pairs that the centre makes: the public part is given, the private part is in the commands
//! and nowhere else.

use api::{Centre, ConfirmRequest};
use cert::PublicKey;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcKey, EcPoint};
use openssl::pkey::PKey;

use super::house::{operator, with_adapted_house};
use super::small_chips::{SERIALS, data, installed, is_written, leased, sealed};
use crate::Config;

const IMPORTING: &str = "importing";

fn importing(config: &mut Config) {
    let keys = r#"
[keys.rsa]
application = "domain"
reference = 0x11
algorithm = "rsa2048"
pin = "pin1"
[keys.ec]
application = "domain"
reference = 0x12
algorithm = "p384"
pin = "pin1"
[[operations.import_key]]
header = "00 DB 3F u8(key.reference)"
data = "key.private"
[[stages]]
name = "import"
select = "domain"
sealed = true
steps = ["import_key rsa", "import_key ec"]
[[stages]]
name = "pins"
select = "domain"
sealed = true
steps = ["set_holder_pin pin1", "set_holder_pin puk", "set_state closed"]
"#;
    let document = "[chips.keys.rsa]\n[chips.keys.ec]\n";
    installed(config, IMPORTING, keys, document);
}

#[test]
fn an_imported_key_leaves_its_public_part_alone() {
    with_adapted_house(
        "scenarios::imported::an_imported_key_leaves_its_public_part_alone",
        importing,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, IMPORTING, SERIALS[0], "a").await;
            let request = sealed(&lease, SERIALS[0], "import", None);
            let grant = central.seal(&operator(), &request).await.unwrap();
            let again = central.seal(&operator(), &request).await.unwrap();
            assert!(
                again == grant,
                "a lost answer is given again, with the same keys"
            );
            assert_eq!(grant.publics.keys().collect::<Vec<_>>(), ["ec", "rsa"]);
            assert_eq!(grant.commands.len(), 2);

            // Each private key belongs to its public one, says openssl.
            let rsa = PKey::public_key_from_der(&grant.publics["rsa"]).unwrap();
            let rsa = rsa.rsa().unwrap();
            let private = data(&grant.commands[0]);
            assert_eq!((private.len(), rsa.size()), (256, 256));
            let mut context = BigNumContext::new().unwrap();
            let message = BigNum::from_u32(0x1234_5678).unwrap();
            let (mut signed, mut back) = (BigNum::new().unwrap(), BigNum::new().unwrap());
            let exponent = BigNum::from_slice(&private).unwrap();
            signed
                .mod_exp(&message, &exponent, rsa.n(), &mut context)
                .unwrap();
            back.mod_exp(&signed, rsa.e(), rsa.n(), &mut context)
                .unwrap();
            assert_eq!(back, message);

            let ec = PKey::public_key_from_der(&grant.publics["ec"]).unwrap();
            let ec: EcKey<_> = ec.ec_key().unwrap();
            let scalar = data(&grant.commands[1]);
            assert_eq!(scalar.len(), 48);
            let mut point = EcPoint::new(ec.group()).unwrap();
            let number = BigNum::from_slice(&scalar).unwrap();
            point
                .mul_generator2(ec.group(), &number, &mut context)
                .unwrap();
            assert!(point.eq(ec.group(), ec.public_key(), &mut context).unwrap());
            for spki in grant.publics.values() {
                PublicKey::from_spki_der(spki).unwrap();
            }

            let confirm = ConfirmRequest {
                lease: lease.id,
                chip: SERIALS[0].into(),
                stage: "import".into(),
                answers: vec![vec![0x90, 0x00]; 2],
            };
            central.confirm(&operator(), &confirm).await.unwrap();
            for secret in [&private[..], &private[64..96], &scalar] {
                assert!(
                    !is_written(&house, secret),
                    "a private key stands in a file"
                );
            }
            assert!(central.seal(&operator(), &request).await.is_err());
        },
    );
}
