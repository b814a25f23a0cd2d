//! Headers for curl: `curl -H @-` and `curl -K -`.

use http::HeaderMap;
use zeroize::Zeroizing;

use super::context::SecretString;

/// Formats each header as a line, for `curl -H @-`.
pub(crate) fn header(headers: &HeaderMap) -> SecretString {
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in fields(headers) {
        lines.extend([name, ": ", value, "\n"]);
    }
    lines
}

/// Formats the headers as a curl config file, for `curl -K -`.
pub(crate) fn curl(headers: &HeaderMap) -> SecretString {
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in fields(headers) {
        lines.extend(["header = \"", name, ": "]);
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                lines.push('\\');
            }
            lines.push(character);
        }
        lines.push_str("\"\n");
    }
    lines
}

/// Returns names and values, with `Authorization` capitalized as users expect it.
fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| {
        let name = if name == "authorization" { "Authorization" } else { name.as_str() };
        (name, value.to_str().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers.insert("ocp-apim-subscription-key", HeaderValue::from_static("key-1"));
        headers
    }

    #[test]
    fn each_header_is_a_line() {
        let expected = "Authorization: Bearer a\"b\\c\nocp-apim-subscription-key: key-1\n";
        assert_eq!(*header(&headers("a\"b\\c")), expected);
    }

    #[test]
    fn config_escapes_quotes_and_backslashes() {
        let expected = "header = \"Authorization: Bearer a\\\"b\\\\c$`'\"\n\
                        header = \"ocp-apim-subscription-key: key-1\"\n";
        assert_eq!(*curl(&headers("a\"b\\c$`'")), expected);
    }
}
