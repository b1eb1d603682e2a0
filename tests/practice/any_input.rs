//! No request brings the cloud down: forms that fit AWS's model with values that fit nothing.

use kiln::practice::scenario::Scenario;
use kiln::practice::wire::model::{self, Kind, Service};
use kiln::practice::wire::{decode, form};
use kiln::practice::world::{Call, Material, Outside, Trouble, World};
use proptest::prelude::*;

/// Draws from a seed (xorshift).
struct Draw(u64);

impl Draw {
    fn byte(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize & 0xff
    }

    /// One time in `n`.
    fn rarely(&mut self, n: usize) -> bool {
        self.byte().is_multiple_of(n)
    }

    fn one<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[(self.byte() * 256 + self.byte()) % of.len()]
    }
}

const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "-1",
    "5",
    "1000",
    "9223372036854775807",
    "-9223372036854775808",
    "true",
    "false",
    "é\u{0}",
    "*",
    "name",
    "self",
    "all",
    "us-east-1",
    "eu-west-1",
    "us-east-1a",
    "t3.micro",
    "t2.nano",
    "spot",
    "instance",
    "/dev/sda1",
    "/dev/sdf",
    "2030-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "10.0.0.0/8",
    "255.255.255.255/32",
    "0.0.0.0/0",
    "172.31.250.0/28",
    "tcp",
    "22",
    "65535",
    "IyEvYmluL3NoCg==",
    "gp3",
    "io1",
    "3000",
    "{\"Statement\": []}",
    "arn:aws:iam::123456789012:role/r",
    "instanceType",
    "launchPermission",
    "123456789012",
    "[",
    "a.b.c",
    "$Latest",
    "packer",
    "enabled",
    "ami-785db401",
    "alias/k",
];

fn fill(
    draw: &mut Draw,
    service: &'static Service,
    of: Kind,
    at: &str,
    ids: &[String],
    out: &mut Vec<(String, String)>,
) {
    if out.len() > 60 {
        return;
    }
    match of {
        Kind::Struct(name) => {
            for member in service.members(name) {
                // What is required is mostly there, the rest now and then.
                if draw.byte() % 16 < if member.required { 15 } else { 4 } {
                    let path = if at.is_empty() { member.name.to_owned() } else { format!("{at}.{}", member.name) };
                    fill(draw, service, member.kind, &path, ids, out);
                }
            }
        }
        Kind::List { of, member } => {
            for n in 1..=1 + draw.byte() % 2 {
                let path = if member { format!("{at}.member.{n}") } else { format!("{at}.{n}") };
                fill(draw, service, model::kind(of), &path, ids, out);
            }
        }
        Kind::Enum(name) if !draw.rarely(8) => out.push((at.to_owned(), draw.one(service.values(name)).clone())),
        Kind::Boolean if !draw.rarely(8) => out.push((at.to_owned(), draw.rarely(2).to_string())),
        Kind::Integer if !draw.rarely(8) => out.push((at.to_owned(), (draw.byte() % 40).to_string())),
        _ if at.ends_with("Id") || at.contains("Id.") || draw.rarely(4) => {
            out.push((at.to_owned(), draw.one(ids).clone()));
        }
        _ => out.push((at.to_owned(), (*draw.one(VALUES)).to_owned())),
    }
}

/// Ids and names in an answer, for later requests.
fn remember(answer: &str, ids: &mut Vec<String>) {
    for text in answer.split(['<', '>']).filter(|t| t.contains('-') && t.len() < 40 && !t.contains(' ')) {
        if ids.len() < 500 && !ids.iter().any(|i| i == text) {
            ids.push(text.to_owned());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_request_brings_the_world_down(seed in 1_u64.., rehearsal: bool) {
        let mut draw = Draw(seed);
        let mut actions: Vec<_> = model::actions().collect();
        actions.sort_unstable();
        let key = Material::generate("ed25519").unwrap();
        let mut world = World::new(1);
        world.trouble = Trouble::new(&Scenario::parse("[timing]\nimage = 0\n", "s").unwrap(), 1, 0);
        let reserve = || Ok(std::net::Ipv4Addr::LOCALHOST);
        let mut ids = vec!["ami-785db401".to_owned(), "i-0123456789abcdef0".to_owned()];
        for now in 0..1000 {
            let action = *draw.one(&actions);
            let service = model::serving(action).unwrap();
            let mut fields = Vec::new();
            if let Some(name) = service.actions[action] {
                fill(&mut draw, service, Kind::Struct(name), "", &ids, &mut fields);
            }
            let Ok(input) = decode::decode(service, action, &fields) else { continue };
            let outside = Outside { now: now * 997, reserve: &reserve, key: Some(&key), rehearsal };
            let call = Call { service: service.name, action, access_key: "AKIA123456789012DEMO", region: "us-east-1", input };
            match world.call(call, &outside) {
                Ok(answer) => remember(&answer, &mut ids),
                Err(refusal) => prop_assert_ne!(refusal.code.as_ref(), "InternalError", "{}: {} {:?}", action, refusal.message, fields),
            }
            world.take_effects();
            world.tick(now * 997);
            world.overview(now * 997);
        }
    }

    #[test]
    fn any_form_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..2000)) {
        if let Ok(fields) = form::parse(&body) {
            for action in ["RunInstances", "CreateFleet", "DescribeImages"] {
                let _ = decode::decode(model::service("ec2").unwrap(), action, &fields);
            }
        }
    }
}
