//! The guide for Supabase, on a server with roles as Supabase makes them.

use std::fs;

use fairclaim::Status;

use crate::support::{TestServer, fairclaim, stderr};

/// What a project has before anything is installed. The login `app` stands for its `postgres`.
const PROJECT: &str = "
    alter role app bypassrls;
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    grant anon, authenticated, service_role to app;
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges for role app in schema public
      grant all on tables to anon, authenticated, service_role;
    alter default privileges for role app in schema public
      grant all on functions to anon, authenticated, service_role;";

/// All SQL of the guide, also what is not run where these roles are missing.
fn guide() -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/supabase.md");
    let page = fs::read_to_string(page).unwrap().replace("```sql,no_run\n", "```sql\n");
    let blocks = page.split("```sql\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().replace("to postgres;", "to app;"))
        .collect()
}

/// Runs a statement as one of the roles of the REST interface; answers the code of its refusal.
async fn refusal(server: &TestServer, role: &str, sql: &str) -> Option<String> {
    let connection = server.client.pool().get().await.unwrap();
    connection.batch_execute(&format!("set role {role}")).await.unwrap();
    let done = connection.batch_execute(sql).await;
    connection.batch_execute("reset role").await.unwrap();
    done.err().map(|error| error.code().unwrap().code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_works_with_the_roles_that_a_project_has() {
    let server = TestServer::bare().await;
    server.postgres.execute_as_superuser("app", PROJECT).await.unwrap();
    let script = fairclaim(["migrate", "--print"]).output().unwrap().stdout;
    let script = String::from_utf8(script).unwrap();
    let connection = server.client.pool().get().await.unwrap();
    for _ in 0..2 {
        connection.batch_execute(&script).await.unwrap();
    }
    let blocks = guide();
    assert_eq!(blocks.len(), 3, "{blocks:#?}");
    for block in blocks {
        connection.batch_execute(&block).await.unwrap_or_else(|error| panic!("{error:?}\n{block}"));
    }
    drop(connection);

    // the guide has made the first order itself
    let order = "insert into orders (account) values ('bolt')";
    assert_eq!(refusal(&server, "authenticated", order).await, None);
    let call = "select public.send_invoice('acme', 7)";
    assert_eq!(refusal(&server, "service_role", call).await, None);
    let denied = Some("42501".to_owned());
    for role in ["anon", "authenticated"] {
        assert_eq!(refusal(&server, role, call).await, denied, "{role}");
    }
    for role in ["anon", "authenticated", "service_role"] {
        for sql in [
            "select fairclaim.dispatch_job(p_tenant => 'acme', p_type => 't')",
            "select fairclaim.claim_job('w')",
            "select from fairclaim.job_overview",
            "select from fairclaim_internal.job",
        ] {
            assert_eq!(refusal(&server, role, sql).await, denied, "{role}: {sql}");
        }
    }

    let mut work = fairclaim(["work", "--drain", "--exec", "send_invoice=cat"]);
    let worked = work.env("DATABASE_URL", server.postgres.url("app", "workers")).output().unwrap();
    assert!(worked.status.success(), "{}", stderr(&worked));
    assert_eq!(server.count(Status::Completed).await, 3);

    let healthy = server.run(["doctor"]);
    assert!(healthy.contains("login_roles") && !healthy.contains("web_roles"), "{healthy}");
    assert_eq!(refusal(&server, "app", "grant fairclaim_worker to anon").await, None);
    let ill = server.fairclaim(["doctor"]).output().unwrap();
    assert_eq!(ill.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ill.stdout).starts_with("error    web_roles: "), "{ill:?}");
}
