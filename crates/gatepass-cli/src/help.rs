//! What stands below the options: examples, exit codes, variables and files.
//!
//! A line without indentation that ends in a colon begins a section; man pages have the same.

/// The whole command's, as `-h` shows it.
pub(crate) const SHORT: &str = "\
Examples:
  gatepass demo                                  every vendor, no configuration, no network
  gatepass init                                  your first profile: asks, writes it, and tries it
  gatepass token cisco                           the token alone on stdout
  gatepass token cisco --format header | curl -H @- https://api.cisco.com/hello
  gatepass call cisco /hello                     an API request with a fresh token
  gatepass exec cisco -- ./report.sh             a program with the token in its environment

Exit codes:
  0 ok   1 internal   2 usage or config   3 refused by the vendor   4 login needed
  5 throttled   6 vendor or network down, or no usable answer   8 token shorter than --min-ttl";

const PLACES: &str = "

Environment:
  GATEPASS_CONFIG                the config file, where --config names none
  GATEPASS_STATE_DIR             where tokens are kept, encrypted
  GATEPASS_<PROFILE>_<KEY>       a profile that no file defines, key by key
  GATEPASS_<PROFILE>_<KEY>_FILE  the same, read from a file
  HTTPS_PROXY, NO_PROXY          the way to a vendor, and where not to take it
  NO_COLOR                       no colours
  RUST_LOG                       what to log on stderr, in place of -v

Files:
  $XDG_CONFIG_HOME/gatepass/config.toml   the profiles; ~/.config where that is not set
  $XDG_STATE_HOME/gatepass                kept tokens; ~/.local/state where that is not set";

/// The whole command's, as `--help` shows it.
pub(crate) fn long() -> String {
    [SHORT, PLACES].concat()
}
