//! The same security domain on a card with an applet: the Java Cards.

use super::host::{Host, ISSUER};
use crate::chip::Chip;
use crate::vectors::unhex;

const ISOAPPLET: &str = "F276A288BCFBA69D34F31001";

fn select_applet(host: &mut Host, status: u16) {
    assert_eq!(host.select(&unhex(ISOAPPLET)).1, status);
}

/// Selects the applet and sets its PIN.
fn with_pin(product: &str) -> Host {
    let mut host = Host::blank_of(product);
    select_applet(&mut host, 0x9000);
    host.expect("002401010431323334", 0x9000);
    host
}

#[test]
fn keys_are_changed_and_the_applet_keeps_its_memory() {
    for product in ["isoapplet-v0", "isoapplet-v1"] {
        let mut host = with_pin(product);
        let transport = host.transport();
        host.isd().open_transport(0x33);
        let status = host.secure("80F24002024F0000", 0x9000);
        assert_eq!(hex::encode_upper(&status[4..16]), ISOAPPLET);
        host.secure(&format!("80F0400F0C{ISOAPPLET}"), 0x6985);
        host.secure(&Host::put_key(&transport[2], 0, 0x30, &ISSUER), 0x9000);
        let image = host.chip.snapshot().unwrap();
        let mut again = Host::of(Chip::restore(&image).unwrap());
        again.isd().open(0x30, &ISSUER, 0x33);
        // The session is the domain's: a selection ends it, and the applet has its PIN.
        select_applet(&mut again, 0x9000);
        again.expect("00200001", 0x63C3);
        again.expect("002000010431323334", 0x9000);
        again.expect("84F24002024F0000", 0x6882);
    }
}

#[test]
fn a_locked_card_hides_its_applet() {
    let mut host = with_pin("isoapplet-v1");
    host.isd().open_transport(0x33);
    host.secure("80F0800F", 0x9000);
    host.secure("80F0807F", 0x9000);
    select_applet(&mut host, 0x6A82);
    assert_eq!(host.select(&unhex("A000000151000000")).1, 0x6283);
    host.open_transport(0x33);
    host.secure("80F0800F", 0x9000);
    select_applet(&mut host, 0x9000);
    host.isd().open_transport(0x33);
    host.secure("80F080FF", 0x9000);
    select_applet(&mut host, 0x6985);
    host.expect("80CA9F7F00", 0x9000);
}
