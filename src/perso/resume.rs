//! Going on with a chip on which the plan was begun before: what was done is not done again, what
//! changes nothing is, and of what was begun the profile says whether it may be.
//!
//! ```text
//! stages:   done ──── done ──── frontier ──── …
//!            │         │         │             └ as if it were the first time
//!            │         │         └ done: passed over; begun: again, where the profile lets it
//!            └─────────┴ passed over, but for what gives a value that died with the process
//! ```

use std::collections::{BTreeMap, BTreeSet};

use profile::{Detail, Dialect, ObjectKind, Plan, Stage, Step, Verb};

use crate::fault::Fault;
use crate::journal::Moment;

/// The evidence under which the public keys of a sealed stage stand: `NAME=SPKI NAME=SPKI`.
pub(crate) const PUBLIC_KEYS: &str = "public_keys";
/// The evidence under which a generated key's public key stands, `SubjectPublicKeyInfo` in DER.
pub(crate) const PUBLIC_KEY: &str = "public_key";

/// What an earlier run of the same plan wrote down of a chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    traces: BTreeMap<String, Trace>,
}

/// What is known of a step, or of a sealed stage.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trace {
    /// It was begun, with this evidence; nobody knows its end.
    Begun(BTreeMap<String, String>),
    /// Nobody knows whether it was begun.
    Supposed,
    /// It was done, with this evidence.
    Done(BTreeMap<String, String>),
}

impl Past {
    /// Takes in a line of the journal, in their order. Lines of other things than steps are passed over
    /// where the plan is looked at.
    pub fn note(&mut self, step: &str, moment: Moment, evidence: &BTreeMap<String, String>) {
        let trace = match moment {
            Moment::Intent => Trace::Begun(evidence.clone()),
            Moment::Outcome => Trace::Done(evidence.clone()),
            Moment::Withdrawn => {
                self.traces.remove(step);
                return;
            }
        };
        self.traces.insert(step.to_owned(), trace);
    }

    /// Takes in that the last lines of what was written down may be missing: of the stage that was
    /// entered last, each step that may be done twice and of which nothing is known may have been begun.
    /// What may not be done twice, and a further stage, is never begun before it is known.
    pub fn suppose(&mut self, plan: &Plan) {
        let entered = plan.stages.iter().rfind(|stage| self.touches(stage));
        let Some(stage) = entered.filter(|stage| !stage.sealed) else {
            return;
        };
        let steps = stage.steps.iter();
        for step in steps.filter(|step| step.verb.is_lasting() && plan.may_repeat(step)) {
            self.traces.entry(step.name()).or_insert(Trace::Supposed);
        }
    }

