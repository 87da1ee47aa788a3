//! Writes layers into the settings, the later over the earlier, and keeps what went wrong.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::environment::Environment;
use super::walk::Setting;
use crate::interpolate::{InterpolateError, interpolate};
use crate::schema::{Input, Item};
use crate::{Origin, Origins, Problem, Settings};

pub(super) struct Assembly<'e> {
    environment: &'e Environment,
    pub(super) settings: Settings,
    pub(super) origins: Origins,
    pub(super) problems: Vec<Problem>,
    /// Keys with a value that could not be taken: their rules are not checked.
    pub(super) broken: BTreeSet<String>,
    /// Variables without a value, by key. A later layer that sets the key makes them harmless.
    unset: BTreeMap<String, Problem>,
}

impl<'e> Assembly<'e> {
    pub(super) fn new(environment: &'e Environment) -> Self {
        Self {
            environment,
            settings: Settings::default(),
            origins: Origins::default(),
            problems: Vec::new(),
            broken: BTreeSet::new(),
            unset: BTreeMap::new(),
        }
    }

    /// Applies a layer whose values may have `${VAR}`.
    pub(super) fn apply_expanding(&mut self, layer: Vec<Setting>) {
        for mut setting in layer {
            match self.expand(&setting) {
                Ok(input) => {
                    setting.input = input;
                    self.apply_one(setting);
                }
                Err((origin, error)) => {
                    let key = setting.key();
                    let problem = Problem::new(origin, key.clone(), error.to_string());
                    self.broken.insert(key.clone());
                    if let InterpolateError::Unset(_) = error {
                        self.unset.insert(key, problem);
                    } else {
                        self.problems.push(problem);
                    }
                }
            }
        }
    }

    /// Applies a layer whose values are meant as they are.
    pub(super) fn apply(&mut self, layer: Vec<Setting>) {
        layer
            .into_iter()
            .for_each(|setting| self.apply_one(setting));
    }

    /// Finds what is wrong with a layer that is not used now. Values with variables are left
    /// out: a profile may need variables that only its own environment has.
    pub(super) fn check_only(&mut self, layer: &[Setting], prefix: &str) {
        let mut scratch = Settings::default();
        for setting in layer
            .iter()
            .filter(|setting| !has_variables(&setting.input))
        {
            if let Err(message) = store(&mut scratch, setting, &setting.input) {
                let key = format!("{prefix}{}", setting.key());
                self.problems
                    .push(Problem::new(setting.origin.clone(), key, message));
            }
        }
    }

    /// Ends the layers: what is still without a value is a problem now.
    pub(super) fn finish_layers(&mut self) {
        self.problems
            .extend(std::mem::take(&mut self.unset).into_values());
        let origins = &self.origins;
        for (name, pool) in &mut self.settings.workers.pools {
            let key = format!("workers.pools.{name}.concurrency");
            if *origins.of(&key) == Origin::Default {
                pool.concurrency = self.settings.workers.concurrency;
            }
        }
    }

    fn apply_one(&mut self, setting: Setting) {
        let key = setting.key();
        let input = if setting.spec.commas {
            setting.input.clone().split_commas()
        } else {
            setting.input.clone()
        };
        match store(&mut self.settings, &setting, &input) {
            Ok(()) => {
                if self.unset.remove(&key).is_some() {
                    self.broken.remove(&key);
                }
                self.origins.insert(&key, setting.origin, input.places());
            }
            Err(message) => {
                self.problems
                    .push(Problem::new(setting.origin, key.clone(), message));
                self.broken.insert(key);
            }
        }
    }

    fn expand(&self, setting: &Setting) -> Result<Input, (Origin, InterpolateError)> {
        let lookup = |name: &str| self.environment.get(name).map(str::to_owned);
        let expand = |text: &str| interpolate(text, &lookup).map(Cow::into_owned);
        match &setting.input {
            Input::Text(text) => {
                let text = expand(text).map_err(|error| (setting.origin.clone(), error))?;
                Ok(Input::Text(text))
            }
            Input::List(items) => {
                let expanded = items.iter().map(|item| match expand(&item.text) {
                    Ok(text) => Ok(Item {
                        text,
                        place: item.place,
                    }),
                    Err(error) => {
                        let origin = &setting.origin;
                        let at = item
                            .place
                            .map_or(origin.clone(), |place| origin.moved(place));
                        Err((at, error))
                    }
                });
                expanded.collect::<Result<_, _>>().map(Input::List)
            }
            other => Ok(other.clone()),
        }
    }
}

fn store(settings: &mut Settings, setting: &Setting, input: &Input) -> Result<(), String> {
    (setting.spec.store)(settings, &setting.names(), input)
        .map_err(|rejected| rejected.message(setting.spec.secret))
}

fn has_variables(input: &Input) -> bool {
    match input {
        Input::Text(text) => text.contains('$'),
        Input::List(items) => items.iter().any(|item| item.text.contains('$')),
        Input::Null | Input::Map => false,
    }
}
