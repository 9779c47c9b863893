//! The figures as Markdown, with the targets beside them.

use std::fmt::Write as _;

use crate::{
    args::Options,
    memory::Reading,
    rounds::{Cells, Line},
    stats::{Cell, median, median_cell},
};

pub(crate) struct Table<'a> {
    pub(crate) cells: &'a Cells,
    /// `fdatasync` of the disk, microseconds.
    pub(crate) sync: f64,
    /// How busy the machine was between the lines, 0 to 1.
    pub(crate) busy: f64,
    pub(crate) options: &'a Options,
}

const LINES: [Line; 5] = [Line::Direct, Line::Nginx, Line::Bare, Line::Process, Line::Full];

/// On what it was measured.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = value(&read("/proc/cpuinfo"), "model name");
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores of {cpu}, {memory} of memory, Linux {}; all processes share them.\n",
        kernel.trim()
    )
}

/// Latency and throughput of the closed loop.
pub(crate) fn closed(table: &Table<'_>) -> String {
    let mut out = String::from("\n");
    let mut rule = String::from("|---|");
    out.push_str("| closed loop |");
    for connections in &table.options.connections {
        let _ = write!(out, " {connections}: p50 / p99 µs | added p50 / p99 | requests/s |");
        rule.push_str("---|---|---|");
    }
    let _ = write!(out, "\n{rule}\n");
    for line in LINES {
        let mut row = format!("| {} |", line.name());
        for &connections in &table.options.connections {
            let (Some(cells), Some(direct)) =
                (table.get(line, connections), table.get(Line::Direct, connections))
            else {
                row.clear();
                break;
            };
            let cell = median_cell(cells);
            let added = |pick: fn(&Cell) -> f64| median(pairs(cells, direct).map(|(c, d)| pick(c) - pick(d)));
            let (p50, p99) = (added(|c| c.p50), added(|c| c.p99));
            let _ = write!(
                row,
                " {:.0} / {:.0} | {p50:.0} / {p99:.0} | {} |",
                cell.p50,
                cell.p99,
                thousands(cell.rate)
            );
        }
        if !row.is_empty() {
            let _ = writeln!(out, "{row}");
        }
    }
    let _ = writeln!(
        out,
        "\nMedians of {} rounds of {} s per line; `fdatasync` of 500 bytes: {:.0} µs. Between the lines, other work kept the \
         machine {:.0} % busy.",
        table.options.rounds,
        table.options.window.as_secs(),
        table.sync,
        table.busy * 100.0
    );
    out
}

/// The ratios that are promised. Each is taken within a round; the median of the rounds counts.
pub(crate) fn targets(table: &Table<'_>) -> String {
    if table.added_ratio().is_none() && table.added_full().is_none() {
        return String::new();
    }
    let mut out = String::from("\n| target | figure | bound | |\n|---|---|---|---|\n");
    let mut row = |name: &str, figure: Option<f64>, bound: f64, holds: fn(f64, f64) -> bool| {
        if let Some(figure) = figure {
            let verdict = if holds(figure, bound) { "pass" } else { "miss" };
            let sign = if holds(0.0, 1.0) { "≤" } else { "≥" };
            let _ = writeln!(out, "| {name} | {figure:.2} | {sign} {bound:.2} | {verdict} |");
        }
    };
    let at_most: fn(f64, f64) -> bool = |figure, bound| figure <= bound;
    let at_least: fn(f64, f64) -> bool = |figure, bound| figure >= bound;
    row("*process*: added p50 at 1, ÷ that of the bare proxy", table.added_ratio(), 3.0, at_most);
    if let Some((figure, bound)) = table.added_full() {
        row("*full*: added p50 at 1, µs; bound: *process* + 4 × fdatasync", Some(figure), bound, at_most);
    }
    for (line, bare, nginx, tail) in [(Line::Process, 0.45, 0.40, 2.0), (Line::Full, 0.33, 0.28, 1.8)] {
        let name = if line == Line::Process { "*process*" } else { "*full*" };
        let rate = |other| table.ratio(line, other, 32, |ours, theirs| ours.rate / theirs.rate);
        row(&format!("{name}: requests/s at 32, ÷ bare proxy"), rate(Line::Bare), bare, at_least);
        row(&format!("{name}: requests/s at 32, ÷ nginx"), rate(Line::Nginx), nginx, at_least);
        let spread = table.ratio(line, line, 1, |ours, _| ours.p99 / ours.p50);
        row(&format!("{name}: p99 ÷ p50 at 1"), spread, tail, at_most);
    }
    out
}

