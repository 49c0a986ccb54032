-- What an outcome has no use for would be lost without a word, and the caller would believe that it
-- is kept: so it is refused. The lists have been checked; each of these looks is made only where it
-- can find something.
create or replace function fairclaim_internal.check_use(
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[]
) returns void
language plpgsql
as $$
declare
  v_place int;                                -- of the first bad item, from 1
begin
  if num_nonnulls(variadic p_results) > 0 and ('complete' = all (p_outcomes)) is not true then
    select item.place into v_place
      from unnest(p_outcomes, p_results) with ordinality item(outcome, result, place)
     where item.outcome <> 'complete' and item.result is not null limit 1;
    if found then
      perform refuse('JQ004', format('p_results[%s]', v_place - 1),
        'must be null unless the outcome is complete',
        'settle it as complete, or leave its result out');
    end if;
  end if;
  if num_nonnulls(variadic p_errors) > 0
     and p_outcomes && array['complete', 'snooze', 'release'] then
    select item.place into v_place
      from unnest(p_outcomes, p_errors) with ordinality item(outcome, error, place)
     where item.outcome in ('complete', 'snooze', 'release') and item.error is not null limit 1;
    if found then
      perform refuse('JQ004', format('p_errors[%s]', v_place - 1),
        'must be null unless the outcome is retry, fail or cancel',
        'settle it as retry, fail or cancel, or leave its error out');
    end if;
  end if;
  if num_nonnulls(variadic p_delays) > 0
     and p_outcomes && array['complete', 'fail', 'release', 'cancel'] then
    select item.place into v_place
      from unnest(p_outcomes, p_delays) with ordinality item(outcome, delay, place)
     where item.outcome in ('complete', 'fail', 'release', 'cancel') and item.delay is not null
     limit 1;
    if found then
      perform refuse('JQ004', format('p_delays[%s]', v_place - 1),
        'must be null unless the outcome is retry or snooze',
        'settle it as retry or snooze, or leave its delay out');
    end if;
  end if;
end
$$;

comment on function fairclaim_internal.check_use(text[], text[], text[], float8[]) is
'Refuses a result, an error or a delay beside an outcome that has no use for it (JQ004).';
