use naq_macros::{retry_on_connection_failure, with_jetstream_context, with_kv_store};

struct JetStream;
struct KvStore;

#[with_jetstream_context(confg = "billing")]
async fn misspelt(_js: &JetStream) -> Result<(), ()> {
    Ok(())
}

#[with_kv_store]
async fn which_bucket(_kv: &KvStore) -> Result<(), ()> {
    Ok(())
}

#[retry_on_connection_failure(retry_delay = "soon")]
async fn when_again() -> Result<(), ()> {
    Ok(())
}

struct Once;

impl Once {
    #[retry_on_connection_failure]
    async fn consumed(self) -> Result<(), ()> {
        Ok(())
    }
}

fn main() {}
