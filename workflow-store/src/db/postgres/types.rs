//! Values and cells in the binary formats of PostgreSQL.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::db::value::{Cell, Value};

/// The epoch of PostgreSQL, 2000, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

type Failed = Box<dyn Error + Sync + Send>;

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::INT4 => out.put_i32(i32::try_from(*value)?),
            Self::Int(value) if *kind == Type::INT2 => out.put_i16(i16::try_from(*value)?),
            Self::Int(value) if *kind == Type::INT8 => out.put_i64(*value),
            Self::Bool(value) if *kind == Type::BOOL => out.put_u8((*value).into()),
            Self::Text(text) if *kind == Type::JSONB => {
                out.put_u8(1);
                out.put_slice(text.as_bytes());
            }
            Self::Text(text) if is_text(kind) => out.put_slice(text.as_bytes()),
            Self::Bytes(bytes) if *kind == Type::BYTEA => out.put_slice(bytes),
            Self::Time(micros) if *kind == Type::TIMESTAMP || *kind == Type::TIMESTAMPTZ => {
                out.put_i64(micros.saturating_sub(EPOCH));
            }
            Self::Uuid(bits) if *kind == Type::UUID => out.put_u128(*bits),
            Self::Ints(list) => return list.to_sql_checked(kind, out),
            Self::Texts(list) => return list.to_sql_checked(kind, out),
            Self::Blobs(list) => return list.to_sql_checked(kind, out),
            other => return Err(format!("{other:?} cannot be bound as {kind}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn is_text(kind: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::JSON, Type::BPCHAR, Type::NAME, Type::UNKNOWN].contains(kind)
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failed> {
        let text = |raw: &[u8]| Ok(Self::Text(std::str::from_utf8(raw)?.to_owned()));
        match *kind {
            Type::INT2 => Ok(Self::Int(i16::from_be_bytes(raw.try_into()?).into())),
            Type::INT4 => Ok(Self::Int(i32::from_be_bytes(raw.try_into()?).into())),
            Type::INT8 => Ok(Self::Int(i64::from_be_bytes(raw.try_into()?))),
            Type::BOOL => Ok(Self::Bool(raw.first() == Some(&1))),
            Type::BYTEA => Ok(Self::Bytes(raw.to_vec())),
            Type::UUID => Ok(Self::Uuid(u128::from_be_bytes(raw.try_into()?))),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => {
                Ok(Self::Time(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH)))
            }
            Type::JSONB => text(raw.get(1..).unwrap_or_default()),
            ref kind if is_text(kind) => text(raw),
            // `pg_advisory_xact_lock` returns something of no type.
            Type::VOID => Ok(Self::Null),
            ref kind => Err(format!("a column has the unsupported type {kind}").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failed> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
