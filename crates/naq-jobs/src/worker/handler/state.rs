//! What handlers share: one value of each type, given to the worker before it starts.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;

/// A value that the worker was given with [`crate::Worker::state`]; each job gets a clone.
///
/// Wrap what is dear to clone in an `Arc`. A worker does not start if a handler asks for a state that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State<T>(pub T);

/// The states of a worker, by type.
#[derive(Default)]
pub(in crate::worker) struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

/// A type that a handler asks for.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    id: TypeId,
    name: &'static str,
}

impl States {
    pub(in crate::worker) fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
    }

    pub(super) fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }

    /// The name of the first type in `needs` that is not there.
    pub(super) fn missing(&self, needs: &[Need]) -> Option<&'static str> {
        let missing = needs.iter().find(|need| !self.0.contains_key(&need.id));
        missing.map(|need| need.name)
    }
}

impl Need {
    /// A state of the type `T`.
    pub(super) fn of<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states", self.0.len())
    }
}
