//! What people ask a store for, and how long it takes.

use std::error::Error;
use std::time::Instant;

use central::{Central, PersonQuery};
use document::life_cycle::{ApplicationState, DocumentState};
use jiff::ToSpan;
use jiff::Zoned;
use report::{By, Span};

use super::house::{CODE, actor};
use super::{ASKED, Bare, Figure};

type Done<T> = Result<T, Box<dyn Error>>;

/// A page of a list.
pub(super) const PAGE: u32 = 50;

/// Does something several times, and returns the least milliseconds that it took.
macro_rules! least {
    ($what:expr) => {{
        let mut least = f64::MAX;
        for _ in 0..ASKED {
            let started = Instant::now();
            let _ = $what.await?;
            least = least.min(started.elapsed().as_secs_f64() * 1e3);
        }
        least
    }};
}

/// Asks for what people ask for, each beside its limit.
pub(super) async fn lists(central: &Central, bare: &mut Bare) -> Done<Vec<Figure>> {
    let (auditor, clerk) = (actor("auditor"), actor("clerk"));
    let queued = central
        .documents_after(&auditor, Some(DocumentState::HandedOver), "", 1)
        .await?;
    let number = queued.first().and_then(|one| one.number.clone());
    let number = number.ok_or("nobody has a document")?;
    let read = least!(bare.read(&number));
    let commit = least!(bare.commit());
    let pass = least!(bare.pass());
    let person = PersonQuery {
        code: Some(CODE.into()),
        ..PersonQuery::default()
    };
    let found = central.search(&clerk, &person).await?;
    if found.len() != 1 {
        return Err(format!("{} applications of one person were found", found.len()).into());
    }
    let until = Zoned::now().date();
    let year = Span::new(until.checked_sub(1.year())?, until)?;
    let state = Some(ApplicationState::Received);
    let waiting = Some(DocumentState::Queued);
    let asked = [
        (least!(central.document(&auditor, &number)), read),
        (least!(central.search(&clerk, &person)), read + commit),
        (
            least!(central.applications_after(&clerk, state, "", PAGE)),
            read,
        ),
        (
            least!(central.documents_after(&auditor, waiting, "", PAGE)),
            read,
        ),
        (least!(central.leases_after(&auditor, "", PAGE)), read),
        (
            least!(central.parcels_after(&auditor, false, "", PAGE)),
            read,
        ),
        (least!(central.deliveries_after(&auditor, "", PAGE)), read),
        (least!(central.stock(&auditor)), pass),
        (least!(central.number_figures(&auditor)), pass),
        (least!(central.waiting(&auditor)), pass),
        (least!(central.tallies(&auditor, year)), pass),
        (least!(central.delays(&auditor, year, By::Office)), pass),
    ];
    Ok(asked
        .into_iter()
        .map(|(value, limit)| Figure(value, Some(limit)))
        .collect())
}

/// What copies break: the log has nothing of them, and what is encrypted in them does not open.
const BROKEN: [&str; 2] = ["evidence", "protection"];

/// Audits the books, and returns the seconds. Whatever copies can keep holds.
pub(super) async fn audit(central: &Central) -> Done<f64> {
    let started = Instant::now();
    let audit = central.audit_books(&actor("auditor")).await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut faults = audit.invariants.iter();
    if let Some(broken) = faults.find(|one| !one.faults.is_empty() && !BROKEN.contains(&one.name)) {
        let first = broken.faults.first();
        return Err(format!("{}: {}", broken.name, first.map_or("", |one| one)).into());
    }
    Ok(seconds)
}
