//! What the doctor asks. Beside calls it reads the server's own catalogs, with the rights of the login: every statement here is
//! bounded, takes no lock that anybody waits for, and runs under [`GUARD`].

use super::Statement;

const fn asks(sql: &'static str) -> Statement {
    Statement { sql, types: &[] }
}

/// For the transaction of one check: it neither waits long nor makes others wait.
pub(crate) const GUARD: &str = "set local statement_timeout = '10s'; set local lock_timeout = '1s'; \
    set local jit = off; set local search_path = pg_catalog, pg_temp";

pub(crate) const SERVER: Statement = asks(
    "select pg_catalog.current_setting('server_version_num')::int4 as number, \
     pg_catalog.current_setting('server_version') as version, pg_catalog.current_database()::text as database, \
     session_user::text as login, pg_catalog.current_setting('server_encoding') as encoding, \
     pg_catalog.pg_is_in_recovery() as standby, s.ssl, s.version as tls, \
     pg_catalog.inet_client_addr() is null as socket, \
     coalesce(pg_catalog.inet_client_addr() <<= '127.0.0.0/8' or pg_catalog.inet_client_addr() = '::1', false) as loopback, \
     pg_catalog.to_regnamespace('fairclaim') is not null as installed, \
     coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('fairclaim')::oid, 'usage'), false) as usable \
     from (select 1) x left join pg_catalog.pg_stat_ssl s on s.pid = pg_catalog.pg_backend_pid()",
);

/// The values that new sessions of this login start with.
pub(crate) const SETTINGS: Statement = asks(
    "select s.name, s.reset_val from pg_catalog.pg_settings s where s.name in ('fsync', 'full_page_writes', \
     'synchronous_commit', 'default_transaction_isolation', 'default_transaction_read_only', 'row_security', 'statement_timeout', \
     'log_parameter_max_length_on_error', 'log_parameter_max_length', 'log_statement', 'log_min_duration_statement', \
     'autovacuum', 'track_counts')",
);

pub(crate) const CONNECTIONS: Statement = asks(
    "select (select sum(d.numbackends)::int8 from pg_catalog.pg_stat_database d) as used, \
     pg_catalog.current_setting('max_connections')::int8 \
     - pg_catalog.current_setting('superuser_reserved_connections')::int8 as usable",
);

pub(crate) const MIGRATIONS: Statement =
    asks("select m.version, m.name, m.checksum from fairclaim.doctor_migrations() m");

/// Every function in the schema (an installer that quotes all identifiers leaves quotes in its search path), with which of our roles may execute it, and who else.
pub(crate) const FUNCTIONS: Statement = asks(
    "select p.proname::text as name, p.oid::regprocedure::text as signature, p.prosrc as body, \
     p.proowner = pg_catalog.to_regrole('fairclaim_owner') as owned, p.prosecdef as definer, \
     exists (select from unnest(p.proconfig) c where pg_catalog.replace(c, '\"', '') = 'search_path=pg_catalog, fairclaim_internal, pg_temp') as pinned, \
     array(select coalesce(nullif(a.grantee, 0)::regrole::text, 'public') \
             from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a \
            where a.grantee <> p.proowner and not exists (select from pg_catalog.pg_roles r where r.oid = a.grantee \
                  and r.rolname ~ '^fairclaim_(owner|worker|producer|tenant|operator|auditor|observer)$')) as strangers, \
     array(select r.rolname::text \
             from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a \
             join pg_catalog.pg_roles r on r.oid = a.grantee \
            where a.grantee <> p.proowner \
              and r.rolname ~ '^fairclaim_(worker|producer|tenant|operator|auditor|observer)$') as roles \
     from pg_catalog.pg_proc p where p.pronamespace in (pg_catalog.to_regnamespace('fairclaim'), pg_catalog.to_regnamespace('fairclaim_internal')) order by 1, 2 limit 1000",
);

/// Every table, view and sequence, and the schema itself.
pub(crate) const RELATIONS: Statement = asks(
    "select x.name, x.kind, x.forced, x.strangers, x.policies, x.quiet from ( \
     select c.relname::text as name, c.relkind::text as kind, \
            case when c.relkind in ('r', 'p') then c.relrowsecurity and c.relforcerowsecurity \
                 when c.relkind in ('v', 'm') then coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'] \
                 else true end as forced, \
            array(select distinct coalesce(nullif(g.grantee, 0)::regrole::text, 'public') from ( \
                    select a.grantee from pg_catalog.aclexplode(c.relacl) a \
                    union all select a.grantee from pg_catalog.pg_attribute t cross join pg_catalog.aclexplode(t.attacl) a \
                     where t.attrelid = c.oid) g \
                   where g.grantee <> c.relowner and not exists (select from pg_catalog.pg_roles r where r.oid = g.grantee \
                         and r.rolname ~ '^fairclaim_(owner|worker|producer|tenant|operator|auditor|observer)$')) as strangers, \
            array(select p.polname::text from pg_catalog.pg_policy p \
                   where p.polrelid = c.oid and p.polname not in ('owner_all', 'tenant_read', 'operator_read')) as policies, \
            coalesce(c.reloptions, '{}') @> array['autovacuum_enabled=false'] as quiet \
       from pg_catalog.pg_class c \
      where c.relnamespace in (pg_catalog.to_regnamespace('fairclaim'), pg_catalog.to_regnamespace('fairclaim_internal')) and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') \
     union all \
     select n.nspname::text, 'schema', true, \
            array(select distinct coalesce(nullif(a.grantee, 0)::regrole::text, 'public') from pg_catalog.aclexplode(n.nspacl) a \
                   where a.grantee <> n.nspowner and not exists (select from pg_catalog.pg_roles r where r.oid = a.grantee \
                         and r.rolname ~ '^fairclaim_(owner|worker|producer|tenant|operator|auditor|observer)$')), \
            '{}', false \
       from pg_catalog.pg_namespace n where n.nspname in ('fairclaim', 'fairclaim_internal')) x order by 1 limit 2000",
);

