-- What production databases asked for.

-- Every table has a key: a publication for all tables (change data capture) refuses deletes from a table without one.
alter table fairclaim.cancel_request add column request_id bigint generated always as identity primary key;
alter table fairclaim.renewal add column renewal_id bigint generated always as identity primary key;

-- Lanes are rare. A shared lane serves one (queue, type, priority); its number tells the queue: the upper half is the queue's group
-- (negative, a hash of its name; own lanes are of group 0), so one look by (tenant, group) counts what a tenant has in the shared
-- lanes of a queue. Jobs that were lost twice stand in shared lanes of their own, which only a claim for one job to run alone walks.
alter table fairclaim.lane drop constraint lane_check;
alter table fairclaim.lane add column alone boolean not null default false;
alter table fairclaim.lane add check (not alone or tenant_id is null);
alter table fairclaim.lane drop column opened_by;
drop index fairclaim.lane_shared, fairclaim.lane_above, fairclaim.ready_tenant;
create index lane_shared on fairclaim.lane (queue, type, priority, lane_id) where tenant_id is null and not alone;
create index lane_alone on fairclaim.lane (queue, type, lane_id) where alone;
create index lane_ranked on fairclaim.lane (queue, tenant_id) where priority > 0 or priority < 0 and tenant_id is null;
create index ready_tenant on fairclaim.ready (tenant_id, (lane_id >> 32), id);
-- The shared lanes that are there have numbers of own lanes: they give what they hold and get nothing more.
update fairclaim.lane l set drained = t.n from fairclaim.tick_state t where l.tenant_id is null and l.drained is null;
alter table fairclaim.setting
  add column max_shared_lanes int not null default 2000 check (max_shared_lanes >= 1),    -- of a queue: further types get own lanes
  add column max_own_lanes int not null default 1000 check (max_own_lanes >= 1);          -- of a tenant in a queue: refused at dispatch
