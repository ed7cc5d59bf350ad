//! What is asked of a centre, and what becomes of its answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};

use api::{
    Hello, JournalKept, JournalPart, Lease, LeaseRequest, PutKeyGrant, Report, SealGrant,
    SignLdsGrant, StationAct, Welcome,
};
use async_trait::async_trait;
use document::DocumentNumber;
use perso::{JournalEntry, Moment};
use profile::Value;

use super::*;
use crate::drive::Notebook;
use crate::journal::Journal;

/// A centre that gives what it was told to, and writes down what it was asked.
struct Told {
    channel: Result<ChannelGrant, ApiError>,
    put: PutKeyGrant,
    seal: SealGrant,
    asked: Mutex<Vec<String>>,
    /// How often it is not to be had.
    away: Mutex<u32>,
    /// Where another chip of the blank writes a line each time that lines are told.
    beside: Option<Arc<Mutex<Journal>>>,
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

    async fn put_keys(&self, _: &Actor, request: &PutKeyRequest) -> Result<PutKeyGrant, ApiError> {
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

    async fn tell(&self, _: &Actor, part: &JournalPart) -> Result<JournalKept, ApiError> {
        let Some(journal) = &self.beside else {
            return unavailable();
        };
        self.note(part);
        write_line(&mut journal.lock().unwrap(), part.lease);
        let lines = part.first - 1 + part.lines.len() as u64;
        Ok(JournalKept { lines })
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
        beside: None,
    }
}

fn write_line(journal: &mut Journal, lease: LeaseId) {
    let entry = JournalEntry {
        step: "replace_keys issuer".into(),
        moment: Moment::Intent,
        evidence: BTreeMap::new(),
    };
    journal.notebook(lease).write(&entry).unwrap();
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

#[tokio::test]
async fn what_another_chip_writes_meanwhile_is_waited_for_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let journal = Arc::new(Mutex::new(journal));
    let lease = LeaseId(uuid::Uuid::nil());
    {
        let mut journal = journal.lock().unwrap();
        let number = DocumentNumber::parse("XA0000001").unwrap();
        journal
            .begin(lease, uuid::Uuid::nil(), number, "a")
            .unwrap();
        write_line(&mut journal, lease);
        write_line(&mut journal, lease);
    }
    let centre = Arc::new(Told {
        beside: Some(Arc::clone(&journal)),
        ..told()
    });
    let told = Arc::clone(&centre) as Arc<dyn Centre>;
    let telling = Telling::new(told, &journal, Handle::current());
    let actor = Actor {
        station: "station-1".into(),
        person: "operator".into(),
    };
    telling.take_up(lease, &actor);
    let lines = telling.written(lease).unwrap();
    telling.tell(lease, lines).await.unwrap();
    assert_eq!(centre.asked.lock().unwrap().len(), 1);
    // Whoever asks again waits for no more than it did at first.
    telling.tell(lease, lines).await.unwrap();
    assert_eq!(centre.asked.lock().unwrap().len(), 1);
    // What came meanwhile goes with what is told next.
    let lines = telling.written(lease).unwrap();
    telling.tell(lease, lines).await.unwrap();
    let asked = centre.asked.lock().unwrap();
    assert!(asked[1].contains("first: 3"), "{asked:?}");
    assert_eq!(asked.len(), 2);
}
