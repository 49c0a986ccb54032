//! The template that test databases are copied from: one for each state of `sql/`, migrated once.

use std::{fmt::Write, fs, path::Path};

use fairclaim::{Client, MigrateOptions};
use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;

use crate::{logins, server::Server};

/// Makers of a template take turns under this number.
const LOCK: i64 = 0x0066_6169_7263;

const EVERY_TICK: &str =
    "set role fairclaim_owner; update fairclaim_internal.setting set tick_every = '0'; reset role";

/// The name of the template, which is there when this returns.
pub(crate) async fn ensure(server: &Server) -> String {
    let name = format!("template_{}", &fingerprint()[..16]);
    let superuser = server.superuser().await;
    // Tests are processes of their own, and all of them begin here. The lock ends with the session.
    superuser.execute("select pg_advisory_lock($1)", &[&LOCK]).await.expect("lock");
    let there = superuser
        .query_opt("select from pg_database where datname = $1", &[&name])
        .await
        .expect("pg_database");
    if there.is_none() {
        build(server, &superuser, &name).await;
    }
    name
}

/// Builds the template under another name first, so that half a template is never taken for a whole
/// one.
async fn build(server: &Server, superuser: &crate::Client, name: &str) {
    for (login, options) in logins::CREATED {
        let created =
            superuser.batch_execute(&format!("create role {login} login {options}")).await;
        if let Err(error) = created {
            assert_eq!(error.code(), Some(&SqlState::DUPLICATE_OBJECT), "{login}: {error:?}");
        }
    }
    let half = format!("{name}_half");
    superuser
        .batch_execute(&format!("drop database if exists {half} with (force)"))
        .await
        .expect("drop database");
    create(superuser, &half, "template0").await;

    let installer = Client::connect(&server.url(&half, logins::INSTALLER)).await.expect("connect");
    installer.migrate(&MigrateOptions::default()).await.expect("migrate");
    {
        let connection = installer.pool().get().await.expect("connection");
        for (role, login) in logins::GRANTED {
            connection.batch_execute(&format!("grant {role} to {login}")).await.expect("grant");
        }
        // every tick of a test looks at everything, however soon it comes after another
        connection.batch_execute(EVERY_TICK).await.expect("tick_every");
    }
    installer.pool().close();

    superuser
        .batch_execute(&format!("alter database {half} rename to {name}"))
        .await
        .expect("rename");
}

/// Makes a database in which the installer may create.
pub(crate) async fn create(superuser: &crate::Client, name: &str, template: &str) {
    let statement = format!("create database {name} template {template} strategy file_copy");
    superuser.batch_execute(&statement).await.expect("create database");
    let grant = format!("grant create on database {name} to {}", logins::INSTALLER);
    superuser.batch_execute(&grant).await.expect("grant create");
}

/// A hash of all that an installation is made of.
fn fingerprint() -> String {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut hash = Sha256::new();
    for folder in ["sql", "src/schema"] {
        add(&mut hash, &root.join(folder));
    }
    for (role, login) in logins::GRANTED {
        hash.update(format!("{role} {login}\n"));
    }
    hash.update(EVERY_TICK);
    let mut hex = String::new();
    for byte in hash.finalize() {
        write!(hex, "{byte:02x}").expect("into memory");
    }
    hex
}

fn add(hash: &mut Sha256, folder: &Path) {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a folder of this repository")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add(hash, &path);
        } else {
            hash.update(path.to_string_lossy().as_bytes());
            hash.update(fs::read(&path).expect("a file"));
        }
    }
}
