//! `advance` against an independent model: what each node must come to, said without turns, letters or order.

use std::collections::HashMap;

use proptest::prelude::*;

use super::advance::{End, advance};
use super::graph::{Graph, Node, On, Task, Work};
use super::state::{NodeState, State, WorkflowState};
use crate::model::Priority;
use crate::wire::Status;

/// A node of the model: what it is, its parents, and how its job would end.
#[derive(Debug, Clone)]
struct Sketch {
    what: What,
    needs: Vec<(usize, On)>,
    end: Status,
    may_fail: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Job,
    Wait,
    Gate,
}

fn sketches(most: usize) -> impl Strategy<Value = Vec<Sketch>> {
    let on = prop_oneof![4 => Just(On::Success), 1 => Just(On::Failure), 2 => Just(On::Always)];
    let end = prop_oneof![5 => Just(Status::Completed), 2 => Just(Status::Failed), 1 => Just(Status::Cancelled)];
    let what = prop_oneof![6 => Just(What::Job), 1 => Just(What::Wait), 1 => Just(What::Gate)];
    let needs = prop::collection::vec((any::<prop::sample::Index>(), on), 0..4);
    let node = (what, needs, end, prop::bool::weighted(0.2));
    prop::collection::vec(node, 1..most).prop_map(|nodes| {
        let sketch = |(index, (what, needs, end, may_fail)): (
            usize,
            (_, Vec<(prop::sample::Index, On)>, _, _),
        )| {
            let needs = needs.into_iter().filter(|_| index > 0);
            Sketch {
                what,
                needs: needs.map(|(from, on)| (from.index(index), on)).collect(),
                end,
                may_fail,
            }
        };
        nodes.into_iter().enumerate().map(sketch).collect()
    })
}

/// What the node must come to: by its definition, from its parents.
fn expected(all: &[Sketch], index: usize, known: &mut HashMap<usize, NodeState>) -> NodeState {
    if let Some(state) = known.get(&index) {
        return *state;
    }
    let node = &all[index];
    let parents: Vec<(NodeState, On)> = node
        .needs
        .iter()
        .map(|(from, on)| (expected(all, *from, known), *on))
        .collect();
    let lets = |(state, on): &(NodeState, On)| match on {
        On::Success => *state == NodeState::Completed,
        On::Failure => matches!(state, NodeState::Failed | NodeState::Cancelled),
        On::Always => true,
    };
    let state = if node.what == What::Gate {
        let spoils = |(state, on): &&(NodeState, On)| {
            *on == On::Success && matches!(state, NodeState::Failed | NodeState::Cancelled)
        };
        let is_real = |parent: &&(NodeState, On)| parent.0 != NodeState::Skipped && lets(parent);
        if parents.iter().any(|p| spoils(&p)) {
            NodeState::Failed
        } else if parents.is_empty() || parents.iter().any(|p| is_real(&p)) {
            NodeState::Completed
        } else {
            NodeState::Skipped
        }
    } else if parents.iter().all(lets) {
        match node.end {
            Status::Completed => NodeState::Completed,
            Status::Failed => NodeState::Failed,
            Status::Cancelled => NodeState::Cancelled,
        }
    } else {
        NodeState::Skipped
    };
    known.insert(index, state);
    state
}

/// A job that nobody runs.
fn task() -> Task {
    Task {
        queue: "q".to_owned(),
        priority: Priority::Normal,
        job: serde_json::value::to_raw_value(&1).unwrap(),
        delay_ms: None,
        at_ms: None,
        deadline_in_ms: None,
        expires_in_ms: None,
        headers: Vec::new(),
    }
}

