//! Whose right a transition was judged by: what the store traces while a test runs, compared with the
//! acts that the life cycles name. Every scenario listens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use document::life_cycle::{
    ApplicationState, BlankState, CertificateState, DocumentState, EnvelopeState, IncidentState,
    LeaseState, ParcelState, RibbonState, StationState,
};
use document::{Act, LifeCycle};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A life cycle, a state's label and an event's.
type Step = (String, String, String);

/// What the store does by itself too, in a transaction where nobody is judged for it: it takes the
/// certificate that an authority issued after the request for it was judged, and ends a lease whose time
/// has passed by what is known of it, whatever act finds that.
const BY_ITSELF_TOO: [(&str, &str); 7] = [
    ("certificate", "issue"),
    ("blank", "put-back"),
    ("blank", "take-back"),
    ("document", "release"),
    ("lease", "release"),
    ("lease", "complete"),
    ("lease", "fail"),
];

/// What happened in one try of an act.
#[derive(Default)]
struct Try {
    judged: BTreeSet<String>,
    moved: Vec<Step>,
}

#[derive(Default)]
struct Heard {
    /// The tries, by their spans.
    tries: BTreeMap<u64, Try>,
    /// The spans that this thread is in.
    inside: Vec<u64>,
    spans: u64,
    faults: BTreeSet<String>,
}

/// Listens to one test, on its one thread.
#[derive(Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Heard>>);

impl Listener {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap()
    }

    /// Returns what was done by nobody who was judged for it, or for something else.
    pub(super) fn faults(&self) -> Vec<String> {
        self.heard().faults.iter().cloned().collect()
    }
}

impl Heard {
    /// Judges a try that is over.
    fn judge(&mut self, tried: Try) {
        let acts = acts();
        for step in tried.moved {
            let (subject, from, event) = (&*step.0, &*step.1, &*step.2);
            let Some(named) = acts.get(&step).filter(|named| !named.is_empty()) else {
                continue;
            };
            let is_judged = named.iter().any(|act| tried.judged.contains(act.name()));
            if !is_judged && !BY_ITSELF_TOO.contains(&(subject, event)) {
                self.faults.insert(format!(
                    "{event} of a {subject} that was {from} was judged by {:?}, and is by {named:?}",
                    tried.judged
                ));
            }
        }
    }
}

/// Returns the acts of every transition.
fn acts() -> BTreeMap<Step, Vec<Act>> {
    fn of<S: LifeCycle>(all: &mut BTreeMap<Step, Vec<Act>>) {
        for one in S::transitions() {
            let step = (
                S::SUBJECT.to_owned(),
                one.from.label().to_owned(),
                S::event_label(one.event).to_owned(),
            );
            let acts = all.entry(step).or_default();
            acts.extend(one.rule.acts);
        }
    }
    let mut all = BTreeMap::new();
    of::<ApplicationState>(&mut all);
    of::<DocumentState>(&mut all);
    of::<ParcelState>(&mut all);
    of::<BlankState>(&mut all);
    of::<RibbonState>(&mut all);
    of::<CertificateState>(&mut all);
    of::<EnvelopeState>(&mut all);
    of::<LeaseState>(&mut all);
    of::<StationState>(&mut all);
    of::<IncidentState>(&mut all);
    all
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        matches!(
            metadata.target(),
            "central::judged" | "central::moved" | "central::tried"
        )
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        let mut heard = self.heard();
        heard.spans += 1;
        let span = heard.spans;
        heard.tries.insert(span, Try::default());
        Id::from_u64(span)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut heard = self.heard();
        // The outermost try is the act: what it does by the way is its own.
        let Some(span) = heard.inside.first().copied() else {
            if let [subject, from, event] = fields.0.as_slice() {
                let alone = Try {
                    moved: vec![(subject.clone(), from.clone(), event.clone())],
                    ..Try::default()
                };
                heard.judge(alone);
            }
            return;
        };
        let tried = heard.tries.entry(span).or_default();
        match fields.0.as_slice() {
            [right] => {
                tried.judged.insert(right.clone());
            }
            [subject, from, event] => {
                let step = (subject.clone(), from.clone(), event.clone());
                tried.moved.push(step);
            }
            other => panic!("{other:?} was traced"),
        }
    }

    fn enter(&self, span: &Id) {
        self.heard().inside.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let mut heard = self.heard();
        let at = heard.inside.iter().rposition(|one| *one == span.into_u64());
        heard.inside.remove(at.unwrap());
    }

    fn try_close(&self, span: Id) -> bool {
        let mut heard = self.heard();
        if let Some(tried) = heard.tries.remove(&span.into_u64()) {
            heard.judge(tried);
        }
        true
    }
}

/// The texts of an event, in their order.
#[derive(Default)]
struct Fields(Vec<String>);

impl Visit for Fields {
    fn record_str(&mut self, _: &Field, text: &str) {
        self.0.push(text.to_owned());
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
