//! Operation: everything that can happen to a source, and how often the model lets it happen.

use proptest::prelude::*;

/// How many sources there are. The first has most of the traffic, the last a vendor that is known
/// to give the same token until its end.
pub(crate) const SOURCES: usize = 3;

/// One thing that happens. Numbers of callers, requests and tokens are taken modulo how many
/// there are.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Ask {
        source: usize,
        want: Want,
    },
    Peek {
        source: usize,
    },
    /// Drops a caller who waits.
    Drop {
        caller: usize,
    },
    /// Lets a request have its answer.
    Release {
        request: usize,
    },
    /// What the vendor does with requests from now on, and whether without waiting for a release.
    Vendor {
        source: usize,
        does: Does,
        promptly: bool,
    },
    /// Changes the secret.
    Rotate {
        source: usize,
    },
    /// Invalidates the token that was handed out last, or one before.
    Invalidate {
        source: usize,
        back: usize,
    },
    /// Somebody invalidates the token while the vendor is asked, who is about to give it again.
    InvalidateDuring {
        source: usize,
    },
    /// So many callers report that the last token was refused, and ask for another.
    Report {
        source: usize,
        callers: usize,
    },
    /// Time passes, for the machine and for the vendor.
    Pass {
        milliseconds: u64,
    },
    /// The machine sleeps.
    Suspend {
        seconds: u64,
    },
    /// Somebody sets the wall clock.
    SetWall {
        seconds: i64,
    },
    Close {
        source: usize,
    },
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Token,
    /// A token with so many seconds left.
    Lasting(u64),
    Fresh,
}

/// What a vendor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// A new token with so many seconds of life.
    Mints(u64),
    /// The same token until its end, then a new one.
    Repeats(u64),
    /// 500.
    Breaks,
    /// 429, with or without `Retry-After`.
    Throttles(Option<u64>),
    /// 503 with `Retry-After`.
    IsAway(u64),
    /// 401 to the secret of now and all before it.
    Refuses,
    /// 200 with a web page.
    Babbles,
    Panics,
    NeverAnswers,
}

pub(crate) fn operation() -> BoxedStrategy<Operation> {
    const YEARS: i64 = 10 * 365 * 24 * 3600;
    let source = || prop_oneof![4 => Just(0), 1 => 1..SOURCES];
    let pass = prop_oneof![0..300u64, 0..20_000u64, 0..400_000u64, 0..4_000_000u64];
    prop_oneof![
        12 => (source(), want()).prop_map(|(source, want)| Operation::Ask { source, want }),
        1 => source().prop_map(|source| Operation::Peek { source }),
        3 => any::<usize>().prop_map(|caller| Operation::Drop { caller }),
        8 => any::<usize>().prop_map(|request| Operation::Release { request }),
        5 => (source(), does(), any::<bool>()).prop_map(|(source, does, promptly)| {
            Operation::Vendor { source, does, promptly }
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

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        6 => Just(Want::Token),
        2 => (0..5000u64).prop_map(Want::Lasting),
        1 => Just(Want::Fresh),
    ]
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => (1..5000u64).prop_map(Does::Mints),
        2 => (1..5000u64).prop_map(Does::Repeats),
        2 => Just(Does::Breaks),
        2 => prop_oneof![Just(None), (0..7200u64).prop_map(Some)].prop_map(Does::Throttles),
        1 => (0..7200u64).prop_map(Does::IsAway),
        2 => Just(Does::Refuses),
        1 => Just(Does::Babbles),
        1 => Just(Does::Panics),
        1 => Just(Does::NeverAnswers),
    ]
}
