//! Where the response of `gatepass call` goes: stdout, or a file that is replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gatepass::Error;
use tempfile::NamedTempFile;

use crate::error::{CommandError, describe_io, usage};
use crate::output::Output;

/// Where a response goes.
pub(super) enum Destination<'a> {
    /// Stdout.
    Stdout(&'a Output),
    /// A new file, which gets its name when it is complete.
    New { file: NamedTempFile, path: PathBuf },
    /// Something that cannot be replaced, such as a device or a pipe.
    Open { file: File, path: PathBuf },
}

/// The value of `-o`.
pub(super) struct OutputFile {
    path: PathBuf,
}

impl OutputFile {
    /// Checks the path before a request is sent. `None` stands for stdout, as `-` does.
    pub(super) fn check(path: Option<&Path>) -> Result<Option<Self>, CommandError> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(None) };
        let problem = match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Some(String::from("it is a directory")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Some(describe_io(&error)),
            _ if !directory(path).is_dir() => Some(String::from("its directory does not exist")),
            _ => None,
        };
        match problem {
            None => Ok(Some(Self { path: path.to_owned() })),
            Some(problem) => Err(usage(
                format!("-o: cannot write {}: {problem}", path.display()),
                "name a file in a directory that exists, or - for stdout",
            )),
        }
    }

    /// Opens the file, which stays unchanged until [`Destination::finish`].
    pub(super) fn open(&self) -> Result<Destination<'static>, CommandError> {
        self.create().map_err(|error| write_error(&self.path, &error))
    }

    fn create(&self) -> io::Result<Destination<'static>> {
        // A link stays, and the file that it leads to is replaced.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let existing = fs::metadata(&path).ok();
        if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
            let file = File::options().write(true).open(&path)?;
            return Ok(Destination::Open { file, path });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".gatepass-call-");
        // The mode of other programs' files, as the umask allows.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(directory(&path))?;
        if let Some(meta) = existing {
            file.as_file().set_permissions(meta.permissions())?;
        }
        Ok(Destination::New { file, path })
    }
}

impl Destination<'_> {
    /// Returns whether the response is shown on a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout(output) if output.is_terminal())
    }

    /// Writes bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        match self {
            Self::Stdout(output) => output.bytes(bytes),
            Self::New { file, path } => {
                file.write_all(bytes).map_err(|error| write_error(path, &error))
            }
            Self::Open { file, path } => {
                file.write_all(bytes).map_err(|error| write_error(path, &error))
            }
        }
    }

    /// Gives a complete file its name.
    pub(super) fn finish(self) -> Result<(), CommandError> {
        let Self::New { file, path } = self else { return Ok(()) };
        // Otherwise a crash of the machine could leave an empty file under the name.
        let synced = file.as_file().sync_data();
        synced
            .and_then(|()| file.persist(&path).map_err(|error| error.error))
            .map(drop)
            .map_err(|error| write_error(&path, &error))
    }
}

/// Returns the directory of a file.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| *dir != Path::new("")).unwrap_or_else(|| Path::new("."))
}

fn write_error(path: &Path, error: &io::Error) -> CommandError {
    let what = format!("-o: cannot write {}", path.display());
    if let Some(error) = Error::machine_limit(&what, error) {
        return error.into();
    }
    let message = format!("{what}: {}", describe_io(error));
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem => {
            usage(message, "name a file in a directory that you may write to")
        }
        _ => Error::internal(message).hint("the file is unchanged; check the disk space").into(),
    }
}
