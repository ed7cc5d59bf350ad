//! What slots say, in words for the trace: nothing in them differs from one run of a seed to the next.

use api::BlankEnd;
use station::Happening;

/// Returns the words; none for what happens all the time.
pub(super) fn words(happening: &Happening) -> Option<String> {
    Some(match happening {
        Happening::Progress { .. } | Happening::WaitingForCard => return None,
        Happening::Finished { number, end, .. } => format!("{number} {}", ended(end)),
        Happening::Started { number, .. } => format!("begins {number}"),
        Happening::Parked { number } => format!("holds {number}"),
        Happening::NeedsPerson { reason } => format!("needs a person: {}", plain(reason)),
        Happening::OutOfService { reason } => format!("is out of service: {}", plain(reason)),
        Happening::CentreAway { .. } => "has no centre".to_owned(),
        Happening::Paused => "pauses".to_owned(),
        Happening::NobodyOnShift => "has nobody".to_owned(),
        Happening::NothingToDo => "has nothing to do".to_owned(),
    })
}

fn ended(end: &BlankEnd) -> String {
    match end {
        BlankEnd::Personalized => "is personalized".into(),
        BlankEnd::Spoiled { cause } => format!("is spoiled: {}", plain(cause)),
        BlankEnd::Untouched { cause } => format!("is untouched: {}", plain(cause)),
    }
}

/// Leaves out what is drawn by the product itself: identities.
fn plain(text: &str) -> String {
    let is_identity = |word: &&str| word.len() >= 36 && word.matches('-').count() >= 4;
    let words = text.split(' ');
    let words: Vec<_> = words
        .map(|word| if is_identity(&word) { "…" } else { word })
        .collect();
    words.join(" ")
}
