//! Tests of faults in responses and connections.

use std::time::Duration;

use super::*;

async fn raw_token_response(fault: &str) -> std::io::Result<Vec<u8>> {
    let sandbox = Sandbox::builder().fault(fault.parse().unwrap()).start().await.unwrap();
    let form = client_form(&sandbox.client("cisco").unwrap());
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let request = request(sandbox.port(), "POST", "/cisco/as/token.oauth2", &headers, &form);
    send_raw(sandbox.port(), request.as_bytes()).await
}

async fn token_response(fault: &str) -> Reply {
    parse_reply(&raw_token_response(fault).await.unwrap())
}

#[tokio::test]
async fn faults_change_the_named_members() {
    for (fault, expected) in [
        ("expires-zero", r#""expires_in":0}"#),
        ("expires-negative", r#""expires_in":-1}"#),
        ("expires-string", r#""expires_in":"3599"}"#),
        ("expires-huge", r#""expires_in":9223372036854775808}"#),
        ("expires-short,seconds=4", r#""expires_in":4}"#),
        ("no-expiry", r#""token_type":"Bearer"}"#),
        ("no-token", r#"{"token_type":"#),
        ("token-number", r#"{"access_token":1234567890,"#),
        ("token-empty", r#"{"access_token":"","#),
        ("token-crlf", r#"\r\nX-Injected: 1""#),
        ("token-bearer-prefix", r#"{"access_token":"Bearer Sandbox"#),
        ("token-type-mac", r#""token_type":"mac""#),
        ("trailing-comma", r#""expires_in":3599,}"#),
        ("bom", "\u{feff}{"),
        ("trailing-text", "}{}"),
        ("duplicate-key", r#"","access_token":"Sandbox"#),
    ] {
        let response = token_response(fault).await;
        assert_eq!(response.status, 200, "{fault}");
        assert!(response.body.contains(expected), "{fault}: {}", response.body);
    }
}

#[tokio::test]
async fn faults_change_the_nested_cloudneeti_token() {
    let sandbox = Sandbox::builder().fault("token-empty".parse().unwrap()).start().await.unwrap();
    let client = sandbox.client("cloudneeti").unwrap();
    let field = |name| client.field(name).unwrap();
    let path = format!("/cloudneeti/authorize/license/{}/token", field("license_id"));
    let headers = [
        ("content-type", "application/json"),
        ("ocp-apim-subscription-key", field("subscription_key")),
    ];
    let body = json!({
        "APIApplicationId": field("api_application_id"),
        "Secret": field("api_application_secret"),
    });
    let response = send(&sandbox, "POST", &path, &headers, &body.to_string()).await;
    assert!(response.body.starts_with(r#"{"result":{"token":""},"#), "{}", response.body);
}

#[tokio::test]
async fn every_fault_ends_the_connection() {
    for fault in Fault::all().filter(|fault| fault.name != "hang") {
        let text = match fault.params.contains(&"milliseconds") {
            true => format!("{},milliseconds=0", fault.name),
            false => fault.name.to_owned(),
        };
        // A reset ends the connection as well.
        let _ = raw_token_response(&text).await;
    }
}

#[tokio::test]
async fn connection_faults_break_the_connection() {
    assert!(raw_token_response("close").await.unwrap().is_empty());
    assert_eq!(raw_token_response("not-http").await.unwrap(), b"SSH-2.0-OpenSSH_9.6\r\n");
    for fault in ["reset", "reset-mid-body"] {
        let error = raw_token_response(fault).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{fault}");
    }
    for fault in ["short-body", "long-body", "huge-length"] {
        let response = token_response(fault).await;
        let length: usize = response.header("content-length").unwrap().parse().unwrap();
        assert_ne!(length, response.body.len(), "{fault}");
    }
    let slow = token_response("slow-head,milliseconds=0").await;
    assert_eq!(slow.token().len(), 28);
    let odd = raw_token_response("status-099").await.unwrap();
    assert!(odd.starts_with(b"HTTP/1.1 099 Odd\r\n"));
    let flood = raw_token_response("informational,count=3").await.unwrap();
    assert!(flood.starts_with(b"HTTP/1.1 103 Early Hints\r\n"));
    let many = token_response("many-headers,count=200").await;
    assert_eq!(many.head.matches("x-filler-").count(), 200);
    let big = token_response("big-body,bytes=300000").await;
    assert!(big.body.len() > 300_000 && big.token().len() == 28);
}

#[tokio::test]
async fn redirect_uses_the_target_parameter() {
    for status in [301, 302, 303, 307, 308] {
        let response =
            token_response(&format!("redirect-{status},target=https://evil.example/")).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("location"), Some("https://evil.example/"));
    }
}

#[tokio::test]
async fn hanging_response_ends_with_the_sandbox() {
    let sandbox = Sandbox::builder().fault(Fault::new("hang")).start().await.unwrap();
    let request = request(sandbox.port(), "POST", "/cisco/as/token.oauth2", &[], "");
    let hanging = tokio::spawn({
        let port = sandbox.port();
        async move { send_raw(port, request.as_bytes()).await }
    });
    while sandbox.state().total.in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sandbox.requests()[0].status, None);
    sandbox.shutdown().await;
    assert!(hanging.await.unwrap().is_ok_and(|response| response.is_empty()));
}

#[tokio::test]
async fn dropping_sandbox_closes_its_port() {
    let sandbox = Sandbox::start().await.unwrap();
    let port = sandbox.port();
    drop(sandbox);
    tokio::time::timeout(Duration::from_secs(10), async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_certificate_is_signed_by_the_ca() {
    use std::sync::Arc;
    use tokio_rustls::rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    };

    let sandbox = Sandbox::builder().tls(true).start().await.unwrap();
    assert!(sandbox.url().starts_with("https://127.0.0.1:"));
    assert!(sandbox.config_toml().contains("ca_file = \"ca.pem\""));
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(sandbox.ca_pem().unwrap().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", sandbox.port())).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let text = request(sandbox.port(), "GET", "/_sandbox/state", &[], "");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    assert_eq!(parse_reply(&response).status, 200);
}
