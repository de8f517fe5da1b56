//! The condition keys that are known: IAM user guide, "AWS global condition context keys"; AWS KMS developer guide,
//! "Condition keys for AWS KMS"; Amazon S3 user guide.

/// What a value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or an ARN.
    Text,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A date.
    Date,
    /// A date as seconds since 1970, and so a number as well.
    Epoch,
    /// An address.
    Address,
}

/// A known key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// In lower case.
    name: &'static str,
    pub(super) kind: Kind,
    /// Whether a request can have several values of it.
    pub(super) many: bool,
}

/// Each pair of an encryption context, and each tag, is a value of the key with its prefix and the name of the pair or tag.
const PREFIXES: [&str; 3] = ["aws:requesttag/", "aws:resourcetag/", "kms:encryptioncontext:"];

/// A key that is not here makes its statement undecidable: its absence from a request would say nothing.
const KNOWN: &[Known] = &[
    one("aws:currenttime", Kind::Date),
    one("aws:epochtime", Kind::Epoch),
    one("aws:principalaccount", Kind::Text),
    one("aws:principalarn", Kind::Text),
    one("aws:principaltype", Kind::Text),
    one("aws:securetransport", Kind::Bool),
    one("aws:sourceip", Kind::Address),
    many("aws:tagkeys"),
    one("aws:userid", Kind::Text),
    one("aws:username", Kind::Text),
    one("kms:bypasspolicylockoutsafetycheck", Kind::Bool),
    one("kms:calleraccount", Kind::Text),
    many("kms:encryptioncontextkeys"),
    one("kms:expirationmodel", Kind::Text),
    one("kms:grantconstrainttype", Kind::Text),
    one("kms:granteeprincipal", Kind::Text),
    one("kms:grantisforawsresource", Kind::Bool),
    many("kms:grantoperations"),
    one("kms:keyorigin", Kind::Text),
    one("kms:keyspec", Kind::Text),
    one("kms:keyusage", Kind::Text),
    one("kms:reencryptonsamekey", Kind::Bool),
    one("kms:requestalias", Kind::Text),
    many("kms:resourcealiases"),
    one("kms:retiringprincipal", Kind::Text),
    one("kms:rotationperiodindays", Kind::Number),
    one("kms:schedulekeydeletionpendingwindowindays", Kind::Number),
    one("kms:validto", Kind::Epoch),
    one("kms:viaservice", Kind::Text),
    one("kms:wrappingalgorithm", Kind::Text),
    one("kms:wrappingkeyspec", Kind::Text),
    one("s3:delimiter", Kind::Text),
    one("s3:max-keys", Kind::Number),
    one("s3:prefix", Kind::Text),
    one("s3:x-amz-acl", Kind::Text),
    one("s3:x-amz-server-side-encryption", Kind::Text),
    one("s3:x-amz-server-side-encryption-aws-kms-key-id", Kind::Text),
    one("s3:x-amz-server-side-encryption-customer-algorithm", Kind::Text),
];

/// What is known of a key, whose name is in lower case.
pub(super) fn known(key: &str) -> Option<Known> {
    let named = |prefix: &&str| key.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    if let Some(prefix) = PREFIXES.into_iter().find(named) {
        return Some(one(prefix, Kind::Text));
    }
    KNOWN.iter().copied().find(|known| known.name == key)
}

const fn one(name: &'static str, kind: Kind) -> Known {
    Known { name, kind, many: false }
}

const fn many(name: &'static str) -> Known {
    Known { name, kind: Kind::Text, many: true }
}
