//! What claimers know, and whether a limit was exceeded at some moment of it.

use std::{collections::BTreeMap, time::Instant};

use uuid::Uuid;

/// What a limit counts: of one tenant in one queue, in all queues (''), or of all tenants (nil) in one queue.
pub(super) type Key = (Uuid, String);

/// A job that surely ran: from the answer of the claim that took it until its settlement was sent.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    pub(super) tenant: Uuid,
    pub(super) queue: String,
    /// When its claim was sent.
    pub(super) sent: Instant,
    pub(super) from: Instant,
    pub(super) until: Instant,
}

/// A limit from when it may have been in force until when it may still have been.
#[derive(Debug, Clone, Copy)]
struct Setting {
    max: i64,
    from: Instant,
    until: Option<Instant>,
}

/// Everything that was noted.
#[derive(Debug, Default)]
pub(super) struct Books {
    limits: BTreeMap<Key, Vec<Setting>>,
    pub(super) ran: Vec<Ran>,
    /// Times that somebody counted what runs, and what was beyond a limit then.
    pub(super) samples: usize,
    pub(super) beyond: Vec<String>,
    /// How many connections died, and settlements that came too late.
    pub(super) deaths: usize,
    pub(super) late: usize,
}

impl Books {
    /// A limit is set: the statement was sent and answered at these times.
    pub(super) fn set(&mut self, key: Key, max: i64, sent: Instant, answered: Instant) {
        let settings = self.limits.entry(key).or_default();
        if let Some(last) = settings.last_mut() {
            last.until = Some(answered);
        }
        settings.push(Setting { max, from: sent, until: None });
    }

    /// What a limit allowed at most in this time.
    fn most(&self, key: &Key, from: Instant, until: Instant) -> Option<i64> {
        let settings = self.limits.get(key)?.iter();
        let then = settings
            .filter(|setting| setting.from <= until && setting.until.is_none_or(|end| end >= from));
        then.map(|setting| setting.max).max()
    }

    /// Notes what runs at one moment, by key.
    pub(super) fn sample(&mut self, counts: &[(Key, i64)]) {
        self.samples += 1;
        for (key, count) in counts {
            let settings = self.limits.get(key).into_iter().flatten();
            if settings.map(|setting| setting.max).max().is_some_and(|most| *count > most) {
                self.beyond.push(format!("{}: {count} were seen to run", name(key)));
            }
        }
    }

    pub(super) fn sampled_beyond(&self) -> usize {
        self.beyond.len()
    }

    /// Every time that more ran under a limit than it allowed.
    pub(super) fn exceeded(&self) -> Vec<String> {
        let mut by_key: BTreeMap<&Key, Vec<&Ran>> = BTreeMap::new();
        for key in self.limits.keys() {
            by_key.insert(key, Vec::new());
        }
        for ran in &self.ran {
            for (tenant, queue) in
                [(ran.tenant, ""), (ran.tenant, &*ran.queue), (Uuid::nil(), &*ran.queue)]
            {
                if let Some(list) = by_key.get_mut(&(tenant, queue.to_owned())) {
                    list.push(ran);
                }
            }
        }
        let replayed = by_key.into_iter().flat_map(|(key, all)| self.exceeded_of(key, &all));
        self.beyond.iter().cloned().chain(replayed).collect()
    }

    /// The moments to look at are those at which a claim was answered. Of all that ran then, the claim that counted last saw
    /// all others. That is none that was answered before another of them was sent; and the limit that it went by was in force
    /// at some time between its own sending and answer.
    fn exceeded_of(&self, key: &Key, all: &[&Ran]) -> Vec<String> {
        let mut exceeded = Vec::new();
        for at in all.iter().map(|ran| ran.from) {
            let then: Vec<&&Ran> =
                all.iter().filter(|ran| ran.from <= at && at < ran.until).collect();
            let Some(last_sent) = then.iter().map(|ran| ran.sent).max() else { continue };
            let may_be_last = then.iter().filter(|ran| ran.from >= last_sent);
            let most = may_be_last.filter_map(|ran| self.most(key, ran.sent, ran.from)).max();
            let count = i64::try_from(then.len()).expect("a few");
            if most.is_some_and(|most| count > most) {
                exceeded.push(format!("{}: {count} ran, and {most:?} might", name(key)));
            }
        }
        exceeded
    }

    /// Whether what this run is about has happened at all.
    pub(super) fn is_worth_something(&self) -> bool {
        self.samples > 20 && self.deaths > 0 && self.late > 0 && self.full() > 20
    }

    /// How many limits were reached.
    fn full(&self) -> usize {
        let reached = |(key, settings): (&Key, &Vec<Setting>)| {
            let of = |ran: &&Ran| {
                (key.0.is_nil() || ran.tenant == key.0) && (key.1.is_empty() || ran.queue == key.1)
            };
            let all: Vec<&Ran> = self.ran.iter().filter(of).collect();
            let least = settings.iter().map(|setting| setting.max).min();
            all.iter().any(|one| {
                let then = all.iter().filter(|ran| ran.from <= one.from && one.from < ran.until);
                i64::try_from(then.count()).ok() >= least
            })
        };
        self.limits.iter().filter(|limit| reached(*limit)).count()
    }

    pub(super) fn told(&self) -> String {
        format!(
            "{} jobs ran, {} samples, {} deaths, {} late settlements, {} of {} limits were reached",
            self.ran.len(),
            self.samples,
            self.deaths,
            self.late,
            self.full(),
            self.limits.len()
        )
    }
}

fn name((tenant, queue): &Key) -> String {
    if tenant.is_nil() { format!("queue {queue}") } else { format!("tenant {tenant} in {queue:?}") }
}
