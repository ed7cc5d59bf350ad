//! A batch at work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use document::Kind as DocumentKind;
use serde_json::json;
use station::{Entry, Event, Happening, LocalClient, Station};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::cli::batch::choice::Choice;
use crate::cli::batch::course::Course;
use crate::cli::batch::plan::Plan;
use crate::cli::batch::queue::{Lists, Queued};
use crate::cli::batch::report::Summary;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::station::daemon::Daemon;
use crate::cli::station::setup::Setup;
use crate::cli::watch::Watch;
use crate::cli::{output, secret_file, terminal};

/// How many references are listed that cannot be made.
const LISTED: usize = 20;
/// How long after the last look the centre is looked at again when a slot finds nothing to make.
const LOOKS: Duration = Duration::from_secs(60);

/// The station, and who has the shift.
#[derive(Args)]
pub(crate) struct Shift {
    /// Where the station's files are kept. No other program may run this station meanwhile.
    #[arg(long)]
    folder: PathBuf,
    /// The operator's account.
    #[arg(long)]
    account: String,
    /// A file with the operator's password, for this user alone. Without it the terminal is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// One JSON object at the end instead of text.
    #[arg(long)]
    json: bool,
}

/// A new batch.
#[derive(Args)]
pub(crate) struct Run {
    /// A file of applications' references (one a line, or JSON lines with "reference"), a folder of
    /// applications (*.json), or a question about the queue: all, urgent, kind=KIND, due=DAY (by
    /// then), or several with commas.
    #[arg(value_name = "FILE|FOLDER|QUERY")]
    what: String,
    /// Where the plan is written; the results stand beside it. By default NAME.batch.json here.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The most documents: the urgent ones first, then those that are due first. The batch is over
    /// when they are made.
    #[arg(long)]
    limit: Option<usize>,
    /// Look what would be made, and begin nothing.
    #[arg(long)]
    dry_run: bool,
    /// Make those that can be made, where others cannot.
    #[arg(long)]
    skip: bool,
    #[command(flatten)]
    shift: Shift,
}

/// A batch that was stopped.
#[derive(Args)]
pub(crate) struct Resume {
    /// Its plan: NAME.batch.json.
    plan: PathBuf,
    #[command(flatten)]
    shift: Shift,
}

/// Runs a new batch.
pub(crate) fn run(options: &Run) -> Result<ExitCode, Failure> {
    let choice = Choice::read(&options.what)?;
    let path = options
        .plan
        .clone()
        .unwrap_or_else(|| plan_of(&options.what));
    if !options.dry_run {
        crate::cli::files::be_free(&path)?;
    }
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    runtime.block_on(async {
        let (daemon, mut client) = enter(&options.shift).await?;
        let planned = plan(options, choice, &daemon, &client).await;
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(failure) => {
                leave(daemon, &mut client).await?;
                return Err(failure);
            }
        };
        if let Some(limit) = options.limit {
            // As the centre gives them out: the urgent ones first, then those that are due first.
            plan.documents.sort_by_key(|one| (!one.urgent, one.due));
            plan.documents.truncate(limit);
        }
        if options.dry_run {
            leave(daemon, &mut client).await?;
            return tell_dry(options, &plan);
        }
        plan.write(&path)?;
        let course = Course::of(&path, &plan)?;
        make(&options.shift, &path, course, daemon, client).await
    })
}

/// Goes on with a batch.
pub(crate) fn resume(options: &Resume) -> Result<ExitCode, Failure> {
    let plan = Plan::read(&options.plan)?;
    let course = Course::of(&options.plan, &plan)?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    runtime.block_on(async {
        let (daemon, client) = enter(&options.shift).await?;
        make(
            &options.shift,
            &options.plan,
            course.resumed(),
            daemon,
            client,
        )
        .await
    })
}

/// Returns where the plan of what was asked for is written.
fn plan_of(what: &str) -> PathBuf {
    let name = Path::new(what)
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default().replace(['=', ','], "-");
    PathBuf::from(format!("{name}.batch.json"))
}

/// Starts the station, with nobody on shift, and signs the operator in.
async fn enter(shift: &Shift) -> Result<(Daemon, LocalClient), Failure> {
    let setup = Setup::read(&shift.folder)?;
    let password = match &shift.password_file {
        Some(file) => {
            let text = secret_file::read(file, "password")?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => typed(&format!("password of {}: ", shift.account))?,
    };
    let daemon = Daemon::start(&shift.folder, &setup).await?;
    let mut client = LocalClient::new(daemon.address, None).or_fail(Kind::Failed)?;
    let entered = match client.sign_in(&shift.account, &password).await {
        Ok(Entry::Factor { ticket, .. }) => {
            let code = typed("code of the app: ")?;
            client.show_code(&ticket, &code).await
        }
        entered => entered,
    };
    match entered {
        Ok(_) => Ok((daemon, client)),
        Err(error) => {
            daemon.stop().await?;
            Err(Failure::of(Kind::Refused, &error))
        }
    }
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = terminal::hidden(prompt).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("there is no terminal to ask at: {error}"),
        )
        .with_hint("--password-file names a file with the password")
    })?;
    let text = std::str::from_utf8(&typed).or_fail(Kind::Usage)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Finishes what is in work, and signs out.
