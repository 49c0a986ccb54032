//! `dispatch_jobs`: the batch as a whole, and each limit of one job in it, with its index.

use uuid::Uuid;

use super::{Call, Limit, stage::Stage};

/// The batch as a whole. The size counts 100 bytes for each job beside its payload.
const BATCH: &[Limit] = &[
    Limit {
        field: "p_jobs",
        rule: "must be an array of objects",
        good: &[],
        bad: &["null", "'null'", "'{\"type\": \"MARK\"}'", "'\"MARK\"'", "'5'"],
    },
    Limit {
        field: "p_jobs",
        rule: "must have 1 to 10,000 items",
        good: &[
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')) from generate_series(1, 1))",
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')) from generate_series(1, 9999))",
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')) from generate_series(1, 10000))",
        ],
        bad: &[
            "'[]'",
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail')) from generate_series(1, 10001))",
            "(select jsonb_agg(1) from generate_series(1, 100000))",
        ],
    },
    Limit {
        field: "p_jobs",
        rule: "must be at most 64 MiB of JSON text",
        good: &[
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'payload', 'MARK' || repeat('m', 1048463)))
                from generate_series(1, 64))",
        ],
        bad: &[
            "(select jsonb_agg(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'payload', 'MARK' || repeat('m', 1048463 + n / 64)))
                from generate_series(1, 64) n)",
        ],
    },
];

