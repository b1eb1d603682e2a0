"""Machines that answer SSH: each has an address of its own on loopback and a real sshd while it is up.

They are not isolated: commands run on this machine as the user who runs the tests, with HOME in the machine's folder.
"""
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
SFTP = next((p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server",
                         "/usr/libexec/sftp-server") if os.path.exists(p)), "internal-sftp")

CONFIG = """\
HostKey {dir}/host_key
HostKey {dir}/host_key_rsa
AuthorizedKeysFile {home}/authorized_keys {home}/home/.ssh/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
PubkeyAcceptedAlgorithms +ssh-rsa
HostKeyAlgorithms +ssh-rsa
UseDNS no
SetEnv SHLVL=5
PidFile none
MaxSessions 200
Subsystem sftp {sftp}
ForceCommand {dir}/session {id}
"""

# SHLVL is set, here and for sshd, since Debian's bash reads ~/.bashrc for a command from sshd when it is the outermost shell.
SESSION = """\
#!/bin/bash
here={dir}; id=$1; command=$SSH_ORIGINAL_COMMAND
printf '%s %s\\n' "$id" "${{command//$'\\n'/ ; }}" >>"$here/commands.log"
export HOME=$here/machines/$id/home MACHINE=$id SHLVL=2 PATH=$here/bin:$PATH
cd "$HOME" || exit 255
case $command in
  "") exec bash -l ;;
  *sftp-server*) exec {sftp} ;;
  *) exec bash -c "$command" ;;
esac
"""

# Machines have no sudo of their own: what is run with it runs as it is.
SUDO = """\
#!/bin/bash
while [ "${1#-}" != "$1" ]; do case $1 in -u|-g) shift 2 ;; *) shift ;; esac; done
exec env "$@"
"""


class Machine:
    def __init__(self, identity, address):
        self.id, self.address = identity, address
        self.listener, self.sessions, self.accepted = None, [], 0
        self.lock = threading.Lock()


class Machines:
    def __init__(self, directory, net, port):
        self.dir, self.net, self.port = directory, net, port
        self.faults = dict
        self.by_id, self.lock, self.count = {}, threading.Lock(), 0
        os.makedirs(os.path.join(directory, "bin"), exist_ok=True)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        # RSA, and ssh-rsa in the configuration, are for Packer 1.6.6 in the benches: it knows no other signatures.
        for kind, name in (("ed25519", "host_key"), ("rsa", "host_key_rsa")):
            subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", os.path.join(directory, name)], check=True)
        self.program("session", SESSION.format(dir=directory, sftp=SFTP))
        self.program("bin/sudo", SUDO)

    def program(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def address(self, identity):
        with self.lock:
            if identity not in self.by_id:
                self.count += 1
                address = f"127.{self.net // 250 + 10}.{self.net % 250}.{self.count % 250 + 1}"
                self.by_id[identity] = Machine(identity, address)
            return self.by_id[identity].address

    def boot(self, identity, public_key, delay):
        self.address(identity)
        machine = self.by_id[identity]
        home = os.path.join(self.dir, "machines", identity)
        os.makedirs(os.path.join(home, "home"), exist_ok=True)
        with open(os.path.join(home, "authorized_keys"), "w") as f:
            f.write(public_key + "\n")
        with open(os.path.join(home, "sshd_config"), "w") as f:
            f.write(CONFIG.format(dir=self.dir, home=home, sftp=SFTP, id=identity))
        threading.Thread(target=self.listen, args=(machine, delay), daemon=True).start()

    def listen(self, machine, delay):
        time.sleep(delay)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((machine.address, self.port))
        listener.listen(64)
        with machine.lock:
            machine.listener = listener
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with machine.lock:
                if machine.listener is not listener:
                    connection.close()
                    return
                machine.accepted += 1
                if machine.accepted > self.faults().get("drop_ssh", 0):
                    config = os.path.join(self.dir, "machines", machine.id, "sshd_config")
                    machine.sessions.append(subprocess.Popen([SSHD, "-i", "-e", "-f", config], stdin=connection, stdout=connection,
                                                             stderr=subprocess.DEVNULL, start_new_session=True))
                machine.sessions = [s for s in machine.sessions if s.poll() is None]
            connection.close()

    def halt(self, identity):
        machine = self.by_id.get(identity)
        if machine:
            with machine.lock:
                if machine.listener:
                    # shutdown wakes the accept that sleeps on it; close alone does not
                    machine.listener.shutdown(socket.SHUT_RDWR)
                    machine.listener.close()
                    machine.listener = None
            self.cut(identity)

    def cut(self, identity):
        """Breaks every connection to the machine; what runs in them ends too."""
        machine = self.by_id[identity]
        with machine.lock:
            for session in machine.sessions:
                kill_tree(session.pid)
            machine.sessions = []

    def reboot(self, identity, down):
        self.halt(identity)
        threading.Thread(target=self.listen, args=(self.by_id[identity], down), daemon=True).start()

    def close(self):
        for identity in list(self.by_id):
            self.halt(identity)


def kill_tree(pid):
    """Ends a process and its descendants (sshd's children leave its process group). Itself first: a shell that saw its command
    end would tell of that, and the link must break before."""
    for each in below(pid):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            pass


def below(pid):
    """A process and its descendants, from the top."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = [int(c) for c in f.read().split()]
    except OSError:
        children = []
    return [pid, *(p for child in children for p in below(child))]
