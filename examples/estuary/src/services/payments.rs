//! The payment service.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Faults, Folder, ServiceError};

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The ID.
    pub id: u64,
    /// The amount.
    pub cents: u64,
    /// Who pays.
    pub payer: String,
    /// How far it came.
    pub status: PaymentStatus,
}

/// The status of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaymentStatus {
    /// Requested.
    New,
    /// The bank reserved the amount.
    Authorised,
    /// The amount was taken.
    Captured,
    /// The reservation was given up.
    Voided,
    /// The amount was paid back.
    Refunded,
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Refunded => "refunded",
        })
    }
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The ID.
    pub id: String,
    /// The payment.
    pub payment_id: u64,
    /// The amount.
    pub cents: u64,
    /// The reason.
    pub reason: String,
    /// Who gets it.
    pub payer: String,
}

/// What a practitioner is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// The ID.
    pub id: u64,
    /// The practitioner's address.
    pub practitioner: String,
    /// The amount.
    pub cents: u64,
}

/// A transfer to a practitioner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The payout.
    pub payout_id: u64,
    /// The amount.
    pub cents: u64,
}

/// The payment service. It makes up a payment for an ID that it does not know, and owes three
/// practitioners until a payout is made. All calls are idempotent: by payment, or by payout.
#[derive(Debug, Clone)]
pub struct Payments {
    payments: Folder,
    ledger: Folder,
    refunds: Folder,
    payouts: Folder,
    transfers: Folder,
    faults: Faults,
}

impl Payments {
    /// Opens the service.
    pub fn new(records: Folder, faults: Faults) -> Self {
        let [payments, ledger, refunds, payouts, transfers] =
            ["payments", "ledger", "refunds", "payouts", "transfers"]
                .map(|name| records.under(name));
        Self { payments, ledger, refunds, payouts, transfers, faults }
    }

    /// Finds a payment.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn find(&self, id: u64) -> Result<Payment, ServiceError> {
        self.faults.check("payment.find")?;
        let payer = format!("client-{id}@example.com");
        let new = || Payment { id, cents: 5_000 + id % 1_000, payer, status: PaymentStatus::New };
        Ok(self.payments.get(id)?.unwrap_or_else(new))
    }

    /// Reserves the amount.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable or the card is declined.
    pub fn authorise(&self, id: u64) -> Result<Payment, ServiceError> {
        self.faults.check("payment.authorise")?;
        self.change(id, &[PaymentStatus::New], PaymentStatus::Authorised)
    }

    /// Takes the amount that was reserved.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable, and when nothing is reserved.
    pub fn capture(&self, id: u64) -> Result<Payment, ServiceError> {
        self.faults.check("payment.capture")?;
        self.change(id, &[PaymentStatus::Authorised], PaymentStatus::Captured)
    }

    /// Gives up the reservation, if the amount was not taken.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn void(&self, id: u64) -> Result<Payment, ServiceError> {
        self.faults.check("payment.void")?;
        let payment = self.find(id)?;
        match payment.status {
            PaymentStatus::Authorised => {
                self.change(id, &[PaymentStatus::Authorised], PaymentStatus::Voided)
            }
            _ => Ok(payment),
        }
    }

    /// Pays the amount back. A payment has one refund, whoever requests it.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable, and when nothing was taken.
    pub fn refund(&self, id: u64, reason: &str) -> Result<Refund, ServiceError> {
        self.faults.check("payment.refund")?;
        if let Some(refund) = self.refunds.get(id)? {
            return Ok(refund);
        }
        let payment = self.change(id, &[PaymentStatus::Captured], PaymentStatus::Refunded)?;
        let refund = Refund {
            id: format!("refund-{id}"),
            payment_id: id,
            cents: payment.cents,
            reason: reason.to_owned(),
            payer: payment.payer,
        };
        self.refunds.put(id, &refund)?;
        Ok(refund)
    }

    /// Records a payment in the books.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn record(&self, payment: &Payment) -> Result<(), ServiceError> {
        self.faults.check("payment.record")?;
        Ok(self.ledger.put(payment.id, payment)?)
    }

    /// Lists what practitioners are owed.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn due(&self) -> Result<Vec<Payout>, ServiceError> {
        self.faults.check("payment.due")?;
        if self.payouts.names()?.is_empty() {
            for (id, (name, cents)) in (1..).zip([("ada", 12_000), ("ben", 8_050), ("cleo", 9_500)])
            {
                let practitioner = format!("{name}@example.com");
                self.payouts.put(id, &Payout { id, practitioner, cents })?;
            }
        }
        let mut due = Vec::new();
        for payout in self.payouts.all::<Payout>()? {
            if self.transfers.get::<Transfer>(payout.id)?.is_none() {
                due.push(payout);
            }
        }
        Ok(due)
    }

    /// Transfers a payout, once.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn transfer(&self, payout: &Payout) -> Result<Transfer, ServiceError> {
        self.faults.check("payment.transfer")?;
        let transfer = Transfer { payout_id: payout.id, cents: payout.cents };
        self.transfers.put(payout.id, &transfer)?;
        Ok(transfer)
    }

    /// Lists the refunds.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub fn refunds(&self) -> Result<Vec<Refund>, ServiceError> {
        Ok(self.refunds.all()?)
    }

    /// Changes the status of a payment that has one of these. Done already, it changes nothing.
    fn change(
        &self,
        id: u64,
        from: &[PaymentStatus],
        to: PaymentStatus,
    ) -> Result<Payment, ServiceError> {
        let payment = self.find(id)?;
        if payment.status == to {
            return Ok(payment);
        }
        if !from.contains(&payment.status) {
            let state = payment.status.to_string();
            return Err(ServiceError::Conflict { what: "payment", id, state });
        }
        let payment = Payment { status: to, ..payment };
        self.payments.put(id, &payment)?;
        Ok(payment)
    }
}
