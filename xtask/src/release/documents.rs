//! The version in the documents' examples of dependencies.

use semver::Version;

/// Returns the document with the new version in dependencies on our crates.
pub(super) fn raised(text: &str, from: &Version, to: &Version) -> String {
    let (from, to) = (requirement(from), requirement(to));
    let lines = text.split_inclusive('\n').map(|line| match is_of_ours(line) {
        true => line.replacen(&from, &to, 1),
        false => line.to_owned(),
    });
    lines.collect()
}

/// Returns whether the line is a dependency on one of our crates.
fn is_of_ours(line: &str) -> bool {
    let (name, _) = line.split_once(" = ").unwrap_or_default();
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_name
        && (name == "gatepass" || name.starts_with("gatepass-") || name.starts_with("provider-"))
}

/// Returns the version requirement that the documents use.
fn requirement(version: &Version) -> String {
    format!("\"{}.{}\"", version.major, version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::manifests;
    use crate::run::Run;
    use crate::workspace;

    #[test]
    fn only_our_crates_get_the_new_version() {
        let text = "gatepass = { version = \"0.1\", features = [\"cisco\"] }\n\
                    gatepass-core = \"0.1\"\nprovider-cisco = \"0.1\"\nother = \"0.1\"\n\
                    In 0.1 gatepass = \"0.1\" was new.";
        let wanted = "gatepass = { version = \"1.2\", features = [\"cisco\"] }\n\
                      gatepass-core = \"1.2\"\nprovider-cisco = \"1.2\"\nother = \"0.1\"\n\
                      In 0.1 gatepass = \"0.1\" was new.";
        assert_eq!(raised(text, &Version::new(0, 1, 7), &Version::new(1, 2, 3)), wanted);
    }

    #[test]
    fn documents_require_the_current_version() {
        let version = manifests::version(&workspace::read("Cargo.toml").unwrap()).unwrap();
        let mut found = 0;
        for name in Run::new("git ls-files *.md").output().unwrap().lines() {
            let text = workspace::read(name).unwrap();
            for line in text.lines().filter(|line| is_of_ours(line) && !line.contains("path = ")) {
                found += 1;
                assert!(line.contains(&requirement(&version)), "{name}: {line}");
            }
        }
        assert!(found >= 4, "{found}");
    }
}
