//! Where the lines come from, and by which name the database remembers how far they were sent.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::error::Hinted;

/// An input that is open.
pub(super) struct Source {
    pub(super) input: Box<dyn Read + Send>,
    /// What the database knows it by.
    pub(super) name: String,
    /// How many bytes there are, of a file.
    pub(super) bytes: Option<u64>,
    /// Whether it can be read once more from its beginning, or was given a name.
    pub(super) resumable: bool,
    /// Whether the user gave the name. Then the input may have grown since, or be another one.
    pub(super) named: bool,
}

impl Source {
    /// Opens a file, or stdin for `-`. A file is known by its content, unless it is given a name.
    pub(super) fn open(path: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        if name.is_some_and(|name| name.is_empty() || name.len() > 255 || name.contains('\0')) {
            return Err(Hinted::usage(
                "--source must be 1 to 255 bytes",
                "any text that is not used for other lines, such as a file's name and date",
            )
            .into());
        }
        if path == Path::new("-") {
            return Ok(Self::once(Box::new(io::stdin()), name));
        }
        let unreadable = |error: io::Error| {
            Hinted::usage(
                format!("cannot read {}: {error}", path.display()),
                "--file takes a file of JSON Lines, or - for stdin",
            )
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let kind = file.metadata().map_err(unreadable)?;
        if kind.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()).into());
        }
        if !kind.is_file() {
            return Ok(Self::once(Box::new(file), name));
        }
        let named = name.is_some();
        let name = match name {
            Some(name) => name.to_owned(),
            None => hash(&mut file).map_err(unreadable)?,
        };
        file.rewind().map_err(unreadable)?;
        let bytes = kind.len();
        // what is appended from now on is not part of what was hashed
        Ok(Self {
            input: Box::new(file.take(bytes)),
            name,
            bytes: Some(bytes),
            resumable: true,
            named,
        })
    }

    /// Takes an input that comes once. Without a name it gets one that is not used again: enough to
    /// survive a lost connection.
    fn once(input: Box<dyn Read + Send>, name: Option<&str>) -> Self {
        let made_up = || format!("stdin-{}", uuid::Uuid::new_v4());
        Self {
            input,
            name: name.map_or_else(made_up, str::to_owned),
            bytes: None,
            resumable: name.is_some(),
            named: name.is_some(),
        }
    }
}

/// Answers the SHA-256 of what is in a file, in hex.
fn hash(file: &mut File) -> io::Result<String> {
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part)? {
            0 => break,
            read => hash.update(&part[..read]),
        }
    }
    Ok(hash.finalize().iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
}
