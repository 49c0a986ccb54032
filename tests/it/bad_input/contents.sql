-- Makes the statement that answers with a line for each table: its name, how many rows it has, a hash of what is in them.
-- Of a partitioned table the whole.
select 'select ' || string_agg(format(
         $$ %L || (select count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\n' order by t::text)), '') from %s t) $$,
         e'\n' || c.relname || ' ', c.oid::regclass), ' || ' order by c.relname)
  from pg_class c
 where c.relnamespace = any ('{fairclaim,fairclaim_internal}'::regnamespace[]) and c.relkind in ('r', 'p') and not c.relispartition
