//! Passwords: verified, counted, changed, unblocked.

use super::bench::{Bench, PW1_OTHER, PW1_SIGN, PW3, WRONG_PW1};

#[test]
fn passwords_are_verified_asked_for_and_forgotten() {
    let mut bench = Bench::new();
    for (mode, password) in [("81", PW1_SIGN), ("82", PW1_OTHER), ("83", PW3)] {
        let ask = format!("002000{mode}");
        bench.refused(&ask, 0x63C3);
        bench.ok(password);
        bench.ok(&ask);
        bench.refused(&format!("0020FF{mode}0131"), 0x6700);
        bench.ok(&format!("0020FF{mode}"));
        bench.refused(&ask, 0x63C3);
        bench.ok(password);
    }
    bench.ok("00200081");
    bench.select();
    bench.refused("00200081", 0x63C3);
    bench.ok(PW1_OTHER);
    // A wrong PW1 ends both of its modes, and leaves PW3's alone.
    bench.ok(PW3);
    assert_eq!(bench.send(WRONG_PW1).1, 0x6982);
    bench.refused("00200082", 0x63C2);
    bench.ok("00200083");
    for (text, status) in [
        ("0020008105 3132333435", 0x6700),
        ("0020008307 31323334353637", 0x6700),
        ("0020008006 313233343536", 0x6B00),
        ("0020018106 313233343536", 0x6B00),
        ("0024008206 313233343536", 0x6B00),
        ("0024018106 313233343536", 0x6B00),
        ("002400810B 3132333435363132333435", 0x6700),
        ("002C01810C 313233343536313233343536", 0x6B00),
        ("002C008206 313233343536", 0x6B00),
        ("002C028105 3132333435", 0x6700),
        ("002C00810E 3132333435363738313233343536", 0x6983),
    ] {
        bench.refused(text, status);
    }
    assert_eq!(bench.whole("00200081", &[0x31; 128]).1, 0x6700);
    assert_eq!(bench.status()[4..], [2, 0, 3]);
}

#[test]
fn errors_are_counted_over_resets() {
    let mut bench = Bench::new();
    for left in [2, 1, 0] {
        assert_eq!(bench.send(WRONG_PW1).1, 0x6982);
        bench = bench.woken();
        assert_eq!(bench.status()[4], left);
    }
    bench.refused(PW1_SIGN, 0x6983);
    bench.refused(PW1_OTHER, 0x6983);
    bench.refused("00200081", 0x63C0);
    bench.refused("002400810C 313233343536 363534333231", 0x6983);
    bench.refused("002C028106 363534333231", 0x6982);
    bench.ok(PW3);
    bench.ok("002C028106 363534333231");
    bench.refused("00200081", 0x63C3);
    bench.ok("0020008106 363534333231");
}

#[test]
fn passwords_are_changed_from_the_old_ones() {
    let mut bench = Bench::new();
    bench.ok(PW1_OTHER);
    bench.ok("002400810E 313233343536 3635343332313030");
    bench.refused("00200082", 0x63C3);
    assert_eq!(bench.send(PW1_SIGN).1, 0x6982);
    bench.ok("0020008108 3635343332313030");
    // PW3 counts as verified after its change.
    bench.ok("0024008310 3132333435363738 3837363534333231");
    bench.ok("00200083");
    assert_eq!(
        bench.send("0024008310 3132333435363738 3131313131313131").1,
        0x6982
    );
    bench.refused("00200083", 0x63C2);
    let mut woken = bench.woken();
    woken.ok("0020008308 3837363534333231");
    assert_eq!(woken.status()[4..], [3, 0, 3]);
}

#[test]
fn the_resetting_code_unblocks() {
    let mut bench = Bench::admin();
    bench.refused("00DA00D307 31313131313131", 0x6700);
    bench.ok("00DA00D30A 30303030303030303030");
    assert_eq!(bench.status()[4..], [3, 3, 3]);
    assert_eq!(
        bench.send("002C008110 31303030303030303030 373737373737").1,
        0x6982
    );
    assert_eq!(bench.status()[5], 2);
    bench.ok("002C008110 30303030303030303030 373737373737");
    bench.ok("0020008106 373737373737");
    assert_eq!(bench.status()[5], 3);
    let mut woken = bench.woken();
    for left in [2, 1, 0] {
        let refused = woken.send("002C008110 31303030303030303030 373737373737");
        assert_eq!((refused.1, woken.status()[5]), (0x6982, left));
    }
    woken.refused("002C008110 30303030303030303030 373737373737", 0x6983);
    woken.ok(PW3);
    woken.ok("00DA00D3");
    assert_eq!(woken.status()[5], 0);
}
