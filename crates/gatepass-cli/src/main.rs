//! The `gatepass` command.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Zeroes freed memory, because libraries copy secrets and free the copies without zeroing them.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    gatepass_cli::main()
}
