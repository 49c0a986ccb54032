-- Moves jobs out of `held` into lanes, for each of these keys as many as it has room for, at most
-- p_most. Each key stands once in the lists. p_is_locked says how the caller knows that there is
-- room:
-- * true: it holds the keys' rows of key_lock, and this begins with a new snapshot. Nobody else
--   adds to the slots of these keys, so what is counted here is exact. p_floors are those of notes:
--   while a key has no slot, nothing waits below.
-- * false: it has deleted p_most slots of each key in this transaction, so that as many may take
--   their place. Then nothing has to be locked, and a settlement that stays open for minutes holds
--   up its own key and no other. p_floors and p_since are those of the deleted slots.
-- p_skip: jobs to be passed over. Locks: rows of `held` (skip locked).
--
-- `keep`, for each key in the order of the lists: somebody has to look at it again. That is so
-- where jobs wait and, without the lock, fewer came than left; or with it, where no slot is left
-- whose end would look, or a slot is going at this moment (its row has an xmax: that settlement may
-- have looked before it could see what waits here). A job that keeps its order runs alone, and
-- never before one that stands ahead of it, even if that row is locked. All looks are by index,
-- from the bounds that the slots carry. A bound is never above the safe mark that tick had left
-- when it was written: what a transaction that was open then commits later is above it. A slot that
-- begins a key anew knows no floor.
create or replace function fairclaim_internal.fill_keys(
  p_tenants uuid[],
  p_keys text[],
  p_most int[],
  p_floors bigint[],
  p_since bigint[],
  p_is_locked boolean,
  p_skip uuid[],
  out moved uuid[],
  out keep boolean[]
)
language plpgsql
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
set enable_mergejoin = off
set enable_nestloop = on
set enable_hashjoin = on
set plan_cache_mode = force_generic_plan
as $$
declare
  v_safe bigint := (newest_state()).safe;
  v_ids uuid[];
  v_attempts int[];
  v_left smallint[];
  v_lost smallint[];