async fn leave(daemon: Daemon, client: &mut LocalClient) -> Result<(), Failure> {
    let station = daemon.local.clone();
    let stopping = tokio::task::spawn_blocking(move || station.station().stop());
    stopping.await.or_fail(Kind::Failed)?;
    // A session that is not ended ends by itself.
    let _ = client.sign_out().await;
    daemon.stop().await
}

/// Validates the choice by the centre's queue.
async fn plan(
    options: &Run,
    choice: Choice,
    daemon: &Daemon,
    client: &LocalClient,
) -> Result<Plan, Failure> {
    let token = client.token().unwrap_or_default();
    let reading = indicatif::ProgressBar::new_spinner();
    let lists = Lists {
        centre: &daemon.centre,
        token,
    };
    let queue = lists.queue(|read| {
        reading.set_message(format!("{read} documents of the queue read"));
        reading.tick();
    });
    let queue = queue.await;
    reading.finish_and_clear();
    let (chosen, missing) = choice.of(queue?);
    if !missing.is_empty() && !options.skip {
        let fault = format!(
            "{} of {} are not in the queue: {}",
            missing.len(),
            missing.len() + chosen.len(),
            some(&missing)
        );
        return Err(Failure::new(Kind::Usage, fault).with_hint(
            "look at them (zimogs central application show), or leave them out: --skip",
        ));
    }
    let all = chosen.len();
    let (chosen, strange) = by_kind(chosen, &daemon.kinds);
    if !strange.is_empty() && !options.skip {
        let named: Vec<_> = strange
            .iter()
            .map(|one| format!("{} ({})", one.application, one.kind))
            .collect();
        let fault = format!(
            "for {} of {all} no slot here has blanks: {}",
            named.len(),
            some(&named)
        );
        return Err(Failure::new(Kind::Usage, fault).with_hint(
            "make them at another station, set up a slot for them in station.toml, or leave them out: --skip",
        ));
    }
    if chosen.is_empty() {
        let fault = "nothing in the queue is asked for";
        return Err(Failure::new(Kind::Usage, fault));
    }
    Ok(Plan::new(&options.what, chosen))
}

/// Splits documents by whether there are blanks for their kind here.
fn by_kind(chosen: Vec<Queued>, kinds: &BTreeSet<DocumentKind>) -> (Vec<Queued>, Vec<Queued>) {
    let kinds: BTreeSet<_> = kinds.iter().map(ToString::to_string).collect();
    (chosen.into_iter()).partition(|one| kinds.contains(&one.kind))
}

