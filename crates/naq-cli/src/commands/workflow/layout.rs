//! Where the nodes of a picture are: columns by depth, and in a column those near their parents.

use naq::WorkflowStatus;

/// The place of each node: its column and its row, which may lie between two rows.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) places: Vec<(usize, f64)>,
    pub(super) columns: usize,
    pub(super) rows: f64,
}

/// Times that the order in the columns is made better.
const SWEEPS: usize = 8;

/// Lays out the graph.
pub(super) fn layout(status: &WorkflowStatus) -> Layout {
    let mut depth = vec![0; status.nodes.len()];
    let mut children = vec![Vec::new(); status.nodes.len()];
    for index in status.in_order() {
        let parents = &status.nodes[index].needs;
        depth[index] = parents
            .iter()
            .map(|(from, _)| depth[*from] + 1)
            .max()
            .unwrap_or(0);
        for (from, _) in parents {
            children[*from].push(index);
        }
    }
    let columns = depth.iter().max().map_or(0, |most| most + 1);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); columns];
    for (index, depth) in depth.iter().enumerate() {
        order[*depth].push(index);
    }
    let most = order.iter().map(Vec::len).max().unwrap_or(0);
    let rows = f64::from(u32::try_from(most).unwrap_or(u32::MAX));
    let mut row = vec![0.0; status.nodes.len()];
    spread(&order, rows, &mut row);
    for sweep in 0..SWEEPS {
        for column in &mut order {
            let wish = |index: &usize| {
                let node = &status.nodes[*index];
                let parents = node.needs.iter().map(|(from, _)| *from);
                let near: Vec<usize> = match sweep % 2 {
                    0 => parents.collect(),
                    _ => children[*index].clone(),
                };
                mean(&near, &row).unwrap_or(row[*index])
            };
            let mut wishes: Vec<(f64, usize)> =
                column.iter().map(|index| (wish(index), *index)).collect();
            wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
            *column = wishes.into_iter().map(|(_, index)| index).collect();
            spread(std::slice::from_ref(column), rows, &mut row);
        }
    }
    Layout {
        places: depth.into_iter().zip(row).collect(),
        columns,
        rows,
    }
}

/// Spreads the nodes of each column over the height.
fn spread(order: &[Vec<usize>], rows: f64, row: &mut [f64]) {
    for column in order {
        let step = rows / f64::from(u32::try_from(column.len()).unwrap_or(u32::MAX)).max(1.0);
        let mut at = step / 2.0;
        for index in column {
            row[*index] = at;
            at += step;
        }
    }
}

fn mean(of: &[usize], row: &[f64]) -> Option<f64> {
    let count = f64::from(u32::try_from(of.len()).ok()?);
    (count > 0.0).then(|| of.iter().map(|index| row[*index]).sum::<f64>() / count)
}
