//! From what the executor asks to what the centre is asked, and back.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use api::{
    Actor, ApiError, Carries, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelOpening,
    ChannelRequest, ClaimRequest, ConfirmRequest, LeaseId, ProveRequest, PutKeyRequest,
    SealRequest, SealedCommand, Secret, SignLdsRequest,
};
use card::Command;
use card::gp::{Key, SessionKeys};
use perso::{Event, Grant, Opening, Refusal, Request};
use profile::StatusPattern;
use tokio::runtime::Handle;
use tracing::Instrument;
use zeroize::Zeroizing;

use crate::drive::Heard;
use crate::telling::Telling;

/// The longest pause between two questions after a certificate.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long is waited between two questions while a card is parked.
const PARKED_PAUSE: Duration = Duration::from_secs(2);
/// The shortest pause between two questions after a certificate.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// How long a blank in work waits for the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one answer, its repetitions included.
    pub answer: Duration,
    /// For a certificate: an authority may have a queue, or be away for a while, and a blank with
    /// its keys on it is worth waiting for.
    pub certificate: Duration,
    /// Before each repetition of a request that did not get through.
    pub pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(120),
            certificate: Duration::from_secs(15 * 60),
            pauses: [250, 500, 1000].map(Duration::from_millis).into(),
        }
    }
}

/// Asks the centre on behalf of one lease and one chip.
#[derive(Clone)]
pub struct Bridge {
    centre: Arc<dyn Centre>,
    actor: Actor,
    lease: LeaseId,
    beside: Vec<String>,
    printed: Option<String>,
    parking: Option<Arc<dyn Parking>>,
    patience: Patience,
    telling: Option<Arc<Telling>>,
    runtime: Handle,
    place: usize,
    answers: Sender<Heard>,
}

/// Where a card is held while the centre cannot be reached.
pub trait Parking: Send + Sync {
    /// Says that the card is held. Returns whether it may be held any longer.
    fn hold(&self) -> bool;

    /// Says that the card is not held any longer.
    fn let_go(&self);
}

/// A card that is held, until this is dropped.
struct Held<'a>(&'a dyn Parking);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// An answer on its way. It is given when this is dropped, also by a task that was cut off.
struct Reply {
    answers: Sender<Heard>,
    place: usize,
    id: u32,
    answer: Option<Result<Grant, Refusal>>,
}

impl Reply {
    fn give(mut self, answer: Result<Grant, Refusal>) {
        self.answer = Some(answer);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let event = match self.answer.take() {
            Some(Ok(grant)) => Event::Given(self.id, grant),
            Some(Err(refusal)) => Event::Refused(self.id, refusal),
            None => Event::Refused(self.id, Refusal::Other("the request was cut off".into())),
        };
        // Whoever asked may have given up; then nobody needs the answer.
        let _ = self.answers.send(Heard::Event(self.place, event));
    }
}

impl Bridge {
    /// Makes a bridge whose answers go to `answers`.
    pub fn new(
        centre: Arc<dyn Centre>,
        actor: Actor,
        lease: LeaseId,
        runtime: Handle,
        answers: Sender<Heard>,
    ) -> Self {
        Self {
            centre,
            actor,
            lease,
            beside: Vec::new(),
            printed: None,
            parking: None,
            patience: Patience::default(),
            telling: None,
            runtime,
            place: 0,
            answers,
        }
    }

    /// Answers for the chip at this place of the blank, from 0.
    #[must_use]
    pub(crate) fn for_chip(mut self, place: usize) -> Self {
        self.place = place;
        self
    }

    /// Names the other chips of the blank, which a claim tells the centre.
    #[must_use]
    pub fn beside(mut self, chips: Vec<String>) -> Self {
        self.beside = chips;
        self
    }

    /// Names what is printed on the blank, where it was read, which a claim tells the centre.
    #[must_use]
    pub fn printed(mut self, serial: Option<String>) -> Self {
        self.printed = serial;
        self
    }

    /// Holds the card while the centre cannot be reached, instead of failing it.
    #[must_use]
    pub fn parked_at(mut self, parking: Arc<dyn Parking>) -> Self {
        self.parking = Some(parking);
        self
    }

    /// Lets the centre have what is written down before it is asked for anything that is made of a
    /// chip's keys: who goes on elsewhere knows these then.
    #[must_use]
    pub(crate) fn telling(mut self, telling: Arc<Telling>) -> Self {
        self.telling = Some(telling);
        self
    }

