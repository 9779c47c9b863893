//! Writes of single items, and of many without condition.

use std::collections::HashMap;

use alter_domain::port::{Expect, Item, Key, StoreError, TableName, Version};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::put_item::PutItemError,
    types::{PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, WriteRequest},
};

use super::{
    DynamoTable,
    error::{Failure, failure},
    retry::{Backoff, Doubt, contended},
    schema::{self, Attributes, PARTITION, Replacement, VERSION, WRITE, WriteId},
};

/// How many items one batch write takes.
const BATCH: usize = 25;

impl DynamoTable {
    /// Writes the item where there is none, or where one is at `version`.
    pub(super) async fn put_if(
        &self,
        table: TableName,
        item: &Item,
        version: Option<Version>,
    ) -> Result<Version, StoreError> {
        // There is no version after the last one, hence no item that has come so far.
        let next = version.unwrap_or(0).checked_add(1).ok_or(StoreError::Conflict)?;
        let condition = Condition::new(version.map_or(Expect::Absent, Expect::Version));
        let write = self.random()?;
        let doubt = Doubt::default();
        let attempt = || async {
            let request = self
                .client
                .put_item()
                .table_name(self.name(table))
                .set_item(Some(schema::encode(item, next, Some(&write))))
                .set_condition_expression(condition.expression.clone())
                .set_expression_attribute_values(condition.values.clone())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match request.customize().interceptor(doubt.clone()).send().await {
                Ok(_) => Ok(next),
                Err(error) if in_the_way(&error).is_some_and(|item| is_ours(item, &write)) => Ok(next),
                Err(error) => Err(failure("PutItem", &error)),
            }
        };
        contended(self.rng.as_ref(), attempt).await.map_err(|failure| doubt.settle(failure).into())
    }

    /// Writes the item whatever is there.
    pub(super) async fn replace(&self, table: TableName, item: &Item) -> Result<Version, StoreError> {
        let doubt = Doubt::default();
        let attempt = || async {
            let Replacement { expression, values } = Replacement::new(item);
            let request = self
                .client
                .update_item()
                .table_name(self.name(table))
                .set_key(Some(schema::key(&item.key)))
                .update_expression(expression)
                .set_expression_attribute_values(Some(values))
                .return_values(ReturnValue::UpdatedNew);
            let answer = request.customize().interceptor(doubt.clone()).send().await;
            let answer = answer.map_err(|error| failure("UpdateItem", &error))?;
            Ok(schema::take_number(&answer.attributes.unwrap_or_default(), VERSION)?)
        };
        contended(self.rng.as_ref(), attempt).await.map_err(|failure| doubt.settle(failure).into())
    }

    pub(super) async fn delete_one(
        &self,
        table: TableName,
        key: &Key,
        expect: Expect,
    ) -> Result<(), StoreError> {
        let condition = Condition::new(expect);
        let doubt = Doubt::default();
        let attempt = || async {
            let request = self
                .client
                .delete_item()
                .table_name(self.name(table))
                .set_key(Some(schema::key(key)))
                .set_condition_expression(condition.expression.clone())
                .set_expression_attribute_values(condition.values.clone());
            let answer = request.customize().interceptor(doubt.clone()).send().await;
            answer.map(drop).map_err(|error| failure("DeleteItem", &error))
        };
        contended(self.rng.as_ref(), attempt).await.map_err(|failure| doubt.settle(failure).into())
    }

    /// One batch after the other; what DynamoDB leaves unprocessed is sent again. All items are at version 1 afterwards.
    pub(super) async fn write_many(&self, table: TableName, items: &[Item]) -> Result<(), StoreError> {
        for batch in items.chunks(BATCH) {
            let put = |item| {
                let put = PutRequest::builder().set_item(Some(schema::encode(item, 1, None))).build();
                put.map(|put| WriteRequest::builder().put_request(put).build())
            };
            let writes = batch.iter().map(put).collect::<Result<Vec<_>, _>>();
            self.write_batch(table, writes.map_err(|error| StoreError::Invalid(error.to_string()))?).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, table: TableName, mut writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        let mut backoff = Backoff::new(self.rng.as_ref());
        loop {
            let before = writes.len();
            let request = self.client.batch_write_item().request_items(self.name(table), writes);
            let answer = request.send().await.map_err(|error| failure("BatchWriteItem", &error))?;
            writes = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if writes.is_empty() {
                return Ok(());
            }
            if writes.len() < before {
                backoff.progress();
            }
            if !backoff.wait().await {
                tracing::warn!(items = writes.len(), "DynamoDB leaves items unprocessed");
                return Err(StoreError::Throttled);
            }
        }
    }
}

/// An [`Expect`] in DynamoDB's words.
#[derive(Clone)]
pub(super) struct Condition {
    pub(super) expression: Option<String>,
    pub(super) values: Option<Attributes>,
}

impl Condition {
    pub(super) fn new(expect: Expect) -> Self {
        match expect {
            Expect::Any => Self { expression: None, values: None },
            Expect::Absent => {
                Self { expression: Some(format!("attribute_not_exists({PARTITION})")), values: None }
            }
            Expect::Version(version) => Self {
                expression: Some(format!("{VERSION} = :expected")),
                values: Some(HashMap::from([(":expected".to_owned(), schema::number(version))])),
            },
        }
    }
}

/// The item that made a put's condition fail.
fn in_the_way<R>(error: &SdkError<PutItemError, R>) -> Option<&Attributes> {
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

/// Whether an earlier attempt of this write put it there, and only its answer was lost.
fn is_ours(item: &Attributes, write: &WriteId) -> bool {
    item.get(WRITE).and_then(|mark| mark.as_b().ok()).is_some_and(|mark| mark.as_ref() == write)
}

/// A failure of something that was not even sent.
impl From<aws_sdk_dynamodb::error::BuildError> for Failure {
    fn from(error: aws_sdk_dynamodb::error::BuildError) -> Self {
        Self::Store(StoreError::Invalid(error.to_string()))
    }
}
