-- Safe marks, without transaction ids. FIRST the sequence, by pg_sequence_last_value: a plain read can show a value 32 too high
-- for a moment. THEN, in a new statement, who holds the lock on `ready`. A holder keeps the number of the tick that saw it first and
-- the mark of the tick before; a prepared transaction changes its name, so a new such name counts as the oldest known.
-- For shared lanes only, the mark passes holders older than three ticks; when such a one has ended, the part of each shared
-- lane where it may have left rows below the floor is noted for renewal.
create or replace function fairclaim.mark_holders(inout p_state fairclaim.tick_state, out oldest bigint)
language plpgsql
as $$
declare
  v_mark bigint;
  v_names text[];
  v_n bigint[];
  v_marks bigint[];
begin
  v_mark := coalesce(pg_sequence_last_value('fairclaim.ready_seq'), 0);
  select array_agg(g.name), array_agg(coalesce(o.n, case when g.name like '-1/%' then (select min(x) from unnest(p_state.holder_n) x) end, p_state.n)),
         array_agg(coalesce(o.m, case when g.name like '-1/%' then (select min(x) from unnest(p_state.holder_mark) x) end, p_state.mark))
    into v_names, v_n, v_marks
    from (select distinct p.virtualtransaction as name
            from pg_catalog.pg_locks p
           where p.locktype = 'relation' and p.relation = 'fairclaim.ready'::regclass and p.mode = 'RowExclusiveLock' and p.granted
             and p.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
             and p.pid is distinct from pg_backend_pid()) g
    left join unnest(p_state.holders, p_state.holder_n, p_state.holder_mark) o(name, n, m) on o.name = g.name;

  insert into fairclaim.renewal (lane_id, next_seq, end_seq)
  select l.lane_id, e.mark + 1, l.floor
    from (select min(o.m) mark
            from unnest(p_state.holders, p_state.holder_n, p_state.holder_mark) o(name, n, m)
           where o.n < p_state.n - 3 and o.name <> all (coalesce(v_names, '{}'))) e
    join fairclaim.lane l on l.tenant_id is null and l.floor > e.mark + 1;

  p_state.safe := greatest(p_state.safe, coalesce((select min(x) from unnest(v_marks) x), v_mark));
  p_state.shared_safe := greatest(p_state.shared_safe,
    coalesce((select min(u.m) from unnest(v_n, v_marks) u(n, m) where u.n >= p_state.n - 3), v_mark));
  oldest := coalesce((select min(x) from unnest(v_n) x), p_state.n + 1);   -- everybody first seen before this tick has ended
  p_state.mark := v_mark;
  p_state.holders := coalesce(v_names, '{}');
  p_state.holder_n := coalesce(v_n, '{}');
  p_state.holder_mark := coalesce(v_marks, '{}');
end
$$;

comment on function fairclaim.mark_holders(fairclaim.tick_state) is
'Reads which transactions may still commit rows into `ready`, and up to which number none can.';
