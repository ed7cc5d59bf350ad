//! What production admits of the shipped profiles and a draft beside them.

use audit::CheckpointSigner as _;
use profile::{ProfileKind, Release, Releasers, Shelf};

use super::*;
use crate::error::CentralError;
use crate::scenarios::person::Person;

const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
const EID_CARD: &str = include_str!("../profiles/one-chip/eid-card.toml");
const DRAFT: &str = "extends = \"lateid-v2\"\nname = \"draft\"\n";

struct Bench {
    people: [Person; 2],
    releases: ReleaseShelf,
    chips: BTreeMap<String, Arc<ChipProfile>>,
    documents: Vec<DocumentProfile>,
    certificates: CertificateShelf,
}

/// The certificate profiles that the document names, the authority's own, and a draft.
const CERTIFICATES: [(&str, &str); 4] = [
    ("eid-authentication", "a"),
    ("eid-signature", "b"),
    ("pilot-ca", "c"),
    ("draft", "d"),
];

impl Bench {
    /// The shipped profiles and a draft beside them; nothing is released, two people may.
    fn new() -> Self {
        let people = [Person::new("anna", 1), Person::new("juris", 2)];
        let mut releases = ReleaseShelf::default();
        let list = format!("{}\n{}\n", people[0].key(), people[1].key());
        releases.set_releasers(Releasers::parse(&list).unwrap());
        let (mut chips, mut documents) = (Shelf::default(), Shelf::default());
        chips.put("lateid-v2", LATEID);
        chips.put("draft", DRAFT);
        documents.put("eid-card", EID_CARD);
        let mut certificates = CertificateShelf::default();
        for (name, text) in CERTIFICATES {
            certificates.put(name, text);
        }
        let chip = |name: &&str| {
            let chip = ChipProfile::load(&chips, name).unwrap();
            (chip.name.clone(), Arc::new(chip))
        };
        Self {
            people,
            releases,
            chips: ["lateid-v2", "draft"].iter().map(chip).collect(),
            documents: vec![DocumentProfile::load(&documents, "eid-card").unwrap()],
            certificates,
        }
    }

    /// Signs the certificate profiles that are needed.
    fn certified(mut self) -> Self {
        for (name, _) in &CERTIFICATES[..3] {
            self.sign(ProfileKind::Certificate, name, 2);
        }
        self
    }

    fn about(&self, kind: ProfileKind, name: &str) -> Released {
        match kind {
            ProfileKind::Chip => Released::chip(&self.chips[name]).unwrap(),
            ProfileKind::Document => Released::document(&self.documents[0]).unwrap(),
            ProfileKind::Certificate => {
                let mut texts = self.certificates.texts();
                let (name, text) = texts.find(|(known, _)| *known == name).unwrap();
                Released::certificate(name, text).unwrap()
            }
            ProfileKind::Printer => Released::printer(name, &[0; 32]).unwrap(),
            ProfileKind::Sheet => Released::sheet(name, "").unwrap(),
        }
    }

    /// Puts a release on the shelf that so many people signed.
    fn sign(&mut self, kind: ProfileKind, name: &str, people: usize) -> String {
        let mut release = Release::new(self.about(kind, name)).unwrap();
        for person in &self.people[..people] {
            release.sign(person).unwrap();
        }
        self.releases.put(kind, name, release.to_string());
        release.to_string()
    }

