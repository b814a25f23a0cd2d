//! Text below the options of `gatepass --help`: examples, exit codes, variables and files.
//!
//! A line without indentation that ends in a colon starts a section. The man pages have the same
//! sections (see `man.rs`).

/// The text for `gatepass -h`.
pub(crate) const SHORT: &str = "\
Examples:
  gatepass demo                                  try every vendor: no configuration, no network
  gatepass init                                  create your first profile
  gatepass token cisco                           print the token
  gatepass token cisco --format header | curl -H @- https://apix.cisco.com/hello
  gatepass call cisco /hello                     send an API request with a fresh token
  gatepass exec cisco -- ./report.sh             run a program with the token in its environment

Exit codes:
  0 ok   1 internal   2 usage or config   3 refused by the vendor   4 login needed
  5 throttled   6 vendor or network down, or no usable response   8 token shorter than --min-ttl
  9 `call --fail`: the API rejected the request";

const VARIABLES_AND_FILES: &str = "

Environment:
  GATEPASS_CONFIG                the config file, unless --config names one
  GATEPASS_STATE_DIR             the directory of encrypted tokens and history
  GATEPASS_<PROFILE>_<KEY>       one key of a profile that no config file defines
  GATEPASS_<PROFILE>_<KEY>_FILE  a file that contains the value of that key
  HTTPS_PROXY, NO_PROXY          the proxy for connections to vendors, and the exceptions
  NO_COLOR                       print without colors
  RUST_LOG                       a log filter for stderr, used instead of -v

Files:
  $XDG_CONFIG_HOME/gatepass/config.toml   profiles; ~/.config if the variable is not set
  /etc/gatepass/config.toml               profiles of a user who has no such file
  $XDG_STATE_HOME/gatepass                cached tokens; ~/.local/state if it is not set";

/// Returns the text for `gatepass --help`.
pub(crate) fn long() -> String {
    [SHORT, VARIABLES_AND_FILES].concat()
}
