//! A token store on Acme's key-value service, which sees sealed values and keyed names only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use gatepass_core::{Clock, Error, Result, async_trait};
use gatepass_engine::{Lease, ProfileKey, Record, SaveOutcome, SealingKeys, StoreKey, TokenStore};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// The service: values by profile and name, a lock per name, and how often a profile was forgotten.
#[derive(Debug, Default)]
struct Service {
    values: HashMap<(String, String), Vec<u8>>,
    locks: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    forgotten: HashMap<String, u64>,
}

/// A store on Acme's service. Its clones are the same store.
#[derive(Clone, Debug)]
pub struct AcmeStore(Arc<Mutex<Service>>, Arc<SealingKeys>, Arc<dyn Clock>);

#[derive(Debug)]
struct AcmeLease {
    store: AcmeStore,
    name: (String, String),
    /// How often the profile had been forgotten when the lease began.
    forgotten: u64,
    _guard: OwnedMutexGuard<()>,
}

impl AcmeStore {
    /// A store that seals with this key.
    pub fn new(key: &[u8; 32], clock: impl Clock + 'static) -> Self {
        let keys = SealingKeys::new("acme store", key, &[], key);
        Self(Arc::default(), Arc::new(keys), Arc::new(clock))
    }

    fn name(&self, key: &StoreKey) -> (String, String) {
        (self.1.name(key.profile().as_bytes()), self.1.name(key.as_bytes()))
    }

    fn read(&self, service: &Service, name: &(String, String)) -> Option<Record> {
        let opened = self.1.open(&name.1, service.values.get(name)?).ok()?;
        Record::decode(&opened.plain).filter(|record| record.is_current(self.now()))
    }
}

#[async_trait]
impl TokenStore for AcmeStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Record>> {
        Ok(self.read(&self.0.lock().unwrap(), &self.name(key)))
    }

    async fn lease(&self, key: &StoreKey, wait: Duration) -> Result<Option<Box<dyn Lease>>> {
        let name = self.name(key);
        let lock = self.0.lock().unwrap().locks.entry(name.1.clone()).or_default().clone();
        let Ok(_guard) = timeout(wait, lock.lock_owned()).await else { return Ok(None) };
        let forgotten = self.0.lock().unwrap().forgotten.get(&name.0).copied().unwrap_or_default();
        Ok(Some(Box::new(AcmeLease { store: self.clone(), name, forgotten, _guard })))
    }

    async fn forget(&self, profile: &ProfileKey) -> Result<usize> {
        let (profile, mut service) = (self.1.name(profile.as_bytes()), self.0.lock().unwrap());
        let before = service.values.len();
        service.values.retain(|name, _| name.0 != profile);
        *service.forgotten.entry(profile).or_default() += 1;
        Ok(before - service.values.len())
    }

    fn now(&self) -> SystemTime {
        self.2.wall()
    }
}

#[async_trait]
impl Lease for AcmeLease {
    async fn save(&self, record: &Record) -> Result<SaveOutcome> {
        let Self { store, name, forgotten, _guard } = self;
        let mut service = store.0.lock().unwrap();
        if service.forgotten.get(&name.0).copied().unwrap_or_default() != *forgotten {
            return Ok(SaveOutcome::Forgotten);
        }
        if !record.replaces(store.read(&service, name).as_ref(), store.now()) {
            return Ok(SaveOutcome::Older);
        }
        let sealed = record.encode().and_then(|plain| store.1.seal(&name.1, 0, 0, &plain));
        let sealed = sealed.ok_or_else(|| Error::internal("the record cannot be sealed"))?;
        service.values.insert(name.clone(), sealed);
        Ok(SaveOutcome::Kept)
    }
}

#[cfg(test)]
mod tests {
    use gatepass_testkit::{TestClock, store::StoreFixture};

    fn open(clock: TestClock) -> StoreFixture {
        StoreFixture::new(super::AcmeStore::new(&[7; 32], clock))
    }

    gatepass_testkit::store_contract!(super::open);
}
