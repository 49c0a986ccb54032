-- Called for each settlement that changed nothing, and for no other. One whose answer got lost is
-- sent again, and must not look like a lost lease: it is known by the final fact, which has the
-- same attempt, worker and status. A job that ended as lost has these too, but not by that
-- settlement. A retry, snooze or release leaves no such fact: repeated, it is stale.
create or replace function fairclaim_internal.stale_kind(
  p_worker_id text,
  p_id uuid,
  p_attempt int,
  p_outcome text
) returns text
language plpgsql
as $$
begin
  return case when exists (
    select from finished
     where finished.id = p_id and finished.attempts = p_attempt and finished.worker_id = p_worker_id
       and finished.status = case p_outcome when 'complete' then 'completed'
                                            when 'fail' then 'failed'
                                            when 'cancel' then 'cancelled' end
       and finished.error ->> 'code' is distinct from 'lost') then 'already' else 'stale' end;
end
$$;

comment on function fairclaim_internal.stale_kind(text, uuid, int, text) is
'already: this very settlement was accepted before; stale: the lease was lost.';
