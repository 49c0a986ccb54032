-- How far each source of JSON Lines has been dispatched. One row a source, written in the transaction of its batch; only those
-- who send the same source meet on it. No column that changes is indexed, and pages keep room, so that its updates are HOT.
create table fairclaim.dispatch_progress (
  login name not null,                        -- each login has sources of its own
  source text collate "C" not null,
  lines bigint not null,                      -- these, from the first on, are dealt with: dispatched, refused or blank
  dispatched bigint not null,
  refused bigint not null,
  digest bytea,                               -- of these lines, as the caller made it: null when it makes none
  defaults bytea,                             -- of what the caller fills in where a line says nothing
  updated_at timestamptz not null,
  primary key (login, source)
) with (fillfactor = 50);
