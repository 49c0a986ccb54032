-- Takes a slice of the expired leases back, by a plain scan of a small table. Each is locked and
-- looked at again in the same statement, since it may just have been extended. A lease that is
-- being settled in an open transaction is left for the next time.
create or replace function fairclaim_internal.return_expired(
  p_now timestamptz,
  p_size int,
  p_skip uuid[]
) returns int
language plpgsql
set enable_seqscan = on
as $$
declare
  v_ids uuid[];
  v_attempts int[];
  v_tokens uuid[];
  v_n int;
begin
  select array_agg(expired.id), array_agg(expired.attempt::int), array_agg(expired.lease_token),
         count(*)
    into v_ids, v_attempts, v_tokens, v_n
    from (select running.id, running.attempt, running.lease_token from running
           where running.lease_expires_at < p_now and running.id <> all (p_skip)
           order by running.lease_expires_at, running.id
           limit p_size for update skip locked) expired;
  if v_n = 0 then
    return 0;
  end if;
  select count(*) into v_n
    from settle_mixed('(tick)', v_ids, v_attempts, v_tokens,
           array_fill('lost'::text, array[v_n]), null,
           array_fill('{"code": "lost",
             "message": "the lease expired before the attempt was settled"}'::jsonb, array[v_n]),
           null) answer
   where answer.kind = 'settled';
  return v_n;
end
$$;

comment on function fairclaim_internal.return_expired(timestamptz, int, uuid[]) is
'Takes jobs back whose lease has expired: no attempt is used up, but a third loss fails the job.';
