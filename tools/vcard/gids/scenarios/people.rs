//! The holder and the administrator.

use card::{Command, Response, Status};
use openssl::symm::Mode;

use super::bench::{ADMIN, ASK, Bench, CHOOSE_ADMIN, FORGET, VERIFY, cbc};
use crate::gids::start;
use crate::vectors::unhex;

#[test]
fn the_pin_is_tried_counted_and_changed() {
    let mut bench = Bench::new();
    let tries = |bench: &mut Bench| bench.ok("00CB3FFF04 5C027F71 00")[5];
    assert_eq!(
        bench.ok("00CB3FFF04 5C027F72 00"),
        unhex("7F7206970103930103")
    );
    bench.refused("00CB3FFF04 5C027F73 00", 0x6A88);
    bench.refused(ASK, 0x63C3);
    bench.refused("0020008003 313233", 0x63C3);
    bench.refused("0020018004 31323334", 0x6A86);
    bench.refused("0020008104 31323334", 0x6A88);
    bench.refused("0024018004 35363738", 0x6982);
    assert_eq!(bench.send("0020008004 39393939").1, 0x63C2);
    bench = bench.woken();
    assert_eq!(tries(&mut bench), 2);
    bench.ok(VERIFY);
    assert_eq!(tries(&mut bench), 3);
    // Asked, it tells the tries whether it is verified or not.
    bench.refused(ASK, 0x63C3);
    bench.refused("0024008007 31323334 353637", 0x63C3);
    bench.ok("0024008009 31323334 3536373839");
    bench.ok("00DBA01004 DF22 01 01");
    bench.ok("0024018004 31323334");
    bench.refused("00DBA01004 DF22 01 02", 0x6982);
    bench.refused("0024028004 31323334", 0x6A86);
    for left in [2, 1, 0] {
        assert_eq!(bench.send("0024008008 39393939 31323334").1, 0x63C0 + left);
    }
    bench = bench.woken();
    bench.refused(VERIFY, 0x6983);
    bench.refused(ASK, 0x6983);
    bench.refused("0024008008 31323334 35363738", 0x6983);
    bench.refused("002C028004 31323334", 0x6982);
    assert_eq!(bench.authenticate(ADMIN), 0x9000);
    bench.refused("002C028003 313233", 0x6700);
    bench.refused("002C028104 31323334", 0x6A88);
    bench.refused("002C008004 31323334", 0x6A86);
    bench.ok("002C028004 31323334");
    bench.refused("002C028004 31323334", 0x6982);
    bench.ok(VERIFY);
    bench.ok(FORGET);
    bench.refused("00DBA01004 DF22 01 02", 0x6982);
}

#[test]
fn the_administrator_is_proved_one_way() {
    let mut bench = Bench::new();
    bench.refused("0087000004 7C02 8200 00", 0x6985);
    bench.refused("0087000004 7D02 8100 00", 0x6984);
    bench.refused("0087000005 7C03 810100 00", 0x6984);
    bench.refused("0087000104 7C02 8100 00", 0x6A86);
    assert_eq!(bench.authenticate(&ADMIN.replace('c', "d")), 0x6982);
    // What was drawn is good for one try.
    bench.refused("008700000C 7C0A 8208 0000000000000000", 0x6985);
    assert_eq!(bench.authenticate(ADMIN), 0x9000);
    bench.ok("00DBA01204 DF20 01 07");
    // Another challenge ends it.
    bench.ok("0087000004 7C02 8100 00");
    bench.refused("00DBA01204 DF20 01 09", 0x6982);
    // Without the key's choice nothing is compared.
    bench.select();
    bench.ok("0087000004 7C02 8100 00");
    bench.refused("008700000C 7C0A 8208 0000000000000000", 0x6985);
}

#[test]
fn chip_and_administrator_prove_themselves() {
    let mut bench = Bench::new();
    bench.ok(CHOOSE_ADMIN);
    let terminal = [0x11; 16];
    let ask = [&unhex("7C128110")[..], &terminal].concat();
    let (drawn, _) = bench.whole([0, 0x87, 0, 0], &ask);
    assert_eq!(drawn[..4], unhex("7C128110"));
    let plain = [&drawn[4..], &terminal, &unhex("01020304050607 80")].concat();
    let response = [unhex("7C2A8228"), cbc(Mode::Encrypt, ADMIN, &plain)].concat();
    let (answer, status) = bench.whole([0, 0x87, 0, 0], &response);
    assert_eq!((status, &answer[..4]), (0x9000, &unhex("7C2A8228")[..]));
    let proof = cbc(Mode::Decrypt, ADMIN, &answer[4..]);
    assert_eq!(proof[..32], [&terminal[..], &drawn[4..]].concat());
    assert_eq!(proof[39], 0x80);
    bench.ok("00DBA01204 DF20 01 07");

    // The session again, on a chip that is told what was drawn.
    let mut again = Bench::new();
    again.ok(CHOOSE_ADMIN);
    for (data, recorded) in [(ask, drawn), (response.clone(), answer)] {
        let command = Command::new(0, 0x87, 0, 0).with_data(data).with_le(256);
        let response = Response::new(recorded.clone(), Status::OK);
        again
            .applet
            .foresee(&command, &response, &mut again.entropy);
        assert_eq!(again.transmit(&command), (recorded, Status::OK));
    }
    // The mark behind the terminal's share is missing.
    let (drawn, _) = again.whole(
        [0, 0x87, 0, 0],
        &[&unhex("7C128110")[..], &terminal].concat(),
    );
    let plain = [&drawn[4..], &terminal, &[0; 8]].concat();
    let response = [unhex("7C2A8228"), cbc(Mode::Encrypt, ADMIN, &plain)].concat();
    assert_eq!(again.whole([0, 0x87, 0, 0], &response), (vec![], 0x6982));
}

#[test]
fn the_administrators_key_is_replaced_by_itself_only() {
    let new = ADMIN.replace('a', "2");
    let put = format!("00DB3FFF21 701F 840180 A51A 8718{new}");
    let mut bench = Bench::new();
    bench.ok(VERIFY);
    bench.refused(&put, 0x6982);
    bench.refused("00CB3FFF0A 7008 840180 A5037F4980 00", 0x6982);
    assert_eq!(bench.authenticate(ADMIN), 0x9000);
    let short = "00DB3FFF11 700F 840180 A50A 8708 0102030405060708";
    bench.refused(short, 0x6984);
    bench.ok(&put);
    let mut bench = bench.woken();
    assert_eq!(bench.authenticate(ADMIN), 0x6982);
    assert_eq!(bench.authenticate(&new), 0x9000);
}

#[test]
fn a_memory_wakes_as_it_was_and_a_session_does_not() {
    let (mut bench, _) = Bench::with_key();
    assert_eq!(bench.woken().memory(), bench.memory());
    assert!(start(Some(serde_json::json!({"pin": 7}))).is_err());
    bench.applet.reset();
    bench.refused("00DBA01004 DF22 01 01", 0x6982);
    bench.ok(VERIFY);
    bench.select();
    bench.refused("00DBA01004 DF22 01 01", 0x6982);
}
