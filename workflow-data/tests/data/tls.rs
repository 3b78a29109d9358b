//! Encrypted connections of sources and sinks, to a server whose certificate is made for the test.

#[path = "../../../tests-support/encrypted.rs"]
mod encrypted;

use encrypted::place;

use crate::folder::Folder;

/// Whether the connection that runs it is encrypted.
const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

fn source(url: &str) -> String {
    format!(
        "source: {{type: database, name: shop, database: {{url: '{url}', query: {ENCRYPTED}}}}}\n\
         output: {{type: file, path: '${{DIR}}/out.csv'}}"
    )
}

fn sink(url: &str, table: &str) -> String {
    format!(
        "source: {{type: mock, mock: {{records: 1}}}}\n\
         output: {{type: postgres, url: '{url}', table: {table}, mode: append}}"
    )
}

#[test]
fn connections_are_encrypted_as_the_url_says() {
    let server = &place().server;
    server.query(&format!(
        "CREATE FUNCTION is_encrypted() RETURNS boolean LANGUAGE SQL AS '{ENCRYPTED}'"
    ));
    let cases = [
        ("disable", None, false),
        ("prefer", None, true),
        ("require", None, true),
        ("verify-full", Some("root.crt"), true),
    ];
    for (index, (mode, roots, expected)) in cases.into_iter().enumerate() {
        let url = place().url("localhost", mode, roots, "");
        let folder = Folder::new();
        folder.run(&source(&url)).unwrap();
        assert_eq!(folder.read("out.csv"), format!("ssl\n{expected}\n"), "{mode}");

        let table = format!("loaded_{index}");
        server.query(&format!(
            "CREATE TABLE {table} (id bigint, name text, amount float8, created_at timestamptz, \
             ssl boolean DEFAULT is_encrypted())"
        ));
        folder.run(&sink(&url, &table)).unwrap();
        let told = server.query(&format!("SELECT ssl::text FROM {table}"));
        assert_eq!(told, [expected.to_string()], "{mode}");
    }
}

#[test]
fn servers_that_are_not_trusted_are_refused() {
    let cases = [
        (
            "localhost",
            "other.crt",
            "the server's certificate is not from a trusted CA; \
             set sslrootcert=FILE to the certificate of the server's CA",
        ),
        (
            "127.0.0.1",
            "root.crt",
            "the server's certificate is for another host name; \
             use a host name of the certificate, or sslmode=verify-ca to accept any",
        ),
    ];
    for (host, roots, expected) in cases {
        let url = place().url(host, "verify-full", Some(roots), "");
        for yaml in [source(&url), sink(&url, "orders")] {
            let text = Folder::new().failure(&yaml);
            assert!(text.contains(&format!("cannot connect to {host}, port ")), "{text}");
            assert!(text.ends_with(expected), "{text}");
        }
    }
}

#[test]
fn a_server_without_tls_is_refused() {
    let database = test_postgres::database();
    let text = Folder::new().failure(&source(&format!("{}&sslmode=require", database.url())));
    let expected = "the server does not encrypt connections; configure it with `ssl = on`";
    assert!(text.contains(expected), "{text}");
}

/// Before anything is read, with the line of the URL.
#[test]
fn mistakes_in_the_address_have_places() {
    let url = |options: &str| format!("postgres://ada:hunter2@127.0.0.1:1/shop?{options}");
    let cases = [
        ("sslmode=always", "unknown sslmode `always`; use disable, prefer, require, verify-ca"),
        (
            "sslmode=verify-full&sslrootcert=/none/ca.crt",
            "the certificates in `/none/ca.crt` (sslrootcert) cannot be read",
        ),
        ("sslcert=ada.crt", "is not a valid PostgreSQL URL"),
    ];
    for (options, expected) in cases {
        for (yaml, place) in [
            (source(&url(options)), "config.yaml:1:"),
            (sink(&url(options), "t"), "config.yaml:2:"),
        ] {
            let text = Folder::new().refusal(&yaml);
            assert!(text.contains(expected) && text.contains(place), "{text}");
        }
    }
}
