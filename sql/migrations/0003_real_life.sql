-- What production databases asked for.

-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a table without one.
alter table fairclaim.cancel_request add column request_id bigint generated always as identity primary key;
alter table fairclaim.renewal add column renewal_id bigint generated always as identity primary key;

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
