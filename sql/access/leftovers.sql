-- Functions of earlier versions, or with other arguments, that this script has not made again: a call by name could mean one of them, and
-- their bodies know tables as they were. Everything that the script makes bears its transaction's number.
do $leftovers$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p
     where p.pronamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and p.proowner = 'fairclaim_owner'::regrole
       and p.xmin <> pg_catalog.pg_current_xact_id()::xid
  loop
    execute pg_catalog.format('drop function %s', v_function);
  end loop;
end
$leftovers$;