    fn admit(&mut self, environment: Environment) -> Result<Vec<String>, ReleaseError> {
        let Self {
            releases,
            chips,
            documents,
            certificates,
            ..
        } = self;
        let candidates = Candidates {
            chips,
            documents,
            certificates,
            authority: "pilot-ca",
        };
        match admit(environment, releases, candidates) {
            Ok(_) => Ok(chips.keys().cloned().collect()),
            Err(CentralError::Release(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn production_runs_what_two_people_released_and_nothing_else() {
    use ProfileKind::{Chip, Document};
    let mut bench = Bench::new().certified();
    let refused = |bench: &mut Bench| bench.admit(Environment::Production).unwrap_err();
    let message = |error: ReleaseError| {
        assert!(!error.is_alteration());
        error.to_string()
    };
    assert!(message(refused(&mut bench)).contains("document profile \"eid-card\" has no release"));
    bench.sign(Document, "eid-card", 2);
    assert!(message(refused(&mut bench)).contains("chip profile \"lateid-v2\" has no release"));
    bench.sign(Chip, "lateid-v2", 1);
    let lacking = message(refused(&mut bench));
    assert!(
        lacking.contains("\"lateid-v2\"") && lacking.contains("1 of 2 people signed it (anna)"),
        "{lacking}"
    );
    bench.sign(Chip, "lateid-v2", 2);
    assert_eq!(
        bench.admit(Environment::Production).unwrap(),
        ["lateid-v2"],
        "the draft is left out"
    );

    let mut bench = Bench::new().certified();
    bench.sign(Document, "eid-card", 2);
    bench.sign(Chip, "lateid-v2", 2);
    bench.sign(Chip, "draft", 2);
    let both = bench.admit(Environment::Production).unwrap();
    assert_eq!(both, ["draft", "lateid-v2"]);
}

#[test]
fn production_without_a_list_of_releasers_runs_nothing() {
    let mut bench = Bench::new();
    let document = bench.sign(ProfileKind::Document, "eid-card", 2);
    let chip = bench.sign(ProfileKind::Chip, "lateid-v2", 2);
    bench.releases = ReleaseShelf::default();
    bench
        .releases
        .put(ProfileKind::Document, "eid-card", document);
    bench.releases.put(ProfileKind::Chip, "lateid-v2", chip);
    assert!(matches!(
        bench.admit(Environment::Production),
        Err(ReleaseError::NoReleasers { .. })
    ));
    assert_eq!(bench.admit(Environment::Test).unwrap().len(), 2);
}

#[test]
fn a_test_installation_demands_nothing_and_refuses_what_was_altered() {
    let mut bench = Bench::new();
    assert_eq!(bench.admit(Environment::Test).unwrap().len(), 2);
    let text = bench.sign(ProfileKind::Chip, "draft", 1);
    assert_eq!(bench.admit(Environment::Test).unwrap().len(), 2);
    for altered in [
        "nonsense".to_owned(),
        text.replacen("sha256:", "sha256:0", 1),
        bench.sign(ProfileKind::Chip, "lateid-v2", 2),
        {
            let mut other = Release::parse(text.as_bytes()).unwrap();
            other.sign(&bench.people[1]).unwrap();
            let signed = other.to_string();
            let at = signed.rfind(' ').unwrap() + 20;
            let changed = if &signed[at..=at] == "A" { "B" } else { "A" };
            format!("{}{changed}{}", &signed[..at], &signed[at + 1..])
        },
    ] {
        for environment in [Environment::Test, Environment::Production] {
            let mut released = Bench::new().certified();
            released.sign(ProfileKind::Document, "eid-card", 2);
            released.sign(ProfileKind::Chip, "lateid-v2", 2);
            released
                .releases
                .put(ProfileKind::Chip, "draft", altered.clone());
            let error = released.admit(environment).unwrap_err();
            assert!(error.is_alteration(), "{environment}: {error}");
        }
    }
}

#[test]
fn production_prints_layouts_that_two_people_released_and_nobody_prints_altered_ones() {
    let (name, text) = ("pin-envelope", "<svg/>");
    let mut bench = Bench::new();
    let admitted = |bench: &Bench, environment, text| match admit_sheet(
        environment,
        &bench.releases,
        (name, text),
    ) {
        Ok(()) => None,
        Err(CentralError::Release(error)) => Some(error),
        Err(other) => panic!("{other}"),
    };
    let lacking = admitted(&bench, Environment::Production, text).unwrap();
    assert!(lacking.to_string().contains("has no release"), "{lacking}");
    assert!(admitted(&bench, Environment::Test, text).is_none());
    let mut release = Release::new(Released::sheet(name, text).unwrap()).unwrap();
    for (signatures, person) in bench.people.iter().take(2).enumerate() {
        release.sign(person).unwrap();
        bench
            .releases
            .put(ProfileKind::Sheet, name, release.to_string());
        let refused = admitted(&bench, Environment::Production, text);
        assert_eq!(refused.is_some(), signatures == 0, "{refused:?}");
    }
    for environment in [Environment::Test, Environment::Production] {
        let altered = admitted(&bench, environment, "<svg />").unwrap();
        assert!(altered.is_alteration(), "{altered}");
    }
}

#[test]
fn production_issues_by_certificate_profiles_that_two_people_released() {
    use ProfileKind::{Certificate, Chip, Document};
    for lacking in ["eid-authentication", "eid-signature", "pilot-ca"] {
        let mut bench = Bench::new().certified();
        bench.sign(Document, "eid-card", 2);
        bench.sign(Chip, "lateid-v2", 2);
        bench.sign(Certificate, lacking, 1);
        let error = bench.admit(Environment::Production).unwrap_err();
        let words = format!("certificate profile \"{lacking}\" is not released");
        assert!(error.to_string().contains(&words), "{error}");
        assert!(bench.admit(Environment::Test).is_ok());

        bench.sign(Certificate, lacking, 2);
        assert!(
            bench.admit(Environment::Production).is_ok(),
            "the draft is nobody's"
        );
        bench.certificates.put(lacking, "longer validity");
        for environment in [Environment::Test, Environment::Production] {
            assert!(bench.admit(environment).unwrap_err().is_alteration());
        }
    }
}
