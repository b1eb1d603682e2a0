//! What happens to instances: asked for by calls, told by machines, or due.

use serde::Deserialize;

use super::instance::{Instance, Phase, State};
use super::tag::{Tags, done};
use super::{Boot, Cx, Effect, Time, World, place, stamp};
use crate::practice::machine::{Happened, LinkFaults};
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

/// A terminated instance is described for an hour, as in EC2.
const REMEMBERED: Time = 3600 * 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SomeInstances {
    instance_id: Vec<String>,
    force: bool,
}

fn known(cx: &mut Cx<'_>, ids: &[String]) -> Result<(), Refusal> {
    for id in ids {
        well_formed(id, "i")?;
    }
    let here = cx.here();
    let unknown: Vec<&str> = ids.iter().filter(|id| !here.instances.contains_key(*id)).map(String::as_str).collect();
    match unknown[..] {
        [] => Ok(()),
        [one] => Err(not_found(one)),
        _ => Err(Refusal::new(
            "InvalidInstanceID.NotFound",
            format!("The instance IDs '{}' do not exist", unknown.join(", ")),
        )),
    }
}

/// Changes each instance and answers with its states before and after.
fn each(cx: &mut Cx<'_>, ids: &[String], mut change: impl FnMut(&mut Cx<'_>, &str, State)) -> Xml {
    let now = cx.now;
    let mut changes = Vec::new();
    for id in ids {
        let before = cx.here().instances[id].state(now);
        change(cx, id, before);
        changes.push((id, before, cx.here().instances[id].state(now)));
    }
    let mut x = Xml::new();
    x.list("instancesSet", changes, |x, (id, before, after)| {
        x.text("instanceId", id);
        x.node("currentState", |x| _ = x.text("code", after.code()).text("name", after.name()));
        x.node("previousState", |x| _ = x.text("code", before.code()).text("name", before.name()));
    });
    x
}

pub fn stop_instances(cx: &mut Cx<'_>, input: SomeInstances) -> Result<Xml, Refusal> {
    known(cx, &input.instance_id)?;
    let now = cx.now;
    for id in &input.instance_id {
        let i = &cx.here().instances[id];
        let refused = |why: String| Err(Refusal::new("IncorrectInstanceState", why));
        match i.state(now) {
            State::Pending | State::Terminated | State::ShuttingDown => {
                return refused(format!("The instance '{id}' is not in a state from which it can be stopped."));
            }
            _ if i.disable_stop => {
                return Err(Refusal::new(
                    "OperationNotPermitted",
                    format!(
                        "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
                    ),
                ));
            }
            _ if i.spot_request.is_some() => {
                return Err(Refusal::new(
                    "UnsupportedOperation",
                    format!(
                        "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."
                    ),
                ));
            }
            _ => {}
        }
    }
    let force = input.force;
    Ok(each(cx, &input.instance_id, |cx, id, before| {
        if before == State::Running {
            let i = instance(cx, id);
            i.enter(Phase::Stopping { done: false }, now);
            i.reason = Some((
                "Client.UserInitiatedShutdown".to_owned(),
                "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
            ));
            i.transition = format!("User initiated ({} GMT)", gmt(now));
            cx.effect(Effect::Stop { instance: id.to_owned(), force });
        }
    }))
}

/// As EC2's transition reasons have it.
fn gmt(now: Time) -> String {
    stamp(now).get(..19).unwrap_or_default().replace('T', " ")
}

fn instance<'a>(cx: &'a mut Cx<'_>, id: &str) -> &'a mut Instance {
    cx.here().instances.entry(id.to_owned()).or_default()
}

