//! `fairclaim demo`: the main job of a queue, for real, in under a minute.
//!
//! Fifty tenants, one of which floods; three worker processes, one of which is killed half-way. A
//! live picture, and in the end a summary that is checked against the database.

mod crew;
mod database;
mod frame;
mod plan;
mod queries;
mod screen;
mod verdict;
mod view;
mod worker;

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use fairclaim::{Client, Dispatch};
use indicatif::HumanCount;
use tokio::time::sleep;
use uuid::Uuid;

use crate::error::Hinted;
use crate::global::Global;
use crate::output;
use crate::signals::Signals;
use crate::words::wrapped;
use crew::{Crew, Orders};
use database::Database;
use plan::{DemoJob, Plan, Share};
use queries::{Progress, Scope};
use verdict::Evidence;
use view::{Look, View};

pub(crate) use worker::{DemoWorkerArgs, run as run_worker};

/// What one job does: wait this long, as a call to another service would.
const WORK: Duration = Duration::from_millis(5);
const LEASE: Duration = Duration::from_secs(5);
/// How many jobs one worker runs at once.
const CONCURRENCY: usize = 16;
/// What a worker claims beyond the jobs that it runs: this much work.
const AHEAD: Duration = Duration::from_millis(100);
/// How many of the jobs have been started when a worker is killed, in per cent.
const KILL_AT: usize = 40;
/// How many jobs one call dispatches.
const BATCH: usize = 5000;
/// How often the database is asked where the jobs are.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How often the workers' own reports are looked at, so that the kill comes when it should.
const BEAT: Duration = Duration::from_millis(50);

/// What this program is called.
const NAME: &str = "fairclaim";
/// How long after the end of a lease its job may still wait for the tick that gives it back.
const LATE: Duration = Duration::from_secs(1);
/// How wide the summary is at most: a wider one is not easier to read.
const SUMMARY_MAX: usize = 100;

const EXAMPLES: &str = "\
Examples:
  fairclaim demo --jobs 1000 --tenants 5";

/// With no database given it starts a private PostgreSQL in a temporary folder, and removes it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Jobs that the flooding tenant dispatches
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    jobs: u32,
    /// Tenants, of which the first floods and the others have a few jobs each
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u16).range(2..=500))]
    tenants: u16,
    /// Worker processes, one of which will be killed
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u8).range(2..=16))]
    workers: u8,
    /// Leave the private PostgreSQL running, and say how to look around in it
    #[arg(long)]
    keep: bool,
    /// Never download PostgreSQL's programs
    #[arg(long)]
    offline: bool,
}

pub(crate) async fn run(global: &Global, args: DemoArgs) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let mut crew = Crew::default();
    let mut database = None;
    let ended = tokio::select! {
        ended = perform(global, &args, &mut crew, &mut database) => ended,
        () = signals.graceful() => Err(interruption(global).into()),
    };
    crew.stop().await;
    let interrupted = ended
        .as_ref()
        .is_err_and(|error| error.downcast_ref::<Hinted>().is_some_and(Hinted::is_interruption));
    let has_one = database.as_ref().is_some_and(|database| !database.is_private());
    match database {
        Some(database) if database.is_private() && (interrupted || !args.keep) => {
            database.stop().await;
        }
        Some(database) => output::line(database.keep(ended.is_err()))?,
        None if interrupted => output::line("Nothing was dispatched yet.")?,
        None => {}
    }
    if ended.is_ok() && (has_one || !args.keep) {
        output::line(next_steps(&database::program(), has_one))?;
    }
    ended
}

fn interruption(global: &Global) -> Hinted {
    let left = match database::given(global.database_url.as_deref()) {
        Some(_) => "what stays in your database is said above",
        None => "nothing is left behind",
    };
    let hint = format!("{left}; `fairclaim demo --jobs 10000` is over sooner");
    Hinted::interrupted("interrupted", hint)
}

