//! What a PIN letter says, in each language.

/// A language of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Latvian.
    Latvian,
    /// English.
    English,
}

/// The words of a letter.
pub(crate) struct Words {
    pub(crate) title: &'static str,
    pub(crate) serial: &'static str,
    pub(crate) document: &'static str,
    pub(crate) must_change: &'static str,
    pub(crate) paragraphs: &'static [&'static str],
    /// Where a PIN of the letter must be changed first.
    pub(crate) transport: &'static str,
}

impl Language {
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::Latvian => &LATVIAN,
            Self::English => &ENGLISH,
        }
    }
}

const LATVIAN: Words = Words {
    title: "PIN aploksne",
    serial: "Aploksnes numurs",
    document: "Dokumenta numurs",
    must_change: "jānomaina pirms pirmās lietošanas",
    paragraphs: &[
        "Jūsu dokumenta PIN kodi ir aizklātajā laukā. Pirms atvēršanas pārliecinieties, ka lauks nav \
         bojāts; ja tas ir bojāts vai atvērts, nelietojiet kodus un griezieties dokumenta izdevējiestādē.",
        "Neizpaudiet kodus nevienam un neglabājiet tos kopā ar dokumentu. Iestādes un bankas PIN kodu \
         nekad nejautā. Pēc vairākiem nepareiziem mēģinājumiem PIN kods tiek bloķēts; to atbloķē ar PUK kodu.",
    ],
    transport: "Kodu, kas apzīmēts ar zvaigznīti (*), pirms pirmās lietošanas nomainiet pret savu.",
};

const ENGLISH: Words = Words {
    title: "PIN envelope",
    serial: "Envelope number",
    document: "Document number",
    must_change: "to be changed before the first use",
    paragraphs: &[
        "The PINs of your document are in the covered field. Before you open it make sure that the field \
         is intact; if it is damaged or open, do not use the codes and turn to the authority that issued \
         the document.",
        "Tell the codes to nobody and do not keep them with the document. No authority and no bank ever \
         asks for a PIN. After several wrong attempts a PIN is blocked; it is unblocked by the PUK.",
    ],
    transport: "Change a code that is marked by an asterisk (*) to one of your own before the first use.",
};
