//! The executor: runs a plan against one chip, without any input or output of its own.
//!
//! ```text
//!              next_action()                 handle()
//! Transmit ──────────────► card ──────────► Answer | Gone
//! Ask ───────────────────► centre ────────► Given | Refused      (beside the card)
//! Journal ───────────────► disk ──────────► Journaled
//! Wait: nothing for the card to do until the centre answers
//! ```
//!
//! Card steps run one after another. A step that waits for the centre is passed over, and the
//! next one whose needs are known is done meanwhile: so the certificate authority's time hides
//! behind the writing of files.

mod course;
mod grants;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use card::gp::{HostChallenge, ScpError};
use card::{Limits, Response, Status};
use document::Purpose;
use profile::{
    Detail, Object, ObjectKind, Plan, Position, Protection, Protocol, Rendered, Renderer, Taken,
    Value, Variables, Verb,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::action::{Action, Assignment, Event, Outcome, Progress, Random};
use crate::channel::ChannelState;
use crate::fault::Fault;
use crate::inspection::Written;
use crate::journal::{JournalEntry, Moment};
use crate::request::{Refusal, Request};
use crate::resume::{Past, Resumption};

/// Runs one plan against one chip.
pub struct Executor {
    pub(crate) plan: Arc<Plan>,
    pub(crate) variables: Variables,
    pub(crate) subjects: BTreeMap<String, Vec<u8>>,
    pub(crate) random: Random,
    limits: Limits,
    blank: Option<String>,
    chip: Option<String>,
    os: Option<String>,
    identified: usize,
    channel: ChannelState,
    position: Position,
    stage: usize,
    entered: bool,
    pending: VecDeque<usize>,
    running: Option<Running>,
    commands: VecDeque<Rendered>,
    answers: Answers,
    in_flight: Option<Rendered>,
    journal: VecDeque<JournalEntry>,
    asks: VecDeque<(u32, Request)>,
    outstanding: BTreeMap<u32, Asked>,
    next_ask: u32,
    awaiting_grant: bool,
    /// The step for which keys were asked, until they are given.
    keys_asked_for: Option<String>,
    certificates: BTreeMap<String, Vec<u8>>,
    /// What a border is to look at, and whether it does.
    inspection: Option<Box<Written>>,
    inspecting: bool,
    /// Whether the files that wait for the chip's keys were asked for.
    lds_asked: bool,
    touched: bool,
    /// What an earlier run wrote down, and how it is gone on with.
    past: Past,
    is_resumed: bool,
    resumption: Resumption,
    /// The public keys that the running sealed stage imports, as evidence.
    sealed_keys: String,
    done: usize,
    total: usize,
    fault: Option<Fault>,
    finished: bool,
    /// Whether its sealed stages wait for other chips of the blank.
    is_held_back: bool,
    /// Whether it stops behind the step that it is in.
    is_called_off: bool,
}

/// What the answers to the commands of one piece of work gave.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) taken: Taken,
    pub(crate) data: Zeroizing<Vec<u8>>,
    pub(crate) last: Option<Status>,
    whole: Vec<Vec<u8>>,
}

/// The result that is the content of what is read.
const CONTENT: &str = "content";

/// The piece of work whose commands are on their way.
enum Running {
    Identify,
    Select,
    Challenge,
    Authenticate,
    Sealed,
    Enter { application: String, then: usize },
    Step { index: usize },
}

/// What an answer of the centre is for.
#[derive(Clone)]
enum Asked {
    Claim,
    Channel,
    Seal,
    Confirm,
    Step(usize),
    Certificate(String),
    Proof,
    Lds,
}

