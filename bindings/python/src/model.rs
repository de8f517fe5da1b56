//! What Python is told of objects: the dataclasses of `objseal._model`.

use objseal::Engine;
use objseal::envelope::{Attributes, Content, Digests, Head, Part, Receipt};
use objseal::file::{Info, SlotState};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

fn make<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    py.import("objseal._model")?.getattr(class)?.call((), Some(fields))
}

fn head_fields<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("object_id", PyBytes::new(py, head.object_id.as_bytes()))?;
    let context = PyDict::new(py);
    head.context.iter().try_for_each(|(key, value)| context.set_item(key, value))?;
    fields.set_item("context", context)?;
    fields.set_item("generation", head.generation)?;
    fields.set_item("layers", head.layers())?;
    fields.set_item("suites", head.suites.iter().map(|suite| suite.name()).collect::<Vec<_>>())?;
    let keys = head.wrapped_keys.iter().map(|key| {
        let entry = PyDict::new(py);
        entry.set_item("layer", key.layer)?;
        entry.set_item("service", &key.service)?;
        entry.set_item("key_id", &key.key_id)?;
        entry.set_item("version", key.key_version)?;
        make(py, "WrappedKey", &entry)
    });
    fields.set_item("keys", keys.collect::<PyResult<Vec<_>>>()?)?;
    let content = match head.content {
        Content::Body { .. } => "body",
        Content::Parts(_) => "parts",
        Content::DetachedTable(_) => "parts with a table apart",
        _ => "unknown",
    };
    fields.set_item("content", content)?;
    Ok(fields)
}

fn slots_name(slots: SlotState) -> &'static str {
    match slots {
        SlotState::Same => "same",
        SlotState::Damaged { .. } => "one damaged",
        _ => "one older",
    }
}

fn digests<'py>(py: Python<'py>, digests: &Digests) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    digests.iter().try_for_each(|(name, value)| found.set_item(name, PyBytes::new(py, &value)))?;
    Ok(found)
}

/// What a head says, and what is known besides. Nobody has verified it.
pub(crate) fn facts(py: Python<'_>, head: &Head, length: Option<u64>, slots: Option<SlotState>) -> PyResult<Py<PyAny>> {
    let fields = head_fields(py, head)?;
    fields.set_item("length", length)?;
    fields.set_item("slots", slots.map(slots_name))?;
    Ok(make(py, "Facts", &fields)?.unbind())
}

/// What is known of an object that was sealed or opened.
pub(crate) fn info(
    py: Python<'_>,
    head: &Head,
    attributes: Option<&Attributes>,
    engines: &[Engine],
    slots: Option<SlotState>,
) -> PyResult<Py<PyAny>> {
    let fields = head_fields(py, head)?;
    fields.set_item("length", attributes.map(|attributes| attributes.plaintext_len))?;
    fields.set_item("slots", slots.map(slots_name))?;
    fields.set_item("engines", engines.iter().map(|engine| engine.name()).collect::<Vec<_>>())?;
    let none = Attributes::default();
    let attributes = attributes.unwrap_or(&none);
    fields.set_item("digests", digests(py, &attributes.digests)?)?;
    fields.set_item("composite_digests", digests(py, &attributes.composite)?)?;
    fields.set_item("etag", attributes.etag.as_deref())?;
    Ok(make(py, "Info", &fields)?.unbind())
}

/// The same of a file.
pub(crate) fn of_file(py: Python<'_>, file: &Info) -> PyResult<Py<PyAny>> {
    info(py, file.envelope.head(), Some(&file.attributes), &file.engines, Some(file.slots))
}

/// A part of an object.
pub(crate) fn part<'py>(py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("number", part.number)?;
    fields.set_item("start", part.plaintext.start)?;
    fields.set_item("length", part.len())?;
    fields.set_item("stored_length", part.stored_len())?;
    fields.set_item("salts", part.salts.iter().map(|salt| PyBytes::new(py, salt)).collect::<Vec<_>>())?;
    make(py, "Part", &fields)
}

/// A receipt, and how it is stored.
pub(crate) fn receipt(py: Python<'_>, receipt: &Receipt, stored: &[u8]) -> PyResult<Py<PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("number", receipt.number)?;
    fields.set_item("length", receipt.attributes.plaintext_len)?;
    fields.set_item("etag", receipt.attributes.etag.as_deref().unwrap_or_default())?;
    fields.set_item("digests", digests(py, &receipt.attributes.digests)?)?;
    fields.set_item("salts", receipt.salts.iter().map(|salt| PyBytes::new(py, salt)).collect::<Vec<_>>())?;
    fields.set_item("stored", PyBytes::new(py, stored))?;
    Ok(make(py, "Receipt", &fields)?.unbind())
}
