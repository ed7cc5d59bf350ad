//! Where the documents stand, as the centre lists them to who is signed in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use document::life_cycle::DocumentState;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use station::RemoteCentre;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};

/// How long is waited where the centre is asked too fast.
const SLOWER: Duration = Duration::from_secs(1);
/// Where a document stands that is still to be made.
const OPEN: [DocumentState; 2] = [DocumentState::Queued, DocumentState::AtStation];
/// Where one stands that was made and has not left the issuer.
const MADE: [DocumentState; 5] = [
    DocumentState::Personalized,
    DocumentState::QualityPassed,
    DocumentState::QualityFailed,
    DocumentState::Dispatched,
    DocumentState::AtOffice,
];

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

/// Asks the centre's lists in the name of who is signed in.
pub(crate) struct Lists<'a> {
    pub(crate) centre: &'a RemoteCentre,
    /// The session's token.
    pub(crate) token: &'a str,
}

impl Lists<'_> {
    /// Returns the whole queue; `told` hears how much of it is read.
    pub(crate) async fn queue(&self, mut told: impl FnMut(usize)) -> Result<Vec<Queued>, Failure> {
        let mut queue = Vec::new();
        let taken = self.each(DocumentState::Queued, |page| {
            queue.extend(page);
            told(queue.len());
            true
        });
        taken.await?;
        Ok(queue)
    }

    /// Returns those of the documents that are not to be made any more: whoever made them or gave them
    /// up did it elsewhere. With each the state in which it was found; none for one that is beyond
    /// these lists: handed over, or cancelled.
    pub(crate) async fn gone(
        &self,
        documents: BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, Option<DocumentState>>, Failure> {
        let mut left = documents;
        // Twice: one that goes from a station back to the queue meanwhile is missed by one look.
        for state in OPEN.iter().chain(&OPEN) {
            self.strike_out(*state, &mut left, |_| {}).await?;
        }
        let mut gone = BTreeMap::new();
        for state in MADE {
            let found = |id| {
                gone.insert(id, Some(state));
            };
            self.strike_out(state, &mut left, found).await?;
        }
        gone.extend(left.into_iter().map(|id| (id, None)));
        Ok(gone)
    }

    async fn strike_out(
        &self,
        state: DocumentState,
        left: &mut BTreeSet<Uuid>,
        mut found: impl FnMut(Uuid),
    ) -> Result<(), Failure> {
        if left.is_empty() {
            return Ok(());
        }
        let taken = self.each(state, |page| {
            let ids = page.into_iter().map(|one| one.id);
            ids.filter(|id| left.remove(id)).for_each(&mut found);
            !left.is_empty()
        });
        taken.await
    }

    /// Gives the documents in a state, page by page, as long as more are wanted.
    async fn each(
        &self,
        state: DocumentState,
        mut take: impl FnMut(Vec<Queued>) -> bool,
    ) -> Result<(), Failure> {
        let bearer = Zeroizing::new(format!("Bearer {}", self.token));
        let mut bearer = HeaderValue::from_str(&bearer).or_fail(Kind::Usage)?;
        bearer.set_sensitive(true);
        let headers: HeaderMap = [(AUTHORIZATION, bearer)].into_iter().collect();
        let mut cursor = None::<String>;
        loop {
            let mut path = format!("/v1/documents?state={state}&limit=200");
            if let Some(cursor) = &cursor {
                path.push_str("&cursor=");
                path.push_str(cursor);
            }
            let nothing = Zeroizing::new(Vec::new());
            let asked = (self.centre).pass(Method::GET, &path, headers.clone(), nothing);
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
                    let fault =
                        format!("the centre does not list its documents ({status}): {said}");
                    return Err(Failure::new(Kind::Refused, fault));
                }
            }
            let page: Page = serde_json::from_slice(&answer.body).or_fail(Kind::Failed)?;
            let more = take(page.items);
            match page.next {
                Some(next) if more => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }
}
