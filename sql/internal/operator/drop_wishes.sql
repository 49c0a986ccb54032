create or replace function fairclaim_internal.drop_wishes(p_ids uuid[]) returns void
language plpgsql
as $$
begin
  delete from cancel_request
   where cancel_request.ctid = any (array(
     select wish.ctid from cancel_request wish
      where wish.id = any (p_ids) for update skip locked));
end
$$;

comment on function fairclaim_internal.drop_wishes(uuid[]) is
'Forgets the wishes to cancel these jobs: an older wish does not hold for new attempts.';