begin
  lock table ready in row exclusive mode;     -- before any number is drawn (I4)
  -- known: a key with its slots, its room, and the bound below which its rows are gone
  with known as materialized (
    select asked.place, asked.tenant_id, asked.key, asked.most, slots.jobs, slots.is_going,
           case when slots.is_ordered then 0
                else least(asked.most, bound.max_running - slots.jobs) end as room,
           bound.max_running,
           slots.floor as slots_floor,
           case when p_is_locked then slots.floor
                else greatest(asked.floor, slots.floor) end as floor,
           case when p_is_locked then least(asked.floor, slots.floor)
                else greatest(asked.floor, slots.floor) end as start,
           least(v_safe, slots.oldest - 1) as since
      from unnest(p_tenants, p_keys, p_most, p_floors, p_since) with ordinality
           asked(tenant_id, key, most, floor, since, place)
     cross join lateral (
       select count(*)::int as jobs, min(slot.seq) as oldest, max(slot.floor) as floor,
              coalesce(bool_or(slot.keeps_order), false) as is_ordered,
              coalesce(bool_or(slot.is_locked), false) as is_going
         from (select key_slot.seq, key_slot.floor, key_slot.keeps_order,
                      key_slot.xmax <> '0'::xid as is_locked
                 from key_slot
                where key_slot.tenant_id = asked.tenant_id and key_slot.key = asked.key collate "C"
                  and key_slot.seq > asked.since
                order by key_slot.seq offset 0) slot) slots
     cross join lateral (
       select coalesce(
         (select key_limit.max_running from key_limit
           where key_limit.tenant_id = asked.tenant_id and not key_limit.is_prefix
             and key_limit.key = asked.key collate "C"),
         (select key_limit.max_running from key_limit
           where key_limit.tenant_id = asked.tenant_id and key_limit.is_prefix
             and starts_with(asked.key, key_limit.key)
           order by length(key_limit.key) desc limit 1), 1) as max_running offset 0) bound),
  -- first: the rows that stand first, those that come back before the others
  first as materialized (
    select known.*,
           (select held.seq from held
             where held.tenant_id = known.tenant_id and held.key = known.key collate "C"
               and held.seq < 0
             order by held.tenant_id, held.key, held.seq limit 1) as back,
           (select held.seq from held
             where held.tenant_id = known.tenant_id and held.key = known.key collate "C"
               and held.seq >= 0 and held.seq > known.start
             order by held.tenant_id, held.key, held.seq limit 1) as head
      from known),
  locked as materialized (
    select first.place, waiting.*, first.floor, first.since, first.room, first.jobs, first.back,
           first.head
      from first
     cross join lateral (
       select held.ctid as spot, held.* from held
        where first.back is not null
          and held.tenant_id = first.tenant_id and held.key = first.key collate "C"
          and held.seq < 0 and held.id <> all (p_skip)
        order by held.tenant_id, held.key, held.seq limit greatest(0, first.room)
          for update skip locked) waiting
    union all
    select first.place, waiting.*, first.floor, first.since, first.room, first.jobs, first.back,
           first.head
      from first
     cross join lateral (
       select held.ctid as spot, held.* from held
        where first.head is not null
          and held.tenant_id = first.tenant_id and held.key = first.key collate "C"
          and held.seq >= first.head and held.id <> all (p_skip)
        order by held.tenant_id, held.key, held.seq limit greatest(0, first.room)
          for update skip locked) waiting),
  taken as materialized (
    select ranked.*
      from (select locked.*,
                   row_number() over (partition by locked.place order by locked.seq) as rank,
                   bool_or(locked.keeps_order)
                     over (partition by locked.place order by locked.seq) as is_met
              from locked) ranked
     where ranked.rank <= ranked.room
       and case when ranked.keeps_order
                then ranked.rank = 1 and ranked.jobs = 0
                     and ranked.seq = coalesce(ranked.back, ranked.head)
                else not ranked.is_met end),
  gone as (
    delete from held where held.ctid = any (array(select taken.spot from taken))),
  admitted as (
    insert into key_slot (id, tenant_id, floor, since, keeps_order, key)
    select taken.id, taken.tenant_id,
           case when taken.floor is null then 0
                else least(v_safe, greatest(taken.floor, case when taken.has_head
                                                              then taken.head end)) end,
           taken.since, taken.keeps_order, taken.key
      from (select taken.*,
                   bool_or(taken.seq = taken.head) over (partition by taken.place) as has_head
              from taken) taken
     order by taken.place, taken.seq)
  select (select array_agg(taken.tenant_id order by taken.place, taken.seq) from taken),
         (select array_agg(taken.id order by taken.place, taken.seq) from taken),
         (select array_agg(taken.attempts order by taken.place, taken.seq) from taken),
         (select array_agg(taken.attempts_left order by taken.place, taken.seq) from taken),
         (select array_agg(taken.lost order by taken.place, taken.seq) from taken),
         (select array_agg(
                   coalesce(first.back, first.head) is not null
                   and case when not p_is_locked then coalesce(came.jobs, 0) < first.most
                            else first.is_going
                                 or coalesce(first.head <= first.slots_floor, false)
                                 or first.jobs + coalesce(came.jobs, 0) = 0
                                    and first.max_running > 0 end
                   order by first.place)
            from first
            left join (select taken.place, count(*) as jobs from taken group by taken.place) came
              on came.place = first.place)
    into moved, v_ids, v_attempts, v_left, v_lost, keep;
  if v_ids is not null then
    perform to_ready(moved, v_ids, v_attempts, v_left, v_lost,
      array_fill(true, array[cardinality(v_ids)]), true);
  end if;
end
$$;

comment on function fairclaim_internal.fill_keys(uuid[], text[], int[], bigint[], bigint[],
    boolean, uuid[]) is
'Moves the next jobs of keys that have room into lanes. moved: their tenants, null for none. keep: for each key, whether somebody has to look at it again.';
