create or replace function fairclaim_internal.check_bound(
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_value int,
  p_why text,
  p_until timestamptz,
  p_now timestamptz
) returns void
language plpgsql
as $$
declare
  v_range record;
begin
  if p_subject = 'tenant' and p_tenant_id is null then
    perform refuse('JQ002', 'p_tenant_id', 'is missing',
      'name the tenant by its uuid; fairclaim.tenant_uuid(name) gives it');
  elsif (p_queue is not null or p_subject = 'queue') and not is_name(p_queue) then
    perform refuse('JQ004', 'p_queue',
      'must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters',
      'use lowercase letters, digits and _ . : - with a letter or a digit first', '{"limit": 64}');
  elsif length(p_why) > 1000 then
    perform refuse('JQ004', 'p_why', 'must have at most 1,000 characters',
      p_detail => '{"limit": 1000}');
  elsif p_until is not null and p_value is null then
    perform refuse('JQ004', 'p_until', 'says when a setting ends, and none is set',
      'leave p_until out where the value is null');
  elsif p_until <= p_now or p_until > p_now + interval '100 years' then
    perform refuse('JQ004', 'p_until', 'must be later than now, by at most 100 years',
      p_detail => '{"minimum": 0, "maximum": 3155760000}');
  end if;
  select * into v_range from bound_range() known where known.kind = p_kind;
  if p_value not between v_range.minimum and v_range.maximum then
    perform refuse('JQ004', 'p_' || v_range.name,
      format('must be from %s to %s', v_range.minimum, v_range.maximum),
      p_detail => jsonb_build_object('minimum', v_range.minimum, 'maximum', v_range.maximum));
  end if;
end
$$;

comment on function fairclaim_internal.check_bound(text, text, uuid, text, int, text, timestamptz,
    timestamptz) is
'Refuses a setting that there cannot be (JQ002, JQ004).';
