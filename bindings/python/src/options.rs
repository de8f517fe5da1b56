//! How to seal, and what to open: what the keyword arguments of Python's functions come to.

use crate::error::{Kind, OrRaise, Raise, argument};
use crate::key::GivenKey;
use crate::keyring::Keyring;
use objseal::Engine;
use objseal::checksums::Wanted;
use objseal::cobblestone::Threads;
use objseal::envelope::{
    self, ChecksumAlgorithm, DemandedContext, EncryptionContext, FormatError, ObjectId, Suite, WrappingKey,
};
use objseal_keys::keyring::{SERVICE, SharedKeyring};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A wrapping key as Python's half gives it: a keyring and a name, or a key.
pub(crate) struct GivenWrappingKey(pub(crate) Arc<WrappingKey>);

impl<'a, 'py> FromPyObject<'a, 'py> for GivenWrappingKey {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match obj.extract::<(Bound<'py, Keyring>, String)>() {
            Ok((keyring, name)) => Ok(Self(keyring.get().keys.latest(&name).or_raise()?)),
            Err(_) => Ok(Self(obj.extract::<GivenKey>()?.0)),
        }
    }
}

pub(crate) type Pairs = Vec<(String, String)>;

/// The context with these pairs that are stored, and these that are only bound.
pub(crate) fn encryption_context(stored: &Pairs, bound: &Pairs) -> PyResult<EncryptionContext> {
    let mut context = EncryptionContext::new();
    let added = stored.iter().try_for_each(|(key, value)| context.insert(key, value));
    let added = added.and_then(|()| bound.iter().try_for_each(|(key, value)| context.bind(key, value)));
    added.map(|()| context).map_err(|error| match error {
        FormatError::TooLong => argument("a context has at most 64 pairs and 8 KiB"),
        _ => argument("context: a key is empty, or there is a pair of it that is stored and one that is bound"),
    })
}

fn engine(name: &str) -> PyResult<Engine> {
    name.parse::<Engine>().map_err(|error| argument(error.to_string()))
}

/// What makes the digest of this name.
pub(crate) fn algorithm(name: &str) -> PyResult<ChecksumAlgorithm> {
    let found = ChecksumAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
    let known = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name).join(" ");
    found.ok_or_else(|| argument(format!("digest {name:?}: no such digest; known are: {known}")))
}

/// The digests of these names.
pub(crate) fn wanted(names: &[String]) -> PyResult<Wanted> {
    names.iter().try_fold(Wanted::NONE, |wanted, name| Ok(wanted | Wanted::of(algorithm(name)?)))
}

/// The engines of this build that this machine can run, the best first.
#[pyfunction]
pub(crate) fn engines() -> Vec<&'static str> {
    Engine::all().filter(|engine| engine.is_available()).map(Engine::name).collect()
}

/// A number of threads; 0 is as many as there are CPUs.
pub(crate) struct ThreadCount(pub(crate) Threads);

impl<'a, 'py> FromPyObject<'a, 'py> for ThreadCount {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let count: i64 = obj.extract()?;
        let threads = u32::try_from(count).ok().and_then(objseal_bindings::threads);
        let none = || argument(format!("threads={count}: 1 to 1,000, or 0 for as many as there are CPUs"));
        threads.map(Self).ok_or_else(none)
    }
}

/// How objects are sealed.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct SealOptions(pub(crate) envelope::SealOptions);

#[pymethods]
impl SealOptions {
    #[new]
    fn new(
        keys: Vec<GivenWrappingKey>,
        outer_keys: Vec<GivenWrappingKey>,
        context: (Pairs, Pairs),
        engine: Option<&str>,
        outer_engine: Option<&str>,
        check: bool,
        digests: Vec<String>,
    ) -> PyResult<Self> {
        let mut options = envelope::SealOptions::default().with_context(encryption_context(&context.0, &context.1)?);
        options = keys.into_iter().fold(options, |options, key| options.with_key(key.0));
        options = outer_keys.into_iter().fold(options, |options, key| options.with_outer_key(key.0));
        options = options.with_digests(wanted(&digests)?);
        if let Some(name) = engine {
            options = options.with_engine(self::engine(name)?).or_raise()?;
        }
        if let Some(name) = outer_engine {
            options = options.with_outer_engine(self::engine(name)?).or_raise()?;
        }
        Ok(Self(if check { options.with_check() } else { options }))
    }
}

/// `objseal.Policy`.
#[derive(FromPyObject)]
struct Policy {
    minimum_layers: u8,
    suites: Option<Vec<String>>,
    services: Option<Vec<String>>,
    key_ids: Option<Vec<String>>,
    inner_services: Option<Vec<String>>,
    inner_key_ids: Option<Vec<String>>,
    outer_services: Option<Vec<String>>,
    outer_key_ids: Option<Vec<String>>,
    object_id: Option<Vec<u8>>,
    minimum_generation: u64,
}

