//! Plans: how many documents an office means to issue, a year and a group of kinds.

use std::collections::{BTreeMap, BTreeSet};

use document::{Calendar, Kind};
use serde::Deserialize;
use thiserror::Error;

use crate::span::Span;
use crate::table::rounded;
use crate::words::Language;

/// The most groups of a plan.
pub const MAX_GROUPS: usize = 50;

/// The most bytes of a name or title.
const MAX_TEXT: usize = 100;

/// The most documents of a year: more than a plan can mean.
const MAX_DOCUMENTS: u64 = 1_000_000_000;

/// Why a plan cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// It is of another format.
    #[error("plan format {0} is not known here; write format = 1")]
    Format(u32),
    /// It has too many groups.
    #[error("a plan has at most {MAX_GROUPS} groups")]
    Groups,
    /// A name or title is empty, too long, or on more lines.
    #[error("names and titles of groups have 1 to {MAX_TEXT} bytes on one line")]
    Text,
    /// Two groups have one name.
    #[error("two groups are named \"{0}\"; name one of them otherwise")]
    Name(String),
    /// A group is of no kinds.
    #[error("group \"{0}\" names no kinds; list at least one")]
    NoKinds(String),
    /// A kind is in two groups.
    #[error("{0} is in two groups, or twice in one; each document counts once")]
    Kind(Kind),
    /// A year is no year.
    #[error("\"{0}\" is no year; write four digits")]
    Year(String),
    /// A figure is too large.
    #[error("{0} documents a year are more than a plan can mean")]
    Figure(u64),
}

/// What an office means to issue, and what was issued before this store counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Plan {
    groups: Vec<Group>,
}

/// Kinds that are planned together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    title: String,
    title_lv: String,
    pub(crate) kinds: Vec<Kind>,
    planned: BTreeMap<i16, u64>,
    elsewhere: BTreeMap<i16, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    #[serde(default)]
    groups: Vec<StoredGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredGroup {
    name: String,
    title: String,
    title_lv: String,
    kinds: Vec<Kind>,
    #[serde(default)]
    planned: BTreeMap<String, u64>,
    #[serde(default)]
    elsewhere: BTreeMap<String, u64>,
}

impl TryFrom<Stored> for Plan {
    type Error = PlanError;

    fn try_from(stored: Stored) -> Result<Self, PlanError> {
        if stored.format != 1 {
            return Err(PlanError::Format(stored.format));
        }
        if stored.groups.len() > MAX_GROUPS {
            return Err(PlanError::Groups);
        }
        let (mut names, mut kinds) = (BTreeSet::new(), BTreeSet::new());
        let mut groups = Vec::new();
        for group in stored.groups {
            for text in [&group.name, &group.title, &group.title_lv] {
                if !(1..=MAX_TEXT).contains(&text.trim().len())
                    || text.chars().any(char::is_control)
                {
                    return Err(PlanError::Text);
                }
            }
            if group.kinds.is_empty() {
                return Err(PlanError::NoKinds(group.name));
            }
            for &kind in &group.kinds {
                if !kinds.insert(kind) {
                    return Err(PlanError::Kind(kind));
                }
            }
            if !names.insert(group.name.clone()) {
                return Err(PlanError::Name(group.name));
            }
            groups.push(Group {
                name: group.name,
                title: group.title,
                title_lv: group.title_lv,
                kinds: group.kinds,
                planned: years(&group.planned)?,
                elsewhere: years(&group.elsewhere)?,
            });
        }
        Ok(Self { groups })
    }
}

fn years(figures: &BTreeMap<String, u64>) -> Result<BTreeMap<i16, u64>, PlanError> {
    let read = |(year, &figure): (&String, &u64)| {
        let fault = || PlanError::Year(year.chars().take(20).collect());
        let number: i16 = year.parse().map_err(|_| fault())?;
        if year.len() != 4 || number < 1000 {
            return Err(fault());
        }
        match figure <= MAX_DOCUMENTS {
            true => Ok((number, figure)),
            false => Err(PlanError::Figure(figure)),
        }
    };
    figures.iter().map(read).collect()
}

impl Plan {
    /// Returns the groups, those of the kinds that no group has after those of the plan.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut groups = self.groups.clone();
        for &kind in Kind::ALL {
            if !groups.iter().any(|group| group.kinds.contains(&kind)) {
                groups.push(Group::of_kind(kind));
            }
        }
        groups
    }

    /// Returns the group that is this kind and no other; one without a plan where there is none.
    pub(crate) fn of_kind(&self, kind: Kind) -> Group {
        let own = self.groups.iter().find(|group| group.kinds == [kind]);
        own.cloned().unwrap_or_else(|| Group::of_kind(kind))
    }
}

impl Group {
    fn of_kind(kind: Kind) -> Self {
        Self {
            name: kind.name().to_owned(),
            title: kind.title().to_owned(),
            title_lv: kind.title_lv().to_owned(),
            kinds: vec![kind],
            planned: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
        }
    }

    pub(crate) fn title(&self, language: Language) -> &str {
        match language {
            Language::Latvian => &self.title_lv,
            Language::English => &self.title,
        }
    }

