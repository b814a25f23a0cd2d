//! `cargo xtask sbom`: the bill of materials of the command, as CycloneDX 1.5.
//!
//! cargo-cyclonedx would replace about eighty lines. Its references are cargo's package ids, which for
//! the crates of a workspace are absolute paths, so that its document differs between machines and
//! contains their folders. It also writes a file into the folder of every member.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::output;
use crate::parts::{self, Id, Part, Parts};
use crate::run::Run;

const HELP: &str = "\
cargo xtask sbom [--features F] [--target T] [FILE]

Writes the components of the command `gatepass` as CycloneDX 1.5 JSON: every crate that is compiled
into it for one set of features and one target, with version, licence, checksum and dependencies.
The same commit gives the same bytes.

  --features F  features of the build, `default` by default
  --target T    target of the build, x86_64-unknown-linux-gnu by default
  FILE          file to write, target/gatepass.cdx.json by default";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    parts::main(arguments, HELP, "target/gatepass.cdx.json", write)
}

/// Writes the bill of materials of one build.
pub(crate) fn write(path: &Path, features: &str, target: &str) -> Result<()> {
    let parts = Parts::read(features, target)?;
    let text = format!("{:#}\n", bill(&parts, target, &timestamp()?));
    fs::write(path, text)
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    output::line(format_args!("{}: {} components", path.display(), parts.all.len() - 1));
    Ok(())
}

fn bill(parts: &Parts, target: &str, timestamp: &str) -> Value {
    let mut command = component("application", &parts.root, &parts.all[&parts.root]);
    command["properties"] = json!([
        {"name": "gatepass:features", "value": parts.features},
        {"name": "gatepass:target", "value": target},
    ]);
    let others = parts.all.iter().filter(|(id, _)| **id != parts.root);
    let needs = |part: &Part| part.needs.iter().map(purl).collect::<Vec<_>>();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": timestamp,
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [
                {"type": "application", "name": "cargo xtask sbom", "version": parts.root.version},
            ]},
            "component": command,
        },
        "components": others
            .map(|(id, part)| component("library", id, part))
            .collect::<Vec<_>>(),
        "dependencies": parts.all.iter()
            .map(|(id, part)| json!({"ref": purl(id), "dependsOn": needs(part)}))
            .collect::<Vec<_>>(),
    })
}

fn component(kind: &str, id: &Id, part: &Part) -> Value {
    let purl = purl(id);
    let mut component = json!({
        "type": kind,
        "bom-ref": purl,
        "name": id.name,
        "version": id.version,
        "purl": purl,
        "licenses": [{"expression": part.licence}],
    });
    if let Some(checksum) = &part.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(repository) = &part.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

/// Returns the package URL, which is also the reference within the document.
fn purl(id: &Id) -> String {
    format!("pkg:cargo/{}@{}", id.name, id.version.replace('+', "%2B"))
}

/// Returns the time of the sources: `SOURCE_DATE_EPOCH`, otherwise the commit's time.
#[expect(clippy::disallowed_methods, reason = "package builders set this variable")]
fn timestamp() -> Result<String> {
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds,
        Err(_) => Run::new("git log -1 --format=%ct").output()?,
    };
    rfc3339(seconds.trim())
}

fn rfc3339(seconds: &str) -> Result<String> {
    let parsed = seconds.parse().ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    parsed.map(|time| time.to_string()).ok_or_else(|| {
        Error::failed(format!("invalid SOURCE_DATE_EPOCH `{seconds}`: expected seconds since 1970"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parts::TARGET;
    use crate::workspace;

    fn texts(bill: &Value, list: &str, field: &str) -> BTreeSet<String> {
        let list = bill[list].as_array().unwrap();
        let all: BTreeSet<String> =
            list.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect();
        assert_eq!(all.len(), list.len(), "each is listed once");
        all
    }

    fn written(name: &str, features: &str, target: &str) -> (String, Value) {
        let path = workspace::path(&format!("target/{name}.cdx.json"));
        write(&path, features, target).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let bill = serde_json::from_str(&text).unwrap();
        (text, bill)
    }

    /// Returns the crates from `cargo tree`, with another selection than the one of the document.
    fn shown_by_cargo(features: &str, target: &str) -> BTreeSet<String> {
        let tree = Run::new(&format!(
            "cargo tree --locked -p gatepass-cli --no-default-features --features {features} \
             --target {target} -e no-dev,no-build --prefix none --format {{p}}"
        ));
        let tree = tree.output().unwrap();
        let ids = tree.lines().filter(|line| !line.is_empty()).map(|line| {
            let (name, rest) = line.split_once(" v").unwrap();
            let version = rest.split(' ').next().unwrap().replace('+', "%2B");
            format!("pkg:cargo/{name}@{version}")
        });
        ids.collect()
    }

    #[test]
    fn components_are_the_crates_of_the_build() {
        for target in [TARGET, "x86_64-pc-windows-msvc"] {
            let (_, bill) = written("bill-all", "default", target);
            let mut all = texts(&bill, "components", "bom-ref");
            assert!(!all.iter().any(|one| one.contains("/tempdir") || one.contains("proptest")));
            all.insert(bill["metadata"]["component"]["bom-ref"].as_str().unwrap().to_owned());
            assert_eq!(all, shown_by_cargo("default", target));
            assert_eq!(texts(&bill, "dependencies", "ref"), all);
        }
    }

    #[test]
    fn components_depend_on_the_features() {
        let (_, one) = written("bill-one", "cisco", TARGET);
        let all = texts(&one, "components", "purl");
        let has =
            |name: &str| all.iter().any(|purl| purl.starts_with(&format!("pkg:cargo/{name}@")));
        assert!(has("provider-cisco") && !has("provider-huawei") && !has("keyring-core"));
        assert_eq!(one["metadata"]["component"]["properties"][0]["value"], "cisco");
    }

    #[test]
    fn registry_crates_have_checksum_and_licence() {
        let (text, bill) = written("bill-hash", "cisco", TARGET);
        for component in bill["components"].as_array().unwrap() {
            let name = component["name"].as_str().unwrap();
            let ours = name.starts_with("gatepass") || name.starts_with("provider-");
            let hash = component["hashes"][0]["content"].as_str();
            assert_eq!(hash.map(str::len), (!ours).then_some(64), "{name}");
            assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty());
        }
        let folder = workspace::root().display().to_string();
        assert!(!text.contains(&folder), "it contains a path of this machine");
    }

    #[test]
    fn same_sources_give_the_same_bytes() {
        assert_eq!(written("bill-a", "cisco", TARGET).0, written("bill-b", "cisco", TARGET).0);
    }

    #[test]
    fn timestamp_is_seconds_since_1970() {
        assert_eq!(rfc3339("1700000000").unwrap(), "2023-11-14T22:13:20Z");
        assert!(rfc3339("yesterday").is_err());
    }

    #[test]
    fn version_is_escaped_in_the_package_url() {
        let id = Id { name: "a".to_owned(), version: "1.0.0+spec-1".to_owned() };
        assert_eq!(purl(&id), "pkg:cargo/a@1.0.0%2Bspec-1");
    }
}
