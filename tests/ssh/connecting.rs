//! Ways in: keys, certificates, agents, bastions, proxies, tunnels; and what is said when there is none.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kiln::remote::{
    Auth, Bastion, ConnectError, ConnectOptions, Exit, Hidden, HostKeys, RemoteError, Socks5, Tunnel, connect,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, connect_with, exec, free_port, keygen, never, user};

async fn refused(options: ConnectOptions) -> ConnectError {
    match connect(options, &never()).await {
        Err(error) => error,
        Ok(_) => panic!("it was let in"),
    }
}

#[tokio::test]
async fn keys_of_all_kinds_open_the_door() {
    let sshd = Sshd::start();
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let path = sshd.folder.path().join(format!("my {kind}"));
        keygen(&path, kind);
        sshd.authorize(&std::fs::read_to_string(path.with_extension("pub")).unwrap());
        let mut options = sshd.options();
        options.auth = vec![Auth::Key { path: path.clone() }];
        assert_eq!(exec(&*connect_with(options.clone()).await, "true").await.0, Ok(Exit::Status(0)), "{kind}");
        options.auth = vec![Auth::KeyText(Hidden::new(std::fs::read_to_string(&path).unwrap()))];
        connect_with(options).await;
    }
    assert!(sshd.log().contains("Accepted publickey"));
}

#[tokio::test]
async fn a_certificate_opens_the_door() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    keygen(&at.join("ca"), "ed25519");
    keygen(&at.join("me"), "ed25519");
    let sign = |more: &[&str]| {
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-I", "me", "-n", &user()]).args(more).arg("-s").arg(at.join("ca")).arg(at.join("me.pub"));
        assert!(sign.status().unwrap().success());
    };
    let authority = std::fs::read_to_string(at.join("ca.pub")).unwrap();
    sshd.authorize(&format!("cert-authority {authority}"));
    let mut options = sshd.options();
    options.auth = vec![Auth::Certificate { key: at.join("me"), certificate: at.join("me-cert.pub") }];
    sign(&[]);
    connect_with(options.clone()).await;
    sign(&["-V", "20200101:20200102"]);
    let error = refused(options).await;
    assert!(matches!(&error, ConnectError::BadKey { why, .. } if why.contains("expired")), "{error}");
}

