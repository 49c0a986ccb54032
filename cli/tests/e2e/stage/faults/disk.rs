//! A disk without space, under the server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use private_postgres::PrivateServer;
use uuid::Uuid;

use super::super::audit::MayFail;
use super::super::dispatchers::{Dispatchers, Pace};
use super::super::workers::{Orders, Workers};
use super::super::{Size, Stage, ask_once, not_run};
use super::kills::goes_on;

/// A small file system in memory, which only root can make.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("fc-disk-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=160m,mode=0755", "none"])
            .arg(&folder)
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    /// Takes all the space that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The disk of the server is full for a while, log and data alike, and the server may die of it.
/// Bound: nothing that was answered is lost, nothing doubled; everybody goes on when there is space
/// and a server again.
pub(crate) async fn the_disk_is_full(size: Size) {
    let Some(disk) = SmallDisk::mount() else {
        return not_run("full disk", "root, to mount a small disk");
    };
    let server = PrivateServer::builder()
        .dir(disk.0.join("pg"))
        .setting("min_wal_size", "32MB")
        .setting("max_wal_size", "48MB");
    let stage = Stage::on(server).await;
    let dispatchers = Dispatchers::start(&stage, &Pace::gentle(&stage));
    let workers = Workers::start(&stage, 2, Orders::plain(&stage, "5s"));
    let mut deaths = 0;
    for _ in 0..size.of(1, 6) {
        stage.until_completed_more(10).await;
        let filler = disk.fill();
        // new segments of the log are wanted now, and cannot be had
        let spend = "create table if not exists public.spend (t text);
          insert into public.spend select repeat('x', 1000) from generate_series(1, 60000)";
        let _ = stage.server.postgres.execute_as_superuser("app", spend).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        std::fs::remove_file(filler).unwrap();
        deaths += usize::from(bring_back(&stage).await);
        let _ = stage
            .server
            .postgres
            .execute_as_superuser("app", "drop table if exists public.spend; checkpoint")
            .await;
        goes_on(&stage, &dispatchers).await;
    }
    let said = log_of(&disk.0).matches("No space left on device").count();
    println!("full disk: the server said so {said} times and died {deaths} times");
    assert!(said > 0, "the disk was never full");
    stage.close(dispatchers, workers).await.pass("full disk", MayFail::None);
}

/// Starts the server if it has died; says whether it had.
async fn bring_back(stage: &Stage) -> bool {
    for _ in 0..50 {
        if ask_once(&stage.server.url, "select 1", &[]).await.is_ok() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.server.postgres.restart().await.unwrap();
    true
}

fn log_of(disk: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(disk.join("pg/server.log")).unwrap_or_default()).into()
}
