-- Between rounds only what has become old since is walked, from the place where the last walk
-- ended. Another round begins when a job that was left may be past: one that was seen not to be
-- past yet, or one that ended behind the place, which was after the round began. Rounds take at
-- most a sixteenth of the time, since each walks over dead rows too. When the clock went back, a
-- new round begins at once. For calls of operators (asked) a new round begins when the last one has
-- ended, for another retention, and a minute after its rest is over.
create or replace function fairclaim_internal.prune_round(
  inout p_place fairclaim_internal.prune_place,
  p_retention interval,
  p_now timestamptz,
  p_before timestamptz,
  p_end uuid,
  out begins boolean
)
language plpgsql
as $$
begin
  if p_place.asked then
    begins := p_place.ended or p_place.retention is distinct from p_retention
              or p_place.rest_until < p_now - interval '1 minute'
              or p_place.round_at > p_now;
  else
    begins := p_place.round_at > p_now or p_place.place > p_end
              or least(p_place.round_at, p_place.left_since) < p_before
                 and (p_place.ended and p_place.round_at + 16 * p_place.cost < p_now
                      or p_place.round_at = '-infinity');
  end if;
  if begins then
    p_place.retention := p_retention;
    p_place.place := '00000000-0000-0000-0000-000000000000';
    p_place.ahead := p_place.place;
    p_place.round_at := p_now;
    p_place.ended := false;
    p_place.left_since := null;
    p_place.cost := '0';
  end if;
end
$$;

comment on function fairclaim_internal.prune_round(fairclaim_internal.prune_place, interval,
    timestamptz, timestamptz, uuid) is
'Whether another round of pruning begins, and if so its place: the first id.';
