//! The terminal: drawn after each look and each change of its size, until somebody quits.

use std::io::IsTerminal;

use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures::StreamExt;

use super::feed::Feed;
use super::model::Model;
use super::view;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::signals::Signals;

pub(super) async fn run(
    context: &Context,
    mut model: Model,
    mut feed: Feed,
) -> Result<(), CliError> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(CliError::usage("a live view needs a terminal")
            .hint("--once prints one frame, --json one look as JSON"));
    }
    let signals = Signals::listen()?;
    // It takes the terminal over, and gives it back, also after a panic.
    let mut terminal = ratatui::try_init().map_err(|error| failed(&error))?;
    let ended = watch(context, &mut terminal, &mut model, &mut feed, &signals).await;
    ratatui::restore();
    feed.end().await;
    ended
}

async fn watch(
    context: &Context,
    terminal: &mut ratatui::DefaultTerminal,
    model: &mut Model,
    feed: &mut Feed,
    signals: &Signals,
) -> Result<(), CliError> {
    let has_colors = context.output.has_colors();
    let mut keys = EventStream::new();
    loop {
        terminal
            .draw(|frame| view::draw(frame, model, has_colors))
            .map_err(|error| failed(&error))?;
        tokio::select! {
            () = signals.token().cancelled() => return Ok(()),
            key = keys.next() => match key {
                Some(Ok(event)) if quits(&event) => return Ok(()),
                // A change of the size comes as an event, and is drawn like anything else.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(failed(&error)),
                None => return Ok(()),
            },
            look = feed.next() => match look {
                Ok(look) => model.take(look),
                Err(error) => {
                    let why = error.message.unwrap_or_else(|| "the server does not answer".to_owned());
                    model.trouble = Some(format!("{why}; trying again"));
                }
            },
        }
    }
}

/// `q`, Escape, or Ctrl-C, which is a key while the terminal is ours.
fn quits(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    let is_ctrl_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    let is_quit = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
    key.kind == KeyEventKind::Press && (is_ctrl_c || is_quit)
}

fn failed(error: &std::io::Error) -> CliError {
    CliError::new(exit_code::INTERNAL, "failed to use the terminal").because(error)
}
