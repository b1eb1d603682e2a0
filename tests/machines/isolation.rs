//! What programs inside cannot reach.

use super::bench::{Bench, Wish, is_root, picture, status, text};
use kiln::practice::machine::Limits;
use std::path::Path;

/// Each tries to get out or at the host, and ends with 0 if it did.
const ESCAPES: &[&str] = &[
    "mount -t tmpfs x /mnt",
    "mount --bind /usr /mnt",
    "mount -o remount,rw /proc/sys",
    "mount -t proc x /mnt",
    "mount -t sysfs x /mnt",
    "umount -l /proc/sys",
    "umount -l /proc/kallsyms",
    "unshare -m true",
    "unshare -Ur true",
    "unshare -Urm mount -t proc x /mnt",
    "mount -t cgroup -o memory x /mnt && ls /mnt/release_agent",
    "mount -t cgroup2 x /mnt",
    "ls /sys/fs/cgroup/*/release_agent",
    "mknod /tmp/disk b 254 0",
    "mknod /tmp/mem c 1 1",
    "ls /dev/vda || ls /dev/sda || ls /dev/nvme0n1 || ls /dev/mem || ls /dev/kmsg || ls /dev/fuse || ls /dev/loop-control",
    "test -e /proc/sysrq-trigger && echo h > /proc/sysrq-trigger && ! test -c /proc/sysrq-trigger",
    "echo x > /proc/sys/kernel/core_pattern",
    "echo 1 > /proc/sys/kernel/sysrq",
    "echo 3 > /proc/sys/vm/drop_caches",
    "echo x > /sys/kernel/uevent_helper",
    "echo mem > /sys/power/state",
    "chmod 700 /dev/null",
    "chmod 700 /proc/sys/kernel/core_pattern",
    "ls /proc/1/root/",
    "touch /proc/1/root/tmp/x",
    "readlink /proc/1/exe",
    "readlink /proc/1/cwd",
    "cat /proc/1/environ",
    "cat /proc/1/exe",
    "echo x > /proc/1/exe",
    "for f in /proc/1/fd/*; do cat $f && exit 0; done; exit 1",
    "head -c 1 /proc/1/mem",
    "nsenter -t 1 -m true",
    "nsenter -t 1 -a true",
    "chroot /proc/1/root true",
    "test $(ls -d /proc/[0-9]* | wc -l) -gt 40",
    "ls /run/systemd/private || ls /run/dbus/system_bus_socket || ls /run/docker.sock || ls /var/run/docker.sock",
    "bash -c 'exec 3<>/dev/tcp/127.0.0.1/22' || bash -c 'exec 3<>/dev/tcp/127.0.0.1/2222'",
    "cat /proc/kcore | head -c 1 | grep .",
    "head -c 1 /proc/kallsyms | grep .",
    "dmesg",
    "date -s @0",
    "perl -e 'chroot(\"/tmp\") or exit 1; chdir(\"..\") for 1..64; chroot(\".\"); exit(-d \"/home/nobody-else\" || !-d \"/etc\" ? 1 : -e $ENV{OUTSIDE} ? 0 : 1)'",
    "test -e $OUTSIDE",
    "sysctl -w kernel.hostname=x",
    "swapoff -a && test -s /proc/swaps",
    "ip link show | grep -v -e lo: -e link/loopback | grep .",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_out() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let outside = bench.folder.path().join("key").display().to_string();
    // The tries themselves work outside of a machine: the file is there.
    assert!(Path::new(&outside).exists());
    let mut script = format!("export OUTSIDE={outside}\n");
    for (number, escape) in ESCAPES.iter().enumerate() {
        script += &format!("( {escape} ) >/dev/null 2>&1 </dev/null && echo reached {number}\n");
    }
    for user in ["root", "ubuntu"] {
        let output = bench.ssh_with((user, address), "sh -s", format!("{script}echo end\n").as_bytes()).await;
        let said = text(&output.stdout);
        let reached: Vec<&str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("reached ")?.parse::<usize>().ok())
            .map(|number| ESCAPES[number])
            .collect();
        assert!(reached.is_empty(), "{user} reached {reached:?}");
        assert!(said.ends_with("end"), "{said}");
    }
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_secrets_are_not_there() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    // Not the file with passwords, no people, no keys, no homes.
    let shadow = bench.says(("root", address), "cut -d: -f2 /etc/shadow | sort -u").await;
    assert_eq!(shadow, "!");
    let people =
        bench.says(("root", address), "awk -F: '$3 >= 1000 && $3 < 60000 {print $1}' /etc/passwd; ls /home").await;
    let known = ["admin", "centos", "debian", "ec2-user", "fedora", "rocky", "ubuntu"];
    assert!(people.lines().all(|name| known.contains(&name)), "{people}");
    assert_eq!(
        bench
            .says(("root", address), "ls /etc/ssh/*key* /etc/ssl/private/* /root/.aws /root/.config 2>/dev/null; true")
            .await,
        ""
    );
    assert_eq!(bench.says(("root", address), "ls -A /root /opt /srv /mnt /media | grep -v -e : -e '^$'").await, ".ssh");
    // Nothing in /etc that others may not read on the host.
    for entry in std::fs::read_dir("/etc").unwrap().flatten() {
        use std::os::unix::fs::PermissionsExt;
        let Ok(data) = entry.metadata() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let own = ["shadow", "sudoers"].contains(&&*name);
        if data.is_file() && data.permissions().mode() & 0o004 == 0 && !own {
            let there = bench.ssh(("root", address), &format!("test -e '/etc/{name}'")).await;
            assert_ne!(status(&there), 0, "/etc/{name}");
        }
    }
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_not_written_to() {
    let bench = Bench::real().await;
    let folders = ["/etc", "/usr/bin", "/usr/sbin", "/usr/local", "/usr/share/doc", "/home", "/opt", "/srv"];
    let before: Vec<_> = folders.iter().map(|folder| picture(Path::new(folder))).collect();
    let address = bench.launch("i-1", Wish::default()).await;
    let vandal = "rm -rf /opt/* /home/* /srv/* /etc/* 2>/dev/null; echo x > /etc/passwd; echo '#' >> /usr/bin/env; \
                  rm -f /usr/bin/yes; touch /usr/bin/new /usr/local/bin/new /usr/share/doc/new; chmod 777 /usr/bin /usr/sbin; \
                  for f in /usr/bin/a*; do echo gone > $f; chown 1:1 $f; done; sync; ls /usr/bin/new /usr/local/bin/new";
    let output = bench.ssh_with(("root", address), "bash -s", vandal.as_bytes()).await;
    assert_eq!(text(&output.stdout), "/usr/bin/new\n/usr/local/bin/new", "{}", text(&output.stderr));
    for (folder, before) in folders.iter().zip(before) {
        assert!(before == picture(Path::new(folder)), "{folder} is another one");
    }
    bench.machines.terminate("i-1").await.unwrap();
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_processes_have_limits() {
    let bench = Bench::real().await;
    let limits = Limits { memory_mib: Some(256), processes: Some(60), disk_mib: Some(10) };
    let address = bench.launch("i-1", Wish { limits, ..Wish::default() }).await;
    let at = ("ubuntu", address);
    let file = bench.ssh(at, "head -c 20000000 /dev/zero > /tmp/large; echo $(stat -c %s /tmp/large)").await;
    assert_eq!(text(&file.stdout), "10485760");
    let many = "exec 2>/dev/null; i=0; while [ $i -lt 200 ]; do sleep 60 >/dev/null 2>&1 </dev/null & i=$((i+1)); done; jobs -p | wc -l";
    let output = bench.ssh_with(at, "bash -s", many.as_bytes()).await;
    let started: usize = text(&output.stdout).lines().last().and_then(|line| line.parse().ok()).unwrap_or(0);
    assert!(started < 100, "{started}: {}", text(&output.stderr));
    bench.ssh(("root", address), "kill -9 -1").await;
    let limited = match bench.machines.isolation() {
        kiln::practice::machine::Isolation::Real { limits } => !limits.iter().any(|limit| limit.starts_with("memory")),
        kiln::practice::machine::Isolation::Scripted { .. } => false,
    };
    if limited && is_root() {
        let output = bench.ssh(at, "perl -e '$x = \"a\" x 600000000; print length $x'").await;
        assert_ne!(text(&output.stdout), "600000000");
    }
    bench.machines.close().await;
}
