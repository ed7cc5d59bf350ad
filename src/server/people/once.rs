//! `Idempotency-Key`: a request that creates something may be sent again after a lost answer.

use central::{Central, Repeated, Session};
use sha2::{Digest, Sha256};

use crate::people::answer::Answer;
use crate::people::operation::Operation;
use crate::problem::{Fault, Problem};

/// A request that has a key.
pub(crate) struct Once<'a> {
    central: &'a Central,
    account: &'a str,
    key: &'a str,
}

/// What is to be done with it.
pub(crate) enum Turn<'a> {
    /// Do it, and keep the answer.
    Do(Once<'a>),
    /// It was done: this is the answer.
    Done(Answer),
}

/// Looks whether a request came before.
///
/// # Errors
/// A [`Problem`] where it is in work, and where its key was another request's.
pub(crate) async fn begin<'a>(
    central: &'a Central,
    session: &'a Session,
    operation: &Operation,
    key: &'a str,
    path: &str,
    body: &[u8],
) -> Result<Turn<'a>, Problem> {
    let mut hash = Sha256::new();
    for part in [operation.id.as_bytes(), path.as_bytes(), body] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let account = session.account.as_str();
    match central.begin_request(account, key, &digest).await? {
        Repeated::No => Ok(Turn::Do(Once {
            central,
            account,
            key,
        })),
        Repeated::Answered { answer, .. } => {
            let answer = serde_json::from_slice(&answer)
                .map_err(|_| Problem::new(Fault::Damaged, "the kept answer cannot be read"))?;
            Ok(Turn::Done(answer))
        }
        Repeated::Running => Err(Problem::new(
            Fault::Conflict,
            "the same request is in work; ask again in a moment",
        )
        .with("retry_after", 1)),
        Repeated::Other => Err(Problem::new(
            Fault::KeyReused,
            "this Idempotency-Key was another request's; take a new one",
        )),
    }
}

impl Once<'_> {
    /// Keeps the answer of what was done; what was refused, or waits for a second person, may come
    /// again.
    pub(crate) async fn end(self, result: &Result<Answer, Problem>) -> Result<(), Problem> {
        match result {
            Ok(answer) if answer.status != 202 => {
                let kept = serde_json::to_vec(answer).unwrap_or_default();
                self.central
                    .finish_request(self.account, self.key, answer.status, &kept)
                    .await?;
            }
            _ => self.central.drop_request(self.account, self.key).await?,
        }
        Ok(())
    }
}
