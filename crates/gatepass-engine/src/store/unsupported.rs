//! FileStore where there is none yet: opening it says so.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepass_core::{Clock, Error, Result, async_trait};

use super::{Lease, ProfileKey, Record, StoreKey, TokenStore};

/// An encrypted store in a folder. On this system there is none yet.
#[derive(Clone, Debug)]
pub struct FileStore(Infallible);

impl FileStore {
    /// An error of kind `Config`.
    pub fn open(_: impl AsRef<Path>) -> Result<Self> {
        Err(Error::config("tokens are not kept in files on this system yet"))
    }

    /// Asks this clock what has ended.
    pub fn with_clock(self, _: impl Clock + 'static) -> Self {
        match self.0 {}
    }

    /// Notes exchanges under this name.
    pub fn with_process_name(self, _: &str) -> Self {
        match self.0 {}
    }

    /// There is none.
    pub fn default_dir(_: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
        None
    }
}

#[async_trait]
impl TokenStore for FileStore {
    async fn load(&self, _: &StoreKey) -> Result<Option<Record>> {
        match self.0 {}
    }

    async fn lease(&self, _: &StoreKey, _: Duration) -> Result<Option<Box<dyn Lease>>> {
        match self.0 {}
    }

    async fn forget(&self, _: &ProfileKey) -> Result<usize> {
        match self.0 {}
    }
}
