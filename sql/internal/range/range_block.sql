-- Ranges need not hang together: a clock that was wrong leaves some far ahead or behind. begins is
-- 1 where a range does not start where the one before it ends; so its running sum numbers the
-- blocks. Reads id_range, a few dozen rows.
create or replace function fairclaim_internal.range_block(
  p_at timestamptz,
  out starts_at timestamptz,
  out ends_at timestamptz
)
language sql stable
as $$
  select min(numbered.starts_at), max(numbered.ends_at)
    from (select parted.*, sum(parted.begins) over (order by parted.starts_at) as block
            from (select id_range.starts_at, id_range.ends_at,
                         (id_range.starts_at is distinct from
                            lag(id_range.ends_at) over (order by id_range.starts_at))::int as begins
                    from fairclaim_internal.id_range) parted) numbered
   group by numbered.block
  having min(numbered.starts_at) <= p_at and max(numbered.ends_at) > p_at
$$;

comment on function fairclaim_internal.range_block(timestamptz) is
'From where to where ranges of ids reach around a time without a gap; null when the time lies in none.';
