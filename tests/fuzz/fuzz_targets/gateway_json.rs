//! No text that is signed rightly makes an operation of the key management service panic or fail from within.
//!
//! The first line of an input is the name of an operation, the rest its body. `@key`, `@external`, `@grant` and `@blob`
//! in it stand for what there is.
#![no_main]

#[path = "shared/gateway.rs"]
mod gateway;

use gateway::{SIGNER, World, answers};
use libfuzzer_sys::fuzz_target;
use objseal_gateway::kms::PRESENT;
use serde_json::Value;
use std::cell::RefCell;

/// After so many inputs there is a new service: keys are disabled and deleted meanwhile.
const INPUTS: u32 = 300;

thread_local! {
    static WORLD: RefCell<(World, u32)> = RefCell::new((World::new(), 0));
}

fuzz_target!(|input: &[u8]| {
    let (name, body) = input.iter().position(|byte| *byte == b'\n').map_or((input, &[][..]), |at| input.split_at(at));
    let known = PRESENT.iter().find(|known| known.as_bytes() == name);
    let operation =
        known.unwrap_or_else(|| &PRESENT[name.iter().map(|byte| usize::from(*byte)).sum::<usize>() % PRESENT.len()]);
    // To make these keys takes seconds.
    let body = String::from_utf8_lossy(body);
    if body.contains("RSA_3072") || body.contains("RSA_4096") {
        return;
    }
    WORLD.with_borrow_mut(|(world, inputs)| {
        if *inputs == INPUTS {
            (*world, *inputs) = (World::new(), 0);
        }
        *inputs += 1;
        let body = if body.is_ascii() {
            let replaced = |body: String, (name, is): &(&str, String)| body.replace(name, is);
            world.there.iter().fold(body.into_owned(), replaced).into_bytes()
        } else {
            input[name.len()..].to_vec()
        };
        let answer = world.exchange(SIGNER.post(operation, &body));
        let [(status, body)] = answers(&answer)[..] else { panic!("{answer:?}") };
        assert!(status == 200 || status == 400, "{operation}: {status}");
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let is_error = json.as_ref().is_some_and(|json| json["__type"].is_string());
        assert!(
            is_error == (status == 400) && (body.is_empty() || json.is_some()),
            "{}",
            String::from_utf8_lossy(body)
        );
    });
});
