//! Documents that anything happens to, in any order: what the store has is what the pure machines
//! say, after every act, and no refused act changes anything.

use document::LifeCycle;
use document::life_cycle::{
    BlankState, CertificateState, DocumentEvent, DocumentState, RevocationCause, certificate_move,
};

use super::bench::make;
use super::house::{House, actor, with_house};
use crate::error::Result;
use document::Role;

/// What somebody tries.
#[derive(Clone, Copy, Debug)]
enum Try {
    Make,
    Pass,
    Fail,
    Pack,
    Unpack,
    Ship,
    HandOver,
    Suspend,
    Resume,
    Lost,
    Stolen,
    Revoke(RevocationCause),
    TakeBack,
    Destroy,
    Damaged,
    Missing,
    Expire,
}

const TRIES: [Try; 20] = [
    Try::Make,
    Try::Pass,
    Try::Pass,
    Try::Fail,
    Try::Pack,
    Try::Unpack,
    Try::Ship,
    Try::Ship,
    Try::HandOver,
    Try::HandOver,
    Try::Suspend,
    Try::Resume,
    Try::Lost,
    Try::Stolen,
    Try::Revoke(RevocationCause::Replaced),
    Try::Revoke(RevocationCause::RightEnded),
    Try::TakeBack,
    Try::Destroy,
    Try::Damaged,
    Try::Missing,
];

/// How many documents a test makes at most: a chip takes its time.
const MAKES: u64 = 6;

/// Marsaglia's xorshift: which lives are tried is the same on every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }
}

/// A document as the machines have it.
struct Model {
    number: String,
    /// The number that stands on the last card that was made.
    card: String,
    state: DocumentState,
    /// Where that card's certificates are; none before they were issued.
    certificates: Option<CertificateState>,
    blank: Option<BlankState>,
    parcel: Option<String>,
}

impl Model {
    /// Goes on with an event, if the machine admits it. Says whether it does.
    fn go(&mut self, event: DocumentEvent, cause: Option<RevocationCause>) -> bool {
        let Ok(next) = self.state.apply(event) else {
            return false;
        };
        let does = certificate_move(self.state, event).0.for_cause(cause);
        let moved = self
            .certificates
            .map(|state| (state, does.event(state, true)));
        if let Some((state, Some(moved))) = moved {
            self.certificates = Some(state.apply(moved).unwrap());
        }
        self.state = next;
        true
    }
}

struct Life<'a> {
    house: &'a House,
    model: Model,
    made: u64,
}

