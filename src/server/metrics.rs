//! What Prometheus reads: counters of this process, and gauges of the store.
//!
//! The text is the exposition format 0.0.4. Every label has few values: routes, not addresses; kinds,
//! places and accounts, no person and no document.
//!
//! ```text
//!   guard ──► requests, seconds ┐
//!   station ─► leases, reports  ├─► Registry ──► GET /metrics, on a listener of its own
//!   timers ──► last success     ┘      ▲
//!                     Central::gauges ─┘ at most once in fifteen seconds
//! ```

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::BlankEnd;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use central::{Central, Gauges};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use crate::state::Server;

/// How old the store's figures may be.
const FRESH: Duration = Duration::from_secs(15);
/// A day, in seconds.
const DAY: i64 = 86_400;
/// How many read at a time, how long they may take to ask, and to be answered.
const READERS: usize = 4;
const HEAD: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(20);
/// The bounds of a request's seconds: a lease is a matter of milliseconds, an authority one of many
/// seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 100.0,
];

/// The instruments of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    leases_given: IntCounter,
    reports: IntCounterVec,
    timer_success: GaugeVec,
    timer_failures: IntCounterVec,
    store: StoreGauges,
    /// When the store's figures were looked up last.
    looked: Mutex<Option<Instant>>,
}

/// The gauges that [`Central::gauges`] fills.
struct StoreGauges {
    queue: IntGaugeVec,
    oldest_due: IntGauge,
    leases: IntGaugeVec,
    stock: IntGaugeVec,
    incidents: IntGaugeVec,
    log_waiting: IntGauge,
    log_lag: prometheus::Gauge,
    log_size: IntGauge,
    reconciling: IntGauge,
    connections: IntGaugeVec,
    retries: IntCounter,
    token_calls: IntCounter,
    token_failures: IntCounter,
    token_seconds: prometheus::Counter,
}

impl Metrics {
    /// Makes the instruments.
    ///
    /// # Errors
    /// None that a name in this file does not cause.
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let buckets = SECONDS.to_vec();
        let seconds = HistogramOpts::new(
            "zimogs_http_request_seconds",
            "How long requests took until they were answered, by route.",
        );
        Ok(Self {
            requests: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "zimogs_http_requests_total",
                        "Requests answered, by route and outcome: ok, or the kind of problem.",
                    ),
                    &["method", "route", "outcome"],
                ),
            )?,
            seconds: registered(
                &registry,
                HistogramVec::new(seconds.buckets(buckets), &["method", "route"]),
            )?,
            leases_given: registered(
                &registry,
                IntCounter::new(
                    "zimogs_leases_given_total",
                    "Answers that gave a station a document to make, repeated ones included.",
                ),
            )?,
            reports: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "zimogs_reports_total",
                        "Reports of stations taken in, repeated ones included, by how the blank ended.",
                    ),
                    &["end"],
                ),
            )?,
            timer_success: registered(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        "zimogs_timer_last_success_timestamp_seconds",
                        "When a timer of the server last did its work, in Unix time.",
                    ),
                    &["timer"],
                ),
            )?,
            timer_failures: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "zimogs_timer_failures_total",
                        "How often a timer of the server failed.",
                    ),
                    &["timer"],
                ),
            )?,
            store: StoreGauges::new(&registry)?,
            looked: Mutex::default(),
            registry,
        })
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(&self, method: &Method, route: &str, outcome: &str, took: Duration) {
        let method = known(method);
        self.requests
            .with_label_values(&[method, route, outcome])
            .inc();
        self.seconds
            .with_label_values(&[method, route])
            .observe(took.as_secs_f64());
    }

    /// Counts a lease that a station was given.
    pub(crate) fn leased(&self) {
        self.leases_given.inc();
    }

    /// Counts a report that was taken in.
    pub(crate) fn reported(&self, end: &BlankEnd) {
        let end = match end {
            BlankEnd::Personalized => "personalized",
            BlankEnd::Spoiled { .. } => "spoiled",
            BlankEnd::Untouched { .. } => "untouched",
        };
        self.reports.with_label_values(&[end]).inc();
    }

    /// Notes that a timer did its work, or failed.
    pub(crate) fn timer(&self, timer: &'static str, is_done: bool) {
        if is_done {
            let now = Timestamp::now().as_duration().as_secs_f64();
            self.timer_success.with_label_values(&[timer]).set(now);
        } else {
            self.timer_failures.with_label_values(&[timer]).inc();
        }
    }

    /// Returns all figures as text, the store's at most [`FRESH`] old.
    async fn text(
        &self,
        central: &Central,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|at| at.elapsed() > FRESH) {
            self.store.fill(&central.gauges().await?);
            *looked = Some(Instant::now());
        }
        drop(looked);
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

