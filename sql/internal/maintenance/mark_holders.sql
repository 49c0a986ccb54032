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
