//! The demo itself, inside the environment that the outer process made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Actor, BlankEnd, Centre, ReportedChip};
use central::{CENTRAL_STORE, Central, Delivery, DeskEnd, DocumentLine, Receipt};
use document::{OfficeCode, Role};
use station::{
    Catalogue, Happening, RemoteCentre, RemoteConfig, SlotChip, SlotConfig, Station, StationConfig,
    StationKey,
};
use tokio::sync::broadcast::error::RecvError;
use zeroize::Zeroizing;

use crate::cli::card::pem;
use crate::cli::demo::blanks::{Blank, Supply};
use crate::cli::demo::farm::Announcement;
use crate::cli::demo::report::{DemoReport, MadeCertificate, MadeChip, MadeDocument, Totals};
use crate::cli::demo::stocks::{Stock, stocks};
use crate::cli::demo::{Arguments, Over};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::Installation;
use crate::cli::serving::{Serving, authority_file};
use crate::cli::watch::Watch;
use crate::cli::{output, shipped, telemetry};

/// The station's name.
const STATION: &str = "demo-station";
/// How long the demo holds a card whose store cannot be reached.
const PARKING: Duration = Duration::from_secs(60);
/// How many documents are read at once.
const PAGE: u32 = 500;

/// Runs the demo inside.
pub(crate) fn run(arguments: &Arguments, announcement: &str) -> Result<ExitCode, Failure> {
    let announcement: Announcement = serde_json::from_str(announcement).or_fail(Kind::Usage)?;
    let folder = std::env::var_os("ZIMOGS_DEMO_DATA").map(PathBuf::from);
    let folder =
        folder.ok_or_else(|| Failure::new(Kind::Usage, "--inside is for the demo itself"))?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let report = runtime.block_on(demo(
        arguments,
        &announcement,
        &Installation::open(&folder)?,
    ))?;
    let whole = report.totals.personalized == report.totals.documents;
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Failed as u8)
    })
}

fn by(role: Role) -> Actor {
    Actor {
        station: STATION.into(),
        person: role.to_string(),
    }
}

