//! One file over SFTP, many pieces under way at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::local::{self, Found, Sha256Sum};
use super::meter::Meter;
use super::small::shell_words;
use super::verify::{self, SUM, Sent};
use crate::remote::communicator::{Exit, RemoteError};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::sftp::{Open, Sftp, SftpError};
use crate::remote::ssh::Link;

/// From this size on, in bytes, the machine computes the sum while the file arrives.
const FOLLOWED: u64 = 16 << 20;
/// How much must have arrived before the machine is told to go on with the sum.
const STRIDE: u64 = 8 << 20;
const MIB: u64 = 1 << 20;

/// Pieces under way at once to a machine nearby: what waits in buffers there falls out of the processors' caches.
const NEARBY: usize = 6;
/// And to one far away, on each channel: a little more than the 2 MiB that OpenSSH lets a channel be ahead.
const FAR: usize = 10;
/// A machine that takes so long to open a file is far away.
const FAR_FROM: Duration = Duration::from_millis(4);
/// Channels for a large file to a machine far away, as each alone is ahead by 2 MiB a round trip at most.
const CHANNELS: usize = 4;
/// From this size on, in bytes, a file goes by several channels.
const SPREAD: u64 = 16 << 20;

/// Sums file 3, as far as the lines of the input say, and in the end to its end.
const SUM_OF_GROWING: &str = "\
import sys, hashlib
file, total, buffer = open(3, 'rb', buffering=0), hashlib.sha256(), memoryview(bytearray(1 << 20))
def sum(left):
    while left:
        read = file.readinto(buffer[:min(left, len(buffer))])
        if not read:
            break
        total.update(buffer[:read])
        left -= read
for line in sys.stdin:
    sum(int(line) << 20)
sum(1 << 62)
print(total.hexdigest())
";

/// Sends a file, and proves that it arrived.
pub(super) async fn send_verified(
    link: &Link,
    sftp: &Sftp,
    file: &Found,
    remote: &str,
    mode: u32,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    if file.size < FOLLOWED {
        let sum = send(link, sftp, file, remote, mode, meter, None, cancel).await?;
        return check_one(link, file, remote, sum, cancel).await;
    }
    let (arrived, lines) = mpsc::channel::<Bytes>(64);
    let (opened, is_open) = tokio::sync::oneshot::channel();
    let follow = Follow { opened: Some(opened), arrived, told: 0 };
    let sending = send(link, sftp, file, remote, mode, meter, Some(follow), cancel);
    let summing = async {
        match is_open.await {
            Ok(()) => sum_of_growing(link, remote, lines, cancel).await,
            Err(_) => Ok(None),
        }
    };
    let (sent, found) = futures_util::future::join(sending, summing).await;
    let sum = sent?;
    match found? {
        Some(found) if !found.eq_ignore_ascii_case(&verify::hex(&sum)) => Err(verify::differs(remote)),
        Some(_) => Ok(()),
        None => check_one(link, file, remote, sum, cancel).await,
    }
}

async fn check_one(
    link: &Link,
    file: &Found,
    remote: &str,
    sum: Sha256Sum,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let path = quote::for_sftp(remote);
    let sent = Sent { name: quote::base_name(path).as_bytes().to_vec(), size: file.size, sum };
    verify::check(link, quote::parent(path), &[sent], true, cancel).await
}

