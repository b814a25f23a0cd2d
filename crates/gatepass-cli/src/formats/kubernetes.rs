//! ExecCredential: what kubectl and its kin read from an exec plug-in.

use serde_json::Value;
use zeroize::Zeroizing;

use super::{HandOut, Text, quoted};
use crate::output::rfc3339;

/// A version of the protocol; the answer's must be the question's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiVersion(&'static str);

impl ApiVersion {
    /// Reads `KUBERNETES_EXEC_INFO`; nothing if it asks for a version that is not known. Somebody
    /// who tries it by hand has no such variable.
    pub(crate) fn asked(exec_info: Option<&str>) -> Option<Self> {
        let Some(info) = exec_info else { return Some(Self(KNOWN[0])) };
        let info: Value = serde_json::from_str(info).ok()?;
        let asked = info.get("apiVersion")?.as_str()?;
        KNOWN.into_iter().find(|known| *known == asked).map(Self)
    }
}

/// The variable that holds the question.
pub(crate) const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// The credential, with its end a little early: the client goes by it to the second.
pub(crate) fn kubernetes(it: &HandOut<'_>, version: ApiVersion) -> Text {
    let (secret, ends, version) = (quoted(it.secret), rfc3339(it.use_until), version.0);
    Zeroizing::new(format!(
        "{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\",\"status\":\
         {{\"expirationTimestamp\":\"{ends}\",\"token\":{}}}}}\n",
        *secret
    ))
}

const KNOWN: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn the_version_asked_for_is_answered() {
        for version in KNOWN {
            let info = format!("{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\"}}");
            let version = ApiVersion::asked(Some(&info)).unwrap();
            let expected = format!(
                "{{\"apiVersion\":\"{}\",\"kind\":\"ExecCredential\",\"status\":\
                 {{\"expirationTimestamp\":\"2026-11-20T13:59:50Z\",\"token\":\"a\\\"b\"}}}}\n",
                version.0
            );
            assert_eq!(*kubernetes(&hand_out("a\"b"), version), expected);
        }
        assert_eq!(ApiVersion::asked(None), Some(ApiVersion("client.authentication.k8s.io/v1")));
    }

    #[test]
    fn another_version_is_refused() {
        for info in [
            "{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}",
            "{\"apiVersion\":\"v1\"}",
            "{}",
            "",
            "no json",
        ] {
            assert_eq!(ApiVersion::asked(Some(info)), None, "{info}");
        }
    }
}
