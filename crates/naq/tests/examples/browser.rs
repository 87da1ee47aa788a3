//! The page of the web service in a real browser.

use std::time::Duration;

use naq::JobId;
use naq_testing::fantoccini::Locator;
use naq_testing::fantoccini::key::Key;
use naq_testing::{Browser, eventually, eventually_eq};

use crate::web::{Service, Web};

const LONG: Duration = Duration::from_secs(60);

/// Notes each thing that the page shows of a report: what is seen of it does not depend on how fast a test looks.
const RECORD: &str = "
    const [report, bar, said] = ['report', 'bar', 'said'].map((id) => document.getElementById(id));
    window.seen = [];
    const note = () => seen.push([report.dataset.state, bar.value, said.textContent]);
    new MutationObserver(note).observe(report, { attributes: true, childList: true, subtree: true });
";

/// State, bar and words.
type Seen = (String, f64, String);

/// The service, and a browser that shows its page.
struct Bed {
    service: Service,
    browser: Browser,
}

impl Bed {
    async fn new() -> Self {
        let (service, browser) = tokio::join!(Service::start(), Browser::start());
        let bed = Self {
            service: service.unwrap(),
            browser,
        };
        bed.browser.goto(&bed.page()).await.unwrap();
        bed.browser.execute(RECORD, Vec::new()).await.unwrap();
        bed
    }

    /// What was shown since the page was opened.
    async fn seen(&self) -> Vec<Seen> {
        let seen = self.browser.execute("return seen", Vec::new()).await;
        serde_json::from_value(seen.unwrap()).unwrap()
    }

    fn page(&self) -> String {
        format!("http://{}/", self.service.web.address)
    }

    /// Writes the table into the page that is shown, and presses the button; the report's id.
    async fn make(&self, table: &str) -> String {
        let field = self.browser.find(Locator::Id("table")).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(table).await.unwrap();
        self.browser.click("#make").await;
        self.browser
            .shown("#report[data-state] #id:not(:empty)")
            .await
    }

    /// What is said of the report once it is in this state.
    async fn said(&self, state: &str) -> String {
        let said = format!("#report[data-state={state}] #said");
        self.browser.shown(&said).await
    }

    /// Nothing went wrong that only the console tells.
    async fn stop(self) {
        let console = self.browser.console().await;
        assert!(console.is_empty(), "{console:#?}");
        self.end().await;
    }

    async fn end(self) {
        self.browser.stop().await;
        self.service.stop().await.unwrap();
    }
}

fn rows(count: usize) -> String {
    let rows: Vec<String> = (1..=count).map(|n| format!("row {n},{n}")).collect();
    rows.join("\n")
}

#[tokio::test]
async fn a_page_shows_the_progress_as_it_comes_and_then_the_report() {
    let bed = Bed::new().await;
    let browser = &bed.browser;
    browser.picture("empty").await;
    // By the keyboard alone.
    let field = browser.find(Locator::Id("table")).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(&rows(30)).await.unwrap();
    field
        .send_keys(&char::from(Key::Tab).to_string())
        .await
        .unwrap();
    let button = browser.active_element().await.unwrap();
    assert_eq!(button.attr("id").await.unwrap().unwrap(), "make");
    button
        .send_keys(&char::from(Key::Enter).to_string())
        .await
        .unwrap();
    bed.said("running").await;
    assert!(!button.is_enabled().await.unwrap(), "one at a time");
    browser.picture("running").await;
    assert_eq!(bed.said("completed").await, "Done.");
    let seen = bed.seen().await;
    assert_eq!(seen[0].0, "waiting", "{seen:?}");
    let running = seen.iter().filter(|(state, ..)| state == "running");
    let bar: Vec<f64> = running.map(|(_, bar, _)| *bar).collect();
    let steps = bar.chunk_by(|one, next| one == next).count();
    assert!(bar.is_sorted() && steps >= 3, "{seen:?}");
    let last = seen.last().unwrap();
    assert_eq!((last.0.as_str(), last.1), ("completed", 30.0));
    assert_eq!(browser.shown("#file").await, "lines,sum\n30,465");
    browser.picture("completed").await;
    browser.viewport(400, 800).await;
    browser.picture("narrow").await;
    let width = "return document.documentElement.scrollWidth";
    assert_eq!(browser.execute(width, Vec::new()).await.unwrap(), 400);
    assert!(button.is_enabled().await.unwrap(), "and the next one");
    bed.stop().await;
}

