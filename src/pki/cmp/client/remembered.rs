//! The last answers of an authority, until they are confirmed; a restart may forget them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cert::Certificate;
use der::asn1::OctetString;

use crate::authority::Verdict;

/// The most transactions whose last answer is remembered.
const MOST: usize = 4096;

/// The last answer in a transaction: what a confirmation needs.
#[derive(Clone)]
pub(super) struct Answered {
    pub(super) nonce: Option<OctetString>,
    pub(super) certificate: Certificate,
    pub(super) cert_req_id: i32,
    pub(super) is_implicit: bool,
    pub(super) concluded: Option<Verdict>,
}

/// Answers by their transactions. Where there are too many, the first that is concluded gives way,
/// or the first: its confirmation then has no nonce, or its request is sent again.
#[derive(Default)]
pub(super) struct Remembered(Mutex<BTreeMap<Vec<u8>, (u64, Answered)>>);

impl Remembered {
    pub(super) fn get(&self, transaction: &[u8]) -> Option<Answered> {
        let answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(transaction).map(|(_, answer)| answer.clone())
    }

    pub(super) fn put(&self, transaction: &[u8], answer: Answered) {
        let mut answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = answered.get_mut(transaction) {
            *known = answer;
            return;
        }
        if answered.len() >= MOST {
            let first = answered
                .iter()
                .min_by_key(|(_, (place, answer))| (answer.concluded.is_none(), *place));
            if let Some(first) = first.map(|(transaction, _)| transaction.clone()) {
                answered.remove(&first);
            }
        }
        let last = answered.values().map(|(place, _)| *place).max();
        let place = last.map_or(0, |last| last + 1);
        answered.insert(transaction.to_vec(), (place, answer));
    }
}

#[cfg(test)]
mod tests {
    use cert::Certificate;

    use super::{Answered, MOST, Remembered};
    use crate::authority::Verdict;
    use crate::testing::Folder;

    #[test]
    fn what_is_concluded_gives_way_first() {
        let folder = Folder::new();
        folder.openssl(&[
            "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", "k", "-subj", "/CN=R",
            "-outform", "DER", "-out", "c",
        ]);
        let answer = |concluded| Answered {
            nonce: None,
            certificate: Certificate::parse(&folder.read("c")).unwrap(),
            cert_req_id: 0,
            is_implicit: false,
            concluded,
        };
        let open = answer(None);
        let remembered = Remembered::default();
        // Names are in no order.
        let name = |number: usize| number.wrapping_mul(0x9E37_79B9).to_le_bytes();
        for number in 0..MOST {
            remembered.put(&name(number), open.clone());
        }
        remembered.put(&name(7), answer(Some(Verdict::Accepted)));
        let is_known = |number| remembered.get(&name(number)).is_some();
        remembered.put(&name(MOST), open.clone());
        assert!(!is_known(7) && is_known(0) && is_known(MOST));
        remembered.put(&name(MOST + 1), open.clone());
        assert!(!is_known(0) && is_known(1) && is_known(MOST + 1));
    }
}
