//! This build beside the first one that spoke wire 1: another executable, made from the source of that time.

mod build;
mod together;
