//! New credentials and certificates, without anybody noticing.

use futures::future::try_join;

use super::handle::{ConnectionService, unknown};
use crate::error::ConnectionError;
use crate::events::ReplaceReason;

impl ConnectionService {
    /// Replaces the connections of `profile` by new ones: credentials are asked for again, files of
    /// credentials and certificates are read again. Returns when new leases are on the new ones.
    ///
    /// The new connection is made before the old one is given up. Leases that are out stay on the
    /// old one, which is closed when the last has come back; those that are still out after
    /// `drain_timeout` see a reconnect, by which the old one moves to the new credentials. A lane
    /// that is not connected has nothing to replace. Cancel safe: the replacement goes on.
    ///
    /// # Errors
    /// `UnknownProfile`. The error of a dial as in [`connection`](Self::connection): then the old
    /// connection stays in use; whether a later attempt may succeed is the error's
    /// [`is_transient`](ConnectionError::is_transient).
    pub async fn rotate(&self, profile: &str) -> Result<(), ConnectionError> {
        let lanes = self.inner.profiles.load().lanes.get(profile).cloned();
        let lanes = lanes.ok_or_else(|| unknown(profile))?;
        let [control, bulk] = lanes.both();
        let reason = ReplaceReason::Rotation;
        try_join(control.replace(reason), bulk.replace(reason)).await?;
        Ok(())
    }
}
