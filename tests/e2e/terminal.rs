//! A program at a terminal, at which somebody types what is asked for.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::world::Ran;

/// Runs a command at a terminal of its own, and answers each question when it is asked. What it printed
/// is in `out`, with what the terminal showed.
pub(crate) fn typed(command: &Command, answers: &[(&str, &str)]) -> Ran {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''")));
    let line = quoted.collect::<Vec<_>>().join(" ");
    // util-linux: it makes a terminal, and ends as the command does.
    let mut script = Command::new("script");
    script.args([
        "--quiet",
        "--flush",
        "--return",
        "--command",
        &line,
        "/dev/null",
    ]);
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap());
    }
    let mut child = script
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut shown, mut seen) = (Vec::new(), 0);
    let mut answers = answers.iter();
    let mut next = answers.next();
    let mut some = [0; 1024];
    loop {
        let read = screen.read(&mut some).unwrap();
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&shown[seen..]).into_owned();
        if let Some((question, answer)) = next
            && text.contains(question)
        {
            seen = shown.len();
            keys.write_all(format!("{answer}\n").as_bytes()).unwrap();
            next = answers.next();
        }
    }
    drop(keys);
    Ran {
        code: child.wait().unwrap().code().unwrap_or(-1),
        out: String::from_utf8(shown).unwrap().replace('\r', ""),
        err: String::new(),
    }
}
