//! The model as a state machine, and the runs that check one property or all.

use std::fmt::Write;
use std::panic::resume_unwind;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use tokio::runtime::Runtime;

use crate::operation::{Operation, operation};
use crate::property::{Property, Violation};
use crate::world::World;

/// Maximum number of operations in a case.
const OPERATIONS: usize = 40;
/// Maximum error of the wall clock in seconds: later times do not fit into a token.
const CENTURY: i64 = 100 * 365 * 24 * 3600;

/// The inputs of a case: the engine's seed and the property to check.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) focus: Option<Property>,
    /// Error of the wall clock in seconds.
    pub(crate) wall: i64,
}

/// A world and its runtime, whose time only the world advances.
pub(crate) struct Running {
    runtime: Runtime,
    world: World,
}

pub(crate) struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Plan;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Plan> {
        any::<u64>().prop_map(|seed| Plan { seed, focus: None, wall: 0 }).boxed()
    }

    fn transitions(_: &Plan) -> BoxedStrategy<Operation> {
        operation()
    }

    fn apply(mut plan: Plan, operation: &Operation) -> Plan {
        if let Operation::SetWall { seconds } = operation {
            plan.wall += seconds;
        }
        plan
    }

    fn preconditions(plan: &Plan, operation: &Operation) -> bool {
        match operation {
            Operation::SetWall { seconds } => (plan.wall + seconds).abs() < CENTURY,
            _ => true,
        }
    }
}

impl StateMachineTest for Machine {
    type SystemUnderTest = Running;
    type Reference = Self;

    fn init_test(plan: &Plan) -> Running {
        Running::new(plan)
    }

    fn apply(mut running: Running, _: &Plan, operation: Operation) -> Running {
        let outcome = running.step(&operation);
        running.end_if_violated(outcome);
        running
    }

    fn teardown(mut running: Running, _: Plan) {
        let outcome = running.end();
        running.end_if_violated(outcome);
    }
}

impl Running {
    pub(crate) fn new(plan: &Plan) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let world = World::new(plan.seed, plan.focus);
        Self { runtime, world }
    }

    fn step(&mut self, operation: &Operation) -> Result<(), Violation> {
        self.runtime.block_on(self.world.step(operation))
    }

    fn end(&mut self) -> Result<(), Violation> {
        self.runtime.block_on(self.world.end())
    }

    /// Ends the case if a property is violated, without the hook that prints every panic.
    fn end_if_violated(&self, outcome: Result<(), Violation>) {
        if let Err(violation) = outcome {
            let trace = self.world.trace.join("\n    ");
            resume_unwind(Box::new(format!("{violation}\n    {trace}")));
        }
    }

    fn trace(mut self, operations: &[Operation]) -> Vec<String> {
        for operation in operations {
            let _ = self.step(operation);
        }
        self.world.trace
    }
}

/// The seed with which every mutant in `tests/mutants` is found.
const FIXED_SEED: u64 = 1;

/// Checks one property, or all.
pub(crate) fn check(focus: Option<Property>) {
    check_with_seeds(|config| run(focus, config));
}

/// Checks that the same seed gives the same events.
pub(crate) fn check_repeatable() {
    check_with_seeds(run_twice);
}

/// Runs the cases with the fixed seed and with a random one, or with that of `PROPTEST_RNG_SEED`.
fn check_with_seeds(run: impl Fn(Config) -> Result<(), String>) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let seeds = match config.rng_seed {
        RngSeed::Random => vec![FIXED_SEED, fastrand::u64(..)],
        RngSeed::Fixed(seed) => vec![seed],
    };
    for seed in seeds {
        let config = Config { rng_seed: RngSeed::Fixed(seed), ..config.clone() };
        if let Err(violation) = run(config) {
            panic!("{violation}\nrepeat with PROPTEST_RNG_SEED={seed}");
        }
    }
}

/// Runs the cases. The error starts with the violated property.
pub(crate) fn run(focus: Option<Property>, config: Config) -> Result<(), String> {
    let strategy = Machine::sequential_strategy(1..OPERATIONS)
        .prop_map(move |(plan, operations, seen)| (Plan { focus, ..plan }, operations, seen));
    let outcome = TestRunner::new(config.clone()).run(&strategy, |(plan, operations, seen)| {
        // The counter of executed operations is needed for shrinking only.
        let seen = seen.filter(|_| config.max_shrink_iters > 0);
        Machine::test_sequential(config.clone(), plan, operations, seen);
        Ok(())
    });
    describe(outcome, |(plan, operations, _)| (plan.clone(), operations.clone()))
}

/// Runs every case twice and compares the events.
pub(crate) fn run_twice(config: Config) -> Result<(), String> {
    let strategy = Machine::sequential_strategy(1..OPERATIONS);
    let outcome = TestRunner::new(config).run(&strategy, |(plan, operations, _)| {
        let [one, other] = [(), ()].map(|()| Running::new(&plan).trace(&operations));
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        match differs {
            None if one.len() == other.len() => Ok(()),
            _ => Err(TestCaseError::fail(format!("I20 is violated: {differs:?}"))),
        }
    });
    describe(outcome, |(plan, operations, _)| (plan.clone(), operations.clone()))
}

fn describe<T>(
    outcome: Result<(), TestError<T>>,
    case: impl Fn(&T) -> (Plan, Vec<Operation>),
) -> Result<(), String> {
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
        Err(TestError::Fail(reason, value)) => {
            let (plan, operations) = case(&value);
            let mut text = format!("{reason}\nwith {plan:?} and\n");
            for operation in operations {
                let _ = writeln!(text, "    {operation:?}");
            }
            Err(text)
        }
    }
}
