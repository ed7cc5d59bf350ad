//! What an issuer grants: role, rights and term.

use cert::cvc::{Chat, Holder, Role};
use jiff::civil::Date;
use jiff::{Span, ToSpan};

/// Why a term is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TermError {
    /// Shorter or longer than certificates of this role last.
    #[error("a certificate of a {role} lasts {allowed}, not from {from} to {to}", role = role.name())]
    Length {
        /// The role.
        role: Role,
        /// What is allowed.
        allowed: &'static str,
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
    },
    /// It lasts longer than its issuer's.
    #[error("the issuer's certificate holds until {until}, and {to} is later")]
    Outlives {
        /// The issuer's last day.
        until: Date,
        /// The last day asked for.
        to: Date,
    },
    /// Days out of the calendar.
    #[error("a term starts in the years 2000 to 2099")]
    Calendar,
}

/// From when to when a certificate holds, both days included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CvTerm {
    /// The first day: the day of issue (*TR-03110-3 §2.4*).
    pub from: Date,
    /// The last day.
    pub to: Date,
}

impl CvTerm {
    /// Returns the term that starts on a day and ends so many days later.
    ///
    /// # Errors
    /// [`TermError::Calendar`].
    pub fn days(from: Date, days: u16) -> Result<Self, TermError> {
        let to = from
            .checked_add(i64::from(days).days())
            .map_err(|_| TermError::Calendar)?;
        Ok(Self { from, to })
    }

    /// Demands the length that certificates of a role may have (*TR-03139*): 6 months to 3 years
    /// for a CVCA, 2 weeks to 3 months for a document verifier, 1 day to 1 month for a terminal.
    ///
    /// # Errors
    /// [`TermError`].
    pub fn check(self, role: Role) -> Result<(), TermError> {
        let (least, most, allowed) = bounds(role);
        let day = |span: Span| self.from.checked_add(span).map_err(|_| TermError::Calendar);
        if self.to < day(least)? || self.to > day(most)? {
            let Self { from, to } = self;
            return Err(TermError::Length {
                role,
                allowed,
                from,
                to,
            });
        }
        Ok(())
    }
}

fn bounds(role: Role) -> (Span, Span, &'static str) {
    match role {
        Role::Cvca => (6.months(), 3.years(), "6 months to 3 years"),
        Role::DomesticVerifier | Role::ForeignVerifier => {
            (2.weeks(), 3.months(), "2 weeks to 3 months")
        }
        Role::Terminal => (1.day(), 1.month(), "1 day to 1 month"),
    }
}

/// What an issuer grants to a request.
#[derive(Clone, Debug)]
pub struct CvGrant {
    /// Role and rights.
    pub chat: Chat,
    /// How long.
    pub term: CvTerm,
    /// Who says that the request is its holder's.
    pub voucher: CvVoucher,
}

/// Who says that a request is its holder's.
#[derive(Clone, Debug)]
pub enum CvVoucher {
    /// The request's outer signature, by a key that this issuer certified for the same holder.
    EarlierKey,
    /// The request's outer signature, by another authority whose certificate was verified: the
    /// CVCA of a foreign document verifier's own country.
    Authority(Box<Holder>),
    /// A person who compared the request's digest over another way: a holder's first request.
    Person,
}
