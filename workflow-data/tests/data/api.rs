//! Sources of type `api` against a server with a script, polite and hostile.

use std::io::Read;

use workflow_data::Summary;

use crate::folder::Folder;
use crate::server::{Server, page, response};

/// A configuration that writes the records of a server to `out.ndjson`.
fn yaml(server: &Server, options: &str, more: &str) -> String {
    let url = server.url();
    format!(
        "source:\n  type: api\n  name: orders\n  api: {{url: '{url}/items'{options}}}\nprocessing: {{batch_size: 2{more}}}\noutput: {{type: file, path: '${{DIR}}/out.ndjson'}}"
    )
}

fn read(server: &Server, options: &str, more: &str) -> (Summary, String) {
    let folder = Folder::new();
    let summary = folder.run(&yaml(server, options, more)).unwrap();
    (summary, folder.read("out.ndjson"))
}

/// Why a run fails. The server is shown as `SERVER`.
fn failure(server: &Server, options: &str, more: &str) -> String {
    let text = Folder::new().failure(&yaml(server, options, more));
    text.replace(server.url(), "SERVER")
}

fn ids(from: u64, count: u64) -> String {
    let items: Vec<_> = (from..from + count).map(|id| format!("{{\"id\":{id}}}")).collect();
    format!("[{}]", items.join(","))
}

#[test]
fn a_page_becomes_batches_with_types() {
    let body = r#"[{"id": 1, "code": "007", "price": 1.5, "tags": [1]},
        {"id": 9007199254740993, "code": "010", "price": 2, "new": null}, {"id": 3}]"#;
    let server = Server::start(vec![page(body)]);
    let (summary, lines) = read(&server, ", columns: {sold: date, new: boolean}", "");
    let expected = r#"{"id":1,"code":"007","price":1.5,"tags":"[1]","new":null,"sold":null}
{"id":9007199254740993,"code":"010","price":2.0,"tags":null,"new":null,"sold":null}
{"id":3,"code":null,"price":null,"tags":null,"new":null,"sold":null}
"#;
    assert_eq!(lines, expected);
    assert_eq!((summary.read, summary.batches, summary.largest_batch), (3, 2, 2));
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /items HTTP/1.1\n"), "{requests:?}");
    assert!(requests[0].contains("accept: application/json"), "{requests:?}");
}

#[test]
fn pages_are_numbered_by_offset_and_page() {
    let server = Server::start(vec![page(&ids(1, 2)), page(&ids(3, 1)), page("[]")]);
    let (summary, _) = read(&server, ", pagination: {type: offset, limit: 2}", "");
    assert_eq!((summary.read, summary.batches), (3, 2));
    let expected =
        ["/items?limit=2&offset=0", "/items?limit=2&offset=2", "/items?limit=2&offset=3"];
    assert_eq!(server.targets(), expected);

    let server = Server::start(vec![page(&ids(1, 2)), response("204 No Content", "", "")]);
    let options = ", query_parameters: {state: open & paid}, pagination: {type: page, parameter: p, first_page: 0}";
    assert_eq!(read(&server, options, "").0.read, 2);
    assert_eq!(
        server.targets(),
        ["/items?state=open+%26+paid&p=0", "/items?state=open+%26+paid&p=1"]
    );
}

