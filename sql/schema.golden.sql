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

create schema fairclaim_internal authorization fairclaim_owner;

create table fairclaim_internal.at_limit (
  at_limit_id bigint not null generated always as identity,
  tenant_id uuid not null,
  queue text collate "C" not null,
  jobs bigint not null,
  since timestamp with time zone not null,
  is_stable boolean not null,
  constraint at_limit_pkey PRIMARY KEY (at_limit_id)
) with (fillfactor=50);
CREATE UNIQUE INDEX at_limit_pkey ON fairclaim_internal.at_limit USING btree (at_limit_id);
CREATE INDEX at_limit_tenant ON fairclaim_internal.at_limit USING btree (tenant_id) WHERE is_stable;
alter table fairclaim_internal.at_limit enable row level security, force row level security;
create policy owner_all on fairclaim_internal.at_limit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.attempt_error (
  id uuid not null,
  tenant_id uuid not null,
  attempt integer not null,
  at timestamp with time zone not null,
  worker_id text,
  error jsonb,
  constraint attempt_error_pkey PRIMARY KEY (id, attempt, tenant_id)
) partition by RANGE (id);
CREATE UNIQUE INDEX attempt_error_pkey ON ONLY fairclaim_internal.attempt_error USING btree (id, attempt, tenant_id);
alter table fairclaim_internal.attempt_error enable row level security, force row level security;
create policy operator_read on fairclaim_internal.attempt_error as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.attempt_error as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.attempt_error as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.attempt_error to fairclaim_auditor;
grant select on fairclaim_internal.attempt_error to fairclaim_tenant;
grant select (id, tenant_id, attempt, at, worker_id) on fairclaim_internal.attempt_error to fairclaim_operator;

create table fairclaim_internal.attempt_error_<range> (
  id uuid not null,
  tenant_id uuid not null,
  attempt integer not null,
  at timestamp with time zone not null,
  worker_id text,
  error jsonb,
  constraint attempt_error_<range>_pkey PRIMARY KEY (id, attempt, tenant_id)
);
CREATE UNIQUE INDEX attempt_error_<range>_pkey ON fairclaim_internal.attempt_error_<range> USING btree (id, attempt, tenant_id);
alter table fairclaim_internal.attempt_error_<range> enable row level security, force row level security;
create policy owner_all on fairclaim_internal.attempt_error_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.audit (
  audit_id bigint not null generated always as identity,
  at timestamp with time zone not null,
  who text not null,
  what text collate "C" not null,
  subject text collate "C" not null,
  tenant_id uuid,
  queue text collate "C",
  old_value text,
  new_value text,
  until timestamp with time zone,
  why text,
  many integer not null,
  constraint audit_pkey PRIMARY KEY (audit_id)
);
CREATE UNIQUE INDEX audit_pkey ON fairclaim_internal.audit USING btree (audit_id);
CREATE INDEX audit_tenant ON fairclaim_internal.audit USING btree (tenant_id, audit_id) WHERE (tenant_id IS NOT NULL);
alter table fairclaim_internal.audit enable row level security, force row level security;
create policy owner_all on fairclaim_internal.audit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.bound (
  bound_id bigint not null generated always as identity,
  kind text collate "C" not null,
  subject text collate "C" not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  key text collate "C",
  layer text collate "C" not null,
  value integer,
  share double precision,
  period double precision,
  burst integer,
  refuses boolean,
  set_by text not null,
  why text,
  until timestamp with time zone,
  set_at timestamp with time zone not null,
  constraint bound_kind_check CHECK ((kind = ANY (ARRAY['weight'::text, 'running'::text, 'waiting'::text, 'paused'::text]))),
  constraint bound_layer_check CHECK ((layer = ANY (ARRAY['base'::text, 'override'::text]))),
  constraint bound_subject_check CHECK ((subject = ANY (ARRAY['tenant'::text, 'default'::text, 'queue'::text]))),
  constraint bound_pkey PRIMARY KEY (bound_id),
  constraint bound_place UNIQUE NULLS NOT DISTINCT (tenant_id, queue, kind, subject, key, layer)
);
CREATE UNIQUE INDEX bound_pkey ON fairclaim_internal.bound USING btree (bound_id);
CREATE UNIQUE INDEX bound_place ON fairclaim_internal.bound USING btree (tenant_id, queue, kind, subject, key, layer) NULLS NOT DISTINCT;
CREATE INDEX bound_until ON fairclaim_internal.bound USING btree (until) WHERE (until IS NOT NULL);
alter table fairclaim_internal.bound enable row level security, force row level security;
create policy owner_all on fairclaim_internal.bound as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.build (
  one boolean not null default true,
  contents jsonb not null,
  constraint build_one_check CHECK (one),
  constraint build_pkey PRIMARY KEY (one)
);
CREATE UNIQUE INDEX build_pkey ON fairclaim_internal.build USING btree (one);
alter table fairclaim_internal.build enable row level security, force row level security;
create policy owner_all on fairclaim_internal.build as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.cancel_request (
  id uuid not null,
  tenant_id uuid not null,
  at timestamp with time zone not null,
  request_id bigint not null generated always as identity,
  constraint cancel_request_pkey PRIMARY KEY (request_id)
);
CREATE INDEX cancel_request_id ON fairclaim_internal.cancel_request USING btree (id);
CREATE UNIQUE INDEX cancel_request_pkey ON fairclaim_internal.cancel_request USING btree (request_id);
alter table fairclaim_internal.cancel_request enable row level security, force row level security;
create policy operator_read on fairclaim_internal.cancel_request as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.cancel_request as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.cancel_request as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.cancel_request to fairclaim_auditor;
grant select on fairclaim_internal.cancel_request to fairclaim_operator;
grant select on fairclaim_internal.cancel_request to fairclaim_tenant;

