-- The claim by hand, first session. Open a second psql beside it with claim_by_hand_2.sql, and take
-- the steps in the order of their numbers. You need a database with fairclaim in which no other
-- worker claims meanwhile, and a login with the roles fairclaim_producer (step 1), fairclaim_worker
-- (the claims) and fairclaim_operator (step 9); `fairclaim migrate --grant-self` gives them to the
-- installer. Plain SQL: any editor will do that has two sessions.

-- step 1: two jobs of one tenant
select fairclaim.dispatch_job(fairclaim.tenant_uuid('acme'), 'greet', '{"name": "Ada"}') as id;
select fairclaim.dispatch_job(fairclaim.tenant_uuid('acme'), 'greet', '{"name": "Bob"}') as id;

-- step 2: claim one, and keep the transaction open
begin;
select id, type, payload, status, worker_id, attempts, lease_token
  from fairclaim.claim_job('hand-1');

-- step 3: now run steps 3 and 4 of the second session. It gets the other job at once: it passes
-- over the locked row.

-- step 5: roll back. Nothing happened: the job waits as before, with attempts 0.
rollback;

-- step 6: claim it for good, and keep what a settlement needs: id, attempts and lease_token. Its
-- attempts are 1.
create temp table mine as select * from fairclaim.claim_job('hand-1');
select id, type, payload, status, worker_id, attempts, lease_token from mine;

-- step 7: complete it, with a result. Its kind is settled.
select * from fairclaim.settle_jobs('hand-1',
  array(select id from mine), array(select attempts from mine), array(select lease_token from mine),
  array['complete'], array['{"greeted": true}']);

-- step 8: once more. Its kind is already: an attempt ends once, and the first result stays. Now go
-- on with step 9 of the second session.
select * from fairclaim.settle_jobs('hand-1',
  array(select id from mine), array(select attempts from mine), array(select lease_token from mine),
  array['complete'], array['{"greeted": "again"}']);
