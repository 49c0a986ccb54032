//! Where the demo runs: a private PostgreSQL of its own, or a database that the user names.

use fairclaim::{Client, MigrateOptions};
use private_postgres::PrivateServer;

use crate::global::Global;

/// The login of the private server: no superuser; it may create roles, and owns its database.
const LOGIN: &str = "demo";
const NAME: &str = "demo";

/// An installed schema, and the server under it when that is ours.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) client: Client,
    /// Where the jobs of this run go: in a database of the user's, a queue that nothing else is in.
    pub(super) queue: String,
    url: String,
    server: Option<PrivateServer>,
}

impl Database {
    /// Uses the database that was named, or else starts a private server; then installs the schema.
    /// `run` names this run of the demo.
    pub(super) async fn open(global: &Global, run: &str, offline: bool) -> anyhow::Result<Self> {
        let (url, server) = if let Some(url) = given(global.database_url.as_deref()) {
            (url.to_owned(), None)
        } else {
            let server = PrivateServer::builder().offline(offline).start().await?;
            server.create_login(LOGIN, "createrole").await?;
            server.create_database(NAME, LOGIN).await?;
            (server.url(NAME, LOGIN), Some(server))
        };
        let client = Client::connect_with(&url, &global.connect_options()).await?;
        client.migrate(&MigrateOptions::default().grant_self(true)).await?;
        let queue = if server.is_some() { NAME.to_owned() } else { format!("demo-{run}") };
        Ok(Self { client, queue, url, server })
    }

    pub(super) fn is_private(&self) -> bool {
        self.server.is_some()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Says in one line what the demo works in.
    pub(super) fn story(&self) -> String {
        match &self.server {
            Some(server) => format!(
                "started {}, for this demo alone, with its data in {}; the plain login `{LOGIN}` \
                 installed the schema",
                server.binaries(),
                server.directory().display(),
            ),
            None => "brought the schema of your database up to date".to_owned(),
        }
    }

    /// Leaves the server running, or the user's database alone; answers what is in it and what to
    /// do with it.
    pub(super) fn keep(self, interrupted: bool) -> String {
        let Some(server) = self.server else { return remains(&self.queue, interrupted) };
        let (directory, pid) = (server.directory().display().to_string(), server.pid());
        server.leave_running();
        let program = program();
        let mut text = format!(
            "\nPostgreSQL keeps running. To look around:\n\n  \
             export DATABASE_URL='{url}'\n  \
             {program} jobs list --queue demo --limit 5\n  \
             {program} dispatch --tenant acme --type hello --payload '{{\"name\": \"you\"}}'\n  \
             {program} work --exec hello=cat --drain --show-output all\n  \
             psql \"$DATABASE_URL\" -c 'select status, count(*) from fairclaim.job_overview group by 1'\n",
            url = self.url,
        );
        if let Some(pid) = pid {
            text.push_str(&format!(
                "\nTo end it: kill -INT {pid} && sleep 1 && rm -rf {}",
                shell_word(&directory)
            ));
        }
        text
    }

    /// Stops a server that is ours, and removes its folder.
    pub(super) async fn stop(self) {
        self.client.pool().close();
        if let Some(server) = self.server {
            // dropping it stops it too; this way it does not block the runtime
            let _ = server.stop().await;
        }
    }
}

/// Says what is done before there is a database to dispatch to.
pub(super) fn opening(global: &Global) -> &'static str {
    match given(global.database_url.as_deref()) {
        Some(_) => "bringing the schema of your database up to date",
        None => "starting a PostgreSQL for this demo, and installing the schema",
    }
}

/// Answers the database that the user has named; an empty variable names none.
pub(super) fn given(url: Option<&str>) -> Option<&str> {
    url.filter(|url| !url.trim().is_empty())
}

/// Says what a run leaves in a database that is not ours.
fn remains(queue: &str, interrupted: bool) -> String {
    let mut text = format!(
        "\nIn your database stay the schema `fairclaim` and the jobs of this run, in the queue `{queue}`.\n\
         Those that have ended are history, and go when the retention is over."
    );
    if interrupted {
        text.push_str(&format!(
            " Those that wait do so until they\nare cancelled, by this statement of the same login:\n\n{}",
            cancel_all(queue)
        ));
    }
    text
}

/// Cancels what of a queue has not ended, as many at once as one call takes.
fn cancel_all(queue: &str) -> String {
    format!(
        "select c.status, count(*)
  from (select j.tenant_id, array_agg(j.id) as ids
          from (select o.tenant_id, o.id, row_number() over (partition by o.tenant_id) / 10000 as part
                  from fairclaim.job_overview o
                 where o.queue = '{queue}' and o.status not in ('completed', 'failed', 'cancelled')) j
         group by j.tenant_id, j.part) p
 cross join lateral fairclaim.cancel_jobs(p.tenant_id, p.ids) c
 group by c.status;"
    )
}

/// Names this program as a shell finds it: by its name where PATH leads to it, and by a short path
/// where it is below the current folder.
pub(super) fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "fairclaim".to_owned() };
    let name = path.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join(&name));
    if found
        .find(|found| found.is_file())
        .is_some_and(|found| found.canonicalize().is_ok_and(|found| found == path))
    {
        return shell_word(&name.to_string_lossy());
    }
    let here = std::env::current_dir().ok();
    let below =
        here.and_then(|here| path.strip_prefix(here).ok().map(std::path::Path::to_path_buf));
    let short = below.map(|below| match below.components().count() {
        1 => std::path::Path::new(".").join(below), // a bare name is looked for in PATH
        _ => below,
    });
    shell_word(&short.unwrap_or(path).to_string_lossy())
}

/// Quotes a word so that a shell takes it as it is.
fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(shell_word("/usr/bin/fairclaim"), "/usr/bin/fairclaim");
        assert_eq!(shell_word("/home/o'neil/my tools/x"), "'/home/o'\\''neil/my tools/x'");
    }

    #[test]
    fn only_an_interrupted_run_leaves_jobs_to_cancel() {
        assert!(!remains("demo-1", false).contains("cancel"));
        assert!(remains("demo-1", true).contains("o.queue = 'demo-1'"));
    }
}