/// One job of a batch: the second of three. `{T` begins one with a tenant, `{M` one with a tenant and a type.
const ITEMS: &[Limit] = &[
    Limit {
        field: "p_jobs[1]",
        rule: "must be an object",
        good: &[],
        bad: &["3", "\"MARK\"", "null", "[]", "[{M}]"],
    },
    Limit {
        field: "p_jobs[1]",
        rule: "has an unknown name",
        good: &["{M}"],
        bad: &[
            "{\"MARK\": 1}",
            "{M, \"p_queue\": \"MARK\"}",
            "{M, \"Priority\": 1}",
            "{M, \"\": null}",
        ],
    },
    Limit {
        field: "p_jobs[1].type",
        rule: "must match ^[A-Za-z0-9][A-Za-z0-9_.:-]*$ and have at most 64 characters",
        good: &["{T, \"type\": \"MARK\"}", "{T, \"type\": 7}", "{T, \"type\": \"T*64\"}"],
        bad: &[
            "{T}",
            "{T, \"type\": \"T*65\"}",
            "{T, \"type\": null}",
            "{T, \"type\": \"\"}",
            "{T, \"type\": \"MARK mail\"}",
            "{T, \"type\": {\"a\": \"MARK\"}}",
            "{T, \"type\": \"MARK\\u001b[31m\"}",
        ],
    },
    Limit {
        field: "p_jobs[1].queue",
        rule: "must match ^[a-z0-9][a-z0-9_.:-]*$ and have at most 64 characters",
        good: &["{M, \"queue\": \"q\"}", "{M, \"queue\": null}", "{M, \"queue\": \"q*64\"}"],
        bad: &[
            "{M, \"queue\": \"q*65\"}",
            "{M, \"queue\": \"MARK\"}",
            "{M, \"queue\": \"\"}",
            "{M, \"queue\": \"a\\nb\"}",
            "{M, \"queue\": [\"MARK\"]}",
        ],
    },
    Limit {
        field: "p_jobs[1].priority",
        rule: "must be from -100 to 100",
        good: &[
            "{M, \"priority\": 100}",
            "{M, \"priority\": -100}",
            "{M, \"priority\": \"99\"}",
            "{M, \"priority\": null}",
        ],
        bad: &[
            "{M, \"priority\": 101}",
            "{M, \"priority\": -101}",
            "{M, \"priority\": 40000}",
            "{M, \"priority\": 2147483647}",
            "{M, \"priority\": -2147483648}",
        ],
    },
    Limit {
        field: "p_jobs[1].max_attempts",
        rule: "must be from 1 to 100",
        good: &["{M, \"max_attempts\": 1}", "{M, \"max_attempts\": 100}"],
        bad: &[
            "{M, \"max_attempts\": 0}",
            "{M, \"max_attempts\": 101}",
            "{M, \"max_attempts\": 2147483647}",
        ],
    },
    Limit {
        field: "p_jobs[1].run_at",
        rule: "must be finite, at most 1 day ago and at most 5 years ahead",
        good: &["{M, \"run_at\": null}"],
        bad: &[
            "{M, \"run_at\": \"1999-01-01T00:00:00Z\"}",
            "{M, \"run_at\": \"2999-01-01T00:00:00+02:00\"}",
            "{M, \"run_at\": \"9999-12-31T23:59:59.999999Z\"}",
        ],
    },
    Limit {
        field: "p_jobs[1].run_at",
        rule: "must be a time with its offset, like 2027-01-31T09:00:00Z",
        good: &[
            "{M, \"run_at\": \"2027-01-31T09:00:00Z\"}",
            "{M, \"run_at\": \"2027-01-31T09:00Z\"}",
            "{M, \"run_at\": \"2027-01-31 09:00:00.123456789-15:59\"}",
            "{M, \"run_at\": \"2028-02-29T23:59:59+05:30\"}",
        ],
        bad: &[
            "{M, \"run_at\": \"MARK\"}",
            "{M, \"run_at\": \"\"}",
            "{M, \"run_at\": \"tomorrow\"}",
            "{M, \"run_at\": \"now\"}",
            "{M, \"run_at\": \"infinity\"}",
            "{M, \"run_at\": \"-infinity\"}",
            "{M, \"run_at\": \"epoch\"}",
            "{M, \"run_at\": 1801386000}",
            "{M, \"run_at\": \"1801386000\"}",
            "{M, \"run_at\": true}",
            "{M, \"run_at\": [\"2027-01-31T09:00:00Z\"]}",
            "{M, \"run_at\": \"2027-01-31\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00 Asia/Tokyo\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00+0200\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00+16:00\"}",
            "{M, \"run_at\": \"31.01.2027 09:00:00+02:00\"}",
            "{M, \"run_at\": \"2027-02-29T09:00:00Z\"}",
            "{M, \"run_at\": \"2100-02-29T09:00:00Z\"}",
            "{M, \"run_at\": \"2027-04-31T09:00:00Z\"}",
            "{M, \"run_at\": \"2027-13-01T09:00:00Z\"}",
            "{M, \"run_at\": \"2027-01-31T25:00:00Z\"}",
            "{M, \"run_at\": \"2027-01-31t09:00:00z\"}",
            "{M, \"run_at\": \"2027-ZT-31T09:00:00Z\"}",
            "{M, \"run_at\": \"2027-01-31T09:60:00Z\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00ZMARK\"}",
            "{M, \"run_at\": \"2027-01-31T09:00:00Z\\n\"}",
            "{M, \"run_at\": \"0*1000\"}",
        ],
    },
    Limit {
        field: "p_jobs[1].delay",
        rule: "must be from 0 to 5 years",
        good: &["{M, \"delay\": null}", "{M, \"delay\": 0}", "{M, \"delay\": 157766400}"],
        bad: &["{M, \"delay\": -1}", "{M, \"delay\": 157766400.001}", "{M, \"delay\": 1e400}"],
    },
    Limit {
        field: "p_jobs[1].delay",
        rule: "must be a number of seconds",
        good: &["{M, \"delay\": 1.5}"],
        bad: &[
            "{M, \"delay\": \"1\"}",
            "{M, \"delay\": \"MARK\"}",
            "{M, \"delay\": true}",
            "{M, \"delay\": {\"MARK\": 1}}",
        ],
    },
    Limit {
        field: "p_jobs[1].delay",
        rule: "excludes run_at",
        good: &["{M, \"delay\": 1, \"run_at\": null}"],
        bad: &["{M, \"delay\": 0, \"run_at\": \"2027-01-31T09:00:00Z\"}"],
    },
    Limit {
        field: "p_jobs[1].tenant",
        rule: "must be 1 to 255 bytes without control characters",
        good: &[
            "{\"tenant\": \"MARK\", \"type\": \"mail\"}",
            "{\"tenant\": 42, \"type\": \"mail\"}",
            "{\"tenant\": \"t*255\", \"type\": \"mail\"}",
            "{\"tenant\": \"MARK\", \"tenant_id\": null, \"type\": \"mail\"}",
            "{M, \"tenant\": null}",
        ],
        bad: &[
            "{\"tenant\": \"\", \"type\": \"mail\"}",
            "{\"tenant\": \"t*256\", \"type\": \"mail\"}",
            "{\"tenant\": \"MARK\\n\", \"type\": \"mail\"}",
            "{\"tenant\": \"MARK\\u009b\", \"type\": \"mail\"}",
            "{\"tenant\": {\"MARK\": 1}, \"type\": \"mail\"}",
            "{\"tenant\": [\"MARK\"], \"type\": \"mail\"}",
            "{\"tenant\": true, \"type\": \"mail\"}",
        ],
    },
    Limit {
        field: "p_jobs[1].tenant",
        rule: "excludes tenant_id",
        good: &["{M}"],
        bad: &["{M, \"tenant\": \"MARK\"}", "{M, \"tenant\": \"\"}"],
    },
    Limit {
        field: "p_jobs[1].timeout",
        rule: "must be from 1 ms to 24 h",
        good: &["{M, \"timeout\": 0.001}", "{M, \"timeout\": 86400}", "{M, \"timeout\": null}"],
        bad: &[
            "{M, \"timeout\": 0}",
            "{M, \"timeout\": 0.0009}",
            "{M, \"timeout\": 90000}",
            "{M, \"timeout\": -1}",
            "{M, \"timeout\": 1e400}",
        ],
    },
    Limit {
        field: "p_jobs[1].timeout",
        rule: "must be a number of seconds",
        good: &["{M, \"timeout\": 1.5}"],
        bad: &[
            "{M, \"timeout\": \"1\"}",
            "{M, \"timeout\": \"1 ms\"}",
            "{M, \"timeout\": \"MARK\"}",
            "{M, \"timeout\": false}",
        ],
    },
    Limit {
        field: "p_jobs[1].tags",
        rule: "each must have 1 to 64 characters",
        good: &[
            "{M, \"tags\": [\"MARK\"]}",
            "{M, \"tags\": []}",
            "{M, \"tags\": [\"t*64\", \"ü*64\"]}",
        ],
        bad: &[
            "{M, \"tags\": [\"\"]}",
            "{M, \"tags\": [\"MARK\", null]}",
            "{M, \"tags\": [\"MARK\", \"t*65\"]}",
        ],
    },
    Limit {
        field: "p_jobs[1].tags",
        rule: "must be a list of at most 20",
        good: &["{M, \"tags\": [TAGS*19, \"MARK\"]}"],
        bad: &["{M, \"tags\": [TAGS*20, \"MARK\"]}"],
    },
    Limit {
        field: "p_jobs[1].metadata",
        rule: "must be an object",
        good: &["{M, \"metadata\": {\"a\": \"MARK\"}}"],
        bad: &[
            "{M, \"metadata\": [\"MARK\"]}",
            "{M, \"metadata\": 5}",
            "{M, \"metadata\": \"MARK\"}",
        ],
    },
    // nine bytes beside the text
    Limit {
        field: "p_jobs[1].metadata",
        rule: "must be at most 16384 bytes of JSON text",
        good: &["{M, \"metadata\": {\"m\": \"m*16375\"}}"],
        bad: &[
            "{M, \"metadata\": {\"m\": \"m*16376\"}}",
            "{M, \"metadata\": {\"m\": \"MARKm*16375\"}}",
        ],
    },
    Limit {
        field: "p_jobs[1].payload",
        rule: "must nest at most 128 deep",
        good: &["{M, \"payload\": DEEP128}", "{M, \"payload\": null}"],
        bad: &["{M, \"payload\": DEEP129}"],
    },
];

