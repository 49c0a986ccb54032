use super::Stage;
use crate::calls::tenant;

#[tokio::test]
async fn a_shorter_retention_of_its_own_deletes_only_that_tenants_ended_jobs() {
    let stage = Stage::set().await;
    let set = "select retention, default_retention from fairclaim.set_retention($1, $2)";
    let row = stage
        .operator
        .query_one(set, &[&tenant(1), &Some(7200.0_f64)])
        .await
        .expect("set_retention");
    assert_eq!((row.get::<_, f64>(0), row.get::<_, f64>(1)), (7_200.0, 604_800.0));
    for n in [1, 2] {
        stage.failed(n, 6).await;
        stage.dispatch(n, "default", 2).await;
    }
    let prune = "select rows_deleted from fairclaim.prune()";
    let pruned =
        || async { stage.worker.query_one(prune, &[]).await.expect("prune").get::<_, i64>(0) };
    stage.db.advance("1 hour").await;
    assert_eq!(pruned().await, 0);
    stage.db.advance("1 hour 1 minute").await;
    assert_eq!(pruned().await, 6);
    assert_eq!(stage.stands(1).await, ["default pending 2"]);
    assert_eq!(stage.stands(2).await, ["default pending 2", "failing failed 6"]);
    stage.failed(1, 1).await;
    stage.operator.query_one(set, &[&tenant(1), &None::<f64>]).await.expect("set_retention");
    stage.db.advance("3 hours").await;
    assert_eq!(pruned().await, 0, "it is kept as long as the settings say");
    stage.one_place_each().await;
}
