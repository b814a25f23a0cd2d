//! The operations of the model, and how often each is generated.

use proptest::prelude::*;

/// Number of sources. The first has most of the traffic. The vendor of the last is known to return
/// the same token until it expires.
pub(crate) const SOURCES: usize = 3;

/// One operation. Indices of callers, requests and tokens are taken modulo their number.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Acquire {
        source: usize,
        requirement: ModelRequirement,
    },
    Peek {
        source: usize,
    },
    /// Drops a waiting caller.
    Drop {
        caller: usize,
    },
    /// Lets a request get its response.
    Release {
        request: usize,
    },
    /// Sets what the vendor does with requests, and whether it responds without a release.
    Vendor {
        source: usize,
        action: VendorAction,
        responds_at_once: bool,
    },
    /// Changes the secret.
    Rotate {
        source: usize,
    },
    /// Invalidates the latest returned token, or an earlier one.
    Invalidate {
        source: usize,
        back: usize,
    },
    /// Invalidates the token during an exchange that returns the same one.
    InvalidateDuring {
        source: usize,
    },
    /// Several callers report the latest token as rejected, and acquire another.
    Report {
        source: usize,
        callers: usize,
    },
    /// Advances the clocks of the machine and of the vendor.
    Pass {
        milliseconds: u64,
    },
    /// Suspends the machine.
    Suspend {
        seconds: u64,
    },
    /// Sets the wall clock.
    SetWall {
        seconds: i64,
    },
    Close {
        source: usize,
    },
}

/// The token that a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelRequirement {
    Any,
    /// A token with this remaining lifetime in seconds.
    Remaining(u64),
    Fresh,
}

/// What a vendor does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VendorAction {
    /// Issues a new token with this lifetime in seconds.
    IssuesNew(u64),
    /// Returns the same token until it expires, then a new one.
    ReturnsSame(u64),
    /// 500.
    ServerError,
    /// 429, with or without `Retry-After`.
    RateLimits(Option<u64>),
    /// 503 with `Retry-After`.
    Unavailable(u64),
    /// 401 for the current secret and all earlier ones.
    Denies,
    /// 200 with a web page.
    WebPage,
    Panics,
    NeverResponds,
}

pub(crate) fn operation() -> BoxedStrategy<Operation> {
    const YEARS: i64 = 10 * 365 * 24 * 3600;
    let source = || prop_oneof![4 => Just(0), 1 => 1..SOURCES];
    let pass = prop_oneof![0..300u64, 0..20_000u64, 0..400_000u64, 0..4_000_000u64];
    prop_oneof![
        12 => (source(), requirement()).prop_map(|(source, requirement)| Operation::Acquire { source, requirement }),
        1 => source().prop_map(|source| Operation::Peek { source }),
        3 => any::<usize>().prop_map(|caller| Operation::Drop { caller }),
        8 => any::<usize>().prop_map(|request| Operation::Release { request }),
        5 => (source(), action(), any::<bool>()).prop_map(|(source, action, responds_at_once)| {
            Operation::Vendor { source, action, responds_at_once }
        }),
        2 => source().prop_map(|source| Operation::Rotate { source }),
        2 => (source(), 0..3usize)
            .prop_map(|(source, back)| Operation::Invalidate { source, back }),
        1 => source().prop_map(|source| Operation::InvalidateDuring { source }),
        1 => (source(), 1..4usize)
            .prop_map(|(source, callers)| Operation::Report { source, callers }),
        7 => pass.prop_map(|milliseconds| Operation::Pass { milliseconds }),
        1 => (0..100_000u64).prop_map(|seconds| Operation::Suspend { seconds }),
        2 => prop_oneof![-YEARS..YEARS, -5000..5000i64]
            .prop_map(|seconds| Operation::SetWall { seconds }),
        1 => source().prop_map(|source| Operation::Close { source }),
    ]
    .boxed()
}

fn requirement() -> impl Strategy<Value = ModelRequirement> {
    prop_oneof![
        6 => Just(ModelRequirement::Any),
        2 => (0..5000u64).prop_map(ModelRequirement::Remaining),
        1 => Just(ModelRequirement::Fresh),
    ]
}

fn action() -> impl Strategy<Value = VendorAction> {
    prop_oneof![
        6 => (1..5000u64).prop_map(VendorAction::IssuesNew),
        2 => (1..5000u64).prop_map(VendorAction::ReturnsSame),
        2 => Just(VendorAction::ServerError),
        2 => prop_oneof![Just(None), (0..7200u64).prop_map(Some)].prop_map(VendorAction::RateLimits),
        1 => (0..7200u64).prop_map(VendorAction::Unavailable),
        2 => Just(VendorAction::Denies),
        1 => Just(VendorAction::WebPage),
        1 => Just(VendorAction::Panics),
        1 => Just(VendorAction::NeverResponds),
    ]
}
