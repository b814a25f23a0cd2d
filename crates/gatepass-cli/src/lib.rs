//! The `gatepass` command as a library, for building a command with further providers.
//!
//! ```no_run
//! // use provider_acme as _;
//! fn main() -> std::process::ExitCode {
//!     gatepass_cli::Program::new("acme-gatepass", env!("CARGO_PKG_VERSION")).main()
//! }
//! ```
//!
//! The command's own binary zeroes all memory that it frees. A library cannot install an allocator,
//! so add the crate `zeroizing-alloc` to your command and write
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
//!     zeroizing_alloc::ZeroAlloc(std::alloc::System);
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |-|-|
//! | `all-providers` | the five vendors; on by default |
//! | `celerdata` | a vendor: CelerData Cloud |
//! | `cisco` | a vendor: Cisco |
//! | `cloudneeti` | a vendor: Cloudneeti (Zscaler CSPM) |
//! | `configapi` | a vendor: Bright Pattern's Configuration API |
//! | `huawei` | a vendor: Huawei OneAccess |
//! | `keyring` | secrets from the user's keyring; on by default |
//! | `webpki-roots` | Mozilla's root certificates, used if the platform has none |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod acquire;
mod args;
mod arguments;
mod atomic_file;
mod browser;
mod callback;
mod commands;
mod completion;
mod error;
mod exit;
mod formats;
#[cfg(all(feature = "__fuzzing", unix))]
#[doc(hidden)]
pub mod fuzzing;
mod hardening;
mod help;
mod json_text;
mod options;
mod output;
mod program;
mod progress;
mod prompt;
mod quote;
mod screen;
mod separator;
mod session;
mod signal;
mod suggestion;
mod usage;
mod verbose;
mod wait;
mod warnings;
mod wrap;

use std::io;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::CommandFactory;
use tokio::runtime::{Builder, Runtime};

use crate::args::Args;
use crate::output::Output;
pub use crate::program::Program;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Runs the command `gatepass`: parses the command line and returns the exit code. A command with
/// another name is a [`Program`].
pub fn main() -> ExitCode {
    run()
}

impl Program {
    /// Runs the command: parses the command line and returns the exit code.
    pub fn main(self) -> ExitCode {
        self.set();
        run()
    }
}

fn run() -> ExitCode {
    hardening::disable_dumps();
    hardening::survive_file_size_limit();
    output::report_panics_by_location();
    if let Some(code) = completion::complete(|| program::named(Args::command())) {
        return code;
    }
    let (args, command_name) = match Args::parse_named() {
        Ok(parsed) => parsed,
        Err(error) => return usage::report(&error),
    };
    let output = Output::new(&args.common, command_name);
    output.log();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return output.fail(&error::internal("cannot start", &error), None),
    };
    let config = args.common.config.clone();
    let run = AssertUnwindSafe(|| runtime.block_on(commands::run(args, &output)));
    let done = catch_unwind(run).unwrap_or_else(|_| Err(output.internal_error()));
    // A secret's command that still runs must not delay the exit.
    runtime.shutdown_background();
    match done {
        Ok(code) => {
            output.flush_warnings();
            code
        }
        Err(error) => output.fail(&error, config.as_deref()),
    }
}

/// Creates the runtime. tokio panics if the system has no file descriptors left for its signal
/// pipes, so this function first checks that some are available.
fn runtime() -> io::Result<Runtime> {
    #[cfg(unix)]
    drop([UnixStream::pair()?, UnixStream::pair()?, UnixStream::pair()?]);
    Builder::new_current_thread().enable_all().build()
}
