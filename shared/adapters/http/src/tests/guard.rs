//! Where the client refuses to go.

use super::{upstream::*, *};

fn options(names: &Arc<Names>, authority: &Authority) -> ClientOptions {
    ClientOptions { resolver: names.clone(), extra_roots: Some(authority.pem()), ..ClientOptions::default() }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_checked_address_is_dialled() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", usize::MAX).await;
    // The second answer is the attack: whoever asks again gets it.
    let names = Names::new(&[&[PUBLIC], &["127.0.0.1"]]);
    let bridge = Bridge::to(upstream.address);
    let client = bridged(options(&names, &authority), &bridge);
    for _ in 0..3 {
        let response = get(&client, "https://api.example.com/v1").await.unwrap();
        assert_eq!(text(response).await.unwrap(), "ok");
    }
    assert_eq!(names.asked(), 1);
    assert_eq!(bridge.dialled(), [format!("{PUBLIC}:443")]);
    assert_eq!(upstream.accepted(), 1);
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_on_the_next_connection() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", 1).await;
    let names = Names::new(&[&[PUBLIC], &["127.0.0.1"]]);
    let bridge = Bridge::to(upstream.address);
    let client = bridged(ClientOptions { pool_max_idle_per_host: 0, ..options(&names, &authority) }, &bridge);
    let response = get(&client, "https://api.example.com/").await.unwrap();
    assert_eq!(text(response).await.unwrap(), "ok");
    let second = get(&client, "https://api.example.com/").await;
    assert!(is_blocked(&second), "{second:?}");
    assert_eq!((names.asked(), bridge.dialled().len()), (2, 1));
}

#[tokio::test]
async fn one_address_that_is_not_public_refuses_the_name() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", 1).await;
    for answer in [
        &["127.0.0.1"][..],
        &[PUBLIC, "127.0.0.1"],
        &["127.0.0.1", PUBLIC],
        &[PUBLIC, "10.0.0.1"],
        &["169.254.169.254"],
        &["::ffff:93.184.215.14"],
        &["64:ff9b::5db8:d70e"],
        &["fd00:ec2::254", PUBLIC],
        &["0.0.0.0"],
        &["::"],
    ] {
        for allow_loopback_http in [false, true] {
            let names = Names::new(&[answer]);
            let bridge = Bridge::to(upstream.address);
            let client =
                bridged(ClientOptions { allow_loopback_http, ..options(&names, &authority) }, &bridge);
            let result = get(&client, "https://api.example.com/").await;
            assert!(is_blocked(&result), "{answer:?}: {result:?}");
            assert!(bridge.dialled().is_empty());
        }
    }
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn scheme_and_literal_are_checked_again() {
    let upstream = Upstream::friendly().await;
    let names = Names::new(&[&["127.0.0.1"]]);
    let bridge = Bridge::to(upstream.address);
    let strict = bridged(ClientOptions { resolver: names.clone(), ..ClientOptions::default() }, &bridge);
    for url in [
        "http://api.example.com/",
        "http://93.184.215.14/",
        "http://localhost/",
        "http://127.0.0.1/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "ftp://93.184.215.14/",
    ] {
        let result = get(&strict, url).await;
        assert!(is_blocked(&result), "{url}: {result:?}");
    }
    let local =
        ClientOptions { allow_loopback_http: true, resolver: names.clone(), ..ClientOptions::default() };
    let local = bridged(local, &bridge);
    for url in
        ["http://api.example.com/", "http://10.0.0.1/", "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/"]
    {
        let result = get(&local, url).await;
        assert!(is_blocked(&result), "{url} in local mode: {result:?}");
    }
    assert!(bridge.dialled().is_empty());
    for url in [
        "http://localhost/",
        "http://LOCALHOST:99/",
        "http://127.0.0.1/",
        "http://127.1.1.1/",
        "http://[::1]:7/",
    ] {
        assert_eq!(text(get(&local, url).await.unwrap()).await.unwrap(), "ok", "{url}");
    }
    let dialled = ["127.0.0.1:80", "127.0.0.1:99", "127.0.0.1:80", "127.1.1.1:80", "[::1]:7"];
    assert_eq!(bridge.dialled(), dialled);
}

