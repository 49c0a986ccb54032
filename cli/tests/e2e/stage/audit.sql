-- Everything that must hold when a run is over, whatever died in between. One row for each thing that does not, with how many
-- times and one example; no row: all is well.
-- $1: ids whose dispatch was answered. $2, $3: ids and attempts that handlers say they started, as often as they did.
with answered as materialized (
  select distinct u.id from unnest($1::uuid[]) u(id)),
started as materialized (
  select s.id, s.attempt, count(*) as times from unnest($2::uuid[], $3::int[]) s(id, attempt) group by 1, 2),
place as materialized (
  select 'ready' as place, id from fairclaim_internal.ready union all
  select 'scheduled', id from fairclaim_internal.scheduled union all
  select 'running', id from fairclaim_internal.running union all
  select 'finished', id from fairclaim_internal.finished),
claim as materialized (
  select c.id, c.attempt, count(*) as times, min(c.worker_id) as worker_id from witness.claim c group by 1, 2),
claims as materialized (
  select c.id, sum(c.times) as times, max(c.attempt) as last from claim c group by 1),
ended as materialized (
  select e.id, e.attempt, count(*) as times from witness.ended e group by 1, 2),
finding(what, id) as (
  select 'an answered dispatch is lost', a.id from answered a
   where not exists (select from fairclaim_internal.job j where j.id = a.id)
  union all
  select 'a job has no final fact', j.id from fairclaim_internal.job j
   where not exists (select from fairclaim_internal.finished f where f.id = j.id)
  union all
  select 'a job is left in ' || p.place, p.id from place p where p.place <> 'finished'
  union all
  select 'a job is in two places', p.id from place p group by p.id having count(*) > 1
  union all
  select 'a row has no job', p.id from place p where not exists (select from fairclaim_internal.job j where j.id = p.id)
  union all
  select 'a dispatch is there twice', min(j.id::text)::uuid from fairclaim_internal.job j
   where j.payload ? 'mark' group by j.payload ->> 'mark' having count(*) > 1
  union all
  select 'a job failed without three losses', f.id from fairclaim_internal.finished f
   where f.status <> 'completed'
     and (f.status <> 'failed' or f.error ->> 'code' is distinct from 'lost'
          or (select count(*) from fairclaim_internal.attempt_error e where e.id = f.id and e.error ->> 'code' = 'lost') <> 3)
  union all
  select 'an attempt was claimed twice', c.id from claim c where c.times > 1
  union all
  select 'attempts are not the claims', f.id from fairclaim_internal.finished f left join claims c on c.id = f.id
   where f.attempts is distinct from c.times or f.attempts is distinct from c.last
  union all
  select 'a job got the same lease token twice', c.id from witness.claim c group by c.id, c.lease_token having count(*) > 1
  union all
  select 'an attempt did not end exactly once', coalesce(c.id, e.id)
    from claim c full join ended e on e.id = c.id and e.attempt = c.attempt
   where c.times is distinct from e.times
  union all
  select 'a handler ran without a claim', s.id from started s
   where not exists (select from claim c where c.id = s.id and c.attempt = s.attempt)
  union all
  select 'an attempt ran twice', s.id from started s where s.times > 1
  union all
  select 'a job was completed and its last attempt never ran', f.id from fairclaim_internal.finished f
   where f.status = 'completed' and not exists (select from started s where s.id = f.id and s.attempt = f.attempts)
  union all
  select 'an attempt was completed by who did not hold it', f.id
    from fairclaim_internal.finished f join claim c on c.id = f.id and c.attempt = f.attempts
   where f.status = 'completed'
     and (f.worker_id is distinct from c.worker_id or (f.result ->> 'attempt')::int is distinct from f.attempts))
select f.what, count(*), min(f.id::text) from finding f group by 1 order by 1
