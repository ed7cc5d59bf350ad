//! Coming in and going out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use central::{
    Enrolled, Enrolment, FactorProof, NewFactor, Session, SessionToken, SignedIn, TotpAlgorithm,
};
use document::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{Moment, RoleName};
use crate::people::operation::{Operation, Trace, of};
use crate::problem::{Fault, Problem};

/// A name and a password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Password {
    /// The account's name.
    #[schemars(length(max = 256))]
    account: String,
    /// The password.
    #[schemars(length(max = 256))]
    password: Zeroized,
}

/// A text that is wiped.
struct Zeroized(Zeroizing<String>);

impl<'de> Deserialize<'de> for Zeroized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl JsonSchema for Zeroized {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": 256 })
    }
}

/// What proves a second factor: a code, or a card's signature.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecondFactorShown {
    /// What the password, or the code, gave.
    ticket: Zeroized,
    /// The code that the app shows: six digits.
    #[serde(default)]
    code: Option<Zeroized>,
    /// The card's authentication certificate: DER in base64.
    #[serde(default)]
    #[schemars(length(max = 16384))]
    certificate: Option<String>,
    /// The card's signature over the challenge: r and s in base64.
    #[serde(default)]
    #[schemars(length(max = 512))]
    signature: Option<String>,
}

impl SecondFactorShown {
    fn proof(&self) -> Result<FactorProof, Problem> {
        let invalid = || Problem::new(Fault::Invalid, "send code, or certificate and signature");
        match (&self.code, &self.certificate, &self.signature) {
            (Some(code), None, None) => Ok(FactorProof::Totp(code.0.clone())),
            (None, Some(certificate), Some(signature)) => Ok(FactorProof::Card {
                certificate: STANDARD.decode(certificate).map_err(|_| invalid())?,
                signature: STANDARD.decode(signature).map_err(|_| invalid())?,
            }),
            _ => Err(invalid()),
        }
    }
}

/// What somebody enrols with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewCredentials {
    /// The account's name.
    #[schemars(length(max = 256))]
    account: String,
    /// The one-time code that an administrator gave.
    code: Zeroized,
    /// The password: ten characters and more beside a second factor, fifteen alone.
    password: Zeroized,
    /// The second factor.
    #[serde(default)]
    second_factor: Option<NewFactorName>,
    /// Of a card: its authentication certificate, DER in base64.
    #[serde(default)]
    #[schemars(length(max = 16384))]
    certificate: Option<String>,
}

/// A second factor to set up.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum NewFactorName {
    /// An app, SHA-1.
    Totp,
    /// An app, SHA-256.
    TotpSha256,
    /// A card.
    Card,
}

/// A session.
#[derive(Serialize, JsonSchema)]
struct SessionShown {
    /// Its identity, which lets nobody in.
    id: String,
    /// The account's name.
    account: String,
    /// The account's roles.
    roles: Vec<RoleName>,
    /// The second factor it was opened with: `none`, `totp` or `card`.
    second_factor: String,
    /// When it was opened.
    opened: Moment,
    /// When it ends at the latest.
    expires: Moment,
}

impl SessionShown {
    fn of(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            account: session.actor.person.clone(),
            roles: session
                .roles
                .iter()
                .map(|role: &Role| RoleName(*role))
                .collect(),
            second_factor: session.factor.clone(),
            opened: Moment(session.opened),
            expires: Moment(session.expires),
        }
    }
}

/// How far somebody got: in, or asked for the second factor.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum HowFar {
    /// In.
    #[serde(rename_all = "snake_case")]
    SignedIn {
        /// The token of the session; it is not shown again.
        token: String,
        /// The session.
        session: SessionShown,
    },
    /// The second factor is still to be shown.
    #[serde(rename_all = "snake_case")]
    SecondFactor {
        /// What stands for the password meanwhile.
        ticket: String,
        /// Which factor: `totp` or `card`.
        second_factor: String,
        /// What a card signs, as UTF-8: ECDSA with SHA-256 on P-256, with SHA-384 on P-384.
        challenge: String,
        /// Until when.
        expires: Moment,
    },
}

impl HowFar {
    fn signed_in(token: &SessionToken, session: &Session) -> Self {
        Self::SignedIn {
            token: token.expose().to_owned(),
            session: SessionShown::of(session),
        }
    }
}

/// How far an enrolment is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum EnrolmentHowFar {
    /// The password is set.
    Enrolled,
    /// The second factor is still to be proved.
    #[serde(rename_all = "snake_case")]
    Confirm {
        /// What stands for the code meanwhile.
        ticket: String,
        /// The app's secret in base32; it is not shown again.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// The same as an `otpauth` address, for a picture.
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// What a card signs.
        challenge: String,
        /// Until when.
        expires: Moment,
    },
}

async fn sign_in(call: Call) -> Result<Answer, Problem> {
    let shown: Password = call.json()?;
    let how_far = call
        .central
        .sign_in(&call.visit, &shown.account, &shown.password.0)
        .await?;
    Answer::json(&match how_far {
        SignedIn::Session(token, session) => HowFar::signed_in(&token, &session),
        SignedIn::SecondFactor {
            ticket,
            factor,
            challenge,
            expires,
        } => HowFar::SecondFactor {
            ticket: ticket.expose().to_owned(),
            second_factor: factor.name().to_owned(),
            challenge,
            expires: Moment(expires),
        },
    })
}

