//! The published vectors, as the tests read them.

use serde::Deserialize;

use crate::Hash;

#[derive(Deserialize)]
pub(crate) struct Rfc6962 {
    pub(crate) leaves: Vec<String>,
    #[serde(deserialize_with = "hashes")]
    pub(crate) leaf_hashes: Vec<Hash>,
    #[serde(deserialize_with = "hashes")]
    pub(crate) roots_by_size: Vec<Hash>,
    pub(crate) all_inclusion_proofs_8: Vec<Inclusion>,
    pub(crate) all_consistency_proofs_8: Vec<Consistency>,
    pub(crate) inclusion_tests: Vec<InclusionTest>,
    pub(crate) consistency_tests: Vec<ConsistencyTest>,
}

impl Rfc6962 {
    pub(crate) fn load() -> Self {
        let text = include_str!("../../tests/vectors/merkle/rfc6962.json");
        serde_json::from_str(text).unwrap()
    }
}

#[derive(Deserialize)]
pub(crate) struct Inclusion {
    pub(crate) leaf_index: u64,
    pub(crate) tree_size: u64,
    #[serde(deserialize_with = "hashes")]
    pub(crate) proof: Vec<Hash>,
}

#[derive(Deserialize)]
pub(crate) struct Consistency {
    pub(crate) size1: u64,
    pub(crate) size2: u64,
    #[serde(deserialize_with = "hashes")]
    pub(crate) proof: Vec<Hash>,
}

#[derive(Deserialize)]
pub(crate) struct InclusionTest {
    pub(crate) desc: String,
    pub(crate) leaf_index: u64,
    pub(crate) tree_size: u64,
    leaf_hash: String,
    root: String,
    proof: Vec<String>,
    pub(crate) want_error: bool,
}

impl InclusionTest {
    /// Path, leaf hash and root.
    pub(crate) fn hashes(&self) -> (Vec<Hash>, Hash, Hash) {
        three(&self.proof, &self.leaf_hash, &self.root)
    }
}

#[derive(Deserialize)]
pub(crate) struct ConsistencyTest {
    pub(crate) desc: String,
    pub(crate) size1: u64,
    pub(crate) size2: u64,
    root1: String,
    root2: String,
    proof: Vec<String>,
    pub(crate) want_error: bool,
}

impl ConsistencyTest {
    /// Path, older and newer root.
    pub(crate) fn hashes(&self) -> (Vec<Hash>, Hash, Hash) {
        three(&self.proof, &self.root1, &self.root2)
    }
}

#[derive(Deserialize)]
pub(crate) struct SignedNotes {
    pub(crate) published: Published,
    pub(crate) checkpoint_shape_example: String,
    pub(crate) computed: Computed,
}

impl SignedNotes {
    pub(crate) fn load() -> Self {
        let text = include_str!("../../tests/vectors/merkle/signed_note.json");
        serde_json::from_str(text).unwrap()
    }
}

#[derive(Deserialize)]
pub(crate) struct Published {
    pub(crate) verifier_key: String,
    pub(crate) text: String,
    pub(crate) note: String,
}

#[derive(Deserialize)]
pub(crate) struct Computed {
    pub(crate) ed25519_seed: String,
    pub(crate) verifier_key: String,
    pub(crate) checkpoint: String,
    pub(crate) witness_seed: String,
    pub(crate) cosignature_line: String,
    pub(crate) cosigned_message: String,
}

fn three(path: &[String], one: &str, two: &str) -> (Vec<Hash>, Hash, Hash) {
    let path = path.iter().map(|text| any_hash(text)).collect();
    (path, any_hash(one), any_hash(two))
}

/// Some tests put bytes of other lengths where hashes belong. The type cannot hold those: equal
/// bytes become equal hashes that stand nowhere in the trees.
fn any_hash(text: &str) -> Hash {
    text.parse()
        .unwrap_or_else(|_| Hash::of_leaf(format!("no hash: {text}").as_bytes()))
}

fn hashes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|text| text.parse().map_err(serde::de::Error::custom))
        .collect()
}
