use naq_macros::with_nats_connection;

struct Connection;

#[with_nats_connection]
fn not_async(_conn: &Connection) -> Result<(), ()> {
    Ok(())
}

#[with_nats_connection]
async fn no_result(_conn: &Connection) {}

#[with_nats_connection]
async fn no_parameter() -> Result<(), ()> {
    Ok(())
}

#[with_nats_connection]
async fn owned(_conn: Connection) -> Result<(), ()> {
    Ok(())
}

#[with_nats_connection]
async fn found_nowhere(_conn: &Connection) -> Result<(), ()> {
    Ok(())
}

fn main() {}
