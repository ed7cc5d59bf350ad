//! Sources: the registers' systems that send applications, and the keys with which they sign: one
//! person proposes, another admits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use central::{NewSource, Source, SourceKey, Thing};
use document::{Act, OfficeCode, SourceName};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::bodies::Because;
use crate::people::call::Call;
use crate::people::named::{KindName, Moment, PlaceCode, RegisterName, SourceText, Thumbprint};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A key of a source.
#[derive(Serialize, JsonSchema)]
struct KeyShown {
    /// Its thumbprint (RFC 7638).
    thumbprint: String,
    /// From when it counts.
    not_before: Moment,
    /// Until when it counts.
    not_after: Moment,
    /// `proposed`, `admitted` or `withdrawn`.
    state: String,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl KeyShown {
    fn of(key: SourceKey) -> Self {
        Self {
            tag: key.tag(),
            thumbprint: key.thumbprint,
            not_before: Moment(key.not_before),
            not_after: Moment(key.not_after),
            state: key.state.to_owned(),
        }
    }
}

/// A source.
#[derive(Serialize, JsonSchema)]
struct SourceShown {
    /// Its name.
    source: String,
    /// The register that its applications name.
    register: RegisterName,
    /// Whether it was removed.
    removed: bool,
    /// The kinds of documents that it may ask for.
    kinds: Vec<KindName>,
    /// The offices to which it may send; none: every office.
    offices: Vec<String>,
    /// The number that its next package must have.
    next_package: u64,
    /// The last report that was made for it.
    last_report: u64,
    /// The last report that it has said it has.
    acknowledged: u64,
    /// Its keys, in the order in which they were proposed.
    keys: Vec<KeyShown>,
    /// What `If-Match` takes, in quotation marks; packages and reports leave it as it is.
    tag: String,
}

impl SourceShown {
    fn of(source: Source) -> Self {
        Self {
            tag: source.tag(),
            source: source.name,
            register: RegisterName(source.register),
            removed: source.removed,
            kinds: source.kinds.into_iter().map(KindName).collect(),
            offices: source.offices,
            next_package: source.next_package,
            last_report: source.last_report,
            acknowledged: source.acknowledged,
            keys: source.keys.into_iter().map(KeyShown::of).collect(),
        }
    }
}

/// The sources.
#[derive(Serialize, JsonSchema)]
struct Sources {
    /// All of them, by name.
    items: Vec<SourceShown>,
}

/// A source to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SourceToAdd {
    /// Its name.
    source: SourceText,
    /// The register that its applications name.
    register: RegisterName,
    /// The kinds of documents that it may ask for.
    #[schemars(length(min = 1, max = 32))]
    kinds: Vec<KindName>,
    /// The offices to which it may send; none: every office.
    #[serde(default)]
    #[schemars(length(max = 200))]
    offices: Vec<PlaceCode>,
}

/// A key to propose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProposedKey {
    /// The public key: `SubjectPublicKeyInfo` of P-256, P-384 or Ed25519, DER in base64.
    #[schemars(length(min = 1, max = 1024), extend("contentEncoding" = "base64"))]
    key: String,
    /// For how many days it counts, from now on.
    #[schemars(range(min = 1, max = 3660))]
    days: u16,
}

/// A key that waits to be admitted.
#[derive(Serialize, JsonSchema)]
struct KeyProposed {
    /// Its thumbprint, which the register confirms by another way.
    thumbprint: String,
    /// Until when it counts.
    not_after: Moment,
}

/// This installation's own key.
#[derive(Serialize, JsonSchema)]
struct OwnKey {
    /// Its thumbprint (RFC 7638).
    thumbprint: String,
    /// The algorithm of its signatures.
    algorithm: String,
    /// The public key, PEM.
    pem: String,
}

/// A package that was refused, as it came.
#[derive(Serialize, JsonSchema)]
struct EvidenceShown {
    /// Its bytes in base64.
    package: String,
}

fn source_of(call: &Call) -> Result<SourceName, Problem> {
    SourceName::parse(call.part("source"))
        .map_err(|_| Problem::new(Fault::NotFound, "there is no source of this name"))
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let found = call.central.sources(call.actor()?).await?;
    let items = found.into_iter().map(SourceShown::of).collect();
    Answer::json(&Sources { items })
}