    /// Waits so long.
    #[must_use]
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a request on its way for a chip and returns at once. An answer comes in any case:
    /// a request that dies or takes too long is refused here.
    pub fn ask(&self, id: u32, chip: String, request: Request) {
        let bridge = self.clone();
        let reply = Reply {
            answers: self.answers.clone(),
            place: self.place,
            id,
            answer: None,
        };
        let patience = match request {
            Request::Certify { .. } => self.patience.certificate,
            _ => self.patience.answer,
        };
        let work = async move {
            let answered = bridge.insist(chip, request, patience).await;
            if let (Err(ApiError::Moved { .. }), Some(telling)) = (&answered, &bridge.telling) {
                telling.note_moved(bridge.lease);
            }
            reply.give(match answered {
                Ok(grant) => Ok(grant),
                Err(ApiError::WrongKeys) => Err(Refusal::WrongKeys),
                Err(ApiError::NotOneBlank { reason }) => Err(Refusal::NotOneBlank(reason)),
                Err(other) => Err(Refusal::Other(other.to_string())),
            });
        };
        self.runtime.spawn(work.in_current_span());
    }

    /// Asks again where the centre is not to be had: every request may be repeated. Beyond a moment
    /// only for a card that is parked, as long as it may be.
    async fn insist(
        &self,
        chip: String,
        request: Request,
        patience: Duration,
    ) -> Result<Grant, ApiError> {
        let parking = self.parking.as_deref();
        let fetch = || self.fetch(chip.clone(), request.clone());
        insist((patience, &self.patience.pauses), parking, fetch).await
    }

