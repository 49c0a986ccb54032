//! Log lines, on stderr, so that stdout holds answers only.

use tracing_subscriber::EnvFilter;

use crate::color;
use crate::error::Hinted;
use crate::global::LogFormat;

/// Starts logging. RUST_LOG, where set, wins over `level`.
pub(crate) fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let filter = match std::env::var_os(EnvFilter::DEFAULT_ENV) {
        Some(wish) if !wish.is_empty() => {
            wish.to_str().and_then(|wish| EnvFilter::try_new(wish).ok()).ok_or_else(|| {
                Hinted::usage(
                    "RUST_LOG cannot be read",
                    "write it like info, or warn,fairclaim=debug; or unset it",
                )
            })?
        }
        _ => EnvFilter::new(level),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // a terminal that is closed takes no line, and no complaint about that either: the complaint would panic
        .log_internal_errors(false)
        .with_ansi(color::on_stderr());
    match format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
