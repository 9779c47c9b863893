//! Whose record is being written out. An export reads for as long as somebody takes it: nobody has two at once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alter_api_types::UserId;

use crate::error::{Error, Result};

/// How many people's exports one process has under way.
const AT_ONCE: usize = 256;
/// When another one is welcome, in seconds.
const RETRY_AFTER: u32 = 10;

/// The exports that are under way in this process. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Exports(Arc<Mutex<HashSet<UserId>>>);

impl Exports {
    /// Begins an export of the person's, unless they have one under way.
    pub fn begin(&self, user: UserId) -> Result<ExportPermit> {
        let mut under_way = self.under_way();
        if under_way.len() >= AT_ONCE || !under_way.insert(user) {
            return Err(Error::TooManyRequests { retry_after: RETRY_AFTER });
        }
        Ok(ExportPermit { exports: self.clone(), user })
    }

    fn under_way(&self) -> MutexGuard<'_, HashSet<UserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An export that is under way for as long as this is kept.
#[derive(Debug)]
pub struct ExportPermit {
    exports: Exports,
    user: UserId,
}

impl Drop for ExportPermit {
    fn drop(&mut self) {
        self.exports.under_way().remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        uuid::Uuid::from_u128(number as u128).into()
    }

    #[test]
    fn nobody_has_two_at_once_and_all_together_not_more_than_so_many() {
        let exports = Exports::default();
        let first = exports.begin(user(0)).unwrap();
        exports.clone().begin(user(0)).unwrap_err();
        let others: Vec<_> = (1..AT_ONCE).map(|number| exports.begin(user(number)).unwrap()).collect();
        exports.begin(user(AT_ONCE)).unwrap_err();
        drop(first);
        let _last = exports.begin(user(AT_ONCE)).unwrap();
        drop(others);
        exports.begin(user(0)).unwrap();
    }
}