#[tokio::test]
async fn a_page_shows_why_a_report_failed_and_runs_nothing_that_a_table_brings_in() {
    const PICTURE: &str = r#"<img src=x onerror="document.title='taken'">"#;
    const SCRIPT: &str = "<script>document.title='taken'</script>";
    let bed = Bed::new().await;
    let browser = &bed.browser;
    let rows = format!("{PICTURE},1\n").repeat(5);
    bed.make(&format!("{rows}{SCRIPT}")).await;
    let said = bed.said("failed").await;
    assert_eq!(said, format!("Failed: line 6 has no comma: {SCRIPT}"));
    let words = format!("5 of 6: {PICTURE}");
    let seen = bed.seen().await;
    assert!(seen.iter().any(|(.., said)| *said == words), "{seen:?}");
    browser.picture("failed").await;
    let found = browser
        .find_all(Locator::Css("#report img, #report script"))
        .await;
    assert_eq!(found.unwrap().len(), 0);
    assert_eq!(browser.title().await.unwrap(), "Reports");

    bed.make("Ada,three").await;
    let said = "Failed: line 1: invalid digit found in string";
    eventually_eq(LONG, said.to_owned(), async || bed.said("failed").await).await;
    bed.stop().await;
}

#[tokio::test]
async fn a_report_is_cancelled_in_the_page() {
    let bed = Bed::new().await;
    // Would take a minute.
    let id = bed.make(&rows(300)).await;
    bed.said("running").await;
    bed.browser.click("#cancel").await;
    assert_eq!(bed.said("cancelled").await, "Cancelled.");
    bed.browser.picture("cancelled").await;
    let status = bed.service.jobs.status(&JobId::new(id).unwrap()).await;
    assert_eq!(status.unwrap().word(), "cancelled");
    bed.stop().await;
}

#[tokio::test]
async fn each_tab_has_its_own_report_and_one_that_comes_late_or_again_sees_it_whole() {
    let bed = Bed::new().await;
    let browser = &bed.browser;
    let first = browser.window().await.unwrap();
    let id = bed.make(&rows(20)).await;
    let address = browser.current_url().await.unwrap();
    let second = browser.new_window(true).await.unwrap().handle;
    browser.switch_to_window(second.clone()).await.unwrap();
    browser.goto(&bed.page()).await.unwrap();
    let other = bed.make("Grace,4\nAda,3").await;
    assert_ne!(id, other);
    bed.said("completed").await;
    assert_eq!(browser.shown("#file").await, "lines,sum\n2,7");
    // Somebody else, with the address of the first, while it runs or after it.
    let third = browser.new_window(true).await.unwrap().handle;
    browser.switch_to_window(third).await.unwrap();
    browser.goto(address.as_str()).await.unwrap();
    bed.said("completed").await;
    assert_eq!(browser.shown("#id").await, id);
    for (tab, id, file) in [
        (first, &id, "lines,sum\n20,210"),
        (second, &other, "lines,sum\n2,7"),
    ] {
        browser.switch_to_window(tab).await.unwrap();
        bed.said("completed").await;
        let seen = (browser.shown("#id").await, browser.shown("#file").await);
        assert_eq!(seen, (id.clone(), file.to_owned()));
        browser.refresh().await.unwrap();
        bed.said("completed").await;
        assert_eq!(browser.shown("#file").await, file);
    }
    bed.stop().await;
}

#[tokio::test]
async fn an_open_page_goes_on_when_the_service_comes_back() {
    let mut bed = Bed::new().await;
    bed.make(&rows(60)).await;
    bed.said("running").await;
    let address = bed.service.web.address;
    let jobs = bed.service.jobs.clone();
    bed.service.web.stop().await;
    let said = bed.said("lost").await;
    assert_eq!(said, "The connection is lost. Trying again …");
    bed.browser.picture("lost").await;
    bed.service.web = Web::start(jobs, address).await.unwrap();
    bed.said("completed").await;
    assert_eq!(bed.browser.shown("#file").await, "lines,sum\n60,1830");
    let seen = bed.seen().await;
    let lost = seen.iter().position(|(state, ..)| state == "lost").unwrap();
    assert!(
        seen[lost..].iter().any(|(state, ..)| state == "running"),
        "{seen:?}"
    );
    // The console tells of the connections that were refused.
    bed.end().await;
}

#[tokio::test]
async fn an_open_page_goes_on_when_the_nats_server_comes_back() {
    let bed = Bed::new().await;
    bed.make(&rows(50)).await;
    bed.said("running").await;
    bed.service.server.kill().await.unwrap();
    bed.service.server.start_again().await.unwrap();
    bed.said("completed").await;
    assert_eq!(bed.browser.shown("#file").await, "lines,sum\n50,1275");
    bed.stop().await;
}

#[tokio::test]
async fn a_page_says_that_there_is_no_such_report() {
    let bed = Bed::new().await;
    let page = format!("{}#nosuch", bed.page());
    // A change behind the `#` alone, and a page that is opened so.
    bed.browser.goto(&page).await.unwrap();
    assert_eq!(bed.said("missing").await, "There is no such report.");
    bed.browser.refresh().await.unwrap();
    assert_eq!(bed.said("missing").await, "There is no such report.");
    bed.make("Ada,3").await;
    assert_eq!(bed.said("completed").await, "Done.");
    bed.end().await;
}
