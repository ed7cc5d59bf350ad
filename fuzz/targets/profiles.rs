//! What a card engineer writes.

pub(crate) fn template(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(template) = profile::Template::parse(text)
    {
        let _ = template.render(&profile::Variables::default());
    }
}

pub(crate) fn chip_profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // Chip and document may stand in one input, one behind the other; a child finds its parent.
    let (chip, document) = text.split_once(NEXT_PROFILE).unwrap_or((text, text));
    let mut shelf = profile::Shelf::default();
    shelf.put("minimal", MINIMAL_CHIP);
    shelf.put("fuzzed", chip);
    let mut documents = profile::Shelf::default();
    documents.put("minimal", MINIMAL_DOCUMENT);
    documents.put("fuzzed", document);
    let chip = profile::ChipProfile::load(&shelf, "fuzzed");
    let document = profile::DocumentProfile::load(&documents, "fuzzed");
    for error in [chip.as_ref().err(), document.as_ref().err()]
        .into_iter()
        .flatten()
    {
        if let profile::ProfileError::Invalid { place, fault, hint } = error {
            assert!(place.line > 0 && place.column > 0, "{error} has a place");
            assert!(
                !fault.is_empty() && !hint.is_empty(),
                "{error} says what to do"
            );
        }
    }
    let (Ok(chip), Ok(document)) = (chip, document) else {
        return;
    };
    let _ = document.check_products(&shelf);
    let record: document::Record = serde_json::from_str(RECORD).expect("the record is sound");
    let chip = std::sync::Arc::new(chip);
    for wanted in &document.chips {
        let Ok(plan) = profile::Plan::new(chip.clone(), &document.name, wanted, &record) else {
            continue;
        };
        render(&plan, &profile::variables(&record));
    }
}

/// Spells what a plan writes and reads: within the limits, or not at all.
fn render(plan: &profile::Plan, known: &profile::Variables) {
    let limits = plan.chip.limits;
    let renderer = profile::Renderer::new(&plan.chip, &limits, None);
    let most = if limits.chaining {
        profile::MAX_CONTENT
    } else {
        limits.command
    };
    for step in plan.stages.iter().flat_map(|stage| &stage.steps) {
        let Some(object) = plan.chip.object(step.verb.object(), &step.object) else {
            continue;
        };
        let content = profile::content(&plan.chip, object, known).unwrap_or_default();
        // A content of a page is enough for every turn of a chunk.
        let content = &content[..content.len().min(4096)];
        let written = match object.detail.content() {
            Some(_) => renderer.write(object, content, known),
            None => Ok(Vec::new()),
        };
        for rendered in written.unwrap_or_default() {
            assert!(
                rendered.command.data().len() <= most,
                "no command is past the limits"
            );
        }
    }
}

/// What stands between a chip profile and a document profile in one input.
const NEXT_PROFILE: &str = "\n=== document ===\n";

const MINIMAL_CHIP: &str = include_str!("../../tests/profiles/chips/minimal.toml");

const MINIMAL_DOCUMENT: &str = include_str!("../../tests/profiles/faults/documents/minimal.toml");

/// An invented holder.
const RECORD: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{"surname":"Izdomāta","given_names":"Anna","personal_code":"321990-12347","birth_date":"1990-03-02","sex":"F","nationality":"LVA"},"certificates":true,"prepared":{"dg1":"615B"}}"#;
