//! A frame of any size. It says everything in words, so that it is the same without colours.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use naq::WorkerInfo;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table};
use ratatui::{Frame, Terminal};

use super::model::{Model, QueueRow};
use crate::duration::rough;
use crate::error::CliError;
use crate::exit_code;
use crate::output::grouped;

/// Draws the model.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, has_colors: bool) {
    let areas = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(2),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]);
    let [head, queues, workers, failures, foot] = areas.areas(frame.area());
    let paint = Paint { has_colors };
    frame.render_widget(Paragraph::new(headline(model, paint)), head);
    draw_queues(frame, queues, model, paint);
    draw_workers(frame, workers, model, paint);
    draw_failures(frame, failures, model, paint);
    frame.render_widget(Line::styled("q quits", paint.faint()), foot);
}

/// One frame as text.
pub(super) fn text(model: &Model, size: (u16, u16)) -> Result<String, CliError> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        CliError::new(exit_code::INTERNAL, "failed to draw").because(error)
    };
    let backend = TestBackend::new(size.0, size.1);
    let mut terminal = Terminal::new(backend).map_err(|error| failed(&error))?;
    terminal
        .draw(|frame| draw(frame, model, false))
        .map_err(|error| failed(&error))?;
    let buffer = terminal.backend().buffer();
    let width = usize::from(size.0.max(1));
    let lines: Vec<String> = buffer
        .content()
        .chunks(width)
        .map(|cells| {
            let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
            line.trim_end().to_owned()
        })
        .collect();
    Ok(lines.join("\n").trim_end().to_owned())
}

/// Colours, where there are any.
#[derive(Debug, Clone, Copy)]
struct Paint {
    has_colors: bool,
}

impl Paint {
    fn color(self, color: Color) -> Style {
        if self.has_colors {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    fn faint(self) -> Style {
        self.color(Color::DarkGray)
    }

    fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

fn headline(model: &Model, paint: Paint) -> Vec<Line<'_>> {
    let [waiting, in_flight, running, scheduled, parked, dead] = model.sums().map(grouped);
    let state = match &model.trouble {
        Some(trouble) => Line::styled(format!("NO DATA: {trouble}"), paint.color(Color::Red)),
        None => Line::from(format!(
            "waiting {waiting}  in flight {in_flight}  running {running}  scheduled {scheduled}  parked {parked}  dead {dead}  \
             workers {}",
            model.workers.len()
        )),
    };
    let title = format!("naq top  {}", model.server);
    vec![Line::styled(title, paint.head()), state]
}

fn titled(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

/// A title that tells what does not fit: of `area` a line is the title and one the head of the table.
fn title(name: &str, count: usize, area: Rect) -> String {
    let room = usize::from(area.height.saturating_sub(2));
    match count.checked_sub(room) {
        None | Some(0) => format!(" {name} ({count}) "),
        Some(more) => format!(" {name} ({count}, {more} not shown) "),
    }
}

fn draw_queues(frame: &mut Frame<'_>, area: Rect, model: &Model, paint: Paint) {
    let head = [
        "QUEUE",
        "WAITING",
        "IN FLIGHT",
        "RUNNING",
        "SCHEDULED",
        "PARKED",
        "DEAD",
        "IN/S",
        "DONE/S",
        "SLOTS",
        "STATE",
    ];
    let rows = model.queues.iter().map(|row| queue_row(row, paint));
    let mut widths = vec![Constraint::Min(14)];
    widths.extend([9, 9, 7, 9, 7, 7, 7, 7, 8, 10].map(Constraint::Length));
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(paint.head()))
        .block(titled(title("queues", model.queues.len(), area)));
    frame.render_widget(table, area);
}

fn queue_row(row: &QueueRow, paint: Paint) -> Row<'static> {
    let info = &row.info;
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let state = crate::commands::queue::state(info);
    let style = match state {
        "paused" | "no workers" => paint.color(Color::Yellow),
        _ => Style::new(),
    };
    Row::new([
        info.name.to_string(),
        grouped(info.waiting),
        grouped(info.in_flight),
        grouped(info.running),
        grouped(info.scheduled),
        grouped(info.parked),
        grouped(info.dead),
        rate(row.rates.map(|rates| rates.0)),
        rate(row.rates.map(|rates| rates.1)),
        format!("{}/{}", info.busy, info.slots),
        state.to_owned(),
    ])
    .style(style)
}

fn draw_workers(frame: &mut Frame<'_>, area: Rect, model: &Model, paint: Paint) {
    let rows = model
        .workers
        .iter()
        .map(|worker| worker_row(worker, model, paint));
    let widths = [
        Constraint::Fill(2),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(14),
        Constraint::Fill(1),
        Constraint::Fill(2),
    ];
    let head = [
        "WORKER",
        "STATUS",
        "SLOTS",
        "HEARTBEAT",
        "QUEUES",
        "CURRENT JOBS",
    ];
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(paint.head()))
        .block(titled(title("workers", model.workers.len(), area)));
    frame.render_widget(table, area);
}