impl Life<'_> {
    /// Tries something. Says whether the machines admit it, and what the store said.
    async fn attempt(&mut self, what: Try) -> (bool, Result<()>) {
        let central = &self.house.central;
        let (clerk, packer) = (actor("clerk"), actor("quality"));
        let number = self.model.number.clone();
        match what {
            Try::Make => unreachable!("a station makes it"),
            Try::Pass => (
                self.model.go(DocumentEvent::PassQuality, None),
                central.pass_quality(&packer, &number).await,
            ),
            Try::Fail => {
                let admitted = self.model.go(DocumentEvent::FailQuality, None);
                let done = central.fail_quality(&packer, &number, "scratched").await;
                if admitted {
                    self.model.go(DocumentEvent::SpoilBlank, None);
                }
                self.on(
                    admitted,
                    done.map(|new| new.map(|new| new.to_string())),
                    BlankState::Spoiled,
                )
            }
            Try::Pack => {
                let admitted = self.model.go(DocumentEvent::Pack, None);
                let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
                let done = central.pack(&packer, &parcel, &number).await;
                if admitted {
                    self.model.parcel = Some(parcel);
                }
                (admitted, done)
            }
            Try::Unpack => {
                let parcel = self.model.parcel.clone();
                let parcel = parcel.unwrap_or_else(|| "PA9999999".to_owned());
                (
                    self.model.go(DocumentEvent::Unpack, None),
                    central.unpack(&packer, &parcel, &number).await,
                )
            }
            Try::Ship => {
                let admitted = self.model.go(DocumentEvent::Arrive, None);
                let parcel = self.model.parcel.clone();
                let parcel = parcel.unwrap_or_else(|| "PA9999999".to_owned());
                let content = [number.clone()];
                let done = async {
                    central.seal_parcel(&packer, &parcel, &content).await?;
                    central.send_parcel(&packer, &parcel, &parcel).await?;
                    central.receive_parcel(&clerk, &parcel, &content).await
                };
                (admitted, done.await.map(drop))
            }
            Try::HandOver => {
                let here = self.model.state == DocumentState::QualityPassed;
                let event = match here {
                    true => DocumentEvent::HandOverHere,
                    false => DocumentEvent::HandOver,
                };
                (
                    self.model.go(event, None),
                    central.hand_over(&clerk, &number).await,
                )
            }
            Try::Suspend => (
                self.model.go(DocumentEvent::Suspend, None),
                central.suspend(&clerk, &number, "lost?").await.map(drop),
            ),
            Try::Resume => (
                self.model.go(DocumentEvent::Resume, None),
                central
                    .resume(&actor("clerk-2"), &number, "found")
                    .await
                    .map(drop),
            ),
            Try::Lost => (
                self.model.go(DocumentEvent::ReportLost, None),
                central.report_lost(&clerk, &number, "lost").await.map(drop),
            ),
            Try::Stolen => (
                self.model.go(DocumentEvent::ReportStolen, None),
                central
                    .report_stolen(&clerk, &number, "stolen")
                    .await
                    .map(drop),
            ),
            Try::Revoke(why) => (
                self.model.go(DocumentEvent::Revoke, Some(why)),
                central
                    .revoke_document(&clerk, &number, why, "decided")
                    .await
                    .map(drop),
            ),
            // Of one that waits for its holder the term has not passed.
            Try::TakeBack => (
                self.model.go(DocumentEvent::TakeBack, None),
                central.take_back(&clerk, &number, "here").await.map(drop),
            ),
            Try::Destroy => {
                let admitted = self.model.go(DocumentEvent::Destroy, None);
                if admitted {
                    self.model.blank = Some(BlankState::Destroyed);
                }
                let keeper = actor("keeper");
                (
                    admitted,
                    central.destroy_document(&keeper, &number, "auditor").await,
                )
            }
            Try::Damaged => {
                let admitted = self.model.state == DocumentState::AtOffice
                    && self.model.go(DocumentEvent::SpoilBlank, None);
                let done = central.document_damaged(&clerk, &number, "bent").await;
                self.on(
                    admitted,
                    done.map(|new| new.map(|new| new.to_string())),
                    BlankState::Spoiled,
                )
            }
            Try::Missing => {
                let admitted = self.model.go(DocumentEvent::LoseBlank, None);
                let done = central
                    .document_missing(&clerk, &number, "quality", "gone")
                    .await;
                self.on(
                    admitted,
                    done.map(|new| new.map(|new| new.to_string())),
                    BlankState::Missing,
                )
            }
            Try::Expire => {
                assert_eq!(central.expire_documents().await.unwrap(), 0);
                (true, Ok(()))
            }
        }
    }

    /// Notes under which number the document goes on, and what became of its blank.
    fn on(
        &mut self,
        admitted: bool,
        done: Result<Option<String>>,
        blank: BlankState,
    ) -> (bool, Result<()>) {
        if admitted {
            self.model.blank = Some(blank);
        }
        let done = done.map(|new| {
            if let Some(new) = new {
                self.model.number = new;
            }
        });
        (admitted, done)
    }

    /// Compares what the store has with the machines.
    async fn check(&self, after: &[String]) {
        let central = &self.house.central;
        let auditor = actor("auditor");
        let documents = central.documents(&auditor).await.unwrap();
        let document = &documents[0];
        let said = (document.number.clone(), document.state);
        assert_eq!(
            said,
            (Some(self.model.number.clone()), self.model.state),
            "{after:?}"
        );
        let certificates = central
            .certificates(&auditor, &self.model.number)
            .await
            .unwrap();
        let serving = certificates.iter().filter(|one| one.standing == "good");
        let is_usable = self.model.state == DocumentState::HandedOver;
        assert_eq!(
            serving.count(),
            if is_usable { 2 } else { 0 },
            "usable while its holder has it in use, and at no other time: {after:?}"
        );
        if let Some(expected) = self.model.certificates {
            for one in &certificates {
                match one.number == self.model.card {
                    true => assert_eq!(one.state, expected, "{after:?}"),
                    false => assert_eq!(one.standing, "revoked", "{after:?}"),
                }
            }
        }
        assert!(
            central
                .unsettled_after(&auditor, "", 200)
                .await
                .unwrap()
                .is_empty()
        );
        if let Some(expected) = self.model.blank {
            let query = "SELECT b.state FROM blank b JOIN lease l ON l.blank = b.serial ORDER BY l.opened DESC, l.turn DESC LIMIT 1";
            assert_eq!(self.house.scalar(query).await, expected.name(), "{after:?}");
        }
        // One live card per document, and every number accounted for.
        assert!(
            self.house
                .number("SELECT count(*) FROM blank WHERE state = 'personalized'")
                .await
                <= 1
        );
        let query = "SELECT count(*) FROM number n WHERE n.state IN ('allotted', 'issued')";
        assert_eq!(self.house.number(query).await, 1, "{after:?}");
    }
}

async fn lives(house: &House, seed: u64, steps: usize) {
    house
        .central
        .add_account(&actor("administrator"), "clerk-2", &[Role::Clerk])
        .await
        .unwrap();
    let number = house.prepared("01-adult").await.to_string();
    let mut life = Life {
        house,
        model: Model {
            card: number.clone(),
            number,
            state: DocumentState::Queued,
            certificates: None,
            blank: None,
            parcel: None,
        },
        made: 0,
    };
    let (mut dice, mut after) = (Dice(seed), Vec::new());
    for _ in 0..steps {
        if life.model.state == DocumentState::Queued {
            if life.made == MAKES {
                break;
            }
            life.made += 1;
            make(house, life.made).await;
            assert!(life.model.go(DocumentEvent::Lease, None));
            assert!(life.model.go(DocumentEvent::Personalize, None));
            life.model.certificates = Some(CertificateState::Ready);
            life.model.card.clone_from(&life.model.number);
            life.model.blank = Some(BlankState::Personalized);
            after.push("make".to_owned());
        }
        let what = match dice.throw(TRIES.len()) {
            0 => Try::Expire,
            at => TRIES[at],
        };
        let (admitted, said) = life.attempt(what).await;
        after.push(format!("{what:?}"));
        assert_eq!(said.is_ok(), admitted, "{said:?} after {after:?}");
        life.check(&after).await;
    }
    assert!(after.len() > steps / 2, "{after:?}");
}

#[test]
fn whatever_happens_the_store_has_what_the_machines_say() {
    with_house(
        "scenarios::random_lives::whatever_happens_the_store_has_what_the_machines_say",
        async |house| lives(&house, 0x0009_1a2b_3c4d_5e6f, 60).await,
    );
}

#[test]
fn and_in_another_order_too() {
    with_house(
        "scenarios::random_lives::and_in_another_order_too",
        async |house| lives(&house, 0x0bad_cafe_dead_0001, 60).await,
    );
}

#[test]
fn and_in_a_third() {
    with_house("scenarios::random_lives::and_in_a_third", async |house| {
        lives(&house, 0x5eed_0000_0000_0003, 60).await
    });
}
