mod emulator;
mod wire;

use std::sync::Arc;

use alter_adapter_aws::DynamoTable;
use alter_domain::port::{Item, Key, SeededRng};
use serde_json::{Value, json};

pub(crate) use self::{
    emulator::{Emulator, names, unreachable},
    wire::{Fault, Sent, Wire},
};

pub(crate) fn key(sort: impl std::fmt::Display) -> Key {
    Key::new("p", sort.to_string())
}

pub(crate) fn item(sort: impl std::fmt::Display) -> Item {
    Item::new(key(&sort), format!("body of {sort}"))
}

/// A table whose every answer is scripted.
pub(crate) fn scripted(faults: impl IntoIterator<Item = Fault>) -> (DynamoTable, Wire) {
    let wire = Wire::default();
    wire.script(faults);
    (DynamoTable::new(unreachable(&wire), names(""), Arc::new(SeededRng::new(1))), wire)
}

/// The answer of a service that refuses.
pub(crate) fn refusal(status: u16, code: &str) -> Fault {
    let body = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "why" });
    Fault::answer(status, body)
}

/// A cancelled transaction.
pub(crate) fn cancellation(reasons: &[&str]) -> Fault {
    let reasons: Vec<Value> = reasons.iter().map(|code| json!({ "Code": code, "Message": "why" })).collect();
    let code = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Fault::answer(400, json!({ "__type": code, "message": "cancelled", "CancellationReasons": reasons }))
}
