//! What each target does with its bytes, for the fuzzers and for the test that replays their
//! corpora. A target passes unless it panics, hangs or eats memory.

#[path = "targets/cards.rs"]
mod cards;
#[path = "targets/certificates.rs"]
mod certificates;
#[path = "targets/devices.rs"]
mod devices;
#[path = "targets/documents.rs"]
mod documents;
#[path = "targets/house.rs"]
mod house;
#[path = "targets/profiles.rs"]
mod profiles;
#[path = "targets/travel.rs"]
mod travel;

/// What a target does with an input.
type Target = fn(&[u8]);

/// Every target with its name.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("apdu", cards::apdu),
    ("tlv", cards::tlv),
    ("global_platform", cards::global_platform),
    ("initialize_update", cards::initialize_update),
    ("secured_response", cards::secured_response),
    ("certificate", certificates::certificate),
    ("request", certificates::request),
    ("crl", certificates::crl),
    ("cvc", certificates::cvc),
    ("cms", certificates::cms),
    ("master_list", certificates::master_list),
    ("ocsp", certificates::ocsp),
    ("est", certificates::est),
    ("public_key", certificates::public_key),
    ("application", documents::application),
    ("audit_entry", house::audit_entry),
    ("checkpoint", house::checkpoint),
    ("profile_release", house::profile_release),
    ("key_ceremony", house::key_ceremony),
    ("template", profiles::template),
    ("chip_profile", profiles::chip_profile),
    ("atr", cards::atr),
    ("trace", cards::trace),
    ("exchange", cards::exchange),
    ("pin_pad", cards::pin_pad),
    ("pjl", documents::pjl),
    ("cmp_message", certificates::cmp_message),
    ("image", documents::image),
    ("lds", travel::lds),
    ("iso19794", travel::iso19794),
    ("iso39794", travel::iso39794),
    ("mrz", documents::mrz),
    ("security_infos", travel::security_infos),
    ("secure_messaging", travel::secure_messaging),
    ("inspection", travel::inspection),
    ("document_folder", travel::document_folder),
    ("delivery", documents::delivery),
    ("package", documents::package),
    ("picture", documents::picture),
    ("layout", documents::layout),
    ("esc_replies", devices::esc_replies),
    ("ipp", devices::ipp),
    ("host_status", devices::host_status),
    ("scan", devices::scan),
    ("feeder", devices::feeder),
    ("sheet", documents::sheet),
    ("printer_profile", devices::printer_profile),
];

/// Runs a target on an input.
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.expect("the name of a target");
    target(bytes);
}
