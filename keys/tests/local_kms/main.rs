//! The local key management service: its rules, its file, and those who change the file.

mod attacks;
mod data_keys;
mod disk;
mod full;
mod golden;
mod grant_tokens;
mod holders;
mod imports;
mod insider;
mod operation;
mod processes;
mod rights;
mod rotation;
mod rules;
mod service_key;
mod shared;
mod states;
mod tags;
