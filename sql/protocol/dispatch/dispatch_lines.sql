-- Puts a batch of lines in and notes that they are dealt with, in one transaction: a caller that
-- repeats it, after a lost connection or in another process, changes nothing and learns where the
-- source stands, and by the digests whether it is the same source. It locks the row of the source
-- and waits only for another call that sends the same source at this moment; dispatch itself locks
-- no existing row.
create or replace function fairclaim.dispatch_lines(
  p_source text,
  p_after bigint,
  p_through bigint,
  p_jobs jsonb,
  p_refused int default 0,
  p_digest bytea default null,
  p_defaults bytea default null,
  p_anew boolean default false
) returns table (
  accepted boolean, lines bigint, dispatched bigint, refused bigint, digest bytea, defaults bytea
)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set jit = off
as $$
#variable_conflict use_column
declare
  v_jobs bigint := case when jsonb_typeof(p_jobs) = 'array' then jsonb_array_length(p_jobs) end;
  v_row dispatch_progress;
begin
  if p_source is null or octet_length(p_source) not between 1 and 255 then
    perform refuse('JQ004', 'p_source', 'must be 1 to 255 bytes',
      'name the source by a short text, such as the path of a file', '{"limit": 255}');
  elsif p_after is null or p_after < 0 then
    perform refuse('JQ004', 'p_after', 'must be 0 or more', p_detail => '{"minimum": 0}');
  elsif p_through is null or p_through < p_after then
    perform refuse('JQ004', 'p_through', 'must be at least p_after',
      'give the number of the last line that was read');
  elsif v_jobs is null then
    perform refuse('JQ004', 'p_jobs', 'must be an array of objects',
      'put the jobs into a JSON array, one object each');
  elsif p_refused is null or p_refused < 0 then
    perform refuse('JQ004', 'p_refused', 'must be 0 or more', p_detail => '{"minimum": 0}');
  elsif v_jobs + p_refused > p_through - p_after then
    perform refuse('JQ004', 'p_jobs', 'must have, with p_refused, at most one job a line',
      'the lines are those after p_after, up to p_through');
  elsif octet_length(p_digest) not between 1 and 64 then
    perform refuse('JQ004', 'p_digest', 'must be 1 to 64 bytes or null',
      p_detail => '{"limit": 64}');
  elsif octet_length(p_defaults) not between 1 and 64 then
    perform refuse('JQ004', 'p_defaults', 'must be 1 to 64 bytes or null',
      p_detail => '{"limit": 64}');
  elsif p_anew is null or p_anew and p_after > 0 then
    perform refuse('JQ004', 'p_anew', 'must be false unless p_after is 0',
      'begin with p_after => 0, or leave it out');
  end if;

  -- a mere question leaves no row, and waits: the one who sends may be dead already
  if p_through = p_after then
    insert into dispatch_progress (login, source, lines, dispatched, refused, updated_at)
    values (session_user, p_source, 0, 0, 0, fairclaim.clock()) on conflict do nothing;
    if found then
      delete from dispatch_progress sent
       where sent.login = session_user and sent.source = p_source;
    end if;
    select * into v_row from dispatch_progress sent
     where sent.login = session_user and sent.source = p_source for update;
    return query
    select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0),
           coalesce(v_row.refused, 0), v_row.digest, v_row.defaults;
    return;
  end if;

  if p_after = 0 then
    insert into dispatch_progress (login, source, lines, dispatched, refused, updated_at)
    values (session_user, p_source, 0, 0, 0, fairclaim.clock()) on conflict do nothing;
  end if;
  select * into v_row from dispatch_progress sent
   where sent.login = session_user and sent.source = p_source for update;
  if p_anew and v_row.dispatched = 0 then     -- nothing can go in twice
    v_row.lines := 0; v_row.refused := 0; v_row.defaults := null;
  end if;
  if v_row.lines is distinct from p_after or p_defaults <> v_row.defaults then
    return query
    select false, coalesce(v_row.lines, 0), coalesce(v_row.dispatched, 0),
           coalesce(v_row.refused, 0), v_row.digest, v_row.defaults;
    return;
  end if;

  if v_jobs > 0 then
    perform count(*) from fairclaim.dispatch_jobs(p_jobs);
  end if;
  return query
  update dispatch_progress sent
     set lines = p_through, dispatched = v_row.dispatched + v_jobs,
         refused = v_row.refused + p_refused, digest = p_digest,
         defaults = coalesce(p_defaults, v_row.defaults), updated_at = fairclaim.clock()
   where sent.login = session_user and sent.source = p_source
  returning true, sent.lines, sent.dispatched, sent.refused, sent.digest, sent.defaults;
end
$$;

comment on function fairclaim.dispatch_lines(text, bigint, bigint, jsonb, int, bytea,
    bytea, boolean) is
'Puts in what stands in the lines after p_after up to p_through of a source, once: in the same transaction the source moves on to p_through. When it does not stand at p_after, nothing is done and accepted is false.
p_source: the caller''s name for it, 1 to 255 bytes; each login has its own. p_jobs: as for dispatch_jobs, at most one a line, may be empty. p_refused: how many of the lines are left out as refused. With p_through = p_after it only answers, when no other call sends this source any more.
p_digest, p_defaults: 1 to 64 bytes each that are kept with it, so that the next caller sees whether he has the same source: a digest of the lines up to p_through, and one of what the caller fills in where a line says nothing. Other p_defaults than those it began with are not accepted. p_anew, with p_after = 0: begin it again, which is done only when none of its lines was dispatched.
Returns where the source stands now (lines), and how many of its lines were dispatched and refused so far, with its digests. Waits for another call of the same source. What is remembered is deleted by prune() when it is older than the retention.
Errors: as dispatch_jobs; the source does not move then.';

grant execute on function fairclaim.dispatch_lines(text, bigint, bigint, jsonb, int, bytea,
    bytea, boolean)
  to fairclaim_producer;
