//! The proxy to compare with: axum in front, hyper-util's pooled client behind, a fixed header added. It is what anybody
//! would write in an hour, and the least that a vault built on the same parts could cost.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderValue, StatusCode, Uri, header, uri::Scheme};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::{Failure, process::announce};

struct Proxy {
    client: Client<HttpConnector, Body>,
    upstream: SocketAddr,
}

/// Serves until killed, on tokio's multi-threaded runtime.
pub(crate) fn serve(upstream: SocketAddr) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let router = Router::new().fallback(forward).with_state(Arc::new(Proxy { client, upstream }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        announce(listener.local_addr()?)?;
        let mut connections = hyper::server::conn::http1::Builder::new();
        connections.half_close(false);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            tokio::spawn(connections.serve_connection(hyper_util::rt::TokioIo::new(stream), service));
        }
    })
}

async fn forward(State(proxy): State<Arc<Proxy>>, mut request: Request) -> Result<Response, StatusCode> {
    let path =
        request.uri().path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(proxy.upstream.to_string())
        .path_and_query(path)
        .build()
        .map_err(|_| StatusCode::BAD_REQUEST)?;
    let headers = request.headers_mut();
    headers.remove(header::HOST);
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer fixed"));
    let response = proxy.client.request(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(response.map(Body::new))
}
