//! The gallery in the documentation: pictures of every kind, made by the program, each looked at
//! when it was committed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::codes::parcel_label;
use crate::lists::{layout, list, pictures};
use crate::picture::colours;
use crate::{SAMPLES, project, rendered, sample};

/// Set, the pictures are made anew: look at each before it is committed.
const RENEW: &str = "ZIMOGS_RENEW";

/// Returns the faces of every kind, half as large as they are rendered.
fn faces(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in SAMPLES {
        let said = rendered(&sample(name), folder, &["--dpi", "300"]);
        let faces = said["faces"].as_array().unwrap().iter();
        files.extend(faces.map(|face| PathBuf::from(face["files"][0].as_str().unwrap())));
    }
    files
}

/// A picture of a third of the resolution.
struct Small {
    width: usize,
    height: usize,
    dots: Vec<[u8; 3]>,
}

impl Small {
    /// Makes each dot of three by three.
    fn of(path: &Path) -> Self {
        let (wide, high, all) = colours(path);
        let (width, height) = (wide / 3, high / 3);
        let dot = |place: usize| {
            let (x, y) = (3 * (place % width), 3 * (place / width));
            let mut sums = [0_u32; 3];
            for row in y..y + 3 {
                for dot in &all[row * wide + x..row * wide + x + 3] {
                    for (sum, value) in sums.iter_mut().zip(dot) {
                        *sum += u32::from(*value);
                    }
                }
            }
            // In steps of four: guilloches compress better, and nobody sees it.
            sums.map(|sum| ((sum + 4) / 9) as u8 & 0xFC | 2)
        };
        Self {
            width,
            height,
            dots: (0..width * height).map(dot).collect(),
        }
    }

    fn write(&self, path: &Path) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(self.dots.as_flattened()).unwrap();
    }
}

/// Returns the letter that the command shows.
fn envelope() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("envelope.pdf");
    let ran = Command::new(env!("CARGO_BIN_EXE_zimogs"))
        .args(["print", "sheet", "pin-envelope", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    std::fs::read(out).unwrap()
}

#[test]
fn every_kind_looks_as_it_does_in_the_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = project("docs/gallery");
    let mut found = Vec::new();
    let mut all = faces(folder.path());
    for (name, pdf) in [
        ("dispatch-list.png", list(11).render(&layout()).unwrap()),
        ("pin-envelope.png", envelope()),
    ] {
        let pages = folder.path().join(name).with_extension("");
        std::fs::create_dir(&pages).unwrap();
        match pictures(&pdf, 300, &pages) {
            Some(pages) => {
                let named = folder.path().join(name);
                std::fs::rename(&pages[0], &named).unwrap();
                all.push(named);
            }
            None => found.push(name.to_owned()),
        }
    }
    let label = folder.path().join("parcel-label.png");
    std::fs::write(&label, &parcel_label().png(300)[..]).unwrap();
    all.push(label);
    for path in all {
        let name = path.file_name().unwrap().to_owned();
        let small = Small::of(&path);
        let committed = gallery.join(&name);
        if std::env::var_os(RENEW).is_some() {
            small.write(&committed);
        }
        let (width, height, dots) = colours(&committed);
        assert_eq!((width, height), (small.width, small.height), "{name:?}");
        let differences = dots.iter().zip(&small.dots).map(|(one, other)| {
            let parts = one
                .iter()
                .zip(other)
                .map(|(one, other)| one.abs_diff(*other));
            parts.max().unwrap_or_default()
        });
        let seen = differences.filter(|difference| *difference > 12).count();
        assert!(
            seen * 1000 <= dots.len(),
            "{name:?} differs in {seen} of {} dots; {RENEW}=1 makes it anew",
            dots.len()
        );
        found.push(name.into_string().unwrap());
    }
    // Nothing is in the gallery that the program does not make, and the page shows all of it.
    let entries = std::fs::read_dir(&gallery).unwrap();
    let mut there: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    found.sort();
    assert_eq!(there, found);
    let page = std::fs::read_to_string(project("docs/faces.md")).unwrap();
    for name in found {
        assert!(
            page.contains(&format!("gallery/{name}")),
            "{name} is not in docs/faces.md"
        );
    }
}
