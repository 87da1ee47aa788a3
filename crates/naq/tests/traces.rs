//! The example of traces, run; what the collector gets links up.

#[path = "../examples/traces.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod example;

#[tokio::test]
async fn spans_of_the_program_its_jobs_and_their_handlers_are_one_tree() {
    let tree = example::run().await.unwrap();
    let (order, parcel) = tree.split_at(tree.find("submit").unwrap());
    assert_eq!(
        order,
        "\
checkout
  enqueue naq_default_queue (order)
    process naq_default_queue (order) attempt 1 retried: nothing in stock
    process naq_default_queue (order) attempt 2 completed
      write mail
      enqueue naq_default_queue (mail)
        process naq_default_queue (mail) attempt 1 completed
"
    );
    // Two of them run side by side.
    let mut lines: Vec<&str> = parcel.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "  process naq_default_queue (label) attempt 1 completed <- pick",
            "  process naq_default_queue (pack) attempt 1 completed <- pick",
            "  process naq_default_queue (pick) attempt 1 completed",
            "  process naq_default_queue (ship) attempt 1 completed <- label, pack",
            "submit parcel",
        ]
    );
}