impl StoreGauges {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let vec = |name: &str, help: &str, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let one = |name: &str, help: &str| registered(registry, IntGauge::new(name, help));
        Ok(Self {
            queue: vec(
                "zimogs_queue_documents",
                "Documents that wait to be made, by kind and priority.",
                &["kind", "priority"],
            )?,
            oldest_due: one(
                "zimogs_queue_oldest_overdue_seconds",
                "How long the day has passed on which the first document of the queue is due; negative before.",
            )?,
            leases: vec(
                "zimogs_leases",
                "Leases that no report has ended, by state.",
                &["state"],
            )?,
            stock: vec(
                "zimogs_stock_blanks",
                "Blanks that are no document, by place, item and account.",
                &["place", "item", "account"],
            )?,
            incidents: vec(
                "zimogs_incidents",
                "Incidents that are not closed, by kind.",
                &["kind"],
            )?,
            log_waiting: one(
                "zimogs_audit_entries_waiting",
                "Audit entries that wait for their place in the tree.",
            )?,
            log_lag: registered(
                registry,
                prometheus::Gauge::new(
                    "zimogs_audit_lag_seconds",
                    "How long the oldest audit entry waits for its place in the tree.",
                ),
            )?,
            log_size: one(
                "zimogs_audit_checkpoint_entries",
                "Audit entries under the last signed checkpoint.",
            )?,
            reconciling: one(
                "zimogs_reconciling",
                "1 while the store was restored and gives no work yet.",
            )?,
            connections: vec(
                "zimogs_database_connections",
                "Connections to the database, by pool and use.",
                &["pool", "use"],
            )?,
            retries: registered(
                registry,
                IntCounter::new(
                    "zimogs_database_retries_total",
                    "Acts done again because others were in their way.",
                ),
            )?,
            token_calls: registered(
                registry,
                IntCounter::new(
                    "zimogs_token_calls_total",
                    "What the PKCS#11 token was asked by this program.",
                ),
            )?,
            token_failures: registered(
                registry,
                IntCounter::new(
                    "zimogs_token_failures_total",
                    "What the PKCS#11 token did not answer.",
                ),
            )?,
            token_seconds: registered(
                registry,
                prometheus::Counter::new(
                    "zimogs_token_seconds_total",
                    "How long the PKCS#11 token took for its answers, all in all.",
                ),
            )?,
        })
    }

    fn fill(&self, found: &Gauges) {
        let set = |gauge: &IntGauge, figure: u64| gauge.set(signed(figure));
        self.queue.reset();
        for one in &found.queue {
            let priority = if one.urgent { "urgent" } else { "normal" };
            let gauge = self.queue.with_label_values(&[&*one.kind, priority]);
            set(&gauge, one.documents);
        }
        let days = found.oldest_due_days.unwrap_or(0);
        self.oldest_due.set(days.saturating_mul(DAY));
        self.leases.reset();
        for (state, leases) in &found.leases {
            set(&self.leases.with_label_values(&[state]), *leases);
        }
        self.stock.reset();
        for (place, item, account, blanks) in &found.stock {
            let gauge = self.stock.with_label_values(&[place, item, account]);
            set(&gauge, *blanks);
        }
        self.incidents.reset();
        for (kind, incidents) in &found.incidents {
            set(&self.incidents.with_label_values(&[kind]), *incidents);
        }
        set(&self.log_waiting, found.log_waiting);
        self.log_lag.set(found.log_lag.as_secs_f64());
        set(&self.log_size, found.log_size);
        self.reconciling.set(i64::from(found.reconciling));
        for pool in &found.pools {
            let busy = pool.open.saturating_sub(pool.idle);
            set(
                &self.connections.with_label_values(&[pool.pool, "busy"]),
                busy,
            );
            set(
                &self.connections.with_label_values(&[pool.pool, "idle"]),
                pool.idle,
            );
        }
        let grown = |counter: &IntCounter, to: u64| {
            counter.inc_by(to.saturating_sub(counter.get()));
        };
        grown(&self.retries, found.retries);
        grown(&self.token_calls, found.token.calls);
        grown(&self.token_failures, found.token.failures);
        let more = found.token.time.as_secs_f64() - self.token_seconds.get();
        self.token_seconds.inc_by(more.max(0.0));
    }
}

fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

fn registered<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let made = made?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

/// Returns a method as a label: a client may send any word.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Returns `GET /metrics`.
fn metrics_router() -> Router<Server> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(server): State<Server>) -> Response {
    let Some(metrics) = server.metrics() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let text = metrics.text(server.central());
    match tokio::time::timeout(ANSWER, text).await {
        Ok(Ok(text)) => {
            let kind = (header::CONTENT_TYPE, prometheus::TEXT_FORMAT);
            ([kind], text).into_response()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the figures cannot be told");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Serves `GET /metrics` over plain HTTP until `stop` is over. Nothing that it tells is anybody's
/// data; how much is made is nobody's business either, so let it listen where only the collector is.
///
/// # Errors
/// None while it runs; what one client does ends that client's connection.
pub async fn serve_metrics(
    listener: TcpListener,
    server: Server,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = metrics_router().with_state(server);
    let room = Arc::new(Semaphore::new(READERS));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut serving = http1::Builder::new();
            serving
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false);
            let served = serving.serve_connection(TokioIo::new(stream), service);
            // A reader that does not read is not waited for.
            let _ = tokio::time::timeout(HEAD + ANSWER, served).await;
            drop(place);
        });
    }
}
