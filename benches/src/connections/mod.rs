//! The rows of the table, one file each; `table` runs those that are wanted.

mod acquire;
mod cold_connect;
mod cold_start;
mod duck;
mod lame_duck;
mod moves;
mod recovery;
mod requests;
mod shutdown;
mod table;
mod throughput;

pub(crate) use table::run;
