//! What is said to questions.

use super::machine::{Answer, Machine};

impl Machine {
    /// `R…`.
    pub(super) fn read(&self, name: &str, parameters: &[&str]) -> Answer {
        Answer::Text(match (name, parameters) {
            ("Rsn", []) => self.setup.serial.clone(),
            ("Rtp", []) => "VIRTUAL".into(),
            ("Rfv", []) => "1.0".into(),
            ("Rr", []) => self.setup.ribbon.clone(),
            ("Rcr", []) => match self.ribbon_out {
                true => "ERR".into(),
                false => "OK".into(),
            },
            ("Rlr", ["p"]) => self.last.into(),
            ("Rlr", ["r"]) => "OK".into(),
            ("Rco", ["c"]) => self.fed.to_string(),
            ("Rco", ["p"]) => self.panels.to_string(),
            ("Rco", ["n"]) => self.cleanings.to_string(),
            ("Rco", ["l"]) => self.setup.ribbon_left.to_string(),
            ("Rem", []) => self.errors.to_string(),
            _ => return Answer::Not('1'),
        })
    }
}
