//! What the compiler says, and where, when an attribute is not used as it can be.

#[test]
fn mistakes_are_told_at_their_place_with_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
