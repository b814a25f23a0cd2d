//! Adding a profile to a config with any other content.

use gatepass_cli::fuzzing::NewProfile;
use toml::{Table, Value};

/// The input has lines for the vendor, the name and the fields (`key=value`, or `key:=value` for a
/// secret), an empty line, and the existing config. A vendor with a `!` replaces the profile.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (head, config) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let (Some(vendor), Some(name)) = (lines.next(), lines.next()) else { return };
    let replaces = vendor.ends_with('!');
    let provider = vendor.trim_end_matches('!');
    let (mut fields, mut secrets) = (Vec::new(), Vec::new());
    for line in lines.take(20) {
        let Some((key, value)) = line.split_once('=') else { return };
        let pair = |key: &str| (key.to_owned(), value.to_owned());
        match key.strip_suffix(':') {
            Some(key) => secrets.push(pair(key)),
            // The content of a file is not part of the input.
            None if key == "ca_file" => return,
            None => fields.push(pair(key)),
        }
    }
    if config.contains("ca_file") || config.contains('\\') {
        return;
    }
    let new = NewProfile {
        provider: provider.to_owned(),
        name: name.to_owned(),
        fields: fields.clone(),
        secrets: secrets.clone(),
        replaces,
    };
    if let Some((after, section)) = new.add_to(config) {
        check_text(config, &after, &section);
        check_values(config, &after, name);
        let after: Table = after.parse().expect("the result is TOML");
        check_profile(&after["profiles"][name], provider, &fields, &secrets);
    }
}

/// Checks that every byte outside the section is unchanged.
fn check_text(before: &str, after: &str, section: &str) {
    let at = after.rfind(section).expect("the result contains the section");
    let (head, tail) = (&after[..at], &after[at + section.len()..]);
    if before.is_empty() || head.starts_with(before) {
        assert!(tail.is_empty(), "more than the section was added");
        let gap = &head[before.len()..];
        assert!(gap.lines().all(|line| line.is_empty() || line.starts_with('#')), "{gap:?}");
        return;
    }
    assert!(before.starts_with(head) && before.ends_with(tail), "other lines were changed");
    assert!(head.len() + tail.len() <= before.len(), "lines are duplicated");
    assert!(head.is_empty() || head.ends_with('\n'), "a line was cut");
    let replaced = before[head.len()..before.len() - tail.len()].trim_start();
    assert!(replaced.starts_with('['), "the replaced text is not a section: {replaced:?}");
}

/// Checks that every other value is unchanged.
fn check_values(before: &str, after: &str, name: &str) {
    let others = |text: &str| {
        let mut table: Table = text.parse().expect("a config is TOML");
        if let Some(profiles) = table.get_mut("profiles").and_then(Value::as_table_mut) {
            profiles.remove(name);
            if profiles.is_empty() {
                table.remove("profiles");
            }
        }
        table
    };
    assert_eq!(others(before), others(after), "another value was changed");
}

fn check_profile(
    profile: &Value,
    provider: &str,
    fields: &[(String, String)],
    secrets: &[(String, String)],
) {
    assert_eq!(profile["provider"].as_str(), Some(provider));
    for (key, text) in fields.iter().filter(|(key, _)| key != "api_origins") {
        let read = match &profile[key.as_str()] {
            Value::Boolean(flag) => flag.to_string(),
            other => other.as_str().expect("a text").to_owned(),
        };
        assert_eq!(read, *text, "{key}");
    }
    // A secret may be repeated; the last line counts.
    for (key, text) in secrets.iter().rev() {
        let is_last =
            secrets.iter().rfind(|(other, _)| other == key) == Some(&(key.clone(), text.clone()));
        if is_last {
            assert_eq!(profile[key.as_str()].as_str(), Some(text.as_str()), "a secret");
        }
    }
    let keys = 1 + fields.len() + secrets.len();
    assert!(profile.as_table().is_some_and(|table| table.len() <= keys), "unexpected keys");
}