pub fn start_instances(cx: &mut Cx<'_>, input: SomeInstances) -> Result<Xml, Refusal> {
    known(cx, &input.instance_id)?;
    let now = cx.now;
    for id in &input.instance_id {
        if !matches!(cx.here().instances[id].state(now), State::Stopped | State::Running | State::Pending) {
            return Err(Refusal::new(
                "IncorrectInstanceState",
                format!("The instance '{id}' is not in a state from which it can be started."),
            ));
        }
    }
    Ok(each(cx, &input.instance_id, |cx, id, before| {
        if before == State::Stopped {
            let i = instance(cx, id);
            i.enter(Phase::Pending { ready: None }, now);
            (i.reason, i.transition, i.ssh_from) = (None, String::new(), None);
            let i = i.clone();
            let tags = cx.here().tags(id).cloned();
            let boot = boot(cx.world, &i, tags.as_ref(), now);
            cx.effect(Effect::Boot { boot: Box::new(boot), fresh: false });
        }
    }))
}

/// What a machine that was there goes on from.
fn boot(world: &World, i: &Instance, tags: Option<&Tags>, now: Time) -> Boot {
    use base64::Engine as _;
    let decoded = |text: &String| base64::engine::general_purpose::STANDARD.decode(text).ok();
    Boot {
        instance: i.id.clone(),
        layers: i.layers.clone(),
        address: i.address,
        hostname: i.short_hostname(),
        login_user: i.login_user.clone(),
        authorized_keys: i.authorized_keys.clone(),
        user_data: i.user_data.as_ref().and_then(decoded),
        memory_mib: place::instance_type(&i.instance_type).map_or(1024, |t| t.memory_mib),
        link: link(world, i, tags, now),
    }
}

pub fn reboot_instances(cx: &mut Cx<'_>, input: SomeInstances) -> Result<Xml, Refusal> {
    known(cx, &input.instance_id)?;
    let now = cx.now;
    for id in &input.instance_id {
        if cx.here().instances[id].state(now) != State::Running {
            return Err(Refusal::new(
                "IncorrectState",
                format!("The instance '{id}' is not in a state from which it can be rebooted."),
            ));
        }
    }
    for id in input.instance_id {
        cx.effect(Effect::Reboot { instance: id });
    }
    Ok(done())
}

pub fn terminate_instances(cx: &mut Cx<'_>, input: SomeInstances) -> Result<Xml, Refusal> {
    known(cx, &input.instance_id)?;
    if let Some(kept) = input.instance_id.iter().find(|id| cx.here().instances[*id].disable_termination) {
        return Err(Refusal::new(
            "OperationNotPermitted",
            format!(
                "The instance '{kept}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
            ),
        ));
    }
    Ok(each(cx, &input.instance_id, |cx, id, before| {
        if !matches!(before, State::Terminated | State::ShuttingDown) {
            terminate(cx, id, "Client.UserInitiatedShutdown", "User initiated shutdown");
        }
    }))
}

/// The machine's end begins.
pub fn terminate(cx: &mut Cx<'_>, id: &str, code: &str, why: &str) {
    let now = cx.now;
    let user = code.starts_with("Client.User");
    let i = instance(cx, id);
    i.enter(Phase::ShuttingDown { done: false }, now);
    i.reason = Some((code.to_owned(), format!("{code}: {why}")));
    i.transition =
        if user { format!("User initiated ({} GMT)", gmt(now)) } else { format!("{why} ({} GMT)", gmt(now)) };
    i.interrupt_at = None;
    cx.effect(Effect::Terminate { instance: id.to_owned() });
}

// ---- what machines tell ---------------------------------------------------------------------------------------------

