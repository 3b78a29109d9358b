//! A saga: when a later job fails for good, completed bookings are cancelled, newest first.
//!
//! ```sh
//! cargo run --example saga
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::{Arc, Mutex, PoisonError};

use workflow_core::prelude::*;

/// The travel agency, which records all calls.
#[derive(Clone, Default)]
struct Agency(Arc<Mutex<Vec<String>>>);

impl Agency {
    fn note(&self, line: String) {
        println!("  {line}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[job]
async fn book(agency: &Agency, what: String) -> String {
    agency.note(format!("book {what}"));
    format!("{what} #{}", agency.lines().len())
}

// Receives the output of `book`.
#[job]
async fn give_back(agency: &Agency, booking: &str) {
    agency.note(format!("give back {booking}"));
}

#[job]
async fn charge(flight: &str, hotel: &str, cents: u64) -> Result<String, JobError> {
    match cents {
        0..100_000 => Ok(format!("{flight} and {hotel} for {cents} cents")),
        _ => Err(JobError::terminal(format!("the card does not cover {cents} cents"))),
    }
}

/// Where to book, and the price in cents.
struct Trip(Agency, u64);

#[register_workflow(name = "book_trip")]
fn book_trip(flow: &mut Flow, trip: &Trip) -> Handle<String> {
    let agency = flow.value(trip.0.clone());
    let flight = book(agency, "flight".to_owned()).name("book flight");
    let flight = flow.job(flight.compensate(|booking| give_back(agency, booking)));
    let hotel = book(agency, "hotel".to_owned()).name("book hotel").after(flight);
    let hotel = flow.job(hotel.compensate(|booking| give_back(agency, booking)));
    flow.job(charge(flight, hotel, trip.1))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("a trip that can be paid:");
    let trip = Trip(Agency::default(), 50_000);
    println!("{}", registry::run("book_trip").input_value(trip).wait()?);

    println!("a trip that cannot:");
    let agency = Agency::default();
    let trip = Trip(agency.clone(), 150_000);
    let error = registry::run("book_trip").input_value(trip).wait().err().ok_or("it was paid")?;
    println!("{}", error.report().ok_or("it never began")?);

    let expected = ["book flight", "book hotel", "give back hotel #2", "give back flight #1"];
    assert_eq!(agency.lines(), expected);
    assert!(error.to_string().ends_with("the card does not cover 150000 cents"));
    Ok(())
}
