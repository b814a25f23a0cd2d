//! Header fields for curl: `curl -H @-` and `curl -K -`.

use http::HeaderMap;
use zeroize::Zeroizing;

use super::{Text, fields};

/// A line for each header field, as `curl -H @-` reads them.
pub(crate) fn header(headers: &HeaderMap) -> Text {
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in fields(headers) {
        lines.extend([name, ": ", value, "\n"]);
    }
    lines
}

/// A config of curl's, as `curl -K -` reads it.
pub(crate) fn curl(headers: &HeaderMap) -> Text {
    let mut lines = Zeroizing::new(String::new());
    for (name, value) in fields(headers) {
        lines.extend(["header = \"", name, ": "]);
        for letter in value.chars() {
            if matches!(letter, '"' | '\\') {
                lines.push('\\');
            }
            lines.push(letter);
        }
        lines.push_str("\"\n");
    }
    lines
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
    fn a_header_is_a_line() {
        let expected = "Authorization: Bearer a\"b\\c\nocp-apim-subscription-key: key-1\n";
        assert_eq!(*header(&headers("a\"b\\c")), expected);
    }

    #[test]
    fn a_config_quotes_what_ends_a_text_there() {
        let expected = "header = \"Authorization: Bearer a\\\"b\\\\c$`'\"\n\
                        header = \"ocp-apim-subscription-key: key-1\"\n";
        assert_eq!(*curl(&headers("a\"b\\c$`'")), expected);
    }
}
