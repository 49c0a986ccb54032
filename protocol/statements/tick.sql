select t.promoted, t.returned, t.busy, t.next_tick_in, t.prune_due
  from fairclaim.tick() t
