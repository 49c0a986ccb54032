-- A new limit takes effect when the claims open when it was set have ended: only then are all the tenant's running jobs marked, so
-- that counting them is exact. Meanwhile none of its jobs is claimed. Rows of limited tenants in shared lanes move to own lanes.
create or replace function fairclaim_internal.apply_limits(p_state fairclaim_internal.tick_state, p_size int, p_skip uuid[]) returns int
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  if not exists (select from tenant_limit) then
    return 0;
  end if;
  update tenant_limit b set seen = p_state.n, seen_at = p_state.at
   where b.tenant_id = any (array(select z.tenant_id from tenant_limit z where z.seen is null for update skip locked));
  with ripe as materialized (
    select b.tenant_id from tenant_limit b where not b.active and b.seen + 1 < p_state.oldest and b.seen < p_state.n)
  update running r set limited = true
   where r.id = any (array(
     select z.id from running z where not z.limited and z.tenant_id in (select ripe.tenant_id from ripe) for update skip locked));
  update tenant_limit b set active = true
   where b.tenant_id = any (array(
     select z.tenant_id from tenant_limit z
      where not z.active and z.seen + 1 < p_state.oldest and z.seen < p_state.n
        and not exists (select from running r where not r.limited and r.tenant_id = z.tenant_id)
        for update skip locked));

  -- read only first: a lock on another tenant's row would hide it from claims
  with mine as materialized (
    select y.lane_id, y.seq
      from (select l.lane_id, l.floor from lane l
             where l.tenant_id is null and l.lane_id > p_state.shared_slice order by l.lane_id limit 200) l
     cross join lateral (
       select y.lane_id, y.seq, y.id, y.tenant_id from ready y
        where y.lane_id = l.lane_id and y.seq >= l.floor order by y.lane_id, y.seq limit 1000) y
     where exists (select from tenant_limit b where b.tenant_id = y.tenant_id) and y.id <> all (p_skip)
     limit p_size),
  locked as materialized (
    select z.c from mine
     cross join lateral (
       select z.ctid c from ready z where z.lane_id = mine.lane_id and z.seq = mine.seq for update skip locked) z),
  gone as (
    delete from ready y where y.ctid = any (array(select locked.c from locked)) returning y.*)
  select array_agg(g.tenant_id order by g.seq), array_agg(g.id order by g.seq), array_agg(g.attempts order by g.seq),
         array_agg(g.attempts_left order by g.seq), array_agg(g.lost order by g.seq)
    into v_tenants, v_ids, v_attempts, v_left, v_lost
    from gone g;
  if v_ids is null then
    return 0;
  end if;
  return to_ready(v_tenants, v_ids, v_attempts, v_left, v_lost);
end
$$;

comment on function fairclaim_internal.apply_limits(fairclaim_internal.tick_state, int, uuid[]) is
'Puts new limits into effect and moves limited tenants'' jobs from shared lanes to own lanes. Returns how many moved.';
