//! The commands of the README with the real binary, on every backend.

use serde_json::{Value as Json, json};

use crate::support::{Backend, Program, until};

/// The names in the output of `list_workflows -f json`, with a mark for shared jobs.
fn listed(program: &Program, arguments: &[&str]) -> Vec<String> {
    let rows = program.run(&[&["list_workflows", "-f", "json"], arguments].concat()).json();
    let rows = rows.as_array().expect("a list").iter();
    let name = |row: &Json| {
        let name = row["name"].as_str().expect("a name");
        if row["shared"] == true { format!("{name} (shared)") } else { name.to_owned() }
    };
    rows.map(name).collect()
}

#[test]
fn workflows_and_activities_are_listed() {
    let program = Program::new("listed", Backend::Sqlite);
    let all = program.run(&["list_workflows"]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    for name in ["BookingWorkflow", "StreamSetupWorkflow", "send_email", "update_analytics"] {
        assert!(all.out.contains(name), "{}", all.out);
    }
    let booking = listed(&program, &["--domain", "booking"]);
    let workflows = ["BookingCreatedWorkflow", "BookingReminderWorkflow", "BookingWorkflow"];
    assert_eq!(booking[..3], workflows);
    let shared = ["log_event", "send_email", "send_sms", "update_analytics"];
    let marked: Vec<_> = booking.iter().filter(|name| name.ends_with("(shared)")).collect();
    assert_eq!(marked, shared.map(|name| format!("{name} (shared)")).iter().collect::<Vec<_>>());
    assert_eq!(listed(&program, &["--workflows-only"]).len(), 12);
    assert_eq!(listed(&program, &["--domain", "booking", "--workflows-only"]), workflows);
    let activities = listed(&program, &["--domain", "booking", "--activities-only"]);
    assert_eq!(activities, booking[3..]);
    assert!(activities.contains(&"check_reminder".to_owned()), "{activities:?}");
    let activities = program.run(&["list_workflows", "--activities-only"]).out;
    assert!(activities.contains("shared") && !activities.contains("Workflow"), "{activities}");
}

#[test]
fn details_are_listed() {
    let program = Program::new("detailed", Backend::Sqlite);
    let details = program.run(&["list_workflows", "--detailed", "--domain", "room"]).out;
    let of = |name: &str| {
        let found = details.split("\n\n").find(|part| part.starts_with(&format!("{name}\n")));
        let found = found.unwrap_or_else(|| panic!("no {name} in {details}"));
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let maintenance = of("RoomMaintenanceWorkflow");
    for part in ["Periodic maintenance", "schedule 0 4 * * *", "room_id", "task queue estuary-room"]
    {
        assert!(maintenance.contains(part), "{part}: {maintenance}");
    }
    assert!(maintenance.contains("room/workflows.rs:"), "{maintenance}");
    let created = "create_room: 8 attempts, after 1s, times 2, at most 1m; start_to_close 20s";
    assert!(of("RoomCreationWorkflow").contains(created), "{details}");
    let job = of("check_room");
    for part in ["Checks whether a room works.", "domain room", "retry 5 attempts, after 1s"] {
        assert!(job.contains(part), "{part}: {job}");
    }
    assert!(of("send_email").contains("domain shared"), "{details}");
}

/// A worker, and a run that it serves.
struct Served {
    worker: &'static [&'static str],
    run: &'static [&'static str],
    /// Queues that the worker names in its log.
    queues: &'static str,
    /// A run that it leaves to others.
    left: Option<&'static [&'static str]>,
}

const ROOM: &[&str] = &["RoomCreationWorkflow", "--room-id", "5"];
const PAYMENT: &[&str] = &["PaymentProcessingWorkflow", "--payment-id", "5"];
const BOOKING: &[&str] = &["BookingCreatedWorkflow", "--booking-id", "5"];
const STREAM: &[&str] = &["StreamCleanupWorkflow", "--stream-id", "5"];

