//! Pictures of every form that is printed, and those that are not.

use document::ImageLimits;

use super::*;

const ANY: ImageLimits = ImageLimits {
    formats: &[MediaType::Jpeg, MediaType::Png],
    bytes: 1 << 20,
    least: (1, 1),
    greatest: (4000, 4000),
    upright: false,
};

fn file(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../tests/print/pictures/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).unwrap()
}

fn decoded(name: &str) -> Pixels {
    Pixels::decode(&Image::recognise(file(name), ANY).unwrap()).unwrap()
}

#[test]
fn every_form_gives_the_same_picture() {
    let rgb = decoded("rgb.jpg");
    assert_eq!((rgb.width, rgb.height), (24, 32));
    // Red grows to the right and green downward: so it was drawn.
    let at = |pixels: &Pixels, x: usize, y: usize| {
        let at = (y * pixels.width + x) * 3;
        [pixels.bytes[at], pixels.bytes[at + 1], pixels.bytes[at + 2]]
    };
    for name in ["rgb.jpg", "progressive.jpg", "rgba.png"] {
        let pixels = decoded(name);
        assert!(
            at(&pixels, 1, 1)[0] < 60 && at(&pixels, 22, 1)[0] > 190,
            "{name}"
        );
        assert!(
            at(&pixels, 1, 1)[1] < 60 && at(&pixels, 1, 30)[1] > 190,
            "{name}"
        );
    }
    for name in ["grey.jpg", "grey16.png"] {
        let pixels = decoded(name);
        assert!(
            pixels
                .bytes
                .chunks(3)
                .all(|dot| dot[0] == dot[1] && dot[1] == dot[2]),
            "{name}"
        );
    }
    assert_eq!(decoded("palette.png").bytes.len(), 24 * 32 * 3);
}

#[test]
fn a_press_s_inks_are_refused_by_name() {
    // What comes in with them is refused before; a decoder that met one says what it is.
    assert!(Image::recognise(file("cmyk.jpg"), ANY).is_err());
    let refused = jpeg(&file("cmyk.jpg"), 24, 32).unwrap_err();
    assert_eq!(refused, PictureError::Form("the inks of a press (CMYK)"));
    assert!(refused.to_string().contains("send it as grey or as RGB"));
}

#[test]
fn what_was_cut_off_is_refused_and_not_filled_up() {
    for name in ["rgb.jpg", "grey.jpg", "progressive.jpg"] {
        let whole = file(name);
        let mut cut = whole[..whole.len() * 3 / 4].to_vec();
        // With an end marker the headers look sound.
        cut.extend([0xFF, 0xD9]);
        if let Ok(image) = Image::recognise(cut, ANY) {
            let refused = Pixels::decode(&image).err();
            assert!(
                matches!(refused, Some(PictureError::Damaged(_))),
                "{name}: {refused:?}"
            );
        }
    }
    let mut spoiled = file("rgba.png");
    let middle = spoiled.len() / 2;
    spoiled[middle] ^= 0xFF;
    let image = Image::recognise(spoiled, ANY).unwrap();
    assert!(matches!(
        Pixels::decode(&image).err(),
        Some(PictureError::Damaged(_))
    ));
}

#[test]
fn a_bomb_takes_no_more_than_its_headers_announce() {
    let bomb = file("bomb.png");
    assert!(bomb.len() < 80_000, "64 MB in {} bytes", bomb.len());
    let image = Image::recognise(bomb, ANY).unwrap();
    // The rows that were announced are there; what follows is not unpacked.
    let before = peak();
    let _ = Pixels::decode(&image);
    let taken = peak() - before;
    assert!(taken < 16_000, "{taken} kB");
}

/// Returns the most memory of this process so far, in kB.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn pixels_that_were_not_announced_are_refused() {
    // The decoder's own limit is the announced size.
    assert!(jpeg(&file("rgb.jpg"), 24, 31).is_err());
    assert!(jpeg(&file("rgb.jpg"), 24, 33).is_err());
    assert_eq!(
        png(&file("rgba.png"), 24, 33).err(),
        Some(PictureError::Size {
            announced: (24, 33),
            found: (24, 32)
        })
    );
}

#[test]
fn cropping_keeps_the_ratio_and_the_middle() {
    let pixels = Pixels {
        width: 300,
        height: 400,
        bytes: Zeroizing::new(vec![0; 300 * 400 * 3]),
    };
    let narrow = pixels.crop(0.5);
    assert_eq!(
        (narrow.width, narrow.height, narrow.left),
        (200.0, 400.0, 50.0)
    );
    let wide = pixels.crop(1.0);
    assert_eq!((wide.width, wide.height), (300.0, 300.0));
    assert!(wide.top < 50.0, "the head is above the middle");
}

#[test]
fn scaling_keeps_flat_tones_and_brightness() {
    let flat = Pixels {
        width: 37,
        height: 23,
        bytes: Zeroizing::new([200, 100, 50].repeat(37 * 23)),
    };
    for (width, height) in [(5, 4), (37, 23), (200, 111)] {
        let crop = Crop {
            left: 0.0,
            top: 0.0,
            width: 37.0,
            height: 23.0,
        };
        let scaled = flat.scaled(crop, width, height);
        assert_eq!(scaled.bytes.len(), width * height * 3);
        assert!(scaled.bytes.chunks(3).all(|dot| dot == [200, 100, 50]));
    }
    // A step stays a step: its mean brightness is kept.
    let mut step = vec![0; 40 * 3];
    step[20 * 3..].fill(255);
    let step = Pixels {
        width: 40,
        height: 1,
        bytes: Zeroizing::new(step),
    };
    let crop = Crop {
        left: 0.0,
        top: 0.0,
        width: 40.0,
        height: 1.0,
    };
    let scaled = step.scaled(crop, 10, 1);
    let mean = scaled
        .bytes
        .iter()
        .map(|value| u32::from(*value))
        .sum::<u32>()
        / 30;
    assert!((125..=130).contains(&mean), "{mean}");
}
