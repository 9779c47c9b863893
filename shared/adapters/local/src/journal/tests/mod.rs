//! What survives: at the level of files, cut, flipped, full.

mod intake;
mod pressure;

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alter_domain::port::{
    AuditError, AuditSink as _, Clock as _, ManualClock, NonceClaim, NonceStore as _, Record, StoreError,
};
use async_trait::async_trait;
use jiff::Timestamp;
use tempfile::TempDir;

use super::{
    DrainHandler, Journal, JournalError, JournalOptions, OnCorrupt,
    frame::{Entry, HEADER},
    scan::{Tail, scan, segment_path},
    shared::lock,
};
use crate::{DirError, Durability};

const BOTH: [Durability; 2] = [Durability::Full, Durability::Process];

/// Keeps what it is given, or fails.
#[derive(Default)]
struct Kept {
    records: Mutex<Vec<String>>,
    batches: Mutex<Vec<usize>>,
    broken: AtomicBool,
}

impl Kept {
    fn records(&self) -> Vec<String> {
        lock(&self.records).clone()
    }
}

#[async_trait]
impl DrainHandler for Kept {
    async fn write(&self, batch: Vec<Record>) -> Result<(), String> {
        if self.broken.load(Ordering::SeqCst) {
            return Err("the audit table is on fire".to_owned());
        }
        lock(&self.batches).push(batch.len());
        lock(&self.records).extend(batch.iter().map(|record| String::from_utf8(record.0.to_vec()).unwrap()));
        Ok(())
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap()))
}

fn options(durability: Durability) -> JournalOptions {
    JournalOptions { durability, ..JournalOptions::default() }
}

fn open(dir: &Path, options: JournalOptions) -> Result<Journal, JournalError> {
    Journal::open(dir, options, clock())
}

fn record(number: usize) -> Record {
    Record(text(number).into())
}

/// Of different lengths.
fn text(number: usize) -> String {
    format!("record {number} {}", "x".repeat(number * 7 % 40))
}

fn claim(nonce: &str, forget_in: i64) -> NonceClaim {
    NonceClaim {
        key_id: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        nonce: nonce.to_owned(),
        forget_at: 1_800_000_000 + forget_in,
    }
}

async fn drained(journal: &Journal) -> Vec<String> {
    let kept = Arc::new(Kept::default());
    journal.drain_into(Arc::clone(&kept) as Arc<dyn DrainHandler>).unwrap();
    journal.settle().await.unwrap();
    kept.records()
}

/// A journal with some records and its one segment as bytes, the zeros behind them left out.
async fn segment_with(records: usize, nonces: usize) -> (TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), options(Durability::Process)).unwrap();
    for number in 0..records {
        journal.record(record(number)).await.unwrap();
    }
    for number in 0..nonces {
        assert_eq!(journal.claim(claim(&number.to_string(), 300)).await, Ok(true));
    }
    let end = journal.shared.recorded().offset;
    drop(journal);
    let mut bytes = fs::read(segment_path(dir.path(), 0)).unwrap();
    bytes.truncate(usize::try_from(end).unwrap());
    (dir, bytes)
}

#[tokio::test]
async fn what_was_recorded_is_drained_in_order_in_batches() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), options(durability)).unwrap();
        for number in 0..5000 {
            journal.record(record(number)).await.unwrap();
        }
        let kept = Arc::new(Kept::default());
        journal.drain_into(Arc::clone(&kept) as Arc<dyn DrainHandler>).unwrap();
        journal.settle().await.unwrap();
        assert_eq!(kept.records(), (0..5000).map(text).collect::<Vec<_>>());
        assert!(lock(&kept.batches).iter().all(|size| *size <= super::drain::BATCH_RECORDS));
        assert!(lock(&kept.batches).len() > 2);
        assert_eq!(journal.backlog(), 0);
        journal.record(record(5000)).await.unwrap();
        journal.settle().await.unwrap();
        assert_eq!(kept.records().len(), 5001);
        assert!(matches!(journal.drain_into(kept), Err(JournalError::AlreadyDrained)));
    }
}

