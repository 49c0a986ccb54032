-- Storage. A job is one wide row written once, and one narrow row that moves: ready -> running ->
-- finished. Until the first release every change of a table edits this file; afterwards a released
-- file never changes, and a change of a table is a new numbered file.
--
-- I1  An existing job has exactly one row among ready, scheduled, running, finished, held. `job` is
--     never updated.
-- I2  A row of `ready` belongs to a lane; a lane that exists is walked by claims, open or draining.
--     Nothing is unique in `lane` but its id: two lanes of one key are served as one. The oldest
--     open shared lane of a key stays.
-- I3  A call that chooses a lane for new rows does it in the SAME statement that inserts into
--     `ready`, so its lock on `ready` is older than the snapshot in which it saw the lane open.
--     Outside READ COMMITTED no lane is chosen: the job goes to `scheduled`, due at once.
-- I4  ready_seq has CACHE 1, and nextval runs under the RowExclusiveLock on `ready`; so a
--     transaction that is not among the holders of that lock, read after the sequence, can never
--     commit a seq at or below it.
-- I5  Shared or own is a heuristic of dispatch; every row is served wherever it is. The rows of a
--     tenant that stays at its limit leave the shared lanes with a tick, and its own lanes leave
--     the walk of claims until there is room again.
-- I6  Under a limit that is active all rows of `running` that count under it are marked, and
--     whoever takes a job under it holds its slot of claim_lock, counts in a later statement, and
--     holds the slot until the new row of `running` is committed.
-- I7  `watched` says that something wants to know when the job ends. Dispatch sets it, and it goes
--     with the narrow row wherever that moves. A settlement of rows without it tells nobody.
-- I7  Of a key never more jobs have a row of key_slot than may run at once. A job with a key is in
--     `ready` or in `running` only while it has one. Rows are added under the lock of the key, by
--     who counts in a new statement, or in exchange for a row that goes in the same transaction.
-- I8  A key that has room and jobs in `held` has a note that names it, or a job with a slot whose
--     end looks again. Numbers in held, key_slot and key_note are drawn as I4 says.
-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a
-- table without one.
--
-- Lock order: tick_lock -> time_report -> tenant_time -> queue_time -> lane.  claim_lock (in any
-- order, skip locked) -> ready (skip locked) -> running -> lane (skip locked). Dispatch locks no
-- existing row. Claims lock only what they take, and the slots of limits. Only tick() updates or
-- deletes lanes; but a settlement may have a lane walked again, and holds its lock for as long as
-- its transaction is open: ticks then move rows to a lane beside it. Settings: bound (the whole
-- table, share row exclusive; tick takes it without waiting) -> running_limit, tenant_weight,
-- waiting_limit. A writer of these three holds it, but for the marks that tick sets in
-- running_limit. Quotas: a dispatch locks nothing; quota_place -> waiting_count, by tick alone
-- (skip locked). What is done to all that a tenant has: ready -> scheduled -> finished, each skip
-- locked, then rows that only the owner of such a place touches (job, attempt_error), then
-- cancel_request. A worker's report locks the worker's own row of `worker` and nothing else. Keys:
-- key_lock (by slot, skip locked) -> held (skip locked). A settlement: running -> key_slot -> held
-- (skip locked).

-- Jobs: wide, written once, in ranges of the same ids (uuid v7, so ranges of time).
create table fairclaim_internal.job (
  id uuid not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  priority smallint not null,
  max_attempts smallint not null,
  timeout interval,
  run_at timestamptz,
  created_at timestamptz not null,
  payload jsonb not null,
  tags text[] not null,
  metadata jsonb not null,
  key text collate "C",
  keep_order boolean,                         -- null: false
  primary key (tenant_id, id)
) partition by range (id);

create table fairclaim_internal.finished (
  id uuid not null,
  tenant_id uuid not null,
  completed_at timestamptz not null,
  attempts int not null,
  status text not null check (status in ('completed', 'failed', 'cancelled')),
  worker_id text,
  result jsonb,
  error jsonb,
  primary key (id, tenant_id)
) partition by range (id);

create table fairclaim_internal.attempt_error (
  id uuid not null,
  tenant_id uuid not null,
  attempt int not null,
  at timestamptz not null,
  worker_id text,
  error jsonb,
  primary key (id, attempt, tenant_id)
) partition by range (id);

