//! Every fault at every point of a job: it is typed, the card is accounted, and no face is on two
//! cards unnoticed.

use std::time::{Duration, Instant};

use super::*;

/// How an error is called here.
fn kind(error: &PrinterError) -> String {
    match error {
        PrinterError::Lost { .. } => "lost".into(),
        PrinterError::Nonsense { .. } => "nonsense".into(),
        PrinterError::Miscounted { .. } => "miscounted".into(),
        PrinterError::Fault { fault, .. } => format!("{fault:?}"),
        other => panic!("{other}"),
    }
}

/// What each mishap is to the host.
fn expected(mishap: Mishap, point: Point) -> Option<&'static str> {
    Some(match (mishap, point) {
        (Mishap::NoCard, Point::Feed) => "HopperEmpty",
        (Mishap::Half, Point::Panel('y')) | (Mishap::NoCard, _) => return None,
        (Mishap::Half, Point::Panel(_)) => "Mechanical",
        (Mishap::Half, _) => return None,
        (Mishap::RibbonOut, Point::Panel(_)) => "RibbonOut",
        (Mishap::RibbonOut, _) => return None,
        (Mishap::Jam | Mishap::Slip, _) => "Mechanical",
        (Mishap::CoverOpen, _) => "CoverOpen",
        (Mishap::PowerLoss | Mishap::Mute | Mishap::Late | Mishap::Unplugged, _) => "lost",
        (Mishap::Garbage, _) => "nonsense",
        (Mishap::Swap, _) => "miscounted",
    })
}

/// The card of a job that failed at a point, as the error must say it.
fn fates(mishap: Mishap, point: Point) -> &'static [CardFate] {
    match (mishap, point) {
        (Mishap::NoCard, Point::Feed) => &[CardFate::Unmoved],
        (_, Point::Feed) => &[CardFate::Unknown],
        (_, Point::Station) => &[CardFate::Unknown],
        _ => &[CardFate::Marked],
    }
}

/// Connects again, when the cable is in again.
fn reconnect(printer: &mut EscPrinter) -> Result<(), PrinterError> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match printer.reconnect() {
            Err(PrinterError::Unreachable { .. }) if Instant::now() < until => {
                std::thread::yield_now();
            }
            done => return done,
        }
    }
}

/// Makes a card under a mishap, then another one; returns what came of the first.
fn trial(mishap: Mishap, point: Point, is_serial: bool) {
    let Some(expected) = expected(mishap, point) else {
        return;
    };
    let case = format!("{mishap:?} at {point:?}, serial: {is_serial}");
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { mishap, point };
    let virtual_printer = start(folder.path(), setup(6, &[]));
    let mut printer = match is_serial {
        false => tcp(&virtual_printer, impatient()),
        true => serial(&virtual_printer, impatient()),
    };
    printer.eject(Bin::Reject).unwrap();
    virtual_printer.plan(plan);
    let art = face();
    let error = job(&mut printer, &art).expect_err(&case);
    assert_eq!(kind(&error), expected, "{case}: {error}");
    assert!(
        fates(mishap, point).contains(&error.card()),
        "{case}: {error}"
    );
    assert!(!error.remedy().is_empty());
    // No other order is taken before the card is rejected.
    if error.card() > CardFate::Unmoved {
        let refused = job(&mut printer, &art).expect_err(&case);
        assert!(
            matches!(refused, PrinterError::Order { .. }),
            "{case}: {refused}"
        );
        let refused = printer.eject(Bin::Good).expect_err(&case);
        assert!(
            matches!(refused, PrinterError::Order { .. }),
            "{case}: {refused}"
        );
    }
    // A person comes.
    virtual_printer.service();
    virtual_printer.load([Blank::default()]);
    if matches!(
        error,
        PrinterError::Lost { .. } | PrinterError::Nonsense { .. }
    ) {
        reconnect(&mut printer).expect(&case);
    }
    let before = virtual_printer.cards().len();
    printer.eject(Bin::Reject).expect(&case);
    job(&mut printer, &art).unwrap_or_else(|error| panic!("{case}: {error}"));
    let cards = virtual_printer.cards();
    assert_eq!(
        cards.len(),
        before + 1,
        "{case}: one more card, and no other"
    );
    let (last, spoiled) = cards.split_last().unwrap();
    assert_eq!(
        (last.place, last.front.as_str()),
        (Place::Output, "ymcko"),
        "{case}"
    );
    // A face of the failed job is on one card; on two only where the count said so.
    let marked = spoiled.iter().filter(|card| !card.front.is_empty()).count();
    let most = if mishap == Mishap::Swap { 2 } else { 1 };
    assert!(marked <= most, "{case}: {spoiled:?}");
    if error.card() < CardFate::Marked {
        assert_eq!(marked, 0, "{case}: {spoiled:?}");
    }
    // What lies in the output without being good came there by itself, or before it was said.
    let by_itself = matches!(mishap, Mishap::PowerLoss | Mishap::Swap) || point == Point::Eject;
    for card in spoiled {
        assert!(by_itself || card.place != Place::Output, "{case}: {card:?}");
    }
    assert_eq!(virtual_printer.complaints(), [""; 0], "{case}");
}

/// Where in a job a mishap may come.
const POINTS: [Point; 8] = [
    Point::Feed,
    Point::Station,
    Point::Panel('y'),
    Point::Panel('m'),
    Point::Panel('c'),
    Point::Panel('k'),
    Point::Panel('o'),
    Point::Eject,
];

/// Makes the trials, some at a time: a printer that is silent is waited for.
fn all(is_serial: bool) {
    let trials = Mishap::ALL
        .iter()
        .flat_map(|(_, mishap)| POINTS.iter().map(move |point| (*mishap, *point)));
    let trials = std::sync::Mutex::new(trials);
    let next = || trials.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((mishap, point)) = next() {
                    trial(mishap, point, is_serial);
                }
            });
        }
    });
}

#[test]
fn every_fault_at_every_point_over_tcp() {
    all(false);
}

#[test]
fn every_fault_at_every_point_over_a_serial_line() {
    all(true);
}
