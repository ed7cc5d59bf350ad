use std::collections::BTreeSet;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../reports/calendar.toml");
const EASTER: &str = include_str!("../../../tests/vectors/calendar/easter.csv");
const LATVIA: &str = include_str!("../../../tests/vectors/calendar/latvia.csv");

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn read(text: &str) -> Result<Calendar, toml::de::Error> {
    toml::from_str(text)
}

fn shipped() -> Calendar {
    read(SHIPPED).unwrap()
}

#[test]
fn easter_is_where_the_tables_have_it() {
    let mut years = 0;
    for line in lines(EASTER) {
        let day: Date = line.parse().unwrap();
        assert_eq!(easter_sunday(day.year()), Some(day));
        years += 1;
    }
    assert_eq!(years, 2399 - 1583 + 1);
    // The earliest and the latest that there are.
    assert_eq!(easter_sunday(1818), Some(date(1818, 3, 22)));
    assert_eq!(easter_sunday(1943), Some(date(1943, 4, 25)));
    assert_eq!(easter_sunday(1582), None);
}

#[test]
fn thirteen_years_are_free_where_another_program_has_them_free() {
    let calendar = shipped();
    let (mut free, mut working) = (BTreeSet::new(), BTreeSet::new());
    for line in lines(LATVIA) {
        let (kind, day) = line.split_once(',').unwrap();
        let day: Date = day.parse().unwrap();
        match kind {
            "free" => free.insert(day),
            _ => working.insert(day),
        };
    }
    let mut day = date(2018, 1, 1);
    while day < date(2031, 1, 1) {
        let is_weekday = !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let expected = (is_weekday && !free.contains(&day)) || working.contains(&day);
        assert_eq!(calendar.is_working(day), expected, "{day}");
        day = day.tomorrow().unwrap();
    }
}

#[test]
fn the_day_of_application_does_not_count() {
    let calendar = shipped();
    for (applied, urgent, normal) in [
        // A plain fortnight.
        (date(2026, 3, 6), date(2026, 3, 10), date(2026, 3, 20)),
        // A Sunday counts from Monday on.
        (date(2026, 3, 8), date(2026, 3, 10), date(2026, 3, 20)),
        // Thursday before Easter: Friday to Monday are free.
        (date(2026, 4, 2), date(2026, 4, 8), date(2026, 4, 20)),
        // 18 November 2026 is a Wednesday.
        (date(2026, 11, 17), date(2026, 11, 20), date(2026, 12, 2)),
        // 22 June is moved to Saturday the 27th, 23 and 24 are holidays.
        (date(2026, 6, 19), date(2026, 6, 26), date(2026, 7, 7)),
        // 4 May 2024 is a Saturday: Monday is free too.
        (date(2024, 5, 3), date(2024, 5, 8), date(2024, 5, 20)),
        // Christmas.
        (date(2026, 12, 23), date(2026, 12, 29), date(2027, 1, 12)),
    ] {
        assert_eq!(
            calendar.due(applied, Priority::Urgent),
            Some(urgent),
            "{applied}"
        );
        assert_eq!(
            calendar.due(applied, Priority::Normal),
            Some(normal),
            "{applied}"
        );
    }
    assert_eq!(calendar.due(date(9998, 12, 30), Priority::Normal), None);
}

#[test]
fn a_day_begins_in_riga() {
    let calendar = Calendar::default();
    let day = |moment: &str| calendar.day_of(moment.parse().unwrap());
    assert_eq!(day("2026-01-15T21:59:59Z"), date(2026, 1, 15));
    assert_eq!(day("2026-01-15T22:00:00Z"), date(2026, 1, 16));
    assert_eq!(day("2026-07-15T20:59:59Z"), date(2026, 7, 15));
    assert_eq!(day("2026-07-15T21:00:00Z"), date(2026, 7, 16));
}

#[test]
fn a_faulty_calendar_says_what_to_do() {
    let head = "format = 1\ntime_zone = \"EET-2EEST,M3.5.0/3,M10.5.0/4\"\n";
    let free = |day: &str| format!("{head}[[free]]\nday = \"{day}\"\nwhy = \"x\"\n");
    let working = |day: &str| format!("{head}[[working]]\nday = \"{day}\"\nwhy = \"x\"\n");
    assert!(read(head).is_ok());
    for (text, fault) in [
        (free("2026-12-25"), "take it out of [[free]]"),
        (free("2026-11-21"), "take it out of [[free]]"),
        (free("2024-05-06"), "take it out of [[free]]"),
        (working("2026-11-23"), "take it out of [[working]]"),
        (
            format!(
                "{}{}",
                free("2026-11-23"),
                "[[free]]\nday = \"2026-11-23\"\nwhy = \"x\"\n"
            ),
            "twice",
        ),
        (
            format!("{head}[[free]]\nday = \"2026-11-23\"\nwhy = \" \"\n"),
            "say why",
        ),
        (free("1500-11-23"), "outside the years"),
        (free("tomorrow"), "day"),
        (head.replace("format = 1", "format = 2"), "format = 1"),
        (head.replace("EET-2", "Europe/Riga"), "POSIX"),
        (format!("{head}holidays = []"), "unknown field"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
}

proptest! {
    #[test]
    fn a_due_day_is_worked_and_so_many_working_days_away(days in 0_i64..20_000) {
        let calendar = shipped();
        let applied = date(2000, 1, 1).checked_add(days.days()).unwrap();
        for &priority in Priority::ALL {
            let due = calendar.due(applied, priority).unwrap();
            prop_assert!(calendar.is_working(due));
            let passed = calendar.working_days(applied, due);
            prop_assert_eq!(passed, Some(u16::from(priority.working_days())));
            let later = calendar.due(applied.tomorrow().unwrap(), priority).unwrap();
            prop_assert!(later >= due, "who applies later is not due sooner");
        }
    }
}
