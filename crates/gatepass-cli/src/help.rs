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

/// `list`'s.
pub(crate) const LIST: &str = "\
Examples:
  gatepass list
  gatepass list --format json | jq -r '.[].profile'";

/// `providers`'.
pub(crate) const PROVIDERS: &str = "\
Examples:
  gatepass providers
  gatepass providers --format json | jq -r '.[].id'";

/// `profile`'s.
pub(crate) const PROFILE: &str = "\
Examples:
  gatepass profile add celerdata --name lake-prod
  gatepass profile remove lake-prod
  gatepass profile allow lake-prod
  gatepass profile add --help";

/// `completions`'.
pub(crate) const COMPLETIONS: &str = "\
Examples:
  source <(gatepass completions bash)                    in ~/.bashrc or, for zsh, ~/.zshrc
  gatepass completions bash > ~/.local/share/bash-completion/completions/gatepass
  gatepass completions fish > ~/.config/fish/completions/gatepass.fish
  gatepass completions zsh > ~/.zfunc/_gatepass          a folder of $fpath
  eval (gatepass completions elvish | slurp)             in ~/.config/elvish/rc.elv
  gatepass completions powershell | Out-String | Invoke-Expression      in $PROFILE

A folder has to be there: mkdir -p ~/.local/share/bash-completion/completions
The script asks gatepass for the names, which reads the config file but no secret and no token.";

/// `man`'s.
pub(crate) const MAN: &str = "\
Examples:
  gatepass man | man -l -
  gatepass man --dir ~/.local/share/man/man1 && man gatepass-token";
