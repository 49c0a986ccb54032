-- Writes one row, which claims read and never lock. The next tick changes the weights of lanes.
create or replace function fairclaim.set_queue_fair_by(p_queue text, p_fair_by text)
returns table (queue text, fair_by text, was_fair_by text, in_use boolean)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
begin
  if not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  elsif (p_fair_by in ('claims', 'seconds')) is not true then
    perform refuse('JQ004', 'p_fair_by', 'must be claims or seconds',
      p_detail => '{"allowed": ["claims", "seconds"]}');
  end if;
  select known.fair_by into was_fair_by from queue known where known.name = p_queue for update;
  was_fair_by := coalesce(was_fair_by, 'claims');
  insert into queue as known (name, fair_by) values (p_queue, p_fair_by)
      on conflict (name) do update set fair_by = excluded.fair_by;
  queue := p_queue;
  fair_by := p_fair_by;
  in_use := queue_in_use(p_queue);
  if fair_by <> was_fair_by then
    raise log 'fairclaim: queue % is fair by % from now on, set by %', p_queue, p_fair_by,
      session_user;
  end if;
  return next;
end
$$;

comment on function fairclaim.set_queue_fair_by(text, text) is
'Says by what tenants with a backlog share a queue, for operators: claims (at first) gives them as many jobs as their weights say, however long these run; seconds gives them as much time of handlers. For seconds, workers report what the jobs of each tenant take, and the number of jobs that a tenant gives in a turn is its weight divided by its smoothed mean: correct within seconds, and again some seconds after run times have changed. A tenant of which nothing is known yet has the mean of its queue. Run times may differ by a factor of 10,000.
In effect with the next tick. was_fair_by: what it was until now. in_use as in pause_queue. The server''s log says who did it. Errors: JQ004.';

grant execute on function fairclaim.set_queue_fair_by(text, text) to fairclaim_operator;
