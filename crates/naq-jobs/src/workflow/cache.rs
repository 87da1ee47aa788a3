//! Graphs that were read before: they are large, and grow only at their end.

use std::sync::{Arc, Mutex, PoisonError};

use super::graph::Graph;
use super::state::State;
use crate::model::JobId;

/// Nodes of all kept graphs together, at the most.
const MAX_NODES: usize = 200_000;

/// The graphs that were used last, the newest at the end.
#[derive(Debug, Default)]
pub(super) struct Graphs(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    id: JobId,
    mark: u64,
    pieces: u32,
    graph: Arc<Graph>,
}

impl Graphs {
    /// The graph of this very state, if it is kept.
    pub(super) fn get(&self, id: &JobId, state: &State) -> Option<Arc<Graph>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|kept| kept.id == *id)?;
        let found = kept.remove(at);
        if found.mark != state.mark || found.pieces != state.pieces {
            return None;
        }
        let graph = Arc::clone(&found.graph);
        kept.push(found);
        Some(graph)
    }

    pub(super) fn put(&self, id: &JobId, state: &State, graph: &Arc<Graph>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.id != *id);
        kept.push(Kept {
            id: id.clone(),
            mark: state.mark,
            pieces: state.pieces,
            graph: Arc::clone(graph),
        });
        let mut nodes: usize = kept.iter().map(|kept| kept.graph.len()).sum();
        while nodes > MAX_NODES && kept.len() > 1 {
            nodes -= kept.remove(0).graph.len();
        }
    }

    /// Forgets a workflow that is over.
    pub(super) fn drop_one(&self, id: &JobId) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.id != *id);
    }
}
