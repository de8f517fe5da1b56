//! The local key management service: its rules, its file, and those who change the file.

mod attacks;
mod disk;
mod full;
mod golden;
mod holders;
mod insider;
mod operation;
mod processes;
mod rights;
mod rotation;
mod rules;
mod service_key;
mod shared;
mod states;
