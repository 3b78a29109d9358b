//! The OpenAPI document as an HTML page without scripts or external resources.

use std::fmt::{self, Write};

use serde_json::Value as Json;

/// The style sheet of the page. A separate file, because the content security policy forbids inline
/// styles.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
section { border-top: 1px solid #8884; padding: .5rem 0 }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow-x: auto; background: #8881; padding: .75rem; border-radius: 6px }
h3 code { font-size: 1rem } th { text-align: left; padding-right: 1.5rem; vertical-align: top }
td { padding-right: 1.5rem; vertical-align: top }
";

const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// Renders the page.
pub(super) fn page(document: &Json) -> String {
    let mut page = String::new();
    // Writing to a `String` cannot fail.
    _ = write_page(&mut page, document);
    page
}

fn write_page(out: &mut String, document: &Json) -> fmt::Result {
    let title = text(&document["info"]["title"]);
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}: API</title>\
         <link rel=\"stylesheet\" href=\"docs.css\"></head><body><main><h1>{title}: API</h1>\
         <p>{} Machine-readable: <a href=\"openapi.json\">openapi.json</a> (OpenAPI {}).</p>",
        text(&document["info"]["description"]),
        text(&document["openapi"]),
    )?;
    for tag in list(&document["tags"]) {
        let name = tag["name"].as_str().unwrap_or_default();
        write!(out, "<h2>{}</h2><p>{}</p>", text(&tag["name"]), text(&tag["description"]))?;
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                let operation = &methods[method];
                if list(&operation["tags"]).any(|tag| tag == name) {
                    write_operation(out, method, path, operation)?;
                }
            }
        }
    }
    out.write_str("</main></body></html>")
}

fn write_operation(out: &mut String, method: &str, path: &str, operation: &Json) -> fmt::Result {
    let method = method.to_uppercase();
    let path = escape(path);
    write!(out, "<section><h3><code>{method} {path}</code></h3>")?;
    write!(out, "<p>{} {}</p>", text(&operation["summary"]), text(&operation["description"]))?;
    let parameters: Vec<&Json> = list(&operation["parameters"]).collect();
    if !parameters.is_empty() {
        out.write_str("<table>")?;
        for one in parameters {
            let (name, place) = (text(&one["name"]), text(&one["in"]));
            let description = text(&one["description"]);
            write!(
                out,
                "<tr><th><code>{name}</code></th><td>{place}</td><td>{description}</td></tr>"
            )?;
        }
        out.write_str("</table>")?;
    }
    for kind in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        write!(out, "<p>Body <code>{}</code>: {}</p>", escape(kind.0), schema(&kind.1["schema"]))?;
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            write!(out, "<p>{status}: {}", text(&response["description"]))?;
            for kind in response["content"].as_object().into_iter().flatten() {
                write!(out, " <code>{}</code> {}", escape(kind.0), schema(&kind.1["schema"]))?;
            }
            out.write_str("</p>")?;
        }
    }
    out.write_str("</section>")
}

/// Renders the name of a schema.
fn schema(schema: &Json) -> String {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.map(|name| format!("<code>{}</code>", escape(name))).unwrap_or_default()
}

fn list(of: &Json) -> impl Iterator<Item = &Json> {
    of.as_array().into_iter().flatten()
}

fn text(of: &Json) -> String {
    escape(of.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_is_on_the_page() {
        let document = crate::openapi();
        let page = super::page(&document);
        for path in document["paths"].as_object().expect("paths").keys() {
            assert!(page.contains(path.as_str()), "{path}");
        }
    }
}
