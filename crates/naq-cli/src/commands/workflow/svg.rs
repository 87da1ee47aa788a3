//! A workflow as a picture.

use std::fmt::Write;

use naq::{NodeStatus, On, WorkflowStatus};

use super::dot::color;
use super::layout::{Layout, layout};
use crate::error::CliError;
use crate::output::latency;

/// Nodes that a picture may have.
const MOST: usize = 2000;

/// Size of a box, and of the space around it.
const BOX: (f64, f64) = (170.0, 40.0);
const SPACE: (f64, f64) = (70.0, 16.0);
const TOP: f64 = 44.0;

/// Letters that fit into a box.
const FITS: usize = 24;

/// The graph as SVG.
pub(super) fn draw(status: &WorkflowStatus) -> Result<String, CliError> {
    if status.nodes.len() > MOST {
        let message = format!(
            "{} nodes are too many for a picture: {MOST} are the most",
            status.nodes.len()
        );
        return Err(
            CliError::usage(message).hint("--dot prints the graph for Graphviz, --json all of it")
        );
    }
    let layout = layout(status);
    let columns = f64::from(u32::try_from(layout.columns).unwrap_or(u32::MAX));
    let width = columns * (BOX.0 + SPACE.0) + SPACE.0 / 2.0;
    let height = layout.rows * (BOX.1 + SPACE.1) + TOP + SPACE.1;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n{ARROWS}"
    );
    let title = format!("{}: {}", status.id, status.state.as_str());
    let _ = writeln!(
        text,
        "<text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>",
        escaped(&title)
    );
    let (path, _) = status.critical_path();
    let path: Vec<&str> = path.iter().map(|node| node.name.as_str()).collect();
    for (index, node) in status.nodes.iter().enumerate() {
        for (from, on) in &node.needs {
            let names = [status.nodes[*from].name.as_str(), node.name.as_str()];
            let is_critical = path.windows(2).any(|pair| pair == names);
            edge(&mut text, &layout, (*from, index), *on, is_critical);
        }
    }
    for (index, node) in status.nodes.iter().enumerate() {
        boxed(
            &mut text,
            node,
            corner(&layout, index),
            path.contains(&node.name.as_str()),
        );
    }
    text.push_str("</svg>\n");
    Ok(text)
}

const ARROWS: &str = "<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerUnits=\"userSpaceOnUse\" markerWidth=\"8\" \
                      markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>\n\
                      <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";

/// The upper left corner of a box.
fn corner(layout: &Layout, index: usize) -> (f64, f64) {
    let (column, row) = layout.places[index];
    let column = f64::from(u32::try_from(column).unwrap_or(u32::MAX));
    let x = SPACE.0 / 4.0 + column * (BOX.0 + SPACE.0);
    (
        x,
        TOP + row * (BOX.1 + SPACE.1) - BOX.1 / 2.0 + SPACE.1 / 2.0,
    )
}

fn edge(text: &mut String, layout: &Layout, ends: (usize, usize), on: On, is_critical: bool) {
    let (from, to) = (corner(layout, ends.0), corner(layout, ends.1));
    let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2.0);
    let (x2, y2) = (to.0, to.1 + BOX.1 / 2.0);
    let bend = SPACE.0 * 0.6;
    let (color, dashes) = match on {
        On::Success => ("#607d8b", ""),
        On::Failure => ("#c62828", " stroke-dasharray=\"6 3\""),
        On::Always => ("#607d8b", " stroke-dasharray=\"2 3\""),
    };
    let width = if is_critical { 2.5 } else { 1.2 };
    let _ = writeln!(
        text,
        "<path d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\" fill=\"none\" \
         stroke=\"{color}\" stroke-width=\"{width}\"{dashes} marker-end=\"url(#end)\"/>",
        x1 + bend,
        x2 - bend
    );
}

fn boxed(text: &mut String, node: &NodeStatus, (x, y): (f64, f64), is_critical: bool) {
    let (width, height) = BOX;
    let border = if is_critical { 2.5 } else { 1.0 };
    let _ = writeln!(
        text,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{}\" \
         stroke=\"#455a64\" stroke-width=\"{border}\"/>",
        color(node.state)
    );
    let took = node
        .outcome
        .as_ref()
        .filter(|outcome| outcome.started_at_ms > 0);
    let took = took.map_or_else(String::new, |outcome| {
        format!(", {}", latency(outcome.duration()))
    });
    let middle = x + width / 2.0;
    let name = escaped(&shortened(&node.name));
    let _ = writeln!(
        text,
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>\n\
         <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#546e7a\">{}{took}</text>",
        y + 17.0,
        y + 32.0,
        node.state.as_str()
    );
}

/// The end of a long name tells more than its beginning.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    match letters.len().checked_sub(FITS) {
        None | Some(0) => name.to_owned(),
        Some(more) => std::iter::once('…')
            .chain(letters[more + 1..].iter().copied())
            .collect(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
