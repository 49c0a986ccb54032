//! Describes what this build installs. The script stores it in the database, and the doctor
//! compares the catalogs with it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{
    grants::executable,
    parts::{bodies, checksum, checksums},
};

/// Returns the migrations of this build, and of every function the digest of its text and the roles
/// that may execute it.
pub(crate) fn contents() -> Value {
    json!({ "migrations": migrations(), "functions": functions() })
}

fn migrations() -> Vec<Value> {
    checksums()
        .map(|(version, name, sum)| json!({ "version": version, "name": name, "checksum": sum }))
        .collect()
}

fn functions() -> Map<String, Value> {
    let grants = executable();
    let roles = |name: &str| -> Vec<&str> {
        let of_it = grants.iter().filter(|(function, _)| function == name);
        of_it.map(|(_, role)| role.as_str()).collect()
    };
    bodies()
        .map(|(name, body)| {
            (name.to_owned(), json!({ "digest": checksum(body), "roles": roles(name) }))
        })
        .collect()
}

/// Returns the statement that stores it, with one function a line, so that a diff of the script can
/// be read.
pub(super) fn statement() -> String {
    let mut text = String::from(
        "-- what this build installs, for the doctor\n\
         insert into fairclaim_internal.build (contents) values ($build${\n\"migrations\": ",
    );
    let _ = write!(text, "{},\n\"functions\": {{", Value::from(migrations()));
    for (place, (name, function)) in functions().iter().enumerate() {
        let _ = write!(text, "{}\n\"{name}\": {function}", if place == 0 { "" } else { "," });
    }
    text.push_str(
        "\n}\n}$build$)\non conflict (one) do update set contents = excluded.contents;\n\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_stores_is_what_the_doctor_compares_with() {
        let text = statement();
        let stored = text.split("$build$").nth(1).expect("the document");
        let stored: Value = serde_json::from_str(stored).expect("JSON");
        assert_eq!(stored, contents());
        assert_eq!(stored["functions"]["tick"]["digest"].as_str().map(str::len), Some(64));
        assert_eq!(stored["migrations"][0]["version"], 1);
    }
}
