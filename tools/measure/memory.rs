//! How much memory something takes at most, told by the kernel.

use std::error::Error;
use std::fs;
use std::process::Command;

use crate::Row;

/// Measures in a process of its own, since memory that was used once is not given back. `argument`
/// has it print two numbers: the memory taken, and its limit, both in MB.
pub(crate) fn row(name: &str, argument: &str) -> Result<Row, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .arg(argument)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut numbers = said.split_whitespace().map(str::parse::<f64>);
    match (output.status.success(), numbers.next(), numbers.next()) {
        (true, Some(value), Some(limit)) => Ok(Row::new(name, value?, "MB", limit?)),
        _ => {
            let why = String::from_utf8_lossy(&output.stderr);
            Err(format!("the memory of \"{name}\" was not measured: {why}").into())
        }
    }
}

/// Does something, and returns what it made and the most memory in MB that this process had
/// meanwhile, over what it had before.
pub(crate) fn taken<T>(
    act: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<(T, f64), Box<dyn Error>> {
    // proc(5): from here on the peak is counted anew.
    fs::write("/proc/self/clear_refs", "5")?;
    let before = status("VmRSS:")?;
    let made = act()?;
    let peak = status("VmHWM:")?;
    Ok((made, (peak - before) / 1e3))
}

/// Returns the most memory in MB that this process ever had.
pub(crate) fn most() -> Result<f64, Box<dyn Error>> {
    Ok(status("VmHWM:")? / 1e3)
}

/// Returns a figure of this process in kB (of 1024 bytes, which the kernel calls kB).
fn status(name: &str) -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the kernel does not say it")?.parse::<f64>()? * 1.024)
}
