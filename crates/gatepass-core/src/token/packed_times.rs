//! A token's times, packed into two integers.

use std::time::{Duration, SystemTime};

use super::{Expiry, MAX_LIFETIME};

/// A token's lifetime in nanoseconds (30 days are 52 bits) and the expiry's source in two bits.
#[derive(Clone, Copy)]
pub(super) struct PackedLifetime(u64);

impl PackedLifetime {
    const EXPIRIES: [Expiry; 4] =
        [Expiry::Vendor, Expiry::Jwt, Expiry::Configured, Expiry::Assumed];

    pub(super) fn new(length: Duration, expiry: Expiry) -> Self {
        let length = u64::try_from(length.min(MAX_LIFETIME).as_nanos()).unwrap_or_default();
        Self(length << 2 | expiry as u64)
    }

    pub(super) fn length(self) -> Duration {
        Duration::from_nanos(self.0 >> 2)
    }

    pub(super) fn expiry(self) -> Expiry {
        Self::EXPIRIES[(self.0 & 3) as usize]
    }
}

/// Returns the nanoseconds since 1970, clamped to the years 1677 to 2262.
pub(super) fn nanos(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

pub(super) fn from_nanos(nanos: i64) -> SystemTime {
    let since = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { SystemTime::UNIX_EPOCH - since } else { SystemTime::UNIX_EPOCH + since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_nanoseconds() {
        let odd = Duration::new(1_800_000_000, 123_456_789);
        for at in [SystemTime::UNIX_EPOCH + odd, SystemTime::UNIX_EPOCH - odd] {
            assert_eq!(from_nanos(nanos(at)), at);
        }
        let past_2262 = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000);
        assert!(from_nanos(nanos(past_2262)) < past_2262);
        for length in [Duration::from_nanos(1), odd.min(MAX_LIFETIME) - Duration::from_nanos(1)] {
            for expiry in PackedLifetime::EXPIRIES {
                let lifetime = PackedLifetime::new(length, expiry);
                assert_eq!((lifetime.length(), lifetime.expiry()), (length, expiry));
            }
        }
    }
}
