use naq_macros::job;

#[job(crate = naq, retry = 3)]
async fn unknown_option(_to: String) -> Result<(), ()> {
    Ok(())
}

#[job(crate = naq, timeout = "soon")]
async fn no_time(_to: String) -> Result<(), ()> {
    Ok(())
}

#[job(crate = naq)]
async fn no_result(_to: String) {}

#[job(crate = naq)]
async fn borrowed(_to: &str) -> Result<(), ()> {
    Ok(())
}

#[job(crate = naq)]
async fn generic<T>(_to: T) -> Result<(), ()> {
    Ok(())
}

#[job(crate = naq)]
async fn nameless((_a, _b): (u8, u8)) -> Result<(), ()> {
    Ok(())
}

#[job(crate = naq)]
struct NotAFunction;

fn main() {}
