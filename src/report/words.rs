//! What reports say, in Latvian and in English.

use std::str::FromStr;

use document::Kind;

/// The language of headings and charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Latvian.
    Latvian,
    /// English.
    #[default]
    English,
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "lv" => Ok(Self::Latvian),
            "en" => Ok(Self::English),
            _ => Err("expected lv or en".to_owned()),
        }
    }
}

impl Language {
    /// Returns its code, as in `xml:lang`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Latvian => "lv",
            Self::English => "en",
        }
    }

    /// Returns the title of a kind of document.
    #[must_use]
    pub const fn kind(self, kind: Kind) -> &'static str {
        match self {
            Self::Latvian => kind.title_lv(),
            Self::English => kind.title(),
        }
    }

    pub(crate) const fn of(self, word: Word) -> &'static str {
        let (lv, en) = word.both();
        match self {
            Self::Latvian => lv,
            Self::English => en,
        }
    }

    /// Returns what an account of blanks or numbers is called; one that is not known keeps its name.
    pub(crate) fn account(self, name: &str) -> String {
        let (lv, en) = match name {
            "in-stock" => ("noliktavā", "in stock"),
            "at-place" => ("nodaļā", "at a place"),
            "at-station" => ("iekārtā", "at a station"),
            "loaded" => ("ielikta iekārtā", "loaded"),
            "personalized" => ("personalizēta", "personalized"),
            "opened" => ("izņemta, nav beigusies", "opened"),
            "used" => ("izlietota", "used"),
            "spoiled" => ("sabojāta", "spoiled"),
            "returned" => ("atdota", "returned"),
            "missing" => ("trūkst", "missing"),
            "destroyed" => ("iznīcināta", "destroyed"),
            "allotted" => ("piešķirts", "allotted"),
            "issued" => ("izlietots", "issued"),
            "cancelled" => ("atcelts", "cancelled"),
            "void" => ("nederīgs", "void"),
            _ => return name.to_owned(),
        };
        match self {
            Self::Latvian => lv.to_owned(),
            Self::English => en.to_owned(),
        }
    }
}

macro_rules! words {
    ($( $word:ident $lv:literal $en:literal ),+ $(,)?) => {
        /// Something that reports say.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Word { $( $word ),+ }

        impl Word {
            const fn both(self) -> (&'static str, &'static str) {
                match self { $( Self::$word => ($lv, $en) ),+ }
            }

            #[cfg(test)]
            const ALL: &'static [Self] = &[ $( Self::$word ),+ ];
        }
    };
}

words! {
    Year "Gads" "Year",
    Month "Mēnesis" "Month",
    Office "Nodaļa" "Office",
    Kind "Dokumenta veids" "Kind",
    Group "Dokumenti" "Documents",
    Total "Kopā" "Total",
    NotKept "nav norādīts" "not kept",
    Ordered "Pasūtīti" "Ordered",
    Made "Izgatavoti" "Made",
    Issued "Izsniegti" "Issued",
    IssuedElsewhere "Izsniegti citur" "Issued elsewhere",
    Cancelled "Atcelti" "Cancelled",
    Planned "Plāns" "Plan",
    OfPlan "No plāna" "Of plan",
    KpiTitle "Izsniegtie dokumenti un plāns" "Documents issued, and the plan",
    TurnaroundTitle "Izgatavošanas laiks darba dienās" "Turnaround in working days",
    WaitingTitle "Vēl nav gatavi" "Not ready yet",
    QualityTitle "Kvalitāte" "Quality",
    StationsTitle "Iekārtas" "Stations",
    ChipsTitle "Mikroshēmas" "Chips",
    CausesTitle "Sabojāšanas iemesli" "Causes of spoiled blanks",
    StockTitle "Sagataves pa kontiem" "Blanks by account",
    NumbersTitle "Numuri pa kontiem" "Numbers by account",
    Priority "Steidzamība" "Priority",
    Urgent "steidzami" "urgent",
    Normal "parastā kārtībā" "normal",
    Documents "Dokumenti" "Documents",
    WithinDue "Termiņā" "Within due",
    ShareWithin "Termiņā, %" "Share within due",
    Median "Mediāna" "Median",
    Most90 "90. procentile" "90th percentile",
    Most99 "99. procentile" "99th percentile",
    Longest "Ilgākais" "Longest",
    Overdue "Nokavēti" "Overdue",
    Oldest "Vecākais pieteikums" "Oldest application",
    FirstDue "Pirmais termiņš" "First due",
    WorkingDays "darba dienas no pieteikuma" "working days from application",
    DueLimit "termiņš" "due",
    Passed "Pieņemti" "Passed",
    FirstPass "Pieņemti pirmajā reizē" "Passed at first",
    Conceded "Pieņemti ar atkāpi" "Conceded",
    Failed "Noraidīti" "Failed",
    Spoiled "Sabojāti" "Spoiled",
    Yield "Iznākums" "Yield",
    FirstPassYield "Iznākums pirmajā reizē" "First-pass yield",
    Station "Iekārta" "Station",
    Untouched "Atdoti neskarti" "Given back untouched",
    MedianSeconds "Sekundes, mediāna" "Seconds, median",
    Seconds90 "Sekundes, 90. procentile" "Seconds, 90th percentile",
    Product "Mikroshēma" "Chip",
    Chips "Mikroshēmas" "Chips",
    MeanCommands "Komandas, vidēji" "Commands, mean",
    Fewest "Komandas, vismazāk" "Commands, fewest",
    MostCommands "Komandas, visvairāk" "Commands, most",
    MeanBytes "Baiti, vidēji" "Bytes, mean",
    Cause "Iemesls" "Cause",
    OtherCauses "citi iemesli" "other causes",
    Blanks "Sagataves" "Blanks",
    Article "Sagatave" "Article",
    Account "Konts" "Account",
    Ribbons "Lentes" "Ribbons",
    RibbonsTitle "Drukas lentes" "Ribbons of printers",
    Ribbon "Lente" "Ribbon",
    Cards "Kartes" "Cards",
    Series "Sērija" "Series",
    Numbers "Numuri" "Numbers",
    NoFigures "Šajā laikā nav datu" "No figures in this time",
    Until "līdz" "to",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_there_twice() {
        for &word in Word::ALL {
            assert!(!Language::Latvian.of(word).is_empty(), "{word:?}");
            assert!(!Language::English.of(word).is_empty(), "{word:?}");
        }
        assert_eq!(Language::Latvian.kind(Kind::Passport), "Pilsoņa pase");
        assert!("de".parse::<Language>().is_err());
    }
}
