-- What a filter may be. Error texts come from payloads as often as not, so looking for one is
-- reading it: auditors only.
create or replace function fairclaim_internal.check_filter(
  p_status text,
  p_older_than float8,
  p_newer_than float8,
  p_error text
) returns void
language plpgsql stable
as $$
begin
  if p_status not in ('scheduled', 'pending', 'processing', 'completed', 'failed', 'cancelled') then
    perform refuse('JQ004', 'p_status',
      'must be scheduled, pending, processing, completed, failed or cancelled',
      p_detail => '{"allowed": ["scheduled", "pending", "processing",
                                "completed", "failed", "cancelled"]}');
  elsif p_older_than not between 0 and 1577836800 then
    perform refuse('JQ004', 'p_older_than', 'must be seconds from 0 to 1,577,836,800 (50 years)',
      'give seconds: 604800 is a week', '{"minimum": 0, "maximum": 1577836800}');
  elsif p_newer_than not between 0 and 1577836800 then
    perform refuse('JQ004', 'p_newer_than', 'must be seconds from 0 to 1,577,836,800 (50 years)',
      'give seconds: 604800 is a week', '{"minimum": 0, "maximum": 1577836800}');
  elsif length(p_error) not between 1 and 255 then
    perform refuse('JQ004', 'p_error', 'must have 1 to 255 characters',
      'give a part of the error text, or null for any', '{"limit": 255}');
  elsif p_error is not null and not caller_is('auditor') then
    perform refuse('JQ007', 'p_error', 'error texts are for auditors only',
      format('leave it out, or as an administrator: grant %I to %I',
             our_role('auditor'), caller()));
  end if;
end
$$;

comment on function fairclaim_internal.check_filter(text, float8, float8, text) is
'Refuses a filter of jobs that cannot be (JQ004), and one by error text from a caller that is no auditor (JQ007).';