async fn add(call: Call) -> Result<Answer, Problem> {
    let new: SourceToAdd = call.json()?;
    let invalid = |what: &str| Problem::new(Fault::Invalid, what);
    let office = |code: &PlaceCode| OfficeCode::parse(&code.0);
    let offices: Result<Vec<_>, _> = new.offices.iter().map(office).collect();
    let source = NewSource {
        name: SourceName::parse(&new.source.0)
            .map_err(|_| invalid("a source's name is parts of a to z and 0 to 9, with hyphens"))?,
        register: new.register.0,
        kinds: new.kinds.into_iter().map(|kind| kind.0).collect(),
        offices: offices.map_err(|_| invalid("one of the offices has no such code"))?,
    };
    call.central.add_source(call.actor()?, &source).await?;
    Ok(Answer::nothing())
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    call.central
        .remove_source(call.actor()?, &source_of(&call)?, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn propose(call: Call) -> Result<Answer, Problem> {
    let new: ProposedKey = call.json()?;
    let invalid = |what: &str| Problem::new(Fault::Invalid, what);
    let spki = STANDARD
        .decode(&new.key)
        .map_err(|_| invalid("the key is no base64"))?;
    if !(1..=3660).contains(&new.days) {
        return Err(invalid("a key counts for 1 to 3660 days"));
    }
    let from = Timestamp::now();
    let until = from
        .checked_add(SignedDuration::from_hours(24 * i64::from(new.days)))
        .map_err(|_| invalid("the key counts for too long"))?;
    let source = source_of(&call)?;
    let thumbprint = call
        .central
        .propose_source_key(call.actor()?, &source, &spki, (from, until))
        .await?;
    let shown = KeyProposed {
        thumbprint,
        not_after: Moment(until),
    };
    Answer::created("/v1/sources".to_owned(), &shown)
}

async fn admit(call: Call) -> Result<Answer, Problem> {
    call.central
        .admit_source_key(call.actor()?, call.part("key"))
        .await?;
    Ok(Answer::nothing())
}

async fn withdraw(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    call.central
        .withdraw_source_key(call.actor()?, call.part("key"), &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn own_key(call: Call) -> Result<Answer, Problem> {
    let key = call.central.registers_key().await?;
    let ending = pem_rfc7468::LineEnding::LF;
    let pem = pem_rfc7468::encode_string("PUBLIC KEY", ending, key.spki_der())
        .map_err(|_| Problem::new(Fault::Damaged, "the key cannot be written down"))?;
    Answer::json(&OwnKey {
        thumbprint: key.thumbprint().to_string(),
        algorithm: key.algorithm().name().to_owned(),
        pem,
    })
}

async fn evidence(call: Call) -> Result<Answer, Problem> {
    let (source, digest) = (source_of(&call)?, call.part("digest"));
    let bytes = call
        .central
        .refused_package(call.actor()?, &source, digest)
        .await?;
    Answer::json(&EvidenceShown {
        package: STANDARD.encode(bytes.as_slice()),
    })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    let of_source = |operation: Operation| {
        operation.parameter::<SourceText>("source", "The source's name.", "population-register")
    };
    let of_key = |operation: Operation| {
        operation.parameter::<Thumbprint>("key", "The key's thumbprint.", thumbprint)
    };
    of(
        "registers",
        vec![
            Operation::get("/v1/sources", "listSources", "Lists the sources of applications with their keys.")
                .read(Act::ViewReports, "source.listed", "source")
                .gives::<Sources>(
                    200,
                    "The sources.",
                    json!({ "items": [{
                        "source": "population-register", "register": "population-register",
                        "removed": false, "kinds": ["id-card"], "offices": [], "next_package": 1,
                        "last_report": 0, "acknowledged": 0, "keys": [], "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
                    }] }),
                )
                .runs(list),
            Operation::post("/v1/sources", "addSource", "Adds a source; it sends nothing before a key of it is admitted.")
                .act(Act::ManageSources, "source.added", "source")
                .takes::<SourceToAdd>(json!({
                    "source": "population-register", "register": "population-register", "kinds": ["id-card"],
                }))
                .runs(add),
            of_source(Operation::post(
                "/v1/sources/{source}/removal",
                "removeSource",
                "Removes a source: nothing more is taken from it.",
            ))
            .act(Act::ManageSources, "source.removed", "source")
            .conditional(Thing::Source, "source")
            .or(Act::AdmitSourceKey)
            .takes::<Because>(json!({ "cause": "replaced" }))
            .runs(remove),
            of_source(Operation::post(
                "/v1/sources/{source}/keys",
                "proposeKey",
                "Proposes a key of a source; a security officer admits it once the register confirmed its thumbprint.",
            ))
            .act(Act::ManageSources, "source.key-proposed", "source")
            .conditional(Thing::Source, "source")
            .takes::<ProposedKey>(json!({ "key": "MCowBQYDK2VwAyEA", "days": 730 }))
            .gives::<KeyProposed>(
                201,
                "It is proposed.",
                json!({ "thumbprint": thumbprint, "not_after": "2028-11-20T08:00:00Z" }),
            )
            .runs(propose),
            of_key(Operation::post(
                "/v1/source-keys/{key}/admission",
                "admitKey",
                "Admits a key that another person proposed, after its thumbprint was compared.",
            ))
            .act(Act::AdmitSourceKey, "source.key-admitted", "key")
            .conditional(Thing::SourceKey, "key")
            .runs(admit),
            of_key(Operation::post(
                "/v1/source-keys/{key}/withdrawal",
                "withdrawKey",
                "Withdraws a key: nothing is taken under it from now on.",
            ))
            .act(Act::ManageSources, "source.key-withdrawn", "key")
            .conditional(Thing::SourceKey, "key")
            .or(Act::AdmitSourceKey)
            .takes::<Because>(json!({ "cause": "the key was stolen" }))
            .runs(withdraw),
            of_source(Operation::get(
                "/v1/sources/{source}/refused/{digest}",
                "showRefusedPackage",
                "Shows a package that was refused, as it came, which leaves an entry.",
            ))
            .parameter::<Digest>(
                "digest",
                "The SHA-256 of the package, as the answer to it has it.",
                "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            )
            .act(Act::ViewApplication, "package.seen", "package")
            .gives::<EvidenceShown>(200, "The package.", json!({ "package": "e30" }))
            .runs(evidence),
            Operation::get(
                "/v1/register-key",
                "showOwnKey",
                "Shows the public key with which answers to registers and reports are signed.",
            )
            .read(Act::ViewReports, "register-key.read", "key")
            .gives::<OwnKey>(
                200,
                "The key.",
                json!({ "thumbprint": thumbprint, "algorithm": "ES256", "pem": "-----BEGIN PUBLIC KEY-----\n…" }),
            )
            .runs(own_key),
        ],
    )
}

/// A digest.
struct Digest;

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}
