//! What fuzzing found worth keeping: an input for each way that it found through the loader (`fuzz/README.md`).

use naq_config::Loader;

#[path = "../../../../fuzz/value.rs"]
mod value;

fn seeds(json: &str) -> Vec<String> {
    let seeds: Vec<String> = serde_json::from_str(json).unwrap();
    assert!(seeds.len() > 100);
    seeds
}

#[test]
fn texts_that_fuzzing_kept_are_taken_and_shown_or_refused_with_a_place() {
    let (mut taken, mut refused) = (0, 0);
    for text in seeds(include_str!("../../../../fuzz/seeds/load_yaml.json")) {
        match Loader::new().text(&text).env([("A", text.as_str())]).load() {
            Ok(loaded) => {
                assert!(!loaded.show().is_empty(), "{text:?}");
                taken += 1;
            }
            Err(error) => {
                let places = error.problems().iter().map(ToString::to_string);
                let placed = places.filter(|problem| problem.starts_with("(text):"));
                assert!(placed.count() > 0, "{text:?}: {error}");
                refused += 1;
            }
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} {refused}");
}

#[test]
fn values_that_fuzzing_kept_are_refused_or_as_written_unless_they_have_variables() {
    let seeds = seeds(include_str!("../../../../fuzz/seeds/interpolate.json"));
    let plain = seeds.iter().filter(|text| value::is_as_written(text));
    assert!(plain.count() > 0);
}
