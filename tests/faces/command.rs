//! `zimogs print preview`: what it writes, and what it refuses before it writes anything.

use std::path::Path;
use std::process::Command;

use crate::picture::colours;
use crate::{DAY, missing, preview, project, rendered, sample};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn one_picture_a_face_at_the_layout_s_resolution_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/faces");
    let said = rendered(&sample("01-adult"), &out, &[]);
    assert_eq!(names(&out), ["id-card-back.png", "id-card-front.png"]);
    assert_eq!(said["kind"], "id-card");
    assert_eq!(said["specimen"], true);
    let (width, height, _) = colours(&out.join("id-card-front.png"));
    assert_eq!((width, height), (1011, 638));
    let mode = std::fs::metadata(out.join("id-card-front.png"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // The same again is the same bytes.
    let before = std::fs::read(out.join("id-card-back.png")).unwrap();
    rendered(&sample("01-adult"), &out, &[]);
    assert_eq!(std::fs::read(out.join("id-card-back.png")).unwrap(), before);
}

#[test]
fn panels_stand_apart_and_pdfs_are_as_large_as_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--panels", "--pdf", "--kind", "residence-permit"];
    let said = rendered(&sample("26-residence-permit"), folder.path(), &options);
    assert_eq!(
        names(folder.path()),
        [
            "residence-permit-back.black.png",
            "residence-permit-back.overlay.png",
            "residence-permit-back.pdf",
            "residence-permit-back.png",
            "residence-permit-front.black.png",
            "residence-permit-front.colour.png",
            "residence-permit-front.overlay.png",
            "residence-permit-front.pdf",
            "residence-permit-front.png",
        ]
    );
    assert_eq!(said["faces"][0]["panels"][0], "colour");
    // The varnish leaves the contacts free, and the zone is on black alone.
    let (width, _, overlay) = colours(&folder.path().join("residence-permit-back.overlay.png"));
    let at =
        |x: f32, y: f32| overlay[(y / 25.4 * 300.0) as usize * width + (x / 25.4 * 300.0) as usize];
    assert_eq!((at(15.0, 23.0), at(40.0, 23.0)), ([255; 3], [0; 3]));
    let output = Command::new("pdfinfo")
        .arg(folder.path().join("residence-permit-front.pdf"))
        .output();
    let Ok(output) = output else {
        return missing::program("pdfinfo");
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // 85.6 x 53.98 mm in points.
    let size = said.lines().find(|line| line.starts_with("Page size:"));
    let size = size.unwrap_or_default();
    assert!(
        size.contains(" 242.6") && size.contains(" x 153.1"),
        "{said}"
    );
    let drawn = Command::new("pdftoppm")
        .args(["-r", "300", "-png", "residence-permit-front.pdf", "page"])
        .current_dir(folder.path())
        .status();
    assert!(drawn.unwrap().success());
    let page = names(folder.path())
        .into_iter()
        .find(|name| name.starts_with("page"))
        .unwrap();
    let (_, _, page) = colours(&folder.path().join(page));
    let dark = |dots: &[[u8; 3]]| dots.iter().filter(|dot| dot[1] < 96).count();
    let (_, _, picture) = colours(&folder.path().join("residence-permit-front.png"));
    let (page, picture) = (dark(&page), dark(&picture));
    assert!(
        page.abs_diff(picture) < picture / 20,
        "{page} and {picture} dark dots"
    );
}

#[test]
fn a_number_of_a_production_series_needs_no_specimen_and_a_test_s_always_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let application = sample("01-adult");
    let red_or_dark = |options: &[&str]| {
        let said = rendered(&application, folder.path(), options);
        let (_, _, dots) = colours(&folder.path().join("id-card-front.png"));
        let sum: u64 = dots.iter().map(|dot| u64::from(dot[1])).sum();
        (said["specimen"].as_bool().unwrap(), sum)
    };
    let (of_test, _) = red_or_dark(&["--number", "XZ0000001"]);
    let (marked, with) = red_or_dark(&["--number", "PA0000001", "--specimen"]);
    let (plain, without) = red_or_dark(&["--number", "PA0000001"]);
    assert_eq!((of_test, marked, plain), (true, true, false));
    assert!(with < without, "the words take light away");
}

#[test]
fn what_cannot_be_printed_is_refused_with_its_field_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("faces");
    let refused = |application: &Path, options: &[&str], code: i32, said: &[&str]| {
        let output = preview(application, &out, options);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        for said in said {
            assert!(error.contains(said), "{said:?} in {error}");
        }
        assert!(!out.exists(), "{:?}", names(&out));
    };
    // An application with a fault, by its field.
    for (name, field) in [
        ("portrait-cut-off", "portrait"),
        ("portrait-lying", "portrait"),
        ("portrait-too-small", "portrait"),
        ("surname-too-long", "holder.surname"),
    ] {
        let application = project(&format!("tests/samples/malformed/{name}.json"));
        refused(&application, &[], 2, &[field, "application-1.json"]);
    }
    // A layout in which a name has no room.
    let profiles = folder.path().join("profiles");
    let faces = profiles.join("faces");
    std::fs::create_dir_all(&faces).unwrap();
    let shipped = project("firmware-profiles/faces/id-card-front.svg");
    let text = std::fs::read_to_string(shipped).unwrap();
    let narrow = text.replacen(
        "z:width=\"38\" z:lines=\"2\"",
        "z:width=\"9\" z:lines=\"1\"",
        1,
    );
    assert_ne!(narrow, text);
    std::fs::write(faces.join("id-card-front.svg"), &narrow).unwrap();
    let over = ["--profiles", profiles.to_str().unwrap()];
    let said = [
        "id-card-front: holder.surname: does not fit in 9 mm x 1 line",
        "nothing was written",
    ];
    refused(&sample("11-longest-names"), &over, 1, &said);
    // A layout with a fault, by its line.
    std::fs::write(
        faces.join("id-card-front.svg"),
        narrow.replacen("holder.sex", "holder.size", 1),
    )
    .unwrap();
    refused(
        &sample("01-adult"),
        &over,
        2,
        &["id-card-front.svg:", "no field is named \"holder.size\""],
    );
    let check = Command::new(env!("CARGO_BIN_EXE_zimogs"))
        .args(["profile", "check", "id-card", "--profiles"])
        .arg(&profiles)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(2), "{said}");
    assert!(
        said.contains("faces/id-card-front.svg:") && said.contains("holder.size"),
        "{said}"
    );
    // A day before the holder was born.
    let output = preview(
        &sample("01-adult"),
        &out,
        &["--issued", DAY, "--kind", "no-such-kind"],
    );
    assert_eq!(output.status.code(), Some(2));
}
