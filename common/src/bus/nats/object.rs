//! Objects: the object store of JetStream.

use async_nats::jetstream::object_store::{self, DeleteErrorKind, InfoErrorKind};
use async_nats::jetstream::stream::Stream;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;

use super::{NatsBus, object_reader, object_writer};
use crate::bus::{BusError, ByteReader, ObjectInfo};

impl NatsBus {
    pub(super) async fn store_object(&self, name: &str, content: ByteReader) -> Result<ObjectInfo, BusError> {
        let bucket = self.bucket().await?;
        let stream = self.objects().await?;
        let writing = object_writer::write(&self.jetstream, &stream, name, content);
        let (before, stored) = tokio::join!(bucket.info(name), writing);
        let stored = stored.map_err(|e| self.unavailable(e))?;
        // Asked at once with the writing, the server may know the new one already.
        if let Ok(before) = before
            && before.nuid != stored.nuid
            && let Err(error) = object_writer::purge(&stream, &before.nuid).await
        {
            // They belong to no object any more, and go with the bucket's age limit.
            tracing::debug!(object = name, %error, "chunks of a replaced object are left");
        }
        info(name, &stored)
    }

    async fn objects(&self) -> Result<Stream<()>, BusError> {
        let stream = self.jetstream.get_stream_no_info(object_reader::stream_name()).await;
        stream.map_err(|e| self.unavailable(e))
    }

    pub(super) async fn open_object(&self, name: &str) -> Result<(ObjectInfo, ByteReader), BusError> {
        let found = self.found_object(name).await?;
        let object = info(name, &found)?;
        let content = object_reader::read(self.objects().await?, &found, object.sha256.clone());
        Ok((object, content))
    }

    pub(super) async fn info_of_object(&self, name: &str) -> Result<ObjectInfo, BusError> {
        info(name, &self.found_object(name).await?)
    }

    async fn found_object(&self, name: &str) -> Result<object_store::ObjectInfo, BusError> {
        match self.bucket().await?.info(name).await {
            Ok(found) if found.deleted => Err(BusError::no_object(name)),
            Ok(found) => Ok(found),
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
