-- What production databases asked for.

-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a table without one.
alter table fairclaim.cancel_request add column request_id bigint generated always as identity primary key;
alter table fairclaim.renewal add column renewal_id bigint generated always as identity primary key;
