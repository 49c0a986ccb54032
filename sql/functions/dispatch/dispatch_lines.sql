-- A batch of lines and the note that they are dealt with, in one transaction: whoever repeats it, after a lost connection or
-- in another process, changes nothing and learns where the source stands. Locks the row of the source and waits for whoever
-- sends the same source at this moment, for nobody else; dispatch itself locks no existing row.
create or replace function fairclaim.dispatch_lines(
  p_source text,
  p_after bigint,
  p_through bigint,
  p_jobs jsonb,
  p_refused int default 0
) returns table (accepted boolean, lines bigint, dispatched bigint, refused bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
  v_jobs bigint := case when jsonb_typeof(p_jobs) = 'array' then jsonb_array_length(p_jobs) end;
  v_row fairclaim.dispatch_progress;
begin
  if p_source is null or octet_length(p_source) not between 1 and 255 then
    perform fairclaim.refuse('JQ004', 'p_source', 'must be 1 to 255 bytes');
  elsif p_after is null or p_after < 0 then
    perform fairclaim.refuse('JQ004', 'p_after', 'must be 0 or more');
  elsif p_through is null or p_through < p_after then
    perform fairclaim.refuse('JQ004', 'p_through', 'must be at least p_after');
  elsif v_jobs is null then
    perform fairclaim.refuse('JQ004', 'p_jobs', 'must be an array of objects');
  elsif p_refused is null or p_refused < 0 then
    perform fairclaim.refuse('JQ004', 'p_refused', 'must be 0 or more');
  elsif v_jobs + p_refused > p_through - p_after then
    perform fairclaim.refuse('JQ004', 'p_jobs', 'must have, with p_refused, at most one job a line',
      'the lines are those after p_after, up to p_through');
  end if;

  if p_through = p_after then                 -- a mere question leaves no row
    select * into v_row from fairclaim.dispatch_progress d where d.login = session_user and d.source = p_source;
    return query select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0), coalesce(v_row.refused, 0);
    return;
  end if;

  if p_after = 0 then
    insert into fairclaim.dispatch_progress values (session_user, p_source, 0, 0, 0, fairclaim.clock()) on conflict do nothing;
  end if;
  select * into v_row from fairclaim.dispatch_progress d where d.login = session_user and d.source = p_source for update;
  if v_row.lines is distinct from p_after then
    return query select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0), coalesce(v_row.refused, 0);
    return;
  end if;

  if v_jobs > 0 then
    perform count(*) from fairclaim.dispatch_jobs(p_jobs);
  end if;
  return query
    update fairclaim.dispatch_progress d
       set lines = p_through, dispatched = d.dispatched + v_jobs, refused = d.refused + p_refused, updated_at = fairclaim.clock()
     where d.login = session_user and d.source = p_source
    returning true, d.lines, d.dispatched, d.refused;
end
$$;

comment on function fairclaim.dispatch_lines(text, bigint, bigint, jsonb, int) is
'Puts in what stands in the lines after p_after up to p_through of a source, once: in the same transaction the source moves on to p_through. When it does not stand at p_after, nothing is done and accepted is false.
p_source: the caller''s name for it, 1 to 255 bytes; each login has its own. p_jobs: as for dispatch_jobs, at most one a line, may be empty. p_refused: how many of the lines are left out as refused. With p_through = p_after it only answers.
Returns where the source stands now (lines), and how many of its lines were dispatched and refused so far. Waits for another call of the same source. What is remembered is deleted by prune() when it is older than the retention.
Errors: as dispatch_jobs; the source does not move then.';
