//! Which token a command is about, and where its officers and its protocol are.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hsm::{HsmError, Secret, SoftHsmFolder, Token, TokenConfig, TokenRecord};
use serde::Deserialize;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::pin;
use crate::cli::installation::{Installation, enter};
use crate::cli::{releases, shipped};

/// What a token's file looks like, for `--help`.
pub(crate) const TOKEN_FILES: &str = "\
A token is that of an installation (--data FOLDER), or one that a file describes (--token FILE):

  kind = \"softhsm2\"           # this one, or the file of another token kind
  label = \"zimogs\"
  pin_file = \"pin\"            # mode 600; without it the PIN is asked for at the terminal
  tokens = \"softhsm\"          # SoftHSM2: the folder of its tokens; else SOFTHSM2_CONF says it
  officers = \"officers.txt\"   # who may sign: one verifier key a line
  protocol = \"protocol\"       # the folder of the key protocol

Paths are relative to the file. `zimogs profile sign --new-key anna.pem --as anna` makes an
officer's key and prints the line for officers.txt. Officers who left stand in
former-officers.txt beside it, so that what they signed can still be verified.";

/// The shipped token kind.
const SOFTHSM2: &str = "softhsm2";
/// The officers who left, beside the list of officers.
const FORMER: &str = "former-officers.txt";

/// Which token.
#[derive(Args)]
pub(crate) struct TokenChoice {
    /// The installation whose token it is.
    #[arg(
        long,
        value_name = "FOLDER",
        required_unless_present = "token",
        conflicts_with = "token"
    )]
    data: Option<PathBuf>,
    /// The file that describes the token: `zimogs hsm --help` shows the form.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Option<String>,
    label: String,
    pin_file: Option<PathBuf>,
    tokens: Option<PathBuf>,
    officers: Option<PathBuf>,
    protocol: Option<PathBuf>,
}

/// A token's place: what is needed to open it, and what lies beside it.
pub(crate) struct Place {
    /// The token's kind.
    pub(crate) config: TokenConfig,
    /// The token's label.
    pub(crate) label: String,
    /// The file of its PIN.
    pub(crate) pin_file: Option<PathBuf>,
    /// The folder of SoftHSM2's tokens, where it is one of ours.
    pub(crate) tokens: Option<PathBuf>,
    /// The file of its officers.
    pub(crate) officers: Option<PathBuf>,
    /// The folder of the key protocol.
    pub(crate) protocol: Option<PathBuf>,
}

impl TokenChoice {
    /// Chooses the token that a file describes.
    pub(crate) fn of_file(file: PathBuf) -> Self {
        Self {
            data: None,
            token: Some(file),
            json: false,
        }
    }

    /// Finds the place; the program starts itself again where SoftHSM2 needs that.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let place = match (&self.data, &self.token) {
            (Some(folder), _) => Installation::open(folder)?.token_place()?,
            (None, Some(file)) => Place::read(file)?,
            (None, None) => return Err(Failure::new(Kind::Usage, "which token?")),
        };
        if let Some(folder) = &place.tokens {
            enter(&SoftHsmFolder::prepare(folder).map_err(|error| {
                let fault = format!("{} cannot be used: {error}", folder.display());
                Failure::new(Kind::Failed, fault)
            })?)?;
        }
        Ok(place)
    }
}

