//! PIN and PUK.

use super::{Host, PIN, PUK, SELECT};

/// 0815, padded.
const OTHER: &str = "30383135000000000000000000000000";

#[test]
fn puk_and_pin_are_set_in_their_order() {
    let mut host = Host::blank("isoapplet-v0");
    host.expect("00200001", 0x9000);
    host.expect(&format!("0024000110{PIN}"), 0x6A86);
    host.expect("00240102083132333435363738", 0x6700);
    host.expect(&format!("0024010210{PUK}"), 0x9000);
    host.expect(&format!("0024010210{PUK}"), 0x6A86);
    host.expect(&format!("002C000120{PUK}{PIN}"), 0x6986);
    host.expect("0024010103313233", 0x6700);
    host.expect(&format!("0024010111{PIN}00"), 0x6700);
    host.expect("002401010434373131", 0x9000);
    host.expect(&format!("0024010110{PIN}"), 0x6A86);
    // Set, and not verified by that.
    host.expect("00200001", 0x63C3);
    host.expect("002241000680 01EC840101", 0x6982);
    host.verify();
    // VERIFY without data never tells that the PIN is verified.
    host.expect("00200001", 0x63C3);
}

#[test]
fn three_wrong_pins_block_and_the_puk_unblocks() {
    for product in ["isoapplet-v0", "isoapplet-v1"] {
        let mut host = Host::activated(product);
        host.expect("002000010430303030", 0x63C2);
        host.expect("002241000680 01EC840101", 0x6982);
        host.expect("002000010430303030", 0x63C1);
        host.verify();
        for left in [0x63C2, 0x63C1, 0x63C0, 0x63C0] {
            host.expect("002000010430303030", left);
        }
        host.expect(&format!("0020000110{PIN}"), 0x63C0);
        host.expect(&format!("002C000110{PUK}"), 0x6700);
        host.expect(&format!("002C000220{PUK}{OTHER}"), 0x6A86);
        host.expect(&format!("002C000120{PIN}{OTHER}"), 0x63C4);
        host.expect(&format!("002C000114{PUK}30383135"), 0x9000);
        host.expect("002241000680 01EC840101", 0x6982);
        host.expect(&format!("0020000110{OTHER}"), 0x9000);
        // Five wrong PUKs end that.
        for left in [0x63C4, 0x63C3, 0x63C2, 0x63C1, 0x63C0] {
            host.expect(&format!("002C000120{PIN}{OTHER}"), left);
        }
        host.expect(&format!("002C000120{PUK}{OTHER}"), 0x63C0);
    }
}

#[test]
fn a_pin_may_be_set_without_a_puk_for_good() {
    for (product, left) in [("isoapplet-v0", 0x63C4), ("isoapplet-v1", 0x63C0)] {
        let mut host = Host::blank(product);
        host.expect("002401010434373131", 0x9000);
        host.expect(&format!("0024010210{PUK}"), 0x6A86);
        host.expect(&format!("002C000120{PUK}{PIN}"), left);
    }
}

#[test]
fn the_holder_changes_the_pin_knowing_it() {
    let mut host = Host::activated("isoapplet-v1");
    host.expect(&format!("0024000118{PIN}3038313500000000"), 0x6700);
    host.expect(&format!("0024000120{OTHER}{OTHER}"), 0x63C2);
    host.expect(&format!("0024000120{PIN}{OTHER}"), 0x9000);
    host.expect("002241000680 01EC840101", 0x6982);
    host.expect("00200001", 0x63C3);
    host.expect("002000010430383135", 0x9000);
    host.expect("0020000103303831", 0x6700);
    host.expect(&format!("0020000111{OTHER}00"), 0x6700);
    host.expect("002000020430383135", 0x6A86);
    // A selection, and a reset, forget it.
    host.expect(SELECT, 0x9000);
    host.expect("002241000680 01EC840101", 0x6982);
}
