-- Safe marks, without transaction ids. FIRST the sequence, by pg_sequence_last_value: a plain read can show a value 32 too high
-- for a moment. THEN, in a new statement, who holds the lock on `ready`. A holder keeps the number after that of the tick before the one that
-- saw it first, that time, and the mark of the tick before; a prepared transaction changes its name, so a new such name counts as the
-- oldest known. For shared lanes only, the mark passes holders older than three seconds; when such a one has ended, what it left below the
-- floor of a shared lane is noted for renewal.
-- A sequence behind the mark was not copied with its database (logical replication, a restore by hand): it goes on from the mark, and
-- rows that got too low a number meanwhile are noted until everybody who was open then has ended.
create or replace function fairclaim_internal.mark_holders(inout p_state fairclaim_internal.tick_state)
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
  with old as materialized (
    select u.name, u.n, u.mark, least(coalesce(u.at, p_state.at), p_state.at) as at, coalesce(u.passed, true) as passed
      from unnest(v_old.holders, v_old.holder_n, v_old.holder_mark, v_old.holder_at, v_old.holder_passed) u(name, n, mark, at, passed)),
  eldest as materialized (select min(old.n) as n, min(old.mark) as mark, min(old.at) as at, bool_or(old.passed) as passed from old),
  now as (
    select g.name, coalesce(o.n, e.n, v_old.prev + 1) as n, coalesce(o.mark, e.mark, v_old.mark) as mark,
           coalesce(o.at, e.at, p_state.at) as at, coalesce(o.passed, e.passed, false) as passed
      from (select distinct p.virtualtransaction as name
              from pg_catalog.pg_locks p
             where p.relation = 'ready'::regclass and p.mode = 'RowExclusiveLock' and p.granted and p.locktype = 'relation'
               and p.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
               and p.pid is distinct from pg_backend_pid()) g
      left join old o on o.name = g.name
      left join eldest e on g.name like '-1/%')
  select coalesce(array_agg(now.name), '{}'), coalesce(array_agg(now.n), '{}'), coalesce(array_agg(now.mark), '{}'),
         coalesce(array_agg(now.at), '{}'), coalesce(array_agg(now.passed or now.at < p_state.at - interval '3 s'), '{}')
    into p_state.holders, p_state.holder_n, p_state.holder_mark, p_state.holder_at, p_state.holder_passed
    from now;

  perform note_below(e.mark, false)
     from (select min(o.mark) as mark
             from unnest(v_old.holders, v_old.holder_mark, v_old.holder_passed) o(name, mark, passed)
            where coalesce(o.passed, true) and o.name <> all (p_state.holders)) e
    where e.mark is not null;
  p_state.safe := greatest(p_state.safe, coalesce((select min(u.mark) from unnest(p_state.holder_mark) u(mark)), v_mark));
  p_state.shared_safe := greatest(p_state.shared_safe, coalesce((
    select min(u.mark) from unnest(p_state.holder_mark, p_state.holder_passed) u(mark, passed) where not u.passed), v_mark));
  p_state.oldest := coalesce((select min(u.n) from unnest(p_state.holder_n) u(n)), p_state.n + 1);
  p_state.mark := v_mark;
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
