-- The values that new sessions of the login begin with, and how many connections are left. Reads
-- catalogs only, so that it can be asked of a database without our schema too.
create or replace function fairclaim_internal.findings_of_settings()
returns table (level text, name text, seen text, advice text)
language sql stable
set search_path = pg_catalog, fairclaim_internal, pg_temp
as $$
  with setting as (select known.name, known.reset_val as value from pg_settings known),
  told as (
    select (select string_agg(setting.name, ', ' order by setting.name) from setting
             where setting.name in ('fsync', 'full_page_writes', 'synchronous_commit')
               and setting.value = 'off') as not_durable,
           (select value from setting where name = 'default_transaction_isolation') as isolation,
           (select value from setting where name = 'default_transaction_read_only') as read_only,
           (select value from setting where name = 'row_security') as row_security,
           (select value from setting where name = 'statement_timeout')::int8 as timeout,
           (select value from setting where name = 'log_parameter_max_length_on_error') <> '0'
             as logs_failed,
           (exists (select from setting where name = 'log_statement' and value = 'all')
            or (select value from setting where name = 'log_min_duration_statement') !~ '^-')
           and (select value from setting where name = 'log_parameter_max_length') <> '0'
             as logs_all,
           exists (select from setting where name in ('autovacuum', 'track_counts')
                                         and value = 'off') as never_vacuums,
           (select sum(counted.numbackends)::int8 from pg_stat_database counted) as used,
           current_setting('max_connections')::int8
           - current_setting('superuser_reserved_connections')::int8 as usable)
  select finding.* from told cross join lateral (values
    (case when not_durable is null then 'ok' else 'warning' end, 'durability',
     coalesce('off: ' || not_durable, 'a commit survives a crash'),
     case when not_durable is not null
          then 'turn them on: without fsync or full_page_writes a crash can destroy the database, '
               || 'without synchronous_commit it loses the last jobs that were dispatched' end),
    (case when read_only = 'on' or isolation <> 'read committed' then 'error' end, 'isolation',
     case when read_only = 'on'
          then 'transactions of this login are read-only by default: every dispatch and claim is '
               || 'refused'
          else format('transactions of this login are %s by default: claims and ticks are refused '
                      '(JQ004), and each transaction that dispatches opens lanes of its own',
                      isolation) end,
     case when read_only = 'on'
          then 'as an administrator: alter role ... reset default_transaction_read_only (or alter '
               || 'database ...)'
          else 'as an administrator: alter role ... set default_transaction_isolation = ''read '
               || 'committed'' for workers, and for producers that dispatch often' end),
    -- functions set it for themselves; a view is read with what the session has
    (case when row_security = 'off' then 'note' end, 'row_security_off',
     'row_security is off for this login: functions work, and views that hide rows from it are '
     || 'refused (42501)',
     'leave it to logins that take backups, or as an administrator: alter role ... reset '
     || 'row_security'),
    -- parameters hold payloads
    (case when logs_failed or logs_all then 'warning' end, 'logged_parameters',
     case when logs_failed
          then 'log_parameter_max_length_on_error is not 0: payloads of failed statements go to '
               || 'the server''s log'
          else 'statements are logged with their parameters: payloads go to the server''s log' end,
     case when logs_failed then 'set it to 0, its default'
          else 'set log_parameter_max_length = 0 for the logins of workers and producers (alter '
               || 'role ...)' end),
    -- a tick, or a batch of 1,000 jobs on a busy server, may take some seconds
    (case when timeout between 1 and 4999 then 'warning' end, 'short_timeout',
     format('statement_timeout of this login is %s ms: large batches and ticks may be cut short',
            timeout),
     'as an administrator: alter role ... set statement_timeout = ''30s'' for workers'),
    -- what is left must do for a worker that restarts and for administrators
    (case when used * 10 > usable * 8 then 'warning' else 'ok' end, 'connections',
     format('%s of %s are used', used, usable),
     case when used * 10 > usable * 8
          then 'lower the pools of applications, put a pooler in between, or raise '
               || 'max_connections' end),
    (case when never_vacuums then 'error' else 'ok' end, 'autovacuum',
     case when never_vacuums then 'autovacuum does not run: queue tables grow without end'
          else 'it runs' end,
     case when never_vacuums then 'turn autovacuum and track_counts on' end))
    finding(level, name, seen, advice)
   where finding.level is not null
$$;

comment on function fairclaim_internal.findings_of_settings() is
'Finds settings of the server and of the login that lose jobs, refuse calls, log payloads or let
tables grow, and connections that are nearly used up.';
