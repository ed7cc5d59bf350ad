//! `zimogs pki cvca init | renew`: the authority's own certificates.

use std::path::PathBuf;

use cert::cvc::{CvCertificate, HolderReference, Role};
use clap::Args;
use pki::{CvAuthority, CvFolder, CvFolderError, CvTerm};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::pki::cv::key::{NewKeyChoice, holder_name, key};
use crate::cli::pki::cv::place::{
    FolderChoice, Reads, authority, current_root, of_folder, of_issue, rights, today,
};
use crate::cli::pki::cv::show;

/// A CVCA's key lasts two years where nothing else is said; 6 months to 3 years may be.
const DAYS: u16 = 730;

/// Makes the first key of a CVCA and its certificate, which it signs itself.
#[derive(Args)]
pub(crate) struct Init {
    #[command(flatten)]
    folder: FolderChoice,
    /// Country code and name: LVCVCA. The sequence number begins with 00001.
    #[arg(long, value_name = "NAME", value_parser = holder_name)]
    holder: String,
    /// What it can let others read.
    #[arg(long, value_delimiter = ',', default_value = "dg3")]
    rights: Vec<Reads>,
    /// How many days its certificate holds after today.
    #[arg(long, default_value_t = DAYS)]
    days: u16,
    #[command(flatten)]
    new: NewKeyChoice,
}

/// Makes a CVCA's next key.
#[derive(Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    folder: FolderChoice,
    /// What it can let others read from now on.
    #[arg(long, value_delimiter = ',', default_value = "dg3")]
    rights: Vec<Reads>,
    /// How many days its certificate holds after today.
    #[arg(long, default_value_t = DAYS)]
    days: u16,
    #[command(flatten)]
    new: NewKeyChoice,
}

/// Makes the first key.
pub(crate) fn init(options: &Init) -> Result<(), Failure> {
    let token = options.new.open()?;
    let folder = options.folder.open()?;
    if !folder.own().map_err(|error| of_folder(&error))?.is_empty() {
        return Err(Failure::new(Kind::Refused, "the folder has a CVCA already")
            .with_hint("zimogs pki cvca renew makes its next key"));
    }
    let holder = HolderReference::first(&options.holder).or_fail(Kind::Usage)?;
    // Said before people sit down to make a key.
    let term = term(options.days)?;
    let key = options.new.make(&token, &holder)?;
    let made = CvAuthority::create(&key, &holder, &rights(&options.rights), term);
    let made = made.map_err(|error| of_issue(&error))?;
    let path = folder.keep_own(&made).map_err(|error| of_folder(&error))?;
    show::made(&[(path, &made)], options.new.token.json)
}

/// Makes the next key.
pub(crate) fn renew(options: &Renew) -> Result<(), Failure> {
    let token = options.new.open()?;
    let folder = options.folder.open()?;
    let root = current_root(&folder)?;
    let own = root.certificate().holder().clone();
    let earlier = authority(root, key(&token, &own)?)?;
    let term = term(options.days)?;
    let next = own.successor().or_fail(Kind::Refused)?;
    let key = options.new.make(&token, &next)?;
    let renewal = earlier.renew(&key, &rights(&options.rights), term);
    let renewal = renewal.map_err(|error| of_issue(&error))?;
    // The link first: while the root is not there, the key before is the current one.
    let (link_path, link) = keep_link(&folder, renewal.link)?;
    let path = folder
        .keep_own(&renewal.root)
        .map_err(|error| of_folder(&error))?;
    let made = [(path, &renewal.root), (link_path, &link)];
    show::made(&made, options.new.token.json)
}

/// Keeps a link, or takes the one that an interrupted renewal left for the same key.
fn keep_link(folder: &CvFolder, link: CvCertificate) -> Result<(PathBuf, CvCertificate), Failure> {
    match folder.keep_own(&link) {
        Ok(path) => Ok((path, link)),
        Err(CvFolderError::There { path }) => {
            let own = folder.own().map_err(|error| of_folder(&error))?;
            let same = |there: &CvCertificate| {
                there.is_link()
                    && there.holder() == link.holder()
                    && there.issuer() == link.issuer()
                    && there.public_key() == link.public_key()
            };
            let there = own.into_iter().find(same);
            let there =
                there.ok_or_else(|| of_folder(&CvFolderError::There { path: path.clone() }))?;
            Ok((path, there))
        }
        Err(error) => Err(of_folder(&error)),
    }
}

fn term(days: u16) -> Result<CvTerm, Failure> {
    let term = CvTerm::days(today(), days).or_fail(Kind::Usage)?;
    term.check(Role::Cvca).or_fail(Kind::Refused)?;
    Ok(term)
}