#[tokio::test]
async fn an_agent_opens_the_door_and_can_be_forwarded() {
    let sshd = Sshd::start();
    let socket = sshd.folder.path().join("agent");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    while !socket.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = sshd.folder.path().join("other");
    keygen(&other, "ed25519");
    for key in [&other, &sshd.key()] {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
        assert!(added.success());
    }
    let mut options = sshd.options();
    options.auth = vec![Auth::Agent];
    options.agent_socket = Some(socket.clone());
    options.agent_forwarding = true;
    let link = connect_with(options.clone()).await;
    let (exit, printed) = exec(&*link, "ssh-add -l | wc -l").await;
    assert_eq!((exit, printed.out().trim()), (Ok(Exit::Status(0)), "2"));
    options.agent_socket = Some(sshd.folder.path().join("nobody"));
    assert!(matches!(refused(options).await, ConnectError::Agent { .. }));
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_apart() {
    let sshd = Sshd::start();
    let mut options = sshd.options();
    options.port = free_port();
    assert!(matches!(refused(options).await, ConnectError::Refused { .. }));

    let mut options = sshd.options();
    options.host = "no-such-host.invalid".to_owned();
    assert!(matches!(refused(options).await, ConnectError::Unreachable { .. }));

    let mut options = sshd.options();
    let key = sshd.folder.path().join("stranger");
    keygen(&key, "ed25519");
    options.auth = vec![Auth::Key { path: key }];
    let error = refused(options).await;
    assert!(matches!(&error, ConnectError::AuthRefused { offered, .. } if offered == &["publickey"]), "{error}");
    assert!(error.to_string().contains("stranger") && error.is_auth() && error.may_pass(), "{error}");

    let mut options = sshd.options();
    options.auth = vec![Auth::Key { path: "~/no/such/key".into() }];
    let error = refused(options).await;
    assert!(matches!(&error, ConnectError::BadKey { path, .. } if !path.contains('~')), "{error}");

    let mut options = sshd.options();
    options.ciphers = vec!["rot13".to_owned()];
    assert!(refused(options).await.to_string().contains("`rot13`"));

    let cancel = CancellationToken::new();
    cancel.cancel();
    assert_eq!(connect(sshd.options(), &cancel).await.err(), Some(ConnectError::Cancelled));
}

#[tokio::test]
async fn an_encrypted_key_is_named_as_such() {
    let sshd = Sshd::start();
    for format in ["RFC4716", "PEM", "PKCS8"] {
        let path = sshd.folder.path().join(format);
        let mut make = Command::new("ssh-keygen");
        make.args(["-q", "-t", "rsa", "-N", "secret", "-m", format, "-f"]).arg(&path);
        assert!(make.status().unwrap().success());
        let mut options = sshd.options();
        options.auth = vec![Auth::Key { path }];
        let error = refused(options).await;
        assert!(matches!(&error, ConnectError::BadKey { why, .. } if why.contains("passphrase")), "{format}: {error}");
    }
}

#[tokio::test]
async fn what_does_not_speak_ssh_is_a_failed_handshake_within_the_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = ConnectOptions::new("127.0.0.1", listener.local_addr().unwrap().port(), "x");
    options.auth = vec![Auth::Password(Hidden::new("x"))];
    options.handshake_timeout = Duration::from_millis(100);
    // It takes the connection and is silent.
    assert!(matches!(refused(options.clone()).await, ConnectError::Handshake { .. }));
    options.handshake_timeout = Duration::from_mins(1);
    let speak = async {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    tokio::select! {
        error = refused(options) => assert!(matches!(error, ConnectError::Handshake { .. }), "{error}"),
        () = speak => unreachable!(),
    }
}

#[tokio::test]
async fn another_host_key_is_refused_on_reconnect() {
    let mut sshd = Sshd::start();
    let options = sshd.options();
    let link = connect_with(options.clone()).await;
    sshd.restart("");
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)), "the same key is welcome");
    keygen(&sshd.folder.path().join("host"), "ed25519");
    sshd.restart("");
    let (result, _) = exec(&*link, "true").await;
    assert!(matches!(&result, Err(RemoteError::Refused(why)) if why.contains("another host key")), "{result:?}");
    let error = refused(options.clone()).await;
    assert!(matches!(error, ConnectError::HostKeyChanged { .. }) && !error.may_pass());
    connect_with(ConnectOptions { host_keys: Arc::new(HostKeys::default()), ..options }).await;
}

#[tokio::test]
async fn a_new_key_of_another_kind_beside_the_known_one_is_no_change() {
    let mut sshd = Sshd::start();
    std::fs::rename(sshd.folder.path().join("host"), sshd.folder.path().join("first")).unwrap();
    keygen(&sshd.folder.path().join("host"), "ecdsa");
    sshd.restart("");
    let link = connect_with(sshd.options()).await;
    let first = sshd.folder.path().join("first").display().to_string();
    sshd.restart(&format!("HostKey {first}"));
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn a_reboot_is_waited_out() {
    let mut sshd = Sshd::start();
    let link = sshd.connect().await;
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
    sshd.kill();
    let limit = Duration::from_millis(1200);
    let result = link.await_return(limit, &never()).await;
    assert!(matches!(&result, Err(RemoteError::LinkLost(why)) if why.contains("did not come back")), "{result:?}");
    let cancel = CancellationToken::new();
    let cancelled = link.await_return(Duration::from_mins(5), &cancel);
    let (result, ()) = tokio::join!(cancelled, async { cancel.cancel() });
    assert_eq!(result, Err(RemoteError::Cancelled));
    sshd.restart("");
    assert_eq!(link.await_return(Duration::from_mins(1), &never()).await, Ok(()));
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn a_bastion_leads_to_the_target() {
    let bastion = Sshd::start();
    let target = Sshd::start();
    let mut options = target.options();
    let by = |key| Bastion {
        host: "127.0.0.1".to_owned(),
        port: bastion.port,
        user: user(),
        auth: vec![Auth::Key { path: key }],
    };
    options.bastion = Some(by(bastion.key()));
    let link = connect_with(options.clone()).await;
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
    assert!(bastion.log().contains("Accepted publickey") && target.log().contains("Accepted publickey"));
    bastion.kill_sessions();
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)), "it reconnects through the bastion");

    options.bastion = Some(by(target.key()));
    let error = refused(options.clone()).await;
    assert!(matches!(&error, ConnectError::BastionFailed(inner) if inner.is_auth()), "{error}");
    options.bastion = Some(by(bastion.key()));
    options.port = free_port();
    let error = refused(options).await;
    assert!(
        matches!(&error, ConnectError::BastionFailed(_)) && error.to_string().contains("cannot connect"),
        "{error}"
    );
}