fn worker_row(worker: &WorkerInfo, model: &Model, paint: Paint) -> Row<'static> {
    let record = &worker.record;
    let (heartbeat, style) = match model.silence(worker) {
        Some((silence, true)) => (format!("{} STALE", rough(silence)), paint.color(Color::Red)),
        Some((silence, false)) => (rough(silence), Style::new()),
        None => ("?".to_owned(), Style::new()),
    };
    let jobs: Vec<String> = record
        .running
        .iter()
        .map(|job| format!("{} {}", job.kind, job.job_id))
        .collect();
    Row::new([
        record.worker_id.clone(),
        if record.quiet {
            "quiet".to_owned()
        } else {
            record.status.to_string()
        },
        format!("{}/{}", record.running.len(), record.concurrency),
        heartbeat,
        record.queues.join(","),
        jobs.join(", "),
    ])
    .style(style)
}

fn draw_failures(frame: &mut Frame<'_>, area: Rect, model: &Model, paint: Paint) {
    let rows = model.failures.iter().map(|letter| {
        let at = UNIX_EPOCH + Duration::from_millis(letter.dead_at_ms);
        let ago = SystemTime::now().duration_since(at).unwrap_or_default();
        Row::new([
            rough(ago),
            letter.id.to_string(),
            letter.kind.clone().unwrap_or_else(|| "?".to_owned()),
            letter.queue.to_string(),
            letter.reason.clone(),
            letter.error.clone(),
        ])
    });
    let widths = [
        Constraint::Length(5),
        Constraint::Length(26),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(12),
        Constraint::Fill(3),
    ];
    let head = ["AGO", "JOB", "KIND", "QUEUE", "REASON", "ERROR"];
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(paint.head()))
        .block(titled(title("last failures", model.failures.len(), area)));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use naq::Settings;

    use super::super::model::tests::{look, queue};
    use super::*;

    #[test]
    fn a_frame_shows_queues_and_what_does_not_fit() {
        let mut model = Model::new(&Settings::default());
        let many = (0..50)
            .map(|n| queue(&format!("q{n:02}"), 1234 - n, 5))
            .collect();
        model.take(look(Instant::now(), many));
        let frame = text(&model, (120, 40)).unwrap();
        assert!(frame.contains("q00") && frame.contains("1,234"), "{frame}");
        assert!(
            frame.contains("queues (50, ") && frame.contains("not shown"),
            "{frame}"
        );
        assert!(frame.contains("in flight 100  running 50"), "{frame}");
        assert!(!frame.contains('\u{1b}'), "no colours");
    }

    #[test]
    fn no_size_and_no_trouble_panics() {
        let mut model = Model::new(&Settings::default());
        assert!(
            text(&model, (80, 24))
                .unwrap()
                .contains("NO DATA: connecting")
        );
        model.take(look(Instant::now(), vec![queue("mail", 1, 1)]));
        for size in [(0, 0), (1, 1), (5, 3), (20, 8), (300, 100)] {
            text(&model, size).unwrap();
        }
    }
}
