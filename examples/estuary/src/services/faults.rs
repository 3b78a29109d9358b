//! Faults on request, for tests and for demonstrations.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::ServiceError;

/// Calls of services that fail a number of times.
///
/// As text, such as `video.create_room=rate_limited*3,outbox.answer=hangs`: the call, what goes
/// wrong, and how often. Without a number, it goes wrong every time.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<HashMap<String, (Fault, u32)>>>);

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The service is unavailable.
    Unavailable,
    /// The service limits the rate of calls.
    RateLimited,
    /// The bank declines the card.
    CardDeclined,
    /// The call has its effect, but the answer never comes.
    Hangs,
    /// The service makes no progress.
    Stalls,
}

impl Faults {
    /// Lets a call fail this often.
    pub fn set(&self, call: &str, fault: Fault, times: u32) {
        self.calls().insert(call.to_owned(), (fault, times));
    }

    /// Lets all calls succeed.
    pub fn clear(&self) {
        self.calls().clear();
    }

    /// Returns what goes wrong with this call, and counts it.
    pub fn next(&self, call: &str) -> Option<Fault> {
        let mut calls = self.calls();
        let (fault, left) = calls.get_mut(call)?;
        *left = left.checked_sub(1)?;
        Some(*fault)
    }

    /// Fails if the call is to fail.
    pub(crate) fn check(&self, call: &str) -> Result<(), ServiceError> {
        let (fault, call) = (self.next(call), call.to_owned());
        match fault {
            None => Ok(()),
            Some(Fault::Unavailable | Fault::Stalls) => Err(ServiceError::Unavailable { call }),
            Some(Fault::RateLimited) => Err(ServiceError::RateLimited { call }),
            Some(Fault::CardDeclined) => Err(ServiceError::CardDeclined { call }),
            Some(Fault::Hangs) => loop {
                thread::sleep(Duration::from_secs(60));
            },
        }
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Fault, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let faults = Self::default();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (call, fault) = one.split_once('=').ok_or_else(|| {
                format!("invalid fault `{one}`; write it like `payment.capture=unavailable*2`")
            })?;
            let (name, times) = fault.split_once('*').unwrap_or((fault, "4294967295"));
            let times = times
                .parse()
                .map_err(|_| format!("invalid number `{times}` in the fault `{one}`"))?;
            faults.set(call, named(name)?, times);
        }
        Ok(faults)
    }
}

fn named(name: &str) -> Result<Fault, String> {
    Ok(match name {
        "unavailable" => Fault::Unavailable,
        "rate_limited" => Fault::RateLimited,
        "card_declined" => Fault::CardDeclined,
        "hangs" => Fault::Hangs,
        "stalls" => Fault::Stalls,
        other => {
            return Err(format!(
                "unknown fault `{other}`; use unavailable, rate_limited, card_declined, hangs or \
                 stalls"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted() -> Result<(), String> {
        let faults: Faults = "a.b=rate_limited*2, c=hangs".parse()?;
        assert!(matches!(faults.check("a.b"), Err(ServiceError::RateLimited { .. })));
        assert_eq!(faults.next("a.b"), Some(Fault::RateLimited));
        assert_eq!((faults.next("a.b"), faults.next("d")), (None, None));
        assert_eq!((faults.next("c"), faults.next("c")), (Some(Fault::Hangs), Some(Fault::Hangs)));
        let wrong = ["a", "a=broken", "a=hangs*x"].map(|text| text.parse::<Faults>().err());
        assert!(wrong.iter().all(Option::is_some), "{wrong:?}");
        Ok(())
    }
}