pub fn happened(world: &mut World, id: &str, what: &Happened, now: Time) {
    let spot_type = match (what, world.home_of(id).and_then(|(_, home)| home.instances.get(id))) {
        (Happened::Booted, Some(i)) if i.spot_request.is_some() && i.phase == (Phase::Pending { ready: None }) => {
            Some(i.instance_type.clone())
        }
        _ => None,
    };
    let interrupt_after = spot_type.and_then(|kind| world.trouble.interrupt_after(&kind));
    let Some((_, home)) = world.home_of(id) else { return };
    let tags = home.tags(id).cloned();
    let Some(i) = home.instances.get_mut(id) else { return };
    match what {
        Happened::Booted => {
            if let Phase::Pending { ready: None } = i.phase {
                i.phase = Phase::Pending { ready: Some(now) };
                let from = i.running_from().unwrap_or(now);
                i.ssh_from = Some(from + i.pace.boot).filter(|at| *at > now);
                i.interrupt_at = interrupt_after.map(|after| from + after);
            }
            let i = i.clone();
            let link = link(world, &i, tags.as_ref(), now);
            world.effects.push(Effect::Link { instance: id.to_owned(), link });
        }
        Happened::PoweredOff if i.is_gone() => {}
        Happened::PoweredOff if i.on_shutdown == "terminate" || i.spot_request.is_some() => {
            i.enter(Phase::ShuttingDown { done: false }, now);
            i.reason = Some(shutdown_from_inside());
            i.interrupt_at = None;
            world.effects.push(Effect::Terminate { instance: id.to_owned() });
        }
        Happened::PoweredOff => {
            i.enter(Phase::Stopping { done: true }, now);
            i.reason = Some(shutdown_from_inside());
        }
        Happened::Failed { why } => {
            let starting = matches!(i.phase, Phase::Pending { .. });
            i.reason = Some(("Server.InternalError".to_owned(), format!("Server.InternalError: {why}")));
            if starting {
                i.enter(Phase::ShuttingDown { done: false }, now);
                world.effects.push(Effect::Terminate { instance: id.to_owned() });
            } else if !i.is_gone() {
                i.enter(Phase::Stopping { done: true }, now);
            }
        }
        Happened::UserDataDone { .. } | Happened::Rebooting => {}
    }
}

fn shutdown_from_inside() -> (String, String) {
    let code = "Client.InstanceInitiatedShutdown";
    (code.to_owned(), format!("{code}: Instance initiated shutdown"))
}

pub fn stopped(world: &mut World, id: &str, _now: Time) {
    let Some((_, home)) = world.home_of(id) else { return };
    if let Some(i) = home.instances.get_mut(id).filter(|i| i.phase == Phase::Stopping { done: false }) {
        i.phase = Phase::Stopping { done: true };
    }
}

/// Volumes go with the machine, or are free.
pub fn terminated(world: &mut World, id: &str, _now: Time) {
    let Some((_, home)) = world.home_of(id) else { return };
    let Some(i) = home.instances.get_mut(id) else { return };
    i.phase = Phase::ShuttingDown { done: true };
    let mut layers = std::mem::take(&mut i.layers);
    let devices = std::mem::take(&mut i.devices);
    let (eni, request) = (i.eni.clone(), i.spot_request.clone());
    home.untag(&eni);
    if let Some(request) = request.and_then(|r| home.spot_requests.get_mut(&r)) {
        request.close("instance-terminated-by-user");
    }
    for device in devices.iter().filter(|d| d.delete_on_termination) {
        home.untag(&device.volume);
        if let Some(volume) = home.volumes.remove(&device.volume) {
            layers.extend(volume.layers);
        }
    }
    let used = world.layers();
    let mut unused: Vec<_> = layers.into_iter().filter(|l| !used.contains(l)).collect();
    unused.sort();
    unused.dedup();
    world.effects.extend(unused.into_iter().map(Effect::DropLayer));
}

