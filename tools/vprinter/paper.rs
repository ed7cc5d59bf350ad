//! From data to paper.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Judges the data of a job: one sound PDF of one page.
pub(crate) fn check(pdf: &[u8]) -> Result<(), String> {
    let begins = pdf.starts_with(b"%PDF-1.") || pdf.starts_with(b"%PDF-2.");
    if !begins {
        return Err("the data do not begin with %PDF-".into());
    }
    let tail = pdf.trim_ascii_end();
    if !tail.ends_with(b"%%EOF") {
        return Err("the data do not end with %%EOF".into());
    }
    let text = String::from_utf8_lossy(pdf.get(pdf.len().saturating_sub(256)..).unwrap_or(pdf));
    let offset = text.rsplit_once("startxref").and_then(|(_, rest)| {
        let number: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        number.parse::<usize>().ok()
    });
    let table = offset.and_then(|offset| pdf.get(offset..));
    if !table.is_some_and(|table| table.starts_with(b"xref")) {
        return Err("startxref does not lead to a table".into());
    }
    let pages = pdf
        .windows(11)
        .filter(|found| found.starts_with(b"/Type /Page") || found.starts_with(b"/Type/Page"))
        .count();
    // One page, and the tree that it is in.
    match pages {
        2 => Ok(()),
        found => Err(format!(
            "{found} pages and trees of pages; one of each is expected"
        )),
    }
}

/// Puts a page into the folder, and its text beside it. Returns where.
pub(crate) fn print(folder: &Path, name: &str, pdf: &[u8]) -> io::Result<PathBuf> {
    let mut path = folder.join(format!("{name}.pdf"));
    let mut copy = 1;
    while path.exists() {
        copy += 1;
        path = folder.join(format!("{name}-{copy}.pdf"));
    }
    let wet = path.with_extension("wet");
    fs::write(&wet, pdf)?;
    if let Ok(output) = Command::new("qpdf").arg("--check").arg(&wet).output()
        && !output.status.success()
    {
        fs::remove_file(&wet)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("qpdf: {said}")));
    }
    let text = path.with_extension("txt");
    // Where it is not installed there is the page alone.
    let _ = Command::new("pdftotext")
        .arg("-layout")
        .args([&wet, &text])
        .output();
    fs::rename(&wet, &path)?;
    Ok(path)
}
