//! Lists that grow while somebody turns their pages.

use std::collections::BTreeSet;
use std::ops::Range;

use document::life_cycle::DocumentState;

use super::house::{House, actor, with_house};
use super::races::application;

/// Enters and approves applications of these numbers.
async fn entered(house: &House, numbers: Range<usize>) {
    for number in numbers {
        let (clerk, approver) = (actor("clerk"), actor("approver"));
        let (central, content) = (&house.central, application(number));
        let reference = central.import(&clerk, &content).await.unwrap();
        let reference = reference.to_string();
        central.approve(&approver, &reference).await.unwrap();
    }
}

#[test]
fn whoever_turns_the_pages_finds_what_came_meanwhile_at_the_end() {
    with_house(
        "scenarios::paging::whoever_turns_the_pages_finds_what_came_meanwhile_at_the_end",
        async |house| {
            entered(&house, 0..4).await;
            let mut next = 4;

            let auditor = actor("auditor");
            for state in [None, Some(DocumentState::Queued)] {
                let mut seen: Vec<(String, String)> = Vec::new();
                let (there, until) = (next, next + 8);
                loop {
                    let after = seen.last().map_or("", |(turn, _)| turn).to_owned();
                    let page = house.central.documents_after(&auditor, state, &after, 3);
                    let page = page.await.unwrap();
                    if page.is_empty() {
                        break;
                    }
                    seen.extend(page.into_iter().map(|one| (one.turn, one.application)));
                    if next < until {
                        entered(&house, next..next + 4).await;
                        next += 4;
                    }
                }
                let once: BTreeSet<_> = seen.iter().map(|(_, application)| application).collect();
                assert_eq!((seen.len(), once.len()), (next, next));
                // Those that were there come first.
                let last = format!("APP-2026-9{:05}", there - 1);
                let at = seen
                    .iter()
                    .position(|(_, application)| *application == last);
                assert_eq!(at, Some(there - 1));
            }
        },
    );
}
