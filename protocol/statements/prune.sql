select p.rows_deleted, p.passed_over, p.busy, p.more
  from fairclaim.prune() p
