//! What a command must look like, whichever application it is for.

use card::{Command, Status};

/// Wants the class byte `00`: one logical channel, no secure messaging.
pub(crate) fn plain_class(class: u8) -> Result<(), Status> {
    match class {
        0x00 => Ok(()),
        0x01..=0x03 | 0x40..=0x7F => Err(Status::CHANNEL_NOT_SUPPORTED),
        0x04..=0x0F => Err(Status::SECURE_MESSAGING_NOT_SUPPORTED),
        _ => Err(Status::CLASS_NOT_SUPPORTED),
    }
}

/// Wants P1 and P2 to be these.
pub(crate) fn parameters(command: &Command, p1: u8, p2: u8) -> Result<(), Status> {
    if (command.p1(), command.p2()) == (p1, p2) {
        Ok(())
    } else {
        Err(Status::WRONG_P1_P2)
    }
}

/// Wants a command without data.
pub(crate) fn no_data(command: &Command) -> Result<(), Status> {
    exactly::<0>(command).map(|_| ())
}

/// Wants a data field of exactly so many bytes.
pub(crate) fn exactly<const N: usize>(command: &Command) -> Result<[u8; N], Status> {
    let data = command.data();
    data.try_into().map_err(|_| Status::WRONG_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_apart() {
        assert_eq!(plain_class(0x00), Ok(()));
        for (class, status) in [
            (0x80, 0x6E00),
            (0x84, 0x6E00),
            (0x04, 0x6882),
            (0x0C, 0x6882),
            (0x01, 0x6881),
            (0x41, 0x6881),
            (0x10, 0x6E00),
            (0x20, 0x6E00),
        ] {
            assert_eq!(plain_class(class), Err(Status::new(status)), "{class:02X}");
        }
    }
}
