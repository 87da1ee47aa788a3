//! Who holds a link: its own reference count is the number of its leases.

use std::ops::Deref;
use std::sync::Arc;

use super::client::Link;

/// A link that may be leased. Every lease shares it, and the slot as long as the link gives leases;
/// when the last of them lets go, the link is [home](Link::until_home).
pub(crate) struct Held(Arc<Link>);

impl Held {
    pub(crate) fn new(link: Arc<Link>) -> Arc<Self> {
        Arc::new(Self(link))
    }
}

impl Deref for Held {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.home.cancel();
    }
}