impl Place {
    /// Reads the file that describes a token.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let fault = |reason: String| {
            Failure::new(Kind::Usage, format!("{}: {reason}", path.display()))
                .with_hint("zimogs hsm --help shows the form")
        };
        let text =
            String::from_utf8(releases::read(path)?).map_err(|_| fault("is no text".into()))?;
        let file: File =
            toml::from_str(&text).map_err(|error| fault(error.to_string().trim_end().into()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let config = match file.kind.as_deref() {
            None | Some(SOFTHSM2) => shipped::SOFTHSM2.to_owned(),
            Some(kind) => {
                let kind = folder.join(kind);
                fs::read_to_string(&kind)
                    .map_err(|error| fault(format!("{} cannot be read: {error}", kind.display())))?
            }
        };
        let beside = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        Ok(Self {
            config: TokenConfig::parse(&config).or_fail(Kind::Usage)?,
            label: file.label,
            pin_file: beside(file.pin_file),
            tokens: beside(file.tokens),
            officers: beside(file.officers),
            protocol: beside(file.protocol),
        })
    }

    /// Opens the token.
    pub(crate) fn open(&self) -> Result<Token, Failure> {
        self.open_with(self.pin()?)
    }

    /// Returns the PIN: its file's, or what is typed.
    pub(crate) fn pin(&self) -> Result<Secret, Failure> {
        match &self.pin_file {
            Some(path) => pin::read(path),
            None => pin::ask(&format!("PIN of token {}: ", self.label)),
        }
    }

    /// Opens the token with a PIN.
    pub(crate) fn open_with(&self, pin: Secret) -> Result<Token, Failure> {
        let turn = self.turn()?;
        let token = Token::open(&self.config, &self.label, pin);
        drop(turn);
        token.map_err(|error| self.unopened(&error))
    }

    fn unopened(&self, error: &HsmError) -> Failure {
        let failure = Failure::of(Kind::Device, error);
        let without = std::env::var_os(SoftHsmFolder::VARIABLE).is_none();
        match error {
            HsmError::TokenNotFound { .. } if without && self.tokens.is_none() => failure
                .with_hint(format!(
                    "where it is a SoftHSM2 token: name its folder (tokens = …), or set {}",
                    SoftHsmFolder::VARIABLE
                )),
            _ => failure.with_hint("zimogs hsm doctor says what is wrong"),
        }
    }

    /// Waits for the folder: SoftHSM2 writes at every login, and fails where two programs log in
    /// at once. The turn ends when the file is dropped.
    pub(crate) fn turn(&self) -> Result<Option<fs::File>, Failure> {
        let Some(folder) = &self.tokens else {
            return Ok(None);
        };
        let file = fs::File::create(folder.join("lock")).or_fail(Kind::Failed)?;
        file.lock().or_fail(Kind::Failed)?;
        Ok(Some(file))
    }

    /// Returns how the protocol names the token before it is open.
    pub(crate) fn record(&self) -> TokenRecord {
        TokenRecord {
            label: self.label.clone(),
            serial: None,
            model: None,
        }
    }

    /// Returns the file of the officers.
    pub(crate) fn officers(&self) -> Result<&Path, Failure> {
        self.officers.as_deref().ok_or_else(|| {
            Failure::new(Kind::Refused, "the token's file names no officers")
                .with_hint("officers = \"officers.txt\": one verifier key a line")
        })
    }

    /// Returns the file of the officers who left, which need not be there.
    pub(crate) fn former_officers(&self) -> Option<PathBuf> {
        let list = self.officers.as_ref()?;
        Some(list.with_file_name(FORMER)).filter(|path| path.exists())
    }

    /// Returns the folder of the key protocol.
    pub(crate) fn protocol(&self) -> Result<&Path, Failure> {
        self.protocol.as_deref().ok_or_else(|| {
            Failure::new(Kind::Refused, "the token's file names no key protocol").with_hint(
                "protocol = \"protocol\": the folder in which every act on keys is signed",
            )
        })
    }
}

/// Returns how the protocol names an open token.
pub(crate) fn record_of(token: &Token) -> TokenRecord {
    let info = token.info();
    TokenRecord {
        label: info.label.clone(),
        serial: Some(info.serial.clone()),
        model: Some(info.model.clone()),
    }
}

/// A token beside an installation's own: a printer station's, for example. Its module finds it where
/// it finds the installation's.
pub(crate) struct ForeignToken(Place);

impl ForeignToken {
    /// Reads the file that describes it.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Place::read(path).map(Self)
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Result<Token, Failure> {
        self.0.open()
    }
}
