//! The examples of workflows, run with sizes that suit a test.

#[path = "../examples/workflow_etl.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_etl;
#[path = "../examples/workflow_fan_out.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_fan_out;
#[path = "../examples/workflow_saga.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod workflow_saga;

use naq::Status;

#[tokio::test]
async fn the_etl_reports_what_it_has_loaded() {
    assert_eq!(
        workflow_etl::run().await.unwrap(),
        "done: 2070 rows loaded, 2070 archived"
    );
}

#[tokio::test]
async fn the_saga_undoes_what_was_done() {
    let (status, steps) = workflow_saga::run("ship").await.unwrap();
    assert_eq!(status, Status::Failed);
    assert_eq!(steps, ["reserve", "charge", "refund", "release", "tell"]);
    let (_, steps) = workflow_saga::run("charge").await.unwrap();
    assert_eq!(steps, ["reserve", "release", "tell"]);
    let (status, steps) = workflow_saga::run("nothing").await.unwrap();
    assert_eq!(status, Status::Completed);
    assert_eq!(steps, ["reserve", "charge", "ship", "tell"]);
}

#[tokio::test]
async fn the_fan_out_joins_all_its_pieces() {
    assert_eq!(workflow_fan_out::run(300).await.unwrap(), 300 * 299);
}
