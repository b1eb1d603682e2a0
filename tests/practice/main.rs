//! The practice cloud's endpoint, with machines that are nothing but a word: protocol, rules, faults, time, state on disk.

mod any_input;
mod fake;
mod faults;
mod kept;
mod others;
mod protocol;
mod states;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use fake::Fake;
use kiln::practice::scenario::Scenario;
use kiln::practice::{Options, Practice};
use serde_json::Value;

/// A cloud of a test's own.
struct Started {
    practice: Practice,
    machines: Arc<Fake>,
}

async fn start(options: Options) -> Started {
    let machines = Arc::new(Fake::default());
    let practice = Practice::start(options, Arc::clone(&machines) as _).await.expect("it starts");
    Started { practice, machines }
}

async fn with_scenario(toml: &str) -> Started {
    start(Options { scenario: Scenario::parse(toml, "test").expect("right"), ..Options::default() }).await
}

/// An answer: its status, headers and body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The text of the first element of this name.
    fn text(&self, name: &str) -> String {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let begin = self.body.find(&open).unwrap_or_else(|| panic!("no <{name}> in {}", self.body)) + open.len();
        self.body[begin..][..self.body[begin..].find(&close).expect("it ends")].to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{}: {e}", self.body))
    }
}

/// Sends bytes as they are; nothing when the connection ends without an answer.
fn raw(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut answer = Vec::new();
    // A connection that is reset has no answer either.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn http(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Option<Answer> {
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    raw(address, text.as_bytes())
}

/// A signed call of a query service.
fn call(address: SocketAddr, service: &str, region: &str, form: &str) -> Option<Answer> {
    let headers = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIA123456789012DEMO/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=ab\r\n"
    );
    http(address, "POST", "/", &headers, form)
}

impl Started {
    fn address(&self) -> SocketAddr {
        self.practice.address()
    }

    /// An EC2 call in us-east-1; the test runs on threads of its own.
    async fn ec2(&self, form: &str) -> Answer {
        self.maybe(form).await.expect("an answer")
    }

    async fn maybe(&self, form: &str) -> Option<Answer> {
        let (address, form) = (self.address(), form.to_owned());
        tokio::task::spawn_blocking(move || call(address, "ec2", "us-east-1", &form)).await.expect("no panic")
    }

    async fn control(&self, method: &'static str, path: &str, body: &str) -> Answer {
        let (address, path, body) = (self.address(), path.to_owned(), body.to_owned());
        let headers = "Content-Type: application/json\r\n";
        let answer = tokio::task::spawn_blocking(move || http(address, method, &path, headers, &body));
        answer.await.expect("no panic").expect("an answer")
    }

    /// Ids of an image and of an instance that runs from it.
    async fn instance(&self) -> String {
        let image = self.image().await;
        self.ec2(&format!("Action=RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1"))
            .await
            .text("instanceId")
    }

    async fn image(&self) -> String {
        let found = "Action=DescribeImages&Owner.1=099720109477&Filter.1.Name=name&Filter.1.Value.1=*jammy-22.04-amd64-server-2023*";
        self.ec2(found).await.text("imageId")
    }

    async fn state_of(&self, instance: &str) -> String {
        let answer = self.ec2(&format!("Action=DescribeInstances&InstanceId.1={instance}")).await;
        let at = answer.body.find("<instanceState>").expect("a state");
        Answer { status: 200, head: String::new(), body: answer.body[at..].to_owned() }.text("name")
    }
}

/// Waits until `probe` holds; a test that waits in vain says for what.
async fn until<F: Future<Output = bool>>(what: &str, mut probe: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !probe().await {
        assert!(std::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}
