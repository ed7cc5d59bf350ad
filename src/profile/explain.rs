//! A plan explained before any card is touched: every command as it would be sent, what it costs,
//! what lasts. Pure: it needs no chip, no key and no token.
//!
//! ```text
//! Plan + record ─► stand-ins for what is not known yet
//!                        │  rendered once, and once more for every stand-in that is varied:
//!                        ▼  the bytes that follow it are its own
//!                  stages ─► steps ─► commands ─► pieces: known │ stand-in │ secret
//! ```

mod figures;
mod pieces;
mod sending;
mod stand_in;
mod steps;
#[cfg(test)]
#[path = "../../tests/profile/explain.rs"]
mod tests;

use card::Limits;
use serde::Serialize;

use self::steps::Explainer;
use crate::chip::PinRules;
use crate::document_pin::PinKind;
use crate::plan::{Plan, Stage};
use crate::value::Variables;
use crate::vocabulary::{Effect, ObjectKind};

pub use self::figures::Figures;
pub use self::pieces::Piece;

/// What a personalization does, from beginning to end.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The chip profile's name.
    pub chip: String,
    /// How its channel is opened: `none`, `scp02`, `scp03`, `challenge`.
    pub protocol: String,
    /// How the chip is asked what it is.
    pub identify: ExplainedStep,
    /// The stages in order.
    pub stages: Vec<ExplainedStage>,
    /// The PINs that the holder gets.
    pub pins: Vec<ExplainedPin>,
    /// All of it.
    pub figures: Figures,
}

/// One PIN that the holder gets.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedPin {
    /// Its name in the chip profile.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// How many digits it has.
    pub digits: u8,
    /// Whether the holder may keep its value, or must change it.
    pub kind: PinKind,
    /// The rules by which a value is weak, and not made.
    pub weak: Vec<&'static str>,
    /// How many wrong tries block it.
    pub tries: u8,
    /// The PIN that unblocks it.
    pub unblocked_by: Option<String>,
}

impl ExplainedPin {
    fn of(plan: &Plan) -> Vec<Self> {
        let explain = |(name, rules, digits): &(String, PinRules, u8)| {
            let demand = plan.pin_demands.get(name)?;
            let object = plan.chip.object(ObjectKind::Pin, name)?;
            let weak = demand.policy.rules().iter();
            Some(Self {
                name: name.clone(),
                title: object.title.clone(),
                digits: *digits,
                kind: demand.kind,
                weak: weak.map(|rule| rule.name()).collect(),
                tries: rules.tries,
                unblocked_by: rules.puk.clone(),
            })
        };
        plan.pins.iter().filter_map(explain).collect()
    }
}

/// One stage.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedStage {
    /// What a person calls it.
    pub name: String,
    /// The application that is selected first.
    pub select: String,
    /// The key set under which a channel is opened.
    pub key_set: Option<String>,
    /// Whether the centre gives its commands ready.
    pub sealed: bool,
    /// Selecting, and opening the channel.
    pub opening: ExplainedStep,
    /// The steps in the order of the profile; one that waits lets those behind it go first.
    pub steps: Vec<ExplainedStep>,
    /// All of it.
    pub figures: Figures,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedStep {
    /// As a profile writes it: `write_file certificate`.
    pub name: String,
    /// What it is about, as a person calls it.
    pub title: String,
    /// Whether it is written into the journal before and after it is done.
    pub journaled: bool,
    /// Whether it cannot be undone.
    pub irreversible: bool,
    /// What the centre gives for it.
    pub centre: Option<String>,
    /// What it waits for: variables that only the personalization itself gives.
    pub waits_for: Vec<String>,
    /// Why nothing is done, where nothing is.
    pub nothing: Option<String>,
    /// Why it cannot be told, where it cannot.
    pub fault: Option<String>,
    /// The commands in order.
    pub commands: Vec<ExplainedCommand>,
    /// What it costs.
    pub figures: Figures,
}

/// One command as it would be sent.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedCommand {
    /// What it belongs to: an operation's name, or a command's of GlobalPlatform.
    pub operation: String,
    /// CLA INS P1 P2 in hexadecimal; `..` for a byte that is not known yet.
    pub header: String,
    /// The length field of the data in hexadecimal; empty without data.
    pub lc: String,
    /// The data.
    pub data: Vec<Piece>,
    /// How many bytes the data has.
    pub length: usize,
    /// The field of the expected length in hexadecimal; empty where nothing is expected.
    pub le: String,
    /// Whether it carries a PIN or a key.
    pub secret: bool,
    /// How many bytes the whole command has inside the secure channel, where it goes there.
    pub protected: Option<usize>,
    /// The status words that mean success; none: any.
    pub expect: Vec<String>,
}

impl Explanation {
    /// Explains a plan for chip and reader that take these commands together. `known` is what is
    /// known of the document: see [`variables`](crate::variables).
    pub fn of(plan: &Plan, known: &Variables, limits: &Limits) -> Self {
        let mut explainer = Explainer::new(plan, known, limits);
        let identify = explainer.identify();
        let stages: Vec<ExplainedStage> = plan
            .stages
            .iter()
            .map(|stage| explainer.stage(stage))
            .collect();
        let figures = stages
            .iter()
            .fold(identify.figures, |sum, stage| sum + stage.figures);
        Self {
            chip: plan.chip.name.clone(),
            protocol: plan.chip.channel.to_string(),
            identify,
            stages,
            pins: ExplainedPin::of(plan),
            figures,
        }
    }

    /// Returns every step, those that open a stage among them.
    pub fn steps(&self) -> impl Iterator<Item = &ExplainedStep> {
        let stages = self.stages.iter();
        let steps = stages.flat_map(|stage| std::iter::once(&stage.opening).chain(&stage.steps));
        std::iter::once(&self.identify).chain(steps)
    }

    /// Returns the names of the steps that cannot be undone.
    pub fn irreversible(&self) -> Vec<&str> {
        let steps = self.steps().filter(|step| step.irreversible);
        steps.map(|step| step.name.as_str()).collect()
    }

    /// Returns the steps that cannot be told, and why.
    pub fn faults(&self) -> Vec<(&str, &str)> {
        self.steps()
            .filter_map(|step| Some((step.name.as_str(), step.fault.as_deref()?)))
            .collect()
    }
}

impl ExplainedStage {
    fn of(stage: &Stage, opening: ExplainedStep, steps: Vec<ExplainedStep>) -> Self {
        let figures = steps
            .iter()
            .fold(opening.figures, |sum, step| sum + step.figures);
        Self {
            name: stage.name.clone(),
            select: stage.select.clone(),
            key_set: stage.channel.clone(),
            sealed: stage.sealed,
            opening,
            steps,
            figures,
        }
    }
}

impl ExplainedStep {
    /// Begins a step that changes nothing and has no commands yet.
    fn named(name: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            journaled: false,
            irreversible: false,
            centre: None,
            waits_for: Vec::new(),
            nothing: None,
            fault: None,
            commands: Vec::new(),
            figures: Figures::default(),
        }
    }

    fn lasting(&mut self, effect: Effect) {
        self.journaled = effect > Effect::Nothing;
        self.irreversible = effect == Effect::Irreversible;
    }
}
