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
