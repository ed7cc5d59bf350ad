//! A strict virtual label printer: the Zebra programming language on loopback, labels as PNG.
//!
//! It knows the few commands of a label that is one picture, and `~HS`. What is silent and when is
//! the guide's: a printer without paper or ribbon, or with an open head, answers no `~HS`.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a silent connection looks whether the printer ends.
const TICK: Duration = Duration::from_millis(20);

/// What goes wrong with a label printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelTrouble {
    /// No labels are left, from the start: `~HS` is not answered.
    Silent,
    /// It is paused.
    Paused,
    /// Its ribbon ends in the label.
    RibbonOut,
    /// The connection breaks in the label.
    Torn,
    /// It never gets to the label.
    Stuck,
}

/// What it did.
#[derive(Debug, Default)]
struct Done {
    labels: Vec<PathBuf>,
    complaints: Vec<String>,
}

/// A label printer that runs. It ends when it is dropped.
pub struct VirtualLabelPrinter {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<Done>>,
    server: Option<JoinHandle<()>>,
}

impl VirtualLabelPrinter {
    /// Starts a printer whose labels go into `folder`.
    ///
    /// # Errors
    /// Where there is no folder or no port.
    pub fn start(folder: &Path, trouble: Option<LabelTrouble>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(Mutex::new(Done::default()));
        let server = {
            let (stop, done, folder) = (Arc::clone(&stop), Arc::clone(&done), folder.to_owned());
            std::thread::Builder::new()
                .name("vprinter-label".into())
                .spawn(move || {
                    for stream in listener.incoming() {
                        if stop.load(Ordering::Acquire) {
                            break;
                        }
                        let Ok(stream) = stream else { continue };
                        if let Err(error) = serve(stream, &folder, trouble, &done, &stop) {
                            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                            done.complaints.push(error.to_string());
                        }
                    }
                })?
        };
        Ok(Self {
            address,
            stop,
            done,
            server: Some(server),
        })
    }

    /// Returns its address: `tcp://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Returns the labels that came.
    pub fn labels(&self) -> Vec<PathBuf> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.labels.clone()
    }

    /// Returns what a strict printer has to say of what it was sent.
    pub fn complaints(&self) -> Vec<String> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.complaints.clone()
    }
}

impl Drop for VirtualLabelPrinter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // It waits for a connection: this is the last one.
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// A label in work: its size, and its dots.
#[derive(Default)]
struct Label {
    width: usize,
    height: usize,
    origin: (usize, usize),
    dots: Vec<bool>,
}

fn serve(
    stream: TcpStream,
    folder: &Path,
    trouble: Option<LabelTrouble>,
    done: &Mutex<Done>,
    stop: &AtomicBool,
) -> io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    let mut answers = stream.try_clone()?;
    let mut bytes = Bytes {
        stream: BufReader::new(stream),
        stop,
    };
    let mut label: Option<Label> = None;
    let mut ribbon_out = false;
    while let Some(first) = bytes.next()? {
        let mark = match first {
            b'\r' | b'\n' => continue,
            b'^' | b'~' => char::from(first),
            other => return Err(wrong(&format!("the byte {other:02X} begins no command"))),
        };
        let mut name = [0; 2];
        for byte in &mut name {
            *byte = bytes.next()?.ok_or(ErrorKind::UnexpectedEof)?;
        }
        let command = format!("{mark}{}", String::from_utf8_lossy(&name));
        match (command.as_str(), &mut label) {
            ("~HS", _) => {
                if trouble == Some(LabelTrouble::Silent) || ribbon_out {
                    continue;
                }
                let paused = u8::from(trouble == Some(LabelTrouble::Paused));
                let waiting = match trouble {
                    Some(LabelTrouble::Stuck) => {
                        let done = done.lock().unwrap_or_else(PoisonError::into_inner);
                        usize::from(!done.labels.is_empty())
                    }
                    _ => 0,
                };
                write!(
                    answers,
                    "\x02030,0,{paused},1245,{waiting:03},0,0,0,000,0,0,0\x03\r\n\
                     \x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
                )?;
            }
            ("^XA", None) => label = Some(Label::default()),
            ("^PW", Some(label)) => label.width = bytes.number()?,
            ("^LL", Some(label)) => {
                label.height = bytes.number()?;
                label.dots = vec![false; label.width * label.height];
            }
            ("^LH", Some(_)) => {
                bytes.pair()?;
            }
            ("^FO", Some(label)) => label.origin = bytes.pair()?,
            ("^GF", Some(label)) => {
                if trouble == Some(LabelTrouble::Torn) {
                    return Ok(());
                }
                graphic(&mut bytes, label)?;
            }
            ("^FS", Some(_)) => {}
            ("^PQ", Some(_)) => {
                if bytes.number()? != 1 {
                    return Err(wrong("another count than one"));
                }
            }
            ("^XZ", Some(_)) => {
                let Some(label) = label.take() else { continue };
                if trouble == Some(LabelTrouble::RibbonOut) {
                    ribbon_out = true;
                    continue;
                }
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                let path = folder.join(format!("label-{}.png", done.labels.len() + 1));
                label.write(&path)?;
                done.labels.push(path);
            }
            _ => return Err(wrong(&format!("{command} is not known here"))),
        }
    }
    match label {
        Some(_) => Err(wrong("a label does not end")),
        None => Ok(()),
    }
}

