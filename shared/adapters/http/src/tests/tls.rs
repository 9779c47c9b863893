//! Who the client believes.

use super::{upstream::*, *};

fn client(upstream: &Upstream, extra_roots: Option<Vec<u8>>) -> GuardedClient {
    let options =
        ClientOptions { resolver: Names::new(&[&[PUBLIC]]), extra_roots, ..ClientOptions::default() };
    bridged(options, &Bridge::to(upstream.address))
}

#[tokio::test]
async fn the_certificate_must_be_for_the_host_of_the_url() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", 1).await;
    let client = client(&upstream, Some(authority.pem()));
    let good = get(&client, "https://api.example.com/").await.unwrap();
    assert_eq!(text(good).await.unwrap(), "ok");
    for url in ["https://api.example.org/", "https://evil.api.example.com/", "https://93.184.215.14/"] {
        let result = get(&client, url).await;
        assert!(is_connect(&result), "{url}: {result:?}");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused() {
    let authority = Authority::new();
    let upstream = authority.upstream("api.example.com", 1).await;
    for roots in [None, Some(Authority::new().pem())] {
        let result = get(&client(&upstream, roots), "https://api.example.com/").await;
        assert!(is_connect(&result), "{result:?}");
    }
}

#[tokio::test]
async fn plain_text_on_the_tls_port_is_a_failure_to_connect() {
    let upstream = Upstream::new(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
    })
    .await;
    let result = get(&client(&upstream, None), "https://api.example.com/").await;
    assert!(is_connect(&result), "{result:?}");
}

#[test]
fn roots_that_are_no_certificates_are_refused_at_start() {
    let certificate = Authority::new().pem();
    let broken = String::from_utf8(certificate.clone()).unwrap().replacen("MII", "AAA", 1).into_bytes();
    for (pem, fine) in
        [(certificate, true), (Vec::new(), false), (b"not a certificate".to_vec(), false), (broken, false)]
    {
        let options = ClientOptions { extra_roots: Some(pem), ..ClientOptions::default() };
        assert_eq!(GuardedClient::new(options).is_ok(), fine);
    }
}
