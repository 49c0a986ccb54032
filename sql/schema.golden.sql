-- The catalog of the schema fairclaim as a fresh installation leaves it. Written by `cargo xtask golden`, compared by a test.
-- It is there to be read in the diff of a change; nothing executes it. Names of ranges have <range> for their time.

create role fairclaim_auditor inherit nologin;
create role fairclaim_observer inherit nologin;
create role fairclaim_operator inherit nologin;
create role fairclaim_owner inherit nologin;
create role fairclaim_producer inherit nologin;
create role fairclaim_tenant inherit nologin;
create role fairclaim_worker inherit nologin;

create schema fairclaim authorization fairclaim_owner;
alter default privileges for role fairclaim_owner: execute on new functions to fairclaim_owner;
grant usage on schema fairclaim to fairclaim_auditor;
grant usage on schema fairclaim to fairclaim_observer;
grant usage on schema fairclaim to fairclaim_operator;
grant usage on schema fairclaim to fairclaim_producer;
grant usage on schema fairclaim to fairclaim_tenant;
grant usage on schema fairclaim to fairclaim_worker;

create table fairclaim.attempt_error (
  id uuid not null,
  tenant_id uuid not null,
  attempt integer not null,
  at timestamp with time zone not null,
  worker_id text,
  error jsonb,
  constraint attempt_error_pkey PRIMARY KEY (id, attempt, tenant_id)
) partition by RANGE (id);
CREATE UNIQUE INDEX attempt_error_pkey ON ONLY fairclaim.attempt_error USING btree (id, attempt, tenant_id);
alter table fairclaim.attempt_error enable row level security, force row level security;
create policy operator_read on fairclaim.attempt_error as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.attempt_error as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.attempt_error as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.attempt_error to fairclaim_auditor;
grant select on fairclaim.attempt_error to fairclaim_tenant;
grant select (id, tenant_id, attempt, at, worker_id) on fairclaim.attempt_error to fairclaim_operator;

create table fairclaim.attempt_error_<range> (
  id uuid not null,
  tenant_id uuid not null,
  attempt integer not null,
  at timestamp with time zone not null,
  worker_id text,
  error jsonb,
  constraint attempt_error_<range>_pkey PRIMARY KEY (id, attempt, tenant_id)
);
CREATE UNIQUE INDEX attempt_error_<range>_pkey ON fairclaim.attempt_error_<range> USING btree (id, attempt, tenant_id);
alter table fairclaim.attempt_error_<range> enable row level security, force row level security;
create policy owner_all on fairclaim.attempt_error_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.cancel_request (
  id uuid not null,
  tenant_id uuid not null,
  at timestamp with time zone not null
);
CREATE INDEX cancel_request_id ON fairclaim.cancel_request USING btree (id);
alter table fairclaim.cancel_request enable row level security, force row level security;
create policy operator_read on fairclaim.cancel_request as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.cancel_request as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.cancel_request as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.cancel_request to fairclaim_auditor;
grant select on fairclaim.cancel_request to fairclaim_operator;
grant select on fairclaim.cancel_request to fairclaim_tenant;

