//! Counters: items of their own, beside the others, in partitions that begin with [`schema::COUNTER_PREFIX`].
//!
//! Adding to a live counter, or to none, is one conditional update. Only where that finds a counter that has expired, or
//! one without expiry, a second follows; each states what it found, so that of many who start an expired counter again
//! one does, and the others add to its new count.

use std::collections::HashMap;

use alter_domain::port::{Key, StoreError, TableName};
use aws_sdk_dynamodb::{
    config::{Builder, retry::RetryConfig},
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::{
    DynamoTable,
    error::{Failure, failure},
    retry::Backoff,
    schema::{self, Attributes, COUNT, EXPIRES, PARTITION},
};

/// How many steps are taken without a pause: to starting again, and from there to joining whoever was quicker.
const STEPS: u32 = 2;

/// One call's addition.
#[derive(Clone, Copy)]
struct Addition {
    delta: i64,
    now: i64,
    expires_at: Option<i64>,
}

/// What an update takes for granted, in its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is no counter, or a live one.
    Join,
    /// There is a counter without expiry, which must not get one.
    Endless,
    /// There is a counter whose expiry has passed.
    Restart,
}

enum Outcome {
    Counted(i64),
    /// It was not as the step took for granted: what is there, if anything.
    Otherwise(Option<Attributes>),
}

impl DynamoTable {
    /// The SDK does not retry these requests: an addition without an answer must not be made twice. Throttling and
    /// contention, after which nothing was added, are tried again here.
    pub(super) async fn count(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        let addition = Addition { delta, now, expires_at };
        let mut step = Step::Join;
        let mut steps = 0;
        let mut backoff = Backoff::new(self.rng.as_ref());
        loop {
            let failure = match self.attempt(table, key, addition, step).await {
                Ok(Outcome::Counted(count)) => return Ok(count),
                Ok(Outcome::Otherwise(found)) => {
                    let last = step;
                    step = addition.next(found.as_ref())?;
                    steps += 1;
                    // A step that follows from what was found is taken at once.
                    if step != last && steps <= STEPS {
                        continue;
                    }
                    Failure::Contended
                }
                Err(failure @ (Failure::Contended | Failure::Store(StoreError::Throttled))) => failure,
                Err(failure) => return Err(failure.into()),
            };
            if !backoff.wait().await {
                return Err(failure.into());
            }
        }
    }

    async fn attempt(
        &self,
        table: TableName,
        key: &Key,
        addition: Addition,
        step: Step,
    ) -> Result<Outcome, Failure> {
        let (update, condition, values) = addition.expressions(step);
        let request = self
            .client
            .update_item()
            .table_name(self.name(table))
            .set_key(Some(schema::counter_key(key)))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let once = Builder::new().retry_config(RetryConfig::disabled());
        match request.customize().config_override(once).send().await {
            Ok(answer) => {
                Ok(Outcome::Counted(schema::take_number(&answer.attributes.unwrap_or_default(), COUNT)?))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Outcome::Otherwise(failed.item().cloned()))
                }
                _ => Err(failure("UpdateItem", &error)),
            },
        }
    }
}

impl Addition {
    /// The step for what was found. Refuses a sum that is no `i64`, as which counters are read.
    fn next(&self, found: Option<&Attributes>) -> Result<Step, StoreError> {
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            return Ok(Step::Join);
        };
        let expires = match found.get(EXPIRES) {
            Some(_) => Some(schema::take_number::<i64>(found, EXPIRES)?),
            None => None,
        };
        if expires.is_some_and(|at| at <= self.now) {
            return Ok(Step::Restart);
        }
        if schema::take_number::<i64>(found, COUNT)?.checked_add(self.delta).is_none() {
            return Err(StoreError::Invalid("the counter would overflow".to_owned()));
        }
        Ok(if expires.is_none() { Step::Endless } else { Step::Join })
    }

    /// Update, condition and their values.
    fn expressions(&self, step: Step) -> (String, String, Attributes) {
        // What the count may be for the sum to be an i64: adding must not go where reading cannot.
        let (lowest, highest) = match self.delta {
            delta @ ..0 => (i64::MIN - delta, i64::MAX),
            delta => (i64::MIN, i64::MAX - delta),
        };
        let in_range = format!("{COUNT} BETWEEN :lowest AND :highest");
        let mut values = HashMap::from([(":delta".to_owned(), schema::number(self.delta))]);
        let mut with = |name: &str, number: i64| values.insert(name.to_owned(), schema::number(number));
        if step != Step::Restart {
            with(":lowest", lowest);
            with(":highest", highest);
        }
        let (update, condition) = match (step, self.expires_at) {
            (Step::Join, Some(expires_at)) => {
                with(":now", self.now);
                with(":expires", expires_at);
                (
                    format!("SET {EXPIRES} = if_not_exists({EXPIRES}, :expires) ADD {COUNT} :delta"),
                    format!("attribute_not_exists({PARTITION}) OR ({EXPIRES} > :now AND {in_range})"),
                )
            }
            (Step::Join, None) => {
                with(":now", self.now);
                let live = format!("(attribute_not_exists({EXPIRES}) OR {EXPIRES} > :now)");
                (
                    format!("ADD {COUNT} :delta"),
                    format!("attribute_not_exists({PARTITION}) OR ({live} AND {in_range})"),
                )
            }
            (Step::Endless, _) => {
                (format!("ADD {COUNT} :delta"), format!("attribute_not_exists({EXPIRES}) AND {in_range}"))
            }
            (Step::Restart, expires_at) => {
                with(":now", self.now);
                let update = match expires_at {
                    Some(expires_at) => {
                        with(":expires", expires_at);
                        format!("SET {COUNT} = :delta, {EXPIRES} = :expires")
                    }
                    None => format!("SET {COUNT} = :delta REMOVE {EXPIRES}"),
                };
                (update, format!("{EXPIRES} <= :now"))
            }
        };
        (update, condition, values)
    }
}
