//! What a deployment declares: the whole base in one call, the same again without a change.

use serde_json::{Value, json};

use super::{everything, running_limits, set, text};
use crate::{
    calls::{refused, tenant},
    support::{Client, TestDb, waiting::until},
    worker::stage::PATIENCE,
};

const DECLARE: &str =
    "select change || ' ' || what || ' ' || coalesce(old::text, '-') || ' ' || coalesce(new::text, '-')
       from fairclaim.declare_limits($1, $2)";

async fn declare(operator: &Client, document: &Value, dry_run: bool) -> Vec<String> {
    let rows = operator.query(DECLARE, &[document, &dry_run]).await.expect("declare_limits");
    rows.iter().map(|row| row.get(0)).collect()
}

fn document() -> Value {
    json!({
        "default": {"max_running": 5, "queues": {"mail": {"max_running": 2}}},
        "queues": {"mail": {"max_running": 100}},
        "tenants": {
            "acme": {"weight": 3, "max_running": 8, "max_waiting": 1000, "refuses": false,
                     "queues": {"mail": {"weight": 5, "max_running": 4}}},
        },
    })
}

#[tokio::test]
async fn a_document_is_the_whole_base() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let added = [
        "added default.max_running - 5",
        "added default.queues.mail.max_running - 2",
        "added queues.mail.max_running - 100",
        "added tenants.acme.max_running - 8",
        "added tenants.acme.max_waiting - 1000",
        "added tenants.acme.weight - 3",
        "added tenants.acme.queues.mail.max_running - 4",
        "added tenants.acme.queues.mail.weight - 5",
    ];
    assert_eq!(declare(&operator, &document(), true).await, added);
    assert_eq!(everything(&owner).await, Vec::<String>::new(), "a dry run changes nothing");
    assert_eq!(declare(&operator, &document(), false).await, added);
    let acme = "select fairclaim.tenant_uuid('acme')";
    let acme: uuid::Uuid = owner.query_one(acme, &[]).await.expect(acme).get(0);
    let nil = uuid::Uuid::nil();
    assert_eq!(
        running_limits(&owner).await,
        [
            ("default", nil, "", 5),
            ("default", nil, "mail", 2),
            ("queue", nil, "mail", 100),
            ("tenant", acme, "", 8),
            ("tenant", acme, "mail", 4),
        ]
        .map(|(subject, id, queue, limit)| (
            subject.to_owned(),
            id,
            queue.to_owned(),
            limit
        ))
    );
    let before = everything(&owner).await;
    assert_eq!(declare(&operator, &document(), false).await, Vec::<String>::new(), "once more");
    assert_eq!(everything(&owner).await, before);

    // by its uuid it is the same tenant; what is gone is removed
    let next = json!({"tenants": {acme.to_string(): {"weight": 4, "max_waiting": 1000}}});
    let changed = declare(&operator, &next, false).await;
    assert_eq!(
        changed,
        [
            "removed default.max_running 5 -".to_owned(),
            "removed default.queues.mail.max_running 2 -".to_owned(),
            "removed queues.mail.max_running 100 -".to_owned(),
            format!("removed tenants.{acme}.max_running 8 -"),
            format!("changed tenants.{acme}.max_waiting 1000 1000"),
            format!("changed tenants.{acme}.weight 3 4"),
            format!("removed tenants.{acme}.queues.mail.max_running 4 -"),
            format!("removed tenants.{acme}.queues.mail.weight 5 -"),
        ]
    );
    assert_eq!(running_limits(&owner).await, []);
    let forced = "select (select string_agg(queue || weight, '') from fairclaim_internal.tenant_weight)
                      || (select string_agg(max_waiting::text || refuses, '') from fairclaim_internal.waiting_limit)";
    assert_eq!(text(&owner, forced).await, "41000true");
    let told = "select string_agg(many::text, ' ' order by audit_id) from fairclaim.list_audit()";
    assert_eq!(text(&operator, told).await, "8 8", "a declaration without a change is not told");
}

