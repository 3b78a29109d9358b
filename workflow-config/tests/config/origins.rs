//! Where each value came from.

use insta::assert_snapshot;
use serde_json::json;
use workflow_config::Origin;

use crate::Folder;

#[test]
fn every_value_has_an_origin() {
    let folder =
        Folder::with("origins", "a: 1\nb: [x, 'port ${PORT}']\nc: {}\nd: ${secret:PORT}\n");
    let loader = folder
        .loader()
        .environment([("PORT", "1"), ("WORKFLOW_ETL__E", "5")])
        .defaults(json!({ "f": null }))
        .set("g.h", true);
    let config = loader.open("etl").expect("fine");
    let lines = config.entries().into_iter().map(|entry| {
        let variables = entry.variables.map(|names| format!(" ({names})")).unwrap_or_default();
        let origin = entry.origin.to_string().replace(&format!("{}/", folder.0.display()), "");
        format!("{} = {} at {origin}{variables}", entry.path, entry.value)
    });
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    f = null at default
    a = 1 at etl/config.yaml:1:4
    b[0] = "x" at etl/config.yaml:2:5
    b[1] = "port 1" at etl/config.yaml:2:8 (PORT)
    c = {} at etl/config.yaml:3:4
    d = "***" at etl/config.yaml:4:4 (PORT)
    e = 5 at environment variable `WORKFLOW_ETL__E`
    g.h = true at override `g.h`
    "#);
    let yaml = config.to_yaml().replace(&format!("{}/", folder.0.display()), "");
    assert_snapshot!(yaml, @r#"
    f: null # default
    a: 1 # etl/config.yaml:1:4
    b:
      - x # etl/config.yaml:2:5
      - "port 1" # etl/config.yaml:2:8
    c: {} # etl/config.yaml:3:4
    d: "***" # etl/config.yaml:4:4
    e: 5 # environment variable `WORKFLOW_ETL__E`
    g:
      h: true # override `g.h`
    "#);
    let e = config.entries().into_iter().find(|entry| entry.path == "e").expect("an entry");
    assert_eq!(e.origin, Origin::Environment("WORKFLOW_ETL__E".to_owned()));
}