const ALL: &str = "estuary-critical, all others, estuary-background";

/// What [`ALL`] is on Temporal, where a worker polls queues by their names.
#[cfg(feature = "temporal")]
const ALL_ON_TEMPORAL: &str = "estuary-background, estuary-booking, estuary-critical, \
     estuary-payment, estuary-room, estuary-stream, estuary-workflows";

/// A list of task queues, in alphabetical order, with what follows it.
fn sorted(served: &str) -> String {
    let (queues, slots) = served.split_at(served.find(';').unwrap_or(served.len()));
    let mut queues: Vec<&str> = queues.split(", ").collect();
    queues.sort_unstable();
    queues.join(", ") + slots
}

const SERVED: [Served; 11] = [
    Served { worker: &[], run: ROOM, queues: ALL, left: None },
    Served { worker: &["--preset", "all"], run: STREAM, queues: ALL, left: None },
    Served {
        worker: &["--preset", "critical"],
        run: &[
            "PaymentProcessingWorkflow",
            "--payment-id",
            "6",
            "--task-queue",
            "estuary-critical",
        ],
        queues: "estuary-critical, estuary-booking, estuary-payment; at most 50 runs at once; at most \
                 50 jobs at once",
        left: Some(ROOM),
    },
    Served {
        worker: &["--preset", "background"],
        run: &["RoomCreationWorkflow", "--room-id", "6", "--task-queue", "estuary-background"],
        queues: "estuary-room, estuary-stream, estuary-background; at most 100 runs at once; at most \
                 200 jobs at once",
        left: Some(PAYMENT),
    },
    Served {
        worker: &["--preset", "booking"],
        run: BOOKING,
        queues: "estuary-booking; at most 50 runs at once; at most 50 jobs at once",
        left: Some(PAYMENT),
    },
    Served {
        worker: &["--preset", "payment"],
        run: PAYMENT,
        queues: "estuary-payment; at most 30 runs at once; at most 30 jobs at once",
        left: Some(BOOKING),
    },
    Served {
        worker: &["--preset", "stream"],
        run: STREAM,
        queues: "estuary-stream; at most 50 runs at once; at most 100 jobs at once",
        left: Some(ROOM),
    },
    Served {
        worker: &["--preset", "room"],
        run: ROOM,
        queues: "estuary-room; at most 50 runs at once; at most 50 jobs at once",
        left: Some(STREAM),
    },
    Served {
        worker: &["--domain", "booking"],
        run: BOOKING,
        queues: "estuary-booking",
        left: Some(ROOM),
    },
    Served {
        worker: &["--domains", "booking", "payment"],
        run: PAYMENT,
        queues: "estuary-booking, estuary-payment",
        left: Some(STREAM),
    },
    Served {
        worker: &[
            "--task-queue",
            "custom-queue",
            "--max-concurrent-activities",
            "50",
            "--max-concurrent-workflows",
            "25",
        ],
        run: &["RoomCreationWorkflow", "--room-id", "7", "--task-queue", "custom-queue"],
        queues: "custom-queue; at most 25 runs at once; at most 50 jobs at once",
        left: Some(ROOM),
    },
];

fn workers_serve_their_queues(backend: Backend) {
    // Some at the same time, because each waits for its processes most of the time.
    let numbered: Vec<_> = SERVED.iter().enumerate().collect();
    for some in numbered.chunks(backend.workers_at_once()) {
        std::thread::scope(|scope| {
            for (number, served) in some {
                let program = Program::new(&format!("workers/{number}"), backend);
                scope.spawn(move || served.check(&program, backend));
            }
        });
    }
}