    /// Returns the change of keys that was begun and has no end, if there is one, with the key set under
    /// which it was done.
    pub fn open_key_change<'p>(&self, plan: &'p Plan) -> Option<(&'p Step, Option<&'p str>)> {
        let mut changes = plan.stages.iter().flat_map(|stage| {
            let steps = stage.steps.iter();
            steps.map(|step| (step, stage.channel.as_deref()))
        });
        changes.find(|(step, _)| {
            let is_begun = matches!(self.traces.get(&step.name()), Some(Trace::Begun(_)));
            is_begun && is_key_change(step.verb)
        })
    }

    /// Says what the chip was found to have of a step that was begun: it was done, or it was not.
    pub fn settle(&mut self, step: &str, is_done: bool) {
        match is_done {
            true => drop(
                self.traces
                    .insert(step.to_owned(), Trace::Done(BTreeMap::new())),
            ),
            false => drop(self.traces.remove(step)),
        }
    }

    /// Takes in that whoever sealed a stage has the chip's answers to it: it was done, though its end was
    /// not written down. Returns the evidence that is to be written down of it; none where it was not open,
    /// and where nobody knows any more which public keys it imported.
    pub fn confirm(&mut self, plan: &Plan, stage: &str) -> Option<BTreeMap<&'static str, String>> {
        let planned = plan
            .stages
            .iter()
            .find(|of| of.sealed && of.name == stage)?;
        let Some(Trace::Begun(announced)) = self.traces.get(stage) else {
            return None;
        };
        let keys = announced.get(PUBLIC_KEYS).cloned();
        let mut steps = planned.steps.iter();
        if keys.is_none() && steps.any(|step| step.verb == Verb::ImportKey) {
            return None;
        }
        let done = Trace::Done(announced.clone());
        self.traces.insert(stage.to_owned(), done);
        Some(keys.map(|keys| (PUBLIC_KEYS, keys)).into_iter().collect())
    }

    /// Returns whether nothing of the plan was begun.
    pub fn is_empty(&self, plan: &Plan) -> bool {
        let mut stages = plan.stages.iter();
        !stages.any(|stage| self.touches(stage))
    }

    fn touches(&self, stage: &Stage) -> bool {
        match stage.sealed {
            true => self.traces.contains_key(&stage.name),
            false => stage.steps.iter().any(|step| self.of(step).is_some()),
        }
    }

    fn of(&self, step: &Step) -> Option<&Trace> {
        let trace = self.traces.get(&step.name());
        trace.filter(|_| step.verb.is_lasting())
    }

    /// Returns the public keys that are written down, by name: `SubjectPublicKeyInfo` in DER.
    pub(crate) fn public_keys(&self, plan: &Plan) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for stage in &plan.stages {
            let done = |name: &str| match self.traces.get(name) {
                Some(Trace::Done(evidence)) => Some(evidence),
                _ => None,
            };
            if let Some(keys) = done(&stage.name).and_then(|evidence| evidence.get(PUBLIC_KEYS)) {
                let keys = keys.split(' ').filter_map(|key| key.split_once('='));
                found.extend(
                    keys.filter_map(|(name, spki)| {
                        Some((name.to_owned(), hex::decode(spki).ok()?))
                    }),
                );
            }
            for step in &stage.steps {
                let spki = done(&step.name()).and_then(|evidence| evidence.get(PUBLIC_KEY));
                let spki = spki.filter(|_| step.verb == Verb::GenerateKey);
                if let Some(spki) = spki.and_then(|spki| hex::decode(spki).ok()) {
                    found.insert(step.object.clone(), spki);
                }
            }
        }
        found
    }
}

/// How a plan is gone on with.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    /// The stages that are not entered.
    passed: BTreeSet<usize>,
    /// The steps that are left out of those that are.
    left_out: BTreeSet<(usize, usize)>,
    /// The steps that are carried out a second time.
    again: BTreeSet<(usize, usize)>,
}

impl Resumption {
    /// Returns the steps of a stage that are to be done; nothing where it is not entered.
    pub(crate) fn steps(&self, at: usize, stage: &Stage) -> Option<Vec<usize>> {
        let is_left = |index: &usize| !self.left_out.contains(&(at, *index));
        let steps = (0..stage.steps.len()).filter(is_left);
        (!self.passed.contains(&at)).then(|| steps.collect())
    }

    /// Returns whether a step is carried out a second time.
    pub(crate) fn is_again(&self, stage: usize, step: usize) -> bool {
        self.again.contains(&(stage, step))
    }

    /// Plans how to go on.
    ///
    /// # Errors
    /// [`Fault::NotResumed`]: something was begun that may not be done twice, or a value is gone that
    /// nothing may give again.
    pub(crate) fn plan(plan: &Plan, past: &Past) -> Result<Self, Fault> {
        let mut resumption = Self::default();
        let touched = plan.stages.iter().rposition(|stage| past.touches(stage));
        let Some(frontier) = touched else {
            return Ok(resumption);
        };
        told_apart(plan)?;
        for (at, stage) in plan.stages.iter().enumerate().take(frontier) {
            resumption.passed.insert(at);
            let open = stage.steps.iter().find(|step| {
                // A temporary PIN is nobody's any more, whatever it is.
                matches!(past.of(step), Some(Trace::Begun(_))) && step.verb != Verb::SetTemporaryPin
            });
            let is_open = matches!(past.traces.get(&stage.name), Some(Trace::Begun(_)));
            if let Some(step) = open.map(Step::name).or(is_open.then(|| stage.name.clone())) {
                return Err(not_resumed(
                    step,
                    "later ones were begun, and nobody knows its end",
                ));
            }
        }
        if let Some(stage) = plan.stages.get(frontier) {
            match stage.sealed {
                true => resumption.seal(plan, past, (frontier, stage))?,
                false => resumption.open(plan, past, (frontier, stage))?,
            }
        }
        resumption.restore(plan, past, frontier)?;
        Ok(resumption)
    }

