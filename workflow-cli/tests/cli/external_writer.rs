//! The commands with a store that another application writes to, on both databases.

use std::path::PathBuf;

use test_postgres as cluster;

use crate::support::{Outcome, folder, workflow_in, workflow_reads_in};

/// A database, and commands that use it.
struct Shop {
    folder: PathBuf,
    address: String,
}

impl Shop {
    fn does(&self, code: i32, args: &[&str]) -> Outcome {
        let said = workflow_in(&self.folder, &[args, &["--db", &self.address]].concat());
        assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.out, said.err);
        said
    }

    /// The numbers of the listed runs.
    fn runs(&self, args: &[&str]) -> Vec<i64> {
        let listed = self.does(0, &[&["runs", "list", "-f", "json"], args].concat()).json();
        let items = listed["items"].as_array().expect("items").clone();
        items.iter().map(|run| run["number"].as_i64().expect("a number")).collect()
    }
}

/// Rows as the application inserts them, with the columns that it knows.
const ROWS: &str = "
    INSERT INTO workflows_workflow (id, project_id, project_name, name, slug)
        VALUES (31, 7, 'Sales', 'Q4 Report', 'q4-report');
    INSERT INTO workflows_workflowrun (id, workflow_id, started_at, completed_at, status,
        error_message) VALUES
        (471, 31, '2026-01-02 03:04:05', '2026-01-02 03:04:09', 'success', NULL),
        (472, 31, '2026-01-02 03:05:05', '2026-01-02 03:05:06', 'failure', 'no rows'),
        (473, 31, '2026-01-02 03:06:05', NULL, 'running', NULL);";

fn rows_of_another_application(shop: &Shop) {
    assert_eq!(shop.runs(&[]), [473, 472, 471]);
    for (status, found) in
        [("completed", 471), ("success", 471), ("failed", 472), ("failure", 472), ("running", 473)]
    {
        assert_eq!(shop.runs(&["--status", status]), [found], "{status}");
    }
    let table = shop.does(0, &["runs", "list"]).out;
    assert!(table.contains("completed  Q4 Report") && !table.contains("success"), "{table}");

    // By number, by the beginning of an ID, and by `latest`.
    let shown = shop.does(0, &["runs", "get", "472", "-f", "json"]).json();
    assert_eq!((&shown["status"], &shown["error"]), (&"failed".into(), &"no rows".into()));
    let id = shown["id"].as_str().expect("an id");
    for which in ["#472", id, &id[..8], &id[..11], &id.to_uppercase()[..9]] {
        let found = shop.does(0, &["runs", "get", which, "-f", "json"]).json();
        assert_eq!(found["number"], 472, "{which}");
    }
    assert_eq!(shop.does(0, &["runs", "get", "latest", "-f", "json"]).json()["number"], 473);
    assert!(shop.does(0, &["runs", "get", "471"]).out.contains("duration   4.0s"));
    assert_eq!(shop.does(1, &["runs", "watch", "472", "-f", "json"]).json()["number"], 472);
    for (which, error) in [
        ("474", "error: no run `474`; see `runs list`\n"),
        ("ffffffff", "error: no run `ffffffff`; see `runs list`\n"),
        (
            "q4",
            "error: `q4` is not a run; use its number, its id, at least the first 8 characters of its \
             id, or `latest`\n",
        ),
    ] {
        assert_eq!(shop.does(2, &["runs", "get", which]).err, error);
    }
    // Commands that cannot work report why.
    let logs = shop.does(2, &["runs", "logs", "472"]).err;
    assert!(logs.contains("has no log: another program runs it"), "{logs}");
    let again = shop.does(2, &["runs", "retry", "472"]).err;
    assert!(again.contains("another program runs `Q4 Report`"), "{again}");
    let signal = shop.does(2, &["runs", "signal", "latest", "go"]).err;
    assert!(signal.contains("an external program runs it"), "{signal}");
    let cancelled = shop.does(0, &["runs", "cancel", "latest"]).err;
    assert!(cancelled.contains("cancelled"), "{cancelled}");
    assert_eq!(shop.runs(&["--status", "cancelled"]), [473]);

    let workflows = shop.does(0, &["workflows", "list", "-f", "json"]).json();
    assert_eq!(workflows["items"][0]["name"], "Q4 Report");
    for which in ["31", "q4-report", "Q4 Report"] {
        let workflow = shop.does(0, &["workflows", "get", which, "-f", "json"]).json();
        assert_eq!((&workflow["id"], &workflow["is_active"]), (&31.into(), &true.into()));
    }
    let stats = shop.does(0, &["stats", "-f", "json"]).json();
    for ended in ["completed", "failed", "cancelled"] {
        assert_eq!(stats[0][ended], 1, "{ended} of {stats}");
    }
}

#[test]
fn rows_of_another_application_on_sqlite() {
    let folder = folder("outside-sqlite", &[]);
    let path = folder.join("shop.db");
    let shop = Shop { folder, address: format!("sqlite://{}", path.display()) };
    shop.does(0, &["migrate"]);
    rusqlite::Connection::open(&path).expect("a file").execute_batch(ROWS).expect("they are taken");
    rows_of_another_application(&shop);
}

#[test]
fn rows_of_another_application_on_postgresql() {
    let database = cluster::database();
    let folder = folder("outside-postgres", &[]);
    let shop = Shop { folder, address: database.url().to_owned() };
    shop.does(0, &["migrate"]);
    database.execute(ROWS);
    rows_of_another_application(&shop);
}

/// A user table as a web framework creates it, with one staff user.
const USERS: &str = "
    CREATE TABLE accounts_user (
        id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
        password VARCHAR(128) NOT NULL, last_login TIMESTAMPTZ, is_superuser BOOLEAN NOT NULL,
        username VARCHAR(150) NOT NULL UNIQUE, first_name VARCHAR(150) NOT NULL,
        last_name VARCHAR(150) NOT NULL, email VARCHAR(254) NOT NULL, is_staff BOOLEAN NOT NULL,
        is_active BOOLEAN NOT NULL, date_joined TIMESTAMPTZ NOT NULL);
    INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email,
        is_staff, is_active, date_joined) VALUES ('pbkdf2', TRUE, 'root', '', '', '', TRUE, TRUE,
        now());";

#[test]
fn users_of_a_framework_get_accounts() {
    let database = cluster::database();
    database.execute(USERS);
    let folder = folder("outside-users", &[]);
    for (args, code) in [
        (&["user", "add", "ada"][..], 0),
        (&["user", "add", "root"], 2),
        (&["user", "password", "root"], 0),
    ] {
        let args = [args, &["--db", database.url()]].concat();
        let said = workflow_reads_in(&folder, &args, "correct horse battery\n");
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
    }
    let shop = Shop { folder, address: database.url().to_owned() };
    let users = shop.does(0, &["user", "list", "-f", "json"]).json();
    for (user, name, is_staff) in [(0, "ada", false), (1, "root", true)] {
        let user = &users[user];
        assert_eq!((&user["username"], &user["is_staff"]), (&name.into(), &is_staff.into()));
        assert_eq!(user["has_password"], true);
    }
    let token = shop.does(0, &["token", "create", "ada", "--name", "ci"]);
    assert!(!token.out.trim().is_empty(), "{}", token.err);
    let theirs = database.query("SELECT password FROM accounts_user ORDER BY username");
    assert_eq!(theirs, ["!", "pbkdf2"]);
}
