//! The ports on AWS: `DynamoTable` over DynamoDB, `KmsWrapper` over KMS, `SqsSink` over SQS, and what a Lambda function
//! needs to start.
//!
//! Who calls it: the Lambda mains of the functions, and nobody else: the local binary's dependency tree has no AWS crate.