#[tokio::test]
async fn localhost_must_be_loopback_even_in_local_mode() {
    let upstream = Upstream::friendly().await;
    let bridge = Bridge::to(upstream.address);
    for answer in [&[PUBLIC][..], &["127.0.0.1", PUBLIC], &["10.0.0.1"]] {
        let resolver = Names::new(&[answer]);
        let client =
            bridged(ClientOptions { allow_loopback_http: true, resolver, ..Default::default() }, &bridge);
        assert!(is_blocked(&get(&client, "http://localhost/").await));
    }
    assert!(bridge.dialled().is_empty());
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let other = Upstream::friendly().await;
    for (status, location) in
        [(301, other.url("/")), (302, other.url("/")), (307, "http://169.254.169.254/".to_owned())]
    {
        let head = format!("HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let upstream = Upstream::answering(head.leak()).await;
        let response = get(&local(), &upstream.url("/")).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["location"], location);
    }
    assert_eq!(other.accepted(), 0);
}

#[tokio::test]
async fn tunnels_and_traces_are_not_opened() {
    let upstream = Upstream::friendly().await;
    for method in ["CONNECT", "TRACE"] {
        let request = Request::builder().method(method).uri(upstream.url("/")).body(Body::empty()).unwrap();
        assert!(is_blocked(&local().send(request).await));
    }
    assert_eq!(upstream.accepted(), 0);
}

#[tokio::test]
async fn a_name_without_address_or_server_is_a_failure_to_connect() {
    let upstream = Upstream::friendly().await;
    let bridge = Bridge::to(upstream.address);
    for answers in [&[][..], &[&[][..]]] {
        let resolver = Names::new(answers);
        let client = bridged(ClientOptions { resolver, ..Default::default() }, &bridge);
        assert!(is_connect(&get(&client, "https://api.example.com/").await));
    }
    // A port that was just free.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(is_connect(&get(&local(), &url).await));
}

#[tokio::test]
async fn an_address_that_hangs_leaves_time_for_the_next() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", 1).await;
    let names = Names::new(&[&["93.184.215.1", PUBLIC]]);
    let bridge = Bridge::with_silent(upstream.address, &["93.184.215.1"]);
    let connect_timeout = Duration::from_millis(600);
    let client = bridged(ClientOptions { connect_timeout, ..options(&names, &authority) }, &bridge);
    let response = get(&client, "https://api.example.com/").await.unwrap();
    assert_eq!(text(response).await.unwrap(), "ok");
    assert_eq!(bridge.dialled(), ["93.184.215.1:443".to_owned(), format!("{PUBLIC}:443")]);
}

#[tokio::test]
async fn connecting_ends_at_its_timeout_wherever_it_hangs() {
    let connect_timeout = Duration::from_millis(100);
    // In dialling.
    let upstream = Upstream::friendly().await;
    let bridge = Bridge::with_silent(upstream.address, &[PUBLIC]);
    let resolver = Names::new(&[&[PUBLIC]]);
    let client = bridged(ClientOptions { connect_timeout, resolver, ..Default::default() }, &bridge);
    let result = get(&client, "https://api.example.com/").await;
    assert_eq!(result.unwrap_err(), SendError::Connect("timed out".to_owned()));
    // In the handshake.
    let mute = Upstream::new(|mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {}
        std::future::pending::<()>().await;
    })
    .await;
    let resolver = Names::new(&[&[PUBLIC]]);
    let client =
        bridged(ClientOptions { connect_timeout, resolver, ..Default::default() }, &Bridge::to(mute.address));
    let result = get(&client, "https://api.example.com/").await;
    assert_eq!(result.unwrap_err(), SendError::Connect("timed out".to_owned()));
}
