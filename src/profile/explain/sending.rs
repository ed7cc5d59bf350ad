//! From drafts to commands as sent: in pieces, protected, each byte told by what it follows from.

use card::Command;

use crate::command::Rendered;
use crate::error::RenderError;
use crate::explain::pieces::Marks;
use crate::explain::stand_in::{self, VARIANTS};
use crate::explain::steps::{Draft, Explainer, Rendering, Work};
use crate::explain::{ExplainedCommand, ExplainedStep, Figures};
use crate::issuer_channel::Protection;

/// Most data bytes of a short command.
const SHORT: usize = 255;
/// CLA bit of a chain that goes on (*ISO/IEC 7816-4 §5.4.1*).
const CHAINED: u8 = 0x10;

impl Explainer<'_> {
    /// Adds a piece of work to a step: its commands, each byte told by what it follows from, and
    /// what they cost.
    pub(super) fn tell(
        &self,
        explained: &mut ExplainedStep,
        work: &Work<'_>,
        protection: Option<Protection>,
    ) {
        let told = self.commands(work, protection);
        match told {
            Ok((commands, figures)) => {
                explained.commands.extend(commands);
                explained.figures = explained.figures + figures;
            }
            Err(error) => {
                explained.fault.get_or_insert(error.to_string());
            }
        }
    }

    fn commands(
        &self,
        work: &Work<'_>,
        protection: Option<Protection>,
    ) -> Rendering<(Vec<ExplainedCommand>, Figures)> {
        let mut variables = self.variables.clone();
        stand_in::set_all(&mut variables, &work.own);
        let base = self.as_sent((work.draft)(&variables)?, protection);
        let mut marks: Vec<_> = base
            .iter()
            .map(|draft| {
                let command = &draft.rendered.command;
                (Marks::new(4), Marks::new(command.data().len()))
            })
            .collect();
        // What the step itself names goes first: a PIN field is the PIN's, not its serial's.
        for cause in work.own.iter().chain(&self.stand_ins) {
            for variant in VARIANTS {
                let varied = stand_in::varied(&variables, cause, variant);
                // A value that no chip could give may not render: then the usual one stands.
                let Ok(varied) = (work.draft)(&varied) else {
                    continue;
                };
                let varied = self.as_sent(varied, protection);
                for ((draft, other), (header, data)) in base.iter().zip(&varied).zip(&mut marks) {
                    let (a, b) = (&draft.rendered.command, &other.rendered.command);
                    header.compare(&a.header(), &b.header(), cause);
                    data.compare(a.data(), b.data(), cause);
                }
            }
        }
        let mut figures = Figures {
            written: work.cost.written,
            ..Figures::default()
        };
        let mut answers = work.cost.answers;
        let mut told = Vec::new();
        for (draft, (header, data)) in base.iter().zip(&marks) {
            let command = &draft.rendered.command;
            let bytes = command.encode().map_err(|error| RenderError::Function {
                function: "command",
                fault: error.to_string(),
            })?;
            let length = command.data().len();
            let start = if command.needs_extended() { 7 } else { 5 };
            let (lc, le) = match length {
                0 => (None, bytes.get(4..)),
                _ => (bytes.get(4..start), bytes.get(start + length..)),
            };
            let protected = protection.map(|protection| protected_length(command, protection));
            let asked = command.le().map_or(0, |le| le as usize);
            let answer = answers.min(asked);
            answers -= answer;
            figures.commands += 1;
            figures.sent += protected.unwrap_or(bytes.len());
            figures.received += answer_length(answer, protection);
            told.push(ExplainedCommand {
                operation: draft.operation.clone(),
                header: header.text(&command.header()),
                lc: hex::encode_upper(lc.unwrap_or_default()),
                data: data.pieces(command.data()),
                length,
                le: hex::encode_upper(le.unwrap_or_default()),
                secret: draft.rendered.secret,
                protected,
                expect: draft
                    .rendered
                    .expect
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            });
        }
        let timing = &self.chip.timing;
        figures.seconds = (work.cost.work
            + timing.command * figures.commands as f64
            + timing.byte * figures.bytes() as f64
            + timing.written * figures.written as f64)
            / 1000.0;
        Ok((told, figures))
    }

    /// Returns commands as `card::exchange` sends them: Le lowered, in pieces where they are too
    /// long for one. A secure channel's commands fit.
    fn as_sent(&self, drafts: Vec<Draft>, protection: Option<Protection>) -> Vec<Draft> {
        let mut sent = Vec::new();
        for draft in drafts {
            let limits = &self.limits;
            let command = limits.lower_le(draft.rendered.command.clone());
            let size = limits.command.min(SHORT);
            let pieces: Vec<&[u8]> = match command.data().len() > limits.unchained() {
                true if protection.is_none() && size > 0 => command.data().chunks(size).collect(),
                _ => Vec::new(),
            };
            let Some((last, before)) = pieces.split_last() else {
                let rendered = Rendered {
                    command,
                    ..draft.rendered
                };
                sent.push(Draft::of(draft.operation, rendered));
                continue;
            };
            let mut push = |command, rendered: &Rendered| {
                let rendered = Rendered {
                    command,
                    expect: rendered.expect.clone(),
                    take: rendered.take.clone(),
                    secret: rendered.secret,
                };
                sent.push(Draft::of(draft.operation.clone(), rendered));
            };
            for piece in before {
                let chained = Command::from_header(command.header());
                let chained = chained.with_cla(command.cla() | CHAINED).with_data(*piece);
                push(chained, &draft.rendered);
            }
            push(command.clone().with_data(*last), &draft.rendered);
        }
        sent
    }
}

/// Returns how many bytes a command has inside the channel (*GP Card Specification 2.3 §E.4.4,
/// §E.4.6; Amendment D §6.2.4, §6.2.6*).
fn protected_length(command: &Command, protection: Protection) -> usize {
    let Protection { mode, level } = protection;
    let mac = mode.mac_length();
    let data = command.data().len();
    let sealed = match mode.overhead(level) - mac {
        // No data stay none.
        block if block > 0 && data > 0 => (data / block + 1) * block,
        _ => data,
    } + mac;
    let extended = sealed > SHORT || command.le().is_some_and(|le| le > 256);
    let le = command.le().map_or(0, |_| if extended { 2 } else { 1 });
    4 + if extended { 3 } else { 1 } + sealed + le
}

fn answer_length(data: usize, protection: Option<Protection>) -> usize {
    let Some(Protection { mode, level }) = protection else {
        return data + 2;
    };
    let mac = mode.mac_length();
    let sealed = match level.has_renc() && data > 0 {
        true => (data / mac.max(8) + 1) * mac.max(8),
        false => data,
    };
    sealed + if level.has_rmac() { mac } else { 0 } + 2
}
