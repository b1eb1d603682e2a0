//! The step that opens the link to a machine, shared by all builders that have one.
//!
//! Not here: where the machine is (the builder tells it, anew for each try), nor the protocol (`remote`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::login;
use crate::component::communicator::{CommunicatorConfig, Kind};
use crate::component::contract::StepContext;
use crate::component::late::learn_build_values;
use crate::remote::{self, Communicator, ConnectError, ConnectOptions};
use crate::run::Failure;
use crate::schema::duration;

/// What opens the machine besides what the config names.
#[derive(Clone, Default)]
pub struct Keys {
    /// The temporary private key, in OpenSSH form.
    pub temporary: Option<String>,
}

/// Finds the machine's address; asked again before each try, since a machine's address can change while it starts.
pub type FindHost<'a> = dyn Fn() -> BoxFuture<'a, Result<String, Failure>> + Send + Sync + 'a;

/// A machine that boots is asked often at first, for it may answer any moment, and then less often.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Connects, and goes on trying until `ssh_timeout` or `ssh_handshake_attempts` is used up. The link is the step's result:
/// the builder hands it to [`crate::component::contract::Machine::set_communicator`].
///
/// # Errors
/// `Cancelled`; `TimedOut` with the reason why the last try failed; what no later try can mend; whatever `find_host` fails
/// with.
pub async fn connect(
    config: &CommunicatorConfig,
    find_host: &FindHost<'_>,
    keys: &Keys,
    cx: &StepContext,
) -> Result<Arc<dyn Communicator>, Failure> {
    if config.kind() != Kind::Ssh {
        return Err(Failure::config("kiln connects by SSH only").help("set `communicator` to `ssh` or `none`"));
    }
    let env_port = port_from_environment()?;
    let options = async || {
        let host = find_host().await?;
        let temporary = keys.temporary.as_deref();
        Ok(config.connect_options(&host, env_port, temporary, cx.machine.host_keys.clone()))
    };
    cx.say(format!("Using ssh communicator to connect: {}", find_host().await?));
    cx.say("Waiting for SSH to become available...");
    let limits = Limits { time: config.timeout(), refusals: config.handshake_attempts(), pause: FIRST_PAUSE };
    let open = async |options: ConnectOptions| remote::connect(options, &cx.cancel).await;
    cx.waiting(Some("SSH to become available"));
    let mut opened = try_on(&limits, &options, &open, cx).await;
    let pause = config.pause_before_connecting.or_zero();
    if let Ok((first, _)) = &opened
        && !pause.is_zero()
    {
        first.close().await;
        cx.say(format!("Pausing {} before connecting...", duration::format(pause)));
        cx.sleep(pause).await?;
        opened = try_on(&limits, &options, &open, cx).await;
    }
    cx.waiting(None);
    let (link, host) = opened?;
    cx.say("Connected to SSH!");
    let port = config.port(env_port).to_string();
    let user = config.ssh_username.clone();
    cx.machine.set_unwritten(login::values(config, keys.temporary.as_deref()).await);
    learn_build_values(cx, [("Host", host), ("Port", port), ("User", user), ("ConnType", "ssh".into())]).await?;
    Ok(link)
}

/// How long, and how often.
struct Limits {
    time: Option<Duration>,
    /// How many refused logins are too many.
    refusals: Option<u32>,
    /// After the first try.
    pause: Duration,
}

/// Tries until `open` succeeds; gives its result and the host.
async fn try_on<T, O, C, OF, CF>(
    limits: &Limits,
    options: &O,
    open: &C,
    cx: &StepContext,
) -> Result<(T, String), Failure>
where
    O: Fn() -> OF,
    OF: Future<Output = Result<ConnectOptions, Failure>>,
    C: Fn(ConnectOptions) -> CF,
    CF: Future<Output = Result<T, ConnectError>>,
{
    let deadline = limits.time.map(|time| Instant::now() + time);
    let mut pause = limits.pause;
    let mut refusals = 0;
    let mut shown = String::new();
    let mut last: Option<ConnectError> = None;
    loop {
        let one_try = async {
            let options = options().await?;
            let host = options.host.clone();
            Ok::<_, Failure>((open(options).await, host))
        };
        let Some(tried) = until(deadline, one_try).await else { return Err(timed_out(limits, last.as_ref())) };
        let error = match tried? {
            (Ok(link), host) => return Ok((link, host)),
            (Err(ConnectError::Cancelled), _) => return Err(Failure::cancelled()),
            (Err(error), _) => error,
        };
        if !error.may_pass() {
            return Err(with_help(Failure::other(format!("SSH cannot be opened: {error}")), &error));
        }
        if error.is_auth() {
            refusals += 1;
            if limits.refusals.is_some_and(|most| refusals >= most) {
                let tries = if refusals == 1 { "try" } else { "tries" };
                return Err(with_help(Failure::other(format!("after {refusals} {tries}: {error}")), &error));
            }
        }
        let reason = error.to_string();
        if reason != shown {
            cx.waiting(Some(&format!("SSH to become available: {reason}")));
            shown = reason;
        }
        last = Some(error);
        let left = deadline.map_or(pause, |d| d.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(timed_out(limits, last.as_ref()));
        }
        cx.sleep(pause.min(left)).await?;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// The future's result; `None` when the deadline came first.
async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

fn timed_out(limits: &Limits, last: Option<&ConnectError>) -> Failure {
    let Some(error) = last else {
        let within = limits.time.map(duration::format).unwrap_or_default();
        return Failure::timed_out(format!("Timeout waiting for SSH: the machine did not answer within {within}"))
            .help("check the security group and the route to the machine, or raise `ssh_timeout`");
    };
    with_help(Failure::timed_out(format!("Timeout waiting for SSH: {error}")), error)
}

fn with_help(failure: Failure, error: &ConnectError) -> Failure {
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// `KILN_SSH_PORT`, if it is set.
fn port_from_environment() -> Result<Option<u16>, Failure> {
    match std::env::var("KILN_SSH_PORT") {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(0) | Err(_) => Err(Failure::config(format!("`KILN_SSH_PORT` is `{text}`, which is no port"))),
            Ok(port) => Ok(Some(port)),
        },
        _ => Ok(None),
    }
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
