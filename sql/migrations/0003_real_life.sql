-- What production databases asked for.

-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a table without one.
alter table fairclaim.cancel_request add column request_id bigint generated always as identity primary key;
alter table fairclaim.renewal add column renewal_id bigint generated always as identity primary key;

-- Lanes are rare. A shared lane serves one (queue, type, priority); its number tells the queue: the upper half is the queue's group
-- (negative, a hash of its name; own lanes are of group 0), so one look by (tenant, group) counts what a tenant has in the shared
-- lanes of a queue. Jobs that were lost twice stand in shared lanes of their own, which only a claim for one job to run alone walks.
alter table fairclaim.lane drop constraint lane_check;
alter table fairclaim.lane add column alone boolean not null default false;
alter table fairclaim.lane add check (not alone or tenant_id is null);
alter table fairclaim.lane drop column opened_by;
drop index fairclaim.lane_shared, fairclaim.lane_above, fairclaim.ready_tenant;
create index lane_shared on fairclaim.lane (queue, type, priority, lane_id) where tenant_id is null and not alone;
create index lane_alone on fairclaim.lane (queue, type, lane_id) where alone;
create index lane_ranked on fairclaim.lane (queue, tenant_id) where priority > 0 or priority < 0 and tenant_id is null;
create index ready_tenant on fairclaim.ready (tenant_id, (lane_id >> 32), id);
-- The shared lanes that are there have numbers of own lanes: they give what they hold and get nothing more.
update fairclaim.lane l set drained = t.n from fairclaim.tick_state t where l.tenant_id is null and l.drained is null;
alter table fairclaim.setting
  add column max_shared_lanes int not null default 2000 check (max_shared_lanes >= 1),    -- of a queue: further types get own lanes
  add column max_own_lanes int not null default 1000 check (max_own_lanes >= 1);          -- of a tenant in a queue: refused at dispatch
-- Maintenance: ages are times, a tick that never ends is passed, and each step of a tick stands for itself.
alter table fairclaim.setting add column tick_every interval not null default '0.5 s' check (tick_every between '0' and '10 s');
-- Each tick at work holds one row of tick_lock until its transaction ends; its state goes into the row of that number.
alter table fairclaim.tick_lock add column slot smallint not null default 1, drop column one;
alter table fairclaim.tick_lock add primary key (slot);
insert into fairclaim.tick_lock select g from generate_series(2, 16) g;
alter table fairclaim.tick_state
  add column slot smallint not null default 1,
  drop column one,
  add column at timestamptz not null default '-infinity',          -- when this tick began
  add column worked_by xid8,                                       -- its transaction
  add column prev bigint not null default 0,                       -- the number of the tick before
  add column oldest bigint not null default 0,                     -- everybody first seen by an earlier tick than this has ended
  add column holder_at timestamptz[] not null default '{}',        -- when each was first seen
  add column holder_passed boolean[] not null default '{}',        -- whether the mark of shared lanes has passed it
  add column passed_slot smallint[] not null default '{}',         -- rows of tick_lock whose ticks never ended
  add column passed_from bigint[] not null default '{}',           -- the numbers of those ticks are above this
  add column passed_to bigint[] not null default '{}',             -- and below this
  add column passed_safe bigint[] not null default '{}',           -- the safe mark that they began with
  add column left_over boolean not null default false,             -- a step had more to do than one slice
  add column quiet_until timestamptz not null default '-infinity', -- until then there is nothing to do unless somebody does something
  add column mended bigint,                                        -- the tick that found ready_seq behind the mark, until all is mended
  add column mended_at timestamptz,
  add column limits bigint not null default 0,                     -- a digest of tenant_limit
  alter column slice set default -9223372036854775808,
  alter column shared_slice set default -9223372036854775808,
  alter column sweep set default -9223372036854775808;
update fairclaim.tick_state set slice = default, shared_slice = default, sweep = default;
alter table fairclaim.tick_state add primary key (slot);
alter table fairclaim.tenant_limit add column seen_at timestamptz;
create sequence fairclaim.tick_n minvalue 0 start 1 cache 1;
select setval('fairclaim.tick_n', (select max(t.n) from fairclaim.tick_state t));
create unlogged sequence fairclaim.round_at minvalue 0 start 0;    -- when a tick last looked at everything
create unlogged sequence fairclaim.guard_at minvalue 0 start 0;    -- when a tick last began to work
-- A step of tick that failed: what is known about it, and how it goes on. None for a step that works.
create table fairclaim.tick_fault (
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
-- what changed its arguments or its result
drop function if exists fairclaim.tick(), fairclaim.mark_holders(fairclaim.tick_state), fairclaim.apply_limits(bigint, bigint, bigint),
  fairclaim.promote_due(timestamptz, timestamptz), fairclaim.return_expired(timestamptz), fairclaim.end_cancelled(timestamptz),
  fairclaim.sweep_ready(fairclaim.tick_state), fairclaim.renew_passed(), fairclaim.close_lanes(fairclaim.tick_state, bigint, timestamptz),
  fairclaim.move_floors(fairclaim.tick_state, timestamptz), fairclaim.doctor_state(), fairclaim.doctor_limits();
-- ---- Retention

-- How long finished jobs are kept, within bounds for which every sum of times exists.
update fairclaim.setting set retention = least(greatest(retention, interval '1 hour'), interval '100 years');
alter table fairclaim.setting
  add constraint setting_retention_bounds check (retention >= interval '1 hour' and retention <= interval '100 years');

-- Its answer has more columns now; functions are made again after this.
drop function if exists fairclaim.prune(interval);

-- What drop_ranges() found out about a range, so that it need not read it again and again. Only drop_ranges() updates it.
alter table fairclaim.id_range
  add column last_end timestamptz,            -- a job of it ended as late as this: no look before that is past
  add column kept_at timestamptz;             -- when a job of it was last seen unfinished
-- where the ranges around the clock certainly begin, in ms; like range_end
create unlogged sequence fairclaim.range_start minvalue 0 start 0;

-- Where prune() stands: one row for the retention of the settings, one for those that operators choose. Only prune() locks and
-- updates it. A round walks `finished` by id: first what is old, then what a wrong clock has put ahead.
create table fairclaim.prune_place (
  asked boolean primary key,                  -- by an operator, with a retention of his
  retention interval,                         -- which one
  place uuid not null default '00000000-0000-0000-0000-000000000000',      -- looked at up to this id
  ahead uuid not null default '00000000-0000-0000-0000-000000000000',      -- and in ranges ahead of the clock up to this
  round_at timestamptz not null default '-infinity',                       -- when the round began
  ended boolean not null default false,       -- the round
  left_since timestamptz,                     -- the earliest end among those that were not past yet
  cost interval not null default '0',         -- the time that the round has taken
  rest_until timestamptz not null default '-infinity'                      -- nobody goes on before, unless asked
) with (fillfactor = 20);
insert into fairclaim.prune_place (asked) values (false), (true);

-- Jobs that could not be deleted. Only prune() writes it, and at most 100.
create table fairclaim.prune_fault (
  id uuid primary key,
  sqlstate text not null,
  at timestamptz not null
);
-- Idle workers sleep until somebody has something for them. Milliseconds, like the other hints in sequences.
create unlogged sequence fairclaim.asleep_until minvalue 0 start 0;    -- until when some worker waits to be woken
create unlogged sequence fairclaim.look_by minvalue 0 start 0;         -- by when everybody who ticks will have ticked again
drop sequence fairclaim.idle_at;