impl Served {
    fn check(&self, program: &Program, backend: Backend) {
        let Self { worker, run, queues, left } = self;
        let queues = match backend {
            #[cfg(feature = "temporal")]
            Backend::Temporal if *queues == ALL => ALL_ON_TEMPORAL,
            _ => queues,
        };
        let left = left.map(|run| program.succeed(&[&["trigger_workflow"], run].concat()));
        let process = program.worker(worker, "");
        let wait = ["--wait", "--timeout", "60", "-q"];
        program.succeed(&[&["trigger_workflow"], *run, &wait].concat());
        let log = process.log();
        let served = log.split("serving task queues: ").nth(1).and_then(|log| log.lines().next());
        let served = sorted(served.unwrap_or_default());
        assert!(served.starts_with(&sorted(queues)), "{worker:?}: {log}");
        if let Some(left) = left {
            assert_eq!(program.status(&left), "pending", "{worker:?}: {log}");
        }
        assert_eq!(process.stop().code(), Some(0), "{worker:?}");
    }
}

on_every_backend!(workers_serve_their_queues);

#[test]
fn a_file_replaces_presets_of_the_program() {
    let program = Program::new("presets", Backend::Sqlite);
    let dry = |preset: &str| {
        let arguments = ["start_workflows_worker", "--dry-run", "--preset", preset];
        program.run(&arguments).json()
    };
    assert_eq!(dry("all")["queues"], Json::Null);
    let priorities = json!({ "estuary-critical": 10, "estuary-background": -10 });
    assert_eq!(dry("all")["priorities"], priorities);
    assert_eq!(dry("critical")["priorities"], json!({ "estuary-critical": 10 }));
    assert_eq!(dry("payment")["priorities"], json!({}));
    assert_eq!(dry("payment")["max_concurrent_workflows"], 30);
    assert_eq!(dry("payment")["max_cached_workflows"], 1000);
    let file = "
defaults: { max_concurrent_activities: 7 }
presets:
  payment: { domains: [payment], max_concurrent_workflows: 3 }
  night: { task_queues: [night] }
";
    program.write("workers.yaml", file);
    let payment = dry("payment");
    assert_eq!(payment["max_concurrent_workflows"], 3);
    assert_eq!(payment["max_concurrent_activities"], 7);
    assert_eq!(dry("night")["queues"], json!(["night"]));
    let critical = dry("critical");
    assert_eq!(critical["queues"].as_array().map(Vec::len), Some(3));
    assert_eq!(critical["max_concurrent_activities"], 50);
    let unknown = program.run(&["start_workflows_worker", "--dry-run", "--preset", "days"]);
    assert_eq!(unknown.code, Some(2));
    let known = "use all, background, booking, critical, night, payment, room, stream, or add";
    assert!(unknown.err.contains(known), "{}", unknown.err);
}

