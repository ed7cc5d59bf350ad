//! Traces in OpenTelemetry's protocol: what was done for one document, at its station and in the
//! store, as one trace.
//!
//! ```text
//! station ── issuance ─► ask ──traceparent──► request ─► act ── store
//!               └──────────┴───── OTLP, HTTP, protobuf ──┴───────┘ ──► collector
//! ```
//!
//! Sent are the names, times and fields of this program's own spans: routes, methods, leases, slots.
//! No event goes along, and so no text of an error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tracing::{Metadata, Span};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::failure::{Failure, Kind, OrFail};

/// Names the collector where no installation does: at a station.
pub(crate) const VARIABLE: &str = "ZIMOGS_OTLP";
/// Whose spans are sent.
const OWN: [&str; 3] = ["server", "station", "central"];
/// How long the collector may take for one batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer of a collector, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// The header of *W3C Trace Context §3.2*.
const TRACEPARENT: &str = "traceparent";

/// What sends traces. Dropped without [`Traces::end`], it loses the last few seconds.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    _runtime: Arc<Runtime>,
}

impl Traces {
    /// Prepares to send traces to a collector: `http://HOST:PORT`, as of OTLP over HTTP.
    pub(crate) fn to(collector: &str) -> Result<Self, Failure> {
        let address = address(collector)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .or_fail(Kind::Failed)?;
        let runtime = Arc::new(runtime);
        let client = Client {
            address,
            runtime: Arc::clone(&runtime),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
            .with_timeout(PATIENCE)
            .build()
            .or_fail(Kind::Usage)?;
        let resource = Resource::builder_empty()
            .with_service_name("zimogs")
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self {
            provider,
            _runtime: runtime,
        })
    }

    /// Returns what turns spans into traces. Beside it stands the filter [`is_sent`].
    pub(crate) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("zimogs"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Tells whether something is part of a trace: this program's own spans, and no event.
pub(crate) fn is_sent(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && OWN.contains(&target)
}

/// Returns the present span as a `traceparent`, for the store that is asked.
pub(crate) fn traceparent() -> Option<String> {
    let mut header = Header(None);
    let context = Span::current().context();
    TraceContextPropagator::new().inject_context(&context, &mut header);
    header.0
}

/// Makes a span of the server a child of what its station was doing.
pub(crate) fn adopt(span: &Span, traceparent: &str) {
    let header = Header(Some(traceparent.to_owned()));
    let context = TraceContextPropagator::new().extract(&header);
    // Without traces there is nothing to be a child of.
    let _ = span.set_parent(context);
}

/// One header of trace context; `tracestate` is other systems' and not passed on.
struct Header(Option<String>);

impl Injector for Header {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Header {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Returns the host and port of a collector.
fn address(collector: &str) -> Result<String, Failure> {
    let named = collector
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|rest| rest.parse::<hyper::http::uri::Authority>().is_ok())
        .filter(|rest| {
            rest.rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        });
    named.map(str::to_owned).ok_or_else(|| {
        let fault = format!("{collector} is no collector of traces: http://HOST:PORT");
        Failure::new(Kind::Usage, fault).with_hint(
            "run a collector on this machine, which goes on over TLS: http://127.0.0.1:4318",
        )
    })
}

/// Posts to the collector, on a runtime of its own: the exporter's thread has none.
struct Client {
    address: String,
    runtime: Arc<Runtime>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let address = self.address.clone();
        let sent = async move { tokio::time::timeout(PATIENCE, post(&address, request)).await };
        self.runtime.spawn(sent).await??
    }
}

async fn post(address: &str, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender.
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    let host = hyper::http::HeaderValue::from_str(address)?;
    head.headers.insert(hyper::header::HOST, host);
    let path = head.uri.path_and_query().cloned();
    head.uri = path.map_or_else(Default::default, hyper::Uri::from);
    let answer = sender
        .send_request(Request::from_parts(head, Full::new(body)))
        .await?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_by_host_and_port() {
        assert_eq!(address("http://127.0.0.1:4318/").unwrap(), "127.0.0.1:4318");
        assert_eq!(address("http://[::1]:4318").unwrap(), "[::1]:4318");
        for wrong in [
            "https://collector:4318",
            "http://collector",
            "http://user@/x",
            "http://a b:1",
            "collector:4318",
            "",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_traces_nothing_is_passed_on() {
        assert_eq!(traceparent(), None);
        adopt(
            &Span::none(),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
        adopt(&Span::current(), "nonsense");
    }
}
