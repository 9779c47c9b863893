//! The first run on AWS.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alter_adapter_aws::SetUp;
use alter_domain::{flow::authenticate_operator, model::Permission};
use axum::{Router, body::Body, routing};
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::{Emulator, RANDOM, Wire, create_tables};

/// Routes behind a set-up, and how often they were reached.
fn routes(set_up: SetUp) -> Router {
    set_up.before(Router::new().route("/", routing::get(|| async { "reached" })))
}

async fn get(routes: &Router) -> StatusCode {
    routes.clone().oneshot(Request::new(Body::empty())).await.unwrap().status()
}

#[tokio::test]
async fn the_first_request_makes_the_token_that_was_there_before() {
    let dynamodb = Emulator::dynamodb();
    create_tables(&dynamodb).await;
    let wire = Wire::account();
    let account = wire.connect(&dynamodb, None);
    let first = routes(SetUp::new(&account).unwrap());
    let second = routes(SetUp::new(&account).unwrap());
    assert!(wire.operations().is_empty(), "nothing is asked before the first request");
    // Two processes at once, each with several requests.
    let statuses =
        futures_util::future::join_all([get(&first), get(&second), get(&first), get(&second)]).await;
    assert_eq!(statuses, [StatusCode::OK; 4]);
    let token =
        authenticate_operator(&account.ports().unwrap(), &format!("alter_pat_{RANDOM}")).await.unwrap();
    assert_eq!((token.permission, token.revoked_at), (Permission::Admin, None));
    wire.sent();
    assert_eq!(get(&first).await, StatusCode::OK);
    assert!(wire.operations().is_empty(), "once it is known, nothing is asked");
    // A later process reads once, and not the secret.
    assert_eq!(get(&routes(SetUp::new(&account).unwrap())).await, StatusCode::OK);
    let asked = wire.operations();
    assert!(asked.len() == 1 && asked[0] != "GetSecretValue", "{asked:?}");
}

#[tokio::test]
async fn a_failure_answers_and_is_tried_again() {
    let dynamodb = Emulator::dynamodb();
    create_tables(&dynamodb).await;
    let up = Arc::new(AtomicBool::new(false));
    let works = Arc::clone(&up);
    let wire = Wire::new(move |operation, _| match operation {
        "GetSecretValue" if works.load(Ordering::SeqCst) => Some((200, json!({ "SecretString": RANDOM }))),
        "GetSecretValue" => Some((400, json!({ "__type": "ResourceNotFoundException" }))),
        "SendMessage" => Some((200, json!({ "MessageId": "m" }))),
        _ => None,
    });
    let account = wire.connect(&dynamodb, None);
    let routes = routes(SetUp::new(&account).unwrap());
    assert_eq!(get(&routes).await, StatusCode::SERVICE_UNAVAILABLE);
    up.store(true, Ordering::SeqCst);
    assert_eq!(get(&routes).await, StatusCode::OK);
}

#[tokio::test]
async fn a_secret_of_another_form_makes_no_token() {
    let dynamodb = Emulator::dynamodb();
    create_tables(&dynamodb).await;
    for value in
        [json!({ "SecretString": "{\"password\":\"short\"}" }), json!({ "SecretBinary": "AAEC" }), json!({})]
    {
        let wire =
            Wire::new(move |operation, _| (operation == "GetSecretValue").then(|| (200, value.clone())));
        let account = wire.connect(&dynamodb, None);
        assert_eq!(get(&routes(SetUp::new(&account).unwrap())).await, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