/// The graph of the sketches, their places shuffled, so that parents may come after their children.
fn build(all: &[Sketch], places: &[usize]) -> (Graph, State) {
    let mut nodes: Vec<Option<Node>> = all.iter().map(|_| None).collect();
    for (index, sketch) in all.iter().enumerate() {
        let work = match sketch.what {
            What::Job => Work::Job(Box::new(task())),
            What::Wait => Work::Wait { limit_ms: None },
            What::Gate => Work::Gate,
        };
        let needs = sketch
            .needs
            .iter()
            .map(|(from, on)| (u32::try_from(places[*from]).unwrap(), *on));
        nodes[places[index]] = Some(Node {
            name: index.to_string(),
            work,
            needs: needs.collect(),
            may_fail: sketch.may_fail,
            own_end: false,
        });
    }
    let graph = Graph::new(nodes.into_iter().map(Option::unwrap).collect()).unwrap();
    let state = State::new("model", graph.len(), 1);
    (graph, state)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Random graphs, edges and ends; ends told late, in any order, several at once and several times; few nodes begun per turn.
    #[test]
    fn each_node_ends_as_the_model_says(all in sketches(200), seed in any::<u64>(), most in 1_usize..40) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut places: Vec<usize> = (0..all.len()).collect();
        random.shuffle(&mut places);
        let (graph, mut state) = build(&all, &places);
        let node_at: HashMap<usize, usize> = places.iter().enumerate().map(|(index, place)| (*place, index)).collect();
        let (mut running, mut told, mut begun) = (Vec::new(), Vec::new(), vec![0; all.len()]);
        let mut ends: Vec<End> = Vec::new();
        for _ in 0..all.len() * 60 {
            // Now and then the jobs of a turn are stored, and the turn is not: it is decided again, by whoever comes next.
            let is_lost = random.u8(..4) == 0;
            let mut next = state.clone();
            let turn = advance(&graph, &mut next, &ends, most);
            for index in &turn.begin {
                // What is no job is not there before the turn is stored.
                let is_job = all[node_at[&(*index as usize)]].what == What::Job;
                if is_lost && !is_job {
                    continue;
                }
                begun[*index as usize] += 1;
                if begun[*index as usize] == 1 {
                    running.push(*index);
                }
            }
            prop_assert!(turn.begin.len() <= most);
            if !is_lost {
                state = next;
                ends.clear();
            }
            if state.state.has_ended() {
                break;
            }
            random.shuffle(&mut running);
            for _ in 0..random.usize(usize::from(!turn.has_more)..4).min(running.len()) {
                let node = running.pop().unwrap();
                let status = all[node_at[&(node as usize)]].end;
                told.push((node, status));
                ends.push(End::Node { node, round: 0, status });
            }
            // What was told before is told again, and something of another round.
            if let Some((node, status)) = random.choice(&told).copied() {
                ends.push(End::Node { node, round: 0, status });
                ends.push(End::Node { node, round: 1, status });
            }
            random.shuffle(&mut ends);
        }
        let mut known = HashMap::new();
        let mut has_failed = false;
        for (index, sketch) in all.iter().enumerate() {
            let wanted = expected(&all, index, &mut known);
            prop_assert_eq!(state.nodes.0[places[index]], wanted, "node {} of {:?}", index, sketch);
            let runs = sketch.what != What::Gate && wanted != NodeState::Skipped;
            prop_assert_eq!(begun[places[index]] > 0, runs);
            has_failed |= matches!(wanted, NodeState::Failed | NodeState::Cancelled) && !sketch.may_fail;
        }
        let wanted = if has_failed { WorkflowState::Failed } else { WorkflowState::Completed };
        prop_assert_eq!(state.state, wanted);
    }

    /// Stopped at any moment: nothing new begins, what had begun ends, and then all is over.
    #[test]
    fn a_stopped_workflow_ends_and_begins_nothing(all in sketches(60), seed in any::<u64>(), after in 0_usize..30) {
        let mut random = fastrand::Rng::with_seed(seed);
        let places: Vec<usize> = (0..all.len()).collect();
        let (graph, mut state) = build(&all, &places);
        let mut running = Vec::new();
        let mut ends = Vec::new();
        for step in 0..all.len() * 4 + after {
            if step == after {
                ends.push(End::Deadline);
            }
            let has_ended = state.state.has_ended();
            let turn = advance(&graph, &mut state, &ends, 1000);
            prop_assert!(turn.begin.is_empty() || step < after);
            prop_assert!(!has_ended || !turn.is_changed);
            running.extend(turn.begin);
            ends.clear();
            if !running.is_empty() {
                let node = running.swap_remove(random.usize(..running.len()));
                let status = all[node as usize].end;
                ends.push(End::Node { node, round: 0, status });
            }
        }
        prop_assert!(state.state.has_ended());
        prop_assert!(state.nodes.0.iter().all(|node| node.has_ended()));
        if state.stop.is_some() {
            prop_assert_eq!(state.state, WorkflowState::Failed);
        }
    }

    /// A retry begins the chosen nodes and all after them again, and nothing else.
    #[test]
    fn a_retry_begins_a_node_and_all_after_it_again(all in sketches(80), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let places: Vec<usize> = (0..all.len()).collect();
        let (graph, mut state) = build(&all, &places);
        let run = |state: &mut State, round: u32| {
            let mut ran = Vec::new();
            let mut ends = Vec::new();
            while !state.state.has_ended() {
                let turn = advance(&graph, state, &ends, 1000);
                ends = turn.begin.iter().map(|node| End::Node { node: *node, round, status: all[*node as usize].end }).collect();
                ran.extend(turn.begin);
            }
            ran
        };
        run(&mut state, 0);
        let before = state.clone();
        let chosen = u32::try_from(random.usize(..all.len())).unwrap();
        let is_in = graph.with_descendants(&[chosen]);
        state.begin_again(&is_in);
        let ran = run(&mut state, 1);
        prop_assert!(ran.iter().all(|node| is_in[*node as usize]));
        // The same ends lead to the same states.
        prop_assert_eq!(&state.nodes, &before.nodes);
    }
}
