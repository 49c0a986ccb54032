//! The steps, and how they are drawn.

use proptest::{prelude::*, sample::Index};
use proptest_state_machine::ReferenceStateMachine;

use super::{
    limits::{Key, Of},
    state::{Model, QUEUES, TENANTS, TYPES},
};

/// A job to dispatch, by the numbers of its tenant, queue and type.
#[derive(Debug, Clone)]
pub(super) struct NewJob {
    pub(super) tenant: usize,
    pub(super) queue: usize,
    pub(super) job_type: usize,
    pub(super) priority: i32,
    pub(super) max_attempts: i32,
    /// Seconds from now; none: at once.
    pub(super) delay: Option<u32>,
}

/// A call that claims.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) worker: usize,
    /// None: `claim_job`.
    pub(super) limit: Option<i32>,
    /// Of which queues, by bits; 0: of all.
    pub(super) queues: usize,
    pub(super) types: usize,
    pub(super) lease: u32,
    /// Whether it goes on where this worker's last claim ended.
    pub(super) goes_on: bool,
    /// Whether it asks for a job that is to run alone; `claim_job` never does.
    pub(super) alone: bool,
}

/// Which lease is meant.
#[derive(Debug, Clone)]
pub(super) struct Pick {
    /// Out of those that are held, or out of all that there ever were.
    pub(super) held: bool,
    pub(super) index: Index,
    pub(super) fence: Fence,
}

/// What is right about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    Right,
    OtherToken,
    OtherAttempt,
    OtherId,
}

/// One settlement of a call.
#[derive(Debug, Clone)]
pub(super) struct Settlement {
    pub(super) pick: Pick,
    pub(super) outcome: &'static str,
    /// Seconds; none where the rule decides.
    pub(super) delay: Option<u32>,
}

/// Who asks: for the tenant of the first job, for another tenant, or for all as an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Owner,
    Stranger,
    Operator,
}

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Dispatch(NewJob),
    DispatchMany(Vec<NewJob>),
    Claim(Claim),
    Settle(usize, Vec<Settlement>),
    SettleAndClaim(Vec<Settlement>, Claim),
    Extend(usize, Vec<Pick>, u32),
    /// Whatever was claimed with the tokens of these leases.
    Release(usize, Vec<Pick>),
    Cancel(Asks, Vec<Index>),
    Retry(Asks, Vec<Index>),
    /// By an operator.
    Delete(Vec<Index>),
    /// The clock goes on by so many seconds.
    Advance(u32),
    Tick,
    /// With a retention of so many hours, by an operator; none: by a worker.
    Prune(Option<u32>),
    /// None takes the limit away.
    Limit(Key, Option<i32>),
    Pause(usize, bool),
    Weight(usize, i16),
}

/// The kinds of steps, in the order of [`Step`].
pub(crate) const KINDS: [&str; 16] = [
    "dispatch",
    "dispatch many",
    "claim",
    "settle",
    "settle and claim",
    "extend",
    "cancel",
    "retry",
    "advance",
    "tick",
    "prune",
    "limit",
    "pause",
    "weight",
    "release",
    "delete",
];

impl Step {
    /// Its place in [`KINDS`].
    pub(super) fn kind(&self) -> usize {
        match self {
            Self::Dispatch(_) => 0,
            Self::DispatchMany(_) => 1,
            Self::Claim(_) => 2,
            Self::Settle(..) => 3,
            Self::SettleAndClaim(..) => 4,
            Self::Extend(..) => 5,
            Self::Cancel(..) => 6,
            Self::Retry(..) => 7,
            Self::Advance(_) => 8,
            Self::Tick => 9,
            Self::Prune(_) => 10,
            Self::Limit(..) => 11,
            Self::Pause(..) => 12,
            Self::Weight(..) => 13,
            Self::Release(..) => 14,
            Self::Delete(_) => 15,
        }
    }
}

/// What the drawing of steps knows: about how many jobs there are that have not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    waiting: usize,
    held: usize,
}

