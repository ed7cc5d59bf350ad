//! `zimogs central init`: an installation from nothing, or from wherever it was cut off.
//!
//! ```text
//! judged ─► settings ─► token ─► keys ─► store ─► first administrator ─► what to do next
//! ```
//!
//! What is there stays as it is. Nothing is written before all that was named is found sound: the
//! series, the name of the log, the profiles, the token's PIN, the database.

use std::path::PathBuf;

use api::Actor;
use card::gp::Key;
use central::{DatabaseSource, check_account_name, database_form};
use clap::Args;
use document::Environment;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::{OfficerChoice, officer};
use crate::cli::installation::{Asked, Extras, Installation, books_are_others};
use crate::cli::{database, output, secret_file, shipped};

/// What is founded.
///
/// Run again after it was cut off, it goes on; on a whole installation it changes nothing. Options
/// may then be left out.
#[derive(Args)]
pub(crate) struct Init {
    /// The installation's folder; made where it is not there.
    #[arg(long)]
    data: PathBuf,
    /// What it is for, test or production: bound for good.
    #[arg(long)]
    environment: Option<Environment>,
    /// The first administrator's account.
    #[arg(long, value_name = "ACCOUNT", default_value = "administrator")]
    administrator: String,
    /// The two letters of its document numbers; a test's begin with X, and are XA unless named.
    #[arg(long, value_name = "LETTERS")]
    series: Option<String>,
    /// The name of its log, which nobody else's has, as in id.example.lv/central.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// The file that describes its token, as `zimogs hsm --help` shows it. Without one, a test makes
    /// a token of SoftHSM2 in its folder.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The file (mode 600) of the chip maker's transport master key, 32, 48 or 64 hexadecimal
    /// digits; for a test. Without it, a test that has none makes one that no chip has.
    #[arg(long, value_name = "FILE")]
    transport_key: Option<PathBuf>,
    /// A database of a PostgreSQL server: postgres://USER@HOST/NAME. Without it, the books are in a
    /// SQLite file of the folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The file (mode 600) of the database's password.
    #[arg(long, value_name = "FILE", requires = "database")]
    password_file: Option<PathBuf>,
    /// The certificate profile of its own authority; a test's is pilot-ca unless named.
    #[arg(long, value_name = "NAME")]
    authority: Option<String>,
    /// A file with parts of installation.toml: [envelopes], [authorities], [travel], [database].
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// An officer and that officer's key, twice: where officers keep the keys, two order them.
    #[arg(long = "officer", value_name = "NAME=KEY", value_parser = officer)]
    officers: Vec<(String, PathBuf)>,
    /// A folder with chips/, documents/ and certificates/ whose profiles are laid over the shipped
    /// ones.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What was made.
#[derive(Default)]
struct Made {
    /// `settings`, `token`, `keys`, `store`, `administrator`.
    steps: Vec<&'static str>,
    keys: Vec<String>,
    /// Whether the chip maker's master key is one that no chip has.
    has_no_maker: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Init) -> Result<(), Failure> {
    check_account_name(&options.administrator)?;
    let profiles = shipped::profiles(options.profiles.as_deref())?;
    let transport = options.transport_key()?;
    let installation = Installation::planned(&options.data, options.asked()?)?;
    installation.be_profiled(&profiles)?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let source = installation.database()?;
    let form = runtime.block_on(database_form(&source))?;
    if form.unknown > 0 || form.foreign > 0 {
        let fault = "the database holds what this program does not know; nothing is changed";
        return Err(Failure::new(Kind::Refused, fault).with_hint("name a database of its own"));
    }
    let has_books = form.applied > 0;
    if has_books && !(installation.is_written() && installation.has_token()) {
        return Err(books_are_others());
    }
    installation.make_folder()?;
    // This program starts itself again to find the token: nothing is made before.
    installation.enter()?;
    let _turn = installation.founding_turn()?;

    let mut made = Made::default();
    // Before the settings are written: a PIN that is wrong changes nothing.
    let opened = match installation.has_token() {
        true => Some(installation.token()?),
        false => None,
    };
    if let Some(token) = &opened {
        installation.be_one(token, has_books)?;
    }
    let officers = match options.officers.is_empty() {
        true => None,
        false => {
            let officers = OfficerChoice::of(options.officers.clone());
            Some(officers.open(&installation.token_place()?)?)
        }
    };
    let installation = match installation.is_written() {
        true => installation,
        false => {
            made.steps.push("settings");
            installation.write()?
        }
    };
    let token = match opened {
        Some(token) => token,
        None => {
            made.steps.push("token");
            installation.found_token()?
        }
    };
    let is_test = installation.environment() == Environment::Test;
    let nobodys = match &transport {
        None if is_test => Some(random_key()?),
        _ => None,
    };
    let given = transport.as_ref().or(nobodys.as_ref());
    made.keys = installation.make_keys(&token, given, officers.as_ref())?;
    made.has_no_maker = nobodys.is_some()
        && installation
            .transport_labels()
            .any(|label| made.keys.contains(&label));
    if !made.keys.is_empty() {
        made.steps.push("keys");
    }
    runtime.block_on(async {
        let central = installation.found_central(token, &profiles).await?;
        if !form.is_founded {
            made.steps.push("store");
        }
        let founded = async {
            if !central.has_accounts().await? {
                let administrator = Actor {
                    station: "console".into(),
                    person: options.administrator.clone(),
                };
                central.found(&administrator).await?;
                made.steps.push("administrator");
            }
            Ok::<_, Failure>(())
        };
        let founded = founded.await;
        central.close().await;
        founded
    })?;
    options.tell(&installation, &source, &made)
}

impl Init {
    /// Returns what the installation is asked to be.
    fn asked(&self) -> Result<Asked, Failure> {
        let absolute = |path: &PathBuf| std::path::absolute(path).or_fail(Kind::Usage);
        let token = self.token.as_ref().map(absolute).transpose()?;
        let password = self.password_file.as_ref().map(absolute).transpose()?;
        let database = self.database.clone();
        let extras = self.settings.as_deref().map(Extras::read).transpose()?;
        Ok(Asked {
            environment: self.environment,
            series: self.series.clone(),
            origin: self.origin.clone(),
            token,
            authority: self.authority.clone(),
            database: database.map(|url| database::Part::new(url, password)),
            extras: extras.unwrap_or_default(),
        })
    }