#[tokio::test]
async fn what_was_not_drained_is_drained_after_the_next_start_and_only_that() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), options(durability)).unwrap();
        for number in 0..10 {
            journal.record(record(number)).await.unwrap();
        }
        assert_eq!(drained(&journal).await.len(), 10);
        drop(journal);
        let journal = open(dir.path(), options(durability)).unwrap();
        for number in 10..15 {
            journal.record(record(number)).await.unwrap();
        }
        assert!(journal.settle().await.is_err(), "nobody drains it");
        drop(journal);
        let journal = open(dir.path(), options(durability)).unwrap();
        assert!(journal.backlog() > 0);
        assert_eq!(drained(&journal).await, (10..15).map(text).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_lost_mark_means_that_records_come_again() {
    let (dir, _) = segment_with(5, 0).await;
    assert_eq!(drained(&open(dir.path(), options(Durability::Full)).unwrap()).await.len(), 5);
    for damage in [Vec::new(), vec![1; 7], vec![9; 20]] {
        fs::write(dir.path().join("drained"), damage).unwrap();
        assert_eq!(drained(&open(dir.path(), options(Durability::Full)).unwrap()).await.len(), 5);
    }
    assert_eq!(drained(&open(dir.path(), options(Durability::Full)).unwrap()).await.len(), 0);
}

#[tokio::test]
async fn cut_anywhere_every_whole_record_is_there_and_writing_goes_on() {
    let (_dir, bytes) = segment_with(8, 2).await;
    let mut ends = vec![0];
    let mut texts = Vec::new();
    for number in 0..8 {
        texts.push(text(number));
        ends.push(ends[number] + HEADER + 5 + text(number).len());
    }
    for length in 0..=bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(segment_path(dir.path(), 0), &bytes[..length]).unwrap();
        let journal = open(dir.path(), options(Durability::Process)).unwrap();
        let whole = ends.iter().skip(1).filter(|end| **end <= length).count();
        assert_eq!(journal.recovery().cut_bytes > 0, !is_boundary(&bytes, length), "cut at {length}");
        journal.record(Record("after".into())).await.unwrap();
        let mut expected = texts[..whole].to_vec();
        expected.push("after".to_owned());
        assert_eq!(drained(&journal).await, expected, "cut at {length}");
    }
}

/// Whether a frame ends here (zeros at a cut's end are not told from the file's own).
fn is_boundary(bytes: &[u8], length: usize) -> bool {
    let mut at = 0;
    while at < length {
        let payload = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if at + HEADER + payload > length {
            return false;
        }
        at += HEADER + payload;
    }
    true
}

#[tokio::test]
async fn a_flipped_byte_is_found_wherever_it_is() {
    let (_dir, bytes) = segment_with(6, 1).await;
    let last = bytes.len() - (HEADER + 5 + 16);
    for at in 0..bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::write(segment_path(dir.path(), 0), &damaged).unwrap();
        match open(dir.path(), options(Durability::Process)) {
            // In the last frame damage looks like an unfinished write.
            Ok(journal) => {
                assert!(at >= last, "flipped at {at}");
                assert!(journal.recovery().cut_bytes > 0);
                assert_eq!(drained(&journal).await.len(), 6);
            }
            Err(JournalError::Corrupt { offset, .. }) => {
                assert!(at < last && offset <= at as u64, "flipped at {at}, reported at {offset}");
            }
            Err(other) => panic!("{other}"),
        }
        let salvaging = JournalOptions { on_corrupt: OnCorrupt::Quarantine, ..options(Durability::Process) };
        if at < last {
            let journal = open(dir.path(), salvaging.clone()).unwrap();
            let aside = dir.path().join("corrupt-segment-0000000000");
            assert_eq!(journal.recovery().quarantined, [aside.as_path()]);
            assert_eq!(fs::read(aside).unwrap(), damaged, "set aside whole");
            assert_eq!(drained(&journal).await.len(), 5, "flipped at {at}");
            assert_eq!(journal.claim(claim("0", 300)).await, Ok(false), "nonces behind it are kept");
            drop(journal);
            assert!(open(dir.path(), options(Durability::Process)).is_ok(), "repaired for good");
        }
    }
}

