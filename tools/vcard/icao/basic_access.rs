//! Basic Access Control: when it is offered, and what a failed attempt costs.

use card::Status;

use super::document::{Document, Outcome, Request, Session, Way};
use super::terminal_authentication::Inspection;
use crate::applet::{Entropy, Work};
use crate::inspection::basic_access::answer;

impl Document {
    /// `82 00 00 28 <E.IFD, 32> <M.IFD, 8>`: E.IC ‖ M.IC, and the session.
    pub(super) fn basic_access(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        // One challenge, one attempt.
        let challenge = self.challenge.take();
        let zone = self
            .memory
            .zone
            .as_ref()
            .filter(|_| self.memory.basic_access);
        let (Some(zone), Some(challenge), Way::Plain) = (zone, challenge, request.way) else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let data = request.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        let keys = zone.keys();
        let identifier = zone.number().to_vec();
        work.pause_ms = self.memory.pause();
        work.written += 1;
        self.memory.attempt();
        let (answer, messaging) =
            answer(&keys, &challenge, data, entropy)?.ok_or(Status::AUTHENTICATION_FAILED)?;
        self.memory.succeed();
        self.end();
        self.session = Some(Session {
            messaging,
            identifier,
            by_pace: false,
            inspection: Inspection::restricted(None),
        });
        Ok(answer)
    }
}
