//! What happens, as it happens (*server-sent events*, WHATWG HTML §9.2): the whole overview, each time
//! that something changed. Whoever missed some misses nothing.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use jiff::Timestamp;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::event;
use crate::local::Local;

/// How often the overview is sent at most: a fast chip has a step every few milliseconds.
const PACE: Duration = Duration::from_millis(250);
/// How often it is sent while nothing happens at the slots: the centre and the clock change too.
const QUIET: Duration = Duration::from_secs(15);

pub(crate) async fn events(
    State(local): State<Local>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watch = local.0.station.watch();
    let stream = unfold((local, headers, watch, true), async |state| {
        let (local, headers, mut watch, is_first) = state;
        if !is_first && !changed(&mut watch).await {
            return None;
        }
        let visitor = local.0.visitors.sender(&headers, Timestamp::now());
        let overview = local.overview(visitor.is_some()).ok()?;
        let event = Event::default()
            .event("overview")
            .json_data(overview)
            .ok()?;
        Some((Ok(event), (local, headers, watch, false)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// Waits until something happened, and a little longer for what comes with it. Returns whether more
/// can come.
async fn changed(watch: &mut Receiver<event::Event>) -> bool {
    match tokio::time::timeout(QUIET, watch.recv()).await {
        Err(_) => return true,
        Ok(Err(RecvError::Closed)) => return false,
        Ok(_) => {}
    }
    tokio::time::sleep(PACE).await;
    // What came meanwhile is on the board.
    *watch = watch.resubscribe();
    true
}
