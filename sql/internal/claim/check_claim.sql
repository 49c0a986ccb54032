-- What claim_jobs and its kin refuse before they look at anything. Every transaction sets up again
-- each condition that it reaches, so what holds for a list is asked only where there is one.
-- Returns true, so that it can be called in an expression, which costs a claim less than a
-- statement.
create or replace function fairclaim_internal.check_claim(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[],
  p_lease float8
) returns boolean
language plpgsql
as $$
declare
  v_name text;
  v_at int := 0;
begin
  -- the second range by its numbers: which controls above ASCII the class knows depends on the
  -- locale
  if p_worker_id is null or length(p_worker_id) not between 1 and 255
     or p_worker_id ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 printable characters',
      'name the worker by a short word, such as its host and process', '{"limit": 255}');
  elsif p_limit is null or p_limit not between 1 and 1000 then
    perform refuse('JQ004', 'p_limit', 'must be from 1 to 1,000',
      'claim 1,000 at most at a time', '{"minimum": 1, "maximum": 1000}');
  elsif p_lease is null or p_lease < 1 or p_lease > 86400 then
    perform refuse('JQ004', 'p_lease', 'must be seconds from 1 to 86,400 (24 h)',
      'leave it out for 30 s; extend_leases keeps a job that runs longer',
      '{"minimum": 1, "maximum": 86400}');
  end if;
  -- loops of plain expressions: for the names that there are, cheaper than a query
  if p_queues is not null then
    if cardinality(p_queues) not between 1 and 1000 or array_ndims(p_queues) > 1
       or array_position(p_queues, null) is not null then
      perform refuse('JQ004', 'p_queues',
        'must be null (every queue) or a list of 1 to 1,000 names without nulls',
        'pass null or the names of queues', '{"limit": 1000}');
    end if;
  end if;
  if p_types is not null then
    if cardinality(p_types) not between 1 and 1000 or array_ndims(p_types) > 1
       or array_position(p_types, null) is not null then
      perform refuse('JQ004', 'p_types',
        'must be null (every type) or a list of 1 to 1,000 names without nulls',
        'pass null or the names of types', '{"limit": 1000}');
    end if;
  end if;
  if current_setting('transaction_isolation') <> 'read committed' then
    perform refuse('JQ004', 'transaction', 'claims need isolation level read committed',
      'begin isolation level read committed');
  end if;
  if p_queues is not null then
    foreach v_name in array p_queues loop
      if not is_name(v_name) then
        perform refuse('JQ004', format('p_queues[%s]', v_at),
          'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
          'use lowercase letters, digits and _ . : - with a letter or a digit first',
          '{"limit": 64}');
      end if;
      v_at := v_at + 1;
    end loop;
  end if;
  if p_types is not null then
    v_at := 0;
    foreach v_name in array p_types loop
      if not is_name(v_name, true) then
        perform refuse('JQ004', format('p_types[%s]', v_at),
          'must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters',
          'use letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
      end if;
      v_at := v_at + 1;
    end loop;
  end if;
  return true;
end
$$;

comment on function fairclaim_internal.check_claim(text, text[], int, text[], float8) is
'Refuses bad arguments of a claim (JQ004); true for good ones.';
