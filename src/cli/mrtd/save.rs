//! What is kept of a document, where somebody asks for it: the portrait, the files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use document::MediaType;
use mrtd::biometrics::FaceGroup;
use mrtd::lds::{File, Group, Lds};

use crate::cli::failure::{Failure, Kind};

/// What to keep. Personal data: for the owner of the files alone.
#[derive(Args)]
pub(crate) struct SaveOptions {
    /// Write the portrait here as it is: JPEG or JPEG 2000.
    #[arg(long, value_name = "FILE")]
    portrait: Option<PathBuf>,
    /// Write the document's files and the portrait into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl SaveOptions {
    /// Writes what was asked for, and returns the paths.
    pub(crate) fn save(&self, lds: &Lds) -> Result<Vec<String>, Failure> {
        let mut written = Vec::new();
        let faces = lds.get(Group::Dg2).map(FaceGroup::parse);
        let faces = faces.and_then(Result::ok);
        let portrait = faces.as_ref().and_then(FaceGroup::portrait);
        let mut put = |path: &Path, bytes: &[u8]| {
            write(path, bytes)?;
            written.push(path.display().to_string());
            Ok::<_, Failure>(())
        };
        if let Some(folder) = &self.out {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| failed(folder, &error))?;
            for (file, bytes) in lds.files() {
                put(&folder.join(name(file)), bytes)?;
            }
            if let Some(picture) = portrait {
                let suffix = match picture.media_type() {
                    Some(MediaType::Jpeg) => "jpg",
                    Some(MediaType::Jp2) => "jp2",
                    _ => "j2k",
                };
                put(&folder.join(format!("portrait.{suffix}")), picture.bytes())?;
            }
        }
        if let Some(path) = &self.portrait {
            match portrait {
                Some(picture) => put(path, picture.bytes())?,
                None => tracing::warn!("there is no portrait to write"),
            }
        }
        Ok(written)
    }
}

/// Returns a file's name in a folder, as `zimogs mrtd verify` reads it again.
fn name(file: File) -> String {
    match file {
        File::Dg(group) => format!("Datagroup{}.bin", group.number()),
        File::Com => "EF_COM.bin".into(),
        File::Sod => "EF_SOD.bin".into(),
        File::Cvca => "EF_CVCA.bin".into(),
        File::CardAccess => "EF_CardAccess.bin".into(),
        File::CardSecurity => "EF_CardSecurity.bin".into(),
        File::AtrInfo => "EF_ATR_INFO.bin".into(),
        File::Dir => "EF_DIR.bin".into(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600);
    file.open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    let fault = format!("{} cannot be written: {error}", path.display());
    Failure::new(Kind::Failed, fault)
}
