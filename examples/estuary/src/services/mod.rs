//! Stand-ins of the booking, payment and video services. They keep their records in files, so that
//! several workers share them, and fail on request. An application replaces this module with clients
//! of the real services.

mod bookings;
mod error;
mod faults;
mod folder;
mod payments;
mod video;

pub use bookings::{Booking, BookingStatus, Bookings};
pub use error::ServiceError;
pub use faults::{Fault, Faults};
pub use folder::Folder;
pub use payments::{Payment, PaymentStatus, Payments, Payout, Refund, Transfer};
pub use video::{Recording, Room, Video};
