//! The files for users: the command, its completions and man pages, and the documents.

use std::fs;
use std::path::{Path, PathBuf};

use super::archive::{Files, gz};
use super::git::Copy;
use crate::error::{Error, Result};
use crate::run::Run;

/// The files, collected once for the archive and the Debian package.
#[derive(Debug)]
pub(super) struct Contents {
    binary: Vec<u8>,
    name: &'static str,
    completions: Vec<(&'static Shell, String)>,
    /// The man pages, by file name.
    pages: Vec<(String, Vec<u8>)>,
    /// Documents of the repository's root, by file name.
    documents: Vec<(&'static str, String)>,
    /// The units of systemd, by their path below `systemd`.
    units: Vec<(&'static str, String)>,
    /// The JSON Schema of the config file.
    schema: Vec<u8>,
    repository: String,
}

/// A shell and the paths of its completions.
#[derive(Debug)]
struct Shell {
    name: &'static str,
    file: &'static str,
    /// The path in the Debian package, if Debian has the shell.
    debian: Option<&'static str>,
}

impl Contents {
    /// Collects the files; `program`, whose bytes are `binary`, prints completions and man pages.
    pub(super) fn collect(
        copy: &Copy,
        (program, binary): (&Path, Vec<u8>),
        name: &'static str,
        scratch: &Path,
        repository: &str,
    ) -> Result<Self> {
        let run = |args: &str| Run::program(&program.to_string_lossy(), args);
        let mut completions = Vec::new();
        for shell in &SHELLS {
            completions.push((shell, run(&format!("completions {}", shell.name)).output()?));
        }
        let folder = scratch.join("man");
        recreate(&folder)?;
        run("man --dir").arg(folder.to_string_lossy()).run()?;
        let mut documents = Vec::new();
        for name in DOCUMENTS {
            documents.push((name, copy.read(name)?));
        }
        let mut units = Vec::new();
        for unit in UNITS {
            units.push((unit, copy.read(&format!("{UNITS_FOLDER}/{unit}"))?));
        }
        let schema = run("config schema").output()?.into();
        let pages = read_all(&folder)?;
        let repository = repository.to_owned();
        Ok(Self { binary, name, completions, pages, documents, units, schema, repository })
    }

    /// Adds a document beside the licences.
    pub(super) fn add_document(&mut self, name: &'static str, text: String) {
        self.documents.push((name, text));
    }

    /// Returns the files of the archive, all in the folder `root`.
    pub(super) fn archive(&self, root: &str) -> Files {
        let mut files = Files::default();
        files.add_program(format!("{root}/{}", self.name), self.binary.as_slice());
        for (name, text) in &self.documents {
            files.add(format!("{root}/{name}"), text.as_str());
        }
        for (shell, text) in &self.completions {
            files.add(format!("{root}/completions/{}", shell.file), text.as_str());
        }
        for (name, page) in &self.pages {
            files.add(format!("{root}/man/man1/{name}"), page.as_slice());
        }
        for (name, unit) in &self.units {
            files.add(format!("{root}/systemd/{name}"), unit.as_str());
        }
        files.add(format!("{root}/{SCHEMA}"), self.schema.as_slice());
        files
    }

    /// Returns the files of the Debian package, at the paths of Debian's policy.
    pub(super) fn debian(&self) -> Result<Files> {
        let mut files = Files::default();
        files.add_program("usr/bin/gatepass", self.binary.as_slice());
        for (shell, text) in &self.completions {
            if let Some(path) = shell.debian {
                files.add(path, text.as_str());
            }
        }
        for (name, page) in &self.pages {
            files.add(format!("usr/share/man/man1/{name}.gz"), gz(page)?);
        }
        for (name, unit) in &self.units {
            files.add(format!("usr/lib/systemd/{name}"), unit.as_str());
        }
        files.add(format!("usr/share/gatepass/{SCHEMA}"), self.schema.as_slice());
        let folder = "usr/share/doc/gatepass";
        for (name, text) in &self.documents {
            match *name {
                "CHANGELOG.md" => files.add(format!("{folder}/changelog.gz"), gz(text.as_bytes())?),
                // Debian has the text of this licence, and `copyright` has the other one.
                "LICENSE-APACHE" => {}
                "LICENSE-MIT" => {
                    files.add(format!("{folder}/copyright"), copyright(text, &self.repository));
                }
                _ => files.add(format!("{folder}/{name}"), text.as_str()),
            }
        }
        Ok(files)
    }
}

/// Returns the copyright file in Debian's machine-readable format.
fn copyright(mit: &str, repository: &str) -> String {
    let (holder, rest) = mit.split_once("\n\n").unwrap_or(("", mit));
    let holder = holder.trim_start_matches("Copyright (c) ").trim();
    let rest: String = rest
        .trim_end()
        .lines()
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: gatepass\nSource: {repository}\n\n\
         Files: *\nCopyright: {holder}\nLicense: MIT or Apache-2.0\n\n\
         License: MIT\n{rest}\n\
         License: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n"
    )
}

/// Creates the folder, or empties it.
pub(super) fn recreate(folder: &Path) -> Result<()> {
    let made = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    };
    made.map_err(|error| Error::failed(format!("{} cannot be created: {error}", folder.display())))
}

/// Reads every file of a folder, by name.
fn read_all(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let bad = |path: &PathBuf, error: &std::io::Error| {
        Error::failed(format!("{} cannot be read: {error}", path.display()))
    };
    let here = folder.to_owned();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| bad(&here, &error))? {
        let path = entry.map_err(|error| bad(&here, &error))?.path();
        let bytes = fs::read(&path).map_err(|error| bad(&path, &error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, bytes));
    }
    files.sort();
    Ok(files)
}

/// The units for the system's service manager and for a user's.
const UNITS: [&str; 2] = ["system/gatepass-keep@.service", "user/gatepass-keep@.service"];
const UNITS_FOLDER: &str = "crates/gatepass-cli/systemd";
const SCHEMA: &str = "config.schema.json";

const SHELLS: [Shell; 5] = [
    Shell {
        name: "bash",
        file: "gatepass.bash",
        debian: Some("usr/share/bash-completion/completions/gatepass"),
    },
    Shell {
        name: "zsh",
        file: "_gatepass",
        debian: Some("usr/share/zsh/vendor-completions/_gatepass"),
    },
    Shell {
        name: "fish",
        file: "gatepass.fish",
        debian: Some("usr/share/fish/vendor_completions.d/gatepass.fish"),
    },
    Shell { name: "powershell", file: "_gatepass.ps1", debian: None },
    Shell { name: "elvish", file: "gatepass.elv", debian: None },
];

const DOCUMENTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_has_each_unit_of_the_repository() {
        let folder = crate::workspace::root().join(UNITS_FOLDER);
        let mut found = Vec::new();
        for manager in ["system", "user"] {
            for (name, _) in read_all(&folder.join(manager)).unwrap() {
                found.push(format!("{manager}/{name}"));
            }
        }
        assert_eq!(found, UNITS);
    }

    #[test]
    fn copyright_has_debians_format() {
        let mit = "Copyright (c) The authors\n\nPermission is\ngranted.\n\nAS IS.\n";
        let text = copyright(mit, "https://x.example");
        assert!(text.contains("Copyright: The authors\nLicense: MIT or Apache-2.0\n"), "{text}");
        assert!(text.contains("License: MIT\n Permission is\n granted.\n .\n AS IS.\n"), "{text}");
    }
}
