//! Authentication: who sends a request, and what they may do.

mod authentication;
mod caller;
mod password;
mod secret;
mod throttle;

pub(crate) use authentication::{
    Authentication, COOKIE_NAME, CSRF_HEADERS, SESSION_TTL, changes, check_origin,
    is_for_this_machine, session_cookies,
};
pub use caller::{Authenticator, Identity};
pub(crate) use caller::{Caller, Credential};
pub(crate) use password::verify_password;
pub use password::{NewPassword, PasswordError};
pub use secret::TokenRequest;
pub(crate) use secret::{Secret, digest};
pub(crate) use throttle::Throttle;
