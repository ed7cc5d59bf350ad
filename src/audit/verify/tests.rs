use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{
    Tree,
    checkpoint::CheckpointError,
    export::{
        export,
        tests::{exported, numbered, signed},
    },
    key::{CheckpointSigner as _, KeyKind, tests::TestSigner},
    note::NoteError,
    proof::ConsistencyProof,
};

type Files = BTreeMap<String, Vec<u8>>;

fn verify(files: &Files) -> Result<ExportReport, VerifyError> {
    let log = TestSigner::log();
    let trust = Trust {
        log: log.key(),
        witnesses: &[],
    };
    verify_export(&mut files.clone(), trust)
}

fn faults(files: &Files) -> Vec<IntegrityFault> {
    match verify(files) {
        Err(VerifyError::Faulty(list)) => list.faults().to_vec(),
        other => panic!("{other:?}"),
    }
}

fn flip(files: &mut Files, path: &str, byte: usize, bit: u8) {
    files.get_mut(path).unwrap()[byte] ^= 1 << bit;
}

fn altered_tile(path: &str) -> IntegrityFault {
    IntegrityFault::Altered(Part::Tile(path.parse().unwrap()))
}

#[test]
fn sound_exports_of_all_shapes_verify() {
    for size in [0, 1, 2, 255, 256, 257, 512, 1000, 65_537] {
        let mut files = exported(size);
        let log = TestSigner::log();
        let trust = Trust {
            log: log.key(),
            witnesses: &[],
        };
        let mut seen = Vec::new();
        let report = verify_export_with(&mut files, trust, |index, entry| {
            assert_eq!(index, seen.len() as u64);
            seen.push(entry.to_vec());
        })
        .unwrap();
        assert_eq!(report.entries, size);
        assert_eq!(report.root, signed(numbered(size)).checkpoint().root);
        assert!(seen.into_iter().eq(numbered(size)));
    }
}

#[test]
fn flipped_bits_all_over_a_small_export_are_found() {
    let files = exported(1);
    for (path, bytes) in &files {
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                // A signature takes its time: of the checkpoint, one bit a byte.
                if path == "checkpoint" && bit != byte as u8 % 8 {
                    continue;
                }
                let mut changed = files.clone();
                flip(&mut changed, path, byte, bit);
                assert!(verify(&changed).is_err(), "{path} byte {byte} bit {bit}");
            }
        }
    }
}

#[test]
fn an_altered_entry_is_named() {
    for index in [0, 255, 256, 700, 999] {
        let mut files = exported(1000);
        // Past the length and the word: the last digit of the number.
        let bundle = index / 256;
        let before: usize = numbered(1000)
            .skip(bundle * 256)
            .take(index % 256 + 1)
            .map(|entry| 2 + entry.len())
            .sum();
        let path = [
            format!("tile/entries/{bundle:03}"),
            "tile/entries/003.p/232".to_owned(),
        ];
        flip(&mut files, &path[bundle / 3], before - 1, 0);
        let fault = IntegrityFault::Altered(Part::Entry(index as u64));
        assert_eq!(faults(&files), [fault]);
    }
}

#[test]
fn an_altered_tile_is_named_at_every_level() {
    let sound = exported(66_000);
    for path in [
        "tile/0/000",
        "tile/0/200",
        "tile/0/257.p/208",
        "tile/1/000",
        "tile/1/001.p/1",
        "tile/2/000.p/1",
    ] {
        let mut files = sound.clone();
        let last = files[path].len() - 1;
        flip(&mut files, path, 0, 7);
        flip(&mut files, path, last, 0);
        assert_eq!(faults(&files), [altered_tile(path)], "{path}");
    }
}

#[test]
fn several_alterations_are_all_named() {
    let mut files = exported(66_000);
    flip(&mut files, "tile/entries/010", 5, 0);
    flip(&mut files, "tile/0/011", 64, 0);
    flip(&mut files, "tile/entries/012", 5, 1);
    let entry = |index| IntegrityFault::Altered(Part::Entry(index));
    let expected = [entry(2560), entry(3072), altered_tile("tile/0/011")];
    assert_eq!(faults(&files), expected);
}

