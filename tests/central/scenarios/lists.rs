//! Whole lists, for tests: page after page, as whoever reads them does.

use api::Actor;

use crate::error::Result;
use crate::{
    Central, DeliveryAccount, DocumentLine, EnvelopeLine, IncidentLine, LeaseLine, ParcelLine,
};

/// Few enough that a test's list has several pages.
const PAGE: u32 = 2;

/// Reads all pages: `page` gives what comes behind the last line.
async fn all<T>(page: impl AsyncFn(Option<&T>) -> Result<Vec<T>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    loop {
        let mut next = page(all.last()).await?;
        if next.is_empty() {
            return Ok(all);
        }
        assert!(next.len() <= PAGE as usize);
        all.append(&mut next);
    }
}

impl Central {
    pub(super) async fn documents(&self, who: &Actor) -> Result<Vec<DocumentLine>> {
        all(async |last: Option<&DocumentLine>| {
            let after = last.map_or("", |line| &line.turn);
            self.document_lines_after(who, after, PAGE).await
        })
        .await
    }

    pub(super) async fn leases(&self, who: &Actor) -> Result<Vec<LeaseLine>> {
        all(async |last: Option<&LeaseLine>| {
            let after = last.map_or("", |line| &line.turn);
            self.leases_after(who, after, PAGE).await
        })
        .await
    }

    pub(super) async fn parcels(&self, who: &Actor, arrived_too: bool) -> Result<Vec<ParcelLine>> {
        all(async |last: Option<&ParcelLine>| {
            let after = last.map_or("", |line| &line.serial);
            self.parcels_after(who, arrived_too, after, PAGE).await
        })
        .await
    }

    /// The last first.
    pub(super) async fn envelopes(&self, who: &Actor) -> Result<Vec<EnvelopeLine>> {
        let all = all(async |last: Option<&EnvelopeLine>| {
            let after = last.map_or("", |line| &line.serial);
            self.envelopes_after(who, None, after, PAGE).await
        });
        let mut all = all.await?;
        all.reverse();
        Ok(all)
    }

    pub(super) async fn incidents(&self, who: &Actor, closed: bool) -> Result<Vec<IncidentLine>> {
        all(async |last: Option<&IncidentLine>| {
            let after = last.map_or(0, |line| line.number);
            self.incidents_after(who, closed, after, PAGE).await
        })
        .await
    }

    pub(super) async fn deliveries(&self, who: &Actor) -> Result<Vec<DeliveryAccount>> {
        all(async |last: Option<&DeliveryAccount>| {
            let after = last.map_or("", |line| &line.reference);
            self.deliveries_after(who, after, PAGE).await
        })
        .await
    }
}