    /// Goes on with a sealed stage: as a whole or not at all.
    fn seal(
        &mut self,
        plan: &Plan,
        past: &Past,
        (at, stage): (usize, &Stage),
    ) -> Result<(), Fault> {
        if matches!(past.traces.get(&stage.name), Some(Trace::Done(_))) {
            self.passed.insert(at);
            return Ok(());
        }
        let mut steps = stage.steps.iter().filter(|step| step.verb.is_lasting());
        let is_final = |step: &&Step| {
            plan.chip.again(step.verb).is_none() || step.operation == Some(Dialect::ChangePin)
        };
        match steps.find(is_final) {
            Some(step) => Err(not_resumed(
                stage.name.clone(),
                &format!("its step \"{}\" is not done twice", step.name()),
            )),
            None => Ok(()),
        }
    }

    /// Goes on in the middle of an open stage.
    fn open(
        &mut self,
        plan: &Plan,
        past: &Past,
        (at, stage): (usize, &Stage),
    ) -> Result<(), Fault> {
        let mut ends_channel = false;
        for (index, step) in stage.steps.iter().enumerate() {
            match past.of(step) {
                None => {}
                Some(Trace::Begun(_) | Trace::Supposed) if plan.may_repeat(step) => {
                    self.again.insert((at, index));
                }
                Some(Trace::Begun(_) | Trace::Supposed) => {
                    return Err(not_resumed(
                        step.name(),
                        "it is not done twice on this chip",
                    ));
                }
                Some(Trace::Done(_)) => {
                    self.left_out.insert((at, index));
                    let removes = stage.channel.as_ref() == Some(&step.object);
                    ends_channel |= step.verb == Verb::ReplaceKeys;
                    ends_channel |= step.verb == Verb::RemoveKeys && removes;
                }
            }
        }
        let is_left = (0..stage.steps.len()).any(|index| !self.left_out.contains(&(at, index)));
        match (is_left, ends_channel) {
            (false, _) => {
                self.passed.insert(at);
                Ok(())
            }
            (true, true) => Err(not_resumed(
                stage.name.clone(),
                "the keys are changed under which the rest of it was to be done",
            )),
            (true, false) => Ok(()),
        }
    }

    /// Has the steps done again that give a value which died with the process and is still needed.
    fn restore(&mut self, plan: &Plan, past: &Past, frontier: usize) -> Result<(), Fault> {
        let mut restored: BTreeSet<(usize, usize)> = BTreeSet::new();
        loop {
            let is_to_do = |place: &(usize, usize)| {
                restored.contains(place)
                    || !self.passed.contains(&place.0) && !self.left_out.contains(place)
            };
            let mut lacking = None;
            for (place, needed) in needs(plan).filter(|(place, _)| is_to_do(place)) {
                // What gives it, of all that was done: the latest before the step that needs it.
                let mut givers =
                    steps(plan).filter(|(at, step)| *at < place && gives(step, &needed));
                let giver = givers.next_back();
                lacking = giver.filter(|(at, _)| !is_to_do(at)).or(lacking);
            }
            let Some((at, step)) = lacking else {
                break;
            };
            if step.verb == Verb::SetTemporaryPin {
                may_set_anew(plan, past, step)?;
            }
            closed_behind(plan, past, (at.0, frontier), step)?;
            restored.insert(at);
            // A key signs where its PIN was presented in the same stage.
            let pin = plan
                .chip
                .key_rules(&step.object)
                .and_then(|key| key.pin.clone());
            let pin = pin.filter(|_| step.verb == Verb::RequestCertificate);
            let presented = steps(plan).filter(|(other, presented)| {
                let is_its =
                    presented.verb == Verb::VerifyPin && Some(&presented.object) == pin.as_ref();
                is_its && other.0 == at.0 && other.1 < at.1
            });
            restored.extend(presented.map(|(other, _)| other));
        }
        let stages: BTreeSet<_> = restored.iter().map(|(stage, _)| *stage).collect();
        for stage in stages {
            if self.passed.remove(&stage) {
                let steps = plan.stages.get(stage).map_or(0, |stage| stage.steps.len());
                let others = (0..steps).map(|index| (stage, index));
                self.left_out.extend(others);
            }
        }
        for place in restored {
            self.left_out.remove(&place);
            self.again.insert(place);
        }
        Ok(())
    }
}

