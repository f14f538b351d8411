//! Who may do what, and with which credentials: git, LDAP, certificates, Slack, Vault, the native scheduler.

use super::SystemConfig;
use super::getter::{Read, getters, optional_texts};
use crate::setting::Scope;

/// A repository of `git_config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepo {
    /// Who logs in.
    pub git_user: String,
    /// Its name on the servers.
    pub repo_name: String,
    /// The host it is read from.
    pub git_server: String,
    /// The host that deploy tags are pushed to.
    pub deploy_server: String,
}

/// `paasta_native`: with what the native scheduler registers. The secret never shows in Debug.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NativeCredentials {
    /// The Mesos principal.
    pub principal: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
}

impl std::fmt::Debug for NativeCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeCredentials").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// The one repository that is known without `git_config`.
const CONFIGS: &str = "yelpsoa-configs";

getters! {
    /// Whether requests to the API carry the certificate below `~/.paasta/pki`.
    enable_client_cert_auth: boolean or true => bool;
    /// How long such a certificate is valid, with its unit.
    auth_certificate_ttl: text or "11h".to_owned() => String;
    /// Name of the Vault backend that issues it.
    pki_backend: text or "paastaca".to_owned() => String;
}

optional_texts! {
    /// The LDAP server that knows who belongs to which group.
    ldap_host;
    /// Where LDAP is searched from.
    ldap_search_base;
    /// The organisational unit searched.
    ldap_search_ou;
    /// Who reads LDAP.
    ldap_reader_username;
    /// Their password.
    ldap_reader_password;
    /// What checks an image for security, as a shell command.
    security_check_command;
}

impl SystemConfig {
    /// The token of the Slack client; programs prefer `SLACK_API_TOKEN` of their environment.
    pub fn slack_token(&self) -> Read<Option<String>> {
        self.member("slack", "token")
    }

    /// With what the native scheduler registers.
    pub fn paasta_native(&self) -> Read<NativeCredentials> {
        let (principal, secret) =
            (self.member("paasta_native", "principal")?, self.member("paasta_native", "secret")?);
        Ok(NativeCredentials { principal, secret })
    }

    /// The ecosystem whose Vault a cluster uses; `None` where it is not listed.
    pub fn vault_ecosystem(&self, cluster: &str) -> Read<Option<String>> {
        self.member("vault_cluster_map", cluster)
    }

    /// Where a repository of configuration is; by default `yelpsoa-configs` alone is known.
    pub fn git_repo(&self, name: &str) -> Read<GitRepo> {
        const HOST: &str = "sysgit.yelpcorp.com";
        let config = Scope { map: self.map_or_empty("git_config")?, path: "git_config" };
        let git_user = config.text_or_null("git_user")?.unwrap_or("git").to_owned();
        let repos =
            Scope { map: self.map_or_empty("git_config")?, path: "git_config" }.map_or_null("repos")?;
        let path = format!("git_config.repos.{name}");
        let Some(repos) = repos else {
            self.needed(&path, (name == CONFIGS).then_some(()))?;
            let host = || HOST.to_owned();
            return Ok(GitRepo {
                git_user,
                repo_name: name.to_owned(),
                git_server: host(),
                deploy_server: host(),
            });
        };
        let repo = Scope { map: repos, path: "git_config.repos" }.map_or_null(name)?;
        let repo = Scope { map: self.needed(&path, repo)?, path: &path };
        let member = |key: &str| -> Read<String> {
            Ok(self.needed(&repo.key(key), repo.text_or_null(key)?)?.to_owned())
        };
        let (repo_name, git_server) = (member("repo_name")?, member("git_server")?);
        Ok(GitRepo { git_user, repo_name, git_server, deploy_server: member("deploy_server")? })
    }

    /// A text of a map; `None` if either is missing or null.
    pub(super) fn member(&self, map: &str, key: &str) -> Read<Option<String>> {
        let scope = Scope { map: self.map_or_empty(map)?, path: map };
        Ok(scope.text_or_null(key)?.map(str::to_owned))
    }
}
