//! The names of variables that begin with `GATEPASS_` and define no profile.

/// Returns whether a variable never defines a profile: gatepass's own, and service links.
pub(crate) fn defines_nothing(name: &str, value: impl FnOnce() -> Option<String>) -> bool {
    is_own(name) || is_service_link(name, value)
}

/// Returns whether gatepass itself reads or sets the variable.
pub(crate) fn is_own(name: &str) -> bool {
    let is_reserved = |known: &&str| {
        name.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    OWN.contains(&name) || RESERVED.iter().any(is_reserved)
}

/// Returns whether Kubernetes has set the variable for a service whose name begins with `gatepass`.
fn is_service_link(name: &str, value: impl FnOnce() -> Option<String>) -> bool {
    let is_url = |value: String| {
        ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
    };
    let has_port_name =
        || name.split_once("_SERVICE_PORT_").is_some_and(|(_, port)| !port.is_empty());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || has_port_name()
        || is_port_of_protocol(name)
        || (name.ends_with("_PORT") && value().is_some_and(is_url))
}

/// Returns whether the name ends in `_PORT_<n>_TCP`, or in that and a suffix.
fn is_port_of_protocol(name: &str) -> bool {
    let suffixes = ["_PROTO", "_PORT", "_ADDR"];
    let name = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let Some((rest, protocol)) = name.rsplit_once('_') else { return false };
    let Some((rest, port)) = rest.rsplit_once('_') else { return false };
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    ["TCP", "UDP", "SCTP"].contains(&protocol) && is_number && rest.ends_with("_PORT")
}

/// The variables that gatepass reads.
pub(crate) const OWN: [&str; 2] = ["GATEPASS_CONFIG", "GATEPASS_STATE_DIR"];

/// The beginnings of variables that gatepass sets for programs, or reads in them.
const RESERVED: [&str; 3] = ["GATEPASS_URL", "GATEPASS_TOKEN", "GATEPASS_AGENT"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_variables_and_service_links_define_nothing() {
        for (name, value) in [
            ("GATEPASS_CONFIG", ""),
            ("GATEPASS_STATE_DIR", ""),
            ("GATEPASS_URL", ""),
            ("GATEPASS_URL_CISCO", ""),
            ("GATEPASS_TOKEN_CISCO_CLIENT_ID", ""),
            ("GATEPASS_TOKEN_EXPIRES_AT", ""),
            ("GATEPASS_AGENT", ""),
            ("GATEPASS_AGENT_UID", ""),
            ("GATEPASS_SERVICE_HOST", "10.0.0.1"),
            ("GATEPASS_SERVICE_PORT", "80"),
            ("GATEPASS_CISCO_SERVICE_PORT_HTTP", "80"),
            ("GATEPASS_PORT", "tcp://10.0.0.1:80"),
            ("GATEPASS_CISCO_PORT", "udp://10.0.0.1:80"),
            ("GATEPASS_CISCO_PORT", "sctp://10.0.0.1:80"),
            ("GATEPASS_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("GATEPASS_CISCO_PORT_8080_TCP_PROTO", "tcp"),
            ("GATEPASS_CISCO_PORT_53_UDP_PORT", "53"),
            ("GATEPASS_CISCO_PORT_53_SCTP_ADDR", "10.0.0.1"),
        ] {
            assert!(defines_nothing(name, || Some(value.to_owned())), "{name}");
        }
        for (name, value) in [
            ("GATEPASS_CISCO_CLIENT_ID", "tcp://a"),
            ("GATEPASS_TOKENS_CLIENT_ID", ""),
            ("GATEPASS_CONFIGAPI_HOST", ""),
            ("GATEPASS_CISCO_PORT", "80"),
            ("GATEPASS_CISCO_PORT_X_TCP", ""),
            ("GATEPASS_CISCO_SERVICE_PORT_", ""),
            ("GATEPASS_CISCO_80_TCP", ""),
        ] {
            assert!(!defines_nothing(name, || Some(value.to_owned())), "{name}");
        }
    }
}
