-- What was added to one of the three big tables since the last look. No index is in the order of
-- time, and none is needed: these tables grow at their ends, so the last pages of each partition
-- hold what is new (a scan of a range of tids). New is what stands behind the last row of before,
-- and in the 8 pages in front of it, since several sessions fill pages at the same time, what is
-- later than p_since. What is later than p_now is left to the next look.
--
-- Bounded: a partition that grew by more than 16 pages gives a sample, 8 pairs of pages spread over
-- what is new, and each row then stands for `weight` rows. Missed are rows that a transaction
-- commits long after it made them, and those that fill a gap left by deleted rows. A partition that
-- is being dropped is left out. A partition seen for the first time tells of what is later than
-- p_since only.
create or replace function fairclaim_internal.read_tail(
  p_table text,
  p_since timestamptz,
  p_now timestamptz
) returns table (
  id uuid, tenant_id uuid, at timestamptz, attempts int, status text, ran boolean, weight float8
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
  v_at text := case p_table when 'job' then 'created_at' when 'finished' then 'completed_at'
                            else 'at' end;
  v_columns text := case p_table
    when 'job' then '0, null::text, false'
    when 'finished' then
      'found.attempts, found.status, found.status <> ''cancelled'' or found.worker_id is not null'
    else 'found.attempt, null::text, true' end;
  v_part text;
  v_pages bigint;
  v_known bigint;                             -- so many pages were there at the last look
  v_old tail;                                 -- as it was noted
  v_last tid;
  v_new bigint;
  v_piece int;
begin
  for v_part in
    select range_name(p_table, id_range.starts_at) from id_range order by id_range.starts_at
  loop
    begin
      v_pages := pg_relation_size(to_regclass('fairclaim_internal.' || quote_ident(v_part)))
                 / current_setting('block_size')::int;
      continue when v_pages is null;
      select * into v_old from tail where tail.part = v_part;
      if v_pages = 0 then
        insert into tail (part, pages, last)
        select v_part, 0, '(0,0)' where v_old.part is null;
        continue;
      end if;
      v_known := least(coalesce(v_old.pages, v_pages), v_pages);
      v_new := v_pages - v_known;
      execute format('select max(found.ctid) from fairclaim_internal.%I found
                       where found.ctid >= $1', v_part)
        into v_last using format('(%s,0)', v_pages - 1)::tid;
      v_last := coalesce(v_last, format('(%s,0)', v_pages - 1)::tid);
      for v_piece in 0 .. case when v_new <= 16 then 0 else 7 end loop
        return query execute format(
          'select found.id, found.tenant_id, found.%1$I, %2$s, $4
             from fairclaim_internal.%3$I found
            where found.ctid >= $1 and found.ctid <= $2
              and (found.ctid > $3 or found.%1$I > $5) and found.%1$I <= $6',
            v_at, v_columns, v_part)
          using format('(%s,0)', case when v_new <= 16 then greatest(0, v_known - 8)
                                      else v_known + v_piece * v_new / 8 end)::tid,
                case when v_new <= 16 then v_last
                     else format('(%s,0)', v_known + v_piece * v_new / 8 + 2)::tid end,
                coalesce(v_old.last, v_last),
                case when v_new <= 16 then 1 else v_new::float8 / 16 end,
                p_since, p_now;
      end loop;
      if v_old.part is null then
        insert into tail (part, pages, last) values (v_part, v_pages, v_last);
      elsif v_old.last <> v_last then
        update tail set pages = v_pages, last = v_last
         where tail.ctid = any (array(
           select noted.ctid from tail noted where noted.part = v_part for update skip locked));
      end if;
    exception
      when lock_not_available or undefined_table then null;
    end;
  end loop;
end
$$;

comment on function fairclaim_internal.read_tail(text, timestamptz, timestamptz) is
'The rows that were added to job, finished or attempt_error since the last look, or a sample of them with the number of rows that each stands for. Notes how far it looked.';
