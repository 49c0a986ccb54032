-- Ranges are walked one after the other: old ones up to p_end, then those that are ahead of the clock, where only a clock that was wrong
-- has put jobs. Each has a place of its own, since time passes from one to the other.
create or replace function fairclaim_internal.prune_piece(
  p_place fairclaim_internal.prune_place, p_now timestamptz, p_end uuid,
  out starts_at timestamptz, out from_id uuid, out to_id uuid, out is_ahead boolean
)
language sql stable
as $$
  select w.starts_at, w.from_id, w.to_id, w.is_ahead
    from (select r.starts_at, r.starts_at > p_now as is_ahead,
                 case when r.starts_at > p_now then p_place.ahead else p_place.place end as from_id,
                 case when r.starts_at > p_now then fairclaim_internal.id_at(fairclaim_internal.millis(r.ends_at))
                      else least(fairclaim_internal.id_at(fairclaim_internal.millis(r.ends_at)), p_end) end as to_id
            from fairclaim_internal.id_range r) w
   where w.from_id < w.to_id and fairclaim_internal.id_at(fairclaim_internal.millis(w.starts_at)) < w.to_id
   order by w.is_ahead, w.starts_at limit 1
$$;

comment on function fairclaim_internal.prune_piece(fairclaim_internal.prune_place, timestamptz, uuid) is
'What prune is to look at next: a range, and from which id to which. Null at the end of a round.';
