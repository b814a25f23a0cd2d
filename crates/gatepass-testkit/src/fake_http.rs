//! `FakeHttp`, an HTTP client that returns the test's responses, and the requests that it records.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use gatepass_core::{Error, HttpSend, Request, Response, Result, async_trait};
use http::{HeaderMap, HeaderName, Method};

use crate::Fixture;

/// An HTTP client without a network. Its clones share requests and responses.
///
/// ```
/// # use gatepass_testkit::{FakeResponse, FakeHttp};
/// let http = FakeHttp::returning([FakeResponse::token("token-1", 3600)]);
/// assert_eq!(http.count(), 0);
/// ```
///
/// [`held`](Self::held) makes every request wait for [`release`](Self::release), so that the test
/// controls the order of events and does not sleep.
#[derive(Clone)]
pub struct FakeHttp(Arc<Mutex<Inner>>);

struct Inner {
    script: Box<dyn FnMut(usize) -> FakeResponse + Send>,
    is_held: bool,
    released: Vec<usize>,
    requests: Vec<RecordedRequest>,
    in_flight: usize,
    in_flight_max: usize,
    wakers: Vec<Waker>,
}

/// A response, an error or a missing response of [`FakeHttp`].
#[derive(Clone, Debug)]
pub struct FakeResponse(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fixture(Fixture),
    Fails(Error),
    Never,
}

impl FakeResponse {
    /// Creates a token response of RFC 6749 section 5.1; `expires_in` is in seconds.
    pub fn token(token: &str, expires_in: u64) -> Self {
        let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{expires_in}");
        Self::json(200, format!("{{\"access_token\":\"{token}\",{fields}}}"))
    }

    /// Creates a response with a JSON body.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Fixture::json(status, body).into()
    }

    /// Creates an error instead of a response, as if the network were down.
    pub fn fails(error: Error) -> Self {
        Self(Kind::Fails(error))
    }

    /// Creates a response that never arrives.
    pub fn never() -> Self {
        Self(Kind::Never)
    }
}

impl From<Fixture> for FakeResponse {
    fn from(fixture: Fixture) -> Self {
        Self(Kind::Fixture(fixture))
    }
}

impl FakeHttp {
    /// Creates a client that returns `script(n)` for request n, counted from 0.
    pub fn new(script: impl FnMut(usize) -> FakeResponse + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            script: Box::new(script),
            is_held: false,
            released: Vec::new(),
            requests: Vec::new(),
            in_flight: 0,
            in_flight_max: 0,
            wakers: Vec::new(),
        })))
    }

    /// Creates a client that returns these responses in order; a further request is `Internal`.
    pub fn returning(responses: impl IntoIterator<Item = FakeResponse>) -> Self {
        let mut responses = responses.into_iter().collect::<Vec<_>>().into_iter();
        Self::new(move |_| {
            let error = || FakeResponse::fails(Error::internal("the fake has no further response"));
            responses.next().unwrap_or_else(error)
        })
    }

    /// Makes every further request wait until it is released.
    pub fn held(self) -> Self {
        self.inner().is_held = true;
        self
    }

    /// Releases request n, counted from 0, also if it has not been sent yet.
    pub fn release(&self, n: usize) {
        self.change(|inner| inner.released.push(n));
    }

    /// Releases all requests, including later ones.
    pub fn release_all(&self) {
        self.change(|inner| inner.is_held = false);
    }

    /// Waits until `count` requests have been sent.
    pub async fn wait_for_requests(&self, count: usize) {
        self.wait(|inner| inner.requests.len() >= count).await;
    }

    /// Returns the number of requests that have been sent.
    pub fn count(&self) -> usize {
        self.inner().requests.len()
    }

    /// Returns the number of requests in flight; a dropped request does not count.
    pub fn in_flight(&self) -> usize {
        self.inner().in_flight
    }

    /// Returns the largest number of requests that were in flight at the same time.
    pub fn in_flight_max(&self) -> usize {
        self.inner().in_flight_max
    }

    /// Returns the requests in the order of sending.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner().requests.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner();
        change(&mut inner);
        let wakers = std::mem::take(&mut inner.wakers);
        drop(inner);
        wakers.into_iter().for_each(Waker::wake);
    }

    async fn wait(&self, condition: impl Fn(&Inner) -> bool) {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if condition(&inner) {
                return Poll::Ready(());
            }
            inner.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
impl HttpSend for FakeHttp {
    async fn send(&self, request: Request) -> Result<Response> {
        let (mut n, mut response) = (0, FakeResponse::never());
        self.change(|inner| {
            n = inner.requests.len();
            response = (inner.script)(n);
            inner.requests.push(RecordedRequest::new(&request));
            inner.in_flight += 1;
            inner.in_flight_max = inner.in_flight_max.max(inner.in_flight);
        });
        let _in_flight = InFlight(self);
        self.wait(|inner| !inner.is_held || inner.released.contains(&n)).await;
        match response.0 {
            Kind::Fixture(fixture) => Ok(fixture.response()),
            Kind::Fails(error) => Err(error),
            Kind::Never => std::future::pending().await,
        }
    }
}

struct InFlight<'a>(&'a FakeHttp);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.change(|inner| inner.in_flight -= 1);
    }
}

impl fmt::Debug for FakeHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeHttp").field("requests", &self.count()).finish_non_exhaustive()
    }
}

/// A request that [`FakeHttp`] received. Its `Debug` output shows no secret.
#[derive(Clone)]
pub struct RecordedRequest {
    method: Method,
    url: String,
    redacted_url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl RecordedRequest {
    fn new(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            url: request.endpoint().as_str().to_owned(),
            redacted_url: request.endpoint().to_string(),
            headers: request.headers().clone(),
            body: request.body().to_vec(),
        }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the whole URL, including secrets in its query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as a string, with invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        write!(f, "{} {} {names:?} and {} bytes", self.method, self.redacted_url, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use gatepass_core::Endpoint;

    use super::*;
    use crate::block_on;

    fn request() -> Request {
        let endpoint = Endpoint::parse("https://vendor.example.com/t").expect("a URL");
        Request::post(endpoint).form([("client_secret", "hidden-from-debug")])
    }

    #[test]
    fn responses_arrive_in_the_order_of_release() {
        let http = FakeHttp::new(|n| FakeResponse::json(200 + n as u16, "{}")).held();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(http.send(request())), pin!(http.send(request())));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        http.release(1);
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(block_on(second).expect("a response").status(), 201);
        http.release_all();
        assert_eq!(block_on(first).expect("a response").status(), 200);
        assert_eq!((http.count(), http.in_flight(), http.in_flight_max()), (2, 0, 2));
    }

    #[test]
    fn debug_output_hides_the_recorded_request() {
        let http = FakeHttp::returning([]);
        assert!(block_on(http.send(request())).is_err());
        let requests = http.requests();
        assert_eq!(requests[0].text(), "client_secret=hidden-from-debug");
        assert!(!format!("{requests:?} {http:?}").contains("hidden-from-debug"));
    }
}
