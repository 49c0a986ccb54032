//! Ranges of finished jobs in the past, as an installation has after some weeks: before PostgreSQL
//! 18 every range costs every statement a few locks.

use anyhow::Result;

use crate::target::Site;

/// Makes `ranges` ranges of ids before the oldest one, with `jobs` finished jobs in each.
pub(crate) async fn make(site: &Site, ranges: u32, jobs: u32) -> Result<()> {
    if ranges == 0 {
        return Ok(());
    }
    let owner = site.owner().await?;
    for _ in 0..ranges {
        owner.batch_execute(&MAKE_RANGE.replace("{jobs}", &jobs.to_string())).await?;
    }
    owner
        .batch_execute(
            "analyze fairclaim_internal.job; analyze fairclaim_internal.finished; reset role",
        )
        .await?;
    Ok(())
}

/// What `make_ranges` does, but backwards in time; then its jobs, all finished.
const MAKE_RANGE: &str = "do $range$
declare
  v_to timestamptz := (select min(r.starts_at) from fairclaim_internal.id_range r);
  v_from timestamptz := v_to - interval '12 hours';
  v_low uuid := fairclaim_internal.id_at(fairclaim_internal.millis(v_from));
  v_high uuid := fairclaim_internal.id_at(fairclaim_internal.millis(v_to));
  v_table text;
  v_part text;
begin
  foreach v_table in array array['job', 'finished', 'attempt_error'] loop
    v_part := v_table || to_char(v_from at time zone 'UTC', '_YYYYMMDD_HH24MI');
    execute format('create table fairclaim_internal.%I (like fairclaim_internal.%I including all)', v_part, v_table);
    perform fairclaim_internal.secure_table(v_part);
    execute format('alter table fairclaim_internal.%I attach partition fairclaim_internal.%I for values from (%L) to (%L)',
      v_table, v_part, v_low, v_high);
  end loop;
  insert into fairclaim_internal.id_range values (v_from, v_to);
  insert into fairclaim_internal.job (id, tenant_id, queue, type, priority, max_attempts, created_at, payload, tags, metadata)
  select (left(fairclaim_internal.id_at(fairclaim_internal.millis(v_from) + g)::text, 19) || right(gen_random_uuid()::text, 17))::uuid,
         md5((g % 1000)::text)::uuid, 'bench-history', 'bench', 0, 25, v_from, jsonb_build_object('n', g, 'text', repeat('x', 180)),
         '{}', '{}'
    from generate_series(1, {jobs}) g;
  insert into fairclaim_internal.finished (id, tenant_id, completed_at, attempts, status, worker_id)
  select j.id, j.tenant_id, v_to, 1, 'completed', 'bench' from fairclaim_internal.job j where j.id >= v_low and j.id < v_high;
end
$range$";
