//! The way to a vendor, without a secret: its name, a connection, TLS and its clock.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatepass::{Clock, Endpoint, Error, HttpClient, Response, SystemClock};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::report::{Report, ms};
use crate::error::CommandError;
use crate::output::format_duration;

/// Where connections go: to the vendor, or to the proxy in front of it.
struct Peer {
    host: String,
    port: u16,
    /// What is said of it: nothing of a vendor.
    role: &'static str,
}

impl Peer {
    fn of(http: &HttpClient, endpoint: &Endpoint) -> Result<Self, Error> {
        let uri = endpoint.to_uri()?;
        let proxy = http.proxy_for(&uri);
        let role = if proxy.is_some() { "the proxy of the environment, " } else { "" };
        let uri = proxy.unwrap_or(uri);
        let port = uri.port_u16().unwrap_or_else(|| match uri.scheme_str() {
            Some("https") => 443,
            Some("http") | None => 80,
            Some(_) => 1080,
        });
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        Ok(Self { host: host.to_owned(), port, role })
    }
}

/// Whether the vendor answers at all. What was not reached is told as not tried.
pub(super) async fn reach(
    http: &HttpClient,
    endpoint: &Endpoint,
    report: &mut Report<'_>,
) -> Result<bool, CommandError> {
    let peer = match Peer::of(http, endpoint) {
        Ok(peer) => peer,
        Err(error) => return failed(report, "dns", &error),
    };
    let begun = Instant::now();
    let addresses = match lookup(&peer).await {
        Ok(addresses) => addresses,
        Err(error) => return failed(report, "dns", &error),
    };
    let Peer { host, role, .. } = &peer;
    if host.parse::<IpAddr>().is_ok() {
        report.ok("dns", format!("{role}{host} is an address: no name to look up"))?;
    } else {
        let found: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
        let took = ms(begun.elapsed());
        report.ok("dns", format!("{role}{host} is {}, {took}", found.join(", ")))?;
    }

    let begun = Instant::now();
    match connect(&addresses).await {
        Ok((address, unreached)) => {
            let told = format!("{role}{address}, {}", ms(begun.elapsed()));
            match unreached.as_slice() {
                [] => report.ok("tcp", told)?,
                some => {
                    let hint =
                        format!("every new connection may try these first: {}", some.join(", "));
                    report.warn("tcp", told, &hint)?;
                }
            }
        }
        Err(why) => {
            let error = Error::unavailable(format!("{role}no connection: {why}"));
            let hint = if role.is_empty() {
                "check the address and its port, the network, and a firewall"
            } else {
                "check HTTPS_PROXY, or name the vendor's host in NO_PROXY"
            };
            return failed(report, "tcp", &error.with_hint(hint));
        }
    }

    let (begun, sent) = (Instant::now(), SystemClock::new().wall());
    let answer = match timeout(LIMIT, knock(http, endpoint)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return failed(report, "tls", &error),
        Err(_) => {
            let (origin, limit) = (endpoint.origin(), LIMIT.as_secs());
            let error = Error::unavailable(format!("no answer in {limit} s from {origin}"));
            return failed(report, "tls", &error);
        }
    };
    let through = if role.is_empty() { "" } else { ", through the proxy" };
    let tls = if endpoint.is_plain_http() { "none, plain http" } else { "certificate trusted" };
    let (status, took) = (answer.status().as_u16(), ms(begun.elapsed()));
    report.ok("tls", format!("{tls}{through}; {} answers {status}, {took}", endpoint.origin()))?;
    clock(answer.date(), sent, report)?;
    Ok(true)
}

fn failed(report: &mut Report<'_>, step: &str, error: &Error) -> Result<bool, CommandError> {
    report.fail(step, error)?;
    let later = STEPS.iter().skip_while(|it| **it != step).skip(1);
    report.skip_all(&later.copied().collect::<Vec<_>>(), step)?;
    Ok(false)
}

async fn lookup(peer: &Peer) -> Result<Vec<SocketAddr>, Error> {
    let Peer { host, port, role } = peer;
    let hint = "check the address, and this machine's DNS";
    match timeout(LIMIT, lookup_host((host.as_str(), *port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() {
                return Err(
                    Error::unavailable(format!("{role}{host} has no address")).with_hint(hint)
                );
            }
            Ok(found)
        }
        Ok(Err(_)) => {
            Err(Error::unavailable(format!("{role}name not found: {host}")).with_hint(hint))
        }
        Err(_) => {
            let limit = LIMIT.as_secs();
            let error = format!("{role}no answer from DNS in {limit} s for {host}");
            Err(Error::unavailable(error).with_hint(hint))
        }
    }
}

/// The first address that takes a connection, and what became of those before it.
async fn connect(addresses: &[SocketAddr]) -> Result<(SocketAddr, Vec<String>), String> {
    let share = LIMIT / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut unreached = Vec::new();
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok((*address, unreached)),
            Ok(Err(error)) => unreached.push(format!("{address}: {}", error.kind())),
            Err(_) => unreached.push(format!("{address}: silent for {}", ms(share))),
        }
    }
    Err(unreached.join(", "))
}

/// Any answer will do, and none of it is read.
async fn knock(http: &HttpClient, endpoint: &Endpoint) -> Result<Response, Error> {
    let mut request = http::Request::new(Bytes::new());
    let origin = format!("{}/", endpoint.origin());
    *request.uri_mut() =
        origin.parse().map_err(|_| Error::internal("a checked address did not parse"))?;
    let (head, _) = http.call(request, None).await?.into_parts();
    Ok(Response::from(http::Response::from_parts(head, Bytes::new())))
}

fn clock(
    date: Option<SystemTime>,
    now: SystemTime,
    report: &mut Report<'_>,
) -> Result<(), CommandError> {
    let Some(date) = date else {
        return report.skip("clock", "the vendor's answer tells no time");
    };
    let (skew, side) = match now.duration_since(date) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let told = format!("this machine's clock is {} {side} the vendor's", format_duration(skew));
    if skew > WRONG {
        let hint = "set this machine's time (timedatectl set-ntp true): tokens count as expired too \
                    early or too late, and certificates may";
        report.fail("clock", &Error::config(told).with_hint(hint))
    } else if skew > NOTABLE {
        report.warn("clock", told, "set this machine's time: from 5 minutes on tokens break")
    } else {
        report.ok("clock", "agrees with the vendor's")
    }
}

/// What is told here, in this order.
pub(super) const STEPS: [&str; 4] = ["dns", "tcp", "tls", "clock"];

/// How long each step may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

const NOTABLE: Duration = Duration::from_secs(60);
const WRONG: Duration = Duration::from_secs(300);
