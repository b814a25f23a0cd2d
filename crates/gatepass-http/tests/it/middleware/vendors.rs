//! Tests with every simulated vendor: a rejected token is recognized and replaced.

use std::time::Duration;

use bytes::Bytes;
use gatepass_core::{Credential, Endpoint, Provider};
use gatepass_engine::TokenSource;
use gatepass_http::HttpClient;
use gatepass_sandbox::Sandbox;
use http::StatusCode;
use provider_celerdata::CelerData;
use provider_cisco::{Cisco, Environment};
use provider_cloudneeti::Cloudneeti;
use provider_configapi::ConfigApi;
use provider_huawei::Huawei;

use super::{ADAPTERS, client, get};

pub(crate) const IDS: [&str; 5] = ["celerdata", "cisco", "cloudneeti", "configapi", "huawei"];

/// Returns a source for the vendor's simulated client and the address of a harmless API request.
pub(crate) fn source(sandbox: &Sandbox, id: &str) -> (TokenSource, String) {
    let fields = sandbox.client(id).unwrap();
    let base = Endpoint::parse(&sandbox.base_url(id)).unwrap();
    let field = |name: &str| fields.field(name).unwrap();
    let provider: Box<dyn Provider> = match id {
        "celerdata" => Box::new(CelerData::new().base_url(base)),
        "cisco" => Box::new(Cisco::new(Environment::Id).base_url(base)),
        "cloudneeti" => Box::new(Cloudneeti::new(field("license_id")).unwrap().base_url(base)),
        "configapi" => {
            let provider = ConfigApi::new("acme.brightpattern.com").unwrap().base_url(base);
            Box::new(provider.with_scope(field("scope")))
        }
        _ => Box::new(Huawei::new("acme.huaweioneaccess.com").unwrap().base_url(base)),
    };
    let credential =
        fields.fields().fold(Credential::new(), |credential, (name, value)| {
            match name.ends_with("secret") || name.ends_with("key") {
                true => credential.with_secret(name.to_owned(), value),
                false => credential.with_text(name.to_owned(), value),
            }
        });
    let probe = provider.probe(&credential).unwrap().unwrap();
    let url = provider.api(None).unwrap().join(&probe).unwrap().as_str().to_owned();
    let source = TokenSource::builder(provider, credential)
        .http(HttpClient::builder().no_proxy().build().unwrap())
        .build()
        .unwrap();
    (source, url)
}

#[tokio::test]
async fn expired_token_is_replaced_for_each_vendor() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client();
    for id in IDS {
        for adapter in ADAPTERS {
            for ended in [true, false] {
                sandbox.reset();
                let (source, url) = source(&sandbox, id);
                let call = async || adapter.get(&client, &source, &url).await.unwrap().status();
                let received = || {
                    let counters = sandbox.state().provider(id);
                    (counters.token_requests, counters.api_requests)
                };
                assert_eq!(call().await, StatusCode::OK, "{id} {adapter:?}");
                assert_eq!(received(), (1, 1), "{id} {adapter:?}");
                match ended {
                    true => sandbox.advance(Duration::from_secs(3700)),
                    false => assert!(sandbox.revoke_all(id).unwrap() > 0),
                }
                assert_eq!(call().await, StatusCode::OK, "{id} {adapter:?} {ended}");
                assert_eq!(
                    received(),
                    (2, 3),
                    "{id} {adapter:?} {ended}: one token request, one retry"
                );
                assert_eq!(call().await, StatusCode::OK, "{id} {adapter:?} {ended}");
                assert_eq!(received(), (2, 4), "{id} {adapter:?} {ended}: the new token is reused");
            }
        }
    }
}

#[tokio::test]
async fn cloudneeti_headers_replace_caller_headers() {
    let sandbox = Sandbox::start().await.unwrap();
    let (source, url) = source(&sandbox, "cloudneeti");
    for adapter in ADAPTERS {
        let mut request = get(&url);
        for name in ["authorization", "Ocp-Apim-Subscription-Key", "ocp-apim-subscription-key"] {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, "the-callers-own".parse().unwrap());
        }
        let response = adapter.send(&client(), &source, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{adapter:?}");
        let received = sandbox.requests().pop().unwrap().headers;
        for name in ["authorization", "ocp-apim-subscription-key"] {
            assert_eq!(
                received.iter().filter(|received| *received == name).count(),
                1,
                "{adapter:?} {received:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_rejections_send_one_token_request() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = client();
    for adapter in ADAPTERS {
        for id in ["cisco", "huawei"] {
            sandbox.reset();
            let (source, url) = source(&sandbox, id);
            source.prefetch().await.unwrap();
            sandbox.revoke_all(id).unwrap();
            let calls: Vec<_> = (0..100)
                .map(|_| {
                    let (client, source, url) = (client.clone(), source.clone(), url.clone());
                    let adapter = *adapter;
                    tokio::spawn(async move {
                        adapter.get(&client, &source, &url).await.unwrap().status()
                    })
                })
                .collect();
            for call in calls {
                assert_eq!(call.await.unwrap(), StatusCode::OK, "{id} {adapter:?}");
            }
            let counters = sandbox.state().provider(id);
            assert_eq!(counters.token_requests, 2, "{id} {adapter:?}");
            assert!(counters.api_requests > 100, "{id} {adapter:?}: at least one rejection");
        }
    }
}

#[tokio::test]
async fn token_endpoint_never_receives_the_token() {
    let sandbox = Sandbox::start().await.unwrap();
    for id in IDS {
        for adapter in ADAPTERS {
            sandbox.reset();
            let (source, _) = source(&sandbox, id);
            source.prefetch().await.unwrap();
            let path = sandbox.requests().pop().unwrap().path;
            let (base, steps) = (sandbox.base_url(id), path.trim_start_matches('/'));
            for url in [
                format!("{base}/{steps}"),
                format!("{base}//{}/?x=1", steps.to_ascii_uppercase()),
                format!("{base}/{}", steps.replace('/', "%2F").replace('o', "%6F")),
            ] {
                let request = super::post(&url, Bytes::new());
                let error = adapter.send(&client(), &source, request).await.unwrap_err();
                let error = super::gatepass_error(error);
                let text = error.to_string();
                assert!(
                    text.ends_with("must not go to the token endpoint"),
                    "{adapter:?} {error:?}"
                );
                assert_eq!(sandbox.state().provider(id).requests, 1, "{id} {adapter:?}");
            }
        }
    }
}
