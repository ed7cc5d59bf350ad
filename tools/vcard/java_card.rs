//! A Java Card: a runtime, an issuer security domain and one applet.
//!
//! ```text
//! SELECT by name ─┬─ the domain's ─► eid::Os, which has SCP03 and GET DATA
//!                 ├─ the applet's ─► Applet::select
//!                 └─ nobody's, like any other command ─► whoever is selected
//! ```
//!
//! After a reset nobody is selected: SELECT then gets 6A82 and everything else 6986, as the
//! recorded runtime answered. An applet that is the default one is selected then.

use card::{Command, Response, Status};
use serde_json::Value;
use zeroize::Zeroize as _;

use crate::applet::{Answer, Applet, Entropy, Work};
use crate::eid::Os;
use crate::eid::state::{CardState, ISD_AID, State};
use crate::product::{AppletKind, Product};
use crate::recording::Recording;
use crate::store::{Image, Store, StoreError};
use crate::transmission::{Form, Line, applet_class};

const SELECT: u8 = 0xA4;
const INITIALIZE_UPDATE: u8 = 0x50;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const GET_RESPONSE: u8 = 0xC0;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selected {
    Nobody,
    Domain,
    Applet,
}

/// How a command comes to the applet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// It selects the applet.
    Selection,
    Anybody,
    /// Through the issuer's channel.
    Issuer {
        encrypted: bool,
        /// The length asked for, of the protected answer.
        le: Option<u32>,
    },
}

/// An applet's memory in clear, wiped when it is dropped.
struct Clear(Value);

impl Drop for Clear {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The card.
pub(crate) struct JavaCard {
    domain: Os,
    kind: AppletKind,
    /// Bytes for the applet.
    room: usize,
    applet: Box<dyn Applet + Send>,
    /// The applet's memory as committed.
    memory: Clear,
    selected: Selected,
    entropy: Entropy,
    recording: Option<Recording>,
}

impl JavaCard {
    /// Starts the card with this memory; without the applet's, as the applet was installed.
    pub(crate) fn new(
        state: State,
        product: &'static Product,
        kind: AppletKind,
        memory: Option<Value>,
    ) -> Result<Self, StoreError> {
        let applet = kind
            .start(product.memory, memory)
            .map_err(StoreError::Encoding)?;
        let memory = Clear(applet.memory().map_err(StoreError::Encoding)?);
        let mut card = Self {
            domain: Os::new(state, product),
            kind,
            room: product.memory,
            applet,
            memory,
            selected: Selected::Nobody,
            entropy: Entropy::default(),
            recording: None,
        };
        card.begin();
        Ok(card)
    }

    /// Selects what is selected after a reset.
    fn begin(&mut self) {
        self.selected = Selected::Nobody;
        let is_there = !matches!(
            self.domain.card(),
            CardState::Locked | CardState::Terminated
        );
        if is_there && self.applet.is_default() {
            self.selected = Selected::Applet;
            self.domain.lend();
        }
    }

    /// Returns the domain's memory.
    pub(crate) fn state(&self) -> &State {
        self.domain.state()
    }

    /// Returns the whole memory.
    pub(crate) fn image(&self) -> Image<'_> {
        Image::new(self.domain.state()).with_applet(&self.memory.0)
    }

    /// Lets what was random in a recorded session be drawn again.
    pub(crate) fn play(&mut self, recording: Recording) {
        self.recording = Some(recording);
    }

    /// Forgets everything but the memory.
    pub(crate) fn reset(&mut self) {
        self.domain.reset();
        self.applet.reset();
        self.entropy.forget();
        self.begin();
    }

