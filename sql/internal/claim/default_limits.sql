-- The limits of running jobs that bound each tenant without own ones in a queue, and whether any
-- tenant has own ones: read once a claim, so that a claim of many tenants looks no further where
-- only defaults are set.
create or replace function fairclaim_internal.default_limits(
  p_queue text,
  out total int,
  out here int,
  out is_any_own boolean,
  out is_rate boolean,
  out is_own_rate boolean
)
language plpgsql
as $$
begin
  select max(bound.max_running) filter (where bound.queue = ''),
         max(bound.max_running) filter (where bound.queue <> ''),
         coalesce(bool_or(bound.units is not null), false),
         exists (select from running_limit own
                  where own.tenant_id > '00000000-0000-0000-0000-000000000000'
                     or own.tenant_id = '00000000-0000-0000-0000-000000000000'
                        and own.subject = 'tenant')
    into total, here, is_rate, is_any_own
    from running_limit bound
   where bound.tenant_id = '00000000-0000-0000-0000-000000000000'
     and bound.queue = any (array['', p_queue]) and bound.subject = 'default';
  is_own_rate := exists (
    select from running_limit own
     where own.units is not null and own.tenant_id > '00000000-0000-0000-0000-000000000000');
end
$$;

comment on function fairclaim_internal.default_limits(text) is
'How many jobs of each tenant without own limits may run at a time: over all queues, and in this one; null: no limit. is_any_own: whether some tenant has a limit of its own. is_rate: whether a default rate counts here; is_own_rate: whether some tenant has a rate of its own.';