    async fn fetch(&self, chip: String, request: Request) -> Result<Grant, ApiError> {
        let (centre, actor, lease) = (&self.centre, &self.actor, self.lease);
        let is_of_keys = matches!(request, Request::Certify { .. } | Request::SignLds { .. });
        if let Some(telling) = self.telling.as_ref().filter(|_| is_of_keys) {
            telling.tell(lease).await?;
        }
        Ok(match request {
            Request::Claim => {
                let beside = self.beside.clone();
                let request = ClaimRequest {
                    lease,
                    chip,
                    beside,
                    printed: self.printed.clone(),
                };
                centre.claim(actor, &request).await?;
                Grant::Claimed
            }
            Request::OpenChannel(opening) => {
                let request = ChannelRequest {
                    lease,
                    chip,
                    opening: told(opening),
                };
                opened(centre.open_channel(actor, &request).await?)?
            }
            Request::PutKeys { opening, new, adds } => {
                let request = PutKeyRequest {
                    lease,
                    chip,
                    opening: told(opening),
                    new,
                    adds,
                };
                let grant = centre.put_keys(actor, &request).await?;
                let commands = grant.commands.iter();
                Grant::PutKeys {
                    commands: commands.map(parse).collect::<Result<_, _>>()?,
                    answer: grant.answer,
                    kcv: grant.kcv,
                }
            }
            Request::Certify {
                key,
                profile,
                request,
            } => {
                let request = CertifyRequest {
                    lease,
                    chip,
                    key,
                    profile,
                    request,
                };
                loop {
                    match centre.certify(actor, &request).await? {
                        CertifyGrant::Issued {
                            certificate: der,
                            challenge,
                        } => break Grant::Certificate { der, challenge },
                        CertifyGrant::Pending { after } => {
                            let after = Duration::from_millis(after);
                            tokio::time::sleep(after.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
                        }
                    }
                }
            }
            Request::Prove { key, signature } => {
                let request = ProveRequest {
                    lease,
                    chip,
                    key,
                    signature,
                };
                centre.prove(actor, &request).await?;
                Grant::Proved
            }
            Request::SignLds { keys } => {
                let request = SignLdsRequest { lease, chip, keys };
                let grant = centre.sign_lds(actor, &request).await?;
                Grant::SignedLds { files: grant.files }
            }
            Request::Seal {
                stage,
                opening,
                limits,
                pins,
            } => {
                let pins = pins.iter().map(|(pin, digits)| {
                    let digits = Secret::new(digits.as_bytes().unwrap_or_default());
                    (pin.clone(), digits)
                });
                let request = SealRequest {
                    lease,
                    chip,
                    stage,
                    opening: opening.map(told),
                    carries: Carries {
                        command: bounded(limits.command),
                        response: bounded(limits.response),
                        extended: limits.extended,
                    },
                    pins: pins.collect(),
                };
                let grant = centre.seal(actor, &request).await?;
                let commands = grant.commands.iter().map(sealed);
                Grant::Sealed {
                    commands: commands.collect::<Result<_, _>>()?,
                    publics: grant.publics,
                }
            }
            Request::Confirm { stage, answers } => {
                centre
                    .confirm(
                        actor,
                        &ConfirmRequest {
                            lease,
                            chip,
                            stage,
                            answers,
                        },
                    )
                    .await?;
                Grant::Confirmed
            }
        })
    }
}

/// Asks again where the centre is not to be had, each time waiting `within` for its answer. Beyond the
/// `pauses` only for a card that is parked, as long as it may be.
pub(crate) async fn insist<T, F: Future<Output = Result<T, ApiError>>>(
    (within, pauses): (Duration, &[Duration]),
    parking: Option<&dyn Parking>,
    ask: impl Fn() -> F,
) -> Result<T, ApiError> {
    let mut pauses = pauses.iter().copied();
    let mut held = None;
    loop {
        let Ok(answered) = tokio::time::timeout(within, ask()).await else {
            return Err(ApiError::Unavailable {
                reason: format!("it did not answer within {} s", within.as_secs()),
            });
        };
        if !matches!(answered, Err(ApiError::Unavailable { .. })) {
            return answered;
        }
        let pause = match (pauses.next(), parking) {
            (Some(pause), _) => pause,
            (None, Some(parking)) if parking.hold() => {
                held.get_or_insert_with(|| Held(parking));
                PARKED_PAUSE
            }
            (None, _) => return answered,
        };
        tokio::time::sleep(pause).await;
    }
}

fn bounded(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn told(opening: Opening) -> ChannelOpening {
    ChannelOpening {
        key_set: opening.key_set,
        host_challenge: opening.host_challenge,
        answers: opening.answers,
    }
}

fn opened(grant: ChannelGrant) -> Result<Grant, ApiError> {
    let bytes = |secret: Secret| Zeroizing::new(secret.expose().to_vec());
    let key = |secret: &Secret| Key::new(secret.expose()).map_err(|_| malformed("a session key"));
    Ok(match grant {
        ChannelGrant::SessionKeys { enc, mac, rmac } => Grant::SessionKeys(Box::new(SessionKeys {
            enc: key(&enc)?,
            mac: key(&mac)?,
            rmac: key(&rmac)?,
            // Key sets are put by commands that the centre makes; a station needs no S-DEK.
            dek: None,
        })),
        ChannelGrant::Proof { proof, answer } => Grant::Proof {
            proof: bytes(proof),
            answer: answer.map(bytes),
        },
    })
}

fn sealed(command: &SealedCommand) -> Result<(Command, Vec<StatusPattern>), ApiError> {
    let expect = command.expect.iter().map(|word| word.parse());
    let expect = expect.collect::<Result<_, _>>();
    Ok((
        parse(&command.command)?,
        expect.map_err(|_| malformed("a status word"))?,
    ))
}

fn parse(command: &Secret) -> Result<Command, ApiError> {
    Command::parse(command.expose()).map_err(|_| malformed("a command"))
}

fn malformed(what: &str) -> ApiError {
    ApiError::Invalid {
        reason: format!("the centre's answer holds {what} that cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, mpsc};

    use api::{
        Hello, JournalKept, JournalPart, Lease, LeaseRequest, PutKeyGrant, Report, SealGrant,
        SignLdsGrant, StationAct, Welcome,
    };
    use async_trait::async_trait;
    use profile::Value;

    use super::*;

    /// A centre that gives what it was told to, and writes down what it was asked.
    struct Told {
        channel: Result<ChannelGrant, ApiError>,
        put: PutKeyGrant,
        seal: SealGrant,
        asked: Mutex<Vec<String>>,
        /// How often it is not to be had.
        away: Mutex<u32>,
    }

    impl Told {
        fn note(&self, request: &impl std::fmt::Debug) {
            self.asked.lock().unwrap().push(format!("{request:?}"));
        }
    }

    fn unavailable<T>() -> Result<T, ApiError> {
        Err(ApiError::Unavailable {
            reason: "closed".into(),
        })
    }

    #[async_trait]
    impl Centre for Told {
        async fn hello(&self, _: &Actor, _: &Hello) -> Result<Welcome, ApiError> {
            unavailable()
        }

        async fn lease(&self, _: &Actor, _: &LeaseRequest) -> Result<Option<Lease>, ApiError> {
            unavailable()
        }

        async fn claim(&self, _: &Actor, request: &ClaimRequest) -> Result<(), ApiError> {
            self.note(request);
            let mut away = self.away.lock().unwrap();
            match away.checked_sub(1) {
                Some(less) => {
                    *away = less;
                    unavailable()
                }
                None => Ok(()),
            }
        }

        async fn open_channel(
            &self,
            _: &Actor,
            request: &ChannelRequest,
        ) -> Result<ChannelGrant, ApiError> {
            self.note(request);
            self.channel.clone()
        }

        async fn put_keys(
            &self,
            _: &Actor,
            request: &PutKeyRequest,
        ) -> Result<PutKeyGrant, ApiError> {
            self.note(request);
            Ok(self.put.clone())
        }

        async fn certify(&self, _: &Actor, _: &CertifyRequest) -> Result<CertifyGrant, ApiError> {
            unavailable()
        }

        async fn prove(&self, _: &Actor, _: &ProveRequest) -> Result<(), ApiError> {
            unavailable()
        }

        async fn sign_lds(
            &self,
            _: &Actor,
            request: &SignLdsRequest,
        ) -> Result<SignLdsGrant, ApiError> {
            self.note(request);
            let files = BTreeMap::from([("sod".into(), vec![0x77, 0])]);
            Ok(SignLdsGrant { files })
        }

        async fn seal(&self, _: &Actor, request: &SealRequest) -> Result<SealGrant, ApiError> {
            self.note(request);
            assert!(
                request
                    .pins
                    .get("pin1")
                    .is_none_or(|pin| pin.expose() == b"739184")
            );
            Ok(self.seal.clone())
        }

        async fn confirm(&self, _: &Actor, _: &ConfirmRequest) -> Result<(), ApiError> {
            Ok(())
        }

        async fn tell(&self, _: &Actor, _: &JournalPart) -> Result<JournalKept, ApiError> {
            unavailable()
        }

        async fn report(&self, _: &Actor, _: &Report) -> Result<(), ApiError> {
            unavailable()
        }

        async fn act(&self, _: &Actor, _: &StationAct) -> Result<(), ApiError> {
            unavailable()
        }
    }

    fn told() -> Told {
        Told {
            channel: Err(ApiError::WrongKeys),
            put: PutKeyGrant {
                commands: vec![Secret::new([0x80, 0xD8, 0, 0x81])],
                answer: Some(vec![1]),
                kcv: vec![2],
            },
            seal: SealGrant {
                commands: vec![SealedCommand {
                    command: Secret::new([0, 0x24, 1, 1]),
                    expect: vec!["9000".into(), "63CX".into()],
                }],
                publics: BTreeMap::from([("key".into(), vec![0x30])]),
            },
            asked: Mutex::default(),
            away: Mutex::default(),
        }
    }

    /// Asks once, and returns the answer and what the centre was asked.
    fn ask(centre: Told, request: Request) -> (Result<Grant, Refusal>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (answers, received) = mpsc::channel();
        let actor = Actor {
            station: "station-1".into(),
            person: "operator".into(),
        };
        let centre = Arc::new(centre);
        let lease = LeaseId(uuid::Uuid::nil());
        let bridge = Bridge::new(
            Arc::clone(&centre) as Arc<dyn Centre>,
            actor,
            lease,
            runtime.handle().clone(),
            answers,
        );
        bridge.ask(7, "00".into(), request);
        let answer = runtime.block_on(async {
            loop {
                match received.try_recv() {
                    Ok(answer) => break answer,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        let asked = centre.asked.lock().unwrap().clone();
        let answer = match answer {
            Heard::Event(0, Event::Given(7, grant)) => Ok(grant),
            Heard::Event(0, Event::Refused(7, refusal)) => Err(refusal),
            _ => panic!("it answered something else"),
        };
        (answer, asked)
    }

    fn opening() -> Opening {
        Opening {
            key_set: "issuer".into(),
            host_challenge: vec![1; 8],
            answers: [("channel.challenge".to_owned(), vec![2; 8])].into(),
        }
    }

    fn seal() -> Request {
        Request::Seal {
            stage: "close".into(),
            opening: None,
            limits: card::Limits::default(),
            pins: [("pin1".to_owned(), Value::bytes(*b"739184"))].into(),
        }
    }

    fn fault(answer: Result<Grant, Refusal>) -> String {
        match answer {
            Err(Refusal::Other(reason)) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was given"),
        }
    }

    #[test]
    fn a_centre_that_is_away_for_a_moment_is_asked_again() {
        let centre = told();
        *centre.away.lock().unwrap() = 1;
        let (answer, asked) = ask(centre, Request::Claim);
        assert!(matches!(answer, Ok(Grant::Claimed)));
        assert_eq!(asked.len(), 2);
        // What is refused is refused.
        let (answer, asked) = ask(told(), Request::OpenChannel(opening()));
        assert!(matches!(answer, Err(Refusal::WrongKeys)));
        assert_eq!(asked.len(), 1);
    }

    #[test]
    fn what_the_centre_gives_arrives_as_it_is() {
        let mut centre = told();
        centre.channel = Ok(ChannelGrant::Proof {
            proof: Secret::new([3; 8]),
            answer: Some(Secret::new([4; 8])),
        });
        let (answer, asked) = ask(centre, Request::OpenChannel(opening()));
        assert!(matches!(
            answer,
            Ok(Grant::Proof { proof, answer: Some(answer) })
                if proof[..] == [3; 8] && answer[..] == [4; 8]
        ));
        assert!(asked[0].contains("\"issuer\"") && asked[0].contains("channel.challenge"));

        let mut centre = told();
        let key = |byte| Secret::new([byte; 16]);
        centre.channel = Ok(ChannelGrant::SessionKeys {
            enc: key(1),
            mac: key(2),
            rmac: key(3),
        });
        let (answer, _) = ask(centre, Request::OpenChannel(opening()));
        assert!(matches!(
            answer,
            Ok(Grant::SessionKeys(keys))
                if keys.mac.as_bytes() == [2; 16] && keys.dek.is_none()
        ));

        let put = Request::PutKeys {
            opening: opening(),
            new: "next".into(),
            adds: true,
        };
        let (answer, asked) = ask(told(), put);
        assert!(matches!(
            answer,
            Ok(Grant::PutKeys { commands, answer: Some(answer), kcv })
                if commands.len() == 1 && answer == [1] && kcv == [2]
        ));
        assert!(asked[0].contains("adds: true"), "{}", asked[0]);

        let keys = BTreeMap::from([("active".into(), vec![0x30, 0])]);
        let (answer, asked) = ask(told(), Request::SignLds { keys });
        assert!(matches!(
            answer,
            Ok(Grant::SignedLds { files }) if files["sod"] == [0x77, 0]
        ));
        assert!(asked[0].contains("\"active\": [48, 0]"), "{}", asked[0]);

        let (answer, asked) = ask(told(), seal());
        let Ok(Grant::Sealed { commands, publics }) = answer else {
            panic!("it was not sealed");
        };
        let expect: Vec<_> = commands[0].1.iter().map(ToString::to_string).collect();
        assert_eq!(
            (expect, publics.len()),
            (vec!["9000".into(), "63CX".into()], 1)
        );
        assert!(!asked[0].contains("739184"), "{}", asked[0]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_shown() {
        let (answer, _) = ask(told(), Request::OpenChannel(opening()));
        assert!(matches!(answer, Err(Refusal::WrongKeys)));

        let mut centre = told();
        let key = |length| Secret::new(vec![7; length]);
        centre.channel = Ok(ChannelGrant::SessionKeys {
            enc: key(16),
            mac: key(5),
            rmac: key(16),
        });
        let (answer, _) = ask(centre, Request::OpenChannel(opening()));
        assert!(fault(answer).contains("a session key"));

        let mut centre = told();
        centre.seal.commands[0].command = Secret::new([0, 0x24]);
        assert!(fault(ask(centre, seal()).0).contains("a command"));
        let mut centre = told();
        centre.seal.commands[0].expect = vec!["success".into()];
        assert!(fault(ask(centre, seal()).0).contains("a status word"));
        let certify = Request::Certify {
            key: "k".into(),
            profile: "p".into(),
            request: Vec::new(),
        };
        assert!(fault(ask(told(), certify).0).contains("closed"));
    }
}
