//! What was measured of reader and card, kept in a small file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use card::atr::Protocol;
use card::{Channel, Limits};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::probe::{Capabilities, Notes, ProbeError, ProbePlan, Trial, probe_noting};

/// The version of the file's form.
const VERSION: u32 = 1;
/// Longest file that is read, in bytes: some ten thousand entries.
const LONGEST: u64 = 4 << 20;

/// Which reader and which card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityKey {
    reader: String,
    atr: String,
    product: String,
}

impl CapabilityKey {
    /// Returns the key of a reader, by its name in the PC/SC service, and of a card, by its
    /// answer to reset and its product's name. The numbers that the service adds to a
    /// reader's name are left out: all readers of one model are one.
    pub fn new(reader: &str, atr: &[u8], product: &str) -> Self {
        Self {
            reader: model(reader).to_owned(),
            atr: hex::encode_upper(atr),
            product: product.to_owned(),
        }
    }
}

/// Returns a reader's name without the service's numbers at its end: reader and slot in
/// hexadecimal, ` 00 00`, or one decimal digit alone, ` 0`; a letter alone tells models apart.
fn model(reader: &str) -> &str {
    let number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = reader.trim();
    if let Some((rest, slot)) = name.rsplit_once(' ')
        && number(slot)
        && let Some((model, index)) = rest.rsplit_once(' ')
        && number(index)
    {
        return model.trim_end();
    }
    match name.rsplit_once(' ') {
        Some((model, index)) if matches!(index.as_bytes(), [b'0'..=b'9']) => model.trim_end(),
        _ => name,
    }
}

/// The bounds within which was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bounds {
    extended: bool,
    command: usize,
    response: usize,
    chaining: bool,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            extended: limits.extended,
            command: limits.command,
            response: limits.response,
            chaining: limits.chaining,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: CapabilityKey,
    bounds: Bounds,
    capabilities: Capabilities,
}

/// What was being tried when a measurement ended: it is taken not to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unfinished {
    #[serde(flatten)]
    key: CapabilityKey,
    bounds: Bounds,
    trial: Trial,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    entries: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unfinished: Vec<Unfinished>,
}

/// Only the version, which tells whether the rest can be read.
#[derive(Deserialize)]
struct Stamp {
    version: u32,
}

/// Why what was measured before is not known any more; it is measured again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheWarning {
    /// The file cannot be read.
    #[error(
        "what was measured of readers and cards cannot be read from {path}; it is measured again"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is damaged, or longer than any such file is.
    #[error("{path} is damaged; what it said of readers and cards is measured again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// Another version of the program wrote the file.
    #[error("{path} is of version {found}, not 1; readers and cards are measured again")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// Why what was measured cannot be kept.
#[derive(Debug, Error)]
#[error("what was measured of a reader and a card cannot be written to {path}")]
pub struct CacheError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

/// What was measured of readers and cards, in a file. The file is replaced whole at every
/// change, so that no reader of it sees half of one.
pub struct CapabilityCache {
    path: PathBuf,
    content: Content,
}

impl CapabilityCache {
    /// Reads the file; none is an empty cache. So is one that cannot be read, and the
    /// warning says why; the next change replaces it.
    pub fn open(path: impl Into<PathBuf>) -> (Self, Option<CacheWarning>) {
        let path = path.into();
        let (content, warning) = match read(&path) {
            Ok(content) => (content, None),
            Err(warning) => (Content::default(), Some(warning)),
        };
        (Self { path, content }, warning)
    }

    /// Returns what was measured within these bounds.
    pub fn get(&self, key: &CapabilityKey, limits: &Limits) -> Option<Capabilities> {
        let mut entries = self.content.entries.iter();
        entries
            .find(|entry| entry.key == *key && entry.bounds == limits.into())
            .map(|entry| entry.capabilities)
    }