create table fairclaim_internal.id_range (
  starts_at timestamptz primary key,
  ends_at timestamptz not null,
  -- What drop_ranges() found out about a range, so that it need not read it again. Only
  -- drop_ranges() updates it.
  last_end timestamptz,            -- a job of it ended as late as this: no look before that is past
  kept_at timestamptz              -- when a job of it was last seen unfinished
);
-- Where the ranges around the clock certainly begin and reach, in ms. They lag behind id_range, so
-- a dispatch between them needs no look at the table.
create unlogged sequence fairclaim_internal.range_start minvalue 0 start 0;
create unlogged sequence fairclaim_internal.range_end minvalue 0 start 0;

-- Narrow and hot.
create sequence fairclaim_internal.ready_seq cache 1;
create table fairclaim_internal.ready (
  lane_id bigint not null,
  seq bigint not null default nextval('fairclaim_internal.ready_seq'),
  id uuid not null,
  tenant_id uuid not null,
  attempts int not null,
  attempts_left smallint not null,
  lost smallint not null,
  watched boolean not null,
  primary key (lane_id, seq)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index ready_tenant on fairclaim_internal.ready (tenant_id, (lane_id >> 32), id);

create table fairclaim_internal.running (
  id uuid primary key,
  tenant_id uuid not null,
  lease_token uuid not null,
  lease_expires_at timestamptz not null,
  attempt int not null,
  attempts_left smallint not null,
  lost smallint not null,
  -- lane_group of the queue, where a limit counts the jobs of this queue; else 0
  queue_group int not null,
  watched boolean not null,
  limited boolean not null,                   -- some limit counts it
  worker_id text not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, fillfactor = 80);
create index running_limited on fairclaim_internal.running (tenant_id, queue_group) where limited;
create index running_queue on fairclaim_internal.running (queue_group) where queue_group < 0;

-- Inserted only: a mark on the row of `running` would make settlements and heartbeats wait for the
-- transaction that cancels.
create table fairclaim_internal.cancel_request (
  id uuid not null,
  tenant_id uuid not null,
  at timestamptz not null,
  request_id bigint generated always as identity primary key
);
create index cancel_request_id on fairclaim_internal.cancel_request (id);

create table fairclaim_internal.scheduled (
  run_at timestamptz not null,
  id uuid not null,
  tenant_id uuid not null,
  attempts int not null,
  attempts_left smallint not null,
  lost smallint not null,
  watched boolean not null,
  primary key (run_at, id)
);
create unique index scheduled_id on fairclaim_internal.scheduled (id);

-- Keys inside a tenant. A job that has a key waits here until the key has room. The primary key is
-- the line in which the jobs of a key stand: a number below zero is of one that has run before, and
-- goes first.
create table fairclaim_internal.held (
  tenant_id uuid not null,
  key text collate "C" not null,
  seq bigint not null,
  id uuid not null,
  attempts int not null,
  attempts_left smallint not null,
  lost smallint not null,
  keeps_order boolean not null,               -- runs alone, and keeps its place while it is retried
  primary key (tenant_id, key, seq)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create unique index held_id on fairclaim_internal.held (id);

-- The jobs that have left `held` and have not ended, and so count against the room of their keys.
-- Two bounds go from one to the next, so that nobody walks the rows that a snapshot keeps: up to
-- `floor` the key's rows of `held` are gone, and up to `since` those of this table.
create table fairclaim_internal.key_slot (
  id uuid primary key,
  tenant_id uuid not null,
  seq bigint not null default nextval('fairclaim_internal.ready_seq'),
  floor bigint not null,
  since bigint not null,
  keeps_order boolean not null,
  key text collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index key_slot_key on fairclaim_internal.key_slot (tenant_id, key, seq);

-- Keys that somebody has to look at, since a job came to `held` or a limit was changed. Inserted
-- only, and unique in nothing but its number: a dispatch must not wait for another one.
create table fairclaim_internal.key_note (
  note_id bigint primary key default nextval('fairclaim_internal.ready_seq'),
  tenant_id uuid not null,
  floor bigint not null,                      -- the key's rows that this is about are above it
  is_prefix boolean not null default false,   -- every key that begins so
  key text collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Who counts the slots of a key holds the row that the key is hashed to. Never updated.
create table fairclaim_internal.key_lock (slot smallint primary key);
insert into fairclaim_internal.key_lock (slot) select g from generate_series(0, 1023) g;

-- How many jobs of a key may run at once; one where nothing is set.
create table fairclaim_internal.key_limit (
  tenant_id uuid not null,
  is_prefix boolean not null,
  key text collate "C" not null,
  max_running int not null check (max_running >= 0),
  primary key (tenant_id, is_prefix, key)
);

-- Lanes. tenant_id null: a shared lane, which serves one (queue, type, priority). Its number tells
-- the queue: the upper half is the queue's group (negative, a hash of its name; own lanes are of
-- group 0), so one look by (tenant, group) counts what a tenant has in the shared lanes of a queue.
-- Jobs that were lost twice stand in shared lanes of their own (alone), which only a claim for one
-- job to run alone walks. No column that changes is indexed, and pages are left nearly empty, so
-- that under a held snapshot the floors of a page's lanes can move some ten times before an update
-- is not HOT any more.
create table fairclaim_internal.lane (
  lane_id bigint generated always as identity primary key,
  -- hash of (queue, tenant): the tenant's place in the round
  turn bigint not null,
  -- claims start here; 0 at first, since a new lane_id has no dead rows
  floor bigint not null,
  -- null: open; else the number of the tick that closed it to dispatch
  drained bigint,
  opened_at timestamptz not null,
  -- shared lanes: when tick last saw a row in it, to the minute
  used_at timestamptz not null,
  tenant_id uuid,
  -- how many jobs the tenant gives in a turn: its weight, or in a queue that is fair by seconds as
  -- many jobs as its share of time is worth (1 to 10,000)
  weight smallint not null,
  priority smallint not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  alone boolean not null default false,
  -- own lanes: whether claims walk it; not while its tenant stays at a limit
  walked boolean not null,
  check (not alone or tenant_id is null),
  check (not walked or tenant_id is not null)
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index lane_walk on fairclaim_internal.lane (queue, turn, priority desc, lane_id)
  where walked;
create index lane_own on fairclaim_internal.lane (tenant_id, queue) where tenant_id is not null;
create index lane_unwalked on fairclaim_internal.lane (tenant_id)
  where tenant_id is not null and not walked;
create index lane_type on fairclaim_internal.lane (queue, type, turn, priority desc, lane_id)
  where tenant_id is not null;
create index lane_shared on fairclaim_internal.lane (queue, type, priority, lane_id)
  where tenant_id is null and not alone;
create index lane_shared_id on fairclaim_internal.lane (lane_id) where tenant_id is null;
create index lane_alone on fairclaim_internal.lane (queue, type, lane_id) where alone;
create index lane_ranked on fairclaim_internal.lane (queue, tenant_id)
  where priority > 0 or priority < 0 and tenant_id is null;

create table fairclaim_internal.floor_hint (
  hint_id bigint generated always as identity primary key,
  lane_id bigint not null
);

-- Ranges of a shared lane below its floor in which a transaction that tick no longer waited for has
-- left rows.
create table fairclaim_internal.renewal (
  lane_id bigint not null,
  next_seq bigint not null,
  end_seq bigint not null,
  renewal_id bigint generated always as identity primary key
);

-- What people set, each in one of two layers. The base is what the application's deployment
-- declares, an override is an operator's change. In force is the override while it is there and not
-- past its end, else the base. What is in force stands once more in tenant_weight, running_limit
-- and waiting_limit, which claims, dispatches and ticks read.
create table fairclaim_internal.bound (
  bound_id bigint generated always as identity primary key,
  kind text collate "C" not null check (kind in ('weight', 'running', 'waiting', 'paused')),
  subject text collate "C" not null check (subject in ('tenant', 'default', 'queue')),
  tenant_id uuid not null,                    -- the nil uuid unless the subject is a tenant
  queue text collate "C" not null,            -- empty: over all queues
  key text collate "C",
  layer text collate "C" not null check (layer in ('base', 'override')),
  value int,
  share float8,
  period float8,
  burst int,
  refuses boolean,
  set_by text not null,
  why text,
  until timestamptz,
  set_at timestamptz not null,
  constraint bound_place
    unique nulls not distinct (tenant_id, queue, kind, subject, key, layer)
);
create index bound_until on fairclaim_internal.bound (until) where until is not null;
-- in force, one row for each tenant, or tenant and queue, whose weight is set
create table fairclaim_internal.tenant_weight (
  tenant_id uuid not null,
  queue text collate "C" not null,            -- empty: in all queues
  weight smallint not null check (weight between 1 and 100),
  primary key (tenant_id, queue)
);
-- Weights that have changed and that lanes may still have as they were. Only tick() deletes a note,
-- when all transactions that could have opened a lane with the old weight have ended.
create table fairclaim_internal.weight_note (
  note_id bigint generated always as identity primary key,
  tenant_id uuid not null,
  queue text collate "C" not null,
  seen bigint                                 -- the tick that first gave the weight to the lanes
);
create index weight_note_seen on fairclaim_internal.weight_note (seen);
-- Who changed what. Inserted only.
create table fairclaim_internal.audit (
  audit_id bigint generated always as identity primary key,
  at timestamptz not null,
  who text not null,
  what text collate "C" not null,
  subject text collate "C" not null,
  tenant_id uuid,
  queue text collate "C",
  old_value text,
  new_value text,
  until timestamptz,
  why text,
  many int not null
);
create index audit_tenant on fairclaim_internal.audit (tenant_id, audit_id)
  where tenant_id is not null;
-- How the application calls a tenant, for those that it has dispatched for by name. Only tick()
-- writes it.
create table fairclaim_internal.tenant_name (
  tenant_id uuid primary key,
  name text collate "C" not null
);
-- Names that dispatches have used and that tick() has not folded into tenant_name yet. Inserted
-- only, and unique in nothing but its number: a dispatch must not wait for another one that uses
-- the same name at this moment.
create table fairclaim_internal.tenant_note (
  note_id bigint generated always as identity primary key,
  tenant_id uuid not null,
  name text collate "C" not null
);
create index tenant_note_tenant on fairclaim_internal.tenant_note (tenant_id);
-- How many jobs may run at a time, and how many may begin in a time (units in each period of
-- seconds, burst at once): what is in force, or about to be. subject: tenant, one tenant;
-- default, each tenant that has none of its own; queue, all tenants of a queue together.
create table fairclaim_internal.running_limit (
  subject text collate "C" not null check (subject in ('tenant', 'default', 'queue')),
  tenant_id uuid not null,                    -- the nil uuid unless it is one tenant's
  queue text collate "C" not null,            -- '': over all queues
  max_running int check (max_running >= 0),
  units int check (units >= 1),
  period float8 check (period > 0),
  burst int check (burst >= 1),
  seen bigint,                                -- the tick that first saw it
  seen_at timestamptz,
  -- the tick that marked the jobs that were running
  marked bigint,
  -- From here on it is exact. Until then none of its jobs is claimed under a limit of one tenant;
  -- under the others jobs are claimed that it leaves room for, as far as they are counted.
  active boolean not null default false,
  primary key (tenant_id, queue, subject),
  check ((subject = 'tenant')
         or tenant_id = '00000000-0000-0000-0000-000000000000'),
  check (subject <> 'queue' or queue <> ''),
  check (max_running is not null or units is not null),
  check (num_nulls(units, period, burst) in (0, 3))
);
-- Nobody may read 100,000 limits to find the few that matter now.
create index running_limit_queue on fairclaim_internal.running_limit (queue) where queue <> '';
create index running_limit_new on fairclaim_internal.running_limit (tenant_id) where not active;
create index running_limit_closed on fairclaim_internal.running_limit (tenant_id, queue)
  where max_running = 0;
create index running_limit_rate on fairclaim_internal.running_limit (tenant_id)
  where units is not null;
-- What of a rate is used up. The newest row of a (tenant, queue) holds; a claim that charges it
-- deletes the one before. Without a row the whole burst is there. paid_until: the time up to which
-- the jobs that have begun have used the rate up, evenly spread; ahead of the clock by the burst at
-- most when a job begins (the generic cell rate algorithm).
create table fairclaim_internal.rate_use (
  tenant_id uuid not null,                    -- the nil uuid: the rate of a queue
  queue_group int not null,                   -- lane_group of the queue; 0: over all queues
  use_id bigint generated always as identity,
  paid_until timestamptz not null,
  due_at timestamptz not null,                -- when there is room for one job again
  primary key (tenant_id, queue_group, use_id)
);
create index rate_use_due on fairclaim_internal.rate_use (due_at);
-- A limit has changed: tick wakes the workers that sleep, and deletes the note.
create table fairclaim_internal.limit_note (
  note_id bigint generated always as identity primary key
);
-- Slots that claims lock before they count under a limit: the first 1,024 by a hash of the tenant,
-- the others by a hash of the queue. They are locked and never updated.
create table fairclaim_internal.claim_lock (slot int primary key);
insert into fairclaim_internal.claim_lock (slot) select g from generate_series(0, 1087) g;
-- Who was at a limit when tick last looked. Only tick() writes it. No key over (tenant_id, queue):
-- a tick would wait for one that was passed and has inserted the same.
create table fairclaim_internal.at_limit (
  at_limit_id bigint generated always as identity primary key,
  tenant_id uuid not null,
  queue text collate "C" not null,            -- '': over all queues
  jobs bigint not null,                       -- a hash of those that run under it; 0: none
  since timestamptz not null,                 -- since when nothing of that has changed
  -- for at least a second, or it waits for its rate for longer: no claim walks its lanes
  is_stable boolean not null
) with (fillfactor = 50);
create index at_limit_tenant on fairclaim_internal.at_limit (tenant_id) where is_stable;
-- How many jobs of a tenant may wait (its own quota, or the default one), in one queue or in all
-- together. What is drained takes no new jobs: of a tenant, or (with the nil uuid) a queue.
create table fairclaim_internal.waiting_limit (
  subject text collate "C" not null check (subject in ('tenant', 'default', 'drain')),
  tenant_id uuid not null,                    -- the nil uuid unless it is for one tenant
  queue text collate "C" not null,            -- '' over all queues
  max_waiting int not null check (max_waiting >= 0),
  refuses boolean not null default true,      -- else what is above is counted and shown only
  drained_at timestamptz,                     -- since when it takes no new jobs
  primary key (tenant_id, queue, subject),
  check ((subject = 'drain') = (drained_at is not null))
);
-- How many rows of a tenant with a quota too large to be counted by each dispatch wait in own
-- lanes, up to a mark of ready_seq. Only tick() writes it. A pass counts them again, a slice a
-- tick; meanwhile what came after the mark is added.
create table fairclaim_internal.waiting_count (
  tenant_id uuid not null,
  queue text collate "C" not null,            -- '' over all queues
  jobs bigint not null default 0,
  mark bigint not null default 0,             -- counted are the rows up to this seq
  counted_at timestamptz not null,
  pass_jobs bigint not null default 0,
  pass_added bigint not null default 0,       -- after the mark with which the pass began
  pass_mark bigint not null default 0,
  pass_lane bigint not null default 0,        -- so far it has come
  pass_seq bigint not null default 0,
  primary key (tenant_id, queue)
) with (fillfactor = 50);
-- Delayed jobs of tenants with a quota that have not run yet. Only tick() writes it.
create table fairclaim_internal.delayed_job (
  tenant_id uuid not null,
  id uuid not null,
  queue text collate "C" not null,
  run_at timestamptz not null,
  primary key (tenant_id, id)
);
-- How far the counting for quotas has come. Only tick() writes it.
create table fairclaim_internal.quota_place (
  one boolean primary key default true check (one),
  lane bigint not null default 0,             -- own lanes were looked at up to this
  fresh uuid not null default '00000000-0000-0000-0000-000000000000',   -- new delayed jobs
  delayed uuid not null default '00000000-0000-0000-0000-000000000000', -- all delayed jobs, again
  kept_tenant uuid not null default '00000000-0000-0000-0000-000000000000',   -- delayed_job
  kept_id uuid not null default '00000000-0000-0000-0000-000000000000'
) with (fillfactor = 20);
insert into fairclaim_internal.quota_place default values;

-- Tenants whose ended jobs are kept for less time than the settings say, and how far prune() has
-- come with each.
create table fairclaim_internal.tenant_retention (
  tenant_id uuid primary key,
  retention interval not null check (retention >= interval '1 hour'),
  place uuid not null default '00000000-0000-0000-0000-000000000000',
  looked_at timestamptz not null default '-infinity'
);
create table fairclaim_internal.queue (
  name text collate "C" primary key,
  paused_at timestamptz,
  -- whether tenants in turn get as many claims, or as much time of handlers
  fair_by text not null default 'claims' check (fair_by in ('claims', 'seconds'))
);

-- Who works. One narrow row a worker, which it writes when it starts and every few seconds while it
-- works; when idle only beside a claim, and it says until when it may be silent. No column that
-- changes is indexed, and pages keep room, so that updates are HOT.
create table fairclaim_internal.worker (
  id text collate "C" primary key,
  host text not null,
  version text not null,
  queues text[] collate "C" not null,
  slots int[] not null,                       -- how many jobs at once, of each of these queues
  types text[] collate "C",                   -- null: every type
  started_at timestamptz not null,
  seen_at timestamptz not null,
  silent_until timestamptz not null           -- past it, the worker counts as gone
) with (fillfactor = 50);

-- Queues that are fair by seconds. Workers append how many jobs of a tenant with a backlog they ran
-- and how long these took; only tick() removes that.
create table fairclaim_internal.time_report (
  report_id bigint generated always as identity primary key,
  queue text collate "C" not null,
  tenant_id uuid not null,
  jobs int not null,
  seconds float8 not null
);
-- What the jobs of a tenant take: sums in which what is older counts less, so that seconds / jobs
-- is a smoothed mean. Only tick() writes it.
create table fairclaim_internal.tenant_time (
  queue text collate "C" not null,
  tenant_id uuid not null,
  jobs float8 not null,
  seconds float8 not null,
  at timestamptz not null,                    -- of the last report
  primary key (queue, tenant_id)
) with (fillfactor = 50);
-- One row a queue that is fair by seconds, or was until its lanes have their plain weights again.
-- The lanes of a queue are looked at in slices, by turn. Only tick() writes it.
create table fairclaim_internal.queue_time (
  queue text collate "C" primary key,
  turn_seconds float8,                        -- what a turn is worth to a tenant of weight 1
  mean float8,                                -- of a job, for tenants that nothing is known of
  place bigint,                               -- this pass has looked at lanes up to this turn
  slowest float8,                             -- seconds of a job / weight of its tenant, the most
  fastest float8                              -- and the least that this pass has seen
) with (fillfactor = 20);
-- where the tenant of a login role comes from
create table fairclaim_internal.login_tenant (
  login name primary key,
  source text not null check (source in ('fixed', 'setting', 'claims')),
  tenant_id uuid,
  check ((source = 'fixed') = (tenant_id is not null))
);
-- What the build that migrated last brings: its migrations, and of every function the digest of its
-- text and the roles that may execute it. The doctor compares the catalogs with it.
create table fairclaim_internal.build (
  one boolean primary key default true check (one),
  contents jsonb not null
);
create table fairclaim_internal.setting (
  one boolean primary key default true check (one),
  -- how long finished jobs are kept, within bounds for which every sum of times exists
  retention interval not null default '7 days'
    constraint setting_retention_bounds
      check (retention >= interval '1 hour' and retention <= interval '100 years'),
  max_payload int not null default 1048576 check (max_payload >= 1024),
  close_delay interval not null default '10 s',
  -- of a queue: further types get own lanes
  max_shared_lanes int not null default 2000 check (max_shared_lanes >= 1),
  -- of a tenant in a queue: refused at dispatch
  max_own_lanes int not null default 1000 check (max_own_lanes >= 1),
  tick_every interval not null default '0.5 s' check (tick_every between '0' and '10 s'),
  -- how long a job whose workers died twice waits for a worker that runs it alone; then it fails
  suspect_wait interval not null default '1 hour'
    check (suspect_wait between '1 minute' and '100 years'),
  -- whose job it is when a dispatch names no tenant; null: such a dispatch is refused
  default_tenant text collate "C"
);
insert into fairclaim_internal.setting default values;

-- Maintenance. Each tick at work holds one row of tick_lock until its transaction ends; tick_lock
-- is locked and never updated. The tick's state goes into the row of tick_state of that number.
create sequence fairclaim_internal.tick_n minvalue 0 start 1 cache 1;
create table fairclaim_internal.tick_lock (slot smallint primary key);
insert into fairclaim_internal.tick_lock (slot) select g from generate_series(1, 16) g;
create table fairclaim_internal.tick_state (
  slot smallint primary key default 1,
  n bigint not null default 0,                     -- ticks so far
  at timestamptz not null default '-infinity',     -- when this tick began
  worked_by xid8,                                  -- its transaction
  prev bigint not null default 0,                  -- the number of the tick before
  marked bigint not null default 0,                -- and of the last one that looked for holders
  -- every transaction first seen by an earlier tick than this has ended
  oldest bigint not null default 0,
  mark bigint not null default 0,                  -- ready_seq at the last tick
  -- no transaction still open can commit a seq at or below it
  safe bigint not null default 0,
  shared_safe bigint not null default 0,           -- the same, but old holders are passed
  holders text[] not null default '{}',            -- transactions that hold the lock on `ready`
  holder_n bigint[] not null default '{}',         -- the tick that first saw each
  holder_mark bigint[] not null default '{}',      -- the mark before that tick
  holder_at timestamptz[] not null default '{}',   -- when each was first seen
  holder_passed boolean[] not null default '{}',   -- whether the mark of shared lanes has passed it
  passed_slot smallint[] not null default '{}',    -- rows of tick_lock whose ticks never ended
  passed_from bigint[] not null default '{}',      -- the numbers of those ticks are above this
  passed_to bigint[] not null default '{}',        -- and below this
  passed_safe bigint[] not null default '{}',      -- the safe mark that they began with
  -- lane_id up to which lanes were looked at for closing
  slice bigint not null default -9223372036854775808,
  shared_slice bigint not null default -9223372036854775808,
  sweep bigint not null default -9223372036854775808,
  hint bigint not null default 0,
  sched_floor timestamptz not null default '-infinity',
  reaped_at timestamptz not null default '-infinity',
  -- a step had more to do than one slice
  left_over boolean not null default false,
  -- until then there is nothing to do unless a caller does something
  quiet_until timestamptz not null default '-infinity',
  -- the tick that found ready_seq behind the mark, until all is mended
  mended bigint,
  mended_at timestamptz,
  -- at_limit_id up to which tenants' jobs in shared lanes were looked at
  limit_slice bigint not null default 0
) with (fillfactor = 20);
insert into fairclaim_internal.tick_state default values;

-- A step of tick that failed: what is known about it, and how it goes on. A step that works has no
-- row.
create table fairclaim_internal.tick_fault (
  step text collate "C" primary key,
  since timestamptz not null,
  last_at timestamptz not null,
  sqlstate text not null,
  times bigint not null,                      -- failures in a row
  size int not null,                          -- of the slices that are tried now
  note text not null,                         -- what the server said, if it cannot quote a row
  passed uuid[] not null default '{}',        -- jobs at which it fails: passed over for a minute
  passed_at timestamptz not null
);

-- Since when tick has seen a job wait that is to run alone. Only tick writes it. A job that was
-- taken meanwhile has other attempts, and is timed from the start. No key over (id, attempts): a
-- tick would wait for one that was passed and has inserted the same.
create table fairclaim_internal.suspect (
  suspect_id bigint generated always as identity primary key,
  id uuid not null,
  tenant_id uuid not null,
  attempts int not null,
  seen_at timestamptz not null
);

-- Where prune() stands: one row for the retention of the settings, one for those that operators
-- choose. Only prune() locks and updates it. A round walks `finished` by id: first what is old,
-- then what a wrong clock has put ahead.
create table fairclaim_internal.prune_place (
  asked boolean primary key,                  -- by an operator, who chose the retention
  retention interval,                         -- which one
  -- looked at up to this id
  place uuid not null default '00000000-0000-0000-0000-000000000000',
  -- and in ranges ahead of the clock up to this
  ahead uuid not null default '00000000-0000-0000-0000-000000000000',
  round_at timestamptz not null default '-infinity',                       -- when the round began
  ended boolean not null default false,       -- the round
  left_since timestamptz,                     -- the earliest end among those that were not past yet
  cost interval not null default '0',         -- the time that the round has taken
  -- no worker goes on before, unless asked
  rest_until timestamptz not null default '-infinity'
) with (fillfactor = 20);
insert into fairclaim_internal.prune_place (asked) values (false), (true);

-- Jobs that could not be deleted. Only prune() writes it, and at most 100.
create table fairclaim_internal.prune_fault (
  id uuid primary key,
  sqlstate text not null,
  at timestamptz not null
);

-- How far each source of JSON Lines has been dispatched. One row a source, written in the
-- transaction of its batch; only those who send the same source meet on it. No column that changes
-- is indexed, and pages keep room, so that its updates are HOT.
create table fairclaim_internal.dispatch_progress (
  login name not null,                        -- each login has sources of its own
  source text collate "C" not null,
  -- these, from the first on, are dealt with: dispatched, refused or blank
  lines bigint not null,
  dispatched bigint not null,
  refused bigint not null,
  -- of these lines, as the caller made it: null when it makes none
  digest bytea,
  -- of what the caller fills in where a line says nothing
  defaults bytea,
  updated_at timestamptz not null,
  primary key (login, source)
) with (fillfactor = 50);

-- Evidence: what tenant_stats and queue_stats tell. Only tick() writes these three tables. A row of
-- `stat` for each queue (whole; tenant_id is the nil uuid) and for each tenant in it. The sums of a
-- window are those of the slot that is running and of the one before (roll_window). No column that
-- changes is indexed, so its updates are HOT.
create table fairclaim_internal.stat (
  queue text collate "C" not null,
  whole boolean not null,
  tenant_id uuid not null,
  stat_id bigint generated always as identity unique,
  waiting int not null default 0,
  at_least boolean not null default false,    -- waiting is a lower bound
  oldest_at timestamptz,                      -- since when the oldest waits
  backlogged_since timestamptz,               -- since when a job of it waits in an own lane
  running int not null default 0,
  minute_slot bigint not null default 0,
  hour_slot bigint not null default 0,
  minute float4[] not null default '{}',
  hour float4[] not null default '{}',
  waits float4[] not null default '{}',       -- of the jobs that ended last, in seconds
  runs float4[] not null default '{}',
  counted_at timestamptz,                     -- when what waits had changed
  as_of timestamptz not null,                 -- when anything else had
  primary key (queue, whole, tenant_id)
) with (fillfactor = 60);
-- Up to which row each partition of the big tables has been looked at.
create table fairclaim_internal.tail (
  part text collate "C" primary key,
  pages bigint not null,
  last tid not null
) with (fillfactor = 50);
-- The running jobs that the last refresh saw, at most some 500 of them.
create table fairclaim_internal.seen_running (
  id uuid primary key,
  attempt int not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  due timestamptz not null,
  began timestamptz                           -- in the middle of when it can have begun
);

-- Hints in sequences leave no dead rows; unlogged, so that setting one writes no WAL. Milliseconds.
-- how far back dispatch counts a light tenant's rows
create unlogged sequence fairclaim_internal.shared_since minvalue 0 start 0;
-- when a key was last noted, to the second
create unlogged sequence fairclaim_internal.key_noted_at minvalue 0 start 0;
-- up to here notes of keys are gone
create unlogged sequence fairclaim_internal.key_floor minvalue 0 start 0;
-- when dispatch last notified
create unlogged sequence fairclaim_internal.notified_at minvalue 0 start 0;
-- when a tick last looked at everything
create unlogged sequence fairclaim_internal.round_at minvalue 0 start 0;
-- when a tick last began to work
create unlogged sequence fairclaim_internal.guard_at minvalue 0 start 0;
-- until when some worker waits to be woken
create unlogged sequence fairclaim_internal.asleep_until minvalue 0 start 0;
-- by when all who tick will have ticked again
create unlogged sequence fairclaim_internal.look_by minvalue 0 start 0;
-- when tick last looked for suspects
create unlogged sequence fairclaim_internal.suspects_at minvalue 0 start 0;
-- when the next tick is wanted
create unlogged sequence fairclaim_internal.tick_at minvalue 0 start 0;
-- when a claim that found too little wants to be woken, since there is room under a rate again
create unlogged sequence fairclaim_internal.rate_at minvalue 0 start 0;
-- when history was last pruned by the settings
create unlogged sequence fairclaim_internal.pruned_at minvalue 0 start 0;
-- when a cancel of a running job was last asked for
create unlogged sequence fairclaim_internal.wished_at minvalue 0 start 0;
-- when the statistics were last refreshed
create unlogged sequence fairclaim_internal.stats_at minvalue 0 start 0;
-- 1: something has happened that no refresh has told of
create unlogged sequence fairclaim_internal.stats_owed minvalue 0 start 0;
-- which running jobs the last refresh looked at: those whose hash has no bit of it
create unlogged sequence fairclaim_internal.stats_mask minvalue 0 start 0;
-- up to which lane, and which row of stat, what waits was counted
create unlogged sequence fairclaim_internal.stats_lane minvalue 0 start 0;
create unlogged sequence fairclaim_internal.stats_row minvalue 0 start 0;
