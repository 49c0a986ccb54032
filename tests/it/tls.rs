//! TLS against a server whose certificate comes from an authority of these tests: who is trusted, who is refused, and what the
//! refusal says. Each refusal has its control: the same settings with the one thing put right.

mod authority;
mod server;

use std::path::PathBuf;

use fairclaim::{Client, ConnectOptions, ConnectionMode, ErrorKind, Finding, Level};

use self::{
    authority::{Authority, Files, Validity},
    server::TlsServer,
};

/// Whether the session is encrypted, as the server sees it.
async fn encrypted(url: &str) -> bool {
    let once = ConnectOptions::default().mode(ConnectionMode::Pooled); // no question about a pooler
    let client = Client::connect_with(url, &once).await.unwrap_or_else(|error| {
        panic!(
            "{}: {error}\nhint: {:?}",
            url.split_once('?').map_or("", |(_, query)| query),
            error.hint()
        )
    });
    let connection = client.pool().get().await.expect("a connection");
    let asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let row = connection.query_typed_one(asked, &[]).await.expect("pg_stat_ssl");
    row.get(0)
}

/// What a refusal says, and what to do. It is always the configuration that is wrong, and no word tells the password or URL.
async fn refused(url: &str) -> (String, String) {
    let error = Client::connect(url).await.expect_err("it should have been refused");
    let hint = error.hint().expect("a hint").to_owned();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    let said = format!("{error:?} {error} {hint}");
    let secret = url.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let password = secret.and_then(|(login, _)| login.split_once(':')).map_or("", |(_, word)| word);
    assert!(password.is_empty() || !said.contains(password), "{said}");
    assert!(!said.contains("postgres://"), "{said}");
    (error.to_string(), hint)
}

fn assert_says((text, hint): &(String, String), what: &str, todo: &str) {
    assert!(text.contains(what), "{text}");
    assert!(hint.contains(todo), "{hint}");
}

#[tokio::test]
async fn the_right_certificate_is_accepted_in_every_mode_with_channel_binding() {
    let (authority, files) = (Authority::new("right"), Files::new());
    let server =
        TlsServer::start(&authority, &authority.server(&["localhost", "127.0.0.1"], Validity::Now))
            .await;
    let root = files.write("root.crt", authority.certificate());
    let url = |host: &str, query: &str| server.url("app", host, query);
    assert!(!encrypted(&url("localhost", "sslmode=disable")).await);
    for query in ["", "sslmode=allow", "sslmode=prefer", "sslmode=require"] {
        assert!(encrypted(&url("localhost", query)).await, "{query}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        for host in ["localhost", "127.0.0.1"] {
            let query = format!("sslmode={mode}&sslrootcert={root}&channel_binding=require");
            assert!(encrypted(&url(host, &query)).await, "{host} {query}");
        }
    }
    for binding in ["disable", "prefer"] {
        let query = format!("sslmode=verify-full&sslrootcert={root}&channel_binding={binding}");
        assert!(encrypted(&url("localhost", &query)).await, "{query}");
    }
    // without TLS there is nothing to bind to
    let unbound = refused(&url("localhost", "sslmode=disable&channel_binding=require")).await;
    assert_says(&unbound, "did not bind", "channel_binding=prefer");
}

