//! A certification authority outside the store, with moods: it serves over the same trait as any,
//! has a register of its own, and fails in the ways in which real ones do.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use cert::Certificate;
use hsm::Curve;
use jiff::{SignedDuration, Timestamp};
use pki::test_support::MemoryRegister;
use pki::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, CertificateProfile, EmbeddedCa,
    Exchange, Promises, ServingCa, Status, Verdict,
};

use super::house::product_file;
use crate::Config;

/// What it does instead of serving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    /// It serves.
    #[default]
    Good,
    /// It is not to be reached.
    Down,
    /// It acts, and its answer is lost.
    Mute,
    /// It has this many questions asked before it answers.
    Slow(u8),
    /// It says no.
    Refuses,
    /// Its answer is not its own.
    Garbage,
    /// It gives the certificate of another key.
    OtherKey,
    /// It certifies by another profile.
    OtherProfile,
    /// It gives a certificate that has expired.
    Expired,
    /// It forgot the first request, as one that withdraws what is not confirmed.
    Forgets,
    /// It issues, and takes no change of status.
    Stubborn,
    /// Its clock is far ahead.
    Ahead,
    /// It names a holder in its words.
    Talkative,
    /// It never knows a request again.
    Forgetful,
    /// It gives a certificate that it gave somebody else before.
    SomebodyElses,
    /// It refuses every word on a certificate, and every change.
    NotAuthorised,
    /// It is reached by another connector, to which these bytes are no exchange.
    Reconnected,
}

/// The authority, as tests see it.
#[derive(Debug)]
pub(super) struct Moody {
    ca: ServingCa,
    register: Arc<MemoryRegister>,
    mood: Mutex<Mood>,
    promises: Mutex<Promises>,
    asked: Mutex<u32>,
}

static MOODY: OnceLock<Arc<Moody>> = OnceLock::new();

/// Returns the authority of this process.
pub(super) fn moody() -> &'static Arc<Moody> {
    MOODY.get().unwrap()
}

/// Has the authentication certificate issued by the authority outside.
pub(super) fn outside(config: &mut Config) {
    let text = product_file("certs/eid-authentication.toml");
    let text = text.replace(
        "kind = \"leaf\"",
        "kind = \"leaf\"\nauthority = \"outside\"",
    );
    config.certificates.put("eid-authentication", text);
    let token = &config.token;
    if MOODY.get().is_none() {
        token.generate_signing_key("outside", Curve::P384).unwrap();
    }
    let ca =
        CertificateProfile::parse(&product_file("certs/pilot-ca.toml").replace("PILOT", "OUTSIDE"));
    let moody = MOODY.get_or_init(|| {
        let signer = Arc::new(token.signer("outside").unwrap());
        let at = "2024-01-01T00:00:00Z".parse().unwrap();
        let random = Arc::clone(token);
        let ca = EmbeddedCa::create(&ca.unwrap(), signer, random.clone(), at).unwrap();
        let register = Arc::new(MemoryRegister::default());
        Arc::new(Moody {
            ca: ServingCa::new(Arc::new(ca), register.clone(), random),
            register,
            mood: Mutex::default(),
            promises: Mutex::new(Promises {
                issues_on_hold: true,
                finds_again: true,
                withdraws_unconfirmed: false,
                sets_status: true,
            }),
            asked: Mutex::default(),
        })
    });
    config.authorities.insert(
        "outside".into(),
        Arc::clone(moody) as Arc<dyn CertificateAuthority>,
    );
}

impl Moody {
    pub(super) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        *self.asked.lock().unwrap() = 0;
    }

    pub(super) fn promise(&self, change: impl FnOnce(&mut Promises)) {
        change(&mut self.promises.lock().unwrap());
    }

    /// Returns how many certificates it ever issued.
    pub(super) fn issued(&self) -> usize {
        self.register.entries().len()
    }

    /// Returns where it has a certificate.
    pub(super) async fn status(&self, certificate: &[u8]) -> Status {
        let serial = Certificate::parse(certificate).unwrap().serial().to_vec();
        let entry = self.ca.register().find(&serial).await.unwrap();
        entry.unwrap().status
    }

    /// Returns how many of its certificates are not revoked.
    pub(super) fn live(&self) -> usize {
        let entries = self.register.entries();
        let live = entries.iter();
        live.filter(|entry| !matches!(entry.status, Status::Revoked(_)))
            .count()
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn away() -> AuthorityError {
        AuthorityError::Unanswered {
            reason: "no route to it".into(),
        }
    }
}

