//! The comparison: every line once per round, round after round, and medians over the rounds.

use std::{collections::BTreeMap, path::Path};

use tempfile::TempDir;

use crate::{
    Failure,
    args::Options,
    disk, load,
    load::{Target, Until},
    memory, micro, nginx,
    process::Server,
    quiet,
    report::{self, Table},
    sign::Work,
    stats::{Cell, median},
    vault::{Durability, Vault, data_directory},
};

/// A line of the table, in the order in which it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    Direct,
    Nginx,
    Bare,
    Process,
    Full,
}

impl Line {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Line::Direct => "direct",
            Line::Nginx => "nginx, fixed header",
            Line::Bare => "bare axum + hyper proxy",
            Line::Process => "vault, *process*",
            Line::Full => "vault, *full*",
        }
    }
}

/// What was measured: by line and number of connections, one cell per round.
pub(crate) type Cells = BTreeMap<(Line, usize), Vec<Cell>>;

/// Everything that runs while it is measured.
struct Field {
    targets: Vec<(Line, Target)>,
    vaults: Vec<(Line, Vault, TempDir)>,
    _nginx: Option<nginx::Nginx>,
    _servers: Vec<Server>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let field = field(options.vault.as_deref())?;
    let mut memories = Vec::new();
    for (line, vault, _) in &field.vaults {
        memories.push(memory::Reading { line: *line, calls: 1, bytes: vault.server.memory()? });
    }
    let disk_directory = data_directory()?;
    let sync = disk::sync_micros(disk_directory.path())?;

    let mut cells = Cells::new();
    let mut busy = Vec::new();
    for round in 1..=options.rounds {
        for &connections in &options.connections {
            for (line, target) in &field.targets {
                busy.push(field.quiet()?);
                eprintln!("round {round}/{}: {connections} connections, {}", options.rounds, line.name());
                let cell = load::closed(target, connections, Until::Elapsed(options.window))?;
                cells.entry((*line, connections)).or_default().push(cell);
            }
        }
    }
    let mut open = Vec::new();
    if options.rate > 0 {
        for (line, target) in &field.targets {
            busy.push(field.quiet()?);
            eprintln!("open loop: {} per second, {}", options.rate, line.name());
            open.push((*line, load::open(target, 32, options.rate, options.window)?));
        }
    }
    memories.extend(memory::after(&field.vaults, &field.targets, options.million)?);

    let table = Table { cells: &cells, sync, busy: median(busy), options };
    print!("{}", report::machine());
    print!("{}", report::closed(&table));
    print!("{}", report::targets(&table));
    print!("{}", report::open(&open, options.rate));
    print!("{}", report::memory(&memories));
    drop(field);
    if options.micro { micro::run() } else { Ok(()) }
}

impl Field {
    /// Waits until the vaults have stored what they were asked before, then says how busy the machine still is.
    fn quiet(&self) -> Result<f64, Failure> {
        for (line, vault, _) in &self.vaults {
            let waited = quiet::settle(vault.server.id())?;
            if waited.as_secs() > 0 {
                eprintln!("{} had work left for {:.1} s", line.name(), waited.as_secs_f64());
            }
        }
        quiet::busy()
    }
}

fn field(vault: Option<&Path>) -> Result<Field, Failure> {
    let (upstream, address) = Server::own(&["upstream"])?;
    let (bare, bare_address) = Server::own(&["proxy", &address.to_string()])?;
    let mut targets = vec![(Line::Direct, Target { address, work: Work::Get })];
    let nginx = nginx::start(address)?;
    match &nginx {
        Some(nginx) => targets.push((Line::Nginx, Target { address: nginx.address, work: Work::Get })),
        None => eprintln!("nginx is not installed; going on without it"),
    }
    targets.push((Line::Bare, Target { address: bare_address, work: Work::Get }));
    let mut vaults = Vec::new();
    match vault {
        Some(binary) => {
            for (line, durability) in [(Line::Process, Durability::Process), (Line::Full, Durability::Full)] {
                let data = data_directory()?;
                let vault = Vault::start(binary, data.path(), durability)?;
                let access = vault.set_up(data.path(), address)?;
                targets.push((line, vault.target(&access, address)?));
                vaults.push((line, vault, data));
            }
        }
        None => eprintln!("without the vault: no --vault was given"),
    }
    Ok(Field { targets, vaults, _nginx: nginx, _servers: vec![upstream, bare] })
}
