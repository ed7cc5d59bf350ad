//! What is judged as a whole, over all documents: by statements that find what must not be.

use document::life_cycle::{ApplicationState, BlankState, LifeCycle};
use sqlx::{AssertSqlSafe, Row};

use super::{Findings, MAX_NAMED, Rule};
use crate::database::Connection;
use crate::error::Result;
use crate::register_reports::UNTOLD;
use crate::statements::{assembled, sql};

/// A statement that finds what breaks an invariant: its reference in the column `what`.
struct Seeks {
    rule: Rule,
    /// What is wrong with it.
    fault: &'static str,
    sql: String,
}

fn seek(rule: Rule, fault: &'static str, sql: impl Into<String>) -> Seeks {
    let sql = sql.into();
    Seeks { rule, fault, sql }
}

/// Judges everything that is not one document's.
pub(super) async fn audit(tx: &mut Connection, findings: &mut Findings<'_>) -> Result<()> {
    let counted = [
        (Rule::Documents, sql!("SELECT count(*) FROM application")),
        (Rule::Reports, sql!("SELECT count(*) FROM report")),
        (Rule::Parcels, sql!("SELECT count(*) FROM parcel")),
        (Rule::Outbox, sql!("SELECT count(*) FROM register_event")),
    ];
    for (rule, sql) in counted {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut *tx).await?;
        findings.checked(rule, count.unsigned_abs());
    }
    for Seeks { rule, fault, sql } in seeks() {
        let rows = sqlx::query(AssertSqlSafe(first_of(&sql)))
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            findings.fault(rule, format!("{} {fault}", row.get::<&str, _>("what")));
        }
    }
    Ok(())
}

/// Returns a search as it is asked: the first of what it finds.
fn first_of(search: &str) -> String {
    format!("{search} ORDER BY 1 LIMIT {}", MAX_NAMED + 1)
}

assembled!(first_of => |_| seeks().iter().map(|seek| first_of(&seek.sql)).collect());

fn seeks() -> Vec<Seeks> {
    let mut all = applications();
    all.extend(blanks());
    all.extend(numbers());
    all.extend(parcels());
    all.extend(reports());
    all.extend(outbox());
    all
}

fn applications() -> Vec<Seeks> {
    use ApplicationState as State;
    let names = |wanted: &[State]| listed(wanted.iter().map(|state| state.name()));
    let undecided = names(&[
        State::Received,
        State::Approved,
        State::Refused,
        State::Superseded,
    ]);
    let decided = names(&[State::InProduction, State::Completed]);
    vec![
        seek(
            Rule::Documents,
            "is not in production, and has a document",
            format!(
                "SELECT 'application ' || a.reference AS what FROM application a JOIN document d ON d.application = a.reference WHERE a.state IN ({undecided})"
            ),
        ),
        seek(
            Rule::Documents,
            "is in production, and has no document",
            format!(
                "SELECT 'application ' || a.reference AS what FROM application a LEFT JOIN document d ON d.application = a.reference
                 WHERE a.state IN ({decided}) AND d.id IS NULL"
            ),
        ),
        seek(
            Rule::Documents,
            "was decided by who entered it, or by nobody",
            format!(
                "SELECT 'application ' || reference AS what FROM application
                 WHERE (state IN ({decided}) AND decided_by IS NULL) OR decided_by = entered_by"
            ),
        ),
        seek(
            Rule::Documents,
            "has several documents",
            "SELECT 'application ' || application AS what FROM document GROUP BY application HAVING count(*) > 1",
        ),
    ]
}

fn blanks() -> Vec<Seeks> {
    let unused = BlankState::all().iter().filter(|state| {
        !matches!(
            state,
            BlankState::Personalized
                | BlankState::Spoiled
                | BlankState::Missing
                | BlankState::Destroyed
        )
    });
    let unused = listed(unused.map(|state| state.name()));
    vec![
        seek(
            Rule::Blanks,
            "is not used, and carries a document",
            format!(
                "SELECT 'blank ' || serial AS what FROM blank WHERE state IN ({unused}) AND (document IS NOT NULL OR number IS NOT NULL)"
            ),
        ),
        seek(
            Rule::Blanks,
            "is personalized, and carries no document",
            "SELECT 'blank ' || serial AS what FROM blank WHERE state = 'personalized' AND (document IS NULL OR number IS NULL)",
        ),
        seek(
            Rule::Blanks,
            "is at a station, and no lease has it",
            "SELECT 'blank ' || b.serial AS what FROM blank b LEFT JOIN lease l ON l.blank = b.serial AND l.state IN ('open', 'expired')
             WHERE b.state = 'at-station' AND l.id IS NULL",
        ),
        seek(
            Rule::Blanks,
            "has not the slot that its account wants, or one that it does not want",
            "SELECT 'blank ' || serial AS what FROM blank
             WHERE (CASE WHEN state IN ('loaded', 'at-station') THEN 1 ELSE 0 END) <> (CASE WHEN slot IS NULL THEN 0 ELSE 1 END)",
        ),
        seek(
            Rule::Blanks,
            "is of a delivery that was not accepted, and is used",
            "SELECT 'blank ' || b.serial AS what FROM blank b JOIN delivery d ON d.reference = b.delivery
             WHERE d.accepted IS NULL AND b.state IN ('in-stock', 'in-transit', 'loaded', 'at-station', 'personalized', 'returned')",
        ),
        seek(
            Rule::Blanks,
            "is missing, and no incident is about it or its document",
            "SELECT 'blank ' || b.serial AS what FROM blank b WHERE b.state = 'missing'
             AND NOT EXISTS (SELECT 1 FROM incident i WHERE i.subject = 'blank/' || b.serial)
             AND NOT EXISTS (SELECT 1 FROM incident i WHERE i.subject = 'document/' || b.number)
             AND NOT EXISTS (SELECT 1 FROM parcel_document p JOIN incident i ON i.subject = 'parcel/' || p.parcel WHERE p.number = b.number)",
        ),
    ]
}

