//! The store over HTTP, as people meet it: a real token and database, a real socket.

mod both_ways;
mod cluster;
mod coverage;
mod document;
mod house;
mod judged;
mod manners;
mod metrics;
mod reconciling;
mod registers;
mod schemathesis;
mod second_persons;
mod stations;
mod wire;
