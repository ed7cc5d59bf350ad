//! What devices at a station say: printers of cards, pages and labels, scanners, feeders.

pub(crate) fn esc_replies(bytes: &[u8]) {
    let mut replies = print::EscReplies::default();
    let whole = replies.take(bytes);
    // However it is cut, it says the same.
    let mut replies = print::EscReplies::default();
    let mut cut = Ok(Vec::new());
    for byte in bytes {
        if let Ok(all) = &mut cut {
            match replies.take(&[*byte]) {
                Ok(more) => all.extend(more),
                Err(garbled) => cut = Err(garbled),
            }
        }
    }
    assert_eq!(whole, cut, "answers do not depend on how they come");
}

pub(crate) fn ipp(bytes: &[u8]) {
    if let Ok(message) = print::IppMessage::parse(bytes) {
        let _ = message.is_successful();
        let _ = message.integer("job-state");
        let _ = message.boolean("printer-is-accepting-jobs");
        assert!(message.texts("printer-state-reasons").count() <= bytes.len());
    }
}

pub(crate) fn host_status(bytes: &[u8]) {
    let mut ear = print::ZplEar::default();
    for piece in bytes.chunks(7) {
        let Ok(status) = ear.take(piece) else { return };
        if let Some(status) = status {
            let _ = (status.is_idle(), status.conditions());
        }
    }
}

pub(crate) fn scan(bytes: &[u8]) {
    let mut ear = print::ScanEar::default();
    for piece in bytes.chunks(5) {
        let Ok(codes) = ear.take(piece) else { return };
        for code in codes {
            let again = print::BlankSerial::parse(code.as_str());
            assert!(
                again.is_ok_and(|again| again == code),
                "a code survives its text"
            );
        }
    }
}

pub(crate) fn feeder(bytes: &[u8]) {
    let mut ear = print::FeederEar::default();
    let whole = ear.take(bytes);
    if let Ok(Some(line)) = &whole {
        assert!(!line.is_empty() && line.trim() == line && line.len() <= 64);
        assert!(line.bytes().all(|byte| matches!(byte, 0x20..=0x7E)));
    }
    // However it is cut, it says the same first.
    let mut ear = print::FeederEar::default();
    let said = bytes.iter().find_map(|byte| ear.take(&[*byte]).transpose());
    assert_eq!(
        whole,
        said.transpose(),
        "a line does not depend on how it comes"
    );
}

pub(crate) fn printer_profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(profile) = print::PrinterProfile::parse(text) {
        assert!(!profile.protocol().is_empty());
    }
}