fn workflows_are_triggered(backend: Backend) {
    let program = Program::new("triggered", backend);
    let trigger = |args: &[&str]| program.succeed(&[&["trigger_workflow"], args].concat());
    let booking = trigger(&["BookingWorkflow", "--booking-id", "123"]);
    let payment = &["PaymentProcessingWorkflow", "--payment-id", "456"];
    let queue = ["--task-queue", "estuary-payment", "-f", "json"];
    let queued: Json =
        serde_json::from_str(&trigger(&[&payment[..], &queue].concat())).expect("it is JSON");
    assert_eq!(queued["task_queue"], "estuary-payment");
    let payment = queued["run"].as_str().expect("an ID");
    let input = r#"{"stream_id": 789, "config": {"quality": "HD"}}"#;
    let stream = trigger(&["StreamSetupWorkflow", "--json-input", input]);
    assert_eq!(program.status(&booking), "pending");
    let _worker = program.worker(&[], "");
    let maintenance = ["RoomMaintenanceWorkflow", "--room-id", "101", "--wait", "-f", "json"];
    let maintenance: Json = serde_json::from_str(&trigger(&maintenance)).expect("it is JSON");
    assert_eq!(maintenance["result"], json!({ "checked": 1, "repaired": ["room-101"] }));
    program.until_completed(payment);
    // They wait for somebody.
    program.succeed(&["runs", "signal", &stream, "host_ready", r#"{"name": "Ada"}"#]);
    program.succeed(&["runs", "signal", &booking, "cancel", r#"{"reason": "ill"}"#]);
    program.until_completed(&stream);
    program.until_completed(&booking);
    assert_eq!(program.get(&stream)["result"]["quality"], "HD");
    let outcome = program.get(&booking)["result"].clone();
    assert_eq!(
        (&outcome["status"], &outcome["refund"]["reason"]),
        (&json!("cancelled"), &json!("ill"))
    );
    let subjects = [
        "Booking 123 is cancelled",
        "Booking 123 is confirmed",
        "New booking 123",
        "Receipt for payment 123",
        "Receipt for payment 456",
        "Refund of payment 123",
        "Stream 789 is set up",
    ];
    assert_eq!(program.subjects(), subjects);
    assert_eq!(program.messages("sms").len(), 1);
}

on_every_backend!(workflows_are_triggered);

/// The history of a long maintenance continues as new.
#[cfg(feature = "temporal")]
#[test]
fn a_long_maintenance_continues_as_new() {
    use estuary::services::{Faults, Room, Video};
    let program = Program::new("maintenance", Backend::Temporal);
    let video = Video::new(program.records().under("video"), Faults::default());
    for id in 0..40 {
        let room = video.create_room(&format!("room-{id}"), "SD").expect("it is created");
        video.save_room(&Room { healthy: id % 4 != 0, ..room }).expect("it is written");
    }
    let _worker = program.worker(&["--domain", "room", "--max-history-events", "60"], "");
    let run = program.succeed(&["trigger_workflow", "RoomMaintenanceWorkflow"]);
    program.until_completed(&run);
    let report = program.get(&run)["result"].clone();
    assert_eq!(
        (&report["checked"], report["repaired"].as_array().map(Vec::len)),
        (&json!(40), Some(10))
    );
    assert!(video.rooms().expect("they can be read").iter().all(|room| room.healthy));
    let events = program.succeed(&["runs", "watch", &run]);
    assert!(events.matches("run resumed").count() >= 2, "{events}");
}

#[test]
fn inputs_are_options_with_help() {
    let program = Program::new("help", Backend::Sqlite);
    let help = program.run(&["trigger_workflow", "BookingWorkflow", "--help"]).out;
    assert!(
        help.contains("--booking-id <INTEGER>") && help.contains("The booking (required)"),
        "{help}"
    );
    let help = program.run(&["trigger_workflow", "RoomMaintenanceWorkflow", "--help"]).out;
    assert!(help.contains("--room-id <INTEGER>"), "{help}");
    let wrong = program.on_backend(&["trigger_workflow", "BookingWorkflow", "--payment-id", "1"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    let unknown = program.on_backend(&["trigger_workflow", "BookingWorkflows"]);
    assert!(unknown.err.contains("did you mean `BookingWorkflow`?"), "{}", unknown.err);
}

fn a_new_workflow_is_one_file(backend: Backend) {
    let program = Program::example("my_new_workflow", "new_workflow", backend);
    let input = r#"{"name": "Ada"}"#;
    let run = program.succeed(&["trigger_workflow", "MyNewWorkflow", "--json-input", input]);
    let _worker = program.worker(&["--domain", "mydomain"], "");
    program.until_completed(&run);
    assert_eq!(program.get(&run)["result"], "Hello Ada!");
    assert_eq!(program.subjects(), ["Hello"]);
    let listed = listed(&program, &["--domain", "mydomain"]);
    assert_eq!(listed[0], "MyNewWorkflow");
    assert!(listed.contains(&"my_new_activity".to_owned()), "{listed:?}");
}

on_every_backend!(a_new_workflow_is_one_file);

#[test]
fn settings_that_are_invalid_are_explained() {
    let program = Program::new("settings", Backend::Sqlite);
    let worker = program.worker(&["--dry-run"], "payment.capture=broken");
    until("it explains the fault", || worker.log().contains("unknown fault `broken`"));
}
