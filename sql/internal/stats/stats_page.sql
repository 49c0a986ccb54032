-- Which rows of `stat` a page has. By tenant it goes by the key; a row that has been deleted
-- meanwhile is no place to go on from, and the page begins with the next of the queue.
create or replace function fairclaim_internal.stats_page(
  p_tenant_id uuid,
  p_queue text,
  p_limit int,
  p_after text[],
  p_sort text,
  p_search text,
  p_now timestamptz,
  out ids bigint[],
  out keys text[]
)
language plpgsql stable
as $$
declare
  v_found uuid[];
  v_last stat;
begin
  if p_search is not null then
    v_found := array(
      select tenant_name.tenant_id from tenant_name
       where strpos(lower(tenant_name.name), lower(p_search)) > 0
       limit 10000)
      || (select fairclaim.tenant_uuid(p_search));
  end if;
  if p_sort = 'tenant' then
    select * into v_last from stat where stat.stat_id = p_after[3]::bigint;
    select array_agg(page.stat_id order by page.queue, page.tenant_id),
           array_agg(page.queue order by page.queue, page.tenant_id)
      into ids, keys
      from (select stat.stat_id, stat.queue, stat.tenant_id from stat
             where not stat.whole
               and (p_tenant_id is null or stat.tenant_id = p_tenant_id)
               and (p_queue is null or stat.queue = p_queue)
               and (p_search is null or stat.tenant_id = any (v_found))
               and (p_after is null
                    or (stat.queue, stat.whole, stat.tenant_id)
                       > (p_after[2] collate "C", false,
                          coalesce(v_last.tenant_id, '00000000-0000-0000-0000-000000000000')))
             order by stat.queue, stat.whole, stat.tenant_id limit p_limit) page;
    return;
  end if;
  select array_agg(page.stat_id order by page.key desc, page.stat_id),
         array_agg(page.key::text order by page.key desc, page.stat_id)
    into ids, keys
    from (select keyed.stat_id, keyed.key
            from (select stat.stat_id, round((case p_sort
                           when 'waiting' then stat.waiting
                           when 'oldest' then - extract(epoch from stat.oldest_at)::float8
                           when 'running' then stat.running
                           else window_sum(stat.hour,
                             array_position(array['dispatched', 'claimed', 'finished', 'failed',
                                                  'seconds'], p_sort),
                             stat.hour_slot, 3600, p_now) end)::numeric, 3) as key
                    from stat
                   where not stat.whole
                     and (p_tenant_id is null or stat.tenant_id = p_tenant_id)
                     and (p_queue is null or stat.queue = p_queue)
                     and (p_search is null or stat.tenant_id = any (v_found))) keyed
           where keyed.key is not null
             and (p_after is null
                  or keyed.key < p_after[2]::numeric
                  or keyed.key = p_after[2]::numeric and keyed.stat_id > p_after[3]::bigint)
           order by keyed.key desc, keyed.stat_id limit p_limit) page;
end
$$;

comment on function fairclaim_internal.stats_page(uuid, text, int, text[], text, text,
    timestamptz) is
'The rows of a page of tenant_stats, with the keys by which they are sorted.';
