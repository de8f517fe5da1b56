//! Whom a statement is about: the elements Principal and NotPrincipal.

use super::request::Who;

/// Whom a statement is about.
#[derive(Debug)]
pub(super) struct Names {
    /// NotPrincipal.
    pub(super) except: bool,
    pub(super) names: Vec<Name>,
    /// Some of them are not understood.
    pub(super) strange: bool,
}

/// A name in a policy.
#[derive(Debug)]
pub(super) enum Name {
    Everyone,
    /// 12 digits.
    Account(String),
    Role {
        arn: String,
        account: String,
        name: String,
    },
    /// The ARN of a user or a session.
    Arn(String),
    Service(String),
}

/// How somebody is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    Not,
    Maybe,
    /// As somebody of an account, which decides who of it.
    InAccount,
    Personally,
}

impl Names {
    /// How the statement means somebody.
    pub(super) fn mean(&self, who: &Who<'_>) -> Meant {
        let found = self.names.iter().map(|name| name.means(who)).fold(Meant::Not, |best, meant| match (best, meant) {
            (Meant::Personally, _) | (_, Meant::Personally) => Meant::Personally,
            (Meant::InAccount, _) | (_, Meant::InAccount) => Meant::InAccount,
            _ => Meant::Not,
        });
        match (self.except, found) {
            (false, Meant::Not) if self.strange => Meant::Maybe,
            (false, found) => found,
            (true, _) if self.excepts(who) => Meant::Not,
            (true, _) if self.strange => Meant::Maybe,
            (true, _) => Meant::Personally,
        }
    }

    /// Whether NotPrincipal spares somebody: by the IAM user guide, both the account and the user must be there, or
    /// both the account and the role.
    fn excepts(&self, who: &Who<'_>) -> bool {
        let has = |meant| self.names.iter().any(|name| !matches!(name, Name::Everyone) && name.means(who) == meant);
        let everyone = self.names.iter().any(|name| matches!(name, Name::Everyone));
        everyone
            || match who {
                Who::Anonymous => false,
                Who::Service(_) => has(Meant::Personally),
                Who::Principal { root: true, .. } => has(Meant::InAccount),
                Who::Principal { session_of: None, .. } => has(Meant::InAccount) && has(Meant::Personally),
                Who::Principal { .. } => {
                    let role = |name: &Name| matches!(name, Name::Role { .. }) && name.means(who) == Meant::Personally;
                    has(Meant::InAccount) && self.names.iter().any(role)
                }
            }
    }
}

impl Name {
    /// What `AWS` in a principal can be: `*`, 12 digits, or an ARN without wildcards.
    pub(super) fn of_aws(text: &str) -> Option<Self> {
        let part =
            |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !matches!(c, '*' | '?' | ':'));
        if text == "*" {
            return Some(Self::Everyone);
        }
        if is_account(text) {
            return Some(Self::Account(text.into()));
        }
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, own] = fields.as_slice() else { return None };
        if !part(partition) || !is_account(account) || !part(own) {
            return None;
        }
        if (*service, *own) == ("iam", "root") {
            return Some(Self::Account((*account).into()));
        }
        let (kind, path) = own.split_once('/')?;
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        match (*service, kind) {
            ("iam", "role") => Some(Self::Role { arn: text.into(), account: (*account).into(), name: name.into() }),
            ("iam", "user") | ("sts", "federated-user") => Some(Self::Arn(text.into())),
            ("sts", "assumed-role") if path.split('/').count() == 2 => Some(Self::Arn(text.into())),
            _ => None,
        }
    }

    /// What `Service` in a principal can be: a name with a dot at least.
    pub(super) fn of_service(text: &str) -> Option<Self> {
        let letters =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
        (letters && text.contains('.')).then(|| Self::Service(text.into()))
    }

    pub(super) fn means(&self, who: &Who<'_>) -> Meant {
        let personally = |means| if means { Meant::Personally } else { Meant::Not };
        match (self, who) {
            (Self::Everyone, _) => Meant::Personally,
            (Self::Service(name), Who::Service(service)) => personally(name == service),
            (Self::Account(own), Who::Principal { account, .. }) if own == account => Meant::InAccount,
            (Self::Arn(own), Who::Principal { arn, .. }) => personally(own == arn),
            (Self::Role { arn: own, account: of, name }, Who::Principal { arn, account, session_of, .. }) => {
                personally(own == arn || (of == account && *session_of == Some(name)))
            }
            _ => Meant::Not,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