/// A SOCKS5 proxy that asks for `user` and `sesame`.
async fn proxy(listener: tokio::net::TcpListener) {
    while let Ok((mut client, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut greeting = [0; 4];
            client.read_exact(&mut greeting).await.unwrap();
            assert_eq!(greeting, [5, 2, 0, 2]);
            client.write_all(&[5, 2]).await.unwrap();
            let mut login = [0; 13];
            client.read_exact(&mut login).await.unwrap();
            if login != *b"\x01\x04user\x06sesame" {
                client.write_all(&[1, 1]).await.unwrap();
                return;
            }
            client.write_all(&[1, 0]).await.unwrap();
            let mut request = [0; 10];
            client.read_exact(&mut request).await.unwrap();
            assert_eq!(request[..8], [5, 1, 0, 1, 127, 0, 0, 1]);
            let port = u16::from_be_bytes([request[8], request[9]]);
            match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                Ok(mut target) => {
                    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
                }
                Err(_) => client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap(),
            }
        });
    }
}

#[tokio::test]
async fn a_proxy_leads_to_the_target() {
    let sshd = Sshd::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(proxy(listener));
    let by = |password: &str| {
        let password = Some(Hidden::new(password));
        Some(Socks5 { host: "127.0.0.1".to_owned(), port, user: Some("user".to_owned()), password })
    };
    let mut options = sshd.options();
    options.proxy = by("sesame");
    assert_eq!(exec(&*connect_with(options.clone()).await, "true").await.0, Ok(Exit::Status(0)));
    options.proxy = by("secret");
    let error = refused(options.clone()).await;
    assert!(matches!(&error, ConnectError::ProxyFailed { why, .. } if why.contains("user name")), "{error}");
    options.proxy = by("sesame");
    options.port = free_port();
    let error = refused(options).await;
    assert!(matches!(&error, ConnectError::ProxyFailed { why, .. } if why.contains("refused")), "{error}");
}

async fn read_all(port: u16) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn tunnels_lead_both_ways() {
    let sshd = Sshd::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host_port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"hello").await;
        }
    });
    let (here, there) = (free_port(), free_port());
    let tunnel = |port| Tunnel { port, host: "127.0.0.1".to_owned(), host_port };
    let mut options = sshd.options();
    options.local_tunnels = vec![tunnel(here)];
    options.remote_tunnels = vec![tunnel(there)];
    let link = connect_with(options.clone()).await;
    assert_eq!(read_all(here).await, b"hello");
    assert_eq!(read_all(there).await, b"hello");
    let error = refused(options).await;
    assert!(matches!(error, ConnectError::Tunnel { port, .. } if port == here));
    sshd.kill_sessions();
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
    assert_eq!((read_all(here).await, read_all(there).await), (b"hello".to_vec(), b"hello".to_vec()));
    link.close().await;
}
