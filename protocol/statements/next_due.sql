select fairclaim.next_due()::float8 as next_due
