-- The one refusal of a job that cannot be dispatched, by itself or in a batch. The checks only say
-- which field breaks which rule, since every dispatch pays for the length of their expression; the
-- bounds and the advice are looked up here, where only a refusal pays.
create or replace function fairclaim_internal.refuse_job(p_fault text, p_item int default null)
returns void
language plpgsql
as $$
declare
  v_field text := split_part(p_fault, ': ', 1);
  v_rule text := substr(p_fault, length(v_field) + 3);
  v_name text := case when starts_with(v_field, 'p_') then substr(v_field, 3) else v_field end;
  v_again text := case when p_item is null then ''
                       else ', and send the batch again: nothing was written' end;
  v_bounds jsonb := case v_name
    when 'tenant' then
      case when starts_with(v_rule, 'must') then '{"limit": 255}'::jsonb else '{}' end
    when 'type' then '{"limit": 64}'
    when 'queue' then '{"limit": 64}'
    when 'priority' then '{"minimum": -100, "maximum": 100}'
    when 'max_attempts' then '{"minimum": 1, "maximum": 100}'
    when 'run_at' then '{"minimum": -86400, "maximum": 157766400}'      -- seconds from now
    when 'delay' then '{"minimum": 0, "maximum": 157766400}'
    when 'key' then '{"limit": 255}'
    when 'timeout' then '{"minimum": 0.001, "maximum": 86400}'
    when 'tags' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'each') then 64 else 20 end)
    when 'metadata' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'must nest') then 128 else 16384 end)
    when 'payload' then jsonb_build_object('limit',
      case when starts_with(v_rule, 'must nest') then 128
           else (select setting.max_payload from setting) end)
    else '{}' end;
  v_hint text := case v_name
    when 'tenant_id' then
      'name the tenant, by its uuid as tenant_id or by its name or number as tenant (for an '
      || 'application with one tenant only, once: `fairclaim settings set default_tenant app`)'
    when 'tenant' then
      case when starts_with(v_rule, 'must')
           then 'use the name or the number that your application knows the tenant by'
           else 'name the tenant by its uuid as tenant_id or by its name as tenant, not by both' end
    when 'delay' then
      'choose seconds from 0 to 157766400, or a time as run_at, and not both; leave both out to '
      || 'run the job at once'
    when 'type' then 'use letters, digits and _ . : - with a letter or a digit first'
    when 'queue' then 'use lowercase letters, digits and _ . : - with a letter or a digit first'
    when 'priority' then 'choose a number from -100 to 100, higher first, or leave it out'
    when 'max_attempts' then 'choose a number from 1 to 100, or leave it out: then it is 25'
    when 'run_at' then
      'write it in ISO 8601 with its offset, like 2027-01-31T09:00:00Z, or leave it out to run the '
      || 'job at once'
    when 'timeout' then
      'choose seconds from 0.001 to 86400, or leave it out: then an attempt may take any time'
    when 'payload' then 'store large data elsewhere and put a reference to it into the payload'
    when 'key' then
      'use a short name of what the jobs share, such as an account, or leave it out'
    when 'keep_order' then
      'name the key among whose jobs the order is kept, or leave it out'
    when 'tags' then 'send at most 20 texts of 1 to 64 characters each'
    when 'metadata' then 'send a small object; what the handler works on belongs into the payload'
    else 'change ' || v_name || ' as the message says' end;
begin
  perform refuse(case when v_rule = 'is missing' then 'JQ002' else 'JQ004' end,
    case when p_item is null then v_field else format('p_jobs[%s].%s', p_item, v_name) end, v_rule,
    v_hint || v_again, v_bounds);
end
$$;

comment on function fairclaim_internal.refuse_job(text, int) is
'Refuses a job to be dispatched: JQ002 where its tenant is missing, else JQ004, with the bounds of the field. p_fault: the field, a colon and the rule, as the checks of dispatch_job and dispatch_jobs write it. p_item: its place in the batch, from 0.';
