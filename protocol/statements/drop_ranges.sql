select d.ranges_dropped, d.ranges_in_use
  from fairclaim.drop_ranges() d
