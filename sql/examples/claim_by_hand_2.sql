-- The claim by hand, second session. Begin with claim_by_hand_1.sql.

-- step 3: while the first session holds its job in an open transaction, claim one and keep what a
-- settlement needs
create temp table mine as select * from fairclaim.claim_job('hand-2');
select id, type, payload, status, worker_id, attempts, lease_token from mine;

-- step 4: once more. Empty: one job is yours, the other is locked, and a claim does not wait for
-- it. Back to the first session.
select id from fairclaim.claim_job('hand-2');

-- step 9: look at what is where, as an operator: without payloads. One job is completed, yours is
-- processing.
select id, type, status, attempts, worker_id
  from fairclaim.list_jobs(fairclaim.tenant_uuid('acme'), p_type => 'greet');

-- step 10: give your job back, which uses up no attempt of those it may fail. Its status is
-- pending.
select * from fairclaim.settle_jobs('hand-2',
  array(select id from mine), array(select attempts from mine), array(select lease_token from mine),
  array['release']);

-- step 11: claim it again. It is the same job with attempts 2: every claim is an attempt with a
-- number of its own.
select id, type, payload, status, worker_id, attempts, lease_token
  from fairclaim.claim_job('hand-2');
