//! Releases against a note that openssl signed, and every way to change one.

use audit::{KeyKind, SignerFault};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{ChipProfile, ReleaseShelf, Shelf};

#[derive(Deserialize)]
struct Vector {
    kind: String,
    name: String,
    digest: String,
    extends: Vec<String>,
    people: Vec<VectorPerson>,
    release: String,
}

#[derive(Deserialize)]
struct VectorPerson {
    name: String,
    ed25519_seed: String,
    verifier_key: String,
}

impl Vector {
    fn load() -> Self {
        let text = include_str!("../../tests/vectors/release/release.json");
        serde_json::from_str(text).unwrap()
    }

    fn about(&self) -> Released {
        let digest = hex::decode(&self.digest).unwrap().try_into().unwrap();
        let kind = self.kind.parse().unwrap();
        Released::new(kind, &self.name, &digest, &self.extends).unwrap()
    }

    fn releasers(&self) -> Releasers {
        releasers(self.people.iter().map(|person| person.verifier_key.clone()))
    }

    fn release(&self) -> Release {
        Release::parse(self.release.as_bytes()).unwrap()
    }
}

fn releasers(keys: impl Iterator<Item = String>) -> Releasers {
    Releasers::parse(&keys.collect::<Vec<_>>().join("\n")).unwrap()
}

struct Person {
    key: VerifierKey,
    secret: SigningKey,
}

impl Person {
    fn new(name: &str, seed: [u8; 32]) -> Self {
        let secret = SigningKey::from_bytes(&seed);
        let public = secret.verifying_key();
        let key = VerifierKey::new(KeyKind::Log, name, public.as_bytes()).unwrap();
        Self { key, secret }
    }

    fn of_vector(person: &VectorPerson) -> Self {
        let seed = hex::decode(&person.ed25519_seed).unwrap();
        Self::new(&person.name, seed.try_into().unwrap())
    }

    fn listed<'a>(people: impl IntoIterator<Item = &'a Self>) -> Releasers {
        releasers(people.into_iter().map(|person| person.key.to_string()))
    }
}

