-- What production databases asked for.

-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a table without one.
alter table fairclaim.cancel_request add column request_id bigint generated always as identity primary key;
alter table fairclaim.renewal add column renewal_id bigint generated always as identity primary key;

-- Idle workers sleep until somebody has something for them. Milliseconds, like the other hints in sequences.
create unlogged sequence fairclaim.asleep_until minvalue 0 start 0;    -- until when some worker waits to be woken
create unlogged sequence fairclaim.look_by minvalue 0 start 0;         -- by when everybody who ticks will have ticked again
drop sequence fairclaim.idle_at;