create table fairclaim.dispatch_progress (
  login name not null,
  source text collate "C" not null,
  lines bigint not null,
  dispatched bigint not null,
  refused bigint not null,
  digest bytea,
  defaults bytea,
  updated_at timestamp with time zone not null,
  constraint dispatch_progress_pkey PRIMARY KEY (login, source)
) with (fillfactor=50);
CREATE UNIQUE INDEX dispatch_progress_pkey ON fairclaim.dispatch_progress USING btree (login, source);
alter table fairclaim.dispatch_progress enable row level security, force row level security;
create policy owner_all on fairclaim.dispatch_progress as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.finished (
  id uuid not null,
  tenant_id uuid not null,
  completed_at timestamp with time zone not null,
  attempts integer not null,
  status text not null,
  worker_id text,
  result jsonb,
  error jsonb,
  constraint finished_status_check CHECK ((status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint finished_pkey PRIMARY KEY (id, tenant_id)
) partition by RANGE (id);
CREATE UNIQUE INDEX finished_pkey ON ONLY fairclaim.finished USING btree (id, tenant_id);
alter table fairclaim.finished enable row level security, force row level security;
create policy operator_read on fairclaim.finished as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.finished as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.finished as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.finished to fairclaim_auditor;
grant select on fairclaim.finished to fairclaim_tenant;
grant select (id, tenant_id, completed_at, attempts, status, worker_id) on fairclaim.finished to fairclaim_operator;

create table fairclaim.finished_<range> (
  id uuid not null,
  tenant_id uuid not null,
  completed_at timestamp with time zone not null,
  attempts integer not null,
  status text not null,
  worker_id text,
  result jsonb,
  error jsonb,
  constraint finished_status_check CHECK ((status = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text]))),
  constraint finished_<range>_pkey PRIMARY KEY (id, tenant_id)
);
CREATE UNIQUE INDEX finished_<range>_pkey ON fairclaim.finished_<range> USING btree (id, tenant_id);
alter table fairclaim.finished_<range> enable row level security, force row level security;
create policy owner_all on fairclaim.finished_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.floor_hint (
  hint_id bigint not null generated always as identity,
  lane_id bigint not null,
  constraint floor_hint_pkey PRIMARY KEY (hint_id)
);
CREATE UNIQUE INDEX floor_hint_pkey ON fairclaim.floor_hint USING btree (hint_id);
alter table fairclaim.floor_hint enable row level security, force row level security;
create policy owner_all on fairclaim.floor_hint as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.id_range (
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  constraint id_range_pkey PRIMARY KEY (starts_at)
);
CREATE UNIQUE INDEX id_range_pkey ON fairclaim.id_range USING btree (starts_at);
alter table fairclaim.id_range enable row level security, force row level security;
create policy owner_all on fairclaim.id_range as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.job (
  id uuid not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  priority smallint not null,
  max_attempts smallint not null,
  timeout interval,
  run_at timestamp with time zone,
  created_at timestamp with time zone not null,
  payload jsonb not null,
  tags text[] not null,
  metadata jsonb not null,
  constraint job_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE UNIQUE INDEX job_pkey ON ONLY fairclaim.job USING btree (tenant_id, id);
alter table fairclaim.job enable row level security, force row level security;
create policy operator_read on fairclaim.job as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.job as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.job as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.job to fairclaim_auditor;
grant select on fairclaim.job to fairclaim_tenant;
grant select (id, tenant_id, queue, type, priority, max_attempts, timeout, run_at, created_at, tags) on fairclaim.job to fairclaim_operator;

create table fairclaim.job_<range> (
  id uuid not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  priority smallint not null,
  max_attempts smallint not null,
  timeout interval,
  run_at timestamp with time zone,
  created_at timestamp with time zone not null,
  payload jsonb not null,
  tags text[] not null,
  metadata jsonb not null,
  constraint job_<range>_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX job_<range>_pkey ON fairclaim.job_<range> USING btree (tenant_id, id);
alter table fairclaim.job_<range> enable row level security, force row level security;
create policy owner_all on fairclaim.job_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.lane (
  lane_id bigint not null generated always as identity,
  turn bigint not null,
  floor bigint not null,
  drained bigint,
  opened_at timestamp with time zone not null,
  used_at timestamp with time zone not null,
  tenant_id uuid,
  weight smallint not null,
  priority smallint not null,
  queue text collate "C" not null,
  type text collate "C" not null,
  opened_by xid8 not null default pg_current_xact_id(),
  constraint lane_check CHECK (((tenant_id IS NOT NULL) OR (priority = 0))),
  constraint lane_pkey PRIMARY KEY (lane_id)
) with (fillfactor=10, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE INDEX lane_above ON fairclaim.lane USING btree (queue, tenant_id) WHERE ((tenant_id IS NOT NULL) AND (priority > 0));
CREATE UNIQUE INDEX lane_pkey ON fairclaim.lane USING btree (lane_id);
CREATE INDEX lane_shared ON fairclaim.lane USING btree (queue, type, lane_id) WHERE (tenant_id IS NULL);
CREATE INDEX lane_shared_id ON fairclaim.lane USING btree (lane_id) WHERE (tenant_id IS NULL);
CREATE INDEX lane_type ON fairclaim.lane USING btree (queue, type, turn, priority DESC, lane_id) WHERE (tenant_id IS NOT NULL);
CREATE INDEX lane_walk ON fairclaim.lane USING btree (queue, turn, priority DESC, lane_id) WHERE (tenant_id IS NOT NULL);
alter table fairclaim.lane enable row level security, force row level security;
create policy operator_read on fairclaim.lane as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.lane as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.lane as permissive for select to fairclaim_tenant using (((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)) OR ((tenant_id IS NULL) AND (EXISTS ( SELECT
   FROM fairclaim.ready y
  WHERE ((y.tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)) AND (y.lane_id = lane.lane_id)))))));
grant select on fairclaim.lane to fairclaim_auditor;
grant select on fairclaim.lane to fairclaim_operator;
grant select (lane_id, turn, tenant_id, queue, type) on fairclaim.lane to fairclaim_tenant;

create table fairclaim.login_tenant (
  login name not null,
  source text not null,
  tenant_id uuid,
  constraint login_tenant_check CHECK (((source = 'fixed'::text) = (tenant_id IS NOT NULL))),
  constraint login_tenant_source_check CHECK ((source = ANY (ARRAY['fixed'::text, 'setting'::text, 'claims'::text]))),
  constraint login_tenant_pkey PRIMARY KEY (login)
);
CREATE UNIQUE INDEX login_tenant_pkey ON fairclaim.login_tenant USING btree (login);
alter table fairclaim.login_tenant enable row level security, force row level security;
create policy owner_all on fairclaim.login_tenant as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.migration (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default clock_timestamp(),
  constraint migration_pkey PRIMARY KEY (version)
);
CREATE UNIQUE INDEX migration_pkey ON fairclaim.migration USING btree (version);
alter table fairclaim.migration enable row level security, force row level security;
create policy owner_all on fairclaim.migration as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.queue (
  name text collate "C" not null,
  paused_at timestamp with time zone,
  constraint queue_pkey PRIMARY KEY (name)
);
CREATE UNIQUE INDEX queue_pkey ON fairclaim.queue USING btree (name);
alter table fairclaim.queue enable row level security, force row level security;
create policy owner_all on fairclaim.queue as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.ready (
  lane_id bigint not null,
  seq bigint not null default nextval('fairclaim.ready_seq'::regclass),
  id uuid not null,
  tenant_id uuid not null,
  attempts integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  constraint ready_pkey PRIMARY KEY (lane_id, seq)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE UNIQUE INDEX ready_pkey ON fairclaim.ready USING btree (lane_id, seq);
CREATE INDEX ready_tenant ON fairclaim.ready USING btree (tenant_id, lane_id, id);
alter table fairclaim.ready enable row level security, force row level security;
create policy operator_read on fairclaim.ready as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.ready as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.ready as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.ready to fairclaim_auditor;
grant select on fairclaim.ready to fairclaim_operator;
grant select (lane_id, id, tenant_id, attempts, attempts_left, lost) on fairclaim.ready to fairclaim_tenant;

create table fairclaim.renewal (
  lane_id bigint not null,
  next_seq bigint not null,
  end_seq bigint not null
);
alter table fairclaim.renewal enable row level security, force row level security;
create policy owner_all on fairclaim.renewal as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.running (
  id uuid not null,
  tenant_id uuid not null,
  lease_token uuid not null,
  lease_expires_at timestamp with time zone not null,
  attempt integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  limited boolean not null,
  worker_id text not null,
  constraint running_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0, fillfactor=80);
CREATE INDEX running_limited ON fairclaim.running USING btree (tenant_id) WHERE limited;
CREATE UNIQUE INDEX running_pkey ON fairclaim.running USING btree (id);
alter table fairclaim.running enable row level security, force row level security;
create policy operator_read on fairclaim.running as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.running as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.running as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim.running to fairclaim_auditor;
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim.running to fairclaim_operator;
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim.running to fairclaim_tenant;

create table fairclaim.scheduled (
  run_at timestamp with time zone not null,
  id uuid not null,
  tenant_id uuid not null,
  attempts integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  constraint scheduled_pkey PRIMARY KEY (run_at, id)
);
CREATE UNIQUE INDEX scheduled_id ON fairclaim.scheduled USING btree (id);
CREATE UNIQUE INDEX scheduled_pkey ON fairclaim.scheduled USING btree (run_at, id);
alter table fairclaim.scheduled enable row level security, force row level security;
create policy operator_read on fairclaim.scheduled as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim.scheduled as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim.scheduled as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim.scheduled to fairclaim_auditor;
grant select on fairclaim.scheduled to fairclaim_operator;
grant select on fairclaim.scheduled to fairclaim_tenant;

create table fairclaim.setting (
  one boolean not null default true,
  retention interval not null default '7 days'::interval,
  max_payload integer not null default 1048576,
  close_delay interval not null default '00:00:10'::interval,
  constraint setting_max_payload_check CHECK ((max_payload >= 1024)),
  constraint setting_one_check CHECK (one),
  constraint setting_pkey PRIMARY KEY (one)
);
CREATE UNIQUE INDEX setting_pkey ON fairclaim.setting USING btree (one);
alter table fairclaim.setting enable row level security, force row level security;
create policy owner_all on fairclaim.setting as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.tenant (
  tenant_id uuid not null,
  weight smallint not null default 1,
  constraint tenant_weight_check CHECK (((weight >= 1) AND (weight <= 100))),
  constraint tenant_pkey PRIMARY KEY (tenant_id)
);
CREATE UNIQUE INDEX tenant_pkey ON fairclaim.tenant USING btree (tenant_id);
alter table fairclaim.tenant enable row level security, force row level security;
create policy owner_all on fairclaim.tenant as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.tenant_limit (
  tenant_id uuid not null,
  max_running integer not null,
  seen bigint,
  active boolean not null default false,
  constraint tenant_limit_max_running_check CHECK ((max_running >= 0)),
  constraint tenant_limit_pkey PRIMARY KEY (tenant_id)
);
CREATE UNIQUE INDEX tenant_limit_pkey ON fairclaim.tenant_limit USING btree (tenant_id);
alter table fairclaim.tenant_limit enable row level security, force row level security;
create policy owner_all on fairclaim.tenant_limit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.tick_lock (
  one boolean not null default true,
  constraint tick_lock_one_check CHECK (one),
  constraint tick_lock_pkey PRIMARY KEY (one)
);
CREATE UNIQUE INDEX tick_lock_pkey ON fairclaim.tick_lock USING btree (one);
alter table fairclaim.tick_lock enable row level security, force row level security;
create policy owner_all on fairclaim.tick_lock as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim.tick_state (
  one boolean not null default true,
  n bigint not null default 0,
  mark bigint not null default 0,
  safe bigint not null default 0,
  shared_safe bigint not null default 0,
  holders text[] not null default '{}'::text[],
  holder_n bigint[] not null default '{}'::bigint[],
  holder_mark bigint[] not null default '{}'::bigint[],
  slice bigint not null default 0,
  shared_slice bigint not null default 0,
  sweep bigint not null default 0,
  hint bigint not null default 0,
  sched_floor timestamp with time zone not null default '-infinity'::timestamp with time zone,
  reaped_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint tick_state_one_check CHECK (one),
  constraint tick_state_pkey PRIMARY KEY (one)
) with (fillfactor=20);
CREATE UNIQUE INDEX tick_state_pkey ON fairclaim.tick_state USING btree (one);
alter table fairclaim.tick_state enable row level security, force row level security;
create policy owner_all on fairclaim.tick_state as permissive for all to fairclaim_owner using (true) with check (true);

create sequence fairclaim.floor_hint_hint_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim.floor_hint.hint_id;

create unlogged sequence fairclaim.idle_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim.lane_lane_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim.lane.lane_id;

create unlogged sequence fairclaim.notified_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim.range_end as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim.ready_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim.shared_since as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create view fairclaim.job_overview with (security_invoker=true) as
 SELECT j.id,
    j.tenant_id,
    j.type,
    COALESCE(f.status,
        CASE
            WHEN r.id IS NOT NULL THEN 'processing'::text
            WHEN s.id IS NOT NULL THEN 'scheduled'::text
            ELSE 'pending'::text
        END) AS status,
    COALESCE(f.worker_id, r.worker_id) AS worker_id,
    COALESCE(f.attempts, r.attempt, s.attempts, y.attempts, 0) AS attempts,
    s.run_at AS next_retry_at,
    j.created_at,
    f.completed_at,
    j.queue,
    j.priority::integer AS priority,
    j.max_attempts::integer AS max_attempts,
    j.timeout,
    j.tags
   FROM fairclaim.job j
     LEFT JOIN fairclaim.finished f ON f.id = j.id AND f.tenant_id = j.tenant_id
     LEFT JOIN fairclaim.running r ON r.id = j.id
     LEFT JOIN fairclaim.scheduled s ON s.id = j.id
     LEFT JOIN LATERAL ( SELECT y_1.attempts
           FROM ( SELECT l_1.lane_id
                   FROM fairclaim.lane l_1
                  WHERE l_1.tenant_id IS NULL AND l_1.queue = j.queue AND l_1.type = j.type
                UNION ALL
                 SELECT l_1.lane_id
                   FROM fairclaim.lane l_1
                  WHERE l_1.tenant_id = j.tenant_id AND l_1.queue = j.queue AND l_1.type = j.type AND l_1.turn = uuid_hash_extended(j.tenant_id, hashtextextended(j.queue, 0::bigint))) l
             CROSS JOIN LATERAL ( SELECT y_2.attempts
                   FROM fairclaim.ready y_2
                  WHERE y_2.tenant_id = j.tenant_id AND y_2.lane_id = l.lane_id AND y_2.id = j.id
                 OFFSET 0) y_1
          WHERE f.id IS NULL AND r.id IS NULL AND s.id IS NULL
         LIMIT 1) y ON true;
-- column id uuid
-- column tenant_id uuid
-- column type text
-- column status text
-- column worker_id text
-- column attempts integer
-- column next_retry_at timestamp with time zone
-- column created_at timestamp with time zone
-- column completed_at timestamp with time zone
-- column queue text
-- column priority integer
-- column max_attempts integer
-- column timeout interval
-- column tags text[]
grant select on fairclaim.job_overview to fairclaim_auditor;
grant select on fairclaim.job_overview to fairclaim_operator;
grant select on fairclaim.job_overview to fairclaim_tenant;

create view fairclaim.job_queue with (security_invoker=true) as
 SELECT j.id,
    j.tenant_id,
    j.type,
    COALESCE(f.status,
        CASE
            WHEN r.id IS NOT NULL THEN 'processing'::text
            WHEN s.id IS NOT NULL THEN 'scheduled'::text
            ELSE 'pending'::text
        END) AS status,
    j.payload,
    f.result,
    COALESCE(f.worker_id, r.worker_id) AS worker_id,
    COALESCE(f.attempts, r.attempt, s.attempts, y.attempts, 0) AS attempts,
    s.run_at AS next_retry_at,
    j.created_at,
    f.completed_at,
    j.queue,
    j.priority::integer AS priority,
    j.max_attempts::integer AS max_attempts,
    COALESCE(r.attempts_left, s.attempts_left, y.attempts_left)::integer AS attempts_left,
    COALESCE(r.lost, s.lost, y.lost)::integer AS lost,
    r.lease_expires_at,
    r.id IS NOT NULL AND (EXISTS ( SELECT
           FROM fairclaim.cancel_request c
          WHERE c.id = j.id)) AS cancel_requested,
    f.error,
    j.timeout,
    j.tags,
    j.metadata
   FROM fairclaim.job j
     LEFT JOIN fairclaim.finished f ON f.id = j.id AND f.tenant_id = j.tenant_id
     LEFT JOIN fairclaim.running r ON r.id = j.id
     LEFT JOIN fairclaim.scheduled s ON s.id = j.id
     LEFT JOIN LATERAL ( SELECT y_1.attempts,
            y_1.attempts_left,
            y_1.lost
           FROM ( SELECT l_1.lane_id
                   FROM fairclaim.lane l_1
                  WHERE l_1.tenant_id IS NULL AND l_1.queue = j.queue AND l_1.type = j.type
                UNION ALL
                 SELECT l_1.lane_id
                   FROM fairclaim.lane l_1
                  WHERE l_1.tenant_id = j.tenant_id AND l_1.queue = j.queue AND l_1.type = j.type AND l_1.turn = uuid_hash_extended(j.tenant_id, hashtextextended(j.queue, 0::bigint))) l
             CROSS JOIN LATERAL ( SELECT y_2.attempts,
                    y_2.attempts_left,
                    y_2.lost
                   FROM fairclaim.ready y_2
                  WHERE y_2.tenant_id = j.tenant_id AND y_2.lane_id = l.lane_id AND y_2.id = j.id
                 OFFSET 0) y_1
          WHERE f.id IS NULL AND r.id IS NULL AND s.id IS NULL
         LIMIT 1) y ON true;
-- column id uuid
-- column tenant_id uuid
-- column type text
-- column status text
-- column payload jsonb
-- column result jsonb
-- column worker_id text
-- column attempts integer
-- column next_retry_at timestamp with time zone
-- column created_at timestamp with time zone
-- column completed_at timestamp with time zone
-- column queue text
-- column priority integer
-- column max_attempts integer
-- column attempts_left integer
-- column lost integer
-- column lease_expires_at timestamp with time zone
-- column cancel_requested boolean
-- column error jsonb
-- column timeout interval
-- column tags text[]
-- column metadata jsonb
grant select on fairclaim.job_queue to fairclaim_auditor;
grant select on fairclaim.job_queue to fairclaim_tenant;

create function fairclaim.apply_limits(p_tick bigint, p_oldest bigint, p_slice bigint)
  returns integer
  language plpgsql volatile;

create function fairclaim.caller()
  returns name
  language sql stable;

create function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.cancel_jobs to fairclaim_operator;
grant execute on function fairclaim.cancel_jobs to fairclaim_producer;

create function fairclaim.check_batch(p_jobs jsonb)
  returns void
  language plpgsql volatile;

create function fairclaim.check_claim(p_worker_id text, p_queues text[], p_limit integer, p_types text[], p_lease interval)
  returns void
  language plpgsql volatile;

create function fairclaim.check_cursor(p_cursor text)
  returns text[]
  language plpgsql immutable;

create function fairclaim.check_filter(p_status text, p_older_than interval, p_newer_than interval, p_error text)
  returns void
  language plpgsql stable;

create function fairclaim.check_scope(p_tenant_id uuid, p_ids uuid[])
  returns void
  language plpgsql stable;

create function fairclaim.check_settle(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results jsonb[], p_errors jsonb[], p_delays double precision[])
  returns void
  language plpgsql volatile;

create function fairclaim.claim_from_queue(p_queue text, p_limit integer, p_types text[], p_limited boolean, INOUT p_pos bigint, INOUT p_used integer, INOUT p_shared integer, p_taken uuid[], OUT ids uuid[], OUT tenants uuid[], OUT attempts integer[], OUT lefts smallint[], OUT losts smallint[])
  returns record
  language plpgsql volatile;

create function fairclaim.claim_job(p_worker_id text, p_queues text[] DEFAULT NULL::text[], p_types text[] DEFAULT NULL::text[], p_lease interval DEFAULT '00:00:30'::interval)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone)
  language plpgsql volatile security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.claim_job to fairclaim_worker;

create function fairclaim.claim_jobs(p_worker_id text, p_queues text[], p_limit integer, p_types text[] DEFAULT NULL::text[], p_lease interval DEFAULT '00:00:30'::interval, p_cursor text DEFAULT NULL::text, p_lease_token uuid DEFAULT NULL::uuid)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text)
  language plpgsql volatile security definer
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set enable_sort=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.claim_jobs to fairclaim_worker;

