//! Reading the chapters.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block: its language, its text, where it is.
#[derive(Debug)]
pub(crate) struct Fence {
    pub(crate) language: String,
    pub(crate) text: String,
    pub(crate) place: String,
}

pub(crate) fn chapter(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All fences of all chapters in a language.
pub(crate) fn fences(language: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = chapters().iter().flat_map(|name| fences_of(name)).collect();
    found.retain(|fence| fence.language == language);
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn chapters() -> Vec<String> {
    let mut names = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(inside) = waiting.pop() {
        for entry in fs::read_dir(folder().join(&inside)).unwrap() {
            let path = inside.join(entry.unwrap().file_name());
            match folder().join(&path).is_dir() {
                true => waiting.push(path),
                false => names.push(path.to_str().unwrap().to_owned()),
            }
        }
    }
    names.sort();
    names
}

fn fences_of(name: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<Fence> = None;
    for (index, line) in chapter(name).lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Fence {
                    language: language.to_owned(),
                    text: String::new(),
                    place: format!("{name}:{}", index + 1),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(fence), None) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}
