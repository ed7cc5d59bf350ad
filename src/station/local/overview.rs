//! What stands where.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use document::{Environment, OfficeCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::board::{Pace, SlotView};
use crate::local::Local;
use crate::local::problem::LocalProblem;

/// The station at a glance: the answer of `GET /v1/station`. Who has not signed in sees no document
/// number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The station's name.
    pub station: String,
    /// What it is for.
    pub environment: Environment,
    /// The office that it stands in.
    pub office: Option<OfficeCode>,
    /// Who has the shift.
    pub shift: Option<String>,
    /// How it stands with the centre.
    pub centre: CentreView,
    /// How many reports wait for the centre.
    pub waiting_reports: u64,
    /// Whether a document is in work.
    pub in_work: bool,
    /// The figures since it started.
    pub pace: Pace,
    /// The slots.
    pub slots: Vec<SlotView>,
}

/// How a station stands with its centre, as it was last looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CentreView {
    /// The centre's address.
    pub server: String,
    /// When it was looked at last.
    pub looked: Option<Timestamp>,
    /// Why it could not be reached then; none: it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<String>,
    /// How far the station's clock is ahead of the centre's, in milliseconds; behind it below zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Until when the station's certificate holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified_until: Option<Timestamp>,
}

impl CentreView {
    /// Nothing is known of it yet.
    pub fn unknown(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            looked: None,
            away: None,
            clock_ahead_ms: None,
            certified_until: None,
        }
    }

    /// It answered, `round_trip` after `asked`, that it was `now` there.
    pub fn answered(
        server: &str,
        (asked, round_trip): (Timestamp, SignedDuration),
        now: Timestamp,
        certified_until: Timestamp,
    ) -> Self {
        // The answer was made about half way.
        let here = asked + round_trip / 2;
        let ahead = here.duration_since(now).as_millis();
        Self {
            server: server.to_owned(),
            looked: Some(asked + round_trip),
            away: None,
            clock_ahead_ms: Some(i64::try_from(ahead).unwrap_or(i64::MAX)),
            certified_until: Some(certified_until),
        }
    }

    /// It could not be reached; what was known of clock and certificate still holds.
    #[must_use]
    pub fn gone(self, reason: String, looked: Timestamp) -> Self {
        Self {
            looked: Some(looked),
            away: Some(reason),
            ..self
        }
    }
}

impl Local {
    /// Returns the station at a glance; numbers and steps only `for_visitor`.
    pub(crate) fn overview(&self, for_visitor: bool) -> Result<Overview, LocalProblem> {
        let waiting_reports = self.0.station.waiting_reports()?;
        let board = self.board();
        let mut slots: Vec<_> = board.slots().cloned().collect();
        if !for_visitor {
            for slot in &mut slots {
                (slot.number, slot.step) = (None, None);
            }
        }
        Ok(Overview {
            station: self.0.name.clone(),
            environment: self.0.environment,
            office: self.0.office.clone(),
            shift: self.0.station.shift().map(|actor| actor.person),
            centre: self.centre_view().clone(),
            waiting_reports,
            in_work: board.is_in_work(),
            pace: board.pace(),
            slots,
        })
    }
}

pub(crate) async fn show(
    State(local): State<Local>,
    headers: HeaderMap,
) -> Result<Json<Overview>, LocalProblem> {
    let visitor = local.0.visitors.sender(&headers, Timestamp::now());
    local.overview(visitor.is_some()).map(Json)
}
