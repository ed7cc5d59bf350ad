//! Certificates in files: PEM, one or several, or DER.

use std::path::Path;

use cert::Certificate;
use pem_rfc7468::LineEnding;

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind};

const LABEL: &str = "CERTIFICATE";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Reads every certificate of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read: {error}", path.display()),
        )
    })?;
    let fault = |why: String| {
        let fault = format!(
            "{} holds no certificate in PEM or DER: {why}",
            path.display()
        );
        Failure::new(Kind::Usage, fault)
    };
    let blocks = match std::str::from_utf8(&bytes) {
        Ok(text) if is_pem(text) => {
            blocks(text, &[LABEL]).map_err(|error| fault(error.to_string()))?
        }
        _ => vec![bytes],
    };
    let parse = |der: &Vec<u8>| Certificate::parse(der).map_err(|error| fault(error.to_string()));
    let certificates: Vec<_> = blocks.iter().map(parse).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        return Err(fault("it has other blocks only".into()));
    }
    Ok(certificates)
}

/// Says whether a text has blocks in PEM.
pub(crate) fn is_pem(text: &str) -> bool {
    text.contains(BEGIN)
}

/// Returns the content of every block with one of these labels.
pub(crate) fn blocks(text: &str, labels: &[&str]) -> Result<Vec<Vec<u8>>, pem_rfc7468::Error> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let (_, from_begin) = rest.split_at(begin);
        // A block goes to the end of the line that ends it; text between blocks is nobody's.
        let end = from_begin.find(END).unwrap_or(from_begin.len());
        let line = from_begin.get(end..).and_then(|line| line.find('\n'));
        let (block, after) = from_begin.split_at(line.map_or(from_begin.len(), |line| end + line));
        let (label, der) = pem_rfc7468::decode_vec(block.trim_end().as_bytes())?;
        if labels.contains(&label) {
            blocks.push(der);
        }
        rest = after;
    }
    Ok(blocks)
}

/// Writes a certificate in DER to `path`, and in PEM beside it.
pub(crate) fn save(path: &Path, der: &[u8]) -> std::io::Result<()> {
    write_whole(path, der)?;
    write_whole(&path.with_extension("pem"), encode(der)?.as_bytes())
}

/// Returns a certificate in PEM.
pub(crate) fn encode(der: &[u8]) -> std::io::Result<String> {
    pem_rfc7468::encode_string(LABEL, LineEnding::LF, der).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_other_kinds_are_passed_over() {
        let text = format!(
            "subject=somebody\n{}\nbetween\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n{}\n",
            encode(&[1, 2, 3]).unwrap(),
            encode(&[4; 70]).unwrap()
        );
        assert_eq!(
            blocks(&text, &[LABEL]).unwrap(),
            [vec![1, 2, 3], vec![4; 70]]
        );
        assert!(blocks("-----BEGIN CERTIFICATE-----\nAA", &[LABEL]).is_err());
    }
}