impl Executor {
    /// Makes an executor for a chip that answered `atr` to its reset.
    ///
    /// # Errors
    /// [`Fault::WrongChip`] when the plan's chip never answers so.
    pub fn new(
        plan: Plan,
        assignment: Assignment,
        atr: &[u8],
        random: Random,
    ) -> Result<Self, Fault> {
        if !plan.chip.identify.may_answer(atr) {
            return Err(Fault::WrongChip {
                product: plan.chip.name.clone(),
                what: "the answer to reset".into(),
                found: hex::encode_upper(atr),
                expected: plan.chip.identify.answers(),
            });
        }
        let mut variables = assignment.variables;
        for pin in plan.chip.objects(ObjectKind::Pin) {
            if let Detail::Pin(rules) = &pin.detail
                && let Some(digits) = &rules.default
            {
                let digits = Value::Bytes(digits.clone());
                variables.set(format!("pin.{}.digits", pin.name), digits);
            }
        }
        let total = plan.len();
        let mut executor = Self {
            plan: Arc::new(plan),
            variables,
            subjects: assignment.subjects,
            random,
            limits: assignment.limits,
            blank: assignment.blank,
            chip: None,
            os: None,
            identified: 0,
            channel: ChannelState::Closed,
            position: Position::default(),
            stage: 0,
            entered: false,
            pending: VecDeque::new(),
            running: None,
            commands: VecDeque::new(),
            answers: Answers::default(),
            in_flight: None,
            journal: VecDeque::new(),
            asks: VecDeque::new(),
            outstanding: BTreeMap::new(),
            next_ask: 0,
            awaiting_grant: false,
            keys_asked_for: None,
            certificates: BTreeMap::new(),
            inspection: None,
            inspecting: false,
            lds_asked: false,
            touched: false,
            past: Past::default(),
            is_resumed: false,
            resumption: Resumption::default(),
            sealed_keys: String::new(),
            done: 0,
            total,
            fault: None,
            finished: false,
            is_held_back: false,
            is_called_off: false,
        };
        executor.identify();
        Ok(executor)
    }

    /// Goes on where an earlier run of the same plan on the same chip was cut off; `past` is what that
    /// one wrote down. A chip that cannot be gone on with ends in [`Fault::NotResumed`].
    #[must_use]
    pub fn resuming(mut self, past: Past) -> Self {
        self.is_resumed = !past.is_empty(&self.plan);
        self.touched = self.is_resumed;
        self.past = past;
        self
    }

