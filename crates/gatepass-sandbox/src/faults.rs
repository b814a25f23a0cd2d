//! Injected faults: named ways in which a vendor misbehaves, for some requests or for all.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use crate::{
    clock::Time,
    error::{Error, Result},
    response::SandboxResponse,
    vendor_request::VendorRequest,
    vendors::Vendors,
};

mod act;
mod body;
mod login;
mod table;
mod wire;

pub(crate) use table::TABLE;

/// A fault to inject: its name, its target and how often it applies.
///
/// The text form is `[provider:]name[*times][,param=value…]`, for example
/// `cisco:status-503*3,retry_after=7`. The sandbox checks the provider when it takes the fault, because
/// [vendors of other crates](crate::SandboxVendor) are known there only.
///
/// ```
/// # fn main() -> Result<(), gatepass_sandbox::Error> {
/// use gatepass_sandbox::Fault;
///
/// let fault = Fault::new("status-503").provider("cisco").times(3).param("retry_after", "7");
/// let same: Fault = "cisco:status-503*3,retry_after=7".parse()?;
/// assert_eq!(fault, same);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    name: String,
    provider: Option<String>,
    times: Option<u32>,
    target: Option<Target>,
    params: BTreeMap<String, String>,
}

/// Which requests of a vendor a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Requests to the token endpoint.
    Token,
    /// Requests to the API.
    Api,
    /// Requests to the token endpoint and to the API.
    Both,
    /// The redirect to the client after the user's decision.
    Login,
}

/// The description of a fault.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FaultInfo {
    /// The fault's name.
    pub name: &'static str,
    /// A summary of one line.
    pub help: &'static str,
    /// The default target.
    pub target: Target,
    /// The accepted parameters.
    pub params: &'static [&'static str],
}

impl Fault {
    /// Creates a fault by name; it applies to every matching request until it is cleared.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            provider: None,
            times: None,
            target: None,
            params: BTreeMap::new(),
        }
    }

    /// Restricts the fault to one provider.
    #[must_use]
    pub fn provider(mut self, id: impl Into<String>) -> Self {
        self.provider = Some(id.into());
        self
    }

    /// Restricts the fault to the next `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Sets the target; the default is [`FaultInfo::target`].
    #[must_use]
    pub fn on(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Sets a parameter of the fault.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Returns the descriptions of all faults.
    pub fn all() -> impl Iterator<Item = FaultInfo> {
        TABLE.iter().map(|row| row.info)
    }

    fn row(&self) -> Result<&'static Row> {
        let row = TABLE.iter().find(|row| row.info.name == self.name);
        row.ok_or_else(|| {
            Error::unknown("fault", &self.name, TABLE.iter().map(|row| row.info.name))
        })
    }

    /// Checks that fault, provider and parameters are known.
    pub(crate) fn check(&self, vendors: &Vendors) -> Result<()> {
        if let Some(id) = &self.provider {
            vendors.named(id)?;
        }
        self.check_parameters()
    }

    /// Checks that fault and parameters are known. Text does not tell which vendors a sandbox has.
    fn check_parameters(&self) -> Result<()> {
        let row = self.row()?;
        if row.info.target == Target::Login && self.target.is_some_and(|on| on != Target::Login) {
            let text = format!("{} applies to login only", self.name);
            return Err(Error::usage(text));
        }
        for name in self.params.keys() {
            if !row.info.params.contains(&name.as_str()) {
                let description = format!("parameter of {}", self.name);
                return Err(Error::unknown(&description, name, row.info.params.iter().copied()));
            }
        }
        for (name, value) in &self.params {
            if NUMBERS.contains(&name.as_str()) && value.parse::<u64>().is_err() {
                return Err(Error::usage(format!("{name} must be a whole number")));
            }
        }
        Ok(())
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (head, params) = text.split_once(',').unwrap_or((text, ""));
        let (provider, head) = match head.split_once(':') {
            Some((provider, rest)) => (Some(provider), rest),
            None => (None, head),
        };
        let (name, times) = head.split_once('*').map_or((head, None), |(n, t)| (n, Some(t)));
        let mut fault = Self::new(name);
        fault.provider = provider.map(str::to_owned);
        if let Some(times) = times {
            let times = times.parse();
            fault.times = Some(times.map_err(|_| Error::usage("times must be a whole number"))?);
        }
        for param in params.split(',').filter(|param| !param.is_empty()) {
            let Some((name, value)) = param.split_once('=') else {
                return Err(Error::usage("a fault's parameter is written name=value"));
            };
            if name == "on" {
                fault.target = Some(value.parse()?);
            } else {
                fault.params.insert(name.to_owned(), value.to_owned());
            }
        }
        fault.check_parameters()?;
        Ok(fault)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("times", &self.times)
            .field("target", &self.target)
            .field("params", &self.params.keys())
            .finish()
    }
}

