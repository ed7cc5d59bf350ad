//! Where others are in the way: an act whose transaction lost against theirs is done again from its
//! beginning, after a pause that is random and grows, and not for ever.
//!
//! How long is a matter of time and not of tries. Of those who want the same row one comes through at a
//! time: how often an act loses is how many others want the row while it is tried, and a machine under
//! load has many at it for long. That says nothing of how long the act waits, and whoever waits asks
//! for no longer than that.
//!
//! Nothing outside the database may happen twice: between the beginning of what is retried and its
//! commit there is only what may (the token computes the same again, a refused number of channels is
//! counted again), and what is sent to an authority is outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::CentralError;

/// For how long an act is begun again: as long as a caller of the embedded database waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often one that met a row of the same name is: a true one is there the second time too.
const DOUBLE_TRIES: u32 = 3;

/// The longest pause before the second try; it doubles from try to try.
const FIRST: Duration = Duration::from_millis(4);

/// How often this program did an act again.
static RETRIES: AtomicU64 = AtomicU64::new(0);

/// Returns how often this program did an act again because others were in its way.
pub(crate) fn retries() -> u64 {
    RETRIES.load(Ordering::Relaxed)
}

/// The longest pause at all.
const LONGEST: Duration = Duration::from_millis(512);

/// The target of the trace of a try.
pub(crate) const TRIED: &str = "central::tried";