/// Returns every step with its place, in the plan's order.
fn steps(plan: &Plan) -> impl DoubleEndedIterator<Item = ((usize, usize), &Step)> {
    let stages = plan.stages.iter().enumerate();
    stages.flat_map(|(at, stage)| {
        let steps = stage.steps.iter().enumerate();
        steps.map(move |(index, step)| ((at, index), step))
    })
}

/// Returns what each step needs that another step may have given.
fn needs(plan: &Plan) -> impl Iterator<Item = ((usize, usize), String)> {
    steps(plan).flat_map(|(place, step)| {
        let carried = plan.stages.get(place.0).map(|stage| &stage.carries);
        let carried = carried.into_iter().flatten();
        // The present value is needed where it has to be shown.
        let is_shown = step.operation == Some(Dialect::ChangePin);
        let carried = carried.filter(move |pin| is_shown && **pin == step.object);
        let digits = carried.map(|pin| format!("pin.{pin}.digits"));
        let all: Vec<_> = step.needs.iter().cloned().chain(digits).collect();
        all.into_iter().map(move |needed| (place, needed))
    })
}

/// Returns whether a step gives a value that is in no journal. Public keys are.
fn gives(step: &Step, needed: &str) -> bool {
    let object = &step.object;
    match step.verb {
        Verb::SetTemporaryPin => *needed == format!("pin.{object}.digits"),
        Verb::RequestCertificate => {
            let rest = needed.strip_prefix("certificate.");
            let rest = rest.and_then(|rest| rest.strip_prefix(object.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        _ => false,
    }
}

fn is_key_change(verb: Verb) -> bool {
    matches!(verb, Verb::AddKeys | Verb::ReplaceKeys | Verb::RemoveKeys)
}

/// Demands that a temporary PIN can be set without knowing the one before.
fn may_set_anew(plan: &Plan, past: &Past, step: &Step) -> Result<(), Fault> {
    let pin = plan.chip.object(ObjectKind::Pin, &step.object);
    let has_default =
        pin.is_some_and(|pin| matches!(&pin.detail, Detail::Pin(rules) if rules.default.is_some()));
    let is_final = plan.stages.iter().any(|stage| {
        let sets = [Verb::SetHolderPin, Verb::SetIssuerPin];
        let mut steps = stage.steps.iter();
        past.traces.contains_key(&stage.name)
            && steps.any(|other| sets.contains(&other.verb) && other.object == step.object)
    });
    match plan.may_repeat(step) && !has_default && !is_final {
        true => Ok(()),
        false => Err(not_resumed(
            step.name(),
            "its value died with the process, and it cannot be set anew",
        )),
    }
}

/// Demands that nothing between a stage and the frontier closed the way of one of its steps.
fn closed_behind(
    plan: &Plan,
    past: &Past,
    (from, frontier): (usize, usize),
    step: &Step,
) -> Result<(), Fault> {
    let stages = plan.stages.iter().take(frontier + 1).skip(from);
    for stage in stages {
        let mut closing = stage.steps.iter().filter(|other| other.verb.closes());
        let closed = closing.find(|other| past.of(other).is_some());
        let is_sealed = stage.sealed && past.traces.contains_key(&stage.name);
        if closed.is_some() || is_sealed {
            let by = closed.map_or(stage.name.clone(), Step::name);
            return Err(not_resumed(
                step.name(),
                &format!("what it gave died with the process, and \"{by}\" closed its way"),
            ));
        }
    }
    Ok(())
}

/// Demands that no two steps are written down under one name.
fn told_apart(plan: &Plan) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    for stage in &plan.stages {
        let steps = stage.steps.iter().filter(|step| step.verb.is_lasting());
        let steps = steps.map(Step::name).filter(|_| !stage.sealed);
        let sealed = stage.sealed.then(|| stage.name.clone());
        for name in steps.chain(sealed) {
            if !names.insert(name.clone()) {
                return Err(not_resumed(name, "the plan does it twice"));
            }
        }
    }
    Ok(())
}

fn not_resumed(step: String, cause: &str) -> Fault {
    Fault::NotResumed {
        step,
        cause: cause.to_owned(),
    }
}