/// Runs the whole of it. `crew` and `database` belong to the caller, which ends them however this
/// ends.
async fn perform(
    global: &Global,
    args: &DemoArgs,
    crew: &mut Crew,
    database: &mut Option<Database>,
) -> anyhow::Result<()> {
    let run = &Uuid::new_v4().simple().to_string()[..8];
    let started = Instant::now();
    let mut view = View::new();
    view.waiting(database::opening(global))?;
    let opened = Database::open(global, run, args.offline).await?;
    let database = database.insert(opened);
    let queue = database.queue.clone();
    let plan = Plan::new(run, queue, usize::from(args.tenants), args.jobs as usize)?;

    view.say(&format!("{} in {:.1} s", database.story(), started.elapsed().as_secs_f64()))?;
    let scope = dispatch(&database.client, &plan, &mut view).await?;

    let prefix = if database.is_private() { String::new() } else { format!("{run}-") };
    let workers: Vec<String> = (1..=args.workers).map(|n| format!("{prefix}worker-{n}")).collect();
    let orders = Orders {
        url: database.url().to_owned(),
        queue: plan.queue.clone(),
        concurrency: CONCURRENCY,
        lease: LEASE,
        work: WORK,
        connection: global.connection.into(),
    };
    let begun = queries::clock(&database.client).await?;
    for id in &workers {
        crew.start(id.clone(), &orders)?;
    }
    let (client, victim) = (&database.client, &*workers[1]);
    let play = Play { client, plan: &plan, scope: &scope, begun, victim };
    let course = play.watch(crew, &mut view).await?;
    crew.stop().await;
    view.end();
    play.judge(&course, workers.len()).await
}

/// Says what to do after the demo, in a database of one's own; `has_one` when this was one.
fn next_steps(program: &str, has_one: bool) -> String {
    let mut text = "\nTry next:\n".to_owned();
    if program != NAME {
        text.push_str(&format!("  alias {NAME}={program}\n"));
    }
    if !has_one {
        text.push_str(&format!(
            "  {NAME} demo --keep      # the same, and a look around in its database\n  \
             export DATABASE_URL=postgres://…      # your own: a login with CREATEROLE\n  \
             {NAME} migrate --grant-self\n"
        ));
    }
    text.push_str(&format!(
        "  {NAME} dispatch --tenant acme --type greet --payload '{{\"name\": \"Ada\"}}'\n  \
         {NAME} work --exec greet=cat --drain --show-output all\n  \
         {NAME} jobs list --limit 5"
    ));
    text
}

/// Dispatches the flood first, then a few jobs for every other tenant. Answers where the run's ids
/// lie.
async fn dispatch(client: &Client, plan: &Plan, view: &mut View) -> anyhow::Result<Scope> {
    let started = Instant::now();
    let (mut first, mut last, mut count) = (None, None, 0);
    for share in &plan.shares {
        for batch in batches(plan, share)? {
            let ids = client.dispatch_many(batch).await?;
            count += ids.len();
            first = first.or(ids.first().copied());
            last = ids.last().copied().or(last);
            view.dispatching(count, plan.total())?;
        }
    }
    let (Some(first), Some(last)) = (first, last) else {
        anyhow::bail!("the plan of the demo is empty")
    };
    view.clear()?;
    view.say(&format!(
        "dispatched {} jobs in {:.1} s: first {} by {}, and behind them {} each by {} other tenants",
        HumanCount(count as u64),
        started.elapsed().as_secs_f64(),
        HumanCount(plan.flood().jobs as u64),
        plan.flood().name,
        plan.small()[0].jobs,
        plan.small().len(),
    ))?;
    Ok(Scope { tenants: plan.tenant_ids(), first, last })
}

fn batches(plan: &Plan, share: &Share) -> anyhow::Result<Vec<Vec<Dispatch>>> {
    let numbers: Vec<usize> = (1..=share.jobs).collect();
    let batch = |numbers: &[usize]| {
        let job =
            |&number| Ok(Dispatch::new(&share.tenant, &DemoJob { number })?.queue(&plan.queue));
        numbers.iter().map(job).collect::<anyhow::Result<Vec<_>>>()
    };
    numbers.chunks(BATCH).map(batch).collect()
}

/// A run of the demo: who takes part, and since when.
struct Play<'a> {
    client: &'a Client,
    plan: &'a Plan,
    scope: &'a Scope,
    /// When the workers were started, by the clock of the database.
    begun: SystemTime,
    victim: &'a str,
}

/// What has happened.
#[derive(Debug, Default)]
struct Course {
    /// When a worker was killed, and the jobs that it held.
    killed: Option<Instant>,
    held: Vec<Uuid>,
    /// How long everything took, and how much of that nothing was left but jobs of the dead worker.
    took: Duration,
    waited: Duration,
}

