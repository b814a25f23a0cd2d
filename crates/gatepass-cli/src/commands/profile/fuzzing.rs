//! Entry points for fuzzing: a profile added to a config's text, without a file or a terminal.

use std::future::Future as _;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gatepass::config::Config;
use gatepass::provider::Registry;
use zeroize::Zeroizing;

use super::config_file::ConfigFile;
use super::edit::{ConfigText, toml_string};
use super::plan::ProfilePlan;
use super::prompts::{ProfileInput, ProfileValues};
use super::secrets::SecretTargets;
use crate::options::{Common, Format};
use crate::output::Output;

/// A profile as the arguments and the input of `gatepass profile add` describe it.
#[derive(Clone, Debug)]
pub struct NewProfile {
    /// The vendor.
    pub provider: String,
    /// The profile's name.
    pub name: String,
    /// The values of `--field`.
    pub fields: Vec<(String, String)>,
    /// The secrets of standard input, which are written to the config.
    pub secrets: Vec<(String, String)>,
    /// Whether it replaces a profile with this name.
    pub replaces: bool,
}

impl NewProfile {
    /// Returns the config's text with the profile, and the section alone, or `None` if the profile
    /// is rejected.
    pub fn add_to(self, config: &str) -> Option<(String, String)> {
        Config::from_toml(config).ok()?;
        let registry = Registry::linked().ok()?;
        let info = registry.get(&self.provider).ok()?;
        Config::from_toml(&format!("[profiles.{}]", toml_string(&self.name).as_str())).ok()?;
        let secrets = self.secrets.into_iter().map(|(name, text)| (name, Zeroizing::new(text)));
        let input = ProfileInput {
            fields: self.fields,
            secrets: secrets.collect(),
            at_terminal: false,
            all: false,
            dry_run: false,
        };
        let common = Common {
            config: None,
            set: Vec::new(),
            format: Some(Format::Json),
            quiet: true,
            verbose: 0,
        };
        let output = Output::new(&common, String::new());
        let collected = pin!(ProfileValues::collect(&info, &input, &output))
            .poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(values)) = collected else { return None };
        let file = ConfigFile::at(PathBuf::from("/nonexistent/gatepass.toml")).ok()?;
        let (name, replaces, targets) = (self.name, self.replaces, SecretTargets::Config);
        let origins = String::new();
        let plan = ProfilePlan { name, info, file, replaces, values, targets, origins };
        plan.check(&registry).ok()?;
        let section = plan.section();
        let config = ConfigText::new(Zeroizing::new(config.to_owned()));
        let text = config.with_profile(&plan.name, &section, replaces).ok()?;
        Some((text.to_string(), section.to_string()))
    }
}
