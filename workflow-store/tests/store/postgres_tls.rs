//! Encrypted connections, to a server whose certificate is made for the test.

#[path = "../../../tests-support/encrypted.rs"]
mod encrypted;

use test_postgres as cluster;
use workflow_core::store::{Store as _, StoreError};
use workflow_store::PostgresStore;

use encrypted::place;

fn open(host: &str, mode: &str, roots: Option<&str>) -> Result<PostgresStore, StoreError> {
    let more = format!("application_name={host}-{mode}");
    pollster::block_on(PostgresStore::open(&place().url(host, mode, roots, &more)))
}

fn refused(host: &str, mode: &str, roots: Option<&str>) -> String {
    let error = open(host, mode, roots).expect_err("refused");
    assert!(matches!(error, StoreError::Unusable(_) | StoreError::Address(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_connection_is_encrypted_as_the_url_says() {
    for (mode, roots, told) in [
        ("disable", None, "f"),
        ("prefer", None, "t"),
        ("require", None, "t"),
        ("require", Some("root.crt"), "t"),
        ("verify-ca", Some("root.crt"), "t"),
        ("verify-full", Some("root.crt"), "t"),
    ] {
        let store = open("localhost", mode, roots).expect(mode);
        let lease = pollster::block_on(crate::given::begin(&store)).expect(mode);
        assert_eq!(pollster::block_on(store.events(lease.run, 0, 9)).expect(mode).len(), 1);
        let query = format!(
            "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'localhost-{mode}'"
        );
        assert_eq!(place().server.query(&query), [told], "{mode}");
    }
}

#[test]
fn an_untrusted_server_certificate_is_rejected() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let said = refused("localhost", mode, Some("other.crt"));
        assert!(said.contains("is not from a trusted CA; set sslrootcert=FILE"), "{said}");
    }
    let said = refused("localhost", "verify-full", None);
    assert!(said.contains("sslrootcert=FILE"), "{said}");
}

#[test]
fn a_server_of_another_name_is_refused() {
    open("127.0.0.1", "verify-ca", Some("root.crt")).expect("the name does not count");
    let said = refused("127.0.0.1", "verify-full", Some("root.crt"));
    assert!(said.contains("is for another host name; use a host name"), "{said}");
}

#[test]
fn a_server_without_tls_is_refused() {
    let database = cluster::database();
    let url = |mode: &str| format!("{}&sslmode={mode}", database.url());
    pollster::block_on(PostgresStore::open(&url("prefer"))).expect("not needed");
    let error = pollster::block_on(PostgresStore::open(&url("require"))).expect_err("needed");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains("ssl = on"), "{error}");
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let said = refused("localhost", "verify-full", Some("none.crt"));
    assert!(said.contains("none.crt") && said.contains("cannot be read"), "{said}");
    let said = refused("localhost", "verify-full", Some("empty.crt"));
    assert!(said.contains("empty.crt") && said.contains("no certificates in PEM format"), "{said}");
}
