//! The settings of an installation, as operators read and change them.

use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    client::Client,
    error::{Error, Result},
    statements::{SET_SETTING, SETTINGS},
};

/// One setting of [`Client::settings`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value as a text without its unit; none where nothing is set.
    pub value: Option<String>,
    /// What it is as long as nobody changes it.
    pub default_value: Option<String>,
    /// How the texts are to be read: `seconds` and `bytes` are numbers, the former with a fraction if need be, `number` a whole one,
    /// `name` a text. There may be others later.
    pub unit: String,
    /// What it is, in a sentence.
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
    /// The settings of this installation.
    ///
    /// # Errors
    /// [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is neither operator nor observer.
    pub async fn settings(&self) -> Result<Vec<Setting>> {
        self.rows(&SETTINGS, &[]).await?.iter().map(Setting::read).collect()
    }

    /// Changes a setting, in effect at once for all who use this database, and returns it as it is now. `None` sets it back.
    ///
    /// ```no_run
    /// # async fn example(client: fairclaim::Client) -> Result<(), fairclaim::Error> {
    /// client.set_setting("retention", Some("2592000")).await?; // 30 days in seconds
    /// client.set_setting("retention", None).await?; // as it was installed
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) with the names or the bounds that there are, [`ErrorKind::PrivilegeMissing`](crate::ErrorKind::PrivilegeMissing) for a login that is no operator.
    pub async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<Setting> {
        for (field, text) in [("name", Some(name)), ("value", value)] {
            if text.is_some_and(|text| text.contains('\0')) {
                return Err(Error::invalid_argument(field, "must not hold a NUL"));
            }
        }
        Setting::read(&self.row(&SET_SETTING, &[&name, &value]).await?)
    }
}
