//! A workflow for Graphviz.

use std::fmt::Write;

use naq::{NodeKind, NodeState, On, WorkflowStatus};

/// The graph in the language of `dot`.
pub(super) fn draw(status: &WorkflowStatus) -> String {
    let mut text = format!("digraph {} {{\n", quoted(status.id.as_str()));
    text.push_str("  rankdir=LR;\n  node [style=filled, fontname=\"sans-serif\"];\n");
    for (index, node) in status.nodes.iter().enumerate() {
        let shape = match node.kind {
            NodeKind::Job { .. } => "box",
            NodeKind::Wait => "octagon",
            NodeKind::Gate => "diamond",
            _ => "folder",
        };
        let label = quoted(&format!("{}\n{}", node.name, node.state.as_str()));
        let color = color(node.state);
        // A text is the one thing that this can be written to, so it cannot fail.
        let _ = writeln!(
            text,
            "  n{index} [label={label}, shape={shape}, fillcolor=\"{color}\"];"
        );
    }
    for (index, node) in status.nodes.iter().enumerate() {
        for (from, on) in &node.needs {
            let style = match on {
                On::Success => "",
                On::Failure => " [color=\"#c62828\", style=dashed, label=\"failure\"]",
                On::Always => " [style=dotted, label=\"always\"]",
            };
            let _ = writeln!(text, "  n{from} -> n{index}{style};");
        }
    }
    text.push_str("}\n");
    text
}

/// What a state is filled with.
pub(super) fn color(state: NodeState) -> &'static str {
    match state {
        NodeState::Waiting => "#eceff1",
        NodeState::Signalled => "#e1f5fe",
        NodeState::Running => "#fff59d",
        NodeState::Completed => "#c8e6c9",
        NodeState::Failed => "#ffcdd2",
        NodeState::Skipped => "#ffffff",
        NodeState::Cancelled => "#d7ccc8",
    }
}

fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
