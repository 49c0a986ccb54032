//! The settings of an installation, as operators read and change them.

use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    client::Client,
    error::{Error, Result},
    protocol::statements::{SET_SETTING, SETTINGS},
};

/// One setting of [`Client::settings`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value as a text without the unit; none where nothing is set.
    pub value: Option<String>,
    /// The value that it has unless it is changed.
    pub default_value: Option<String>,
    /// How the texts are to be read: `seconds` are a number, which may have a fraction; `bytes` and
    /// `number` are whole numbers, and `name` is a text. Later versions may have others.
    pub unit: String,
    /// What it is for, in a sentence.
    pub about: String,
}

impl Setting {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            value: row.try_get("value")?,
            default_value: row.try_get("default_value")?,
            unit: row.try_get("unit")?,
            about: row.try_get("about")?,
        })
    }
}

impl Client {
    /// Lists the settings of this installation.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is
    /// neither operator nor observer.
    pub async fn settings(&self) -> Result<Vec<Setting>> {
        self.rows(&SETTINGS, &[]).await?.iter().map(Setting::read).collect()
    }

    /// Changes a setting and returns it as it is now. The change is in effect at once for all who
    /// use this database. `None` sets it back.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// client.set_setting("retention", Some("2592000")).await?; // 30 days in seconds
    /// client.set_setting("retention", None).await?; // as it was installed
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for an unknown name or a
    /// value out of bounds, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for
    /// a login that is no operator.
    pub async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<Setting> {
        for (field, text) in [("name", Some(name)), ("value", value)] {
            if text.is_some_and(|text| text.contains('\0')) {
                return Err(Error::invalid_argument(field, "must not hold a NUL"));
            }
        }
        Setting::read(&self.row(&SET_SETTING, &[&name, &value]).await?)
    }
}
