//! What survives the death of the process, and a disk that fills up. The process under test is this test binary, started
//! again with one of the ignored tests, which reads its directory from standard input.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use alter_adapter_local::{
    DirError, DrainHandler, Durability, Journal, JournalOptions, OpenError, SqliteTable, TableOptions,
};
use alter_domain::port::{
    AuditError, AuditSink as _, Expect, Item, Key, NonceClaim, NonceStore as _, Op, Record, StoreError,
    SystemClock, Table as _, TableName,
};
use async_trait::async_trait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const FOREVER: i64 = 4_102_444_800;

fn table(dir: &Path, durability: Durability) -> Result<SqliteTable, OpenError> {
    SqliteTable::open(&dir.join("table"), TableOptions { durability, ..TableOptions::default() })
}

fn journal(dir: &Path, durability: Durability) -> Journal {
    let options = JournalOptions { durability, segment_bytes: 20_000, ..JournalOptions::default() };
    Journal::open(&dir.join("journal"), options, Arc::new(SystemClock)).unwrap()
}

fn item(number: usize) -> Item {
    Item::new(Key::new("acknowledged", number.to_string()), "x".repeat(500))
}

fn claim(number: usize) -> NonceClaim {
    let key_id = "0190a1b2-0000-7000-8000-000000000001".parse().unwrap();
    NonceClaim { key_id, nonce: number.to_string(), forget_at: FOREVER }
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

#[async_trait]
impl DrainHandler for Kept {
    async fn write(&self, batch: Vec<Record>) -> Result<(), String> {
        let texts = batch.iter().map(|record| String::from_utf8(record.0.to_vec()).unwrap());
        self.0.lock().unwrap().extend(texts);
        Ok(())
    }
}

async fn drained(journal: &Journal) -> Vec<String> {
    let kept = Arc::new(Kept::default());
    journal.drain_into(Arc::clone(&kept) as Arc<dyn DrainHandler>).unwrap();
    journal.settle().await.unwrap();
    kept.0.lock().unwrap().clone()
}

/// Starts this binary again with one test; SIGXFSZ is ignored, so that a full file is an error as on a full disk.
fn child(test: &str, dir: &Path) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", dir.display()).unwrap();
    child
}

/// The directory that the parent names; `None` when somebody runs the ignored tests by hand.
fn given_dir() -> Option<PathBuf> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    Some(PathBuf::from(line.trim_end())).filter(|dir| dir.is_dir())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_has_lost_nothing_that_it_acknowledged() {
    for (durability, test) in [
        (Durability::Full, "child_writes_until_killed_full"),
        (Durability::Process, "child_writes_until_killed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        // Killed several times, each time in the middle of something else.
        let mut acknowledged = Vec::new();
        for life in 1..=4_usize {
            let mut child = child(test, dir.path());
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut killed = false;
            // To the end of the pipe: what was acknowledged before the kill counts, whenever it is read.
            for line in lines.map_while(Result::ok) {
                let Some((_, number)) = line.rsplit_once("acked ") else { continue };
                acknowledged.push(number.parse::<usize>().unwrap());
                if !killed && acknowledged.len() >= life * 97 {
                    let second = table(dir.path(), durability).err().unwrap();
                    assert!(matches!(second, OpenError::Dir(DirError::InUse { .. })), "{second}");
                    child.kill().unwrap();
                    killed = true;
                }
            }
            assert!(killed, "the process ended by itself");
            child.wait().unwrap();
        }
        let table = table(dir.path(), durability).unwrap();
        let journal = journal(dir.path(), durability);
        for &number in &acknowledged {
            assert!(table.get(TableName::Main, &item(number).key).await.unwrap().is_some(), "item {number}");
            assert_eq!(journal.claim(claim(number)).await, Ok(false), "nonce {number}");
        }
        let records = drained(&journal).await;
        for number in acknowledged {
            assert!(records.contains(&format!("record {number}")), "record {number}");
        }
    }
}

async fn write_until_killed(durability: Durability) {
    let Some(dir) = given_dir() else { return };
    let table = table(&dir, durability).unwrap();
    let journal = journal(&dir, durability);
    for number in 0.. {
        if table.get(TableName::Main, &item(number).key).await.unwrap().is_some() {
            continue;
        }
        table.put(TableName::Main, item(number), Expect::Absent).await.unwrap();
        assert!(journal.claim(claim(number)).await.unwrap());
        journal.record(Record(format!("record {number}").into())).await.unwrap();
        println!("acked {number}");
    }
}

#[tokio::test]
#[ignore = "started by a_killed_process_has_lost_nothing_that_it_acknowledged"]
async fn child_writes_until_killed_full() {
    write_until_killed(Durability::Full).await;
}

#[tokio::test]
#[ignore = "started by a_killed_process_has_lost_nothing_that_it_acknowledged"]
async fn child_writes_until_killed() {
    write_until_killed(Durability::Process).await;
}

#[test]
fn a_full_disk_is_unavailable_and_over_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let output = child("child_on_a_full_disk", dir.path()).wait_with_output().unwrap();
    let output_text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output_text.contains("1 passed"), "{output_text}");
}

#[tokio::test]
#[ignore = "started by a_full_disk_is_unavailable_and_over_when_there_is_room"]
async fn child_on_a_full_disk() {
    let Some(dir) = given_dir() else { return };
    let table = table(&dir, Durability::Full).unwrap();
    let journal = journal(&dir, Durability::Full);
    table.put(TableName::Main, item(0), Expect::Any).await.unwrap();
    journal.record(Record("record 0".into())).await.unwrap();
    let unlimited = getrlimit(Resource::Fsize);
    // No file may grow beyond this: the log of the table and the segment of the journal are full soon.
    setrlimit(Resource::Fsize, Rlimit { current: Some(10_000), ..unlimited }).unwrap();
    let mut recorded = 1;
    let refused = loop {
        match journal.record(Record(format!("record {recorded}").into())).await {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::Unavailable(_)), "{refused}");
    let put = |number| Op::Put { table: TableName::Main, item: item(number), expect: Expect::Absent };
    for _ in 0..3 {
        let refused = table.transact((1..60).map(put).collect()).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(table.get(TableName::Main, &item(0).key).await.unwrap().is_some(), "reading goes on");
        assert_eq!(table.get(TableName::Main, &item(1).key).await, Ok(None), "all or nothing");
        assert!(journal.record(Record("refused, refused and refused again".into())).await.is_err());
    }
    setrlimit(Resource::Fsize, unlimited).unwrap();
    assert_eq!(table.transact((1..60).map(put).collect()).await, Ok(()));
    journal.record(Record("after".into())).await.unwrap();
    drop(journal);
    let journal = self::journal(&dir, Durability::Full);
    let mut expected: Vec<String> = (0..recorded).map(|number| format!("record {number}")).collect();
    expected.push("after".to_owned());
    assert_eq!(drained(&journal).await, expected);
}
