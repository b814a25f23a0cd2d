//! A copy of the workspace below target/, for tasks that change files and build the result.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::run::Run;
use crate::workspace;

/// Brings the copy in `folder` up to date with the committed and the new files of the workspace, and
/// removes all other files from it. Unchanged files keep their time, so that cargo does not build
/// them again.
pub(crate) fn update(folder: &str) -> Result<()> {
    let copy = workspace::path(folder);
    let failed = |error| Error::failed(format!("{folder} cannot be written: {error}"));
    let list = Run::new("git ls-files -z --cached --others --exclude-standard").output()?;
    let files: BTreeSet<&str> = list.split('\0').filter(|name| !name.is_empty()).collect();
    for name in &files {
        let to = copy.join(name);
        // The index also has files that are deleted but not committed yet.
        let Ok(content) = fs::read(workspace::path(name)) else { continue };
        if fs::read(&to).is_ok_and(|current| current == content) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(&copy)).map_err(failed)?;
        fs::write(&to, content).map_err(failed)?;
    }
    remove_others(&copy, &copy, &files).map_err(failed)
}

fn remove_others(copy: &Path, folder: &Path, files: &BTreeSet<&str>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(copy, &path, files)?;
            // Fails for a folder that still has files.
            let _ = fs::remove_dir(&path);
        } else {
            let name = path.strip_prefix(copy).unwrap_or(&path).to_string_lossy().into_owned();
            if !files.contains(name.as_str()) || !workspace::path(&name).exists() {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_has_the_files_of_the_workspace_only() {
        let folder = "target/copy-test";
        workspace::write(&format!("{folder}/xtask/extra/old.txt"), "old").unwrap();
        update(folder).unwrap();
        let copy = workspace::path(folder);
        let same = fs::read(copy.join("xtask/Cargo.toml")).unwrap();
        let extra = copy.join("xtask/extra").exists();
        fs::remove_dir_all(&copy).unwrap();
        assert_eq!(same, fs::read(workspace::path("xtask/Cargo.toml")).unwrap());
        assert!(!extra);
    }
}
