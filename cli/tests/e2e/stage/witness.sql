-- What the tables of the queue do not keep: every claim and every end of an attempt, written down by triggers in the transaction
-- that did it, so that it is there if and only if that committed.
create schema witness;
create table witness.claim (
  id uuid not null, attempt int not null, lease_token uuid not null, worker_id text not null
);
create table witness.ended (
  id uuid not null, attempt int not null, lease_token uuid not null
);

create function witness.note_claim() returns trigger language plpgsql as $$
begin
  insert into witness.claim select n.id, n.attempt, n.lease_token, n.worker_id from new_rows n;
  return null;
end
$$;
create function witness.note_end() returns trigger language plpgsql as $$
begin
  insert into witness.ended select o.id, o.attempt, o.lease_token from old_rows o;
  return null;
end
$$;

grant usage on schema witness to fairclaim_owner;
grant select, insert on witness.claim, witness.ended to fairclaim_owner;
set role fairclaim_owner;
create trigger witness_claim after insert on fairclaim_internal.running
  referencing new table as new_rows for each statement execute function witness.note_claim();
create trigger witness_end after delete on fairclaim_internal.running
  referencing old table as old_rows for each statement execute function witness.note_end();
reset role;
