//! The suite: the model as a state machine, and the runs that look at one promise or at all.

use std::fmt::Write;
use std::panic::resume_unwind;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use tokio::runtime::Runtime;

use crate::operation::{Operation, operation};
use crate::property::{Property, Violation};
use crate::world::World;

/// How many operations a case has, at most.
const OPERATIONS: usize = 40;
/// How far the wall clock is ever set off: times beyond some centuries cannot be written down.
const CENTURY: i64 = 100 * 365 * 24 * 3600;

/// What does not depend on the engine: the engine's own seed, and which promise is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) focus: Option<Property>,
    /// How far the wall clock has been set off, in seconds.
    pub(crate) wall: i64,
}

/// A world and its runtime, whose time stands still until the world moves it.
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
        running.told(outcome);
        running
    }

    fn teardown(mut running: Running, _: Plan) {
        let outcome = running.end();
        running.told(outcome);
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

    /// A broken promise ends the case, without the hook that prints every panic of a search.
    fn told(&self, outcome: Result<(), Violation>) {
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

/// As many cases as usual, from a seed that can be given again.
fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(fastrand::u64(..));
    }
    config
}

/// Looks at one promise, or at all.
pub(crate) fn keeps(focus: Option<Property>) {
    let config = config();
    let seed = config.rng_seed;
    if let Err(broken) = run(focus, config) {
        panic!("{broken}\nrepeat it with PROPTEST_RNG_SEED={seed}");
    }
}

/// Runs every case twice: the same seed gives the same course of events.
pub(crate) fn is_repeatable() {
    let config = config();
    let seed = config.rng_seed;
    if let Err(broken) = repeats(config) {
        panic!("{broken}\nrepeat it with PROPTEST_RNG_SEED={seed}");
    }
}

/// Which operations break the promise; the text begins with its number.
pub(crate) fn run(focus: Option<Property>, config: Config) -> Result<(), String> {
    let strategy = Machine::sequential_strategy(1..OPERATIONS)
        .prop_map(move |(plan, operations, seen)| (Plan { focus, ..plan }, operations, seen));
    let outcome = TestRunner::new(config.clone()).run(&strategy, |(plan, operations, seen)| {
        // How far a case came is counted for the sake of making it smaller.
        let seen = seen.filter(|_| config.max_shrink_iters > 0);
        Machine::test_sequential(config.clone(), plan, operations, seen);
        Ok(())
    });
    told(outcome, |(plan, operations, _)| (plan.clone(), operations.clone()))
}

/// Runs every case twice and compares all that happened.
pub(crate) fn repeats(config: Config) -> Result<(), String> {
    let strategy = Machine::sequential_strategy(1..OPERATIONS);
    let outcome = TestRunner::new(config).run(&strategy, |(plan, operations, _)| {
        let [one, other] = [(), ()].map(|()| Running::new(&plan).trace(&operations));
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        match differs {
            None if one.len() == other.len() => Ok(()),
            _ => Err(TestCaseError::fail(format!("I20 is broken: {differs:?}"))),
        }
    });
    told(outcome, |(plan, operations, _)| (plan.clone(), operations.clone()))
}

fn told<T>(
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
