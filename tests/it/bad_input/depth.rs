//! How deep a value may nest, against the plain count that says it level by level.

use crate::support::{Client, TestDb};

/// Counts levels one by one, as the rule is written.
const ORACLE: &str = "
    create function pg_temp.depth(p_value jsonb) returns int language sql as $$
      with recursive level(d, v) as (
        select 1, p_value where jsonb_typeof(p_value) in ('array', 'object')
        union all
        select l.d + 1, c.v
          from level l
         cross join lateral (
           select a.value v from jsonb_array_elements(case when jsonb_typeof(l.v) = 'array' then l.v else '[]' end) a
           union all
           select o.value from jsonb_each(case when jsonb_typeof(l.v) = 'object' then l.v else '{}' end) o) c
         where l.d < 130 and jsonb_typeof(c.v) in ('array', 'object'))
      select coalesce(max(d), 0) from level
    $$";

/// A way to wrap a value once more.
type Wrap = fn(usize, &str) -> String;

const WRAPS: [Wrap; 7] = [
    |_, inner| format!("[{inner}]"),
    |_, inner| format!("{{\"a\": {inner}}}"),
    |n, inner| if n % 2 == 0 { format!("[{inner}]") } else { format!("{{\"a\": {inner}}}") },
    |n, inner| if n % 3 == 0 { format!("{{\"\": {inner}}}") } else { format!("[1, {inner}]") },
    |_, inner| format!("[[], {inner}, {{}}]"),
    |_, inner| format!("{{\"a\": {{\"b\": []}}, \"c\": {inner}, \"d\": \"[[[\"}}"),
    |_, inner| format!("[\"[{{\", null, {inner}, -1.5e10, true]"),
];

/// What stands innermost: containers count, what is in strings does not.
const CORES: [&str; 9] =
    ["[]", "{}", "1", "\"[\"", "null", "true", "[[]]", "[{}, 1]", "{\"a\": [], \"b\": {\"c\": 1}}"];

async fn judges(owner: &Client, value: &str) -> (bool, i32) {
    let sql = "select fairclaim_internal.too_deep($1::text::jsonb), pg_temp.depth($1::text::jsonb)";
    let row = owner.query_one(sql, &[&value]).await.expect("a value");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_value_is_too_deep_exactly_when_its_levels_are_more_than_128() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    owner.batch_execute(ORACLE).await.expect("the count");
    let (mut deep, mut flat) = (0, 0);
    for wrap in WRAPS {
        for core in CORES {
            let mut value = core.to_owned();
            for level in 1..=130 {
                value = wrap(level, &value);
                // around the limit, and at its start
                if !(3..=124).contains(&level) {
                    let (too_deep, depth) = judges(&owner, &value).await;
                    assert_eq!(too_deep, depth > 128, "{level} levels around {core}: {depth}");
                    if too_deep { deep += 1 } else { flat += 1 }
                }
            }
        }
    }
    assert!(deep > 100 && flat > 100, "both sides of the limit: {deep} and {flat}");
    for scalar in CORES {
        assert!(!judges(&owner, scalar).await.0, "{scalar}");
    }
}

/// Nothing that is checked is found again by a count of its brackets, or made anew: as a plan shows, the check is one expression.
#[tokio::test]
async fn the_checks_of_values_are_inlined() {
    let db = TestDb::new().await;
    let owner = db.owner().await;
    let prepare = "prepare look(jsonb, timestamptz) as select fairclaim_internal.too_deep($1), fairclaim_internal.millis($2)";
    owner.batch_execute(prepare).await.expect("prepare");
    let sql = "explain (verbose, costs off) execute look('1', '2026-01-01')";
    owner.batch_execute("set plan_cache_mode = force_generic_plan").await.expect("set");
    let plan: Vec<String> =
        owner.query(sql, &[]).await.expect("explain").iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("jsonb_path_exists") && plan.contains("EXTRACT"), "{plan}");
    assert!(!plan.contains("too_deep") && !plan.contains("millis"), "{plan}");
}
