-- Ranges need not hang together: a clock that was wrong leaves some far ahead or behind. Reads id_range, a few dozen rows.
create or replace function fairclaim_internal.range_block(p_at timestamptz, out starts_at timestamptz, out ends_at timestamptz)
language sql stable
as $$
  select min(b.starts_at), max(b.ends_at)
    from (select a.*, sum(a.begins) over (order by a.starts_at) as block
            from (select r.starts_at, r.ends_at,
                         (r.starts_at is distinct from lag(r.ends_at) over (order by r.starts_at))::int as begins
                    from fairclaim_internal.id_range r) a) b
   group by b.block
  having min(b.starts_at) <= p_at and max(b.ends_at) > p_at
$$;

comment on function fairclaim_internal.range_block(timestamptz) is
'From where to where ranges of ids reach around a time without a gap; null when the time lies in none.';