async fn demo(
    arguments: &Arguments,
    announcement: &Announcement,
    installation: &Installation,
) -> Result<DemoReport, Failure> {
    let samples: Vec<_> = shipped::applications().collect();
    let count = arguments.count();
    let mut watch = Watch::new(count);
    watch.say(&format!(
        "{count} documents over {} readers of a private pcscd, test environment",
        announcement.readers.len()
    ));

    let maker = transport_key(arguments.transport_key_env.as_deref())?;
    let transport = card::gp::Key::new(maker.as_slice()).or_fail(Kind::Failed)?;
    let profiles = shipped::profiles(arguments.profiles.as_deref())?;
    let slots = usize::from(arguments.slots);
    let stocks = stocks(&profiles, count, slots, arguments.product.as_deref())?;
    let token = installation.found_token()?;
    installation.make_keys(&token, Some(&transport), None)?;
    let central = installation
        .found_central(token, &profiles)
        .await?
        .on_own_machine();
    people(&central).await?;
    let cards = installation.folder().join("cards");
    std::fs::create_dir(&cards).or_fail(Kind::Failed)?;
    let mut supplies: Vec<Supply> = Vec::new();
    let mut made_so_far = 1;
    for stock in &stocks {
        let supply = Supply::make(&cards, stock, maker.as_slice(), made_so_far)?;
        made_so_far += supply.blanks().count();
        supplies.push(supply);
    }
    let blanks = supplies.iter().flat_map(Supply::blanks);
    let delivery = Delivery {
        reference: "DEMO-1".into(),
        blanks: blanks.map(Blank::delivered).collect(),
    };
    let receipt = Receipt {
        place: OfficeCode::parse(CENTRAL_STORE).or_fail(Kind::Failed)?,
        witness: by(Role::Quality).person,
        counted: delivery.blanks.len(),
        transport_kcv: None,
    };
    central
        .receive_blanks(&by(Role::StockKeeper), &delivery, &receipt)
        .await?;
    let holders = applications(&central, &samples, count).await?;

    let slots = slots_of(&stocks, &announcement.readers);
    let config = StationConfig {
        environment: installation.environment(),
        office: None,
        shift: Some(by(Role::Operator)),
        parking: PARKING,
        journal: installation.journal(),
        catalogue: Catalogue::new(profiles.chips, profiles.documents),
        slots: slots.iter().map(|slot| slot.config.clone()).collect(),
    };
    let started = Instant::now();
    let (centre, serving) = centre(arguments, installation, &central).await?;
    let station = Station::start(config, centre, tokio::runtime::Handle::current());
    let station = station.or_fail(Kind::Failed)?;
    let mut events = station.watch();
    let mut changes = tokio::task::JoinSet::new();
    let mut made: Vec<Made> = Vec::new();
    for (stock, supply) in stocks.iter().zip(&mut supplies) {
        if stock.chips.is_empty() {
            made.extend(made_at_desk(&central, stock, supply).await?);
        }
    }
    let mut busy = BTreeSet::new();
    for (index, slot) in slots.iter().enumerate() {
        let supply = supplies.get_mut(slot.stock);
        if let Some(blank) = supply.and_then(Supply::next) {
            blank.insert(announcement, slot.first_reader)?;
            busy.insert(index);
        }
    }
    while !busy.is_empty() {
        let event = tokio::select! {
            event = events.recv() => event,
            Some(changed) = changes.join_next() => {
                changed.or_fail(Kind::Failed)??;
                continue;
            }
            _ = tokio::signal::ctrl_c() => {
                watch.say("stopping: the documents in work are finished first");
                break;
            }
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => break,
        };
        watch.show(&event);
        let Some(index) = slots.iter().position(|slot| slot.config.name == event.slot) else {
            continue;
        };
        match event.happening {
            Happening::Finished { .. } => {
                made.extend(Made::of(event.happening));
                let is_whole = made.last().is_some_and(Made::is_whole);
                let next = slots.get(index).and_then(|slot| {
                    let supply = supplies.get_mut(slot.stock)?;
                    supply.ended(is_whole);
                    supply.next().map(|blank| (blank, slot.first_reader))
                });
                match next {
                    Some((blank, first)) => {
                        // Slots do not wait for each other's cards.
                        let announcement = announcement.clone();
                        changes.spawn_blocking(move || blank.change(&announcement, first));
                    }
                    None => {
                        busy.remove(&index);
                    }
                }
            }
            Happening::NeedsPerson { .. } | Happening::OutOfService { .. } => {
                busy.remove(&index);
            }
            _ => {}
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    // A slot that waits for its card to be taken out would wait for ever.
    let stopping = tokio::task::spawn_blocking(move || station.stop());
    stopping.await.or_fail(Kind::Failed)?;
    // What was finished while the slots stopped counts too.
    while let Ok(event) = events.try_recv() {
        watch.show(&event);
        made.extend(Made::of(event.happening));
    }
    watch.end();
    if let Some(serving) = serving {
        serving.stop().await?;
    }

    let report = account(&central, &holders, made, count, seconds).await?;
    leave_public_files(&central, installation, &report).await?;
    if arguments.json {
        output::json(&report)?;
    } else {
        output::line(&report.table().to_string())?;
        let totals = &report.totals;
        output::line(&format!(
            "{} of {} documents finished in {:.1} s ({:.0} a minute), {} commands, {} bytes; {} blanks spoiled; {} entries in the audit log",
            totals.personalized,
            totals.documents,
            totals.seconds,
            totals.documents_per_minute,
            totals.commands,
            totals.bytes,
            totals.spoiled,
            totals.audit_entries,
        ))?;
        if arguments.data.is_some() || !arguments.exit_when_done {
            next_steps(
                installation,
                announcement,
                &report,
                arguments.exit_when_done,
            )?;
        }
    }
    if !arguments.exit_when_done {
        // Failing to listen for Ctrl-C is the same as having heard it.
        let _ = tokio::signal::ctrl_c().await;
    }
    central.close().await;
    Ok(report)
}

/// Returns every document, the oldest first.
async fn every_document(central: &Central) -> Result<Vec<DocumentLine>, Failure> {
    let auditor = by(Role::Auditor);
    let mut all: Vec<DocumentLine> = Vec::new();
    loop {
        let after = all.last().map_or("", |line| &line.turn);
        let mut page = central.document_lines_after(&auditor, after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.append(&mut page);
    }
}

/// Makes the documents without chips: at a desk, of the next blank of their stock.
async fn made_at_desk(
    central: &Central,
    stock: &Stock,
    supply: &mut Supply,
) -> Result<Vec<Made>, Failure> {
    let mut made = Vec::new();
    for line in every_document(central).await? {
        if !stock.kinds.contains(&line.kind) {
            continue;
        }
        let Some(blank) = supply.next() else { break };
        let number = central
            .produce(
                &by(Role::Operator),
                &line.application,
                blank.serial(),
                &DeskEnd::Made,
            )
            .await?;
        made.push(Made {
            number: number.to_string(),
            end: BlankEnd::Personalized,
            chips: Vec::new(),
            milliseconds: 0,
        });
    }
    Ok(made)
}

/// Returns the store as the station reaches it. Over HTTPS the station gets a key and a certificate
/// first, as any other.
async fn centre(
    arguments: &Arguments,
    installation: &Installation,
    central: &Central,
) -> Result<(Arc<dyn Centre>, Option<Serving>), Failure> {
    if arguments.over == Over::Process {
        return Ok((Arc::new(central.clone()), None));
    }
    let key = StationKey::generate().or_fail(Kind::Failed)?;
    let request = key.request(STATION).or_fail(Kind::Failed)?;
    let administrator = by(Role::Administrator);
    let asked = central
        .ask_station(&administrator, STATION, None, &request)
        .await?;
    let given = central
        .confirm_station(&by(Role::SecurityOfficer), STATION, &asked)
        .await?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let serving = Serving::start(installation, central, Some(any)).await?;
    let mut config = RemoteConfig::new(
        format!("https://{}", serving.address),
        std::fs::read(authority_file(installation)).or_fail(Kind::Failed)?,
        pem::encode(&given.certificate)
            .or_fail(Kind::Failed)?
            .into_bytes(),
        key.to_pem().or_fail(Kind::Failed)?,
    );
    config.traceparent = telemetry::traceparent;
    let remote = RemoteCentre::new(&config).or_fail(Kind::Failed)?;
    Ok((Arc::new(remote), Some(serving)))
}

/// A slot of the demo's station.
struct DemoSlot {
    config: SlotConfig,
    /// Which stock it takes.
    stock: usize,
    /// The place of its first reader; the others follow.
    first_reader: usize,
}

/// Gives each slot its readers, stock after stock.
fn slots_of(stocks: &[Stock], readers: &[String]) -> Vec<DemoSlot> {
    let mut slots = Vec::new();
    let mut first_reader = 0;
    for (stock, sort) in stocks.iter().enumerate() {
        for _ in 0..sort.slots {
            let places = readers.iter().skip(first_reader).zip(&sort.chips);
            let chips = places.map(|(reader, chip)| SlotChip {
                product: chip.product.clone(),
                reader: reader.clone(),
            });
            slots.push(DemoSlot {
                config: SlotConfig {
                    name: format!("slot {}", slots.len() + 1),
                    article: sort.article.clone(),
                    chips: chips.collect(),
                    printer: None,
                    feeder: None,
                    scanner: None,
                },
                stock,
                first_reader,
            });
            first_reader += sort.chips.len();
        }
    }
    slots
}

struct Made {
    number: String,
    end: BlankEnd,
    chips: Vec<ReportedChip>,
    milliseconds: u64,
}

impl Made {
    fn of(happening: Happening) -> Option<Self> {
        match happening {
            Happening::Finished {
                number,
                end,
                chips,
                milliseconds,
                ..
            } => Some(Self {
                number,
                end,
                chips,
                milliseconds,
            }),
            _ => None,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.end, BlankEnd::Personalized)
    }
}

/// Returns the maker's transport master key: from the environment, or a new one.
fn transport_key(variable: Option<&str>) -> Result<Zeroizing<[u8; 16]>, Failure> {
    let mut key = Zeroizing::new([0; 16]);
    match variable {
        None => getrandom::fill(key.as_mut_slice())
            .map_err(|error| Failure::new(Kind::Failed, format!("no random numbers: {error}")))?,
        Some(name) => {
            let text = Zeroizing::new(std::env::var(name).unwrap_or_default());
            hex::decode_to_slice(text.as_bytes(), key.as_mut_slice()).map_err(|_| {
                Failure::new(
                    Kind::Usage,
                    format!("{name} does not hold 32 hexadecimal digits"),
                )
            })?;
        }
    }
    Ok(key)
}

/// Makes an account for every role, named as the role.
async fn people(central: &Central) -> Result<(), Failure> {
    let administrator = by(Role::Administrator);
    central.found(&administrator).await?;
    for role in Role::ALL {
        if *role != Role::Administrator {
            central
                .add_account(&administrator, &role.to_string(), &[*role])
                .await?;
        }
    }
    Ok(())
}

/// Imports and approves the samples; returns each holder's name by the application's reference.
async fn applications(
    central: &Central,
    samples: &[(String, &str)],
    count: usize,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut holders = BTreeMap::new();
    for (index, (name, text)) in samples.iter().cycle().take(count).enumerate() {
        let mut application: serde_json::Value =
            serde_json::from_str(text).or_fail(Kind::Failed)?;
        let round = index / samples.len().max(1);
        let reference = application
            .get("reference")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        let reference = if round == 0 {
            reference.to_owned()
        } else {
            format!("{reference}-{}", round + 1)
        };
        let holder = |field: &str| {
            application
                .pointer(&format!("/holder/{field}"))
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
        };
        holders.insert(
            reference.clone(),
            format!("{} {}", holder("given_names"), holder("surname")),
        );
        application["reference"] = reference.clone().into();
        let bytes = serde_json::to_vec(&application).or_fail(Kind::Failed)?;
        central
            .import(&by(Role::Clerk), &bytes)
            .await
            .map_err(|error| {
                Failure::new(Kind::Refused, format!("sample {name} is refused: {error}"))
            })?;
        central.approve(&by(Role::Approver), &reference).await?;
    }
    Ok(holders)
}

/// Puts together what the station said and what the central store knows.
async fn account(
    central: &Central,
    holders: &BTreeMap<String, String>,
    made: Vec<Made>,
    count: usize,
    seconds: f64,
) -> Result<DemoReport, Failure> {
    let auditor = by(Role::Auditor);
    central.sequence().await?;
    let health = central.audit_health().await?;
    let mut totals = Totals {
        documents: count,
        seconds,
        audit_entries: health.sequenced,
        ..Totals::default()
    };
    for made in &made {
        match made.end {
            BlankEnd::Personalized => totals.personalized += 1,
            BlankEnd::Spoiled { .. } => totals.spoiled += 1,
            BlankEnd::Untouched { .. } => totals.untouched += 1,
        }
        totals.commands += made.chips.iter().map(|chip| chip.commands).sum::<u64>();
        totals.bytes += made.chips.iter().map(|chip| chip.bytes).sum::<u64>();
    }
    totals.documents_per_minute = if seconds > 0.0 {
        totals.personalized as f64 * 60.0 / seconds
    } else {
        0.0
    };
    let mut documents = Vec::new();
    for line in every_document(central).await? {
        let number = line.number.clone().unwrap_or_default();
        let last = made.iter().rev().find(|made| made.number == number);
        let certificates = central.certificates(&auditor, &number).await?;
        let certificates: Vec<_> = certificates
            .into_iter()
            .map(|certificate| MadeCertificate {
                key: certificate.key,
                serial: certificate.serial,
                state: certificate.state.to_string(),
            })
            .collect();
        totals.certificates += certificates.len();
        documents.push(MadeDocument {
            holder: holders
                .get(&line.application.to_string())
                .cloned()
                .unwrap_or_default(),
            application: line.application.to_string(),
            kind: line.kind.to_string(),
            number,
            state: line.state.to_string(),
            verified: last.is_some_and(|made| matches!(made.end, BlankEnd::Personalized)),
            chips: last
                .map_or(&[][..], |made| &made.chips)
                .iter()
                .map(|chip| MadeChip {
                    interface: chip.interface.clone(),
                    product: chip.product.clone(),
                    os: chip.os.clone(),
                    serial: chip.serial.clone(),
                    commands: chip.commands,
                    bytes: chip.bytes,
                })
                .collect(),
            certificates,
            seconds: last.map_or(0.0, |made| made.milliseconds as f64 / 1000.0),
            fault: last.and_then(|made| match &made.end {
                BlankEnd::Personalized => None,
                BlankEnd::Spoiled { cause } | BlankEnd::Untouched { cause } => Some(cause.clone()),
            }),
        });
    }
    Ok(DemoReport {
        channel: "pcsc",
        documents,
        totals,
    })
}

/// Writes what anybody may have: certificates, the authority's own, its revocation list, the log's
/// key, and where a desk finds the token.
async fn leave_public_files(
    central: &Central,
    installation: &Installation,
    report: &DemoReport,
) -> Result<(), Failure> {
    let folder = installation.folder();
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).or_fail(Kind::Failed);
    std::fs::create_dir_all(folder.join("certificates")).or_fail(Kind::Failed)?;
    for document in &report.documents {
        let number = &document.number;
        for certificate in central.certificates(&by(Role::Auditor), number).await? {
            let Some(der) = &certificate.der else {
                continue;
            };
            write(
                &format!("certificates/{number}-{}.der", certificate.key),
                der,
            )?;
        }
    }
    write("keys.toml", installation.desk().as_bytes())?;
    write("authority.der", central.authority_certificate())?;
    write("authority.crl", &central.crl().await?)?;
    write("audit.key", format!("{}\n", central.audit_key()).as_bytes())
}

fn next_steps(
    installation: &Installation,
    announcement: &Announcement,
    report: &DemoReport,
    over: bool,
) -> Result<(), Failure> {
    let folder = installation.folder().display();
    let number = report
        .documents
        .first()
        .map_or("NUMBER", |document| document.number.as_str());
    output::line("\nwhere to look next:")?;
    output::line(&format!("  zimogs central documents --data {folder}"))?;
    output::line(&format!(
        "  zimogs audit export --data {folder} --out LOG && zimogs audit verify LOG"
    ))?;
    output::line(&format!(
        "  zimogs central envelope show {number} --data {folder}        the holder's PINs, once"
    ))?;
    output::line(&format!(
        "  openssl x509 -inform DER -in {folder}/authority.der -noout -text"
    ))?;
    if !over {
        output::line(&format!(
            "  PCSCLITE_CSOCK_NAME={} zimogs card list",
            announcement.pcsc.display()
        ))?;
        output::line("the cards stay in their readers until Ctrl-C")?;
    }
    Ok(())
}
