//! The trait of what a dispatch can be executed on: connections and transactions of the driver, and
//! those of the pool.

use tokio_postgres::GenericClient;

/// A connection or a transaction of `tokio-postgres` or `deadpool-postgres`.
///
/// It is implemented for the clients and the transactions of both crates, which are exported from
/// here as [`tokio_postgres`](crate::tokio_postgres) and
/// [`deadpool_postgres`](crate::deadpool_postgres), so that an application takes the same versions.
/// It cannot be implemented elsewhere.
pub trait Executor: sealed::Sealed + Sync {
    /// The driver's own type.
    #[doc(hidden)]
    type Driver: GenericClient + Sync;

    #[doc(hidden)]
    fn driver(&self) -> &Self::Driver;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for tokio_postgres::Client {}
    impl Sealed for tokio_postgres::Transaction<'_> {}
    impl Sealed for deadpool_postgres::ClientWrapper {}
    impl Sealed for deadpool_postgres::Client {}
    impl Sealed for deadpool_postgres::Transaction<'_> {}
}

impl Executor for tokio_postgres::Client {
    type Driver = Self;

    fn driver(&self) -> &Self {
        self
    }
}

impl Executor for tokio_postgres::Transaction<'_> {
    type Driver = Self;

    fn driver(&self) -> &Self {
        self
    }
}

impl Executor for deadpool_postgres::ClientWrapper {
    type Driver = tokio_postgres::Client;

    fn driver(&self) -> &tokio_postgres::Client {
        self
    }
}

impl Executor for deadpool_postgres::Client {
    type Driver = tokio_postgres::Client;

    fn driver(&self) -> &tokio_postgres::Client {
        self
    }
}

impl<'a> Executor for deadpool_postgres::Transaction<'a> {
    type Driver = tokio_postgres::Transaction<'a>;

    fn driver(&self) -> &tokio_postgres::Transaction<'a> {
        self
    }
}
