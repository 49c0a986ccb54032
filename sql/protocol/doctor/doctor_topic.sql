-- Runs the checks of one topic as the owner, who reads every table and shows none: what they answer
-- has no tenant and no payload in it.
create or replace function fairclaim.doctor_topic(p_topic text, p_build jsonb default null)
returns table (level text, name text, seen text, advice text)
language plpgsql volatile security definer
set search_path = pg_catalog, fairclaim_internal, pg_temp
set row_security = on
set lock_timeout = '1s'
set jit = off
as $$
declare
  v_build jsonb := coalesce(p_build, (select build.contents from build), '{}');
begin
  case p_topic
    when 'migrations' then return query select * from findings_of_migrations(v_build);
    when 'functions' then return query select * from findings_of_functions(v_build);
    when 'relations' then return query select * from findings_of_relations();
    when 'roles' then return query select * from findings_of_roles();
    when 'ticks' then return query select * from findings_of_ticks();
    when 'holders' then return query select * from findings_of_holders();
    when 'steps' then return query select * from findings_of_steps();
    when 'retention' then return query select * from findings_of_retention();
    when 'strays' then return query select * from findings_of_strays();
    when 'queues' then return query select * from findings_of_queues();
    when 'leases' then return query select * from findings_of_leases();
    when 'limits' then return query select * from findings_of_limits();
    when 'waiting' then return query select * from findings_of_waiting();
    when 'suspects' then return query select * from findings_of_suspects();
    when 'settings' then return query select * from findings_of_settings();
    when 'space' then return query select * from findings_of_space();
    when 'age' then return query select * from findings_of_age();
    else perform refuse('JQ004', 'p_topic', 'must be one of the topics of the doctor',
                                'call doctor_findings(), which asks for every topic');
  end case;
end
$$;

comment on function fairclaim.doctor_topic(text, jsonb) is
'A part of doctor_findings(), which calls it for all topics but transactions.';

grant execute on function fairclaim.doctor_topic(text, jsonb)
  to fairclaim_operator, fairclaim_observer;
