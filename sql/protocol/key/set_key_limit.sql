-- Writes a row that claims and settlements read, and a note: by that the jobs that wait meet a
-- higher limit. A lower one takes effect as running jobs end. Locks the limit's row, which only
-- other calls for the same key wait for.
create or replace function fairclaim.set_key_limit(
  p_tenant_id uuid,
  p_key text,
  p_max_running int
) returns table (key text, max_running int, was int)
language plpgsql security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
as $$
#variable_conflict use_column
declare
  v_is_prefix boolean := right(p_key, 1) = '*';
  v_key text := case when right(p_key, 1) = '*' then left(p_key, -1) else p_key end;
begin
  p_tenant_id := coalesce(p_tenant_id, default_tenant());
  if p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'give the id of the tenant: fairclaim.tenant_uuid(name) makes one of a name');
  elsif p_key is null or octet_length(p_key) not between 1 and 255 then
    perform refuse('JQ004', 'p_key', 'must be 1 to 255 bytes',
      'give a key, or the beginning of keys with * at its end', '{"limit": 255}');
  elsif p_max_running not between 0 and 10000 then
    perform refuse('JQ004', 'p_max_running', 'must be from 0 to 10,000',
      'give a number, 0 to hold all jobs of the key, or null to take the limit away',
      '{"minimum": 0, "maximum": 10000}');
  end if;
  select known.max_running into was from key_limit known
   where known.tenant_id = p_tenant_id and known.is_prefix = v_is_prefix and known.key = v_key;
  if p_max_running is null then
    delete from key_limit known
     where known.tenant_id = p_tenant_id and known.is_prefix = v_is_prefix and known.key = v_key;
  else
    if v_is_prefix and was is null
       and (select count(*) from key_limit known
             where known.tenant_id = p_tenant_id and known.is_prefix) >= 1000 then
      perform refuse('JQ004', 'p_key', 'a tenant may have limits of 1,000 prefixes',
        'take away those that are not needed', '{"limit": 1000}');
    end if;
    insert into key_limit as known (tenant_id, is_prefix, key, max_running)
    values (p_tenant_id, v_is_prefix, v_key, p_max_running)
        on conflict (tenant_id, is_prefix, key) do update
       set max_running = excluded.max_running;
  end if;
  lock table ready in row exclusive mode;
  insert into key_note (tenant_id, key, floor, is_prefix)
  values (p_tenant_id, v_key, -1, v_is_prefix);
  perform tell_of_keys(millis(fairclaim.clock()));
  perform tell('');
  raise log 'fairclaim: a limit of keys set to % by %',
    coalesce(p_max_running::text, 'none'), session_user;
  key := p_key;
  max_running := p_max_running;
  return next;
end
$$;

comment on function fairclaim.set_key_limit(uuid, text, int) is
'Sets how many jobs of a key of one tenant (null: the default tenant of the settings) may run at once, 0 to 10,000, for operators; null takes the limit away. p_key: 1 to 255 bytes; with * at its end it stands for all keys that begin so. For each key its own limit holds, else that of the longest prefix, else 1. Jobs that keep their order run alone whatever it says. Takes effect at once; a lower limit as running jobs end, and that of a prefix with the next tick. was: the limit before, null for none. The server''s log says who did it.
Errors: JQ002, JQ004.';

grant execute on function fairclaim.set_key_limit(uuid, text, int) to fairclaim_operator;
