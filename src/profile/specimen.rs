//! A record for whoever wants to see what a profile does and has no holder at hand.

use std::collections::BTreeSet;

use document::{Prepared, Record};

use crate::chip::ChipProfile;
use crate::vocabulary::ObjectKind;

/// The record of an invented holder, JSON: the number is one of a test series, the personal code
/// one that nobody has.
pub const SPECIMEN: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-01-01","expires":"2035-12-31","holder":{"surname":"Paraudziņš","given_names":"Andris","personal_code":"121282-88882","birth_date":"1926-01-01","sex":"X","nationality":"LVA"},"certificates":true}"#;

/// Gives a record stand-ins, of the usual lengths, for whatever data preparation would make for
/// this chip and the record does not have.
pub fn prepare_specimen(record: &mut Record, chip: &ChipProfile) {
    for name in prepared(chip) {
        let missing = || Prepared::new(vec![0; usual_length(name)]);
        record
            .prepared
            .entry(name.to_owned())
            .or_insert_with(missing);
    }
}

/// Returns the names of what data preparation makes for a chip.
pub(crate) fn prepared(chip: &ChipProfile) -> BTreeSet<&str> {
    let kinds = [ObjectKind::File, ObjectKind::Data].into_iter();
    let objects = kinds.flat_map(|kind| chip.objects(kind));
    let contents = objects.filter_map(|object| object.detail.content());
    let names = contents.flat_map(|content| content.variables());
    names
        .filter_map(|(name, _)| name.strip_prefix("prepared."))
        .collect()
}

/// Returns how many bytes of this name data preparation makes for a usual holder, roughly: what
/// stands in for them where there is no holder.
pub(crate) fn usual_length(prepared: &str) -> usize {
    match prepared {
        "dg1" => 93,
        // A portrait of the holder, and two fingers (ICAO 9303-9).
        "dg2" => 15_000,
        "dg3" => 24_000,
        "dg14" => 300,
        "dg15" => 270,
        "sod" => 2_200,
        _ => 200,
    }
}
