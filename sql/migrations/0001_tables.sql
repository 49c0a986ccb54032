-- Storage. A job is one wide row written once, and one narrow row that moves: ready -> running -> finished.
--
-- I1  An existing job has exactly one row among ready, scheduled, running, finished. `job` is never updated.
-- I2  A row of `ready` belongs to a lane; a lane that exists is walked by claims, open or draining. Nothing is unique in
--     `lane` but its id: two lanes of one key are served as one. The oldest open shared lane of a key stays.
-- I3  Whoever chooses a lane for new rows does it in the SAME statement that inserts into `ready`, so its lock on `ready`
--     is older than the snapshot in which it saw the lane open. Outside READ COMMITTED: only lanes of its own transaction.
-- I4  ready_seq has CACHE 1, and nextval runs under the RowExclusiveLock on `ready`; so a transaction that is not among
--     the holders of that lock, read after the sequence, can never commit a seq at or below it.
-- I5  Shared or own is a heuristic of dispatch; every row is served wherever it is. Only a limited tenant's row in a shared
--     lane waits until tick has moved it.
--
-- Lock order: tick_lock -> lane.  tenant_limit (by tenant, skip locked) -> ready (skip locked) -> running.
-- Dispatch locks no existing row. Claims lock only what they take. Only tick() updates or deletes lanes.

-- wide, written once, in ranges of the same ids (uuid v7, so ranges of time)
create table fairclaim.job (
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
  primary key (tenant_id, id)
) partition by range (id);