impl CheckpointSigner for Person {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

fn signed_by(people: &[&Person]) -> Release {
    let mut release = Release::new(Vector::load().about()).unwrap();
    for person in people {
        release.sign(*person).unwrap();
    }
    release
}

#[test]
fn what_openssl_signed_is_released_and_we_sign_the_same_bytes() {
    let vector = Vector::load();
    let release = vector.release();
    assert_eq!(release.about(), &vector.about());
    assert_eq!(release.to_string(), vector.release);
    assert_eq!(
        release.verify(&vector.releasers()).unwrap(),
        ["anna", "juris"]
    );
    let people: Vec<_> = vector.people.iter().map(Person::of_vector).collect();
    let ours = signed_by(&people.iter().collect::<Vec<_>>());
    assert_eq!(ours.to_string(), vector.release);
}

#[test]
fn the_published_note_is_signed_by_whom_the_list_says_and_is_no_release() {
    #[derive(Deserialize)]
    struct Published {
        verifier_key: String,
        note: String,
    }
    #[derive(Deserialize)]
    struct Notes {
        published: Published,
    }
    let text = include_str!("../../tests/vectors/merkle/signed_note.json");
    let Notes { published } = serde_json::from_str(text).unwrap();
    let list = Releasers::parse(&published.verifier_key).unwrap();
    let note = SignedNote::parse(published.note.as_bytes()).unwrap();
    assert_eq!(note.verify(&list.keys()[0]), Ok(None));
    assert!(matches!(
        Release::parse(published.note.as_bytes()),
        Err(ReleaseError::Line { line: 1, .. })
    ));
}

/// Whatever is changed in whichever line: it is malformed, a release of something else with false
/// signatures, or one signature less.
#[test]
fn a_change_in_any_line_is_noticed() {
    let vector = Vector::load();
    let (about, list) = (vector.about(), vector.releasers());
    let changed = |from: &str, to: &str| {
        assert!(vector.release.contains(from), "{from}");
        let release = Release::parse(vector.release.replacen(from, to, 1).as_bytes())?;
        assert!(
            release.verify(&list).is_err(),
            "{from}: the signatures are over the text"
        );
        release.check(&about)?;
        release.verify(&list).map(|_| ())
    };
    for (line, from, to) in [
        (1, "release/v1", "release/v2"),
        (1, "release/v1", "release/v1 "),
        (2, "kind chip", "kind chips"),
        (2, "kind chip", "kind"),
        (3, "name esteid-2018", "name ../esteid-2018"),
        (3, "name esteid-2018", "name "),
        (4, "sha256:49", "sha256:4"),
        (4, "sha256:4913b", "sha256:4913B"),
        (4, "sha256:", "sha512:"),
        (5, "extends lateid-v2", "extends -"),
        (5, "extends lateid-v2", "inherits lateid-v2"),
        (6, "lateid-v2\n", "lateid-v2\nextra\n"),
        (6, "lateid-v2\n", "lateid-v2\n\n"),
        (4, "digest", "\nname x\ndigest"),
        (
            13,
            "lateid-v2\n",
            &format!("l\n{}", "extends l\n".repeat(8)),
        ),
    ] {
        let error = changed(from, to).unwrap_err();
        assert!(error.is_alteration());
        assert!(
            matches!(error, ReleaseError::Line { line: at, .. } if at == line),
            "{to}: {error}"
        );
    }
    for (field, from, to) in [
        ("kind", "kind chip", "kind document"),
        ("name", "name esteid-2018", "name esteid-2019"),
        ("digest", "sha256:49", "sha256:4a"),
        (
            "list of ancestors",
            "extends lateid-v2",
            "extends lateid-v1",
        ),
        ("list of ancestors", "extends lateid-v2\n", ""),
        ("list of ancestors", "lateid-v2\n", "lateid-v2\nextends x\n"),
    ] {
        let error = changed(from, to).unwrap_err();
        assert!(error.is_alteration());
        assert!(
            matches!(error, ReleaseError::Differs { field: at, .. } if at == field),
            "{to}: {error}"
        );
    }
    let false_signature = changed("gyLsB5", "gyLsB6").unwrap_err();
    assert!(matches!(
        false_signature,
        ReleaseError::FalseSignature { .. }
    ));
    // Another name or key ID is another key, which nobody knows.
    for (from, to) in [
        ("\u{2014} juris", "\u{2014} jurijs"),
        ("juris +WI42x", "juris +WI52x"),
    ] {
        let error = changed(from, to).unwrap_err();
        assert!(!error.is_alteration());
        assert!(
            matches!(&error, ReleaseError::TooFew { people, .. } if people == &["anna"]),
            "{to}: {error}"
        );
    }
    for (from, to) in [
        ("\u{2014} juris", "- juris"),
        ("lateid-v2\n\n", "lateid-v2\n"),
    ] {
        assert!(matches!(changed(from, to), Err(ReleaseError::Note(_))));
    }
}

#[test]
fn one_person_is_not_two() {
    let anna = Person::new("anna", [1; 32]);
    let new_key = Person::new("anna", [2; 32]);
    let alias = Person::new("maija", [1; 32]);
    let juris = Person::new("juris", [3; 32]);

    let mut release = signed_by(&[&anna]);
    let before = release.to_string();
    for again in [&anna, &new_key] {
        assert!(matches!(
            release.sign(again),
            Err(ReleaseError::SignedAlready { person, .. }) if person == "anna"
        ));
    }
    assert!(matches!(
        release.sign(&alias),
        Err(ReleaseError::SameKey { person, other, .. }) if person == "maija" && other == "anna"
    ));
    assert_eq!(release.to_string(), before);

    // What refuses here would not stop another program: the verifier does not count it either.
    let forced = |first: &Person, second: &Person| {
        let mut note = SignedNote::new(Vector::load().about().to_string()).unwrap();
        note.sign(first).unwrap();
        note.sign(second).unwrap();
        Release::parse(note.to_string().as_bytes()).unwrap()
    };
    let both_keys = Person::listed([&anna, &new_key, &juris]);
    let people = |release: Release, list: &Releasers| match release.verify(list) {
        Err(ReleaseError::TooFew { people, .. }) => people,
        other => panic!("{other:?}"),
    };
    assert_eq!(people(forced(&anna, &new_key), &both_keys), ["anna"]);
    let own_names = Person::listed([&anna, &juris]);
    assert_eq!(people(forced(&anna, &alias), &own_names), ["anna"]);
    assert_eq!(
        forced(&new_key, &juris).verify(&both_keys).unwrap(),
        ["anna", "juris"]
    );
}

#[test]
fn signatures_of_strangers_are_ignored_and_false_ones_are_not() {
    let [anna, juris, stranger] =
        [("anna", 1), ("juris", 2), ("stranger", 3)].map(|(name, n)| Person::new(name, [n; 32]));
    let release = signed_by(&[&stranger, &anna, &juris]);
    let list = Person::listed([&juris, &anna]);
    assert_eq!(release.verify(&list).unwrap(), ["anna", "juris"]);
    assert_eq!(
        release.signers().collect::<Vec<_>>(),
        ["stranger", "anna", "juris"]
    );

    let text = release.to_string();
    let of = |name: &str| {
        let mut lines = text.lines();
        lines.find(|line| line.contains(name)).unwrap().to_owned()
    };
    let third = Person::listed([&juris, &anna, &Person::new("ilze", [4; 32])]);
    let twice = text.replace(&of("stranger"), &of("anna"));
    let twice = Release::parse(twice.as_bytes()).unwrap();
    assert_eq!(twice.verify(&third).unwrap(), ["anna", "juris"]);
    // Two people have signed, and still: a listed key's false signature condemns the note.
    let bytes = of("anna").replacen("anna ", "", 1);
    let spoiled = format!("{}A==", &bytes[..bytes.len() - 3]);
    let replaced = text.replace(
        &of("stranger"),
        &spoiled.replace("\u{2014} ", "\u{2014} anna "),
    );
    let condemned = Release::parse(replaced.as_bytes()).unwrap();
    assert!(matches!(
        condemned.verify(&list),
        Err(ReleaseError::FalseSignature { .. })
    ));
    assert!(matches!(
        release.verify(&Releasers::default()),
        Err(ReleaseError::TooFew { people, .. }) if people.is_empty()
    ));
}

#[test]
fn a_release_has_bounds() {
    let mut release = Release::new(Vector::load().about()).unwrap();
    for n in 0..16 {
        let person = Person::new(&format!("person-{n}"), [n + 1; 32]);
        release.sign(&person).unwrap();
    }
    let more = Person::new("more", [99; 32]);
    assert!(matches!(
        release.sign(&more),
        Err(ReleaseError::TooManySignatures { .. })
    ));
    let mut note = SignedNote::parse(release.to_string().as_bytes()).unwrap();
    note.sign(&more).unwrap();
    assert!(matches!(
        Release::parse(note.to_string().as_bytes()),
        Err(ReleaseError::TooManySignatures { .. })
    ));
    let long = vec![b'a'; 16 * 1024 + 1];
    assert!(matches!(
        Release::parse(&long),
        Err(ReleaseError::TooLong { length: 16_385 })
    ));
    for name in [
        "",
        ".hidden",
        "a/b",
        "a b",
        "a\nkind chip",
        "ā",
        &"a".repeat(65),
    ] {
        assert!(
            matches!(
                Released::new(ProfileKind::Chip, name, &[0; 32], &[]),
                Err(ReleaseError::Name { .. })
            ),
            "{name}"
        );
    }
}

const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
const VARIANT: &str =
    "extends = \"lateid-v2\"\nname = \"variant\"\n[keys.authentication]\nreference = 0x81\n";

fn variant(parent: &str, child: &str) -> Released {
    let mut shelf = Shelf::default();
    shelf.put("lateid-v2", parent);
    shelf.put("variant", child);
    let chip = ChipProfile::load(&shelf, "variant").unwrap_or_else(|error| panic!("{error}"));
    Released::chip(&chip).unwrap()
}

#[test]
fn a_shelf_judges_the_profile_as_it_is_now() {
    let [anna, juris] = [("anna", 1), ("juris", 2)].map(|(name, n)| Person::new(name, [n; 32]));
    let profile = variant(LATEID, VARIANT);
    assert_eq!(profile.ancestors(), ["lateid-v2"]);
    assert_eq!(profile.file_name(), "variant.release");
    let mut shelf = ReleaseShelf::default();
    assert!(matches!(
        shelf.judge(&profile),
        Err(ReleaseError::Missing { kind: ProfileKind::Chip, name }) if name == "variant"
    ));

    let mut release = Release::new(profile.clone()).unwrap();
    release.sign(&anna).unwrap();
    shelf.put(ProfileKind::Chip, "variant", release.to_string());
    assert!(matches!(
        shelf.judge(&profile),
        Err(ReleaseError::NoReleasers { .. })
    ));
    shelf.set_releasers(Person::listed([&anna, &juris]));
    let error = shelf.judge(&profile).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chip profile \"variant\" is not released: 1 of 2 people signed it (anna)"
    );
    release.sign(&juris).unwrap();
    shelf.put(ProfileKind::Chip, "variant", release.to_string());
    assert_eq!(shelf.judge(&profile).unwrap(), ["anna", "juris"]);