create table fairclaim_internal.claim_lock (
  slot integer not null,
  constraint claim_lock_pkey PRIMARY KEY (slot)
);
CREATE UNIQUE INDEX claim_lock_pkey ON fairclaim_internal.claim_lock USING btree (slot);
alter table fairclaim_internal.claim_lock enable row level security, force row level security;
create policy owner_all on fairclaim_internal.claim_lock as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.delayed_job (
  tenant_id uuid not null,
  id uuid not null,
  queue text collate "C" not null,
  run_at timestamp with time zone not null,
  constraint delayed_job_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX delayed_job_pkey ON fairclaim_internal.delayed_job USING btree (tenant_id, id);
alter table fairclaim_internal.delayed_job enable row level security, force row level security;
create policy owner_all on fairclaim_internal.delayed_job as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.dispatch_progress (
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
CREATE UNIQUE INDEX dispatch_progress_pkey ON fairclaim_internal.dispatch_progress USING btree (login, source);
alter table fairclaim_internal.dispatch_progress enable row level security, force row level security;
create policy owner_all on fairclaim_internal.dispatch_progress as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.finished (
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
CREATE UNIQUE INDEX finished_pkey ON ONLY fairclaim_internal.finished USING btree (id, tenant_id);
alter table fairclaim_internal.finished enable row level security, force row level security;
create policy operator_read on fairclaim_internal.finished as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.finished as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.finished as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.finished to fairclaim_auditor;
grant select on fairclaim_internal.finished to fairclaim_tenant;
grant select (id, tenant_id, completed_at, attempts, status, worker_id) on fairclaim_internal.finished to fairclaim_operator;

create table fairclaim_internal.finished_<range> (
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
CREATE UNIQUE INDEX finished_<range>_pkey ON fairclaim_internal.finished_<range> USING btree (id, tenant_id);
alter table fairclaim_internal.finished_<range> enable row level security, force row level security;
create policy owner_all on fairclaim_internal.finished_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.floor_hint (
  hint_id bigint not null generated always as identity,
  lane_id bigint not null,
  constraint floor_hint_pkey PRIMARY KEY (hint_id)
);
CREATE UNIQUE INDEX floor_hint_pkey ON fairclaim_internal.floor_hint USING btree (hint_id);
alter table fairclaim_internal.floor_hint enable row level security, force row level security;
create policy owner_all on fairclaim_internal.floor_hint as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.held (
  tenant_id uuid not null,
  key text collate "C" not null,
  seq bigint not null,
  id uuid not null,
  attempts integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  keeps_order boolean not null,
  constraint held_pkey PRIMARY KEY (tenant_id, key, seq)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE UNIQUE INDEX held_id ON fairclaim_internal.held USING btree (id);
CREATE UNIQUE INDEX held_pkey ON fairclaim_internal.held USING btree (tenant_id, key, seq);
alter table fairclaim_internal.held enable row level security, force row level security;
create policy operator_read on fairclaim_internal.held as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.held as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.held as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select (tenant_id, id, attempts, attempts_left, lost) on fairclaim_internal.held to fairclaim_auditor;
grant select (tenant_id, id, attempts, attempts_left, lost) on fairclaim_internal.held to fairclaim_operator;
grant select (tenant_id, id, attempts, attempts_left, lost) on fairclaim_internal.held to fairclaim_tenant;

create table fairclaim_internal.id_range (
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  last_end timestamp with time zone,
  kept_at timestamp with time zone,
  constraint id_range_pkey PRIMARY KEY (starts_at)
);
CREATE UNIQUE INDEX id_range_pkey ON fairclaim_internal.id_range USING btree (starts_at);
alter table fairclaim_internal.id_range enable row level security, force row level security;
create policy owner_all on fairclaim_internal.id_range as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.job (
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
  key text collate "C",
  keep_order boolean,
  constraint job_pkey PRIMARY KEY (tenant_id, id)
) partition by RANGE (id);
CREATE UNIQUE INDEX job_pkey ON ONLY fairclaim_internal.job USING btree (tenant_id, id);
alter table fairclaim_internal.job enable row level security, force row level security;
create policy operator_read on fairclaim_internal.job as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.job as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.job as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.job to fairclaim_auditor;
grant select on fairclaim_internal.job to fairclaim_tenant;
grant select (id, tenant_id, queue, type, priority, max_attempts, timeout, run_at, created_at, tags, key, keep_order) on fairclaim_internal.job to fairclaim_operator;

create table fairclaim_internal.job_<range> (
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
  key text collate "C",
  keep_order boolean,
  constraint job_<range>_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX job_<range>_pkey ON fairclaim_internal.job_<range> USING btree (tenant_id, id);
alter table fairclaim_internal.job_<range> enable row level security, force row level security;
create policy owner_all on fairclaim_internal.job_<range> as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.key_limit (
  tenant_id uuid not null,
  is_prefix boolean not null,
  key text collate "C" not null,
  max_running integer not null,
  constraint key_limit_max_running_check CHECK ((max_running >= 0)),
  constraint key_limit_pkey PRIMARY KEY (tenant_id, is_prefix, key)
);
CREATE UNIQUE INDEX key_limit_pkey ON fairclaim_internal.key_limit USING btree (tenant_id, is_prefix, key);
alter table fairclaim_internal.key_limit enable row level security, force row level security;
create policy owner_all on fairclaim_internal.key_limit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.key_lock (
  slot smallint not null,
  constraint key_lock_pkey PRIMARY KEY (slot)
);
CREATE UNIQUE INDEX key_lock_pkey ON fairclaim_internal.key_lock USING btree (slot);
alter table fairclaim_internal.key_lock enable row level security, force row level security;
create policy owner_all on fairclaim_internal.key_lock as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.key_note (
  note_id bigint not null default nextval('fairclaim_internal.ready_seq'::regclass),
  tenant_id uuid not null,
  floor bigint not null,
  is_prefix boolean not null default false,
  key text collate "C" not null,
  constraint key_note_pkey PRIMARY KEY (note_id)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE UNIQUE INDEX key_note_pkey ON fairclaim_internal.key_note USING btree (note_id);
alter table fairclaim_internal.key_note enable row level security, force row level security;
create policy owner_all on fairclaim_internal.key_note as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.key_slot (
  id uuid not null,
  tenant_id uuid not null,
  seq bigint not null default nextval('fairclaim_internal.ready_seq'::regclass),
  floor bigint not null,
  since bigint not null,
  keeps_order boolean not null,
  key text collate "C" not null,
  constraint key_slot_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE INDEX key_slot_key ON fairclaim_internal.key_slot USING btree (tenant_id, key, seq);
CREATE UNIQUE INDEX key_slot_pkey ON fairclaim_internal.key_slot USING btree (id);
alter table fairclaim_internal.key_slot enable row level security, force row level security;
create policy owner_all on fairclaim_internal.key_slot as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.lane (
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
  alone boolean not null default false,
  walked boolean not null,
  constraint lane_check CHECK (((NOT alone) OR (tenant_id IS NULL))),
  constraint lane_check1 CHECK (((NOT walked) OR (tenant_id IS NOT NULL))),
  constraint lane_pkey PRIMARY KEY (lane_id)
) with (fillfactor=10, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE INDEX lane_alone ON fairclaim_internal.lane USING btree (queue, type, lane_id) WHERE alone;
CREATE INDEX lane_own ON fairclaim_internal.lane USING btree (tenant_id, queue) WHERE (tenant_id IS NOT NULL);
CREATE UNIQUE INDEX lane_pkey ON fairclaim_internal.lane USING btree (lane_id);
CREATE INDEX lane_ranked ON fairclaim_internal.lane USING btree (queue, tenant_id) WHERE ((priority > 0) OR ((priority < 0) AND (tenant_id IS NULL)));
CREATE INDEX lane_shared ON fairclaim_internal.lane USING btree (queue, type, priority, lane_id) WHERE ((tenant_id IS NULL) AND (NOT alone));
CREATE INDEX lane_shared_id ON fairclaim_internal.lane USING btree (lane_id) WHERE (tenant_id IS NULL);
CREATE INDEX lane_type ON fairclaim_internal.lane USING btree (queue, type, turn, priority DESC, lane_id) WHERE (tenant_id IS NOT NULL);
CREATE INDEX lane_unwalked ON fairclaim_internal.lane USING btree (tenant_id) WHERE ((tenant_id IS NOT NULL) AND (NOT walked));
CREATE INDEX lane_walk ON fairclaim_internal.lane USING btree (queue, turn, priority DESC, lane_id) WHERE walked;
alter table fairclaim_internal.lane enable row level security, force row level security;
create policy operator_read on fairclaim_internal.lane as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.lane as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.lane as permissive for select to fairclaim_tenant using (((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)) OR ((tenant_id IS NULL) AND (EXISTS ( SELECT
   FROM fairclaim_internal.ready
  WHERE ((ready.tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)) AND (ready.lane_id = lane.lane_id)))))));
grant select on fairclaim_internal.lane to fairclaim_auditor;
grant select on fairclaim_internal.lane to fairclaim_operator;
grant select (lane_id, turn, tenant_id, queue, type) on fairclaim_internal.lane to fairclaim_tenant;

create table fairclaim_internal.limit_note (
  note_id bigint not null generated always as identity,
  constraint limit_note_pkey PRIMARY KEY (note_id)
);
CREATE UNIQUE INDEX limit_note_pkey ON fairclaim_internal.limit_note USING btree (note_id);
alter table fairclaim_internal.limit_note enable row level security, force row level security;
create policy owner_all on fairclaim_internal.limit_note as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.login_tenant (
  login name not null,
  source text not null,
  tenant_id uuid,
  constraint login_tenant_check CHECK (((source = 'fixed'::text) = (tenant_id IS NOT NULL))),
  constraint login_tenant_source_check CHECK ((source = ANY (ARRAY['fixed'::text, 'setting'::text, 'claims'::text]))),
  constraint login_tenant_pkey PRIMARY KEY (login)
);
CREATE UNIQUE INDEX login_tenant_pkey ON fairclaim_internal.login_tenant USING btree (login);
alter table fairclaim_internal.login_tenant enable row level security, force row level security;
create policy owner_all on fairclaim_internal.login_tenant as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.migration (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default clock_timestamp(),
  constraint migration_pkey PRIMARY KEY (version)
);
CREATE UNIQUE INDEX migration_pkey ON fairclaim_internal.migration USING btree (version);
alter table fairclaim_internal.migration enable row level security, force row level security;
create policy owner_all on fairclaim_internal.migration as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.prune_fault (
  id uuid not null,
  sqlstate text not null,
  at timestamp with time zone not null,
  constraint prune_fault_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX prune_fault_pkey ON fairclaim_internal.prune_fault USING btree (id);
alter table fairclaim_internal.prune_fault enable row level security, force row level security;
create policy owner_all on fairclaim_internal.prune_fault as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.prune_place (
  asked boolean not null,
  retention interval,
  place uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  ahead uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  round_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  ended boolean not null default false,
  left_since timestamp with time zone,
  cost interval not null default '00:00:00'::interval,
  rest_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint prune_place_pkey PRIMARY KEY (asked)
) with (fillfactor=20);
CREATE UNIQUE INDEX prune_place_pkey ON fairclaim_internal.prune_place USING btree (asked);
alter table fairclaim_internal.prune_place enable row level security, force row level security;
create policy owner_all on fairclaim_internal.prune_place as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.queue (
  name text collate "C" not null,
  paused_at timestamp with time zone,
  fair_by text not null default 'claims'::text,
  constraint queue_fair_by_check CHECK ((fair_by = ANY (ARRAY['claims'::text, 'seconds'::text]))),
  constraint queue_pkey PRIMARY KEY (name)
);
CREATE UNIQUE INDEX queue_pkey ON fairclaim_internal.queue USING btree (name);
alter table fairclaim_internal.queue enable row level security, force row level security;
create policy owner_all on fairclaim_internal.queue as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.queue_time (
  queue text collate "C" not null,
  turn_seconds double precision,
  mean double precision,
  place bigint,
  slowest double precision,
  fastest double precision,
  constraint queue_time_pkey PRIMARY KEY (queue)
) with (fillfactor=20);
CREATE UNIQUE INDEX queue_time_pkey ON fairclaim_internal.queue_time USING btree (queue);
alter table fairclaim_internal.queue_time enable row level security, force row level security;
create policy owner_all on fairclaim_internal.queue_time as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.quota_place (
  one boolean not null default true,
  lane bigint not null default 0,
  fresh uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  delayed uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  kept_tenant uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  kept_id uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  constraint quota_place_one_check CHECK (one),
  constraint quota_place_pkey PRIMARY KEY (one)
) with (fillfactor=20);
CREATE UNIQUE INDEX quota_place_pkey ON fairclaim_internal.quota_place USING btree (one);
alter table fairclaim_internal.quota_place enable row level security, force row level security;
create policy owner_all on fairclaim_internal.quota_place as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.rate_use (
  tenant_id uuid not null,
  queue_group integer not null,
  use_id bigint not null generated always as identity,
  paid_until timestamp with time zone not null,
  due_at timestamp with time zone not null,
  constraint rate_use_pkey PRIMARY KEY (tenant_id, queue_group, use_id)
);
CREATE INDEX rate_use_due ON fairclaim_internal.rate_use USING btree (due_at);
CREATE UNIQUE INDEX rate_use_pkey ON fairclaim_internal.rate_use USING btree (tenant_id, queue_group, use_id);
alter table fairclaim_internal.rate_use enable row level security, force row level security;
create policy owner_all on fairclaim_internal.rate_use as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.ready (
  lane_id bigint not null,
  seq bigint not null default nextval('fairclaim_internal.ready_seq'::regclass),
  id uuid not null,
  tenant_id uuid not null,
  attempts integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  watched boolean not null,
  constraint ready_pkey PRIMARY KEY (lane_id, seq)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0);
CREATE UNIQUE INDEX ready_pkey ON fairclaim_internal.ready USING btree (lane_id, seq);
CREATE INDEX ready_tenant ON fairclaim_internal.ready USING btree (tenant_id, ((lane_id >> 32)), id);
alter table fairclaim_internal.ready enable row level security, force row level security;
create policy operator_read on fairclaim_internal.ready as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.ready as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.ready as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.ready to fairclaim_auditor;
grant select on fairclaim_internal.ready to fairclaim_operator;
grant select (lane_id, id, tenant_id, attempts, attempts_left, lost) on fairclaim_internal.ready to fairclaim_tenant;

create table fairclaim_internal.renewal (
  lane_id bigint not null,
  next_seq bigint not null,
  end_seq bigint not null,
  renewal_id bigint not null generated always as identity,
  constraint renewal_pkey PRIMARY KEY (renewal_id)
);
CREATE UNIQUE INDEX renewal_pkey ON fairclaim_internal.renewal USING btree (renewal_id);
alter table fairclaim_internal.renewal enable row level security, force row level security;
create policy owner_all on fairclaim_internal.renewal as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.running (
  id uuid not null,
  tenant_id uuid not null,
  lease_token uuid not null,
  lease_expires_at timestamp with time zone not null,
  attempt integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  queue_group integer not null,
  watched boolean not null,
  limited boolean not null,
  worker_id text not null,
  constraint running_pkey PRIMARY KEY (id)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_cost_delay=0, fillfactor=80);
CREATE INDEX running_limited ON fairclaim_internal.running USING btree (tenant_id, queue_group) WHERE limited;
CREATE UNIQUE INDEX running_pkey ON fairclaim_internal.running USING btree (id);
CREATE INDEX running_queue ON fairclaim_internal.running USING btree (queue_group) WHERE (queue_group < 0);
alter table fairclaim_internal.running enable row level security, force row level security;
create policy operator_read on fairclaim_internal.running as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.running as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.running as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim_internal.running to fairclaim_auditor;
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim_internal.running to fairclaim_operator;
grant select (id, tenant_id, lease_expires_at, attempt, attempts_left, lost, worker_id) on fairclaim_internal.running to fairclaim_tenant;

create table fairclaim_internal.running_limit (
  subject text collate "C" not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  max_running integer,
  units integer,
  period double precision,
  burst integer,
  seen bigint,
  seen_at timestamp with time zone,
  marked bigint,
  active boolean not null default false,
  constraint running_limit_burst_check CHECK ((burst >= 1)),
  constraint running_limit_check CHECK (((subject = 'tenant'::text) OR (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid))),
  constraint running_limit_check1 CHECK (((subject <> 'queue'::text) OR (queue <> ''::text))),
  constraint running_limit_check2 CHECK (((max_running IS NOT NULL) OR (units IS NOT NULL))),
  constraint running_limit_check3 CHECK ((num_nulls(units, period, burst) = ANY (ARRAY[0, 3]))),
  constraint running_limit_max_running_check CHECK ((max_running >= 0)),
  constraint running_limit_period_check CHECK ((period > (0)::double precision)),
  constraint running_limit_subject_check CHECK ((subject = ANY (ARRAY['tenant'::text, 'default'::text, 'queue'::text]))),
  constraint running_limit_units_check CHECK ((units >= 1)),
  constraint running_limit_pkey PRIMARY KEY (tenant_id, queue, subject)
);
CREATE INDEX running_limit_closed ON fairclaim_internal.running_limit USING btree (tenant_id, queue) WHERE (max_running = 0);
CREATE INDEX running_limit_new ON fairclaim_internal.running_limit USING btree (tenant_id) WHERE (NOT active);
CREATE UNIQUE INDEX running_limit_pkey ON fairclaim_internal.running_limit USING btree (tenant_id, queue, subject);
CREATE INDEX running_limit_queue ON fairclaim_internal.running_limit USING btree (queue) WHERE (queue <> ''::text);
CREATE INDEX running_limit_rate ON fairclaim_internal.running_limit USING btree (tenant_id) WHERE (units IS NOT NULL);
alter table fairclaim_internal.running_limit enable row level security, force row level security;
create policy owner_all on fairclaim_internal.running_limit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.scheduled (
  run_at timestamp with time zone not null,
  id uuid not null,
  tenant_id uuid not null,
  attempts integer not null,
  attempts_left smallint not null,
  lost smallint not null,
  watched boolean not null,
  constraint scheduled_pkey PRIMARY KEY (run_at, id)
);
CREATE UNIQUE INDEX scheduled_id ON fairclaim_internal.scheduled USING btree (id);
CREATE UNIQUE INDEX scheduled_pkey ON fairclaim_internal.scheduled USING btree (run_at, id);
alter table fairclaim_internal.scheduled enable row level security, force row level security;
create policy operator_read on fairclaim_internal.scheduled as permissive for select to fairclaim_auditor, fairclaim_operator using (true);
create policy owner_all on fairclaim_internal.scheduled as permissive for all to fairclaim_owner using (true) with check (true);
create policy tenant_read on fairclaim_internal.scheduled as permissive for select to fairclaim_tenant using ((tenant_id = ( SELECT fairclaim.current_tenant_id() AS current_tenant_id)));
grant select on fairclaim_internal.scheduled to fairclaim_auditor;
grant select on fairclaim_internal.scheduled to fairclaim_operator;
grant select on fairclaim_internal.scheduled to fairclaim_tenant;

create table fairclaim_internal.seen_running (
  id uuid not null,
  attempt integer not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  due timestamp with time zone not null,
  began timestamp with time zone,
  constraint seen_running_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX seen_running_pkey ON fairclaim_internal.seen_running USING btree (id);
alter table fairclaim_internal.seen_running enable row level security, force row level security;
create policy owner_all on fairclaim_internal.seen_running as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.setting (
  one boolean not null default true,
  retention interval not null default '7 days'::interval,
  max_payload integer not null default 1048576,
  close_delay interval not null default '00:00:10'::interval,
  max_shared_lanes integer not null default 2000,
  max_own_lanes integer not null default 1000,
  tick_every interval not null default '00:00:00.5'::interval,
  suspect_wait interval not null default '01:00:00'::interval,
  default_tenant text collate "C",
  constraint setting_max_own_lanes_check CHECK ((max_own_lanes >= 1)),
  constraint setting_max_payload_check CHECK ((max_payload >= 1024)),
  constraint setting_max_shared_lanes_check CHECK ((max_shared_lanes >= 1)),
  constraint setting_one_check CHECK (one),
  constraint setting_retention_bounds CHECK (((retention >= '01:00:00'::interval) AND (retention <= '100 years'::interval))),
  constraint setting_suspect_wait_check CHECK (((suspect_wait >= '00:01:00'::interval) AND (suspect_wait <= '100 years'::interval))),
  constraint setting_tick_every_check CHECK (((tick_every >= '00:00:00'::interval) AND (tick_every <= '00:00:10'::interval))),
  constraint setting_pkey PRIMARY KEY (one)
);
CREATE UNIQUE INDEX setting_pkey ON fairclaim_internal.setting USING btree (one);
alter table fairclaim_internal.setting enable row level security, force row level security;
create policy owner_all on fairclaim_internal.setting as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.stat (
  queue text collate "C" not null,
  whole boolean not null,
  tenant_id uuid not null,
  stat_id bigint not null generated always as identity,
  waiting integer not null default 0,
  at_least boolean not null default false,
  oldest_at timestamp with time zone,
  backlogged_since timestamp with time zone,
  running integer not null default 0,
  minute_slot bigint not null default 0,
  hour_slot bigint not null default 0,
  minute real[] not null default '{}'::real[],
  hour real[] not null default '{}'::real[],
  waits real[] not null default '{}'::real[],
  runs real[] not null default '{}'::real[],
  counted_at timestamp with time zone,
  as_of timestamp with time zone not null,
  constraint stat_pkey PRIMARY KEY (queue, whole, tenant_id),
  constraint stat_stat_id_key UNIQUE (stat_id)
) with (fillfactor=60);
CREATE UNIQUE INDEX stat_pkey ON fairclaim_internal.stat USING btree (queue, whole, tenant_id);
CREATE UNIQUE INDEX stat_stat_id_key ON fairclaim_internal.stat USING btree (stat_id);
alter table fairclaim_internal.stat enable row level security, force row level security;
create policy owner_all on fairclaim_internal.stat as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.suspect (
  suspect_id bigint not null generated always as identity,
  id uuid not null,
  tenant_id uuid not null,
  attempts integer not null,
  seen_at timestamp with time zone not null,
  constraint suspect_pkey PRIMARY KEY (suspect_id)
);
CREATE UNIQUE INDEX suspect_pkey ON fairclaim_internal.suspect USING btree (suspect_id);
alter table fairclaim_internal.suspect enable row level security, force row level security;
create policy owner_all on fairclaim_internal.suspect as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tail (
  part text collate "C" not null,
  pages bigint not null,
  last tid not null,
  constraint tail_pkey PRIMARY KEY (part)
) with (fillfactor=50);
CREATE UNIQUE INDEX tail_pkey ON fairclaim_internal.tail USING btree (part);
alter table fairclaim_internal.tail enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tail as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tenant_name (
  tenant_id uuid not null,
  name text collate "C" not null,
  constraint tenant_name_pkey PRIMARY KEY (tenant_id)
);
CREATE UNIQUE INDEX tenant_name_pkey ON fairclaim_internal.tenant_name USING btree (tenant_id);
alter table fairclaim_internal.tenant_name enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tenant_name as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tenant_note (
  note_id bigint not null generated always as identity,
  tenant_id uuid not null,
  name text collate "C" not null,
  constraint tenant_note_pkey PRIMARY KEY (note_id)
);
CREATE UNIQUE INDEX tenant_note_pkey ON fairclaim_internal.tenant_note USING btree (note_id);
CREATE INDEX tenant_note_tenant ON fairclaim_internal.tenant_note USING btree (tenant_id);
alter table fairclaim_internal.tenant_note enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tenant_note as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tenant_retention (
  tenant_id uuid not null,
  retention interval not null,
  place uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  looked_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint tenant_retention_retention_check CHECK ((retention >= '01:00:00'::interval)),
  constraint tenant_retention_pkey PRIMARY KEY (tenant_id)
);
CREATE UNIQUE INDEX tenant_retention_pkey ON fairclaim_internal.tenant_retention USING btree (tenant_id);
alter table fairclaim_internal.tenant_retention enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tenant_retention as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tenant_time (
  queue text collate "C" not null,
  tenant_id uuid not null,
  jobs double precision not null,
  seconds double precision not null,
  at timestamp with time zone not null,
  constraint tenant_time_pkey PRIMARY KEY (queue, tenant_id)
) with (fillfactor=50);
CREATE UNIQUE INDEX tenant_time_pkey ON fairclaim_internal.tenant_time USING btree (queue, tenant_id);
alter table fairclaim_internal.tenant_time enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tenant_time as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tenant_weight (
  tenant_id uuid not null,
  queue text collate "C" not null,
  weight smallint not null,
  constraint tenant_weight_weight_check CHECK (((weight >= 1) AND (weight <= 100))),
  constraint tenant_weight_pkey PRIMARY KEY (tenant_id, queue)
);
CREATE UNIQUE INDEX tenant_weight_pkey ON fairclaim_internal.tenant_weight USING btree (tenant_id, queue);
alter table fairclaim_internal.tenant_weight enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tenant_weight as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tick_fault (
  step text collate "C" not null,
  since timestamp with time zone not null,
  last_at timestamp with time zone not null,
  sqlstate text not null,
  times bigint not null,
  size integer not null,
  note text not null,
  passed uuid[] not null default '{}'::uuid[],
  passed_at timestamp with time zone not null,
  constraint tick_fault_pkey PRIMARY KEY (step)
);
CREATE UNIQUE INDEX tick_fault_pkey ON fairclaim_internal.tick_fault USING btree (step);
alter table fairclaim_internal.tick_fault enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tick_fault as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tick_lock (
  slot smallint not null,
  constraint tick_lock_pkey PRIMARY KEY (slot)
);
CREATE UNIQUE INDEX tick_lock_pkey ON fairclaim_internal.tick_lock USING btree (slot);
alter table fairclaim_internal.tick_lock enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tick_lock as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.tick_state (
  slot smallint not null default 1,
  n bigint not null default 0,
  at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  worked_by xid8,
  prev bigint not null default 0,
  marked bigint not null default 0,
  oldest bigint not null default 0,
  mark bigint not null default 0,
  safe bigint not null default 0,
  shared_safe bigint not null default 0,
  holders text[] not null default '{}'::text[],
  holder_n bigint[] not null default '{}'::bigint[],
  holder_mark bigint[] not null default '{}'::bigint[],
  holder_at timestamp with time zone[] not null default '{}'::timestamp with time zone[],
  holder_passed boolean[] not null default '{}'::boolean[],
  passed_slot smallint[] not null default '{}'::smallint[],
  passed_from bigint[] not null default '{}'::bigint[],
  passed_to bigint[] not null default '{}'::bigint[],
  passed_safe bigint[] not null default '{}'::bigint[],
  slice bigint not null default '-9223372036854775808'::bigint,
  shared_slice bigint not null default '-9223372036854775808'::bigint,
  sweep bigint not null default '-9223372036854775808'::bigint,
  hint bigint not null default 0,
  sched_floor timestamp with time zone not null default '-infinity'::timestamp with time zone,
  reaped_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  left_over boolean not null default false,
  quiet_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  mended bigint,
  mended_at timestamp with time zone,
  limit_slice bigint not null default 0,
  constraint tick_state_pkey PRIMARY KEY (slot)
) with (fillfactor=20);
CREATE UNIQUE INDEX tick_state_pkey ON fairclaim_internal.tick_state USING btree (slot);
alter table fairclaim_internal.tick_state enable row level security, force row level security;
create policy owner_all on fairclaim_internal.tick_state as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.time_report (
  report_id bigint not null generated always as identity,
  queue text collate "C" not null,
  tenant_id uuid not null,
  jobs integer not null,
  seconds double precision not null,
  constraint time_report_pkey PRIMARY KEY (report_id)
);
CREATE UNIQUE INDEX time_report_pkey ON fairclaim_internal.time_report USING btree (report_id);
alter table fairclaim_internal.time_report enable row level security, force row level security;
create policy owner_all on fairclaim_internal.time_report as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.waiting_count (
  tenant_id uuid not null,
  queue text collate "C" not null,
  jobs bigint not null default 0,
  mark bigint not null default 0,
  counted_at timestamp with time zone not null,
  pass_jobs bigint not null default 0,
  pass_added bigint not null default 0,
  pass_mark bigint not null default 0,
  pass_lane bigint not null default 0,
  pass_seq bigint not null default 0,
  constraint waiting_count_pkey PRIMARY KEY (tenant_id, queue)
) with (fillfactor=50);
CREATE UNIQUE INDEX waiting_count_pkey ON fairclaim_internal.waiting_count USING btree (tenant_id, queue);
alter table fairclaim_internal.waiting_count enable row level security, force row level security;
create policy owner_all on fairclaim_internal.waiting_count as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.waiting_limit (
  subject text collate "C" not null,
  tenant_id uuid not null,
  queue text collate "C" not null,
  max_waiting integer not null,
  refuses boolean not null default true,
  drained_at timestamp with time zone,
  constraint waiting_limit_check CHECK (((subject = 'drain'::text) = (drained_at IS NOT NULL))),
  constraint waiting_limit_max_waiting_check CHECK ((max_waiting >= 0)),
  constraint waiting_limit_subject_check CHECK ((subject = ANY (ARRAY['tenant'::text, 'default'::text, 'drain'::text]))),
  constraint waiting_limit_pkey PRIMARY KEY (tenant_id, queue, subject)
);
CREATE UNIQUE INDEX waiting_limit_pkey ON fairclaim_internal.waiting_limit USING btree (tenant_id, queue, subject);
alter table fairclaim_internal.waiting_limit enable row level security, force row level security;
create policy owner_all on fairclaim_internal.waiting_limit as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.weight_note (
  note_id bigint not null generated always as identity,
  tenant_id uuid not null,
  queue text collate "C" not null,
  seen bigint,
  constraint weight_note_pkey PRIMARY KEY (note_id)
);
CREATE UNIQUE INDEX weight_note_pkey ON fairclaim_internal.weight_note USING btree (note_id);
CREATE INDEX weight_note_seen ON fairclaim_internal.weight_note USING btree (seen);
alter table fairclaim_internal.weight_note enable row level security, force row level security;
create policy owner_all on fairclaim_internal.weight_note as permissive for all to fairclaim_owner using (true) with check (true);

create table fairclaim_internal.worker (
  id text collate "C" not null,
  host text not null,
  version text not null,
  queues text[] collate "C" not null,
  slots integer[] not null,
  types text[] collate "C",
  started_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  silent_until timestamp with time zone not null,
  constraint worker_pkey PRIMARY KEY (id)
) with (fillfactor=50);
CREATE UNIQUE INDEX worker_pkey ON fairclaim_internal.worker USING btree (id);
alter table fairclaim_internal.worker enable row level security, force row level security;
create policy owner_all on fairclaim_internal.worker as permissive for all to fairclaim_owner using (true) with check (true);

create unlogged sequence fairclaim_internal.asleep_until as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.at_limit_at_limit_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.at_limit.at_limit_id;

create sequence fairclaim_internal.audit_audit_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.audit.audit_id;

create sequence fairclaim_internal.bound_bound_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.bound.bound_id;

create sequence fairclaim_internal.cancel_request_request_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.cancel_request.request_id;

create sequence fairclaim_internal.floor_hint_hint_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.floor_hint.hint_id;

create unlogged sequence fairclaim_internal.guard_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.key_floor as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.key_noted_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.lane_lane_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.lane.lane_id;

create sequence fairclaim_internal.limit_note_note_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.limit_note.note_id;

create unlogged sequence fairclaim_internal.look_by as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.notified_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.pruned_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.range_end as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.range_start as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.rate_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.rate_use_use_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.rate_use.use_id;

create sequence fairclaim_internal.ready_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.renewal_renewal_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.renewal.renewal_id;

create unlogged sequence fairclaim_internal.round_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.shared_since as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.stat_stat_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.stat.stat_id;

create unlogged sequence fairclaim_internal.stats_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.stats_lane as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.stats_mask as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.stats_owed as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create unlogged sequence fairclaim_internal.stats_row as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.suspect_suspect_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.suspect.suspect_id;

create unlogged sequence fairclaim_internal.suspects_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.tenant_note_note_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.tenant_note.note_id;

create unlogged sequence fairclaim_internal.tick_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.tick_n as bigint start 1 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create sequence fairclaim_internal.time_report_report_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.time_report.report_id;

create sequence fairclaim_internal.weight_note_note_id_seq as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by fairclaim_internal.weight_note.note_id;

create unlogged sequence fairclaim_internal.wished_at as bigint start 0 increment 1 minvalue 0 maxvalue 9223372036854775807 cache 1;

create view fairclaim.job_overview with (security_invoker=true) as
 SELECT job.id,
    job.tenant_id,
    job.type,
    COALESCE(ended.status,
        CASE
            WHEN held.id IS NOT NULL THEN 'processing'::text
            WHEN later.id IS NOT NULL THEN 'scheduled'::text
            ELSE 'pending'::text
        END) AS status,
    COALESCE(ended.worker_id, held.worker_id) AS worker_id,
    COALESCE(ended.attempts, held.attempt, later.attempts, waiting.attempts, behind.attempts, 0) AS attempts,
    later.run_at AS next_retry_at,
    job.created_at,
    ended.completed_at,
    job.queue,
    job.priority::integer AS priority,
    job.max_attempts::integer AS max_attempts,
    date_part('epoch'::text, job.timeout) AS timeout,
    job.tags,
    COALESCE(held.attempts_left, later.attempts_left, waiting.attempts_left, behind.attempts_left)::integer AS attempts_left
   FROM fairclaim_internal.job
     LEFT JOIN fairclaim_internal.finished ended ON ended.id = job.id AND ended.tenant_id = job.tenant_id
     LEFT JOIN fairclaim_internal.running held ON held.id = job.id
     LEFT JOIN fairclaim_internal.scheduled later ON later.id = job.id
     LEFT JOIN LATERAL ( SELECT ready.attempts,
            ready.attempts_left
           FROM fairclaim_internal.ready
          WHERE ready.tenant_id = job.tenant_id AND ready.id = job.id AND ((ready.lane_id >> 32) = ANY (ARRAY[0::bigint, '-1'::integer - (hashtextextended(job.queue, 0::bigint) & 1073741823::bigint)])) AND ended.id IS NULL AND held.id IS NULL AND later.id IS NULL
         LIMIT 1) waiting ON true
     LEFT JOIN fairclaim_internal.held behind ON job.key IS NOT NULL AND behind.id = job.id;
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
-- column timeout double precision
-- column tags text[]
-- column attempts_left integer
grant select on fairclaim.job_overview to fairclaim_auditor;
grant select on fairclaim.job_overview to fairclaim_operator;
grant select on fairclaim.job_overview to fairclaim_tenant;

create view fairclaim.job_queue with (security_invoker=true) as
 SELECT job.id,
    job.tenant_id,
    job.type,
    COALESCE(ended.status,
        CASE
            WHEN held.id IS NOT NULL THEN 'processing'::text
            WHEN later.id IS NOT NULL THEN 'scheduled'::text
            ELSE 'pending'::text
        END) AS status,
    job.payload,
    ended.result,
    COALESCE(ended.worker_id, held.worker_id) AS worker_id,
    COALESCE(ended.attempts, held.attempt, later.attempts, waiting.attempts, behind.attempts, 0) AS attempts,
    later.run_at AS next_retry_at,
    job.created_at,
    ended.completed_at,
    job.queue,
    job.priority::integer AS priority,
    job.max_attempts::integer AS max_attempts,
    COALESCE(held.attempts_left, later.attempts_left, waiting.attempts_left, behind.attempts_left)::integer AS attempts_left,
    COALESCE(held.lost, later.lost, waiting.lost, behind.lost)::integer AS lost,
    held.lease_expires_at,
    held.id IS NOT NULL AND (EXISTS ( SELECT
           FROM fairclaim_internal.cancel_request wish
          WHERE wish.id = job.id)) AS cancel_requested,
    ended.error,
    date_part('epoch'::text, job.timeout) AS timeout,
    job.tags,
    job.metadata
   FROM fairclaim_internal.job
     LEFT JOIN fairclaim_internal.finished ended ON ended.id = job.id AND ended.tenant_id = job.tenant_id
     LEFT JOIN fairclaim_internal.running held ON held.id = job.id
     LEFT JOIN fairclaim_internal.scheduled later ON later.id = job.id
     LEFT JOIN LATERAL ( SELECT ready.attempts,
            ready.attempts_left,
            ready.lost
           FROM fairclaim_internal.ready
          WHERE ready.tenant_id = job.tenant_id AND ready.id = job.id AND ((ready.lane_id >> 32) = ANY (ARRAY[0::bigint, '-1'::integer - (hashtextextended(job.queue, 0::bigint) & 1073741823::bigint)])) AND ended.id IS NULL AND held.id IS NULL AND later.id IS NULL
         LIMIT 1) waiting ON true
     LEFT JOIN fairclaim_internal.held behind ON job.key IS NOT NULL AND behind.id = job.id;
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
-- column timeout double precision
-- column tags text[]
-- column metadata jsonb
grant select on fairclaim.job_queue to fairclaim_auditor;
grant select on fairclaim.job_queue to fairclaim_tenant;

create function fairclaim.cancel_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.cancel_jobs to fairclaim_operator;
grant execute on function fairclaim.cancel_jobs to fairclaim_producer;

create function fairclaim.cancel_waiting(p_tenant_id uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_older_than double precision DEFAULT NULL::double precision, p_newer_than double precision DEFAULT NULL::double precision, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 1000, p_why text DEFAULT NULL::text)
  returns TABLE(looked integer, cancelled integer, passed integer, next uuid)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.cancel_waiting to fairclaim_operator;

create function fairclaim.claim_job(p_worker_id text, p_queues text[] DEFAULT NULL::text[], p_types text[] DEFAULT NULL::text[], p_lease double precision DEFAULT 30, p_lease_token uuid DEFAULT NULL::uuid)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout double precision, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.claim_job to fairclaim_worker;

create function fairclaim.claim_jobs(p_worker_id text, p_queues text[], p_limit integer, p_types text[] DEFAULT NULL::text[], p_lease double precision DEFAULT 30, p_cursor text DEFAULT NULL::text, p_lease_token uuid DEFAULT NULL::uuid, p_idle_for double precision DEFAULT NULL::double precision, p_alone boolean DEFAULT false)
  returns TABLE(id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout double precision, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text)
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.claim_jobs to fairclaim_worker;

create function fairclaim.clock()
  returns timestamp with time zone
  language sql volatile parallel safe;
grant execute on function fairclaim.clock to fairclaim_auditor;
grant execute on function fairclaim.clock to fairclaim_observer;
grant execute on function fairclaim.clock to fairclaim_operator;
grant execute on function fairclaim.clock to fairclaim_producer;
grant execute on function fairclaim.clock to fairclaim_tenant;
grant execute on function fairclaim.clock to fairclaim_worker;

create function fairclaim.count_jobs(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_status text DEFAULT NULL::text, p_older_than double precision DEFAULT NULL::double precision, p_newer_than double precision DEFAULT NULL::double precision, p_error text DEFAULT NULL::text, p_up_to integer DEFAULT 10000, p_before_id uuid DEFAULT NULL::uuid)
  returns TABLE(jobs integer, more boolean)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.count_jobs to fairclaim_auditor;
grant execute on function fairclaim.count_jobs to fairclaim_operator;

create function fairclaim.count_tenant(p_tenant_id uuid, p_up_to integer DEFAULT 10000)
  returns TABLE(jobs integer, waiting integer, scheduled integer, running integer, ended integer, errors integer, settings integer, more boolean)
  language plpgsql stable security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.count_tenant to fairclaim_auditor;
grant execute on function fairclaim.count_tenant to fairclaim_operator;

create function fairclaim.current_tenant_id()
  returns uuid
  language plpgsql stable security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.current_tenant_id to fairclaim_tenant;

create function fairclaim.declare_limits(p_document jsonb, p_dry_run boolean DEFAULT false, p_why text DEFAULT NULL::text)
  returns TABLE(change text, what text, kind text, tenant_id uuid, queue text, old integer, new integer, refuses boolean)
  language plpgsql volatile security definer
  set enable_nestloop=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.declare_limits to fairclaim_operator;

create function fairclaim.delete_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text, deleted boolean)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.delete_jobs to fairclaim_operator;

create function fairclaim.dispatch_job(p_tenant_id uuid DEFAULT NULL::uuid, p_type text DEFAULT NULL::text, p_payload jsonb DEFAULT '{}'::jsonb, p_queue text DEFAULT 'default'::text, p_priority integer DEFAULT 0, p_run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_max_attempts integer DEFAULT 25, p_timeout double precision DEFAULT NULL::double precision, p_tags text[] DEFAULT '{}'::text[], p_metadata jsonb DEFAULT '{}'::jsonb, p_tenant text DEFAULT NULL::text, p_delay double precision DEFAULT NULL::double precision, p_key text DEFAULT NULL::text, p_keep_order boolean DEFAULT false)
  returns uuid
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.dispatch_job to fairclaim_producer;

create function fairclaim.dispatch_jobs(p_jobs jsonb)
  returns TABLE(ordinal integer, id uuid, created boolean)
  language plpgsql volatile security definer
  set enable_mergejoin=off
  set enable_nestloop=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp
  set work_mem=128MB;
grant execute on function fairclaim.dispatch_jobs to fairclaim_producer;

create function fairclaim.dispatch_lines(p_source text, p_after bigint, p_through bigint, p_jobs jsonb, p_refused integer DEFAULT 0, p_digest bytea DEFAULT NULL::bytea, p_defaults bytea DEFAULT NULL::bytea, p_anew boolean DEFAULT false)
  returns TABLE(accepted boolean, lines bigint, dispatched bigint, refused bigint, digest bytea, defaults bytea)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.dispatch_lines to fairclaim_producer;

create function fairclaim.doctor_findings(p_topic text DEFAULT NULL::text, p_build jsonb DEFAULT NULL::jsonb)
  returns TABLE(level text, name text, seen text, advice text)
  language plpgsql volatile
  set jit=off
  set lock_timeout=1s
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_findings to fairclaim_observer;
grant execute on function fairclaim.doctor_findings to fairclaim_operator;

create function fairclaim.doctor_topic(p_topic text, p_build jsonb DEFAULT NULL::jsonb)
  returns TABLE(level text, name text, seen text, advice text)
  language plpgsql volatile security definer
  set jit=off
  set lock_timeout=1s
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.doctor_topic to fairclaim_observer;
grant execute on function fairclaim.doctor_topic to fairclaim_operator;

create function fairclaim.doctor_transactions()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set search_path=pg_catalog, pg_temp;
grant execute on function fairclaim.doctor_transactions to fairclaim_observer;
grant execute on function fairclaim.doctor_transactions to fairclaim_operator;

create function fairclaim.drain_queue(p_queue text, p_why text DEFAULT NULL::text)
  returns TABLE(queue text, drained_at timestamp with time zone, was_drained boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.drain_queue to fairclaim_operator;

create function fairclaim.drain_tenant(p_tenant_id uuid, p_why text DEFAULT NULL::text)
  returns TABLE(tenant_id uuid, drained_at timestamp with time zone, was_drained boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.drain_tenant to fairclaim_operator;

create function fairclaim.drop_ranges(p_retention double precision DEFAULT NULL::double precision)
  returns TABLE(ranges_dropped integer, ranges_in_use integer)
  language plpgsql volatile security definer
  set jit=off
  set lock_timeout=5ms
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.drop_ranges to fairclaim_operator;
grant execute on function fairclaim.drop_ranges to fairclaim_worker;

create function fairclaim.export_tenant(p_tenant_id uuid, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100, p_payloads boolean DEFAULT true)
  returns TABLE(kind text, document jsonb, next uuid)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.export_tenant to fairclaim_auditor;
grant execute on function fairclaim.export_tenant to fairclaim_operator;

create function fairclaim.extend_leases(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_lease double precision DEFAULT 30)
  returns TABLE(id uuid, attempts integer, accepted boolean, cancel_requested boolean)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.extend_leases to fairclaim_worker;

create function fairclaim.get_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text, attempts integer, result jsonb, error_code text, ended_at timestamp with time zone)
  language plpgsql stable security definer
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_memoize=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.get_jobs to fairclaim_producer;

create function fairclaim.list_audit(p_limit integer DEFAULT 100, p_before bigint DEFAULT NULL::bigint)
  returns TABLE(audit_id bigint, at timestamp with time zone, who text, what text, subject text, tenant_id uuid, tenant text, queue text, old_value text, new_value text, until timestamp with time zone, why text, many integer)
  language plpgsql stable security definer
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.list_audit to fairclaim_operator;

create function fairclaim.list_jobs(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_status text DEFAULT NULL::text, p_before_id uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100, p_older_than double precision DEFAULT NULL::double precision, p_newer_than double precision DEFAULT NULL::double precision, p_error text DEFAULT NULL::text)
  returns TABLE(id uuid, tenant_id uuid, queue text, type text, status text, priority integer, attempts integer, max_attempts integer, worker_id text, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, tags text[], attempts_left integer, error_code text, error_message text, more boolean, tenant text)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.list_jobs to fairclaim_auditor;
grant execute on function fairclaim.list_jobs to fairclaim_operator;

create function fairclaim.list_queues(p_up_to integer DEFAULT 10000)
  returns TABLE(queue text, paused_at timestamp with time zone, waiting integer, tenants_waiting integer, oldest_waiting_at timestamp with time zone, scheduled integer, running integer, at_least text[], drained_at timestamp with time zone, fair_by text)
  language plpgsql stable security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.list_queues to fairclaim_operator;

create function fairclaim.list_settings()
  returns TABLE(name text, value text, default_value text, unit text, about text)
  language sql stable security definer
  set IntervalStyle=postgres
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.list_settings to fairclaim_observer;
grant execute on function fairclaim.list_settings to fairclaim_operator;

create function fairclaim.list_workers()
  returns TABLE(id text, host text, version text, queues text[], slots integer[], types text[], running integer, started_at timestamp with time zone, seen_at timestamp with time zone, silent_until timestamp with time zone, is_live boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.list_workers to fairclaim_observer;
grant execute on function fairclaim.list_workers to fairclaim_operator;

create function fairclaim.move_waiting(p_tenant_id uuid, p_queue text, p_to_queue text, p_type text DEFAULT NULL::text, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 1000, p_why text DEFAULT NULL::text)
  returns TABLE(looked integer, moved integer, passed integer, next uuid)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.move_waiting to fairclaim_operator;

create function fairclaim.next_due()
  returns double precision
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.next_due to fairclaim_worker;

create function fairclaim.pause_queue(p_queue text)
  returns TABLE(queue text, paused_at timestamp with time zone, was_paused boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.pause_queue to fairclaim_operator;

create function fairclaim.pause_tenant(p_tenant_id uuid, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns TABLE(tenant_id uuid, tenant text, paused_at timestamp with time zone, until timestamp with time zone, was_paused boolean, known boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.pause_tenant to fairclaim_operator;

create function fairclaim.prune(p_retention double precision DEFAULT NULL::double precision)
  returns TABLE(ranges_dropped integer, rows_deleted bigint, passed_over integer, busy boolean, more boolean)
  language plpgsql volatile security definer
  set jit=off
  set lock_timeout=100ms
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.prune to fairclaim_operator;
grant execute on function fairclaim.prune to fairclaim_worker;

create function fairclaim.purge_tenant(p_tenant_id uuid, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 1000, p_why text DEFAULT NULL::text)
  returns TABLE(jobs integer, errors integer, running integer, passed integer, settings integer, next uuid, more boolean)
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.purge_tenant to fairclaim_operator;

create function fairclaim.queue_stats(p_queue text DEFAULT NULL::text, p_up_to integer DEFAULT 1000)
  returns TABLE(queue text, paused boolean, waiting integer, tenants_waiting integer, oldest_waiting double precision, scheduled integer, running integer, at_least text[], limits jsonb, dispatched_1m double precision, claimed_1m double precision, finished_1m double precision, failed_1m double precision, seconds_1m double precision, dispatched_1h double precision, claimed_1h double precision, finished_1h double precision, failed_1h double precision, seconds_1h double precision, wait_p50 double precision, wait_p99 double precision, run_p50 double precision, run_p99 double precision, sampled integer, backlogged_1m integer, jain_claims_1m double precision, jain_seconds_1m double precision, backlogged_1h integer, jain_claims_1h double precision, jain_seconds_1h double precision, age double precision)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.queue_stats to fairclaim_observer;
grant execute on function fairclaim.queue_stats to fairclaim_operator;

create function fairclaim.release_claims(p_worker_id text, p_lease_tokens uuid[])
  returns TABLE(lease_token uuid, jobs integer)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.release_claims to fairclaim_worker;

create function fairclaim.release_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.release_jobs to fairclaim_operator;

create function fairclaim.release_worker(p_worker_id text, p_limit integer DEFAULT 1000)
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.release_worker to fairclaim_operator;

create function fairclaim.report_work(p_worker_id text, p_host text, p_version text, p_queues text[], p_slots integer[], p_types text[] DEFAULT NULL::text[], p_silent_for double precision DEFAULT 20, p_tenants uuid[] DEFAULT NULL::uuid[], p_tenant_queues text[] DEFAULT NULL::text[], p_jobs integer[] DEFAULT NULL::integer[], p_seconds double precision[] DEFAULT NULL::double precision[])
  returns TABLE(report_in double precision, by_seconds text[])
  language plpgsql volatile security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.report_work to fairclaim_worker;

create function fairclaim.resume_queue(p_queue text)
  returns TABLE(queue text, paused_at timestamp with time zone, was_paused boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.resume_queue to fairclaim_operator;

create function fairclaim.resume_tenant(p_tenant_id uuid, p_why text DEFAULT NULL::text)
  returns TABLE(tenant_id uuid, tenant text, paused_at timestamp with time zone, until timestamp with time zone, was_paused boolean, known boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.resume_tenant to fairclaim_operator;

create function fairclaim.retry_failed(p_tenant_id uuid, p_queue text DEFAULT NULL::text, p_type text DEFAULT NULL::text, p_older_than double precision DEFAULT NULL::double precision, p_newer_than double precision DEFAULT NULL::double precision, p_error text DEFAULT NULL::text, p_per_second double precision DEFAULT 10, p_start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 1000, p_why text DEFAULT NULL::text)
  returns TABLE(looked integer, retried integer, until timestamp with time zone, next uuid)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.retry_failed to fairclaim_operator;

create function fairclaim.retry_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile security definer
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.retry_jobs to fairclaim_operator;
grant execute on function fairclaim.retry_jobs to fairclaim_producer;

create function fairclaim.schema_version()
  returns integer
  language sql stable security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.schema_version to fairclaim_auditor;
grant execute on function fairclaim.schema_version to fairclaim_observer;
grant execute on function fairclaim.schema_version to fairclaim_operator;
grant execute on function fairclaim.schema_version to fairclaim_producer;
grant execute on function fairclaim.schema_version to fairclaim_tenant;
grant execute on function fairclaim.schema_version to fairclaim_worker;

create function fairclaim.set_default_limit(p_max_running integer, p_queue text DEFAULT NULL::text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_default_limit to fairclaim_operator;

create function fairclaim.set_default_quota(p_max_waiting integer, p_queue text DEFAULT NULL::text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_refuses boolean DEFAULT true)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_default_quota to fairclaim_operator;

create function fairclaim.set_key_limit(p_tenant_id uuid, p_key text, p_max_running integer)
  returns TABLE(key text, max_running integer, was integer)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_key_limit to fairclaim_operator;

create function fairclaim.set_limit(p_tenant_id uuid, p_max_running integer, p_queue text DEFAULT NULL::text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_limit to fairclaim_operator;

create function fairclaim.set_queue_fair_by(p_queue text, p_fair_by text)
  returns TABLE(queue text, fair_by text, was_fair_by text, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_queue_fair_by to fairclaim_operator;

create function fairclaim.set_queue_limit(p_queue text, p_max_running integer, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_queue_limit to fairclaim_operator;

create function fairclaim.set_quota(p_tenant_id uuid, p_max_waiting integer, p_queue text DEFAULT NULL::text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_refuses boolean DEFAULT true)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_quota to fairclaim_operator;

create function fairclaim.set_retention(p_tenant_id uuid, p_seconds double precision, p_why text DEFAULT NULL::text)
  returns TABLE(tenant_id uuid, retention double precision, default_retention double precision)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_retention to fairclaim_operator;

create function fairclaim.set_setting(p_name text, p_value text)
  returns TABLE(name text, value text, default_value text, unit text, about text)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_setting to fairclaim_operator;

create function fairclaim.set_weight(p_tenant_id uuid, p_weight integer, p_queue text DEFAULT NULL::text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone, known boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.set_weight to fairclaim_operator;

create function fairclaim.settle_and_claim(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results text[], p_errors text[], p_delays double precision[], p_queues text[], p_limit integer, p_types text[] DEFAULT NULL::text[], p_lease double precision DEFAULT 30, p_cursor text DEFAULT NULL::text, p_lease_token uuid DEFAULT NULL::uuid, p_idle_for double precision DEFAULT NULL::double precision, p_alone boolean DEFAULT false)
  returns TABLE(kind text, id uuid, tenant_id uuid, type text, status text, payload jsonb, result jsonb, worker_id text, attempts integer, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, queue text, priority integer, max_attempts integer, attempts_left integer, lost integer, timeout double precision, tags text[], metadata jsonb, lease_token uuid, lease_expires_at timestamp with time zone, next_cursor text, next_claim_in double precision, extend_in double precision, tick_in double precision, prune_due boolean, cancelled uuid[], suspect_waiting boolean)
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.settle_and_claim to fairclaim_worker;

create function fairclaim.settle_jobs(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results text[] DEFAULT NULL::text[], p_errors text[] DEFAULT NULL::text[], p_delays double precision[] DEFAULT NULL::double precision[])
  returns TABLE(id uuid, attempts integer, kind text, status text)
  language plpgsql volatile security definer
  set enable_nestloop=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp
  set work_mem=128MB;
grant execute on function fairclaim.settle_jobs to fairclaim_worker;

create function fairclaim.show_job(p_id uuid, p_tenant_id uuid DEFAULT NULL::uuid)
  returns TABLE(id uuid, tenant_id uuid, queue text, type text, status text, priority integer, attempts integer, max_attempts integer, worker_id text, next_retry_at timestamp with time zone, created_at timestamp with time zone, completed_at timestamp with time zone, tags text[], payload jsonb, result jsonb, error jsonb, metadata jsonb, timeout double precision, errors jsonb, attempts_left integer, lost integer, run_at timestamp with time zone, lease_expires_at timestamp with time zone, cancel_requested boolean, tenant text)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.show_job to fairclaim_auditor;
grant execute on function fairclaim.show_job to fairclaim_operator;

create function fairclaim.show_limits(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_after uuid DEFAULT NULL::uuid, p_limit integer DEFAULT 100)
  returns TABLE(kind text, subject text, tenant_id uuid, tenant text, queue text, base integer, override integer, in_force integer, refuses boolean, set_by text, why text, until timestamp with time zone, set_at timestamp with time zone)
  language plpgsql stable security definer
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.show_limits to fairclaim_operator;

create function fairclaim.show_quotas(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_limit integer DEFAULT 100)
  returns TABLE(tenant_id uuid, tenant text, queue text, subject text, max_waiting integer, refuses boolean, waiting integer, at_least boolean, drained_at timestamp with time zone)
  language plpgsql stable security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.show_quotas to fairclaim_operator;

create function fairclaim.tenant_names(p_tenant_ids uuid[])
  returns TABLE(tenant_id uuid, name text)
  language plpgsql stable security definer
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.tenant_names to fairclaim_operator;
grant execute on function fairclaim.tenant_names to fairclaim_worker;

create function fairclaim.tenant_stats(p_tenant_id uuid DEFAULT NULL::uuid, p_queue text DEFAULT NULL::text, p_limit integer DEFAULT 100, p_after text DEFAULT NULL::text, p_sort text DEFAULT 'tenant'::text, p_search text DEFAULT NULL::text)
  returns TABLE(tenant_id uuid, tenant text, queue text, weight integer, waiting integer, at_least boolean, oldest_waiting double precision, backlogged boolean, running integer, limits jsonb, dispatched_1m double precision, claimed_1m double precision, finished_1m double precision, failed_1m double precision, seconds_1m double precision, dispatched_1h double precision, claimed_1h double precision, finished_1h double precision, failed_1h double precision, seconds_1h double precision, wait_p50 double precision, wait_p99 double precision, run_p50 double precision, run_p99 double precision, sampled integer, share_1m double precision, fair_share_1m double precision, share_1h double precision, fair_share_1h double precision, age double precision, next text, more boolean)
  language plpgsql stable security definer
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.tenant_stats to fairclaim_observer;
grant execute on function fairclaim.tenant_stats to fairclaim_operator;

create function fairclaim.tenant_uuid(p_name text)
  returns uuid
  language plpgsql immutable parallel safe
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.tenant_uuid to fairclaim_auditor;
grant execute on function fairclaim.tenant_uuid to fairclaim_observer;
grant execute on function fairclaim.tenant_uuid to fairclaim_operator;
grant execute on function fairclaim.tenant_uuid to fairclaim_producer;
grant execute on function fairclaim.tenant_uuid to fairclaim_tenant;
grant execute on function fairclaim.tenant_uuid to fairclaim_worker;

create function fairclaim.tick()
  returns TABLE(promoted integer, returned integer, moved integer, floors integer, closed integer, deleted integer, safe_lag bigint, busy boolean, next_tick_in double precision, failed text[], prune_due boolean)
  language plpgsql volatile security definer
  set enable_seqscan=off
  set jit=off
  set lock_timeout=100ms
  set plan_cache_mode=force_generic_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.tick to fairclaim_operator;
grant execute on function fairclaim.tick to fairclaim_worker;

create function fairclaim.undrain_queue(p_queue text, p_why text DEFAULT NULL::text)
  returns TABLE(queue text, drained_at timestamp with time zone, was_drained boolean, in_use boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.undrain_queue to fairclaim_operator;

create function fairclaim.undrain_tenant(p_tenant_id uuid, p_why text DEFAULT NULL::text)
  returns TABLE(tenant_id uuid, drained_at timestamp with time zone, was_drained boolean)
  language plpgsql volatile security definer
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.undrain_tenant to fairclaim_operator;

create function fairclaim.why_idle(p_queues text[] DEFAULT NULL::text[], p_types text[] DEFAULT NULL::text[])
  returns TABLE(reason text, queue text, type text, jobs integer, at_least boolean, due_in double precision, handled_elsewhere boolean)
  language plpgsql stable security definer
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.why_idle to fairclaim_worker;

create function fairclaim.why_waiting(p_tenant_id uuid, p_id uuid)
  returns TABLE(reason text, detail text, queue text, type text, "position" integer, at_least boolean, due_in double precision, limit_kind text, max_running integer, running integer)
  language plpgsql stable security definer
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_custom_plan
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;
grant execute on function fairclaim.why_waiting to fairclaim_operator;
grant execute on function fairclaim.why_waiting to fairclaim_producer;

create function fairclaim.activate_limits(p_state fairclaim_internal.tick_state)
  returns boolean
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.admit_keys(p_state fairclaim_internal.tick_state, p_all boolean, p_size integer, p_skip uuid[], OUT moved integer, OUT looked integer)
  returns record
  language plpgsql volatile
  set enable_hashjoin=on
  set enable_mergejoin=off
  set enable_nestloop=on
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.admit_some(p_slots integer)
  returns boolean
  language plpgsql volatile;

create function fairclaim.apply_limits(INOUT p_state fairclaim_internal.tick_state, p_size integer, p_skip uuid[], OUT moved integer)
  returns record
  language plpgsql volatile;

create function fairclaim.apply_weights(p_state fairclaim_internal.tick_state, p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.bound_range()
  returns TABLE(kind text, name text, minimum integer, maximum integer)
  language sql immutable;

create function fairclaim.caller()
  returns name
  language sql stable;

create function fairclaim.caller_is(p_kind text)
  returns boolean
  language sql stable;

create function fairclaim.cancelled_jobs(p_worker_id text)
  returns uuid[]
  language plpgsql volatile;

create function fairclaim.charge_rates(p_jobs fairclaim_internal.ready[], p_queues text[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_sort=on;

create function fairclaim.check_batch(p_jobs jsonb)
  returns integer
  language plpgsql volatile;

create function fairclaim.check_batch_quotas(p_jobs jsonb, p_tenants jsonb)
  returns void
  language plpgsql volatile;

create function fairclaim.check_bound(p_kind text, p_subject text, p_tenant_id uuid, p_queue text, p_value integer, p_why text, p_until timestamp with time zone, p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.check_claim(p_worker_id text, p_queues text[], p_limit integer, p_types text[], p_lease double precision)
  returns boolean
  language plpgsql volatile;

create function fairclaim.check_cursor(p_cursor text)
  returns text[]
  language plpgsql immutable;

create function fairclaim.check_declared(p_document jsonb)
  returns void
  language plpgsql volatile;

create function fairclaim.check_filter(p_status text, p_older_than double precision, p_newer_than double precision, p_error text)
  returns void
  language plpgsql stable;

create function fairclaim.check_lanes(p_tenants uuid[], p_queues text[])
  returns void
  language plpgsql volatile;

create function fairclaim.check_queue(p_queue text, p_field text DEFAULT 'p_queue'::text)
  returns void
  language plpgsql volatile;

create function fairclaim.check_quotas(p_tenants uuid[], p_queues text[], p_jobs integer[], p_items integer[] DEFAULT NULL::integer[])
  returns void
  language plpgsql volatile
  set enable_nestloop=on
  set plan_cache_mode=force_generic_plan;

create function fairclaim.check_report(p_host text, p_version text, p_queues text[], p_slots integer[], p_silent_for double precision, p_tenants uuid[], p_tenant_queues text[], p_jobs integer[], p_seconds double precision[])
  returns void
  language plpgsql volatile;

create function fairclaim.check_scope(p_tenant_id uuid, p_ids uuid[])
  returns uuid
  language plpgsql stable;

create function fairclaim.check_setting(p_unit text, p_minimum numeric, p_maximum numeric, p_value text)
  returns void
  language plpgsql volatile;

create function fairclaim.check_settle(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results text[], p_errors text[], p_delays double precision[])
  returns void
  language plpgsql volatile;

create function fairclaim.check_stats(p_limit integer, p_after text, p_sort text, p_search text)
  returns text[]
  language plpgsql volatile;

create function fairclaim.check_tenant(p_tenant_id uuid)
  returns void
  language plpgsql volatile;

create function fairclaim.check_use(p_outcomes text[], p_results text[], p_errors text[], p_delays double precision[])
  returns void
  language plpgsql volatile;

create function fairclaim.claim_from_queue(p_queue text, p_limit integer, p_types text[], p_limited boolean, p_alone boolean, INOUT p_pos bigint, INOUT p_used integer, INOUT p_shared integer, p_taken fairclaim_internal.ready[], OUT jobs fairclaim_internal.ready[])
  returns record
  language plpgsql volatile;

create function fairclaim.claim_one(p_queue text, p_types text[], INOUT p_pos bigint, INOUT p_used integer, INOUT p_shared integer, OUT jobs fairclaim_internal.ready[])
  returns record
  language plpgsql volatile;

create function fairclaim.claim_own(p_queue text, p_limit integer, p_types text[], p_limited boolean, INOUT p_pos bigint, INOUT p_used integer, p_elsewhere fairclaim_internal.ready[], p_here fairclaim_internal.ready[], p_lanes bigint[], p_priorities smallint[], OUT jobs fairclaim_internal.ready[])
  returns record
  language plpgsql volatile;

create function fairclaim.claim_rate(p_queue text, p_tenant_id uuid, p_now timestamp with time zone)
  returns double precision
  language sql stable;

create function fairclaim.clip_error(p_error jsonb)
  returns jsonb
  language plpgsql immutable;

create function fairclaim.close_lanes(INOUT p_state fairclaim_internal.tick_state, p_size integer, OUT closed integer, OUT deleted integer)
  returns record
  language plpgsql volatile;

create function fairclaim.count_one(INOUT p_count fairclaim_internal.waiting_count, p_mark bigint, p_most integer, p_size integer, OUT looked integer)
  returns record
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off;

create function fairclaim.count_waiting(p_state fairclaim_internal.tick_state, p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.counted(p_count bigint, p_noun text)
  returns text
  language sql immutable parallel safe;

create function fairclaim.declared_sections(p_document jsonb)
  returns TABLE(subject text, tenant text, tenant_id uuid, queue text, held jsonb, path jsonb)
  language sql immutable;

create function fairclaim.default_limits(p_queue text, OUT total integer, OUT here integer, OUT is_any_own boolean, OUT is_rate boolean, OUT is_own_rate boolean)
  returns record
  language plpgsql volatile;

create function fairclaim.default_tenant()
  returns uuid
  language plpgsql stable;

create function fairclaim.drop_range(p_starts_at timestamp with time zone, p_before timestamp with time zone)
  returns integer
  language plpgsql volatile;

create function fairclaim.drop_wishes(p_ids uuid[])
  returns void
  language plpgsql volatile;

create function fairclaim.end_cancelled(p_now timestamp with time zone, p_size integer, p_skip uuid[])
  returns integer
  language plpgsql volatile
  set enable_seqscan=off
  set jit=off;

create function fairclaim.end_overrides(p_now timestamp with time zone, p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.end_waiting(p_ids uuid[], p_tenants uuid[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off;

create function fairclaim.erase_jobs(p_ids uuid[], p_tenants uuid[])
  returns TABLE(id uuid, status text)
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off;

create function fairclaim.error_code(p_error jsonb)
  returns jsonb
  language sql immutable parallel safe;

create function fairclaim.error_has(p_error jsonb, p_text text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.event_triggers()
  returns text
  language sql stable;

create function fairclaim.extras_fault(p_tags text[], p_metadata jsonb)
  returns text
  language plpgsql immutable;

create function fairclaim.fail_suspects(p_now timestamp with time zone, p_size integer, p_skip uuid[])
  returns integer
  language plpgsql volatile;

create function fairclaim.fill_keys(p_tenants uuid[], p_keys text[], p_most integer[], p_floors bigint[], p_since bigint[], p_is_locked boolean, p_skip uuid[], OUT moved uuid[], OUT keep boolean[])
  returns record
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=on
  set enable_mergejoin=off
  set enable_nestloop=on
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.find_at_limit(p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_hashjoin=on
  set enable_seqscan=on
  set enable_sort=on;

create function fairclaim.find_counted(p_place fairclaim_internal.quota_place, p_now timestamp with time zone, p_size integer)
  returns bigint
  language plpgsql volatile;

create function fairclaim.find_jobs(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, tenant_id uuid)
  language plpgsql stable;

create function fairclaim.findings_of_age()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_functions(p_build jsonb)
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_holders()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_leases()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_limits()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_migrations(p_build jsonb)
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_queues()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_relations()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_retention()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_roles()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_settings()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_space()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_steps()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_strays()
  returns TABLE(level text, name text, seen text, advice text)
  language sql stable
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_suspects()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_ticks()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.findings_of_waiting()
  returns TABLE(level text, name text, seen text, advice text)
  language sql volatile
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.first_job(p_step text, p_state fairclaim_internal.tick_state, p_skip uuid[])
  returns uuid
  language plpgsql volatile;

create function fairclaim.flows(p_stat fairclaim_internal.stat, p_now timestamp with time zone)
  returns TABLE(dispatched_1m double precision, claimed_1m double precision, finished_1m double precision, failed_1m double precision, seconds_1m double precision, dispatched_1h double precision, claimed_1h double precision, finished_1h double precision, failed_1h double precision, seconds_1h double precision, wait_p50 double precision, wait_p99 double precision, run_p50 double precision, run_p99 double precision, sampled integer, age double precision)
  language plpgsql stable;

create function fairclaim.fold_names(p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.fold_times(p_at timestamp with time zone, p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.force_bounds(p_kinds text[], p_subjects text[], p_tenants uuid[], p_queues text[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.force_running(p_subjects text[], p_tenants uuid[], p_queues text[], p_now timestamp with time zone)
  returns boolean
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.force_waiting(p_subjects text[], p_tenants uuid[], p_queues text[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.force_weights(p_tenants uuid[], p_queues text[], p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.forget_tenant(p_tenant_id uuid)
  returns integer
  language plpgsql volatile;

create function fairclaim.forget_times(p_at timestamp with time zone, p_size integer)
  returns integer
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.forget_workers(p_at timestamp with time zone, p_size integer)
  returns integer
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.free_passed(INOUT p_state fairclaim_internal.tick_state)
  returns fairclaim_internal.tick_state
  language plpgsql volatile;

create function fairclaim.has_room(p_tenant_id uuid)
  returns boolean
  language plpgsql volatile;

create function fairclaim.hint_passed(p_queue text, p_pos bigint)
  returns void
  language plpgsql volatile;

create function fairclaim.hold_jobs(p_tenants uuid[], p_ids uuid[], p_attempts integer[], p_left smallint[], p_lost smallint[])
  returns uuid[]
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_nestloop=on
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.hold_rows(p_rows fairclaim_internal.ready[])
  returns fairclaim_internal.ready[]
  language plpgsql volatile;

create function fairclaim.hop_turns(p_queue text, p_pos bigint, p_used integer, p_walk integer, OUT turns bigint[], OUT tenants uuid[], OUT weights integer[])
  returns record
  language plpgsql volatile;

create function fairclaim.id_at(p_ms bigint)
  returns uuid
  language sql immutable parallel safe;

create function fairclaim.id_prefix(p_now timestamp with time zone)
  returns text
  language plpgsql volatile;

create function fairclaim.in_force(p_kind text, p_subjects text[], p_tenants uuid[], p_queues text[], p_now timestamp with time zone)
  returns TABLE(subject text, tenant_id uuid, queue text, value integer, refuses boolean)
  language plpgsql stable
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.into_lane(p_id uuid, p_tenant_id uuid, p_queue text, p_type text, p_priority integer, p_attempts_left integer)
  returns void
  language plpgsql volatile;

create function fairclaim.into_lanes(p_rows fairclaim_internal.ready[], p_queues text[], p_types text[], p_priorities smallint[], p_since uuid, p_capped boolean DEFAULT false)
  returns integer
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=on
  set enable_mergejoin=off
  set enable_nestloop=off
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.is_counting()
  returns boolean
  language plpgsql stable;

create function fairclaim.is_cursor_entry(p_entry text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.is_handled(p_queue text, p_type text)
  returns boolean
  language sql volatile
  set enable_seqscan=on;

create function fairclaim.is_held_long()
  returns boolean
  language plpgsql volatile;

create function fairclaim.is_known_tenant(p_tenant_id uuid)
  returns boolean
  language plpgsql stable
  set enable_seqscan=off
  set jit=off;

create function fairclaim.is_name(p_name text, p_upper boolean DEFAULT false)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.is_prune_due(p_now timestamp with time zone, p_active boolean)
  returns boolean
  language plpgsql volatile;

create function fairclaim.is_quiet(p_state fairclaim_internal.tick_state, p_now timestamp with time zone)
  returns boolean
  language plpgsql volatile;

create function fairclaim.is_suspect_waiting(p_queues text[], p_types text[])
  returns boolean
  language plpgsql volatile;

create function fairclaim.is_tenant_name(p_name text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.is_time(p_text text)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.is_wanted(p_state fairclaim_internal.tick_state, p_now timestamp with time zone, p_round boolean)
  returns boolean
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.job_ended(p_ids uuid[], p_parked uuid[] DEFAULT NULL::uuid[])
  returns uuid[]
  language plpgsql volatile
  set enable_nestloop=on
  set enable_seqscan=off;

create function fairclaim.jobs_ahead(p_lane fairclaim_internal.lane, p_seq bigint)
  returns integer
  language plpgsql stable;

create function fairclaim.json_fault(p_value jsonb, p_max_bytes integer)
  returns text
  language plpgsql immutable;

create function fairclaim.keep_state(p_state fairclaim_internal.tick_state)
  returns void
  language plpgsql volatile;

create function fairclaim.key_lock_of(p_tenant_id uuid, p_key text)
  returns smallint
  language sql immutable parallel safe;

create function fairclaim.known_settings()
  returns TABLE(place integer, name text, unit text, default_value text, minimum numeric, maximum numeric, about text)
  language sql immutable;

create function fairclaim.lane_group(p_queue text)
  returns bigint
  language sql immutable parallel safe;

create function fairclaim.leave_hints(p_queue text, p_turns bigint[], p_probed integer, p_ordinals integer[], p_jobs fairclaim_internal.ready[])
  returns boolean
  language plpgsql volatile;

create function fairclaim.leave_room(p_now timestamp with time zone, p_tenants uuid[])
  returns void
  language plpgsql volatile;

create function fairclaim.limits_in_force(p_tenant_id uuid, p_queue text, p_now timestamp with time zone)
  returns TABLE(kind text, max_running integer, running integer, active boolean, units integer, period double precision, burst integer, due_in double precision)
  language plpgsql stable;

create function fairclaim.limits_of(p_tenant_id uuid, p_queue text, p_total integer, p_here integer)
  returns TABLE(total integer, here integer)
  language sql stable;

create function fairclaim.lock_bounds()
  returns void
  language plpgsql volatile;

create function fairclaim.lock_slot(p_tenant_id uuid)
  returns integer
  language sql immutable parallel safe;

create function fairclaim.longest_waits()
  returns TABLE(queue text, type text, paused boolean, runs boolean, waits double precision)
  language sql volatile
  set enable_seqscan=off
  set jit=off
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.make_range(p_from timestamp with time zone, p_to timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.make_ranges(p_until timestamp with time zone)
  returns integer
  language plpgsql volatile security definer
  set TimeZone=UTC
  set default_tablespace=
  set lock_timeout=100ms
  set row_security=on
  set search_path=pg_catalog, fairclaim_internal, pg_temp;

create function fairclaim.mark_holders(INOUT p_state fairclaim_internal.tick_state)
  returns fairclaim_internal.tick_state
  language plpgsql volatile;

create function fairclaim.matching_jobs(p_tenant_id uuid, p_queue text, p_type text, p_status text, p_before_id uuid, p_older_than interval, p_newer_than interval, p_error text, p_limit integer)
  returns TABLE(id uuid, tenant_id uuid)
  language plpgsql stable;

create function fairclaim.millis(p_at timestamp with time zone)
  returns bigint
  language sql stable parallel safe;

create function fairclaim.move_floors(INOUT p_state fairclaim_internal.tick_state, p_all boolean, OUT moved integer, OUT waiting boolean)
  returns record
  language plpgsql volatile;

create function fairclaim.move_limited(INOUT p_state fairclaim_internal.tick_state, p_size integer, p_skip uuid[], OUT moved integer)
  returns record
  language plpgsql volatile;

create function fairclaim.named_tenant(p_name text)
  returns uuid
  language plpgsql volatile;

create function fairclaim.named_tenants(p_jobs jsonb)
  returns jsonb
  language plpgsql volatile;

create function fairclaim.newest_state()
  returns fairclaim_internal.tick_state
  language sql stable;

create function fairclaim.next_look(p_state fairclaim_internal.tick_state, p_now timestamp with time zone)
  returns interval
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.next_queue(p_after text, p_alone boolean)
  returns text
  language plpgsql volatile;

create function fairclaim.next_turns(p_queue text, p_pos bigint, p_used integer, p_walk integer, OUT turns bigint[], OUT tenants uuid[], OUT weights integer[])
  returns record
  language plpgsql volatile;

create function fairclaim.next_turns_by_type(p_queue text, p_types text[], p_pos bigint, p_used integer, p_walk integer, OUT turns bigint[], OUT tenants uuid[], OUT weights integer[])
  returns record
  language plpgsql volatile
  set enable_sort=on;

create function fairclaim.note_audit(p_what text, p_subject text, p_tenant_id uuid, p_queue text, p_old text, p_new text, p_why text DEFAULT NULL::text, p_until timestamp with time zone DEFAULT NULL::timestamp with time zone, p_many integer DEFAULT 1)
  returns void
  language plpgsql volatile;

create function fairclaim.note_below(p_above bigint, p_all boolean)
  returns void
  language sql volatile;

create function fairclaim.note_delayed(INOUT p_place fairclaim_internal.quota_place, p_size integer)
  returns fairclaim_internal.quota_place
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off
  set jit=off;

create function fairclaim.note_fault(p_step text, p_state fairclaim_internal.tick_state, p_fault fairclaim_internal.tick_fault, p_full integer, p_sqlstate text, p_message text)
  returns boolean
  language plpgsql volatile;

create function fairclaim.note_flows(p_now timestamp with time zone, p_prev timestamp with time zone, p_gap double precision, p_mask integer, p_mask_before integer, OUT queues text[], OUT tenants uuid[])
  returns record
  language plpgsql volatile;

create function fairclaim.note_freed(p_tenant uuid)
  returns void
  language plpgsql volatile;

create function fairclaim.note_idle(p_now timestamp with time zone, p_idle_for double precision DEFAULT NULL::double precision)
  returns void
  language plpgsql volatile;

create function fairclaim.note_limits(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.note_look(p_now timestamp with time zone, p_next interval)
  returns double precision
  language plpgsql volatile;

create function fairclaim.note_operation(p_what text, p_tenant_id uuid, p_queue text, p_why text, p_many bigint DEFAULT 0)
  returns void
  language plpgsql volatile;

create function fairclaim.note_prune_fault(p_range timestamp with time zone, p_from uuid, p_sqlstate text)
  returns uuid
  language plpgsql volatile;

create function fairclaim.note_ranges(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.note_rates(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.note_tenants(p_tenant_ids uuid[], p_names text[])
  returns void
  language plpgsql volatile;

create function fairclaim.note_waiting(p_now timestamp with time zone, p_queues text[], p_tenants uuid[])
  returns void
  language plpgsql volatile;

create function fairclaim.note_watched()
  returns void
  language plpgsql volatile;

create function fairclaim.open_queues(p_queues text[])
  returns text[]
  language plpgsql stable;

create function fairclaim.our_role(p_kind text)
  returns name
  language sql immutable parallel safe;

create function fairclaim.place_in_range(p_us bigint)
  returns bigint
  language sql stable;

create function fairclaim.promote_due(p_now timestamp with time zone, p_floor timestamp with time zone, p_size integer, p_skip uuid[])
  returns integer
  language plpgsql volatile;

create function fairclaim.prune_before(p_retention double precision, p_now timestamp with time zone)
  returns timestamp with time zone
  language plpgsql volatile;

create function fairclaim.prune_piece(p_place fairclaim_internal.prune_place, p_now timestamp with time zone, p_end uuid, OUT starts_at timestamp with time zone, OUT from_id uuid, OUT to_id uuid, OUT is_ahead boolean)
  returns record
  language sql stable;

create function fairclaim.prune_round(INOUT p_place fairclaim_internal.prune_place, p_retention interval, p_now timestamp with time zone, p_before timestamp with time zone, p_end uuid, OUT begins boolean)
  returns record
  language plpgsql volatile;

create function fairclaim.prune_step(p_range timestamp with time zone, p_from uuid, p_to uuid, p_before timestamp with time zone, p_limit integer, p_faults uuid[], OUT looked integer, OUT deleted integer, OUT last uuid, OUT left_since timestamp with time zone)
  returns record
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off;

create function fairclaim.prune_tenant(p_now timestamp with time zone, p_size integer)
  returns integer
  language plpgsql volatile
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_seqscan=off;

create function fairclaim.prune_walk(INOUT p_place fairclaim_internal.prune_place, p_now timestamp with time zone, p_before timestamp with time zone, p_end uuid, OUT deleted bigint, OUT passed_over integer)
  returns record
  language plpgsql volatile;

create function fairclaim.put_bound(p_what text, p_kind text, p_subject text, p_tenant_id uuid, p_queue text, p_value integer, p_refuses boolean, p_why text, p_until timestamp with time zone, p_now timestamp with time zone)
  returns void
  language plpgsql volatile
  set enable_seqscan=off
  set jit=off;

create function fairclaim.quanta(p_weights integer[], p_limit integer, p_whole boolean)
  returns integer[]
  language plpgsql immutable;

create function fairclaim.quantile(p_values real[], p_part double precision)
  returns double precision
  language sql immutable parallel safe;

create function fairclaim.queue_in_use(p_queue text)
  returns boolean
  language sql stable;

create function fairclaim.queue_mean(p_queue text, p_now timestamp with time zone)
  returns double precision
  language sql stable;

create function fairclaim.quiet_until(p_state fairclaim_internal.tick_state, p_waiting boolean)
  returns timestamp with time zone
  language plpgsql volatile;

create function fairclaim.quotas_of(p_tenant_id uuid, p_queue text)
  returns TABLE(subject text, queue text, max_waiting integer, refuses boolean)
  language sql stable;

create function fairclaim.range_block(p_at timestamp with time zone, OUT starts_at timestamp with time zone, OUT ends_at timestamp with time zone)
  returns record
  language sql stable;

create function fairclaim.range_name(p_table text, p_starts_at timestamp with time zone)
  returns text
  language sql immutable;

create function fairclaim.range_waits(p_from uuid, p_to uuid)
  returns boolean
  language sql stable;

create function fairclaim.range_width(p_count bigint DEFAULT 0)
  returns interval
  language sql stable;

create function fairclaim.ranges_wanted(p_now timestamp with time zone)
  returns boolean
  language sql stable;

create function fairclaim.rate_room(p_units integer, p_period double precision, p_burst integer, p_paid_until timestamp with time zone, p_now timestamp with time zone)
  returns integer
  language sql immutable;

create function fairclaim.rates_of(p_tenant_id uuid, p_queue text)
  returns TABLE(queue text, units integer, period double precision, burst integer)
  language sql stable;

create function fairclaim.read_declared(p_document jsonb)
  returns TABLE(kind text, subject text, tenant_id uuid, queue text, value integer, refuses boolean, what text)
  language sql immutable;

create function fairclaim.read_json(p_text text, p_max_bytes integer)
  returns jsonb
  language plpgsql volatile;

create function fairclaim.read_tail(p_table text, p_since timestamp with time zone, p_now timestamp with time zone)
  returns TABLE(id uuid, tenant_id uuid, at timestamp with time zone, attempts integer, status text, ran boolean, weight double precision)
  language plpgsql volatile;

create function fairclaim.read_texts(p_outcomes text[], p_results text[], p_errors text[], OUT outcomes text[], OUT results jsonb[], OUT errors jsonb[])
  returns record
  language plpgsql volatile;

create function fairclaim.read_times(p_jobs jsonb)
  returns timestamp with time zone[]
  language plpgsql volatile
  set DateStyle=ISO, YMD
  set TimeZone=UTC;

create function fairclaim.refresh_stats(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.refuse(p_code text, p_field text, p_rule text, p_hint text DEFAULT NULL::text, p_detail jsonb DEFAULT '{}'::jsonb)
  returns void
  language plpgsql volatile;

create function fairclaim.refuse_item(p_jobs jsonb, p_place integer, p_fault text)
  returns void
  language plpgsql volatile;

create function fairclaim.refuse_job(p_fault text, p_item integer DEFAULT NULL::integer)
  returns void
  language plpgsql volatile;

create function fairclaim.refuse_late(p_expires timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.rehearse_drop()
  returns boolean
  language plpgsql volatile;

create function fairclaim.renew_passed(p_size integer, p_skip uuid[])
  returns integer
  language plpgsql volatile;

create function fairclaim.reopen_ended(p_tenant_id uuid, p_ids uuid[], p_statuses text[] DEFAULT NULL::text[])
  returns TABLE(id uuid, tenant_id uuid, attempts integer, attempts_left smallint, lost smallint, watched boolean)
  language plpgsql volatile;

create function fairclaim.return_expired(p_now timestamp with time zone, p_size integer, p_skip uuid[])
  returns integer
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.roll_window(p_sums real[], p_slot bigint, p_now bigint, p_add double precision[], p_add_before double precision[])
  returns real[]
  language sql immutable parallel safe;

create function fairclaim.room_in_queue(p_queue text, p_limit integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.room_under_limits(p_queue text, p_types text[], p_turns bigint[], p_tenants uuid[], p_wanted integer[], p_limit integer, p_elsewhere fairclaim_internal.ready[], p_here fairclaim_internal.ready[])
  returns integer[]
  language plpgsql volatile;

create function fairclaim.room_under_rates(p_tenant_id uuid, p_queue text, p_group integer, p_now timestamp with time zone)
  returns TABLE(jobs integer)
  language sql stable;

create function fairclaim.run_limited(p_jobs fairclaim_internal.ready[], p_queues text[], p_token uuid, p_expires_at timestamp with time zone, p_worker_id text)
  returns void
  language plpgsql volatile;

create function fairclaim.run_step(p_step text, INOUT p_state fairclaim_internal.tick_state, p_size integer, p_skip uuid[], p_all boolean, OUT done integer, OUT more integer, OUT again boolean)
  returns record
  language plpgsql volatile;

create function fairclaim.running_mask(OUT mask integer, OUT jobs bigint)
  returns record
  language plpgsql volatile
  set enable_seqscan=on;

create function fairclaim.seconds_in(p_value jsonb, p_least numeric, p_most numeric)
  returns interval
  language plpgsql immutable strict;

create function fairclaim.secure_table(p_table text)
  returns void
  language plpgsql volatile;

create function fairclaim.service_shares(p_queue text, p_width integer, p_now timestamp with time zone, OUT tenants integer, OUT claims double precision, OUT seconds double precision, OUT weights double precision, OUT by_claims double precision, OUT by_seconds double precision)
  returns record
  language plpgsql stable;

create function fairclaim.settle_mixed(p_worker_id text, p_ids uuid[], p_attempts integer[], p_lease_tokens uuid[], p_outcomes text[], p_results jsonb[], p_errors jsonb[], p_delays double precision[])
  returns TABLE(id uuid, attempts integer, kind text, status text)
  language plpgsql volatile
  set enable_hashjoin=on
  set enable_nestloop=off;

create function fairclaim.shown_bound(p_kind text, p_subject text, p_tenant_id uuid, p_queue text, p_now timestamp with time zone, OUT kind text, OUT subject text, OUT tenant_id uuid, OUT tenant text, OUT queue text, OUT base integer, OUT override integer, OUT in_force integer, OUT refuses boolean, OUT set_by text, OUT why text, OUT until timestamp with time zone, OUT set_at timestamp with time zone)
  returns record
  language plpgsql stable
  set enable_seqscan=off
  set jit=off;

create function fairclaim.slots_of(p_queue text)
  returns integer
  language sql volatile
  set enable_seqscan=on;

create function fairclaim.some_of(p_names text[])
  returns text
  language sql immutable parallel safe;

create function fairclaim.span(p_seconds double precision)
  returns text
  language sql immutable parallel safe;

create function fairclaim.spread_prefixes(p_floor bigint)
  returns void
  language plpgsql volatile;

create function fairclaim.stale_kind(p_worker_id text, p_id uuid, p_attempt integer, p_outcome text)
  returns text
  language plpgsql volatile;

create function fairclaim.stats_due(p_now timestamp with time zone)
  returns boolean
  language plpgsql volatile;

create function fairclaim.stats_page(p_tenant_id uuid, p_queue text, p_limit integer, p_after text[], p_sort text, p_search text, p_now timestamp with time zone, OUT ids bigint[], OUT keys text[])
  returns record
  language plpgsql stable;

create function fairclaim.status_of(p_tenant_id uuid, p_ids uuid[])
  returns TABLE(id uuid, status text)
  language sql stable;

create function fairclaim.sweep_ready(INOUT p_state fairclaim_internal.tick_state, p_size integer, p_skip uuid[], OUT swept integer)
  returns record
  language plpgsql volatile;

create function fairclaim.take_bounded(p_queue text, p_lanes bigint[], p_floors bigint[], p_limit integer, p_elsewhere fairclaim_internal.ready[], p_here fairclaim_internal.ready[], p_far boolean, OUT jobs fairclaim_internal.ready[])
  returns fairclaim_internal.ready[]
  language plpgsql volatile
  set enable_sort=on;

create function fairclaim.take_guard(p_now timestamp with time zone)
  returns fairclaim_internal.tick_state
  language plpgsql volatile;

create function fairclaim.take_highest(p_queue text, p_types text[], p_lanes bigint[], p_priorities smallint[], p_least integer, p_tenants uuid[], p_counts integer[], p_limit integer, OUT ordinals integer[], OUT jobs fairclaim_internal.ready[])
  returns record
  language plpgsql volatile
  set enable_sort=on;

create function fairclaim.take_jobs(p_worker_id text, p_queues text[], p_limit integer, p_types text[], p_lease double precision, p_cursor text, p_lease_token uuid, p_idle_for double precision, p_alone boolean, OUT jobs fairclaim_internal.ready[], OUT token uuid, OUT expires_at timestamp with time zone, OUT cursor text)
  returns record
  language plpgsql volatile
  set enable_bitmapscan=off
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_sort=off;

create function fairclaim.take_own(p_queue text, p_types text[], p_turns bigint[], p_quanta integer[], p_limit integer, OUT ordinals integer[], OUT jobs fairclaim_internal.ready[])
  returns record
  language plpgsql volatile;

create function fairclaim.take_ranked(p_queue text, p_lanes bigint[], p_floors bigint[], p_priorities smallint[], p_limit integer, p_types text[], p_limited boolean, p_elsewhere fairclaim_internal.ready[], p_here fairclaim_internal.ready[], OUT jobs fairclaim_internal.ready[])
  returns fairclaim_internal.ready[]
  language plpgsql volatile
  set enable_sort=on;

create function fairclaim.take_shared(p_lanes bigint[], p_floors bigint[], p_limit integer, p_rest boolean, OUT jobs fairclaim_internal.ready[])
  returns fairclaim_internal.ready[]
  language plpgsql volatile;

create function fairclaim.tell(p_word text)
  returns boolean
  language plpgsql volatile;

create function fairclaim.tell_of_keys(p_ms bigint)
  returns void
  language plpgsql volatile;

create function fairclaim.tell_watchers(p_ids uuid[])
  returns uuid[]
  language plpgsql volatile;

create function fairclaim.tenant_jobs(p_tenant_id uuid, p_queue text, p_type text, p_older_than double precision, p_newer_than double precision, p_after uuid, p_limit integer, OUT ids uuid[], OUT looked integer, OUT next uuid)
  returns record
  language plpgsql stable
  set enable_seqscan=off;

create function fairclaim.tenant_label(p_tenant_id uuid)
  returns text
  language sql stable;

create function fairclaim.tenant_parts(p_tenant_id uuid)
  returns TABLE(kind text, document jsonb)
  language plpgsql stable;

create function fairclaim.ticks_at_work()
  returns TABLE(slot smallint, xid xid)
  language sql volatile
  set enable_seqscan=on;

create function fairclaim.times_wanted()
  returns boolean
  language plpgsql volatile;

create function fairclaim.to_ready(p_tenants uuid[], p_ids uuid[], p_attempts integer[], p_left smallint[], p_lost smallint[], p_watched boolean[], p_admitted boolean DEFAULT false)
  returns integer
  language plpgsql volatile;

create function fairclaim.told_limits(p_tenant_id uuid, p_queue text, p_now timestamp with time zone)
  returns jsonb
  language sql stable;

create function fairclaim.too_deep(p_value jsonb)
  returns boolean
  language sql immutable parallel safe;

create function fairclaim.try_step(p_step text, INOUT p_state fairclaim_internal.tick_state, p_all boolean, OUT done integer, OUT more integer, OUT again boolean, OUT failed boolean, OUT canceled boolean)
  returns record
  language plpgsql volatile;

create function fairclaim.turn_worth(p_now double precision, p_slowest double precision, p_fastest double precision)
  returns double precision
  language plpgsql immutable;

create function fairclaim.waiting_jobs(p_tenants uuid[], p_queues text[], p_most integer[])
  returns TABLE(place integer, jobs integer)
  language plpgsql stable
  set enable_hashjoin=off
  set enable_mergejoin=off
  set enable_nestloop=on
  set enable_seqscan=off
  set jit=off
  set plan_cache_mode=force_generic_plan;

create function fairclaim.waiting_of(p_queue text, p_tenant_id uuid, p_cap integer, OUT waiting integer, OUT at_least boolean, OUT oldest_at timestamp with time zone, OUT backlogged boolean)
  returns record
  language plpgsql stable;

create function fairclaim.wake(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.wake_before(p_now timestamp with time zone, p_due timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.wake_cancel(p_now timestamp with time zone)
  returns void
  language plpgsql volatile;

create function fairclaim.wake_freed(p_now timestamp with time zone, p_tenants uuid[])
  returns void
  language plpgsql volatile
  set enable_seqscan=off;

create function fairclaim.walk_lanes(p_now timestamp with time zone, p_size integer)
  returns boolean
  language plpgsql volatile;

create function fairclaim.walk_locked(p_now timestamp with time zone, p_size integer)
  returns void
  language plpgsql volatile;

create function fairclaim.weigh_by_time(p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.weigh_slice(p_queue text, p_size integer)
  returns integer
  language plpgsql volatile;

create function fairclaim.weight_of(p_tenant_id uuid, p_queue text)
  returns smallint
  language sql stable;

create function fairclaim.window_sum(p_sums real[], p_place integer, p_slot bigint, p_width integer, p_now timestamp with time zone)
  returns double precision
  language sql stable parallel safe;

create function fairclaim.work_steps(INOUT p_state fairclaim_internal.tick_state, p_round boolean, p_all boolean, OUT did jsonb, OUT failed text[])
  returns record
  language plpgsql volatile;

create function fairclaim.write_base(p_ids bigint[], p_kinds text[], p_subjects text[], p_tenants uuid[], p_queues text[], p_values integer[], p_refuses boolean[], p_why text, p_now timestamp with time zone)
  returns void
  language plpgsql volatile;
