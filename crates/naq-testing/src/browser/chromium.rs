//! One browser for one test.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::find::BrowserLookup;
use super::process::Process;
use super::session::{Extra, capabilities};
use crate::eventually;

/// Time that anything on a page may take. Long, so that a busy machine is no failure.
const LONG: Duration = Duration::from_secs(60);

/// A Chromium of its own for one test: headless, with an empty profile. Windows, elements and scripts are those of
/// [`Client`], to which it derefs. Gone, with all its processes and files, after [`stop`](Self::stop), drop or the end of
/// this process.
#[derive(Debug)]
#[must_use = "dropping it ends the browser"]
pub struct Browser {
    client: Client,
    process: Process,
    files: PathBuf,
}

impl Browser {
    /// Starts one, 1280 pixels wide. Installs Debian's packages first if there is none and it may; see [`BrowserLookup`].
    ///
    /// # Panics
    /// If there is no browser or it does not start; the message says what to do.
    pub async fn start() -> Self {
        match Self::try_start().await {
            Ok(browser) => browser,
            Err(e) => panic!("this test needs a browser: {e}"),
        }
    }

    async fn try_start() -> Result<Self, Box<dyn std::error::Error>> {
        let programs = BrowserLookup::from_process_env().find().await?;
        let files = tempfile::Builder::new().prefix("naq-browser-").tempdir()?;
        // From here on it is the watcher that removes it.
        let files = files.keep();
        let process = Process::start(&programs, &files).await?;
        let wanted = capabilities(
            &programs.browser.to_string_lossy(),
            &files.to_string_lossy(),
        );
        let driver = format!("http://127.0.0.1:{}", process.port);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&driver)
            .await?;
        let browser = Self {
            client,
            process,
            files,
        };
        browser.viewport(1280, 800).await;
        Ok(browser)
    }

    /// Gives pages so many pixels, also fewer than a window can have.
    ///
    /// # Panics
    /// If the browser has died.
    pub async fn viewport(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = Extra::devtools("Emulation.setDeviceMetricsOverride", &size);
        self.extra(command).await;
    }

    /// What pages have said to the console since the last call: errors of scripts, what could not be loaded, what their policy
    /// forbids, and their own words.
    ///
    /// # Panics
    /// If the browser has died.
    pub async fn console(&self) -> Vec<String> {
        let said = self.extra(Extra::console()).await;
        let entries = said.as_array().into_iter().flatten();
        entries
            .map(|entry| {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                format!("{}: {}", text("level"), text("message"))
            })
            .collect()
    }

    /// Waits until an element of the page fits the CSS selector, and returns its text as it is shown.
    ///
    /// # Panics
    /// If there is none within a minute; shows what the page says instead.
    pub async fn shown(&self, css: &str) -> String {
        eventually(LONG, async || {
            let text = async { self.client.find(Locator::Css(css)).await?.text().await };
            match text.await {
                Ok(text) => Ok(text),
                Err(problem) => Err((css, problem.to_string(), self.words().await)),
            }
        })
        .await
    }

    /// Clicks on the element that fits the CSS selector, once it is there.
    ///
    /// # Panics
    /// If there is none within a minute, or something lies over it.
    pub async fn click(&self, css: &str) {
        self.shown(css).await;
        let click = async { self.client.find(Locator::Css(css)).await?.click().await };
        if let Err(e) = click.await {
            panic!("{css} cannot be clicked on: {e}");
        }
    }

    /// Writes `NAME.png` into the directory `NAQ_TEST_SCREENSHOTS`, if that is set: for those who want to look at the page.
    ///
    /// # Panics
    /// If the picture cannot be taken or written.
    pub async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("NAQ_TEST_SCREENSHOTS") else {
            return;
        };
        let file = PathBuf::from(directory).join(format!("{name}.png"));
        let png = self.client.screenshot().await;
        let written = png
            .map_err(|e| e.to_string())
            .and_then(|png| std::fs::write(&file, png).map_err(|e| e.to_string()));
        if let Err(e) = written {
            panic!("{}: {e}", file.display());
        }
    }

    /// The directory of its own, which all its processes name among their arguments.
    pub fn files(&self) -> &Path {
        &self.files
    }

    /// Ends the browser and waits until its files are gone.
    pub async fn stop(self) {
        self.process.stop().await;
    }

    async fn words(&self) -> String {
        let body = async { self.client.find(Locator::Css("body")).await?.text().await };
        body.await.unwrap_or_else(|e| e.to_string())
    }

    async fn extra(&self, command: Extra) -> Value {
        match self.client.issue_cmd(command).await {
            Ok(answer) => answer,
            Err(e) => panic!("the browser does not answer: {e}"),
        }
    }
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
