-- What settle_jobs refuses before it looks at anything: not called where one expression of its own
-- tells that all is well. A batch is refused whole. What is inside a result or an error is no
-- reason to refuse it: see read_texts.
create or replace function fairclaim_internal.check_settle(
  p_worker_id text,
  p_ids uuid[],
  p_attempts int[],
  p_lease_tokens uuid[],
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  p_delays float8[]
) returns void
language plpgsql
as $$
declare
  v_n int := cardinality(p_ids);
  v_list text;                                -- one that is not like p_ids
  v_rule text;
  v_place int;                                -- of the first bad item, from 1
begin
  if p_worker_id is null or length(p_worker_id) not between 1 and 255
     or p_worker_id ~ $r$[[:cntrl:]\u0080-\u009f]$r$ then
    perform refuse('JQ004', 'p_worker_id', 'must have 1 to 255 printable characters',
      'pass the name that the claim was made with', '{"minimum": 1, "maximum": 255}');
  elsif v_n is null or v_n > 10000 or array_ndims(p_ids) > 1 or array_lower(p_ids, 1) <> 1
        or array_position(p_ids, null) is not null then
    perform refuse('JQ004', 'p_ids', 'must be a list of at most 10,000 ids without nulls',
      'settle 10,000 at most at a time', '{"limit": 10000}');
  end if;
  v_list := case when coalesce(cardinality(p_attempts), 0) <> v_n then 'p_attempts'
                 when coalesce(cardinality(p_lease_tokens), 0) <> v_n then 'p_lease_tokens'
                 when coalesce(cardinality(p_outcomes), 0) <> v_n then 'p_outcomes'
                 when cardinality(p_results) <> v_n then 'p_results'
                 when cardinality(p_errors) <> v_n then 'p_errors'
                 when cardinality(p_delays) <> v_n then 'p_delays' end;
  if v_list is not null then
    perform refuse('JQ004', v_list, 'must have as many items as p_ids',
      'the lists go item by item: give one for each id, null where there is none');
  end if;
  v_list := case when array_dims(p_attempts) <> array_dims(p_ids) then 'p_attempts'
                 when array_dims(p_lease_tokens) <> array_dims(p_ids) then 'p_lease_tokens'
                 when array_dims(p_outcomes) <> array_dims(p_ids) then 'p_outcomes'
                 when array_dims(p_results) <> array_dims(p_ids) then 'p_results'
                 when array_dims(p_errors) <> array_dims(p_ids) then 'p_errors'
                 when array_dims(p_delays) <> array_dims(p_ids) then 'p_delays' end;
  if v_list is not null then                  -- items would be taken for those of other jobs
    perform refuse('JQ004', v_list, 'must be one list that begins at 1',
      'pass a plain array of one dimension');
  end if;
  -- the usual case is one plain expression; only a refusal pays for finding the item
  if not p_outcomes <@ array['complete', 'retry', 'fail', 'snooze', 'release', 'cancel'] then
    select item.place into v_place from unnest(p_outcomes) with ordinality item(outcome, place)
     where item.outcome is null
        or item.outcome not in ('complete', 'retry', 'fail', 'snooze', 'release', 'cancel')
     limit 1;
    perform refuse('JQ004', format('p_outcomes[%s]', v_place - 1),
      'must be complete, retry, fail, snooze, release or cancel',
      p_detail => '{"allowed": ["complete", "retry", "fail", "snooze", "release", "cancel"]}');
  end if;
  if (0 <= all (p_delays) and 157766400 >= all (p_delays)) is false then
    select item.place into v_place from unnest(p_delays) with ordinality item(delay, place)
     where not item.delay between 0 and 157766400 limit 1;
    perform refuse('JQ004', format('p_delays[%s]', v_place - 1),
      'must be seconds from 0 to 5 years',
      'give seconds, or null for the usual pause of a retry',
      '{"minimum": 0, "maximum": 157766400}');
  end if;
  -- without a pause a snoozed job would run again and again, at no attempt's cost
  if 'snooze' = any (p_outcomes) then
    select item.place,
           case when item.delay is null then 'must not be null where the outcome is snooze'
                else 'must be at least 0.1 where the outcome is snooze' end
      into v_place, v_rule
      from unnest(p_outcomes, p_delays) with ordinality item(outcome, delay, place)
     where item.outcome = 'snooze' and (item.delay is null or item.delay < 0.1) limit 1;
    if found then
      perform refuse('JQ004', format('p_delays[%s]', v_place - 1), v_rule,
        'say for how many seconds the job shall wait, or give it back at once with release',
        '{"minimum": 0.1, "maximum": 157766400}');
    end if;
  end if;
  if num_nonnulls(variadic p_results) > 0 or num_nonnulls(variadic p_errors) > 0
     or num_nonnulls(variadic p_delays) > 0 then
    perform check_use(p_outcomes, p_results, p_errors, p_delays);
  end if;
end
$$;

comment on function fairclaim_internal.check_settle(text, uuid[], int[], uuid[], text[], text[],
    text[], float8[]) is
'Refuses bad arguments of a settlement (JQ004).';
