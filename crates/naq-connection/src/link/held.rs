//! Who holds a link: its own reference count is the number of its leases.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use super::client::Link;
use crate::sharing::Gauge;

/// A link that may be leased. Every lease shares it, and so does the place that gives leases for as
/// long as it gives them; when the last of them lets go, the link is [home](Link::until_home).
pub(crate) struct Held {
    link: Arc<Link>,
    leases: Arc<Gauge>,
    /// What hears of the link's news. It must live as long as somebody waits for them; held here, a
    /// lease need not count it apart.
    _hears: Arc<dyn Any + Send + Sync>,
}

impl Held {
    /// `leases`: where those on it are counted.
    pub(crate) fn new(
        link: Arc<Link>,
        leases: Arc<Gauge>,
        hears: Arc<dyn Any + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            link,
            leases,
            _hears: hears,
        })
    }

    /// The leases of the whole service.
    pub(crate) fn leases(&self) -> &Gauge {
        &self.leases
    }
}

impl Deref for Held {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.home.cancel();
    }
}
