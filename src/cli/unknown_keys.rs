//! Keys of a TOML file that nobody reads: a typing error, mostly.

/// A key that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    /// How it is written.
    pub(crate) key: String,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// The key that is most like it.
    pub(crate) nearest: Option<String>,
}

/// The most that are told of one file.
const MOST: usize = 20;
/// How far a key may be from what was meant, in letters: a third of it.
const FAR: usize = 3;

/// Finds the unknown keys of a text that `read` reads strictly. It names one at a time: each is
/// blanked out, and the rest is read again.
pub(crate) fn find(
    text: &str,
    read: impl Fn(&str) -> Result<(), toml::de::Error>,
) -> Vec<UnknownKey> {
    let (mut text, mut found) = (text.to_owned(), Vec::new());
    while found.len() < MOST {
        let Err(error) = read(&text) else { break };
        let (Some(unknown), Some(span)) = (unknown(error.message()), error.span()) else {
            break;
        };
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let (key, known) = unknown;
        let nearest = known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&key, known), known))
            .filter(|(far, known)| *far <= FAR.max(known.len() / 3))
            .min();
        found.push(UnknownKey {
            nearest: nearest.map(|(_, known)| known.clone()),
            key,
            line,
        });
        let Some(rest) = without(&text, line) else {
            break;
        };
        text = rest;
    }
    found
}

/// Returns the key that a message of serde's is about, and those that there are.
fn unknown(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((key.to_owned(), known.collect()))
}

/// Returns a text without one line. That of a table goes with all that is in the table.
fn without(text: &str, line: usize) -> Option<String> {
    let all: Vec<_> = text.lines().collect();
    let from = line.checked_sub(1)?;
    let is_table = all.get(from)?.trim_start().starts_with('[');
    let is_next = |line: &&str| line.trim_start().starts_with('[');
    let to = match is_table {
        true => {
            let rest = all.iter().skip(from + 1);
            from + 1 + rest.take_while(|line| !is_next(line)).count()
        }
        false => from + 1,
    };
    let kept = all.iter().enumerate();
    let kept = kept.map(|(at, line)| if (from..to).contains(&at) { "" } else { line });
    Some(kept.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its keys count")]
    struct Known {
        format: u32,
        serve: Option<Serve>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its keys count")]
    struct Serve {
        listen: Option<String>,
        certificate: Option<String>,
    }

    fn found(text: &str) -> Vec<(String, usize, Option<String>)> {
        let found = find(text, |text| toml::from_str::<Known>(text).map(drop));
        let found = found.into_iter();
        found.map(|one| (one.key, one.line, one.nearest)).collect()
    }

    #[test]
    fn each_unknown_key_is_named_with_the_one_that_is_most_like_it() {
        assert_eq!(found("format = 1\n[serve]\nlisten = \"x\"\n"), []);
        let text = "format = 1\nfromat = 2\n[serve]\nlsiten = \"x\"\ncertifcate = \"y\"\n[colours]\nred = 1\n";
        let told = |key: &str, line, nearest: Option<&str>| {
            (key.to_owned(), line, nearest.map(str::to_owned))
        };
        let mut all = found(text);
        all.sort_by_key(|one| one.1);
        assert_eq!(
            all,
            [
                told("fromat", 2, Some("format")),
                told("lsiten", 4, Some("listen")),
                told("certifcate", 5, Some("certificate")),
                told("colours", 6, None),
            ]
        );
        // What does not read at all is told elsewhere.
        assert_eq!(found("format = "), []);
        assert_eq!(found("format = \"one\""), []);
    }
}
