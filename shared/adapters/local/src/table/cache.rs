//! Items that were read lately, never older than what was last acknowledged.
//!
//! One process owns the file and one thread writes to it, so the writer itself can keep the cache true: before it commits
//! it drops what it is about to change, and until the commit has ended nobody puts anything in. A reader that went past
//! the cache puts its items in only if no commit has begun since before it looked.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use alter_domain::port::{Item, Key, Op, StoreError, TableName};
use quick_cache::{Weighter, sync::Cache};

use super::write::Work;

/// All items together, with their keys, in bytes: some 20,000 of the usual size.
const CAPACITY: u64 = 16 << 20;
/// About what an entry costs beside its texts and its body.
const OVERHEAD: usize = 400;
/// An item above this many bytes is read from the file each time.
const LARGEST: usize = 64 << 10;

type Address = (TableName, Key);
/// What a commit says: of itself, and of each piece of work in it.
type Answers = Result<Vec<Result<i64, StoreError>>, StoreError>;

pub(super) struct ItemCache {
    items: Cache<Address, Item, Weight>,
    /// Even: no commit is under way. It changes when a commit begins and when it ends.
    epoch: AtomicU64,
    /// Taken for writing to begin a commit, for reading to put items in: a commit begins before or after, never in between.
    gate: RwLock<()>,
}

/// A moment without a commit.
#[derive(Clone, Copy)]
pub(super) struct Moment(u64);

impl ItemCache {
    pub(super) fn new() -> Self {
        Self {
            items: Cache::with_weighter(1024, CAPACITY, Weight),
            epoch: AtomicU64::new(0),
            gate: RwLock::new(()),
        }
    }

    /// To be asked before anything is looked up or read. `None` while a commit is under way: then only the file tells.
    pub(super) fn moment(&self) -> Option<Moment> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        epoch.is_multiple_of(2).then_some(Moment(epoch))
    }

    /// Whether no commit has begun since. Items that were looked up or read in between belong together.
    pub(super) fn still(&self, moment: Moment) -> bool {
        self.epoch.load(Ordering::SeqCst) == moment.0
    }

    pub(super) fn get(&self, address: &Address) -> Option<Item> {
        self.items.get(address)
    }

    /// Keeps what was read since the moment, unless it may have changed.
    pub(super) fn keep<'i>(&self, moment: Moment, read: impl Iterator<Item = (TableName, &'i Item)>) {
        let _no_commit_begins = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if self.still(moment) {
            for (table, item) in read.filter(|(_, item)| item.size() <= LARGEST) {
                self.items.insert((table, item.key.clone()), item.clone());
            }
        }
    }

    /// Runs a commit of this work, which answers each piece of it.
    pub(super) fn during<'w>(
        &self,
        work: impl Iterator<Item = &'w Work> + Clone,
        commit: impl FnOnce() -> Answers,
    ) -> Answers {
        if work.clone().all(|work| matches!(work, Work::Add(_))) {
            // Counters are not items.
            return commit();
        }
        self.next();
        work.clone().for_each(|work| self.forget(work));
        let answers = commit();
        // Which items a collection deletes is not known before. Nobody is answered from here before the commit has ended.
        if collected(work, &answers) {
            self.items.clear();
        }
        self.next();
        answers
    }

    fn next(&self) {
        let _nobody_keeps = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn forget(&self, work: &Work) {
        let forget = |table: TableName, key: &Key| drop(self.items.remove(&(table, key.clone())));
        match work {
            Work::Ops(ops) => {
                for op in ops {
                    match op {
                        Op::Put { table, item, .. } => forget(*table, &item.key),
                        Op::Delete { table, key, .. } => forget(*table, key),
                        Op::Check { .. } => {}
                    }
                }
            }
            Work::PutMany(table, items) => items.iter().for_each(|item| forget(*table, &item.key)),
            Work::Add(_) | Work::Collect { .. } => {}
        }
    }
}

/// Whether a collection deleted something, or may have.
fn collected<'w>(mut work: impl Iterator<Item = &'w Work>, answers: &Answers) -> bool {
    let collects = |work: &Work| matches!(work, Work::Collect { .. });
    match answers {
        Ok(answers) => work.zip(answers).any(|(work, answer)| collects(work) && *answer != Ok(0)),
        Err(_) => work.any(collects),
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Address, Item> for Weight {
    fn weight(&self, _: &Address, item: &Item) -> u64 {
        (item.size() + item.key.partition.len() + item.key.sort.len() + OVERHEAD) as u64
    }
}