/// As a statement writes it. `m*64` is a letter that many times, `TAGS*19` that many tags.
fn item(short: &str) -> String {
    let deep = |levels: usize| format!("{}\"MARK\"{}", "[".repeat(levels), "]".repeat(levels));
    let mut text = short.replace("TAGS*19", &vec!["\"t\""; 19].join(", "));
    text = text.replace("TAGS*20", &vec!["\"t\""; 20].join(", "));
    while let Some((before, after)) = text.split_once('*') {
        let (letter, start) = (before.chars().next_back().expect("a letter"), before.len());
        let digits = after.find(|c: char| !c.is_ascii_digit()).expect("an end");
        let times = after[..digits].parse().expect("a number");
        let (start, rest) = (start - letter.len_utf8(), &after[digits..]);
        text = before[..start].to_owned() + &letter.to_string().repeat(times) + rest;
    }
    text.replace("{M", "{T, \"type\": \"mail\"")
        .replace("{T", "{\"tenant_id\": \"7e4a0000-0000-4000-8000-000000000001\"")
        .replace("DEEP128", &deep(128))
        .replace("DEEP129", &deep(129))
}

#[tokio::test]
async fn a_batch_is_refused_beyond_its_limits() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let unlike = Call::new(&stage, &producer, "");
    let large = Call::new(&stage, &producer, "send smaller batches");
    for limit in BATCH {
        let call = if limit.rule == "must be an array of objects" { &unlike } else { &large };
        call.table(std::slice::from_ref(limit), |_| {
            "select count(*) from fairclaim.dispatch_jobs(…)".to_owned()
        })
        .await;
    }
}