impl Play<'_> {
    /// Watches until every job is finished, and kills one worker on the way.
    async fn watch(&self, crew: &mut Crew, view: &mut View) -> anyhow::Result<Course> {
        let started = Instant::now();
        let (mut course, mut looked, mut told) = (Course::default(), None::<Instant>, false);
        let mut only_leases = None::<Instant>;
        view.begin();
        loop {
            crew.check()?;
            let claims = crew.claims().values().sum::<u64>();
            if course.killed.is_none() && claims as usize * 100 >= self.plan.total() * KILL_AT {
                course.killed = Some(Instant::now());
                course.held = self.kill(crew, view).await?;
            }
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
                looked = Some(Instant::now());
                let progress = queries::progress(self.client, self.scope, self.begun).await?;
                let finished: usize = progress.values().map(|progress| progress.finished).sum();
                let leases = self.leases(&progress, &course);
                only_leases = only_leases.or(leases.map(|_| Instant::now()));
                told = told || self.tell_when_small_are_done(&progress, view)?;
                let workers = crew.alive();
                view.show(self.plan, &Look { progress: &progress, claims, workers, leases })?;
                if finished >= self.plan.total() {
                    course.took = started.elapsed();
                    course.waited = only_leases.map_or(Duration::ZERO, |since| since.elapsed());
                    return Ok(course);
                }
            }
            sleep(BEAT).await;
        }
    }

    /// Tells when nothing is left but what the dead worker held: how many jobs, and after how many
    /// seconds at most another worker may have them.
    fn leases(&self, progress: &HashMap<Uuid, Progress>, course: &Course) -> Option<(usize, u64)> {
        let killed = course.killed.filter(|_| !course.held.is_empty())?;
        let sum = |count: fn(&Progress) -> usize| progress.values().map(count).sum::<usize>();
        let left = self.plan.total() - sum(|progress| progress.finished);
        let only = left > 0 && sum(|progress| progress.waiting) == 0 && left <= course.held.len();
        let until = LEASE + LATE;
        only.then(|| (left, until.saturating_sub(killed.elapsed()).as_secs() + 1))
    }

    /// Tells the point of it all, at the moment when it happens.
    fn tell_when_small_are_done(
        &self,
        progress: &HashMap<Uuid, Progress>,
        view: &mut View,
    ) -> anyhow::Result<bool> {
        let small = self.plan.small().len();
        let (done, seconds) = view::small_done(self.plan, progress);
        let flood = progress.get(&self.plan.flood().tenant.uuid()).copied().unwrap_or_default();
        if done < small {
            return Ok(false);
        }
        let flood = match flood.waiting {
            0 => String::new(),
            waiting => {
                format!(", while {} jobs of the flood still wait", HumanCount(waiting as u64))
            }
        };
        view.say(&format!("{done} of {small} small tenants are done after {seconds:.1} s{flood}"))?;
        Ok(true)
    }

    /// Kills the victim with SIGKILL and answers what it had claimed and not settled.
    async fn kill(&self, crew: &mut Crew, view: &mut View) -> anyhow::Result<Vec<Uuid>> {
        crew.kill(self.victim).await?;
        // The server may still be at the victim's last statement, whose effect counts: it is over
        // when two looks in a row see the same. Leases last much longer than this takes.
        let mut held = queries::held(self.client, self.scope, self.victim).await?;
        loop {
            sleep(Duration::from_millis(150)).await;
            let again = queries::held(self.client, self.scope, self.victim).await?;
            if again == held {
                break;
            }
            held = again;
        }
        view.say(&format!(
            "killed {} with SIGKILL: it held {} jobs, which come back when their leases of {} s end",
            self.victim,
            HumanCount(held.len() as u64),
            LEASE.as_secs(),
        ))?;
        Ok(held)
    }

    /// Reads the evidence, prints the summary, and fails when a promise was broken.
    async fn judge(&self, course: &Course, workers: usize) -> anyhow::Result<()> {
        let held = &*course.held;
        let flood = self.plan.flood().tenant.uuid();
        let evidence = Evidence {
            totals: queries::totals(self.client, self.scope).await?,
            served: queries::served(self.client, self.scope, flood, held, self.begun).await?,
            killed: self.victim.to_owned(),
            was_killed: course.killed.is_some(),
            held: held.len(),
            recovered: queries::recovered(self.client, held, self.victim).await?,
            workers,
            in_hand: CONCURRENCY * (1 + (AHEAD.as_millis() / WORK.as_millis()) as usize),
            took: course.took,
            waited: course.waited,
        };
        let checks = verdict::checks(self.plan, &evidence);
        output::line(wrapped(&verdict::summary(&checks, &evidence), summary_width(), 4))?;
        if checks.iter().all(|check| check.kept != Some(false)) {
            return Ok(());
        }
        Err(Hinted::failed(
            "not every promise was kept (see ✘ above)",
            "run it again with --keep and look at the jobs; if it happens again, please report it",
        )
        .into())
    }
}

fn summary_width() -> usize {
    screen::size().0.saturating_sub(1).min(SUMMARY_MAX)
}
