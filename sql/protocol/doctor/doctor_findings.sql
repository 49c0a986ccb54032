-- Each topic is asked by itself, so that one that fails stops no other. Runs with the caller's
-- rights: see doctor_transactions. It waits a second at most for any lock, and every topic looks at
-- a bounded number of rows, but the server counts time by statement: who wants a bound in time for
-- each topic sets statement_timeout and asks for one topic after another, as `fairclaim doctor`
-- does.
create or replace function fairclaim.doctor_findings(
  p_topic text default null, p_build jsonb default null
) returns table (level text, name text, seen text, advice text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
set jit = off
as $$
declare
  v_topic text;
  v_about text;
begin
  for v_topic, v_about in
    select topics.topic, topics.about
      from (values ('migrations', 'migrations'),
                   ('functions', 'functions'),
                   ('relations', 'tables'),
                   ('roles', 'roles'),
                   ('ticks', 'the state of maintenance'),
                   ('holders', 'who holds ticks back'),
                   ('steps', 'steps of tick that fail'),
                   ('retention', 'ranges of ids and retention'),
                   ('strays', 'jobs without a lane'),
                   ('transactions', 'open transactions'),
                   ('queues', 'queues'),
                   ('leases', 'leases that end far ahead'),
                   ('limits', 'limits'),
                   ('waiting', 'what waits'),
                   ('suspects', 'what waits to run alone'),
                   ('settings', 'settings'),
                   ('space', 'sizes of tables'),
                   ('age', 'the age of transactions')) topics(topic, about)
     where p_topic is null or topics.topic = p_topic
  loop
    begin
      if v_topic = 'transactions' then
        return query select * from fairclaim.doctor_transactions();
      else
        return query select * from fairclaim.doctor_topic(v_topic, p_build);
      end if;
    exception
      when others then
        return query values ('warning', 'failed_check',
          format('could not look at %s: SQLSTATE %s', v_about, sqlstate),
          'ask again; if it stays, look for locks that others hold (55P03), or report it');
    end;
  end loop;
  if not found then
    raise exception 'p_topic: must be one of the topics of the doctor'
      using errcode = 'JQ004', detail = '{"argument": "p_topic", "field": "topic"}',
            hint = 'leave p_topic out to ask for all topics';
  end if;
end
$$;

comment on function fairclaim.doctor_findings(text, jsonb) is
'Examines the database and says what is wrong and what to do about it, as `fairclaim doctor` prints it: the level (ok, note, warning, error), the name of the finding, which later versions keep (docs/operate/doctor.md has all of them), what was seen, and what to do (null where all is well). No tenant and no payload is in it. It changes nothing, waits for a lock for a second at most, and looks at a bounded number of rows; a topic that cannot be looked at is the finding failed_check and stops no other. The transactions of others are seen if the caller may see them (pg_read_all_stats).
p_topic asks for one topic: migrations, functions, relations, roles, ticks, holders, steps, retention, strays, transactions, queues, leases, limits, waiting, suspects, settings, space, age. p_build is what a client expects to be installed; without it, that is what the last migration brought. What concerns a connection itself (TLS, a pooler, the version that a client needs) only the client can tell.';

grant execute on function fairclaim.doctor_findings(text, jsonb)
  to fairclaim_operator, fairclaim_observer;
