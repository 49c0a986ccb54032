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
