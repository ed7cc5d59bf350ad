//! A record for whoever wants to see what a profile does and has no holder at hand.

/// The record of an invented holder, JSON: the number is one of a test series, the personal code
/// one that nobody has.
pub const SPECIMEN: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-01-01","expires":"2035-12-31","holder":{"surname":"Paraudziņš","given_names":"Andris","personal_code":"121282-88882","birth_date":"1926-01-01","sex":"X","nationality":"LVA"},"certificates":true}"#;

/// Returns how many bytes of this name data preparation makes for a usual holder, roughly: what
/// stands in for them where there is no holder.
pub fn usual_length(prepared: &str) -> usize {
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
