//! Entry points for fuzzing: the vendors without a socket.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tower::Service as _;

use crate::client::Client;
use crate::router::{self, App};
use crate::state::Memory;
use crate::vendors::Vendors;
use crate::{error::Error, error::Result};

/// A sandbox that is called directly, one request at a time.
#[derive(Debug)]
pub struct Front {
    router: Router,
    runtime: Runtime,
}

impl Front {
    /// The expected `Host` of requests.
    pub const HOST: &str = "127.0.0.1:8480";

    /// Creates a sandbox whose clients use field names as values, and `secret` as every secret.
    pub fn new(secret: &str) -> Result<Self> {
        let vendors = Vendors::built_in();
        let clients = vendors.iter().map(|vendor| {
            let mut client = Client::generated(vendor);
            for field in vendor.fields.iter().filter(|field| field.name != "redirect_uri") {
                let value = if field.is_secret { secret } else { field.name.as_ref() };
                client.fields.insert(field.name.to_string(), value.to_owned());
            }
            client
        });
        let clients = clients.collect();
        let memory = Memory::new(vendors, None, clients, Vec::new())?;
        let router = router::router(App { memory: Arc::new(memory), port: 8480 });
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| Error::usage(error.to_string()))?;
        Ok(Self { router, runtime })
    }

    /// Returns the response; `None` if a fault never responds.
    pub fn ask(&self, request: http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        let _runtime = self.runtime.enter();
        let response = async {
            let Ok(response) = self.router.clone().call(request.map(Body::from)).await;
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
            http::Response::from_parts(parts, body)
        };
        match pin!(response).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => Some(response),
            Poll::Pending => None,
        }
    }
}
