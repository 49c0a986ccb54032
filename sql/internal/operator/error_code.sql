-- What operators who see no payload may see of an error: clip_error makes sure that a code is a
-- short word.
create or replace function fairclaim_internal.error_code(p_error jsonb) returns jsonb
language sql immutable parallel safe
as $$
  select case when p_error is not null then
           jsonb_strip_nulls(jsonb_build_object(
             'code', p_error -> 'code', 'ended_as', p_error -> 'ended_as')) end
$$;

comment on function fairclaim_internal.error_code(jsonb) is
'An error without its texts: its code, and how a job ended that an operator ran again.';