/// Latency at a fixed rate.
pub(crate) fn open(cells: &[(Line, Cell)], rate: u64) -> String {
    if cells.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "\n| open loop, {rate} requests/s over 32 connections | p50 / p99 µs | answered/s |\n|---|---|---|\n"
    );
    for (line, cell) in cells {
        let _ = writeln!(
            out,
            "| {} | {:.0} / {:.0} | {} |",
            line.name(),
            cell.p50,
            cell.p99,
            thousands(cell.rate)
        );
    }
    out
}

pub(crate) fn memory(readings: &[Reading]) -> String {
    if readings.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n| memory, resident | MB | bound | |\n|---|---|---|---|\n");
    for reading in readings {
        #[allow(clippy::cast_precision_loss, reason = "sizes of processes fit")]
        let megabytes = reading.bytes as f64 / 1e6;
        let (when, bound) = match reading.calls {
            1 => ("idle".to_owned(), 20.0),
            calls => (format!("after {calls} calls and the rounds"), 64.0),
        };
        let verdict = if megabytes <= bound { "pass" } else { "miss" };
        let _ =
            writeln!(out, "| {}, {when} | {megabytes:.1} | ≤ {bound:.0} | {verdict} |", reading.line.name());
    }
    out
}

impl Table<'_> {
    fn get(&self, line: Line, connections: usize) -> Option<&[Cell]> {
        self.cells.get(&(line, connections)).map(Vec::as_slice)
    }

    fn ratio(
        &self,
        ours: Line,
        theirs: Line,
        connections: usize,
        of: fn(&Cell, &Cell) -> f64,
    ) -> Option<f64> {
        let (ours, theirs) = (self.get(ours, connections)?, self.get(theirs, connections)?);
        Some(median(pairs(ours, theirs).map(|(ours, theirs)| of(ours, theirs))))
    }

    fn added(&self, line: Line) -> Option<Vec<f64>> {
        let (cells, direct) = (self.get(line, 1)?, self.get(Line::Direct, 1)?);
        Some(pairs(cells, direct).map(|(cell, direct)| cell.p50 - direct.p50).collect())
    }

    fn added_ratio(&self) -> Option<f64> {
        let (ours, bare) = (self.added(Line::Process)?, self.added(Line::Bare)?);
        // Both are small differences of noisy figures: a ratio within one round would be a lottery.
        Some(median(ours) / median(bare))
    }

    fn added_full(&self) -> Option<(f64, f64)> {
        Some((median(self.added(Line::Full)?), median(self.added(Line::Process)?) + 4.0 * self.sync))
    }
}

fn pairs<'a>(left: &'a [Cell], right: &'a [Cell]) -> impl Iterator<Item = (&'a Cell, &'a Cell)> {
    left.iter().zip(right)
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Cells {
        let cell = |p50, rate| vec![Cell { p50, p99: p50 * 1.5, rate }; 3];
        Cells::from([
            ((Line::Direct, 1), cell(30.0, 30_000.0)),
            ((Line::Bare, 1), cell(70.0, 14_000.0)),
            ((Line::Process, 1), cell(130.0, 7_000.0)),
            ((Line::Full, 1), cell(400.0, 2_500.0)),
            ((Line::Direct, 32), cell(300.0, 100_000.0)),
            ((Line::Bare, 32), cell(800.0, 40_000.0)),
            ((Line::Process, 32), cell(1_700.0, 17_000.0)),
            ((Line::Full, 32), cell(2_500.0, 13_300.0)),
        ])
    }

    #[test]
    fn ratios_and_verdicts_follow_from_the_cells() {
        let options = Options { connections: vec![1, 32], ..Options::default() };
        let cells = cells();
        let table = Table { cells: &cells, sync: 60.0, busy: 0.0, options: &options };
        let text = targets(&table);
        assert!(
            text.contains("| *process*: added p50 at 1, ÷ that of the bare proxy | 2.50 | ≤ 3.00 | pass |"),
            "{text}"
        );
        assert!(text.contains("| 370.00 | ≤ 340.00 | miss |"), "{text}");
        assert!(
            text.contains("| *process*: requests/s at 32, ÷ bare proxy | 0.42 | ≥ 0.45 | miss |"),
            "{text}"
        );
        assert!(text.contains("| *full*: requests/s at 32, ÷ bare proxy | 0.33 | ≥ 0.33 | pass |"), "{text}");
        assert!(!text.contains("nginx"), "{text}");
        let text = closed(&table);
        assert!(
            text.contains(
                "| vault, *process* | 130 / 195 | 100 / 150 | 7,000 | 1700 / 2550 | 1400 / 2100 | 17,000 |"
            ),
            "{text}"
        );
    }
}
