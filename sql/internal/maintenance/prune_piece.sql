-- Ranges are walked one after the other: old ones up to p_end, then those that are ahead of the
-- clock, where only a clock that was wrong has put jobs. Each of the two has a place of its own,
-- since with time ranges pass from the second to the first.
create or replace function fairclaim_internal.prune_piece(
  p_place fairclaim_internal.prune_place,
  p_now timestamptz,
  p_end uuid,
  out starts_at timestamptz,
  out from_id uuid,
  out to_id uuid,
  out is_ahead boolean
)
language sql stable
as $$
  select piece.starts_at, piece.from_id, piece.to_id, piece.is_ahead
    from (select id_range.starts_at,
                 id_range.starts_at > p_now as is_ahead,
                 case when id_range.starts_at > p_now then p_place.ahead
                      else p_place.place end as from_id,
                 case when id_range.starts_at > p_now then
                        fairclaim_internal.id_at(fairclaim_internal.millis(id_range.ends_at))
                      else least(
                        fairclaim_internal.id_at(fairclaim_internal.millis(id_range.ends_at)),
                        p_end) end as to_id
            from fairclaim_internal.id_range) piece
   where piece.from_id < piece.to_id
     and fairclaim_internal.id_at(fairclaim_internal.millis(piece.starts_at)) < piece.to_id
   order by piece.is_ahead, piece.starts_at limit 1
$$;

comment on function fairclaim_internal.prune_piece(fairclaim_internal.prune_place,
    timestamptz, uuid) is
'What prune is to look at next: a range, and from which id to which. Null at the end of a round.';
