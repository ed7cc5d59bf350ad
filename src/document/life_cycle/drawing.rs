//! Life cycles as drawings and tables for the documentation.

use std::fmt::Write as _;

use super::LifeCycle;

/// Returns a life cycle as a Mermaid state diagram.
#[must_use]
pub fn mermaid<S: LifeCycle>() -> String {
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    for &state in S::all() {
        let label = state.label();
        // Mermaid takes no hyphen in an identifier.
        if label.contains('-') {
            lines.push(format!("    state \"{label}\" as {}", identifier(label)));
        }
    }
    lines.push(format!("    [*] --> {}", identifier(S::INITIAL.label())));
    for transition in S::transitions() {
        lines.push(format!(
            "    {} --> {}: {}",
            identifier(transition.from.label()),
            identifier(transition.to.label()),
            S::event_label(transition.event),
        ));
    }
    for &state in S::all().iter().filter(|state| state.is_final()) {
        lines.push(format!("    {} --> [*]", identifier(state.label())));
    }
    joined(lines)
}

/// Returns a life cycle's transitions as a Markdown table: what must hold, who may, why one person
/// alone is not enough, and what the audit log calls it.
#[must_use]
pub fn table<S: LifeCycle>() -> String {
    let mut lines = vec![
        "| from | event | to | what must hold | who | second person | evidence |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for transition in S::transitions() {
        let rule = transition.rule;
        let facts: Vec<_> = rule.guards.iter().map(|guard| guard.fact()).collect();
        let roles: Vec<_> = rule.roles().iter().map(|role| role.name()).collect();
        let evidence: Vec<_> = rule.evidence.iter().map(|one| format!("`{one}`")).collect();
        lines.push(format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            transition.from.label(),
            S::event_label(transition.event),
            transition.to.label(),
            facts.join("; "),
            if roles.is_empty() {
                "the store".to_owned()
            } else {
                roles.join(", ")
            },
            rule.second_person().unwrap_or("-"),
            evidence.join(", "),
        ));
    }
    joined(lines)
}

fn identifier(label: &str) -> String {
    label.replace('-', "_")
}

/// Joins lines; those that differ only in what a state or event carries are one.
fn joined(mut lines: Vec<String>) -> String {
    lines.dedup();
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::{
        ApplicationState, BlankState, CertificateState, DocumentState, EnvelopeState,
        IncidentState, LeaseState, ParcelState, RibbonState, StationState, policy_table,
    };

    const DOCUMENTATION: &str = include_str!("../../../docs/life-cycles.md");

    fn is_documented<S: LifeCycle>() {
        let (drawing, table) = (mermaid::<S>(), table::<S>());
        assert!(
            DOCUMENTATION.contains(&format!("```mermaid\n{drawing}```\n\n{table}")),
            "docs/life-cycles.md lacks this of the {}:\n\n```mermaid\n{drawing}```\n\n{table}",
            S::SUBJECT,
        );
    }

    #[test]
    fn documentation_shows_the_machines_as_they_are() {
        is_documented::<ApplicationState>();
        is_documented::<DocumentState>();
        is_documented::<BlankState>();
        is_documented::<RibbonState>();
        is_documented::<CertificateState>();
        is_documented::<EnvelopeState>();
        is_documented::<LeaseState>();
        is_documented::<ParcelState>();
        is_documented::<StationState>();
        is_documented::<IncidentState>();
    }

    #[test]
    fn documentation_shows_what_certificates_do_with_their_document() {
        let table = policy_table();
        assert!(
            DOCUMENTATION.contains(&table),
            "docs/life-cycles.md lacks this:\n\n{table}",
        );
    }

    #[test]
    fn reasons_do_not_multiply_arrows() {
        let arrows = mermaid::<CertificateState>();
        assert_eq!(arrows.matches("active --> revoked: revoke").count(), 1);
        assert_eq!(arrows.matches("revoked --> [*]").count(), 1);
    }
}
