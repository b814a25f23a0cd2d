//! A program with reqwest clients of its own beside gatepass, made in the order of its argument.

use gatepass::http::{HttpSend, api_client_builder};
use gatepass::provider::Request;
use gatepass::{Endpoint, ErrorKind, HttpClient};
use rustls::crypto::CryptoProvider;

/// A port on which no server listens, so that each request ends after its client was made.
const CLOSED: &str = "https://127.0.0.1:9";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match std::env::args().nth(1).as_deref() {
            Some("own-first") => {
                own().await;
                gatepass().await;
            }
            _ => {
                gatepass().await;
                assert!(CryptoProvider::get_default().is_none(), "gatepass installed a provider");
                own().await;
            }
        }
        own().await;
    });
    assert_eq!(CryptoProvider::get_default().is_some(), cfg!(feature = "provider"));
    println!("both work");
}

async fn own() {
    if cfg!(feature = "provider") && CryptoProvider::get_default().is_none() {
        rustls::crypto::ring::default_provider().install_default().expect("no other provider");
    }
    let error = reqwest::Client::new().get(CLOSED).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

async fn gatepass() {
    let request = || Request::post(Endpoint::parse(CLOSED).unwrap());
    let error = HttpClient::new().unwrap().send(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let error = api_client_builder().build().unwrap().get(CLOSED).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    let custom = HttpClient::from_builder(api_client_builder()).unwrap();
    let error = custom.send(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}