/// What cannot be read, the path of the fault, and its field.
fn faults() -> Vec<(Value, Value, &'static str)> {
    let tenant_with = |held: Value| json!({"tenants": {"MARK": held}});
    vec![
        (json!(null), json!(null), "document"),
        (json!([1]), json!(null), "document"),
        (json!({"tenant": {}}), json!([]), "document"),
        (json!({"default": 3}), json!(["default"]), "default"),
        (json!({"queues": []}), json!(["queues"]), "queues"),
        (json!({"tenants": "MARK"}), json!(["tenants"]), "tenants"),
        (json!({"tenants": {"": {}}}), json!(["tenants", 0]), "tenants"),
        (json!({"tenants": {"a": {}, "MARK\n": {}}}), json!(["tenants", 1]), "tenants"),
        (tenant_with(json!([])), json!(["tenants", 0]), "tenants"),
        (tenant_with(json!({"MARK": 1})), json!(["tenants", 0]), "document"),
        (tenant_with(json!({"weight": 0})), json!(["tenants", 0, "weight"]), "weight"),
        (tenant_with(json!({"weight": 101})), json!(["tenants", 0, "weight"]), "weight"),
        (tenant_with(json!({"weight": 1.5})), json!(["tenants", 0, "weight"]), "weight"),
        (tenant_with(json!({"weight": "MARK"})), json!(["tenants", 0, "weight"]), "weight"),
        (tenant_with(json!({"weight": null})), json!(["tenants", 0, "weight"]), "weight"),
        (
            tenant_with(json!({"max_running": 1_000_001})),
            json!(["tenants", 0, "max_running"]),
            "max_running",
        ),
        (tenant_with(json!({"refuses": true})), json!(["tenants", 0, "refuses"]), "refuses"),
        (
            tenant_with(json!({"max_waiting": 1, "refuses": "MARK"})),
            json!(["tenants", 0, "refuses"]),
            "refuses",
        ),
        (tenant_with(json!({"queues": 1})), json!(["tenants", 0, "queues"]), "queues"),
        (
            tenant_with(json!({"queues": {"MARK": {}}})),
            json!(["tenants", 0, "queues", 0]),
            "queues",
        ),
        (
            tenant_with(json!({"queues": {"b": {}, "a": {"weight": -1}}})),
            json!(["tenants", 0, "queues", 0, "weight"]),
            "weight",
        ),
        (
            tenant_with(json!({"queues": {"a": {"queues": {}}}})),
            json!(["tenants", 0, "queues", 0]),
            "document",
        ),
        (json!({"default": {"weight": 1}}), json!(["default"]), "document"),
        (json!({"queues": {"a": {"max_waiting": 1}}}), json!(["queues", 0]), "document"),
    ]
}

#[tokio::test]
async fn a_bad_document_is_refused_with_its_path_and_changes_nothing() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    declare(&operator, &document(), false).await;
    let before = everything(&owner).await;
    for (document, path, field) in faults() {
        for dry_run in [false, true] {
            let error = refused(operator.query(DECLARE, &[&document, &dry_run]).await, "JQ004");
            let told: Value =
                serde_json::from_str(error.detail().unwrap_or_default()).expect("JSON");
            assert_eq!((&told["path"], &told["field"]), (&path, &json!(field)), "{document}");
            let said = format!("{} {:?} {:?}", error.message(), error.detail(), error.hint());
            assert!(!said.contains("MARK"), "{said}");
        }
    }
    let twice = json!({"tenants": {"acme": {}, fairclaim::Tenant::named("acme").expect("a name").uuid().to_string(): {}}});
    refused(operator.query(DECLARE, &[&twice, &false]).await, "JQ004");
    refused(operator.query("select fairclaim.declare_limits(null)", &[]).await, "JQ004");
    assert_eq!(everything(&owner).await, before);
}

#[tokio::test]
async fn two_who_declare_at_once_take_turns() {
    let db = TestDb::new().await;
    let (mut first, second, owner) = (db.operator().await, db.operator().await, db.owner().await);
    let with = |limit: i32| json!({"default": {"max_running": limit}});
    let open = first.transaction().await.expect("begin");
    open.query(DECLARE, &[&with(1), &false]).await.expect("declare_limits");
    let other = tokio::spawn(async move { declare(&second, &with(2), false).await });
    let waits = "select exists (select from pg_locks where not granted and relation = 'fairclaim_internal.bound'::regclass)";
    until("the second waits", PATIENCE, || async {
        owner.query_one(waits, &[]).await.expect(waits).get::<_, bool>(0).then_some(())
    })
    .await;
    open.commit().await.expect("commit");
    assert_eq!(other.await.expect("joined"), ["changed default.max_running 1 2"]);
    assert_eq!(running_limits(&owner).await[0].3, 2);
}

#[tokio::test]
async fn many_tenants_are_declared_at_once() {
    let db = TestDb::new().await;
    let (operator, owner) = (db.operator().await, db.owner().await);
    let many = "select count(*)::text from fairclaim.declare_limits(jsonb_build_object('tenants', (
        select jsonb_object_agg('tenant ' || n, jsonb_build_object('weight', 1 + n % 100, 'max_running', n))
          from generate_series(1, 5000) n)))";
    assert_eq!(text(&operator, many).await, "10000");
    assert_eq!(text(&operator, many).await, "0");
    let forced = "select count(*)::text from fairclaim_internal.running_limit l
                    join fairclaim_internal.tenant_weight w on w.tenant_id = l.tenant_id and w.weight = 1 + l.max_running % 100";
    assert_eq!(text(&owner, forced).await, "5000");
    set(&operator, &format!("fairclaim.set_limit('{}', 3)", tenant(1))).await;
    assert_eq!(
        text(&operator, "select count(*)::text from fairclaim.declare_limits('{}')").await,
        "10000"
    );
    assert_eq!(running_limits(&owner).await.len(), 1, "the override stays");
}