/// Names the first of them, and says how many more there are.
fn some(names: &[String]) -> String {
    let listed = names.iter().take(LISTED).map(String::as_str);
    let listed = listed.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

fn tell_dry(options: &Run, plan: &Plan) -> Result<ExitCode, Failure> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for document in &plan.documents {
        *kinds.entry(&document.kind).or_insert(0) += 1;
    }
    let documents = plan.documents.len();
    if options.shift.json {
        output::json(&json!({ "documents": documents, "kinds": kinds }))?;
    } else {
        output::line(&format!("{documents} documents would be made"))?;
        for (kind, count) in kinds {
            output::line(&format!("  {count} of kind {kind}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes what is left of a batch.
async fn make(
    shift: &Shift,
    path: &Path,
    mut course: Course,
    daemon: Daemon,
    mut client: LocalClient,
) -> Result<ExitCode, Failure> {
    let mut events = daemon.local.station().watch();
    let mut watch = Watch::new(course.open().len());
    let worked = work(&mut course, &daemon, &client, (&mut events, &mut watch)).await;
    let station = daemon.local.clone();
    let stopped = tokio::task::spawn_blocking(move || station.station().stop());
    stopped.await.or_fail(Kind::Failed)?;
    // What was finished while the slots stopped counts too.
    let written = worked.and_then(|()| catch_up(&mut course, daemon.local.station()));
    while let Ok(event) = events.try_recv() {
        watch.show(&event);
    }
    watch.end();
    let waiting = daemon
        .local
        .station()
        .waiting_reports()
        .or_fail(Kind::Failed)?;
    leave(daemon, &mut client).await?;
    written.map_err(|failure| {
        failure.with_hint(
            "mend that, and go on: zimogs batch resume writes down what ended meanwhile, too",
        )
    })?;
    let summary = Summary::of(course.documents(), course.lines());
    match shift.json {
        true => output::json(&summary)?,
        false => summary.show()?,
    }
    if waiting > 0 {
        tracing::warn!(
            waiting,
            "reports wait for the centre; the station sends them when it runs again"
        );
    }
    if !summary.is_over() && !shift.json {
        let plan = path.display();
        output::line(&format!(
            "go on with: zimogs batch resume {plan} --folder …"
        ))?;
    }
    Ok(summary.code())
}

/// Has the slots make what is left, until nothing is or somebody stops it. What is in work when this
/// fails is finished all the same, and its reports go to the centre.
async fn work(
    course: &mut Course,
    daemon: &Daemon,
    client: &LocalClient,
    (events, watch): (&mut Receiver<Event>, &mut Watch),
) -> Result<(), Failure> {
    let station = daemon.local.station();
    let before = course.lines().len();
    catch_up(course, station)?;
    let missing = course.lines().len() - before;
    if missing > 0 {
        watch.say(&format!(
            "{missing} blanks ended that had no line in the results; they have it now"
        ));
    }
    if course.is_resumed() {
        look_up(course, daemon, client, watch).await?;
    }
    watch.say(&format!(
        "{} of {} documents to make; put blanks into the slots. Ctrl-C stops when those in work are finished",
        course.open().len(),
        course.documents()
    ));
    station.confine(course.open().iter().copied());
    let begun = client.begin_shift().await;
    begun.map_err(|error| Failure::of(Kind::Refused, &error))?;
    let mut stopping = Box::pin(crate::cli::pki::stop());
    // When the centre is looked at, because a slot finds nothing to make.
    let (mut looked, mut look) = (Instant::now(), None);
    while !course.open().is_empty() {
        let event = tokio::select! {
            event = events.recv() => event,
            () = &mut stopping => {
                watch.say("stopping: the documents in work are finished first");
                return Ok(());
            }
            () = sleep_until(look.unwrap_or(looked)), if look.is_some() => {
                look_up(course, daemon, client, watch).await?;
                (looked, look) = (Instant::now(), None);
                continue;
            }
        };
        match event {
            Ok(event) => {
                // What is shown as finished is written down.
                if matches!(event.happening, Happening::Finished { .. }) {
                    catch_up(course, station)?;
                }
                if matches!(event.happening, Happening::NothingToDo) {
                    look.get_or_insert(looked + LOOKS);
                }
                watch.show(&event);
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "events were missed; the journal has what ended");
                catch_up(course, station)?;
                watch.left(course.open().len());
            }
            Err(RecvError::Closed) => return Ok(()),
        }
    }
    Ok(())
}

/// Writes down what ended at the station and is not written yet.
fn catch_up(course: &mut Course, station: &Station) -> Result<(), Failure> {
    let made = course.catch_up(|after, wanted| station.ended(after, wanted))?;
    made.into_iter().for_each(|id| station.strike_out(id));
    Ok(())
}

/// Asks the centre what is left of the batch: what others made meanwhile, or gave up, is not waited
/// for.
async fn look_up(
    course: &mut Course,
    daemon: &Daemon,
    client: &LocalClient,
    watch: &mut Watch,
) -> Result<(), Failure> {
    let station = daemon.local.station();
    let lists = Lists {
        centre: &daemon.centre,
        token: client.token().unwrap_or_default(),
    };
    let gone = lists.gone(course.open().clone()).await?;
    // One that was made here meanwhile has its line in the journal.
    catch_up(course, station)?;
    let gone = course.let_go(gone)?;
    if !gone.is_empty() {
        watch.say(&format!(
            "{} documents are not to be made any more: others made them, or gave them up",
            gone.len()
        ));
        watch.left(course.open().len());
    }
    gone.into_iter().for_each(|id| station.strike_out(id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_no_slot_here_has_blanks_for_is_told_apart() {
        let queued = |application: &str, kind: DocumentKind| Queued {
            id: Uuid::nil(),
            application: application.to_owned(),
            kind: kind.to_string(),
            due: "2026-12-01".parse().unwrap(),
            urgent: false,
        };
        let chosen = vec![
            queued("A", DocumentKind::IdCard),
            queued("B", DocumentKind::Passport),
            queued("C", DocumentKind::IdCard),
        ];
        let (here, strange) = by_kind(chosen, &BTreeSet::from([DocumentKind::IdCard]));
        let names = |of: &[Queued]| {
            of.iter()
                .map(|one| one.application.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (names(&here), names(&strange)),
            (vec!["A".into(), "C".into()], vec!["B".into()])
        );
        let many: Vec<_> = (0..LISTED + 2).map(|number| number.to_string()).collect();
        assert_eq!(some(&many[..2]), "0, 1");
        assert!(some(&many).ends_with("19 and 2 more"), "{}", some(&many));
    }
}