    // A comment more, in the profile or in what it extends, is another profile.
    let (parent, child) = (format!("{LATEID}# more\n"), format!("{VARIANT}# more\n"));
    for changed in [variant(&parent, VARIANT), variant(LATEID, &child)] {
        let error = shelf.judge(&changed).unwrap_err();
        assert!(error.is_alteration());
        assert!(matches!(
            error,
            ReleaseError::Differs {
                field: "digest",
                ..
            }
        ));
    }
    shelf.put(ProfileKind::Chip, "variant", "nonsense");
    assert!(matches!(
        shelf.judge(&profile),
        Err(ReleaseError::Damaged { .. })
    ));
}

#[test]
fn a_certificate_profile_is_released_by_its_text() {
    let [anna, juris] = [("anna", 1), ("juris", 2)].map(|(name, n)| Person::new(name, [n; 32]));
    let profile = Released::certificate("leaf", "years = 5").unwrap();
    assert_eq!(profile.kind().to_string(), "certificate");
    assert_eq!(profile.kind().folder(), "certificates");
    let mut release = Release::new(profile.clone()).unwrap();
    release.sign(&anna).unwrap();
    release.sign(&juris).unwrap();
    let mut shelf = ReleaseShelf::default();
    shelf.set_releasers(Person::listed([&anna, &juris]));
    shelf.put(ProfileKind::Certificate, "leaf", release.to_string());
    assert!(shelf.has(ProfileKind::Certificate, "leaf"));
    assert!(!shelf.has(ProfileKind::Chip, "leaf"));
    assert_eq!(shelf.judge(&profile).unwrap(), ["anna", "juris"]);
    let longer = Released::certificate("leaf", "years = 9").unwrap();
    assert!(shelf.judge(&longer).unwrap_err().is_alteration());
    // The signatures for one kind are none for another.
    let chip = Released::new(ProfileKind::Chip, "leaf", profile.digest(), &[]).unwrap();
    shelf.put(ProfileKind::Chip, "leaf", release.to_string());
    assert!(matches!(
        shelf.judge(&chip),
        Err(ReleaseError::Differs { field: "kind", .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_release_survives_its_file(
        kind in 0..ProfileKind::ALL.len(),
        name in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        digest in any::<[u8; 32]>(),
        ancestors in proptest::collection::vec("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", 0..=8),
    ) {
        let kind = ProfileKind::ALL[kind];
        let about = Released::new(kind, &name, &digest, &ancestors).unwrap();
        let mut release = Release::new(about.clone()).unwrap();
        release.sign(&Person::new("anna", [1; 32])).unwrap();
        let text = release.to_string();
        let again = Release::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(again.about(), &about);
        prop_assert_eq!(again.to_string(), text);
    }
}
