//! How to seal, and what to open: what the keyword arguments of Python's functions come to.

use crate::error::argument;
use crate::key::GivenKey;
use crate::keyring::Keyring;
use objseal::Engine;
use objseal::checksums::Wanted;
use objseal::cobblestone::Threads;
use objseal::envelope::{EncryptionContext, ObjectId, Policy, SingleKey, Suite};
use pyo3::prelude::*;
use std::ops::Deref;
use std::sync::Arc;

/// Something that holds root keys.
pub(crate) struct Service(pub(crate) objseal_bindings::Service);

impl<'a, 'py> FromPyObject<'a, 'py> for Service {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(keyring) = obj.cast::<Keyring>() {
            return Ok(Self(objseal_bindings::Service::Keyring(Arc::clone(&keyring.get().0))));
        }
        let key: GivenKey = obj.extract()?;
        Ok(Self(objseal_bindings::Service::single(&key.0)))
    }
}

fn encryption_context(pairs: &[(String, String)]) -> PyResult<EncryptionContext> {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        context.insert(key, value).map_err(|_| argument("a context has at most 64 pairs and 8 KiB"))?;
    }
    Ok(context)
}

fn engine(name: Option<&str>) -> PyResult<Option<Engine>> {
    name.map(|name| name.parse::<Engine>().map_err(|error| argument(error.to_string()))).transpose()
}

/// The digests of these names.
pub(crate) fn wanted(names: &[String]) -> PyResult<Wanted> {
    names.iter().try_fold(Wanted::NONE, |wanted, name| {
        let one: Wanted = name.parse().map_err(|error| argument(format!("digest {name:?}: {error}")))?;
        Ok(wanted | one)
    })
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
pub(crate) struct Sealing(pub(crate) objseal_bindings::Sealing);

type Recipient = (Service, Option<String>);

#[pymethods]
impl Sealing {
    #[new]
    #[pyo3(signature = (recipients, outer, context, engine, outer_engine, check, digests))]
    fn new(
        recipients: Vec<Recipient>,
        outer: Option<Vec<Recipient>>,
        context: Vec<(String, String)>,
        engine: Option<&str>,
        outer_engine: Option<&str>,
        check: bool,
        digests: Vec<String>,
    ) -> PyResult<Self> {
        let named = |recipients: Vec<Recipient>| {
            let name = |name: Option<String>| name.unwrap_or_else(|| SingleKey::KEY_ID.to_owned());
            recipients.into_iter().map(|(service, key)| (service.0, name(key))).collect()
        };
        Ok(Self(objseal_bindings::Sealing {
            recipients: [Some(recipients), outer].into_iter().flatten().map(named).collect(),
            context: encryption_context(&context)?,
            engine: self::engine(engine)?,
            outer_engine: self::engine(outer_engine)?,
            check,
            digests: wanted(&digests)?,
        }))
    }
}

impl Deref for Sealing {
    type Target = objseal_bindings::Sealing;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What is opened, with which keys.
#[pyclass(frozen, module = "objseal._objseal")]
pub(crate) struct Opening(objseal_bindings::Opening);

#[pymethods]
impl Opening {
    #[new]
    #[pyo3(signature = (services, context, minimum_layers, suites, accepted_services, key_ids, object_id, minimum_generation, engine, outer_engine))]
    #[allow(clippy::too_many_arguments, reason = "Python's half gives all of them by name")]
    fn new(
        services: Vec<Service>,
        context: Option<Vec<(String, String)>>,
        minimum_layers: u8,
        suites: Option<Vec<String>>,
        accepted_services: Option<Vec<String>>,
        key_ids: Option<Vec<String>>,
        object_id: Option<Vec<u8>>,
        minimum_generation: u64,
        engine: Option<&str>,
        outer_engine: Option<&str>,
    ) -> PyResult<Self> {
        let suite = |name: String| match name == Suite::Cobblestone256.name() {
            true => Ok(Suite::Cobblestone256),
            false => Err(argument(format!("suite {name:?}: known is {}", Suite::Cobblestone256.name()))),
        };
        let id = |id: Vec<u8>| {
            let bytes: Result<[u8; ObjectId::LEN], _> = id.try_into();
            bytes.map(ObjectId::from_bytes).map_err(|_| argument("an object id is 32 bytes long"))
        };
        let mut policy = Policy::default();
        policy.context = context.map(|pairs| encryption_context(&pairs)).transpose()?;
        policy.minimum_layers = minimum_layers;
        policy.suites = suites.map(|names| names.into_iter().map(suite).collect()).transpose()?;
        policy.services = accepted_services;
        policy.key_ids = key_ids;
        policy.object_id = object_id.map(id).transpose()?;
        policy.minimum_generation = minimum_generation;
        let services = services.into_iter().map(|service| service.0).collect();
        let (engine, outer_engine) = (self::engine(engine)?, self::engine(outer_engine)?);
        Ok(Self(objseal_bindings::Opening { services, policy, engine, outer_engine }))
    }
}

impl Deref for Opening {
    type Target = objseal_bindings::Opening;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