/// The sum of a file that is being written: `lines` say how many more MiB are there; their end, that all is.
async fn sum_of_growing(
    link: &Link,
    remote: &str,
    lines: mpsc::Receiver<Bytes>,
    cancel: &CancellationToken,
) -> Result<Option<String>, RemoteError> {
    // Python reads the file itself; through a pipe every byte would be copied twice more.
    let script = format!(
        "{SUM}; exec 3< {} || exit 98; if command -v python3 >/dev/null 2>&1; then exec python3 -c {}; fi\n\
         {{ while read -r n; do dd bs={MIB} count=\"$n\" <&3 2>/dev/null; done; cat <&3; }} | sum",
        quote::path(remote),
        quote::word(SUM_OF_GROWING)
    );
    match link.capture(&script, Input::Pieces(lines), cancel).await {
        Ok((Exit::Status(0), captured)) => {
            let text = String::from_utf8_lossy(&captured.stdout);
            Ok(text.lines().find_map(verify::sum_in).map(str::to_owned))
        }
        Ok(_) | Err(RemoteError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells the machine how far a file has arrived.
pub(super) struct Follow {
    opened: Option<tokio::sync::oneshot::Sender<()>>,
    arrived: mpsc::Sender<Bytes>,
    /// In bytes, a whole number of MiB.
    told: u64,
}

impl Follow {
    fn opened(&mut self) {
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(());
        }
    }

    fn at(&mut self, bytes: u64) {
        let more = (bytes - self.told) / MIB;
        if more * MIB < STRIDE {
            return;
        }
        // When the machine is slow to sum, the rest is told in one go later.
        if self.arrived.try_send(Bytes::from(format!("{more}\n"))).is_ok() {
            self.told += more * MIB;
        }
    }
}

/// Sends a file and checks its size there; gives the sum of what was sent.
#[expect(clippy::too_many_arguments, reason = "they belong to the transfer, the file and its destination")]
pub(super) async fn send(
    link: &Link,
    sftp: &Sftp,
    file: &Found,
    remote: &str,
    mode: u32,
    meter: &Meter<'_>,
    mut follow: Option<Follow>,
    cancel: &CancellationToken,
) -> Result<Sha256Sum, RemoteError> {
    let asked = Instant::now();
    let open = match sftp.create(quote::for_sftp(remote).as_bytes()).await {
        Ok(open) => open,
        Err(error) => return Err(explain(link, error, remote, cancel).await),
    };
    let is_far = asked.elapsed() >= FAR_FROM;
    let more = if is_far && file.size >= SPREAD { ways(link, remote, cancel).await } else { Vec::new() };
    let ways: Vec<(&Sftp, &Open)> =
        std::iter::once((sftp, &open)).chain(more.iter().map(|(sftp, open)| (&**sftp, open))).collect();
    let in_flight = ways.len() * if is_far { FAR } else { NEARBY };
    let largest = ways.iter().map(|(sftp, _)| sftp.piece).min().unwrap_or(sftp.piece);
    if let Some(follow) = &mut follow {
        follow.opened();
    }
    let (mut pieces, reading) = local::read(file, largest as usize);
    let mut under_way = VecDeque::with_capacity(in_flight);
    let (mut offset, mut arrived) = (0, 0);
    let mut turns = ways.iter().cycle();
    loop {
        let piece = pieces.recv().await;
        let ended = piece.is_none();
        if let Some(piece) = piece
            && let Some((sftp, open)) = turns.next()
        {
            let length = piece.len() as u64;
            let pending = sftp.write(open, offset, piece).await.map_err(|error| error.about(remote))?;
            under_way.push_back((pending, length));
            offset += length;
        }
        while ended && !under_way.is_empty() || under_way.len() >= in_flight {
            let Some((pending, length)) = under_way.pop_front() else { break };
            if let Err(error) = pending.done().await {
                return Err(explain(link, error, remote, cancel).await);
            }
            arrived += length;
            meter.add(length);
            if let Some(follow) = &mut follow {
                follow.at(arrived);
            }
        }
        if ended {
            break;
        }
    }
    let sum = local::joined(reading).await?;
    let ending = futures_util::future::join3(sftp.set_mode(&open, mode), sftp.fstat(&open), sftp.close(&open)).await;
    ending.0.map_err(|error| error.about(remote))?;
    let attrs = ending.1.map_err(|error| error.about(remote))?;
    if let Err(error) = ending.2 {
        return Err(explain(link, error, remote, cancel).await);
    }
    match attrs.size {
        Some(size) if size != file.size => Err(verify::wrong_size(remote, file.size, size)),
        _ => Ok(sum),
    }
}

/// The same file, open on further channels; as many as the machine allows.
async fn ways(link: &Link, remote: &str, cancel: &CancellationToken) -> Vec<(Arc<Sftp>, Open)> {
    let another = || async {
        let sftp = link.another_sftp(cancel).await.ok()?;
        let open = sftp.open_to_write(quote::for_sftp(remote).as_bytes()).await.ok()?;
        Some((Arc::new(sftp), open))
    };
    let opening = (1..CHANNELS).map(|_| another());
    futures_util::future::join_all(opening).await.into_iter().flatten().collect()
}

/// SFTP has one word, "failure", for a full disk and much else: the machine's shell is asked for a better one.
pub(super) async fn explain(link: &Link, error: SftpError, remote: &str, cancel: &CancellationToken) -> RemoteError {
    if !error.is_vague() {
        return error.about(remote);
    }
    let path = quote::path(remote);
    let script = format!(
        "LC_ALL=C; export LC_ALL; : >> {path} || exit 1; df -P {path} | awk 'NR > 1 && $4 == 0 {{ print \"No space left on device\" }}' >&2"
    );
    match link.capture(&script, Input::nothing(), cancel).await {
        Ok((_, captured)) if !captured.stderr.is_empty() => {
            RemoteError::Remote { path: remote.to_owned(), why: shell_words(&captured.complaint()) }
        }
        _ => error.about(remote),
    }
}