create function fairclaim.claim_one(p_worker_id text, p_queue text, p_pos bigint, p_used integer, p_shared integer, p_token uuid, p_expires timestamp with time zone, p_rest text)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text)
  language plpgsql volatile;

create function fairclaim.claim_own(p_queue text, p_limit integer, p_types text[], p_limited boolean, INOUT p_pos bigint, INOUT p_used integer, p_taken uuid[], OUT ids uuid[], OUT tenants uuid[], OUT attempts integer[], OUT lefts smallint[], OUT losts smallint[])
  returns record
  language plpgsql volatile;

create function fairclaim.clip_error(p_error jsonb)
  returns jsonb
  language sql immutable;

create function fairclaim.clock()
  returns timestamp with time zone
  language sql volatile parallel safe;
grant execute on function fairclaim.clock to fairclaim_auditor;
grant execute on function fairclaim.clock to fairclaim_observer;
grant execute on function fairclaim.clock to fairclaim_operator;
grant execute on function fairclaim.clock to fairclaim_producer;
grant execute on function fairclaim.clock to fairclaim_tenant;
grant execute on function fairclaim.clock to fairclaim_worker;

create function fairclaim.close_lanes(INOUT p_state fairclaim.tick_state, p_oldest bigint, p_now timestamp with time zone, OUT closed integer, OUT deleted integer)
  returns record
  language plpgsql volatile;