#[test]
fn an_entry_changed_along_with_its_tiles_is_found_at_the_first_tile_that_was_not() {
    // A forger who rebuilds every tile but cannot sign.
    let mut forged: Vec<_> = numbered(1000).collect();
    forged[300] = b"entry 3OO".to_vec();
    let mut files: Files = export(forged.clone(), &signed(forged))
        .unwrap()
        .into_iter()
        .map(|file| (file.path, file.bytes))
        .collect();
    let sound = exported(1000);
    files.insert("checkpoint".to_owned(), sound["checkpoint"].clone());
    let signed_root = signed(numbered(1000)).checkpoint().root;
    let found = faults(&files);
    assert!(matches!(found[..], [IntegrityFault::Root { signed, .. }] if signed == signed_root));

    // The same forger, who left the upper tile alone.
    files.insert("tile/1/000.p/3".to_owned(), sound["tile/1/000.p/3"].clone());
    let path = "tile/0/001";
    let tile = path.parse().unwrap();
    assert_eq!(faults(&files), [altered_tile(path)]);
    files.insert(path.to_owned(), sound[path].clone());
    let entry = IntegrityFault::Altered(Part::Entry(300));
    assert_eq!(faults(&files), [entry]);

    // An entry and the tile above it, each changed in its own way: which of the two lied about
    // this entry, nothing that is signed can tell. That the tile was changed is certain.
    flip(&mut files, path, 32 * 44, 0);
    let below = Part::Entry(300);
    let found = faults(&files);
    assert!(found.contains(&altered_tile(path)));
    assert!(found.contains(&IntegrityFault::Contradiction { tile, below }));
}

#[test]
fn entries_in_another_order_are_found() {
    let mut swapped: Vec<_> = numbered(300).collect();
    swapped.swap(10, 11);
    let mut files = exported(300);
    let others = export(swapped.clone(), &signed(swapped)).unwrap();
    let bundle = others
        .into_iter()
        .find(|file| file.path == "tile/entries/000");
    files.insert("tile/entries/000".to_owned(), bundle.unwrap().bytes);
    let entry = |index| IntegrityFault::Altered(Part::Entry(index));
    assert_eq!(faults(&files), [entry(10), entry(11)]);
}

#[test]
fn missing_short_and_long_files_are_named() {
    let sound = exported(600);
    for path in sound.keys() {
        let mut files = sound.clone();
        files.remove(path);
        let path = path.clone();
        assert_eq!(faults(&files), [IntegrityFault::Missing { path }]);
    }
    let change = |path: &str, change: fn(&mut Vec<u8>)| {
        let mut files = sound.clone();
        change(files.get_mut(path).unwrap());
        faults(&files)
    };
    let bundle = "tile/entries/002.p/88";
    let tile = bundle.parse().unwrap();
    let ends = IntegrityFault::BundleEnds { tile, entry: 599 };
    assert_eq!(
        change(bundle, |bytes| bytes.truncate(bytes.len() - 1)),
        [ends]
    );
    let overflows = IntegrityFault::BundleOverflows { tile, bytes: 2 };
    assert_eq!(change(bundle, |bytes| bytes.extend([0, 0])), [overflows]);
    let length = IntegrityFault::Length {
        path: "tile/0/001".to_owned(),
        expected: 8192,
        found: 8191,
    };
    assert_eq!(change("tile/0/001", |bytes| bytes.truncate(8191)), [length]);
    let long = IntegrityFault::TooLong {
        path: "tile/0/001".to_owned(),
        longest: 8192,
    };
    assert_eq!(change("tile/0/001", |bytes| bytes.push(0)), [long]);

    // A missing tile over a changed entry: the entry is somewhere below it.
    let mut files = sound.clone();
    files.remove("tile/0/001");
    flip(&mut files, "tile/entries/001", 3, 0);
    let entries = Part::Entries {
        first: 256,
        last: 511,
    };
    let path = "tile/0/001".to_owned();
    let expected = [
        IntegrityFault::Missing { path },
        IntegrityFault::Altered(entries),
    ];
    assert_eq!(faults(&files), expected);
}

#[test]
fn another_logs_key_and_another_checkpoint_are_refused() {
    let files = exported(5);
    let stranger = TestSigner::new(KeyKind::Log, "perso.example/tlog", &"07".repeat(32));
    let trust = Trust {
        log: stranger.key(),
        witnesses: &[],
    };
    let refused = verify_export(&mut files.clone(), trust);
    let Err(VerifyError::Faulty(list)) = refused else {
        panic!("{refused:?}")
    };
    let name = "perso.example/tlog".to_owned();
    let cause = CheckpointError::Note(NoteError::NotSigned { name });
    assert_eq!(list.faults(), [IntegrityFault::Checkpoint(cause)]);
    let message = "the checkpoint is refused: the note is not signed by perso.example/tlog";
    assert_eq!(list.to_string(), message);

    // A genuine checkpoint of another size of the same log.
    let mut older = files.clone();
    older.insert("checkpoint".to_owned(), exported(4)["checkpoint"].clone());
    let missing = |path: &str| IntegrityFault::Missing {
        path: path.to_owned(),
    };
    let expected = [missing("tile/0/000.p/4"), missing("tile/entries/000.p/4")];
    assert_eq!(faults(&older), expected);
}

