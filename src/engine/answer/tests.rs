use std::sync::Arc;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A server that answers one request with this, and what it was asked.
async fn server(status: &'static str, body: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).await.unwrap() == 0 {
                return;
            }
            request.push(byte[0]);
        }
        *heard.lock().unwrap() = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    (address, asked)
}

async fn ask(question: Question, env: &[(&str, &str)]) -> Answer {
    let find = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    answer_with(&question, Path::new("/nonexistent"), LONG, &find).await
}

async fn vault(status: &'static str, body: &'static str) -> (Answer, String) {
    let (address, asked) = server(status, body).await;
    let address = format!("http://{address}");
    let question = Question::Vault { path: "secret/data/db".into(), key: "password".into() };
    let found = ask(question, &[("VAULT_ADDR", &address), ("VAULT_TOKEN", "tok"), ("VAULT_NAMESPACE", "team")]).await;
    let asked = asked.lock().unwrap().clone();
    (found, asked)
}

#[tokio::test]
async fn vault_gives_a_key_of_either_kind_of_store() {
    let (found, asked) = vault("200 OK", r#"{"data":{"data":{"password":"v2"},"metadata":{}}}"#).await;
    assert_eq!(found, Answer::Text("v2".into()));
    assert!(asked.starts_with("get /v1/secret/data/db "), "{asked}");
    assert!(asked.contains("x-vault-token: tok\r\n") && asked.contains("x-vault-namespace: team\r\n"), "{asked}");
    assert_eq!(vault("200 OK", r#"{"data":{"password":"v1"}}"#).await.0, Answer::Text("v1".into()));
}

#[tokio::test]
async fn vaults_refusals_say_what_to_do() {
    for (status, body, said) in [
        (
            "403 Forbidden",
            r#"{"errors":["permission denied"]}"#,
            "permission denied; does the token in VAULT_TOKEN allow it?",
        ),
        ("404 Not Found", "{}", "a version 2 store wants `data/` in the path"),
        ("500 Oops", "no json", "Vault answered with status 500"),
        ("200 OK", r#"{"data":{"other":"x"}}"#, "has no text under the key `password`"),
    ] {
        let Answer::Failed(why) = vault(status, body).await.0 else { panic!("{status}") };
        assert!(why.ends_with(said), "{why}");
    }
}

#[tokio::test]
async fn vault_without_token_or_server_is_told() {
    let question = || Question::Vault { path: "a".into(), key: "b".into() };
    let Answer::Failed(why) = ask(question(), &[("HOME", "/nonexistent")]).await else { panic!() };
    assert_eq!(why, "there is no token; set VAULT_TOKEN, or log in with `vault login`");
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let Answer::Failed(why) = ask(question(), &[("VAULT_ADDR", &format!("http://{gone}")), ("VAULT_TOKEN", "t")]).await
    else {
        panic!()
    };
    assert!(why.contains("cannot be reached") && why.ends_with("set VAULT_ADDR to the server's address"), "{why}");
}

#[tokio::test]
async fn the_token_that_vault_login_left_is_used() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), "from-file\n").unwrap();
    let (address, asked) = server("200 OK", r#"{"data":{"b":"x"}}"#).await;
    let env = [("VAULT_ADDR", &*format!("http://{address}")), ("HOME", home.path().to_str().unwrap())];
    assert_eq!(ask(Question::Vault { path: "a".into(), key: "b".into() }, &env).await, Answer::Text("x".into()));
    assert!(asked.lock().unwrap().contains("x-vault-token: from-file\r\n"));
}

#[tokio::test]
async fn consul_gives_the_raw_text_of_a_key() {
    let (address, asked) = server("200 OK", "the value").await;
    let question = Question::ConsulKey { path: "a b/c".into() };
    let found = ask(question, &[("CONSUL_HTTP_ADDR", &address), ("CONSUL_HTTP_TOKEN", "tok")]).await;
    assert_eq!(found, Answer::Text("the value".into()));
    let asked = asked.lock().unwrap().clone();
    assert!(asked.starts_with("get /v1/kv/a%20b/c?raw ") && asked.contains("x-consul-token: tok\r\n"), "{asked}");
}

#[tokio::test]
async fn a_consul_key_that_is_missing_or_empty_is_a_failure() {
    for (status, body, said) in
        [("404 Not Found", "", "Consul has no key `k`"), ("200 OK", "", "the key `k` is empty in Consul")]
    {
        let (address, _) = server(status, body).await;
        let found = ask(Question::ConsulKey { path: "k".into() }, &[("CONSUL_HTTP_ADDR", &address)]).await;
        assert_eq!(found, Answer::Failed(said.into()));
    }
}

#[test]
fn a_secrets_key_is_picked_as_packer_picks_it() {
    let select = |text, key| secrets_manager::select("s", text, key);
    assert_eq!(select("plain", None), Ok("plain".into()));
    assert_eq!(select(r#"{"a":"x"}"#, None), Ok("x".into()));
    assert_eq!(select(r#"{"a":"x","n":15}"#, Some("n")), Ok("15".into()));
    assert_eq!(
        select(r#"{"a":"x","b":"y"}"#, None),
        Err("the secret `s` has several keys; name one of `a`, `b`".into())
    );
    assert_eq!(select(r#"{"a":"x"}"#, Some("z")), Err("the secret `s` has no key `z`; it has `a`".into()));
    assert_eq!(
        select(r#"{"a":true}"#, None),
        Err("the value of `a` in the secret `s` is neither a string nor a number".into())
    );
}

#[tokio::test]
async fn files_are_looked_for_from_the_working_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "text").unwrap();
    let ask = async |question: Question| answer(&question, folder.path(), LONG).await;
    assert_eq!(ask(Question::FileExists { path: "a.txt".into() }).await, Answer::Yes);
    assert_eq!(ask(Question::FileExists { path: "b.txt".into() }).await, Answer::No);
    assert_eq!(ask(Question::FileContent { path: "a.txt".into() }).await, Answer::Text("text".into()));
    let Answer::Failed(why) = ask(Question::FileContent { path: "b.txt".into() }).await else { panic!() };
    assert!(why.starts_with("cannot read `b.txt`: "), "{why}");
    assert_eq!(ask(Question::FileBytes { path: "a.txt".into() }).await, Answer::Bytes(b"text".to_vec()));
    assert_eq!(ask(Question::IsFile { path: "a.txt".into() }).await, Answer::Yes);
    assert_eq!(ask(Question::IsFile { path: "b.txt".into() }).await, Answer::No);
    assert!(matches!(ask(Question::IsFile { path: ".".into() }).await, Answer::Failed(_)));
    let set = Question::FileSet { folder: ".".into(), pattern: "*.txt".into(), most: 9 };
    assert_eq!(ask(set).await, Answer::Names(vec!["a.txt".into()]));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_at_the_deadline() {
    // Accepted by the kernel, never answered.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let find = |name: &str| (name == "CONSUL_HTTP_ADDR").then(|| address.clone());
    let question = Question::ConsulKey { path: "k".into() };
    let found = answer_with(&question, Path::new("/"), Duration::from_millis(50), &find).await;
    let Answer::Failed(why) = found else { panic!("{found:?}") };
    assert!(why.contains("CONSUL_HTTP_ADDR"), "{why}");
}
