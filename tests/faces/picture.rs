//! Grey pictures: read from a PNG, spoiled a little, written again.

use std::path::Path;

/// A grey picture: one byte a dot, rows from the top.
#[derive(Clone)]
pub(crate) struct Grey {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) dots: Vec<u8>,
}

/// Reads a PNG of 8 bits: its dots over white, red, green and blue.
pub(crate) fn colours(path: &Path) -> (usize, usize, Vec<[u8; 3]>) {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut decoder = png::Decoder::new(std::io::BufReader::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    let over = |value: u8, alpha: u8| {
        ((u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255) as u8
    };
    let dots = bytes
        .chunks_exact(frame.color_type.samples())
        .map(|dot| match *dot {
            [grey] => [grey; 3],
            [red, green, blue] => [red, green, blue],
            [red, green, blue, alpha] => [red, green, blue].map(|value| over(value, alpha)),
            _ => panic!("{path:?}: {} samples", dot.len()),
        });
    let dots = dots.collect();
    (frame.width as usize, frame.height as usize, dots)
}

impl Grey {
    pub(crate) fn read(path: &Path) -> Self {
        let (width, height, colours) = colours(path);
        let grey = |dot: &[u8; 3]| {
            let [red, green, blue] = dot.map(u32::from);
            ((299 * red + 587 * green + 114 * blue) / 1000) as u8
        };
        Self {
            width,
            height,
            dots: colours.iter().map(grey).collect(),
        }
    }

    /// Returns its lowest rows.
    pub(crate) fn lowest(&self, rows: usize) -> Self {
        Self {
            height: rows,
            dots: self.dots[(self.height - rows) * self.width..].to_vec(),
            ..*self
        }
    }

    /// Returns it with half as many dots in each direction.
    pub(crate) fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mean = |place: usize| self.mean(2 * (place % width), 2 * (place / width), 2);
        Self {
            width,
            height,
            dots: (0..width * height).map(mean).collect(),
        }
    }

    /// Returns it with twice as many dots in each direction, each between its neighbours.
    pub(crate) fn doubled(&self) -> Self {
        let (width, height) = (2 * self.width - 2, 2 * self.height - 2);
        let between = |place: usize| {
            let (x, y) = (place % width, place / width);
            let at = |x: usize, y: usize| u32::from(self.dots[y * self.width + x]);
            let (left, top, right, down) = (x / 2, y / 2, (x % 2) as u32, (y % 2) as u32);
            // A quarter of the way from a dot's own place, and three quarters.
            let mix = |near: u32, far: u32, step: u32| match step {
                0 => 3 * near + far,
                _ => near + 3 * far,
            };
            let above = mix(at(left, top), at(left + 1, top), right);
            let below = mix(at(left, top + 1), at(left + 1, top + 1), right);
            (mix(above, below, down) / 16) as u8
        };
        Self {
            width,
            height,
            dots: (0..width * height).map(between).collect(),
        }
    }

    /// Returns it blurred: each dot is the mean of three by three.
    pub(crate) fn blurred(&self) -> Self {
        let (width, height) = (self.width - 2, self.height - 2);
        let mean = |place: usize| self.mean(place % width, place / width, 3);
        Self {
            width,
            height,
            dots: (0..width * height).map(mean).collect(),
        }
    }

    /// Returns the mean of a square of dots.
    fn mean(&self, left: usize, top: usize, side: usize) -> u8 {
        let rows = (top..top + side).map(|row| row * self.width + left);
        let dots = rows.flat_map(|start| &self.dots[start..start + side]);
        let sum: usize = dots.map(|dot| usize::from(*dot)).sum();
        (sum / (side * side)) as u8
    }

    /// Adds the noise of a scanner: each dot lighter or darker by up to so much, the same each time.
    pub(crate) fn noisy(mut self, most: i32) -> Self {
        let mut state = 0x2545_F491_u32;
        for dot in &mut self.dots {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let noise = (state >> 8) as i32 % (2 * most + 1) - most;
            *dot = (i32::from(*dot) + noise).clamp(0, 255) as u8;
        }
        self
    }

    /// Turns it about its middle, with white around it.
    pub(crate) fn turned(&self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let margin = (self.width as f32 * sin.abs()).ceil() as usize / 2 + 4;
        let (width, height) = (self.width + 2 * margin, self.height + 2 * margin);
        let (middle_x, middle_y) = (width as f32 / 2.0, height as f32 / 2.0);
        let at = |x: i32, y: i32| -> f32 {
            let inside =
                x >= 0 && y >= 0 && (x as usize) < self.width && (y as usize) < self.height;
            match inside {
                true => f32::from(self.dots[y as usize * self.width + x as usize]),
                false => 255.0,
            }
        };
        let turned = |place: usize| {
            let (x, y) = (
                (place % width) as f32 - middle_x,
                (place / width) as f32 - middle_y,
            );
            let from_x = x * cos + y * sin + self.width as f32 / 2.0;
            let from_y = y * cos - x * sin + self.height as f32 / 2.0;
            let (left, top) = (from_x.floor(), from_y.floor());
            let (right, down) = (from_x - left, from_y - top);
            let (left, top) = (left as i32, top as i32);
            let above = at(left, top) * (1.0 - right) + at(left + 1, top) * right;
            let below = at(left, top + 1) * (1.0 - right) + at(left + 1, top + 1) * right;
            (above * (1.0 - down) + below * down) as u8
        };
        Self {
            width,
            height,
            dots: (0..width * height).map(turned).collect(),
        }
    }

    pub(crate) fn write(&self, path: &Path) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&self.dots).unwrap();
    }
}
