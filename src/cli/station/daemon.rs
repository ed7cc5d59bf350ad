//! A station at work: its slots, its own interface, and a look at the centre now and then.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cert::AttributeType;
use document::{Environment, Kind as DocumentKind};
use jiff::{SignedDuration, Timestamp};
use station::{
    Board, Catalogue, CentreView, Local, RemoteCentre, SlotConfig, Station, StationConfig,
    StationError, serve_local,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::shipped;
use crate::cli::station::remote;
use crate::cli::station::setup::Setup;

/// How often the centre is looked at.
const LOOKS: Duration = Duration::from_secs(20);
/// For how long one request is asked again: after that a slot says that the centre is away, and holds
/// its card.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far the station's clock may be from the centre's: journal, sessions and leases go by both.
pub(crate) const MOST_DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// A running station.
pub(crate) struct Daemon {
    /// The station's name.
    pub(crate) name: String,
    /// Where its own interface listens.
    pub(crate) address: SocketAddr,
    /// The station, and what stands where.
    pub(crate) local: Local,
    /// The way to the centre.
    pub(crate) centre: Arc<RemoteCentre>,
    /// The kinds of document that the blanks of its slots serve for.
    pub(crate) kinds: BTreeSet<DocumentKind>,
    stop: oneshot::Sender<()>,
    looking: JoinHandle<()>,
    following: JoinHandle<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Daemon {
    /// Starts the station of a folder. What was in work when it stopped is settled first.
    pub(crate) async fn start(folder: &Path, setup: &Setup) -> Result<Self, Failure> {
        let authority = setup.authority();
        let centre = remote(folder, &setup.server, authority.as_deref())?;
        let centre = Arc::new(centre.patient_for(PATIENCE));
        let profiles = shipped::profiles(setup.profiles().as_deref())?;
        let name = station_name(folder)?;
        let slots = setup.slots(&profiles.printers)?;
        let catalogue = Catalogue::new(profiles.chips, profiles.documents);
        let kinds = kinds(&slots, &catalogue).or_fail(Kind::Usage)?;
        let names = slots.iter().map(|slot| slot.name.clone());
        let board = Board::new(names, Timestamp::now());
        let listener = TcpListener::bind(setup.listen()).await.map_err(|error| {
            let fault = format!("cannot listen at {}: {error}", setup.listen());
            Failure::new(Kind::Failed, fault).with_hint(
                "stop the station that runs already, or name another address: listen in station.toml",
            )
        })?;
        let address = listener.local_addr().or_fail(Kind::Failed)?;
        let config = StationConfig {
            environment: setup.environment,
            office: setup.office.clone(),
            shift: None,
            parking: setup.parking(),
            journal: setup.journal(),
            slots,
            catalogue,
        };
        let runtime = tokio::runtime::Handle::current();
        let station = Station::start(config, centre.clone(), runtime).or_fail(Kind::Failed)?;
        let events = station.watch();
        let (environment, office) = (setup.environment, setup.office.clone());
        let local = Local::new(
            name.clone(),
            environment,
            office,
            station,
            centre.clone(),
            board,
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            // Whoever let the sender go wants it to stop, too.
            let _ = stopped.await;
        };
        Ok(Self {
            following: tokio::spawn(local.clone().follow(events)),
            looking: tokio::spawn(look(local.clone(), centre.clone(), environment)),
            serving: tokio::spawn(serve_local(listener, local.clone(), stopped)),
            name,
            address,
            local,
            centre,
            kinds,
            stop,
        })
    }

    /// Lets the slots finish the documents in work. The interface shows how far they are meanwhile.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let stopping = self.local.clone();
        let stopped = tokio::task::spawn_blocking(move || stopping.station().stop());
        stopped.await.or_fail(Kind::Failed)?;
        let _ = self.stop.send(());
        self.looking.abort();
        self.following.abort();
        self.serving
            .await
            .or_fail(Kind::Failed)?
            .or_fail(Kind::Failed)
    }
}

/// Returns the kinds of document that the slots' blanks serve for.
fn kinds(
    slots: &[SlotConfig],
    catalogue: &Catalogue,
) -> Result<BTreeSet<DocumentKind>, StationError> {
    let mut kinds = BTreeSet::new();
    for slot in slots {
        let products: Vec<_> = slot.chips.iter().map(|chip| chip.product.clone()).collect();
        kinds.extend(catalogue.kinds_of(&products, slot.article.as_deref())?);
    }
    Ok(kinds)
}

/// Returns the name in the station's certificate.
fn station_name(folder: &Path) -> Result<String, Failure> {
    let path = folder.join("station.pem");
    let certificate = crate::cli::card::pem::read(&path)?.into_iter().next();
    let name = certificate.and_then(|own| {
        let name = own.subject().get(AttributeType::CommonName);
        name.map(str::to_owned)
    });
    name.ok_or_else(|| {
        let fault = format!("{} names no station", path.display());
        Failure::new(Kind::Usage, fault)
            .with_hint("zimogs station enroll makes a key and a request")
    })
}

/// Looks at the centre for ever: whether it answers, whose station this is there, and what time it is.
async fn look(local: Local, centre: Arc<RemoteCentre>, environment: Environment) {
    let mut known: Option<CentreView> = None;
    loop {
        let asked = Timestamp::now();
        let begun = std::time::Instant::now();
        let own = centre.own().await;
        let round_trip = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        match own {
            Ok(own) => {
                let view = CentreView::answered(
                    centre.server(),
                    (asked, round_trip),
                    own.now,
                    own.not_after,
                );
                local
                    .station()
                    .hinder(hindrance(&view, environment, own.environment));
                local.note_centre(view.clone());
                known = Some(view);
                // A slot that is paused tells nothing by itself.
                local.station().send_reports();
            }
            Err(error) => {
                let view = known
                    .clone()
                    .unwrap_or_else(|| CentreView::unknown(centre.server()));
                local.note_centre(view.gone(error.to_string(), Timestamp::now()));
            }
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// Returns why nothing may be begun, if anything forbids it.
fn hindrance(view: &CentreView, own: Environment, centre: Environment) -> Option<String> {
    if own != centre {
        return Some(format!(
            "station.toml says {own}, and the centre is of {centre}: connect it to its own centre"
        ));
    }
    let ahead = SignedDuration::from_millis(view.clock_ahead_ms?);
    (ahead.abs() > MOST_DRIFT).then(|| {
        let side = match ahead.is_positive() {
            true => "ahead of",
            false => "behind",
        };
        format!(
            "the clock of this station is {} s {side} the centre's: set it (timedatectl set-ntp true)",
            ahead.abs().as_secs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_and_another_centre_hinder() {
        let asked: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let view = |now: &str| {
            let round_trip = SignedDuration::from_secs(2);
            CentreView::answered(
                "https://c",
                (asked, round_trip),
                now.parse().unwrap(),
                asked,
            )
        };
        let of = |now: &str| hindrance(&view(now), Environment::Test, Environment::Test);
        // The answer was made half way: a second after it was asked for.
        assert_eq!(view("2026-11-23T08:00:01Z").clock_ahead_ms, Some(0));
        assert_eq!(of("2026-11-23T08:00:01Z"), None);
        assert_eq!(of("2026-11-23T08:01:00Z"), None);
        assert!(of("2026-11-23T08:02:01Z").unwrap().contains("120 s behind"));
        assert!(
            of("2026-11-23T07:50:01Z")
                .unwrap()
                .contains("600 s ahead of")
        );
        let other = hindrance(
            &view("2026-11-23T08:00:01Z"),
            Environment::Test,
            Environment::Production,
        );
        assert!(other.unwrap().contains("production"));
    }
}
