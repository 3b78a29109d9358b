//! Rooms for video calls: creation, maintenance, cleanup.

mod activities;
#[cfg(test)]
mod tests;
mod workflows;

pub use activities::{Check, Repair};
pub use workflows::{CleanupInput, CleanupReport, MaintenanceInput, MaintenanceReport, RoomInput};

/// The workflows of this domain.
pub const WORKFLOWS: [&str; 3] =
    ["RoomCreationWorkflow", "RoomMaintenanceWorkflow", "RoomCleanupWorkflow"];

/// The activities of this domain.
pub const ACTIVITIES: [&str; 7] = [
    "check_room",
    "create_room",
    "delete_room",
    "find_unused_rooms",
    "list_rooms",
    "repair_room",
    "room_event",
];
