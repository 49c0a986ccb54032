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
