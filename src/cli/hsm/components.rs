//! `zimogs hsm ceremony components`: a supplier's key from its letters.

use std::process::ExitCode;

use card::cipher::{Key, KeyAlgorithm};
use clap::Args;
use hsm::{Act, CheckMethod, check_component, join_components, parse_component};

use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::ceremony::{check_custodians, check_free, import};
use crate::cli::hsm::key_name::{Algorithm, KcvMethod, Role, kcv};
use crate::cli::hsm::officers::OfficerChoice;
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::hsm::terminal::{Screen, Terminal};

/// How often a component may be mistyped.
const TRIES: usize = 5;

/// Puts a supplier's key together from its 2 or 3 components (XOR), each typed by another person
/// from another letter, and imports it so that it cannot leave the token.
///
/// Every component is compared with its own check value, the key with that of the whole.
#[derive(Args)]
pub(crate) struct Components {
    /// The label that the key gets.
    #[arg(long)]
    label: String,
    /// What it is for; a zone key usually.
    #[arg(long = "as", value_name = "ROLE", default_value = "zone")]
    role: Role,
    /// Its cipher.
    #[arg(long)]
    algorithm: Algorithm,
    /// The check value of the whole key, from the supplier.
    #[arg(long, value_name = "HEX", value_parser = kcv)]
    kcv: [u8; 3],
    /// How the supplier computes check values of AES keys.
    #[arg(long, value_name = "METHOD", default_value = "gp")]
    kcv_method: KcvMethod,
    /// Who types a component; one option for each of the 2 or 3.
    #[arg(long = "custodian", value_name = "NAME", required = true)]
    custodians: Vec<String>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Components) -> Result<ExitCode, Failure> {
    check_custodians(&options.custodians)?;
    let count = options.custodians.len();
    if !(2..=hsm::MAX_COMPONENTS).contains(&count) {
        let error = hsm::ComponentError::Count { count };
        return Err(Failure::of(Kind::Usage, &error));
    }
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    check_free(&token, &options.label)?;
    let mut terminal = Terminal::open()?;
    let act = Act::Components {
        label: options.label.clone(),
        key: options.algorithm.name().to_owned(),
        role: options.role.name().to_owned(),
        kcv: hex::encode_upper(options.kcv),
        kcv_method: options.kcv_method.name().to_owned(),
        custodians: options.custodians.clone(),
    };
    let (algorithm, method) = (options.algorithm.into(), options.kcv_method.into());
    let outcome = officers.carry_out(record_of(&token), &act, || {
        let mut components = Vec::new();
        for (custodian, number) in options.custodians.iter().zip(1..) {
            let mut screen = terminal.only(custodian, "your letter's component is needed now.")?;
            components.push(take(&mut screen, number, algorithm, method)?);
        }
        let key = join_components(&components, algorithm, method, options.kcv)
            .map_err(|error| Failure::of(Kind::Refused, &error))?;
        let (label, role) = (&options.label, options.role);
        let own = CheckMethod::GlobalPlatform.value(&key, algorithm);
        let own = own.map_err(|error| Failure::of(Kind::Refused, &error))?;
        import(&token, label, role, &key, algorithm, own)
    })?;
    shown::done(&outcome, "put together and imported:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for a component until it fits to its check value.
fn take(
    screen: &mut Screen<'_>,
    number: usize,
    algorithm: KeyAlgorithm,
    method: CheckMethod,
) -> Result<Key, Failure> {
    let mut last = None;
    for _ in 0..TRIES {
        let typed = screen.ask_hidden("Component (nothing is shown): ")?;
        let said = screen.ask("Its check value: ")?;
        let component = parse_component(&typed).and_then(|component| {
            let expected = kcv(&said).map_err(|_| hsm::ComponentError::Form)?;
            check_component(number, &component, algorithm, method, expected)?;
            Ok(component)
        });
        match component {
            Ok(component) => return Ok(component),
            Err(error) => {
                screen.say(&format!("{error}\n"))?;
                last = Some(error);
            }
        }
    }
    Err(last.map_or_else(
        || Failure::new(Kind::Failed, "no component was typed"),
        |error| Failure::of(Kind::Refused, &error),
    ))
}