    /// Keeps what was measured within these bounds, in place of what was kept before.
    ///
    /// # Errors
    /// [`CacheError`]; it is kept in memory nevertheless.
    pub fn put(
        &mut self,
        key: &CapabilityKey,
        limits: &Limits,
        capabilities: Capabilities,
    ) -> Result<(), CacheError> {
        let entry = Entry {
            key: key.clone(),
            bounds: limits.into(),
            capabilities,
        };
        self.reread();
        let Content {
            entries,
            unfinished,
            ..
        } = &mut self.content;
        entries.retain(|kept| kept.key != entry.key || kept.bounds != entry.bounds);
        unfinished.retain(|noted| noted.key != entry.key || noted.bounds != entry.bounds);
        entries.push(entry);
        self.write()
    }

    /// Forgets what was measured of a reader and a card, within whatever bounds. Returns
    /// whether there was anything.
    ///
    /// # Errors
    /// [`CacheError`]; it is forgotten in memory nevertheless.
    pub fn forget(&mut self, key: &CapabilityKey) -> Result<bool, CacheError> {
        self.reread();
        let Content {
            entries,
            unfinished,
            ..
        } = &mut self.content;
        let before = entries.len() + unfinished.len();
        entries.retain(|kept| kept.key != *key);
        unfinished.retain(|noted| noted.key != *key);
        let found = entries.len() + unfinished.len() < before;
        if found {
            self.write()?;
        }
        Ok(found)
    }

    /// Returns what reader and card carry: as measured before within the plan's limits, or
    /// else measured now ([`probe`](crate::probe())) and kept. What cannot be kept is returned
    /// nevertheless, with the error; what is worse than any sound reader is not kept. One
    /// program measures at a time.
    ///
    /// # Errors
    /// [`ProbeError`] where it had to be measured and could not. If the reader hung, the next
    /// measurement goes round what it hung at.
    pub fn get_or_probe(
        &mut self,
        key: &CapabilityKey,
        channel: &mut dyn Channel,
        active: Option<Protocol>,
        plan: &ProbePlan,
    ) -> Result<(Capabilities, Option<CacheError>), ProbeError> {
        if let Some(known) = self.get(key, &plan.limits) {
            return Ok((known, None));
        }
        // Who waited finds it measured; and another's note is of a measurement that ended.
        let _turn = self.turn();
        self.reread();
        if let Some(known) = self.get(key, &plan.limits) {
            return Ok((known, None));
        }
        let mut notes = Notebook {
            cache: self,
            key,
            bounds: Bounds::from(&plan.limits),
        };
        let measured = probe_noting(channel, active, plan, &mut notes)?;
        let capabilities = measured.capabilities;
        let unkept = match measured.is_sound {
            true => self.put(key, &plan.limits, capabilities).err(),
            false => None,
        };
        Ok((capabilities, unkept))
    }

    /// Waits until nobody else measures. Where that cannot be known nothing can be kept either,
    /// and everybody measures alone.
    fn turn(&self) -> Option<File> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let mut options = File::options();
        let file = options.create(true).append(true).open(path).ok()?;
        file.lock().ok()?;
        Some(file)
    }

    /// Takes over what another program wrote meanwhile.
    fn reread(&mut self) {
        if let Ok(content) = read(&self.path)
            && self.path.exists()
        {
            self.content = content;
        }
    }

    fn write(&mut self) -> Result<(), CacheError> {
        let path = self.path.clone();
        let failed = |source| CacheError {
            path: path.clone(),
            source,
        };
        self.content.version = VERSION;
        let text = serde_json::to_vec_pretty(&self.content);
        let mut text = text.map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path)
            .map_err(|error| failed(error.error))?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Content, CacheWarning> {
    let path = path.to_owned();
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Content::default()),
        Err(source) => return Err(CacheWarning::Unreadable { path, source }),
    }
    match serde_json::from_slice::<Stamp>(&text) {
        Ok(Stamp { version: VERSION }) => {}
        Ok(Stamp { version: found }) => return Err(CacheWarning::Version { path, found }),
        Err(source) => return Err(CacheWarning::Damaged { path, source }),
    }
    serde_json::from_slice(&text).map_err(|source| CacheWarning::Damaged { path, source })
}

/// The notes of one measurement. A note that cannot be written is none: then nothing that is
/// measured can be kept either, and whoever measures hears of that.
struct Notebook<'a> {
    cache: &'a mut CapabilityCache,
    key: &'a CapabilityKey,
    bounds: Bounds,
}