fn numbers() -> Vec<Seeks> {
    vec![
        seek(
            Rule::Numbers,
            "is on two blanks",
            "SELECT 'number ' || number AS what FROM blank WHERE number IS NOT NULL GROUP BY number HAVING count(*) > 1",
        ),
        seek(
            Rule::Numbers,
            "has two documents",
            "SELECT 'number ' || number AS what FROM document WHERE number IS NOT NULL GROUP BY number HAVING count(*) > 1",
        ),
        seek(
            Rule::Numbers,
            "is a series', and came on a blank too",
            "SELECT 'number ' || n.number AS what FROM number n JOIN blank b ON b.own_number = n.number WHERE n.series IS NOT NULL",
        ),
        seek(
            Rule::Numbers,
            "carries a document under another number than its maker gave it",
            "SELECT 'blank ' || serial AS what FROM blank WHERE own_number IS NOT NULL AND number IS NOT NULL AND number <> own_number",
        ),
        seek(
            Rule::Numbers,
            "is issued, and is on no finished blank",
            "SELECT 'number ' || n.number AS what FROM number n LEFT JOIN blank b ON b.document = n.document AND b.number = n.number AND b.state IN ('personalized', 'destroyed')
             WHERE n.state = 'issued' AND b.serial IS NULL",
        ),
        seek(
            Rule::Numbers,
            "is of a series that has not come to it, or has passed it as void",
            "SELECT 'number ' || n.number AS what FROM number n JOIN series s ON s.id = n.series
             WHERE CAST(substr(n.number, 3) AS BIGINT) < s.first OR CAST(substr(n.number, 3) AS BIGINT) >= s.next
                OR EXISTS (SELECT 1 FROM void_range v WHERE v.series = s.id
                           AND CAST(substr(n.number, 3) AS BIGINT) BETWEEN v.first AND v.last)",
        ),
    ]
}

fn parcels() -> Vec<Seeks> {
    vec![
        seek(
            Rule::Parcels,
            "is closed, and has not what was counted into it",
            "SELECT 'parcel ' || p.serial AS what FROM parcel p LEFT JOIN parcel_document d ON d.parcel = p.serial AND d.state = 'packed'
             WHERE p.state IN ('sealed', 'under-way') GROUP BY p.serial, p.counted HAVING count(d.number) <> COALESCE(p.counted, -1)",
        ),
        seek(
            Rule::Parcels,
            "is over, and something is packed in it still",
            "SELECT DISTINCT 'parcel ' || p.serial AS what FROM parcel p JOIN parcel_document d ON d.parcel = p.serial
             WHERE p.state IN ('received', 'lost', 'discarded') AND d.state = 'packed'",
        ),
        seek(
            Rule::Parcels,
            "went, and nobody sent or sealed it, or nobody said how it went",
            "SELECT 'parcel ' || serial AS what FROM parcel WHERE state IN ('under-way', 'received', 'lost')
             AND (sent_by IS NULL OR sealed_by IS NULL OR way IS NULL)",
        ),
        seek(
            Rule::Parcels,
            "was counted in by who had it in hands before",
            "SELECT 'parcel ' || p.serial AS what FROM parcel p JOIN parcel_hand h ON h.parcel = p.serial AND h.person = p.received_by
             WHERE p.state = 'received'",
        ),
        seek(
            Rule::Parcels,
            "went the way of a PIN envelope of a document in it",
            "SELECT DISTINCT 'parcel ' || p.serial AS what FROM parcel p JOIN parcel_document d ON d.parcel = p.serial
             JOIN envelope e ON e.number = d.number AND e.way IS NOT NULL AND lower(e.way) = lower(p.way)",
        ),
        seek(
            Rule::Parcels,
            "has a document twice on its way",
            "SELECT 'document ' || document AS what FROM parcel_document WHERE state = 'packed' GROUP BY document HAVING count(*) > 1",
        ),
    ]
}

