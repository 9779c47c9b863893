//! A full disk, a drain that fails or falls behind, many at once.

use super::*;

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_and_everything_acknowledged_is_there() {
    for durability in BOTH {
        for room in (0..100).step_by(7) {
            let dir = tempfile::tempdir().unwrap();
            let journal = open(dir.path(), options(durability)).unwrap();
            journal.record(record(0)).await.unwrap();
            lock(&journal.shared.log).quota = Some(room);
            let mut expected = vec![text(0)];
            for number in 1..4 {
                match journal.record(record(number)).await {
                    Ok(()) => expected.push(text(number)),
                    Err(AuditError::Unavailable(reason)) => assert!(reason.contains("journal"), "{reason}"),
                }
            }
            assert!(expected.len() < 4, "room for {room}");
            assert!(matches!(
                journal.claim(claim("n", 300)).await,
                Ok(true) | Err(StoreError::Unavailable(_))
            ));
            assert_eq!(journal.claim(claim("n", 300)).await, Ok(false), "a claim that failed stays refused");
            // Room again.
            lock(&journal.shared.log).quota = None;
            journal.record(record(9)).await.unwrap();
            expected.push(text(9));
            drop(journal);
            let journal = open(dir.path(), options(durability)).unwrap();
            assert_eq!(
                journal.recovery(),
                &crate::journal::Recovery::default(),
                "nothing to repair, room for {room}"
            );
            assert_eq!(drained(&journal).await, expected, "room for {room}");
        }
    }
}

#[tokio::test]
async fn a_failing_drain_is_tried_again_and_settling_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), options(Durability::Full)).unwrap();
    let kept = Arc::new(Kept::default());
    kept.broken.store(true, Ordering::SeqCst);
    journal.drain_into(Arc::clone(&kept) as Arc<dyn DrainHandler>).unwrap();
    for number in 0..3 {
        journal.record(record(number)).await.unwrap();
    }
    assert_eq!(journal.settle().await, Err(AuditError::Unavailable("the audit table is on fire".to_owned())));
    kept.broken.store(false, Ordering::SeqCst);
    journal.settle().await.unwrap();
    assert_eq!(kept.records(), [text(0), text(1), text(2)]);
}

#[tokio::test]
async fn recording_waits_for_the_drain_and_is_refused_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let narrow = |room_wait| JournalOptions { max_backlog: 2_000, room_wait, ..options(Durability::Full) };
    let journal = open(dir.path(), narrow(Duration::from_millis(100))).unwrap();
    let mut accepted = 0;
    while journal.backlog() < 2_000 {
        journal.record(record(accepted)).await.unwrap();
        accepted += 1;
    }
    let start = std::time::Instant::now();
    assert!(journal.record(record(0)).await.is_err());
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(
        journal.claim(claim("n", 300)).await.map_err(|error| error.to_string().contains("full")),
        Err(true)
    );
    drop(journal);
    // Waiting when the drain comes: let in as soon as there is room.
    let journal = open(dir.path(), narrow(Duration::from_secs(60))).unwrap();
    let (waited, kept) = tokio::join!(journal.record(record(accepted)), drained(&journal));
    assert_eq!(waited, Ok(()));
    assert!(kept.len() >= accepted);
    journal.settle().await.unwrap();
    assert_eq!(journal.backlog(), 0);
}

/// A busy task must not take all the room there is while others wait until they are refused.
#[tokio::test]
async fn whoever_waits_for_room_is_not_overtaken() {
    let dir = tempfile::tempdir().unwrap();
    let narrow = JournalOptions {
        max_backlog: 2_000,
        room_wait: Duration::from_secs(60),
        ..options(Durability::Process)
    };
    let journal = open(dir.path(), narrow).unwrap();
    while journal.backlog() < 2_000 {
        journal.record(record(0)).await.unwrap();
    }
    let mut waiting = std::pin::pin!(journal.record(Record("waiting".into())));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    let kept = Arc::new(Kept::default());
    journal.drain_into(Arc::clone(&kept) as Arc<dyn DrainHandler>).unwrap();
    // Without giving way: the waiting one cannot take the room that comes now.
    while journal.backlog() >= 2_000 {
        std::thread::yield_now();
    }
    let mut newcomer = std::pin::pin!(journal.record(Record("newcomer".into())));
    assert!(poll_once(newcomer.as_mut()).await.is_pending(), "there is room, but not for the newcomer");
    assert_eq!(tokio::join!(newcomer, waiting), (Ok(()), Ok(())));
    journal.settle().await.unwrap();
    let records = kept.records();
    assert_eq!(records[records.len() - 2..], ["waiting", "newcomer"]);
    // Nobody waits any more: the next one does not have to, either.
    assert!(poll_once(std::pin::pin!(journal.record(record(1)))).await.is_ready());
}

async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grouped_records_of_many_tasks_are_all_there_also_when_some_are_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(dir.path(), options(Durability::Full)).unwrap());
    let mut tasks = Vec::new();
    for task in 0..64_usize {
        let journal = Arc::clone(&journal);
        tasks.push(tokio::spawn(async move {
            for number in 0..20 {
                let recorded = journal.record(Record(format!("{task}-{number}").into()));
                if task % 4 == 0 {
                    // Dropped at its first pause, as leader or follower.
                    tokio::select! { biased; _ = recorded => {}, () = std::future::ready(()) => {} }
                } else {
                    recorded.await.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let found: std::collections::HashSet<String> = drained(&journal).await.into_iter().collect();
    for task in (0..64).filter(|task| task % 4 != 0) {
        for number in 0..20 {
            assert!(found.contains(&format!("{task}-{number}")), "{task}-{number}");
        }
    }
}

#[tokio::test]
async fn intent_and_nonce_of_one_call_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), options(Durability::Full)).unwrap();
    let (claimed, recorded) = tokio::join!(journal.claim(claim("n", 300)), journal.record(record(1)));
    assert_eq!((claimed, recorded), (Ok(true), Ok(())));
    let mut entries = Vec::new();
    let (end, tail) = scan(dir.path(), 0, |entry| entries.push(entry)).unwrap();
    assert_eq!((entries.len(), tail), (2, Tail::Clean));
    assert!(matches!(entries[1], Entry::Audit(_)));
    // One frame, which is one write and one sync: one header.
    let records = (5 + 16) + (5 + text(1).len());
    assert_eq!(end, (HEADER + records) as u64);
}

#[tokio::test]
async fn a_record_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), options(Durability::Process)).unwrap();
    assert!(journal.record(Record(vec![b'a'; (1 << 20) + 1].into())).await.is_err());
    journal.record(Record(vec![b'b'; 1 << 20].into())).await.unwrap();
    assert_eq!(drained(&journal).await[0].len(), 1 << 20);
}

#[test]
fn a_second_journal_in_the_directory_is_refused_until_the_first_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), options(Durability::Full)).unwrap();
    let second = open(dir.path(), options(Durability::Full)).err().unwrap();
    assert!(matches!(second, JournalError::Dir(DirError::InUse { .. })), "{second}");
    drop(first);
    assert!(open(dir.path(), options(Durability::Full)).is_ok());
}