create function fairclaim.count_jobs(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_status text DEFAULT NULL::text, p_older_than interval DEFAULT NULL::interval, p_newer_than interval DEFAULT NULL::interval, p_error text DEFAULT NULL::text, p_up_to integer DEFAULT 10000, p_before_id uuid DEFAULT NULL::uuid)
  returns TABLE(jobs integer, more boolean)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.count_jobs to fairclaim_auditor;
grant execute on function fairclaim.count_jobs to fairclaim_operator;

create function fairclaim.current_tenant_id()
  returns uuid
  language plpgsql stable security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.current_tenant_id to fairclaim_tenant;

create function fairclaim.dispatch_job(p_tenant_id uuid, p_type text, p_payload jsonb DEFAULT '{}'::jsonb, p_queue text DEFAULT 'default'::text, p_priority integer DEFAULT 0, p_run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_max_attempts integer DEFAULT 25, p_timeout interval DEFAULT NULL::interval, p_tags text[] DEFAULT '{}'::text[], p_metadata jsonb DEFAULT '{}'::jsonb)
  returns uuid
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.dispatch_job to fairclaim_producer;

create function fairclaim.dispatch_jobs(p_jobs jsonb)
  returns TABLE(ordinal integer, id uuid, created boolean)
  language plpgsql volatile security definer
  set enable_mergejoin=off
  set enable_nestloop=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.dispatch_jobs to fairclaim_producer;