#[test]
fn cursors_and_links_lead_to_the_next_page() {
    let body = |from, next: &str| format!(r#"{{"d": {}, "m": {{"next": {next}}}}}"#, ids(from, 1));
    let server = Server::start(vec![
        page(&body(1, r#""a/b""#)),
        page(&body(2, "12345678901234567890123")),
        page(&body(3, "null")),
    ]);
    let options = ", records_path: d, pagination: {type: cursor, next_path: m.next, parameter: c}";
    assert_eq!(read(&server, options, "").0.read, 3);
    assert_eq!(server.targets(), ["/items", "/items?c=a%2Fb", "/items?c=12345678901234567890123"]);

    let link = "Link: </items?page=1>; rel=\"prev\"\nLink: <${SERVER}/items?page=2>; rel=\"next\"";
    let server = Server::start(vec![response("200 OK", link, &ids(1, 2)), page(&ids(3, 1))]);
    assert_eq!(read(&server, ", pagination: {type: link}", "").0.read, 3);
    assert_eq!(server.targets(), ["/items", "/items?page=2"]);

    let server = Server::start(vec![page(&body(1, r#""?after=1""#)), page(&body(2, "false"))]);
    let options = ", records_path: d, pagination: {type: link, next_path: m.next}";
    assert_eq!(read(&server, options, "").0.read, 2);
    assert_eq!(server.targets(), ["/items", "/items?after=1"]);
}

#[test]
fn requests_are_authorized() {
    let header = |options: &str| {
        let server = Server::start(vec![page("[]")]);
        read(&server, options, "");
        server.requests().remove(0)
    };
    let bearer = header(", auth_type: bearer_token, token: s3cret");
    assert!(bearer.contains("authorization: Bearer s3cret"), "{bearer}");
    let basic = header(", auth_type: basic, username: ada, password: s3cret");
    assert!(basic.contains("authorization: Basic YWRhOnMzY3JldA=="), "{basic}");
    let own =
        header(", auth_type: header, header: X-API-Key, token: s3cret, headers: {Accept: a/b}");
    assert!(own.contains("x-api-key: s3cret") && own.contains("accept: a/b"), "{own}");
    assert!(!own.contains("application/json"), "{own}");
}

/// The other server would get the token, or the pipeline the data of somebody else.
#[test]
fn other_servers_get_no_request() {
    let auth = ", auth_type: bearer_token, token: s3cret";
    let other = Server::start(vec![page("[]")]);
    let to = other.url();
    let server = Server::start(vec![response("302 Found", &format!("Location: {to}/x?a=1"), "")]);
    assert_eq!(
        failure(&server, auth, ""),
        format!(
            "cannot read `orders, page 1, SERVER/items`: the server redirects to a page on another server, `{to}`; set `url` to it if it is the right one"
        )
    );
    let link = format!("Link: <{to}/items?page=2>; rel=next");
    let server = Server::start(vec![response("200 OK", &link, "[]")]);
    let text = failure(&server, &format!("{auth}, pagination: {{type: link}}"), "");
    assert!(text.contains(&format!("the next page is on another server, `{to}`")), "{text}");
    assert_eq!(other.requests(), [""; 0]);

    let server =
        Server::start(vec![response("307 Moved", "Location: /other?b=2", ""), page(&ids(1, 1))]);
    assert_eq!(read(&server, auth, "").0.read, 1);
    assert_eq!(server.targets(), ["/items", "/other?b=2"]);
    assert!(server.requests()[1].contains("authorization: Bearer s3cret"));
    let circle = vec![response("302 Found", "Location: /items", ""); 6];
    let text = failure(&Server::start(circle), "", "");
    assert!(text.ends_with("the server redirects more than 5 times"), "{text}");
}

#[test]
fn secrets_are_in_no_error() {
    let echo = "<h1>No</h1>\n Bearer s3c\\\"ret is wrong, so is k3y%20%26, k3y & and z9z";
    let server = Server::start(vec![response("403 Forbidden", "", echo)]);
    let options = ", auth_type: bearer_token, token: 's3c\"ret', query_parameters: {key: 'k3y &', page: '7'}, headers: {X: z9z}, pagination: {type: page}";
    let folder = Folder::new();
    let yaml = yaml(&server, options, "").replace("/items", "/items?old=q1q#f");
    let text = folder.failure(&yaml).replace(server.url(), "SERVER");
    assert_eq!(
        text,
        "cannot read `orders, page 1, SERVER/items?old=***&key=***&page=1`: the server answers 403 Forbidden: `<h1>No</h1> *** is wrong, so is k3y%20%26, *** and ***`; check `auth_type` and its secrets"
    );
}

/// Whoever sees the user and the password in Base64 can read them.
#[test]
fn credentials_are_in_no_error_without_their_scheme() {
    let echo = "YWRhOnMzY3JldA== is wrong, so is Basic YWRhOnMzY3JldA==";
    let server = Server::start(vec![response("401 Unauthorized", "", echo)]);
    let text = failure(&server, ", auth_type: basic, username: ada, password: s3cret", "");
    assert!(text.contains("`*** is wrong, so is ***`"), "{text}");

    let server = Server::start(vec![response("401 Unauthorized", "", "t0ken is wrong")]);
    let options = ", auth_type: header, header: Authorization, token: Token t0ken";
    let text = failure(&server, options, "");
    assert!(text.contains("`*** is wrong`"), "{text}");
}

#[test]
fn failed_requests_are_tried_again() {
    let busy = || response("429 Too Many Requests", "Retry-After: 0", "slow down");
    let server = Server::start(vec![
        busy(),
        response("503 Service Unavailable", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", ""),
        Vec::new(),
        page(&ids(1, 1)),
    ]);
    assert_eq!(read(&server, "", ", max_retries: 3").0.read, 1);
    assert_eq!(server.requests().len(), 4);

    let server = Server::start(vec![busy(), busy()]);
    let text = failure(&server, "", ", max_retries: 1");
    assert!(
        text.ends_with("the server answers 429 Too Many Requests: `slow down`, after 2 attempts"),
        "{text}"
    );

    let server = Server::start(vec![response("429 Too Many Requests", "Retry-After: 3600", "")]);
    let text = failure(&server, "", ", max_retries: 9");
    let expected =
        "429 Too Many Requests; it asks to wait 3600 s, more than 300 s; run again later";
    assert!(text.ends_with(expected), "{text}");

    let server = Server::start(vec![response("404 Not Found", "Retry-After: 0", "")]);
    let text = failure(&server, "", ", max_retries: 9");
    assert!(text.ends_with("the server answers 404 Not Found; check `url`"), "{text}");

    // A port that nobody listens at.
    let server = Server::start(Vec::new());
    let text = failure(&server, ", requests_per_second: 5", ", max_retries: 2");
    assert!(text.contains("refused") && text.ends_with(", after 3 attempts"), "{text}");
}

#[test]
fn hostile_responses_are_errors() {
    let json = "Content-Type: application/json";
    let endless = "[1,".repeat(600_000);
    let cases: [(Vec<u8>, &str, &str); 9] = [
        (
            response("200 OK", "Content-Length: 90", "[{\"id\": 1}"),
            "",
            "the response breaks off after 10 bytes, after 2 attempts",
        ),
        (
            response("200 OK", json, ""),
            "",
            "is not JSON (line 1, column 0); its type is `application/json`: ``",
        ),
        (
            response("200 OK", "Content-Type: text/html; charset=utf-8", "<p>Sign in</p>"),
            "",
            "the response is not JSON (line 1, column 1); its type is `text/html`: `<p>Sign in</p>`",
        ),
        (
            response("200 OK", "", &endless),
            ", max_response_mib: 1",
            "the response is larger than 1 MiB; ask for smaller pages, or raise `max_response_mib`",
        ),
        (
            response("200 OK", "Content-Length: 99999999999", ""),
            "",
            "the response is larger than 32 MiB; ask for smaller pages, or raise `max_response_mib`",
        ),
        (
            page(r#"{"data": [], "total": 0}"#),
            "",
            "the response is an object with `data`, `total`, not a list of records; set `records_path` to the path of the list; its type is `application/json`: `{\"data\": [], \"total\": 0}`",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n".to_vec(), "", "the server does not answer in HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[\"\xff\"]".to_vec(),
            "",
            "the response is not UTF-8",
        ),
        (response("304 Not Modified", "", ""), "", "the server answers 304 Not Modified"),
    ];
    for (bytes, options, expected) in cases {
        let server = Server::start(vec![bytes.clone(), bytes]);
        let text = failure(&server, options, ", max_retries: 1");
        assert!(text.contains(expected), "{text}\n{expected}");
        assert!(text.starts_with("cannot read `orders, page 1, SERVER/items`: "), "{text}");
    }
}

#[test]
fn a_slow_server_has_a_limited_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let yaml = format!("source: {{type: api, api: {{url: '{url}', timeout: 0.02}}}}");
    let text = Folder::new().failure(&yaml);
    assert!(text.ends_with("no response within 0.02 s; raise `timeout`"), "{text}");
}

#[test]
fn pages_that_never_end_are_errors() {
    let body = |next: &str| page(&format!(r#"{{"d": [{{"id": 1}}], "n": "{next}"}}"#));
    let options = ", records_path: d, pagination: {type: cursor, next_path: n";
    let server = Server::start(vec![body("a"), body("b"), body("a")]);
    let text = failure(&server, &format!("{options}}}"), "");
    assert!(
        text.starts_with(
            "cannot read `orders, page 3, SERVER/items?cursor=***`: the next page was read before"
        ),
        "{text}"
    );

    let server = Server::start(vec![body("a"), body("b")]);
    let text = failure(&server, &format!("{options}, max_pages: 2}}"), "");
    assert!(
        text.ends_with("there are more than 2 pages; raise `max_pages` of `pagination`"),
        "{text}"
    );

    let link = "Link: <items#again>; rel=next";
    let server = Server::start(vec![response("200 OK", link, "[]")]);
    let text = failure(&server, ", pagination: {type: link}", "");
    assert!(text.contains("the next page was read before"), "{text}");

    let server = Server::start(vec![page(&ids(1, 2)), page(&ids(1, 2))]);
    let text = failure(&server, ", pagination: {type: page}", "");
    assert!(text.ends_with("page=2`: the page has the same records as the one before; check that the server knows the parameter `page`"), "{text}");
}

#[test]
fn records_fail_with_their_page() {
    let pages = || {
        let second = r#"[{"id": 3}, {"id": 1e400}, 7, {"id": 123456789012345678901}, {"id": 4, "x": 1}, {"id": "a"}, {"id": 5}]"#;
        Server::start(vec![page(&ids(1, 2)), page(second), page("[]")])
    };
    let options = ", pagination: {type: page}";
    let text = failure(&pages(), options, "");
    assert!(text.starts_with("orders: page 2: record 2: the record is not a JSON object that can be kept: `id`: the number 1e400 "), "{text}");

    let folder = Folder::new();
    let quarantine = ", on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'";
    let summary = folder.run(&yaml(&pages(), options, quarantine)).unwrap();
    assert_eq!((summary.read, summary.quarantined, summary.written), (9, 5, 4));
    assert_eq!((summary.batches, summary.largest_batch), (5, 2));
    let bad = folder.read("bad.jsonl");
    let places: Vec<_> = bad.lines().map(|line| line.split(",\"reasons").next().unwrap()).collect();
    let expected =
        [2, 3, 4, 5, 6].map(|record| format!(r#"{{"place":"orders: page 2","record":{record}"#));
    assert_eq!(places, expected);
    assert!(bad.contains(r#""values":{},"raw":"{\"id\": 4, \"x\": 1}""#), "{bad}");
    assert!(bad.contains("is not on the first page with records, so its column is unknown; add its type to `columns` of the source"), "{bad}");
}

#[test]
fn a_page_of_broken_records_leaves_the_columns_open() {
    let server = Server::start(vec![page("[1, 2, 3]"), page(&ids(1, 1)), page("[]")]);
    let (summary, lines) = read(&server, ", pagination: {type: page}", ", on_failure: skip");
    assert_eq!((summary.read, summary.skipped, lines.as_str()), (4, 3, "{\"id\":1}\n"));
    let server = Server::start(vec![page("[1]"), page("[{}]")]);
    let text = failure(&server, ", pagination: {type: page}", ", on_failure: skip");
    assert!(text.starts_with("cannot read `orders: page 2`: record 1 has no fields"), "{text}");
}

#[test]
fn an_encoding_that_cannot_be_read_is_named() {
    for (header, expected) in [
        (
            "Content-Encoding: deflate",
            "the response is compressed as `deflate`, which was not asked for; let the server send gzip or plain text",
        ),
        (
            "Content-Type: application/json; charset=iso-8859-1",
            "the charset of the response is `iso-8859-1`; let the server send UTF-8",
        ),
        ("Content-Type: application/json", "the response is not UTF-8"),
    ] {
        let mut answer = response("200 OK", header, "");
        answer.extend(b"[\"\xe9\"]");
        let server = Server::start(vec![answer]);
        let text = Folder::new().failure(&yaml(&server, "", ""));
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn compressed_pages_are_read() {
    // `[{"id":1},{"id":2}]`
    let compressed = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 139, 174, 86, 202, 76, 81, 178, 50, 172, 213, 129, 48,
        140, 106, 99, 1, 234, 209, 71, 250, 19, 0, 0, 0,
    ];
    let mut answer =
        response("200 OK", "Content-Type: application/json\nContent-Encoding: gzip", "");
    answer.extend(compressed);
    let server = Server::start(vec![answer]);
    let folder = Folder::new();
    assert_eq!(folder.run(&yaml(&server, "", "")).unwrap().read, 2);
    assert!(server.requests()[0].contains("accept-encoding: gzip"), "{:?}", server.requests());
}

#[test]
fn a_run_is_cancelled_between_pages() {
    let server = Server::start(vec![page(&ids(1, 2)), page(&ids(3, 2)), page(&ids(5, 2))]);
    let (folder, mut batches) = (Folder::new(), 0);
    let pipeline = folder.build(&yaml(&server, ", pagination: {type: page}", "")).unwrap();
    let cancelled = pipeline.run_until(|| {
        batches += 1;
        batches == 2
    });
    assert_eq!(cancelled.unwrap_err().to_string(), "cancelled after 4 records; nothing is written");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn mistakes_in_options_have_places_and_cures() {
    let folder = Folder::new();
    let cases = [
        ("url: ftp://a", "must begin with `https://` or `http://`"),
        ("url: 'http://a:b'", "is not a valid URL"),
        ("url: 'http://ada:pw@a'", "must not contain a user; use `auth_type: basic`"),
        (
            "url: http://a, auth_type: bearer_token",
            "`bearer_token` needs `token`; add `token:`, such as `token: ${secret:API_TOKEN}`",
        ),
        (
            "url: http://a, auth_type: basic, password: s3cret",
            "`basic` needs `username`; add `username:`, such as `username: etl`",
        ),
        (
            "url: http://a, auth_type: basic, username: etl",
            "`basic` needs `password`; add `password:`, such as `password: ${secret:API_PASSWORD}`",
        ),
        (
            "url: http://a, auth_type: header, token: s3cret",
            "`header` needs `header`; add `header:`, such as `header: X-API-Key`",
        ),
        ("url: http://a, auth_type: bearer", "did you mean `bearer_token`?"),
        ("url: http://a, token: s3cret", "`auth_type: none` does not use this; remove it"),
        (
            "url: http://a, auth_type: bearer_token, token: ''",
            "must be one line of text, and not empty",
        ),
        (
            "url: http://a, auth_type: header, token: a, header: 'a b'",
            "must be the name of a header",
        ),
        ("url: http://a, headers: {'a b': c}", "`a b` is not the name of a header"),
        ("url: http://a, requests_per_second: 0", "must be from 0.001 to 1000000"),
        ("url: http://a, timeout: -1", "must be from 0.001 to 86400 seconds"),
        ("url: http://a, max_response_mib: 0", "must be from 1 to 1024"),
        ("url: http://a, pagination: {type: cursor}", "add `next_path: meta.next_cursor`"),
        (
            "url: http://a, pagination: {type: link, limit: 3}",
            "this type of pagination does not use it",
        ),
        ("url: http://a, pagination: {type: page, max_pages: 0}", "must be 1 or more"),
        ("url: http://a, pagination: {type: pages}", "did you mean `page`?"),
    ];
    for (options, expected) in cases {
        for yaml in [
            format!("source: {{type: api, api: {{{options}}}}}"),
            format!("ingestion: {{source: {{type: api, {options}}}}}"),
        ] {
            let text = folder.refusal(&yaml);
            assert!(text.contains(expected), "{yaml}\n{text}");
            assert!(text.contains("config.yaml:1:"), "{yaml}\n{text}");
            assert!(!text.contains("s3cret'"), "{yaml}\n{text}");
        }
    }
}

/// Accepts one TLS connection, with a certificate that nobody signed.
fn stranger() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let session = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        // The client refuses the certificate, so nothing can be read.
        let _ = rustls::StreamOwned::new(session, stream).read(&mut [0; 64]);
    });
    url
}

/// With the default `max_retries`, and with more: another attempt would be refused, too.
#[test]
fn servers_need_a_trusted_certificate() {
    for retries in [0, 3] {
        let url = stranger();
        let yaml = format!(
            "source: {{type: api, api: {{url: '{url}'}}}}\nprocessing: {{max_retries: {retries}}}"
        );
        let text = match Folder::new().build(&yaml) {
            Ok(pipeline) => pipeline.run().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        let expected = "no encrypted connection to `localhost`: its certificate ";
        let is_refused = text.contains(expected) && !text.contains("attempts");
        assert!(is_refused || text.contains("this system has no CA certificates"), "{text}");
    }
}
