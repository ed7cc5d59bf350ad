//! Traces as a collector gets them: one document is one trace over station and store, and none of
//! it is anybody's data.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::world::{json, zimogs};

/// A collector in the small: takes OTLP over HTTP, and keeps the bodies.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (bodies, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (kept, stopped) = (Arc::clone(&bodies), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                take(stream.unwrap(), &kept);
            }
        });
        Self {
            address,
            bodies,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it, and returns what it took.
    fn taken(mut self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(&self.address).unwrap());
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.bodies.lock().unwrap())
    }
}

/// Answers one request.
fn take(mut stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length, mut is_protobuf) = (String::new(), 0, false);
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("POST /v1/traces HTTP/1.1"), "{first}");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        is_protobuf |= line == "content-type: application/x-protobuf";
    }
    assert!(is_protobuf);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(body);
    let answer =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).unwrap();
}

fn spans(bodies: &[Vec<u8>]) -> Vec<Span> {
    let requests = bodies
        .iter()
        .map(|body| ExportTraceServiceRequest::decode(&body[..]).unwrap());
    let scopes = requests.flat_map(|request| request.resource_spans);
    let scopes = scopes.flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// Gathers the texts of a value that are long enough to be told from anything else.
fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() > 4 => drop(found.insert(text.clone())),
        Value::Array(all) => all.iter().for_each(|one| strings(one, found)),
        Value::Object(all) => all.values().for_each(|one| strings(one, found)),
        _ => {}
    }
}

#[test]
fn one_document_is_one_trace_over_station_and_store_and_nobodys_data() {
    let collector = Collector::start();
    let mut demo = zimogs();
    demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
    demo.args(["--over", "https"]);
    demo.env("ZIMOGS_OTLP", format!("http://{}", collector.address));
    let done = json(&mut demo);
    let bodies = collector.taken();
    let spans = spans(&bodies);

    let named = |name: &str| {
        spans
            .iter()
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    let issuances = named("issuance");
    assert_eq!(issuances.len(), 1);
    let issuance = issuances[0];
    let of_it = |span: &&&Span| span.trace_id == issuance.trace_id;
    let (asks, requests, acts) = (named("ask"), named("request"), named("act"));
    let asked = asks.iter().filter(of_it).count();
    assert!(asked > 10, "{asked} questions of {}", asks.len());
    assert!(requests.iter().filter(of_it).count() >= asked);
    assert!(acts.iter().filter(of_it).count() >= asked);
    // Each part is a child of what asked for it.
    for ask in asks.iter().filter(of_it) {
        assert_eq!(ask.parent_span_id, issuance.span_id);
        assert!(
            requests
                .iter()
                .any(|request| request.parent_span_id == ask.span_id)
        );
    }
    for act in acts.iter().filter(of_it) {
        let is_parent = |request: &&&Span| request.span_id == act.parent_span_id;
        assert!(
            requests.iter().any(|request| is_parent(&request)),
            "{act:?}"
        );
    }

    // What is told is of these sorts, and no event goes along.
    let keys: BTreeSet<_> = spans
        .iter()
        .flat_map(|span| span.attributes.iter().map(|one| one.key.as_str()))
        .collect();
    let known = [
        "id",
        "lease",
        "method",
        "name",
        "route",
        "slot",
        "level",
        "target",
        "code.namespace",
        "busy_ns",
        "idle_ns",
    ];
    let foreign: Vec<_> = keys.iter().filter(|key| !known.contains(*key)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert!(spans.iter().all(|span| span.events.is_empty()));
    let mut canaries = BTreeSet::new();
    strings(&done["documents"], &mut canaries);
    for file in std::fs::read_dir("tests/samples/applications").unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let application: Value = serde_json::from_str(&text).unwrap();
        strings(&application["holder"], &mut canaries);
    }
    for word in ["contact", "contactless", "personalized", "lateid-v2"] {
        canaries.remove(word);
    }
    assert!(canaries.len() > 100);
    for body in &bodies {
        let text = String::from_utf8_lossy(body);
        for canary in &canaries {
            assert!(!text.contains(canary.as_str()), "{canary} is in a trace");
        }
    }
}