    /// Returns whether an earlier run touched the chip.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns how far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            step: self.what(),
            done: self.done,
            total: self.total,
        }
    }

    /// Returns the chip's serial number once it is known.
    pub fn chip(&self) -> Option<&str> {
        self.chip.as_deref()
    }

    /// Returns the version of its operating system once it is known, if it says one.
    pub fn os(&self) -> Option<&str> {
        self.os.as_deref()
    }

    /// Returns what is done.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Lets its sealed stages wait, or not any more: what they do cannot be taken back, and comes after
    /// all that is done on the chips before this one.
    pub fn hold_back(&mut self, is_held_back: bool) {
        self.is_held_back = is_held_back;
    }

    /// Returns whether nothing that lasts is left to do: at most the chip is still looked at.
    pub fn is_written(&self) -> bool {
        let running = match &self.running {
            Some(Running::Step { index } | Running::Enter { then: index, .. }) => Some(*index),
            _ => None,
        };
        let is_left = |at: usize, index: usize| {
            let is_passed = at == self.stage && self.entered;
            !is_passed || self.pending.contains(&index) || running == Some(index)
        };
        let mut rest = self.plan.stages.iter().enumerate().skip(self.stage);
        rest.all(|(at, stage)| {
            let mut steps = stage.steps.iter().enumerate();
            !stage.sealed
                && !steps.any(|(index, step)| step.verb.is_lasting() && is_left(at, index))
        })
    }

    /// Has it stop behind the step that it is in, with [`Fault::CalledOff`]: the document does not come
    /// about.
    pub fn call_off(&mut self) {
        self.is_called_off = true;
    }

    /// Returns whether a certificate was asked for and has not come.
    pub fn awaits_certificate(&self) -> bool {
        let mut asked = self.outstanding.values();
        asked.any(|asked| matches!(asked, Asked::Certificate(_)))
    }

    /// Returns whether the commands on their way let the chip work for long: it makes a key, or
    /// does what only the centre knows.
    pub fn takes_long(&self) -> bool {
        match self.running {
            Some(Running::Sealed) => true,
            Some(Running::Step { index }) => {
                let long = [Verb::GenerateKey, Verb::Install, Verb::SetState];
                let stage = self.plan.stages.get(self.stage);
                let step = stage.and_then(|stage| stage.steps.get(index));
                step.is_some_and(|step| long.contains(&step.verb))
            }
            _ => false,
        }
    }

    /// Returns what is to be done next.
    ///
    /// Once it has said [`Action::Finished`], it says nothing but [`Action::Wait`].
    pub fn next_action(&mut self) -> Action {
        loop {
            if self.finished {
                return Action::Wait;
            }
            if let Some(entry) = self.journal.front() {
                return Action::Journal(entry.clone());
            }
            if self.in_flight.is_some() {
                return Action::Wait;
            }
            if let Some((id, request)) = self.asks.pop_front() {
                return Action::Ask(id, request);
            }
            if self.fault.is_some() {
                return self.finish_all();
            }
            match self.advance() {
                Ok(Some(action)) => return action,
                Ok(None) => {}
                Err(fault) => self.fail(fault),
            }
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event) {
        let handled = match event {
            Event::Answer(response) => self.answered(response),
            Event::Gone(source) => Err(Fault::Card {
                step: self.what(),
                source,
            }),
            Event::Inspected(found) => {
                self.inspecting = false;
                self.position.lost();
                found.map_err(|cause| Fault::Inspection { cause })
            }
            Event::Given(id, grant) => self.given(id, grant),
            Event::Refused(id, refusal) => match (self.outstanding.remove(&id), refusal) {
                (None, _) => Ok(()),
                (Some(_), Refusal::WrongKeys) => Err(self.wrong_keys()),
                (Some(_), Refusal::NotOneBlank(cause)) => Err(Fault::NotOneBlank {
                    chip: self.chip.clone().unwrap_or_default(),
                    cause,
                }),
                (Some(_), Refusal::Other(cause)) => Err(Fault::Centre {
                    step: self.what(),
                    cause,
                }),
            },
            Event::Journaled => {
                let written = self.journal.pop_front();
                self.touched |= written.is_some_and(|entry| entry.moment == Moment::Intent);
                Ok(())
            }
            Event::NotJournaled(cause) => {
                self.journal.clear();
                Err(Fault::Journal {
                    step: self.what(),
                    cause,
                })
            }
        };
        if let Err(fault) = handled {
            self.fail(fault);
        }
    }

    fn fail(&mut self, fault: Fault) {
        // The first fault is the cause; what follows from it is not news.
        self.fault.get_or_insert(fault);
        self.in_flight = None;
        self.commands.clear();
        // A question that was not sent yet gave nothing away.
        let is_of_keys = |(_, request): &(u32, Request)| matches!(request, Request::PutKeys { .. });
        if self.asks.iter().any(is_of_keys) {
            self.keys_asked_for = None;
        }
        self.asks.clear();
        self.channel = ChannelState::Closed;
    }

    fn finish_all(&mut self) -> Action {
        self.finished = true;
        self.variables = Variables::default();
        Action::Finished(Outcome {
            chip: self.chip.clone(),
            os: self.os.clone(),
            touched: self.touched,
            keys_asked_for: self.keys_asked_for.take(),
            certificates: std::mem::take(&mut self.certificates),
            fault: self.fault.take(),
        })
    }

    /// Returns what is going on, as a person reads it.
    fn what(&self) -> String {
        match &self.running {
            Some(Running::Step { index } | Running::Enter { then: index, .. }) => {
                self.step_name(*index)
            }
            Some(Running::Identify) => "identify".into(),
            Some(Running::Select) => format!("select for {}", self.stage_name()),
            Some(Running::Challenge | Running::Authenticate) => {
                format!("open the channel for {}", self.stage_name())
            }
            Some(Running::Sealed) | None => self.stage_name(),
        }
    }

    fn stage_name(&self) -> String {
        self.plan
            .stages
            .get(self.stage)
            .map_or_else(|| "finish".into(), |stage| stage.name.clone())
    }

    fn step_name(&self, index: usize) -> String {
        let step = self
            .plan
            .stages
            .get(self.stage)
            .and_then(|stage| stage.steps.get(index));
        step.map_or_else(String::new, profile::Step::name)
    }

    fn identify(&mut self) {
        self.running = Some(Running::Identify);
        self.next_identification();
    }

    /// Renders the identification's next command, which may use what the ones before took.
    fn next_identification(&mut self) -> bool {
        let plan = self.plan.clone();
        let Some(command) = plan.chip.identify.commands.get(self.identified) else {
            return false;
        };
        self.identified += 1;
        let mut found = Variables::default();
        for (name, value) in &self.answers.taken {
            found.set(name.clone(), Value::Bytes(value.clone()));
        }
        match command.render(&found, &self.limits) {
            Ok(command) => self.commands.push_back(command),
            Err(source) => self.fail(Fault::Render {
                step: "identify".into(),
                source,
            }),
        }
        true
    }

    /// Does one thing; gives an action when there is one for the outside.
    fn advance(&mut self) -> Result<Option<Action>, Fault> {
        if let Some(rendered) = self.commands.pop_front() {
            return self.transmit(rendered).map(Some);
        }
        let is_in_a_step =
            self.running.is_some() && !self.awaiting_grant && self.inspection.is_none();
        if self.is_called_off && !is_in_a_step {
            return Err(Fault::CalledOff { step: self.what() });
        }
        if let Some(written) = self.inspection.take() {
            self.inspecting = true;
            return Ok(Some(Action::Inspect(written)));
        }
        if self.awaiting_grant || self.inspecting {
            return Ok(Some(Action::Wait));
        }
        if let Some(running) = self.running.take() {
            return self.complete(running).map(|()| None);
        }
        let plan = self.plan.clone();
        let stage = plan.stages.get(self.stage);
        // What the centre has not believed is neither sealed nor finished.
        let is_proving = self
            .outstanding
            .values()
            .any(|asked| matches!(asked, Asked::Proof));
        let is_held_back = self.is_held_back && stage.is_some();
        if (is_held_back || is_proving) && stage.is_none_or(|stage| stage.sealed) {
            return Ok(Some(Action::Wait));
        }
        let Some(stage) = stage else {
            return Ok(Some(self.finish_all()));
        };
        if !self.entered {
            return self.enter_stage(stage).map(|()| None);
        }
        self.ask_for_lds();
        if stage.sealed && !self.pending.is_empty() {
            return self.open_sealed(stage).map(|()| None);
        }
        // No step overtakes one that closes something behind it, nor does that one overtake.
        let closing = self.pending.iter().position(|index| {
            let step = stage.steps.get(*index);
            step.is_some_and(|step| step.verb.closes())
        });
        // After an interruption the files that hold the chip's keys come once more, and only then is it
        // known what a border is to find.
        let mut asked = self.outstanding.values();
        let is_signing = asked.any(|asked| matches!(asked, Asked::Lds));
        let ready = self.pending.iter().enumerate().position(|(place, index)| {
            let step = stage.steps.get(*index);
            if is_signing && step.is_some_and(|step| step.verb == Verb::Inspect) {
                return false;
            }
            let in_turn =
                closing.is_none_or(|closing| place < closing || (place, closing) == (0, 0));
            in_turn
                && step
                    .is_some_and(|step| step.needs.iter().all(|need| self.variables.contains(need)))
        });
        match ready.and_then(|place| self.pending.remove(place)) {
            Some(index) => self.start_step(stage, index).map(|()| None),
            None if self.pending.is_empty() => {
                self.leave_stage();
                Ok(None)
            }
            None if !self.outstanding.is_empty() => Ok(Some(Action::Wait)),
            None => {
                let stuck = self
                    .pending
                    .front()
                    .map(|index| self.step_name(*index))
                    .unwrap_or_default();
                Err(Fault::Plan {
                    step: stuck,
                    cause: "nothing gives what it needs".into(),
                })
            }
        }
    }

    fn transmit(&mut self, rendered: Rendered) -> Result<Action, Fault> {
        let step = self.what();
        let command = self
            .channel
            .wrap(rendered.command.clone())
            .map_err(|source| Fault::Channel { step, source })?;
        self.in_flight = Some(rendered);
        Ok(Action::Transmit(command))
    }

    fn answered(&mut self, response: Response) -> Result<(), Fault> {
        let Some(sent) = self.in_flight.take() else {
            return Ok(());
        };
        let step = self.what();
        if self.channel.is_proving() && !sent.accepts(response.status()) {
            return Err(Fault::AuthenticationRefused {
                chip: self.chip.clone().unwrap_or_default(),
                key_set: self.stage_key_set(),
                status: self.plan.chip.meaning(response.status()),
            });
        }
        if matches!(self.running, Some(Running::Sealed)) {
            self.answers.whole.push(response.encode().to_vec());
        }
        let response = self
            .channel
            .unwrap(response)
            .map_err(|source| Fault::Channel {
                step: step.clone(),
                source,
            })?;
        self.channel
            .complete(&response)
            .map_err(|source| Fault::Channel {
                step: step.clone(),
                source,
            })?;
        self.answers.last = Some(response.status());
        if !sent.accepts(response.status()) {
            return Err(self.refused(&sent, response.status()));
        }
        let taken = sent
            .results(&response)
            .map_err(|result| Fault::NoResult { step, result })?;
        // Content that stands inside an answer is taken out of it; else the answer is content.
        let content = taken.get(CONTENT).map(|content| &content[..]);
        self.answers
            .data
            .extend_from_slice(content.unwrap_or(response.data()));
        self.answers.taken.extend(taken);
        Ok(())
    }

    fn refused(&self, sent: &Rendered, status: Status) -> Fault {
        let key_set = self.stage_key_set();
        let set = self.plan.chip.channel.keys.get(&key_set);
        let set = set.filter(|set| set.protocol.is_global_platform());
        let is_challenge = matches!(self.running, Some(Running::Challenge));
        let is_blank = self.plan.purpose == Purpose::Personalization;
        let is_missing = is_challenge && status == Status::REFERENCE_NOT_FOUND;
        // No other refusal says that the version is not there (GP 2.3 §E.5.1.6).
        if let Some(set) = set.filter(|_| is_blank && is_missing) {
            return Fault::AlreadyPersonalized {
                chip: self.chip.clone().unwrap_or_default(),
                version: set.version,
                key_set,
            };
        }
        let (step, header) = (self.what(), hex::encode_upper(sent.command.header()));
        let meaning = self.plan.chip.meaning(status);
        let is_counted = status.tries_left().is_some() || status == Status::AUTHENTICATION_BLOCKED;
        if is_counted && self.presents() {
            return Fault::SecretRefused {
                step,
                header,
                status: meaning,
            };
        }
        Fault::Refused {
            step,
            header,
            status: meaning,
        }
    }

    /// Returns whether the commands on their way may present a secret that the chip counts.
    fn presents(&self) -> bool {
        match self.running {
            Some(Running::Sealed) => true,
            Some(Running::Step { index }) => {
                let stage = self.plan.stages.get(self.stage);
                let step = stage.and_then(|stage| stage.steps.get(index));
                step.is_some_and(|step| step.verb != Verb::CheckTries)
            }
            _ => false,
        }
    }

    fn wrong_keys(&self) -> Fault {
        Fault::WrongKeys {
            chip: self.chip.clone().unwrap_or_default(),
            key_set: self.stage_key_set(),
        }
    }

    fn stage_key_set(&self) -> String {
        self.plan
            .stages
            .get(self.stage)
            .and_then(|stage| stage.channel.clone())
            .unwrap_or_default()
    }

    fn ask(&mut self, asked: Asked, request: Request) {
        let id = self.next_ask;
        self.next_ask += 1;
        self.outstanding.insert(id, asked);
        self.asks.push_back((id, request));
    }

    fn note(&mut self, step: String, moment: Moment, mut evidence: BTreeMap<&'static str, String>) {
        if let Some(chip) = &self.chip {
            evidence.insert("chip", chip.clone());
        }
        self.journal.push_back(JournalEntry {
            step,
            moment,
            evidence,
        });
    }

    fn object(&self, kind: ObjectKind, name: &str) -> Result<Object, Fault> {
        self.plan
            .chip
            .object(kind, name)
            .cloned()
            .ok_or_else(|| Fault::Plan {
                step: self.what(),
                cause: format!("no {} is named \"{name}\"", kind.word()),
            })
    }

    fn render(
        &self,
        protection: Option<Protection>,
        what: impl FnOnce(&Renderer<'_>) -> Result<Vec<Rendered>, profile::RenderError>,
    ) -> Result<VecDeque<Rendered>, Fault> {
        what(&Renderer::new(&self.plan.chip, &self.limits, protection))
            .map(VecDeque::from)
            .map_err(|source| Fault::Render {
                step: self.what(),
                source,
            })
    }
}

/// Returns the SHA-256 of `bytes` in hexadecimal, as evidence.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    hex::encode_upper(Sha256::digest(bytes))
}

/// Draws the host's challenge as long as the protocol wants it.
pub(crate) fn host_challenge(
    protocol: &Protocol,
    random: &mut Random,
) -> Result<HostChallenge, ScpError> {
    let mut host = vec![0; protocol.host_challenge()];
    random(&mut host);
    HostChallenge::try_from(&host[..])
}