#[test]
fn witnesses_are_asked_for() {
    let mut checkpoint = signed(numbered(5));
    let witness = TestSigner::witness();
    let witnesses = [witness.key().clone()];
    let log = TestSigner::log();
    let trust = Trust {
        log: log.key(),
        witnesses: &witnesses,
    };
    let files = |checkpoint: &SignedCheckpoint| -> Files {
        let files = export(numbered(5), checkpoint).unwrap();
        files
            .into_iter()
            .map(|file| (file.path, file.bytes))
            .collect()
    };
    let name = witness.key().name().to_owned();
    let refused = verify_export(&mut files(&checkpoint), trust);
    let Err(VerifyError::Faulty(list)) = refused else {
        panic!("{refused:?}")
    };
    let missing = IntegrityFault::Witness(NoteError::NotSigned { name });
    assert_eq!(list.faults(), [missing]);

    let proof = ConsistencyProof {
        old_size: 0,
        new_size: 5,
        path: Vec::new(),
    };
    crate::cosign(&mut checkpoint, None, &proof, &witness, 1_700_000_000).unwrap();
    let report = verify_export(&mut files(&checkpoint), trust).unwrap();
    assert_eq!(report.witnessed, [Some(1_700_000_000)]);
}

#[test]
fn a_reader_that_fails_gives_no_verdict() {
    struct Broken(Files);
    impl ExportReader for Broken {
        fn read(&mut self, path: &str, longest: usize) -> Result<Vec<u8>, ReadError> {
            if path.starts_with("tile/entries") {
                return Err(ReadError::Failed("disk error".into()));
            }
            self.0.read(path, longest)
        }
    }
    let log = TestSigner::log();
    let trust = Trust {
        log: log.key(),
        witnesses: &[],
    };
    let answer = verify_export(&mut Broken(exported(5)), trust);
    assert!(matches!(answer, Err(VerifyError::Unreadable { .. })));
}

#[test]
fn a_signed_size_without_files_ends_soon() {
    // A log key that signs nonsense must not keep the verifier busy for ever.
    let log = TestSigner::log();
    let mut note = crate::SignedNote::new(format!(
        "perso.example/tlog\n{}\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        (1_u64 << 62) - 1
    ))
    .unwrap();
    note.sign(&log).unwrap();
    let files = Files::from([("checkpoint".to_owned(), note.to_string().into_bytes())]);
    let Err(VerifyError::Faulty(list)) = verify(&files) else {
        panic!()
    };
    assert!(!list.is_complete());
    assert!(list.faults().len() < 2 * MAX_FINDINGS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_is_found_and_blamed_on_its_file(
        size in 1_u64..900, file: Index, byte: Index, bit in 0_u8..8,
    ) {
        let mut files = exported(size);
        let paths: Vec<String> = files.keys().cloned().collect();
        let path = file.get(&paths);
        let byte = byte.index(files[path].len());
        flip(&mut files, path, byte, bit);
        for fault in faults(&files) {
            let blamed = match fault {
                IntegrityFault::Checkpoint(_) => "checkpoint".to_owned(),
                IntegrityFault::Altered(Part::Tile(tile)) => tile.to_string(),
                IntegrityFault::Altered(Part::Entry(index)) => {
                    let bundle = index / 256;
                    let width = (size - bundle * 256).min(256) as u16;
                    Tile::entries(bundle, width).to_string()
                }
                IntegrityFault::BundleEnds { tile, .. }
                | IntegrityFault::BundleOverflows { tile, .. } => tile.to_string(),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(&blamed, path);
        }
    }

    #[test]
    fn a_rewritten_entry_is_found_whatever_tiles_go_with_it(
        size in 2_u64..900, index: Index, keep in any::<[bool; 4]>(),
    ) {
        let index = index.index(size as usize);
        let mut forged: Vec<_> = numbered(size).collect();
        forged[index] = b"forged".to_vec();
        let sound = exported(size);
        let mut files: Files = export(forged.clone(), &signed(forged))
            .unwrap()
            .into_iter()
            .map(|file| (file.path, file.bytes))
            .collect();
        files.insert("checkpoint".to_owned(), sound["checkpoint"].clone());
        for (path, bytes) in &sound {
            let level = path.split('/').nth(1).and_then(|level| level.parse::<usize>().ok());
            if level.is_some_and(|level| keep[level]) {
                files.insert(path.clone(), bytes.clone());
            }
        }
        prop_assert!(verify(&files).is_err());
    }

    #[test]
    fn trees_that_grew_in_steps_export_the_same(size in 0_u64..900, step: Index) {
        let mut tree = Tree::new();
        let mut nodes = BTreeMap::new();
        let pause = step.index(size as usize + 1) as u64;
        for (count, entry) in (0..).zip(numbered(size)) {
            if count == pause {
                tree = Tree::restore(tree.size(), &nodes).unwrap();
            }
            nodes.extend(tree.append(Hash::of_leaf(&entry)).iter().map(|row| (row.node, row.hash)));
        }
        let checkpoint = SignedCheckpoint::sign(&tree, &TestSigner::log()).unwrap();
        prop_assert!(export(numbered(size), &checkpoint).is_ok());
    }
}
