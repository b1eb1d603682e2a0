//! The rim: the world behind a lock, machines that do what it asks, the clock, the faults, the file.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use base64::Engine as _;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};

use super::keep::Keep;
use super::machine::{Happened, Host, LayerId, Limits, LinkFaults, MachineError, MachineSpec, Machines};
use super::scenario::{Fault, Timing};
use super::wire::{Refusal, Xml};
use super::world::{ActiveFault, Boot, Call, Effect, Material, Outside, Time, Verdict, World};

/// How many calls are remembered.
const MOST_CALLS: usize = 10_000;

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// One request, understood.
#[derive(Clone, Debug)]
pub struct Asked {
    pub service: String,
    pub action: String,
    pub access_key: String,
    pub region: String,
    pub input: Value,
    /// Of the JSON services: `action` is the target.
    pub json: bool,
}

/// A call that was answered, for `/practice/calls`.
#[derive(Clone, Debug, Serialize)]
pub struct Called {
    /// From 1.
    pub n: u64,
    pub at: Time,
    pub region: String,
    pub action: String,
    pub input: Value,
    /// The error that it got.
    pub error: Option<String>,
}

/// A running practice cloud.
pub struct Cloud {
    me: Weak<Self>,
    world: Mutex<World>,
    machines: Arc<dyn Machines>,
    clock: Clock,
    rehearsal: bool,
    keep: Option<Keep>,
    links: Mutex<HashMap<String, watch::Sender<LinkFaults>>>,
    /// What each machine has yet to do, in order.
    queues: Mutex<HashMap<String, mpsc::UnboundedSender<Effect>>>,
    calls: Mutex<(u64, VecDeque<Called>)>,
    /// Something happened that may make something due.
    stirred: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cloud {
    pub fn new(
        world: World,
        machines: Arc<dyn Machines>,
        clock: Clock,
        rehearsal: bool,
        keep: Option<Keep>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            world: Mutex::new(world),
            machines,
            clock,
            rehearsal,
            keep,
            links: Mutex::default(),
            queues: Mutex::default(),
            calls: Mutex::default(),
            stirred: Notify::new(),
        })
    }

    fn now(&self) -> Time {
        (self.clock)()
    }

    /// Carries out a call; the answer's inside, or nothing when a fault loses it.
    ///
    /// # Errors
    /// AWS's error.
    pub async fn call(&self, asked: Asked) -> Result<Option<String>, Refusal> {
        let verdict = self.judge(&asked);
        if verdict.delay > 0 {
            tokio::time::sleep(Duration::from_millis(verdict.delay)).await;
        }
        let answer = match verdict.refusal {
            Some(refusal) => Err(refusal),
            None => self.carry_out(&asked).await,
        };
        self.note(&asked.region, &asked.action, &asked.input, answer.as_ref().err());
        answer.map(|inside| Some(inside).filter(|_| !verdict.lost))
    }

    fn judge(&self, asked: &Asked) -> Verdict {
        let now = self.now();
        let mut world = lock(&self.world);
        if world.credentials_ended(&asked.access_key, now) {
            let refusal = match asked.service.as_str() {
                "ec2" => Refusal::new("RequestExpired", "Request has expired."),
                _ => Refusal::new("ExpiredToken", "The security token included in the request is expired").status(403),
            };
            return Verdict { refusal: Some(refusal), ..Verdict::default() };
        }
        let mut names = Vec::new();
        collect(&asked.input, &mut names);
        world.trouble.verdict(&asked.action, &asked.region, &asked.access_key, &names, now)
    }

    async fn carry_out(&self, asked: &Asked) -> Result<String, Refusal> {
        // Made outside of the lock: it takes its time.
        let key = if asked.action == "CreateKeyPair" {
            let kind = asked.input.get("KeyType").and_then(Value::as_str).unwrap_or("rsa").to_owned();
            let made = tokio::task::spawn_blocking(move || Material::generate(&kind)).await;
            Some(made.map_err(|e| Refusal::internal(e.to_string()))?.map_err(Refusal::internal)?)
        } else {
            None
        };
        let answer = {
            let reserve = || self.machines.reserve().map_err(|e| e.to_string());
            let outside = Outside { now: self.now(), reserve: &reserve, key: key.as_ref(), rehearsal: self.rehearsal };
            let call = Call {
                service: &asked.service,
                action: &asked.action,
                access_key: &asked.access_key,
                region: &asked.region,
                input: asked.input.clone(),
            };
            let mut world = lock(&self.world);
            let answer = if asked.json {
                world.json_call(call, &outside).map(|v| v.to_string())
            } else {
                world.call(call, &outside)
            };
            let effects = world.take_effects();
            self.dispatch(effects);
            answer
        };
        let reads = ["Describe", "Get", "List"]
            .iter()
            .any(|r| asked.action.rsplit('.').next().is_some_and(|a| a.starts_with(r)));
        if !reads {
            self.stirred.notify_one();
            if let Some(keep) = &self.keep {
                keep.saved(|| lock(&self.world).clone()).await.map_err(|e| Refusal::internal(e.to_string()))?;
            }
        }
        let mut answer = answer?;
        if asked.action == "GetConsoleOutput"
            && let Some(id) = asked.input.get("InstanceId").and_then(Value::as_str)
        {
            let mut x = Xml::new();
            x.text("output", base64::engine::general_purpose::STANDARD.encode(self.machines.console(id)));
            answer.push_str(&x.finish());
        }
        Ok(answer)
    }

    fn note(&self, region: &str, action: &str, input: &Value, error: Option<&Refusal>) {
        let error = error.map(|e| e.code.to_string());
        tracing::debug!(action, region, error, "practice cloud: a call");
        let at = self.now();
        let mut calls = lock(&self.calls);
        calls.0 += 1;
        let n = calls.0;
        calls.1.push_back(Called {
            n,
            at,
            region: region.to_owned(),
            action: action.to_owned(),
            input: input.clone(),
            error,
        });
        if calls.1.len() > MOST_CALLS {
            calls.1.pop_front();
        }
    }

    /// A request that could not be understood, or an action that is not served.
    pub fn refused(&self, refusal: &Refusal, request: &[u8]) {
        let shown: String = String::from_utf8_lossy(request).chars().take(300).collect();
        tracing::warn!(%refusal, request = shown, "practice cloud: a request that it does not serve");
        let action = shown.split('&').find_map(|p| p.strip_prefix("Action=")).unwrap_or(&shown).to_owned();
        self.note("", &action, &Value::Null, Some(refusal));
    }

    // ---- machines ---------------------------------------------------------------------------------------------------

    /// Has effects done. Those of one machine are done in order, one after another.
    fn dispatch(&self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Link { instance, link } => {
                    if let Some(sender) = lock(&self.links).get(instance) {
                        sender.send_replace(link.clone());
                    }
                }
                Effect::DropLayer(layer) => self.drop_layer(layer.clone()),
                Effect::Boot { boot, .. } => self.queue(&boot.instance.clone(), effect),
                Effect::Stop { instance, .. }
                | Effect::Reboot { instance }
                | Effect::Terminate { instance }
                | Effect::Capture { instance, .. } => self.queue(&instance.clone(), effect),
            }
        }
    }

    fn drop_layer(&self, layer: LayerId) {
        let machines = Arc::clone(&self.machines);
        tokio::spawn(async move {
            if let Err(e) = machines.drop_layer(&layer).await {
                tracing::warn!(%layer, error = %e, "practice cloud: a layer could not be removed");
            }
        });
    }

    fn queue(&self, instance: &str, effect: Effect) {
        let mut queues = lock(&self.queues);
        let rest = match queues.get(instance) {
            // A worker that has ended leaves its queue behind: its machine is gone, and so is what was asked of it.
            Some(queue) => match queue.send(effect) {
                Ok(()) => return,
                Err(rest) => rest.0,
            },
            None => effect,
        };
        let (sender, mut todo) = mpsc::unbounded_channel();
        let _ = sender.send(rest);
        queues.insert(instance.to_owned(), sender);
        let Some(cloud) = self.me.upgrade() else { return };
        let instance = instance.to_owned();
        tokio::spawn(async move {
            while let Some(effect) = todo.recv().await {
                let last = matches!(effect, Effect::Terminate { .. });
                cloud.bring_about(effect).await;
                if last {
                    lock(&cloud.queues).remove(&instance);
                    lock(&cloud.links).remove(&instance);
                }
            }
        });
    }

    async fn bring_about(&self, effect: Effect) {
        match effect {
            Effect::Boot { boot, fresh } => {
                let instance = boot.instance.clone();
                let spec = self.spec(*boot);
                let Some(host) = self.me.upgrade() else { return };
                let started =
                    if fresh { self.machines.launch(spec, host).await } else { self.machines.start(spec, host).await };
                if let Err(e) = started {
                    self.happened(&instance, Happened::Failed { why: e.to_string() });
                }
            }
            Effect::Stop { instance, force } => {
                warn(self.machines.stop(&instance, force).await, "stopped", &instance);
                self.with_world(|world, now| world.stopped(&instance, now));
            }
            Effect::Reboot { instance } => warn(self.machines.reboot(&instance).await, "rebooted", &instance),
            Effect::Terminate { instance } => {
                warn(self.machines.terminate(&instance).await, "terminated", &instance);
                self.with_world(|world, now| world.terminated(&instance, now));
            }
            Effect::Capture { instance, layer, reboot } => {
                let captured = self.machines.capture(&instance, &layer, reboot).await.map_err(|e| e.to_string());
                let wanted = self.with_world(|world, now| {
                    world.captured(&layer, captured.as_ref().map(|size| *size).map_err(String::as_str), now);
                    world.layers().contains(&layer)
                });
                // The image went away while its layer was written.
                if !wanted {
                    self.drop_layer(layer);
                }
            }
            Effect::Link { .. } | Effect::DropLayer(_) => {}
        }
    }

    fn spec(&self, boot: Boot) -> MachineSpec {
        let (sender, link) = watch::channel(boot.link);
        lock(&self.links).insert(boot.instance.clone(), sender);
        MachineSpec {
            instance_id: boot.instance,
            layers: boot.layers,
            address: boot.address,
            hostname: boot.hostname,
            login_user: boot.login_user,
            authorized_keys: boot.authorized_keys,
            user_data: boot.user_data,
            limits: Limits { memory_mib: Some(boot.memory_mib), ..Limits::default() },
            link,
        }
    }

    /// Changes the world outside of a call.
    fn with_world<T>(&self, change: impl FnOnce(&mut World, Time) -> T) -> T {
        let now = self.now();
        let mut world = lock(&self.world);
        let result = change(&mut world, now);
        let effects = world.take_effects();
        self.dispatch(effects);
        drop(world);
        self.stirred.notify_one();
        if let Some(keep) = &self.keep {
            keep.later();
        }
        result
    }

    /// Does what is due, when it is due; ends with the cloud's task.
    pub async fn keep_time(self: Arc<Self>) {
        loop {
            let next = {
                let now = self.now();
                let mut world = lock(&self.world);
                let next = world.tick(now);
                let effects = world.take_effects();
                self.dispatch(effects);
                next.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or_default().max(1)))
            };
            // Instances that were terminated long ago are forgotten now and then.
            let next = next.unwrap_or(Duration::from_secs(600)).min(Duration::from_secs(600));
            tokio::select! {
                () = self.stirred.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Writes changes that no call waits for; ends with the cloud's task.
    pub async fn keep_saving(self: Arc<Self>) {
        let Some(keep) = &self.keep else { return };
        loop {
            keep.wanted().await;
            if let Err(e) = keep.saved(|| lock(&self.world).clone()).await {
                tracing::warn!(error = %e, "practice cloud: its state could not be written");
            }
        }
    }

    /// What a world that was read from a file needs done.
    pub fn wake(&self) {
        self.with_world(|world, now| world.wake(now));
    }

    /// Ends all machines and writes the last state.
    pub async fn close(&self) {
        self.machines.close().await;
        if let Some(keep) = &self.keep
            && let Err(e) = keep.saved(|| lock(&self.world).clone()).await
        {
            tracing::warn!(error = %e, "practice cloud: its state could not be written");
        }
    }

    // ---- controls ---------------------------------------------------------------------------------------------------

    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.with_world(|world, now| {
            let id = world.trouble.add(fault, now);
            world.relink(now);
            id
        })
    }

    /// Whether there was such a fault.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.with_world(|world, now| {
            let was = world.trouble.remove(id);
            world.relink(now);
            was
        })
    }

    pub fn clear_faults(&self) {
        self.with_world(|world, now| {
            world.trouble.clear();
            world.relink(now);
        });
    }

    pub fn faults(&self) -> Vec<ActiveFault> {
        lock(&self.world).trouble.active().to_vec()
    }

    pub fn timing(&self) -> Timing {
        lock(&self.world).trouble.timing
    }

    /// For what is made from now on.
    pub fn set_timing(&self, timing: Timing) {
        self.with_world(|world, _| world.trouble.timing = timing);
    }

    /// Breaks every connection to a machine.
    pub fn cut(&self, instance: &str) {
        self.machines.cut(instance);
    }

    /// The calls after the `since`-th.
    pub fn calls(&self, since: u64) -> Vec<Called> {
        lock(&self.calls).1.iter().filter(|c| c.n > since).cloned().collect()
    }

    /// What stands in for what templates asked for.
    pub fn stand_ins(&self) -> Vec<String> {
        lock(&self.world).stand_ins.clone()
    }

    /// Whatever accounts have, for people and tests.
    pub fn state(&self) -> Value {
        let now = self.now();
        let isolation = self.machines.isolation();
        let world = lock(&self.world);
        let mut state = world.overview(now);
        state["isolation"] = serde_json::to_value(isolation).unwrap_or_default();
        state["stand_ins"] = json!(world.stand_ins);
        state
    }
}

impl Host for Cloud {
    fn happened(&self, instance_id: &str, what: Happened) {
        tracing::debug!(instance = instance_id, ?what, "practice cloud: a machine");
        self.with_world(|world, now| world.happened(instance_id, &what, now));
    }

    fn metadata(&self, instance_id: &str, path: &str) -> Option<Vec<u8>> {
        let now = self.now();
        lock(&self.world).metadata(instance_id, path, now)
    }
}

fn warn(outcome: Result<(), MachineError>, what: &str, instance: &str) {
    if let Err(e) = outcome {
        tracing::warn!(instance, error = %e, "practice cloud: a machine could not be {what}");
    }
}

/// What looks like an id in a request.
fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('-') && text.len() < 40 => names.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|v| collect(v, names)),
        Value::Object(fields) => fields.values().for_each(|v| collect(v, names)),
        _ => {}
    }
}