create function fairclaim.dispatch_lines(p_source text, p_after bigint, p_through bigint, p_jobs jsonb, p_refused integer DEFAULT 0, p_digest bytea DEFAULT NULL::bytea, p_defaults bytea DEFAULT NULL::bytea, p_anew boolean DEFAULT false)
  returns TABLE(accepted boolean, lines bigint, dispatched bigint, refused bigint, digest bytea, defaults bytea)
  language plpgsql volatile security definer
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.dispatch_lines to fairclaim_producer;

create function fairclaim.doctor_limits()
  returns TABLE(limited bigint, paused bigint, inactive bigint, inactive_ticks bigint, at_limit bigint)
  language sql stable security definer
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_limits to fairclaim_observer;
grant execute on function fairclaim.doctor_limits to fairclaim_operator;

create function fairclaim.doctor_migrations()
  returns TABLE(version integer, name text, checksum text)
  language sql stable security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_migrations to fairclaim_observer;
grant execute on function fairclaim.doctor_migrations to fairclaim_operator;

create function fairclaim.doctor_queues()
  returns TABLE(queue text, paused_at timestamp with time zone)
  language sql stable security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_queues to fairclaim_observer;
grant execute on function fairclaim.doctor_queues to fairclaim_operator;

create function fairclaim.doctor_state()
  returns TABLE(now_at timestamp with time zone, ticked_at timestamp with time zone, ticks bigint, safe_lag bigint, holders text[], holder_ticks bigint[], ranges_end timestamp with time zone, range_width interval, retention interval, overdue_since timestamp with time zone, expired bigint, expired_since timestamp with time zone, running bigint)
  language sql volatile security definer
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_state to fairclaim_observer;
grant execute on function fairclaim.doctor_state to fairclaim_operator;