/// `^GFA,count,count,bytes a row,hex`.
fn graphic(bytes: &mut Bytes<'_>, label: &mut Label) -> io::Result<()> {
    if (bytes.next()?, bytes.next()?) != (Some(b'A'), Some(b',')) {
        return Err(wrong("a graphic that is no hexadecimal one"));
    }
    let (sent, whole) = bytes.pair()?;
    let row = bytes.number()?;
    // A field takes so much.
    if sent != whole || !(1..=99_999).contains(&whole) || row == 0 || whole % row != 0 {
        return Err(wrong("a graphic of an impossible size"));
    }
    for at in 0..whole {
        let mut hex = [0; 2];
        for digit in &mut hex {
            *digit = bytes.next()?.ok_or(ErrorKind::UnexpectedEof)?;
        }
        let hex = String::from_utf8_lossy(&hex).into_owned();
        let byte = u8::from_str_radix(&hex, 16).map_err(|_| wrong("a graphic that is no hex"))?;
        let (left, top) = label.origin;
        for bit in (0..8).filter(|bit| byte >> (7 - bit) & 1 == 1) {
            let (x, y) = (left + at % row * 8 + bit, top + at / row);
            let inside = x < label.width && y < label.height;
            let dot = inside
                .then(|| label.dots.get_mut(y * label.width + x))
                .flatten();
            *dot.ok_or_else(|| wrong("a graphic beyond the label"))? = true;
        }
    }
    Ok(())
}

impl Label {
    fn write(&self, path: &Path) -> io::Result<()> {
        let file = std::fs::File::create(path)?;
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        let pixels: Vec<u8> = self
            .dots
            .iter()
            .map(|dark| if *dark { 0 } else { 255 })
            .collect();
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(&pixels).map_err(io::Error::other)
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

/// What comes, byte by byte, until the printer ends.
struct Bytes<'a> {
    stream: BufReader<TcpStream>,
    stop: &'a AtomicBool,
}

impl Bytes<'_> {
    fn next(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(byte.first().copied()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stop.load(Ordering::Acquire) {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a number, and a comma behind it where there is one.
    fn number(&mut self) -> io::Result<usize> {
        let mut text = String::new();
        loop {
            let next = io::BufRead::fill_buf(&mut self.stream);
            let next = match next {
                Ok(bytes) => bytes.first().copied(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stop.load(Ordering::Acquire) {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            match next {
                Some(digit @ b'0'..=b'9') if text.len() < 8 => {
                    text.push(char::from(digit));
                    io::BufRead::consume(&mut self.stream, 1);
                }
                Some(b',') => {
                    io::BufRead::consume(&mut self.stream, 1);
                    break;
                }
                _ => break,
            }
        }
        text.parse().map_err(|_| wrong("a number that is none"))
    }

    fn pair(&mut self) -> io::Result<(usize, usize)> {
        Ok((self.number()?, self.number()?))
    }
}
