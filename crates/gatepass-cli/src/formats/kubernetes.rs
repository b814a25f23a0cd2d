//! ExecCredential: the format that kubectl and other Kubernetes clients read from an exec plug-in.

use serde_json::Value;
use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString, json_string};
use crate::output::rfc3339;

/// A version of the protocol. The reply must have the version of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExecApiVersion(&'static str);

impl ExecApiVersion {
    /// Reads `KUBERNETES_EXEC_INFO`. Returns the newest version without the variable, which a user
    /// who runs the command does not have, and `None` for an unknown version.
    pub(crate) fn from_exec_info(exec_info: Option<&str>) -> Option<Self> {
        let Some(info) = exec_info else { return Some(Self(VERSIONS[0])) };
        let info: Value = serde_json::from_str(info).ok()?;
        let requested = info.get("apiVersion")?.as_str()?;
        VERSIONS.into_iter().find(|version| *version == requested).map(Self)
    }
}

/// The variable that contains the request.
pub(crate) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// Formats the credential. Its expiry is slightly early, because clients use it to the second.
pub(crate) fn kubernetes(context: &FormatContext<'_>, version: ExecApiVersion) -> SecretString {
    let (secret, expires, version) =
        (json_string(context.secret), rfc3339(context.use_until), version.0);
    Zeroizing::new(format!(
        "{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\",\"status\":\
         {{\"expirationTimestamp\":\"{expires}\",\"token\":{}}}}}\n",
        *secret
    ))
}

const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn reply_has_the_requested_version() {
        for version in VERSIONS {
            let info = format!("{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\"}}");
            let version = ExecApiVersion::from_exec_info(Some(&info)).unwrap();
            let expected = format!(
                "{{\"apiVersion\":\"{}\",\"kind\":\"ExecCredential\",\"status\":\
                 {{\"expirationTimestamp\":\"2026-11-20T13:59:50Z\",\"token\":\"a\\\"b\"}}}}\n",
                version.0
            );
            assert_eq!(*kubernetes(&sample_context("a\"b"), version), expected);
        }
        assert_eq!(
            ExecApiVersion::from_exec_info(None),
            Some(ExecApiVersion("client.authentication.k8s.io/v1"))
        );
    }

    #[test]
    fn unknown_version_is_rejected() {
        for info in [
            "{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}",
            "{\"apiVersion\":\"v1\"}",
            "{}",
            "",
            "no json",
        ] {
            assert_eq!(ExecApiVersion::from_exec_info(Some(info)), None, "{info}");
        }
    }
}
