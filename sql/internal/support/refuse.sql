-- Every refusal goes through here, so that all read alike. Never pass a value of the caller: name
-- the field and the rule. p_field is where the fault is: `p_queue`, `p_outcomes[3]` or
-- `p_jobs[3].queue` (items count from 0), or a plain word such as `tenant` where no argument is at
-- fault. Clients read DETAIL, people read the message and the hint.
create or replace function fairclaim_internal.refuse(
  p_code text,
  p_field text,
  p_rule text,
  p_hint text default null,
  p_detail jsonb default '{}'
) returns void
language plpgsql
as $$
declare
  v_path text[] := regexp_match(p_field, '^(p_[a-z_]+)?(?:[[]([0-9]+)[]])?[.]?([a-z_]+)?$');
  v_name text := coalesce(v_path[3], substr(v_path[1], 3));
  v_place jsonb := jsonb_strip_nulls(jsonb_build_object(
    'argument', v_path[1], 'field', v_name, 'item', v_path[2]::int));
begin
  raise exception '%: %', p_field, p_rule
    using errcode = p_code,
          detail = (v_place || p_detail)::text,
          hint = coalesce(p_hint,
            'use one of these: ' || (
              select string_agg(allowed.name, ', ' order by allowed.place)
                from jsonb_array_elements_text(p_detail -> 'allowed') with ordinality
                     allowed(name, place)),
            format('change %s as the message says, and call again: nothing was written', v_name));
end
$$;

comment on function fairclaim_internal.refuse(text, text, text, text, jsonb) is
'Raises an error of one of the codes JQ001 to JQ007. Its message names the field and the rule, its hint says what to do next, and its DETAIL is a JSON object for programs: argument, field and item (from 0) of what p_field names, and what p_detail adds of limit, minimum, maximum and allowed.';
