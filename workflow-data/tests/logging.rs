//! What a run logs. This is the only test of its program: `tracing` caches for the whole process
//! whether somebody listens, and runs of other tests would race with it.

use std::error::Error;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use workflow_config::Config;
use workflow_data::Pipeline;

/// The text of a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> Result<String, std::string::FromUtf8Error> {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_stage_logs_a_line() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("out.csv");
    let stages = json!([
        { "name": "cleaning", "options": { "remove_duplicates": true } },
        { "name": "enrichment", "options": { "add_timestamps": true } },
    ]);
    let config = Config::from_json(
        "orders",
        json!({
            "source": { "type": "mock", "mock": { "records": 10, "duplicates": 2 } },
            "transformation": { "stages": stages },
            "output": { "type": "file", "path": path },
        }),
    )?;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || Pipeline::open(&config)?.run())?;
    let text = log.text()?;
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let expected = [
        r#"INFO reading the source source="mock""#.to_owned(),
        r#"INFO stage finished stage="cleaning" received=10 passed=8"#.to_owned(),
        r#"INFO stage finished stage="enrichment" received=8 passed=8"#.to_owned(),
        format!("INFO output written path={:?} records=8", path.display().to_string()),
    ];
    assert_eq!(lines, expected);
    Ok(())
}
