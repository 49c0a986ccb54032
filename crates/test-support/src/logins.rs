//! The logins of every test server. None is a superuser, none may pass row security, and none has
//! more than one purpose.

/// Installs the schema: may create roles, and create in the databases of the tests.
pub const INSTALLER: &str = "test_installer";
pub const WORKER: &str = "test_worker";
pub const PRODUCER: &str = "test_producer";
/// An untrusted login of a customer.
pub const TENANT: &str = "test_tenant";
/// Operator and auditor in one.
pub const OPERATOR: &str = "test_operator";
/// An operator who may not read payloads and errors.
pub const PLAIN_OPERATOR: &str = "test_plain_operator";
/// Looks at the state of the queue and changes nothing.
pub const OBSERVER: &str = "test_observer";
/// Reads payloads too.
pub const AUDITOR: &str = "test_auditor";
/// May act as the owner, to look behind the protocol, and sees what other sessions wait for.
pub const OWNER: &str = "test_owner";
/// Has no role at all.
pub const STRANGER: &str = "test_stranger";

/// How each is created, by the superuser before there is a schema.
pub const CREATED: &[(&str, &str)] = &[
    (INSTALLER, "createrole"),
    (WORKER, ""),
    (PRODUCER, ""),
    (TENANT, ""),
    (OPERATOR, ""),
    (PLAIN_OPERATOR, ""),
    (OBSERVER, ""),
    (AUDITOR, ""),
    (OWNER, "in role pg_monitor"),
    (STRANGER, ""),
];

/// What each is granted, by the installer after it made the roles.
pub const GRANTED: &[(&str, &str)] = &[
    ("fairclaim_worker", WORKER),
    ("fairclaim_producer", PRODUCER),
    ("fairclaim_tenant", TENANT),
    ("fairclaim_operator", OPERATOR),
    ("fairclaim_auditor", OPERATOR),
    ("fairclaim_operator", PLAIN_OPERATOR),
    ("fairclaim_observer", OBSERVER),
    ("fairclaim_auditor", AUDITOR),
    ("fairclaim_owner", OWNER),
];

/// All of them, for code that has to know their names.
pub const ALL: &[&str] = &[
    INSTALLER,
    WORKER,
    PRODUCER,
    TENANT,
    OPERATOR,
    PLAIN_OPERATOR,
    OBSERVER,
    AUDITOR,
    OWNER,
    STRANGER,
];