#[tokio::test]
async fn a_bad_job_of_a_batch_is_named_by_its_index_and_the_batch_refused_whole() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let names =
        Call::new(&stage, &producer, "the names are tenant_id, tenant, type, payload, queue");
    let shape = Call::new(&stage, &producer, "put the jobs into a JSON array, one object each");
    let value = Call::new(&stage, &producer, "send the batch again: nothing was written");
    let tenant = Call { code: "JQ002", ..Call::new(&stage, &producer, value.hint) };
    let good = item("{M, \"payload\": \"MARK\"}");
    let sql = |bad: &str| {
        format!(
            "select count(*) from fairclaim.dispatch_jobs($j$[{good}, {}, {good}]$j$)",
            item(bad)
        )
    };
    for limit in ITEMS {
        let call = match (limit.field, limit.rule) {
            ("p_jobs[1]", "must be an object") => &shape,
            ("p_jobs[1]", _) => &names,
            _ => &value,
        };
        for good in limit.good {
            call.accepted(&sql(good)).await;
        }
        for bad in limit.bad {
            call.refused(limit.field, limit.rule, &sql(bad)).await;
        }
    }
    for bad in ["{}", "{\"type\": \"MARK\"}", "{\"tenant_id\": null, \"type\": \"mail\"}"] {
        tenant.refused("p_jobs[1].tenant_id", "is missing", &sql(bad)).await;
    }
    stage.names_nothing().await;
}

#[tokio::test]
async fn the_first_and_the_last_moment_of_run_at_are_accepted_and_what_is_beyond_them_refused() {
    let stage = Stage::with_stopped_clock().await;
    let producer = stage.db.producer().await;
    let single = Call::new(&stage, &producer, "");
    let batch = Call::new(&stage, &producer, "send the batch again: nothing was written");
    let limit = |field| Limit {
        field,
        rule: "must be finite, at most 1 day ago and at most 5 years ahead",
        good: &[
            "fairclaim.clock() - interval '1 day'",
            "fairclaim.clock() - interval '1 day' + interval '1 microsecond'",
            "fairclaim.clock() + interval '5 years'",
        ],
        bad: &[
            "fairclaim.clock() - interval '1 day' - interval '1 microsecond'",
            "fairclaim.clock() + interval '5 years' + interval '1 microsecond'",
        ],
    };
    single
        .table(&[limit("p_run_at")], |_| {
            "select fairclaim.dispatch_job(gen_random_uuid(), 'mail', p_run_at => …)".to_owned()
        })
        .await;
    batch
        .table(&[limit("p_jobs[0].run_at")], |_| {
            "select fairclaim.dispatch_jobs(jsonb_build_array(jsonb_build_object('tenant_id', gen_random_uuid(), 'type', 'mail', 'run_at', …)))"
                .to_owned()
        })
        .await;
}

/// The binary refuses such a line; whoever sends it in SQL gets what the server makes of JSON.
#[tokio::test]
async fn of_a_name_that_is_given_twice_the_last_value_is_kept() {
    let stage = Stage::new().await;
    let producer = stage.db.producer().await;
    let one = "select fairclaim.dispatch_job('7e4a0000-0000-4000-8000-000000000001', 'mail', '{\"a\": 1, \"a\": 2}')".to_owned();
    let job =
        item("{T, \"type\": \"first\", \"type\": \"mail\", \"payload\": {\"a\": 1, \"a\": 2}}");
    let batch = format!("select id from fairclaim.dispatch_jobs('[{job}]')");
    for sql in [one, batch] {
        let id: Uuid = producer.query_one(&sql, &[]).await.expect(&sql).get(0);
        let look = "select type, payload::text from fairclaim_internal.job where id = $1";
        let row = stage.db.owner().await.query_one(look, &[&id]).await.expect("the job");
        assert_eq!((row.get(0), row.get(1)), ("mail", "{\"a\": 2}"), "{sql}");
    }
}
