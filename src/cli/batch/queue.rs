//! The queue, as the centre lists it to who is signed in.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use station::RemoteCentre;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};

/// How long is waited where the centre is asked too fast.
const SLOWER: Duration = Duration::from_secs(1);

/// A document in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// Its identity.
    pub(crate) id: Uuid,
    /// Its application's reference.
    pub(crate) application: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The day it is due.
    pub(crate) due: Date,
    /// Whether it is urgent.
    pub(crate) urgent: bool,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Queued>,
    next: Option<String>,
}

/// Returns the whole queue; `told` hears how much of it is read.
pub(crate) async fn queue(
    centre: &RemoteCentre,
    token: &str,
    mut told: impl FnMut(usize),
) -> Result<Vec<Queued>, Failure> {
    let bearer = Zeroizing::new(format!("Bearer {token}"));
    let mut bearer = HeaderValue::from_str(&bearer).or_fail(Kind::Usage)?;
    bearer.set_sensitive(true);
    let headers: HeaderMap = [(AUTHORIZATION, bearer)].into_iter().collect();
    let mut queue = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = match cursor.is_empty() {
            true => "/v1/documents?state=queued&limit=200".to_owned(),
            false => format!("/v1/documents?state=queued&limit=200&cursor={cursor}"),
        };
        let nothing = Zeroizing::new(Vec::new());
        let asked = centre.pass(Method::GET, &path, headers.clone(), nothing);
        let answer = asked.await.or_fail(Kind::Failed)?;
        match answer.status {
            200 => {}
            429 => {
                tokio::time::sleep(SLOWER).await;
                continue;
            }
            status => {
                let problem = serde_json::from_slice::<api::wire::Problem>(&answer.body);
                let said = problem.map(|problem| problem.detail).unwrap_or_default();
                let fault = format!("the centre does not list the queue ({status}): {said}");
                return Err(Failure::new(Kind::Refused, fault));
            }
        }
        let page: Page = serde_json::from_slice(&answer.body).or_fail(Kind::Failed)?;
        queue.extend(page.items);
        told(queue.len());
        match page.next {
            Some(next) => cursor = next,
            None => return Ok(queue),
        }
    }
}
