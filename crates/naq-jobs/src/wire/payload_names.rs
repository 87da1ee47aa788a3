//! Names of what is kept in the object store.

use super::names::Names;

impl Names {
    /// The bucket of large payloads and results, as the object store calls it.
    pub(crate) fn payloads_bucket(&self) -> String {
        format!("{}_payloads", self.prefix)
    }

    /// The stream of that bucket.
    pub(crate) fn payloads_stream(&self) -> String {
        format!("OBJ_{}_payloads", self.prefix)
    }

    /// Its subjects.
    pub(crate) fn payloads_subjects(&self) -> Vec<String> {
        let bucket = self.payloads_bucket();
        vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")]
    }

    /// The chunks of an object.
    pub(crate) fn payload_chunks(&self, object: &str) -> String {
        format!("$O.{}.C.{object}", self.payloads_bucket())
    }

    /// The entry of an object; `name` is its name in base64url.
    pub(crate) fn payload_entry(&self, name: &str) -> String {
        format!("$O.{}.M.{name}", self.payloads_bucket())
    }
}