/// Draws the steps.
#[derive(Debug)]
pub(super) struct Steps;

impl ReferenceStateMachine for Steps {
    type State = Shape;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Shape> {
        Just(Shape::default()).boxed()
    }

    /// More dispatches where little waits, more claims where much does, more settlements where much is held.
    fn transitions(shape: &Shape) -> BoxedStrategy<Step> {
        let dispatch = if shape.waiting < 40 { 12 } else { 3 };
        let claim = if shape.waiting > 0 { 14 } else { 3 };
        let settle = if shape.held > 0 { 18 } else { 3 };
        prop_oneof![
            dispatch => new_job().prop_map(Step::Dispatch),
            dispatch / 2 => many_jobs().prop_map(Step::DispatchMany),
            claim => claims().prop_map(Step::Claim),
            settle => (0..2_usize, settlements()).prop_map(|(worker, all)| Step::Settle(worker, all)),
            claim / 3 => (settlements(), claims()).prop_map(|(all, claim)| Step::SettleAndClaim(all, claim)),
            5 => (0..2_usize, prop::collection::vec(pick(), 1..4), lease())
                .prop_map(|(worker, picks, lease)| Step::Extend(worker, picks, lease)),
            3 => (0..2_usize, prop::collection::vec(pick(), 1..3))
                .prop_map(|(worker, picks)| Step::Release(worker, picks)),
            5 => (asks(), indexes()).prop_map(|(by, all)| Step::Cancel(by, all)),
            5 => (asks(), indexes()).prop_map(|(by, all)| Step::Retry(by, all)),
            10 => seconds().prop_map(Step::Advance),
            12 => Just(Step::Tick),
            2 => prop::option::of(1..4_u32).prop_map(Step::Prune),
            5 => (limit(), prop::option::of(0..4_i32)).prop_map(|(key, max)| Step::Limit(key, max)),
            2 => (0..QUEUES.len(), any::<bool>()).prop_map(|(queue, on)| Step::Pause(queue, on)),
            1 => (tenants(), 1..6_i16).prop_map(|(tenant, weight)| Step::Weight(tenant, weight)),
            2 => indexes().prop_map(Step::Delete),
        ]
        .boxed()
    }

    fn apply(mut shape: Shape, step: &Step) -> Shape {
        let claims = |shape: &mut Shape, limit: Option<i32>| {
            let n = usize::try_from(limit.unwrap_or(1)).unwrap_or(0).min(shape.waiting);
            shape.waiting -= n;
            shape.held += n;
        };
        match step {
            Step::Dispatch(_) => shape.waiting += 1,
            Step::DispatchMany(jobs) => shape.waiting += jobs.len(),
            Step::Claim(claim) => claims(&mut shape, claim.limit),
            Step::Settle(_, all) => shape.held = shape.held.saturating_sub(all.len()),
            Step::SettleAndClaim(all, claim) => {
                shape.held = shape.held.saturating_sub(all.len());
                claims(&mut shape, claim.limit);
            }
            Step::Cancel(_, all) | Step::Delete(all) => {
                shape.waiting = shape.waiting.saturating_sub(all.len() / 2);
            }
            Step::Release(_, picks) => shape.held = shape.held.saturating_sub(picks.len()),
            Step::Retry(_, all) => shape.waiting += all.len() / 2,
            _ => {}
        }
        shape
    }
}

/// The first tenant has as much as the others together, so that it has lanes of its own.
fn tenants() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 1 => 0..TENANTS]
}

/// Those of one tenant as often as all others.
fn limit() -> impl Strategy<Value = Key> {
    let own = || tenants().prop_map(|tenant| Of::Tenant(Model::tenant(tenant)));
    let queue = || prop::sample::select(&QUEUES[..]);
    prop_oneof![
        3 => own().prop_map(|of| (of, None)),
        1 => (own(), queue()).prop_map(|(of, queue)| (of, Some(queue))),
        1 => Just((Of::EachTenant, None)),
        1 => queue().prop_map(|queue| (Of::EachTenant, Some(queue))),
        1 => queue().prop_map(|queue| (Of::AllTenants, Some(queue))),
    ]
}

