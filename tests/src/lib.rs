//! Parts shared by the tests of the whole system.
