//! The rules of the communicator's fields: what excludes what, what needs what, and which files must exist.

use super::{CommunicatorConfig, Kind};
use crate::component::contract::CheckContext;
use crate::remote::Tunnel;
use crate::text::Diagnostic;
use crate::text::code::communicator as code;

impl CommunicatorConfig {
    /// Rules over several fields. The config has passed its schema.
    pub fn check(&self, cx: &mut CheckContext<'_>) {
        match self.kind() {
            Kind::Ssh => self.check_ssh(cx),
            Kind::WinRm if self.winrm_username.is_empty() && !cx.places.unknown("winrm_username") => {
                let span = cx.places.value("communicator");
                cx.diagnostics.push(
                    Diagnostic::error(code::WINRM_USERNAME, span, "`winrm_username` is missing")
                        .help("WinRM needs the name of a user, such as `Administrator`"),
                );
            }
            Kind::WinRm | Kind::None => {}
        }
    }

    fn check_ssh(&self, cx: &mut CheckContext<'_>) {
        if self.ssh_username.is_empty() && !cx.places.unknown("ssh_username") {
            let span = cx.places.value("ssh_username");
            cx.diagnostics.push(Diagnostic::error(code::USERNAME, span, "`ssh_username` is missing").help(
                "write the user of the source image, such as `ubuntu`, `ec2-user` or `admin`; \
                     or `\"communicator\": \"none\"` when nothing is to be provisioned",
            ));
        }
        self.check_files(cx);
        let certified = [
            (
                "ssh_certificate_file",
                &self.ssh_certificate_file,
                !self.ssh_private_key_file.is_empty(),
                "ssh_private_key_file",
            ),
            (
                "ssh_bastion_certificate_file",
                &self.ssh_bastion_certificate_file,
                !self.ssh_bastion_private_key_file.is_empty() || !self.ssh_private_key_file.is_empty(),
                "ssh_bastion_private_key_file",
            ),
        ];
        for (field, value, has_key, key) in certified {
            if !value.is_empty() && !has_key && !cx.places.unknown(key) {
                let span = cx.places.value(field);
                cx.diagnostics.push(
                    Diagnostic::error(code::CERTIFICATE_WITHOUT_KEY, span, format!("`{field}` needs `{key}`"))
                        .help("a certificate proves nothing without the private key that it was made for"),
                );
            }
        }
        self.check_bastion(cx);
        for (field, tunnels) in
            [("ssh_local_tunnels", &self.ssh_local_tunnels), ("ssh_remote_tunnels", &self.ssh_remote_tunnels)]
        {
            for (i, tunnel) in tunnels.iter().enumerate() {
                let Err(why) = tunnel.parse::<Tunnel>() else { continue };
                let span = cx.places.value(&format!("{field}.{i}"));
                cx.diagnostics.push(Diagnostic::error(code::TUNNEL, span, why));
            }
        }
    }

    fn check_files(&self, cx: &mut CheckContext<'_>) {
        let files = [
            ("ssh_private_key_file", &self.ssh_private_key_file),
            ("ssh_certificate_file", &self.ssh_certificate_file),
            ("ssh_bastion_private_key_file", &self.ssh_bastion_private_key_file),
            ("ssh_bastion_certificate_file", &self.ssh_bastion_certificate_file),
        ];
        for (field, path) in files {
            if path.is_empty() || cx.places.unknown(field) || (cx.file_exists)(path) != Some(false) {
                continue;
            }
            let span = cx.places.value(field);
            cx.diagnostics.push(
                Diagnostic::error(code::FILE_MISSING, span, format!("`{path}` does not exist"))
                    .help(format!("`{field}` names a file of this host, relative to the working folder")),
            );
        }
    }

    fn check_bastion(&self, cx: &mut CheckContext<'_>) {
        if self.ssh_bastion_host.is_empty() {
            return;
        }
        let secrets = ["ssh_bastion_password", "ssh_bastion_private_key_file", "ssh_private_key_file"];
        let can_log_in = self.ssh_bastion_agent_auth
            || self.ssh_bastion_interactive
            || !self.ssh_bastion_password.is_empty()
            || !self.ssh_bastion_private_key_file.is_empty()
            || !self.ssh_private_key_file.is_empty();
        if !can_log_in && !secrets.iter().any(|f| cx.places.unknown(f)) {
            let span = cx.places.value("ssh_bastion_host");
            cx.diagnostics.push(
                Diagnostic::error(code::BASTION_AUTH, span, "nothing says how to log in to the bastion")
                    .help("add `ssh_bastion_private_key_file`, `ssh_bastion_password`, or `ssh_bastion_agent_auth`"),
            );
        }
        if !self.ssh_proxy_host.is_empty() {
            let (proxy, bastion) = (cx.places.key("ssh_proxy_host"), cx.places.key("ssh_bastion_host"));
            cx.diagnostics.push(
                Diagnostic::error(code::BASTION_AND_PROXY, proxy, "a bastion and a proxy exclude each other")
                    .related(bastion, "the bastion is set here")
                    .help("keep either `ssh_bastion_host` or `ssh_proxy_host`"),
            );
        }
    }
}