create table fairclaim.finished (
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

create table fairclaim.attempt_error (
  id uuid not null,
  tenant_id uuid not null,
  attempt int not null,
  at timestamptz not null,
  worker_id text,
  error jsonb,
  primary key (id, attempt, tenant_id)
) partition by range (id);

create table fairclaim.id_range (
  starts_at timestamptz primary key,
  ends_at timestamptz not null
);
-- where the ranges certainly reach, in ms; it lags behind id_range, so a dispatch below it needs no look at the table
create unlogged sequence fairclaim.range_end minvalue 0 start 0;

-- narrow and hot
create sequence fairclaim.ready_seq cache 1;
create table fairclaim.ready (
  lane_id bigint not null,
  seq bigint not null default nextval('fairclaim.ready_seq'),
  id uuid not null,
  tenant_id uuid not null,
  attempts int not null,
  attempts_left smallint not null,
  lost smallint not null,
  primary key (lane_id, seq)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index ready_tenant on fairclaim.ready (tenant_id, lane_id, id);

create table fairclaim.running (
  id uuid primary key,
  tenant_id uuid not null,
  lease_token uuid not null,
  lease_expires_at timestamptz not null,
  attempt int not null,
  attempts_left smallint not null,
  lost smallint not null,
  limited boolean not null,
  worker_id text not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, fillfactor = 80);
create index running_limited on fairclaim.running (tenant_id) where limited;

-- Inserted only: a mark on the row of `running` would make settlements and heartbeats wait for the transaction that cancels.
create table fairclaim.cancel_request (
  id uuid not null,
  tenant_id uuid not null,
  at timestamptz not null
);
create index cancel_request_id on fairclaim.cancel_request (id);

create table fairclaim.scheduled (
  run_at timestamptz not null,
  id uuid not null,
  tenant_id uuid not null,
  attempts int not null,
  attempts_left smallint not null,
  lost smallint not null,
  primary key (run_at, id)
);
create unique index scheduled_id on fairclaim.scheduled (id);

-- tenant_id null: the shared lane of (queue, type). No column that changes is indexed, and pages are left nearly empty, so that
-- under a held snapshot the floors of a page's lanes can move some ten times before an update is not HOT any more.
create table fairclaim.lane (
  lane_id bigint generated always as identity primary key,
  turn bigint not null,                      -- hash of (queue, tenant): the tenant's place in the round
  floor bigint not null,                     -- claims start here; 0 at first, since a new lane_id has no dead rows
  drained bigint,                            -- null: open; else the number of the tick that closed it to dispatch
  opened_at timestamptz not null,
  used_at timestamptz not null,              -- shared lanes: when tick last saw a row in it, to the minute
  tenant_id uuid,
  weight smallint not null,
  priority smallint not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  opened_by xid8 not null default pg_current_xact_id(),      -- of the whole transaction; xmin is a savepoint's own
  check (tenant_id is not null or priority = 0)
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index lane_walk on fairclaim.lane (queue, turn, priority desc, lane_id) where tenant_id is not null;
create index lane_type on fairclaim.lane (queue, type, turn, priority desc, lane_id) where tenant_id is not null;
create index lane_shared on fairclaim.lane (queue, type, lane_id) where tenant_id is null;
create index lane_shared_id on fairclaim.lane (lane_id) where tenant_id is null;
create index lane_above on fairclaim.lane (queue, tenant_id) where tenant_id is not null and priority > 0;

create table fairclaim.floor_hint (
  hint_id bigint generated always as identity primary key,
  lane_id bigint not null
);

-- ranges of a shared lane below its floor in which a transaction that tick no longer waited for has left rows
create table fairclaim.renewal (
  lane_id bigint not null,
  next_seq bigint not null,
  end_seq bigint not null
);

-- small
create table fairclaim.tenant (
  tenant_id uuid primary key,
  weight smallint not null default 1 check (weight between 1 and 100)
);
create table fairclaim.tenant_limit (         -- locked by claims; limited tenants only
  tenant_id uuid primary key,
  max_running int not null check (max_running >= 0),
  seen bigint,                                -- the tick that first saw it
  active boolean not null default false       -- until tick sets it, none of the tenant's jobs is claimed
);
create table fairclaim.queue (
  name text collate "C" primary key,
  paused_at timestamptz
);
create table fairclaim.login_tenant (         -- where the tenant of a login role comes from
  login name primary key,
  source text not null check (source in ('fixed', 'setting', 'claims')),
  tenant_id uuid,
  check ((source = 'fixed') = (tenant_id is not null))
);
create table fairclaim.setting (
  one boolean primary key default true check (one),
  retention interval not null default '7 days',
  max_payload int not null default 1048576 check (max_payload >= 1024),
  close_delay interval not null default '10 s'
);
insert into fairclaim.setting default values;

create table fairclaim.tick_lock (one boolean primary key default true check (one));   -- locked, never updated
insert into fairclaim.tick_lock default values;
create table fairclaim.tick_state (
  one boolean primary key default true check (one),
  n bigint not null default 0,                -- ticks so far
  mark bigint not null default 0,             -- ready_seq at the last tick
  safe bigint not null default 0,             -- no transaction still open can commit a seq at or below it
  shared_safe bigint not null default 0,      -- the same, but holders older than three ticks are passed
  holders text[] not null default '{}',       -- transactions that hold the lock on `ready`
  holder_n bigint[] not null default '{}',    -- the tick that first saw each
  holder_mark bigint[] not null default '{}', -- the mark before that tick
  slice bigint not null default 0,            -- lane_id up to which lanes were looked at for closing
  shared_slice bigint not null default 0,
  sweep bigint not null default 0,
  hint bigint not null default 0,
  sched_floor timestamptz not null default '-infinity',
  reaped_at timestamptz not null default '-infinity'
) with (fillfactor = 20);
insert into fairclaim.tick_state default values;

-- hints in sequences leave no dead rows; unlogged, so that setting one writes no WAL. Milliseconds.
create unlogged sequence fairclaim.shared_since minvalue 0 start 0;    -- how far back dispatch counts a light tenant's rows
create unlogged sequence fairclaim.idle_at minvalue 0 start 0;         -- when a claim last found nothing
create unlogged sequence fairclaim.notified_at minvalue 0 start 0;     -- when dispatch last notified
