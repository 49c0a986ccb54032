-- The claim by hand, second session. Begin with claim_by_hand_1.sql.

-- step 3: while the first session holds its job in an open transaction
select id, type, payload, status, worker_id, attempts, lease_token from fairclaim.claim_job('hand-2');

-- step 3b: once more. Empty: one job is yours, the other is locked, and nobody waits for it.
select id from fairclaim.claim_job('hand-2');

-- step 8: give your job back without using up an attempt, with the id and lease_token that step 3 showed
-- select * from fairclaim.settle_jobs('hand-2', array['<id>'::uuid], array[1], array['<lease_token>'::uuid], array['release']);

-- step 9: what is where (an operator's view; payloads only for auditors)
select id, type, status, attempts, worker_id from fairclaim.list_jobs();