impl Policy {
    /// The core's policy of this.
    fn demands(self) -> PyResult<envelope::Policy> {
        let suite = |name: String| match name == Suite::Cobblestone256.name() {
            true => Ok(Suite::Cobblestone256),
            false => Err(argument(format!("suite {name:?}: known is {}", Suite::Cobblestone256.name()))),
        };
        let id = |id: Vec<u8>| {
            let bytes: Result<[u8; ObjectId::LEN], _> = id.try_into();
            bytes.map(ObjectId::from_bytes).map_err(|_| argument("an object id is 32 bytes long"))
        };
        let mut policy = envelope::Policy::default();
        policy.minimum_layers = self.minimum_layers;
        policy.suites = self.suites.map(|names| names.into_iter().map(suite).collect()).transpose()?;
        let [inner, outer] = &mut policy.layer_keys;
        for (keys, services, key_ids) in [
            (&mut policy.keys, self.services, self.key_ids),
            (inner, self.inner_services, self.inner_key_ids),
            (outer, self.outer_services, self.outer_key_ids),
        ] {
            (keys.services, keys.key_ids) = (services, key_ids);
        }
        policy.object_id = self.object_id.map(id).transpose()?;
        policy.minimum_generation = self.minimum_generation;
        Ok(policy)
    }
}

/// What is opened, with which keys.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct OpenOptions {
    pub(crate) how: envelope::OpenOptions,
    /// What has the keys, if it is one.
    keyring: Option<Arc<SharedKeyring>>,
}

/// A key that an object names: its service, its name and its version.
type NamedKey = (String, String, u32);

impl OpenOptions {
    /// What opening came to. Of a key that the keyring has in older versions alone the exception says how to come by it.
    pub(crate) fn or_raise<T>(&self, opened: Result<T, impl Raise>) -> PyResult<T> {
        opened.map_err(|error| Python::attach(|py| self.explained(py, error.raise()).unwrap_or_else(|error| error)))
    }

    fn explained(&self, py: Python<'_>, error: PyErr) -> PyResult<PyErr> {
        let Some(keyring) = self.keyring.as_ref().filter(|_| Kind::KeyNotFound.is(py, &error)) else {
            return Ok(error);
        };
        let wanted: Vec<NamedKey> = error.value(py).getattr("wanted")?.extract()?;
        let latest: BTreeMap<_, _> = keyring.keys().into_iter().collect();
        let older = wanted.iter().find_map(|(service, name, version)| {
            let latest = latest.get(name).filter(|&latest| service == SERVICE && latest < version)?;
            Some(format!("this keyring has {name:?} up to version {latest}, as it was when its file was read"))
        });
        let Some(older) = older else { return Ok(error) };
        let message = format!("{}; {older}: Keyring.reload() reads it again", error.value(py));
        Ok(Kind::KeyNotFound.with_args(py, (message, wanted)))
    }
}

#[pymethods]
impl OpenOptions {
    /// `holder` is a keyring or a key; of a keyring only the keys of these `names` are used, if there are any. `context` are
    /// all pairs or, if it says so, those that are known and not stored.
    #[new]
    fn new(
        holder: &Bound<'_, PyAny>,
        names: Option<Vec<String>>,
        context: Option<(Pairs, bool)>,
        policy: Policy,
        engine: Option<&str>,
        outer_engine: Option<&str>,
    ) -> PyResult<Self> {
        let mut policy = policy.demands()?;
        policy.context = match context {
            Some((pairs, false)) => DemandedContext::Exactly(encryption_context(&pairs, &Pairs::new())?),
            Some((bound, true)) => DemandedContext::Known(encryption_context(&Pairs::new(), &bound)?),
            None => DemandedContext::Any,
        };
        if let Some(mut names) = names {
            names.retain(|name| policy.keys.key_ids.as_ref().is_none_or(|accepted| accepted.contains(name)));
            policy.keys.key_ids = Some(names);
        }
        let mut options = envelope::OpenOptions::new().with_policy(policy);
        let keyring = holder.cast::<Keyring>().ok().map(|keyring| Arc::clone(&keyring.get().keys));
        options = match &keyring {
            Some(keyring) => options.with_service(keyring.clone()),
            None => options.with_key(holder.extract::<GivenKey>()?.0),
        };
        if let Some(name) = engine {
            options = options.with_engine(self::engine(name)?).or_raise()?;
        }
        if let Some(name) = outer_engine {
            options = options.with_outer_engine(self::engine(name)?).or_raise()?;
        }
        Ok(Self { how: options, keyring })
    }
}