    /// Reads the chip maker's transport master key.
    fn transport_key(&self) -> Result<Option<Key>, Failure> {
        let Some(path) = &self.transport_key else {
            return Ok(None);
        };
        let text = secret_file::read(path, "transport key")?;
        let bytes = hex::decode(text.trim()).map(Zeroizing::new);
        let key = bytes.ok().and_then(|bytes| Key::new(&bytes).ok());
        key.map(Some).ok_or_else(|| {
            let fault = format!(
                "transport key file {} does not hold 32, 48 or 64 hexadecimal digits",
                path.display()
            );
            Failure::new(Kind::Usage, fault)
        })
    }

    /// Says what is there, and what to do next.
    fn tell(
        &self,
        installation: &Installation,
        source: &DatabaseSource,
        made: &Made,
    ) -> Result<(), Failure> {
        let books = match source {
            DatabaseSource::Sqlite(path) => path.display().to_string(),
            DatabaseSource::Postgres(address) => address.to_string(),
        };
        let administrator = made.steps.contains(&"administrator");
        let administrator = administrator.then(|| self.administrator.to_lowercase());
        let next = self.next(installation, administrator.as_deref());
        if self.json {
            return output::json(&json!({
                "data": installation.folder(), "environment": installation.environment(),
                "origin": installation.origin(), "books": books, "made": made.steps,
                "keys": made.keys, "transport_key_of_no_maker": made.has_no_maker,
                "administrator": administrator, "next": next,
            }));
        }
        let folder = installation.folder().display();
        if made.steps.is_empty() {
            return output::line(&format!(
                "{folder} is founded already, for {}; nothing is changed",
                installation.environment()
            ));
        }
        output::line(&format!(
            "{folder} is founded, for {}: books in {books}",
            installation.environment()
        ))?;
        output::line(&format!("made: {}", made.steps.join(", ")))?;
        if made.has_no_maker {
            output::line(
                "its transport master key is random: no maker's chip has it, see docs/operation.md",
            )?;
        }
        if administrator.is_none() {
            output::line("it has accounts already; no administrator is added")?;
        }
        output::line("\nnext:")?;
        next.iter()
            .try_for_each(|step| output::line(&format!("  {step}")))
    }

    /// Returns the commands that come next.
    fn next(&self, installation: &Installation, administrator: Option<&str>) -> Vec<String> {
        let mut place = format!("--data {}", installation.folder().display());
        if let Some(profiles) = &self.profiles {
            place.push_str(&format!(" --profiles {}", profiles.display()));
        }
        let name = administrator.unwrap_or("ADMINISTRATOR");
        vec![
            format!("zimogs central check {place}"),
            format!("zimogs central user code {name} --as {name} {place}"),
            format!("zimogs central user add NAME --role ROLE --as {name} {place}"),
            format!("zimogs central serve {place}"),
        ]
    }
}

/// Returns a key that nobody has.
fn random_key() -> Result<Key, Failure> {
    let mut random = Zeroizing::new([0_u8; 16]);
    getrandom::fill(random.as_mut_slice())
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    Key::new(random.as_slice()).or_fail(Kind::Failed)
}
