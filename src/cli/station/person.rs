//! What a person does at a running station: they sign in for it, and out again.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use station::{Entry, LocalClient, LocalError};
use zeroize::Zeroizing;

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::station::setup::{LISTEN, Setup};
use crate::cli::{output, terminal};

/// The environment variable of a session that was opened before.
const TOKEN: &str = "ZIMOGS_STATION_TOKEN";

/// Who asks, and which station.
#[derive(Args)]
pub(crate) struct Signed {
    /// The account to sign in with. The password and the code are asked for at the terminal. Without
    /// it the session in ZIMOGS_STATION_TOKEN is used.
    #[arg(long)]
    account: Option<String>,
    /// Where the station's files are kept. Without it the station is at 127.0.0.1:8447.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Signed {
    /// Returns the same for another person, who signs in at the terminal.
    pub(crate) fn by(&self, account: &str) -> Self {
        Self {
            account: Some(account.to_owned()),
            folder: self.folder.clone(),
            json: self.json,
        }
    }
}

/// An order to slots.
#[derive(Args)]
pub(crate) struct Ordered {
    /// The slot; without it all of them.
    #[arg(long)]
    pub(crate) slot: Option<String>,
    #[command(flatten)]
    pub(crate) signed: Signed,
}

/// The slot whose card is given up.
#[derive(Args)]
pub(crate) struct GiveUp {
    /// The slot.
    slot: String,
    #[command(flatten)]
    signed: Signed,
}

/// The shift.
#[derive(Subcommand)]
pub(crate) enum Shift {
    /// Takes the shift; whoever has it hands it over, and their documents in work stay theirs. The
    /// session stays open: its token is printed for `zimogs station shift end`. Example:
    /// export ZIMOGS_STATION_TOKEN=$(zimogs station shift begin --account berta)
    Begin(Signed),
    /// Ends the shift and signs out. Example: zimogs station shift end
    End(Signed),
}

/// A client with its runtime, signed in.
pub(crate) struct Inside {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) client: LocalClient,
    /// Whether the session was opened here, and ends here.
    is_own: bool,
}

fn told(error: &LocalError) -> Failure {
    let kind = match error {
        LocalError::Problem { exit: 2, .. } => Kind::Usage,
        LocalError::Problem { exit: 4, .. } => Kind::Refused,
        _ => Kind::Failed,
    };
    let failure = Failure::of(kind, error);
    match error {
        LocalError::Away { .. } => failure.with_hint("zimogs station serve starts it"),
        _ => failure,
    }
}

impl Inside {
    pub(crate) fn enter(signed: &Signed) -> Result<Self, Failure> {
        let setup = match &signed.folder {
            Some(folder) => Some(Setup::read(folder)?),
            None => None,
        };
        let listen = setup.map_or(LISTEN, |setup| setup.listen());
        let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
        let Some(account) = &signed.account else {
            let token = std::env::var(TOKEN).map(Zeroizing::new).map_err(|_| {
                Failure::new(Kind::Usage, "nobody is named")
                    .with_hint(format!("name an account (--account), or set {TOKEN}"))
            })?;
            let client = LocalClient::new(listen, Some(token)).or_fail(Kind::Failed)?;
            return Ok(Self {
                runtime,
                client,
                is_own: false,
            });
        };
        let mut client = LocalClient::new(listen, None).or_fail(Kind::Failed)?;
        let password = asked(&format!("password of {account}: "))?;
        let entry = runtime.block_on(client.sign_in(account, &password));
        if let Entry::Factor { ticket, factor } = entry.map_err(|error| told(&error))? {
            if factor != "totp" {
                let fault = format!("{account} signs in with a second factor of the kind {factor}");
                return Err(Failure::new(Kind::Refused, fault)
                    .with_hint("use the web console, or an account with an app"));
            }
            let code = asked("code of the app: ")?;
            let entry = runtime.block_on(client.show_code(&ticket, &code));
            entry.map_err(|error| told(&error))?;
        }
        Ok(Self {
            runtime,
            client,
            is_own: true,
        })
    }

    /// Does something, and signs out where the session is this command's own.
    pub(crate) fn act<T>(
        mut self,
        act: impl AsyncFnOnce(&LocalClient) -> Result<T, LocalError>,
    ) -> Result<T, Failure> {
        let done = self.runtime.block_on(act(&self.client));
        if self.is_own {
            // A session that is not ended ends by itself.
            let _ = self.runtime.block_on(self.client.sign_out());
        }
        done.map_err(|error| told(&error))
    }
}

fn asked(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let typed = terminal::hidden(prompt).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("there is no terminal to ask at: {error}"),
        )
        .with_hint(format!("set {TOKEN} to the token of an open session"))
    })?;
    let text = std::str::from_utf8(&typed).or_fail(Kind::Usage)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Takes or ends the shift.
pub(crate) fn shift(shift: &Shift) -> Result<(), Failure> {
    match shift {
        Shift::Begin(signed) => {
            let inside = Inside::enter(signed)?;
            let begun = inside.runtime.block_on(inside.client.begin_shift());
            begun.map_err(|error| told(&error))?;
            match inside.client.token() {
                Some(token) if signed.json => output::json(&serde_json::json!({ "token": token })),
                Some(token) => output::line(token),
                None => Ok(()),
            }
        }
        Shift::End(signed) => {
            let inside = Inside {
                is_own: true,
                ..Inside::enter(signed)?
            };
            let mut inside = inside;
            inside
                .runtime
                .block_on(inside.client.end_shift())
                .map_err(|error| told(&error))?;
            let out = inside.runtime.block_on(inside.client.sign_out());
            out.map_err(|error| told(&error))
        }
    }
}

/// Gives an order.
pub(crate) fn order(options: &Ordered, order: &str) -> Result<(), Failure> {
    let inside = Inside::enter(&options.signed)?;
    let slot = options.slot.as_deref();
    inside.act(async |client| client.order(slot, order).await)
}

/// Gives a card up.
pub(crate) fn give_up(options: &GiveUp) -> Result<(), Failure> {
    let inside = Inside::enter(&options.signed)?;
    inside.act(async |client| client.give_up(&options.slot).await)
}

/// Shows what people did.
pub(crate) fn acts(options: &Signed) -> Result<(), Failure> {
    let inside = Inside::enter(options)?;
    let acts = inside.act(async |client| client.acts().await)?;
    if options.json {
        return output::json(&acts);
    }
    let mut table = headed(["when", "who", "what", "slot"]);
    for act in acts {
        let slot = act.slot.unwrap_or_default();
        table.add_row([act.at.to_string(), act.person, act.act, slot]);
    }
    output::line(&table.to_string())
}
