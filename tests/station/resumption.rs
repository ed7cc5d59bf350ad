//! Which documents are gone on with after a restart, by the chips that lie in the readers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use api::LeaseId;
use card::ChannelError;
use profile::Shelf;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use super::*;
use crate::readers::HeldCard;
use crate::station::SlotChip;

const PRODUCT: &str = "lateid-v2";

/// Readers whose chips are each opened once.
struct Once(Mutex<BTreeMap<String, Chip>>);

impl ReaderService for Once {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        Err(ReaderError::UnknownReader {
            name: "none".into(),
            known: Vec::new(),
        })
    }

    fn open(&self, reader: &str, _: Duration) -> Result<HeldCard, ChannelError> {
        let chip = self.0.lock().unwrap().remove(reader);
        let chip = chip.ok_or_else(|| ChannelError::NoCard {
            reader: reader.into(),
        })?;
        Ok(HeldCard {
            channel: Box::new(InProcess::new(chip)),
            protocol: None,
        })
    }
}

fn blank() -> Chip {
    let product = Product::find(PRODUCT).unwrap();
    let maker = TransportMasterKey::new([0x55; 16]);
    Chip::blank(product, ChipNumber::random().unwrap(), &maker, Memory).unwrap()
}

fn slot(name: &str) -> SlotConfig {
    SlotConfig {
        name: name.into(),
        article: None,
        chips: vec![SlotChip {
            product: PRODUCT.into(),
            reader: name.into(),
        }],
        printer: None,
        feeder: None,
        scanner: None,
    }
}

#[test]
fn whoever_lies_where_they_lay_is_gone_on_with() {
    let mut chips = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    chips.put(PRODUCT, text);
    let catalogue = Catalogue::new(chips, Shelf::default());
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let readers = Once(Mutex::default());
    let number = DocumentNumber::parse("XA0000001").unwrap();
    let mut begin = |slot: &str, chip: Option<&Chip>| {
        let lease = LeaseId(Uuid::new_v4());
        journal.begin(lease, Uuid::new_v4(), number, slot).unwrap();
        if let Some(chip) = chip {
            let evidence = BTreeMap::from([
                ("chip", chip.serial().to_string()),
                ("product", PRODUCT.to_owned()),
            ]);
            let entry = JournalEntry {
                step: "identify".into(),
                moment: Moment::Outcome,
                evidence,
            };
            journal.notebook(lease).write(&entry).unwrap();
        }
    };
    let [same, other, gone, nowhere] = [blank(), blank(), blank(), blank()];
    begin("same", Some(&same));
    begin("other", Some(&other));
    begin("gone", Some(&gone));
    begin("nowhere", Some(&nowhere));
    // Nothing was identified: nothing was done.
    begin("early", None);
    begin("same", None);
    {
        let mut lying = readers.0.lock().unwrap();
        lying.insert("same".into(), same);
        lying.insert("other".into(), blank());
    }
    let slots = ["same", "other", "gone", "early"].map(slot);
    let sorted = sort(&journal, &readers, &slots, &catalogue).unwrap();
    let to_go_on: Vec<_> = sorted.to_go_on.keys().map(String::as_str).collect();
    assert_eq!(to_go_on, ["early", "same"]);
    let why: BTreeMap<_, _> = sorted
        .to_settle
        .iter()
        .map(|(run, why)| (&*run.slot, &**why))
        .collect();
    assert!(
        why["other"].contains("another card lies in \"other\""),
        "{why:?}"
    );
    assert!(
        why["gone"].contains("is not reached in \"gone\""),
        "{why:?}"
    );
    assert!(why["nowhere"].contains("no slot \"nowhere\""), "{why:?}");
    assert_eq!(why.len(), 4, "one slot has one document in work");
}
