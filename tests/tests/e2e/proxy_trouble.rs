//! Providers that hang, break off, lie or never end, and callers who go away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alter_domain::model::OutcomeKind;
use alter_proxy::Timeouts;
use alter_tests::{Setup, TestApp, TestVault, Upstream, channel_body, reply};
use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
};

use crate::{TOKEN, get};

const SHORT: Timeouts =
    Timeouts { proxy: Duration::from_millis(150), forward_first_byte: Duration::from_millis(150) };

async fn calling(vault: &TestVault, upstream: &Upstream) -> (TestApp, Value) {
    let app = vault.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let call = get(&upstream.url("/"), grant);
    (app, call)
}

async fn outcome(app: &TestApp) -> (OutcomeKind, Option<String>, Option<u16>) {
    let outcome = app.vault.audit.final_call().await.outcome.unwrap();
    (outcome.kind, outcome.code, outcome.status)
}

#[tokio::test]
async fn a_provider_that_never_answers_is_a_504() {
    let vault = Setup::default().timeouts(SHORT).build().await;
    let upstream = Upstream::serving(|_| std::future::pending()).await;
    let (app, call) = calling(&vault, &upstream).await;
    let start = Instant::now();
    app.client().proxy(&call).await.refused(504, "upstream_timeout");
    assert!(start.elapsed() >= SHORT.proxy, "it was given up before its time");
    assert_eq!(outcome(&app).await, (OutcomeKind::NetworkError, Some("upstream_timeout".to_owned()), None));
}

#[tokio::test]
async fn a_provider_that_stops_in_the_middle_is_a_504() {
    let vault = Setup::default().timeouts(SHORT).build().await;
    let (sender, body) = channel_body();
    sender.send(Ok(Bytes::from_static(b"half"))).unwrap();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream = Upstream::serving(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async move { reply(200, body) }
    })
    .await;
    let (app, call) = calling(&vault, &upstream).await;
    app.client().proxy(&call).await.refused(504, "upstream_timeout");
    assert_eq!(
        outcome(&app).await,
        (OutcomeKind::NetworkError, Some("upstream_timeout".to_owned()), Some(200))
    );
    drop(sender);
}

#[tokio::test]
async fn a_provider_that_breaks_the_protocol_is_a_502() {
    for answer in [
        // Nothing at all, garbage, half a head.
        "",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        // Less than it announced, whole or in chunks.
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        // Two lengths.
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshort",
        // Says gzip, is not.
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nshort",
    ] {
        let vault = TestVault::new().await;
        let upstream = Upstream::raw(move |mut stream: TcpStream| async move {
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let (app, call) = calling(&vault, &upstream).await;
        app.client().proxy(&call).await.refused(502, "upstream_error");
        let (kind, code, _) = outcome(&app).await;
        assert_eq!(
            (kind, code.as_deref()),
            (OutcomeKind::NetworkError, Some("upstream_error")),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn more_than_it_announced_is_not_part_of_the_answer() {
    let upstream = Upstream::raw(|mut stream: TcpStream| async move {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let (app, call) = calling(&TestVault::new().await, &upstream).await;
    assert_eq!(app.client().proxy(&call).await.provider_body(), b"ok");
    // The connection is not used again: the forged answer would belong to the next call.
    assert_eq!(app.client().proxy(&call).await.provider_body(), b"ok");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_a_502() {
    let upstream = Upstream::raw(|stream: TcpStream| async move {
        // Lingering for no time resets the connection instead of closing it.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let (app, call) = calling(&TestVault::new().await, &upstream).await;
    app.client().proxy(&call).await.refused(502, "upstream_error");
    assert_eq!(outcome(&app).await.0, OutcomeKind::NetworkError);
}

#[tokio::test]
async fn nobody_there_is_a_502() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, host.clone()).await;
    let answer = app.client().proxy(&get(&format!("http://{host}/"), grant)).await;
    answer.refused(502, "upstream_unreachable");
    let row = app.vault.audit.final_call().await;
    assert_eq!(row.outcome.unwrap().code.as_deref(), Some("upstream_unreachable"));
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn ten_gigabytes_cost_no_memory() {
    const TEN_GIGABYTES: u64 = 10 << 30;
    let (gone, mut closed) = mpsc::unbounded_channel();
    let upstream = Upstream::raw(move |mut stream: TcpStream| {
        let gone = gone.clone();
        async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {TEN_GIGABYTES}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![b'x'; 64 * 1024];
            let mut written = 0;
            while written < TEN_GIGABYTES && stream.write_all(&piece).await.is_ok() {
                written += piece.len() as u64;
            }
            gone.send(written).unwrap();
        }
    })
    .await;
    let (app, call) = calling(&TestVault::new().await, &upstream).await;
    let before = resident();
    let answer = app.client().proxy(&call).await;
    assert_eq!(answer.clone().ok()["body_truncated"], true);
    assert_eq!(answer.provider_body().len(), 5 * 1024 * 1024);
    // The vault hangs up instead of reading on.
    let written = closed.recv().await.unwrap();
    assert!(written < 64 << 20, "the vault read {written} bytes");
    let grown = resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn b015_a_caller_who_hangs_up_leaves_a_whole_row() {
    let arrived = Arc::new(Notify::new());
    let (release, released) = oneshot::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(Some(released)));
    let upstream = {
        let arrived = Arc::clone(&arrived);
        Upstream::serving(move |_| {
            let (arrived, released) = (Arc::clone(&arrived), released.lock().unwrap().take().unwrap());
            async move {
                arrived.notify_one();
                let _ = released.await;
                reply(201, "done")
            }
        })
        .await
    };
    let (app, call) = calling(&TestVault::new().await, &upstream).await;
    let client = app.client();
    tokio::select! {
        biased;
        answer = client.proxy(&call) => panic!("answered {}", answer.status),
        // The caller goes away when the provider has the request.
        () = arrived.notified() => {}
    }
    release.send(()).unwrap();
    let row = app.vault.audit.final_call().await;
    let outcome = row.outcome.unwrap();
    assert_eq!(
        (outcome.kind, outcome.status, outcome.response_bytes),
        (OutcomeKind::Success, Some(201), Some(4))
    );
    assert_eq!(app.vault.audit.calls().len(), 1);
}