/// After a restart of kiln: what ran was ended with it.
pub fn wake(world: &mut World, now: Time) {
    for region in world.accounts.values_mut().flat_map(|a| a.regions.values_mut()) {
        for i in region.instances.values_mut() {
            match i.phase {
                Phase::Pending { .. } | Phase::Running | Phase::Stopping { .. } => {
                    i.enter(Phase::Stopping { done: true }, now);
                    i.since -= i.pace.stopping;
                    i.reason = Some((
                        "Server.ScheduledStop".to_owned(),
                        "Server.ScheduledStop: the practice cloud was stopped".to_owned(),
                    ));
                    (i.ssh_from, i.interrupt_at) = (None, None);
                }
                Phase::ShuttingDown { done: false } => {
                    world.effects.push(Effect::Terminate { instance: i.id.clone() });
                }
                Phase::Stopped | Phase::ShuttingDown { .. } | Phase::Terminated => {}
            }
        }
        for snapshot in region.snapshots.values_mut().filter(|s| s.capturing.is_some()) {
            let layer = snapshot.capturing.take();
            snapshot.layers.retain(|l| Some(l) != layer.as_ref());
            snapshot.error = Some("the practice cloud was stopped while it was taken".to_owned());
        }
    }
}

// ---- what is due ----------------------------------------------------------------------------------------------------

/// What is wrong with the way to a machine at a time.
pub fn link(world: &World, i: &Instance, tags: Option<&Tags>, now: Time) -> LinkFaults {
    let name = tags.and_then(|t| t.get("Name")).map(String::as_str);
    let mut link = world.trouble.link(&i.id, name);
    let held_back = match i.phase {
        Phase::Pending { ready: None } => i.pace.pending + i.pace.boot > 0,
        _ => i.ssh_from.is_some_and(|at| at > now),
    };
    link.refuse |= held_back;
    link
}

pub fn relink(world: &mut World, now: Time) {
    let mut links = Vec::new();
    for region in world.accounts.values().flat_map(|a| a.regions.values()) {
        for i in region.instances.values().filter(|i| matches!(i.state(now), State::Pending | State::Running)) {
            links.push(Effect::Link { instance: i.id.clone(), link: link(world, i, region.tags(&i.id), now) });
        }
    }
    world.effects.extend(links);
}

/// Opens SSH ports, takes spot machines back, forgets the long gone; gives when the next of these is due.
pub fn tick(world: &mut World, now: Time) -> Option<Time> {
    let mut next: Option<Time> = None;
    let mut later = |at: Time| next = Some(next.map_or(at, |n| n.min(at)));
    let (mut opened, mut interrupted) = (Vec::new(), Vec::new());
    for region in world.accounts.values_mut().flat_map(|a| a.regions.values_mut()) {
        let gone = |i: &Instance| i.state(now) == State::Terminated && i.since + REMEMBERED < now;
        let forgotten: Vec<String> = region.instances.values().filter(|i| gone(i)).map(|i| i.id.clone()).collect();
        for id in forgotten {
            region.instances.remove(&id);
            region.untag(&id);
        }
        for i in region.instances.values_mut() {
            match i.ssh_from {
                Some(at) if at <= now => {
                    i.ssh_from = None;
                    opened.push(i.id.clone());
                }
                Some(at) => later(at),
                None => {}
            }
            match i.interrupt_at {
                Some(at) if at <= now => {
                    i.interrupt_at = None;
                    i.enter(Phase::ShuttingDown { done: false }, now);
                    i.reason = Some((
                        "Server.SpotInstanceTermination".to_owned(),
                        "Server.SpotInstanceTermination: Spot instance termination".to_owned(),
                    ));
                    interrupted.push((i.id.clone(), i.spot_request.clone()));
                }
                Some(at) => later(at),
                None => {}
            }
        }
        for request in interrupted.iter().filter_map(|(_, r)| r.as_ref()) {
            if let Some(request) = region.spot_requests.get_mut(request) {
                request.close("instance-terminated-no-capacity");
            }
        }
    }
    world.effects.extend(interrupted.into_iter().map(|(instance, _)| Effect::Terminate { instance }));
    for id in opened {
        let Some((_, home)) = world.home_of(&id) else { continue };
        let (Some(i), tags) = (home.instances.get(&id).cloned(), home.tags(&id).cloned()) else { continue };
        let link = link(world, &i, tags.as_ref(), now);
        world.effects.push(Effect::Link { instance: id, link });
    }
    next
}
