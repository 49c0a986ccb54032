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