/// Does an act, again and from its beginning while the database says that others were in its way.
/// `$act` is a future of a `Result` with [`CentralError`]; it is written, and so made, anew for
/// each try.
macro_rules! retried {
    ($act:expr) => {{
        let mut tries = $crate::contention::Tries::default();
        loop {
            // For tests: what is judged in a try, and what moves in it, belong together.
            let tried = ::tracing::trace_span!(target: $crate::contention::TRIED, "try");
            match ::tracing::Instrument::instrument($act, tried).await {
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
pub(crate) struct Tries {
    made: u32,
    begun: Instant,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            made: 0,
            begun: Instant::now(),
        }
    }
}

impl Tries {
    /// Returns how long to wait before the next try.
    ///
    /// # Errors
    /// The error itself, where another try makes no sense, and [`CentralError::Busy`] where it has
    /// tried for long enough.
    pub(crate) fn pause(&mut self, error: CentralError) -> Result<Duration, CentralError> {
        let CentralError::Database(found) = error else {
            return Err(error);
        };
        self.made += 1;
        match in_the_way(&found) {
            Some(InTheWay::Other) if self.begun.elapsed() < PATIENCE => Ok(self.counted()),
            Some(InTheWay::Double) if self.made < DOUBLE_TRIES => Ok(self.counted()),
            Some(InTheWay::Other) => Err(CentralError::Busy { source: found }),
            _ => Err(CentralError::Database(found)),
        }
    }

    /// Counts a try that is made again.
    fn counted(&self) -> Duration {
        RETRIES.fetch_add(1, Ordering::Relaxed);
        self.random()
    }

    fn random(&self) -> Duration {
        let doubled = 1 << (self.made - 1).min(16);
        let most = FIRST.saturating_mul(doubled).min(LONGEST);
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
    use std::sync::Arc;

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
            let begun = Instant::now();
            let (made, error) = tries(code).await;
            let took = begun.elapsed();
            assert!(took >= PATIENCE && took < PATIENCE + LONGEST, "{took:?}");
            assert!(made > 24, "{made}");
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

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_are_bounded() {
        let mut tries = Tries::default();
        for try_ in 1..=24 {
            let pause = tries.pause(said("40001")).unwrap();
            assert!(pause <= LONGEST && pause <= FIRST * (1 << try_));
        }
    }

    /// Many who want one row, of whom one comes through at a time: each loses far more often than the
    /// pauses alone would have it, and all come through.
    #[tokio::test(start_paused = true)]
    async fn however_many_want_one_row_all_come_through() {
        const WANTED: usize = 120;
        let row = Arc::new(AtomicU64::new(0));
        let asked = (0..WANTED).map(|_| {
            let row = Arc::clone(&row);
            tokio::spawn(async move {
                let lost = AtomicU64::new(0);
                let act = async || {
                    let seen = row.load(Ordering::Relaxed);
                    // What a transaction takes on a machine with many at work.
                    tokio::time::sleep(Duration::from_millis(90)).await;
                    let taken =
                        row.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
                    taken.map(drop).map_err(|_| {
                        lost.fetch_add(1, Ordering::Relaxed);
                        said("40001")
                    })
                };
                let done = retried!(act());
                (done, lost.into_inner())
            })
        });
        let asked: Vec<_> = asked.collect();
        let mut most = 0;
        for one in asked {
            let (done, lost) = one.await.unwrap();
            done.unwrap();
            most = most.max(lost);
        }
        assert_eq!(row.load(Ordering::Relaxed), WANTED as u64);
        assert!(most > 24, "a number of tries would not have done: {most}");
    }

    /// A source, and where in it `retried!` is at work.
    struct Source {
        name: String,
        text: String,
        retried: Vec<std::ops::Range<usize>>,
    }

    impl Source {
        fn read(path: &std::path::Path) -> Self {
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
            let opened = text.match_indices("retried!(");
            let retried = opened
                .map(|(at, begin)| at..end_of(&text, at + begin.len()))
                .collect();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            Self {
                name,
                text,
                retried,
            }
        }

        fn is_retried(&self, at: usize) -> bool {
            self.retried.iter().any(|span| span.contains(&at))
        }

        /// Tells whether a loop of its function is around this place.
        fn is_looped(&self, at: usize) -> bool {
            let begin = self.text[..at].rfind("fn ").unwrap();
            let mut from = begin;
            self.text[begin..at].split_inclusive('\n').any(|line| {
                let (code, around) = (line.trim_start(), &self.text[from..at]);
                from += line.len();
                let count = |brace| around.matches(brace).count();
                ["loop ", "while ", "for "]
                    .iter()
                    .any(|word| code.starts_with(word))
                    && count('{') > count('}')
            })
        }

        /// Returns the name of the function that this place is in.
        fn function(&self, at: usize) -> &str {
            let lines = self.text[..at].lines().rev();
            let code = lines.filter(|line| !line.trim_start().starts_with("//"));
            let begin = code.filter_map(|line| line.split_once("fn ")).next();
            begin.unwrap().1.split(['(', '<']).next().unwrap()
        }
    }

    /// Returns where the bracket ends that was opened just before this place.
    fn end_of(text: &str, from: usize) -> usize {
        let (mut depth, mut is_text) = (1, false);
        for (at, byte) in text.bytes().enumerate().skip(from) {
            match byte {
                b'"' => is_text = !is_text,
                b'(' if !is_text => depth += 1,
                b')' if !is_text => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        panic!("a bracket is not closed: {}", &text[from - 20..from]);
    }

    #[test]
    fn a_loop_around_a_transaction_is_seen() {
        let seen = |text: &str| {
            let source = Source {
                name: "one.rs".to_owned(),
                text: text.to_owned(),
                retried: Vec::new(),
            };
            source.is_looped(text.find(".write()").unwrap())
        };
        assert!(seen(
            "fn one() {\n    loop {\n        if it { no(); }\n        self.write()"
        ));
        assert!(seen("fn one() {\n    for a in b {\n        self.write()"));
        assert!(!seen(
            "fn one() {\n    for a in b {\n        a();\n    }\n    self.write()"
        ));
    }

    /// Whatever begins a write transaction does so within `retried!`, or in a function that is called
    /// within it; and it begins one: what was committed is not done again.
    #[test]
    fn every_write_is_retried() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap();
        let people = std::fs::read_dir(folder.join("people")).unwrap();
        let paths = files.chain(people).map(|file| file.unwrap().path());
        let sources: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .filter(|path| !path.ends_with("database.rs") && !path.ends_with("contention.rs"))
            .map(|path| Source::read(&path))
            .collect();
        let (mut writers, mut faults) = (Vec::new(), Vec::new());
        for source in &sources {
            for begin in [".write().await", ".sequencer().await"] {
                for (at, _) in source.text.match_indices(begin) {
                    let function = source.function(at);
                    if source.is_retried(at) || matches!(function, "write" | "sequencer") {
                        continue;
                    }
                    if source.is_looped(at) {
                        faults.push(format!(
                            "{}: {function} begins a transaction in a loop, and the first would be done again with the next",
                            source.name
                        ));
                    }
                    if writers.contains(&(&source.name, function)) {
                        faults.push(format!(
                            "{}: {function} begins two transactions, and the first would be done again with the second",
                            source.name
                        ));
                    }
                    writers.push((&source.name, function));
                }
            }
        }
        assert!(writers.len() > 30, "the writers are not found any more");
        for (file, writer) in writers {
            let call = format!(".{writer}(");
            let mut calls = 0;
            for source in &sources {
                for (at, _) in source.text.match_indices(&call) {
                    calls += 1;
                    if !source.is_retried(at) {
                        faults.push(format!(
                            "{}: {writer} of {file} is called without retried!",
                            source.name
                        ));
                    }
                }
            }
            if calls == 0 {
                faults.push(format!("{file}: {writer} writes, and nothing retries it"));
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
