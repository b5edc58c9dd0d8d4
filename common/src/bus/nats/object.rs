//! Objects: the object store of JetStream.

use std::time::Duration;

use async_nats::jetstream::object_store::{self, DeleteErrorKind, GetErrorKind, InfoErrorKind};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;

use super::NatsBus;
use super::patient::Patient;
use crate::bus::{BusError, ByteReader, ObjectInfo};

/// How long the server may take for the next bytes. Those of an object that was replaced never come.
const PATIENCE: Duration = Duration::from_secs(15);

impl NatsBus {
    pub(super) async fn store_object(
        &self,
        name: &str,
        mut content: ByteReader,
    ) -> Result<ObjectInfo, BusError> {
        let bucket = self.bucket().await?;
        let stored = bucket.put(name, &mut content).await.map_err(|e| self.unavailable(e))?;
        info(name, &stored)
    }

    pub(super) async fn open_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        match self.bucket().await?.get(name).await {
            // The driver compares the hash when the last byte is read.
            Ok(object) => Ok((info(name, object.info())?, Box::pin(Patient::new(object, PATIENCE)))),
            Err(e) if matches!(e.kind(), GetErrorKind::NotFound) => Err(BusError::no_object(name)),
            Err(e) => Err(self.unavailable(e)),
        }
    }

    pub(super) async fn info_of_object(&self, name: &str) -> Result<ObjectInfo, BusError> {
        match self.bucket().await?.info(name).await {
            Ok(found) if found.deleted => Err(BusError::no_object(name)),
            Ok(found) => info(name, &found),
            Err(e) if matches!(e.kind(), InfoErrorKind::NotFound) => Err(BusError::no_object(name)),
            Err(e) => Err(self.unavailable(e)),
        }
    }

    pub(super) async fn remove_object(&self, name: &str) -> Result<(), BusError> {
        match self.bucket().await?.delete(name).await {
            Err(e) if !matches!(e.kind(), DeleteErrorKind::NotFound) => Err(self.unavailable(e)),
            _ => Ok(()),
        }
    }
}

fn info(name: &str, found: &object_store::ObjectInfo) -> Result<ObjectInfo, BusError> {
    let corrupt = || BusError::Corrupt { what: format!("object {name}: no SHA-256") };
    let digest = found.digest.as_deref().and_then(|d| d.strip_prefix("SHA-256=")).ok_or_else(corrupt)?;
    let bytes = BASE64_URL_SAFE.decode(digest).map_err(|_| corrupt())?;
    Ok(ObjectInfo { size: found.size as u64, sha256: hex::encode(bytes) })
}
