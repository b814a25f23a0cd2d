//! The credential helper protocol of docker.

use zeroize::Zeroizing;

use super::{HandOut, Text, quoted};

/// What docker takes for "ask without a credential".
pub(super) const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// The login for a registry. The user is any name but `<token>`, which would make docker trade
/// the secret for another one first.
pub(super) fn reply(it: &HandOut<'_>, server: &str) -> Text {
    let (server, secret) = (quoted(server), quoted(it.secret));
    Zeroizing::new(format!(
        "{{\"ServerURL\":{},\"Username\":\"{}\",\"Secret\":{}}}\n",
        *server,
        super::git::USERNAME,
        *secret
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn the_reply_names_the_server_as_it_was_asked_for() {
        let expected = "{\"ServerURL\":\"r.example:5000\",\"Username\":\"x-token\",\
                        \"Secret\":\"a\\\"b\"}\n";
        assert_eq!(*reply(&hand_out("a\"b"), "r.example:5000"), expected);
    }
}