create function fairclaim.doctor_strays()
  returns bigint
  language sql stable security definer
  set enable_seqscan=off
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_strays to fairclaim_observer;
grant execute on function fairclaim.doctor_strays to fairclaim_operator;

create function fairclaim.doctor_waiting()
  returns TABLE(queue text, type text, paused boolean, runs boolean, waits interval)
  language sql volatile security definer
  set enable_seqscan=off
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_waiting to fairclaim_observer;
grant execute on function fairclaim.doctor_waiting to fairclaim_operator;

create function fairclaim.drop_range(p_starts_at timestamp with time zone, p_before timestamp with time zone)
  returns integer
  language plpgsql volatile;

create function fairclaim.end_cancelled(p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_seqscan=off
  set jit=off;

create function fairclaim.end_waiting(p_ids uuid[], p_tenants uuid[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off;

create function fairclaim.error_has(p_error jsonb, p_text text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.extend_leases(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_lease interval DEFAULT '00:00:30'::interval)
  returns TABLE(id uuid, accepted boolean, cancel_requested boolean)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.extend_leases to fairclaim_worker;

create function fairclaim.extras_fault(p_tags text[], p_metadata jsonb)
  returns text
  language sql immutable;

create function fairclaim.find_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, tenant_id uuid)
  language plpgsql stable;

create function fairclaim.has_above(p_queue text, p_tenant_id uuid, p_types text[])
  returns boolean
  language sql stable;

create function fairclaim.id_at(p_ms bigint)
  returns uuid
  language sql immutable parallel safe;

create function fairclaim.id_prefix(p_now timestamp with time zone)
  returns text
  language plpgsql volatile;

create function fairclaim.into_lane(p_id uuid, p_tenant_id uuid, p_queue text, p_type text, p_priority integer, p_attempts_left integer)
  returns void
  language plpgsql volatile;

create function fairclaim.into_lanes(p_tenants uuid[], p_ids uuid[], p_queues text[], p_types text[], p_priorities smallint[], p_attempts integer[], p_left smallint[], p_lost smallint[], p_since uuid)
  returns integer
  language plpgsql volatile
  set enable_hashjoin=on
  set enable_mergejoin=off
  set enable_nestloop=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.is_cursor_entry(p_entry text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.is_name(p_name text, p_upper boolean DEFAULT false)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.json_depth(p_value jsonb)
  returns integer
  language sql immutable;

create function fairclaim.json_fault(p_value jsonb, p_max_bytes integer)
  returns text
  language plpgsql immutable;

create function fairclaim.leave_hints(p_queue text, p_turns bigint[], p_probed integer, p_ordinals integer[], p_lanes bigint[])
  returns void
  language plpgsql volatile;

create function fairclaim.list_jobs(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_status text DEFAULT NULL::text, p_before_id uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100, p_older_than interval DEFAULT NULL::interval, p_newer_than interval DEFAULT NULL::interval, p_error text DEFAULT NULL::text)
  returns TABLE(id uuid, tenant_id uuid, queue text, type text, status text, priority integer, attempts integer, max_attempts integer, worker_id text, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, tags text[])
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.list_jobs to fairclaim_auditor;
grant execute on function fairclaim.list_jobs to fairclaim_operator;

create function fairclaim.list_queues(p_up_to integer DEFAULT 10000)
  returns TABLE(queue text, paused_at timestamp with time zone, waiting integer, tenants_waiting integer, oldest_waiting_at timestamp with time zone, scheduled integer, running integer, at_least text[])
  language plpgsql stable security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_custom_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.list_queues to fairclaim_operator;

create function fairclaim.make_ranges(p_until timestamp with time zone)
  returns integer
  language plpgsql volatile security definer
  set lock_timeout=100ms
  set search_path=pg_catalog, pg_temp;

create function fairclaim.mark_holders(INOUT p_state fairclaim.tick_state, OUT oldest bigint)
  returns record
  language plpgsql volatile;

create function fairclaim.matching_jobs(p_tenant_id uuid, p_queue text, p_type text, p_status text, p_before_id uuid, p_older_than interval, p_newer_than interval, p_error text, p_limit integer)
  returns TABLE(id uuid, tenant_id uuid)
  language plpgsql stable;

create function fairclaim.millis(p_at timestamp with time zone)
  returns bigint
  language sql immutable parallel safe;

create function fairclaim.move_floors(INOUT p_state fairclaim.tick_state, p_now timestamp with time zone, OUT moved integer)
  returns record
  language plpgsql volatile;

create function fairclaim.next_turns(p_queue text, p_types text[], p_pos bigint, p_used integer, p_limit integer, p_walk integer, OUT turns bigint[], OUT tenants uuid[], OUT quanta integer[], OUT weights integer[])
  returns record
  language plpgsql volatile;

create function fairclaim.note_idle(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.open_queues(p_queues text[])
  returns text[]
  language plpgsql stable;

create function fairclaim.pause_queue(p_queue text)
  returns TABLE(queue text, paused_at timestamp with time zone, was_paused boolean, in_use boolean)
  language plpgsql volatile security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.pause_queue to fairclaim_operator;

create function fairclaim.payload_fault(p_payload jsonb)
  returns text
  language sql stable;

create function fairclaim.promote_due(p_now timestamp with time zone, p_floor timestamp with time zone)
  returns integer
  language plpgsql volatile;

create function fairclaim.prune(p_retention interval DEFAULT NULL::interval)
  returns TABLE(ranges_dropped integer, rows_deleted bigint)
  language plpgsql volatile security definer
  set jit=off
  set lock_timeout=100ms
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.prune to fairclaim_operator;
grant execute on function fairclaim.prune to fairclaim_worker;

create function fairclaim.queue_in_use(p_queue text)
  returns boolean
  language sql stable;

create function fairclaim.refuse(p_code text, p_field text, p_rule text, p_hint text DEFAULT NULL::text)
  returns void
  language plpgsql volatile;

create function fairclaim.refuse_late(p_expires timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.release_claims(p_worker_id text, p_lease_tokens uuid[])
  returns TABLE(lease_token uuid, jobs integer)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.release_claims to fairclaim_worker;

create function fairclaim.renew_passed()
  returns integer
  language plpgsql volatile;

create function fairclaim.resume_queue(p_queue text)
  returns TABLE(queue text, paused_at timestamp with time zone, was_paused boolean, in_use boolean)
  language plpgsql volatile security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.resume_queue to fairclaim_operator;

create function fairclaim.retry_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set jit=off
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.retry_jobs to fairclaim_operator;
grant execute on function fairclaim.retry_jobs to fairclaim_producer;

create function fairclaim.return_expired(p_now timestamp with time zone)
  returns integer
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.room_under_limits(p_queue text, p_types text[], p_turns bigint[], p_tenants uuid[], p_quanta integer[], p_limit integer, p_taken uuid[])
  returns integer[]
  language plpgsql volatile;

create function fairclaim.schema_version()
  returns integer
  language sql stable security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.schema_version to fairclaim_auditor;
grant execute on function fairclaim.schema_version to fairclaim_observer;
grant execute on function fairclaim.schema_version to fairclaim_operator;
grant execute on function fairclaim.schema_version to fairclaim_producer;
grant execute on function fairclaim.schema_version to fairclaim_tenant;
grant execute on function fairclaim.schema_version to fairclaim_worker;

create function fairclaim.secure_table(p_table text)
  returns void
  language plpgsql volatile;

create function fairclaim.settle_and_claim(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results jsonb[], p_errors jsonb[], p_delays double precision[], p_queues text[], p_limit integer, p_types text[] DEFAULT NULL::text[], p_lease interval DEFAULT '00:00:30'::interval, p_cursor text DEFAULT NULL::text, p_lease_token uuid DEFAULT NULL::uuid)
  returns TABLE(kind text, accepted boolean, id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text)
  language plpgsql volatile security definer
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.settle_and_claim to fairclaim_worker;

create function fairclaim.settle_jobs(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results jsonb[] DEFAULT NULL::jsonb[], p_errors jsonb[] DEFAULT NULL::jsonb[], p_delays double precision[] DEFAULT NULL::double precision[])
  returns TABLE(id uuid, accepted boolean, status text)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.settle_jobs to fairclaim_worker;

create function fairclaim.settle_mixed(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results jsonb[], p_errors jsonb[], p_delays double precision[])
  returns TABLE(id uuid, accepted boolean, status text)
  language plpgsql volatile
  set enable_hashjoin=on
  set enable_nestloop=off;

create function fairclaim.show_job(p_id uuid, p_tenant_id uuid DEFAULT NULL::uuid)
  returns TABLE(id uuid, tenant_id uuid, queue text, type text, status text, priority integer, attempts integer, max_attempts integer, worker_id text, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, tags text[], payload jsonb, result jsonb, error jsonb, metadata jsonb, timeout interval, errors jsonb)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.show_job to fairclaim_auditor;
grant execute on function fairclaim.show_job to fairclaim_operator;

create function fairclaim.start_attempts(p_worker_id text, p_ids uuid[], p_tenants uuid[], p_attempts integer[], p_lefts smallint[], p_losts smallint[], p_limited boolean, p_token uuid, p_expires timestamp with time zone, p_cursor text)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout interval, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text)
  language plpgsql volatile;

create function fairclaim.status_of(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language sql stable;

create function fairclaim.sweep_ready(INOUT p_state fairclaim.tick_state, OUT swept integer)
  returns record
  language plpgsql volatile;

create function fairclaim.take_own(p_queue text, p_types text[], p_turns bigint[], p_quanta integer[], p_limit integer, OUT ordinals integer[], OUT lanes bigint[], OUT ids uuid[], OUT tenants uuid[], OUT attempts integer[], OUT lefts smallint[], OUT losts smallint[])
  returns record
  language plpgsql volatile;

create function fairclaim.take_shared(p_queue text, p_lanes bigint[], p_floors bigint[], p_limit integer, p_types text[], p_limited boolean, p_above boolean, p_rest boolean, OUT ids uuid[], OUT tenants uuid[], OUT attempts integer[], OUT lefts smallint[], OUT losts smallint[])
  returns record
  language plpgsql volatile;

create function fairclaim.tenant_uuid(p_name text)
  returns uuid
  language plpgsql immutable parallel safe
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.tenant_uuid to fairclaim_auditor;
grant execute on function fairclaim.tenant_uuid to fairclaim_observer;
grant execute on function fairclaim.tenant_uuid to fairclaim_operator;
grant execute on function fairclaim.tenant_uuid to fairclaim_producer;
grant execute on function fairclaim.tenant_uuid to fairclaim_tenant;
grant execute on function fairclaim.tenant_uuid to fairclaim_worker;

create function fairclaim.tick()
  returns TABLE(promoted integer, returned integer, moved integer, floors integer, closed integer, deleted integer, safe_lag bigint, busy boolean, next_tick_in interval)
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.tick to fairclaim_operator;
grant execute on function fairclaim.tick to fairclaim_worker;

create function fairclaim.to_ready(p_tenants uuid[], p_ids uuid[], p_attempts integer[], p_left smallint[], p_lost smallint[])
  returns integer
  language plpgsql volatile;

create function fairclaim.wake(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;