#[tokio::test]
async fn another_name_and_another_authority_are_refused_by_those_who_verify_them() {
    let (authority, other) = (Authority::new("right"), Authority::new("other"));
    let files = Files::new();
    let server =
        TlsServer::start(&authority, &authority.server(&["db.example"], Validity::Now)).await;
    let (root, wrong) = (
        files.write("root.crt", authority.certificate()),
        files.write("other.crt", other.certificate()),
    );
    let url = |query: String| server.url("app", "localhost", &query);
    let name = refused(&url(format!("sslmode=verify-full&sslrootcert={root}"))).await;
    assert_says(&name, "is not for localhost, but for db.example", "sslmode=verify-ca");
    assert!(encrypted(&url(format!("sslmode=verify-ca&sslrootcert={root}"))).await);

    for query in [
        format!("sslmode=verify-ca&sslrootcert={wrong}"),
        format!("sslmode=verify-full&sslrootcert={wrong}"),
        // as in libpq, a file of authorities makes more of `require`
        format!("sslmode=require&sslrootcert={wrong}"),
        "sslmode=verify-full".to_owned(),
        "sslrootcert=system".to_owned(),
    ] {
        let unknown = refused(&url(query)).await;
        assert_says(&unknown, "no authority that is trusted here", "sslrootcert=/path");
    }
    // one authority of several in the file is enough
    let both = format!("{}{}", other.certificate(), authority.certificate());
    let both = files.write("both.crt", &both);
    assert!(encrypted(&url(format!("sslmode=verify-ca&sslrootcert={both}"))).await);
    assert!(encrypted(&url("sslmode=require".to_owned())).await, "who verifies nothing accepts it");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_as_expired() {
    let (authority, files) = (Authority::new("right"), Files::new());
    let names = ["localhost"];
    let server = TlsServer::start(&authority, &authority.server(&names, Validity::Past)).await;
    let root = files.write("root.crt", authority.certificate());
    let url =
        |mode: &str| server.url("app", "localhost", &format!("sslmode={mode}&sslrootcert={root}"));
    for mode in ["verify-ca", "verify-full"] {
        assert_says(&refused(&url(mode)).await, "has expired", "renewed");
    }
    server.present(&authority.server(&names, Validity::Future)).await;
    assert_says(&refused(&url("verify-full")).await, "not valid yet", "clock");
    server.present(&authority.server(&names, Validity::Now)).await;
    assert!(encrypted(&url("verify-full")).await, "the same settings, and a valid one");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_those_who_want_it_and_taken_by_those_who_prefer_it() {
    let (authority, files) = (Authority::new("right"), Files::new());
    let server = TlsServer::plain().await;
    let root = files.write("root.crt", authority.certificate());
    let url = |query: &str| server.url("app", "localhost", query);
    for query in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={root}")] {
        assert_says(&refused(&url(&query)).await, "does not offer TLS", "switch ssl on");
    }
    for query in ["", "sslmode=prefer", "sslmode=allow", "sslmode=disable"] {
        assert!(!encrypted(&url(query)).await, "{query}");
    }
    let unbound = refused(&url("channel_binding=require")).await;
    assert_says(&unbound, "did not bind", "scram-sha-256");
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_of_the_client_gets_the_right_one() {
    let (authority, other) = (Authority::new("right"), Authority::new("other"));
    let files = Files::new();
    let server =
        TlsServer::start(&authority, &authority.server(&["localhost"], Validity::Now)).await;
    let root = files.write("root.crt", authority.certificate());
    let url = |pair: Option<(String, String)>| {
        let pair = pair.map_or_else(String::new, |(certificate, key)| {
            format!("&sslcert={certificate}&sslkey={key}")
        });
        let query = format!("sslmode=verify-full&sslrootcert={root}{pair}");
        server.url("certified", "localhost", &query)
    };
    let pair = |name: &str, of: &Authority, login: &str, validity| {
        let identity = of.client(login, validity);
        (
            files.write(&format!("{name}.crt"), &identity.certificate),
            files.write(&format!("{name}.key"), &identity.key),
        )
    };
    assert!(encrypted(&url(Some(pair("own", &authority, "certified", Validity::Now)))).await);
    assert_says(&refused(&url(None)).await, "client certificate", "sslcert=");
    let stranger = pair("stranger", &other, "certified", Validity::Now);
    assert_says(
        &refused(&url(Some(stranger))).await,
        "refuses the client's certificate",
        "ssl_ca_file",
    );
    let old = pair("old", &authority, "certified", Validity::Past);
    assert_says(&refused(&url(Some(old))).await, "refuses the client's certificate", "expired");
    let somebody = pair("somebody", &authority, "somebody", Validity::Now);
    assert_says(
        &refused(&url(Some(somebody))).await,
        "certificate authentication failed",
        "sslcert=",
    );
    // without TLS this login is not let in at all
    let plain = server.url("certified", "localhost", "sslmode=disable");
    assert_says(&refused(&plain).await, "no encryption", "sslmode=verify-full");
}

/// Files are read before anything is sent, so there is no server.
#[tokio::test]
async fn files_that_are_missing_garbage_or_swapped_are_told_by_their_parameter() {
    let (authority, files) = (Authority::new("right"), Files::new());
    let (own, others) =
        (authority.client("app", Validity::Now), authority.client("app", Validity::Now));
    let certificate = files.write("own.crt", &own.certificate);
    let key = files.write("own.key", &own.key);
    let others_key = files.write("others.key", &others.key);
    let garbage =
        files.write("garbage.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let empty = files.write("empty.pem", "nothing that PEM would know\n");
    let missing = PathBuf::from(&certificate).with_extension("missing").display().to_string();
    let query = |query: &str| format!("postgres://app:pass-word@127.0.0.1:1/app?{query}");
    for file in [&missing, &garbage, &empty, &key] {
        let said = refused(&query(&format!("sslmode=verify-full&sslrootcert={file}"))).await;
        assert_says(&said, "sslrootcert", "PEM file");
        assert!(said.0.contains(file.as_str()), "{}", said.0);
        let said = refused(&query(&format!("sslcert={file}&sslkey={key}"))).await;
        assert_says(&said, "sslcert", "PEM file");
    }
    for file in [&missing, &garbage, &empty, &certificate] {
        let said = refused(&query(&format!("sslcert={certificate}&sslkey={file}"))).await;
        assert_says(&said, "sslkey", "PRIVATE KEY");
    }
    let said = refused(&query(&format!("sslcert={certificate}&sslkey={others_key}"))).await;
    assert_says(&said, "do not fit", "check both files");
    let said = refused(&query(&format!("sslcert={certificate}"))).await;
    assert_says(&said, "belong together", "both or neither");
    // the control: with files that fit it gets as far as the port, where nobody listens
    let fits = query(&format!(
        "sslmode=verify-full&sslrootcert={certificate}&sslcert={certificate}&sslkey={key}"
    ));
    let error = Client::connect(&fits).await.expect_err("nobody listens");
    assert!(error.is_unavailable(), "{error:?}");
}

/// What the doctor says of the way to the server.
async fn told(url: &str) -> Finding {
    let client = Client::connect(url).await.expect("connect");
    let diagnosis = client.diagnose().await.expect("a diagnosis");
    diagnosis.findings.into_iter().find(|finding| finding.name == "tls").expect("a finding")
}

#[tokio::test]
async fn the_doctor_tells_the_protocol_of_an_encrypted_connection() {
    let (authority, files) = (Authority::new("right"), Files::new());
    let server =
        TlsServer::start(&authority, &authority.server(&["localhost"], Validity::Now)).await;
    let root = files.write("root.crt", authority.certificate());
    let verified = format!("sslmode=verify-full&sslrootcert={root}");
    for query in [verified.as_str(), "sslmode=require"] {
        let found = told(&server.url("app", "localhost", query)).await;
        assert_eq!((found.level, found.advice), (Level::Ok, None), "{query}: {}", found.seen);
        assert!(found.seen.ends_with("uses TLSv1.3"), "{query}: {}", found.seen);
    }
    // the same server without it: the warning is for a network, see src/doctor/server.rs
    let plain = told(&server.url("app", "localhost", "sslmode=disable")).await;
    assert_eq!((plain.level, plain.seen.as_str()), (Level::Ok, "not encrypted, on the loopback"));
}

/// Runs this program again, since the variable that names the machine's authorities is read from its environment.
#[tokio::test]
async fn the_machines_own_authorities_are_trusted_without_a_file() {
    let (authority, files) = (Authority::new("machine"), Files::new());
    let server =
        TlsServer::start(&authority, &authority.server(&["localhost"], Validity::Now)).await;
    let root = files.write("machine.crt", authority.certificate());
    for query in ["sslmode=verify-full", "sslmode=verify-ca", "sslrootcert=system"] {
        let status = std::process::Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "tls::connects_to_what_it_is_told", "--ignored", "--nocapture"])
            .env("SSL_CERT_FILE", &root)
            .env(URL, server.url("app", "localhost", query))
            .output()
            .expect("start");
        let said = String::from_utf8_lossy(&status.stdout);
        assert!(status.status.success() && said.contains("1 passed"), "{query}: {said}");
        // the control: without that variable this machine does not know the authority
        let unknown = refused(&server.url("app", "localhost", query)).await;
        assert_says(&unknown, "no authority that is trusted here", "sslrootcert=");
    }
}

const URL: &str = "FAIRCLAIM_TEST_TLS_URL";

#[tokio::test]
#[ignore = "the process that the_machines_own_authorities_are_trusted_without_a_file starts"]
async fn connects_to_what_it_is_told() {
    assert!(encrypted(&std::env::var(URL).expect("a URL")).await);
}
