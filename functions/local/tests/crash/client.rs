//! A client of the vault on one connection: signed calls, and the operator's.

use std::{
    io::{self, BufRead as _, BufReader, Error, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use alter_domain::{
    auth::{
        key_text,
        sign_request::{Content, Request, Signer, sign_request},
        signature::Labelled,
    },
    crypto::SigningKey,
    port::{Clock as _, Rng as _, SystemClock, SystemRng},
    secret::Secret,
};
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

/// How a key is used: on the wire, or only to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    PlainKey,
    KeyId,
}

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    rng: SystemRng,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), rng: SystemRng::new() })
    }

    /// Sends exactly these bytes. An error means that the vault is gone, and whether it acted is not known.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.stream.get_mut().write_all(request)?;
        let broken = || Error::from(ErrorKind::UnexpectedEof);
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(broken)?;
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header)?;
            if header.is_empty() {
                return Err(broken());
            }
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().map_err(Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok(Reply { status, body })
    }

    /// A request with a fresh nonce, signed with an app's key.
    pub(crate) fn signed(&self, mode: Mode, key: &str, method: &str, target: &str, body: &str) -> Vec<u8> {
        let mut nonce = [0; 16];
        self.rng.fill(&mut nonce).unwrap();
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = Secret::new(key.to_owned());
        let (parsed, signing_key) = (key_text::parse(key).unwrap(), SigningKey::derive(&plain));
        let signer = match mode {
            Mode::PlainKey => Signer::PlainKey(&plain),
            Mode::KeyId => Signer::KeyId { public_part: &parsed.public_part, signing_key: &signing_key },
        };
        let request = Request {
            method,
            path_and_query: target,
            content: Content::Bytes(body.as_bytes()),
            timestamp: SystemClock.now().as_second(),
            nonce: &nonce,
            constraints: None,
            labelled: Labelled::default(),
        };
        raw(method, target, &sign_request(signer, &request), body)
    }

    /// A call as the operator, which must succeed if it is answered at all.
    pub(crate) fn operate(
        &mut self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> io::Result<Value> {
        let bearer = [("authorization", format!("Bearer {token}"))];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.send(&raw(method, &format!("/portal/v1{path}"), &bearer, &text))?;
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        Ok(reply.body)
    }

    /// What somebody without a key sends.
    pub(crate) fn post(
        &mut self,
        target: &str,
        headers: &[(&'static str, String)],
        body: &Value,
    ) -> io::Result<Reply> {
        self.send(&raw("POST", target, headers, &body.to_string()))
    }

    /// All items of an operator's list.
    pub(crate) fn list(&mut self, token: &str, path: &str) -> io::Result<Vec<Value>> {
        self.list_of(token, path, "limit=1000")
    }

    /// The same for a query of its own.
    pub(crate) fn list_of(&mut self, token: &str, path: &str, query: &str) -> io::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.operate(token, "GET", &format!("{path}?{query}{cursor}"), &Value::Null)?;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }
}

fn raw(method: &str, target: &str, headers: &[(&'static str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: vault\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("content-type: application/json\r\n\r\n");
    text.push_str(body);
    text.into_bytes()
}
