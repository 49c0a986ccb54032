-- One place as it is shown: both layers by two looks, and what follows from them.
create or replace function fairclaim_internal.shown_bound(
  p_kind text,
  p_subject text,
  p_tenant_id uuid,
  p_queue text,
  p_now timestamptz,
  out kind text,
  out subject text,
  out tenant_id uuid,
  out tenant text,
  out queue text,
  out base int,
  out override int,
  out in_force int,
  out refuses boolean,
  out set_by text,
  out why text,
  out until timestamptz,
  out set_at timestamptz
)
language plpgsql stable
set jit = off
set enable_seqscan = off
as $$
declare
  v_tenant uuid := case when p_subject = 'tenant' then p_tenant_id
                        else '00000000-0000-0000-0000-000000000000' end;
  v_base bound;
  v_override bound;
  v_shown bound;
begin
  select * into v_base from bound known
   where known.tenant_id = v_tenant and known.queue = p_queue and known.kind = p_kind
     and known.subject = p_subject and known.key is null and known.layer = 'base';
  select * into v_override from bound known
   where known.tenant_id = v_tenant and known.queue = p_queue and known.kind = p_kind
     and known.subject = p_subject and known.key is null and known.layer = 'override'
     and (known.until is null or known.until > p_now);
  v_shown := case when v_override.bound_id is null then v_base else v_override end;
  kind := p_kind;
  subject := p_subject;
  tenant_id := case when p_subject = 'tenant' then p_tenant_id end;
  tenant := tenant_label(tenant_id);
  queue := nullif(p_queue, '');
  base := v_base.value;
  override := v_override.value;
  in_force := v_shown.value;
  refuses := v_shown.refuses;
  set_by := v_shown.set_by;
  why := v_shown.why;
  until := v_shown.until;
  set_at := v_shown.set_at;
end
$$;

comment on function fairclaim_internal.shown_bound(text, text, uuid, text, timestamptz) is
'A setting of a tenant, a queue or a default: base, override, what is in force, and whose that is.';
