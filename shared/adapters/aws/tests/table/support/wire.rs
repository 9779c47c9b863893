//! The wire between a client and DynamoDB: it records what is sent, and fails as it is told.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::config::{
    RuntimeComponents, SharedHttpClient,
    http::{HttpRequest, HttpResponse},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// What happens to one request.
pub(crate) enum Fault {
    /// Nothing.
    Pass,
    /// It is carried out, but the connection breaks before the answer is there.
    LoseAnswer,
    /// The connection breaks before the request is out.
    Break,
    /// No answer comes, ever.
    Hang,
    /// This status and body, made from the request's.
    Answer(Make),
}

type Make = Box<dyn FnOnce(&Value) -> (u16, String) + Send>;

impl Fault {
    pub(crate) fn answer(status: u16, body: Value) -> Self {
        Self::Answer(Box::new(move |_| (status, body.to_string())))
    }

    pub(crate) fn reply(make: impl FnOnce(&Value) -> Value + Send + 'static) -> Self {
        Self::Answer(Box::new(|request| (200, make(request).to_string())))
    }

    pub(crate) fn text(status: u16, body: &'static str) -> Self {
        Self::Answer(Box::new(move |_| (status, body.to_owned())))
    }
}

/// One request as it went out.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// Cheap to clone; clones are the same wire.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    faults: VecDeque<Fault>,
}

impl Wire {
    /// What happens to the next requests, one after the other. Those after them pass.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.lock().unwrap().faults = faults.into_iter().collect();
    }

    /// What went out since this was asked last, attempts counted singly.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.lock().unwrap().sent)
    }

    /// The operations that went out since.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.operation).collect()
    }

    /// How many answers of the script are still to come.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().unwrap().faults.len()
    }

    pub(crate) fn client(&self, beyond: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Client { wire: self.clone(), beyond })
    }

    fn note(&self, request: &HttpRequest) -> (Fault, Value) {
        let target = request.headers().get("x-amz-target").expect("a target");
        let (_, operation) = target.split_once('.').expect("an operation");
        let body: Value = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
        let mut state = self.0.lock().unwrap();
        state.sent.push(Sent { operation: operation.to_owned(), body: body.clone() });
        (state.faults.pop_front().unwrap_or(Fault::Pass), body)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[derive(Debug)]
struct Client {
    wire: Wire,
    beyond: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let beyond = self.beyond.http_connector(settings, components);
        SharedHttpConnector::new(Connector { wire: self.wire.clone(), beyond })
    }
}

#[derive(Debug)]
struct Connector {
    wire: Wire,
    beyond: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (fault, body) = self.wire.note(&request);
        let beyond = self.beyond.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::Pass => beyond.call(request).await,
                Fault::LoseAnswer => {
                    beyond.call(request).await?;
                    Err(broken())
                }
                Fault::Break => Err(broken()),
                Fault::Hang => std::future::pending().await,
                Fault::Answer(make) => {
                    let (status, answer) = make(&body);
                    Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(answer)))
                }
            }
        })
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())
}
