-- fairclaim: installs or updates the schema `fairclaim` to version 1. Run it as often as you like,
-- as a login with CREATEROLE and CREATE on the database. One transaction.

begin;

-- access/roles.sql
-- First of all: the installer's own path could put another `format` before the system's, and the
-- owner would run it.
set local search_path = pg_catalog, pg_temp;
-- A login that takes backups may have it off, and then no row of a table with forced row security
-- can be read or written.
set local row_security = on;

-- Roles belong to the whole cluster and none can log in. A deployment grants them to its login
-- roles. Created if missing; two installers at once are harmless. The installer needs CREATEROLE,
-- never superuser. The names stand here and in bootstrap.sql once more, since our_role() is not
-- there yet.
do $roles$
declare
  v_role text;
begin
  foreach v_role in array array[
    'fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer', 'fairclaim_tenant',
    'fairclaim_operator', 'fairclaim_auditor', 'fairclaim_observer']
  loop
    if not exists (select from pg_catalog.pg_roles where pg_roles.rolname = v_role) then
      begin
        execute pg_catalog.format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then null;      -- another installer was quicker
        when insufficient_privilege then
          raise exception 'role % is missing and % may not create it', v_role, current_user
            using errcode = 'JQ007', detail = '{"field": "role"}',
                  hint = pg_catalog.format(
                    'as an administrator: alter role %I createrole', current_user);
      end;
    end if;
  end loop;
end
$roles$;

-- The installer must be able to act as the owner; from version 16 on that takes the SET option of
-- the membership.
do $member$
declare
  v_new boolean := pg_catalog.current_setting('server_version_num')::int >= 160000;
begin
  if not pg_catalog.pg_has_role(
           current_user, 'fairclaim_owner', case when v_new then 'SET' else 'MEMBER' end) then
    begin
      execute pg_catalog.format('grant fairclaim_owner to %I', current_user)
              || case when v_new then ' with inherit true, set true' else '' end;
    exception
      when unique_violation then null;
      when insufficient_privilege then
        raise exception
          'role fairclaim_owner belongs to another installer and % may not use it', current_user
          using errcode = 'JQ007', detail = '{"field": "role"}',
                hint = pg_catalog.format(
                  'as an administrator: grant fairclaim_owner to %I', current_user);
    end;
  end if;
end
$member$;

-- migrations/bootstrap.sql
-- The two schemas, the list of applied migrations, and the lock that makes two installers take
-- turns (a table lock, not an advisory lock, which any login could hold). `fairclaim` has the
-- protocol, `fairclaim_internal` everything else: only the owner may look into it. Everything after
-- this runs as fairclaim_owner. Its name is written out here, since our_role() is not there yet.
do $schema$
declare
  v_schema text;
  v_owner oid;
begin
  foreach v_schema in array array['fairclaim', 'fairclaim_internal'] loop
    select pg_namespace.nspowner into v_owner
      from pg_catalog.pg_namespace where pg_namespace.nspname = v_schema;
    if v_owner = 'fairclaim_owner'::regrole then
      continue;
    elsif v_owner is not null then
      raise exception 'a schema % is there and does not belong to fairclaim_owner', v_schema
        using errcode = 'JQ007', detail = '{"field": "schema"}',
              hint = pg_catalog.format(
                'as its owner: alter schema %I rename to another name, and look at what is in it',
                v_schema);
    elsif not pg_catalog.has_database_privilege(
                current_user, pg_catalog.current_database(), 'CREATE') then
      raise exception '% may not create a schema in database %',
        current_user, pg_catalog.current_database()
        using errcode = 'JQ007', detail = '{"field": "database"}',
              hint = pg_catalog.format(
                'as its owner: grant create on database %I to %I',
                pg_catalog.current_database(), current_user);
    end if;
    begin
      execute pg_catalog.format('create schema %I authorization fairclaim_owner', v_schema);
    exception
      when duplicate_schema or unique_violation then null;      -- another installer was quicker
    end;
  end loop;
end
$schema$;

set local role fairclaim_owner;
set local search_path = pg_catalog, fairclaim_internal, pg_temp;
set local client_min_messages = warning;
set local check_function_bodies = off;
-- the installer may have a default tablespace in which the owner may not create
set local default_tablespace = '';
set local lock_timeout = '30s';

-- the global form: with `in schema` this statement would do nothing
alter default privileges revoke execute on functions from public;

do $list$
begin
  create table if not exists fairclaim_internal.migration (
    version int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default pg_catalog.clock_timestamp()
  );
exception
  when duplicate_table or unique_violation then null;
end
$list$;

-- installers take turns; readers of the version go on
lock table fairclaim_internal.migration in share row exclusive mode;
-- From here on a lock is given up soon: a request that comes after one that waits has to wait too,
-- those of workers as well. The whole transaction is then tried again: `fairclaim migrate` does
-- that by itself.
set local lock_timeout = '1s';

do $guard$
declare
  v_found int := (select coalesce(pg_catalog.max(m.version), 0) from fairclaim_internal.migration m);
begin
  if v_found > 1 then
    raise exception 'the database has schema version %, this build knows 1', v_found
      using errcode = 'JQ006', detail = '{"field": "schema"}', hint = 'use a build of fairclaim as new as the one that migrated the database';
  end if;
  perform pg_catalog.set_config('fairclaim.migrated_from', v_found::text, true),
          pg_catalog.set_config('fairclaim.applied', '', true);
end
$guard$;

-- migrations/0001_tables.sql
do $migration$
declare
  v_sum text := (select m.checksum from fairclaim_internal.migration m where m.version = 1);
begin
  if v_sum is null then
    execute $sql$
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
$sql$;
    insert into fairclaim_internal.migration (version, name, checksum) values (1, 'tables', '256972e20bbc5d4f07f94b36ca109f9f483a1c60878d48df962c7dbd51e206d6');
    perform pg_catalog.set_config('fairclaim.applied', pg_catalog.current_setting('fairclaim.applied') || 'tables,', true);
  elsif v_sum <> '256972e20bbc5d4f07f94b36ca109f9f483a1c60878d48df962c7dbd51e206d6' then
    raise exception 'migration 1 (tables) in this database is not the one of this build'
      using errcode = 'JQ006', detail = '{"field": "schema"}', hint = 'use the build that migrated it, or a newer one; migrations never change';
  end if;
end
$migration$;

-- internal/support/counted.sql
-- For sentences: 0 jobs, 1 job, 12 jobs.
create or replace function fairclaim_internal.counted(p_count bigint, p_noun text) returns text
language sql immutable parallel safe
as $$
  select p_count || ' ' || p_noun || case when p_count = 1 then '' else 's' end
$$;

comment on function fairclaim_internal.counted(bigint, text) is
'Says a number of things as people do: 1 job, 12 jobs.';

-- internal/support/id_at.sql
-- The least id of a millisecond: the bound of a range of ids.
create or replace function fairclaim_internal.id_at(p_ms bigint) returns uuid
language sql immutable parallel safe
as $$ select (lpad(to_hex(p_ms), 12, '0') || '00000000000000000000')::uuid $$;

comment on function fairclaim_internal.id_at(bigint) is
'The least id that a job dispatched in this millisecond can have.';

-- internal/support/id_prefix.sql
-- The first 16 hex digits of ids made now: 48 bits of milliseconds, the version, 12 bits of the
-- fraction (uuid v7). For a time beyond the last range the id is made for that range's end, and
-- before the first for its start, so that a dispatch never fails because no worker ran for a month
-- or because the clock was wrong; created_at stays true. The two sequences lag, and say 0 after a
-- crash, so only a time outside of them looks at the table.
create or replace function fairclaim_internal.id_prefix(p_now timestamptz) returns text
language plpgsql volatile
as $$
declare
  v_us bigint := (extract(epoch from p_now) * 1000000)::bigint;
begin
  if v_us / 1000 >= coalesce(pg_sequence_last_value('range_end'), 0)
     or v_us / 1000 < coalesce(pg_sequence_last_value('range_start'), 0) then
    v_us := place_in_range(v_us);
  end if;
  return lpad(to_hex(v_us / 1000), 12, '0') || to_hex(28672 + ((v_us % 1000) * 4096) / 1000);
end
$$;

comment on function fairclaim_internal.id_prefix(timestamptz) is
'The first 16 hex digits of the ids (uuid v7) of jobs dispatched at this time.';

-- internal/support/is_name.sql
-- Names are ASCII slugs of at most 64 characters; types may have upper case. It uses length() and
-- an unbounded repeat, since a bounded repeat in a regular expression is twelve times slower.
create or replace function fairclaim_internal.is_name(p_name text, p_upper boolean default false)
returns boolean
language sql immutable parallel safe
as $$
  select p_name is not null and length(p_name) <= 64
     and case when p_upper then p_name ~ '^[A-Za-z0-9][A-Za-z0-9_.:-]*$'
              else p_name ~ '^[a-z0-9][a-z0-9_.:-]*$' end
$$;

comment on function fairclaim_internal.is_name(text, boolean) is
'Whether a text may name a queue, or with p_upper a type.';

-- internal/support/json_fault.sql
-- What is wrong with a payload, a result or metadata of the caller's: null when nothing is. It
-- makes the text of the message: callers look at size and depth themselves, in one expression. A
-- text of at most 257 bytes cannot nest deeper than 128.
create or replace function fairclaim_internal.json_fault(p_value jsonb, p_max_bytes int)
returns text
language plpgsql immutable
as $$
declare
  v_bytes int := octet_length(p_value::text);
begin
  return case
    when v_bytes > p_max_bytes then format('must be at most %s bytes of JSON text', p_max_bytes)
    when v_bytes > 257 and too_deep(p_value) then 'must nest at most 128 deep'
  end;
end
$$;

comment on function fairclaim_internal.json_fault(jsonb, int) is
'Why a JSON value is refused (size, depth), or null.';

-- internal/support/lane_group.sql
-- Which group of lane numbers the shared lanes of a queue have: `lane_id >> 32` of each of them.
-- Own lanes are of group 0. Two queues may share a group by chance: then their light tenants are
-- judged together, and nothing else happens.
create or replace function fairclaim_internal.lane_group(p_queue text) returns bigint
language sql immutable parallel safe
as $$ select -1 - (hashtextextended(p_queue collate "C", 0) & 1073741823) $$;

comment on function fairclaim_internal.lane_group(text) is
'The group of the shared lanes of a queue: what their lane_id shifted right by 32 bits is. Negative.';

-- internal/support/millis.sql
-- Whole milliseconds since 1970, as ids and hint sequences carry them. It is stable, as extract()
-- is: if it were declared immutable, it would not be inlined, and every call would be a query of
-- its own.
create or replace function fairclaim_internal.millis(p_at timestamptz) returns bigint
language sql stable parallel safe
as $$ select (extract(epoch from p_at) * 1000)::bigint $$;

comment on function fairclaim_internal.millis(timestamptz) is 'Milliseconds since 1970.';

-- internal/support/our_role.sql
-- The one function that knows what our roles are called. Grants and policies name them too, and so
-- do three texts of the doctor that a login without a role of ours sends by itself. All of them
-- write `fairclaim_<kind>` in full, so that another prefix is a plain replacement.
create or replace function fairclaim_internal.our_role(p_kind text) returns name
language sql immutable parallel safe
as $$
  select case p_kind
           when 'owner' then 'fairclaim_owner'
           when 'worker' then 'fairclaim_worker'
           when 'producer' then 'fairclaim_producer'
           when 'tenant' then 'fairclaim_tenant'
           when 'operator' then 'fairclaim_operator'
           when 'auditor' then 'fairclaim_auditor'
           when 'observer' then 'fairclaim_observer' end::name
$$;

comment on function fairclaim_internal.our_role(text) is
'The name of one of our roles: owner, worker, producer, tenant, operator, auditor or observer.';

-- internal/support/refuse.sql
-- Every refusal goes through here, so that all read alike. Never pass a value of the caller: name
-- the field and the rule. p_field is where the fault is: `p_queue`, `p_outcomes[3]` or
-- `p_jobs[3].queue` (items count from 0), or a plain word such as `tenant` where no argument is at
-- fault. Clients read DETAIL, people read the message and the hint.
create or replace function fairclaim_internal.refuse(
  p_code text,
  p_field text,
  p_rule text,
  p_hint text default null,
  p_detail jsonb default '{}'
) returns void
language plpgsql
as $$
declare
  v_path text[] := regexp_match(p_field, '^(p_[a-z_]+)?(?:[[]([0-9]+)[]])?[.]?([a-z_]+)?$');
  v_name text := coalesce(v_path[3], substr(v_path[1], 3));
  v_place jsonb := jsonb_strip_nulls(jsonb_build_object(
    'argument', v_path[1], 'field', v_name, 'item', v_path[2]::int));
begin
  raise exception '%: %', p_field, p_rule
    using errcode = p_code,
          detail = (v_place || p_detail)::text,
          hint = coalesce(p_hint,
            'use one of these: ' || (
              select string_agg(allowed.name, ', ' order by allowed.place)
                from jsonb_array_elements_text(p_detail -> 'allowed') with ordinality
                     allowed(name, place)),
            format('change %s as the message says, and call again: nothing was written', v_name));
end
$$;

comment on function fairclaim_internal.refuse(text, text, text, text, jsonb) is
'Raises an error of one of the codes JQ001 to JQ007. Its message names the field and the rule, its hint says what to do next, and its DETAIL is a JSON object for programs: argument, field and item (from 0) of what p_field names, and what p_detail adds of limit, minimum, maximum and allowed.';

-- internal/support/some_of.sql
-- Eight names tell what is wrong; more of them would hide the advice.
create or replace function fairclaim_internal.some_of(p_names text[]) returns text
language sql immutable parallel safe
as $$
  select array_to_string(p_names[1:8], ', ')
         || case when cardinality(p_names) > 8
                 then format(' and %s more', cardinality(p_names) - 8) else '' end
$$;

comment on function fairclaim_internal.some_of(text[]) is
'Joins at most eight names, and says how many more there are.';

-- internal/support/span.sql
-- Spans are rounded to the unit in which people say them.
create or replace function fairclaim_internal.span(p_seconds float8) returns text
language sql immutable parallel safe
as $$
  select case when rounded.seconds < 120 then round(rounded.seconds) || ' s'
              when rounded.seconds < 7200 then round(rounded.seconds / 60) || ' min'
              when rounded.seconds < 172800 then round(rounded.seconds / 3600) || ' h'
              else round(rounded.seconds / 86400) || ' days' end
    from (select abs(p_seconds) as seconds) rounded
$$;

comment on function fairclaim_internal.span(float8) is
'Says a span of seconds as people do, without its sign: 90 s, 12 min, 5 h, 3 days.';

-- internal/support/too_deep.sql
-- Whether an array or an object stands 128 levels below the outermost one. It is one walk over the
-- value, without a copy. The path is strict, since a lax path opens arrays by itself and misses an
-- empty innermost one. The function is inlined wherever it is called.
create or replace function fairclaim_internal.too_deep(p_value jsonb) returns boolean
language sql immutable parallel safe
as $$
  select pg_catalog.jsonb_path_exists(p_value,
    'strict $.**{128} ? (@.type() == "object" || @.type() == "array")'::pg_catalog.jsonpath)
$$;

comment on function fairclaim_internal.too_deep(jsonb) is
'Whether arrays and objects nest deeper in a value than 128.';

-- protocol/support/clock.sql
-- The one source of time. Tests replace it (sql/testing/clock.sql); nothing else reads a clock.
create or replace function fairclaim.clock() returns timestamptz
language sql volatile parallel safe
as $$ select pg_catalog.clock_timestamp() $$;

comment on function fairclaim.clock() is
'The time of the queue: the clock of the database, read once per call.';

grant execute on function fairclaim.clock()
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;

-- protocol/support/schema_version.sql
create or replace function fairclaim.schema_version() returns int
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$ select coalesce(max(migration.version), 0) from migration $$;

comment on function fairclaim.schema_version() is
'The number of the newest migration applied. A client that needs another one refuses to work (JQ006).';

grant execute on function fairclaim.schema_version()
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;

-- internal/claim/charge_rates.sql
-- Charges the rates of those whose jobs a claim has taken, a unit a job. The claim holds their
-- slots of claim_lock, so the row that is newest now is the newest still when this one is
-- committed. A row that a tick deletes at this moment has expired, and counts for nothing. p_now is
-- the time of this moment and not that at which the claim began: a claim that had to wait would
-- give its waiting to the next one as room. Times are rounded up.
create or replace function fairclaim_internal.charge_rates(
  p_jobs fairclaim_internal.ready[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
set enable_sort = on
as $$
begin
  with taken as materialized (
    select job.tenant_id, p_queues[job.place] collate "C" as queue, count(*) as jobs
      from unnest(p_jobs) with ordinality
           job(lane_id, seq, id, tenant_id, attempts, attempts_left, lost, watched, place)
     group by 1, 2),
  charged as materialized (
    select taken.tenant_id, case when rate.queue = '' then 0 else lane_group(taken.queue) end
             as queue_group,
           sum(taken.jobs)::float8 as jobs, max(rate.units) as units, max(rate.period) as period,
           max(rate.burst) as burst
      from taken cross join lateral rates_of(taken.tenant_id, taken.queue) rate
     group by 1, 2
    union all
    select '00000000-0000-0000-0000-000000000000'::uuid, lane_group(taken.queue),
           sum(taken.jobs)::float8,
           max(rate.units), max(rate.period), max(rate.burst)
      from taken
      join running_limit rate
        on rate.tenant_id = '00000000-0000-0000-0000-000000000000' and rate.queue = taken.queue
       and rate.subject = 'queue' and rate.units is not null
     group by 1, 2),
  last as materialized (
    select charged.tenant_id, charged.queue_group, newest.place, newest.paid_until
      from charged
     cross join lateral (
       select used.ctid as place, used.paid_until from rate_use used
        where used.tenant_id = charged.tenant_id and used.queue_group = charged.queue_group
        order by used.tenant_id desc, used.queue_group desc, used.use_id desc
        limit 1 for update skip locked) newest),
  gone as (
    delete from rate_use where rate_use.ctid = any (array(select last.place from last)))
  insert into rate_use (tenant_id, queue_group, paid_until, due_at)
  select owed.tenant_id, owed.queue_group, owed.paid_until,
         owed.paid_until - make_interval(secs => (owed.burst - 1) * owed.period / owed.units)
    from (select charged.*,
                 greatest(p_now, coalesce(last.paid_until, p_now))
                   + make_interval(secs =>
                       ceil(charged.jobs * charged.period / charged.units * 1e6) / 1e6)
                   as paid_until
            from charged
            left join last on last.tenant_id = charged.tenant_id
                          and last.queue_group = charged.queue_group) owed;
end
$$;

comment on function fairclaim_internal.charge_rates(fairclaim_internal.ready[], text[],
    timestamptz) is
'Charges the rates of tenants and queues for the jobs of a claim.';

-- internal/claim/check_claim.sql
-- What claim_jobs and its kin refuse before they look at anything. Every transaction sets up again
-- each condition that it reaches, so what holds for a list is asked only where there is one.
-- Returns true, so that it can be called in an expression, which costs a claim less than a
-- statement.
create or replace function fairclaim_internal.check_claim(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[],
  p_lease float8
) returns boolean
language plpgsql
as $$
declare
  v_name text;
  v_at int := 0;
begin
  -- the second range by its numbers: which controls above ASCII the class knows depends on the
  -- locale
  if p_worker_id is null or length(p_worker_id) not between 1 and 255
     or p_worker_id ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 printable characters',
      'name the worker by a short word, such as its host and process', '{"limit": 255}');
  elsif p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'claim 1,000 at most at a time', '{"minimum": 1, "maximum": 1000}');
  elsif p_lease is null or p_lease < 1 or p_lease > 86400 then
    perform refuse('JQ004', 'p_lease', 'must be seconds from 1 to 86,400 (24 h)',
      'leave it out for 30 s; extend_leases keeps a job that runs longer',
      '{"minimum": 1, "maximum": 86400}');
  end if;
  -- loops of plain expressions: for the names that there are, cheaper than a query
  if p_queues is not null then
    if cardinality(p_queues) not between 1 and 1000 or array_ndims(p_queues) > 1
       or array_position(p_queues, null) is not null then
      perform refuse('JQ004', 'p_queues',
        'must be null (every queue) or a list of 1 to 1,000 names without nulls',
        'pass null or the names of queues', '{"limit": 1000}');
    end if;
  end if;
  if p_types is not null then
    if cardinality(p_types) not between 1 and 1000 or array_ndims(p_types) > 1
       or array_position(p_types, null) is not null then
      perform refuse('JQ004', 'p_types',
        'must be null (every type) or a list of 1 to 1,000 names without nulls',
        'pass null or the names of types', '{"limit": 1000}');
    end if;
  end if;
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'claims need isolation level read committed',
      'begin isolation level read committed');
  end if;
  if p_queues is not null then
    foreach v_name in array p_queues loop
      if not is_name(v_name) then
        perform refuse('JQ004', format('p_queues[%s]', v_at),
          'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
          'use lowercase letters, digits and _ . : - with a letter or a digit first',
          '{"limit": 64}');
      end if;
      v_at := v_at + 1;
    end loop;
  end if;
  if p_types is not null then
    v_at := 0;
    foreach v_name in array p_types loop
      if not is_name(v_name, true) then
        perform refuse('JQ004', format('p_types[%s]', v_at),
          'must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters',
          'use letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
      end if;
      v_at := v_at + 1;
    end loop;
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.check_claim(text, text[], int, text[], float8) is
'Refuses bad arguments of a claim (JQ004); true for good ones.';

-- internal/claim/check_cursor.sql
-- A cursor is 'queue|turn|used|shared' for each queue that the worker visited of late, the last one
-- first, joined by ';'. used: how much of its quantum the tenant at that turn has given; shared:
-- how many claims of one job in a row came from shared lanes. A cursor names no tenant.
create or replace function fairclaim_internal.check_cursor(p_cursor text) returns text[]
language plpgsql immutable
as $$
declare
  v_entries text[];
begin
  if p_cursor is null then
    return null;
  elsif strpos(p_cursor, ';') = 0 and is_cursor_entry(p_cursor) then
    return array[p_cursor];
  end if;
  v_entries := string_to_array(p_cursor, ';');
  if cardinality(v_entries) not between 1 and 33
     or exists (
          select from unnest(v_entries) part(entry) where not is_cursor_entry(part.entry)) then
    perform refuse('JQ004', 'p_cursor', 'must be null or the next_cursor of an earlier claim',
      'begin again with null');
  end if;
  return v_entries;
end
$$;

comment on function fairclaim_internal.check_cursor(text) is
'The entries of a worker''s cursor; JQ004 if it is none.';

-- internal/claim/claim_from_queue.sql
-- One queue's part of a claim, in four steps: shared lanes, for at most three quarters while own
-- lanes exist (a claim of one: three of four); own lanes in turn, a window at a time; what is left,
-- by weight, from those that gave their whole quantum; shared lanes for the rest. p_pos, p_used,
-- p_shared are this queue's part of the cursor and come back moved on.
-- p_taken: the jobs that this call took in other queues, for the limits of their tenants. p_alone:
-- only jobs that are to run alone.
create or replace function fairclaim_internal.claim_from_queue(
  p_queue text,
  p_limit int,
  p_types text[],
  p_limited boolean,
  p_alone boolean,
  inout p_pos bigint,
  inout p_used int,
  inout p_shared int,
  p_taken fairclaim_internal.ready[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_priorities smallint[];
  v_own boolean := false;
  v_ranked boolean := false;                  -- some lane has a priority that counts
  v_share int;                                -- what the shared lanes may give at first
  v_any boolean;                              -- whether the queue has shared lanes
  v_more boolean := false;                    -- whether they may have more than their share
  v_got int := 0;
  v_from_shared boolean := false;
  v_own_part record;
begin
  if p_limited then
    p_limit := room_in_queue(p_queue, p_limit);
    if p_limit = 0 then
      return;
    end if;
  end if;
  if p_alone then
    select array_agg(lane.lane_id), array_agg(lane.floor) into v_lanes, v_floors from lane
     where lane.alone and lane.queue = p_queue and (p_types is null or lane.type = any (p_types));
  else
    select exists (select from lane where lane.walked and lane.queue = p_queue),
           exists (select from lane where lane.queue = p_queue
                      and (lane.priority > 0 or lane.priority < 0 and lane.tenant_id is null)),
           exists (select from lane
                    where lane.tenant_id is null and not lane.alone and lane.queue = p_queue)
      into v_own, v_ranked, v_any;
    if v_any then
      select array_agg(lane.lane_id), array_agg(lane.floor), array_agg(lane.priority)
        into v_lanes, v_floors, v_priorities from lane
       where lane.tenant_id is null and not lane.alone and lane.queue = p_queue
         and (p_types is null or lane.type = any (p_types));
    end if;
  end if;
  v_share := case when v_lanes is null then 0
                  when not v_own then p_limit
                  when p_limit > 1 then p_limit - (p_limit + 3) / 4
                  when p_shared < 3 then 1
                  else 0 end;

  if p_alone and p_limited then
    jobs := take_bounded(p_queue, v_lanes, v_floors, p_limit, p_taken, null, p_taken is null);
    return;
  end if;
  if v_share > 0 then
    if v_ranked then
      jobs := take_ranked(p_queue, v_lanes, v_floors, v_priorities, v_share, p_types, p_limited,
        p_taken, null);
    elsif p_limited then
      jobs := take_bounded(p_queue, v_lanes, v_floors, v_share, p_taken, null, false);
    else
      jobs := take_shared(v_lanes, v_floors, v_share, false);
    end if;
    v_got := coalesce(cardinality(jobs), 0);
    v_from_shared := v_got > 0;
    v_more := v_got >= v_share or v_ranked or cardinality(v_lanes) > 1 or p_limited and v_got = 0;
  else
    v_more := v_lanes is not null;
  end if;

  if v_own and v_got < p_limit then
    v_own_part := claim_own(p_queue, p_limit - v_got, p_types, p_limited, p_pos, p_used,
      p_taken, jobs, case when v_ranked then v_lanes end, v_priorities);
    jobs := jobs || v_own_part.jobs;
    v_got := coalesce(cardinality(jobs), 0);
    p_pos := v_own_part.p_pos;
    p_used := v_own_part.p_used;
  end if;

  if v_more and v_ranked and v_got < p_limit then
    jobs := jobs || take_ranked(p_queue, v_lanes, v_floors, v_priorities, p_limit - v_got,
      p_types, p_limited, p_taken, jobs);
    v_got := coalesce(cardinality(jobs), 0);
  end if;
  -- also without own lanes: rows that were counted may be locked, or of tenants at a limit. With
  -- priorities only a call that has nothing takes what is there.
  if v_more and v_got < p_limit and (v_got = 0 or not v_ranked) then
    jobs := jobs || case
      when p_limited
        then take_bounded(p_queue, v_lanes, v_floors, p_limit - v_got, p_taken, jobs,
               jobs is null and p_taken is null)
      else take_shared(v_lanes, v_floors, p_limit - v_got, true) end;
  end if;
  p_shared := case when p_limit = 1 and v_from_shared then least(3, p_shared + 1) else 0 end;
end
$$;

comment on function fairclaim_internal.claim_from_queue(text, int, text[], boolean, boolean, bigint,
    int, int, fairclaim_internal.ready[]) is
'Takes up to p_limit jobs of one queue out of `ready`: shared lanes and own lanes, fairly.';

-- internal/claim/claim_one.sql
-- One job, where nothing special applies: no priorities in the queue, no limits, no pause; else it
-- finds nothing, and claim_from_queue has the rest. One statement looks, walks, locks and takes.
-- Its lock on `ready` is older than the snapshot in which it sees no limit.
-- way: 0 shared lanes (three claims of four), 1 the rest of the quantum of the cursor's tenant, 2
-- the next 256 own lanes in turn, 3 shared lanes again where there is no own lane. Lanes of types
-- that were not asked for are passed over; what lies farther is claim_from_queue's affair. p_pos,
-- p_used and p_shared are this queue's part of the cursor: they come back moved on, or null with no
-- job.
create or replace function fairclaim_internal.claim_one(
  p_queue text,
  p_types text[],
  inout p_pos bigint,
  inout p_used int,
  inout p_shared int,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_pos bigint := p_pos;
begin
  with taken as materialized (
    select waiting.place, waiting.job, walk.turn, walk.way
      from ((select lane.lane_id, oldest.seq as floor, p_pos as turn, 0 as way, lane.type
               from lane
              cross join lateral (
                select ready.seq from ready
                 where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                 order by ready.lane_id, ready.seq limit 1) oldest
              where p_shared < 3
                and lane.tenant_id is null and not lane.alone and lane.queue = p_queue
              order by oldest.seq)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 1, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn = p_pos
                and lane.weight > p_used and (p_types is null or lane.type = any (p_types))
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 256)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 2, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn > p_pos
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 128)
            union all
            (select lane.lane_id, lane.floor, lane.turn, 2, lane.type from lane
              where lane.walked and lane.queue = p_queue and lane.turn <= p_pos
              order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 128)
            union all
            (select lane.lane_id, lane.floor, p_pos, 3, lane.type from lane
              where lane.tenant_id is null and not lane.alone and lane.queue = p_queue
                and not exists (select from lane own
                                 where own.walked and own.queue = p_queue))) walk
     cross join lateral (
       select ready.ctid as place, ready as job from ready
        where ready.lane_id = walk.lane_id and ready.seq >= walk.floor
        order by ready.lane_id, ready.seq limit 1 for update skip locked) waiting
     where (p_types is null or walk.type = any (p_types))
       and not exists (select from running_limit)
       and not exists (select from queue where queue.name = p_queue and queue.paused_at is not null)
       and not exists (select from lane ranked
                        where ranked.queue = p_queue
                          and (ranked.priority > 0
                               or ranked.priority < 0 and ranked.tenant_id is null))
     limit 1),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array[taken.job], taken.turn,
         case taken.way when 2 then 1 when 1 then p_used + 1 else p_used end,
         case when taken.way = 0 then p_shared + 1 else 0 end
    into jobs, p_pos, p_used, p_shared
    from taken;
  if jobs is not null and random() < 0.03 then      -- a statement of its own: it would cost each
    perform hint_passed(p_queue, v_pos);            -- claim more than the walk
  end if;
end
$$;

comment on function fairclaim_internal.claim_one(text, text[], bigint, int, int) is
'Takes one job out of `ready`, where nothing special applies: one statement.';

-- internal/claim/claim_own.sql
-- Own lanes, weighted round robin over tenants by turn, after the cursor. The first window has as
-- many tenants as are to give something, and a quarter more, since some give nothing; each lane is
-- probed once. The second window is three times as wide, and each later one four times as wide as
-- the one before, while own lanes gave nothing; windows grow on beyond v_far only while the whole
-- call has nothing at all. Then the rest is taken, by weight, from those that gave their whole
-- quantum. With types, the first window is that of all types, and the later ones walk by type. The
-- cursor's tenant is visited once in a pass: its rows are not locked against this claim itself, so
-- a second visit in the same statement would return them twice.
-- p_lanes, p_priorities: the shared lanes of the queue where priorities are in use, since a tenant
-- may have a higher job there; else null. p_elsewhere, p_here: the jobs that this call has already,
-- of other queues and of this one.
create or replace function fairclaim_internal.claim_own(
  p_queue text,
  p_limit int,
  p_types text[],
  p_limited boolean,
  inout p_pos bigint,
  inout p_used int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  p_lanes bigint[],
  p_priorities smallint[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_visits int := p_limit / greatest(1, p_limit / 64);    -- how many tenants are to give something
  v_walk int := v_visits + least(16, v_visits / 4 + 2);
  -- up to here windows grow, though the call has jobs from elsewhere
  v_far int := 4 * (p_limit + 16);
  v_wide boolean := false;                    -- behind the first window
  v_fill boolean := false;                    -- in the filling rounds
  v_end bigint;                           -- the last turn of a window that was not the whole round
  v_got int := 0;
  v_took int;
  v_last int;
  v_probed int;                               -- how many of the window's turns were probed
  v_turns bigint[];
  v_tenants uuid[];
  v_quanta int[];
  v_weights int[];
  v_full_turns bigint[];                      -- the tenants that gave their whole quantum
  v_full_tenants uuid[];
  v_full_weights int[];
  v_hinted boolean;
  v_window record;
  v_taken record;
begin
  loop
    if v_fill then
      v_turns := v_full_turns;
      v_tenants := v_full_tenants;
      v_weights := v_full_weights;
      v_quanta := quanta(v_weights, p_limit - v_got, true);
      v_full_turns := null;
      v_full_tenants := null;
      v_full_weights := null;
    else
      if v_wide and p_types is not null then  -- the types asked for are few of those that wait
        v_window := next_turns_by_type(p_queue, p_types, p_pos, p_used, v_walk);
      else
        v_window := next_turns(p_queue, p_pos, p_used, v_walk);
      end if;
      v_turns := v_window.turns;
      v_tenants := v_window.tenants;
      v_weights := v_window.weights;
      exit when v_turns is null;
      v_end := case when cardinality(v_turns) >= v_walk then v_turns[cardinality(v_turns)] end;
      v_quanta := quanta(v_weights, p_limit - v_got, v_end is null);
      if p_used > 0 and v_turns[1] = p_pos and v_weights[1] > p_used then
        v_quanta[1] := v_quanta[1] - p_used;
      end if;
    end if;
    v_last := cardinality(v_turns);
    if v_last > 1 and v_turns[v_last] = v_turns[1] then
      v_quanta[v_last] := 0;
    end if;
    if p_limited then
      v_quanta := room_under_limits(p_queue, p_types, v_turns, v_tenants, v_quanta,
        p_limit - v_got, p_elsewhere, p_here || jobs);
    end if;

    v_took := 0;
    if p_lanes is not null then
      v_taken := take_highest(p_queue, p_types, p_lanes, p_priorities, -100, v_tenants, v_quanta,
        p_limit - v_got);
      v_took := coalesce(cardinality(v_taken.jobs), 0);
    end if;
    if v_took = 0 then
      v_taken := take_own(p_queue, p_types, v_turns, v_quanta, p_limit - v_got);
      v_took := coalesce(cardinality(v_taken.jobs), 0);
    end if;
    v_probed := case when v_took < p_limit - v_got then cardinality(v_turns)
                     else v_taken.ordinals[v_took] end;
    v_hinted := leave_hints(p_queue, v_turns, v_probed, v_taken.ordinals, v_taken.jobs);
    if v_took > 0 then
      jobs := jobs || v_taken.jobs;
      v_got := v_got + v_took;
      v_last := v_taken.ordinals[v_took];
      -- no weight in effect is above 10,000, and a cursor's numbers stay short
      p_used := least(10000,
        case when v_turns[v_last] = p_pos and v_last = 1 then p_used else 0 end
          + cardinality(array_positions(v_taken.ordinals, v_last)));
      p_pos := v_turns[v_last];
      exit when v_got >= p_limit;
      select v_full_turns || array_agg(v_turns[gave.ordinal] order by gave.ordinal),
             v_full_tenants || array_agg(v_tenants[gave.ordinal] order by gave.ordinal),
             v_full_weights || array_agg(v_weights[gave.ordinal] order by gave.ordinal)
        into v_full_turns, v_full_tenants, v_full_weights
        from (select each.ordinal, count(*) as jobs
                from unnest(v_taken.ordinals) each(ordinal) group by each.ordinal) gave
       where gave.jobs >= v_quanta[gave.ordinal]
         and v_turns[gave.ordinal] <> all (coalesce(v_full_turns, '{}'));
    end if;

    if not v_fill and v_end is not null
       and (not v_wide
            or v_got = 0
               and (v_walk <= v_far or coalesce(cardinality(p_elsewhere || p_here), 0) = 0)) then
      v_walk := case when v_wide then v_walk * 4 else v_walk * 3 end;
      v_wide := true;
      p_pos := v_end;
      p_used := 0;
    elsif v_full_turns is not null then
      v_fill := true;
    else
      exit;
    end if;
  end loop;
  if v_end is not null and v_got < p_limit then
    p_pos := v_end;                           -- a partial round: go on behind the window next time
    p_used := 0;
  end if;
end
$$;

comment on function fairclaim_internal.claim_own(text, int, text[], boolean, bigint, int,
    fairclaim_internal.ready[], fairclaim_internal.ready[], bigint[], smallint[]) is
'Takes up to p_limit jobs out of the own lanes of a queue, tenants in turn by weight.';

-- internal/claim/hint_passed.sql
-- Tells tick which floors should move, for a claim of one: the lanes of the cursor's tenant, and
-- those behind it up to the first that has a row (33 at most). Called for about one claim in 32, so
-- each lane that a claim takes from, or probes in vain, is hinted at as often.
create or replace function fairclaim_internal.hint_passed(p_queue text, p_pos bigint) returns void
language plpgsql
as $$
begin
  insert into floor_hint (lane_id)
  select passed.lane_id
    from (select own.lane_id,
                 count(*) filter (where own.turn > p_pos and own.waits)
                   over (rows between unbounded preceding and 1 preceding) as waiting_before
            from (select lane.lane_id, lane.turn,
                         exists (select from ready
                                  where ready.lane_id = lane.lane_id
                                    and ready.seq >= lane.floor) as waits
                    from lane
                   where lane.walked and lane.queue = p_queue and lane.turn >= p_pos
                   order by lane.queue, lane.turn, lane.priority desc, lane.lane_id
                   limit 33) own) passed
   where coalesce(passed.waiting_before, 0) = 0;
end
$$;

comment on function fairclaim_internal.hint_passed(text, bigint) is
'Hints for tick: own lanes that a claim of one from this place on probes.';

-- internal/claim/default_limits.sql
-- The limits of running jobs that bound each tenant without own ones in a queue, and whether any
-- tenant has own ones: read once a claim, so that a claim of many tenants looks no further where
-- only defaults are set.
create or replace function fairclaim_internal.default_limits(
  p_queue text,
  out total int,
  out here int,
  out is_any_own boolean,
  out is_rate boolean,
  out is_own_rate boolean
)
language plpgsql
as $$
begin
  select max(bound.max_running) filter (where bound.queue = ''),
         max(bound.max_running) filter (where bound.queue <> ''),
         coalesce(bool_or(bound.units is not null), false),
         exists (select from running_limit own
                  where own.tenant_id > '00000000-0000-0000-0000-000000000000'
                     or own.tenant_id = '00000000-0000-0000-0000-000000000000'
                        and own.subject = 'tenant')
    into total, here, is_rate, is_any_own
    from running_limit bound
   where bound.tenant_id = '00000000-0000-0000-0000-000000000000'
     and bound.queue = any (array['', p_queue]) and bound.subject = 'default';
  is_own_rate := exists (
    select from running_limit own
     where own.units is not null and own.tenant_id > '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim_internal.default_limits(text) is
'How many jobs of each tenant without own limits may run at a time: over all queues, and in this one; null: no limit. is_any_own: whether some tenant has a limit of its own. is_rate: whether a default rate counts here; is_own_rate: whether some tenant has a rate of its own.';

-- internal/claim/has_room.sql
-- Whether a tenant has jobs waiting, and room for one more under its limits over all queues. A
-- limit in one queue is not looked at: who asks wants to know whether a look is worth while.
create or replace function fairclaim_internal.has_room(p_tenant_id uuid) returns boolean
language plpgsql
as $$
declare
  v_default record := default_limits('');
  v_most int := (
    select bound.total from limits_of(p_tenant_id, '', v_default.total, null) bound);
begin
  return exists (select from ready where ready.tenant_id = p_tenant_id)
    and (v_most is null
         or v_most > (select count(*) from running
                       where running.limited and running.tenant_id = p_tenant_id));
end
$$;

comment on function fairclaim_internal.has_room(uuid) is
'Whether a job of this tenant waits that its limit over all queues leaves room for.';

-- internal/claim/hop_turns.sql
-- As next_turns, where tenants have many lanes each: one index descent a tenant, whatever the
-- number of its lanes.
-- stretch: 0 the cursor's tenant with the rest of its quantum, 1 the turns after it, 2 those before
-- it, 3 the cursor's tenant again.
create or replace function fairclaim_internal.hop_turns(
  p_queue text,
  p_pos bigint,
  p_used int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out weights int[]
)
language plpgsql
as $$
begin
  with recursive hop(stretch, turn, tenant_id, weight) as (
    (select * from (
       (select 0, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn = p_pos
           and (p_used = 0 or lane.weight > p_used) limit 1)
       union all
       (select 1, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn > p_pos
         order by lane.turn limit 1)
       union all
       (select 2, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn < p_pos
         order by lane.turn limit 1)
       limit 1) first)
    union all
    select next.* from hop
     cross join lateral (
       (select 1, lane.turn, lane.tenant_id, lane.weight::int from lane
         where hop.stretch < 2 and lane.walked and lane.queue = p_queue
           and lane.turn > hop.turn
         order by lane.turn limit 1)
       union all
       (select 2, lane.turn, lane.tenant_id, lane.weight::int from lane
         where lane.walked and lane.queue = p_queue and lane.turn < p_pos
           and lane.turn > case when hop.stretch = 2 then hop.turn else -9223372036854775808 end
         order by lane.turn limit 1)
       union all
       (select 3, lane.turn, lane.tenant_id, lane.weight::int from lane
         where hop.stretch < 3 and p_used > 0 and lane.walked
           and lane.queue = p_queue and lane.turn = p_pos limit 1)
       limit 1) next
     where hop.stretch < 3)
  select array_agg(walk.turn), array_agg(walk.tenant_id), array_agg(walk.weight)
    into turns, tenants, weights
    from (select * from hop limit p_walk) walk;
end
$$;

comment on function fairclaim_internal.hop_turns(text, bigint, int, int) is
'As next_turns, one index descent a tenant: for tenants with many lanes.';

-- internal/claim/is_cursor_entry.sql
-- The server inlines this function into the caller's expression, so the cursor of a worker with one
-- queue is checked without running a query.
create or replace function fairclaim_internal.is_cursor_entry(p_entry text) returns boolean
language sql immutable parallel safe
as $$
  select case
           when length(p_entry) > 110
             or p_entry !~ '^[a-z0-9][a-z0-9_.:-]*[|]-?[0-9]+[|][0-9]+[|][0-9]+$' then false
           when length(split_part(p_entry, '|', 2)) > 20 or length(split_part(p_entry, '|', 3)) > 6
             or length(split_part(p_entry, '|', 4)) > 6 then false
           else split_part(p_entry, '|', 2)::numeric
                between -9223372036854775808 and 9223372036854775807
         end
$$;

comment on function fairclaim_internal.is_cursor_entry(text) is
'Whether a text is one queue''s part of a cursor: queue|turn|used|shared.';

-- internal/claim/leave_hints.sql
-- Tells tick which floors should move: about one hint for 32 jobs taken, and as often one for a
-- lane that was probed in vain (its dead prefix grows with every probe, and no claim takes from
-- it). Returns true, so that it can be called in an expression.
create or replace function fairclaim_internal.leave_hints(
  p_queue text,
  p_turns bigint[],
  p_probed int,
  p_ordinals int[],
  p_jobs fairclaim_internal.ready[]
) returns boolean
language plpgsql
as $$
declare
  v_took int := coalesce(cardinality(p_jobs), 0);
  v_dry int;                      -- one of the turns that were probed; a hint if it gave nothing
begin
  if v_took >= 20 then
    insert into floor_hint (lane_id)
    select distinct taken.lane_id from unnest(p_jobs) taken where random() < 0.03;
  elsif random() < v_took * 0.03 then
    insert into floor_hint (lane_id) values ((p_jobs[1 + floor(random() * v_took)::int]).lane_id);
  end if;
  if random() < (p_probed - v_took) * 0.03 then
    v_dry := 1 + floor(random() * p_probed)::int;
    insert into floor_hint (lane_id)
    select lane.lane_id from lane
     where lane.walked and lane.queue = p_queue and lane.turn = p_turns[v_dry]
       and v_dry <> all (coalesce(p_ordinals, '{}'))
     order by lane.queue, lane.turn, lane.priority desc, lane.lane_id limit 4;
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.leave_hints(text, bigint[], int,
    int[], fairclaim_internal.ready[]) is
'Hints for tick: lanes whose floor should move.';

-- internal/claim/limits_of.sql
-- The limits of running jobs that bound one tenant in one queue; null where nothing bounds it.
-- total: over all its queues; here: in this queue alone. Each is the tenant's own, or the default
-- that is given. An own limit that is not active yet gives no room. Plain SQL without settings, so
-- that it becomes a part of the statement that calls it.
create or replace function fairclaim_internal.limits_of(
  p_tenant_id uuid,
  p_queue text,
  p_total int,
  p_here int
) returns table (total int, here int)
language sql stable rows 1
as $$
  select coalesce(
           max(case when own.queue = ''
                    then case when own.active then own.max_running else 0 end end),
           p_total),
         coalesce(
           max(case when own.queue <> ''
                    then case when own.active then own.max_running else 0 end end),
           p_here)
    from fairclaim_internal.running_limit own
   where own.tenant_id = p_tenant_id and own.queue in ('', p_queue) and own.subject = 'tenant'
     and own.max_running is not null
$$;

comment on function fairclaim_internal.limits_of(uuid, text, int, int) is
'How many jobs of this tenant may run at a time: over all queues, and in this one. Null: no limit.';

-- internal/claim/lock_slot.sql
-- The slot of claim_lock that a claim holds while it counts what runs of a tenant under its limits.
-- Tenants whose hashes meet share a slot: then one claim at a time takes jobs of either.
create or replace function fairclaim_internal.lock_slot(p_tenant_id uuid) returns int
language sql immutable parallel safe
as $$ select (pg_catalog.uuid_hash_extended(p_tenant_id, 1) & 1023)::int $$;

comment on function fairclaim_internal.lock_slot(uuid) is
'The slot of claim_lock for the limits of a tenant: 0 to 1,023.';

-- internal/claim/next_queue.sql
-- The next queue by name that is not paused and may have something for a claim: one with a row in a
-- lane (p_alone: in a lane of jobs that run alone). Empty shared lanes cost a look each, once a
-- claim, whatever the number of their queues. So do empty own lanes, until they are closed: after a
-- hundred of them in a row their last queue is visited, since a queue with very many has better
-- ways to walk them. For one look in 32 a lane is hinted at, so that its floor passes what was
-- taken from it (leave_hints).
create or replace function fairclaim_internal.next_queue(p_after text, p_alone boolean) returns text
language plpgsql
as $$
declare
  v_after text collate "C" := p_after;
begin
  if not p_alone and random() < 0.1 then
    insert into floor_hint (lane_id)
    select own.lane_id
      from (select lane.lane_id, lane.floor from lane
             where lane.walked and lane.queue > v_after
             order by lane.queue limit 100) own
     where random() < 0.3
       and not exists (select from ready
                        where ready.lane_id = own.lane_id and ready.seq >= own.floor);
  end if;
  return (
    select min(found.name)
      from ((select coalesce(
               (select own.queue
                  from (select lane.queue, lane.lane_id, lane.floor from lane
                         where not p_alone and lane.walked and lane.queue > v_after
                         order by lane.queue limit 100) own
                 where exists (select from ready
                                where ready.lane_id = own.lane_id and ready.seq >= own.floor)
                   and not exists (select from queue
                                    where queue.name = own.queue and queue.paused_at is not null)
                 limit 1),
               (select lane.queue from lane
                 where not p_alone and lane.walked and lane.queue > v_after
                 order by lane.queue offset 99 limit 1)) as name)
            union all
            (select lane.queue from lane
              where not p_alone and lane.tenant_id is null and not lane.alone
                and lane.queue > v_after
                and exists (select from ready
                             where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
                and not exists (select from queue
                                 where queue.name = lane.queue and queue.paused_at is not null)
              order by lane.queue limit 1)
            union all
            (select lane.queue from lane
              where p_alone and lane.alone and lane.queue > v_after
                and exists (select from ready
                             where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
                and not exists (select from queue
                                 where queue.name = lane.queue and queue.paused_at is not null)
              order by lane.queue limit 1)) found);
end
$$;

comment on function fairclaim_internal.next_queue(text, boolean) is
'The first queue after this name in which a claim may find something; null when there is none.';

-- internal/claim/next_turns.sql
-- Whose turn is next: the rest of the quantum of the cursor's tenant, the others in turn, the
-- cursor's tenant again. Read only, at most p_walk tenants. Types are not looked at: where they
-- cover most of what waits, which is usual, the walk is the same for all of them, and a tenant that
-- has none of them gives nothing. Nearly always a tenant has a lane or two, and a stretch of the
-- index has all of them; where it has few tenants with many lanes each, the tenants are hopped to
-- one by one, so that no tenant is seen more often for having more lanes.
create or replace function fairclaim_internal.next_turns(
  p_queue text,
  p_pos bigint,
  p_used int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out weights int[]
)
language plpgsql
as $$
declare
  v_look int := 2 * p_walk;
  v_lanes int;
begin
  select array_agg(next.turn), array_agg(next.tenant_id), array_agg(next.weight)
    into turns, tenants, weights
    from ((select distinct on (ahead.turn) ahead.turn, ahead.tenant_id, ahead.weight::int
             from (select lane.turn, lane.tenant_id, lane.weight from lane
                    where lane.walked and lane.queue = p_queue and lane.turn >= p_pos
                    order by lane.turn limit v_look) ahead
            where ahead.turn > p_pos or p_used = 0 or ahead.weight > p_used
            order by ahead.turn limit p_walk)
          union all
          (select distinct on (around.turn) around.turn, around.tenant_id, around.weight::int
             from (select lane.turn, lane.tenant_id, lane.weight from lane
                    where lane.walked and lane.queue = p_queue and lane.turn <= p_pos
                    order by lane.turn limit v_look) around
            where around.turn < p_pos or p_used > 0
            order by around.turn limit p_walk)
          limit p_walk) next;
  if cardinality(turns) < p_walk then
    select count(*) into v_lanes
      from (select from lane
             where lane.walked and lane.queue = p_queue limit v_look) some_lanes;
    if v_lanes >= v_look then
      select hop.turns, hop.tenants, hop.weights into turns, tenants, weights
        from hop_turns(p_queue, p_pos, p_used, p_walk) hop;
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.next_turns(text, bigint, int, int) is
'The tenants with own lanes whose turn is next, and their weights.';

-- internal/claim/next_turns_by_type.sql
-- As next_turns, for few types among many: each type's lanes are walked by an index of their own
-- and merged.
-- stretch: 0 the cursor's tenant with the rest of its quantum, 1 the turns after it, 2 those before
-- it, 3 the cursor's tenant again.
create or replace function fairclaim_internal.next_turns_by_type(
  p_queue text,
  p_types text[],
  p_pos bigint,
  p_used int,
  p_walk int,
  out turns bigint[],
  out tenants uuid[],
  out weights int[]
)
language plpgsql
set enable_sort = on
as $$
begin
  select array_agg(next.turn order by next.stretch, next.turn),
         array_agg(next.tenant_id order by next.stretch, next.turn),
         array_agg(next.weight order by next.stretch, next.turn)
    into turns, tenants, weights
    from (select distinct on (walk.stretch, walk.turn) walk.*
            from unnest(p_types) asked(type)
           cross join lateral (
             (select lane.turn, lane.tenant_id, lane.weight::int as weight, 0 as stretch from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn = p_pos and (p_used = 0 or lane.weight > p_used) limit 1)
             union all
             (select distinct on (lane.turn) lane.turn, lane.tenant_id, lane.weight::int, 1
                from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn > p_pos
               order by lane.turn limit p_walk)
             union all
             (select distinct on (lane.turn) lane.turn, lane.tenant_id, lane.weight::int, 2
                from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn < p_pos
               order by lane.turn limit p_walk)
             union all
             (select lane.turn, lane.tenant_id, lane.weight::int, 3 from lane
               where lane.walked and lane.queue = p_queue and lane.type = asked.type
                 and lane.turn = p_pos and p_used > 0 limit 1)
             limit p_walk) walk
           order by walk.stretch, walk.turn limit p_walk) next;
end
$$;

comment on function fairclaim_internal.next_turns_by_type(text, text[], bigint, int, int) is
'As next_turns, where the types of a claim are few of those that wait.';

-- internal/claim/note_idle.sql
-- Called when a claim found nothing. From then on dispatches wake the worker, for as long as it
-- says that it will be idle. 0 means that nothing wakes it, since it polls. Null stands for a
-- caller that does not say: it polls about once a second. However many workers ask, the sequence is
-- set at most once in a twentieth of that time. A value more than an hour ahead was written by a
-- clock that was wrong, and is replaced.
create or replace function fairclaim_internal.note_idle(
  p_now timestamptz,
  p_idle_for float8 default null
) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_for bigint := (least(coalesce(p_idle_for, 1.5), 600) * 1000)::bigint;
begin
  if v_for > 0
     and coalesce(pg_sequence_last_value('asleep_until'), 0)
         not between v_ms + v_for - v_for / 20 and v_ms + 3600000 then
    perform setval('asleep_until', v_ms + v_for);
  end if;
end
$$;

comment on function fairclaim_internal.note_idle(timestamptz, float8) is
'Notes that a claim found nothing and how long its worker will be idle, in seconds, so that dispatch wakes it.';

-- internal/claim/note_rates.sql
-- A claim that got nothing in a database with rates wants to look again when there is room under
-- the first of them: a tick wakes it then. That time is kept in `rate_at`.
create or replace function fairclaim_internal.note_rates(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_due timestamptz := (
    select rate_use.due_at from rate_use
     where rate_use.due_at > p_now order by rate_use.due_at limit 1);
  v_last bigint := coalesce(pg_sequence_last_value('rate_at'), 0);
begin
  if v_due is not null then
    if v_last not between millis(p_now) and millis(v_due) then
      perform setval('rate_at', millis(v_due) + 1);
    end if;
    if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_due) then
      perform wake_before(p_now, v_due);
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.note_rates(timestamptz) is
'Notes when there is room under a rate again, for a claim that got nothing.';

-- internal/claim/open_queues.sql
-- The given queues in their order, less the paused ones. Null stands for every queue that has
-- lanes, by name: their names are hopped to through the two walking indexes of `lane`, one hop a
-- queue.
create or replace function fairclaim_internal.open_queues(p_queues text[]) returns text[]
language plpgsql stable
as $$
declare
  v_queues text[] := p_queues;
begin
  if v_queues is null then
    with recursive
      own(queue) as (
        (select lane.queue from lane where lane.tenant_id is not null order by lane.queue limit 1)
        union all
        select (select lane.queue from lane
                 where lane.tenant_id is not null and lane.queue > own.queue
                 order by lane.queue limit 1)
          from own where own.queue is not null),
      shared(queue) as (
        (select lane.queue from lane where lane.tenant_id is null order by lane.queue limit 1)
        union all
        select (select lane.queue from lane
                 where lane.tenant_id is null and lane.queue > shared.queue
                 order by lane.queue limit 1)
          from shared where shared.queue is not null)
    select array_agg(either.queue) into v_queues
      from (select own.queue from own where own.queue is not null
            union
            select shared.queue from shared where shared.queue is not null
            order by 1) either;
  end if;
  if exists (select from queue where queue.paused_at is not null) then
    select array_agg(named.queue order by named.ordinal) into v_queues
      from unnest(v_queues) with ordinality named(queue, ordinal)
     where not exists (
             select from queue where queue.name = named.queue and queue.paused_at is not null);
  end if;
  return v_queues;
end
$$;

comment on function fairclaim_internal.open_queues(text[]) is
'The given queues, or all that have lanes, less the paused ones.';

-- internal/claim/quanta.sql
-- How many jobs each tenant of a window may give. It is the tenant's weight, times what is needed
-- if the window is the whole round. Otherwise it is the weight once for every 64 jobs that are
-- asked for: a claim of hundreds of jobs would have to pay for as many visits. Where the weights
-- are large, fewer visits fill the call, and turns stay as short as they can be.
create or replace function fairclaim_internal.quanta(p_weights int[], p_limit int, p_whole boolean)
returns int[]
language plpgsql immutable
as $$
declare
  v_times int;
begin
  if not p_whole then
    v_times := p_limit / 64;
    if v_times > 1 then
      v_times := least(v_times,
        2 * p_limit / (select sum(tenant.weight) from unnest(p_weights) tenant(weight)));
    end if;
  elsif p_limit > cardinality(p_weights) then
    v_times := p_limit / (select sum(tenant.weight) from unnest(p_weights) tenant(weight));
  end if;
  if v_times is null or v_times <= 1 then
    return p_weights;
  end if;
  return (select array_agg(tenant.weight * v_times) from unnest(p_weights) tenant(weight));
end
$$;

comment on function fairclaim_internal.quanta(int[], int, boolean) is
'How many jobs each tenant of a window may give, by its weight.';

-- internal/claim/rate_room.sql
-- How many jobs may begin now under a rate: of `burst` so many as have not been used up. A row of
-- rate_use says up to which time the rate is used up; each unit takes period / units of that time.
-- Rounded down, so that a rate is never exceeded.
create or replace function fairclaim_internal.rate_room(
  p_units int,
  p_period float8,
  p_burst int,
  p_paid_until timestamptz,
  p_now timestamptz
) returns int
language sql immutable
as $$
  select greatest(0, floor(
    p_burst - greatest(0, coalesce(extract(epoch from p_paid_until - p_now)::float8, 0))
              * p_units / p_period))::int
$$;

comment on function fairclaim_internal.rate_room(int, float8, int, timestamptz, timestamptz) is
'How many jobs may begin now under a rate that is used up until then; null: not at all.';

-- internal/claim/rates_of.sql
-- The rates that bound one tenant in one queue: over all its queues, and in this one; each is its
-- own, or the default where it has none. Plain SQL without settings, so that it becomes a part of
-- the statement that calls it.
create or replace function fairclaim_internal.rates_of(p_tenant_id uuid, p_queue text)
returns table (queue text, units int, period float8, burst int)
language sql stable rows 1
as $$
  select distinct on (bound.queue) bound.queue, bound.units, bound.period, bound.burst
    from fairclaim_internal.running_limit bound
   where bound.tenant_id = any (array[p_tenant_id, '00000000-0000-0000-0000-000000000000'])
     and bound.queue = any (array['', p_queue]) and bound.units is not null
     and (bound.subject = 'default' or bound.subject = 'tenant' and bound.tenant_id = p_tenant_id)
   order by bound.queue, bound.subject desc
$$;

comment on function fairclaim_internal.rates_of(uuid, text) is
'The rates of a tenant that count in this queue: its own, or the defaults.';

-- internal/claim/refuse_late.sql
-- A claim may have to wait until the lease that it would give is over: for a lock on a whole table,
-- or on a machine that stood still. No worker can use such a lease, and most likely none waits for
-- it any more. This is raised, so that the jobs stay where they are; 55P03 is what clients repeat.
create or replace function fairclaim_internal.refuse_late(p_expires timestamptz) returns void
language plpgsql
as $$
begin
  if fairclaim.clock() >= p_expires then
    raise exception 'the claim took longer than the lease that it would have given'
      using errcode = '55P03',
            hint = 'repeat it; if it happens again, look in pg_locks for who locks a table of '
              'fairclaim for long';
  end if;
end
$$;

comment on function fairclaim_internal.refuse_late(timestamptz) is
'Raises 55P03 when the lease that a claim would give is over already.';

-- internal/claim/room_in_queue.sql
-- How many more jobs of a queue may run under the limit and the rate of the queue, all tenants
-- together: p_limit where it has neither, 0 where another claim holds its slot of claim_lock. The
-- slot is locked first, and what runs is counted in a later statement, whose snapshot sees what the
-- holder of the slot before has committed.
create or replace function fairclaim_internal.room_in_queue(p_queue text, p_limit int) returns int
language plpgsql
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_group int := lane_group(p_queue);
  v_limit running_limit;
  v_room int := p_limit;
begin
  select * into v_limit from running_limit
   where running_limit.tenant_id = '00000000-0000-0000-0000-000000000000'
     and running_limit.queue = p_queue and running_limit.subject = 'queue';
  if not found then
    return p_limit;
  end if;
  if (select count(*) from running where running.queue_group = v_group) >= v_limit.max_running then
    return 0;
  end if;
  perform from claim_lock
    where claim_lock.slot = 1024 + (v_group & 63) for update skip locked;
  if not found then
    return 0;
  end if;
  if v_limit.max_running is not null then
    v_room := v_limit.max_running
              - (select count(*) from running where running.queue_group = v_group);
  end if;
  if v_limit.units is not null then
    v_room := least(v_room, rate_room(v_limit.units, v_limit.period, v_limit.burst,
      (select used.paid_until from rate_use used
        where used.tenant_id = '00000000-0000-0000-0000-000000000000'
          and used.queue_group = v_group
        order by used.tenant_id desc, used.queue_group desc, used.use_id desc limit 1),
      v_now));
  end if;
  return greatest(0, least(p_limit, v_room));
end
$$;

comment on function fairclaim_internal.room_in_queue(text, int) is
'How many more jobs may run under the limit of a queue.';

-- internal/claim/room_under_limits.sql
-- How many jobs each of these tenants may give under its limits, of as many as are wanted. First
-- the slots of claim_lock of those with work and room are locked until p_limit tenants have theirs
-- (skip locked: where another claim holds a slot, the next tenant is as good); then, in a new
-- statement with a new snapshot, their running jobs are counted, and with them what this call has
-- taken already: elsewhere in other queues, here in this one. So are their rates: what is left of
-- them is read, and charged when the claim is complete (charge_rates). A tenant without a limit or
-- a rate gives what is wanted. Where it is not known whether a tenant has work, p_turns tells its
-- place in the round, and its own lanes are looked at.
create or replace function fairclaim_internal.room_under_limits(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_tenants uuid[],
  p_wanted int[],
  p_limit int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[]
) returns int[]
language plpgsql
as $$
declare
  v_group int := lane_group(p_queue);
  v_elsewhere uuid[] := array(select taken.tenant_id from unnest(p_elsewhere) taken);
  v_here uuid[] := array(select taken.tenant_id from unnest(p_here) taken);
  v_default record := default_limits(p_queue);
  v_totals int[];
  v_heres int[];
  v_slots int[];
  v_now timestamptz;
  v_rated boolean[];                          -- whose rates count
begin
  if v_default.is_any_own then
    select array_agg(bound.total order by visit.ordinal),
           array_agg(bound.here order by visit.ordinal)
      into v_totals, v_heres
      from unnest(p_tenants) with ordinality visit(tenant_id, ordinal)
     cross join lateral limits_of(visit.tenant_id, p_queue, v_default.total, v_default.here) bound;
  else
    v_totals := array_fill(v_default.total, array[cardinality(p_tenants)]);
    v_heres := array_fill(v_default.here, array[cardinality(p_tenants)]);
  end if;
  if v_default.is_rate then
    v_rated := array_fill(true, array[cardinality(p_tenants)]);
  elsif v_default.is_own_rate then
    v_rated := array(
      select exists (select from running_limit own
                      where own.tenant_id = visit.tenant_id and own.units is not null)
        from unnest(p_tenants) with ordinality visit(tenant_id, ordinal) order by visit.ordinal);
  end if;
  if true = any (v_rated) then
    v_now := fairclaim.clock();
  elsif num_nonnulls(variadic v_totals) + num_nonnulls(variadic v_heres) = 0 then
    return p_wanted;
  end if;
  v_slots := array(
    select locked.slot
      from (select lock_slot(visit.tenant_id) as slot
              from unnest(p_tenants, p_wanted, v_totals, v_heres, v_rated) with ordinality
                   visit(tenant_id, wanted, total, here, is_rated, ordinal)
             cross join lateral (
               select count(*) as total,
                      count(*) filter (where running.queue_group = v_group) as here
                 from running
                where running.limited and running.tenant_id = visit.tenant_id
                  and coalesce(visit.total, visit.here) is not null) held
             where visit.wanted > 0
               and (visit.is_rated or coalesce(visit.total, visit.here) is not null)
               and (visit.total is null or held.total < visit.total)
               and (visit.here is null or held.here < visit.here)
               and case when visit.is_rated
                        then (select room.jobs
                                from room_under_rates(
                                       visit.tenant_id, p_queue, v_group, v_now) room)
                             is distinct from 0 else true end
               and (p_turns is null or exists (
                      select from lane
                       cross join lateral (
                         select from ready
                          where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                          limit 1) waiting
                       where lane.walked and lane.queue = p_queue
                         and lane.turn = p_turns[visit.ordinal]
                         and (p_types is null or lane.type = any (p_types))))
             order by visit.ordinal) wanted
     cross join lateral (
       select claim_lock.slot from claim_lock
        where claim_lock.slot = wanted.slot for update skip locked) locked
     limit p_limit);
  return array(
    select case when visit.is_rated is not true and coalesce(visit.total, visit.here) is null
                then visit.wanted
                when visit.wanted = 0 or lock_slot(visit.tenant_id) <> all (v_slots) then 0
                else greatest(0, least(visit.wanted,
                  visit.total - held.total - taken.here - taken.elsewhere,
                  visit.here - held.here - taken.here,
                  case when visit.is_rated
                       then (select room.jobs
                               from room_under_rates(visit.tenant_id, p_queue, v_group, v_now) room)
                            - taken.here - taken.elsewhere end)) end
      from unnest(p_tenants, p_wanted, v_totals, v_heres, v_rated) with ordinality
           visit(tenant_id, wanted, total, here, is_rated, ordinal)
     cross join lateral (
       select count(*)::int as total,
              (count(*) filter (where running.queue_group = v_group))::int as here
         from running
        where running.limited and running.tenant_id = visit.tenant_id
          and coalesce(visit.total, visit.here) is not null
          and lock_slot(visit.tenant_id) = any (v_slots)) held
     cross join lateral (
       select coalesce(cardinality(array_positions(v_here, visit.tenant_id)), 0) as here,
              coalesce(cardinality(array_positions(v_elsewhere, visit.tenant_id)), 0)
                as elsewhere) taken
     order by visit.ordinal);
end
$$;

comment on function fairclaim_internal.room_under_limits(text, text[], bigint[], uuid[], int[],
    int, fairclaim_internal.ready[], fairclaim_internal.ready[]) is
'How many jobs each tenant may give under its limits of running jobs.';

-- internal/claim/room_under_rates.sql
-- How many jobs a tenant may begin now in a queue under its rates: the least that one of them
-- leaves; null where it has none. Exact where the tenant's slot of claim_lock is held, since nobody
-- else charges its rates then. Plain SQL without settings, so that it becomes a part of the
-- statement that calls it.
create or replace function fairclaim_internal.room_under_rates(
  p_tenant_id uuid,
  p_queue text,
  p_group int,
  p_now timestamptz
) returns table (jobs int)
language sql stable rows 1
as $$
  select min(fairclaim_internal.rate_room(
           rate.units, rate.period, rate.burst,
           (select used.paid_until from fairclaim_internal.rate_use used
             where used.tenant_id = p_tenant_id
               and used.queue_group = case when rate.queue = '' then 0 else p_group end
             order by used.tenant_id desc, used.queue_group desc, used.use_id desc limit 1),
           p_now))
    from fairclaim_internal.rates_of(p_tenant_id, p_queue) rate
$$;

comment on function fairclaim_internal.room_under_rates(uuid, text, int, timestamptz) is
'How many jobs of a tenant may begin now under its rates; null: no rate.';

-- internal/claim/run_limited.sql
-- Starts attempts in a database with limits: each row of `running` says whether a limit counts it,
-- and, where a limit of its queue does, in which queue. p_queues: the queue of each job.
create or replace function fairclaim_internal.run_limited(
  p_jobs fairclaim_internal.ready[],
  p_queues text[],
  p_token uuid,
  p_expires_at timestamptz,
  p_worker_id text
) returns void
language plpgsql
as $$
declare
  v_own boolean := (default_limits('')).is_any_own;
begin
  with served as materialized (
    select named.queue, lane_group(named.queue) as queue_group,
           coalesce(usual.by_any, false) as by_any, coalesce(usual.by_queue, false) as by_queue
      from (select distinct given.queue collate "C" as queue
              from unnest(p_queues) given(queue)) named
     cross join lateral (
       select bool_or(true) as by_any, bool_or(bound.queue <> '') as by_queue
         from running_limit bound
        where bound.tenant_id = '00000000-0000-0000-0000-000000000000'
          and bound.queue = any (array['', named.queue]) and bound.subject <> 'tenant') usual)
  insert into running (id, tenant_id, lease_token, lease_expires_at, attempt, attempts_left, lost,
                       queue_group, watched, limited, worker_id)
  select taken.id, taken.tenant_id, p_token, p_expires_at, taken.attempts + 1, taken.attempts_left,
         taken.lost,
         case when served.by_queue or own.by_queue then served.queue_group else 0 end,
         taken.watched,
         served.by_any or coalesce(own.by_any, false), p_worker_id
    from unnest(p_jobs) with ordinality
         taken(lane_id, seq, id, tenant_id, attempts, attempts_left, lost, watched, place)
    join served on served.queue = p_queues[taken.place] collate "C"
   cross join lateral (
     select bool_or(true) as by_any, bool_or(bound.queue <> '') as by_queue
       from running_limit bound
      where v_own and bound.tenant_id = taken.tenant_id and bound.subject = 'tenant'
        and bound.queue in ('', served.queue)) own;
end
$$;

comment on function fairclaim_internal.run_limited(fairclaim_internal.ready[], text[], uuid,
    timestamptz, text) is
'Puts claimed jobs into `running`, marked as limits count them.';

-- internal/claim/take_bounded.sql
-- As take_shared, in a database with limits: first come first served, but of each tenant only as
-- many jobs as its limits leave room for. It looks at the oldest rows without a lock, asks for the
-- room of their tenants, and then locks exactly the chosen rows. The look is an older statement, so
-- another row may stand in the place of one that has gone meanwhile: the number, which is never
-- used twice, tells. The rows of tenants without room are passed over: where they hide others, it
-- looks further twice, and with p_far to the end: a call that has nothing at all goes as far as it
-- must. The rows of tenants that stay at their limit leave the shared lanes with the next tick.
create or replace function fairclaim_internal.take_bounded(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_limit int,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  p_far boolean,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
  -- how many rows it looks at
  v_look int := case when p_far then 2000 else 0 end + 2 * p_limit + 64;
  v_after bigint := 0;                        -- what was looked at before
  v_places tid[];
  v_seqs bigint[];
  v_tenants uuid[];
  v_counts int[];
  v_wanted int[];
  v_numbers uuid[];                           -- each tenant once, in the order of its first row
  v_left int := p_limit;
  v_taken ready[];
begin
  for v_pass in 1 .. case when p_far then 1000000 else 3 end loop
    select array_agg(oldest.place order by oldest.seq), array_agg(oldest.seq order by oldest.seq),
           array_agg(oldest.tenant_id order by oldest.seq)
      into v_places, v_seqs, v_tenants
      from (select waiting.place, waiting.seq, waiting.tenant_id
              from unnest(p_lanes, p_floors) shared(lane_id, floor)
             cross join lateral (
               select ready.ctid as place, ready.seq, ready.tenant_id from ready
                where ready.lane_id = shared.lane_id
                  and ready.seq >= greatest(shared.floor, v_after)
                order by ready.lane_id, ready.seq limit v_look) waiting
             order by waiting.seq limit v_look) oldest;
    exit when v_places is null;
    select array_agg(part.tenant_id order by part.first), array_agg(part.jobs order by part.first)
      into v_numbers, v_wanted
      from (select given.tenant_id, min(given.ordinal) as first,
                   least(count(*), v_left)::int as jobs
              from unnest(v_tenants) with ordinality given(tenant_id, ordinal)
             group by given.tenant_id) part;
    v_counts := room_under_limits(p_queue, null, null, v_numbers, v_wanted, v_left, p_elsewhere,
      p_here || jobs);
    with chosen as materialized (
      select ranked.place, ranked.seq
        from (select row_given.*,
                     row_number() over (partition by row_given.tenant_id order by row_given.seq)
                       as number
                from unnest(v_places, v_seqs, v_tenants) row_given(place, seq, tenant_id)) ranked
       where ranked.number <= v_counts[array_position(v_numbers, ranked.tenant_id)]
       order by ranked.seq limit v_left),
    taken as materialized (
      select waiting.place, waiting.job
        from chosen
       cross join lateral (
         select ready.ctid as place, ready as job from ready
          where ready.ctid = chosen.place and ready.seq = chosen.seq
            for update skip locked) waiting),
    gone as (
      delete from ready where ready.ctid = any (array(select taken.place from taken)))
    select array_agg(taken.job) into v_taken from taken;
    jobs := jobs || v_taken;
    v_left := p_limit - coalesce(cardinality(jobs), 0);
    exit when v_left = 0 or cardinality(v_places) < v_look or v_pass >= 3 and jobs is not null;
    v_after := v_seqs[cardinality(v_seqs)] + 1;
    v_look := greatest(v_look, least(v_look * 4, 4000));
  end loop;
end
$$;

comment on function fairclaim_internal.take_bounded(text, bigint[], bigint[], int,
    fairclaim_internal.ready[], fairclaim_internal.ready[], boolean) is
'Takes jobs out of shared lanes, under the limits of their tenants.';

-- internal/claim/take_highest.sql
-- What tenants give at their turn where priorities are in use: the highest that each has, the
-- oldest first among equals, of its jobs in these shared lanes (a light tenant has a few) and in
-- its own lanes of at least p_least; of each p_counts at most. Bounded: 64 rows of shared lanes a
-- tenant, and by index as many rows of own lanes as it is to give. A tenant's rows are found by the
-- tenant: the lane is asked for in a form that no index has, since statistics of a moment at which
-- nearly nothing waits would choose the lane, and walk its dead rows. It first looks, and then
-- locks exactly the chosen rows, skip locked: rows of `ready` are never updated, so a ctid names
-- one for as long as the snapshot that saw it. A claim that meets another one on all of them gets
-- nothing here and takes what follows (take_own, take_shared).
create or replace function fairclaim_internal.take_highest(
  p_queue text,
  p_types text[],
  p_lanes bigint[],
  p_priorities smallint[],
  p_least int,
  p_tenants uuid[],
  p_counts int[],
  p_limit int,
  out ordinals int[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
begin
  with chosen as materialized (
    select tenant.ordinal::int as ordinal, highest.*
      from unnest(p_tenants, p_counts) with ordinality tenant(tenant_id, jobs, ordinal)
     cross join lateral (
       select * from (
         (select shared.place, shared.seq, ranked.priority
            from (select ready.ctid as place, ready.lane_id, ready.seq from ready
                   where ready.tenant_id = tenant.tenant_id
                     and (ready.lane_id >> 32) = lane_group(p_queue)
                     and array_position(p_lanes, ready.lane_id) is not null limit 64) shared
           cross join lateral (
             select p_priorities[array_position(p_lanes, shared.lane_id)] as priority
             offset 0) ranked)
         union all
         (select waiting.place, waiting.seq, own.priority
            from (select lane.lane_id, lane.floor, lane.priority from lane
                   where lane.walked and lane.queue = p_queue
                     and lane.turn
                       = uuid_hash_extended(tenant.tenant_id, hashtextextended(p_queue, 0))
                     and lane.tenant_id = tenant.tenant_id and lane.priority >= p_least
                     and (p_types is null or lane.type = any (p_types))
                   order by lane.queue, lane.turn, lane.priority desc, lane.lane_id) own
           cross join lateral (
             select ready.ctid as place, ready.seq from ready
              where ready.lane_id = own.lane_id and ready.seq >= own.floor
              order by ready.lane_id, ready.seq limit tenant.jobs) waiting
           limit tenant.jobs)) either
        order by either.priority desc, either.seq limit tenant.jobs) highest
     where tenant.jobs > 0
     order by tenant.ordinal limit p_limit),
  locked as materialized (
    select ready.ctid as place, ready as job from ready
     where ready.ctid = any (array(select chosen.place from chosen)) for update skip locked),
  gone as (
    delete from ready where ready.ctid = any (array(select locked.place from locked))),
  taken as (
    select chosen.ordinal, locked.job from locked join chosen on chosen.place = locked.place
     order by chosen.ordinal, chosen.priority desc, chosen.seq)
  select array_agg(taken.ordinal), array_agg(taken.job) into ordinals, jobs from taken;
end
$$;

comment on function fairclaim_internal.take_highest(text, text[], bigint[], smallint[], int, uuid[],
    int[], int) is
'Takes the highest jobs of tenants out of shared and own lanes. ordinals: which of p_tenants a job belongs to.';

-- internal/claim/take_jobs.sql
-- All of a claim but the wide rows, which the caller reads by the ids of `jobs`: so claim_jobs and
-- settle_and_claim pay for one answer each.
-- Locks, in this order: slots of claim_lock (skip locked), rows of `ready` (skip locked, exactly
-- those taken). Waits for no row. Only a lock on a whole table makes it wait, also that of the wide
-- rows: if that took longer than the lease, the claim is of no use, and its caller refuses it
-- (refuse_late).
-- A claim of one in a queue where nothing special applies is one statement (claim_one); everything
-- else goes through claim_from_queue. Its callers pin jit, enable_seqscan and plan_cache_mode for
-- it too.
create or replace function fairclaim_internal.take_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[],
  p_lease float8,
  p_cursor text,
  p_lease_token uuid,
  p_idle_for float8,
  p_alone boolean,
  out jobs fairclaim_internal.ready[],
  out token uuid,
  out expires_at timestamptz,
  out cursor text
)
language plpgsql
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_is_good boolean;                          -- an assignment is cheaper than a statement
  v_entries text[];                           -- the cursor, an entry a queue
  v_entry text;
  v_at int := 0;
  v_queue text collate "C";
  v_last text collate "C" := '';              -- the queue visited last
  v_start text collate "C" := '';             -- the queue that the call before this one ended with
  v_around boolean := false;                  -- all queues by name: past the last one, and on
  v_limited boolean;                          -- some tenant has a limit; null before the first look
  v_paused boolean;
  v_pos bigint;
  v_used int;
  v_shared int;
  v_taken record;                             -- what one queue gave
  v_from text[];                              -- of each job its queue, where there are limits
  v_is_taken boolean := false;
begin
  v_is_good := check_claim(p_worker_id, p_queues, p_limit, p_types, p_lease);
  token := coalesce(p_lease_token, gen_random_uuid());
  expires_at := v_now + make_interval(secs => p_lease);
  if p_alone is not false then
    p_alone := coalesce(p_alone, false);
    p_limit := case when p_alone then 1 else p_limit end;
  end if;
  if p_cursor is not null then                -- each call starts at the queue after the last one's
    v_entries := check_cursor(p_cursor);
    v_start := split_part(v_entries[1], '|', 1);
    v_last := v_start;
    v_at := coalesce(array_position(p_queues, v_start), 0);
  end if;
  for v_visit in 1 .. coalesce(cardinality(p_queues), 1000000) loop
    if p_queues is not null then
      v_at := v_at % cardinality(p_queues) + 1;
      v_queue := p_queues[v_at];
    else
      v_queue := next_queue(v_last, p_alone);
      if v_queue is null and not v_around then
        v_around := true;
        v_queue := next_queue('', p_alone);
      end if;
      exit when v_queue is null or v_around and v_queue > v_start;
    end if;
    v_last := v_queue;
    v_entry := null;
    if split_part(v_entries[1], '|', 1) = v_queue then
      v_entry := v_entries[1];
      v_entries := v_entries[2:];
    elsif cardinality(v_entries) > 1 then
      select part.entry into v_entry from unnest(v_entries) part(entry)
       where split_part(part.entry, '|', 1) = v_queue limit 1;
      v_entries := array_remove(v_entries, v_entry);
    end if;
    if v_entry is null then                   -- a random turn at first
      v_pos := uuid_hash_extended(token, 0);
      v_used := 0;
      v_shared := v_pos >> 20 & 3;
    else
      v_pos := split_part(v_entry, '|', 2);
      v_used := split_part(v_entry, '|', 3);
      v_shared := split_part(v_entry, '|', 4);
    end if;
    if p_limit = 1 and not p_alone then
      v_taken := claim_one(v_queue, p_types, v_pos, v_used, v_shared);
      v_is_taken := v_taken.jobs is not null;
    end if;
    if not v_is_taken then
      if v_limited is null then               -- the lock first, so that a tick knows which claims
        lock table ready in row exclusive mode;      -- began before a limit
        select exists (select from running_limit),
               exists (select from queue where queue.paused_at is not null)
          into v_limited, v_paused;
      end if;
      -- named twice: what was taken there at first is not among the running yet
      continue when v_limited and array_position(v_from, v_queue) is not null;
      continue when v_paused
        and exists (select from queue where queue.name = v_queue and queue.paused_at is not null);
      v_taken := claim_from_queue(v_queue, p_limit - coalesce(cardinality(jobs), 0), p_types,
        v_limited, p_alone, v_pos, v_used, v_shared, jobs);
    end if;
    jobs := jobs || v_taken.jobs;
    if v_limited then
      v_from := v_from
        || array_fill(v_queue, array[coalesce(cardinality(v_taken.jobs), 0)]);
    end if;
    v_entries := concat_ws('|', v_queue, v_taken.p_pos, v_taken.p_used, v_taken.p_shared)
                 || v_entries[1:31];
    exit when cardinality(jobs) >= p_limit;
  end loop;

  if jobs is null then
    perform note_idle(v_now, p_idle_for);
    if v_limited then
      perform note_rates(v_now);
    end if;
    return;
  end if;
  cursor := array_to_string(v_entries, ';');
  if v_limited then
    perform run_limited(jobs, v_from, token, expires_at, p_worker_id);
    if exists (select from running_limit where running_limit.units is not null) then
      perform charge_rates(jobs, v_from, fairclaim.clock());
    end if;
  else
    insert into running (id, tenant_id, lease_token, lease_expires_at, attempt, attempts_left, lost,
                         queue_group, watched, limited, worker_id)
    select taken.id, taken.tenant_id, token, expires_at, taken.attempts + 1, taken.attempts_left,
           taken.lost, 0, taken.watched, false, p_worker_id
      from unnest(jobs) taken;
  end if;
  if p_lease < 30 then                        -- every worker ticks within half a minute anyway
    if coalesce(pg_sequence_last_value('look_by'), 0) > millis(expires_at) + 5000 then
      perform wake_before(v_now, expires_at + interval '5 s');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.take_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean) is
'Takes jobs out of `ready` and starts their attempts: `jobs` as they waited, null for none, with the lease and the next cursor.';

-- internal/claim/take_own.sql
-- Locks exactly what is taken, and takes it out of `ready`. Each lane is probed once; inside a
-- tenant the higher priority goes first, then the older lane. ordinals: which of the p_turns a job
-- belongs to.
create or replace function fairclaim_internal.take_own(
  p_queue text,
  p_types text[],
  p_turns bigint[],
  p_quanta int[],
  p_limit int,
  out ordinals int[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
begin
  with taken as materialized (
    select visit.ordinal::int as ordinal, waiting.place, waiting.job
      from unnest(p_turns, p_quanta) with ordinality visit(turn, quantum, ordinal)
     cross join lateral (
       select found.place, found.job
         from (select lane.lane_id, lane.floor from lane
                where lane.walked and lane.queue = p_queue and lane.turn = visit.turn
                  and (p_types is null or lane.type = any (p_types))
                order by lane.queue, lane.turn, lane.priority desc, lane.lane_id) own
        cross join lateral (
          select ready.ctid as place, ready as job from ready
           where ready.lane_id = own.lane_id and ready.seq >= own.floor
           order by ready.lane_id, ready.seq limit visit.quantum for update skip locked) found
        limit visit.quantum) waiting
     where visit.quantum > 0
     limit p_limit),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array_agg(taken.ordinal), array_agg(taken.job) into ordinals, jobs from taken;
end
$$;

comment on function fairclaim_internal.take_own(text, text[], bigint[], int[], int) is
'Takes jobs out of own lanes, in turn.';

-- internal/claim/take_ranked.sql
-- As take_shared, for a queue in which priorities are in use. The places in line tell whose turn it
-- is, whatever the priorities; at its turn a tenant gives its highest job, in shared lanes or in
-- own lanes of a priority above 0. With limits, p_elsewhere and p_here are what the call has taken
-- already, and it looks further, since tenants without room are passed over.
create or replace function fairclaim_internal.take_ranked(
  p_queue text,
  p_lanes bigint[],
  p_floors bigint[],
  p_priorities smallint[],
  p_limit int,
  p_types text[],
  p_limited boolean,
  p_elsewhere fairclaim_internal.ready[],
  p_here fairclaim_internal.ready[],
  out jobs fairclaim_internal.ready[]
)
language plpgsql
set enable_sort = on
as $$
declare
  v_look int := case when p_limited then 2 * p_limit + 64 else p_limit end;
  v_tenants uuid[];
  v_counts int[];
begin
  select array_agg(part.tenant_id order by part.first_seq),
         array_agg(part.jobs order by part.first_seq)
    into v_tenants, v_counts
    from (select oldest.tenant_id, count(*)::int as jobs, min(oldest.seq) as first_seq
            from (select waiting.tenant_id, waiting.seq
                    from unnest(p_lanes, p_floors) shared(lane_id, floor)
                   cross join lateral (
                     select ready.tenant_id, ready.seq from ready
                      where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
                      order by ready.lane_id, ready.seq limit v_look) waiting
                   order by waiting.seq limit v_look) oldest
           group by oldest.tenant_id) part;
  if v_tenants is not null and p_limited then
    v_counts := room_under_limits(p_queue, null, null, v_tenants, v_counts, p_limit, p_elsewhere,
      p_here);
  end if;
  if v_tenants is not null then
    select taken.jobs into jobs
      from take_highest(p_queue, p_types, p_lanes, p_priorities, 1, v_tenants, v_counts,
             p_limit) taken;
  end if;
end
$$;

comment on function fairclaim_internal.take_ranked(text, bigint[], bigint[], smallint[], int,
    text[], boolean, fairclaim_internal.ready[], fairclaim_internal.ready[]) is
'Takes jobs out of shared lanes where priorities are in use: tenants by their place in line, and of each its highest jobs.';

-- internal/claim/take_shared.sql
-- Locks and takes up to p_limit jobs from shared lanes, first come first served. Where there are
-- several lanes, it first looks, without a lock, which of the oldest rows stand in which lane, and
-- then locks exactly those. p_rest: takes what is left, the oldest lane first, for a second pass.
-- Where there are limits, take_bounded does it.
create or replace function fairclaim_internal.take_shared(
  p_lanes bigint[],
  p_floors bigint[],
  p_limit int,
  p_rest boolean,
  out jobs fairclaim_internal.ready[]
)
language plpgsql
as $$
declare
  v_lanes bigint[] := p_lanes;
  v_floors bigint[] := p_floors;
  v_counts int[];
begin
  if cardinality(p_lanes) > 1 and not p_rest then
    select array_agg(part.lane_id), array_agg(part.first_seq), array_agg(part.jobs)
      into v_lanes, v_floors, v_counts
      from (select oldest.lane_id, min(oldest.seq) as first_seq, count(*)::int as jobs
              from (select shared.lane_id, waiting.seq
                      from unnest(p_lanes, p_floors) shared(lane_id, floor)
                     cross join lateral (
                       select ready.seq from ready
                        where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
                        order by ready.lane_id, ready.seq limit p_limit) waiting
                     order by waiting.seq limit p_limit) oldest
             group by oldest.lane_id) part;
    if v_lanes is null then
      return;
    end if;
  else
    v_counts := array_fill(p_limit, array[cardinality(p_lanes)]);
  end if;
  with taken as materialized (
    select waiting.place, waiting.job
      from unnest(v_lanes, v_floors, v_counts) shared(lane_id, floor, jobs)
     cross join lateral (
       select ready.ctid as place, ready as job from ready
        where ready.lane_id = shared.lane_id and ready.seq >= shared.floor
        order by ready.lane_id, ready.seq limit shared.jobs for update skip locked) waiting
     limit p_limit),
  gone as (
    delete from ready where ready.ctid = any (array(select taken.place from taken)))
  select array_agg(taken.job) into jobs from taken;
end
$$;

comment on function fairclaim_internal.take_shared(bigint[], bigint[], int, boolean) is
'Takes jobs out of shared lanes.';

-- internal/dispatch/check_batch.sql
-- One pass over the items, whatever it finds. It tells whether there are tenants to look up and
-- times to read, and keys to wait for, so that a batch without them pays for nothing more. All that
-- it tells is one number, since each aggregate and each column of a result is set up again in every
-- transaction.
create or replace function fairclaim_internal.check_batch(p_jobs jsonb) returns int
language plpgsql
as $$
declare
  c_names text[] := array['tenant_id', 'tenant', 'type', 'payload', 'queue', 'priority', 'run_at',
                          'delay', 'max_attempts', 'timeout', 'tags', 'metadata', 'key',
                          'keep_order'];
  v_found int;
  v_bad int;
  v_no_object boolean;
begin
  if jsonb_typeof(p_jobs) is distinct from 'array' then
    perform refuse('JQ004', 'p_jobs', 'must be an array of objects',
      'put the jobs into a JSON array, one object each');
  elsif jsonb_array_length(p_jobs) not between 1 and 10000 then
    perform refuse('JQ004', 'p_jobs', 'must have 1 to 10,000 items',
      'send smaller batches, and no call for none', '{"limit": 10000}');
  end if;
  select bit_or(case when jsonb_typeof(job.item) <> 'object' or job.item - c_names <> '{}' then 8
                     else case when job.item ->> 'tenant_id' is null then 1 else 0 end
                          + case when job.item ? 'run_at' then 2 else 0 end
                          + case when job.item ? 'key' then 4 else 0 end end)
    into v_found
    from jsonb_array_elements(p_jobs) job(item);
  if v_found >= 8 then
    select job.place - 1, jsonb_typeof(job.item) <> 'object' into v_bad, v_no_object
      from jsonb_array_elements(p_jobs) with ordinality job(item, place)
     where case when jsonb_typeof(job.item) = 'object' then job.item - c_names <> '{}'
                else true end
     order by job.place limit 1;
    perform refuse('JQ004', format('p_jobs[%s]', v_bad),
      case when v_no_object then 'must be an object' else 'has an unknown name' end,
      case when v_no_object then 'put the jobs into a JSON array, one object each'
           else 'the names are ' || array_to_string(c_names, ', ') end,
      case when v_no_object then '{}' else jsonb_build_object('allowed', c_names) end);
  end if;
  return v_found;
end
$$;

comment on function fairclaim_internal.check_batch(jsonb) is
'Refuses a batch that is no array of 1 to 10,000 objects with known names. Returns the sum of 1 where a job has no tenant_id, of 2 where a job has a run_at, and of 4 where one has a key.';

-- internal/dispatch/check_lanes.sql
-- Each type and priority of a tenant with a backlog is a lane, and each lane is looked at by the
-- claims that come by the turn of its tenant. So their number is bounded, for each tenant by
-- itself. Called only when a dispatch has made an own lane; it reads as many lanes as may be.
create or replace function fairclaim_internal.check_lanes(p_tenants uuid[], p_queues text[])
returns void
language plpgsql
as $$
declare
  v_most int := (select setting.max_own_lanes from setting);
begin
  if exists (
    select from (select distinct made.tenant_id, made.queue collate "C" as queue
                   from unnest(p_tenants, p_queues) made(tenant_id, queue)) pair
     where (select count(*) from (
              select from lane
               where lane.tenant_id = pair.tenant_id and lane.queue = pair.queue
                 and lane.drained is null
               limit v_most + 1) own) > v_most) then
    perform refuse('JQ003', 'type',
      format('a tenant may have jobs of %s pairs of type and priority waiting in lanes of their own'
             ' in one queue', v_most),
      'dispatch later, name fewer types, or raise the setting:'
      ' `fairclaim settings set max_own_lanes`',
      jsonb_build_object('limit', v_most));
  end if;
end
$$;

comment on function fairclaim_internal.check_lanes(uuid[], text[]) is
'Refuses a dispatch (JQ003) after which a tenant has more own lanes in a queue than fairclaim_internal.setting.max_own_lanes.';

-- internal/dispatch/extras_fault.sql
-- Called only where there are tags or metadata. It is in plpgsql, since a function in the language
-- SQL that is not inlined is planned again in every transaction.
create or replace function fairclaim_internal.extras_fault(p_tags text[], p_metadata jsonb)
returns text
language plpgsql immutable
as $$
declare
  v_tag text;
begin
  if p_tags is null then
    return 'p_tags: must not be null';
  elsif cardinality(p_tags) > 20 or array_ndims(p_tags) > 1 then
    return 'p_tags: must be a list of at most 20';
  end if;
  -- Plain expressions: for 20 tags at most they are cheaper than a query.
  foreach v_tag in array p_tags loop
    if v_tag is null or length(v_tag) not between 1 and 64 then
      return 'p_tags: each must have 1 to 64 characters';
    end if;
  end loop;
  if p_metadata = '{}' then
    return null;
  elsif jsonb_typeof(p_metadata) is distinct from 'object' then
    return 'p_metadata: must be an object';
  end if;
  return 'p_metadata: ' || json_fault(p_metadata, 16384);
end
$$;

comment on function fairclaim_internal.extras_fault(text[], jsonb) is
'Why tags or metadata are refused, or null.';

-- internal/dispatch/into_lane.sql
-- Puts one new row into `ready`: through the open own lane of its key; else, if the tenant is
-- light, through the shared lane; else through a new lane. Each statement both chooses the lane and
-- inserts (I3). The own lane is looked for in a statement of its own, so that a tenant with a
-- backlog does not pay for the second look. A tenant is light while fewer than 8 of its rows wait
-- in the shared lanes of the queue together, whatever their types and priorities. They are counted
-- from a bound of age on, so that dead entries of the index are not walked. Called only in READ
-- COMMITTED.
create or replace function fairclaim_internal.into_lane(
  p_id uuid,
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_priority int,
  p_attempts_left int
) returns void
language plpgsql
as $$
declare
  v_turn bigint := uuid_hash_extended(p_tenant_id, hashtextextended(p_queue collate "C", 0));
  v_since uuid;
begin
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select lane.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0, false
    from lane
   where lane.queue = p_queue and lane.type = p_type and lane.turn = v_turn
     and lane.priority = p_priority and lane.tenant_id = p_tenant_id and lane.drained is null
   limit 1;
  if found then
    return;
  end if;
  -- a variable, since only a value can be a condition of the index
  v_since := id_at(coalesce(pg_sequence_last_value('shared_since'), 0));
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select lane.lane_id, p_id, p_tenant_id, 0, p_attempts_left, 0, false
    from lane
   where lane.tenant_id is null and not lane.alone and lane.queue = p_queue and lane.type = p_type
     and lane.priority = p_priority and lane.drained is null
     and not exists (
           select from at_limit
            where at_limit.is_stable and at_limit.tenant_id = p_tenant_id
              and at_limit.queue in ('', p_queue))
     and (select count(*) from (
            select from ready
             where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
               and ready.id >= v_since
             limit 8) shared) < 8
   order by lane.queue, lane.type, lane.priority, lane.lane_id
   limit 1;
  if not found then
    perform into_lanes(
      array[row (1, 1, p_id, p_tenant_id, 0, p_attempts_left, 0, false)::ready],
      array[p_queue], array[p_type], array[p_priority::smallint], v_since, true);
  end if;
end
$$;

comment on function fairclaim_internal.into_lane(uuid, uuid, text, text, int, int) is
'Puts one new job into the lane where it waits, and makes the lane if there is none it may use. Errors: JQ003 when the tenant has too many own lanes in the queue.';

-- internal/dispatch/into_lanes.sql
-- Puts many rows into `ready`: looks for the lanes that are there, opens those that are missing,
-- and inserts. All of it is one statement (I3); what is asked before it only chooses the way.
-- Called only in READ COMMITTED.
--
-- The rows come as they will be, except that lane_id is the number of their kind and seq is their
-- order. A kind is a queue, a type and a priority; each stands once in the three lists, and its
-- number is its place there, from 1. One list of rows costs a fraction of a list for each column,
-- and a join by number costs a fraction of one by text. Every pass over the rows is felt, so the
-- rows whose own lane is found go straight in.
--
-- A tenant's own lanes come from one scan of the queues where these have at most twice as many as
-- there are rows, else from one descent of the index for each distinct key. p_since bounds the
-- count of a light tenant's rows; rows that come back have old ids, and are counted without a
-- bound. A job that was lost twice goes to a lane for jobs that run alone. p_capped: the rows are
-- new jobs, which were never lost, and are refused when their tenant has too many own lanes in the
-- queue; what comes back is never refused.
--
-- The plan is pinned to hash joins and to scans of indexes: a nested loop over the keys was nine
-- tenths of the time, and the statistics of `lane` and `ready` may say "empty" when they are full.
-- The generic plan holds, whatever the lists are, so the statement is planned once in a session.
create or replace function fairclaim_internal.into_lanes(
  p_rows fairclaim_internal.ready[],
  p_queues text[],
  p_types text[],
  p_priorities smallint[],
  p_since uuid,
  p_capped boolean default false
) returns int
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_nestloop = off
set enable_mergejoin = off
set enable_hashjoin = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_most bigint := 2 * cardinality(p_rows);
  v_size bigint := pg_relation_size('lane');
  v_few boolean := v_size <= 1024 * v_most;   -- a page has some seven lanes: see its fillfactor
  v_tenants uuid[];
  v_queues text[];
begin
  -- neither surely few nor probably many: counted
  if not v_few and v_size <= 8192 * v_most and v_most >= 32 then
    v_few := v_most >= (
      select count(*) from (
        select from (select distinct listed.queue collate "C" as queue
                       from unnest(p_queues) listed(queue)) named
         cross join lateral (
           select from lane where lane.queue = named.queue and lane.tenant_id is not null
            order by lane.queue, lane.turn, lane.priority desc, lane.lane_id
            limit v_most + 1) own) counted);
  end if;
  -- kind: with its oldest open shared lane. opens_as: the number under which a missing one opens.
  -- Jobs that run alone wait in one lane, whatever their priorities: their kinds share a number for
  -- it, which is below zero.
  with kind as materialized (
    select named.number, named.queue, named.type, named.priority, named.number as opens_as,
           false as alone, lane_group(named.queue) as lane_group,
           (select lane.lane_id from lane
             where lane.tenant_id is null and not lane.alone and lane.queue = named.queue
               and lane.type = named.type and lane.priority = named.priority
               and lane.drained is null
             order by lane.queue, lane.type, lane.priority, lane.lane_id limit 1) as lane_id
      from (select listed.number, listed.queue collate "C" as queue,
                   listed.type collate "C" as type, listed.priority
              from unnest(p_queues, p_types, p_priorities) with ordinality
                   listed(queue, type, priority, number)) named
    union all
    select named.number, named.queue, named.type, named.priority,
           -min(named.number) over (partition by named.queue, named.type),
           true, lane_group(named.queue),
           (select lane.lane_id from lane
             where lane.alone and lane.queue = named.queue and lane.type = named.type
               and lane.drained is null
             order by lane.queue, lane.type, lane.lane_id limit 1)
      from (select listed.number, listed.queue collate "C" as queue,
                   listed.type collate "C" as type, 0::smallint as priority
              from unnest(p_queues, p_types) with ordinality listed(queue, type, number)
             where not p_capped
               and exists (select from unnest(p_rows) given where given.lost >= 2)) named),
  -- item: a row with its tenant's own lane; once with each of them, if its key has several
  item as materialized (
    select given.lane_id as number, given.seq, given.id, given.tenant_id, given.attempts,
           given.attempts_left, given.lost, given.watched, own.lane_id as own_id
      from unnest(p_rows) given
      left join (
        select kind.number, lane.tenant_id, lane.lane_id
          from lane
          join kind on kind.queue = lane.queue and kind.type = lane.type
                   and kind.priority = lane.priority and not kind.alone
         where v_few and lane.queue = any (p_queues collate "C")
           and lane.tenant_id is not null and lane.drained is null
        union all
        select kind.number, wanted.tenant_id,
               (select lane.lane_id from lane
                 where lane.queue = kind.queue and lane.type = kind.type
                   and lane.turn
                       = uuid_hash_extended(wanted.tenant_id, hashtextextended(kind.queue, 0))
                   and lane.priority = kind.priority and lane.tenant_id = wanted.tenant_id
                   and lane.drained is null limit 1)
          from (select distinct given.lane_id as number, given.tenant_id
                  from unnest(p_rows) given) wanted
          join kind on kind.number = wanted.number and not kind.alone
         where not v_few) own
        on own.number = given.lane_id and own.tenant_id = given.tenant_id and given.lost < 2),
  -- rest: a row without an own lane. shares: it may wait in a shared lane, one that is there or a
  -- new one, if its queue may have more. light: what waits in shared lanes and what comes now make
  -- 8 rows at most.
  rest as materialized (
    select item.*, kind.opens_as, kind.lane_id as shared_id,
           kind.alone or coalesce(light.is_light, false) and (
             kind.lane_id is not null or kind.lane_group in (
               select lacking.lane_group
                 from (select distinct unmet.lane_group, unmet.queue from kind unmet
                        where unmet.lane_id is null and not unmet.alone) lacking
                where (select count(*) from (
                         select from lane
                          where lane.tenant_id is null and not lane.alone
                            and lane.queue = lacking.queue
                          limit (select setting.max_shared_lanes from setting)) counted)
                      < (select setting.max_shared_lanes from setting))) as shares
      from item
      join kind on kind.number = item.number and kind.alone = (item.lost >= 2)
      left join (
        select coming.lane_group, coming.tenant_id,
               coming.jobs <= 8
               and not exists (
                     select from at_limit
                      where at_limit.is_stable and at_limit.tenant_id = coming.tenant_id
                        and (at_limit.queue = ''
                             or lane_group(at_limit.queue) = coming.lane_group))
               and not exists (
                     select from ready
                      where ready.tenant_id = coming.tenant_id
                        and (ready.lane_id >> 32) = coming.lane_group and ready.id >= p_since
                     offset greatest(0, 8 - coming.jobs)) as is_light
          from (select kind.lane_group, item.tenant_id, count(*) as jobs
                  from item join kind on kind.number = item.number and not kind.alone
                 where item.own_id is null and item.lost < 2 group by 1, 2) coming
        offset 0) light on light.lane_group = kind.lane_group and light.tenant_id = item.tenant_id
     where item.own_id is null),
  -- opened: the lanes to be made. The number of a shared one carries the group of its queue.
  opened as materialized (
    select missing.opens_as, null::uuid as tenant_id,
           (kind.lane_group << 32) + (nextval('lane_lane_id_seq') & 4294967295) as lane_id
      from (select distinct rest.opens_as from rest
             where rest.shares and rest.shared_id is null) missing
      join kind on kind.number = abs(missing.opens_as) and kind.alone = (missing.opens_as < 0)
    union all
    select missing.opens_as, missing.tenant_id, nextval('lane_lane_id_seq')
      from (select distinct rest.opens_as, rest.tenant_id from rest
             where not rest.shares) missing),
  made as (
    insert into lane (
      lane_id, turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type, alone,
      walked)
    overriding system value
    select opened.lane_id,
           case when opened.tenant_id is null then 0
                else uuid_hash_extended(opened.tenant_id, hashtextextended(kind.queue, 0)) end,
           0, v_now, v_now, opened.tenant_id,
           case when opened.tenant_id is null then 1
                else weight_of(opened.tenant_id, kind.queue) end,
           kind.priority, kind.queue, kind.type, kind.alone, opened.tenant_id is not null
      from opened
      join kind on kind.number = abs(opened.opens_as) and kind.alone = (opened.opens_as < 0)
    returning lane.tenant_id, lane.queue),
  -- placed: of several own lanes of its key a row goes into the oldest
  placed as (
    insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
    select chosen.lane_id, chosen.id, chosen.tenant_id, chosen.attempts, chosen.attempts_left,
           chosen.lost, chosen.watched
      from (select distinct on (place.seq) place.*
              from (select item.own_id as lane_id, item.seq, item.id, item.tenant_id,
                           item.attempts, item.attempts_left, item.lost, item.watched
                      from item where item.own_id is not null
                    union all
                    select rest.shared_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest where rest.shares and rest.shared_id is not null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest
                      join opened on opened.opens_as = rest.opens_as and opened.tenant_id is null
                     where rest.shares and rest.shared_id is null
                    union all
                    select opened.lane_id, rest.seq, rest.id, rest.tenant_id,
                           rest.attempts, rest.attempts_left, rest.lost, rest.watched
                      from rest
                      join opened on opened.opens_as = rest.opens_as
                                 and opened.tenant_id = rest.tenant_id
                     where not rest.shares) place
             order by place.seq, place.lane_id) chosen)
  select array_agg(made.tenant_id), array_agg(made.queue) into v_tenants, v_queues
    from made where made.tenant_id is not null;
  if v_tenants is not null and p_capped then
    perform check_lanes(v_tenants, v_queues);
  end if;
  return cardinality(p_rows);
end
$$;

comment on function fairclaim_internal.into_lanes(fairclaim_internal.ready[], text[], text[],
    smallint[], uuid, boolean) is
'Puts many jobs into the lanes where they wait, and makes the lanes that are missing. Each row has the number of its queue, type and priority in the lists as lane_id, and its place in the order as seq. Returns how many. Errors: JQ003 when p_capped is true and a tenant has too many own lanes in a queue.';

-- internal/dispatch/is_time.sql
-- Whether a text looks like a time in ISO 8601 with its offset: no word (`tomorrow`, a zone's
-- name), no bare number, no time without an offset. It is cheap, since every job of a batch may
-- have one: a class of characters and places of separators, where one regular expression for all of
-- it costs five times as much. The cast tells whether there is such a time.
create or replace function fairclaim_internal.is_time(p_text text) returns boolean
language sql immutable parallel safe
as $$
  select length(p_text) <= 40 and p_text like '____-__-_____:__%'
     and p_text ~ '^[0-9T:.+Z -]+$' and p_text not like '%--%'
     and (p_text like '%Z' or p_text like '%+__:__' or p_text like '%-__:__')
$$;

comment on function fairclaim_internal.is_time(text) is
'Whether a text has the form of a time in ISO 8601 with its offset, Z or +hh:mm. Null for null.';

-- internal/dispatch/read_times.sql
-- Reads every run_at of a batch once, before anything else does: a cast that fails quotes its text.
-- The usual case is one pass; only a refusal looks at the times one by one. The settings that a
-- cast depends on are pinned here, so that no answer depends on the session of the caller.
-- `offset 0` keeps the planner from repeating the cast for each aggregate.
create or replace function fairclaim_internal.read_times(p_jobs jsonb) returns timestamptz[]
language plpgsql
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_good boolean;
  v_times timestamptz[];
  v_job record;
begin
  begin
    select array_agg(job.run_at), count(job.run_at) = count(job.text) into v_times, v_good
      from (select given.run_at as text,
                   case when is_time(given.run_at) then given.run_at::timestamptz end as run_at
              from jsonb_to_recordset(p_jobs) given(run_at text) offset 0) job;
  exception
    when data_exception then v_good := false;
  end;
  if v_good then
    return v_times;
  end if;
  for v_job in                                -- 10,000 at most
    select item ->> 'run_at' as text, place
      from jsonb_array_elements(p_jobs) with ordinality list(item, place)
     where item ->> 'run_at' is not null order by place
  loop
    begin
      v_good := is_time(v_job.text);
      if v_good then
        perform v_job.text::timestamptz;
      end if;
    exception
      when data_exception then v_good := false;
    end;
    if not v_good then
      perform refuse_job(
        'run_at: must be a time with its offset, like 2027-01-31T09:00:00Z', v_job.place::int - 1);
    end if;
  end loop;
end
$$;

comment on function fairclaim_internal.read_times(jsonb) is
'The run_at of each job of a batch, by its place. Refuses a batch in which one is no time in ISO 8601 with its offset (JQ004, with the index of the job).';

-- internal/dispatch/refuse_item.sql
-- Refuses the first job of a batch that has a fault. dispatch_jobs knows the first one apart from
-- faults of names, of which it only knows that there are some: whatever can be found out here costs
-- nothing to the batches without a fault.
create or replace function fairclaim_internal.refuse_item(
  p_jobs jsonb,
  p_place int,
  p_fault text
) returns void
language plpgsql
as $$
declare
  c_type text := 'type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters';
  c_queue text := 'queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters';
  v_named record;
  v_job jsonb := p_jobs -> p_place - 1;
begin
  select job.place::int as place, is_name(job.item ->> 'type', true) as has_type into v_named
    from jsonb_array_elements(p_jobs) with ordinality job(item, place)
   where not (is_name(job.item ->> 'type', true)
              and is_name(coalesce(job.item ->> 'queue', 'default')))
   order by job.place limit 1;
  if v_named.place < p_place or p_place = 0 or v_named.place = p_place and p_fault <> 'tenant' then
    perform refuse_job(case when v_named.has_type then c_queue else c_type end, v_named.place - 1);
  end if;
  perform refuse_job(
    case p_fault
      when 'tenant' then
        case when v_job ->> 'tenant' is null then 'tenant_id: is missing'
             when v_job ->> 'tenant_id' is not null then 'tenant: excludes tenant_id'
             else 'tenant: must be 1 to 255 bytes without control characters' end
      when 'timeout' then
        case when jsonb_typeof(v_job -> 'timeout') = 'number'
             then 'timeout: must be from 1 ms to 24 h'
             else 'timeout: must be a number of seconds' end
      when 'delay' then
        case when v_job ->> 'run_at' is not null then 'delay: excludes run_at'
             when jsonb_typeof(v_job -> 'delay') = 'number' then 'delay: must be from 0 to 5 years'
             else 'delay: must be a number of seconds' end
      else p_fault end,
    p_place - 1);
end
$$;

comment on function fairclaim_internal.refuse_item(jsonb, int, text) is
'Refuses the first job of a batch that has a fault. p_place: that of the first with a fault that is none of names, from 1, or 0 where there is none. p_fault: what is wrong with it, or only which field. Errors: JQ002, JQ004.';

-- internal/dispatch/refuse_job.sql
-- The one refusal of a job that cannot be dispatched, by itself or in a batch. The checks only say
-- which field breaks which rule, since every dispatch pays for the length of their expression; the
-- bounds and the advice are looked up here, where only a refusal pays.
create or replace function fairclaim_internal.refuse_job(p_fault text, p_item int default null)
returns void
language plpgsql
as $$
declare
  v_field text := split_part(p_fault, ': ', 1);
  v_rule text := substr(p_fault, length(v_field) + 3);
  v_name text := case when starts_with(v_field, 'p_') then substr(v_field, 3) else v_field end;
  v_again text := case when p_item is null then ''
                       else ', and send the batch again: nothing was written' end;
  v_bounds jsonb := case v_name
    when 'tenant' then
      case when starts_with(v_rule, 'must') then '{"limit": 255}'::jsonb else '{}' end
    when 'type' then '{"limit": 64}'
    when 'queue' then '{"limit": 64}'
    when 'priority' then '{"minimum": -100, "maximum": 100}'
    when 'max_attempts' then '{"minimum": 1, "maximum": 100}'
    when 'run_at' then '{"minimum": -86400, "maximum": 157766400}'      -- seconds from now
    when 'delay' then '{"minimum": 0, "maximum": 157766400}'
    when 'key' then '{"limit": 255}'
    when 'timeout' then '{"minimum": 0.001, "maximum": 86400}'
    when 'tags' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'each') then 64 else 20 end)
    when 'metadata' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'must nest') then 128 else 16384 end)
    when 'payload' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'must nest') then 128
           else (select setting.max_payload from setting) end)
    else '{}' end;
  v_hint text := case v_name
    when 'tenant_id' then
      'name the tenant, by its uuid as tenant_id or by its name or number as tenant (for an '
      || 'application with one tenant only, once: `fairclaim settings set default_tenant app`)'
    when 'tenant' then
      case when starts_with(v_rule, 'must')
           then 'use the name or the number that your application knows the tenant by'
           else 'name the tenant by its uuid as tenant_id or by its name as tenant, not by both' end
    when 'delay' then
      'choose seconds from 0 to 157766400, or a time as run_at, and not both; leave both out to '
      || 'run the job at once'
    when 'type' then 'use letters, digits and _ . : - with a letter or a digit first'
    when 'queue' then 'use lowercase letters, digits and _ . : - with a letter or a digit first'
    when 'priority' then 'choose a number from -100 to 100, higher first, or leave it out'
    when 'max_attempts' then 'choose a number from 1 to 100, or leave it out: then it is 25'
    when 'run_at' then
      'write it in ISO 8601 with its offset, like 2027-01-31T09:00:00Z, or leave it out to run the '
      || 'job at once'
    when 'timeout' then
      'choose seconds from 0.001 to 86400, or leave it out: then an attempt may take any time'
    when 'payload' then 'store large data elsewhere and put a reference to it into the payload'
    when 'key' then
      'use a short name of what the jobs share, such as an account, or leave it out'
    when 'keep_order' then
      'name the key among whose jobs the order is kept, or leave it out'
    when 'tags' then 'send at most 20 texts of 1 to 64 characters each'
    when 'metadata' then 'send a small object; what the handler works on belongs into the payload'
    else 'change ' || v_name || ' as the message says' end;
begin
  perform refuse(case when v_rule = 'is missing' then 'JQ002' else 'JQ004' end,
    case when p_item is null then v_field else format('p_jobs[%s].%s', p_item, v_name) end, v_rule,
    v_hint || v_again, v_bounds);
end
$$;

comment on function fairclaim_internal.refuse_job(text, int) is
'Refuses a job to be dispatched: JQ002 where its tenant is missing, else JQ004, with the bounds of the field. p_fault: the field, a colon and the rule, as the checks of dispatch_job and dispatch_jobs write it. p_item: its place in the batch, from 0.';

-- internal/dispatch/seconds_in.sql
-- In plpgsql, and so not inlined: a batch without delays and timeouts does not pay for setting up
-- the parts of this expression. Strict, and so not even called for it.
create or replace function fairclaim_internal.seconds_in(
  p_value jsonb,
  p_least numeric,
  p_most numeric
) returns interval
language plpgsql immutable strict
as $$
begin
  return case when jsonb_typeof(p_value) = 'number' and p_value::numeric between p_least and p_most
              then make_interval(secs => p_value::float8) end;
end
$$;

comment on function fairclaim_internal.seconds_in(jsonb, numeric, numeric) is
'As many seconds as a JSON number between two bounds says. Null for anything else.';

-- internal/dispatch/tell.sql
-- The one place that notifies. Committing notifiers take turns on one lock of the whole database,
-- and a full queue of notifications (any login may fill it) fails the commit of a transaction that
-- adds to it: so nothing is added when it is half full. A transaction that is to be prepared may
-- not notify: it sets fairclaim.notify to off; in a two-phase commit of Citus its workers do that
-- for a transaction that cannot know. A word is told once in a transaction: the setting
-- fairclaim.told ends with the transaction, and with a savepoint that is rolled back.
create or replace function fairclaim_internal.tell(p_word text) returns boolean
language plpgsql
as $$
declare
  v_told text := coalesce(current_setting('fairclaim.told', true), '');
begin
  if current_setting('fairclaim.notify', true) is not distinct from 'off'
     or strpos(v_told, '<' || p_word || '>') > 0
     or current_setting('application_name') like 'citus_internal%'
     or pg_notification_queue_usage() >= 0.5 then
    return false;
  end if;
  perform set_config('fairclaim.told', v_told || '<' || p_word || '>', true);
  perform pg_notify('fairclaim', p_word);
  return true;
end
$$;

comment on function fairclaim_internal.tell(text) is
'NOTIFY fairclaim with a word that names no job: empty (jobs wait), due (something is due sooner than workers may know) or cancel (a job is to be stopped). False where it may not.';

-- internal/dispatch/to_ready.sql
-- Puts jobs that come back (retry, release, lost lease, promotion) into a lane again; its key comes
-- from `job`. The order of the join is pinned: each job is looked up by its key. Outside READ
-- COMMITTED, where no lane may be chosen (I3), they become due at once, and the next tick places
-- them. Those that have a key and no slot of it wait in `held`. Returns how many are in a lane.
create or replace function fairclaim_internal.to_ready(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[],
  p_watched boolean[],
  p_admitted boolean default false            -- surely none of them has to wait for its key
) returns int
language plpgsql
as $$
declare
  v_rows ready[];
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_held uuid[] := '{}';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select fairclaim.clock(), back.id, back.tenant_id, back.attempts, back.attempts_left,
           back.lost, back.watched
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost, p_watched)
           back(tenant_id, id, attempts, attempts_left, lost, watched);
    return 0;
  end if;
  if not p_admitted and true = any (p_watched) then
    v_held := coalesce(hold_jobs(p_tenants, p_ids, p_attempts, p_left, p_lost), '{}');
  end if;
  with item as materialized (
    select back.*, known.queue, known.type, known.priority
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost, p_watched) with ordinality
           back(tenant_id, id, attempts, attempts_left, lost, watched, ordinal)
     cross join lateral (
       select job.queue, job.type, job.priority from job
        where job.tenant_id = back.tenant_id and job.id = back.id offset 0) known
     where back.id <> all (v_held)),
  kind as materialized (
    select met.*, row_number() over () as number
      from (select distinct item.queue, item.type, item.priority from item) met)
  select (select array_agg(row (kind.number, item.ordinal, item.id, item.tenant_id, item.attempts,
                                item.attempts_left, item.lost, item.watched)::ready)
            from item
            join kind on kind.queue = item.queue and kind.type = item.type
                     and kind.priority = item.priority),
         array_agg(kind.queue order by kind.number),
         array_agg(kind.type order by kind.number),
         array_agg(kind.priority order by kind.number)
    into v_rows, v_queues, v_types, v_priorities
    from kind;
  if v_rows is null then
    return 0;
  end if;
  return into_lanes(
    v_rows, v_queues, v_types, v_priorities, '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim_internal.to_ready(uuid[], uuid[], int[], smallint[], smallint[],
    boolean[], boolean) is
'Puts jobs that come back (retry, release, lost lease, due) into lanes, by way of the next tick outside READ COMMITTED.';

-- internal/dispatch/wake.sql
-- Notifies only while some worker is asleep; workers have said until when (note_idle). It notifies
-- at most 250 times a second, after a burst of 25: `notified_at` runs ahead of the clock by 4 ms
-- for each. A worker counts what it hears by the same rule, and polls where a notification may have
-- been left out. A dispatch that commits long after this look is found by the polls of a worker
-- that has only now gone to sleep: they are as far apart as it has been asleep. So a missed wake
-- costs a poll, never a job.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now)
create or replace function fairclaim_internal.wake(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  if coalesce(pg_sequence_last_value('asleep_until'), 0) > v_ms
     and v_last not between v_ms + 100 and v_ms + 1000
     and tell('') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake(timestamptz) is
'Wakes idle workers (NOTIFY fairclaim, without a payload), seldom.';

-- internal/dispatch/wake_before.sql
-- For what will be due while all workers sleep: a delayed job, a lease. Each worker that hears it
-- ticks, learns of it and sleeps until then. None needs to be told when all will tick before
-- (`look_by`), or when none listens. As seldom as wake(). A worker that asks when to tick is told
-- of it in any case.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_due)
create or replace function fairclaim_internal.wake_before(p_now timestamptz, p_due timestamptz)
returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  if coalesce(pg_sequence_last_value('tick_at'), 0) > millis(p_due) then
    perform setval('tick_at', greatest(v_ms, millis(p_due)));
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_due)
     and coalesce(pg_sequence_last_value('asleep_until'), 0) > v_ms
     and v_last not between v_ms + 100 and v_ms + 1000
     and tell('due') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake_before(timestamptz, timestamptz) is
'Tells idle workers that something is due before they all tick again (NOTIFY fairclaim, with the payload due).';

-- internal/doctor/findings_of_age.sql
-- How far the counter of transactions has come. Reads catalogs only, so that a login without a role
-- of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_age()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  -- the server forces vacuum at 200 million and stops at two billion: halfway, something is wrong
  select case when oldest.age > 1000000000 then 'error' else 'ok' end, 'wraparound',
         format('the oldest transaction id of this database is %s million old',
                oldest.age / 1000000),
         case when oldest.age > 1000000000
              then 'end old transactions and slots and run vacuum now: the server stops accepting '
                   || 'writes at two billion' end
    from (select age(ours.datfrozenxid) as age from pg_database ours
           where ours.datname = current_database()) oldest
$$;

comment on function fairclaim_internal.findings_of_age() is
'Finds a database that comes near the end of its transaction ids.';

-- internal/doctor/findings_of_functions.sql
-- Compares the functions of both schemas with those that a build brings (p_build, named $1): their
-- texts, who may execute them, and with whose rights they run. Reads catalogs only, at most 1,000
-- functions, so that a login without a role of ours can send this text itself: it calls no function
-- of ours and reads no table of ours.
create or replace function fairclaim_internal.findings_of_functions(p_build jsonb)
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with known as (
    select entry.key as name, entry.value ->> 'digest' as digest,
           array(select jsonb_array_elements_text(entry.value -> 'roles')) as roles
      from jsonb_each($1 -> 'functions') entry),
  found as (
    select proc.proname::text as name, proc.proacl, proc.proowner,
           format('%s.%s(%s)', proc.pronamespace::regnamespace, proc.proname,
                  oidvectortypes(proc.proargtypes)) as signature,
           encode(sha256(convert_to(proc.prosrc, 'UTF8')), 'hex') as digest,
           proc.proowner = to_regrole('fairclaim_owner') as is_ours,
           proc.prosecdef as runs_as_owner,
           -- an installer that quotes all identifiers leaves quotes in the path
           exists (select from unnest(proc.proconfig) setting
                    where replace(setting, '"', '')
                          = 'search_path=pg_catalog, fairclaim_internal, pg_temp') as is_pinned
      from pg_proc proc
     where proc.pronamespace
           in (to_regnamespace('fairclaim'), to_regnamespace('fairclaim_internal'))
     order by 1, proc.oid limit 1000),
  allowed as (
    select found.name, found.signature,
           coalesce(nullif(given.grantee, 0)::regrole::text, 'public') as grantee,
           ours.rolname is not null as is_role_of_ours, ours.rolname::text as role
      from found
     cross join aclexplode(coalesce(found.proacl, acldefault('f', found.proowner))) given
      left join pg_roles ours on ours.oid = given.grantee
       and ours.rolname in ('fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                         'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                         'fairclaim_observer')
     where given.grantee <> found.proowner),
  trouble(kind, what) as (
    select 'missing', known.name from known
     where not exists (select from found where found.name = known.name)
    union all
    select 'changed', found.signature from found join known using (name)
     where known.digest <> found.digest
    union all
    select 'foreign', found.signature from found
     where not exists (select from known where known.name = found.name)
    union all
    select 'insecure', found.signature from found left join known using (name)
     where found.runs_as_owner and not found.is_pinned
        or known.name is not null and found.is_ours is not true
    union all
    select 'open', format('%s by %s', allowed.signature, string_agg(allowed.grantee, ', '))
      from allowed where not allowed.is_role_of_ours group by allowed.signature
    union all
    select 'open', format('%s by %s', allowed.name, allowed.role)
      from allowed join known using (name)
     where allowed.role <> 'fairclaim_owner' and not allowed.role = any (known.roles)
    union all
    select 'closed', format('%s by %s', known.name, needs.role)
      from known cross join unnest(known.roles) needs(role)
     where exists (select from found where found.name = known.name)
       and not exists (select from allowed
                        where allowed.name = known.name and allowed.role = needs.role)),
  named as (
    select trouble.kind,
           array_to_string((array_agg(trouble.what order by trouble.what))[1:8], ', ')
           || case when count(*) > 8 then format(' and %s more', count(*) - 8) else '' end as names
      from trouble group by trouble.kind),
  told as (
    select max(names) filter (where kind = 'missing') as missing,
           max(names) filter (where kind = 'changed') as changed,
           max(names) filter (where kind = 'foreign') as foreigners,
           max(names) filter (where kind = 'insecure') as insecure,
           max(names) filter (where kind = 'open') as open,
           max(names) filter (where kind = 'closed') as closed
      from named)
  select finding.* from told cross join lateral (values
    (case when missing is not null then 'error' when changed is not null then 'warning'
          else 'ok' end, 'functions',
     coalesce('functions are missing: ' || missing,
              'functions of another text than this build''s: ' || changed,
              'every function is the one of this build'),
     case when missing is not null
          then 'run `fairclaim migrate` of the newest build in use: it puts functions and their '
               || 'grants back'
          when changed is not null
          then 'fine if another build migrated last; else run `fairclaim migrate`, which puts '
               || 'them back' end),
    (case when insecure is null then 'ok' else 'error' end, 'function_security',
     coalesce('functions that run with another''s rights on the caller''s path, or belong to '
              || 'another role: ' || insecure,
              'definer functions pin their search_path and are the owner''s'),
     case when insecure is not null
          then 'run `fairclaim migrate` of the newest build in use: it puts functions and their '
               || 'grants back' end),
    (case when open is null and closed is null then 'ok' else 'error' end, 'function_access',
     coalesce(nullif(concat_ws('; ', 'executable by who should not: ' || open,
                               'not executable by who needs it: ' || closed), ''),
              'every function may be executed by the roles that need it and by no other'),
     case when open is not null or closed is not null
          then 'as an administrator: set role fairclaim_owner; revoke execute on function ... '
               || 'from ...; `fairclaim migrate` puts grants of ours back that are missing' end),
    (case when foreigners is not null then 'warning' end, 'foreign_function',
     'functions in schema fairclaim that are not of this build: ' || foreigners,
     'a newer build''s are fine; others do not belong here: move them to a schema of yours, or '
     || 'drop them')) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_functions(jsonb) is
'Finds functions that are missing, changed or foreign, that run on their caller''s path, or that
others may execute than a build says.';

-- internal/doctor/findings_of_holders.sql
-- Transactions that are in the way of ticks, by the names that the last tick knows them by. Reads
-- the state of that tick and the server's lists of sessions. Locks nothing.
create or replace function fairclaim_internal.findings_of_holders()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with state as materialized (
    select fairclaim.clock() as now_at, tick.passed_slot, tick.holders, tick.holder_at
      from newest_state() tick),
  -- transactions that have dispatched or claimed end within seconds: after five minutes they are
  -- late
  holders as (
    select array_agg(distinct holder.words) as names
      from (
        select case when held.pid is null
                    then 'a prepared or just ended transaction, for ' || since.span
                    else format('pid %s of %s (%s), for %s', held.pid,
                                coalesce(activity.usename, '?'), activity.application_name,
                                since.span) end as words
          from state
         cross join lateral unnest(state.holders, state.holder_at) known(name, at)
         cross join lateral (
           select extract(epoch from state.now_at - known.at)::float8 as seconds,
                  span(extract(epoch from state.now_at - known.at)::float8)) since
          left join pg_locks held
                 on held.locktype = 'virtualxid' and held.virtualtransaction = known.name
          left join pg_stat_activity activity on activity.pid = held.pid
         where since.seconds > 300
         order by since.seconds desc limit 5) holder),
  -- A tick ends within seconds, and after 12 another one passes it. The age of a session's
  -- transaction is hidden here, so a session is late when it was passed; that of a prepared one is
  -- not.
  open_ticks as (
    select array_agg(ticker.words) as names
      from (
        select case when activity.pid is not null
                    then format('pid %s of %s (%s)', activity.pid, coalesce(activity.usename, '?'),
                                activity.application_name)
                    when prepared.gid is not null
                    then 'the prepared transaction ' || to_json(prepared.gid)
                    else format('transaction %s', work.xid) end as words
          from state cross join ticks_at_work() work
          left join pg_stat_activity activity on activity.backend_xid = work.xid
          left join pg_prepared_xacts prepared on prepared.transaction = work.xid
         where work.slot = any (state.passed_slot)
            or prepared.prepared < state.now_at - interval '12 s'
         order by work.slot limit 5) ticker)
  select case when names is null then 'ok' else 'warning' end, 'open_ticks',
         coalesce('transactions that called tick() stay open: ' || array_to_string(names, '; '),
                  'every tick has ended its transaction'),
         case when names is not null
              then 'commit or roll back there: call tick() outside of a transaction. Other ticks '
                   || 'pass it after 12 s, without the rows that it holds' end
    from open_ticks
   union all
  select case when names is null then 'ok' else 'warning' end, 'floors',
         coalesce('transactions that have dispatched or claimed stay open: '
                  || array_to_string(names, '; '), 'no open transaction holds them back'),
         case when names is not null
              then 'commit or roll back there, or end it: select pg_terminate_backend(pid). Claims '
                   || 'get slower meanwhile, never wrong' end
    from holders
$$;

comment on function fairclaim_internal.findings_of_holders() is
'Finds transactions that called tick() and stay open, and those that hold floors back.';

-- internal/doctor/findings_of_leases.sql
-- A lease does not tell whether its worker is gone, but an operator may know. Reads `running`,
-- which has as many rows as jobs run; names the 20 workers whose leases end last.
create or replace function fairclaim_internal.findings_of_leases()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with holder as (
    select held.worker_id, count(*) as jobs,
           extract(epoch from max(held.lease_expires_at) - moment.now_at)::float8 as seconds
      from (select fairclaim.clock() as now_at offset 0) moment
      -- when such a worker dies, its jobs stand still for so long that an operator should know
      join running held on held.lease_expires_at > moment.now_at + interval '1 hour'
     group by held.worker_id, moment.now_at
     order by 3 desc, 1 limit 20),
  told as (
    select 'workers hold jobs for more than an hour from now: ' || some_of(array_agg(
             format('%s (%s, for %s)', holder.worker_id, holder.jobs, span(holder.seconds))
             order by holder.seconds desc, holder.worker_id)) as seen,
           max(holder.seconds) > 86400 as is_beyond        -- no claim or heartbeat gives more
      from holder)
  select case when told.is_beyond then 'warning' else 'note' end, 'long_leases',
         told.seen || case when told.is_beyond
                           then '; no lease is longer than 24 h, so the database''s clock was '
                                || 'ahead when they were given' else '' end,
         case when told.is_beyond
              then '`fairclaim jobs release --worker ID` takes its jobs back at once (stop the '
                   || 'worker first); else they wait until then'
              else 'if such a worker is gone, `fairclaim jobs release --worker ID` takes its jobs '
                   || 'back at once; else they wait until then' end
    from told where told.seen is not null
$$;

comment on function fairclaim_internal.findings_of_leases() is
'Finds workers that hold jobs for more than an hour from now.';

-- internal/doctor/findings_of_limits.sql
-- Counts only: it is said how many tenants are limited, not which.
create or replace function fairclaim_internal.findings_of_limits()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with told as (
    select count(*) filter (where bound.subject = 'tenant') as limited,
           count(*) filter (where bound.subject <> 'tenant') as others,
           count(*) filter (where bound.subject = 'tenant' and bound.max_running = 0) as closed,
           count(*) filter (where not bound.active) as inactive,
           (select count(distinct at_limit.tenant_id) from at_limit
             where at_limit.jobs <> 0) as at_limit,
           -- a limit takes effect with the second tick after the claims of that moment
           fairclaim.clock() - min(bound.seen_at) filter (where not bound.active) > interval '1 min'
             as is_late
      from running_limit bound)
  select case when told.is_late then 'warning'
              when told.closed > 0 or told.inactive > 0 then 'note' else 'ok' end, 'limits',
         format('%s with one, %s of queues or by default; %s of 0, %s at a limit, %s not in '
                || 'effect yet',
                counted(told.limited, 'tenant'), told.others, told.closed,
                counted(told.at_limit, 'tenant'), told.inactive),
         case when told.is_late
              then 'until a new limit of a tenant takes effect none of its jobs is claimed, and an '
                   || 'open transaction is in its way: see `floors` and `long_transaction`'
              when told.closed > 0 or told.inactive > 0
              then 'their jobs wait; that is what a limit is for' end
    from told
$$;

comment on function fairclaim_internal.findings_of_limits() is
'Counts tenants that have a limit, are paused or at it, or wait for it to take effect.';

-- internal/doctor/findings_of_migrations.sql
-- A migration of another text means another build, or an edited file: then it is unknown what is in
-- the tables.
create or replace function fairclaim_internal.findings_of_migrations(p_build jsonb)
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with other as (
    select array_agg(format('%s (%s)', applied.version, applied.name) order by applied.version)
             as names
      from jsonb_array_elements(p_build -> 'migrations') known(migration)
      join migration applied on applied.version = (known.migration ->> 'version')::int
       and applied.checksum <> known.migration ->> 'checksum')
  select case when other.names is null then 'ok' else 'error' end, 'checksum',
         case when other.names is null then 'every migration is the one of this build'
              else 'migrations of another text than this build''s: ' || some_of(other.names) end,
         case when other.names is not null
              then 'use the build that migrated this database, or a newer one; a migration never '
                   || 'changes once it is released' end
    from other
$$;

comment on function fairclaim_internal.findings_of_migrations(jsonb) is
'Finds migrations of another text than those of a build.';

-- internal/doctor/findings_of_queues.sql
-- Queues that are paused, the oldest pause first, at most 100.
create or replace function fairclaim_internal.findings_of_queues()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select case when paused.names is null then 'ok' else 'note' end, 'paused_queues',
         coalesce('nothing is claimed from ' || some_of(paused.names), 'none'),
         case when paused.names is not null then 'resume them when their jobs shall run' end
    from (select array_agg(format('%s (for %s)', stopped.name, span(
                   extract(epoch from fairclaim.clock() - stopped.paused_at)::float8))
                           order by stopped.paused_at, stopped.name) as names
            from (select queue.name, queue.paused_at from queue where queue.paused_at is not null
                   order by queue.paused_at, queue.name limit 100) stopped) paused
$$;

comment on function fairclaim_internal.findings_of_queues() is 'Finds queues that are paused.';

-- internal/doctor/findings_of_relations.sql
-- Tables, views and sequences, and the two schemas, at most 2,000. Reads catalogs only, so that a
-- login without a role of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_relations()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with relation as (
    select class.oid, class.relname::text as name, class.relowner as owner,
           case when class.relkind in ('r', 'p')
                then class.relrowsecurity and class.relforcerowsecurity
                when class.relkind in ('v', 'm') then coalesce(class.reloptions, '{}')
                     && array['security_invoker=true', 'security_invoker=on']
                else true end as is_secured,
           array(select entry.grantee from aclexplode(class.relacl) entry
                 union all
                 select entry.grantee
                   from pg_attribute attribute cross join aclexplode(attribute.attacl) entry
                  where attribute.attrelid = class.oid) as grantees
      from pg_class class
     where class.relnamespace
           in (to_regnamespace('fairclaim'), to_regnamespace('fairclaim_internal'))
       and class.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select null, namespace.nspname::text, namespace.nspowner, true,
           array(select entry.grantee from aclexplode(namespace.nspacl) entry)
      from pg_namespace namespace where namespace.nspname in ('fairclaim', 'fairclaim_internal')
     order by 2 limit 2000),
  stranger as (
    select relation.name,
           string_agg(distinct coalesce(nullif(given.grantee, 0)::regrole::text, 'public'), ', ')
             as grantees
      from relation cross join unnest(relation.grantees) given(grantee)
     where given.grantee <> relation.owner
       and not exists (
         select from pg_roles ours
          where ours.oid = given.grantee
            and ours.rolname in ('fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                              'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                              'fairclaim_observer'))
     group by relation.name),
  trouble(kind, what) as (
    select 'bare', relation.name from relation where not relation.is_secured
    union all
    select 'open', format('%s (to %s)', stranger.name, stranger.grantees) from stranger
    union all
    select 'policy', format('%s on %s', policy.polname, relation.name)
      from relation join pg_policy policy on policy.polrelid = relation.oid
     where policy.polname not in ('owner_all', 'tenant_read', 'operator_read')),
  named as (
    select trouble.kind,
           array_to_string((array_agg(trouble.what order by trouble.what))[1:8], ', ')
           || case when count(*) > 8 then format(' and %s more', count(*) - 8) else '' end as names
      from trouble group by trouble.kind),
  told as (
    select max(names) filter (where kind = 'bare') as bare,
           max(names) filter (where kind = 'open') as open,
           max(names) filter (where kind = 'policy') as policies
      from named)
  select finding.* from told cross join lateral (values
    (case when bare is null then 'ok' else 'error' end, 'row_security',
     coalesce('not enabled and forced, or a view that runs as its owner: ' || bare,
              'enabled and forced on every table; views run as their caller'),
     case when bare is not null
          then 'run `fairclaim migrate`, which enables it again on the tables it knows; for '
               || 'others: alter table ... enable row level security, '
               || 'force row level security' end),
    (case when policies is not null then 'warning' end, 'foreign_policy',
     'policies that are not of this build: ' || policies,
     'policies add up: look at each, and drop what fairclaim did not make'),
    (case when open is null then 'ok' else 'error' end, 'table_access',
     coalesce('granted to strangers: ' || open,
              'no table, view or sequence is granted to a role that is not ours'),
     case when open is not null
          then 'as an administrator: set role fairclaim_owner; revoke all on ... from ...; give '
               || 'people our roles instead' end)) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_relations() is
'Finds tables without row security, policies that are not ours, and grants to roles that are not
ours.';

-- internal/doctor/findings_of_retention.sql
-- Ranges of ids and retention: what dispatch needs ahead, what should have gone, and what cannot
-- go. Reads tables of a few dozen rows, and looks up one finished job. Locks nothing.
create or replace function fairclaim_internal.findings_of_retention()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with moment as materialized (
    select fairclaim.clock() as now_at, range_width() as width),
  state as materialized (
    select extract(epoch from moment.width)::float8 as width,
           extract(epoch from setting.retention)::float8 as kept,
           block.ends_at is not null as is_covered,
           (select count(*) from id_range) as ranges,
           (select count(*) from id_range span
             where span.starts_at > moment.now_at + 5 * moment.width) as far,
           extract(epoch from coalesce(
             block.ends_at,
             (select max(span.ends_at) from id_range span where span.ends_at <= moment.now_at),
             (select min(span.starts_at) from id_range span)) - moment.now_at)::float8 as ahead,
           extract(epoch from moment.now_at - setting.retention
             - (select finished.completed_at from finished order by finished.id limit 1))::float8
             as job_overdue,
           extract(epoch from moment.now_at - setting.retention
             - (select min(span.ends_at) from id_range span
                 where span.ends_at < moment.now_at - setting.retention
                   and span.kept_at is null))::float8 as range_overdue,
           extract(epoch from moment.now_at
             - (select nullif(place.rest_until, '-infinity') from prune_place place
                 where not place.asked))::float8 as pruned_ago
      from moment cross join setting cross join lateral range_block(moment.now_at) block),
  -- A job goes later than its retention, by a third of it, when its range could not be dropped; a
  -- range by its own width. Workers look every minute: after a day more, none of them does.
  overdue as (
    select coalesce(
             case when state.job_overdue - state.kept / 3 > 86400
                  then state.job_overdue - state.kept / 3 end,
             case when state.range_overdue > greatest(state.width, 86400)
                  then state.range_overdue end) as late
      from state),
  fault as (
    select count(*), (array_agg(fault.id order by fault.at desc))[1:5] as ids,
           (array_agg(fault.sqlstate order by fault.at desc))[1] as sqlstate
      from prune_fault fault),
  -- Beyond 64, new ranges are so wide that their number hardly grows; each costs every call locks.
  ranges as (
    select case when state.ahead is null or not state.is_covered then 'error'
                when state.ahead < state.width then 'warning'
                when state.far > 0 then 'note'
                when state.ranges > 64 then 'warning' else 'ok' end as level,
           case when state.ahead is null then 'there is no range of ids'
                when not state.is_covered and state.ahead <= 0
                then format('ranges of ids ended %s ago; new jobs pile up in the last one',
                            span(state.ahead))
                when not state.is_covered
                then format('the clock is %s before the first range; new jobs pile up there',
                            span(state.ahead))
                when state.ahead < state.width
                then format('ranges of ids reach only %s ahead', span(state.ahead))
                when state.far > 0
                then format('%s of %s lie far ahead: the clock was wrong when they were made',
                            state.far, state.ranges)
                when state.ranges > 64
                then format('there are %s; each costs every claim and dispatch locks', state.ranges)
                else format('%s, which reach %s ahead', state.ranges, span(state.ahead))
                end as seen,
           case when state.ahead is null then 'run `fairclaim migrate`'
                when not state.is_covered or state.ahead < state.width
                then 'ticks make them ahead: see `ticks`. If ticks run, the server''s log has what '
                     || 'fails, and a transaction may hold a lock on fairclaim_internal.job'
                when state.far > 0
                then 'they go by themselves when they are empty, and are in the way of nothing '
                     || 'until '
                     || 'then'
                when state.ranges > 64
                then 'jobs that wait for long keep them (`fairclaim jobs list --status scheduled`)'
                     || ', or a transaction that reads fairclaim_internal.job and stays open: see '
                     || '`long_transaction`' end as advice
      from state)
  select ranges.level, 'ranges', ranges.seen, ranges.advice from ranges
   union all
  select case when late is null then 'ok' else 'warning' end, 'retention',
         format('finished jobs are kept for %s', span(state.kept))
         || coalesce(', and some should have gone ' || span(late) || ' ago; '
                     || coalesce('prune() last worked ' || span(state.pruned_ago) || ' ago',
                                 'prune() has never worked'), ''),
         case when late is not null
              then 'call `select * from fairclaim.drop_ranges()` and `select * from '
                   || 'fairclaim.prune()` every minute or so (workers do). If they run, see '
                   || '`undeletable` and `long_transaction`: a range that is being read is '
                   || 'emptied and not dropped' end
    from state cross join overdue
   union all
  select 'error', 'retention', 'the settings are gone',
         'its row in fairclaim_internal.setting was deleted: restore it'
   where not exists (select from state)
   union all
  select case when fault.count = 0 then 'ok' else 'warning' end, 'undeletable',
         case when fault.count = 0 then 'no job was found that cannot be deleted'
              else format('%s past retention that cannot be deleted (%s): %s',
                          counted(fault.count, 'job'), coalesce(fault.sqlstate, '?'),
                          array_to_string(fault.ids, ', ')) end,
         case when fault.count > 0
              then 'a trigger or a foreign key of yours on fairclaim_internal.job, finished or '
                   || 'attempt_error refuses it: the server''s log has its message. They are tried '
                   || 'again every hour' end
    from fault
$$;

comment on function fairclaim_internal.findings_of_retention() is
'Finds ranges of ids that end soon or are too many, finished jobs that should have gone, and jobs
that cannot be deleted.';

-- internal/doctor/findings_of_roles.sql
-- Which roles the login has (session_user: the function may run as the owner), what ours may beyond
-- what they should, and who shares them: roles belong to the whole cluster. Reads catalogs only, so
-- that a login without a role of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_roles()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with ours as (
    select listed.role, known.oid,
           known.rolcanlogin or known.rolsuper or known.rolbypassrls or known.rolcreaterole
             as is_strong,
           pg_has_role(acting.name, known.oid, 'usage') as is_used,
           pg_has_role(acting.name, known.oid, 'member') as is_member
      from unnest(array['fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer',
                        'fairclaim_tenant', 'fairclaim_operator', 'fairclaim_auditor',
                        'fairclaim_observer']) listed(role)
      -- a session may begin as a role (alter role ... set role), which a definer function keeps
     cross join (select coalesce(nullif(current_setting('role'), 'none')::name, session_user)
                          as name) acting
      left join pg_roles known on known.rolname = listed.role),
  told as (
    select (select login.rolsuper or login.rolbypassrls from pg_roles login
               where login.rolname = session_user)
             as is_unbound,
           (select string_agg(ours.role, ', ') from ours where ours.is_used) as used,
           (select string_agg(ours.role, ', ') from ours where ours.is_member and not ours.is_used)
             as dormant,
           (select string_agg(ours.role, ', ') from ours where ours.oid is null) as missing,
           (select string_agg(ours.role, ', ') from ours where ours.is_strong) as strong,
           (select string_agg(format('%s has %s', web.rolname, ours.role), ', ')
              from pg_roles web join ours on pg_has_role(web.oid, ours.oid, 'member')
             where web.rolname in ('anon', 'authenticated')) as web,
           (select string_agg(database.datname, ', ')
              from (select distinct other.datname::text from pg_shdepend owned
                      join pg_database other on other.oid = owned.dbid
                     where owned.refclassid = 'pg_authid'::regclass and owned.deptype = 'o'
                       and owned.refobjid = (select ours.oid from ours
                                              where ours.role = 'fairclaim_owner')
                       and other.datname <> current_database() and other.datallowconn
                       and not other.datistemplate
                     order by 1 limit 8) database) as neighbours)
  select finding.* from told cross join lateral (values
    (case when is_unbound or used is null then 'warning' else 'ok' end, 'login_roles',
     case when is_unbound
          then 'this login is a superuser or passes row security: nothing keeps it from any '
               || 'tenant''s rows'
          when used is not null then 'this login has ' || used
          when dormant is not null
          then format('this login has %s and does not inherit what that may do (NOINHERIT)',
                      dormant)
          else 'this login has no role of fairclaim' end,
     case when is_unbound
          then 'give applications and workers a plain login with the role that they need'
          when used is not null then null
          when dormant is not null
          then 'as an administrator: alter role ... inherit, and from PostgreSQL 16 on grant it '
               || 'once more with inherit true; or have the login''s sessions begin as that role: '
               || 'alter role ... set role fairclaim_worker'
          else 'as an administrator grant it what it does: fairclaim_worker, fairclaim_producer, '
               || 'fairclaim_operator, fairclaim_observer' end),
    (case when missing is null and strong is null then 'ok' else 'error' end, 'role_attributes',
     coalesce('roles are missing: ' || missing,
              'roles that can log in, create roles, or pass row security: ' || strong,
              'all are there, and none can log in or pass row security'),
     case when missing is not null
          then 'run `fairclaim migrate` as a login with CREATEROLE'
          when strong is not null
          then 'as an administrator: alter role ... nologin nosuperuser nobypassrls nocreaterole'
          end),
    (case when web is not null then 'error' end, 'web_roles',
     'callers of the REST interface have our roles: ' || web,
     'as an administrator: revoke that role from anon and authenticated; any visitor could use it'),
    (case when neighbours is not null then 'warning' end, 'second_installation',
     'other databases of this cluster have fairclaim too, and share its roles: ' || neighbours,
     'their workers are workers here where they may connect: revoke connect on this database from '
     || 'public, and grant it to the logins that belong here')) finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_roles() is
'Finds roles that are missing or too strong, a login without any, callers of a REST interface that
have one, and other databases of the cluster that share them.';

-- internal/doctor/findings_of_settings.sql
-- The values that new sessions of the login begin with, and how many connections are left. Reads
-- catalogs only, so that it can be asked of a database without our schema too.
create or replace function fairclaim_internal.findings_of_settings()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with setting as (select known.name, known.reset_val as value from pg_settings known),
  told as (
    select (select string_agg(setting.name, ', ' order by setting.name) from setting
             where setting.name in ('fsync', 'full_page_writes', 'synchronous_commit')
               and setting.value = 'off') as not_durable,
           (select value from setting where name = 'default_transaction_isolation') as isolation,
           (select value from setting where name = 'default_transaction_read_only') as read_only,
           (select value from setting where name = 'row_security') as row_security,
           (select value from setting where name = 'statement_timeout')::int8 as timeout,
           (select value from setting where name = 'log_parameter_max_length_on_error') <> '0'
             as logs_failed,
           (exists (select from setting where name = 'log_statement' and value = 'all')
            or (select value from setting where name = 'log_min_duration_statement') !~ '^-')
           and (select value from setting where name = 'log_parameter_max_length') <> '0'
             as logs_all,
           exists (select from setting where name in ('autovacuum', 'track_counts')
                                         and value = 'off') as never_vacuums,
           (select sum(counted.numbackends)::int8 from pg_stat_database counted) as used,
           current_setting('max_connections')::int8
           - current_setting('superuser_reserved_connections')::int8 as usable)
  select finding.* from told cross join lateral (values
    (case when not_durable is null then 'ok' else 'warning' end, 'durability',
     coalesce('off: ' || not_durable, 'a commit survives a crash'),
     case when not_durable is not null
          then 'turn them on: without fsync or full_page_writes a crash can destroy the database, '
               || 'without synchronous_commit it loses the last jobs that were dispatched' end),
    (case when read_only = 'on' or isolation <> 'read committed' then 'error' end, 'isolation',
     case when read_only = 'on'
          then 'transactions of this login are read-only by default: every dispatch and claim is '
               || 'refused'
          else format('transactions of this login are %s by default: claims and ticks are refused '
                      '(JQ004), and each transaction that dispatches opens lanes of its own',
                      isolation) end,
     case when read_only = 'on'
          then 'as an administrator: alter role ... reset default_transaction_read_only (or alter '
               || 'database ...)'
          else 'as an administrator: alter role ... set default_transaction_isolation = ''read '
               || 'committed'' for workers, and for producers that dispatch often' end),
    -- functions set it for themselves; a view is read with what the session has
    (case when row_security = 'off' then 'note' end, 'row_security_off',
     'row_security is off for this login: functions work, and views that hide rows from it are '
     || 'refused (42501)',
     'leave it to logins that take backups, or as an administrator: alter role ... reset '
     || 'row_security'),
    -- parameters hold payloads
    (case when logs_failed or logs_all then 'warning' end, 'logged_parameters',
     case when logs_failed
          then 'log_parameter_max_length_on_error is not 0: payloads of failed statements go to '
               || 'the server''s log'
          else 'statements are logged with their parameters: payloads go to the server''s log' end,
     case when logs_failed then 'set it to 0, its default'
          else 'set log_parameter_max_length = 0 for the logins of workers and producers (alter '
               || 'role ...)' end),
    -- a tick, or a batch of 1,000 jobs on a busy server, may take some seconds
    (case when timeout between 1 and 4999 then 'warning' end, 'short_timeout',
     format('statement_timeout of this login is %s ms: large batches and ticks may be cut short',
            timeout),
     'as an administrator: alter role ... set statement_timeout = ''30s'' for workers'),
    -- what is left must do for a worker that restarts and for administrators
    (case when used * 10 > usable * 8 then 'warning' else 'ok' end, 'connections',
     format('%s of %s are used', used, usable),
     case when used * 10 > usable * 8
          then 'lower the pools of applications, put a pooler in between, or raise '
               || 'max_connections' end),
    (case when never_vacuums then 'error' else 'ok' end, 'autovacuum',
     case when never_vacuums then 'autovacuum does not run: queue tables grow without end'
          else 'it runs' end,
     case when never_vacuums then 'turn autovacuum and track_counts on' end))
    finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_settings() is
'Finds settings of the server and of the login that lose jobs, refuse calls, log payloads or let
tables grow, and connections that are nearly used up.';

-- internal/doctor/findings_of_space.sql
-- Sizes and the statistics of vacuum, without the ranges of the past: those are written once. Reads
-- catalogs only, so that a login without a role of ours can send this text itself.
create or replace function fairclaim_internal.findings_of_space()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with size as (
    select counted.relname::text as name, counted.n_live_tup as live, counted.n_dead_tup as dead,
           pg_table_size(counted.relid) as table_bytes,
           pg_indexes_size(counted.relid) as index_bytes
      from pg_stat_all_tables counted
     where counted.schemaname = 'fairclaim_internal'
       and counted.relname in ('ready', 'running', 'scheduled', 'lane', 'floor_hint', 'tick_state',
                         'tick_lock', 'tick_fault', 'cancel_request', 'claim_lock', 'renewal')),
  bloated as (
    select array_agg(format('%s: %s MiB and %s MiB of indexes for %s rows, %s dead', size.name,
                            size.table_bytes >> 20, size.index_bytes >> 20, size.live, size.dead)
                     order by size.name) as names
      from size
        -- A table below 64 MiB does no harm. A narrow row with its header, or its entries in two
        -- indexes, takes 150 bytes, generously; beyond eight times that, pages are mostly air.
     where greatest(size.table_bytes, size.index_bytes) > greatest(64 << 20, size.live * 150 * 8))
  select case when bloated.names is null then 'ok' else 'warning' end, 'bloat',
         coalesce(array_to_string(bloated.names[1:8], ', '),
                  'no queue table is much larger than its rows need'),
         case when bloated.names is not null
              then 'end what keeps dead rows (`long_transaction`, `prepared_transaction`, '
                   || '`replication_slot`), then as the owner in a quiet hour: reindex table '
                   || 'concurrently ..., and vacuum full for the table itself' end
    from bloated
$$;

comment on function fairclaim_internal.findings_of_space() is
'Finds queue tables and indexes that are much larger than their rows need.';

-- internal/doctor/findings_of_steps.sql
-- Steps of tick that fail, each with at most ten ids of the jobs at which it does.
create or replace function fairclaim_internal.findings_of_steps()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  select case when count(*) = 0 then 'ok' else 'warning' end, 'tick_steps',
         coalesce('steps of tick fail: ' || string_agg(
           format('%s, for %s, SQLSTATE %s: %s%s', fault.step,
                  span(extract(epoch from fairclaim.clock() - fault.since)::float8),
                  fault.sqlstate, fault.note,
                  '; it passes over the jobs '
                  || nullif(array_to_string(fault.passed[1:10], ', '), '')),
           ' / ' order by fault.step), 'none fails'),
         case when count(*) > 0
              then 'take away what refuses it: a trigger, a lock, a short statement_timeout. The '
                   || 'other steps go on, and this one is tried again by every tick' end
    from tick_fault fault
$$;

comment on function fairclaim_internal.findings_of_steps() is
'Finds steps of tick that fail: since when, with what, and at which jobs.';

-- internal/doctor/findings_of_strays.sql
-- Rows of `ready` whose lane does not exist: claims never see them. There should be none, and tick
-- puts them back. Bounded: 1,000 lane numbers, hopped to through the index, and of the stray ones
-- at most 1,000 rows.
create or replace function fairclaim_internal.findings_of_strays()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive hop(lane_id) as (
    (select ready.lane_id from ready order by ready.lane_id limit 1)
    union all
    select (select ready.lane_id from ready
             where ready.lane_id > hop.lane_id order by ready.lane_id limit 1)
      from hop where hop.lane_id is not null),
  stray as materialized (
    select met.lane_id
      from (select hop.lane_id from hop where hop.lane_id is not null limit 1000) met
     where not exists (select from lane where lane.lane_id = met.lane_id)),
  found as (
    select count(*) from (
      select from ready where ready.lane_id = any (array(select stray.lane_id from stray))
       limit 1000) rows)
  select case when found.count = 0 then 'ok' else 'warning' end, 'strays',
         case when found.count = 0 then 'every waiting job stands in a lane'
              else counted(found.count, 'waiting job') || ' in no lane, which no claim finds' end,
         case when found.count > 0
              then 'ticks put them back within minutes; if they stay, report it' end
    from found
$$;

comment on function fairclaim_internal.findings_of_strays() is
'Finds waiting jobs that stand in no lane.';

-- internal/doctor/findings_of_suspects.sql
-- Jobs whose workers died twice stand in lanes that only a claim with p_alone walks, so none runs
-- where no client asks so. Bounded: at most 100 such lanes, and of each the first 16 jobs that wait
-- for no limit of their tenant. A job has waited since its worker was lost; one that was put off
-- meanwhile still stands alone.
create or replace function fairclaim_internal.findings_of_suspects()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with suspect as (
    select alone.queue, alone.type, count(*) as jobs,
           (array_agg(lost.id order by lost.since, lost.id))[1] as first,
           extract(epoch from fairclaim.clock() - min(lost.since))::float8 as seconds
      from (select lane.queue, lane.type, lane.lane_id, lane.floor from lane
             where lane.alone order by lane.queue, lane.type, lane.lane_id limit 100) alone
     cross join lateral (
       select ready.id, ready.tenant_id from ready
        where ready.lane_id = alone.lane_id and ready.seq >= alone.floor
          and not exists (
                select from running_limit bound
                 where bound.tenant_id = ready.tenant_id and bound.subject = 'tenant')
        order by ready.lane_id, ready.seq limit 16) waits
     cross join lateral (
       select waits.id,
              coalesce((select max(past.at) from attempt_error past
                         where past.id = waits.id and past.tenant_id = waits.tenant_id),
                       fairclaim.clock()) as since
       offset 0) lost
     group by alone.queue, alone.type),
  unclaimed as (
    -- a worker that asks for such jobs takes them within minutes
    select array_agg(format('%s of %s in %s (for %s, first %s)', suspect.jobs, suspect.type,
                            suspect.queue, span(suspect.seconds), suspect.first)
                     order by suspect.seconds desc) as names
      from suspect
     where suspect.seconds > 600
       and not exists (select from queue
                        where queue.name = suspect.queue and queue.paused_at is not null))
  select 'warning', 'suspects',
         'jobs whose workers died twice wait, and no worker runs them: '
         || some_of(unclaimed.names),
         'start `fairclaim work` or a worker of the library with a handler for that type, which '
         || 'runs such jobs alone; a client of your own asks for them by '
         || 'claim_jobs(..., 1, p_alone => true) while it holds nothing else; or end them: '
         || '`fairclaim jobs cancel ID`'
    from unclaimed where unclaimed.names is not null
$$;

comment on function fairclaim_internal.findings_of_suspects() is
'Finds jobs whose workers died twice and for which no client asks.';

-- internal/doctor/findings_of_ticks.sql
-- Whether ticks run, and what they are there for: leases, and the numbers of waiting jobs. Reads
-- small tables, and of `running` (as many rows as jobs run) what has expired. Locks nothing. Ticks
-- that had nothing to do left only their time, in a sequence.
create or replace function fairclaim_internal.findings_of_ticks()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
  with state as materialized (
    select moment.now_at, nullif(greatest(tick.at, round.at), '-infinity') as ticked_at,
           greatest(0, tick.mark - coalesce(pg_sequence_last_value('ready_seq'), 0)) as behind,
           extract(epoch from moment.now_at - tick.mended_at)::float8 as mended_ago
      from (select fairclaim.clock() as now_at offset 0) moment
     cross join newest_state() tick
     cross join setting
     cross join (select to_timestamp(pg_sequence_last_value('round_at') / 1000.0) as at
                 offset 0) round
     where tick.n is not null),
  ticked as (
    select extract(epoch from state.now_at - state.ticked_at)::float8 as ago, sessions.count
      from state
     cross join (
       select count(*) from pg_stat_activity activity
        where activity.datname = current_database() and activity.pid <> pg_backend_pid()
          and activity.usesysid is not null
          and pg_has_role(activity.usesysid, our_role('worker'), 'usage')) sessions),
  leases as (
    select count(running.id) as running,
           count(*) filter (where running.lease_expires_at < state.now_at) as expired,
           extract(epoch from state.now_at - min(running.lease_expires_at))::float8 as late
      from state left join running on true
     group by state.now_at)
  -- an idle fleet ticks every half minute: three that are missing may be chance, ten are not
  select case when ago > 300 then 'error' when ago is null or ago > 90 then 'warning' else 'ok' end,
         'ticks',
         coalesce('the last worked ' || span(ago) || ' ago; ', 'none has run yet; ')
         || case count when 0 then 'no session of a worker is connected'
                       when 1 then 'a session of a worker is connected'
                       else format('%s sessions of workers are connected', count) end,
         case when ago is null or ago > 90
              then 'start a worker (`fairclaim work`), which ticks by itself, or have cron or '
                   || 'pg_cron call `select * from fairclaim.tick()` every few seconds' end
    from ticked
   union all
  select 'error', 'ticks', 'the state of the maintenance is gone',
         'a row of fairclaim_internal.tick_state or fairclaim_internal.setting was deleted: '
         || 'restore its row'
   where not exists (select from state)
   union all
  -- a lease that expired is returned within six seconds
  select case when late >= 30 then 'warning' else 'ok' end, 'leases',
         case when late >= 30
              then format('%s not returned though the lease has expired; the oldest expired %s ago',
                          counted(expired, 'job'), span(late))
              else counted(running, 'job') || ' running; none has waited for its return' end,
         case when late >= 30
              then 'ticks return them: see `ticks`. If ticks run, a transaction holds these rows: '
                   || 'see `long_transaction`' end
    from leases
   union all
  -- A copy of a database by logical replication has the rows and not the sequences. That a tick
  -- mended them is said for a day.
  select case when behind > 0 then 'error' when mended_ago < 86400 then 'warning' else 'ok' end,
         'numbers',
         case when behind > 0
              then format('the sequence ready_seq is %s behind; the next tick sets it', behind)
              when mended_ago < 86400
              then format('the sequence ready_seq was behind; a tick has set it %s ago',
                          span(mended_ago))
              else 'waiting jobs are numbered in order' end,
         case when behind > 0 or mended_ago < 86400
              then 'a copy by logical replication has no sequences: set all of the schema '
                   || 'fairclaim_internal by setval before any dispatch. Jobs dispatched '
                   || 'meanwhile wait until a tick has given them new numbers' end
    from state
$$;

comment on function fairclaim_internal.findings_of_ticks() is
'Finds ticks that do not run, leases that were not returned, and numbers of waiting jobs that are
behind.';

-- internal/doctor/findings_of_waiting.sql
-- Types that no worker seems to want, and the longest wait: a sample, see longest_waits.
create or replace function fairclaim_internal.findings_of_waiting()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
  -- a job that is due for ten minutes waits long, and its type is unclaimed when none of it runs
  with waiting as materialized (
    select pair.queue, pair.type, pair.paused, pair.runs, pair.waits as seconds
      from longest_waits() pair),
  unclaimed as (
    select array_agg(format('%s in %s (for %s)', pair.type, pair.queue, span(pair.seconds))
                     order by pair.seconds desc) as names
      from waiting pair where not pair.paused and not pair.runs and pair.seconds > 600),
  oldest as (
    select count(*) as pairs,
           coalesce(max(pair.seconds) filter (where not pair.paused), 0) as seconds
      from waiting pair)
  select 'warning', 'unclaimed_types',
         'jobs wait of which none runs: ' || some_of(unclaimed.names),
         'start a worker of that queue with a handler for that type, or cancel the jobs'
    from unclaimed where unclaimed.names is not null
   union all
  select case when oldest.seconds > 600 then 'note' else 'ok' end, 'backlog',
         case when oldest.pairs = 0 then 'nothing waits'
              else format('of the jobs looked at the oldest has waited for %s',
                          span(oldest.seconds)) end,
         case when oldest.seconds > 600
              then 'add workers, or raise their concurrency, if that is too long' end
    from oldest
$$;

comment on function fairclaim_internal.findings_of_waiting() is
'Finds types of which jobs wait and none runs, and how long the oldest waiting job has been due.';

-- internal/doctor/longest_waits.sql
-- What waits longest, by queue and type. Bounded: at most 200 pairs, hopped to through the two
-- indexes of lanes, and of each at most 20 lanes, of which the first row is read. Lanes of limited
-- tenants are left out: they wait for their limit. So are jobs that run alone: findings_of_suspects
-- has them.
create or replace function fairclaim_internal.longest_waits()
returns table (queue text, type text, paused boolean, runs boolean, waits float8)
language sql volatile
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
  with recursive own(queue, type) as (
    (select lane.queue, lane.type from lane where lane.tenant_id is not null
      order by lane.queue, lane.type limit 1)
    union all
    select next.queue, next.type
      from own
     cross join lateral (
       select lane.queue, lane.type from lane
        where lane.tenant_id is not null and (lane.queue, lane.type) > (own.queue, own.type)
        order by lane.queue, lane.type limit 1) next),
  shared(queue, type) as (
    (select lane.queue, lane.type from lane where lane.tenant_id is null and not lane.alone
      order by lane.queue, lane.type limit 1)
    union all
    select next.queue, next.type
      from shared
     cross join lateral (
       select lane.queue, lane.type from lane
        where lane.tenant_id is null and not lane.alone
          and (lane.queue, lane.type) > (shared.queue, shared.type)
        order by lane.queue, lane.type limit 1) next),
  pair as materialized (
    select first_own.queue, first_own.type from (select * from own limit 100) first_own
    union
    select first_shared.queue, first_shared.type
      from (select * from shared limit 100) first_shared),
  lanes as materialized (
    select pair.queue, pair.type, some_lanes.lane_id, some_lanes.floor
      from pair
     cross join lateral (
       (select lane.lane_id, lane.floor from lane
         where lane.queue = pair.queue and lane.type = pair.type
           and lane.tenant_id is null and not lane.alone
         order by lane.lane_id limit 5)
       union all
       (select lane.lane_id, lane.floor from lane
         where lane.queue = pair.queue and lane.type = pair.type and lane.tenant_id is not null
           and not exists (
                 select from running_limit bound
                  where bound.tenant_id = lane.tenant_id and bound.subject = 'tenant')
         order by lane.turn limit 15)) some_lanes),
  oldest as materialized (
    select lanes.queue, lanes.type, min(greatest(known.created_at, known.run_at)) as since
      from lanes
     cross join lateral (
       select ready.id, ready.tenant_id from ready
        where ready.lane_id = lanes.lane_id and ready.seq >= lanes.floor
        order by ready.lane_id, ready.seq limit 1) first
     cross join lateral (
       select job.created_at, job.run_at from job
        where job.tenant_id = first.tenant_id and job.id = first.id offset 0) known
     group by lanes.queue, lanes.type),
  runs as materialized (
    select distinct known.queue, known.type
      from (select running.id, running.tenant_id from running limit 2000) held
     cross join lateral (
       select job.queue, job.type from job
        where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known)
  select oldest.queue, oldest.type,
         exists (select from queue
                  where queue.name = oldest.queue and queue.paused_at is not null),
         exists (select from runs where runs.queue = oldest.queue and runs.type = oldest.type),
         date_part('epoch', fairclaim.clock() - oldest.since)
    from oldest order by oldest.since limit 100
$$;

comment on function fairclaim_internal.longest_waits() is
'Gives the queues and types in which jobs wait, those that wait longest first: for how many seconds the oldest job seen has been due, whether the queue is paused, and whether any job of the type runs. A sample that looks at a bounded number of lanes.';

-- internal/key/admit_keys.sql
-- Looks at the keys that are noted, oldest notes first, and moves what has room. Called by claims
-- with slots left (p_state null) and by ticks. Locks: the keys' rows of key_lock (by slot, skip
-- locked), and then, in new statements, what fill_keys locks. A note is deleted only by who holds
-- the lock of its key, so two callers never wait for each other over one.
--
-- A note that must stay, since another holds the lock, or a settlement that is still open has the
-- slot, costs a claim no write. A tick puts it behind the others, one for each key, so that such
-- notes are in nobody's way. A bound says up to where notes are gone; as it follows the safe mark
-- of tick, no open transaction has a note below. p_all: the bound is passed by, in case it is
-- wrong.
create or replace function fairclaim_internal.admit_keys(
  p_state fairclaim_internal.tick_state,
  p_all boolean,
  p_size int,
  p_skip uuid[],
  out moved int,
  out looked int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_nestloop = on
set enable_hashjoin = on
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_floor bigint := case when p_all then 0
                         else coalesce(pg_sequence_last_value('key_floor'), 0) end;
  v_is_tick boolean := p_state.n is not null;
  v_notes bigint[];
  v_tenants uuid[];
  v_keys text[];
  v_floors bigint[];
  v_slots smallint[];
  v_filled record;
begin
  moved := 0;
  if v_is_tick then
    perform spread_prefixes(v_floor);
  end if;
  v_notes := array(
    select key_note.note_id from key_note
     where key_note.note_id > v_floor and not key_note.is_prefix
     order by key_note.note_id limit p_size);
  looked := cardinality(v_notes);
  if v_is_tick then
    perform setval('key_floor', greatest(0, v_floor, least(p_state.safe, (
      select min(first.note_id) - 1
        from (select key_note.note_id from key_note
               where key_note.note_id > v_floor order by key_note.note_id limit 1) first))));
  end if;
  if looked = 0 then
    return;
  end if;
  -- those whose lock is got; then a new statement, which sees all that the locks were held for
  v_slots := array(
    select key_lock.slot from key_lock
     where key_lock.slot = any (array(
       select key_lock_of(note.tenant_id, note.key) from key_note note
        where note.note_id = any (v_notes)))
     order by key_lock.slot for update skip locked);
  select array_agg(noted.tenant_id), array_agg(noted.key), array_agg(noted.floor)
    into v_tenants, v_keys, v_floors
    from (select note.tenant_id, note.key, min(note.floor) as floor from key_note note
           where note.note_id = any (v_notes)
             and key_lock_of(note.tenant_id, note.key) = any (v_slots)
           group by note.tenant_id, note.key) noted;
  if v_keys is not null then
    select * into v_filled
      from fill_keys(v_tenants, v_keys, array_fill(1000000, array[cardinality(v_keys)]), v_floors,
             array_fill(-1::bigint, array[cardinality(v_keys)]), true, p_skip);
    moved := coalesce(cardinality(v_filled.moved), 0);
    delete from key_note
     where key_note.note_id = any (v_notes)
       and exists (select from unnest(v_tenants, v_keys, v_filled.keep) done(tenant_id, key, keep)
                    where done.tenant_id = key_note.tenant_id and done.key = key_note.key
                      and not done.keep);
  end if;
  if v_is_tick then
    with stays as (
      delete from key_note
       where key_note.ctid = any (array(
         select note.ctid from key_note note
          where note.note_id = any (v_notes) for update skip locked))
      returning key_note.tenant_id, key_note.key, key_note.floor)
    insert into key_note (tenant_id, key, floor)
    select stays.tenant_id, stays.key, min(stays.floor)
      from stays group by stays.tenant_id, stays.key;
  end if;
end
$$;

comment on function fairclaim_internal.admit_keys(fairclaim_internal.tick_state, boolean, int,
    uuid[]) is
'Moves jobs of keys that are noted and have room into lanes. moved: how many; looked: at how many notes.';

-- internal/key/admit_some.sql
-- For a worker's call that has slots left: so that the first job of a key need not wait for a tick.
-- It looks at as many notes as it has slots, since what it moves is nobody else's until it commits.
-- No claim fails for the sake of a key: what cannot be moved here is the tick's affair.
-- Callers ask first, in one expression:
--   abs(pg_sequence_last_value('key_noted_at') - v_ms) <= 60000
create or replace function fairclaim_internal.admit_some(p_slots int) returns boolean
language plpgsql
as $$
begin
  return (admit_keys(null, false, p_slots, '{}')).moved > 0;
exception
  when others then return false;
end
$$;

comment on function fairclaim_internal.admit_some(int) is
'Looks at some of the keys that are noted; whether a job of one has moved into a lane.';

-- internal/key/fill_keys.sql
-- Moves jobs out of `held` into lanes, for each of these keys as many as it has room for, at most
-- p_most. Each key stands once in the lists. p_is_locked says how the caller knows that there is
-- room:
-- * true: it holds the keys' rows of key_lock, and this begins with a new snapshot. Nobody else
--   adds to the slots of these keys, so what is counted here is exact. p_floors are those of notes:
--   while a key has no slot, nothing waits below.
-- * false: it has deleted p_most slots of each key in this transaction, so that as many may take
--   their place. Then nothing has to be locked, and a settlement that stays open for minutes holds
--   up its own key and no other. p_floors and p_since are those of the deleted slots.
-- p_skip: jobs to be passed over. Locks: rows of `held` (skip locked).
--
-- `keep`, for each key in the order of the lists: somebody has to look at it again. That is so
-- where jobs wait and, without the lock, fewer came than left; or with it, where no slot is left
-- whose end would look, or a slot is going at this moment (its row has an xmax: that settlement may
-- have looked before it could see what waits here). A job that keeps its order runs alone, and
-- never before one that stands ahead of it, even if that row is locked. All looks are by index,
-- from the bounds that the slots carry. A bound is never above the safe mark that tick had left
-- when it was written: what a transaction that was open then commits later is above it. A slot that
-- begins a key anew knows no floor.
create or replace function fairclaim_internal.fill_keys(
  p_tenants uuid[],
  p_keys text[],
  p_most int[],
  p_floors bigint[],
  p_since bigint[],
  p_is_locked boolean,
  p_skip uuid[],
  out moved uuid[],
  out keep boolean[]
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_mergejoin = off
set enable_nestloop = on
set enable_hashjoin = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_safe bigint := (newest_state()).safe;
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  lock table ready in row exclusive mode;     -- before any number is drawn (I4)
  -- known: a key with its slots, its room, and the bound below which its rows are gone
  with known as materialized (
    select asked.place, asked.tenant_id, asked.key, asked.most, slots.jobs, slots.is_going,
           case when slots.is_ordered then 0
                else least(asked.most, bound.max_running - slots.jobs) end as room,
           bound.max_running,
           slots.floor as slots_floor,
           case when p_is_locked then slots.floor
                else greatest(asked.floor, slots.floor) end as floor,
           case when p_is_locked then least(asked.floor, slots.floor)
                else greatest(asked.floor, slots.floor) end as start,
           least(v_safe, slots.oldest - 1) as since
      from unnest(p_tenants, p_keys, p_most, p_floors, p_since) with ordinality
           asked(tenant_id, key, most, floor, since, place)
     cross join lateral (
       select count(*)::int as jobs, min(slot.seq) as oldest, max(slot.floor) as floor,
              coalesce(bool_or(slot.keeps_order), false) as is_ordered,
              coalesce(bool_or(slot.is_locked), false) as is_going
         from (select key_slot.seq, key_slot.floor, key_slot.keeps_order,
                      key_slot.xmax <> '0'::xid as is_locked
                 from key_slot
                where key_slot.tenant_id = asked.tenant_id and key_slot.key = asked.key collate "C"
                  and key_slot.seq > asked.since
                order by key_slot.seq offset 0) slot) slots
     cross join lateral (
       select coalesce(
         (select key_limit.max_running from key_limit
           where key_limit.tenant_id = asked.tenant_id and not key_limit.is_prefix
             and key_limit.key = asked.key collate "C"),
         (select key_limit.max_running from key_limit
           where key_limit.tenant_id = asked.tenant_id and key_limit.is_prefix
             and starts_with(asked.key, key_limit.key)
           order by length(key_limit.key) desc limit 1), 1) as max_running offset 0) bound),
  -- first: the rows that stand first, those that come back before the others
  first as materialized (
    select known.*,
           (select held.seq from held
             where held.tenant_id = known.tenant_id and held.key = known.key collate "C"
               and held.seq < 0
             order by held.tenant_id, held.key, held.seq limit 1) as back,
           (select held.seq from held
             where held.tenant_id = known.tenant_id and held.key = known.key collate "C"
               and held.seq >= 0 and held.seq > known.start
             order by held.tenant_id, held.key, held.seq limit 1) as head
      from known),
  locked as materialized (
    select first.place, waiting.*, first.floor, first.since, first.room, first.jobs, first.back,
           first.head
      from first
     cross join lateral (
       select held.ctid as spot, held.* from held
        where first.back is not null
          and held.tenant_id = first.tenant_id and held.key = first.key collate "C"
          and held.seq < 0 and held.id <> all (p_skip)
        order by held.tenant_id, held.key, held.seq limit greatest(0, first.room)
          for update skip locked) waiting
    union all
    select first.place, waiting.*, first.floor, first.since, first.room, first.jobs, first.back,
           first.head
      from first
     cross join lateral (
       select held.ctid as spot, held.* from held
        where first.head is not null
          and held.tenant_id = first.tenant_id and held.key = first.key collate "C"
          and held.seq >= first.head and held.id <> all (p_skip)
        order by held.tenant_id, held.key, held.seq limit greatest(0, first.room)
          for update skip locked) waiting),
  taken as materialized (
    select ranked.*
      from (select locked.*,
                   row_number() over (partition by locked.place order by locked.seq) as rank,
                   bool_or(locked.keeps_order)
                     over (partition by locked.place order by locked.seq) as is_met
              from locked) ranked
     where ranked.rank <= ranked.room
       and case when ranked.keeps_order
                then ranked.rank = 1 and ranked.jobs = 0
                     and ranked.seq = coalesce(ranked.back, ranked.head)
                else not ranked.is_met end),
  gone as (
    delete from held where held.ctid = any (array(select taken.spot from taken))),
  admitted as (
    insert into key_slot (id, tenant_id, floor, since, keeps_order, key)
    select taken.id, taken.tenant_id,
           case when taken.floor is null then 0
                else least(v_safe, greatest(taken.floor, case when taken.has_head
                                                              then taken.head end)) end,
           taken.since, taken.keeps_order, taken.key
      from (select taken.*,
                   bool_or(taken.seq = taken.head) over (partition by taken.place) as has_head
              from taken) taken
     order by taken.place, taken.seq)
  select (select array_agg(taken.tenant_id order by taken.place, taken.seq) from taken),
         (select array_agg(taken.id order by taken.place, taken.seq) from taken),
         (select array_agg(taken.attempts order by taken.place, taken.seq) from taken),
         (select array_agg(taken.attempts_left order by taken.place, taken.seq) from taken),
         (select array_agg(taken.lost order by taken.place, taken.seq) from taken),
         (select array_agg(
                   coalesce(first.back, first.head) is not null
                   and case when not p_is_locked then coalesce(came.jobs, 0) < first.most
                            else first.is_going
                                 or coalesce(first.head <= first.slots_floor, false)
                                 or first.jobs + coalesce(came.jobs, 0) = 0
                                    and first.max_running > 0 end
                   order by first.place)
            from first
            left join (select taken.place, count(*) as jobs from taken group by taken.place) came
              on came.place = first.place)
    into moved, v_ids, v_attempts, v_left, v_lost, keep;
  if v_ids is not null then
    perform to_ready(moved, v_ids, v_attempts, v_left, v_lost,
      array_fill(true, array[cardinality(v_ids)]), true);
  end if;
end
$$;

comment on function fairclaim_internal.fill_keys(uuid[], text[], int[], bigint[], bigint[],
    boolean, uuid[]) is
'Moves the next jobs of keys that have room into lanes. moved: their tenants, null for none. keep: for each key, whether somebody has to look at it again.';

-- internal/key/hold_jobs.sql
-- Puts those of these jobs that have a key, and no slot of it, into `held`, with a note for each
-- key. A new job stands behind those that wait, and one that has run before goes ahead of all new
-- ones. Only a claim, a tick or a settlement moves it on, never the transaction that brought it:
-- two open dispatches would both see room. Locks no row. The lock on `ready` is taken before any
-- number is drawn (I4), and with it the jobs' rows come before their note.
create or replace function fairclaim_internal.hold_jobs(
  p_tenants uuid[],
  p_ids uuid[],
  p_attempts int[],
  p_left smallint[],
  p_lost smallint[]
) returns uuid[]
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_ms bigint := millis(fairclaim.clock());
  v_ids uuid[];
begin
  lock table ready in row exclusive mode;
  with item as materialized (
    select back.*, known.key, known.keep_order is true as keeps_order
      from unnest(p_tenants, p_ids, p_attempts, p_left, p_lost) with ordinality
           back(tenant_id, id, attempts, attempts_left, lost, ordinal)
     cross join lateral (
       select job.key, job.keep_order from job
        where job.tenant_id = back.tenant_id and job.id = back.id offset 0) known
     where known.key is not null
       and not exists (select from key_slot where key_slot.id = back.id offset 0)),
  placed as (
    insert into held (tenant_id, key, seq, id, attempts, attempts_left, lost, keeps_order)
    select item.tenant_id, item.key,
           nextval('ready_seq') - case when item.attempts > 0 then 4611686018427387904 else 0 end,
           item.id, item.attempts, item.attempts_left, item.lost, item.keeps_order
      from (select item.* from item order by item.ordinal) item
    returning held.tenant_id, held.key, held.seq, held.id),
  noted as (
    insert into key_note (tenant_id, key, floor)
    select placed.tenant_id, placed.key,
           coalesce(min(placed.seq) filter (where placed.seq >= 0), 4611686018427387904) - 1
      from placed group by placed.tenant_id, placed.key)
  select array_agg(placed.id) into v_ids from placed;
  if v_ids is not null then
    perform tell_of_keys(v_ms);
  end if;
  return v_ids;
end
$$;

comment on function fairclaim_internal.hold_jobs(uuid[], uuid[], int[], smallint[], smallint[]) is
'Lets jobs that have a key wait until it has room; returns which.';

-- internal/key/hold_rows.sql
-- The rows of a batch come as for into_lanes. A function of its own, so that a batch without keys
-- does not pay for setting it up.
create or replace function fairclaim_internal.hold_rows(p_rows fairclaim_internal.ready[])
returns fairclaim_internal.ready[]
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_rest ready[];
begin
  select array_agg(given.tenant_id order by given.seq) filter (where given.watched),
         array_agg(given.id order by given.seq) filter (where given.watched),
         array_agg(given.attempts order by given.seq) filter (where given.watched),
         array_agg(given.attempts_left order by given.seq) filter (where given.watched),
         array_agg(given.lost order by given.seq) filter (where given.watched),
         array_agg(given order by given.seq) filter (where not given.watched)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_rest
    from unnest(p_rows) given;
  if v_ids is not null then
    perform hold_jobs(v_tenants, v_ids, v_attempts, v_left, v_lost);
  end if;
  return v_rest;
end
$$;

comment on function fairclaim_internal.hold_rows(fairclaim_internal.ready[]) is
'Lets those of these new jobs that have a key wait for it; returns the others.';

-- internal/key/job_ended.sql
-- Tells whoever watches these jobs that they have ended, in the transaction that ended them; called
-- for watched ones only. So far only their keys watch: each gives its slot to the next job of its
-- key, if that has room (see fill_keys). p_parked: jobs that wait for their next attempt. They give
-- their slots too, unless they keep their order.
--
-- No settlement fails for the sake of the next job: if that cannot be moved, its key gets a note.
-- So it does outside READ COMMITTED, where no lane may be chosen. Locks: rows of key_slot that
-- belong to these jobs, then those of fill_keys; waits for none.
create or replace function fairclaim_internal.job_ended(p_ids uuid[], p_parked uuid[] default null)
returns uuid[]
language plpgsql
set enable_seqscan = off
set enable_nestloop = on
as $$
declare
  v_tenants uuid[];
  v_keys text[];
  v_jobs int[];
  v_floors bigint[];
  v_since bigint[];
  v_moved uuid[];
  v_keep boolean[];
begin
  with gone as (
    delete from key_slot
     where key_slot.id = any (p_ids || p_parked)
       and (not key_slot.keeps_order or (key_slot.id = any (p_ids)) is true)
    returning key_slot.*),
  freed as (
    select gone.tenant_id, gone.key, count(*)::int as jobs, max(gone.floor) as floor,
           max(gone.since) as since
      from gone group by gone.tenant_id, gone.key)
  select array_agg(freed.tenant_id), array_agg(freed.key), array_agg(freed.jobs),
         array_agg(freed.floor), array_agg(freed.since)
    into v_tenants, v_keys, v_jobs, v_floors, v_since
    from freed;
  if v_keys is null then
    return null;
  end if;
  v_keep := array_fill(true, array[cardinality(v_keys)]);
  if current_setting('transaction_isolation') = 'read committed' then
    begin
      select filled.moved, filled.keep into v_moved, v_keep
        from fill_keys(v_tenants, v_keys, v_jobs, v_floors, v_since, false, '{}') filled;
    exception
      when others then null;                  -- the tick that finds the note will tell
    end;
  end if;
  if true = any (v_keep) then
    lock table ready in row exclusive mode;
    insert into key_note (tenant_id, key, floor)
    select freed.tenant_id, freed.key, freed.floor
      from unnest(v_tenants, v_keys, v_floors, v_keep) freed(tenant_id, key, floor, keep)
     where freed.keep;
    perform tell_of_keys(millis(fairclaim.clock()));
  end if;
  return v_moved;
end
$$;

comment on function fairclaim_internal.job_ended(uuid[], uuid[]) is
'Tells whoever watches these jobs that they have ended. Returns the tenants of jobs that wait in a lane now, null for none.';

-- internal/key/key_lock_of.sql
-- Which row of key_lock stands for a key. Two keys may share a row by chance: then one of them
-- waits for the next look, and nothing else happens.
create or replace function fairclaim_internal.key_lock_of(p_tenant_id uuid, p_key text)
returns smallint
language sql immutable parallel safe
as $$
  select (uuid_hash_extended(p_tenant_id, hashtextextended(p_key collate "C", 0)) & 1023)::smallint
$$;

comment on function fairclaim_internal.key_lock_of(uuid, text) is
'The row of key_lock that stands for a key of a tenant, 0 to 1023.';

-- internal/key/spread_prefixes.sql
-- A limit of a prefix was changed: each key under it in which jobs wait gets a note. The keys are
-- hopped to through the index, a look for each. Only tick calls it. Locks: the notes that it
-- spreads (skip locked). Whoever dropped a note of such a key by the old limit had begun before
-- this, so the key's jobs are found here.
create or replace function fairclaim_internal.spread_prefixes(p_floor bigint) returns void
language plpgsql
as $$
declare
  v_note key_note;
begin
  for v_note in
    select * from key_note
     where key_note.note_id > p_floor and key_note.is_prefix
     order by key_note.note_id limit 100 for update skip locked
  loop
    lock table ready in row exclusive mode;
    with recursive hop(key) as (
      (select held.key from held
        where held.tenant_id = v_note.tenant_id and held.key >= v_note.key
        order by held.tenant_id, held.key limit 1)
      union all
      select (select held.key from held
               where held.tenant_id = v_note.tenant_id and held.key > hop.key
               order by held.tenant_id, held.key limit 1)
        from hop where starts_with(hop.key, v_note.key))
    insert into key_note (tenant_id, key, floor)
    select v_note.tenant_id, hop.key, -1 from hop where starts_with(hop.key, v_note.key);
    delete from key_note where key_note.note_id = v_note.note_id;
  end loop;
end
$$;

comment on function fairclaim_internal.spread_prefixes(bigint) is
'Notes the keys under a prefix whose limit was changed.';

-- internal/key/tell_of_keys.sql
-- Claims look at notes only within a minute of this (admit_keys). Set at most once a second.
create or replace function fairclaim_internal.tell_of_keys(p_ms bigint) returns void
language plpgsql
as $$
begin
  if coalesce(pg_sequence_last_value('key_noted_at'), 0) not between p_ms - 1000 and p_ms then
    perform setval('key_noted_at', greatest(0, p_ms));
  end if;
end
$$;

comment on function fairclaim_internal.tell_of_keys(bigint) is
'Notes that there is a new note of a key.';

-- internal/maintenance/activate_limits.sql
-- A new limit is exact when all jobs that run under it are marked, and no claim is open that has
-- not seen it. So the tick that first sees it notes that (seen); when every claim that was open
-- then has ended, the running jobs are marked that it counts (marked). A limit of one tenant is
-- active then: none of its jobs was claimed meanwhile. Of the others jobs were, by claims that may
-- have counted before the marks, so they are active when those claims have ended as well. At most
-- 10,000 limits a tick. Locks rows of running_limit and of `running` (skip locked).
create or replace function fairclaim_internal.activate_limits(
  p_state fairclaim_internal.tick_state
) returns boolean
language plpgsql
set enable_seqscan = on
as $$
declare
  v_unmarked uuid[];                          -- tenants of running jobs that were locked
  v_active int;
begin
  update running_limit set active = true
   where running_limit.ctid = any (array(
     select ripe.ctid from running_limit ripe
      where not ripe.active and ripe.marked + 1 < p_state.oldest and ripe.marked < p_state.n
      limit 10000 for update skip locked));
  update running_limit set seen = p_state.n, seen_at = p_state.at
   where running_limit.ctid = any (array(
     select unseen.ctid from running_limit unseen
      where unseen.seen is null limit 10000 for update skip locked));
  if not exists (
       select from running_limit ripe
        where not ripe.active and ripe.marked is null
          and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n) then
    return false;
  end if;
  update running
     set limited = true,
         queue_group = case when running.queue_group < 0 then running.queue_group
                            else lane_group((
                              select job.queue from job
                               where job.tenant_id = running.tenant_id and job.id = running.id))
                       end
   where running.ctid = any (array(
     select unmarked.ctid from running unmarked
      where unmarked.queue_group = 0
        and exists (
              select from running_limit ripe
               where ripe.tenant_id
                     = any (array[unmarked.tenant_id, '00000000-0000-0000-0000-000000000000'])
                 and not ripe.active and ripe.marked is null
                 and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n)
        for update skip locked));
  v_unmarked := array(
    select distinct unmarked.tenant_id from running unmarked
     where unmarked.queue_group = 0
       and exists (
             select from running_limit ripe
              where ripe.tenant_id
                    = any (array[unmarked.tenant_id, '00000000-0000-0000-0000-000000000000'])
                and not ripe.active and ripe.marked is null
                and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n
                and (not unmarked.limited or ripe.queue = (
                       select job.queue from job
                        where job.tenant_id = unmarked.tenant_id and job.id = unmarked.id))));
  update running_limit set marked = p_state.n, active = running_limit.subject = 'tenant'
   where running_limit.ctid = any (array(
     select ripe.ctid from running_limit ripe
      where not ripe.active and ripe.marked is null
        and ripe.seen + 1 < p_state.oldest and ripe.seen < p_state.n
        and case when ripe.subject = 'tenant' then ripe.tenant_id <> all (v_unmarked)
                 else v_unmarked = '{}' end
      limit 10000 for update skip locked));
  get diagnostics v_active = row_count;
  return v_active > 0;
end
$$;

comment on function fairclaim_internal.activate_limits(fairclaim_internal.tick_state) is
'Marks the jobs that run under new limits, and makes these exact. True if some got so far: jobs of its tenant may be claimed now.';

-- internal/maintenance/apply_limits.sql
-- What a tick does for limits of running jobs: it puts new ones into effect, finds out who stays at
-- a limit, takes their lanes out of the walk of claims or puts them back, and moves their jobs from
-- shared lanes to own lanes. Locks rows of running_limit, of `running`, of at_limit, of lanes and
-- of `ready`, in this order and each skip locked. Nearly always there is no limit at all.
create or replace function fairclaim_internal.apply_limits(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out moved int
)
language plpgsql
as $$
declare
  v_result record;
begin
  moved := 0;
  if exists (select from limit_note) then
    delete from limit_note
     where limit_note.ctid = any (array(
       select noted.ctid from limit_note noted limit 10000 for update skip locked));
    perform wake(p_state.at);
  end if;
  if exists (select from running_limit) then
    if exists (select from running_limit where not running_limit.active) then
      if activate_limits(p_state) then
        perform wake(p_state.at);
      end if;
    end if;
    perform find_at_limit(p_state.at);
  elsif exists (select from at_limit) then
    delete from at_limit
     where at_limit.ctid = any (array(
       select past.ctid from at_limit past for update skip locked));
  end if;
  delete from rate_use                        -- what has expired says nothing any more
   where rate_use.ctid = any (array(
     select past.ctid from rate_use past
      where past.due_at < p_state.at - interval '10 s' and past.paid_until < p_state.at
      order by past.due_at limit p_size for update skip locked));
  if walk_lanes(p_state.at, p_size) then
    perform wake(p_state.at);
  end if;
  v_result := move_limited(p_state, p_size, p_skip);
  p_state := v_result.p_state;
  moved := v_result.moved;
end
$$;

comment on function fairclaim_internal.apply_limits(fairclaim_internal.tick_state, int, uuid[]) is
'Puts limits of running jobs into effect. Returns how many jobs moved from shared lanes to own lanes.';

-- internal/maintenance/apply_weights.sql
-- Gives the lanes of tenants whose weight has changed that weight, a slice of the notes. A dispatch
-- that was under way when the weight changed may still open a lane with the old one: so each note
-- is worked twice, the second time when all transactions that were open at the first have ended (as
-- for lanes, see close_lanes), and then deleted. A note of a tenant with a lane that is locked
-- stays as it is. Locks lanes, then notes, each skip locked.
create or replace function fairclaim_internal.apply_weights(
  p_state fairclaim_internal.tick_state,
  p_size int
) returns int
language plpgsql
as $$
declare
  v_new bigint[] := array(
    select note.note_id from weight_note note where note.seen is null limit p_size);
  v_old bigint[] := array(
    select note.note_id from weight_note note
     where note.seen < least(p_state.oldest - 1, p_state.n) limit p_size);
  v_lanes bigint[];
  v_stuck uuid[];
begin
  with note as materialized (
    select distinct noted.tenant_id, noted.queue from weight_note noted
     where noted.note_id = any (v_new || v_old))
  select array_agg(found.lane_id) into v_lanes
    from note
   cross join lateral (
     select lane.lane_id from lane
      where lane.tenant_id = note.tenant_id and (note.queue = '' or lane.queue = note.queue)
        and lane.weight <> weight_of(lane.tenant_id, lane.queue)
        and not exists (            -- fair by seconds: weigh_slice sees to it
              select from queue_time where queue_time.queue = lane.queue) offset 0) found;
  if v_lanes is not null then
    update lane set weight = weight_of(lane.tenant_id, lane.queue)
     where lane.ctid = any (array(
       select outdated.ctid from lane outdated
        where outdated.lane_id = any (v_lanes) for update skip locked));
    select array_agg(distinct lane.tenant_id) into v_stuck
      from lane
     where lane.lane_id = any (v_lanes)
       and lane.weight <> weight_of(lane.tenant_id, lane.queue);
  end if;
  update weight_note set seen = p_state.n
   where weight_note.ctid = any (array(
     select note.ctid from weight_note note
      where note.note_id = any (v_new) and note.tenant_id <> all (coalesce(v_stuck, '{}'))
        for update skip locked));
  delete from weight_note
   where weight_note.ctid = any (array(
     select note.ctid from weight_note note
      where note.note_id = any (v_old) and note.tenant_id <> all (coalesce(v_stuck, '{}'))
        for update skip locked));
  return case when p_size in (cardinality(v_new), cardinality(v_old)) and v_stuck is null
              then p_size else cardinality(v_new) end;
end
$$;

comment on function fairclaim_internal.apply_weights(fairclaim_internal.tick_state, int) is
'Gives lanes the weights that have changed. Returns how many notes of changes it worked, p_size when more are left.';

-- internal/maintenance/close_lanes.sql
-- Looks at a slice of lanes: deletes drained ones, and closes empty ones to dispatch.
--
-- Deleted are lanes drained at tick d that are empty in a later snapshot and have nothing to renew,
-- once every transaction that the tick after d or an earlier one saw first has ended, so that none
-- can still insert. Lanes that a passed tick closed stay until it has been freed (see take_guard).
--
-- Closed to dispatch are empty lanes: own ones that are old enough, and shared ones that have not
-- been used for an hour or are not the oldest open one of their key. In a slice at most 1,000 more
-- are drained than stay open: under a transaction that stays open for long, drained lanes would
-- pile up.
--
-- Locks lanes, and passes over locked ones: a tick that was passed may hold them.
create or replace function fairclaim_internal.close_lanes(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  out closed int,
  out deleted int
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_close bigint[];
  v_room bigint;
  v_delay interval := (select setting.close_delay from setting);
begin
  select array_agg(looked.lane_id),
         array_agg(looked.lane_id) filter (
           where looked.drained is null
             and (looked.tenant_id is not null and looked.opened_at < p_state.at - v_delay
                  or looked.tenant_id is null
                     and (looked.used_at < p_state.at - interval '1 hour' or exists (
                            select from lane older
                             where older.tenant_id is null and older.queue = looked.queue
                               and older.type = looked.type and older.priority = looked.priority
                               and older.alone = looked.alone and older.drained is null
                               and (older.opened_at, older.lane_id)
                                   < (looked.opened_at, looked.lane_id))))
             and not exists (
                   select from ready
                    where ready.lane_id = looked.lane_id and ready.seq >= looked.floor)),
         1000 + count(*) filter (where looked.drained is null)
              - count(*) filter (where looked.drained is not null)
    into v_lanes, v_close, v_room
    from (select lane.* from lane
           where lane.lane_id > p_state.slice order by lane.lane_id limit p_size) looked;

  delete from lane
   where lane.ctid = any (array(
     select useless.ctid from lane useless
      where useless.lane_id = any (v_lanes) and useless.drained + 1 < p_state.oldest
        and useless.drained < p_state.n
        and not exists (
              select from unnest(p_state.passed_from, p_state.passed_to) passed(from_n, to_n)
               where useless.drained > passed.from_n and useless.drained < passed.to_n)
        and not exists (
              select from ready
               where ready.lane_id = useless.lane_id and ready.seq >= useless.floor)
        and not exists (select from renewal where renewal.lane_id = useless.lane_id)
        for update skip locked));
  get diagnostics deleted = row_count;
  update lane set drained = p_state.n
   where lane.ctid = any (array(
     select idle.ctid from lane idle
      where idle.lane_id = any (v_close)
      limit greatest(0, v_room + deleted) for update skip locked));
  get diagnostics closed = row_count;
  p_state.slice := case when cardinality(v_lanes) = p_size then v_lanes[p_size]
                        else -9223372036854775808 end;
end
$$;

comment on function fairclaim_internal.close_lanes(fairclaim_internal.tick_state, int) is
'Closes lanes that ran empty and deletes those that no transaction can use any more.';

-- internal/maintenance/end_cancelled.sql
-- A wish to cancel can meet a settlement, a promotion or a claim in a transaction that is still
-- open. Then the job waits again with the wish beside it, and ends here. A wish goes when its job
-- has ended or is gone, and never before: a job that is neither is running, or is held by a
-- transaction that is open. Nearly always there is no wish at all.
--
-- Lock order: that of end_waiting, then cancel_request (skip locked). Each wish costs a few
-- look-ups by id at most; `offset 0` keeps them from becoming a join that reads all of `running` or
-- `finished`. Sequential scans are off for the same reason: the statistics of these tables say
-- "empty" at the wrong moment.
create or replace function fairclaim_internal.end_cancelled(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
set jit = off
set enable_seqscan = off
as $$
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_count int;
begin
  select array_agg(wish.id), array_agg(wish.tenant_id) into v_ids, v_tenants
    from (select cancel_request.id, cancel_request.tenant_id from cancel_request
           where cancel_request.id <> all (p_skip)
             and not exists (
                   select from running where running.id = cancel_request.id offset 0)
             and not exists (
                   select from finished
                    where finished.id = cancel_request.id
                      and finished.tenant_id = cancel_request.tenant_id offset 0)
           order by cancel_request.request_id limit p_size) wish;
  if v_ids is not null then
    perform end_waiting(v_ids, v_tenants, p_now);
  end if;
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select settled.ctid from cancel_request settled
      where exists (
              select from finished
               where finished.id = settled.id and finished.tenant_id = settled.tenant_id offset 0)
         or not exists (
              select from job
               where job.tenant_id = settled.tenant_id and job.id = settled.id offset 0)
      limit p_size for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function fairclaim_internal.end_cancelled(timestamptz, int, uuid[]) is
'Ends waiting jobs that were asked to cancel as cancelled; deletes the wishes of jobs that have ended, and returns how many.';

-- internal/maintenance/end_overrides.sql
-- Overrides past their end, a slice. Does nothing while somebody changes settings in a transaction
-- that is open, and leaves an override whose limit is locked by a claim: the next tick comes back.
-- Locks `bound` without waiting, then rows of running_limit (skip locked).
create or replace function fairclaim_internal.end_overrides(p_now timestamptz, p_size int)
returns int
language plpgsql
as $$
declare
  v_ids bigint[];
  v_kinds text[];
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
begin
  begin
    lock table bound in share row exclusive mode nowait;
  exception
    when lock_not_available then return 0;
  end;
  select array_agg(past.bound_id) into v_ids
    from (select bound.* from bound
           where bound.until <= p_now and bound.layer = 'override'
           order by bound.until limit p_size) past
    left join lateral (
      select own.tenant_id from running_limit own
       where past.kind in ('running', 'paused') and own.tenant_id = past.tenant_id
         and own.queue = past.queue and own.subject = past.subject
      offset 0) held on true
   where held.tenant_id is null or exists (
           select from running_limit free
            where free.tenant_id = past.tenant_id and free.queue = past.queue
              and free.subject = past.subject
              for update skip locked);
  with gone as (
    delete from bound
     where bound.ctid = any (array(
       select past.ctid from bound past where past.bound_id = any (v_ids)))
    returning bound.*),
  told as (
    insert into audit (at, who, what, subject, tenant_id, queue, old_value, new_value, until, why,
                       many)
    select p_now, 'tick', 'end_override', gone.subject,
           case when gone.subject = 'tenant' then gone.tenant_id end, nullif(gone.queue, ''),
           gone.kind || ' ' || gone.value, null, gone.until, gone.why, 1
      from gone)
  select array_agg(gone.kind), array_agg(gone.subject), array_agg(gone.tenant_id),
         array_agg(gone.queue)
    into v_kinds, v_subjects, v_tenants, v_queues
    from gone;
  if v_kinds is not null then
    perform force_bounds(v_kinds, v_subjects, v_tenants, v_queues, p_now);
  end if;
  return coalesce(cardinality(v_kinds), 0);
end
$$;

comment on function fairclaim_internal.end_overrides(timestamptz, int) is
'Ends overrides of settings whose time is over. Returns how many.';

-- internal/maintenance/fail_suspects.sql
-- Fails jobs as lost whose workers died twice, and that no worker has taken to run alone within
-- setting.suspect_wait: clients that know nothing of suspects leave them here. The time is what
-- ticks have seen of them: `suspect` has the 1,000 oldest, less those that may not be taken now
-- (their queue is paused, or the limit of their tenant is 0). Where no tick looked for five minutes
-- no worker ran, so all of them begin again. Nearly always there is no such lane, and two looks say
-- so.
--
-- Locks: rows of suspect, then of ready (skip locked), then what job_ended locks: a job that is
-- being taken is left to its worker.
create or replace function fairclaim_internal.fail_suspects(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_seen boolean := coalesce(pg_sequence_last_value('suspects_at'), 0)
                    between v_ms - 300000 and v_ms;
  v_failed int;
  v_watched uuid[];
begin
  if not exists (select from lane where lane.alone) and not exists (select from suspect) then
    return 0;
  end if;
  perform setval('suspects_at', greatest(0, v_ms));
  with late as materialized (
    select waiting.place
      from (select distinct suspect.id, suspect.tenant_id, suspect.attempts from suspect
             where v_seen and suspect.id <> all (p_skip)
               and suspect.seen_at < p_now - (select setting.suspect_wait from setting)
             limit p_size) seen
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = seen.tenant_id and (ready.lane_id >> 32) < 0
          and ready.id = seen.id and ready.attempts = seen.attempts and ready.lost >= 2
          for update skip locked) waiting),
  gone as (
    delete from ready where ready.ctid = any (array(select late.place from late))
    returning ready.id, ready.tenant_id, ready.attempts, ready.watched),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select gone.id, gone.tenant_id, p_now, gone.attempts, 'failed', null, null,
           '{"code": "lost",
             "message": "two workers died while they ran it, and no worker ran it alone in time"}'
      from gone)
  select count(*), array_agg(gone.id) filter (where gone.watched) into v_failed, v_watched
    from gone;
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(p_now);
  end if;

  with waiting as materialized (
    select job.id, job.tenant_id, job.attempts
      from (select lane.lane_id, lane.floor, lane.queue from lane
             where lane.alone
               and not exists (select from queue
                                where queue.name = lane.queue and queue.paused_at is not null)
             order by lane.queue, lane.type, lane.lane_id limit 1000) alone
     cross join lateral (
       select ready.id, ready.tenant_id, ready.attempts from ready
        where ready.lane_id = alone.lane_id and ready.seq >= alone.floor
          and not exists (
                select from running_limit bound
                 where bound.tenant_id = ready.tenant_id and bound.subject = 'tenant'
                   and bound.queue in ('', alone.queue) and bound.max_running = 0)
        order by ready.lane_id, ready.seq limit 1000) job
     limit 1000),
  forgotten as (
    delete from suspect
     where suspect.ctid = any (array(
       select noted.ctid from suspect noted
        where not v_seen
           or not exists (select from waiting
                           where waiting.id = noted.id and waiting.attempts = noted.attempts)
          for update skip locked)))
  insert into suspect (id, tenant_id, attempts, seen_at)
  select waiting.id, waiting.tenant_id, waiting.attempts, p_now from waiting
   where not v_seen
      or not exists (select from suspect noted
                      where noted.id = waiting.id and noted.attempts = waiting.attempts);
  return v_failed;
end
$$;

comment on function fairclaim_internal.fail_suspects(timestamptz, int, uuid[]) is
'Fails jobs whose workers died twice and that no worker has taken for as long as setting.suspect_wait says; returns how many.';

-- internal/maintenance/find_at_limit.sql
-- Finds who is at a limit now, and since when nothing has changed about that: the jobs that run
-- under it are the same, by a hash of their ids and tokens, which claims and settlements change and
-- heartbeats do not. Who is at it for a second is stable: its jobs are long, and claims need not
-- come by until one of them has ended. So is who waits for its rate for longer than two ticks.
-- Limits of 0 let nothing run. Reads all of `running`, a small table.
create or replace function fairclaim_internal.find_at_limit(p_now timestamptz) returns void
language plpgsql
set enable_seqscan = on
set enable_hashjoin = on
set enable_sort = on
as $$
declare
  v_tenants uuid[];
  v_queues text[];
  v_jobs bigint[];
  v_waits boolean[];                          -- for a rate
  v_total int := (select usual.total from default_limits('') usual);
begin
  with recursive part as materialized (
    select running.tenant_id, running.queue_group, count(*) as jobs,
           bit_xor(uuid_hash_extended(running.id, uuid_hash_extended(running.lease_token, 0)))
             as hash
      from running where running.limited group by running.tenant_id, running.queue_group),
  hop(queue) as (                             -- the queues that have limits, one by one
    (select bound.queue from running_limit bound
      where bound.queue <> '' order by bound.queue limit 1)
    union all
    select (select bound.queue from running_limit bound
             where bound.queue <> '' and bound.queue > hop.queue order by bound.queue limit 1)
      from hop where hop.queue is not null),
  limited_queue as materialized (
    select named.queue, lane_group(named.queue) as queue_group, usual.here
      from hop named
     cross join lateral default_limits(named.queue) usual
     where named.queue is not null),
  waits as materialized (                     -- for its rate, for longer than two ticks
    select used.tenant_id, coalesce(limited_queue.queue, '') as queue
      from rate_use used
      left join limited_queue on limited_queue.queue_group = used.queue_group
     where used.due_at > p_now + interval '2 s'
       and used.tenant_id <> '00000000-0000-0000-0000-000000000000'
       and (used.queue_group = 0 or limited_queue.queue is not null)
       and not exists (
             select from rate_use later
              where later.tenant_id = used.tenant_id and later.queue_group = used.queue_group
                and later.use_id > used.use_id)
       and exists (select from rates_of(used.tenant_id, coalesce(limited_queue.queue, '')) rate
                    where rate.queue = coalesce(limited_queue.queue, ''))),
  full_now(tenant_id, queue, hash, waits) as (
    select waits.tenant_id, waits.queue, 0::bigint, true from waits
    union all
    select whole.tenant_id, '', whole.hash, false
      from (select part.tenant_id, sum(part.jobs) as jobs, bit_xor(part.hash) as hash
              from part group by part.tenant_id) whole
     cross join lateral limits_of(whole.tenant_id, '', v_total, null) bound
     where whole.jobs >= bound.total
    union all
    select part.tenant_id, limited_queue.queue, part.hash, false
      from part
      join limited_queue on limited_queue.queue_group = part.queue_group
     cross join lateral limits_of(
       part.tenant_id, limited_queue.queue, null, limited_queue.here) bound
     where part.jobs >= bound.here
    union all
    select closed.tenant_id, closed.queue, 0, false
      from running_limit closed
     where closed.subject = 'tenant' and closed.max_running = 0)
  select array_agg(one.tenant_id), array_agg(one.queue), array_agg(one.hash),
         array_agg(one.waits)
    into v_tenants, v_queues, v_jobs, v_waits
    from (select full_now.tenant_id, full_now.queue collate "C" as queue,
                 bit_xor(full_now.hash) as hash, bool_or(full_now.waits) as waits
            from full_now group by full_now.tenant_id, full_now.queue) one;
  delete from at_limit
   where at_limit.ctid = any (array(
     select past.ctid from at_limit past
      where (past.tenant_id, past.queue) not in (
              select now_full.tenant_id, now_full.queue collate "C"
                from unnest(v_tenants, v_queues) now_full(tenant_id, queue))
        for update skip locked));
  update at_limit
     set jobs = changed.jobs, is_stable = changed.is_stable,
         since = case when changed.jobs = at_limit.jobs then at_limit.since else p_now end
    from (select noted.ctid as place, now_full.jobs,
                 now_full.waits
                 or now_full.jobs = noted.jobs
                    and noted.since not between p_now - interval '0.9 s' and p_now as is_stable
            from at_limit noted
            join unnest(v_tenants, v_queues, v_jobs, v_waits)
                   now_full(tenant_id, queue, jobs, waits)
              on now_full.tenant_id = noted.tenant_id
             and now_full.queue collate "C" = noted.queue
           where now_full.jobs <> noted.jobs or now_full.waits and not noted.is_stable
              or not noted.is_stable
                 and noted.since not between p_now - interval '0.9 s' and p_now
             for update of noted skip locked) changed
   where at_limit.ctid = changed.place;
  insert into at_limit (tenant_id, queue, jobs, since, is_stable)
  select now_full.tenant_id, now_full.queue, now_full.jobs, p_now, now_full.waits
    from unnest(v_tenants, v_queues, v_jobs, v_waits) now_full(tenant_id, queue, jobs, waits)
   where (now_full.tenant_id, now_full.queue collate "C") not in (
           select noted.tenant_id, noted.queue from at_limit noted);
end
$$;

comment on function fairclaim_internal.find_at_limit(timestamptz) is
'Notes which tenants are at a limit, and which of them stay there.';

-- internal/maintenance/first_job.sql
-- A slice of one job has failed in a step of tick: which job was it? Each branch finds it in the
-- order of the step itself, and with the locks that the step takes, so that it is the one which the
-- step took. What the step passes over (p_skip, locked rows) is passed over here.
create or replace function fairclaim_internal.first_job(
  p_step text,
  p_state fairclaim_internal.tick_state,
  p_skip uuid[]
) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  case p_step
    when 'promote' then                       -- promote_due: the job that is due first
      select scheduled.id into v_id from scheduled
       where scheduled.run_at >= p_state.sched_floor and scheduled.run_at <= p_state.at
         and scheduled.id <> all (p_skip)
       order by scheduled.run_at, scheduled.id limit 1 for update skip locked;
    when 'return' then                        -- return_expired: the lease that ended first
      select running.id into v_id from running
       where running.lease_expires_at < p_state.at and running.id <> all (p_skip)
       order by running.lease_expires_at, running.id limit 1 for update skip locked;
    when 'cancel' then                        -- end_cancelled: the oldest wish
      select cancel_request.id into v_id from cancel_request
       where cancel_request.id <> all (p_skip)
         and not exists (select from running where running.id = cancel_request.id offset 0)
       order by cancel_request.request_id limit 1;
    when 'keys' then                          -- admit_keys: first in the line of a noted key
      select first.id into v_id
        from (select note.tenant_id, note.key from key_note note
               where not note.is_prefix order by note.note_id limit 1) noted
       cross join lateral (
         select held.id from held
          where held.tenant_id = noted.tenant_id and held.key = noted.key
            and held.id <> all (p_skip)
          order by held.tenant_id, held.key, held.seq limit 1 for update skip locked) first;
    when 'renew' then                         -- renew_passed: a row below a floor
      select below.id into v_id
        from (select renewal.lane_id, min(renewal.next_seq) as next_seq,
                     max(renewal.end_seq) as end_seq
                from renewal group by renewal.lane_id) stretch
       cross join lateral (
         select ready.id from ready
          where ready.lane_id = stretch.lane_id and ready.seq >= stretch.next_seq
            and ready.seq < stretch.end_seq and ready.id <> all (p_skip)
          order by ready.lane_id, ready.seq limit 1 for update skip locked) below
       limit 1;
    when 'limits' then                        -- move_limited: a job of one who stays at a limit
      select misplaced.id into v_id
        from at_limit
       cross join lateral (
         select ready.id from ready
          where ready.tenant_id = at_limit.tenant_id and (ready.lane_id >> 32) < 0
            and ready.id <> all (p_skip)
            and exists (select from lane
                         where lane.lane_id = ready.lane_id and lane.tenant_id is null
                           and not lane.alone and at_limit.queue in ('', lane.queue))
            for update skip locked) misplaced
       where at_limit.is_stable and at_limit.at_limit_id > p_state.limit_slice
       order by at_limit.at_limit_id limit 1;
    when 'sweep' then                         -- sweep_ready: a row whose lane does not exist
      select ready.id into v_id from ready
       where ready.lane_id > p_state.sweep and ready.id <> all (p_skip)
         and not exists (select from lane where lane.lane_id = ready.lane_id offset 0)
       order by ready.lane_id, ready.seq limit 1 for update skip locked;
    else
      null;                                   -- the other steps take no jobs
  end case;
  return v_id;
end
$$;

comment on function fairclaim_internal.first_job(text, fairclaim_internal.tick_state, uuid[]) is
'The job that a step of tick would take first.';

-- internal/maintenance/fold_names.sql
-- Names that dispatches have noted go into tenant_name, a slice. Locks notes (skip locked). Of two
-- ticks of which one never ends, the other waits for it in vain where both fold the same name, for
-- as long as the time-out of tick's locks; see work_steps.
create or replace function fairclaim_internal.fold_names(p_size int) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_names text[];
begin
  with taken as (
    delete from tenant_note gone
     where gone.ctid = any (array(
       select note.ctid from tenant_note note
        order by note.note_id limit p_size for update skip locked))
    returning gone.tenant_id, gone.name)
  select array_agg(taken.tenant_id), array_agg(taken.name) into v_tenants, v_names from taken;
  insert into tenant_name (tenant_id, name)
  select distinct on (tenant.id) tenant.id, tenant.name
    from unnest(v_tenants, v_names) tenant(id, name)
   where not exists (select from tenant_name known where known.tenant_id = tenant.id)
   order by tenant.id
      on conflict (tenant_id) do nothing;
  return coalesce(cardinality(v_tenants), 0);
end
$$;

comment on function fairclaim_internal.fold_names(int) is
'Keeps the names of tenants that dispatches have noted. Returns how many notes it took.';

-- internal/maintenance/free_passed.sql
-- Puts right what passed ticks left whose transactions have ended since (see take_guard). Rows
-- below the floors that such a tick moved in shared lanes are noted for renewal: now, and again
-- when the transactions that are open now have ended. Lanes that it closed count as closed from
-- this tick on. It runs after mark_holders of the same tick, so that each transaction that the
-- passed tick had passed has ended or is known.
create or replace function fairclaim_internal.free_passed(
  inout p_state fairclaim_internal.tick_state
)
language plpgsql
as $$
declare
  v_free smallint[];
begin
  if p_state.passed_slot = '{}' then
    return;
  end if;
  v_free := array(
    select passed.slot from unnest(p_state.passed_slot) passed(slot)
     where passed.slot not in (select working.slot from ticks_at_work() working));
  if v_free = '{}' then
    return;
  end if;
  perform note_below((
    select min(passed.safe)
      from unnest(p_state.passed_slot, p_state.passed_safe) passed(slot, safe)
     where passed.slot = any (v_free)), false);
  p_state.holder_passed := array_fill(true, array[cardinality(p_state.holders)]);
  update lane set drained = p_state.n
   where lane.ctid = any (array(
     select closed.ctid from lane closed
       join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to)
              passed(slot, from_n, to_n)
         on passed.slot = any (v_free)
            and closed.drained > passed.from_n and closed.drained < passed.to_n
        for update of closed skip locked));
  if exists (
       select from lane
         join unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to)
                passed(slot, from_n, to_n)
           on passed.slot = any (v_free)
              and lane.drained > passed.from_n and lane.drained < passed.to_n) then
    return;                -- another passed tick holds such a lane: the next tick tries again
  end if;
  select coalesce(array_agg(passed.slot), '{}'), coalesce(array_agg(passed.from_n), '{}'),
         coalesce(array_agg(passed.to_n), '{}'), coalesce(array_agg(passed.safe), '{}')
    into p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe
    from unnest(p_state.passed_slot, p_state.passed_from, p_state.passed_to, p_state.passed_safe)
           passed(slot, from_n, to_n, safe)
   where passed.slot <> all (v_free);
end
$$;

comment on function fairclaim_internal.free_passed(fairclaim_internal.tick_state) is
'Puts right what a tick left that was passed and has ended late.';

-- internal/maintenance/is_prune_due.sql
-- Reads one sequence (settle_and_claim does the same in place). drop_ranges() and prune() note when
-- they begin, so of a fleet the first worker that hears of it goes; one that stops on the way is
-- followed by another a minute later. A time ahead of the clock comes from a clock that was wrong.
create or replace function fairclaim_internal.is_prune_due(p_now timestamptz, p_active boolean)
returns boolean
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
begin
  return coalesce(pg_sequence_last_value('pruned_at'), 0)
         not between v_ms - case when p_active then 60000 else 600000 end and v_ms;
end
$$;

comment on function fairclaim_internal.is_prune_due(timestamptz, boolean) is
'Whether it is time to prune: once a minute, or once in ten minutes while nothing happens.';

-- internal/maintenance/is_quiet.sql
-- Whether there is nothing to do but what has a known time (due jobs, leases, ranges of ids):
-- nothing went into `ready` since the last tick that left nothing over, and no note was left. It
-- reads a handful of small indexes and writes nothing, so that ticks of an idle fleet cost no WAL.
create or replace function fairclaim_internal.is_quiet(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz
) returns boolean
language plpgsql
as $$
begin
  return p_now >= p_state.at and p_now < p_state.quiet_until and not p_state.left_over
     and coalesce(pg_sequence_last_value('ready_seq'), 0) = p_state.mark
     and not exists (select from floor_hint)
     and not exists (select from renewal)
     and not exists (select from cancel_request)
     and not exists (select from running_limit bound where not bound.active)
     and not exists (select from limit_note)
     and not exists (select from at_limit where not at_limit.is_stable)
     and not exists (select from tenant_note)
     and not exists (select from weight_note)
     and not exists (select from bound where bound.until <= p_now)
     and not (exists (select from waiting_limit bound where bound.subject <> 'drain') and exists (
                select from scheduled
                 where scheduled.id > (select quota_place.fresh from quota_place)))
     and not exists (
           select from key_note
            where key_note.note_id > coalesce(pg_sequence_last_value('key_floor'), 0))
     and not exists (select from tick_fault);
exception
  when lock_not_available then return false;  -- the step that needs the table will tell
end
$$;

comment on function fairclaim_internal.is_quiet(fairclaim_internal.tick_state, timestamptz) is
'Whether maintenance has nothing to do but what has a known time.';

-- internal/maintenance/is_wanted.sql
-- Whether this tick has something to do. Between two looks at everything that is only what is due
-- or was left over. `running` is small, and a plain scan of it the cheapest look: sequential scans
-- are on.
create or replace function fairclaim_internal.is_wanted(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz,
  p_round boolean
) returns boolean
language plpgsql
set enable_seqscan = on
as $$
begin
  if p_state.left_over
     or exists (select from scheduled
                 where scheduled.run_at >= p_state.sched_floor and scheduled.run_at <= p_now) then
    return true;
  end if;
  return p_round and (
    not is_quiet(p_state, p_now)
    or not (p_state.reaped_at >= p_now - interval '5 s' and p_state.reaped_at <= p_now)
       and exists (select from running)
    or coalesce(pg_sequence_last_value('stats_owed'), 0) = 1 and stats_due(p_now)
    or ranges_wanted(p_now));
exception
  when lock_not_available then return p_round;
end
$$;

comment on function fairclaim_internal.is_wanted(fairclaim_internal.tick_state,
    timestamptz, boolean) is
'Whether a tick has something to do now.';

-- internal/maintenance/keep_state.sql
-- Writes the state that this tick leaves into its own row, which no other tick writes. It is in
-- plpgsql, since a function in the language SQL would be planned again at every tick.
create or replace function fairclaim_internal.keep_state(p_state fairclaim_internal.tick_state)
returns void
language plpgsql
as $$
begin
  insert into tick_state (
    slot, n, at, worked_by, prev, marked, oldest, mark, safe, shared_safe, holders, holder_n,
    holder_mark, holder_at, holder_passed, passed_slot, passed_from, passed_to, passed_safe,
    slice, shared_slice, sweep, hint, sched_floor, reaped_at, left_over, quiet_until, mended,
    mended_at, limit_slice)
  select p_state.slot, p_state.n, p_state.at, p_state.worked_by, p_state.prev,
         p_state.marked, p_state.oldest, p_state.mark, p_state.safe, p_state.shared_safe,
         p_state.holders, p_state.holder_n, p_state.holder_mark, p_state.holder_at,
         p_state.holder_passed, p_state.passed_slot, p_state.passed_from,
         p_state.passed_to, p_state.passed_safe, p_state.slice, p_state.shared_slice,
         p_state.sweep, p_state.hint, p_state.sched_floor, p_state.reaped_at,
         p_state.left_over, p_state.quiet_until, p_state.mended, p_state.mended_at,
         p_state.limit_slice
  on conflict (slot) do update
     set (n, at, worked_by, prev, marked, oldest, mark, safe, shared_safe, holders, holder_n,
          holder_mark, holder_at, holder_passed, passed_slot, passed_from, passed_to,
          passed_safe, slice, shared_slice, sweep, hint, sched_floor, reaped_at, left_over,
          quiet_until, mended, mended_at, limit_slice)
       = (excluded.n, excluded.at, excluded.worked_by, excluded.prev, excluded.marked,
          excluded.oldest, excluded.mark, excluded.safe, excluded.shared_safe, excluded.holders,
          excluded.holder_n, excluded.holder_mark, excluded.holder_at, excluded.holder_passed,
          excluded.passed_slot, excluded.passed_from, excluded.passed_to, excluded.passed_safe,
          excluded.slice, excluded.shared_slice, excluded.sweep, excluded.hint,
          excluded.sched_floor, excluded.reaped_at, excluded.left_over, excluded.quiet_until,
          excluded.mended, excluded.mended_at, excluded.limit_slice);
end
$$;

comment on function fairclaim_internal.keep_state(fairclaim_internal.tick_state) is
'Keeps the state of maintenance.';

-- internal/maintenance/mark_holders.sql
-- Finds safe marks, without transaction ids: up to which number of ready_seq no open transaction
-- can commit a row any more. FIRST it reads the sequence, by pg_sequence_last_value: a plain read
-- can show a value 32 too high for a moment. THEN, in a new statement, it reads which transactions
-- hold the lock on `ready` (I4).
--
-- Each holder keeps what it got when a tick first saw it: the number after that of the tick that
-- last looked (one that only goes on with what was left does not look), the time, and the mark of
-- that tick. A prepared transaction changes its name ('-1/...'), so a new such name counts as the
-- oldest holder that was known. For shared lanes only, the mark passes holders older than three
-- seconds. When such a one has ended, the rows that it left below the floor of a shared lane are
-- noted for renewal.
--
-- A sequence behind the mark was not copied with its database (by logical replication, or a restore
-- by hand). It goes on from the mark, and rows that got too low a number meanwhile are noted, until
-- all transactions that were open then have ended.
create or replace function fairclaim_internal.mark_holders(
  inout p_state fairclaim_internal.tick_state
)
language plpgsql
as $$
declare
  v_mark bigint := coalesce(pg_sequence_last_value('ready_seq'), 0);
  v_old tick_state := p_state;
begin
  if v_mark < p_state.mark then
    v_mark := setval('ready_seq', p_state.mark);
    p_state.mended := p_state.n;
    p_state.mended_at := p_state.at;
  end if;
  with known as materialized (
    select holder.name, holder.n, holder.mark,
           least(coalesce(holder.at, p_state.at), p_state.at) as at,
           coalesce(holder.passed, true) as passed
      from unnest(v_old.holders, v_old.holder_n, v_old.holder_mark, v_old.holder_at,
                  v_old.holder_passed) holder(name, n, mark, at, passed)),
  eldest as materialized (
    select min(known.n) as n, min(known.mark) as mark, min(known.at) as at,
           bool_or(known.passed) as passed
      from known),
  holder as (
    select locker.name,
           coalesce(known.n, eldest.n, v_old.marked + 1) as n,
           coalesce(known.mark, eldest.mark, v_old.mark) as mark,
           coalesce(known.at, eldest.at, p_state.at) as at,
           coalesce(known.passed, eldest.passed, false) as passed
      from (select distinct pg_locks.virtualtransaction as name
              from pg_catalog.pg_locks
             where pg_locks.relation = 'ready'::regclass and pg_locks.mode = 'RowExclusiveLock'
               and pg_locks.granted and pg_locks.locktype = 'relation'
               and pg_locks.database = (
                     select pg_database.oid from pg_catalog.pg_database
                      where pg_database.datname = current_database())
               and pg_locks.pid is distinct from pg_backend_pid()) locker
      left join known on known.name = locker.name
      left join eldest on locker.name like '-1/%')
  select coalesce(array_agg(holder.name), '{}'),
         coalesce(array_agg(holder.n), '{}'),
         coalesce(array_agg(holder.mark), '{}'),
         coalesce(array_agg(holder.at), '{}'),
         coalesce(array_agg(holder.passed or holder.at < p_state.at - interval '3 s'), '{}')
    into p_state.holders, p_state.holder_n, p_state.holder_mark, p_state.holder_at,
         p_state.holder_passed
    from holder;

  -- holders that the mark had passed and that have ended
  perform note_below(ended.mark, false)
     from (select min(holder.mark) as mark
             from unnest(v_old.holders, v_old.holder_mark, v_old.holder_passed)
                    holder(name, mark, passed)
            where coalesce(holder.passed, true) and holder.name <> all (p_state.holders)) ended
    where ended.mark is not null;
  p_state.safe := greatest(p_state.safe, coalesce(
    (select min(holder.mark) from unnest(p_state.holder_mark) holder(mark)), v_mark));
  p_state.shared_safe := greatest(p_state.shared_safe, coalesce(
    (select min(holder.mark)
       from unnest(p_state.holder_mark, p_state.holder_passed) holder(mark, passed)
      where not holder.passed), v_mark));
  p_state.oldest := coalesce(
    (select min(holder.n) from unnest(p_state.holder_n) holder(n)), p_state.n + 1);
  p_state.mark := v_mark;
  p_state.marked := p_state.n;
  if p_state.mended is not null then
    perform note_below(0, true);
    if p_state.mended + 1 < p_state.oldest and p_state.mended < p_state.n then
      p_state.mended := null;
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.mark_holders(fairclaim_internal.tick_state) is
'Reads which transactions may still commit rows into `ready`, and up to which number none can.';

-- internal/maintenance/move_floors.sql
-- Moves floors. Of own lanes only those that claims have hinted at, read behind the last hint; all
-- hints four times a minute. Of shared lanes a slice of 200, when at least 500 numbers are skipped.
-- All lanes share the numbers, so the more lanes there are, the fewer rows of one lane are among
-- 500 numbers, and the more numbers have to be skipped: each moved floor is a dead row of `lane`
-- for as long as a snapshot is held. The same look finds the oldest waiting shared row, for
-- shared_since (30 s back at most), notes that a shared lane is in use, and tells whether any
-- shared row waits. It passes over locked lanes: a tick that was passed may hold them.
create or replace function fairclaim_internal.move_floors(
  inout p_state fairclaim_internal.tick_state,
  p_all boolean,
  out moved int,
  out waiting boolean
)
language plpgsql
as $$
declare
  v_lanes bigint[];
  v_seen int;
  v_last bigint;
  v_first_id uuid;
  v_whole boolean := p_state.shared_slice = -9223372036854775808;
  v_ms bigint := millis(p_state.at);
begin
  with gone as (
    delete from floor_hint
     where floor_hint.ctid = any (array(
       select hint.ctid from floor_hint hint
        where hint.hint_id > case when p_all then 0 else p_state.hint end
        order by hint.hint_id limit 5000 for update skip locked))
    returning floor_hint.hint_id, floor_hint.lane_id)
  select array_agg(distinct gone.lane_id), coalesce(max(gone.hint_id), p_state.hint)
    into v_lanes, p_state.hint
    from gone;

  with own as (
    update lane set floor = free.floor
      from (select locked.place, target.floor
              from (select hinted.lane_id, hinted.floor as was,
                           least(p_state.safe, coalesce(first.seq, p_state.safe)) as floor
                      from lane hinted
                      left join lateral (
                        select ready.seq from ready
                         where ready.lane_id = hinted.lane_id and ready.seq >= hinted.floor
                         order by ready.lane_id, ready.seq limit 1) first on true
                     where hinted.lane_id = any (v_lanes) and hinted.tenant_id is not null) target
             cross join lateral (
               select again.ctid as place from lane again
                where again.lane_id = target.lane_id and target.floor > target.was
                  for update skip locked) locked) free
     where lane.ctid = free.place
    returning 1),
  look as materialized (
    select slice.lane_id, slice.floor, slice.used_at,
           least(p_state.shared_safe, coalesce(first.seq, p_state.shared_safe)) as next_floor,
           first.id
      from (select lane.lane_id, lane.floor, lane.used_at from lane
             where lane.tenant_id is null and lane.lane_id > p_state.shared_slice
             order by lane.lane_id limit 200) slice
      left join lateral (
        select ready.seq, ready.id from ready
         where ready.lane_id = slice.lane_id and ready.seq >= slice.floor
         order by ready.lane_id, ready.seq limit 1) first on true),
  shared as (
    update lane
       set floor = case when free.moves then free.next_floor else lane.floor end,
           used_at = case when free.id is not null then p_state.at else lane.used_at end
      from (select step.*, locked.place
              from (select look.*,
                           look.next_floor >= look.floor
                             + least(5000, 500 * greatest(1, count(*) over () / 20)) as moves
                      from look) step
             cross join lateral (
               select again.ctid as place from lane again
                where again.lane_id = step.lane_id
                  and (step.moves
                       or step.id is not null and step.used_at < p_state.at - interval '1 minute')
                  for update skip locked) locked) free
     where lane.ctid = free.place
    returning 1)
  select (select count(*) from own) + (select count(*) from shared), count(*), max(look.lane_id),
         min(look.id::text)::uuid, count(look.id) > 0 or count(*) = 200
    into moved, v_seen, v_last, v_first_id, waiting
    from look;

  waiting := waiting or not v_whole;
  if v_seen < 200 and v_whole then            -- all shared lanes were seen
    perform setval('shared_since', greatest(v_ms - 30000, least(v_ms,
      coalesce(('x' || left(replace(v_first_id::text, '-', ''), 12))::bit(48)::bigint, v_ms))));
  else
    perform setval('shared_since', v_ms - 30000);
  end if;
  p_state.shared_slice := case when v_seen < 200 then -9223372036854775808 else v_last end;
end
$$;

comment on function fairclaim_internal.move_floors(fairclaim_internal.tick_state, boolean) is
'Moves the floors of lanes, where claims start, up to the first row that waits.';

-- internal/maintenance/move_limited.sql
-- Moves the jobs of tenants that stay at a limit from shared lanes to own lanes, a slice of tenants
-- at a time: claims would pass over them each time. Dispatches put none there any more. They are
-- found by their tenant. Locks rows of `ready` (skip locked).
create or replace function fairclaim_internal.move_limited(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out moved int
)
language plpgsql
as $$
declare
  v_last bigint;
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
begin
  moved := 0;
  if not exists (select from at_limit where at_limit.is_stable) then
    return;
  end if;
  with slice as materialized (
    select at_limit.at_limit_id, at_limit.tenant_id, at_limit.queue from at_limit
     where at_limit.is_stable and at_limit.at_limit_id > p_state.limit_slice
     order by at_limit.at_limit_id limit 1000),
  locked as materialized (
    select misplaced.place
      from slice
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = slice.tenant_id and (ready.lane_id >> 32) < 0
          and ready.id <> all (p_skip)
          and exists (select from lane
                       where lane.lane_id = ready.lane_id and lane.tenant_id is null
                         and not lane.alone and slice.queue in ('', lane.queue))
          for update skip locked) misplaced
     limit p_size),
  gone as (
    delete from ready where ready.ctid = any (array(select locked.place from locked))
    returning ready.*)
  select array_agg(gone.tenant_id order by gone.seq),
         array_agg(gone.id order by gone.seq),
         array_agg(gone.attempts order by gone.seq),
         array_agg(gone.attempts_left order by gone.seq),
         array_agg(gone.lost order by gone.seq),
         array_agg(gone.watched order by gone.seq),
         (select case when count(*) = 1000 then max(slice.at_limit_id) else 0 end from slice)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched, v_last
    from gone;
  if v_ids is not null then
    moved := to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  end if;
  if moved < p_size then
    p_state.limit_slice := v_last;
  end if;
end
$$;

comment on function fairclaim_internal.move_limited(fairclaim_internal.tick_state, int, uuid[]) is
'Moves jobs of tenants that stay at a limit from shared lanes to own lanes, and returns how many.';

-- internal/maintenance/newest_state.sql
-- The state that the last tick left: of all rows the one with the highest number. A tick that was
-- passed may commit later, with a lower number, and is not looked at.
create or replace function fairclaim_internal.newest_state() returns fairclaim_internal.tick_state
language sql stable
as $$
  select tick_state from fairclaim_internal.tick_state order by tick_state.n desc limit 1
$$;

comment on function fairclaim_internal.newest_state() is
'The state of maintenance, as the last tick left it.';

-- internal/maintenance/next_look.sql
-- When the next tick is wanted: at once when something was left over, at the time of the next job
-- or lease or when a rate lets a job go, every second while jobs wait or lanes come and go, and
-- else after half a minute. Of leases only the next look at them is known, which is 5 s after the
-- last. A job that is due and still there is locked by another transaction. `running` is small: a
-- sequential scan is the cheapest look.
create or replace function fairclaim_internal.next_look(
  p_state fairclaim_internal.tick_state,
  p_now timestamptz
) returns interval
language plpgsql
set enable_seqscan = on
as $$
declare
  v_due timestamptz := (
    select min(scheduled.run_at) from scheduled where scheduled.run_at >= p_state.sched_floor);
  v_pause interval := interval '30 s';
  v_rate bigint := coalesce(pg_sequence_last_value('rate_at'), 0) - millis(p_now);
begin
  if p_state.left_over then
    return interval '20 ms';
  end if;
  if v_due <= p_now or not is_quiet(p_state, p_now) then
    v_pause := interval '1 s';
  elsif exists (select from running) then
    v_pause := least(interval '5 s',
      greatest(interval '1 s', p_state.reaped_at + interval '5.01 s' - p_now));
  end if;
  return least(v_pause, case when v_due > p_now then greatest(interval '20 ms', v_due - p_now) end,
    case when v_rate > 0 then greatest(interval '20 ms', v_rate * interval '1 ms') end);
exception
  when lock_not_available then return interval '1 s';
end
$$;

comment on function fairclaim_internal.next_look(fairclaim_internal.tick_state, timestamptz) is
'In how long the next tick is wanted.';

-- internal/maintenance/note_below.sql
-- Notes for renewal the lanes in which a row waits below the floor, above a number. It notes only
-- those where it sees such a row: the transactions that left rows there have ended, so their rows
-- are seen. Most lanes have none, and nothing is written for them.
create or replace function fairclaim_internal.note_below(p_above bigint, p_all boolean) returns void
language sql volatile
as $$
  insert into fairclaim_internal.renewal (lane_id, next_seq, end_seq)
  select lane.lane_id, p_above + 1, lane.floor
    from fairclaim_internal.lane
   where (p_all or lane.tenant_id is null) and lane.floor > p_above + 1
     and exists (
           select from fairclaim_internal.ready
            where ready.lane_id = lane.lane_id and ready.seq > p_above and ready.seq < lane.floor
           offset 0)
     and not exists (
           select from fairclaim_internal.renewal
            where renewal.lane_id = lane.lane_id and renewal.next_seq <= p_above + 1
              and renewal.end_seq >= lane.floor)
$$;

comment on function fairclaim_internal.note_below(bigint, boolean) is
'Notes the shared lanes, or all, in which rows with numbers above this one wait below the floor.';

-- internal/maintenance/note_fault.sql
-- Writes down that a step failed, for the next tick and for doctor, and warns. Messages that may
-- quote a value of a row (about data that cannot be read, and what others raise) are left out.
-- Making ranges reads no row, and the event triggers are named with its message. Returns whether
-- trying again soon makes sense.
create or replace function fairclaim_internal.note_fault(
  p_step text,
  p_state fairclaim_internal.tick_state,
  p_fault fairclaim_internal.tick_fault,
  p_full int,
  p_sqlstate text,
  p_message text
) returns boolean
language plpgsql
as $$
declare
  v_note text := case
    when p_step = 'ranges' then
      p_message || coalesce(' (event triggers: ' || event_triggers() || ')', '')
    when p_sqlstate !~ '^(22|P0|JQ)' then p_message
    else 'its message may quote a row: see what refuses it' end;
  v_size int := least(p_full, p_fault.size);
  v_next int := v_size;
  v_passed uuid[] := coalesce(p_fault.passed, '{}');
  v_job uuid;
begin
  if p_sqlstate not in ('55P03', '40P01') then
    v_next := greatest(1, v_size / case when p_sqlstate = '57014' then 4 else 2 end);
    if v_size = 1 then
      v_job := first_job(p_step, p_state, v_passed);
      v_passed := (v_passed || v_job)[greatest(1, cardinality(v_passed) - 998):];
    end if;
  end if;
  raise warning 'fairclaim: the step % of tick failed (SQLSTATE %): %', p_step, p_sqlstate, v_note
    using hint = case
      when v_job is not null then format('job %s is passed over for a minute', v_job)
      when v_next < v_size then format('the next slice has at most %s rows', v_next)
      else 'it is tried again' end;
  insert into tick_fault (step, since, last_at, sqlstate, times, size, note, passed, passed_at)
  values (p_step, p_state.at, p_state.at, p_sqlstate, 1, v_next, v_note,
          array_remove(v_passed, null), p_state.at)
  on conflict (step) do update
     set last_at = excluded.last_at, sqlstate = excluded.sqlstate, times = tick_fault.times + 1,
         size = excluded.size, note = excluded.note, passed = excluded.passed,
         passed_at = case
           when tick_fault.passed = '{}' or excluded.passed = '{}' or p_fault.passed = '{}'
             then excluded.passed_at
           else tick_fault.passed_at end;
  return (v_next < v_size or v_job is not null) and coalesce(p_fault.times, 0) < 100;
end
$$;

comment on function fairclaim_internal.note_fault(text, fairclaim_internal.tick_state,
    fairclaim_internal.tick_fault, int, text, text) is
'Writes down a step of tick that failed, and how it goes on.';

-- internal/maintenance/note_limits.sql
-- Called by whoever changes a limit: the tick after it wakes the workers that sleep, since jobs may
-- have been waiting for it. Nobody else would: nothing is dispatched then.
create or replace function fairclaim_internal.note_limits(p_now timestamptz) returns void
language plpgsql
as $$
begin
  insert into limit_note default values;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(p_now) then
    perform wake_before(p_now, p_now);
  end if;
end
$$;

comment on function fairclaim_internal.note_limits(timestamptz) is
'Tells the next tick that limits have changed.';

-- internal/maintenance/note_look.sql
-- The caller of this tick calls the next one within p_next, and a tenth of it: so nothing that is
-- due later needs a wake. What is kept is the latest time of all callers; one that lies more than
-- an hour ahead comes from a clock that was wrong. When the next tick is wanted is noted for all
-- who ask; what becomes due sooner moves it (wake_before).
create or replace function fairclaim_internal.note_look(p_now timestamptz, p_next interval)
returns float8
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_by bigint := millis(p_now + p_next * 1.1) + 200;
begin
  if coalesce(pg_sequence_last_value('look_by'), 0) not between v_by and v_ms + 3600000 then
    perform setval('look_by', v_by);
  end if;
  perform setval('tick_at', greatest(0, millis(p_now + p_next)));
  return date_part('epoch', p_next);
end
$$;

comment on function fairclaim_internal.note_look(timestamptz, interval) is
'Notes when the next tick is wanted, and by when all who tick will have ticked again; returns the seconds until the next one.';

-- internal/maintenance/note_prune_fault.sql
-- The first row behind an id is the one that could not be deleted. It is noted without anything
-- that is in it.
create or replace function fairclaim_internal.note_prune_fault(
  p_range timestamptz,
  p_from uuid,
  p_sqlstate text
) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  execute format($sql$
    select finished.id from fairclaim_internal.%I finished
     where finished.id > $1 order by finished.id limit 1$sql$,
    range_name('finished', p_range))
    into v_id using p_from;
  raise warning 'fairclaim cannot delete job % and passes it over for an hour: %', v_id, p_sqlstate;
  if (select count(*) from prune_fault) < 100 then
    insert into prune_fault (id, sqlstate, at) values (v_id, p_sqlstate, fairclaim.clock())
    on conflict (id) do update set sqlstate = excluded.sqlstate, at = excluded.at;
  end if;
  return v_id;
end
$$;

comment on function fairclaim_internal.note_prune_fault(timestamptz, uuid, text) is
'Notes the first finished job behind an id as one that cannot be deleted, and returns it.';

-- internal/maintenance/promote_due.sql
-- Moves a slice of the jobs that are due into lanes. It starts behind the dead rows of what was
-- promoted before.
create or replace function fairclaim_internal.promote_due(
  p_now timestamptz,
  p_floor timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
begin
  with gone as (
    delete from scheduled
     where scheduled.ctid = any (array(
       select due.ctid from scheduled due
        where due.run_at >= p_floor and due.run_at <= p_now and due.id <> all (p_skip)
        order by due.run_at, due.id limit p_size for update skip locked))
    returning scheduled.*)
  select array_agg(gone.tenant_id order by gone.run_at, gone.id),
         array_agg(gone.id order by gone.run_at, gone.id),
         array_agg(gone.attempts order by gone.run_at, gone.id),
         array_agg(gone.attempts_left order by gone.run_at, gone.id),
         array_agg(gone.lost order by gone.run_at, gone.id),
         array_agg(gone.watched order by gone.run_at, gone.id)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from gone;
  if v_ids is null then
    return 0;
  end if;
  perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  return cardinality(v_ids);
end
$$;

comment on function fairclaim_internal.promote_due(timestamptz, timestamptz, int, uuid[]) is
'Moves jobs whose time has come into lanes.';

-- internal/maintenance/prune_before.sql
-- A prune by the settings is noted, so that no other worker is told to prune (is_prune_due).
create or replace function fairclaim_internal.prune_before(p_retention float8, p_now timestamptz)
returns timestamptz
language plpgsql
as $$
begin
  if p_retention < 3600 or p_retention > 3155760000 then
    perform refuse('JQ004', 'p_retention',
      'must be seconds from 3,600 (1 hour) to 3,155,760,000 (100 years)',
      'leave it out for the retention of the settings',
      '{"minimum": 3600, "maximum": 3155760000}');
  end if;
  if p_retention is null then
    perform setval('pruned_at', greatest(0, millis(p_now)));
  elsif not caller_is('operator') then
    perform refuse('JQ007', 'p_retention', 'may be chosen by an operator only',
      format('leave it out, or as an administrator: grant %I to %I',
             our_role('operator'), caller()));
  end if;
  return p_now - coalesce(
    make_interval(secs => p_retention), (select setting.retention from setting));
end
$$;

comment on function fairclaim_internal.prune_before(float8, timestamptz) is
'When a retention that ends now began: the one that is given, in seconds, which only an operator may give, or that of the settings.';

-- internal/maintenance/prune_piece.sql
-- Ranges are walked one after the other: old ones up to p_end, then those that are ahead of the
-- clock, where only a clock that was wrong has put jobs. Each of the two has a place of its own,
-- since with time ranges pass from the second to the first.
create or replace function fairclaim_internal.prune_piece(
  p_place fairclaim_internal.prune_place,
  p_now timestamptz,
  p_end uuid,
  out starts_at timestamptz,
  out from_id uuid,
  out to_id uuid,
  out is_ahead boolean
)
language sql stable
as $$
  select piece.starts_at, piece.from_id, piece.to_id, piece.is_ahead
    from (select id_range.starts_at,
                 id_range.starts_at > p_now as is_ahead,
                 case when id_range.starts_at > p_now then p_place.ahead
                      else p_place.place end as from_id,
                 case when id_range.starts_at > p_now then
                        fairclaim_internal.id_at(fairclaim_internal.millis(id_range.ends_at))
                      else least(
                        fairclaim_internal.id_at(fairclaim_internal.millis(id_range.ends_at)),
                        p_end) end as to_id
            from fairclaim_internal.id_range) piece
   where piece.from_id < piece.to_id
     and fairclaim_internal.id_at(fairclaim_internal.millis(piece.starts_at)) < piece.to_id
   order by piece.is_ahead, piece.starts_at limit 1
$$;

comment on function fairclaim_internal.prune_piece(fairclaim_internal.prune_place,
    timestamptz, uuid) is
'What prune is to look at next: a range, and from which id to which. Null at the end of a round.';

-- internal/maintenance/prune_round.sql
-- Between rounds only what has become old since is walked, from the place where the last walk
-- ended. Another round begins when a job that was left may be past: one that was seen not to be
-- past yet, or one that ended behind the place, which was after the round began. Rounds take at
-- most a sixteenth of the time, since each walks over dead rows too. When the clock went back, a
-- new round begins at once. For calls of operators (asked) a new round begins when the last one has
-- ended, for another retention, and a minute after its rest is over.
create or replace function fairclaim_internal.prune_round(
  inout p_place fairclaim_internal.prune_place,
  p_retention interval,
  p_now timestamptz,
  p_before timestamptz,
  p_end uuid,
  out begins boolean
)
language plpgsql
as $$
begin
  if p_place.asked then
    begins := p_place.ended or p_place.retention is distinct from p_retention
              or p_place.rest_until < p_now - interval '1 minute'
              or p_place.round_at > p_now;
  else
    begins := p_place.round_at > p_now or p_place.place > p_end
              or least(p_place.round_at, p_place.left_since) < p_before
                 and (p_place.ended and p_place.round_at + 16 * p_place.cost < p_now
                      or p_place.round_at = '-infinity');
  end if;
  if begins then
    p_place.retention := p_retention;
    p_place.place := '00000000-0000-0000-0000-000000000000';
    p_place.ahead := p_place.place;
    p_place.round_at := p_now;
    p_place.ended := false;
    p_place.left_since := null;
    p_place.cost := '0';
  end if;
end
$$;

comment on function fairclaim_internal.prune_round(fairclaim_internal.prune_place, interval,
    timestamptz, timestamptz, uuid) is
'Whether another round of pruning begins, and if so its place: the first id.';

-- internal/maintenance/prune_step.sql
-- Looks at the next rows of `finished` in one range, in the order of their ids, and deletes those
-- whose job ended before the retention: with their errors and their jobs. All of them are found by
-- their keys in the three tables of that range (finished: %1$I, attempt_error: %2$I, job: %3$I), so
-- that no other range is locked. A row that is being retried just now is passed over. Locks rows of
-- `finished` only (skip locked): the transaction that has one may delete what belongs to it.
--
-- The plan is pinned to walks of indexes: the statistics of a range may say "empty", and then a
-- join would read all of it.
create or replace function fairclaim_internal.prune_step(
  p_range timestamptz,
  p_from uuid,
  p_to uuid,
  p_before timestamptz,
  p_limit int,
  p_faults uuid[],
  out looked int,
  out deleted int,
  out last uuid,
  out left_since timestamptz
)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  execute format($sql$
    with look as materialized (
      select finished.id, finished.completed_at, finished.ctid as place
        from fairclaim_internal.%1$I finished
       where finished.id > $1 and finished.id < $2 order by finished.id limit $4),
    past as materialized (
      select finished.id, finished.tenant_id, finished.ctid as place
        from fairclaim_internal.%1$I finished
       where finished.ctid = any (array(
         select look.place from look where look.completed_at < $3 and look.id <> all ($5)))
         and finished.completed_at < $3
         for update skip locked),
    errors as (
      delete from fairclaim_internal.%2$I attempt_error
       where attempt_error.ctid = any (array(
         select found.place from past
          cross join lateral (
            select error.ctid as place from fairclaim_internal.%2$I error
             where error.id = past.id and error.tenant_id = past.tenant_id offset 0) found))),
    jobs as (
      delete from fairclaim_internal.%3$I job
       where job.ctid = any (array(
         select found.place from past
          cross join lateral (
            select old.ctid as place from fairclaim_internal.%3$I old
             where old.tenant_id = past.tenant_id and old.id = past.id offset 0) found))),
    gone as (
      delete from fairclaim_internal.%1$I finished
       where finished.ctid = any (array(select past.place from past)) returning finished.id)
    select (select count(*) from look),
           (select count(*) from gone),
           (select look.id from look order by look.id desc limit 1),
           (select min(look.completed_at) from look where look.completed_at >= $3)$sql$,
    range_name('finished', p_range), range_name('attempt_error', p_range),
    range_name('job', p_range))
    into looked, deleted, last, left_since
    using p_from, p_to, p_before, p_limit, p_faults;
end
$$;

comment on function fairclaim_internal.prune_step(timestamptz, uuid, uuid, timestamptz,
    int, uuid[]) is
'Deletes those among the next p_limit finished jobs of a range, from an id on, that ended before a time. left_since: the earliest end among the others.';

-- internal/maintenance/prune_tenant.sql
-- A step for one tenant with a retention of its own, the one that was looked at longest ago: it
-- walks the tenant's jobs by id up to the retention's age, from where the last step ended, and at
-- most once a minute from the start. The ends are locked first (skip locked), so that no retry
-- takes a job that is being deleted. Locks: its row of tenant_retention (skip locked), rows of
-- `finished`, then those of erase_jobs.
create or replace function fairclaim_internal.prune_tenant(p_now timestamptz, p_size int)
returns int
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_own tenant_retention;
  v_ids uuid[];
  v_past uuid[];
begin
  select * into v_own from tenant_retention own
   where own.place <> v_none or own.looked_at < p_now - interval '1 minute'
      or own.looked_at > p_now
   order by own.looked_at limit 1 for update skip locked;
  if not found then
    return 0;
  end if;
  v_ids := array(select job.id from job
                  where job.tenant_id = v_own.tenant_id and job.id > v_own.place
                    and job.id < id_at(greatest(0, millis(p_now - v_own.retention)))
                  order by job.tenant_id, job.id limit p_size);
  v_past := array(select finished.id from finished
                   where finished.id = any (v_ids) and finished.tenant_id = v_own.tenant_id
                     and finished.completed_at < p_now - v_own.retention for update skip locked);
  update tenant_retention
     set place = case when cardinality(v_ids) = p_size then v_ids[p_size] else v_none end,
         looked_at = p_now
   where tenant_retention.tenant_id = v_own.tenant_id;
  if v_past = '{}' then
    return 0;
  end if;
  return (select count(*)
            from erase_jobs(
                   v_past, array_fill(v_own.tenant_id, array[cardinality(v_past)])));
end
$$;

comment on function fairclaim_internal.prune_tenant(timestamptz, int) is
'Deletes a slice of the jobs of one tenant that ended before its own retention began. Returns how many.';

-- internal/maintenance/prune_walk.sql
-- Walks in steps, each in a subtransaction. They begin small and grow while they are fast, and all
-- of them together take 200 ms, or a quarter of a statement_timeout, so that a call makes progress
-- whatever time it is given. A step that fails is made smaller. One row that fails by itself (at a
-- trigger of the administrator, say) is noted in prune_fault and passed over for an hour, at most
-- 16 in a call. A range whose locks are not free is passed over in this round. What the server has
-- no means for (disk, memory) ends the call.
create or replace function fairclaim_internal.prune_walk(
  inout p_place fairclaim_internal.prune_place,
  p_now timestamptz,
  p_before timestamptz,
  p_end uuid,
  out deleted bigint,
  out passed_over int
)
language plpgsql
as $$
declare
  v_timeout interval := nullif(current_setting('statement_timeout')::interval, '0');
  v_budget interval := least(interval '200 ms', v_timeout / 4);
  v_size int := case when v_timeout < interval '2 s' then 50 else 500 end;
  v_faults uuid[] := array(
    select prune_fault.id from prune_fault
     where prune_fault.at between p_now - interval '1 hour' and p_now);
  v_last timestamptz := fairclaim.clock();
  v_end timestamptz := v_last + v_budget;
  v_piece record;
  v_step record;
  v_at uuid;
begin
  deleted := 0;
  passed_over := 0;
  p_place.ended := false;
  for v_n in 1 .. 400 loop
    select * into v_piece from prune_piece(p_place, p_now, p_end);
    if v_piece.starts_at is null then
      p_place.ended := true;
      exit;
    end if;
    begin
      select * into v_step
        from prune_step(
          v_piece.starts_at, v_piece.from_id, v_piece.to_id, p_before, v_size, v_faults);
      v_at := case when v_step.looked < v_size then v_piece.to_id else v_step.last end;
      deleted := deleted + v_step.deleted;
      p_place.left_since := least(p_place.left_since, v_step.left_since);
      v_size := case when fairclaim.clock() - v_last < interval '30 ms' then least(v_size * 2, 5000)
                     else greatest(v_size / 2, 20) end;
    exception
      when lock_not_available or deadlock_detected or serialization_failure or undefined_table then
        v_at := v_piece.to_id;
        p_place.left_since := '-infinity';
      when others then
        if left(sqlstate, 2) in ('25', '53', '57', '58', 'XX') then
          raise;
        end if;
        v_at := v_piece.from_id;
        if v_size = 1 then
          v_at := note_prune_fault(v_piece.starts_at, v_piece.from_id, sqlstate);
          passed_over := passed_over + 1;
        end if;
        v_size := greatest(v_size / 4, 1);
    end;
    if v_piece.is_ahead then
      p_place.ahead := v_at;
    else
      p_place.place := v_at;
    end if;
    v_last := fairclaim.clock();
    exit when passed_over = 16 or v_last not between v_end - v_budget and v_end;
  end loop;
end
$$;

comment on function fairclaim_internal.prune_walk(fairclaim_internal.prune_place, timestamptz,
    timestamptz, uuid) is
'Walks finished jobs from a place on, for a short time, and deletes those that ended before a time. passed_over: how many could not be deleted.';

-- internal/maintenance/quiet_until.sql
-- Until when there is nothing to do if no caller does anything. That is now while jobs wait, while
-- own lanes are there, while lanes are drained, and while other transactions hold the lock on
-- `ready` or a tick was passed. Otherwise it is when a shared lane has been unused for an hour, and
-- at most in ten minutes.
create or replace function fairclaim_internal.quiet_until(
  p_state fairclaim_internal.tick_state,
  p_waiting boolean
) returns timestamptz
language plpgsql
as $$
begin
  if p_waiting or p_state.holders <> '{}' or p_state.passed_slot <> '{}'
     or p_state.mended is not null
     or exists (select from lane where lane.tenant_id is not null) then
    return p_state.at;
  end if;
  return (
    select case when coalesce(bool_or(lane.drained is not null), false) then p_state.at
                else least(p_state.at + interval '10 minutes',
                           min(lane.used_at) + interval '1 hour') end
      from lane where lane.tenant_id is null);
end
$$;

comment on function fairclaim_internal.quiet_until(fairclaim_internal.tick_state, boolean) is
'Until when there is nothing to do if no caller does anything.';

-- internal/maintenance/renew_passed.sql
-- Rows that a transaction left below the floor of a lane, because tick had passed it, get a fresh
-- number in the same lane. The work is bounded by rows. An empty stretch costs a look into the
-- index, so all ranges are looked at (at most 4,000, at random), a million numbers of each. A range
-- with a locked row stays, and stops no other. Lock order: renewal (skip locked) -> ready (skip
-- locked).
create or replace function fairclaim_internal.renew_passed(p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_part bigint[];
  v_count int;
begin
  v_part := array(
    select renewal.renewal_id from renewal
     where renewal.renewal_id = any (array(
       select drawn.renewal_id from renewal drawn order by random() limit 4000))
       for update skip locked);
  if v_part = '{}' then
    return 0;
  end if;
  with stretch as materialized (
    select renewal.lane_id, min(renewal.next_seq) as next_seq,
           max(least(renewal.next_seq + 1000000, renewal.end_seq)) as end_seq
      from renewal where renewal.renewal_id = any (v_part) group by renewal.lane_id),
  gone as (
    delete from ready
     where ready.ctid = any (array(
       select below.place from stretch
        cross join lateral (
          select passed.ctid as place from ready passed
           where passed.lane_id = stretch.lane_id and passed.seq >= stretch.next_seq
             and passed.seq < stretch.end_seq and passed.id <> all (p_skip)
           order by passed.lane_id, passed.seq limit p_size for update skip locked) below
        limit p_size))
    returning ready.*)
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select gone.lane_id, gone.id, gone.tenant_id, gone.attempts, gone.attempts_left, gone.lost,
         gone.watched
    from gone order by gone.seq;
  get diagnostics v_count = row_count;

  -- upto: the first row that is still there, or the end of what was looked at
  with stretch as materialized (
    select renewal.renewal_id, renewal.next_seq, renewal.end_seq,
           coalesce(oldest.seq, least(renewal.next_seq + 1000000, renewal.end_seq)) as upto
      from renewal
      left join lateral (
        select ready.seq from ready
         where ready.lane_id = renewal.lane_id and ready.seq >= renewal.next_seq
           and ready.seq < least(renewal.next_seq + 1000000, renewal.end_seq)
         order by ready.lane_id, ready.seq limit 1) oldest on true
     where renewal.renewal_id = any (v_part)),
  done as (
    delete from renewal
     where renewal.renewal_id = any (array(
       select stretch.renewal_id from stretch where stretch.upto >= stretch.end_seq)))
  update renewal set next_seq = stretch.upto
    from stretch
   where renewal.renewal_id = stretch.renewal_id
     and stretch.upto > stretch.next_seq and stretch.upto < stretch.end_seq;
  return v_count;
end
$$;

comment on function fairclaim_internal.renew_passed(int, uuid[]) is
'Gives rows below the floor of a lane a fresh number, so that claims see them. Returns how many.';

-- internal/maintenance/return_expired.sql
-- Takes a slice of the expired leases back, by a plain scan of a small table. Each is locked and
-- looked at again in the same statement, since it may just have been extended. A lease that is
-- being settled in an open transaction is left for the next time.
create or replace function fairclaim_internal.return_expired(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
  v_n int;
begin
  select array_agg(expired.id), array_agg(expired.attempt::int), array_agg(expired.lease_token),
         count(*)
    into v_ids, v_attempts, v_tokens, v_n
    from (select running.id, running.attempt, running.lease_token from running
           where running.lease_expires_at < p_now and running.id <> all (p_skip)
           order by running.lease_expires_at, running.id
           limit p_size for update skip locked) expired;
  if v_n = 0 then
    return 0;
  end if;
  select count(*) into v_n
    from settle_mixed('(tick)', v_ids, v_attempts, v_tokens,
           array_fill('lost'::text, array[v_n]), null,
           array_fill('{"code": "lost",
             "message": "the lease expired before the attempt was settled"}'::jsonb, array[v_n]),
           null) answer
   where answer.kind = 'settled';
  return v_n;
end
$$;

comment on function fairclaim_internal.return_expired(timestamptz, int, uuid[]) is
'Takes jobs back whose lease has expired: no attempt is used up, but a third loss fails the job.';

-- internal/maintenance/run_step.sql
-- Runs one step of a tick by its name, with the size of its slice and the jobs that it is to pass
-- over. `done` and `more` are what it did, as tick tells it. `again`: the slice was full, so that
-- the next tick should come at once.
create or replace function fairclaim_internal.run_step(
  p_step text,
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  p_all boolean,
  out done int,
  out more int,
  out again boolean
)
language plpgsql
as $$
declare
  v_result record;
begin
  done := 0; more := 0;
  case p_step
    when 'marks' then
      p_state := free_passed(mark_holders(p_state));
    when 'promote' then
      done := promote_due(p_state.at, p_state.sched_floor, p_size, p_skip);
    when 'cancel' then
      perform end_cancelled(p_state.at, p_size, p_skip);
    when 'return' then
      if not (p_state.reaped_at >= p_state.at - interval '5 s' and p_state.reaped_at <= p_state.at)
         and exists (select from running) then
        done := return_expired(p_state.at, p_size, p_skip);
        p_state.reaped_at := case when done < p_size then p_state.at else p_state.reaped_at end;
      end if;
    when 'suspects' then
      done := fail_suspects(p_state.at, p_size, p_skip);
    when 'limits' then
      select * into v_result from apply_limits(p_state, p_size, p_skip);
      p_state := v_result.p_state; done := v_result.moved;
    when 'keys' then
      select * into v_result from admit_keys(p_state, p_all, p_size, p_skip);
      done := v_result.moved; more := v_result.looked;
    when 'renew' then
      done := renew_passed(p_size, p_skip);
    when 'floors' then
      select * into v_result from move_floors(p_state, p_all);
      p_state := v_result.p_state; done := v_result.moved; more := v_result.waiting::int;
    when 'close' then
      select * into v_result from close_lanes(p_state, p_size);
      p_state := v_result.p_state; done := v_result.closed; more := v_result.deleted;
    when 'sweep' then
      select * into v_result from sweep_ready(p_state, p_size, p_skip);
      p_state := v_result.p_state; done := v_result.swept;
    when 'overrides' then
      done := end_overrides(p_state.at, p_size);
    when 'weights' then
      done := apply_weights(p_state, p_size);
    when 'times' then
      done := fold_times(p_state.at, p_size);
      more := weigh_by_time(least(p_size, 2000));
      if p_all then
        perform forget_times(p_state.at, p_size);
      end if;
    when 'workers' then
      done := forget_workers(p_state.at, p_size);
    when 'names' then
      done := fold_names(p_size);
    when 'stats' then
      perform refresh_stats(p_state.at);
    when 'quotas' then
      done := count_waiting(p_state, p_size);
    when 'ranges' then
      perform make_ranges(p_state.at + 3 * range_width());
  end case;
  again := case p_step
    when 'close' then done + more >= greatest(1, p_size / 4)
    when 'floors' then false
    when 'quotas' then false
    when 'keys' then more >= p_size
    else done >= p_size end;
end
$$;

comment on function fairclaim_internal.run_step(text, fairclaim_internal.tick_state, int,
    uuid[], boolean) is
'Runs one step of tick.';

-- internal/maintenance/sweep_ready.sql
-- The safety net: it finds rows of `ready` whose lane does not exist. There should be none. It runs
-- four times a minute and looks at 50 lane numbers each time, since a hop walks over the dead rows
-- of a lane; it hops to them through the index.
create or replace function fairclaim_internal.sweep_ready(
  inout p_state fairclaim_internal.tick_state,
  p_size int,
  p_skip uuid[],
  out swept int
)
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
  v_lanes bigint[];
begin
  swept := 0;
  with recursive hop(lane_id) as (
    (select ready.lane_id from ready
      where ready.lane_id > p_state.sweep order by ready.lane_id limit 1)
    union all
    select (select ready.lane_id from ready
             where ready.lane_id > hop.lane_id order by ready.lane_id limit 1)
      from hop where hop.lane_id is not null)
  select array_agg(met.lane_id) into v_lanes
    from (select hop.lane_id from hop where hop.lane_id is not null limit 50) met;
  p_state.sweep := case when cardinality(v_lanes) = 50 then v_lanes[50]
                        else -9223372036854775808 end;
  if v_lanes is null then
    return;
  end if;
  with gone as (
    delete from ready
     where ready.ctid = any (array(
       select stray.ctid from ready stray
        where stray.lane_id = any (array(
          select met.lane_id from unnest(v_lanes) met(lane_id)
           where not exists (select from lane where lane.lane_id = met.lane_id)))
          and stray.id <> all (p_skip)
        order by stray.lane_id, stray.seq limit p_size for update skip locked))
    returning ready.*)
  select array_agg(gone.tenant_id order by gone.seq),
         array_agg(gone.id order by gone.seq),
         array_agg(gone.attempts order by gone.seq),
         array_agg(gone.attempts_left order by gone.seq),
         array_agg(gone.lost order by gone.seq),
         array_agg(gone.watched order by gone.seq)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from gone;
  if v_ids is not null then
    swept := to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
  end if;
end
$$;

comment on function fairclaim_internal.sweep_ready(fairclaim_internal.tick_state, int, uuid[]) is
'Puts rows of `ready` that belong to no lane back into lanes.';

-- internal/maintenance/take_guard.sql
-- One tick works at a time. It holds a row of tick_lock until its transaction ends, and that may be
-- never: the session that called tick may stay open, or prepare its transaction. Such a tick is
-- passed: when no tick has begun to work for 12 s, another one takes the next row, and remembers
-- the passed one in the state that it leaves.
--
-- Why nothing breaks, whatever a passed transaction does later, and although "12 s" may be wrong at
-- times:
-- * A tick locks its row, then draws its number, then looks which others are at work and reads the
--   newest state. It goes on only if no other has drawn a number since. So of any two ticks the one
--   with the higher number knows the other: either as ended, and then it sees what that one did, or
--   as passed. The state with the highest number is the one that counts, and its tick knows all
--   that matter.
-- * All others pass over the rows that a passed tick holds (skip locked). What it promoted,
--   returned or deleted was right when it did it, and stays right: no other can undo what it relied
--   on.
-- * Floors of own lanes that it moved are below a safe mark, which is true for ever. Floors of
--   shared lanes may have passed holders that only it knew as passed, and the lanes that it closed
--   are closed only from its commit on. free_passed mends both when it has ended. Until then no
--   lane is deleted that was closed under a number between that of the tick before it and that of
--   the tick that passed it.
create or replace function fairclaim_internal.take_guard(p_now timestamptz)
returns fairclaim_internal.tick_state
language plpgsql
as $$
declare
  v_state tick_state := newest_state();
  v_held smallint[] := array(select working.slot from ticks_at_work() working);
  -- read after v_held: each tick that is seen at work there has set it already
  v_last bigint := coalesce(pg_sequence_last_value('guard_at'), 0);
  v_young boolean := millis(p_now) - v_last between 0 and 12000;
  v_slot smallint;
  v_n bigint;
begin
  -- A tick that is not passed works, and one began less than 12 s ago: this one has nothing to do.
  if v_young and not v_held <@ v_state.passed_slot then
    return null;
  end if;

  -- It takes the first row that no tick holds, unless another was faster.
  select tick_lock.slot into v_slot from tick_lock
   where tick_lock.slot = (
     select min(free.slot) from tick_lock free
      where free.slot <> all (v_held || v_state.passed_slot))
     for update skip locked;
  if v_slot is null or coalesce(pg_sequence_last_value('guard_at'), 0) <> v_last then
    return null;
  end if;
  perform setval('guard_at', greatest(0, millis(p_now)));

  -- It draws its number, and only then looks again.
  v_n := nextval('tick_n');
  v_held := array(
    select working.slot from ticks_at_work() working where working.slot <> v_slot);
  v_state := newest_state();
  if v_n <= v_state.n then                    -- a copy of the database without its sequences
    perform setval('tick_n', v_state.n);
    return null;
  end if;
  v_held := array(
    select held.slot from unnest(v_held) held(slot)
     where held.slot <> all (v_state.passed_slot));
  if pg_sequence_last_value('tick_n') <> v_n
     or v_slot = any (v_state.passed_slot)
     or v_state.worked_by = pg_current_xact_id_if_assigned()
     or v_young and v_held <> '{}' then
    return null;
  end if;

  -- It works, and passes the ticks that still hold a row.
  v_state.passed_slot := v_state.passed_slot || v_held;
  v_state.passed_from := v_state.passed_from || array_fill(v_state.n, array[cardinality(v_held)]);
  v_state.passed_to := v_state.passed_to || array_fill(v_n, array[cardinality(v_held)]);
  v_state.passed_safe := v_state.passed_safe
    || array_fill(v_state.safe, array[cardinality(v_held)]);
  v_state.slot := v_slot;
  v_state.prev := v_state.n;
  v_state.n := v_n;
  v_state.at := p_now;
  v_state.worked_by := pg_current_xact_id();
  return v_state;
end
$$;

comment on function fairclaim_internal.take_guard(timestamptz) is
'Makes this tick the one that works and returns the state that it begins with; null while another works.';

-- internal/maintenance/ticks_at_work.sql
-- Which rows of tick_lock an open transaction has locked. The row itself says which transaction
-- locked it last (xmax), and the server says whether that transaction, or the one that it is a part
-- of, is in progress; a prepared one is. So a lock is seen without locking anything, in the very
-- moment in which it is taken, whatever the snapshot. tick_lock has 16 rows: a sequential scan is
-- the right plan.
--
-- snapshot.next is the next transaction id with its epoch, locker.id the id of the locker in that
-- epoch. It is moved by one epoch where the two lie more than half an epoch apart.
create or replace function fairclaim_internal.ticks_at_work() returns table (slot smallint, xid xid)
language sql volatile
set enable_seqscan = on
as $$
  select tick_lock.slot, tick_lock.xmax
    from fairclaim_internal.tick_lock
   cross join (
     select (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint as next offset 0) snapshot
   cross join lateral (
     select tick_lock.xmax::text::bigint + (snapshot.next & -4294967296) as id offset 0) locker
   where tick_lock.xmax <> '0'::xid
     and pg_xact_status((
           case when locker.id > snapshot.next + 2147483648 then locker.id - 4294967296
                when locker.id < snapshot.next - 2147483648 then locker.id + 4294967296
                else locker.id end)::text::xid8) = 'in progress'
$$;

comment on function fairclaim_internal.ticks_at_work() is
'The rows of tick_lock that open transactions hold, with their transactions.';

-- internal/maintenance/try_step.sql
-- Runs one step of tick in a subtransaction, so that one that fails stops no other. Its slices get
-- smaller with every failure, down to one, and grow again with every success. A job at which a
-- slice of one fails is passed over. A step that a time-out of the statement cancels ends the tick
-- soon: `canceled`. Where there is no such time-out, the caller cancels, and the tick ends at once.
-- A lock that is not free within the time-out of tick is the fault of no step: the next tick tries
-- the step again as it is.
create or replace function fairclaim_internal.try_step(
  p_step text,
  inout p_state fairclaim_internal.tick_state,
  p_all boolean,
  out done int,
  out more int,
  out again boolean,
  out failed boolean,
  out canceled boolean
)
language plpgsql
as $$
declare
  v_fault tick_fault;
  v_full int := case p_step when 'close' then 2000 else 5000 end;
  v_message text;
  v_result record;
begin
  select * into v_fault from tick_fault where tick_fault.step = p_step;
  if v_fault.passed <> '{}'
     and not (v_fault.passed_at > p_state.at - interval '1 minute'
              and v_fault.passed_at <= p_state.at) then
    -- Once a minute the jobs that are passed over are tried again, one at a time.
    v_fault.passed := '{}';
    v_fault.size := 1;
  end if;
  done := 0;
  more := 0;
  again := false;
  failed := false;
  canceled := false;
  begin
    select * into v_result
      from run_step(
        p_step, p_state, least(v_full, v_fault.size), coalesce(v_fault.passed, '{}'), p_all);
    p_state := v_result.p_state;
    done := v_result.done;
    more := v_result.more;
    again := v_result.again;
  exception
    when query_canceled or others then
      if sqlstate = '57014' and current_setting('statement_timeout') = '0' then
        raise;                                -- the caller's wish, and the fault of no step
      end if;
      failed := true;
      canceled := sqlstate = '57014';
      get stacked diagnostics v_message = message_text;
      begin
        again := note_fault(p_step, p_state, v_fault, v_full, sqlstate, v_message);
      exception
        when lock_not_available then null;    -- a tick that was passed has written about it
      end;
      if p_step = 'close' and v_fault.size = 1 then       -- go on behind that lane
        p_state.slice := coalesce(
          (select min(lane.lane_id) from lane where lane.lane_id > p_state.slice),
          -9223372036854775808);
      end if;
  end;
  if not failed and v_fault.step is not null then
    if v_fault.size >= v_full and v_fault.passed = '{}' then
      delete from tick_fault
       where tick_fault.ctid = any (array(
         select mended.ctid from tick_fault mended
          where mended.step = p_step for update skip locked));
    else
      update tick_fault
         set size = least(v_full, v_fault.size::bigint * 2), times = 0, passed = v_fault.passed
       where tick_fault.ctid = any (array(
         select mended.ctid from tick_fault mended
          where mended.step = p_step for update skip locked));
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.try_step(text, fairclaim_internal.tick_state, boolean) is
'Runs one step of tick and outlives its failure, which it writes down.';

-- internal/maintenance/walk_lanes.sql
-- Claims do not walk the own lanes of tenants that stay at a limit, and walk them again when there
-- is room: a settlement sees to that at once, and a tick to what it missed or what was set. True if
-- it has put some back: nobody was told that their jobs may be claimed. Locks lanes (skip locked).
create or replace function fairclaim_internal.walk_lanes(p_now timestamptz, p_size int)
returns boolean
language plpgsql
as $$
declare
  v_back int := 0;
begin
  if exists (select from lane where lane.tenant_id is not null and not lane.walked) then
    update lane set walked = true
     where lane.ctid = any (array(
       select freed.ctid from lane freed
        where freed.tenant_id is not null and not freed.walked
          and not exists (
                select from at_limit
                 where at_limit.is_stable and at_limit.tenant_id = freed.tenant_id
                   and at_limit.queue in ('', freed.queue))
        limit 10 * p_size for update skip locked));
    get diagnostics v_back = row_count;
    perform walk_locked(p_now, p_size);
  end if;
  if exists (select from at_limit where at_limit.is_stable) then
    update lane set walked = false
     where lane.ctid = any (array(
       select stuck.place
         from (select distinct at_limit.tenant_id, at_limit.queue from at_limit
                where at_limit.is_stable) full_now
        cross join lateral (
          select lane.ctid as place from lane
           where lane.tenant_id = full_now.tenant_id and lane.walked
             and full_now.queue in ('', lane.queue)
             for update skip locked) stuck
        limit 10 * p_size));
  end if;
  return v_back > 0;
end
$$;

comment on function fairclaim_internal.walk_lanes(timestamptz, int) is
'Takes the lanes of tenants that stay at a limit out of the walk of claims, and puts them back.';

-- internal/maintenance/walk_locked.sql
-- A settlement that has one of these lanes walked again and whose transaction stays open holds the
-- lane's lock, and nobody else sees what it did: jobs of the tenant would wait for its end, though
-- others of its jobs have ended meanwhile. So the oldest of them move to a lane beside it, of the
-- same key, which claims walk. Each tick fills it up to p_size. Locks rows of `ready` (skip
-- locked).
create or replace function fairclaim_internal.walk_locked(p_now timestamptz, p_size int)
returns void
language plpgsql
as $$
declare
  v_lanes bigint[] := array(
    select freed.lane_id from lane freed
     where freed.tenant_id is not null and not freed.walked
       and not exists (
             select from at_limit
              where at_limit.is_stable and at_limit.tenant_id = freed.tenant_id
                and at_limit.queue in ('', freed.queue))
       and exists (select from ready
                    where ready.lane_id = freed.lane_id and ready.seq >= freed.floor)
     limit 100);
begin
  if v_lanes = '{}' then
    return;
  end if;
  insert into lane (turn, floor, opened_at, used_at, tenant_id, weight, priority, queue, type,
                    walked)
  select distinct freed.turn, 0, p_now, p_now, freed.tenant_id, freed.weight, freed.priority,
         freed.queue, freed.type, true
    from lane freed
   where freed.lane_id = any (v_lanes)
     and not exists (
           select from lane beside
            where beside.tenant_id = freed.tenant_id and beside.queue = freed.queue
              and beside.type = freed.type and beside.priority = freed.priority
              and beside.walked and beside.drained is null);
  with moved as materialized (
    select oldest.place, target.lane_id
      from lane freed
     cross join lateral (
       select beside.lane_id, beside.floor from lane beside
        where beside.tenant_id = freed.tenant_id and beside.queue = freed.queue
          and beside.type = freed.type and beside.priority = freed.priority
          and beside.walked and beside.drained is null
        order by beside.lane_id limit 1) target
     cross join lateral (
       select count(*) as jobs
         from (select from ready
                where ready.lane_id = target.lane_id and ready.seq >= target.floor
                limit p_size) there) waiting
     cross join lateral (
       select ready.ctid as place from ready
        where ready.lane_id = freed.lane_id and ready.seq >= freed.floor
        order by ready.lane_id, ready.seq limit p_size - waiting.jobs
          for update skip locked) oldest
     where freed.lane_id = any (v_lanes)),
  gone as (
    delete from ready
     where ready.ctid = any (array(select moved.place from moved))
    returning ready.*, ready.ctid as place)
  insert into ready (lane_id, id, tenant_id, attempts, attempts_left, lost, watched)
  select moved.lane_id, gone.id, gone.tenant_id, gone.attempts, gone.attempts_left, gone.lost,
         gone.watched
    from gone
   cross join lateral (
     select moved.lane_id from moved where moved.place = gone.place limit 1) moved
   order by gone.seq;
end
$$;

comment on function fairclaim_internal.walk_locked(timestamptz, int) is
'Moves jobs out of lanes that claims ought to walk and that an open transaction has locked, to lanes beside them.';

-- internal/maintenance/work_steps.sql
-- Runs the steps of a tick that works: all of them in a look at everything, else what is due or was
-- left over. A look at everything keeps its state, and so does one that goes on with what was left;
-- a tick that only promotes keeps none.
create or replace function fairclaim_internal.work_steps(
  inout p_state fairclaim_internal.tick_state,
  p_round boolean,
  p_all boolean,
  out did jsonb,
  out failed text[]
)
language plpgsql
as $$
declare
  v_steps text[] := case
    when p_round
      then array['promote', 'return', 'cancel', 'suspects', 'keys', 'marks', 'overrides',
                 'weights', 'limits', 'renew', 'floors', 'close', 'times', 'workers', 'sweep',
                 'quotas', 'ranges', 'names', 'stats']
    when p_state.left_over
      then array['promote', 'return', 'keys', 'overrides', 'weights', 'limits', 'renew', 'close',
                 'times', 'names']
    else array['promote', 'keys'] end;
  v_step text;
  v_left boolean := false;
  v_waiting boolean := true;
  v_due timestamptz;
  v_result record;
begin
  did := '{}'; failed := '{}';
  foreach v_step in array v_steps loop
    continue when v_step = 'sweep' and not p_all;
    continue when v_step = 'quotas' and not is_counting();
    continue when v_step = 'keys' and not p_all and not exists (
      select from key_note
       where key_note.note_id > coalesce(pg_sequence_last_value('key_floor'), 0));
    continue when v_step = 'names' and not exists (select from tenant_note);
    continue when v_step = 'weights' and not exists (select from weight_note);
    continue when v_step = 'overrides' and not exists (
      select from bound where bound.until <= p_state.at);
    continue when v_step = 'workers' and not p_all;
    continue when v_step = 'times' and not times_wanted();
    -- a step that runs into a time-out would make every tick as slow
    continue when v_step in ('quotas', 'ranges', 'names', 'stats', 'times') and exists (
      select from tick_fault fault
       where fault.step = v_step
         and fault.last_at > p_state.at - interval '1 minute' and fault.last_at <= p_state.at);
    if v_step = 'stats' and not stats_due(p_state.at) then
      perform setval('stats_owed', 1);
      continue;
    end if;
    select * into v_result from try_step(v_step, p_state, p_all);
    p_state := v_result.p_state;
    did := did || jsonb_build_object(v_step, v_result.done, v_step || '_more', v_result.more);
    v_left := v_left or v_result.again;
    if v_result.failed then
      failed := failed || v_step;
    end if;
    if v_step = 'floors' and not v_result.failed then
      v_waiting := v_result.more > 0;
    end if;
    exit when v_result.canceled;
  end loop;
  if p_round or p_state.left_over or v_left then
    p_state.left_over := v_left;
    if p_round then
      v_due := (select min(scheduled.run_at) from scheduled
                 where scheduled.run_at >= p_state.sched_floor);
      p_state.sched_floor := least(v_due, p_state.at - interval '1 min');
      p_state.quiet_until := quiet_until(p_state, v_waiting or failed <> '{}');
    end if;
    perform keep_state(p_state);
  end if;
end
$$;

comment on function fairclaim_internal.work_steps(fairclaim_internal.tick_state,
    boolean, boolean) is
'Runs the steps of a tick and keeps its state.';

-- internal/operator/check_filter.sql
-- What a filter may be. Error texts come from payloads as often as not, so looking for one is
-- reading it: auditors only.
create or replace function fairclaim_internal.check_filter(
  p_status text,
  p_older_than float8,
  p_newer_than float8,
  p_error text
) returns void
language plpgsql stable
as $$
begin
  if p_status not in ('scheduled', 'pending', 'processing', 'completed', 'failed', 'cancelled') then
    perform refuse('JQ004', 'p_status',
      'must be scheduled, pending, processing, completed, failed or cancelled',
      p_detail => '{"allowed": ["scheduled", "pending", "processing",
                                "completed", "failed", "cancelled"]}');
  elsif p_older_than not between 0 and 1577836800 then
    perform refuse('JQ004', 'p_older_than', 'must be seconds from 0 to 1,577,836,800 (50 years)',
      'give seconds: 604800 is a week', '{"minimum": 0, "maximum": 1577836800}');
  elsif p_newer_than not between 0 and 1577836800 then
    perform refuse('JQ004', 'p_newer_than', 'must be seconds from 0 to 1,577,836,800 (50 years)',
      'give seconds: 604800 is a week', '{"minimum": 0, "maximum": 1577836800}');
  elsif length(p_error) not between 1 and 255 then
    perform refuse('JQ004', 'p_error', 'must have 1 to 255 characters',
      'give a part of the error text, or null for any', '{"limit": 255}');
  elsif p_error is not null and not caller_is('auditor') then
    perform refuse('JQ007', 'p_error', 'error texts are for auditors only',
      format('leave it out, or as an administrator: grant %I to %I',
             our_role('auditor'), caller()));
  end if;
end
$$;

comment on function fairclaim_internal.check_filter(text, float8, float8, text) is
'Refuses a filter of jobs that cannot be (JQ004), and one by error text from a caller that is no auditor (JQ007).';

-- internal/operator/check_scope.sql
-- Null for the tenant means every tenant for an operator, and for others the default tenant of the
-- settings, if there is one.
create or replace function fairclaim_internal.check_scope(p_tenant_id uuid, p_ids uuid[])
returns uuid
language plpgsql stable
as $$
begin
  if cardinality(p_ids) is null or cardinality(p_ids) not between 1 and 10000
     or array_ndims(p_ids) > 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of 1 to 10,000 ids without nulls',
      'send 10,000 at most at a time, and no call for none', '{"limit": 10000}');
  elsif p_tenant_id is null and not caller_is('operator') then
    p_tenant_id := default_tenant();
    if p_tenant_id is null then
      perform refuse('JQ002', 'p_tenant_id', 'is missing',
        format('name the tenant; only an operator may leave it out: grant %I to %I'
               ' (an application with one tenant only sets it once:'
               ' `fairclaim settings set default_tenant app`)', our_role('operator'), caller()));
    end if;
  end if;
  return p_tenant_id;
end
$$;

comment on function fairclaim_internal.check_scope(uuid, uuid[]) is
'Refuses bad ids, and a call without a tenant by a caller that is no operator where there is no default tenant. Returns whose jobs are meant; null: every tenant''s.';

-- internal/operator/drop_wishes.sql
create or replace function fairclaim_internal.drop_wishes(p_ids uuid[]) returns void
language plpgsql
as $$
begin
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select wish.ctid from cancel_request wish
      where wish.id = any (p_ids) for update skip locked));
end
$$;

comment on function fairclaim_internal.drop_wishes(uuid[]) is
'Forgets the wishes to cancel these jobs: an older wish does not hold for new attempts.';

-- internal/operator/end_waiting.sql
-- Ends waiting jobs as cancelled. Lock order: ready, scheduled, held, each skip locked, then what
-- job_ended locks: a locked row is
-- being claimed, moved or promoted at this moment. Waiting rows are found among the rows that the
-- tenant has in own lanes or in the shared lanes of the queue, by index whatever the statistics
-- say: so sequential scans, hash joins and merge joins are off.
create or replace function fairclaim_internal.end_waiting(
  p_ids uuid[],
  p_tenants uuid[],
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_watched uuid[];
begin
  with known as materialized (
    select found.id, found.tenant_id, found.queue
      from unnest(p_ids, p_tenants) asked(id, tenant_id)
     cross join lateral (
       select job.* from job
        where job.tenant_id = asked.tenant_id and job.id = asked.id offset 0) found),
  pending as materialized (
    select waiting.place from known
     cross join lateral (
       select ready.ctid as place from ready
        where ready.tenant_id = known.tenant_id
          and (ready.lane_id >> 32) = any (array[0, lane_group(known.queue)])
          and ready.id = known.id
          for update skip locked) waiting),
  taken as (
    delete from ready where ready.ctid = any (array(select pending.place from pending))
    returning ready.id, ready.tenant_id, ready.attempts, ready.watched),
  delayed as materialized (
    select scheduled.ctid as place from scheduled
     where scheduled.id = any (array(select known.id from known)) for update skip locked),
  unscheduled as (
    delete from scheduled where scheduled.ctid = any (array(select delayed.place from delayed))
    returning scheduled.id, scheduled.tenant_id, scheduled.attempts, scheduled.watched),
  behind as materialized (
    select held.ctid as place from held
     where held.id = any (array(select known.id from known)) for update skip locked),
  unheld as (
    delete from held where held.ctid = any (array(select behind.place from behind))
    returning held.id, held.tenant_id, held.attempts),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status)
    select ended.id, ended.tenant_id, p_now, ended.attempts, 'cancelled'
      from (select taken.id, taken.tenant_id, taken.attempts from taken
            union all
            select unscheduled.id, unscheduled.tenant_id, unscheduled.attempts from unscheduled
            union all
            select unheld.id, unheld.tenant_id, unheld.attempts from unheld) ended)
  select array_agg(ended.id) into v_watched
    from (select taken.id from taken where taken.watched
          union all
          select unscheduled.id from unscheduled where unscheduled.watched) ended;
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(p_now);
  end if;
end
$$;

comment on function fairclaim_internal.end_waiting(uuid[], uuid[], timestamptz) is
'Ends those of these jobs that wait, pending or scheduled, as cancelled. One whose row another transaction holds is passed over.';

-- internal/operator/erase_jobs.sql
-- Deletes what waits or has ended, with everything that belongs to it. The row of `ready`,
-- `scheduled`, `held` or `finished` is a job's place, and the transaction that has locked it owns
-- the job: no other claims it, moves it, retries it, prunes it or adds an error to it. So the
-- places are taken first, and what belongs to the jobs is deleted by statements of their own. What
-- runs is left alone. Lock order: ready, scheduled, held, finished, each skip locked; then rows
-- that only the owner of a place deletes (attempt_error, job); then cancel_request (skip locked:
-- one that is missed here goes with one of the next ticks, since its job is gone). All of it by
-- index, whatever the statistics say. `offset 0` keeps a look at a row from becoming a join that
-- reads everything.
create or replace function fairclaim_internal.erase_jobs(p_ids uuid[], p_tenants uuid[])
returns table (id uuid, status text)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_statuses text[];
  v_watched uuid[];
begin
  with known as materialized (
    select job.id, job.tenant_id, job.queue
      from unnest(p_ids, p_tenants) wanted(id, tenant_id)
     cross join lateral (
       select known_job.id, known_job.tenant_id, known_job.queue from job known_job
        where known_job.tenant_id = wanted.tenant_id and known_job.id = wanted.id offset 0) job),
  waiting as materialized (
    select place.ctid
      from known
     cross join lateral (
       select ready.ctid from ready
        where ready.tenant_id = known.tenant_id and ready.id = known.id
          and (ready.lane_id >> 32) = any (array[0, lane_group(known.queue)])
          for update skip locked) place),
  from_ready as (
    delete from ready where ready.ctid = any (array(select waiting.ctid from waiting))
    returning ready.id, ready.tenant_id, ready.watched),
  due as materialized (
    select scheduled.ctid from scheduled
     where scheduled.id = any (array(select known.id from known)) for update skip locked),
  behind as materialized (
    select held.ctid from held
     where held.id = any (array(select known.id from known)) for update skip locked),
  from_held as (
    delete from held where held.ctid = any (array(select behind.ctid from behind))
    returning held.id, held.tenant_id),
  from_scheduled as (
    delete from scheduled where scheduled.ctid = any (array(select due.ctid from due))
    returning scheduled.id, scheduled.tenant_id, scheduled.watched),
  ended as materialized (
    select place.id, place.tenant_id, place.status
      from known
     cross join lateral (
       select finished.id, finished.tenant_id, finished.status from finished
        where finished.id = known.id and finished.tenant_id = known.tenant_id
          for update skip locked) place),
  taken as (
    select from_ready.id, from_ready.tenant_id, 'pending' as status from from_ready
    union all
    select from_scheduled.id, from_scheduled.tenant_id, 'scheduled' from from_scheduled
    union all
    select from_held.id, from_held.tenant_id, 'pending' from from_held
    union all
    select ended.id, ended.tenant_id, ended.status from ended)
  select array_agg(taken.id), array_agg(taken.tenant_id), array_agg(taken.status),
         (select array_agg(left_place.id)
            from (select from_ready.id from from_ready where from_ready.watched
                  union all
                  select from_scheduled.id from from_scheduled
                   where from_scheduled.watched) left_place)
    into v_ids, v_tenants, v_statuses, v_watched
    from taken;
  if v_ids is null then
    return;
  end if;
  delete from finished using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where finished.id = gone.id and finished.tenant_id = gone.tenant_id;
  delete from attempt_error using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where attempt_error.id = gone.id and attempt_error.tenant_id = gone.tenant_id;
  delete from job using unnest(v_ids, v_tenants) gone(id, tenant_id)
   where job.tenant_id = gone.tenant_id and job.id = gone.id;
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select wish.ctid from cancel_request wish
      where wish.id = any (v_ids) for update skip locked));
  if v_watched is not null and job_ended(v_watched) is not null then
    perform wake(fairclaim.clock());
  end if;
  return query select gone.id, gone.status from unnest(v_ids, v_statuses) gone(id, status);
end
$$;

comment on function fairclaim_internal.erase_jobs(uuid[], uuid[]) is
'Deletes those of these jobs that wait or have ended, with everything that belongs to them, and returns each with the status that it had. One that runs, or whose row another transaction holds, is passed over.';

-- internal/operator/error_code.sql
-- What operators who see no payload may see of an error: clip_error makes sure that a code is a
-- short word.
create or replace function fairclaim_internal.error_code(p_error jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when p_error is not null then
           jsonb_strip_nulls(jsonb_build_object(
             'code', p_error -> 'code', 'ended_as', p_error -> 'ended_as')) end
$$;

comment on function fairclaim_internal.error_code(jsonb) is
'An error without its texts: its code, and how a job ended that an operator ran again.';

-- internal/operator/error_has.sql
-- An error has at most 16 KiB (clip_error), so this reads no more than that.
create or replace function fairclaim_internal.error_has(p_error jsonb, p_text text) returns boolean
language sql immutable parallel safe
as $$
  select strpos(
           lower(concat_ws(E'\n', p_error ->> 'code', p_error ->> 'message', p_error ->> 'trace')),
           lower(p_text)) > 0
$$;

comment on function fairclaim_internal.error_has(jsonb, text) is
'Whether the code, the message or the trace of an error has this text in it, upper or lower case. What a command wrote to stderr is its trace.';

-- internal/operator/find_jobs.sql
-- Finds which tenants jobs belong to. Without a tenant the jobs are looked for in the narrow
-- tables. Only ids that are in none of those that have an index by id cost a read of what waits
-- (`ready`), once for all of them; none costs a read of the history.
create or replace function fairclaim_internal.find_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, tenant_id uuid)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  v_ids uuid[] := p_ids;
  v_found uuid[];
  v_tenants uuid[];
begin
  if p_tenant_id is not null then
    return query
    select job.id, job.tenant_id from job
     where job.tenant_id = p_tenant_id and job.id = any (p_ids);
    return;
  end if;
  select array_agg(narrow.id), array_agg(narrow.tenant_id) into v_found, v_tenants
    from (select finished.id, finished.tenant_id from finished where finished.id = any (p_ids)
          union all
          select running.id, running.tenant_id from running where running.id = any (p_ids)
          union all
          select scheduled.id, scheduled.tenant_id from scheduled
           where scheduled.id = any (p_ids)
          union all
          select held.id, held.tenant_id from held where held.id = any (p_ids)) narrow;
  return query
  select found.id, found.tenant_id from unnest(v_found, v_tenants) found(id, tenant_id);
  select array_agg(asked.id) into v_ids
    from unnest(p_ids) asked(id)
   where asked.id not in (select found.id from unnest(v_found) found(id));
  if v_ids is not null then
    return query select ready.id, ready.tenant_id from ready where ready.id = any (v_ids);
  end if;
end
$$;

comment on function fairclaim_internal.find_jobs(uuid, uuid[]) is
'Which of these jobs there are, with their tenants; p_tenant_id null for those of every tenant.';

-- internal/operator/matching_jobs.sql
-- The jobs that a filter finds, newest first, at most p_limit. `job` has no index by id alone, so a
-- call walks down from p_before_id
-- - with a tenant, and a status that is final or none: the tenant's own rows of `job`, by
--   (tenant_id, id);
-- - else the table of the status, by id: `finished`, `running`, `scheduled`, `held`. `ready` has no
--   index by id alone either: what waits in lanes (of the tenant, where there is one) is read whole
--   and sorted.
--
-- Each table gives at most p_limit rows, by an `order by ... limit` of its own, or the planner
-- reads and sorts all of `finished`. For the same reason the text of the query is put together from
-- the filters that are there; its parts are fixed. A page is full after as many rows as it has, if
-- all match. A filter that few rows match goes on, for as long as the ages leave something: they
-- are turned into bounds of ids (uuid v7), which leave out whole ranges. They are compared with
-- created_at as well, since a job with an id made beyond the last range is older than its id.
--
-- `exists (... offset 0)` keeps the look at a row's job a look, and no join of everything.
--
-- Parameters of the query: $1 the id before which, $2 the id from which on, $3 tenant, $4 queue, $5
-- type, $6 created before, $7 created since, $8 error text, $9 status, $10 limit. `found` is the
-- row that is walked to.
create or replace function fairclaim_internal.matching_jobs(
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_status text,
  p_before_id uuid,
  p_older_than interval,
  p_newer_than interval,
  p_error text,
  p_limit int
) returns table (id uuid, tenant_id uuid)
language plpgsql stable
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_until timestamptz := v_now - p_older_than;
  v_since timestamptz := v_now - p_newer_than;
  v_before uuid := coalesce(
    least(p_before_id, id_at(millis(v_until) + 1)), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from uuid := coalesce(id_at(millis(v_since) - 1), '00000000-0000-0000-0000-000000000000');
  v_final boolean := p_status is null or p_status in ('completed', 'failed', 'cancelled');
  v_job text := concat(
    case when p_queue is not null then ' and job.queue = $4' end,
    case when p_type is not null then ' and job.type = $5' end,
    case when v_until is not null then ' and job.created_at < $6' end,
    case when v_since is not null then ' and job.created_at >= $7' end);
  -- the error that a job ended with (%s), or else that of its last attempt
  v_error text := case when p_error is not null then
    ' and error_has(coalesce(%s, (select attempt_error.error from attempt_error
        where attempt_error.id = found.id and attempt_error.tenant_id = found.tenant_id
        order by attempt_error.attempt desc limit 1)), $8)' end;
  v_branch text := concat(
    '(select found.id, found.tenant_id from fairclaim_internal.%I found
       where found.id < $1 and found.id >= $2',
    case when p_tenant_id is not null then ' and found.tenant_id = $3' end,
    case when v_job <> '' then
      ' and exists (select from job
          where job.tenant_id = found.tenant_id and job.id = found.id'
        || v_job || ' offset 0)' end);
  v_plain_error text := coalesce(format(v_error, 'null'), '');      -- of a job that has not ended
  v_end text := ' order by found.id desc limit $10)';
  v_all text;
begin
  if p_tenant_id is not null and v_final then
    v_all := concat(
      '(select found.id, found.tenant_id from job found
         where found.id < $1 and found.id >= $2 and found.tenant_id = $3',
      replace(v_job, ' job.', ' found.'),
      case when p_status is not null then
        ' and exists (select from finished
            where finished.id = found.id and finished.tenant_id = found.tenant_id
              and finished.status = $9 offset 0)' end,
      ' and not exists (select from finished
          where finished.id = found.id and finished.tenant_id = found.tenant_id
            and finished.status = ''completed'' offset 0)'
        || format(v_error, '(select finished.error from finished
             where finished.id = found.id and finished.tenant_id = found.tenant_id)'),
      v_end);
  else
    -- each job is in exactly one of the five tables
    v_all := concat_ws(' union all ',
      case when v_final then
        concat(format(v_branch, 'finished'),
          case when p_status is not null then ' and found.status = $9' end,
          ' and found.status <> ''completed''' || format(v_error, 'found.error'), v_end) end,
      case when p_status is null or p_status = 'processing' then
        format(v_branch, 'running') || v_plain_error || v_end end,
      case when p_status is null or p_status = 'scheduled' then
        format(v_branch, 'scheduled') || v_plain_error || v_end end,
      case when p_status is null or p_status = 'pending' then
        format(v_branch, 'ready') || v_plain_error || v_end
        || ' union all ' || format(v_branch, 'held') || v_plain_error || v_end end);
  end if;
  return query execute
    'select either.id, either.tenant_id from (' || v_all || ') either
      order by either.id desc limit $10'
    using v_before, v_from, p_tenant_id, p_queue, p_type, v_until, v_since, p_error, p_status,
          p_limit;
end
$$;

comment on function fairclaim_internal.matching_jobs(uuid, text, text, text, uuid, interval,
    interval, text, int) is
'The ids of the jobs that a filter finds, newest first, with their tenants. What list_jobs and count_jobs have in common.';

-- internal/operator/note_operation.sql
-- Everything that an operator does to a tenant or a queue as a whole stands in the audit table, and
-- in the server's log without the reason, which may have anything in it.
create or replace function fairclaim_internal.note_operation(
  p_what text,
  p_tenant_id uuid,
  p_queue text,
  p_why text,
  p_many bigint default 0
) returns void
language plpgsql
as $$
begin
  if length(p_why) not between 1 and 1000 then
    perform refuse('JQ004', 'p_why', 'must have 1 to 1,000 characters',
      'say it in a sentence, or leave it out', '{"limit": 1000}');
  end if;
  perform note_audit(
    p_what, case when p_tenant_id is null then 'queue' else 'tenant' end, p_tenant_id, p_queue,
    null, null, p_why, p_many => least(p_many, 2147483647)::int);
end
$$;

comment on function fairclaim_internal.note_operation(text, uuid, text, text, bigint) is
'Notes what an operator did to a tenant or a queue, why, and to how many jobs. Errors: JQ004 for a reason that is too long.';

-- internal/operator/reopen_ended.sql
-- Moves the final facts of jobs into the history, and gives the jobs as they are to wait again,
-- with all their attempts: the caller puts them where they wait, and drops older wishes to cancel.
-- Locks rows of `finished` (skip locked).
create or replace function fairclaim_internal.reopen_ended(
  p_tenant_id uuid,
  p_ids uuid[],
  p_statuses text[] default null
) returns table (
  id uuid, tenant_id uuid, attempts int, attempts_left smallint, lost smallint, watched boolean
)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_rows ready[];
begin
  with locked as materialized (
    select finished.id, finished.tenant_id from finished
     where finished.id = any (p_ids)
       and (p_tenant_id is null or finished.tenant_id = p_tenant_id)
       and (p_statuses is null or finished.status = any (p_statuses)) for update skip locked),
  ended as (
    delete from finished using locked
     where finished.id = any (p_ids)
       and finished.id = locked.id and finished.tenant_id = locked.tenant_id
    returning finished.id, finished.tenant_id, finished.attempts, finished.status,
              finished.completed_at, finished.worker_id, finished.error),
  history as (
    insert into attempt_error (id, tenant_id, attempt, at, worker_id, error)
    select ended.id, ended.tenant_id, ended.attempts, ended.completed_at, ended.worker_id,
           coalesce(ended.error, '{}') || jsonb_build_object('ended_as', ended.status)
      from ended
    on conflict (id, attempt, tenant_id) do update
       set error = coalesce(attempt_error.error, '{}') || excluded.error)
  select array_agg(row (0, 0, ended.id, ended.tenant_id, ended.attempts,
                        known.max_attempts, 0, known.key is not null)::ready)
    into v_rows
    from ended
   cross join lateral (             -- one look by key for each, and no join of all jobs
     select job.max_attempts, job.key from job
      where job.tenant_id = ended.tenant_id and job.id = ended.id offset 0) known;
  return query
  select back.id, back.tenant_id, back.attempts, back.attempts_left, back.lost, back.watched
    from unnest(v_rows) back;
end
$$;

comment on function fairclaim_internal.reopen_ended(uuid, uuid[], text[]) is
'Takes back the ends of jobs, or of those with one of these statuses, and returns them with their attempts refilled. They are in no table of states then.';

-- internal/operator/status_of.sql
-- Tells the status of each job by the narrow table that has a row of it (I1). Each table is looked
-- into by the job's id.
create or replace function fairclaim_internal.status_of(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language sql stable
as $$
  with known as materialized (
    select found.id, found.tenant_id from fairclaim_internal.find_jobs(p_tenant_id, p_ids) found)
  select asked.id,
         case when known.id is not null then coalesce(
           (select finished.status from fairclaim_internal.finished
             where finished.id = known.id and finished.tenant_id = known.tenant_id),
           (select 'processing' from fairclaim_internal.running where running.id = known.id),
           (select 'scheduled' from fairclaim_internal.scheduled where scheduled.id = known.id),
           'pending') end
    from unnest(p_ids) with ordinality asked(id, ordinal)
    left join known on known.id = asked.id
   order by asked.ordinal
$$;

comment on function fairclaim_internal.status_of(uuid, uuid[]) is
'The status of each job, null for one that is not there.';

-- internal/operator/wake_cancel.sql
-- For jobs that run: workers that hear it ask at once which jobs to stop, and need not wait for
-- their heartbeat. Busy workers hear it too, so it is not asked whether one is asleep. As seldom as
-- wake(); a wish that was left out is found by the heartbeat. The next answers of settle_and_claim
-- look for the wish as well.
create or replace function fairclaim_internal.wake_cancel(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_ms bigint := millis(p_now);
  v_last bigint := coalesce(pg_sequence_last_value('notified_at'), 0);
begin
  perform setval('wished_at', greatest(0, v_ms));
  if v_last not between v_ms + 100 and v_ms + 1000 and tell('cancel') then
    perform setval('notified_at',
      4 + case when v_last between v_ms and v_ms + 100 then v_last else v_ms end);
  end if;
end
$$;

comment on function fairclaim_internal.wake_cancel(timestamptz) is
'Tells workers that a job is to be stopped (NOTIFY fairclaim, with the payload cancel), seldom.';

-- internal/queue/check_queue.sql
create or replace function fairclaim_internal.check_queue(
  p_queue text,
  p_field text default 'p_queue'
) returns void
language plpgsql
as $$
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', p_field,
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
end
$$;

comment on function fairclaim_internal.check_queue(text, text) is
'Refuses what cannot be the name of a queue (JQ004).';

-- internal/queue/queue_in_use.sql
-- Whether a queue is in use. A queue exists by use, and only a name that was misspelt does not.
-- Lanes are the trace of use that is cheap to look for.
create or replace function fairclaim_internal.queue_in_use(p_queue text) returns boolean
language sql stable
as $$
  select exists (
           select from fairclaim_internal.lane
            where lane.tenant_id is null and lane.queue = p_queue)
      or exists (
           select from fairclaim_internal.lane
            where lane.tenant_id is not null and lane.queue = p_queue)
$$;

comment on function fairclaim_internal.queue_in_use(text) is
'Whether jobs wait in this queue, or have within the last hour.';

-- internal/quota/check_batch_quotas.sql
-- Reads from a batch only whose jobs they are and in which queue. What is wrong with a job is left
-- to the checks that follow: a tenant that is none is passed over here.
create or replace function fairclaim_internal.check_batch_quotas(p_jobs jsonb, p_tenants jsonb)
returns void
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_queues text[];
  v_jobs int[];
  v_items int[];
begin
  select array_agg(given.tenant_id), array_agg(given.queue), array_agg(given.jobs),
         array_agg(given.item)
    into v_tenants, v_queues, v_jobs, v_items
    from (select named.tenant::uuid as tenant_id, named.queue, count(*)::int as jobs,
                 min(named.place)::int - 1 as item
            from (select coalesce(job.item ->> 'tenant_id',
                           p_tenants ->> coalesce(job.item ->> 'tenant', '')) as tenant,
                         coalesce(job.item ->> 'queue', 'default') as queue, job.place
                    from jsonb_array_elements(p_jobs) with ordinality job(item, place)) named
           where named.tenant ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
           group by 1, 2) given;
  if v_tenants is not null then
    perform check_quotas(v_tenants, v_queues, v_jobs, v_items);
  end if;
end
$$;

comment on function fairclaim_internal.check_batch_quotas(jsonb, jsonb) is
'Refuses a batch (JQ003) after which a tenant has more jobs waiting than its quota. p_tenants: the ids of the tenants that it names.';

-- internal/quota/check_quotas.sql
-- Called only where a quota or a drain is set, before anything is written. It locks nothing, so
-- that no dispatch waits for another: transactions that are open at the same time do not see each
-- other's jobs. So a tenant can come to have as many jobs above its quota as the others dispatch
-- that are open at the same moment, and no more: n - 1 by single dispatches of n sessions. With a
-- quota above 1,000, those that were open when tick counted are open until tick counts again.
--
-- dispatch_jobs pins hash joins, which these looks by index must not have.
create or replace function fairclaim_internal.check_quotas(
  p_tenants uuid[],
  p_queues text[],
  p_jobs int[],
  p_items int[] default null
) returns void
language plpgsql
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_fault record;
begin
  select given.item, drain.queue <> '' as is_queue into v_fault
    from unnest(p_tenants, p_queues, p_items) given(tenant_id, queue, item)
   cross join lateral (
     select bound.queue from waiting_limit bound
      where bound.subject = 'drain'
        and (bound.tenant_id = given.tenant_id and bound.queue = ''
             or bound.tenant_id = v_none and bound.queue = given.queue collate "C")
      limit 1) drain
   order by given.item limit 1;
  if found then
    perform refuse('JQ003',
      coalesce('p_jobs[' || v_fault.item || '].', '')
        || case when v_fault.is_queue then 'queue' else 'tenant' end,
      'is being drained and takes no new jobs',
      'dispatch elsewhere, or later; an operator ends it: '
        || case when v_fault.is_queue then '`fairclaim queues undrain`'
                else '`fairclaim tenants undrain`' end,
      '{"limit": 0, "quota": "drain"}');
  end if;

  with bound as materialized (
    select quota.subject, given.tenant_id, quota.queue, quota.max_waiting,
           sum(given.jobs)::int as jobs, min(given.item) as item
      from unnest(p_tenants, p_queues, p_jobs, p_items) given(tenant_id, queue, jobs, item)
     cross join lateral quotas_of(given.tenant_id, given.queue) quota
     where quota.refuses
     group by quota.subject, given.tenant_id, quota.queue, quota.max_waiting),
  listed as materialized (
    select bound.*, row_number() over () as place from bound)
  select listed.item, listed.subject, listed.queue <> '' as in_queue, listed.max_waiting
    into v_fault
    from listed
    left join waiting_jobs(
           (select array_agg(listed.tenant_id order by listed.place) from listed),
           (select array_agg(listed.queue order by listed.place) from listed),
           (select array_agg(greatest(1, listed.max_waiting - listed.jobs + 1)
                             order by listed.place) from listed)) waits
           on waits.place = listed.place
   where listed.jobs > listed.max_waiting or waits.jobs + listed.jobs > listed.max_waiting
   order by listed.item, listed.queue limit 1;
  if found then
    perform refuse('JQ003', coalesce('p_jobs[' || v_fault.item || '].', '') || 'tenant',
      format('may have %s waiting%s (%s)', counted(v_fault.max_waiting, 'job'),
             case when v_fault.in_queue then ' in this queue' else '' end,
             case v_fault.subject when 'tenant' then 'its own quota' else 'the default quota' end),
      'dispatch later, when jobs of this tenant have been claimed, or send fewer at once; operators'
        || ' see it by `fairclaim tenants quotas` and may raise it',
      jsonb_build_object('limit', v_fault.max_waiting, 'quota',
        v_fault.subject || case when v_fault.in_queue then '_in_queue' else '' end));
  end if;
end
$$;

comment on function fairclaim_internal.check_quotas(uuid[], text[], int[], int[]) is
'Refuses a dispatch (JQ003) after which a tenant has more jobs waiting than its quota, or one for a tenant or a queue that is being drained. p_items: where in the batch the first job of each is. Transactions that are open at the same time do not count each other''s jobs: by so many a quota can be passed.';

-- internal/quota/count_one.sql
-- Goes on with the count of one tenant, in one queue or in all: what came after the last mark is
-- added, and the pass that counts all of it again goes on by p_size rows. A pass ends with the last
-- row, or a little above the quota, so that a backlog far above it is never walked. Own lanes only:
-- a tenant has a handful of rows in shared ones.
create or replace function fairclaim_internal.count_one(
  inout p_count fairclaim_internal.waiting_count,
  p_mark bigint,
  p_most int,
  p_size int,
  out looked int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_added bigint;
  v_found record;
begin
  select array_agg(own.lane_id order by own.lane_id), array_agg(own.floor order by own.lane_id)
    into v_lanes, v_floors
    from (select lane.lane_id, lane.floor from lane
           where lane.tenant_id = p_count.tenant_id
             and (p_count.queue = '' or lane.queue = p_count.queue) offset 0) own;
  select count(*) into v_added
    from unnest(v_lanes, v_floors) own(lane_id, floor)
   cross join lateral (
     select from ready
      where ready.lane_id = own.lane_id and ready.seq > p_count.mark and ready.seq <= p_mark
        and ready.seq >= own.floor
      order by ready.lane_id, ready.seq limit p_most) fresh;
  select count(*)::int as rows, max(met.lane_id) as lane_id,
         (array_agg(met.seq order by met.lane_id desc, met.seq desc))[1] as seq
    into v_found
    from (select row_of.lane_id, row_of.seq
            from unnest(v_lanes, v_floors) own(lane_id, floor)
           cross join lateral (
             select ready.lane_id, ready.seq from ready
              where own.lane_id >= p_count.pass_lane
                and ready.lane_id = own.lane_id and ready.seq >= own.floor
                and ready.seq > case when own.lane_id = p_count.pass_lane
                                     then p_count.pass_seq else 0 end
                and ready.seq <= p_count.pass_mark
              order by ready.lane_id, ready.seq limit p_size) row_of
           limit p_size) met;
  looked := v_found.rows + v_added;
  p_count.jobs := p_count.jobs + v_added;
  p_count.pass_added := p_count.pass_added + v_added;
  p_count.pass_jobs := p_count.pass_jobs + v_found.rows;
  p_count.pass_lane := coalesce(v_found.lane_id, p_count.pass_lane);
  p_count.pass_seq := coalesce(v_found.seq, p_count.pass_seq);
  p_count.mark := p_mark;
  if v_found.rows < p_size or p_count.pass_jobs > p_most then
    p_count.jobs := p_count.pass_jobs + p_count.pass_added;
    p_count.pass_jobs := 0;
    p_count.pass_added := 0;
    p_count.pass_lane := 0;
    p_count.pass_seq := 0;
    p_count.pass_mark := p_mark;
  end if;
end
$$;

comment on function fairclaim_internal.count_one(fairclaim_internal.waiting_count, bigint, int,
    int) is
'Goes on with the count of what waits of one tenant in own lanes. Returns the count and how many rows it looked at.';

-- internal/quota/count_waiting.sql
-- The step `quotas` of a tick: at most 200 tenants and about 4 times p_size rows a call, those that
-- were counted longest ago first. Locks rows of waiting_count and of quota_place (skip locked):
-- only a tick has them, and one that was passed may still.
create or replace function fairclaim_internal.count_waiting(
  p_state fairclaim_internal.tick_state,
  p_size int
) returns int
language plpgsql
as $$
declare
  v_place quota_place;
  v_count waiting_count;
  v_looked int := 0;
  v_result record;
begin
  select * into v_place from quota_place for update skip locked;
  if not found then
    return 0;
  end if;
  v_place.lane := find_counted(v_place, p_state.at, p_size);
  v_place := note_delayed(v_place, p_size);
  for v_count in
    select * from waiting_count
     order by waiting_count.counted_at, waiting_count.tenant_id limit 200 for update skip locked
  loop
    select * into v_result
      from count_one(v_count, p_state.mark,
             (select quota.max_waiting + quota.max_waiting / 16 + 1000
                from quotas_of(v_count.tenant_id, v_count.queue) quota
               where quota.queue = v_count.queue),
             p_size) counted;
    v_looked := v_looked + v_result.looked;
    v_count := v_result.p_count;
    update waiting_count
       set jobs = v_count.jobs, mark = v_count.mark, counted_at = p_state.at,
           pass_jobs = v_count.pass_jobs, pass_added = v_count.pass_added,
           pass_mark = v_count.pass_mark, pass_lane = v_count.pass_lane,
           pass_seq = v_count.pass_seq
     where waiting_count.tenant_id = v_count.tenant_id
       and waiting_count.queue = v_count.queue;
    exit when v_looked >= p_size * 4;
  end loop;
  update quota_place
     set lane = v_place.lane, fresh = v_place.fresh, delayed = v_place.delayed,
         kept_tenant = v_place.kept_tenant, kept_id = v_place.kept_id
   where quota_place is distinct from v_place;
  return v_looked;
end
$$;

comment on function fairclaim_internal.count_waiting(fairclaim_internal.tick_state, int) is
'Counts what waits of tenants with quotas, a slice. Returns how many rows it counted.';

-- internal/quota/find_counted.sql
-- Which quotas are to be counted by tick: those above 1,000 of tenants that have an own lane, found
-- in a slice of the own lanes; whoever has none has a handful of jobs waiting. Smaller quotas are
-- counted by the dispatch itself, exactly. A quota that was taken away, or is small now, is
-- forgotten.
create or replace function fairclaim_internal.find_counted(
  p_place fairclaim_internal.quota_place,
  p_now timestamptz,
  p_size int
) returns bigint
language plpgsql
as $$
declare
  v_lanes bigint[];
begin
  delete from waiting_count
   where waiting_count.ctid = any (array(
     select useless.ctid from waiting_count useless
      where not exists (
              select from quotas_of(useless.tenant_id, useless.queue) quota
               where quota.queue = useless.queue and quota.max_waiting > 1000)
        for update skip locked));
  v_lanes := array(select lane.lane_id from lane
                    where lane.lane_id > greatest(0, p_place.lane)
                    order by lane.lane_id limit p_size);
  insert into waiting_count (tenant_id, queue, counted_at)
  select distinct seen.tenant_id, quota.queue, p_now
    from (select distinct lane.tenant_id, lane.queue from lane
           where lane.lane_id = any (v_lanes) and lane.tenant_id is not null) seen
   cross join lateral quotas_of(seen.tenant_id, seen.queue) quota
   where quota.max_waiting > 1000
      on conflict do nothing;
  return case when cardinality(v_lanes) = p_size then v_lanes[p_size] else 0 end;
end
$$;

comment on function fairclaim_internal.find_counted(fairclaim_internal.quota_place, timestamptz,
    int) is
'Notes which quotas tick counts, from a slice of the own lanes, and returns the last lane that it saw.';

-- internal/quota/is_counting.sql
-- Cheap where no quota is set: a look at three empty tables. In plpgsql, since a function in the
-- language SQL would be planned again at every tick.
create or replace function fairclaim_internal.is_counting() returns boolean
language plpgsql stable
as $$
begin
  return exists (select from waiting_limit where waiting_limit.subject <> 'drain')
      or exists (select from waiting_count)
      or exists (select from delayed_job);
end
$$;

comment on function fairclaim_internal.is_counting() is
'Whether a tick has to count what waits, for quotas.';

-- internal/quota/note_delayed.sql
-- `scheduled` has no index by tenant, since every retry would pay for it. So tick keeps a list of
-- the delayed jobs of tenants with a quota: it reads the new ones, whose ids come after the last
-- one it read; a slice of all of them again and again, for those that were committed late or were
-- there before the quota; and a slice of its list, from which it takes those that have gone.
create or replace function fairclaim_internal.note_delayed(
  inout p_place fairclaim_internal.quota_place,
  p_size int
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
  v_fresh uuid[] := array(select scheduled.id from scheduled
                           where scheduled.id > p_place.fresh
                           order by scheduled.id limit p_size);
  v_all uuid[] := array(select scheduled.id from scheduled
                         where scheduled.id > p_place.delayed
                         order by scheduled.id limit p_size / 4);
  v_kept delayed_job[];
begin
  insert into delayed_job (tenant_id, id, queue, run_at)
  select later.tenant_id, later.id, known.queue, later.run_at
    from scheduled later
   cross join lateral (
     select job.queue from job
      where job.tenant_id = later.tenant_id and job.id = later.id offset 0) known
   where later.id = any (v_fresh || v_all) and later.attempts = 0
     and exists (select from waiting_limit bound
                  where bound.tenant_id = any (array[later.tenant_id, v_none])
                    and bound.subject <> 'drain' offset 0)
      on conflict do nothing;
  p_place.fresh := coalesce(v_fresh[cardinality(v_fresh)], p_place.fresh);
  p_place.delayed := case when cardinality(v_all) = p_size / 4 then v_all[p_size / 4]
                          else v_none end;
  v_kept := array(select delayed_job from delayed_job
                   where (delayed_job.tenant_id, delayed_job.id)
                         > (p_place.kept_tenant, p_place.kept_id)
                   order by delayed_job.tenant_id, delayed_job.id limit p_size / 4);
  delete from delayed_job
   using unnest(v_kept) kept
   where delayed_job.tenant_id = kept.tenant_id and delayed_job.id = kept.id
     and not exists (select from scheduled where scheduled.id = kept.id);
  p_place.kept_tenant := case when cardinality(v_kept) = p_size / 4
                              then v_kept[p_size / 4].tenant_id else v_none end;
  p_place.kept_id := case when cardinality(v_kept) = p_size / 4
                          then v_kept[p_size / 4].id else v_none end;
end
$$;

comment on function fairclaim_internal.note_delayed(fairclaim_internal.quota_place, int) is
'Keeps the list of delayed jobs of tenants with a quota. Returns how far it has come.';

-- internal/quota/quotas_of.sql
-- The tenant's own quota comes before the default one; one over all queues and one in the queue
-- hold both.
create or replace function fairclaim_internal.quotas_of(p_tenant_id uuid, p_queue text)
returns table (subject text, queue text, max_waiting int, refuses boolean)
language sql stable
as $$
  select distinct on (bound.queue) bound.subject, bound.queue, bound.max_waiting, bound.refuses
    from fairclaim_internal.waiting_limit bound
   where bound.tenant_id
           = any (array[p_tenant_id, '00000000-0000-0000-0000-000000000000'::uuid])
     and bound.queue = any (array['', p_queue] collate "C")
     and (bound.subject = 'tenant' and bound.tenant_id = p_tenant_id or bound.subject = 'default')
   order by bound.queue, bound.subject = 'tenant' desc
$$;

comment on function fairclaim_internal.quotas_of(uuid, text) is
'The quotas on waiting jobs that are in force for a tenant: over all queues (empty name) and in this one.';

-- internal/quota/waiting_jobs.sql
-- Counts what waits of each tenant, in one queue or ('') in all, up to p_most each:
-- - in own lanes, from their floors on; where tick has counted them, what tick counted and what
--   came after its mark;
-- - in shared lanes, of which a light tenant has a handful of rows;
-- - delayed jobs that have not run yet: those that tick has noted, and the newer ones.
-- A job that waits for its retry counts again when it is back in a lane. Each look goes by an index
-- and ends at p_most rows, so a large quota costs what was dispatched since the last tick. What was
-- claimed since is still counted there until a pass of tick has gone by.
--
-- The order of the joins is pinned: the tables may be full when the statistics say "empty".
create or replace function fairclaim_internal.waiting_jobs(
  p_tenants uuid[],
  p_queues text[],
  p_most int[]
) returns table (place int, jobs int)
language plpgsql stable
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_nestloop = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_fresh uuid := (select quota_place.fresh from quota_place);
begin
  return query
  select asked.place::int,
         least(asked.most, coalesce(known.jobs, 0) + own.jobs + shared.jobs
                           + noted.jobs + fresh.jobs)::int
    from unnest(p_tenants, p_queues collate "C", p_most) with ordinality
         asked(tenant_id, queue, most, place)
    left join lateral (
      select waiting_count.jobs, waiting_count.mark from waiting_count
       where waiting_count.tenant_id = asked.tenant_id and waiting_count.queue = asked.queue
      offset 0) known on true
   cross join lateral (
     select count(*) as jobs
       from (select
               from (select lane.lane_id, lane.floor from lane
                      where lane.tenant_id = asked.tenant_id
                        and lane.queue >= asked.queue
                        and (asked.queue = '' or lane.queue = asked.queue) offset 0) own_lane
              cross join lateral (
                select from ready
                 where ready.lane_id = own_lane.lane_id
                   and ready.seq >= greatest(own_lane.floor, known.mark + 1)
                 order by ready.lane_id, ready.seq limit asked.most) waiting
              limit asked.most) counted) own
   cross join lateral (
     select count(*) as jobs
       from (select from ready
              where ready.tenant_id = asked.tenant_id
                and (ready.lane_id >> 32)
                    >= case when asked.queue = '' then -4294967296 else lane_group(asked.queue) end
                and (ready.lane_id >> 32)
                    <= case when asked.queue = '' then -1 else lane_group(asked.queue) end
              limit asked.most) counted) shared
   cross join lateral (
     select count(*) as jobs
       from (select from delayed_job
              where delayed_job.tenant_id = asked.tenant_id and delayed_job.run_at > v_now
                and (asked.queue = '' or delayed_job.queue = asked.queue)
              limit asked.most) counted) noted
   cross join lateral (
     select count(*) as jobs
       from (select from scheduled
              where scheduled.id > v_fresh and scheduled.tenant_id = asked.tenant_id
                and scheduled.attempts = 0
                and (asked.queue = '' or exists (
                       select from job
                        where job.tenant_id = scheduled.tenant_id and job.id = scheduled.id
                          and job.queue = asked.queue offset 0))
              limit asked.most) counted) fresh;
end
$$;

comment on function fairclaim_internal.waiting_jobs(uuid[], text[], int[]) is
'How many jobs of each of these tenants wait, in one queue or (empty name) in all, counted up to p_most each.';

-- internal/range/drop_range.sql
-- Drops one range, in a subtransaction that gives all its locks back when it fails. First it locks
-- the three tables of the range against writers: a retry that commits after a look would lose its
-- job. Readers and dispatch go on meanwhile. Then it looks for what is in the way, and only when it
-- finds nothing it asks for the exclusive locks on the three parents. For these it waits as long as
-- lock_timeout says, so that what comes later waits no longer; drop_ranges() sets it to 5 ms.
--
-- A range ahead of the clock goes only when it is empty. One that cannot be dropped, since an event
-- trigger refuses it, say, is reported in the server's log and stays; prune() deletes its rows.
create or replace function fairclaim_internal.drop_range(
  p_starts_at timestamptz,
  p_before timestamptz
) returns int
language plpgsql
as $$
declare
  v_job text := range_name('job', p_starts_at);
  v_finished text := range_name('finished', p_starts_at);
  v_error text := range_name('attempt_error', p_starts_at);
  v_from uuid := id_at(millis(p_starts_at));
  v_to uuid := (
    select id_at(millis(id_range.ends_at)) from id_range
     where id_range.starts_at = p_starts_at);
  v_empty boolean;
  v_last_end timestamptz;
  v_asks boolean := false;                    -- for locks on the parents, which all sessions use
begin
  execute format(
    'lock table fairclaim_internal.%I, fairclaim_internal.%I, fairclaim_internal.%I '
      'in share row exclusive mode', v_job, v_finished, v_error);
  execute format('select not exists (select from fairclaim_internal.%I)', v_job) into v_empty;
  if not v_empty then
    if p_starts_at > fairclaim.clock() or range_waits(v_from, v_to) then
      update id_range set kept_at = fairclaim.clock() where id_range.starts_at = p_starts_at;
      return 0;
    end if;
    execute format(
      'select max(finished.completed_at) from fairclaim_internal.%I finished', v_finished)
      into v_last_end;
    if v_last_end >= p_before then
      update id_range set last_end = v_last_end where id_range.starts_at = p_starts_at;
      return 0;
    end if;
  end if;
  v_asks := true;
  if not rehearse_drop() then
    return -2;
  end if;
  lock table only job, only finished, only attempt_error in access exclusive mode;
  execute format(
    'drop table fairclaim_internal.%I, fairclaim_internal.%I, fairclaim_internal.%I',
    v_job, v_finished, v_error);
  delete from id_range where id_range.starts_at = p_starts_at;
  return 1;
exception
  when lock_not_available or deadlock_detected or undefined_table then
    return case when v_asks then -2 else -1 end;      -- in use, or another session dropped it
  when others then
    raise warning 'fairclaim: the range of ids from % cannot be dropped (SQLSTATE %): %',
        p_starts_at, sqlstate, sqlerrm
      using hint = 'prune() deletes its rows meanwhile'
        || coalesce('; see the event triggers ' || event_triggers(), '');
    return -2;
end
$$;

comment on function fairclaim_internal.drop_range(timestamptz, timestamptz) is
'Drops one range of ids from job, finished and attempt_error: 1. 0 if a job of it has not ended before p_before, -1 if another session uses its tables, -2 if their parents are in use, or if it cannot be dropped at all now (rehearse_drop, or an error, which is warned of).';

-- internal/range/event_triggers.sql
-- Event triggers of the database run with every range that is made or dropped. They are not part of
-- fairclaim, and may fail or be slow, so messages name them.
create or replace function fairclaim_internal.event_triggers() returns text
language sql stable
as $$
  select string_agg(pg_event_trigger.evtname, ', ' order by pg_event_trigger.evtname)
    from pg_catalog.pg_event_trigger
   where pg_event_trigger.evtenabled not in ('D', 'R')
     and pg_event_trigger.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
$$;

comment on function fairclaim_internal.event_triggers() is
'The names of the event triggers that run when tables are made or dropped; null where there are none.';

-- internal/range/is_held_long.sql
-- A request for an exclusive lock makes all sessions wait that come later. So there is none while a
-- transaction holds one of the tables that will not end at once: one that is there in two looks 20
-- ms apart. Reads pg_locks twice, and takes no lock.
create or replace function fairclaim_internal.is_held_long() returns boolean
language plpgsql volatile
as $$
declare
  v_tables oid[] :=
    array['job'::regclass, 'finished'::regclass, 'attempt_error'::regclass]::oid[];
  v_names text[];
begin
  for v_look in 1 .. 2 loop
    v_names := array(
      select distinct pg_locks.virtualtransaction from pg_catalog.pg_locks
       where pg_locks.locktype = 'relation' and pg_locks.relation = any (v_tables)
         and pg_locks.pid is distinct from pg_backend_pid()
         and pg_locks.database = (
               select pg_database.oid from pg_catalog.pg_database
                where pg_database.datname = current_database())
         and (v_look = 1 or pg_locks.virtualtransaction = any (v_names)));
    exit when v_names = '{}';
    if v_look = 1 then
      perform pg_sleep(0.02);
    end if;
  end loop;
  return v_names <> '{}';
end
$$;

comment on function fairclaim_internal.is_held_long() is
'Whether a transaction has held one of job, finished, attempt_error for longer than 20 ms.';

-- internal/range/make_range.sql
-- Makes each table standalone, with row security, and then attaches it: `partition of` would wait
-- for open transactions.
create or replace function fairclaim_internal.make_range(p_from timestamptz, p_to timestamptz)
returns void
language plpgsql
as $$
declare
  v_table text;
  v_part text;
begin
  foreach v_table in array array['job', 'finished', 'attempt_error'] loop
    v_part := range_name(v_table, p_from);
    execute format(
      'create table fairclaim_internal.%I (like fairclaim_internal.%I including all)',
      v_part, v_table);
    perform secure_table(v_part);
    execute format(
      'alter table fairclaim_internal.%I attach partition fairclaim_internal.%I '
        'for values from (%L) to (%L)',
      v_table, v_part, id_at(millis(p_from)), id_at(millis(p_to)));
  end loop;
  insert into id_range (starts_at, ends_at) values (p_from, p_to);
end
$$;

comment on function fairclaim_internal.make_range(timestamptz, timestamptz) is
'Makes one range of ids: a partition of job, of finished and of attempt_error.';

-- internal/range/make_ranges.sql
-- Makes ranges ahead of the clock, and never farther than three widths from it, whatever the caller
-- asks for: a clock that runs years ahead for a while leaves a few ranges there, and when it is
-- back the ranges around it go on where they ended. So ranges are added behind those around the
-- clock, up to the next that is there already. Without one around the clock, a new one begins a
-- little before it. Bounded: at most 16 ranges a call. A lock that is not free within 100 ms leaves
-- it to the next call.
create or replace function fairclaim_internal.make_ranges(p_until timestamptz) returns int
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set lock_timeout = '100ms'
set default_tablespace = ''
set timezone = 'UTC'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_until timestamptz := least(p_until, v_now + 3 * range_width());
  v_from timestamptz;
  v_made int := 0;
begin
  perform note_ranges(v_now);                 -- these are committed; those made below are not yet
  while v_made < 16 loop
    select block.ends_at into v_from from range_block(v_now) block;
    exit when v_from > v_until;
    if v_from is null then
      select greatest(
               max(id_range.ends_at),
               date_trunc('hour', v_now) - least(interval '1 day', range_width()))
        into v_from
        from id_range where id_range.ends_at <= v_now;
    end if;
    perform make_range(v_from, least(
      v_from + range_width((select count(*) from id_range)),
      (select min(id_range.starts_at) from id_range where id_range.starts_at > v_from)));
    v_made := v_made + 1;
  end loop;
  return v_made;
exception
  when lock_not_available then return 0;
end
$$;

comment on function fairclaim_internal.make_ranges(timestamptz) is
'Makes the ranges of ids (partitions of job, finished, attempt_error) from the clock up to a time, at most three widths ahead, and notes how far they reach. Called by tick and by the migration.';

-- internal/range/note_ranges.sql
-- Two sequences tell dispatch between which times it need not look at id_range. What is noted must
-- be committed, or be made by a migration before any client can dispatch. Nothing is noted while
-- the time lies in no range: what was noted stays true.
create or replace function fairclaim_internal.note_ranges(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_start bigint;
  v_end bigint;
begin
  select millis(block.starts_at), millis(block.ends_at) into v_start, v_end
    from range_block(p_now) block;
  if v_start is distinct from coalesce(pg_sequence_last_value('range_start'), 0) then
    perform setval('range_start', v_start);
  end if;
  if v_end is distinct from coalesce(pg_sequence_last_value('range_end'), 0) then
    perform setval('range_end', v_end);
  end if;
end
$$;

comment on function fairclaim_internal.note_ranges(timestamptz) is
'Notes in two sequences how far the ranges of ids reach around a time.';

-- internal/range/place_in_range.sql
-- For a time in no range: the last moment of the range before it, or the first moment of all
-- ranges. Reads id_range, a few dozen rows.
create or replace function fairclaim_internal.place_in_range(p_us bigint) returns bigint
language sql stable
as $$
  select case
    when exists (
      select from fairclaim_internal.id_range
       where p_us >= fairclaim_internal.millis(id_range.starts_at) * 1000
         and p_us < fairclaim_internal.millis(id_range.ends_at) * 1000) then p_us
    else coalesce(
      (select max(fairclaim_internal.millis(id_range.ends_at)) * 1000 - 1
         from fairclaim_internal.id_range
        where fairclaim_internal.millis(id_range.ends_at) * 1000 <= p_us),
      (select min(fairclaim_internal.millis(id_range.starts_at)) * 1000
         from fairclaim_internal.id_range),
      p_us) end
$$;

comment on function fairclaim_internal.place_in_range(bigint) is
'A time in microseconds, moved into the nearest range of ids when it lies in none.';

-- internal/range/range_block.sql
-- Ranges need not hang together: a clock that was wrong leaves some far ahead or behind. begins is
-- 1 where a range does not start where the one before it ends; so its running sum numbers the
-- blocks. Reads id_range, a few dozen rows.
create or replace function fairclaim_internal.range_block(
  p_at timestamptz,
  out starts_at timestamptz,
  out ends_at timestamptz
)
language sql stable
as $$
  select min(numbered.starts_at), max(numbered.ends_at)
    from (select parted.*, sum(parted.begins) over (order by parted.starts_at) as block
            from (select id_range.starts_at, id_range.ends_at,
                         (id_range.starts_at is distinct from
                            lag(id_range.ends_at) over (order by id_range.starts_at))::int as begins
                    from fairclaim_internal.id_range) parted) numbered
   group by numbered.block
  having min(numbered.starts_at) <= p_at and max(numbered.ends_at) > p_at
$$;

comment on function fairclaim_internal.range_block(timestamptz) is
'From where to where ranges of ids reach around a time without a gap; null when the time lies in none.';

-- internal/range/range_name.sql
-- Names the tables of a range in one place, for those that make, drop and prune them.
create or replace function fairclaim_internal.range_name(p_table text, p_starts_at timestamptz)
returns text
language sql immutable
as $$ select p_table || to_char(p_starts_at at time zone 'UTC', '_YYYYMMDD_HH24MI') $$;

comment on function fairclaim_internal.range_name(text, timestamptz) is
'The name of the partition of a table for the range of ids that starts then.';

-- internal/range/range_waits.sql
-- Every job that has not ended has a row in `running`, `scheduled`, `held` or `ready` (I1). All
-- but the last are looked up by id. `ready` is read until one is found: as many rows as jobs wait.
create or replace function fairclaim_internal.range_waits(p_from uuid, p_to uuid) returns boolean
language sql stable
as $$
  select exists (
           select from fairclaim_internal.running where running.id >= p_from and running.id < p_to)
      or exists (
           select from fairclaim_internal.scheduled
            where scheduled.id >= p_from and scheduled.id < p_to)
      or exists (
           select from fairclaim_internal.held where held.id >= p_from and held.id < p_to)
      or exists (
           select from fairclaim_internal.ready where ready.id >= p_from and ready.id < p_to)
$$;

comment on function fairclaim_internal.range_waits(uuid, uuid) is
'Whether a job with an id in this range has not ended.';

-- internal/range/range_width.sql
-- Ranges are few and wide: before PostgreSQL 18 each range costs every statement locks. The width
-- is a quarter of the retention, between an hour and seven days. From 16 ranges on it doubles with
-- every four of them, so that their number stays bounded although none can be dropped: the largest
-- width yields, and with it the number grows by four when the time that they span has doubled.
create or replace function fairclaim_internal.range_width(p_count bigint default 0) returns interval
language sql stable
as $$
  select date_trunc('minute',
           least(interval '7 days', greatest(interval '1 hour', setting.retention / 4)))
         * (2 ^ least(greatest((p_count - 12) / 4, 0), 12))
    from fairclaim_internal.setting
$$;

comment on function fairclaim_internal.range_width(bigint) is
'How wide the next range of ids is to be, when there are so many.';

-- internal/range/ranges_wanted.sql
-- Whether ranges ahead have to be made, or the two sequences do not say what is committed. Reads
-- id_range, a few dozen rows.
create or replace function fairclaim_internal.ranges_wanted(p_now timestamptz) returns boolean
language sql stable
as $$
  select not exists (
    select from fairclaim_internal.range_block(p_now) block
     where block.ends_at >= p_now + 2 * fairclaim_internal.range_width()
       and fairclaim_internal.millis(block.starts_at)
             = coalesce(pg_sequence_last_value('fairclaim_internal.range_start'), 0)
       and fairclaim_internal.millis(block.ends_at)
             = coalesce(pg_sequence_last_value('fairclaim_internal.range_end'), 0))
$$;

comment on function fairclaim_internal.ranges_wanted(timestamptz) is
'Whether make_ranges has something to do.';

-- internal/range/rehearse_drop.sql
-- Whether a range may be dropped now. It is asked before the exclusive locks are, which are on
-- tables that all sessions use.
--
-- The transaction must not be prepared: it would hold those locks until an operator remembers it.
-- PREPARE refuses a transaction that has made a temporary object, even if that is gone. A
-- notification would do too, but its commit fails when any login has filled the queue of
-- notifications, and waits for other commits that notify, with these locks. So a notification is
-- only for a database in which the owner may make nothing temporary, and never when that queue is
-- half full (see tell).
--
-- And where event triggers take long over a table that is of no use to any session, they would take
-- long over this one, with these locks.
create or replace function fairclaim_internal.rehearse_drop() returns boolean
language plpgsql
as $$
declare
  v_name text := 'fairclaim_' || replace(gen_random_uuid()::text, '-', '');
  v_triggers text := event_triggers();
  v_prepares boolean := current_setting('max_prepared_transactions')::int > 0;
  v_began timestamptz := fairclaim.clock();
begin
  if v_triggers is null and not v_prepares then
    return true;
  elsif has_database_privilege(current_database(), 'temporary') then
    execute format('create temporary table %I ()', v_name);
    execute format('drop table pg_temp.%I', v_name);
    if v_triggers is not null and fairclaim.clock() > v_began + interval '250 ms' then
      raise warning 'fairclaim: no range of ids is dropped, since event triggers (%) take too long',
          v_triggers
        using hint = 'make them faster, or let them pass over the schema fairclaim; '
          'prune() deletes the rows meanwhile';
      return false;
    end if;
    return true;
  elsif v_prepares and pg_notification_queue_usage() >= 0.5 then
    return false;
  elsif v_prepares then
    notify fairclaim_range;                   -- no client listens
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.rehearse_drop() is
'Whether a range may be dropped now: makes this transaction one that cannot be prepared, and drops a temporary table to see whether event triggers take long.';

-- internal/range/secure_table.sql
-- Enables and forces row security, with a policy for the owner: definer functions keep working, and
-- no other role sees a row.
create or replace function fairclaim_internal.secure_table(p_table text) returns void
language plpgsql
as $$
declare
  v_class oid := format('fairclaim_internal.%I', p_table)::regclass;
begin
  if not exists (
       select from pg_catalog.pg_class
        where pg_class.oid = v_class and pg_class.relrowsecurity
          and pg_class.relforcerowsecurity) then
    execute format(
      'alter table fairclaim_internal.%I enable row level security, force row level security',
      p_table);
  end if;
  if not exists (
       select from pg_catalog.pg_policy
        where pg_policy.polrelid = v_class and pg_policy.polname = 'owner_all') then
    execute format(
      'create policy owner_all on fairclaim_internal.%I to %I '
        'using (true) with check (true)', p_table,
      fairclaim_internal.our_role('owner'));
  end if;
end
$$;

comment on function fairclaim_internal.secure_table(text) is
'Enables and forces row security on a table and lets its owner through.';

-- internal/settings/check_setting.sql
-- The unit decides how a text is read: nothing is cast before it has that shape, since a cast that
-- fails quotes it.
create or replace function fairclaim_internal.check_setting(
  p_unit text,
  p_minimum numeric,
  p_maximum numeric,
  p_value text
) returns void
language plpgsql
as $$
declare
  v_shape text := case p_unit when 'seconds' then '^[0-9]+([.][0-9]+)?$' else '^[0-9]+$' end;
  v_what text := case p_unit when 'number' then 'whole number' else 'number of ' || p_unit end;
begin
  if p_value is null then
    return;
  elsif p_unit = 'name' then
    if not is_tenant_name(p_value) then
      perform refuse('JQ004', 'p_value', 'must be 1 to 255 bytes without control characters',
        p_detail => '{"limit": 255}');
    end if;
  elsif (case when length(p_value) <= 30 and p_value ~ v_shape
              then p_value::numeric not between p_minimum and p_maximum else true end) then
    perform refuse('JQ004', 'p_value',
      format('must be a %s from %s to %s', v_what, p_minimum, p_maximum),
      p_detail => jsonb_build_object('minimum', p_minimum, 'maximum', p_maximum));
  end if;
end
$$;

comment on function fairclaim_internal.check_setting(text, numeric, numeric, text) is
'Refuses a value that a setting with this unit and these bounds may not have (JQ004). Null is any setting''s default.';

-- internal/settings/known_settings.sql
-- The settings that an operator may change: one line each, which is all that another column of
-- setting needs. unit: seconds, bytes, number or name; it says how a value is read and
-- written (set_setting, list_settings). The defaults repeat those of the columns, which a test
-- compares.
create or replace function fairclaim_internal.known_settings() returns table (
  place int, name text, unit text, default_value text, minimum numeric, maximum numeric, about text
)
language sql immutable
as $$
  values
    (1, 'retention', 'seconds', '604800', 3600, 3110400000,
      'How long a job is kept after it has ended, with its result and errors.'),
    (2, 'max_payload', 'bytes', '1048576', 1024, 67108864,
      'How long the JSON text of a payload may be.'),
    (3, 'max_own_lanes', 'number', '1000', 1, 100000,
      'How many pairs of type and priority a tenant may have waiting in a queue.'),
    (4, 'max_shared_lanes', 'number', '2000', 1, 100000,
      'How many pairs of type and priority of a queue may have a shared lane.'),
    (5, 'close_delay', 'seconds', '10', 0, 86400,
      'How old an empty lane of a tenant is before it is closed and deleted.'),
    (6, 'tick_every', 'seconds', '0.5', 0, 10,
      'How often maintenance looks at everything, however many workers there are.'),
    (7, 'suspect_wait', 'seconds', '3600', 60, 3110400000,
      'How long a job that was lost twice may wait to be run alone before it fails.'),
    (8, 'default_tenant', 'name', null, null, null,
      'The tenant of a dispatch that names none; without it, that is refused.')
$$;

comment on function fairclaim_internal.known_settings() is
'The settings that can be changed by set_setting, in the order in which they are listed: unit, default, bounds, and what each is.';

-- internal/settle/cancelled_jobs.sql
-- Of very many wishes it looks at the newest hundred, since each call that settles or claims asks
-- it for a minute after a wish; heartbeats tell of all.
create or replace function fairclaim_internal.cancelled_jobs(p_worker_id text) returns uuid[]
language plpgsql
as $$
begin
  return (
    select array_agg(wish.id)
      from (select cancel_request.id from cancel_request
             order by cancel_request.request_id desc limit 100) wish
     cross join lateral (
       select running.worker_id from running where running.id = wish.id offset 0) attempt
     where attempt.worker_id = p_worker_id);
end
$$;

comment on function fairclaim_internal.cancelled_jobs(text) is
'The running jobs of this worker that were asked to stop; null for none.';

-- internal/settle/check_settle.sql
-- What settle_jobs refuses before it looks at anything: not called where one expression of its own
-- tells that all is well. A batch is refused whole. What is inside a result or an error is no
-- reason to refuse it: see read_texts.
create or replace function fairclaim_internal.check_settle(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[]
) returns void
language plpgsql
as $$
declare
  v_n int := cardinality(p_ids);
  v_list text;                                -- one that is not like p_ids
  v_rule text;
  v_place int;                                -- of the first bad item, from 1
begin
  if p_worker_id is null or length(p_worker_id) not between 1 and 255
     or p_worker_id ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 printable characters',
      'pass the name that the claim was made with', '{"minimum": 1, "maximum": 255}');
  elsif v_n is null or v_n > 10000 or array_ndims(p_ids) > 1 or array_lower(p_ids, 1) <> 1
        or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'settle 10,000 at most at a time', '{"limit": 10000}');
  end if;
  v_list := case when coalesce(cardinality(p_attempts), 0) <> v_n then 'p_attempts'
                 when coalesce(cardinality(p_lease_tokens), 0) <> v_n then 'p_lease_tokens'
                 when coalesce(cardinality(p_outcomes), 0) <> v_n then 'p_outcomes'
                 when cardinality(p_results) <> v_n then 'p_results'
                 when cardinality(p_errors) <> v_n then 'p_errors'
                 when cardinality(p_delays) <> v_n then 'p_delays' end;
  if v_list is not null then
    perform refuse('JQ004', v_list, 'must have as many items as p_ids',
      'the lists go item by item: give one for each id, null where there is none');
  end if;
  v_list := case when array_dims(p_attempts) <> array_dims(p_ids) then 'p_attempts'
                 when array_dims(p_lease_tokens) <> array_dims(p_ids) then 'p_lease_tokens'
                 when array_dims(p_outcomes) <> array_dims(p_ids) then 'p_outcomes'
                 when array_dims(p_results) <> array_dims(p_ids) then 'p_results'
                 when array_dims(p_errors) <> array_dims(p_ids) then 'p_errors'
                 when array_dims(p_delays) <> array_dims(p_ids) then 'p_delays' end;
  if v_list is not null then                  -- items would be taken for those of other jobs
    perform refuse('JQ004', v_list, 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  end if;
  -- the usual case is one plain expression; only a refusal pays for finding the item
  if not p_outcomes <@ array['complete', 'retry', 'fail', 'snooze', 'release', 'cancel'] then
    select item.place into v_place from unnest(p_outcomes) with ordinality item(outcome, place)
     where item.outcome is null
        or item.outcome not in ('complete', 'retry', 'fail', 'snooze', 'release', 'cancel')
     limit 1;
    perform refuse('JQ004', format('p_outcomes[%s]', v_place - 1),
      'must be complete, retry, fail, snooze, release or cancel',
      p_detail => '{"allowed": ["complete", "retry", "fail", "snooze", "release", "cancel"]}');
  end if;
  if (0 <= all (p_delays) and 157766400 >= all (p_delays)) is false then
    select item.place into v_place from unnest(p_delays) with ordinality item(delay, place)
     where not item.delay between 0 and 157766400 limit 1;
    perform refuse('JQ004', format('p_delays[%s]', v_place - 1),
      'must be seconds from 0 to 5 years',
      'give seconds, or null for the usual pause of a retry',
      '{"minimum": 0, "maximum": 157766400}');
  end if;
  -- without a pause a snoozed job would run again and again, at no attempt's cost
  if 'snooze' = any (p_outcomes) then
    select item.place,
           case when item.delay is null then 'must not be null where the outcome is snooze'
                else 'must be at least 0.1 where the outcome is snooze' end
      into v_place, v_rule
      from unnest(p_outcomes, p_delays) with ordinality item(outcome, delay, place)
     where item.outcome = 'snooze' and (item.delay is null or item.delay < 0.1) limit 1;
    if found then
      perform refuse('JQ004', format('p_delays[%s]', v_place - 1), v_rule,
        'say for how many seconds the job shall wait, or give it back at once with release',
        '{"minimum": 0.1, "maximum": 157766400}');
    end if;
  end if;
  if num_nonnulls(variadic p_results) > 0 or num_nonnulls(variadic p_errors) > 0
     or num_nonnulls(variadic p_delays) > 0 then
    perform check_use(p_outcomes, p_results, p_errors, p_delays);
  end if;
end
$$;

comment on function fairclaim_internal.check_settle(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[]) is
'Refuses bad arguments of a settlement (JQ004).';

-- internal/settle/check_use.sql
-- What an outcome has no use for would be lost without a word, and the caller would believe that it
-- is kept: so it is refused. The lists have been checked; each of these looks is made only where it
-- can find something.
create or replace function fairclaim_internal.check_use(
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[]
) returns void
language plpgsql
as $$
declare
  v_place int;                                -- of the first bad item, from 1
begin
  if num_nonnulls(variadic p_results) > 0 and ('complete' = all (p_outcomes)) is not true then
    select item.place into v_place
      from unnest(p_outcomes, p_results) with ordinality item(outcome, result, place)
     where item.outcome <> 'complete' and item.result is not null limit 1;
    if found then
      perform refuse('JQ004', format('p_results[%s]', v_place - 1),
        'must be null unless the outcome is complete',
        'settle it as complete, or leave its result out');
    end if;
  end if;
  if num_nonnulls(variadic p_errors) > 0
     and p_outcomes && array['complete', 'snooze', 'release'] then
    select item.place into v_place
      from unnest(p_outcomes, p_errors) with ordinality item(outcome, error, place)
     where item.outcome in ('complete', 'snooze', 'release') and item.error is not null limit 1;
    if found then
      perform refuse('JQ004', format('p_errors[%s]', v_place - 1),
        'must be null unless the outcome is retry, fail or cancel',
        'settle it as retry, fail or cancel, or leave its error out');
    end if;
  end if;
  if num_nonnulls(variadic p_delays) > 0
     and p_outcomes && array['complete', 'fail', 'release', 'cancel'] then
    select item.place into v_place
      from unnest(p_outcomes, p_delays) with ordinality item(outcome, delay, place)
     where item.outcome in ('complete', 'fail', 'release', 'cancel') and item.delay is not null
     limit 1;
    if found then
      perform refuse('JQ004', format('p_delays[%s]', v_place - 1),
        'must be null unless the outcome is retry or snooze',
        'settle it as retry or snooze, or leave its delay out');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.check_use(text[], text[], text[], float8[]) is
'Refuses a result, an error or a delay beside an outcome that has no use for it (JQ004).';

-- internal/settle/clip_error.sql
-- An attempt's error, always an object and at most 16 KiB: code, message and trace are kept, each
-- cut. What is no object, or nests too deep, becomes one; it is never refused, since the worker
-- that settles did not make it. A code is a short word that operators may read who see no payload,
-- so what is none is dropped; a number becomes one. In plpgsql: a function in SQL that is not
-- inlined is planned again in every transaction.
create or replace function fairclaim_internal.clip_error(p_error jsonb) returns jsonb
language plpgsql immutable
as $$
declare
  v_error jsonb := p_error;
  v_bytes int;
begin
  if p_error is null then
    return null;
  elsif jsonb_typeof(p_error) <> 'object' then
    return jsonb_build_object('message', left(p_error #>> '{}', 900));
  elsif (jsonb_typeof(p_error -> 'code') in ('string', 'number')
         and length(p_error ->> 'code') <= 64
         and p_error ->> 'code' ~ '^[A-Za-z0-9_.:-]+$') is false then
    v_error := p_error - 'code';
  elsif jsonb_typeof(p_error -> 'code') = 'number' then
    v_error := jsonb_set(p_error, '{code}', to_jsonb(p_error ->> 'code'));
  end if;
  v_bytes := octet_length(v_error::text);
  if v_bytes > 16384 or v_bytes > 257 and too_deep(v_error) then
    return jsonb_build_object('code', v_error ->> 'code',
                              'message', left(v_error ->> 'message', 900),
                              'trace', left(v_error ->> 'trace', 1500), 'cut', true);
  end if;
  return v_error;
end
$$;

comment on function fairclaim_internal.clip_error(jsonb) is
'An error {code, message, trace} of at most 16 KiB. A code that is no word of at most 64 characters of A-Z a-z 0-9 _ . : - is dropped; a number becomes one.';

-- internal/settle/is_suspect_waiting.sql
-- Asked only while a tick has seen a lane of such jobs within a minute (settle_and_claim).
create or replace function fairclaim_internal.is_suspect_waiting(p_queues text[], p_types text[])
returns boolean
language plpgsql
as $$
begin
  return exists (
    select from lane
     where lane.alone
       and (p_queues is null or lane.queue = any (p_queues))
       and (p_types is null or lane.type = any (p_types))
       and exists (select from ready
                    where ready.lane_id = lane.lane_id and ready.seq >= lane.floor)
       and not exists (select from queue
                        where queue.name = lane.queue and queue.paused_at is not null));
end
$$;

comment on function fairclaim_internal.is_suspect_waiting(text[], text[]) is
'Whether a job that is to run alone waits in these queues, of these types (null: any), and may be claimed.';

-- internal/settle/leave_room.sql
-- Attempts that counted under limits have ended: claims walk the lanes of their tenants again, and
-- workers that sleep are told if they would find something. A lane that is locked at this moment is
-- left to the next tick.
create or replace function fairclaim_internal.leave_room(p_now timestamptz, p_tenants uuid[])
returns void
language plpgsql
as $$
begin
  if exists (select from lane where not lane.walked and lane.tenant_id = any (p_tenants)) then
    update lane set walked = true
     where lane.ctid = any (array(
       select freed.ctid from lane freed
        where not freed.walked and freed.tenant_id = any (p_tenants) for update skip locked));
  end if;
  if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(p_now) then
    perform wake_freed(p_now, p_tenants);
  end if;
end
$$;

comment on function fairclaim_internal.leave_room(timestamptz, uuid[]) is
'Lets claims find the jobs of these tenants again, of which limited jobs have ended, and wakes idle workers for them.';

-- internal/settle/note_freed.sql
-- Called for each limited row that a settlement of many jobs deletes, so that the statement that
-- answers the caller need not gather their tenants.
create or replace function fairclaim_internal.note_freed(p_tenant uuid) returns void
language plpgsql
as $$
declare
  v_noted text := coalesce(current_setting('fairclaim.noted', true), '');
begin
  if strpos(v_noted, p_tenant::text) = 0 then
    perform set_config('fairclaim.noted', concat_ws(',', nullif(v_noted, ''), p_tenant), true);
  end if;
end
$$;

comment on function fairclaim_internal.note_freed(uuid) is
'Notes for the rest of a settlement that a job of this tenant, which counted under a limit, has ended.';

-- internal/settle/note_watched.sql
-- Called for each watched row that a settlement of many jobs deletes, so that the statement that
-- answers the caller need not gather them.
create or replace function fairclaim_internal.note_watched() returns void
language plpgsql
as $$
begin
  if current_setting('fairclaim.watched', true) is distinct from '1' then
    perform set_config('fairclaim.watched', '1', true);
  end if;
end
$$;

comment on function fairclaim_internal.note_watched() is
'Notes for the rest of a settlement that a job has ended that something watches.';

-- internal/settle/read_json.sql
-- One text, for read_texts: its exception block costs as much as the reading. The classes that a
-- text of the caller's can raise: bad JSON, a NUL or half a surrogate pair, a number out of range
-- (22), and what is too long or too deep to be read at all (54).
create or replace function fairclaim_internal.read_json(p_text text, p_max_bytes int)
returns jsonb
language plpgsql
as $$
declare
  v_value jsonb;
begin
  -- here, since what is raised among the declarations is not caught
  v_value := p_text::jsonb;
  return case when p_max_bytes is null or json_fault(v_value, p_max_bytes) is null then v_value end;
exception
  when data_exception or program_limit_exceeded then return null;
end
$$;

comment on function fairclaim_internal.read_json(text, int) is
'A text as JSON, or null where it is none that can be stored, has more than p_max_bytes or nests too deep (null: whatever it has).';

-- internal/settle/read_texts.sql
-- Results and errors travel as texts of JSON, and one that cannot be stored is no reason to refuse
-- its neighbours' settlement. All are read at once, which costs what a plain cast costs. Only when
-- that fails, or a result breaks a limit, is each looked at by itself: an unstorable result makes
-- its attempt a failure, an unstorable error is replaced. A list without anything becomes null.
create or replace function fairclaim_internal.read_texts(
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  out outcomes text[],
  out results jsonb[],
  out errors jsonb[]
)
language plpgsql
as $$
declare
  v_invalid jsonb := jsonb_build_object('code', 'result_invalid',
    'message',
    'the work was done, but its result cannot be stored: it must be JSON of at most 1 MiB, '
    '128 deep, without NUL characters and lone surrogates');
begin
  outcomes := p_outcomes;
  begin
    if num_nonnulls(variadic p_results) > 0 then
      results := p_results::jsonb[];
    end if;
    if num_nonnulls(variadic p_errors) > 0 then
      errors := p_errors::jsonb[];
    end if;
    if results is null or not exists (
         select from (select item.value, octet_length(item.value::text) as bytes
                        from unnest(results) item(value) offset 0) measured
          where measured.bytes > 1048576 or measured.bytes > 257 and too_deep(measured.value)) then
      return;
    end if;
  exception
    when data_exception or program_limit_exceeded then null;
  end;
  select array_agg(case when checked.is_bad then 'fail' else checked.outcome end
                   order by checked.place),
         array_agg(checked.result order by checked.place),
         array_agg(case when checked.is_bad then v_invalid
                        when checked.error is not null then
                          coalesce(read_json(checked.error, null), '{"code": "error_invalid"}') end
                   order by checked.place)
    into outcomes, results, errors
    from (select read.place, read.outcome, read.error, read.result,
                 read.text is not null and read.result is null as is_bad
            from (select item.place, item.outcome, item.error, item.text,
                         case when item.text is not null then read_json(item.text, 1048576) end
                           as result
                    from unnest(p_outcomes, p_results, p_errors)
                         with ordinality item(outcome, text, error, place) offset 0) read) checked;
end
$$;

comment on function fairclaim_internal.read_texts(text[], text[], text[]) is
'The results and errors of a settlement, read from texts of JSON, with its outcomes: fail, with the code result_invalid, where the result cannot be stored.';

-- internal/settle/settle_mixed.sql
-- Settles with any outcome, "lost" (tick only) among them. Looks at `running` by id, never through
-- a join whose other side could come first. Lock order: running -> (finished, attempt_error,
-- scheduled, ready: inserts only), then what job_ended locks.
create or replace function fairclaim_internal.settle_mixed(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results jsonb[],
  p_errors jsonb[],
  p_delays float8[]
) returns table (id uuid, attempts int, kind text, status text)
language plpgsql
-- joins the ended attempts with what was given for them, never `running` itself
set enable_hashjoin = on
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  -- else a tick places what waits again (to_ready)
  v_is_placed boolean := current_setting('transaction_isolation') = 'read committed';
  v_places bigint[];                          -- which of the given ones were accepted
  v_statuses text[];
  v_tenants uuid[];                           -- of those that wait again at once, as the next five
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
  v_again timestamptz;                        -- when the first of them is due again
  v_freed uuid[];                             -- tenants under whose limits there is room now
  v_ended uuid[];                             -- watched jobs that have ended
  v_parked uuid[];                            -- and those that wait for their next attempt
begin
  with given as (
    select distinct on (item.id, item.attempt, item.token) item.*
      from unnest(p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results, p_errors, p_delays)
           with ordinality
           item(id, attempt, token, outcome, result, error, delay, place)
     order by item.id, item.attempt, item.token, item.place),
  held as materialized (
    delete from running
     where running.id = any (p_ids)
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select item.id, item.attempt, item.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    item(id, attempt, token)) then true end
    returning running.*),
  gone as materialized (
    select given.place, held.id, held.tenant_id, held.attempt, held.watched, held.limited,
           exists (select from cancel_request wish where wish.id = held.id) as is_cancel_requested,
           given.outcome, given.result, clip_error(given.error) as error, given.delay,
           case when given.outcome = 'lost' then held.worker_id else p_worker_id end as worker_id,
           (held.attempts_left - (given.outcome in ('retry', 'fail'))::int)::smallint
             as attempts_left,
           (held.lost + (given.outcome = 'lost')::int)::smallint as lost
      from held
      join given on given.id = held.id and given.attempt = held.attempt
                and given.token = held.lease_token),
  timed as materialized (        -- the pause before a retry doubles with every failure
    select gone.*,               -- the key to failures is in `job`
           coalesce(
             case when gone.outcome = 'release' then 0 else gone.delay end,
             case when gone.outcome = 'retry' then
               least(15 * 2 ^ least(
                   (select job.max_attempts from job
                     where job.tenant_id = gone.tenant_id and job.id = gone.id)
                   - gone.attempts_left - 1, 10), 3600)
               * (0.8 + random() * 0.4)
             else 0 end) as pause
      from gone),
  ended as materialized (
    select timed.*, case
        when timed.outcome = 'complete' then 'completed'
        when timed.outcome = 'fail' then 'failed'
        when timed.outcome = 'cancel' or timed.is_cancel_requested then 'cancelled'
        when timed.outcome = 'retry' and timed.attempts_left <= 0
             or timed.outcome = 'lost' and timed.lost >= 3 then 'failed'
        when timed.pause <= 0 and v_is_placed then 'pending'
        else 'scheduled' end as status
      from timed),
  final as (
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select ended.id, ended.tenant_id, v_now, ended.attempt, ended.status, ended.worker_id,
           ended.result, ended.error
      from ended where ended.status in ('completed', 'failed', 'cancelled')),
  history as (
    insert into attempt_error (id, tenant_id, attempt, at, worker_id, error)
    select ended.id, ended.tenant_id, ended.attempt, v_now, ended.worker_id, ended.error
      from ended where ended.outcome in ('retry', 'fail', 'lost')),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select v_now + make_interval(secs => ended.pause), ended.id, ended.tenant_id, ended.attempt,
           ended.attempts_left, ended.lost, ended.watched
      from ended where ended.status = 'scheduled')
  select array_agg(ended.place), array_agg(ended.status),
         array_agg(ended.tenant_id) filter (where ended.status = 'pending'),
         array_agg(ended.id) filter (where ended.status = 'pending'),
         array_agg(ended.attempt) filter (where ended.status = 'pending'),
         array_agg(ended.attempts_left) filter (where ended.status = 'pending'),
         array_agg(ended.lost) filter (where ended.status = 'pending'),
         array_agg(ended.watched) filter (where ended.status = 'pending'),
         v_now + make_interval(secs => min(ended.pause) filter (where ended.status = 'scheduled')),
         array_agg(distinct ended.tenant_id) filter (where ended.limited),
         array_agg(ended.id) filter (where ended.watched
           and ended.status in ('completed', 'failed', 'cancelled')),
         array_agg(ended.id) filter (where ended.watched and ended.status = 'scheduled')
    into v_places, v_statuses, v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched,
         v_again, v_freed, v_ended, v_parked
    from ended;
  if v_ids is not null then
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_again) + 1000 then
    perform wake_before(v_now, v_again + interval '1 s');
  end if;
  if v_ended is not null or v_parked is not null then
    v_freed := v_freed || job_ended(v_ended, v_parked);
  end if;
  if v_freed is not null then
    perform leave_room(v_now, v_freed);
  end if;
  return query
  select answer.id, answer.attempt, answer.kind,
         case when answer.kind = 'settled' then answer.status
              when answer.kind = 'already' then
                case answer.outcome when 'complete' then 'completed' when 'fail' then 'failed'
                                    else 'cancelled' end end
    from (select item.id, item.attempt, item.outcome, item.place, accepted.status,
                 case when accepted.place is not null then 'settled'
                      else stale_kind(p_worker_id, item.id, item.attempt, item.outcome) end as kind
            from unnest(p_ids, p_attempts, p_outcomes)
                 with ordinality item(id, attempt, outcome, place)
            left join unnest(v_places, v_statuses) accepted(place, status)
              on accepted.place = item.place offset 0) answer
   order by answer.place;
end
$$;

comment on function fairclaim_internal.settle_mixed(text, uuid[], int[], uuid[], text[], jsonb[],
    jsonb[], float8[]) is
'Settles attempts with any mix of outcomes.';

-- internal/settle/stale_kind.sql
-- Called for each settlement that changed nothing, and for no other. One whose answer got lost is
-- sent again, and must not look like a lost lease: it is known by the final fact, which has the
-- same attempt, worker and status. A job that ended as lost has these too, but not by that
-- settlement. A retry, snooze or release leaves no such fact: repeated, it is stale.
create or replace function fairclaim_internal.stale_kind(
  p_worker_id text,
  p_id uuid,
  p_attempt int,
  p_outcome text
) returns text
language plpgsql
as $$
begin
  return case when exists (
    select from finished
     where finished.id = p_id and finished.attempts = p_attempt and finished.worker_id = p_worker_id
       and finished.status = case p_outcome when 'complete' then 'completed'
                                            when 'fail' then 'failed'
                                            when 'cancel' then 'cancelled' end
       and finished.error ->> 'code' is distinct from 'lost') then 'already' else 'stale' end;
end
$$;

comment on function fairclaim_internal.stale_kind(text, uuid, int, text) is
'already: this very settlement was accepted before; stale: the lease was lost.';

-- internal/settle/tell_watchers.sql
-- Of the jobs of a settlement those have ended that have a final fact; the others are stale, and a
-- job of theirs may be running. Called where one of those that ended is watched.
create or replace function fairclaim_internal.tell_watchers(p_ids uuid[]) returns uuid[]
language plpgsql
as $$
begin
  perform set_config('fairclaim.watched', '', true);
  return job_ended(array(
    select given.id from unnest(p_ids) given(id)
     where exists (select from finished where finished.id = given.id offset 0)));
end
$$;

comment on function fairclaim_internal.tell_watchers(uuid[]) is
'Tells the watchers of those of these jobs that have ended. Returns as job_ended.';

-- internal/settle/wake_freed.sql
-- Attempts that counted under limits have ended, so claims that found these tenants at their limits
-- would find something now. There is no dispatch then that would wake the workers that sleep. A
-- settlement that claims in the same transaction takes that room itself: it sets fairclaim.freed to
-- "?", gets the tenants back in it, and asks here when it has claimed. Sequential scans are off:
-- the statistics of `ready` and `running` may say "empty" when they are full.
--
-- Callers ask first, in one expression:
--   coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now)
create or replace function fairclaim_internal.wake_freed(p_now timestamptz, p_tenants uuid[])
returns void
language plpgsql
set enable_seqscan = off
as $$
begin
  if current_setting('fairclaim.freed', true) = '?' then
    perform set_config('fairclaim.freed', array_to_string(p_tenants, ','), true);
  elsif exists (
      select from unnest(p_tenants) freed(tenant_id) where has_room(freed.tenant_id)) then
    perform wake(p_now);
  end if;
end
$$;

comment on function fairclaim_internal.wake_freed(timestamptz, uuid[]) is
'Wakes idle workers if one of these tenants, of which limited jobs have ended, has jobs waiting and room under its limit.';

-- internal/tenant/bound_range.sql
-- What a setting of each kind may be, and what it is called in a document of declare_limits.
create or replace function fairclaim_internal.bound_range() returns table (
  kind text, name text, minimum int, maximum int
)
language sql immutable
as $$
  values
    ('weight', 'weight', 1, 100),
    ('running', 'max_running', 0, 1000000),
    ('waiting', 'max_waiting', 0, 2000000000)
$$;

comment on function fairclaim_internal.bound_range() is
'The kinds of settings that have a number, and its bounds.';

-- internal/stats/check_stats.sql
-- Refuses what makes no page, and takes p_after apart: the sort, the key and the row.
create or replace function fairclaim_internal.check_stats(
  p_limit int,
  p_after text,
  p_sort text,
  p_search text
) returns text[]
language plpgsql
as $$
declare
  v_after text[] := string_to_array(p_after, '|');
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'ask for at most 1,000 and go on with p_after', '{"minimum": 1, "maximum": 1000}');
  elsif p_sort is null
        or p_sort not in ('tenant', 'waiting', 'oldest', 'running', 'dispatched', 'claimed',
                          'finished', 'failed', 'seconds') then
    perform refuse('JQ004', 'p_sort', 'names no figure that tenants can be sorted by', null,
      '{"allowed": ["tenant", "waiting", "oldest", "running", "dispatched", "claimed",
                    "finished", "failed", "seconds"]}');
  elsif octet_length(p_search) not between 1 and 255 then
    perform refuse('JQ004', 'p_search', 'must have 1 to 255 bytes',
      'search for a part of a name', '{"minimum": 1, "limit": 255}');
  elsif p_after is not null
        and (cardinality(v_after) <> 3 or v_after[1] <> p_sort
             or v_after[3] !~ '^[0-9]{1,18}$'
             or p_sort <> 'tenant' and v_after[2] !~ '^-?[0-9]{1,20}([.][0-9]{1,20})?$')
        is not false then
    perform refuse('JQ004', 'p_after', 'is not `next` of a page with this sort',
      'pass `next` of the last row, and the same p_sort');
  end if;
  return v_after;
end
$$;

comment on function fairclaim_internal.check_stats(int, text, text, text) is
'Refuses bad arguments of tenant_stats, and returns the parts of p_after.';

-- internal/stats/claim_rate.sql
-- Of the last minute, or of the last hour where the minute had none. The nil uuid stands for all
-- tenants of the queue.
create or replace function fairclaim_internal.claim_rate(
  p_queue text,
  p_tenant_id uuid,
  p_now timestamptz
) returns float8
language sql stable
as $$
  select case
           when fairclaim_internal.window_sum(stat.minute, 2, stat.minute_slot, 60, p_now) > 0
             then fairclaim_internal.window_sum(stat.minute, 2, stat.minute_slot, 60, p_now) / 60
           when fairclaim_internal.window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) > 0
             then fairclaim_internal.window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) / 3600
         end
    from fairclaim_internal.stat
   where stat.queue = p_queue and stat.tenant_id = p_tenant_id
     and stat.whole = (p_tenant_id = '00000000-0000-0000-0000-000000000000')
$$;

comment on function fairclaim_internal.claim_rate(text, uuid, timestamptz) is
'How many jobs of a tenant, or of all, are claimed in a second in a queue; null where nothing is known.';

-- internal/stats/flows.sql
-- What both statistics functions tell about the windows and the samples of a row, under the names
-- of their columns.
create or replace function fairclaim_internal.flows(
  p_stat fairclaim_internal.stat,
  p_now timestamptz
) returns table (
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int, age float8
)
language plpgsql stable
as $$
declare
  v_minute float8[] := array(
    select round(window_sum(p_stat.minute, place.n, p_stat.minute_slot, 60, p_now)::numeric, 2)
      from generate_series(1, 5) place(n) order by place.n);
  v_hour float8[] := array(
    select round(window_sum(p_stat.hour, place.n, p_stat.hour_slot, 3600, p_now)::numeric, 2)
      from generate_series(1, 5) place(n) order by place.n);
begin
  return query
  select greatest(v_minute[1], 0), greatest(v_minute[2], 0), v_minute[3], v_minute[4], v_minute[5],
         greatest(v_hour[1], 0), greatest(v_hour[2], 0), v_hour[3], v_hour[4], v_hour[5],
         quantile(p_stat.waits, 0.5), quantile(p_stat.waits, 0.99),
         quantile(p_stat.runs, 0.5), quantile(p_stat.runs, 0.99),
         coalesce(cardinality(p_stat.runs), 0),
         extract(epoch from p_now - p_stat.as_of)::float8;
end
$$;

comment on function fairclaim_internal.flows(fairclaim_internal.stat, timestamptz) is
'The windows and the samples of a row of stat.';

-- internal/stats/jobs_ahead.sql
-- How many jobs are ahead of one in the order in which claims take them, up to 1,000: in an own
-- lane those of its tenant in this queue, lanes of higher priority first, then older lanes; in a
-- shared lane those of all tenants that came before it into the shared lanes of the queue, at most
-- 100 lanes. Lanes of types are told apart by nothing here: for a worker of all types.
create or replace function fairclaim_internal.jobs_ahead(
  p_lane fairclaim_internal.lane,
  p_seq bigint
) returns int
language plpgsql stable
as $$
begin
  if p_lane.tenant_id is null then
    return (
      select count(*)
        from (select from (
                select lane.lane_id, lane.floor from lane
                 where lane.tenant_id is null and not lane.alone and not p_lane.alone
                   and lane.queue = p_lane.queue
                 order by lane.queue, lane.type limit 100) other
               cross join lateral (
                 select from ready
                  where ready.lane_id = other.lane_id and ready.seq >= other.floor
                    and ready.seq < p_seq
                  order by ready.lane_id, ready.seq limit 1001) found
               limit 1001) counted);
  end if;
  return (
    select count(*)
      from (select from (
              select lane.lane_id, lane.floor from lane
               where lane.tenant_id = p_lane.tenant_id and lane.queue = p_lane.queue
                 and (lane.priority > p_lane.priority
                      or lane.priority = p_lane.priority and lane.lane_id <= p_lane.lane_id)
               limit 100) other
             cross join lateral (
               select from ready
                where ready.lane_id = other.lane_id and ready.seq >= other.floor
                  and (ready.lane_id <> p_lane.lane_id or ready.seq < p_seq)
                order by ready.lane_id, ready.seq limit 1001) found
             limit 1001) counted);
end
$$;

comment on function fairclaim_internal.jobs_ahead(fairclaim_internal.lane, bigint) is
'How many jobs go before one that waits, up to 1,001.';

-- internal/stats/limits_in_force.sql
-- The limits and rates that bound a tenant in a queue: its own, or the defaults where it has none,
-- over all queues and in this one; and those of the queue. kind: tenant, default, tenant_queue,
-- default_queue, queue. For the nil uuid, those of the queue alone. A limit that is not active yet
-- gives no room. due_in: in how many seconds a rate leaves room for a job; 0 where it does now.
create or replace function fairclaim_internal.limits_in_force(
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz
) returns table (
  kind text, max_running int, running int, active boolean,
  units int, period float8, burst int, due_in float8
)
language plpgsql stable
as $$
#variable_conflict use_column
declare
  v_nobody uuid := '00000000-0000-0000-0000-000000000000';
  v_group int := lane_group(p_queue);
begin
  return query
  with bound as materialized (
    select found.*,
           case when found.subject = 'queue' then 'queue'
                else found.subject || case when found.queue = '' then '' else '_queue' end end
             as kind
      from running_limit found
     where found.tenant_id = any (array[p_tenant_id, v_nobody])
       and found.queue = any (array['', p_queue])
       and (found.subject = 'queue'
            or p_tenant_id <> v_nobody
               and (found.subject = 'default' or found.tenant_id = p_tenant_id))),
  counted as (
    select distinct on (bound.subject = 'queue', bound.queue) bound.kind, bound.max_running,
           bound.queue, bound.active or bound.subject <> 'tenant' as active
      from bound where bound.max_running is not null
     order by bound.subject = 'queue', bound.queue, bound.subject desc),
  paced as (
    select distinct on (bound.subject = 'queue', bound.queue) bound.*
      from bound where bound.units is not null
     order by bound.subject = 'queue', bound.queue, bound.subject desc)
  select counted.kind, counted.max_running,
         case counted.kind
           when 'queue' then (
             select count(*)::int from running held where held.queue_group = v_group)
           else (
             select count(*)::int from running held
              where held.limited and held.tenant_id = p_tenant_id
                and (counted.queue = '' or held.queue_group = v_group)) end,
         counted.active, null::int, null::float8, null::int, null::float8
    from counted
  union all
  select paced.kind, null, null, true, paced.units, paced.period, paced.burst,
         greatest(extract(epoch from used.paid_until - p_now)::float8
                  - (paced.burst - 1) * paced.period / paced.units, 0)
    from paced
    left join lateral (
      select rate_use.paid_until from rate_use
       where rate_use.tenant_id = case when paced.kind = 'queue' then v_nobody
                                       else p_tenant_id end
         and rate_use.queue_group = case when paced.queue = '' then 0 else v_group end
       order by rate_use.tenant_id desc, rate_use.queue_group desc, rate_use.use_id desc
       limit 1) used on true;
end
$$;

comment on function fairclaim_internal.limits_in_force(uuid, text, timestamptz) is
'The limits of running jobs and the rates that bound a tenant in a queue, with how many run under each, and when a rate leaves room again.';

-- internal/stats/note_flows.sql
-- What happened since the last refresh, added to the rows of `stat` of each queue and of each
-- tenant in it.
--
-- Nobody writes down when an attempt begins, since a claim has no time to spare. What is known: a
-- job that this refresh sees running and the last one did not see began between the two, and in
-- the middle between them is assumed. A job that ended and was never seen running began after the
-- last refresh; its run is assumed to have been as long as the queue's mean (running jobs by ended
-- jobs, Little's law), and not longer than there was time. So no wait and no run is wrong by more
-- than the time between two refreshes, 5 s while jobs run. The seconds of service are the running
-- jobs of two refreshes, times the time between them.
--
-- Claims are the attempts that ended and by how much the number of running jobs grew; a claim that
-- was given back or snoozed is not among them.
--
-- Rows of `running` and of the three big tables are only read. A look at a job goes by its key
-- (offset 0).
create or replace function fairclaim_internal.note_flows(
  p_now timestamptz,
  p_prev timestamptz,
  p_gap float8,                               -- the seconds since then; 0 where they are unknown
  p_mask int,
  p_mask_before int,
  out queues text[],                          -- what changed
  out tenants uuid[]
)
language plpgsql
as $$
declare
  v_minute bigint := floor(extract(epoch from p_now) / 60);
  v_hour bigint := floor(extract(epoch from p_now) / 3600);
begin
  with
  before as materialized (select * from seen_running),
  held as materialized (
    select running.id, running.tenant_id, running.attempt from running
     where uuid_hash(running.id) & p_mask = 0 limit 2000),
  fresh as materialized (
    select held.id, held.attempt, held.tenant_id, known.queue, known.due,
           case when p_gap > 0 and uuid_hash(held.id) & p_mask_before = 0
                then known.began + (p_now - known.began) / 2 end as began
      from held
     cross join lateral (
       select job.queue, greatest(job.created_at, job.run_at) as due,
              greatest(job.created_at, job.run_at, p_prev) as began
         from job where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known
     where not exists (
             select from before where before.id = held.id and before.attempt = held.attempt)),
  gone as (
    delete from seen_running
     where seen_running.ctid = any (array(
       select past.ctid from seen_running past
        where (past.id, past.attempt) not in (select held.id, held.attempt from held)
          for update skip locked))),
  added as (
    insert into seen_running (id, attempt, tenant_id, queue, due, began)
    select fresh.id, fresh.attempt, fresh.tenant_id, fresh.queue, fresh.due, fresh.began
      from fresh
        on conflict do nothing),
  ended as materialized (
    select past.*, known.queue, known.due,
           case when before.id is not null then past.at - before.began
                when p_gap > 0 and past.at >= p_prev and uuid_hash(past.id) & p_mask_before = 0
                then least(past.at - greatest(known.due, p_prev),
                           make_interval(secs => queue_mean(known.queue, p_now))) end as run
      from read_tail('finished', p_prev, p_now) past
     cross join lateral (
       select job.queue, greatest(job.created_at, job.run_at) as due
         from job where job.tenant_id = past.tenant_id and job.id = past.id offset 0) known
      left join before on before.id = past.id and before.attempt = past.attempts),
  event as materialized (
    select job.queue, made.tenant_id, made.at, made.weight as dispatched, 0::float8 as claimed,
           0::float8 as finished, 0::float8 as failed, 0::float8 as seconds,
           null::interval as wait, null::interval as run, 0 as running
      from read_tail('job', p_prev, p_now) made
     cross join lateral (
       select job.queue from job
        where job.tenant_id = made.tenant_id and job.id = made.id offset 0) job
    union all
    select ended.queue, ended.tenant_id, ended.at, 0, ended.weight * ended.ran::int, ended.weight,
           ended.weight * (ended.status = 'failed')::int, 0,
           case when ended.attempts = 1 then ended.at - ended.run - ended.due end, ended.run, 0
      from ended
    union all
    select job.queue, past.tenant_id, past.at, 0, past.weight, 0, 0, 0, null, null, 0
      from read_tail('attempt_error', p_prev, p_now) past
     cross join lateral (
       select job.queue from job
        where job.tenant_id = past.tenant_id and job.id = past.id offset 0) job
     where not exists (                       -- of the last attempt `finished` has told already
             select from finished
              where finished.id = past.id and finished.tenant_id = past.tenant_id
                and finished.attempts = past.attempts offset 0)
    union all
    select before.queue, before.tenant_id, p_now, 0, - (p_mask_before + 1), 0, 0,
           p_gap / 2 * (p_mask_before + 1), null, null, 0
      from before
    union all
    select runs.queue, runs.tenant_id, p_now, 0, p_mask + 1, 0, 0, p_gap / 2 * (p_mask + 1), null,
           null, p_mask + 1
      from (select fresh.queue, fresh.tenant_id from fresh
            union all
            select before.queue, before.tenant_id
              from before join held on held.id = before.id and held.attempt = before.attempt) runs),
  placed as materialized (                    -- into the slots of both windows
    select event.queue, event.tenant_id, grouping(event.tenant_id) = 1 as whole, slot.place,
           array[sum(event.dispatched), sum(event.claimed), sum(event.finished), sum(event.failed),
                 sum(event.seconds)] as sums
      from event
     cross join lateral (values
       (v_minute - floor(extract(epoch from event.at) / 60)),
       (10 + v_hour - floor(extract(epoch from event.at) / 3600))) slot(place)
     where slot.place in (0, 1, 10, 11)
     group by grouping sets (
       (event.queue, event.tenant_id, slot.place), (event.queue, slot.place))),
  change as materialized (
    select event.queue, grouping(event.tenant_id) = 1 as whole,
           coalesce(event.tenant_id, '00000000-0000-0000-0000-000000000000') as tenant_id,
           sum(event.running)::int as running,
           (array_agg(extract(epoch from greatest(event.wait, interval '0'))::float4
                      order by event.at desc) filter (where event.wait is not null)) as waits,
           (array_agg(extract(epoch from greatest(event.run, interval '0'))::float4
                      order by event.at desc) filter (where event.run is not null)) as runs
      from event
     group by grouping sets ((event.queue, event.tenant_id), (event.queue))),
  kept as materialized (
    select change.queue, change.whole, change.tenant_id, known.stat_id, change.running,
           roll_window(known.minute, known.minute_slot, v_minute, sums.now, sums.before)
             as minute,
           roll_window(known.hour, known.hour_slot, v_hour, sums.hour_now, sums.hour_before)
             as hour,
           (coalesce(change.waits, '{}') || coalesce(known.waits, '{}'))
             [:case when change.whole then 256 else 32 end] as waits,
           (coalesce(change.runs, '{}') || coalesce(known.runs, '{}'))
             [:case when change.whole then 256 else 32 end] as runs
      from change
      left join lateral (
        select stat.* from stat
         where stat.queue = change.queue and stat.whole = change.whole
           and stat.tenant_id = change.tenant_id offset 0) known on true
     cross join lateral (
       select max(placed.sums) filter (where placed.place = 0) as now,
              max(placed.sums) filter (where placed.place = 1) as before,
              max(placed.sums) filter (where placed.place = 10) as hour_now,
              max(placed.sums) filter (where placed.place = 11) as hour_before
         from placed
        where placed.queue = change.queue and placed.whole = change.whole
          and (placed.whole or placed.tenant_id = change.tenant_id)) sums),
  changed as (
    update stat
       set running = kept.running, minute = kept.minute, hour = kept.hour, waits = kept.waits,
           runs = kept.runs, minute_slot = v_minute, hour_slot = v_hour, as_of = p_now
      from kept
     where stat.stat_id = kept.stat_id
       and stat.ctid = any (array(
             select open.ctid from stat open
              where open.stat_id = any (array(select kept.stat_id from kept))
                for update skip locked))),
  inserted as (
    insert into stat (
      queue, whole, tenant_id, running, minute, hour, waits, runs, minute_slot, hour_slot, as_of)
    select kept.queue, kept.whole, kept.tenant_id, kept.running, kept.minute, kept.hour,
           kept.waits, kept.runs, v_minute, v_hour, p_now
      from kept where kept.stat_id is null
        on conflict do nothing)
  select array_agg(kept.queue), array_agg(kept.tenant_id) into queues, tenants
    from kept where not kept.whole;
end
$$;

comment on function fairclaim_internal.note_flows(timestamptz, timestamptz, float8, int, int) is
'Adds what happened since the last refresh to the rows of stat. Returns of which queues and tenants.';

-- internal/stats/note_waiting.sql
-- Counts what waits, for the queues and tenants that have changed, and for a slice of the others: a
-- hundred lanes, by number, and a hundred rows of `stat`. It stops when it has counted 10,000 rows;
-- the next refresh goes on behind. A row that counts as before is not written. A row that has told
-- of nothing for two hours is deleted.
create or replace function fairclaim_internal.note_waiting(
  p_now timestamptz,
  p_queues text[],
  p_tenants uuid[]
) returns void
language plpgsql
as $$
declare
  v_lane bigint := coalesce(pg_sequence_last_value('stats_lane'), 0);
  v_stat bigint := coalesce(pg_sequence_last_value('stats_row'), 0);
  v_next_lane bigint;
  v_next_stat bigint;
  v_rows bigint := 0;
  v_pair record;
  v_found record;
begin
  select max(slice.lane_id) into v_next_lane
    from (select lane.lane_id from lane
           where lane.lane_id > v_lane order by lane.lane_id limit 100) slice;
  select max(slice.stat_id) into v_next_stat
    from (select stat.stat_id from stat
           where stat.stat_id > v_stat order by stat.stat_id limit 100) slice;
  for v_pair in
    select touched.queue, touched.tenant_id, known.stat_id, known.waiting, known.at_least,
           known.oldest_at, known.backlogged_since, known.running, known.as_of
      from (select changed.queue collate "C" as queue, changed.tenant_id
              from unnest(p_queues, p_tenants) changed(queue, tenant_id)
            union
            select lane.queue, lane.tenant_id from lane
             where lane.lane_id > v_lane and lane.lane_id <= v_next_lane
               and lane.tenant_id is not null
            union
            select stat.queue, stat.tenant_id from stat
             where stat.stat_id > v_stat and stat.stat_id <= v_next_stat and not stat.whole) touched
      left join lateral (
        select * from stat
         where stat.queue = touched.queue and not stat.whole
           and stat.tenant_id = touched.tenant_id offset 0) known on true
     order by known.counted_at nulls first limit 300
  loop
    exit when v_rows > 10000;
    select * into v_found from waiting_of(v_pair.queue, v_pair.tenant_id, 1000);
    v_rows := v_rows + v_found.waiting + 10;
    if v_pair.stat_id is null then
      insert into stat (
        queue, whole, tenant_id, waiting, at_least, oldest_at, backlogged_since, as_of, counted_at)
      select v_pair.queue, false, v_pair.tenant_id, v_found.waiting, v_found.at_least,
             v_found.oldest_at, case when v_found.backlogged then p_now end, p_now, p_now
       where v_found.waiting > 0
          on conflict do nothing;
    elsif v_pair.as_of < p_now - interval '2 hours' and v_found.waiting = 0 and v_pair.running = 0
    then
      delete from stat
       where stat.ctid = any (array(
         select past.ctid from stat past
          where past.stat_id = v_pair.stat_id for update skip locked));
    elsif (v_pair.waiting, v_pair.at_least, v_pair.oldest_at, v_pair.backlogged_since is not null)
          is distinct from
          (v_found.waiting, v_found.at_least, v_found.oldest_at, v_found.backlogged) then
      update stat
         set waiting = v_found.waiting, at_least = v_found.at_least,
             oldest_at = v_found.oldest_at, counted_at = p_now,
             backlogged_since = case when v_found.backlogged then
               coalesce(stat.backlogged_since, p_now) end
       where stat.ctid = any (array(
         select open.ctid from stat open
          where open.stat_id = v_pair.stat_id for update skip locked));
    end if;
  end loop;
  perform setval('stats_lane', coalesce(v_next_lane, 0)),
          setval('stats_row', coalesce(v_next_stat, 0));
end
$$;

comment on function fairclaim_internal.note_waiting(timestamptz, text[], uuid[]) is
'Counts the waiting jobs of some tenants in their queues and keeps what has changed.';

-- internal/stats/quantile.sql
-- The least value that is not exceeded by this part of the values (nearest rank).
create or replace function fairclaim_internal.quantile(p_values float4[], p_part float8)
returns float8
language sql immutable parallel safe
as $$
  select round((percentile_disc(p_part) within group (order by sample.value))::numeric, 3)::float8
    from unnest(p_values) sample(value)
$$;

comment on function fairclaim_internal.quantile(float4[], float8) is
'A quantile of some values; null when there are none.';

-- internal/stats/queue_mean.sql
-- By Little's law: how many run on average, by how many end in a second. Both sums are of the same
-- hour, so it is the seconds by the jobs. Null where nothing has ended yet.
create or replace function fairclaim_internal.queue_mean(p_queue text, p_now timestamptz)
returns float8
language sql stable
as $$
  select fairclaim_internal.window_sum(stat.hour, 5, stat.hour_slot, 3600, p_now)
         / nullif(fairclaim_internal.window_sum(stat.hour, 3, stat.hour_slot, 3600, p_now), 0)
    from fairclaim_internal.stat
   where stat.queue = p_queue and stat.whole
     and stat.tenant_id = '00000000-0000-0000-0000-000000000000'
$$;

comment on function fairclaim_internal.queue_mean(text, timestamptz) is
'The mean seconds that a job of this queue ran in the last hour.';

-- internal/stats/read_tail.sql
-- What was added to one of the three big tables since the last look. No index is in the order of
-- time, and none is needed: these tables grow at their ends, so the last pages of each partition
-- hold what is new (a scan of a range of tids). New is what stands behind the last row of before,
-- and in the 8 pages in front of it, since several sessions fill pages at the same time, what is
-- later than p_since. What is later than p_now is left to the next look.
--
-- Bounded: a partition that grew by more than 16 pages gives a sample, 8 pairs of pages spread over
-- what is new, and each row then stands for `weight` rows. Missed are rows that a transaction
-- commits long after it made them, and those that fill a gap left by deleted rows. A partition that
-- is being dropped is left out. A partition seen for the first time tells of what is later than
-- p_since only.
create or replace function fairclaim_internal.read_tail(
  p_table text,
  p_since timestamptz,
  p_now timestamptz
) returns table (
  id uuid, tenant_id uuid, at timestamptz, attempts int, status text, ran boolean, weight float8
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  v_at text := case p_table when 'job' then 'created_at' when 'finished' then 'completed_at'
                            else 'at' end;
  v_columns text := case p_table
    when 'job' then '0, null::text, false'
    when 'finished' then
      'found.attempts, found.status, found.status <> ''cancelled'' or found.worker_id is not null'
    else 'found.attempt, null::text, true' end;
  v_part text;
  v_pages bigint;
  v_known bigint;                             -- so many pages were there at the last look
  v_old tail;                                 -- as it was noted
  v_last tid;
  v_new bigint;
  v_piece int;
begin
  for v_part in
    select range_name(p_table, id_range.starts_at) from id_range order by id_range.starts_at
  loop
    begin
      v_pages := pg_relation_size(to_regclass('fairclaim_internal.' || quote_ident(v_part)))
                 / current_setting('block_size')::int;
      continue when v_pages is null;
      select * into v_old from tail where tail.part = v_part;
      if v_pages = 0 then
        insert into tail (part, pages, last)
        select v_part, 0, '(0,0)' where v_old.part is null;
        continue;
      end if;
      v_known := least(coalesce(v_old.pages, v_pages), v_pages);
      v_new := v_pages - v_known;
      execute format('select max(found.ctid) from fairclaim_internal.%I found
                       where found.ctid >= $1', v_part)
        into v_last using format('(%s,0)', v_pages - 1)::tid;
      v_last := coalesce(v_last, format('(%s,0)', v_pages - 1)::tid);
      for v_piece in 0 .. case when v_new <= 16 then 0 else 7 end loop
        return query execute format(
          'select found.id, found.tenant_id, found.%1$I, %2$s, $4
             from fairclaim_internal.%3$I found
            where found.ctid >= $1 and found.ctid <= $2
              and (found.ctid > $3 or found.%1$I > $5) and found.%1$I <= $6',
            v_at, v_columns, v_part)
          using format('(%s,0)', case when v_new <= 16 then greatest(0, v_known - 8)
                                      else v_known + v_piece * v_new / 8 end)::tid,
                case when v_new <= 16 then v_last
                     else format('(%s,0)', v_known + v_piece * v_new / 8 + 2)::tid end,
                coalesce(v_old.last, v_last),
                case when v_new <= 16 then 1 else v_new::float8 / 16 end,
                p_since, p_now;
      end loop;
      if v_old.part is null then
        insert into tail (part, pages, last) values (v_part, v_pages, v_last);
      elsif v_old.last <> v_last then
        update tail set pages = v_pages, last = v_last
         where tail.ctid = any (array(
           select noted.ctid from tail noted where noted.part = v_part for update skip locked));
      end if;
    exception
      when lock_not_available or undefined_table then null;
    end;
  end loop;
end
$$;

comment on function fairclaim_internal.read_tail(text, timestamptz, timestamptz) is
'The rows that were added to job, finished or attempt_error since the last look, or a sample of them with the number of rows that each stands for. Notes how far it looked.';

-- internal/stats/refresh_stats.sql
-- The step `stats` of tick: every 5 s at most, and only in a tick that works anyway. Where a
-- refresh is left out since the last one is too young, or sees jobs that run, it owes one more
-- (stats_owed): so what has ended is told although nothing happens afterwards, and then ticks are
-- quiet. A lock that is not free leaves it to the next refresh.
create or replace function fairclaim_internal.refresh_stats(p_now timestamptz) returns void
language plpgsql
as $$
declare
  v_last bigint := coalesce(pg_sequence_last_value('stats_at'), 0);
  v_mask_before int := coalesce(pg_sequence_last_value('stats_mask'), 0);
  v_is_known boolean := v_last > 0 and v_last < millis(p_now);
  v_prev timestamptz := case when v_is_known then to_timestamp(v_last / 1000.0)
                             else p_now - interval '1 minute' end;
  v_runs record;
  v_flows record;
begin
  perform setval('stats_at', greatest(0, millis(p_now))), setval('stats_owed', 1);
  v_runs := running_mask();
  v_flows := note_flows(p_now, v_prev,
    case when v_is_known then least(extract(epoch from p_now - v_prev), 15) else 0 end,
    v_runs.mask, v_mask_before);
  perform note_waiting(p_now, v_flows.queues, v_flows.tenants);
  perform setval('stats_mask', v_runs.mask), setval('stats_owed', (v_runs.jobs > 0)::int);
exception
  when lock_not_available then null;
end
$$;

comment on function fairclaim_internal.refresh_stats(timestamptz) is
'Refreshes the figures that tenant_stats and queue_stats tell.';

-- internal/stats/roll_window.sql
-- A window is counted in two slots of its width: the one that is running and the one before it,
-- five sums each: dispatched, claimed, finished, failed, seconds. So a row says what happened in
-- the last minute without keeping a row for each second.
create or replace function fairclaim_internal.roll_window(
  p_sums float4[],
  p_slot bigint,
  p_now bigint,
  p_add float8[],
  p_add_before float8[]
) returns float4[]
language sql immutable parallel safe
as $$
  select array_agg(
           (case when p_slot = p_now then coalesce(p_sums[place.n], 0) else 0 end
            + coalesce(p_add[place.n], 0))::float4 order by place.n)
      || array_agg(
           (case when p_slot = p_now then coalesce(p_sums[place.n + 5], 0)
                 when p_slot = p_now - 1 then coalesce(p_sums[place.n], 0)
                 else 0 end
            + coalesce(p_add_before[place.n], 0))::float4 order by place.n)
    from generate_series(1, 5) place(n)
$$;

comment on function fairclaim_internal.roll_window(float4[], bigint, bigint, float8[], float8[]) is
'Adds to the two slots of a window, after moving them to the slot that is running now.';

-- internal/stats/running_mask.sql
-- `running` is small, and a plain scan of it the cheapest look. From 500 rows on, every second id
-- is looked at, from 1,000 on every fourth, and so on: those whose hash has no bit of the mask.
create or replace function fairclaim_internal.running_mask(out mask int, out jobs bigint)
language plpgsql volatile
set enable_seqscan = on
as $$
begin
  jobs := (select count(*) from running);
  mask := 2 ^ greatest(0, ceil(log(2, greatest(jobs, 1) / 500.0)))::int - 1;
end
$$;

comment on function fairclaim_internal.running_mask() is
'How many jobs run, and which of their ids are looked at: those whose hash has no bit of the mask.';

-- internal/stats/service_shares.sql
-- Fairness is measured among the tenants that had a backlog for the whole window: the others could
-- not have been served more. With x = service / weight of each of n tenants, Jain's index is
-- (sum x)^2 / (n * sum x^2): 1 when all got the same for their weight, 1/n when one got everything
-- (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984). Bounded: the first 10,000 backlogged tenants.
create or replace function fairclaim_internal.service_shares(
  p_queue text,
  p_width int,
  p_now timestamptz,
  out tenants int,
  out claims float8,
  out seconds float8,
  out weights float8,
  out by_claims float8,
  out by_seconds float8
)
language plpgsql stable
as $$
begin
  select count(*), sum(served.claims), sum(served.seconds), sum(served.weight),
         sum(served.claims / served.weight) ^ 2
         / nullif(count(*) * sum((served.claims / served.weight) ^ 2), 0),
         sum(served.seconds / served.weight) ^ 2
         / nullif(count(*) * sum((served.seconds / served.weight) ^ 2), 0)
    into tenants, claims, seconds, weights, by_claims, by_seconds
    from (
      select greatest(
               case p_width when 60
                 then window_sum(stat.minute, 2, stat.minute_slot, 60, p_now)
                 else window_sum(stat.hour, 2, stat.hour_slot, 3600, p_now) end, 0) as claims,
             case p_width when 60
               then window_sum(stat.minute, 5, stat.minute_slot, 60, p_now)
               else window_sum(stat.hour, 5, stat.hour_slot, 3600, p_now) end as seconds,
             weight_of(stat.tenant_id, p_queue)::float8 as weight
        from stat
       where stat.queue = p_queue and not stat.whole
         and stat.backlogged_since <= p_now - make_interval(secs => p_width)
       limit 10000) served;
end
$$;

comment on function fairclaim_internal.service_shares(text, int, timestamptz) is
'What the tenants of a queue that had a backlog for a whole window got in it, their weights, and Jain''s index of service by weight.';

-- internal/stats/stats_due.sql
-- Milliseconds in sequences. A time ahead of the clock comes from a clock that was wrong.
create or replace function fairclaim_internal.stats_due(p_now timestamptz) returns boolean
language plpgsql
as $$
declare
  v_last bigint := coalesce(pg_sequence_last_value('stats_at'), 0);
begin
  return v_last <= millis(p_now) - 5000 or v_last > millis(p_now);
end
$$;

comment on function fairclaim_internal.stats_due(timestamptz) is
'Whether the last refresh of the statistics is 5 s old.';

-- internal/stats/stats_page.sql
-- Which rows of `stat` a page has. By tenant it goes by the key; a row that has been deleted
-- meanwhile is no place to go on from, and the page begins with the next of the queue.
create or replace function fairclaim_internal.stats_page(
  p_tenant_id uuid,
  p_queue text,
  p_limit int,
  p_after text[],
  p_sort text,
  p_search text,
  p_now timestamptz,
  out ids bigint[],
  out keys text[]
)
language plpgsql stable
as $$
declare
  v_found uuid[];
  v_last stat;
begin
  if p_search is not null then
    v_found := array(
      select tenant_name.tenant_id from tenant_name
       where strpos(lower(tenant_name.name), lower(p_search)) > 0
       limit 10000)
      || (select fairclaim.tenant_uuid(p_search));
  end if;
  if p_sort = 'tenant' then
    select * into v_last from stat where stat.stat_id = p_after[3]::bigint;
    select array_agg(page.stat_id order by page.queue, page.tenant_id),
           array_agg(page.queue order by page.queue, page.tenant_id)
      into ids, keys
      from (select stat.stat_id, stat.queue, stat.tenant_id from stat
             where not stat.whole
               and (p_tenant_id is null or stat.tenant_id = p_tenant_id)
               and (p_queue is null or stat.queue = p_queue)
               and (p_search is null or stat.tenant_id = any (v_found))
               and (p_after is null
                    or (stat.queue, stat.whole, stat.tenant_id)
                       > (p_after[2] collate "C", false,
                          coalesce(v_last.tenant_id, '00000000-0000-0000-0000-000000000000')))
             order by stat.queue, stat.whole, stat.tenant_id limit p_limit) page;
    return;
  end if;
  select array_agg(page.stat_id order by page.key desc, page.stat_id),
         array_agg(page.key::text order by page.key desc, page.stat_id)
    into ids, keys
    from (select keyed.stat_id, keyed.key
            from (select stat.stat_id, round((case p_sort
                           when 'waiting' then stat.waiting
                           when 'oldest' then - extract(epoch from stat.oldest_at)::float8
                           when 'running' then stat.running
                           else window_sum(stat.hour,
                             array_position(array['dispatched', 'claimed', 'finished', 'failed',
                                                  'seconds'], p_sort),
                             stat.hour_slot, 3600, p_now) end)::numeric, 3) as key
                    from stat
                   where not stat.whole
                     and (p_tenant_id is null or stat.tenant_id = p_tenant_id)
                     and (p_queue is null or stat.queue = p_queue)
                     and (p_search is null or stat.tenant_id = any (v_found))) keyed
           where keyed.key is not null
             and (p_after is null
                  or keyed.key < p_after[2]::numeric
                  or keyed.key = p_after[2]::numeric and keyed.stat_id > p_after[3]::bigint)
           order by keyed.key desc, keyed.stat_id limit p_limit) page;
end
$$;

comment on function fairclaim_internal.stats_page(uuid, text, int, text[], text, text,
    timestamptz) is
'The rows of a page of tenant_stats, with the keys by which they are sorted.';

-- internal/stats/told_limits.sql
create or replace function fairclaim_internal.told_limits(
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz
) returns jsonb
language sql stable
as $$
  select coalesce(
    (select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
              'kind', bound.kind, 'max_running', bound.max_running, 'running', bound.running,
              'units', bound.units, 'period', bound.period, 'burst', bound.burst,
              'due_in', bound.due_in)))
       from fairclaim_internal.limits_in_force(p_tenant_id, p_queue, p_now) bound), '[]')
$$;

comment on function fairclaim_internal.told_limits(uuid, text, timestamptz) is
'The limits and rates that bound a tenant in a queue, as the statistics functions tell them.';

-- internal/stats/waiting_of.sql
-- Through the tenant's own lanes, at most 100 of them, and the group of the queue's shared lanes;
-- never more than p_cap rows and one.
create or replace function fairclaim_internal.waiting_of(
  p_queue text,
  p_tenant_id uuid,
  p_cap int,
  out waiting int,
  out at_least boolean,
  out oldest_at timestamptz,
  out backlogged boolean
)
language plpgsql stable
as $$
declare
  v_lanes bigint[];
  v_floors bigint[];
  v_jobs bigint;
  v_own bigint;
begin
  select array_agg(own.lane_id), array_agg(own.floor) into v_lanes, v_floors
    from (select lane.lane_id, lane.floor from lane
           where lane.tenant_id = p_tenant_id and lane.queue = p_queue limit 100) own;
  v_own := (
    select count(*)
      from (select 1
              from unnest(v_lanes, v_floors) own(lane_id, floor)
             cross join lateral (
               select 1 from ready
                where ready.lane_id = own.lane_id and ready.seq >= own.floor
                order by ready.lane_id, ready.seq limit p_cap + 1) found
             limit p_cap + 1) counted);
  v_jobs := v_own + (
    select count(*)
      from (select 1 from ready
             where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
             limit p_cap + 1 - v_own) shared);
  waiting := least(v_jobs, p_cap);
  at_least := v_jobs > p_cap or coalesce(cardinality(v_lanes), 0) = 100;
  backlogged := v_own > 0;
  if waiting > 0 then
    oldest_at := (
      select min(known.since)
        from ((select first.id
                 from unnest(v_lanes[:20], v_floors[:20]) own(lane_id, floor)
                cross join lateral (
                  select ready.id from ready
                   where ready.lane_id = own.lane_id and ready.seq >= own.floor
                   order by ready.lane_id, ready.seq limit 1) first)
              union all
              (select ready.id from ready
                where ready.tenant_id = p_tenant_id and (ready.lane_id >> 32) = lane_group(p_queue)
                order by ready.tenant_id, (ready.lane_id >> 32), ready.id limit 1)) head
       cross join lateral (
         select greatest(job.created_at, job.run_at) as since from job
          where job.tenant_id = p_tenant_id and job.id = head.id offset 0) known);
  end if;
end
$$;

comment on function fairclaim_internal.waiting_of(text, uuid, int) is
'How many jobs of a tenant wait in a queue, up to p_cap; since when the oldest of those first in line; and whether any stands in an own lane.';

-- internal/stats/window_sum.sql
-- The slot that is running counts whole, and the one before it for the part of it that is not older
-- than the window, as if it had been even. In plain SQL without settings, so that it becomes a part
-- of the statement that calls it.
create or replace function fairclaim_internal.window_sum(
  p_sums float4[],
  p_place int,
  p_slot bigint,
  p_width int,
  p_now timestamptz
) returns float8
language sql stable parallel safe
as $$
  select case p_slot
    when floor(extract(epoch from p_now) / p_width)::bigint then
      coalesce(p_sums[p_place], 0)
      + coalesce(p_sums[p_place + 5], 0)
        * (1 - extract(epoch from p_now)::float8 / p_width
           + floor(extract(epoch from p_now) / p_width)::float8)
    when floor(extract(epoch from p_now) / p_width)::bigint - 1 then
      coalesce(p_sums[p_place], 0)
      * (1 - extract(epoch from p_now)::float8 / p_width
         + floor(extract(epoch from p_now) / p_width)::float8)
    else 0 end
$$;

comment on function fairclaim_internal.window_sum(float4[], int, bigint, int, timestamptz) is
'One of the five sums of a window that ends now: dispatched, claimed, finished, failed, seconds.';

-- internal/tenant/caller.sql
-- The role that called, seen from inside a definer function: the role that was set, else the login.
create or replace function fairclaim_internal.caller() returns name
language sql stable
as $$
  select case when current_setting('role') = 'none' then session_user
              else current_setting('role')::name end
$$;

comment on function fairclaim_internal.caller() is 'The role that called into the schema.';

-- internal/tenant/caller_is.sql
-- Whether the caller may do what a role of ours may, as a definer function asks it.
create or replace function fairclaim_internal.caller_is(p_kind text) returns boolean
language sql stable
as $$
  select pg_has_role(
    fairclaim_internal.caller(), fairclaim_internal.our_role(p_kind), 'USAGE')
$$;

comment on function fairclaim_internal.caller_is(text) is
'Whether the role that called has the rights of one of our roles: operator, auditor and so on.';

-- internal/tenant/check_bound.sql
create or replace function fairclaim_internal.check_bound(
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_value int,
  p_why text,
  p_until timestamptz,
  p_now timestamptz
) returns void
language plpgsql
as $$
declare
  v_range record;
begin
  if p_subject = 'tenant' and p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'name the tenant by its uuid; fairclaim.tenant_uuid(name) gives it');
  elsif (p_queue is not null or p_subject = 'queue') and not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  elsif length(p_why) > 1000 then
    perform refuse('JQ004', 'p_why', 'must have at most 1,000 characters',
      p_detail => '{"limit": 1000}');
  elsif p_until is not null and p_value is null then
    perform refuse('JQ004', 'p_until', 'says when a setting ends, and none is set',
      'leave p_until out where the value is null');
  elsif p_until <= p_now or p_until > p_now + interval '100 years' then
    perform refuse('JQ004', 'p_until', 'must be later than now, by at most 100 years',
      p_detail => '{"minimum": 0, "maximum": 3155760000}');
  end if;
  select * into v_range from bound_range() known where known.kind = p_kind;
  if p_value not between v_range.minimum and v_range.maximum then
    perform refuse('JQ004', 'p_' || v_range.name,
      format('must be from %s to %s', v_range.minimum, v_range.maximum),
      p_detail => jsonb_build_object('minimum', v_range.minimum, 'maximum', v_range.maximum));
  end if;
end
$$;

comment on function fairclaim_internal.check_bound(text, text, uuid, text, int, text, timestamptz,
    timestamptz) is
'Refuses a setting that there cannot be (JQ002, JQ004).';

-- internal/tenant/check_declared.sql
-- The first fault of a document is told, with its path, and without a name or value of it.
create or replace function fairclaim_internal.check_declared(p_document jsonb) returns void
language plpgsql
as $$
declare
  v_fault record;
begin
  if jsonb_typeof(p_document) is distinct from 'object' then
    perform refuse('JQ004', 'p_document', 'must be an object with default, queues and tenants',
      'an empty object declares that nothing is set');
  end if;
  with section as materialized (
    select * from declared_sections(p_document)),
  keyed as materialized (
    select section.subject, section.queue, section.path, entry.key, entry.value, held.is_object
      from section
     cross join lateral (
       select jsonb_typeof(section.held) = 'object' as is_object) held
      left join lateral jsonb_each(case when held.is_object then section.held end)
                entry(key, value) on true),
  fault as (
    select jsonb_build_array(unknown.key) as path, unknown.key as field,
           'has an unknown key' as rule, null::int as minimum, null::int as maximum,
           '["default", "queues", "tenants"]'::jsonb as allowed
      from jsonb_object_keys(p_document) unknown(key)
     where unknown.key not in ('default', 'queues', 'tenants')
    union all
    select jsonb_build_array(part.name), part.name, 'must be an object', null, null, null
      from unnest(array['default', 'queues', 'tenants']) part(name)
     where jsonb_typeof(p_document -> part.name) <> 'object'
    union all
    select named.path, 'tenants', 'must name a tenant by 1 to 255 bytes without control '
           'characters, and each tenant once', null, null, null
      from (select declared.path,
                   case when declared.tenant_id is null then 2
                        else count(*) over (partition by declared.tenant_id) end as times
              from section declared
             where declared.subject = 'tenant' and jsonb_array_length(declared.path) = 2) named
     where named.times > 1
    union all
    select distinct keyed.path, 'queues',
           'must name queues that match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
           null::int, null::int, null::jsonb
      from keyed
     where keyed.path ->> -2 = 'queues' and not is_name(keyed.queue)
    union all
    select keyed.path, keyed.path ->> 0, 'must be an object', null, null, null
      from keyed where not keyed.is_object
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'has an unknown key', null,
           null, (select jsonb_agg(known.name) from unnest(known.names) known(name))
      from keyed
     cross join lateral (
       select case when keyed.subject = 'queue' then array['max_running']
                   else array_remove(array[
                     case when keyed.subject = 'tenant' then 'weight' end, 'max_running',
                     'max_waiting', 'refuses',
                     case when keyed.path ->> -2 is distinct from 'queues' then 'queues' end], null)
              end as names) known
     where keyed.key <> all (known.names)
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key,
           format('must be a whole number from %s to %s', known.minimum, known.maximum),
           known.minimum, known.maximum, null
      from keyed
      join bound_range() known on known.name = keyed.key
     where case when jsonb_typeof(keyed.value) = 'number'
                then keyed.value::numeric not between known.minimum and known.maximum
                     or keyed.value::numeric % 1 <> 0
                else true end
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'must be true or false', null, null, null
      from keyed where keyed.key = 'refuses' and jsonb_typeof(keyed.value) <> 'boolean'
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'belongs to max_waiting, which is missing',
           null, null, null
      from keyed
     where keyed.key = 'refuses' and not exists (
             select from keyed other
              where other.path = keyed.path and other.key = 'max_waiting')
    union all
    select keyed.path || to_jsonb(keyed.key), keyed.key, 'must be an object', null, null, null
      from keyed where keyed.key = 'queues' and jsonb_typeof(keyed.value) <> 'object')
  select * into v_fault from fault limit 1;
  if found then
    perform refuse('JQ004',
      'p_document' || case when v_fault.allowed is null then '.' || v_fault.field else '' end,
      v_fault.rule, null, jsonb_strip_nulls(jsonb_build_object(
        'path', case when v_fault.allowed is null then v_fault.path else v_fault.path - -1 end,
        'minimum', v_fault.minimum, 'maximum', v_fault.maximum, 'allowed', v_fault.allowed)));
  end if;
end
$$;

comment on function fairclaim_internal.check_declared(jsonb) is
'Refuses a document that declare_limits cannot read (JQ004), with the path of the fault.';

-- internal/tenant/declared_sections.sql
-- The objects of a document of declare_limits that hold settings, each with where it stands. A
-- place in the path that is a number is that of a key among the keys of its object, from 0, in the
-- order of jsonb: by length, then by bytes. So a refusal can say where without telling a name.
create or replace function fairclaim_internal.declared_sections(p_document jsonb)
returns table (
  subject text, tenant text, tenant_id uuid, queue text, held jsonb, path jsonb
)
language sql immutable
as $$
  with tenant as materialized (
    select named.key, named.value, named.place - 1 as place,
           case when fairclaim_internal.is_tenant_name(named.key)
                then fairclaim.tenant_uuid(named.key) end as id
      from jsonb_each(case when jsonb_typeof(p_document -> 'tenants') = 'object'
                           then p_document -> 'tenants' end) with ordinality
           named(key, value, place)),
  top as materialized (
    select 'default' as subject, null::text as tenant,
           '00000000-0000-0000-0000-000000000000'::uuid as tenant_id,
           p_document -> 'default' as held,
           '["default"]'::jsonb as path
     where p_document ? 'default'
    union all
    select 'tenant', tenant.key, tenant.id, tenant.value, jsonb_build_array('tenants', tenant.place)
      from tenant)
  select top.subject, top.tenant, top.tenant_id, '', top.held, top.path from top
  union all
  select top.subject, top.tenant, top.tenant_id, named.key, named.value,
         top.path || jsonb_build_array('queues', named.place - 1)
    from top
   cross join lateral jsonb_each(
     case when jsonb_typeof(top.held) = 'object' and jsonb_typeof(top.held -> 'queues') = 'object'
          then top.held -> 'queues' end) with ordinality named(key, value, place)
  union all
  select 'queue', null, '00000000-0000-0000-0000-000000000000', named.key, named.value,
         jsonb_build_array('queues', named.place - 1)
    from jsonb_each(case when jsonb_typeof(p_document -> 'queues') = 'object'
                         then p_document -> 'queues' end) with ordinality named(key, value, place)
$$;

comment on function fairclaim_internal.declared_sections(jsonb) is
'The objects of a document of declare_limits that hold settings: of whom, in which queue (empty: in all), and where they stand.';

-- internal/tenant/default_tenant.sql
create or replace function fairclaim_internal.default_tenant() returns uuid
language plpgsql stable
as $$
declare
  v_name text := (select setting.default_tenant from setting);
begin
  return case when v_name is not null then fairclaim.tenant_uuid(v_name) end;
end
$$;

comment on function fairclaim_internal.default_tenant() is
'The id of the default tenant of the settings, for a call that names none. Null where there is none.';

-- internal/tenant/force_bounds.sql
-- Each list has an item a place: what has changed in `bound`, of which the caller holds the lock. A
-- place may come twice, for a limit and a pause of one tenant.
create or replace function fairclaim_internal.force_bounds(
  p_kinds text[],
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
as $$
declare
  v_kind text;
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
begin
  foreach v_kind in array array['weight', 'running', 'waiting'] loop
    select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue)
      into v_subjects, v_tenants, v_queues
      from (select distinct place.subject, place.tenant_id, place.queue
              from unnest(p_kinds, p_subjects, p_tenants, p_queues)
                     place(kind, subject, tenant_id, queue)
             where case place.kind when 'paused' then 'running' else place.kind end
                   = v_kind) changed;
    continue when v_tenants is null;
    if v_kind = 'weight' then
      perform force_weights(v_tenants, v_queues, p_now);
    elsif v_kind = 'waiting' then
      perform force_waiting(v_subjects, v_tenants, v_queues, p_now);
    elsif force_running(v_subjects, v_tenants, v_queues, p_now) then
      perform note_limits(p_now);             -- jobs that waited for it may go now
    end if;
  end loop;
end
$$;

comment on function fairclaim_internal.force_bounds(text[], text[], uuid[], text[], timestamptz) is
'Puts what is set in these places into force, and lets the next tick wake the workers where a limit was raised or lifted.';

-- internal/tenant/force_running.sql
-- The caller holds the lock on `bound`. A tenant that is paused has the limit 0 over all queues,
-- whatever else is set. A limit that changes keeps its row, so that it stays in effect; only a new
-- one waits for tick (see activate_limits). The row may hold a rate as well, and then stays. Looks
-- by index, as in in_force.
create or replace function fairclaim_internal.force_running(
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns boolean
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_subjects text[];                          -- of the places that change
  v_tenants uuid[];
  v_queues text[];
  v_limits int[];                             -- null: none in force
  v_gone tid[];
  v_roomier boolean;
begin
  select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue),
         array_agg(changed.value),
         bool_or(changed.value is null or changed.value > changed.known)
    into v_subjects, v_tenants, v_queues, v_limits, v_roomier
    from (select held.subject, held.tenant_id, held.queue,
                 case when held.subject = 'tenant' and held.queue = '' and exists (
                             select from bound
                              where bound.tenant_id = held.tenant_id and bound.queue = ''
                                and bound.kind = 'paused' and bound.subject = 'tenant'
                                and (bound.until is null or bound.until > p_now))
                      then 0 else held.value end as value,
                 (select own.max_running from running_limit own
                   where own.tenant_id = held.tenant_id and own.queue = held.queue collate "C"
                     and own.subject = held.subject collate "C") as known
            from in_force('running', p_subjects, p_tenants, p_queues, p_now) held
          offset 0) changed
   where changed.value is distinct from changed.known;
  v_gone := array(
     select gone.place
       from unnest(v_subjects, v_tenants, v_queues, v_limits)
              changed(subject, tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from running_limit own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
           and own.subject = changed.subject collate "C"
        offset 0) gone
      where changed.value is null);
  delete from running_limit
   where running_limit.ctid = any (v_gone) and running_limit.units is null;
  update running_limit set max_running = null where running_limit.ctid = any (v_gone);
  insert into running_limit (subject, tenant_id, queue, max_running)
  select changed.subject, changed.tenant_id, changed.queue, changed.value
    from unnest(v_subjects, v_tenants, v_queues, v_limits)
           changed(subject, tenant_id, queue, value)
   where changed.value is not null
      on conflict (tenant_id, queue, subject) do update set max_running = excluded.max_running;
  return coalesce(v_roomier, false);
end
$$;

comment on function fairclaim_internal.force_running(text[], uuid[], text[], timestamptz) is
'Puts the limits on running jobs of these places, and pauses of tenants, into force as `bound` has them. Returns whether some limit was raised or lifted.';

-- internal/tenant/force_waiting.sql
-- The caller holds the lock on `bound`. Looks by index, as in in_force.
create or replace function fairclaim_internal.force_waiting(
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_subjects text[];                          -- of the places that change
  v_tenants uuid[];
  v_queues text[];
  v_quotas int[];                             -- null: none in force
  v_refuses boolean[];
begin
  select array_agg(changed.subject), array_agg(changed.tenant_id), array_agg(changed.queue),
         array_agg(changed.value), array_agg(changed.refuses)
    into v_subjects, v_tenants, v_queues, v_quotas, v_refuses
    from (select held.*, own.max_waiting, own.refuses as refused
            from in_force('waiting', p_subjects, p_tenants, p_queues, p_now) held
            left join lateral (
              select * from waiting_limit known
               where known.tenant_id = held.tenant_id and known.queue = held.queue collate "C"
                 and known.subject = held.subject collate "C" offset 0) own on true) changed
   where changed.value is distinct from changed.max_waiting
      or changed.refuses is distinct from changed.refused;
  delete from waiting_limit
   where waiting_limit.ctid = any (array(
     select gone.place
       from unnest(v_subjects, v_tenants, v_queues, v_quotas)
              changed(subject, tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from waiting_limit own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
           and own.subject = changed.subject collate "C"
        offset 0) gone
      where changed.value is null));
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, refuses)
  select changed.subject, changed.tenant_id, changed.queue, changed.value, changed.refuses
    from unnest(v_subjects, v_tenants, v_queues, v_quotas, v_refuses)
           changed(subject, tenant_id, queue, value, refuses)
   where changed.value is not null
      on conflict (tenant_id, queue, subject)
      do update set max_waiting = excluded.max_waiting, refuses = excluded.refuses;
end
$$;

comment on function fairclaim_internal.force_waiting(text[], uuid[], text[], timestamptz) is
'Puts the quotas of these places into force as `bound` has them.';

-- internal/tenant/force_weights.sql
-- The caller holds the lock on `bound`. A changed weight is noted for tick, which gives it to the
-- lanes that are there. Looks by index, as in in_force.
create or replace function fairclaim_internal.force_weights(
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_tenants uuid[];                           -- of the places that change
  v_queues text[];
  v_weights int[];                            -- null: none in force
begin
  select array_agg(changed.tenant_id), array_agg(changed.queue), array_agg(changed.value)
    into v_tenants, v_queues, v_weights
    from (select held.tenant_id, held.queue, held.value,
                 (select own.weight from tenant_weight own
                   where own.tenant_id = held.tenant_id
                     and own.queue = held.queue collate "C") as known
            from in_force('weight', array_fill('tenant'::text, array[cardinality(p_tenants)]),
                   p_tenants, p_queues, p_now) held) changed
   where changed.value is distinct from changed.known;
  delete from tenant_weight
   where tenant_weight.ctid = any (array(
     select gone.place
       from unnest(v_tenants, v_queues, v_weights) changed(tenant_id, queue, value)
      cross join lateral (
        select own.ctid as place from tenant_weight own
         where own.tenant_id = changed.tenant_id and own.queue = changed.queue collate "C"
        offset 0) gone
      where changed.value is null));
  insert into tenant_weight (tenant_id, queue, weight)
  select changed.tenant_id, changed.queue, changed.value
    from unnest(v_tenants, v_queues, v_weights) changed(tenant_id, queue, value)
   where changed.value is not null
      on conflict (tenant_id, queue) do update set weight = excluded.weight;
  insert into weight_note (tenant_id, queue)
  select changed.tenant_id, changed.queue
    from unnest(v_tenants, v_queues) changed(tenant_id, queue);
end
$$;

comment on function fairclaim_internal.force_weights(uuid[], text[], timestamptz) is
'Puts the weights of these places into force as `bound` has them.';

-- internal/tenant/in_force.sql
-- Of each place the override while it is there and not past its end, else the base. The plan is
-- pinned to one look by index a place: the statistics may say "empty" of a table that a declaration
-- has just filled.
create or replace function fairclaim_internal.in_force(
  p_kind text,
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_now timestamptz
) returns table (subject text, tenant_id uuid, queue text, value int, refuses boolean)
language plpgsql stable
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select asked.subject, asked.tenant_id, asked.queue, held.value, held.refuses
    from unnest(p_subjects, p_tenants, p_queues) asked(subject, tenant_id, queue)
    left join lateral (
      -- by name, an override comes after the base
      select bound.value, bound.refuses from bound
       where bound.tenant_id = asked.tenant_id and bound.queue = asked.queue collate "C"
         and bound.kind = p_kind and bound.subject = asked.subject collate "C"
         and bound.key is null
         and (bound.layer = 'base' or bound.until is null or bound.until > p_now)
       order by bound.layer desc limit 1) held on true;
end
$$;

comment on function fairclaim_internal.in_force(text, text[], uuid[], text[], timestamptz) is
'What is in force in each of these places (subject, tenant, queue); null where nothing is set.';

-- internal/tenant/is_known_tenant.sql
create or replace function fairclaim_internal.is_known_tenant(p_tenant_id uuid) returns boolean
language plpgsql stable
set jit = off
set enable_seqscan = off
as $$
begin
  return tenant_label(p_tenant_id) is not null
      or exists (select from job where job.tenant_id = p_tenant_id);
end
$$;

comment on function fairclaim_internal.is_known_tenant(uuid) is
'Whether a job was dispatched for this tenant by name, or one of its jobs is there.';

-- internal/tenant/check_tenant.sql
create or replace function fairclaim_internal.check_tenant(p_tenant_id uuid) returns void
language plpgsql
as $$
begin
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'name the tenant by its uuid, or by fairclaim.tenant_uuid(''its name'')');
  end if;
end
$$;

comment on function fairclaim_internal.check_tenant(uuid) is
'Refuses a call that names no tenant (JQ002).';

-- internal/tenant/default_tenant.sql
create or replace function fairclaim_internal.default_tenant() returns uuid
language plpgsql stable
as $$
declare
  v_name text := (select setting.default_tenant from setting);
begin
  return case when v_name is not null then fairclaim.tenant_uuid(v_name) end;
end
$$;

comment on function fairclaim_internal.default_tenant() is
'The id of the default tenant of the settings, for a call that names none. Null where there is none.';

-- internal/tenant/forget_tenant.sql
-- Every table that has rows of a tenant, but those of its jobs, which are gone by now: so a table
-- that is added later is not forgotten here. Lanes are left to tick, which closes them when they
-- are empty, and the tenants of logins to the installer. What is audited stays. The nil uuid is no
-- tenant: rows of it hold for every tenant.
create or replace function fairclaim_internal.forget_tenant(p_tenant_id uuid) returns int
language plpgsql
as $$
declare
  v_table name;
  v_gone int;
  v_all int := 0;
begin
  if p_tenant_id = '00000000-0000-0000-0000-000000000000' then
    return 0;
  end if;
  perform lock_bounds();
  for v_table in
    select pg_class.relname
      from pg_class
      join pg_attribute on pg_attribute.attrelid = pg_class.oid
     where pg_class.relnamespace = 'fairclaim_internal'::regnamespace
       and pg_class.relkind = 'r' and not pg_class.relispartition
       and pg_attribute.attname = 'tenant_id' and not pg_attribute.attisdropped
       and pg_class.relname
           <> all ('{ready,scheduled,running,lane,audit,login_tenant}'::name[])
     order by 1
  loop
    execute format(
      'delete from %I gone
        where gone.ctid = any (array(
          select named.ctid from %I named where named.tenant_id = $1 for update skip locked))',
      v_table, v_table) using p_tenant_id;
    get diagnostics v_gone = row_count;
    if v_table in ('bound', 'tenant_retention', 'tenant_name') then
      v_all := v_all + v_gone;
    end if;
  end loop;
  return v_all;
end
$$;

comment on function fairclaim_internal.forget_tenant(uuid) is
'Deletes what is known of a tenant without jobs: its name, limits, weight, retention and what was noted about it. Returns how many settings went.';

-- internal/tenant/is_tenant_name.sql
create or replace function fairclaim_internal.is_tenant_name(p_name text) returns boolean
language sql immutable parallel safe
as $$ select octet_length(p_name) between 1 and 255 and p_name !~ $r$[[:cntrl:]\u0080-\u009f]$r$ $$;

comment on function fairclaim_internal.is_tenant_name(text) is
'Whether a text may name a tenant in a dispatch: 1 to 255 bytes without control characters. Null for null.';

-- internal/tenant/lock_bounds.sql
-- Whoever changes settings works alone, so that what is in force follows from all that is set.
-- Readers wait for nothing, and neither do claims, dispatches and ticks.
create or replace function fairclaim_internal.lock_bounds() returns void
language plpgsql
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction',
      'a change of settings needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  lock table bound in share row exclusive mode;
end
$$;

comment on function fairclaim_internal.lock_bounds() is
'Lets one transaction at a time change settings of tenants and queues. Errors: JQ004 outside READ COMMITTED.';

-- internal/tenant/named_tenant.sql
-- The tenant of a dispatch that gives no uuid. Only such a dispatch pays for this, and where the
-- name is known, for one look-up.
create or replace function fairclaim_internal.named_tenant(p_name text) returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  if p_name is null then
    p_name := (select setting.default_tenant from setting);
  end if;
  if is_tenant_name(p_name) then
    v_id := fairclaim.tenant_uuid(p_name);
    if not exists (select from tenant_name known where known.tenant_id = v_id) then
      perform note_tenants(array[v_id], array[p_name]);
    end if;
    return v_id;
  end if;
  perform refuse_job(case when p_name is null then 'p_tenant_id: is missing'
                          else 'p_tenant: must be 1 to 255 bytes without control characters' end);
end
$$;

comment on function fairclaim_internal.named_tenant(text) is
'The id of the tenant that a dispatch names, or of the default tenant where it names none, and remembers the name. Errors: JQ002, JQ004.';

-- internal/tenant/named_tenants.sql
-- The tenants of a batch of which some jobs give no uuid: each name is mapped and remembered once,
-- however many jobs have it. A name that may not be one is left out, so that its job is found
-- without a tenant and refused by its index.
create or replace function fairclaim_internal.named_tenants(p_jobs jsonb) returns jsonb
language plpgsql
as $$
declare
  v_default text := (select setting.default_tenant from setting);
  v_names text[];
  v_ids uuid[];
begin
  select array_agg(named.name), array_agg(fairclaim.tenant_uuid(named.name)) into v_names, v_ids
    from (select job.item ->> 'tenant' as name
            from jsonb_array_elements(p_jobs) job(item)
           where jsonb_typeof(job.item -> 'tenant') in ('string', 'number')
          union
          select v_default) named
   where is_tenant_name(named.name);
  perform note_tenants(v_ids, v_names);
  return coalesce(jsonb_object(v_names, v_ids::text[]), '{}')
         || case when v_default is null then '{}'
                 else jsonb_build_object('', fairclaim.tenant_uuid(v_default)) end;
end
$$;

comment on function fairclaim_internal.named_tenants(jsonb) is
'The ids of the tenants that the jobs of a batch name, by name, and that of the default tenant by the empty one; remembers the names.';

-- internal/tenant/note_audit.sql
-- Who is the login, as in the server's log: a role that was set says less.
create or replace function fairclaim_internal.note_audit(
  p_what text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_old text,
  p_new text,
  p_why text default null,
  p_until timestamptz default null,
  p_many int default 1
) returns void
language plpgsql
as $$
begin
  insert into audit (at, who, what, subject, tenant_id, queue, old_value, new_value, until, why,
                     many)
  values (fairclaim.clock(), session_user, p_what, p_subject, p_tenant_id, nullif(p_queue, ''),
          p_old, p_new, p_until, p_why, p_many);
  raise log 'fairclaim: % by %', p_what, session_user;
end
$$;

comment on function fairclaim_internal.note_audit(text, text, uuid, text, text, text, text,
    timestamptz, int) is
'Writes down who changed what, why, and how many.';

-- internal/tenant/note_tenants.sql
-- Remembers how tenants are called, once each: it appends, and tick folds. Locks nothing and waits
-- for nothing. A tenant whose name is folded costs one look-up in an index. Notes that wait for the
-- next tick are looked at too, so that they stay few while no tick comes; not outside READ
-- COMMITTED, where a serializable dispatch would collide with every other that notes a name. A text
-- that is the uuid itself is no name worth keeping. In plpgsql: a function in SQL is planned again
-- in every transaction.
create or replace function fairclaim_internal.note_tenants(p_tenant_ids uuid[], p_names text[])
returns void
language plpgsql
as $$
begin
  insert into tenant_note (tenant_id, name)
  select tenant.id, tenant.name
    from unnest(p_tenant_ids, p_names) tenant(id, name)
   where lower(tenant.name) <> tenant.id::text
     and not exists (select from tenant_name known where known.tenant_id = tenant.id offset 0)
     and case when current_setting('transaction_isolation') = 'read committed'
              then not exists (
                     select from tenant_note note where note.tenant_id = tenant.id offset 0)
              else true end;
end
$$;

comment on function fairclaim_internal.note_tenants(uuid[], text[]) is
'Notes the names of tenants that are not known yet, for the next tick to keep.';

-- internal/tenant/put_bound.sql
-- Writes the override of one place, or takes it away where the value is null, and puts into force
-- what follows. Locks `bound`; then rows of what is in force, for which it waits.
create or replace function fairclaim_internal.put_bound(
  p_what text,
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_value int,
  p_refuses boolean,
  p_why text,
  p_until timestamptz,
  p_now timestamptz
) returns void
language plpgsql
set jit = off
set enable_seqscan = off
as $$
declare
  v_tenant uuid := case when p_subject = 'tenant' then p_tenant_id
                        else '00000000-0000-0000-0000-000000000000' end;
  v_queue text := coalesce(p_queue, '');
  v_old int;
begin
  perform check_bound(p_kind, p_subject, p_tenant_id, p_queue, p_value, p_why, p_until, p_now);
  perform lock_bounds();
  delete from bound
   where bound.tenant_id = v_tenant and bound.queue = v_queue and bound.kind = p_kind
     and bound.subject = p_subject and bound.key is null and bound.layer = 'override'
  returning bound.value into v_old;
  if p_value is not null then
    insert into bound (kind, subject, tenant_id, queue, layer, value, refuses, set_by, why, until,
                       set_at)
    values (p_kind, p_subject, v_tenant, v_queue, 'override', p_value, p_refuses, session_user,
            p_why, p_until, p_now);
  end if;
  perform force_bounds(array[p_kind], array[p_subject], array[v_tenant], array[v_queue], p_now);
  perform note_audit(p_what, p_subject, case when p_subject = 'tenant' then v_tenant end, v_queue,
    v_old::text, p_value::text, p_why, p_until);
end
$$;

comment on function fairclaim_internal.put_bound(text, text, text, uuid, text, int, boolean, text,
    timestamptz, timestamptz) is
'Sets an override of an operator, or takes it away (a null value). Errors: JQ002, JQ004.';

-- internal/tenant/read_declared.sql
-- A document that check_declared has passed.
create or replace function fairclaim_internal.read_declared(p_document jsonb) returns table (
  kind text, subject text, tenant_id uuid, queue text, value int, refuses boolean, what text
)
language sql immutable
as $$
  select known.kind, section.subject,
         section.tenant_id, section.queue, (section.held ->> known.name)::int,
         case when known.kind = 'waiting'
              then coalesce((section.held ->> 'refuses')::boolean, true) end,
         concat_ws('.',
           case section.subject when 'tenant' then 'tenants' when 'default' then 'default' end,
           section.tenant,
           case when section.queue <> '' then 'queues.' || section.queue end, known.name)
    from (select * from fairclaim_internal.declared_sections(p_document) offset 0) section
   cross join lateral (
     select * from fairclaim_internal.bound_range() range where section.held ? range.name) known
$$;

comment on function fairclaim_internal.read_declared(jsonb) is
'The settings in a document of declare_limits, each with its path.';

-- internal/tenant/shown_bound.sql
-- One place as it is shown: both layers by two looks, and what follows from them.
create or replace function fairclaim_internal.shown_bound(
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz,
  out kind text,
  out subject text,
  out tenant_id uuid,
  out tenant text,
  out queue text,
  out base int,
  out override int,
  out in_force int,
  out refuses boolean,
  out set_by text,
  out why text,
  out until timestamptz,
  out set_at timestamptz
)
language plpgsql stable
set jit = off
set enable_seqscan = off
as $$
declare
  v_tenant uuid := case when p_subject = 'tenant' then p_tenant_id
                        else '00000000-0000-0000-0000-000000000000' end;
  v_base bound;
  v_override bound;
  v_shown bound;
begin
  select * into v_base from bound known
   where known.tenant_id = v_tenant and known.queue = p_queue and known.kind = p_kind
     and known.subject = p_subject and known.key is null and known.layer = 'base';
  select * into v_override from bound known
   where known.tenant_id = v_tenant and known.queue = p_queue and known.kind = p_kind
     and known.subject = p_subject and known.key is null and known.layer = 'override'
     and (known.until is null or known.until > p_now);
  v_shown := case when v_override.bound_id is null then v_base else v_override end;
  kind := p_kind;
  subject := p_subject;
  tenant_id := case when p_subject = 'tenant' then p_tenant_id end;
  tenant := tenant_label(tenant_id);
  queue := nullif(p_queue, '');
  base := v_base.value;
  override := v_override.value;
  in_force := v_shown.value;
  refuses := v_shown.refuses;
  set_by := v_shown.set_by;
  why := v_shown.why;
  until := v_shown.until;
  set_at := v_shown.set_at;
end
$$;

comment on function fairclaim_internal.shown_bound(text, text, uuid, text, timestamptz) is
'A setting of a tenant, a queue or a default: base, override, what is in force, and whose that is.';

-- internal/tenant/tenant_label.sql
-- Two look-ups by index: in the names that tick has folded, else in the notes of dispatches since.
create or replace function fairclaim_internal.tenant_label(p_tenant_id uuid) returns text
language sql stable
as $$
  select coalesce(
    (select known.name from fairclaim_internal.tenant_name known
      where known.tenant_id = p_tenant_id),
    (select note.name from fairclaim_internal.tenant_note note
      where note.tenant_id = p_tenant_id limit 1))
$$;

comment on function fairclaim_internal.tenant_label(uuid) is
'The name of a tenant, or null when no job was dispatched for it by name.';

-- internal/tenant/weight_of.sql
-- A weight for the queue goes before one for all queues. It is inlined, so every name has its
-- schema.
create or replace function fairclaim_internal.weight_of(p_tenant_id uuid, p_queue text)
returns smallint
language sql stable
as $$
  select coalesce(
    (select own.weight from fairclaim_internal.tenant_weight own
      where own.tenant_id = p_tenant_id and own.queue = p_queue collate "C"),
    (select own.weight from fairclaim_internal.tenant_weight own
      where own.tenant_id = p_tenant_id and own.queue = ''),
    1::smallint)
$$;

comment on function fairclaim_internal.weight_of(uuid, text) is
'The weight of a tenant in a queue, as it is in force.';

-- internal/tenant/write_base.sql
-- The caller holds the lock on `bound`. A value that is null removes the row of that number.
create or replace function fairclaim_internal.write_base(
  p_ids bigint[],
  p_kinds text[],
  p_subjects text[],
  p_tenants uuid[],
  p_queues text[],
  p_values int[],
  p_refuses boolean[],
  p_why text,
  p_now timestamptz
) returns void
language plpgsql
as $$
begin
  -- all that change go, and come again where they have a value
  delete from bound
   where bound.ctid = any (array(
     select gone.place
       from unnest(p_ids) listed(id)
      cross join lateral (
        select known.ctid as place from bound known
         where known.bound_id = listed.id offset 0) gone));
  insert into bound (kind, subject, tenant_id, queue, layer, value, refuses, set_by, why, set_at)
  select item.kind, item.subject, item.tenant_id, item.queue, 'base', item.value, item.refuses,
         session_user, p_why, p_now
    from unnest(p_kinds, p_subjects, p_tenants, p_queues, p_values, p_refuses)
           item(kind, subject, tenant_id, queue, value, refuses)
   where item.value is not null;
  perform force_bounds(p_kinds, p_subjects, p_tenants, p_queues, p_now);
  perform note_audit('declare_limits', 'all', null, null, null, null, p_why, null,
    cardinality(p_kinds));
end
$$;

comment on function fairclaim_internal.write_base(bigint[], text[], text[], uuid[], text[], int[],
    boolean[], text, timestamptz) is
'Writes the settings that a declaration changes, and puts into force what follows.';

-- internal/tenant/tenant_jobs.sql
-- One step of an operation on all jobs of a tenant: it looks at the next p_limit of them, oldest
-- first, whatever their status, and gives those that the filter lets through. The walk by (tenant,
-- id) meets each job once, also one that changes its state meanwhile, and no dead rows of what an
-- earlier step has moved. So a whole operation costs as much as the tenant has jobs.
create or replace function fairclaim_internal.tenant_jobs(
  p_tenant_id uuid,
  p_queue text,
  p_type text,
  p_older_than float8,
  p_newer_than float8,
  p_after uuid,
  p_limit int,
  out ids uuid[],
  out looked int,
  out next uuid
)
language plpgsql stable
set enable_seqscan = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_tenant(p_tenant_id);
  perform check_filter(null, p_older_than, p_newer_than, null);
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      'go on with p_after = next, as long as there is one', '{"minimum": 1, "maximum": 10000}');
  end if;
  select count(*), max(look.id::text)::uuid,
         coalesce(array_agg(look.id order by look.id) filter (
           where (p_queue is null or look.queue = p_queue collate "C")
             and (p_type is null or look.type = p_type collate "C")
             and (p_older_than is null
                  or look.created_at < v_now - make_interval(secs => p_older_than))
             and (p_newer_than is null
                  or look.created_at >= v_now - make_interval(secs => p_newer_than))), '{}')
    into looked, next, ids
    from (select job.id, job.queue, job.type, job.created_at from job
           where job.tenant_id = p_tenant_id
             and job.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
           order by job.tenant_id, job.id limit p_limit) look;
  if looked < p_limit then
    next := null;
  end if;
end
$$;

comment on function fairclaim_internal.tenant_jobs(uuid, text, text, float8, float8, uuid, int) is
'The next jobs of a tenant that a filter lets through, how many it looked at, and where to go on (null: that was the last). Errors: JQ002, JQ004.';

-- internal/tenant/tenant_label.sql
-- Two look-ups by index: in the names that tick has folded, else in the notes of dispatches since.
create or replace function fairclaim_internal.tenant_label(p_tenant_id uuid) returns text
language sql stable
as $$
  select coalesce(
    (select known.name from fairclaim_internal.tenant_name known
      where known.tenant_id = p_tenant_id),
    (select note.name from fairclaim_internal.tenant_note note
      where note.tenant_id = p_tenant_id limit 1))
$$;

comment on function fairclaim_internal.tenant_label(uuid) is
'The name of a tenant, or null when no job was dispatched for it by name.';

-- internal/tenant/tenant_parts.sql
create or replace function fairclaim_internal.tenant_parts(p_tenant_id uuid)
returns table (kind text, document jsonb)
language plpgsql stable
as $$
#variable_conflict use_column
begin
  return query
  select 'tenant', jsonb_build_object(
           'tenant_id', p_tenant_id, 'name', tenant_label(p_tenant_id),
           'retention', (select extract(epoch from own.retention) from tenant_retention own
                          where own.tenant_id = p_tenant_id));
  return query
  select 'setting', jsonb_strip_nulls(jsonb_build_object(
           'setting', set_by.kind, 'queue', nullif(set_by.queue, ''), 'layer', set_by.layer,
           'value', set_by.value, 'share', set_by.share, 'period', set_by.period,
           'burst', set_by.burst, 'key', set_by.key, 'refuses', set_by.refuses,
           'set_by', set_by.set_by, 'why', set_by.why, 'until', set_by.until,
           'set_at', set_by.set_at))
    from bound set_by
   where set_by.tenant_id = p_tenant_id
   order by set_by.kind, set_by.queue, set_by.layer;
  return query
  select 'setting', jsonb_build_object('setting', 'drain', 'drained_at', drain.drained_at)
    from waiting_limit drain
   where drain.tenant_id = p_tenant_id and drain.subject = 'drain';
  return query
  select 'audit', jsonb_build_object(
           'at', entry.at, 'who', entry.who, 'what', entry.what, 'queue', entry.queue,
           'old_value', entry.old_value, 'new_value', entry.new_value, 'until', entry.until,
           'why', entry.why, 'many', entry.many)
    from audit entry
   where entry.tenant_id = p_tenant_id
   order by entry.audit_id;
end
$$;

comment on function fairclaim_internal.tenant_parts(uuid) is
'What is known of a tenant beside its jobs, one row each, for its export.';

-- internal/worker/check_report.sql
-- What report_work refuses before it writes anything. The worker's id, its queues and its types are
-- checked as those of a claim are.
create or replace function fairclaim_internal.check_report(
  p_host text,
  p_version text,
  p_queues text[],
  p_slots int[],
  p_silent_for float8,
  p_tenants uuid[],
  p_tenant_queues text[],
  p_jobs int[],
  p_seconds float8[]
) returns void
language plpgsql
as $$
declare
  v_count int := coalesce(cardinality(p_tenants), 0);
  v_place int;                                -- of the first bad item, from 1
begin
  if p_queues is null then
    perform refuse('JQ004', 'p_queues', 'must be a list of 1 to 1,000 names without nulls',
      'name the queues that the worker serves', '{"limit": 1000}');
  elsif p_slots is null or cardinality(p_slots) <> cardinality(p_queues)
     or array_ndims(p_slots) > 1 or not 0 <= all (p_slots) or not 100000 >= all (p_slots)
     or array_position(p_slots, null) is not null then
    perform refuse('JQ004', 'p_slots', 'must have a number from 0 to 100,000 for each queue',
      'say for each of p_queues how many of its jobs run at once',
      '{"minimum": 0, "maximum": 100000}');
  elsif p_host is null or length(p_host) not between 1 and 255
     or p_host ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_host', 'must have 1 to 255 printable characters',
      'give the name of the machine', '{"limit": 255}');
  elsif p_version is null or length(p_version) not between 1 and 64
     or p_version ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_version', 'must have 1 to 64 printable characters',
      'give the version of the program', '{"limit": 64}');
  elsif p_silent_for is null or not (p_silent_for >= 0 and p_silent_for <= 86400) then
    perform refuse('JQ004', 'p_silent_for', 'must be seconds from 0 to 86,400 (24 h)',
      'say for how long there may be no further report, or 0 when the worker ends',
      '{"minimum": 0, "maximum": 86400}');
  elsif v_count > 1000 or array_ndims(p_tenants) > 1
     or array_position(p_tenants, null) is not null then
    perform refuse('JQ004', 'p_tenants', 'must be null or a list of at most 1,000 tenants',
      'report the tenants that took the most time', '{"limit": 1000}');
  elsif coalesce(cardinality(p_tenant_queues), 0) <> v_count
     or coalesce(cardinality(p_jobs), 0) <> v_count
     or coalesce(cardinality(p_seconds), 0) <> v_count then
    perform refuse('JQ004',
      case when coalesce(cardinality(p_tenant_queues), 0) <> v_count then 'p_tenant_queues'
           when coalesce(cardinality(p_jobs), 0) <> v_count then 'p_jobs' else 'p_seconds' end,
      'must have as many items as p_tenants', 'give one item for each tenant');
  end if;
  if v_count > 0 then
    select item.place into v_place
      from unnest(p_jobs, p_seconds) with ordinality item(jobs, seconds, place)
     where not coalesce(item.jobs between 0 and 1000000
                        and item.seconds >= 0 and item.seconds <= 1e9, false) limit 1;
    if found then
      perform refuse('JQ004', format('p_seconds[%s]', v_place - 1),
        'must be from 0 to 1,000,000,000, of 0 to 1,000,000 jobs',
        'give what the handlers took since the last report',
        '{"minimum": 0, "maximum": 1000000000}');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.check_report(text, text, text[], int[], float8, uuid[],
    text[], int[], float8[]) is
'Refuses a bad report of a worker (JQ004).';

-- internal/worker/fold_times.sql
-- Reports go into the sums of their tenants, a slice. What was there counts less the older it is,
-- to a third in half a minute, but never for less than four jobs, so that one odd run after a pause
-- does not stand for all. Locks reports (skip locked), then rows of tenant_time. Of two ticks of
-- which one never ends, the other waits in vain for a tenant of both, for as long as the time-out
-- of tick's locks; see work_steps.
create or replace function fairclaim_internal.fold_times(p_at timestamptz, p_size int) returns int
language plpgsql
as $$
declare
  v_done int;
  v_queues text[];
  v_tenants uuid[];
  v_jobs float8[];
  v_seconds float8[];
begin
  with taken as (
    delete from time_report gone
     where gone.ctid = any (array(
       select report.ctid from time_report report
        order by report.report_id limit p_size for update skip locked))
    returning gone.queue, gone.tenant_id, gone.jobs, gone.seconds),
  summed as (
    select taken.queue, taken.tenant_id, count(*) as reports, sum(taken.jobs) as jobs,
           sum(taken.seconds) as seconds
      from taken group by taken.queue, taken.tenant_id)
  select sum(summed.reports), array_agg(summed.queue), array_agg(summed.tenant_id),
         array_agg(summed.jobs), array_agg(summed.seconds)
    into v_done, v_queues, v_tenants, v_jobs, v_seconds
    from summed;
  if v_done is null then
    return 0;
  end if;
  insert into tenant_time as known (queue, tenant_id, jobs, seconds, at)
  select report.queue, report.tenant_id, report.jobs, report.seconds, p_at
    from unnest(v_queues, v_tenants, v_jobs, v_seconds) report(queue, tenant_id, jobs, seconds)
   where exists (
           select from queue where queue.name = report.queue and queue.fair_by = 'seconds')
   order by report.queue collate "C", report.tenant_id
      on conflict (queue, tenant_id) do update
     set (jobs, seconds, at) = (
           select excluded.jobs + known.jobs * kept.part,
                  excluded.seconds + known.seconds * kept.part, excluded.at
             from (select greatest(
                            exp(-least(100, greatest(
                              0, extract(epoch from excluded.at - known.at) / 30.0)))::float8,
                            least(1, 4 / greatest(known.jobs, 1))) as part) kept);
  return v_done;
end
$$;

comment on function fairclaim_internal.fold_times(timestamptz, int) is
'Adds what workers have reported to the smoothed run times of tenants. Returns how many reports it took.';

-- internal/worker/forget_times.sql
-- Run times of an hour ago say little, and tenants come and go. Locks rows of tenant_time, and
-- passes over locked ones.
create or replace function fairclaim_internal.forget_times(
  p_at timestamptz,
  p_size int
) returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_gone int;
begin
  delete from tenant_time
   where tenant_time.ctid = any (array(
     select old.ctid from tenant_time old
      where old.at < p_at - interval '1 hour' or old.at > p_at + interval '1 hour'
      limit p_size for update skip locked));
  get diagnostics v_gone = row_count;
  return v_gone;
end
$$;

comment on function fairclaim_internal.forget_times(timestamptz, int) is
'Forgets run times that are an hour old. Returns how many.';

-- internal/worker/forget_workers.sql
-- Locks rows of `worker`, and passes over locked ones.
create or replace function fairclaim_internal.forget_workers(p_at timestamptz, p_size int)
returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_gone int;
begin
  delete from worker
   where worker.ctid = any (array(
     select silent.ctid from worker silent
      where silent.silent_until < p_at - interval '1 hour'
      limit p_size for update skip locked));
  get diagnostics v_gone = row_count;
  return v_gone;
end
$$;

comment on function fairclaim_internal.forget_workers(timestamptz, int) is
'Forgets workers that have been silent for an hour longer than they said. Returns how many.';

-- internal/worker/is_handled.sql
-- A look at all workers, of which there are few.
create or replace function fairclaim_internal.is_handled(p_queue text, p_type text)
returns boolean
language sql volatile
set enable_seqscan = on
as $$
  select exists (
    select from fairclaim_internal.worker
     where worker.silent_until > fairclaim.clock()
       and worker.queues @> array[p_queue collate "C"]
       and (worker.types is null or worker.types @> array[p_type collate "C"]))
$$;

comment on function fairclaim_internal.is_handled(text, text) is
'Whether a worker that lives serves this queue and handles this type.';

-- internal/worker/slots_of.sql
-- A look at all workers, of which there are few.
create or replace function fairclaim_internal.slots_of(p_queue text) returns int
language sql volatile
set enable_seqscan = on
as $$
  select coalesce(sum(worker.slots[array_position(worker.queues, p_queue collate "C")]), 0)::int
    from fairclaim_internal.worker
   where worker.silent_until > fairclaim.clock()
$$;

comment on function fairclaim_internal.slots_of(text) is
'How many jobs of a queue the workers that live can run at once.';

-- internal/worker/times_wanted.sql
-- Three looks at tables that are small or empty.
create or replace function fairclaim_internal.times_wanted() returns boolean
language plpgsql
as $$
begin
  return exists (select from queue where queue.fair_by = 'seconds')
      or exists (select from queue_time) or exists (select from time_report);
end
$$;

comment on function fairclaim_internal.times_wanted() is
'Whether some queue is fair by seconds, or was until now.';

-- internal/worker/turn_worth.sql
-- What a turn is worth to a tenant of weight 1, in seconds. Its jobs in a turn are that, divided by
-- what one of its jobs takes, and rounded; so the slowest tenant must give one at least, and the
-- fastest 10,000 at most. Three of the slowest make the rounding fine enough; but for jobs of many
-- seconds turns would be long, and there one is enough. What is in force stays while it is near to
-- that, so that lanes are not written again for every change of a mean.
create or replace function fairclaim_internal.turn_worth(
  p_now float8,
  p_slowest float8,
  p_fastest float8
) returns float8
language plpgsql immutable
as $$
declare
  v_best float8 := greatest(p_slowest, least(3 * p_slowest, 6, 10000 * p_fastest));
begin
  if p_now >= p_slowest and p_now between v_best / 1.5 and v_best * 1.5 then
    return p_now;
  end if;
  return v_best;
end
$$;

comment on function fairclaim_internal.turn_worth(float8, float8, float8) is
'How many seconds a turn is worth to a tenant of weight 1, from the seconds of a job divided by the weight of its tenant: the most and the least that there is in the queue.';

-- internal/worker/weigh_by_time.sql
-- Every queue that is fair by seconds, or was: at most 100 of them in a tick, and a slice of the
-- lanes of each. Locks rows of queue_time (skip locked), then lanes.
create or replace function fairclaim_internal.weigh_by_time(p_size int) returns int
language plpgsql
as $$
declare
  v_queue text;
  v_written int := 0;
begin
  insert into queue_time (queue)
  select queue.name from queue
   where queue.fair_by = 'seconds'
     and not exists (select from queue_time known where known.queue = queue.name)
      on conflict (queue) do nothing;
  for v_queue in
    select known.queue from queue_time known order by random() limit 100 for update skip locked
  loop
    v_written := v_written + weigh_slice(v_queue, p_size);
  end loop;
  return v_written;
end
$$;

comment on function fairclaim_internal.weigh_by_time(int) is
'Brings the weights of lanes to what time says, in queues that are fair by seconds. Returns how many lanes it wrote.';

-- internal/worker/weigh_slice.sql
-- The next slice of a queue's own lanes, by turn: looks at what a job of each tenant costs, and
-- gives the lanes their weights in effect: turn_seconds * weight / mean. What a turn is worth is
-- settled when a pass has seen all lanes, which is every time where there are not many; until then
-- the last one holds. Where the queue is fair by claims again, the lanes get their plain weights,
-- and after the pass nothing is kept of it. A weight that is off by less than a twentieth stays.
-- The caller holds the queue's row of queue_time. Locks lanes, and passes over locked ones.
create or replace function fairclaim_internal.weigh_slice(p_queue text, p_size int) returns int
language plpgsql
as $$
declare
  v_row queue_time;
  v_by_seconds boolean := exists (
    select from queue where queue.name = p_queue and queue.fair_by = 'seconds');
  v_turns bigint[];
  v_weights int[];                            -- as people have set them
  v_means float8[];                           -- seconds of a job; null: not known
  v_lanes int;
  v_new queue_time;
  v_written int;
begin
  select * into v_row from queue_time where queue_time.queue = p_queue;
  with slice as materialized (
    select lane.turn, lane.tenant_id from lane
     where lane.walked and lane.queue = p_queue
       and lane.turn > coalesce(v_row.place, -9223372036854775808)
     order by lane.turn limit p_size)
  select (select count(*) from slice), array_agg(met.turn order by met.turn),
         array_agg(weight_of(met.tenant_id, p_queue)::int order by met.turn),
         array_agg(known.mean order by met.turn)
    into v_lanes, v_turns, v_weights, v_means
    from (select distinct slice.turn, slice.tenant_id from slice) met
    left join lateral (
      select greatest(0.001, least(3600,
               tenant_time.seconds / greatest(tenant_time.jobs, 1))) as mean
        from tenant_time
       where tenant_time.queue = p_queue and tenant_time.tenant_id = met.tenant_id
      offset 0) known on true;

  v_new := v_row;
  v_new.mean := coalesce((select avg(item.mean) from unnest(v_means) item(mean)), v_row.mean);
  select greatest(v_row.slowest, max(coalesce(item.mean, v_new.mean) / item.weight)),
         least(v_row.fastest, min(coalesce(item.mean, v_new.mean) / item.weight))
    into v_new.slowest, v_new.fastest
    from unnest(v_means, v_weights) item(mean, weight);
  if v_lanes < p_size then
    if v_new.slowest is not null then
      v_new.turn_seconds := turn_worth(v_row.turn_seconds, v_new.slowest, v_new.fastest);
    end if;
    v_new.place := null; v_new.slowest := null; v_new.fastest := null;
  else
    v_new.place := v_turns[cardinality(v_turns)];
  end if;

  with wanted as materialized (
    select item.turn,
           case when v_by_seconds and v_new.turn_seconds is not null
                then least(10000, greatest(1, round(
                       v_new.turn_seconds * item.weight / coalesce(item.mean, v_new.mean))))
                else item.weight end::smallint as weight
      from unnest(v_turns, v_weights, v_means) item(turn, weight, mean)),
  stale as materialized (
    select found.place, wanted.weight from wanted
     cross join lateral (
       select lane.ctid as place from lane
        where lane.walked and lane.queue = p_queue and lane.turn = wanted.turn
          and lane.weight <> wanted.weight
          and (not v_by_seconds or abs(lane.weight - wanted.weight) * 20 > wanted.weight)
          for update skip locked) found)
  update lane set weight = stale.weight from stale where lane.ctid = stale.place;
  get diagnostics v_written = row_count;
  if not v_by_seconds and v_new.place is null then
    delete from tenant_time
     where tenant_time.ctid = any (array(
       select useless.ctid from tenant_time useless
        where useless.queue = p_queue limit p_size for update skip locked));
    delete from queue_time
     where queue_time.queue = p_queue
       and not exists (select from tenant_time where tenant_time.queue = p_queue);
  elsif v_new.place is not null or v_row.place is not null
        or v_new.turn_seconds is distinct from v_row.turn_seconds
        or not coalesce(v_new.mean between v_row.mean * 0.9 and v_row.mean * 1.1,
                        v_new.mean is null) then
    update queue_time
       set turn_seconds = v_new.turn_seconds, mean = v_new.mean, place = v_new.place,
           slowest = v_new.slowest, fastest = v_new.fastest
     where queue_time.queue = p_queue;
  end if;
  return v_written;
end
$$;

comment on function fairclaim_internal.weigh_slice(text, int) is
'Gives a slice of the own lanes of a queue the weights that run times ask for. Returns how many it wrote.';

-- protocol/claim/claim_job.sql
-- The contract's one-job claim. It has no cursor argument: its place is a hint in a session
-- setting, which names no tenant and is harmless if it is shared, lost or forged.
create or replace function fairclaim.claim_job(
  p_worker_id text,
  p_queues text[] default null,
  p_types text[] default null,
  p_lease float8 default 30,
  p_lease_token uuid default null
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text,
  attempts int, next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz,
  queue text, priority int, max_attempts int, attempts_left int, lost int, timeout float8,
  tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_cursor text := nullif(current_setting('fairclaim.turn', true), '');
  v_job record;
begin
  if v_cursor is not null then
    begin
      perform check_cursor(v_cursor);
    exception
      when sqlstate 'JQ004' then v_cursor := null;
    end;
  end if;
  select * into v_job
    from fairclaim.claim_jobs(p_worker_id, p_queues, 1, p_types, p_lease, v_cursor, p_lease_token);
  if found then
    perform set_config('fairclaim.turn', v_job.next_cursor, false);
    return query
    select v_job.id, v_job.tenant_id, v_job.type, v_job.status, v_job.payload, v_job.result,
           v_job.worker_id, v_job.attempts, v_job.next_retry_at, v_job.created_at,
           v_job.completed_at, v_job.queue, v_job.priority, v_job.max_attempts,
           v_job.attempts_left, v_job.lost, v_job.timeout, v_job.tags, v_job.metadata,
           v_job.lease_token, v_job.lease_expires_at;
  end if;
end
$$;

comment on function fairclaim.claim_job(text, text[], text[], float8, uuid) is
'Takes one job to run, or returns no row. As claim_jobs with p_limit 1; the place in the round is kept in the session.';

grant execute on function fairclaim.claim_job(text, text[], text[], float8, uuid)
  to fairclaim_worker;

-- protocol/claim/claim_jobs.sql
-- The claim is take_jobs; here its wide rows are read, never `job` first: offset 0. The pins are
-- for that and for take_jobs: statistics of a moment at which nothing waits would choose to read
-- whole tables.
create or replace function fairclaim.claim_jobs(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease float8 default 30,
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text,
  attempts int, next_retry_at timestamptz, created_at timestamptz, completed_at timestamptz,
  queue text, priority int, max_attempts int, attempts_left int, lost int, timeout float8,
  tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz, next_cursor text
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_claim record;
begin
  v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token,
    p_idle_for, p_alone);
  if v_claim.jobs is not null then
    return query
    select wide.id, wide.tenant_id, wide.type, 'processing'::text, wide.payload, null::jsonb,
           p_worker_id, taken.attempts + 1, null::timestamptz, wide.created_at, null::timestamptz,
           wide.queue, wide.priority::int, wide.max_attempts::int, taken.attempts_left::int,
           taken.lost::int, date_part('epoch', wide.timeout), wide.tags, wide.metadata,
           v_claim.token, v_claim.expires_at, v_claim.cursor
      from unnest(v_claim.jobs) taken
     cross join lateral (
       select * from job
        where job.tenant_id = taken.tenant_id and job.id = taken.id offset 0) wide;
    if fairclaim.clock() >= v_claim.expires_at then
      perform refuse_late(v_claim.expires_at);
    end if;
  end if;
end
$$;

comment on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean) is
'Takes up to p_limit (1 to 1,000) jobs to run, each by exactly one worker at a time, tenants in turn; empty when there is none. Starts an attempt of each: attempts grows by one, and (id, attempts, lease_token) is needed to settle it before lease_expires_at.
p_queues: null for every queue that is not paused; queues are visited in turn. p_types: null for every type. p_lease: seconds, 1 to 86,400.
p_cursor: next_cursor of an earlier claim of this worker (null at first): its place in the round. A worker with several claims under way keeps one for each of them.
p_lease_token: the token of all that is claimed, a random uuid of this call alone (null: one is made), so that a caller without an answer can give it back by release_claims.
p_idle_for: for how many seconds a caller that gets nothing will be idle unless it is woken by LISTEN; 0 when nothing wakes it, null for about a second.
p_alone: true claims one job whose workers died twice, the oldest, or nothing, whatever p_limit says; no other claim returns such a job. For a caller that holds nothing else and claims nothing until it is settled, so that no other job is lost with it. One that no worker takes within setting.suspect_wait (an hour at first) fails, with the error code lost.
Errors: JQ004; 55P03 when it had to wait for so long that the lease would be over: nothing was claimed, repeat it. Needs READ COMMITTED.';

grant execute on function fairclaim.claim_jobs(text, text[], int, text[], float8, text, uuid,
    float8, boolean)
  to fairclaim_worker;

-- protocol/claim/why_idle.sql
-- Tells a worker that has nothing to do what keeps the jobs of its queues from it. It only reads,
-- and it is bounded: at most 50 queues, 200 pairs of queue and type, 100 lanes a pair, 1,000
-- waiting rows a pair, 1,000 scheduled rows and 1,000 that wait for their key. Types are hopped to
-- through the two indexes of lanes.
create or replace function fairclaim.why_idle(
  p_queues text[] default null,
  p_types text[] default null
) returns table (
  reason text,
  queue text,
  type text,
  jobs int,
  at_least boolean,
  due_in float8,
  handled_elsewhere boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_in_use text[] := coalesce(open_queues(null), '{}');     -- less the paused ones
  v_queues text[] := coalesce(p_queues, v_in_use);
begin
  if cardinality(p_queues) not between 1 and 1000 or array_ndims(p_queues) > 1
     or array_position(p_queues, null) is not null then
    perform refuse('JQ004', 'p_queues',
      'must be null (every queue) or a list of 1 to 1,000 names without nulls',
      'pass null or the names of queues');
  elsif cardinality(p_types) not between 1 and 1000 or array_ndims(p_types) > 1
     or array_position(p_types, null) is not null then
    perform refuse('JQ004', 'p_types',
      'must be null (every type) or a list of 1 to 1,000 names without nulls',
      'pass null or the names of types');
  end if;
  return query
  with recursive
  served(name, paused) as materialized (
    select given.name,
           exists (select from queue paused
                    where paused.name = given.name and paused.paused_at is not null)
      from (select distinct unnest(v_queues) collate "C" as name order by name limit 50) given),
  hop(queue_name, type_name, hops) as (        -- one type a step, in their order
    select served.name, first.type_name, 1
      from served
     cross join lateral (select least(
       (select lane.type from lane lane
         where lane.tenant_id is not null and lane.queue = served.name
         order by lane.queue, lane.type limit 1),
       (select lane.type from lane lane
         where lane.tenant_id is null and lane.queue = served.name
         order by lane.queue, lane.type limit 1)) as type_name) first
    union all
    select hop.queue_name, following.type_name, hop.hops + 1
      from hop
     cross join lateral (select least(
       (select lane.type from lane lane
         where lane.tenant_id is not null
           and lane.queue = hop.queue_name and lane.type > hop.type_name
         order by lane.queue, lane.type limit 1),
       (select lane.type from lane lane
         where lane.tenant_id is null and lane.queue = hop.queue_name and lane.type > hop.type_name
         order by lane.queue, lane.type limit 1)) as type_name) following
     where hop.type_name is not null and hop.hops < 100),
  pair as materialized (
    select hop.queue_name, hop.type_name from hop where hop.type_name is not null limit 200),
  waiting as materialized (
    select pair.queue_name, pair.type_name, least(found.jobs, 1000)::int as jobs,
           found.jobs > 1000 or found.lanes >= 100 as at_least
      from pair
     cross join lateral (
       select array_agg(lane.lane_id) as ids, array_agg(lane.floor) as floors
         from ((select lane.lane_id, lane.floor from lane lane
                 where lane.tenant_id is null
                   and lane.queue = pair.queue_name and lane.type = pair.type_name
                 order by lane.lane_id limit 20)
               union all
               (select lane.lane_id, lane.floor from lane lane
                 where lane.tenant_id is not null
                   and lane.queue = pair.queue_name and lane.type = pair.type_name
                 order by lane.turn limit 80)) lane) lanes
     cross join lateral (
       select count(*) as jobs, cardinality(lanes.ids) as lanes
         from (select 1
                 from unnest(lanes.ids, lanes.floors) lane(lane_id, floor)
                cross join lateral (
                  select 1 from ready ready
                   where ready.lane_id = lane.lane_id and ready.seq >= lane.floor
                   order by ready.lane_id, ready.seq limit 1001) ready
                limit 1001) one) found),
  later as materialized (
    select job.queue as queue_name, job.type as type_name, count(*)::int as jobs,
           min(soon.run_at) as run_at
      from (select scheduled.id, scheduled.tenant_id, scheduled.run_at
              from scheduled scheduled
             order by scheduled.run_at, scheduled.id limit 1000) soon
     cross join lateral (
       select job.queue, job.type from job job
        where job.tenant_id = soon.tenant_id and job.id = soon.id offset 0) job
     where job.queue in (select served.name from served)
     group by job.queue, job.type),
  behind as materialized (
    select job.queue as queue_name, job.type as type_name, count(*)::int as jobs
      from (select held.id, held.tenant_id from held
             order by held.tenant_id, held.key, held.seq limit 1000) first
     cross join lateral (
       select job.queue, job.type from job job
        where job.tenant_id = first.tenant_id and job.id = first.id offset 0) job
     where job.queue in (select served.name from served)
     group by job.queue, job.type),
  unseen as materialized (
    select served.name from served
     where not queue_in_use(served.name)
       and not exists (select from later where later.queue_name = served.name)
       and not exists (select from behind where behind.queue_name = served.name)),
  told(reason, queue_name, type_name, jobs, at_least, due_in) as (
    select 'paused', served.name, null::text, coalesce(sum(waiting.jobs), 0)::int,
           coalesce(bool_or(waiting.at_least), false), null::float8
      from served left join waiting on waiting.queue_name = served.name
     where served.paused
     group by served.name
    union all
    select case when waiting.type_name = any (p_types) or p_types is null
                then 'waiting' else 'unhandled' end,
           waiting.queue_name, waiting.type_name, waiting.jobs, waiting.at_least, null
      from waiting
     where waiting.jobs > 0
       and not exists (select from served where served.name = waiting.queue_name and served.paused)
    union all
    select 'scheduled', later.queue_name, later.type_name, later.jobs,
           later.jobs >= 1000,
           greatest(extract(epoch from later.run_at - v_now), 0)::float8
      from later
     where later.type_name = any (p_types) or p_types is null
    union all
    select 'key', behind.queue_name, behind.type_name, behind.jobs, behind.jobs >= 1000, null
      from behind
     where behind.type_name = any (p_types) or p_types is null
    union all
    select 'unseen', unseen.name, null, 0, false, null from unseen
    union all
    (select 'in_use', other.name, null, 0, false, null
       from unnest(v_in_use) other(name)
      where exists (select from unseen) and other.name <> all (v_queues)
      limit 100))
  select told.reason, told.queue_name, told.type_name, told.jobs, told.at_least, told.due_in,
         case when told.reason = 'unhandled' then is_handled(told.queue_name, told.type_name) end
    from told
   order by array_position(
              array['paused', 'unhandled', 'waiting', 'key', 'scheduled', 'unseen', 'in_use'],
              told.reason),
            told.queue_name, told.type_name;
end
$$;

comment on function fairclaim.why_idle(text[], text[]) is
'Why a worker of these queues (null: every one) and types (null: every one) has nothing to do, for workers to say at their start and at the end of a drain. One row a reason, by `reason`:
`paused`: the queue is paused, and so many jobs wait in it. `unhandled`: so many jobs of this type wait in the queue, and the type is not in p_types; handled_elsewhere tells whether a worker that lives handles it (as far as workers report, see report_work). `waiting`: so many jobs of a type that is wait all the same: for the limit of their tenant, to run alone, or since a moment ago. `key`: so many wait until another job of their key has ended. `scheduled`: so many are due later, the first in due_in seconds. `unseen`: no job waits in the queue, or has within the last hour; a misspelt name shows by this. `in_use`: a queue that is in use and not among p_queues, told beside `unseen` only.
A sample that looks at a bounded number of rows: at_least says that a number is a lower bound. Not to be polled. Errors: JQ004.';

grant execute on function fairclaim.why_idle(text[], text[]) to fairclaim_worker;

-- protocol/dispatch/dispatch_job.sql
-- Puts one job in. It locks no existing row and waits for nothing: it inserts into `job`, then one
-- row into `scheduled`, into `held` if it has a key, or into `ready`. Outside READ COMMITTED the
-- job is due at once, and the next tick places it: a snapshot that is older than the lock on
-- `ready` must not choose a lane (I3).
--
-- Every expression is set up again in every transaction, which costs more than its evaluation. So
-- there are few, and those that read a tenant's name, a time or a timeout stand in branches that
-- the usual call passes by.
create or replace function fairclaim.dispatch_job(
  p_tenant_id uuid default null,
  p_type text default null,
  p_payload jsonb default '{}',
  p_queue text default 'default',
  p_priority int default 0,
  p_run_at timestamptz default null,
  p_max_attempts int default 25,
  p_timeout float8 default null,
  p_tags text[] default '{}',
  p_metadata jsonb default '{}',
  p_tenant text default null,
  p_delay float8 default null,
  p_key text default null,
  p_keep_order boolean default false
) returns uuid
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_bytes int := octet_length(p_payload::text);
  v_most int;                                 -- null where the payload is surely small enough
  v_timeout interval;
  v_fault text;
  v_id uuid;
begin
  if p_tenant_id is null or p_tenant is not null or v_bytes > 1024 then
    if v_bytes > 1024 then                    -- the setting is never less
      v_most := (select setting.max_payload from setting);
    end if;
    if p_tenant_id is null then
      p_tenant_id := named_tenant(p_tenant);
    elsif p_tenant is not null then
      v_fault := 'p_tenant: excludes p_tenant_id';
    end if;
  end if;
  if p_run_at is not null or p_delay is not null or p_timeout is not null then
    v_fault := coalesce(v_fault, case
      when p_run_at not between v_now - interval '1 day' and v_now + interval '5 years'
        then 'p_run_at: must be finite, at most 1 day ago and at most 5 years ahead' end);
    if p_delay is not null or p_timeout is not null then
      v_fault := coalesce(v_fault, case
        when p_run_at is not null and p_delay is not null then 'p_delay: excludes p_run_at'
        when p_delay not between 0 and 157766400 then 'p_delay: must be from 0 to 5 years'
        when p_timeout not between 0.001 and 86400
          then 'p_timeout: must be from 1 ms to 24 h' end);
      if v_fault is null then
        p_run_at := coalesce(p_run_at, v_now + make_interval(secs => p_delay));
        v_timeout := make_interval(secs => p_timeout);
      end if;
    end if;
    if p_run_at <= v_now then
      p_run_at := null;                       -- a time that has passed means at once
    end if;
  end if;
  if p_key is not null or p_keep_order then
    v_fault := coalesce(v_fault, case
      when p_key is null then 'p_keep_order: needs a key'
      when octet_length(p_key) not between 1 and 255 then 'p_key: must be 1 to 255 bytes' end);
  end if;
  v_fault := case
    when v_fault is not null then v_fault
    when not is_name(p_type, true)
      then 'p_type: must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters'
    when not is_name(p_queue)
      then 'p_queue: must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters'
    when p_priority is null or p_priority not between -100 and 100
      then 'p_priority: must be from -100 to 100'
    when p_max_attempts is null or p_max_attempts not between 1 and 100
      then 'p_max_attempts: must be from 1 to 100'
    when v_bytes is null then 'p_payload: must not be null'
    when v_bytes > v_most or v_bytes > 257 and too_deep(p_payload)
      then 'p_payload: ' || json_fault(p_payload, coalesce(v_most, v_bytes))
    when p_tags is null or p_metadata is null or cardinality(p_tags) > 0 or p_metadata <> '{}'
      then extras_fault(p_tags, p_metadata) end;
  if v_fault is not null then
    perform refuse_job(v_fault);
  end if;

  -- one condition for an installation without quotas; nothing is written before they are checked
  if (select exists (select from waiting_limit))
     and exists (select from waiting_limit
                  where waiting_limit.tenant_id = any (
                    array[p_tenant_id, '00000000-0000-0000-0000-000000000000'::uuid])) then
    perform check_quotas(array[p_tenant_id], array[p_queue], array[1]);
  end if;

  v_id := (id_prefix(v_now) || substr(gen_random_uuid()::text, 20))::uuid;
  insert into job (id, tenant_id, queue, type, priority, max_attempts,
                   timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
  values (v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts,
          v_timeout, p_run_at, v_now, p_payload, p_tags, p_metadata, p_key,
          case when p_keep_order then true end);
  if p_run_at is not null or current_setting('transaction_isolation') <> 'read committed' then
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    values (coalesce(p_run_at, v_now), v_id, p_tenant_id, 0, p_max_attempts, 0,
            p_key is not null);
    if coalesce(pg_sequence_last_value('look_by'), 0)
       > millis(coalesce(p_run_at, v_now)) + 1000 then
      perform wake_before(v_now, coalesce(p_run_at, v_now) + interval '1 s');
    end if;
  else
    if p_key is null then
      perform into_lane(v_id, p_tenant_id, p_queue, p_type, p_priority, p_max_attempts);
    else
      perform hold_jobs(array[p_tenant_id], array[v_id], array[0], array[p_max_attempts::smallint],
        array[0::smallint]);
    end if;
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  return v_id;
end
$$;

comment on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int,
    float8, text[], jsonb, text, float8, text, boolean) is
'Puts one job in, in the caller''s transaction, and returns its id (uuid v7). Outside READ COMMITTED the next tick after its commit makes it claimable. Arguments are to be named.
p_tenant_id or p_tenant: the owner, by id or by name: 1 to 255 bytes without control characters, which mean the id that tenant_uuid(name) gives, and are shown beside it from then on. Neither: the default tenant of the settings, if there is one. p_type: needed; ^[A-Za-z0-9][A-Za-z0-9_.:-]*$, at most 64. p_payload: any JSON, at most 1 MiB of text, 128 deep.
p_queue: ^[a-z0-9][a-z0-9_.:-]*$, at most 64. p_priority: -100 to 100, higher first, among this tenant''s jobs.
p_run_at or p_delay: not before this time, at most 1 day ago (meaning now), at most 5 years ahead; or not before so many seconds from now, 0 to 157766400 (5 years). p_max_attempts: 1 to 100.
p_timeout: of one attempt, in seconds, 0.001 to 86400. p_tags: at most 20 of 1 to 64 characters. p_metadata: an object, at most 16 KiB.
p_key: 1 to 255 bytes, such as an account of the tenant''s. Of the jobs of one key at most one runs at a time, in the order of their dispatch, or as many as set_key_limit says; priorities do not count among them. It waits, pending, until it may run. p_keep_order: while it waits for a retry or is snoozed, no other job of its key runs; without, the next one goes, and it goes before others when it is due. Such a job runs alone, whatever the limit of its key.
Errors: JQ002 without a tenant, JQ004 with the field''s name and its limit. Nothing is written then.';

grant execute on function fairclaim.dispatch_job(uuid, text, jsonb, text, int, timestamptz, int,
    float8, text[], jsonb, text, float8, text, boolean)
  to fairclaim_producer;

-- protocol/dispatch/dispatch_jobs.sql
-- Puts many jobs in, all or nothing, by sets: it reads and checks them, inserts the wide rows and
-- those that are due later, and then places all others in one statement. A batch has at most 64
-- MiB, so it stays in memory (work_mem) and meets no temp_file_limit. Outside READ COMMITTED all
-- jobs go to `scheduled`, due at once (see dispatch_job).
--
-- The plan is pinned to hash joins: the planner does not know how many items an array has, and
-- nested loops and merges of ten thousand items by text cost many times as much.
create or replace function fairclaim.dispatch_jobs(p_jobs jsonb)
returns table (ordinal int, id uuid, created boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_nestloop = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set work_mem = '128MB'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_prefix text := id_prefix(v_now);
  v_tail text := right(gen_random_uuid()::text, 12);
  v_most int := (select setting.max_payload from setting);
  v_due timestamptz := case when current_setting('transaction_isolation') <> 'read committed'
                            then v_now end;
  v_seldom int;
  v_tenants jsonb;                            -- ids by names
  v_times timestamptz[];                      -- the run_at of each item, by its place
  v_bytes bigint;
  v_bad int;
  v_fault text;
  v_all uuid[];
  v_rows ready[];                             -- see into_lanes()
  v_queues text[];
  v_types text[];
  v_priorities smallint[];
  v_later timestamptz;                        -- when the first of those in `scheduled` is due
begin
  v_seldom := check_batch(p_jobs);
  if v_seldom > 0 then
    v_tenants := case when v_seldom & 1 > 0 then named_tenants(p_jobs) end;
    v_times := case when v_seldom & 2 > 0 then read_times(p_jobs) end;
  end if;
  if exists (select from waiting_limit) then
    perform check_batch_quotas(p_jobs, v_tenants);
  end if;

  -- item: a job as it will be stored. What no smallint holds is brought just outside of the limits,
  -- and refused with the others. It has no tenant where it names none or two, no timeout where that
  -- is wrong, and no time where its delay is wrong or stands beside a run_at.
  with item as materialized (
    select (v_prefix || to_hex(32768 + given.place) || v_tail)::uuid as id,
           given.place::int as place,
           case when given.tenant is null or given.tenant_id is null
                then coalesce(given.tenant_id, (v_tenants ->> case
                       when given.tenant is null then '' when given.tenant <> '' then given.tenant
                       end)::uuid) end as tenant_id,
           coalesce(given.queue, 'default') collate "C" as queue,
           given.type collate "C" as type,
           greatest(-101, least(101, coalesce(given.priority, 0))) as priority,
           coalesce(given.payload, '{}') as payload,
           octet_length(coalesce(given.payload, '{}')::text) as bytes,
           greatest(0, least(101, coalesce(given.max_attempts, 25))) as max_attempts,
           seconds_in(given.timeout, 0.001, 86400) as timeout,
           given.timeout is not null as has_timeout,
           case when given.delay is null then v_times[given.place]
                when v_times[given.place] is null
                then v_now + seconds_in(given.delay, 0, 157766400) end as run_at,
           given.delay is not null as has_delay,
           coalesce(given.tags, '{}') as tags,
           coalesce(given.metadata, '{}') as metadata,
           given.tags <> '{}' or given.metadata <> '{}' as has_extras,
           given.key,
           given.keep_order
      from rows from (jsonb_to_recordset(p_jobs) as (
             tenant_id uuid, type text, payload jsonb, queue text, priority int, max_attempts int,
             timeout jsonb, tags text[], metadata jsonb, tenant text, delay jsonb,
             key text, keep_order boolean))
           with ordinality given (
             tenant_id, type, payload, queue, priority, max_attempts,
             timeout, tags, metadata, tenant, delay, key, keep_order, place)),
  -- kind: into_lanes() knows it by its number
  kind as materialized (
    select met.*, row_number() over () as number,
           not (is_name(met.queue) and is_name(met.type, true)) as is_bad
      from (select distinct item.queue, item.type, item.priority from item offset 0) met),
  -- fault: only a name where refuse_item() looks for what is wrong
  fault as (
    select item.place, case
             when item.tenant_id is null then 'tenant'
             when item.type is null then 'type'
             when item.priority not between -100 and 100 then 'priority: must be from -100 to 100'
             when item.max_attempts not between 1 and 100
               then 'max_attempts: must be from 1 to 100'
             when item.has_timeout and item.timeout is null then 'timeout'
             when item.has_delay and item.run_at is null then 'delay'
             when item.run_at not between v_now - interval '1 day' and v_now + interval '5 years'
                  and not item.has_delay
               then 'run_at: must be finite, at most 1 day ago and at most 5 years ahead'
             when item.bytes > v_most or item.bytes > 257 and too_deep(item.payload)
               then 'payload: ' || json_fault(item.payload, v_most)
             when item.key is null and item.keep_order then 'keep_order: needs a key'
             when octet_length(item.key) not between 1 and 255 then 'key: must be 1 to 255 bytes'
             when item.has_extras
               then replace(extras_fault(item.tags, item.metadata), 'p_', '') end as text
      from item
     where item.tenant_id is null or item.type is null or item.priority not between -100 and 100
        or item.max_attempts not between 1 and 100 or item.has_timeout or item.has_delay
        or item.run_at is not null or item.bytes > 257 or item.has_extras
        or item.key is not null or item.keep_order),
  bad as materialized (
    select fault.place, fault.text from fault
     where fault.text is not null order by fault.place limit 1),
  wide as (
    insert into job (id, tenant_id, queue, type, priority, max_attempts,
                     timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
    select item.id, item.tenant_id, item.queue, item.type, item.priority, item.max_attempts,
           item.timeout, case when item.run_at > v_now then item.run_at end, v_now, item.payload,
           item.tags, item.metadata, item.key, case when item.keep_order then true end
      from item
     where not exists (select from bad)),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select case when item.run_at > v_now then item.run_at else v_due end, item.id, item.tenant_id,
           0, item.max_attempts, 0, item.key is not null
      from item
     where (item.run_at > v_now or v_due is not null) and not exists (select from bad))
  select coalesce((select bad.place from bad),
                  case when (select bool_or(kind.is_bad) from kind) then 0 end),
         (select bad.text from bad), sum(sized.bytes), array_agg(sized.id),
         (select array_agg(kind.queue order by kind.number) from kind),
         (select array_agg(kind.type order by kind.number) from kind),
         (select array_agg(kind.priority::smallint order by kind.number) from kind),
         array_agg(row (sized.number, sized.place, sized.id, sized.tenant_id,
                        0, sized.max_attempts, 0, sized.key is not null)::ready)
           filter (where sized.due is null),
         min(sized.due)
    into v_bad, v_fault, v_bytes, v_all, v_queues, v_types, v_priorities, v_rows, v_later
    from (select kind.number, item.place, item.id, item.tenant_id, item.max_attempts,
                 item.key, case when item.run_at > v_now then item.run_at else v_due end as due,
                 100 + item.bytes
                 + case when item.has_extras
                        then octet_length(item.metadata::text) + octet_length(item.tags::text)
                        else 0 end as bytes
            from item
            left join kind on kind.queue = item.queue and kind.type = item.type
                          and kind.priority = item.priority
           order by item.place) sized;
  if v_bad is not null then
    perform refuse_item(p_jobs, v_bad, v_fault);
  elsif v_bytes > 67108864 then
    perform refuse('JQ004', 'p_jobs', 'must be at most 64 MiB of JSON text',
      'send smaller batches', '{"limit": 67108864}');
  end if;
  if v_rows is not null then
    if v_seldom & 4 > 0 then                  -- what has a key waits for it
      v_rows := hold_rows(v_rows);
    end if;
    if v_rows is null then
      null;
    elsif cardinality(v_rows) = 1 then
      perform into_lane(v_rows[1].id, v_rows[1].tenant_id, v_queues[v_rows[1].lane_id],
        v_types[v_rows[1].lane_id], v_priorities[v_rows[1].lane_id], v_rows[1].attempts_left);
    else
      perform into_lanes(v_rows, v_queues, v_types, v_priorities,
        id_at(coalesce(pg_sequence_last_value('shared_since'), 0)), true);
    end if;
    if coalesce(pg_sequence_last_value('asleep_until'), 0) > millis(v_now) then
      perform wake(v_now);
    end if;
  end if;
  if coalesce(pg_sequence_last_value('look_by'), 0) > millis(v_later) + 1000 then
    perform wake_before(v_now, v_later + interval '1 s');
  end if;
  return query
  select job.place::int, job.id, true from unnest(v_all) with ordinality job(id, place);
end
$$;

comment on function fairclaim.dispatch_jobs(jsonb) is
'Puts 1 to 10,000 jobs in, all or nothing. p_jobs: an array of objects with the names of dispatch_job''s arguments less "p_"; type is needed, and tenant_id or tenant unless the settings have a default tenant; unknown names are refused, null means the default. timeout and delay are numbers of seconds. run_at is a text in ISO 8601 with its offset (Z or +hh:mm): the answer never depends on the settings of the session. At most 64 MiB of text. Returns one row a job, in order (ordinal from 1).
Errors: JQ002, JQ004 with the index of the bad item (from 0), the field and its limit.';

grant execute on function fairclaim.dispatch_jobs(jsonb) to fairclaim_producer;

-- protocol/dispatch/dispatch_lines.sql
-- Puts a batch of lines in and notes that they are dealt with, in one transaction: a caller that
-- repeats it, after a lost connection or in another process, changes nothing and learns where the
-- source stands, and by the digests whether it is the same source. It locks the row of the source
-- and waits only for another call that sends the same source at this moment; dispatch itself locks
-- no existing row.
create or replace function fairclaim.dispatch_lines(
  p_source text,
  p_after bigint,
  p_through bigint,
  p_jobs jsonb,
  p_refused int default 0,
  p_digest bytea default null,
  p_defaults bytea default null,
  p_anew boolean default false
) returns table (
  accepted boolean, lines bigint, dispatched bigint, refused bigint, digest bytea, defaults bytea
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_jobs bigint := case when jsonb_typeof(p_jobs) = 'array' then jsonb_array_length(p_jobs) end;
  v_row dispatch_progress;
begin
  if p_source is null or octet_length(p_source) not between 1 and 255 then
    perform refuse('JQ004', 'p_source', 'must be 1 to 255 bytes',
      'name the source by a short text, such as the path of a file', '{"limit": 255}');
  elsif p_after is null or p_after < 0 then
    perform refuse('JQ004', 'p_after', 'must be 0 or more', p_detail => '{"minimum": 0}');
  elsif p_through is null or p_through < p_after then
    perform refuse('JQ004', 'p_through', 'must be at least p_after',
      'give the number of the last line that was read');
  elsif v_jobs is null then
    perform refuse('JQ004', 'p_jobs', 'must be an array of objects',
      'put the jobs into a JSON array, one object each');
  elsif p_refused is null or p_refused < 0 then
    perform refuse('JQ004', 'p_refused', 'must be 0 or more', p_detail => '{"minimum": 0}');
  elsif v_jobs + p_refused > p_through - p_after then
    perform refuse('JQ004', 'p_jobs', 'must have, with p_refused, at most one job a line',
      'the lines are those after p_after, up to p_through');
  elsif octet_length(p_digest) not between 1 and 64 then
    perform refuse('JQ004', 'p_digest', 'must be 1 to 64 bytes or null',
      p_detail => '{"limit": 64}');
  elsif octet_length(p_defaults) not between 1 and 64 then
    perform refuse('JQ004', 'p_defaults', 'must be 1 to 64 bytes or null',
      p_detail => '{"limit": 64}');
  elsif p_anew is null or p_anew and p_after > 0 then
    perform refuse('JQ004', 'p_anew', 'must be false unless p_after is 0',
      'begin with p_after => 0, or leave it out');
  end if;

  -- a mere question leaves no row, and waits: the one who sends may be dead already
  if p_through = p_after then
    insert into dispatch_progress (login, source, lines, dispatched, refused, updated_at)
    values (session_user, p_source, 0, 0, 0, fairclaim.clock()) on conflict do nothing;
    if found then
      delete from dispatch_progress sent
       where sent.login = session_user and sent.source = p_source;
    end if;
    select * into v_row from dispatch_progress sent
     where sent.login = session_user and sent.source = p_source for update;
    return query
    select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0),
           coalesce(v_row.refused, 0), v_row.digest, v_row.defaults;
    return;
  end if;

  if p_after = 0 then
    insert into dispatch_progress (login, source, lines, dispatched, refused, updated_at)
    values (session_user, p_source, 0, 0, 0, fairclaim.clock()) on conflict do nothing;
  end if;
  select * into v_row from dispatch_progress sent
   where sent.login = session_user and sent.source = p_source for update;
  if p_anew and v_row.dispatched = 0 then     -- nothing can go in twice
    v_row.lines := 0; v_row.refused := 0; v_row.defaults := null;
  end if;
  if v_row.lines is distinct from p_after or p_defaults <> v_row.defaults then
    return query
    select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0),
           coalesce(v_row.refused, 0), v_row.digest, v_row.defaults;
    return;
  end if;

  if v_jobs > 0 then
    perform count(*) from fairclaim.dispatch_jobs(p_jobs);
  end if;
  return query
  update dispatch_progress sent
     set lines = p_through, dispatched = v_row.dispatched + v_jobs,
         refused = v_row.refused + p_refused, digest = p_digest,
         defaults = coalesce(p_defaults, v_row.defaults), updated_at = fairclaim.clock()
   where sent.login = session_user and sent.source = p_source
  returning true, sent.lines, sent.dispatched, sent.refused, sent.digest, sent.defaults;
end
$$;

comment on function fairclaim.dispatch_lines(text, bigint, bigint, jsonb, int, bytea,
    bytea, boolean) is
'Puts in what stands in the lines after p_after up to p_through of a source, once: in the same transaction the source moves on to p_through. When it does not stand at p_after, nothing is done and accepted is false.
p_source: the caller''s name for it, 1 to 255 bytes; each login has its own. p_jobs: as for dispatch_jobs, at most one a line, may be empty. p_refused: how many of the lines are left out as refused. With p_through = p_after it only answers, when no other call sends this source any more.
p_digest, p_defaults: 1 to 64 bytes each that are kept with it, so that the next caller sees whether he has the same source: a digest of the lines up to p_through, and one of what the caller fills in where a line says nothing. Other p_defaults than those it began with are not accepted. p_anew, with p_after = 0: begin it again, which is done only when none of its lines was dispatched.
Returns where the source stands now (lines), and how many of its lines were dispatched and refused so far, with its digests. Waits for another call of the same source. What is remembered is deleted by prune() when it is older than the retention.
Errors: as dispatch_jobs; the source does not move then.';

grant execute on function fairclaim.dispatch_lines(text, bigint, bigint, jsonb, int, bytea,
    bytea, boolean)
  to fairclaim_producer;

-- protocol/dispatch/get_jobs.sql
-- For producers: by index only, whatever the statistics say. Each id is looked up in `job` with its
-- tenant, and then in the narrow tables until it is found; all in one statement, so that a job that
-- moves at this moment is seen in one place. A waiting one is found through the group of its
-- queue's shared lanes, or among the own lanes. `offset 0` keeps each look-up a look-up.
create or replace function fairclaim.get_jobs(p_tenant_id uuid, p_ids uuid[]) returns table (
  id uuid, status text, attempts int, result jsonb, error_code text, ended_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_memoize = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  if p_ids is null or cardinality(p_ids) > 10000
     or array_ndims(p_ids) > 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'ask for fewer jobs at once', '{"limit": 10000}');
  end if;
  p_tenant_id := coalesce(p_tenant_id, default_tenant());
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'give the id of the tenant: fairclaim.tenant_uuid(name) makes one of a name'
      ' (an application with one tenant only sets it once:'
      ' `fairclaim settings set default_tenant app`)');
  end if;
  return query
  select wanted.id,
         coalesce(ended.status,
           case when runs.attempt is not null then 'processing'
                when later.attempts is not null then 'scheduled'
                else 'pending' end),
         coalesce(ended.attempts, runs.attempt, later.attempts, waits.attempts, behind.attempts, 0),
         ended.result, ended.error ->> 'code', ended.completed_at
    from unnest(p_ids) with ordinality wanted(id, place)
   cross join lateral (
     select job.queue, job.key from job
      where job.tenant_id = p_tenant_id and job.id = wanted.id offset 0) job
    left join lateral (
     select finished.status, finished.attempts, finished.result, finished.error,
            finished.completed_at
       from finished
      where finished.id = wanted.id and finished.tenant_id = p_tenant_id offset 0) ended on true
    left join lateral (
     select running.attempt from running
      where running.id = wanted.id and ended.status is null offset 0) runs on true
    left join lateral (
     select scheduled.attempts from scheduled
      where scheduled.id = wanted.id and ended.status is null and runs.attempt is null
     offset 0) later on true
    left join lateral (
     select ready.attempts from ready
      where ready.tenant_id = p_tenant_id and ready.id = wanted.id
        and (ready.lane_id >> 32) = any (array[0, lane_group(job.queue)])
        and ended.status is null and runs.attempt is null and later.attempts is null
      limit 1) waits on true
    left join lateral (
     select held.attempts from held
      where held.id = wanted.id and job.key is not null offset 0) behind on true
   order by wanted.place;
end
$$;

comment on function fairclaim.get_jobs(uuid, uuid[]) is
'What became of jobs of one tenant (null: the default tenant of the settings), for producers: one row for each of p_ids (at most 10,000) that the tenant has, in their order, and none for the others, whether they are another tenant''s or were never there. An empty list answers nothing.
status: scheduled, pending, processing, completed, failed or cancelled. attempts: how often it was claimed. Of a job that has ended: result, what its handler returned; error_code, the code of its last error; ended_at. Of one that has not, these are null.
Costs a few look-ups an id, however many jobs there are. Errors: JQ002, JQ004.';

grant execute on function fairclaim.get_jobs(uuid, uuid[]) to fairclaim_producer;

-- protocol/doctor/doctor_findings.sql
-- Each topic is asked by itself, so that one that fails stops no other. Runs with the caller's
-- rights: see doctor_transactions. It waits a second at most for any lock, and every topic looks at
-- a bounded number of rows, but the server counts time by statement: who wants a bound in time for
-- each topic sets statement_timeout and asks for one topic after another, as `fairclaim doctor`
-- does.
create or replace function fairclaim.doctor_findings(
  p_topic text default null, p_build jsonb default null
) returns table (level text, name text, seen text, advice text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
set jit = off
as $$
declare
  v_topic text;
  v_about text;
begin
  for v_topic, v_about in
    select topics.topic, topics.about
      from (values ('migrations', 'migrations'),
                   ('functions', 'functions'),
                   ('relations', 'tables'),
                   ('roles', 'roles'),
                   ('ticks', 'the state of maintenance'),
                   ('holders', 'who holds ticks back'),
                   ('steps', 'steps of tick that fail'),
                   ('retention', 'ranges of ids and retention'),
                   ('strays', 'jobs without a lane'),
                   ('transactions', 'open transactions'),
                   ('queues', 'queues'),
                   ('leases', 'leases that end far ahead'),
                   ('limits', 'limits'),
                   ('waiting', 'what waits'),
                   ('suspects', 'what waits to run alone'),
                   ('settings', 'settings'),
                   ('space', 'sizes of tables'),
                   ('age', 'the age of transactions')) topics(topic, about)
     where p_topic is null or topics.topic = p_topic
  loop
    begin
      if v_topic = 'transactions' then
        return query select * from fairclaim.doctor_transactions();
      else
        return query select * from fairclaim.doctor_topic(v_topic, p_build);
      end if;
    exception
      when others then
        return query values ('warning', 'failed_check',
          format('could not look at %s: SQLSTATE %s', v_about, sqlstate),
          'ask again; if it stays, look for locks that others hold (55P03), or report it');
    end;
  end loop;
  if not found then
    raise exception 'p_topic: must be one of the topics of the doctor'
      using errcode = 'JQ004', detail = '{"argument": "p_topic", "field": "topic"}',
            hint = 'leave p_topic out to ask for all topics';
  end if;
end
$$;

comment on function fairclaim.doctor_findings(text, jsonb) is
'Examines the database and says what is wrong and what to do about it, as `fairclaim doctor` prints it: the level (ok, note, warning, error), the name of the finding, which later versions keep (docs/operate/doctor.md has all of them), what was seen, and what to do (null where all is well). No tenant and no payload is in it. It changes nothing, waits for a lock for a second at most, and looks at a bounded number of rows; a topic that cannot be looked at is the finding failed_check and stops no other. The transactions of others are seen if the caller may see them (pg_read_all_stats).
p_topic asks for one topic: migrations, functions, relations, roles, ticks, holders, steps, retention, strays, transactions, queues, leases, limits, waiting, suspects, settings, space, age. p_build is what a client expects to be installed; without it, that is what the last migration brought. What concerns a connection itself (TLS, a pooler, the version that a client needs) only the client can tell.';

grant execute on function fairclaim.doctor_findings(text, jsonb)
  to fairclaim_operator, fairclaim_observer;

-- protocol/doctor/doctor_topic.sql
-- Runs the checks of one topic as the owner, who reads every table and shows none: what they answer
-- has no tenant and no payload in it.
create or replace function fairclaim.doctor_topic(p_topic text, p_build jsonb default null)
returns table (level text, name text, seen text, advice text)
language plpgsql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set lock_timeout = '1s'
set jit = off
as $$
declare
  v_build jsonb := coalesce(p_build, (select build.contents from build), '{}');
begin
  case p_topic
    when 'migrations' then return query select * from findings_of_migrations(v_build);
    when 'functions' then return query select * from findings_of_functions(v_build);
    when 'relations' then return query select * from findings_of_relations();
    when 'roles' then return query select * from findings_of_roles();
    when 'ticks' then return query select * from findings_of_ticks();
    when 'holders' then return query select * from findings_of_holders();
    when 'steps' then return query select * from findings_of_steps();
    when 'retention' then return query select * from findings_of_retention();
    when 'strays' then return query select * from findings_of_strays();
    when 'queues' then return query select * from findings_of_queues();
    when 'leases' then return query select * from findings_of_leases();
    when 'limits' then return query select * from findings_of_limits();
    when 'waiting' then return query select * from findings_of_waiting();
    when 'suspects' then return query select * from findings_of_suspects();
    when 'settings' then return query select * from findings_of_settings();
    when 'space' then return query select * from findings_of_space();
    when 'age' then return query select * from findings_of_age();
    else perform refuse('JQ004', 'p_topic', 'must be one of the topics of the doctor',
                                'call doctor_findings(), which asks for every topic');
  end case;
end
$$;

comment on function fairclaim.doctor_topic(text, jsonb) is
'A part of doctor_findings(), which calls it for all topics but transactions.';

grant execute on function fairclaim.doctor_topic(text, jsonb)
  to fairclaim_operator, fairclaim_observer;

-- protocol/doctor/doctor_transactions.sql
-- Old snapshots: while one is held, no dead row behind it can be removed, and every queue table
-- grows. Runs with the caller's rights, since the transactions of others are hidden from the owner
-- of the functions. Reads catalogs and the clock only, so that a login without the right to call it
-- can send this text itself.
create or replace function fairclaim.doctor_transactions()
returns table (level text, name text, seen text, advice text)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  with moment as materialized (select fairclaim.clock() as now_at),
  -- transactions of other databases keep none of our dead rows
  old(kind, subject, seconds, place, total) as (
    (select 'open', format('pid %s of %s (%s), %s', activity.pid,
                           coalesce(activity.usename, 'the server'), activity.application_name,
                           coalesce(activity.state, 'at work')),
            extract(epoch from moment.now_at - activity.xact_start)::float8,
            row_number() over (order by activity.xact_start), 0
       from moment cross join pg_stat_activity activity
      where activity.pid <> pg_backend_pid() and activity.datname = current_database()
        and activity.backend_type <> 'autovacuum worker'
        -- transactions end within seconds; one of five minutes was forgotten
        and activity.xact_start <= moment.now_at - interval '5 min'
      order by activity.xact_start limit 5)
    union all
    (select 'prepared', prepared.owner::text,
            extract(epoch from moment.now_at - prepared.prepared)::float8, 1, count(*) over ()
       from moment cross join pg_prepared_xacts prepared
      where prepared.database = current_database() order by prepared.prepared limit 1)),
  spoken as (
    select old.*, case when old.seconds < 120 then round(old.seconds) || ' s'
                       when old.seconds < 7200 then round(old.seconds / 60) || ' min'
                       when old.seconds < 172800 then round(old.seconds / 3600) || ' h'
                       else round(old.seconds / 86400) || ' days' end as span
      from old),
  open as (
    select string_agg(format('%s, open for %s', spoken.subject, spoken.span), '; '
                      order by spoken.place) as names
      from spoken where spoken.kind = 'open'),
  slot as (
    select known.slot_name::text as name, known.active,
           greatest(age(known.xmin), age(known.catalog_xmin))::int8 as behind,
           known.xmin is not null as keeps_rows,
           coalesce(known.wal_status in ('lost', 'unreserved'), false) as is_lost
      from pg_replication_slots known order by 3 desc nulls last limit 10),
  -- Standbys that make this server keep dead rows for their own queries, without a slot: those with
  -- one are found with the slots. A busy queue ends about 100,000 transactions in the minutes after
  -- which a transaction is long.
  standby as (
    select count(*), string_agg(
             format('pid %s of %s (%s), %s transactions behind', fed.pid,
                    coalesce(fed.usename, 'the server'), fed.application_name, fed.behind), '; ')
             filter (where fed.behind > 100000) as far
      from (select sender.pid, sender.usename, sender.application_name,
                   age(sender.backend_xmin)::int8 as behind
              from pg_stat_replication sender where sender.backend_xmin is not null
             order by 4 desc limit 5) fed)
  select 'note', 'unseen',
         'this login sees its own sessions only: an old transaction of another, or a standby that '
         || 'keeps rows, would not show',
         'as an administrator grant pg_read_all_stats (or pg_monitor) to this login'
   where not pg_has_role('pg_read_all_stats', 'usage')
   union all
  select case when open.names is null then 'ok' else 'warning' end, 'long_transaction',
         coalesce(open.names, 'none that this login sees is older than 5 min'),
         case when open.names is not null
              then 'dead rows of every table stay until it ends: commit or roll back there, or '
                   || 'select pg_terminate_backend(pid); set idle_in_transaction_session_timeout '
                   || 'for that login' end
    from open
   union all
  select case when spoken.seconds > 300 then 'warning' else 'note' end, 'prepared_transaction',
         format('%s prepared transactions; the oldest is of %s, %s old', spoken.total,
                spoken.subject, spoken.span),
         'see pg_prepared_xacts, then commit prepared or rollback prepared as its owner: it '
         || 'outlives every session'
    from spoken where spoken.kind = 'prepared'
   union all
  -- a slot that is read may lag by a million transactions; one without a reader keeps rows for ever
  select 'warning', 'replication_slot',
         format('slot %s is %s and %s transactions behind', slot.name,
                case when slot.active then 'in use' else 'not in use' end,
                coalesce(slot.behind, 0)),
         'bring its reader back, or select pg_drop_replication_slot(...) if nothing needs it: it '
         || 'keeps dead rows and WAL'
    from slot where slot.behind > 1000000 or slot.is_lost or not slot.active and slot.keeps_rows
   union all
  select case when standby.far is null then 'ok' else 'warning' end, 'standby_feedback',
         coalesce(standby.far, 'no standby keeps more than the rows of a moment'),
         case when standby.far is not null
              then 'dead rows of every table stay for a query on that standby: look for old '
                   || 'transactions in its pg_stat_activity and end them, or set '
                   || 'hot_standby_feedback = off there' end
    from standby where standby.count > 0
$$;

comment on function fairclaim.doctor_transactions() is
'A part of doctor_findings(), which calls it with its own caller''s rights: transactions, prepared ones, replication slots and standbys that keep dead rows.';

grant execute on function fairclaim.doctor_transactions()
  to fairclaim_operator, fairclaim_observer;

-- protocol/key/set_key_limit.sql
-- Writes a row that claims and settlements read, and a note: by that the jobs that wait meet a
-- higher limit. A lower one takes effect as running jobs end. Locks the limit's row, which only
-- other calls for the same key wait for.
create or replace function fairclaim.set_key_limit(
  p_tenant_id uuid,
  p_key text,
  p_max_running int
) returns table (key text, max_running int, was int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_is_prefix boolean := right(p_key, 1) = '*';
  v_key text := case when right(p_key, 1) = '*' then left(p_key, -1) else p_key end;
begin
  p_tenant_id := coalesce(p_tenant_id, default_tenant());
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'give the id of the tenant: fairclaim.tenant_uuid(name) makes one of a name');
  elsif p_key is null or octet_length(p_key) not between 1 and 255 then
    perform refuse('JQ004', 'p_key', 'must be 1 to 255 bytes',
      'give a key, or the beginning of keys with * at its end', '{"limit": 255}');
  elsif p_max_running not between 0 and 10000 then
    perform refuse('JQ004', 'p_max_running', 'must be from 0 to 10,000',
      'give a number, 0 to hold all jobs of the key, or null to take the limit away',
      '{"minimum": 0, "maximum": 10000}');
  end if;
  select known.max_running into was from key_limit known
   where known.tenant_id = p_tenant_id and known.is_prefix = v_is_prefix and known.key = v_key;
  if p_max_running is null then
    delete from key_limit known
     where known.tenant_id = p_tenant_id and known.is_prefix = v_is_prefix and known.key = v_key;
  else
    if v_is_prefix and was is null
       and (select count(*) from key_limit known
             where known.tenant_id = p_tenant_id and known.is_prefix) >= 1000 then
      perform refuse('JQ004', 'p_key', 'a tenant may have limits of 1,000 prefixes',
        'take away those that are not needed', '{"limit": 1000}');
    end if;
    insert into key_limit as known (tenant_id, is_prefix, key, max_running)
    values (p_tenant_id, v_is_prefix, v_key, p_max_running)
        on conflict (tenant_id, is_prefix, key) do update
       set max_running = excluded.max_running;
  end if;
  lock table ready in row exclusive mode;
  insert into key_note (tenant_id, key, floor, is_prefix)
  values (p_tenant_id, v_key, -1, v_is_prefix);
  perform tell_of_keys(millis(fairclaim.clock()));
  perform tell('');
  raise log 'fairclaim: a limit of keys set to % by %',
    coalesce(p_max_running::text, 'none'), session_user;
  key := p_key;
  max_running := p_max_running;
  return next;
end
$$;

comment on function fairclaim.set_key_limit(uuid, text, int) is
'Sets how many jobs of a key of one tenant (null: the default tenant of the settings) may run at once, 0 to 10,000, for operators; null takes the limit away. p_key: 1 to 255 bytes; with * at its end it stands for all keys that begin so. For each key its own limit holds, else that of the longest prefix, else 1. Jobs that keep their order run alone whatever it says. Takes effect at once; a lower limit as running jobs end, and that of a prefix with the next tick. was: the limit before, null for none. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_key_limit(uuid, text, int) to fairclaim_operator;

-- protocol/maintenance/drop_ranges.sql
-- Drops at most one range a call, since its locks last until the transaction ends, and looks at 16
-- at most. A range is looked at again only when what kept it may be past: the latest end, or a
-- minute after an unfinished job was seen. A caller that keeps the transaction open after a drop
-- keeps all others waiting: so the idle time and the next statements are bounded, and the
-- transaction cannot be prepared (rehearse_drop). Lock order: the tables of the range (share row
-- exclusive), then job, finished, attempt_error (exclusive).
create or replace function fairclaim.drop_ranges(p_retention float8 default null)
returns table (ranges_dropped int, ranges_in_use int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set lock_timeout = '5ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_before timestamptz := prune_before(p_retention, v_now);
  v_far timestamptz := v_now + 5 * range_width();
  v_range id_range;
  v_looked boolean := false;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'drop_ranges needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  ranges_dropped := 0; ranges_in_use := 0;
  for v_range in
    select * from id_range span
     where (span.ends_at < v_before           -- but not the last one, which dispatch needs
            and span.ends_at < (select max(other.ends_at) from id_range other)
            or span.starts_at > v_far
            and exists (select from id_range other where other.starts_at < v_far))
       and (span.last_end is null or span.last_end < v_before or span.last_end > v_now)
       and (span.kept_at is null or span.kept_at < v_now - interval '1 minute'
            or span.kept_at > v_now)
     order by span.starts_at limit 16
  loop
    if not v_looked then
      v_looked := true;
      if is_held_long() then
        ranges_in_use := 1;
        exit;                                 -- what holds the parents holds all ranges
      end if;
    end if;
    case drop_range(v_range.starts_at, v_before)
      when 1 then
        ranges_dropped := 1;
        perform set_config('idle_in_transaction_session_timeout', '1s', true);
        if current_setting('statement_timeout')::interval
           not between interval '1 ms' and interval '5 s' then
          perform set_config('statement_timeout', '5s', true);
        end if;
        exit;
      when -1 then ranges_in_use := ranges_in_use + 1;
      when -2 then
        ranges_in_use := ranges_in_use + 1;
        exit;                                 -- others wait for these locks once a call, not twice
      else null;
    end case;
  end loop;
  return next;
end
$$;

comment on function fairclaim.drop_ranges(float8) is
'Drops a range of ids (partitions of job, finished, attempt_error) in which every job has ended before the retention began, or one that a wrong clock has left far ahead and that is empty. One a call: call it until ranges_dropped is 0, each in a transaction of its own; workers do. ranges_in_use: how many it met that are in use just now, such as a reader that stays in its transaction, or cannot drop at this moment; prune() deletes their rows meanwhile. p_retention: in seconds, operators only.
Errors: JQ004 (also outside READ COMMITTED), JQ007.';

grant execute on function fairclaim.drop_ranges(float8) to fairclaim_worker, fairclaim_operator;

-- protocol/maintenance/next_due.sql
-- Asked by a worker that will ask nothing until then. It reads a small table and the head of an
-- index, locks nothing, and writes nothing.
create or replace function fairclaim.next_due() returns float8
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_due timestamptz := least(
    (select min(scheduled.run_at) from scheduled),
    (select min(running.lease_expires_at) from running));
begin
  return extract(epoch from v_due - fairclaim.clock());
end
$$;

comment on function fairclaim.next_due() is
'In how many seconds the next delayed job is due or the next lease ends; null when there is neither, negative when it is overdue. For workers that sleep until then.';

grant execute on function fairclaim.next_due() to fairclaim_worker;

-- protocol/maintenance/prune.sql
-- Deletes rows, in short steps, and does no DDL: a caller that keeps its transaction open, or
-- prepares it, is in the way of other prunes only. It locks its own row of prune_place (skip
-- locked), then rows of `finished` (skip locked), and deletes what belongs to them. Ranges that can
-- go whole are the business of drop_ranges(). So with the retention of the settings, rows go row by
-- row only when they have been past for a third of it: by then their range was dropped, if nothing
-- keeps it. A caller that chooses a retention gets all of it at once.
--
-- After a call that had much to do it rests twice as long, for all callers together: a fleet prunes
-- no more than one worker.
create or replace function fairclaim.prune(p_retention float8 default null)
returns table (ranges_dropped int, rows_deleted bigint, passed_over int, busy boolean, more boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set lock_timeout = '100ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_retention interval := (select setting.retention from setting);
  v_before timestamptz := prune_before(p_retention, v_now);
  v_end uuid := id_at(greatest(0, millis(
    case when p_retention is null then v_before - v_retention / 3 else v_before end)));
  v_place prune_place;
  v_took interval;
  v_result record;
begin
  ranges_dropped := 0; rows_deleted := 0; passed_over := 0; more := true;
  select * into v_place from prune_place
   where prune_place.asked = (p_retention is not null) for update skip locked;
  busy := not found
          or p_retention is null and v_place.rest_until > v_now
             and v_place.rest_until < v_now + interval '10 s';
  if busy then
    return next;
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  select * into v_result
    from prune_round(v_place, make_interval(secs => p_retention), v_now, v_before, v_end);
  v_place := v_result.p_place;
  if v_result.begins or v_place.ended then
    -- a short retention that makes room must not thereby have files sent twice
    delete from dispatch_progress
     where dispatch_progress.ctid = any (array(
       select past.ctid from dispatch_progress past
        where past.updated_at < v_now - greatest(make_interval(secs => p_retention), v_retention)
        limit 1000 for update skip locked));
    delete from prune_fault
     where not exists (select from finished where finished.id = prune_fault.id);
  end if;
  select * into v_result from prune_walk(v_place, v_now, v_before, v_end);
  v_place := v_result.p_place;
  rows_deleted := v_result.deleted; passed_over := v_result.passed_over;
  if p_retention is null and exists (select from tenant_retention) then
    rows_deleted := rows_deleted + prune_tenant(v_now, 1000);
  end if;
  v_took := least(greatest(fairclaim.clock() - v_now, interval '0'), interval '1 s');
  update prune_place
     set retention = v_place.retention, place = v_place.place, ahead = v_place.ahead,
         round_at = v_place.round_at, ended = v_place.ended, left_since = v_place.left_since,
         cost = v_place.cost + v_took,
         rest_until = v_now + case when v_took < interval '50 ms' then interval '0'
                                   else 3 * v_took end
   where prune_place.asked = v_place.asked;
  more := not v_place.ended and passed_over < 16;
  return next;
end
$$;

comment on function fairclaim.prune(float8) is
'Deletes jobs that ended before the retention began (the setting, 7 days at first, or a shorter one of their tenant), and how far sources of dispatch_lines were sent (not counted; never sooner than the setting says). A call takes at most 200 ms or so: call it while `more`; workers do. Jobs go row by row here, once they have been past the retention of the settings for a third of it: drop_ranges() drops whole ranges before that, and is to be called first. p_retention: another one in seconds, for operators only, at least 3,600, which holds for every job at once. rows_deleted: jobs. passed_over: jobs that could not be deleted; the server''s log has their ids and the SQLSTATE, and `fairclaim doctor` tells them. busy: another prune is at work, or all of them rest. ranges_dropped is always 0.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.prune(float8) to fairclaim_worker, fairclaim_operator;

-- protocol/maintenance/tick.sql
-- Safe from anywhere, any number at once: one works, the others return busy. Everything is looked
-- at once in `tick_every` (half a second) for all who call, and nothing is locked or written when
-- there is nothing to do; in between only what is due or was left over is done. Locks: its row of
-- tick_lock, then what its steps lock. No step waits for an application, and for the lock of a
-- whole table it waits 100 ms.
--
-- A caller that stays idle in its transaction after a tick would keep the others away, so the idle
-- time is bounded; see take_guard for those that lift the bound.
create or replace function fairclaim.tick() returns table (
  promoted int, returned int, moved int, floors int, closed int, deleted int, safe_lag bigint,
  busy boolean, next_tick_in float8, failed text[], prune_due boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set lock_timeout = '100ms'
as $$
declare
  v_now timestamptz := fairclaim.clock();
  v_ms bigint := millis(v_now);
  v_every bigint := (select extract(epoch from setting.tick_every) * 1000 from setting);
  v_last bigint := coalesce(pg_sequence_last_value('round_at'), 0);
  v_round boolean := not (v_last > v_ms - v_every and v_last <= v_ms);
  v_state tick_state := newest_state();
  -- whole indexes, with their dead prefixes, are read four times a minute; that of the delayed jobs
  -- also when no tick came for a while, since what told of them may have been committed late
  v_all boolean;
  v_late boolean;
  v_next interval;
  v_result record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'tick needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  promoted := 0; returned := 0; moved := 0; floors := 0; closed := 0; deleted := 0;
  safe_lag := v_state.mark - v_state.safe; busy := false; failed := '{}';
  if coalesce(pg_sequence_last_value('rate_at'), 0) between 1 and v_ms then
    perform setval('rate_at', 0);
    perform wake(v_now);
  end if;
  v_all := v_round and v_last / 15000 <> v_ms / 15000;
  v_late := v_round and v_last < v_ms - 2000;
  v_state.sched_floor := case when v_all or v_late then '-infinity'
                              else least(v_state.sched_floor, v_now - interval '1 min') end;
  if not is_wanted(v_state, v_now, v_round) then
    if v_round then
      perform setval('round_at', greatest(0, v_ms));
    end if;
    v_next := next_look(v_state, v_now);
    next_tick_in := note_look(v_now, v_next);
    prune_due := is_prune_due(v_now, v_next < interval '29 s');
    return next;
    return;
  end if;

  v_state := take_guard(v_now);
  -- unless another tick was quicker
  v_round := v_round and v_last = coalesce(pg_sequence_last_value('round_at'), 0);
  if v_state.n is null then
    busy := true;
    next_tick_in := 1;
    prune_due := is_prune_due(v_now, true);
    return next;
    return;
  end if;
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  if v_round then
    perform setval('round_at', greatest(0, v_ms));
  end if;
  v_all := v_all and v_round;
  v_state.sched_floor := case when v_all or v_late and v_round then '-infinity'
                              else least(v_state.sched_floor, v_now - interval '1 min') end;
  select * into v_result from work_steps(v_state, v_round, v_all);
  v_state := v_result.p_state;
  failed := v_result.failed;
  promoted := coalesce((v_result.did ->> 'promote')::int, 0);
  returned := coalesce((v_result.did ->> 'return')::int, 0);
  select coalesce(sum((v_result.did ->> step.name)::int), 0) into moved
    from unnest(array['limits', 'keys', 'renew', 'sweep']) step(name);
  floors := coalesce((v_result.did ->> 'floors')::int, 0);
  closed := coalesce((v_result.did ->> 'close')::int, 0);
  deleted := coalesce((v_result.did ->> 'close_more')::int, 0);
  safe_lag := v_state.mark - v_state.safe;
  if promoted + returned + moved > 0 then
    perform wake(v_now);
  end if;
  v_next := next_look(v_state, v_now);
  next_tick_in := note_look(v_now, v_next);
  prune_due := is_prune_due(v_now, v_next < interval '29 s');
  return next;
end
$$;

comment on function fairclaim.tick() is
'Maintenance, a bounded slice of it: promotes due jobs, returns expired leases, ends what was to be cancelled and waits all the same, lets jobs of keys move up, puts limits into effect, fails suspects that no worker took, moves floors, closes and deletes empty lanes, makes ranges ahead, keeps the names of tenants that dispatches have used, refreshes the statistics. Call it from anywhere when next_tick_in says, in seconds: after half a minute at most, sooner when something can be due, every second while jobs wait or lanes come and go. Workers do. prune_due: no worker has pruned for a minute (ten, while nothing happens): call drop_ranges() and prune(). busy: another tick is at work. safe_lag: by how much open transactions hold floors back. failed: steps that failed, with a warning each; the others were done.
Errors: JQ004 outside READ COMMITTED.';

grant execute on function fairclaim.tick() to fairclaim_worker, fairclaim_operator;

-- protocol/operator/cancel_jobs.sql
-- What waits ends at once (locks: those of end_waiting). What runs, or is about to, or is being
-- settled or promoted at this moment, gets a row in cancel_request, for which nothing waits:
-- heartbeats, settlements and ticks look for it, and workers are told to ask.
create or replace function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_ids uuid[];
  v_tenants uuid[];
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  select array_agg(known.id), array_agg(known.tenant_id) into v_ids, v_tenants
    from find_jobs(p_tenant_id, p_ids) known;
  perform end_waiting(v_ids, v_tenants, v_now);
  insert into cancel_request (id, tenant_id, at)
  select job.id, job.tenant_id, v_now
    from unnest(v_ids, v_tenants) job(id, tenant_id)
   where not exists (
           select from finished
            where finished.id = job.id and finished.tenant_id = job.tenant_id)
     -- a wish whose row is locked is being deleted
     and not exists (
           select from cancel_request wish where wish.id = job.id for key share skip locked);
  if found then
    perform wake_cancel(v_now);
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.cancel_jobs(uuid, uuid[]) is
'Cancels jobs: a waiting one ends as cancelled at once; a running one is marked, its worker is told (at once where it listens, else at its next heartbeat), and the answer is processing. One that another transaction moves at this moment is answered as it still stands, and ends as cancelled within a few ticks. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only; then a waiting job is found without its tenant''s index, which is slower.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.cancel_jobs(uuid, uuid[])
  to fairclaim_producer, fairclaim_operator;

-- protocol/operator/count_jobs.sql
-- Bounded: it stops one job beyond p_up_to. What a call walks over: matching_jobs.
create or replace function fairclaim.count_jobs(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_type text default null,
  p_status text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null,
  p_up_to int default 10000,
  p_before_id uuid default null
) returns table (jobs int, more boolean)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
begin
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  perform check_filter(p_status, p_older_than, p_newer_than, p_error);
  return query
  select least(count(*), p_up_to)::int, count(*) > p_up_to
    from matching_jobs(p_tenant_id, p_queue, p_type, p_status, p_before_id,
           make_interval(secs => p_older_than), make_interval(secs => p_newer_than), p_error,
           p_up_to + 1);
end
$$;

comment on function fairclaim.count_jobs(uuid, text, text, text, float8, float8, text, int, uuid) is
'How many jobs a filter of list_jobs finds, counted up to p_up_to (1 to 100,000); more: there are others beyond that. p_before_id: as in list_jobs. For operators, to look before a cancel or a retry of many. Errors: JQ004, JQ007.';

grant execute on function fairclaim.count_jobs(uuid, text, text, text, float8, float8, text,
    int, uuid)
  to fairclaim_operator, fairclaim_auditor;

-- protocol/operator/delete_jobs.sql
-- Locks: those of erase_jobs.
create or replace function fairclaim.delete_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text, deleted boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_gone uuid[];
  v_were text[];
begin
  perform check_scope(p_tenant_id, p_ids);
  select array_agg(known.id), array_agg(known.tenant_id) into v_ids, v_tenants
    from find_jobs(p_tenant_id, p_ids) known;
  select array_agg(erased.id), array_agg(erased.status) into v_gone, v_were
    from erase_jobs(v_ids, v_tenants) erased;
  if v_gone is not null then
    raise log 'fairclaim: % jobs deleted by %', cardinality(v_gone), session_user;
  end if;
  return query
  select stands.id, coalesce(gone.status, stands.status), gone.id is not null
    from status_of(p_tenant_id, p_ids) with ordinality stands(id, status, place)
    left join unnest(v_gone, v_were) gone(id, status) on gone.id = stands.id
   order by stands.place;
end
$$;

comment on function fairclaim.delete_jobs(uuid, uuid[]) is
'Deletes jobs (1 to 10,000 ids) that wait (scheduled, pending) or have ended (completed, failed, cancelled), with their results, errors and history, for operators. A running one is never deleted: cancel it, or release it, and delete it when it has ended. Returns a row for each id, in order: deleted, and the status that the job had; or not deleted, and the status that it has now. Not deleted and pending, scheduled or ended is one that another transaction moves at this moment: call it again. A null status: this tenant has no such job. p_tenant_id null: every tenant''s. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.delete_jobs(uuid, uuid[]) to fairclaim_operator;

-- protocol/operator/list_jobs.sql
-- Newest first, by id. matching_jobs says where a page starts and what it costs; it is asked for
-- one job more, to know whether there is another page. Beside the overview, each row looks up its
-- last error by id; `offset 0` keeps that look from becoming a join of whole tables.
create or replace function fairclaim.list_jobs(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_type text default null,
  p_status text default null,
  p_before_id uuid default null,
  p_limit int default 100,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null
) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int,
  max_attempts int, worker_id text, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, tags text[],
  attempts_left int, error_code text, error_message text, more boolean, tenant text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_tenants uuid[];
  v_more boolean;
  v_open boolean := caller_is('auditor');
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'ask for at most 1,000 and go on with p_before_id', '{"minimum": 1, "maximum": 1000}');
  end if;
  perform check_filter(p_status, p_older_than, p_newer_than, p_error);
  select array_agg(matching.id order by matching.id desc),
         array_agg(matching.tenant_id order by matching.id desc)
    into v_ids, v_tenants
    from matching_jobs(p_tenant_id, p_queue, p_type, p_status, p_before_id,
           make_interval(secs => p_older_than), make_interval(secs => p_newer_than), p_error,
           p_limit + 1) matching;
  v_more := coalesce(cardinality(v_ids), 0) > p_limit;
  return query
  select job.id, job.tenant_id, job.queue, job.type, job.status, job.priority::int, job.attempts,
         job.max_attempts::int, job.worker_id, job.next_retry_at, job.created_at, job.completed_at,
         job.tags, job.attempts_left, last.error ->> 'code',
         case when v_open then left(last.error ->> 'message', 200) end, v_more,
         tenant_label(job.tenant_id)
    from unnest(v_ids[:p_limit], v_tenants[:p_limit]) with ordinality page(id, tenant_id, place)
   cross join lateral (
     select * from fairclaim.job_overview overview
      where overview.tenant_id = page.tenant_id and overview.id = page.id offset 0) job
   cross join lateral (
     select case when job.status <> 'completed' then coalesce(
              (select finished.error from finished
                where finished.id = job.id and finished.tenant_id = job.tenant_id),
              (select attempt_error.error from attempt_error
                where attempt_error.id = job.id and attempt_error.tenant_id = job.tenant_id
                order by attempt_error.attempt desc limit 1)) end as error
     offset 0) last
   order by page.place;
end
$$;

comment on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8, float8, text) is
'Jobs, newest first, without payloads, for operators. tenant: what the owner is called, if a job was dispatched for it by name. All filters are optional. more: there are older ones that match, and the next page is p_before_id = the last id of this one. p_limit 1 to 1,000.
attempts_left: how many attempts may still fail, null for a job that has ended. error_code, error_message: of the last error of a job that did not complete; the message only for auditors, and no more than its first 200 characters.
p_older_than, p_newer_than: seconds since the dispatch, 0 to 1,577,836,800 (50 years). p_error: 1 to 255 characters that the code, the message or the trace of the last error has, upper or lower case; never a completed job; auditors only.
A page costs as many rows as it has, if all that it comes by match. A filter that few match looks on until the page is full: give it a tenant, or ages. What waits (pending, or no status without a tenant) has no order by id and is read whole for each page.
Errors: JQ004, JQ007.';

grant execute on function fairclaim.list_jobs(uuid, text, text, text, uuid, int, float8,
    float8, text)
  to fairclaim_operator, fairclaim_auditor;

-- protocol/operator/list_settings.sql
-- Reads one row, and the list of what is in it. The style of intervals is pinned, since a span
-- passes through its text on its way.
create or replace function fairclaim.list_settings()
returns table (name text, value text, default_value text, unit text, about text)
language sql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set intervalstyle = 'postgres'
as $$
  select known.name,
         case known.unit
           when 'seconds' then trim_scale(
             extract(epoch from (stored.columns ->> known.name)::interval))::text
           else stored.columns ->> known.name end,
         known.default_value, known.unit, known.about
    from known_settings() known
   cross join (select to_jsonb(setting) as columns from setting) stored
   order by known.place
$$;

comment on function fairclaim.list_settings() is
'The settings of this installation, for operators and observers: value and default_value as texts (null: none), and unit, which says how to read them: seconds (a number, with a fraction if need be), bytes, number, name. about: what it is, in a sentence.';

grant execute on function fairclaim.list_settings() to fairclaim_operator, fairclaim_observer;

-- protocol/operator/release_jobs.sql
-- Frees running jobs whose workers are gone, before their leases end. A job that is being settled
-- or extended at this moment is passed over. Lock order: as settle_mixed (running, skip locked,
-- then inserts). Each job is looked up by index, whatever the statistics say: so sequential scans
-- and joins of whole tables are off.
create or replace function fairclaim.release_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
  v_jobs bigint;
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.id = any (p_ids)
             and (p_tenant_id is null or running.tenant_id = p_tenant_id)
             for update skip locked) held;
  if v_ids is not null then
    select count(*) into v_jobs
      from settle_mixed(null, v_ids, v_attempts, v_tokens,
             array_fill('release'::text, array[cardinality(v_ids)]), null, null, null) answer
     where answer.kind = 'settled';
    raise log 'fairclaim: % running jobs released by %', v_jobs, session_user;
    perform wake(fairclaim.clock());
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.release_jobs(uuid, uuid[]) is
'Takes running jobs (1 to 10,000 ids) from their workers, for operators, when those are gone and the leases are long: each waits again, or ends as cancelled if that was asked for. No attempt and no loss is counted. The lease is dead: a worker that lives after all may go on with the job for a while, beside the next one, and its settlement is refused. Returns the status of each id, null for one that this tenant does not have; processing is one that is being settled or extended at this moment: call it again. What does not run stays as it is. p_tenant_id null: every tenant''s. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.release_jobs(uuid, uuid[]) to fairclaim_operator;

-- protocol/operator/release_worker.sql
-- Does for whatever a worker holds what release_jobs does. It looks at all of `running`, a small
-- table, as for expired leases. Lock order: as settle_mixed (running, skip locked, then inserts).
create or replace function fairclaim.release_worker(p_worker_id text, p_limit int default 1000)
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
begin
  if p_worker_id is null or length(p_worker_id) not between 1 and 255 then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 characters',
      'give the name that list_jobs shows as worker_id', '{"limit": 255}');
  elsif p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'call it again until there are none', '{"minimum": 1, "maximum": 1000}');
  end if;
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.worker_id = p_worker_id limit p_limit for update skip locked) held;
  if v_ids is null then
    return;
  end if;
  raise log 'fairclaim: % jobs of worker % released by %',
    cardinality(v_ids), p_worker_id, session_user;
  return query
  select answer.id, answer.status
    from settle_mixed(p_worker_id, v_ids, v_attempts, v_tokens,
           array_fill('release'::text, array[cardinality(v_ids)]), null, null, null) answer
   where answer.kind = 'settled';
  perform wake(fairclaim.clock());
end
$$;

comment on function fairclaim.release_worker(text, int) is
'Takes from a worker what it holds, at most p_limit (1 to 1,000) jobs a call, for operators, when it is gone and its leases are long: as release_jobs. Returns the jobs and their new status, pending or cancelled: call it until there are none. Stop the worker first: one that lives claims on, and what it is running may run twice.
Errors: JQ004.';

grant execute on function fairclaim.release_worker(text, int) to fairclaim_operator;

-- protocol/operator/retry_jobs.sql
-- Moves the final fact into the history and the job back into a lane, with its attempts refilled; a
-- scheduled job becomes due now. Lock order: scheduled, finished, cancel_request, each skip locked.
create or replace function fairclaim.retry_jobs(p_tenant_id uuid, p_ids uuid[])
returns table (id uuid, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
  v_watched boolean[];
begin
  p_tenant_id := check_scope(p_tenant_id, p_ids);
  with due as materialized (
    select scheduled.ctid as place from scheduled
     where scheduled.id = any (p_ids)
       and (p_tenant_id is null or scheduled.tenant_id = p_tenant_id) for update skip locked),
  now_due as (
    delete from scheduled where scheduled.ctid = any (array(select due.place from due))
    returning scheduled.id, scheduled.tenant_id, scheduled.attempts, scheduled.attempts_left,
              scheduled.lost, scheduled.watched),
  back as (
    select now_due.id, now_due.tenant_id, now_due.attempts, now_due.attempts_left, now_due.lost,
           now_due.watched
      from now_due
    union all
    select ended.id, ended.tenant_id, ended.attempts, ended.attempts_left, ended.lost, ended.watched
      from reopen_ended(p_tenant_id, p_ids) ended)
  select array_agg(back.tenant_id), array_agg(back.id), array_agg(back.attempts),
         array_agg(back.attempts_left), array_agg(back.lost), array_agg(back.watched)
    into v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched
    from back;
  if v_ids is not null then
    perform drop_wishes(v_ids);
    perform to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost, v_watched);
    perform wake(fairclaim.clock());
  end if;
  return query select * from status_of(p_tenant_id, p_ids);
end
$$;

comment on function fairclaim.retry_jobs(uuid, uuid[]) is
'Runs jobs again: a finished one (failed, cancelled, completed) waits again with all its attempts, its final fact goes into the history, and attempts goes on counting; a scheduled one becomes due now. Returns the status of each id, null for one that this tenant does not have. p_tenant_id null: operators only.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.retry_jobs(uuid, uuid[])
  to fairclaim_producer, fairclaim_operator;

-- protocol/operator/set_setting.sql
-- Locks the one row of `setting`, for which no reader waits. Every call reads the settings again,
-- so a change is in effect with its commit.
create or replace function fairclaim.set_setting(p_name text, p_value text)
returns table (name text, value text, default_value text, unit text, about text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_known record;
  v_value text := case when p_value in ('default', 'null') then null else p_value end;
begin
  select * into v_known from known_settings() known where known.name = p_name;
  if not found then
    perform refuse('JQ004', 'p_name', 'must be the name of a setting',
      p_detail => (select jsonb_build_object('allowed', jsonb_agg(known.name order by known.place))
                     from known_settings() known));
  end if;
  perform check_setting(v_known.unit, v_known.minimum, v_known.maximum, v_value);
  v_value := coalesce(v_value, v_known.default_value);
  execute format('update setting set %I = %s', v_known.name,
                 case v_known.unit when 'seconds' then 'make_interval(secs => $1::float8)'
                                   when 'name' then '$1' else '$1::int' end)
    using v_value;
  raise log 'fairclaim: setting % changed by %', v_known.name, session_user;
  return query select * from fairclaim.list_settings() listed where listed.name = p_name;
end
$$;

comment on function fairclaim.set_setting(text, text) is
'Changes a setting (the names are those of list_settings), for operators, and returns it as list_settings does. p_value: a number of seconds or bytes or a whole number without its unit, or a name, as its unit says; null, or the word default or null, sets it back. In effect with the commit, without a restart. The server''s log says who changed which one.
Errors: JQ004 with the bounds, or the names that are allowed.';

grant execute on function fairclaim.set_setting(text, text) to fairclaim_operator;

-- protocol/operator/show_job.sql
-- Reads one job by its key. Without a tenant it is looked for in the narrow tables first
-- (find_jobs).
create or replace function fairclaim.show_job(
  p_id uuid,
  p_tenant_id uuid default null
) returns table (
  id uuid, tenant_id uuid, queue text, type text, status text, priority int, attempts int,
  max_attempts int, worker_id text, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, tags text[], payload jsonb, result jsonb, error jsonb,
  metadata jsonb, timeout float8, errors jsonb,
  attempts_left int, lost int, run_at timestamptz, lease_expires_at timestamptz,
  cancel_requested boolean, tenant text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_open boolean := caller_is('auditor');
  v_tenant uuid := coalesce(
    p_tenant_id, (select known.tenant_id from find_jobs(null, array[p_id]) known limit 1));
begin
  return query
  select entry.id, entry.tenant_id, entry.queue, entry.type, entry.status, entry.priority::int,
         entry.attempts, entry.max_attempts::int, entry.worker_id, entry.next_retry_at,
         entry.created_at, entry.completed_at, entry.tags,
         case when v_open then entry.payload end, case when v_open then entry.result end,
         case when v_open then entry.error else error_code(entry.error) end,
         case when v_open then entry.metadata end, entry.timeout,
         (select jsonb_agg(
                   jsonb_build_object(
                     'attempt', past.attempt, 'at', past.at, 'worker_id', past.worker_id,
                     'error', case when v_open then past.error else error_code(past.error) end)
                   order by past.attempt)
            from attempt_error past
           where past.id = entry.id and past.tenant_id = entry.tenant_id),
         entry.attempts_left, entry.lost,
         (select job.run_at from job where job.tenant_id = entry.tenant_id and job.id = entry.id),
         entry.lease_expires_at, entry.cancel_requested,
         tenant_label(entry.tenant_id)
    from fairclaim.job_queue entry
   where entry.id = p_id and entry.tenant_id = v_tenant;
end
$$;

comment on function fairclaim.show_job(uuid, uuid) is
'One job with the errors of its attempts, for operators. tenant: what the owner is called, if a job was dispatched for it by name. Payload, result and metadata only for auditors, else null; of an error, others see its code.
attempts_left: how many attempts may still fail; lost: how many workers died with it; both null for a job that has ended. run_at: when it was to run first, null for at once. lease_expires_at, cancel_requested: of a running one.
errors: one object for each attempt that left an error, oldest first: attempt, at (when it ended), worker_id, error.';

grant execute on function fairclaim.show_job(uuid, uuid) to fairclaim_operator, fairclaim_auditor;

-- protocol/queue/drain_queue.sql
-- As drain_tenant, for a queue: its row has the nil uuid, which every dispatch looks for.
create or replace function fairclaim.drain_queue(p_queue text, p_why text default null)
returns table (queue text, drained_at timestamptz, was_drained boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  perform check_queue(p_queue);
  queue := p_queue;
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, drained_at)
  values ('drain', v_none, p_queue, 0, fairclaim.clock()) on conflict do nothing;
  was_drained := not found;
  drained_at := (select bound.drained_at from waiting_limit bound
                  where bound.subject = 'drain' and bound.tenant_id = v_none
                    and bound.queue = p_queue);
  in_use := queue_in_use(p_queue);
  if not was_drained then
    perform note_operation('drain_queue', null, p_queue, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.drain_queue(text, text) is
'Takes no new jobs in a queue any more, for operators: dispatches into it are refused (JQ003), and what waits or runs is finished. What comes back (a retry, a delayed job that is due) is never refused. undrain_queue ends it. p_why: 1 to 1,000 characters for the audit table. was_drained: it was already, since drained_at. in_use as in pause_queue.
Errors: JQ004.';

grant execute on function fairclaim.drain_queue(text, text) to fairclaim_operator;

-- protocol/queue/list_queues.sql
-- Bounded, and without a counter on the hot path. It reads per queue at most p_up_to lanes and
-- p_up_to waiting rows, from the floors of the lanes on; in all at most p_up_to running and p_up_to
-- scheduled rows, each with a look at its job. The names come from hops through the indexes of
-- lanes, from the queues that are paused, drained or fair by seconds, and from those rows. What
-- ended is not counted: `finished` grows with history and has no queue. Plans are pinned to looks
-- by index, whatever the statistics say.
create or replace function fairclaim.list_queues(p_up_to int default 10000) returns table (
  queue text, paused_at timestamptz, waiting int, tenants_waiting int,
  oldest_waiting_at timestamptz, scheduled int, running int, at_least text[],
  drained_at timestamptz,
  fair_by text
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_running jsonb;                            -- how many by queue
  v_scheduled jsonb;
  v_more text[];
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  v_more := array_remove(array[
    case when (select count(*) > p_up_to
                 from (select from scheduled limit p_up_to + 1) counted) then 'scheduled' end,
    case when (select count(*) > p_up_to
                 from (select from running limit p_up_to + 1) counted) then 'running' end], null);
  select coalesce(jsonb_object_agg(counted.queue, counted.jobs), '{}') into v_running
    from (select known.queue, count(*) as jobs
            from (select running.id, running.tenant_id from running limit p_up_to) held
           cross join lateral (
             select job.queue from job
              where job.tenant_id = held.tenant_id and job.id = held.id offset 0) known
           group by known.queue) counted;
  select coalesce(jsonb_object_agg(counted.queue, counted.jobs), '{}') into v_scheduled
    from (select known.queue, count(*) as jobs
            from (select scheduled.id, scheduled.tenant_id from scheduled limit p_up_to) later
           cross join lateral (
             select job.queue from job
              where job.tenant_id = later.tenant_id and job.id = later.id offset 0) known
           group by known.queue) counted;
  return query
  with used(name) as materialized (
    select unnest(open_queues(null))
    union
    select queue.name from queue where queue.paused_at is not null or queue.fair_by <> 'claims'
    union
    select drain.queue from waiting_limit drain
     where drain.subject = 'drain' and drain.tenant_id = v_none
    union
    select jsonb_object_keys(v_running)
    union
    select jsonb_object_keys(v_scheduled))
  select used.name, (select queue.paused_at from queue where queue.name = used.name),
         least(waits.jobs, p_up_to)::int, waits.tenants::int, heads.created_at,
         coalesce((v_scheduled ->> used.name)::int, 0),
         coalesce((v_running ->> used.name)::int, 0),
         case when waits.jobs > p_up_to or heads.lanes > p_up_to
              then array['waiting', 'tenants_waiting'] else '{}' end || v_more,
         (select drain.drained_at from waiting_limit drain
           where drain.subject = 'drain' and drain.tenant_id = v_none
             and drain.queue = used.name),
         coalesce((select queue.fair_by from queue where queue.name = used.name), 'claims')
    from used
   cross join lateral (
     select array_agg(either.lane_id) as lane_ids, array_agg(either.floor) as floors
       from ((select lane.lane_id, lane.floor from lane
               where lane.tenant_id is null and lane.queue = used.name)
             union all
             (select lane.lane_id, lane.floor from lane
               where lane.tenant_id is not null and lane.queue = used.name)
             limit p_up_to + 1) either) lanes
   cross join lateral (
     select count(*) as jobs, count(distinct counted.tenant_id) as tenants
       from (select waiting.tenant_id
               from unnest(lanes.lane_ids, lanes.floors) place(lane_id, floor)
              cross join lateral (
                select ready.tenant_id from ready
                 where ready.lane_id = place.lane_id and ready.seq >= place.floor
                 order by ready.lane_id, ready.seq limit p_up_to + 1) waiting
              limit p_up_to + 1) counted) waits
   -- the oldest of the jobs that are first in their lanes
   cross join lateral (
     select count(*) as lanes, min(known.created_at) as created_at
       from unnest(lanes.lane_ids, lanes.floors) place(lane_id, floor)
       left join lateral (
         select ready.id, ready.tenant_id from ready
          where ready.lane_id = place.lane_id and ready.seq >= place.floor
          order by ready.lane_id, ready.seq limit 1) first on true
       left join lateral (
         select job.created_at from job
          where job.tenant_id = first.tenant_id and job.id = first.id offset 0) known on true) heads
   order by used.name;
end
$$;

comment on function fairclaim.list_queues(int) is
'The queues that are in use, paused, being drained or fair by seconds, by name, for operators: since when it is paused (null: it is not), how many jobs wait and of how many tenants, when the oldest of those first in line was dispatched, how many are scheduled (delayed, snoozed or to be retried) and running, and since when it is being drained (null: it is not), and whether tenants share it by claims or by seconds (set_queue_fair_by).
Counted to p_up_to (1 to 100,000): the waiting ones in each queue, the scheduled and the running ones in all; at_least names the columns that are lower bounds because of that. A call reads at most so many rows and lanes a queue, never what ended: count failed jobs with count_jobs.
A queue is in use while jobs wait, run or are scheduled in it, and for an hour after. Errors: JQ004.';

grant execute on function fairclaim.list_queues(int) to fairclaim_operator;

-- protocol/queue/pause_queue.sql
-- Claims read the names of paused queues in statements of their own: one that begins after this
-- commit gives nothing of the queue, one that has begun may still. The row is only inserted, so
-- nothing waits but another pause of the same queue.
create or replace function fairclaim.pause_queue(p_queue text)
returns table (queue text, paused_at timestamptz, was_paused boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
  insert into queue as known (name, paused_at) values (p_queue, v_now)
      on conflict (name) do update set paused_at = coalesce(known.paused_at, excluded.paused_at)
  returning known.paused_at into paused_at;
  queue := p_queue;
  was_paused := paused_at <> v_now;
  in_use := queue_in_use(p_queue);
  if not was_paused then
    perform note_audit('pause_queue', 'queue', null, p_queue, null, '1');
  end if;
  return next;
end
$$;

comment on function fairclaim.pause_queue(text) is
'Stops a queue, for operators: claims that begin after this give none of its jobs, whether they name the queue or not. Dispatch, schedules and running jobs go on. A queue exists by use, so any name may be paused: in_use is false when no job waits in it or has within the last hour, which a misspelt name shows by. was_paused: it was already, since paused_at. list_audit and the server''s log say who did it.
Errors: JQ004.';

grant execute on function fairclaim.pause_queue(text) to fairclaim_operator;

-- protocol/queue/resume_queue.sql
-- Deletes the row, unless it says more: a queue that is not paused needs none. Idle workers are
-- woken whatever the hints of wake() say, since this is seldom and an operator waits for it.
create or replace function fairclaim.resume_queue(p_queue text)
returns table (queue text, paused_at timestamptz, was_paused boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  end if;
  update queue known set paused_at = null
   where known.name = p_queue and known.paused_at is not null;
  was_paused := found;
  delete from queue known
   where known.name = p_queue and known.paused_at is null and known.fair_by = 'claims';
  queue := p_queue;
  in_use := queue_in_use(p_queue);
  if was_paused then
    perform note_audit('resume_queue', 'queue', null, p_queue, '1', null);
    perform tell('');
  end if;
  return next;
end
$$;

comment on function fairclaim.resume_queue(text) is
'Lets claims have the jobs of a paused queue again, for operators, and wakes the workers. was_paused is false when it was not paused; in_use as in pause_queue; paused_at is null. list_audit and the server''s log say who did it.
Errors: JQ004.';

grant execute on function fairclaim.resume_queue(text) to fairclaim_operator;

-- protocol/queue/set_queue_limit.sql
-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_queue_limit(
  p_queue text,
  p_max_running int,
  p_why text default null,
  p_until timestamptz default null
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_queue_limit', 'running', 'queue', null, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, null::boolean, queue_in_use(p_queue)
    from shown_bound('running', 'queue', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_queue_limit(text, int, text, timestamptz) is
'Limits how many jobs of a queue run at the same time (0 to 1,000,000), those of all tenants together, for operators. Jobs that run already go on. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_queue_limit(text, int, text, timestamptz)
  to fairclaim_operator;

-- protocol/queue/undrain_queue.sql
create or replace function fairclaim.undrain_queue(p_queue text, p_why text default null)
returns table (queue text, drained_at timestamptz, was_drained boolean, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  perform check_queue(p_queue);
  queue := p_queue;
  delete from waiting_limit bound
   where bound.subject = 'drain' and bound.queue = p_queue
     and bound.tenant_id = '00000000-0000-0000-0000-000000000000';
  was_drained := found;
  in_use := queue_in_use(p_queue);
  if was_drained then
    perform note_operation('undrain_queue', null, p_queue, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.undrain_queue(text, text) is
'Lets dispatches put jobs into a queue again, for operators. was_drained is false when it was not being drained; drained_at is null; in_use as in pause_queue.
Errors: JQ004.';

grant execute on function fairclaim.undrain_queue(text, text) to fairclaim_operator;

-- protocol/queue/set_queue_fair_by.sql
-- Writes one row, which claims read and never lock. The next tick changes the weights of lanes.
create or replace function fairclaim.set_queue_fair_by(p_queue text, p_fair_by text)
returns table (queue text, fair_by text, was_fair_by text, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  elsif (p_fair_by in ('claims', 'seconds')) is not true then
    perform refuse('JQ004', 'p_fair_by', 'must be claims or seconds',
      p_detail => '{"allowed": ["claims", "seconds"]}');
  end if;
  select known.fair_by into was_fair_by from queue known where known.name = p_queue for update;
  was_fair_by := coalesce(was_fair_by, 'claims');
  insert into queue as known (name, fair_by) values (p_queue, p_fair_by)
      on conflict (name) do update set fair_by = excluded.fair_by;
  queue := p_queue;
  fair_by := p_fair_by;
  in_use := queue_in_use(p_queue);
  if fair_by <> was_fair_by then
    raise log 'fairclaim: queue % is fair by % from now on, set by %', p_queue, p_fair_by,
      session_user;
  end if;
  return next;
end
$$;

comment on function fairclaim.set_queue_fair_by(text, text) is
'Says by what tenants with a backlog share a queue, for operators: claims (at first) gives them as many jobs as their weights say, however long these run; seconds gives them as much time of handlers. For seconds, workers report what the jobs of each tenant take, and the number of jobs that a tenant gives in a turn is its weight divided by its smoothed mean: correct within seconds, and again some seconds after run times have changed. A tenant of which nothing is known yet has the mean of its queue. Run times may differ by a factor of 10,000.
In effect with the next tick. was_fair_by: what it was until now. in_use as in pause_queue. The server''s log says who did it. Errors: JQ004.';

grant execute on function fairclaim.set_queue_fair_by(text, text) to fairclaim_operator;

-- protocol/settle/extend_leases.sql
-- A row that another call is settling at this moment is passed over, and answered as held.
create or replace function fairclaim.extend_leases(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_lease float8 default 30
) returns table (id uuid, attempts int, accepted boolean, cancel_requested boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  perform check_claim(p_worker_id, null, 1, null, p_lease);
  if cardinality(p_ids) is null or cardinality(p_ids) > 10000 or array_ndims(p_ids) > 1
     or array_lower(p_ids, 1) <> 1 or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'send 10,000 at most at a time', '{"limit": 10000}');
  elsif coalesce(cardinality(p_attempts), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif coalesce(cardinality(p_lease_tokens), 0) <> cardinality(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must have as many items as p_ids',
      'the lists go item by item: pass id, attempts and lease_token of each claimed job');
  elsif array_dims(p_attempts) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_attempts', 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  elsif array_dims(p_lease_tokens) <> array_dims(p_ids) then
    perform refuse('JQ004', 'p_lease_tokens', 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  elsif p_ids = '{}' then
    return;
  end if;
  return query
  with held as materialized (
    select running.id, running.attempt::int as attempt, running.lease_token,
           exists (select from cancel_request wish where wish.id = running.id)
             as is_cancel_requested
      from running
     where running.id = any (p_ids)
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select given.id, given.attempt, given.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    given(id, attempt, token)) then true end),
  free as materialized (
    select running.id from running
     where running.id = any (array(select held.id from held))
     order by running.id for update skip locked),
  extended as (
    update running set lease_expires_at = fairclaim.clock() + make_interval(secs => p_lease)
     where running.id = any (array(select free.id from free))
       and case when (running.id, running.attempt::int, running.lease_token) in (
             select given.id, given.attempt, given.token
               from unnest(p_ids, p_attempts, p_lease_tokens)
                    given(id, attempt, token)) then true end)
  select given.id, given.attempt,
         coalesce((given.id, given.attempt, given.token) in (
           select held.id, held.attempt, held.lease_token from held), false),
         coalesce((given.id, given.attempt, given.token) in (
           select held.id, held.attempt, held.lease_token from held
            where held.is_cancel_requested), false)
    from unnest(p_ids, p_attempts, p_lease_tokens) given(id, attempt, token);
end
$$;

comment on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8) is
'The heartbeat: moves the end of leases to now + p_lease seconds (1 to 86,400). Answers a row for each, in order, with the attempts that were given. accepted = false: the lease is lost, stop the work. cancel_requested: a producer or an operator asked to cancel the job; stop if you can. Call it when a third of the lease is over, and at once when LISTEN brings the payload cancel. Empty lists answer nothing.
Errors: JQ004.';

grant execute on function fairclaim.extend_leases(text, uuid[], int[], uuid[], float8)
  to fairclaim_worker;

-- protocol/settle/release_claims.sql
-- Looks at all of `running`, a small table, as for expired leases: it is called only after a claim
-- whose answer got lost. What another call is ending at this moment is left to that call. Lock
-- order: as settle_mixed.
create or replace function fairclaim.release_claims(
  p_worker_id text,
  p_lease_tokens uuid[]
) returns table (lease_token uuid, jobs int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
begin
  perform check_claim(p_worker_id, null, 1, null, 30);
  if cardinality(p_lease_tokens) is null or cardinality(p_lease_tokens) not between 1 and 1000
     or array_ndims(p_lease_tokens) > 1 or array_lower(p_lease_tokens, 1) <> 1
     or array_position(p_lease_tokens, null) is not null then
    perform refuse('JQ004', 'p_lease_tokens', 'must be a list of 1 to 1,000 tokens without nulls',
      'send 1,000 at most at a time', '{"limit": 1000}');
  end if;
  select array_agg(held.id), array_agg(held.attempt::int), array_agg(held.lease_token)
    into v_ids, v_attempts, v_tokens
    from (select running.id, running.attempt, running.lease_token from running
           where running.worker_id = p_worker_id and running.lease_token = any (p_lease_tokens)
           limit 10000 for update skip locked) held;
  if v_ids is null then
    return;
  end if;
  return query
  select held.token, count(*)::int
    from settle_mixed(p_worker_id, v_ids, v_attempts, v_tokens,
           array_fill('release'::text, array[cardinality(v_ids)]), null, null, null)
         with ordinality answer(id, attempts, kind, status, place)
    join unnest(v_tokens) with ordinality held(token, place) on held.place = answer.place
   where answer.kind = 'settled'
   group by held.token;
end
$$;

comment on function fairclaim.release_claims(text, uuid[]) is
'Gives back whatever this worker claimed with these tokens (1 to 1,000) and has not settled, at most 10,000 jobs, as settle_jobs does with release; answers the tokens of which something was there, and how many jobs. For a claim without an answer, whose jobs no worker runs: without it they wait for the end of their lease and count as lost. A claim that is still under way is not seen yet: repeat it until its lease must be over.
Errors: JQ004.';

grant execute on function fairclaim.release_claims(text, uuid[]) to fairclaim_worker;

-- protocol/settle/settle_and_claim.sql
-- The two halves in this order, so that what a settlement frees can be claimed, and then one row
-- that says what to do next. An error in one half is an error of the call: both are undone.
-- The last row goes with each call, so it is made of sequences, which cost next to nothing. Nothing
-- becomes claimable by itself: a dispatch tells, and all else is done by a tick. So what a claim
-- that was not filled has to wait for is the next tick, which comes every second while there is
-- work. Tables are looked at only where a sequence says that there may be something: wishes to
-- cancel when one was made within a minute, and jobs that run alone when a tick has seen a lane of
-- such within a minute. A time more than a minute ahead is of a clock that was wrong.
-- The pins are for the claim, as in claim_jobs.
create or replace function fairclaim.settle_and_claim(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[],
  p_queues text[],
  p_limit int,
  p_types text[] default null,
  p_lease float8 default 30,
  p_cursor text default null,
  p_lease_token uuid default null,
  p_idle_for float8 default null,
  p_alone boolean default false
) returns table (
  kind text, id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb,
  worker_id text, attempts int, next_retry_at timestamptz, created_at timestamptz,
  completed_at timestamptz, queue text, priority int, max_attempts int, attempts_left int, lost int,
  timeout float8, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamptz,
  next_cursor text, next_claim_in float8, extend_in float8, tick_in float8, prune_due boolean,
  cancelled uuid[], suspect_waiting boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_ms bigint := millis(fairclaim.clock());
  v_list text;                                -- one that has items for no id
  v_is_asleep boolean := false;               -- some worker sleeps, and is to get what is left
  v_freed text;                               -- tenants under whose limits there is room now
  v_claim record;
  v_claimed int := 0;
  v_is_moved boolean := false;                -- a job of a key, into a lane
  v_tick bigint;                              -- when to tick, in milliseconds from now
  v_rest int := 600000;                       -- how long a prune rests while there is little to do
begin
  if cardinality(p_ids) > 0 then
    if p_limit > 0 then
      v_is_asleep := coalesce(pg_sequence_last_value('asleep_until') > v_ms, false);
      if v_is_asleep then
        perform set_config('fairclaim.freed', '?', true);
      end if;
    end if;
    return query
    select answer.kind, answer.id, null::uuid, null::text, answer.status, null::jsonb, null::jsonb,
           null::text, answer.attempts, null::timestamptz, null::timestamptz, null::timestamptz,
           null::text, null::int, null::int, null::int, null::int, null::float8, null::text[],
           null::jsonb, null::uuid, null::timestamptz, null::text, null::float8, null::float8,
           null::float8, null::boolean, null::uuid[], null::boolean
      from fairclaim.settle_jobs(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes,
             p_results, p_errors, p_delays) answer;
  elsif coalesce(array_ndims(p_attempts), array_ndims(p_lease_tokens), array_ndims(p_outcomes),
          array_ndims(p_results), array_ndims(p_errors), array_ndims(p_delays)) is not null then
    v_list := case when cardinality(p_attempts) > 0 then 'p_attempts'
                   when cardinality(p_lease_tokens) > 0 then 'p_lease_tokens'
                   when cardinality(p_outcomes) > 0 then 'p_outcomes'
                   when cardinality(p_results) > 0 then 'p_results'
                   when cardinality(p_errors) > 0 then 'p_errors'
                   else 'p_delays' end;
    -- a caller that lost its ids must not believe that it settled
    perform refuse('JQ004', v_list, 'must have as many items as p_ids',
      'give p_ids too, or leave all lists of the settlement empty');
  end if;
  next_cursor := p_cursor;
  if p_limit <> 0 or p_limit is null then
    v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor, p_lease_token,
      p_idle_for, p_alone);
    if coalesce(cardinality(v_claim.jobs), 0) < p_limit
       and abs(pg_sequence_last_value('key_noted_at') - v_ms) <= 60000 then
      v_is_moved := not p_alone
        and admit_some(p_limit - coalesce(cardinality(v_claim.jobs), 0));
      if v_is_moved and v_claim.jobs is null then
        v_claim := take_jobs(p_worker_id, p_queues, p_limit, p_types, p_lease, p_cursor,
          p_lease_token, p_idle_for, p_alone);
      end if;
    end if;
    if v_claim.jobs is not null then
      next_cursor := v_claim.cursor;
      return query                            -- never `job` first: offset 0
      select 'claimed'::text, wide.id, wide.tenant_id, wide.type, 'processing'::text, wide.payload,
             null::jsonb, p_worker_id, taken.attempts + 1, null::timestamptz, wide.created_at,
             null::timestamptz, wide.queue, wide.priority::int, wide.max_attempts::int,
             taken.attempts_left::int, taken.lost::int, date_part('epoch', wide.timeout),
             wide.tags, wide.metadata, v_claim.token, v_claim.expires_at, null::text, null::float8,
             null::float8, null::float8, null::boolean, null::uuid[], null::boolean
        from unnest(v_claim.jobs) taken
       cross join lateral (
         select * from job
          where job.tenant_id = taken.tenant_id and job.id = taken.id offset 0) wide;
      if fairclaim.clock() >= v_claim.expires_at then
        perform refuse_late(v_claim.expires_at);
      end if;
      v_claimed := cardinality(v_claim.jobs);
    end if;
  end if;
  if v_is_asleep then
    v_freed := current_setting('fairclaim.freed');
    perform set_config('fairclaim.freed', '', true);
    if v_freed <> '?' then
      perform wake_freed(fairclaim.clock(), string_to_array(v_freed, ',')::uuid[]);
    end if;
  end if;

  kind := 'next';
  v_tick := coalesce(pg_sequence_last_value('tick_at'), 0) - v_ms;
  if v_claimed > 0 or cardinality(p_ids) > 0 then
    v_tick := least(v_tick, coalesce(pg_sequence_last_value('round_at'), 0) + 1000 - v_ms);
    v_rest := 60000;
  end if;
  tick_in := case when v_tick between 0 and 60000 then v_tick / 1000::float8 else 0 end;
  next_claim_in := case when v_claimed >= p_limit or p_alone and v_claimed > 0
                             or v_is_moved and v_claimed > 0 then 0
                        else greatest(tick_in, 0.05) end;
  extend_in := p_lease / 3;
  prune_due := coalesce(v_ms - pg_sequence_last_value('pruned_at') not between 0 and v_rest, true);
  if abs(pg_sequence_last_value('wished_at') - v_ms) <= 60000 then
    cancelled := cancelled_jobs(p_worker_id);
  end if;
  suspect_waiting := false;
  if abs(pg_sequence_last_value('suspects_at') - v_ms) <= 60000 then
    suspect_waiting := is_suspect_waiting(p_queues, p_types);
  end if;
  return next;
end
$$;

comment on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean) is
'settle_jobs and claim_jobs in one round trip and one transaction: the one call of a whole worker. Empty p_ids (then every list is empty or null) or p_limit 0 leave one half out. kind tells the rows apart:
settled, already, stale: an answer of settle_jobs (id, attempts, status). claimed: a job, as claim_jobs answers it (its next_cursor is in the last row).
next: always one, the last. next_cursor: p_cursor of the next claim that follows this one. next_claim_in: in how many seconds it is worth asking again, by what is known now: 0 at once, since the claim brought all it asked for; else wait so long, or until LISTEN tells, and never longer than your own poll (a second where nothing wakes you). extend_in: when to call extend_leases for what you still hold, a third of the lease. tick_in: when to call tick(), 0 now. prune_due: call drop_ranges() and prune(). cancelled: jobs of this worker that a producer or an operator asked to cancel, null for none (the newest ones, if very many were asked for; extend_leases tells of each). suspect_waiting: a job whose workers died twice waits in these queues, of these types: run empty, then claim it with p_alone.
An error is one of the whole call, and both halves are undone: settle again by itself (settle_jobs) and then claim. Errors: those of settle_jobs and claim_jobs.';

grant execute on function fairclaim.settle_and_claim(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[], text[], int, text[], float8, text, uuid, float8, boolean)
  to fairclaim_worker;

-- protocol/settle/settle_jobs.sql
-- By id, attempt and token. One complete: one statement; all complete: one statement, without
-- results and with; else the general way. No join with `running`: it may walk all of it, dead rows
-- too, when its statistics say that it is empty. A list of results, errors or delays that holds
-- nothing but nulls costs what null costs. An attempt that counted under a limit leaves room for
-- others of its tenant: its tenant is noted, and workers that sleep are told in the end. So is the
-- tenant of a job that moved up since one of its key has ended.
-- Every transaction sets up again each expression that it reaches: what is rarely needed stands in
-- an `if` of its own.
create or replace function fairclaim.settle_jobs(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[] default null,
  p_errors text[] default null,
  p_delays float8[] default null
) returns table (id uuid, attempts int, kind text, status text)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_nestloop = off        -- of ended attempts with their results: never of `running` itself
set plan_cache_mode = force_generic_plan
set work_mem = '128MB'
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_n int := cardinality(p_ids);
  v_dims text := array_dims(p_ids);
  v_outcomes text[] := p_outcomes;
  v_results jsonb[];
  v_errors jsonb[];
  v_is_complete boolean := 'complete' = all (p_outcomes);
  v_is_good boolean;
  v_read record;
  v_freed uuid[];                             -- tenants under whose limits there is room now
  v_is_watched boolean;
begin
  -- what can be told in one expression: everything completed, without errors and delays
  v_is_good := length(p_worker_id) between 1 and 255
    and p_worker_id !~ E'[[:cntrl:]\\u0080-\\u009f]'
    and v_is_complete and v_n <= 10000 and v_dims = '[1:' || v_n || ']'
    and array_position(p_ids, null) is null    -- which fails in a list of lists
    and v_dims = all (array[array_dims(p_attempts), array_dims(p_lease_tokens),
                            array_dims(p_outcomes)]);
  if p_results is not null or p_errors is not null or p_delays is not null then
    v_is_good := v_is_good
      and (p_results is null or array_dims(p_results) = v_dims)
      and (p_errors is null
           or num_nonnulls(variadic p_errors) = 0 and array_dims(p_errors) = v_dims)
      and (p_delays is null
           or num_nonnulls(variadic p_delays) = 0 and array_dims(p_delays) = v_dims);
  end if;
  if v_is_good is not true then
    perform check_settle(p_worker_id, p_ids, p_attempts, p_lease_tokens, p_outcomes, p_results,
      p_errors, p_delays);
    if v_n = 0 then
      return;
    end if;
  end if;
  if p_results is not null or p_errors is not null then
    if num_nonnulls(variadic p_results) > 0 or num_nonnulls(variadic p_errors) > 0 then
      v_read := read_texts(p_outcomes, p_results, p_errors);
      v_outcomes := v_read.outcomes;
      v_results := v_read.results;
      v_errors := v_read.errors;
      v_is_complete := 'complete' = all (v_outcomes);
    end if;
  end if;

  if v_is_complete and v_n = 1 then
    with gone as (
      delete from running
       where running.id = p_ids[1] and running.attempt = p_attempts[1]
         and running.lease_token = p_lease_tokens[1]
      returning running.tenant_id, running.attempt, running.limited, running.watched)
    insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result, error)
    select p_ids[1], gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id, v_results[1],
           null
      from gone
    returning case when (select gone.limited from gone) then array[finished.tenant_id] end,
              (select gone.watched from gone)
      into v_freed, v_is_watched;
    id := p_ids[1];
    attempts := p_attempts[1];
    kind := case when found then 'settled'
                 else stale_kind(p_worker_id, id, attempts, 'complete') end;
    status := case when kind <> 'stale' then 'completed' end;
    return next;
  elsif v_is_complete         -- answers and results go by id here
        and (select count(distinct given.id) from unnest(p_ids) given(id)) = v_n then
    if current_setting('fairclaim.noted', true) <> '' then      -- the caller's session has set it
      perform set_config('fairclaim.noted', '', true);
    end if;
    if current_setting('fairclaim.watched', true) = '1' then
      perform set_config('fairclaim.watched', '', true);
    end if;
    if v_results is null then
      return query
      with gone as (
        delete from running
         where running.id = any (p_ids)
           and case when (running.id, running.attempt::int, running.lease_token) in (
                 select given.id, given.attempt, given.lease_token
                   from unnest(p_ids, p_attempts, p_lease_tokens)
                        given(id, attempt, lease_token)) then true end
        returning running.id, running.tenant_id, running.attempt,
                  case when running.limited then note_freed(running.tenant_id) end,
                  case when running.watched then note_watched() end),
      final as (
        insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result,
                              error)
        select gone.id, gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id, null, null
          from gone
        returning finished.id)
      select answer.id, answer.attempt, answer.kind,
             case when answer.kind <> 'stale' then 'completed' end
        from (select given.id, given.attempt,
                     case when given.id in (select final.id from final) then 'settled'
                          else stale_kind(p_worker_id, given.id, given.attempt, 'complete')
                     end as kind
                from unnest(p_ids, p_attempts) given(id, attempt) offset 0) answer;
    else
      return query
      with gone as (
        delete from running
         where running.id = any (p_ids)
           and case when (running.id, running.attempt::int, running.lease_token) in (
                 select given.id, given.attempt, given.lease_token
                   from unnest(p_ids, p_attempts, p_lease_tokens)
                        given(id, attempt, lease_token)) then true end
        returning running.id, running.tenant_id, running.attempt,
                  case when running.limited then note_freed(running.tenant_id) end,
                  case when running.watched then note_watched() end),
      final as (
        insert into finished (id, tenant_id, completed_at, attempts, status, worker_id, result,
                              error)
        select gone.id, gone.tenant_id, v_now, gone.attempt, 'completed', p_worker_id,
               given.result, null
          from gone
          join unnest(p_ids, v_results) given(id, result) on given.id = gone.id
        returning finished.id)
      select answer.id, answer.attempt, answer.kind,
             case when answer.kind <> 'stale' then 'completed' end
        from (select given.id, given.attempt,
                     case when given.id in (select final.id from final) then 'settled'
                          else stale_kind(p_worker_id, given.id, given.attempt, 'complete')
                     end as kind
                from unnest(p_ids, p_attempts) given(id, attempt) offset 0) answer;
    end if;
    if current_setting('fairclaim.noted', true) <> '' then
      v_freed := string_to_array(current_setting('fairclaim.noted'), ',')::uuid[];
      perform set_config('fairclaim.noted', '', true);
    end if;
    v_is_watched := current_setting('fairclaim.watched', true) = '1';
  else
    return query
    select answer.id, answer.attempts, answer.kind, answer.status
      from settle_mixed(p_worker_id, p_ids, p_attempts, p_lease_tokens, v_outcomes, v_results,
             v_errors, p_delays) answer;
  end if;
  if v_is_watched then
    v_freed := v_freed || tell_watchers(p_ids);
  end if;
  if v_freed is not null then
    perform leave_room(v_now, v_freed);
  end if;
end
$$;

comment on function fairclaim.settle_jobs(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[]) is
'Ends attempts. For each: id, attempts and lease_token of its claim, and an outcome:
complete (with p_results); retry (after p_delays seconds, or by the rule: 15 s doubled for every failure, at most an hour, 20 % either way; failed when no attempt is left); fail (for good); snooze (again after p_delays, at least 0.1, no attempt used); release (at once, no attempt used); cancel.
p_results, p_errors: texts of JSON. Each is read by itself: a result that cannot be stored (bad JSON, a NUL, more than 1 MiB as PostgreSQL writes it, deeper than 128) ends its own attempt as failed, with the code result_invalid; such an error becomes {"code": "error_invalid"}. A result belongs to complete only, an error to retry, fail and cancel, a delay to retry and snooze: elsewhere they are refused.
An error is {code, message, trace}, cut to 16 KiB, or a text, which becomes the message; a code is a word of at most 64 characters of A-Z a-z 0-9 _ . : -, a number becomes such a word, and any other code is dropped. Lists have one length, at most 10,000, and begin at 1; empty ones answer nothing.
Outside READ COMMITTED what waits again is scheduled, and placed by the next tick. Returns a row for each, in order, with the attempts that were given and a kind: settled, with the new status; already, with the status: this very settlement was accepted before, and the answer got lost (complete, fail and cancel only); stale: the lease was lost, and nothing was changed.
Errors: JQ004, with the index of the bad item from 0; nothing is written then.';

grant execute on function fairclaim.settle_jobs(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[])
  to fairclaim_worker;

-- protocol/stats/queue_stats.sql
-- What waits, is scheduled and runs is counted at the call, by list_queues; the rest is what the
-- last refresh noted.
create or replace function fairclaim.queue_stats(
  p_queue text default null,
  p_up_to int default 1000
) returns table (
  queue text, paused boolean, waiting int, tenants_waiting int, oldest_waiting float8,
  scheduled int, running int, at_least text[], limits jsonb,
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int,
  backlogged_1m int, jain_claims_1m float8, jain_seconds_1m float8,
  backlogged_1h int, jain_claims_1h float8, jain_seconds_1h float8, age float8
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  return query
  with recursive
  noted(queue) as (
    (select stat.queue from stat order by stat.queue limit 1)
    union all
    select (select stat.queue from stat
             where stat.queue > noted.queue order by stat.queue limit 1)
      from noted where noted.queue is not null),
  live as materialized (select * from fairclaim.list_queues(p_up_to)),
  named as materialized (
    select live.queue from live
    union
    select noted.queue from noted where noted.queue is not null)
  select named.queue, live.paused_at is not null, coalesce(live.waiting, 0),
         coalesce(live.tenants_waiting, 0),
         extract(epoch from v_now - live.oldest_waiting_at)::float8,
         coalesce(live.scheduled, 0), coalesce(live.running, 0), coalesce(live.at_least, '{}'),
         told_limits('00000000-0000-0000-0000-000000000000', named.queue, v_now),
         told.dispatched_1m, told.claimed_1m, told.finished_1m, told.failed_1m, told.seconds_1m,
         told.dispatched_1h, told.claimed_1h, told.finished_1h, told.failed_1h, told.seconds_1h,
         told.wait_p50, told.wait_p99, told.run_p50, told.run_p99, told.sampled,
         minute.tenants, minute.by_claims, minute.by_seconds,
         hour.tenants, hour.by_claims, hour.by_seconds, told.age
    from named
    left join live on live.queue = named.queue
    left join stat on stat.queue = named.queue and stat.whole
     and stat.tenant_id = '00000000-0000-0000-0000-000000000000'
   cross join lateral flows(stat, v_now) told
   cross join lateral service_shares(named.queue, 60, v_now) minute
   cross join lateral service_shares(named.queue, 3600, v_now) hour
   where p_queue is null or named.queue = p_queue
   order by named.queue;
end
$$;

comment on function fairclaim.queue_stats(text, int) is
'What queues have waiting, running and done, a row for each that is in use, paused, or was in use in the last two hours, for operators and observers. p_queue: only this one. p_up_to: as of list_queues, which counts what waits, is scheduled and runs, at the call; at_least names the columns that are lower bounds. limits: those of the queue, as in tenant_stats.
The other columns are as in tenant_stats, over all tenants of the queue; samples are of at most 256 jobs.
backlogged_: how many tenants had a backlog for the whole last minute, and hour. jain_claims_, jain_seconds_: Jain''s index of what they got by their weights, claims and seconds of service: 1 when all got the same for their weight, 1/n when one of n got everything; null when there is none, or none got anything. age: the seconds since the last refresh that told of this queue. Errors: JQ004.';

grant execute on function fairclaim.queue_stats(text, int)
  to fairclaim_operator, fairclaim_observer;

-- protocol/stats/tenant_stats.sql
-- By tenant and queue, a page walks the key of `stat`, or the index by tenant. By a figure it reads
-- the rows of `stat` that match, one for each tenant that did something in the last two hours.
-- What waits is counted for the page, at most 50,000 rows in all, so that it is true in a database
-- in which nothing has happened since the last refresh. The rest is what the last refresh noted.
create or replace function fairclaim.tenant_stats(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_limit int default 100,
  p_after text default null,
  p_sort text default 'tenant',
  p_search text default null
) returns table (
  tenant_id uuid, tenant text, queue text, weight int,
  waiting int, at_least boolean, oldest_waiting float8, backlogged boolean, running int,
  limits jsonb,
  dispatched_1m float8, claimed_1m float8, finished_1m float8, failed_1m float8, seconds_1m float8,
  dispatched_1h float8, claimed_1h float8, finished_1h float8, failed_1h float8, seconds_1h float8,
  wait_p50 float8, wait_p99 float8, run_p50 float8, run_p99 float8, sampled int,
  share_1m float8, fair_share_1m float8, share_1h float8, fair_share_1h float8,
  age float8, next text, more boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_after text[];
  v_ids bigint[];
  v_keys text[];
  v_shares jsonb;
  v_is_idle boolean := not exists (select from running);
begin
  v_after := check_stats(p_limit, p_after, p_sort, p_search);
  select page.ids, page.keys into v_ids, v_keys
    from stats_page(p_tenant_id, p_queue, p_limit + 1, v_after, p_sort, p_search, v_now) page;
  more := coalesce(cardinality(v_ids), 0) > p_limit;
  v_ids := v_ids[:p_limit];
  select jsonb_object_agg(used.queue, jsonb_build_object(
           'minute', service_shares(used.queue, 60, v_now),
           'hour', service_shares(used.queue, 3600, v_now)))
    into v_shares
    from (select distinct stat.queue from stat where stat.stat_id = any (v_ids)) used;
  return query
  select stat.tenant_id, tenant_label(stat.tenant_id), stat.queue,
         weight_of(stat.tenant_id, stat.queue)::int, counted.waiting, counted.at_least,
         extract(epoch from v_now - counted.oldest_at)::float8, counted.backlogged,
         case when v_is_idle then 0 else stat.running end,
         told_limits(stat.tenant_id, stat.queue, v_now),
         told.dispatched_1m, told.claimed_1m, told.finished_1m, told.failed_1m, told.seconds_1m,
         told.dispatched_1h, told.claimed_1h, told.finished_1h, told.failed_1h, told.seconds_1h,
         told.wait_p50, told.wait_p99, told.run_p50, told.run_p99, told.sampled,
         shares.part_1m, shares.fair_1m, shares.part_1h, shares.fair_1h, told.age,
         concat_ws('|', p_sort, v_keys[page.place], page.id), more
    from unnest(v_ids) with ordinality page(id, place)
    join stat on stat.stat_id = page.id
   cross join lateral waiting_of(stat.queue, stat.tenant_id,
     greatest(50, least(1000, 50000 / cardinality(v_ids)))) counted
   cross join lateral flows(stat, v_now) told
   cross join lateral (
     select case when stat.backlogged_since <= v_now - interval '1 minute' then
              told.claimed_1m
              / nullif((v_shares #>> array[stat.queue, 'minute', 'claims'])::float8, 0) end
              as part_1m,
            case when stat.backlogged_since <= v_now - interval '1 minute' then
              weight_of(stat.tenant_id, stat.queue)::int
              / (v_shares #>> array[stat.queue, 'minute', 'weights'])::float8 end as fair_1m,
            case when stat.backlogged_since <= v_now - interval '1 hour' then
              told.claimed_1h
              / nullif((v_shares #>> array[stat.queue, 'hour', 'claims'])::float8, 0) end
              as part_1h,
            case when stat.backlogged_since <= v_now - interval '1 hour' then
              weight_of(stat.tenant_id, stat.queue)::int
              / (v_shares #>> array[stat.queue, 'hour', 'weights'])::float8 end as fair_1h) shares
   order by page.place;
end
$$;

comment on function fairclaim.tenant_stats(uuid, text, int, text, text, text) is
'What tenants have waiting, running and done, a row for each tenant and queue, for operators and observers; no payloads. p_tenant_id, p_queue: only these. p_search: only tenants whose name has this text, upper or lower case, or whose id is it. p_sort: tenant (by queue and id), or by a figure, the largest first: waiting, oldest, running, dispatched, claimed, finished, failed, seconds (these of the last hour). p_limit 1 to 1,000; for the next page p_after is `next` of the last row, while `more`.
waiting: counted at the call, up to 50 to 1,000 a row; at_least: there are more. oldest_waiting: since how many seconds the oldest of those first in line waits. backlogged: it has jobs in an own lane. limits: what bounds its running jobs, a list of objects: kind (tenant, default, tenant_queue, default_queue, queue) with max_running and running, or with units, period (seconds), burst and due_in (seconds until a job may begin).
_1m, _1h: in the last minute and hour. claimed: attempts that ended and by how much the running jobs grew, without those given back or snoozed. finished: jobs that ended, failed among them. seconds: of service. wait_, run_: seconds from due to begun of first attempts, and of the runs, over the last `sampled` jobs (at most 32) that ended. No begin of an attempt is written down: what is told can be wrong by the 5 s between two refreshes, and is near the mean for short runs.
share_: its part of the claims of the tenants that had a backlog for the whole window, fair_share_: its part of their weights. null for the others.
age: the seconds since the row has changed; ticks refresh it every 5 s at most while there is something to do. Counts are of samples where more than 16 pages of jobs came in between; jobs of a transaction that stayed open across a refresh may be missed. Errors: JQ004.';

grant execute on function fairclaim.tenant_stats(uuid, text, int, text, text, text)
  to fairclaim_operator, fairclaim_observer;

-- protocol/stats/why_waiting.sql
-- It only reads, by keys: the job, its narrow row, its lane, and at most 1,000 rows that are ahead
-- of it. A job that moves at this moment may tell of both places. Without a tenant, an operator's
-- call looks for the job in the narrow tables first (find_jobs).
create or replace function fairclaim.why_waiting(p_tenant_id uuid, p_id uuid) returns table (
  reason text, detail text, queue text, type text, "position" int, at_least boolean, due_in float8,
  limit_kind text, max_running int, running int
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_tenant uuid;
  v_job record;
  v_place record;
  v_lane lane;
  v_ahead int;
  v_rate float8;
  v_is_paused boolean;
begin
  if p_id is null then
    perform refuse('JQ004', 'p_id', 'is missing', 'give the id of a job');
  end if;
  v_tenant := check_scope(p_tenant_id, array[p_id]);
  v_tenant := coalesce(
    v_tenant, (select known.tenant_id from find_jobs(null, array[p_id]) known limit 1));
  select job.queue, job.type into v_job
    from job where job.tenant_id = v_tenant and job.id = p_id;
  if not found then
    perform refuse('JQ005', 'p_id', 'is no job of this tenant',
      'name the tenant that it was dispatched for; ended jobs are kept for a time only');
  end if;
  queue := v_job.queue; type := v_job.type; at_least := false;

  select finished.status, finished.completed_at into v_place
    from finished where finished.id = p_id and finished.tenant_id = v_tenant;
  if found then
    reason := 'finished';
    detail := format('it %s %s ago',
      case v_place.status when 'completed' then 'completed' when 'failed' then 'failed'
                          else 'was cancelled' end,
      span(extract(epoch from v_now - v_place.completed_at)::float8));
    return next;
    return;
  end if;
  select running.attempt into v_place from running
   where running.id = p_id and running.tenant_id = v_tenant;
  if found then
    reason := 'running';
    detail := format('a worker runs it: attempt %s', v_place.attempt);
    return next;
    return;
  end if;
  select scheduled.run_at, scheduled.attempts into v_place from scheduled
   where scheduled.id = p_id and scheduled.tenant_id = v_tenant;
  if found then
    reason := 'scheduled';
    due_in := greatest(extract(epoch from v_place.run_at - v_now), 0);
    detail := case when v_place.attempts > 0 then format('attempt %s is over, and it is ',
                                                         v_place.attempts) else '' end
      || case when due_in > 0 then 'due in ' || span(due_in)
              else 'due: the next tick lets workers have it' end;
    return next;
    due_in := null;
  end if;

  return query
  select 'queue_paused', format('queue %s has been paused for %s', queue.name,
           span(extract(epoch from v_now - queue.paused_at)::float8)),
         v_job.queue, v_job.type, null::int, false, null::float8, null, null::int, null::int
    from queue where queue.name = v_job.queue and queue.paused_at is not null;
  return query
  select 'tenant_paused', 'the tenant is paused' || coalesce(', for ' || span(
           extract(epoch from paused.until - v_now)::float8) || ' more', ''),
         v_job.queue, v_job.type, null::int, false, null::float8, null, null::int, null::int
    from bound paused
   where paused.tenant_id = v_tenant and paused.queue = '' and paused.kind = 'paused'
     and paused.subject = 'tenant' and (paused.until is null or paused.until > v_now);
  v_is_paused := found;
  if exists (select from worker where worker.silent_until > v_now)
     and not is_handled(v_job.queue, v_job.type) then
    reason := 'unhandled';
    detail := format('no worker that is known handles type %s in queue %s', v_job.type,
      v_job.queue);
    return next;
  end if;
  return query
  select case when bound.kind = 'queue' then 'queue_limit' else 'tenant_limit' end,
         format(case when not bound.active then
                  'a new limit lets nothing begin until the next tick' else case bound.kind
                  when 'tenant' then 'the tenant is at its limit, %s of %s running'
                  when 'default' then 'the tenant is at the default limit, %s of %s running'
                  when 'tenant_queue' then
                    'the tenant is at its limit in this queue, %s of %s running'
                  when 'default_queue' then
                    'the tenant is at the default limit of this queue, %s of %s running'
                  else 'the queue is at its limit, %s of %s running' end end,
                bound.running, bound.max_running),
         v_job.queue, v_job.type, null::int, false, null::float8, bound.kind, bound.max_running,
         bound.running
    from limits_in_force(v_tenant, v_job.queue, v_now) bound
   where (bound.running >= bound.max_running or not bound.active)
     and not (v_is_paused and bound.kind = 'tenant');
  return query
  select case when bound.kind = 'queue' then 'queue_rate' else 'tenant_rate' end,
         format('the rate of %s job%s in %s is used up: due in %s', bound.units,
                case when bound.units = 1 then '' else 's' end, span(bound.period),
                span(bound.due_in)),
         v_job.queue, v_job.type, null::int, false, bound.due_in, bound.kind, null::int, null::int
    from limits_in_force(v_tenant, v_job.queue, v_now) bound
   where bound.due_in > 0;

  select held.key, held.seq into v_place from held
   where held.id = p_id and held.tenant_id = v_tenant;
  if found then
    v_ahead := (select count(*) from (
                  select from held
                   where held.tenant_id = v_tenant and held.key = v_place.key
                     and held.seq < v_place.seq
                   limit 1001) ahead);
    reason := 'key';
    "position" := least(v_ahead, 1000);
    at_least := v_ahead > 1000;
    detail := 'waits until another job of its key has ended' || case
      when v_ahead = 0 then '; it is the next one'
      else format(', behind %s%s more', "position", case when at_least then ' or' else '' end) end;
    return next;
    return;
  end if;
  select ready.lane_id, ready.seq into v_place from ready
   where ready.tenant_id = v_tenant and ready.id = p_id
     and (ready.lane_id >> 32) = any (array[0, lane_group(v_job.queue)])
   limit 1;
  if not found then
    return;
  end if;
  select * into v_lane from lane where lane.lane_id = v_place.lane_id;
  if v_lane.alone then
    reason := 'alone';
    detail := 'its workers died twice, so it waits for one that runs nothing beside it';
    return next;
    return;
  end if;
  v_ahead := jobs_ahead(v_lane, v_place.seq);
  v_rate := claim_rate(v_job.queue,
    coalesce(v_lane.tenant_id, '00000000-0000-0000-0000-000000000000'), v_now);
  reason := 'behind';
  "position" := least(v_ahead, 1000);
  at_least := v_ahead > 1000;
  due_in := case when v_ahead > 0 then v_ahead / v_rate end;
  detail := case
    when v_ahead = 0 then 'no job is ahead of it: the next worker that is free takes it'
    else format('behind %s%s job%s of %s', "position", case when at_least then ' or more' end,
                case when v_ahead = 1 then '' else 's' end,
                case when v_lane.tenant_id is null then 'the shared lane, of all tenants'
                     else 'this tenant' end) end
    || coalesce(', about ' || span(due_in) || ' at the rate of now', '');
  return next;
end
$$;

comment on function fairclaim.why_waiting(uuid, uuid) is
'Why a job waits, for producers and operators: a row for each reason that holds, the strongest first. p_tenant_id: whose job it is; null is the default tenant of the settings, and for operators whoever has it. reason:
`finished`, `running`: it waits for nothing. `scheduled`: it is due in due_in seconds. `queue_paused`, `tenant_paused`. `unhandled`: workers report (report_work), and none of those that live handles its type in its queue. `tenant_limit`, `queue_limit`: as many run as may; limit_kind says which limit it is (tenant, default, tenant_queue, default_queue, queue), with max_running and running. `tenant_rate`, `queue_rate`: the rate is used up, and a job may begin in due_in seconds. `alone`: its workers died twice. `key`: another job of its key runs or waits to run, and position more jobs of the key go before it. `behind`: position jobs go before it, 0 when none does; of its tenant when that has a lane of its own, else of all tenants; at_least: there are more. due_in is then an estimate from the claims of the last minute or hour, null when nothing is known.
detail says it in words. Reads at most 1,000 rows that are ahead. Errors: JQ002, JQ005 (not there, or another tenant''s).';

grant execute on function fairclaim.why_waiting(uuid, uuid)
  to fairclaim_producer, fairclaim_operator;

-- protocol/tenant/current_tenant_id.sql
-- The tenant of the session. The installer said where the tenant of its login comes from
-- (login_tenant). Unset or malformed is an error, never "no rows" and never "every row".
create or replace function fairclaim.current_tenant_id() returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_source text;
  v_tenant uuid;
  v_text text;
begin
  select login_tenant.source, login_tenant.tenant_id into v_source, v_tenant
    from login_tenant where login_tenant.login = session_user;
  if v_source = 'fixed' then
    return v_tenant;
  elsif v_source = 'claims' then
    begin
      v_text := nullif(current_setting('request.jwt.claims', true), '')::jsonb
        #>> '{app_metadata,tenant_id}';
    exception
      when data_exception then null;          -- its text would be in the error
    end;
  elsif v_source = 'setting' then
    v_text := nullif(current_setting('fairclaim.tenant_id', true), '');
  end if;
  -- a cast of anything else would fail with the text in its message
  if translate(v_text, '0123456789abcdefABCDEF', '0000000000000000000000')
     is distinct from '00000000-0000-0000-0000-000000000000' then
    perform refuse('JQ002', 'tenant', 'this session has no tenant',
      'set it for the transaction: select set_config(''fairclaim.tenant_id'', ''<uuid>'', true), '
      'with this login listed in fairclaim_internal.login_tenant');
  end if;
  return v_text::uuid;
end
$$;

comment on function fairclaim.current_tenant_id() is
'The tenant of this session: fixed for its login, from the claims of a REST login, or from the setting fairclaim.tenant_id of a trusted application. JQ002 when there is none.';

grant execute on function fairclaim.current_tenant_id() to fairclaim_tenant;

-- protocol/tenant/declare_limits.sql
-- Set-based, whatever the number of tenants. Locks `bound`, then rows of what is in force; a dry
-- run locks nothing.
create or replace function fairclaim.declare_limits(
  p_document jsonb,
  p_dry_run boolean default false,
  p_why text default null
) returns table (
  change text, what text, kind text, tenant_id uuid, queue text, old int, new int, refuses boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_nestloop = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_nil constant uuid := '00000000-0000-0000-0000-000000000000';
  v_ids bigint[];
  v_changes text[];
  v_whats text[];
  v_kinds text[];
  v_subjects text[];
  v_tenants uuid[];
  v_queues text[];
  v_old int[];
  v_new int[];
  v_refuses boolean[];
begin
  perform check_declared(p_document);
  perform check_bound('weight', 'default', null, null, null, p_why, null, v_now);
  if not coalesce(p_dry_run, false) then
    perform lock_bounds();
  end if;
  with wanted as materialized (
    select * from read_declared(p_document)),
  known as materialized (
    select bound.* from bound
     where bound.layer = 'base' and bound.key is null
       and bound.kind in (select range.kind from bound_range() range)),
  diff as (
    select wanted.what, known.bound_id, known.value as old, wanted.value as new,
           case when known.value is null then 'added' when wanted.value is null then 'removed'
                else 'changed' end as change,
           coalesce(wanted.kind, known.kind) as kind,
           coalesce(wanted.subject, known.subject) as subject,
           coalesce(wanted.tenant_id, known.tenant_id) as tenant_id,
           coalesce(wanted.queue, known.queue) as queue, wanted.refuses
      from wanted
      full join known on known.kind = wanted.kind and known.subject = wanted.subject
                     and known.tenant_id = wanted.tenant_id and known.queue = wanted.queue
     where known.value is distinct from wanted.value
        or known.refuses is distinct from wanted.refuses
     order by subject, tenant_id, queue, kind)
  select array_agg(diff.bound_id), array_agg(diff.change), array_agg(diff.what),
         array_agg(diff.kind), array_agg(diff.subject), array_agg(diff.tenant_id),
         array_agg(diff.queue), array_agg(diff.old), array_agg(diff.new), array_agg(diff.refuses)
    into v_ids, v_changes, v_whats, v_kinds, v_subjects, v_tenants, v_queues, v_old, v_new,
         v_refuses
    from diff;
  if v_kinds is null then
    return;
  end if;
  if not coalesce(p_dry_run, false) then
    perform write_base(v_ids, v_kinds, v_subjects, v_tenants, v_queues, v_new, v_refuses, p_why,
      v_now);
  end if;
  return query
  select item.change,
         coalesce(item.what, concat_ws('.',
           case item.subject when 'tenant' then 'tenants' when 'default' then 'default' end,
           case when item.subject = 'tenant'
                then coalesce(tenant_label(item.tenant_id), item.tenant_id::text) end,
           case when item.queue <> '' then 'queues.' || item.queue end,
           (select range.name from bound_range() range where range.kind = item.kind))),
         item.kind, nullif(item.tenant_id, v_nil), nullif(item.queue, ''), item.old, item.new,
         item.refuses
    from unnest(v_changes, v_whats, v_kinds, v_subjects, v_tenants, v_queues, v_old, v_new,
                v_refuses)
         item(change, what, kind, subject, tenant_id, queue, old, new, refuses);
end
$$;

comment on function fairclaim.declare_limits(jsonb, boolean, text) is
'Declares the base of all settings in one call, for operators, as a deployment does: what the document says is set, and what an earlier document said and this one does not is removed. Overrides of operators stay and go before it. The same document again changes nothing. Answers one row for each change, with its path in the document, and with p_dry_run makes none of them.
The document: {"default": {"max_running": 5, "max_waiting": 1000, "refuses": true, "queues": {"mail": {"max_running": 2}}}, "queues": {"mail": {"max_running": 100}}, "tenants": {"acme": {"weight": 3, "max_running": 8, "max_waiting": 5000, "queues": {"mail": {"weight": 5}}}}}. A tenant is named by its name or uuid; every part may be left out. refuses (true where it is left out) belongs to max_waiting: see set_quota.
Errors: JQ004, with the path of the fault in DETAIL; nothing is changed then.';

grant execute on function fairclaim.declare_limits(jsonb, boolean, text) to fairclaim_operator;

-- protocol/tenant/list_audit.sql
create or replace function fairclaim.list_audit(
  p_limit int default 100,
  p_before bigint default null
) returns table (
  audit_id bigint, at timestamptz, who text, what text, subject text, tenant_id uuid, tenant text,
  queue text, old_value text, new_value text, until timestamptz, why text, many int
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      p_detail => '{"minimum": 1, "maximum": 10000}');
  end if;
  return query
  select noted.audit_id, noted.at, noted.who, noted.what, noted.subject, noted.tenant_id,
         tenant_label(noted.tenant_id), noted.queue, noted.old_value, noted.new_value,
         noted.until, noted.why, noted.many
    from (select audit.* from audit
           where p_before is null or audit.audit_id < p_before
           order by audit.audit_id desc limit p_limit) noted
   order by noted.audit_id desc;
end
$$;

comment on function fairclaim.list_audit(int, bigint) is
'What operators and deployments changed of tenants and queues, newest first, for operators: when, who (the login; tick for what ended by itself), what (the function), of whom, the value before and after, until when, why, and how many settings. A page has at most p_limit rows (1 to 10,000); p_before continues before an audit_id.
Errors: JQ004.';

grant execute on function fairclaim.list_audit(int, bigint) to fairclaim_operator;

-- protocol/tenant/pause_tenant.sql
-- A pause is the limit 0 over all queues while it lasts, beside the limit that is set: a claim that
-- begins after this commit gives none of the tenant's jobs. A second pause changes why and until;
-- the time of the first stays.
create or replace function fairclaim.pause_tenant(
  p_tenant_id uuid,
  p_why text default null,
  p_until timestamptz default null
) returns table (
  tenant_id uuid, tenant text, paused_at timestamptz, until timestamptz, was_paused boolean,
  known boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_before record;
begin
  perform check_bound('paused', 'tenant', p_tenant_id, null, 1, p_why, p_until, v_now);
  perform lock_bounds();
  v_before := shown_bound('paused', 'tenant', p_tenant_id, '', v_now);
  perform put_bound('pause_tenant', 'paused', 'tenant', p_tenant_id, null, 1, null, p_why, p_until,
    v_now);
  if v_before.set_at is not null then
    update bound set set_at = v_before.set_at
     where bound.tenant_id = p_tenant_id and bound.queue = '' and bound.kind = 'paused'
       and bound.subject = 'tenant' and bound.key is null and bound.layer = 'override';
  end if;
  tenant_id := p_tenant_id;
  tenant := tenant_label(p_tenant_id);
  paused_at := coalesce(v_before.set_at, v_now);
  until := p_until;
  was_paused := v_before.set_at is not null;
  known := is_known_tenant(p_tenant_id);
  return next;
end
$$;

comment on function fairclaim.pause_tenant(uuid, text, timestamptz) is
'Stops a tenant, for operators: claims that begin after this give none of its jobs, whatever its limits are. Dispatch and running jobs go on. It lasts until resume_tenant, or until p_until. A tenant exists by use, so any may be paused: known is false when no job was dispatched for it by name and none of its jobs is there. was_paused: it was already, since paused_at.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.pause_tenant(uuid, text, timestamptz) to fairclaim_operator;

-- protocol/tenant/resume_tenant.sql
-- The limit that is set holds again; tick wakes the workers (see force_bounds). A tenant that is
-- not paused is left as it is, and nothing is written down.
create or replace function fairclaim.resume_tenant(p_tenant_id uuid, p_why text default null)
returns table (
  tenant_id uuid, tenant text, paused_at timestamptz, until timestamptz, was_paused boolean,
  known boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_before record;
begin
  perform check_bound('paused', 'tenant', p_tenant_id, null, null, p_why, null, v_now);
  perform lock_bounds();
  v_before := shown_bound('paused', 'tenant', p_tenant_id, '', v_now);
  was_paused := v_before.set_at is not null;
  if was_paused then
    perform put_bound('resume_tenant', 'paused', 'tenant', p_tenant_id, null, null, null, p_why,
      null, v_now);
  end if;
  tenant_id := p_tenant_id;
  tenant := tenant_label(p_tenant_id);
  known := is_known_tenant(p_tenant_id);
  return next;
end
$$;

comment on function fairclaim.resume_tenant(uuid, text) is
'Lets claims have the jobs of a paused tenant again, within its limits, and wakes the workers. For operators. was_paused is false when it was not paused; known as in pause_tenant; paused_at and until are null.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.resume_tenant(uuid, text) to fairclaim_operator;

-- protocol/tenant/set_default_limit.sql
-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_default_limit(
  p_max_running int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_default_limit', 'running', 'default', null, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, null::boolean,
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('running', 'default', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_default_limit(int, text, text, timestamptz) is
'Limits how many jobs of each tenant run at the same time (0 to 1,000,000), in all queues together or in one, for every tenant that has no limit of its own there. For operators. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_default_limit(int, text, text, timestamptz)
  to fairclaim_operator;

-- protocol/tenant/set_default_quota.sql
-- Dispatch reads the quota that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_default_quota(
  p_max_waiting int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null,
  p_refuses boolean default true
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_default_quota', 'waiting', 'default', null, p_queue, p_max_waiting,
    coalesce(p_refuses, true), p_why, p_until, v_now);
  return query
  select shown.*, null::boolean,
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('waiting', 'default', null, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_default_quota(int, text, text, timestamptz, boolean) is
'Limits how many jobs of each tenant wait (0 to 2,000,000,000), in all queues together or in one, for every tenant that has no quota of its own there. p_refuses as in set_quota. For operators. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ004.';

grant execute on function fairclaim.set_default_quota(int, text, text, timestamptz, boolean)
  to fairclaim_operator;

-- protocol/tenant/set_limit.sql
-- Claims read the limit that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_limit(
  p_tenant_id uuid,
  p_max_running int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_limit', 'running', 'tenant', p_tenant_id, p_queue, p_max_running, null,
    p_why, p_until, v_now);
  return query
  select shown.*, is_known_tenant(p_tenant_id),
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('running', 'tenant', p_tenant_id, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_limit(uuid, int, text, text, timestamptz) is
'Limits how many jobs of a tenant run at the same time (0 to 1,000,000), in all queues together or in one, for operators. Both may be set, and both hold; it goes before the default for every tenant. Jobs that run already go on. A new limit is exact from the moment when the claims that were open have ended, and until then no job of the tenant is claimed; a changed one is in effect at once. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. known is false where no job was dispatched for the tenant by name and none of its jobs is there, which a misspelt name shows by; in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_limit(uuid, int, text, text, timestamptz)
  to fairclaim_operator;

-- protocol/tenant/set_quota.sql
-- Dispatch reads the quota that is in force; see put_bound for what is locked.
create or replace function fairclaim.set_quota(
  p_tenant_id uuid,
  p_max_waiting int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null,
  p_refuses boolean default true
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_quota', 'waiting', 'tenant', p_tenant_id, p_queue, p_max_waiting,
    coalesce(p_refuses, true), p_why, p_until, v_now);
  return query
  select shown.*, is_known_tenant(p_tenant_id),
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('waiting', 'tenant', p_tenant_id, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_quota(uuid, int, text, text, timestamptz, boolean) is
'Limits how many jobs of a tenant wait (0 to 2,000,000,000), in all queues together or in one, for operators. p_refuses: what is above it is refused at dispatch (JQ003); else it is accepted and counted. It goes before the default for every tenant. Jobs that wait already stay. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. known is false where no job was dispatched for the tenant by name and none of its jobs is there, which a misspelt name shows by; in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_quota(uuid, int, text, text, timestamptz, boolean)
  to fairclaim_operator;

-- protocol/tenant/set_weight.sql
-- Writes settings and a note; lanes get the weight from tick, since only tick updates them.
create or replace function fairclaim.set_weight(
  p_tenant_id uuid,
  p_weight int,
  p_queue text default null,
  p_why text default null,
  p_until timestamptz default null
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz,
  known boolean, in_use boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform put_bound('set_weight', 'weight', 'tenant', p_tenant_id, p_queue, p_weight, null,
    p_why, p_until, v_now);
  return query
  select shown.*, is_known_tenant(p_tenant_id),
         case when p_queue is not null then queue_in_use(p_queue) end
    from shown_bound('weight', 'tenant', p_tenant_id, coalesce(p_queue, ''), v_now) shown;
end
$$;

comment on function fairclaim.set_weight(uuid, int, text, text, timestamptz) is
'Sets the weight of a tenant (1 to 100), in all queues or in one, for operators: its share of the turns among the tenants with a backlog. Without one it is 1; one for a queue goes before one for all. In effect for what waits already with the next tick. p_why and p_until say why, and when it ends by itself. Null takes it away, so that the base which declare_limits has set is in force again. Returns the setting as show_limits does: base, override and what is in force. known is false where no job was dispatched for the tenant by name and none of its jobs is there, which a misspelt name shows by; in_use is false where no job waits in the queue or has within the last hour.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_weight(uuid, int, text, text, timestamptz)
  to fairclaim_operator;

-- protocol/tenant/show_limits.sql
-- By index: the settings of one tenant, or of a page of tenants, each place by two looks.
create or replace function fairclaim.show_limits(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_after uuid default null,
  p_limit int default 100
) returns table (
  kind text, subject text, tenant_id uuid, tenant text, queue text, base int, override int,
  in_force int, refuses boolean, set_by text, why text, until timestamptz, set_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_nil constant uuid := '00000000-0000-0000-0000-000000000000';
  v_tenants uuid[] := array[p_tenant_id];
begin
  if p_limit is null or p_limit not between 1 and 10000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 10,000',
      p_detail => '{"minimum": 1, "maximum": 10000}');
  end if;
  if p_tenant_id is null then
    with recursive hop(tenant_id, place) as (
      (select bound.tenant_id, 1 from bound
        where bound.subject = 'tenant' and (p_after is null or bound.tenant_id > p_after)
        order by bound.tenant_id limit 1)
      union all
      select next.tenant_id, hop.place + 1 from hop
       cross join lateral (
         select bound.tenant_id from bound
          where bound.subject = 'tenant' and bound.tenant_id > hop.tenant_id
          order by bound.tenant_id limit 1) next
       where hop.place < p_limit)
    select array_agg(hop.tenant_id) into v_tenants from hop;
  end if;
  return query
  with own as materialized (
    select distinct listed.subject, known.kind, known.tenant_id, known.queue
      from (select 'tenant' as subject, unnest(v_tenants) as tenant_id
            union all
            select unnest(array['default', 'queue']), v_nil where p_after is null) listed
     cross join lateral (
       select bound.kind, bound.tenant_id, bound.queue from bound
        where bound.tenant_id = listed.tenant_id and bound.subject = listed.subject
          and bound.key is null
          and (p_queue is null or bound.queue in ('', p_queue))
       offset 0) known
     -- of a tenant that is asked for: the defaults where it has nothing of its own, and what all
     -- share in the queue that is asked for
     where p_tenant_id is null or listed.subject = 'tenant'
        or listed.subject = 'queue' and p_queue is not null
        or listed.subject = 'default' and (
             shown_bound(known.kind, 'tenant', p_tenant_id, known.queue, v_now)).in_force is null)
  select shown.*
    from own
   cross join lateral shown_bound(own.kind, own.subject, own.tenant_id, own.queue, v_now) shown
   where shown.set_by is not null
   order by array_position(array['default', 'queue', 'tenant'], shown.subject), shown.tenant_id,
            shown.queue nulls first, shown.kind;
end
$$;

comment on function fairclaim.show_limits(uuid, text, uuid, int) is
'The weights, limits, quotas and pauses that are set, for operators. One row each: kind (weight, running, waiting, paused), subject (tenant; default: every tenant without one of its own; queue: all tenants of the queue together), base (declared by declare_limits), override (of an operator) and in_force, and who set what is in force, why, until when. queue is null for all queues; refuses: what is above a quota is refused.
Of one tenant: its own settings, and the defaults that apply to it. Without a tenant: the defaults, the limits of queues, and a page of tenants by id, at most p_limit of them (1 to 10,000); p_after continues after the last one. p_queue leaves what concerns this queue. A tenant without a weight has 1.
Errors: JQ004.';

grant execute on function fairclaim.show_limits(uuid, text, uuid, int) to fairclaim_operator;

-- protocol/tenant/cancel_waiting.sql
-- Locks: those of end_waiting.
create or replace function fairclaim.cancel_waiting(
  p_tenant_id uuid,
  p_queue text default null,
  p_type text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, cancelled int, passed int, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_ids uuid[];
begin
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(
           p_tenant_id, p_queue, p_type, p_older_than, p_newer_than, p_after, p_limit) step;
  cancelled := 0;
  passed := 0;
  if v_ids <> '{}' then
    select array_agg(stands.id) into v_ids
      from status_of(p_tenant_id, v_ids) stands where stands.status in ('pending', 'scheduled');
  end if;
  if v_ids <> '{}' then
    perform end_waiting(v_ids, array_fill(p_tenant_id, array[cardinality(v_ids)]), v_now);
    select count(*) filter (where stands.status = 'cancelled'),
           count(*) filter (where stands.status in ('pending', 'scheduled'))
      into cancelled, passed
      from status_of(p_tenant_id, v_ids) stands;
  end if;
  if cancelled > 0 then
    perform note_operation('cancel_waiting', p_tenant_id, p_queue, p_why, cancelled);
  end if;
  return next;
end
$$;

comment on function fairclaim.cancel_waiting(uuid, text, text, float8, float8, uuid, int, text) is
'Cancels what waits of one tenant, pending or delayed, in steps, for operators. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first, whatever their status; go on with p_after = next until next is null. The filters are those of list_jobs. passed: jobs that another transaction holds at this moment; call again from the start for them. What runs is left: cancel_jobs asks it to stop. p_why: for the audit table.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.cancel_waiting(uuid, text, text, float8, float8, uuid, int,
    text)
  to fairclaim_operator;

-- protocol/tenant/count_tenant.sql
-- What there is of one tenant, each kind up to a bound. Jobs are counted by their key, errors and
-- ends by the jobs. `offset 0` keeps the look at a row from becoming a join of whole tables.
create or replace function fairclaim.count_tenant(p_tenant_id uuid, p_up_to int default 10000)
returns table (
  jobs int, waiting int, scheduled int, running int, ended int, errors int, settings int,
  more boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
begin
  perform check_tenant(p_tenant_id);
  if p_up_to is null or p_up_to not between 1 and 100000 then
    perform refuse('JQ004', 'p_up_to', 'must be from 1 to 100,000',
      p_detail => '{"minimum": 1, "maximum": 100000}');
  end if;
  select least(count(*), p_up_to), count(place.scheduled), count(place.running),
         count(place.finished), coalesce(sum(place.errors), 0), count(*) > p_up_to
    into jobs, scheduled, running, ended, errors, more
    from (select job.id from job
           where job.tenant_id = p_tenant_id order by job.id limit p_up_to + 1) known
   cross join lateral (
     select (select 1 from scheduled where scheduled.id = known.id) as scheduled,
            (select 1 from running where running.id = known.id) as running,
            (select 1 from finished
              where finished.id = known.id and finished.tenant_id = p_tenant_id) as finished,
            (select count(*) from attempt_error past
              where past.id = known.id and past.tenant_id = p_tenant_id) as errors
     offset 0) place;
  waiting := (select count(*) from (select from ready
                                     where ready.tenant_id = p_tenant_id limit p_up_to) counted);
  settings := (select count(*) from bound where bound.tenant_id = p_tenant_id)
    + (select count(*) from waiting_limit drain
        where drain.tenant_id = p_tenant_id and drain.subject = 'drain');
  return next;
end
$$;

comment on function fairclaim.count_tenant(uuid, int) is
'What there is of one tenant, for operators, to look before a purge or an export. Counted over its oldest jobs, up to p_up_to of them (1 to 100,000); more: there are others. waiting: in lanes. settings: limits and other settings of its own.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.count_tenant(uuid, int)
  to fairclaim_operator, fairclaim_auditor;

-- protocol/tenant/current_tenant_id.sql
-- The tenant of the session. The installer said where the tenant of its login comes from
-- (login_tenant). Unset or malformed is an error, never "no rows" and never "every row".
create or replace function fairclaim.current_tenant_id() returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_source text;
  v_tenant uuid;
  v_text text;
begin
  select login_tenant.source, login_tenant.tenant_id into v_source, v_tenant
    from login_tenant where login_tenant.login = session_user;
  if v_source = 'fixed' then
    return v_tenant;
  elsif v_source = 'claims' then
    begin
      v_text := nullif(current_setting('request.jwt.claims', true), '')::jsonb
        #>> '{app_metadata,tenant_id}';
    exception
      when data_exception then null;          -- its text would be in the error
    end;
  elsif v_source = 'setting' then
    v_text := nullif(current_setting('fairclaim.tenant_id', true), '');
  end if;
  -- a cast of anything else would fail with the text in its message
  if translate(v_text, '0123456789abcdefABCDEF', '0000000000000000000000')
     is distinct from '00000000-0000-0000-0000-000000000000' then
    perform refuse('JQ002', 'tenant', 'this session has no tenant',
      'set it for the transaction: select set_config(''fairclaim.tenant_id'', ''<uuid>'', true), '
      'with this login listed in fairclaim_internal.login_tenant');
  end if;
  return v_text::uuid;
end
$$;

comment on function fairclaim.current_tenant_id() is
'The tenant of this session: fixed for its login, from the claims of a REST login, or from the setting fairclaim.tenant_id of a trusted application. JQ002 when there is none.';

grant execute on function fairclaim.current_tenant_id() to fairclaim_tenant;

-- protocol/tenant/drain_tenant.sql
-- A quota of 0 that refuses, in a row of its own, so that the tenant's quota is in force again when
-- the drain ends. A dispatch whose transaction is open at this moment may still put jobs in.
create or replace function fairclaim.drain_tenant(p_tenant_id uuid, p_why text default null)
returns table (tenant_id uuid, drained_at timestamptz, was_drained boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_tenant(p_tenant_id);
  tenant_id := p_tenant_id;
  insert into waiting_limit (subject, tenant_id, queue, max_waiting, drained_at)
  values ('drain', p_tenant_id, '', 0, v_now) on conflict do nothing;
  was_drained := not found;
  drained_at := (select bound.drained_at from waiting_limit bound
                  where bound.subject = 'drain' and bound.tenant_id = p_tenant_id
                    and bound.queue = '');
  if not was_drained then
    perform note_operation('drain_tenant', p_tenant_id, null, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.drain_tenant(uuid, text) is
'Takes no new jobs of a tenant any more, for operators: dispatches are refused (JQ003), as by a quota of 0, and what waits or runs is finished. What comes back (a retry, a delayed job that is due) is never refused. undrain_tenant ends it. p_why: 1 to 1,000 characters for the audit table. was_drained: it was already, since drained_at.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.drain_tenant(uuid, text) to fairclaim_operator;

-- protocol/tenant/export_tenant.sql
-- First what is known of the tenant itself, then its jobs by id. A page is as large as its jobs:
-- with payloads and results of 1 MiB ask for few.
create or replace function fairclaim.export_tenant(
  p_tenant_id uuid,
  p_after uuid default null,
  p_limit int default 100,
  p_payloads boolean default true
) returns table (kind text, document jsonb, next uuid)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_next uuid;
begin
  if p_payloads is null then
    perform refuse('JQ004', 'p_payloads', 'must be true or false');
  elsif p_payloads and not caller_is('auditor') then
    perform refuse('JQ007', 'p_payloads', 'payloads, results and error texts are for auditors only',
      format('set it to false, or as an administrator: grant %I to %I',
             our_role('auditor'), caller()));
  end if;
  select step.ids, step.next into v_ids, v_next
    from tenant_jobs(p_tenant_id, null, null, null, null, p_after, p_limit) step;
  if p_after is null then
    return query
    select part.kind, part.document, v_next from tenant_parts(p_tenant_id) part;
  end if;
  return query
  select 'job',
         jsonb_build_object(
           'id', entry.id, 'tenant_id', entry.tenant_id, 'queue', entry.queue, 'type', entry.type,
           'status', entry.status, 'priority', entry.priority, 'attempts', entry.attempts,
           'attempts_left', entry.attempts_left, 'max_attempts', entry.max_attempts,
           'lost', entry.lost, 'worker_id', entry.worker_id, 'created_at', entry.created_at,
           'next_retry_at', entry.next_retry_at, 'completed_at', entry.completed_at,
           'timeout', entry.timeout, 'tags', entry.tags,
           'error', case when p_payloads then entry.error else error_code(entry.error) end,
           'errors', coalesce(
             (select jsonb_agg(
                       jsonb_build_object(
                         'attempt', past.attempt, 'at', past.at, 'worker_id', past.worker_id,
                         'error', case when p_payloads then past.error
                                       else error_code(past.error) end)
                       order by past.attempt)
                from attempt_error past
               where past.id = entry.id and past.tenant_id = entry.tenant_id), '[]'))
         || case when p_payloads
                 then jsonb_build_object('payload', entry.payload, 'result', entry.result,
                                         'metadata', entry.metadata)
                 else '{}' end,
         v_next
    from unnest(v_ids) with ordinality page(id, place)
   cross join lateral (
     select * from fairclaim.job_queue shown
      where shown.tenant_id = p_tenant_id and shown.id = page.id offset 0) entry
   order by page.place;
end
$$;

comment on function fairclaim.export_tenant(uuid, uuid, int, boolean) is
'Everything of one tenant as JSON, in pages, for operators and auditors. The first page (p_after null) begins with what is known of the tenant itself: kind tenant (its name), setting (its limits), audit (what operators did to it). Then come its jobs, kind job, oldest first: those of the next p_limit (1 to 10,000) with status, payload, result, metadata, error and the errors of all attempts. Go on with p_after = next until next is null. p_payloads false leaves payload, result and metadata out, and of errors all but the code; without it the caller must be an auditor.
Errors: JQ002, JQ004, JQ007.';

grant execute on function fairclaim.export_tenant(uuid, uuid, int, boolean)
  to fairclaim_operator, fairclaim_auditor;

-- protocol/tenant/move_waiting.sql
-- The wide row of a job says its queue, and is never updated: readers may rely on a row of `job`
-- that they have seen. So it is deleted and inserted with the same id in one statement, which
-- nobody can see half of. The row of `ready` or `scheduled` is the job's place: whoever has locked
-- it owns the job. It is taken first (skip locked); a row of `ready` gets a fresh place in the
-- other queue, at the end of its tenant's line; one of `scheduled` stays, and its tick finds the
-- new queue. Lock order: ready, scheduled, each skip locked, then `job` rows that only the owner of
-- a place touches.
create or replace function fairclaim.move_waiting(
  p_tenant_id uuid,
  p_queue text,
  p_to_queue text,
  p_type text default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, moved int, passed int, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
  v_rows ready[];
  v_later uuid[];
begin
  perform check_queue(p_queue);
  perform check_queue(p_to_queue, 'p_to_queue');
  if p_queue = p_to_queue then
    perform refuse('JQ004', 'p_to_queue', 'must be another queue than p_queue');
  elsif current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'move_waiting needs isolation level read committed',
      'begin isolation level read committed');
  end if;
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(p_tenant_id, p_queue, p_type, null, null, p_after, p_limit) step;
  with pending as materialized (
    select place.ctid
      from unnest(v_ids) asked(id)
     cross join lateral (
       select ready.ctid from ready
        where ready.tenant_id = p_tenant_id and ready.id = asked.id
          and (ready.lane_id >> 32) = any (array[0, lane_group(p_queue)])
          for update skip locked) place),
  gone as (
    delete from ready where ready.ctid = any (array(select pending.ctid from pending))
    returning ready.*)
  select array_agg(gone.*::ready order by gone.seq) into v_rows from gone;
  v_later := array(
    select scheduled.id from scheduled where scheduled.id = any (v_ids) for update skip locked);
  v_ids := v_later || array(select back.id from unnest(v_rows) back);
  with old as (
    delete from job where job.tenant_id = p_tenant_id and job.id = any (v_ids) returning job.*)
  insert into job (id, tenant_id, queue, type, priority, max_attempts,
                   timeout, run_at, created_at, payload, tags, metadata, key, keep_order)
  select old.id, old.tenant_id, p_to_queue, old.type, old.priority, old.max_attempts,
         old.timeout, old.run_at, old.created_at, old.payload, old.tags, old.metadata,
         old.key, old.keep_order
    from old;
  moved := cardinality(v_ids);
  if v_rows is not null then
    perform to_ready(
      array(select back.tenant_id from unnest(v_rows) back order by back.seq),
      array(select back.id from unnest(v_rows) back order by back.seq),
      array(select back.attempts from unnest(v_rows) back order by back.seq),
      array(select back.attempts_left from unnest(v_rows) back order by back.seq),
      array(select back.lost from unnest(v_rows) back order by back.seq),
      array(select back.watched from unnest(v_rows) back order by back.seq));
    perform wake(fairclaim.clock());
  end if;
  passed := (select count(*) from tenant_jobs(
                    p_tenant_id, p_queue, p_type, null, null, p_after, p_limit) step
              cross join lateral status_of(p_tenant_id, step.ids) stands
              where step.ids <> '{}' and stands.status in ('pending', 'scheduled')
                and (next is null or stands.id <= next));
  if moved > 0 then
    perform note_operation('move_waiting', p_tenant_id, p_queue, p_why, moved);
  end if;
  return next;
end
$$;

comment on function fairclaim.move_waiting(uuid, text, text, text, uuid, int, text) is
'Moves what waits of one tenant, pending or delayed, from one queue to another, in steps, for operators. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first, whatever their status; go on with p_after = next until next is null. Ids, attempts and history stay; a moved job stands behind what its tenant has waiting in the other queue. Quotas do not refuse it. passed: jobs that another transaction holds at this moment; call again from the start for them. What runs is left. p_why: for the audit table.
Errors: JQ002, JQ004 (also outside READ COMMITTED).';

grant execute on function fairclaim.move_waiting(uuid, text, text, text, uuid, int, text)
  to fairclaim_operator;

-- protocol/tenant/purge_tenant.sql
-- Jobs go by erase_jobs, with everything that belongs to them, in the order of their ids: so each
-- step begins behind what the last one deleted, and a purge that was killed begins anew and finds
-- less. When no job is left, what is known of the tenant itself goes (forget_tenant). Locks: those
-- of erase_jobs.
create or replace function fairclaim.purge_tenant(
  p_tenant_id uuid,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (
  jobs int, errors int, running int, passed int, settings int, next uuid, more boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_ids uuid[];
begin
  jobs := 0; errors := 0; running := 0; passed := 0; settings := 0;
  select step.ids, step.next into v_ids, next
    from tenant_jobs(p_tenant_id, null, null, null, null, p_after, p_limit) step;
  if v_ids <> '{}' then
    errors := (select count(*) from attempt_error past
                where past.id = any (v_ids) and past.tenant_id = p_tenant_id);
    jobs := (select count(*)
               from erase_jobs(
                      v_ids, array_fill(p_tenant_id, array[cardinality(v_ids)])));
    errors := errors - (select count(*) from attempt_error past
                         where past.id = any (v_ids) and past.tenant_id = p_tenant_id);
    select count(*) filter (where stands.status = 'processing'),
           count(*) filter (where stands.status <> 'processing')
      into running, passed
      from status_of(p_tenant_id, v_ids) stands where stands.status is not null;
  end if;
  more := next is not null or exists (select from job where job.tenant_id = p_tenant_id);
  if not more then
    settings := forget_tenant(p_tenant_id);
  end if;
  if jobs + settings > 0 then
    perform note_operation('purge_tenant', p_tenant_id, null, p_why, jobs);
  end if;
  return next;
end
$$;

comment on function fairclaim.purge_tenant(uuid, uuid, int, text) is
'Deletes everything of one tenant, in steps, for operators: jobs that wait or have ended with payloads, results, errors and history, and when no job is left, its name, limits and other settings. Drain the tenant first, or new jobs come. A call looks at the next p_limit jobs (1 to 10,000), oldest first; go on with p_after = next until next is null. Then more is true if jobs are left: running ones, which end by themselves or are cancelled first, or passed ones, which another transaction holds at this moment; begin again without p_after when they have ended. A purge that was interrupted goes on so as well. jobs, errors, settings: how many rows of each kind went. The audit table keeps who purged it, when and why.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.purge_tenant(uuid, uuid, int, text) to fairclaim_operator;

-- protocol/tenant/retry_failed.sql
-- The jobs go to `scheduled`, the n-th of them n / p_per_second after the time at which the call
-- begins to spread them; tick makes them wait when they are due. Locks: those of
-- reopen_ended, then rows of cancel_request (skip locked).
create or replace function fairclaim.retry_failed(
  p_tenant_id uuid,
  p_queue text default null,
  p_type text default null,
  p_older_than float8 default null,
  p_newer_than float8 default null,
  p_error text default null,
  p_per_second float8 default 10,
  p_start_at timestamptz default null,
  p_after uuid default null,
  p_limit int default 1000,
  p_why text default null
) returns table (looked int, retried int, until timestamptz, next uuid)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
  v_start timestamptz := greatest(p_start_at, v_now);
  v_ids uuid[];
begin
  perform check_filter(null, p_older_than, p_newer_than, p_error);
  if p_per_second is null or p_per_second not between 0.01 and 100000 then
    perform refuse('JQ004', 'p_per_second', 'must be from 0.01 to 100,000',
      'say how many jobs a second are to be run again',
      '{"minimum": 0.01, "maximum": 100000}');
  elsif p_start_at > v_now + interval '5 years' then
    perform refuse('JQ004', 'p_start_at', 'must be at most 5 years ahead',
      'give the time that the last call answered as until, or leave it out',
      '{"maximum": 157766400}');
  end if;
  select step.ids, step.looked, step.next into v_ids, looked, next
    from tenant_jobs(
           p_tenant_id, p_queue, p_type, p_older_than, p_newer_than, p_after, p_limit) step;
  if p_error is not null then
    v_ids := array(
      select asked.id from unnest(v_ids) asked(id)
       where error_has(coalesce(
               (select finished.error from finished
                 where finished.id = asked.id and finished.tenant_id = p_tenant_id),
               (select attempt_error.error from attempt_error
                 where attempt_error.id = asked.id and attempt_error.tenant_id = p_tenant_id
                 order by attempt_error.attempt desc limit 1)), p_error));
  end if;
  with back as materialized (
    select again.*, row_number() over (order by again.id) - 1 as n
      from reopen_ended(p_tenant_id, v_ids, '{failed}') again),
  later as (
    insert into scheduled (run_at, id, tenant_id, attempts, attempts_left, lost, watched)
    select v_start + make_interval(secs => back.n / p_per_second), back.id, back.tenant_id,
           back.attempts, back.attempts_left, back.lost, back.watched
      from back)
  select count(*), array_agg(back.id) into retried, v_ids from back;
  until := v_start + make_interval(secs => retried / p_per_second);
  if retried > 0 then
    perform drop_wishes(v_ids);
    perform note_operation('retry_failed', p_tenant_id, p_queue, p_why, retried);
    perform wake_before(v_now, v_start);
  end if;
  return next;
end
$$;

comment on function fairclaim.retry_failed(uuid, text, text, float8, float8, text, float8,
    timestamptz, uuid, int, text) is
'Runs failed jobs of one tenant again at a bounded rate, in steps, for operators: p_per_second (0.01 to 100,000) of them become due a second, each with all its attempts. A call looks at the next p_limit jobs of the tenant (1 to 10,000), oldest first; go on with p_after = next and p_start_at = until, so that the rate holds over all calls, until next is null. until: when the last of them is due, and a place after it. The filters are those of list_jobs; p_error is for auditors. p_why: for the audit table.
Errors: JQ002, JQ004, JQ007.';

grant execute on function fairclaim.retry_failed(uuid, text, text, float8, float8, text, float8,
    timestamptz, uuid, int, text)
  to fairclaim_operator;

-- protocol/tenant/set_retention.sql
-- Only shorter than the setting: ranges of ids are dropped whole, for all tenants, when the
-- retention of the settings is over.
create or replace function fairclaim.set_retention(
  p_tenant_id uuid,
  p_seconds float8,
  p_why text default null
) returns table (tenant_id uuid, retention float8, default_retention float8)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_most float8 := (select extract(epoch from setting.retention) from setting);
begin
  perform check_tenant(p_tenant_id);
  if p_seconds not between 3600 and v_most then
    perform refuse('JQ004', 'p_seconds',
      'must be seconds from 3,600 (1 hour) to the retention of the settings',
      'a longer one is for all tenants: `fairclaim settings set retention`',
      jsonb_build_object('minimum', 3600, 'maximum', v_most));
  end if;
  if p_seconds is null then
    delete from tenant_retention own where own.tenant_id = p_tenant_id;
  else
    insert into tenant_retention as own (tenant_id, retention)
    values (p_tenant_id, make_interval(secs => p_seconds))
        on conflict (tenant_id) do update set retention = excluded.retention;
  end if;
  perform note_operation('set_retention', p_tenant_id, null, p_why);
  tenant_id := p_tenant_id;
  retention := p_seconds;
  default_retention := v_most;
  return next;
end
$$;

comment on function fairclaim.set_retention(uuid, float8, text) is
'How long ended jobs of one tenant are kept, for operators: seconds from 3,600 up to the retention of the settings, which holds for whoever has none of his own; null takes it away. prune() deletes what is past it, job by job, within minutes. p_why: for the audit table.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_retention(uuid, float8, text) to fairclaim_operator;

-- protocol/tenant/show_quotas.sql
-- Each count is bounded by its quota and a little more, as for a dispatch.
create or replace function fairclaim.show_quotas(
  p_tenant_id uuid default null,
  p_queue text default null,
  p_limit int default 100
) returns table (
  tenant_id uuid, tenant text, queue text, subject text, max_waiting int, refuses boolean,
  waiting int, at_least boolean, drained_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_none uuid := '00000000-0000-0000-0000-000000000000';
begin
  if p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'name a tenant or a queue', '{"minimum": 1, "maximum": 1000}');
  end if;
  return query
  with bound as materialized (
    select known.*, row_number() over () as place,
           case when known.subject = 'tenant' then known.tenant_id else p_tenant_id end as counted,
           known.max_waiting + known.max_waiting / 16 + 1000 as most
      from (select * from waiting_limit listed
             where (p_tenant_id is null or listed.tenant_id in (p_tenant_id, v_none))
               and (p_queue is null or listed.queue in ('', p_queue collate "C"))
             order by listed.tenant_id, listed.queue, listed.subject limit p_limit) known)
  select nullif(bound.tenant_id, v_none), tenant_label(bound.tenant_id), nullif(bound.queue, ''),
         bound.subject, case when bound.subject <> 'drain' then bound.max_waiting end,
         bound.refuses, waits.jobs, coalesce(waits.jobs >= bound.most, false), bound.drained_at
    from bound
    left join waiting_jobs(
           (select array_agg(bound.counted order by bound.place) from bound),
           (select array_agg(bound.queue order by bound.place) from bound),
           (select array_agg(bound.most order by bound.place) from bound)) waits
           on waits.place = bound.place and bound.counted is not null
   order by bound.place;
end
$$;

comment on function fairclaim.show_quotas(uuid, text, int) is
'The quotas on waiting jobs that are in force and what is being drained, for operators: subject tenant (its own), default (of every tenant without its own) or drain. queue null: over all queues; tenant_id null: of every tenant. waiting: how many jobs the tenant has, counted to a little more than the quota (at_least: there may be more); of a default only where p_tenant_id is given. refuses false: what is above the quota is let in, and shown here. p_limit 1 to 1,000.
Errors: JQ004.';

grant execute on function fairclaim.show_quotas(uuid, text, int)
  to fairclaim_operator;

-- protocol/tenant/tenant_names.sql
-- For workers and operators, who serve all tenants. A tenant's own session may not call it.
create or replace function fairclaim.tenant_names(p_tenant_ids uuid[])
returns table (tenant_id uuid, name text)
language plpgsql stable security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  if p_tenant_ids is null or cardinality(p_tenant_ids) > 10000 then
    perform refuse('JQ004', 'p_tenant_ids', 'must be a list of at most 10,000 ids',
      'ask for fewer tenants at once', '{"limit": 10000}');
  end if;
  return query
  select wanted.id, wanted.name
    from (select tenant.id, tenant_label(tenant.id) as name
            from (select distinct unnest(p_tenant_ids) as id) tenant offset 0) wanted
   where wanted.name is not null;
end
$$;

comment on function fairclaim.tenant_names(uuid[]) is
'What these tenants (at most 10,000) are called: one row for each that a job was dispatched for by name, by p_tenant in dispatch_job or tenant in dispatch_jobs; none for the others. For workers and operators, to show names beside ids.
Errors: JQ004.';

grant execute on function fairclaim.tenant_names(uuid[]) to fairclaim_worker, fairclaim_operator;

-- protocol/tenant/tenant_uuid.sql
create or replace function fairclaim.tenant_uuid(p_name text) returns uuid
language plpgsql immutable parallel safe
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
declare
  v_hex text;
begin
  if p_name is null or p_name = '' or octet_length(p_name) > 255 then
    -- any role may call this function, and only the owner may call refuse()
    raise exception 'p_name: must be 1 to 255 bytes' using errcode = 'JQ004',
      detail = '{"argument": "p_name", "field": "name", "limit": 255}',
      hint = 'pass the name or the number by which your application knows the tenant';
  end if;
  if length(p_name) = 36
     and p_name ~ '^[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]+$'
     and p_name like '________-____-____-____-____________' then
    return p_name::uuid;
  end if;
  v_hex := encode(sha256(convert_to('fairclaim:tenant:' || p_name, 'UTF8')), 'hex');
  return (left(v_hex, 12) || '8' || substr(v_hex, 14, 3)
          || substr('89ab', (('x' || substr(v_hex, 17, 1))::bit(4)::int & 3) + 1, 1)
          || substr(v_hex, 18, 15))::uuid;
end
$$;

comment on function fairclaim.tenant_uuid(text) is
'The uuid of a tenant that the application knows by a name or a number: always the same for the same text. A text that is a uuid is that uuid.';

grant execute on function fairclaim.tenant_uuid(text)
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator,
     fairclaim_auditor, fairclaim_observer;

-- protocol/tenant/undrain_tenant.sql
create or replace function fairclaim.undrain_tenant(p_tenant_id uuid, p_why text default null)
returns table (tenant_id uuid, drained_at timestamptz, was_drained boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  perform check_tenant(p_tenant_id);
  tenant_id := p_tenant_id;
  delete from waiting_limit bound
   where bound.subject = 'drain' and bound.tenant_id = p_tenant_id and bound.queue = '';
  was_drained := found;
  if was_drained then
    perform note_operation('undrain_tenant', p_tenant_id, null, p_why);
  end if;
  return next;
end
$$;

comment on function fairclaim.undrain_tenant(uuid, text) is
'Lets dispatches put jobs of a tenant in again, for operators, as far as its quotas go. was_drained is false when it was not being drained; drained_at is null.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.undrain_tenant(uuid, text) to fairclaim_operator;

-- protocol/worker/list_workers.sql
-- Reads all of two small tables.
create or replace function fairclaim.list_workers() returns table (
  id text, host text, version text, queues text[], slots int[], types text[], running int,
  started_at timestamptz, seen_at timestamptz, silent_until timestamptz, is_live boolean
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := fairclaim.clock();
begin
  return query
  with held as materialized (
    select running.worker_id, count(*)::int as jobs from running group by running.worker_id)
  select worker.id, worker.host, worker.version, worker.queues, worker.slots, worker.types,
         coalesce((select held.jobs from held where held.worker_id = worker.id), 0),
         worker.started_at, worker.seen_at, worker.silent_until, worker.silent_until > v_now
    from worker
   order by worker.id;
end
$$;

comment on function fairclaim.list_workers() is
'The workers, by id, for operators and observers: machine, version, queues with the slots of each (how many of its jobs run at once), types (null: every one), how many jobs it holds, since when it is known, when it last reported, and until when it may be silent. is_live is false for one that has been silent for longer: it has died, or sleeps, and an hour later it is forgotten. A worker that ends as it should is not listed any more. Clients that do not call report_work are not here.';

grant execute on function fairclaim.list_workers() to fairclaim_operator, fairclaim_observer;

-- protocol/worker/report_work.sql
-- Writes the worker's own row, for which only a second worker of the same id would wait, and
-- appends what its handlers took. Figures are kept for tenants with an own lane in a queue that is
-- fair by seconds only: the turns of others do not depend on them.
-- A large fleet is asked to report more seldom, so that what is written does not grow with it.
create or replace function fairclaim.report_work(
  p_worker_id text,
  p_host text,
  p_version text,
  p_queues text[],
  p_slots int[],
  p_types text[] default null,
  p_silent_for float8 default 20,
  p_tenants uuid[] default null,
  p_tenant_queues text[] default null,
  p_jobs int[] default null,
  p_seconds float8[] default null
) returns table (report_in float8, by_seconds text[])
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_now timestamptz := fairclaim.clock();
begin
  perform check_claim(p_worker_id, p_queues, 1, p_types, 30);
  perform check_report(p_host, p_version, p_queues, p_slots, p_silent_for,
    p_tenants, p_tenant_queues, p_jobs, p_seconds);
  if p_silent_for = 0 then
    delete from worker where worker.id = p_worker_id;
  else
    insert into worker as known (
      id, host, version, queues, slots, types, started_at, seen_at, silent_until)
    values (p_worker_id, p_host, p_version, p_queues, p_slots, p_types, v_now, v_now,
            v_now + make_interval(secs => p_silent_for))
    on conflict (id) do update
       set host = excluded.host, version = excluded.version, queues = excluded.queues,
           slots = excluded.slots, types = excluded.types, seen_at = excluded.seen_at,
           silent_until = excluded.silent_until;
  end if;
  report_in := least(30, greatest(5, (select count(*) from worker) / 10.0));
  select coalesce(array_agg(queue.name order by queue.name), '{}') into by_seconds
    from queue where queue.fair_by = 'seconds' and queue.name = any (p_queues collate "C");
  if by_seconds <> '{}' and cardinality(p_tenants) > 0 then
    insert into time_report (queue, tenant_id, jobs, seconds)
    select item.queue, item.tenant_id, item.jobs, item.seconds
      from unnest(p_tenants, p_tenant_queues, p_jobs, p_seconds)
           item(tenant_id, queue, jobs, seconds)
     cross join lateral (
       select from lane
        where lane.tenant_id = item.tenant_id and lane.queue = item.queue collate "C"
          and lane.turn = uuid_hash_extended(
                item.tenant_id, hashtextextended(item.queue collate "C", 0))
        limit 1) own
     where item.queue = any (by_seconds);
  end if;
  return next;
end
$$;

comment on function fairclaim.report_work(text, text, text, text[], int[], text[], float8, uuid[],
    text[], int[], float8[]) is
'Tells that a worker lives, for workers: at its start, and while it works when report_in (seconds) says so; when it is idle only beside a claim that it makes anyway. p_slots: how many jobs of each of p_queues it runs at once; p_types: null for every type. p_silent_for (0 to 86,400): for how many seconds there may be no further report before the worker counts as gone; 0 when it ends. p_host and p_version are for people.
by_seconds: which of p_queues are fair by seconds. For these, tell with the next report what each tenant took since the last one, in four lists of the same length (at most 1,000 items; leave out the least): p_tenants and p_tenant_queues, p_jobs (how many jobs) and p_seconds (how long their handlers ran, those that still run among them: 1 job and its seconds so far at first, 0 jobs and the further seconds later).
Nothing depends on a single report: leave one out that fails. Errors: JQ004.';

grant execute on function fairclaim.report_work(text, text, text, text[], int[], text[], float8,
    uuid[], text[], int[], float8[])
  to fairclaim_worker;

-- views/job_queue.sql
-- Everything about a job; it needs the rights to the payload. What waits is found through the few
-- lanes of the job's key.
create or replace view fairclaim.job_queue with (security_invoker = true) as
select job.id, job.tenant_id, job.type,
       coalesce(ended.status,
                case when held.id is not null then 'processing'
                     when later.id is not null then 'scheduled'
                     else 'pending' end) as status,
       job.payload, ended.result, coalesce(ended.worker_id, held.worker_id) as worker_id,
       coalesce(ended.attempts, held.attempt, later.attempts, waiting.attempts, behind.attempts,
                0)::int as attempts,
       later.run_at as next_retry_at, job.created_at, ended.completed_at, job.queue,
       job.priority::int as priority, job.max_attempts::int as max_attempts,
       coalesce(held.attempts_left, later.attempts_left, waiting.attempts_left,
                behind.attempts_left)::int
         as attempts_left,
       coalesce(held.lost, later.lost, waiting.lost, behind.lost)::int as lost,
       held.lease_expires_at,
       held.id is not null
         and exists (select from fairclaim_internal.cancel_request wish where wish.id = job.id)
         as cancel_requested,
       ended.error, date_part('epoch', job.timeout) as timeout, job.tags, job.metadata
  from fairclaim_internal.job
  left join fairclaim_internal.finished ended
         on ended.id = job.id and ended.tenant_id = job.tenant_id
  left join fairclaim_internal.running held on held.id = job.id
  left join fairclaim_internal.scheduled later on later.id = job.id
  -- what waits stands in an own lane (group 0) or in a shared one of its queue's group; the
  -- expression of lane_group() is written out, since a reader of the view may not call it
  left join lateral (
    select ready.attempts, ready.attempts_left, ready.lost
      from fairclaim_internal.ready
     where ready.tenant_id = job.tenant_id and ready.id = job.id
       and (ready.lane_id >> 32)
           = any (array[0, -1 - (hashtextextended(job.queue, 0) & 1073741823)])
       and ended.id is null and held.id is null and later.id is null
     limit 1) waiting on true
  left join fairclaim_internal.held behind on job.key is not null and behind.id = job.id;

comment on view fairclaim.job_queue is
'Every job with its status, payload, result and error. Row security decides which rows a role sees.';

-- views/job_overview.sql
-- As job_queue without payload, result and error: a role that may not read a column cannot read a
-- view that names it at all.
create or replace view fairclaim.job_overview with (security_invoker = true) as
select job.id, job.tenant_id, job.type,
       coalesce(ended.status,
                case when held.id is not null then 'processing'
                     when later.id is not null then 'scheduled'
                     else 'pending' end) as status,
       coalesce(ended.worker_id, held.worker_id) as worker_id,
       coalesce(ended.attempts, held.attempt, later.attempts, waiting.attempts, behind.attempts,
                0)::int as attempts,
       later.run_at as next_retry_at, job.created_at, ended.completed_at, job.queue,
       job.priority::int as priority, job.max_attempts::int as max_attempts,
       date_part('epoch', job.timeout) as timeout, job.tags,
       coalesce(held.attempts_left, later.attempts_left, waiting.attempts_left,
                behind.attempts_left)::int
         as attempts_left
  from fairclaim_internal.job
  left join fairclaim_internal.finished ended
         on ended.id = job.id and ended.tenant_id = job.tenant_id
  left join fairclaim_internal.running held on held.id = job.id
  left join fairclaim_internal.scheduled later on later.id = job.id
  -- what waits stands in an own lane (group 0) or in a shared one of its queue's group; the
  -- expression of lane_group() is written out, since a reader of the view may not call it
  left join lateral (
    select ready.attempts, ready.attempts_left
      from fairclaim_internal.ready
     where ready.tenant_id = job.tenant_id and ready.id = job.id
       and (ready.lane_id >> 32)
           = any (array[0, -1 - (hashtextextended(job.queue, 0) & 1073741823)])
       and ended.id is null and held.id is null and later.id is null
     limit 1) waiting on true
  left join fairclaim_internal.held behind on job.key is not null and behind.id = job.id;

comment on view fairclaim.job_overview is
'Every job with its status, without payload, result and error texts. Row security decides which rows a role sees.';

-- access/leftovers.sql
-- Drops functions of earlier versions, or with other arguments, that this script has not made
-- again: a call by name could mean one of them, and their bodies know tables as they were.
-- Everything that the script makes bears the number of its transaction.
do $leftovers$
declare
  v_function regprocedure;
begin
  for v_function in
    select pg_proc.oid from pg_catalog.pg_proc
     where pg_proc.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
       and pg_proc.proowner = current_user::text::regrole
       and pg_proc.xmin <> pg_catalog.pg_current_xact_id()::xid
  loop
    execute pg_catalog.format('drop function %s', v_function);
  end loop;
end
$leftovers$;

-- access/policies.sql
-- Row security on and forced on every table, the owner's policy, and one policy for each role that
-- reads rows. It may be run again.
select fairclaim_internal.secure_table(listed.name)
  from unnest(array[
    'migration', 'job', 'finished', 'attempt_error', 'id_range', 'ready', 'running', 'scheduled',
    'cancel_request', 'lane', 'floor_hint', 'renewal', 'bound', 'tenant_weight', 'weight_note',
    'running_limit', 'waiting_limit', 'audit', 'limit_note', 'claim_lock', 'at_limit', 'rate_use',
    'queue', 'login_tenant', 'setting', 'tick_lock', 'tick_state', 'tick_fault',
    'dispatch_progress', 'prune_place', 'prune_fault', 'suspect', 'tenant_name', 'tenant_note',
    'build', 'stat', 'tail', 'seen_running', 'waiting_count', 'delayed_job', 'quota_place',
    'tenant_retention', 'worker', 'time_report', 'tenant_time', 'queue_time', 'held', 'key_slot',
    'key_note', 'key_lock', 'key_limit']) listed(name);

do $policies$
declare
  v_table text;
begin
  foreach v_table in array array[
    'job', 'finished', 'attempt_error', 'ready', 'running', 'scheduled', 'cancel_request',
    'held']
  loop
    if not exists (
         select from pg_catalog.pg_policy
          where pg_policy.polrelid = ('fairclaim_internal.' || v_table)::regclass
            and pg_policy.polname = 'tenant_read') then
      execute format(
        'create policy tenant_read on fairclaim_internal.%I for select to fairclaim_tenant
           using (tenant_id = (select fairclaim.current_tenant_id()))', v_table);
      execute format(
        'create policy operator_read on fairclaim_internal.%I for select
           to fairclaim_operator, fairclaim_auditor using (true)', v_table);
    end if;
  end loop;
  if not exists (
       select from pg_catalog.pg_policy
        where pg_policy.polrelid = 'fairclaim_internal.lane'::regclass
          and pg_policy.polname = 'tenant_read') then
    -- of the shared lanes those in which the tenant has a job: the names of the others are the
    -- affair of other tenants
    create policy tenant_read on fairclaim_internal.lane for select to fairclaim_tenant
      using (tenant_id = (select fairclaim.current_tenant_id())
             or tenant_id is null and exists (
                  select from fairclaim_internal.ready
                   where ready.tenant_id = (select fairclaim.current_tenant_id())
                     and ready.lane_id = lane.lane_id));
    create policy operator_read on fairclaim_internal.lane for select
      to fairclaim_operator, fairclaim_auditor using (true);
  end if;
end
$policies$;

-- access/grants.sql
-- Who may read what. Who may call which function stands with the function; only the protocol's
-- functions may be called, and only the owner may look into the schema fairclaim_internal: the
-- views are the way to its tables.
revoke all on all functions in schema fairclaim, fairclaim_internal from public;
revoke all on schema fairclaim, fairclaim_internal from public;
-- hosts grant new functions to their web roles directly, and a revoke from public does not undo
-- that
do $web$
declare
  v_role name;
begin
  for v_role in
    select pg_roles.rolname from pg_catalog.pg_roles
     where pg_roles.rolname in ('anon', 'authenticated', 'service_role')
  loop
    execute format(
      'revoke all on all functions in schema fairclaim, fairclaim_internal from %I', v_role);
    execute format(
      'revoke all on all tables in schema fairclaim, fairclaim_internal from %I', v_role);
    execute format('revoke all on schema fairclaim, fairclaim_internal from %I', v_role);
  end loop;
end
$web$;
grant usage on schema fairclaim
  to fairclaim_worker, fairclaim_producer, fairclaim_tenant, fairclaim_operator, fairclaim_auditor,
     fairclaim_observer;

-- tenants: their own rows, and no lease; not ready.seq, which counts the jobs of all tenants
grant select on fairclaim_internal.job, fairclaim_internal.finished,
  fairclaim_internal.attempt_error, fairclaim_internal.scheduled, fairclaim_internal.cancel_request
  to fairclaim_tenant;
grant select (lane_id, id, tenant_id, attempts, attempts_left, lost) on fairclaim_internal.ready
  to fairclaim_tenant;
grant select (id, tenant_id, attempts, attempts_left, lost) on fairclaim_internal.held
  to fairclaim_tenant, fairclaim_operator, fairclaim_auditor;
grant select (lane_id, tenant_id, queue, type, turn) on fairclaim_internal.lane
  to fairclaim_tenant;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_tenant;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_tenant;

-- operators: everything but payloads, results and error texts
grant select (id, tenant_id, queue, type, priority, max_attempts, timeout, run_at, created_at, tags,
              key, keep_order)
  on fairclaim_internal.job to fairclaim_operator;
grant select (id, tenant_id, completed_at, attempts, status, worker_id)
  on fairclaim_internal.finished to fairclaim_operator;
grant select (id, tenant_id, attempt, at, worker_id) on fairclaim_internal.attempt_error
  to fairclaim_operator;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_operator;
grant select on fairclaim_internal.ready, fairclaim_internal.scheduled,
  fairclaim_internal.cancel_request, fairclaim_internal.lane to fairclaim_operator;
grant select on fairclaim.job_overview to fairclaim_operator;

-- auditors: payloads too
grant select on fairclaim_internal.job, fairclaim_internal.finished,
  fairclaim_internal.attempt_error, fairclaim_internal.ready, fairclaim_internal.scheduled,
  fairclaim_internal.cancel_request, fairclaim_internal.lane to fairclaim_auditor;
grant select (id, tenant_id, attempt, attempts_left, lost, worker_id, lease_expires_at)
  on fairclaim_internal.running to fairclaim_auditor;
grant select on fairclaim.job_queue, fairclaim.job_overview to fairclaim_auditor;

-- the first ranges, and how far they reach, so that no dispatch need look it up before the first
-- tick
select fairclaim_internal.make_ranges(fairclaim.clock() + 3 * fairclaim_internal.range_width())
 where not exists (select from fairclaim_internal.id_range);
select fairclaim_internal.note_ranges(fairclaim.clock());

-- what this build installs, for the doctor
insert into fairclaim_internal.build (contents) values ($build${
"migrations": [{"checksum":"256972e20bbc5d4f07f94b36ca109f9f483a1c60878d48df962c7dbd51e206d6","name":"tables","version":1}],
"functions": {
"activate_limits": {"digest":"f76c1e2df30ab054145e767468056694b97eadb51559487527bcd95dd233909e","roles":[]},
"admit_keys": {"digest":"e4cc3d409403197f381c6712d3e3eb5280ce47f87d9432a0a51fbc2a5d3827e4","roles":[]},
"admit_some": {"digest":"78e5b47cf667d64fa86f5091b1e7ccde6c7544ce40e4551b6d26bc3a5be70fcc","roles":[]},
"apply_limits": {"digest":"abff971218aebcb738d7ca852496b80e3bf31bdd5b62558c55ec1e4834839572","roles":[]},
"apply_weights": {"digest":"49cef70c413328d0b0dc0bb7825a597e21619038bddfa1d7c28a5c2212b3bbe5","roles":[]},
"bound_range": {"digest":"4c600c0c6a6f84d909f7084078cca7f6efd825a1ed869a2335e6001ca2ad8738","roles":[]},
"caller": {"digest":"42eeb53264e9d044ce66966098a6e9e2c9b03fa9f20439a1bb951fbb14350410","roles":[]},
"caller_is": {"digest":"2e97d286d38189480f17b9f5d001696b6cdd7ef47db710791b24abc4a553e279","roles":[]},
"cancel_jobs": {"digest":"c97e650cdb45ede699d0cc7666cea343e8cf36df5c298a4d2f710c0b80e89e52","roles":["fairclaim_producer","fairclaim_operator"]},
"cancel_waiting": {"digest":"4b6372bace541e0443701dc8e305d459cc4655e6260bbc45362cd84ab9046b3e","roles":["fairclaim_operator"]},
"cancelled_jobs": {"digest":"7dca37c8f31f777032e9cdc4a2cfb4380fc9d698ff070da1afce3cd8f3eb51fd","roles":[]},
"charge_rates": {"digest":"a0eea6a82f99f465f9fd31e38d83571be8c2692bb40c0261d853b9d3b1dd746b","roles":[]},
"check_batch": {"digest":"9c28d55c5109f53e9d41ee0580c4cedfcd3c86484422c23ffb2035af11a7e207","roles":[]},
"check_batch_quotas": {"digest":"07f3dfa6acccad6752c64b943175b3bac57292f45cb518a5b3eecd46bb44c1de","roles":[]},
"check_bound": {"digest":"b44f26aa2864c0493d3bb0921da9bf3db7deb4610a8ea34f55cb937fc45d0184","roles":[]},
"check_claim": {"digest":"6a015e94f890963a6bc88cc79adbece2f155592a49b0689deffa98dd2fa21653","roles":[]},
"check_cursor": {"digest":"e2daad2475642f1fd8af35bac21b72d2eb0d3336095184b056e5eb31524a3c82","roles":[]},
"check_declared": {"digest":"90e9b6514b7d88ed1566a900d7fc5d466a4d7b5162dbf6f8619f38e7814f4447","roles":[]},
"check_filter": {"digest":"b0cafa3ccc264a97a074e818c3dba1c564f29b3b7f7640b13184372043721936","roles":[]},
"check_lanes": {"digest":"6d4aefb68fe5714e6f1ba33ca7554765f7bd3e73603058e7893fdb5342232bdc","roles":[]},
"check_queue": {"digest":"4bc4d4954974434416cb42ed9ab16b9974fa590da0bad322fa201d49d94a1dd6","roles":[]},
"check_quotas": {"digest":"cf74c61c406ad175c50f4681ce9f39572a5f1c349cde7ab587ff8b464b41370b","roles":[]},
"check_report": {"digest":"7fff549ecede0a96eff1976ceeb68be990e9373aa7a523198e0303473a5c03bc","roles":[]},
"check_scope": {"digest":"f8b221e087898ee6ab91c894b89825be9913607c9e9499043251b919451e6389","roles":[]},
"check_setting": {"digest":"2abd2cc40ea6f6e15cd8a3aa43267bb120b22b55037737d4cdf25506e7141814","roles":[]},
"check_settle": {"digest":"8c96b4a304d022ce829f9b315a91ccb1023d7fbe67b5edef7899e049bbfd3dc8","roles":[]},
"check_stats": {"digest":"dfe76635b00bf987039148a1a711bca3a8a29e3c3a91bb07c86203cda7b15ea4","roles":[]},
"check_tenant": {"digest":"32aceaa420cf7606f0da8eb153ca849ceab37e41331ee1dd9a3d273e9c19a239","roles":[]},
"check_use": {"digest":"4db8b206f63dcbdc5a863fca58afe21c7c0c323608e847f4f38fe67587568bc8","roles":[]},
"claim_from_queue": {"digest":"d4e2bacfe17916d351ab070d2ffb46b4281fbe5381e06496162bd107d92c03e6","roles":[]},
"claim_job": {"digest":"9b3cc4ce87418a996e4a2f78f8784dffce7d4f82be95c3f1171805c7b8d1ae17","roles":["fairclaim_worker"]},
"claim_jobs": {"digest":"d36ee4c69164f03c9b61bccc65bdddac85245d2c5fca143eb9f4efa49b7deaf4","roles":["fairclaim_worker"]},
"claim_one": {"digest":"c9c72bd2e446d71c4f981152b5338b438df0f71c8b6ab5d26a8ba188a29585f4","roles":[]},
"claim_own": {"digest":"37235456d4c136e1a8a9cf3439031897f4d7ad7673a0a6b5baf161d8245d8cbc","roles":[]},
"claim_rate": {"digest":"8d59fc83c44ea00ccf0a7eb5c4ea226e5c9ce838fa920234e16a2e631e330e83","roles":[]},
"clip_error": {"digest":"088e5e1ee138689a7c9d6756e698e66247e3dfef7d4dad5d3302f8f9bd3f93fb","roles":[]},
"clock": {"digest":"4141c5c9c9896b369e734e1c73d28d46288316083864c10b99d582b4b29eacdf","roles":["fairclaim_worker","fairclaim_producer","fairclaim_tenant","fairclaim_operator","fairclaim_auditor","fairclaim_observer"]},
"close_lanes": {"digest":"e6618894da540a97966409eed5032ca68ece74d7a5c7fec791dd6e1e1df553fc","roles":[]},
"count_jobs": {"digest":"5ed7dcaf8ad7bb3d2411cc3d498cef2a6073dd99f08396420daabb677c2dfaad","roles":["fairclaim_operator","fairclaim_auditor"]},
"count_one": {"digest":"33ac0d250c5b3342b87575281c6c1f850e7a8b38319f807bbb6af3ecc956dff7","roles":[]},
"count_tenant": {"digest":"06f94682bd64c28ec30aa146ca2fdf3bbfa76d24496faafca99e562b5b5e6615","roles":["fairclaim_operator","fairclaim_auditor"]},
"count_waiting": {"digest":"0fcadaa2f46819e49fbdddeae32269676c61c344e73461189ac9882eb47decfb","roles":[]},
"counted": {"digest":"9b67ae4ef60b232344c7e62be94a0edbfb69dce02ad47f85e12a923e12c347fe","roles":[]},
"current_tenant_id": {"digest":"b0171da4c9b1ecb1840f60e300711a845d99f0a9c9343316067ea19e36860957","roles":["fairclaim_tenant","fairclaim_tenant"]},
"declare_limits": {"digest":"e70ff035c0080d52f7532de84d12b79ec0702e9624860cf4c40a49b65382fdcb","roles":["fairclaim_operator"]},
"declared_sections": {"digest":"f7bfbc4ec563161c9164636266168169a285a943864b61e4e40f12df260f521e","roles":[]},
"default_limits": {"digest":"a0adc9ae0147bc6714307bcfb889cda474b0d8edb57f0546566da9e0106ed97b","roles":[]},
"default_tenant": {"digest":"a9397dac08805d004806582bf58374f7b6466cbf61a14e2ee22d92ea522178d7","roles":[]},
"delete_jobs": {"digest":"4d665a03bc49b4d72f7cdfc3e7a72505e6c34be796a4d2010321324adbd93218","roles":["fairclaim_operator"]},
"dispatch_job": {"digest":"d2580017e1930312e09fa87c293e05ccfec4cbe6e9b5d7f48b508fdc759f5671","roles":["fairclaim_producer"]},
"dispatch_jobs": {"digest":"d3931e3a98fe51ebc5ea8994b9e1d9101ada3b97b5035aad63f9e5de835a258b","roles":["fairclaim_producer"]},
"dispatch_lines": {"digest":"dbb5d9e33455771f20172cb127ce0cf66d82991f4e202d0abcf9ab0fae8f3a02","roles":["fairclaim_producer"]},
"doctor_findings": {"digest":"9d5a78d32b10a736072bc9817b2fbd29c84ceda9fce3c259710ac08992eddefb","roles":["fairclaim_operator","fairclaim_observer"]},
"doctor_topic": {"digest":"12d29ab184d6a2095a5ed0a2d52221074ec635c372ca04acaf4831440142ac02","roles":["fairclaim_operator","fairclaim_observer"]},
"doctor_transactions": {"digest":"9d28628e405b3f91e78fa8f0a822649f80836b4e17bf7a44eb8d198eccef8453","roles":["fairclaim_operator","fairclaim_observer"]},
"drain_queue": {"digest":"4fa8408470595bff2c692fe81ce30544fe47f7f059994f45ca31a2a1d1d886a6","roles":["fairclaim_operator"]},
"drain_tenant": {"digest":"23da25988fa3f0e58cfe37814e2ab3fa72dce680ef6f02fe72cb4a89e875c59e","roles":["fairclaim_operator"]},
"drop_range": {"digest":"27c0c53bf4185acef7e20c6874c5de1b143e519b1d149ef7f6ef2b5d1692c55b","roles":[]},
"drop_ranges": {"digest":"b3dde08c63c15527830a9bbab397ed731d4d9b91c5e34fdffffdd06279a3b5cc","roles":["fairclaim_worker","fairclaim_operator"]},
"drop_wishes": {"digest":"7408c62df3a4c65ee01f9edf2107caefdf70d5c45c11e95b8f085f19e8147ced","roles":[]},
"end_cancelled": {"digest":"54f734857e0ea3da9763790ec3f7e3f62d7b17ac31412c2b1d662d80f2d73aec","roles":[]},
"end_overrides": {"digest":"f327b2a6311ca8e916a345a5cb5d19fe6d9232bcc4536edafd807d8b8e6ad43e","roles":[]},
"end_waiting": {"digest":"dc69025ed1b0e5656626a5e8d9f2b093ab923c6fd6c7cfdff10f4ebe30dbef25","roles":[]},
"erase_jobs": {"digest":"23e6a3ec64da8926c7abdf2459a7913e0e97a8a2b0e371cf82e626c1703e9ef9","roles":[]},
"error_code": {"digest":"4b208366eb628c8b1d3f73a93337f3bea703f6eb440673a2e49de0b3449441a8","roles":[]},
"error_has": {"digest":"77fa77d57430d687e04bbb5fe36ff0ccfbf5a9e9602aa3c0fc7024f79af0c20d","roles":[]},
"event_triggers": {"digest":"cdb5bd3cf3f04b68e6169a543cee5911c3b5a79d81d6994ce235936310c530e9","roles":[]},
"export_tenant": {"digest":"1af4afcb88c2edad18184e796bafd60309b19addd9dfa7c7a805f9146f04d719","roles":["fairclaim_operator","fairclaim_auditor"]},
"extend_leases": {"digest":"c522db9125f868684a2dd9b74d78d09ec66e0959cabb0c4702f5e126ceab34ca","roles":["fairclaim_worker"]},
"extras_fault": {"digest":"beae015378f727eef5396d93ceb84c2db5c3e3b6ffd023addac4b8e43a6e1512","roles":[]},
"fail_suspects": {"digest":"248d277b679e5d87f4994d3b8baeabb19ac12a3d385a375414b018883950b252","roles":[]},
"fill_keys": {"digest":"d558e7b70e82a82a36ff532e839093a570d9367a9d93a5689d86f506c27e2f86","roles":[]},
"find_at_limit": {"digest":"7e9a8674cb3d70bb1347d5d7256c438470c5040700734a6d70162c13b0d4556f","roles":[]},
"find_counted": {"digest":"610f0b757506be4988ece4c69f4ad77cfb48ce0bea9df9141316b6da78f99d18","roles":[]},
"find_jobs": {"digest":"75cf4725082825329215207496c63aff0f8c0cc2d1e37dc8ad1f462729213c07","roles":[]},
"findings_of_age": {"digest":"880ed3d82b5ea0250d4a5aa597665daa4f19a98c65916f8ac489746eee45742e","roles":[]},
"findings_of_functions": {"digest":"9dc8801d24faf52a633cf1255e903f3260efa576e67b0e165a6c60d50f87e3be","roles":[]},
"findings_of_holders": {"digest":"97081ddbd16d62dc6ed3479d143b41bb1661cabc835b2db2ec867e23dd20ecdc","roles":[]},
"findings_of_leases": {"digest":"bbbbe8b098d09ce1925657e02f98327e6be19a4d06baf4a30e441015e78bca39","roles":[]},
"findings_of_limits": {"digest":"b06c76f244c32e08bed254842951dcb156f74deb60997f25a5742fdc482b0e59","roles":[]},
"findings_of_migrations": {"digest":"33fabd1064421e0bb1e9653772536bdec2aeeb73014a43e13cbfc9237338b484","roles":[]},
"findings_of_queues": {"digest":"1bfcbd65369bc709689d985c9e5988d73dcea1d7eff8b81cb38ee4f157dd8d9c","roles":[]},
"findings_of_relations": {"digest":"6b3d06b7177334624af26b73c49e63b8ca1815bdb0d13ff1948e463c3aa48a1c","roles":[]},
"findings_of_retention": {"digest":"aebc1bce0b7d0345c07178b5140fd1d2c90719b32e8a54d324f62cb0aca177ac","roles":[]},
"findings_of_roles": {"digest":"ea23178379b64c648d6ad5e3a5d44e71c3464d70d7216ec2277a9ba39ff65013","roles":[]},
"findings_of_settings": {"digest":"05be7d8c6c80cfb8e7f814f4a9ec437c422ef112e4f8b39ed809b945185f33e5","roles":[]},
"findings_of_space": {"digest":"423a715998de498dcad34d6296cdc7075d9d5ee7b98e87e775ed5276cdc37dbd","roles":[]},
"findings_of_steps": {"digest":"50d17208e9f385502891fac43ce6093f6d4c40a6088c98db28ae78294a591e71","roles":[]},
"findings_of_strays": {"digest":"bb16d410b727e5eee41784f57e540b2326d60ca6a922232ce134ceb7a4cedbf1","roles":[]},
"findings_of_suspects": {"digest":"92883a0f67a4550797147497c5b18a3210d30dafa888216319d9a1f2bb1f048c","roles":[]},
"findings_of_ticks": {"digest":"bb42db938fe2fb61323cf47db83ef6a188d9f10c2b627ab0d0f069234efbb45d","roles":[]},
"findings_of_waiting": {"digest":"71c5ea7291459747ee4e6cb20c0909d533c39d4c2ccc93e18d13330c342eefa5","roles":[]},
"first_job": {"digest":"113a603a88aa55d94e9fd61c227e7820826d1bbc1d9ad84a85a0c3690ff967c3","roles":[]},
"flows": {"digest":"1d11741d316a24eb5bec9c7851868a7575fd11acc95e0f6d32544d4096c0ae1c","roles":[]},
"fold_names": {"digest":"bf1b0c548fa5707bdb91660d0d044d62479af726c5ad32ef6890989660a72527","roles":[]},
"fold_times": {"digest":"e4f43dcf4743e34bf3d256d0a44a456cc920ed4e701011dc19d3912b60477b97","roles":[]},
"force_bounds": {"digest":"9135d4736e4435175987fb79a8056b340830d097cf7af99c5ab672f45b3ff563","roles":[]},
"force_running": {"digest":"ddf94c98bce6b196bacc64a66d0d385b318b188ad80d998de60c8b680eca30a4","roles":[]},
"force_waiting": {"digest":"1380ae53203e15c87fd86525c171a28f1268a71f22c8db239f271954113ee501","roles":[]},
"force_weights": {"digest":"5c5f670d9d60b697e35815f5cbe10ab5240e2c9f5a126a7b6d5b5d74de19fee6","roles":[]},
"forget_tenant": {"digest":"b5345f42d180a0efcfb3eacc30a888e322aa5d20210a515f7ce36e6a2f242dba","roles":[]},
"forget_times": {"digest":"b094210556569133a85d665c2132668bf1eec0ab96dd2e4cc0fe06f8b87190e1","roles":[]},
"forget_workers": {"digest":"9c32336b968a6346723b6666f664a475837b3a5b4f6e5e88c4f94b35c78cb971","roles":[]},
"free_passed": {"digest":"43f291d716f1a5c4c916a020a36b13457620bc74fc983eb8c2a0ad2eb629f3b2","roles":[]},
"get_jobs": {"digest":"9b084e59264da3ca436eac2c3ababfe47148764724ac3c1c418936cd53b049d2","roles":["fairclaim_producer"]},
"has_room": {"digest":"021eff51b8223aec8700fad287e024195b132d0d3692d2041593ef1bfb186ac2","roles":[]},
"hint_passed": {"digest":"76263e19628689f53566de7b075befe753a31377dd9a05dd268b9013f4a5eff4","roles":[]},
"hold_jobs": {"digest":"50e4b8a7cc7ba68ae934bf16217100b338431a48b335a9929487e1aaa669f52b","roles":[]},
"hold_rows": {"digest":"78ca0cdf5372232c4506c9d2d0beec34c87f5a57f637c4fa9dc55fbcd616f78e","roles":[]},
"hop_turns": {"digest":"a4c0142405fbe88974666bcedf076ab0cdf5c9761a93d5ed67ab3172bb57cacd","roles":[]},
"id_at": {"digest":"10baa8453aadbfe1f1dff476ab08c981bcf3ba9bba3aace7cc18979ba326bedf","roles":[]},
"id_prefix": {"digest":"1f161038d88700f7fc974c95e87613f422ad66c9f277233e426809d3e0d17f27","roles":[]},
"in_force": {"digest":"65a08359bd4b5973cb95742fbe0e2f6c80dec8072153b0391cdcff61e1f0800c","roles":[]},
"into_lane": {"digest":"181aa076554a7aca5b29c898bae1f8d9faaf5ed489ffa6d93c4905823ca16531","roles":[]},
"into_lanes": {"digest":"fca34a3362d0767601ecb2083f2d3d72eb9e70b283c5548463cb772287a8c0aa","roles":[]},
"is_counting": {"digest":"9e4464d0957b7bf1714ae0cc4811259ca0c8e1b07cb1f67953dd2fae8aeb0982","roles":[]},
"is_cursor_entry": {"digest":"2b6f87df78450e5b161d4e7458f21ba2d1ef4938f3dd3522a95a33065170d103","roles":[]},
"is_handled": {"digest":"76eaa4d790c0b10a930c5e3fd7a4bbd50e4efa5416b9d6167482c5db77c46d72","roles":[]},
"is_held_long": {"digest":"321df77ae5bbe2fc5e90341594a59b732ef0c29a24ca0f6ed9c806944870a7fd","roles":[]},
"is_known_tenant": {"digest":"0688d97b3351aec946328b89822081f49417f212e78d48ebcc9cabb628a0c842","roles":[]},
"is_name": {"digest":"3a5adf1fa0648d751468bc6aef27dca284cb5ad36ff6b5a5c5165631aefb5946","roles":[]},
"is_prune_due": {"digest":"b8d0b08b2d2fd0989869f562ecce954609d10ef6b1d24ca7756ac543ad7d1334","roles":[]},
"is_quiet": {"digest":"bbf20e45c7735304516fcca713cdd84ece870ec06a72165e862e1570899181b8","roles":[]},
"is_suspect_waiting": {"digest":"7226b29e59a7b431b4906d0e776582070300cbffb3159feaccd5e0b3579c9bfb","roles":[]},
"is_tenant_name": {"digest":"5416dc78d899e8a14ea181661442429b825ebeb7bbff1b358c6c22b988b48127","roles":[]},
"is_time": {"digest":"1169297cf08f72e120d066ec36251df103131e108e8aee775789298374478c78","roles":[]},
"is_wanted": {"digest":"f55d9cea41b53d6d1d99b6f9d66097e62dd1196901c889dda406087d60e1cd5b","roles":[]},
"job_ended": {"digest":"d761532abb07edb9669120cd3f655b91bcc8614a856a510ff84a8f4e23dc09f2","roles":[]},
"jobs_ahead": {"digest":"80549d9719b369d188b14b1bb67905556b2feecc3f2d879b21eedd97445169cb","roles":[]},
"json_fault": {"digest":"e114008019a9bd1b0fc2db1b95b6a87be8cb99bb51d52b03c297e17fe27ff252","roles":[]},
"keep_state": {"digest":"cca34f2eb8244e0feae4971435c442110f276793ae373cd03188befd8d4fc117","roles":[]},
"key_lock_of": {"digest":"bcf70ac5d7dd53a5115faf0b6f6b255cdcbc3e1dfd1b9a55f8e486803210c025","roles":[]},
"known_settings": {"digest":"11b8f0297362b0f89cbfa8b8d94cf034ff1a07a52a701e5cc2b2040f691914f5","roles":[]},
"lane_group": {"digest":"e414de76b6da3cc864c8ea00c31a43526635d6cab96efca24e3c59876e1893fa","roles":[]},
"leave_hints": {"digest":"10c08f4af4cb82d22c13e5e0ace706906fb4ea833cb5ec1477e071d6579b91c2","roles":[]},
"leave_room": {"digest":"6d22182da5fe25d615fef19ba7008582a2b4543f5c1453bc26901ca45a8ad828","roles":[]},
"limits_in_force": {"digest":"1bb55c5b45e4f1dbec492b474f728cb58f8db40df9a26e1e0a837b908c3ab627","roles":[]},
"limits_of": {"digest":"2a170dd1d9075513f5a07034e8f685e98f72dce91494d70bf2bef01be278d76a","roles":[]},
"list_audit": {"digest":"7e538b09afce8a788624134834c2646c4c9e3408911ce0711e864d5bedd9d657","roles":["fairclaim_operator"]},
"list_jobs": {"digest":"ea818cb471eb96916f7ceb0a40795c9abe6850f316d3162365433452b25d9a27","roles":["fairclaim_operator","fairclaim_auditor"]},
"list_queues": {"digest":"2def2c4c71a085f627735e66391870309827013a70fa734c67692b354c943aa9","roles":["fairclaim_operator"]},
"list_settings": {"digest":"41cf915013a62c1305113392191794fa967a1172b64c76f1aedab781c9ba9a59","roles":["fairclaim_operator","fairclaim_observer"]},
"list_workers": {"digest":"410b166cff768e97c6247fe7b17d9770ca8814ca809f754180fe9d206c8b8ef2","roles":["fairclaim_operator","fairclaim_observer"]},
"lock_bounds": {"digest":"84a763b9d34892988e714861335840d6c7673f124f8e183f93b2db9cf5dcd196","roles":[]},
"lock_slot": {"digest":"121eb60145c73746cb85f9020eaa82c4a4db6b7a709774981053f278398a1703","roles":[]},
"longest_waits": {"digest":"15444e28b1e304f44eb37130a537b8107b5c87cf604eef74a22f0cbf8c554961","roles":[]},
"make_range": {"digest":"c36bdc4d8846facb4b28d473776b33853becfbb684f3153908335b83aa597b36","roles":[]},
"make_ranges": {"digest":"7830ea23c0c1e3840e713955d4b86003e98b80f43b5e747bca2828465fc93aa4","roles":[]},
"mark_holders": {"digest":"43697d50b0af5d48351097ee157c50c526b392088ab799d0d6aa61a4ac0abf65","roles":[]},
"matching_jobs": {"digest":"b8173ae5e76f8c86969b7754f5d99429e638e4cbb51dc13c4f86bc173eaf60dd","roles":[]},
"millis": {"digest":"0f4a0b4fffaf847ee01ae8876afb133942d4ad2b89291b965ea542b8c577c75a","roles":[]},
"move_floors": {"digest":"bb2e5f286ac25470876cf3ad3e5031e6abc29a6b7c55456421b41c6d11c4dbca","roles":[]},
"move_limited": {"digest":"f792c8ca59cc5ee78ad6e60e4980fbb58cb2160f91c9ca8221b0a65ea8dbd6a5","roles":[]},
"move_waiting": {"digest":"65fc10fff3e32d877d6f77e6adc10703c23bde563c7151d75cbbf461dbb09446","roles":["fairclaim_operator"]},
"named_tenant": {"digest":"05022ad604f767b809d78cfc7cf746f186dfc3cbd594ac72fba2166d9423d299","roles":[]},
"named_tenants": {"digest":"42e7a9f72632aa11ce3ffbf8bf2b3e407400b694fbfc7c4891c4f248475e39c7","roles":[]},
"newest_state": {"digest":"17b8ddca9f6dbd6c4ecdf413d1102659c57ad99b5ff893c6b00fee6e42a3b616","roles":[]},
"next_due": {"digest":"b594db740530749a51e985a8337c58367f44f4ca23ee62bd3b3ef7849bc5eff1","roles":["fairclaim_worker"]},
"next_look": {"digest":"86a4df5123222ef8a1018916b75f258a2e9ebb3f622d36b0d572f1a63ffc5cbe","roles":[]},
"next_queue": {"digest":"95a638a35db1e4bef60d96244a5b97abfbb68a2e369dab7b81b67dac04d81018","roles":[]},
"next_turns": {"digest":"4ec89f4263e47d874839b22d4df9d484ec3d702bdf6534942fcdbafa2d84a6ac","roles":[]},
"next_turns_by_type": {"digest":"b3edf276f8456d71a538e89ecfe8893b38ba2ee18d5d5619d6bf9d48cafb85f9","roles":[]},
"note_audit": {"digest":"04719c623e7e3a9a64b1ceedbfcb5002d8e2a40fd7111e55ec056f08fcf372d6","roles":[]},
"note_below": {"digest":"99aa3da183ab393b79258eea5a78481e5ab3a71a3f80125203fa97d0df820b01","roles":[]},
"note_delayed": {"digest":"a75ffe6e401a5d3c8cf6c1f53c00ed5dce1a2c050c34bda797b432b2ac883fd2","roles":[]},
"note_fault": {"digest":"f19fe328b1e1f5aa03a86d904544500c8d60bea253e06d624d075b2997371161","roles":[]},
"note_flows": {"digest":"95e952f02f08ffdc39ac6286710cdb93b61f5616a7eebaba834e9a66e29d980c","roles":[]},
"note_freed": {"digest":"fc0417deec82aeec90a9c238c5b6b209a0c0972a9dbc302ecb2247e859a6d576","roles":[]},
"note_idle": {"digest":"868dc1dd1e54557c46dddffb6452af28e581d1d937c22914087000b7fabf04b0","roles":[]},
"note_limits": {"digest":"f7c0295c662211f79b9e969b04b9ae9f9941f7c57b5fdb1d512081100dc4aeb8","roles":[]},
"note_look": {"digest":"7fa688a44297a1389844a212113c5f80d4098d3dd7643eaccb192ae213fe2ae4","roles":[]},
"note_operation": {"digest":"4faa4ebe9f88fe6be9003a1b37f017bde0f1ac6303c0803b40b3f6554b8754cc","roles":[]},
"note_prune_fault": {"digest":"47a1d88cdbb544cd5ea5df177750e6df1cde17747fa862799e232025c57b1774","roles":[]},
"note_ranges": {"digest":"44766fcad4c6bbdb1cf95e87d11ad2c2df4970684c9b7f30bc511962f9ff5da3","roles":[]},
"note_rates": {"digest":"ff126e05be323a416e8cb15809ac798651120c2058cba324f6688539484c149f","roles":[]},
"note_tenants": {"digest":"64ecc0cbe71b23607f8c9ee2423e90160bf59c1dc0a7823802ae35fc6373f78b","roles":[]},
"note_waiting": {"digest":"24f40f4d7a322aadaf369ed2917c7075a55f4895a16008acc672f6f2850bd7c8","roles":[]},
"note_watched": {"digest":"1e1291f165f6faf8efd6453f511d696f754c8c34516ae9d1885eca8ab9eb7fa6","roles":[]},
"open_queues": {"digest":"7bc7079fa8c26303b424e6b00072e06fdaa36af9020a7b43fec464605e3c9015","roles":[]},
"our_role": {"digest":"79a2878026dcb51824a9407274468cf63c2bafd55f578de8ff97a365c74f32a8","roles":[]},
"pause_queue": {"digest":"ef6e87eff527aec687efca1ff91d386691986899fe7b1ace8d590209d0e422e0","roles":["fairclaim_operator"]},
"pause_tenant": {"digest":"bb432c108b35329ae69bd5dfbfbff61a89ebf90456b1b48b00e2cafaa026617d","roles":["fairclaim_operator"]},
"place_in_range": {"digest":"3fea2ecfc5d77bc34bec1822157ce74a128a8e0eac535d94adc8532a2e1f783b","roles":[]},
"promote_due": {"digest":"9ec52325190d69d5f6c3ce7c878b5e6354582d3a30a6039d728f64c9031c7721","roles":[]},
"prune": {"digest":"6b824f678f5e0f2d171928b5045a47f29d53a83236d8ac60ccde6fab444cd68e","roles":["fairclaim_worker","fairclaim_operator"]},
"prune_before": {"digest":"608daece08092d648fac1c0557a08cee8c5160c6eaefc6dae60cf967f4373c6a","roles":[]},
"prune_piece": {"digest":"577742d29519d7d3ba206d4442fa7ca2c496872068efdc28b2a124734cac8d48","roles":[]},
"prune_round": {"digest":"b3f628445cd23db443540a2b19eb864e54edb47a519ec44b687f2c4d0a881849","roles":[]},
"prune_step": {"digest":"10c089e4c4934dc760865a657b66632bbe4d9b6ae92f637a657d6882c0027340","roles":[]},
"prune_tenant": {"digest":"7e46e95399820cf3cc189f0f6b75398c0d8e6bfb49d7711dd0dacc25b2f123af","roles":[]},
"prune_walk": {"digest":"577a1f92213c44adc59a4c3ab8b691bdb307c18eee7e07be76a6df905ff1c687","roles":[]},
"purge_tenant": {"digest":"4065acc8a4e627fe617452496c6f0b6b4905128c2fa2e671c27e52044b5e2b38","roles":["fairclaim_operator"]},
"put_bound": {"digest":"19d9f380404ac6ddfac20dc249699f0f8ff5c1757de465b2959b5354afa9049c","roles":[]},
"quanta": {"digest":"b3502a430217cb62dadb167d83e2ff3e824be98b5347c3ba4ee94241c4df46be","roles":[]},
"quantile": {"digest":"e90181e955788152ebdc97e6cf2c6e78b6f3486590f9bb11dd086256070497b0","roles":[]},
"queue_in_use": {"digest":"30a360e35d576eff8d015921ba85e7438b0100192eac6b4e0eeb11139a5e7063","roles":[]},
"queue_mean": {"digest":"241a791792a72eb3cb117b8f982d7921410e8155ee259ecd793adb8f073c9057","roles":[]},
"queue_stats": {"digest":"246b60d55450586764d57631627e57128ec4593842f9f1fe937e5847c242753d","roles":["fairclaim_operator","fairclaim_observer"]},
"quiet_until": {"digest":"b27cfce9f4b046d930076fcdbe30b82a25eef48748547ef2d12e9be576dbc13f","roles":[]},
"quotas_of": {"digest":"47fe6c3ec279fb4422b2231b5b25593cf511d173079e2cfd406f89bdeb08127e","roles":[]},
"range_block": {"digest":"4e3fbd510400f4f2d3b7722d3126d5af2c37f7952fc7a940882aa28269fe2173","roles":[]},
"range_name": {"digest":"d28c8750c71c406d73ca466779e784581f6feffd47a1645779fc4c907a9e4349","roles":[]},
"range_waits": {"digest":"858b527a18e4ef7e6d0a900bc04534b2acc52a1359e96779527cb843aa9573b5","roles":[]},
"range_width": {"digest":"5f49106ff32fb379f75fea162241c8ca60394b79ede4e37caaeb9e9684972ac7","roles":[]},
"ranges_wanted": {"digest":"9de87fc2ae8eab66830232a0a853fb4230cee54ca6052648b963b33057b9657f","roles":[]},
"rate_room": {"digest":"27ed8345b2c38008e2195945229a550621a715112972b0e631314f4665a4e5d0","roles":[]},
"rates_of": {"digest":"888a93ca7dca26357c1db6fee9bc674ec977ff60a033e548a2781cb9384055bf","roles":[]},
"read_declared": {"digest":"43ecc0cde8db565c94c74ce3a4d7c45ace33551bcd9281f8c5ca7c654b89f932","roles":[]},
"read_json": {"digest":"72ba48d1bfebada7b3b69df7fb0313d1d508305074a683594c6f8ab7e2b5d01c","roles":[]},
"read_tail": {"digest":"dae4d1f3328f66f2650cd8754fcc501dcb84debfd072281ea18e8b9fc7d1f478","roles":[]},
"read_texts": {"digest":"302a6840072cb1974265e73090cb1896778640831bb3ed5e5cf447db750ee7c2","roles":[]},
"read_times": {"digest":"7a468b2e0912731a794f961f3ff23cddc0176e1501a63299b8421d41ce7f6b61","roles":[]},
"refresh_stats": {"digest":"a016c96d5b623ed464e7da0ae9ba247ae7a85abb34267ba1a1b6debbd56e0507","roles":[]},
"refuse": {"digest":"4c68f4909e9a727d702d82df1c63477a78304ae1698c8444efd17877bcefc840","roles":[]},
"refuse_item": {"digest":"0be3263d29cbd427120359033e2ecdeb2da2552dcb06290db6a1b6d9b092f923","roles":[]},
"refuse_job": {"digest":"d47fdad1cd27ff76f361c314d0c0597ff7f808d7930034b9cdf3da405a0527b9","roles":[]},
"refuse_late": {"digest":"aa34060fc16c5012edc472886ff9c902594cc82d587ed8a39743b8a41f826f05","roles":[]},
"rehearse_drop": {"digest":"8db5b96bb3762021c8f430733469517c84a594e27b0cf3a6e0f9899059e2225c","roles":[]},
"release_claims": {"digest":"f4f33bd7ac7b0e6aa827fcbf1524ed87b5f54bf2de9eabd1e3dcc56f100dfabf","roles":["fairclaim_worker"]},
"release_jobs": {"digest":"9e872e61ac5efb0fce1390eba1839345b55a375d924391a5249072e24eaa7968","roles":["fairclaim_operator"]},
"release_worker": {"digest":"46c31d297630ddda6abffc7dad82032d91233c9d0feddc87ec4c7065f935ed63","roles":["fairclaim_operator"]},
"renew_passed": {"digest":"7e5d94eb2b270af7204a55b0fc6a14ae32f155dba54749485d7caa26ebc6386f","roles":[]},
"reopen_ended": {"digest":"750a1a9aba8afa30d3358b677a7d78d04c4da3849aeaafa5211f4acfc9731930","roles":[]},
"report_work": {"digest":"4d2078aa394a2f4048f2aa590844118ac96f1a094bdf881706671bde1b51fcb7","roles":["fairclaim_worker"]},
"resume_queue": {"digest":"a216e9065cc29ae5b9cab5746f0c87ad05530c758e48d7b501adde43ea0888c7","roles":["fairclaim_operator"]},
"resume_tenant": {"digest":"93dc4f6544a0461ad275372d7a7026f13defe1bbe0ef4b8a4b927aad56f27b39","roles":["fairclaim_operator"]},
"retry_failed": {"digest":"a8a9cbf1239a6b792be5c58d39b10822bd03ca3da1c3763d710c96bf0fe5da61","roles":["fairclaim_operator"]},
"retry_jobs": {"digest":"72783b9d99f71df54d3db9148de019c03a750178c52979c9987b98f80e22fb1f","roles":["fairclaim_producer","fairclaim_operator"]},
"return_expired": {"digest":"57c6d9b997e699707c3b4af92b37e8b45170383aef74c0cd38ce99558239df75","roles":[]},
"roll_window": {"digest":"905826da7f510aaf54eebf084e7d8caa373f9a4a6362bf9f8d41773a74d2b15c","roles":[]},
"room_in_queue": {"digest":"c6122d06470461e0a53911b4adb5c1791ec3fc190aad2158d19e08b6a019fa33","roles":[]},
"room_under_limits": {"digest":"aa18adaf7a67993bc0d48e0bed2db012d53b1f5ae0117f1009f77e0e26974dd5","roles":[]},
"room_under_rates": {"digest":"06205a2dd69b7b21b4f164abac2606416ebe17444d9b76d20a3f8092ee3e1cf8","roles":[]},
"run_limited": {"digest":"576e8a123b504ea20144f29f457ed40971c913469c333b787a527ebe03734e31","roles":[]},
"run_step": {"digest":"cd3e99f489be477368e8b6ac9aad544434261bc757500e6af48bce9afa16ed88","roles":[]},
"running_mask": {"digest":"a28f64df862dc02280e794929c71eae36e88a31abacc223cde4561101d4b523f","roles":[]},
"schema_version": {"digest":"5874e7dda4f8a01e40bb4c764fb57e535edba6186ed664e93cbc3bff6462a8a8","roles":["fairclaim_worker","fairclaim_producer","fairclaim_tenant","fairclaim_operator","fairclaim_auditor","fairclaim_observer"]},
"seconds_in": {"digest":"1f370781f1f952f251f299c23d430d327eca67952db155835ce31736a09d7cdf","roles":[]},
"secure_table": {"digest":"4fd1871c95fea6acec7a09bfd97228c938895c94250c3d859a62f8b0b0ff8a94","roles":[]},
"service_shares": {"digest":"838782276febc6ff7cff738896ffebf6075580803dafc9e44978586916347158","roles":[]},
"set_default_limit": {"digest":"31288bbc264101b5017325ca072ac0f6447ecb969280deb1969c191f9ff9aa6b","roles":["fairclaim_operator"]},
"set_default_quota": {"digest":"3b82b626c0c1286841ad5c521b33c1a2b5e9e6cf43c90241c3b383969d642104","roles":["fairclaim_operator"]},
"set_key_limit": {"digest":"3af6441c4e96045b41deb0ad5d813b8a49e41d2e72baaaff583956b14e6ba51a","roles":["fairclaim_operator"]},
"set_limit": {"digest":"dfda6ccf72fde92746f0233f574d0967adb95f64cb2c0dd78f2f20bf20ec03f4","roles":["fairclaim_operator"]},
"set_queue_fair_by": {"digest":"d8b4c232a0edf7144a3aef338e259482f8367d90ea362281ac447764017a98e6","roles":["fairclaim_operator"]},
"set_queue_limit": {"digest":"991aa6e0b049df66114fc19f63e0e3d7831a03f95a334e2138a513eec917d2a1","roles":["fairclaim_operator"]},
"set_quota": {"digest":"dca37b07f2d991e44236f987cc3866d35b51c4fa8069deedf17e92be2d5428d9","roles":["fairclaim_operator"]},
"set_retention": {"digest":"260942054f16fd2170c43fb51037b59481a73aed73476cde7ca4d98715ef6a9b","roles":["fairclaim_operator"]},
"set_setting": {"digest":"8c5c96cf18c94e33e7842b505b992e0b86afc561d6482e9eb135f41d8310c966","roles":["fairclaim_operator"]},
"set_weight": {"digest":"236545cd223e86074afdd813bdfb01f77e09ca2743ab0dc8c10b1e87a34214a1","roles":["fairclaim_operator"]},
"settle_and_claim": {"digest":"b4cb45e7b30aea6de475e4ac57680d446d2af77525ff20871f6255d6c35e0753","roles":["fairclaim_worker"]},
"settle_jobs": {"digest":"66feb11c4574d7dcd717f01b86e8f5466f6dd064eb8d673652ee10f181c5a543","roles":["fairclaim_worker"]},
"settle_mixed": {"digest":"bc104dd6d801addf992193a0068df365c56f26b15a5684e3dc69118599f93588","roles":[]},
"show_job": {"digest":"1de32360795b828c88db372a92691b57d6aa61e116a8e9c65e7630f4005d6e88","roles":["fairclaim_operator","fairclaim_auditor"]},
"show_limits": {"digest":"2842eb0270167d0ed1f095c3a984c20e5999396cf205aa34225518166c689ee0","roles":["fairclaim_operator"]},
"show_quotas": {"digest":"042e1d9917aa1643ff8335136e54509f2a4cb87b1901de1b2da2be3362bb51db","roles":["fairclaim_operator"]},
"shown_bound": {"digest":"36b8a8b6b63d651cc775fa37f56cd34679abf74b91770b39c6a2735de8abb5b4","roles":[]},
"slots_of": {"digest":"f80e35243f24c291aa4abaed0344d02801e3e0e5bf50567e8dc68b8882ffd16f","roles":[]},
"some_of": {"digest":"c5871e453cbbcfb4ab1a8b1ca4bae37ecf3a75825b11aef833426d4d27852622","roles":[]},
"span": {"digest":"a9c5429724f9c3cb45a27633b0696c75dfbecca4cbf87683570ed69e3a0d67d0","roles":[]},
"spread_prefixes": {"digest":"a850c814c4cc81066473a441b556813ad3b815c002081d7af480881143226625","roles":[]},
"stale_kind": {"digest":"dfb9c5a2c45a00fc71bfa8e734ae78c76cec1f590903e42409ce5c61aeddeba3","roles":[]},
"stats_due": {"digest":"b3b204ecb27cc1401eb3479b0bc1b40f15728ef33a5cd395dea9c4253015cc5a","roles":[]},
"stats_page": {"digest":"6a80c3ccc8ccd70078afc4f796e242a16d47dd9c450de82441ea838e83eccac7","roles":[]},
"status_of": {"digest":"c61c116909e3f58ab927d9b96a34e18edf9fee2ecdd949e9dad20d1639122163","roles":[]},
"sweep_ready": {"digest":"c9d258789c129af92a9aa080eb09b5387fc4109b2895c2817625279e37f26fb1","roles":[]},
"take_bounded": {"digest":"3c37e01b1adae91bac91abc2bf2ee6b97ce58a71b6586b2be90173a7672bd32c","roles":[]},
"take_guard": {"digest":"2007d91c06222ace5507c14e34798dd16426a7193ac2fd31221a69af4ef92fe0","roles":[]},
"take_highest": {"digest":"7dee9f5ca014397e4f979a75d17f7b83c955fa47b8c6a260ce9f476fafaf9542","roles":[]},
"take_jobs": {"digest":"6b23362392512ecbbebcad04d572a4314b41f286d958e9a2febc41e125f04bb2","roles":[]},
"take_own": {"digest":"bd3e3be8dd7663fc0e3fc595b9463f74a4679604b46497dde0499996a300ef38","roles":[]},
"take_ranked": {"digest":"c06439c48b27fa246bd6c06a696d89bc6da957812e56103cfc0c4705b25720ea","roles":[]},
"take_shared": {"digest":"2fdf78aa0a1795a491c204ebc4c75ee67d79dc65ad39e440ae03fe6090a38567","roles":[]},
"tell": {"digest":"5ad5ff64adbe1ee249824f9c61d49af7aa8a271a64ad40f3bf387395b6287707","roles":[]},
"tell_of_keys": {"digest":"272ccae5e808a1f589617c884b3e83aa52d97cd5c246e6a9a6b2179608289b86","roles":[]},
"tell_watchers": {"digest":"a0b9b6ca613bb22a75d775ea2ed16ec8590fd960ba62721491aeaed55fbb4032","roles":[]},
"tenant_jobs": {"digest":"44c27db3442b492495e0c5f50eb2e4fc18eb3ae5740da7ff73892a54e23dccff","roles":[]},
"tenant_label": {"digest":"874e76e578ec34564971d84945b0c2b465abab931317ba3f15de6bde8aaa7e1b","roles":[]},
"tenant_names": {"digest":"8e6224410e8c0796ed2c202ca8bc7c2f2196e09f7be3fb73338ce1598b2bbd83","roles":["fairclaim_worker","fairclaim_operator"]},
"tenant_parts": {"digest":"65580c2ea5ca11323b237669b5b1d079d8e17ccbc2bb07c957ef597982f0b140","roles":[]},
"tenant_stats": {"digest":"94c3f424c6e07440f32251fac9aac1bae47c2df85a4fa37033eb635059538720","roles":["fairclaim_operator","fairclaim_observer"]},
"tenant_uuid": {"digest":"f9965135b64a84231e5f634f5297f7430f959f1c218d11f6b9c46b7edfedcee1","roles":["fairclaim_worker","fairclaim_producer","fairclaim_tenant","fairclaim_operator","fairclaim_auditor","fairclaim_observer"]},
"tick": {"digest":"b6e85c08d11932ad904876324fa5b6cab737a3406de6e60656cfd7bf264cf90c","roles":["fairclaim_worker","fairclaim_operator"]},
"ticks_at_work": {"digest":"85d45e4c2b1b65a684429265e947acd8583557422ab51ccf72e1678fee90bf92","roles":[]},
"times_wanted": {"digest":"5bba17ef2d7ab54d8ec406f6b531acd4914f4da768f253078c88ef7934dc61d9","roles":[]},
"to_ready": {"digest":"16e375206bb2d02c56b54648398002c02d3bc08316223f8ff12ce134d812dad0","roles":[]},
"told_limits": {"digest":"5a097a54da2e86ee35d3693529c0dd9c55d9d71d2e4be269cb9614d1470bb30c","roles":[]},
"too_deep": {"digest":"8aec7c2d6bf6b9caa18c5d51a9aff889b221f928c801c91d771105a09d217d05","roles":[]},
"try_step": {"digest":"55c6aa5f87f85882763c90e0894fe74fe45f54df168815b16e587cdb10c955b3","roles":[]},
"turn_worth": {"digest":"02dd17ba9a738a18b45df24041ac01e35b6dd22feb2baa307579e73637a17ed5","roles":[]},
"undrain_queue": {"digest":"49f24f4ce886664eabde2fa0f6706b3200f1a95d6067ca9b91fa3d73e0c74872","roles":["fairclaim_operator"]},
"undrain_tenant": {"digest":"2fad2efdd249b88cb0c7b8b75547c5776ab9dcc492ea9b78c8832f0754cdd842","roles":["fairclaim_operator"]},
"waiting_jobs": {"digest":"40819cf8d547feea060955321b73d645762d4c6f1b348884761b792aeba300fc","roles":[]},
"waiting_of": {"digest":"0481d98eebd6210dcc7a7c593d81dfd8ba6218e5f575ec25dd575d2e99614a60","roles":[]},
"wake": {"digest":"ffa1595814f0fbcca31e4b940d8bae894d63045daf43eff1000e9d6d1dc64697","roles":[]},
"wake_before": {"digest":"5296c4e3121b4a7df3c8f763ffeb47d9898d69fef3215f33af3ecc12a3cba72a","roles":[]},
"wake_cancel": {"digest":"7b723a8c6f0fd01f1be0a3cd677034ae9b4687d51a5887d48795de42363d329b","roles":[]},
"wake_freed": {"digest":"53e50e9a18d9ab50ce669b1f6b238f78e6c467d81d73f09795922715d3de083f","roles":[]},
"walk_lanes": {"digest":"cbccc6b58d61353615f35170eea6078a429dbffb22e35411f9a1a2a339847dc8","roles":[]},
"walk_locked": {"digest":"c95805973c4ec4a0c4b256427d1c2f5493a689734d6e34afb84178c71efd0610","roles":[]},
"weigh_by_time": {"digest":"0c8cb01151edb4179d6b75fa4cbc9846095b135013047391eee3881759834716","roles":[]},
"weigh_slice": {"digest":"7b238ad1430f2ed1e6de47d77f5ca9bd23f75b9baff530f4c8f40104ec2b2498","roles":[]},
"weight_of": {"digest":"c5ccffcf99a2591c69fbd9101bf2dac3ae71dba0aa83111ff616234f0806a65f","roles":[]},
"why_idle": {"digest":"4cf5657c34ca5ce3ced1f01e2b9ed0a70747abba5a7eee8bfd49ba4881699672","roles":["fairclaim_worker"]},
"why_waiting": {"digest":"ebb6631f3bbe4c69605903ded7d9958e20b4c7d18ed9ee49d439addf75088535","roles":["fairclaim_producer","fairclaim_operator"]},
"window_sum": {"digest":"2b4eb81fe07b7aa5389e3707c50b57c7fd2e5bd94e0ca0eecc886e0d3253d6fa","roles":[]},
"work_steps": {"digest":"41a4d59c506e9116376cb516ab04ff3ac3e1a7a9399740b83037f118fa137006","roles":[]},
"write_base": {"digest":"fdf6d68d37f258e095d9adc32ef4df10ce5d124a392b2513d21281674ba76562","roles":[]}
}
}$build$)
on conflict (one) do update set contents = excluded.contents;

select pg_catalog.current_setting('fairclaim.migrated_from') as from_version,
       (select pg_catalog.max(m.version) from fairclaim_internal.migration m) as to_version,
       pg_catalog.current_setting('fairclaim.applied') as applied;

reset role;

commit;
