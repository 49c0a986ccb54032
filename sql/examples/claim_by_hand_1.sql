-- The claim by hand, first session. Open a second psql beside it with claim_by_hand_2.sql, and go step by step.
-- You need a database with fairclaim and a login that has the roles fairclaim_producer and fairclaim_worker
-- (fairclaim migrate --grant-self gives them to you).

-- step 1: two jobs of one tenant
select fairclaim.dispatch_job(fairclaim.tenant_uuid('acme'), 'greet', '{"name": "Ada"}');
select fairclaim.dispatch_job(fairclaim.tenant_uuid('acme'), 'greet', '{"name": "Bob"}');

-- step 2: claim one, and keep the transaction open
begin;
select id, type, payload, status, worker_id, attempts, lease_token from fairclaim.claim_job('hand-1');

-- step 3: now run step 3 of the second session. It gets the other job at once: it passes over the locked row.

-- step 4: roll back. Nothing happened: the job waits as before, with attempts 0.
rollback;

-- step 5: claim for good, in one transaction
select id, type, payload, status, worker_id, attempts, lease_token from fairclaim.claim_job('hand-1');

-- step 6: complete it, with the id, attempts and lease_token that step 5 showed
-- select * from fairclaim.settle_jobs('hand-1', array['<id>'::uuid], array[1], array['<lease_token>'::uuid], array['complete']);

-- step 7: again. accepted is false: an attempt ends once.