    /// Answers one command; what it changes is in the store before.
    pub(crate) fn answer(
        &mut self,
        command: Command,
        form: Form,
        line: &mut Line,
        store: &mut dyn Store,
        work: &mut Work,
    ) -> Result<Response, Status> {
        line.accept(form).inspect_err(|_| self.pass_over(line))?;
        match self.named(&command) {
            Some(Selected::Domain) => {
                line.clear();
                self.selected = Selected::Domain;
                self.domain.reset();
            }
            Some(_) => {
                line.clear();
                self.domain.lend();
                self.selected = Selected::Applet;
                return self.run(&command, By::Selection, line, store, work);
            }
            None => {}
        }
        match self.selected {
            Selected::Domain => {
                let applet = &self.memory.0;
                let mut store = Beside { store, applet };
                self.domain.answer(command, form, line, &mut store, work)
            }
            Selected::Nobody if command.ins() == SELECT => Err(Status::FILE_NOT_FOUND),
            Selected::Nobody => Err(Status::NO_CURRENT_FILE),
            Selected::Applet => {
                if line.has_rest() && command.ins() == GET_RESPONSE && command.cla() == 0x00 {
                    return Ok(line.get_response(&command));
                }
                let opens = self.applet.serves_issuer()
                    && matches!(
                        (command.cla(), command.ins()),
                        (0x80, INITIALIZE_UPDATE) | (0x84, EXTERNAL_AUTHENTICATE)
                    );
                if opens {
                    self.applet.yield_to_issuer();
                    if command.ins() == INITIALIZE_UPDATE {
                        // Whatever was open is over; the challenge is of this applet's AID.
                        self.domain.lend();
                    }
                    let applet = &self.memory.0;
                    let mut store = Beside { store, applet };
                    return self.domain.answer(command, form, line, &mut store, work);
                }
                self.domain.interrupt();
                let class = applet_class(command.cla());
                let linked = class.and_then(|chained| line.link(command, chained));
                let linked = linked.inspect_err(|_| self.pass_over(line))?;
                let Some(command) = linked else {
                    return Ok(Response::new([], Status::OK));
                };
                if !self.applet.serves_issuer() {
                    return self.run(&command, By::Anybody, line, store, work);
                }
                let le = command.le();
                let received = self.domain.receive(command, form);
                let (command, channel) = received.inspect_err(|_| self.pass_over(line))?;
                let by = channel.map_or(By::Anybody, |encrypted| By::Issuer { encrypted, le });
                self.run(&command, by, line, store, work)
            }
        }
    }

    /// Notes a command that was refused before it reached anybody: what holds for the next
    /// command only is over.
    pub(crate) fn interrupt(&mut self) {
        self.domain.interrupt();
        self.applet.interrupt();
    }

    fn pass_over(&mut self, line: &mut Line) {
        self.interrupt();
        line.pass_over();
    }

    /// Returns whom a SELECT by name means; nobody where it is no such command, or the name
    /// is nobody's (GP §6.4, §11.9; the domain is found first).
    fn named(&self, command: &Command) -> Option<Selected> {
        let by_name = command.cla() == 0x00 && command.ins() == SELECT && command.p1() == 0x04;
        // First or only occurrence; FCI, FCP or nothing wanted.
        if !by_name || command.p2() & 0xF3 != 0 {
            return None;
        }
        if ISD_AID.starts_with(command.data()) || self.domain.card() == CardState::Terminated {
            return Some(Selected::Domain);
        }
        let there = self.domain.card() != CardState::Locked;
        (there && self.applet.is_named(command.data())).then_some(Selected::Applet)
    }

    /// Lets the applet answer, and keeps what it remembers, also after a refusal.
    fn run(
        &mut self,
        command: &Command,
        by: By,
        line: &mut Line,
        store: &mut dyn Store,
        work: &mut Work,
    ) -> Result<Response, Status> {
        if let Some(answer) = self.recording.as_mut().and_then(|r| r.answer(command)) {
            self.applet.foresee(command, &answer, &mut self.entropy);
        }
        let entropy = &mut self.entropy;
        let outcome = match by {
            By::Selection => self.applet.select(command),
            By::Anybody => self.applet.process(command, entropy, work),
            By::Issuer { encrypted, .. } => self
                .applet
                .process_for_issuer(command, encrypted, entropy, work),
        };
        self.entropy.forget();
        if by == By::Selection && outcome.is_err() {
            self.selected = Selected::Nobody;
        }
        self.commit(store)?;
        let Answer { data, status } = outcome?;
        Ok(match by {
            By::Issuer { le, .. } => {
                let (data, status) = self.domain.send(data, status);
                line.deliver(data, status, le, false)
            }
            By::Selection | By::Anybody => line.deliver(data, status, command.le(), false),
        })
    }

    fn commit(&mut self, store: &mut dyn Store) -> Result<(), Status> {
        let memory = Clear(self.applet.memory().map_err(|_| Status::UNKNOWN)?);
        if memory.0 == self.memory.0 {
            return Ok(());
        }
        let image = Image::new(self.domain.state()).with_applet(&memory.0);
        if store.commit(&image).is_ok() {
            self.memory = memory;
            return Ok(());
        }
        // What the applet believes rests on what was not written: it wakes from what was.
        let kept = self.kind.start(self.room, Some(self.memory.0.clone()));
        self.applet = kept.map_err(|_| Status::UNKNOWN)?;
        self.selected = Selected::Nobody;
        self.domain.reset();
        Err(Status::MEMORY_FAILURE)
    }
}

/// A store for the domain's part of the memory, which keeps the applet's beside it.
struct Beside<'a> {
    store: &'a mut dyn Store,
    applet: &'a Value,
}

impl Store for Beside<'_> {
    fn commit(&mut self, image: &Image<'_>) -> Result<(), StoreError> {
        self.store.commit(&image.with_applet(self.applet))
    }
}