impl Target {
    fn includes(self, requested: Self) -> bool {
        self == requested || (self == Self::Both && requested != Self::Login)
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "token" => Ok(Self::Token),
            "api" => Ok(Self::Api),
            "both" => Ok(Self::Both),
            "login" => Ok(Self::Login),
            other => Err(Error::unknown("target", other, ["token", "api", "both", "login"])),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Api => "api",
            Self::Both => "both",
            Self::Login => "login",
        })
    }
}

/// The armed faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue(Vec<Fault>);

impl FaultQueue {
    pub(crate) fn add(&mut self, fault: Fault) {
        if fault.times != Some(0) {
            self.0.push(fault);
        }
    }

    /// Returns the fault for one request and decrements its count.
    pub(crate) fn take(&mut self, provider: &str, requested: Target) -> Option<ArmedFault> {
        let fits = |fault: &Fault| {
            let row = fault.row().ok()?;
            let is_for_provider = fault.provider.as_deref().is_none_or(|id| id == provider);
            let target = fault.target.unwrap_or(row.info.target);
            (is_for_provider && target.includes(requested)).then_some(row)
        };
        let found = self.0.iter().enumerate().find_map(|(index, f)| Some((index, fits(f)?)));
        let (index, row) = found?;
        let armed = ArmedFault { row, params: self.0[index].params.clone() };
        if let Some(times) = &mut self.0[index].times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(index);
            }
        }
        Some(armed)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns name, provider and remaining count of each fault.
    pub(crate) fn armed(&self) -> impl Iterator<Item = (&str, Option<&str>, Option<u32>)> {
        self.0.iter().map(|f| (f.name.as_str(), f.provider.as_deref(), f.times))
    }
}

/// A fault taken for one request.
pub(crate) struct ArmedFault {
    row: &'static Row,
    params: BTreeMap<String, String>,
}

/// The data available to a fault.
pub(crate) struct FaultContext<'a> {
    pub(crate) call: &'a VendorRequest,
    pub(crate) provider: &'a str,
    pub(crate) now: Time,
    params: &'a BTreeMap<String, String>,
}

/// A fault's description and its action.
pub(crate) struct Row {
    info: FaultInfo,
    act: Act,
}

pub(crate) enum Act {
    /// Replaces the vendor's response; the vendor is not called.
    Replace(fn(&FaultContext<'_>) -> SandboxResponse),
    /// Changes the vendor's response.
    Modify(fn(&FaultContext<'_>, SandboxResponse) -> SandboxResponse),
    /// Responds with a status only.
    Status(u16),
    /// Changes the status of the vendor's response.
    ChangeStatus(u16),
    /// Writes an invalid status line, which an HTTP library does not produce.
    StatusLine(&'static str),
    /// Responds with an error of RFC 6749.
    OAuthError(u16, &'static str),
    /// Redirects with this status.
    Redirect(u16),
    /// Sets a member of the token response to this JSON.
    SetMember(ResponseField, &'static str),
    /// Removes a member of the token response.
    RemoveMember(ResponseField),
    /// Ends the user's session before the vendor responds.
    EndsSession,
}

/// A member of a token response, independent of the vendor's field name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseField {
    Token,
    Expiry,
    Type,
}

impl ArmedFault {
    pub(crate) fn name(&self) -> &'static str {
        self.row.info.name
    }

    /// Returns whether the fault ends the user's session.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(self.row.act, Act::EndsSession)
    }

    /// Returns the client's response. `regular` calls the vendor; some faults skip it.
    pub(crate) fn apply(
        &self,
        call: &VendorRequest,
        provider: &str,
        now: Time,
        regular: impl FnOnce() -> SandboxResponse,
    ) -> SandboxResponse {
        let context = FaultContext { call, provider, now, params: &self.params };
        act::apply(&self.row.act, &context, regular)
    }
}

impl FaultContext<'_> {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Returns a count of items that are built in memory, bounded.
    pub(crate) fn count(&self, name: &str, default: usize) -> usize {
        let count = self.number(name, default as u64);
        usize::try_from(count).unwrap_or(MAX_COUNT).min(MAX_COUNT)
    }

    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.number("milliseconds", 1_000))
    }
}

/// The parameters with integer values.
const NUMBERS: &[&str] = &["seconds", "milliseconds", "bytes", "count"];

const MAX_COUNT: usize = 64 << 20;
