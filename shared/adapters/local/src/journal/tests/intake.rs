//! A call's nonce and intent, taken in together.

use bytes::Bytes;

use super::{
    super::frame::{MAX_RECORD, Parsed, entries, parse},
    *,
};

/// Frames of the first segment, each as the number of records it holds.
fn frames(dir: &Path) -> Vec<usize> {
    let bytes = fs::read(segment_path(dir, 0)).unwrap();
    let mut found = Vec::new();
    let mut offset = 0;
    while let Parsed::Frame(payload) = parse(0, offset as u64, &bytes[offset..]) {
        offset += HEADER + payload.len();
        found.push(entries(&Bytes::copy_from_slice(payload)).count());
    }
    found
}

#[tokio::test]
async fn both_are_in_one_write_and_outlive_the_journal() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), options(durability)).unwrap();
        let first = journal.claim_and_record(claim("n", 300), &journal, record(1)).await;
        assert_eq!(first, (Ok(true), Ok(())));
        assert_eq!(frames(dir.path()), [2]);
        // A replay is on the record, too.
        let again = journal.claim_and_record(claim("n", 300), &journal, record(2)).await;
        assert_eq!(again, (Ok(false), Ok(())));
        drop(journal);
        let journal = open(dir.path(), options(durability)).unwrap();
        assert_eq!(journal.claim(claim("n", 300)).await, Ok(false));
        assert_eq!(drained(&journal).await, [text(1), text(2)]);
    }
}

#[tokio::test]
async fn a_full_disk_keeps_neither_and_the_nonce_stays_refused() {
    for durability in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), options(durability)).unwrap();
        lock(&journal.shared.log).quota = Some(30);
        let (claimed, recorded) = journal.claim_and_record(claim("n", 300), &journal, record(1)).await;
        assert!(matches!(claimed, Err(StoreError::Unavailable(_))), "{claimed:?}");
        assert!(matches!(recorded, Err(AuditError::Unavailable(_))), "{recorded:?}");
        lock(&journal.shared.log).quota = None;
        let again = journal.claim_and_record(claim("n", 300), &journal, record(2)).await;
        assert_eq!(again, (Ok(false), Ok(())));
        assert_eq!(drained(&journal).await, [text(2)]);
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused_and_another_sink_is_asked_itself() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(dir.path(), options(Durability::Process)).unwrap();
    let sink = open(other.path(), options(Durability::Process)).unwrap();
    let large = Record(vec![b'x'; MAX_RECORD + 1].into());
    let (_, recorded) = journal.claim_and_record(claim("a", 300), &journal, large).await;
    assert!(recorded.is_err());
    let apart = journal.claim_and_record(claim("b", 300), &sink, record(3)).await;
    assert_eq!(apart, (Ok(true), Ok(())));
    assert_eq!(drained(&journal).await, Vec::<String>::new());
    assert_eq!(drained(&sink).await, [text(3)]);
}
