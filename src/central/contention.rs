//! Where others are in the way: an act whose transaction lost against theirs is done again from its
//! beginning, after a pause that is random and grows, and not for ever.
//!
//! Nothing outside the database may happen twice: between the beginning of what is retried and its
//! commit there is only what may (the token computes the same again, a refused number of channels is
//! counted again), and what is sent to an authority is outside.

use std::time::Duration;

use crate::error::CentralError;

/// How often an act is tried.
const TRIES: u32 = 24;

/// How often one that met a row of the same name is: a true one is there the second time too.
const DOUBLE_TRIES: u32 = 3;

/// The longest pause before the second try; it doubles from try to try.
const FIRST: Duration = Duration::from_millis(4);

/// The longest pause at all.
const LONGEST: Duration = Duration::from_millis(512);

/// Does an act, again and from its beginning while the database says that others were in its way.
/// `$act` is a future of a `Result` with [`CentralError`]; it is written, and so made, anew for
/// each try.
macro_rules! retried {
    ($act:expr) => {{
        let mut tries = $crate::contention::Tries::default();
        loop {
            match $act.await {
                Ok(done) => break Ok(done),
                Err(error) => match tries.pause(error) {
                    Ok(pause) => tokio::time::sleep(pause).await,
                    Err(error) => break Err(error),
                },
            }
        }
    }};
}
pub(crate) use retried;

