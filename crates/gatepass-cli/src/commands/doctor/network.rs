//! The steps of `doctor` up to the vendor, without a secret: DNS, TCP, TLS and the clock.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass::cli_support;
use gatepass::clock::{Clock, SystemClock};
use gatepass::http::ProxyRoute;
use gatepass::provider::Response;
use gatepass::{Endpoint, Error, HttpClient};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::report::{Report, ms};
use crate::error::CommandError;
use crate::output::format_duration;

/// The host that connections go to: the vendor, or the proxy before it.
struct Peer {
    host: String,
    port: u16,
    /// The prefix of its messages; empty for a vendor.
    role: &'static str,
    /// The variable that names the proxy.
    variable: &'static str,
    /// How an entry of `NO_PROXY` exempts it from the proxy.
    exempt: Option<String>,
}

impl Peer {
    fn of(http: &HttpClient, endpoint: &Endpoint) -> Result<Self, Error> {
        let uri = endpoint.to_uri()?;
        let (uri, variable, exempt) = match http.proxy_route(&uri)? {
            ProxyRoute::Proxy { variable, address } => (address, variable, None),
            ProxyRoute::Exempt { variable, entry } => {
                (uri, "", Some(format!("{variable} has {entry}: no proxy is used")))
            }
            _ => (uri, "", None),
        };
        let role = if variable.is_empty() { "" } else { "the proxy of the environment, " };
        let port = uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
            Some("https") => 443,
            Some("http") | None => 80,
            Some(_) => 1080,
        });
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        Ok(Self { host: host.to_owned(), port, role, variable, exempt })
    }
}

/// Checks that the vendor responds. Steps after a failed one are reported as skipped.
pub(super) async fn check(
    http: &HttpClient,
    endpoint: &Endpoint,
    report: &mut Report<'_>,
) -> Result<bool, CommandError> {
    let peer = match Peer::of(http, endpoint) {
        Ok(peer) => peer,
        Err(error) => return failed(report, "dns", &error),
    };
    if let Some(exempt) = &peer.exempt {
        report.ok("proxy", exempt)?;
    }
    let start = Instant::now();
    let addresses = match lookup(&peer).await {
        Ok(addresses) => addresses,
        Err(error) => return failed(report, "dns", &error),
    };
    let Peer { host, role, .. } = &peer;
    if host.parse::<IpAddr>().is_ok() {
        report.ok("dns", format!("{role}{host} is an address; DNS is not needed"))?;
    } else {
        let found: Vec<String> = addresses.iter().map(|one| one.ip().to_string()).collect();
        let took = ms(start.elapsed());
        report.ok("dns", format!("{role}{host} resolves to {}, {took}", found.join(", ")))?;
    }

    let start = Instant::now();
    match connect(&addresses).await {
        Ok((address, unreached)) => {
            let detail = format!("{role}{address}, {}", ms(start.elapsed()));
            match unreached.as_slice() {
                [] => report.ok("tcp", detail)?,
                some => {
                    let hint = format!(
                        "new connections may try these addresses first: {}",
                        some.join(", ")
                    );
                    report.warn("tcp", detail, &hint)?;
                }
            }
        }
        Err(reason) => {
            let error = Error::unavailable(format!("{role}no connection: {reason}"));
            let hint = if role.is_empty() {
                String::from("check the address and its port, the network and firewalls")
            } else {
                format!("check {}, or name the vendor's host in NO_PROXY", peer.variable)
            };
            return failed(report, "tcp", &error.hint(hint));
        }
    }

    let (start, sent) = (Instant::now(), SystemClock::new().wall());
    let response = match timeout(STEP_TIMEOUT, probe_clock(http, endpoint)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return failed(report, "tls", &error),
        Err(_) => {
            let (origin, limit) = (endpoint.origin(), STEP_TIMEOUT.as_secs());
            let error = Error::unavailable(format!("no response within {limit} s from {origin}"));
            return failed(report, "tls", &error);
        }
    };
    let through = match peer.variable {
        "" => String::new(),
        variable => format!(", through the proxy of {variable}"),
    };
    let tls = match (endpoint.is_plain_http(), http.root_variables().as_slice()) {
        (true, _) => String::from("none, plain http"),
        (false, []) => String::from("certificate trusted"),
        (false, variables) => {
            let named = variables.iter().map(|(name, path)| format!("{name} = {}", path.display()));
            let named: Vec<String> = named.collect();
            format!("certificate trusted (roots: {})", named.join(", "))
        }
    };
    let (status, took) = (response.status().as_u16(), ms(start.elapsed()));
    report.ok("tls", format!("{tls}{through}; {} returned {status}, {took}", endpoint.origin()))?;
    check_clock(response.date(), sent, report)?;
    Ok(true)
}

