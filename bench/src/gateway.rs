//! The few words of HTTP that setting up a vault takes.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::Failure;

/// `POST`s JSON with an operator's token and returns the JSON of a success.
pub(crate) fn post(address: SocketAddr, path: &str, token: &str, body: &Value) -> Result<Value, Failure> {
    send(address, Method::POST, path, token, body.to_string())
}

/// Reads with an operator's token.
pub(crate) fn get(address: SocketAddr, path: &str, token: &str) -> Result<Value, Failure> {
    send(address, Method::GET, path, token, String::new())
}

fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: &str,
    body: String,
) -> Result<Value, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&bytes)).into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    })
}

/// The text at a path such as `/key/key_id` in an answer.
pub(crate) fn text(answer: &Value, pointer: &str) -> Result<String, Failure> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("no {pointer} in the answer").into())
}