#[tokio::test]
async fn damage_in_a_segment_that_is_not_the_last_is_never_an_unfinished_write() {
    let dir = tempfile::tempdir().unwrap();
    let small = JournalOptions { segment_bytes: 200, ..options(Durability::Full) };
    let journal = open(dir.path(), small.clone()).unwrap();
    for number in 0..10 {
        journal.record(record(number)).await.unwrap();
    }
    drop(journal);
    let first = segment_path(dir.path(), 0);
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, &bytes[..bytes.len() - 1]).unwrap();
    let error = open(dir.path(), small).err().unwrap();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("segment-0000000000 is damaged at byte"), "{error}");
}

#[tokio::test]
async fn drained_segments_are_deleted_and_the_rest_is_bounded() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let small = JournalOptions { segment_bytes: 1000, ..options(durability) };
        let journal = open(dir.path(), small.clone()).unwrap();
        for number in 0..200 {
            journal.record(record(number)).await.unwrap();
        }
        assert!(segments(dir.path()) > 5);
        assert_eq!(drained(&journal).await, (0..200).map(text).collect::<Vec<_>>());
        assert_eq!(segments(dir.path()), 1);
        drop(journal);
        let journal = open(dir.path(), small).unwrap();
        journal.record(record(200)).await.unwrap();
        assert_eq!(drained(&journal).await, [text(200)]);
    }
}

fn segments(dir: &Path) -> usize {
    names(dir).iter().filter(|name| name.starts_with("segment-")).count()
}

fn names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_nonce_is_refused_after_a_restart_also_when_its_segment_is_gone() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let small = JournalOptions { segment_bytes: 500, ..options(durability) };
        let time = clock();
        let reopen = || Journal::open(dir.path(), small.clone(), Arc::clone(&time) as _).unwrap();
        let journal = reopen();
        for number in 0..40 {
            assert_eq!(journal.claim(claim(&number.to_string(), 300)).await, Ok(true));
            journal.record(record(number)).await.unwrap();
        }
        assert_eq!(journal.claim(claim("7", 300)).await, Ok(false));
        drained(&journal).await;
        assert_eq!(segments(dir.path()), 1, "the nonces' segments are gone");
        drop(journal);
        let journal = reopen();
        for number in 0..40 {
            assert_eq!(journal.claim(claim(&number.to_string(), 300)).await, Ok(false), "{number}");
        }
        assert_eq!(journal.claim(claim("new", 300)).await, Ok(true));

        // When all of them may be forgotten, the side files go with the next segment.
        time.advance(400);
        for number in 0..40 {
            journal.record(record(number)).await.unwrap();
        }
        drained(&journal).await;
        assert_eq!(names(dir.path()).iter().filter(|name| name.starts_with("nonces-")).count(), 0);
        assert_eq!(journal.claim(claim("7", 800)).await, Ok(true));
        assert_eq!(time.now().as_second(), 1_800_000_400);
    }
}

#[tokio::test]
async fn claims_of_one_nonce_have_one_winner() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let journal = Arc::new(open(dir.path(), options(durability)).unwrap());
        let claims = (0..50).map(|_| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move { journal.claim(claim("contended", 300)).await })
        });
        let mut won = 0;
        for one in claims.collect::<Vec<_>>() {
            won += usize::from(one.await.unwrap().unwrap());
        }
        assert_eq!(won, 1);
        let mut other_key = claim("contended", 300);
        other_key.key_id = "0190a1b2-0000-7000-8000-000000000002".parse().unwrap();
        assert_eq!(journal.claim(other_key).await, Ok(true), "of another key");
    }
}
