//! Transactions.

use alter_domain::port::{Expect, Op, StoreError, Version};
use aws_sdk_dynamodb::{
    error::BuildError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, TransactWriteItem, Update},
};

use super::{
    DynamoTable,
    error::{Failure, cancelled, failure},
    retry::{Doubt, contended},
    schema::{self, Replacement},
    write::Condition,
};

impl DynamoTable {
    /// All attempts carry one token: whichever was carried out first, DynamoDB carries out none after it, and answers
    /// those as it did the first. So a failed expectation is certain even when an earlier attempt had no answer.
    pub(super) async fn write_together(&self, ops: &[Op]) -> Result<(), StoreError> {
        let operations = ops.iter().filter_map(|op| self.operation(op).transpose());
        let operations: Vec<TransactWriteItem> =
            operations.collect::<Result<_, _>>().map_err(|error| StoreError::Invalid(error.to_string()))?;
        if operations.is_empty() {
            return Ok(());
        }
        let token = format!("{:032x}", u128::from_be_bytes(self.random()?));
        let doubt = Doubt::default();
        let attempt = || async {
            let request = self
                .client
                .transact_write_items()
                .set_transact_items(Some(operations.clone()))
                .client_request_token(token.clone());
            match request.customize().interceptor(doubt.clone()).send().await {
                Ok(_) => Ok(()),
                Err(error) => Err(match error.as_service_error() {
                    Some(TransactWriteItemsError::TransactionCanceledException(reasons)) => {
                        cancelled(reasons.cancellation_reasons())
                    }
                    _ => failure("TransactWriteItems", &error),
                }),
            }
        };
        contended(self.rng.as_ref(), attempt).await.map_err(|failure| match failure {
            Failure::Store(StoreError::Conflict) => StoreError::Conflict,
            other => doubt.settle(other).into(),
        })
    }

    /// `None` for what demands nothing and does nothing.
    fn operation(&self, op: &Op) -> Result<Option<TransactWriteItem>, BuildError> {
        let operation = TransactWriteItem::builder();
        let operation = match op {
            Op::Put { table, item, expect: Expect::Any } => {
                let Replacement { expression, values } = Replacement::new(item);
                let update = Update::builder()
                    .table_name(self.name(*table))
                    .set_key(Some(schema::key(&item.key)))
                    .update_expression(expression)
                    .set_expression_attribute_values(Some(values));
                operation.update(update.build()?)
            }
            Op::Put { table, item, expect } => {
                let Condition { expression, values } = Condition::new(*expect);
                let put = Put::builder()
                    .table_name(self.name(*table))
                    .set_item(Some(schema::encode(item, next(*expect), None)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                operation.put(put.build()?)
            }
            Op::Check { expect: Expect::Any, .. } => return Ok(None),
            // Deleting what must not be there only checks that it is not.
            Op::Check { table, key, expect } | Op::Delete { table, key, expect: expect @ Expect::Absent } => {
                let Condition { expression, values } = Condition::new(*expect);
                let check = ConditionCheck::builder()
                    .table_name(self.name(*table))
                    .set_key(Some(schema::key(key)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                operation.condition_check(check.build()?)
            }
            Op::Delete { table, key, expect } => {
                let Condition { expression, values } = Condition::new(*expect);
                let delete = Delete::builder()
                    .table_name(self.name(*table))
                    .set_key(Some(schema::key(key)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values);
                operation.delete(delete.build()?)
            }
        };
        Ok(Some(operation.build()))
    }
}

/// The version after the expected one. No item is at the last version, so it does not matter what would follow that.
fn next(expect: Expect) -> Version {
    match expect {
        Expect::Any | Expect::Absent => 1,
        Expect::Version(version) => version.saturating_add(1),
    }
}
