//! FakeHttp: stands in for the network, and answers when told.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use gatepass_core::{Error, HttpSend, Request, Response, Result, async_trait};
use http::{HeaderMap, HeaderName, Method};

use crate::Fixture;

/// A sender that reaches nobody. Its clones are the same sender.
///
/// ```
/// # use gatepass_testkit::{FakeResponse, FakeHttp};
/// let http = FakeHttp::answering([FakeResponse::token("token-1", 3600)]);
/// assert_eq!(http.count(), 0);
/// ```
///
/// [`held`](Self::held) makes every request wait for [`release`](Self::release), so that a test
/// decides the order of events instead of sleeping and hoping.
#[derive(Clone)]
pub struct FakeHttp(Arc<Mutex<Inner>>);

struct Inner {
    script: Box<dyn FnMut(usize) -> FakeResponse + Send>,
    is_held: bool,
    released: Vec<usize>,
    requests: Vec<Recorded>,
    in_flight: usize,
    in_flight_max: usize,
    wakers: Vec<Waker>,
}

/// What [`FakeHttp`] answers.
#[derive(Clone, Debug)]
pub struct FakeResponse(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fixture(Fixture),
    Fails(Error),
    Never,
}

impl FakeResponse {
    /// A token answer of RFC 6749 section 5.1; `expires_in` in seconds.
    pub fn token(token: &str, expires_in: u64) -> Self {
        let fields = format!("\"token_type\":\"Bearer\",\"expires_in\":{expires_in}");
        Self::json(200, format!("{{\"access_token\":\"{token}\",{fields}}}"))
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Fixture::json(status, body).into()
    }

    /// No answer but an error, as when the network is down.
    pub fn fails(error: Error) -> Self {
        Self(Kind::Fails(error))
    }

    /// No answer, ever.
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
    /// Answers the request of number n (from 0) with what `script` says.
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

    /// Gives these answers, one for each request; a request too many fails as `Internal`.
    pub fn answering(answers: impl IntoIterator<Item = FakeResponse>) -> Self {
        let mut answers = answers.into_iter().collect::<Vec<_>>().into_iter();
        Self::new(move |_| {
            let none = || FakeResponse::fails(Error::internal("the fake has no answer left"));
            answers.next().unwrap_or_else(none)
        })
    }

    /// Makes every request from now on wait until it is released.
    pub fn held(self) -> Self {
        self.inner().is_held = true;
        self
    }

    /// Lets the request of number n (from 0) have its answer, also before it has come.
    pub fn release(&self, n: usize) {
        self.change(|inner| inner.released.push(n));
    }

    /// Lets every request have its answer, also those to come.
    pub fn release_all(&self) {
        self.change(|inner| inner.is_held = false);
    }

    /// Waits until so many requests have come.
    pub async fn arrived(&self, count: usize) {
        self.wait(|inner| inner.requests.len() >= count).await;
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.inner().requests.len()
    }

    /// How many requests are without an answer now; one whose sender was dropped is not.
    pub fn in_flight(&self) -> usize {
        self.inner().in_flight
    }

    /// How many requests were without an answer at one time, at most.
    pub fn in_flight_max(&self) -> usize {
        self.inner().in_flight_max
    }

    /// The requests that have come, in order.
    pub fn requests(&self) -> Vec<Recorded> {
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

    async fn wait(&self, is_so: impl Fn(&Inner) -> bool) {
        poll_fn(|cx| {
            let mut inner = self.inner();
            if is_so(&inner) {
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
        let (mut n, mut answer) = (0, FakeResponse::never());
        self.change(|inner| {
            n = inner.requests.len();
            answer = (inner.script)(n);
            inner.requests.push(Recorded::of(&request));
            inner.in_flight += 1;
            inner.in_flight_max = inner.in_flight_max.max(inner.in_flight);
        });
        let _in_flight = InFlight(self);
        self.wait(|inner| !inner.is_held || inner.released.contains(&n)).await;
        match answer.0 {
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

/// A request as it came. `Debug` shows what may be shown of it.
#[derive(Clone)]
pub struct Recorded {
    method: Method,
    url: String,
    shown: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Recorded {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            url: request.endpoint().as_str().to_owned(),
            shown: request.endpoint().to_string(),
            headers: request.headers().clone(),
            body: request.body().to_vec(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The whole address, with its query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        write!(f, "{} {} {names:?} and {} bytes", self.method, self.shown, self.body.len())
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
        let endpoint = Endpoint::parse("https://vendor.example.com/t").expect("an address");
        Request::post(endpoint).form([("client_secret", "hidden-from-debug")])
    }

    #[test]
    fn answers_come_in_the_order_of_release() {
        let http = FakeHttp::new(|n| FakeResponse::json(200 + n as u16, "{}")).held();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (pin!(http.send(request())), pin!(http.send(request())));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        http.release(1);
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(block_on(second).expect("an answer").status(), 201);
        http.release_all();
        assert_eq!(block_on(first).expect("an answer").status(), 200);
        assert_eq!((http.count(), http.in_flight(), http.in_flight_max()), (2, 0, 2));
    }

    #[test]
    fn requests_are_kept_and_their_debug_hides_them() {
        let http = FakeHttp::answering([]);
        assert!(block_on(http.send(request())).is_err());
        let requests = http.requests();
        assert_eq!(requests[0].text(), "client_secret=hidden-from-debug");
        assert!(!format!("{requests:?} {http:?}").contains("hidden-from-debug"));
    }
}