impl Notebook<'_> {
    fn note(&self, trial: Trial) -> Unfinished {
        Unfinished {
            key: self.key.clone(),
            bounds: self.bounds,
            trial,
        }
    }
}

impl Notes for Notebook<'_> {
    fn ended_in(&self, trial: Trial) -> bool {
        self.cache.content.unfinished.iter().any(|noted| {
            noted.key == *self.key && noted.bounds == self.bounds && noted.trial.foretells(trial)
        })
    }

    fn begin(&mut self, trial: Trial) {
        let note = self.note(trial);
        self.cache.reread();
        self.cache.content.unfinished.push(note);
        let _ = self.cache.write();
    }

    fn end(&mut self, trial: Trial) {
        let note = self.note(trial);
        self.cache.reread();
        self.cache.content.unfinished.retain(|noted| *noted != note);
        let _ = self.cache.write();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Capabilities = Capabilities {
        protocol: Some(Protocol::T1),
        extended: true,
        command: 2000,
        response: Some(256),
        chaining: None,
    };

    fn key() -> CapabilityKey {
        CapabilityKey::new("Gemalto PC Twin Reader (A1) 00 00", &[0x3B, 0x00], "chip-a")
    }

    #[test]
    fn a_readers_numbers_are_left_out() {
        for (name, expected) in [
            ("Gemalto PC Twin Reader 01 00", "Gemalto PC Twin Reader"),
            ("OMNIKEY CardMan 3121 0", "OMNIKEY CardMan 3121"),
            ("SCM SCR 3310 [CCID] (21) 00 0A", "SCM SCR 3310 [CCID] (21)"),
            ("Reader 3310", "Reader 3310"),
            ("Reader A", "Reader A"),
            ("00 00", "00 00"),
            ("zimogs slot 1 00 00", "zimogs slot 1"),
        ] {
            assert_eq!(model(name), expected);
        }
    }

    #[test]
    fn what_was_measured_is_kept_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readers.json");
        let limits = Limits::default();
        let (mut cache, warning) = CapabilityCache::open(&path);
        assert!(warning.is_none());
        assert_eq!(cache.get(&key(), &limits), None);
        let (mut other, _) = CapabilityCache::open(&path);
        cache.put(&key(), &limits, SEEN).unwrap();
        // Another program that opened the file before adds to it and loses nothing.
        let second = CapabilityKey::new("Gemalto PC Twin Reader (A1) 01 00", &[0x3B], "chip-a");
        other.put(&second, &limits, SEEN).unwrap();

        let (mut again, warning) = CapabilityCache::open(&path);
        assert!(warning.is_none());
        assert_eq!(again.get(&key(), &limits), Some(SEEN));
        assert_eq!(again.get(&second, &limits), Some(SEEN));
        let wider = Limits {
            extended: true,
            ..limits
        };
        assert_eq!(
            again.get(&key(), &wider),
            None,
            "measured within other bounds"
        );
        assert!(again.forget(&key()).unwrap());
        assert!(!again.forget(&key()).unwrap());
        let (last, _) = CapabilityCache::open(&path);
        assert_eq!(last.get(&key(), &limits), None);
        assert_eq!(last.get(&second, &limits), Some(SEEN));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_warns_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("readers.json");
        for (content, damaged) in [
            ("{\"version\": 1, \"entries\": [", true),
            ("", true),
            ("[".repeat(200_000).as_str(), true),
            ("{\"version\": 1, \"entries\": [{}]}", true),
            ("{\"version\": 2, \"all\": {}}", false),
        ] {
            std::fs::write(&path, content).unwrap();
            let (mut cache, warning) = CapabilityCache::open(&path);
            match warning.unwrap() {
                CacheWarning::Damaged { .. } => assert!(damaged),
                CacheWarning::Version { found: 2, .. } => assert!(!damaged),
                warning => panic!("{warning}"),
            }
            cache.put(&key(), &Limits::default(), SEEN).unwrap();
            let (again, warning) = CapabilityCache::open(&path);
            assert!(warning.is_none());
            assert_eq!(again.get(&key(), &Limits::default()), Some(SEEN));
        }
    }
}