async fn second_factor(call: Call) -> Result<Answer, Problem> {
    let shown: SecondFactorShown = call.json()?;
    let (token, session) = call
        .central
        .second_factor(&call.visit, &shown.ticket.0, shown.proof()?)
        .await?;
    Answer::json(&HowFar::signed_in(&token, &session))
}

async fn enrol(call: Call) -> Result<Answer, Problem> {
    let shown: NewCredentials = call.json()?;
    let card = || {
        Problem::new(
            Fault::Invalid,
            "send the certificate of the card, in base64",
        )
    };
    let factor = match (shown.second_factor, &shown.certificate) {
        (None, None) => None,
        (Some(NewFactorName::Totp), None) => Some(NewFactor::Totp(TotpAlgorithm::Sha1)),
        (Some(NewFactorName::TotpSha256), None) => Some(NewFactor::Totp(TotpAlgorithm::Sha256)),
        (Some(NewFactorName::Card), Some(certificate)) => Some(NewFactor::Card(
            STANDARD.decode(certificate).map_err(|_| card())?,
        )),
        _ => return Err(card()),
    };
    let enrolment = Enrolment {
        account: shown.account,
        code: shown.code.0,
        password: shown.password.0,
        factor,
    };
    Answer::json(&match call.central.enrol(&call.visit, &enrolment).await? {
        Enrolled::Whole => EnrolmentHowFar::Enrolled,
        Enrolled::Confirm {
            ticket,
            totp,
            challenge,
            expires,
        } => EnrolmentHowFar::Confirm {
            ticket: ticket.expose().to_owned(),
            secret: totp.as_ref().map(|totp| totp.typed.to_string()),
            address: totp.as_ref().map(|totp| totp.address.to_string()),
            challenge,
            expires: Moment(expires),
        },
    })
}

async fn confirm(call: Call) -> Result<Answer, Problem> {
    let shown: SecondFactorShown = call.json()?;
    call.central
        .confirm_enrolment(&call.visit, &shown.ticket.0, shown.proof()?)
        .await?;
    Ok(Answer::nothing())
}

async fn show(call: Call) -> Result<Answer, Problem> {
    Answer::json(&SessionShown::of(call.session()?))
}

async fn sign_out(call: Call) -> Result<Answer, Problem> {
    call.central.sign_out(call.session()?).await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let session = json!({
        "id": "0192f0c1-2b3c-7d4e-8f50-617283940a1b", "account": "berta", "roles": ["clerk"],
        "second_factor": "none", "opened": "2026-11-20T08:00:00Z", "expires": "2026-11-20T20:00:00Z",
    });
    let signed_in = json!({
        "state": "signed-in", "token": "ZpV4b0mBqS0o6i9r6b4yD5gGJm1n8lXq2cWcT0aK3uE", "session": session,
    });
    let factor =
        json!({ "ticket": "ZpV4b0mBqS0o6i9r6b4yD5gGJm1n8lXq2cWcT0aK3uE", "code": "287082" });
    of(
        "sessions",
        vec![
            Operation::post("/v1/sign-ins", "signIn", "Shows account and password.")
                .for_anybody(Trace::Act("session.opened"))
                .takes::<Password>(json!({ "account": "berta", "password": "zila pogas kaste" }))
                .gives::<HowFar>(200, "In, or asked for the second factor.", signed_in.clone())
                .runs(sign_in),
            Operation::post(
                "/v1/sign-ins/second-factor",
                "showSecondFactor",
                "Shows the second factor.",
            )
            .for_anybody(Trace::Act("session.opened"))
            .takes::<SecondFactorShown>(factor.clone())
            .gives::<HowFar>(200, "In.", signed_in)
            .runs(second_factor),
            Operation::post(
                "/v1/enrolments",
                "enrol",
                "Sets password and second factor with a one-time code.",
            )
            .for_anybody(Trace::Act("account.enrolled"))
            .takes::<NewCredentials>(json!({
                "account": "berta", "code": "MZXW6-YTBOI-MZXW6-YTBOI",
                "password": "zila pogas kaste", "second_factor": "totp",
            }))
            .gives::<EnrolmentHowFar>(
                200,
                "The password is set, or the second factor is still to be proved.",
                json!({
                    "state": "confirm", "ticket": "ZpV4b0mBqS0o6i9r6b4yD5gGJm1n8lXq2cWcT0aK3uE",
                    "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                    "address": "otpauth://totp/zimogs:berta?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=zimogs&algorithm=SHA1&digits=6&period=30",
                    "challenge": "zimogs sign-in\nexample.org/central\n…\n", "expires": "2026-11-20T08:15:00Z",
                }),
            )
            .runs(enrol),
            Operation::post(
                "/v1/enrolments/confirmations",
                "confirmEnrolment",
                "Proves the new second factor, which makes the enrolment whole.",
            )
            .for_anybody(Trace::Act("account.enrolled"))
            .takes::<SecondFactorShown>(factor)
            .runs(confirm),
            Operation::get("/v1/session", "showSession", "Shows one's own session.")
                .for_session(Trace::Nothing)
                .gives::<SessionShown>(200, "The session.", session)
                .runs(show),
            Operation::delete("/v1/session", "signOut", "Ends one's own session.")
                .for_session(Trace::Act("session.ended"))
                .runs(sign_out),
        ],
    )
}
