//! The practice cloud's query parser, and the world behind it: any form is read or refused, and whatever is read is answered
//! or refused.
#![no_main]

use kiln::practice::wire::{decode, form, model};
use kiln::practice::world::{Call, Outside, World};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(fields) = form::parse(body) else { return };
    let action = fields.iter().find(|(name, _)| name == "Action").map_or("RunInstances", |(_, action)| action);
    let Some(service) = model::serving(action) else { return };
    let Ok(input) = decode::decode(service, action, &fields) else { return };
    let reserve = || Ok(std::net::Ipv4Addr::LOCALHOST);
    let outside = Outside { now: 1_800_000_000_000, reserve: &reserve, key: None, rehearsal: body.len() % 2 == 0 };
    let call = Call { service: service.name, action, access_key: "fuzz", region: "us-east-1", input };
    let mut world = World::new(1);
    let _ = world.call(call, &outside);
    world.tick(outside.now);
});
