//! The provider: answers every request with about 1 KB of JSON, as fast as hyper can.

use std::{convert::Infallible, net::SocketAddr, thread};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};

use crate::{Failure, process::announce};

/// Serves until killed: one runtime per core, each with a socket of its own.
pub(crate) fn serve() -> Result<(), Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let first = runtime()?;
    let listener = first.block_on(async { listen(SocketAddr::from(([127, 0, 0, 1], 0))) })?;
    let address = listener.local_addr()?;
    for _ in 1..cores {
        let runtime = runtime()?;
        thread::spawn(move || runtime.block_on(async { accept(listen(address)?).await }));
    }
    announce(address)?;
    first.block_on(accept(listener))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket.listen(1024)?)
}

async fn accept(listener: TcpListener) -> Result<(), Failure> {
    let body = Bytes::from(body());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            std::future::ready(Ok::<_, Infallible>(response))
        });
        // A connection that breaks is the caller's to notice.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// A list of customers, as a provider would answer.
fn body() -> String {
    let customer = |n: u32| {
        serde_json::json!({
            "id": format!("cus_{n:08}"), "object": "customer", "name": "Ada Lovelace", "email": "ada@example.com",
            "balance": 100 * n, "currency": "eur", "created": 1_760_000_000 + n, "livemode": false,
        })
    };
    serde_json::json!({ "object": "list", "has_more": false, "data": (0..6).map(customer).collect::<Vec<_>>() })
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_answer_is_about_a_kilobyte() {
        assert!((900..1200).contains(&super::body().len()), "{}", super::body().len());
    }
}
