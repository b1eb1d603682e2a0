//! How the practice cloud reads requests: any form is read or refused, and what is read has only what AWS's model has.
#![no_main]

use kiln::practice::wire::{decode, form, model};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(fields) = form::parse(body) else { return };
    let action = fields.iter().find(|(name, _)| name == "Action").map_or("RunInstances", |(_, action)| action);
    let Some(service) = model::serving(action) else { return };
    match decode::decode(service, action, &fields) {
        Ok(input) => assert!(input.is_object()),
        Err(refusal) => {
            let body = refusal.ec2_body("id") + &refusal.query_body(service.namespace, "id");
            assert!(!body.contains('\0'));
        }
    }
});
