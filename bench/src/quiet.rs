//! Is anything else at work? What one line leaves behind must not be measured with the next.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::Failure;

/// The kernel's unit of processor time in `/proc`: 100 a second on every Linux that we run on.
const TICKS: f64 = 100.0;
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until a process has next to nothing to do (the vault stores its audit rows behind the calls), and returns how
/// long that took.
pub(crate) fn settle(process: u32) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let mut before = used(process)?;
    while begun.elapsed() < PATIENCE {
        thread::sleep(LOOK);
        let after = used(process)?;
        if after - before <= LOOK.as_secs_f64() * 0.05 {
            break;
        }
        before = after;
    }
    Ok(begun.elapsed())
}

/// The share of the machine's processor time that was used during a short look, 0 to 1.
pub(crate) fn busy() -> Result<f64, Failure> {
    let before = machine()?;
    thread::sleep(LOOK);
    let after = machine()?;
    let (used, all) = (after.0 - before.0, after.1 - before.1);
    Ok(if all > 0.0 { used / all } else { 0.0 })
}

/// Processor time of a process in seconds.
fn used(process: u32) -> Result<f64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold blanks; fields are counted behind its closing parenthesis: utime and stime are the 14th and 15th.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).ok_or("no stat")?;
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// Busy and total ticks of all cores.
fn machine() -> Result<(f64, f64), Failure> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("no stat")?;
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_seen() {
        let before = used(std::process::id()).unwrap();
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed() < Duration::from_millis(100) || used(std::process::id()).unwrap() <= before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!((0.0..=1.0).contains(&busy().unwrap()));
    }
}