/// Our roles, what they may beyond what they should, and whether this login has them.
pub(crate) const ROLES: Statement = asks(
    "select n.role, r.oid is not null as there, \
     coalesce(r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole, false) as strong, \
     coalesce(pg_catalog.pg_has_role(r.oid, 'usage'), false) as mine, \
     coalesce(pg_catalog.pg_has_role(r.oid, 'member') and not pg_catalog.pg_has_role(r.oid, 'usage'), false) as dormant, \
     array(select w.rolname::text from pg_catalog.pg_roles w where w.rolname in ('anon', 'authenticated') \
            and pg_catalog.pg_has_role(w.oid, r.oid, 'member')) as web, \
     coalesce((select l.rolsuper or l.rolbypassrls from pg_catalog.pg_roles l where l.rolname = session_user), false) as unbound \
     from unnest(array['fairclaim_owner', 'fairclaim_worker', 'fairclaim_producer', 'fairclaim_tenant', \
       'fairclaim_operator', 'fairclaim_auditor', 'fairclaim_observer']) with ordinality n(role, place) \
     left join pg_catalog.pg_roles r on r.rolname = n.role order by n.place",
);

/// Other databases of the cluster in which our owner owns something.
pub(crate) const NEIGHBOURS: Statement = asks(
    "select distinct d.datname::text as database from pg_catalog.pg_shdepend s \
     join pg_catalog.pg_database d on d.oid = s.dbid \
     where s.refclassid = 'pg_catalog.pg_authid'::regclass and s.refobjid = pg_catalog.to_regrole('fairclaim_owner')::oid \
       and s.deptype = 'o' and d.datname <> pg_catalog.current_database() and not d.datistemplate and d.datallowconn \
     order by 1 limit 10",
);

/// Open transactions, oldest first. Those of other databases keep none of our dead rows.
pub(crate) const TRANSACTIONS: Statement = asks(
    "select a.pid, a.usename::text as login, a.application_name as application, a.state, \
     pg_catalog.date_part('epoch', fairclaim.clock() - a.xact_start)::float8 as seconds \
     from pg_catalog.pg_stat_activity a \
     where a.xact_start is not null and a.pid <> pg_catalog.pg_backend_pid() \
       and a.datname = pg_catalog.current_database() and a.backend_type <> 'autovacuum worker' \
     order by a.xact_start limit 5",
);

/// Whether the login may see what the sessions of others do.
pub(crate) const SEES_OTHERS: Statement =
    asks("select pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as sees");

pub(crate) const PREPARED: Statement = asks(
    "select p.owner::text as login, \
     pg_catalog.date_part('epoch', fairclaim.clock() - p.prepared)::float8 as seconds, count(*) over () as all_of_them \
     from pg_catalog.pg_prepared_xacts p where p.database = pg_catalog.current_database() order by p.prepared limit 5",
);

pub(crate) const SLOTS: Statement = asks(
    "select s.slot_name::text as name, s.active, \
     greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))::int8 as behind, \
     s.xmin is not null as holds_rows, coalesce(s.wal_status, '') as wal \
     from pg_catalog.pg_replication_slots s order by 3 desc nulls last limit 10",
);

/// Standbys that make this server keep dead rows for their own queries, without a slot: those with one are told with the slots.
pub(crate) const STANDBYS: Statement = asks(
    "select r.pid, r.usename::text as login, r.application_name as application, \
     pg_catalog.age(r.backend_xmin)::int8 as behind \
     from pg_catalog.pg_stat_replication r where r.backend_xmin is not null order by 4 desc limit 5",
);

