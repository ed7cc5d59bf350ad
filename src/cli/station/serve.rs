//! `zimogs station serve`: the station's daemon.

use std::sync::Arc;
use std::time::Duration;

use cert::AttributeType;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use sd_notify::NotifyState;
use serde_json::json;
use station::{
    Board, Catalogue, CentreView, Local, RemoteCentre, Station, StationConfig, serve_local,
};
use tokio::net::TcpListener;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::serving::tell_manager;
use crate::cli::station::setup::Setup;
use crate::cli::{output, shipped};

/// How often the centre is looked at.
const LOOKS: Duration = Duration::from_secs(20);
/// For how long one request is asked again: after that a slot says that the centre is away, and holds
/// its card.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far the station's clock may be from the centre's: journal, sessions and leases go by both.
pub(crate) const MOST_DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// A station to be kept busy.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where its key, certificate, station.toml and journal are kept.
    #[arg(long)]
    folder: std::path::PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Keeps the slots busy until it is told to stop.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let setup = Setup::read(&options.folder)?;
    let authority = setup.authority();
    let centre = super::remote(&options.folder, &setup.server, authority.as_deref())?;
    let profiles = shipped::profiles(setup.profiles().as_deref())?;
    let catalogue = Catalogue::new(profiles.chips, profiles.documents);
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    runtime.block_on(serve(options, &setup, centre, catalogue))
}

async fn serve(
    options: &Serve,
    setup: &Setup,
    centre: RemoteCentre,
    catalogue: Catalogue,
) -> Result<(), Failure> {
    let name = station_name(options)?;
    let slots = setup.slots();
    let board = Board::new(slots.iter().map(|slot| slot.name.clone()), Timestamp::now());
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
    let centre = Arc::new(centre.patient_for(PATIENCE));
    let runtime = tokio::runtime::Handle::current();
    let station = Station::start(config, centre.clone(), runtime).or_fail(Kind::Failed)?;
    let events = station.watch();
    let local = Local::new(
        name.clone(),
        setup.environment,
        setup.office.clone(),
        station,
        centre.clone(),
        board,
    );
    let following = tokio::spawn(local.clone().follow(events));
    let looking = tokio::spawn(look(local.clone(), centre, setup.environment));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async {
        // Whoever let the sender go wants it to stop, too.
        let _ = stopped.await;
    };
    let serving = tokio::spawn(serve_local(listener, local.clone(), stopped));
    match options.json {
        true => output::json(&json!({ "station": name, "listening": address }))?,
        false => output::line(&format!(
            "station {name} answers at http://{address}; Ctrl-C stops it when the documents in work are finished"
        ))?,
    }
    tell_manager(NotifyState::Ready);
    crate::cli::pki::stop().await;
    tell_manager(NotifyState::Stopping);
    // A slot finishes its document; the interface shows how far it is meanwhile.
    let stopping = local.clone();
    let station_stopped = tokio::task::spawn_blocking(move || stopping.station().stop());
    station_stopped.await.or_fail(Kind::Failed)?;
    let _ = stop.send(());
    looking.abort();
    following.abort();
    serving.await.or_fail(Kind::Failed)?.or_fail(Kind::Failed)
}

/// Returns the name in the station's certificate.
fn station_name(options: &Serve) -> Result<String, Failure> {
    let path = options.folder.join("station.pem");
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
async fn look(local: Local, centre: Arc<RemoteCentre>, environment: document::Environment) {
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
fn hindrance(
    view: &CentreView,
    own: document::Environment,
    centre: document::Environment,
) -> Option<String> {
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
    use document::Environment;

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
