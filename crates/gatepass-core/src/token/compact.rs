//! Compact: a token's times in two integers.

use std::time::{Duration, SystemTime};

use super::{Expiry, MAX_LIFETIME};

/// How long a token lives, in nanoseconds (30 days are 52 bits), and two bits that say who says so.
#[derive(Clone, Copy)]
pub(super) struct Life(u64);

impl Life {
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

/// Nanoseconds since 1970; a moment before 1677 or after 2262 is moved there.
pub(super) fn nanos(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

pub(super) fn moment(nanos: i64) -> SystemTime {
    let since = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { SystemTime::UNIX_EPOCH - since } else { SystemTime::UNIX_EPOCH + since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_the_nanosecond() {
        let odd = Duration::new(1_800_000_000, 123_456_789);
        for at in [SystemTime::UNIX_EPOCH + odd, SystemTime::UNIX_EPOCH - odd] {
            assert_eq!(moment(nanos(at)), at);
        }
        let past_2262 = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000);
        assert!(moment(nanos(past_2262)) < past_2262);
        for length in [Duration::from_nanos(1), odd.min(MAX_LIFETIME) - Duration::from_nanos(1)] {
            for expiry in Life::EXPIRIES {
                let life = Life::new(length, expiry);
                assert_eq!((life.length(), life.expiry()), (length, expiry));
            }
        }
    }
}
