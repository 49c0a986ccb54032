-- What claim_jobs and its kin refuse before they look at anything.
create or replace function fairclaim.check_claim(
  p_worker_id text,
  p_queues text[],
  p_limit int,
  p_types text[],
  p_lease interval
) returns void
language plpgsql
as $$
begin
  if p_worker_id is null or length(p_worker_id) not between 1 and 255 or p_worker_id ~ '[[:cntrl:]]' then
    perform fairclaim.refuse('JQ004', 'p_worker_id', 'must have 1 to 255 printable characters');
  elsif p_limit is null or p_limit not between 1 and 1000 then
    perform fairclaim.refuse('JQ004', 'p_limit', 'must be from 1 to 1,000');
  elsif p_lease is null or p_lease < interval '1 second' or p_lease > interval '24 hours' then
    perform fairclaim.refuse('JQ004', 'p_lease', 'must be from 1 s to 24 h');
  elsif p_queues is not null and (cardinality(p_queues) not between 1 and 1000 or array_position(p_queues, null) is not null) then
    perform fairclaim.refuse('JQ004', 'p_queues', 'must be null (every queue) or a list of 1 to 1,000 names without nulls');
  elsif p_types is not null and (cardinality(p_types) not between 1 and 1000 or array_position(p_types, null) is not null) then
    perform fairclaim.refuse('JQ004', 'p_types', 'must be null (every type) or a list of 1 to 1,000 names without nulls');
  elsif current_setting('transaction_isolation') <> 'read committed' then
    perform fairclaim.refuse('JQ004', 'transaction', 'claims need isolation level read committed', 'begin isolation level read committed');
  end if;
end
$$;

comment on function fairclaim.check_claim(text, text[], int, text[], interval) is 'Refuses bad arguments of a claim (JQ004).';