fn new_job() -> impl Strategy<Value = NewJob> {
    (tenants(), 0..QUEUES.len(), 0..TYPES.len(), priority(), 1..4_i32, delay()).prop_map(
        |(tenant, queue, job_type, priority, max_attempts, delay)| NewJob {
            tenant,
            queue,
            job_type,
            priority,
            max_attempts,
            delay,
        },
    )
}

fn priority() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(0), 1 => Just(5), 1 => Just(-5), 1 => Just(100)]
}

fn delay() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![5 => Just(None), 1 => Just(Some(0)), 1 => Just(Some(3)), 1 => Just(Some(40))]
}

/// Either a mixture, or one tenant's flood of one key, which does not fit into a shared lane.
fn many_jobs() -> impl Strategy<Value = Vec<NewJob>> {
    prop_oneof![
        prop::collection::vec(new_job(), 1..8),
        (new_job(), 2..13_usize).prop_map(|(job, n)| vec![job; n]),
    ]
}

fn claims() -> impl Strategy<Value = Claim> {
    let limit = prop_oneof![Just(None), Just(Some(1)), (2..8_i32).prop_map(Some), Just(Some(30))];
    // mostly all queues and types
    let bits = |n: usize| prop_oneof![2 => Just(0), 1 => 1..(1_usize << n)];
    let alone = prop::bool::weighted(0.15);
    (0..2_usize, limit, bits(QUEUES.len()), bits(TYPES.len()), lease(), any::<bool>(), alone)
        .prop_map(|(worker, limit, queues, types, lease, goes_on, alone)| Claim {
            worker,
            limit,
            queues,
            types,
            lease,
            goes_on,
            alone: alone && limit.is_some(),
        })
}

fn lease() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(10), Just(30), Just(3600)]
}

fn pick() -> impl Strategy<Value = Pick> {
    let fence = prop_oneof![
        9 => Just(Fence::Right),
        1 => Just(Fence::OtherToken),
        1 => Just(Fence::OtherAttempt),
        1 => Just(Fence::OtherId),
    ];
    (prop_oneof![5 => Just(true), 1 => Just(false)], any::<Index>(), fence)
        .prop_map(|(held, index, fence)| Pick { held, index, fence })
}

/// Often one, often one outcome for all: these have ways of their own.
fn settlements() -> impl Strategy<Value = Vec<Settlement>> {
    let one = || {
        (pick(), outcome(), prop::option::of(pause())).prop_map(|(pick, outcome, delay)| {
            let delay = if outcome == "snooze" {
                delay.filter(|&seconds| seconds > 0).or(Some(5))
            } else {
                delay.filter(|_| outcome == "retry")
            };
            Settlement { pick, outcome, delay }
        })
    };
    let complete = |mut all: Vec<Settlement>| {
        for one in &mut all {
            one.outcome = "complete";
            one.delay = None;
        }
        all
    };
    prop_oneof![
        prop::collection::vec(one(), 1..6),
        prop::collection::vec(one(), 1..6).prop_map(complete),
        one().prop_map(|one| vec![one]),
    ]
}

fn outcome() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["complete", "retry", "retry", "fail", "snooze", "release", "cancel"][..])
}

fn pause() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(2), Just(60)]
}

fn asks() -> impl Strategy<Value = Asks> {
    prop_oneof![4 => Just(Asks::Owner), 1 => Just(Asks::Stranger), 2 => Just(Asks::Operator)]
}

fn indexes() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 1..6)
}

/// Within a lease, beyond it, beyond a pause, beyond retention.
fn seconds() -> impl Strategy<Value = u32> {
    prop_oneof![
        6 => 1..8_u32,
        4 => Just(31),
        2 => Just(4_000),
        1 => Just(5 * 3600),
        1 => Just(26 * 3600),
    ]
}