    /// Returns what is planned for some days: of each year that has a plan, as large a part as those
    /// days have of its working days. None where no year among them has a plan.
    pub(crate) fn planned(&self, span: Span, calendar: &Calendar) -> Option<u64> {
        let mut planned = None;
        for (&year, &figure) in &self.planned {
            let Ok(whole) = Span::of_year(year) else {
                continue;
            };
            let Some(part) = span.within(whole) else {
                continue;
            };
            let part = worked(part, calendar);
            let whole = worked(whole, calendar);
            *planned.get_or_insert(0) += rounded(part, whole, figure).unwrap_or_default();
        }
        planned
    }

    /// Returns what was issued elsewhere in the years that some days cover whole: of parts of a year
    /// that is not known.
    pub(crate) fn elsewhere(&self, span: Span) -> u64 {
        let years = self.elsewhere.iter();
        let covered = years.filter(|(year, _)| span.covers_year(**year));
        covered.map(|(_, figure)| figure).sum()
    }
}

/// Returns how many of some days are worked.
fn worked(span: Span, calendar: &Calendar) -> u64 {
    let first = u64::from(calendar.is_working(span.from()));
    let rest = calendar.working_days(span.from(), span.until());
    first + u64::from(rest.unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::date;

    use super::*;

    pub(crate) const SHIPPED: &str = include_str!("../../reports/plan.toml");

    #[test]
    fn the_shipped_plan_is_the_offices() {
        let plan: Plan = toml::from_str(SHIPPED).unwrap();
        let calendar = Calendar::default();
        let of = |name: &str, year| {
            let group = plan.groups().into_iter().find(|group| group.name == name);
            let year = Span::of_year(year).unwrap();
            let group = group.unwrap();
            (group.planned(year, &calendar), group.elsewhere(year))
        };
        assert_eq!(of("passports", 2019), (None, 148_620));
        assert_eq!(of("passports", 2020), (Some(113_998), 0));
        assert_eq!(of("id-cards", 2021), (Some(369_132), 0));
        assert_eq!(of("alien-id-cards", 2022), (Some(12_026), 0));
        // The sum that the strategy's figures of 2022 make, without residence permits.
        let sum: u64 = ["passports", "id-cards", "alien-id-cards"]
            .iter()
            .filter_map(|name| of(name, 2022).0)
            .sum();
        assert_eq!(sum, 579_987);
    }

    #[test]
    fn months_share_a_year_by_their_working_days() {
        let plan: Plan = toml::from_str(SHIPPED).unwrap();
        let group = &plan.groups[0];
        let calendar = Calendar::default();
        let year = Span::of_year(2022).unwrap();
        let months = year.months();
        let parts: Vec<u64> = months
            .iter()
            .map(|month| {
                group
                    .planned(Span::of_month(month).unwrap(), &calendar)
                    .unwrap()
            })
            .collect();
        let sum: u64 = parts.iter().sum();
        assert!(sum.abs_diff(147_461) <= 6, "rounding alone: {sum}");
        // 21 working days in November 2022 (22 weekdays less the 18th), of 253 (260 less 7).
        assert_eq!(parts[10], (147_461 * 21 + 126) / 253);
        let two_years = Span::new(date(2021, 1, 1), date(2022, 12, 31)).unwrap();
        assert_eq!(group.planned(two_years, &calendar), Some(102_155 + 147_461));
        assert_eq!(group.planned(Span::of_year(2030).unwrap(), &calendar), None);
    }

    #[test]
    fn a_faulty_plan_says_what_to_do() {
        let group = |name: &str, kinds: &str| {
            format!(
                "[[groups]]\nname = \"{name}\"\ntitle = \"T\"\ntitle_lv = \"T\"\nkinds = [{kinds}]\n"
            )
        };
        let read = |text: String| toml::from_str::<Plan>(&text).unwrap_err().to_string();
        let head = "format = 1\n";
        for (text, fault) in [
            ("format = 2".to_owned(), "format = 1"),
            (format!("{head}{}", group("a", "")), "names no kinds"),
            (
                format!(
                    "{head}{}{}",
                    group("a", "\"passport\""),
                    group("b", "\"passport\"")
                ),
                "counts once",
            ),
            (
                format!(
                    "{head}{}{}",
                    group("a", "\"passport\""),
                    group("a", "\"id-card\"")
                ),
                "named",
            ),
            (
                format!("{head}{}", group("a", "\"visa\"")),
                "unknown variant",
            ),
            (
                format!("{head}{}planned = {{ 22 = 5 }}", group("a", "\"passport\"")),
                "no year",
            ),
            (
                format!(
                    "{head}{}planned = {{ 2022 = -5 }}",
                    group("a", "\"passport\"")
                ),
                "invalid",
            ),
            (
                format!(
                    "{head}{}planned = {{ 2022 = 9000000000 }}",
                    group("a", "\"passport\"")
                ),
                "more than",
            ),
            (format!("{head}{}", group("", "\"passport\"")), "one line"),
        ] {
            let error = read(text);
            assert!(error.contains(fault), "{error}");
        }
    }
}
