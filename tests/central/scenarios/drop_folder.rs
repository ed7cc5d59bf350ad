//! Packages as files: left until they are whole, answered once, whatever crash comes between.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use api::{ANSWER_TYPE, PackageState, REPORT_TYPE};
use audit::Outcome;
use serde_json::{Value, json};

use super::house::{House, actor, with_house};
use super::registers::{FakeRegister, new, opened};
use crate::{CentralError, DROP_DONE_DAYS};

const SOURCE: &str = "population-register";

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let inbox = folder.join("inbox").join(SOURCE);
    fs::create_dir_all(&inbox).unwrap();
    fs::write(inbox.join(name), bytes).unwrap();
}

fn age(path: &Path, by: Duration) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - by).unwrap();
}

fn listed(folder: &Path, kind: &str) -> Vec<String> {
    let Ok(files) = fs::read_dir(folder.join(kind).join(SOURCE)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Reads what lies in the outbox, without what each run has of its own.
async fn outbox(house: &House, folder: &Path) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    for name in listed(folder, "outbox") {
        let bytes = fs::read(folder.join("outbox").join(SOURCE).join(&name)).unwrap();
        let kind = if name.starts_with("report-") {
            REPORT_TYPE
        } else {
            ANSWER_TYPE
        };
        let said = opened(house, &bytes, kind).await;
        read.insert(name, said);
    }
    read
}

#[test]
fn files_are_answered_moved_and_erased() {
    with_house(
        "scenarios::drop_folder::files_are_answered_moved_and_erased",
        async |house| {
            let register = FakeRegister::new(SOURCE, 1).admitted(&house).await;
            let (central, folder) = (&house.central, house.folder.path().join("registers"));
            let first =
                register.signed(&register.package(1, json!([new("applications/01-adult")])));
            let second =
                register.signed(&register.package(2, json!([new("applications/06-twenty")])));
            // By name the second comes first; it waits for the other.
            put(&folder, "a.json", &second);
            put(&folder, "b.json", &first);
            put(&folder, "half.json", &first[..first.len() / 2]);
            put(&folder, ".c.json.part", &first);
            put(&folder, "rubbish.json", b"rubbish");
            let pass = central.serve_drop_folder(&folder).await.unwrap();
            let told: Vec<_> = pass
                .packages
                .iter()
                .map(|one| (&*one.file, one.state))
                .collect();
            assert_eq!(
                told,
                [
                    ("b.json", PackageState::Taken),
                    ("rubbish.json", PackageState::NotAdmitted),
                    ("a.json", PackageState::Taken),
                ]
            );
            assert_eq!(pass.waiting, 1);
            assert_eq!(listed(&folder, "inbox"), [".c.json.part", "half.json"]);
            assert_eq!(
                (
                    listed(&folder, "done").len(),
                    listed(&folder, "refused").len()
                ),
                (2, 1)
            );
            let said = outbox(&house, &folder).await;
            let states: Vec<_> = said
                .values()
                .map(|answer| answer["state"].as_str().unwrap())
                .collect();
            assert_eq!(states, ["taken", "taken", "not-admitted"]);

            // Half a file that nobody goes on with is refused; the rest of it comes under a new name.
            age(
                &folder.join("inbox").join(SOURCE).join("half.json"),
                Duration::from_secs(61),
            );
            let pass = central.serve_drop_folder(&folder).await.unwrap();
            assert_eq!(pass.packages[0].state, PackageState::NotAdmitted);
            // One that is early, and whose turn does not come, is answered in the end.
            put(
                &folder,
                "9.json",
                &register.signed(&register.package(9, json!([new("applications/05-nineteen")]))),
            );
            let pass = central.serve_drop_folder(&folder).await.unwrap();
            assert_eq!(pass.packages[0].state, PackageState::NotAdmitted);

            // A source that nobody added gets no answer.
            fs::create_dir_all(folder.join("inbox/stranger")).unwrap();
            fs::write(folder.join("inbox/stranger/a.json"), &first).unwrap();
            let pass = central.serve_drop_folder(&folder).await.unwrap();
            assert_eq!((pass.packages.len(), pass.waiting), (0, 1));

            for name in listed(&folder, "done") {
                let path = folder.join("done").join(SOURCE).join(name);
                age(
                    &path,
                    Duration::from_secs(86_400 * DROP_DONE_DAYS.unsigned_abs()),
                );
            }
            assert_eq!(central.serve_drop_folder(&folder).await.unwrap().erased, 2);
            assert_eq!(house.count("package.file-erased", Outcome::Done).await, 2);
        },
    );
}

#[test]
fn what_is_wrong_with_one_holds_up_no_other() {
    with_house(
        "scenarios::drop_folder::what_is_wrong_with_one_holds_up_no_other",
        async |house| {
            let (central, folder) = (&house.central, house.folder.path().join("registers"));
            let asylum = FakeRegister::new("asylum-register", 2)
                .admitted(&house)
                .await;
            let register = FakeRegister::new(SOURCE, 1).admitted(&house).await;
            let package =
                |number, name| register.signed(&register.package(number, json!([new(name)])));
            let first = package(1, "applications/01-adult");
            put(&folder, "a.json", &first);
            // A claim that no pass ended, and what was put under its name since.
            put(
                &folder,
                ".a.json.claimed",
                &package(2, "applications/06-twenty"),
            );
            // The other source's answers have no place.
            fs::create_dir_all(folder.join("inbox").join("asylum-register")).unwrap();
            let other = folder.join("inbox/asylum-register/a.json");
            fs::write(&other, asylum.signed(&asylum.package(1, json!([])))).unwrap();
            fs::create_dir_all(folder.join("outbox")).unwrap();
            fs::write(folder.join("outbox/asylum-register"), b"").unwrap();

            let pass = central.serve_drop_folder(&folder).await.unwrap();
            let taken = pass.packages.iter().map(|one| one.state);
            assert_eq!(taken.collect::<Vec<_>>(), [PackageState::Taken; 2]);
            assert_eq!(listed(&folder, "inbox"), [""; 0]);
            assert_eq!(pass.faults.len(), 1, "{:?}", pass.faults);
            assert!(pass.faults[0].contains("outbox/asylum-register"));
            fs::remove_file(folder.join("outbox/asylum-register")).unwrap();
            let pass = central.serve_drop_folder(&folder).await.unwrap();
            assert_eq!((pass.packages.len(), pass.faults.len()), (1, 0));
            assert!(!other.exists());
        },
    );
}

/// The store and the folder after a pass was cut off at each of its steps, and the next one ran, are
/// what they are after one that nobody cut off.
#[test]
fn a_crash_at_any_step_changes_nothing() {
    with_house(
        "scenarios::drop_folder::a_crash_at_any_step_changes_nothing",
        async |house| {
            let register = FakeRegister::new(SOURCE, 1).admitted(&house).await;
            let central = &house.central;
            let mut cuts = 0;
            for round in 0_u64.. {
                let folder = house.folder.path().join(format!("round-{round}"));
                let (first, second) = (2 * round + 1, 2 * round + 2);
                let mut entry = new("applications/01-adult");
                entry["application"]["reference"] = json!(format!("APP-{first}"));
                let withdraw = json!({"action": "withdraw", "reference": format!("APP-{first}"), "cause": "gone"});
                let packages = [
                    register.package(first, json!([entry])),
                    register.package(second, json!([withdraw])),
                ];
                for (name, package) in ["1.json", "2.json"].iter().zip(&packages) {
                    put(&folder, name, &register.signed(package));
                }
                let steps = usize::try_from(round).unwrap();
                let cut = central.serve_until(&folder, steps).await;
                if matches!(cut, Err(CentralError::Ending)) {
                    cuts += 1;
                    central.serve_drop_folder(&folder).await.unwrap();
                } else {
                    cut.unwrap();
                }
                assert_eq!(listed(&folder, "inbox"), [""; 0], "cut at {steps}");
                assert_eq!(listed(&folder, "done").len(), 2, "cut at {steps}");
                let said = outbox(&house, &folder).await;
                let answers: Vec<_> = said
                    .values()
                    .filter(|one| one.get("state").is_some())
                    .collect();
                assert_eq!(answers.len(), 2, "cut at {steps}");
                assert!(answers.iter().all(|answer| answer["state"] == "taken"));
                let reports: Vec<_> = said
                    .iter()
                    .filter(|(name, _)| name.starts_with("report-"))
                    .collect();
                let [(name, report)] = &reports[..] else {
                    panic!("one report, cut at {steps}: {reports:?}")
                };
                assert_eq!(**name, format!("report-{:08}.json", round + 1));
                assert_eq!(report["sequence"], round + 1);
                assert_eq!(report["events"][0]["application"], format!("APP-{first}"));
                if steps > cuts {
                    break;
                }
            }
            // Reading, taking, laying down in two, claiming, filing in two, for each of both; then the
            // report.
            assert_eq!(cuts, 17);
            let applications = i64::try_from(cuts).unwrap() + 2;
            assert_eq!(
                house
                    .number("SELECT count(*) FROM application WHERE state = 'withdrawn'")
                    .await,
                applications
            );
            assert_eq!(
                house.number("SELECT count(*) FROM register_package").await,
                2 * applications
            );
            assert!(!central.sources(&actor("auditor")).await.unwrap().is_empty());
        },
    );
}
