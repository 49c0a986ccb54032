//! Files that only their owner may read, since they hold payloads.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Options for a file that only its owner may read, if it is created.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// A file beside another one that goes with its last handle.
pub(super) fn nameless(beside: &Path) -> io::Result<File> {
    let mut path = beside.as_os_str().to_owned();
    path.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let file = private(File::options().read(true).write(true).create_new(true)).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
