//! Log lines, on stderr, so that stdout holds answers only.

use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::color;
use crate::error::Hinted;
use crate::global::LogFormat;

/// The target that is left out unless RUST_LOG asks: the pool tells of each connection that ends,
/// and a worker tells of the database once.
const POOL: &str = "deadpool.postgres";

/// Starts logging. RUST_LOG, where set, wins over `level`.
pub(crate) fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let wish = std::env::var_os(EnvFilter::DEFAULT_ENV).filter(|wish| !wish.is_empty());
    let all = wish.is_some();
    let filter = match wish {
        Some(wish) => {
            wish.to_str().and_then(|wish| EnvFilter::try_new(wish).ok()).ok_or_else(|| {
                Hinted::usage(
                    "RUST_LOG cannot be read",
                    "write it like info, or warn,fairclaim=debug; or unset it",
                )
            })?
        }
        None => EnvFilter::new(level),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // a terminal that is closed takes no line, and no complaint about that either: the
        // complaint would panic
        .log_internal_errors(false)
        .with_ansi(color::on_stderr());
    let wanted = filter_fn(move |line| all || line.target() != POOL);
    match format {
        LogFormat::Text => builder.with_target(false).finish().with(wanted).init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(wanted).init(),
    }
    Ok(())
}