fn failed(report: &mut Report<'_>, step: &str, error: &Error) -> Result<bool, CommandError> {
    report.fail(step, error)?;
    let later = STEPS.iter().skip_while(|one| **one != step).skip(1);
    report.skip_all(&later.copied().collect::<Vec<_>>(), step)?;
    Ok(false)
}

async fn lookup(peer: &Peer) -> Result<Vec<SocketAddr>, Error> {
    let Peer { host, port, role, .. } = peer;
    let hint = "check the address and this machine's DNS";
    let name = (host.clone(), *port);
    let look_up = cli_support::run_blocking(move || name.to_socket_addrs().map(Vec::from_iter));
    match timeout(STEP_TIMEOUT, look_up).await {
        Ok(Some(Ok(found))) => {
            let found: Vec<SocketAddr> = found;
            if found.is_empty() {
                return Err(Error::unavailable(format!("{role}{host} has no address")).hint(hint));
            }
            Ok(found)
        }
        Ok(_) => Err(Error::unavailable(format!("{role}name not found: {host}")).hint(hint)),
        Err(_) => {
            let limit = STEP_TIMEOUT.as_secs();
            let error = format!("{role}no DNS response within {limit} s for {host}");
            Err(Error::unavailable(error).hint(hint))
        }
    }
}

/// Returns the first address that accepts a connection, and the errors of those before it.
async fn connect(addresses: &[SocketAddr]) -> Result<(SocketAddr, Vec<String>), String> {
    let share = STEP_TIMEOUT / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut unreached = Vec::new();
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok((*address, unreached)),
            Ok(Err(error)) => unreached.push(format!("{address}: {}", error.kind())),
            Err(_) => unreached.push(format!("{address}: no response within {}", ms(share))),
        }
    }
    Err(unreached.join(", "))
}

/// Requests the root of the token endpoint's host. Any response proves TLS and has the vendor's time;
/// its body is not read.
async fn probe_clock(http: &HttpClient, endpoint: &Endpoint) -> Result<Response, Error> {
    let mut request = http::Request::new(Bytes::new());
    let origin = format!("{}/", endpoint.origin());
    *request.uri_mut() =
        origin.parse().map_err(|_| Error::internal("a checked address did not parse"))?;
    let (head, _) = http.send_api(request).await?.into_parts();
    Ok(Response::from(http::Response::from_parts(head, Bytes::new())))
}

fn check_clock(
    date: Option<SystemTime>,
    now: SystemTime,
    report: &mut Report<'_>,
) -> Result<(), CommandError> {
    let Some(date) = date else {
        return report.skip("clock", "the response has no Date");
    };
    let (skew, side) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let detail = format!("this machine's clock is {} {side} the vendor's", format_duration(skew));
    if skew > SKEW_ERROR {
        let hint = "set this machine's time (timedatectl set-ntp true): tokens, and perhaps \
                    certificates, count as expired too early or too late";
        report.fail("clock", &Error::config(detail).hint(hint))
    } else if skew > SKEW_WARNING {
        report.warn("clock", detail, "set this machine's time: tokens fail from 5 minutes on")
    } else {
        report.ok("clock", "agrees with the vendor's")
    }
}

/// The steps of this file, in their order.
pub(super) const STEPS: [&str; 4] = ["dns", "tcp", "tls", "clock"];

/// The time limit of each step.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(5);

const SKEW_WARNING: Duration = Duration::from_secs(60);
const SKEW_ERROR: Duration = Duration::from_secs(300);