fn reports() -> Vec<Seeks> {
    vec![
        // After a restoration what is gone everywhere holds up none that follow.
        seek(
            Rule::Reports,
            "has reports with a gap",
            "SELECT 'station ' || station AS what FROM
                 (SELECT station, sequence FROM report UNION ALL SELECT station, sequence FROM quarantined_report
                  UNION ALL SELECT station, sequence FROM station_act
                  UNION ALL SELECT station, sequence FROM fenced_report) AS come
             WHERE station NOT IN (SELECT station FROM quarantined_report WHERE epoch IS NOT NULL)
             GROUP BY station HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
        ),
        seek(
            Rule::Reports,
            "was ended by several reports",
            "SELECT 'lease ' || lease AS what FROM report WHERE day IS NOT NULL GROUP BY lease HAVING count(*) > 1",
        ),
        seek(
            Rule::Reports,
            "was reported by another station than has it",
            "SELECT 'lease ' || l.id AS what FROM lease l JOIN report r ON r.lease = l.id WHERE r.station <> l.station",
        ),
        seek(
            Rule::Reports,
            "is live, and was reported",
            "SELECT DISTINCT 'lease ' || l.id AS what FROM lease l JOIN report r ON r.lease = l.id WHERE l.state IN ('open', 'expired')",
        ),
        // At a desk nothing reports.
        seek(
            Rule::Reports,
            "made its document, and no report that was honoured says so",
            "SELECT 'lease ' || l.id AS what FROM lease l LEFT JOIN report r ON r.lease = l.id AND r.end_state = 'personalized' AND r.day IS NOT NULL
             WHERE l.state = 'completed' AND l.purpose = 'personalization' AND l.slot <> 'desk' AND r.lease IS NULL",
        ),
        seek(
            Rule::Reports,
            "was honoured as personalized, and its lease is otherwise",
            "SELECT 'report ' || r.station || '/' || CAST(r.sequence AS TEXT) AS what FROM report r JOIN lease l ON l.id = r.lease
             WHERE r.day IS NOT NULL AND l.purpose = 'personalization'
               AND r.end_state <> (CASE WHEN l.state = 'completed' THEN 'personalized' WHEN l.state = 'spoiled' THEN 'spoiled'
                                        WHEN l.state = 'released' AND l.blank IS NULL THEN r.end_state
                                        WHEN l.state = 'released' THEN 'untouched' ELSE 'none' END)",
        ),
    ]
}

fn outbox() -> Vec<Seeks> {
    let untold = listed(UNTOLD.into_iter());
    vec![
        seek(
            Rule::Outbox,
            "has reports with a gap, or fewer than were made",
            "SELECT 'source ' || s.name AS what FROM source s LEFT JOIN register_report r ON r.source = s.name
             GROUP BY s.name, s.last_report, s.acknowledged
             HAVING count(r.number) <> s.last_report OR COALESCE(max(r.number), 0) <> s.last_report OR s.acknowledged > s.last_report",
        ),
        seek(
            Rule::Outbox,
            "is in a report that there is not",
            "SELECT 'event ' || CAST(e.id AS TEXT) AS what FROM register_event e
             LEFT JOIN register_report r ON r.source = e.source AND r.number = e.report WHERE e.report IS NOT NULL AND r.number IS NULL",
        ),
        seek(
            Rule::Outbox,
            "has not told its source each change once",
            format!(
                "SELECT 'application ' || o.application AS what FROM application_origin o
                 JOIN (SELECT d.application, CAST(sum(CASE WHEN e.state IN ({untold}) THEN 0 ELSE 1 END) AS BIGINT) AS happened
                       FROM document d JOIN document_event e ON e.document = d.id GROUP BY d.application) h ON h.application = o.application
                 LEFT JOIN (SELECT application, count(*) AS told FROM register_event GROUP BY application) t ON t.application = o.application
                 WHERE COALESCE(t.told, 0) <> h.happened"
            ),
        ),
        seek(
            Rule::Outbox,
            "was refused, and its source was not told once",
            "SELECT 'application ' || o.application AS what FROM application_origin o JOIN application a ON a.reference = o.application
             LEFT JOIN (SELECT application, count(*) AS told FROM register_event WHERE state = 'refused' GROUP BY application) t ON t.application = o.application
             WHERE a.state = 'refused' AND COALESCE(t.told, 0) <> 1",
        ),
    ]
}

/// Returns names as SQL lists them.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    names.join(", ")
}