/// The tries of one act.
#[derive(Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Returns how long to wait before the next try.
    ///
    /// # Errors
    /// The error itself, where another try makes no sense, and [`CentralError::Busy`] where there
    /// were enough.
    pub(crate) fn pause(&mut self, error: CentralError) -> Result<Duration, CentralError> {
        let CentralError::Database(found) = error else {
            return Err(error);
        };
        self.0 += 1;
        match in_the_way(&found) {
            Some(InTheWay::Other) if self.0 < TRIES => Ok(self.random()),
            Some(InTheWay::Double) if self.0 < DOUBLE_TRIES => Ok(self.random()),
            Some(InTheWay::Other) => Err(CentralError::Busy { source: found }),
            _ => Err(CentralError::Database(found)),
        }
    }

    fn random(&self) -> Duration {
        let most = FIRST.saturating_mul(1 << (self.0 - 1).min(16)).min(LONGEST);
        // Without randomness the pause is the longest: late, and never wrong.
        let share = getrandom::u32().unwrap_or(u32::MAX);
        most.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

enum InTheWay {
    /// Another transaction changed what this one read, or holds what it wants.
    Other,
    /// A row of this name is there now; it was not when it was looked for.
    Double,
}

fn in_the_way(error: &sqlx::Error) -> Option<InTheWay> {
    let sqlx::Error::Database(error) = error else {
        return None;
    };
    match &*error.code()? {
        // PostgreSQL, appendix A: serialization_failure, deadlock_detected.
        "40001" | "40P01" => Some(InTheWay::Other),
        // unique_violation: what was looked for first came meanwhile, and the second time it is
        // found and refused by its name.
        "23505" => Some(InTheWay::Double),
        // SQLite: SQLITE_BUSY and its kinds RECOVERY, SNAPSHOT, TIMEOUT; SQLITE_LOCKED and its kind
        // SHAREDCACHE.
        "5" | "261" | "517" | "773" | "6" | "262" => Some(InTheWay::Other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    #[derive(Debug)]
    struct Says(&'static str);

    impl fmt::Display for Says {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Says {}

    impl DatabaseError for Says {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(Cow::Borrowed(self.0))
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn said(code: &'static str) -> CentralError {
        CentralError::Database(sqlx::Error::Database(Box::new(Says(code))))
    }

    async fn tries(code: &'static str) -> (u32, CentralError) {
        let mut made = 0;
        let mut act = async || {
            made += 1;
            Err::<(), _>(said(code))
        };
        let result = retried!(act());
        (made, result.unwrap_err())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_lost_tries_again_and_not_for_ever() {
        for code in ["40001", "40P01", "5", "517"] {
            let (made, error) = tries(code).await;
            assert_eq!(made, TRIES, "{code}");
            assert!(matches!(error, CentralError::Busy { .. }));
        }
        let (made, error) = tries("23505").await;
        assert_eq!(made, DOUBLE_TRIES);
        assert!(matches!(error, CentralError::Database(_)));
    }

    #[tokio::test]
    async fn what_no_other_try_mends_is_not_tried() {
        // A violated foreign key, a full disk, a table that is not there.
        for code in ["23503", "53100", "42P01", "787", "13", "1"] {
            assert_eq!(tries(code).await.0, 1, "{code}");
        }
    }

    #[tokio::test]
    async fn a_second_try_may_succeed() {
        let mut made = 0;
        let mut act = async || {
            made += 1;
            match made {
                1 => Err(said("40001")),
                _ => Ok(made),
            }
        };
        assert_eq!(retried!(act()).unwrap(), 2);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut tries = Tries::default();
        for try_ in 1..TRIES {
            let pause = tries.pause(said("40001")).unwrap();
            assert!(pause <= LONGEST && pause <= FIRST * (1 << try_));
        }
    }

    /// These end with the database's error where others were in the way, and have changed nothing:
    /// whoever asked asks again, a person, a program, or the next hour's turn. No act of a station and
    /// no transition that is under load is among them; let the list grow shorter.
    const ASKED_AGAIN: &[&str] = &[
        "answer",
        "arrive_late",
        "begin_request",
        "check_code",
        "concede",
        "confirm_enrolment",
        "discard_parcel",
        "drop_request",
        "encrypt_applications",
        "encrypt_documents",
        "encrypt_signed_files",
        "end_keys",
        "end_strayed",
        "enrol",
        "erase",
        "erased",
        "expire_document",
        "finish_request",
        "hold_quality",
        "make_planned",
        "make_report",
        "note_refusal",
        "note_terms",
        "open_station_authority",
        "pilot_server_certificate",
        "place_queued",
        "plan_key",
        "renew_station",
        "reopen_parcel",
        "second_factor",
        "send_parcel",
        "session",
        "sign_in",
        "sign_out",
        "sign_reports",
        "station_seen",
        "station_turned_away",
        "take_into_use",
        "try_back_up",
        "try_lock",
        "wrap_anew",
    ];

    /// Whatever begins a write transaction is called by `retried!`, or by what is.
    #[test]
    fn every_write_is_retried() {
        let mut writers = Vec::new();
        let mut sources = Vec::new();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap();
        let people = std::fs::read_dir(folder.join("people")).unwrap();
        for file in files.chain(people) {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".rs") || matches!(&*name, "database.rs" | "contention.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
            let mut function = String::new();
            for line in text.lines() {
                if let Some((_, rest)) = line.split_once("fn ") {
                    if line.trim_start().starts_with("//") {
                        continue;
                    }
                    function = rest.split(['(', '<']).next().unwrap().to_owned();
                }
                let begins = [".write().await", ".sequencer().await"];
                if begins.iter().any(|begin| line.contains(begin))
                    && !matches!(&*function, "write" | "sequencer")
                {
                    writers.push(function.clone());
                }
            }
            sources.push((name, text));
        }
        assert!(writers.len() > 30, "the writers are not found any more");
        writers.retain(|writer| !ASKED_AGAIN.contains(&&**writer));
        for writer in writers {
            let call = format!(".{writer}(");
            let mut calls = 0;
            for (name, text) in &sources {
                let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let one_line = one_line.replace(" .", ".");
                for (at, _) in one_line.match_indices(&call) {
                    let before = &one_line[..at];
                    let receiver = before.rfind("retried!(").map(|from| &before[from..]);
                    let direct = receiver.is_some_and(|between| {
                        let between = between.trim_start_matches("retried!(").trim();
                        !between.contains([';', '{', '}', ','])
                    });
                    assert!(
                        direct,
                        "{name}: call {writer} by retried!, it may lose against another"
                    );
                    calls += 1;
                }
            }
            assert!(
                calls > 0,
                "{writer} writes, and nothing calls it by retried!"
            );
        }
    }
}
