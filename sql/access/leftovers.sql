-- Drops functions of earlier versions, or with other arguments, that this script has not made
-- again: a call by name could mean one of them, and their bodies know tables as they were.
-- Everything that the script makes bears the number of its transaction.
do $leftovers$
declare
  v_function regprocedure;
begin
  for v_function in
    select pg_proc.oid from pg_catalog.pg_proc
     where pg_proc.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[])
       and pg_proc.proowner = current_user::text::regrole
       and pg_proc.xmin <> pg_catalog.pg_current_xact_id()::xid
  loop
    execute pg_catalog.format('drop function %s', v_function);
  end loop;
end
$leftovers$;