pub(crate) const STATE: Statement = asks(
    "select s.expired, s.running, s.seq_behind, \
     pg_catalog.date_part('epoch', s.now_at - s.seq_mended_at)::float8 as mended_age, \
     case when pg_catalog.isfinite(s.ticked_at) then pg_catalog.date_part('epoch', s.now_at - s.ticked_at)::float8 end as tick_age, \
     pg_catalog.date_part('epoch', s.ranges_end - s.now_at)::float8 as ranges_ahead, \
     s.range_width, \
     s.retention, \
     pg_catalog.date_part('epoch', s.now_at - s.overdue_since)::float8 - s.retention as overdue, \
     pg_catalog.date_part('epoch', s.now_at - s.expired_since)::float8 as expired_age, \
     (select count(*) from pg_catalog.pg_stat_activity a where a.datname = pg_catalog.current_database() \
         and a.pid <> pg_catalog.pg_backend_pid() and a.usesysid is not null \
         and pg_catalog.pg_has_role(a.usesysid, 'fairclaim_worker', 'usage')) as worker_sessions \
     from fairclaim.doctor_state() s",
);

pub(crate) const RETENTION: Statement = asks(
    "select r.ranges, r.is_covered as covered, r.ranges_far as far, r.faults, r.fault_ids, r.fault_sqlstate, \
     pg_catalog.date_part('epoch', coalesce(r.ends_at, r.starts_at) - r.now_at)::float8 as ahead, \
     r.range_width as width, \
     r.retention, \
     pg_catalog.date_part('epoch', r.now_at - r.oldest_end)::float8 - r.retention as job_overdue, \
     pg_catalog.date_part('epoch', r.now_at - r.in_use_since)::float8 - r.retention as range_overdue, \
     pg_catalog.date_part('epoch', r.now_at - r.pruned_at)::float8 as pruned_ago \
     from fairclaim.doctor_retention() r",
);

/// Whose transactions hold floors back: the names that tick knows them by, as sessions.
pub(crate) const HOLDERS: Statement = asks(
    "select distinct u.seconds, l.pid, \
     a.usename::text as login, a.application_name as application \
     from fairclaim.doctor_state() s cross join lateral unnest(s.holders, s.holder_for) u(name, seconds) \
     left join pg_catalog.pg_locks l on l.locktype = 'virtualxid' and l.virtualtransaction = u.name \
     left join pg_catalog.pg_stat_activity a on a.pid = l.pid order by 1 desc limit 5",
);

/// Steps of tick that fail.
pub(crate) const FAULTS: Statement = asks(
    "select f.step, f.sqlstate, f.times, f.note, f.passed::text[] as passed, \
     pg_catalog.date_part('epoch', fairclaim.clock() - f.since)::float8 as seconds from fairclaim.doctor_faults() f",
);

/// Transactions in which a tick was called and which stay open, or prepared: they keep what that tick has locked.
pub(crate) const TICKERS: Statement = asks(
    "select w.xid, s.passed_ticks > 0 as passed, a.pid, a.usename::text as login, a.application_name as application, p.gid, \
     pg_catalog.date_part('epoch', s.now_at - coalesce(a.xact_start, p.prepared))::float8 as seconds \
     from fairclaim.doctor_state() s cross join lateral unnest(s.working_xids) w(xid) \
     left join pg_catalog.pg_stat_activity a on a.backend_xid::text = w.xid \
     left join pg_catalog.pg_prepared_xacts p on p.transaction::text = w.xid order by 6 desc nulls last limit 5",
);

pub(crate) const QUEUES: Statement = asks(
    "select q.queue, pg_catalog.date_part('epoch', fairclaim.clock() - q.paused_at)::float8 as seconds \
     from fairclaim.doctor_queues() q",
);

/// Leases that end in more than an hour.
pub(crate) const LEASES: Statement = asks(
    "select l.worker_id, l.jobs, l.ends_in as seconds \
     from fairclaim.doctor_leases(3600) l",
);

pub(crate) const LIMITS: Statement = asks(
    "select l.limited, l.paused, l.inactive, coalesce(l.inactive_for, 0)::float8 as inactive_seconds, l.at_limit \
     from fairclaim.doctor_limits() l",
);

pub(crate) const STRAYS: Statement = asks("select fairclaim.doctor_strays() as rows");

pub(crate) const ALONE: Statement = asks(
    "select a.queue, a.type, a.paused, a.jobs, a.waits as seconds, a.first_id::text as first_id \
     from fairclaim.doctor_alone() a",
);

pub(crate) const WAITING: Statement = asks(
    "select w.queue, w.type, w.paused, w.runs, w.waits as seconds \
     from fairclaim.doctor_waiting() w",
);

/// Sizes and the statistics of vacuum, without the ranges of the past: those are written once.
pub(crate) const TABLES: Statement = asks(
    "select s.relname::text as name, s.n_live_tup as live, s.n_dead_tup as dead, \
     pg_catalog.pg_table_size(s.relid) as table_bytes, pg_catalog.pg_indexes_size(s.relid) as index_bytes \
     from pg_catalog.pg_stat_all_tables s \
     where s.schemaname = 'fairclaim_internal' and s.relname in ('ready', 'running', 'scheduled', 'lane', 'floor_hint', 'tick_state', \
       'tick_lock', 'tick_fault', 'cancel_request', 'tenant_limit', 'renewal') order by 1",
);

pub(crate) const WRAPAROUND: Statement = asks(
    "select pg_catalog.age(d.datfrozenxid)::int8 as age from pg_catalog.pg_database d \
     where d.datname = pg_catalog.current_database()",
);
