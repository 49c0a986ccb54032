-- Results and errors travel as texts of JSON, and one that cannot be stored is no reason to refuse
-- its neighbours' settlement. All are read at once, which costs what a plain cast costs. Only when
-- that fails, or a result breaks a limit, is each looked at by itself: an unstorable result makes
-- its attempt a failure, an unstorable error is replaced. A list without anything becomes null.
create or replace function fairclaim_internal.read_texts(
  p_outcomes text[],
  p_results text[],
  p_errors text[],
  out outcomes text[],
  out results jsonb[],
  out errors jsonb[]
)
language plpgsql
as $$
declare
  v_invalid jsonb := jsonb_build_object('code', 'result_invalid',
    'message',
    'the work was done, but its result cannot be stored: it must be JSON of at most 1 MiB, '
    '128 deep, without NUL characters and lone surrogates');
begin
  outcomes := p_outcomes;
  begin
    if num_nonnulls(variadic p_results) > 0 then
      results := p_results::jsonb[];
    end if;
    if num_nonnulls(variadic p_errors) > 0 then
      errors := p_errors::jsonb[];
    end if;
    if results is null or not exists (
         select from (select item.value, octet_length(item.value::text) as bytes
                        from unnest(results) item(value) offset 0) measured
          where measured.bytes > 1048576 or measured.bytes > 257 and too_deep(measured.value)) then
      return;
    end if;
  exception
    when data_exception or program_limit_exceeded then null;
  end;
  select array_agg(case when checked.is_bad then 'fail' else checked.outcome end
                   order by checked.place),
         array_agg(checked.result order by checked.place),
         array_agg(case when checked.is_bad then v_invalid
                        when checked.error is not null then
                          coalesce(read_json(checked.error, null), '{"code": "error_invalid"}') end
                   order by checked.place)
    into outcomes, results, errors
    from (select read.place, read.outcome, read.error, read.result,
                 read.text is not null and read.result is null as is_bad
            from (select item.place, item.outcome, item.error, item.text,
                         case when item.text is not null then read_json(item.text, 1048576) end
                           as result
                    from unnest(p_outcomes, p_results, p_errors)
                         with ordinality item(outcome, text, error, place) offset 0) read) checked;
end
$$;

comment on function fairclaim_internal.read_texts(text[], text[], text[]) is
'The results and errors of a settlement, read from texts of JSON, with its outcomes: fail, with the code result_invalid, where the result cannot be stored.';