#[async_trait]
impl CertificateAuthority for Moody {
    fn promises(&self) -> Promises {
        *self.promises.lock().unwrap()
    }

    fn chain(&self) -> &[Certificate] {
        self.ca.chain()
    }

    async fn prepare(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<Exchange, AuthorityError> {
        self.ca.prepare(order, at).await
    }

    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        if asked > 1 && !self.promises().finds_again {
            return Err(AuthorityError::Astray {
                reason: "it was sent before".into(),
            });
        }
        let year = SignedDuration::from_hours(24 * 366);
        let answer = match self.mood() {
            Mood::Down => return Err(Self::away()),
            Mood::Garbage => {
                return Err(AuthorityError::Foreign {
                    reason: "it is not signed".into(),
                });
            }
            Mood::Refuses => {
                return Err(AuthorityError::Refused {
                    reason: "badRequest".into(),
                });
            }
            Mood::Forgets if asked == 1 => {
                return Err(AuthorityError::Lost {
                    reason: "it was withdrawn".into(),
                });
            }
            Mood::Talkative => {
                return Err(AuthorityError::Refused {
                    reason: "CN=BERZINA ANNA,serialNumber=PNOLV-010190-12345 exists".into(),
                });
            }
            Mood::Forgetful => {
                return Err(AuthorityError::Lost {
                    reason: "forgotten".into(),
                });
            }
            Mood::Reconnected => return Err(AuthorityError::Exchange),
            Mood::SomebodyElses => {
                let one = self.register.entries().remove(0).certificate;
                return Ok(Answer::Issued(Box::new(one)));
            }
            Mood::Slow(times) if asked <= u32::from(times) => {
                return Ok(Answer::Waiting {
                    exchange: exchange.clone(),
                    after: Duration::from_secs(1),
                });
            }
            Mood::OtherKey => {
                // Its own certificate: of another key, whatever else it is.
                let other = self.ca.certificate().clone();
                return Ok(Answer::Issued(Box::new(other)));
            }
            Mood::OtherProfile => {
                let text = product_file("certs/eid-authentication.toml")
                    .replace("[\"digitalSignature\"]", "[\"nonRepudiation\"]")
                    .replace("\"clientAuth\", ", "");
                let profile = CertificateProfile::parse(&text).unwrap();
                let order = CertificateOrder {
                    profile: Arc::new(profile),
                    ..order.clone()
                };
                self.ca.submit(&order, exchange, at).await?
            }
            Mood::Expired => {
                let order = CertificateOrder {
                    not_after: at - year + SignedDuration::from_hours(1),
                    ..order.clone()
                };
                self.ca.submit(&order, exchange, at - year).await?
            }
            Mood::Ahead => {
                let ahead = at + SignedDuration::from_hours(1);
                self.ca.submit(order, exchange, ahead).await?
            }
            _ => self.ca.submit(order, exchange, at).await?,
        };
        match self.mood() {
            Mood::Mute => Err(Self::away()),
            _ => Ok(answer),
        }
    }

    async fn conclude(
        &self,
        exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        if !self.promises().sets_status {
            return Err(AuthorityError::SecondChannel {
                protocol: "EST",
                act: "hold, release or revoke",
            });
        }
        match self.mood() {
            Mood::Down | Mood::Stubborn => Err(Self::away()),
            Mood::OtherKey => panic!("a certificate of another key is nobody's to judge"),
            Mood::NotAuthorised => Err(AuthorityError::Refused {
                reason: "notAuthorized".into(),
            }),
            _ => self.ca.conclude(exchange, certificate, verdict, at).await,
        }
    }

    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        if !self.promises().sets_status {
            return Err(AuthorityError::SecondChannel {
                protocol: "EST",
                act: "hold, release or revoke",
            });
        }
        match self.mood() {
            Mood::Down | Mood::Stubborn => Err(Self::away()),
            Mood::NotAuthorised => Err(AuthorityError::Refused {
                reason: "notAuthorized".into(),
            }),
            _ => self.ca.set_status(certificate, status, at).await,
        }
    }
}
